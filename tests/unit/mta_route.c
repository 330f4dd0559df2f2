/*
 * As whom a program is run, and what happens where nobody is there to run it.
 */
#include <string.h>

#include "mta/message/envelope.h"
#include "mta/policy/plan.h"
#include "mta/policy/route.h"
#include "mta/policy/users.h"
#include "tests/unit/cf_support.h"

static struct worker *worker_of(struct arena *a, const char *lines)
{
    static const struct program_host host = {.name = "mail.example.com"};
    static const struct lookup_world world = {0};
    const char *text =
        arena_printf(a,
                     "V10\nO OperatorChars=.:@[]\n%s"
                     "Mtest, P=/bin/true, F=lonu, A=test $u\nS0\nR$*\t$#test $: $1\n",
                     lines);
    struct cf_case c = cf_case_read(a, text, strlen(text), false);
    const struct program *p = program_compile(a, c.config, &host, c.findings);

    return worker_new(a, service_new(a, p, &world));
}

struct routed {
    struct envelope envelope;
    struct plan plan;
    size_t plans;
};

static struct routed routed(struct arena *a, struct worker *w, const char *address)
{
    struct recipient to = {.address = bytes_of(address)};
    struct envelope e = {.id = bytes_of("ID"), .sender = bytes_of("s@example.net")};
    struct message_ROUTED out;
    struct routed r = {.plans = 0};
    struct buf b;

    e.recipients = &to;
    e.nrecipients = 1;
    buf_init(&b, a);
    envelope_encode(&e, &b);
    route(w, &(struct message_ROUTE){.delivery = 1, .envelope = {b.data, b.len}}, &out);
    assert_int_equal(out.status, 0);
    assert_true(envelope_decode(a, out.envelope.p, out.envelope.len, &r.envelope));
    r.plans = out.plans.n;
    if (r.plans)
        assert_true(plan_decode(a, out.plans.v[0].p, out.plans.v[0].len, &r.plan));
    return r;
}

static void a_user_who_is_nobody_is_not_root(void **state)
{
    struct worker *w = worker_of(*state, "O DefaultUser=4000:4001\n");
    struct routed r = routed(*state, w, "nosuchuser");

    assert_int_equal(r.plans, 1);
    assert_int_equal(r.plan.uid, 4000);
    assert_int_equal(r.plan.gid, 4001);
    worker_close(w);
    w = worker_of(*state, "");
    r = routed(*state, w, "nosuchuser");
    assert_int_equal(r.plan.uid, 1);
    assert_int_equal(r.plan.gid, 1);
    worker_close(w);
}

static void a_user_is_himself(void **state)
{
    struct worker *w = worker_of(*state, "O DefaultUser=4000\n");
    struct user daemon;
    struct routed r = routed(*state, w, "daemon");

    assert_int_equal(users_find(*state, "daemon", &daemon), USER_FOUND);
    assert_true(daemon.uid != 0);
    assert_int_equal(r.plan.uid, daemon.uid);
    assert_int_equal(r.plan.gid, daemon.gid);
    worker_close(w);
}

static void without_a_user_it_waits(void **state)
{
    static const char *const lines[] = {"O DefaultUser=nosuchuser\n",
                                        "O DefaultUser=daemon:nosuchgroup\n"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct worker *w = worker_of(*state, lines[i]);
        struct routed r = routed(*state, w, "nosuchuser");
        assert_int_equal(r.plans, 0);
        assert_int_equal(r.envelope.recipients[0].state, RECIPIENT_WAITS);
        worker_close(w);
    }
}

static void groups_have_names_too(void **state)
{
    struct worker *w = worker_of(*state, "O DefaultUser=4000:daemon\n");
    gid_t gid;

    assert_true(users_find_group("daemon", &gid));
    assert_int_equal(routed(*state, w, "nosuchuser").plan.gid, gid);
    worker_close(w);
}

static void full_names_are_in_the_comment(void **state)
{
    static const struct {
        const char *comment, *name;
    } cases[] = {{"", ""},          {"A B,room 1", "A B"}, {"& Example", "User Example"},
                 {"*Star", "Star"}, {",,,", ""},           {"A;B", "A"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct user u = {.name = "user", .home = "", .comment = cases[i].comment};
        assert_string_equal(users_full_name(*state, &u), cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_user_who_is_nobody_is_not_root), UNIT(a_user_is_himself),
        UNIT(without_a_user_it_waits),          UNIT(groups_have_names_too),
        UNIT(full_names_are_in_the_comment),
    };
    return cmocka_run_group_tests_name("mta_route", tests, NULL, NULL);
}
