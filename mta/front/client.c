#include "mta/front/client.h"

#include <stdio.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mta/base64.h"
#include "mta/front/auth.h"
#include "mta/message/body.h"
#include "mta/message/coded.h"
#include "mta/message/exits.h"

enum offers {
    OFFERS_SIZE = 1,
    OFFERS_8BITMIME = 2,
    OFFERS_DSN = 4,
    OFFERS_PIPELINING = 8,
    OFFERS_DELIVERBY = 16,
    OFFERS_CODES = 32,
    OFFERS_STARTTLS = 64,
    OFFERS_AUTH = 128
};

/* Of each recipient, with this host. */
enum here { HERE_NOT, HERE_OPEN, HERE_ACCEPTED, HERE_SETTLED };

struct client {
    struct arena *arena;
    struct client_settings settings;
    struct bytes host;
    enum client_stage stage;
    uint64_t step;
    struct buf out;
    size_t sent; /* bytes of out that are gone */

    /* The reply that comes. */
    char line[CLIENT_LINE_MAX];
    size_t nline;
    struct buf reply; /* its lines, LF between */
    size_t lines;
    bool ourselves; /* it calls itself as we do */

    struct buf command; /* the last one, without its end; empty: none yet */
    bool quiet;         /* what is settled is not told: of hosts of no use only the last one is */
    bool told;          /* the transcript names this connection */

    /* What the host said of itself. */
    bool lmtp, greeted, esmtp;
    bool ruled;    /* rules had nothing against it */
    bool tried;    /* STARTTLS was said, or is not to be */
    bool in_clear; /* it is not even thought of */
    bool secured;
    bool logged;      /* the login is over */
    bool known;       /* and we are who we say */
    bool tried_login; /* a mechanism was */
    bool login_later; /* one was refused for now */
    bool login_step;
    struct buf login; /* mechanisms that were not tried, or a challenge */
    struct buf offer; /* mechanisms that were not tried */
    struct bytes mechanism;
    bool broken; /* nobody is there any more */
    struct bytes found[SECURED_N];
    uint64_t offers; /* OFFERS_* */
    uint64_t by_min;

    /* The transaction. */
    struct hand_over *h;
    enum here *here;       /* of each recipient */
    struct texts refusals; /* what rules say against each, or empty; perhaps no list at all */
    size_t at;             /* the first one that the next reply may be for */
    bool data_sent;        /* DATA went with the RCPTs */
    bool done, used, next, stale, gives_up;
    bool took; /* a recipient has the message */
    bool good; /* the connection may be used once more */
    struct body *body;
    bool scanning;
    uint64_t offset; /* of the body */
};

/* --- tables -------------------------------------------------------------------------------- */

struct client_settings client_settings_default(void)
{
    return (struct client_settings){.ms = {
#define STAGE(name, ms, option) ms,
#include "mta/front/client.def"
                                    }};
}

const char *client_stage_option(enum client_stage stage)
{
    static const char *const options[] = {
#define STAGE(name, ms, option) option,
#include "mta/front/client.def"
    };

    return stage < CLIENT_PIECE_WAIT ? options[stage] : NULL;
}

struct verdict_of {
    uint64_t status;
    const char *detail;
};

struct reply_row {
    int code;
    struct verdict_of mail, rcpt, final;
};

static const struct reply_row reply_rows[] = {
#define REPLY(code, mail, mail_detail, rcpt, rcpt_detail, final, final_detail)                     \
    {code, {mail, mail_detail}, {rcpt, rcpt_detail}, {final, final_detail}},
#include "mta/front/client.def"
};

static const struct reply_row *reply_row(int code)
{
    const struct reply_row *row = NULL;
    int wanted = code == 500 ? 5000 : code;

    for (size_t i = 0; i < sizeof reply_rows / sizeof *reply_rows; i++)
        if (reply_rows[i].code == wanted || (!row && reply_rows[i].code == code / 100 * 100))
            row = &reply_rows[i];
    return row;
}

/* --- outcomes ------------------------------------------------------------------------------ */

struct hand_over *hand_over_new(struct arena *a, const struct plan *p, uint64_t size, uint64_t now)
{
    struct hand_over *h = arena_alloc(a, sizeof *h);

    h->arena = a;
    h->plan = p;
    h->size = size;
    h->now = now;
    buf_init(&h->transcript, a);
    h->outcomes = arena_calloc(a, p->nrecipients, sizeof *h->outcomes);
    h->open = arena_calloc(a, p->nrecipients, sizeof *h->open);
    for (size_t i = 0; i < p->nrecipients; i++) {
        h->open[i] = true;
        h->outcomes[i] = (struct outcome){.state = RECIPIENT_WAITS,
                                          .status = EX_TEMPFAIL,
                                          .code = bytes_of("4.4.0"),
                                          .answer = bytes_of(""),
                                          .host = bytes_of("")};
    }
    return h;
}

static struct bytes copied(struct arena *a, struct bytes b)
{
    return (struct bytes){arena_strndup(a, b.len ? b.p : "", b.len), b.len};
}

void hand_over_fail(struct hand_over *h, uint64_t state, uint64_t status, const char *code,
                    const char *text)
{
    struct outcome o = {.state = state, .status = status, .host = bytes_of("")};

    o.code = copied(h->arena, bytes_of(code));
    o.answer = copied(h->arena, bytes_of(text));
    for (size_t i = 0; i < h->plan->nrecipients; i++)
        if (h->open[i])
            h->outcomes[i] = o;
}

/* --- the transcript ------------------------------------------------------------------------ */

static struct bytes shown(const struct plan_recipient *r)
{
    return r->shown.len ? r->shown : r->address;
}

static struct bytes joined(struct buf *b)
{
    return (struct bytes){b->data, b->len};
}

/* One line for what came of all whose addresses are in the list. */
static void tell(struct hand_over *h, struct bytes list, const struct outcome *o)
{
    if (!list.len)
        return;
    if (o->state == RECIPIENT_WAITS)
        exit_deferred(&h->transcript, list, o->answer);
    else if (o->state == RECIPIENT_FAILED)
        exit_line(&h->transcript, o->status, list);
}

