/*
 * Rules compiled and run: what a configuration gives, what is said of it, and where it ends.
 */
#include <string.h>
#include <sysexits.h>

#include "lib/rewrite/class_scan.h"
#include "lib/rewrite/rewrite.h"
#include "tests/unit/cf_support.h"

static struct program *compiled(struct arena *a, const char *text, struct diag **said)
{
    static const struct program_host host = {.name = "mail.example.com"};
    struct cf_case c = cf_case_read(a, text, strlen(text), false);

    if (said)
        *said = c.findings;
    return program_compile(a, c.config, &host, c.findings);
}

/* What the ruleset makes of the words of text; *status as it ends. */
static const char *made(struct rewrite *r, const char *ruleset, const char *text, int *status)
{
    const struct program *p = rewrite_program(r);
    struct scan sc = {
        .table = &p->addresses, .words = &p->words, .arena = rewrite_arena(r), .delimiter = -1};

    rewrite_begin(r);
    struct tokens *ws = rewrite_workspace(r);
    assert_true(scan_text(&sc, text, strlen(text), ws, NULL));
    *status = rewrite_run(r, program_ruleset(p, ruleset, strlen(ruleset)), ws);
    rewrite_rest(r);
    char *out = arena_raw(rewrite_arena(r), 4096);
    scan_join(&p->rules, ws->v, ws->n, ' ', out, 4096);
    return out;
}

static struct rewrite *rewriter(struct arena *a, const char *text)
{
    static const struct lookup_world nothing = {0};

    return rewrite_new(a, compiled(a, text, NULL), &nothing);
}

static void nothing_is_a_program(void **state)
{
    struct program *p = compiled(*state, "", NULL);

    assert_null(program_ruleset(p, "3", 1));
    assert_non_null(program_mailer(p, "PROG", 4));
    assert_null(program_option(p, "LogLevel"));
}

static void a_class_file_that_is_not_there_is_said(void **state)
{
    struct diag *said;
    size_t n;

    compiled(*state, "V10\nFw/nowhere/words\n", &said);
    const struct finding *const *f = diag_sorted(said, &n);
    assert_int_equal(n, 1);
    assert_string_equal(f[0]->id, "class-file");
    assert_int_equal(f[0]->at.line, 2);
    compiled(*state, "V10\nFw-o /nowhere/words\n", &said);
    assert_int_equal(diag_count(said, DIAG_NOTE), 0);
}

static void formats_take_a_part_of_a_line(void **state)
{
    static const struct {
        const char *format, *line, *text; /* NULL: it does not fit */
    } cases[] = {
        {"", " one two", "one"},  {"%s", "", NULL},
        {"%c", "one", "o"},       {"%2c", "one", "on"},
        {"%9c", "one", "one"},    {"%d", "12", NULL},
        {"%s %s", "a b", "a"},    {"%*s %s", "a b", "b"},
        {"%*s", "a", NULL},       {"%[^]-]", "a-b]", "a"},
        {"%[a-", "b-a", NULL},    {"%[", "x", NULL},
        {"%", "x", NULL},         {"%%%s", "%x", "x"},
        {"x", "x", NULL},         {"%99999999s", "abc", "abc"},
        {"%[^#", "a b#c", "a b"},
    };
    const char *text;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool fits = class_scan(cases[i].format, cases[i].line, strlen(cases[i].line), &text, &n);
        assert_int_equal(fits, cases[i].text != NULL);
        if (fits)
            assert_int_equal(n, strlen(cases[i].text));
        if (fits)
            assert_memory_equal(text, cases[i].text, n);
    }
}

static void rules_are_applied_until_they_fail(void **state)
{
    struct rewrite *r = rewriter(*state, "V10\nSA\nRa $*\t$1\nR$+\t$@ < $1 >\n");
    int status;

    assert_string_equal(made(r, "A", "a a a b", &status), "<b>");
    assert_int_equal(status, 0);
    assert_string_equal(made(r, "A", "A a", &status), "");
    rewrite_close(r);
}

/* So many ways to share the words among the wildcards, and none of them is right. */
static void what_explodes_ends(void **state)
{
    struct rewrite *r = rewriter(*state, "V10\nSA\nR$* a $* a $* a $* a $* a $* a $* b no\tyes\n");
    struct buf text;
    int status;

    buf_init(&text, *state);
    buf_adds(&text, "b");
    for (int i = 0; i < 200; i++)
        buf_adds(&text, " a");
    assert_string_equal(made(r, "A", text.data, &status), text.data);
    assert_int_equal(status, 0); /* the word that it ends with is not there */
    buf_adds(&text, " no");
    assert_string_equal(made(r, "A", text.data, &status), text.data);
    assert_int_equal(status, EX_TEMPFAIL);
    assert_string_equal(made(r, "A", "a", &status), "a");
    assert_int_equal(status, 0); /* the next evaluation has its own limit */
    rewrite_close(r);
}

static void macros_that_are_unset_read_as_configured(void **state)
{
    struct rewrite *r = rewriter(*state, "V10\nD{x}one\nSA\nR$*\t$: $&{x} $&{y}\n");
    int status;

    assert_string_equal(made(r, "A", "a", &status), "one");
    rewrite_set(r, "x", 1, "two", 3);
    rewrite_set(r, "y", 1, "three", 5);
    assert_string_equal(made(r, "A", "a", &status), "two three");
    rewrite_set(r, "x", 1, NULL, 0);
    rewrite_set(r, "y", 1, NULL, 0);
    assert_string_equal(made(r, "A", "a", &status), "one");
    rewrite_close(r);
}

static void a_map_that_cannot_say_is_no_answer(void **state)
{
    struct rewrite *r =
        rewriter(*state, "V10\nKm hash /nowhere/m\nSA\nR$*\t$: $(m $1 $: none $)\n");
    int status;

    assert_string_equal(made(r, "A", "a", &status), "none");
    assert_int_equal(status, EX_TEMPFAIL);
    rewrite_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_is_a_program),
        UNIT(a_class_file_that_is_not_there_is_said),
        UNIT(formats_take_a_part_of_a_line),
        UNIT(rules_are_applied_until_they_fail),
        UNIT(what_explodes_ends),
        UNIT(macros_that_are_unset_read_as_configured),
        UNIT(a_map_that_cannot_say_is_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
