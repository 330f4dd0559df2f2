/*
 * map_convert: `mcf map convert': a database in another type, and what of an .mc names its type.
 *
 * Keys and values are taken byte for byte, with the NUL behind them where they have one.  The new
 * database is beside the old one, whole or not at all; the old one stays.  Edits of the .mc are
 * made in its own text only: where a declaration stands elsewhere, that is said.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/map.h"
#include "compiler/map_config.h"
#include "compiler/map_file.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"

struct conversion {
    struct arena *arena;
    const struct map_convert_terms *terms;
    enum map_type from;
    const char *base, *old_path, *new_path;
    size_t again; /* entries whose key was there already */
};

static void count(void *ctx, struct map_bytes key, uint32_t first, uint32_t line)
{
    struct conversion *c = ctx;
    (void)first;
    (void)line;
    if (c->again++ == 0)
        fprintf(stderr,
                "mcf map convert: %.*s is in %s more than once: leave one value, in its source\n",
                (int)key.len, key.p, c->old_path);
}

/* 0 or an errno; *failed is the file that it is about. */
static int copy(struct conversion *c, const char **failed)
{
    struct map *m = NULL;
    struct stat st;
    *failed = c->old_path;
    int err = stat(c->old_path, &st) != 0 ? errno : map_open(c->arena, c->from, c->old_path, &m);
    if (err)
        return err;
    const struct map_build_options o = {.type = c->terms->to, .again = count, .ctx = c};
    struct map_build *to = map_build_new(c->arena, &o, fs_dirname(c->arena, c->new_path));
    struct map_bytes key, value;
    enum map_verdict v;
    while (err == 0 && (v = map_next_whole(m, &key, &value)) == MAP_FOUND) {
        err = map_build_add(to, key, value, 0);
        if (err)
            *failed = c->new_path;
    }
    if (err == 0 && v == MAP_TEMPFAIL)
        err = EINVAL;
    map_close(m);
    if (err == 0) {
        /* Who could read the old one, and nobody else, reads the new one. */
        bool fresh = !fs_exists(c->new_path);
        const struct map_file_terms terms = {fresh ? st.st_uid : (uid_t)-1, &c->again};
        *failed = c->new_path;
        err = map_file_write(c->arena, to, c->new_path, false, &terms);
    }
    map_build_free(to);
    return err;
}

static int convert(struct conversion *c)
{
    const char *why, *failed;
    int err = map_file_safe(c->new_path, &why);
    if (err) {
        fprintf(stderr, "mcf map convert: %s is not replaced: %s\n", c->new_path,
                why ? why : strerror(err));
        return EXIT_CANNOT_WRITE;
    }
    err = copy(c, &failed);
    if (err) {
        fprintf(stderr, "mcf map convert: cannot %s %s: %s\n",
                failed == c->old_path ? "read" : "write", failed, strerror(err));
        return failed == c->old_path ? EXIT_NO_INPUT : EXIT_CANNOT_WRITE;
    }
    return c->again ? EXIT_BAD_INPUT : 0;
}

/* --- the .mc ---------------------------------------------------------------------------------- */

struct change {
    size_t off, len;
    const char *text;
};

static int by_place(const void *a, const void *b)
{
    size_t x = ((const struct change *)a)->off, y = ((const struct change *)b)->off;
    return x < y ? -1 : x > y;
}

/* What makes the declaration one of the new type; false: that cannot be told from its text. */
static bool find_change(struct conversion *c, const struct source *s, const struct item *k,
                        struct change *x)
{
    struct origin at = k->cause.file ? k->cause : k->at;
    const char *type = map_type_name(c->terms->to), *was = map_type_name(c->from);
    const char *suffix = map_type_suffix(c->from);
    size_t n = strlen(was), len;
    const char *line = source_line(s, at.line, &len);
    if (at.file != s->id || !line || strstr(k->value, suffix))
        return false;
    /* A K line of the file's own: the class is its second word. */
    if (line[0] == 'K') {
        size_t i = strcspn(line, " \t");
        i += strspn(line + i, " \t");
        if (i + n >= len || strncmp(line + i, was, n) != 0)
            return false;
        *x = (struct change){(size_t)(line + i - s->bytes), n, type};
        return true;
    }
    size_t from = source_offset(s, at.line, at.col), end = from + at.len;
    const char *quoted = arena_printf(c->arena, "`%s ", was);
    for (size_t i = from; i + n + 2 <= end; i++)
        if (strncmp(s->bytes + i, quoted, n + 2) == 0) {
            *x = (struct change){i + 1, n, type};
            return true;
        }
    /* FEATURE(`name'), whose map is the library's default. */
    if (end - from < 3 || strncmp(s->bytes + end - 2, "')", 2) != 0 ||
        memchr(s->bytes + from, ',', end - from))
        return false;
    const char *value = k->value + strspn(k->value, " \t");
    *x = (struct change){end - 1, 0, arena_printf(c->arena, ", `%s %s'", type, value)};
    return true;
}

