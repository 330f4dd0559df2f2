/*
 * Messages over a socket pair: whole, in order, with their descriptors; and what breaks a channel.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/channel.h"
#include "mta/codec.h"
#include "tests/unit/unit.h"

struct pair {
    struct channel *front, *store;
    int raw; /* of the front, where it has no channel */
};

static struct pair pair_of(struct arena *a)
{
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    return (struct pair){channel_new(a, fd[0], ROLE_FRONT, ROLE_STORE),
                         channel_new(a, fd[1], ROLE_STORE, ROLE_FRONT), fd[0]};
}

static void pair_gone(struct pair *p)
{
    channel_free(p->front);
    channel_free(p->store);
}

static struct message body(uint64_t n, const char *s, size_t len)
{
    struct message m = {.kind = MESSAGE_BODY};

    m.as.BODY = (struct message_BODY){n, {s, len}};
    return m;
}

static void nothing_comes_of_nothing(void **state)
{
    struct pair p = pair_of(*state);
    struct message m;
    int fd = 7;

    assert_false(channel_next(p.store, *state, &m, &fd));
    assert_int_equal(fd, -1);
    assert_int_equal(channel_read(p.store), CHANNEL_OPEN);
    assert_false(channel_wants_write(p.store));
    assert_int_equal(channel_flush(p.store), CHANNEL_OPEN);
    assert_int_equal(channel_waiting(p.store), 0);
    pair_gone(&p);
    channel_free(NULL);
}

/* A message byte by byte is there when its last byte is. */
static void a_message_is_whole_or_not_there(void **state)
{
    struct pair p = pair_of(*state);
    struct message m = body(3, "x\0y", 3), got;
    struct buf b;

    buf_init(&b, *state);
    assert_true(message_encode(&m, &b));
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(channel_read(p.store), CHANNEL_OPEN);
        assert_false(channel_next(p.store, *state, &got, NULL));
        assert_int_equal(write(p.raw, b.data + i, 1), 1);
    }
    channel_read(p.store);
    assert_true(channel_next(p.store, *state, &got, NULL));
    assert_int_equal(got.as.BODY.transaction, 3);
    assert_memory_equal(got.as.BODY.bytes.p, "x\0y", 3);
    assert_false(channel_next(p.store, *state, &got, NULL));
    pair_gone(&p);
}

static void much_arrives_in_order_and_waits_where_nobody_reads(void **state)
{
    struct pair p = pair_of(*state);
    char *s = arena_alloc(*state, PROTOCOL_PIECE);
    struct message m, got;
    uint64_t n = 0, seen = 0;

    for (; n < 100; n++) {
        m = body(n, s, PROTOCOL_PIECE - n);
        assert_true(channel_send(p.front, &m, -1));
    }
    channel_flush(p.front);
    assert_true(channel_wants_write(p.front));
    assert_true(channel_waiting(p.front) > 1000000);
    while (seen < n) {
        assert_int_equal(channel_read(p.store), CHANNEL_OPEN);
        while (channel_next(p.store, *state, &got, NULL)) {
            assert_int_equal(got.as.BODY.transaction, seen);
            assert_int_equal(got.as.BODY.bytes.len, PROTOCOL_PIECE - seen);
            seen++;
        }
        channel_flush(p.front);
    }
    assert_false(channel_wants_write(p.front));
    pair_gone(&p);
}

static void a_message_longer_than_allowed_is_not_sent(void **state)
{
    struct pair p = pair_of(*state);
    struct message m = body(1, arena_alloc(*state, PROTOCOL_MAX), PROTOCOL_MAX);

    assert_false(channel_send(p.front, &m, -1));
    assert_int_equal(channel_waiting(p.front), 0);
    assert_int_equal(channel_state(p.front), CHANNEL_OPEN);
    /* Nor one that is not for the other side. */
    m = (struct message){.kind = MESSAGE_STORED};
    assert_false(channel_send(p.front, &m, -1));
    pair_gone(&p);
}

static void write_number(int fd, char c)
{
    assert_int_equal(write(fd, &c, 1), 1);
}

