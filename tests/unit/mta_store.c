/*
 * The store as a process, with the test as front, policy and parent: what is acknowledged is
 * delivered, told of, or still there.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>

#include "mta/channel.h"
#include "mta/policy/plan.h"
#include "mta/store/store.h"
#include "tests/unit/folder.h"

enum { PATIENCE_MS = 20000 };

struct stage {
    struct arena *arena;
    struct store_setup setup;
    struct channel *front, *policy, *parent;
    pid_t child;
    uint64_t flags; /* of what is brought */
};

static int store_leave_folder(void **state)
{
    remove("mcfd.queue/data.mdb");
    remove("mcfd.queue/lock.mdb");
    remove("mcfd.queue/reserve");
    remove("mcfd.queue");
    return folder_leave(state);
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, folder_enter, store_leave_folder)

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "store: %s\n", line);
}

static void raise_curtain(struct stage *st)
{
    int f[2], p[2], m[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m), 0);
    st->child = fork();
    if (st->child == 0) {
        close(f[0]);
        close(p[0]);
        close(m[0]);
        st->setup.front = f[1];
        st->setup.policy = p[1];
        st->setup.parent = m[1];
        _exit(store_run(arena_beside(st->arena), &st->setup));
    }
    close(f[1]);
    close(p[1]);
    close(m[1]);
    st->front = channel_new(st->arena, f[0], ROLE_FRONT, ROLE_STORE);
    st->policy = channel_new(st->arena, p[0], ROLE_POLICY, ROLE_STORE);
    st->parent = channel_new(st->arena, m[0], ROLE_PARENT, ROLE_STORE);
}

/* The next message of that kind; its texts hold until something else is read there. */
static struct message next(struct stage *st, struct channel *c, enum message_kind kind, int *fd)
{
    struct message m;

    for (;;) {
        if (channel_next(c, st->arena, &m, fd)) {
            if (m.kind != kind)
                fail_msg("%s, not %s", message_name(m.kind), message_name(kind));
            return m;
        }
        struct pollfd p = {.fd = channel_fd(c), .events = POLLIN};
        if (channel_state(c) != CHANNEL_OPEN || poll(&p, 1, PATIENCE_MS) != 1)
            fail_msg("no %s came", message_name(kind));
        channel_read(c);
    }
}

static bool is_quiet(struct stage *st, struct channel *c, int ms)
{
    struct pollfd p = {.fd = channel_fd(c), .events = POLLIN};

    (void)st;
    return poll(&p, 1, ms) == 0;
}

static void say(struct channel *c, const struct message *m)
{
    assert_true(channel_send(c, m, -1));
    while (channel_wants_write(c))
        assert_int_equal(channel_flush(c), CHANNEL_OPEN);
}

static void open_stage(struct stage *st, struct arena *a)
{
    *st = (struct stage){.arena = a};
    st->setup = (struct store_setup){.directory = ".", .log = log_line};
    st->setup.schedule = schedule_usual();
    st->setup.schedule.interval = 1;
    st->setup.report = (struct report_settings){.hostname = "mail.test.example",
                                                .version = "1/1",
                                                .daemon = "MAILER-DAEMON",
                                                .double_bounce = "postmaster"};
}

static void begin(struct stage *st)
{
    raise_curtain(st);
    struct message m = next(st, st->parent, MESSAGE_READY, NULL);
    if (m.as.READY.status)
        fail_msg("%s", bytes_string(st->arena, m.as.READY.text));
}

