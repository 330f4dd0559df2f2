#include "compiler/fix.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

/* An edit that will be made, of a file as this run read it. */
struct change {
    struct fix_file *file;
    size_t off, len, seq;
    const char *text;
};

struct changes {
    struct change *v; /* by file and offset */
    size_t n, room;
};

void fix_init(struct fix *f, struct arena *a, const char *path, const char *confine)
{
    *f = (struct fix){.arena = a, .path = path, .confine = confine};
    buf_init(&f->said, a);
}

bool fix_changed(const struct fix *f)
{
    for (const struct fix_file *x = f->files; x; x = x->next)
        if (x->changed)
            return true;
    return false;
}

static bool may_change(const struct fix *f, const char *path)
{
    if (f->confine && !fs_is_below(path, f->confine))
        return false;
    return strcmp(path, f->path) == 0 || fs_is_below(path, fs_dirname(f->arena, f->path));
}

const struct fix_file *fix_find(const struct fix *f, const char *path)
{
    for (const struct fix_file *x = f->files; x; x = x->next)
        if (strcmp(x->path, path) == 0)
            return x;
    return NULL;
}

/* The file of a source; NULL where it must not be changed (any more). */
static struct fix_file *file_of(struct fix *f, const struct source *s)
{
    struct fix_file *x = f->files;
    while (x && strcmp(x->path, s->path) != 0)
        x = x->next;
    if (x)
        /* m4 has read what is on the disk, and the places are those of that text. */
        return strcmp(s->path, f->path) == 0 || !x->changed || x->written ? x : NULL;
    if (!s->bytes || !may_change(f, s->path))
        return NULL;
    x = arena_alloc(f->arena, sizeof *x);
    x->path = arena_strdup(f->arena, s->path);
    x->before = x->text = s->bytes;
    x->before_len = x->len = s->len;
    x->written = true;
    x->next = f->files;
    f->files = x;
    return x;
}

static bool whole_lines(const struct change *c)
{
    size_t n = strlen(c->text);
    return c->len == 0 && n > 0 && c->text[n - 1] == '\n' &&
           (c->off == 0 || c->file->text[c->off - 1] == '\n');
}

/* Whether both can be made. */
static bool apart(const struct change *a, const struct change *b)
{
    if (a->file != b->file)
        return true;
    if (a->off == b->off && a->len == 0 && b->len == 0)
        return whole_lines(a) && whole_lines(b) && strcmp(a->text, b->text) != 0;
    return a->off + a->len <= b->off || b->off + b->len <= a->off;
}

static int order(const struct change *a, const struct change *b)
{
    if (a->file != b->file)
        return (uintptr_t)a->file < (uintptr_t)b->file ? -1 : 1;
    if (a->off != b->off)
        return a->off < b->off ? -1 : 1;
    if ((a->len == 0) != (b->len == 0))
        return a->len == 0 ? -1 : 1; /* an insertion goes before what stands there */
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Where c goes. */
static size_t find(const struct changes *l, const struct change *c)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (order(&l->v[mid], c) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Whether c can be made beside those that are in the list, none of which overlap. */
static bool fits(const struct changes *l, const struct change *c)
{
    size_t at = find(l, c);
    for (size_t i = at; i-- > 0;) {
        if (!apart(&l->v[i], c))
            return false;
        if (l->v[i].file != c->file || l->v[i].off + l->v[i].len < c->off)
            break;
    }
    for (size_t i = at; i < l->n; i++) {
        if (!apart(&l->v[i], c))
            return false;
        if (l->v[i].file != c->file || l->v[i].off > c->off + c->len)
            break;
    }
    return true;
}

static void insert(struct arena *a, struct changes *l, const struct change *c)
{
    l->v = arena_grow(a, l->v, l->n, &l->room, sizeof *l->v, 32);
    size_t at = find(l, c);
    memmove(&l->v[at + 1], &l->v[at], (l->n - at) * sizeof *l->v);
    l->v[at] = *c;
    l->n++;
}

static void take_back(struct changes *l, size_t seq)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].seq != seq)
            l->v[n++] = l->v[i];
    l->n = n;
}

/* Takes all edits of the finding, or none. */
static bool take(struct fix *f, struct changes *l, struct source_set *sources,
                 const struct finding *x, size_t seq)
{
    for (const struct edit *e = x->edits; e; e = e->next) {
        const struct source *s = source_by_id(sources, e->at.file);
        struct change c = {.text = e->text, .len = e->at.len, .seq = seq};
        if (!s || e->at.line == 0 || e->at.col == 0 || !(c.file = file_of(f, s)) ||
            (c.off = source_offset(s, e->at.line, e->at.col), c.len > c.file->len - c.off) ||
            !fits(l, &c)) {
            take_back(l, seq);
            return false;
        }
        insert(f->arena, l, &c);
    }
    return true;
}

/* Whether lines of the text end in CRLF where off is. */
static bool crlf_at(const char *text, size_t len, size_t off)
{
    const char *nl = off < len ? memchr(text + off, '\n', len - off) : NULL;
    if (!nl)
        nl = off > 0 ? memrchr(text, '\n', off) : NULL;
    return nl && nl > text && nl[-1] == '\r';
}

static void add(struct buf *b, const char *text, bool crlf)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\n' && crlf && (p == text || p[-1] != '\r'))
            buf_addc(b, '\r');
        buf_addc(b, *p);
    }
}

/* Makes the changes v[0..n), which are all of one file. */
static void make(struct arena *a, struct fix_file *file, const struct change *v, size_t n)
{
    struct buf b;
    buf_init(&b, a);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        buf_add(&b, file->text + at, v[i].off - at);
        add(&b, v[i].text, crlf_at(file->text, file->len, v[i].off));
        at = v[i].off + v[i].len;
    }
    buf_add(&b, file->text + at, file->len - at);
    file->text = b.data;
    file->len = b.len;
    file->written = false;
    file->changed =
        file->len != file->before_len || memcmp(file->text, file->before, file->len) != 0;
}

size_t fix_apply(struct fix *f, struct diag *d, struct source_set *sources)
{
    struct changes l = {.n = 0};
    size_t n, mended = 0;
    const struct finding *const *sorted = diag_sorted(d, &n);
    for (size_t i = 0; i < n; i++) {
        const struct finding *x = sorted[i];
        if (!x->edits || !take(f, &l, sources, x, i))
            continue;
        mended++;
        const struct source *s = source_by_id(sources, x->at.file);
        if (s)
            buf_printf(&f->said, "%s:%u: mended: %s [%s]\n", s->path, x->at.line, x->text, x->id);
    }
    for (size_t from = 0, to = 0; from < l.n; from = to) {
        while (to < l.n && l.v[to].file == l.v[from].file)
            to++;
        make(f->arena, l.v[from].file, &l.v[from], to - from);
    }
    return mended;
}

int fix_write(struct fix *f, bool main, const char **path)
{
    for (struct fix_file *x = f->files; x; x = x->next) {
        if (x->written || (!main && strcmp(x->path, f->path) == 0))
            continue;
        *path = x->path;
        int err = fs_write_whole(x->path, x->text, x->len, 0644);
        if (err)
            return err;
        x->written = true;
    }
    return 0;
}
