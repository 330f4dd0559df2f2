/*
 * What O lines say, as values.
 */
#include <netinet/in.h>
#include <string.h>

#include "mta/settings.h"
#include "tests/unit/cf_support.h"

static const struct program *compiled(struct arena *a, const char *text)
{
    struct cf_case c = cf_case_read(a, text, strlen(text), false);

    return program_compile(a, c.config, NULL, c.findings);
}

static void nothing_is_the_default(void **state)
{
    const struct program *p = compiled(*state, "");
    size_t n;
    const struct listener *l = settings_listeners(*state, p, &n);

    assert_int_equal(setting_number(p, "MaxHopCount"), 25);
    assert_string_equal(setting_text(p, "NoSuchOption"), "");
    assert_false(setting_true(p, "AllowBogusHELO"));
    assert_true(setting_true(p, "SendMimeErrors"));
    assert_int_equal(setting_privacy(p), 0);
    assert_int_equal(setting_timeout(p, TIMEOUT_RETURN), 5 * 24 * 3600);
    assert_int_equal(setting_timeout(p, TIMEOUT_RETURN_URGENT), 5 * 24 * 3600);
    assert_int_equal(n, 1);
    assert_string_equal(l[0].port, "smtp");
    assert_int_equal(l[0].family, AF_INET);
    assert_null(l[0].address);
}

static void times_have_units(void **state)
{
    (void)state;
    assert_int_equal(settings_read_time("", 'm'), 0);
    assert_int_equal(settings_read_time("x", 'm'), 0);
    assert_int_equal(settings_read_time("5", 'm'), 300);
    assert_int_equal(settings_read_time("5", 's'), 5);
    assert_int_equal(settings_read_time("1h30m", 's'), 5400);
    assert_int_equal(settings_read_time("2D", 's'), 2 * 24 * 3600);
    assert_int_equal(settings_read_time("1w", 's'), 7 * 24 * 3600);
    /* For ever is long, and no overflow. */
    assert_true(settings_read_time("99999999999999999999999w9999w", 's') < UINT64_C(1) << 33);
}

static void the_last_line_counts(void **state)
{
    const struct program *p = compiled(
        *state, "V10\nO MaxHopCount=3\nO maxhopcount=7\nO Timeout.queuereturn=2\n"
                "O Timeout.queuereturn.urgent=1h\nOp novrfy\nO PrivacyOptions=goaway, noetrn\n");

    assert_int_equal(setting_number(p, "MaxHopCount"), 7);
    assert_int_equal(setting_timeout(p, TIMEOUT_RETURN_NORMAL), 2 * 24 * 3600);
    assert_int_equal(setting_timeout(p, TIMEOUT_RETURN_URGENT), 3600);
    /* But privacy adds up. */
    assert_int_equal(setting_privacy(p), (int)PRIVACY_GOAWAY | (int)PRIVACY_NOETRN);
}

static void listeners_are_lines(void **state)
{
    const struct program *p =
        compiled(*state, "V10\nO DaemonPortOptions=Name=MSA,Port=587,M=Ea,Addr=*\n"
                         "O DaemonPortOptions=Family=inet6,Address=::1,DeliveryMode=q,Listen=3\n");
    size_t n;
    const struct listener *l = settings_listeners(*state, p, &n);

    assert_int_equal(n, 2);
    assert_string_equal(l[0].name, "MSA");
    assert_string_equal(l[0].port, "587");
    assert_null(l[0].address);
    assert_string_equal(l[0].apart, "EE a");
    assert_string_equal(l[1].name, "Daemon1");
    assert_int_equal(l[1].family, AF_INET6);
    assert_string_equal(l[1].address, "::1");
    assert_int_equal(l[1].mode, 'q');
    assert_int_equal(l[1].backlog, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_is_the_default),
        UNIT(times_have_units),
        UNIT(the_last_line_counts),
        UNIT(listeners_are_lines),
    };
    return cmocka_run_group_tests_name("mta_settings", tests, NULL, NULL);
}
