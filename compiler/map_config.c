/*
 * map_config: the K lines and alias files of a configuration, and the databases that they need.
 *
 * `mcf map build --config' makes a database beside its source, and only where it is not there, is
 * older, or is of another type.  Whatever fails for one map is said, with the place of its line,
 * and the others are made all the same: the exit code is that of the first that failed.  The making
 * itself, with what is whole or not at all, is that of map.c.
 */
#include "compiler/map_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "compiler/cf_file.h"
#include "compiler/lower.h"
#include "compiler/map.h"
#include "compiler/map_file.h"
#include "compiler/report.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "lib/base/table.h"
#include "lib/maps/map_lines.h"

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

struct config *map_config_read(const char *verb, struct arena *a, const char *path, int *rc)
{
    struct source_set *sources = source_set_new(a);
    *rc = EXIT_NO_INPUT;
    if (!ends_with(path, ".mc"))
        return cf_file_read(arena_printf(a, "map %s", verb), a, sources, path, false, NULL);
    int err = 0;
    if (!source_open(sources, path, &err)->bytes) {
        fprintf(stderr, "mcf map %s: cannot read %s: %s\n", verb, path, strerror(err));
        return NULL;
    }
    struct diag *d = diag_new(a, sources);
    struct config *c = config_new(a, sources);
    const struct lower_options o = {.lax = false};
    if (lower_mc(c, path, &o, d))
        return c;
    /* What is good enough for a configuration is mcf check's to say. */
    report(d, sources, REPORT_TEXT, stderr);
    *rc = EXIT_BAD_INPUT;
    return NULL;
}

/* The next word of *text, NULL behind the last; in quotes it may have blanks. */
static const char *next_word(struct arena *a, const char **text)
{
    const char *p = *text + strspn(*text, " \t\n"), *end;
    if (*p == '\0')
        return NULL;
    if (*p == '"') {
        end = strchr(++p, '"');
        end = end ? end : p + strlen(p);
        *text = end + (*end == '"');
    } else {
        end = p + strcspn(p, " \t\n");
        *text = end;
    }
    return arena_strndup(a, p, (size_t)(end - p));
}

/* What stands behind the options; NULL: nothing. */
static const char *read_options(struct arena *a, struct map_declared *m, const char *text)
{
    const char *word;
    while ((word = next_word(a, &text)) != NULL && word[0] == '-')
        switch (word[1]) {
        case 'o':
            m->optional = true;
            break;
        case 'N':
            m->nul = true;
            break;
        case 'O':
            m->no_nul = true;
            break;
        case 'm':
            m->match_only = true;
            break;
        case 'a':
            m->append = word + 2;
            break;
        case 'f':
            m->keep_case = true;
            break;
        case 'k':
        case 'v':
        case 'z':
            if (word[2] == '\0') /* its text may be the next word */
                next_word(a, &text);
            break;
        default:
            break; /* says what becomes of a value, not what is stored */
        }
    return word;
}

static void read_spec(struct arena *a, struct map_declared *m, const char *text)
{
    const char *word = read_options(a, m, text);
    const char *suffix = map_type_suffix(m->type);
    if (word && ends_with(word, suffix))
        word = arena_strndup(a, word, strlen(word) - strlen(suffix));
    m->source = word;
}

static const char *place_of(const struct config *c, const struct item *it)
{
    struct origin at = it->cause.file ? it->cause : it->at;
    const struct source *s = source_by_id(c->sources, at.file);
    return arena_printf(c->arena, "%s:%u", s ? s->path : "?", at.line);
}

struct map_declared map_config_declared(const struct config *c, const struct item *k)
{
    struct arena *a = c->arena;
    struct map_declared m = {.name = k->name, .class = k->aux, .append = "", .at = place_of(c, k)};
    m.made = map_type_find(k->aux, &m.type);
    if (m.made) {
        read_spec(a, &m, k->value);
    } else if (strcmp(k->aux, "sequence") == 0) {
        const char *text = k->value, *word;
        size_t n = 0;
        m.members = arena_calloc(a, strlen(text) / 2 + 2, sizeof *m.members);
        while ((word = next_word(a, &text)) != NULL)
            m.members[n++] = word;
    }
    return m;
}

const struct item *map_config_find(const struct config *c, const char *name)
{
    const struct item *found = NULL;
    for (const struct item *it = c->first; it; it = it->next)
        if (it->kind == ITEM_MAP && strcasecmp(it->name, name) == 0)
            found = it;
    return found;
}

/* --- alias files ------------------------------------------------------------------------------ */

/* The part of an AliasFile up to the next comma, which quotes hide. */
static const char *next_part(struct arena *a, const char **text)
{
    const char *p = *text;
    bool quoted = false;
    for (; *p && (quoted || *p != ','); p++)
        quoted ^= *p == '"';
    const char *part = arena_strndup(a, *text, (size_t)(p - *text));
    *text = p + (*p == ',');
    return part + strspn(part, " \t");
}

