/*
 * Messages between the roles, envelopes and plans: as bytes and back, and what is no message.
 */
#include <string.h>

#include "mta/message/envelope.h"
#include "mta/policy/plan.h"
#include "tests/unit/unit.h"

static struct buf encoded(struct arena *a, const struct message *m)
{
    struct buf b;

    buf_init(&b, a);
    assert_true(message_encode(m, &b));
    return b;
}

static struct message mail(void)
{
    static const struct bytes parameters[] = {{"SIZE=10", 7}, {"", 0}};
    struct message m = {.kind = MESSAGE_MAIL};

    m.as.MAIL = (struct message_MAIL){7, {"a\0b", 3}, {parameters, 2}, 0};
    return m;
}

static void nothing_is_no_message(void **state)
{
    struct message m;

    assert_int_equal(message_length("", 0), 0);
    assert_int_equal(message_length("\0\0\0", 3), 0);
    assert_int_equal(message_length("\0\0\0\1\0", 5), -1);
    assert_int_equal(message_length("\xff\xff\xff\xff\0\1", 6), -1);
    assert_int_equal(message_length("\0\0\0\x10\0\1", 6), 0);
    assert_false(message_decode(*state, "", 0, &m));
    assert_false(message_decode(*state, "\0\0\0\2\0\0", 6, &m));
    assert_false(message_decode(*state, "\0\0\0\2\xff\xff", 6, &m));
}

static void what_was_written_reads_the_same(void **state)
{
    struct message m = mail(), back;
    struct buf b = encoded(*state, &m);

    assert_int_equal(message_length(b.data, b.len), b.len);
    assert_int_equal(message_length(b.data, b.len - 1), 0);
    assert_true(message_decode(*state, b.data, b.len, &back));
    assert_int_equal(back.kind, MESSAGE_MAIL);
    assert_int_equal(back.as.MAIL.session, 7);
    assert_memory_equal(back.as.MAIL.path.p, "a\0b", 3);
    assert_int_equal(back.as.MAIL.parameters.n, 2);
    assert_memory_equal(back.as.MAIL.parameters.v[0].p, "SIZE=10", 7);
    assert_int_equal(back.as.MAIL.parameters.v[1].len, 0);
}

/* Each byte of a message changed, and each length of it: refused or read within its bounds. */
static void a_broken_message_is_refused(void **state)
{
    struct message m = mail(), back;
    struct buf b = encoded(*state, &m);
    size_t taken = 0;

    for (size_t i = 0; i < b.len; i++) {
        char *copy = arena_strndup(*state, b.data, b.len);
        copy[i] = (char)(copy[i] ^ 0x80);
        taken += message_decode(*state, copy, b.len, &back);
        assert_false(message_decode(*state, b.data, i, &back));
    }
    /* 16 bytes of numbers and 10 of texts mean something else then, and nothing else does. */
    assert_int_equal(taken, 26);
    /* What is behind it is not part of it. */
    char *longer = arena_strndup(*state, b.data, b.len + 1);
    longer[3]++;
    assert_false(message_decode(*state, longer, b.len + 1, &back));
}

static void a_list_longer_than_its_message_takes_no_memory(void **state)
{
    static const char bytes[] = "\0\0\0\x12\0\3"
                                "\0\0\0\0\0\0\0\1"
                                "\0\0\0\0"
                                "\x7f\xff\xff\xff";
    struct message m;
    size_t before = arena_used(*state);

    assert_false(message_decode(*state, bytes, sizeof bytes - 1, &m));
    assert_true(arena_used(*state) - before < 1000);
}

static void only_the_receiver_takes_it(void **state)
{
    (void)state;
    assert_true(message_is_for(MESSAGE_MAIL, ROLE_FRONT, ROLE_POLICY));
    assert_false(message_is_for(MESSAGE_MAIL, ROLE_FRONT, ROLE_STORE));
    assert_false(message_is_for(MESSAGE_RUN, ROLE_FRONT, ROLE_PARENT));
    assert_true(message_is_for(MESSAGE_READY, ROLE_STORE, ROLE_PARENT));
    assert_false(message_is_for(MESSAGE_NONE, ROLE_STORE, ROLE_PARENT));
    assert_false(message_is_for(MESSAGE_KINDS, ROLE_STORE, ROLE_PARENT));
}

static void an_envelope_reads_the_same(void **state)
{
    static const struct bytes macros[] = {{"r", 1}, {"ESMTP", 5}};
    struct recipient to[] = {{.address = {"u@x", 3}, .notify = NOTIFY_NEVER},
                             {.address = {"v@x", 3}, .state = RECIPIENT_FAILED}};
    struct envelope e = {.sender = {"", 0}, .made = 1 << 30, .macros = {macros, 2}}, back;
    struct buf b;

    e.recipients = to;
    e.nrecipients = 2;
    buf_init(&b, *state);
    envelope_encode(&e, &b);
    assert_true(envelope_decode(*state, b.data, b.len, &back));
    assert_int_equal(back.made, 1 << 30);
    assert_int_equal(back.nrecipients, 2);
    assert_int_equal(back.recipients[1].state, RECIPIENT_FAILED);
    assert_string_equal(bytes_string(*state, back.recipients[0].address), "u@x");
    for (size_t i = 0; i < b.len; i++)
        assert_false(envelope_decode(*state, b.data, i, &back));
    /* A macro without a value. */
    e.macros.n = 1;
    buf_truncate(&b, 0);
    envelope_encode(&e, &b);
    assert_false(envelope_decode(*state, b.data, b.len, &back));
}

static void a_plan_and_its_outcomes_read_the_same(void **state)
{
    struct plan_recipient to = {.index = 3, .address = {"u", 1}};
    struct plan p = {.kind = PLAN_LMTP, .flags = {"mz", 2}}, back;
    struct outcome o = {.state = RECIPIENT_WAITS, .code = {"4.2.0", 5}}, again;
    struct buf b;

    p.recipients = &to;
    p.nrecipients = 1;
    buf_init(&b, *state);
    plan_encode(&p, &b);
    assert_true(plan_decode(*state, b.data, b.len, &back));
    assert_int_equal(back.kind, PLAN_LMTP);
    assert_int_equal(back.recipients[0].index, 3);
    assert_true(plan_has_flag(&back, 'z'));
    assert_false(plan_has_flag(&back, 'l'));
    for (size_t i = 0; i < b.len; i++)
        assert_false(plan_decode(*state, b.data, i, &back));
    buf_truncate(&b, 0);
    outcome_encode(&o, &b);
    assert_true(outcome_decode(*state, b.data, b.len, &again));
    assert_string_equal(bytes_string(*state, again.code), "4.2.0");
    assert_false(outcome_decode(*state, b.data, b.len - 1, &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_is_no_message),
        UNIT(what_was_written_reads_the_same),
        UNIT(a_broken_message_is_refused),
        UNIT(a_list_longer_than_its_message_takes_no_memory),
        UNIT(only_the_receiver_takes_it),
        UNIT(an_envelope_reads_the_same),
        UNIT(a_plan_and_its_outcomes_read_the_same),
    };
    return cmocka_run_group_tests_name("mta_protocol", tests, NULL, NULL);
}
