/*
 * map_build: a new database from any number of entries.
 *
 * Entries are kept until all are there, sorted as the type of database is filled best, and put in:
 * a key that comes again stands beside the first then.  What does not fit into memory waits in a
 * file that has no name, in the folder of the database.  A cdb takes them in any order, and is
 * filled as they come, in such a file; only where a key comes again it goes the way of the others.
 * Memory: MAP_BUILD_MEMORY, and the database's cache; the caller's arena holds next to nothing.
 *
 * Functions give 0 or an errno.
 */
#ifndef MCF_MAPS_MAP_BUILD_H
#define MCF_MAPS_MAP_BUILD_H

#include "lib/maps/map.h"

#define MAP_BUILD_MEMORY ((size_t)400 << 20)

struct map_build;

struct map_build_options {
    enum map_type type;
    bool duplicates; /* keep all values of a key */
    bool replace;    /* keep its last one; else its first */
    bool told;       /* of those that are replaced, too */
    bool nul;        /* a NUL behind keys and values */
    size_t memory;   /* bytes; 0: MAP_BUILD_MEMORY */
    size_t cache;    /* bytes; 0: as is fit */
    /* Is told of each entry that is left out for another, when the database is filled; lines of the
     * one that is kept and of this; of one that is replaced, with its line and the other's. */
    void (*again)(void *ctx, struct map_bytes key, uint32_t first, uint32_t line);
    /* Is called now and then, while entries come (all is 0: how many is not known yet) and while
     * the database is filled; may be NULL. */
    void (*progress)(void *ctx, uint64_t done, uint64_t all);
    void *ctx;
};

/* folder: where the database will be. */
struct map_build *map_build_new(struct arena *a, const struct map_build_options *o,
                                const char *folder);
/* Keeps a copy.  ENOSPC and the like where it has to go to the file. */
int map_build_add(struct map_build *b, struct map_bytes key, struct map_bytes value, uint32_t line);
uint64_t map_build_count(const struct map_build *b);
/* Writes the database to path: a new file, or, if extend, more into one that is there, whose keys
 * count as of line 0. */
int map_build_write(struct map_build *b, const char *path, bool extend, mode_t mode);
void map_build_free(struct map_build *b); /* NULL is fine */

#endif
