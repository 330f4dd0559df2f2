/*
 * front: an .mc as it was read: its tree, what m4 said, and where things are.
 *
 * front_read fills it; lower (the model) and the checks (check_*.c) read it.  m4 knows a call's
 * line, the tree its column: front_place puts the two together, and never guesses a column.  Where
 * the tree mended the file (a quote that is not closed, ...), m4 reads the mended text, of the same
 * lines, so that nothing is found that only follows from the fault.
 *
 * Everything lives in the configuration's arena.
 */
#ifndef MCF_COMPILER_FRONT_H
#define MCF_COMPILER_FRONT_H

#include "compiler/lower.h"
#include "compiler/template.h"
#include "grammar/mc.h"
#include "lib/model/findings.h"

/* A definition: where it stands, its name and its value (file 0: in no file). */
struct front_define {
    const struct m4_record *record;
    struct origin call, name, value;
};

struct front {
    struct arena *arena;
    struct config *config;
    struct diag *diag;
    const struct lower_options *options;
    const char *path;
    const struct source *source;    /* of path */
    struct mc_tree *tree;           /* of path, mended; its places are the mended text's */
    const struct mc_mended *mended; /* NULL: tree and m4 read the file as it is */
    bool unclosed;                  /* quotes or parentheses were closed for it */
    struct m4_result *m4;
    const struct rule_library *library;
    struct release target;     /* what it is written for */
    struct m4_define *site;    /* "feature_foo" -> path: the site's own library */
    struct table *known;       /* names that the library reads */
    struct table *defines;     /* variable -> struct front_define, its last one */
    struct front_file **files; /* by source id, less 1 */
    size_t nfiles;
    struct stray *strays; /* of check_text_find */
};

/* False where there is nothing to go on with; findings say why.  Else the caller has to end f->m4.
 */
bool front_read(struct front *f, struct config *c, const char *path, const struct lower_options *o,
                struct diag *d);

/* arg: 0 = the whole call, else that argument.  Without a node: the outermost call of that line, or
 * the line. */
struct origin front_place(const struct front *f, const struct m4_record *r, size_t arg);
/* The tree of a file that records name; NULL if there is none. */
const struct mc_tree *front_tree(const struct front *f, uint32_t file);
/* The place of one of its nodes, or of an argument of it. */
struct origin front_node_place(const struct front *f, uint32_t file, const struct mc_node *node,
                               size_t arg);
/* Says "in the expansion of X" where a macro made the call. */
void front_blame(const struct front *f, struct finding *x, const struct m4_record *r);

/* Names for "did you mean": every feature, mailer, ostype or domain of ours and of the site. */
const char *const *front_names(const struct front *f, const char *kind, size_t *n);

#endif
