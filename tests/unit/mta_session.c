/*
 * Dialogues with the server side of SMTP: what is sent, fed whole and byte by byte, and all that
 * comes back.  A small policy answers.
 */
#include <stdio.h>
#include <string.h>

#include "mta/front/session.h"
#include "mta/message/seen.h"
#include "tests/unit/unit.h"

#define HELLO "mail.example Hello client.example [192.0.2.1], pleased to meet you\r\n"
#define GREETING "220 mail.example ESMTP ready\r\n"
#define EHLO_LIST                                                                                  \
    "250-" HELLO "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-EXPN\r\n250-VERB\r\n"           \
    "250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250-ETRN\r\n250-DELIVERBY\r\n250 HELP\r\n"
#define MAIL_OK "250 2.1.0 <a@b.example>... Sender ok\r\n"
#define RCPT_OK "250 2.1.5 <user@x.example>... Recipient ok\r\n"
#define GO_ON "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TAKEN "250 2.0.0 ID1 Message accepted for delivery\r\n"
#define RESET "250 2.0.0 Reset state\r\n"
#define ENVELOPE "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<user@x.example>\r\n", "DATA\r\n"
#define BARE_LF "421 4.5.0 Bare linefeed (LF) not allowed\r\n"
#define BARE_CR "421 4.5.0 Bare carriage return (CR) not allowed\r\n"

static const struct session_settings usual = {.name = "mail.example",
                                              .max_head = 32768,
                                              .max_noops = 20,
                                              .command_ms = 3600000,
                                              .data_ms = 3600001};

/* What a run made of a session. */
struct run {
    struct arena *arena;
    const struct session_settings *settings;
    const char *features, *refusal, *offer, *tls_refusal;
    bool required;
    uint64_t greet_pause;
    struct session *s;
    struct buf out;  /* "(pause MS)" where it paused */
    struct buf body; /* of all messages, '|' behind each that was stored */
    struct buf head;
    struct buf asked; /* first letters of questions */
    struct session_question end;
};

static struct bytes text(const char *s)
{
    return (struct bytes){s, strlen(s)};
}

static bool has(struct bytes b, const char *word)
{
    return b.len > 0 && memmem(b.p, b.len, word, strlen(word)) != NULL;
}

static void policy(struct run *r, const struct session_question *q)
{
    struct bytes connect[4] = {text("mail.example ready"), text("client.example [192.0.2.1]"),
                               text(r->features), text(r->offer)};
    struct bytes challenge = text("who?");
    struct bytes one = text("ID1"), two[2] = {text("envelope"), text("other")};
    struct session_answer a = {.reply = {NULL, 0}};

    switch (q->kind) {
    case SESSION_CONNECT:
        a.texts = (struct texts){connect, *r->offer ? 4 : 3};
        a.reply = text(r->refusal);
        a.flags = strncmp(r->refusal, "421", 3) == 0 ? VERDICT_CLOSE : 0;
        a.wait_ms = r->greet_pause;
        a.flags |= r->required ? VERDICT_AUTH_REQUIRED : 0;
        break;
    case SESSION_MAIL:
    case SESSION_RCPT:
        if (has(q->argument, "nobody"))
            a.reply = text("550 5.1.1 User unknown");
        else if (has(q->argument, "later"))
            a.reply = text("451-4.7.1 Not\n451 4.7.1 now");
        else if (has(q->argument, "close")) {
            a.reply = text("421 4.7.0 Gone");
            a.flags = VERDICT_CLOSE;
        }
        if (has(q->argument, "slow"))
            a.wait_ms = 700;
        break;
    case SESSION_COMMAND:
        if (has(q->verb, "VRFY") || has(q->verb, "EXPN"))
            a.reply = text("250 2.1.5 <user@x.example>");
        break;
    case SESSION_AUTH:
    case SESSION_AUTH_STEP:
        if (has(q->argument, "wrong"))
            a.reply = text("535 5.7.0 authentication failed");
        else if (q->argument.p == NULL || has(q->argument, "more")) {
            a.flags = VERDICT_CHALLENGE;
            a.texts = (struct texts){&challenge, 1};
        }
        break;
    case SESSION_END:
        buf_add(&r->head, q->head.p, q->head.len);
        r->end = *q;
        if (has(q->head, "X-Refuse"))
            a.reply = text("554 5.7.1 Refused");
        else if (!has(q->head, "X-Discard"))
            a.texts = (struct texts){two, 2};
        break;
    case SESSION_STORE:
        assert_int_equal(q->envelopes.n, 2);
        assert_memory_equal(q->envelopes.v[0].p, "envelope", 8);
        assert_memory_equal(q->envelopes.v[1].p, "other", 5);
        a.status = has(text(r->head.data), "X-Full") ? 75 : 0;
        a.texts = (struct texts){&one, 1};
        break;
    case SESSION_SECURED:
        assert_int_equal(q->found.n, 2);
        assert_memory_equal(q->found.v[1].p, "TLSv1.3", 7);
        a.reply = text(r->tls_refusal);
        a.texts = (struct texts){(struct bytes[]){text("AUTH EXTERNAL")}, *r->offer ? 1 : 0};
        break;
    default:
        break;
    }
    buf_addc(&r->asked, "-CHMRcAaTESr"[q->kind]);
    bool stored = q->kind == SESSION_STORE;
    session_answer(r->s, &a);
    if (stored) {
        struct bytes b;
        if (session_body(r->s, &b)) {
            buf_add(&r->body, b.p, b.len);
            session_body_taken(r->s, b.len);
        }
        buf_addc(&r->body, '|');
    }
}

