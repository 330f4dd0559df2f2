#include "tests/unit/mc_support.h"

#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"

/* Real files: ours, the reference's where they are installed, and those of MCF_MC_FILES, a pattern
 * for glob(3). */
static void real_files(void **state)
{
    struct arena *a = *state;
    const char *patterns[] = {"samples/*/*.mc", "tests/*/*/*.mc", "/usr/share/sendmail/cf/cf/*.mc",
                              getenv("MCF_MC_FILES")};
    size_t files = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        glob_t g;
        if (!patterns[i] || glob(patterns[i], 0, NULL, &g) != 0)
            continue;
        for (size_t k = 0; k < g.gl_pathc; k++) {
            struct source_set *set = source_set_new(a);
            struct source *s = source_open(set, g.gl_pathv[k], NULL);
            assert_non_null(s->bytes);
            mc_support_assert_lossless(mc_parse(a, s, diag_new(a, set)));
            files++;
        }
        globfree(&g);
    }
    assert_true(files > 0); /* run from the repository's root */
}

static uint32_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* Pieces that mean something, so that random text is not mostly text. */
static void random_code(void **state)
{
    struct arena *a = *state;
    static const char *const pieces[] = {
        "`",
        "'",
        "`",
        "'",
        "(",
        ")",
        ",",
        "\n",
        " ",
        "dnl",
        "dnl ",
        "\r\n",
        "#",
        "a",
        "b1",
        "é",
        "\xe4",
        "define(",
        "FEATURE(`",
        "')",
        "ifdef(`X', `",
        "divert(-1)",
        "LOCAL_CONFIG\n",
        "changequote([,])",
        "changequote",
        "[",
        "]",
        "changequote(,)",
        "changecom(#)",
        "changequote(<<,>>)",
        "<<",
        ">>",
        "changequote(|,|)",
        "|",
        "include(cf.m4)",
        "\n F(",
        "$1",
        "changequote(`(',`)')",
        "changequote(`,',`x')",
        "changecom(`a',`b')",
        "dnl(",
        "x",
    };
    uint64_t seed = 1;
    for (int round = 0; round < 4000; round++) {
        char text[600];
        size_t len = 0, want = next(&seed) % 500;
        while (len < want) {
            const char *p = pieces[next(&seed) % (sizeof pieces / sizeof *pieces)];
            memcpy(text + len, p, strlen(p));
            len += strlen(p);
        }
        struct diag *d;
        const struct mc_tree *t = mc_support_parse(a, text, len, &d);
        mc_support_assert_lossless(t);
        assert_int_equal(diag_count(d, DIAG_NOTE), t->unclosed);
        arena_reset(a);
    }
}

static void random_bytes(void **state)
{
    struct arena *a = *state;
    uint64_t seed = 2;
    for (int round = 0; round < 1000; round++) {
        char text[1000];
        size_t len = next(&seed) % sizeof text;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(next(&seed) & 0xff);
        mc_support_assert_lossless(mc_support_parse(a, text, len, NULL));
        arena_reset(a);
    }
}

/* One byte over and over: time and memory stay in proportion. */
static void one_byte_over_and_over(void **state)
{
    struct arena *a = *state;
    static const char *const pieces[] = {
        "`",  "'",   "(",        ")",      ",",  "\n",       " ", "a(",   "A(",   "`'",
        "()", "dnl", "FEATURE(", "FF(`\n", "\0", "``a\nFF(", "#", "a(\n", "FF(\n"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        enum { N = 20000 };
        size_t n = strlen(pieces[i]) ? strlen(pieces[i]) : 1;
        char *text = arena_alloc(a, n * N + 1);
        for (size_t k = 0; k < N; k++)
            memcpy(text + k * n, pieces[i], n);
        mc_support_assert_lossless(mc_support_parse(a, text, n * N, NULL));
        assert_true(arena_used(a) < 400 * 1024 * 1024);
        arena_reset(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(real_files),
        UNIT(random_code),
        UNIT(random_bytes),
        UNIT(one_byte_over_and_over),
    };
    return cmocka_run_group_tests_name("mc_lossless", tests, NULL, NULL);
}
