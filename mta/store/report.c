#include "mta/store/report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "mta/message/exits.h"
#include "mta/message/head.h"
#include "mta/message/dates.h"

/* --- small texts --------------------------------------------------------------------------- */

static void add(struct buf *b, struct bytes t)
{
    buf_add(b, t.p, t.len);
}

static bool same(struct bytes x, struct bytes y)
{
    return x.len == y.len && (x.len == 0 || strncasecmp(x.p, y.p, x.len) == 0);
}

static struct bytes first_line(struct bytes t)
{
    const char *end = t.len ? memchr(t.p, '\n', t.len) : NULL;

    if (end)
        t.len = (size_t)(end - t.p);
    return t;
}

/* A text that came from outside, on one line. */
static void add_line(struct buf *b, struct bytes t)
{
    for (size_t i = 0; i < t.len; i++)
        buf_addc(b, (unsigned char)t.p[i] < ' ' ? ' ' : t.p[i]);
}

static void add_date(struct buf *out, uint64_t when)
{
    char text[DATE_BYTES];

    date_mail(when, text);
    buf_adds(out, text);
}

void report_age(struct buf *out, uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t i = 0;

    while (i + 1 < sizeof units / sizeof *units && seconds < units[i].seconds)
        i++;
    uint64_t n = seconds / units[i].seconds;
    buf_printf(out, "%llu %s%s", (unsigned long long)n, units[i].name, n == 1 ? "" : "s");
}

static int hex(char c)
{
    const char *digits = "0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* xtext (RFC 3461 4) decoded. */
static void add_xtext(struct buf *b, struct bytes t)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = t.p[i];
        if (c == '+' && i + 2 < t.len && hex(t.p[i + 1]) >= 0 && hex(t.p[i + 2]) >= 0) {
            c = (char)(hex(t.p[i + 1]) << 4 | hex(t.p[i + 2]));
            i += 2;
        }
        add_line(b, (struct bytes){&c, 1});
    }
}

/* Whether it begins with a reply code: a host said it. */
static bool is_reply(struct bytes t)
{
    return t.len > 3 && t.p[0] >= '2' && t.p[0] <= '5' && t.p[1] >= '0' && t.p[1] <= '9' &&
           t.p[2] >= '0' && t.p[2] <= '9';
}

static bool is_number(struct bytes t)
{
    size_t n = 0;

    while (n < t.len && t.p[n] >= '0' && t.p[n] <= '9')
        n++;
    return n > 0 && n == t.len;
}

/* --- who is told what ---------------------------------------------------------------------- */

static bool has_failed(const struct recipient *r)
{
    return r->state == RECIPIENT_FAILED &&
           (!(r->notify & NOTIFY_SAID) || r->notify & NOTIFY_FAILURE) &&
           !(r->notify & NOTIFY_NEVER);
}

static bool has_arrived(const struct recipient *r)
{
    if (r->state == RECIPIENT_IN_TIME || r->state == RECIPIENT_TRACED)
        return !(r->notify & NOTIFY_NEVER);
    return r->notify & NOTIFY_SUCCESS &&
           (r->state == RECIPIENT_DELIVERED || r->state == RECIPIENT_RELAYED ||
            r->state == RECIPIENT_EXPANDED);
}

static bool is_late(const struct recipient *r)
{
    return r->state <= RECIPIENT_HANDING && !(r->notify & NOTIFY_NEVER) &&
           (!(r->notify & NOTIFY_SAID) || r->notify & NOTIFY_DELAY);
}

static bool is_told(const struct recipient *r, enum report_kind kind)
{
    return kind == REPORT_DELAYED ? is_late(r) : has_failed(r) || has_arrived(r);
}

bool report_is_due(const struct envelope *e, enum report_kind kind)
{
    for (size_t i = 0; i < e->nrecipients; i++) {
        if (is_told(&e->recipients[i], kind))
            return true;
    }
    return false;
}

void report_done(struct envelope *e, enum report_kind kind)
{
    if (kind == REPORT_DELAYED) {
        e->warned = 1;
        return;
    }
    for (size_t i = 0; i < e->nrecipients; i++) {
        struct recipient *r = &e->recipients[i];
        if (r->state == RECIPIENT_FAILED)
            r->state = RECIPIENT_REPORTED;
        if (r->state == RECIPIENT_IN_TIME || r->state == RECIPIENT_TRACED)
            r->state = RECIPIENT_PASSED;
        if (has_arrived(r))
            r->notify &= ~(uint64_t)NOTIFY_SUCCESS;
    }
}

