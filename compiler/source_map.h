/*
 * source_map: which line of the .mc or of rulesets/ a line of the .cf comes from, in a file beside
 * the .cf.
 *
 * Format: text, fields separated by one tab; in a field a tab, a line end and a backslash are
 * written \t, \n and \\.
 *
 *     mcf-map 1
 *     cf <tab> size in bytes <tab> FNV-1a of the bytes, 16 hex digits <tab> path of the .cf
 *     LINES <tab> KIND <tab> AT <tab> CAUSE <tab> TEXT
 *
 * LINES is N or N-M, lines of the .cf, rising, without a line twice; a line that is in no entry has
 * no origin.  KIND is the label of the item (lib/model/items.def).  AT is PATH:LINE where all lines
 * come from that line, or PATH:LINE-LINE where the lines of both files go in step.  CAUSE is the
 * PATH:LINE of the directive that made the lines, TEXT what stands there, or both are empty.
 */
#ifndef MCF_COMPILER_SOURCE_MAP_H
#define MCF_COMPILER_SOURCE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/model/config.h"

/* The map of c, emitted as the cf_len bytes of cf to path ("-" for standard output). */
void source_map_write(struct buf *out, const struct config *c, const char *path, const char *cf,
                      size_t cf_len);

struct source_map_entry {
    size_t first, last; /* lines of the .cf */
    const char *kind;
    const char *path;       /* "" when the place is not known */
    size_t line;            /* of first */
    bool in_step;           /* each line has the line after */
    const char *cause_path; /* "" when there is no cause */
    size_t cause_line;
    const char *cause_text;
};

struct source_map {
    const char *cf_path;
    size_t cf_size;
    unsigned long long cf_hash;
    struct source_map_entry *entries;
    size_t count;
};

/* Reads a map's text.  NULL when it is none, and *why says what is wrong ("line 3: ..."); both are
 * in the arena. */
struct source_map *source_map_read(struct arena *a, const char *text, size_t len, const char **why);
/* Whether the map was made for these bytes. */
bool source_map_fits(const struct source_map *m, const char *cf, size_t cf_len);
/* The entry of a line of the .cf, NULL when it has no known origin. */
const struct source_map_entry *source_map_find(const struct source_map *m, size_t line);

#endif