void hand_over_end(struct hand_over *h)
{
    struct buf list;
    const struct outcome *last = NULL;

    buf_init(&list, h->arena);
    for (size_t i = 0; i < h->plan->nrecipients; i++) {
        const struct outcome *o = &h->outcomes[i];
        struct bytes b = shown(&h->plan->recipients[i]);
        if (!h->open[i] || !o->answer.len || o->host.len)
            continue;
        buf_adds(&list, last ? "," : "");
        buf_add(&list, b.p, b.len);
        last = o;
    }
    if (last)
        tell(h, joined(&list), last);
}

/* The reply that refuses, and what it was said to. */
static void tell_reply(struct client *c)
{
    struct buf *t = &c->h->transcript;
    const char *s = c->reply.data, *end = s + c->reply.len;

    if (!c->told)
        buf_printf(t, "... while talking to %s:\n", c->host.p);
    c->told = true;
    if (c->command.len)
        buf_printf(t, ">>> %.*s\n", (int)c->command.len, c->command.data);
    while (s < end) {
        size_t n = strcspn(s, "\n");
        buf_printf(t, "<<< %.*s\n", (int)n, s);
        s += n + 1;
    }
}

/* o's texts are in the hand_over's arena.  again: another host may take it. */
static void settle(struct client *c, size_t i, struct outcome o, bool again)
{
    c->h->outcomes[i] = o;
    c->h->open[i] = again;
    c->here[i] = HERE_SETTLED;
    c->next |= again;
}

static void settle_rest(struct client *c, struct outcome o, bool again)
{
    struct buf list;

    buf_init(&list, c->h->arena);
    for (size_t i = 0; i < c->h->plan->nrecipients; i++) {
        struct bytes b = shown(&c->h->plan->recipients[i]);
        if (c->here[i] != HERE_OPEN && c->here[i] != HERE_ACCEPTED)
            continue;
        settle(c, i, o, again);
        buf_adds(&list, list.len ? "," : "");
        buf_add(&list, b.p, b.len);
    }
    if (!c->quiet)
        tell(c->h, joined(&list), &o);
}

/* One alone, with its line. */
static void settle_one(struct client *c, size_t i, struct outcome o, bool again)
{
    settle(c, i, o, again);
    tell(c->h, shown(&c->h->plan->recipients[i]), &o);
}

/* The first recipient from `at` on in that state; nrecipients: there is none. */
static size_t first(const struct client *c, size_t at, enum here here)
{
    while (at < c->h->plan->nrecipients && c->here[at] != here)
        at++;
    return at;
}

static bool any(const struct client *c, enum here here)
{
    return first(c, 0, here) < c->h->plan->nrecipients;
}

/* Said by us. */
static struct outcome our_outcome(const struct client *c, uint64_t state, uint64_t status,
                                  const char *code, const char *text)
{
    struct outcome o = {.state = state, .status = status, .code = bytes_of(code)};

    o.answer = copied(c->h->arena, bytes_of(text));
    o.host = bytes_of("");
    return o;
}

/* The enhanced code of a line, of the reply's own class; none: len is 0. */
static struct bytes enhanced_code(const char *line)
{
    const struct bytes own = coded_line(bytes_of(line)).enhanced;

    return own.len > 0 && *own.p == *line && own.p[own.len] == ' ' ? own : bytes_of("");
}

/* The one of a reply's last line, where they were offered (RFC 2034). */
static struct bytes own_code(const struct client *c)
{
    return c->offers & OFFERS_CODES ? enhanced_code(c->line) : bytes_of("");
}

/* A reply as an outcome; own: the host's enhanced code counts. */
static struct outcome their_outcome(const struct client *c, uint64_t state, uint64_t status,
                                    const char *code, bool own)
{
    struct outcome o = {.state = state, .status = status};
    struct bytes theirs = own ? own_code(c) : bytes_of("");

    o.code = copied(c->h->arena, theirs.len ? theirs : bytes_of(code));
    o.answer = copied(c->h->arena, (struct bytes){c->reply.data, c->reply.len});
    o.host = copied(c->h->arena, c->host);
    return o;
}

/* A refusal, as the tables have it. */
static struct outcome refusal(const struct client *c, int code, struct verdict_of v, bool own)
{
    bool later = code / 100 == 4;
    char text[16];

    snprintf(text, sizeof text, "%d.%s", code / 100, v.detail);
    return their_outcome(c, later ? RECIPIENT_WAITS : RECIPIENT_FAILED, v.status, text, own);
}

static struct outcome protocol_error(const struct client *c, const char *code)
{
    return their_outcome(c, RECIPIENT_FAILED, EX_PROTOCOL, code, true);
}

/* --- commands ------------------------------------------------------------------------------ */

static void enter(struct client *c, enum client_stage stage)
{
    c->stage = stage;
    c->step++;
}

/* The command that c->out has from `at` on is complete, but for its end. */
static void end_command(struct client *c, size_t at)
{
    buf_truncate(&c->command, 0);
    buf_add(&c->command, c->out.data + at, c->out.len - at);
    buf_adds(&c->out, "\r\n");
}

static void say(struct client *c, const char *line, enum client_stage stage)
{
    size_t at = c->out.len;

    buf_adds(&c->out, line);
    end_command(c, at);
    enter(c, stage);
}

static void say_hello(struct client *c, const char *verb, enum client_stage stage)
{
    struct bytes helo = c->h->plan->helo;
    size_t at = c->out.len;

    buf_printf(&c->out, "%s %.*s", verb, (int)helo.len, helo.p ? helo.p : "");
    end_command(c, at);
    c->offers = 0;
    buf_truncate(&c->offer, 0);
    enter(c, stage);
}

