/*
 * Connections of an address, open and of late.
 */
#include <stdio.h>

#include "mta/front/counts.h"
#include "tests/unit/unit.h"

static void nobody_has_none(void **state)
{
    struct counts *c = counts_new(*state, 60);

    counts_leave(c, "192.0.2.1");
    assert_int_equal(counts_open(c, "192.0.2.1"), 0);
    assert_int_equal(counts_rate(c, ""), 0);
    assert_int_equal(counts_total(c), 0);
}

static void what_left_still_counts_for_a_while(void **state)
{
    struct counts *c = counts_new(*state, 60);

    counts_time(c, 1000);
    counts_enter(c, "a");
    counts_enter(c, "a");
    counts_enter(c, "b");
    counts_leave(c, "a");
    assert_int_equal(counts_open(c, "a"), 1);
    assert_int_equal(counts_rate(c, "a"), 2);
    assert_int_equal(counts_total(c), 3);
    counts_time(c, 1040);
    counts_enter(c, "a");
    assert_int_equal(counts_rate(c, "a"), 3);
    counts_time(c, 1061); /* the first ones are out of the window */
    assert_int_equal(counts_rate(c, "a"), 1);
    assert_int_equal(counts_rate(c, "b"), 0);
    counts_time(c, 2000);
    assert_int_equal(counts_total(c), 0);
    assert_int_equal(counts_open(c, "a"), 2);
}

static void a_clock_that_goes_back_forgets(void **state)
{
    struct counts *c = counts_new(*state, 60);

    counts_time(c, 5000);
    counts_enter(c, "a");
    counts_time(c, 100);
    assert_int_equal(counts_rate(c, "a"), 0);
    counts_enter(c, "a");
    assert_int_equal(counts_rate(c, "a"), 1);
    assert_int_equal(counts_open(c, "a"), 2);
}

/* Those that are gone make room. */
static void many_come_and_go(void **state)
{
    struct counts *c = counts_new(*state, 6);
    size_t after_first = 0;

    for (unsigned round = 0; round < 20; round++) {
        counts_time(c, 100 + round * 100);
        for (unsigned i = 0; i < 5000; i++) {
            char address[32];
            snprintf(address, sizeof address, "10.%u.%u.%u", round, i >> 8, i & 255);
            counts_enter(c, address);
            counts_leave(c, address);
        }
        if (round == 0)
            after_first = arena_used(*state);
    }
    assert_true(arena_used(*state) < 2 * after_first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nobody_has_none),
        UNIT(what_left_still_counts_for_a_while),
        UNIT(a_clock_that_goes_back_forgets),
        UNIT(many_come_and_go),
    };
    return cmocka_run_group_tests_name("mta_counts", tests, NULL, NULL);
}
