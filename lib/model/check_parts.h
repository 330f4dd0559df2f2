/*
 * check_parts: what the parts of config_check (check_*.c) share: one run, places, ways to say it.
 *
 * A part is a run of bytes, mostly of an item's text; only of these the place is known closer than
 * the line.
 */
#ifndef MCF_MODEL_CHECK_PARTS_H
#define MCF_MODEL_CHECK_PARTS_H

#include "lib/model/check.h"
#include "lib/model/findings.h"

struct part {
    const char *s;
    size_t len;
};

/* The first item that declares a name; of a ruleset, how many rules it has so far. */
struct declared {
    const struct item *it;
    size_t rules;
};

struct check {
    const struct config *config;
    struct diag *diag;
    struct arena *arena;
    const struct check_context *context; /* never NULL */
    /* struct declared of each name. */
    struct table *maps; /* by the name in small letters */
    struct table *rulesets, *mailers, *filters, *queues, *classes; /* rulesets by number, too */
};

/* The part of the item's text, from `from` on, that reads so; the whole text if there is none. */
struct part check_part(const struct item *it, const char *from, const char *text);
/* The item's value. */
struct part check_value(const struct item *it);
/* The part as a string. */
const char *check_text(struct check *k, struct part p);
bool part_is(struct part p, const char *text);     /* in any case */
bool part_begins(const char *text, struct part p); /* text begins with p, in any case */
struct part part_trim(struct part p);              /* without blanks at its ends */
/* The next piece between the separators; false at the end.  *rest starts as the whole. */
bool part_next(struct part *rest, const char *separators, struct part *piece);

/* Is the line one of the library's own? */
bool check_is_ours(const struct check *k, const struct item *it);
/* False where nothing is to be said: the item is the library's, and nobody's value is in it. */
bool check_place(struct check *k, const struct item *it, struct part p, struct origin *at);
/* Adds a finding at the part, with up to three values (NULL: no more); NULL if there is nobody to
 * say it to. */
struct finding *check_say(struct check *k, const struct item *it, struct part p, enum finding_id id,
                          const char *a, const char *b, const char *c);
/* Edits the part, or what stands at the finding's place if that reads as the part. */
void check_mend(struct check *k, struct finding *f, struct part p, const char *text);
/* "did you mean": one of names[0..n), and the edit where it is the one right answer.  f may be
 * NULL. */
bool check_near(struct check *k, struct finding *f, struct part p, const char *const *names,
                size_t n);
/* The same, of words with blanks between them. */
bool check_suggest(struct check *k, struct finding *f, struct part p, const char *words);
/* Nothing declares the name p, of the kind that names has: says so, with a suggestion. */
void check_undefined(struct check *k, const struct item *it, struct part p, enum finding_id id,
                     const char *second, const struct table *names);

/* Values; what names the option or key in the finding. */
void check_number(struct check *k, const struct item *it, const char *what, struct part v);
void check_size(struct check *k, const struct item *it, const char *what, struct part v);
void check_time(struct check *k, const struct item *it, const char *what, struct part v);

/* The parts of config_check. */
void check_option(struct check *k, const struct item *it);
/* The class before the colon of an AliasFile. */
void check_alias_class(struct check *k, const struct item *it, struct part class);
void check_equates(struct check *k, const struct item *it);
void check_map(struct check *k, const struct item *it);
/* V lines, and what an old level makes of the rest of the file. */
void check_level(struct check *k);
void check_queue(struct check *k, const struct item *it);
void check_header(struct check *k, const struct item *it);
void check_class_words(struct check *k, const struct item *it);
void check_macro(struct check *k, const struct item *it);
/* Names of macros in the value of a macro or header. */
void check_value_names(struct check *k, const struct item *it);
void check_ruleset(struct check *k, const struct item *it);
void check_rule(struct check *k, const struct item *it);
void check_whole(struct check *k);
/* A list of filters, in InputMailFilters or in a daemon's key. */
void check_filter_list(struct check *k, const struct item *it, struct part list);

#endif