/* The transaction is over; the connection may go on or is ended. */
static void finish(struct client *c, bool good)
{
    c->done = true;
    c->good = good && !c->broken;
    if (c->broken)
        enter(c, CLIENT_OVER);
    else if (good)
        enter(c, CLIENT_IDLE);
    else
        say(c, "QUIT", CLIENT_QUIT);
}

static void finish_lost(struct client *c)
{
    c->done = true;
    c->good = false;
    c->out.len = c->sent = 0;
    enter(c, CLIENT_OVER);
}

static bool safe(struct bytes text)
{
    return !text.len || (!memchr(text.p, '\r', text.len) && !memchr(text.p, '\n', text.len) &&
                         !memchr(text.p, '\0', text.len) && text.len < CLIENT_LINE_MAX);
}

static void add_bytes(struct client *c, const char *before, struct bytes b)
{
    buf_adds(&c->out, before);
    buf_add(&c->out, b.p, b.len);
}

/* RFC 2852 4: what is left of the time; a return that cannot be in time is not tried. */
static bool deliver_by(struct client *c, int64_t *left)
{
    const struct plan *p = c->h->plan;
    bool returns = (p->envelope & ENVELOPE_BY_RETURN) != 0;
    bool offered = (c->offers & OFFERS_DELIVERBY) != 0;

    *left = 0;
    if (!p->deliver_by)
        return true;
    *left = (int64_t)(p->deliver_by - c->h->now);
    return !returns || (offered && *left > 0 && (uint64_t)*left >= c->by_min);
}

static void add_mail_parameters(struct client *c, int64_t left)
{
    const struct plan *p = c->h->plan;
    const char *body = body_parameter(p);

    if (c->offers & OFFERS_SIZE && c->h->size)
        buf_printf(&c->out, " SIZE=%llu", (unsigned long long)c->h->size);
    if (c->offers & OFFERS_8BITMIME && body)
        buf_printf(&c->out, " BODY=%s", body);
    if (c->offers & OFFERS_DSN) {
        if (p->envid.len && safe(p->envid))
            add_bytes(c, " ENVID=", p->envid);
        if (p->envelope & (ENVELOPE_RET_FULL | ENVELOPE_RET_HDRS))
            buf_adds(&c->out, p->envelope & ENVELOPE_RET_FULL ? " RET=FULL" : " RET=HDRS");
    }
    if (c->offers & OFFERS_AUTH && p->author.len && safe(p->author) &&
        (c->known || !c->settings.author_needs_login))
        add_bytes(c, " AUTH=", p->author);
    if (c->offers & OFFERS_DELIVERBY && p->deliver_by)
        buf_printf(&c->out, " BY=%lld;%c%s", (long long)left,
                   p->envelope & ENVELOPE_BY_RETURN ? 'R' : 'N',
                   p->envelope & ENVELOPE_BY_TRACE ? "T" : "");
}

/* MAIL, when rules have been asked where they are to be. */
static void say_mail(struct client *c)
{
    const struct plan *p = c->h->plan;
    int64_t left;

    if (!safe(p->sender)) {
        settle_rest(c, our_outcome(c, RECIPIENT_FAILED, EX_DATAERR, "5.1.7", "sender's address"),
                    false);
        finish(c, true);
    } else if (!deliver_by(c, &left)) {
        if (c->offers & OFFERS_DELIVERBY)
            c->quiet = true; /* a report says that the time is over */
        else
            buf_adds(&c->h->transcript, "554 5.4.7 Server does not support Deliver By\n");
        settle_rest(c, our_outcome(c, RECIPIENT_FAILED, EX_UNAVAILABLE, "5.4.7", ""), false);
        finish(c, true);
    } else {
        size_t at = c->out.len;
        add_bytes(c, "MAIL From:<", p->sender);
        buf_adds(&c->out, ">");
        add_mail_parameters(c, left);
        end_command(c, at);
        enter(c, CLIENT_MAIL);
    }
}

static void add_notify(struct client *c, uint64_t notify)
{
    static const struct {
        uint64_t flag;
        const char *word;
    } words[] = {{NOTIFY_NEVER, "NEVER"},
                 {NOTIFY_SUCCESS, "SUCCESS"},
                 {NOTIFY_FAILURE, "FAILURE"},
                 {NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!(notify & words[i].flag))
            continue;
        buf_printf(&c->out, "%s%s", before, words[i].word);
        before = ",";
        if (words[i].flag == NOTIFY_NEVER)
            return;
    }
}

/* A report on a relay that knows no DELIVERBY is made here, so that host makes the others. */
static uint64_t notify_of(const struct client *c, const struct plan_recipient *r)
{
    const struct plan *p = c->h->plan;

    if (r->notify & NOTIFY_SAID)
        return r->notify;
    if (p->deliver_by && !(p->envelope & ENVELOPE_BY_RETURN) && !(c->offers & OFFERS_DELIVERBY))
        return NOTIFY_FAILURE | NOTIFY_DELAY;
    return 0;
}

static void say_rcpt(struct client *c, size_t i)
{
    const struct plan_recipient *r = &c->h->plan->recipients[i];
    size_t at = c->out.len;

    add_bytes(c, "RCPT To:<", r->address);
    buf_adds(&c->out, ">");
    if (c->offers & OFFERS_DSN) {
        add_notify(c, notify_of(c, r));
        if (r->original.len && safe(r->original))
            add_bytes(c, " ORCPT=", r->original);
    }
    end_command(c, at);
    enter(c, CLIENT_RCPT);
}

static void recipients_done(struct client *c);

static bool is_later(struct bytes refusal)
{
    return refusal.len && *refusal.p == '4';
}

/* Those that rules refuse are not named to the host. */
static void refuse_ruled(struct client *c)
{
    for (size_t i = 0; i < c->refusals.n && i < c->h->plan->nrecipients; i++) {
        struct bytes why = c->refusals.v[i];
        bool later = is_later(why);
        struct outcome o =
            our_outcome(c, later ? RECIPIENT_WAITS : RECIPIENT_FAILED,
                        later ? EX_TEMPFAIL : EX_DATAERR, later ? "4.7.0" : "5.5.2", "");
        if (!why.len || c->here[i] != HERE_OPEN)
            continue;
        buf_add(&c->h->transcript, why.p, why.len);
        buf_addc(&c->h->transcript, '\n');
        settle_one(c, i, o, later);
    }
}

