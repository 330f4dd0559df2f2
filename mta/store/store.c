#include "mta/store/drop.h"
#include "mta/store/note.h"
#include "mta/store/parts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/table.h"
#include "mta/message/exits.h"
#include "mta/message/head.h"

enum {
    MUCH = 4 << 20,   /* bytes that wait for somebody who does not read: he is not heard then */
    RETRY_COMMIT = 1, /* seconds */
    TEND_AGAIN = 2,   /* seconds, where room is short */
    TEND_ELSE = 5,
    DROP_AGAIN = 3,     /* seconds */
    DROP_AT_ONCE = 20,  /* messages */
    LONGEST_SLEEP = 60, /* seconds */
    READS = 16          /* of one channel in a turn: what comes with them is committed at once */
};

void store_log(struct store *s, const char *fmt, ...)
{
    va_list ap;

    if (!s->setup->log)
        return;
    va_start(ap, fmt);
    s->setup->log(s->setup->log_ctx, arena_vprintf(s->scratch, fmt, ap));
    va_end(ap);
}

/* --- entries ------------------------------------------------------------------------------- */

void store_place(struct store *s, struct entry *e, const struct envelope *env)
{
    struct scheduled *w = &e->when;

    w->due = s->setup->passes ? s->now : schedule_due(&s->setup->schedule, env);
    w->priority = schedule_priority(&s->setup->schedule, env);
    w->made = env->made;
    w->tried = env->tried;
    if (w->due > s->now)
        store_tried(s, e);
    if (!e->ready && !e->work)
        heap_put(&s->heap, w);
}

struct entry *store_enter(struct store *s, const struct envelope *env)
{
    struct entry *e = s->free_entry;

    if (e)
        s->free_entry = e->next_free;
    else
        e = arena_alloc(s->arena, sizeof *e);
    *e = (struct entry){.place = s->nentries};
    snprintf(e->id, sizeof e->id, "%.*s", (int)env->id.len, env->id.p);
    if (env->nrecipients) {
        struct bytes host = schedule_host(env->recipients[0].address);
        snprintf(e->host, sizeof e->host, "%.*s", (int)host.len, host.p);
    }
    e->when.id = bytes_of(e->id);
    e->when.host = bytes_of(e->host);
    e->when.random = (uint32_t)(s->next_number++ * 2654435761u);
    s->entries = arena_grow(s->arena, s->entries, s->nentries, &s->entries_room,
                            sizeof(struct entry *), 256);
    s->entries[s->nentries++] = e;
    store_place(s, e, env);
    return e;
}

void store_leave(struct store *s, struct entry *e)
{
    store_tried(s, e);
    heap_remove(&s->heap, &e->when);
    for (size_t i = s->next_ready; e->ready && i < s->nready; i++) {
        if (s->ready[i] == e)
            s->ready[i] = NULL;
    }
    s->entries[e->place] = s->entries[--s->nentries];
    s->entries[e->place]->place = e->place;
    e->next_free = s->free_entry;
    s->free_entry = e;
}

/* All that the queue has.  What was on its way when we were killed is tried again. */
static void read_queue(struct store *s)
{
    struct arena *a = arena_beside(s->arena);
    char at[QUEUE_ID];
    size_t len = 0;
    struct stored m;

    while (queue_next(s->queue, a, (struct bytes){at, len}, &m)) {
        len = m.envelope.id.len;
        memcpy(at, m.envelope.id.p, len);
        store_enter(s, &m.envelope);
        arena_reset(a);
    }
    arena_free(a);
    if (queue_unreadable(s->queue))
        store_log(s, "%zu messages of the queue cannot be read", queue_unreadable(s->queue));
}

/* --- messages that come -------------------------------------------------------------------- */

static struct incoming *find_incoming(struct store *s, struct channel *via, uint64_t transaction)
{
    for (size_t i = 0; i < s->nincoming; i++) {
        if (s->incoming[i].via == via && s->incoming[i].transaction == transaction)
            return &s->incoming[i];
    }
    s->incoming =
        arena_grow(s->arena, s->incoming, s->nincoming, &s->incoming_room, sizeof *s->incoming, 16);
    struct incoming *in = &s->incoming[s->nincoming++];
    *in = (struct incoming){
        .via = via, .transaction = transaction, .body = queue_body_begin(s->queue)};
    return in;
}

static void end_incoming(struct store *s, struct incoming *in)
{
    *in = s->incoming[--s->nincoming];
}

