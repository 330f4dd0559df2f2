/*
 * body: a message as it is written to a host, a program or a file: line ends, dots, long lines,
 * From_ lines (struct body_form), and the change of its encoding (RFC 2045) where the other side
 * takes 7 bits only, or is to have 8.
 *
 *     enum body_change change = body_change(plan, host_8bit);
 *     w = body_new(arena, plan, change);
 *     where body_scans(w): body_scan(w, piece, len) over the whole body, which is read once more
 *     body_head(w, out), body_write(w, piece, len, out) ..., body_end(w, out)
 *
 * Bodies come in pieces of any cut, with LF line ends; what is written does not depend on the
 * cut.  Output is appended to a buf of the caller's, who takes it away between two calls: a piece
 * gives at most BODY_GROWTH times its bytes and BODY_MORE.  Which encoding a part gets depends on
 * all of it, so a body is scanned before it is encoded.  Memory is the arena's and bounded: the
 * plan's head, BODY_PART_HEAD, a byte for each of at most BODY_PARTS parts.  What is beyond these
 * limits, or is not MIME as it should be, is written as it is.
 *
 * Everything that ends as text with CR LF or another line end in the output was a line that ended
 * with LF in the input; a body's last line gets one if it had none.
 */
#ifndef MCF_MTA_BODY_H
#define MCF_MTA_BODY_H

#include <stdbool.h>

#include "mta/policy/plan.h"

enum {
    BODY_EOL_MAX = 16, /* bytes of a line end; a longer one is cut */
    BODY_PART_HEAD = 32 << 10,
    BODY_PARTS = 100000,
    BODY_DEPTH = 20, /* multiparts in multiparts */
    BODY_BOUNDARY = 200,
    /* A byte comes to three and, with a limit of one byte a line, a break around each. */
    BODY_GROWTH = 3 * (3 + BODY_EOL_MAX),
    BODY_MORE = 4 * BODY_PART_HEAD
};

/* Beside the ENVELOPE_ flags in plan.body. */
enum { BODY_MIMEFY = 1 << 16 /* EightBitMode=m: what is no MIME message becomes one */ };

enum body_change {
    BODY_KEEP,
    BODY_LABEL,   /* as it is, said to be 8bit text in the head */
    BODY_TO_7BIT, /* parts with such bytes as quoted-printable or base64 */
    BODY_TO_8BIT  /* text/plain that is one of these two, decoded */
};

/* How bytes are written; from a plan by body_form_of. */
struct body_form {
    char eol[BODY_EOL_MAX];
    size_t eol_len;
    size_t line_limit; /* bytes of a line without its end; 0: none */
    bool dots;         /* a line that begins with '.' gets one more: SMTP and LMTP, flag X */
    bool from;         /* flag E: '>' before a body's line that begins with "From " */
    bool seven;        /* flag 7: the eighth bit is taken off */
    bool seven_body;   /* BODY=7BIT: the same of the body alone */
    bool blank_end;    /* flag b: an empty line at the end */
};

struct body;

struct body_form body_form_of(const struct plan *p);

/* host_8bit: it offers 8BITMIME (RFC 6152), or is no host. */
enum body_change body_change(const struct plan *p, bool host_8bit);
/* The BODY= for a host that offers it: "8BITMIME", "7BIT" or NULL for none. */
const char *body_parameter(const struct plan *p);

/* The plan, whose head it reads, stays as long. */
struct body *body_new(struct arena *a, const struct plan *p, enum body_change change);
/* It wants the whole body once before. */
bool body_scans(const struct body *b);
void body_scan(struct body *b, const char *bytes, size_t len);
/* The From_ line, the head as it is with that change, and the empty line. */
void body_head(struct body *b, struct buf *out);
void body_write(struct body *b, const char *bytes, size_t len, struct buf *out);
/* What is left; without the dot of SMTP.  The next call may be body_head again. */
void body_end(struct body *b, struct buf *out);

#endif
