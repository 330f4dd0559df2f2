/*
 * map_aliases: what is wrong with the source of an alias database.
 */
#include "lib/maps/map_aliases.h"

#include <string.h>
#include <strings.h>

#include "compiler/alias_build.h"
#include "compiler/map_check.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/source.h"

/* An alias, for the search of loops. */
struct alias_node {
    const char *key;
    struct alias_span value;
    struct origin at;
    enum { ALIAS_NEW, ALIAS_OPEN, ALIAS_DONE } state;
    size_t pos;              /* of its value that was not looked at */
    struct alias_node *from; /* who led here */
};

struct alias_graph {
    struct arena *arena;
    struct alias_node **v;
    size_t n, room;
};

static struct alias_node *alias_graph_add(struct alias_graph *g, const char *key,
                                          struct alias_span value, struct origin at)
{
    struct alias_node *n = arena_alloc(g->arena, sizeof *n);
    *n = (struct alias_node){.key = key, .value = value, .at = at, .pos = value.begin};
    g->v = arena_grow(g->arena, g->v, g->n, &g->room, sizeof *g->v, 64);
    g->v[g->n++] = n;
    return n;
}

static struct map_span of(struct alias_span s)
{
    return (struct map_span){s.begin, s.end};
}

/* A blank in it that separates words; NULL: there is none, or quotes and the like may hide it. */
static const char *gap(const char *s)
{
    return strpbrk(s, "\"<(|\\") || strncasecmp(s, "error:", 6) == 0 || *s == '/' || *s == ':'
               ? NULL
               : strpbrk(s, " \t\n");
}

static void check_item(const struct map_checking *c, const struct alias_item *i)
{
    struct map_span at = of(i->at);
    const char *s = map_text(c, at);
    if (i->open) {
        const char *quote = strchr(s, '"');
        map_say(c, FINDING_MAP_ALIAS_QUOTE,
                (struct map_span){at.begin + (size_t)(quote - s), at.end});
        return;
    }
    const char *blank = gap(s), *second = strchr(*s == ':' ? s + 1 : "", ':');
    if (*s == ':' && second && strncasecmp(s, ":include:", 9) != 0) {
        static const char *const names[] = {":include:"};
        struct map_span word = {at.begin, at.begin + (size_t)(second + 1 - s)};
        struct finding *f = map_say(c, FINDING_MAP_ALIAS_INCLUDE, word);
        finding_suggest(c->diag, f, map_at(c, word), map_text(c, word), names, 1);
    } else if (blank && blank[strspn(blank, " \t\n")] == '#') {
        size_t hash = (size_t)(blank - s) + strspn(blank, " \t\n");
        map_say(c, FINDING_MAP_ALIAS_REMARK, (struct map_span){at.begin + hash, at.end});
    } else if (blank) {
        size_t next = (size_t)(blank - s) + strspn(blank, " \t\n");
        map_say(c, FINDING_MAP_ALIAS_COMMA,
                (struct map_span){at.begin + next, at.begin + next + strcspn(s + next, " \t\n")});
    }
}

/* In a check it is not known which hosts are this one: an address is taken for one here. */
static bool any_host(void *ctx, const char *host)
{
    bool *other = ctx;
    *other = strcmp(host, "localhost") != 0;
    return true;
}

static void check_name(const struct map_checking *c, struct alias_graph *g,
                       const struct alias_entry *e)
{
    struct map_span at = of(e->name);
    bool other = false;
    struct alias_terms terms = alias_terms_usual;
    struct buf key;
    terms.local = any_host;
    terms.ctx = &other;
    buf_init(&key, c->arena);
    enum alias_fault fault = alias_name(c->bytes, e->name, &terms, &key);
    if (fault != ALIAS_GOOD) {
        map_say(c, alias_finding(fault), at);
        return;
    }
    if (other)
        map_say(c, FINDING_MAP_ALIAS_HOST, at);
    const struct alias_node *first = table_get(c->keys, key.data);
    if (first)
        finding_add(c->diag, FINDING_MAP_ALIAS_AGAIN, map_at(c, at), key.data,
                    arena_printf(c->arena, "%u", first->at.line), NULL);
    struct alias_node *n = alias_graph_add(g, key.data, e->value, map_at(c, at));
    table_set(c->keys, key.data, n);
}

