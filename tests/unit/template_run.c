/* compiler/template: what comes out of a library for given settings.
 *
 * A run is printed as "file:line text" lines; the caller's own lines as "section N" and "options".
 */
#include "compiler/template.h"
#include "lib/base/buf.h"
#include "tests/unit/template.h"

struct setting {
    const char *name, *value;
};

/* The last entry has no name. */
static const char *setting_get(void *ctx, const char *name)
{
    for (const struct setting *s = ctx; s->name; s++) {
        if (strcmp(s->name, name) == 0)
            return s->value;
    }
    return NULL;
}

struct world {
    struct template t;
    struct buf out;
    struct buf macros; /* of the lines: whose text went into each */
};

static void put_line(void *ctx, const char *text, size_t len, struct origin at, const char *macro,
                     const struct item *item)
{
    struct world *w = ctx;
    (void)item;
    assert_int_equal(strlen(text), len);
    assert_int_equal(at.col, 0);
    const struct source *src = source_by_id(w->t.sources, at.file);
    assert_non_null(src);
    assert_memory_equal(src->path, "rulesets/", 9);
    buf_printf(&w->out, "%s:%u %s\n", src->path + 9, at.line, text);
    buf_printf(&w->macros, "%s ", macro ? macro : "-");
}

static void put_section(void *ctx, unsigned n)
{
    buf_printf(&((struct world *)ctx)->out, "section %u\n", n);
}

static void put_options(void *ctx, bool first)
{
    buf_adds(&((struct world *)ctx)->out, first ? "first options\n" : "options\n");
}

static struct setting nothing[] = {{NULL, NULL}};

static struct world *world(void **state, const struct template_text *texts, size_t n,
                           struct setting *now)
{
    char *findings;
    struct world *w = arena_alloc(*state, sizeof *w);
    w->t.lib = template_library_of(*state, texts, n, &findings);
    assert_string_equal(findings, "");
    assert_non_null(w->t.lib);
    w->t.arena = *state;
    w->t.sources = source_set_new(*state);
    w->t.now = (struct template_symbols){setting_get, now};
    w->t.line = put_line;
    w->t.section = put_section;
    w->t.options = put_options;
    w->t.ctx = w;
    buf_init(&w->out, *state);
    buf_init(&w->macros, *state);
    return w;
}

static void main_gives(void **state, const char *text, struct setting *now, const char *want)
{
    struct template_text one = {"main.rules", text};
    struct world *w = world(state, &one, 1, now);
    template_main(&w->t);
    assert_string_equal(w->out.data, want);
}

static void an_empty_main_gives_nothing(void **state)
{
    main_gives(state, "", nothing, "");
}

static void blank_lines_run_together(void **state)
{
    main_gives(state, "\n\nCa\n\n%if A\nCx\n%end\n\nCb\n%section 0\n\n", nothing,
               "main.rules:3 Ca\nmain.rules:4 \nmain.rules:9 Cb\nsection 0\nmain.rules:11 \n");
}

static void guards_choose_one_branch(void **state)
{
    static const char text[] = "%if A\nC1\n%elif B\nC2\n%else\nC3\n%end\n";
    struct setting a[] = {{"A", ""}, {"B", "x"}, {NULL, NULL}};
    main_gives(state, text, a, "main.rules:2 C1\n");
    main_gives(state, text, a + 1, "main.rules:4 C2\n");
    main_gives(state, text, nothing, "main.rules:6 C3\n");
}

static void expressions_hold_as_written(void **state)
{
    static const char text[] = "%if !A && B\nC1\n%end\n%if A || B && C\nC2\n%end\n"
                               "%if A == \"x\"\nC3\n%end\n%if A != \"x\"\nC4\n%end\n"
                               "%if (A || B) && C\nC5\n%end\n%if Z == \"\"\nC6\n%end\n";
    struct setting a[] = {{"A", "x"}, {"B", "y"}, {NULL, NULL}};
    main_gives(state, text, a, "main.rules:5 C2\nmain.rules:8 C3\nmain.rules:17 C6\n");
    main_gives(state, text, a + 1, "main.rules:2 C1\nmain.rules:11 C4\nmain.rules:17 C6\n");
    struct setting c[] = {{"B", ""}, {"C", ""}, {"Z", "z"}, {NULL, NULL}};
    main_gives(state, text, c,
               "main.rules:2 C1\nmain.rules:5 C2\nmain.rules:11 C4\nmain.rules:14 C5\n");
}

