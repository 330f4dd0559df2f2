/*
 * map_aliases: what is wrong with the source of an alias database.
 */
#include "lib/maps/map_aliases.h"

#include <string.h>
#include <strings.h>

#include "compiler/map_check.h"
#include "lib/base/arena.h"
#include "lib/base/source.h"
#include "lib/maps/map_lines.h"

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

static void check_name(const struct map_checking *c, const struct alias_entry *e)
{
    char *name = map_text(c, of(e->name));
    map_fold(name, strlen(name));
    const char *first = table_get(c->keys, name);
    if (first)
        finding_add(c->diag, FINDING_MAP_ALIAS_AGAIN, map_at(c, of(e->name)), name, first, NULL);
    else
        table_set(c->keys, name, arena_printf(c->arena, "%u", map_at(c, of(e->name)).line));
}

static void check_fault(const struct map_checking *c, const struct alias_entry *e)
{
    static const enum finding_id ids[] = {
        [ALIAS_BLANK_FIRST] = FINDING_MAP_ALIAS_BLANK, [ALIAS_NO_COLON] = FINDING_MAP_ALIAS_COLON,
        [ALIAS_NO_NAME] = FINDING_MAP_ALIAS_NAME,      [ALIAS_NO_VALUE] = FINDING_MAP_NO_VALUE,
        [ALIAS_QUOTE] = FINDING_MAP_ALIAS_QUOTE,       [ALIAS_NUL] = FINDING_MAP_NUL};
    if (e->fault == ALIAS_REMARK) {
        if (e->more.end > e->more.begin)
            map_say(c, FINDING_MAP_ALIAS_LOST, of(e->more));
        return;
    }
    struct map_span at = of(e->fault == ALIAS_NO_VALUE ? e->name : e->line);
    if (e->fault == ALIAS_BLANK_FIRST || e->fault == ALIAS_NUL)
        finding_add(c->diag, ids[e->fault], source_origin(c->source, at.begin, 0), NULL);
    else
        map_say(c, ids[e->fault], at);
}

void map_check_aliases(const struct map_checking *c)
{
    struct alias_reader r = {c->bytes, c->source->len, 0};
    struct alias_entry e;
    bool any = false;
    while (alias_next(&r, &e)) {
        if (e.fault != ALIAS_GOOD) {
            check_fault(c, &e);
            continue;
        }
        any = true;
        check_name(c, &e);
        struct alias_item i;
        for (size_t pos = e.value.begin; alias_item_next(c->bytes, e.value, &pos, &i);)
            check_item(c, &i);
    }
    if (any && !table_has(c->keys, "postmaster"))
        finding_add(c->diag, FINDING_MAP_ALIAS_POSTMASTER, (struct origin){c->source->id, 0, 0, 0},
                    NULL);
}
