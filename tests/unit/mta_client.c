/*
 * Dialogues with hosts: what is said, what comes of it for each recipient, and where it goes on.
 * Each host's bytes are fed line by line, at once, and byte by byte.
 */
#include <string.h>
#include <sysexits.h>

#include <errno.h>

#include "mta/front/client.h"
#include "mta/message/envelope.h"
#include "tests/unit/unit.h"

/* The host's lines by turns: each is said when all that the client had to say is read. */
struct dialogue {
    const char *name;
    const char *host;     /* lines with LF; "<lost>", "<late>" for a closed connection, a timeout */
    const char *said;     /* by the client, LF line ends; NULL: not looked at */
    const char *outcomes; /* "state code status" of each recipient, ';' between */
    enum client_next next;
    bool reusable;
};

static const char body_text[] = "one\n.two\n";

static struct plan plan(struct arena *a, size_t n, const char *flags)
{
    struct plan p = {.kind = PLAN_SMTP, .flags = bytes_of(flags)};
    static const char *const names[] = {"u@x", "v@x", "w@x"};

    p.helo = bytes_of("me.example");
    p.sender = bytes_of("s@y");
    p.head = bytes_of("A: b\n");
    p.nrecipients = n;
    p.recipients = arena_calloc(a, n, sizeof *p.recipients);
    for (size_t i = 0; i < n; i++)
        p.recipients[i].address = bytes_of(names[i]);
    return p;
}

static void take_output(struct client *c, struct buf *said)
{
    struct bytes out;
    uint64_t offset;
    size_t most, len = strlen(body_text);

    while (client_output(c, &out) || client_fetch(c, &offset, &most)) {
        if (client_output(c, &out)) {
            size_t n = out.len > 3 ? 3 : out.len;
            for (size_t i = 0; i < n; i++)
                if (out.p[i] != '\r')
                    buf_addc(said, out.p[i]);
            client_sent(c, n);
        } else {
            size_t n = len - offset < 2 ? len - offset : 2;
            client_piece(c, body_text + offset, n);
        }
    }
}

/* "<asked@said>": asked: the mechanisms that are left, or "=challenge"; said: "MECH",
 * "MECH=initial",
 * "=response", "-" (we are nobody there), "!" (there is no more to say). */
static void login(struct client *c, const char *line, size_t len)
{
    const char *at = memchr(line, '@', len), *end = line + len - 1;
    const char *equals = memchr(at, '=', (size_t)(end - at));
    struct bytes what,
        response = {equals ? equals + 1 : NULL, equals ? (size_t)(end - equals - 1) : 0};
    struct bytes mechanism = {at + 1, (size_t)((equals ? equals : end) - at - 1)};
    bool step;

    assert_true(client_logs_in(c, &step, &what));
    assert_int_equal(step, line[1] == '=');
    assert_int_equal(what.len, at - line - 1 - step);
    assert_memory_equal(what.p, line + 1 + step, what.len);
    enum login_said said = at[1] == '-'   ? LOGIN_WITHOUT
                           : at[1] == '=' ? LOGIN_RESPOND
                           : at[1] == '!' ? (step ? LOGIN_ABORT : LOGIN_NO_MECHANISM)
                                          : LOGIN_START;
    client_login(c, said, mechanism, (struct texts){&response, equals != NULL});
}

static void feed(struct client *c, const char *line, size_t len, bool bytewise)
{
    if (len == 6 && memcmp(line, "<lost>", 6) == 0) {
        client_lost(c);
    } else if (len == 6 && memcmp(line, "<late>", 6) == 0) {
        client_timeout(c);
    } else if (len == 5 && memcmp(line, "<tls>", 5) == 0) {
        struct bytes found[SECURED_N] = {[SECURED_VERIFY] = bytes_of("OK")};
        assert_true(client_wants_tls(c));
        client_secured(c, found);
    } else if (len == 7 && memcmp(line, "<notls>", 7) == 0) {
        client_not_secured(c);
    } else if (*line == '<' && memchr(line, '@', len)) {
        login(c, line, len);
    } else if (len == 5 && memcmp(line, "<try>", 5) == 0) {
        assert_true(client_tries(c));
        client_may_try(c, true);
    } else if (len == 7 && memcmp(line, "<leave>", 7) == 0) {
        assert_true(client_tries(c));
        client_may_try(c, false);
    } else if (bytewise) {
        for (size_t i = 0; i < len; i++)
            client_input(c, line + i, 1);
        client_input(c, "\r", 1);
        client_input(c, "\n", 1);
    } else {
        client_input(c, line, len);
        client_input(c, "\r\n", 2);
    }
}

static void talk(struct client *c, const char *host, bool bytewise, struct buf *said)
{
    take_output(c, said);
    while (*host) {
        size_t len = strcspn(host, "\n");
        feed(c, host, len, bytewise);
        take_output(c, said);
        host += len + (host[len] == '\n');
    }
}

static char *outcomes(struct arena *a, const struct hand_over *h)
{
    static const char *const states[] = {"waits",    "handing", "delivered", "relayed",
                                         "expanded", "failed",  "reported",  "passed"};
    struct buf b;

    buf_init(&b, a);
    for (size_t i = 0; i < h->plan->nrecipients; i++) {
        const struct outcome *o = &h->outcomes[i];
        buf_printf(&b, "%s%s %.*s %d", i ? ";" : "", states[o->state], (int)o->code.len, o->code.p,
                   (int)o->status);
    }
    return b.data;
}