static void more_body(struct store *s, struct incoming *in, struct bytes bytes)
{
    if (in->status || !bytes.len)
        return;
    if (queue_has_room(s->queue, bytes.len))
        in->status = queue_body_add(s->queue, in->body, bytes);
    else
        in->status = EX_TEMPFAIL;
    if (in->status)
        queue_body_drop(s->queue, in->body);
}

/* --- bodies that filters look at ----------------------------------------------------------- */

static void say_body(struct channel *via, const struct incoming *in, struct bytes bytes)
{
    struct message m = {.kind = MESSAGE_BODY_IS};

    m.as.BODY_IS = (struct message_BODY_IS){in->transaction, (uint64_t)in->status, bytes};
    channel_send(via, &m, -1);
}

static void read_body(struct store *s, struct channel *via, const struct message_READ_BODY *m)
{
    struct incoming *in = find_incoming(s, via, m->transaction);
    struct buf b;

    buf_init(&b, s->scratch);
    if (!in->status)
        in->status = queue_body_read(s->queue, in->body, m->offset,
                                     m->most < PROTOCOL_PIECE ? m->most : PROTOCOL_PIECE, &b);
    say_body(via, in, (struct bytes){b.data, b.len});
}

static void new_body(struct store *s, struct channel *via, const struct message_NEW_BODY *m)
{
    struct incoming *in = find_incoming(s, via, m->transaction);

    if (m->first && !in->status) {
        queue_body_drop(s->queue, in->body);
        in->body = queue_body_begin(s->queue);
    }
    more_body(s, in, m->bytes);
    say_body(via, in, (struct bytes){"", 0});
}

/* Policy has given one, which rules and the log have seen; of several envelopes to the first. */
static void set_id(struct store *s, struct envelope *e, bool first)
{
    if (!first || !id_is_good(e->id) || queue_has(s->queue, e->id))
        e->id = queue_new_id(s->queue, s->scratch, (time_t)s->now);
    e->header = head_set_id(s->scratch, e->header, e->id);
}

/* Status 0: its envelopes are decoded, have ids, and wait for the commit. */
static int take_envelopes(struct store *s, const struct message_COMMIT *m, struct incoming *in,
                          struct answer *to)
{
    to->envelopes = arena_calloc(s->scratch, m->envelopes.n, sizeof *to->envelopes);
    to->ids = arena_calloc(s->scratch, m->envelopes.n, sizeof *to->ids);
    if (m->envelopes.n == 0)
        return EX_DATAERR;
    for (size_t i = 0; i < m->envelopes.n; i++) {
        struct bytes b = m->envelopes.v[i];
        char *copy = arena_strndup(s->scratch, b.p, b.len); /* the channel reads on */
        if (!envelope_decode(s->scratch, copy, b.len, &to->envelopes[i]))
            return EX_DATAERR;
        set_id(s, &to->envelopes[i], i == 0);
        to->ids[i] = to->envelopes[i].id;
        to->n++;
    }
    return queue_add(s->queue, in->body, to->envelopes, to->n);
}

static void commit_message(struct store *s, struct channel *via, const struct message_COMMIT *m)
{
    struct incoming *in = find_incoming(s, via, m->transaction);
    size_t room = s->answers_room;

    s->answers = arena_grow(s->scratch, s->answers, s->nanswers, &room, sizeof *s->answers, 64);
    s->answers_room = room;
    struct answer *to = &s->answers[s->nanswers++];
    *to = (struct answer){.via = via, .transaction = m->transaction};
    more_body(s, in, m->bytes);
    to->status = in->status;
    if (to->status == 0)
        to->status = take_envelopes(s, m, in, to);
    queue_body_drop(s->queue, in->body); /* where it was not taken */
    end_incoming(s, in);
}

static void say_stored(struct channel *via, uint64_t transaction, int status, struct texts ids,
                       struct texts failed)
{
    struct message m = {.kind = MESSAGE_STORED};

    m.as.STORED = (struct message_STORED){transaction, (uint64_t)status, ids, failed};
    channel_send(via, &m, -1);
}

/* Said, and forgotten. */
static void end_waiter(struct store *s, struct waiter *w)
{
    struct waiter **at = &s->waiters;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (w->via)
        say_stored(w->via, w->transaction, w->status, w->ids,
                   (struct texts){w->failed, w->nfailed});
    arena_free(w->arena);
}

