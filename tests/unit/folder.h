/* folder: a folder of its own for a test, which is its working folder, beside the arena. */
#ifndef MCF_TESTS_FOLDER_H
#define MCF_TESTS_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define FOLDER_NAME "/tmp/mcf-unit-XXXXXX"

static char folder[sizeof FOLDER_NAME];

static inline int folder_enter(void **state)
{
    memcpy(folder, FOLDER_NAME, sizeof folder);
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    return unit_arena(state);
}

/* What a test may leave there: the databases of a map m. */
static inline int folder_leave(void **state)
{
    unit_arena_gone(state);
    remove("m");
    remove("m.db");
    remove("m.cdb");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; /* nothing else is left there */
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

#endif
