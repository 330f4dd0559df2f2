/*
 * verbs: the entry points of mcf's verbs.  argv[0] is the verb.
 *
 * Exit codes: 0 good (warnings included), 1 differences or findings of a check, 2 usage, 65 bad
 * input, 66 cannot read, others as in sysexits.h.  A verb writes findings to standard error, unless
 * they are what it is asked for, and leaves output files whole or untouched.
 */
#ifndef MCF_COMPILER_VERBS_H
#define MCF_COMPILER_VERBS_H

enum {
    EXIT_DIFFERENT = 1,
    EXIT_FINDINGS = 1,
    EXIT_USAGE = 2,
    EXIT_BAD_INPUT = 65,
    EXIT_NO_INPUT = 66,
    EXIT_SYSTEM = 71,
    EXIT_CANNOT_WRITE = 73
};

#include <stddef.h>

#define VERB(name, usage, text) int verb_##name(int argc, char **argv);
#include "compiler/verbs.def"
#undef VERB

/* For arena_new in a verb: says so and exits with EXIT_SYSTEM. */
void verb_out_of_memory(void *ctx);
/* Prints the unified diff of two texts, which diff(1) makes; 0 = the same, 1 = different, else an
 * exit code, and what failed is said on standard error. */
int verb_show_difference(const char *verb, const char *old_label, const char *old, size_t old_len,
                         const char *new_label, const char *new_text, size_t new_len);

#endif
