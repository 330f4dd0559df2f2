#include "mta/parent/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fs.h"

enum { REOPENS = 5 /* of a file that is replaced while it is waited for */, PAUSE_MS = 50 };

static int fail(struct mailbox *m, int status, int error, const char *why)
{
    m->error = error;
    m->why = why ? why : strerror(error);
    return status;
}

static int open_file(const char *path, unsigned may)
{
    const int flags =
        O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (may & MAILBOX_LINK ? 0 : O_NOFOLLOW);
    int fd = open(path, O_RDWR | flags);

    if (fd < 0 && errno == EACCES)
        fd = open(path, O_WRONLY | flags);
    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
    return fd;
}

static bool is_null(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* NULL: it is one. */
static const char *no_mailbox(const struct stat *st, unsigned may)
{
    if (!S_ISREG(st->st_mode))
        return "it is no plain file";
    if (st->st_mode & 0111)
        return "it can be executed";
    return st->st_nlink > 1 && !(may & MAILBOX_HARD_LINK) ? "it has another name, too (a hard link)"
                                                          : NULL;
}

static bool lock_file(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    for (int waited = 0; waited < MAILBOX_LOCK_MS; waited += PAUSE_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fcntl(fd, F_SETLK, &all) == 0)
            return true;
        flock(fd, LOCK_UN);
        poll(NULL, 0, PAUSE_MS);
    }
    return false;
}

static bool is_named(const struct stat *st, const char *path, unsigned may)
{
    struct stat named;

    return (may & MAILBOX_LINK ? stat(path, &named) : lstat(path, &named)) == 0 &&
           named.st_ino == st->st_ino && named.st_dev == st->st_dev;
}

/* One try: EX_OK, or a status; *again: it was replaced meanwhile. */
static int open_once(struct mailbox *m, const char *path, unsigned may, bool *again)
{
    *again = false;
    m->fd = open_file(path, may);
    if (m->fd < 0 || fstat(m->fd, &m->st))
        return fail(m, errno == ENFILE || errno == EMFILE ? EX_TEMPFAIL : EX_CANTCREAT, errno,
                    NULL);
    if (is_null(&m->st))
        return EX_OK;
    const char *why = no_mailbox(&m->st, may);
    if (why)
        return fail(m, EX_CANTCREAT, 0, why);
    if (!lock_file(m->fd))
        return fail(m, EX_TEMPFAIL, 0, "locked");
    *again = fstat(m->fd, &m->st) != 0 || !is_named(&m->st, path, may);
    return EX_OK;
}

int mailbox_open(struct mailbox *m, const char *path, unsigned may)
{
    bool again = true;
    int status = EX_OK;

    *m = (struct mailbox){.fd = -1, .why = ""};
    if (*path != '/')
        return fail(m, EX_CANTCREAT, 0, "no absolute path");
    for (int i = 0; again && i < REOPENS; i++) {
        fs_close(&m->fd);
        status = open_once(m, path, may, &again);
    }
    return again ? fail(m, EX_TEMPFAIL, 0, "replaced over and over") : status;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool append(struct mailbox *m, const struct mailbox_reader *reader)
{
    const char *bytes;
    char last = '\n';
    ssize_t n;

    if (m->st.st_size > 0 && pread(m->fd, &last, 1, m->st.st_size - 1) == 1 && last != '\n' &&
        !write_all(m->fd, "\n", 1))
        return false;
    while ((n = reader->read(reader->ctx, &bytes)) > 0)
        if (!write_all(m->fd, bytes, (size_t)n))
            return false;
    if (n < 0) {
        errno = EIO;
        return false;
    }
    return write_all(m->fd, "\n", 1) && fsync(m->fd) == 0;
}

int mailbox_append(struct mailbox *m, const struct mailbox_reader *reader)
{
    int error;

    if (is_null(&m->st) || append(m, reader)) {
        /* Writing has taken the bits away by which it is appended to as its owner. */
        if (m->st.st_mode & (S_ISUID | S_ISGID) && m->st.st_uid == geteuid())
            fchmod(m->fd, m->st.st_mode & 07777);
        return EX_OK;
    }
    error = errno;
    if (ftruncate(m->fd, m->st.st_size) == 0)
        fsync(m->fd);
    return fail(m, EX_TEMPFAIL, error, NULL);
}

void mailbox_close(struct mailbox *m)
{
    fs_close(&m->fd);
}
