#include "mta/front/serve.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/front/counts.h"
#include "mta/front/doors.h"
#include "mta/front/stream.h"
#include "mta/peer.h"

enum { BODY_AT_ONCE = PROTOCOL_PIECE };

struct serve {
    struct front *front;
    struct serve *next; /* in its bucket */
    struct arena *arena;
    struct session *session;
    struct stream stream;
    uint64_t id;
    bool storing;    /* the store has bytes of a body that is not committed; by our id */
    uint64_t stored; /* so many */
    bool filtered;   /* the whole of it is there before END is asked */
    size_t listener;
    uv_poll_t poll;
    uv_timer_t timer;
    struct session_wait wait; /* that the timer runs for */
    const struct session_question *asked;
    char in[FRONT_READ];
    size_t have, at; /* bytes of `in`; how many of them were taken */
    char address[PEER_TEXT];
    bool tls_first; /* nothing is read in the clear */
    bool dialogue;  /* the client is the one on standard input */
    bool ended;     /* the client sends no more */
    bool broken;
    unsigned handles; /* that have to be closed before it can go */
};

static void pump(struct serve *s);

/* --- its end ------------------------------------------------------------------------------ */

static void handle_closed(uv_handle_t *h)
{
    struct serve *s = h->data;

    if (--s->handles == 0)
        arena_free(s->arena);
}

static void drop_transaction(struct serve *s)
{
    struct message m = {.kind = MESSAGE_DROP};

    if (!s->storing)
        return;
    m.as.DROP.transaction = s->id;
    front_send(&s->front->store, &m);
    s->storing = false;
    s->stored = 0;
}

static void finish(struct serve *s)
{
    struct front *f = s->front;
    struct message m = {.kind = MESSAGE_GONE};
    struct serve **at = &f->sessions[s->id % FRONT_BUCKETS];

    drop_transaction(s);
    m.as.GONE.session = s->id;
    front_send(&f->policy, &m);
    if (s->dialogue) {
        m = (struct message){.kind = MESSAGE_OVER};
        front_send(&f->parent, &m);
    }
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    if (!s->dialogue) {
        counts_leave(f->counts, s->address);
        f->clients--;
    }
    f->open--;
    uv_poll_stop(&s->poll);
    uv_timer_stop(&s->timer);
    uv_close((uv_handle_t *)&s->poll, handle_closed);
    uv_close((uv_handle_t *)&s->timer, handle_closed);
    stream_close(&s->stream);
    doors_left(f);
}

/* --- questions ---------------------------------------------------------------------------- */

static void ask_connect(struct serve *s, struct message *m)
{
    const struct front_setup *setup = s->front->setup;
    struct peer *own = arena_alloc(s->arena, sizeof *own);
    const struct peer *p = own;
    struct message_CONNECT *c = &m->as.CONNECT;

    m->kind = MESSAGE_CONNECT;
    if (s->dialogue)
        p = setup->peer;
    else
        peer_of(s->stream.fd, own);
    *c = (struct message_CONNECT){.session = s->id,
                                  .listener = s->dialogue ? CONNECT_DIALOGUE : s->listener,
                                  .address = {p->address, strlen(p->address)},
                                  .port = p->port,
                                  .local_address = {p->local, strlen(p->local)},
                                  .local_port = p->local_port,
                                  .clients = counts_open(s->front->counts, s->address),
                                  .rate = counts_rate(s->front->counts, s->address),
                                  .total = counts_total(s->front->counts)};
}

static void ask_store(struct serve *s, const struct session_question *q, struct message *m)
{
    struct bytes rest = {"", 0};

    session_body(s->session, &rest);
    m->kind = MESSAGE_COMMIT;
    m->as.COMMIT = (struct message_COMMIT){s->id, q->envelopes, rest};
    s->storing = false; /* it is the store's now, and will be answered */
    s->stored = 0;
}

static void store_body(struct serve *s, struct bytes b)
{
    struct message m = {.kind = MESSAGE_BODY};

    s->storing = true;
    s->stored += b.len;
    m.as.BODY = (struct message_BODY){s->id, b};
    front_send(&s->front->store, &m);
    session_body_taken(s->session, b.len);
}

