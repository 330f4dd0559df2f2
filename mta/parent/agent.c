#include "mta/parent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "mta/front/client.h"
#include "mta/message/body.h"
#include "mta/message/exits.h"
#include "mta/parent/mailbox.h"

enum {
    PIECE = 16 << 10,
    PAUSE_MS = 50 /* between looks at a program that cannot be waited for otherwise */
};

/* --- outcomes ------------------------------------------------------------------------------ */

static const struct exit_meaning *exit_row(int status)
{
    return status < 0 ? NULL : exit_by_code((uint64_t)status);
}

static struct outcome outcome_of(int status, const char *text)
{
    const struct exit_meaning *row = exit_row(status);
    struct outcome o = {.status = (uint64_t)status, .host = bytes_of("")};

    o.state = row ? row->state : RECIPIENT_FAILED;
    o.code = bytes_of(row ? row->status : "5.3.0");
    o.answer = bytes_of(text ? text : row ? row->text : "");
    return o;
}

struct outcome agent_outcome(struct arena *a, const struct plan *p, int wait_status)
{
    int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EX_TEMPFAIL;

    if (!exit_row(status))
        return (struct outcome){.state = RECIPIENT_FAILED,
                                .status = EX_UNAVAILABLE,
                                .code = bytes_of("5.0.0"),
                                .answer = bytes_of(arena_printf(a, "%d", status)),
                                .host = bytes_of("")};
    if (status == EX_TEMPFAIL)
        return outcome_of(status,
                          arena_printf(a, "%s mailer (%s) exited with EX_TEMPFAIL",
                                       bytes_string(a, p->mailer), bytes_string(a, p->path)));
    return outcome_of(status, NULL);
}

void agent_tell(struct arena *a, const struct plan *p, const struct outcome *o,
                struct buf *transcript)
{
    struct buf list;

    buf_init(&list, a);
    for (size_t i = 0; i < p->nrecipients; i++) {
        const struct plan_recipient *r = &p->recipients[i];
        struct bytes shown = r->shown.len ? r->shown : r->address;
        buf_adds(&list, i ? "," : "");
        buf_add(&list, shown.p, shown.len);
    }
    struct bytes all = {list.data, list.len};
    if (o->state == RECIPIENT_WAITS)
        exit_deferred(transcript, all, o->answer);
    else if (o->state == RECIPIENT_FAILED && exit_by_text(o->answer))
        exit_line(transcript, o->status, all);
    else if (o->state == RECIPIENT_FAILED)
        buf_printf(transcript, "554 5.3.0 unknown mailer error %s\n", bytes_string(a, o->answer));
}

/* What a program said, without control characters. */
static void tell_output(struct buf *transcript, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        buf_addc(transcript, (c < ' ' && c != '\n' && c != '\t') || c == 127 ? ' ' : s[i]);
    }
    if (len && s[len - 1] != '\n')
        buf_addc(transcript, '\n');
}

static struct outcome failure(struct arena *a, int status, const char *what, int error)
{
    return outcome_of(status, arena_printf(a, "%s: %s", what, strerror(error)));
}

/* --- who it is ----------------------------------------------------------------------------- */

static int become_user(const char *name, uid_t uid, gid_t gid)
{
    if (geteuid() != 0)
        return uid == geteuid() && gid == getegid() ? 0 : EPERM;
    if (*name ? initgroups(name, gid) : setgroups(1, &gid))
        return errno;
    if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        return errno;
    /* There must be no way back. */
    if (uid && (setuid(0) == 0 || seteuid(0) == 0))
        return EPERM;
    return getuid() == uid && geteuid() == uid && getgid() == gid ? 0 : EPERM;
}