/* One RCPT, or, where that is offered, all of them and DATA (RFC 2920). */
static void say_recipients(struct client *c)
{
    size_t n = c->h->plan->nrecipients;

    refuse_ruled(c);
    c->at = first(c, c->at, HERE_OPEN);
    if (c->at == n) {
        recipients_done(c);
        return;
    }
    if (!(c->offers & OFFERS_PIPELINING)) {
        say_rcpt(c, c->at);
        return;
    }
    for (size_t i = c->at; i < n; i = first(c, i + 1, HERE_OPEN))
        say_rcpt(c, i);
    buf_adds(&c->out, "DATA");
    end_command(c, c->out.len - strlen("DATA"));
    c->data_sent = true;
}

/* --- the message --------------------------------------------------------------------------- */

static void begin_body(struct client *c)
{
    struct hand_over *h = c->h;
    enum body_change change = body_change(h->plan, (c->offers & OFFERS_8BITMIME) != 0);

    c->body = body_new(h->arena, h->plan, change);
    c->scanning = body_scans(c->body);
    c->offset = 0;
    if (!c->scanning)
        body_head(c->body, &c->out);
    enter(c, CLIENT_BLOCK);
}

/* Bytes that are gone make room, so that the buffer does not grow with the message. */
static void drop_sent(struct client *c)
{
    memmove(c->out.data, c->out.data + c->sent, c->out.len - c->sent);
    buf_truncate(&c->out, c->out.len - c->sent);
    c->sent = 0;
}

bool client_fetch(const struct client *c, uint64_t *offset, size_t *most)
{
    if (c->stage != CLIENT_BLOCK || !c->body || c->out.len - c->sent > CLIENT_OUTPUT_FULL)
        return false;
    *offset = c->offset;
    *most = CLIENT_PIECE;
    return true;
}

void client_piece(struct client *c, const char *bytes, size_t len)
{
    if (c->stage != CLIENT_BLOCK || !c->body)
        return;
    drop_sent(c);
    c->offset += len;
    c->step++;
    if (len && c->scanning) {
        body_scan(c->body, bytes, len);
    } else if (len) {
        body_write(c->body, bytes, len, &c->out);
    } else if (c->scanning) {
        c->scanning = false;
        c->offset = 0;
        body_head(c->body, &c->out);
    } else {
        body_end(c->body, &c->out);
        c->body = NULL;
        c->at = 0;
        buf_adds(&c->out, ".\r\n");
        enter(c, CLIENT_FINAL);
    }
}

void client_piece_failed(struct client *c)
{
    if (c->stage != CLIENT_BLOCK)
        return;
    settle_rest(c, our_outcome(c, RECIPIENT_WAITS, EX_IOERR, "4.3.0", "the message cannot be read"),
                false);
    finish_lost(c);
}

/* --- AUTH --------------------------------------------------------------------------------- */

static void ask_login(struct client *c)
{
    c->login_step = false;
    enter(c, CLIENT_LOGGING_IN);
}

/* Behind what rules say of the host: it gets no password before.  False: there is nothing to do. */
static bool begin_login(struct client *c)
{
    if (c->logged || !c->settings.logs_in || !(c->offers & OFFERS_AUTH))
        return false;
    ask_login(c);
    return true;
}

bool client_logs_in(const struct client *c, bool *step, struct bytes *what)
{
    const struct buf *b = c->login_step ? &c->login : &c->offer;

    *step = c->login_step;
    *what = (struct bytes){b->len > 0 ? b->data : "", b->len};
    return c->stage == CLIENT_LOGGING_IN;
}

bool client_logged_in(const struct client *c, bool *good)
{
    *good = c->known;
    return c->stage != CLIENT_LOGGING_IN && c->stage != CLIENT_AUTH;
}

/* A line with a secret in it is told as what it belongs to. */
static void say_secret(struct client *c, const char *before, struct texts response)
{
    struct bytes text = response.n > 0 ? response.v[0] : bytes_of("");

    buf_adds(&c->out, before);
    if (response.n > 0 && *before)
        buf_adds(&c->out, text.len > 0 ? " " : " =");
    base64_encode(text, &c->out);
    buf_adds(&c->out, "\r\n");
    buf_truncate(&c->command, 0);
    buf_adds(&c->command, "AUTH dialogue");
    enter(c, CLIENT_AUTH);
}

static void fail_login(struct client *c)
{
    settle_rest(c, our_outcome(c, RECIPIENT_WAITS, EX_TEMPFAIL, "4.7.0", "Temporary AUTH failure"),
                true);
    finish(c, false);
}

/* No further mechanism is tried. */
static void end_login(struct client *c)
{
    c->logged = true;
    if (c->login_later || (!c->known && !c->tried_login))
        fail_login(c);
    else
        say_mail(c);
}

static void start_login(struct client *c, struct bytes mechanism, struct texts response)
{
    const char *command =
        arena_printf(c->arena, "AUTH %.*s", (int)mechanism.len, mechanism.len ? mechanism.p : "");

    c->mechanism = bytes_of(command + sizeof "AUTH");
    c->tried_login = true;
    say_secret(c, command, response);
}

void client_login(struct client *c, enum login_said said, struct bytes mechanism,
                  struct texts response)
{
    if (c->stage != CLIENT_LOGGING_IN)
        return;
    if (said == LOGIN_START && !c->login_step && mechanism.len > 0) {
        start_login(c, mechanism, response);
    } else if (said == LOGIN_RESPOND && c->login_step) {
        say_secret(c, "", response);
    } else if (c->login_step) {
        buf_adds(&c->out, "*\r\n");
        enter(c, CLIENT_AUTH);
    } else if (said == LOGIN_WITHOUT) {
        c->logged = true;
        say_mail(c);
    } else {
        end_login(c);
    }
}

