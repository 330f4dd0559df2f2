#include "compiler/vocabulary.h"

#include <ctype.h>
#include <string.h>

static bool number(const char **p, const char *end, size_t *n)
{
    const char *from = *p;
    for (*n = 0; *p < end && isdigit((unsigned char)**p); ++*p)
        if (*n < ((size_t)1 << 24))
            *n = *n * 10 + (size_t)(**p - '0');
    return *p > from;
}

/* "T4,10\nnametextoftext\n"; between them lines of other forms. */
bool vocabulary_next(const char **p, const char *end, struct vocabulary_entry *e)
{
    while (*p < end) {
        const char *from = *p, *q = from + 1;
        const char *eol = memchr(from, '\n', (size_t)(end - from));
        if (!eol)
            break;
        *p = eol + 1;
        if (!strchr("TFCQD", *from) || !number(&q, eol, &e->name_len) || q == eol || *q++ != ',' ||
            !number(&q, eol, &e->text_len))
            continue;
        e->name = eol + 1;
        if (e->name_len > (size_t)(end - e->name) ||
            e->text_len > (size_t)(end - e->name) - e->name_len)
            break;
        e->kind = *from;
        e->bytes = from;
        e->text = e->name + e->name_len;
        *p = e->text + e->text_len;
        *p += *p < end; /* the line end behind it */
        e->len = (size_t)(*p - from);
        return true;
    }
    *p = end;
    return false;
}
