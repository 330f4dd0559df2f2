/*
 * lines: where a line ends, and where a message does (RFC 5321 2.3.8, 4.1.1.4, 4.5.2).
 *
 * A line ends with CR LF, a message with CR LF . CR LF.  A CR without LF behind it and a LF without
 * CR before it end nothing: where one server takes them for a line end and another does not, a
 * client makes the second see messages that the first has never seen.  They are refused, or, where
 * that is asked for, kept or made blanks.  Only with `lax_end` a LF that is kept is a line end in
 * all respects: a message ends at LF . LF, LF . CR LF and CR LF . LF too.
 *
 * What is decoded has LF line ends and is without the dots that stand before lines (not behind a LF
 * that ends nothing, which cannot be told from a line end afterwards).  Bytes may come in pieces of
 * any size: the result is the same.
 */
#ifndef MCF_MTA_LINES_H
#define MCF_MTA_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

enum lines_bare { LINES_REFUSE, LINES_KEEP, LINES_BLANK };

struct lines {
    enum lines_bare cr, lf;
    bool lax_end;
    bool seen_cr, seen_lf; /* bare ones */
    int place;             /* enum place of lines.c */
};

enum lines_result {
    LINES_MORE, /* all was read, and the message goes on */
    LINES_END,
    LINES_BARE_CR, /* it is refused: nothing may be read any more */
    LINES_BARE_LF
};

/* At the beginning of a message. */
void lines_start(struct lines *l, enum lines_bare cr, enum lines_bare lf, bool lax_end);
/* Decodes bytes of a message from s[0..len) to the end of out, at most len + 2 of them; *used is
 * how many were read: all of them, or those up to the message's end, or to the byte that is
 * refused. */
enum lines_result lines_data(struct lines *l, const char *s, size_t len, size_t *used,
                             struct buf *out);

/* Whether what was read last ended a line, or nothing was read yet. */
bool lines_is_at_end(const struct lines *l);

/* The first line of s[0..len), for commands: bytes with its end, and in *text those without; 0:
 * there is none yet.  The line ends with CR LF, or, where lf is not LINES_REFUSE, with LF; *refused
 * says which bare byte is in front of its end (LINES_MORE: none). */
size_t lines_command(const char *s, size_t len, enum lines_bare cr, enum lines_bare lf,
                     size_t *text, enum lines_result *refused);

#endif
