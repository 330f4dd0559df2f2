/*
 * reply: what the server says, until it is sent (RFC 5321 4.2).
 *
 * Everything that is put in is one line or several, and comes out as whole lines of 7-bit bytes
 * that end with CR LF: bytes of a client or of a map make no lines.  `held`: from that moment on
 * what is said waits, so long.
 */
#ifndef MCF_MTA_REPLY_H
#define MCF_MTA_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/bytes.h"

struct replies {
    struct buf out, scratch;
    size_t sent;      /* bytes of out that are gone */
    size_t open_to;   /* those that may go while it is held */
    uint64_t held_ms; /* 0: it is not */
    bool soft;        /* SoftBounce: 5xx is said as 4xx */
};

void reply_init(struct replies *r, struct arena *a);
void reply_line(struct replies *r, const char *s, size_t len);
/* LF between lines; none is added for one at the end. */
void reply_lines(struct replies *r, const char *s, size_t len);
void reply_text(struct replies *r, const char *s);
/* `before`, a text of any length, `behind`, on one line. */
void reply_of(struct replies *r, const char *before, struct bytes text, const char *behind);
/* One line of at most 1023 bytes; what is longer is cut. */
void reply_format(struct replies *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `what`: "the line", which is shortened where it is long. */
void reply_echo(struct replies *r, const char *what, struct bytes line);

/* Holds what is said from now on, ms longer. */
void reply_hold(struct replies *r, uint64_t ms);
void reply_release(struct replies *r);
/* Bytes that wait, held or not; those that may be sent now; n of those are gone. */
size_t reply_waiting(const struct replies *r);
struct bytes reply_ready(const struct replies *r);
void reply_sent(struct replies *r, size_t n);

#endif
