/*
 * cf_file: a verb's .cf argument becomes a model.
 */
#ifndef MCF_COMPILER_CF_FILE_H
#define MCF_COMPILER_CF_FILE_H

#include <stdbool.h>

#include "lib/model/config.h"

/* Reads path ("-" or /dev/stdin: standard input) into a new configuration; NULL, and a line on
 * standard error that begins "mcf VERB: ", when it cannot be read.  d may be NULL: no findings. */
struct config *cf_file_read(const char *verb, struct arena *a, struct source_set *sources,
                            const char *path, bool keep_comments, struct diag *d);

#endif
