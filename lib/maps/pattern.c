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
enum sign { END, OPEN, CLOSE, OPTION, STAR, PLUS, COUNT, OR, SET, ANCHOR, ATOM };

static enum sign sign_of(char c)
{
    switch (c) {
    case '(':
        return OPEN;
    case ')':
        return CLOSE;
    case '?':
        return OPTION;
    case '+':
        return PLUS;
    case '{':
        return COUNT;
    case '|':
        return OR;
    case '^':
    case '$':
        return ANCHOR;
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
    if (c == '^' || c == '$')
        return ANCHOR;
    if (c != '\\')
        return r->basic ? ATOM : sign_of(c);
    if (!*r->at)
        return ATOM;
    const char escaped = *r->at++;
    if (strchr("<>bB`'123456789", escaped)) /* GNU's, and what a group matched: may be empty */
        return ANCHOR;
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

struct count {
    uint32_t least, most;
    bool loops; /* there is no most: then it is one more than the least */
};

/* Behind "{": how often it holds what stands before it. */
static struct count count(struct reading *r)
{
    struct count n;

    n.least = n.most = number(r);
    n.loops = false;
    if (*r->at == ',') {
        r->at++;
        n.loops = !isdigit((unsigned char)*r->at);
        n.most = n.loops ? n.least + 1 : number(r);
    }
    r->at += r->basic && *r->at == '\\';
    r->at += *r->at == '}';
    return n;
}

/* A piece of an expression. */
struct piece {
    uint32_t size; /* parts that it becomes */
    uint32_t ways; /* in which it matches nothing */
};

static const struct piece too_large = {.size = TOO_MANY, .ways = 1};

static bool is_work(struct piece p)
{
    return p.ways > PATTERN_WAYS || (p.ways > 0 && p.size > PATTERN_EMPTY) ||
           (uint64_t)p.ways * p.size > PATTERN_WORK;
}

static struct piece one_behind_other(struct piece a, struct piece b)
{
    return (struct piece){bounded((uint64_t)a.size + b.size), bounded((uint64_t)a.ways * b.ways)};
}

/* n of them, of which the last may come again and again. */
static struct piece repeated(struct piece p, uint32_t n, bool loops)
{
    struct piece all = {.size = 1, .ways = 1};

    if (p.ways > 0 && loops && bounded((uint64_t)p.size * n) > PATTERN_LOOP)
        return too_large;
    all.size = bounded((uint64_t)p.size * n + 1);
    for (uint32_t i = 0; i < n && all.ways <= PATTERN_WAYS && p.ways != 1; i++)
        all.ways = bounded((uint64_t)all.ways * p.ways);
    if (p.ways > 0 && loops)
        all.ways = bounded((uint64_t)all.ways * (p.ways + 1ULL));
    return all;
}

/* Up to n of them, one within the other; or one again and again. */
static struct piece optional(struct piece p, uint32_t n)
{
    struct piece all = {.size = bounded((uint64_t)p.size * n + 1), .ways = 1};

    for (uint32_t i = 0; i < n && all.ways <= PATTERN_WAYS && p.ways > 0; i++)
        all.ways = bounded(1 + (uint64_t)all.ways * p.ways);
    return all;
}

/* Up to the end, or the parenthesis that closes it. */
static struct piece parts(struct reading *r, unsigned depth)
{
    struct piece whole = {0}, branch = {.ways = 1}, last = {.ways = 1};
    bool ended = false;

    if (depth > PATTERN_DEPTH)
        return too_large;
    /* last is not in the branch yet: a repetition would repeat it. */
    while (!ended) {
        if (whole.size + branch.size + last.size >= TOO_MANY || is_work(branch) || is_work(last))
            return too_large;
        const enum sign sign = next_sign(r);
        switch (sign) {
        case PLUS: /* x+ is xx* */
            last = repeated(last, 1, true);
            last.size = bounded(2ULL * last.size);
            continue;
        case COUNT: {
            const struct count n = count(r);
            last = n.least == 0 ? optional(last, n.most) : repeated(last, n.most, n.loops);
            continue;
        }
        case OPTION:
        case STAR:
            last = optional(last, 1);
            continue;
        default:
            break;
        }
        branch = one_behind_other(branch, last);
        if (last.ways == 0)
            branch.ways = 0;
        last = (struct piece){.size = 1};
        ended = sign == END || (sign == CLOSE && depth > 0);
        if (sign == OPEN) {
            last = parts(r, depth + 1);
            last.size = bounded(last.size + 1ULL);
        } else if (sign == SET) {
            skip_set(r);
        } else if (sign == ANCHOR) {
            last.ways = 1;
        } else if (sign == OR || ended) {
            whole.size = bounded((uint64_t)whole.size + branch.size + (sign == OR));
            whole.ways = bounded((uint64_t)whole.ways + branch.ways);
            branch = last = (struct piece){.ways = 1};
        }
    }
    return whole;
}

bool pattern_is_small(const char *text, bool basic)
{
    struct reading r = {text, basic};

    return parts(&r, 0).size < TOO_MANY;
}
