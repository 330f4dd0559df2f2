/*
 * buf: a growable run of bytes in an arena.
 *
 * Invariants: data[len] is always NUL, so that data is a C string when no NUL
 * was put in; len counts bytes without that NUL.  Growing moves data: keep
 * offsets, not pointers.  The arena owns the bytes.
 */
#ifndef MCF_BASE_BUF_H
#define MCF_BASE_BUF_H

#include <stddef.h>

struct arena;

struct buf {
    struct arena *arena;
    char *data;
    size_t len;
    size_t cap;
};

void buf_init(struct buf *b, struct arena *a);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_reserve(struct buf *b, size_t more); /* so many bytes more will not move data */
void buf_truncate(struct buf *b, size_t len); /* len <= b->len, else no effect */

#endif
