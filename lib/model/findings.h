/*
 * findings: what mcf has to say, as one table (findings.def), and the way to say it.
 *
 * finding_add takes the values for %1 to %9 of the row's text and hint, as strings, ended by NULL;
 * a value that is not given reads as nothing.  The finding is in diag (lib/base/diag.h), which owns
 * it and copies the strings.  Several rows may share an id: one fault, said in several ways.
 */
#ifndef MCF_MODEL_FINDINGS_H
#define MCF_MODEL_FINDINGS_H

#include "lib/base/diag.h"

enum finding_id {
#define FINDING(name, id, severity, text, reason, example, fix) FINDING_##name,
#include "lib/model/findings.def"
#undef FINDING
    FINDINGS
};

enum finding_severity { FINDING_NOTE, FINDING_WARNING, FINDING_SURVIVES, FINDING_ERROR };

struct finding_info {
    const char *id;
    enum finding_severity severity;
    const char *text, *reason, *example, *fix; /* never NULL */
};

const struct finding_info *finding_info(enum finding_id id);

/* A text or fix of the table with X, Y and Z for its values. */
char *finding_readable(struct arena *a, const char *text);
/* The row's text, readable; where it has no words of its own, the reason's. */
char *finding_shape(struct arena *a, enum finding_id id);

/* Adds a finding, with its hint; never NULL. */
struct finding *finding_add(struct diag *d, enum finding_id id, struct origin at, ...)
    __attribute__((sentinel));

/* "did you mean NAME?" in place of the hint if a name of names[0..n) is near word, and, where
 * it is the one right answer, the edit that writes it over `at`, where at.len is the word's.  True
 * if there is one. */
bool finding_suggest(struct diag *d, struct finding *f, struct origin at, const char *word,
                     const char *const *names, size_t n);

#endif
