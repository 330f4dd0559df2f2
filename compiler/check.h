/*
 * check: what can be said about an .mc beyond whether it compiles.
 *
 * Each looks at what front_read found and adds findings (lib/model/findings.def); none changes
 * anything.  They run before the model is made, except where they say so.
 */
#ifndef MCF_COMPILER_CHECK_H
#define MCF_COMPILER_CHECK_H

#include "compiler/front.h"

/* The directives, in order of execution: names, arguments, order, what needs what. */
void check_calls(struct front *f);
/* The variables: names that nothing reads, definitions without effect. */
void check_defines(struct front *f);
/* Names that no macro bears, and text that was not meant for the .cf. */
void check_text(struct front *f);
/* The letters of mailers' flags. */
void check_flags(struct front *f);
/* The names of variables that the library reads, for front->known. */
struct table *check_known_names(const struct front *f);
/* Macros that nothing defines, and prose: what becomes a line of the .cf without being meant. */
void check_text_find(struct front *f);
/* Where a line of the .cf that is the file's own text was written: `at`, or, where a macro that
 * nothing defines is in it, that macro's line; what is said of it from now on follows from that. */
struct origin check_text_place(struct front *f, const char *text, struct origin at);
/* Does what is said of a line follow from a section's name that nothing defines?  Then that is an
 * error. */
bool check_text_explains(const struct front *f, const struct finding *x);

/* --- for the checks ----------------------------------------------------------------------------
 */

/* Adds a finding at argument arg of the call (0: the whole call), with up to three values. */
struct finding *check_found(struct front *f, enum finding_id id, const struct m4_record *r,
                            size_t arg, const char *first, const char *second, const char *third);
/* Is the call one of the file's own lines, in no quotes and no argument? */
bool check_is_top(const struct m4_record *r);
/* Edits that take the call's line away, or put it above target's line.  Nothing where the call, or
 * target, shares its line with others or stands inside another call: false. */
bool check_edit_remove(struct front *f, struct finding *x, const struct m4_record *r);
bool check_edit_move(struct front *f, struct finding *x, const struct m4_record *r,
                     const struct m4_record *target);
/* Does the vocabulary define a macro of that name? */
bool check_in_vocabulary(const char *name, size_t len);
/* Is there a file of the site's own library, kind "feature", "ostype", ...? */
bool check_site_has(const struct front *f, const char *kind, const char *name);
/* The line of r as a number, for texts. */
const char *check_line(struct front *f, const struct m4_record *r);

#endif
