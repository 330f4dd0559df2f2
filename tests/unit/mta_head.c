/*
 * Heads of messages: what is one, where it ends, and what an envelope keeps of it.
 */
#include <string.h>

#include "mta/message/envelope.h"
#include "mta/message/head.h"
#include "tests/unit/unit.h"

static struct head read_head(struct arena *a, const char *s)
{
    struct head h;

    head_init(&h, a);
    assert_true(head_read(&h, s, strlen(s)));
    return h;
}

static size_t ends(const char *s)
{
    size_t body;

    return head_length(s, strlen(s), &body) * 100 + body;
}

static void assert_value(const struct field *f, const char *value)
{
    assert_int_equal(f->value.len, strlen(value));
    assert_memory_equal(f->value.p, value, f->value.len);
}

static void nothing_is_a_head_without_fields(void **state)
{
    assert_int_equal(read_head(*state, "").n, 0);
    assert_int_equal(read_head(*state, "\n").n, 0);
    assert_int_equal(read_head(*state, " folded\n").n, 0);
    assert_int_equal(read_head(*state, ": x\n").n, 0);
    assert_int_equal(read_head(*state, "no colon\n").n, 0);
    assert_int_equal(read_head(*state, "a b: x\n").n, 0);
    assert_int_equal(read_head(*state, "a\xe9: x\n").n, 0);
    assert_int_equal(read_head(*state, "Text: x\n").n, 0);
}

static void a_head_ends(void **state)
{
    (void)state;
    assert_int_equal(ends(""), 0);
    assert_int_equal(ends("\n"), 1);
    assert_int_equal(ends("\nx"), 1);
    assert_int_equal(ends("text"), 0);
    assert_int_equal(ends("A: b"), 404);
    assert_int_equal(ends("A: b\n"), 505);
    assert_int_equal(ends("A: b\n\nx"), 506);
    assert_int_equal(ends("A: b\nx"), 505);
    assert_int_equal(ends("A: b\n \nB:\n\n"), 1011);
    assert_int_equal(ends("From x\nA:\n\n"), 1011);
    assert_int_equal(ends("From x\n more\n"), 707);
    assert_int_equal(ends("A:\nMessage: x\n"), 303);
}

static void fields_are_as_they_were_written(void **state)
{
    struct head h = read_head(*state, "From x\nA :  b\n\tc\nb:d\nA:");

    assert_int_equal(h.n, 3);
    assert_int_equal(h.first.len, 6);
    assert_value(&h.v[0], "  b\n\tc");
    assert_value(&h.v[1], "d");
    assert_value(&h.v[2], "");
    assert_true(field_is_empty(&h.v[2]));
    assert_int_equal(head_find(&h, "a", 0), 0);
    assert_int_equal(head_find(&h, "a", 1), 2);
    assert_int_equal(head_find(&h, "c", 0), 3);
}

static void names_have_bits(void **state)
{
    (void)state;
    assert_int_equal(head_flags("", 0), FIELD_ANY);
    assert_int_equal(head_flags("received", 8), FIELD_ANY | FIELD_TRACE | FIELD_FORCE);
    assert_int_equal(head_flags("Resent-Cc", 9), FIELD_ANY | FIELD_RECIPIENT | FIELD_RESENT);
    assert_int_equal(head_flags("Resent-C", 8), FIELD_ANY);
}

static void fields_are_put_in_and_taken_out(void **state)
{
    struct head h = read_head(*state, "A: 1\nB: 2\n");
    struct buf out;

    head_insert(&h, 0, (struct bytes){"To", 2}, (struct bytes){" x", 2});
    assert_true(h.v[0].flags & FIELD_RECIPIENT);
    head_remove(&h, 1);
    head_add(&h, (struct bytes){"C", 1}, (struct bytes){"", 0});
    buf_init(&out, *state);
    head_write(&h, &out);
    assert_string_equal(out.data, "To: x\nB: 2\nC:\n");
}

static void an_envelope_keeps_it(void **state)
{
    struct head h = read_head(*state, "A: 1\nDate: " HEAD_ID "-" HEAD_ID "\n"), back;

    h.v[1].flags |= FIELD_HAS_ID | FIELD_DEFAULT;
    h.v[1].only = (struct bytes){"D?", 2};
    struct texts kept = head_store(&h, *state);
    assert_int_equal(kept.n, 6);
    kept = head_set_id(*state, kept, (struct bytes){"id", 2});
    head_init(&back, *state);
    assert_true(head_load(&back, kept));
    assert_int_equal(back.n, 2);
    assert_int_equal(back.v[0].flags, h.v[0].flags);
    assert_null(back.v[0].only.p);
    assert_int_equal(back.v[1].flags, FIELD_ANY | FIELD_DEFAULT);
    assert_int_equal(back.v[1].only.len, 2);
    assert_value(&back.v[1], " id-id");
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const flags[] = {"", "?", "x", "123456789", "-1", "0x4", "4 "};
    struct bytes v[] = {{"", 0}, {"A", 1}, {"", 0}};
    struct head h;

    head_init(&h, *state);
    assert_false(head_load(&h, (struct texts){v, 2}));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        v[0] = (struct bytes){flags[i], strlen(flags[i])};
        head_init(&h, *state);
        assert_false(head_load(&h, (struct texts){v, 3}));
    }
    assert_int_equal(head_set_id(*state, (struct texts){v, 2}, (struct bytes){"i", 1}).n, 2);
}

static void too_much_is_no_head(void **state)
{
    struct head h;
    struct buf b;

    buf_init(&b, *state);
    for (size_t i = 0; i <= HEAD_FIELDS_MAX; i++)
        buf_adds(&b, "A:\n");
    head_init(&h, *state);
    assert_true(head_read(&h, b.data, b.len - 3));
    head_init(&h, *state);
    assert_false(head_read(&h, b.data, b.len));
}

static void what_a_stored_head_counts_as(void **state)
{
    static const struct {
        const char *flags, *name, *value;
        size_t size;
    } cases[] = {
        {"40000", "Subject", " a\n b", 13},
        {"40000", "Z", "", 2},
        {"40004?D", "X", " a", 5},   /* of the configuration, for mailers with F=D */
        {"40000?D", "X", " a", 4},   /* of the message */
        {"1040004?x", "X", "$x", 0}, /* not known yet */
        {"1060064?P", "Return-Path", "<$g>", 18},
        {"odd", "X", " a", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes v[] = {bytes_of(cases[i].flags), bytes_of(cases[i].name),
                            bytes_of(cases[i].value)};
        assert_int_equal(head_size((struct texts){v, 3}), cases[i].size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_is_a_head_without_fields), UNIT(a_head_ends),
        UNIT(fields_are_as_they_were_written),  UNIT(names_have_bits),
        UNIT(fields_are_put_in_and_taken_out),  UNIT(an_envelope_keeps_it),
        UNIT(what_is_no_list_is_refused),       UNIT(too_much_is_no_head),
        UNIT(what_a_stored_head_counts_as),
    };

    return cmocka_run_group_tests_name("mta_head", tests, NULL, NULL);
}
