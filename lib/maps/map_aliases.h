/*
 * map_aliases: the source of an alias database, as its entries: NAME: VALUE, where lines that begin
 * with a blank continue the one before them, and so does what follows a \ at the end of a line.
 *
 * It reads as newaliases does.  A remark has continuation lines too; an empty line has none.
 * A line that is no entry is given out with what is wrong with it.  Spans are offsets into the
 * text; what is stored is made of them by alias_name and alias_value.
 */
#ifndef MCF_MAPS_MAP_ALIASES_H
#define MCF_MAPS_MAP_ALIASES_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum alias_fault {
    ALIAS_GOOD,
    ALIAS_REMARK,      /* none, if it has one line; the rest is not read */
    ALIAS_BLANK_FIRST, /* continues nothing */
    ALIAS_NO_COLON,
    ALIAS_NO_NAME,
    ALIAS_NO_VALUE,
    ALIAS_QUOTE,      /* of the name: never closed */
    ALIAS_COLON_IN,   /* a colon of the name: what follows it is taken for the value */
    ALIAS_NUL,        /* in any of its lines */
    ALIAS_LONG,       /* than reader.longest */
    ALIAS_BYTE,       /* of the name, that no address has */
    ALIAS_NO_ADDRESS, /* the name is none */
    ALIAS_LONG_NAME,
    ALIAS_NOT_LOCAL, /* the name is another host's, a file or a program */
};

struct alias_span {
    size_t begin, end;
};

struct alias_entry {
    enum alias_fault fault;
    struct alias_span line;  /* the first one, without its end */
    struct alias_span more;  /* the lines that continue it; empty where there are none */
    struct alias_span name;  /* without blanks around it */
    struct alias_span value; /* without blanks before it; not empty */
};

struct alias_reader {
    const char *text;
    size_t len, pos;
    size_t longest; /* bytes of an entry, line ends aside; 0: any number */
};

/* An address of a value: the next one from *pos on, without commas and blanks around it; false
 * behind the last.  *open: a quote in it is never closed. */
struct alias_item {
    struct alias_span at;
    bool open;
};

/* How names become keys. */
struct alias_terms {
    char blank;            /* what stands for blanks between words */
    const char *operators; /* what separates words, beside blanks */
    /* Whether the host, lower case and without a dot at its end, is this one; its names are left
     * out.  NULL: none is. */
    bool (*local)(void *ctx, const char *host);
    void *ctx;
};

/* Those of a configuration that says nothing else. */
extern const struct alias_terms alias_terms_usual;

/* The next entry; false: the end. */
bool alias_next(struct alias_reader *r, struct alias_entry *e);
bool alias_item_next(const char *text, struct alias_span value, size_t *pos, struct alias_item *i);

/* Both write behind what out has, and nothing where the answer is not ALIAS_GOOD.  The key of a
 * name: the local part of its address, without remarks, in small letters. */
enum alias_fault alias_name(const char *text, struct alias_span name, const struct alias_terms *t,
                            struct buf *out);
/* The value as it is stored: on one line. */
void alias_value(const char *text, struct alias_span value, struct buf *out);

#endif
