#include "lib/maps/pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { TOO_MANY = PATTERN_PARTS + 1, COUNT_MAX = 100000 };

struct reading {
    const char *at;
    bool basic;
};

static uint32_t bounded(uint64_t n)
{
    return n < TOO_MANY ? (uint32_t)n : TOO_MANY;
}

/* What a character is: "\(" in a basic expression is "(" in an extended one. */
enum sign { END, OPEN, CLOSE, STAR, PLUS, COUNT, OR, SET, ATOM };

static enum sign sign_of(char c)
{
    switch (c) {
    case '(':
        return OPEN;
    case ')':
        return CLOSE;
    case '?':
        return STAR;
    case '+':
        return PLUS;
    case '{':
        return COUNT;
    case '|':
        return OR;
    default:
        return ATOM;
    }
}

static enum sign next_sign(struct reading *r)
{
    const char c = *r->at;

    if (!c)
        return END;
    r->at++;
    if (c == '*')
        return STAR;
    if (c == '[')
        return SET;
    if (c != '\\')
        return r->basic ? ATOM : sign_of(c);
    if (!*r->at)
        return ATOM;
    const char escaped = *r->at++;
    return r->basic ? sign_of(escaped) : ATOM;
}

/* Behind "[": up to its "]". */
static void skip_set(struct reading *r)
{
    r->at += *r->at == '^';
    r->at += *r->at == ']';
    for (; *r->at && *r->at != ']'; r->at++) {
        const char kind = r->at[1];
        if (*r->at != '[' || (kind != ':' && kind != '.' && kind != '='))
            continue;
        const char end[] = {kind, ']', '\0'};
        const char *close = strstr(r->at + 2, end);
        r->at = close ? close + 1 : r->at;
    }
    r->at += *r->at == ']';
}

static uint32_t number(struct reading *r)
{
    uint32_t n = 0;

    for (; isdigit((unsigned char)*r->at); r->at++)
        n = n < COUNT_MAX ? n * 10 + (uint32_t)(*r->at - '0') : n;
    return n;
}

/* Behind "{": how often it holds what stands before it. */
static uint32_t count(struct reading *r)
{
    uint32_t n = number(r);

    if (*r->at == ',') {
        r->at++;
        n = isdigit((unsigned char)*r->at) ? number(r) : n + 1;
    }
    r->at += r->basic && *r->at == '\\';
    r->at += *r->at == '}';
    return n > 0 ? n : 1;
}

/* Up to the end, or the parenthesis that closes it. */
static uint32_t parts(struct reading *r, unsigned depth)
{
    uint32_t all = 0, last = 0; /* of that, what a repetition would repeat */

    if (depth > PATTERN_DEPTH)
        return TOO_MANY;
    while (all < TOO_MANY) {
        uint32_t times = 1;
        switch (next_sign(r)) {
        case END:
            return all;
        case CLOSE:
            if (depth > 0)
                return all;
            last = 1;
            break;
        case OPEN:
            last = bounded(parts(r, depth + 1) + 1ULL);
            break;
        case SET:
            skip_set(r);
            last = 1;
            break;
        case PLUS: /* x+ is xx* */
            times = 2;
            break;
        case COUNT:
            times = count(r);
            break;
        case STAR:
            all = bounded(all + 1ULL);
            last = bounded(last + 1ULL);
            continue;
        case OR:
            all = bounded(all + 1ULL);
            last = 0;
            continue;
        default:
            last = 1;
            break;
        }
        if (times == 1) {
            all = bounded((uint64_t)all + last);
            continue;
        }
        all = bounded((uint64_t)all - last + (uint64_t)last * times + 1);
        last = bounded((uint64_t)last * times + 1);
    }
    return TOO_MANY;
}

bool pattern_is_small(const char *text, bool basic)
{
    struct reading r = {text, basic};

    return parts(&r, 0) < TOO_MANY;
}
