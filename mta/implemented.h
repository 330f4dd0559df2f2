/*
 * implemented: what mcfd does of what a configuration asks for, as one table (implemented.def).
 *
 * The table says for each option, line, key, letter, class of maps and ruleset whether it is
 * implemented, harmless to go without, or refused; implemented_walk finds the rows that a
 * configuration concerns, and implemented_check adds a finding for each that is refused and
 * matters.
 */
#ifndef MCF_MTA_IMPLEMENTED_H
#define MCF_MTA_IMPLEMENTED_H

#include "lib/base/diag.h"
#include "mta/arguments.h"
#include "lib/model/config.h"

enum does_kind {
    DOES_OPTION,
    DOES_TIMEOUT,
    DOES_LINE,
    DOES_DAEMON_KEY,
    DOES_MODIFIER,
    DOES_QUEUE_KEY,
    DOES_MAILER_KEY,
    DOES_MAILER_FLAG,
    DOES_MAP_CLASS,
    DOES_RULESET,
    DOES_KINDS
};

enum does_how { DOES_IMPLEMENTED, DOES_HARMLESS, DOES_REFUSED };

struct does {
    enum does_kind kind;
    const char *name;
    enum does_how how;
    const char *why; /* never NULL */
    int matters;
};

extern const struct does implemented_rows[];
extern const size_t implemented_count;

const char *implemented_kind(enum does_kind kind); /* "option" */
const char *implemented_how(enum does_how how);    /* "implemented" */

/* A row that an item concerns, as often as items do; matters: it is refused, and asked for. */
typedef void implemented_fn(void *ctx, const struct does *row, const struct item *it, bool matters);
void implemented_walk(const struct config *c, implemented_fn *fn, void *ctx);

/* Errors on what is refused and matters, but what the command line goes without; how many. */
size_t implemented_check(const struct config *c, const struct arguments *given, struct diag *d);

#endif
