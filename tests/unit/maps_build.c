#include "tests/unit/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/maps/map_build.h"
#include "lib/maps/map_lines.h"

struct seen {
    uint32_t first, line;
    size_t n;
    size_t apart; /* those that did not come next to the first */
};

static void again(void *ctx, struct map_bytes key, uint32_t first, uint32_t line)
{
    (void)key;
    struct seen *s = ctx;
    *s = (struct seen){first, line, s->n + 1, s->apart + (first == 0)};
}

static struct map_bytes bytes(const char *s)
{
    return (struct map_bytes){s, strlen(s)};
}

static struct map_build *start(void **state, enum map_type type, struct seen *seen,
                               struct map_build_options o)
{
    *seen = (struct seen){0, 0, 0, 0};
    o.type = type;
    o.again = again;
    o.ctx = seen;
    return map_build_new(*state, &o, ".");
}

static void finish(struct map_build *b)
{
    remove("m");
    assert_int_equal(map_build_write(b, "m", false, 0600), 0);
    map_build_free(b);
}

/* What the file has for the key; "" if it is not there. */
static const char *get(void **state, enum map_type type, const char *key)
{
    struct map *m;
    struct map_bytes v;
    assert_int_equal(map_open(*state, type, "m", &m), 0);
    enum map_verdict verdict = map_get(m, bytes(key), &v);
    assert_int_not_equal(verdict, MAP_TEMPFAIL);
    const char *s = verdict == MAP_FOUND ? arena_strndup(*state, v.p, v.len) : "";
    map_close(m);
    return s;
}

static size_t count(void **state, enum map_type type)
{
    struct map *m;
    struct map_bytes k, v;
    size_t n = 0;
    assert_int_equal(map_open(*state, type, "m", &m), 0);
    while (map_next(m, &k, &v) == MAP_FOUND)
        n++;
    map_close(m);
    return n;
}

static void nothing_makes_an_empty_map(void **state)
{
    struct seen seen;
    for (int t = 0; t < MAP_TYPES; t++) {
        finish(start(state, (enum map_type)t, &seen, (struct map_build_options){.nul = false}));
        assert_int_equal(count(state, (enum map_type)t), 0);
        assert_string_equal(get(state, (enum map_type)t, "a"), "");
        assert_string_equal(get(state, (enum map_type)t, ""), "");
    }
}

static void the_first_of_a_key_stays(void **state)
{
    for (int t = 0; t < MAP_TYPES; t++) {
        struct seen seen;
        struct map_build *b =
            start(state, (enum map_type)t, &seen, (struct map_build_options){.nul = false});
        map_build_add(b, bytes("a"), bytes("one"), 3);
        map_build_add(b, bytes("b"), bytes(""), 4);
        map_build_add(b, bytes("a"), bytes("two"), 7);
        finish(b);
        assert_int_equal(seen.n, 1);
        assert_int_equal(seen.first, 3);
        assert_int_equal(seen.line, 7);
        assert_string_equal(get(state, (enum map_type)t, "a"), "one");
        assert_int_equal(count(state, (enum map_type)t), 2);
    }
}

static void the_last_stays_where_that_is_asked_for(void **state)
{
    for (int t = 0; t < MAP_TYPES; t++) {
        struct seen seen;
        struct map_build *b =
            start(state, (enum map_type)t, &seen, (struct map_build_options){.replace = true});
        map_build_add(b, bytes("a"), bytes("one"), 1);
        map_build_add(b, bytes("a"), bytes("two"), 2);
        map_build_add(b, bytes("z"), bytes("x"), 3);
        map_build_add(b, bytes("a"), bytes("three"), 4);
        finish(b);
        assert_int_equal(seen.n, 0);
        assert_string_equal(get(state, (enum map_type)t, "a"), "three");
        assert_int_equal(count(state, (enum map_type)t), 2);
    }
}

static void all_stay_where_that_is_asked_for(void **state)
{
    struct seen seen;
    struct map_build *b =
        start(state, MAP_btree, &seen, (struct map_build_options){.duplicates = true});
    map_build_add(b, bytes("a"), bytes("one"), 1);
    map_build_add(b, bytes("a"), bytes("one"), 2);
    finish(b);
    assert_int_equal(seen.n, 0);
    assert_int_equal(count(state, MAP_btree), 2);
    b = start(state, MAP_cdb, &seen, (struct map_build_options){.duplicates = true});
    assert_int_equal(map_build_write(b, "m2", false, 0600), ENOTSUP);
    map_build_free(b);
}

static void a_nul_is_kept_and_seen_through(void **state)
{
    for (int t = 0; t < MAP_TYPES; t++) {
        struct seen seen;
        struct map_build *b =
            start(state, (enum map_type)t, &seen, (struct map_build_options){.nul = true});
        map_build_add(b, bytes("a"), bytes("one"), 1);
        map_build_add(b, bytes("a"), bytes("two"), 2);
        finish(b);
        assert_int_equal(seen.n, 1);
        assert_string_equal(get(state, (enum map_type)t, "a"), "one");
    }
}