/* --- one report ---------------------------------------------------------------------------- */

static const char postmaster[] = "postmaster";

enum {
    REPORT_TO = 3,     /* the sender, postmaster, Errors-To */
    REPORT_MORE = 1024 /* bytes that a report is said to be longer than the message */
};

struct making {
    struct arena *arena;
    const struct report_settings *settings;
    const struct envelope *of;
    enum report_kind kind;
    uint64_t now;
    struct bytes id, to[REPORT_TO];
    size_t nto;
    struct bytes owner; /* only recipients with this one */
    bool postmaster;    /* it is for whoever runs this machine */
    bool failed;        /* somebody failed */
    bool whole;
    const char *boundary;
    struct buf text;
};

static bool in_it(const struct making *m, const struct recipient *r)
{
    if (!is_told(r, m->kind) || !same(r->owner, m->owner))
        return false;
    /* One of several in an alias' place is not named. */
    if (has_arrived(r) && r->notify & NOTIFY_SUCCESS && !(r->notify & NOTIFY_SAID))
        return false;
    return !m->postmaster || has_failed(r);
}

static void add_address(struct buf *b, const struct recipient *r)
{
    if (r->shown.len) {
        add_line(b, r->shown);
    } else {
        buf_addc(b, '<');
        add_line(b, r->address);
        buf_addc(b, '>');
    }
}

static void add_origin(struct buf *b, const struct recipient *r)
{
    if (!r->from.len)
        return;
    buf_adds(b, "    (expanded from: ");
    add_line(b, r->from);
    buf_adds(b, ")\n");
}

static const char *arrival(const struct recipient *r)
{
    return r->state == RECIPIENT_RELAYED    ? "relayed to non-DSN-aware mailer"
           : r->state == RECIPIENT_EXPANDED ? "expanded by mailing list"
           : r->state == RECIPIENT_IN_TIME  ? "Deliver-By notify: relayed"
           : r->state == RECIPIENT_TRACED   ? "Deliver-By trace: relayed"
                                            : "successfully delivered to mailbox";
}

static void add_failures(struct making *m)
{
    struct buf *b = &m->text;
    bool any = false;

    for (size_t i = 0; i < m->of->nrecipients; i++) {
        const struct recipient *r = &m->of->recipients[i];
        if (!in_it(m, r) || !has_failed(r))
            continue;
        if (!any)
            buf_adds(b, "\n   ----- The following addresses had permanent fatal errors -----\n");
        any = true;
        add_address(b, r);
        buf_addc(b, '\n');
        if (r->answer.len) {
            buf_adds(b, "    (reason: ");
            add_line(b, first_line(r->answer));
            buf_adds(b, ")\n");
        }
        add_origin(b, r);
    }
}

static void add_arrivals(struct making *m)
{
    struct buf *b = &m->text;
    bool any = false;

    for (size_t i = 0; i < m->of->nrecipients; i++) {
        const struct recipient *r = &m->of->recipients[i];
        if (!in_it(m, r) || !has_arrived(r))
            continue;
        if (!any)
            buf_adds(b, "\n   ----- The following addresses had successful delivery "
                        "notifications -----\n");
        any = true;
        add_address(b, r);
        buf_printf(b, "  (%s)\n", arrival(r));
        add_origin(b, r);
    }
}

/* Somebody failed with this status, which is given where a message is waited for no longer. */
static bool gave_up(const struct making *m, const char *status)
{
    for (size_t i = 0; i < m->of->nrecipients; i++) {
        const struct recipient *r = &m->of->recipients[i];
        if (in_it(m, r) && has_failed(r) && same(r->status, bytes_of(status)))
            return true;
    }
    return false;
}

static bool gave_up_waiting(const struct making *m)
{
    return gave_up(m, "4.4.7");
}

/* It was to be there by now (RFC 2852). */
static bool is_late_for_sender(const struct making *m)
{
    return m->of->deliver_by && m->now >= m->of->deliver_by && gave_up(m, "5.4.7");
}

