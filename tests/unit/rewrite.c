/*
 * Rules compiled and run: what a configuration gives, what is said of it, and where it ends.
 */
#include <string.h>
#include <sysexits.h>

#include "lib/model/class_scan.h"
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
    scan_join(&p->rules, ws->v, ws->n, ' ', out, 4096 - 2);
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

static void a_rule_that_is_too_long_is_said(void **state)
{
    struct buf text;

    for (int dots = TOKENS_MAX; dots <= TOKENS_MAX + 1; dots++) {
        struct diag *said;
        size_t n;
        buf_init(&text, *state);
        buf_adds(&text, "V10\nMlocal, P=/x, A=x $u\nSA\nRx\t");
        for (int i = 0; i < dots; i++)
            buf_addc(&text, '.');
        buf_addc(&text, '\n');
        compiled(*state, text.data, &said);
        const struct finding *const *f = diag_sorted(said, &n);
        assert_int_equal(n, dots > TOKENS_MAX);
        if (n > 0)
            assert_string_equal(f[0]->id, "rule-too-long");
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

static void note_many(void *ctx, int status, const char *text)
{
    (void)status;
    *(bool *)ctx = *(bool *)ctx || strstr(text, "takes too long");
}

/* Two calls of the next ruleset in each of many: nobody could wait for the last of them. */
static void calls_that_fan_out_end(void **state)
{
    bool said = false;
    const struct rewrite_watch watch = {.ctx = &said, .note = note_many};
    struct buf text;
    int status;

    buf_init(&text, *state);
    buf_adds(&text, "V10\nKd dequote\n");
    for (int i = 0; i < 45; i++)
        buf_printf(&text,
                   "Sc%d\nR$*\t$: $(d $1 $: ) $1 $)\n"
                   "R$*\t$: $>c%d $>c%d $1\n",
                   i, i + 1, i + 1);
    buf_adds(&text, "Sc45\nR$*\t$: $1\n");
    struct rewrite *r = rewriter(*state, text.data);
    rewrite_watch(r, &watch);
    buf_init(&text, *state);
    for (int i = 0; i < 200; i++)
        buf_adds(&text, "x.");
    made(r, "c0", text.data, &status);
    assert_int_equal(status, EX_TEMPFAIL);
    assert_true(said);
    assert_true(arena_used(rewrite_arena(r)) < REWRITE_BYTES + (REWRITE_BYTES >> 2));
    rewrite_close(r);
}

/* Each ruleset calls the other as deep as it may, and again for each time that it is repeated. */
static void rulesets_that_call_each_other_end(void **state)
{
    struct rewrite *r = rewriter(*state, "V10\nSA\nR$*\t$>B $1\nSB\nR$*\t$>A $1\n");
    int status;

    made(r, "A", "a b", &status);
    assert_int_not_equal(status, 0);
    rewrite_close(r);
}

/* Six of the next in each: more than there is room for in the world. */
static void macros_of_macros_are_cut(void **state)
{
    struct buf text;
    int status;

    buf_init(&text, *state);
    buf_adds(&text, "V10\n");
    for (int i = 0; i < 40; i++) /* a loop, too: the last is made of the first */
        buf_printf(&text, "D{m%d}ab${m%d}${m%d}${m%d}${m%d}${m%d}${m%d}\n", i, (i + 1) % 40,
                   (i + 1) % 40, (i + 1) % 40, (i + 1) % 40, (i + 1) % 40, (i + 1) % 40);
    for (int i = 0; i < 12; i++) /* and nothing to see at the end */
        buf_printf(&text, "D{e%d}${e%d}${e%d}${e%d}${e%d}${e%d}${e%d}\n", i, i + 1, i + 1, i + 1,
                   i + 1, i + 1, i + 1);
    buf_adds(&text, "SA\nR$*\t$: < ${m0} > ${e0}\n");
    size_t before = arena_used(*state);
    struct rewrite *r = rewriter(*state, text.data);
    assert_true(arena_used(*state) - before < 4 << 20);
    made(r, "A", "a", &status);
    assert_true(arena_used(rewrite_arena(r)) < 1 << 20);
    rewrite_close(r);
}

/* Numbers of classes do not come round. */
static void a_class_among_many_is_its_own(void **state)
{
    enum { CLASSES = 70000, EVERYWHERE = 20000 };
    struct buf text;
    int status;

    buf_init(&text, *state);
    buf_adds(&text, "V10\n");
    for (int i = 0; i < CLASSES; i++)
        buf_printf(&text, "C{c%d}w%d\n", i, i);
    for (int i = 0; i < EVERYWHERE; i++)
        buf_printf(&text, "C{c%d}everywhere\n", i);
    buf_adds(&text, "SA\nR$={c69999}\tin\nR$={c19999}\tlast\nR$={c20000}\tno\n");
    size_t before = arena_used(*state);
    struct rewrite *r = rewriter(*state, text.data);
    assert_true(arena_used(*state) - before < 128 << 20);
    assert_string_equal(made(r, "A", "w69999", &status), "in");
    assert_string_equal(made(r, "A", "w4463", &status), "w4463"); /* 69999 - 65536 */
    assert_string_equal(made(r, "A", "everywhere", &status), "last");
    rewrite_close(r);
}

static void a_class_may_have_a_million_words(void **state)
{
    enum { WORDS = 1000000, A_LINE = 100, A_WORD = 512 /* bytes of all that is known of one */ };
    struct buf text;
    int status;

    buf_init(&text, *state);
    buf_adds(&text, "V10");
    for (int i = 0; i < WORDS; i++)
        buf_printf(&text, "%su%d.x", i % A_LINE ? " " : "\nCA", i);
    buf_adds(&text, "\nSA\nR$=A\tin\nR$* $=A\tlast\n");
    size_t before = arena_used(*state);
    struct rewrite *r = rewriter(*state, text.data);
    assert_true(arena_used(*state) - before < (size_t)WORDS * A_WORD);
    assert_string_equal(made(r, "A", "u999999.x", &status), "in");
    assert_string_equal(made(r, "A", "u1000000.x", &status), "u1000000.x");
    assert_string_equal(made(r, "A", "a b c u0.x", &status), "last");
    rewrite_close(r);
}

/* 5 MB of them, and one that is asked. */
static void rules_may_be_many(void **state)
{
    enum { RULES = 100000, A_RULE = 4096 };
    struct buf text;
    int status;

    buf_init(&text, *state);
    buf_adds(&text, "V10\nSA\n");
    for (int i = 0; i < RULES; i++)
        buf_printf(&text, "Rw%d $* foo $+\t$: $1 < bar%d > $2 $(none $1 $)\n", i, i);
    for (int i = 0; i < 10000; i++) /* more than there may be: the rest is nowhere */
        buf_printf(&text, "Sr%d\nRx\ty\n", i);
    size_t before = arena_used(*state);
    struct rewrite *r = rewriter(*state, text.data);
    assert_true(arena_used(*state) - before < (size_t)RULES * A_RULE);
    assert_string_equal(made(r, "A", "w99999 x foo y", &status), "x<bar99999>y x");
    assert_null(program_ruleset(rewrite_program(r), "r9999", 5));
    rewrite_close(r);
}

static void conditions_may_be_deep(void **state)
{
    enum { DEEP = 20000 };
    struct buf text;
    int status;

    buf_init(&text, *state);
    buf_adds(&text, "V10\nDa1\nSA\nR$*\t$: ");
    for (int i = 0; i < DEEP; i++)
        buf_adds(&text, "$?a");
    buf_adds(&text, "x");
    for (int i = 0; i < DEEP; i++)
        buf_adds(&text, " $| y $.");
    buf_adds(&text, " z\n");
    struct rewrite *r = rewriter(*state, text.data);
    const char *out = made(r, "A", "a", &status);
    assert_int_equal(status, 0);
    assert_true(strncmp(out, "x", 1) == 0);
    rewrite_close(r);
}

/* Two sessions' macros in one rewriter, and one session's in two. */
static void a_session_keeps_its_macros(void **state)
{
    int status;
    struct rewrite *r = rewriter(*state, "V10\nDxnobody\nSA\nR$*\t$: $&x $&{y}\n");
    const struct program *p = rewrite_program(r);
    struct rewrite *other = rewrite_new(*state, p, NULL);
    struct rewrite_macros *one = rewrite_macros_new(*state, p);
    struct rewrite_macros *two = rewrite_macros_new(*state, p);

    rewrite_use(r, one);
    rewrite_set(r, "x", 1, "one", 3);
    rewrite_set(r, "y", 1, "why", 3);
    assert_string_equal(made(r, "A", "a", &status), "one why");
    rewrite_use(r, two);
    assert_string_equal(made(r, "A", "a", &status), "nobody");
    rewrite_use(r, NULL);
    assert_string_equal(made(r, "A", "a", &status), "nobody");
    rewrite_use(other, one);
    assert_string_equal(made(other, "A", "a", &status), "one why");
    rewrite_close(other);
    rewrite_close(r);
}

static void a_text_of_the_configuration_is_expanded(void **state)
{
    size_t len;
    struct rewrite *r = rewriter(*state, "V10\nDaA\nDb<$a>\n");

    assert_string_equal(rewrite_expand(r, "", 0, NULL), "");
    rewrite_set(r, "new", 3, "N", 1);
    static const char text[] = "$b $?{none}x$|y$. ${new}$?{new}+$. $$";
    assert_string_equal(rewrite_expand(r, text, sizeof text - 1, &len), "<A> y N+ $");
    assert_int_equal(len, 10);
    assert_int_equal(names_find(&rewrite_program(r)->names, "new", 3), 0);
    rewrite_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_is_a_program),
        UNIT(a_class_file_that_is_not_there_is_said),
        UNIT(formats_take_a_part_of_a_line),
        UNIT(a_rule_that_is_too_long_is_said),
        UNIT(rules_are_applied_until_they_fail),
        UNIT(what_explodes_ends),
        UNIT(macros_that_are_unset_read_as_configured),
        UNIT(a_map_that_cannot_say_is_no_answer),
        UNIT(a_session_keeps_its_macros),
        UNIT(a_text_of_the_configuration_is_expanded),
        UNIT(calls_that_fan_out_end),
        UNIT(rulesets_that_call_each_other_end),
        UNIT(macros_of_macros_are_cut),
        UNIT(a_class_among_many_is_its_own),
        UNIT(a_class_may_have_a_million_words),
        UNIT(rules_may_be_many),
        UNIT(conditions_may_be_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
