#include "grammar/mc.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

/* The source with the edits carried out. */
static void apply(struct arena *a, const struct source *src, struct mc_mended *m)
{
    struct buf b;
    size_t from = 0;
    buf_init(&b, a);
    for (const struct mc_edit *e = m->edits; e; e = e->next) {
        buf_add(&b, src->bytes + from, e->off - from);
        buf_adds(&b, e->text);
        from = e->off + e->len;
    }
    buf_add(&b, src->bytes + from, src->len - from);
    m->text = b.data;
    m->len = b.len;
}

struct mc_mended *mc_mend(struct arena *a, const struct mc_tree *t, struct diag *d)
{
    struct mc_mended *m = arena_alloc(a, sizeof *m);
    (void)d;
    m->edits = t->missing;
    m->text = t->source->bytes;
    m->len = t->source->len;
    if (m->edits)
        apply(a, t->source, m);
    return m;
}

size_t mc_unmend(const struct mc_mended *m, size_t off)
{
    size_t in = 0, out = 0; /* the same place before and after the edits so far */
    for (const struct mc_edit *e = m->edits; e; e = e->next) {
        size_t n = strlen(e->text), begin = out + (e->off - in);
        if (off < begin)
            break;
        if (off < begin + n) /* in what was put there */
            return e->off + (off - begin < e->len ? off - begin : e->len);
        in = e->off + e->len;
        out = begin + n;
    }
    return in + (off - out);
}
