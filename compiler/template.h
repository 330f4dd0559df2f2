/*
 * template: instantiates rulesets/ over the settings of one .mc.
 *
 * The library (grammar/rule.h) is const data, made at build time; a run is a struct template, which
 * the caller fills.  Names are asked for through symbol lookups: a lookup gets the name of an m4
 * macro (a feature's name has become that of its flag, mailer.X has become _MAILER_X_, ostype
 * __OSTYPE__) and answers with its text, or NULL where it is undefined.  Answers must stay valid
 * for the run.
 *
 * Lines go to the sink one by one, without line end, len bytes and a NUL.  A substituted text with
 * line ends in it gives several lines.  Their origin is the template's file, registered in sources
 * under its path ("rulesets/..."), and line; column 0.
 *
 * Nothing here fails: the build has checked the library.
 */
#ifndef MCF_COMPILER_TEMPLATE_H
#define MCF_COMPILER_TEMPLATE_H

#include "grammar/rule.h"
#include "lib/base/source.h"

struct arena;

/* rulesets/, embedded in the program. */
extern const struct rule_library template_rulesets;

struct template_symbols {
    const char *(*get)(void *ctx, const char *name);
    void *ctx;
};

/* A FEATURE or MAILER call of the .mc, with its arguments as m4 expanded them. */
struct template_call {
    const char *name;
    const char *const *args; /* nargs of them; an empty argument counts as not given */
    size_t nargs;
    struct template_symbols then; /* the values wanted at the call (_mcf_snap) */
};

struct template
{
    const struct rule_library *lib;
    struct arena *arena;
    struct source_set *sources;
    struct template_symbols now;       /* the values at the end of the .mc */
    const struct template_call *calls; /* FEATURE calls in the order of the .mc */
    size_t ncalls;
    /* macro: the first one whose text went into the line; NULL if none did.  item: what the line
     * is, where that was known before; else NULL. */
    void (*line)(void *ctx, const char *text, size_t len, struct origin at, const char *macro,
                 const struct item *item);
    void (*section)(void *ctx, unsigned n); /* the caller puts diversion n's lines out */
    /* The caller puts out those that go first, or all others. */
    void (*options)(void *ctx, bool first);
    void *ctx;         /* of line, section and options */
    uint32_t knockout; /* number of a block to leave out, 0 = none: for mutation tests */
};

/* rulesets/main.rules, with all that it includes and hooks. */
void template_main(const struct template *t);
/* The %config blocks of the feature of calls[call], over the values at that call; the calls behind
 * it are not seen.  Nothing when the library does not have the feature. */
void template_feature_config(const struct template *t, size_t call);
/* What a mailer puts into a section, over the values at the call: its body into RULE_MAILERS, its
 * %config blocks into others.  ncalls may be cut to the FEATURE calls before it. */
void template_mailer(const struct template *t, const struct template_call *mailer,
                     unsigned section);

/* NULL when the library has none of that name. */
const struct rule_file *template_feature(const struct rule_library *lib, const char *name);
const struct rule_file *template_mailer_file(const struct rule_library *lib, const char *name);

/* The place of block n, 1 <= n <= lib->blocks: its file's path and line.  False for other n. */
bool template_block_place(const struct rule_library *lib, uint32_t n, const char **path,
                          uint32_t *line);

#endif
