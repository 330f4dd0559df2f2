/*
 * map_file: a database of a map's source, made beside the old one and put in its place.
 */
#ifndef MCF_COMPILER_MAP_FILE_H
#define MCF_COMPILER_MAP_FILE_H

#include <stdbool.h>

#include "lib/maps/map_build.h"

/* path with the type's suffix, unless it has that already. */
char *map_file_path(struct arena *a, enum map_type type, const char *path);
/* Why a file that is there cannot be read as one of the type, and what mends it, where its format
 * says so; else NULL. */
const char *map_file_trouble(struct arena *a, enum map_type type, const char *path);
/* 0, or an errno and a word why: a map that is a link, or no plain file, is not replaced. */
int map_file_safe(const char *path, const char **why);
struct map_file_terms {
    uid_t owner; /* as in map_install */
    const size_t
        *faults; /* where it counts any when the file is filled, the old one stays; or NULL */
};

/* Fills a new file with what was built, or a copy of the old one with more if extend, and installs
 * it as path; what was half made is gone whatever happens.  0 or an errno. */
int map_file_write(struct arena *a, struct map_build *b, const char *path, bool extend,
                   const struct map_file_terms *terms);

#endif
