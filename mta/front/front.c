#include "mta/front/front.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "lib/base/arena.h"
#include "mta/front/counts.h"
#include "mta/front/doors.h"
#include "mta/front/relay.h"
#include "mta/front/tls.h"
#include "mta/front/serve.h"

enum { MS = 1000, TICK_MS = 1000 };

/* --- channels ----------------------------------------------------------------------------- */

static void end_if_idle(struct front *f)
{
    if (f->stopping && f->open == (f->deprived ? f->clients : 0))
        uv_stop(&f->loop);
}

/* Sessions and deliveries end what they began. */
static void stop(struct front *f, bool gracefully)
{
    f->stopping = true;
    doors_close(f);
    serve_go_on(f);
    relay_forget_kept(f);
    if (!gracefully)
        uv_stop(&f->loop);
    end_if_idle(f);
}

static void take_message(struct front *f, const struct message *m)
{
    switch (m->kind) {
    case MESSAGE_VERDICT:
        serve_verdict(f, &m->as.VERDICT);
        break;
    case MESSAGE_STORED:
        serve_stored(f, &m->as.STORED);
        break;
    case MESSAGE_HAND_OVER:
        relay_begin(f, &m->as.HAND_OVER);
        break;
    case MESSAGE_HOST_VERDICT:
        relay_verdict(f, &m->as.HOST_VERDICT);
        break;
    case MESSAGE_LOGIN_SAID:
        relay_login(f, &m->as.LOGIN_SAID);
        break;
    case MESSAGE_READ_BODY:
        serve_carry(f, m->as.READ_BODY.transaction, m);
        break;
    case MESSAGE_NEW_BODY:
        serve_carry(f, m->as.NEW_BODY.transaction, m);
        break;
    case MESSAGE_BODY_IS:
        front_send(&f->policy, m);
        break;
    case MESSAGE_PIECE:
        relay_piece(f, &m->as.PIECE);
        break;
    case MESSAGE_STOP:
        stop(f, m->as.STOP.gracefully);
        break;
    default:
        break;
    }
}

static void moved(uv_poll_t *p, int status, int events);

static void watch(struct link *l)
{
    if (channel_state(l->channel) != CHANNEL_OPEN)
        return;
    uv_poll_start(&l->poll, UV_READABLE | (channel_wants_write(l->channel) ? UV_WRITABLE : 0),
                  moved);
}

/* Without the others there is nothing to do; without policy, messages that are being handed over
 * come to their end, which is all that the store waits for. */
static void lose(struct front *f, const struct link *l)
{
    f->deprived = true;
    stop(f, l == &f->policy);
    end_if_idle(f);
}

static void moved(uv_poll_t *p, int status, int events)
{
    struct link *l = p->data;
    struct front *f = l->front;
    struct arena *a = arena_beside(f->arena);
    struct message m;
    bool full = channel_waiting(l->channel) > FRONT_STORE_FULL;

    if (events & UV_READABLE || status < 0)
        channel_read(l->channel);
    while (channel_next(l->channel, a, &m, NULL)) {
        take_message(f, &m);
        arena_reset(a);
    }
    arena_free(a);
    channel_flush(l->channel);
    if (channel_state(l->channel) != CHANNEL_OPEN) {
        uv_poll_stop(p);
        lose(f, l);
        return;
    }
    if (full && channel_waiting(l->channel) <= FRONT_STORE_FULL)
        serve_go_on(f);
    end_if_idle(f);
    watch(l);
}

void front_send(struct link *l, const struct message *m)
{
    if (!l->channel)
        return;
    channel_send(l->channel, m, -1);
    channel_flush(l->channel);
    watch(l);
}

static bool join(struct front *f, struct link *l, int fd, enum role other)
{
    l->front = f;
    if (fd < 0)
        return true;
    l->channel = channel_new(f->arena, fd, ROLE_FRONT, other);
    if (uv_poll_init(&f->loop, &l->poll, fd) != 0)
        return false;
    l->poll.data = l;
    watch(l);
    return true;
}

/* --- settings ----------------------------------------------------------------------------- */

static uint64_t positive(long n)
{
    return n > 0 ? (uint64_t)n : 0;
}

