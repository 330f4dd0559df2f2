/*
 * map_check: `mcf map check': what is wrong with a map's source.
 *
 * Of every map: lines that are no entries, keys that are there twice, * and CIDR where a map has
 * neither.  What the kinds of map have of their own is in the files that map_check.h names.
 */
#include "compiler/map_check.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compiler/fix.h"
#include "compiler/map.h"
#include "compiler/report.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/map_lines.h"

enum { ROUNDS = 4 };

static const struct {
    const char *name;
    enum map_kind kind;
} kinds[] = {
#define MAP_KIND(kind, name) {name, KIND_##kind},
#define MAP_NAME(kind, name) {name, KIND_##kind},
#include "lib/model/map_kinds.def"
};

struct origin map_at(const struct map_checking *c, struct map_span s)
{
    return source_origin(c->source, s.begin, s.end - s.begin);
}

char *map_text(const struct map_checking *c, struct map_span s)
{
    return arena_strndup(c->arena, c->bytes + s.begin, s.end - s.begin);
}

struct map_span map_value(const struct map_checking *c, const struct map_entry *e)
{
    struct map_span s = e->value;
    while (s.end > s.begin && isspace((unsigned char)c->bytes[s.end - 1]))
        s.end--;
    return s;
}

bool map_is_number(const char *s)
{
    size_t n = strspn(s, "0123456789");
    return n > 0 && s[n] == '\0';
}

struct map_span map_part(struct map_span of, size_t begin, size_t end)
{
    return (struct map_span){of.begin + begin, of.begin + end};
}

struct finding *map_say(const struct map_checking *c, enum finding_id id, struct map_span s)
{
    return finding_add(c->diag, id, map_at(c, s), map_text(c, s), NULL);
}

bool map_check_dot(const struct map_checking *c, struct map_span key)
{
    size_t len = key.end - key.begin;
    const char *s = c->bytes + key.begin;
    if (len < 2 || s[len - 1] != '.' || s[len - 2] == '.')
        return false;
    struct finding *f = map_say(c, FINDING_MAP_KEY_DOT, key);
    diag_edit(c->diag, f, map_at(c, map_part(key, len - 1, len)), "");
    return true;
}

bool map_check_code(const struct map_checking *c, struct map_span value)
{
    enum { AFTER = 6 }; /* error: */
    const char *s = map_text(c, value) + AFTER;
    size_t code = strspn(s, "0123456789."), blanks = strspn(s + code, " \t");
    const char *dot = strchr(s, '.');
    if (!blanks || !dot || (dot = strchr(dot + 1, '.')) == NULL || dot >= s + code)
        return false;
    struct finding *f = map_say(c, FINDING_MAP_ERROR_CODE, map_part(value, AFTER, AFTER + code));
    diag_edit(c->diag, f, map_at(c, map_part(value, AFTER + code, AFTER + code + blanks)), ":");
    return true;
}

/* --- every map -------------------------------------------------------------------------------- */

static void check_fault(const struct map_checking *c, const struct map_entry *e)
{
    static const enum finding_id ids[] = {[MAP_ENTRY_BLANK_FIRST] = FINDING_MAP_BLANK_FIRST,
                                          [MAP_ENTRY_ONLY_BLANKS] = FINDING_MAP_ONLY_BLANKS,
                                          [MAP_ENTRY_NO_VALUE] = FINDING_MAP_NO_VALUE,
                                          [MAP_ENTRY_NUL] = FINDING_MAP_NUL};
    bool named = e->fault == MAP_ENTRY_NO_VALUE;
    struct origin place = map_at(c, named ? e->key : e->line);
    if (!named)
        place.len = 0;
    struct finding *f =
        finding_add(c->diag, ids[e->fault], place, named ? map_text(c, e->key) : "", NULL);
    if (e->fault == MAP_ENTRY_ONLY_BLANKS)
        diag_edit(c->diag, f, map_at(c, e->line), "");
}

static void check_again(const struct map_checking *c, struct map_entry *e)
{
    char *key = map_text(c, e->key);
    map_fold(key, strlen(key));
    const struct map_entry *first = table_get(c->keys, key);
    if (!first) {
        table_set(c->keys, key, e);
        return;
    }
    finding_add(c->diag, FINDING_MAP_AGAIN, map_at(c, e->key), key,
                arena_printf(c->arena, "%u", map_at(c, first->line).line), NULL);
}

static void check_star(const struct map_checking *c, const struct map_entry *e,
                       struct map_span host)
{
    const char *s = c->bytes + host.begin;
    if (host.end - host.begin < 3 || s[0] != '*' || s[1] != '.')
        return;
    struct finding *f =
        finding_add(c->diag, FINDING_MAP_STAR, map_at(c, e->key), map_text(c, e->key), NULL);
    if (c->kind == KIND_DOMAINTABLE) /* nothing in it covers what is below a domain */
        return;
    diag_edit(
        c->diag, f,
        map_at(c, (struct map_span){host.begin, host.begin + (c->kind == KIND_ACCESS ? 2u : 1u)}),
        "");
}