/* The mechanism that was tried is not offered any more. */
static void drop_mechanism(struct client *c)
{
    struct buf rest;

    buf_init(&rest, c->h->arena);
    for (const char *s = c->offer.len > 0 ? c->offer.data : ""; *s;) {
        size_t n = strcspn(s, " ");
        if (n != c->mechanism.len || strncasecmp(s, c->mechanism.p, n) != 0) {
            buf_adds(&rest, rest.len > 0 ? " " : "");
            buf_add(&rest, s, n);
        }
        s += n;
        s += strspn(s, " ");
    }
    buf_truncate(&c->offer, 0);
    buf_add(&c->offer, rest.len > 0 ? rest.data : "", rest.len);
}

static void take_challenge(struct client *c)
{
    const char *text = c->nline > 4 ? c->line + 4 : "";

    buf_truncate(&c->login, 0);
    buf_adds(&c->login, "");
    if (base64_decode(bytes_of(text), &c->login)) {
        c->login_step = true;
        enter(c, CLIENT_LOGGING_IN);
    } else {
        buf_adds(&c->out, "*\r\n");
    }
}

static void on_auth(struct client *c, int code)
{
    if (code == 334) {
        take_challenge(c);
    } else if (code / 100 == 2) {
        c->logged = c->known = true;
        say_mail(c);
    } else if (code == 421) {
        fail_login(c);
    } else {
        c->login_later |= code / 100 != 5;
        drop_mechanism(c);
        ask_login(c);
    }
}

/* --- rules -------------------------------------------------------------------------------- */

static void begin_mail(struct client *c)
{
    if (c->settings.asks)
        enter(c, CLIENT_RULING);
    else if (!begin_login(c))
        say_mail(c);
}

bool client_asks(const struct client *c, bool *fresh)
{
    *fresh = !c->ruled;
    return c->stage == CLIENT_RULING;
}

/* Another host may be asked; what comes of them all is told at the end. */
static void refuse_ruled_host(struct client *c, struct bytes refusal)
{
    bool later = is_later(refusal);
    struct outcome o = our_outcome(c, later ? RECIPIENT_WAITS : RECIPIENT_FAILED,
                                   later ? EX_TEMPFAIL : EX_UNAVAILABLE, "", "");

    o.answer = copied(c->h->arena, refusal);
    o.code = copied(c->h->arena, enhanced_code(o.answer.p));
    if (!o.code.len)
        o.code = bytes_of(later ? "4.7.0" : "5.7.0");
    c->quiet = true;
    settle_rest(c, o, true);
    finish(c, false);
}

void client_ruled(struct client *c, struct bytes host, struct texts recipients)
{
    if (c->stage != CLIENT_RULING)
        return;
    if (c->broken && !host.len) {
        client_lost(c);
        return;
    }
    if (host.len) {
        refuse_ruled_host(c, host);
        return;
    }
    c->ruled = true;
    struct bytes *list = arena_calloc(c->h->arena, recipients.n, sizeof *list);
    for (size_t i = 0; i < recipients.n; i++)
        list[i] = copied(c->h->arena, recipients.v[i]);
    c->refusals = (struct texts){list, recipients.n};
    if (!begin_login(c))
        say_mail(c);
}

/* --- TLS ---------------------------------------------------------------------------------- */

static void set_verify(struct client *c, const char *verify)
{
    c->found[SECURED_VERIFY] = bytes_of(verify);
}

static void say_starttls(struct client *c)
{
    c->tried = true;
    say(c, "STARTTLS", CLIENT_STARTTLS);
}

/* Behind EHLO; false: there is nothing to do. */
static bool begin_tls(struct client *c)
{
    if (c->tried || c->in_clear || !c->settings.tls || !(c->offers & OFFERS_STARTTLS))
        return false;
    if (c->settings.tries)
        enter(c, CLIENT_TRYING);
    else
        say_starttls(c);
    return true;
}

void client_stay_in_clear(struct client *c)
{
    c->in_clear = true;
    set_verify(c, "CLEAR");
}

bool client_tries(const struct client *c)
{
    return c->stage == CLIENT_TRYING;
}

void client_may_try(struct client *c, bool may)
{
    if (c->stage != CLIENT_TRYING)
        return;
    c->tried = true;
    if (may)
        say_starttls(c);
    else
        begin_mail(c);
}

/* Without it what is to be done is for rules to say. */
static void on_starttls(struct client *c, int code)
{
    if (code / 100 == 2) {
        enter(c, CLIENT_TLS);
        return;
    }
    buf_adds(&c->command, " dialogue");
    tell_reply(c);
    set_verify(c, code / 100 == 4 ? "TEMP" : code / 100 == 5 ? "NONE" : "PROTOCOL");
    begin_mail(c);
}

bool client_wants_tls(const struct client *c)
{
    return c->stage == CLIENT_TLS && c->sent == c->out.len;
}

/* What the host said of itself before could be anybody's. */
void client_secured(struct client *c, const struct bytes *v)
{
    if (c->stage != CLIENT_TLS)
        return;
    c->secured = true;
    for (size_t i = 0; i < SECURED_N; i++)
        c->found[i] = copied(c->arena, v[i]);
    say_hello(c, c->lmtp ? "LHLO" : "EHLO", c->lmtp ? CLIENT_LHLO : CLIENT_EHLO);
}

void client_not_secured(struct client *c)
{
    if (c->stage != CLIENT_TLS)
        return;
    c->broken = true;
    set_verify(c, "SOFTWARE");
    if (c->settings.falls_back) {
        c->gives_up = true;
        finish(c, false);
    } else if (c->settings.asks) {
        enter(c, CLIENT_RULING);
    } else {
        refuse_ruled_host(c, bytes_of("454 4.7.0 TLS handshake failed."));
    }
}

bool client_broken(const struct client *c)
{
    return c->broken;
}

const struct bytes *client_found(const struct client *c)
{
    return c->found;
}

/* --- replies ------------------------------------------------------------------------------- */

