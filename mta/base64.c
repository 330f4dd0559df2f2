#include "mta/base64.h"

#include <stdint.h>
#include <string.h>

enum { BITS = 6 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_value(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Bytes of the group, which may end with one or two '='; 0: it is none. */
static size_t decode_group(const char *s, char out[BASE64_BYTES])
{
    size_t n = s[3] != '=' ? 3 : s[2] != '=' ? 2 : 1;
    uint32_t bits = 0;

    for (size_t i = 0; i < BASE64_GROUP; i++) {
        int v = i > n ? 0 : base64_value(s[i]);
        if (v < 0)
            return 0;
        bits = bits << BITS | (uint32_t)v;
    }
    for (size_t i = 0; i < BASE64_BYTES; i++)
        out[i] = (char)(bits >> (16 - 8 * i) & 0xff);
    return n;
}

bool base64_decode(struct bytes text, struct buf *out)
{
    size_t before = out->len;

    for (size_t at = 0; at < text.len; at += BASE64_GROUP) {
        char bytes[BASE64_BYTES];
        size_t n = text.len - at < BASE64_GROUP ? 0 : decode_group(text.p + at, bytes);
        if (n == 0 || (n < BASE64_BYTES && at + BASE64_GROUP < text.len)) {
            buf_truncate(out, before);
            return false;
        }
        buf_add(out, bytes, n);
    }
    return true;
}

void base64_group(const char *bytes, size_t n, char out[BASE64_GROUP])
{
    uint32_t bits = 0;

    for (size_t i = 0; i < BASE64_BYTES; i++)
        bits = bits << 8 | (i < n ? (unsigned char)bytes[i] : 0);
    for (size_t i = 0; i < BASE64_GROUP; i++)
        out[i] = i > n ? '=' : digits[bits >> (18 - BITS * i) & 63];
}

void base64_encode(struct bytes b, struct buf *out)
{
    for (size_t at = 0; at < b.len; at += BASE64_BYTES) {
        char group[BASE64_GROUP];
        base64_group(b.p + at, b.len - at < BASE64_BYTES ? b.len - at : BASE64_BYTES, group);
        buf_add(out, group, sizeof group);
    }
}
