#include "lib/maps/map.h"

#include <errno.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/maps/map_class.h"

static const struct {
    const char *name, *suffix, *text;
} types[] = {
#define MAP_FILE_TYPE(name, suffix, text) {#name, suffix, text},
#include "lib/maps/types.def"
#undef MAP_FILE_TYPE
};

struct map {
    const struct map_class *class;
    void *state;
    struct arena *arena;
    enum { NUL_UNKNOWN, NUL_NONE, NUL_BEHIND } nul; /* what the keys of the file have */
    char *long_key;                                 /* for a copy with a NUL; long_room bytes */
    size_t long_room;
};

const char *map_type_name(enum map_type type)
{
    return types[type].name;
}

const char *map_type_suffix(enum map_type type)
{
    return types[type].suffix;
}

const char *map_type_text(enum map_type type)
{
    return types[type].text;
}

bool map_type_find(const char *name, enum map_type *type)
{
    for (size_t i = 0; i < MAP_TYPES; i++)
        if (strcmp(types[i].name, name) == 0) {
            *type = (enum map_type)i;
            return true;
        }
    return false;
}

static const struct map_class *class_of(enum map_type type)
{
    return type == MAP_cdb ? &map_class_cdb : &map_class_db;
}

const char *map_type_library(enum map_type type)
{
    return class_of(type)->library;
}

static struct map *new_map(struct arena *a, enum map_type type)
{
    struct map *m = arena_alloc(a, sizeof *m);
    m->arena = a;
    m->class = class_of(type);
    return m;
}

int map_open(struct arena *a, enum map_type type, const char *path, struct map **m)
{
    *m = new_map(a, type);
    return (*m)->class->open(a, type, path, false, &(*m)->state);
}

int map_open_many(struct arena *a, enum map_type type, const char *path, struct map **m)
{
    *m = new_map(a, type);
    return (*m)->class->open(a, type, path, true, &(*m)->state);
}

int map_create(struct arena *a, enum map_type type, const char *path, const struct map_plan *plan,
               mode_t mode, struct map **m)
{
    *m = new_map(a, type);
    return (*m)->class->create(a, type, path, plan, mode, &(*m)->state);
}

int map_create_nameless(struct arena *a, enum map_type type, const char *folder, struct map **m)
{
    *m = new_map(a, type);
    return (*m)->class->nameless ? (*m)->class->nameless(a, folder, &(*m)->state) : ENOTSUP;
}

int map_name(struct map *m, const char *path, mode_t mode)
{
    return m->class->name(m->state, path, mode);
}

int map_read_back(struct map *m)
{
    return m->class->read_back(m->state);
}

int map_extend(struct arena *a, enum map_type type, const char *path, struct map **m)
{
    *m = new_map(a, type);
    return (*m)->class->extend ? (*m)->class->extend(a, type, path, &(*m)->state) : ENOTSUP;
}

static void without_nul(struct map_bytes *b)
{
    if (b->len > 0 && b->p[b->len - 1] == '\0')
        b->len--;
}

/* Of a map that is open for long, what one lookup needs the next one uses again. */
static char *room_for(struct map *m, size_t size)
{
    if (size > m->long_room) {
        m->long_room = 2 * size;
        m->long_key = arena_raw(m->arena, m->long_room);
    }
    return m->long_key;
}

void map_expect_nul(struct map *m, bool nul)
{
    m->nul = nul ? NUL_BEHIND : NUL_NONE;
}

enum map_verdict map_get(struct map *m, struct map_bytes key, struct map_bytes *value)
{
    enum map_verdict v = MAP_NOT_FOUND;
    if (m->nul != NUL_BEHIND)
        v = m->class->get(m->state, key, value);
    if (v == MAP_FOUND) {
        m->nul = NUL_NONE;
    } else if (v == MAP_NOT_FOUND && m->nul != NUL_NONE) {
        char small[256], *copy = key.len < sizeof small ? small : room_for(m, key.len + 1);
        if (key.len > 0)
            memcpy(copy, key.p, key.len);
        copy[key.len] = '\0';
        v = m->class->get(m->state, (struct map_bytes){copy, key.len + 1}, value);
        if (v == MAP_FOUND)
            m->nul = NUL_BEHIND;
    }
    if (v == MAP_FOUND && m->nul == NUL_BEHIND)
        without_nul(value);
    return v;
}

enum map_verdict map_get_whole(struct map *m, struct map_bytes key, struct map_bytes *value)
{
    return m->class->get(m->state, key, value);
}

enum map_verdict map_get_nth(struct map *m, struct map_bytes key, size_t n, struct map_bytes *value)
{
    if (n == 0 || !m->class->nth)
        return n == 0 ? map_get(m, key, value) : MAP_NOT_FOUND;
    /* map_get knows by now whether there is a NUL behind keys. */
    enum map_verdict v = m->class->nth(m->state, key, n, value);
    if (v == MAP_NOT_FOUND && key.p[key.len] == '\0')
        v = m->class->nth(m->state, (struct map_bytes){key.p, key.len + 1}, n, value);
    if (v == MAP_FOUND)
        without_nul(value);
    return v;
}

enum map_verdict map_next_whole(struct map *m, struct map_bytes *key, struct map_bytes *value)
{
    return m->class->next(m->state, key, value);
}

enum map_verdict map_next(struct map *m, struct map_bytes *key, struct map_bytes *value)
{
    enum map_verdict v = map_next_whole(m, key, value);
    if (v == MAP_FOUND) {
        without_nul(key);
        without_nul(value);
    }
    return v;
}

int map_put(struct map *m, struct map_bytes key, struct map_bytes value, bool replace)
{
    return m->class->put(m->state, key, value, replace);
}

int map_finish(struct map *m)
{
    return m->class->finish(m->state);
}

void map_close(struct map *m)
{
    if (m)
        m->class->close(m->state);
}