static void hold_with(struct arena *a, const struct plan *p, const struct dialogue *d,
                      struct client_settings s)
{
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        struct client *c = client_new(a, &s, bytes_of("host.x"));
        struct hand_over *h = hand_over_new(a, p, 100, 1000);
        struct buf said;
        buf_init(&said, a);
        client_begin(c, h);
        talk(c, d->host, bytewise, &said);
        if (!client_done(c))
            fail_msg("%s: not done", d->name);
        if (d->said && strcmp(said.data, d->said) != 0)
            fail_msg("%s: said %s", d->name, said.data);
        if (strcmp(outcomes(a, h), d->outcomes) != 0)
            fail_msg("%s: %s", d->name, outcomes(a, h));
        if (client_next(c) != d->next || client_reusable(c) != d->reusable)
            fail_msg("%s: next %d, reusable %d", d->name, client_next(c), client_reusable(c));
    }
}

static void hold(struct arena *a, const struct plan *p, const struct dialogue *d)
{
    hold_with(a, p, d, client_settings_default());
}

#define E "220 x ESMTP\n250 x\n" /* a host that offers nothing */
#define EHLO "EHLO me.example\n"
#define MAIL "MAIL From:<s@y>\n"
#define RCPT "RCPT To:<u@x>\n"
#define TEXT "A: b\n\none\n..two\n.\n"
#define SENT EHLO MAIL RCPT "DATA\n" TEXT
#define TO_FINAL E "250 m\n250 r\n354 go\n"

