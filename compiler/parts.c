#include "compiler/parts.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/vocabulary.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/source.h"

/* --- names ----------------------------------------------------------------------------------- */

/* Where the names begin that begin with a byte, and one further, those with the next. */
struct parts_index {
    unsigned short parts[257], values[257];
};

static void fill(struct parts_index *x)
{
    size_t p = 0, v = 0;
    for (unsigned c = 0; c < 257; c++) {
        while (p < library_nparts && (unsigned char)*library_parts[p].name < c)
            p++;
        while (v < library_nvalues && (unsigned char)*library_values[v].name < c)
            v++;
        x->parts[c] = (unsigned short)p;
        x->values[c] = (unsigned short)v;
    }
}

/* Some bytes, and whether they are the name: before, the same, or behind it. */
static int compare(const struct parts_text *t, const char *name)
{
    int order = strncmp(t->bytes, name, t->len);
    return order ? order : name[t->len] ? -1 : 0;
}

static int by_part(const void *text, const void *part)
{
    return compare(text, ((const struct part *)part)->name);
}

static int by_value(const void *text, const void *value)
{
    return compare(text, ((const struct part_value *)value)->name);
}

/* len > 0 */
static const struct part *find_part(const struct parts_index *x, const char *name, size_t len)
{
    const struct parts_text t = {name, len};
    const unsigned short *range = &x->parts[(unsigned char)*name];
    return bsearch(&t, library_parts + range[0], (size_t)(range[1] - range[0]),
                   sizeof *library_parts, by_part);
}

static const struct part_value *find_value(const struct parts_index *x, const char *name,
                                           size_t len)
{
    const struct parts_text t = {name, len};
    const unsigned short *range = &x->values[(unsigned char)*name];
    return bsearch(&t, library_values + range[0], (size_t)(range[1] - range[0]),
                   sizeof *library_values, by_value);
}

/* --- the choice ------------------------------------------------------------------------------ */

static void give(bool *given, const unsigned short *calls)
{
    for (; *calls != PARTS_END; calls++)
        if (!given[*calls]) {
            given[*calls] = true;
            give(given, library_parts[*calls].calls);
        }
}

static void give_part(bool *given, const struct part *p)
{
    if (p && !given[p - library_parts]) {
        given[p - library_parts] = true;
        give(given, p->calls);
    }
}

static bool in_system(char c) /* such as bsd4.4 or a-ux */
{
    return source_in_word(c) || c == '.' || c == '-';
}

static void find_words(const struct parts_index *x, const struct parts_text *t, bool *given,
                       bool *wanted)
{
    const char *p = t->bytes, *end = p + t->len;
    while (p < end) {
        const char *from = p, *q;
        while (p < end && source_in_word(*p))
            p++;
        for (q = p; q < end && in_system(*q);)
            q++;
        if (p > from) {
            const struct part_value *v = find_value(x, from, (size_t)(p - from));
            if (v)
                wanted[v - library_values] = true;
            give_part(given, find_part(x, from, (size_t)(p - from)));
            if (q > p)
                give_part(given, find_part(x, from, (size_t)(q - from)));
        }
        p += p == from;
    }
}

/* The macro that answers for the names, as m4 freezes it. */
static void add_answers(struct buf *b, struct arena *a, const char *const *asked)
{
    static const char name[] = "_mcf_values";
    struct buf text;
    buf_init(&text, a);
    buf_adds(&text, "dnl\n");
    for (; *asked; asked++) {
        buf_adds(&text, "`" VOCABULARY_KEY "='");
        buf_adds(&text, *asked);
        buf_addc(&text, '\n');
    }
    buf_adds(&text, "`" VOCABULARY_KEY " !'");
    buf_printf(b, "T%zu,%zu\n%s", strlen(name), text.len, name);
    buf_add(b, text.data, text.len);
    buf_addc(b, '\n');
}

const struct parts *parts_whole(struct arena *a)
{
    struct parts *p = arena_alloc(a, sizeof *p);
    const char **asked = arena_calloc(a, library_nvalues + 1, sizeof *asked);
    for (size_t i = 0; i < library_nvalues; i++)
        asked[i] = library_values[i].name;
    *p = (struct parts){.state = {vocabulary_frozen, vocabulary_frozen_len}, .asked = asked};
    return p;
}

const struct parts *parts_of(struct arena *a, const struct parts_text *texts, size_t n)
{
    struct parts *p = arena_alloc(a, sizeof *p);
    bool *given = arena_calloc(a, library_nparts, sizeof *given);
    bool *wanted = arena_calloc(a, library_nvalues, sizeof *wanted);
    const char **asked = arena_calloc(a, library_nvalues + 1, sizeof *asked);
    struct parts_index *x = arena_alloc(a, sizeof *x);
    fill(x);
    give(given, library_calls);
    for (size_t i = 0; i < n; i++)
        find_words(x, &texts[i], given, wanted);
    for (size_t i = 0; i < library_nparts; i++)
        for (const unsigned short *v = library_parts[i].names; given[i] && *v != PARTS_END; v++)
            wanted[*v] = true;
    size_t k = 0;
    for (size_t i = 0; i < library_nvalues; i++) {
        const struct part_value *v = &library_values[i];
        wanted[i] = wanted[i] || v->always;
        if (wanted[i])
            asked[k++] = v->name;
    }

    struct buf b;
    buf_init(&b, a);
    buf_reserve(&b, vocabulary_frozen_len);
    buf_add(&b, vocabulary_frozen, library_core);
    for (size_t i = 0; i < library_nparts; i++)
        if (given[i])
            buf_add(&b, vocabulary_frozen + library_parts[i].at, library_parts[i].len);
    add_answers(&b, a, asked);
    buf_add(&b, vocabulary_frozen + library_answers_end,
            vocabulary_frozen_len - library_answers_end);
    *p = (struct parts){{b.data, b.len}, asked, given, wanted, x};
    return p;
}

bool parts_lack(const struct parts *p, const char *name)
{
    if (!p->given || !*name)
        return false;
    const struct part *part = find_part(p->index, name, strlen(name));
    const struct part_value *value = find_value(p->index, name, strlen(name));
    return (part && !p->given[part - library_parts]) ||
           (value && !p->wanted[value - library_values]);
}
