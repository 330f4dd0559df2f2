/*
 * pattern: how large a regular expression (POSIX 9) becomes when the C library compiles it.
 *
 * It copies what is repeated: (x+)+ holds x four times, (x{9}){9} 81 times, so a short line can
 * take all the memory that there is, and parentheses within parentheses all the stack.
 */
#ifndef MCF_MAPS_PATTERN_H
#define MCF_MAPS_PATTERN_H

#include <stdbool.h>

enum {
    PATTERN_PARTS = 1 << 16, /* the most that is compiled: some 20 MB */
    PATTERN_DEPTH = 250      /* of parentheses */
};

/* Is it within both?  basic: a basic regular expression, not an extended one.  What is no
 * expression at all, regcomp says. */
bool pattern_is_small(const char *text, bool basic);

#endif
