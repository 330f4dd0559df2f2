/*
 * lower: an .mc becomes the model.
 *
 * m4 says what the file means (compiler/m4.h), its tree says where (grammar/mc.h), rulesets/ says
 * what that is as .cf lines (compiler/template.h), and the .cf reader makes items of them.  Every
 * item knows the line that it stands on and the directive that caused it.
 *
 * Where a macro is misspelt and there is one right answer, the file is read once more with that
 * answer, and what else is found is what is found then; the configuration is that of the first
 * time.
 *
 * Findings go to diag.  The configuration is complete if and only if lower_mc returned true: then
 * diag holds no error.  With lax, what the reference prints as an ERROR and survives is a warning.
 */
#ifndef MCF_COMPILER_LOWER_H
#define MCF_COMPILER_LOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/m4.h"
#include "lib/model/config.h"
#include "lib/model/releases.h"

struct mc_edit;

struct lower_options {
    bool lax;
    bool werror;
    bool allow_commands;
    bool
        given; /* the file's bytes are in the set of sources, and are read in place of the disk's */
    const char *confine;             /* NULL, or the folder below which files may be read */
    const char *const *include_dirs; /* -I, NULL-terminated */
    const struct m4_define *defines; /* -D */
    unsigned cpu_seconds;            /* 0 = default; for tests */
    uint32_t knockout;               /* leave out this block of rulesets/; 0 = none; for tests */
    struct release target;           /* what it is written for; none: what is installed */
    const struct mc_edit *meant;     /* of lower_mc's own: the file is read with these edits */
};

bool lower_mc(struct config *c, const char *path, const struct lower_options *o, struct diag *d);

#endif
