/*
 * Reports: who gets one, and the text of each kind as the reference lays it out.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mta/message/exits.h"
#include "mta/store/report.h"
#include "tests/unit/unit.h"

enum { MADE = 1796107430, NOW = MADE + 60 };

static const struct report_settings usual = {.hostname = "mail.test.example",
                                             .version = "8.17.1.9/8.17.1.9",
                                             .daemon = "MAILER-DAEMON",
                                             .double_bounce = "postmaster",
                                             .expires = 5 * 86400,
                                             .warned = 4 * 3600};

static struct bytes header[6];

static struct envelope sent(struct recipient *to, size_t n)
{
    header[0] = bytes_of("0?P");
    header[1] = bytes_of("Return-Path");
    header[2] = bytes_of(" $g");
    header[3] = bytes_of("0");
    header[4] = bytes_of("Subject");
    header[5] = bytes_of(" hello");
    return (struct envelope){.id = bytes_of("6B16hosl029838"),
                             .sender = bytes_of("user@mail.test.example"),
                             .made = MADE,
                             .relay = bytes_of("root@localhost"),
                             .header = {header, 6},
                             .recipients = to,
                             .nrecipients = n};
}

static struct bytes id(void *ctx)
{
    static const char *const ids[] = {"6B16hosm029838", "6B16hosn029838", "6B16hoso029838"};

    return bytes_of(ids[(*(size_t *)ctx)++ % 3]);
}

static struct report *make(struct arena *a, const struct report_settings *s, struct envelope *e,
                           enum report_kind kind)
{
    size_t n = 0;

    setenv("TZ", "UTC", 1);
    tzset();
    return report_make(a, s, e, kind, NOW, id, &n);
}

/* The whole as it is sent, with BODY for the original's. */
static char *text_of(struct arena *a, const struct report *r)
{
    struct buf b;

    buf_init(&b, a);
    for (size_t i = 0; i + 2 < r->envelope.header.n; i += 3)
        buf_printf(&b, "%s:%s\n", bytes_string(a, r->envelope.header.v[i + 1]),
                   bytes_string(a, r->envelope.header.v[i + 2]));
    assert_int_equal(b.len + r->text.len + r->tail.len, r->size);
    buf_printf(&b, "\n%s%s%s", bytes_string(a, r->text), r->whole ? "BODY\n" : "",
               bytes_string(a, r->tail));
    return b.data;
}

static void assert_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not in it: %s\n%s", part, text);
}

static void nothing_to_tell_is_no_report(void **state)
{
    struct recipient to[] = {
        {.address = {"u", 1}, .state = RECIPIENT_DELIVERED},
        {.address = {"v", 1}, .state = RECIPIENT_REPORTED},
        {.address = {"w", 1}, .state = RECIPIENT_FAILED, .notify = NOTIFY_SAID | NOTIFY_NEVER},
        {.address = {"x", 1}, .state = RECIPIENT_WAITS, .notify = NOTIFY_SAID | NOTIFY_FAILURE}};
    struct envelope none = {0}, e = sent(to, 4);

    assert_null(make(*state, &usual, &none, REPORT_ENDED));
    assert_null(make(*state, &usual, &none, REPORT_DELAYED));
    assert_false(report_is_due(&e, REPORT_ENDED));
    assert_null(make(*state, &usual, &e, REPORT_ENDED));
    assert_null(make(*state, &usual, &e, REPORT_DELAYED));
}

static void a_report_that_fails_goes_to_the_postmaster_once(void **state)
{
    struct recipient to = {.address = bytes_of("x@r.example"), .state = RECIPIENT_FAILED};
    struct envelope e = sent(&to, 1);
    struct report_settings s = usual;

    e.sender = (struct bytes){"", 0};
    struct report *r = make(*state, &usual, &e, REPORT_ENDED);
    assert_non_null(r);
    assert_null(r->next);
    char *text = text_of(*state, r);
    assert_in(text, "To: postmaster\n");
    assert_in(text, "Subject: Postmaster notify: see transcript for details\n"
                    "Auto-Submitted: auto-generated (postmaster-notification)\n");
    assert_in(text, "from root@localhost\nwith id 6B16hosl029838\n");
    assert_in(text, "Return-Path: <>\n");
    s.double_bounce = "";
    assert_null(make(*state, &s, &e, REPORT_ENDED));
    to.address = bytes_of("Postmaster");
    assert_null(make(*state, &usual, &e, REPORT_ENDED));
}

