/*
 * split: the frozen vocabulary as parts (compiler/parts.h), at build time.
 *
 *     split FROZEN WANTED OUT.m4f OUT.c
 *
 * FROZEN is the state that m4 made of the vocabulary, WANTED the part of the source that asks for
 * values.  OUT.m4f is the same state with its definitions in another order: what belongs to no
 * part, part after part, the macro that answers for the values; m4 does not mind.  OUT.c says where
 * they are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/parts.h"
#include "compiler/vocabulary.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/source.h"
#include "lib/base/table.h"

static const char ours[] = "_mcf_", answers[] = "_mcf_values";

struct piece {
    const char *name;
    struct buf bytes;
    struct table *calls, *names; /* of other pieces, of values */
};

struct split {
    struct arena *arena;
    struct table *values; /* every name that can be asked for */
    struct table *parts;  /* name -> struct piece */
    struct piece core, answers;
    struct buf rest; /* behind the last definition */
};

static void out_of_memory(void *ctx)
{
    (void)ctx;
    fputs("split: out of memory\n", stderr);
    exit(71);
}

static void init(struct split *s, struct piece *p, const char *name)
{
    p->name = name;
    buf_init(&p->bytes, s->arena);
    p->calls = table_new(s->arena);
    p->names = table_new(s->arena);
}

/* The values that the text names, or may put together, as in _MAILER_$1_; $_$? is no such name. */
static void find_names(const struct split *s, struct piece *to, const char *p, const char *end)
{
    while (p < end) {
        const char *from = p;
        while (p < end && source_in_word(*p))
            p++;
        if (p == from) {
            p++;
            continue;
        }
        char *word = arena_strndup(s->arena, from, (size_t)(p - from));
        bool begins = end - p > 1 && *p == '$' && p[1] >= '1' && p[1] <= '9' && p[-1] == '_' &&
                      strncmp(word, ours, strlen(ours)) != 0;
        if (table_has(s->values, word))
            table_set(to->names, word, word);
        for (size_t i = 0; begins && i < table_count(s->values); i++) {
            const char *name = table_at(s->values, i)->key;
            if (strncmp(name, word, strlen(word)) == 0)
                table_set(to->names, name, to);
        }
    }
}

/* What the text calls: FEATURE(`NAME') and the like. */
static void find_calls(const struct split *s, struct piece *to, const char *from, const char *end)
{
    for (const char *p = from; (p = memmem(p, (size_t)(end - p), "(`", 2)) != NULL; p++) {
        const char *quote = memchr(p, '\'', (size_t)(end - p));
        if (quote && p > from && p[-1] >= 'A' && p[-1] <= 'Z')
            table_set(to->calls, arena_strndup(s->arena, p + 2, (size_t)(quote - (p + 2))), to);
    }
}

static struct piece *piece_of(struct split *s, const struct vocabulary_entry *e)
{
    const char *dot = memchr(e->name, '.', e->name_len);
    if (e->name_len == strlen(answers) && memcmp(e->name, answers, e->name_len) == 0)
        return &s->answers;
    if (!dot || strncmp(e->name, ours, strlen(ours)) != 0)
        return &s->core;
    char *name = arena_strndup(s->arena, dot + 1, e->name_len - (size_t)(dot + 1 - e->name));
    struct piece *p = table_get(s->parts, name);
    if (!p) {
        p = arena_alloc(s->arena, sizeof *p);
        init(s, p, name);
        table_set(s->parts, name, p);
    }
    return p;
}

static void read_state(struct split *s, const char *p, const char *end)
{
    const char *from = p;
    struct vocabulary_entry e;
    while (vocabulary_next(&p, end, &e)) {
        struct piece *to = piece_of(s, &e);
        buf_add(&s->core.bytes, from, (size_t)(e.bytes - from)); /* lines of other forms */
        buf_add(&to->bytes, e.bytes, e.len);
        if (to != &s->answers && e.kind == 'T') {
            find_names(s, to, e.text, e.text + e.text_len);
            find_calls(s, to, e.text, e.text + e.text_len);
        }
        from = p;
    }
    buf_init(&s->rest, s->arena);
    buf_add(&s->rest, from, (size_t)(end - from));
}