static const struct dialogue dialogues[] = {
    {"lost at once", "<lost>", "", "waits 4.4.2 75", CLIENT_NEXT, false},
    {"late", "<late>", "", "waits 4.4.2 75", CLIENT_NEXT, false},
    {"sent", TO_FINAL "250 ok", SENT, "relayed 2.0.0 0", CLIENT_NO_NEXT, true},
    {"HELO", "220 x\n250 x\n250 m\n250 r\n354 go\n250 ok",
     "HELO me.example\n" MAIL RCPT "DATA\n" TEXT, "relayed 2.0.0 0", CLIENT_NO_NEXT, true},
    {"ESMTP in the second line", "220-x\n220 xESMTPx\n250 x\n250 m\n250 r\n354 go\n250 ok", SENT,
     "relayed 2.0.0 0", CLIENT_NO_NEXT, true},
    {"EHLO refused", "220 ESMTP\n500 x\n250 x\n250 m\n250 r\n354 go\n250 ok",
     EHLO "HELO me.example\n" MAIL RCPT "DATA\n" TEXT, "relayed 2.0.0 0", CLIENT_NO_NEXT, true},
    {"no replies", "220 ESMTP\ngarbage\n\n25\n250xyz\n250-x\n<late>", EHLO, "waits 4.4.2 75",
     CLIENT_NEXT, false},
    {"no texts", "220\n250\n250\n250\n354\n250", NULL, "relayed 2.0.0 0", CLIENT_NO_NEXT, true},
    /* The greeting and HELO: any refusal is the host's. */
    {"greeting 421", "421 no", "QUIT\n", "waits 4.5.0 75", CLIENT_NEXT, false},
    {"greeting 554", "554 no", "QUIT\n", "failed 5.5.0 69", CLIENT_NEXT, false},
    {"greeting 354", "354 no", "QUIT\n", "waits 4.5.0 75", CLIENT_NEXT, false},
    {"EHLO 421", "220 ESMTP\n421 no", EHLO "QUIT\n", "waits 4.5.0 75", CLIENT_NEXT, false},
    {"HELO 550", "220 x\n550 no", NULL, "failed 5.5.0 69", CLIENT_NEXT, false},
    {"EHLO lost", "220 ESMTP\n<lost>", EHLO, "waits 4.4.2 75", CLIENT_NEXT, false},
    /* MAIL */
    {"MAIL 421", E "421 x", EHLO MAIL "QUIT\n", "waits 4.0.0 75", CLIENT_NEXT, false},
    {"MAIL 450", E "450 x", EHLO MAIL "QUIT\n", "waits 4.2.0 75", CLIENT_NEXT, false},
    {"MAIL 451", E "451 x", NULL, "waits 4.3.0 75", CLIENT_NEXT, false},
    {"MAIL 500", E "500 x", EHLO MAIL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
    {"MAIL 501", E "501 x", NULL, "failed 5.5.2 65", CLIENT_NO_NEXT, true},
    {"MAIL 550 not offered", E "550 5.7.1 x", NULL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
    {"MAIL 552", E "552 x", NULL, "failed 5.3.4 69", CLIENT_NO_NEXT, true},
    {"MAIL 553", E "553 x", NULL, "failed 5.1.3 65", CLIENT_NO_NEXT, true},
    {"MAIL 354", E "354 x", EHLO MAIL "QUIT\n", "failed 5.5.1 76", CLIENT_NO_NEXT, false},
    {"MAIL lost", E "<lost>", NULL, "waits 4.4.2 75", CLIENT_NEXT, false},
    {"MAIL with lines", E "450-4.7.1 a\n550 b", NULL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
    /* RCPT */
    {"RCPT 421", E "250 m\n421 x", EHLO MAIL RCPT "QUIT\n", "waits 4.0.0 75", CLIENT_NEXT, false},
    {"RCPT 450", E "250 m\n450 x", EHLO MAIL RCPT, "waits 4.2.0 75", CLIENT_NEXT, true},
    {"RCPT 452", E "250 m\n452 x", NULL, "waits 4.3.1 75", CLIENT_NEXT, true},
    {"RCPT 500", E "250 m\n500 x", NULL, "failed 5.5.2 69", CLIENT_NO_NEXT, true},
    {"RCPT 503", E "250 m\n503 x", NULL, "failed 5.5.1 69", CLIENT_NO_NEXT, true},
    {"RCPT 550", E "250 m\n550 x", EHLO MAIL RCPT, "failed 5.1.1 67", CLIENT_NO_NEXT, true},
    {"RCPT 551", E "250 m\n551 x", NULL, "failed 5.1.6 67", CLIENT_NO_NEXT, true},
    {"RCPT 552", E "250 m\n552 x", NULL, "failed 5.2.2 69", CLIENT_NO_NEXT, true},
    {"RCPT 553", E "250 m\n553 x", NULL, "failed 5.1.3 67", CLIENT_NO_NEXT, true},
    {"RCPT 571", E "250 m\n571 x", NULL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
    {"RCPT 354", E "250 m\n354 x", NULL, "failed 5.0.0 76", CLIENT_NO_NEXT, true},
    /* DATA */
    {"DATA 421", E "250 m\n250 r\n421 x", EHLO MAIL RCPT "DATA\nQUIT\n", "waits 4.0.0 75",
     CLIENT_NEXT, false},
    {"DATA 451", E "250 m\n250 r\n451 x", NULL, "waits 4.0.0 75", CLIENT_NEXT, false},
    {"DATA 554", E "250 m\n250 r\n554 x", NULL, "failed 5.5.0 69", CLIENT_NO_NEXT, true},
    {"DATA 250", E "250 m\n250 r\n250 x", NULL, "failed 5.5.1 76", CLIENT_NO_NEXT, true},
    /* The message */
    {". 421", TO_FINAL "421 x", SENT "QUIT\n", "waits 4.0.0 75", CLIENT_NEXT, false},
    {". 450", TO_FINAL "450 x", NULL, "waits 4.2.0 75", CLIENT_NEXT, false},
    {". 500", TO_FINAL "500 x", NULL, "failed 5.5.2 76", CLIENT_NO_NEXT, true},
    {". 550", TO_FINAL "550 x", NULL, "failed 5.2.0 69", CLIENT_NO_NEXT, true},
    {". 553", TO_FINAL "553 x", NULL, "failed 5.1.0 69", CLIENT_NO_NEXT, true},
    {". 571", TO_FINAL "571 x", NULL, "failed 5.0.0 76", CLIENT_NO_NEXT, true},
    {". 354", TO_FINAL "354 x", NULL, "failed 5.0.0 76", CLIENT_NO_NEXT, true},
    {". lost", TO_FINAL "<lost>", SENT, "waits 4.4.2 75", CLIENT_NEXT, false},
    {". late", TO_FINAL "<late>", SENT, "waits 4.4.2 75", CLIENT_NEXT, false},
};

static void what_a_host_says_and_what_comes_of_it(void **state)
{
    struct plan p = plan(*state, 1, "");

    for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++)
        hold(*state, &p, &dialogues[i]);
}

#define ALL                                                                                        \
    "220 x ESMTP\n250-x\n250-PIPELINING\n250-8bitmime\n250-SIZE 1\n250-DSN\n250-DELIVERBY 10\n"    \
    "250 ENHANCEDSTATUSCODES\n"

static void enhanced_codes_where_they_are_offered(void **state)
{
    static const struct dialogue table[] = {
        {"passed", ALL "250 m\n250 2.6.0 r\n354 go\n250 ok", NULL, "passed 2.6.0 0", CLIENT_NO_NEXT,
         true},
        {"MAIL", ALL "550 5.7.1 x", NULL, "failed 5.7.1 69", CLIENT_NO_NEXT, true},
        {"MAIL 421", ALL "421 4.3.2 x", NULL, "waits 4.0.0 75", CLIENT_NEXT, false},
        {"MAIL 354", ALL "354 x", NULL, "failed 5.5.1 76", CLIENT_NO_NEXT, false},
        {"another class", ALL "550 4.1.1 x", NULL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"no code", ALL "550 5.7.1234 x", NULL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"no code", ALL "550 5.7", NULL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"of the last line", ALL "450-4.7.2 a\n550 5.7.1 b", NULL, "failed 5.7.1 69",
         CLIENT_NO_NEXT, true},
        {"DATA", ALL "250 m\n250 r\n550 5.7.1 x", NULL, "failed 5.5.0 69", CLIENT_NO_NEXT, true},
        {"final", ALL "250 m\n250 r\n354 x\n550 5.7.1 x", NULL, "failed 5.7.1 69", CLIENT_NO_NEXT,
         true},
    };
    struct plan p = plan(*state, 1, "");

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        hold(*state, &p, &table[i]);
}

static void each_recipient_has_its_own(void **state)
{
    static const char all[] = "EHLO me.example\nMAIL From:<s@y>\nRCPT To:<u@x>\nRCPT To:<v@x>\n"
                              "RCPT To:<w@x>\nDATA\n";
    static const struct dialogue table[] = {
        {"one refused", E "250 m\n250 a\n550 b\n250 c\n354 go\n250 ok", NULL,
         "relayed 2.0.0 0;failed 5.1.1 67;relayed 2.0.0 0", CLIENT_NO_NEXT, true},
        {"one waits", E "250 m\n250 a\n452 b\n452 c\n354 go\n250 ok", NULL,
         "relayed 2.0.0 0;waits 4.3.1 75;waits 4.3.1 75", CLIENT_NEXT, true},
        {"421", E "250 m\n250 a\n421 b", NULL, "waits 4.0.0 75;waits 4.0.0 75;waits 4.0.0 75",
         CLIENT_NEXT, false},
        {"lost", E "250 m\n250 a\n550 b\n<lost>", NULL,
         "waits 4.4.2 75;failed 5.1.1 67;waits 4.4.2 75", CLIENT_NEXT, false},
        {"none", E "250 m\n450 a\n550 b\n452 c", NULL,
         "waits 4.2.0 75;failed 5.1.1 67;waits 4.3.1 75", CLIENT_NEXT, true},
    };
    static const struct dialogue piped[] = {
        {"none, and DATA taken",
         "220 ESMTP\n250-x\n250 PIPELINING\n250 m\n550 a\n550 b\n550 c\n354\n250", NULL,
         "failed 5.1.1 67;failed 5.1.1 67;failed 5.1.1 67", CLIENT_NO_NEXT, true},
        {"none, and DATA refused",
         "220 ESMTP\n250-x\n250 PIPELINING\n250 m\n550 a\n550 b\n550 c\n503 x", all,
         "failed 5.1.1 67;failed 5.1.1 67;failed 5.1.1 67", CLIENT_NO_NEXT, true},
        {"one", "220 ESMTP\n250-x\n250 PIPELINING\n250 m\n550 a\n250 b\n450 c\n354 x\n250 x", NULL,
         "failed 5.1.1 67;relayed 2.0.0 0;waits 4.2.0 75", CLIENT_NEXT, true},
    };
    struct plan p = plan(*state, 3, "");

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        hold(*state, &p, &table[i]);
    for (size_t i = 0; i < sizeof piped / sizeof *piped; i++)
        hold(*state, &p, &piped[i]);
}

#define LHLO "220 x\n250-x\n250 ENHANCEDSTATUSCODES\n"

static void lmtp_answers_for_each(void **state)
{
    static const struct dialogue table[] = {
        {"all", LHLO "250 m\n250 a\n250 b\n250 c\n354 go\n250 a\n250 b\n250 c",
         "LHLO me.example\nMAIL From:<s@y>\nRCPT To:<u@x>\nRCPT To:<v@x>\nRCPT To:<w@x>\n"
         "DATA\n" TEXT,
         "delivered 2.0.0 0;delivered 2.0.0 0;delivered 2.0.0 0", CLIENT_NO_NEXT, true},
        {"by one", LHLO "250 m\n250 a\n250 b\n250 c\n354 go\n250 a\n550 5.2.1 b\n452 c", NULL,
         "delivered 2.0.0 0;failed 5.2.1 69;waits 4.3.1 75", CLIENT_NEXT, true},
        {"skips those refused", LHLO "250 m\n250 a\n550 b\n250 c\n354 go\n250 a\n450 4.2.0 b", NULL,
         "delivered 2.0.0 0;failed 5.1.1 67;waits 4.2.0 75", CLIENT_NEXT, true},
        {"lost", LHLO "250 m\n250 a\n250 b\n250 c\n354 go\n250 a\n<lost>", NULL,
         "delivered 2.0.0 0;waits 4.4.2 75;waits 4.4.2 75", CLIENT_NEXT, false},
        {"421", LHLO "250 m\n250 a\n250 b\n250 c\n354 go\n250 a\n421 b", NULL,
         "delivered 2.0.0 0;waits 4.0.0 75;waits 4.0.0 75", CLIENT_NEXT, false},
        {"LHLO 500", "220 x\n500 x", NULL, "failed 5.5.0 69;failed 5.5.0 69;failed 5.5.0 69",
         CLIENT_NEXT, false},
        {"DATA 554", LHLO "250 m\n250 a\n250 b\n250 c\n554 x", NULL,
         "failed 5.5.0 69;failed 5.5.0 69;failed 5.5.0 69", CLIENT_NO_NEXT, true},
    };
    struct plan p = plan(*state, 3, "z");

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        hold(*state, &p, &table[i]);
}

static void parameters_that_are_offered(void **state)
{
    struct plan p = plan(*state, 1, "a");
    struct dialogue d = {"parameters", ALL "550 x", NULL, "failed 5.0.0 69", CLIENT_NO_NEXT, true};

    p.envid = bytes_of("a+2Bb");
    p.envelope = ENVELOPE_RET_HDRS | ENVELOPE_BY_TRACE;
    p.body = ENVELOPE_8BIT;
    p.deliver_by = 1100;
    d.said = EHLO "MAIL From:<s@y> SIZE=100 BODY=7BIT ENVID=a+2Bb RET=HDRS BY=100;NT\n";
    hold(*state, &p, &d);
    d.host = E "550 x";
    d.said = EHLO MAIL;
    hold(*state, &p, &d);
    /* A return that cannot be in time is not tried. */
    p.envelope = ENVELOPE_BY_RETURN;
    d.host = "220 x\n250 x";
    d.said = EHLO;
    d.outcomes = "failed 5.4.7 69";
    hold(*state, &p, &d);
    p.deliver_by = 0;
    p.envid = bytes_of("");
    p.recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY | NOTIFY_SAID;
    p.recipients[0].original = bytes_of("rfc822;a+2Bb");
    d.host = "220 x\n250-x\n250 DSN\n250 m\n550 x";
    d.said = EHLO MAIL "RCPT To:<u@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb\n";
    d.outcomes = "failed 5.1.1 67";
    hold(*state, &p, &d);
    p.recipients[0].notify = NOTIFY_NEVER | NOTIFY_SAID;
    p.recipients[0].original = bytes_of("");
    p.sender = bytes_of("");
    d.said = EHLO "MAIL From:<>\nRCPT To:<u@x> NOTIFY=NEVER\n";
    hold(*state, &p, &d);
}

static void no_address_becomes_a_command(void **state)
{
    struct plan p = plan(*state, 2, "a");
    struct dialogue d = {"recipient",    E "250 m\n250 r\n354 go\n250 ok",
                         SENT,           "relayed 2.0.0 0;failed 5.1.3 65",
                         CLIENT_NO_NEXT, true};

    p.recipients[1].address = bytes_of("v@x>\r\nRSET\r\n");
    hold(*state, &p, &d);
    p.sender = bytes_of("s\n@y");
    d.host = E;
    d.said = EHLO;
    d.outcomes = "failed 5.1.7 65;failed 5.1.3 65";
    hold(*state, &p, &d);
}

#define TLS "220 x ESMTP\n250-x\n250-SIZE\n250 STARTTLS\n"
#define STARTTLS EHLO "STARTTLS\n"

static void tls_is_taken_where_it_is_offered(void **state)
{
    static const struct dialogue table[] = {
        /* What was offered before does not count, nor is it asked for again. */
        {"secured", TLS "220 go\n<tls>\n250-x\n250 STARTTLS\n250 m\n250 r\n354 go\n250 ok",
         STARTTLS EHLO MAIL RCPT "DATA\n" TEXT, "relayed 2.0.0 0", CLIENT_NO_NEXT, true},
        {"refused", TLS "454 no\n250 m\n250 r\n354 go\n250 ok",
         STARTTLS "MAIL From:<s@y> SIZE=100\n" RCPT "DATA\n" TEXT, "relayed 2.0.0 0",
         CLIENT_NO_NEXT, true},
        {"not offered", "220 x ESMTP\n250-x\n250 START\n250 m\n250 r\n354 go\n250 ok", SENT,
         "relayed 2.0.0 0", CLIENT_NO_NEXT, true},
        {"no handshake", TLS "220 go\n<notls>", STARTTLS, "waits 4.7.0 75", CLIENT_NEXT, false},
        {"lost", TLS "220 go\n<lost>", STARTTLS, "waits 4.7.0 75", CLIENT_NEXT, false},
        {"late", TLS "220 go\n<late>", STARTTLS, "waits 4.4.2 75", CLIENT_NEXT, false},
        {"lost before", TLS "<lost>", STARTTLS, "waits 4.4.2 75", CLIENT_NEXT, false},
        /* Whoever speaks between us is not heard. */
        {"more than was asked", TLS "220 go\n250 m\n250 r\n<tls>\n250 x\n550 m", STARTTLS EHLO MAIL,
         "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"EHLO refused behind it", TLS "220 go\n<tls>\n554 x", STARTTLS EHLO "HELO me.example\n",
         "waits 4.4.0 75", CLIENT_NO_NEXT, false},
    };
    static const struct dialogue falling[] = {
        {"falls back", TLS "220 go\n<notls>", STARTTLS, "waits 4.4.0 75", CLIENT_IN_CLEAR, false},
        {"falls back when lost", TLS "220 go\n<lost>", STARTTLS, "waits 4.4.0 75", CLIENT_IN_CLEAR,
         false},
        {"nothing to fall back from", TLS "454 no\n550 no", STARTTLS "MAIL From:<s@y> SIZE=100\n",
         "failed 5.0.0 69", CLIENT_NO_NEXT, true}};
    static const struct dialogue asking[] = {
        {"tried", TLS "<try>\n220 go\n<tls>\n250 x\n550 m", STARTTLS EHLO MAIL, "failed 5.0.0 69",
         CLIENT_NO_NEXT, true},
        {"not tried", TLS "<leave>\n550 m", EHLO "MAIL From:<s@y> SIZE=100\n", "failed 5.0.0 69",
         CLIENT_NO_NEXT, true}};
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "");

    hold(*state, &p,
         &(struct dialogue){"none of ours", TLS "550 m", EHLO "MAIL From:<s@y> SIZE=100\n",
                            "failed 5.0.0 69", CLIENT_NO_NEXT, true});
    s.tls = true;
    for (size_t i = 0; i + 1 < sizeof table / sizeof *table; i++)
        hold_with(*state, &p, &table[i], s);
    s.falls_back = true;
    for (size_t i = 0; i < sizeof falling / sizeof *falling; i++)
        hold_with(*state, &p, &falling[i], s);
    s.tries = true;
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        hold_with(*state, &p, &asking[i], s);
}

#define AUTH "220 x ESMTP\n250-x\n250-AUTH=A B\n250 AUTH CC\n"
#define SAID_MAIL EHLO "AUTH A\n" MAIL

static void a_login_comes_before_mail(void **state)
{
    static const struct dialogue table[] = {
        {"at once", AUTH "<A B CC@A=me>\n235 ok\n550 m", EHLO "AUTH A bWU=\n" MAIL,
         "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"with nothing", AUTH "<A B CC@A=>\n235 ok\n550 m", EHLO "AUTH A =\n" MAIL,
         "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"asked", AUTH "<A B CC@A>\n334 d2hv\n<=who@=me>\n334\n<=@=>\n235 ok\n550 m",
         EHLO "AUTH A\nbWU=\n\n" MAIL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"unknown", AUTH "<A B CC@->\n550 m", EHLO MAIL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"another one", AUTH "<A B CC@b>\n535 no\n<A CC@A>\n235 ok\n550 m",
         EHLO "AUTH b\nAUTH A\n" MAIL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        /* Refused by all, mail goes as if there was none. */
        {"none of them", AUTH "<A B CC@B>\n535 no\n<A CC@!>\n550 m", EHLO "AUTH B\n" MAIL,
         "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"not now", AUTH "<A B CC@B>\n454 no\n<A CC@!>", EHLO "AUTH B\nQUIT\n", "waits 4.7.0 75",
         CLIENT_NEXT, false},
        {"no mechanism", AUTH "<A B CC@!>", EHLO "QUIT\n", "waits 4.7.0 75", CLIENT_NEXT, false},
        {"421", AUTH "<A B CC@B>\n421 no", EHLO "AUTH B\nQUIT\n", "waits 4.7.0 75", CLIENT_NEXT,
         false},
        {"no answer", AUTH "<A B CC@A>\n334 d2hv\n<=who@!>\n501 x\n<B CC@->\n550 m",
         EHLO "AUTH A\n*\n" MAIL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"no base64", AUTH "<A B CC@A>\n334 who?\n501 x\n<B CC@->\n550 m", EHLO "AUTH A\n*\n" MAIL,
         "failed 5.0.0 69", CLIENT_NO_NEXT, true},
        {"lost", AUTH "<A B CC@A>\n<lost>", EHLO "AUTH A\n", "waits 4.4.2 75", CLIENT_NEXT, false},
        {"not offered", E "550 m", EHLO MAIL, "failed 5.0.0 69", CLIENT_NO_NEXT, true},
    };
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "");

    s.logs_in = true;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        hold_with(*state, &p, &table[i], s);
    /* What is offered beneath TLS counts. */
    s.tls = true;
    hold_with(*state, &p,
              &(struct dialogue){"TLS",
                                 "220 x ESMTP\n250-x\n250-AUTH X\n250 STARTTLS\n220 go\n<tls>\n"
                                 "250-x\n250 AUTH B\n<B@B>\n235 ok\n550 m",
                                 EHLO "STARTTLS\n" EHLO "AUTH B\n" MAIL, "failed 5.0.0 69",
                                 CLIENT_NO_NEXT, true},
              s);
}

/* No secret is told in a report, nor is one said to a host that rules do not like. */
static void passwords_are_kept(void **state)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "");
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);
    struct buf said;
    struct bytes what;
    bool step, fresh;

    buf_init(&said, *state);
    s.logs_in = true;
    struct client *c = client_new(*state, &s, bytes_of("host.x"));
    client_begin(c, h);
    talk(c, AUTH "<A B CC@A=secret>\n535 no\n<B CC@B>\n334 d2hv\n<=who@=secret>\n454 no\n<CC@!>",
         false, &said);
    assert_string_equal(h->transcript.data,
                        "... while talking to host.x:\n>>> AUTH dialogue\n<<< 535 no\n"
                        ">>> AUTH dialogue\n<<< 454 no\nu@x... Deferred: Temporary AUTH failure\n");
    s.asks = true;
    c = client_new(*state, &s, bytes_of("host.x"));
    client_begin(c, h = hand_over_new(*state, &p, 0, 0));
    talk(c, AUTH, false, &said);
    assert_false(client_logs_in(c, &step, &what));
    assert_true(client_asks(c, &fresh));
    client_ruled(c, bytes_of(""), (struct texts){NULL, 0});
    assert_true(client_logs_in(c, &step, &what));
}

