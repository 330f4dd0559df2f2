#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "lib/base/table.h"
#include "mta/message/exits.h"
#include "mta/message/head.h"
#include "mta/store/note.h"
#include "mta/store/drop.h"
#include "mta/store/parts.h"

enum {
    RUN_AGAIN = 1,        /* seconds, where a limit was reached */
    LOAD_AGAIN = 60,      /* seconds, where the load is high */
    SHARE_OF_RUNS = 4,    /* of what may be on its way, new messages have one such part alone */
    FROM_BODY = 128 << 10 /* bytes that are copied into a report at a time */

};

static struct bytes kept(struct arena *a, struct bytes t)
{
    return (struct bytes){arena_strndup(a, t.p ? t.p : "", t.len), t.len};
}

static bool waits(const struct envelope *e)
{
    for (size_t i = 0; i < e->nrecipients; i++) {
        if (e->recipients[i].state == RECIPIENT_WAITS)
            return true;
    }
    return false;
}

/* --- beginning ----------------------------------------------------------------------------- */

static void drop_work(struct store *s, struct work *w)
{
    struct work **at = &s->works;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    s->nworks--;
    arena_free(w->arena);
}

/* Its envelope is read; false: it is not there any more. */
static struct work *new_work(struct store *s, struct entry *e)
{
    struct arena *a = arena_beside(s->arena);
    struct work *w = arena_alloc(a, sizeof *w);

    *w = (struct work){.number = s->next_number++, .arena = a, .entry = e};
    if (!queue_get(s->queue, a, e->when.id, &w->m)) {
        arena_free(a);
        return NULL;
    }
    for (size_t i = 0; i < w->m.envelope.nrecipients; i++) {
        struct recipient *r = &w->m.envelope.recipients[i];
        if (r->state == RECIPIENT_HANDING)
            r->state = RECIPIENT_WAITS;
    }
    w->last = &w->first;
    w->last_noted = &w->noted;
    w->next = s->works;
    s->works = w;
    s->nworks++;
    return w;
}

static size_t running_of(const struct store *s, struct bytes group)
{
    size_t n = 0;

    for (const struct work *w = s->works; w; w = w->next) {
        const struct bytes *g = &w->m.envelope.group;
        n += g->len == group.len && (!g->len || memcmp(g->p, group.p, g->len) == 0);
    }
    return n;
}

static void later(struct store *s, struct entry *e, uint64_t seconds)
{
    e->when.due = s->now + seconds;
    heap_put(&s->heap, &e->when);
}

/* R= of a queue group: so many of its messages at a time. */
static bool group_is_full(struct store *s, struct work *w)
{
    const struct queue_group *g = schedule_group(&s->setup->schedule, w->m.envelope.group);

    return g && g->runners && running_of(s, g->name) > g->runners;
}

static void start(struct store *s, struct entry *e)
{
    struct work *w = new_work(s, e);
    struct message m = {.kind = MESSAGE_ROUTE};
    struct buf b;

    if (!w) {
        store_log(s, "%s: cannot be read", e->id);
        later(s, e, LOAD_AGAIN);
        return;
    }
    if (group_is_full(s, w)) {
        drop_work(s, w);
        later(s, e, RUN_AGAIN);
        return;
    }
    e->work = w;
    /* All are through, and only what comes of that was not kept; or somebody else is to begin. */
    if (!waits(&w->m.envelope) || (s->setup->passes && w->m.envelope.flags & ENVELOPE_QUEUED)) {
        w->routed = w->over = true;
        return;
    }
    buf_init(&b, s->scratch);
    envelope_encode(&w->m.envelope, &b);
    m.as.ROUTE = (struct message_ROUTE){w->number, {b.data, b.len}};
    if (!channel_send(s->policy, &m, -1)) /* longer than a message may be: it gets old here */
        w->routed = w->over = true;
}

static void start_or_wait(struct store *s, struct entry *e, uint64_t load)
{
    if (schedule_only_queued(&s->setup->schedule, e->when.priority, load))
        later(s, e, LOAD_AGAIN);
    else
        start(s, e);
}

static enum sort_order order_of(const struct store *s)
{
    return s->setup->schedule.order;
}