/* As whom a file wants to be appended to. */
static void find_file_user(struct arena *a, const struct plan *p, const char **name, uid_t *uid,
                           gid_t *gid)
{
    struct stat st;

    if (p->kind != PLAN_FILE || lstat(bytes_string(a, p->path), &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_mode & 0111)
        return;
    if (st.st_mode & S_ISUID && st.st_uid != 0) {
        *uid = st.st_uid;
        *name = "";
    }
    if (st.st_mode & S_ISGID && st.st_gid != 0) {
        *gid = st.st_gid;
        *name = "";
    }
}

/* It is still the file that wanted that. */
static bool is_file_of(const struct plan *p, const struct stat *st)
{
    const uid_t uid = geteuid();
    const gid_t gid = getegid();

    return (uid == p->uid || (st->st_mode & S_ISUID && st->st_uid == uid)) &&
           (gid == p->gid || (st->st_mode & S_ISGID && st->st_gid == gid));
}

const char *agent_warning(struct arena *a, const struct plan *p, const struct trust *trust)
{
    const char *path = bytes_string(a, p->path);
    struct trust_fault fault;

    if (p->kind != PLAN_PROGRAM || *path != '/' || p->root.len ||
        trust_file(a, trust, &trust_run, path, &fault))
        return "";
    return arena_printf(a, "Warning: program %s unsafe: %s", path, trust_said(a, &fault));
}

int agent_become(struct arena *a, const struct plan *p)
{
    const char *root = bytes_string(a, p->root), *name = bytes_string(a, p->user_name);
    int priority = (int)(int64_t)p->nice;

    if (p->uid > INT32_MAX || p->gid > INT32_MAX)
        return EINVAL;
    if (*root && (chroot(root) || chdir("/")))
        return errno;
    errno = 0;
    if (priority && nice(priority) == -1 && errno)
        return errno;
    uid_t uid = (uid_t)p->uid;
    gid_t gid = (gid_t)p->gid;
    find_file_user(a, p, &name, &uid, &gid);
    return become_user(name, uid, gid);
}

/* --- the message, piece by piece ----------------------------------------------------------- */

struct pump {
    const struct agent_source *source;
    struct body *body;
    struct buf out;
    size_t sent;
    uint64_t offset;
    bool scanning, ended, failed;
};

static void pump_begin(struct pump *m, struct arena *a, const struct plan *p,
                       const struct agent_source *source)
{
    *m = (struct pump){.source = source};
    m->body = body_new(a, p, body_change(p, !plan_has_flag(p, '7')));
    m->scanning = body_scans(m->body);
    buf_init(&m->out, a);
    if (!m->scanning)
        body_head(m->body, &m->out);
}

/* Bytes that wait, or false: the message has ended, or failed. */
static bool pump(struct pump *m)
{
    char piece[PIECE];

    while (m->sent == m->out.len && !m->ended && !m->failed) {
        ssize_t n = m->source->read(m->source->ctx, m->offset, piece, sizeof piece);
        buf_truncate(&m->out, 0);
        m->sent = 0;
        m->failed = n < 0;
        if (n > 0 && m->scanning) {
            body_scan(m->body, piece, (size_t)n);
        } else if (n > 0) {
            body_write(m->body, piece, (size_t)n, &m->out);
        } else if (n == 0 && m->scanning) {
            m->scanning = false;
            m->offset = 0;
            body_head(m->body, &m->out);
            continue;
        } else if (n == 0) {
            body_end(m->body, &m->out);
            m->ended = true;
        }
        m->offset += n > 0 ? (uint64_t)n : 0;
    }
    return m->sent < m->out.len;
}

/* --- files --------------------------------------------------------------------------------- */

static ssize_t pump_read(void *ctx, const char **bytes)
{
    struct pump *m = ctx;
    size_t n;

    if (!pump(m))
        return m->failed ? -1 : 0;
    *bytes = m->out.data + m->sent;
    n = m->out.len - m->sent;
    m->sent = m->out.len;
    return (ssize_t)n;
}

static bool forgives(const struct trust *t, const char *word)
{
    return t && t->forgives(t->ctx, word);
}

/* What makes the file one that can be appended to; NULL: nothing simple. */
static const char *command_for(struct arena *a, const struct plan *p, const char *path,
                               const struct mailbox *box)
{
    const char *user = p->user_name.len ? bytes_string(a, p->user_name)
                                        : arena_printf(a, "%llu", (unsigned long long)p->uid);
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT && access(fs_dirname(a, path), F_OK) == 0
                   ? arena_printf(a, "install -o %s -m 600 /dev/null %s", user, path)
                   : NULL;
    if (S_ISLNK(st.st_mode))
        return arena_printf(a, "rm %s", path);
    if (!S_ISREG(st.st_mode))
        return NULL;
    if (st.st_mode & 0111)
        return arena_printf(a, "chmod a-x %s", path);
    return box->error == EACCES ? arena_printf(a, "chown %s %s", user, path)
                                : arena_printf(a, "rm %s", path);
}

static struct outcome no_file(struct arena *a, const struct plan *p, const char *path, int status,
                              const struct mailbox *box)
{
    const char *command;
    struct outcome o;

    if (status != EX_CANTCREAT)
        return outcome_of(status, arena_printf(a, "%s: %s", path, box->why));
    o = outcome_of(status, NULL);
    command = command_for(a, p, path, box);
    o.trouble = bytes_of(arena_printf(a, "%s... %s%s%s", path,
                                      box->error == ELOOP ? "it is a symbolic link" : box->why,
                                      command ? "; mend it: " : "", command ? command : ""));
    return o;
}

static struct outcome deliver_file(struct arena *a, const struct plan *p,
                                   const struct agent_source *source)
{
    const char *path = bytes_string(a, p->path);
    const unsigned may =
        (forgives(source->trust, "FileDeliveryToSymLink") ? MAILBOX_LINK : 0U) |
        (forgives(source->trust, "FileDeliveryToHardLink") ? MAILBOX_HARD_LINK : 0U);
    struct mailbox box;
    struct pump m;
    struct mailbox_reader reader = {pump_read, &m};
    int status;

    if (strlen(path) != p->path.len)
        return outcome_of(EX_CANTCREAT, "no path");
    status = mailbox_open(&box, path, may);
    if (status == EX_OK && !is_file_of(p, &box.st)) {
        status = EX_TEMPFAIL;
        box.why = "it is another file by now";
    }
    if (status == EX_OK) {
        pump_begin(&m, a, p, source);
        status = mailbox_append(&box, &reader);
    }
    mailbox_close(&box);
    return status ? no_file(a, p, path, status, &box) : outcome_of(EX_OK, NULL);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- programs ------------------------------------------------------------------------------ */

struct program {
    pid_t pid;
    int pidfd;  /* readable when it has ended; -1: the system has none */
    int in;     /* its standard input */
    int out;    /* its output; in LMTP its replies */
    int errors; /* in LMTP what it complains of, else -1 */
    char said[AGENT_OUTPUT];
    size_t nsaid;
    int64_t until; /* it is killed then */
    bool killed;
};

static char **strings(struct arena *a, struct texts t)
{
    char **v = arena_calloc(a, t.n + 1, sizeof *v);

    for (size_t i = 0; i < t.n; i++)
        v[i] = bytes_string(a, t.v[i]);
    return v;
}

/* The first of D= that can be entered; false: there is a list, and none can. */
static bool enter_directory(char *list)
{
    char *save = NULL;

    if (!*list)
        return true;
    for (char *d = strtok_r(list, ":", &save); d; d = strtok_r(NULL, ":", &save))
        if (chdir(d) == 0)
            return true;
    return chdir("/") == 0;
}

/* In the new process: only what may be called behind fork.  lists are made before. */
static void run(const char *path, char **argv, char **environment, char *directory,
                const int fds[3])
{
    static const int defaults[] = {SIGPIPE, SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGXFSZ};
    struct rlimit none = {0, 0};
    sigset_t empty;

    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        signal(defaults[i], SIG_DFL);
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    /* Each is above 2, so none is overwritten before it is copied. */
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            _exit(EX_OSERR);
    if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0)
        for (int fd = 3; fd < 65536; fd++)
            close(fd);
    setsid();
    setrlimit(RLIMIT_CORE, &none);
    umask(022);
    if (!enter_directory(directory))
        _exit(EX_OSERR);
    execve(path, argv, environment);
    _exit(EX_OSERR);
}

static bool above_two(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        int high = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (high < 0)
            return false;
        close(fds[i]);
        fds[i] = high;
    }
    return true;
}