/* What the message asks policy, but for CONNECT. */
static void ask_policy(struct serve *s, const struct session_question *q, struct message *m)
{
    switch (q->kind) {
    case SESSION_HELO:
        m->kind = MESSAGE_HELO;
        m->as.HELO = (struct message_HELO){s->id, q->verb, q->argument};
        break;
    case SESSION_MAIL:
        m->kind = MESSAGE_MAIL;
        m->as.MAIL = (struct message_MAIL){s->id, q->argument, q->parameters, q->wrong.len > 0};
        break;
    case SESSION_RCPT:
        m->kind = MESSAGE_RCPT;
        m->as.RCPT = (struct message_RCPT){
            s->id, q->argument, q->parameters, q->wrong.len > 0, q->recipients, q->refused};
        break;
    case SESSION_COMMAND:
        m->kind = MESSAGE_COMMAND;
        m->as.COMMAND = (struct message_COMMAND){s->id, q->verb, q->argument};
        break;
    case SESSION_AUTH:
        m->kind = MESSAGE_AUTH;
        m->as.AUTH = (struct message_AUTH){s->id, q->verb, {&q->argument, q->argument.p != NULL}};
        break;
    case SESSION_AUTH_STEP:
        m->kind = MESSAGE_AUTH_STEP;
        m->as.AUTH_STEP = (struct message_AUTH_STEP){s->id, q->argument};
        break;
    case SESSION_SECURED:
        m->kind = MESSAGE_SECURE;
        m->as.SECURE = (struct message_SECURE){s->id, q->found};
        break;
    case SESSION_END:
        for (struct bytes b; s->filtered && session_body(s->session, &b);)
            store_body(s, b);
        m->kind = MESSAGE_END;
        m->as.END = (struct message_END){s->id, q->head, q->size, q->lines, q->flags, s->stored};
        break;
    default:
        drop_transaction(s);
        m->kind = MESSAGE_RESET;
        m->as.RESET.session = s->id;
    }
}

/* False: there is no new one. */
static bool ask(struct serve *s)
{
    const struct session_question *q = session_question(s->session);
    struct message m = {.kind = MESSAGE_NONE};

    if (!q || s->asked)
        return false;
    s->asked = q;
    if (q->kind == SESSION_STORE) {
        ask_store(s, q, &m);
        front_send(&s->front->store, &m);
        session_body_taken(s->session, m.as.COMMIT.bytes.len);
        return true;
    }
    if (q->kind == SESSION_CONNECT)
        ask_connect(s, &m);
    else
        ask_policy(s, q, &m);
    front_send(&s->front->policy, &m);
    return true;
}

static struct serve *find_serve(struct front *f, uint64_t id)
{
    struct serve *s = f->sessions[id % FRONT_BUCKETS];

    while (s && s->id != id)
        s = s->next;
    return s;
}

static void answer(struct serve *s, const struct session_answer *a)
{
    s->asked = NULL;
    session_answer(s->session, a);
    pump(s);
}

/* A node that may have its messages now (ETRN). */
static void run_node(struct serve *s, const struct message_VERDICT *v)
{
    const struct session_question *q = s->asked;
    struct message m = {.kind = MESSAGE_NODE};

    if (q->kind != SESSION_COMMAND || q->verb.len != 4 || memcmp(q->verb.p, "ETRN", 4) != 0 ||
        (v->reply.len > 0 && *v->reply.p != '2'))
        return;
    m.as.NODE.name = q->argument;
    front_send(&s->front->store, &m);
}

void serve_verdict(struct front *f, const struct message_VERDICT *v)
{
    struct serve *s = find_serve(f, v->session);

    if (!s || !s->asked || s->asked->kind == SESSION_STORE)
        return;
    run_node(s, v);
    s->filtered |= (v->flags & VERDICT_FILTERED) != 0;
    answer(s, &(struct session_answer){
                  .reply = v->reply, .flags = v->flags, .wait_ms = v->wait_ms, .texts = v->texts});
}

void serve_carry(struct front *f, uint64_t transaction, const struct message *m)
{
    struct serve *s = find_serve(f, transaction);
    struct message gone = {.kind = MESSAGE_BODY_IS};

    if (s) {
        s->storing = true;
        front_send(&f->store, m);
        return;
    }
    gone.as.BODY_IS = (struct message_BODY_IS){transaction, EX_NOINPUT, {"", 0}};
    front_send(&f->policy, &gone);
}

void serve_stored(struct front *f, const struct message_STORED *m)
{
    struct serve *s = find_serve(f, m->transaction);

    if (s && s->asked && s->asked->kind == SESSION_STORE)
        answer(s, &(struct session_answer){.status = m->status, .texts = m->ids});
}

/* --- bytes -------------------------------------------------------------------------------- */

static bool give_body(struct serve *s)
{
    struct bytes b;

    if (s->asked || !session_body(s->session, &b) || b.len < BODY_AT_ONCE / 2 ||
        channel_waiting(s->front->store.channel) > FRONT_STORE_FULL)
        return false;
    if (b.len > BODY_AT_ONCE)
        b.len = BODY_AT_ONCE;
    store_body(s, b);
    return true;
}

/* What the session has to say; empty: nothing. */
static struct bytes output_of(const struct serve *s)
{
    struct bytes b;

    return session_output(s->session, &b) ? b : (struct bytes){"", 0};
}

static bool has_output(struct serve *s)
{
    return stream_waits(&s->stream, output_of(s));
}

static bool send_output(struct serve *s)
{
    size_t taken;
    bool moved = stream_write(&s->stream, output_of(s), &taken, &s->broken);

    if (taken > 0)
        session_sent(s->session, taken);
    return moved;
}

/* --- TLS ---------------------------------------------------------------------------------- */

static void end_input(struct serve *s)
{
    s->ended = true;
    session_end_of_input(s->session);
}