static void check_fault(const struct map_checking *c, const struct alias_entry *e)
{
    if (e->fault == ALIAS_REMARK) {
        if (e->more.end > e->more.begin)
            map_say(c, FINDING_MAP_ALIAS_LOST, of(e->more));
        return;
    }
    enum finding_id id = alias_finding(e->fault);
    if (e->fault == ALIAS_BLANK_FIRST || e->fault == ALIAS_NUL || e->fault == ALIAS_LONG)
        finding_add(c->diag, id, source_origin(c->source, e->line.begin, 0), NULL);
    else
        map_say(c, id, of(e->fault == ALIAS_NO_VALUE ? e->name : e->line));
}

/* --- loops ------------------------------------------------------------------------------------ */

/* The next alias that a value of n names, or NULL behind the last.  A name behind a \ is a user. */
static struct alias_node *next_of(const struct map_checking *c, struct alias_node *n)
{
    struct alias_item i;
    bool other = false;
    struct alias_terms terms = alias_terms_usual;
    terms.local = any_host;
    terms.ctx = &other;
    while (alias_item_next(c->bytes, n->value, &n->pos, &i)) {
        struct buf key;
        other = false;
        buf_init(&key, c->arena);
        if (i.open || c->bytes[i.at.begin] == ':' ||
            alias_name(c->bytes, i.at, &terms, &key) != ALIAS_GOOD || other)
            continue;
        struct alias_node *to = table_get(c->keys, key.data);
        char *plus = strchr(key.data, '+');
        if (!to && plus) {
            const char *user = arena_strndup(c->arena, key.data, (size_t)(plus - key.data));
            to = table_get(c->keys, arena_printf(c->arena, "%s+*", user));
            to = to ? to : table_get(c->keys, user);
        }
        if (to && to != n)
            return to;
    }
    return NULL;
}

/* The way from n over the others that are being looked at, and back. */
static void say_loop(const struct map_checking *c, const struct alias_node *n,
                     const struct alias_node *top)
{
    struct buf way;
    buf_init(&way, c->arena);
    for (const struct alias_node *x = top; x != n; x = x->from) {
        const char *rest = arena_strdup(c->arena, way.data);
        buf_truncate(&way, 0);
        buf_printf(&way, "%s in line %u%s%s", x->key, x->at.line, *rest ? ", " : "", rest);
    }
    finding_add(c->diag, FINDING_MAP_ALIAS_LOOP, n->at, n->key, way.data, NULL);
}

/* Each alias is gone into once, from the first on; one that is still open closes a loop. */
static void check_loops(const struct map_checking *c, struct alias_graph *g)
{
    for (size_t i = 0; i < g->n; i++) {
        struct alias_node *n = g->v[i];
        if (n->state != ALIAS_NEW || table_get(c->keys, n->key) != n)
            continue;
        n->state = ALIAS_OPEN;
        while (n) {
            struct alias_node *to = next_of(c, n);
            if (!to) {
                n->state = ALIAS_DONE;
                n = n->from;
            } else if (to->state == ALIAS_OPEN) {
                say_loop(c, to, n);
            } else if (to->state == ALIAS_NEW) {
                to->state = ALIAS_OPEN;
                to->from = n;
                n = to;
            }
        }
    }
}

void map_check_aliases(const struct map_checking *c)
{
    struct alias_reader r = {c->bytes, c->source->len, 0, ALIAS_LONGEST};
    struct alias_graph g = {.arena = c->arena};
    struct alias_entry e;
    bool any = false;
    while (alias_next(&r, &e)) {
        if (e.fault != ALIAS_GOOD) {
            check_fault(c, &e);
            continue;
        }
        any = true;
        check_name(c, &g, &e);
        struct alias_item i;
        for (size_t pos = e.value.begin; alias_item_next(c->bytes, e.value, &pos, &i);)
            check_item(c, &i);
    }
    check_loops(c, &g);
    if (any && !table_has(c->keys, "postmaster"))
        finding_add(c->diag, FINDING_MAP_ALIAS_POSTMASTER, (struct origin){c->source->id, 0, 0, 0},
                    NULL);
}