static void substitutions_take_values(void **state)
{
    static const char text[] =
        "C%{A}.%{A|no}.%{A?yes}.%{A|%{B|none}}.%{A+full}.\n%{A?only}\n%{Z}\n";
    struct setting set[] = {{"A", "x"}, {NULL, NULL}};
    struct setting empty[] = {{"A", ""}, {"B", "b"}, {NULL, NULL}};
    main_gives(state, text, set, "main.rules:1 Cx.x.yes.x.full.\nmain.rules:2 only\n");
    main_gives(state, text, empty, "main.rules:1 C.no.yes.b..\nmain.rules:2 only\n");
    main_gives(state, text, nothing, "main.rules:1 C.no..none..\n");
}

static void a_line_names_the_macro_that_filled_it(void **state)
{
    static const struct template_text text = {
        "main.rules", "Ca\n\nDS%{A}\nDM%{Z}%{B}\nCx%{B|b}\nCy%{Z|z}\nCw%{A?on%{B}}\nCv%{A?on}\n"};
    struct setting now[] = {{"A", "1"}, {"B", "2\n3"}, {NULL, NULL}};
    struct world *w = world(state, &text, 1, now);
    template_main(&w->t);
    assert_string_equal(w->macros.data, "- - A B B B B - A A A ");
}

static void a_value_may_have_lines(void **state)
{
    struct setting set[] = {{"A", "a\n\tb\n"}, {NULL, NULL}};
    main_gives(state, "C%{A}\n\nCz\n", set,
               "main.rules:1 Ca\nmain.rules:1 \tb\nmain.rules:1 \nmain.rules:3 Cz\n");
}

static void a_doubled_percent_is_one(void **state)
{
    main_gives(state, "%%{A}\n", nothing, "main.rules:1 %{A}\n");
}

static void includes_keep_their_lines(void **state)
{
    const struct template_text texts[] = {
        {"main.rules", "%options first\nCa\n%include b\nCc\n%options\n"},
        {"b.rules", "\nCb %{ostype} %{mailer.smtp?smtp}\n"},
        {"mailer/smtp.rules", "%mailer smtp\n%summary x\n"},
    };
    struct setting set[] = {{"__OSTYPE__", "linux"}, {"_MAILER_smtp_", ""}, {NULL, NULL}};
    struct world *w = world(state, texts, 3, set);
    template_main(&w->t);
    assert_string_equal(w->out.data, "first options\nmain.rules:2 Ca\nb.rules:1 \n"
                                     "b.rules:2 Cb linux smtp\nmain.rules:4 Cc\noptions\n");
}

static const struct template_text features[] = {
    {"main.rules", "%hook here\n%for list\nCfor %{zone} %{list.text} %{again?again} %{X} %{Y}\n"
                   "%end\nClast %{list.zone} %{list.args} %{one.args}.%{one.map}\n"},
    {"feature/list.rules", "%feature list\n%summary x\n%repeat\n%arg 1 zone x\n%arg 2 text x\n"
                           "%reads X\n%at here\n%if !again\nCfirst\n%end\n"
                           "C%{zone} %{args} %{X} %{Y}\n%end\n"
                           "%if text == \"t\"\n%at here\nCtext\n%end\n%config\nCct\n%end\n%end\n"
                           "%config\nCc %{zone} %{again?again} %{X} %{Y} %{one?one} "
                           "%{list.zone} %{one.map}\n%end\n"},
    {"feature/one.rules",
     "%feature one\n%summary x\n%flag _ONE_\n%arg 1 map x\n%at here\nCone %{map|no}\n%end\n"},
    {"mailer/m.rules",
     "%mailer m\n%summary x\n%arg 1 word x\nCm %{word} %{args} %{X} %{one?one} %{one.map}\n"},
};

