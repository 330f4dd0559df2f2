#include "mta/policy/policy.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/channel.h"
#include "mta/policy/others.h"
#include "mta/policy/check.h"
#include "mta/policy/help.h"
#include "mta/policy/login.h"
#include "mta/policy/route.h"
#include "mta/policy/sasl.h"
#include "mta/policy/sasl_login.h"
#include "mta/policy/server.h"

enum { THREADS_MOST = 512 }; /* where filters are asked, which may take their time */
enum { BUCKETS = 1024, ANSWERS_WAITING_MAX = 16 << 20, CHANNELS = 4 };

/* A question on its way: from the main thread to a worker and back. */
struct job {
    struct arena *arena;
    struct message ask, answer;
    struct context *context; /* NULL: of no session */
    struct login *login;     /* NULL: of none */
    struct job *next;
};

struct jobs {
    struct job *first, **last;
};

/* A session or a login, as the main thread has it. */
struct entry {
    uint64_t number; /* its own */
    struct context *context;
    struct login *login; /* NULL: it is a session's */
    struct channel *via; /* of a session: who asks */
    bool asked, gone;    /* a worker has it; the client is not there any more */
    struct entry *next;
};

struct policy {
    const struct policy_setup *setup;
    struct arena *arena;
    struct service *service;
    struct channel *front, *store, *parent, *submitter;
    struct entry *sessions[BUCKETS], *logins[BUCKETS];
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t asked;
    struct jobs open, done;
    size_t idle, waiting; /* workers without a job; jobs without a worker */
    size_t threads;
    bool over;
    int wake; /* an eventfd: something is done */
};

static void add_job(struct jobs *list, struct job *j)
{
    j->next = NULL;
    *list->last = j;
    list->last = &j->next;
}

static struct job *take_job(struct jobs *list)
{
    struct job *j = list->first;

    if (!j)
        return NULL;
    list->first = j->next;
    if (!list->first)
        list->last = &list->first;
    return j;
}

/* A message of its own, texts and all. */
static bool copy_message(struct arena *a, const struct message *m, struct message *out)
{
    struct buf b;

    buf_init(&b, a);
    return message_encode(m, &b) && message_decode(a, b.data, b.len, out);
}

/* --- workers ------------------------------------------------------------------------------ */

static void answer(struct worker *w, struct job *j)
{
    struct message m = {.kind = MESSAGE_VERDICT};

    switch (j->ask.kind) {
    case MESSAGE_ROUTE:
        m.kind = MESSAGE_ROUTED;
        route(w, &j->ask.as.ROUTE, &m.as.ROUTED);
        break;
    case MESSAGE_TRY:
        m.kind = MESSAGE_HOST_VERDICT;
        server_answer_try(w, &j->ask.as.TRY, &m.as.HOST_VERDICT);
        break;
    case MESSAGE_HOST:
        m.kind = MESSAGE_HOST_VERDICT;
        server_answer(w, &j->ask.as.HOST, &m.as.HOST_VERDICT);
        break;
    case MESSAGE_LOGIN:
        m.kind = MESSAGE_LOGIN_SAID;
        login_answer(w, j->login, &j->ask.as.LOGIN, &m.as.LOGIN_SAID);
        break;
    case MESSAGE_LOGIN_STEP:
        m.kind = MESSAGE_LOGIN_SAID;
        login_answer_step(j->login, &j->ask.as.LOGIN_STEP, &m.as.LOGIN_SAID);
        break;
    default:
        check_answer(w, j->context, &j->ask, &m.as.VERDICT);
        break;
    }
    copy_message(j->arena, &m, &j->answer);
}

static void *work(void *ctx)
{
    struct policy *p = ctx;
    struct arena *a = arena_beside(p->arena);
    struct worker *w = worker_new(a, p->service);
    const uint64_t one = 1;

    pthread_mutex_lock(&p->lock);
    while (!p->over) {
        struct job *j = take_job(&p->open);
        if (!j) {
            p->idle++;
            pthread_cond_wait(&p->asked, &p->lock);
            p->idle--;
            continue;
        }
        p->waiting--;
        pthread_mutex_unlock(&p->lock);
        answer(w, j);
        pthread_mutex_lock(&p->lock);
        add_job(&p->done, j);
        if (write(p->wake, &one, sizeof one) < 0 && errno != EAGAIN)
            p->over = true;
    }
    pthread_mutex_unlock(&p->lock);
    worker_close(w);
    arena_free(a);
    return NULL;
}

static bool start_worker(struct policy *p)
{
    pthread_attr_t how;
    pthread_t thread;

    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    const bool good = pthread_create(&thread, &how, work, p) == 0;
    pthread_attr_destroy(&how);
    p->threads += good;
    return good;
}

/* --- sessions ----------------------------------------------------------------------------- */

static struct entry **place(struct entry **table, uint64_t number)
{
    struct entry **e = &table[number % BUCKETS];

    while (*e && (*e)->number != number)
        e = &(*e)->next;
    return e;
}

