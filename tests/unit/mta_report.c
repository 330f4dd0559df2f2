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

static void a_failure_and_a_success_are_one_report(void **state)
{
    struct recipient to[] = {{.address = bytes_of("user2@localhost"),
                              .state = RECIPIENT_DELIVERED,
                              .notify = NOTIFY_SAID | NOTIFY_SUCCESS,
                              .when = NOW},
                             {.address = bytes_of("fail@r.example"),
                              .original = bytes_of("rfc822;Fail+2BX@a.example"),
                              .state = RECIPIENT_FAILED,
                              .status = bytes_of("5.1.1"),
                              .answer = bytes_of("550-5.1.1 no such user\n550 5.1.1 really not"),
                              .host = bytes_of("mx.example."),
                              .when = NOW},
                             {.address = bytes_of("ex67"),
                              .final = bytes_of("list@localhost"),
                              .state = RECIPIENT_FAILED,
                              .status = bytes_of("5.1.1"),
                              .answer = bytes_of("User unknown"),
                              .when = NOW}};
    struct envelope e = sent(to, 3);

    e.envid = bytes_of("QQ+2B314");
    struct report *r = make(*state, &usual, &e, REPORT_ENDED);
    assert_non_null(r);
    assert_null(r->next);
    assert_int_equal(r->envelope.sender.len, 0);
    assert_int_equal(r->envelope.nrecipients, 1);
    assert_string_equal(bytes_string(*state, r->envelope.recipients[0].address),
                        "user@mail.test.example");
    assert_string_equal(
        text_of(*state, r),
        "Received: from localhost (localhost)\n"
        "\tby mail.test.example (8.17.1.9/8.17.1.9) id 6B16hosm029838;\n"
        "\tTue, 1 Dec 2026 06:44:50 GMT\n"
        "Date: Tue, 1 Dec 2026 06:44:50 GMT\n"
        "From: Mail Delivery Subsystem <MAILER-DAEMON>\n"
        "Message-Id: <202612010644.6B16hosm029838@mail.test.example>\n"
        "To: <user@mail.test.example>\n"
        "MIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=delivery-status;\n"
        "\tboundary=\"6B16hosm029838.1796107490/mail.test.example\"\n"
        "Subject: Returned mail: see transcript for details\n"
        "Auto-Submitted: auto-generated (failure)\n"
        "\n"
        "This is a MIME-encapsulated message\n"
        "\n"
        "--6B16hosm029838.1796107490/mail.test.example\n"
        "\n"
        "The original message was received at Tue, 1 Dec 2026 06:43:50 GMT\n"
        "from root@localhost\n"
        "\n"
        "   ----- The following addresses had permanent fatal errors -----\n"
        "<fail@r.example>\n"
        "    (reason: 550-5.1.1 no such user)\n"
        "ex67\n"
        "    (reason: User unknown)\n"
        "    (expanded from: <list@localhost>)\n"
        "\n"
        "   ----- The following addresses had successful delivery notifications -----\n"
        "<user2@localhost>  (successfully delivered to mailbox)\n"
        "\n"
        "   ----- Transcript of session follows -----\n"
        "<user2@localhost>... Successfully delivered\n"
        "... while talking to mx.example.:\n"
        "<<< 550-5.1.1 no such user\n"
        "<<< 550 5.1.1 really not\n"
        "550 5.1.1 <fail@r.example>... User unknown\n"
        "550 5.1.1 ex67... User unknown\n"
        "\n"
        "--6B16hosm029838.1796107490/mail.test.example\n"
        "Content-Type: message/delivery-status\n"
        "\n"
        "Original-Envelope-Id: QQ+314\n"
        "Reporting-MTA: dns; mail.test.example\n"
        "Arrival-Date: Tue, 1 Dec 2026 06:43:50 GMT\n"
        "\n"
        "Final-Recipient: RFC822; user2@localhost\n"
        "X-Actual-Recipient: rfc822; user2@localhost\n"
        "Action: delivered (to mailbox)\n"
        "Status: 2.1.5\n"
        "Last-Attempt-Date: Tue, 1 Dec 2026 06:44:50 GMT\n"
        "\n"
        "Original-Recipient: rfc822;Fail+X@a.example\n"
        "Final-Recipient: RFC822; fail@r.example\n"
        "X-Actual-Recipient: rfc822; fail@r.example\n"
        "Action: failed\n"
        "Status: 5.1.1\n"
        "Remote-MTA: DNS; mx.example\n"
        "Diagnostic-Code: SMTP; 550-5.1.1 no such user\n"
        "Last-Attempt-Date: Tue, 1 Dec 2026 06:44:50 GMT\n"
        "\n"
        "Final-Recipient: RFC822; list@localhost\n"
        "X-Actual-Recipient: rfc822; ex67@mail.test.example\n"
        "Action: failed\n"
        "Status: 5.1.1\n"
        "Diagnostic-Code: X-Unix; 67\n"
        "Last-Attempt-Date: Tue, 1 Dec 2026 06:44:50 GMT\n"
        "\n"
        "--6B16hosm029838.1796107490/mail.test.example\n"
        "Content-Type: message/rfc822\n"
        "\n"
        "Return-Path: <user@mail.test.example>\n"
        "Subject: hello\n"
        "\n"
        "BODY\n"
        "\n"
        "--6B16hosm029838.1796107490/mail.test.example--\n"
        "\n");
    report_done(&e, REPORT_ENDED);
    assert_false(report_is_due(&e, REPORT_ENDED));
    assert_int_equal(to[1].state, RECIPIENT_REPORTED);
    assert_int_equal(to[0].state, RECIPIENT_DELIVERED);
}

