#include "mta/parent/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"

/* What a port's user types next. */
static const char *advice(int err)
{
    switch (err) {
    case EADDRINUSE:
        return "; who has it: ss -ltnp";
    case EACCES:
        return "; only root may have it";
    case EADDRNOTAVAIL:
        return "; no interface has that address: ip addr";
    default:
        return "";
    }
}

/* --- sockets that were there before ------------------------------------------------------- */

bool listen_is_inherited(void)
{
    return getenv(LISTEN_INHERITED) != NULL;
}

static bool is_socket_of(int fd, const struct addrinfo *i)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    memset(&sa, 0, sizeof sa);
    return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && len == i->ai_addrlen &&
           memcmp(&sa, i->ai_addr, len) == 0;
}

/* The next number of the list; -1: there is none. */
static int next_number(const char **at)
{
    char *end;
    long n = strtol(*at, &end, 10);

    if (end == *at || n < 0 || n > INT_MAX)
        return -1;
    *at = end + (*end == ',');
    return (int)n;
}

static bool has(const struct listening *l, int fd)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->fds[i] == fd)
            return true;
    }
    return false;
}

static int inherited(const struct addrinfo *i, const struct listening *taken)
{
    const char *list = getenv(LISTEN_INHERITED);

    for (int fd; list && (fd = next_number(&list)) >= 0;) {
        if (!has(taken, fd) && is_socket_of(fd, i)) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            return fd;
        }
    }
    return -1;
}

static void close_inherited(const struct listening *taken)
{
    const char *list = getenv(LISTEN_INHERITED);

    for (int fd; list && (fd = next_number(&list)) >= 0;) {
        if (!has(taken, fd))
            close(fd);
    }
    unsetenv(LISTEN_INHERITED);
}

/* --- new ones ----------------------------------------------------------------------------- */

static int try_one(const struct listener *l, const struct addrinfo *i)
{
    const int yes = 1;
    int fd = socket(i->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (i->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(fd, i->ai_addr, i->ai_addrlen) == 0 &&
        listen(fd, l->backlog > 0 ? l->backlog : 10) == 0)
        return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

static int open_one(const struct listener *l, const struct addrinfo *i, int wait_ms,
                    const struct listening *taken)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    int fd = inherited(i, taken);

    for (int ms = 0; fd < 0; ms += 50) {
        fd = try_one(l, i);
        if (fd >= 0 || errno != EADDRINUSE || ms >= wait_ms)
            return fd;
        nanosleep(&pause, NULL);
    }
    return fd;
}

static const char *port_number(struct arena *a, const char *port)
{
    /* The usual ones, where the system has no list of services. */
    static const struct {
        const char *name, *number;
    } usual[] = {{"smtp", "25"}, {"submission", "587"}, {"smtps", "465"}, {"submissions", "465"}};

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (strcasecmp(port, usual[i].name) == 0)
            return usual[i].number;
    }
    return arena_strdup(a, port);
}

bool listen_all(struct arena *a, const struct listener *l, size_t n, int wait_ms,
                struct listening *out, const char **why)
{
    out->fds = arena_calloc(a, n, sizeof *out->fds);
    out->listeners = arena_calloc(a, n, sizeof *out->listeners);
    for (out->n = 0; out->n < n; out->n++) {
        const struct listener *one = &l[out->n];
        struct addrinfo hints = {
            .ai_family = one->family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
        struct addrinfo *list = NULL;
        const char *at = one->address;
        if (at && strncasecmp(at, "IPv6:", 5) == 0)
            at += 5;
        int failed = getaddrinfo(at, port_number(a, one->port), &hints, &list);
        int fd = failed ? -1 : open_one(one, list, wait_ms, out);
        int err = errno;
        if (list)
            freeaddrinfo(list);
        if (fd < 0) {
            *why = arena_printf(a, "%s: port %s of %s: %s%s", one->name, one->port,
                                one->address ? one->address : "all addresses",
                                failed ? gai_strerror(failed) : strerror(err),
                                failed ? "" : advice(err));
            while (out->n > 0)
                close(out->fds[--out->n]);
            return false;
        }
        out->fds[out->n] = fd;
        out->listeners[out->n] = out->n;
    }
    close_inherited(out);
    return true;
}
