/*
 * match: does a rule's left-hand side match a workspace?
 *
 * Matching is minimal, with backtracking: each wildcard takes as little as it can, and what stands
 * last takes more first.  $*, $+, $-, $= and $~ number what they took; a class may take several
 * tokens, if they read as one of its words.
 *
 * What a rule needs (rule.need) is a set of bits, one for each word or operator in it: a workspace
 * that lacks one of them cannot match, and most rules are passed over so.
 */
#ifndef MCF_REWRITE_MATCH_H
#define MCF_REWRITE_MATCH_H

#include "lib/rewrite/program.h"

enum { ELEMENTS_MAX = TOKENS_MAX };

struct binding {
    uint32_t first, end;
};

/* What matching asks for. */
struct matcher {
    const struct program *program;
    /* A macro's present value. */
    const char *(*late)(void *ctx, uint32_t name, size_t *len);
    /* Words that were added to a class since; NULL: none.  tokens is 1 for a single word. */
    bool (*added)(void *ctx, uint32_t cls, const char *word, size_t len);
    uint32_t (*longest_added)(void *ctx, uint32_t cls);
    void *ctx;
    uint64_t steps, limit;         /* tokens looked at, and how many there may be */
    struct binding *bindings;      /* room for ELEMENTS_MAX */
    const struct element **places; /* the same */
    uint32_t n;                    /* of the last match */
};

/* The bits of all tokens (word_bit); those below WORD_FIRST are the operators. */
static inline uint64_t match_bits(const struct token *v, uint32_t n)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < n; i++)
        bits |= word_bit(v[i].id);
    return bits;
}

/* Of the elements of a left-hand side, LEFT_END behind them.  False also where the limit was
 * reached: then steps > limit. */
bool match_elements(struct matcher *m, const struct element *left, const struct tokens *ws);

/* Of a rule. */
static inline bool match(struct matcher *m, const struct rule *r, const struct tokens *ws)
{
    if (!r->takes_all)
        return match_elements(m, r->left, ws);
    m->bindings[0] = (struct binding){0, ws->n};
    m->n = 1;
    m->steps += ws->n + 1;
    return m->steps <= m->limit;
}

#endif
