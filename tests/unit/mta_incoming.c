/*
 * A message while it comes: where its head ends and its body begins, in pieces of any size.
 */
#include <string.h>

#include "mta/front/incoming.h"
#include "mta/message/seen.h"
#include "tests/unit/unit.h"

#define TEXT(s) s, sizeof(s) - 1

static const struct {
    const char *in;
    size_t len;
    const char *head, *body;
} cases[] = {
    {TEXT(".\r\n"), "", ""},
    {TEXT("\r\n.\r\n"), "", ""},
    {TEXT("A: b\r\n.\r\n"), "A: b\n", ""},
    {TEXT("A: b\r\n\r\n.\r\n"), "A: b\n", ""},
    {TEXT("A: b\r\n\r\nC: d\r\n.\r\n"), "A: b\n", "C: d\n"},
    {TEXT("A: b\r\n\r\n\r\nx\r\n.\r\n"), "A: b\n", "\nx\n"},
    /* no empty line */
    {TEXT("no head\r\nA: b\r\n.\r\n"), "", "no head\nA: b\n"},
    {TEXT("nohead\r\n.\r\n"), "", "nohead\n"},
    {TEXT("A: b\r\nno head\r\nC: d\r\n\r\nz\r\n.\r\n"), "A: b\n", "no head\nC: d\n\nz\n"},
    {TEXT(": b\r\nA: b\r\n.\r\n"), "", ": b\nA: b\n"},
    {TEXT("A b: c\r\n.\r\n"), "", "A b: c\n"},
    {TEXT("A\xe9: c\r\n.\r\n"), "", "A\xe9: c\n"},
    /* blanks */
    {TEXT("A : b\r\nC\t: d\r\nE:f\r\nG:\r\n.\r\n"), "A : b\nC\t: d\nE:f\nG:\n", ""},
    {TEXT("A: b\r\n\tc\r\n \r\n d\r\n\r\nx\r\n.\r\n"), "A: b\n\tc\n \n d\n", "x\n"},
    {TEXT(" A: b\r\nC: d\r\n.\r\n"), "", " A: b\nC: d\n"},
    /* dots */
    {TEXT("..A: b\r\n.C: d\r\n\r\n..\r\n.\r\n"), ".A: b\nC: d\n", ".\n"},
    /* From_ */
    {TEXT("From a b\r\nA: b\r\n\r\nx\r\n.\r\n"), "From a b\nA: b\n", "x\n"},
    {TEXT("From a b\r\nFrom c d\r\nA: b\r\n.\r\n"), "From a b\n", "From c d\nA: b\n"},
    {TEXT("From a b\r\n c\r\nA: b\r\n.\r\n"), "From a b\n", " c\nA: b\n"},
    {TEXT("From \r\nA: b\r\n.\r\n"), "From \nA: b\n", ""},
    {TEXT("From: a\r\n\r\nx\r\n.\r\n"), "From: a\n", "x\n"},
    {TEXT("From : a\r\n\r\nx\r\n.\r\n"), "From : a\n", "x\n"},
    {TEXT("From\r\n.\r\n"), "", "From\n"},
    {TEXT(">From a\r\nA: b\r\n.\r\n"), "", ">From a\nA: b\n"},
    {TEXT("A: b\r\nFrom c d\r\nE: f\r\n.\r\n"), "A: b\n", "From c d\nE: f\n"},
    {TEXT("A: b\r\nText: c\r\nD: e\r\n.\r\n"), "A: b\n", "Text: c\nD: e\n"},
    /* NUL is taken out of the head */
    {TEXT("A\0B: c\r\n\r\nx\r\n.\r\n"), "AB: c\n", "x\n"},
    {TEXT("A: b\0c\r\n\r\nx\r\n.\r\n"), "A: bc\n", "x\n"},
};

static enum lines_result feed(struct incoming *in, const char *s, size_t len, size_t step)
{
    enum lines_result r = LINES_MORE;
    size_t at = 0, used;

    while (at < len && r == LINES_MORE) {
        size_t n = len - at < step ? len - at : step;
        r = incoming_data(in, s + at, n, &used);
        at += used;
    }
    return r;
}

static void start(struct incoming *in, struct arena *a)
{
    *in = (struct incoming){.max_head = 1000};
    incoming_init(in, a);
    incoming_start(in, LINES_REFUSE, LINES_REFUSE, false);
    buf_adds(&in->head, "");
    buf_adds(&in->body, "");
}

static void a_head_ends_where_it_does(void **state)
{
    static const size_t steps[] = {1, 2, 5, 1000};
    struct incoming in;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            start(&in, *state);
            assert_int_equal(feed(&in, cases[i].in, cases[i].len, steps[k]), LINES_END);
            assert_string_equal(in.head.data, cases[i].head);
            assert_string_equal(in.body.data, cases[i].body);
        }
    }
}

