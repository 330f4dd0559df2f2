/*
 * releases: which release of sendmail 8 has what (releases.def), and a configuration for one.
 *
 * A release is a series (8.14: its last patch level counts) or one of its patch levels (8.14.4).
 * Tables are constant and live for ever; release.name is the caller's string.
 */
#ifndef MCF_MODEL_RELEASES_H
#define MCF_MODEL_RELEASES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/model/check.h"
#include "lib/model/findings.h"

enum release_kind {
    RELEASE_OPTION,        /* Name or Name.sub */
    RELEASE_WORD,          /* a word of an option, or its whole value */
    RELEASE_LETTER,        /* a letter of an option */
    RELEASE_DAEMON_KEY,    /* of DaemonPortOptions and ClientPortOptions */
    RELEASE_DAEMON_FLAG,   /* of their Modifiers */
    RELEASE_DAEMON_FAMILY, /* of their Family */
    RELEASE_MAILER_FLAG,
    RELEASE_MAP_CLASS,
    RELEASE_MAP_FLAG,
    RELEASE_MACRO, /* ${name} that the program sets */
    RELEASE_RULESET,
    RELEASE_ERROR_CODE, /* what follows $#error $@ */
    /* of an .mc */
    RELEASE_FEATURE,
    RELEASE_ARGUMENT, /* of a FEATURE */
    RELEASE_MAILER,
    RELEASE_OSTYPE,
    RELEASE_VARIABLE,
    RELEASE_DIRECTIVE
};

enum release_rows {
#define RELEASED(...) +1
    RELEASE_ROWS = 0
#include "lib/model/releases.def"
#undef RELEASED
};

struct release {
    const char *name; /* as it is to be called; NULL: none is meant, and nothing is missing */
    unsigned number;
    size_t nlacked;
    unsigned short lacked[RELEASE_ROWS]; /* rows of the table, for releases.c */
};

struct release_item {
    enum release_kind kind;
    const char *name, *first, *last, *note;
    bool library; /* the program need not know it */
};

/* "8.14", "8.14.4", "8.17.1.9"; false where it is none, or of a series without rows. */
bool release_parse(const char *text, struct release *r);
/* The nearest known one to a program's version, which must look like one; false if it does not. */
bool release_of_program(const char *version, struct release *r);
/* Is r that release or a later one? */
bool release_from(const struct release *r, const char *first);
/* The i-th known series, NULL beyond the last. */
const char *release_series(size_t i);

/* The row of what r lacks, NULL where it has it; len bytes of name, in their case for an .mc's
 * names, letters and macros and in any case for the others. */
const struct release_item *release_lacks(const struct release *r, enum release_kind kind,
                                         const char *name, size_t len);
/* The i-th row of the kind that r lacks; NULL beyond the last. */
const struct release_item *release_lacking(const struct release *r, enum release_kind kind,
                                           size_t i);

/* Says that r lacks the row's thing, called `what`; hint: what becomes of it. */
struct finding *release_say(struct diag *d, const struct release *r, struct origin at,
                            const struct release_item *row, const char *what, const char *hint);

/* Leaves out of c what r does not read, and says so where somebody wrote it; says which macros and
 * rulesets of somebody's own mean nothing to r.  context as in config_check. */
void config_for_release(struct config *c, const struct check_context *context,
                        const struct release *r, struct diag *d);

#endif
