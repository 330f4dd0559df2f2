/* Runs the tables of tests/golden/tree: text in, calls and findings out. */
#include "tests/unit/mc_support.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/fs.h"

/* The calls, one a line: place, (the line that m4 reports, where it is another), name, <argument>s.
 */
static char *calls(struct arena *a, const struct mc_tree *t)
{
    struct buf b;
    buf_init(&b, a);
    for (size_t i = 0; i < t->ncalls; i++) {
        const struct mc_node *c = t->calls[i];
        struct origin o = mc_origin(t, c);
        buf_printf(&b, "%u:%u ", o.line, o.col);
        if (c->line != o.line)
            buf_printf(&b, "(%u) ", c->line);
        buf_adds(&b, mc_name(a, t, c));
        for (size_t n = 1; n <= mc_nargs(c); n++)
            buf_printf(&b, " <%s>", mc_arg_text(a, t, c, n, NULL));
        buf_adds(&b, c->unclosed ? " unclosed\n" : "\n");
    }
    return b.data;
}

static char *findings(struct arena *a, struct diag *d)
{
    char *bytes = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&bytes, &len);
    assert_non_null(out);
    diag_print(d, out, false);
    fclose(out);
    char *text = arena_strndup(a, bytes, len);
    free(bytes);
    return text;
}

/* Cuts the text before the line mark off *rest, which then begins after that line. */
static char *section(struct arena *a, char **rest, const char *mark)
{
    char *line = *rest;
    while (line && strncmp(line, mark, strlen(mark)) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return NULL;
    char *text = arena_strndup(a, *rest, (size_t)(line - *rest));
    char *end = strchr(line, '\n');
    *rest = end ? end + 1 : line + strlen(line);
    return text;
}

static size_t run_file(struct arena *a, const char *path)
{
    char *rest;
    size_t len, cases = 0, failed = 0;
    assert_int_equal(fs_read(a, path, 0, &rest, &len), 0);
    section(a, &rest, "=== ");
    while (*rest) {
        char *text = section(a, &rest, "--- calls");
        char *want_calls = section(a, &rest, "--- findings");
        char *want_findings = section(a, &rest, "=== ");
        if (!text || !want_calls || !want_findings)
            fail_msg("%s: case %zu has no end", path, cases + 1);
        cases++;
        struct diag *d;
        const struct mc_tree *t = mc_support_parse(a, text, strlen(text), &d);
        mc_support_assert_lossless(t);
        const char *got_calls = calls(a, t), *got_findings = findings(a, d);
        if (strcmp(got_calls, want_calls) == 0 && strcmp(got_findings, want_findings) == 0)
            continue;
        failed++;
        print_error("%s, case %zu:\n%s--- calls\n%s--- findings\n%s===\n", path, cases, text,
                    got_calls, got_findings);
    }
    assert_true(cases > 0);
    return failed;
}

static void tables(void **state)
{
    glob_t g;
    assert_int_equal(glob("tests/golden/tree/*.test", 0, NULL, &g), 0);
    size_t failed = 0;
    for (size_t i = 0; i < g.gl_pathc; i++)
        failed += run_file(*state, g.gl_pathv[i]);
    globfree(&g);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT(tables)};
    return cmocka_run_group_tests_name("mc_findings", tests, NULL, NULL);
}
