/*
 * cf: the .cf reader: text -> model (lib/model/config.h).
 *
 * cf_read parses whole text; it never fails as a whole: a line that is no configuration line
 * becomes an ITEM_UNKNOWN and a finding.  Findings have file:line:column.  Every line kind of
 * sendmail V5 to V10 is read; rules are kept as text (left, right, comment), split at tabs. Line
 * numbers: line_of[i] (optional) gives the origin of physical line i+1 of the text, for text that
 * was assembled from several files; else they are src's lines.
 */
#ifndef MCF_GRAMMAR_CF_H
#define MCF_GRAMMAR_CF_H

#include "lib/base/diag.h"
#include "lib/model/config.h"

struct cf_line_origin {
    struct origin at;    /* of the line's first byte */
    struct origin cause; /* may be file 0 */
    /* NULL, or what the line is, a rule, ruleset, comment or blank line: then it is taken as it is.
     */
    const struct item *item;
};

/* Appends to c what text[0..len) says.  d may be NULL: no findings.
 * keep_comments: comments and blank lines become items; else they are dropped, except a comment
 * that swallows lines, since these were meant for something. */
void cf_read(struct config *c, const char *text, size_t len, const struct source *src,
             const struct cf_line_origin *line_of, bool keep_comments, struct diag *d);

#endif
