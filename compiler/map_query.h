/*
 * map_query: which keys are looked up in a configuration's map, and which one answers.
 */
#ifndef MCF_COMPILER_MAP_QUERY_H
#define MCF_COMPILER_MAP_QUERY_H

#include <stddef.h>

/* path: the .cf or .mc; map: what a K line calls it.  An exit code: 1 where nothing is found. */
int map_query_config(const char *path, const char *map, const char *const *keys, size_t n);

#endif