static void close_pair(int fds[2])
{
    fs_close(&fds[0]);
    fs_close(&fds[1]);
}

static int start(struct program *g, struct arena *a, const struct plan *p, bool lmtp)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, errors[2] = {-1, -1};
    char **argv = strings(a, p->argv), **environment = strings(a, p->environment);
    char *path = bytes_string(a, p->path), *directory = bytes_string(a, p->directory);
    int error = 0;

    if (pipe2(in, O_CLOEXEC) || !above_two(in) || pipe2(out, O_CLOEXEC) || !above_two(out) ||
        (lmtp && (pipe2(errors, O_CLOEXEC) || !above_two(errors))) || (g->pid = fork()) < 0) {
        error = errno;
        close_pair(in);
        close_pair(out);
        close_pair(errors);
        return error;
    }
    if (g->pid == 0)
        run(path, argv, environment, directory,
            (const int[]){in[0], out[1], lmtp ? errors[1] : out[1]});
    close(in[0]);
    close(out[1]);
    fs_close(&errors[1]);
    g->in = in[1];
    g->out = out[0];
    g->errors = errors[0];
    g->pidfd = (int)syscall(SYS_pidfd_open, g->pid, 0U);
    for (const int *fd = (const int[]){g->in, g->out, g->errors, -1}; *fd >= 0; fd++)
        fcntl(*fd, F_SETFL, O_NONBLOCK);
    return 0;
}