void store_tell(struct waiter *w, const struct recipient *r)
{
    const int code = exit_of(r);
    const struct bytes who = r->shown.len ? r->shown : r->address;
    const struct bytes why =
        r->answer.len ? r->answer : bytes_of(exit_by_code((uint64_t)code)->text);

    w->failed = arena_grow(w->arena, w->failed, w->nfailed, &w->failed_room, sizeof *w->failed, 4);
    w->failed[w->nfailed++] = bytes_of(
        arena_printf(w->arena, "%d %.*s... %.*s", code, (int)who.len, who.p, (int)why.len, why.p));
}

void store_tried(struct store *s, struct entry *e)
{
    struct waiter *w = e->waiter;

    e->waiter = NULL;
    if (w && --w->open == 0)
        end_waiter(s, w);
}

static void end_all_waiters(struct store *s)
{
    for (size_t i = 0; i < s->nentries; i++)
        s->entries[i]->waiter = NULL;
    while (s->waiters) {
        if (s->setup->passes)
            s->waiters->status = EX_TEMPFAIL; /* it is lost with us */
        end_waiter(s, s->waiters);
    }
}

static bool begins_what_is_due(const struct store *s);

/* Where as much is on its way as may be, it would be waited for long: it is only queued. */
static bool is_awaited(const struct store *s, const struct envelope *e, const struct entry *as)
{
    if (s->setup->passes)
        return true; /* it is kept nowhere yet */
    return e->flags & ENVELOPE_AWAITED && as->when.due <= s->now && begins_what_is_due(s) &&
           s->nworks < s->setup->messages;
}

/* False: nobody is to wait. */
static bool add_waiter(struct store *s, const struct answer *to, struct entry *const *entries)
{
    struct waiter *w = NULL;

    for (size_t i = 0; i < to->n; i++) {
        if (!is_awaited(s, &to->envelopes[i], entries[i]))
            continue;
        if (!w) {
            struct arena *a = arena_beside(s->arena);
            struct bytes *ids = arena_calloc(a, to->n, sizeof *ids);
            for (size_t k = 0; k < to->n; k++)
                ids[k] = bytes_of(arena_strndup(a, to->ids[k].p, to->ids[k].len));
            w = arena_alloc(a, sizeof *w);
            *w = (struct waiter){.arena = a,
                                 .via = to->via,
                                 .transaction = to->transaction,
                                 .ids = {ids, to->n},
                                 .next = s->waiters};
            s->waiters = w;
        }
        entries[i]->waiter = w;
        w->open++;
    }
    return w != NULL;
}

static void answer_all(struct store *s, int status)
{
    for (size_t i = 0; i < s->nanswers; i++) {
        struct answer *to = &s->answers[i];
        if (!to->status)
            to->status = status;
        if (to->status) {
            say_stored(to->via, to->transaction, to->status, (struct texts){0}, (struct texts){0});
            continue;
        }
        struct entry **entries = arena_calloc(s->scratch, to->n, sizeof *entries);
        for (size_t j = 0; j < to->n; j++) {
            entries[j] = store_enter(s, &to->envelopes[j]);
            note_from(s, &to->envelopes[j]);
        }
        if (!add_waiter(s, to, entries))
            say_stored(to->via, to->transaction, 0, (struct texts){to->ids, to->n},
                       (struct texts){0});
    }
    s->nanswers = 0;
}

/* --- the turn of the loop ------------------------------------------------------------------ */

void store_commit(struct store *s)
{
    if (s->now >= s->retry_at || s->nanswers)
        work_settle(s);
    if (!queue_is_changed(s->queue) && !s->nanswers && !s->norders)
        return;
    int status = queue_commit(s->queue);
    if (status) {
        store_log(s, "queue: nothing could be kept: %s", queue_error(s->queue));
        s->retry_at = s->now + RETRY_COMMIT;
    } else {
        s->retry_at = 0;
    }
    answer_all(s, status);
    work_committed(s, status == 0);
    order_committed(s, status);
}

/* Without one of the others nothing can be begun, but what is being delivered comes to its end
 * where it can, and is kept: else it would be delivered again. */
static void lost(struct store *s, const char *who)
{
    bool front = strcmp(who, "front") == 0;

    s->front_gone = s->front_gone || front;
    if (s->stopping && front && !s->alone)
        return;
    if (!s->alone)
        store_log(s, "%s: gone, or not to be understood", who);
    if (!s->stopping)
        s->status = EX_PROTOCOL;
    s->stopping = s->alone = true;
    s->stop = s->stop || strcmp(who, "parent") == 0;
}

