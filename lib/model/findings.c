#include "lib/model/findings.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

static const struct finding_info table[] = {
#define FINDING(name, id, severity, text, reason, example, fix)                                    \
    {id, FINDING_##severity, text, reason, example, fix},
#include "lib/model/findings.def"
#undef FINDING
};

enum { VALUES_MAX = 9 };

const struct finding_info *finding_info(enum finding_id id)
{
    return &table[id];
}

/* The text with its values; NULL if it comes to nothing. */
static const char *filled(struct arena *a, const char *text, const char *const *values, size_t n)
{
    struct buf b;
    buf_init(&b, a);
    for (const char *p = text; *p; p++) {
        if (*p == '%' && p[1] >= '1' && p[1] <= '9') {
            size_t i = (size_t)(*++p - '1');
            if (i < n)
                buf_adds(&b, values[i]);
        } else {
            buf_addc(&b, *p);
        }
    }
    return b.len ? b.data : NULL;
}

char *finding_readable(struct arena *a, const char *text)
{
    static const char letters[] = "XYZUVWABC";
    struct buf b;
    buf_init(&b, a);
    for (const char *p = text; *p; p++) {
        if (*p != '%' || p[1] < '1' || p[1] > '9') {
            buf_addc(&b, *p);
            continue;
        }
        p++;
        if (b.len && islower((unsigned char)b.data[b.len - 1]))
            buf_adds(&b, "(s)"); /* the ending of a word */
        else
            buf_addc(&b, letters[*p - '1']);
    }
    return b.data;
}

char *finding_shape(struct arena *a, enum finding_id id)
{
    const struct finding_info *row = &table[id];
    bool words = strcmp(row->text, "%1") != 0 || !*row->reason;
    char *s = finding_readable(a, words ? row->text : row->reason);
    size_t n = strlen(s);
    if (n && s[n - 1] == '.')
        s[n - 1] = '\0';
    return s;
}

struct finding *finding_add(struct diag *d, enum finding_id id, struct origin at, ...)
{
    const struct finding_info *row = &table[id];
    const char *values[VALUES_MAX], *v;
    size_t n = 0;
    va_list ap;
    va_start(ap, at);
    while ((v = va_arg(ap, const char *)) != NULL)
        if (n < VALUES_MAX)
            values[n++] = v;
    va_end(ap);

    enum diag_severity severity = row->severity == FINDING_NOTE       ? DIAG_NOTE
                                  : row->severity == FINDING_WARNING  ? DIAG_WARNING
                                  : row->severity == FINDING_SURVIVES ? diag_survivable(d)
                                                                      : DIAG_ERROR;
    struct arena *a = diag_arena(d);
    const char *text = filled(a, row->text, values, n), *hint = filled(a, row->fix, values, n);
    struct finding *f = diag_add(d, severity, row->id, at, "%s", text ? text : "");
    if (hint)
        diag_hint(d, f, "%s", hint);
    return f;
}

bool finding_suggest(struct diag *d, struct finding *f, struct origin at, const char *word,
                     const char *const *names, size_t n)
{
    bool sure;
    const char *near = diag_nearest(word, names, n, &sure);
    if (!near)
        return false;
    diag_hint(d, f, "did you mean %s?", near);
    if (sure && at.col && at.len == strlen(word))
        diag_edit(d, f, at, near);
    return true;
}
