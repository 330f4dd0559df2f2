/*
 * text: a piece of .cf text with its $ forms taken apart.
 *
 * Texts are constant and in their arena.  A piece is a run of bytes (op 0) or an operator; macros,
 * classes and conditions carry the number of their name, $1 to $9 theirs.  Names are those of
 * macros and classes, which share one space; "w" and "{w}" are one.
 */
#ifndef MCF_REWRITE_TEXT_H
#define MCF_REWRITE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rewrite/words.h"

struct table;

enum {
    OP_MACRO = OPERATORS, /* $x, ${name} */
    NAME_MAX_LEN = 25,    /* longer ones are cut, as sendmail cuts them */
    TEXT_DEPTH = 10,      /* macros within macros' values */
    EXPANDED_MAX = 2047,  /* bytes of a text with its macros carried out */
    EXPANSION_STEPS = 1 << 16
};

struct piece {
    uint32_t op;
    uint32_t number; /* of the name, or the digit */
    const char *p;   /* as it is written */
    uint32_t len;
};

struct text {
    struct piece *pieces;
    size_t n;
};

/* Names of macros and classes, numbered from 1.  Filled by one thread, then constant. */
struct names {
    struct arena *arena;
    struct table *ids;
    const char **names;
    size_t count, room;
    const struct names *base; /* names that are there, and stay as they are; NULL: none */
};

void names_init(struct names *n, struct arena *a);
/* Names beside those of base, for a text that is read while others use base. */
void names_init_beside(struct names *n, struct arena *a, const struct names *base);
uint32_t names_add(struct names *n, const char *name, size_t len);
uint32_t names_find(const struct names *n, const char *name, size_t len); /* 0: unknown */
const char *names_text(const struct names *n, uint32_t id);

/* The name in "$=x", "$&{name}" and their like, of len bytes: without braces. */
const char *text_name(const char *s, size_t len, size_t *name_len);

/* Takes text apart; its bytes must live as long as the result, but for the few that are written
 * otherwise, which are copied. */
struct text text_read(struct arena *a, struct names *names, const char *s, size_t len);
/* Bytes as they are, of which none is special.  Not copied. */
struct text text_plain(struct arena *a, const char *s, size_t len);

/* What a macro's value is now; NULL: it has none. */
typedef const struct text *text_value_fn(void *ctx, uint32_t name);
/* t with its macros and conditions carried out, as pieces of bytes and other operators.  A macro
 * without a value or with an empty one is not set, for a condition.  What is nested deeper than
 * TEXT_DEPTH stands there unexpanded; what is longer than EXPANDED_MAX, or takes more than
 * EXPANSION_STEPS macros and conditions, is cut off. */
struct text text_expand(struct arena *a, const struct text *t, text_value_fn *value, void *ctx);
/* The bytes of t, operators as they are written; NUL-terminated. */
char *text_bytes(struct arena *a, const struct text *t, size_t *len);
bool text_is_empty(const struct text *t);

#endif