static struct bytes own_transcript(const struct making *m)
{
    struct bytes lines = m->settings->transcript;
    const struct transcript_part *parts = m->settings->parts;

    for (size_t i = m->settings->nparts; i-- > 0;) {
        if (!same(parts[i].owner, m->owner))
            continue;
        lines.len = parts[i].end;
        break;
    }
    return lines;
}

static void add_transcript(struct making *m)
{
    struct buf *b = &m->text;
    struct bytes lines = own_transcript(m);

    if (!lines.len && m->kind != REPORT_DELAYED && !gave_up_waiting(m) && !is_late_for_sender(m))
        return;
    buf_adds(b, "\n   ----- Transcript of session follows -----\n");
    add(b, lines);
    if (m->kind == REPORT_DELAYED) {
        buf_adds(b, "Warning: message still undelivered after ");
        report_age(b, m->settings->warned);
        buf_adds(b, "\nWill keep trying until message is ");
        report_age(b, m->settings->expires);
        buf_adds(b, " old\n");
    } else if (gave_up_waiting(m)) {
        buf_adds(b, "Message could not be delivered for ");
        report_age(b, m->settings->expires);
        buf_adds(b, "\nMessage will be deleted from queue\n");
    } else if (is_late_for_sender(m)) {
        buf_printf(b, "Delivery time (%llus) expired\nMessage will be deleted from queue\n",
                   (unsigned long long)(m->of->deliver_by - m->of->made));
    }
}

static void add_text_part(struct making *m)
{
    struct buf *b = &m->text;

    if (!m->settings->plain)
        buf_printf(b, "This is a MIME-encapsulated message\n\n--%s\n\n", m->boundary);
    if (m->kind == REPORT_DELAYED)
        buf_adds(b, "    **********************************************\n"
                    "    **      THIS IS A WARNING MESSAGE ONLY      **\n"
                    "    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n"
                    "    **********************************************\n\n");
    buf_adds(b, "The original message was received at ");
    add_date(b, m->of->made);
    buf_adds(b, "\nfrom ");
    bool ours = !m->of->relay.len || m->of->flags & ENVELOPE_REPORT;
    add_line(b, ours ? bytes_of("localhost") : m->of->relay);
    buf_addc(b, '\n');
    if (m->postmaster) {
        buf_adds(b, "with id ");
        add_line(b, m->of->id);
        buf_addc(b, '\n');
    }
    if (m->settings->text && *m->settings->text)
        buf_printf(b, "\n%s%s", m->settings->text,
                   m->settings->text[strlen(m->settings->text) - 1] == '\n' ? "" : "\n");
    add_failures(m);
    add_arrivals(m);
    add_transcript(m);
}

/* --- the part for programs (RFC 3464) ------------------------------------------------------ */

static void add_qualified(struct making *m, struct bytes address)
{
    add_line(&m->text, address);
    if (address.len && !memchr(address.p, '@', address.len))
        buf_printf(&m->text, "@%s", m->settings->hostname);
}

static const char *action(const struct making *m, const struct recipient *r)
{
    if (m->kind == REPORT_DELAYED)
        return "delayed";
    return r->state == RECIPIENT_FAILED     ? "failed"
           : r->state == RECIPIENT_RELAYED  ? "relayed (to non-DSN-aware mailer)"
           : r->state == RECIPIENT_EXPANDED ? "expanded (to multi-recipient alias)"
           : r->state == RECIPIENT_IN_TIME  ? "relayed (Deliver-By notify mode)"
           : r->state == RECIPIENT_TRACED   ? "relayed (Deliver-By trace mode)"
                                            : "delivered (to mailbox)";
}

static struct bytes status(const struct making *m, const struct recipient *r)
{
    bool timed = r->state == RECIPIENT_IN_TIME || r->state == RECIPIENT_TRACED;

    if (timed && !r->host.len)
        return bytes_of("2.0.0");
    if (r->status.len)
        return r->status;
    return bytes_of(m->kind == REPORT_DELAYED       ? "4.0.0"
                    : r->state == RECIPIENT_FAILED  ? "5.0.0"
                    : r->state == RECIPIENT_RELAYED ? "2.0.0"
                                                    : "2.1.5");
}

