/*
 * mc_watch: reads an .mc as m4 does and tells where that is hardly what was meant.
 *
 * It follows the tokens of mc_scan from a place that is in nothing, and stops at each trouble: a
 * line of code inside of a quoted text or of another call's argument, a quote that closes nothing,
 * quotes that are none, a call that its quote cuts short, macros and quotes in # comments.  It
 * knows no remedy: mc_mend.c tries edits and asks a watch of its own how the edited text reads.
 * Internal to grammar/mc_*.
 */
#ifndef MCF_GRAMMAR_MC_WATCH_H
#define MCF_GRAMMAR_MC_WATCH_H

#include "grammar/mc_scan.h"

enum mc_trouble_kind {
    MC_TROUBLE_NONE, /* the text has ended */
    /* What is read is of another shape than what was meant. */
    MC_TROUBLE_LINE_IN_QUOTE, /* at begins a line of code */
    MC_TROUBLE_LINE_IN_CALL,  /* the same, in an argument that is not quoted */
    MC_TROUBLE_CUT,           /* a call's quote ends within the call */
    MC_TROUBLE_BLOCK_END,     /* a line of code in quotes begins with ) or , */
    MC_TROUBLE_END,           /* something is open at the end */
    /* It has that shape, and says something else. */
    MC_TROUBLE_STRAY_QUOTE,
    MC_TROUBLE_WRONG_QUOTES,
    MC_TROUBLE_NO_PARENTHESIS,
    MC_TROUBLE_STRAY_PARENTHESIS,
    MC_TROUBLE_NO_COMMA,
    /* Nothing is to be tried. */
    MC_TROUBLE_COMMENT_MACRO,
    MC_TROUBLE_QUOTED_LINES, /* a quote that is in no call held lines of code */
};

struct mc_trouble {
    enum mc_trouble_kind kind;
    size_t at;   /* where it shows */
    size_t from; /* where the call or quote begins that it belongs to */
    size_t end;  /* of what is at at */
    bool comment;
    bool data;   /* LINE_IN_QUOTE: the quoted text does not begin like code */
    size_t held; /* QUOTED_LINES: the first line of code in it */
};

enum mc_word_kind {
    MC_WORD_NONE,
    MC_WORD_FILE,
    MC_WORD_NAMED,
    MC_WORD_DEFINE,
    MC_WORD_TEXT,
    MC_WORD_CLASS,
    MC_WORD_OTHER,
    MC_WORD_SECTION,
    MC_WORD_BUILTIN,
    MC_WORD_BARE_BUILTIN,
};
enum mc_word_kind mc_watch_word(const char *name, size_t len);

/* Where a word is run together with its argument, FEATUREredirect) or divert-1), the word's length.
 */
size_t mc_watch_glued(const char *p, const char *end);

/* The mark that begins at p, if it is a quote of any kind; its length, else 0.  Marks of m4 count.
 */
size_t mc_watch_mark(const char *p, const char *end);

struct mc_watch;

struct mc_watch *mc_watch_new(struct arena *a, const char *bytes, size_t len);
void mc_watch_start(struct mc_watch *w, size_t off, const struct mc_scan_mode *mode);
/* The next trouble. */
struct mc_trouble mc_watch_next(struct mc_watch *w);

/* Ends at the first line from off on where no more than depth is open; the depth there. */
void mc_watch_end_at(struct mc_watch *w, size_t off, size_t depth);
/* How much is open where the line at off begins; 0 before it was read. */
void mc_watch_note_depth(struct mc_watch *w, size_t off);
size_t mc_watch_noted_depth(const struct mc_watch *w);
/* Lines of code in quotes and calls are no trouble before off. */
void mc_watch_accept(struct mc_watch *w, size_t off);
/* The last line's beginning that was in nothing, and what quotes were in force there. */
size_t mc_watch_unit(const struct mc_watch *w, struct mc_scan_mode *mode);
/* The first line's beginning in nothing that is not before off; SIZE_MAX if none came yet. */
size_t mc_watch_unit_after(const struct mc_watch *w);
void mc_watch_note_unit_after(struct mc_watch *w, size_t off);
/* Where what is open begins, from the outermost; n is how many there are. */
size_t mc_watch_open(const struct mc_watch *w, size_t n, size_t *name);
size_t mc_watch_depth(const struct mc_watch *w);
/* Watches for what opens or closes at off: the other end of it is there afterwards, or SIZE_MAX. */
void mc_watch_ask(struct mc_watch *w, size_t off);
size_t mc_watch_answer(const struct mc_watch *w);

#endif
