#include "mta/front/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/front/stream.h"
#include "mta/message/envelope.h"
#include "mta/peer.h"

enum { HOST_PARTS = 3, PORT_USUAL = 25 };

/* A connection; its handles outlive the plan that it was made for. */
struct wire {
    struct front *front;
    struct relay *relay; /* that uses it; NULL: none does */
    struct arena *arena;
    struct client *client; /* NULL: it is not connected yet */
    struct stream stream;
    char *address; /* "192.0.2.1 25": what a kept one is known by */
    uv_poll_t poll;
    uv_timer_t timer;
    struct client_wait wait;
    uint64_t login;           /* its number, where policy has one; else 0 */
    const char *tls_features; /* of TLS there (tls_clt_features); NULL: nothing is said */
    unsigned handles;
    bool closing;
    struct wire *next; /* of those that are kept */
};

/* A plan that is carried out. */
struct relay {
    struct front *front;
    struct relay *next; /* in its bucket */
    struct arena *arena;
    uint64_t delivery, size;
    struct plan plan;
    struct hand_over *over;
    size_t host; /* that is tried */
    struct wire *wire;
    uint64_t fetched; /* offset behind the last piece that was asked for */
    bool fetching;
    bool asking; /* policy, about this host */
    bool clear;  /* this host, without TLS */
};

static void pump(struct wire *w);
static void try_host(struct relay *r);

/* --- wires -------------------------------------------------------------------------------- */

static void handle_closed(uv_handle_t *h)
{
    struct wire *w = h->data;

    if (--w->handles == 0)
        arena_free(w->arena);
}

/* What policy keeps of a login is of no use any more. */
static void end_login(struct wire *w)
{
    struct message m = {.kind = MESSAGE_LOGIN_OVER};
    bool good;

    if (!w->login)
        return;
    client_logged_in(w->client, &good);
    m.as.LOGIN_OVER = (struct message_LOGIN_OVER){w->login, good};
    front_send(&w->front->policy, &m);
    w->login = 0;
}

static void close_wire(struct wire *w)
{
    if (w->closing)
        return;
    w->closing = true;
    end_login(w);
    uv_poll_stop(&w->poll);
    uv_timer_stop(&w->timer);
    uv_close((uv_handle_t *)&w->poll, handle_closed);
    uv_close((uv_handle_t *)&w->timer, handle_closed);
    stream_close(&w->stream);
}

static struct wire *kept_wire(struct front *f, const char *address)
{
    for (struct wire **at = &f->idle; *at; at = &(*at)->next) {
        struct wire *w = *at;
        if (strcmp(w->address, address) != 0 || !client_reusable(w->client))
            continue;
        *at = w->next;
        return w;
    }
    return NULL;
}

static void forget_kept(struct wire *w)
{
    struct wire **at = &w->front->idle;

    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
}

/* It is kept for the next plan, or, where nothing was taken, says goodbye. */
static void release(struct wire *w)
{
    struct front *f = w->front;
    size_t kept = 0;

    end_login(w);
    w->relay = NULL;
    for (const struct wire *k = f->idle; k; k = k->next)
        kept++;
    if (client_took(w->client) && client_reusable(w->client) && kept < f->keep && !f->stopping) {
        w->next = f->idle;
        f->idle = w;
        return;
    }
    client_quit(w->client);
}

/* --- the end of a plan ---------------------------------------------------------------------- */

static void finish(struct relay *r)
{
    struct front *f = r->front;
    struct relay **at = &f->relays[r->delivery % FRONT_BUCKETS];
    struct message m = {.kind = MESSAGE_HANDED_OVER};
    size_t n = r->plan.nrecipients;
    struct bytes *list = arena_calloc(r->arena, n ? n : 1, sizeof *list);

    for (size_t i = 0; i < n; i++) {
        struct buf b;
        buf_init(&b, r->arena);
        outcome_encode(&r->over->outcomes[i], &b);
        list[i] = (struct bytes){b.data, b.len};
    }
    hand_over_end(r->over);
    m.as.HANDED_OVER = (struct message_HANDED_OVER){
        r->delivery, {list, n}, {r->over->transcript.data, r->over->transcript.len}};
    front_send(&f->store, &m);
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    f->open--;
    arena_free(r->arena);
}

/* The client is done with the plan's message. */
static void advance(struct wire *w)
{
    struct relay *r = w->relay;
    enum client_next next = client_next(w->client);

    release(w);
    r->wire = NULL;
    r->clear = next == CLIENT_IN_CLEAR;
    if (next == CLIENT_NEXT)
        r->host++;
    if (next == CLIENT_NO_NEXT)
        finish(r);
    else
        try_host(r);
}

/* --- bytes -------------------------------------------------------------------------------- */

