#include "mta/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fs.h"

enum {
    READ_PIECE = 32 << 10,
    READ_PIECES = 4,
    FDS_MAX = 64,          /* that came or wait to go at the same time */
    KEEP_MEMORY = 1 << 20, /* an empty channel that has more gives it back */
    FD_MARK = 0x80,        /* in the first byte of a kind */
    KIND_AT = 4            /* behind the length */
};

/* Descriptors in order; `at`: the byte of the stream that each goes with. */
struct descriptors {
    int fd[FDS_MAX];
    uint64_t at[FDS_MAX];
    size_t n;
};

struct channel {
    int fd;
    enum role self, other;
    enum channel_state state;
    bool deaf; /* the other side reads no more: what came from it before still counts */
    struct arena *arena, *in_arena, *out_arena;
    struct buf in, out;
    size_t taken;  /* bytes of in */
    size_t sent;   /* bytes of out */
    uint64_t base; /* bytes that were in out before its first one */
    struct descriptors came, go;
};

struct channel *channel_new(const struct arena *a, int fd, enum role self, enum role other)
{
    struct arena *own = arena_beside(a);
    struct channel *c = arena_alloc(own, sizeof *c);
    int flags = fcntl(fd, F_GETFL);

    *c = (struct channel){.fd = fd, .self = self, .other = other, .arena = own};
    c->in_arena = arena_beside(a);
    c->out_arena = arena_beside(a);
    buf_init(&c->in, c->in_arena);
    buf_init(&c->out, c->out_arena);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        c->state = CHANNEL_BROKEN;
    return c;
}

static void close_all(struct descriptors *d)
{
    for (size_t i = 0; i < d->n; i++)
        close(d->fd[i]);
    d->n = 0;
}

void channel_free(struct channel *c)
{
    if (!c)
        return;
    close_all(&c->came);
    close_all(&c->go);
    fs_close(&c->fd);
    arena_free(c->in_arena);
    arena_free(c->out_arena);
    arena_free(c->arena);
}

int channel_fd(const struct channel *c)
{
    return c->fd;
}

enum channel_state channel_state(const struct channel *c)
{
    return c->state;
}

static void keep(struct descriptors *d, int fd, uint64_t at)
{
    d->fd[d->n] = fd;
    d->at[d->n++] = at;
}

static int first(struct descriptors *d)
{
    int fd = d->fd[0];

    d->n--;
    memmove(d->fd, d->fd + 1, d->n * sizeof *d->fd);
    memmove(d->at, d->at + 1, d->n * sizeof *d->at);
    return fd;
}

static void empty(struct buf *b, struct arena *a)
{
    buf_truncate(b, 0);
    if (b->cap > KEEP_MEMORY) {
        arena_reset(a);
        buf_init(b, a);
    }
}

/* What was taken leaves the buffer. */
static void compact(struct channel *c)
{
    size_t left = c->in.len - c->taken;

    if (left == 0) {
        empty(&c->in, c->in_arena);
    } else if (c->taken > 0) {
        memmove(c->in.data, c->in.data + c->taken, left);
        buf_truncate(&c->in, left);
    }
    c->taken = 0;
}

/* More descriptors than there can be messages for break the channel. */
static void take_descriptors(struct channel *c, struct msghdr *h)
{
    for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
        if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(m) + i * sizeof fd, sizeof fd);
            if (c->came.n < FDS_MAX) {
                keep(&c->came, fd, 0);
            } else {
                close(fd);
                c->state = CHANNEL_BROKEN;
            }
        }
    }
    if (h->msg_flags & MSG_CTRUNC)
        c->state = CHANNEL_BROKEN;
}

/* One piece; false: no more for now. */
static bool read_piece(struct channel *c)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control;

    buf_reserve(&c->in, READ_PIECE);
    struct iovec v = {c->in.data + c->in.len, READ_PIECE};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(c->fd, &h, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            c->state = errno == ECONNRESET ? CHANNEL_ENDED : CHANNEL_BROKEN;
        return false;
    }
    take_descriptors(c, &h);
    if (n == 0)
        c->state = c->state == CHANNEL_BROKEN ? CHANNEL_BROKEN : CHANNEL_ENDED;
    c->in.len += (size_t)n;
    c->in.data[c->in.len] = '\0';
    return c->state == CHANNEL_OPEN && n > 0;
}

enum channel_state channel_read(struct channel *c)
{
    if (c->state != CHANNEL_OPEN)
        return c->state;
    compact(c);
    for (int i = 0; i < READ_PIECES && read_piece(c); i++)
        ;
    return c->state;
}