static void an_author_is_passed_on(void **state)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "");
    struct dialogue d = {"author",          AUTH "550 m",   EHLO "MAIL From:<s@y> AUTH=bob\n",
                         "failed 5.0.0 69", CLIENT_NO_NEXT, true};

    p.author = bytes_of("bob");
    hold_with(*state, &p, &d, s);
    d.host = E "550 m";
    d.said = EHLO MAIL;
    hold_with(*state, &p, &d, s);
    s.author_needs_login = true;
    d.host = AUTH "550 m";
    hold_with(*state, &p, &d, s);
    s.logs_in = true;
    d.host = AUTH "<A B CC@A>\n235 ok\n550 m";
    d.said = EHLO "AUTH A\nMAIL From:<s@y> AUTH=bob\n";
    hold_with(*state, &p, &d, s);
    p.author = bytes_of("bob\r\nRSET");
    d.said = SAID_MAIL;
    hold_with(*state, &p, &d, s);
}

/* What is known of a connection when rules are asked; it ends with a refusal of theirs. */
static void verify_is(struct arena *a, const char *host, bool clear, const char *verify)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(a, 1, "");
    struct client *c;
    struct hand_over *h = hand_over_new(a, &p, 0, 0);
    struct buf said;
    bool fresh;

    buf_init(&said, a);
    s.tls = s.asks = true;
    c = client_new(a, &s, bytes_of("host.x"));
    if (clear)
        client_stay_in_clear(c);
    client_begin(c, h);
    talk(c, host, false, &said);
    assert_true(client_asks(c, &fresh) && fresh);
    assert_string_equal(client_found(c)[SECURED_VERIFY].p, verify);
    client_ruled(c, bytes_of("554 5.7.1 no"), (struct texts){NULL, 0});
    assert_true(client_done(c));
    assert_int_equal(client_over(c), strcmp(verify, "SOFTWARE") == 0);
    assert_string_equal(outcomes(a, h), "failed 5.7.1 69");
    assert_int_equal(client_next(c), CLIENT_NEXT);
}

