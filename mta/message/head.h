/*
 * head: the fields of a message's head (RFC 5322 2.2), in their order.
 *
 * A text has LF line ends and should have no NULs: sendmail drops those that SMTP brings in a head;
 * what there is here is dropped when it is read.  A field's name is as it was written, its value
 * all that stands behind the colon: blanks, folding ("\n" and a blank) and all, without the last
 * line end.  What is read is written the same, but for NULs and blanks before a colon.
 *
 * A line is of the head as long as it is a field (a name of printable characters, blanks, a colon)
 * or goes on with one (it begins with a blank or tab); before all there may be a line "From ", as
 * mailboxes have it.  An empty line ends the head; so does, as the body's first, any other line and
 * the field Text or Message.
 *
 * Fields that the configuration adds (H lines) stand among them: `only` is what stands between
 * "?" in the H line, FIELD_DEFAULT says whose it is, FIELD_LATE that its text is still the .cf's,
 * with macros to be expanded when it is delivered.
 *
 * Names and values point into what was read, or live in the head's arena.  Nothing fails; a head
 * with more than HEAD_FIELDS_MAX fields or HEAD_BYTES_MAX bytes is not read at all.
 */
#ifndef MCF_MTA_MESSAGE_HEAD_H
#define MCF_MTA_MESSAGE_HEAD_H

#include "mta/protocol.h"

enum { HEAD_FIELDS_MAX = 20000, HEAD_BYTES_MAX = 8 << 20 };

/* What is special about a field: bits of mta/headers.def, and our own above 24. */
enum field_flags {
    FIELD_ENDS_HEAD = 0x1,
    FIELD_RECIPIENT = 0x2, /* addresses of recipients */
    FIELD_DEFAULT = 0x4,   /* of the configuration */
    FIELD_RESENT = 0x8,
    FIELD_ON_REQUEST = 0x20, /* only for a mailer with one of the flags in `only`, whosever it is */
    FIELD_FORCE = 0x40,      /* the configuration's stays beside the message's */
    FIELD_TRACE = 0x80,      /* counts as a hop */
    FIELD_SENDER = 0x100,    /* addresses of senders */
    FIELD_RECEIPT = 0x400,
    FIELD_ERRORS = 0x800,
    FIELD_ENCODING = 0x1000,
    FIELD_TYPE = 0x2000,
    FIELD_BCC = 0x4000,
    FIELD_ENCODABLE = 0x8000,
    FIELD_RETURN_PATH = 0x20000, /* is known when it is delivered */
    FIELD_ANY = 0x40000,
    FIELD_LATE = 1 << 24,
    FIELD_HAS_ID = 1 << 25, /* HEAD_ID stands in its text */
    FIELD_TO_GO = 1 << 26   /* it goes when the head is whole (policy/collect) */
};

/* Stands for the queue's id in fields with FIELD_HAS_ID, until head_set_id. */
#define HEAD_ID "\001\002\001"

struct field {
    uint32_t flags;
    struct bytes name, value;
    struct bytes only; /* p is NULL: always */
};

struct head {
    struct arena *arena;
    struct field *v;
    size_t n, room;
    struct bytes first; /* the line "From ", without its line end; p is NULL: none */
};

enum head_line { HEAD_FIELD, HEAD_MORE, HEAD_FROM, HEAD_END, HEAD_BODY };

/* What a line (without its line end) is; before: what the line before it was, HEAD_END at first.
 * HEAD_END: the head is over, and the line belongs to nothing; HEAD_BODY: it is the body's. */
enum head_line head_line(const char *s, size_t len, enum head_line before);
/* Bytes of the head that s begins with, without the empty line; *body: where the body begins. */
size_t head_length(const char *s, size_t len, size_t *body);
/* Bits of a field by this name. */
uint32_t head_flags(const char *name, size_t len);

void head_init(struct head *h, struct arena *a);
/* Appends the fields of s, which has to be a head: what is beyond is left out.  False: too much. */
bool head_read(struct head *h, const char *s, size_t len);
/* A field at place i <= h->n; its flags are those of its name.  Others move. */
struct field *head_insert(struct head *h, size_t i, struct bytes name, struct bytes value);
struct field *head_add(struct head *h, struct bytes name, struct bytes value);
void head_remove(struct head *h, size_t i);
/* The first one by this name from place `from` on; h->n: none. */
size_t head_find(const struct head *h, const char *name, size_t from);
bool field_is(const struct field *f, const char *name);
/* Nothing but blanks. */
bool field_is_empty(const struct field *f);
void head_write(const struct head *h, struct buf *out);

/* As an envelope keeps it: flags (hexadecimal, behind "?" what is in `only`), name and text by
 * turns.  False where these are no such list. */
struct texts head_store(const struct head *h, struct arena *a);
bool head_load(struct head *h, struct texts stored);
/* The list with the id in its place. */
struct texts head_set_id(struct arena *a, struct texts stored, struct bytes id);
/* Bytes that the stored head counts as in SIZE= of a message from the queue: names, colons, texts,
 * and the letters of the configuration's "?flags?"; line ends do not count, nor do fields without a
 * text by then. */
uint64_t head_size(struct texts stored);

#endif
