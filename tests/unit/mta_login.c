/*
 * Who we are at a host: words of the ruleset authinfo, lines of DefaultAuthInfo, and what a
 * mechanism makes of them (libsasl2-modules has PLAIN and CRAM-MD5).
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mta/message/envelope.h"
#include "mta/policy/login.h"
#include "mta/policy/sasl_login.h"
#include "tests/unit/cf_support.h"
#include "tests/unit/folder.h"

#define SAFE "O DontBlameSendmail=TrustStickyBit,GroupWritableDirPathSafe\n"
#define INFO "default-auth-info"

struct asked {
    struct worker *worker;
    struct login *login;
    struct message_LOGIN_SAID said;
};

static int drop_file(void **state)
{
    remove(INFO);
    return folder_leave(state);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, folder_enter, drop_file)

static struct worker *worker_of(struct arena *a, const char *rules)
{
    static const struct program_host host = {.name = "mail.example.com"};
    static const struct lookup_world world = {0};
    const char *text = arena_printf(a, "V10\n" SAFE "O OperatorChars=.:@[]\n%s", rules);
    struct cf_case c = cf_case_read(a, text, strlen(text), false);
    const struct program *p = program_compile(a, c.config, &host, c.findings);
    struct service *s = service_new(a, p, &world);

    s->logs_in = sasl_login_open();
    assert_true(s->logs_in);
    return worker_new(a, s);
}

static struct asked ask(struct arena *a, const char *cf, const char *offer)
{
    struct asked got = {.worker = worker_of(a, cf), .login = login_new(a, 1)};
    struct message_LOGIN m = {.delivery = 7, .login = 9, .name = bytes_of("relay.example.")};

    m.address = bytes_of("192.0.2.1");
    m.to = bytes_of("relay.example");
    m.offer = bytes_of(offer);
    login_answer(got.worker, got.login, &m, &got.said);
    assert_int_equal(got.said.delivery, 7);
    assert_int_equal(got.said.login, 9);
    return got;
}

static void end(struct asked *got)
{
    login_free(got->login);
    worker_close(got->worker);
}

/* What PLAIN says, '|' for NUL; NULL: no login. */
static void plain_is(struct arena *a, const char *cf, const char *wanted)
{
    struct asked got = ask(a, cf, "CRAM-MD5 PLAIN");

    if (!wanted) {
        assert_int_equal(got.said.said, LOGIN_WITHOUT);
    } else {
        assert_int_equal(got.said.said, LOGIN_START);
        assert_string_equal(got.said.mechanism.p, "PLAIN");
        assert_int_equal(got.said.response.n, 1);
        struct bytes b = got.said.response.v[0];
        char *text = arena_strndup(a, b.p, b.len);
        for (size_t i = 0; i < b.len; i++)
            text[i] = text[i] ? text[i] : '|';
        assert_string_equal(text, wanted);
    }
    end(&got);
}

static const char *rules(struct arena *a, const char *words)
{
    return arena_printf(a, "O AuthMechanisms=PLAIN\nSauthinfo\nR$*\t$# %s\n", words);
}

