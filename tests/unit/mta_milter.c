/*
 * What filters say, as packets: what reads as one, and what does not; and how X lines say which
 * filters there are.
 */
#include <string.h>
#include <sys/socket.h>

#include "mta/milter/filters.h"
#include "tests/unit/cf_support.h"

#define BYTES(s) ((struct bytes){s, sizeof(s) - 1})

static void has(struct bytes b, const char *text)
{
    assert_non_null(b.p);
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.p, text, b.len);
}

static void a_head_has_a_letter_and_a_length_that_can_be(void **state)
{
    char letter;
    size_t data;

    (void)state;
    assert_false(packet_head("\0\0\0\0c", &letter, &data));
    assert_false(packet_head("\xff\xff\xff\xff"
                             "c",
                             &letter, &data));
    assert_false(packet_head("\0\x10\0\x02"
                             "c",
                             &letter, &data));
    assert_true(packet_head("\0\x10\0\x01"
                            "c",
                            &letter, &data));
    assert_int_equal(data, PACKET_MAX);
    assert_true(packet_head("\0\0\0\x01\xe4", &letter, &data));
    assert_int_equal(letter, '\xe4');
    assert_int_equal(data, 0);
}

static void what_is_written_has_its_length_before_it(void **state)
{
    struct buf b;

    buf_init(&b, *state);
    packet_end(&b, packet_begin(&b, MILTER_EOH));
    const size_t second = packet_begin(&b, MILTER_HEADER);
    packet_text(&b, "To", 2);
    packet_text(&b, "a\0b", 3);
    packet_text(&b, NULL, 0);
    packet_number(&b, 0x01020304);
    packet_end(&b, second);
    static const char wanted[] = "\0\0\0\1N\0\0\0\013LTo\0a\0\0\1\2\3\4";
    assert_int_equal(b.len, sizeof wanted - 1);
    assert_memory_equal(b.data, wanted, b.len);
}

static void an_offer_has_three_numbers_and_lists(void **state)
{
    struct offer o;

    assert_false(packet_offer(*state, (struct bytes){NULL, 0}, &o));
    assert_false(packet_offer(*state, BYTES("\0\0\0\6\0\0\1\xff\0\0\0"), &o));
    assert_true(packet_offer(*state, BYTES("\0\0\0\6\0\0\1\xff\0\x10\0\0"), &o));
    assert_int_equal(o.version, 6);
    assert_int_equal(o.actions, 0x1ff);
    assert_int_equal(o.protocol, 0x100000);
    assert_null(o.macros[MILTER_CONNECT]);
    /* connect's; one of no stage; eom's; what does not end */
    assert_true(packet_offer(*state,
                             BYTES("\0\0\0\6\0\0\0\0\0\0\0\0"
                                   "\0\0\0\0j {x}\0"
                                   "\0\0\0\x09y\0"
                                   "\0\0\0\5\0"
                                   "\0\0\0\1zz"),
                             &o));
    assert_string_equal(o.macros[MILTER_CONNECT], "j {x}");
    assert_string_equal(o.macros[MILTER_EOM], "");
    assert_null(o.macros[MILTER_HELO]);
    /* Half a number behind them. */
    assert_true(packet_offer(*state, BYTES("\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0"), &o));
}

static void changes_are_whole_or_none(void **state)
{
    static const char letters[] = {ANSWER_ADD_HEADER,  ANSWER_INSERT_HEADER, ANSWER_CHANGE_HEADER,
                                   ANSWER_ADD_RCPT,    ANSWER_ADD_RCPT_PAR,  ANSWER_DELETE_RCPT,
                                   ANSWER_CHANGE_FROM, ANSWER_CONTINUE,      '\0'};
    struct change c;

    (void)state;
    for (size_t i = 0; i < sizeof letters; i++) {
        assert_false(packet_change(letters[i], (struct bytes){NULL, 0}, &c));
        assert_false(packet_change(letters[i], BYTES("\0\0\0\1no end"), &c));
        assert_false(packet_change(letters[i], BYTES("\0\0\0\1a\0b\0more"), &c));
    }
    assert_true(packet_change(ANSWER_ADD_HEADER, BYTES("X\0v\0"), &c));
    has(c.one, "X");
    has(c.two, "v");
    assert_true(packet_change(ANSWER_ADD_HEADER, BYTES("\0\0"), &c));
    has(c.one, "");
    assert_false(packet_change(ANSWER_ADD_HEADER, BYTES("X\0v\0w\0"), &c));
    assert_true(packet_change(ANSWER_INSERT_HEADER, BYTES("\xff\0\0\1X\0v\0"), &c));
    assert_int_equal(c.index, 0xff000001);
    assert_true(packet_change(ANSWER_ADD_RCPT, BYTES("<a@b>\0"), &c));
    has(c.one, "<a@b>");
    assert_null(c.two.p);
    assert_false(packet_change(ANSWER_ADD_RCPT, BYTES("<a@b>\0x\0"), &c));
    assert_true(packet_change(ANSWER_CHANGE_FROM, BYTES("<a@b>\0"), &c));
    assert_null(c.two.p);
    assert_true(packet_change(ANSWER_CHANGE_FROM, BYTES("<a@b>\0RET=FULL\0"), &c));
    has(c.two, "RET=FULL");
    assert_true(packet_change(ANSWER_REPLACE_BODY, (struct bytes){"", 0}, &c));
    assert_true(packet_change(ANSWER_QUARANTINE, BYTES("why"), &c));
    has(c.one, "why");
    assert_true(packet_change(ANSWER_QUARANTINE, BYTES("why\0"), &c));
    has(c.one, "why");
}