static void add_diagnostic(struct buf *b, const struct recipient *r)
{
    const struct exit_meaning *x = exit_by_text(r->answer);
    const struct bytes host = bytes_without_dot(r->host);

    if (host.len) {
        buf_adds(b, "Remote-MTA: DNS; ");
        add_line(b, host);
        buf_addc(b, '\n');
    }
    if (is_reply(r->answer)) {
        buf_printf(b, "Diagnostic-Code: %s; ", r->flags & RECIPIENT_IS_PROGRAM ? "X-Unix" : "SMTP");
        add_line(b, first_line(r->answer));
        buf_addc(b, '\n');
    } else if (r->state == RECIPIENT_FAILED && x) {
        buf_printf(b, "Diagnostic-Code: X-Unix; %d\n", x->code);
    } else if (is_number(r->answer)) { /* an exit status that means nothing */
        buf_printf(b, "Diagnostic-Code: X-Unix; %.*s\n", (int)r->answer.len, r->answer.p);
    }
}

static void add_actual(struct making *m, const struct recipient *r)
{
    struct bytes a = r->actual.len ? r->actual : r->address;

    if (a.len && (a.p[0] == '|' || a.p[0] == '/')) {
        buf_adds(&m->text, "\nX-Actual-Recipient: X-Unix; ");
        add_line(&m->text, a);
    } else {
        buf_adds(&m->text, "\nX-Actual-Recipient: rfc822; ");
        add_qualified(m, a);
    }
}

static void add_fields_of(struct making *m, const struct recipient *r)
{
    struct buf *b = &m->text;

    buf_addc(b, '\n');
    if (r->original.len) {
        buf_adds(b, "Original-Recipient: ");
        add_xtext(b, r->original);
        buf_addc(b, '\n');
    }
    buf_adds(b, "Final-Recipient: RFC822; ");
    add_qualified(m, r->final.len ? r->final : r->address);
    if (!m->settings->no_actual)
        add_actual(m, r);
    buf_printf(b, "\nAction: %s\nStatus: ", action(m, r));
    add_line(b, status(m, r));
    buf_addc(b, '\n');
    add_diagnostic(b, r);
    buf_adds(b, "Last-Attempt-Date: ");
    add_date(b, r->when ? r->when : m->now);
    buf_addc(b, '\n');
}

/* "host [192.0.2.1]": who brought it, where it came over the network. */
static void add_received_from(struct buf *b, struct bytes relay)
{
    const char *bracket = relay.len ? memchr(relay.p, '[', relay.len) : NULL;

    if (!bracket)
        return;
    size_t n = 0;
    while (n < relay.len && relay.p[n] != ' ')
        n++;
    buf_adds(b, "Received-From-MTA: DNS; ");
    add_line(b, (struct bytes){relay.p, n});
    buf_addc(b, '\n');
}

/* Hops are counted before anybody is delivered to. */
static bool goes_round(const struct making *m)
{
    for (size_t i = 0; i < m->of->nrecipients; i++) {
        const struct recipient *r = &m->of->recipients[i];
        if (in_it(m, r) && r->flags & RECIPIENT_IS_LOOPING)
            return true;
    }
    return false;
}

/* What goes round in a circle is told of when the queue is run. */
static bool is_from_queue(const struct making *m)
{
    return m->settings->from_queue || goes_round(m);
}

static void add_fields(struct making *m)
{
    struct buf *b = &m->text;

    buf_printf(b, "\n--%s\nContent-Type: message/delivery-status\n\n", m->boundary);
    if (m->of->envid.len) {
        buf_adds(b, "Original-Envelope-Id: ");
        add_xtext(b, m->of->envid);
        buf_addc(b, '\n');
    }
    buf_printf(b, "Reporting-MTA: dns; %s\n", m->settings->hostname);
    if (!is_from_queue(m))
        add_received_from(b, m->of->relay);
    buf_adds(b, "Arrival-Date: ");
    add_date(b, m->of->made);
    buf_addc(b, '\n');
    if (m->of->deliver_by) {
        buf_adds(b, "Deliver-By-Date: ");
        add_date(b, m->of->deliver_by);
        buf_addc(b, '\n');
    }
    for (size_t i = 0; i < m->of->nrecipients; i++) {
        if (in_it(m, &m->of->recipients[i]))
            add_fields_of(m, &m->of->recipients[i]);
    }
}