/* What the host says of a 4xx or 5xx to all that are still open; good: the connection goes on. */
static void refuse_rest(struct client *c, struct outcome o)
{
    bool later = o.state == RECIPIENT_WAITS;

    settle_rest(c, o, later);
    finish(c, !later && o.status != EX_PROTOCOL);
}

/* Neither host nor connection are of any use: another host is tried, whatever the class. */
static void refuse_host(struct client *c, int code)
{
    bool failed = code / 100 == 5;
    struct outcome o =
        their_outcome(c, failed ? RECIPIENT_FAILED : RECIPIENT_WAITS,
                      failed ? EX_UNAVAILABLE : EX_TEMPFAIL, failed ? "5.5.0" : "4.5.0", false);

    if (failed)
        o.host = bytes_of("");
    c->quiet = failed;
    settle_rest(c, o, true);
    finish(c, false);
}

static void on_greeting(struct client *c, int code)
{
    if (code / 100 != 2)
        refuse_host(c, code);
    else if (c->lmtp)
        say_hello(c, "LHLO", CLIENT_LHLO);
    else if (c->esmtp || plan_has_flag(c->h->plan, 'a'))
        say_hello(c, "EHLO", CLIENT_EHLO);
    else
        say_hello(c, "HELO", CLIENT_HELO);
}

/* Nobody said that this name is ours, or an MX leads back here. */
static void refuse_ourselves(struct client *c)
{
    buf_printf(&c->h->transcript,
               "553 5.3.5 %s config error: mail loops back to me (MX problem?)\n", c->host.p);
    c->quiet = true;
    settle_rest(
        c, our_outcome(c, RECIPIENT_FAILED, EX_CONFIG, "5.3.5", "553 5.3.5 system config error"),
        true);
    finish(c, false);
}

static void on_hello(struct client *c, int code)
{
    if (code / 100 == 2 && c->ourselves && !plan_has_flag(c->h->plan, 'k')) {
        refuse_ourselves(c);
    } else if (code / 100 == 2) {
        c->greeted = true;
        if (!begin_tls(c))
            begin_mail(c);
    } else if (code / 100 == 5 && c->stage == CLIENT_EHLO) {
        say_hello(c, "HELO", CLIENT_HELO);
    } else {
        refuse_host(c, code);
    }
}

static void on_mail(struct client *c, int code)
{
    const struct reply_row *row = reply_row(code);

    if (code / 100 == 2) {
        c->at = 0;
        say_recipients(c);
    } else if (row) {
        struct outcome o = refusal(c, code, row->mail, code != 421);
        if (o.state == RECIPIENT_FAILED)
            o.host = bytes_of(""); /* it came to no recipient */
        refuse_rest(c, o);
    } else {
        refuse_rest(c, protocol_error(c, "5.5.1"));
    }
}

/* All RCPTs have their replies. */
static void recipients_done(struct client *c)
{
    if (c->data_sent)
        enter(c, CLIENT_DATA);
    else if (any(c, HERE_ACCEPTED))
        say(c, "DATA", CLIENT_DATA);
    else
        finish(c, true);
}

static void on_rcpt(struct client *c, int code)
{
    const struct reply_row *row = reply_row(code);
    size_t i = c->at = first(c, c->at, HERE_OPEN);

    if (i == c->h->plan->nrecipients)
        return;
    if (code / 100 == 2) {
        c->here[i] = HERE_ACCEPTED;
        c->h->outcomes[i] = their_outcome(c, RECIPIENT_WAITS, EX_OK, "2.0.0", true);
    } else if (row) {
        settle_one(c, i, refusal(c, code, row->rcpt, true), code / 100 == 4);
    } else {
        settle_one(c, i, protocol_error(c, "5.0.0"), false);
    }
    if (code == 421) {
        refuse_rest(c, refusal(c, code, row->rcpt, true));
        return;
    }
    c->at = first(c, i + 1, HERE_OPEN);
    if (!c->data_sent)
        say_recipients(c);
    else if (c->at == c->h->plan->nrecipients)
        recipients_done(c);
    c->step++;
}

static void on_data(struct client *c, int code)
{
    if (!any(c, HERE_ACCEPTED)) {
        /* DATA went before that was known: a host that takes it gets nothing (RFC 2920 3.1). */
        if (code / 100 == 3)
            buf_adds(&c->out, ".\r\n");
        if (code / 100 == 3 && !c->lmtp)
            enter(c, CLIENT_FINAL);
        else
            finish(c, code / 100 == 5);
    } else if (code / 100 == 3) {
        begin_body(c);
    } else if (code / 100 == 4) {
        refuse_rest(c, their_outcome(c, RECIPIENT_WAITS, EX_TEMPFAIL, "4.0.0", false));
    } else if (code / 100 == 5) {
        struct outcome o = their_outcome(c, RECIPIENT_FAILED, EX_UNAVAILABLE, "5.5.0", false);
        o.answer = bytes_of("");
        refuse_rest(c, o);
    } else {
        settle_rest(c, their_outcome(c, RECIPIENT_FAILED, EX_PROTOCOL, "5.5.1", false), false);
        finish(c, true);
    }
}

/* Of success a report has what was said to RCPT. */
static struct outcome success(struct client *c, size_t i)
{
    struct outcome o = c->h->outcomes[i];

    c->took = true;
    if (c->lmtp)
        o = their_outcome(c, RECIPIENT_DELIVERED, EX_OK, "2.0.0", true);
    else
        o.state = c->offers & OFFERS_DSN ? RECIPIENT_PASSED : RECIPIENT_RELAYED;
    o.state = plan_arrived(c->h->plan, i, o.state, (c->offers & OFFERS_DELIVERBY) != 0);
    return o;
}

static struct outcome final_outcome(struct client *c, size_t i, int code)
{
    const struct reply_row *row = reply_row(code);

    if (code / 100 == 2)
        return success(c, i);
    return row ? refusal(c, code, row->final, true) : protocol_error(c, "5.0.0");
}