static void read_wanted(struct split *s, const char *p, const char *end)
{
    static const char before[] = "`" VOCABULARY_KEY "='";
    s->values = table_new(s->arena);
    while ((p = memmem(p, (size_t)(end - p), before, strlen(before))) != NULL) {
        const char *from = p += strlen(before);
        while (p < end && source_in_word(*p))
            p++;
        table_set(s->values, arena_strndup(s->arena, from, (size_t)(p - from)), s);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted(struct split *s, const struct table *t)
{
    const char **v = arena_calloc(s->arena, table_count(t) + 1, sizeof *v);
    for (size_t i = 0; i < table_count(t); i++)
        v[i] = table_at(t, i)->key;
    qsort(v, table_count(t), sizeof *v, by_name);
    return v;
}

/* The places in all of those names that t has. */
static void write_list(FILE *f, const char *name, size_t n, const char *const *all,
                       const struct table *t)
{
    fprintf(f, "static const unsigned short %s%zu[] = {", name, n);
    for (size_t i = 0; all[i]; i++)
        if (table_has(t, all[i]))
            fprintf(f, "%zu, ", i);
    fputs("PARTS_END};\n", f);
}

static void write_tables(struct split *s, FILE *f)
{
    const char **parts = sorted(s, s->parts), **values = sorted(s, s->values);
    size_t n = 0, at = s->core.bytes.len;
    fputs("/* Made by split from the frozen vocabulary. */\n#include \"compiler/parts.h\"\n", f);
    for (; parts[n]; n++) {
        const struct piece *p = table_get(s->parts, parts[n]);
        write_list(f, "calls", n, parts, p->calls);
        write_list(f, "names", n, values, p->names);
    }
    write_list(f, "calls", n, parts, s->core.calls);
    fputs("const struct part library_parts[] = {\n", f);
    for (size_t i = 0; i < n; i++) {
        const struct piece *p = table_get(s->parts, parts[i]);
        fprintf(f, "    {\"%s\", %zu, %zu, calls%zu, names%zu},\n", parts[i], at, p->bytes.len, i,
                i);
        at += p->bytes.len;
    }
    fprintf(
        f,
        "};\nconst size_t library_nparts = %zu;\nconst size_t library_core = %zu;\n"
        "const unsigned short *const library_calls = calls%zu;\n"
        "const size_t library_answers_end = %zu;\nconst struct part_value library_values[] = {\n",
        n, s->core.bytes.len, n, at + s->answers.bytes.len);
    for (n = 0; values[n]; n++)
        fprintf(f, "    {\"%s\", %s},\n", values[n],
                table_has(s->core.names, values[n]) ? "true" : "false");
    fprintf(f, "};\nconst size_t library_nvalues = %zu;\n", n);
}

static void write_state(struct split *s, FILE *f)
{
    const char **parts = sorted(s, s->parts);
    fwrite(s->core.bytes.data, 1, s->core.bytes.len, f);
    for (size_t i = 0; parts[i]; i++) {
        const struct piece *p = table_get(s->parts, parts[i]);
        fwrite(p->bytes.data, 1, p->bytes.len, f);
    }
    fwrite(s->answers.bytes.data, 1, s->answers.bytes.len, f);
    fwrite(s->rest.data, 1, s->rest.len, f);
}

static int put(struct split *s, const char *path, void (*write)(struct split *, FILE *))
{
    FILE *f = fopen(path, "w");
    if (f)
        write(s, f);
    bool good = f && !ferror(f);
    if (f && fclose(f) != 0)
        good = false;
    if (good)
        return 0;
    fprintf(stderr, "split: %s: %s\n", path, strerror(errno));
    remove(path);
    return 73;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: split FROZEN WANTED OUT.m4f OUT.c\n", stderr);
        return 64;
    }
    struct split s = {.arena = arena_new(out_of_memory, NULL)};
    struct source_set *sources = source_set_new(s.arena);
    const struct source *in[2];
    for (int i = 0; i < 2; i++) {
        int err = 0;
        in[i] = source_open(sources, argv[i + 1], &err);
        if (!in[i]->bytes) {
            fprintf(stderr, "split: %s: %s\n", argv[i + 1], strerror(err));
            return 66;
        }
    }
    s.parts = table_new(s.arena);
    init(&s, &s.core, "");
    init(&s, &s.answers, "");
    read_wanted(&s, in[1]->bytes, in[1]->bytes + in[1]->len);
    read_state(&s, in[0]->bytes, in[0]->bytes + in[0]->len);
    if (table_count(s.values) >= PARTS_END || table_count(s.parts) >= PARTS_END ||
        s.answers.bytes.len == 0) {
        fputs("split: this is no state of the vocabulary\n", stderr);
        return 65;
    }
    int rc = put(&s, argv[3], write_state);
    rc = rc ? rc : put(&s, argv[4], write_tables);
    arena_free(s.arena);
    return rc;
}