static void rules_know_how_it_went(void **state)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "");
    struct buf said;

    verify_is(*state, "220 x\n250 x", false, "NONE");
    verify_is(*state, TLS "501 x", false, "NONE");
    verify_is(*state, TLS "454 x", false, "TEMP");
    verify_is(*state, TLS "354 x", false, "PROTOCOL");
    verify_is(*state, TLS "220 x\n<tls>\n250 x", false, "OK");
    verify_is(*state, TLS "220 x\n<notls>", false, "SOFTWARE");
    verify_is(*state, TLS, true, "CLEAR");
    /* Rules that do not mind cannot bring back a host that is gone. */
    buf_init(&said, *state);
    s.tls = s.asks = true;
    struct client *c = client_new(*state, &s, bytes_of("host.x"));
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);
    client_begin(c, h);
    talk(c, TLS "220 x\n<notls>", false, &said);
    assert_true(client_broken(c));
    client_ruled(c, bytes_of(""), (struct texts){NULL, 0});
    assert_true(client_over(c));
    assert_string_equal(outcomes(*state, h), "waits 4.4.2 75");
    assert_string_equal(h->transcript.len ? h->transcript.data : "", "");
}

static void a_connection_takes_more_than_one(void **state)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "a");
    struct client *c = client_new(*state, &s, bytes_of("host.x"));
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);
    struct buf said;

    buf_init(&said, *state);
    client_begin(c, h);
    talk(c, TO_FINAL "250 ok", false, &said);
    assert_true(client_reusable(c));
    assert_int_equal(client_wait(c).stage, CLIENT_IDLE);
    buf_truncate(&said, 0);
    h = hand_over_new(*state, &p, 0, 0);
    client_begin(c, h);
    assert_int_equal(client_wait(c).ms, 300000);
    talk(c, "250 reset\n250 m\n250 r\n354 go\n250 ok", false, &said);
    assert_string_equal(said.data, "RSET\n" MAIL RCPT "DATA\n" TEXT);
    assert_string_equal(outcomes(*state, h), "relayed 2.0.0 0");
    buf_truncate(&said, 0);
    client_quit(c);
    talk(c, "221 bye", false, &said);
    assert_string_equal(said.data, "QUIT\n");
    assert_true(client_over(c));
}