/* What the front and callers bring. */
static bool bring(struct store *s, struct channel *via, const struct message *m)
{
    struct incoming *in;

    switch ((int)m->kind) {
    case MESSAGE_BODY:
        more_body(s, find_incoming(s, via, m->as.BODY.transaction), m->as.BODY.bytes);
        return true;
    case MESSAGE_READ_BODY:
        read_body(s, via, &m->as.READ_BODY);
        return true;
    case MESSAGE_NEW_BODY:
        new_body(s, via, &m->as.NEW_BODY);
        return true;
    case MESSAGE_COMMIT:
        commit_message(s, via, &m->as.COMMIT);
        return true;
    case MESSAGE_NODE:
        order_run_node(s, m->as.NODE.name);
        return true;
    case MESSAGE_DROP:
        in = find_incoming(s, via, m->as.DROP.transaction);
        queue_body_drop(s->queue, in->body);
        end_incoming(s, in);
        return true;
    default:
        return false;
    }
}

static bool from_front(struct store *s, const struct message *m)
{
    switch ((int)m->kind) {
    case MESSAGE_FETCH:
        return work_fetch(s, s->front, &m->as.FETCH);
    case MESSAGE_HANDED_OVER:
        return work_handed_over(s, s->front, &m->as.HANDED_OVER);
    default:
        return bring(s, s->front, m);
    }
}

static bool from_policy(struct store *s, const struct message *m)
{
    if (m->kind != MESSAGE_ROUTED)
        return false;
    work_routed(s, &m->as.ROUTED);
    return true;
}

/* No work is begun any more.  Where draining was asked for, that is not so while somebody is there
 * to carry out what is due. */
bool store_is_ending(const struct store *s)
{
    return s->stopping && (!s->setup->drains || s->front_gone || s->alone);
}

static void add_caller(struct store *s, int fd)
{
    struct caller *c;

    if (fd < 0)
        return;
    c = malloc(sizeof *c);
    if (!c || store_is_ending(s)) {
        free(c);
        close(fd);
        return;
    }
    *c = (struct caller){channel_new(s->arena, fd, ROLE_STORE, ROLE_FRONT), false, s->callers};
    s->callers = c;
}

/* What he began and did not end is dropped; what is being kept for him is kept. */
static void drop_caller(struct store *s, struct caller *c)
{
    for (size_t i = s->nincoming; i-- > 0;) {
        if (s->incoming[i].via == c->channel) {
            queue_body_drop(s->queue, s->incoming[i].body);
            end_incoming(s, &s->incoming[i]);
        }
    }
    for (struct waiter *w = s->waiters; w; w = w->next) {
        if (w->via == c->channel)
            w->via = NULL;
    }
    c->gone = true;
}

static void free_gone_callers(struct store *s, bool all)
{
    for (struct caller **at = &s->callers; *at;) {
        struct caller *c = *at;
        if (!c->gone && !all) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        channel_free(c->channel);
        free(c);
    }
}

static void hear_caller(struct store *s, struct caller *c)
{
    struct message m;
    bool right = true;

    channel_read(c->channel);
    while (right && channel_next(c->channel, s->scratch, &m, NULL)) {
        if (m.kind == MESSAGE_ORDER)
            order_take(s, c->channel, &m.as.ORDER);
        else
            right = bring(s, c->channel, &m);
    }
    if (!right || channel_state(c->channel) != CHANNEL_OPEN)
        drop_caller(s, c);
}

static bool from_parent(struct store *s, const struct message *m)
{
    if (m->kind == MESSAGE_ORDER) {
        order_take(s, s->parent, &m->as.ORDER);
    } else if (m->kind == MESSAGE_STOP) {
        s->stop = s->stopping || !m->as.STOP.gracefully;
        s->stopping = true;
    }
    return true;
}

static void hear(struct store *s, struct channel *c, const char *who,
                 bool (*take)(struct store *s, const struct message *m))
{
    struct message m;
    int fd;

    bool more = true;
    for (int i = 0; more && i < READS; i++) {
        channel_read(c);
        more = false;
        while (channel_next(c, s->scratch, &m, &fd)) {
            more = true;
            if (c == s->parent && m.kind == MESSAGE_CALLER) {
                add_caller(s, fd);
                continue;
            }
            if (fd >= 0)
                close(fd);
            if (!take(s, &m)) {
                lost(s, who);
                s->stop = true;
                return;
            }
        }
    }
    if (channel_state(c) != CHANNEL_OPEN)
        lost(s, who);
}

