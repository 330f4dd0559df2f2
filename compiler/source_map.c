#include "compiler/source_map.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

static const char magic[] = "mcf-map 1";

enum { FIELDS = 5, TEXT_MAX = 60 };

static unsigned long long hash(const char *bytes, size_t len)
{
    unsigned long long h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return h;
}

/* --- writing ------------------------------------------------------------------------------ */

static void add_field(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\t')
            buf_adds(out, "\\t");
        else if (s[i] == '\n')
            buf_adds(out, "\\n");
        else if (s[i] == '\\')
            buf_adds(out, "\\\\");
        else
            buf_addc(out, s[i]);
    }
}

/* The directive at its place: to its end if that is known, else to the end of the line or a dnl. */
static void add_cause_text(struct buf *out, const struct source_set *sources, struct origin at)
{
    const struct source *src = source_by_id(sources, at.file);
    size_t len = 0, begin = at.col > 0 ? at.col - 1 : 0;
    const char *line = src ? source_line(src, at.line, &len) : NULL;

    if (!line || begin >= len)
        return;
    line += begin;
    len -= begin;
    if (at.len > 0 && at.len < len) {
        len = at.len;
    } else {
        const char *dnl = memmem(line, len, "dnl", 3);

        if (dnl && dnl > line)
            len = (size_t)(dnl - line);
    }
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    add_field(out, line, len > TEXT_MAX ? TEXT_MAX : len);
    if (len > TEXT_MAX)
        buf_adds(out, "...");
}

static bool same_place(struct origin a, struct origin b)
{
    return a.file == b.file && a.line == b.line;
}

/* Lines of the .cf that one entry can tell. */
struct run {
    size_t first, last;
    enum item_kind kind;
    struct origin at, cause;
    size_t step; /* what the origin's line rises by with each line */
};

static void add_run(struct buf *out, const struct config *c, const struct run *r)
{
    const struct source *src = source_by_id(c->sources, r->at.file);
    const struct source *cause = source_by_id(c->sources, r->cause.file);

    if (r->first == 0 || (!src && !cause))
        return;
    buf_printf(out, "%zu", r->first);
    if (r->last > r->first)
        buf_printf(out, "-%zu", r->last);
    buf_printf(out, "\t%s\t", item_label(r->kind));
    if (src) {
        add_field(out, src->path, strlen(src->path));
        buf_printf(out, ":%u", r->at.line);
        if (r->step > 0 && r->last > r->first)
            buf_printf(out, "-%zu", r->at.line + (r->last - r->first));
    }
    buf_addc(out, '\t');
    if (cause && !same_place(r->at, r->cause)) {
        add_field(out, cause->path, strlen(cause->path));
        buf_printf(out, ":%u\t", r->cause.line);
        add_cause_text(out, c->sources, r->cause);
    } else {
        buf_addc(out, '\t');
    }
    buf_addc(out, '\n');
}

void source_map_write(struct buf *out, const struct config *c, const char *path, const char *cf,
                      size_t cf_len)
{
    struct run run = {0};
    size_t line = 1;

    buf_printf(out, "%s\ncf\t%zu\t%016llx\t", magic, cf_len, hash(cf, cf_len));
    add_field(out, path, strlen(path));
    buf_addc(out, '\n');
    for (const struct item *it = c->first; it; it = it->next) {
        size_t last = line;

        for (const char *s = it->text; (s = strchr(s, '\n')); s++)
            last++;
        if (run.first > 0 && run.kind == it->kind && same_place(run.cause, it->cause) &&
            run.at.file == it->at.file && last == line) {
            size_t length = run.last - run.first;

            if (run.step == 0 && it->at.line == run.at.line) {
                run.last = line++;
                continue;
            }
            if ((run.step == 1 || length == 0) && it->at.line == run.at.line + length + 1) {
                run.step = 1;
                run.last = line++;
                continue;
            }
        }
        add_run(out, c, &run);
        run = (struct run){line, last, it->kind, it->at, it->cause, 0};
        line = last + 1;
    }
    add_run(out, c, &run);
}

/* --- reading ------------------------------------------------------------------------------ */

/* The number at *s, moved behind it; false when there is none or it is too large. */
static bool number(const char **s, size_t *value)
{
    size_t v = 0;
    const char *p = *s;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (v > (SIZE_MAX - 9) / 10)
            return false;
        v = v * 10 + (size_t)(*p - '0');
    }
    if (p == *s)
        return false;
    *s = p;
    *value = v;
    return true;
}