/* One reply for the message, or in LMTP one for each that RCPT was accepted of (RFC 2033 4.2). */
static void on_final(struct client *c, int code)
{
    bool later = code / 100 == 4;
    size_t i = c->at = first(c, c->at, HERE_ACCEPTED);

    if (c->lmtp && code != 421 && i < c->h->plan->nrecipients) {
        settle_one(c, i, final_outcome(c, i, code), later);
        c->step++;
        if (any(c, HERE_ACCEPTED))
            return;
        finish(c, true);
        return;
    }
    for (size_t n = c->h->plan->nrecipients; code / 100 == 2 && i < n;
         i = first(c, i + 1, HERE_ACCEPTED))
        settle(c, i, success(c, i), false);
    if (code / 100 != 2)
        settle_rest(c, final_outcome(c, i, code), later);
    finish(c, !later);
}

static void on_rset(struct client *c, int code)
{
    if (code / 100 == 2) {
        begin_mail(c);
        return;
    }
    c->stale = true;
    finish(c, false);
}

static void on_reply(struct client *c, int code)
{
    /* Another command may be taken. */
    bool harmless = (c->stage == CLIENT_EHLO && code / 100 == 5) || c->stage == CLIENT_STARTTLS ||
                    c->stage == CLIENT_RSET;

    if (c->h && !c->done && code / 100 >= 4 && !harmless)
        tell_reply(c);
    switch (c->stage) {
    case CLIENT_GREETING:
        on_greeting(c, code);
        break;
    case CLIENT_EHLO:
    case CLIENT_HELO:
    case CLIENT_LHLO:
        on_hello(c, code);
        break;
    case CLIENT_STARTTLS:
        on_starttls(c, code);
        break;
    case CLIENT_AUTH:
        on_auth(c, code);
        break;
    case CLIENT_MAIL:
        on_mail(c, code);
        break;
    case CLIENT_RCPT:
        on_rcpt(c, code);
        break;
    case CLIENT_DATA:
        on_data(c, code);
        break;
    case CLIENT_FINAL:
        on_final(c, code);
        break;
    case CLIENT_RSET:
        on_rset(c, code);
        break;
    case CLIENT_QUIT:
        finish_lost(c);
        break;
    case CLIENT_IDLE:
        finish_lost(c);
        break; /* 421: it closes */
    case CLIENT_CONNECT:
    case CLIENT_BLOCK: /* in the middle of the message: what counts comes behind it */
    case CLIENT_PIECE_WAIT:
    case CLIENT_TLS:
    case CLIENT_TRYING:
    case CLIENT_RULING:
    case CLIENT_LOGGING_IN:
    case CLIENT_OVER:
        break;
    }
}

/* --- lines --------------------------------------------------------------------------------- */

/* Behind "AUTH", or "AUTH=" as some wrote it before there was a standard. */
static void take_mechanisms(struct client *c, const char *s)
{
    for (s += strspn(s, " ="); *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        buf_adds(&c->offer, c->offer.len > 0 ? " " : "");
        buf_add(&c->offer, s, n);
        s += n;
    }
}

static void on_offer(struct client *c, const char *line)
{
    static const struct {
        const char *word;
        uint64_t offer;
    } words[] = {{"SIZE", OFFERS_SIZE},
                 {"8BITMIME", OFFERS_8BITMIME},
                 {"DSN", OFFERS_DSN},
                 {"PIPELINING", OFFERS_PIPELINING},
                 {"DELIVERBY", OFFERS_DELIVERBY},
                 {"ENHANCEDSTATUSCODES", OFFERS_CODES},
                 {"STARTTLS", OFFERS_STARTTLS},
                 {"AUTH", OFFERS_AUTH}};
    size_t len = strcspn(line, " =");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) != len || strncasecmp(line, words[i].word, len) != 0)
            continue;
        c->offers |= words[i].offer;
        if (words[i].offer == OFFERS_AUTH)
            take_mechanisms(c, line + len);
        if (words[i].offer == OFFERS_DELIVERBY) {
            c->by_min = 0;
            for (const char *p = line + len + (line[len] != '\0');
                 *p >= '0' && *p <= '9' && c->by_min < UINT32_MAX; p++)
                c->by_min = c->by_min * 10 + (uint64_t)(*p - '0');
        }
    }
}

static bool is_reply(const char *line, size_t len)
{
    return strspn(line, "0123456789") == 3 && (len == 3 || line[3] == ' ' || line[3] == '-');
}

/* The name that a reply to EHLO begins with. */
static bool is_our_name(const struct client *c, const char *text)
{
    const char *name = c->settings.name;
    size_t len = strcspn(text, " ");

    return name && len && strlen(name) == len && strncasecmp(text, name, len) == 0;
}