static int wait_for_end(struct stage *st)
{
    int status;

    assert_int_equal(waitpid(st->child, &status, 0), st->child);
    channel_free(st->front);
    channel_free(st->policy);
    channel_free(st->parent);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void stop(struct stage *st)
{
    struct message m = {.kind = MESSAGE_STOP};

    say(st->parent, &m);
    assert_int_equal(wait_for_end(st), 0);
}

static void kill_it(struct stage *st)
{
    kill(st->child, SIGKILL);
    assert_int_equal(wait_for_end(st), -SIGKILL);
}

static struct bytes envelope_bytes(struct arena *a, const char *to, uint64_t made, uint64_t flags)
{
    struct bytes *v = arena_calloc(a, 3, sizeof *v);
    struct recipient r = {.address = bytes_of(to)};
    struct envelope e = {.sender = bytes_of("sender@a.example"),
                         .made = made,
                         .flags = flags,
                         .header = {v, 3},
                         .recipients = &r,
                         .nrecipients = 1};
    struct buf b;

    v[0] = bytes_of("2000000");
    v[1] = bytes_of("Message-Id");
    v[2] = bytes_of(" <\001\002\001@a.example>");
    buf_init(&b, a);
    envelope_encode(&e, &b);
    return (struct bytes){b.data, b.len};
}

static void send_made(struct stage *st, uint64_t transaction, const char *to, uint64_t made)
{
    struct message m = {.kind = MESSAGE_BODY};
    struct bytes e = envelope_bytes(st->arena, to, made, st->flags);

    m.as.BODY = (struct message_BODY){transaction, bytes_of("first half, ")};
    say(st->front, &m);
    m = (struct message){.kind = MESSAGE_COMMIT};
    m.as.COMMIT = (struct message_COMMIT){transaction, {&e, 1}, bytes_of("second half\n")};
    say(st->front, &m);
}

static void bring(struct stage *st, uint64_t transaction, const char *to)
{
    send_made(st, transaction, to, (uint64_t)time(NULL));
}

static char *stored_id(struct stage *st, uint64_t transaction)
{
    struct message m = next(st, st->front, MESSAGE_STORED, NULL);

    assert_int_equal(m.as.STORED.transaction, transaction);
    assert_int_equal(m.as.STORED.status, 0);
    assert_int_equal(m.as.STORED.ids.n, 1);
    return bytes_string(st->arena, m.as.STORED.ids.v[0]);
}

/* n envelopes that say they have this id. */
static struct texts bring_as(struct stage *st, const char *id, size_t n)
{
    struct message m = {.kind = MESSAGE_COMMIT};
    struct bytes list[2];
    struct envelope e;
    struct bytes made = envelope_bytes(st->arena, "a@example.com", (uint64_t)time(NULL), 0);

    assert_true(n <= 2 && envelope_decode(st->arena, made.p, made.len, &e));
    e.id = bytes_of(id);
    e.flags |= ENVELOPE_HELD;
    for (size_t i = 0; i < n; i++) {
        struct buf b;
        buf_init(&b, st->arena);
        envelope_encode(&e, &b);
        list[i] = (struct bytes){b.data, b.len};
    }
    m.as.COMMIT = (struct message_COMMIT){1, {list, n}, bytes_of("text\n")};
    say(st->front, &m);
    m = next(st, st->front, MESSAGE_STORED, NULL);
    assert_int_equal(m.as.STORED.status, 0);
    assert_int_equal(m.as.STORED.ids.n, n);
    return m.as.STORED.ids;
}

static struct bytes body_of(struct stage *st, uint64_t transaction, uint64_t offset, uint64_t most)
{
    struct message m = {.kind = MESSAGE_READ_BODY};

    m.as.READ_BODY = (struct message_READ_BODY){transaction, offset, most};
    say(st->front, &m);
    m = next(st, st->front, MESSAGE_BODY_IS, NULL);
    assert_int_equal(m.as.BODY_IS.transaction, transaction);
    assert_int_equal(m.as.BODY_IS.status, 0);
    return m.as.BODY_IS.bytes;
}

static void assert_text(struct bytes b, const char *text)
{
    assert_int_equal(b.len, strlen(text));
    if (b.len > 0)
        assert_memory_equal(b.p, text, b.len);
}

static void put_body(struct stage *st, uint64_t transaction, bool first, const char *text)
{
    struct message m = {.kind = MESSAGE_NEW_BODY};

    m.as.NEW_BODY = (struct message_NEW_BODY){transaction, first, bytes_of(text)};
    say(st->front, &m);
    m = next(st, st->front, MESSAGE_BODY_IS, NULL);
    assert_int_equal(m.as.BODY_IS.status, 0);
    assert_int_equal(m.as.BODY_IS.bytes.len, 0);
}

static void a_body_is_read_and_replaced_before_it_is_kept(void **state)
{
    struct stage st;
    struct message m = {.kind = MESSAGE_BODY};

    open_stage(&st, *state);
    begin(&st);
    assert_text(body_of(&st, 7, 0, 100), "");
    m.as.BODY = (struct message_BODY){7, bytes_of("first half, ")};
    say(st.front, &m);
    m.as.BODY = (struct message_BODY){8, bytes_of("another one")};
    say(st.front, &m);
    m.as.BODY = (struct message_BODY){7, bytes_of("second half")};
    say(st.front, &m);
    assert_text(body_of(&st, 7, 0, 100), "first half, second half");
    assert_text(body_of(&st, 7, 6, 10), "half, seco");
    assert_text(body_of(&st, 7, 23, 10), "");
    assert_text(body_of(&st, 7, UINT64_MAX, UINT64_MAX), "");
    put_body(&st, 7, true, "new");
    put_body(&st, 7, false, " text");
    assert_text(body_of(&st, 7, 0, 100), "new text");
    /* Somebody else's message is kept meanwhile. */
    bring_as(&st, "6B16cVK3004375", 1);
    assert_text(body_of(&st, 7, 0, 100), "new text");
    assert_text(body_of(&st, 8, 0, 100), "another one");
    m = (struct message){.kind = MESSAGE_DROP};
    m.as.DROP.transaction = 7;
    say(st.front, &m);
    assert_text(body_of(&st, 7, 0, 100), "");
    stop(&st);
}

static void policys_id_is_kept(void **state)
{
    const char *const id = "6B16cVK3004375";
    struct stage st;
    struct texts got;

    open_stage(&st, *state);
    begin(&st);
    got = bring_as(&st, id, 2);
    assert_string_equal(bytes_string(st.arena, got.v[0]), id);
    assert_string_not_equal(bytes_string(st.arena, got.v[1]), id);
    /* What is no id, or another's. */
    got = bring_as(&st, id, 1);
    assert_string_not_equal(bytes_string(st.arena, got.v[0]), id);
    got = bring_as(&st, "../6cVK3004375", 1);
    assert_true(id_is_good(got.v[0]));
    stop(&st);
}

struct routed {
    uint64_t number;
    struct envelope envelope;
};

/* The head that a report shows: as it is kept. */
static void say_head(struct stage *st, uint64_t number)
{
    struct message m = {.kind = MESSAGE_ROUTED};

    m.as.ROUTED = (struct message_ROUTED){.delivery = number, .envelope = {"", 0}};
    say(st->policy, &m);
}

static struct routed route(struct stage *st)
{
    struct message m = next(st, st->policy, MESSAGE_ROUTE, NULL);
    struct routed r = {.number = m.as.ROUTE.delivery};
    struct bytes b = m.as.ROUTE.envelope;
    char *copy = arena_strndup(st->arena, b.p, b.len);

    assert_true(envelope_decode(st->arena, copy, b.len, &r.envelope));
    if (!(r.envelope.flags & ENVELOPE_FOR_REPORT))
        return r;
    say_head(st, r.number);
    return route(st);
}

/* It is asked for, and nothing else. */
static void answer_head(struct stage *st)
{
    struct message m = next(st, st->policy, MESSAGE_ROUTE, NULL);
    struct bytes b = m.as.ROUTE.envelope;
    struct envelope e;

    assert_true(envelope_decode(st->arena, arena_strndup(st->arena, b.p, b.len), b.len, &e));
    assert_true(e.flags & ENVELOPE_FOR_REPORT);
    say_head(st, m.as.ROUTE.delivery);
}

/* All recipients by one plan. */
static void answer_route(struct stage *st, const struct routed *r, enum plan_kind kind)
{
    struct plan p = {.kind = kind,
                     .mailer = bytes_of("m"),
                     .host = bytes_of("h.example"),
                     .size = r->envelope.size};
    struct message m = {.kind = MESSAGE_ROUTED};
    struct buf e, b;

    p.nrecipients = r->envelope.nrecipients;
    p.recipients = arena_calloc(st->arena, p.nrecipients, sizeof *p.recipients);
    for (size_t i = 0; i < p.nrecipients; i++)
        p.recipients[i] =
            (struct plan_recipient){.index = i, .address = r->envelope.recipients[i].address};
    buf_init(&e, st->arena);
    buf_init(&b, st->arena);
    envelope_encode(&r->envelope, &e);
    plan_encode(&p, &b);
    struct bytes plan = {b.data, b.len};
    m.as.ROUTED = (struct message_ROUTED){r->number, 0, {e.data, e.len}, {&plan, 1}};
    say(st->policy, &m);
}

static char *fetch(struct stage *st, struct channel *c, uint64_t delivery)
{
    struct buf b;

    buf_init(&b, st->arena);
    for (;;) {
        struct message m = {.kind = MESSAGE_FETCH};
        m.as.FETCH = (struct message_FETCH){delivery, b.len, 7};
        say(c, &m);
        m = next(st, c, MESSAGE_PIECE, NULL);
        assert_int_equal(m.as.PIECE.status, 0);
        assert_int_equal(m.as.PIECE.offset, b.len);
        if (!m.as.PIECE.bytes.len)
            return b.data;
        buf_add(&b, m.as.PIECE.bytes.p, m.as.PIECE.bytes.len);
    }
}

static void hand_over(struct stage *st, struct channel *c, uint64_t delivery,
                      const struct outcome *o)
{
    struct message m = {.kind = MESSAGE_HANDED_OVER};
    struct buf b;

    buf_init(&b, st->arena);
    outcome_encode(o, &b);
    struct bytes outcome = {b.data, b.len};
    m.as.HANDED_OVER = (struct message_HANDED_OVER){delivery, {&outcome, 1}, {"", 0}};
    say(c, &m);
}

static const struct outcome delivered = {.state = RECIPIENT_DELIVERED};
/* A host that sends the reports itself. */
static const struct outcome passed = {.state = RECIPIENT_PASSED};

static char *order(struct stage *st, const char *a, const char *b, const char *c, const char *d)
{
    const char *words[] = {a, b, c, d};
    struct bytes v[4];
    struct message m = {.kind = MESSAGE_ORDER};
    size_t n = 0;

    while (n < 4 && words[n]) {
        v[n] = bytes_of(words[n]);
        n++;
    }
    m.as.ORDER = (struct message_ORDER){9, {v, n}};
    say(st->parent, &m);
    m = next(st, st->parent, MESSAGE_REPORT, NULL);
    assert_int_equal(m.as.REPORT.order, 9);
    if (m.as.REPORT.status)
        return arena_printf(st->arena, "status %d", (int)m.as.REPORT.status);
    return bytes_string(st->arena, m.as.REPORT.bytes);
}

static void assert_empty(struct stage *st)
{
    assert_string_equal(order(st, "list", "text", "all", NULL),
                        ". is empty\n\t\tTotal requests: 0\n");
}

static void wait_until_empty(struct stage *st)
{
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        if (strstr(order(st, "list", "text", "all", NULL), "empty"))
            return;
        usleep(10000);
    }
    assert_empty(st);
}

