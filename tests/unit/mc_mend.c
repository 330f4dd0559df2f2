#include <string.h>

#include "grammar/mc.h"
#include "lib/base/diag.h"
#include "tests/unit/mc_support.h"

static struct mc_mended *mend(struct arena *a, const char *text, struct diag **d)
{
    struct source_set *set = source_set_new(a);
    *d = diag_new(a, set);
    return mc_mend(a, source_add(set, "test.mc", text, strlen(text)), *d);
}

static void what_is_good_stays(void **state)
{
    struct arena *a = *state;
    static const char *const good[] = {"", "\n", "'", "a(", "dnl `(", "FEATURE(`x')", "# it's\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct diag *d;
        const struct mc_mended *m = mend(a, good[i], &d);
        assert_null(m->edits);
        assert_false(m->faulty);
        assert_int_equal(diag_count(d, DIAG_NOTE), 0);
        assert_int_equal(mc_unmend(m, 1), 1);
    }
    struct source_set *set = source_set_new(a);
    assert_null(mc_mend(a, source_add(set, "ghost", NULL, 0), NULL)->text);
}

static void places_are_carried_back(void **state)
{
    struct arena *a = *state;
    struct diag *d;
    const struct mc_mended *m = mend(a, "FEATURE('a')\nFEATURE(b')\n", &d);
    assert_int_equal(m->len, strlen("FEATURE(`a')\nFEATURE(`b')\n"));
    assert_memory_equal(m->text, "FEATURE(`a')\nFEATURE(`b')\n", m->len);
    assert_int_equal(mc_unmend(m, 0), 0);
    assert_int_equal(mc_unmend(m, 9), 9);   /* a, behind what was replaced */
    assert_int_equal(mc_unmend(m, 21), 21); /* what was put in stands where b does */
    assert_int_equal(mc_unmend(m, 22), 21);
    assert_int_equal(mc_unmend(m, m->len), m->len - 1);
}

static void a_fault_that_only_changes_a_value_is_left(void **state)
{
    struct arena *a = *state;
    struct diag *d;
    const struct mc_mended *m = mend(a, "define('a', `b')\n", &d);
    assert_null(m->edits);
    assert_true(m->faulty);
    assert_int_equal(diag_count(d, DIAG_WARNING), 1);
    assert_int_equal(diag_count(d, DIAG_ERROR), 0);
    /* What else is said of that line follows from it. */
    diag_add(d, DIAG_ERROR, "follower", (struct origin){1, 1, 3, 0}, "x");
    assert_int_equal(diag_count(d, DIAG_WARNING), 1);
    assert_int_equal(diag_count(d, DIAG_ERROR), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(what_is_good_stays),
        UNIT(places_are_carried_back),
        UNIT(a_fault_that_only_changes_a_value_is_left),
    };
    return cmocka_run_group_tests_name("mc_mend", tests, NULL, NULL);
}
