/*
 * compare: what differs between two configurations, as configuration.
 *
 * Order counts only where sendmail gives it a meaning: a repeated macro, map, mailer, filter, queue
 * group, precedence or environment variable is compared by what is in force at the end; the lines
 * of one option are a list and are compared in order; classes, trusted users and class files are
 * sets, headers too, but each as often as it stands there; a mailer is compared equate by equate,
 * its flags as a set of letters.  Blanks are folded, except in macros.  Rules are compared as text,
 * ruleset by ruleset (a number and the name given to it are one), without comments.  Lines that are
 * no configuration lines are compared in order; so are lines that a comment swallows.
 *
 * A remark behind a value counts as part of the value, except in rules.
 */
#ifndef MCF_MODEL_COMPARE_H
#define MCF_MODEL_COMPARE_H

#include "lib/model/config.h"

enum difference_kind { DIFFERENCE_ADDED, DIFFERENCE_REMOVED, DIFFERENCE_CHANGED };

struct difference {
    enum difference_kind kind;
    enum item_kind section;
    const char *name; /* "Timeout.queuereturn", "w", "smtp F", "check_rcpt"; "" for trusted users */
    const char *old_value; /* NULL when added */
    const char *new_value; /* NULL when removed */
    struct origin old_at, new_at;
    struct difference *next;
};

/* Differences from a to b in order of section (items.def), then name; NULL if there are none.  In
 * arena, and only as long as a and b live. */
struct difference *config_compare(struct arena *arena, const struct config *a,
                                  const struct config *b);
/* One line a difference: "- option X: old", "+ ...", "~ option X: old -> new". */
void difference_print(const struct difference *d, struct buf *out);

#endif
