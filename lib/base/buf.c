#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"

void buf_init(struct buf *b, struct arena *a)
{
    b->arena = a;
    b->len = 0;
    b->cap = 16;
    b->data = arena_alloc(a, b->cap);
}

/* Makes room for more bytes and the NUL after them. */
static void reserve(struct buf *b, size_t more)
{
    if (more < b->cap - b->len)
        return;
    size_t need;
    if (__builtin_add_overflow(b->len, more, &need) || need == SIZE_MAX)
        need = SIZE_MAX - 1; /* the arena refuses it */
    need++;
    size_t cap = b->cap > SIZE_MAX / 2 ? need : b->cap * 2;
    if (cap < need)
        cap = need;
    char *data = arena_raw(b->arena, cap);
    memcpy(data, b->data, b->len);
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (!len)
        return;
    /* The bytes may be the buffer's own: growing copies them but leaves the old ones in place. */
    reserve(b, len);
    memmove(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    reserve(b, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

void buf_reserve(struct buf *b, size_t more)
{
    reserve(b, more);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *s = arena_vprintf(b->arena, fmt, ap);
    va_end(ap);
    buf_adds(b, s);
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len > b->len)
        return;
    b->len = len;
    b->data[len] = '\0';
}
