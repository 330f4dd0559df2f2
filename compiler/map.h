/*
 * map: the verbs of `mcf map', a row each.
 */
#ifndef MCF_COMPILER_MAP_H
#define MCF_COMPILER_MAP_H

#include <stdbool.h>

#include "lib/maps/map.h"
#include "lib/model/config.h"

/* What mcf map does.  MAP_VERB(name, usage, one line); as verbs.h says of verbs. */
#define MAP_VERBS                                                                                  \
    MAP_VERB(build, "[-k KIND] [-t TYPE] [-o MAP] [-N] [-r] SOURCE...|--config FILE.cf|FILE.mc",   \
             "makes a database of each SOURCE, or leaves the old one as it is")                    \
    MAP_VERB(check, "[-k KIND] [--fix] SOURCE...",                                                 \
             "says what is wrong with a map's source, and mends what has one right answer")        \
    MAP_VERB(query, "[-t TYPE] MAP KEY...|-  or  --config FILE.cf|FILE.mc NAME KEY...",            \
             "says what a database has for each KEY, or which keys sendmail tries for it")         \
    MAP_VERB(convert, "--to TYPE [-t TYPE] [--config FILE.mc [--fix]] MAP",                        \
             "writes a database as one of another type, beside it")                                \
    MAP_VERB(dump, "[-t TYPE] MAP", "prints a database, an entry a line")                          \
    MAP_VERB(diff, "[-t TYPE] OLD NEW", "says what differs between two databases")

#define MAP_VERB(name, usage, text) int map_##name(int argc, char **argv);
MAP_VERBS
#undef MAP_VERB

/* How a database is made of a source. */
struct map_terms {
    enum map_type type;
    bool nul, replace, keep_case;
};

/* Makes the database at path, or leaves it as it is; an exit code, and what is wrong is said. */
int map_build_source(const struct map_terms *terms, const char *source, const char *path);
/* The same of aliases.  c: whose they are; NULL is fine. */
int map_build_aliases(const struct map_terms *terms, const char *source, const char *path,
                      const struct config *c);
struct map_convert_terms {
    enum map_type to;
    const char *config; /* NULL, or the .mc whose edits are shown */
    bool fix;           /* and made */
};
/* type NULL: it is seen.  An exit code. */
int map_convert_file(const char *name, const enum map_type *type,
                     const struct map_convert_terms *terms);
/* The database that is meant: any type's suffix may be missing.  type NULL: it is seen.  NULL:
 * there is none that can be read, which is said; else *found, unless NULL, is its type.  many: as
 * map_open_many. */
struct map *map_open_named(const char *verb, struct arena *a, const enum map_type *type, bool many,
                           const char *name, enum map_type *found);

#endif
