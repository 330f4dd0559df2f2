/*
 * A connection in the clear; through TLS it is spoken with in tests/smtp (starttls, client-tls).
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/front/stream.h"
#include "tests/unit/unit.h"

/* The other end. */
static int opened(struct stream *s, struct traffic *traffic)
{
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    stream_open(s, fd[0], traffic);
    return fd[1];
}

static void nothing_comes_and_nothing_goes(void **state)
{
    struct stream s;
    char in[8];
    size_t n = 1;
    bool broken = false;

    (void)state;
    int other = opened(&s, NULL);
    assert_int_equal(stream_read(&s, in, sizeof in, &n), STREAM_NOTHING);
    assert_int_equal(n, 0);
    assert_false(stream_waits(&s, (struct bytes){"", 0}));
    assert_false(stream_write(&s, (struct bytes){"", 0}, &n, &broken));
    assert_false(broken);
    stream_end(&s);
    close(other);
    assert_int_equal(stream_read(&s, in, sizeof in, &n), STREAM_ENDED);
    stream_close(&s);
    assert_int_equal(s.fd, -1);
}

static void text_goes_both_ways_and_is_kept(void **state)
{
    FILE *kept = tmpfile();
    struct stream s;
    char in[4], text[100] = "";
    size_t n;
    bool broken = false;
    int other = opened(&s, traffic_new(*state, fileno(kept), 1));

    assert_int_equal(write(other, "EHLO\n", 5), 5);
    assert_int_equal(stream_read(&s, in, sizeof in, &n), STREAM_TEXT);
    assert_int_equal(n, 4);
    assert_int_equal(stream_read(&s, in, sizeof in, &n), STREAM_TEXT);
    assert_int_equal(n, 1);
    assert_true(stream_waits(&s, (struct bytes){"250 a\n", 6}));
    assert_true(stream_write(&s, (struct bytes){"250 a\n", 6}, &n, &broken));
    assert_int_equal(n, 6);
    assert_int_equal(read(other, text, sizeof text), 6);
    assert_memory_equal(text, "250 a\n", 6);
    rewind(kept);
    text[fread(text, 1, sizeof text - 1, kept)] = '\0';
    assert_string_equal(text, "00001 <<< EHLO\n00001 >>> 250 a\n");
    fclose(kept);
    close(other);
    stream_close(&s);
}

static void what_does_not_fit_is_given_again(void **state)
{
    static char much[1 << 22];
    struct stream s;
    size_t n, all = 0;
    bool broken = false;

    (void)state;
    int other = opened(&s, NULL);
    while (stream_write(&s, (struct bytes){much + all, sizeof much - all}, &n, &broken))
        all += n;
    assert_false(broken);
    assert_true(all > 0 && all < sizeof much);
    close(other);
    assert_false(stream_write(&s, (struct bytes){much, 1}, &n, &broken));
    assert_true(broken);
    assert_int_equal(n, 0);
    stream_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_comes_and_nothing_goes),
        UNIT(text_goes_both_ways_and_is_kept),
        UNIT(what_does_not_fit_is_given_again),
    };
    return cmocka_run_group_tests_name("mta_stream", tests, NULL, NULL);
}