static void replies_are_of_two_classes_and_whole_lines(void **state)
{
    static const struct {
        struct bytes text;
        const char *reply; /* NULL: it is none */
    } all[] = {
        {{NULL, 0}, NULL},
        {BYTES("\0"), NULL},
        {BYTES("55\0"), NULL},
        {BYTES("550"), NULL},
        {BYTES("550\0"), "550"},
        {BYTES("250 2.0.0 fine\0"), NULL},
        {BYTES("354 go\0"), NULL},
        {BYTES("5x0 no\0"), NULL},
        {BYTES("5500 no\0"), NULL},
        {BYTES("550 no\0more\0"), NULL},
        {BYTES("550 100% no\0"), NULL},
        {BYTES("550 no %\0"), NULL},
        {BYTES("550 100%% no\0"), "550 100% no"},
        {BYTES("550 a\n250 b\0"), NULL},
        {BYTES("550 a\rb\0"), NULL},
        {BYTES("550 a\r\0"), NULL},
        {BYTES("550-a\r\n550 b\0"), "550-a\r\n550 b"},
        {BYTES("421 4.7.0 bye\0"), "421 4.7.0 bye"},
    };
    char *reply;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const bool good = packet_reply(*state, all[i].text, &reply);
        assert_int_equal(good, all[i].reply != NULL);
        if (good)
            assert_string_equal(reply, all[i].reply);
    }
}

static const struct filter_settings *settings(struct arena *a, const char *cf)
{
    struct cf_case c = cf_case_read(a, cf, strlen(cf), false);
    const struct program *p = program_compile(a, c.config, NULL, c.findings);
    size_t n;
    const struct listener *l = settings_listeners(a, p, &n);
    return filters_read(a, p, l, n);
}

static void x_lines_say_where_filters_are(void **state)
{
    const struct filter_settings *s =
        settings(*state, "V10\n"
                         "Xone, S=local:/run/one, F=T, T=C:1m;S:2;R:3s;E:4m\n"
                         "Xtwo, S=inet:8891@127.0.0.1\n"
                         "Xthree, S=inet6:8892@[::1], F=4\n"
                         "Xfour, S=/run/four, F=R, T=E:5s\n"
                         "O InputMailFilters=four, one;two\n"
                         "O Milter.LogLevel=9\n"
                         "O Milter.macros.envfrom=i, {auth_type}\n"
                         "O DaemonPortOptions=Port=25\n"
                         "O DaemonPortOptions=Port=26,InputFilter=three;one\n"
                         "O DaemonPortOptions=Port=27,InputFilter=\n");

    assert_int_equal(s->all.n, 4);
    const struct filter *const *f = s->all.v;
    assert_int_equal(f[0]->family, AF_UNIX);
    assert_string_equal(f[0]->address, "/run/one");
    assert_int_equal(f[0]->failure, FILTER_LATER);
    assert_int_equal(f[0]->seconds[FILTER_CONNECT], 60);
    assert_int_equal(f[0]->seconds[FILTER_WRITE], 2);
    assert_int_equal(f[0]->seconds[FILTER_READ], 3);
    assert_int_equal(f[0]->seconds[FILTER_END], 240);
    assert_int_equal(f[1]->family, AF_INET);
    assert_string_equal(f[1]->address, "127.0.0.1");
    assert_string_equal(f[1]->port, "8891");
    assert_int_equal(f[1]->failure, FILTER_PASS);
    assert_int_equal(f[1]->seconds[FILTER_CONNECT], 300);
    assert_int_equal(f[1]->seconds[FILTER_READ], 10);
    assert_int_equal(f[2]->family, AF_INET6);
    assert_string_equal(f[2]->address, "::1");
    assert_int_equal(f[2]->failure, FILTER_CLOSE);
    assert_string_equal(f[3]->address, "/run/four");
    assert_int_equal(f[3]->seconds[FILTER_END], 5);
    assert_int_equal(s->log_level, 9);
    assert_string_equal(s->macros[MILTER_MAIL], "i, {auth_type}");
    assert_null(s->macros[MILTER_RCPT]);
    assert_int_equal(s->usual.n, 3);
    assert_ptr_equal(s->usual.v[0], f[3]);
    assert_ptr_equal(s->usual.v[2], f[1]);
    assert_int_equal(s->of_listener[0].n, 3);
    assert_int_equal(s->of_listener[1].n, 2);
    assert_ptr_equal(s->of_listener[1].v[0], f[2]);
    assert_int_equal(s->of_listener[2].n, 0);
    assert_true(filters_are_asked(s, 3));
    assert_false(filters_are_asked(settings(*state, "V10\nXone, S=/run/one\n"), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_head_has_a_letter_and_a_length_that_can_be),
        UNIT(what_is_written_has_its_length_before_it),
        UNIT(an_offer_has_three_numbers_and_lists),
        UNIT(changes_are_whole_or_none),
        UNIT(replies_are_of_two_classes_and_whole_lines),
        UNIT(x_lines_say_where_filters_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
