#include "compiler/source_map.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/source.h"
#include "tests/unit/unit.h"

/* A configuration whose items are added by line: kind, origin, cause. */
static void add(struct config *c, enum item_kind kind, const char *text, struct origin at,
                struct origin cause)
{
    struct item *it = config_add(c, kind);

    it->text = text;
    it->at = at;
    it->cause = cause;
}

static const char *emit(struct arena *a, const struct config *c)
{
    struct buf out;

    buf_init(&out, a);
    config_emit(c, &out);
    return out.data;
}

/* The map without its two first lines. */
static const char *write(struct arena *a, const struct config *c, const char **whole)
{
    struct buf out;
    const char *cf = emit(a, c);

    buf_init(&out, a);
    source_map_write(&out, c, "x.cf", cf, strlen(cf));
    if (whole)
        *whole = out.data;
    return strchr(strchr(out.data, '\n') + 1, '\n') + 1;
}

static struct config *with_sources(struct arena *a)
{
    struct source_set *s = source_set_new(a);

    source_add(s, "x.mc", "one\nFEATURE(`a', `b')dnl why\n  two dnl x\n", 42);
    source_add(s, "rulesets/odd\tname", "", 0);
    return config_new(a, s);
}

static void an_empty_configuration_has_an_empty_map(void **state)
{
    const char *whole, *why;

    assert_string_equal(write(*state, with_sources(*state), &whole), "");
    assert_string_equal(whole, "mcf-map 1\ncf\t0\tcbf29ce484222325\tx.cf\n");
    struct source_map *m = source_map_read(*state, whole, strlen(whole), &why);
    assert_non_null(m);
    assert_string_equal(m->cf_path, "x.cf");
    assert_true(source_map_fits(m, "", 0));
    assert_false(source_map_fits(m, "\n", 1));
    assert_null(source_map_find(m, 1));
}

static void neighbours_in_step_are_one_entry(void **state)
{
    struct config *c = with_sources(*state);
    const struct origin none = {0}, feature = {1, 2, 1, 0};

    for (uint32_t i = 0; i < 3; i++)
        add(c, ITEM_RULE, "Ra\tb", (struct origin){2, 10 + i, 0, 0}, feature);
    add(c, ITEM_RULE, "Ra\tb", (struct origin){2, 20, 0, 0}, feature);
    add(c, ITEM_RULE, "Ra\tb", (struct origin){2, 21, 0, 0}, none);
    assert_string_equal(write(*state, c, NULL),
                        "1-3\trule\trulesets/odd\\tname:10-12\tx.mc:2\tFEATURE(`a', `b')\n"
                        "4\trule\trulesets/odd\\tname:20\tx.mc:2\tFEATURE(`a', `b')\n"
                        "5\trule\trulesets/odd\\tname:21\t\t\n");
}

static void lines_from_one_line_are_one_entry(void **state)
{
    struct config *c = with_sources(*state);
    const struct origin at = {1, 3, 3, 3};

    add(c, ITEM_OPTION, "O X=\n\ty", at, at);
    add(c, ITEM_OPTION, "O X=z", at, at);
    add(c, ITEM_MACRO, "DXz", at, at);
    assert_string_equal(write(*state, c, NULL), "1-3\toption\tx.mc:3\t\t\n4\tmacro\tx.mc:3\t\t\n");
}

static void lines_without_an_origin_are_left_out(void **state)
{
    struct config *c = with_sources(*state);
    const struct origin none = {0}, cause = {1, 3, 3, 3};

    add(c, ITEM_OPTION, "O X=y", none, none);
    add(c, ITEM_OPTION, "O X=z", none, cause);
    add(c, ITEM_BLANK, "", none, none);
    assert_string_equal(write(*state, c, NULL), "2\toption\t\tx.mc:3\ttwo\n");
}

