#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/maps/map.h"

/* The lock of the old file, as sendmail takes it: it may be either kind, by how it was built. */
static int lock_old(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return errno;
    while (fcntl(fd, F_SETLKW, &whole) != 0)
        if (errno != EINTR)
            return errno == EBADF ? 0 : errno; /* it is not ours to write: then who could hold it */
    return 0;
}

/* A reader looks whether the file that it has open is still the one of its name, and as old. */
static void set_forward(int fd, const struct stat *old)
{
    struct timespec now, times[2];
    clock_gettime(CLOCK_REALTIME, &now);
    times[0] = old->st_atim;
    times[1] = old->st_mtim;
    times[1].tv_sec = (old->st_mtim.tv_sec > now.tv_sec ? old->st_mtim.tv_sec : now.tv_sec) + 1;
    futimens(fd, times); /* a read-only file of another's: the new inode must do */
}

int map_install(const char *file, const char *path, uid_t owner, mode_t mode)
{
    struct stat old;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), rc = 0;
    if (fd < 0 && errno != ENOENT)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return errno;
    bool there = fd >= 0;
    if (there)
        rc = fstat(fd, &old) != 0 ? errno : S_ISREG(old.st_mode) ? lock_old(fd) : EINVAL;
    if (rc == 0 && there && owner == (uid_t)-1)
        owner = old.st_uid;
    if (rc == 0 && geteuid() == 0 && chown(file, owner, there ? old.st_gid : (gid_t)-1) != 0)
        rc = errno;
    if (rc == 0 && chmod(file, there ? old.st_mode & 07777 : mode) != 0)
        rc = errno;
    if (rc == 0 && rename(file, path) != 0)
        rc = errno;
    if (rc == 0 && there)
        set_forward(fd, &old);
    if (rc == 0)
        rc = fs_sync_folder(path);
    fs_close(&fd); /* and with it the locks */
    return rc;
}
