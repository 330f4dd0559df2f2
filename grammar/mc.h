/*
 * mc: the lossless tree of an .mc file: where things are.  What they mean is m4's to say.
 *
 * Invariants: every byte of the file belongs to exactly one leaf, and the leaves in source order
 * give the file back byte for byte.  A node's span is that of its leaves; a node without leaves (an
 * empty argument) has an empty span at its place.  mc_parse always gives a tree: what does not
 * close is closed where that is most likely meant, with a finding, and the rest is read on.
 * The tree lives in the arena of mc_parse and points into its source.
 *
 * The rules are GNU m4's: a name directly followed by ( is a call; quotes nest and what they hold
 * is read as m4 would read it once they are off, as nodes with their places in the file;
 * changequote(...) and changecom(...) that stand outside quotes and name their arguments plainly
 * count from there on.  Comments are off, as they are in an .mc, except before a file's own
 * include of cf.m4.
 */
#ifndef MCF_GRAMMAR_MC_H
#define MCF_GRAMMAR_MC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/source.h"

struct arena;
struct diag;

/* Deeper nesting is read as text, with a finding [nesting-too-deep]. */
enum { MC_DEPTH_MAX = 1000 };

enum mc_kind {
    /* Inner nodes. */
    MC_FILE,
    MC_CALL,   /* MC_NAME MC_OPEN MC_ARG (MC_COMMA MC_ARG)* MC_CLOSE */
    MC_ARG,    /* leading white space is part of it */
    MC_QUOTED, /* MC_LQUOTE ... MC_RQUOTE */
    MC_GROUP,  /* ( ... ) in a call's argument that belongs to no call */
    /* Leaves. */
    MC_NAME,    /* [A-Za-z_][A-Za-z0-9_]* */
    MC_SPACE,   /* blanks */
    MC_NEWLINE, /* one line end; a carriage return before it is an MC_SPACE */
    MC_TEXT,    /* anything else */
    MC_DNL,     /* dnl and what it takes: to the line's end, or to the quote's end in a quote */
    MC_COMMENT, /* without its line end */
    MC_OPEN,
    MC_CLOSE,
    MC_COMMA,
    MC_LQUOTE,
    MC_RQUOTE,
};

struct mc_node {
    enum mc_kind kind;
    bool unclosed; /* of MC_CALL, MC_QUOTED, MC_GROUP: the end is missing */
    bool macro;    /* of MC_NAME: alone it is likely a macro's call (LOCAL_CONFIG, divert, ...) */
    uint32_t line; /* of MC_CALL and macro names: the line that m4 reports for it */
    size_t off;    /* span in the source */
    size_t len;
    struct mc_node *parent;
    struct mc_node *first; /* child */
    struct mc_node *next;  /* sibling */
};

struct mc_tree {
    struct arena *arena;
    const struct source *source;
    const struct mc_node *root;
    /* Every MC_CALL and every MC_NAME with macro set that is not the name of an MC_CALL, in source
     * order. */
    const struct mc_node *const *calls;
    size_t ncalls;
    bool comments;   /* the file includes cf.m4 itself: m4's comments are on until there */
    size_t unclosed; /* quotes and parentheses that a finding was due for */
    /* Where these end, as the tree has it: for each the text that is missing. */
    struct mc_edit *missing;
};

/* Bytes of the source that are to be other ones; off ascending. */
struct mc_edit {
    size_t off, len;
    const char *text;
    struct mc_edit *next;
};

/* A text of the same lines in which quoting faults are mended. */
struct mc_mended {
    const char *text; /* the source's own bytes where there is no edit */
    size_t len;
    const struct mc_edit *edits; /* NULL where m4 can read the file as it is */
    bool faulty;                 /* something was found that can be mended */
};

/* d may be NULL: no findings.  A source without bytes gives an empty tree.
 * Findings: unclosed-quote and unclosed-parenthesis, at what opens; nesting-too-deep. */
struct mc_tree *mc_parse(struct arena *a, const struct source *source, struct diag *d);

