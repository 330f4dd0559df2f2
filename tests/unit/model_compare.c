#include "lib/model/compare.h"

#include "tests/unit/cf_support.h"

static const char *compare(struct arena *a, const char *old, const char *new)
{
    struct config *x = cf_case_read(a, old, strlen(old), false).config;
    struct config *y = cf_case_read(a, new, strlen(new), false).config;
    struct buf out;

    buf_init(&out, a);
    for (const struct difference *d = config_compare(a, x, y); d; d = d->next)
        difference_print(d, &out);
    return out.data;
}

static const char *rules(struct arena *a, const char *old, const char *new)
{
    return compare(a, arena_printf(a, "V10\nSx\n%s", old), arena_printf(a, "V10\nSx\n%s", new));
}

static void assert_same(struct arena *a, const char *x, const char *y)
{
    assert_string_equal(compare(a, x, y), "");
    assert_string_equal(compare(a, y, x), "");
}

static void nothing_does_not_differ(void **state)
{
    assert_same(*state, "", "");
    assert_same(*state, "", "# c\n\n#d\n");
    assert_same(*state, "V10\nDXa\nSx\nRa\tb\n", "V10\nDXa\nSx\nRa\tb\n");
}

static void the_last_value_is_in_force(void **state)
{
    assert_same(*state, "DXa\nDXb\n", "DXb\n");
    assert_same(*state, "Kx hash /a\nKx hash /b\n", "Kx hash /b\n");
    assert_same(*state, "Pj=1\nPj=2\nEA=1\nEA=2\n", "EA=2\nPj=2\n");
    assert_same(*state, "Mx, P=/a\nMx, P=/b\n", "Mx, P=/b\n");
    assert_same(*state, "Xa, S=1\nXa, S=2\nQa, P=1\nQa, P=2\n", "Xa, S=2\nQa, P=2\n");
    assert_string_equal(compare(*state, "DXa\nDXb\n", "DXb\nDXa\n"), "~ macro X: b -> a\n");
}

static void blanks_count_in_macros_only(void **state)
{
    assert_same(*state, "O X=a  b\nKx  hash\t/x\nMx,P=/x,A=a  b\nHA:  b\n",
                "O X = a b\nKx hash /x\nMx,\n\tP=/x,\n\tA=a b\nHA: b\n");
    assert_string_equal(compare(*state, "DXa b\n", "DX a  b\n"), "~ macro X: a b -> \" a  b\"\n");
}

static void what_is_only_on_one_side_is_added_or_removed(void **state)
{
    assert_string_equal(compare(*state, "DXa\nO L=1\n", "Ky null\nL\n"),
                        "- macro X: a\n+ map y: null\n- option L: 1\n+ other: L\n");
    assert_string_equal(compare(*state, "Mx, P=/x, A=y\n", ""), "- mailer x: P=/x, A=y\n");
    assert_string_equal(compare(*state, "", "DX\n"), "+ macro X: \"\"\n");
}

static void sections_come_in_order_and_names_sorted(void **state)
{
    assert_string_equal(compare(*state, "", "EB=1\nO B=1\nO A=1\nDb1\nDa1\nV10\n"),
                        "+ version: 10\n+ macro a: 1\n+ macro b: 1\n+ option A: 1\n"
                        "+ option B: 1\n+ env B: 1\n");
}

static void options_are_lists(void **state)
{
    const char *a = "O D=1\nO D=2\nO D=3\n";

    assert_string_equal(compare(*state, a, "O D=1\nO D=3\n"), "- option D: 2\n");
    assert_string_equal(compare(*state, a, "O D=1\nO D=4\nO D=3\n"), "~ option D: 2 -> 4\n");
    assert_string_equal(compare(*state, a, "O D=2\nO D=1\nO D=3\n"),
                        "- option D: 1\n+ option D: 1\n");
    assert_string_equal(compare(*state, a, "O D=1\nO D=2\nO D=3\nO D=4\n"), "+ option D: 4\n");
}

static void classes_and_trusted_users_are_sets_of_words(void **state)
{
    assert_same(*state, "Cwa b\nC{w}c a\nTx y\n", "Cwc b a\nTy\nTx\n");
    assert_same(*state, "Cw\n", "");
    assert_string_equal(compare(*state, "Cwa b c\nTx\n", "Cwc d\nTy\n"),
                        "- class w: a b\n+ class w: d\n- trusted: x\n+ trusted: y\n");
}

static void class_files_are_a_set_and_headers_a_bag(void **state)
{
    assert_same(*state, "Fw/a\nFw/b\nHA: 1\nHA: 2\n", "HA: 2\nFw/b\nHA: 1\nFw/a\nFw/a\n");
    assert_string_equal(compare(*state, "HA: 1\nHA: 1\n", "HA: 1\n"), "- header A: A: 1\n");
    assert_string_equal(compare(*state, "H?F?A: 1\n", "H?M?A: 1\n"),
                        "~ header A: ?F?A: 1 -> ?M?A: 1\n");
    assert_string_equal(compare(*state, "Fw-o /a\n", "Fw/a\n"), "~ classfile w: -o /a -> /a\n");
}

static void mailers_are_compared_equate_by_equate(void **state)
{
    assert_same(*state, "Mx, P=/x, F=abc, A=y\n", "Mx, Flags=cbaa, Path=/x, A=y\n");
    assert_string_equal(compare(*state, "Mx, P=/x, F=abc, A=y\n", "Mx, P=/z, F=abd, L=9, A=y\n"),
                        "~ mailer x P: /x -> /z\n~ mailer x F: abc -> abd\n+ mailer x L: 9\n");
}

