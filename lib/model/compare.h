/*
 * compare: what differs between two configurations, as configuration.
 *
 * Order counts only where sendmail gives it a meaning: a repeated macro, option, map or mailer is
 * compared by what is in force at the end; DaemonPortOptions, ClientPortOptions, AliasFile and the
 * like are lists and are compared in order; classes, trusted users and headers are compared as sets
 * (blanks folded); mailer flags as a set of letters.  Rules are compared as text, ruleset by
 * ruleset, blanks folded, comments left out.
 */
#ifndef MCF_MODEL_COMPARE_H
#define MCF_MODEL_COMPARE_H

#include "lib/model/config.h"

enum difference_kind { DIFFERENCE_ADDED, DIFFERENCE_REMOVED, DIFFERENCE_CHANGED };

struct difference {
    enum difference_kind kind;
    enum item_kind section;
    const char *name;       /* "Timeout.queuereturn", "class w", "ruleset check_rcpt" */
    const char *old_value;  /* NULL when added */
    const char *new_value;  /* NULL when removed */
    struct origin old_at, new_at;
    struct difference *next;
};

/* Differences from a to b in order of section, then name; NULL if there are none.  In arena. */
struct difference *config_compare(struct arena *arena, const struct config *a, const struct config *b);
/* One line a difference: "- option X: old", "+ ...", "~ option X: old -> new". */
void difference_print(const struct difference *d, struct buf *out);

#endif
