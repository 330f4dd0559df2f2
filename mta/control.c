#include "mta/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/store/queue.h"

enum { BACKLOG = 16, TRIES = 100, TRY_MS = 50 };

const char *control_path(struct arena *a, const struct program *p)
{
    const char *named = setting_text(p, "ControlSocketName");

    return *named ? named : fs_join(a, setting_text(p, "QueueDirectory"), "mcfd.control");
}

/* False: the name is longer than a socket's may be. */
static bool address_of(const char *path, struct sockaddr_un *sa)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sa->sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(sa->sun_path, path, strlen(path) + 1);
    return true;
}

static int close_with_errno(int fd)
{
    int err = errno;

    close(fd);
    errno = err;
    return -1;
}

int control_listen(const char *path)
{
    struct sockaddr_un sa;
    struct stat st;

    if (!address_of(path, &sa))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    mode_t before = umask(0177);
    bool good = bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, BACKLOG) == 0;
    int err = errno;
    umask(before);
    errno = err;
    return good ? fd : close_with_errno(fd);
}

int control_accept(int listening, uint64_t *uid)
{
    struct ucred who;
    socklen_t len = sizeof who;
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return close_with_errno(fd);
    *uid = who.uid;
    return fd;
}

static int connect_to(const char *path)
{
    struct sockaddr_un sa;

    if (!address_of(path, &sa))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        return close_with_errno(fd);
    return fd;
}

bool control_order(struct arena *a, struct channel *c, struct texts words, uint64_t *status,
                   struct bytes *text)
{
    struct message m = {.kind = MESSAGE_ORDER};

    m.as.ORDER = (struct message_ORDER){1, words};
    if (!channel_send(c, &m, -1) || !channel_await(c, a, MESSAGE_REPORT, &m))
        return false;
    *status = m.as.REPORT.status;
    *text = (struct bytes){arena_strndup(a, m.as.REPORT.bytes.p, m.as.REPORT.bytes.len),
                           m.as.REPORT.bytes.len};
    return true;
}

/* Whether a store is there that has taken us in, by an order that is none. */
static bool answers(struct arena *a, int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    uint64_t status;
    struct bytes text;

    if (own < 0)
        return false;
    struct channel *c = channel_new(a, own, ROLE_FRONT, ROLE_STORE);
    bool good = control_order(a, c, (struct texts){0}, &status, &text);
    channel_free(c);
    return good;
}

int control_reach(struct arena *a, const struct program *p)
{
    const char *path = control_path(a, p);
    const struct timespec pause = {0, TRY_MS * 1000000L};

    for (int i = 0; i < TRIES; i++) {
        int fd = connect_to(path);
        if (fd >= 0 && answers(a, fd))
            return fd;
        bool forbidden = fd < 0 && errno == EACCES;
        fs_close(&fd);
        if (forbidden || !queue_is_held(setting_text(p, "QueueDirectory"))) {
            errno = forbidden ? EACCES : ENOENT;
            return -1;
        }
        nanosleep(&pause, NULL); /* it starts, or ends */
    }
    errno = ETIMEDOUT;
    return -1;
}