static void hear_agent(struct store *s, struct delivery *d)
{
    struct channel *c = d->agent;
    struct message m;
    bool right = true, through = false;

    channel_read(c);
    while (right && !through && channel_next(c, s->scratch, &m, NULL)) {
        through = m.kind == MESSAGE_HANDED_OVER;
        right = through                   ? work_handed_over(s, c, &m.as.HANDED_OVER)
                : m.kind == MESSAGE_FETCH ? work_fetch(s, c, &m.as.FETCH)
                                          : false;
    }
    if (!through && (!right || channel_state(c) != CHANNEL_OPEN))
        work_agent_gone(s, d);
}

static void watch(struct pollfd *p, const struct channel *c)
{
    p->fd = channel_state(c) == CHANNEL_OPEN ? channel_fd(c) : -1;
    p->events =
        (short)((channel_waiting(c) < MUCH ? POLLIN : 0) | (channel_wants_write(c) ? POLLOUT : 0));
}

static bool begins_what_is_due(const struct store *s)
{
    return !s->setup->rests && !store_is_ending(s);
}

static int sleep_ms(const struct store *s)
{
    const struct scheduled *first = heap_first(&s->heap);
    uint64_t until = s->now + LONGEST_SLEEP;

    if (s->retry_at && s->retry_at < until)
        until = s->retry_at;
    if (s->tend_at < until)
        until = s->tend_at;
    if (s->setup->drop && !s->setup->passes && s->drop_at < until)
        until = s->drop_at;
    if (first && first->due < until && begins_what_is_due(s) && s->nworks < s->setup->messages)
        until = first->due;
    return until > s->now ? (int)(until - s->now) * 1000 : 0;
}

/* Waits for something to come, and hears all who have something to say. */
static void wait_and_hear(struct store *s)
{
    size_t n = 3, i;

    for (struct delivery *d = s->deliveries; d; d = d->next)
        n += d->agent != NULL;
    const size_t nagents = n;
    for (struct caller *c = s->callers; c; c = c->next)
        n++;
    struct pollfd *p = arena_calloc(s->scratch, n, sizeof *p);
    struct delivery **of = arena_calloc(s->scratch, n, sizeof(struct delivery *));
    watch(&p[0], s->front);
    watch(&p[1], s->policy);
    watch(&p[2], s->parent);
    i = 3;
    for (struct delivery *d = s->deliveries; d; d = d->next) {
        if (d->agent) {
            of[i] = d;
            watch(&p[i++], d->agent);
        }
    }
    for (struct caller *c = s->callers; c; c = c->next)
        watch(&p[i++], c->channel);
    if (poll(p, n, sleep_ms(s)) < 0 && errno != EINTR) {
        lost(s, "poll");
        s->stop = true;
    }
    s->now = (uint64_t)time(NULL);
    const short in = POLLIN | POLLHUP | POLLERR;
    for (i = 3; i < nagents; i++) {
        if (p[i].revents & in)
            hear_agent(s, of[i]);
    }
    for (struct caller *c = s->callers; c; c = c->next, i++) {
        if (p[i].revents & in)
            hear_caller(s, c);
    }
    if (p[0].revents & in)
        hear(s, s->front, "front", from_front);
    if (p[1].revents & in)
        hear(s, s->policy, "policy", from_policy);
    if (p[2].revents & in)
        hear(s, s->parent, "parent", from_parent);
}

static void flush(struct store *s)
{
    channel_flush(s->front);
    channel_flush(s->policy);
    channel_flush(s->parent);
    for (struct delivery *d = s->deliveries; d; d = d->next) {
        if (d->agent)
            channel_flush(d->agent);
    }
    for (struct caller *c = s->callers; c; c = c->next)
        channel_flush(c->channel);
}

/* What is due was tried. */
static bool is_drained(const struct store *s)
{
    const struct scheduled *first = heap_first(&s->heap);

    if (!s->setup->drains || s->nworks || s->callers)
        return false;
    return !begins_what_is_due(s) ||
           (s->next_ready == s->nready && (!first || first->due > s->now));
}