/* The line is NUL-terminated and without its end. */
static void on_line(struct client *c)
{
    const char *line = c->line;
    bool more = c->line[3] == '-';

    if (!is_reply(line, c->nline))
        return;
    if (c->stage == CLIENT_GREETING && strstr(line, "ESMTP"))
        c->esmtp = true;
    if ((c->stage == CLIENT_EHLO || c->stage == CLIENT_LHLO) && c->lines && c->nline > 4)
        on_offer(c, line + 4);
    if ((c->stage == CLIENT_EHLO || c->stage == CLIENT_HELO) && !c->lines && c->nline > 4)
        c->ourselves = is_our_name(c, line + 4);
    c->lines++;
    if (c->reply.len + c->nline < CLIENT_REPLY_MAX) {
        if (c->reply.len)
            buf_addc(&c->reply, '\n');
        buf_add(&c->reply, line, c->nline);
    }
    if (more)
        return;
    c->lines = 0;
    on_reply(c, (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0');
    buf_truncate(&c->reply, 0);
}

/* Control characters of an answer that is kept for logs and reports. */
static char printable(char ch)
{
    return (ch >= 0 && ch < ' ' && ch != '\t') || ch == 127 ? ' ' : ch;
}

void client_input(struct client *c, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && c->stage != CLIENT_OVER && c->stage != CLIENT_TLS; i++) {
        if (bytes[i] != '\n') {
            if (c->nline < CLIENT_LINE_MAX - 1)
                c->line[c->nline++] = printable(bytes[i]);
            continue;
        }
        while (c->nline && c->line[c->nline - 1] == ' ')
            c->nline--;
        c->line[c->nline] = '\0';
        on_line(c);
        c->nline = 0;
        if (c->lines > CLIENT_REPLY_LINES)
            client_lost(c);
    }
}

/* --- the connection ------------------------------------------------------------------------ */

struct client *client_new(struct arena *a, const struct client_settings *settings,
                          struct bytes host)
{
    struct client *c = arena_alloc(a, sizeof *c);

    c->arena = a;
    c->settings = *settings;
    c->host = copied(a, host);
    c->stage = CLIENT_CONNECT;
    buf_init(&c->out, a);
    buf_init(&c->reply, a);
    buf_init(&c->command, a);
    buf_init(&c->login, a);
    buf_init(&c->offer, a);
    for (size_t i = 0; i < SECURED_N; i++)
        c->found[i] = bytes_of("");
    set_verify(c, "NONE");
    return c;
}

static void refuse_addresses(struct client *c)
{
    for (size_t i = 0; i < c->h->plan->nrecipients; i++)
        if (c->here[i] == HERE_OPEN && !safe(c->h->plan->recipients[i].address))
            settle(c, i, our_outcome(c, RECIPIENT_FAILED, EX_DATAERR, "5.1.3", "address"), false);
}

void client_begin(struct client *c, struct hand_over *h)
{
    c->h = h;
    c->here = arena_calloc(h->arena, h->plan->nrecipients, sizeof *c->here);
    for (size_t i = 0; i < h->plan->nrecipients; i++)
        c->here[i] = h->open[i] ? HERE_OPEN : HERE_NOT;
    c->lmtp = h->plan->kind == PLAN_LMTP || plan_has_flag(h->plan, 'z');
    c->at = 0;
    c->refusals = (struct texts){0};
    c->done = c->data_sent = c->next = c->stale = c->good = c->told = c->took = false;
    c->body = NULL;
    refuse_addresses(c);
    if (!any(c, HERE_OPEN) || !safe(h->plan->helo)) {
        settle_rest(c, our_outcome(c, RECIPIENT_FAILED, EX_CONFIG, "5.3.5", "our own name"), false);
        finish(c, c->greeted);
    } else if (c->used) {
        say(c, "RSET", CLIENT_RSET);
    } else {
        enter(c, CLIENT_GREETING);
    }
    c->used = true;
}

/* As sendmail was measured: by whom, or of whom, or nothing of it. */
static char *why_unreachable(struct client *c, int error)
{
    const char *text = strerror(error);

    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
        return arena_printf(c->h->arena, "%s by %s", text, c->host.p);
    case ETIMEDOUT:
        return arena_printf(c->h->arena, "%s with %s", text, c->host.p);
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return arena_printf(c->h->arena, "%s: %s", c->host.p, text);
    default:
        return arena_strdup(c->h->arena, text);
    }
}

void client_unreachable(struct client *c, int error)
{
    char *all = why_unreachable(c, error);

    c->quiet = true;
    settle_rest(c, our_outcome(c, RECIPIENT_WAITS, EX_TEMPFAIL, "4.4.1", all), true);
    finish_lost(c);
}

static void gone(struct client *c, const char *text)
{
    if (c->stage == CLIENT_OVER)
        return;
    if (c->stage == CLIENT_RSET) {
        c->stale = true;
    } else if (c->h && !c->done) {
        char *all = arena_printf(c->h->arena, "%s %s", text, c->host.p);
        c->quiet = true;
        settle_rest(c, our_outcome(c, RECIPIENT_WAITS, EX_TEMPFAIL, "4.4.2", all), true);
    }
    finish_lost(c);
}

void client_lost(struct client *c)
{
    if (c->stage == CLIENT_TLS) {
        client_not_secured(c);
        return;
    }
    gone(c, "Connection reset by");
}

void client_timeout(struct client *c)
{
    gone(c, "Connection timed out with");
}

bool client_output(const struct client *c, struct bytes *bytes)
{
    *bytes = (struct bytes){c->out.data + c->sent, c->out.len - c->sent};
    return bytes->len > 0;
}

void client_sent(struct client *c, size_t n)
{
    size_t left = c->out.len - c->sent;

    c->sent += n < left ? n : left;
    if (c->stage == CLIENT_BLOCK && n)
        c->step++;
    if (c->sent == c->out.len && c->out.len) {
        buf_truncate(&c->out, 0);
        c->sent = 0;
    }
}

struct client_wait client_wait(const struct client *c)
{
    uint64_t offset;
    size_t most;
    bool piece = client_fetch(c, &offset, &most) && c->out.len == c->sent;
    enum client_stage stage = piece ? CLIENT_PIECE_WAIT : c->stage;
    uint64_t ms = stage < CLIENT_PIECE_WAIT ? c->settings.ms[stage] : 0;

    return (struct client_wait){stage, ms, c->step};
}

bool client_done(const struct client *c)
{
    return c->done;
}

enum client_next client_next(const struct client *c)
{
    if (!c->done)
        return CLIENT_NO_NEXT;
    if (c->gives_up)
        return CLIENT_IN_CLEAR;
    return c->stale ? CLIENT_SAME_HOST : c->next ? CLIENT_NEXT : CLIENT_NO_NEXT;
}

bool client_took(const struct client *c)
{
    return c->done && c->took;
}

bool client_reusable(const struct client *c)
{
    return c->done && c->good && c->greeted && c->stage == CLIENT_IDLE;
}

void client_quit(struct client *c)
{
    if (c->stage == CLIENT_IDLE)
        say(c, "QUIT", CLIENT_QUIT);
}

bool client_over(const struct client *c)
{
    return c->stage == CLIENT_OVER;
}
