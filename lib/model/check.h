/*
 * check: what can be said about a configuration from its model alone.
 *
 * config_check looks at every line: values, names that nothing declares, what excludes each other.
 * It serves a model that an .mc made and one read from a .cf alike.  Findings go to diag, at the
 * very word where its place is known (source_place_in), else at the line.  A line of our own
 * library (a source without bytes) is never blamed: a finding about it stands where the file's own
 * value is, and is dropped where there is none.
 */
#ifndef MCF_MODEL_CHECK_H
#define MCF_MODEL_CHECK_H

#include "lib/base/diag.h"
#include "lib/model/config.h"

/* What only the caller knows. */
struct check_context {
    /* Where a piece of a library's line was said; false if nobody said it.  May be NULL. */
    bool (*find)(void *ctx, const char *text, size_t len, struct origin *at);
    void *ctx;
    bool partial; /* lines are missing: nothing is said about names that none declares */
    /* *at becomes the name of the variable whose value stands at `value`.  May be NULL. */
    void (*variable)(void *ctx, struct origin value, struct origin *at);
};

/* context may be NULL. */
void config_check(const struct config *c, const struct check_context *context, struct diag *d);

/* The letters of a mailer's F= that sendmail knows. */
bool config_mailer_flag(char letter);

/* Can a map of this class hold aliases? */
bool map_class_has_aliases(const char *name);

#endif