/* Whether the class is one of sendmail's that has nothing to be built. */
static bool needs_no_database(const char *class)
{
    static const char *const names[] = {
#define MAP_CLASS(name, elsewhere, needs, lookup) elsewhere ? "" : name,
#include "lib/model/maps.def"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (*names[i] && strcmp(names[i], class) == 0)
            return true;
    return false;
}

static struct map_declared alias_file(struct arena *a, const char *part, const char *at)
{
    struct map_declared m = {.name = "aliases", .class = "implicit", .at = at};
    size_t n = strcspn(part, ":/ \t-");
    bool named = part[n] == ':';
    if (named) {
        char *class = arena_strndup(a, part, n);
        map_fold(class, n);
        m.class = class;
        part += n + 1;
    }
    bool implicit = strcmp(m.class, "implicit") == 0;
    m.made = map_type_find(implicit ? map_type_name(MAP_hash) : m.class, &m.type);
    if (m.made)
        m.source = read_options(a, &m, part);
    m.nul = m.nul || !named; /* as newaliases has it, whatever the options are */
    m.unknown = !m.made && !needs_no_database(m.class);
    return m;
}

static void add_alias_files(struct arena *a, struct map_aliases *to, const char *text,
                            const char *at)
{
    while (*(text += strspn(text, " \t\n"))) {
        const char *part = next_part(a, &text);
        to->v = arena_grow(a, to->v, to->n, &to->room, sizeof *to->v, 4);
        to->v[to->n++] = alias_file(a, part, at);
    }
}

struct map_aliases map_config_aliases(const struct config *c, const char *instead)
{
    struct map_aliases found = {0};
    if (instead)
        add_alias_files(c->arena, &found, instead, "AliasFile");
    for (const struct item *it = instead ? NULL : c->first; it; it = it->next)
        if (it->kind == ITEM_OPTION && it->value &&
            (it->short_option ? strcmp(it->name, "A") == 0
                              : strcasecmp(it->name, "AliasFile") == 0))
            add_alias_files(c->arena, &found, it->value, place_of(c, it));
    return found;
}

/* --- building --------------------------------------------------------------------------------- */

/* What a message calls it. */
static const char *called(struct arena *a, const struct map_declared *m, bool aliases)
{
    return aliases ? "the aliases" : arena_printf(a, "the map %s", m->name);
}

/* A K line may name the database; an AliasFile names the source. */
static const char *database_of(struct arena *a, const struct map_declared *m, bool aliases)
{
    return aliases ? arena_printf(a, "%s%s", m->source, map_type_suffix(m->type))
                   : map_file_path(a, m->type, m->source);
}

/* NULL: the database is as new as its source. */
static const char *why_stale(struct arena *a, const struct map_declared *m, const char *path,
                             const struct stat *source)
{
    struct stat st;
    struct map *map;
    if (stat(path, &st) != 0)
        return errno == ENOENT ? "it was not there" : strerror(errno);
    if (fs_is_older(&st, source))
        return "it was older than its source";
    int err = map_open(a, m->type, path, &map);
    if (err == 0)
        map_close(map);
    return err == 0 ? NULL : err == EINVAL ? "it was of another type, or damaged" : strerror(err);
}

/* 0 or an exit code; *n counts those that were made.  c: of aliases, the configuration, which says
 * what their names are; else NULL. */
static int build(struct arena *a, const struct map_declared *m, const struct config *c, size_t *n)
{
    struct stat st;
    const char *what = called(a, m, c != NULL);
    if (!m->source) {
        fprintf(stderr, "mcf map build: %s: %s %s no file: write one behind %s\n", m->at, what,
                c ? "name" : "names", m->class);
        return EXIT_BAD_INPUT;
    }
    if (stat(m->source, &st) != 0) {
        if (m->optional && errno == ENOENT)
            return 0;
        fprintf(stderr, "mcf map build: %s: cannot read the source of %s, %s: %s%s\n", m->at, what,
                m->source, strerror(errno),
                errno == ENOENT ? "; write it, or declare the map with -o" : "");
        return EXIT_NO_INPUT;
    }
    const char *path = database_of(a, m, c != NULL);
    const char *why = why_stale(a, m, path, &st);
    if (!why)
        return 0;
    const struct map_terms terms = {.type = m->type, .nul = m->nul, .keep_case = m->keep_case};
    int rc = c ? map_build_aliases(&terms, m->source, path, c)
               : map_build_source(&terms, m->source, path);
    if (rc == 0) {
        printf("%s: built for %s (%s): %s\n", path, what, m->at, why);
        ++*n;
    } else {
        fprintf(stderr, "mcf map build: %s: %s %s not built\n", m->at, what, c ? "were" : "was");
    }
    return rc;
}

/* The same, unless that file was there before, in seen. */
static int build_once(struct arena *a, const struct map_declared *m, const struct config *c,
                      struct table *seen, size_t *n)
{
    const char *file = m->source ? database_of(a, m, c != NULL) : "";
    if (m->source && table_has(seen, file))
        return 0;
    if (m->source && fs_exists(m->source))
        table_set(seen, file, seen);
    return build(a, m, c, n);
}

int map_config_build(const char *path)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    int rc;
    struct config *c = map_config_read("build", a, path, &rc);
    struct table *seen = table_new(a); /* a file that two lines have is made once */
    size_t built = 0, maps = 0;
    if (c)
        rc = 0;
    for (const struct item *it = c ? c->first : NULL; it; it = it->next) {
        if (it->kind != ITEM_MAP || map_config_find(c, it->name) != it)
            continue;
        struct map_declared m = map_config_declared(c, it);
        if (!m.made)
            continue;
        maps++;
        int one = build_once(a, &m, NULL, seen, &built);
        rc = rc ? rc : one;
    }
    const struct map_aliases aliases = c ? map_config_aliases(c, NULL) : (struct map_aliases){0};
    for (size_t i = 0; i < aliases.n; i++) {
        const struct map_declared *m = &aliases.v[i];
        int one = 0;
        if (m->unknown) {
            fprintf(stderr, "mcf map build: %s: aliases of the class %s are not built here\n",
                    m->at, m->class);
            one = EXIT_BAD_INPUT;
        } else if (m->made) {
            maps++;
            one = build_once(a, m, c, seen, &built);
        }
        rc = rc ? rc : one;
    }
    if (c && rc == 0 && built == 0)
        puts(maps ? "nothing to build: every database is as new as its source"
                  : "nothing to build: no K line and no AliasFile names a database");
    arena_free(a);
    return rc;
}
