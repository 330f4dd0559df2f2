#include "lib/model/class_scan.h"

#include <ctype.h>
#include <string.h>

struct input {
    const char *s, *end;
};

static void skip_blanks(struct input *in)
{
    while (in->s < in->end && isspace((unsigned char)*in->s))
        in->s++;
}

/* The bytes of "[^a-z]" behind its '['; gives what follows its ']', or the end of the format. */
static const char *read_set(const char *f, bool set[256])
{
    bool others = *f == '^';

    f += others;
    memset(set, others, 256);
    for (bool first = true; *f && (first || *f != ']'); first = false, f++) {
        unsigned char from = (unsigned char)*f, to = from;
        if (f[1] == '-' && f[2] && f[2] != ']' && (unsigned char)f[2] >= from) {
            to = (unsigned char)f[2];
            f += 2;
        }
        for (unsigned c = from; c <= to; c++)
            set[c] = !others;
    }
    return f + (*f == ']');
}

/* Takes up to width bytes of the set. */
static size_t take(struct input *in, const bool set[256], size_t width)
{
    const char *begin = in->s;

    while (in->s < in->end && (size_t)(in->s - begin) < width && set[(unsigned char)*in->s])
        in->s++;
    return (size_t)(in->s - begin);
}

/* One conversion, behind its '%'.  False: nothing fits it.  *f goes on behind it. */
static bool convert(const char **f, struct input *in, bool *kept, const char **text, size_t *n)
{
    const char *p = *f;
    size_t width = 0;
    bool set[256];

    *kept = *p != '*';
    p += *p == '*';
    while (isdigit((unsigned char)*p)) {
        if (width < 1000000)
            width = width * 10 + (size_t)(*p - '0');
        p++;
    }
    while (*p && strchr("hlLq", *p))
        p++;
    switch (*p) {
    case 's':
        skip_blanks(in);
        for (int c = 0; c < 256; c++)
            set[c] = !isspace(c);
        p++;
        break;
    case 'c':
        memset(set, true, sizeof set);
        width = width ? width : 1;
        p++;
        break;
    case '[':
        p = read_set(p + 1, set);
        break;
    default:
        return false;
    }
    *f = p;
    *text = in->s;
    *n = take(in, set, width ? width : (size_t)-1);
    return *n > 0;
}

bool class_scan(const char *format, const char *line, size_t len, const char **text, size_t *n)
{
    struct input in = {line, line + len};
    bool kept = false;

    for (const char *f = *format ? format : "%s"; *f;) {
        if (isspace((unsigned char)*f)) {
            skip_blanks(&in);
            f++;
        } else if (*f == '%' && f[1] != '%') {
            f++;
            if (!convert(&f, &in, &kept, text, n))
                return false;
            if (kept)
                return true;
        } else {
            f += *f == '%';
            if (in.s == in.end || *in.s != *f)
                return false;
            in.s++;
            f++;
        }
    }
    return false;
}