static struct session_settings session_settings(const struct program *p, const char *host)
{
    static const struct {
        unsigned privacy;
        uint64_t bit;
    } bits[] = {{PRIVACY_NEEDMAILHELO, SESSION_NEED_MAIL_HELO},
                {PRIVACY_NEEDVRFYHELO, SESSION_NEED_VRFY_HELO},
                {PRIVACY_NEEDEXPNHELO, SESSION_NEED_EXPN_HELO},
                {PRIVACY_NOVRFY, SESSION_NO_VRFY},
                {PRIVACY_NOEXPN, SESSION_NO_EXPN},
                {PRIVACY_NOVERB, SESSION_NO_VERB},
                {PRIVACY_NOETRN, SESSION_NO_ETRN},
                {PRIVACY_NORECEIPTS, SESSION_NO_RECEIPTS}};
    const unsigned privacy = setting_privacy(p);
    uint64_t switches = 0;

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        switches |= privacy & bits[i].privacy ? bits[i].bit : 0;
    if (!setting_true(p, "SendMimeErrors")) /* RFC 3464 reports are MIME */
        switches |= SESSION_NO_RECEIPTS;
    if (setting_true(p, "AllowBogusHELO"))
        switches |= SESSION_ALLOW_BOGUS_HELO;
    if (setting_true(p, "SoftBounce"))
        switches |= SESSION_SOFT;
    if (setting_true(p, "RejectNUL"))
        switches |= SESSION_REJECT_NUL;
    if (setting_true(p, "SevenBitInput"))
        switches |= SESSION_SEVEN_BIT;
    if (setting_true(p, "SaveFromLine"))
        switches |= SESSION_SAVE_FROM;
    if (strchr(setting_text(p, "TLSSrvOptions"), 'V'))
        switches |= SESSION_NO_CERTIFICATE;
    if (*setting_text(p, "EightBitMode") == 's')
        switches |= SESSION_STRICT_8BIT;
    return (struct session_settings){
        .name = host,
        .switches = switches,
        .max_size = positive(setting_number(p, "MaxMessageSize")),
        .max_recipients = positive(setting_number(p, "MaxRecipientsPerMessage")),
        .max_head = positive(setting_number(p, "MaxHeadersLength")),
        .max_noops = positive(setting_number(p, "MaxNOOPCommands")),
        .bad_recipients = positive(setting_number(p, "BadRcptThrottle")),
        .bad_recipient_ms = MS,
        .deliver_by_min = *setting_text(p, "DeliverByMin") == '-'
                              ? -1
                              : (int64_t)setting_time(p, "DeliverByMin", 's'),
        .tls_ms = MS * setting_timeout(p, TIMEOUT_STARTTLS),
        .command_ms = MS * setting_timeout(p, TIMEOUT_COMMAND),
        .data_ms = MS * setting_timeout(p, TIMEOUT_DATABLOCK)};
}

static bool has_ruleset(const struct program *p, const char *name)
{
    return program_ruleset(p, name, strlen(name)) != NULL;
}

static struct client_settings client_settings(const struct program *p)
{
    struct client_settings s = client_settings_default();

    for (size_t i = 0; i < sizeof s.ms / sizeof *s.ms; i++) {
        const char *option = client_stage_option((enum client_stage)i);
        for (size_t t = 0; option && t < TIMEOUTS; t++) {
            if (strcmp(timeout_name((enum timeout)t), option) == 0)
                s.ms[i] = MS * setting_timeout(p, (enum timeout)t);
        }
    }
    s.asks = has_ruleset(p, "tls_server") || has_ruleset(p, "tls_rcpt");
    s.tries = has_ruleset(p, "try_tls") || has_ruleset(p, "tls_clt_features");
    s.logs_in = has_ruleset(p, "authinfo") || *setting_text(p, "DefaultAuthInfo");
    s.author_needs_login = strchr(setting_text(p, "AuthOptions"), 'A') != NULL;
    s.falls_back = setting_true(p, "TLSFallbacktoClear");
    return s;
}

static bool session_tls_fits(const void *ctx, const char *features)
{
    return !ctx || tls_fits(ctx, features);
}

/* --- the role ----------------------------------------------------------------------------- */

static void tick(uv_timer_t *t)
{
    struct front *f = t->data;

    counts_time(f->counts, (uint64_t)time(NULL));
    doors_tick(f);
    end_if_idle(f);
}

int front_run(struct arena *a, const struct front_setup *setup)
{
    struct front *f = arena_alloc(a, sizeof *f);
    const struct program *p = setup->program;
    struct message ready = {.kind = MESSAGE_READY};
    uv_timer_t clock;
    size_t n;

    f->setup = setup;
    f->arena = a;
    f->session = session_settings(p, setup->host);
    f->session.tls = setup->tls_server != NULL;
    f->session.tls_fits = session_tls_fits;
    f->session.tls_ctx = setup->tls_server;
    f->listeners = settings_listeners(a, p, &n);
    if (setup->dialogue >= 0)
        f->session.switches |= SESSION_LAX_COMMANDS;
    f->client = client_settings(p);
    f->client.tls = setup->tls_client != NULL;
    f->client.name = setup->host;
    f->keep = positive(setting_number(p, "ConnectionCacheSize"));
    f->keep_ms = MS * setting_time(p, "ConnectionCacheTimeout", 'm');
    f->connect_ms = MS * setting_timeout(p, TIMEOUT_CONNECT);
    f->counts = counts_new(a, setting_time(p, "ConnectionRateWindowSize", 's'));
    counts_time(f->counts, (uint64_t)time(NULL));
    if (uv_loop_init(&f->loop) != 0 || !join(f, &f->policy, setup->policy, ROLE_POLICY) ||
        !join(f, &f->store, setup->store, ROLE_STORE) ||
        !join(f, &f->parent, setup->parent, ROLE_PARENT) || !doors_open(f))
        return EX_OSERR;
    uv_timer_init(&f->loop, &clock);
    clock.data = f;
    uv_timer_start(&clock, tick, TICK_MS, TICK_MS);
    front_send(&f->parent, &ready);
    if (setup->dialogue >= 0)
        serve_dialogue(f);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return EX_OK;
}
