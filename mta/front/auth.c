#include "mta/front/auth.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { GROUP = 4, BYTES_OF_GROUP = 3, BITS = 6 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Bytes of the group, which may end with one or two '='; 0: it is none. */
static size_t decode_group(const char *s, char out[BYTES_OF_GROUP])
{
    size_t n = s[3] != '=' ? 3 : s[2] != '=' ? 2 : 1;
    uint32_t bits = 0;

    for (size_t i = 0; i < GROUP; i++) {
        int v = i > n ? 0 : value_of(s[i]);
        if (v < 0)
            return 0;
        bits = bits << BITS | (uint32_t)v;
    }
    for (size_t i = 0; i < BYTES_OF_GROUP; i++)
        out[i] = (char)(bits >> (16 - 8 * i) & 0xff);
    return n;
}

bool auth_decode(struct bytes text, struct buf *out)
{
    size_t before = out->len;

    for (size_t at = 0; at < text.len; at += GROUP) {
        char bytes[BYTES_OF_GROUP];
        size_t n = text.len - at < GROUP ? 0 : decode_group(text.p + at, bytes);
        if (n == 0 || (n < BYTES_OF_GROUP && at + GROUP < text.len)) {
            buf_truncate(out, before);
            return false;
        }
        buf_add(out, bytes, n);
    }
    return true;
}

void auth_encode(struct bytes b, struct buf *out)
{
    for (size_t at = 0; at < b.len; at += BYTES_OF_GROUP) {
        size_t n = b.len - at < BYTES_OF_GROUP ? b.len - at : BYTES_OF_GROUP;
        uint32_t bits = 0;
        for (size_t i = 0; i < BYTES_OF_GROUP; i++)
            bits = bits << 8 | (i < n ? (unsigned char)b.p[at + i] : 0);
        for (size_t i = 0; i < GROUP; i++)
            buf_addc(out, i > n ? '=' : digits[bits >> (18 - BITS * i) & 63]);
    }
}

bool auth_offers(const char *offer, struct bytes mechanism)
{
    const char *word = offer + strcspn(offer, " ");

    while (*word) {
        word++;
        size_t n = strcspn(word, " ");
        if (n == mechanism.len && n > 0 && strncasecmp(word, mechanism.p, n) == 0)
            return true;
        word += n;
    }
    return false;
}

void auth_split(struct bytes argument, struct bytes *mechanism, struct bytes *rest)
{
    const char *p = argument.p, *end = p + argument.len;

    while (p < end && *p != ' ' && *p != '\t')
        p++;
    *mechanism = (struct bytes){argument.p, (size_t)(p - argument.p)};
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    *rest = (struct bytes){p, (size_t)(end - p)};
}
