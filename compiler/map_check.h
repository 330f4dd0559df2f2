/*
 * map_check: what the parts of `mcf map check' share: map_check.c (every map), map_access.c,
 * map_kinds.c (the other tables), map_aliases.c, map_around.c (the files themselves).
 */
#ifndef MCF_COMPILER_MAP_CHECK_H
#define MCF_COMPILER_MAP_CHECK_H

#include <stdbool.h>

#include "grammar/map.h"
#include "lib/base/diag.h"
#include "lib/base/table.h"
#include "lib/model/findings.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum map_kind {
#define MAP_KIND(kind, name) KIND_##kind,
#include "lib/model/map_kinds.def"
    KINDS
};

struct map_checking {
    struct arena *arena;
    struct diag *diag;
    const struct source *source;
    const char *bytes;            /* the source's */
    const struct map_source *map; /* not of aliases */
    struct table *keys;           /* in small letters -> the entry */
    struct table *own_tags;       /* of an access map, that its values name; in small letters */
    enum map_kind kind;
};

struct origin map_at(const struct map_checking *c, struct map_span s);
char *map_text(const struct map_checking *c, struct map_span s);
/* Without blanks at its end. */
struct map_span map_value(const struct map_checking *c, const struct map_entry *e);
bool map_is_number(const char *s);
struct map_span map_part(struct map_span of, size_t begin, size_t end);
/* Of a name as -k takes it, or of a source; KINDS: none. */
enum map_kind map_kind_of(const char *name);
/* A finding of that place, whose text is %1. */
struct finding *map_say(const struct map_checking *c, enum finding_id id, struct map_span s);

/* A host's name that ends with a dot; true: the key does, which is said. */
bool map_check_dot(const struct map_checking *c, struct map_span key);
/* A value that begins with error:, where a code of three parts ends at a blank instead of a colon;
 * true: so it is, which is said. */
bool map_check_code(const struct map_checking *c, struct map_span value);
/* Before any of its entries. */
void map_check_own_tags(const struct map_checking *c);
/* The host that the key has, for what is checked of any map. */
struct map_span map_check_access(const struct map_checking *c, const struct map_entry *e);
/* What only all of it tells. */
void map_check_hidden(const struct map_checking *c);
void map_check_table(const struct map_checking *c, const struct map_entry *e);
void map_check_authinfo(const struct map_checking *c, struct map_span value);
void map_check_aliases(const struct map_checking *c);
void map_check_around(const struct map_checking *c);

#endif
