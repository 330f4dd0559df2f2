#include "lib/base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

/* Lines of a finding's file whose other findings follow from it. */
struct followers {
    struct finding *cause;
    uint32_t first, last;
    struct followers *next;
};

struct diag {
    struct arena *arena;
    struct source_set *sources;
    struct finding **all;
    size_t count;
    size_t cap;
    size_t added;
    struct followers *followers;
    bool werror;
    bool lax;
};

struct diag *diag_new(struct arena *a, struct source_set *sources)
{
    struct diag *d = arena_alloc(a, sizeof *d);
    d->arena = a;
    d->sources = sources;
    return d;
}

/* Texts hold pieces of the input: what would break the line or steer a terminal is replaced. */
static const char *one_line(char *s)
{
    for (char *p = s; *p; p++) {
        if (*p == '\n' || *p == '\t')
            *p = ' ';
        else if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    }
    return s;
}

static void be_as_severe(struct finding *cause, const struct finding *f)
{
    if (cause->severity < f->severity)
        cause->severity = f->severity;
}

/* The finding that one at a place only follows from; NULL if there is none. */
static struct finding *cause_of(const struct diag *d, struct origin at)
{
    for (const struct followers *x = d->followers; x && at.file && at.line; x = x->next)
        if (x->cause->at.file == at.file && at.line >= x->first && at.line <= x->last)
            return x->cause;
    return NULL;
}

void diag_follows(struct diag *d, struct finding *cause, uint32_t first, uint32_t last)
{
    bool has_it = false;
    for (size_t i = 0; i < d->count && !has_it; i++)
        has_it = d->all[i] == cause;
    /* What was not kept itself is no cause: what it follows from is. */
    struct finding *root = has_it ? NULL : cause_of(d, cause->at);
    cause = root ? root : cause;
    struct followers *x = arena_alloc(d->arena, sizeof *x);
    *x = (struct followers){.cause = cause, .first = first, .last = last, .next = d->followers};
    d->followers = x;
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        struct finding *f = d->all[i];
        if (f != cause && f->at.file == cause->at.file && f->at.col == 0 && f->at.line >= first &&
            f->at.line <= last && f->at.line > 0)
            be_as_severe(cause, f);
        else
            d->all[kept++] = f;
    }
    d->count = kept;
}

struct finding *diag_add(struct diag *d, enum diag_severity sev, const char *id, struct origin at,
                         const char *fmt, ...)
{
    d->all = arena_grow(d->arena, d->all, d->count, &d->cap, sizeof *d->all, 16);
    struct finding *f = arena_alloc(d->arena, sizeof *f);
    f->severity = d->werror && sev == DIAG_WARNING ? DIAG_ERROR : sev;
    f->id = arena_strdup(d->arena, id);
    va_list ap;
    va_start(ap, fmt);
    f->text = one_line(arena_vprintf(d->arena, fmt, ap));
    va_end(ap);
    f->at = at;
    f->seq = d->added++;
    struct finding *cause = cause_of(d, at);
    if (!cause)
        d->all[d->count++] = f;
    else
        be_as_severe(cause, f);
    return f;
}

void diag_hint(struct diag *d, struct finding *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    f->hint = one_line(arena_vprintf(d->arena, fmt, ap));
    va_end(ap);
}

void diag_edit(struct diag *d, struct finding *f, struct origin at, const char *text)
{
    struct edit *e = arena_alloc(d->arena, sizeof *e), **last = &f->edits;
    e->at = at;
    e->text = arena_strdup(d->arena, text);
    while (*last)
        last = &(*last)->next;
    *last = e;
}

struct arena *diag_arena(struct diag *d)
{
    return d->arena;
}

void diag_lax(struct diag *d)
{
    d->lax = true;
}

enum diag_severity diag_survivable(const struct diag *d)
{
    return d->lax ? DIAG_WARNING : DIAG_ERROR;
}

size_t diag_count(const struct diag *d, enum diag_severity at_least)
{
    size_t n = 0;
    for (size_t i = 0; i < d->count; i++)
        n += d->all[i]->severity >= at_least;
    return n;
}

