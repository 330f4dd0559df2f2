/*
 * What a host may say, and what is written for it.  Input: a byte of choices (CHOICE_*), a body and
 * a host's bytes, with a NUL between.  Whatever comes, each recipient has an outcome at the end,
 * memory is bounded, and the SMTP form of the body reads as the body again.
 */
#include <string.h>
#include <sysexits.h>

#include "mta/front/client.h"
#include "mta/message/body.h"
#include "mta/message/envelope.h"
#include "tests/fuzz/fuzz.h"

enum {
    CHOICE_LMTP = 1,
    CHOICE_MULTIPART = 2,
    CHOICE_8BIT = 4,
    CHOICE_FROM = 8,
    CHOICE_LIMIT = 16,
    CHOICE_BYTEWISE = 32,
    CHOICE_DECODE = 64,
    RECIPIENTS = 3,
    MEMORY = 16 << 20
};

static struct plan plan_of(unsigned choice, struct plan_recipient *to)
{
    struct plan p = {.kind = choice & CHOICE_LMTP ? PLAN_LMTP : PLAN_SMTP};

    p.flags = bytes_of(choice & CHOICE_DECODE ? "a9" : choice & CHOICE_FROM ? "aE" : "a");
    p.helo = bytes_of("me");
    p.sender = bytes_of("s@y");
    p.body = choice & CHOICE_8BIT ? ENVELOPE_HAS_8BIT | ENVELOPE_8BIT : 0;
    p.line_limit = choice & CHOICE_LIMIT ? 10 : 0;
    p.head = bytes_of(choice & CHOICE_MULTIPART
                          ? "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                      : choice & CHOICE_DECODE
                          ? "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n"
                          : "A: b\n");
    p.recipients = to;
    p.nrecipients = RECIPIENTS;
    for (size_t i = 0; i < RECIPIENTS; i++)
        to[i] = (struct plan_recipient){.index = i, .address = bytes_of("u@x")};
    return p;
}

static void write_all(struct arena *a, const struct plan *p, bool host_8bit, struct bytes body,
                      size_t piece, struct buf *out)
{
    struct body *b = body_new(a, p, body_change(p, host_8bit));

    for (size_t i = 0; body_scans(b) && i < body.len; i += piece)
        body_scan(b, body.p + i, body.len - i < piece ? body.len - i : piece);
    body_head(b, out);
    for (size_t i = 0; i < body.len; i += piece) {
        size_t n = body.len - i < piece ? body.len - i : piece;
        size_t before = out->len;
        body_write(b, body.p + i, n, out);
        must(out->len - before <= n * BODY_GROWTH + BODY_MORE);
    }
    body_end(b, out);
}

/* Dots off, CR LF to LF: what a host reads is the body, with an end to its last line. */
static void reads_the_same(struct arena *a, const struct buf *out, struct bytes body, bool from)
{
    struct buf back;
    bool start = true;

    buf_init(&back, a);
    for (size_t i = strlen("A: b\r\n\r\n"); i < out->len; i++) {
        bool end = out->data[i] == '\r' && i + 1 < out->len && out->data[i + 1] == '\n';
        if (start && out->data[i] == '.') {
            must(out->data[i + 1] == '.');
            i++;
        }
        start = end;
        if (end)
            i++;
        buf_addc(&back, end ? '\n' : out->data[i]);
    }
    if (from)
        return;
    must(back.len == body.len + (body.len && body.p[body.len - 1] != '\n'));
    must(memcmp(back.data, body.p, body.len) == 0);
}

