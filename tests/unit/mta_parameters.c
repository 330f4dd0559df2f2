/*
 * What stands behind a path in MAIL and RCPT: what is right, and what is said of the rest.
 */
#include <string.h>

#include "mta/front/parameters.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text;
    const char *reply; /* empty: all right */
    size_t n;
} mail[] =
    {
        {"", "", 0},
        {"  \t ", "", 0},
        {"=", "555 5.5.4  parameter unrecognized", 0},
        {"FOO", "555 5.5.4 FOO parameter unrecognized", 0},
        {"FOO=bar", "555 5.5.4 FOO parameter unrecognized", 0},
        {"X_Y=1", "555 5.5.4 X parameter unrecognized", 0},
        {"NOTIFY=NEVER", "555 5.5.4 NOTIFY parameter unrecognized", 0},
        {"\xe9", "555 5.5.4  parameter unrecognized", 0},
        {"SIZE=100", "", 1},
        {" size=100\t BODY=7bit ", "", 2},
        {"SIZE=", "", 1},
        {"SIZE=abc", "", 1},
        {"SIZE", "501 5.5.2 SIZE requires a value", 0},
        {"SIZE=-1", "552 5.2.3 Message size invalid", 0},
        {"SIZE=1000", "", 1},
        {"SIZE=1001", "552 5.2.3 Message size exceeds fixed maximum message size (1000)", 0},
        {"SIZE=9223372036854775807",
         "552 5.2.3 Message size exceeds fixed maximum message size (1000)", 0},
        {"SIZE=99999999999999999999", "552 5.2.3 Message size exceeds maximum value", 0},
        {"SIZE=1 SIZE=2", "", 2},
        {"BODY=8BITMIME", "", 1},
        {"BODY", "501 5.5.2 BODY requires a value", 0},
        {"BODY=", "501 5.5.4 Unknown BODY type ", 0},
        {"BODY=BINARYMIME", "501 5.5.4 Unknown BODY type BINARYMIME", 0},
        {"RET=FULL", "", 1},
        {"RET=hdrs", "", 1},
        {"RET", "501 5.5.2 RET requires a value", 0},
        {"RET=", "501 5.5.2 Bad argument \"\" to RET", 0},
        {"RET=foo", "501 5.5.2 Bad argument \"foo\" to RET", 0},
        {"RET=FULL RET=HDRS", "501 5.5.0 Duplicate RET parameter", 1},
        {"ENVID=", "", 1},
        {"ENVID=a+2Bb", "", 1},
        {"ENVID=a+2bb", "", 1},
        {"ENVID=a+2", "501 5.5.4 Syntax error in ENVID parameter value", 0},
        {"ENVID=\xe9", "501 5.5.4 Syntax error in ENVID parameter value", 0},
        {"ENVID=a=b", "555 5.5.4 b parameter unrecognized", 1},
        {"ENVID=a ENVID=b", "501 5.5.0 Duplicate ENVID parameter", 1},
        {"AUTH=<>", "", 1},
        {"AUTH", "501 5.5.2 AUTH= requires a value", 0},
        {"AUTH=a+zz", "501 5.5.4 Syntax error in AUTH parameter value", 0},
        {"AUTH=a AUTH=b", "501 5.5.0 Duplicate AUTH parameter", 1},
        {"BY=10;R", "", 1},
        {"BY=+10;r", "", 1},
        {"BY=-10;N", "", 1},
        {"BY=10;RT", "", 1},
        {"BY=0;n", "", 1},
        {"BY=999999999;N", "", 1},
        {"BY", "501 5.5.2 BY= requires a value", 0},
        {"BY=", "501 5.5.2 BY= missing ';'", 0},
        {"BY=-", "501 5.5.2 BY= missing ';'", 0},
        {"BY=10", "501 5.5.2 BY= missing ';'", 0},
        {"BY=x;N", "501 5.5.2 BY= missing ';'", 0},
        {"BY=10;", "501 5.5.2 illegal by-mode '?'", 0},
        {"BY=10;X", "501 5.5.2 illegal by-mode 'X'", 0},
        {"BY=10;NX", "501 5.5.2 illegal by-trace 'X'", 0},
        {"BY=1000000000;N", "501 5.5.2 BY=1000000000;N out of range", 0},
        {"BY=99999999999999999999999;R", "501 5.5.2 BY=99999999999999999999999;R out of range", 0},
        {"BY=-10;R", "501 5.5.4 mode R requires BY time > 0", 0},
        {"BY=;R", "501 5.5.4 mode R requires BY time > 0", 0},
        {"BY=4;R", "555 5.5.2 time 4 less than 5", 0},
},
  rcpt[] = {
      {"NOTIFY=NEVER", "", 1},
      {"NOTIFY=success,FAILURE,DELAY", "", 1},
      {"NOTIFY=SUCCESS NOTIFY=DELAY", "", 2},
      {"NOTIFY", "501 5.5.2 NOTIFY requires a value", 0},
      {"NOTIFY=", "501 5.5.4 Bad argument \"\"  to NOTIFY", 0},
      {"NOTIFY=NEVER,SUCCESS", "501 5.5.4 Bad argument \"NEVER\"  to NOTIFY", 0},
      {"NOTIFY=SUCCESS,", "501 5.5.4 Bad argument \"\"  to NOTIFY", 0},
      {"ORCPT=rfc822;a@b", "", 1},
      {"ORCPT=rfc822;", "", 1},
      {"ORCPT", "501 5.5.2 ORCPT requires a value", 0},
      {"ORCPT=", "501 5.5.4 Syntax error in ORCPT parameter value", 0},
      {"ORCPT=foo", "501 5.5.4 Syntax error in ORCPT parameter value", 0},
      {"ORCPT=;x", "501 5.5.4 Syntax error in ORCPT parameter value", 0},
      {"ORCPT=rfc822;a+zz", "501 5.5.4 Syntax error in ORCPT parameter value", 0},
      {"ORCPT=rfc822;a ORCPT=rfc822;b", "501 5.5.0 Duplicate ORCPT parameter", 1},
      {"SIZE=10", "555 5.5.4 SIZE parameter unrecognized", 0},
};

