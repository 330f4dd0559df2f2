/*
 * map_class: what a type of database must be able to do.  The functions are those of map.h; an
 * entry that is NULL is ENOTSUP.
 */
#ifndef MCF_MAPS_MAP_CLASS_H
#define MCF_MAPS_MAP_CLASS_H

#include "lib/maps/map.h"

/* The value of a macro, as text. */
#define MAP_TEXT(x) MAP_TEXT_OF(x)
#define MAP_TEXT_OF(x) #x

struct map_class {
    const char *library; /* and its version */
    int (*open)(struct arena *a, enum map_type type, const char *path, bool many, void **state);
    int (*create)(struct arena *a, enum map_type type, const char *path,
                  const struct map_plan *plan, mode_t mode, void **state);
    /* The three of a file without a name, or none of them. */
    int (*nameless)(struct arena *a, const char *folder, void **state);
    int (*name)(void *state, const char *path, mode_t mode);
    int (*read_back)(void *state);
    int (*extend)(struct arena *a, enum map_type type, const char *path, void **state);
    enum map_verdict (*get)(void *state, struct map_bytes key, struct map_bytes *value);
    enum map_verdict (*nth)(void *state, struct map_bytes key, size_t n, struct map_bytes *value);
    enum map_verdict (*next)(void *state, struct map_bytes *key, struct map_bytes *value);
    int (*put)(void *state, struct map_bytes key, struct map_bytes value, bool replace);
    int (*finish)(void *state);
    void (*close)(void *state);
};

extern const struct map_class map_class_db, map_class_cdb;

#endif
