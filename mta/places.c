#include "mta/places.h"

#include <stdlib.h>
#include <string.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

enum { MAP_MAX = 16 << 20, FIELDS = 5 };

struct place {
    size_t first, last;
    const char *path;
    size_t line;  /* of first */
    bool in_step; /* each line has the line after; else the path says the line */
};

struct places {
    struct place *v;
    size_t n, room;
};

/* FNV-1a, as the map has it. */
static uint64_t hash(const char *s, size_t len)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h;
}

static bool is_of(const char *line, const char *cf, size_t len)
{
    char *end;

    if (strncmp(line, "cf\t", 3) != 0)
        return false;
    unsigned long long size = strtoull(line + 3, &end, 10);
    return size == len && *end == '\t' && strtoull(end + 1, NULL, 16) == hash(cf, len);
}

/* "PATH:LINE-LINE", of as many lines: cut off behind the path. */
static void read_range(struct place *to, char *at)
{
    char *colon = strrchr(at, ':'), *end;

    to->path = at;
    if (!colon)
        return;
    size_t first = strtoull(colon + 1, &end, 10);
    if (*end != '-' || strtoull(end + 1, NULL, 10) != first + (to->last - to->first))
        return;
    *colon = '\0';
    to->line = first;
    to->in_step = true;
}

/* LINES, KIND, AT, CAUSE, TEXT: what the line says, the cause before the place. */
static void read_line(struct arena *a, struct places *p, char *line)
{
    char *field[FIELDS] = {line}, *end;
    size_t n = 1;

    for (char *s = line; *s && n < FIELDS; s++) {
        if (*s == '\t') {
            *s = '\0';
            field[n++] = s + 1;
        }
    }
    if (n < FIELDS - 1)
        return;
    struct place at = {.first = strtoull(field[0], &end, 10)};
    at.last = *end == '-' ? strtoull(end + 1, NULL, 10) : at.first;
    read_range(&at, *field[3] ? field[3] : field[2]);
    if (!*at.path || !at.first)
        return;
    p->v = arena_grow(a, p->v, p->n, &p->room, sizeof *p->v, 256);
    p->v[p->n++] = at;
}

const struct places *places_read(struct arena *a, const char *path, const char *cf)
{
    char *text, *bytes;
    size_t len, cf_len, number = 0;
    struct places *p;

    if (fs_read(a, path, MAP_MAX, &text, &len) != 0 ||
        fs_read(a, cf, MAP_MAX, &bytes, &cf_len) != 0 || strncmp(text, "mcf-map 1\n", 10) != 0)
        return NULL;
    p = arena_calloc(a, 1, sizeof *p);
    for (char *s = text, *next; s && *s; s = next, number++) {
        next = strchr(s, '\n');
        if (next)
            *next++ = '\0';
        if (number == 1 && !is_of(s, bytes, cf_len))
            return NULL;
        if (number > 1)
            read_line(a, p, s);
    }
    return p;
}

const char *places_find(struct arena *a, const struct places *p, size_t line)
{
    size_t low = 0, high = p ? p->n : 0;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p->v[mid].last < line)
            low = mid + 1;
        else
            high = mid;
    }
    if (!p || low == p->n || p->v[low].first > line)
        return NULL;
    const struct place *at = &p->v[low];
    return at->in_step ? arena_printf(a, "%s:%zu", at->path, at->line + (line - at->first))
                       : at->path;
}