static void check(struct arena *a, enum parameters_command command, const char *text,
                  const char *reply, size_t n)
{
    struct parameters p = {.dsn = true, .deliver_by_min = 5, .max_size = 1000};
    struct buf b;

    buf_init(&b, a);
    buf_adds(&b, "");
    assert_int_equal(parameters_read(a, &p, command, text, strlen(text), &b), reply[0] == '\0');
    assert_string_equal(b.data, reply);
    assert_int_equal(p.n, n);
}

static void each_is_judged(void **state)
{
    for (size_t i = 0; i < sizeof mail / sizeof *mail; i++)
        check(*state, PARAMETERS_OF_MAIL, mail[i].text, mail[i].reply, mail[i].n);
    for (size_t i = 0; i < sizeof rcpt / sizeof *rcpt; i++)
        check(*state, PARAMETERS_OF_RCPT, rcpt[i].text, rcpt[i].reply, rcpt[i].n);
}

static void what_is_not_offered_is_refused(void **state)
{
    struct parameters p = {.deliver_by_min = -1};
    struct buf b;

    buf_init(&b, *state);
    assert_false(parameters_read(*state, &p, PARAMETERS_OF_MAIL, "BY=10;R", 7, &b));
    assert_string_equal(b.data, "555 5.5.4 BY parameter unrecognized");
    buf_truncate(&b, 0);
    assert_false(parameters_read(*state, &p, PARAMETERS_OF_MAIL, "RET=FULL", 8, &b));
    assert_string_equal(b.data, "504 5.7.0 Sorry, RET not supported, we do not allow DSN");
    assert_true(parameters_read(*state, &p, PARAMETERS_OF_MAIL, "SIZE=99999999", 13, &b));
}

static void what_was_right_is_kept_as_written(void **state)
{
    struct parameters p = {.dsn = true};
    struct buf b;

    buf_init(&b, *state);
    assert_true(parameters_read(*state, &p, PARAMETERS_OF_MAIL, " Body=8bitmime  SIZE=1", 22, &b));
    assert_true(p.eight_bit);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.v[0].len, 13);
    assert_memory_equal(p.v[0].p, "Body=8bitmime", 13);
    assert_int_equal(p.v[1].len, 6);
    assert_memory_equal(p.v[1].p, "SIZE=1", 6);
}

static void a_path_has_an_end(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } paths[] = {
        {"", 0},
        {" x", 0},
        {"<a@b> SIZE=1", 5},
        {"a@b SIZE=1", 3},
        {"<a b@c> x", 7},
        {"<\"a > b\"@c> x", 11},
        {"\"a b\"@c x", 7},
        {"(c d)<a> x", 8},
        {"<a x", 4},
        {"a> x", 2},
        {"a\\ b x", 2},
        {"<a>foo x", 6},
        {"\"a x", 4},
        {"\"a\\\" b\" x", 7},
        {"a\tx", 1},
        {"(a x", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_int_equal(parameters_path(paths[i].text, strlen(paths[i].text)), paths[i].len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(each_is_judged),
        UNIT(what_is_not_offered_is_refused),
        UNIT(what_was_right_is_kept_as_written),
        UNIT(a_path_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
