/*
 * list_tables: what the library and the languages have: the tables behind `mcf list`, each from the
 * rows that the compiler reads.
 *
 * Nothing fails; texts go to a buffer.
 */
#ifndef MCF_COMPILER_LIST_TABLES_H
#define MCF_COMPILER_LIST_TABLES_H

#include <stddef.h>

struct buf;

struct list_table {
    const char *kind; /* "features" */
    const char *what; /* "feature" */
    size_t (*count)(void);
    const char *(*name)(size_t i);
    void (*line)(struct buf *b, size_t i);      /* what it is, in a line, without its name */
    void (*paragraph)(struct buf *b, size_t i); /* the rest, a line each */
};

extern const struct list_table list_tables[];
extern const size_t list_tables_count;

#endif
