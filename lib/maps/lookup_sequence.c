/*
 * lookup_sequence: classes sequence and switch: maps that are asked one after the other.
 */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/lookup_class.h"
#include "lib/maps/lookup_services.h"
#include "lib/model/findings.h"

struct members {
    const struct lookup_map **maps;
    size_t count, room;
};

static void add_member(struct arena *a, struct members *v, const struct lookup_map *m)
{
    v->maps = arena_grow(a, v->maps, v->count, &v->room, sizeof(*v->maps), 4);
    v->maps[v->count++] = m;
}

/* Members are parted by what cannot be part of a name. */
static bool in_name(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '.';
}

static bool sequence_declare(struct lookup_reader *r, struct lookup_map *m)
{
    struct members *v = arena_alloc(r->arena, sizeof *v);
    m->own = v;
    for (const char *p = m->rest; *p;) {
        const char *from = p;
        while (in_name(*p))
            p++;
        if (p == from) {
            p++;
            continue;
        }
        const struct lookup_map *one = lookup_find(r->maps, from, (size_t)(p - from));
        if (one && one != m)
            add_member(r->arena, v, one);
        else if (r->diag)
            finding_add(r->diag, FINDING_UNDEFINED_MEMBER, r->at,
                        arena_strndup(r->arena, from, (size_t)(p - from)), m->name, (char *)NULL);
    }
    return true;
}

static void ask_members(struct lookup_query *q, const struct members *v)
{
    struct lookup_answer one, failed = {.verdict = MAP_NOT_FOUND};
    int status = EX_OK; /* the last one's */
    for (size_t i = 0; i < v->count; i++) {
        lookup_ask(q->session, v->maps[i], q->key, q->args, q->nargs, q->result, &one);
        if (one.verdict == MAP_FOUND) {
            *q->answer = one;
            q->answer->member = i;
            q->finished = true;
            return;
        }
        if (one.verdict == MAP_TEMPFAIL && failed.verdict != MAP_TEMPFAIL) {
            failed = one;
            failed.member = i;
        }
        status = one.status;
    }
    if (failed.verdict == MAP_TEMPFAIL)
        *q->answer = failed;
    else
        lookup_is_not_found(q, status ? status : EX_NOHOST);
}

static void sequence_find(struct lookup_query *q)
{
    ask_members(q, q->map->own);
}

const struct lookup_class map_lookup_sequence = {sequence_declare, sequence_find, NULL, false};

/* The maps NAME.SOURCE for what the service switch has: they may stand below this one. */
static void switch_find(struct lookup_query *q)
{
    const char *sources[SERVICE_SOURCES];
    size_t n = lookup_services(q->world->service_switch, q->map->file, q->result, sources);
    if (n == 0 && q->map->optional) {
        q->answer->closed = true;
        return;
    }
    if (n == 0) {
        lookup_failed(q, "the service switch says nothing of %s", q->map->file);
        return;
    }
    struct members v = {0};
    for (size_t i = 0; i < n; i++) {
        const char *name = arena_printf(q->result, "%s.%s", q->map->name, sources[i]);
        const struct lookup_map *one =
            lookup_find(lookup_session_maps(q->session), name, strlen(name));
        if (one)
            add_member(q->result, &v, one);
    }
    ask_members(q, &v);
}

const struct lookup_class map_lookup_switch = {lookup_read_file, switch_find, NULL, false};
