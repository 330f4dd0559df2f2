#include "mta/milter/wire.h"
#include "mta/parent/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/channel.h"
#include "mta/control.h"
#include "mta/front/front.h"
#include "mta/front/tls.h"
#include "mta/parent/detach.h"
#include "mta/parent/errand.h"
#include "mta/parent/listen.h"
#include "mta/parent/notify.h"
#include "mta/parent/restart.h"
#include "mta/parent/sandbox.h"
#include "mta/policy/policy.h"
#include "mta/store/drop.h"
#include "mta/store/store.h"

enum {
    CHILDREN = 3, /* roles beside the parent */
    THREADS = 16,
    START_MS = 10000, /* for a role to be ready */
    AGAIN_MS = 1000,  /* before roles are started anew that did not last for SOUND_MS */
    SOUND_MS = 2000,
    END_MS = 10000,    /* for roles to end what they began */
    LET_END_MS = 1000, /* for a store that lost another role, while clients wait */
    QUEUE_A_CPU = 8,   /* QueueLA, where it is not set, for each processor */
    FD_ERRAND = 3 /* the only descriptor that a child for a program has, beside the usual ones */
};

/* Sockets between roles; [0] is the first one's. */
struct pairs {
    int front_policy[2], front_store[2], store_policy[2];
    int front[2], policy[2], store[2]; /* [0]: the parent's */
};

struct child {
    enum role role;
    pid_t pid; /* 0: there is none */
    struct channel *channel;
    bool ready;
    const char *failed; /* why it could not be started; NULL: nothing is known */
};

struct parent {
    const struct parent_setup *setup;
    struct arena *arena, *life; /* for ever; of one set of roles */
    struct listening listening;
    struct child children[CHILDREN];
    struct sandbox sandbox;
    struct detached detached;
    struct restart restart;
    const struct tls_context *tls_server, *tls_client; /* of the front alone */
    sigset_t signals;
    int signal, control;
    bool stopping, over, broken;
    bool told;        /* which of them ended first */
    bool draining;    /* the store was told to end */
    bool restarting;  /* they stop for that */
    bool check_again; /* SIGHUP came while it was checked */
    int status;
};

/* For whoever started us, and for the log. */
static void complain(const struct parent *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(const struct parent *p, const char *fmt, ...)
{
    va_list ap;
    char text[1024];

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    syslog(LOG_ERR, "%s", text);
    if (p->detached.errors >= 0)
        dprintf(p->detached.errors, "mcfd: %s\n", text);
}

static const char *role_name(enum role r)
{
    return r == ROLE_FRONT ? "front" : r == ROLE_POLICY ? "policy" : "store";
}

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    syslog(LOG_INFO, "%s", line);
}

/* --- the roles ---------------------------------------------------------------------------- */

/* The store opens no files but its own. */
static uint64_t load_now(void)
{
    struct sysinfo s;
    const unsigned long half = 1UL << (SI_LOAD_SHIFT - 1);

    return sysinfo(&s) == 0 ? (s.loads[0] + half) >> SI_LOAD_SHIFT : 0;
}

static uint64_t positive(long n)
{
    return n > 0 ? (uint64_t)n : 0;
}

static struct schedule_settings schedule_of(const struct program *p, uint64_t interval)
{
    static const enum timeout returned[] = {[URGENCY_NORMAL] = TIMEOUT_RETURN_NORMAL,
                                            [URGENCY_URGENT] = TIMEOUT_RETURN_URGENT,
                                            [URGENCY_NON_URGENT] = TIMEOUT_RETURN_NON_URGENT,
                                            [URGENCY_DSN] = TIMEOUT_RETURN_DSN};
    static const enum timeout warned[] = {[URGENCY_NORMAL] = TIMEOUT_WARN_NORMAL,
                                          [URGENCY_URGENT] = TIMEOUT_WARN_URGENT,
                                          [URGENCY_NON_URGENT] = TIMEOUT_WARN_NON_URGENT,
                                          [URGENCY_DSN] = TIMEOUT_WARN_DSN};
    struct schedule_settings s = schedule_usual();

