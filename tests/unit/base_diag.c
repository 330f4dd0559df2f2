#include "tests/unit/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/diag.h"

struct fixture {
    struct source_set *set;
    struct diag *d;
};

static struct fixture fixture(struct arena *a)
{
    struct fixture f = {.set = source_set_new(a)};
    f.d = diag_new(a, f.set);
    return f;
}

static struct origin at(const struct source *s, uint32_t line, uint32_t col, uint32_t len)
{
    return (struct origin){.file = s ? s->id : 0, .line = line, .col = col, .len = len};
}

static void assert_prints(struct arena *a, struct diag *d, bool colour, const char *want)
{
    char *bytes = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&bytes, &len);
    assert_non_null(out);
    diag_print(d, out, colour);
    fclose(out);
    char *got = arena_strndup(a, bytes, len);
    free(bytes);
    assert_string_equal(got, want);
}

/* Prints one error "bad" at line 1 of text and compares the lines after the first. */
static void assert_caret(struct arena *a, const char *text, uint32_t col, uint32_t len,
                         const char *want)
{
    struct fixture f = fixture(a);
    struct source *s = source_add(f.set, "f", text, strlen(text));
    diag_add(f.d, DIAG_ERROR, "x", at(s, 1, col, len), "bad");
    assert_prints(a, f.d, false, arena_printf(a, "f:1:%u: error: bad [x]\n%s", col, want));
}

static void no_finding_prints_nothing(void **state)
{
    struct fixture f = fixture(*state);
    size_t n = 99;
    diag_sorted(f.d, &n);
    assert_int_equal(n, 0);
    assert_int_equal(diag_count(f.d, DIAG_NOTE), 0);
    diag_werror(f.d);
    assert_prints(*state, f.d, false, "");
    assert_prints(*state, f.d, true, "");
}

static void a_finding_without_a_file_is_ours(void **state)
{
    struct fixture f = fixture(*state);
    diag_add(f.d, DIAG_WARNING, "no-m4", at(NULL, 0, 0, 0), "m4 is %s", "missing");
    diag_add(f.d, DIAG_ERROR, "ghost", (struct origin){.file = 77, .line = 3}, "gone");
    assert_prints(*state, f.d, false,
                  "mcf: error: gone [ghost]\nmcf: warning: m4 is missing [no-m4]\n");
}

static void an_error_is_shown_however_much_stands_before_it(void **state)
{
    struct fixture f = fixture(*state);
    struct source *s = source_add(f.set, "f", NULL, 0);
    struct buf want;
    buf_init(&want, *state);
    for (uint32_t i = 1; i <= 300; i++) {
        diag_add(f.d, DIAG_WARNING, "w", at(s, i, 0, 0), "odd");
        if (i < 200) /* one place is the error's */
            buf_printf(&want, "f:%u: warning: odd [w]\n", i);
    }
    diag_add(f.d, DIAG_ERROR, "e", at(s, 301, 0, 0), "bad");
    buf_adds(&want, "f:301: error: bad [e]\nmcf: note: and 101 more findings [more]\n");
    assert_prints(*state, f.d, false, want.data);
}

static void a_place_may_be_less_than_a_column(void **state)
{
    struct fixture f = fixture(*state);
    struct source *s = source_add(f.set, "f", "one\n", 4);
    struct source *ghost = source_add(f.set, "ghost", NULL, 0);
    diag_add(f.d, DIAG_NOTE, "a", at(s, 0, 0, 0), "the file");
    diag_add(f.d, DIAG_NOTE, "b", at(s, 1, 0, 0), "the line");
    diag_add(f.d, DIAG_NOTE, "c", at(s, 2, 1, 1), "after the end");
    diag_add(f.d, DIAG_NOTE, "d", at(ghost, 5, 6, 7), "unread");
    assert_prints(*state, f.d, false,
                  "f: note: the file [a]\n"
                  "f:1: note: the line [b]\n"
                  "  one\n"
                  "f:2:1: note: after the end [c]\n"
                  "ghost:5:6: note: unread [d]\n");
}

