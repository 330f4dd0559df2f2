#include "mta/store/note.h"

#include <ctype.h>
#include <string.h>
#include <syslog.h>

#include "mta/log.h"
#include "mta/message/coded.h"
#include "mta/message/exits.h"

enum {
    LEVEL_TROUBLE = 1, /* what somebody has to mend */
    LEVEL_FROM = 5,    /* what has come */
    LEVEL_FAILED = 7,
    LEVEL_SENT = 8,
    LEVEL_DEFERRED = 9,
    RELAY_PARTS = 3 /* of plan.hosts: name, address, port */
};

static bool is(struct bytes b, const char *text)
{
    return b.len == strlen(text) && memcmp(b.p, text, b.len) == 0;
}

static struct bytes macro(const struct envelope *e, const char *name)
{
    for (size_t i = 0; i + 1 < e->macros.n; i += 2) {
        if (is(e->macros.v[i], name))
            return e->macros.v[i + 1];
    }
    return (struct bytes){"", 0};
}

/* Its text, without blanks around it; the head is flags, name and text by turns. */
static struct bytes message_id(const struct envelope *e)
{
    static const char name[] = "message-id";

    for (size_t i = 0; i + 2 < e->header.n; i += 3) {
        struct bytes n = e->header.v[i + 1], t = e->header.v[i + 2];
        if (n.len != sizeof name - 1 || strncasecmp(n.p, name, n.len) != 0)
            continue;
        while (t.len && isspace((unsigned char)*t.p))
            t = (struct bytes){t.p + 1, t.len - 1};
        while (t.len && isspace((unsigned char)t.p[t.len - 1]))
            t.len--;
        return t;
    }
    return macro(e, "msg_id");
}

static void add_if(struct log_event *l, const char *name, struct bytes value)
{
    if (value.len)
        log_field(l, name, value);
}

static char *bracketed(struct store *s, struct bytes b)
{
    return arena_printf(s->scratch, "<%.*s>", (int)b.len, b.p);
}

void note_from(struct store *s, const struct envelope *e)
{
    struct log_event l;

    log_begin(&l, s->setup->events, s->scratch, LEVEL_FROM, LOG_INFO, "from", e->id);
    if (e->flags & ENVELOPE_SUBMITTED)
        log_field(&l, "from", e->sender);
    else
        log_text(&l, "from", bracketed(s, e->sender));
    log_number(&l, "size", (int64_t)e->size);
    log_number(&l, "class", (int64_t)e->priority);
    log_number(&l, "nrcpts", (int64_t)e->nrecipients);
    add_if(&l, "msgid", message_id(e));
    if (e->flags & (ENVELOPE_8BIT | ENVELOPE_7BIT))
        log_text(&l, "bodytype", e->flags & ENVELOPE_8BIT ? "8BITMIME" : "7BIT");
    add_if(&l, "proto", macro(e, "r"));
    add_if(&l, "daemon", macro(e, "daemon_name"));
    add_if(&l, "relay", e->relay);
    if (e->quarantine.len)
        log_field(&l, "quarantine", e->quarantine);
    log_end(&l);
}

/* --- tries -------------------------------------------------------------------------------- */

static char *age(struct store *s, uint64_t seconds)
{
    const uint64_t minute = 60, hour = 60 * minute, day = 24 * hour;
    char *days =
        seconds < day ? "" : arena_printf(s->scratch, "%llu+", (unsigned long long)(seconds / day));

    return arena_printf(s->scratch, "%s%02u:%02u:%02u", days, (unsigned)(seconds % day / hour),
                        (unsigned)(seconds % hour / minute), (unsigned)(seconds % minute));
}

/* As it was named, or as an alias has it. */
static char *named(struct store *s, const struct recipient *r)
{
    return r->shown.len ? arena_printf(s->scratch, "%.*s", (int)r->shown.len, r->shown.p)
                        : bracketed(s, r->address);
}

