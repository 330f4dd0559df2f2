/*
 * address_test: `mcfd -bt`, the mode in which rulesets are tried by hand.
 *
 * Reads commands from `in` until their end or /quit; answers go to `out` in sendmail's form, which
 * scripts read.  Output is held back only while there is more input to read.
 */
#ifndef MCF_MTA_ADDRESS_TEST_H
#define MCF_MTA_ADDRESS_TEST_H

#include "lib/rewrite/rewrite.h"

/* in and out are descriptors; debug: the levels of -d, "21.12" and the like, or NULL.  Gives the
 * exit code. */
int address_test(struct arena *a, const struct program *p, const struct lookup_world *world, int in,
                 int out, const char *debug);

#endif
