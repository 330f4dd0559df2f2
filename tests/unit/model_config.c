#include "tests/unit/cf_support.h"

#include "lib/base/source.h"

static const char *dump(struct arena *a, const struct config *c)
{
    struct buf out;

    buf_init(&out, a);
    config_dump(c, &out);
    return out.data;
}

static void an_empty_configuration_dumps_an_empty_list(void **state)
{
    struct arena *a = *state;

    assert_string_equal(dump(a, config_new(a, source_set_new(a))),
                        "{\n  \"format\": \"mcf-model 1\",\n  \"items\": []\n}\n");
}

static void items_are_kept_in_order_and_zeroed(void **state)
{
    struct arena *a = *state;
    struct config *c = config_new(a, source_set_new(a));
    struct item *x = config_add(c, ITEM_MACRO), *y = config_add(c, ITEM_RULE);

    assert_ptr_equal(c->first, x);
    assert_ptr_equal(x->next, y);
    assert_ptr_equal(c->last, y);
    assert_int_equal(c->count, 2);
    assert_int_equal(y->kind, ITEM_RULE);
    assert_null(y->value);
    assert_string_equal(y->text, "");
}

static void emit_writes_every_line_with_its_end(void **state)
{
    struct arena *a = *state;
    struct config *c = config_new(a, source_set_new(a));
    struct buf out;

    config_add(c, ITEM_MACRO)->text = "DXa\n\tb";
    config_add(c, ITEM_BLANK);
    config_add(c, ITEM_COMMENT)->text = "# c";
    buf_init(&out, a);
    config_emit(c, &out);
    assert_string_equal(out.data, "DXa\n\tb\n\n# c\n");
}

static void every_kind_has_a_label(void **state)
{
    (void)state;
    for (int i = 0; i < ITEM_KINDS; i++)
        assert_true(item_label((enum item_kind)i)[0] != '\0');
    assert_string_equal(item_label(ITEM_CLASSFILE), "classfile");
    assert_string_equal(item_label(ITEM_KINDS), "other");
}

static void a_dump_escapes_what_json_does_not_take(void **state)
{
    const char text[] = "DX\"\\\t\x01\x7f \xc3\xa9 \xe9 \xed\xa0\x80 \xf0\x9f\x98\x80 \xc0\x80\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), true);
    const char *json = dump(*state, c.config);

    assert_non_null(strstr(json, "\"value\": \"\\\"\\\\\\t\\u0001\\u007f \xc3\xa9 \\u00e9 "
                                 "\\u00ed\\u00a0\\u0080 \xf0\x9f\x98\x80 \\u00c0\\u0080\""));
}

static void a_dump_ends_inside_no_utf8_sequence(void **state)
{
    struct cf_case c = cf_case_read(*state, "DX\xe2\x82", 4, true);

    assert_non_null(strstr(dump(*state, c.config), "\"value\": \"\\u00e2\\u0082\""));
}

static void a_dump_has_each_kinds_parts_in_fixed_order(void **state)
{
    const char text[] = "Ka hash -o /x\nEFOO\nOL9\nMx, P=/x, F\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), true);

    assert_string_equal(dump(*state, c.config), "{\n"
                                                "  \"format\": \"mcf-model 1\",\n"
                                                "  \"items\": [\n"
                                                "    {\n"
                                                "      \"kind\": \"map\",\n"
                                                "      \"name\": \"a\",\n"
                                                "      \"class\": \"hash\",\n"
                                                "      \"arguments\": \"-o /x\",\n"
                                                "      \"text\": \"Ka hash -o /x\",\n"
                                                "      \"at\": \"x.cf:1\"\n"
                                                "    },\n"
                                                "    {\n"
                                                "      \"kind\": \"env\",\n"
                                                "      \"name\": \"FOO\",\n"
                                                "      \"text\": \"EFOO\",\n"
                                                "      \"at\": \"x.cf:2\"\n"
                                                "    },\n"
                                                "    {\n"
                                                "      \"kind\": \"option\",\n"
                                                "      \"name\": \"L\",\n"
                                                "      \"value\": \"9\",\n"
                                                "      \"short\": true,\n"
                                                "      \"text\": \"OL9\",\n"
                                                "      \"at\": \"x.cf:3\"\n"
                                                "    },\n"
                                                "    {\n"
                                                "      \"kind\": \"mailer\",\n"
                                                "      \"name\": \"x\",\n"
                                                "      \"equates\": [\n"
                                                "        {\n"
                                                "          \"key\": \"P\",\n"
                                                "          \"value\": \"/x\"\n"
                                                "        },\n"
                                                "        {\n"
                                                "          \"key\": \"F\"\n"
                                                "        }\n"
                                                "      ],\n"
                                                "      \"text\": \"Mx, P=/x, F\",\n"
                                                "      \"at\": \"x.cf:4\"\n"
                                                "    }\n"
                                                "  ]\n"
                                                "}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_empty_configuration_dumps_an_empty_list), UNIT(items_are_kept_in_order_and_zeroed),
        UNIT(emit_writes_every_line_with_its_end),        UNIT(every_kind_has_a_label),
        UNIT(a_dump_escapes_what_json_does_not_take),     UNIT(a_dump_ends_inside_no_utf8_sequence),
        UNIT(a_dump_has_each_kinds_parts_in_fixed_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