static void forget(struct entry **table, uint64_t number)
{
    struct entry **e = place(table, number);
    struct entry *gone = *e;

    if (!gone)
        return;
    *e = gone->next;
    if (gone->context)
        context_free(gone->context); /* the entry is in its arena */
    else
        login_free(gone->login); /* the same */
}

static struct entry *remember(struct policy *p, uint64_t session, struct channel *via)
{
    struct context *c = context_new(p->arena, p->service, session);
    struct entry *e = arena_alloc(c->arena, sizeof *e);

    e->number = session;
    e->context = c;
    e->via = via;
    *place(p->sessions, session) = e;
    return e;
}

static struct entry *remember_login(struct policy *p, uint64_t number)
{
    struct login *l = login_new(p->arena, number);
    struct entry *e = arena_alloc(login_arena(l), sizeof *e);

    e->number = number;
    e->login = l;
    *place(p->logins, number) = e;
    return e;
}

/* --- questions and answers ---------------------------------------------------------------- */

static void ask(struct policy *p, const struct message *m, const struct entry *e)
{
    struct arena *a = arena_beside(p->arena);
    struct job *j = arena_alloc(a, sizeof *j);

    j->arena = a;
    j->context = e ? e->context : NULL;
    j->login = e ? e->login : NULL;
    copy_message(a, m, &j->ask);
    pthread_mutex_lock(&p->lock);
    add_job(&p->open, j);
    p->waiting++;
    /* Workers may wait for filters as long as these please: others go on with the rest. */
    const bool more = p->waiting > p->idle && p->service->filtered && p->threads < THREADS_MOST;
    pthread_cond_signal(&p->asked);
    pthread_mutex_unlock(&p->lock);
    if (more)
        start_worker(p);
}

/* What workers ask other roles. */
static bool send_other(void *ctx, const struct message *m)
{
    const struct policy *p = ctx;
    struct channel *c = m->kind == MESSAGE_OPEN_FILTER ? p->parent : p->front;

    return c && channel_send(c, m, -1);
}

static uint64_t session_of(const struct message *m)
{
    switch (m->kind) {
#define CASE(name)                                                                                 \
    case MESSAGE_##name:                                                                           \
        return m->as.name.session;
        CASE(CONNECT)
        CASE(HELO)
        CASE(MAIL)
        CASE(SUBMIT)
        CASE(RCPT)
        CASE(COMMAND)
        CASE(AUTH)
        CASE(AUTH_STEP)
        CASE(SECURE)
        CASE(END)
        CASE(RESET)
        CASE(GONE)
#undef CASE
    default:
        return 0;
    }
}

/* The same of a login at a host. */
static bool take_login(struct policy *p, const struct message *m)
{
    uint64_t number = m->kind == MESSAGE_LOGIN        ? m->as.LOGIN.login
                      : m->kind == MESSAGE_LOGIN_STEP ? m->as.LOGIN_STEP.login
                                                      : m->as.LOGIN_OVER.login;
    struct entry *e = *place(p->logins, number);

    if (m->kind == MESSAGE_LOGIN_OVER) {
        if (e && !e->asked && m->as.LOGIN_OVER.good)
            login_log(e->login, p->service->log);
        if (e && e->asked)
            e->gone = true;
        else
            forget(p->logins, number);
        return true;
    }
    if (!e && m->kind == MESSAGE_LOGIN)
        e = remember_login(p, number);
    if (!e || e->asked)
        return false;
    e->asked = true;
    ask(p, m, e);
    return true;
}

/* False: the front says what cannot be. */
static bool take_front(struct policy *p, struct channel *via, const struct message *m)
{
    uint64_t session = session_of(m);
    struct entry *e = *place(p->sessions, session);

    if (m->kind == MESSAGE_GONE) {
        if (e && e->asked)
            e->gone = true;
        else
            forget(p->sessions, session);
        return true;
    }
    if (e && e->via != via)
        return false;
    if (m->kind == MESSAGE_CONNECT && !e)
        e = remember(p, session, via);
    else if (m->kind == MESSAGE_CONNECT || !e)
        return false;
    if (e->asked)
        return false;
    e->asked = true;
    ask(p, m, e);
    return true;
}

/* False: the other side says what cannot be, or is gone. */
static bool take(struct policy *p, struct channel *c)
{
    struct arena *a = arena_beside(p->arena);
    struct message m;
    enum channel_state state = channel_read(c);
    bool good = true;

    int fd;

    while (good && channel_next(c, a, &m, &fd)) {
        if (m.kind == MESSAGE_BODY_IS || m.kind == MESSAGE_FILTER_OPEN) {
            others_answer(p->service->others, &m, fd);
            arena_reset(a);
            continue;
        }
        fs_close(&fd);
        if (m.kind == MESSAGE_HOST || m.kind == MESSAGE_TRY)
            ask(p, &m, NULL);
        else if (m.kind == MESSAGE_LOGIN || m.kind == MESSAGE_LOGIN_STEP ||
                 m.kind == MESSAGE_LOGIN_OVER)
            good = take_login(p, &m);
        else if (c == p->front || c == p->submitter)
            good = take_front(p, c, &m);
        else if (m.kind == MESSAGE_ROUTE)
            ask(p, &m, NULL);
        else if (m.kind == MESSAGE_STOP)
            good = false;
        arena_reset(a);
    }
    arena_free(a);
    return good && state == CHANNEL_OPEN && channel_state(c) == CHANNEL_OPEN;
}