static int by_order(const void *x, const void *y, void *order)
{
    struct entry *const *a = x, *const *b = y;

    return schedule_compare(*(enum sort_order *)order, &(*a)->when, &(*b)->when);
}

/* A run: all that are due now and were tried before, in the order that was asked for. */
static void collect_run(struct store *s, struct entry *e)
{
    e->ready = true;
    s->ready =
        arena_grow(s->arena, s->ready, s->nready, &s->ready_room, sizeof(struct entry *), 64);
    s->ready[s->nready++] = e;
}

static void sort_run(struct store *s)
{
    enum sort_order order = order_of(s);

    if (s->nready > 1)
        qsort_r(s->ready, s->nready, sizeof(struct entry *), by_order, &order);
}

void work_start_due(struct store *s)
{
    uint64_t load = s->setup->load ? s->setup->load() : 0, most = s->setup->messages;
    bool was_empty = s->next_ready == s->nready;
    struct scheduled *first;

    if (was_empty)
        s->next_ready = s->nready = 0;
    while ((first = heap_first(&s->heap)) && first->due <= s->now && s->nworks < most) {
        struct entry *e = (struct entry *)first;
        heap_remove(&s->heap, first);
        if (!e->when.tried)
            start_or_wait(s, e, load);
        else if (was_empty)
            collect_run(s, e);
        else
            later(s, e, RUN_AGAIN); /* behind this run */
    }
    if (was_empty)
        sort_run(s);
    while (s->next_ready < s->nready && s->nworks < most - most / SHARE_OF_RUNS) {
        struct entry *e = s->ready[s->next_ready++];
        if (!e)
            continue; /* it was removed */
        e->ready = false;
        if (e->when.due == SCHEDULE_NEVER)
            heap_put(&s->heap, &e->when); /* held meanwhile */
        else
            start_or_wait(s, e, load);
    }
}

/* --- hosts --------------------------------------------------------------------------------- */

static struct host *host_of(struct store *s, const struct plan *p)
{
    struct buf b;

    buf_init(&b, s->scratch);
    buf_add(&b, p->mailer.p, p->mailer.len);
    buf_addc(&b, '/');
    buf_add(&b, p->host.p, p->host.len);
    struct host *h = table_get(s->hosts, b.data);
    if (!h) {
        h = arena_alloc(s->arena, sizeof *h);
        table_set(s->hosts, b.data, h);
    }
    return h;
}

/* Nobody answered, and all have to wait: another message does not have to try that. */
static void remember_host(struct store *s, struct host *h, const struct outcome *o, size_t n)
{
    static const char network[] = "4.4.";

    for (size_t i = 0; i < n; i++) {
        if (o[i].state != RECIPIENT_WAITS || o[i].host.len || o[i].code.len < 4 ||
            memcmp(o[i].code.p, network, 4) != 0) {
            h->bad_until = 0;
            return;
        }
    }
    if (!n || !s->setup->host_status)
        return;
    h->bad_until = s->now + s->setup->host_status;
    free(h->answer);
    free(h->code);
    h->answer = strndup(o[0].answer.p, o[0].answer.len);
    h->code = strndup(o[0].code.p, o[0].code.len);
}

/* --- deliveries ---------------------------------------------------------------------------- */

static void set_outcome(struct store *s, struct work *w, const struct plan *p, size_t i,
                        const struct outcome *o)
{
    struct recipient *r = &w->m.envelope.recipients[p->recipients[i].index];

    bool settled = o->state >= RECIPIENT_DELIVERED && o->state < RECIPIENT_STATES &&
                   o->state != RECIPIENT_EXPANDED && o->state != RECIPIENT_REPORTED;
    r->state = settled ? o->state : RECIPIENT_WAITS;
    const struct exit_meaning *x = exit_by_code(o->status);
    if (o->state == RECIPIENT_FAILED && x && x->ours)
        r->flags |= RECIPIENT_IS_CONFIG;
    r->status = kept(w->arena, o->code);
    r->answer = kept(w->arena, o->answer);
    r->host = kept(w->arena, o->host);
    r->when = s->now;
}

