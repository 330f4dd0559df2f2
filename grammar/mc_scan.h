/*
 * mc_scan: how the scanner of mc.l decides.  Internal to grammar/mc_*.
 *
 * Flex finds names and classes of bytes; what they mean depends on the quotes in force and on what
 * is open, which mc_scan_take knows.  The scanner never fails: whatever is open where a quote
 * or the file ends is closed by an MC_T_MISSING token of no bytes, so that the grammar sees
 * balanced input only.
 *
 * mc_scan_resolve runs the scanner over the file until everything closes: each time that the end is
 * reached with something open it picks the opener that most likely lacks its end, decides where
 * that end was meant (struct mc_repair) and starts again.  Decisions are few (MC_REPAIR_MAX).
 */
#ifndef MCF_GRAMMAR_MC_SCAN_H
#define MCF_GRAMMAR_MC_SCAN_H

#include "grammar/mc.h"

enum { MC_REPAIR_MAX = 64 };

/* Tokens: the kinds of leaves of mc.h, and these. */
enum mc_token_kind {
    MC_T_END = 100,
    MC_T_CALL_NAME,  /* the name of a call: MC_OPEN follows */
    MC_T_GROUP_OPEN, /* a parenthesis of no call */
    MC_T_MISSING,    /* the end of what is open, not in the file */
};

struct mc_token {
    int kind;
    size_t off;
    size_t len;
};

enum mc_class { MC_C_NAME, MC_C_SPACE, MC_C_NEWLINE, MC_C_OPEN, MC_C_CLOSE, MC_C_COMMA, MC_C_TEXT };

enum mc_repair_kind {
    MC_REPAIR_QUOTE, /* the quote at off ends at end */
    MC_REPAIR_CALL,  /* the call whose parenthesis is at off ends at end */
    MC_REPAIR_TEXT,  /* the parenthesis at off makes no call: its name is hardly a macro's */
};

struct mc_repair {
    enum mc_repair_kind kind;
    size_t off;
    size_t end;
    size_t width;    /* of a quote */
    size_t name_len; /* of a call; the name stands before off */
    bool used;       /* by the last run */
};

struct mc_scan;

struct mc_scan_text {
    const char *bytes;
    size_t len; /* 0: there is no such string */
};

struct mc_scan_mode {
    struct mc_scan_text lquote, rquote, begin_comment, end_comment;
    struct table *defined;     /* names that the file defines; NULL: a table of the scan's own */
    const struct table *known; /* NULL or more of them */
    bool comments_first, saw_cf;
};

struct mc_scan *mc_scan_new(struct arena *a, const struct source *source);
/* Only whether comments are on at first; then the scan has to be started. */
void mc_scan_find_comments(struct mc_scan *s);
/* Finds the repairs, and whether comments are on at first. */
void mc_scan_resolve(struct mc_scan *s);
/* The same for a file in which everything closes; whether that was so is known at the end of a
 * scan. */
void mc_scan_hope(struct mc_scan *s);
bool mc_scan_came_true(const struct mc_scan *s);
/* Starts at the file's first byte. */
void mc_scan_start(struct mc_scan *s);
struct mc_token mc_scan_next(struct mc_scan *s);
/* Starts at a place that is in nothing, under quotes and comments as they were there. */
void mc_scan_start_at(struct mc_scan *s, size_t off, const struct mc_scan_mode *m);
/* Quotes and comments as they are now.  Points into the scan's arena. */
struct mc_scan_mode mc_scan_mode(const struct mc_scan *s);
struct mc_scan_mode mc_scan_mode_copy(struct arena *a, const struct mc_scan_mode *m);
/* Are the quotes those that m4 starts with? */
bool mc_scan_is_usual(const struct mc_scan *s);
/* Does the line go on at off, or after blanks there, like code: a call, a section?  Like dnl? */
bool mc_scan_calls_at(const struct mc_scan *s, size_t off);
bool mc_scan_dnl_at(const struct mc_scan *s, size_t off);
const struct mc_repair *mc_scan_repairs(const struct mc_scan *s, size_t *n);
/* The place of the first opener beyond MC_DEPTH_MAX of the last run; false if there was none. */
bool mc_scan_too_deep(const struct mc_scan *s, size_t *off);

/* Comments are on at first. */
bool mc_scan_comments(const struct mc_scan *s);

/* For mc.l: how many bytes, at least one, the token has that begins with matched bytes of class. */
size_t mc_scan_take(struct mc_scan *s, enum mc_class class, size_t matched);
struct arena *mc_scan_arena(const struct mc_scan *s);

/* What a word may be. */
enum mc_word {
    MC_WORD_PLAIN,
    MC_WORD_MACRO, /* with arguments */
    MC_WORD_BARE,  /* also alone */
};
enum mc_word mc_word_of(const char *name, size_t len);
/* The same, knowing what the file itself defines. */
enum mc_word mc_scan_word(const struct mc_scan *s, const char *name, size_t len);

#endif
