#include "lib/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static ssize_t read_retry(int fd, void *bytes, size_t len)
{
    ssize_t n;
    do
        n = read(fd, bytes, len);
    while (n < 0 && errno == EINTR);
    return n;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int read_fd(struct arena *a, int fd, size_t max, char **bytes, size_t *len)
{
    struct buf b;
    buf_init(&b, a);
    char piece[16384];
    for (;;) {
        ssize_t n = read_retry(fd, piece, sizeof piece);
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        if (max && (size_t)n > max - b.len)
            return EFBIG;
        buf_add(&b, piece, (size_t)n);
    }
    *bytes = b.data;
    *len = b.len;
    return 0;
}

int fs_read(struct arena *a, const char *path, size_t max, char **bytes, size_t *len)
{
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0)
        return errno;
    int err = read_fd(a, fd, max, bytes, len);
    close(fd);
    return err;
}

/* What of path stands below folder, both resolved; NULL if it is not there or elsewhere. */
static const char *rest_below(const char *folder, const char *path, char real[PATH_MAX])
{
    char top[PATH_MAX];
    if (!realpath(folder, top) || !realpath(path, real))
        return NULL;
    size_t n = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(real, top, n) != 0 || (real[n] != '/' && real[n] != '\0')) {
        errno = EXDEV;
        return NULL;
    }
    return real[n] == '/' && real[n + 1] ? real + n + 1 : ".";
}

bool fs_is_below(const char *path, const char *folder)
{
    char real[PATH_MAX];
    return rest_below(folder, path, real) != NULL;
}

int fs_read_below(struct arena *a, const char *folder, const char *path, size_t max, char **bytes,
                  size_t *len)
{
    char real[PATH_MAX];
    const char *rest = rest_below(folder, path, real);
    if (!rest)
        return errno;
    int top = open_retry(folder, O_PATH | O_DIRECTORY, 0);
    if (top < 0)
        return errno;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, top, rest, &how, sizeof how);
    int err = fd < 0 ? errno : read_fd(a, fd, max, bytes, len);
    if (fd >= 0)
        close(fd);
    close(top);
    return err;
}

/* What a new file gets: bytes, or what can be read from fd where bytes is NULL. */
struct content {
    const char *bytes;
    size_t len;
    int fd;
};

static int put_content(int to, const struct content *c)
{
    if (c->bytes)
        return write_all(to, c->bytes, c->len);
    char piece[16384];
    for (;;) {
        ssize_t n = read_retry(c->fd, piece, sizeof piece);
        if (n <= 0)
            return n < 0 ? errno : 0;
        int err = write_all(to, piece, (size_t)n);
        if (err)
            return err;
    }
}