/* A line From_ may be meant to stay (SaveFromLine), and LF that end nothing may be let in. */
static void a_head_may_be_odd(void **state)
{
    static const struct {
        const char *in;
        size_t len;
        const char *head, *body;
    } odd[] = {
        {TEXT("From a b\r\nA: b\r\n.\r\n"), "", "From a b\nA: b\n"},
        {TEXT("A: b\nC: d\r\n\r\nx\ny\r\n.\r\n"), "A: b\n C: d\n", "x\ny\n"},
        {TEXT("A: b\n\tc\n d\r\n\r\n.\r\n"), "A: b\n\tc\n d\n", ""},
        {TEXT("A: b\n\n\r\nC: d\r\n.\r\n"), "A: b\n \n \nC: d\n", ""},
        {TEXT("A\n: b\r\n\r\n.\r\n"), "A : b\n", ""},
        {TEXT("A: b\r\n c\nd: e\r\n\r\n.\r\n"), "A: b\n c\n d: e\n", ""},
        {TEXT("A: b\r\nno\nhead\r\nC: d\r\n.\r\n"), "A: b\n", "no\nhead\nC: d\n"},
    };
    static const size_t steps[] = {1, 2, 5, 1000};
    struct incoming in;

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            start(&in, *state);
            in.keeps_from = true;
            in.lines.lf = LINES_KEEP;
            assert_int_equal(feed(&in, odd[i].in, odd[i].len, steps[s]), LINES_END);
            buf_adds(&in.body, "");
            assert_string_equal(in.head.data, odd[i].head);
            assert_string_equal(in.body.data, odd[i].body);
        }
    }
}

static void what_was_seen_is_counted(void **state)
{
    static const char s[] = "A: b\r\n\r\nc\0\xe9\r\n\r\n.\r\n";
    struct incoming in;

    start(&in, *state);
    feed(&in, s, sizeof s - 1, 1);
    assert_int_equal(in.size, 11);
    assert_int_equal(in.body_lines, 2);
    assert_int_equal(in.flags, SEEN_8BIT | SEEN_NUL);
    assert_int_equal(in.body.len, 5);
    assert_memory_equal(in.body.data, "c\0\xe9\n\n", 5);
}

static void a_name_has_an_end(void **state)
{
    struct incoming in;

    for (size_t step = 1; step < 3000; step += 2998) {
        start(&in, *state);
        for (int i = 0; i < INCOMING_NAME_MAX + 1; i++)
            feed(&in, "x", 1, 1);
        assert_true(in.in_body);
        assert_int_equal(in.body.len, INCOMING_NAME_MAX + 1);
    }
}

static void what_is_too_long_is_not_kept(void **state)
{
    struct incoming in;

    start(&in, *state);
    in.max_size = 20;
    assert_int_equal(feed(&in, TEXT("A: b\r\n\r\n12345678901234\r\n"), 1), LINES_MORE);
    assert_true(in.too_large);
    for (int i = 0; i < 1000; i++)
        feed(&in, TEXT("123456789 123456789 123456789 \r\n"), 7);
    assert_true(in.body.len < 50);
    assert_int_equal(feed(&in, TEXT(".\r\n"), 1), LINES_END);

    start(&in, *state);
    for (int i = 0; i < 1000; i++)
        feed(&in, TEXT("A: 23456789 123456789 123456789 \r\n"), 7);
    assert_true(in.head_too_large && !in.in_body);
    assert_true(in.head.len < 1100);
    assert_int_equal(in.body.len, 0);
    assert_int_equal(feed(&in, TEXT(".\r\n"), 1), LINES_END);
}

static void what_was_taken_makes_room(void **state)
{
    struct incoming in;

    start(&in, *state);
    feed(&in, TEXT("\r\n0123456789"), 100);
    incoming_taken(&in, 3);
    assert_int_equal(incoming_waiting(&in), 7);
    assert_memory_equal(in.body.data + in.taken, "3456789", 7);
    incoming_taken(&in, 4);
    assert_int_equal(incoming_waiting(&in), 3);
    assert_memory_equal(in.body.data + in.taken, "789", 3);
    feed(&in, TEXT("a\r\n"), 100);
    assert_int_equal(incoming_waiting(&in), 5);
    assert_memory_equal(in.body.data + in.taken, "789a\n", 5);
    incoming_taken(&in, 100);
    assert_int_equal(incoming_waiting(&in), 0);
    assert_int_equal(in.body.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_head_ends_where_it_does),    UNIT(a_head_may_be_odd),
        UNIT(what_was_seen_is_counted),     UNIT(a_name_has_an_end),
        UNIT(what_is_too_long_is_not_kept), UNIT(what_was_taken_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