static void assert_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not in it: %s\n%s", part, text);
}

/* --- tests --------------------------------------------------------------------------------- */

static void nothing_to_do_is_nothing_done(void **state)
{
    struct stage st;
    struct message m = {.kind = MESSAGE_COMMIT};

    open_stage(&st, *state);
    begin(&st);
    assert_empty(&st);
    assert_string_equal(order(&st, NULL, NULL, NULL, NULL), "status 64");
    assert_string_equal(order(&st, "list", NULL, NULL, NULL), "status 64");
    assert_string_equal(order(&st, "list", "odd", "all", NULL), "status 64");
    assert_string_equal(order(&st, "hold", "id", NULL, NULL), "status 64");
    assert_string_equal(order(&st, "hold", "all", "more", NULL), "status 64");
    assert_string_equal(order(&st, "remove", "all", NULL, NULL), "0 messages\n");
    assert_string_equal(order(&st, "list", "json", "all", NULL), "[\n]\n");
    /* No envelope, and one that is none. */
    say(st.front, &m);
    assert_int_equal(next(&st, st.front, MESSAGE_STORED, NULL).as.STORED.status, EX_DATAERR);
    struct bytes wrong = {"x", 1};
    m.as.COMMIT = (struct message_COMMIT){1, {&wrong, 1}, {"", 0}};
    say(st.front, &m);
    assert_int_equal(next(&st, st.front, MESSAGE_STORED, NULL).as.STORED.status, EX_DATAERR);
    m = (struct message){.kind = MESSAGE_DROP};
    say(st.front, &m);
    assert_empty(&st);
    stop(&st);
}

