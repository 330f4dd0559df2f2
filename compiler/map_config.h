/*
 * map_config: the maps that a configuration declares with its K lines.
 *
 * Everything lives in the arena of map_config_read.  A name that is declared twice is what its last
 * K line says, as for sendmail, without regard to case.
 */
#ifndef MCF_COMPILER_MAP_CONFIG_H
#define MCF_COMPILER_MAP_CONFIG_H

#include <stdbool.h>

#include "lib/maps/map.h"
#include "lib/model/config.h"

struct map_declared {
    const char *name, *class;
    const char *at;     /* FILE:LINE of the K line, or of the directive that it comes from */
    bool made;          /* of a class that is a type of ours; then: */
    enum map_type type; /*   which */
    const char *source; /*   its file without the type's suffix; NULL: none is named */
    bool optional, nul, keep_case; /* -o -N -f */
    const char **members;          /* of a sequence, NULL-terminated; else NULL */
};

/* FILE.cf or, by its name, FILE.mc.  NULL: it cannot be read, or has errors, which is said; *rc is
 * the exit code. */
struct config *map_config_read(const char *verb, struct arena *a, const char *path, int *rc);
struct map_declared map_config_declared(const struct config *c, const struct item *k);
/* The K line of the map; NULL: there is none. */
const struct item *map_config_find(const struct config *c, const char *name);
/* Makes each database that is not there or older than its source; an exit code. */
int map_config_build(const char *path);

#endif
