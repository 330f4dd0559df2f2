/*
 * What is due when, what goes first, how long it is tried: numbers as the reference has them.
 */
#include <string.h>

#include "mta/store/schedule.h"
#include "tests/unit/unit.h"

enum { HOUR = 3600, DAY = 24 * HOUR, MADE = 1000000 };

static void an_empty_envelope_is_due_at_once(void **state)
{
    struct schedule_settings s = {0};
    struct envelope e = {0};

    (void)state;
    assert_int_equal(schedule_due(&s, &e), 0);
    assert_int_equal(schedule_priority(&s, &e), 0);
    assert_int_equal(schedule_expires(&s, &e), 0);
    assert_true(schedule_warns(&s, &e) == SCHEDULE_NEVER);
    assert_null(schedule_group(&s, (struct bytes){NULL, 0}));
    assert_false(schedule_only_queued(&s, INT64_MAX, UINT64_MAX));
    assert_int_equal(schedule_host((struct bytes){NULL, 0}).len, 0);
}

static void the_largest_numbers_do_not_pass_the_end(void **state)
{
    struct schedule_settings s = schedule_usual();
    struct envelope e = {.size = UINT64_MAX,
                         .tries = UINT64_MAX,
                         .priority = (uint64_t)INT64_MIN,
                         .made = UINT64_MAX,
                         .tried = UINT64_MAX,
                         .sender = {"a", 1}};

    (void)state;
    assert_true(schedule_priority(&s, &e) == INT64_MAX);
    assert_true(schedule_due(&s, &e) == SCHEDULE_NEVER);
    assert_true(schedule_expires(&s, &e) == SCHEDULE_NEVER);
    s.queue_la = 1;
    assert_true(schedule_only_queued(&s, 1, UINT64_MAX));
}

static void priorities_are_the_reference_s(void **state)
{
    struct schedule_settings s = schedule_usual();
    struct recipient to[2] = {{.state = RECIPIENT_WAITS}, {.state = RECIPIENT_WAITS}};
    struct envelope e = {.size = 37, .recipients = to, .nrecipients = 1};

    (void)state;
    assert_int_equal(schedule_priority(&s, &e), 30037);
    e.tries = 1;
    assert_int_equal(schedule_priority(&s, &e), 120037);
    e = (struct envelope){
        .size = 54, .priority = (uint64_t)-60, .recipients = to, .nrecipients = 2};
    assert_int_equal(schedule_priority(&s, &e), 168054);
    to[0].state = RECIPIENT_DELIVERED;
    assert_int_equal(schedule_priority(&s, &e), 138054);
}

static void a_high_load_lets_the_small_ones_through(void **state)
{
    struct schedule_settings s = schedule_usual();

    (void)state;
    s.queue_la = 8;
    assert_false(schedule_only_queued(&s, 10000000, 7));
    assert_false(schedule_only_queued(&s, 600000, 8));
    assert_true(schedule_only_queued(&s, 600001, 8));
    assert_false(schedule_only_queued(&s, 60000, 17));
    assert_true(schedule_only_queued(&s, 60001, 17));
}

static uint64_t due(const struct schedule_settings *s, uint64_t age, uint64_t tries)
{
    struct envelope e = {.made = MADE, .tried = MADE + age, .tries = tries};

    return schedule_due(s, &e) - e.tried;
}

static void the_age_doubles_from_try_to_try(void **state)
{
    struct schedule_settings s = {.interval = 60, .min_age = 600, .max_age = 4 * HOUR};

    (void)state;
    assert_int_equal(due(&s, 1, 1), 600);
    assert_int_equal(due(&s, 1800, 1), 1800);
    assert_int_equal(due(&s, 1800, 5), 1800);
    assert_int_equal(due(&s, 2 * HOUR, 1), 2 * HOUR);
    assert_int_equal(due(&s, DAY, 8), 4 * HOUR);
    s.max_age = 0;
    assert_int_equal(due(&s, DAY, 8), 600);
    s.min_age = 0;
    assert_int_equal(due(&s, DAY, 8), 60);
    s.interval = 0;
    struct envelope e = {.made = MADE, .tried = MADE};
    assert_true(schedule_due(&s, &e) == SCHEDULE_NEVER);
    /* Not tried yet, it is due whatever the ages are. */
    s.min_age = DAY;
    e.tried = 0;
    assert_int_equal(schedule_due(&s, &e), MADE);
    /* One that was only to be queued waits for a run, where there are any. */
    e.flags = ENVELOPE_QUEUED;
    assert_true(schedule_due(&s, &e) == SCHEDULE_NEVER);
    s.interval = 60;
    assert_int_equal(schedule_due(&s, &e), MADE + 60); /* the least age is between tries */
}

static void what_is_held_is_never_due(void **state)
{
    struct schedule_settings s = schedule_usual();
    struct envelope e = {.made = MADE, .flags = ENVELOPE_HELD};

    (void)state;
    assert_true(schedule_due(&s, &e) == SCHEDULE_NEVER);
    e = (struct envelope){.made = MADE, .quarantine = {"odd", 3}};
    assert_true(schedule_due(&s, &e) == SCHEDULE_NEVER);
}

