/*
 * lookup_text: classes text and stab: files that are read as they are.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/base/table.h"
#include "lib/maps/lookup_class.h"
#include "lib/maps/map_aliases.h"
#include "lib/maps/map_lines.h"

/* Bytes of a file that are read at most. */
#define LARGEST ((size_t)1 << 30)

/* --- text ---------------------------------------------------------------------------------- */

/* -1: no number. */
static long column(const char *text)
{
    if (!text)
        return 0;
    if (!isdigit((unsigned char)text[0]))
        return -1;
    return strtol(text, NULL, 10);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool parts(char c, char delimiter)
{
    return delimiter ? c == delimiter : is_blank(c);
}

/* Column n of the line.  Without a delimiter, blanks part the columns, and those at the beginning
 * of the line too, if any but the first is asked for. */
static bool column_of(struct map_bytes line, long n, char delimiter, struct map_bytes *value)
{
    size_t i = 0;
    while (n == 0 && !delimiter && i < line.len && is_blank(line.p[i]))
        i++;
    for (; n > 0; n--) {
        while (i < line.len && !parts(line.p[i], delimiter))
            i++;
        if (i == line.len)
            return false;
        i++;
        while (!delimiter && i < line.len && is_blank(line.p[i]))
            i++;
    }
    size_t from = i;
    while (i < line.len && !parts(line.p[i], delimiter))
        i++;
    *value = (struct map_bytes){line.p + from, i - from};
    return true;
}

static bool same_word(struct map_bytes a, struct map_bytes b)
{
    return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

static void search_text(struct lookup_query *q, const char *bytes, size_t len, long k, long v)
{
    char delimiter = q->map->delimiter;
    lookup_is_not_found(q, EX_NOHOST);
    for (size_t i = 0; i < len && q->key.len > 0;) {
        const char *end = memchr(bytes + i, '\n', len - i);
        size_t n = end ? (size_t)(end - bytes) - i : len - i;
        struct map_bytes line = {bytes + i, n}, word, value;
        i += n + 1;
        if (n == 0 || line.p[0] == '#' || !column_of(line, k, delimiter, &word) ||
            !same_word(word, q->key))
            continue;
        if (column_of(line, v, delimiter, &value))
            lookup_is_found(q, value);
        return;
    }
}

/* The file's text; false: the lookup has failed. */
static bool read_text(struct lookup_query *q, const char *path, struct arena *a, char **bytes,
                      size_t *len)
{
    struct trust_fault fault;
    int rc = *path == '/' ? 0 : EINVAL;
    if (rc == 0 && !lookup_trusts(q, path, &fault)) {
        lookup_lacks(q, &fault);
        return false;
    }
    if (rc == 0)
        rc = fs_read(a, path, LARGEST, bytes, len);
    if (rc != 0)
        lookup_unreadable(q, path, rc);
    return rc == 0;
}

static void text_find(struct lookup_query *q)
{
    const struct lookup_map *m = q->map;
    long k = column(m->key_column), v = column(m->value_column);
    struct arena *file = arena_beside(q->result);
    char *bytes = NULL;
    size_t len = 0;
    if (k >= 0 && v >= 0) {
        if (read_text(q, m->file, file, &bytes, &len))
            search_text(q, bytes, len, k, v);
    } else if (m->optional) {
        q->answer->closed = true;
    } else {
        lookup_failed(q, "-%c wants a number", k < 0 ? 'k' : 'v');
    }
    arena_free(file);
}

const struct lookup_class map_lookup_text = {lookup_read_file, text_find, NULL, false};

/* --- stab ---------------------------------------------------------------------------------- */

struct stab {
    struct arena *arena; /* NULL: not read */
    struct table *entries;
    struct stat st;
};

static void stab_close(void *state)
{
    struct stab *s = state;
    arena_free(s->arena);
    s->arena = NULL;
}

static void take_entry(struct stab *s, const char *text, const struct alias_entry *e)
{
    struct buf name, stored;
    buf_init(&name, s->arena);
    buf_init(&stored, s->arena);
    if (alias_name(text, e->name, &alias_terms_usual, &name) != ALIAS_GOOD)
        return;
    alias_value(text, e->value, &stored);
    struct map_bytes *value = arena_alloc(s->arena, sizeof *value);
    *value = (struct map_bytes){stored.len ? stored.data : "", stored.len};
    table_set(s->entries, name.len ? name.data : "", value);
}

/* False: the lookup has failed. */
static bool read_stab(struct lookup_query *q, struct stab *s)
{
    struct trust_fault fault;
    char *text;
    size_t len;
    struct stat now;
    int rc = stat(q->map->file, &now) == 0 ? 0 : errno;
    if (rc == 0 && s->arena && s->st.st_mtim.tv_sec == now.st_mtim.tv_sec &&
        s->st.st_mtim.tv_nsec == now.st_mtim.tv_nsec && s->st.st_size == now.st_size &&
        s->st.st_ino == now.st_ino)
        return true;
    stab_close(s);
    if (!lookup_trusts(q, q->map->file, &fault)) {
        lookup_lacks(q, &fault);
        return false;
    }
    s->arena = arena_beside(q->lifetime);
    s->entries = table_new(s->arena);
    s->st = now;
    rc = fs_read(s->arena, q->map->file, LARGEST, &text, &len);
    if (rc != 0) {
        stab_close(s);
        lookup_unreadable(q, q->map->file, rc);
        return false;
    }
    struct alias_reader r = {.text = text, .len = len};
    struct alias_entry e;
    while (alias_next(&r, &e))
        if (e.fault == ALIAS_GOOD)
            take_entry(s, text, &e);
    return true;
}

static void stab_find(struct lookup_query *q)
{
    struct stab *s = *q->state;
    if (!s)
        s = *q->state = arena_alloc(q->lifetime, sizeof *s);
    if (!read_stab(q, s))
        return;
    char *key = arena_strndup(q->result, q->key.p, q->key.len);
    map_fold(key, q->key.len); /* -f or not */
    const struct map_bytes *value =
        memchr(key, '\0', q->key.len) ? NULL : table_get(s->entries, key);
    if (value)
        lookup_is_found(q, *value);
    else
        lookup_is_not_found(q, EX_OK);
}

const struct lookup_class map_lookup_stab = {lookup_read_file, stab_find, stab_close, false};
