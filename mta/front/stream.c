#include "mta/front/stream.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/base/fs.h"

static bool is_for_later(int err)
{
    return err == EAGAIN || err == EINTR;
}

void stream_open(struct stream *s, int fd, struct traffic *traffic)
{
    *s = (struct stream){.fd = fd, .traffic = traffic};
}

void stream_close(struct stream *s)
{
    tls_free(s->tls);
    s->tls = NULL;
    fs_close(&s->fd);
}

bool stream_secure(struct stream *s, const struct tls_context *c, bool asks, const char *name,
                   const char *features)
{
    s->tls = tls_new(c, asks, name, features);
    return s->tls != NULL;
}

/* --- reading ------------------------------------------------------------------------------- */

static enum stream_event text_of(struct stream *s, const char *out, size_t n)
{
    traffic_in(s->traffic, out, n);
    return STREAM_TEXT;
}

/* The handshake goes on, and bytes become text; STREAM_NOTHING: more of them are needed. */
static enum stream_event decrypt(struct stream *s, char *out, size_t room, size_t *n)
{
    if (tls_state(s->tls) == TLS_OPEN && !s->secured) {
        s->secured = true;
        return STREAM_SECURED;
    }
    *n = tls_read(s->tls, out, room);
    if (*n > 0)
        return text_of(s, out, *n);
    switch (tls_state(s->tls)) {
    case TLS_FAILED:
        return s->secured ? STREAM_ENDED : STREAM_UNSECURED;
    case TLS_ENDED:
        return STREAM_ENDED;
    default:
        return STREAM_NOTHING;
    }
}

static enum stream_event read_encrypted(struct stream *s, char *out, size_t room, size_t *n)
{
    char bytes[TLS_PIECE];
    enum stream_event e = decrypt(s, out, room, n);

    if (e != STREAM_NOTHING)
        return e;
    ssize_t got = recv(s->fd, bytes, sizeof bytes, 0);
    if (got < 0 && is_for_later(errno))
        return STREAM_NOTHING;
    if (got > 0)
        tls_take(s->tls, bytes, (size_t)got);
    else
        tls_end(s->tls);
    return STREAM_MOVED;
}

enum stream_event stream_read(struct stream *s, char *out, size_t room, size_t *n)
{
    *n = 0;
    if (s->tls)
        return read_encrypted(s, out, room, n);
    ssize_t got = recv(s->fd, out, room, 0);
    if (got > 0) {
        *n = (size_t)got;
        return text_of(s, out, *n);
    }
    return got < 0 && is_for_later(errno) ? STREAM_NOTHING : STREAM_ENDED;
}

/* --- writing ------------------------------------------------------------------------------- */

/* Bytes that are gone. */
static size_t send_bytes(struct stream *s, struct bytes b, bool *broken)
{
    ssize_t n = b.len > 0 ? send(s->fd, b.p, b.len, MSG_NOSIGNAL) : 0;

    if (n < 0 && !is_for_later(errno))
        *broken = true;
    return n > 0 ? (size_t)n : 0;
}

bool stream_write(struct stream *s, struct bytes text, size_t *taken, bool *broken)
{
    struct bytes b;

    *taken = s->tls ? tls_write(s->tls, text.p, text.len) : send_bytes(s, text, broken);
    if (*taken > 0)
        traffic_out(s->traffic, text.p, *taken);
    if (!s->tls || !tls_sending(s->tls, &b))
        return *taken > 0;
    const size_t n = send_bytes(s, b, broken);
    tls_sent(s->tls, *broken ? b.len : n); /* there is nobody to send the rest to */
    return *taken > 0 || n > 0;
}

bool stream_waits(struct stream *s, struct bytes text)
{
    struct bytes b;

    if (!s->tls)
        return text.len > 0;
    return tls_sending(s->tls, &b) || (text.len > 0 && tls_state(s->tls) == TLS_OPEN);
}

void stream_end(struct stream *s)
{
    size_t taken;
    bool broken = false;

    if (!s->tls)
        return;
    tls_close(s->tls);
    while (!broken && stream_write(s, (struct bytes){"", 0}, &taken, &broken))
        continue;
}