/* What came behind STARTTLS is thrown away: whoever sent it was not waiting for TLS, or is somebody
 * between us and the client. */
static bool start_tls(struct serve *s)
{
    if (s->stream.tls || session_wait(s->session).kind != SESSION_WAIT_TLS || output_of(s).len > 0)
        return false;
    s->at = s->have = 0;
    s->broken |= !stream_secure(&s->stream, s->front->setup->tls_server,
                                session_asks_certificate(s->session), NULL,
                                session_tls_features(s->session));
    return true;
}

static void tell_secured(struct serve *s)
{
    struct bytes found[SECURED_N];
    struct arena *a = arena_beside(s->arena);

    tls_found(s->stream.tls, a, found);
    session_secured(s->session, (struct texts){found, SECURED_N});
    arena_free(a);
}

static bool take_input(struct serve *s)
{
    if (s->at == s->have)
        return false;
    size_t n = session_input(s->session, s->in + s->at, s->have - s->at);
    s->at += n;
    return n > 0;
}

static bool read_input(struct serve *s)
{
    size_t n;

    if (s->at < s->have || s->ended || (s->tls_first && !s->stream.tls))
        return false;
    switch (stream_read(&s->stream, s->in, sizeof s->in, &n)) {
    case STREAM_NOTHING:
        return false;
    case STREAM_TEXT:
        s->have = n;
        s->at = 0;
        break;
    case STREAM_SECURED:
        tell_secured(s);
        break;
    case STREAM_UNSECURED:
    case STREAM_ENDED:
        end_input(s);
        break;
    case STREAM_MOVED:
        break;
    }
    return true;
}

/* --- the loop ----------------------------------------------------------------------------- */

static void timed_out(uv_timer_t *t)
{
    struct serve *s = t->data;

    session_timeout(s->session);
    pump(s);
}

/* What comes is an event: none is waited for that would not be taken. */
static void happened(uv_poll_t *p, int status, int events)
{
    struct serve *s = p->data;

    (void)events;
    if (status < 0)
        s->broken = true;
    pump(s);
}

static void set_timer(struct serve *s)
{
    struct session_wait w = session_wait(s->session);

    if (w.turn == s->wait.turn && w.kind == s->wait.kind)
        return;
    s->wait = w;
    if (w.ms > 0)
        uv_timer_start(&s->timer, timed_out, w.ms, 0);
    else
        uv_timer_stop(&s->timer);
}

static void set_events(struct serve *s)
{
    int events = 0;

    if (has_output(s))
        events |= UV_WRITABLE;
    if (s->at == s->have && !s->ended && (s->stream.tls || !s->tls_first))
        events |= UV_READABLE;
    if (events)
        uv_poll_start(&s->poll, events, happened);
    else
        uv_poll_stop(&s->poll);
}

static void pump(struct serve *s)
{
    for (bool again = true; again && !s->broken;) {
        again = ask(s) | give_body(s) | send_output(s) | start_tls(s) | take_input(s);
        if (!again)
            again = read_input(s);
        if (!again && s->front->stopping)
            again = session_stop(s->session);
    }
    const bool over = session_over(s->session) && !has_output(s);
    if (over && !s->broken)
        stream_end(&s->stream);
    if (over || s->broken) {
        finish(s);
        return;
    }
    set_timer(s);
    set_events(s);
}

void serve_go_on(struct front *f)
{
    for (size_t i = 0; i < FRONT_BUCKETS; i++) {
        for (struct serve *s = f->sessions[i], *next; s; s = next) {
            next = s->next;
            pump(s);
        }
    }
}

/* --- clients that come -------------------------------------------------------------------- */

static struct serve *admit(struct front *f, size_t listener, int fd)
{
    struct arena *a = arena_beside(f->arena);
    struct serve *s = arena_alloc(a, sizeof *s);

    s->front = f;
    s->arena = a;
    s->id = ++f->ids;
    s->listener = listener;
    s->session = session_new(a, &f->session);
    s->tls_first = strchr(f->listeners[listener].modifiers, 's') != NULL;
    if (s->tls_first)
        session_begin_with_tls(s->session);
    stream_open(&s->stream, fd, traffic_new(a, f->setup->traffic, s->id));
    s->next = f->sessions[s->id % FRONT_BUCKETS];
    f->sessions[s->id % FRONT_BUCKETS] = s;
    f->open++;
    uv_poll_init_socket(&f->loop, &s->poll, fd);
    uv_timer_init(&f->loop, &s->timer);
    s->poll.data = s->timer.data = s;
    s->handles = 2;
    s->wait.kind = SESSION_WAIT_NOTHING;
    return s;
}

void serve_admit(struct front *f, int fd, const struct sockaddr_storage *sa, size_t listener)
{
    struct serve *s = admit(f, listener, fd);
    uint64_t port;

    peer_describe(sa, s->address, &port);
    counts_enter(f->counts, s->address);
    f->clients++;
    pump(s);
}

void serve_dialogue(struct front *f)
{
    struct serve *s = admit(f, 0, f->setup->dialogue);

    s->dialogue = true;
    pump(s);
}
