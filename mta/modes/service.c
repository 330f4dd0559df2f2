#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/model/json.h"
#include "mta/modes/mode.h"
#include "mta/modes/process.h"

static const char usual_interval[] = "-q30m";

/* Seconds that it has to end by itself, and behind a second signal; twice as long as it takes. */
enum { STOP_S = 20, STOP_AT_ONCE_S = 5, LOOK_MS = 20 };

/* LSB: exit codes of init actions; those of `status` are its own. */
enum lsb {
    LSB_DONE = 0,
    LSB_FAILED = 1,
    LSB_USAGE = 2,
    LSB_NOT_ALLOWED = 4,
    LSB_NOT_CONFIGURED = 6
};
enum lsb_status { LSB_RUNS = 0, LSB_DEAD = 1, LSB_STOPPED = 3, LSB_UNKNOWN = 4 };

/* What the file of the process number says. */
struct service {
    const char *path; /* "": there is none in the configuration */
    int err;          /* of reading it; ENOENT: nobody has written it */
    struct process_note note;
    bool runs; /* the process that wrote it is there */
};

bool service_is(enum mode m)
{
    return m == MODE_START || m == MODE_STOP || m == MODE_STATUS;
}

int service_exit(enum mode m, int status)
{
    static const struct {
        int status;
        enum lsb lsb;
    } codes[] = {{EX_OK, LSB_DONE},
                 {EX_USAGE, LSB_USAGE},
                 {EX_NOPERM, LSB_NOT_ALLOWED},
                 {EX_OSFILE, LSB_NOT_CONFIGURED},
                 {EX_UNAVAILABLE, LSB_NOT_CONFIGURED},
                 {EX_SOFTWARE, LSB_NOT_CONFIGURED},
                 {EX_CONFIG, LSB_NOT_CONFIGURED}};

    if (!service_is(m))
        return status;
    if (m == MODE_STATUS && status)
        return LSB_UNKNOWN;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].status == status)
            return (int)codes[i].lsb;
    }
    return geteuid() != 0 && status == EX_OSERR ? LSB_NOT_ALLOWED : LSB_FAILED;
}

static bool is_runner(const struct mode_setup *m)
{
    return setting_true(m->program, "UseMSP");
}

static struct service find(const struct mode_setup *m)
{
    struct service s = {.path = setting_text(m->program, "PidFile")};

    s.err = *s.path ? process_read_note(m->arena, s.path, &s.note) : ENOENT;
    s.runs = s.err == 0 && process_is(&s.note);
    return s;
}

static void print_ports(const struct mode_setup *m, pid_t pid)
{
    struct texts ports = process_ports(m->arena, pid);

    for (size_t i = 0; i < ports.n; i++)
        printf("%s%.*s", i ? ", " : "", (int)ports.v[i].len, ports.v[i].p);
    if (ports.n == 0)
        printf("ports that only root can see");
}

/* --- start -------------------------------------------------------------------------------- */

/* As it is started by hand: the flags behind `start`, and what goes without saying there. */
static char **command_of(const struct mode_setup *m)
{
    static char daemon[] = "-bd";
    char *const *given = m->given->argv;
    size_t n = 0, to = 0;

    while (given[n])
        n++;
    char **v = arena_calloc(m->arena, n + 3, sizeof *v);
    v[to++] = given[0];
    if (!is_runner(m))
        v[to++] = daemon;
    if (!m->given->interval)
        v[to++] = arena_strdup(m->arena, usual_interval);
    for (size_t i = 2; i < n; i++)
        v[to++] = given[i];
    return v;
}

