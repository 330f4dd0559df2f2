/* mc_tree: the builders that the actions of mc.y call.  Internal to grammar/mc_*. */
#ifndef MCF_GRAMMAR_MC_TREE_H
#define MCF_GRAMMAR_MC_TREE_H

#include "grammar/mc_scan.h"

struct table;

/* Siblings in the making. */
struct mc_list {
    struct mc_node *first;
    struct mc_node *last;
};

struct mc_parse {
    struct arena *arena;
    struct mc_scan *scan;
    struct mc_tree *tree;
    size_t at; /* where the token ends that was read last */
};

/* Reads a token and makes its leaf; one without bytes in the file has NULL. */
struct mc_node *mc_build_leaf(struct mc_parse *p, int *kind);
struct mc_list mc_build_none(void);
struct mc_list mc_build_append(struct mc_list list, struct mc_node *node);
struct mc_node *mc_build_arg(struct mc_parse *p, struct mc_list items);
/* close is NULL where it is missing. */
struct mc_node *mc_build_call(struct mc_parse *p, struct mc_node *name, struct mc_node *open,
                              struct mc_list args, struct mc_node *close);
struct mc_node *mc_build_pair(struct mc_parse *p, enum mc_kind kind, struct mc_node *open,
                              struct mc_list items, struct mc_node *close);
void mc_build_file(struct mc_parse *p, struct mc_list items);
void mc_build_failed(struct mc_parse *p, const char *text);

int mc_yyparse(struct mc_parse *p);

#endif
