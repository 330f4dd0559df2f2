#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/source.h"

static struct source *text(struct arena *a, const char *s)
{
    return source_add(source_set_new(a), "f", s, strlen(s));
}

static void assert_place(const struct source *s, size_t off, uint32_t line, uint32_t col)
{
    struct origin o = source_origin(s, off, 3);
    assert_int_equal(o.file, s->id);
    assert_int_equal(o.line, line);
    assert_int_equal(o.col, col);
    assert_int_equal(o.len, 3);
}

static void assert_line(const struct source *s, uint32_t line, const char *want)
{
    size_t len;
    const char *p = source_line(s, line, &len);
    assert_non_null(p);
    assert_int_equal(len, strlen(want));
    assert_memory_equal(p, want, len);
}

static void an_empty_set_knows_nothing(void **state)
{
    struct source_set *s = source_set_new(*state);
    assert_int_equal(source_count(s), 0);
    assert_null(source_find(s, "x"));
    assert_null(source_by_id(s, 0));
    assert_null(source_by_id(s, 1));
    assert_null(source_by_id(s, UINT32_MAX));
}

static void an_empty_file_has_no_line(void **state)
{
    struct source *s = text(*state, "");
    size_t len;
    assert_int_equal(s->lines, 0);
    assert_non_null(s->bytes);
    assert_null(source_line(s, 0, &len));
    assert_null(source_line(s, 1, &len));
    assert_place(s, 0, 1, 1);
    assert_place(s, 99, 1, 1);
    assert_int_equal(source_offset(s, 1, 1), 0);
    assert_int_equal(source_offset(s, 9, 9), 0);
}

static void a_file_without_bytes_has_no_place(void **state)
{
    struct source_set *set = source_set_new(*state);
    struct source *s = source_add(set, "ghost", NULL, 0);
    size_t len;
    assert_null(s->bytes);
    assert_int_equal(s->lines, 0);
    assert_null(source_line(s, 1, &len));
    struct origin o = source_origin(s, 5, 1);
    assert_int_equal(o.file, s->id);
    assert_int_equal(o.line, 0);
    assert_int_equal(source_offset(s, 3, 4), 0);
    /* Bytes that come later are taken, the second ones are not. */
    assert_ptr_equal(source_add(set, "ghost", "a\n", 2), s);
    assert_string_equal(s->bytes, "a\n");
    assert_ptr_equal(source_add(set, "ghost", "b\n", 2), s);
    assert_string_equal(s->bytes, "a\n");
}

static void bytes_are_copied(void **state)
{
    char bytes[] = "abc";
    struct source *s = text(*state, bytes);
    bytes[0] = 'x';
    assert_string_equal(s->bytes, "abc");
}

static void ids_count_from_one(void **state)
{
    struct source_set *set = source_set_new(*state);
    struct source *a = source_add(set, "a", "", 0), *b = source_add(set, "b", "", 0);
    assert_int_equal(a->id, 1);
    assert_int_equal(b->id, 2);
    assert_ptr_equal(source_by_id(set, 2), b);
    assert_ptr_equal(source_find(set, "a"), a);
    assert_null(source_by_id(set, 3));
    assert_int_equal(source_count(set), 2);
}

static void places_count_bytes_and_lines(void **state)
{
    struct source *s = text(*state, "ab\n\nc\xc3\xa4t\r\nlast");
    assert_int_equal(s->lines, 4);
    assert_place(s, 0, 1, 1);
    assert_place(s, 2, 1, 3); /* the line end belongs to its line */
    assert_place(s, 3, 2, 1);
    assert_place(s, 4, 3, 1);
    assert_place(s, 7, 3, 4); /* after both bytes of the umlaut */
    assert_place(s, 10, 4, 1);
    assert_place(s, s->len, 4, 5);
    assert_place(s, s->len + 1, 4, 5);
    assert_line(s, 1, "ab");
    assert_line(s, 2, "");
    assert_line(s, 3, "c\xc3\xa4t");
    assert_line(s, 4, "last");
    size_t len;
    assert_null(source_line(s, 5, &len));
}

static void the_end_after_a_line_end_is_a_line_of_its_own(void **state)
{
    struct source *s = text(*state, "a\n");
    assert_int_equal(s->lines, 1);
    assert_place(s, 1, 1, 2);
    assert_place(s, 2, 2, 1);
    size_t len;
    assert_null(source_line(s, 2, &len));
    assert_int_equal(source_offset(s, 2, 1), 2);
}

static void only_a_carriage_return_at_the_line_end_is_cut(void **state)
{
    struct source *s = text(*state, "a\rb\n\r\r\n\r");
    assert_line(s, 1, "a\rb");
    assert_line(s, 2, "\r");
    assert_line(s, 3, "\r");
}

