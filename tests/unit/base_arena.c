#include "tests/unit/unit.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

static void gives_something_for_nothing(void **state)
{
    struct arena *a = *state;
    char *p = arena_alloc(a, 0), *q = arena_alloc(a, 0);
    assert_non_null(p);
    assert_non_null(q);
    assert_ptr_not_equal(p, q);
    assert_non_null(arena_calloc(a, 0, 8));
    assert_non_null(arena_calloc(a, 8, 0));
    assert_in_range(arena_used(a), 1, 4 * 16); /* what little ones take counts in full */
    assert_string_equal(arena_strndup(a, NULL, 0), "");
    assert_string_equal(arena_strdup(a, ""), "");
    assert_string_equal(arena_printf(a, "%s", ""), "");
}

static void frees_nothing(void **state)
{
    (void)state;
    arena_free(NULL);
}

static void resets_when_empty(void **state)
{
    arena_reset(*state);
    assert_non_null(arena_alloc(*state, 1));
}

static void objects_are_zeroed_and_aligned(void **state)
{
    struct arena *a = *state;
    /* Twice, so that used memory comes back after the reset. */
    for (int round = 0; round < 2; round++) {
        for (size_t size = 1; size < 3000; size += 7) {
            unsigned char *p = arena_alloc(a, size);
            assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, size);
        }
        arena_reset(a);
        assert_int_equal(arena_used(a), 0);
    }
}

static void objects_do_not_overlap(void **state)
{
    struct arena *a = *state;
    enum { N = 500 };
    unsigned char *p[N];
    for (size_t i = 0; i < N; i++) {
        p[i] = arena_alloc(a, i * 3 + 1);
        memset(p[i], (int)(i & 0xff), i * 3 + 1);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < i * 3 + 1; k++)
            assert_int_equal(p[i][k], i & 0xff);
    }
}

static void large_objects_come_back_after_a_reset(void **state)
{
    struct arena *a = *state;
    size_t large = 1024 * 1024;
    for (int round = 0; round < 3; round++) {
        memset(arena_alloc(a, 10), 1, 10);
        memset(arena_alloc(a, large), 1, large);
        memset(arena_alloc(a, 10), 1, 10);
        /* The rest of the chunk that it did not fit into counts. */
        assert_in_range(arena_used(a), large + 20, large + 128 * 1024);
        arena_reset(a);
    }
}

static void an_array_grows_from_nothing_and_keeps_what_it_has(void **state)
{
    size_t room = 0, *v = NULL;
    for (size_t i = 0; i < 1000; i++) {
        size_t *was = v, before = room;
        v = arena_grow(*state, v, i, &room, sizeof *v, 3);
        assert_true(room > i);
        assert_true(i < before ? v == was && room == before : room == (before ? 2 * before : 3));
        assert_int_equal(v[i], 0);
        v[i] = i + 1;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(v[i], i + 1);
}

static void copies_end_in_nul(void **state)
{
    struct arena *a = *state;
    const char bytes[] = {'a', '\0', 'b', 'c'};
    char *p = arena_strndup(a, bytes, 3);
    assert_memory_equal(p, "a\0b", 4);
    assert_string_equal(arena_printf(a, "%d-%s", 42, "x"), "42-x");
    size_t n = 200000;
    char *x = arena_alloc(a, n + 1);
    memset(x, 'x', n);
    assert_string_equal(arena_printf(a, "%s", x), x);
}

struct trap {
    jmp_buf env;
    volatile int caught;
};

static void spring(void *ctx)
{
    struct trap *t = ctx;
    t->caught++;
    longjmp(t->env, 1);
}

static void refused_memory_goes_to_the_handler(void **state)
{
    (void)state;
    struct trap t = {.caught = 0};
    struct arena *a = arena_new(spring, &t);
    if (setjmp(t.env) == 0)
        arena_calloc(a, SIZE_MAX / 2, 3); /* the product overflows */
    assert_int_equal(t.caught, 1);
    if (setjmp(t.env) == 0)
        arena_alloc(a, SIZE_MAX); /* rounding up overflows */
    assert_int_equal(t.caught, 2);
    if (setjmp(t.env) == 0)
        arena_strndup(a, "x", SIZE_MAX); /* the NUL overflows */
    assert_int_equal(t.caught, 3);
    memset(arena_alloc(a, 100), 1, 100); /* still usable */
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(gives_something_for_nothing),
        cmocka_unit_test(frees_nothing),
        UNIT(resets_when_empty),
        UNIT(objects_are_zeroed_and_aligned),
        UNIT(objects_do_not_overlap),
        UNIT(large_objects_come_back_after_a_reset),
        UNIT(an_array_grows_from_nothing_and_keeps_what_it_has),
        UNIT(copies_end_in_nul),
        cmocka_unit_test(refused_memory_goes_to_the_handler),
    };
    return cmocka_run_group_tests_name("base_arena", tests, NULL, NULL);
}
