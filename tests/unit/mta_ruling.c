/*
 * What rulesets say that are asked whether something may be.
 */
#include <string.h>

#include "mta/policy/ruling.h"
#include "tests/unit/cf_support.h"

static struct worker *worker_of(struct arena *a, const char *rules)
{
    static const struct program_host host = {.name = "mail.example.com"};
    static const struct lookup_world world = {0};
    const char *text = arena_printf(a, "V10\nO OperatorChars=.:@[]\n%s", rules);
    struct cf_case c = cf_case_read(a, text, strlen(text), false);
    const struct program *p = program_compile(a, c.config, &host, c.findings);
    struct worker *w = worker_new(a, service_new(a, p, &world));

    worker_begin(w, NULL);
    return w;
}

static struct ruling asked(struct worker *w, const char *ruleset, const char *text, const char *to)
{
    return ruling_of(w, ruleset, &text, 1, to);
}

static void a_ruleset_that_is_not_there_says_nothing(void **state)
{
    struct worker *w = worker_of(*state, "");

    assert_int_equal(asked(w, "check_mail", "", NULL).kind, RULING_NONE);
    worker_close(w);
}

static void refusals_have_codes(void **state)
{
    static const struct {
        const char *answer, *reply;
    } cases[] = {
        {"$#error $: plain text", "553 5.3.0 <a>... plain text"},
        {"$#error $@ 5.7.1 $: plain text", "553 5.3.0 <a>... plain text"},
        {"$#error $@ 4.7.1 $: \"450 plain text\"", "450 4.7.1 <a>... plain text"},
        {"$#error $@ 5.7.1 $: \"550 5.1.1 other code\"", "550 5.1.1 <a>... other code"},
        {"$#error $@ nohost $: \"550 no host\"", "550 5.0.0 <a>... no host"},
        {"$#error $@ 4.7.1 $: \"421 4.7.1 go away\"", "421 4.7.1 go away"},
        {"$#error $@ 5.7.1 $: \"551 other\"", "551 5.7.1 other"},
        {"$#error $@ 5.7.1 $: \"550\"", "553 5.3.0 <a>... 550"},
        {"$#error $@ x.y $: odd", "553 5.3.0 <a>... odd"},
        {"$#error", "554 5.3.5 buildaddr: no user"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct worker *w =
            worker_of(*state, arena_printf(*state, "Sc\nR$*\t%s\n", cases[i].answer));
        struct ruling r = asked(w, "c", "x", "<a>");
        assert_int_equal(r.kind, RULING_REFUSED);
        assert_string_equal(r.reply, cases[i].reply);
        worker_close(w);
    }
}

static void what_is_no_refusal(void **state)
{
    struct worker *w = worker_of(*state, "Sc\nRok\t$#OK\nRgone\t$#discard $: quietly\n"
                                         "Rheld\t$#error $@ quarantine $: a reason\n"
                                         "Rother\t$#local $@ h $: u\nRpause\t$# 5000\n");

    assert_int_equal(asked(w, "c", "ok", NULL).kind, RULING_CONSENT);
    assert_string_equal(asked(w, "c", "ok", NULL).mailer, "OK");
    assert_int_equal(asked(w, "c", "gone", NULL).kind, RULING_DISCARD);
    assert_int_equal(asked(w, "c", "held", NULL).kind, RULING_QUARANTINE);
    assert_string_equal(asked(w, "c", "held", NULL).text, "a reason");
    assert_int_equal(asked(w, "c", "other", NULL).kind, RULING_CONSENT);
    assert_string_equal(asked(w, "c", "pause", NULL).mailer, "5000");
    assert_string_equal(asked(w, "c", "else", NULL).text, "else");
    worker_close(w);
}

static void two_texts_have_a_bar_between(void **state)
{
    static const char *const both[] = {"name", "192.0.2.1"};
    struct worker *w = worker_of(*state, "Sc\nR$+ $| $+\t$#error $: \"550 5.7.1 \" $2 of $1\n");

    assert_string_equal(ruling_of(w, "c", both, 2, NULL).reply, "550 5.7.1 192.0.2.1 of name");
    worker_close(w);
}

/* Rules that are wrong refuse; they never consent. */
static void wrong_rules_refuse(void **state)
{
    struct worker *w = worker_of(*state, "Sc\nR$*\t$>nowhere $1\n");
    struct ruling r = asked(w, "c", "x", NULL);

    assert_int_equal(r.kind, RULING_REFUSED);
    assert_int_equal(r.code, 554);
    worker_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_ruleset_that_is_not_there_says_nothing),
        UNIT(refusals_have_codes),
        UNIT(what_is_no_refusal),
        UNIT(two_texts_have_a_bar_between),
        UNIT(wrong_rules_refuse),
    };
    return cmocka_run_group_tests_name("mta_ruling", tests, NULL, NULL);
}
