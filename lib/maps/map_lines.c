#include "lib/maps/map_lines.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"

enum { ROOM = 1 << 18 };

struct map_lines {
    struct map_lines_options o;
    int fd;
    char *buffer;
    size_t room, at, end;
    bool ended;
    uint32_t number;
    bool separates[256]; /* bytes that stand between key and value */
    char folded[256];    /* what becomes of a key's bytes */
};

static char folded(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Eight at once: in its highest bit a byte shows whether it is from 'A' on, and not behind 'Z'. */
static uint64_t folded_eight(uint64_t v)
{
    const uint64_t ones = UINT64_MAX / 0xff, high = ones << 7, low = v & ~high;
    const uint64_t from = low + ones * (0x80 - 'A'), behind = low + ones * (0x80 - 'Z' - 1);

    return v | ((from & ~behind & ~v & high) >> 2);
}

void map_fold(char *key, size_t len)
{
    uint64_t v;

    for (; len >= sizeof v; key += sizeof v, len -= sizeof v) {
        memcpy(&v, key, sizeof v);
        v = folded_eight(v);
        memcpy(key, &v, sizeof v);
    }
    for (size_t i = 0; i < len; i++)
        key[i] = folded(key[i]);
}

struct map_lines *map_lines_new(struct arena *a, int fd, const struct map_lines_options *o)
{
    struct map_lines *l = arena_alloc(a, sizeof *l);
    l->o = *o;
    l->fd = fd;
    if (!l->o.comment)
        l->o.comment = '#';
    for (unsigned i = 0; i < 256; i++) {
        unsigned char byte = (unsigned char)i;
        char c;
        memcpy(&c, &byte, 1);
        l->separates[i] = o->delimiter ? c == o->delimiter : isspace(byte) != 0;
        l->folded[i] = c;
        if (!o->keep_case)
            map_fold(&l->folded[i], 1);
    }
    return l;
}

void map_lines_free(struct map_lines *l)
{
    if (l)
        free(l->buffer);
}

static bool is_separator(const struct map_lines *l, char c)
{
    return l->separates[(unsigned char)c];
}

/* More bytes behind those that are left; -errno. */
static int fill(struct map_lines *l)
{
    size_t left = l->end - l->at;
    if (left == l->room || !l->buffer) {
        size_t room = l->room ? l->room * 2 : ROOM;
        char *larger = malloc(room);
        if (!larger)
            return -ENOMEM;
        if (left)
            memcpy(larger, l->buffer + l->at, left);
        free(l->buffer);
        l->buffer = larger;
        l->room = room;
    } else {
        memmove(l->buffer, l->buffer + l->at, left);
    }
    l->at = 0;
    l->end = left;
    ssize_t got;
    do
        got = read(l->fd, l->buffer + left, l->room - left);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    l->end += (size_t)got;
    l->ended = got == 0;
    return 0;
}

static void split(const struct map_lines *l, char *p, size_t len, struct map_line *line)
{
    const char *end = p + len;
    char *q = p;
    line->fault = MAP_LINE_GOOD;
    if (l->o.longest && len > l->o.longest) {
        line->fault = MAP_LINE_LONG;
        return;
    }
    if (memchr(p, '\0', len)) {
        line->fault = MAP_LINE_NUL;
        return;
    }
    if (!l->o.delimiter && isspace((unsigned char)*p)) {
        while (q < end && isspace((unsigned char)*q))
            q++;
        line->fault = q < end ? MAP_LINE_BLANK_FIRST : MAP_LINE_ONLY_BLANKS;
        return;
    }
    for (; q < end && !is_separator(l, *q); q++)
        *q = l->folded[(unsigned char)*q];
    line->key = (struct map_bytes){p, (size_t)(q - p)};
    while (q < end && is_separator(l, *q))
        q++;
    line->value = (struct map_bytes){q, (size_t)(end - q)};
    line->value_at = (uint32_t)(q - p);
    if (q == end && !l->o.empty)
        line->fault = MAP_LINE_NO_VALUE;
}

int map_lines_next(struct map_lines *l, struct map_line *line)
{
    for (size_t seen = 0;;) {
        char *p = l->buffer ? l->buffer + l->at : NULL; /* nothing was read yet */
        char *eol = seen < l->end - l->at ? memchr(p + seen, '\n', l->end - l->at - seen) : NULL;
        if (!eol && !l->ended) {
            seen = l->end - l->at;
            int rc = fill(l);
            if (rc < 0)
                return rc;
            continue;
        }
        size_t len = eol ? (size_t)(eol - p) : l->end - l->at;
        if (!eol && len == 0)
            return 0;
        l->at += len + (eol != NULL);
        l->number++;
        seen = 0;
        if (len == 0 || *p == l->o.comment)
            continue;
        *line = (struct map_line){.number = l->number};
        split(l, p, len, line);
        return 1;
    }
}
