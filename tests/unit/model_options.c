#include "lib/model/options.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct option_info *find(const char *name, enum option_match *how)
{
    return option_find(name, strlen(name), how);
}

static void no_name_is_no_option(void **state)
{
    enum option_match how = OPTION_EXACT;

    (void)state;
    assert_null(find("", &how));
    assert_int_equal(how, OPTION_UNKNOWN);
    assert_null(find(".queuereturn", &how));
    assert_null(option_find("LogLevel", 0, NULL));
    assert_null(option_by_letter('\0'));
    assert_null(option_at((size_t)-1));
}

static void names_match_without_case(void **state)
{
    enum option_match how;

    (void)state;
    assert_string_equal(find("loglevel", &how)->name, "LogLevel");
    assert_int_equal(how, OPTION_EXACT);
    assert_int_equal(find("LOGLEVEL", NULL)->type, OPTION_NUMBER);
}

static void a_beginning_stands_for_the_whole_if_it_is_the_only_one(void **state)
{
    enum option_match how;

    (void)state;
    assert_string_equal(find("Log", &how)->name, "LogLevel");
    assert_int_equal(how, OPTION_ABBREVIATED);
    assert_null(find("ConnectionRate", &how));
    assert_int_equal(how, OPTION_AMBIGUOUS);
    assert_null(find("Q", &how));
    assert_int_equal(how, OPTION_AMBIGUOUS);
    assert_null(find("LogLevelx", &how));
    assert_int_equal(how, OPTION_UNKNOWN);
}

static void a_whole_name_wins_over_longer_ones(void **state)
{
    enum option_match how;

    (void)state;
    assert_string_equal(find("SharedMemoryKey", &how)->name, "SharedMemoryKey");
    assert_int_equal(how, OPTION_EXACT);
    assert_string_equal(find("Milter", NULL)->name, "Milter");
}

static void a_dot_begins_a_sub_option(void **state)
{
    enum option_match how;

    (void)state;
    assert_string_equal(find("Timeout.queuereturn.urgent", &how)->name, "Timeout");
    assert_int_equal(how, OPTION_EXACT);
    assert_int_equal(find("Timeout.x", NULL)->type, OPTION_SUB);
    assert_string_equal(find("Timeo.x", &how)->name, "Timeout");
}

static void letters_are_known(void **state)
{
    (void)state;
    assert_string_equal(option_by_letter('L')->name, "LogLevel");
    assert_string_equal(option_by_letter('O')->name, "DaemonPortOptions");
    assert_int_equal(option_by_letter('O')->type, OPTION_EQUATES);
    assert_string_equal(option_by_letter('g')->name, "");
    assert_null(option_by_letter('W'));
}

static void other_builds_options_are_marked(void **state)
{
    (void)state;
    assert_true(find("DANE", NULL)->elsewhere);
    assert_false(find("LogLevel", NULL)->elsewhere);
    /* DontLockFilesForRead is elsewhere, so this beginning has one meaning less. */
    assert_string_equal(find("DontB", NULL)->name, "DontBlameSendmail");
    assert_null(find("DontL", NULL));
}

static void a_misspelt_name_has_a_nearest(void **state)
{
    (void)state;
    assert_string_equal(option_nearest("LogLevle"), "LogLevel");
    assert_string_equal(option_nearest("DeamonPortOptions"), "DaemonPortOptions");
    assert_null(option_nearest("Zzzzzzzz"));
}

static void no_name_and_no_letter_is_there_twice(void **state)
{
    (void)state;
    for (size_t i = 0; option_at(i); i++)
        for (size_t j = 0; j < i; j++) {
            const struct option_info *x = option_at(i), *y = option_at(j);

            assert_false(x->name[0] && strcmp(x->name, y->name) == 0);
            assert_false(x->letter && x->letter == y->letter);
        }
}

/* The compiler makes their lines without the reader, which would take equates apart. */
static void no_variable_is_of_an_option_of_equates(void **state)
{
    static const char *const options[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) option,
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
    };
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct option_info *x = find(options[i], NULL);
        assert_true(!x || x->type != OPTION_EQUATES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(no_name_is_no_option),
        UNIT(names_match_without_case),
        UNIT(a_beginning_stands_for_the_whole_if_it_is_the_only_one),
        UNIT(a_whole_name_wins_over_longer_ones),
        UNIT(a_dot_begins_a_sub_option),
        UNIT(letters_are_known),
        UNIT(other_builds_options_are_marked),
        UNIT(a_misspelt_name_has_a_nearest),
        UNIT(no_name_and_no_letter_is_there_twice),
        UNIT(no_variable_is_of_an_option_of_equates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