/* 80 bytes of memory an entry: with this many, hundreds of runs. */
static void what_does_not_fit_waits_in_a_file(void **state)
{
    enum { N = 20000, MEMORY = 64 << 10 };
    char *long_value = malloc(MEMORY / 4);
    memset(long_value, 'v', MEMORY / 4 - 1);
    long_value[MEMORY / 4 - 1] = '\0';
    for (int t = 0; t < MAP_TYPES; t++) {
        struct seen seen;
        struct map_build *b =
            start(state, (enum map_type)t, &seen, (struct map_build_options){.memory = MEMORY});
        for (uint32_t i = 0; i < N; i++) {
            char key[32], value[32];
            snprintf(key, sizeof key, "key%u", i % (N - 100) * 7919 % (N - 100));
            snprintf(value, sizeof value, "%u", i);
            assert_int_equal(
                map_build_add(b, bytes(key), i == 5 ? bytes(long_value) : bytes(value), i + 1), 0);
        }
        assert_int_equal(map_build_count(b), N);
        finish(b);
        assert_int_equal(seen.n, 100); /* the last hundred come again */
        assert_int_equal(count(state, (enum map_type)t), N - 100);
        assert_string_equal(get(state, (enum map_type)t, "key0"), "0");
        char key[32];
        snprintf(key, sizeof key, "key%u", 5u * 7919 % (N - 100));
        assert_string_equal(get(state, (enum map_type)t, key), long_value);
    }
    free(long_value);
}

/* In eight bytes, or in more than are looked at in turn, over several runs; and NULs, which are no
 * end of a key. */
static void keys_that_begin_alike_are_told_apart(void **state)
{
    enum { N = 3000, LONG = 700 };
    static char key[LONG + 32];
    static const char ends[][4] = {"", "\0", "\0\0a", "\0b", "a", "\377"};
    for (int t = 0; t < MAP_TYPES; t++) {
        struct seen seen;
        struct map_build *b =
            start(state, (enum map_type)t, &seen, (struct map_build_options){.memory = 256 << 10});
        memset(key, 'x', sizeof key);
        for (uint32_t i = 0; i < N; i++) {
            uint32_t k = i * 7919 % N / 2; /* each comes twice */
            size_t alike = k % 3 == 0 ? 8 : k % 3 == 1 ? 61 : LONG;
            int n = snprintf(key + alike, 32, "%u-%u-%u", k % 9, k, k);
            const char *end = ends[k % 6];
            size_t more = k % 6 == 2 ? 3 : k % 6 == 3 ? 2 : k % 6 ? 1 : 0;
            memcpy(key + alike + n, end, more);
            struct map_bytes whole = {key, alike + (size_t)n + more};
            assert_int_equal(map_build_add(b, whole, bytes("v"), i + 1), 0);
            memset(key + alike, 'x', 32);
        }
        for (uint32_t i = 0; i < 50; i++)
            assert_int_equal(map_build_add(b, bytes("same"), bytes("v"), N + 1 + i), 0);
        finish(b);
        assert_int_equal(seen.n, N / 2 + 49);
        assert_int_equal(seen.apart, 0);
        assert_int_equal(count(state, (enum map_type)t), N / 2 + 1);
    }
}

static void an_entry_that_never_fits_is_refused(void **state)
{
    struct seen seen;
    struct map_build *b = start(state, MAP_hash, &seen, (struct map_build_options){.memory = 4096});
    char *value = calloc(1, 8193);
    memset(value, 'v', 8192);
    assert_int_equal(map_build_add(b, bytes("a"), bytes(value), 1), EFBIG);
    assert_int_equal(map_build_add(b, bytes("a"), bytes("b"), 2), 0);
    finish(b);
    assert_int_equal(count(state, MAP_hash), 1);
    free(value);
}

static void files_of_another_kind_are_refused(void **state)
{
    struct map *m;
    for (int t = 0; t < MAP_TYPES; t++) {
        assert_int_equal(map_open(*state, (enum map_type)t, "nosuch", &m), ENOENT);
        for (size_t n = 0; n < 3; n++) {
            FILE *f = fopen("m", "w");
            for (size_t i = 0; i < n * 1000; i++)
                fputs("garbage", f);
            fclose(f);
            assert_int_equal(map_open(*state, (enum map_type)t, "m", &m),
                             t == MAP_cdb && n ? 0 : EINVAL);
            if (t == MAP_cdb && n)
                map_close(m); /* a cdb has no mark: its lookups fail */
        }
    }
}

static void types_are_found_by_name(void **state)
{
    enum map_type t;
    (void)state;
    assert_true(map_type_find("btree", &t) && t == MAP_btree);
    assert_false(map_type_find("", &t));
    assert_false(map_type_find("hash ", &t));
    assert_string_equal(map_type_suffix(MAP_cdb), ".cdb");
}