/* --- the original message ------------------------------------------------------------------ */

/* Flags as an envelope keeps them: hexadecimal, and behind "?" the mailer flags that a field is
 * for. A report shows what any mailer would. */
static bool is_shown(struct bytes flags)
{
    const char *only = flags.len ? memchr(flags.p, '?', flags.len) : NULL;

    if (!only)
        return true;
    for (const char *p = only + 1; p < flags.p + flags.len; p++) {
        if (*p && strchr("DFM", *p))
            return true;
    }
    return only + 1 == flags.p + flags.len;
}

static void add_original_head(struct making *m, struct bytes sender)
{
    struct buf *b = &m->text;
    const struct texts *h = &m->of->header;

    if (m->settings->head.len) {
        struct bytes head = m->settings->head;
        size_t line = first_line(head).len + 1;
        /* A list's owner is its sender. */
        if (m->owner.len && line <= head.len && memcmp(head.p, "Return-Path:", 12) == 0) {
            buf_adds(b, "Return-Path: <");
            add_line(b, sender);
            buf_adds(b, ">\n");
            head = (struct bytes){head.p + line, head.len - line};
        }
        add(b, head);
        return;
    }
    buf_adds(b, "Return-Path: <");
    add_line(b, sender);
    buf_adds(b, ">\n");
    for (size_t i = 0; i + 2 < h->n; i += 3) {
        if (!is_shown(h->v[i]) || same(h->v[i + 1], bytes_of("Return-Path")))
            continue;
        add(b, h->v[i + 1]);
        buf_addc(b, ':');
        /* What is only known when it is delivered is not known here. */
        if (strtoul(bytes_string(m->arena, h->v[i]), NULL, 16) & FIELD_LATE)
            buf_addc(b, ' ');
        else
            add(b, h->v[i + 2]);
        buf_addc(b, '\n');
    }
}

static void add_original(struct making *m)
{
    struct buf *b = &m->text;

    if (m->settings->plain) {
        buf_printf(b, "\n   ----- %s follow%s -----\n\n",
                   m->whole ? "Original message" : "Message header", "s");
    } else {
        buf_printf(b, "\n--%s\nContent-Type: %s\n", m->boundary,
                   m->whole ? "message/rfc822" : "text/rfc822-headers");
        if (m->of->flags & ENVELOPE_HAS_8BIT)
            buf_adds(b, "Content-Transfer-Encoding: 8bit\n");
        buf_addc(b, '\n');
    }
    struct bytes sender = m->owner.len ? m->owner : m->of->sender;
    if (!sender.len && m->of->flags & ENVELOPE_REPORT)
        sender = bytes_of(m->settings->daemon);
    add_original_head(m, sender);
    if (m->whole)
        buf_addc(b, '\n');
}

/* --- head and envelope --------------------------------------------------------------------- */

struct fields {
    struct arena *arena;
    struct bytes v[3 * 12];
    size_t n;
    uint64_t size;
};

/* flags: of mta/headers.def. */
static void field(struct fields *f, const char *flags, const char *name, const struct buf *value)
{
    f->v[f->n++] = bytes_of(flags);
    f->v[f->n++] = bytes_of(name);
    f->v[f->n++] = (struct bytes){arena_strndup(f->arena, value->data, value->len), value->len};
    f->size += strlen(name) + value->len + 2;
}

static void field_text(struct fields *f, const char *flags, const char *name, const char *value)
{
    struct buf b;

    buf_init(&b, f->arena);
    buf_printf(&b, " %s", value);
    field(f, flags, name, &b);
}

static void subject(struct making *m, struct buf *b)
{
    if (m->postmaster) {
        buf_adds(b, " Postmaster notify: see transcript for details");
    } else if (m->kind == REPORT_DELAYED) {
        buf_adds(b, " Warning: could not send message for past ");
        report_age(b, m->settings->warned);
    } else {
        buf_adds(b, m->failed ? " Returned mail: see transcript for details" : " Return receipt");
    }
}

static const char *why(const struct making *m)
{
    return m->postmaster               ? "auto-generated (postmaster-notification)"
           : m->kind == REPORT_DELAYED ? "auto-generated (warning-timeout)"
           : m->failed                 ? "auto-generated (failure)"
                                       : "auto-generated (return-receipt)";
}

