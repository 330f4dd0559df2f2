/*
 * compile: what the parts of program_compile share (program.c, mailer.c, class_file.c).
 */
#ifndef MCF_REWRITE_COMPILE_H
#define MCF_REWRITE_COMPILE_H

#include "lib/rewrite/program.h"

/* What a level changes: from 5 on, $w is the name without its domain; before 6, a colon begins no
 * group, and the mailer local has flags of its own; before 7, $o is what OperatorChars is, and
 * VRFY answers 250 for what is delivered here. */
enum {
    LEVEL_NONE = 0,
    LEVEL_SHORT_NAME = 5,
    LEVEL_GROUPS = 6,
    LEVEL_LOCAL_FLAGS = 6,
    LEVEL_OPERATOR_OPTION = 7,
    LEVEL_VERIFY_FLAG = 7
};

struct compiler {
    struct program *p;
    struct diag *diag; /* may be NULL */
    const struct program_host *host;
    struct ruleset *ruleset; /* that rules go to; NULL: none */
    long next_named;         /* the number above the next named ruleset's */
    const char **unnumbered; /* rulesets that are named, and have no number yet */
    size_t nunnumbered, unnumbered_room;
    unsigned naliases;
    size_t name_room; /* of macros and classes */
};

/* The number of a macro's or class's name, with room for its value. */
uint32_t compile_name(struct compiler *k, const char *name);
/* s with its $ forms taken apart; s must live as long as the program. */
struct text compile_text(struct compiler *k, const char *s);
/* s as it reads with the macros of this place. */
char *compile_expanded(struct compiler *k, const char *s);
void compile_set(struct compiler *k, const char *name, const char *value);
void compile_word(struct compiler *k, uint32_t cls, const char *word, size_t len);
/* The ruleset that s begins with the name or number of, made if need be; wanted: what a new name
 * gets, -1: the next.  NULL where s begins with none, or there is no room for it. */
struct ruleset *compile_ruleset(struct compiler *k, const char *s, size_t len, long wanted);
void compile_mailer(struct compiler *k, const struct item *it);
void compile_built_in_mailers(struct compiler *k);
/* Flags that mailers of a file of an old level have without a line that says so. */
void compile_mailers_of_level(struct compiler *k);

#endif