static void words_are_quoted(void **state)
{
    static const struct {
        const char *words, *plain;
    } cases[] = {
        {"\"U:alice\" \"I:bob\" \"P:secret\"", "alice|bob|secret"},
        {"\"u:alice\" \"p:secret\"", "alice|alice|secret"},
        {"\"I:bob\" \"P=c2VjcmV0\" \"R:r.example\"", "bob|bob|secret"},
        {"\"U:x\" \"U:alice\" \"P:\" \"P:two words\"", "alice|alice|two words"},
        {"\"U:alice\"\"P:a:b=c\"", "alice|alice|a:b=c"},
        {"\"U:alice\"", NULL},
        {"\"P:secret\"", NULL},
        {"\"U:alice\" \"P:secret\" \"X:y\"", NULL},
        {"\"U:alice\" \"P:secret\" \"\"", NULL},
        {"\"U:alice\" \"P=%%\"", NULL},
        {"\"U:alice\" P:secret", NULL},
        {"\"U\" \"P:secret\"", NULL},
        {"no", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        plain_is(*state, rules(*state, cases[i].words), cases[i].plain);
    plain_is(*state, "Sauthinfo\nR$*\t$@ no\n", NULL);
    plain_is(*state, "", NULL);
}

static void rules_know_the_host(void **state)
{
    plain_is(*state, rules(*state, "\"U:alice\" \"P:\" \"P:secret\"\nR$*\t$: x\nSother\nR$*\t$@ y"),
             "alice|alice|secret");
    plain_is(*state,
             "O AuthMechanisms=PLAIN\nSauthinfo\nR$*\t$: <$&{server_name}> <$&{server_addr}>\n"
             "R<relay.example> <192.0.2.1>\t$# \"U:alice\" \"P:secret\"\n",
             "alice|alice|secret");
}

/* What the words allow is tried, and of that what the library likes best. */
static void a_mechanism_is_one_of_ours(void **state)
{
    static const char both[] = "O AuthMechanisms=PLAIN CRAM-MD5\nSauthinfo\n";
    const char *cf = arena_printf(*state, "%sR$*\t$# \"U:a\" \"P:b\"\n", both);
    struct asked got = ask(*state, cf, "PLAIN CRAM-MD5");

    assert_int_equal(got.said.said, LOGIN_START);
    assert_string_equal(got.said.mechanism.p, "CRAM-MD5");
    assert_int_equal(got.said.response.n, 0);
    struct message_LOGIN_STEP step = {7, 9, bytes_of("<1@relay.example>")};
    login_answer_step(got.login, &step, &got.said);
    assert_int_equal(got.said.said, LOGIN_RESPOND);
    assert_int_equal(got.said.response.n, 1);
    /* HMAC-MD5 of that by "b". */
    assert_int_equal(got.said.response.v[0].len, strlen("a ") + 32);
    end(&got);

    got = ask(*state, arena_printf(*state, "%sR$*\t$# \"U:a\" \"P:b\" \"M:X PLAIN\"\n", both),
              "CRAM-MD5 PLAIN");
    assert_string_equal(got.said.mechanism.p, "PLAIN");
    end(&got);
    got = ask(*state, cf, "NOSUCH LOGIN");
    assert_int_equal(got.said.said, LOGIN_NO_MECHANISM);
    login_answer_step(got.login, &step, &got.said);
    assert_int_equal(got.said.said, LOGIN_ABORT);
    end(&got);
    got = ask(*state, "O AuthMechanisms=PLAIN\nSauthinfo\nR$*\t$#error $@ 4.3.0 $: \"451 no\"\n",
              "PLAIN");
    assert_int_equal(got.said.said, LOGIN_NO_MECHANISM);
    end(&got);
}

static void write_info(const char *text, mode_t mode)
{
    FILE *f = fopen(INFO, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(INFO, mode), 0);
}

static void a_file_says_it_without_rules(void **state)
{
    const char *cf =
        arena_printf(*state, "O AuthMechanisms=PLAIN\nO DefaultAuthInfo=%s/" INFO "\n", folder);

    write_info("alice\nbob\nsecret\nr.example\n", 0600);
    plain_is(*state, cf, "alice|bob|secret");
    write_info("alice\nbob\nsecret", 0600);
    plain_is(*state, cf, "alice|bob|secret");
    write_info("\nbob\nsecret\n\nPLAIN\n", 0600);
    plain_is(*state, cf, "bob|bob|secret");
    write_info("alice\nbob\n", 0600);
    plain_is(*state, cf, NULL);
    write_info("alice\nbob\nsecret\n", 0600);
    plain_is(*state, arena_printf(*state, "%sSauthinfo\nR$*\t$@ no\n", cf), NULL);
    write_info("alice\nbob\nsecret\nr.example\nCRAM-MD5\n", 0640);
    struct asked got = ask(*state, cf, "PLAIN CRAM-MD5");
    assert_int_equal(got.said.said, LOGIN_NO_MECHANISM);
    end(&got);
    got = ask(*state,
              arena_printf(*state, "%sO DontBlameSendmail=GroupReadableDefaultAuthInfoFile\n", cf),
              "PLAIN CRAM-MD5");
    assert_string_equal(got.said.mechanism.p, "CRAM-MD5");
    end(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(words_are_quoted),
        UNIT(rules_know_the_host),
        UNIT(a_mechanism_is_one_of_ours),
        WITH_FILE(a_file_says_it_without_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
