/*
 * pattern: how large a regular expression (POSIX 9) becomes when the C library compiles it.
 *
 * It copies what is repeated: (x+)+ holds x four times, (x{9}){9} 81 times, so a short line can
 * take all the memory that there is, and parentheses within parentheses all the stack.  Where what
 * is repeated may match nothing, it goes each way in which it can: ^(a?)+++++x has 3263442 of them,
 * and takes it minutes.
 */
#ifndef MCF_MAPS_PATTERN_H
#define MCF_MAPS_PATTERN_H

#include <stdbool.h>

enum {
    PATTERN_PARTS = 1 << 16, /* the most that is compiled: some 20 MB */
    PATTERN_DEPTH = 250,     /* of parentheses */
    PATTERN_WAYS = 2000,     /* in which a piece matches nothing */
    PATTERN_WORK = 5000,     /* these, by the parts of the piece */
    PATTERN_EMPTY = 1500,    /* parts of what may match nothing */
    PATTERN_LOOP = 500       /* parts of a loop around what may match nothing */
};

/* Is it within all of them?  basic: a basic regular expression, not an extended one.  What is no
 * expression at all, regcomp says. */
bool pattern_is_small(const char *text, bool basic);

#endif
