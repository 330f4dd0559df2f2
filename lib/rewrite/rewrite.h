/*
 * rewrite: runs rulesets.
 *
 * A rewriter is one thread's: it has the macros' present values, words that were added to classes,
 * and the maps (lib/maps/lookup.h); the program is shared.  An evaluation begins with
 * rewrite_begin, which drops the tokens of the one before; macros stay.
 *
 * Running touches no clock and no file itself.  It ends: rules that go on without end are stopped
 * at REWRITE_LOOPS, calls at REWRITE_DEPTH, matching at a number of steps, memory at REWRITE_BYTES,
 * and time at the caller's word; each says so in a note and fails.  A failure is a sysexits code,
 * as sendmail has it: EX_TEMPFAIL where a map could not answer, EX_CONFIG where the rules are
 * wrong, EX_DATAERR where the address is.
 */
#ifndef MCF_REWRITE_REWRITE_H
#define MCF_REWRITE_REWRITE_H

#include "lib/rewrite/program.h"

enum {
    REWRITE_LOOPS = 100,
    REWRITE_DEPTH = 50,       /* of calls within calls */
    REWRITE_CALLS = 16,       /* of calls in one workspace: there are fewer */
    REWRITE_STEPS = 20000000, /* where the caller says nothing */
    REWRITE_BYTES = 32 << 20  /* of an evaluation's memory: looked at between rules */
};

struct rewrite;
struct rewrite_macros;

/* What is told on the way; each may be NULL. */
struct rewrite_watch {
    void *ctx;
    void (*enter)(void *ctx, const struct ruleset *r, const struct tokens *ws);
    void (*leave)(void *ctx, const struct ruleset *r, const struct tokens *ws);
    /* A rule is tried; and what became of it: NULL, or what it made. */
    void (*trying)(void *ctx, const struct ruleset *r, const struct rule *rule);
    /* What its n-th wildcard took, of each, where it matches. */
    void (*matched)(void *ctx, uint32_t n, const struct tokens *taken);
    void (*tried)(void *ctx, const struct rule *rule, const struct tokens *ws);
    /* A rule has matched this. */
    void (*matching)(void *ctx, const struct rule *rule, const struct tokens *ws);
    void (*macro)(void *ctx, const char *name, const char *value); /* $& in a rule; NULL: not set */
    void (*looked_up)(void *ctx, const char *map, const char *key,
                      const struct lookup_answer *answer);
    /* What a map has found for a key, as tokens: their bytes are of nothing else. */
    void (*found)(void *ctx, const struct lookup_map *m, const char *key,
                  const struct tokens *value);
    /* A map that could not say. */
    void (*failed)(void *ctx, const struct lookup_map *m, const char *why);
    /* What went wrong with a map that answered all the same; status: the sysexits code of it, or
     * LOOKUP_WARNING. */
    void (*trouble)(void *ctx, int status, const char *why);
    /* status: the sysexits code that it is worth, or 0. */
    void (*note)(void *ctx, int status, const char *text);
};

struct rewrite_limits {
    uint64_t steps;
    bool (*stop)(void *ctx); /* asked between rules: is it time to stop?  May be NULL. */
    void *ctx;
};

struct rewrite *rewrite_new(struct arena *a, const struct program *p,
                            const struct lookup_world *world);
void rewrite_close(struct rewrite *r); /* NULL is fine */
const struct program *rewrite_program(const struct rewrite *r);
struct lookup_session *rewrite_maps(struct rewrite *r);
void rewrite_watch(struct rewrite *r, const struct rewrite_watch *w); /* NULL: nobody */
void rewrite_limit(struct rewrite *r, const struct rewrite_limits *l);

/* The macros' present values, and words that were added to classes: a rewriter has its own, and may
 * be given another's for a while, as a session's that goes from thread to thread.  One rewriter
 * uses them at a time; what rewrite_use begins is an evaluation.  NULL: the rewriter's own. */
struct rewrite_macros *rewrite_macros_new(struct arena *a, const struct program *p);
void rewrite_use(struct rewrite *r, struct rewrite_macros *m);
/* From now on what rules set (maps of class macro) passes: the next call puts back what was there
 * before.  Macros that rewrite_set sets meanwhile stay. */
void rewrite_pass(struct rewrite *r, bool passing);

/* Macros by name, without braces.  The value is copied; NULL: what the configuration says, again.
 */
void rewrite_set(struct rewrite *r, const char *name, size_t len, const char *value,
                 size_t value_len);
/* The value as it was set; NULL: not set.  Valid until it is set again or an evaluation begins. */
const char *rewrite_get(struct rewrite *r, const char *name, size_t len);
/* Text as a configuration has it, with its macros and conditions carried out, in the evaluation's
 * memory.  What is beyond EXPANDED_MAX bytes is cut off. */
char *rewrite_expand(struct rewrite *r, const char *s, size_t len, size_t *out_len);
/* The same of a text that was read already. */
const char *rewrite_carried_out(struct rewrite *r, const struct text *text, size_t *out_len);
/* text with its macros as they are written; valid until the next evaluation begins. */
const char *rewrite_source(struct rewrite *r, const struct text *text);
void rewrite_add_word(struct rewrite *r, const char *cls, size_t cls_len, const char *word,
                      size_t len);
/* Words that were added: the i-th, NULL beyond the last; *cls its class. */
const char *rewrite_added_word(const struct rewrite *r, size_t i, const char **cls);

void rewrite_begin(struct rewrite *r);
/* A workspace of the evaluation, empty. */
struct tokens *rewrite_workspace(struct rewrite *r);
/* Text of the evaluation's memory. */
struct arena *rewrite_arena(struct rewrite *r);
/* Runs the ruleset on ws, in place.  0 or a sysexits code.  Databases that it asked stay locked,
 * and are taken to be as they were, until rewrite_rest: one has to come soon. */
int rewrite_run(struct rewrite *r, const struct ruleset *ruleset, struct tokens *ws);
void rewrite_rest(struct rewrite *r);
/* The same of a number that has no ruleset: the watch sees it, ws stays. */
int rewrite_run_empty(struct rewrite *r, int number, struct tokens *ws);
/* The tokens as one text (scan_join), in the evaluation's memory. */
char *rewrite_joined(struct rewrite *r, const struct token *v, uint32_t n, char space, size_t *len);
/* A text as it is shown in a note: a long one without its middle. */
const char *rewrite_shortened(struct rewrite *r, const char *text);
/* Tells the watch what is wrong with a text. */
void rewrite_fault(struct rewrite *r, enum scan_fault f, char ch, const char *text);
/* Tells the watch. */
void rewrite_note(struct rewrite *r, int status, const char *text);

#endif
