#include "mta/message/head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* --- lines -------------------------------------------------------------------------------- */

/* Length of the field's name that the line begins with; 0: it is no field.  *value: where its
 * value begins. */
static size_t name_length(const char *s, size_t len, size_t *value)
{
    size_t n = 0;

    while (n < len && s[n] > ' ' && s[n] < 0x7f && s[n] != ':')
        n++;
    size_t colon = n;
    while (colon < len && is_blank(s[colon]))
        colon++;
    if (n == 0 || colon == len || s[colon] != ':')
        return 0;
    *value = colon + 1;
    return n;
}

uint32_t head_flags(const char *name, size_t len)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } headers[] = {
#define HEADER(name, bits) {name, bits},
#include "mta/headers.def"
    };

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (strlen(headers[i].name) == len && strncasecmp(headers[i].name, name, len) == 0)
            return headers[i].bits;
    }
    return FIELD_ANY;
}

enum head_line head_line(const char *s, size_t len, enum head_line before)
{
    static const char from[] = "From ";
    size_t value;

    if (len == 0)
        return HEAD_END;
    if (is_blank(*s))
        return before == HEAD_FIELD || before == HEAD_MORE ? HEAD_MORE : HEAD_BODY;
    if (before == HEAD_END && len >= sizeof from - 1 && memcmp(s, from, sizeof from - 1) == 0)
        return HEAD_FROM;
    size_t n = name_length(s, len, &value);
    return n > 0 && !(head_flags(s, n) & FIELD_ENDS_HEAD) ? HEAD_FIELD : HEAD_BODY;
}

static size_t line_length(const char *s, size_t len)
{
    const char *end = memchr(s, '\n', len);

    return end ? (size_t)(end - s) : len;
}

size_t head_length(const char *s, size_t len, size_t *body)
{
    enum head_line before = HEAD_END;
    size_t at = 0;

    while (at < len) {
        size_t n = line_length(s + at, len - at);
        before = head_line(s + at, n, before);
        if (before == HEAD_END || before == HEAD_BODY) {
            *body = at + (before == HEAD_END ? n + (at + n < len) : 0);
            return at;
        }
        at += n + (at + n < len);
    }
    *body = len;
    return len;
}

/* --- fields ------------------------------------------------------------------------------- */

void head_init(struct head *h, struct arena *a)
{
    *h = (struct head){.arena = a};
}

struct field *head_insert(struct head *h, size_t i, struct bytes name, struct bytes value)
{
    h->v = arena_grow(h->arena, h->v, h->n, &h->room, sizeof *h->v, 32);
    memmove(h->v + i + 1, h->v + i, (h->n - i) * sizeof *h->v);
    h->n++;
    h->v[i] = (struct field){head_flags(name.p, name.len), name, value, {NULL, 0}};
    return &h->v[i];
}

struct field *head_add(struct head *h, struct bytes name, struct bytes value)
{
    return head_insert(h, h->n, name, value);
}

void head_remove(struct head *h, size_t i)
{
    h->n--;
    memmove(h->v + i, h->v + i + 1, (h->n - i) * sizeof *h->v);
}

bool field_is(const struct field *f, const char *name)
{
    return strlen(name) == f->name.len && strncasecmp(name, f->name.p, f->name.len) == 0;
}

bool field_is_empty(const struct field *f)
{
    for (size_t i = 0; i < f->value.len; i++) {
        if (!is_blank(f->value.p[i]) && f->value.p[i] != '\n')
            return false;
    }
    return true;
}

size_t head_find(const struct head *h, const char *name, size_t from)
{
    while (from < h->n && !field_is(&h->v[from], name))
        from++;
    return from;
}

static struct bytes without_nuls(struct arena *a, const char *s, size_t len)
{
    if (!memchr(s, '\0', len))
        return (struct bytes){s, len};
    char *out = arena_raw(a, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '\0')
            out[n++] = s[i];
    }
    return (struct bytes){out, n};
}

bool head_read(struct head *h, const char *s, size_t len)
{
    struct bytes text = len > 0 ? without_nuls(h->arena, s, len) : (struct bytes){"", 0};
    enum head_line before = HEAD_END;
    size_t next;

    for (size_t at = 0; at < text.len; at = next) {
        const char *line = text.p + at;
        size_t value, n = line_length(line, text.len - at);
        next = at + n + (at + n < text.len);
        before = head_line(line, n, before);
        if (before == HEAD_END || before == HEAD_BODY)
            break;
        if (next > HEAD_BYTES_MAX || h->n == HEAD_FIELDS_MAX)
            return false;
        if (before == HEAD_FROM) {
            h->first = (struct bytes){line, n};
        } else if (before == HEAD_MORE) {
            struct bytes *v = &h->v[h->n - 1].value;
            v->len = (size_t)(line + n - v->p);
        } else {
            size_t name = name_length(line, n, &value);
            head_add(h, (struct bytes){line, name}, (struct bytes){line + value, n - value});
        }
    }
    return true;
}

