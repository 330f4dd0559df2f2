/*
 * diag: findings are located records; they are collected and printed together.
 *
 * A library adds findings and goes on; only a program decides what they mean.
 * Printed form, one finding:
 *
 *     sendmail.mc:12:9: error: text [id]
 *       FEATURE(`acces_db')
 *               ^~~~~~~~~
 *       hint: did you mean access_db?
 *       included from sendmail.mc:3
 *
 * A finding without a file prints "mcf: error: text [id]".  The caret stands
 * under the column's character: tabs are copied, a UTF-8 sequence counts as one
 * cell, any other byte above 127 is printed as it is and counts as one.  Of a line of more than 300
 * bytes only the part around the column is shown, and of more than 200 findings the first 200,
 * errors before others.
 * The set's arena owns all texts; the caller's strings are copied.
 */
#ifndef MCF_BASE_DIAG_H
#define MCF_BASE_DIAG_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/source.h"

enum diag_severity { DIAG_NOTE, DIAG_WARNING, DIAG_ERROR };

/* Bytes of a source that are to be other ones. */
struct edit {
    struct origin at; /* at.len bytes from there, which may run over line ends; 0 = insert */
    const char *text; /* what stands there instead */
    struct edit *next;
};

struct finding {
    enum diag_severity severity;
    const char *id;              /* short, stable: "feature-after-mailer" */
    const char *text;            /* one line, no full stop */
    const char *hint;            /* NULL or one line: what to do */
    const char *in_expansion_of; /* NULL or the macro that made the call */
    struct origin at;
    struct edit *edits; /* the one right answer, if there is one; NULL otherwise */
    size_t seq;         /* order of adding */
};

struct diag;

struct diag *diag_new(struct arena *a, struct source_set *sources);
/* Returns the finding, for hint and in_expansion_of; never NULL. */
struct finding *diag_add(struct diag *d, enum diag_severity sev, const char *id, struct origin at,
                         const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void diag_hint(struct diag *d, struct finding *f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds an edit to those that mend the finding; all of them belong together. */
void diag_edit(struct diag *d, struct finding *f, struct origin at, const char *text);
/* What is found from now on in lines first to last of cause's file, and what was said of these
 * lines as a whole, only follows from cause: it is not kept, and cause becomes as severe as it is.
 */
void diag_follows(struct diag *d, struct finding *cause, uint32_t first, uint32_t last);
struct arena *diag_arena(struct diag *d);
size_t diag_count(const struct diag *d, enum diag_severity at_least);
/* Findings sorted by file id, line, column, then order of adding (findings without a file last). */
const struct finding *const *diag_sorted(struct diag *d, size_t *n);
/* Raises every warning to an error (--werror). */
void diag_werror(struct diag *d);
/* What the reference prints as an error and survives is an error, or a warning after diag_lax. */
void diag_lax(struct diag *d);
enum diag_severity diag_survivable(const struct diag *d);
void diag_print(struct diag *d, FILE *out, bool colour);

/* The name in names[0..n) nearest to word (edit distance with transpositions, at most a third of
 * its length, at least 1 and at most 3), case ignored; NULL if none is near enough.  *sure (may be
 * NULL): it is the one right answer: one edit away, or two where there are eight letters or more,
 * and no other name is as near. */
const char *diag_nearest(const char *word, const char *const *names, size_t n, bool *sure);

#endif
