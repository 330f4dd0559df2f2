#include "mta/parent/parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/channel.h"
#include "mta/front/front.h"
#include "mta/parent/errand.h"
#include "mta/parent/listen.h"
#include "mta/parent/sandbox.h"
#include "mta/policy/policy.h"
#include "mta/store/store.h"

enum {
    CHILDREN = 3, /* roles beside the parent */
    THREADS = 16,
    START_MS = 10000,  /* for a role to be ready */
    AGAIN_SECONDS = 1, /* before roles are started anew */
    END_MS = 30000     /* for roles to end what they began */
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
};

struct parent {
    const struct parent_setup *setup;
    struct arena *arena, *life; /* for ever; of one set of roles */
    struct listening listening;
    struct child children[CHILDREN];
    sigset_t signals;
    int signal;
    bool stopping, over, broken;
    int status;
};

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

static uint64_t load_now(void)
{
    double load[1];

    return getloadavg(load, 1) == 1 && load[0] > 0 ? (uint64_t)(load[0] + 0.5) : 0;
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
    s.queue_la = positive(setting_number(p, "QueueLA"));
    for (size_t i = 0; i < URGENCIES; i++) {
        s.returned[i] = setting_timeout(p, returned[i]);
        s.warned[i] = setting_timeout(p, warned[i]);
    }
    return s;
}

static int run_store(struct parent *p, const struct pairs *s)
{
    const struct program *program = p->setup->program;
    unsigned privacy = setting_privacy(program);
    struct store_setup setup = {
        .front = s->front_store[1],
        .policy = s->store_policy[0],
        .parent = s->store[1],
        .directory = setting_text(program, "QueueDirectory"),
        .queue.min_free_blocks = positive(setting_number(program, "MinFreeBlocks")),
        .schedule = schedule_of(program, p->setup->interval),
        .report = {.hostname = p->setup->host,
                   .version = p->setup->version,
                   .daemon = "MAILER-DAEMON",
                   .double_bounce = setting_text(program, "DoubleBounceAddress"),
                   .copy = setting_text(program, "PostmasterCopy"),
                   .no_body = privacy & PRIVACY_NOBODYRETURN,
                   .no_actual = privacy & PRIVACY_NOACTUALRECIPIENT},
        .host_status = setting_timeout(program, TIMEOUT_HOSTSTATUS),
        .load = load_now,
        .log = log_line};

    return store_run(p->life, &setup);
}

static int run_policy(struct parent *p, const struct pairs *s)
{
    return policy_run(p->life, &(struct policy_setup){.program = p->setup->program,
                                                      .world = p->setup->world,
                                                      .front = s->front_policy[1],
                                                      .store = s->store_policy[1],
                                                      .parent = s->policy[1],
                                                      .threads = THREADS});
}

static int run_front(struct parent *p, const struct pairs *s)
{
    return front_run(p->life, &(struct front_setup){.program = p->setup->program,
                                                    .host = p->setup->host,
                                                    .listening = p->listening.fds,
                                                    .listeners = p->listening.listeners,
                                                    .n = p->listening.n,
                                                    .policy = s->front_policy[0],
                                                    .store = s->front_store[0],
                                                    .parent = s->front[1]});
}

/* --- forking ------------------------------------------------------------------------------ */

static bool pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
}

static void close_pair(int fds[2])
{
    fs_close(&fds[0]);
    fs_close(&fds[1]);
}

static bool make_pairs(struct pairs *s)
{
    memset(s, -1, sizeof *s);
    return pair(s->front_policy) && pair(s->front_store) && pair(s->store_policy) &&
           pair(s->front) && pair(s->policy) && pair(s->store);
}

/* Closes what is not this role's; the parent (ROLE_PARENT) keeps its three. */
static void keep_own(struct pairs *s, enum role r)
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
        if (all[i].of != r)
            fs_close(all[i].fd);
    }
}

static void become(struct parent *p, struct pairs *s, enum role r)
{
    int status;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_UNBLOCK, &p->signals, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    fs_close(&p->signal);
    keep_own(s, r);
    if (r != ROLE_FRONT) {
        for (size_t i = 0; i < p->listening.n; i++)
            close(p->listening.fds[i]);
    }
    if (!sandbox_enter(p->setup->program, r))
        _exit(EX_OSERR);
    if (r == ROLE_STORE)
        status = run_store(p, s);
    else if (r == ROLE_POLICY)
        status = run_policy(p, s);
    else
        status = run_front(p, s);
    _exit(status);
}

static bool start_role(struct parent *p, struct pairs *s, enum role r, size_t i, int fd)
{
    pid_t pid = fork();

    if (pid == 0)
        become(p, s, r);
    if (pid < 0)
        return false;
    p->children[i] = (struct child){.role = r, .pid = pid};
    (void)fd;
    return true;
}

static bool start(struct parent *p)
{
    static const enum role order[CHILDREN] = {ROLE_STORE, ROLE_POLICY, ROLE_FRONT};
    struct pairs s;
    bool good = make_pairs(&s);

    p->life = arena_beside(p->arena);
    p->broken = false;
    for (size_t i = 0; good && i < CHILDREN; i++)
        good = start_role(p, &s, order[i], i, -1);
    keep_own(&s, ROLE_PARENT);
    if (!good) {
        close_pair(s.front);
        close_pair(s.policy);
        close_pair(s.store);
        return false;
    }
    const int own[CHILDREN] = {s.store[0], s.policy[0], s.front[0]};
    for (size_t i = 0; i < CHILDREN; i++)
        p->children[i].channel = channel_new(p->life, own[i], ROLE_PARENT, order[i]);
    return true;
}