static void a_stale_connection_is_made_anew(void **state)
{
    static const char *const ends[] = {"<lost>", "421 x", "<late>", "550 x"};
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "a");

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct client *c = client_new(*state, &s, bytes_of("host.x"));
        struct hand_over *h = hand_over_new(*state, &p, 0, 0);
        struct buf said;
        buf_init(&said, *state);
        client_begin(c, h);
        talk(c, TO_FINAL "250 ok", false, &said);
        h = hand_over_new(*state, &p, 0, 0);
        client_begin(c, h);
        talk(c, ends[i], false, &said);
        assert_true(client_done(c));
        assert_int_equal(client_next(c), CLIENT_SAME_HOST);
        c = client_new(*state, &s, bytes_of("host.x"));
        client_begin(c, h);
        talk(c, TO_FINAL "250 ok", false, &said);
        assert_string_equal(outcomes(*state, h), "relayed 2.0.0 0");
    }
}

static void the_next_host_gets_those_that_wait(void **state)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 3, "a");
    struct client *c = client_new(*state, &s, bytes_of("one.x"));
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);
    struct buf said;

    buf_init(&said, *state);
    client_begin(c, h);
    talk(c, E "250 m\n250 a\n450 b\n550 c\n354 go\n250 ok", false, &said);
    assert_int_equal(client_next(c), CLIENT_NEXT);
    c = client_new(*state, &s, bytes_of("two.x"));
    client_begin(c, h);
    client_unreachable(c, ECONNREFUSED);
    assert_true(client_done(c) && client_over(c));
    assert_string_equal(outcomes(*state, h), "relayed 2.0.0 0;waits 4.4.1 75;failed 5.1.1 67");
    assert_string_equal(h->outcomes[1].answer.p, "Connection refused by two.x");
    buf_truncate(&said, 0);
    c = client_new(*state, &s, bytes_of("three.x"));
    client_begin(c, h);
    talk(c, E "250 m\n250 b\n354 go\n250-ok\n250 so", false, &said);
    assert_string_equal(said.data, EHLO MAIL "RCPT To:<v@x>\nDATA\n" TEXT);
    assert_string_equal(outcomes(*state, h), "relayed 2.0.0 0;relayed 2.0.0 0;failed 5.1.1 67");
    /* Of success, what was said to RCPT. */
    assert_string_equal(h->outcomes[1].answer.p, "250 b");
    assert_string_equal(h->outcomes[1].host.p, "three.x");
}