static void the_caret_stands_under_its_character(void **state)
{
    struct arena *a = *state;
    assert_caret(a, "", 1, 1, "");
    assert_caret(a, "\n", 1, 0, "  \n  ^\n");
    assert_caret(a, "abc", 1, 0, "  abc\n  ^\n");
    assert_caret(a, "abc", 2, 1, "  abc\n   ^\n");
    assert_caret(a, "abc", 1, 3, "  abc\n  ^~~\n");
    assert_caret(a, "abc\ndef", 2, 99, "  abc\n   ^~\n"); /* ends with the line */
    assert_caret(a, "abc", 4, 1, "  abc\n     ^\n");
    assert_caret(a, "abc", 400, UINT32_MAX, "  abc\n     ^\n");
    assert_caret(a, "abc\r\n", 3, 9, "  abc\n    ^\n");
}

static void tabs_are_copied(void **state)
{
    struct arena *a = *state;
    assert_caret(a, "\tab", 2, 2, "  \tab\n  \t^~\n");
    assert_caret(a, "a\t\tb", 4, 1, "  a\t\tb\n   \t\t^\n");
    assert_caret(a, "\ta", 1, 1, "  \ta\n  ^\n");
    assert_caret(a, "a\tb", 1, 3, "  a\tb\n  ^~~\n");
}

static void a_utf8_sequence_is_one_cell(void **state)
{
    struct arena *a = *state;
    assert_caret(a, "\xc3\xa4zb", 3, 2, "  \xc3\xa4zb\n   ^~\n");
    assert_caret(a, "\xe2\x82\xac\xf0\x9f\x98\x80x", 8, 1,
                 "  \xe2\x82\xac\xf0\x9f\x98\x80x\n    ^\n");
    assert_caret(a, "a\xc3\xa4\xc3\xb6", 2, 4, "  a\xc3\xa4\xc3\xb6\n   ^~\n");
    /* A column inside a sequence means its character. */
    assert_caret(a, "\xe2\x82\xacx", 2, 1, "  \xe2\x82\xacx\n  ^\n");
}

static void other_bytes_above_127_are_one_cell_each(void **state)
{
    struct arena *a = *state;
    assert_caret(a, "\xe4\xf6x", 3, 1, "  \xe4\xf6x\n    ^\n");
    assert_caret(a, "\xc3x", 2, 1, "  \xc3x\n   ^\n");       /* cut short by another byte */
    assert_caret(a, "\xe2\x82", 2, 1, "  \xe2\x82\n   ^\n"); /* cut short by the line's end */
    assert_caret(a, "\xc0\xaf", 2, 1, "  \xc0\xaf\n   ^\n"); /* never well-formed */
    assert_caret(a, "\xf5\x80\x80\x80", 2, 1, "  \xf5\x80\x80\x80\n   ^\n");
}

static void control_bytes_do_not_reach_the_terminal(void **state)
{
    struct arena *a = *state;
    assert_caret(a, "\033[2Jx", 5, 1, "  ?[2Jx\n      ^\n");
    struct fixture f = fixture(a);
    struct source *s = source_add(f.set, "a\nb", "", 0);
    struct finding *g = diag_add(f.d, DIAG_ERROR, "x", at(s, 0, 0, 0), "%s", "one\ntwo\033[2J");
    diag_hint(f.d, g, "%s", "tab\there\r");
    assert_prints(a, f.d, false, "a?b: error: one two?[2J [x]\n  hint: tab here?\n");
}

static void tells_the_whole_story(void **state)
{
    struct fixture f = fixture(*state);
    struct source *top = source_add(f.set, "sendmail.mc", "a\nb\nDOMAIN(`x')\n", 16);
    struct source *mid = source_add(f.set, "x.m4", "include(`y')\n", 13);
    struct source *leaf = source_add(f.set, "y", "\tFEATURE(`acces_db')\n", 21);
    mid->included_from = at(top, 3, 1, 0);
    leaf->included_from = at(mid, 1, 0, 0);
    struct finding *g =
        diag_add(f.d, DIAG_ERROR, "feature-unknown", at(leaf, 1, 10, 10), "unknown FEATURE");
    diag_hint(f.d, g, "did you mean %s?", "access_db");
    g->in_expansion_of = "SITE";
    assert_prints(*state, f.d, false,
                  "y:1:10: error: unknown FEATURE [feature-unknown]\n"
                  "  \tFEATURE(`acces_db')\n"
                  "  \t        ^~~~~~~~~~\n"
                  "  in the expansion of SITE\n"
                  "  hint: did you mean access_db?\n"
                  "  included from x.m4:1\n"
                  "  included from sendmail.mc:3\n");
}

