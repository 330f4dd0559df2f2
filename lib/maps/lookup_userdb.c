/*
 * lookup_userdb: class userdb: a field of a user's entries in the user databases
 * (UserDatabaseSpec), which have keys USER:FIELD.
 */
#include <errno.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/maps/lookup_class.h"

enum { MOST = 8 /* databases */ };

struct state {
    struct lookup_database databases[MOST];
    const char *paths[MOST];
    size_t count;
};

static void userdb_close(void *state)
{
    struct state *s = state;
    for (size_t i = 0; i < s->count; i++)
        lookup_database_close(&s->databases[i]);
}

/* Paths with commas between. */
static struct state *new_state(struct lookup_query *q)
{
    struct state *s = arena_alloc(q->lifetime, sizeof *s);
    const char *p = q->world->userdb_spec ? q->world->userdb_spec : "";
    while (*p && s->count < MOST) {
        lookup_skip_blanks(&p);
        size_t n = strcspn(p, ",");
        s->databases[s->count].any_mode = true;
        if (n > 0)
            s->paths[s->count++] = arena_strndup(q->lifetime, p, n);
        p += n + (p[n] == ',');
    }
    return s;
}

static enum map_verdict get(struct lookup_query *q, struct lookup_database *db, const char *user,
                            const char *field, struct map_bytes *value)
{
    const char *key = arena_printf(q->result, "%s:%s", user, field);
    return lookup_database_get(db, (struct map_bytes){key, strlen(key)}, value);
}

static void userdb_find(struct lookup_query *q)
{
    struct state *s = *q->state;
    if (!s)
        s = *q->state = new_state(q);
    lookup_is_not_found(q, EX_OK);
    struct map_bytes key = lookup_folded_key(q), value;
    const char *user = key.p, *field = q->map->file;
    if (memchr(key.p, '\0', key.len) || key.len == 0)
        return;
    for (size_t i = 0; i < s->count; i++) {
        struct lookup_database *db = &s->databases[i];
        int rc = lookup_database_open(q, db, MAP_btree, s->paths[i]);
        if (rc == ENOENT || rc == EACCES)
            continue;
        if (rc != 0) /* as sendmail has it: nobody is there, nor in the ones behind */
            return;
        enum map_verdict v = get(q, db, user, field, &value);
        if (v == MAP_FOUND) {
            lookup_is_found(q, value);
            return;
        }
        /* Who gets mail there has a name in the database's domain. */
        if (v == MAP_NOT_FOUND && strcmp(field, "mailname") == 0 &&
            get(q, db, user, "maildrop", &value) == MAP_FOUND)
            v = get(q, db, ":default", field, &value);
        if (v == MAP_FOUND) {
            lookup_is_found_text(q,
                                 arena_printf(q->result, "%s@%.*s", user, (int)value.len, value.p));
            return;
        }
        if (v == MAP_TEMPFAIL) {
            lookup_failed(q, "%s cannot be read", s->paths[i]);
            return;
        }
    }
}

const struct lookup_class map_lookup_userdb = {lookup_read_file, userdb_find, userdb_close, false};

void lookup_userdb_all(struct lookup_query *q, const char *field)
{
    struct state *s = *q->state;
    struct map_bytes user = lookup_folded_key(q), value;
    struct buf all;

    if (!s)
        s = *q->state = new_state(q);
    lookup_is_not_found(q, EX_OK);
    if (memchr(user.p, '\0', user.len) || user.len == 0)
        return;
    const char *key = arena_printf(q->result, "%s:%s", user.p, field);
    for (size_t i = 0; i < s->count; i++) {
        enum map_verdict v = MAP_FOUND;
        if (lookup_database_open(q, &s->databases[i], MAP_btree, s->paths[i]) != 0)
            continue;
        buf_init(&all, q->result);
        for (size_t n = 0; v == MAP_FOUND; n++) {
            v = map_get_nth(s->databases[i].map, (struct map_bytes){key, strlen(key)}, n, &value);
            if (v == MAP_FOUND && value.len > 0) {
                buf_adds(&all, all.len ? "," : "");
                buf_add(&all, value.p, value.len);
            }
        }
        if (v == MAP_TEMPFAIL) {
            lookup_failed(q, "%s cannot be read", s->paths[i]);
            return;
        }
        if (all.len) {
            lookup_is_found(q, (struct map_bytes){all.data, all.len});
            return;
        }
    }
}
