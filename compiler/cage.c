#include "compiler/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/confine.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"

#define MEMORY_LIMIT ((rlim_t)1 << 30)
#define OPEN_FILES 64 /* a file that includes itself */
#define STACK ((size_t)64 << 10)
#define CHUNK ((size_t)8 << 10) /* bytes that are read at once */
#define NOWHERE "/proc/self/fd" /* is a folder, and nobody can make a file there */

/* What the child reads; it shares our memory until it is another program, and writes
 * nothing but why it cannot be. */
struct child {
    const char *program; /* with its folder, or argv[0] */
    const char *const *argv;
    char *const *envp;
    int out, err, null, confine;
    unsigned cpu;
    rlim_t file_size;
    int refused; /* errno: it could not be confined */
};

static void limit(int what, rlim_t value)
{
    struct rlimit r = {value, value};
    setrlimit(what, &r);
}

/* Off the processor that the parent works on, where there is another: two that start at once are
 * otherwise often kept on one for as long as they take. */
static void leave_processor(void)
{
    cpu_set_t may;
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof may, &may) != 0)
        return;
    CPU_CLR((size_t)here, &may);
    if (CPU_COUNT(&may) > 0)
        sched_setaffinity(0, sizeof may, &may);
}

static int child(void *arg)
{
    struct child *c = arg;
    if (c->null >= 0)
        dup2(c->null, 0);
    dup2(c->out, 1);
    dup2(c->err, 2);
    /* One that waits without using the processor (a pipe as include) must end too. */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGALRM, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    signal(SIGXCPU, SIG_DFL);
    alarm(c->cpu * 3);
    limit(RLIMIT_CPU, c->cpu);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow memory is larger than any limit, also here */
    limit(RLIMIT_AS, MEMORY_LIMIT);
#endif
    limit(RLIMIT_FSIZE, c->file_size);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, OPEN_FILES);
    leave_processor();
    if (c->confine >= 0 && !confine_enter(c->confine)) {
        c->refused = errno;
        _exit(126);
    }
    execvpe(c->program, (char *const *)c->argv, c->envp);
    _exit(errno == ENOENT ? 127 : 126);
}

static bool is_variable(const char *entry, const char *name)
{
    size_t n = strlen(name);
    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

static char **environment(struct arena *a, const char *tmp)
{
    static const char *const dropped[] = {"M4PATH", "POSIXLY_CORRECT", "LC_ALL", "TMPDIR"};
    static char locale[] = "LC_ALL=C";
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **envp = arena_calloc(a, n + 3, sizeof *envp);
    for (size_t i = 0; i < n; i++) {
        bool drop = false;
        for (size_t k = 0; k < sizeof dropped / sizeof *dropped; k++)
            drop = drop || is_variable(environ[i], dropped[k]);
        if (!drop)
            envp[kept++] = environ[i];
    }
    envp[kept++] = locale;
    envp[kept] = arena_printf(a, "TMPDIR=%s", tmp ? tmp : NOWHERE);
    return envp;
}

void cage_start(struct cage *c, struct arena *a, const char *const *argv, int confine,
                unsigned cpu_seconds, size_t output, const char *tmp)
{
    int out[2] = {-1, -1};
    *c = (struct cage){
        .arena = a, .out = "", .err = "", .end = CAGE_START, .pid_fd = -1, .limit = output};
    int pipe_error = pipe2(out, O_CLOEXEC) == 0 ? 0 : errno;
    c->out_fd = out[0];
    c->err_fd = memfd_create("mcf-err", MFD_CLOEXEC);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool may_write = confine < 0 || !tmp || confine_allow_writing(confine, tmp);
    if (pipe_error || c->err_fd < 0 || !argv[0] || !may_write) {
        c->status = pipe_error ? pipe_error : errno;
    } else {
        /* To look for it costs less than to fail to run it in each folder before. */
        char program[PATH_MAX];
        struct child what = {.program = fs_find_program(argv[0], program) ? program : argv[0],
                             .argv = argv,
                             .envp = environment(a, tmp),
                             .out = out[1],
                             .err = c->err_fd,
                             .null = null,
                             .confine = confine,
                             .cpu = cpu_seconds,
                             .file_size = output};
        /* As posix_spawn does it, which has no way to set limits: no copy of our pages is made. */
        alignas(max_align_t) char stack[STACK];
        c->pid = clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &what,
                       &c->pid_fd);
        c->status = errno;
        if (c->pid > 0 && what.refused) {
            waitpid(c->pid, NULL, 0);
            c->pid = 0;
            c->status = what.refused;
        }
    }
    if (null >= 0)
        close(null);
    if (out[1] >= 0)
        close(out[1]);
    if (c->pid < 0)
        c->pid = 0;
}