/* N or N-M; all of s. */
static bool number_range(const char *s, size_t *first, size_t *last, bool *is_range)
{
    if (!number(&s, first))
        return false;
    *last = *first;
    *is_range = *s == '-';
    if (*is_range) {
        s++;
        if (!number(&s, last))
            return false;
    }
    return *s == '\0' && *first > 0 && *last >= *first;
}

/* PATH:N or PATH:N-M, or nothing. */
static bool place(struct arena *a, const char *field, const char **path, size_t *line, size_t *last,
                  bool *is_range)
{
    const char *colon = strrchr(field, ':');

    *path = "";
    *is_range = false;
    *line = *last = 0;
    if (!field[0])
        return true;
    if (!colon || colon == field || !number_range(colon + 1, line, last, is_range))
        return false;
    *path = arena_strndup(a, field, (size_t)(colon - field));
    return true;
}

/* Splits a line at tabs; how many fields there are, FIELDS + 1 for too many. */
static size_t split(struct arena *a, const char *line, size_t len, const char *fields[FIELDS])
{
    size_t n = 0;
    struct buf b;

    buf_init(&b, a);
    for (size_t i = 0; i <= len; i++) {
        if (i == len || line[i] == '\t') {
            if (n == FIELDS)
                return n + 1;
            fields[n++] = arena_strndup(a, b.data, b.len);
            buf_truncate(&b, 0);
        } else if (line[i] == '\\' && i + 1 < len) {
            i++;
            char c = line[i];
            if (c == 't')
                c = '\t';
            else if (c == 'n')
                c = '\n';
            buf_addc(&b, c);
        } else {
            buf_addc(&b, line[i]);
        }
    }
    return n;
}

static bool read_header(struct source_map *m, const char *const fields[FIELDS], size_t n)
{
    const char *size = fields[1], *digits = fields[2];

    if (n != 4 || strcmp(fields[0], "cf") != 0 || !number(&size, &m->cf_size) || *size ||
        strlen(digits) != 16 || strspn(digits, "0123456789abcdef") != 16)
        return false;
    for (; *digits; digits++)
        m->cf_hash =
            m->cf_hash << 4 | (unsigned)(*digits <= '9' ? *digits - '0' : *digits - 'a' + 10);
    m->cf_path = fields[3];
    return true;
}

static bool read_entry(struct arena *a, struct source_map *m, const char *const fields[FIELDS],
                       size_t n)
{
    struct source_map_entry e = {0};
    size_t last_at, last_cause;
    bool range;

    if (n != FIELDS || !number_range(fields[0], &e.first, &e.last, &range) ||
        !place(a, fields[2], &e.path, &e.line, &last_at, &e.in_step) ||
        !place(a, fields[3], &e.cause_path, &e.cause_line, &last_cause, &range) || range ||
        (e.in_step && last_at - e.line != e.last - e.first))
        return false;
    if (m->count > 0 && m->entries[m->count - 1].last >= e.first)
        return false;
    e.kind = fields[1];
    e.cause_text = fields[4];
    m->entries[m->count++] = e;
    return true;
}

struct source_map *source_map_read(struct arena *a, const char *text, size_t len, const char **why)
{
    struct source_map *m = arena_alloc(a, sizeof *m);
    size_t lines = 0, n = 0;
    const char *end = text + len;

    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    m->entries = arena_calloc(a, lines + 1, sizeof *m->entries);
    for (const char *s = text; s < end;) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));
        size_t length = eol ? (size_t)(eol - s) : (size_t)(end - s);
        const char *fields[FIELDS] = {"", "", "", "", ""};

        n++;
        if (n == 1) {
            if (length != sizeof magic - 1 || memcmp(s, magic, length) != 0) {
                *why = "its first line is not \"mcf-map 1\"";
                return NULL;
            }
        } else {
            size_t count = split(a, s, length, fields);

            if (!eol ||
                !(n == 2 ? read_header(m, fields, count) : read_entry(a, m, fields, count))) {
                *why = arena_printf(a, "line %zu is broken", n);
                return NULL;
            }
        }
        s += length + (eol != NULL);
    }
    if (n < 2) {
        *why = n == 0 ? "it is empty" : "it ends after its first line";
        return NULL;
    }
    return m;
}

bool source_map_fits(const struct source_map *m, const char *cf, size_t cf_len)
{
    return m->cf_size == cf_len && m->cf_hash == hash(cf, cf_len);
}

const struct source_map_entry *source_map_find(const struct source_map *m, size_t line)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->entries[middle].last < line)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->count && m->entries[low].first <= line ? &m->entries[low] : NULL;
}