static void a_success_returns_the_head(void **state)
{
    struct recipient to = {.address = bytes_of("ok@r.example"),
                           .state = RECIPIENT_RELAYED,
                           .notify = NOTIFY_SAID | NOTIFY_SUCCESS,
                           .answer = bytes_of("250 2.1.5 fine"),
                           .host = bytes_of("[127.0.0.1]")};
    struct envelope e = sent(&to, 1);

    e.flags = ENVELOPE_RET_FULL;
    e.relay = bytes_of("client.example [192.0.2.1]");
    struct report *r = make(*state, &usual, &e, REPORT_ENDED);
    assert_non_null(r);
    char *text = text_of(*state, r);
    assert_false(r->whole);
    assert_in(text, "Subject: Return receipt\nAuto-Submitted: auto-generated (return-receipt)\n");
    assert_in(text, "<ok@r.example>  (relayed to non-DSN-aware mailer)\n");
    assert_in(text, "<ok@r.example>... relayed; expect no further notifications\n");
    assert_in(text, "\nReceived-From-MTA: DNS; client.example\nArrival-Date: ");
    assert_in(text, "Action: relayed (to non-DSN-aware mailer)\nStatus: 2.0.0\n"
                    "Remote-MTA: DNS; [127.0.0.1]\nDiagnostic-Code: SMTP; 250 2.1.5 fine\n");
    assert_in(text, "Content-Type: text/rfc822-headers\n\nReturn-Path: <user@mail.test.example>\n"
                    "Subject: hello\n\n--6B16hosm029838");
}