/* The directory part of path, with its slash; empty where there is none. */
static size_t dir_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Follows path's last component while it is a symbolic link, also one that points nowhere. */
static int follow(const char *path, char out[PATH_MAX])
{
    size_t len = strlen(path);
    if (len >= PATH_MAX)
        return ENAMETOOLONG;
    memcpy(out, path, len + 1);
    for (int steps = 0; steps < 40; steps++) {
        char link[PATH_MAX];
        ssize_t n = readlink(out, link, sizeof link);
        if (n < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : errno;
        size_t keep = link[0] == '/' ? 0 : dir_len(out);
        if ((size_t)n >= PATH_MAX - keep)
            return ENAMETOOLONG;
        memcpy(out + keep, link, (size_t)n);
        out[keep + (size_t)n] = '\0';
    }
    return ELOOP;
}

/* Opens a new file beside target; its name is put in tmp. */
static int open_temporary(const char *target, mode_t mode, char tmp[PATH_MAX], int *fd)
{
    size_t dir = dir_len(target);
    *fd = -1;
    for (int tries = 0; tries < 100; tries++) {
        uint64_t r;
        if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
            return EAGAIN;
        int n = snprintf(tmp, PATH_MAX, "%.*s.%.200s.%012llx", (int)dir, target, target + dir,
                         (unsigned long long)(r >> 16));
        if (n < 0 || n >= PATH_MAX)
            return ENAMETOOLONG;
        *fd = open_retry(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
        if (*fd >= 0)
            return 0;
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

static int set_like(int fd, const struct stat *like)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    if ((st.st_uid != like->st_uid || st.st_gid != like->st_gid) &&
        fchown(fd, like->st_uid, like->st_gid) != 0)
        return errno;
    return fchmod(fd, like->st_mode & 07777) == 0 ? 0 : errno; /* after chown, which clears bits */
}

int fs_sync_folder(const char *target)
{
    char dir[PATH_MAX];
    size_t n = dir_len(target);
    memcpy(dir, n ? target : ".", n ? n : 1);
    dir[n ? n : 1] = '\0';
    int fd = open_retry(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return 0;
    int err = fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
    close(fd);
    return err;
}

/* Replaces target, which is no link, by content; mode and owner are like's, where it is not NULL.
 */
static int replace(const char *target, const struct content *c, const struct stat *like,
                   mode_t mode)
{
    char tmp[PATH_MAX];
    int fd = -1;
    /* Until the owner is set nobody else may read what may be a secret. */
    int err = open_temporary(target, like ? 0600 : mode, tmp, &fd);
    if (err)
        return err;
    err = put_content(fd, c);
    if (!err && like)
        err = set_like(fd, like);
    if (!err && fsync(fd) != 0)
        err = errno;
    if (close(fd) != 0 && !err)
        err = errno;
    if (!err && rename(tmp, target) != 0)
        err = errno;
    if (err) {
        unlink(tmp);
        return err;
    }
    return fs_sync_folder(target);
}

/* like: whose mode and owner the target gets; NULL = the old target's, else mode. */
static int write_content(const char *path, const struct content *c, const struct stat *like,
                         mode_t mode)
{
    char target[PATH_MAX];
    int err = follow(path, target);
    if (err)
        return err;
    struct stat st;
    if (lstat(target, &st) != 0)
        return errno == ENOENT ? replace(target, c, like, mode) : errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    if (S_ISREG(st.st_mode))
        return replace(target, c, like ? like : &st, mode);
    /* A device or a pipe (-o /dev/null) is written to, never replaced. */
    int fd = open_retry(target, O_WRONLY | O_NOCTTY, 0);
    if (fd < 0)
        return errno;
    err = put_content(fd, c);
    if (close(fd) != 0 && !err)
        err = errno;
    return err;
}

int fs_write_whole(const char *path, const void *bytes, size_t len, mode_t mode)
{
    struct content c = {.bytes = len ? bytes : "", .len = len, .fd = -1};
    return write_content(path, &c, NULL, mode);
}

int fs_copy(const char *path, const char *copy)
{
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0)
        return errno;
    struct stat st;
    int err = fstat(fd, &st) == 0 ? 0 : errno;
    if (!err && S_ISDIR(st.st_mode))
        err = EISDIR;
    if (!err) {
        struct content c = {.fd = fd};
        /* The copy is as secret as the original, whatever an older copy was. */
        err = write_content(copy, &c, &st, st.st_mode & 07777);
    }
    close(fd);
    return err;
}

int fs_backup(const char *path, const char *suffix)
{
    char copy[PATH_MAX];
    int n = snprintf(copy, sizeof copy, "%s%s", path, suffix);
    return n < 0 || n >= PATH_MAX ? ENAMETOOLONG : fs_copy(path, copy);
}

bool fs_is_older(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec < b->st_mtim.tv_sec ||
           (a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec < b->st_mtim.tv_nsec);
}

bool fs_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

void fs_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

char *fs_dirname(struct arena *a, const char *path)
{
    size_t n = dir_len(path);
    if (n == 0)
        return arena_strdup(a, ".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    return arena_strndup(a, path, n);
}

const char *fs_basename(const char *path)
{
    return path + dir_len(path);
}

char *fs_join(struct arena *a, const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0' || strcmp(dir, ".") == 0)
        return arena_strdup(a, name);
    return arena_printf(a, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool fs_find_program(const char *program, char path[PATH_MAX])
{
    if (strchr(program, '/')) {
        snprintf(path, PATH_MAX, "%s", program);
        return is_program(path);
    }
    const char *dirs = getenv("PATH");
    if (!dirs)
        dirs = "/bin:/usr/bin";
    for (;; dirs++) {
        size_t n = strcspn(dirs, ":");
        int len = snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, dirs, n ? "/" : "", program);
        if (len > 0 && len < PATH_MAX && is_program(path))
            return true;
        dirs += n;
        if (!*dirs)
            return false;
    }
}
