#include "mta/codec.h"

enum { COUNT_BYTES = 4, NUMBER_BYTES = 8 };

static void put_big_endian(struct buf *out, uint64_t n, int bytes)
{
    while (bytes-- > 0)
        buf_addc(out, (char)(n >> 8 * bytes & 0xff));
}

void put_NUMBER(struct buf *out, uint64_t n)
{
    put_big_endian(out, n, NUMBER_BYTES);
}

void put_length(struct buf *out, uint32_t n)
{
    put_big_endian(out, n, COUNT_BYTES);
}

void put_TEXT(struct buf *out, struct bytes b)
{
    put_length(out, (uint32_t)b.len);
    buf_add(out, b.p ? b.p : "", b.len);
}

void put_LIST(struct buf *out, struct texts t)
{
    put_length(out, (uint32_t)t.n);
    for (size_t i = 0; i < t.n; i++)
        put_TEXT(out, t.v[i]);
}

static uint64_t take_big_endian(struct reader *r, size_t bytes)
{
    uint64_t n = 0;

    if (r->bad || (size_t)(r->end - r->p) < bytes) {
        r->bad = true;
        return 0;
    }
    while (bytes-- > 0)
        n = n << 8 | (unsigned char)*r->p++;
    return n;
}

uint64_t take_NUMBER(struct reader *r)
{
    return take_big_endian(r, NUMBER_BYTES);
}

uint32_t take_count(struct reader *r, size_t least)
{
    uint64_t n = take_big_endian(r, COUNT_BYTES);

    if (n > (size_t)(r->end - r->p) / least)
        r->bad = true;
    return r->bad ? 0 : (uint32_t)n;
}

struct bytes take_TEXT(struct reader *r)
{
    struct bytes b = {"", take_count(r, 1)};

    if (!r->bad) {
        b.p = r->p;
        r->p += b.len;
    }
    return b;
}

struct texts take_LIST(struct reader *r)
{
    uint32_t n = take_count(r, COUNT_BYTES);
    struct bytes *v = n ? arena_calloc(r->arena, n, sizeof *v) : NULL;

    for (uint32_t i = 0; i < n; i++)
        v[i] = take_TEXT(r);
    return (struct texts){v, r->bad ? 0 : n};
}

bool take_end(const struct reader *r)
{
    return !r->bad && r->p == r->end;
}
