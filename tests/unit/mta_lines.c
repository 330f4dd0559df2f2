/*
 * Where lines and messages end: every way in which a second message could be hidden in one, fed
 * whole and byte by byte.
 */
#include <string.h>

#include "mta/front/lines.h"
#include "tests/unit/unit.h"

static const struct {
    const char *in;
    enum lines_bare cr, lf;
    bool lax_end;
    enum lines_result result;
    const char *out;
    const char *left; /* what was not read */
} cases[] = {
    {"", LINES_REFUSE, LINES_REFUSE, false, LINES_MORE, "", ""},
    {".", LINES_REFUSE, LINES_REFUSE, false, LINES_MORE, "", ""},
    {"\r", LINES_REFUSE, LINES_REFUSE, false, LINES_MORE, "", ""},
    {".\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_END, "", ""},
    {"\r\n.\r\nNOOP\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_END, "\n", "NOOP\r\n"},
    {"a\r\n..\r\n..b\r\n.c\r\n.\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_END, "a\n.\n.b\nc\n",
     ""},
    {"a.\r\n.\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_END, "a.\n", ""},
    {"a\r\n.\r\n.\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_END, "a\n", ".\r\n"},
    /* no end at all, by default */
    {"a\n.\n", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_LF, "a", "\n.\n"},
    {"a\n.\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_LF, "a", "\n.\r\n"},
    {"a\r\n.\n", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_LF, "a\n", "\n"},
    {"a\r.\r", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_CR, "a", ".\r"},
    {"a\r\n.\rb", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_CR, "a\n", "b"},
    {"a\r\n.\r\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_CR, "a\n", "\r\n"},
    {"a\r\r\n.\r\n", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_CR, "a", "\r\n.\r\n"},
    {"\n", LINES_REFUSE, LINES_REFUSE, false, LINES_BARE_LF, "", "\n"},
    /* kept, and still no end */
    {"a\n.\nb\r\n.\r\n", LINES_REFUSE, LINES_KEEP, false, LINES_END, "a\n.\nb\n", ""},
    {"a\n.\r\nb\r\n.\r\n", LINES_REFUSE, LINES_KEEP, false, LINES_END, "a\n.\nb\n", ""},
    {"a\r\n.\nb\r\n.\r\n", LINES_REFUSE, LINES_KEEP, false, LINES_END, "a\n\nb\n", ""},
    {"a\n..b\r\n.\r\n", LINES_REFUSE, LINES_KEEP, false, LINES_END, "a\n..b\n", ""},
    {"a\r.\rb\r\n.\r\n", LINES_KEEP, LINES_REFUSE, false, LINES_END, "a\r.\rb\n", ""},
    {"a\r\n.\rX\r\n.\r\n", LINES_KEEP, LINES_REFUSE, false, LINES_END, "a\n\rX\n", ""},
    {"a\r\r\n.\r\r\nb\r\n.\r\n", LINES_KEEP, LINES_REFUSE, false, LINES_END, "a\r\n\r\nb\n", ""},
    {"a\r\n.\n", LINES_KEEP, LINES_REFUSE, false, LINES_BARE_LF, "a\n", "\n"},
    /* blanks */
    {"a\n.\nb\r\n.\r\n", LINES_REFUSE, LINES_BLANK, false, LINES_END, "a . b\n", ""},
    {"a\r.\rb\r\r\n.\r\n", LINES_BLANK, LINES_REFUSE, false, LINES_END, "a . b \n", ""},
    {"a\n.\nb\r\n.\r\n", LINES_REFUSE, LINES_BLANK, true, LINES_END, "a . b\n", ""},
    /* a LF is a line end: only where both are asked for */
    {"a\n.\nb", LINES_REFUSE, LINES_KEEP, true, LINES_END, "a\n", "b"},
    {"a\n.\r\nb", LINES_REFUSE, LINES_KEEP, true, LINES_END, "a\n", "b"},
    {"a\r\n.\nb", LINES_REFUSE, LINES_KEEP, true, LINES_END, "a\n", "b"},
    {"a\n..b\n.c\r\n.\r\n", LINES_REFUSE, LINES_KEEP, true, LINES_END, "a\n.b\nc\n", ""},
    {"a\n.\n", LINES_REFUSE, LINES_REFUSE, true, LINES_BARE_LF, "a", "\n.\n"},
};

static void check(struct arena *a, size_t i, size_t step)
{
    const char *s = cases[i].in;
    size_t len = strlen(s), at = 0, used = 0;
    enum lines_result r = LINES_MORE;
    struct lines l;
    struct buf out;

    buf_init(&out, a);
    buf_adds(&out, "");
    lines_start(&l, cases[i].cr, cases[i].lf, cases[i].lax_end);
    while (at < len && r == LINES_MORE) {
        size_t n = len - at < step ? len - at : step;
        r = lines_data(&l, s + at, n, &used, &out);
        assert_true(used <= n && (r != LINES_MORE || used == n));
        at += used;
    }
    assert_int_equal(r, cases[i].result);
    assert_string_equal(out.data, cases[i].out);
    assert_string_equal(s + at, cases[i].left);
}

static void a_message_ends_at_one_place(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(*state, i, 1);
        check(*state, i, 3);
        check(*state, i, 100);
    }
}

static void bytes_mean_themselves(void **state)
{
    static const char in[] = "a\0\x80\xff\x01.\r\n.\0\r\n.\r\n";
    struct lines l;
    struct buf out;
    size_t used;

    buf_init(&out, *state);
    lines_start(&l, LINES_REFUSE, LINES_REFUSE, false);
    assert_int_equal(lines_data(&l, in, sizeof in - 1, &used, &out), LINES_END);
    assert_int_equal(used, sizeof in - 1);
    assert_int_equal(out.len, 9);
    assert_memory_equal(out.data, "a\0\x80\xff\x01.\n\0\n", 9);
    assert_false(l.seen_cr || l.seen_lf);
}

static void a_command_is_one_line(void **state)
{
    size_t text;
    enum lines_result r;

    (void)state;
    assert_int_equal(lines_command("", 0, LINES_REFUSE, LINES_REFUSE, &text, &r), 0);
    assert_int_equal(lines_command("NOOP\r", 5, LINES_REFUSE, LINES_REFUSE, &text, &r), 0);
    assert_int_equal(lines_command("NOOP\r\nX", 7, LINES_REFUSE, LINES_REFUSE, &text, &r), 6);
    assert_int_equal(text, 4);
    assert_int_equal(r, LINES_MORE);
    assert_int_equal(lines_command("NOOP\nX\r\n", 8, LINES_REFUSE, LINES_REFUSE, &text, &r), 5);
    assert_int_equal(r, LINES_BARE_LF);
    assert_int_equal(lines_command("NO\rOP\r\n", 7, LINES_REFUSE, LINES_REFUSE, &text, &r), 7);
    assert_int_equal(r, LINES_BARE_CR);
    assert_int_equal(lines_command("NO\rOP\nX", 7, LINES_KEEP, LINES_KEEP, &text, &r), 6);
    assert_int_equal(r, LINES_MORE);
    assert_int_equal(text, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_message_ends_at_one_place),
        UNIT(bytes_mean_themselves),
        UNIT(a_command_is_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
