#include "tests/unit/unit.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/table.h"

static void finds_nothing_in_nothing(void **state)
{
    struct table *t = table_new(*state);
    assert_int_equal(table_count(t), 0);
    assert_null(table_get(t, ""));
    assert_null(table_get(t, "a"));
    assert_false(table_has(t, "a"));
    assert_false(table_remove(t, "a"));
}

static void knows_the_empty_key_and_the_null_value(void **state)
{
    struct table *t = table_new(*state);
    table_set(t, "", NULL);
    assert_int_equal(table_count(t), 1);
    assert_true(table_has(t, ""));
    assert_null(table_get(t, ""));
    assert_string_equal(table_at(t, 0)->key, "");
}

static void keeps_its_own_keys(void **state)
{
    struct table *t = table_new(*state);
    char key[] = "key";
    int v;
    table_set(t, key, &v);
    key[0] = 'x';
    assert_ptr_equal(table_get(t, "key"), &v);
    assert_null(table_get(t, "xey"));
}

static void keys_differ_by_one_byte(void **state)
{
    struct table *t = table_new(*state);
    int v[4];
    table_set(t, "a", &v[0]);
    table_set(t, "A", &v[1]);
    table_set(t, "a\xe4", &v[2]);
    table_set(t, "a\xc3\xa4", &v[3]);
    assert_ptr_equal(table_get(t, "a"), &v[0]);
    assert_ptr_equal(table_get(t, "A"), &v[1]);
    assert_ptr_equal(table_get(t, "a\xe4"), &v[2]);
    assert_ptr_equal(table_get(t, "a\xc3\xa4"), &v[3]);
}

static void replacing_keeps_the_place(void **state)
{
    struct table *t = table_new(*state);
    int v[3];
    table_set(t, "one", &v[0]);
    table_set(t, "two", &v[1]);
    table_set(t, "one", &v[2]);
    assert_int_equal(table_count(t), 2);
    assert_string_equal(table_at(t, 0)->key, "one");
    assert_ptr_equal(table_at(t, 0)->value, &v[2]);
}

static void many_stay_in_order_and_can_be_removed(void **state)
{
    struct arena *a = *state;
    struct table *t = table_new(a);
    enum { N = 3000 };
    static int v[N];
    for (int i = 0; i < N; i++)
        table_set(t, arena_printf(a, "k%d", i * 7919), &v[i]);
    assert_int_equal(table_count(t), N);
    for (int i = 0; i < N; i++) {
        assert_string_equal(table_at(t, (size_t)i)->key, arena_printf(a, "k%d", i * 7919));
        assert_ptr_equal(table_get(t, arena_printf(a, "k%d", i * 7919)), &v[i]);
    }
    for (int i = 0; i < N; i += 2)
        assert_true(table_remove(t, arena_printf(a, "k%d", i * 7919)));
    assert_int_equal(table_count(t), N / 2);
    for (int i = 0; i < N; i++) {
        void *want = i % 2 ? &v[i] : NULL;
        assert_ptr_equal(table_get(t, arena_printf(a, "k%d", i * 7919)), want);
        if (i % 2)
            assert_ptr_equal(table_at(t, (size_t)i / 2)->value, want);
    }
}

static void a_removed_key_comes_back_last(void **state)
{
    struct table *t = table_new(*state);
    int v;
    table_set(t, "a", &v);
    table_set(t, "b", &v);
    assert_true(table_remove(t, "a"));
    assert_false(table_remove(t, "a"));
    table_set(t, "a", &v);
    assert_string_equal(table_at(t, 0)->key, "b");
    assert_string_equal(table_at(t, 1)->key, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(finds_nothing_in_nothing),
        UNIT(knows_the_empty_key_and_the_null_value),
        UNIT(keeps_its_own_keys),
        UNIT(keys_differ_by_one_byte),
        UNIT(replacing_keeps_the_place),
        UNIT(many_stay_in_order_and_can_be_removed),
        UNIT(a_removed_key_comes_back_last),
    };
    return cmocka_run_group_tests_name("base_table", tests, NULL, NULL);
}
