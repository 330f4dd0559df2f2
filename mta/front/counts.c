#include "mta/front/counts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

enum { PARTS = 6, WINDOW_USUAL = 60, BUCKETS = 4096, ADDRESS_TEXT = 64 };

struct slots {
    uint64_t n[PARTS];
    uint64_t part; /* number of the latest part of time */
};

struct peer {
    struct peer *next;
    struct slots slots;
    uint64_t open;
    char address[ADDRESS_TEXT];
};

struct counts {
    struct arena *arena;
    uint64_t part_seconds, part;
    struct slots all;
    struct peer *peers[BUCKETS];
    struct peer *free; /* to be used again */
};

struct counts *counts_new(struct arena *a, uint64_t window)
{
    struct counts *c = arena_alloc(a, sizeof *c);

    c->arena = a;
    c->part_seconds = (window < PARTS ? WINDOW_USUAL : window) / PARTS;
    return c;
}

void counts_time(struct counts *c, uint64_t now)
{
    c->part = now / c->part_seconds;
}

static void move(struct slots *s, uint64_t part)
{
    if (part < s->part) /* the clock was put back */
        memset(s->n, 0, sizeof s->n);
    for (uint64_t p = s->part + 1; p <= part && p <= s->part + PARTS; p++)
        s->n[p % PARTS] = 0;
    s->part = part;
}

static uint64_t sum(struct slots *s, uint64_t part)
{
    uint64_t all = 0;

    move(s, part);
    for (size_t i = 0; i < PARTS; i++)
        all += s->n[i];
    return all;
}

static struct peer **place(struct counts *c, const char *address)
{
    uint64_t hash = 14695981039346656037u;

    for (const char *s = address; *s; s++)
        hash = (hash ^ (unsigned char)*s) * 1099511628211u;
    struct peer **at = &c->peers[hash % BUCKETS];
    /* Those that were silent go while others are looked for. */
    while (*at && strncmp((*at)->address, address, ADDRESS_TEXT - 1) != 0) {
        struct peer *p = *at;
        if (p->open == 0 && sum(&p->slots, c->part) == 0) {
            *at = p->next;
            p->next = c->free;
            c->free = p;
        } else {
            at = &p->next;
        }
    }
    return at;
}

static struct peer *peer_of(struct counts *c, const char *address)
{
    struct peer **at = place(c, address);

    if (*at)
        return *at;
    struct peer *p = c->free;
    if (p)
        c->free = p->next;
    else
        p = arena_alloc(c->arena, sizeof *p);
    *p = (struct peer){.slots.part = c->part};
    strncpy(p->address, address, ADDRESS_TEXT - 1);
    *at = p;
    return p;
}

void counts_enter(struct counts *c, const char *address)
{
    struct peer *p = peer_of(c, address);

    p->open++;
    move(&p->slots, c->part);
    p->slots.n[c->part % PARTS]++;
    move(&c->all, c->part);
    c->all.n[c->part % PARTS]++;
}

void counts_leave(struct counts *c, const char *address)
{
    struct peer *p = *place(c, address);

    if (p && p->open > 0)
        p->open--;
}

uint64_t counts_open(struct counts *c, const char *address)
{
    const struct peer *p = *place(c, address);

    return p ? p->open : 0;
}

uint64_t counts_rate(struct counts *c, const char *address)
{
    struct peer *p = *place(c, address);

    return p ? sum(&p->slots, c->part) : 0;
}

uint64_t counts_total(struct counts *c)
{
    return sum(&c->all, c->part);
}
