#include "mta/message/coded.h"

#include <ctype.h>

enum { CODE_DIGITS = 3, PART_DIGITS = 3 };

static size_t digits_of(struct bytes b, size_t from)
{
    size_t n = 0;

    while (from + n < b.len && isdigit((unsigned char)b.p[from + n]))
        n++;
    return n;
}

/* Bytes of the enhanced code that it begins with, a blank or the end behind it. */
static size_t enhanced_of(struct bytes b)
{
    size_t n = 1;

    if (b.len == 0 || (*b.p != '2' && *b.p != '4' && *b.p != '5'))
        return 0;
    for (int part = 0; part < 2; part++) {
        if (n >= b.len || b.p[n] != '.')
            return 0;
        const size_t digits = digits_of(b, n + 1);
        if (digits == 0 || digits > PART_DIGITS)
            return 0;
        n += 1 + digits;
    }
    return n == b.len || b.p[n] == ' ' ? n : 0;
}

/* Without its first n bytes, and one more. */
static struct bytes behind(struct bytes b, size_t n)
{
    n += n < b.len;
    return (struct bytes){b.p + n, b.len - n};
}

struct coded coded_text(struct bytes text)
{
    const size_t n = enhanced_of(text);
    struct coded c = {.enhanced = {text.p, n}, .text = text};

    if (n > 0)
        c.text = behind(text, n);
    return c;
}

struct coded coded_line(struct bytes line)
{
    if (digits_of(line, 0) != CODE_DIGITS ||
        (line.len > CODE_DIGITS && line.p[CODE_DIGITS] != ' ' && line.p[CODE_DIGITS] != '-'))
        return coded_text(line);
    struct coded c = coded_text(behind(line, CODE_DIGITS));
    c.code = (struct bytes){line.p, CODE_DIGITS};
    return c;
}
