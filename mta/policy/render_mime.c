#include "mta/policy/render_mime.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

/* MaxMimeHeaderLength, where it is not set; of both, 0: no limit. */
enum { WHOLE_USUAL = 2048, PARAMETER_USUAL = 1024 };

struct limits {
    size_t whole, parameter;
};

/* "200/100"; the second is half of the first where it is not said. */
static struct limits limits_of(const struct program *p)
{
    const char *option = program_option(p, "MaxMimeHeaderLength");
    struct limits l = {WHOLE_USUAL, PARAMETER_USUAL};
    char *end;

    if (!option)
        return l;
    long whole = strtol(option, &end, 10);
    long parameter = *end == '/' ? strtol(end + 1, NULL, 10) : whole / 2;
    l.whole = whole > 0 ? (size_t)whole : 0;
    l.parameter = parameter > 0 ? (size_t)parameter : 0;
    return l;
}

static bool in_class(const struct program *p, const char *cls, struct bytes name)
{
    uint32_t id = names_find(&p->names, cls, strlen(cls));

    return id && program_in_class(p, id, name.p, name.len);
}

/* What is open at a place of a field's text: a quote or comments (RFC 5322 3.2). */
struct inside {
    bool quoted, escaped;
    size_t comments;
};

static void step(struct inside *in, char c)
{
    if (in->escaped)
        in->escaped = false;
    else if (c == '\\')
        in->escaped = true;
    else if (in->comments == 0 && c == '"')
        in->quoted = !in->quoted;
    else if (!in->quoted && c == '(')
        in->comments++;
    else if (!in->quoted && c == ')')
        in->comments -= in->comments > 0;
}

/* s, or as much of it as fits into limit bytes with what closes it. */
static void add_shortened(struct buf *out, const char *s, size_t len, size_t limit)
{
    struct inside in = {0}, kept = {0};
    size_t n = 0;

    if (limit == 0 || len <= limit) {
        buf_add(out, s, len);
        return;
    }
    for (size_t i = 0; i < limit; i++) {
        step(&in, s[i]);
        if (i + 1 + in.quoted + in.comments <= limit && !in.escaped) {
            n = i + 1;
            kept = in;
        }
    }
    buf_add(out, s, n);
    if (kept.quoted)
        buf_addc(out, '"');
    for (; kept.comments > 0; kept.comments--)
        buf_addc(out, ')');
}

static size_t parameter_length(const char *s, size_t len)
{
    struct inside in = {0};
    size_t n = 0;

    for (; n < len && (s[n] != ';' || in.quoted || in.comments > 0); n++)
        step(&in, s[n]);
    return n;
}

static struct bytes with_short_parameters(struct arena *a, struct bytes v, size_t limit)
{
    struct buf out;

    buf_init(&out, a);
    for (size_t at = 0, n; at < v.len; at += n) {
        n = parameter_length(v.p + at, v.len - at);
        add_shortened(&out, v.p + at, n, limit + 1);
        if (at + n < v.len) {
            buf_addc(&out, ';');
            n++;
        }
    }
    return (struct bytes){out.data, out.len};
}

struct bytes render_mime(struct rewrite *r, struct arena *a, struct bytes name, struct bytes value)
{
    const struct program *p = rewrite_program(r);
    struct limits l = limits_of(p);
    struct buf out;

    /* One byte more is for the blank before it. */
    if (l.whole > 0 && value.len > l.whole + 1 && in_class(p, "checkMIMETextHeaders", name))
        return (struct bytes){value.p, l.whole};
    if (l.parameter > 0 && value.len > l.parameter + 1 &&
        in_class(p, "checkMIMEFieldHeaders", name))
        value = with_short_parameters(a, value, l.parameter);
    if (l.whole == 0 || value.len <= l.whole + 1 || !in_class(p, "checkMIMEHeaders", name))
        return value;
    buf_init(&out, a);
    add_shortened(&out, value.p, value.len, l.whole + 1);
    return (struct bytes){out.data, out.len};
}