static void bodies(struct arena *a, const struct plan *p, struct bytes body, unsigned choice)
{
    struct buf whole, pieces;

    buf_init(&whole, a);
    buf_init(&pieces, a);
    for (int host_8bit = 0; host_8bit < 2; host_8bit++) {
        buf_truncate(&whole, 0);
        buf_truncate(&pieces, 0);
        write_all(a, p, host_8bit != 0, body, body.len + 1, &whole);
        write_all(a, p, host_8bit != 0, body, 1, &pieces);
        must(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
        must(whole.len >= 2 && memcmp(whole.data + whole.len - 2, "\r\n", 2) == 0);
        if (!(choice & ~(unsigned)(CHOICE_FROM | CHOICE_BYTEWISE | CHOICE_LMTP)))
            reads_the_same(a, &whole, body, (choice & CHOICE_FROM) != 0);
    }
}

/* What rules say against the host, and against some of the recipients. */
static void ruled(struct client *c, bool host, size_t choice)
{
    struct bytes list[RECIPIENTS];

    for (size_t i = 0; i < RECIPIENTS; i++)
        list[i] = bytes_of(!(choice >> i & 1) ? "" : i % 2 ? "454 4.7.1 later" : "554 5.7.1 no");
    client_ruled(c, bytes_of(host ? "554 no" : ""), (struct texts){list, RECIPIENTS});
}

static void login(struct client *c, bool step, struct bytes what, struct bytes body)
{
    struct bytes first = {what.p, step ? what.len : strcspn(what.p, " ")};
    enum login_said said = body.len % 11 == 0      ? LOGIN_WITHOUT
                           : what.len == 0         ? LOGIN_NO_MECHANISM
                           : step && body.len % 13 ? LOGIN_RESPOND
                           : step                  ? LOGIN_ABORT
                                                   : LOGIN_START;

    client_login(c, said, first, (struct texts){&body, body.len % 2});
}

static void handshake(struct client *c, bool good)
{
    struct bytes found[SECURED_N] = {[SECURED_VERIFY] = bytes_of("OK")};

    if (good)
        client_secured(c, found);
    else
        client_not_secured(c);
    must(client_found(c)[SECURED_VERIFY].len > 0);
}

/* No line is a dot alone but the last. */
static void take_output(struct client *c, struct bytes body, struct buf *said)
{
    struct bytes out;
    struct bytes what;
    uint64_t offset;
    size_t most;
    bool fresh, step;

    while (client_output(c, &out) || client_fetch(c, &offset, &most) || client_asks(c, &fresh) ||
           client_tries(c) || client_wants_tls(c) || client_logs_in(c, &step, &what)) {
        if (client_logs_in(c, &step, &what)) {
            login(c, step, what, body);
        } else if (client_tries(c)) {
            client_may_try(c, body.len % 16 < 12);
        } else if (client_wants_tls(c)) {
            handshake(c, body.len % 32 < 20);
        } else if (client_asks(c, &fresh)) {
            ruled(c, fresh && body.len % 8 == 7, body.len);
        } else if (client_output(c, &out)) {
            buf_add(said, out.p, out.len);
            client_sent(c, out.len);
        } else {
            must(offset <= body.len);
            size_t left = body.len - (size_t)offset;
            client_piece(c, body.p + offset, left < most ? left : most);
        }
    }
}

static void talk(struct arena *a, const struct plan *p, struct bytes body, struct bytes host,
                 bool bytewise)
{
    struct client_settings s = client_settings_default();
    s.asks = body.len % 2 == 1;
    s.tls = body.len % 3 > 0;
    s.tries = body.len % 5 > 2;
    s.logs_in = body.len % 4 != 1;
    s.falls_back = body.len % 7 == 0;
    struct client *c = client_new(a, &s, bytes_of("h"));
    struct hand_over *h = hand_over_new(a, p, body.len, 1);
    struct buf said;

    buf_init(&said, a);
    client_begin(c, h);
    for (size_t i = 0; i < host.len;) {
        const char *end = memchr(host.p + i, '\n', host.len - i);
        size_t n = bytewise ? 1 : end ? (size_t)(end - host.p) + 1 - i : host.len - i;
        client_input(c, host.p + i, n);
        take_output(c, body, &said);
        if (client_reusable(c)) {
            h = hand_over_new(a, p, body.len, 1);
            client_begin(c, h);
            take_output(c, body, &said);
        }
        i += n;
    }
    client_quit(c);
    client_timeout(c);
    must(client_over(c) && (client_done(c) || client_next(c) == CLIENT_SAME_HOST));
    for (size_t i = 0; i < RECIPIENTS; i++) {
        const struct outcome *o = &h->outcomes[i];
        must(o->state != RECIPIENT_HANDING && o->code.len >= 5);
        must((o->code.p[0] == '2') == (o->status == EX_OK));
        must((o->code.p[0] == '4') == (o->state == RECIPIENT_WAITS));
        must(!memchr(o->answer.p, '\r', o->answer.len));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a;
    struct plan_recipient to[RECIPIENTS];
    struct plan p;
    struct bytes body, host;
    const char *s = (const char *)data, *nul;

    if (size < 2 || size > 8192)
        return 0;
    a = arena_new(out_of_memory, NULL);
    nul = memchr(s + 1, '\0', size - 1);
    body = (struct bytes){s + 1, nul ? (size_t)(nul - s - 1) : size - 1};
    host = nul ? (struct bytes){nul + 1, size - body.len - 2} : bytes_of("");
    p = plan_of(data[0], to);
    bodies(a, &p, body, data[0]);
    talk(a, &p, body, host, (data[0] & CHOICE_BYTEWISE) != 0);
    must(arena_used(a) < MEMORY);
    arena_free(a);
    return 0;
}
