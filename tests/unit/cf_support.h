/* cf_support: a .cf text as a model, and what the reader found, as text. */
#ifndef MCF_TESTS_CF_SUPPORT_H
#define MCF_TESTS_CF_SUPPORT_H

#include <string.h>

#include "grammar/cf.h"
#include "lib/base/buf.h"
#include "tests/unit/unit.h"

struct cf_case {
    struct config *config;
    struct diag *findings;
};

static inline struct cf_case cf_case_read(struct arena *a, const char *text, size_t len,
                                          bool keep_comments)
{
    struct source_set *sources = source_set_new(a);
    const struct source *src = source_add(sources, "x.cf", text, len);
    struct cf_case c = {config_new(a, sources), diag_new(a, sources)};

    cf_read(c.config, src->bytes, src->len, src, NULL, keep_comments, c.findings);
    return c;
}

/* The only item of a text without comments. */
static inline const struct item *cf_case_item(struct arena *a, const char *text,
                                              enum item_kind kind)
{
    struct cf_case c = cf_case_read(a, text, strlen(text), false);

    assert_int_equal(c.config->count, 1);
    assert_int_equal(diag_count(c.findings, DIAG_NOTE), 0);
    assert_int_equal(c.config->first->kind, kind);
    assert_string_equal(c.config->first->text, text);
    return c.config->first;
}

/* "line:column+length id" of every finding, a blank between two. */
static inline const char *cf_case_findings(struct arena *a, struct cf_case c)
{
    size_t n;
    const struct finding *const *f = diag_sorted(c.findings, &n);
    struct buf out;

    buf_init(&out, a);
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "%s%u:%u+%u %s", i ? ", " : "", f[i]->at.line, f[i]->at.col, f[i]->at.len,
                   f[i]->id);
    return out.data;
}

static inline const char *cf_case_emit(struct arena *a, struct cf_case c)
{
    struct buf out;

    buf_init(&out, a);
    config_emit(c.config, &out);
    return out.data;
}

#endif
