/* mc_support: what the tests of grammar/mc share. */
#ifndef MCF_TESTS_MC_SUPPORT_H
#define MCF_TESTS_MC_SUPPORT_H

#include "grammar/mc.h"
#include "lib/base/diag.h"
#include "tests/unit/unit.h"

/* Parses text as a file of its own, called test.mc; its findings are put in *d unless d is NULL. */
static inline struct mc_tree *mc_support_parse(struct arena *a, const char *text, size_t len,
                                               struct diag **d)
{
    struct source_set *set = source_set_new(a);
    struct diag *findings = diag_new(a, set);
    if (d)
        *d = findings;
    return mc_parse(a, source_add(set, "test.mc", text, len), findings);
}

/* Every byte belongs to one leaf, every span is that of its children. */
static inline void mc_support_assert_lossless(const struct mc_tree *t)
{
    size_t at = 0;
    for (const struct mc_node *n = t->root; n; n = mc_next(n, t->root)) {
        assert_int_equal(n->off, at);
        if (n->kind >= MC_NAME) {
            assert_true(n->len > 0);
            assert_null(n->first);
            at += n->len;
        }
        size_t end = n->off;
        for (const struct mc_node *c = n->first; c; c = c->next) {
            assert_ptr_equal(c->parent, n);
            assert_int_equal(c->off, end);
            end += c->len;
        }
        if (n->kind < MC_NAME)
            assert_int_equal(n->len, end - n->off);
    }
    assert_int_equal(at, t->source->len);
}

#endif