static bool has_agents(const struct store *s)
{
    for (const struct delivery *d = s->deliveries; d; d = d->next) {
        if (d->agent)
            return true;
    }
    return false;
}

static bool delivers(const struct store *s)
{
    for (const struct delivery *d = s->deliveries; d; d = d->next) {
        if (d->started && (d->agent || !s->front_gone))
            return true;
    }
    return false;
}

/* A message comes from a caller, or what was said to him waits. */
static bool has_busy_callers(const struct store *s)
{
    for (size_t i = 0; i < s->nincoming; i++) {
        if (s->incoming[i].via != s->front)
            return true;
    }
    for (const struct caller *c = s->callers; c; c = c->next) {
        if (channel_wants_write(c->channel))
            return true;
    }
    return false;
}

/* Where it was told to stop. */
static bool is_through(const struct store *s)
{
    if (s->alone)
        return !delivers(s);
    return !has_busy_callers(s) && (is_drained(s) || (s->front_gone && !has_agents(s)));
}

/* Clients may be refused meanwhile, so that nothing else comes to do it. */
static void tend(struct store *s)
{
    if (s->now < s->tend_at)
        return;
    s->tend_at = s->now + (queue_tend(s->queue) ? TEND_AGAIN : TEND_ELSE);
}

static void took(void *ctx, const struct envelope *e)
{
    struct store *s = ctx;

    store_enter(s, e);
    note_from(s, e);
}

/* What others have left for us, between commits. */
static void take_dropped(struct store *s)
{
    if (!s->setup->drop || s->setup->passes || s->stopping || s->now < s->drop_at ||
        queue_is_changed(s->queue))
        return;
    const size_t n = drop_take(s->queue, s->scratch, s->setup->drop, DROP_AT_ONCE, s->now, took, s);
    s->drop_at = s->now + (n == DROP_AT_ONCE ? 0 : DROP_AGAIN);
}

static void turn(struct store *s)
{
    wait_and_hear(s);
    store_commit(s);
    take_dropped(s);
    tend(s);
    if (begins_what_is_due(s))
        work_start_due(s);
    else
        end_all_waiters(s);
    flush(s);
    free_gone_callers(s, false);
    if (s->stopping && is_through(s))
        s->stop = true;
    s->answers = NULL;
    s->answers_room = 0;
    s->orders = NULL;
    s->orders_room = 0;
    arena_reset(s->scratch);
}

static void ready(struct store *s, int status, const char *why)
{
    struct message m = {.kind = MESSAGE_READY};

    m.as.READY = (struct message_READY){(uint64_t)status, bytes_of(why)};
    channel_send(s->parent, &m, -1);
    channel_flush(s->parent);
}

static void end(struct store *s)
{
    for (struct delivery *d = s->deliveries; d; d = d->next)
        channel_free(d->agent);
    for (struct work *w = s->works, *next; w; w = next) {
        next = w->next; /* it lives there itself */
        arena_free(w->arena);
    }
    while (s->waiters) {
        struct waiter *w = s->waiters;
        s->waiters = w->next;
        arena_free(w->arena);
    }
    free_gone_callers(s, true);
    queue_close(s->queue);
    channel_free(s->front);
    channel_free(s->policy);
    channel_free(s->parent);
    arena_free(s->scratch);
}

int store_run(struct arena *a, const struct store_setup *setup)
{
    struct store_setup own = *setup;
    struct store s = {.setup = &own, .arena = a, .scratch = arena_beside(a)};
    const char *why = "";

    own.messages = own.messages ? own.messages : 100;
    own.host_deliveries = own.host_deliveries ? own.host_deliveries : 10;
    s.now = (uint64_t)time(NULL);
    s.front = channel_new(a, setup->front, ROLE_STORE, ROLE_FRONT);
    s.policy = channel_new(a, setup->policy, ROLE_STORE, ROLE_POLICY);
    s.parent = channel_new(a, setup->parent, ROLE_STORE, ROLE_PARENT);
    s.hosts = table_new(a);
    s.last_delivery = &s.deliveries;
    s.next_number = 1;
    heap_init(&s.heap, a);
    s.status = queue_open(a, own.directory, &own.queue, &s.queue, &why);
    ready(&s, s.status, why);
    if (s.status == 0) {
        read_queue(&s);
        take_dropped(&s);
        while (!s.stop)
            turn(&s);
    }
    end(&s);
    return s.status;
}
