#include "tests/unit/unit.h"

#include <string.h>

#include "compiler/parts.h"
#include "compiler/vocabulary.h"

static const struct parts *choose(void **state, const char *text)
{
    const struct parts_text t = {text, strlen(text)};
    return parts_of(*state, &t, 1);
}

/* Whether the state defines a macro of that name; its text, or NULL. */
static const struct vocabulary_entry *defines(void **state, const struct parts_text *s,
                                              const char *name)
{
    const char *p = s->bytes, *end = p + s->len;
    struct vocabulary_entry *e = arena_alloc(*state, sizeof *e);
    while (vocabulary_next(&p, end, e))
        if (e->name_len == strlen(name) && memcmp(e->name, name, e->name_len) == 0)
            return e;
    return NULL;
}

static bool asks(const struct parts *p, const char *name)
{
    for (const char *const *v = p->asked; *v; v++)
        if (strcmp(*v, name) == 0)
            return true;
    return false;
}

static void nothing_calls_for_the_core(void **state)
{
    const struct parts *none = parts_of(*state, NULL, 0), *empty = choose(state, "");
    assert_int_equal(none->state.len, empty->state.len);
    assert_memory_equal(none->state.bytes, empty->state.bytes, none->state.len);
    assert_true(none->state.len < vocabulary_frozen_len / 2);
    assert_non_null(defines(state, &none->state, "FEATURE"));
    assert_null(defines(state, &none->state, "_mcf_feature.access_db"));
    /* The end of the input calls MAILER(local). */
    assert_non_null(defines(state, &none->state, "_mcf_mailer.local"));
    assert_null(defines(state, &none->state, "_mcf_mailer.smtp"));
}

static void the_whole_lacks_nothing(void **state)
{
    const struct parts *p = parts_whole(*state);
    assert_ptr_equal(p->state.bytes, vocabulary_frozen);
    assert_false(parts_lack(p, "access_db"));
    assert_false(parts_lack(p, "confLOG_LEVEL"));
    assert_true(asks(p, "confTO_IDENT"));
    assert_true(asks(p, "_ACCESS_TABLE_"));
}

static void words_name_parts(void **state)
{
    const struct parts *p = choose(state, "FEATURE(access_db)MAILER(`smtp')");
    assert_non_null(defines(state, &p->state, "_mcf_feature.access_db"));
    assert_non_null(defines(state, &p->state, "_mcf_snap_config.access_db"));
    assert_non_null(defines(state, &p->state, "_mcf_mailer.smtp"));
    assert_false(parts_lack(p, "access_db"));
    assert_true(parts_lack(p, "mailertable"));
    /* Neither the beginning of a name nor a longer word is one. */
    p = choose(state, "access_dbs access_d Access_db");
    assert_null(defines(state, &p->state, "_mcf_feature.access_db"));
}

static void systems_have_dots_and_dashes(void **state)
{
    const struct parts *p = choose(state, "OSTYPE(`bsd4.4')");
    assert_non_null(defines(state, &p->state, "_mcf_ostype.bsd4.4"));
    assert_null(defines(state, &p->state, "_mcf_ostype.bsd4.3"));
    p = choose(state, "OSTYPE(a-ux)");
    assert_non_null(defines(state, &p->state, "_mcf_ostype.a-ux"));
    p = choose(state, "as for linux.");
    assert_non_null(defines(state, &p->state, "_mcf_ostype.linux"));
}

static void parts_bring_what_they_call(void **state)
{
    const struct parts *p = choose(state, "linux");
    assert_non_null(defines(state, &p->state, "_mcf_ostype.linux"));
    assert_non_null(defines(state, &p->state, "_mcf_feature.local_procmail"));
}

static void values_are_asked_for_where_something_can_set_them(void **state)
{
    const struct parts *p = choose(state, "");
    assert_false(asks(p, "confTO_IDENT")); /* no preset */
    assert_true(asks(p, "confLOG_LEVEL")); /* has one */
    assert_false(asks(p, "_ACCESS_TABLE_"));
    assert_true(asks(p, "_MAILER_smtp_")); /* _MAILER_$1_ */
    assert_true(parts_lack(p, "confTO_IDENT"));
    assert_true(parts_lack(p, "_ACCESS_TABLE_"));
    assert_false(parts_lack(p, "confLOG_LEVEL"));
    assert_false(parts_lack(p, "no name at all"));
    assert_false(parts_lack(p, ""));
    assert_true(asks(choose(state, "access_db"), "_ACCESS_TABLE_"));
    assert_true(asks(choose(state, "define(confTO_IDENT,5)"), "confTO_IDENT"));
    /* Its Received: header has a $_$?, which puts no name together. */
    assert_false(asks(choose(state, "OSTYPE(debian)"), "_ACCESS_TABLE_"));
}

static void the_state_answers_in_the_order_that_it_is_asked_in(void **state)
{
    const struct parts *p = choose(state, "confTO_IDENT");
    const struct vocabulary_entry *e = defines(state, &p->state, "_mcf_values");
    assert_non_null(e);
    const char *at = e->text, *end = e->text + e->text_len;
    for (const char *const *v = p->asked; *v; v++) {
        char *line = arena_printf(*state, "`" VOCABULARY_KEY "='%s\n", *v);
        at = memmem(at, (size_t)(end - at), line, strlen(line));
        assert_non_null(at);
        at += strlen(line);
    }
    assert_int_equal(end - at, strlen("`" VOCABULARY_KEY " !'"));
}

static void tables_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 1; i < library_nparts; i++)
        assert_true(strcmp(library_parts[i - 1].name, library_parts[i].name) < 0);
    for (size_t i = 1; i < library_nvalues; i++)
        assert_true(strcmp(library_values[i - 1].name, library_values[i].name) < 0);
    assert_true(library_nparts > 100 && library_nvalues > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_calls_for_the_core),
        UNIT(the_whole_lacks_nothing),
        UNIT(words_name_parts),
        UNIT(systems_have_dots_and_dashes),
        UNIT(parts_bring_what_they_call),
        UNIT(values_are_asked_for_where_something_can_set_them),
        UNIT(the_state_answers_in_the_order_that_it_is_asked_in),
        UNIT(tables_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
