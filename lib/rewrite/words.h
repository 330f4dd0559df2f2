/*
 * words: the tokens of a program as numbers.
 *
 * A word is what a rule or a class names; sendmail compares words without regard to the case of
 * ASCII letters, so a word is kept once, folded.  Numbers below WORD_FIRST are the operators of
 * the .cf language, 0 is a token that no word equals.  A number's lowest six bits are its bit in a
 * set of 64 (word_bit): each operator has one of its own in the lower half, words share the upper
 * half, so their numbers leave out what would have a bit of the lower one.  A table is filled by
 * one thread and then constant.  It lives in its arena.
 */
#ifndef MCF_REWRITE_WORDS_H
#define MCF_REWRITE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct lookup_map;

enum {
    WORD_NONE,
#define OPERATOR(name, text, side) OP_##name,
#include "lib/rewrite/operators.def"
    OPERATORS,
    WORD_FIRST = 32
};

struct word {
    const char *text; /* folded */
    uint32_t len;
    uint32_t hash;
    uint32_t *classes; /* numbers of the classes that it is in */
    uint32_t nclasses;
    uint16_t ruleset; /* 1 + the index of the ruleset of this name; 0: none */
    const struct lookup_map *map;
};

struct words {
    struct arena *arena;
    struct word *words; /* by words_at */
    uint32_t count;
    uint32_t *slots; /* ids, 0 = free; size is mask + 1 */
    uint32_t mask;
    size_t room;
};

void words_init(struct words *w, struct arena *a);
/* The number of the word, made if need be; text is copied. */
uint32_t words_add(struct words *w, const char *text, size_t len);
/* WORD_NONE if there is no such word. */
uint32_t words_find(const struct words *w, const char *text, size_t len);
/* Is the word in the class of this number? */
bool words_in_class(const struct word *w, uint32_t cls);

/* id >= WORD_FIRST */
static inline struct word *words_at(const struct words *w, uint32_t id)
{
    return &w->words[(id >> 6) * WORD_FIRST + id % WORD_FIRST];
}

/* The number of the n-th word, from 0 on. */
static inline uint32_t words_number(uint32_t n)
{
    return n / WORD_FIRST * 64 + WORD_FIRST + n % WORD_FIRST;
}

static inline uint64_t word_bit(uint32_t id)
{
    return (uint64_t)1 << (id & 63);
}

/* Are they equal, the case of ASCII letters ignored? */
bool words_same(const char *a, size_t alen, const char *b, size_t blen);
char words_fold(char c);

#endif