    s.interval = interval;
    s.min_age = setting_time(p, "MinQueueAge", 'm');
    s.max_age = setting_time(p, "MaxQueueAge", 'm');
    s.recipient_factor = setting_number(p, "RecipientFactor");
    s.class_factor = setting_number(p, "ClassFactor");
    s.retry_factor = setting_number(p, "RetryFactor");
    s.queue_factor = setting_number(p, "QueueFactor");
    s.queue_la = *setting_text(p, "QueueLA")
                     ? positive(setting_number(p, "QueueLA"))
                     : QUEUE_A_CPU * positive(sysconf(_SC_NPROCESSORS_ONLN));
    for (size_t i = 0; i < URGENCIES; i++) {
        s.returned[i] = setting_timeout(p, returned[i]);
        s.warned[i] = setting_timeout(p, warned[i]);
    }
    return s;
}

static const char *queue_of(const struct parent *p)
{
    return p->setup->passing ? p->setup->passing
                             : setting_text(p->setup->program, "QueueDirectory");
}

/* The one host of a submission program is asked again in each run. */
static uint64_t host_status(const struct parent *p)
{
    const uint64_t most = setting_timeout(p->setup->program, TIMEOUT_HOSTSTATUS),
                   every = p->setup->interval;

    return setting_true(p->setup->program, "UseMSP") && every < most ? every : most;
}

static int run_store(struct parent *p, const struct pairs *s)
{
    const struct program *program = p->setup->program;
    unsigned privacy = setting_privacy(program);
    struct store_setup setup = {
        .front = s->front_store[1],
        .policy = s->store_policy[0],
        .parent = s->store[1],
        .directory = queue_of(p),
        .queue = {.min_free_blocks = positive(setting_number(program, "MinFreeBlocks")),
                  .inside = true,
                  .passing = p->setup->passing != NULL},
        .schedule = schedule_of(program, p->setup->interval),
        .report = {.hostname = p->setup->host,
                   .version = p->setup->version,
                   .daemon = "MAILER-DAEMON",
                   .double_bounce = setting_text(program, "DoubleBounceAddress"),
                   .copy = setting_text(program, "PostmasterCopy"),
                   .text = p->setup->error_text,
                   .plain = !setting_true(program, "SendMimeErrors"),
                   .no_body = privacy & PRIVACY_NOBODYRETURN,
                   .no_actual = privacy & PRIVACY_NOACTUALRECIPIENT},
        .host_status = host_status(p),
        .load = load_now,
        .rests = p->setup->rests && !p->setup->passing,
        .drop = p->sandbox.drop,
        .passes = p->setup->passing != NULL,
        .drains = p->setup->once,
        .log = log_line,
        .events = p->setup->log};

    return store_run(p->life, &setup);
}

static int run_policy(struct parent *p, const struct pairs *s)
{
    return policy_run(p->life, &(struct policy_setup){.program = p->setup->program,
                                                      .world = p->setup->world,
                                                      .log = p->setup->log,
                                                      .front = s->front_policy[1],
                                                      .store = s->store_policy[1],
                                                      .parent = s->policy[1],
                                                      .submitter = p->setup->asks,
                                                      .ends_with_him = p->setup->store >= 0,
                                                      .unable = p->setup->unable,
                                                      .threads = THREADS,
                                                      .interval = p->setup->interval});
}

static int run_front(struct parent *p, const struct pairs *s)
{
    return front_run(p->life, &(struct front_setup){.program = p->setup->program,
                                                    .host = p->setup->host,
                                                    .listening = p->listening.fds,
                                                    .listeners = p->listening.listeners,
                                                    .n = p->listening.n,
                                                    .dialogue = p->setup->dialogue,
                                                    .peer = p->setup->peer,
                                                    .traffic = p->setup->traffic,
                                                    .tls_server = p->tls_server,
                                                    .tls_client = p->tls_client,
                                                    .policy = s->front_policy[0],
                                                    .store = p->setup->store < 0 ? s->front_store[0]
                                                                                 : p->setup->store,
                                                    .parent = s->front[1]});
}

/* --- forking ------------------------------------------------------------------------------ */

static bool pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
}

static bool make_pairs(struct pairs *s)
{
    memset(s, -1, sizeof *s);
    return pair(s->front_policy) && pair(s->front_store) && pair(s->store_policy) &&
           pair(s->front) && pair(s->policy) && pair(s->store);
}

