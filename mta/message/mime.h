/*
 * mime: the parts of a message (RFC 2045, 2046), while its body goes by.
 *
 * A walk is told the message's head, then the body in pieces of any cut, then its end, and reports
 * what it sees: text between parts, heads of parts, and what is in the leaves.  All that it
 * reports, put together, is the body, but for the heads: they are the listener's to write.  It
 * copies nothing but the head of a part (at most BODY_PART_HEAD) and what may be a boundary.
 *
 * The line end before a boundary is the boundary's (RFC 2046 5.1.1): it is text.  A multipart that
 * is not closed is closed at the end.  Whatever is not well-formed, too deep or too long is a leaf
 * that is not to be encoded.
 */
#ifndef MCF_MTA_MIME_H
#define MCF_MTA_MIME_H

#include <stdbool.h>

#include "mta/message/body.h"

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };
enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QP, MIME_BASE64, MIME_OTHER };

struct mime_head {
    enum mime_kind kind;
    enum mime_encoding encoding;
    bool version; /* there is a MIME-Version */
    bool type;    /* there is a Content-Type */
    bool plain;   /* text/plain, which is meant where there is none */
    bool encodes; /* its bytes may get another encoding */
    bool digest;  /* parts are messages where they say nothing */
    char boundary[BODY_BOUNDARY];
    size_t boundary_len;
};

/* A head of lines that end with LF; in_digest: of a part of a multipart/digest. */
struct mime_head mime_head_read(struct bytes head, bool in_digest);
/* The next field of a head, with its continuations and line end; *at: offset, at first 0. */
bool mime_field(struct bytes head, size_t *at, struct bytes *field);
bool mime_field_is(struct bytes field, const char *name);

struct mime_events {
    /* LF line ends, any cut.  outside: before, between and behind the parts. */
    void (*text)(void *ctx, const char *bytes, size_t len, bool outside);
    /* A part's head without the empty line; message: it is a message's in message/rfc822. */
    void (*head)(void *ctx, struct bytes head, const struct mime_head *h, bool message);
    /* Of the leaf whose head was last. */
    void (*leaf)(void *ctx, const char *bytes, size_t len);
    /* newline: one stood behind it, before the boundary that ended it. */
    void (*leaf_end)(void *ctx, bool newline);
};

struct mime_walk;

struct mime_walk *mime_walk_new(struct arena *a, const struct mime_head *top,
                                const struct mime_events *events, void *ctx);
void mime_walk_feed(struct mime_walk *w, const char *bytes, size_t len);
void mime_walk_end(struct mime_walk *w);

#endif
