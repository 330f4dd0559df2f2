/*
 * rule: the template language of rulesets/ (ARCHITECTURE.md, "rulesets/: the library as data").
 *
 * The build parses and checks every file of rulesets/ with the functions below and writes the
 * resulting tree out as static const data (compiler/embed.c).  At run time compiler/template.c
 * walks that data: it needs the types of this header and none of its functions.  A test may hand
 * template.c a library that it has parsed itself.
 *
 * Invariants of a finished library: files are sorted by path, features and mailers by name; every
 * name is resolved (no RULE_REF_UNKNOWN), every include and %for has its target; blocks are
 * numbered from 1 in the order of files and lines; includes and hooks do not recurse. Lists end
 * with NULL.  The arena of the rule_set owns everything.
 */
#ifndef MCF_GRAMMAR_RULE_H
#define MCF_GRAMMAR_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct diag;
struct source;

/* What a name in a guard or a substitution stands for. */
enum rule_ref {
    RULE_REF_UNKNOWN,
    RULE_REF_MACRO, /* the text of an m4 macro */
    RULE_REF_FLAG,  /* set, and empty, where an m4 macro is defined: a feature's or mailer's name */
    RULE_REF_ARG,   /* an argument of a feature or mailer */
    RULE_REF_COUNT, /* how many arguments there were */
    RULE_REF_AGAIN  /* set where an earlier call of the same feature exists */
};

struct rule_name {
    const char *text; /* as written */
    enum rule_ref ref;
    const char *macro; /* MACRO FLAG: the m4 name */
    unsigned owner;    /* ARG COUNT AGAIN: index into the library's files */
    unsigned arg;      /* ARG: from 1 */
    uint32_t line, col;
};

enum rule_op {
    RULE_OP_NAME, /* name is set */
    RULE_OP_NOT,  /* left */
    RULE_OP_AND,
    RULE_OP_OR,
    RULE_OP_EQ, /* name == text; an unset name compares as empty */
    RULE_OP_NE
};

struct rule_expr {
    enum rule_op op;
    const struct rule_name *name;
    const char *text;
    const struct rule_expr *left, *right;
};

enum rule_piece_kind {
    RULE_PIECE_TEXT,  /* text as it is */
    RULE_PIECE_VALUE, /* %{NAME} */
    RULE_PIECE_ELSE,  /* %{NAME|body}: body where NAME is unset or empty */
    RULE_PIECE_WHEN,  /* %{NAME?body}: body where NAME is set */
    RULE_PIECE_FULL   /* %{NAME+body}: body where NAME is set and not empty */
};

struct rule_piece {
    enum rule_piece_kind kind;
    const char *text;
    const struct rule_name *name;
    const struct rule_piece *body;
    const struct rule_piece *next;
};

/* The sections of the .mc that a call's own lines go to: %config, a mailer's body. */
enum { RULE_LOCAL_CONFIG = 6, RULE_MAILERS = 7 };

enum rule_kind {
    RULE_TEXT,    /* text: one line; NULL is a blank line */
    RULE_IF,      /* body: RULE_BRANCH nodes */
    RULE_BRANCH,  /* guard (NULL: %else), body */
    RULE_FOR,     /* name: the feature, target: its file */
    RULE_HOOK,    /* name */
    RULE_AT,      /* name, body */
    RULE_CONFIG,  /* number: the section, body */
    RULE_M4,      /* name: the m4 text */
    RULE_SECTION, /* number */
    RULE_OPTIONS,
    RULE_INCLUDE /* name, target: index into files */
};

struct rule_node {
    enum rule_kind kind;
    uint32_t line;
    uint32_t block; /* BRANCH FOR AT CONFIG: its number, else 0 */
    unsigned number;
    unsigned target;
    const char *name;
    const struct rule_expr *guard;
    const struct rule_piece *text;
    const struct item *item; /* TEXT: what the line is, if it always reads so; the build finds it */
    const struct rule_node *body;
    const struct rule_node *next;
};

struct rule_flag {
    const char *name;
    const char *value;
};

struct rule_arg {
    unsigned number; /* 1..9 */
    const char *name;
    const char *text;
    const char *words; /* what it may be, with blanks between; NULL: anything */
};

enum rule_file_kind { RULE_FILE_BASE, RULE_FILE_FEATURE, RULE_FILE_MAILER };

struct rule_file {
    enum rule_file_kind kind;
    const char *path; /* "rulesets/feature/access_db.rules" */
    const char
        *name; /* "access_db"; a base file's name is its path below rulesets/ without .rules */
    const char *summary;           /* NULL in a base file */
    const char *example;           /* a call, as it stands in an .mc; may be NULL */
    const char *flag;              /* the macro that says that the feature or mailer is on */
    const struct rule_flag *flags; /* nflags of them, as written */
    size_t nflags;
    const struct rule_arg *args; /* nargs of them, sorted by number */
    size_t nargs;
    const char *const *needs;  /* features */
    const char *const *before; /* mailers */
    const char *const *reads;  /* m4 names */
    /* Macros whose values at the call count; those of defaults only where the first argument is
     * missing.  Filled in by compiler/embed.c, NULL in a set that was parsed. */
    const char *const *takes, *const *defaults;
    unsigned required; /* so many arguments must be given */
    bool repeat;
    const struct rule_node *body;
    uint32_t first_block; /* number of its first block */
};

struct rule_library {
    const struct rule_file *const *files; /* all of them */
    size_t nfiles;
    const struct rule_file *const *features;
    size_t nfeatures;
    const struct rule_file *const *mailers;
    size_t nmailers;
    const struct rule_file *main; /* rulesets/main.rules */
    const char *const *at_end;    /* macros whose values at the end count; as takes */
    const char *const *at_calls; /* nat_calls of them: those of any call; m4 names them by number */
    size_t nat_calls;
    uint32_t blocks; /* how many there are */
};

struct rule_set;

/* Findings go to d; a and d must outlive the set. */
struct rule_set *rule_set_new(struct arena *a, struct diag *d);
/* Parses one file.  rel is its path below rulesets/ and says what it is: "main.rules",
 * "feature/NAME.rules", "mailer/NAME.rules". */
void rule_set_add(struct rule_set *s, const struct source *src, const char *rel);
/* Resolves and checks.  NULL when any file had an error. */
const struct rule_library *rule_set_finish(struct rule_set *s);

/* True for a name that stands for an m4 macro: starts with '_', a capital, or "conf" + capital. */
bool rule_is_macro(const char *name);

#endif
