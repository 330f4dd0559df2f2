/*
 * arguments: the options that `mcf build` and `mcf check` share, read by one parser.
 *
 * The table in arguments.c is what is accepted and what --help prints.  A wrong use is said on
 * standard error.  Strings are argv's or the arena's.
 */
#ifndef MCF_COMPILER_ARGUMENTS_H
#define MCF_COMPILER_ARGUMENTS_H

#include <stdbool.h>

#include "compiler/lower.h"
#include "compiler/report.h"

enum { ARGUMENTS_BUILD = 1, ARGUMENTS_CHECK = 2 };

struct arguments {
    const char *file; /* never NULL after a good parse */
    const char *output, *map, *compare_with, *backup;
    bool fix, diff;
    enum report_format format;
    struct lower_options lower;
};

/* 0, or the exit code to end with; -1: help was asked for and is printed.  o is all zero before. */
int arguments_parse(struct arena *a, unsigned verb, int argc, char **argv, struct arguments *o);

#endif