void head_write(const struct head *h, struct buf *out)
{
    if (h->first.p) {
        buf_add(out, h->first.p, h->first.len);
        buf_addc(out, '\n');
    }
    for (size_t i = 0; i < h->n; i++) {
        buf_add(out, h->v[i].name.p, h->v[i].name.len);
        buf_addc(out, ':');
        buf_add(out, h->v[i].value.p, h->v[i].value.len);
        buf_addc(out, '\n');
    }
}

/* --- as an envelope keeps it -------------------------------------------------------------- */

struct texts head_store(const struct head *h, struct arena *a)
{
    struct bytes *v = arena_calloc(a, h->n * 3 + 1, sizeof *v);

    for (size_t i = 0; i < h->n; i++) {
        const struct field *f = &h->v[i];
        const char *flags = f->only.p
                                ? arena_printf(a, "%x?%.*s", f->flags, (int)f->only.len, f->only.p)
                                : arena_printf(a, "%x", f->flags);
        v[i * 3] = (struct bytes){flags, strlen(flags)};
        v[i * 3 + 1] = f->name;
        v[i * 3 + 2] = f->value;
    }
    return (struct texts){v, h->n * 3};
}

/* Hexadecimal digits, and what is behind a "?". */
static bool read_flags(struct bytes b, struct field *f)
{
    size_t i = 0;

    f->flags = 0;
    for (; i < b.len && b.p[i] != '?'; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *d = b.p[i] ? strchr(digits, b.p[i]) : NULL;
        if (!d || i == 8)
            return false;
        f->flags = f->flags << 4 | (uint32_t)(d - digits);
    }
    f->only = i < b.len ? (struct bytes){b.p + i + 1, b.len - i - 1} : (struct bytes){NULL, 0};
    return i > 0;
}

bool head_load(struct head *h, struct texts stored)
{
    if (stored.n % 3 != 0 || stored.n / 3 > 2 * (size_t)HEAD_FIELDS_MAX)
        return false;
    for (size_t i = 0; i + 2 < stored.n; i += 3) {
        if (!read_flags(stored.v[i], head_add(h, stored.v[i + 1], stored.v[i + 2])))
            return false;
    }
    return true;
}

static struct bytes with_id(struct arena *a, struct bytes text, struct bytes id)
{
    static const size_t mark = sizeof HEAD_ID - 1;
    struct buf out;
    const char *at;

    buf_init(&out, a);
    while (text.len > 0 && (at = memmem(text.p, text.len, HEAD_ID, mark))) {
        size_t n = (size_t)(at - text.p);
        buf_add(&out, text.p, n);
        buf_add(&out, id.p, id.len);
        text = (struct bytes){at + mark, text.len - n - mark};
    }
    buf_add(&out, text.p, text.len);
    return (struct bytes){out.data, out.len};
}

struct texts head_set_id(struct arena *a, struct texts stored, struct bytes id)
{
    struct bytes *v = arena_calloc(a, stored.n + 1, sizeof *v);
    struct field f;

    for (size_t i = 0; i < stored.n; i++)
        v[i] = stored.v[i];
    for (size_t i = 0; i + 2 < stored.n; i += 3) {
        if (!read_flags(stored.v[i], &f) || !(f.flags & FIELD_HAS_ID))
            continue;
        v[i + 2] = with_id(a, stored.v[i + 2], id);
        uint32_t left = f.flags & ~(uint32_t)FIELD_HAS_ID;
        char *flags = f.only.p ? arena_printf(a, "%x?%.*s", left, (int)f.only.len, f.only.p)
                               : arena_printf(a, "%x", left);
        v[i] = (struct bytes){flags, strlen(flags)};
    }
    return (struct texts){v, stored.n};
}

/* Of one that is made when it is delivered, the path alone has a text by then. */
static bool has_text(const struct field *f)
{
    return !(f->flags & FIELD_LATE) || f->flags & FIELD_RETURN_PATH;
}

uint64_t head_size(struct texts stored)
{
    uint64_t n = 0;

    for (size_t i = 0; i + 2 < stored.n; i += 3) {
        struct field f = {.name = stored.v[i + 1], .value = stored.v[i + 2]};
        if (!read_flags(stored.v[i], &f) || !has_text(&f))
            continue;
        n += f.name.len + strlen(":") + f.value.len;
        n += f.flags & FIELD_LATE ? strlen(" ") : 0;
        n += f.flags & FIELD_DEFAULT ? f.only.len : 0;
    }
    return n;
}