/* Finds quoting faults, and where they break what is said (an error, not a mere warning) the text
 * that was most likely meant.  Edits keep every line end.  d may be NULL: no findings.  Findings:
 * unclosed-quote, unclosed-parenthesis, wrong-quotes, stray-quote, stray-parenthesis,
 * no-parenthesis, no-comma, apostrophe, quote-in-comment, macro-in-comment, quoted-lines. */
struct mc_mended *mc_mend(struct arena *a, const struct source *source, struct diag *d);
/* The findings alone, of a file that m4 reads as it is: what else is said of their lines follows.
 */
void mc_find_faults(struct arena *a, const struct source *source, struct diag *d);
/* The byte of the source that off of the mended text stands for. */
size_t mc_unmend(const struct mc_mended *m, size_t off);

/* The node after node in source order (parents before children), inside top; NULL at the end.
 * Start with top itself.  mc_skip leaves out what is in node. */
const struct mc_node *mc_next(const struct mc_node *node, const struct mc_node *top);
const struct mc_node *mc_skip(const struct mc_node *node, const struct mc_node *top);

/* The node's bytes, copied. */
char *mc_text(struct arena *a, const struct mc_tree *t, const struct mc_node *node);
/* Is node a call of name?  An MC_NAME (without arguments) may be one. */
bool mc_is_call_of(const struct mc_tree *t, const struct mc_node *node, const char *name);
/* The name of an MC_CALL or MC_NAME, copied; NULL for others. */
char *mc_name(struct arena *a, const struct mc_tree *t, const struct mc_node *node);
size_t mc_nargs(const struct mc_node *call); /* NAME() has one argument, NAME alone has none */
const struct mc_node *mc_arg(const struct mc_node *call,
                             size_t n); /* from 1; NULL if there is none */
/* The argument as m4 passes it if nothing in it expands: without leading white space and with one
 * level of quotes taken off; "" if there is none.  *plain (may be NULL) is false where something in
 * it may expand, so that m4's text may be another. */
char *mc_arg_text(struct arena *a, const struct mc_tree *t, const struct mc_node *call, size_t n,
                  bool *plain);

/* Places.  mc_origin: the whole node.  mc_name_origin: the name of a call.  mc_arg_origin: the n-th
 * argument's text, inside its quotes if it is one quoted string, without white space around;
 * mc_close_origin: the closing parenthesis.  Where there is no such part: the name's place. */
struct origin mc_origin(const struct mc_tree *t, const struct mc_node *node);
struct origin mc_name_origin(const struct mc_tree *t, const struct mc_node *call);
struct origin mc_arg_origin(const struct mc_tree *t, const struct mc_node *call, size_t n);
struct origin mc_close_origin(const struct mc_tree *t, const struct mc_node *call);

/* The call that m4 reported for a line: m4 gives a call that was in quotes the line where the call
 * begins that held the quotes.  arg1: NULL or the first argument's text as m4 passed it; where no
 * argument reads so, one whose text may expand matches.  after: NULL, or the answer before, for the
 * next one.  NULL if there is none: a macro named on that line made the call. */
const struct mc_node *mc_find_call(const struct mc_tree *t, uint32_t line, const char *name,
                                   const char *arg1, const struct mc_node *after);
/* The outermost call that node stands in, node itself if it is one; NULL if it stands in none. */
const struct mc_node *mc_outermost(const struct mc_node *node);
/* The first outermost call or macro name after `after` (or NULL) that begins on the line. */
const struct mc_node *mc_outermost_at(const struct mc_tree *t, uint32_t line,
                                      const struct mc_node *after);

struct mc_include_cf {
    const struct mc_node *call;
    const char *path; /* as written: /usr/share/sendmail-cf/m4/cf.m4 */
    const char *dir;  /* of path, "." where it has none: /usr/share/sendmail-cf/m4 */
    const char *root; /* where that folder is called m4: its parent; else dir */
};
/* The first include or sinclude of a file called cf.m4; NULL if there is none. */
const struct mc_include_cf *mc_find_include_cf(struct arena *a, const struct mc_tree *t);

#endif
