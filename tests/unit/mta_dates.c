/*
 * Points in time as mail writes them.
 */
#include <stdlib.h>
#include <time.h>

#include "mta/message/dates.h"
#include "tests/unit/unit.h"

enum { TUESDAY = 1796107393 /* 2026-12-01 06:43:13 UTC */ };

static void zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static void the_zone_is_the_systems(void **state)
{
    char text[DATE_BYTES];

    (void)state;
    zone("UTC");
    date_mail(0, text);
    assert_string_equal(text, "Thu, 1 Jan 1970 00:00:00 GMT");
    date_mail(TUESDAY, text);
    assert_string_equal(text, "Tue, 1 Dec 2026 06:43:13 GMT");
    date_unix(TUESDAY, text);
    assert_string_equal(text, "Tue Dec  1 06:43:13 2026");
    zone("CET-1");
    date_mail(TUESDAY, text);
    assert_string_equal(text, "Tue, 1 Dec 2026 07:43:13 +0100");
    date_mail(UINT64_MAX, text); /* some date, and no crash */
    zone("NST3:30");
    date_mail(TUESDAY, text);
    assert_string_equal(text, "Tue, 1 Dec 2026 03:13:13 -0330");
}

static void digits_are_universal(void **state)
{
    char text[DATE_BYTES];

    (void)state;
    zone("CET-1");
    date_digits(TUESDAY, text);
    assert_string_equal(text, "202612010643");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(the_zone_is_the_systems),
        UNIT(digits_are_universal),
    };
    return cmocka_run_group_tests_name("mta_dates", tests, NULL, NULL);
}
