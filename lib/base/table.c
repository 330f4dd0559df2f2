#include "lib/base/table.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"

struct node {
    struct table_entry entry;
    uint64_t hash;
    struct node *next; /* in its bucket */
};

struct table {
    struct arena *arena;
    struct node **order; /* insertion order */
    size_t count;
    size_t cap;
    struct node **buckets; /* a power of two of them */
    size_t nbuckets;
};

/* Eight bytes at a time: a multiplication takes as long as it takes to read them. */
static uint64_t hash_of(const char *key)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    size_t len = strlen(key);
    uint64_t h = len;
    for (; len >= 8; len -= 8, key += 8) {
        uint64_t word;
        memcpy(&word, key, 8);
        h = (h ^ word) * odd;
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    memcpy(&rest, key, len);
    h = (h ^ rest) * odd;
    return h ^ h >> 32;
}

struct table *table_new(struct arena *a)
{
    struct table *t = arena_alloc(a, sizeof *t);
    t->arena = a;
    t->cap = 8;
    t->order = arena_calloc(a, t->cap, sizeof *t->order);
    t->nbuckets = 16;
    t->buckets = arena_calloc(a, t->nbuckets, sizeof *t->buckets);
    return t;
}

static struct node **bucket(const struct table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->nbuckets - 1)];
}

static struct node *find(const struct table *t, const char *key, uint64_t hash)
{
    struct node *n = *bucket(t, hash);
    while (n && (n->hash != hash || strcmp(n->entry.key, key) != 0))
        n = n->next;
    return n;
}

static void grow(struct table *t)
{
    struct node **order = arena_calloc(t->arena, t->cap * 2, sizeof *order);
    memcpy(order, t->order, t->count * sizeof *order);
    t->order = order;
    t->cap *= 2;
    t->nbuckets = t->cap * 2;
    t->buckets = arena_calloc(t->arena, t->nbuckets, sizeof *t->buckets);
    for (size_t i = 0; i < t->count; i++) {
        struct node **b = bucket(t, order[i]->hash);
        order[i]->next = *b;
        *b = order[i];
    }
}

void table_set(struct table *t, const char *key, void *value)
{
    uint64_t hash = hash_of(key);
    struct node *n = find(t, key, hash);
    if (!n) {
        if (t->count == t->cap)
            grow(t);
        n = arena_alloc(t->arena, sizeof *n);
        n->entry.key = arena_strdup(t->arena, key);
        n->hash = hash;
        struct node **b = bucket(t, hash);
        n->next = *b;
        *b = n;
        t->order[t->count++] = n;
    }
    n->entry.value = value;
}

void *table_get(const struct table *t, const char *key)
{
    struct node *n = find(t, key, hash_of(key));
    return n ? n->entry.value : NULL;
}

bool table_has(const struct table *t, const char *key)
{
    return find(t, key, hash_of(key)) != NULL;
}

bool table_remove(struct table *t, const char *key)
{
    uint64_t hash = hash_of(key);
    struct node *n = find(t, key, hash);
    if (!n)
        return false;
    struct node **b = bucket(t, hash);
    while (*b != n)
        b = &(*b)->next;
    *b = n->next;
    size_t i = 0;
    while (t->order[i] != n)
        i++;
    memmove(&t->order[i], &t->order[i + 1], (t->count - i - 1) * sizeof *t->order);
    t->count--;
    return true;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

const struct table_entry *table_at(const struct table *t, size_t i)
{
    return &t->order[i]->entry;
}