static bool is_started(const struct parent *p, enum role r)
{
    if (r == ROLE_STORE)
        return p->setup->store < 0;
    /* Who submits a message to somebody else's store has nothing delivered here. */
    if (r == ROLE_FRONT && p->setup->asks >= 0 && p->setup->store >= 0)
        return false;
    return !p->setup->alone;
}

/* Closes what is not this role's; the parent (ROLE_PARENT) keeps its three, and what would be of
 * roles that are not started: the others must not take them to be gone. */
static void keep_own(const struct parent *p, struct pairs *s, enum role r)
{
    struct {
        int *fd;
        enum role of;
    } all[] = {{&s->front_policy[0], ROLE_FRONT}, {&s->front_policy[1], ROLE_POLICY},
               {&s->front_store[0], ROLE_FRONT},  {&s->front_store[1], ROLE_STORE},
               {&s->store_policy[0], ROLE_STORE}, {&s->store_policy[1], ROLE_POLICY},
               {&s->front[0], ROLE_PARENT},       {&s->front[1], ROLE_FRONT},
               {&s->policy[0], ROLE_PARENT},      {&s->policy[1], ROLE_POLICY},
               {&s->store[0], ROLE_PARENT},       {&s->store[1], ROLE_STORE}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        enum role of =
            all[i].of != ROLE_PARENT && !is_started(p, all[i].of) ? ROLE_PARENT : all[i].of;
        if (of != r)
            fs_close(all[i].fd);
    }
}

/* Whoever waits for the end of standard output waits for the dialogue's, and not for ours. */
static void let_go(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = STDIN_FILENO; fd >= 0 && i <= STDERR_FILENO; i++)
        dup2(fd, i);
    if (fd > STDERR_FILENO)
        close(fd);
}

static bool is_on_standard_input(const struct parent *p)
{
    return p->setup->dialogue >= 0 || p->setup->asks >= 0;
}

/* It does not work: the parent says why. */
static void give_up(int fd, enum role r, const char *what)
{
    struct message m = {.kind = MESSAGE_READY};
    struct arena *a = arena_new(NULL, NULL);
    const char *text = arena_printf(a, "%s: sandbox: %s: %s", role_name(r), what, strerror(errno));
    struct channel *c = channel_new(a, fd, r, ROLE_PARENT);

    m.as.READY = (struct message_READY){EX_OSERR, bytes_of(text)};
    channel_send(c, &m, -1);
    channel_flush(c);
    _exit(EX_OSERR);
}

/* Keys are read while that can be done, and only by the role that uses them. */
static struct tls_context *open_one(struct parent *p, enum tls_side side)
{
    enum { LEVEL = 7 };
    struct tls_problem problem;
    struct tls_context *c = tls_context_open(p->life, p->setup->program, side, &problem);
    struct log_event l;

    if (!problem.why)
        return c;
    log_begin(&l, p->setup->log, p->life, LEVEL, LOG_WARNING, "tls", bytes_of(""));
    log_words(&l, "text",
              arena_printf(p->life, "STARTTLS=%s: %s%s%s",
                           side == TLS_AS_SERVER ? "server" : "client", problem.why,
                           problem.command ? "; mend it: " : "",
                           problem.command ? problem.command : ""));
    log_end(&l);
    return c;
}

static void open_tls(struct parent *p)
{
    p->tls_server = open_one(p, TLS_AS_SERVER);
    p->tls_client = open_one(p, TLS_AS_CLIENT);
}

static void close_submitter(const struct parent *p, enum role r)
{
    if (p->setup->asks >= 0 && r != ROLE_POLICY)
        close(p->setup->asks);
    if (p->setup->brings >= 0 && r != ROLE_PARENT)
        close(p->setup->brings);
}

