#include "tests/unit/mc_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"

static const struct mc_tree *parse(struct arena *a, const char *text)
{
    return mc_support_parse(a, text, strlen(text), NULL);
}

static void assert_at(const struct mc_tree *t, const struct mc_node *n, uint32_t line, uint32_t col)
{
    assert_non_null(n);
    struct origin o = mc_origin(t, n);
    assert_int_equal(o.line, line);
    assert_int_equal(o.col, col);
}

static void what_is_not_there_is_not_found(void **state)
{
    const struct mc_tree *t = parse(*state, "FEATURE(`a')\n");
    assert_null(mc_find_call(t, 0, "FEATURE", NULL, NULL));
    assert_null(mc_find_call(t, 2, "FEATURE", NULL, NULL));
    assert_null(mc_find_call(t, 1, "", NULL, NULL));
    assert_null(mc_find_call(t, 1, "FEATUR", NULL, NULL));
    assert_null(mc_find_call(t, 1, "FEATURES", NULL, NULL));
    assert_null(mc_find_call(t, 1, "FEATURE", "b", NULL));
    assert_null(mc_find_call(t, 1, "FEATURE", "", NULL));
    assert_null(mc_outermost_at(t, 2, NULL));
    assert_null(mc_outermost(t->root));
}

static void finds_by_name_and_argument(void **state)
{
    const struct mc_tree *t =
        parse(*state, "FEATURE(`a')FEATURE(`b')MAILER(smtp) FEATURE(`b')\nFEATURE(`c')");
    assert_at(t, mc_find_call(t, 1, "FEATURE", NULL, NULL), 1, 1);
    assert_at(t, mc_find_call(t, 1, "FEATURE", "a", NULL), 1, 1);
    assert_at(t, mc_find_call(t, 1, "MAILER", "smtp", NULL), 1, 25);
    const struct mc_node *b = mc_find_call(t, 1, "FEATURE", "b", NULL);
    assert_at(t, b, 1, 13);
    b = mc_find_call(t, 1, "FEATURE", "b", b);
    assert_at(t, b, 1, 38);
    assert_null(mc_find_call(t, 1, "FEATURE", "b", b));
    assert_at(t, mc_find_call(t, 2, "FEATURE", "c", NULL), 2, 1);
}

static void finds_a_name_alone(void **state)
{
    const struct mc_tree *t = parse(*state, "divert\nLOCAL_CONFIG dnl LOCAL_RULE_0\n");
    assert_at(t, mc_find_call(t, 2, "LOCAL_CONFIG", NULL, NULL), 2, 1);
    assert_at(t, mc_find_call(t, 2, "LOCAL_CONFIG", "", NULL), 2, 1);
    assert_null(mc_find_call(t, 2, "LOCAL_RULE_0", NULL, NULL));
    assert_at(t, mc_outermost_at(t, 2, NULL), 2, 1);
    assert_at(t, mc_outermost(mc_outermost_at(t, 2, NULL)), 2, 1);
}

static void finds_inside_the_outermost_call(void **state)
{
    const struct mc_tree *t = parse(*state, "\nifdef(`X',\n  `\nFEATURE(`a')\n'dnl\n,\n"
                                            "`FEATURE(`b')')\nFEATURE(`a')\n");
    /* m4 gives both the line of the ifdef, for they were in its quotes. */
    assert_at(t, mc_find_call(t, 2, "FEATURE", "a", NULL), 4, 1);
    assert_at(t, mc_find_call(t, 2, "FEATURE", "b", NULL), 7, 2);
    assert_null(mc_find_call(t, 4, "FEATURE", "a", NULL));
    assert_at(t, mc_find_call(t, 8, "FEATURE", "a", NULL), 8, 1);
    const struct mc_node *b = mc_find_call(t, 2, "FEATURE", "b", NULL);
    assert_at(t, mc_outermost(b), 2, 1);
    assert_at(t, mc_outermost_at(t, 2, NULL), 2, 1);
    assert_null(mc_outermost_at(t, 2, mc_outermost_at(t, 2, NULL)));
    assert_null(mc_outermost_at(t, 4, NULL));
}

static void an_argument_that_expands_matches_where_none_reads_so(void **state)
{
    const struct mc_tree *t = parse(*state, "FEATURE(NAME)FEATURE(`b')\n");
    assert_at(t, mc_find_call(t, 1, "FEATURE", "b", NULL), 1, 14);
    assert_at(t, mc_find_call(t, 1, "FEATURE", "a", NULL), 1, 1);
    assert_null(mc_find_call(t, 1, "FEATURE", "a", mc_find_call(t, 1, "FEATURE", "a", NULL)));
}

static void a_call_on_its_own_line_comes_before_one_of_the_outer_line(void **state)
{
    const struct mc_tree *t = parse(*state, "ifelse(X, X,\nFEATURE(`a'),\n`FEATURE(`a')')\n");
    assert_at(t, mc_find_call(t, 2, "FEATURE", "a", NULL), 2, 1);
    assert_at(t, mc_find_call(t, 1, "FEATURE", "a", NULL), 3, 2);
    /* Whoever knows only where the outermost call begins is served too. */
    t = parse(*state, "ifelse(X, X,\nFEATURE(`a'))\n");
    assert_at(t, mc_find_call(t, 1, "FEATURE", "a", NULL), 2, 1);
}