/* Only the sender is written as he was given, in brackets. */
static bool is_bare(const struct making *m, size_t i)
{
    return i || m->postmaster || m->owner.len || !m->of->sender.len ||
           m->of->flags & ENVELOPE_SUBMITTED;
}

static struct texts report_head(struct making *m, uint64_t *size)
{
    struct fields f = {.arena = m->arena};
    struct buf b;

    for (size_t i = 0; i < m->nto; i++) {
        buf_init(&b, m->arena);
        bool bare = is_bare(m, i);
        buf_adds(&b, bare ? " " : " <");
        add_line(&b, m->to[i]);
        buf_adds(&b, bare ? "" : ">");
        field(&f, "2", "To", &b);
    }
    if (!m->settings->plain) {
        field_text(&f, "0", "MIME-Version", "1.0");
        buf_init(&b, m->arena);
        buf_printf(&b, " multipart/report; report-type=delivery-status;\n\tboundary=\"%s\"",
                   m->boundary);
        field(&f, "2000", "Content-Type", &b);
    }
    if (m->of->flags & ENVELOPE_HAS_8BIT)
        field_text(&f, "1000", "Content-Transfer-Encoding", "8bit");
    buf_init(&b, m->arena);
    subject(m, &b);
    field(&f, "0", "Subject", &b);
    field_text(&f, "0", "Auto-Submitted", why(m));
    *size = f.size;
    struct bytes *v = arena_calloc(m->arena, f.n, sizeof *v);
    memcpy(v, f.v, f.n * sizeof *v);
    return (struct texts){v, f.n};
}

static bool somebody_failed(const struct making *m)
{
    for (size_t i = 0; i < m->of->nrecipients; i++) {
        if (in_it(m, &m->of->recipients[i]) && has_failed(&m->of->recipients[i]))
            return true;
    }
    return false;
}

/* Somebody's mailer takes no message of that size: nor does the sender's, perhaps. */
static bool is_too_large(const struct making *m)
{
    for (size_t i = 0; i < m->of->nrecipients; i++) {
        const struct recipient *r = &m->of->recipients[i];
        if (in_it(m, r) && has_failed(r) && r->flags & RECIPIENT_IS_TOO_LARGE)
            return true;
    }
    return false;
}

static struct report *make(struct making *m)
{
    struct report *r = arena_alloc(m->arena, sizeof *r);
    struct recipient *to = arena_calloc(m->arena, m->nto, sizeof *to);
    struct buf b;

    m->failed = somebody_failed(m);
    /* The whole goes back with bad news only, and where nobody said otherwise (RFC 3461 4.3). */
    m->whole = (m->failed || m->kind == REPORT_DELAYED) && !m->settings->no_body &&
               !(m->of->flags & ENVELOPE_RET_HDRS) && !is_too_large(m) &&
               (int64_t)m->of->priority >= 0 && m->whole;
    m->boundary = arena_printf(m->arena, "%.*s.%llu/%s", (int)m->id.len, m->id.p,
                               (unsigned long long)m->now, m->settings->hostname);
    buf_init(&m->text, m->arena);
    add_text_part(m);
    if (!m->settings->plain)
        add_fields(m);
    add_original(m);
    buf_init(&b, m->arena);
    if (m->settings->plain)
        buf_addc(&b, '\n');
    else
        buf_printf(&b, "\n--%s--\n\n", m->boundary);
    for (size_t i = 0; i < m->nto; i++)
        to[i] = (struct recipient){.address = m->to[i],
                                   .shown = is_bare(m, i) ? m->to[i] : (struct bytes){"", 0}};
    uint64_t body = m->of->flags & (ENVELOPE_HAS_8BIT | ENVELOPE_CR_LF);
    if (!m->owner.len)
        body |= m->of->flags & ENVELOPE_OWN;
    if (body & ENVELOPE_HAS_8BIT)
        body |= ENVELOPE_8BIT;
    r->envelope = (struct envelope){.id = m->id,
                                    .sender = {"", 0},
                                    .made = m->now,
                                    .flags = ENVELOPE_REPORT | body,
                                    .group = m->of->group,
                                    .relay = m->of->relay,
                                    .recipients = to,
                                    .nrecipients = m->nto};
    uint64_t head;
    r->envelope.header = report_head(m, &head);
    r->text = (struct bytes){m->text.data, m->text.len};
    r->tail = (struct bytes){b.data, b.len};
    r->whole = m->whole;
    r->size = head + r->text.len + r->tail.len;
    /* What a host is told of its size: nothing of one that has but a head. */
    uint64_t size = is_from_queue(m) ? m->settings->size : m->of->size;
    r->envelope.size = m->whole ? size + REPORT_MORE : 0;
    return r;
}

