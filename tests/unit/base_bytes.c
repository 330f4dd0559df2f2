#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/bytes.h"

static void takes_one_last_dot(void **state)
{
    static const struct {
        const char *host, *without;
    } cases[] = {{"", ""}, {".", "."}, {"a", "a"}, {"a.", "a"}, {"a..", "a."}, {".a", ".a"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = bytes_without_dot((struct bytes){cases[i].host, strlen(cases[i].host)});
        assert_int_equal(b.len, strlen(cases[i].without));
        assert_memory_equal(b.p, cases[i].without, b.len);
    }
}

static void takes_one_pair_of_brackets(void **state)
{
    static const struct {
        const char *path, *inside;
    } cases[] = {{"", ""},
                 {"<", "<"},
                 {">", ">"},
                 {"<>", ""},
                 {"<<>", "<<>"},
                 {"<a@b>", "a@b"},
                 {"a@b", "a@b"},
                 {"<a>x", "<a>x"},
                 {"<a>,<b>", "<a>,<b>"},
                 {"<<a>>", "<<a>>"},
                 {"<\"a>b\"@c>", "\"a>b\"@c"},
                 {"<\"a\\\">b\"@c>", "\"a\\\">b\"@c"},
                 {"<a\\>>", "a\\>"},
                 {"<a\\>", "a\\"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = bytes_in_brackets((struct bytes){cases[i].path, strlen(cases[i].path)});
        assert_int_equal(b.len, strlen(cases[i].inside));
        assert_memory_equal(b.p, cases[i].inside, b.len);
    }
}

/* Each length, from memory that ends there, and nothing beside it is touched. */
static void puts_so_many_bytes_and_no_others(void **state)
{
    (void)state;
    for (size_t len = 0; len < 64; len++) {
        char *from = malloc(len ? len : 1);
        char to[66];

        assert_non_null(from);
        for (size_t i = 0; i < len; i++)
            from[i] = (char)('0' + i);
        memset(to, '-', sizeof to);
        assert_ptr_equal(bytes_put(to + 1, from, len), to + 1 + len);
        assert_memory_equal(to + 1, from, len);
        assert_int_equal(to[0], '-');
        for (size_t i = len + 1; i < sizeof to; i++)
            assert_int_equal(to[i], '-');
        free(from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(takes_one_last_dot),
        UNIT(takes_one_pair_of_brackets),
        UNIT(puts_so_many_bytes_and_no_others),
    };
    return cmocka_run_group_tests_name("base_bytes", tests, NULL, NULL);
}
