/* unit: what every unit test needs: cmocka and an arena that fails the test when it is refused. */
#ifndef MCF_TESTS_UNIT_H
#define MCF_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/arena.h"

static inline void unit_oom(void *ctx)
{
    (void)ctx;
    fail_msg("the arena was refused memory");
}

/* The test's state is a fresh arena. */
static inline int unit_arena(void **state)
{
    *state = arena_new(unit_oom, NULL);
    return 0;
}

static inline int unit_arena_gone(void **state)
{
    arena_free(*state);
    return 0;
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, unit_arena, unit_arena_gone)

#endif