/* The descriptor that the message at s has with it; false: it says that there is one, and none
 * came. */
static bool own_descriptor(struct channel *c, char *s, int *fd)
{
    *fd = -1;
    if (!((unsigned char)s[KIND_AT] & FD_MARK))
        return true;
    s[KIND_AT] = (char)(s[KIND_AT] & ~FD_MARK);
    if (c->came.n == 0)
        return false;
    *fd = first(&c->came);
    return true;
}

bool channel_next(struct channel *c, struct arena *a, struct message *m, int *fd)
{
    char *s = c->in.data + c->taken;
    int own = -1;

    if (fd)
        *fd = -1;
    if (c->state == CHANNEL_BROKEN || c->taken == c->in.len)
        return false;
    long len = message_length(s, c->in.len - c->taken);
    if (len == 0)
        return false;
    if (len < 0 || !own_descriptor(c, s, &own) || !message_decode(a, s, (size_t)len, m) ||
        !message_is_for(m->kind, c->other, c->self)) {
        fs_close(&own);
        c->state = CHANNEL_BROKEN;
        return false;
    }
    c->taken += (size_t)len;
    if (fd)
        *fd = own;
    else
        fs_close(&own);
    return true;
}

bool channel_send(struct channel *c, const struct message *m, int fd)
{
    size_t start = c->out.len;

    if (c->state == CHANNEL_OPEN && !c->deaf && message_is_for(m->kind, c->self, c->other) &&
        (fd < 0 || c->go.n < FDS_MAX) && message_encode(m, &c->out)) {
        if (fd >= 0) {
            c->out.data[start + KIND_AT] = (char)(c->out.data[start + KIND_AT] | FD_MARK);
            keep(&c->go, fd, c->base + start);
        }
        return true;
    }
    fs_close(&fd);
    return false;
}

/* Writes up to the next descriptor, which begins a write of its own. */
static ssize_t write_piece(struct channel *c)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec v = {c->out.data + c->sent, c->out.len - c->sent};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    uint64_t at = c->base + c->sent;
    size_t later = 0;

    if (c->go.n > 0 && c->go.at[0] == at) {
        h.msg_control = &control;
        h.msg_controllen = sizeof control;
        struct cmsghdr *m = CMSG_FIRSTHDR(&h);
        m->cmsg_level = SOL_SOCKET;
        m->cmsg_type = SCM_RIGHTS;
        m->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(m), &c->go.fd[0], sizeof(int));
        later = 1;
    }
    if (c->go.n > later)
        v.iov_len = (size_t)(c->go.at[later] - at);
    ssize_t n = sendmsg(c->fd, &h, MSG_NOSIGNAL);
    if (n > 0 && later)
        close(first(&c->go));
    return n;
}

static void give_up_writing(struct channel *c)
{
    c->deaf = true;
    c->sent = c->out.len;
    close_all(&c->go);
}

enum channel_state channel_flush(struct channel *c)
{
    while (c->state == CHANNEL_OPEN && c->sent < c->out.len) {
        ssize_t n = write_piece(c);
        if (n >= 0)
            c->sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno == EPIPE || errno == ECONNRESET)
            give_up_writing(c);
        else if (errno != EINTR)
            c->state = CHANNEL_BROKEN;
    }
    size_t left = c->out.len - c->sent;
    if (left == 0 || c->sent > KEEP_MEMORY) {
        c->base += c->sent;
        if (left == 0)
            empty(&c->out, c->out_arena);
        else {
            memmove(c->out.data, c->out.data + c->sent, left);
            buf_truncate(&c->out, left);
        }
        c->sent = 0;
    }
    return c->state;
}

size_t channel_waiting(const struct channel *c)
{
    return c->out.len - c->sent;
}

bool channel_wants_write(const struct channel *c)
{
    return c->state == CHANNEL_OPEN && channel_waiting(c) > 0;
}

bool channel_await(struct channel *c, struct arena *a, enum message_kind kind, struct message *m)
{
    while (channel_state(c) == CHANNEL_OPEN) {
        struct pollfd p = {.fd = channel_fd(c), .events = POLLIN};
        if (channel_wants_write(c))
            p.events |= POLLOUT;
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return false;
        if (p.revents & POLLOUT)
            channel_flush(c);
        if (p.revents & (POLLIN | POLLHUP | POLLERR))
            channel_read(c);
        while (channel_next(c, a, m, NULL)) {
            if (m->kind == kind)
                return true;
        }
    }
    return false;
}