/* Each descriptor comes with its own message, however they are read. */
static void descriptors_keep_to_their_messages(void **state)
{
    struct pair p = pair_of(*state);
    struct message m, got;
    int fds[2], fd;
    char c;

    for (int i = 0; i < 20; i++) {
        m = body((uint64_t)i, "0123456789", 10);
        fds[0] = -1;
        if (i % 3 == 0) {
            assert_int_equal(pipe(fds), 0);
            write_number(fds[1], (char)i);
            close(fds[1]);
        }
        assert_true(channel_send(p.front, &m, fds[0]));
    }
    assert_int_equal(channel_flush(p.front), CHANNEL_OPEN);
    assert_false(channel_wants_write(p.front));
    for (int i = 0; i < 20; i++) {
        while (!channel_next(p.store, *state, &got, &fd))
            assert_int_equal(channel_read(p.store), CHANNEL_OPEN);
        assert_int_equal(got.as.BODY.transaction, i);
        assert_int_equal(fd >= 0, i % 3 == 0);
        if (fd >= 0) {
            assert_int_equal(read(fd, &c, 1), 1);
            assert_int_equal(c, i);
            close(fd);
        }
    }
    pair_gone(&p);
}

/* A message that says that it has one, and has none. */
static void a_missing_descriptor_breaks(void **state)
{
    struct pair p = pair_of(*state);
    struct message m = body(1, "", 0), got;
    struct buf b;

    buf_init(&b, *state);
    assert_true(message_encode(&m, &b));
    b.data[4] = (char)0x80;
    assert_int_equal(write(p.raw, b.data, b.len), b.len);
    channel_read(p.store);
    assert_false(channel_next(p.store, *state, &got, NULL));
    assert_int_equal(channel_state(p.store), CHANNEL_BROKEN);
    pair_gone(&p);
}

static void the_end_is_told_behind_what_came(void **state)
{
    struct pair p = pair_of(*state);
    struct message m = body(1, "z", 1), got;

    assert_true(channel_send(p.front, &m, -1));
    channel_flush(p.front);
    channel_free(p.front);
    p.front = NULL;
    /* To write to one who is gone loses nothing of what came from it. */
    m = (struct message){.kind = MESSAGE_STORED};
    assert_true(channel_send(p.store, &m, -1));
    assert_int_equal(channel_flush(p.store), CHANNEL_OPEN);
    assert_false(channel_wants_write(p.store));
    assert_int_equal(channel_read(p.store), CHANNEL_ENDED);
    assert_true(channel_next(p.store, *state, &got, NULL));
    assert_false(channel_next(p.store, *state, &got, NULL));
    assert_int_equal(channel_state(p.store), CHANNEL_ENDED);
    assert_false(channel_send(p.store, &m, -1));
    pair_gone(&p);
}

static void what_is_no_message_breaks(void **state)
{
    static const struct bytes wrong[] = {
        {"\0\0\0\0", 4},                        /* too short for a kind */
        {"\xff\xff\xff\xff", 4},                /* too long */
        {"\0\0\0\2\0\0", 6},                    /* no kind */
        {"\0\0\0\2\x7f\xff", 6},                /* nor this */
        {"\0\0\0\3\0\x0c\0", 7},                /* shorter than its fields */
        {"\0\0\0\x0a\0\1\0\0\0\0\0\0\0\1", 14}, /* not all of its fields */
    };
    struct message got;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pair p = pair_of(*state);
        assert_int_equal(write(p.raw, wrong[i].p, wrong[i].len), wrong[i].len);
        channel_read(p.store);
        assert_false(channel_next(p.store, *state, &got, NULL));
        assert_int_equal(channel_state(p.store), CHANNEL_BROKEN);
        pair_gone(&p);
    }
    /* What is a message, but for somebody else. */
    struct pair p = pair_of(*state);
    struct message m = {.kind = MESSAGE_GONE};
    struct buf b;
    buf_init(&b, *state);
    assert_true(message_encode(&m, &b));
    assert_int_equal(write(p.raw, b.data, b.len), b.len);
    channel_read(p.store);
    assert_false(channel_next(p.store, *state, &got, NULL));
    assert_int_equal(channel_state(p.store), CHANNEL_BROKEN);
    pair_gone(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_comes_of_nothing),
        UNIT(a_message_is_whole_or_not_there),
        UNIT(much_arrives_in_order_and_waits_where_nobody_reads),
        UNIT(a_message_longer_than_allowed_is_not_sent),
        UNIT(descriptors_keep_to_their_messages),
        UNIT(a_missing_descriptor_breaks),
        UNIT(the_end_is_told_behind_what_came),
        UNIT(what_is_no_message_breaks),
    };
    return cmocka_run_group_tests_name("mta_channel", tests, NULL, NULL);
}
