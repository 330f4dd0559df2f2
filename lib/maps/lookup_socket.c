/*
 * lookup_socket: class socket: a server that is asked "MAP KEY" and answers with a word and a text,
 * both as netstrings (LENGTH:BYTES,).
 *
 * A connection is kept for the session; one that the server has closed meanwhile is made again, one
 * that failed is made again at the next lookup.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/maps/lookup_class.h"
#include "lib/maps/map_lines.h"

enum {
    LONGEST = 1 << 20, /* bytes of an answer */
    LENGTH_DIGITS = 7,
    USUAL_MS = 30000,
};

struct connection {
    int fd; /* -1: none */
    bool used;
};

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 0 or errno. */
static int wait_for(int fd, short events, long long until)
{
    for (;;) {
        long long left = until - now_ms();
        struct pollfd p = {.fd = fd, .events = events};
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n > 0)
            return 0;
        if (n == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

static int connect_to(const struct sockaddr *to, socklen_t len, long long until, int *fd)
{
    int rc = 0;
    socklen_t size = sizeof rc;
    *fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return errno;
    if (connect(*fd, to, len) != 0)
        rc = errno == EINPROGRESS ? wait_for(*fd, POLLOUT, until) : errno;
    if (rc == 0 && getsockopt(*fd, SOL_SOCKET, SO_ERROR, &rc, &size) != 0)
        rc = errno;
    if (rc != 0)
        fs_close(fd);
    return rc;
}

static int connect_path(const char *path, long long until, int *fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path)
        return ENAMETOOLONG;
    if (*path == '\0')
        return EINVAL;
    memcpy(to.sun_path, path, strlen(path) + 1);
    return connect_to((const struct sockaddr *)&to, sizeof to, until, fd);
}

/* place: PORT@HOST */
static int connect_host(struct arena *a, const char *place, int family, long long until, int *fd)
{
    const char *at = strchr(place, '@');
    struct addrinfo *all = NULL, wanted = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    if (!at || at == place || !at[1])
        return EINVAL;
    const char *port = arena_strndup(a, place, (size_t)(at - place)), *host = at + 1;
    if (getaddrinfo(host, port, &wanted, &all) != 0)
        return EHOSTUNREACH;
    int rc = EHOSTUNREACH;
    for (const struct addrinfo *one = all; one; one = one->ai_next) {
        rc = connect_to(one->ai_addr, one->ai_addrlen, until, fd);
        if (rc == 0)
            break;
    }
    freeaddrinfo(all);
    return rc;
}

static int connect_server(struct arena *a, const char *server, long long until, int *fd)
{
    const char *colon = strchr(server, ':');
    size_t n = colon ? (size_t)(colon - server) : 0;
    if (!colon)
        return server[0] == '/' ? connect_path(server, until, fd) : EINVAL;
    if ((n == 5 && strncasecmp(server, "local", n) == 0) ||
        (n == 4 && strncasecmp(server, "unix", n) == 0))
        return colon[1] == '/' ? connect_path(colon + 1, until, fd) : EINVAL;
    if (n == 4 && strncasecmp(server, "inet", n) == 0)
        return connect_host(a, colon + 1, AF_INET, until, fd);
    if (n == 5 && strncasecmp(server, "inet6", n) == 0)
        return connect_host(a, colon + 1, AF_INET6, until, fd);
    return EINVAL;
}

static int send_all(int fd, const char *bytes, size_t len, long long until)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
            continue;
        }
        int rc = errno == EAGAIN ? wait_for(fd, POLLOUT, until) : errno == EINTR ? 0 : errno;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int take(int fd, char *bytes, size_t len, long long until)
{
    while (len > 0) {
        ssize_t n = recv(fd, bytes, len, 0);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            continue;
        }
        int rc = n == 0            ? ECONNRESET
                 : errno == EAGAIN ? wait_for(fd, POLLIN, until)
                 : errno == EINTR  ? 0
                                   : errno;
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* 0 or errno; EPROTO where it is no netstring. */
static int take_answer(struct arena *a, int fd, long long until, struct map_bytes *answer)
{
    size_t len = 0;
    char c = '\0';
    for (int digits = 0;; digits++) {
        int rc = take(fd, &c, 1, until);
        if (rc != 0)
            return rc;
        if (c == ':' && digits > 0)
            break;
        if (!isdigit((unsigned char)c) || digits == LENGTH_DIGITS)
            return EPROTO;
        len = len * 10 + (size_t)(c - '0');
    }
    if (len > LONGEST)
        return EPROTO;
    char *bytes = arena_raw(a, len + 1);
    int rc = take(fd, bytes, len + 1, until);
    if (rc == 0 && bytes[len] != ',')
        return EPROTO;
    if (rc == 0)
        bytes[len] = '\0';
    *answer = (struct map_bytes){bytes, len};
    return rc;
}

static int ask(struct lookup_query *q, struct connection *c, const struct buf *request,
               long long until, struct map_bytes *answer)
{
    int rc = 0;
    if (c->fd < 0) {
        c->used = false;
        rc = connect_server(q->result, q->map->file, until, &c->fd);
    }
    if (rc == 0)
        rc = send_all(c->fd, request->data, request->len, until);
    if (rc == 0)
        rc = take_answer(q->result, c->fd, until, answer);
    if (rc != 0)
        fs_close(&c->fd);
    return rc;
}

static bool is_word(struct map_bytes answer, const char *word, struct map_bytes *text)
{
    size_t n = strlen(word);
    if (answer.len < n || memcmp(answer.p, word, n) != 0 || (answer.len > n && answer.p[n] != ' '))
        return false;
    n += answer.len > n;
    *text = (struct map_bytes){answer.p + n, answer.len - n};
    return true;
}

static void understand(struct lookup_query *q, struct map_bytes answer)
{
    struct map_bytes text;
    if (is_word(answer, "OK", &text))
        lookup_is_found(q, text);
    else if (is_word(answer, "NOTFOUND", &text))
        lookup_is_not_found(q, EX_NOHOST);
    else if (is_word(answer, "TEMP", &text) || is_word(answer, "TIMEOUT", &text))
        lookup_failed(q, "the server says: %.*s", (int)answer.len, answer.p);
    else
        lookup_is_not_found(q, is_word(answer, "PERM", &text) ? EX_UNAVAILABLE : EX_PROTOCOL);
}

static void socket_find(struct lookup_query *q)
{
    lookup_let_go(q->session);
    struct connection *c = *q->state;
    if (!c) {
        c = *q->state = arena_alloc(q->lifetime, sizeof *c);
        c->fd = -1;
    }
    q->key = lookup_folded_key(q);
    size_t size = strlen(q->map->name) + 1 + q->key.len;
    struct buf request;
    buf_init(&request, q->result);
    buf_printf(&request, "%zu:%s ", size, q->map->name);
    buf_add(&request, q->key.p, q->key.len);
    buf_addc(&request, ',');

    long long until = now_ms() + (q->world->timeout_ms ? q->world->timeout_ms : USUAL_MS);
    struct map_bytes answer;
    int rc = ask(q, c, &request, until, &answer);
    if ((rc == ECONNRESET || rc == EPIPE) && c->used)
        rc = ask(q, c, &request, until, &answer);
    c->used = c->fd >= 0;
    if (rc == 0)
        understand(q, answer);
    else if (q->map->optional && !c->used && rc != EPROTO && rc != ETIMEDOUT)
        q->answer->closed = true;
    else
        lookup_failed(q, "%s: %s", q->map->file, strerror(rc));
}

static void socket_close(void *state)
{
    struct connection *c = state;
    fs_close(&c->fd);
}

const struct lookup_class map_lookup_socket = {lookup_read_file, socket_find, socket_close, false};