/* The bytes of a memory file. */
static const char *bytes_of(struct arena *a, int fd, size_t *len)
{
    struct stat st;
    char *bytes = NULL;
    *len = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        size_t size = (size_t)st.st_size;
        ssize_t got;
        bytes = arena_raw(a, size + 1);
        while (*len < size && (got = pread(fd, bytes + *len, size - *len, (off_t)*len)) != 0) {
            if (got > 0)
                *len += (size_t)got;
            else if (errno != EINTR)
                break;
        }
    }
    if (bytes)
        bytes[*len] = '\0';
    return bytes ? bytes : "";
}

/* Which of them has something to say.  To be woken takes a part of what m4 needs for a small file:
 * so it is asked for a moment first, by turns with whoever else wants the processor. */
static int wait_for(struct pollfd *fds, nfds_t n)
{
    enum { TIMES = 3000 };
    int ready = 0;
    for (int i = 0; i < TIMES && ready == 0; i++) {
        ready = poll(fds, n, 0);
        if (!ready)
            sched_yield();
    }
    return ready ? ready : poll(fds, n, -1);
}

/* What comes out of the pipe.  Something else may hold its other end, after the program's own. */
static void read_out(struct cage *c)
{
    struct pollfd fds[2] = {{.fd = c->out_fd, .events = POLLIN},
                            {.fd = c->pid_fd, .events = POLLIN}};
    struct buf b;
    buf_init(&b, c->arena);
    while (b.len <= c->limit) {
        bool ended = fds[1].revents != 0;
        int ready = ended ? poll(fds, 1, 0) : wait_for(fds, 2);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            break;
        if (!fds[0].revents)
            continue; /* it has ended: what is left in the pipe */
        char chunk[CHUNK];
        ssize_t got = read(c->out_fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        buf_add(&b, chunk, (size_t)got);
    }
    c->out = b.data;
    c->out_len = b.len;
}

void cage_read(struct cage *c)
{
    if (!c->read && c->pid)
        read_out(c);
    if (!c->read)
        c->err = bytes_of(c->arena, c->err_fd, &c->err_len);
    if (c->pid && c->out_len > c->limit)
        kill(c->pid, SIGKILL);
    fs_close(&c->out_fd);
    fs_close(&c->err_fd);
    fs_close(&c->pid_fd);
    c->read = true;
}

void cage_stop(struct cage *c)
{
    if (c->pid)
        kill(c->pid, SIGKILL);
    cage_wait(c);
}

void cage_wait(struct cage *c)
{
    int status;
    pid_t pid = c->pid;
    cage_read(c);
    if (pid) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        c->pid = 0;
        if (WIFEXITED(status)) {
            c->end = CAGE_EXIT;
            c->status = WEXITSTATUS(status);
        } else {
            c->status = WTERMSIG(status);
            c->end = c->status == SIGXFSZ || c->out_len > c->limit ? CAGE_OUTPUT
                     : c->status == SIGXCPU || c->status == SIGKILL || c->status == SIGALRM
                         ? CAGE_TIME
                         : CAGE_SIGNAL;
        }
    }
}