/* --- all of them --------------------------------------------------------------------------- */

/* Whether a recipient before number i has the same owner and is told too. */
static bool was_owner(const struct envelope *e, size_t i, enum report_kind kind)
{
    for (size_t j = 0; j < i; j++) {
        if (is_told(&e->recipients[j], kind) &&
            same(e->recipients[j].owner, e->recipients[i].owner))
            return true;
    }
    return false;
}

static bool any_failed(const struct envelope *e, struct bytes owner, const char *except)
{
    for (size_t i = 0; i < e->nrecipients; i++) {
        const struct recipient *r = &e->recipients[i];
        if (has_failed(r) && same(r->owner, owner) && !same(r->address, bytes_of(except)))
            return true;
    }
    return false;
}

static bool is_set(const char *s)
{
    return s && *s;
}

bool report_is_our_fault(const struct recipient *r)
{
    const struct exit_meaning *x = exit_by_text(r->answer);

    return r->flags & RECIPIENT_IS_CONFIG || (x && x->ours);
}

/* Whether this machine is at fault, for any recipient of this owner. */
static bool is_our_fault(const struct making *m)
{
    for (size_t i = 0; m->settings->at_fault && i < m->of->nrecipients; i++) {
        const struct recipient *r = &m->of->recipients[i];
        if (r->state == RECIPIENT_FAILED && same(r->owner, m->owner) && report_is_our_fault(r))
            return true;
    }
    return false;
}

/* Who is told beside the sender: whoever runs this machine, where it is at fault, and Errors-To. */
static void add_others(struct making *m)
{
    if (m->of->errors_to.len && somebody_failed(m))
        m->to[m->nto++] = m->of->errors_to;
    if (is_our_fault(m) && !same(m->to[0], bytes_of(postmaster)))
        m->to[m->nto++] = bytes_of(postmaster);
}

/* Nobody is left to be told, but who runs this machine.  False: nor does he want to know, or it is
 * his own that failed. */
static bool tell_postmaster(struct making *m)
{
    const char *to = m->settings->double_bounce;

    m->postmaster = !is_our_fault(m);
    if (!m->postmaster)
        to = postmaster;
    m->to[0] = bytes_of(to);
    return m->kind != REPORT_DELAYED && is_set(to) && any_failed(m->of, m->owner, to);
}

struct report *report_make(struct arena *a, const struct report_settings *s,
                           const struct envelope *e, enum report_kind kind, uint64_t now,
                           struct bytes (*new_id)(void *ctx), void *ctx)
{
    struct report *first = NULL, **last = &first;
    struct making usual = {
        .arena = a, .settings = s, .of = e, .kind = kind, .now = now, .nto = 1, .whole = true};

    for (size_t i = 0; i < e->nrecipients; i++) {
        const struct recipient *r = &e->recipients[i];
        struct making m = usual;
        if (!is_told(r, kind) || was_owner(e, i, kind))
            continue;
        m.owner = r->owner;
        m.to[0] = r->owner.len ? r->owner : e->sender;
        if (!m.to[0].len && !tell_postmaster(&m))
            continue;
        m.id = new_id(ctx);
        if (!m.postmaster)
            add_others(&m);
        *last = make(&m);
        last = &(*last)->next;
        if (kind == REPORT_DELAYED || !is_set(s->copy) || !any_failed(e, r->owner, ""))
            continue;
        struct making copy = usual;
        copy.owner = r->owner;
        copy.to[0] = bytes_of(s->copy);
        copy.postmaster = true;
        copy.whole = false;
        copy.id = new_id(ctx);
        *last = make(&copy);
        last = &(*last)->next;
    }
    return first;
}