static void environment_without_a_value_is_inherited(void **state)
{
    assert_string_equal(compare(*state, "EA\n", "EA=\n"), "~ env A: (inherited) -> \"\"\n");
    assert_same(*state, "O A\n", "O A=\n");
}

static void rules_are_aligned(void **state)
{
    const char *old = "Ra\t1\nRb\t2\nRc\t3\nRd\t4\n";

    assert_string_equal(rules(*state, old, "Ra\t1\nRc\t3\nRd\t4\n"), "- ruleset x: Rb\t2\n");
    assert_string_equal(rules(*state, old, "Ra\t1\nRx\t2\nRc\t3\nRd\t4\nRe\t5\n"),
                        "~ ruleset x: Rb\t2 -> Rx\t2\n+ ruleset x: Re\t5\n");
    assert_string_equal(rules(*state, old, "Rb\t2\nRa\t1\nRc\t3\nRd\t4\n"),
                        "- ruleset x: Ra\t1\n+ ruleset x: Ra\t1\n");
}

static void a_rules_comment_and_blanks_do_not_count(void **state)
{
    assert_string_equal(rules(*state, "R$* <  $+ >\t\t$: $1\tfoo\n", "R$* < $+ >\t$:  $1 # bar\n"),
                        "");
}

static void a_ruleset_is_one_with_its_number(void **state)
{
    assert_same(*state, "Sa=3\nRx\ty\nS3\nRz\ty\n", "Sa=3\nRx\ty\nRz\ty\n");
    assert_same(*state, "S3\nRx\ty\nSa=3\n", "Sa=3\nRx\ty\n");
    assert_string_equal(compare(*state, "Sa=3\nRx\ty\n", "Sa\nRx\ty\n"),
                        "~ ruleset a: number 3 -> no number\n");
    assert_string_equal(compare(*state, "Sa\nRx\ty\n", "Sb\n"),
                        "- ruleset a: 1 rule\n+ ruleset b: 0 rules\n");
}

static void a_ruleset_in_two_pieces_is_one(void **state)
{
    assert_same(*state, "Sa\nRx\ty\nSb\nSa\nRz\ty\n", "Sb\nSa\nRx\ty\nRz\ty\n");
}

static void long_rulesets_are_compared_too(void **state)
{
    struct buf x, y;

    buf_init(&x, *state);
    buf_init(&y, *state);
    for (int i = 0; i < 3000; i++) {
        buf_printf(&x, "Ra%d\t1\n", i);
        buf_printf(&y, "Ra%d\t1\n", i == 1500 ? 7 : i);
    }
    assert_string_equal(rules(*state, x.data, y.data), "~ ruleset x: Ra1500\t1 -> Ra7\t1\n");
}

static void what_is_no_configuration_counts_too(void **state)
{
    assert_string_equal(compare(*state, "Zx\n", "Zy\n"), "~ other: Zx -> Zy\n");
    assert_string_equal(compare(*state, "", "# c\n\tDXa\n"), "+ other: \"\\n\tDXa\"\n");
    assert_same(*state, "DXa\n\n  \n", "DXa\n");
    assert_same(*state, "DXa\n \n \n \n", "DXa\n");
    assert_string_equal(compare(*state, "", "Cw\n \n\tDXa\n"),
                        "+ class w: DXa\n+ other: \"\\n\tDXa\"\n");
}

static void remarks_count_as_part_of_a_value(void **state)
{
    assert_string_equal(compare(*state, "V10\nO A=1 # x\n", "V10\nO A=1\n"),
                        "~ option A: 1 # x -> 1\n");
    assert_string_equal(compare(*state, "V10\nMx, P=/x # a\n", "V10\nMx, P=/x\n"),
                        "~ mailer x: P=/x # a -> P=/x\n");
}

static void differences_know_both_lines(void **state)
{
    struct config *x = cf_case_read(*state, "DXa\n", 4, false).config;
    struct config *y = cf_case_read(*state, "\n\nDXb\n", 6, false).config;
    const struct difference *d = config_compare(*state, x, y);

    assert_int_equal(d->kind, DIFFERENCE_CHANGED);
    assert_int_equal(d->section, ITEM_MACRO);
    assert_int_equal(d->old_at.line, 1);
    assert_int_equal(d->new_at.line, 3);
    assert_null(d->next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_does_not_differ),
        UNIT(the_last_value_is_in_force),
        UNIT(blanks_count_in_macros_only),
        UNIT(what_is_only_on_one_side_is_added_or_removed),
        UNIT(sections_come_in_order_and_names_sorted),
        UNIT(options_are_lists),
        UNIT(classes_and_trusted_users_are_sets_of_words),
        UNIT(class_files_are_a_set_and_headers_a_bag),
        UNIT(mailers_are_compared_equate_by_equate),
        UNIT(environment_without_a_value_is_inherited),
        UNIT(rules_are_aligned),
        UNIT(a_rules_comment_and_blanks_do_not_count),
        UNIT(a_ruleset_is_one_with_its_number),
        UNIT(a_ruleset_in_two_pieces_is_one),
        UNIT(long_rulesets_are_compared_too),
        UNIT(what_is_no_configuration_counts_too),
        UNIT(remarks_count_as_part_of_a_value),
        UNIT(differences_know_both_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
