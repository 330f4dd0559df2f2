/*
 * stream: a connection's bytes, in the clear or through TLS (tls.h), and what is kept of them
 * (traffic.h).
 *
 * It waits for nothing: the socket does not block, and whoever has the stream comes back when it
 * is readable, or writable where stream_waits.  What a peer said before TLS began is not the
 * stream's any more.  Its owner closes it.
 */
#ifndef MCF_MTA_STREAM_H
#define MCF_MTA_STREAM_H

#include "mta/front/tls.h"
#include "mta/front/traffic.h"

struct stream {
    int fd;
    struct tls *tls; /* NULL: in the clear */
    bool secured;    /* STREAM_SECURED was said */
    struct traffic *traffic;
};

enum stream_event {
    STREAM_NOTHING, /* nothing has come */
    STREAM_MOVED,   /* something has, and may be more: to be asked again */
    STREAM_TEXT,
    STREAM_SECURED, /* the handshake came to its end; said once */
    STREAM_UNSECURED,
    STREAM_ENDED
};

/* fd: the stream's own from now on. */
void stream_open(struct stream *s, int fd, struct traffic *traffic);
void stream_close(struct stream *s);
/* TLS begins (tls_new).  False: it cannot. */
bool stream_secure(struct stream *s, const struct tls_context *c, bool asks, const char *name,
                   const char *features);

/* *n: bytes of text in out. */
enum stream_event stream_read(struct stream *s, char *out, size_t room, size_t *n);
/* Sends what can be sent of `text` and of what TLS has to say; *taken: bytes of the text that need
 * not be given again.  False: nothing moved.  *broken is set where nobody is there any more. */
bool stream_write(struct stream *s, struct bytes text, size_t *taken, bool *broken);
/* With this text waiting: is there something to send? */
bool stream_waits(struct stream *s, struct bytes text);
/* Nothing more is said: TLS is told so, as far as it can be sent at once. */
void stream_end(struct stream *s);

#endif