static struct client *client_at_rules(struct arena *a, struct hand_over *h, const char *host,
                                      struct buf *said)
{
    struct client_settings s = client_settings_default();
    bool fresh;

    s.asks = true;
    struct client *c = client_new(a, &s, bytes_of("host.x"));
    buf_init(said, a);
    assert_false(client_asks(c, &fresh));
    client_begin(c, h);
    talk(c, host, false, said);
    assert_string_equal(said->data, EHLO);
    assert_true(client_asks(c, &fresh) && fresh);
    assert_int_equal(client_wait(c).ms, 0);
    return c;
}

static void rules_are_asked_before_mail(void **state)
{
    struct plan p = plan(*state, 1, "a");
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);
    struct buf said;
    struct client *c = client_at_rules(*state, h, E, &said);
    bool fresh;

    client_ruled(c, bytes_of(""), (struct texts){NULL, 0});
    assert_false(client_asks(c, &fresh));
    talk(c, "250 m\n250 r\n354 go\n250 ok", false, &said);
    assert_string_equal(said.data, SENT);
    /* About the host itself once a connection. */
    h = hand_over_new(*state, &p, 0, 0);
    client_begin(c, h);
    talk(c, "250 reset", false, &said);
    assert_true(client_asks(c, &fresh) && !fresh);
}