static const char *const list_a[] = {"a", "t"};
static const char *const list_b[] = {"b", "", "c"};
static const char *const one_1[] = {"m1"};
static const char *const one_2[] = {"m2"};
static struct setting then_a[] = {{"X", "xa"}, {"Y", "ya"}, {NULL, NULL}};
static struct setting then_b[] = {{"X", "xb"}, {"_ONE_", "1"}, {NULL, NULL}};
static struct setting at_end[] = {
    {"X", "x"}, {"Y", "y"}, {"_ONE_", "1"}, {"_mcf_on_list", "1"}, {NULL, NULL}};
static const struct template_call calls[] = {
    {"list", list_a, 2, {setting_get, then_a}},  {"one", one_1, 1, {setting_get, then_a}},
    {"unknown", NULL, 0, {setting_get, then_a}}, {"list", list_b, 3, {setting_get, then_b}},
    {"one", one_2, 1, {setting_get, then_b}},
};

static struct world *called(void **state, struct setting *now)
{
    struct world *w = world(state, features, 4, now);
    w->t.calls = calls;
    w->t.ncalls = 5;
    return w;
}

static void hooks_follow_the_calls(void **state)
{
    struct world *w = called(state, at_end);
    template_main(&w->t);
    assert_string_equal(w->out.data, "feature/list.rules:9 Cfirst\n"
                                     "feature/list.rules:11 Ca 2 xa y\n"
                                     "feature/list.rules:15 Ctext\n"
                                     "feature/one.rules:6 Cone m2\n"
                                     "feature/list.rules:11 Cb 3 xb y\n"
                                     "main.rules:3 Cfor a t  xa y\n"
                                     "main.rules:3 Cfor b  again xb y\n"
                                     "main.rules:5 Clast b 3 1.m2\n");
}

static void a_feature_without_its_flag_is_off(void **state)
{
    struct world *w = called(state, nothing);
    template_main(&w->t);
    assert_string_equal(w->out.data, "main.rules:5 Clast b 3 1.m2\n");
}

static void a_flag_alone_turns_a_feature_on(void **state)
{
    struct world *w = called(state, at_end);
    w->t.ncalls = 0;
    template_main(&w->t);
    assert_string_equal(w->out.data, "feature/list.rules:9 Cfirst\n"
                                     "feature/list.rules:11 C  x y\n"
                                     "feature/one.rules:6 Cone no\n"
                                     "main.rules:5 Clast   .\n");
}

static void config_has_the_values_of_its_call(void **state)
{
    struct world *w = called(state, at_end);
    template_feature_config(&w->t, 0);
    assert_string_equal(w->out.data, "feature/list.rules:18 Cct\n"
                                     "feature/list.rules:22 Cc a  xa ya  a \n");
    buf_truncate(&w->out, 0);
    template_feature_config(&w->t, 3);
    assert_string_equal(w->out.data, "feature/list.rules:22 Cc b again xb  one b m1\n");
    buf_truncate(&w->out, 0);
    template_feature_config(&w->t, 2);
    assert_string_equal(w->out.data, "");
}

static void a_mailer_has_the_values_of_its_call(void **state)
{
    struct world *w = called(state, at_end);
    struct template_call m = {"m", one_1, 1, {setting_get, then_b}};
    template_mailer(&w->t, &m, RULE_MAILERS);
    assert_string_equal(w->out.data, "mailer/m.rules:4 Cm m1 1 xb one m2\n");
    buf_truncate(&w->out, 0);
    w->t.ncalls = 2;
    template_mailer(&w->t, &m, RULE_MAILERS);
    assert_string_equal(w->out.data, "mailer/m.rules:4 Cm m1 1 xb one m1\n");
    buf_truncate(&w->out, 0);
    m.name = "unknown";
    template_mailer(&w->t, &m, RULE_MAILERS);
    assert_string_equal(w->out.data, "");
}

