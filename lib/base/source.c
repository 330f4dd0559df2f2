#include "lib/base/source.h"

#include <errno.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/base/table.h"

/* No configuration is larger; an endless file (/dev/zero) must not take all memory. */
enum { SOURCE_MAX = 64 * 1024 * 1024 };

struct entry {
    struct source pub; /* first: a source is its entry */
    int err;           /* why it has no bytes, 0 = never tried */
};

struct source_set {
    struct arena *arena;
    struct table *by_path;
    const char *folder; /* NULL: files are read wherever they are */
};

struct source_set *source_set_new(struct arena *a)
{
    struct source_set *s = arena_alloc(a, sizeof *s);
    s->arena = a;
    s->by_path = table_new(a);
    return s;
}

void source_set_confine(struct source_set *s, const char *folder)
{
    s->folder = folder;
}

static struct entry *entry_for(struct source_set *s, const char *path)
{
    struct entry *e = table_get(s->by_path, path);
    if (!e) {
        e = arena_alloc(s->arena, sizeof *e);
        table_set(s->by_path, path, e);
        e->pub.id = (uint32_t)table_count(s->by_path);
        e->pub.path = arena_strdup(s->arena, path);
    }
    return e;
}

/* Takes bytes over; they are in the set's arena and end in NUL. */
static void fill(struct source_set *s, struct source *src, const char *bytes, size_t len)
{
    src->bytes = bytes;
    src->len = len;
    size_t lines = len && bytes[len - 1] != '\n';
    for (size_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    size_t *start = arena_calloc(s->arena, lines ? lines : 1, sizeof *start);
    size_t line = 1;
    for (size_t i = 0; i + 1 < len; i++) {
        if (bytes[i] == '\n')
            start[line++] = i + 1;
    }
    src->line_start = start;
    src->lines = lines;
}

struct source *source_add(struct source_set *s, const char *path, const char *bytes, size_t len)
{
    struct entry *e = entry_for(s, path);
    if (!e->pub.bytes && bytes)
        fill(s, &e->pub, arena_strndup(s->arena, bytes, len), len);
    return &e->pub;
}

struct source *source_open(struct source_set *s, const char *path, int *err)
{
    struct entry *e = entry_for(s, path);
    if (!e->pub.bytes && !e->err) {
        char *bytes;
        size_t len;
        e->err = s->folder ? fs_read_below(s->arena, s->folder, path, SOURCE_MAX, &bytes, &len)
                           : fs_read(s->arena, path, SOURCE_MAX, &bytes, &len);
        if (!e->err)
            fill(s, &e->pub, bytes, len);
    }
    if (err)
        *err = e->pub.bytes ? 0 : e->err;
    return &e->pub;
}

struct source *source_variant(struct source_set *s, const struct source *of, const char *bytes,
                              size_t len)
{
    struct source *v = arena_alloc(s->arena, sizeof *v);
    *v = *of;
    fill(s, v, arena_strndup(s->arena, bytes, len), len);
    return v;
}

struct source *source_find(const struct source_set *s, const char *path)
{
    struct entry *e = table_get(s->by_path, path);
    return e ? &e->pub : NULL;
}

struct source *source_by_id(const struct source_set *s, uint32_t id)
{
    if (id == 0 || id > table_count(s->by_path))
        return NULL;
    struct entry *e = table_at(s->by_path, id - 1)->value; /* ids follow insertion order */
    return &e->pub;
}

size_t source_count(const struct source_set *s)
{
    return table_count(s->by_path);
}

static uint32_t clamp32(size_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

struct origin source_origin(const struct source *src, size_t off, size_t len)
{
    struct origin o = {.file = src->id, .len = clamp32(len)};
    if (!src->bytes)
        return o;
    if (off > src->len)
        off = src->len;
    if (off == src->len && (off == 0 || src->bytes[off - 1] == '\n')) {
        o.line = clamp32(src->lines + 1); /* after the last line end */
        o.col = 1;
        return o;
    }
    size_t lo = 0, hi = src->lines; /* line_start[lo] <= off < line_start[hi] */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (src->line_start[mid] <= off)
            lo = mid;
        else
            hi = mid;
    }
    o.line = clamp32(lo + 1);
    o.col = clamp32(off - src->line_start[lo] + 1);
    return o;
}

const char *source_line(const struct source *src, uint32_t line, size_t *len)
{
    if (line == 0 || line > src->lines)
        return NULL;
    size_t from = src->line_start[line - 1];
    size_t to = line < src->lines ? src->line_start[line] : src->len;
    if (to > from && src->bytes[to - 1] == '\n') {
        to--;
        if (to > from && src->bytes[to - 1] == '\r')
            to--;
    }
    *len = to - from;
    return src->bytes + from;
}

size_t source_offset(const struct source *src, uint32_t line, uint32_t col)
{
    if (line == 0)
        return 0;
    if (line > src->lines)
        return src->len;
    size_t off = src->line_start[line - 1] + (col ? col - 1 : 0);
    return off > src->len ? src->len : off;
}

size_t source_character(const char *s, size_t left)
{
    unsigned char c = left ? (unsigned char)s[0] : 0xff, second;
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
    if (n < 3)
        return n;
    /* Overlong forms, surrogates and what is beyond U+10FFFF. */
    second = (unsigned char)s[1];
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
        (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
        return 0;
    return n;
}

bool source_in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Does the word that begins or ends here go on outside of it? */
static bool apart(const struct source *src, size_t off, size_t len)
{
    const char *s = src->bytes;
    if (off > 0 && source_in_word(s[off]) && source_in_word(s[off - 1]))
        return false;
    return off + len >= src->len || !source_in_word(s[off + len - 1]) ||
           !source_in_word(s[off + len]);
}

struct origin source_place_in(const struct source *src, struct origin at, const char *text,
                              size_t text_len, size_t off, size_t len)
{
    size_t line_len;
    const char *line = src && at.line ? source_line(src, at.line, &line_len) : NULL;
    if (!line)
        return at;
    size_t col = at.col ? at.col - 1 : 0;
    if (col <= line_len && text_len <= line_len - col && memcmp(line + col, text, text_len) == 0)
        return source_origin(src, (size_t)(line - src->bytes) + col + off, len);
    if (len == 0)
        return at;
    size_t from = source_offset(src, at.line, at.col ? at.col : 1);
    size_t end = at.len ? from + at.len : (size_t)(line - src->bytes) + line_len;
    size_t found = 0, count = 0;
    for (size_t i = from; i + len <= end && i + len <= src->len; i++)
        if (memcmp(src->bytes + i, text + off, len) == 0 && apart(src, i, len)) {
            found = i;
            count++;
        }
    return count == 1 ? source_origin(src, found, len) : at;
}
