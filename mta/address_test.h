/*
 * address_test: `mcfd -bt`, the mode in which rulesets are tried by hand.
 *
 * Reads commands from `in` until their end or /quit; answers go to `out` in sendmail's form, which
 * scripts read.  Output is held back only while there is more input to read.
 */
#ifndef MCF_MTA_ADDRESS_TEST_H
#define MCF_MTA_ADDRESS_TEST_H

#include "lib/rewrite/rewrite.h"

struct address_test_options {
    int in, out;       /* descriptors */
    const char *debug; /* the levels of -d, "21.12" and the like; NULL: none */
    bool json;         /* each answer is a line of JSON (test_record.h), without prompts */
};

/* Gives the exit code. */
int address_test(struct arena *a, const struct program *p, const struct lookup_world *world,
                 const struct address_test_options *options);

#endif