static void a_warning_says_how_long_it_goes_on(void **state)
{
    struct recipient to[] = {
        {.address = bytes_of("temp@r.example"),
         .status = bytes_of("4.2.0"),
         .answer = bytes_of("450 4.2.0 try later"),
         .host = bytes_of("[127.0.0.1]")},
        {.address = bytes_of("temp3@r.example"), .notify = NOTIFY_SAID | NOTIFY_FAILURE}};
    struct envelope e = sent(to, 2);
    struct report *r = make(*state, &usual, &e, REPORT_DELAYED);

    assert_non_null(r);
    assert_true(r->whole);
    char *text = text_of(*state, r);
    assert_in(text, "Subject: Warning: could not send message for past 4 hours\n"
                    "Auto-Submitted: auto-generated (warning-timeout)\n");
    assert_in(text, "\n\n    **********************************************\n"
                    "    **      THIS IS A WARNING MESSAGE ONLY      **\n"
                    "    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n"
                    "    **********************************************\n\n"
                    "The original message was received at ");
    assert_in(text, "\n... while talking to [127.0.0.1]:\n<<< 450 4.2.0 try later\n"
                    "<temp@r.example>... Deferred: 450 4.2.0 try later\n"
                    "Warning: message still undelivered after 4 hours\n"
                    "Will keep trying until message is 5 days old\n\n--");
    assert_in(text, "Action: delayed\nStatus: 4.2.0\nRemote-MTA: DNS; [127.0.0.1]\n");
    assert_null(strstr(text, "temp3"));
    report_done(&e, REPORT_DELAYED);
    assert_int_equal(e.warned, 1);
    /* Reports themselves are not warned of. */
    e.sender = (struct bytes){"", 0};
    assert_null(make(*state, &usual, &e, REPORT_DELAYED));
}

static void what_was_given_up_says_why(void **state)
{
    struct recipient to = {.address = bytes_of("temp@r.example"),
                           .state = RECIPIENT_FAILED,
                           .status = bytes_of("4.4.7"),
                           .answer = bytes_of("450 4.2.0 try later"),
                           .host = bytes_of("[127.0.0.1]")};
    struct envelope e = sent(&to, 1);
    char *text = text_of(*state, make(*state, &usual, &e, REPORT_ENDED));

    assert_in(text, "<temp@r.example>\n    (reason: 450 4.2.0 try later)\n");
    assert_in(text, "<temp@r.example>... Deferred: 450 4.2.0 try later\n"
                    "Message could not be delivered for 5 days\n"
                    "Message will be deleted from queue\n\n");
    assert_in(text, "Action: failed\nStatus: 4.4.7\n");
}

static void our_own_refusal_names_no_host(void **state)
{
    struct recipient to = {.address = bytes_of("x@r.example"),
                           .state = RECIPIENT_FAILED,
                           .status = bytes_of("5.7.1"),
                           .answer = bytes_of("550 5.7.1 Not here")};
    struct envelope e = sent(&to, 1);
    char *text = text_of(*state, make(*state, &usual, &e, REPORT_ENDED));

    assert_in(text, "550 5.7.1 <x@r.example>... Not here\n");
    assert_null(strstr(text, "Diagnostic-Code"));
    assert_null(strstr(text, "Remote-MTA"));
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
    buf_addc(&b, ',');
    setenv("TZ", "CET-1", 1);
    tzset();
    report_date(&b, MADE);
    assert_string_equal(
        b.data, "0 seconds,59 seconds,1 minute,5 days,Tue, 1 Dec 2026 07:43:50 +0100 (CET)");
    report_date(&b, UINT64_MAX);
    assert_null(exit_by_code(1));
    assert_string_equal(exit_by_code(68)->text, "Host unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_to_tell_is_no_report),
        UNIT(a_failure_and_a_success_are_one_report),
        UNIT(a_success_returns_the_head),
        UNIT(a_warning_says_how_long_it_goes_on),
        UNIT(what_was_given_up_says_why),
        UNIT(our_own_refusal_names_no_host),
        UNIT(a_report_that_fails_goes_to_the_postmaster_once),
        UNIT(owners_and_postmasters_get_their_own),
        UNIT(the_body_stays_here_where_it_is_private),
        UNIT(line_ends_from_outside_do_not_count),
        UNIT(ages_and_dates_are_words),
    };
    return cmocka_run_group_tests_name("mta_report", tests, NULL, NULL);
}
