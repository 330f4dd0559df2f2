/*
 * map: the source of a map as its entries, with the place of every part.
 *
 * The reader takes any bytes and never fails: a line that is no entry is one with a fault.  What an
 * entry's parts mean is for the kind of map to say (compiler/map_check.c).  Spans are offsets into
 * the text, which must live as long as what is made of them; everything else is in the arena.
 *
 * It reads as lib/maps/map_lines does, which is for sources that do not fit into memory.
 */
#ifndef MCF_GRAMMAR_MAP_H
#define MCF_GRAMMAR_MAP_H

#include <stddef.h>
#include <stdint.h>

struct arena;

struct map_span {
    size_t begin, end;
};

enum map_entry_fault {
    MAP_ENTRY_GOOD,
    MAP_ENTRY_BLANK_FIRST,
    MAP_ENTRY_ONLY_BLANKS,
    MAP_ENTRY_NO_VALUE,
    MAP_ENTRY_NUL,
};

struct map_entry {
    enum map_entry_fault fault;
    struct map_span line;
    struct map_span tag; /* a word before the first colon of the key; empty where there is none */
    struct map_span key; /* all of it */
    struct map_span value;
};

struct map_source {
    const char *text;
    struct map_entry *v;
    size_t n, room;
    struct arena *arena;
};

struct map_source *map_source_read(struct arena *a, const char *text, size_t len);

/* --- for map.l and map.y --- */

struct map_reader {
    struct map_source *source;
    size_t pos;
};

void map_add(struct map_source *s, enum map_entry_fault fault, struct map_span line,
             struct map_span tag, struct map_span key, struct map_span value);

#endif