static void all_outcomes(struct store *s, struct work *w, const struct plan *p, uint64_t state,
                         const char *code, const char *answer)
{
    struct outcome o = {.state = state, .code = bytes_of(code), .answer = bytes_of(answer)};

    for (size_t i = 0; i < p->nrecipients; i++)
        set_outcome(s, w, p, i, &o);
    w->changed = true;
}

/* What is too old, or too late for its sender (RFC 2852), is given up. */
static void give_up(const struct store *s, struct envelope *e)
{
    bool late = e->deliver_by && e->flags & ENVELOPE_BY_RETURN && s->now >= e->deliver_by;

    if (s->now < schedule_expires(&s->setup->schedule, e) && !late)
        return;
    for (size_t i = 0; i < e->nrecipients; i++) {
        if (e->recipients[i].state == RECIPIENT_WAITS) {
            e->recipients[i].state = RECIPIENT_FAILED;
            e->recipients[i].status = bytes_of(late ? "5.4.7" : "4.4.7");
        }
    }
}

/* Policy writes the head that a report shows.  False: there is none to be written. */
static bool ask_for_head(struct store *s, struct work *w)
{
    struct envelope e = w->m.envelope;
    struct message m = {.kind = MESSAGE_ROUTE};
    struct buf b;

    e.flags |= ENVELOPE_FOR_REPORT;
    buf_init(&b, s->scratch);
    envelope_encode(&e, &b);
    m.as.ROUTE = (struct message_ROUTE){w->number, {b.data, b.len}};
    return channel_send(s->policy, &m, -1);
}

static bool tells_somebody(struct store *s, const struct work *w)
{
    struct envelope e = w->m.envelope;

    e.recipients = arena_calloc(s->scratch, e.nrecipients + 1, sizeof *e.recipients);
    memcpy(e.recipients, w->m.envelope.recipients, e.nrecipients * sizeof *e.recipients);
    give_up(s, &e);
    return report_is_due(&e, REPORT_ENDED) ||
           (waits(&e) && s->now >= schedule_warns(&s->setup->schedule, &e));
}

static void finished(struct store *s, struct work *w)
{
    if (!w->routed || w->open > 0)
        return;
    if (!w->asked && !w->removed && tells_somebody(s, w)) {
        w->asked = true;
        w->routed = !ask_for_head(s, w);
    }
    w->over = w->routed;
}

static void end_delivery(struct store *s, struct delivery *d)
{
    struct delivery **at = &s->deliveries;

    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    if (!*at)
        s->last_delivery = at;
    if (d->started)
        d->host->running--;
    if (d->agent) {
        channel_free(d->agent);
        d->agent = NULL;
    }
    d->work->open--;
    finished(s, d->work);
}

/* One more line, or several, of what came of it. */
static void add_lines(struct work *w, struct delivery *d, struct bytes lines)
{
    struct buf b;

    if (!lines.len)
        return;
    buf_init(&b, w->arena);
    buf_add(&b, d->lines.p ? d->lines.p : "", d->lines.len);
    buf_add(&b, lines.p, lines.len);
    d->lines = (struct bytes){b.data, b.len};
}

static void tell_deferred(struct delivery *d, struct bytes why)
{
    struct buf b;

    buf_init(&b, d->work->arena);
    for (size_t i = 0; i < d->plan.nrecipients; i++)
        exit_deferred(&b, d->plan.recipients[i].shown, why);
    add_lines(d->work, d, (struct bytes){b.data, b.len});
}

/* Its session only put it into the queue (DeliveryMode). */
static bool was_queued(const struct envelope *e)
{
    for (size_t i = 0; i + 1 < e->macros.n; i += 2) {
        const struct bytes *v = &e->macros.v[i];
        if (v->len == 12 && memcmp(v->p, "deliveryMode", 12) == 0)
            return v[1].len > 0 && strchr("qdQD", *v[1].p);
    }
    return false;
}

static uint64_t size_in_queue(const struct work *w)
{
    return w->m.body_size + head_size(w->m.envelope.header);
}

/* What a host is told: the size with which it came, or that it has in the queue. */
static uint64_t size_of(const struct delivery *d)
{
    const struct envelope *e = &d->work->m.envelope;

    return e->tries > 0 || was_queued(e) ? size_in_queue(d->work) : d->plan.size;
}