static void become(struct parent *p, struct pairs *s, enum role r, pid_t parent)
{
    const int to_parent = r == ROLE_FRONT    ? s->front[1]
                          : r == ROLE_POLICY ? s->policy[1]
                                             : s->store[1];
    int status;

    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &p->signals, NULL);
    fs_close(&p->signal);
    fs_close(&p->control);
    restart_close(&p->restart);
    detach_close(&p->detached);
    if (is_on_standard_input(p))
        let_go();
    keep_own(p, s, r);
    close_submitter(p, r);
    if (r != ROLE_FRONT) {
        for (size_t i = 0; i < p->listening.n; i++)
            close(p->listening.fds[i]);
    }
    if (r == ROLE_FRONT)
        open_tls(p);
    const char *failed = sandbox_enter(&p->sandbox, r);
    if (failed)
        give_up(to_parent, r, failed);
    if (getppid() != parent)
        _exit(EX_OSERR);
    if (r == ROLE_STORE)
        status = run_store(p, s);
    else if (r == ROLE_POLICY)
        status = run_policy(p, s);
    else
        status = run_front(p, s);
    _exit(status);
}

static bool start_role(struct parent *p, struct pairs *s, enum role r, size_t i)
{
    const pid_t self = getpid();
    pid_t pid = fork();

    if (pid == 0)
        become(p, s, r, self);
    if (pid < 0)
        return false;
    p->children[i] = (struct child){.role = r, .pid = pid};
    return true;
}

static bool start(struct parent *p)
{
    static const enum role order[CHILDREN] = {ROLE_STORE, ROLE_POLICY, ROLE_FRONT};
    struct pairs s;
    bool good = make_pairs(&s);
    int err = errno;

    p->life = arena_beside(p->arena);
    p->broken = false;
    for (size_t i = 0; good && i < CHILDREN; i++)
        good = !is_started(p, order[i]) || start_role(p, &s, order[i], i);
    if (!good) {
        err = errno ? errno : err;
        for (int *fd = (int *)&s; fd < (int *)(&s + 1); fd++)
            fs_close(fd);
        errno = err;
        return false;
    }
    keep_own(p, &s, ROLE_PARENT);
    const int own[CHILDREN] = {s.store[0], s.policy[0], s.front[0]};
    for (size_t i = 0; i < CHILDREN; i++) {
        if (is_started(p, order[i]))
            p->children[i].channel = channel_new(p->life, own[i], ROLE_PARENT, order[i]);
    }
    return true;
}

/* --- programs ----------------------------------------------------------------------------- */

/* Nothing of ours is open there: a program that runs for long holds no port, and whoever it is run
 * as speaks to the store about this message alone.  It outlives us: the store's end tells it to see
 * that no program takes half a message for a whole one. */
static void run_errand(struct parent *p, const struct message_RUN *m, int fd)
{
    sigprocmask(SIG_UNBLOCK, &p->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (fd != FD_ERRAND && dup2(fd, FD_ERRAND) < 0)
        _exit(EX_OSERR);
    syscall(SYS_close_range, FD_ERRAND + 1U, ~0U, 0U);
    fcntl(FD_ERRAND, F_SETFD, FD_CLOEXEC);
    _exit(errand_run(p->arena, FD_ERRAND, m, p->setup->program));
}

static void run_agent(struct parent *p, const struct message_RUN *m, int fd)
{
    if (fork() == 0)
        run_errand(p, m, fd);
    close(fd); /* where there is no child, the store sees that it ends */
}

/* --- the loop ----------------------------------------------------------------------------- */

static bool is_there(const struct parent *p, enum role r)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (p->children[i].role == r && p->children[i].pid > 0)
            return true;
    }
    return false;
}

static struct channel *channel_of(struct parent *p, enum role r)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (p->children[i].channel && p->children[i].role == r)
            return p->children[i].channel;
    }
    return NULL;
}

/* Without the store there is nothing more to do. */
static void drain(struct parent *p)
{
    struct message m = {.kind = MESSAGE_STOP};

    if (p->draining || p->stopping)
        return; /* it was told: a second STOP would end it at once */
    m.as.STOP.gracefully = true;
    p->draining = true;
    if (!channel_of(p, ROLE_STORE))
        p->over = true;
    else
        channel_send(channel_of(p, ROLE_STORE), &m, -1);
}

/* Whoever submits a message is the store's caller; it ends when he is gone. */
static void give_caller(struct parent *p, struct channel *store)
{
    struct message m = {.kind = MESSAGE_CALLER};

    m.as.CALLER.uid = getuid();
    channel_send(store, &m, p->setup->brings);
}

