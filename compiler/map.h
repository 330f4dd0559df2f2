/*
 * map: the verbs of `mcf map', a row each.
 */
#ifndef MCF_COMPILER_MAP_H
#define MCF_COMPILER_MAP_H

/* What mcf map does.  MAP_VERB(name, usage, one line); as verbs.h says of verbs. */
#define MAP_VERBS                                                                                  \
    MAP_VERB(build, "[-t TYPE] [-o MAP] [-N] [-r] SOURCE...",                                      \
             "makes a database of each SOURCE, or leaves the old one as it is")                    \
    MAP_VERB(check, "[-k access|plain] [--fix] SOURCE...",                                         \
             "says what is wrong with a map's source, and mends what has one right answer")        \
    MAP_VERB(query, "[-t TYPE] MAP KEY...|-", "says what a database has for each KEY")             \
    MAP_VERB(dump, "[-t TYPE] MAP", "prints a database, an entry a line")                          \
    MAP_VERB(diff, "[-t TYPE] OLD NEW", "says what differs between two databases")

#define MAP_VERB(name, usage, text) int map_##name(int argc, char **argv);
MAP_VERBS
#undef MAP_VERB

#endif