static void a_group_has_its_own_interval(void **state)
{
    static const struct queue_group groups[] = {{.name = {"slow", 4}, .interval = DAY}};
    struct schedule_settings s = {.interval = 60, .groups = groups, .ngroups = 1};
    struct envelope e = {.made = MADE, .tried = MADE, .group = {"Slow", 4}};

    (void)state;
    assert_int_equal(schedule_due(&s, &e), MADE + DAY);
    e.group = (struct bytes){"slower", 6};
    assert_int_equal(schedule_due(&s, &e), MADE + 60);
}

static struct bytes words[3];

static enum urgency urgency(const char *name, const char *text, int64_t class)
{
    struct envelope e = {.sender = {"a", 1}, .priority = (uint64_t) class};

    words[1] = bytes_of(name);
    words[2] = bytes_of(text);
    e.header = (struct texts){words, 3};
    return schedule_urgency(&e);
}

static void timeouts_are_by_urgency(void **state)
{
    struct schedule_settings s = schedule_usual();
    struct envelope e = {.made = MADE, .sender = {"a", 1}};

    (void)state;
    assert_int_equal(urgency("Subject", "urgent", 0), URGENCY_NORMAL);
    assert_int_equal(urgency("Priority", " Urgent", 0), URGENCY_URGENT);
    assert_int_equal(urgency("priority", "non-urgent\n", 0), URGENCY_NON_URGENT);
    s.returned[URGENCY_DSN] = 60;
    s.warned[URGENCY_NORMAL] = 4 * HOUR;
    assert_int_equal(schedule_expires(&s, &e), MADE + 5 * DAY);
    assert_int_equal(schedule_warns(&s, &e), MADE + 4 * HOUR);
    e.warned = 1;
    assert_true(schedule_warns(&s, &e) == SCHEDULE_NEVER);
    e.sender.len = 0;
    assert_int_equal(schedule_expires(&s, &e), MADE + 5 * DAY);
    e.flags = ENVELOPE_REPORT;
    assert_int_equal(schedule_expires(&s, &e), MADE + 60);
}

static void each_order_sorts_by_its_own(void **state)
{
    struct scheduled x = {.due = 2,
                          .priority = 1,
                          .made = 9,
                          .tried = 1,
                          .id = {"b", 1},
                          .host = {"z.example", 9},
                          .random = 7};
    struct scheduled y = {.due = 1,
                          .priority = 2,
                          .made = 8,
                          .tried = 2,
                          .id = {"a", 1},
                          .host = {"A.example", 9},
                          .random = 8};

    (void)state;
    assert_true(schedule_compare(SORT_PRIORITY, &x, &y) < 0);
    assert_true(schedule_compare(SORT_HOST, &x, &y) > 0);
    assert_true(schedule_compare(SORT_FILENAME, &x, &y) > 0);
    assert_true(schedule_compare(SORT_TIME, &x, &y) > 0);
    assert_true(schedule_compare(SORT_MODIFICATION, &x, &y) < 0);
    assert_true(schedule_compare(SORT_RANDOM, &x, &y) < 0);
    assert_true(schedule_compare(SORT_NONE, &x, &y) > 0);
    y.host = x.host;
    assert_true(schedule_compare(SORT_HOST, &x, &y) < 0);
    assert_int_equal(schedule_compare(SORT_PRIORITY, &x, &x), 0);
    struct bytes host = schedule_host(bytes_of("a@b@c.example."));
    assert_int_equal(host.len, 9);
    assert_memory_equal(host.p, "c.example", 9);
}

static void the_heap_gives_the_first_first(void **state)
{
    struct scheduled s[300] = {{0}};
    struct heap h;
    uint64_t last = 0;
    size_t n = 0;

    heap_init(&h, *state);
    assert_null(heap_first(&h));
    heap_remove(&h, &s[0]);
    for (size_t i = 0; i < 300; i++) {
        s[i].due = i * 7919 % 1009;
        heap_put(&h, &s[i]);
    }
    for (size_t i = 0; i < 300; i += 3)
        heap_remove(&h, &s[i]);
    for (size_t i = 1; i < 300; i += 3) {
        s[i].due = i * 104729 % 1013;
        heap_put(&h, &s[i]);
    }
    for (struct scheduled *f; (f = heap_first(&h)); n++) {
        assert_true(f->due >= last);
        assert_true((f - s) % 3 != 0);
        last = f->due;
        heap_remove(&h, f);
        assert_int_equal(f->at, 0);
    }
    assert_int_equal(n, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_empty_envelope_is_due_at_once), UNIT(the_largest_numbers_do_not_pass_the_end),
        UNIT(priorities_are_the_reference_s),   UNIT(a_high_load_lets_the_small_ones_through),
        UNIT(the_age_doubles_from_try_to_try),  UNIT(what_is_held_is_never_due),
        UNIT(a_group_has_its_own_interval),     UNIT(timeouts_are_by_urgency),
        UNIT(each_order_sorts_by_its_own),      UNIT(the_heap_gives_the_first_first),
    };
    return cmocka_run_group_tests_name("mta_schedule", tests, NULL, NULL);
}
