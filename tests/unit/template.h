/* template: a library from texts in a test, and its findings as they are printed. */
#ifndef MCF_TESTS_UNIT_TEMPLATE_H
#define MCF_TESTS_UNIT_TEMPLATE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/rule.h"
#include "lib/base/diag.h"
#include "tests/unit/unit.h"

struct template_text {
    const char *rel, *text;
};

/* NULL when the texts have an error; *findings is what diag_print says. */
static inline const struct rule_library *
template_library_of(struct arena *a, const struct template_text *texts, size_t n, char **findings)
{
    struct source_set *sources = source_set_new(a);
    struct diag *d = diag_new(a, sources);
    struct rule_set *set = rule_set_new(a, d);
    for (size_t i = 0; i < n; i++)
        rule_set_add(set, source_add(sources, texts[i].rel, texts[i].text, strlen(texts[i].text)),
                     texts[i].rel);
    const struct rule_library *lib = rule_set_finish(set);
    char *printed = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&printed, &len);
    assert_non_null(out);
    diag_print(d, out, false);
    assert_int_equal(fclose(out), 0);
    *findings = arena_strdup(a, printed);
    free(printed);
    return lib;
}

#endif