/* --- lines --- */

static struct map_lines *lines_of(void **state, const char *text, size_t len,
                                  struct map_lines_options o)
{
    FILE *f = tmpfile();
    assert_int_equal(fwrite(text, 1, len, f), len);
    rewind(f);
    return map_lines_new(*state, fileno(f), &o);
}

static void lines_are_split(void **state)
{
    const struct {
        const char *text;
        size_t len;
        enum map_fault fault;
        const char *key, *value;
    } cases[] = {
        {"a b", 3, MAP_LINE_GOOD, "a", "b"},
        {"A\t \tb c ", 8, MAP_LINE_GOOD, "a", "b c "},
        {"a", 1, MAP_LINE_NO_VALUE, "a", ""},
        {"a ", 2, MAP_LINE_NO_VALUE, "a", ""},
        {" ", 1, MAP_LINE_ONLY_BLANKS, "", ""},
        {" a b", 4, MAP_LINE_BLANK_FIRST, "", ""},
        {"a\0b c", 5, MAP_LINE_NUL, "", ""},
        {"a b#c", 5, MAP_LINE_GOOD, "a", "b#c"},
        {"\xc4 \xff", 3, MAP_LINE_GOOD, "\xc4", "\xff"},
    };
    struct map_line l;
    static const char *const nothing[] = {"", "\n#x\n\n"};
    for (size_t i = 0; i < 2; i++) {
        struct map_lines *in =
            lines_of(state, nothing[i], strlen(nothing[i]), (struct map_lines_options){0});
        assert_int_equal(map_lines_next(in, &l), 0);
        map_lines_free(in);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct map_lines *in =
            lines_of(state, cases[i].text, cases[i].len, (struct map_lines_options){0});
        assert_int_equal(map_lines_next(in, &l), 1);
        assert_int_equal(l.fault, cases[i].fault);
        assert_int_equal(l.number, 1);
        if (l.fault == MAP_LINE_GOOD || l.fault == MAP_LINE_NO_VALUE) {
            assert_int_equal(l.key.len, strlen(cases[i].key));
            assert_memory_equal(l.key.p, cases[i].key, l.key.len);
            assert_int_equal(l.value.len, strlen(cases[i].value));
            assert_memory_equal(l.value.p, cases[i].value, l.value.len);
        }
        assert_int_equal(map_lines_next(in, &l), 0);
        map_lines_free(in);
    }
}

/* Across the places where the buffer ends, and lines longer than it. */
static void long_lines_are_whole(void **state)
{
    size_t n = 600000, len = 0;
    char *text = malloc(4 * n);
    for (size_t i = 0; len < n; i++)
        len += (size_t)sprintf(text + len, "key%zu value%zu\n", i, i);
    memset(text + len, 'k', n);
    text[len + 10] = ' ';
    struct map_lines *in = lines_of(state, text, len + n, (struct map_lines_options){0});
    struct map_line l;
    uint32_t at = 0;
    while (map_lines_next(in, &l) == 1 && l.key.p[0] == 'k' && l.key.p[1] == 'e') {
        char want[32];
        sprintf(want, "value%u", at++);
        assert_int_equal(l.number, at);
        assert_int_equal(l.value.len, strlen(want));
        assert_memory_equal(l.value.p, want, l.value.len);
    }
    assert_int_equal(l.key.len, 10);
    assert_int_equal(l.value.len, n - 11);
    assert_int_equal(map_lines_next(in, &l), 0);
    map_lines_free(in);
    free(text);
}

/* Each byte at each place of keys of all lengths: capitals, and nothing else. */
static void keys_are_folded(void **state)
{
    char key[20];

    (void)state;
    for (size_t len = 1; len < sizeof key; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                memset(key, 'Q', sizeof key);
                key[at] = (char)c;
                map_fold(key, len);
                for (size_t i = 0; i < sizeof key; i++) {
                    const int want = i >= len               ? 'Q'
                                     : i != at              ? 'q'
                                     : c >= 'A' && c <= 'Z' ? c + 32
                                                            : c;
                    assert_int_equal((unsigned char)key[i], want);
                }
            }
        }
    }
    map_fold(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(nothing_makes_an_empty_map),
        IN_FOLDER(the_first_of_a_key_stays),
        IN_FOLDER(the_last_stays_where_that_is_asked_for),
        IN_FOLDER(all_stay_where_that_is_asked_for),
        IN_FOLDER(a_nul_is_kept_and_seen_through),
        IN_FOLDER(what_does_not_fit_waits_in_a_file),
        IN_FOLDER(keys_that_begin_alike_are_told_apart),
        IN_FOLDER(an_entry_that_never_fits_is_refused),
        IN_FOLDER(files_of_another_kind_are_refused),
        UNIT(types_are_found_by_name),
        UNIT(keys_are_folded),
        UNIT(lines_are_split),
        UNIT(long_lines_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