/* "name [address]" of the plan's host of this name. */
static char *relay(struct store *s, const struct plan *p, struct bytes host)
{
    for (size_t i = 0; i + RELAY_PARTS <= p->hosts.n; i += RELAY_PARTS) {
        struct bytes n = p->hosts.v[i], at = p->hosts.v[i + 1];
        if (n.len == host.len && memcmp(n.p, host.p, n.len) == 0)
            return arena_printf(s->scratch, "%.*s [%s%.*s]", (int)n.len, n.p,
                                memchr(at.p, ':', at.len) ? "IPv6:" : "", (int)at.len, at.p);
    }
    return arena_printf(s->scratch, "%.*s", (int)host.len, host.p);
}

struct tried {
    uint64_t state;
    struct bytes code, answer, host;
};

/* Of what nobody answered, the host that was tried last. */
static struct bytes last_tried(const struct plan *p, const struct tried *t)
{
    bool nobody = p && t->state == RECIPIENT_WAITS && !t->host.len && p->hosts.n >= RELAY_PARTS;

    return nobody ? p->hosts.v[p->hosts.n - RELAY_PARTS] : t->host;
}

/* The reply without its code. */
static struct bytes reply_text(struct bytes b)
{
    const size_t code = coded_line(b).code.len;

    return code > 0 && b.len > code ? (struct bytes){b.p + code + 1, b.len - code - 1} : b;
}

static const char *of_failure(struct bytes answer)
{
    static const char *const unknown[] = {"550", "551", "553"};

    for (size_t i = 0; answer.len > 3 && i < sizeof unknown / sizeof *unknown; i++) {
        if (memcmp(answer.p, unknown[i], 3) == 0)
            return "User unknown";
    }
    return "Service unavailable";
}

/* A program or file has failed, not a host: what its exit status means; else NULL. */
static const struct exit_meaning *meaning_of(const struct plan *p, const struct tried *t)
{
    bool local = p && (p->kind == PLAN_PROGRAM || p->kind == PLAN_FILE) && !t->host.len;

    return local ? exit_by_text(t->answer) : NULL;
}

/* An exit status that means nothing: "99". */
static bool is_unknown_exit(const struct plan *p, const struct tried *t)
{
    bool local = p && (p->kind == PLAN_PROGRAM || p->kind == PLAN_FILE) && !t->host.len;

    for (size_t i = 0; local && i < t->answer.len; i++)
        local = t->answer.p[i] >= '0' && t->answer.p[i] <= '9';
    return local && t->answer.len > 0 && t->state == RECIPIENT_FAILED;
}

/* Nobody is at the address: no mailer was asked. */
static bool is_refusal(const struct plan *p, const struct tried *t)
{
    return !p && t->state == RECIPIENT_FAILED && coded_line(t->answer).code.len > 0;
}

static char *status(struct store *s, const struct plan *p, const struct tried *t)
{
    bool network = p && (p->kind == PLAN_SMTP || p->kind == PLAN_LMTP);
    struct bytes text = reply_text(t->answer);

    if (meaning_of(p, t))
        return arena_strdup(s->scratch, meaning_of(p, t)->text);
    if (is_unknown_exit(p, t))
        return arena_printf(s->scratch, "unknown mailer error %.*s", (int)t->answer.len,
                            t->answer.p);
    if (t->state == RECIPIENT_WAITS)
        return arena_printf(s->scratch, "Deferred: %.*s", (int)t->answer.len, t->answer.p);
    if (t->state != RECIPIENT_FAILED)
        return network && text.len ? arena_printf(s->scratch, "Sent (%.*s)", (int)text.len, text.p)
                                   : arena_printf(s->scratch, "Sent");
    if (network && t->host.len)
        return arena_printf(s->scratch, "%s", of_failure(t->answer));
    if (is_refusal(p, t))
        text = coded_line(t->answer).text;
    return arena_printf(s->scratch, "%.*s", (int)text.len, text.p);
}