static void what_is_delivered_is_gone(void **state)
{
    struct stage st;

    open_stage(&st, *state);
    begin(&st);
    bring(&st, 1, "u@b.example");
    char *id = stored_id(&st, 1);
    struct routed r = route(&st);
    assert_string_equal(bytes_string(*state, r.envelope.id), id);
    assert_string_equal(bytes_string(*state, r.envelope.header.v[2]),
                        arena_printf(*state, " <%s@a.example>", id));
    answer_route(&st, &r, PLAN_SMTP);
    struct message m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
    uint64_t number = m.as.HAND_OVER.delivery;
    assert_int_equal(m.as.HAND_OVER.size, r.envelope.size);
    assert_string_equal(fetch(&st, st.front, number), "first half, second half\n");
    assert_in(order(&st, "list", "text", "all", NULL), arena_printf(*state, "%s*      24 ", id));
    hand_over(&st, st.front, number, &delivered);
    wait_until_empty(&st);
    stop(&st);
    begin(&st);
    assert_empty(&st);
    assert_true(is_quiet(&st, st.policy, 50));
    stop(&st);
}

static void a_first_try_that_is_awaited(void **state)
{
    static const struct outcome later = {.state = RECIPIENT_WAITS};
    struct stage st;

    open_stage(&st, *state);
    begin(&st);
    st.flags = ENVELOPE_AWAITED;
    for (uint64_t i = 1; i <= 2; i++) {
        bring(&st, i, "u@b.example");
        struct routed r = route(&st);
        assert_true(is_quiet(&st, st.front, 50));
        answer_route(&st, &r, PLAN_SMTP);
        struct message m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
        assert_true(is_quiet(&st, st.front, 50));
        hand_over(&st, st.front, m.as.HAND_OVER.delivery, i == 1 ? &delivered : &later);
        assert_string_equal(stored_id(&st, i), bytes_string(*state, r.envelope.id));
    }
    /* Held or removed meanwhile, and at the end, nobody waits any more. */
    bring(&st, 3, "u@b.example");
    route(&st);
    assert_in(order(&st, "remove", "all", NULL, NULL), "2 messages");
    assert_true(is_quiet(&st, st.front, 50)); /* it is on its way */
    bring(&st, 4, "u@b.example");
    route(&st);
    struct message m = {.kind = MESSAGE_STOP};
    m.as.STOP.gracefully = 1;
    say(st.parent, &m);
    for (int i = 0; i < 2; i++)
        next(&st, st.front, MESSAGE_STORED, NULL);
    kill_it(&st);
}

