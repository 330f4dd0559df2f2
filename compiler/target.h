/*
 * target: the release of sendmail that a configuration is written for.
 *
 * target_default is what is installed: the program's own version string is read from its file, and
 * the program is not run.  $MCF_SENDMAIL names the file (empty: none); else the usual places are
 * looked at.  Where there is no sendmail it is TARGET_ELSE.
 */
#ifndef MCF_COMPILER_TARGET_H
#define MCF_COMPILER_TARGET_H

#include "compiler/front.h"
#include "lib/model/releases.h"

#define TARGET_ELSE "8.17"

void target_default(struct arena *a, struct release *r);

/* Must the program know what the FEATURE is for, and does it not? */
bool target_lacks_feature(const struct release *target, const char *name);
/* Says what the .mc's directives name that the target lacks (f->target). */
void target_check(struct front *f);
/* The same of the letters of a mailer's flags. */
void target_check_flag(struct front *f, struct origin at, const char *letter);
/* For check_context: the variable whose value stands at `value`; ctx is the front. */
void target_variable(void *ctx, struct origin value, struct origin *at);
/* The macro _mcf_from_8_18 and its like, for rulesets/: "" where the target is of that series or
 * later, else NULL.  name is what follows "_mcf_from_". */
const char *target_symbol(const struct release *target, const char *name);

#endif