static void tell(struct store *s, struct work *w, const struct plan *p, uint64_t begun,
                 const char *to, const struct tried *t)
{
    const struct envelope *e = &w->m.envelope;
    struct noted *noted = arena_alloc(w->arena, sizeof *noted);
    struct log_event l;
    int level = t->state == RECIPIENT_FAILED  ? LEVEL_FAILED
                : t->state == RECIPIENT_WAITS ? LEVEL_DEFERRED
                                              : LEVEL_SENT;

    log_begin(&l, s->setup->events, w->arena, level, LOG_INFO, "to", e->id);
    log_text(&l, "to", to);
    log_text(&l, "delay", age(s, s->now > e->made ? s->now - e->made : 0));
    if (p) {
        log_text(&l, "xdelay", age(s, begun && s->now > begun ? s->now - begun : 0));
        log_field(&l, "mailer", p->mailer);
    }
    log_number(&l, "pri", w->entry->when.priority);
    const struct bytes host = last_tried(p, t);
    if (host.len)
        log_text(&l, "relay",
                 p ? relay(s, p, host) : arena_printf(s->scratch, "%.*s", (int)host.len, host.p));
    /* What a report says of a local user is another code. */
    bool sent = level == LEVEL_SENT && !t->host.len;
    add_if(&l, "dsn",
           sent                    ? bytes_of("2.0.0")
           : meaning_of(p, t)      ? bytes_of(meaning_of(p, t)->enhanced)
           : is_unknown_exit(p, t) ? bytes_of("5.3.0")
                                   : t->code);
    if (is_refusal(p, t) ||
        (p && t->host.len && (t->state == RECIPIENT_FAILED || t->state == RECIPIENT_WAITS)))
        log_field(&l, "reply", t->answer);
    log_text(&l, "stat", status(s, p, t));
    *noted = (struct noted){.event = l};
    *w->last_noted = noted;
    w->last_noted = &noted->next;
}

void note_kept(struct work *w)
{
    for (struct noted *n = w->noted; n; n = n->next)
        log_end(&n->event);
    w->noted = NULL;
    w->last_noted = &w->noted;
}

static bool alike(const struct outcome *a, const struct outcome *b)
{
    return a->state == b->state && a->code.len == b->code.len &&
           memcmp(a->code.p, b->code.p, a->code.len) == 0 && a->answer.len == b->answer.len &&
           memcmp(a->answer.p, b->answer.p, a->answer.len) == 0;
}

/* Once, whoever it was for. */
static void tell_trouble(struct store *s, const struct envelope *e, const struct outcome *o,
                         size_t i)
{
    struct log_event l;

    for (size_t k = 0; k < i; k++) {
        if (o[k].trouble.len == o[i].trouble.len &&
            memcmp(o[k].trouble.p, o[i].trouble.p, o[i].trouble.len) == 0)
            return;
    }
    log_begin(&l, s->setup->events, s->scratch, LEVEL_TROUBLE, LOG_NOTICE, "trouble", e->id);
    log_words(&l, "text", arena_printf(s->scratch, "%.*s", (int)o[i].trouble.len, o[i].trouble.p));
    log_end(&l);
}

void note_outcomes(struct store *s, const struct delivery *d, const struct outcome *o, size_t n)
{
    bool *told = arena_calloc(s->scratch, n + 1, sizeof *told);
    const struct envelope *e = &d->work->m.envelope;

    if (!s->setup->events)
        return;
    for (size_t i = 0; i < n; i++) {
        struct buf to;
        if (o[i].trouble.len)
            tell_trouble(s, e, o, i);
        if (told[i])
            continue;
        buf_init(&to, s->scratch);
        for (size_t k = i; k < n; k++) {
            if (told[k] || !alike(&o[i], &o[k]))
                continue;
            told[k] = true;
            buf_printf(&to, "%s%s", to.len ? "," : "",
                       named(s, &e->recipients[d->plan.recipients[k].index]));
        }
        /* Of a program, what its exit code means is in the envelope. */
        const struct recipient *r = &e->recipients[d->plan.recipients[i].index];
        tell(s, d->work, &d->plan, d->begun, to.data,
             &(struct tried){r->state, r->status, r->answer, r->host});
    }
}

void note_unrouted(struct store *s, struct work *w)
{
    const struct envelope *e = &w->m.envelope;

    for (size_t i = 0; s->setup->events && i < e->nrecipients; i++) {
        const struct recipient *r = &e->recipients[i];
        if ((r->state == RECIPIENT_FAILED || r->state == RECIPIENT_WAITS) && r->answer.len &&
            r->when + 1 >= s->now)
            tell(s, w, NULL, 0, named(s, r),
                 &(struct tried){r->state, r->status, r->answer, r->host});
    }
}