/* What the client has to say; empty: nothing. */
static struct bytes output_of(const struct wire *w)
{
    struct bytes b;

    return client_output(w->client, &b) ? b : (struct bytes){"", 0};
}

static bool has_output(struct wire *w)
{
    return stream_waits(&w->stream, output_of(w));
}

static bool send_output(struct wire *w)
{
    size_t taken;
    bool broken = false, moved = stream_write(&w->stream, output_of(w), &taken, &broken);

    if (taken > 0)
        client_sent(w->client, taken);
    if (broken)
        client_lost(w->client);
    return moved || broken;
}

/* --- TLS ---------------------------------------------------------------------------------- */

/* Names of hosts, not addresses (RFC 6066 3). */
static const char *server_name(const struct relay *r)
{
    const struct bytes name = bytes_without_dot(r->plan.hosts.v[r->host * HOST_PARTS]);

    return name.len == 0 || *name.p == '[' ? NULL : bytes_string(r->arena, name);
}

static bool start_tls(struct wire *w)
{
    if (w->stream.tls || !w->relay || !client_wants_tls(w->client))
        return false;
    if (!stream_secure(&w->stream, w->front->setup->tls_client, false, server_name(w->relay),
                       w->tls_features ? w->tls_features : ""))
        client_lost(w->client);
    return true;
}

static void tell_secured(struct wire *w)
{
    struct bytes found[SECURED_N];
    struct arena *a = arena_beside(w->arena);

    tls_found(w->stream.tls, a, found);
    client_secured(w->client, found);
    arena_free(a);
}

static bool read_input(struct wire *w)
{
    char in[FRONT_READ];
    size_t n;

    if (client_over(w->client) || (w->stream.tls && client_broken(w->client)))
        return false;
    switch (stream_read(&w->stream, in, sizeof in, &n)) {
    case STREAM_NOTHING:
        return false;
    case STREAM_TEXT:
        client_input(w->client, in, n);
        break;
    case STREAM_SECURED:
        tell_secured(w);
        break;
    case STREAM_UNSECURED:
        client_not_secured(w->client);
        break;
    case STREAM_ENDED:
        client_lost(w->client);
        break;
    case STREAM_MOVED:
        break;
    }
    return true;
}

static bool fetch(struct wire *w)
{
    struct relay *r = w->relay;
    struct message m = {.kind = MESSAGE_FETCH};
    uint64_t offset;
    size_t most;

    if (!r || r->fetching || !client_fetch(w->client, &offset, &most))
        return false;
    m.as.FETCH = (struct message_FETCH){r->delivery, offset, most};
    front_send(&r->front->store, &m);
    r->fetching = true;
    return true;
}

static const char *part(const struct relay *r, size_t i)
{
    return bytes_string(r->arena, r->plan.hosts.v[r->host * HOST_PARTS + i]);
}

static socklen_t address_of(const char *text, const char *port, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)out;
    unsigned long number = strtoul(port, NULL, 10);
    in_port_t n = htons(number > 0 && number <= 65535 ? (uint16_t)number : PORT_USUAL);

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = n;
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
        return 0;
    six->sin6_family = AF_INET6;
    six->sin6_port = n;
    return sizeof *six;
}

static struct bytes address_shown(const struct relay *r)
{
    struct sockaddr_storage sa;
    char text[PEER_TEXT] = "";
    uint64_t port;

    if (address_of(part(r, 1), part(r, 2), &sa))
        peer_describe(&sa, text, &port);
    return bytes_of(arena_strdup(r->arena, text));
}

static bool ask_to_try(struct wire *w)
{
    struct relay *r = w->relay;
    struct message m = {.kind = MESSAGE_TRY};

    if (!r || r->asking || !client_tries(w->client))
        return false;
    m.as.TRY = (struct message_TRY){.delivery = r->delivery,
                                    .host = r->host,
                                    .name = r->plan.hosts.v[r->host * HOST_PARTS],
                                    .address = address_shown(r),
                                    .to = r->plan.host};
    front_send(&r->front->policy, &m);
    r->asking = true;
    return true;
}

static bool ask_login(struct wire *w)
{
    struct relay *r = w->relay;
    struct message m = {.kind = MESSAGE_LOGIN};
    struct bytes what;
    bool step;

    if (!r || r->asking || !client_logs_in(w->client, &step, &what))
        return false;
    if (!w->login)
        w->login = ++r->front->ids;
    if (step) {
        m.kind = MESSAGE_LOGIN_STEP;
        m.as.LOGIN_STEP = (struct message_LOGIN_STEP){r->delivery, w->login, what};
    } else {
        m.as.LOGIN = (struct message_LOGIN){.delivery = r->delivery,
                                            .login = w->login,
                                            .name = r->plan.hosts.v[r->host * HOST_PARTS],
                                            .address = address_shown(r),
                                            .to = r->plan.host,
                                            .found = {client_found(w->client), SECURED_N},
                                            .offer = what};
    }
    front_send(&r->front->policy, &m);
    r->asking = true;
    return true;
}