static int order(const void *pa, const void *pb)
{
    const struct finding *a = *(const struct finding *const *)pa;
    const struct finding *b = *(const struct finding *const *)pb;
    if (a->at.file != b->at.file) {
        if (a->at.file == 0 || b->at.file == 0)
            return a->at.file == 0 ? 1 : -1;
        return a->at.file < b->at.file ? -1 : 1;
    }
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line ? -1 : 1;
    if (a->at.col != b->at.col)
        return a->at.col < b->at.col ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static bool is_within(struct origin inner, struct origin outer)
{
    return inner.file == outer.file && inner.line == outer.line && inner.col >= outer.col &&
           inner.col + inner.len <= outer.col + outer.len;
}

/* Does another say the same of a part of its place?  Who reads a line and who looks at the whole
 * may both say it. */
static bool is_said_closer(const struct finding *const *all, size_t n, size_t i)
{
    for (size_t k = i + 1; k < n && all[k]->at.line == all[i]->at.line; k++) {
        if (!all[i]->edits && strcmp(all[k]->id, all[i]->id) == 0 &&
            strcmp(all[k]->text, all[i]->text) == 0 && all[k]->at.len < all[i]->at.len &&
            is_within(all[k]->at, all[i]->at))
            return true;
    }
    return false;
}

const struct finding *const *diag_sorted(struct diag *d, size_t *n)
{
    const struct finding **sorted = arena_calloc(d->arena, d->count, sizeof *sorted);
    for (size_t i = 0; i < d->count; i++)
        sorted[i] = d->all[i];
    if (d->count)
        qsort(sorted, d->count, sizeof *sorted, order);
    *n = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (!is_said_closer(sorted, d->count, i))
            sorted[(*n)++] = sorted[i];
    }
    return sorted;
}

void diag_werror(struct diag *d)
{
    d->werror = true;
    for (size_t i = 0; i < d->count; i++) {
        if (d->all[i]->severity == DIAG_WARNING)
            d->all[i]->severity = DIAG_ERROR;
    }
}

/* A byte that is no UTF-8 counts as one character. */
static size_t char_len(const char *s, size_t left)
{
    size_t n = source_character(s, left);
    return n ? n : 1;
}

static void put_visible(FILE *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool control = (unsigned char)s[i] < ' ' || s[i] == 0x7f;
        fputc(control && s[i] != '\t' ? '?' : s[i], out);
    }
}

struct colours {
    const char *strong, *severity[3], *caret, *off;
};

static void put_path(FILE *out, const char *path)
{
    put_visible(out, path, strlen(path));
}

/* Of a longer line only the part around the column is shown. */
enum { EXCERPT_MAX = 300, EXCERPT_BEFORE = 100, FINDINGS_MAX = 200 };

static void put_excerpt(FILE *out, const struct source *src, struct origin at,
                        const struct colours *c)
{
    size_t len;
    const char *line = source_line(src, at.line, &len);
    if (!line)
        return;
    size_t from = at.col > 0 && at.col - 1 < len ? at.col - 1 : at.col > 0 ? len : 0;
    size_t to = at.len < len - from ? from + at.len : len;
    size_t start = 0, end = len;
    if (len > EXCERPT_MAX) {
        start = from > EXCERPT_BEFORE ? from - EXCERPT_BEFORE : 0;
        /* Not in the middle of a UTF-8 character. */
        while (start > 0 && ((unsigned char)line[start] & 0xC0) == 0x80)
            start--;
        end = len - start > EXCERPT_MAX ? start + EXCERPT_MAX : len;
        while (end < len && ((unsigned char)line[end] & 0xC0) == 0x80)
            end++;
        to = to < end ? to : end;
    }
    fputs(start > 0 ? "  ..." : "  ", out);
    put_visible(out, line + start, end - start);
    fputs(end < len ? "...\n" : "\n", out);
    if (at.col == 0)
        return;
    fputs(start > 0 ? "     " : "  ", out);
    size_t pos = start;
    while (pos < from) {
        size_t n = char_len(line + pos, len - pos);
        if (pos + n > from)
            break; /* the column is inside this character */
        fputc(line[pos] == '\t' ? '\t' : ' ', out);
        pos += n;
    }
    fputs(c->caret, out);
    fputc('^', out);
    if (pos < len)
        pos += char_len(line + pos, len - pos);
    for (; pos < to; pos += char_len(line + pos, len - pos))
        fputc('~', out);
    fprintf(out, "%s\n", c->off);
}

/* One step of the include trail a line; a file that includes itself ends it. */
static void put_trail(FILE *out, const struct diag *d, const struct source *src)
{
    size_t left = source_count(d->sources);
    struct origin from = src->included_from;
    while (from.file != 0 && left-- > 0) {
        src = source_by_id(d->sources, from.file);
        if (!src)
            return;
        fputs("  included from ", out);
        put_path(out, src->path);
        if (from.line)
            fprintf(out, ":%u", from.line);
        fputc('\n', out);
        from = src->included_from;
    }
}

