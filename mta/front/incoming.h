/*
 * incoming: a message while it comes: its head apart from its body, and what was seen in it.
 *
 * The head is lines "name: text", which a line that begins with a blank continues; names have no
 * blanks (but before the colon) and no control or 8-bit characters, and are none of those that end
 * a head (mta/headers.def).  It ends at the first empty line, which belongs to nothing, or before
 * the first line that is no such line, where the body begins.  A first line "From ...", as
 * mailboxes have it, is of the head, unless it is to be kept as a line: then it is no such line.
 * NUL bytes are taken out of the head.  All line ends are LF.  A LF of the head that ends no line
 * (lines.h) folds it there.
 *
 * The head is kept to the end of the message, the body goes as it comes: `taken` of its bytes are
 * gone.  What is longer than its limit is read to its end and not kept.
 */
#ifndef MCF_MTA_INCOMING_H
#define MCF_MTA_INCOMING_H

#include <stdint.h>

#include "mta/front/lines.h"

enum {
    INCOMING_NAME_MAX = 998 /* bytes of a header's name: a line's (RFC 5322 2.1.1) */
};

struct incoming {
    struct lines lines;
    uint64_t max_size; /* bytes; 0: no limit */
    uint64_t max_head; /* bytes that a head may not reach; 0: no limit */
    bool seven_bit;    /* the eighth bit is taken off */
    bool keeps_from;   /* SaveFromLine */
    struct buf head, body;
    size_t taken; /* bytes of body that are gone */
    size_t line;  /* where the head's last line begins */
    size_t from;  /* bytes of a line From_ */
    bool first;   /* no line of it was seen yet */
    bool folds;   /* what was read last was a LF that ends nothing */
    bool in_body, too_large, head_too_large;
    uint64_t size;       /* bytes of all that came */
    uint64_t body_lines; /* LF in the body */
    unsigned flags;      /* SEEN_* of message/seen.h */
};

void incoming_init(struct incoming *in, struct arena *a);
/* A message begins; limits, seven_bit and keeps_from stay. */
void incoming_start(struct incoming *in, enum lines_bare cr, enum lines_bare lf, bool lax_end);
/* As lines_data; at most len + 2 bytes of body and head more. */
enum lines_result incoming_data(struct incoming *in, const char *s, size_t len, size_t *used);
/* Bytes of the body that wait. */
size_t incoming_waiting(const struct incoming *in);
void incoming_taken(struct incoming *in, size_t n);

#endif