/* The first order is given; where there is none, and nobody speaks, the work can end. */
static void give_order(struct parent *p)
{
    struct message m = {.kind = MESSAGE_ORDER};
    struct channel *store = channel_of(p, ROLE_STORE);

    m.as.ORDER = (struct message_ORDER){1, p->setup->order};
    if (store && p->setup->brings >= 0)
        give_caller(p, store);
    if (store && p->setup->order.n > 0)
        channel_send(store, &m, -1);
    else if (p->setup->once && p->setup->dialogue < 0 && (store || p->setup->asks < 0))
        drain(p);
}

static void take_report(struct parent *p, const struct message_REPORT *m)
{
    if (p->setup->report)
        p->setup->report(p->setup->report_ctx, m->status, m->bytes);
    if (p->setup->once && p->setup->dialogue < 0)
        drain(p);
}

static void admit_caller(struct parent *p)
{
    struct message m = {.kind = MESSAGE_CALLER};
    int fd = control_accept(p->control, &m.as.CALLER.uid);

    if (fd < 0)
        return;
    if (channel_of(p, ROLE_STORE))
        channel_send(channel_of(p, ROLE_STORE), &m, fd);
    else
        close(fd);
}

/* Only who has the queue may: there is one at a time. */
static void open_control(struct parent *p)
{
    const char *path = control_path(p->arena, p->setup->program);

    if (p->control >= 0 || !channel_of(p, ROLE_STORE) || p->setup->alone || p->setup->passing)
        return;
    p->control = control_listen(path);
    if (p->control < 0)
        syslog(LOG_WARNING, "%s: %s: mailq and its like will not reach us", path, strerror(errno));
}

static void close_control(struct parent *p)
{
    if (p->control >= 0)
        unlink(control_path(p->arena, p->setup->program));
    fs_close(&p->control);
}

/* Policy answers the others to the end; a store that drains was told. */
static void stop_all(struct parent *p)
{
    struct message m = {.kind = MESSAGE_STOP};

    m.as.STOP.gracefully = 1;
    p->stopping = true;
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *c = &p->children[i];
        if (!c->channel || c->role == ROLE_POLICY || (c->role == ROLE_STORE && p->draining))
            continue;
        channel_send(c->channel, &m, -1);
        channel_flush(c->channel);
    }
    /* Then nobody listens; for a restart we do, so that clients wait. */
    for (size_t i = 0; i < p->listening.n && !p->restarting; i++)
        fs_close(&p->listening.fds[i]);
    if (!p->restarting)
        close_control(p);
}

/* A filter's socket, which may be open to root alone; which ones there are, the configuration says.
 */
static void open_filter(struct parent *p, struct child *c, const struct message_OPEN_FILTER *m)
{
    struct message answer = {.kind = MESSAGE_FILTER_OPEN};
    struct arena *a = arena_beside(p->arena);
    const struct filters all = filters_read(a, p->setup->program, NULL, 0)->all;
    int fd = -1;

    errno = EINVAL;
    if (m->filter < all.n && all.v[m->filter]->family == AF_UNIX)
        fd = wire_open_local(all.v[m->filter]->address);
    answer.as.FILTER_OPEN = (struct message_FILTER_OPEN){m->ticket, fd < 0 ? (uint64_t)errno : 0};
    arena_free(a);
    /* So many descriptors may be on their way, and no more. */
    if (!channel_send(c->channel, &answer, fd)) {
        answer.as.FILTER_OPEN.error = EAGAIN;
        channel_send(c->channel, &answer, -1);
    }
    channel_flush(c->channel);
}

static void take_message(struct parent *p, struct child *c, const struct message *m, int fd)
{
    switch (m->kind) {
    case MESSAGE_READY:
        c->ready = m->as.READY.status == 0;
        if (!c->ready) {
            c->failed = arena_strndup(p->life, m->as.READY.text.p, m->as.READY.text.len);
            complain(p, "%s", c->failed);
            p->status = (int)m->as.READY.status;
            p->broken = true;
        }
        break;
    case MESSAGE_RUN:
        if (fd >= 0) {
            run_agent(p, &m->as.RUN, fd);
            return;
        }
        break;
    case MESSAGE_OPEN_FILTER:
        open_filter(p, c, &m->as.OPEN_FILTER);
        break;
    case MESSAGE_REPORT:
        take_report(p, &m->as.REPORT);
        break;
    case MESSAGE_OVER:
        p->status = (int)m->as.OVER.status;
        drain(p);
        break;
    default:
        break;
    }
    if (fd >= 0)
        close(fd);
}