static void a_mailer_has_lines_in_other_sections(void **state)
{
    static const struct template_text texts[] = {
        {"main.rules", "Cx\n"},
        {"mailer/m.rules",
         "%mailer m\n%summary x\n%arg 1 word x\n%config 3\nC3 %{word} %{X}\n%end\n"
         "%if X == \"xb\"\n%config\nC6\n%end\n%end\nC7\n"},
    };
    struct world *w = world(state, texts, 2, nothing);
    struct template_call m = {"m", one_1, 1, {setting_get, then_b}};
    template_mailer(&w->t, &m, 0);
    assert_string_equal(w->out.data, "");
    template_mailer(&w->t, &m, 3);
    template_mailer(&w->t, &m, RULE_LOCAL_CONFIG);
    template_mailer(&w->t, &m, RULE_MAILERS);
    assert_string_equal(w->out.data, "mailer/m.rules:5 C3 m1 xb\nmailer/m.rules:9 C6\n"
                                     "mailer/m.rules:12 C7\n");
    buf_truncate(&w->out, 0);
    m.then.ctx = then_a;
    template_mailer(&w->t, &m, RULE_LOCAL_CONFIG);
    assert_string_equal(w->out.data, "");
}

/* Everything that a run gives: main, the calls' configurations. */
static const char *everything(struct world *w)
{
    buf_truncate(&w->out, 0);
    template_main(&w->t);
    for (size_t i = 0; i < w->t.ncalls; i++)
        template_feature_config(&w->t, i);
    return arena_strdup(w->t.arena, w->out.data);
}

static void every_block_can_be_left_out(void **state)
{
    struct world *w = called(state, at_end);
    const char *whole = everything(w);
    assert_int_equal(w->t.lib->blocks, 8);
    for (uint32_t n = 1; n <= w->t.lib->blocks; n++) {
        w->t.knockout = n;
        const char *rest = everything(w);
        assert_true(strlen(rest) < strlen(whole));
    }
}

static void a_branch_left_out_is_not_replaced(void **state)
{
    struct template_text one = {"main.rules", "%if A\nC1\n%else\nC2\n%end\n"};
    struct setting a[] = {{"A", ""}, {NULL, NULL}};
    struct world *w = world(state, &one, 1, a);
    w->t.knockout = 1;
    template_main(&w->t);
    assert_string_equal(w->out.data, "");
}

static void blocks_have_a_place(void **state)
{
    struct world *w = called(state, nothing);
    static const struct {
        const char *path;
        uint32_t line;
    } want[] = {
        {"rulesets/feature/list.rules", 7},  {"rulesets/feature/list.rules", 8},
        {"rulesets/feature/list.rules", 13}, {"rulesets/feature/list.rules", 14},
        {"rulesets/feature/list.rules", 17}, {"rulesets/feature/list.rules", 21},
        {"rulesets/feature/one.rules", 5},   {"rulesets/main.rules", 2},
    };
    const char *path;
    uint32_t line;
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(template_block_place(w->t.lib, i + 1, &path, &line));
        assert_string_equal(path, want[i].path);
        assert_int_equal(line, want[i].line);
    }
    assert_false(template_block_place(w->t.lib, 0, &path, &line));
    assert_false(template_block_place(w->t.lib, 9, &path, &line));
}

static void files_are_found_by_name(void **state)
{
    struct world *w = called(state, nothing);
    assert_string_equal(template_feature(w->t.lib, "one")->flag, "_ONE_");
    assert_string_equal(template_mailer_file(w->t.lib, "m")->flag, "_MAILER_m_");
    assert_null(template_feature(w->t.lib, "m"));
    assert_null(template_mailer_file(w->t.lib, "one"));
    assert_null(template_feature(w->t.lib, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_empty_main_gives_nothing),
        UNIT(blank_lines_run_together),
        UNIT(guards_choose_one_branch),
        UNIT(expressions_hold_as_written),
        UNIT(substitutions_take_values),
        UNIT(a_line_names_the_macro_that_filled_it),
        UNIT(a_value_may_have_lines),
        UNIT(a_doubled_percent_is_one),
        UNIT(includes_keep_their_lines),
        UNIT(hooks_follow_the_calls),
        UNIT(a_feature_without_its_flag_is_off),
        UNIT(a_flag_alone_turns_a_feature_on),
        UNIT(config_has_the_values_of_its_call),
        UNIT(a_mailer_has_the_values_of_its_call),
        UNIT(a_mailer_has_lines_in_other_sections),
        UNIT(every_block_can_be_left_out),
        UNIT(a_branch_left_out_is_not_replaced),
        UNIT(blocks_have_a_place),
        UNIT(files_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