/* "first half, second half", "Message-Id: <ID@a.example>". */
static void a_second_try_says_the_size_in_the_queue(void **state)
{
    static const struct outcome later = {.state = RECIPIENT_WAITS};
    struct stage st;

    open_stage(&st, *state);
    begin(&st);
    bring(&st, 1, "u@b.example");
    size_t id = strlen(stored_id(&st, 1));
    for (int i = 0; i < 2; i++) {
        struct routed r = route(&st);
        answer_route(&st, &r, PLAN_SMTP);
        struct message m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
        size_t wanted = strlen("first half, second half\nMessage-Id: <@a.example>") + id;
        assert_int_equal(m.as.HAND_OVER.size, i ? wanted : r.envelope.size);
        hand_over(&st, st.front, m.as.HAND_OVER.delivery, i ? &delivered : &later);
    }
    wait_until_empty(&st);
    stop(&st);
}

static void what_failed_is_reported(void **state)
{
    struct outcome o = {.state = RECIPIENT_FAILED,
                        .status = EX_NOUSER,
                        .code = bytes_of("5.1.1"),
                        .answer = bytes_of("550 5.1.1 nobody"),
                        .host = bytes_of("h.example")};
    struct stage st;

    open_stage(&st, *state);
    begin(&st);
    bring(&st, 1, "u@b.example");
    stored_id(&st, 1);
    struct routed r = route(&st);
    answer_route(&st, &r, PLAN_SMTP);
    struct message m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
    hand_over(&st, st.front, m.as.HAND_OVER.delivery, &o);
    struct routed report = route(&st);
    assert_int_equal(report.envelope.sender.len, 0);
    assert_string_equal(bytes_string(*state, report.envelope.recipients[0].address),
                        "sender@a.example");
    /* Killed now: there is one report still, and only one. */
    kill_it(&st);
    begin(&st);
    report = route(&st);
    assert_int_equal(report.envelope.sender.len, 0);
    assert_true(is_quiet(&st, st.policy, 50));
    answer_route(&st, &report, PLAN_SMTP);
    m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
    uint64_t number = m.as.HAND_OVER.delivery;
    char *text = fetch(&st, st.front, number);
    assert_in(text, "Action: failed\nStatus: 5.1.1\n");
    assert_in(text, "\n\nfirst half, second half\n\n--");
    hand_over(&st, st.front, number, &delivered);
    wait_until_empty(&st);
    stop(&st);
}

/* Where it arrived here; a host that it was handed to tells that itself. */
static void an_arrival_is_told_by_who_delivers(void **state)
{
    static const enum plan_kind kinds[] = {PLAN_SMTP, PLAN_LMTP};
    struct stage st;

    open_stage(&st, *state);
    begin(&st);
    for (uint64_t i = 0; i < 2; i++) {
        bring(&st, i, "u@b.example");
        stored_id(&st, i);
        struct routed r = route(&st);
        r.envelope.recipients[0].notify = NOTIFY_SAID | NOTIFY_SUCCESS;
        answer_route(&st, &r, kinds[i]);
        struct message m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
        hand_over(&st, st.front, m.as.HAND_OVER.delivery, i == 0 ? &passed : &delivered);
        if (i == 0)
            wait_until_empty(&st);
    }
    struct routed report = route(&st);
    assert_int_equal(report.envelope.sender.len, 0);
    assert_in(order(&st, "list", "text", "all", NULL), "(1 request)");
    stop(&st);
}