static void what_was_written_is_found(void **state)
{
    struct config *c = with_sources(*state);
    const struct origin none = {0}, feature = {1, 2, 1, 0};
    const char *whole, *why, *cf;

    add(c, ITEM_BLANK, "", none, none);
    for (uint32_t i = 0; i < 3; i++)
        add(c, ITEM_RULE, "Ra\tb", (struct origin){2, 10 + i, 0, 0}, feature);
    add(c, ITEM_MACRO, "DX\n a\n b", (struct origin){1, 3, 1, 0}, none);
    add(c, ITEM_MACRO, "DX", (struct origin){1, 4, 1, 0}, none);
    cf = emit(*state, c);
    write(*state, c, &whole);

    struct source_map *m = source_map_read(*state, whole, strlen(whole), &why);
    assert_non_null(m);
    assert_true(source_map_fits(m, cf, strlen(cf)));
    assert_null(source_map_find(m, 0));
    assert_null(source_map_find(m, 1));
    const struct source_map_entry *e = source_map_find(m, 3);
    assert_string_equal(e->path, "rulesets/odd\tname");
    assert_int_equal(e->first, 2);
    assert_int_equal(e->last, 4);
    assert_int_equal(e->line, 10);
    assert_true(e->in_step);
    assert_string_equal(e->cause_path, "x.mc");
    assert_int_equal(e->cause_line, 2);
    assert_string_equal(e->cause_text, "FEATURE(`a', `b')");
    assert_string_equal(e->kind, "rule");
    e = source_map_find(m, 7);
    assert_false(e->in_step);
    assert_int_equal(e->line, 3);
    assert_string_equal(e->cause_path, "");
    assert_int_equal(source_map_find(m, 8)->line, 4);
    assert_null(source_map_find(m, 9));
}

static void a_changed_file_does_not_fit(void **state)
{
    struct config *c = with_sources(*state);
    const char *whole, *why;

    add(c, ITEM_MACRO, "DXa", (struct origin){1, 1, 1, 0}, (struct origin){0});
    write(*state, c, &whole);
    struct source_map *m = source_map_read(*state, whole, strlen(whole), &why);
    assert_true(source_map_fits(m, "DXa\n", 4));
    assert_false(source_map_fits(m, "DXb\n", 4));
    assert_false(source_map_fits(m, "DXa\n\n", 5));
}

#define HEAD "mcf-map 1\ncf\t0\tcbf29ce484222325\tx\n"

static void what_is_no_map_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "it is empty"},
        {"mcf-map 1\n", "it ends after its first line"},
        {"mcf-map 2\n", "its first line is not \"mcf-map 1\""},
        {"mcf-map 1x\n", "its first line is not \"mcf-map 1\""},
        {"mcf-map 1\ncf\t0\tcbf29ce484222325\n", "line 2 is broken"},
        {"mcf-map 1\ncf\tx\tcbf29ce484222325\tx\n", "line 2 is broken"},
        {"mcf-map 1\ncf\t0\tcbf29ce48422232\tx\n", "line 2 is broken"},
        {"mcf-map 1\ncf\t99999999999999999999999\tcbf29ce484222325\tx\n", "line 2 is broken"},
        {HEAD "1\trule\tx:1\t\t", "line 3 is broken"},
        {HEAD "1\trule\tx:1\t\n", "line 3 is broken"},
        {HEAD "1\trule\tx:1\t\t\t\n", "line 3 is broken"},
        {HEAD "0\trule\tx:1\t\t\n", "line 3 is broken"},
        {HEAD "2-1\trule\tx:1\t\t\n", "line 3 is broken"},
        {HEAD "1-2\trule\tx:1-3\t\t\n", "line 3 is broken"},
        {HEAD "1\trule\tx\t\t\n", "line 3 is broken"},
        {HEAD "1\trule\t:1\t\t\n", "line 3 is broken"},
        {HEAD "1\trule\tx:1\tx:1-2\t\n", "line 3 is broken"},
        {HEAD "2\trule\tx:1\t\t\n2\trule\tx:1\t\t\n", "line 4 is broken"},
        {HEAD "\n", "line 3 is broken"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *why = "";

        assert_null(source_map_read(*state, bad[i].text, strlen(bad[i].text), &why));
        assert_string_equal(why, bad[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_empty_configuration_has_an_empty_map),
        UNIT(neighbours_in_step_are_one_entry),
        UNIT(lines_from_one_line_are_one_entry),
        UNIT(lines_without_an_origin_are_left_out),
        UNIT(what_was_written_is_found),
        UNIT(a_changed_file_does_not_fit),
        UNIT(what_is_no_map_is_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