static void take(struct parent *p, struct child *c)
{
    struct arena *a = arena_beside(p->arena);
    struct message m;
    int fd;

    channel_read(c->channel);
    while (channel_next(c->channel, a, &m, &fd)) {
        take_message(p, c, &m, fd);
        arena_reset(a);
    }
    arena_free(a);
    if (channel_state(c->channel) != CHANNEL_OPEN && !p->stopping && !p->draining)
        p->broken = true;
}

/* What is to be said of a role's end. */
static void tell_end(const struct parent *p, const struct child *c, int status)
{
    const bool killed = WIFSIGNALED(status);
    const char *how = killed ? "signal" : "status";
    const int number = killed ? WTERMSIG(status) : WEXITSTATUS(status);
    const char *more =
        killed && number == SIGSYS ? ": a system call that it has no business with" : "";

    if (c->ready)
        syslog(LOG_ERR, "%s ended (%s %d%s); all roles are started anew", role_name(c->role), how,
               number, more);
    else if (!c->failed)
        complain(p, "%s ended before it was ready (%s %d%s)", role_name(c->role), how, number,
                 more);
}

static void ended(struct parent *p, struct child *c, int status)
{
    c->pid = 0;
    if (p->setup->asks >= 0 && p->setup->store >= 0 && c->ready && status == 0) {
        p->over = true; /* policy, with whoever asked it */
        return;
    }
    if (p->draining) { /* what the store's end says is all that counts */
        p->over = p->over || (c->role == ROLE_STORE && status == 0);
        p->broken = p->broken || (c->role == ROLE_STORE && status != 0);
        return;
    }
    if (!p->stopping && !p->told)
        tell_end(p, c, status);
    p->told = true;
    if (!p->stopping || c->role == ROLE_POLICY ||
        (!is_there(p, ROLE_FRONT) && !is_there(p, ROLE_STORE)))
        p->broken = true;
}

/* --- SIGHUP --- */

static void check_restart(struct parent *p)
{
    p->check_again = p->restart.checking != 0;
    if (!p->check_again && !restart_check(&p->restart))
        syslog(LOG_ERR, "no restart: %s", strerror(errno));
}

static void checked(struct parent *p, int status)
{
    struct arena *a = arena_beside(p->arena);
    const char *wrong = restart_checked(a, &p->restart, status);

    if (p->check_again) {
        check_restart(p);
    } else if (wrong) {
        syslog(LOG_ERR, "no restart: %s", wrong);
    } else if (!p->stopping) {
        syslog(LOG_INFO, "restarting");
        p->restarting = true;
        stop_all(p);
    }
    arena_free(a);
}

static void reap(struct parent *p)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == p->restart.checking)
            checked(p, status);
        for (size_t i = 0; i < CHILDREN; i++) {
            if (p->children[i].pid == pid)
                ended(p, &p->children[i], status);
        }
    }
}

/* SIGTERM: an end with what was begun; the second one: at once. */
static void take_signal(struct parent *p)
{
    struct signalfd_siginfo s;

    if (read(p->signal, &s, sizeof s) != sizeof s)
        return;
    if (s.ssi_signo == SIGCHLD) {
        reap(p);
    } else if (s.ssi_signo == SIGHUP && !p->setup->once) {
        if (!p->stopping)
            check_restart(p);
    } else if (p->stopping && !p->restarting) {
        p->over = true;
    } else {
        p->restarting = false;
        stop_all(p);
    }
}

static void wait_once(struct parent *p, int ms)
{
    struct pollfd fds[CHILDREN + 2];

    for (size_t i = 0; i < CHILDREN; i++) {
        struct channel *c = p->children[i].channel;
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (c && channel_state(c) == CHANNEL_OPEN)
            fds[i].fd = channel_fd(c);
        if (c && channel_wants_write(c))
            fds[i].events |= POLLOUT;
    }
    fds[CHILDREN] = (struct pollfd){.fd = p->signal, .events = POLLIN};
    fds[CHILDREN + 1] = (struct pollfd){.fd = p->control, .events = POLLIN};
    if (poll(fds, CHILDREN + 2, ms) <= 0)
        return;
    for (size_t i = 0; i < CHILDREN; i++) {
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
            take(p, &p->children[i]);
        if (fds[i].revents & POLLOUT)
            channel_flush(p->children[i].channel);
    }
    if (fds[CHILDREN].revents)
        take_signal(p);
    if (fds[CHILDREN + 1].revents)
        admit_caller(p);
}