/* --- the whole -------------------------------------------------------------------------------- */

static void check_source(struct arena *a, const struct source *s, enum map_kind kind,
                         struct diag *d)
{
    struct map_checking c = {.arena = a,
                             .diag = d,
                             .source = s,
                             .bytes = s->bytes,
                             .keys = table_new(a),
                             .own_tags = table_new(a),
                             .kind = kind};
    map_check_around(&c);
    if (kind == KIND_ALIASES) {
        map_check_aliases(&c);
        return;
    }
    c.map = map_source_read(a, s->bytes, s->len);
    if (kind == KIND_ACCESS)
        map_check_own_tags(&c);
    for (size_t i = 0; i < c.map->n; i++) {
        struct map_entry *e = &c.map->v[i];
        if (e->fault != MAP_ENTRY_GOOD) {
            check_fault(&c, e);
            continue;
        }
        check_again(&c, e);
    }
    for (size_t i = 0; i < c.map->n; i++) {
        const struct map_entry *e = &c.map->v[i];
        struct map_span host = e->key;
        if (e->fault != MAP_ENTRY_GOOD)
            continue;
        if (kind == KIND_ACCESS)
            host = map_check_access(&c, e);
        else if (kind != KIND_PLAIN)
            map_check_table(&c, e);
        check_star(&c, e, host);
    }
    if (kind == KIND_ACCESS)
        map_check_hidden(&c);
}

struct run {
    struct source_set *sources;
    struct diag *diag;
    bool read;
};

static struct run check(struct arena *a, const char *path, enum map_kind kind,
                        const struct fix *fix)
{
    struct run r = {.sources = source_set_new(a)};
    r.diag = diag_new(a, r.sources);
    for (const struct fix_file *x = fix->files; x; x = x->next)
        if (!x->written)
            source_add(r.sources, x->path, x->text, x->len);
    int err = 0;
    const struct source *s = source_open(r.sources, path, &err);
    r.read = s->bytes != NULL;
    if (r.read)
        check_source(a, s, kind, r.diag);
    else
        finding_add(r.diag, FINDING_CANNOT_READ, (struct origin){s->id, 0, 0, 0}, path,
                    strerror(err), NULL);
    return r;
}

static int check_one(const char *path, enum map_kind kind, bool mend)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    struct fix fix;
    fix_init(&fix, a, path, NULL);
    struct run r = check(a, path, kind, &fix);
    for (int i = 0; mend && i < ROUNDS && fix_apply(&fix, r.diag, r.sources) > 0; i++)
        r = check(a, path, kind, &fix);
    const char *failed = NULL;
    int err = mend ? fix_write(&fix, true, &failed) : 0;
    if (err)
        fprintf(stderr, "mcf map check: cannot write %s: %s\n", failed, strerror(err));
    if (mend)
        fwrite(fix.said.data, 1, fix.said.len, stderr);
    report(r.diag, r.sources, REPORT_TEXT, stdout);
    int rc = !r.read                              ? EXIT_NO_INPUT
             : err                                ? EXIT_CANNOT_WRITE
             : diag_count(r.diag, DIAG_ERROR) > 0 ? EXIT_FINDINGS
                                                  : 0;
    arena_free(a);
    return rc;
}

enum map_kind map_kind_of(const char *name)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return KINDS;
}

int map_check(int argc, char **argv)
{
    const char *kind = NULL;
    bool mend = false;
    int i = 1, rc = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++)
        if (strcmp(argv[i], "--fix") == 0) {
            mend = true;
        } else if (strcmp(argv[i], "-k") == 0 && i + 1 < argc) {
            kind = argv[++i];
            if (map_kind_of(kind) == KINDS) {
                fprintf(stderr, "mcf map check: there is no kind %s\n", kind);
                return EXIT_USAGE;
            }
        } else {
            fprintf(stderr, "mcf map check: there is no option %s\n", argv[i]);
            return EXIT_USAGE;
        }
    if (i == argc) {
        fputs("mcf map check: which source?\nusage: mcf map check [-k KIND] [--fix] SOURCE...\n",
              stderr);
        return EXIT_USAGE;
    }
    for (; i < argc; i++) {
        enum map_kind k = map_kind_of(kind ? kind : fs_basename(argv[i]));
        int one = check_one(argv[i], k == KINDS ? KIND_PLAIN : k, mend);
        rc = rc ? rc : one;
    }
    return rc;
}
