/*
 * map: one database file of keys and values.
 *
 * An open map is in the caller's arena and must be closed; what it gives out is valid until the
 * next call for the same map.  Keys and values are bytes of any kind, without the NUL that a file
 * may keep behind them (makemap -N).  A map is used by one thread at a time.
 *
 * Functions that can fail give 0 or an errno; a file of another type or a damaged one is EINVAL.
 * A lookup has three outcomes: it was found, it is not there, or that cannot be said now.
 */
#ifndef MCF_MAPS_MAP_H
#define MCF_MAPS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct map;

enum map_type {
#define MAP_FILE_TYPE(name, suffix, text) MAP_##name,
#include "lib/maps/types.def"
#undef MAP_FILE_TYPE
    MAP_TYPES
};

enum map_verdict { MAP_FOUND, MAP_NOT_FOUND, MAP_TEMPFAIL };

struct map_bytes {
    const char *p;
    size_t len;
};

const char *map_type_name(enum map_type type);
const char *map_type_suffix(enum map_type type);
const char *map_type_text(enum map_type type);
/* The library that reads and writes it, with its version. */
const char *map_type_library(enum map_type type);
bool map_type_find(const char *name, enum map_type *type);

/* The file at path, suffix and all, to read from. */
int map_open(struct arena *a, enum map_type type, const char *path, struct map **m);
/* The same for many lookups: what was read stays in memory, up to 256 MiB; who looks up one key has
 * more work so. */
int map_open_many(struct arena *a, enum map_type type, const char *path, struct map **m);
/* As sendmail without -N and -O looks: without a NUL behind the key, then with one; once one of
 * them was found, only so. */
enum map_verdict map_get(struct map *m, struct map_bytes key, struct map_bytes *value);
/* Says which keys the file has, so that map_get looks only so. */
void map_expect_nul(struct map *m, bool nul);
/* The key as it is given, and no other; the value with its NUL, if it has one. */
enum map_verdict map_get_whole(struct map *m, struct map_bytes key, struct map_bytes *value);
/* The n-th value, from 0, of a key that may be there more than once, and has a NUL behind it;
 * MAP_NOT_FOUND behind the last. */
enum map_verdict map_get_nth(struct map *m, struct map_bytes key, size_t n,
                             struct map_bytes *value);
/* The next entry, in the order of the file; MAP_NOT_FOUND behind the last. */
enum map_verdict map_next(struct map *m, struct map_bytes *key, struct map_bytes *value);
/* The same, with the NUL behind key and value where the file has one. */
enum map_verdict map_next_whole(struct map *m, struct map_bytes *key, struct map_bytes *value);
void map_close(struct map *m); /* NULL is fine */

/* What is known before a file is filled. */
struct map_plan {
    uint64_t entries, bytes; /* of keys and values; an estimate will do */
    bool duplicates;         /* a key may be there more than once; not in cdb (ENOTSUP) */
    size_t cache;            /* bytes; 0: as is fit */
};

/* A new file, which must not be there yet. */
int map_create(struct arena *a, enum map_type type, const char *path, const struct map_plan *plan,
               mode_t mode, struct map **m);
/* A new file in the folder that has no name, and is gone with the process if it never gets one;
 * ENOTSUP where the type cannot, or another errno where the folder cannot. */
int map_create_nameless(struct arena *a, enum map_type type, const char *folder, struct map **m);
/* Its name, which must not be there yet; before map_finish. */
int map_name(struct map *m, const char *path, mode_t mode);
/* Makes one that was being filled, and has no name, one to read from, from its start. */
int map_read_back(struct map *m);
/* A file that is there, to put more into; ENOTSUP for cdb. */
int map_extend(struct arena *a, enum map_type type, const char *path, struct map **m);
/* EEXIST: the key is there, and neither replace nor the plan says what then. */
int map_put(struct map *m, struct map_bytes key, struct map_bytes value, bool replace);
/* Writes what is not written yet, to the disk, and closes the map whatever comes of it. */
int map_finish(struct map *m);

/* Puts the finished file in the place of path, whole.  Who has the old one open sees it whole as
 * long as he does, and that it is old (its time is set forward), as sendmail looks for; the lock
 * that makemap and newaliases hold is held meanwhile.  The mode is the old file's, else mode; the
 * owner is, if root asks, owner, where that is -1 the old file's. */
int map_install(const char *file, const char *path, uid_t owner, mode_t mode);

#endif