static void nul_bytes_are_bytes(void **state)
{
    struct source *s = source_add(source_set_new(*state), "f", "a\0b\nc", 5);
    assert_int_equal(s->lines, 2);
    assert_int_equal(s->len, 5);
    assert_place(s, 2, 1, 3);
    assert_place(s, 4, 2, 1);
}

static void offsets_are_the_way_back(void **state)
{
    struct source *s = text(*state, "ab\n\ncat\r\nlast");
    for (size_t off = 0; off <= s->len; off++) {
        struct origin o = source_origin(s, off, 0);
        assert_int_equal(source_offset(s, o.line, o.col), off);
    }
    assert_int_equal(source_offset(s, 0, 5), 0);
    assert_int_equal(source_offset(s, 3, 0), 4);
    assert_int_equal(source_offset(s, 4, 1000), s->len);
    assert_int_equal(source_offset(s, UINT32_MAX, UINT32_MAX), s->len);
}

static void opens_what_can_be_read(void **state)
{
    struct arena *a = *state;
    struct source_set *set = source_set_new(a);
    char dir[] = "/tmp/mcf-unit-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *path = arena_printf(a, "%s/x.mc", dir);
    int err = -1;
    struct source *s = source_open(set, path, &err);
    assert_int_equal(err, ENOENT);
    assert_null(s->bytes);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("one\ntwo", f);
    fclose(f);
    /* The answer of a run does not change under it. */
    assert_ptr_equal(source_open(set, path, &err), s);
    assert_int_equal(err, ENOENT);
    assert_null(s->bytes);
    struct source_set *later = source_set_new(a);
    struct source *t = source_open(later, path, &err);
    assert_int_equal(err, 0);
    assert_string_equal(t->bytes, "one\ntwo");
    assert_int_equal(t->lines, 2);
    unlink(path);
    assert_ptr_equal(source_open(later, path, NULL), t);
    assert_string_equal(t->bytes, "one\ntwo");
    s = source_open(later, dir, &err);
    assert_int_equal(err, EISDIR);
    assert_null(s->bytes);
    rmdir(dir);
}

static void an_endless_file_is_refused(void **state)
{
    int err = 0;
    struct source *s = source_open(source_set_new(*state), "/dev/zero", &err);
    assert_int_equal(err, EFBIG);
    assert_null(s->bytes);
}

static void characters_are_well_formed_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t left, want;
    } cases[] = {
        {"", 0, 0},
        {"a", 0, 0},
        {"\0", 1, 1},
        {"a", 1, 1},
        {"\x7f", 1, 1},
        {"\x80", 1, 0},
        {"\xc1\x81", 2, 0}, /* overlong */
        {"\xc3\xbc", 2, 2},
        {"\xc3\xbc", 1, 0}, /* cut off */
        {"\xc3z", 2, 0},
        {"\xe0\x9f\xbf", 3, 0}, /* overlong */
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\xa0\x80", 3, 0}, /* a surrogate */
        {"\xef\xbf\xbf", 3, 3},
        {"\xf0\x8f\x80\x80", 4, 0}, /* overlong */
        {"\xf0\x9f\x93\xac", 4, 4},
        {"\xf0\x9f\x93\xac", 3, 0},
        {"\xf4\x90\x80\x80", 4, 0}, /* beyond the last one */
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (source_character(cases[i].bytes, cases[i].left) != cases[i].want)
            fail_msg("case %zu", i);
}

static void a_confined_set_reads_below_its_folder(void **state)
{
    int err = 0;
    struct source_set *set = source_set_new(*state);
    source_set_confine(set, "/proc/self");
    assert_non_null(source_open(set, "/proc/self/comm", &err)->bytes);
    assert_null(source_open(set, "/dev/null", &err)->bytes);
    assert_int_equal(err, EXDEV);
    /* What is given is not read. */
    source_add(set, "/dev/zero", "x", 1);
    assert_int_equal(source_open(set, "/dev/zero", &err)->len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_empty_set_knows_nothing),
        UNIT(an_empty_file_has_no_line),
        UNIT(a_file_without_bytes_has_no_place),
        UNIT(bytes_are_copied),
        UNIT(ids_count_from_one),
        UNIT(places_count_bytes_and_lines),
        UNIT(the_end_after_a_line_end_is_a_line_of_its_own),
        UNIT(only_a_carriage_return_at_the_line_end_is_cut),
        UNIT(nul_bytes_are_bytes),
        UNIT(offsets_are_the_way_back),
        UNIT(opens_what_can_be_read),
        UNIT(an_endless_file_is_refused),
        UNIT(characters_are_well_formed_or_none),
        UNIT(a_confined_set_reads_below_its_folder),
    };
    return cmocka_run_group_tests_name("base_source", tests, NULL, NULL);
}
