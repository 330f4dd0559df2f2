/*
 * map_fuzz: any bytes as a map's source.
 *
 * What must hold: the grammar and the reader of large sources find the same entries with the same
 * parts and faults; every part lies inside its line.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "grammar/map.h"
#include "lib/base/arena.h"
#include "lib/maps/map_lines.h"
#include "tests/fuzz/fuzz.h"

static void same(const char *text, struct map_span span, struct map_bytes b)
{
    must(span.end >= span.begin && span.end - span.begin == b.len);
    must(b.len == 0 || memcmp(text + span.begin, b.p, b.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum map_fault faults[] = {[MAP_ENTRY_GOOD] = MAP_LINE_GOOD,
                                            [MAP_ENTRY_BLANK_FIRST] = MAP_LINE_BLANK_FIRST,
                                            [MAP_ENTRY_ONLY_BLANKS] = MAP_LINE_ONLY_BLANKS,
                                            [MAP_ENTRY_NO_VALUE] = MAP_LINE_NO_VALUE,
                                            [MAP_ENTRY_NUL] = MAP_LINE_NUL};
    const struct map_lines_options o = {.keep_case = true};
    const char *text = (const char *)data;
    struct arena *a = arena_new(out_of_memory, NULL);
    const struct map_source *s = map_source_read(a, text, size);
    int fd = memfd_create("map", 0);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    struct map_lines *lines = map_lines_new(a, fd, &o);
    struct map_line l;
    for (size_t i = 0; i < s->n; i++) {
        const struct map_entry *e = &s->v[i];
        must(map_lines_next(lines, &l) == 1);
        must(l.fault == faults[e->fault]);
        must(e->line.end <= size && e->tag.end - e->tag.begin <= e->key.end - e->key.begin);
        if (e->fault != MAP_ENTRY_GOOD && e->fault != MAP_ENTRY_NO_VALUE)
            continue;
        must(e->key.begin == e->line.begin && e->value.end <= e->line.end);
        same(text, e->key, l.key);
        same(text, e->value, l.value);
    }
    must(map_lines_next(lines, &l) == 0);
    map_lines_free(lines);
    close(fd);
    arena_free(a);
    return 0;
}