static bool hand_over(struct store *s, struct delivery *d)
{
    struct message m = {.kind = MESSAGE_HAND_OVER};

    m.as.HAND_OVER = (struct message_HAND_OVER){d->number, d->bytes, size_of(d)};
    return channel_send(s->front, &m, -1);
}

/* The child gets its end of a channel with the message. */
static bool run(struct store *s, struct delivery *d)
{
    struct message m = {.kind = MESSAGE_RUN};
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        return false;
    d->agent = channel_new(s->arena, fd[0], ROLE_STORE, ROLE_PARENT);
    m.as.RUN = (struct message_RUN){d->number, d->bytes, size_of(d)};
    if (channel_send(s->parent, &m, fd[1]))
        return true;
    channel_free(d->agent);
    d->agent = NULL;
    return false;
}

/* Starts it, or says at once what comes of it; false: not now, its host has enough. */
static bool begin(struct store *s, struct delivery *d)
{
    struct host *h = d->host;

    if (store_is_ending(s))
        return false;
    if (h->bad_until > s->now) {
        tell_deferred(d, bytes_of(h->answer));
        all_outcomes(s, d->work, &d->plan, RECIPIENT_WAITS, h->code, h->answer);
        end_delivery(s, d);
        return true;
    }
    if (h->running >= s->setup->host_deliveries)
        return false;
    /* What is of this machine is the parent's: the front opens no files. */
    bool local = d->plan.kind == PLAN_PROGRAM || d->plan.kind == PLAN_FILE || d->plan.path.len > 0;
    d->started = true;
    d->begun = s->now;
    h->running++;
    if (local ? !run(s, d) : !hand_over(s, d)) {
        all_outcomes(s, d->work, &d->plan, RECIPIENT_WAITS, "4.3.0",
                     "451 4.3.0 It cannot be handed over now");
        end_delivery(s, d);
    }
    return true;
}

static void begin_waiting(struct store *s, const struct host *h)
{
    for (struct delivery *d = s->deliveries, *next; d; d = next) {
        next = d->next;
        if (!d->started && d->host == h && !begin(s, d))
            return;
    }
}

static bool fits(const struct work *w, const struct plan *p)
{
    for (size_t i = 0; i < p->nrecipients; i++) {
        if (p->recipients[i].index >= w->m.envelope.nrecipients)
            return false;
    }
    return p->nrecipients > 0 || p->kind == PLAN_NONE;
}

/* What a report that tells of success has of it. */
static void tell_success(struct buf *b, const struct plan_recipient *p, uint64_t state)
{
    const char *how = state == RECIPIENT_IN_TIME      ? "Deliver-by notify: relayed"
                      : state == RECIPIENT_TRACED     ? "Deliver-By trace: relayed"
                      : !(p->notify & NOTIFY_SUCCESS) ? NULL
                      : state == RECIPIENT_RELAYED    ? "relayed; expect no further notifications"
                      : state == RECIPIENT_DELIVERED  ? "Successfully delivered"
                                                      : NULL;

    if (!how)
        return;
    buf_add(b, p->shown.p, p->shown.len);
    buf_printf(b, "... %s\n", how);
}

static void add_delivery(struct store *s, struct work *w, struct bytes bytes)
{
    struct delivery *d = arena_alloc(w->arena, sizeof *d);

    *d = (struct delivery){.number = s->next_number++, .work = w, .bytes = kept(w->arena, bytes)};
    if (!plan_decode(w->arena, d->bytes.p, d->bytes.len, &d->plan) || !fits(w, &d->plan)) {
        store_log(s, "%s: a plan that is none", w->entry->id);
        return;
    }
    *w->last = d;
    w->last = &d->behind;
    d->lines = d->plan.transcript;
    if (d->plan.kind == PLAN_NONE)
        return;
    if (d->plan.kind == PLAN_DISCARD) {
        all_outcomes(s, w, &d->plan, RECIPIENT_DELIVERED, "", "");
        return;
    }
    d->host = host_of(s, &d->plan);
    *s->last_delivery = d;
    s->last_delivery = &d->next;
    w->open++;
    begin(s, d);
}

static struct work *work_by_number(struct store *s, uint64_t number)
{
    struct work *w = s->works;

    while (w && w->number != number)
        w = w->next;
    return w;
}