/* It says itself what is wrong, and its end says that it works. */
static int run_daemon(const struct mode_setup *m)
{
    char **v = command_of(m);
    int status;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execv("/proc/self/exe", v);
        fprintf(stderr, "mcfd: /proc/self/exe: %s\n", strerror(errno));
        _exit(EX_OSERR);
    }
    if (pid < 0) {
        fprintf(stderr, "mcfd: cannot fork: %s\n", strerror(errno));
        return EX_OSERR;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return EX_OSERR;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

static int start(const struct mode_setup *m)
{
    struct service s = find(m);

    if (!*s.path) {
        fprintf(stderr,
                "mcfd: %s: O PidFile is empty: nobody could stop it; set it: "
                "define(`confPID_FILE', `/run/sendmail.pid')\n",
                m->given->path);
        return LSB_NOT_CONFIGURED;
    }
    if (s.runs) {
        printf("mcfd: it runs already (pid %ld)\n", (long)s.note.pid);
        return LSB_DONE;
    }
    int status = run_daemon(m);
    if (status)
        return service_exit(MODE_START, status);
    s = find(m);
    if (!s.runs) {
        fprintf(stderr, "mcfd: it was started, and %s\n",
                s.err ? arena_printf(m->arena, "%s is not there: %s", s.path, strerror(s.err))
                      : "is not there any more: the log says why");
        return LSB_FAILED;
    }
    if (is_runner(m)) {
        printf("mcfd: it runs the queue %s (pid %ld)\n", setting_text(m->program, "QueueDirectory"),
               (long)s.note.pid);
        return LSB_DONE;
    }
    printf("mcfd: it takes mail at ");
    print_ports(m, s.note.pid);
    printf(" (pid %ld)\n", (long)s.note.pid);
    return LSB_DONE;
}

/* --- stop --------------------------------------------------------------------------------- */

static bool ends_within(const struct service *s, int seconds)
{
    const struct timespec pause = {0, LOOK_MS * 1000000L};

    for (int i = 0; i < seconds * 1000 / LOOK_MS; i++) {
        if (!process_is(&s->note))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static int stop(const struct mode_setup *m)
{
    struct service s = find(m);

    if (s.err && s.err != ENOENT) {
        fprintf(stderr, "mcfd: %s: %s\n", s.path, strerror(s.err));
        return s.err == EACCES ? LSB_NOT_ALLOWED : LSB_FAILED;
    }
    if (!s.runs) {
        printf("mcfd: it does not run%s%s\n",
               s.err ? "" : "; whoever wrote it is gone: ", s.err ? "" : s.path);
        return LSB_DONE;
    }
    if (kill(s.note.pid, SIGTERM) != 0) {
        fprintf(stderr, "mcfd: process %ld: %s\n", (long)s.note.pid, strerror(errno));
        return errno == EPERM ? LSB_NOT_ALLOWED : LSB_FAILED;
    }
    bool ended = ends_within(&s, STOP_S);
    if (!ended) {
        kill(s.note.pid, SIGTERM); /* at once */
        ended = ends_within(&s, STOP_AT_ONCE_S);
    }
    if (!ended) {
        fprintf(stderr, "mcfd: process %ld does not end\n", (long)s.note.pid);
        return LSB_FAILED;
    }
    printf("mcfd: it has ended (pid %ld)\n", (long)s.note.pid);
    return LSB_DONE;
}

/* --- status ------------------------------------------------------------------------------- */

static void print_json(const struct mode_setup *m, const struct service *s, const uint64_t *queued)
{
    struct json j;
    struct buf b;

    buf_init(&b, m->arena);
    json_start(&j, &b);
    json_open_object(&j, NULL);
    json_member(&j, "configuration", m->given->path);
    json_member(&j, "state", s->runs ? "runs" : s->err ? "stopped" : "dead");
    if (s->runs) {
        struct texts ports = process_ports(m->arena, s->note.pid);
        json_member_number(&j, "pid", s->note.pid);
        json_open_array(&j, "ports");
        for (size_t i = 0; i < ports.n; i++)
            json_member(&j, NULL, arena_strndup(m->arena, ports.v[i].p, ports.v[i].len));
        json_close(&j);
    }
    if (queued)
        json_member_number(&j, "queued", (long long)*queued);
    json_close(&j);
    json_end(&j);
    fwrite(b.data, 1, b.len, stdout);
}

static void print_text(const struct mode_setup *m, const struct service *s, const uint64_t *queued)
{
    printf("mcfd: %s: it runs (pid %ld)\n", m->given->path, (long)s->note.pid);
    if (!is_runner(m)) {
        printf("ports: ");
        print_ports(m, s->note.pid);
        putchar('\n');
    }
    if (queued)
        printf("queue: %" PRIu64 " message%s in %s\n", *queued, *queued == 1 ? "" : "s",
               setting_text(m->program, "QueueDirectory"));
}

static int status(const struct mode_setup *m)
{
    struct service s = find(m);
    uint64_t queued;

    if (s.err && s.err != ENOENT) {
        fprintf(stderr, "mcfd: %s: %s\n", s.path, strerror(s.err));
        return LSB_UNKNOWN;
    }
    bool known = s.runs && orders_count(m, &queued);
    if (m->given->json)
        print_json(m, &s, known ? &queued : NULL);
    else if (s.runs)
        print_text(m, &s, known ? &queued : NULL);
    else if (s.err)
        printf("mcfd: %s: it does not run\n", m->given->path);
    else
        printf("mcfd: %s: it was killed: %s is there, and nobody with that number\n",
               m->given->path, s.path);
    return s.runs ? LSB_RUNS : s.err ? LSB_STOPPED : LSB_DEAD;
}

int service_run(const struct mode_setup *m)
{
    if (m->given->nwords) {
        fprintf(stderr, "mcfd: %s: start, stop and status take flags only\n", m->given->words[0]);
        return m->given->mode == MODE_STATUS ? (int)LSB_UNKNOWN : (int)LSB_USAGE;
    }
    return m->given->mode == MODE_START  ? start(m)
           : m->given->mode == MODE_STOP ? stop(m)
                                         : status(m);
}
