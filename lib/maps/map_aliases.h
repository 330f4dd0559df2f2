/*
 * map_aliases: the source of an alias database, as its entries: NAME: VALUE, where lines that begin
 * with a blank continue the one before them, and so does what follows a \ at the end of a line.
 *
 * It reads as newaliases does.  A remark has continuation lines too; an empty line has none.
 * A line that is no entry is given out with what is wrong with it.  Spans are offsets into the
 * text.
 */
#ifndef MCF_MAPS_MAP_ALIASES_H
#define MCF_MAPS_MAP_ALIASES_H

#include <stdbool.h>
#include <stddef.h>

enum alias_fault {
    ALIAS_GOOD,
    ALIAS_REMARK,      /* none, if it has one line; the rest is not read */
    ALIAS_BLANK_FIRST, /* continues nothing */
    ALIAS_NO_COLON,
    ALIAS_NO_NAME,
    ALIAS_NO_VALUE,
    ALIAS_QUOTE, /* of the name: never closed */
    ALIAS_NUL,
};

struct alias_span {
    size_t begin, end;
};

struct alias_entry {
    enum alias_fault fault;
    struct alias_span line; /* the first one, without its end */
    struct alias_span more; /* the lines that continue it; empty where there are none */
    struct alias_span name; /* without blanks around it */
    struct alias_span value;
};

struct alias_reader {
    const char *text;
    size_t len, pos;
};

/* An address of a value: the next one from *pos on, without commas and blanks around it; false
 * behind the last.  *open: a quote in it is never closed. */
struct alias_item {
    struct alias_span at;
    bool open;
};

/* The next entry; false: the end. */
bool alias_next(struct alias_reader *r, struct alias_entry *e);
bool alias_item_next(const char *text, struct alias_span value, size_t *pos, struct alias_item *i);

#endif
