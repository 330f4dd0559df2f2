/*
 * options: what is known of every option (options.def).
 *
 * sendmail compares names without regard to case and takes an unambiguous beginning for the whole;
 * of an option with sub-options (Timeout.queuereturn) the part before the first dot is looked up.
 * The answers are constant and live for ever.
 */
#ifndef MCF_MODEL_OPTIONS_H
#define MCF_MODEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct item;

enum option_type {
    OPTION_BOOL,
    OPTION_NUMBER,
    OPTION_SIZE,
    OPTION_TIME,
    OPTION_OCTAL,
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_WORD,
    OPTION_LIST,
    OPTION_LETTERS,
    OPTION_EQUATES,
    OPTION_SUB
};

struct option_info {
    const char *name; /* "" for a letter without a long name */
    char letter;      /* 0 where there is no short form */
    bool safe;
    bool elsewhere; /* known to other builds only */
    enum option_type type;
    const char *value; /* the default */
};

enum option_match { OPTION_UNKNOWN, OPTION_EXACT, OPTION_ABBREVIATED, OPTION_AMBIGUOUS };

/* The option of this name, NULL if it is unknown or ambiguous; *how (may be NULL) says which. */
const struct option_info *option_find(const char *name, size_t len, enum option_match *how);
/* The option of a short form, NULL if there is none. */
const struct option_info *option_by_letter(char letter);
/* The known name nearest to a misspelt one (lib/base/diag.h, diag_nearest), NULL if none is near.
 */
const char *option_nearest(const char *name);
/* The i-th option of the table, NULL beyond its end. */
const struct option_info *option_at(size_t i);

/* Is it the option of this long name, whole, cut short, or by its letter? */
bool option_is(const struct item *it, const char *name);
/* Whether DontBlameSendmail has the word, in the lines before `end` (NULL: in all); each line adds
 * to those before it, `safe` takes all away. */
bool option_forgives(const struct config *c, const char *word, const struct item *end);

#endif
