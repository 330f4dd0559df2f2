#include "mta/milter/wire.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MS = 1000 };

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * MS + (uint64_t)t.tv_nsec / 1000000;
}

/* Whether the descriptor can be used before that time; errno. */
static bool wait_for(int fd, short events, uint64_t until)
{
    for (;;) {
        const uint64_t now = now_ms();
        const uint64_t left = until > now ? until - now : 0;
        struct pollfd p = {.fd = fd, .events = events};
        const int n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
        if (n == 0 && left <= INT32_MAX) {
            errno = ETIMEDOUT;
            return false;
        }
    }
}

/* --- connecting --------------------------------------------------------------------------- */

static bool join(int fd, const struct sockaddr *to, socklen_t len, uint64_t until)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (connect(fd, to, len) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false; /* EAGAIN too: a local socket whose queue is full */
    if (!wait_for(fd, POLLOUT, until))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return false;
    errno = error;
    return error == 0;
}

static int open_one(int family, const struct sockaddr *to, socklen_t len, uint64_t until)
{
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || join(fd, to, len, until))
        return fd;
    const int why = errno;
    close(fd);
    errno = why;
    return -1;
}

int wire_open_local(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const size_t len = strlen(path);

    if (len == 0 || len >= sizeof to.sun_path) {
        errno = len ? ENAMETOOLONG : ENOENT;
        return -1;
    }
    memcpy(to.sun_path, path, len + 1);
    return open_one(AF_UNIX, (const struct sockaddr *)&to, sizeof to, 0);
}

static int open_inet(const struct filter *f, uint64_t until)
{
    const struct addrinfo hints = {.ai_family = f->family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int fd = -1;

    if (!f->port || getaddrinfo(f->address, f->port, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        fd = open_one(f->family, a->ai_addr, a->ai_addrlen, until);
    const int why = errno;
    freeaddrinfo(list);
    errno = why;
    return fd;
}

int wire_open(const struct filter *f)
{
    const uint64_t seconds = f->seconds[FILTER_CONNECT];

    if (f->family == AF_UNIX)
        return wire_open_local(f->address);
    return open_inet(f, seconds > 0 ? now_ms() + seconds * MS : UINT64_MAX);
}

/* --- bytes -------------------------------------------------------------------------------- */

enum wire_result wire_write(int fd, const char *p, size_t len, uint64_t seconds)
{
    const uint64_t until = now_ms() + seconds * MS;

    for (size_t done = 0; done < len;) {
        const ssize_t n = send(fd, p + done, len - done, MSG_NOSIGNAL);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EAGAIN && !wait_for(fd, POLLOUT, until))
            return errno == ETIMEDOUT ? WIRE_LATE : WIRE_FAILED;
        if (errno != EAGAIN && errno != EINTR)
            return WIRE_FAILED;
    }
    return WIRE_DONE;
}

enum wire_result wire_read(int fd, char *p, size_t len, uint64_t seconds, size_t *got)
{
    const uint64_t until = now_ms() + seconds * MS;

    for (*got = 0; *got < len;) {
        const ssize_t n = recv(fd, p + *got, len - *got, 0);
        if (n == 0)
            return WIRE_ENDED;
        if (n > 0) {
            *got += (size_t)n;
            continue;
        }
        if (errno == EAGAIN && !wait_for(fd, POLLIN, until))
            return errno != ETIMEDOUT ? WIRE_FAILED : *got > 0 ? WIRE_STUCK : WIRE_LATE;
        if (errno != EAGAIN && errno != EINTR)
            return WIRE_FAILED;
    }
    return WIRE_DONE;
}

void wire_close(int fd, const char *last, size_t len)
{
    if (fd < 0)
        return;
    if (len > 0 && send(fd, last, len, MSG_NOSIGNAL) < 0)
        errno = 0; /* whoever does not hear it sees the end */
    close(fd);
}
