#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/buf.h"

static void is_an_empty_string_at_first(void **state)
{
    struct buf b;
    buf_init(&b, *state);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    buf_add(&b, NULL, 0);
    buf_adds(&b, "");
    buf_printf(&b, "%s", "");
    buf_truncate(&b, 0);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
}

static void always_ends_in_nul(void **state)
{
    struct buf b;
    buf_init(&b, *state);
    for (size_t i = 0; i < 5000; i++) {
        buf_addc(&b, (char)('a' + i % 26));
        assert_int_equal(b.len, i + 1);
        assert_int_equal(b.data[b.len], '\0');
    }
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
}

static void keeps_nul_bytes(void **state)
{
    struct buf b;
    buf_init(&b, *state);
    buf_addc(&b, '\0');
    buf_add(&b, "a\0b", 3);
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "\0a\0b", 5);
}

static void adds_pieces(void **state)
{
    struct buf b;
    buf_init(&b, *state);
    buf_adds(&b, "one");
    buf_printf(&b, " %d %s", 2, "three");
    buf_addc(&b, '!');
    assert_string_equal(b.data, "one 2 three!");
}

static void adds_its_own_bytes(void **state)
{
    struct buf b;
    buf_init(&b, *state);
    buf_adds(&b, "0123456789");
    for (int i = 0; i < 5; i++)
        buf_add(&b, b.data, b.len); /* grows while it reads itself */
    assert_int_equal(b.len, 320);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.data[i], '0' + i % 10);
}

static void truncates_but_never_extends(void **state)
{
    struct buf b;
    buf_init(&b, *state);
    buf_adds(&b, "abc");
    buf_truncate(&b, 4);
    assert_string_equal(b.data, "abc");
    buf_truncate(&b, 3);
    assert_string_equal(b.data, "abc");
    buf_truncate(&b, 1);
    assert_string_equal(b.data, "a");
    buf_adds(&b, "z");
    assert_string_equal(b.data, "az");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(is_an_empty_string_at_first),
        UNIT(always_ends_in_nul),
        UNIT(keeps_nul_bytes),
        UNIT(adds_pieces),
        UNIT(adds_its_own_bytes),
        UNIT(truncates_but_never_extends),
    };
    return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