/* Up to the limit; what is beyond is read and forgotten.  False: it is closed. */
static bool keep_output(struct program *g, int fd)
{
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);

    if (n > 0) {
        size_t room = sizeof g->said - g->nsaid;
        size_t kept = (size_t)n < room ? (size_t)n : room;
        memcpy(g->said + g->nsaid, bytes, kept);
        g->nsaid += kept;
    }
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void patience(struct program *g, int64_t ms)
{
    g->until = ms ? now_ms() + ms : INT64_MAX;
}

/* Milliseconds for poll; kills the session when its time is over. */
static int time_left(struct program *g)
{
    int64_t left = g->until == INT64_MAX ? INT32_MAX : g->until - now_ms();

    if (left <= 0) {
        kill(-g->pid, g->killed ? SIGKILL : SIGTERM);
        kill(g->pid, g->killed ? SIGKILL : SIGTERM);
        g->killed = true;
        patience(g, AGENT_KILL_MS);
        left = AGENT_KILL_MS;
    }
    if (g->pidfd < 0 && left > PAUSE_MS)
        left = PAUSE_MS;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

static bool ended(struct program *g, int *status)
{
    pid_t pid = waitpid(g->pid, status, WNOHANG);

    if (pid < 0 && errno != EINTR)
        *status = EX_OSERR << 8;
    return pid == g->pid || (pid < 0 && errno != EINTR);
}

/* Its end, with what it says until then; nobody waits for what it left running. */
static int reap(struct program *g, const struct plan *p)
{
    int status = 0;

    fs_close(&g->in);
    if (!g->killed)
        patience(g, p->wait > INT32_MAX ? 0 : (int64_t)p->wait * 1000);
    while (!ended(g, &status)) {
        struct pollfd f[] = {{.fd = g->out, .events = POLLIN},
                             {.fd = g->errors, .events = POLLIN},
                             {.fd = g->pidfd, .events = POLLIN}};
        poll(f, 3, time_left(g));
        if (f[0].revents && !keep_output(g, g->out))
            fs_close(&g->out);
        if (f[1].revents && !keep_output(g, g->errors))
            fs_close(&g->errors);
    }
    errno = 0;
    while (g->out >= 0 && keep_output(g, g->out) && errno != EAGAIN)
        errno = 0;
    fs_close(&g->out);
    fs_close(&g->errors);
    fs_close(&g->pidfd);
    return g->killed ? EX_TEMPFAIL << 8 : status;
}

/* Writes what the pump has; false: nothing more goes in. */
static bool write_some(struct program *g, struct pump *m)
{
    ssize_t n = write(g->in, m->out.data + m->sent, m->out.len - m->sent);

    if (n > 0) {
        m->sent += (size_t)n;
        patience(g, AGENT_STALL_MS);
    }
    return n > 0 || errno == EAGAIN || errno == EINTR;
}

/* A program that ends without having read all may have had enough: its status says so. */
static void feed(struct program *g, struct pump *m)
{
    patience(g, AGENT_STALL_MS);
    while (pump(m)) {
        struct pollfd f[] = {{.fd = g->in, .events = POLLOUT}, {.fd = g->out, .events = POLLIN}};
        poll(f, 2, time_left(g));
        if (g->killed || (f[0].revents && !write_some(g, m)))
            return;
        if (f[1].revents && !keep_output(g, g->out))
            fs_close(&g->out);
    }
}

static struct outcome deliver_program(struct arena *a, const struct plan *p,
                                      const struct agent_source *source, struct buf *transcript)
{
    struct program g = {.pidfd = -1};
    struct pump m;
    int error = start(&g, a, p, false), status;

    if (error)
        return failure(a, EX_OSERR, "cannot start the program", error);
    pump_begin(&m, a, p, source);
    feed(&g, &m);
    if (m.failed) {
        /* It must not take half a message for a whole one. */
        kill(-g.pid, SIGKILL);
        kill(g.pid, SIGKILL);
    }
    status = reap(&g, p);
    if (m.failed)
        return outcome_of(EX_TEMPFAIL, "the message cannot be read");
    tell_output(transcript, g.said, g.nsaid);
    return agent_outcome(a, p, status);
}

/* --- LMTP ---------------------------------------------------------------------------------- */

static void give_piece(struct client *c, const struct agent_source *source)
{
    char piece[CLIENT_PIECE];
    uint64_t offset;
    size_t most;
    ssize_t n;

    if (!client_fetch(c, &offset, &most))
        return;
    n = source->read(source->ctx, offset, piece, most < sizeof piece ? most : sizeof piece);
    if (n < 0)
        client_piece_failed(c);
    else
        client_piece(c, piece, (size_t)n);
}

static void lmtp_input(struct program *g, struct client *c)
{
    char bytes[4096];
    ssize_t n = read(g->out, bytes, sizeof bytes);

    if (n > 0)
        client_input(c, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        client_lost(c);
}

static void lmtp_output(struct program *g, struct client *c)
{
    struct bytes out;
    ssize_t n;

    if (!client_output(c, &out))
        return;
    n = write(g->in, out.p, out.len);
    if (n > 0)
        client_sent(c, (size_t)n);
    else if (errno != EAGAIN && errno != EINTR)
        client_lost(c);
}

static void lmtp_talk(struct program *g, struct client *c, const struct agent_source *source)
{
    uint64_t step = 0;
    int64_t until = 0;

    while (!client_over(c)) {
        struct client_wait wait = client_wait(c);
        struct bytes out;
        int64_t left;
        if (client_done(c) && wait.stage == CLIENT_IDLE) {
            client_quit(c);
            continue;
        }
        if (wait.stage == CLIENT_PIECE_WAIT) {
            give_piece(c, source);
            continue;
        }
        if (!until || step != wait.step)
            until = now_ms() + (int64_t)(wait.ms ? wait.ms : AGENT_STALL_MS);
        step = wait.step;
        struct pollfd f[] = {{.fd = client_output(c, &out) ? g->in : -1, .events = POLLOUT},
                             {.fd = g->out, .events = POLLIN},
                             {.fd = g->errors, .events = POLLIN}};
        left = until - now_ms();
        if (left <= 0 || poll(f, 3, left > INT32_MAX ? INT32_MAX : (int)left) == 0) {
            client_timeout(c);
            continue;
        }
        if (f[2].revents && !keep_output(g, g->errors))
            fs_close(&g->errors);
        if (f[1].revents)
            lmtp_input(g, c);
        if (f[0].revents)
            lmtp_output(g, c);
    }
}

/* A program that listens on a socket; 0 or errno. */
static int connect_socket(struct program *g, const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len >= sizeof sa.sun_path)
        return ENAMETOOLONG;
    memcpy(sa.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, (const struct sockaddr *)(const void *)&sa, sizeof sa) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || (g->out = dup(fd)) < 0) {
        int error = errno;
        close(fd);
        return error;
    }
    g->in = fd;
    return 0;
}

