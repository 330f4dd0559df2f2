/*
 * AUTH on the wire: base64 as RFC 4648 10 has it, and what is refused; words of a command.
 */
#include <string.h>

#include "mta/base64.h"
#include "mta/front/auth.h"
#include "tests/unit/unit.h"

static struct bytes text(const char *s)
{
    return (struct bytes){s, strlen(s)};
}

static void base64_goes_both_ways(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe", "//4="}};
    struct arena *a = *state;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf b, c;
        buf_init(&b, a);
        buf_init(&c, a);
        base64_encode(text(pairs[i][0]), &b);
        assert_int_equal(b.len, strlen(pairs[i][1]));
        assert_memory_equal(b.len ? b.data : "", pairs[i][1], b.len);
        assert_true(base64_decode(text(pairs[i][1]), &c));
        assert_int_equal(c.len, strlen(pairs[i][0]));
        assert_memory_equal(c.len ? c.data : "", pairs[i][0], c.len);
    }
}

static void other_texts_are_none(void **state)
{
    static const char *const bad[] = {"A",    "AA",   "AAA",   "AA=A",     "=AAA",   "A===",
                                      "====", "AAA!", "AA\nA", "AA==AAAA", "AAAA A", "Zm9v*"};
    struct arena *a = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b;
        buf_init(&b, a);
        buf_adds(&b, "kept");
        assert_false(base64_decode(text(bad[i]), &b));
        assert_int_equal(b.len, 4);
    }
    struct buf b;
    buf_init(&b, a);
    assert_false(base64_decode((struct bytes){"AA\0A", 4}, &b));
}

static void mechanisms_are_whole_words(void **state)
{
    (void)state;
    assert_true(auth_offers("AUTH PLAIN CRAM-MD5", text("cram-md5")));
    assert_true(auth_offers("AUTH PLAIN CRAM-MD5", text("PLAIN")));
    assert_false(auth_offers("AUTH PLAIN CRAM-MD5", text("CRAM")));
    assert_false(auth_offers("AUTH PLAIN CRAM-MD5", text("AUTH")));
    assert_false(auth_offers("AUTH", text("PLAIN")));
    assert_false(auth_offers("", text("")));
}

static void arguments_are_split_at_blanks(void **state)
{
    struct bytes mechanism, rest;

    (void)state;
    auth_split(text("PLAIN  AAAA BB"), &mechanism, &rest);
    assert_int_equal(mechanism.len, 5);
    assert_int_equal(rest.len, 7);
    assert_memory_equal(rest.p, "AAAA BB", 7);
    auth_split(text("PLAIN"), &mechanism, &rest);
    assert_int_equal(mechanism.len, 5);
    assert_int_equal(rest.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(base64_goes_both_ways),
        UNIT(other_texts_are_none),
        UNIT(mechanisms_are_whole_words),
        UNIT(arguments_are_split_at_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
