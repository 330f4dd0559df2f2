/*
 * check: what can be said about an .mc beyond whether it compiles.
 *
 * Each looks at what front_read found and adds findings (lib/model/findings.def); none changes
 * anything.  They run before the model is made, except where they say so.
 */
#ifndef MCF_COMPILER_CHECK_H
#define MCF_COMPILER_CHECK_H

#include "compiler/front.h"

/* The directives, in order of execution: names, arguments, order, what needs what. */
void check_calls(struct front *f);
/* The letters of mailers' flags. */
void check_flags(struct front *f);

#endif
