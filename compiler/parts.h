/*
 * parts: what m4 is given of the library, and what it is asked at the end.
 *
 * A part is what the vocabulary has for one feature, mailer, system, domain or hack: the macros
 * _mcf_KIND.NAME, whatever their kinds.  A value is a macro whose text the compiler wants to know
 * at the end.  To read them all, and to answer for them all, takes m4 longer than most files do; so
 * it is given the parts, and asked for the values, that a word of the file can mean, and what
 * these mean in turn.
 *
 * That is a guess: a name can be put together, or stand in another file.  What m4 tells of such a
 * run shows it (parts_lack), and then it runs again with the whole.  So the choice changes what a
 * compilation costs, never what comes out.
 *
 * Which parts there are, what they name and where they stand in the state is found at build time
 * (compiler/split.c).  Everything lives in the arena; nothing fails.
 */
#ifndef MCF_COMPILER_PARTS_H
#define MCF_COMPILER_PARTS_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct part {
    const char *name;
    size_t at, len;              /* its bytes in vocabulary_frozen */
    const unsigned short *calls; /* the parts that its text calls; PARTS_END behind them */
    const unsigned short *names; /* the values that its text names; the same */
};

struct part_value {
    const char *name;
    bool always; /* the rest of the vocabulary names it, or may put its name together */
};

#define PARTS_END 0xffff

/* Both are sorted by name. */
extern const struct part library_parts[];
extern const size_t library_nparts;
extern const struct part_value library_values[];
extern const size_t library_nvalues;
/* vocabulary_frozen up to the first part, the parts that this calls, and where the macro ends that
 * answers for all values. */
extern const size_t library_core;
extern const unsigned short *const library_calls;
extern const size_t library_answers_end;

struct parts_text {
    const char *bytes;
    size_t len;
};

struct parts_index;

struct parts {
    struct parts_text state;  /* frozen, with VOCABULARY_KEY for the key */
    const char *const *asked; /* names in the order in which the state answers, NULL behind */
    const bool *given;        /* of each part; NULL: the whole */
    const bool *wanted;       /* of each value */
    const struct parts_index *index;
};

/* The whole of the embedded state. */
const struct parts *parts_whole(struct arena *a);
/* What the n texts can mean. */
const struct parts *parts_of(struct arena *a, const struct parts_text *texts, size_t n);
/* Whether something was left out that has this name. */
bool parts_lack(const struct parts *p, const char *name);

#endif