static void a_file_that_includes_itself_ends(void **state)
{
    struct fixture f = fixture(*state);
    struct source *s = source_add(f.set, "f", "x\n", 2);
    s->included_from = at(s, 1, 0, 0);
    diag_add(f.d, DIAG_ERROR, "loop", at(s, 0, 0, 0), "bad");
    assert_prints(*state, f.d, false, "f: error: bad [loop]\n  included from f:1\n");
}

static void colour_only_when_asked(void **state)
{
    struct fixture f = fixture(*state);
    struct source *s = source_add(f.set, "f", "abc\n", 4);
    diag_add(f.d, DIAG_ERROR, "x", at(s, 1, 2, 2), "bad");
    assert_prints(*state, f.d, true,
                  "\033[1mf:1:2:\033[0m \033[1;31merror:\033[0m bad [x]\n"
                  "  abc\n"
                  "   \033[1;32m^~\033[0m\n");
    assert_prints(*state, f.d, false, "f:1:2: error: bad [x]\n  abc\n   ^~\n");
}

static void sorts_by_place_then_by_order(void **state)
{
    struct fixture f = fixture(*state);
    struct source *s = source_add(f.set, "s", "", 0), *t = source_add(f.set, "t", "", 0);
    diag_add(f.d, DIAG_NOTE, "8", at(NULL, 0, 0, 0), "none first");
    diag_add(f.d, DIAG_NOTE, "7", at(t, 1, 1, 0), "second file");
    diag_add(f.d, DIAG_NOTE, "4", at(s, 2, 5, 0), "line 2, first added");
    diag_add(f.d, DIAG_NOTE, "5", at(s, 2, 5, 9), "line 2, then added");
    diag_add(f.d, DIAG_NOTE, "3", at(s, 2, 1, 0), "line 2, column 1");
    diag_add(f.d, DIAG_NOTE, "6", at(s, 10, 1, 0), "line 10");
    diag_add(f.d, DIAG_NOTE, "1", at(s, 0, 0, 0), "the file");
    diag_add(f.d, DIAG_NOTE, "2", at(s, 1, 0, 0), "line 1");
    diag_add(f.d, DIAG_NOTE, "9", at(NULL, 0, 0, 0), "none last");
    size_t n;
    const struct finding *const *sorted = diag_sorted(f.d, &n);
    assert_int_equal(n, 9);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(sorted[i]->id, arena_printf(*state, "%zu", i + 1));
}

static void counts_by_severity_and_raises_warnings(void **state)
{
    struct fixture f = fixture(*state);
    diag_add(f.d, DIAG_NOTE, "n", at(NULL, 0, 0, 0), "n");
    diag_add(f.d, DIAG_WARNING, "w", at(NULL, 0, 0, 0), "w");
    diag_add(f.d, DIAG_ERROR, "e", at(NULL, 0, 0, 0), "e");
    assert_int_equal(diag_count(f.d, DIAG_NOTE), 3);
    assert_int_equal(diag_count(f.d, DIAG_WARNING), 2);
    assert_int_equal(diag_count(f.d, DIAG_ERROR), 1);
    diag_werror(f.d);
    assert_int_equal(diag_count(f.d, DIAG_ERROR), 2);
    /* Also one that comes later. */
    diag_add(f.d, DIAG_WARNING, "w", at(NULL, 0, 0, 0), "w");
    assert_int_equal(diag_count(f.d, DIAG_ERROR), 3);
    assert_int_equal(diag_count(f.d, DIAG_NOTE), 4);
}

