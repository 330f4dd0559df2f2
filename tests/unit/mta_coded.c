/*
 * Lines with codes before their text.
 */
#include "mta/message/coded.h"

#include <string.h>

#include "tests/unit/unit.h"

static void is(struct bytes got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.len ? got.p : "", want, got.len);
}

static void lines_are_taken_apart(void **state)
{
    static const struct {
        const char *line, *code, *enhanced, *text;
    } cases[] = {
        {"", "", "", ""},
        {"5", "", "", "5"},
        {"55 x", "", "", "55 x"},
        {"550", "550", "", ""},
        {"550 ", "550", "", ""},
        {"550-", "550", "", ""},
        {"550x", "", "", "550x"},
        {"5500 x", "", "", "5500 x"},
        {"550 5.1.1", "550", "5.1.1", ""},
        {"550 5.1.1 user... User unknown", "550", "5.1.1", "user... User unknown"},
        {"550-5.1.1 first", "550", "5.1.1", "first"},
        {"550 5.1.1x", "550", "", "5.1.1x"},
        {"550 5.1", "550", "", "5.1"},
        {"550 5.1. x", "550", "", "5.1. x"},
        {"550 5..1 x", "550", "", "5..1 x"},
        {"550 5.1234.1 x", "550", "", "5.1234.1 x"},
        {"550 5.123.456 x", "550", "5.123.456", "x"},
        {"550 3.1.1 x", "550", "", "3.1.1 x"},
        {"550 127.0.0.1 x", "550", "", "127.0.0.1 x"},
        {"5.7.1 denied", "", "5.7.1", "denied"},
        {"550  two", "550", "", " two"},
        {"User unknown", "", "", "User unknown"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct coded c = coded_line((struct bytes){cases[i].line, strlen(cases[i].line)});
        is(c.code, cases[i].code);
        is(c.enhanced, cases[i].enhanced);
        is(c.text, cases[i].text);
    }
}

static void no_byte_behind_the_line_is_read(void **state)
{
    (void)state;
    struct coded c = coded_line((struct bytes){"550 5.1.1 x", 9});
    is(c.enhanced, "5.1.1");
    is(c.text, "");
    c = coded_line((struct bytes){"550 5.1.11", 9});
    is(c.enhanced, "5.1.1");
    c = coded_line((struct bytes){"550", 2});
    is(c.code, "");
    c = coded_text((struct bytes){NULL, 0});
    is(c.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(lines_are_taken_apart),
        UNIT(no_byte_behind_the_line_is_read),
    };
    return cmocka_run_group_tests_name("mta_coded", tests, NULL, NULL);
}