/* The envelope as policy has it now, with what aliases gave. */
static bool take_envelope(struct store *s, struct work *w, struct bytes bytes)
{
    struct envelope e;
    struct bytes copy = kept(w->arena, bytes);

    if (!envelope_decode(w->arena, copy.p, copy.len, &e))
        return false;
    e.id = w->m.envelope.id;
    for (size_t i = 0; i < e.nrecipients; i++) {
        struct recipient *r = &e.recipients[i];
        if (r->state >= RECIPIENT_STATES)
            r->state = RECIPIENT_WAITS;
        if (!r->when && r->state >= RECIPIENT_DELIVERED)
            r->when = s->now;
    }
    /* What was ordered meanwhile holds. */
    e.flags = (e.flags & ~(uint64_t)ENVELOPE_HELD) | (w->m.envelope.flags & ENVELOPE_HELD);
    if (w->m.envelope.quarantine.len)
        e.quarantine = w->m.envelope.quarantine;
    w->m.envelope = e;
    w->changed = true;
    return true;
}

void work_routed(struct store *s, const struct message_ROUTED *m)
{
    struct work *w = work_by_number(s, m->delivery);

    if (!w || w->routed)
        return; /* given up meanwhile */
    w->routed = true;
    if (w->asked) {
        struct plan p;
        if (m->plans.n > 0 && plan_decode(w->arena, m->plans.v[0].p, m->plans.v[0].len, &p))
            w->head = kept(w->arena, p.head);
        finished(s, w);
        return;
    }
    if (m->status == 0 && take_envelope(s, w, m->envelope)) {
        note_unrouted(s, w);
        /* None is over before all have begun. */
        w->open++;
        for (size_t i = 0; i < m->plans.n; i++)
            add_delivery(s, w, m->plans.v[i]);
        w->open--;
    }
    finished(s, w);
}

static struct delivery *find_delivery(struct store *s, struct channel *via, uint64_t number)
{
    struct channel *front = s->front;

    for (struct delivery *d = s->deliveries; d; d = d->next) {
        if (d->number == number && d->started && (d->agent ? d->agent : front) == via)
            return d;
    }
    return NULL;
}

bool work_fetch(struct store *s, struct channel *via, const struct message_FETCH *m)
{
    struct delivery *d = find_delivery(s, via, m->delivery);
    uint64_t most = m->most < PROTOCOL_PIECE ? m->most : PROTOCOL_PIECE;
    struct message to = {.kind = MESSAGE_PIECE};
    struct buf b;

    if (!d)
        return false;
    buf_init(&b, s->scratch);
    int status = queue_body_read(s->queue, d->work->m.body, m->offset, most, &b);
    to.as.PIECE = (struct message_PIECE){m->delivery, m->offset, (uint64_t)status, {b.data, b.len}};
    channel_send(via, &to, -1);
    return true;
}

bool work_handed_over(struct store *s, struct channel *via, const struct message_HANDED_OVER *m)
{
    struct delivery *d = find_delivery(s, via, m->delivery);
    size_t n = m->outcomes.n;
    struct outcome *o = arena_calloc(s->scratch, n + 1, sizeof *o);

    if (!d || n != d->plan.nrecipients)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!outcome_decode(s->scratch, m->outcomes.v[i].p, m->outcomes.v[i].len, &o[i]))
            return false;
    }
    bool local = d->plan.kind == PLAN_PROGRAM || d->plan.kind == PLAN_FILE;
    for (size_t i = 0; i < n; i++) {
        if (local && o[i].state == RECIPIENT_DELIVERED)
            o[i].state = plan_arrived(&d->plan, i, o[i].state, false);
        set_outcome(s, d->work, &d->plan, i, &o[i]);
    }
    struct buf success;
    buf_init(&success, s->scratch);
    for (size_t i = 0; i < n; i++)
        tell_success(&success, &d->plan.recipients[i], o[i].state);
    add_lines(d->work, d, m->transcript);
    add_lines(d->work, d, (struct bytes){success.data, success.len});
    d->work->changed = true;
    note_outcomes(s, d, o, n);
    struct host *h = d->host;
    remember_host(s, h, o, n);
    end_delivery(s, d);
    begin_waiting(s, h);
    return true;
}