static void put_finding(FILE *out, const struct diag *d, const struct finding *f,
                        const struct colours *c)
{
    static const char *const names[] = {"note", "warning", "error"};
    const struct source *src = source_by_id(d->sources, f->at.file);
    fputs(c->strong, out);
    if (src) {
        put_path(out, src->path);
        if (f->at.line) {
            fprintf(out, ":%u", f->at.line);
            if (f->at.col)
                fprintf(out, ":%u", f->at.col);
        }
    } else {
        fputs("mcf", out);
    }
    fprintf(out, ":%s %s%s:%s %s [%s]\n", c->off, c->severity[f->severity], names[f->severity],
            c->off, f->text, f->id);
    if (src)
        put_excerpt(out, src, f->at, c);
    if (f->in_expansion_of) {
        fputs("  in the expansion of ", out);
        put_path(out, f->in_expansion_of);
        fputc('\n', out);
    }
    if (f->hint)
        fprintf(out, "  hint: %s\n", f->hint);
    if (src)
        put_trail(out, d, src);
}

void diag_print(struct diag *d, FILE *out, bool colour)
{
    static const struct colours none = {"", {"", "", ""}, "", ""};
    static const struct colours ansi = {
        "\033[1m", {"\033[1;36m", "\033[1;35m", "\033[1;31m"}, "\033[1;32m", "\033[0m"};
    size_t n;
    const struct finding *const *sorted = diag_sorted(d, &n);
    /* However much else is said: what stopped the run must be seen. */
    size_t errors = diag_count(d, DIAG_ERROR);
    errors = errors < FINDINGS_MAX ? errors : FINDINGS_MAX;
    size_t others = FINDINGS_MAX - errors;
    for (size_t i = 0; i < n && errors + others > 0; i++) {
        size_t *left = sorted[i]->severity == DIAG_ERROR ? &errors : &others;
        if (*left == 0)
            continue;
        (*left)--;
        put_finding(out, d, sorted[i], colour ? &ansi : &none);
    }
    if (n > FINDINGS_MAX)
        fprintf(out, "mcf: note: and %zu more findings [more]\n", n - FINDINGS_MAX);
}

enum { NEAREST_MAX = 64 }; /* longer words are not typing errors */

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    return c;
}

static size_t min2(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours from a to b; both lengths are at most
 * NEAREST_MAX. */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= blen; j++)
        above[j] = j;
    for (size_t i = 1; i <= alen; i++) {
        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            size_t cost = lower(a[i - 1]) != lower(b[j - 1]);
            row[j] = min2(above[j - 1] + cost, min2(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = min2(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[blen];
}

/* The letters of a word, as bits. */
static uint32_t letters(const char *s)
{
    uint32_t set = 0;
    for (; *s; s++)
        set |= (uint32_t)1 << (lower(*s) & 31);
    return set;
}

/* An edit brings in one letter at most. */
static bool has_more(uint32_t a, uint32_t b, size_t limit)
{
    size_t n = 0;
    for (uint32_t more = a & ~b; more; more &= more - 1)
        n++;
    return n > limit;
}

const char *diag_nearest(const char *word, const char *const *names, size_t n, bool *sure)
{
    size_t len = strlen(word);
    const char *nearest = NULL;
    size_t limit = len / 3 > 1 ? min2(len / 3, 3) : 1, least = limit + 1;
    bool others = false;
    uint32_t own = letters(word);
    for (size_t i = 0; len <= NEAREST_MAX && i < n; i++) {
        size_t nlen = strlen(names[i]);
        if (nlen > NEAREST_MAX || nlen > len + limit || len > nlen + limit)
            continue;
        uint32_t theirs = letters(names[i]);
        if (has_more(theirs, own, limit) || has_more(own, theirs, limit))
            continue;
        size_t dist = distance(word, len, names[i], nlen);
        /* A word of which nothing is left is not near: "a" is no "b". */
        if (dist > limit || dist >= len)
            continue;
        if (dist < least) {
            nearest = names[i];
            others = false;
            least = limit = dist;
        } else if (strcmp(nearest, names[i]) != 0) {
            others = true;
        }
    }
    if (sure)
        *sure = nearest && !others && least <= (len >= 8 ? 2u : 1u);
    return nearest;
}