static struct outcome *deliver_lmtp(struct arena *a, const struct plan *p,
                                    const struct agent_source *source, uint64_t size,
                                    struct buf *transcript)
{
    struct client_settings settings = client_settings_default();
    struct hand_over *h = hand_over_new(a, p, size, (uint64_t)time(NULL));
    struct client *c = client_new(a, &settings, p->path);
    struct program g = {.pidfd = -1, .errors = -1};
    bool socket = p->kind != PLAN_PROGRAM && p->hosts.n > 0;
    int error = socket ? connect_socket(&g, bytes_string(a, p->path)) : start(&g, a, p, true);

    if (error && socket) {
        client_begin(c, h);
        client_unreachable(c, error);
        hand_over_end(h);
        buf_add(transcript, h->transcript.data, h->transcript.len);
        return h->outcomes;
    }
    if (error) {
        hand_over_fail(h, RECIPIENT_WAITS, EX_OSERR, "4.0.0", strerror(error));
        return h->outcomes;
    }
    client_begin(c, h);
    lmtp_talk(&g, c, source);
    if (socket) {
        close(g.in);
        close(g.out);
    } else {
        reap(&g, p);
    }
    hand_over_end(h);
    buf_add(transcript, h->transcript.data, h->transcript.len);
    return h->outcomes;
}

struct outcome *agent_deliver(struct arena *a, const struct plan *p,
                              const struct agent_source *source, uint64_t size,
                              struct buf *transcript)
{
    struct outcome *all;
    struct outcome o;

    if (p->kind == PLAN_SMTP || p->kind == PLAN_LMTP ||
        (p->kind == PLAN_PROGRAM && plan_has_flag(p, 'z')))
        return deliver_lmtp(a, p, source, size, transcript);
    o = p->kind == PLAN_FILE ? deliver_file(a, p, source)
                             : deliver_program(a, p, source, transcript);
    agent_tell(a, p, &o, transcript);
    all = arena_calloc(a, p->nrecipients, sizeof *all);
    for (size_t i = 0; i < p->nrecipients; i++)
        all[i] = o;
    return all;
}