static int edit_config(struct conversion *c)
{
    const char *path = c->terms->config;
    int rc;
    const struct config *config = map_config_read("convert", c->arena, path, &rc);
    const struct source *s = config ? source_find(config->sources, path) : NULL;
    if (!s)
        return rc;
    struct change *all = arena_calloc(c->arena, config->count + 1, sizeof *all);
    size_t n = 0, named = 0;
    rc = 0;
    for (const struct item *it = config->first; it; it = it->next) {
        if (it->kind != ITEM_MAP)
            continue;
        const struct map_declared m = map_config_declared(config, it);
        if (!m.made || m.type != c->from || !m.source || strcmp(m.source, c->base) != 0)
            continue;
        named++;
        if (find_change(c, s, it, &all[n])) {
            n++;
        } else {
            fprintf(stderr,
                    "mcf map convert: %s: the map %s is to be: %s, and its file without a suffix; "
                    "write that by hand\n",
                    m.at, m.name, map_type_name(c->terms->to));
            rc = EXIT_BAD_INPUT;
        }
    }
    if (named == 0)
        fprintf(stderr, "mcf map convert: %s declares no map of the type %s with the file %s\n",
                path, map_type_name(c->from), c->base);
    if (n == 0)
        return rc;
    qsort(all, n, sizeof *all, by_place);
    struct buf b;
    buf_init(&b, c->arena);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && all[i].off == all[i - 1].off)
            continue; /* one directive, two K lines */
        buf_add(&b, s->bytes + at, all[i].off - at);
        buf_adds(&b, all[i].text);
        at = all[i].off + all[i].len;
    }
    buf_add(&b, s->bytes + at, s->len - at);
    int shown = verb_show_difference("map convert", path, s->bytes, s->len, path, b.data, b.len);
    if (shown > 1)
        return shown;
    int err = c->terms->fix ? fs_write_whole(path, b.data, b.len, 0644) : 0;
    if (err) {
        fprintf(stderr, "mcf map convert: cannot write %s: %s\n", path, strerror(err));
        return EXIT_CANNOT_WRITE;
    }
    return rc;
}

int map_convert_file(const char *name, const enum map_type *type,
                     const struct map_convert_terms *terms)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    struct conversion c = {.arena = a, .terms = terms};
    struct map *m = map_open_named("convert", a, type, false, name, &c.from);
    int rc = m ? 0 : EXIT_NO_INPUT;
    map_close(m);
    if (m) {
        const char *suffix = map_type_suffix(c.from);
        c.old_path = map_file_path(a, c.from, name);
        c.base = arena_strndup(a, c.old_path, strlen(c.old_path) - strlen(suffix));
        if (!fs_exists(c.old_path)) {
            c.old_path = name;
            c.base = name;
        }
        c.new_path = map_file_path(a, terms->to, c.base);
        struct stat old, new;
        bool same = stat(c.old_path, &old) == 0 && stat(c.new_path, &new) == 0 &&
                    old.st_dev == new.st_dev &&old.st_ino == new.st_ino;
        if (same || strcmp(c.old_path, c.new_path) == 0) {
            fprintf(stderr,
                    "mcf map convert: %s is the map itself, and stays: move it to another name "
                    "first, or name the one that is meant with its suffix\n",
                    c.new_path);
            rc = EXIT_CANNOT_WRITE;
        } else {
            rc = convert(&c);
            if (rc == 0 && terms->config)
                rc = edit_config(&c);
        }
    }
    arena_free(a);
    return rc;
}
