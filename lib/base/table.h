/*
 * table: a map from strings to pointers, in insertion order.
 *
 * Keys are compared byte for byte; the table keeps its own copy of a key in
 * its arena, and never owns a value.  Iteration is in order of first insertion,
 * so that output made from a table does not depend on hashing.
 */
#ifndef MCF_BASE_TABLE_H
#define MCF_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct table;

struct table_entry {
    const char *key;
    void *value;
};

struct table *table_new(struct arena *a);
void table_set(struct table *t, const char *key, void *value); /* replaces */
void *table_get(const struct table *t, const char *key);       /* NULL if absent */
bool table_has(const struct table *t, const char *key);
bool table_remove(struct table *t, const char *key); /* true if it was there */
size_t table_count(const struct table *t);
/* The i-th entry in insertion order, i < table_count. */
const struct table_entry *table_at(const struct table *t, size_t i);

#endif