/* One of two recipients failed, and the other one goes on waiting. */
static void a_failure_is_told_once(void **state)
{
    struct recipient to[2] = {{.address = bytes_of("u@b.example")},
                              {.address = bytes_of("v@b.example"),
                               .state = RECIPIENT_FAILED,
                               .status = bytes_of("5.1.1"),
                               .answer = bytes_of("550 5.1.1 nobody")}};
    struct stage st;
    struct message m = {.kind = MESSAGE_ROUTED};
    struct buf b;

    open_stage(&st, *state);
    begin(&st);
    bring(&st, 1, "u@b.example");
    stored_id(&st, 1);
    struct routed r = route(&st);
    r.envelope.recipients = to;
    r.envelope.nrecipients = 2;
    buf_init(&b, *state);
    envelope_encode(&r.envelope, &b);
    m.as.ROUTED = (struct message_ROUTED){.delivery = r.number, .envelope = {b.data, b.len}};
    say(st.policy, &m);
    /* The report, and the message's next tries; policy cannot say where they go. */
    for (int i = 0; i < 5; i++) {
        r = route(&st);
        m.as.ROUTED = (struct message_ROUTED){.delivery = r.number, .status = EX_TEMPFAIL};
        say(st.policy, &m);
    }
    char *list = order(&st, "list", "text", "all", NULL);
    assert_in(list, "(2 requests)");
    assert_in(list, "MAILER-DAEMON");
    assert_null(strstr(list, "v@b.example"));
    stop(&st);
}

static void a_program_fetches_by_its_own_descriptor(void **state)
{
    struct outcome o = {.state = RECIPIENT_DELIVERED};
    struct stage st;
    int fd;

    open_stage(&st, *state);
    begin(&st);
    bring(&st, 1, "u@b.example");
    stored_id(&st, 1);
    struct routed r = route(&st);
    answer_route(&st, &r, PLAN_PROGRAM);
    struct message m = next(&st, st.parent, MESSAGE_RUN, &fd);
    assert_true(fd >= 0);
    struct channel *c = channel_new(*state, fd, ROLE_PARENT, ROLE_STORE);
    assert_string_equal(fetch(&st, c, m.as.RUN.delivery), "first half, second half\n");
    hand_over(&st, c, m.as.RUN.delivery, &o);
    channel_free(c);
    wait_until_empty(&st);
    stop(&st);
}

/* A program that ends without a word, then a second try. */
static void a_dead_program_is_tried_again(void **state)
{
    struct stage st;
    int fd;

    open_stage(&st, *state);
    begin(&st);
    bring(&st, 1, "u@b.example");
    char *id = stored_id(&st, 1);
    struct routed r = route(&st);
    answer_route(&st, &r, PLAN_PROGRAM);
    next(&st, st.parent, MESSAGE_RUN, &fd);
    close(fd);
    r = route(&st);
    assert_string_equal(bytes_string(*state, r.envelope.id), id);
    assert_int_equal(r.envelope.tries, 1);
    assert_string_equal(bytes_string(*state, r.envelope.recipients[0].answer),
                        "451 4.3.0 The mailer ended without a word");
    assert_in(order(&st, "list", "text", "all", NULL), "                 (Deferred: 451 4.3.0 ");
    stop(&st);
}

static void what_was_on_its_way_at_a_kill_is_tried_again(void **state)
{
    struct stage st;

    open_stage(&st, *state);
    begin(&st);
    bring(&st, 1, "u@b.example");
    char *id = stored_id(&st, 1);
    struct routed r = route(&st);
    answer_route(&st, &r, PLAN_SMTP);
    next(&st, st.front, MESSAGE_HAND_OVER, NULL);
    kill_it(&st);
    begin(&st);
    r = route(&st);
    assert_string_equal(bytes_string(*state, r.envelope.id), id);
    assert_int_equal(r.envelope.recipients[0].state, RECIPIENT_WAITS);
    stop(&st);
}