/* All that can be done without input. */
static void turn(struct run *r)
{
    for (;;) {
        struct bytes b;
        struct session_wait w;
        if (session_output(r->s, &b)) {
            buf_add(&r->out, b.p, b.len);
            session_sent(r->s, b.len);
        } else if (session_body(r->s, &b)) {
            buf_add(&r->body, b.p, 1);
            session_body_taken(r->s, 1);
        } else if (session_question(r->s) != NULL) {
            policy(r, session_question(r->s));
        } else if ((w = session_wait(r->s)).kind == SESSION_WAIT_PAUSE) {
            buf_printf(&r->out, "(pause %d)", (int)w.ms);
            session_timeout(r->s);
        } else if (w.kind == SESSION_WAIT_TLS) {
            struct bytes found[] = {text("OK"), text("TLSv1.3")};
            buf_printf(&r->out, "(TLS%s)", session_asks_certificate(r->s) ? " of both" : "");
            session_secured(r->s, (struct texts){found, 2});
        } else {
            return;
        }
    }
}

static void start(struct run *r, struct arena *a, const struct session_settings *settings,
                  const char *features)
{
    struct buf *bufs[] = {&r->out, &r->body, &r->head, &r->asked};

    *r = (struct run){.arena = a,
                      .settings = settings,
                      .features = features,
                      .refusal = "",
                      .offer = "",
                      .tls_refusal = ""};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) {
        buf_init(bufs[i], a);
        buf_adds(bufs[i], "");
    }
    r->s = session_new(a, settings);
}

/* Everything that can be done at once is done between pieces of `step` bytes. */
static void send(struct run *r, const char *s, size_t len, size_t step)
{
    size_t at = 0;

    turn(r);
    while (at < len && !session_over(r->s)) {
        size_t used = session_input(r->s, s + at, len - at < step ? len - at : step);
        at += used;
        turn(r);
    }
}

enum { MOST = 12 };

