/*
 * rule_tree: what rule.l and rule.y build a template's tree with.  Private to grammar/rule*.
 *
 * The tree's links are const, since a finished library is; the builders keep the writable ends.
 * A rule_parse lives for one file; what it makes belongs to the set's arena.
 */
#ifndef MCF_GRAMMAR_RULE_TREE_H
#define MCF_GRAMMAR_RULE_TREE_H

#include "grammar/rule.h"
#include "lib/base/diag.h"

/* The span of a token or of a rule's tokens. */
struct rule_loc {
    uint32_t line, col, len;
};

struct rule_nodes {
    const struct rule_node *first;
    struct rule_node *last;
};

struct rule_pieces {
    const struct rule_piece *first;
    struct rule_piece *last;
};

/* A %for around a name: inside it the feature's arguments can be named alone. */
struct rule_loop {
    const char *feature;
    const struct rule_loop *outer;
};

/* Things that can be finished only when all files are known. */
struct rule_pending {
    struct rule_name *name; /* or */
    struct rule_node *node; /* FOR INCLUDE AT */
    const struct rule_loop *loop;
    struct rule_loc loc;
    struct rule_pending *next;
};

/* A word of a header line, kept with its place until it can be checked. */
struct rule_word {
    const char *text;
    struct rule_loc loc;
    struct rule_word *next;
};

struct rule_words {
    struct rule_word *first, *last;
};

struct rule_flag_line {
    struct rule_flag flag;
    struct rule_loc loc;
    struct rule_flag_line *next;
};

struct rule_arg_line {
    struct rule_arg arg;
    struct rule_loc loc;
    struct rule_arg_line *next;
};

/* One file while its set is being built. */
struct rule_unit {
    struct rule_file file; /* becomes part of the library */
    unsigned index;        /* in the library, once files are sorted */
    const struct source *src;
    struct rule_loc kind_loc;   /* of the %feature or %mailer line; line 0 = none */
    const char *kind_name;      /* the name it gives */
    bool kind_feature;          /* %feature, else %mailer */
    struct rule_loc header_loc; /* of the first header line */
    struct rule_loc required_loc;
    struct rule_flag_line *flags, **flags_end;
    struct rule_arg_line *args, **args_end;
    struct rule_words needs, before, reads;
    struct rule_nodes body;
    struct rule_pending *pending, **pending_end;
    bool reached; /* by main, a feature or a mailer */
    struct rule_unit *next;
};

/* An open block: for the message about a missing %end. */
struct rule_open {
    struct rule_loc loc;
    struct rule_open *outer;
};

struct rule_parse {
    struct arena *arena;
    struct diag *diag;
    struct rule_unit *unit;
    const struct rule_loop *loop; /* innermost open %for */
    struct rule_open *open;
    /* the scanner's */
    uint32_t line, col;
    bool m4_line;        /* in the line that opens an %m4 block */
    int plain_words;     /* words still to come before free text; -1: no free text */
    unsigned depth;      /* open %{ */
    unsigned braces[16]; /* plain braces open inside each of them */
    struct rule_loc subst[16];
};

/* The scanner's place-keeping: sets loc to the token's span and steps over it. */
void rule_advance(struct rule_parse *p, struct rule_loc *loc, const char *text, size_t len);
void rule_open_block(struct rule_parse *p, struct rule_loc loc);
void rule_close_block(struct rule_parse *p);

struct finding *rule_error(struct rule_parse *p, struct rule_loc loc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct origin rule_origin(const struct rule_unit *u, struct rule_loc loc);

struct rule_name *rule_name(struct rule_parse *p, const char *text, struct rule_loc loc);
const struct rule_expr *rule_expr(struct rule_parse *p, enum rule_op op,
                                  const struct rule_expr *left, const struct rule_expr *right);
const struct rule_expr *rule_expr_name(struct rule_parse *p, enum rule_op op, const char *name,
                                       const char *text, struct rule_loc loc);

void rule_pieces_text(struct rule_parse *p, struct rule_pieces *list, const char *text);
void rule_pieces_subst(struct rule_parse *p, struct rule_pieces *list, enum rule_piece_kind kind,
                       const char *name, const struct rule_piece *body, struct rule_loc loc);

struct rule_node *rule_node(struct rule_parse *p, enum rule_kind kind, struct rule_loc loc);
/* A node that names a feature, hook or file; it is resolved later. */
struct rule_node *rule_node_named(struct rule_parse *p, enum rule_kind kind, const char *name,
                                  struct rule_loc loc, struct rule_loc name_loc);
void rule_nodes_add(struct rule_nodes *list, struct rule_node *node); /* NULL: nothing */
struct rule_nodes rule_nodes_prepend(struct rule_node *node, struct rule_nodes list);
/* A section's number, from 0 to 99. */
unsigned rule_section(struct rule_parse *p, const char *number, struct rule_loc loc);
void rule_loop_enter(struct rule_parse *p, const char *feature);
void rule_loop_leave(struct rule_parse *p);

/* Header lines. */
void rule_header(struct rule_parse *p, struct rule_loc loc);
void rule_header_kind(struct rule_parse *p, bool feature, const char *name, struct rule_loc loc);
void rule_header_flag(struct rule_parse *p, const char *name, const char *value,
                      struct rule_loc loc);
void rule_header_arg(struct rule_parse *p, const char *number, const char *name, const char *text,
                     struct rule_loc loc);
/* Of an argument that an %arg above has named. */
void rule_header_words(struct rule_parse *p, const char *number, const char *words,
                       struct rule_loc loc);
void rule_header_summary(struct rule_parse *p, const char *text, struct rule_loc loc);
void rule_header_example(struct rule_parse *p, const char *text, struct rule_loc loc);
void rule_header_required(struct rule_parse *p, const char *number, struct rule_loc loc);
void rule_words_add(struct rule_parse *p, struct rule_words *list, const char *text,
                    struct rule_loc loc);

/* rule_check.c: checks n resolved files, listed in the order of the library. */
void rule_check(struct arena *a, struct diag *d, struct rule_unit *const *units, unsigned n);

#endif