static void a_host_that_does_not_answer_is_left_alone(void **state)
{
    struct outcome o = {.state = RECIPIENT_WAITS,
                        .code = bytes_of("4.4.1"),
                        .answer = bytes_of("451 4.4.1 Connection timed out")};
    struct stage st;

    open_stage(&st, *state);
    st.setup.host_status = 60;
    st.setup.schedule.interval = 100;
    begin(&st);
    for (uint64_t i = 1; i <= 2; i++) {
        bring(&st, i, "u@b.example");
        stored_id(&st, i);
        struct routed r = route(&st);
        answer_route(&st, &r, PLAN_SMTP);
        if (i == 1) {
            struct message m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
            hand_over(&st, st.front, m.as.HAND_OVER.delivery, &o);
        }
    }
    assert_true(is_quiet(&st, st.front, 50));
    char *list = order(&st, "list", "verbose", "all", NULL);
    char *first = strstr(list, "(Deferred: 451 4.4.1 Connection timed out)");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "(Deferred: 451 4.4.1 Connection timed out)"));
    stop(&st);
}

static void what_is_too_old_is_given_up(void **state)
{
    struct outcome o = {.state = RECIPIENT_WAITS,
                        .code = bytes_of("4.2.0"),
                        .answer = bytes_of("450 4.2.0 later"),
                        .host = bytes_of("h.example")};
    struct stage st;

    open_stage(&st, *state);
    st.setup.schedule.warned[URGENCY_NORMAL] = 3600;
    begin(&st);
    uint64_t now = (uint64_t)time(NULL);
    send_made(&st, 1, "late@b.example", now - 7200);
    send_made(&st, 2, "old@b.example", now - 10 * 86400);
    stored_id(&st, 1);
    stored_id(&st, 2);
    struct routed r[2];
    for (int i = 0; i < 2; i++)
        r[i] = route(&st);
    for (int i = 0; i < 2; i++)
        answer_route(&st, &r[i], PLAN_SMTP);
    for (int i = 0; i < 2; i++) {
        struct message m = next(&st, st.front, MESSAGE_HAND_OVER, NULL);
        hand_over(&st, st.front, m.as.HAND_OVER.delivery, &o);
    }
    for (int i = 0; i < 2; i++)
        answer_head(&st);
    char *list = NULL;
    for (int i = 0; i < 1000 && (!list || !strstr(list, "(3 requests)")); i++)
        list = order(&st, "list", "text", "all", NULL);
    assert_in(list, "late@b.example");
    assert_null(strstr(list, "old@b.example"));
    assert_in(list, "(3 requests)");
    stop(&st);
}

static void orders_hold_release_and_remove(void **state)
{
    struct stage st;

    open_stage(&st, *state);
    st.setup.schedule.interval = 100;
    st.setup.schedule.queue_la = 1;
    st.setup.schedule.queue_factor = 0; /* nothing is tried by itself */
    st.setup.load = NULL;
    begin(&st);
    bring(&st, 1, "u@b.example");
    bring(&st, 2, "v@b.example");
    char *one = stored_id(&st, 1), *two = stored_id(&st, 2);
    struct routed r[2] = {route(&st), route(&st)};
    struct message m = {.kind = MESSAGE_ROUTED};
    for (int i = 0; i < 2; i++) { /* policy cannot say: both wait */
        m.as.ROUTED = (struct message_ROUTED){.delivery = r[i].number, .status = EX_TEMPFAIL};
        say(st.policy, &m);
    }
    while (strchr(order(&st, "list", "text", "all", NULL), '*'))
        ;
    assert_string_equal(order(&st, "hold", "recipient", "V@B", NULL), "1 message\n");
    assert_string_equal(order(&st, "quarantine", "odd", "id", one), "1 message\n");
    char *list = order(&st, "list", "text", "all", NULL);
    assert_in(list, "                 (held)\n");
    assert_in(list, "     QUARANTINE: odd\n");
    assert_string_equal(order(&st, "run", "all", NULL, NULL), "2 messages\n");
    assert_true(is_quiet(&st, st.policy, 50));
    stop(&st);
    begin(&st); /* it is kept */
    assert_true(is_quiet(&st, st.policy, 50));
    assert_string_equal(order(&st, "quarantine", "", "id", one), "1 message\n");
    assert_string_equal(order(&st, "run", "sender", "sender", NULL), "2 messages\n");
    struct routed again = route(&st);
    assert_string_equal(bytes_string(*state, again.envelope.id), one);
    assert_string_equal(order(&st, "release", "id", two, NULL), "1 message\n");
    assert_string_equal(order(&st, "run", "id", two, NULL), "1 message\n");
    again = route(&st);
    assert_string_equal(bytes_string(*state, again.envelope.id), two);
    assert_string_equal(order(&st, "remove", "all", NULL, NULL), "2 messages\n");
    stop(&st);
    begin(&st);
    stop(&st);
}