static const struct dialogue {
    const char *name;
    const char *features;
    struct session_settings settings; /* what differs from the usual ones */
    const char *send[MOST];
    const char *out, *asked, *head, *body; /* NULL: not looked at */
} dialogues[] = {
    {"nothing", "", {.name = NULL}, {""}, GREETING, "C", "", ""},
    {"a message",
     "",
     {.name = NULL},
     {"EHLO c.example\r\n", ENVELOPE, "Subject: x\r\n\r\nbody\r\n..\r\n.\r\n", "QUIT\r\n"},
     GREETING EHLO_LIST MAIL_OK RCPT_OK GO_ON TAKEN "221 2.0.0 mail.example closing connection\r\n",
     "CHMRcES",
     "Subject: x\n",
     "body\n.\n|"},
    {"two messages, no hello, small letters",
     "",
     {.name = NULL},
     {"mail from:<a@b.example>\r\n", "rcpt to:<user@x.example>\r\n", "data\r\n", ".\r\n", ENVELOPE,
      "x y\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON TAKEN MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcESMRcES",
     "",
     "|x y\n|"},
    {"pipelining",
     "",
     {.name = NULL},
     {"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@x>\r\nRCPT TO:<later@x>\r\n"
      "RCPT TO:<user@x.example>\r\nRSET\r\nNOOP\r\n"},
     GREETING MAIL_OK "550 5.1.1 User unknown\r\n451-4.7.1 Not\r\n451 4.7.1 now\r\n" RCPT_OK RESET
                      "250 2.0.0 OK\r\n",
     "CMRRRr",
     NULL,
     NULL},
    {"order",
     "",
     {.name = NULL},
     {"RCPT TO:<x>\r\n", "DATA\r\n", "MAIL FROM:<a@b.example>\r\n", "DATA\r\n",
      "RCPT TO:<nobody>\r\n", "DATA\r\n", "MAIL FROM:<a@b.example>\r\n", "HELO c.example\r\n",
      "DATA\r\n"},
     GREETING "503 5.0.0 Need MAIL before RCPT\r\n503 5.0.0 Need MAIL command\r\n" MAIL_OK
              "503 5.0.0 Need RCPT (recipient)\r\n550 5.1.1 User unknown\r\n"
              "503 5.0.0 Need RCPT (recipient)\r\n503 5.5.0 Sender already specified\r\n"
              "250 " HELLO "503 5.0.0 Need MAIL command\r\n",
     "CMRrH",
     NULL,
     NULL},
    {"syntax",
     "",
     {.name = NULL},
     {"MAIL\r\n", "MAIL FROM\r\n", "MAIL FROM:\r\n", "MAIL TO:<x>\r\n", "MAIL FROM <x>\r\n",
      "MAIL <x@y>\r\n", "MAIL FROM :<a@b.example>\r\n", "RCPT FROM:<x>\r\n", "RCPT\r\n",
      "RCPT \t TO: <user@x.example>  NOTIFY=NEVER\r\n", "RCPT TO:<x> FOO\r\n"},
     GREETING "501 5.5.2 Syntax error in parameters scanning \"\"\r\n"
              "501 5.5.2 Syntax error in parameters scanning \"FROM\"\r\n"
              "501 5.5.2 Syntax error in parameters scanning \"FROM\"\r\n"
              "501 5.5.2 Syntax error in parameters scanning \"TO\"\r\n"
              "501 5.5.2 Syntax error in parameters scanning \"FROM\"\r\n"
              "501 5.5.2 Syntax error in parameters scanning \"<x@y>\"\r\n" MAIL_OK
              "501 5.5.2 Syntax error in parameters scanning \"FROM\"\r\n"
              "501 5.5.2 Syntax error in parameters scanning \"\"\r\n" RCPT_OK
              "555 5.5.4 FOO parameter unrecognized\r\n",
     "CMRR",
     NULL,
     NULL},
    {"no commands",
     "",
     {.name = NULL},
     {"\r\n", " \r\n", "FOO\r\n", "foo  bar\r\n", "QUITX\r\n", "NOOP\xe9\r\n", "  NOOP x\r\n",
      "SEND x\r\n", "AUTH PLAIN\r\n", "STARTTLS\r\n", "STARTTLS x\r\n", "BDAT 1\r\n"},
     GREETING "500 5.5.1 Command unrecognized: \"\"\r\n500 5.5.1 Command unrecognized: \" \"\r\n"
              "500 5.5.1 Command unrecognized: \"FOO\"\r\n"
              "500 5.5.1 Command unrecognized: \"foo  bar\"\r\n"
              "500 5.5.1 Command unrecognized: \"QUITX\"\r\n"
              "500 5.5.1 Command unrecognized: \"NOOPi\"\r\n250 2.0.0 OK\r\n"
              "502 5.5.1 Command not implemented: \"SEND x\"\r\n503 5.3.3 AUTH not available\r\n"
              "454 4.3.3 TLS not available after start\r\n"
              "501 5.5.2 Syntax error (no parameters allowed)\r\n"
              "500 5.5.1 Command unrecognized: \"BDAT 1\"\r\n",
     "C",
     NULL,
     NULL},
    {"names",
     "",
     {.name = NULL},
     {"HELO\r\n", "HELO a_b.[1:2]#-\r\n"},
     GREETING "501 5.0.0 HELO requires domain address\r\n250 " HELLO,
     "CH",
     NULL,
     NULL},
    {"no name, and slower",
     "",
     {.name = NULL},
     {"EHLO \r\n", "HELO a b\r\n", "EHLO a@b\r\n", "HELO x\r\n"},
     GREETING "501 5.0.0 EHLO requires domain address\r\n501 5.0.0 Invalid domain name\r\n"
              "(pause 1000)501 5.0.0 Invalid domain name\r\n(pause 2000)250 " HELLO,
     "CH",
     NULL,
     NULL},
    {"any name",
     "",
     {.switches = SESSION_ALLOW_BOGUS_HELO},
     {"HELO a b\r\n"},
     GREETING "250 " HELLO,
     "CH",
     NULL,
     NULL},
    {"questions",
     "",
     {.name = NULL},
     {"VRFY user\r\n", "VRFY\r\n", "EXPN user\r\n", "EXPN\r\n", "ETRN\r\n", "ETRN x.example\r\n",
      "VERB\r\n"},
     GREETING "250 2.1.5 <user@x.example>\r\n501 5.5.2 Argument required\r\n"
              "250 2.1.5 <user@x.example>\r\n501 5.5.2 Argument required\r\n"
              "500 5.5.2 Parameter required\r\n250 2.0.0 Queuing for node x.example started\r\n"
              "250 2.0.0 Verbose mode\r\n",
     "Cccc",
     NULL,
     NULL},
    {"privacy",
     "",
     {.switches = SESSION_NEED_MAIL_HELO | SESSION_NEED_VRFY_HELO | SESSION_NO_EXPN |
                  SESSION_NO_ETRN | SESSION_NO_RECEIPTS},
     {"MAIL FROM:<x>\r\n", "VRFY x\r\n", "EXPN x\r\n", "ETRN x\r\n", "VERB\r\n", "EHLO x\r\n",
      "MAIL FROM:<a@b.example> RET=HDRS\r\n"},
     GREETING "503 5.0.0 Polite people say HELO first\r\n"
              "503 5.0.0 I demand that you introduce yourself first\r\n"
              "502 5.7.0 Sorry, we do not allow this operation\r\n"
              "502 5.7.0 Sorry, we do not allow this operation\r\n"
              "502 5.7.0 Verbose unavailable\r\n"
              "250-" HELLO "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
              "250-SIZE\r\n250-DELIVERBY\r\n250 HELP\r\n"
              "504 5.7.0 Sorry, RET not supported, we do not allow DSN\r\n",
     "CHM",
     NULL,
     NULL},
    {"features",
     "B D E P X",
     {.max_size = 5, .deliver_by_min = 30},
     {"EHLO x\r\n", "ETRN x\r\n", "MAIL FROM:<x> SIZE=6\r\n"},
     GREETING "250-" HELLO "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SIZE 5\r\n"
              "250-DELIVERBY 30\r\n250 HELP\r\n"
              "502 5.7.0 Sorry, we do not allow this operation\r\n"
              "552 5.2.3 Message size exceeds fixed maximum message size (5)\r\n",
     "CHM",
     NULL,
     NULL},
    {"no VRFY",
     "",
     {.switches = SESSION_NO_VRFY},
     {"VRFY user\r\n"},
     GREETING "252 2.5.2 Cannot VRFY user; try RCPT to attempt delivery (or try finger)\r\n",
     "C",
     NULL,
     NULL},
    {"too many recipients",
     "",
     {.max_recipients = 1},
     {"MAIL FROM:<a@b.example>\r\n", "RCPT TO:<nobody>\r\n", "RCPT TO:<user@x.example>\r\n",
      "RCPT TO:<user@x.example>\r\n", "RCPT FOO\r\n", "DATA\r\n", ".\r\n"},
     GREETING MAIL_OK
     "550 5.1.1 User unknown\r\n" RCPT_OK
     "452 4.5.3 Too many recipients\r\n452 4.5.3 Too many recipients\r\n" GO_ON TAKEN,
     "CMRRcES",
     NULL,
     "|"},
    {"bad recipients",
     "",
     {.bad_recipients = 1, .bad_recipient_ms = 1500},
     {"MAIL FROM:<a@b.example>\r\n", "RCPT TO:<nobody>\r\n", "RCPT TO:<user@x.example>\r\nNOOP\r\n",
      "RSET\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT FOO\r\n", "RCPT TO:<user@x.example>\r\n"},
     GREETING MAIL_OK
     "550 5.1.1 User unknown\r\n(pause 1500)" RCPT_OK "250 2.0.0 OK\r\n" RESET MAIL_OK
     "501 5.5.2 Syntax error in parameters scanning \"FOO\"\r\n(pause 1500)" RCPT_OK,
     "CMRRrMR",
     NULL,
     NULL},
    {"policy waits, and closes",
     "",
     {.name = NULL},
     {"MAIL FROM:<slow>\r\n", "RCPT TO:<close>\r\n", "NOOP\r\n"},
     GREETING "(pause 700)250 2.1.0 <slow>... Sender ok\r\n421 4.7.0 Gone\r\n",
     "CMR",
     NULL,
     NULL},
    {"refused at the end",
     "",
     {.name = NULL},
     {ENVELOPE, "X-Refuse: 1\r\n\r\nx\r\n.\r\n", "DATA\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON "554 5.7.1 Refused\r\n503 5.0.0 Need MAIL command\r\n",
     "CMRcEr",
     NULL,
     "x\n"},
    {"discarded",
     "",
     {.name = NULL},
     {ENVELOPE, "X-Discard: 1\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON "250 2.0.0 Message accepted for delivery\r\n",
     "CMRcEr",
     NULL,
     ""},
    {"not stored",
     "",
     {.name = NULL},
     {ENVELOPE, "X-Full: 1\r\n.\r\n", "DATA\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON
     "451 4.3.0 Message cannot be kept now; try again later\r\n503 5.0.0 Need MAIL command\r\n",
     "CMRcES",
     NULL,
     NULL},
    {"too large",
     "",
     {.max_size = 20},
     {ENVELOPE, "A: b\r\n\r\n123456789012\r\n3\r\n.\r\n", ENVELOPE,
      "A: b\r\n\r\n1234567890123\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON
     "552 5.2.3 Message exceeds maximum fixed size (20)\r\n" MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcrMRcES",
     NULL,
     NULL},
    {"a large head",
     "",
     {.max_head = 10},
     {ENVELOPE, "A: 456789\r\n\r\nx\r\n.\r\n", ENVELOPE, "A: 45678\r\n\r\nx\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON
     "552 5.6.0 Headers too large (10 max)\r\n" MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcrMRcES",
     NULL,
     NULL},
    {"8 bits",
     "",
     {.switches = SESSION_STRICT_8BIT},
     {ENVELOPE, "\r\n\xe9\r\n.\r\n", "MAIL FROM:<a@b.example> BODY=8BITMIME\r\n",
      "RCPT TO:<user@x.example>\r\n", "DATA\r\n", "\r\n\xe9\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON
     "554 5.6.1 Eight bit data not allowed\r\n" MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcrMRcES",
     NULL,
     "\xe9\n\xe9\n|"},
    {"7 bits",
     "",
     {.switches = SESSION_SEVEN_BIT},
     {ENVELOPE, "A: \xe9\r\n\r\n\xe9\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcES",
     "A: i\n",
     "i\n|"},
    {"7 bits were announced",
     "",
     {.name = NULL},
     {"MAIL FROM:<a@b.example> BODY=7BIT\r\n", "RCPT TO:<user@x.example>\r\n", "DATA\r\n",
      "A: \xe9\r\n\r\n\xe9\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcES",
     "A: i\n",
     "i\n|"},
    /* line ends */
    {"LF ends no command",
     "",
     {.name = NULL},
     {"NOOP\nNOOP\r\n"},
     GREETING BARE_LF,
     "C",
     NULL,
     NULL},
    {"CR is in no command", "", {.name = NULL}, {"NO\rOP\r\n"}, GREETING BARE_CR, "C", NULL, NULL},
    {"LF ends a command",
     "",
     {.switches = SESSION_LAX_COMMANDS},
     {"NOOP\nNO\rOP\nNOOP\r\n"},
     GREETING "250 2.0.0 OK\r\n500 5.5.1 Command unrecognized: \"NO\rOP\"\r\n250 2.0.0 OK\r\n",
     "C",
     NULL,
     NULL},
    {"smuggling: LF . LF",
     "",
     {.name = NULL},
     {ENVELOPE, "A: b\r\n\r\nx\n.\nMAIL FROM:<evil>\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON BARE_LF,
     "CMRc",
     NULL,
     "x"},
    {"smuggling: CR LF . LF",
     "",
     {.name = NULL},
     {ENVELOPE, "A: b\r\n\r\nx\r\n.\nMAIL FROM:<evil>\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON BARE_LF,
     "CMRc",
     NULL,
     "x\n"},
    {"smuggling: LF . CR LF",
     "",
     {.name = NULL},
     {ENVELOPE, "A: b\r\n\r\nx\n.\r\nMAIL FROM:<evil>\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON BARE_LF,
     "CMRc",
     NULL,
     "x"},
    {"smuggling: CR . CR",
     "",
     {.name = NULL},
     {ENVELOPE, "A: b\r\n\r\nx\r.\rMAIL FROM:<evil>\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON BARE_CR,
     "CMRc",
     NULL,
     "x"},
    {"smuggling in a head",
     "",
     {.name = NULL},
     {ENVELOPE, "A: b\n\nx\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON BARE_LF,
     "CMRc",
     NULL,
     ""},
    {"allowed, and no end",
     "G U",
     {.name = NULL},
     {ENVELOPE, "\r\nx\n.\ny\r.\rz\r\n.\nw\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcES",
     "",
     "x\n.\ny\r.\rz\n\nw\n|"},
    {"blanks",
     "g2 u2",
     {.name = NULL},
     {ENVELOPE, "\r\nx\n.\ny\r.\rz\r\n.\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON TAKEN,
     "CMRcES",
     "",
     "x . y . z\n|"},
    {"an end",
     "G O",
     {.name = NULL},
     {ENVELOPE, "\r\nx\n.\nNOOP\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON TAKEN "250 2.0.0 OK\r\n",
     "CMRcES",
     "",
     "x\n|"},
    {"O alone allows nothing",
     "O",
     {.name = NULL},
     {ENVELOPE, "\r\nx\n.\nNOOP\r\n"},
     GREETING MAIL_OK RCPT_OK GO_ON BARE_LF,
     "CMRc",
     NULL,
     NULL},
    {"no mail client",
     "",
     {.name = NULL},
     {"GET / HTTP/1.0\r\n", "MAIL FROM:<x>\r\n"},
     GREETING "421 4.7.0 mail.example Rejecting open proxy client.example [192.0.2.1]\r\n",
     "C",
     NULL,
     NULL},
    {"GET is no command later",
     "",
     {.name = NULL},
     {"NOOP\r\n", "GET /\r\n"},
     GREETING "250 2.0.0 OK\r\n500 5.5.1 Command unrecognized: \"GET /\"\r\n",
     "C",
     NULL,
     NULL},
    {"what is refused for now",
     "",
     {.switches = SESSION_SOFT},
     {"MAIL FROM:<nobody>\r\n", "FOO\r\n"},
     GREETING "450 4.1.1 User unknown\r\n400 4.5.1 Command unrecognized: \"FOO\"\r\n",
     "CM",
     NULL,
     NULL},
};

static struct session_settings settings_of(const struct dialogue *d)
{
    struct session_settings s = usual;
    const struct session_settings *other = &d->settings;

    s.switches = other->switches;
    s.max_size = other->max_size;
    s.max_recipients = other->max_recipients;
    s.bad_recipients = other->bad_recipients;
    s.bad_recipient_ms = other->bad_recipient_ms;
    s.deliver_by_min = other->deliver_by_min;
    if (other->max_head > 0)
        s.max_head = other->max_head;
    return s;
}

static void speak(struct arena *a, const struct dialogue *d, size_t step)
{
    struct session_settings settings = settings_of(d);
    struct run r;

    start(&r, a, &settings, d->features);
    for (size_t i = 0; i < MOST && d->send[i] != NULL; i++)
        send(&r, d->send[i], strlen(d->send[i]), step);
    if (strcmp(r.out.data, d->out) != 0)
        fail_msg("%s (%d): %s", d->name, (int)step, r.out.data);
    if (d->asked != NULL && strcmp(r.asked.data, d->asked) != 0)
        fail_msg("%s (%d): asked %s", d->name, (int)step, r.asked.data);
    if (d->head != NULL && strcmp(r.head.data, d->head) != 0)
        fail_msg("%s (%d): head %s", d->name, (int)step, r.head.data);
    if (d->body != NULL && strcmp(r.body.data, d->body) != 0)
        fail_msg("%s (%d): body %s", d->name, (int)step, r.body.data);
}

static void dialogues_go_as_written(void **state)
{
    for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
        speak(*state, &dialogues[i], 1);
        speak(*state, &dialogues[i], 7);
        speak(*state, &dialogues[i], 10000);
    }
}

static void expect(struct arena *a, struct run *r, const char *input, const char *out)
{
    (void)a;
    buf_truncate(&r->out, 0);
    send(r, input, strlen(input), 10000);
    assert_string_equal(r->out.data, out);
}

static void the_last_word_does_not_wait(void **state)
{
    struct session_settings settings = usual;
    struct run r;

    settings.bad_recipients = 1;
    settings.bad_recipient_ms = 5000;
    start(&r, *state, &settings, "");
    expect(*state, &r, "MAIL FROM:<a@b.example>\r\nRCPT FOO\r\nRCPT TO:<close>\r\n",
           GREETING MAIL_OK "501 5.5.2 Syntax error in parameters scanning \"FOO\"\r\n"
                            "421 4.7.0 Gone\r\n");
    assert_true(session_over(r.s));
}

/* What only is so where bytes come at once. */
static void nobody_may_speak_before_the_answer(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    expect(*state, &r, "EHLO x\r\nNOOP\r\nMAIL FROM:<a@b.example>\r\nRSET\r\n",
           GREETING "554 5.5.0 SMTP protocol error\r\n250 2.0.0 OK\r\n"
                    "550 5.0.0 Command rejected\r\n" RESET);
    start(&r, *state, &usual, "");
    expect(*state, &r, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@x.example>\r\nDATA\r\n.\r\n",
           GREETING MAIL_OK RCPT_OK "554 5.5.0 SMTP protocol error\r\n");
    assert_true(session_over(r.s));
    start(&r, *state, &usual, "F");
    expect(*state, &r,
           "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<user@x.example>\r\nDATA\r\n.\r\n",
           GREETING EHLO_LIST MAIL_OK RCPT_OK GO_ON TAKEN);
    /* It is said before what is wrong with the command, and before policy is asked. */
    start(&r, *state, &usual, "");
    expect(*state, &r, "HELO\r\nNOOP\r\n",
           GREETING "554 5.5.0 SMTP protocol error\r\n250 2.0.0 OK\r\n");
    start(&r, *state, &usual, "");
    expect(*state, &r,
           "DATA\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<user@x.example>\r\nDATA\r\nX\r\n",
           GREETING "503 5.0.0 Need MAIL command\r\n" MAIL_OK RCPT_OK
                    "554 5.5.0 SMTP protocol error\r\n");
    assert_string_equal(r.asked.data, "CMR");
    /* What comes while the question is open counts too. */
    start(&r, *state, &usual, "");
    turn(&r);
    assert_int_equal(session_input(r.s, "HELO x\r\n", 8), 8);
    assert_int_equal(session_question(r.s)->kind, SESSION_HELO);
    assert_int_equal(session_input(r.s, "N", 1), 0);
    turn(&r);
    assert_string_equal(r.out.data, GREETING "554 5.5.0 SMTP protocol error\r\n");
}

static void a_greeting_may_wait(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    r.greet_pause = 5000;
    turn(&r);
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_GREETING);
    assert_int_equal(session_wait(r.s).ms, 5000);
    session_timeout(r.s);
    turn(&r);
    assert_string_equal(r.out.data, GREETING);

    start(&r, *state, &usual, "");
    r.greet_pause = 5000;
    turn(&r);
    expect(*state, &r, "EHLO x\r\n",
           "554 mail.example ESMTP not accepting messages\r\n250-" HELLO
           "250 ENHANCEDSTATUSCODES\r\n");
    expect(*state, &r, "MAIL FROM:<x>\r\n", "550 5.0.0 Command rejected\r\n");
}

static void a_refused_client_hears_it(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    r.refusal = "550 5.7.1 Go away";
    expect(*state, &r, "HELP\r\nMAIL FROM:<x>\r\nNOOP\r\nFOO\r\nHELO x\r\n",
           GREETING "550 5.7.1 Go away\r\n550 5.7.1 Go away\r\n250 2.0.0 OK\r\n"
                    "500 5.5.1 Command unrecognized: \"FOO\"\r\n250 " HELLO);
    start(&r, *state, &usual, "");
    r.refusal = "421 4.0.0 bye";
    expect(*state, &r, "NOOP\r\n", "421 4.0.0 bye\r\n");
    assert_true(session_over(r.s));
}

/* What the session says next. */
static const char *said(struct arena *a, struct session *s)
{
    struct bytes b;

    if (!session_output(s, &b))
        return "";
    const char *text = arena_strndup(a, b.p, b.len);
    session_sent(s, b.len);
    return text;
}

static const char *answered(struct arena *a, struct session *s, const char *reply, uint64_t flags)
{
    session_answer(s, &(struct session_answer){.reply = {reply, strlen(reply)}, .flags = flags});
    return said(a, s);
}

static void filters_are_asked_about_what_nobody_knows(void **state)
{
    struct session *s = session_new(*state, &usual);
    const struct session_question *q;

    answered(*state, s, "", VERDICT_FILTERED);
    session_input(s, "FOO bar\r\n", 9);
    q = session_question(s);
    assert_non_null(q);
    assert_int_equal(q->kind, SESSION_COMMAND);
    assert_int_equal(q->verb.len, 0);
    assert_int_equal(q->argument.len, 7);
    assert_memory_equal(q->argument.p, "FOO bar", 7);
    assert_string_equal(answered(*state, s, "", 0),
                        "500 5.5.1 Command unrecognized: \"FOO bar\"\r\n");
    session_input(s, "BAR\r\n", 5);
    assert_string_equal(answered(*state, s, "550 5.7.1 no", 0), "550 5.7.1 no\r\n");
    session_input(s, "TURN\r\n", 6);
    assert_null(session_question(s));
    assert_string_equal(said(*state, s), "502 5.5.1 Command not implemented: \"TURN\"\r\n");
}

static void who_is_not_welcome_is_told_so(void **state)
{
    struct session *s = session_new(*state, &usual);

    assert_string_equal(answered(*state, s, "550 5.0.0 no", VERDICT_UNWELCOME),
                        "554 mail.example ESMTP not accepting messages\r\n");
    session_input(s, "MAIL FROM:<x>\r\n", 15);
    assert_string_equal(said(*state, s), "550 5.0.0 no\r\n");
    /* At HELO it is told from then on. */
    s = session_new(*state, &usual);
    answered(*state, s, "", 0);
    session_input(s, "HELO x\r\n", 8);
    assert_non_null(strstr(answered(*state, s, "550 5.7.1 no\n", VERDICT_UNWELCOME), "250 "));
    session_input(s, "MAIL FROM:<x>\r\n", 15);
    assert_string_equal(said(*state, s), "550 5.7.1 no\r\n");
}

static void bad_commands_have_an_end(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    for (int i = 0; i < 25; i++)
        send(&r, "FOO\r\n", 5, 5);
    expect(*state, &r, "FOO\r\nNOOP\r\n",
           "421 4.7.0 mail.example Too many bad commands; closing connection\r\n");
    assert_true(session_over(r.s));
}

static void much_of_nothing_is_slow(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    for (int i = 0; i < 19; i++)
        send(&r, "NOOP\r\n", 6, 6);
    assert_null(strstr(r.out.data, "pause"));
    expect(*state, &r, "NOOP\r\nVERB\r\nNOOP\r\n",
           "(pause 1000)250 2.0.0 OK\r\n(pause 2000)250 2.0.0 Verbose mode\r\n"
           "(pause 4000)250 2.0.0 OK\r\n");
    for (int i = 0; i < 100; i++)
        send(&r, "NOOP\r\n", 6, 6);
    assert_non_null(strstr(r.out.data, "(pause 240000)"));
}

static void a_command_has_2048_bytes(void **state)
{
    struct run r;
    char line[4000];

    for (size_t step = 1; step < 5000; step += 4998) {
        memset(line, 'x', sizeof line);
        memcpy(line, "FOO ", 4);
        memcpy(line + 2046, "\r\n", 2);
        start(&r, *state, &usual, "");
        send(&r, line, 2048, step);
        assert_int_equal(r.out.len,
                         strlen(GREETING "500 5.5.1 Command unrecognized: \"\"\r\n") + 203);
        assert_non_null(strstr(r.out.data, "xxx...xxx"));
        memcpy(line + 2046, "xxx", 3);
        buf_truncate(&r.out, 0);
        send(&r, line, 2049, step);
        assert_string_equal(r.out.data, "421 4.7.0 mail.example Command too long, possible attack "
                                        "client.example [192.0.2.1]\r\n");
    }
}

/* A session with AUTH, from its EHLO on; it ends with QUIT. */
static void auth(struct arena *a, bool required, const char *input, const char *said,
                 const char *asked)
{
    for (size_t step = 1; step <= 4096; step *= 16) {
        struct run r;
        start(&r, a, &usual, "");
        r.offer = "AUTH PLAIN CRAM-MD5";
        r.required = required;
        send(&r, input, strlen(input), step);
        assert_string_equal(r.out.data + strlen(GREETING), said);
        assert_string_equal(r.asked.data, asked);
    }
}

static void auth_has_an_order(void **state)
{
    auth(*state, false, "AUTH\r\nAUTH NOSUCH\r\nAUTH PLAIN AAA\r\nAUTH PLAIN d3Jvbmc=\r\n",
         "501 5.5.2 AUTH mechanism must be specified\r\n"
         "504 5.3.3 AUTH mechanism NOSUCH not available\r\n"
         "501 5.5.4 cannot BASE64 decode 'AAA'\r\n535 5.7.0 authentication failed\r\n",
         "CA");
    auth(*state, true,
         "MAIL FROM:<a@b.example>\r\nAUTH PLAIN =\r\nAUTH PLAIN\r\n"
         "MAIL FROM:<a@b.example>\r\n",
         "530 5.7.0 Authentication required\r\n235 2.0.0 OK Authenticated\r\n"
         "503 5.5.0 Already Authenticated\r\n" MAIL_OK,
         "CAM");
    auth(*state, false, "MAIL FROM:<a@b.example>\r\nAUTH PLAIN\r\n",
         MAIL_OK "503 5.5.0 AUTH not permitted during a mail transaction\r\n", "CM");
}

static void a_challenge_is_answered(void **state)
{
    auth(*state, false, "AUTH cram-md5\r\nbW9yZQ==\r\nYQ==\r\nNOOP\r\n",
         "334 d2hvPw==\r\n334 d2hvPw==\r\n235 2.0.0 OK Authenticated\r\n250 2.0.0 OK\r\n", "CAaa");
    auth(*state, false, "AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\nQUIT\r\nAUTH PLAIN\r\n\r\n",
         "334 d2hvPw==\r\n501 5.0.0 AUTH aborted\r\n334 d2hvPw==\r\n"
         "235 2.0.0 OK Authenticated\r\n503 5.5.0 Already Authenticated\r\n"
         "500 5.5.1 Command unrecognized: \"\"\r\n",
         "CAAa");
    auth(*state, false, "AUTH PLAIN\r\nQUIT!\r\nNOOP\r\n",
         "334 d2hvPw==\r\n501 5.5.4 cannot decode AUTH parameter QUIT!\r\n250 2.0.0 OK\r\n", "CA");
}

/* RFC 4954 4: more than a command. */
static void a_response_has_12288_bytes(void **state)
{
    struct buf b;

    buf_init(&b, *state);
    buf_adds(&b, "AUTH PLAIN\r\n");
    for (size_t i = 0; i < SESSION_RESPONSE_MAX / 4 - 1; i++)
        buf_adds(&b, "AAAA");
    buf_adds(&b, "\r\nNOOP\r\n");
    auth(*state, false, b.data, "334 d2hvPw==\r\n235 2.0.0 OK Authenticated\r\n250 2.0.0 OK\r\n",
         "CAa");
}

/* --- TLS --- */

#define NO_TLS_NOW "454 4.3.3 TLS not available after start\r\n"
#define READY "220 2.0.0 Ready to start TLS\r\n(TLS of both)"

/* A session with TLS, from its greeting on. */
static void tls(struct arena *a, const char *features, uint64_t switches, const char *input,
                const char *said, const char *asked)
{
    struct session_settings settings = usual;

    settings.tls = true;
    settings.tls_ms = 5;
    settings.switches = switches;
    for (size_t step = 1; step <= 16; step *= 16) {
        struct run r;
        start(&r, a, &settings, features);
        send(&r, input, strlen(input), step);
        assert_string_equal(r.out.data + strlen(GREETING), said);
        assert_string_equal(r.asked.data, asked);
    }
}

static void tls_has_an_order(void **state)
{
    tls(*state, "", 0, "STARTTLS x\r\nSTARTTLS\r\nSTARTTLS\r\nNOOP\r\n",
        "501 5.5.2 Syntax error (no parameters allowed)\r\n" READY NO_TLS_NOW "250 2.0.0 OK\r\n",
        "CT");
    tls(*state, "", 0, "MAIL FROM:<a@b.example>\r\nSTARTTLS\r\nRSET\r\nSTARTTLS\r\n",
        MAIL_OK "503 5.5.0 TLS not permitted during a mail transaction\r\n" RESET READY, "CMrT");
    tls(*state, "S", 0, "STARTTLS\r\nSTARTTLS x\r\n",
        "503 5.5.0 TLS not available\r\n501 5.5.2 Syntax error (no parameters allowed)\r\n", "C");
    tls(*state, "", SESSION_NO_CERTIFICATE, "STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n(TLS)",
        "CT");
    tls(*state, "V", 0, "STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n(TLS)", "CT");
    tls(*state, "v", SESSION_NO_CERTIFICATE, "STARTTLS\r\n", READY, "CT");
}

static void tls_is_offered_where_there_is_some(void **state)
{
    struct session_settings settings = usual;
    struct run r;

    start(&r, *state, &usual, "");
    expect(*state, &r, "EHLO x\r\n", GREETING EHLO_LIST);
    expect(*state, &r, "STARTTLS\r\n", NO_TLS_NOW);
    settings.tls = true;
    start(&r, *state, &settings, "");
    r.offer = "AUTH PLAIN";
    expect(*state, &r, "EHLO x\r\n",
           GREETING "250-" HELLO "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-EXPN\r\n"
                    "250-VERB\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250-ETRN\r\n"
                    "250-AUTH PLAIN\r\n250-STARTTLS\r\n250-DELIVERBY\r\n250 HELP\r\n");
    expect(*state, &r, "STARTTLS\r\n", READY);
    expect(*state, &r, "EHLO x\r\n",
           "250-" HELLO "250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-EXPN\r\n"
           "250-VERB\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250-ETRN\r\n"
           "250-AUTH EXTERNAL\r\n250-DELIVERBY\r\n250 HELP\r\n");
    start(&r, *state, &settings, "");
    r.tls_refusal = "454 4.7.0 not authenticated";
    expect(*state, &r, "STARTTLS\r\n", GREETING READY);
    expect(*state, &r, "EHLO x\r\n", "250-" HELLO "250 ENHANCEDSTATUSCODES\r\n");
    expect(*state, &r, "MAIL FROM:<x>\r\n", "454 4.7.0 not authenticated\r\n");
}

/* No input is taken before the handshake is over, nor is half a line that came before kept. */
static void what_comes_before_tls_is_not_read(void **state)
{
    struct session_settings settings = usual;
    struct bytes b, found[] = {text("OK"), text("TLSv1.3")};
    struct run r;

    settings.tls = true;
    settings.tls_ms = 7000;
    start(&r, *state, &settings, "");
    turn(&r);
    assert_int_equal(session_input(r.s, "STARTTLS\r\nRSET\r\n", 16), 10);
    assert_int_equal(session_input(r.s, "RSET\r\n", 6), 0);
    assert_true(session_output(r.s, &b));
    session_sent(r.s, b.len);
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_TLS);
    assert_int_equal(session_wait(r.s).ms, 7000);
    session_secured(r.s, (struct texts){found, 2});
    found[1] = text("xxxxxxx"); /* it was copied */
    assert_int_equal(session_input(r.s, "NOOP\r\n", 6), 0);
    expect(*state, &r, "EHLO x\r\n", EHLO_LIST);

    start(&r, *state, &settings, "");
    turn(&r);
    session_input(r.s, "STARTTLS\r\n", 10);
    session_end_of_input(r.s);
    session_secured(r.s, (struct texts){found, 2});
    assert_true(session_over(r.s));

    start(&r, *state, &settings, "");
    turn(&r);
    session_input(r.s, "STARTTLS\r\n", 10);
    assert_true(session_stop(r.s));
    assert_true(session_over(r.s));
}

static void tls_may_come_first(void **state)
{
    struct session_settings settings = usual;
    struct run r;

    settings.tls = true;
    start(&r, *state, &settings, "");
    session_begin_with_tls(r.s);
    expect(*state, &r, "STARTTLS\r\n", "(TLS of both)" GREETING NO_TLS_NOW);
    assert_string_equal(r.asked.data, "CT");
    start(&r, *state, &settings, "");
    session_begin_with_tls(r.s);
    r.greet_pause = 5000;
    expect(*state, &r, "", "(TLS of both)");
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_GREETING);
    start(&r, *state, &usual, "");
    session_begin_with_tls(r.s);
    expect(*state, &r, "NOOP\r\n", "");
    assert_true(session_over(r.s));
}

static void a_command_ends_at_nul(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    send(&r, "NO\0OP\r\nNOOP\0x\r\n", 16, 100);
    assert_string_equal(r.out.data,
                        GREETING "500 5.5.1 Command unrecognized: \"NO\"\r\n250 2.0.0 OK\r\n");
}

/* A byte whose low seven bits are a line end makes none in a reply. */
static void replies_are_lines(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    expect(*state, &r, "FOO\x8a\x8d\x80\r\n",
           GREETING "500 5.5.1 Command unrecognized: \"FOO  \r\n");
}

static void time_runs_out(void **state)
{
    struct run r;

    start(&r, *state, &usual, "");
    send(&r, "NO", 2, 2);
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_COMMAND);
    assert_int_equal(session_wait(r.s).ms, 3600000);
    uint64_t since = session_wait(r.s).turn;
    send(&r, "O", 1, 1);
    assert_int_equal(session_wait(r.s).turn, since);
    session_timeout(r.s);
    turn(&r);
    assert_string_equal(r.out.data, GREETING);
    assert_true(session_over(r.s));
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_NOTHING);

    start(&r, *state, &usual, "");
    send(&r, "MAIL FROM:<a@b.example>\r\n", 25, 25);
    send(&r, "RCPT TO:<user@x.example>\r\n", 26, 26);
    send(&r, "DATA\r\n", 6, 6);
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_DATA);
    assert_int_equal(session_wait(r.s).ms, 3600001);
    buf_truncate(&r.out, 0);
    session_timeout(r.s);
    turn(&r);
    assert_string_equal(r.out.data, "421 4.4.1 collect: relay=client.example, "
                                    "from=<a@b.example>, info=read timeout\r\n");
    assert_true(session_over(r.s));
}

static void what_is_not_taken_holds_up_the_input(void **state)
{
    static char line[1000];
    struct run r;
    struct bytes b;
    size_t n = 0;

    start(&r, *state, &usual, "");
    turn(&r);
    while (session_input(r.s, "RSET\r\n", 6) == 6)
        assert_true(++n < 1000);
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_OUTPUT);
    assert_true(session_output(r.s, &b) && b.len < SESSION_OUTPUT_FULL + 2000);
    session_sent(r.s, b.len);
    assert_int_equal(session_input(r.s, "\r\n", 2), 2);

    start(&r, *state, &usual, "");
    send(&r, "MAIL FROM:<a@b.example>\r\n", 25, 25);
    send(&r, "RCPT TO:<user@x.example>\r\n", 26, 26);
    send(&r, "DATA\r\n", 6, 6);
    memset(line, ' ', sizeof line);
    for (n = 0; session_input(r.s, line, sizeof line) == sizeof line; n++)
        assert_true(n < 100);
    assert_int_equal(session_wait(r.s).kind, SESSION_WAIT_OUTPUT);
    assert_true(session_body(r.s, &b) && b.len < SESSION_BODY_FULL + 20000);
}

static void the_end_says_what_was_seen(void **state)
{
    static const char message[] = "A: b\r\n\r\nx\0\xe9\ny\r\n.\r\n";
    struct run r;

    start(&r, *state, &usual, "G");
    send(&r, "MAIL FROM:<a@b.example>\r\n", 25, 25);
    send(&r, "RCPT TO:<user@x.example>\r\n", 26, 26);
    send(&r, "DATA\r\n", 6, 6);
    send(&r, message, sizeof message - 1, 3);
    assert_int_equal(r.end.size, 12);
    assert_int_equal(r.end.lines, 2);
    assert_int_equal(r.end.recipients, 1);
    assert_int_equal(r.end.flags, SEEN_8BIT | SEEN_NUL | SEEN_LF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(dialogues_go_as_written),
        UNIT(the_last_word_does_not_wait),
        UNIT(nobody_may_speak_before_the_answer),
        UNIT(a_greeting_may_wait),
        UNIT(a_refused_client_hears_it),
        UNIT(filters_are_asked_about_what_nobody_knows),
        UNIT(who_is_not_welcome_is_told_so),
        UNIT(bad_commands_have_an_end),
        UNIT(much_of_nothing_is_slow),
        UNIT(a_command_has_2048_bytes),
        UNIT(auth_has_an_order),
        UNIT(a_challenge_is_answered),
        UNIT(a_response_has_12288_bytes),
        UNIT(tls_has_an_order),
        UNIT(tls_is_offered_where_there_is_some),
        UNIT(what_comes_before_tls_is_not_read),
        UNIT(tls_may_come_first),
        UNIT(a_command_ends_at_nul),
        UNIT(replies_are_lines),
        UNIT(time_runs_out),
        UNIT(what_is_not_taken_holds_up_the_input),
        UNIT(the_end_says_what_was_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
