#include "grammar/map.h"

#include "lib/base/arena.h"

void map_add(struct map_source *s, enum map_entry_fault fault, struct map_span line,
             struct map_span tag, struct map_span key, struct map_span value)
{
    s->v = arena_grow(s->arena, s->v, s->n, &s->room, sizeof *s->v, 64);
    s->v[s->n++] = (struct map_entry){fault, line, tag, key, value};
}