static void what_comes_together_is_kept_together(void **state)
{
    struct stage st;
    size_t n = 200;

    open_stage(&st, *state);
    st.setup.messages = 3;
    begin(&st);
    for (uint64_t i = 0; i < n; i++)
        bring(&st, i, "u@b.example");
    for (uint64_t i = 0; i < n; i++)
        stored_id(&st, i);
    for (int i = 0; i < 3; i++)
        route(&st);
    assert_true(is_quiet(&st, st.policy, 50)); /* no more on their way than that */
    kill_it(&st);
    begin(&st);
    assert_in(order(&st, "list", "text", "all", NULL), "Total requests: 200\n");
    stop(&st);
}

static void limit_files(struct stage *st, rlim_t bytes)
{
    struct rlimit r = {bytes, RLIM_INFINITY};

    assert_int_equal(prlimit(st->child, RLIMIT_FSIZE, &r, NULL), 0);
}

/* A disk that is full, for what comes and for outcomes, and has room again. */
static void a_full_disk_is_said_and_waited_for(void **state)
{
    struct stage st;

    open_stage(&st, *state);
    signal(SIGXFSZ, SIG_IGN);
    begin(&st);
    bring(&st, 1, "u@b.example");
    stored_id(&st, 1);
    struct routed r = route(&st);
    answer_route(&st, &r, PLAN_SMTP);
    uint64_t number = next(&st, st.front, MESSAGE_HAND_OVER, NULL).as.HAND_OVER.delivery;
    limit_files(&st, 4096);
    bring(&st, 2, "v@b.example");
    struct message m = next(&st, st.front, MESSAGE_STORED, NULL);
    assert_int_not_equal(m.as.STORED.status, 0);
    assert_int_equal(m.as.STORED.ids.n, 0);
    hand_over(&st, st.front, number, &delivered);
    sleep(2); /* it is tried again in vain */
    assert_in(order(&st, "list", "text", "all", NULL), "(1 request)");
    limit_files(&st, RLIM_INFINITY);
    wait_until_empty(&st);
    stop(&st);
    begin(&st);
    assert_empty(&st);
    bring(&st, 3, "w@b.example");
    stored_id(&st, 3);
    stop(&st);
}

static void who_breaks_the_protocol_ends_it(void **state)
{
    struct stage st;

    open_stage(&st, *state);
    begin(&st);
    hand_over(&st, st.front, 12345, &delivered);
    assert_int_equal(wait_for_end(&st), EX_PROTOCOL);
    begin(&st);
    channel_free(st.policy);
    st.policy = NULL;
    assert_int_equal(wait_for_end(&st), EX_PROTOCOL);
    st.setup.directory = "nowhere";
    raise_curtain(&st);
    struct message m = next(&st, st.parent, MESSAGE_READY, NULL);
    assert_int_equal(m.as.READY.status, EX_CONFIG);
    assert_in(bytes_string(*state, m.as.READY.text), "nowhere");
    assert_int_equal(wait_for_end(&st), EX_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(policys_id_is_kept),
        IN_STORE(a_body_is_read_and_replaced_before_it_is_kept),
        IN_STORE(nothing_to_do_is_nothing_done),
        IN_STORE(what_is_delivered_is_gone),
        IN_STORE(a_first_try_that_is_awaited),
        IN_STORE(a_second_try_says_the_size_in_the_queue),
        IN_STORE(what_failed_is_reported),
        IN_STORE(an_arrival_is_told_by_who_delivers),
        IN_STORE(a_failure_is_told_once),
        IN_STORE(a_program_fetches_by_its_own_descriptor),
        IN_STORE(a_dead_program_is_tried_again),
        IN_STORE(what_was_on_its_way_at_a_kill_is_tried_again),
        IN_STORE(a_host_that_does_not_answer_is_left_alone),
        IN_STORE(what_is_too_old_is_given_up),
        IN_STORE(orders_hold_release_and_remove),
        IN_STORE(what_comes_together_is_kept_together),
        IN_STORE(a_full_disk_is_said_and_waited_for),
        IN_STORE(who_breaks_the_protocol_ends_it),
    };
    return cmocka_run_group_tests_name("mta_store", tests, NULL, NULL);
}
