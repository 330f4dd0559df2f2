/*
 * map_config: the maps that a configuration declares with its K lines, and its alias files.
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
    const char *at;     /* FILE:LINE of the line, or of the directive that it comes from */
    bool made;          /* of a class that is a type of ours; then: */
    enum map_type type; /*   which */
    const char *source; /*   its file without the type's suffix; NULL: none is named */
    bool optional, nul, keep_case; /* -o -N -f */
    bool no_nul, match_only;       /* -O -m */
    const char *append;            /* -a: behind each answer; "" */
    const char **members;          /* of a sequence, NULL-terminated; else NULL */
    bool unknown;                  /* aliases only: no class of sendmail's, or not of every one */
};

struct map_aliases {
    struct map_declared *v;
    size_t n, room;
};

/* FILE.cf or, by its name, FILE.mc.  NULL: it cannot be read, or has errors, which is said; *rc is
 * the exit code. */
struct config *map_config_read(const char *verb, struct arena *a, const char *path, int *rc);
struct map_declared map_config_declared(const struct config *c, const struct item *k);
/* The K line of the map; NULL: there is none. */
const struct item *map_config_find(const struct config *c, const char *name);
/* What its options AliasFile name, in order; or, unless NULL, the text instead of them.  Of what is
 * made, the source is as it is named: no suffix is taken away, and none may be there. */
struct map_aliases map_config_aliases(const struct config *c, const char *instead);
/* Makes each database that is not there or older than its source; an exit code. */
int map_config_build(const char *path);

#endif