static void assert_include(struct arena *a, const char *text, const char *path, const char *dir,
                           const char *root)
{
    const struct mc_include_cf *i = mc_find_include_cf(a, parse(a, text));
    if (!path) {
        assert_null(i);
        return;
    }
    assert_non_null(i);
    assert_string_equal(i->path, path);
    assert_string_equal(i->dir, dir);
    assert_string_equal(i->root, root);
}

static void finds_the_include_of_cf(void **state)
{
    struct arena *a = *state;
    assert_include(a, "", NULL, NULL, NULL);
    assert_include(a, "include", NULL, NULL, NULL);
    assert_include(a, "include()", NULL, NULL, NULL);
    assert_include(a, "dnl include(`m4/cf.m4')\n", NULL, NULL, NULL);
    assert_include(a, "include(`../m4/xcf.m4')", NULL, NULL, NULL);
    assert_include(a, "include(`../m4/cf.m4x')", NULL, NULL, NULL);
    assert_include(a, "FEATURE(`../m4/cf.m4')", NULL, NULL, NULL);
    assert_include(a, "include(`cf.m4')", "cf.m4", ".", ".");
    assert_include(a, "include(cf.m4)", "cf.m4", ".", ".");
    assert_include(a, "sinclude(`m4/cf.m4')", "m4/cf.m4", "m4", ".");
    assert_include(a, "include(`../m4/cf.m4')", "../m4/cf.m4", "../m4", "..");
    assert_include(a, "divert(-1)\ninclude(`x.m4')\ninclude(`/usr/share/sendmail-cf/m4/cf.m4')\n",
                   "/usr/share/sendmail-cf/m4/cf.m4", "/usr/share/sendmail-cf/m4",
                   "/usr/share/sendmail-cf");
    assert_include(a, "include(`/m4/cf.m4')", "/m4/cf.m4", "/m4", "/");
    assert_include(a, "include(/cf/xm4/cf.m4)", "/cf/xm4/cf.m4", "/cf/xm4", "/cf/xm4");
    assert_include(a, "ifdef(`A', `', `include(`a/cf.m4')')include(b/cf.m4)", "a/cf.m4", "a", "a");
}

/* GNU M4 itself says which lines it reports: every W(`tag') prints its tag and line, and the tree
 * must know exactly one W of that tag and line, the one that the tag numbers. */
static void knows_the_lines_that_m4_reports(void **state)
{
    struct arena *a = *state;
    const char *text = "define(`W', `errprint(__line__` $1\n')')dnl\n"
                       "W(`1')\n"
                       "ifdef(`W',\n"
                       "  W(`2'),\n"
                       "  `x')\n"
                       "ifdef(`W', `\n"
                       "  W(`3')\n"
                       " W(`4')\n"
                       "')W(`5')\n"
                       "ifelse(a, a,\n"
                       "  ifdef(`W',\n"
                       "    `W(`6')\n"
                       "     W(`7')'), W(\n"
                       "  `8'))\n"
                       "W(\n"
                       "  `9'\n"
                       ")W(10)\n"
                       "ifdef(`W',\n"
                       " `ifdef(`W',\n"
                       "   `W(`11')')',\n"
                       " W(`12'))dnl W(`13')\n"
                       "ifelse(ifdef(`W',\n"
                       "  `W(`14')'), ifdef(`W', ``W'(`15')')W(`16'))\n"
                       "dnl(W(`17'),\n"
                       "W(`18'))W(`19')\n"
                       "W(`20')`'W(`21')\n";
    char path[] = "/tmp/mcf-unit-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    FILE *m4 = popen(arena_printf(a, "m4 %s 2>&1 >/dev/null", path), "r");
    assert_non_null(m4);
    const struct mc_tree *t = parse(a, text);
    char row[200];
    int seen = 0;
    while (fgets(row, sizeof row, m4)) {
        unsigned tag, line;
        if (sscanf(row, "%u %u", &line, &tag) != 2)
            continue; /* m4's warning that dnl takes no arguments */
        seen++;
        const char *arg = arena_printf(a, "%u", tag);
        const struct mc_node *found = mc_find_call(t, line, "W", tag == 9 ? "9\n" : arg, NULL);
        if (!found)
            fail_msg("W(%u) of line %u is not in the tree", tag, line);
        assert_int_equal(found->line, line);
        assert_int_equal(strtoul(mc_arg_text(a, t, found, 1, NULL), NULL, 10), tag);
    }
    pclose(m4);
    unlink(path);
    assert_int_equal(seen, 18); /* all but 13 and 19, which a dnl takes, and 15, which is no call */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(what_is_not_there_is_not_found),
        UNIT(finds_by_name_and_argument),
        UNIT(finds_a_name_alone),
        UNIT(finds_inside_the_outermost_call),
        UNIT(an_argument_that_expands_matches_where_none_reads_so),
        UNIT(a_call_on_its_own_line_comes_before_one_of_the_outer_line),
        UNIT(finds_the_include_of_cf),
        UNIT(knows_the_lines_that_m4_reports),
    };
    return cmocka_run_group_tests_name("mc_find", tests, NULL, NULL);
}