/* --- programs ----------------------------------------------------------------------------- */

static void run_agent(struct parent *p, const struct message_RUN *m, int fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_UNBLOCK, &p->signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        _exit(errand_run(p->arena, fd, m));
    }
    close(fd); /* where there is no child, the store sees that it ends */
}

/* --- the loop ----------------------------------------------------------------------------- */

static void stop_all(struct parent *p, bool gracefully)
{
    struct message m = {.kind = MESSAGE_STOP};

    m.as.STOP.gracefully = gracefully;
    p->stopping = true;
    for (size_t i = 0; i < CHILDREN; i++) {
        if (p->children[i].channel && p->children[i].role == ROLE_FRONT) {
            channel_send(p->children[i].channel, &m, -1);
            channel_flush(p->children[i].channel);
        }
    }
}

static void take_message(struct parent *p, struct child *c, const struct message *m, int fd)
{
    switch (m->kind) {
    case MESSAGE_READY:
        c->ready = true;
        if (m->as.READY.status) {
            fprintf(stderr, "mcfd: %.*s\n", (int)m->as.READY.text.len, m->as.READY.text.p);
            p->status = (int)m->as.READY.status;
            p->over = true;
        }
        break;
    case MESSAGE_RUN:
        if (fd >= 0) {
            run_agent(p, &m->as.RUN, fd);
            return;
        }
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
    if (channel_state(c->channel) != CHANNEL_OPEN)
        p->broken = true;
}

static void reap(struct parent *p)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < CHILDREN; i++) {
            struct child *c = &p->children[i];
            if (c->pid != pid)
                continue;
            c->pid = 0;
            p->broken = true;
            if (!p->stopping)
                syslog(LOG_ERR, "%s ended (%s %d); all roles are started anew", role_name(c->role),
                       WIFSIGNALED(status) ? "signal" : "status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
}

static void take_signal(struct parent *p)
{
    struct signalfd_siginfo s;

    if (read(p->signal, &s, sizeof s) != sizeof s)
        return;
    if (s.ssi_signo == SIGCHLD)
        reap(p);
    else if (!p->stopping)
        stop_all(p, true);
    else
        p->over = true;
}

static void wait_once(struct parent *p, int ms)
{
    struct pollfd fds[CHILDREN + 1];

    for (size_t i = 0; i < CHILDREN; i++) {
        struct channel *c = p->children[i].channel;
        fds[i] = (struct pollfd){.fd = channel_fd(c), .events = POLLIN};
        if (channel_wants_write(c))
            fds[i].events |= POLLOUT;
    }
    fds[CHILDREN] = (struct pollfd){.fd = p->signal, .events = POLLIN};
    if (poll(fds, CHILDREN + 1, ms) <= 0)
        return;
    for (size_t i = 0; i < CHILDREN; i++) {
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
            take(p, &p->children[i]);
        if (fds[i].revents & POLLOUT)
            channel_flush(p->children[i].channel);
    }
    if (fds[CHILDREN].revents)
        take_signal(p);
}

static bool all_ready(const struct parent *p)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (!p->children[i].ready)
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

/* One set of roles, from its start to its end.  False: it did not come to life. */
static bool live(struct parent *p)
{
    int64_t until = now_ms() + START_MS;

    if (!start(p)) {
        fprintf(stderr, "mcfd: cannot fork: %s\n", strerror(errno));
        return false;
    }
    while (!p->over && !p->broken && !all_ready(p) && now_ms() < until)
        wait_once(p, (int)(until - now_ms()));
    bool good = all_ready(p) && p->status == 0;
    if (!good && p->status == 0 && !p->stopping)
        fprintf(stderr, "mcfd: a role did not start\n");
    until = INT64_MAX;
    while (good && !p->over && !p->broken) {
        wait_once(p, p->stopping ? 100 : -1);
        if (p->stopping && until == INT64_MAX)
            until = now_ms() + END_MS;
        if (now_ms() > until)
            break;
    }
    end_roles(p);
    return good;
}

static void write_pid(const struct program *p)
{
    const char *path = setting_text(p, "PidFile");
    char text[64];

    if (!*path)
        return;
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    fs_write_whole(path, text, (size_t)n, 0644);
}

int parent_run(struct arena *a, const struct parent_setup *setup)
{
    struct parent p = {.setup = setup, .arena = a};
    size_t n;
    const struct listener *l = settings_listeners(a, setup->program, &n);
    const char *why = NULL;

    if (setup->listens && !listen_all(a, l, n, &p.listening, &why)) {
        fprintf(stderr, "mcfd: %s\n", why);
        return EX_OSERR;
    }
    openlog("mcfd", LOG_PID | LOG_NDELAY, LOG_MAIL);
    if (!setup->foreground && daemon(0, 1) != 0)
        return EX_OSERR;
    sigemptyset(&p.signals);
    sigaddset(&p.signals, SIGCHLD);
    sigaddset(&p.signals, SIGTERM);
    sigaddset(&p.signals, SIGINT);
    sigprocmask(SIG_BLOCK, &p.signals, NULL);
    p.signal = signalfd(-1, &p.signals, SFD_CLOEXEC | SFD_NONBLOCK);
    write_pid(setup->program);
    bool lived = live(&p);
    while (lived && !p.over && !p.stopping) {
        sleep(AGAIN_SECONDS);
        live(&p); /* what failed once more may be there the next time */
    }
    if (*setting_text(setup->program, "PidFile"))
        unlink(setting_text(setup->program, "PidFile"));
    return lived ? p.status : p.status ? p.status : EX_OSERR;
}