static void give(struct policy *p)
{
    uint64_t n;

    if (read(p->wake, &n, sizeof n) < 0 && errno != EAGAIN)
        return;
    pthread_mutex_lock(&p->lock);
    struct job *j = p->done.first;
    p->done = (struct jobs){NULL, NULL};
    p->done.last = &p->done.first;
    pthread_mutex_unlock(&p->lock);
    while (j) {
        struct job *next = j->next;
        if (j->answer.kind == MESSAGE_ROUTED) {
            channel_send(p->store, &j->answer, -1);
        } else if (j->answer.kind == MESSAGE_HOST_VERDICT) {
            channel_send(p->front, &j->answer, -1);
        } else {
            struct entry **table = j->login ? p->logins : p->sessions;
            uint64_t number = j->login ? login_number(j->login) : j->context->session;
            struct entry *e = *place(table, number);
            e->asked = false;
            if (e->gone || (!j->login && !e->via))
                forget(table, number);
            else
                channel_send(j->login ? p->front : e->via, &j->answer, -1);
        }
        arena_free(j->arena);
        j = next;
    }
}

/* --- the loop ----------------------------------------------------------------------------- */

static struct pollfd watched(struct channel *c, bool more)
{
    struct pollfd p = {.fd = c ? channel_fd(c) : -1};

    if (c && more)
        p.events |= POLLIN;
    if (c && channel_wants_write(c))
        p.events |= POLLOUT;
    return p;
}

/* Nobody is to hear what is still answered.  False: nothing is left to do. */
static bool lose_submitter(struct policy *p)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = p->sessions[i]; e; e = e->next)
            e->via = e->via == p->submitter ? NULL : e->via;
    }
    channel_free(p->submitter);
    p->submitter = NULL;
    return !p->setup->ends_with_him;
}

static void loop(struct policy *p)
{

    for (;;) {
        struct channel *channels[CHANNELS] = {p->front, p->store, p->parent, p->submitter};
        struct pollfd fds[CHANNELS + 1];
        for (size_t i = 0; i < CHANNELS; i++)
            fds[i] = watched(channels[i],
                             !channels[i] || channel_waiting(channels[i]) < ANSWERS_WAITING_MAX);
        fds[CHANNELS] = (struct pollfd){.fd = p->wake, .events = POLLIN};
        if (poll(fds, CHANNELS + 1, -1) < 0 && errno != EINTR)
            return;
        if (fds[CHANNELS].revents) {
            give(p);
            others_ask(p->service->others, send_other, p);
        }
        for (size_t i = 0; i < CHANNELS; i++) {
            struct channel *c = channels[i];
            if (!c)
                continue;
            bool lost = (fds[i].revents & (POLLIN | POLLHUP | POLLERR) && !take(p, c)) ||
                        (channel_wants_write(c) && channel_flush(c) == CHANNEL_BROKEN);
            if (lost && (c != p->submitter || !lose_submitter(p)))
                return;
        }
    }
}

static struct channel *channel_to(const struct policy *p, int fd, enum role other)
{
    return fd < 0 ? NULL : channel_new(p->arena, fd, ROLE_POLICY, other);
}

static void say_ready(struct policy *p)
{
    struct message m = {.kind = MESSAGE_READY};

    if (p->parent)
        channel_send(p->parent, &m, -1);
}

int policy_run(struct arena *a, const struct policy_setup *setup)
{
    struct policy *p = arena_alloc(a, sizeof *p);
    const char *why;

    p->setup = setup;
    p->arena = a;
    p->service = service_new(a, setup->program, setup->world);
    p->service->sasl = sasl_settings_open(a, setup->program, p->service->host, &why);
    p->service->logs_in = sasl_login_open();
    p->service->help = help_read(a, setup->program, setup->world->trust);
    p->service->queue_seconds = setup->interval;
    p->service->log = setup->log;
    p->service->unable = setup->unable;
    p->front = channel_to(p, setup->front, ROLE_FRONT);
    p->store = channel_to(p, setup->store, ROLE_STORE);
    p->parent = channel_to(p, setup->parent, ROLE_PARENT);
    p->submitter = channel_to(p, setup->submitter, ROLE_FRONT);
    p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    p->open.last = &p->open.first;
    p->done.last = &p->done.first;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->asked, NULL);
    if (p->wake < 0)
        return EX_OSERR;
    p->service->others = others_new(a, p->wake);
    while (p->threads < setup->threads && start_worker(p))
        continue;
    if (p->threads == 0)
        return EX_OSERR;
    say_ready(p);
    loop(p);
    /* Workers may hang in a lookup: nobody waits for them. */
    _exit(EX_OK);
}
