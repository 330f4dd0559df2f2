/*
 * map_config: the K lines of a configuration, and the databases that they need.
 *
 * `mcf map build --config' makes a database beside its source, and only where it is not there, is
 * older, or is of another type.  Whatever fails for one map is said, with the place of its K line,
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

static void read_spec(struct arena *a, struct map_declared *m, const char *text)
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
            m->nul = false;
            break;
        case 'f':
            m->keep_case = true;
            break;
        default:
            break; /* says what becomes of a value, not what is stored */
        }
    const char *suffix = map_type_suffix(m->type);
    if (word && ends_with(word, suffix))
        word = arena_strndup(a, word, strlen(word) - strlen(suffix));
    m->source = word;
}

struct map_declared map_config_declared(const struct config *c, const struct item *k)
{
    struct arena *a = c->arena;
    struct origin at = k->cause.file ? k->cause : k->at;
    const struct source *s = source_by_id(c->sources, at.file);
    struct map_declared m = {.name = k->name, .class = k->aux};
    m.at = arena_printf(a, "%s:%u", s ? s->path : "?", at.line);
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

/* 0 or an exit code; *n counts those that were made. */
static int build(struct arena *a, const struct map_declared *m, size_t *n)
{
    struct stat st;
    if (!m->source) {
        fprintf(stderr, "mcf map build: %s: the map %s names no file: write one behind %s\n", m->at,
                m->name, m->class);
        return EXIT_BAD_INPUT;
    }
    if (stat(m->source, &st) != 0) {
        if (m->optional && errno == ENOENT)
            return 0;
        fprintf(stderr, "mcf map build: %s: cannot read the source of the map %s, %s: %s%s\n",
                m->at, m->name, m->source, strerror(errno),
                errno == ENOENT ? "; write it, or declare the map with -o" : "");
        return EXIT_NO_INPUT;
    }
    const char *path = map_file_path(a, m->type, m->source);
    const char *why = why_stale(a, m, path, &st);
    if (!why)
        return 0;
    const struct map_terms terms = {.type = m->type, .nul = m->nul, .keep_case = m->keep_case};
    int rc = map_build_source(&terms, m->source, path);
    if (rc == 0) {
        printf("%s: built for the map %s (%s): %s\n", path, m->name, m->at, why);
        ++*n;
    } else {
        fprintf(stderr, "mcf map build: %s: the map %s was not built\n", m->at, m->name);
    }
    return rc;
}

static bool is_alias_option(const struct item *it)
{
    return it->kind == ITEM_OPTION &&
           (it->short_option ? strcmp(it->name, "A") == 0 : strcasecmp(it->name, "AliasFile") == 0);
}

int map_config_build(const char *path)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    int rc;
    struct config *c = map_config_read("build", a, path, &rc);
    struct table *seen = table_new(a); /* a file that two K lines have is made once */
    size_t built = 0, maps = 0;
    if (c)
        rc = 0;
    for (const struct item *it = c ? c->first : NULL; it; it = it->next) {
        if (is_alias_option(it) && it->value && *it->value)
            fprintf(stderr, "mcf map build: aliases (%s) are not built here: use newaliases\n",
                    it->value);
        if (it->kind != ITEM_MAP || map_config_find(c, it->name) != it)
            continue;
        struct map_declared m = map_config_declared(c, it);
        if (!m.made)
            continue;
        const char *file = m.source ? map_file_path(a, m.type, m.source) : "";
        if (m.source && table_has(seen, file))
            continue;
        if (m.source && fs_exists(m.source))
            table_set(seen, file, &seen);
        maps++;
        int one = build(a, &m, &built);
        rc = rc ? rc : one;
    }
    if (c && rc == 0 && built == 0)
        puts(maps ? "nothing to build: every database is as new as its source"
                  : "nothing to build: no K line declares a database");
    arena_free(a);
    return rc;
}
