/*
 * How large regular expressions become.
 */
#include <string.h>

#include "lib/maps/pattern.h"
#include "tests/unit/unit.h"

static void most_are_small(void **state)
{
    static const char *const extended[] = {"",
                                           "(",
                                           ")",
                                           "a{",
                                           "a{,",
                                           "a{x}",
                                           "[",
                                           "[^]",
                                           "[]]",
                                           "[[:",
                                           "[[:alpha:]+-]*",
                                           "\\",
                                           "\\(",
                                           "*",
                                           "+",
                                           "{9}",
                                           "|",
                                           "^([^@]+)@([a-z0-9.-]+\\.)?example\\.(com|org)$",
                                           "((a?)?)?b{0}c{1}d{1,}e{1,5}",
                                           "(a{99}){99}",
                                           "\\(\\(a{99}\\){99}\\){99}",
                                           "[(a{99}){99}){99}){99}]"};

    (void)state;
    for (size_t i = 0; i < sizeof extended / sizeof *extended; i++)
        assert_true(pattern_is_small(extended[i], false));
    assert_true(pattern_is_small("(((a{99}){99}){99}){99}", true));
    assert_true(pattern_is_small("a+++++++++++++++++++++++++++++++++++++", true));
}

static void what_is_repeated_is_copied(void **state)
{
    (void)state;
    assert_false(pattern_is_small("(a+)+++++++++++++++++++++++++++++", false));
    assert_false(pattern_is_small("((a{99}){99}){99}", false));
    assert_false(pattern_is_small("(x|((a{9,99}){99}){99,})", false));
    assert_false(pattern_is_small("a{4294967297}{99999}", false));
    assert_false(pattern_is_small("[)]*((a{99}){99}){99}", false));
    assert_false(pattern_is_small("[[:alpha:]]((a{99}){99}){99}", false));
    assert_false(pattern_is_small("\\(\\(a\\{99\\}\\)\\{99\\}\\)\\{99\\}", true));
}

/* The C library takes minutes for each that is refused, and no blink for the others. */
static void ways_around_nothing_are_few(void **state)
{
    static const char *const bad[] = {"^(a?)+++++x",
                                      "^(a*+)++++++++*fa@M -s1,2 ^(a+)+++",
                                      "^((a?){30}+){9}x",
                                      "^((a?){9}+){9}+x",
                                      "^((((a*)+(b*)+)+(c*)+)+(d*)+)+x",
                                      "((a?){20}+){10}+",
                                      "(^|a)+++++f",
                                      "(\\<)+++++f",
                                      "(a{0,1}|b)+++++f",
                                      "(a|)+++++f",
                                      "$b?{0,2}*{20}",
                                      "(b?)(b?+c*){0,2}{20}[x]",
                                      "(a?){2,}{2,}{2,}{2,}{2,}{2,}"};
    static const char *const good[] = {"^(a?)+++x",
                                       "(a?){300}",
                                       "a++++++",
                                       "(a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*)*",
                                       "^([a-z]+\\.)*[a-z]+$",
                                       "((((((a*)*)*)*)*)*)*",
                                       "^(a?){20}{5}$",
                                       "(a?b)+++++"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pattern_is_small(bad[i], false));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(pattern_is_small(good[i], false));
}

static void parentheses_have_an_end(void **state)
{
    char text[2 * PATTERN_DEPTH + 4];

    (void)state;
    memset(text, '(', sizeof text - 1);
    text[PATTERN_DEPTH] = '\0';
    assert_true(pattern_is_small(text, false));
    text[PATTERN_DEPTH] = '(';
    text[PATTERN_DEPTH + 1] = '\0';
    assert_false(pattern_is_small(text, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(most_are_small),
        UNIT(what_is_repeated_is_copied),
        UNIT(ways_around_nothing_are_few),
        UNIT(parentheses_have_an_end),
    };
    return cmocka_run_group_tests_name("maps_pattern", tests, NULL, NULL);
}