static bool all_ready(const struct parent *p)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (p->children[i].channel && !p->children[i].ready)
            return false;
    }
    return true;
}

static void end_roles(struct parent *p)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *c = &p->children[i];
        if (c->pid > 0) {
            kill(c->pid, SIGKILL);
            waitpid(c->pid, NULL, 0);
        }
        channel_free(c->channel);
        *c = (struct child){0};
    }
    arena_free(p->life);
    p->life = NULL;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_until(struct parent *p, int64_t until)
{
    const int64_t left = until - now_ms();

    wait_once(p, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
}

/* What it learns meanwhile of deliveries need not be done again. */
static void let_store_end(struct parent *p)
{
    const int64_t until = now_ms() + LET_END_MS;

    while (p->broken && is_there(p, ROLE_STORE) && now_ms() < until)
        wait_until(p, until);
}

/* One set of roles, from its start to its end.  False: it did not come to life. */
static bool live(struct parent *p)
{
    const int64_t until = now_ms() + START_MS;
    int64_t stop = INT64_MAX;

    p->status = 0;
    p->told = false;
    if (!start(p)) {
        complain(p, "cannot fork: %s", strerror(errno));
        end_roles(p);
        return false;
    }
    if (p->setup->dialogue >= 0)
        close(p->setup->dialogue); /* the front's end is the client's end too */
    close_submitter(p, ROLE_PARENT);
    while (!p->over && !p->broken && !p->draining && !all_ready(p) && now_ms() < until)
        wait_until(p, until);
    /* A dialogue may be over before everybody was needed. */
    bool good = all_ready(p) || (p->draining && !p->broken);
    if (!good && !p->stopping && !p->broken)
        complain(p, "a role is not ready after %d seconds", START_MS / 1000);
    if (good && p->detached.answer >= 0)
        detach_say(&p->detached, EX_OK);
    if (good && !p->setup->once)
        notify_ready();
    if (good && is_on_standard_input(p))
        let_go();
    if (good) {
        open_control(p);
        give_order(p);
    }
    while (good && !p->over && !p->broken && now_ms() < stop) {
        wait_until(p, stop);
        if (p->stopping && stop == INT64_MAX)
            stop = now_ms() + END_MS;
    }
    if (good && !p->over)
        let_store_end(p);
    end_roles(p);
    return good;
}

/* One set of roles after the other; where the first one does not work, that is all. */
static int live_on(struct parent *p)
{
    int64_t began = now_ms();

    if (!live(p))
        return p->status ? p->status : EX_OSERR;
    if (p->setup->once)
        return p->over || p->stopping ? p->status : EX_OSERR;
    while (!p->over && !p->stopping) {
        const int64_t again = now_ms() - began < SOUND_MS ? now_ms() + AGAIN_MS : 0;
        while (!p->over && !p->stopping && now_ms() < again)
            wait_until(p, again);
        began = now_ms();
        if (!p->over && !p->stopping)
            live(p); /* what failed once more may be there the next time */
    }
    return EX_OK;
}

/* --- the process -------------------------------------------------------------------------- */

/* /run is empty when the machine starts. */
static void make_run_folder(struct arena *a, const char *path)
{
    static const char *const places[] = {"/run/", "/var/run/"};
    const char *rest = NULL;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            rest = path + strlen(places[i]);
    }
    while (rest && (rest = strchr(rest, '/'))) {
        mkdir(arena_strndup(a, path, (size_t)(rest - path)), 0755);
        rest++;
    }
}

/* What another file of this name is that is not to be written; NULL: it may be. */
static const char *no_pid_file(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return NULL;
    return S_ISLNK(st.st_mode)      ? "it is a symbolic link"
           : !S_ISREG(st.st_mode)   ? "it is no plain file"
           : st.st_nlink > 1        ? "it has another name, too (a hard link)"
           : st.st_uid != geteuid() ? "it belongs to somebody else"
                                    : NULL;
}

