/*
 * variables: the names that an .mc may define and that something reads (variables.def).
 *
 * Nothing here fails or allocates.  Names that begin with _ are not in the table: they are the
 * library's own, or the file's.
 */
#ifndef MCF_MODEL_VARIABLES_H
#define MCF_MODEL_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

/* All of them, each once or twice; *n of them. */
const char *const *variable_names(size_t *n);
bool variable_known(const char *name);
/* Is it read when everything has been said, as all options are? */
bool variable_is_late(const char *name);
/* What to do in place of a variable of an old release; NULL for others. */
const char *variable_instead(const char *name);
/* The variable that becomes the option of this name, case ignored; NULL if there is none. */
const char *variable_of_option(const char *option);

#endif