void work_agent_gone(struct store *s, struct delivery *d)
{
    struct host *h = d->host;

    store_log(s, "%s: whoever delivered it ended without a word", d->work->entry->id);
    all_outcomes(s, d->work, &d->plan, RECIPIENT_WAITS, "4.3.0",
                 "451 4.3.0 The mailer ended without a word");
    end_delivery(s, d);
    begin_waiting(s, h);
}

/* --- settling ------------------------------------------------------------------------------ */

struct id_maker {
    struct store *s;
    struct arena *arena;
};

static struct bytes next_id(void *ctx)
{
    struct id_maker *i = ctx;

    return queue_new_id(i->s->queue, i->arena, (time_t)i->s->now);
}

static int copy_body(struct store *s, struct work *w, uint64_t to)
{
    uint64_t at = 0;
    int status = 0;
    struct arena *a = arena_beside(s->arena);

    while (status == 0 && at < w->m.body_size) {
        struct buf b;
        arena_reset(a);
        buf_init(&b, a);
        if (queue_body_read(s->queue, w->m.body, at, FROM_BODY, &b) != 0 || b.len == 0)
            break; /* what cannot be read is missing in the report */
        status = queue_body_add(s->queue, to, (struct bytes){b.data, b.len});
        at += b.len;
    }
    arena_free(a);
    return status;
}

static void put_report(struct store *s, struct work *w, struct report *r)
{
    uint64_t body = queue_body_begin(s->queue);

    queue_body_add(s->queue, body, r->text);
    if (r->whole)
        copy_body(s, w, body);
    queue_body_add(s->queue, body, r->tail);
    queue_add(s->queue, body, &r->envelope, 1);
}

static struct bytes owner_of(const struct work *w, const struct plan *p)
{
    return p->nrecipients > 0 ? w->m.envelope.recipients[p->recipients[0].index].owner
                              : (struct bytes){"", 0};
}

static void set_transcript(const struct work *w, struct report_settings *settings)
{
    struct transcript_part *parts;
    struct buf b;
    size_t n = 0;

    for (const struct delivery *d = w->first; d; d = d->behind)
        n++;
    parts = arena_calloc(w->arena, n + 1, sizeof *parts);
    buf_init(&b, w->arena);
    n = 0;
    for (const struct delivery *d = w->first; d; d = d->behind) {
        buf_add(&b, d->lines.p ? d->lines.p : "", d->lines.len);
        parts[n++] = (struct transcript_part){owner_of(w, &d->plan), b.len};
    }
    settings->transcript = (struct bytes){b.data, b.len};
    settings->parts = parts;
    settings->nparts = n;
}

/* Whether this machine made fail what failed first.  Who is in no plan was never delivered to, and
 * comes before all others. */
static bool is_at_fault(const struct work *w)
{
    const struct envelope *e = &w->m.envelope;
    bool *planned = arena_calloc(w->arena, e->nrecipients + 1, sizeof *planned);
    const struct recipient *first = NULL;

    for (const struct delivery *d = w->first; d; d = d->behind) {
        for (size_t i = 0; i < d->plan.nrecipients; i++) {
            const struct recipient *r = &e->recipients[d->plan.recipients[i].index];
            planned[d->plan.recipients[i].index] = true;
            if (!first && r->state == RECIPIENT_FAILED)
                first = r;
        }
    }
    for (size_t i = e->nrecipients; i-- > 0;) {
        if (!planned[i] && e->recipients[i].state == RECIPIENT_FAILED)
            first = &e->recipients[i];
    }
    return first && report_is_our_fault(first);
}

static void report(struct store *s, struct work *w, struct envelope *e, enum report_kind kind)
{
    struct report_settings settings = s->setup->report;
    enum urgency u = schedule_urgency(e);
    struct id_maker ids = {s, w->arena};
    struct report **last = &w->reports;

    set_transcript(w, &settings);
    settings.at_fault = is_at_fault(w);
    settings.head = w->head;
    settings.from_queue = e->tries > 1 || was_queued(e);
    settings.size = size_in_queue(w);
    settings.expires = s->setup->schedule.returned[u];
    settings.warned = s->setup->schedule.warned[u];
    while (*last)
        last = &(*last)->next;
    *last = report_make(w->arena, &settings, e, kind, s->now, next_id, &ids);
    for (struct report *r = *last; r; r = r->next)
        put_report(s, w, r);
    report_done(e, kind);
}

