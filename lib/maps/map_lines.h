/*
 * map_lines: the entries of a map's source, as makemap reads them: a key, blanks, a value; what
 * begins with # is a remark.
 *
 * The source is read as it comes, so that its size does not matter; what is given out is valid
 * until the next call.  A line that is none is given out with what is wrong with it, and the next
 * is read all the same.
 */
#ifndef MCF_MAPS_MAP_LINES_H
#define MCF_MAPS_MAP_LINES_H

#include "lib/maps/map.h"

enum map_fault {
    MAP_LINE_GOOD,
    MAP_LINE_BLANK_FIRST, /* and not only blanks */
    MAP_LINE_ONLY_BLANKS,
    MAP_LINE_NO_VALUE,
    MAP_LINE_NUL,
    MAP_LINE_LONG, /* than options.longest */
};

struct map_lines_options {
    char delimiter; /* between key and value; NUL: blanks */
    char comment;   /* NUL: '#' */
    bool keep_case; /* of keys; else capitals become small letters */
    bool empty;     /* a value may be missing */
    size_t longest; /* bytes of a line; 0: any number */
};

struct map_line {
    uint32_t number;
    enum map_fault fault;
    struct map_bytes key, value;
    uint32_t value_at; /* bytes before the value */
};

struct map_lines;

/* Capitals become small letters, as in keys. */
void map_fold(char *key, size_t len);

/* fd stays the caller's. */
struct map_lines *map_lines_new(struct arena *a, int fd, const struct map_lines_options *o);
/* 1: a line, 0: the end, else -errno. */
int map_lines_next(struct map_lines *l, struct map_line *line);
void map_lines_free(struct map_lines *l); /* NULL is fine */

#endif