static void owners_and_postmasters_get_their_own(void **state)
{
    struct recipient to[] = {
        {.address = bytes_of("a"), .owner = bytes_of("owner-list"), .state = RECIPIENT_FAILED},
        {.address = bytes_of("b"), .state = RECIPIENT_FAILED},
        {.address = bytes_of("c"), .owner = bytes_of("owner-list"), .state = RECIPIENT_FAILED}};
    struct envelope e = sent(to, 3);
    struct report_settings s = usual;
    const char *who[4];
    size_t n = 0;

    s.copy = "user2";
    for (struct report *r = make(*state, &s, &e, REPORT_ENDED); r; r = r->next) {
        assert_true(n < 4);
        who[n++] = bytes_string(*state, r->envelope.recipients[0].address);
        assert_int_equal(r->whole, n % 2);
    }
    assert_int_equal(n, 4);
    assert_string_equal(who[0], "owner-list");
    assert_string_equal(who[1], "user2");
    assert_string_equal(who[2], "user@mail.test.example");
    struct report *r = make(*state, &usual, &e, REPORT_ENDED);
    assert_in(text_of(*state, r), "<a>\n<c>\n");
    assert_in(text_of(*state, r), "Return-Path: <owner-list>\n");
    assert_null(strstr(text_of(*state, r), "<b>"));
}

static void the_body_stays_here_where_it_is_private(void **state)
{
    struct recipient to = {.address = bytes_of("x@r.example"), .state = RECIPIENT_FAILED};
    struct envelope e = sent(&to, 1);
    struct report_settings s = usual;

    s.no_body = s.no_actual = true;
    struct report *r = make(*state, &s, &e, REPORT_ENDED);
    assert_false(r->whole);
    assert_null(strstr(text_of(*state, r), "X-Actual-Recipient"));
    e.flags = ENVELOPE_RET_HDRS;
    assert_false(make(*state, &usual, &e, REPORT_ENDED)->whole);
    e.flags = ENVELOPE_HAS_8BIT | ENVELOPE_8BIT;
    r = make(*state, &usual, &e, REPORT_ENDED);
    assert_true(r->whole);
    assert_int_equal(r->envelope.flags, ENVELOPE_REPORT | ENVELOPE_HAS_8BIT | ENVELOPE_8BIT);
    assert_in(text_of(*state, r),
              "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n");
    assert_in(text_of(*state, r), "mail.test.example\"\nContent-Transfer-Encoding: 8bit\nSubject:");
}

/* No line of a report comes from outside as a whole. */
static void line_ends_from_outside_do_not_count(void **state)
{
    struct recipient to = {.address = bytes_of("x\nSubject: forged\n\n--@r.example"),
                           .original = bytes_of("rfc822;a+0Ab"),
                           .state = RECIPIENT_FAILED,
                           .status = bytes_of("5.0.0"),
                           .answer = bytes_of("550 a\r\nb\n")};
    struct envelope e = sent(&to, 1);

    e.sender = bytes_of("u\n\nx@y");
    e.envid = bytes_of("a+0A+0Ab+");
    char *text = text_of(*state, make(*state, &usual, &e, REPORT_ENDED));
    assert_null(strstr(text, "\nSubject: forged"));
    assert_in(text, "To: <u  x@y>\n");
    assert_in(text, "Original-Envelope-Id: a  b+\n");
    assert_in(text, "Original-Recipient: rfc822;a b\n");
}

static void ages_and_dates_are_words(void **state)
{
    struct buf b;

    buf_init(&b, *state);
    report_age(&b, 0);
    buf_addc(&b, ',');
    report_age(&b, 59);
    buf_addc(&b, ',');
    report_age(&b, 60);
    buf_addc(&b, ',');
    report_age(&b, 5 * 86400 + 3600);
    assert_string_equal(b.data, "0 seconds,59 seconds,1 minute,5 days");
    assert_null(exit_by_code(1));
    assert_string_equal(exit_by_code(68)->text, "Host unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_to_tell_is_no_report),
        UNIT(a_report_that_fails_goes_to_the_postmaster_once),
        UNIT(owners_and_postmasters_get_their_own),
        UNIT(the_body_stays_here_where_it_is_private),
        UNIT(line_ends_from_outside_do_not_count),
        UNIT(ages_and_dates_are_words),
    };
    return cmocka_run_group_tests_name("mta_report", tests, NULL, NULL);
}