static void hosts_that_rules_refuse_get_nothing(void **state)
{
    static const struct {
        const char *refusal, *outcomes, *transcript;
    } cases[] = {
        {"454 4.7.1 no", "waits 4.7.1 75", "u@x... Deferred: 454 4.7.1 no\n"},
        {"554 5.7.2 no", "failed 5.7.2 69", "554 5.0.0 Service unavailable\n"},
        {"554 no", "failed 5.7.0 69", "554 5.0.0 Service unavailable\n"},
        {"4", "waits 4.7.0 75", "u@x... Deferred: 4\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan p = plan(*state, 1, "a");
        struct hand_over *h = hand_over_new(*state, &p, 0, 0);
        struct buf said;
        struct client *c = client_at_rules(*state, h, E, &said);
        client_ruled(c, bytes_of(cases[i].refusal), (struct texts){NULL, 0});
        client_ruled(c, bytes_of(""), (struct texts){NULL, 0}); /* nobody asked for that */
        talk(c, "221 bye", false, &said);
        assert_string_equal(said.data, EHLO "QUIT\n");
        assert_string_equal(outcomes(*state, h), cases[i].outcomes);
        assert_int_equal(client_next(c), CLIENT_NEXT);
        assert_int_equal(h->transcript.len, 0);
        hand_over_end(h);
        assert_string_equal(h->transcript.data, cases[i].transcript);
    }
}

static void recipients_that_rules_refuse_are_not_named(void **state)
{
    struct bytes refusals[] = {bytes_of("554 5.7.1 no"), bytes_of(""), bytes_of("454 4.7.1 later")};
    struct plan p = plan(*state, 3, "a");
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);
    struct buf said;
    struct client *c = client_at_rules(*state, h, E, &said);

    client_ruled(c, bytes_of(""), (struct texts){refusals, 3});
    talk(c, "250 m\n250 r\n354 go\n250 ok", false, &said);
    assert_string_equal(said.data, EHLO MAIL "RCPT To:<v@x>\nDATA\n" TEXT);
    assert_string_equal(outcomes(*state, h), "failed 5.5.2 65;relayed 2.0.0 0;waits 4.7.0 75");
    assert_int_equal(client_next(c), CLIENT_NEXT);
    hand_over_end(h); /* has nothing to add */
    assert_string_equal(h->transcript.data, "554 5.7.1 no\n501 5.6.0 Data format error\n"
                                            "454 4.7.1 later\nw@x... Deferred\n");
}

static void an_unread_body_ends_no_message(void **state)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "a");
    struct client *c = client_new(*state, &s, bytes_of("host.x"));
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);
    struct bytes out;
    uint64_t offset;
    size_t most;

    client_begin(c, h);
    for (const char *const *l = (const char *const[]){"220", "250", "250", "250", "354", NULL}; *l;
         l++) {
        client_input(c, *l, 3);
        client_input(c, "\n", 1);
        if (client_output(c, &out))
            client_sent(c, out.len);
    }
    assert_true(client_fetch(c, &offset, &most));
    client_piece(c, "abc", 3);
    client_piece_failed(c);
    assert_false(client_output(c, &out));
    assert_true(client_over(c) && client_done(c));
    assert_string_equal(outcomes(*state, h), "waits 4.3.0 74");
}

static void endless_replies_end(void **state)
{
    struct client_settings s = client_settings_default();
    struct plan p = plan(*state, 1, "a");
    struct arena *mine = arena_beside(*state);
    struct client *c = client_new(mine, &s, bytes_of("host.x"));
    struct hand_over *h = hand_over_new(*state, &p, 0, 0);

    client_begin(c, h);
    for (int i = 0; i < CLIENT_REPLY_LINES; i++)
        client_input(c, "250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 38);
    assert_false(client_done(c));
    for (int i = 0; i < 10000; i++)
        client_input(c, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", 38);
    assert_true(arena_used(mine) < 100000);
    client_input(c, "\n250-x\n", 7);
    assert_true(client_done(c));
    assert_string_equal(outcomes(*state, h), "waits 4.4.2 75");
    arena_free(mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(what_a_host_says_and_what_comes_of_it),
        UNIT(enhanced_codes_where_they_are_offered),
        UNIT(each_recipient_has_its_own),
        UNIT(lmtp_answers_for_each),
        UNIT(parameters_that_are_offered),
        UNIT(no_address_becomes_a_command),
        UNIT(tls_is_taken_where_it_is_offered),
        UNIT(rules_know_how_it_went),
        UNIT(a_login_comes_before_mail),
        UNIT(passwords_are_kept),
        UNIT(an_author_is_passed_on),
        UNIT(a_connection_takes_more_than_one),
        UNIT(a_stale_connection_is_made_anew),
        UNIT(the_next_host_gets_those_that_wait),
        UNIT(rules_are_asked_before_mail),
        UNIT(hosts_that_rules_refuse_get_nothing),
        UNIT(recipients_that_rules_refuse_are_not_named),
        UNIT(an_unread_body_ends_no_message),
        UNIT(endless_replies_end),
    };
    return cmocka_run_group_tests_name("mta_client", tests, NULL, NULL);
}