/* As the reference writes it: the number, and the command. */
static void write_pid(struct parent *p)
{
    const char *path = setting_text(p->setup->program, "PidFile");
    struct buf b;

    if (!*path)
        return;
    make_run_folder(p->arena, path);
    const char *wrong = no_pid_file(path);
    if (wrong) {
        complain(p, "%s: %s; mend it: rm %s", path, wrong, path);
        return;
    }
    buf_init(&b, p->arena);
    buf_printf(&b, "%ld\n", (long)getpid());
    for (char *const *w = p->setup->arguments; *w; w++)
        buf_printf(&b, "%s%s", w == p->setup->arguments ? "" : " ", *w);
    buf_addc(&b, '\n');
    int err = fs_write_whole(path, b.data, b.len, 0644);
    if (err)
        complain(p, "%s: %s", path, strerror(err));
}

static void remove_pid(const struct parent *p)
{
    const char *path = setting_text(p->setup->program, "PidFile");

    if (*path && !no_pid_file(path))
        unlink(path);
}

static void catch_signals(struct parent *p)
{
    static const int all[] = {SIGCHLD, SIGHUP, SIGINT, SIGTERM};

    sigemptyset(&p->signals);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sigaddset(&p->signals, all[i]);
    sigprocmask(SIG_BLOCK, &p->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    p->signal = signalfd(-1, &p->signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Where those who may not touch the queue leave their messages. */
static void plan_drop(struct parent *p)
{
    const struct parent_setup *setup = p->setup;
    const char *folder = drop_folder(p->arena, setting_text(setup->program, "QueueDirectory"));

    p->sandbox.drop = folder;
    if (!setup->passing && !drop_make(p->arena, folder, p->sandbox.uid, p->sandbox.gid))
        syslog(LOG_WARNING, "%s: %s: nobody but root can leave messages there", folder,
               strerror(errno));
}

/* What has to be there before a role is; 0 or a sysexits code. */
static int prepare(struct parent *p)
{
    const struct parent_setup *setup = p->setup;
    size_t n;
    const struct listener *l = settings_listeners(p->arena, setup->program, &n);
    const char *why = "";
    int status = EX_OK;

    if (!sandbox_plan(p->arena, setup->program, &p->sandbox, &why))
        status = EX_CONFIG;
    else if (setup->listens && !listen_all(p->arena, l, n, LISTEN_WAIT_MS, &p->listening, &why))
        status = EX_OSERR;
    else if (setup->store < 0)
        status = queue_make(p->arena, queue_of(p), p->sandbox.uid, p->sandbox.gid, &why);
    if (!status && setup->store < 0 && setting_true(setup->program, "UseMSP"))
        plan_drop(p);
    if (setup->passing)
        p->sandbox.queue = fs_join(p->arena, setup->passing, "mcfd.queue");
    if (status)
        complain(p, "%s", why);
    p->sandbox.traffic = setup->traffic >= 0;
    return status;
}

static int run(struct parent *p)
{
    int status = prepare(p);

    if (status)
        return status;
    catch_signals(p);
    if (p->signal < 0)
        return EX_OSERR;
    if (!p->setup->once)
        write_pid(p);
    for (;;) {
        status = live_on(p);
        if (!p->restarting || p->over)
            break;
        close_control(p);
        restart_now(&p->restart, &p->listening);
        syslog(LOG_ERR, "no restart: %s: %s", p->restart.path, strerror(errno));
        p->restarting = p->stopping = false;
    }
    close_control(p);
    if (!p->setup->once)
        remove_pid(p);
    return status;
}

int parent_run(struct arena *a, const struct parent_setup *setup)
{
    struct parent p = {.setup = setup, .arena = a, .control = -1, .detached = {-1, STDERR_FILENO}};
    int status = -1;

    if (!setup->log)
        openlog("mcfd", LOG_PID | LOG_NDELAY, LOG_MAIL);
    if (!setup->once)
        restart_init(a, &p.restart, setup->arguments);
    if (!setup->foreground && !listen_is_inherited())
        status = detach_begin(&p.detached);
    if (status >= 0)
        return status;
    status = run(&p);
    detach_say(&p.detached, status);
    return status;
}