static void many_findings_stay(void **state)
{
    struct fixture f = fixture(*state);
    struct finding *first = diag_add(f.d, DIAG_NOTE, "first", at(NULL, 0, 0, 0), "0");
    for (int i = 1; i < 1000; i++)
        diag_add(f.d, DIAG_NOTE, "n", at(NULL, 0, 0, 0), "%d", i);
    first->in_expansion_of = "M"; /* still the finding that is printed */
    size_t n;
    const struct finding *const *sorted = diag_sorted(f.d, &n);
    assert_int_equal(n, 1000);
    assert_ptr_equal(sorted[0], first);
    assert_string_equal(sorted[999]->text, "999");
}

static void nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"access_db", "smtp", "ab", "delay_checks", "x"};
    static const struct {
        const char *word, *want;
    } rows[] = {
        {"", NULL},
        {"y", NULL}, /* nothing of it would be left */
        {"access_db", "access_db"},
        {"ACCESS_DB", "access_db"},
        {"acces_db", "access_db"},   /* one missing */
        {"accesss_db", "access_db"}, /* one too many */
        {"acecss_db", "access_db"},  /* two swapped */
        {"acces_bd", "access_db"},   /* two steps of three allowed */
        {"axxxss_db", "access_db"},  /* three steps */
        {"axxxxs_db", NULL},         /* four steps */
        {"stmp", "smtp"},
        {"ba", "ab"},
        {"smtpsmtpsmtp", NULL},
        {"delay-check", "delay_checks"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = diag_nearest(rows[i].word, names, sizeof names / sizeof *names, NULL);
        if (rows[i].want == NULL)
            assert_null(got);
        else
            assert_string_equal(got ? got : "(none)", rows[i].want);
    }
    assert_null(diag_nearest("a", NULL, 0, NULL));
}

static void the_nearer_name_wins_then_the_first(void **state)
{
    (void)state;
    static const char *const names[] = {"relay_xxxx", "relay_hosts", "relay_hostt"};
    assert_string_equal(diag_nearest("relay_hostz", names, 3, NULL), "relay_hosts");
    assert_string_equal(diag_nearest("relay_hostt", names, 3, NULL), "relay_hostt");
}

static void one_answer_is_sure_or_it_is_a_guess(void **state)
{
    (void)state;
    static const char *const names[] = {"Name", "Fame", "check_relay", "check_rcpt", "local"};
    static const struct {
        const char *word;
        bool sure;
    } rows[] = {
        {"zzz", false},                              /* nothing near */
        {"Nmae", true},                              /* one step */
        {"Came", false},                             /* as near to two names */
        {"chekc_rlay", true},                        /* two steps in a long word */
        {"check_rxxt", true}, {"check_rxxx", false}, /* three */
        {"loacal", true},     {"loazl", false},      /* two in a short word */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool sure = !rows[i].sure;
        diag_nearest(rows[i].word, names, sizeof names / sizeof *names, &sure);
        assert_int_equal(sure, rows[i].sure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(no_finding_prints_nothing),
        UNIT(a_finding_without_a_file_is_ours),
        UNIT(an_error_is_shown_however_much_stands_before_it),
        UNIT(a_place_may_be_less_than_a_column),
        UNIT(the_caret_stands_under_its_character),
        UNIT(tabs_are_copied),
        UNIT(a_utf8_sequence_is_one_cell),
        UNIT(other_bytes_above_127_are_one_cell_each),
        UNIT(control_bytes_do_not_reach_the_terminal),
        UNIT(tells_the_whole_story),
        UNIT(a_file_that_includes_itself_ends),
        UNIT(colour_only_when_asked),
        UNIT(sorts_by_place_then_by_order),
        UNIT(counts_by_severity_and_raises_warnings),
        UNIT(many_findings_stay),
        UNIT(nearest),
        UNIT(the_nearer_name_wins_then_the_first),
        UNIT(one_answer_is_sure_or_it_is_a_guess),
    };
    return cmocka_run_group_tests_name("base_diag", tests, NULL, NULL);
}