static bool ask_rules(struct wire *w)
{
    struct relay *r = w->relay;
    struct message m = {.kind = MESSAGE_HOST};
    bool fresh;

    if (!r || r->asking || !client_asks(w->client, &fresh))
        return false;
    struct bytes *to = arena_calloc(r->arena, r->plan.nrecipients, sizeof *to);
    for (size_t i = 0; i < r->plan.nrecipients; i++)
        to[i] = r->plan.recipients[i].address;
    m.as.HOST = (struct message_HOST){.delivery = r->delivery,
                                      .host = r->host,
                                      .fresh = fresh,
                                      .name = r->plan.hosts.v[r->host * HOST_PARTS],
                                      .address = address_shown(r),
                                      .to = r->plan.host,
                                      .sender = r->plan.sender,
                                      .recipients = {to, r->plan.nrecipients},
                                      .found = {client_found(w->client), SECURED_N}};
    front_send(&r->front->policy, &m);
    r->asking = true;
    return true;
}

/* --- the loop ------------------------------------------------------------------------------ */

static void timed_out(uv_timer_t *t)
{
    struct wire *w = t->data;

    if (w->relay || !client_reusable(w->client))
        client_timeout(w->client);
    else
        client_quit(w->client); /* it was kept long enough */
    pump(w);
}

static void happened(uv_poll_t *p, int status, int events)
{
    struct wire *w = p->data;

    (void)events;
    if (status < 0)
        client_lost(w->client);
    pump(w);
}

static void set_timer(struct wire *w)
{
    struct client_wait now = client_wait(w->client);
    uint64_t ms = now.ms;

    if (!w->relay && client_reusable(w->client))
        ms = w->front->keep_ms;
    if (now.stage == w->wait.stage && now.step == w->wait.step &&
        uv_is_active((uv_handle_t *)&w->timer))
        return;
    w->wait = now;
    if (ms > 0)
        uv_timer_start(&w->timer, timed_out, ms, 0);
    else
        uv_timer_stop(&w->timer);
}

static void pump(struct wire *w)
{
    bool good;

    for (bool again = true; again && !w->closing;) {
        again =
            send_output(w) | start_tls(w) | fetch(w) | ask_to_try(w) | ask_rules(w) | ask_login(w);
        if (!again)
            again = read_input(w);
        if (w->relay && client_done(w->client)) {
            advance(w);
            again = true;
        }
    }
    if (w->closing)
        return;
    if (client_logged_in(w->client, &good))
        end_login(w);
    if (client_over(w->client) && !has_output(w)) {
        stream_end(&w->stream);
        forget_kept(w);
        close_wire(w);
        return;
    }
    set_timer(w);
    int events = (client_broken(w->client) ? 0 : UV_READABLE) | (has_output(w) ? UV_WRITABLE : 0);
    if (events)
        uv_poll_start(&w->poll, events, happened);
    else
        uv_poll_stop(&w->poll);
}

/* --- connecting ---------------------------------------------------------------------------- */

/* The client is told that there is nobody, and says what that means. */
static void unreachable(struct wire *w, int err)
{
    struct relay *r = w->relay;

    w->client = client_new(w->arena, &w->front->client, r->plan.hosts.v[r->host * HOST_PARTS]);
    client_begin(w->client, r->over);
    client_unreachable(w->client, err);
    enum client_next next = client_next(w->client);
    w->relay = NULL;
    r->wire = NULL;
    close_wire(w);
    r->clear = false;
    r->host += next == CLIENT_NEXT;
    if (next == CLIENT_NEXT)
        try_host(r);
    else
        finish(r);
}

static void connect_timed_out(uv_timer_t *t)
{
    unreachable(t->data, ETIMEDOUT);
}