/* This queue does not last: whoever has the one that does is to go on. */
static void leave(struct store *s, struct work *w, const struct envelope *e)
{
    struct stored m = w->m;

    m.envelope = *e;
    if (!w->dropped)
        w->drop_status = drop_put(s->queue, w->arena, s->setup->drop, &m);
    if (!w->dropped && w->drop_status)
        store_log(s, "%s: %s", s->setup->drop, strerror(errno));
    w->dropped = w->gone = true;
}

/* Somebody waits for this try, and is told of who failed, but of a list, whose owner is. */
static bool is_told_now(const struct work *w, const struct recipient *r)
{
    const struct waiter *to = w->entry->waiter;

    return r->state == RECIPIENT_FAILED && !r->owner.len && to && to->via &&
           !(w->m.envelope.flags & ENVELOPE_REPORT);
}

/* Who is told of so is in no report. */
static void spare_reports(const struct work *w, struct envelope *e)
{
    for (size_t i = 0; e->flags & ENVELOPE_TELLS && i < e->nrecipients; i++) {
        struct recipient *r = &e->recipients[i];
        if (is_told_now(w, r))
            r->state = RECIPIENT_REPORTED;
    }
}

static void tell_waiter(const struct work *w)
{
    const struct envelope *e = &w->m.envelope;

    for (size_t i = 0; i < e->nrecipients; i++) {
        if (is_told_now(w, &e->recipients[i]))
            store_tell(w->entry->waiter, &e->recipients[i]);
    }
}

/* e is a copy: it counts once it is committed. */
static void settle(struct store *s, struct work *w)
{
    struct envelope *e = &w->after;

    *e = w->m.envelope;
    e->recipients = arena_calloc(w->arena, e->nrecipients + 1, sizeof *e->recipients);
    memcpy(e->recipients, w->m.envelope.recipients, e->nrecipients * sizeof *e->recipients);
    w->reports = NULL;
    w->settled = true;
    if (!s->setup->passes || !(e->flags & ENVELOPE_QUEUED)) {
        e->tries++;
        e->tried = s->now;
    }
    if (!w->removed) {
        give_up(s, e);
        spare_reports(w, e);
        if (report_is_due(e, REPORT_ENDED))
            report(s, w, e, REPORT_ENDED);
        else
            report_done(e, REPORT_ENDED);
        if (waits(e) && s->now >= schedule_warns(&s->setup->schedule, e))
            report(s, w, e, REPORT_DELAYED);
    }
    w->gone = w->removed || !waits(e);
    if (!w->gone && s->setup->passes)
        leave(s, w, e);
    e->due = schedule_due(&s->setup->schedule, e);
    if (w->gone)
        queue_remove(s->queue, e->id);
    else
        queue_change(s->queue, e->id, e);
}

void work_settle(struct store *s)
{
    for (struct work *w = s->works; w; w = w->next) {
        if (w->over)
            settle(s, w);
        else if (w->changed)
            queue_change(s->queue, w->m.envelope.id, &w->m.envelope);
    }
}

static void adopt(struct store *s, struct work *w)
{
    struct entry *e = w->entry;

    for (struct report *r = w->reports; r; r = r->next) {
        struct entry *own = store_enter(s, &r->envelope);
        if (s->setup->passes && e->waiter) { /* it is kept nowhere yet either */
            own->waiter = e->waiter;
            own->waiter->open++;
        }
    }
    e->work = NULL;
    tell_waiter(w);
    if (w->drop_status && e->waiter)
        e->waiter->status = w->drop_status;
    store_tried(s, e);
    if (w->gone)
        store_leave(s, e);
    else
        store_place(s, e, &w->after);
    drop_work(s, w);
}

void work_committed(struct store *s, bool done)
{
    for (struct work *w = s->works, *next; w; w = next) {
        next = w->next;
        if (done)
            note_kept(w);
        if (done && w->settled) {
            adopt(s, w);
            continue;
        }
        w->settled = false;
        if (done)
            w->changed = false;
    }
}