static void connected(uv_poll_t *p, int status, int events)
{
    struct wire *w = p->data;
    int err = 0;
    socklen_t len = sizeof err;

    (void)events;
    if (getsockopt(w->stream.fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        err = errno;
    if (status < 0 && !err)
        err = -status;
    uv_timer_stop(&w->timer);
    if (err) {
        unreachable(w, err);
        return;
    }
    struct relay *r = w->relay;
    w->client = client_new(w->arena, &w->front->client, r->plan.hosts.v[r->host * HOST_PARTS]);
    if (r->clear)
        client_stay_in_clear(w->client);
    client_begin(w->client, r->over);
    pump(w);
}

static void dial(struct relay *r, const char *name)
{
    struct sockaddr_storage sa;
    struct arena *a = arena_beside(r->front->arena);
    struct wire *w = arena_alloc(a, sizeof *w);
    socklen_t len = address_of(part(r, 1), part(r, 2), &sa);
    int err = 0;

    *w = (struct wire){.front = r->front, .relay = r, .arena = a, .address = arena_strdup(a, name)};
    const int fd =
        socket(len ? sa.ss_family : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    stream_open(&w->stream, fd, traffic_new(a, r->front->setup->traffic, r->delivery));
    traffic_note(w->stream.traffic, "CONNECT", name);
    if (fd < 0) {
        hand_over_fail(r->over, RECIPIENT_WAITS, EX_OSERR, "4.3.2", strerror(errno));
        arena_free(a);
        finish(r);
        return;
    }
    r->wire = w;
    peer_no_delay(fd);
    uv_poll_init_socket(&r->front->loop, &w->poll, fd);
    uv_timer_init(&r->front->loop, &w->timer);
    w->poll.data = w->timer.data = w;
    w->handles = 2;
    if (!len || (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS))
        err = len ? errno : EADDRNOTAVAIL;
    if (err) {
        unreachable(w, err);
        return;
    }
    uv_poll_start(&w->poll, UV_WRITABLE, connected);
    if (r->front->connect_ms > 0)
        uv_timer_start(&w->timer, connect_timed_out, r->front->connect_ms, 0);
}

/* The host that is next, over a connection that was kept or a new one. */
static void try_host(struct relay *r)
{
    if ((r->host + 1) * HOST_PARTS > r->plan.hosts.n) {
        finish(r);
        return;
    }
    const char *name = arena_printf(r->arena, "%s %s", part(r, 1), part(r, 2));
    struct wire *w = r->clear ? NULL : kept_wire(r->front, name);
    r->fetching = r->asking = false;
    if (!w) {
        dial(r, name);
        return;
    }
    w->relay = r;
    r->wire = w;
    uv_timer_stop(&w->timer);
    client_begin(w->client, r->over);
    pump(w);
}

void relay_begin(struct front *f, const struct message_HAND_OVER *m)
{
    struct arena *a = arena_beside(f->arena);
    struct relay *r = arena_alloc(a, sizeof *r);
    const char *bytes = arena_strndup(a, m->plan.p, m->plan.len);

    r->front = f;
    r->arena = a;
    r->delivery = m->delivery;
    r->size = m->size;
    r->next = f->relays[r->delivery % FRONT_BUCKETS];
    f->relays[r->delivery % FRONT_BUCKETS] = r;
    f->open++;
    if (!plan_decode(a, bytes, m->plan.len, &r->plan))
        r->plan = (struct plan){0};
    r->over = hand_over_new(a, &r->plan, m->size, (uint64_t)time(NULL));
    hand_over_fail(r->over, RECIPIENT_WAITS, EX_TEMPFAIL, "4.4.1", "no host can be reached");
    try_host(r);
}

void relay_forget_kept(struct front *f)
{
    while (f->idle) {
        struct wire *w = f->idle;
        f->idle = w->next;
        client_quit(w->client);
        pump(w);
    }
}

static struct relay *find(const struct front *f, uint64_t delivery)
{
    struct relay *r = f->relays[delivery % FRONT_BUCKETS];

    while (r && r->delivery != delivery)
        r = r->next;
    return r;
}

void relay_verdict(struct front *f, const struct message_HOST_VERDICT *m)
{
    struct relay *r = find(f, m->delivery);

    if (!r || !r->asking || r->host != m->host || !r->wire || !r->wire->client)
        return;
    r->asking = false;
    struct wire *w = r->wire;
    if (client_tries(w->client)) {
        const struct bytes features = m->replies.n ? m->replies.v[0] : (struct bytes){"", 0};
        w->tls_features = arena_strndup(w->arena, features.p, features.len);
        client_may_try(w->client, m->reply.len == 0);
    } else
        client_ruled(w->client, m->reply, m->replies);
    pump(w);
}

void relay_login(struct front *f, const struct message_LOGIN_SAID *m)
{
    struct relay *r = find(f, m->delivery);

    if (!r || !r->asking || !r->wire || r->wire->login != m->login)
        return;
    r->asking = false;
    struct wire *w = r->wire;
    client_login(w->client, (enum login_said)m->said, m->mechanism, m->response);
    pump(w);
}

void relay_piece(struct front *f, const struct message_PIECE *m)
{
    struct relay *r = find(f, m->delivery);

    if (!r || !r->fetching || !r->wire || !r->wire->client)
        return;
    r->fetching = false;
    struct wire *w = r->wire;
    if (m->status)
        client_piece_failed(w->client);
    else
        client_piece(w->client, m->bytes.p, m->bytes.len);
    pump(w);
}
