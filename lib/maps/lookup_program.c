/*
 * lookup_program: class program: the first line that a program writes, which gets the key as its
 * last argument.
 *
 * It runs as this process's user, without a shell, with next to no environment, in a process group
 * of its own that is killed when time is up.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/maps/lookup_class.h"

enum { ARGUMENTS = 64, LONGEST = 2047 /* bytes of the line; more is cut off */, USUAL_MS = 30000 };

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool arguments_of(struct lookup_query *q, char **argv)
{
    const char *p = q->map->file_rest;
    size_t n = 0;
    argv[n++] = arena_strdup(q->result, q->map->file);
    for (char *word = lookup_word(q->result, &p); *word; word = lookup_word(q->result, &p)) {
        if (n == ARGUMENTS - 2)
            return false;
        argv[n++] = word;
    }
    argv[n++] = arena_strndup(q->result, q->key.p, q->key.len);
    argv[n] = NULL;
    return true;
}

/* 0 or errno; *out is where its output comes. */
static int start(char **argv, pid_t *pid, int *out)
{
    static const char *const environment[] = {"AGENT=sendmail", NULL};
    char *env[2];
    memcpy(env, environment, sizeof env); /* which nobody writes to */
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    int rc = posix_spawn(pid, argv[0], &files, &how, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    fs_close(&ends[1]);
    if (rc != 0)
        fs_close(&ends[0]);
    *out = ends[0];
    return rc;
}

/* Reads the first line, and what follows to its end.  False: it took too long. */
static bool read_line(int fd, long long until, struct buf *line, bool *any)
{
    bool whole = false;
    char bytes[4096];
    for (;;) {
        long long left = until - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return false;
        int ready = poll(&p, 1, (int)left);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0)
            return true;
        *any = true;
        const char *end = memchr(bytes, '\n', (size_t)n);
        size_t more = whole ? 0 : end ? (size_t)(end - bytes) : (size_t)n;
        if (more > LONGEST - line->len)
            more = LONGEST - line->len;
        buf_add(line, bytes, more);
        whole = whole || end;
    }
}

/* False: not in time; then it is killed. */
static bool wait_for(pid_t pid, long long until, int *status)
{
    for (long ns = 100000; now_ms() < until; ns = ns < 20000000 ? ns * 2 : ns) {
        pid_t done = waitpid(pid, status, WNOHANG);
        if (done == pid)
            return true;
        if (done < 0 && errno != EINTR)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return false;
}

static void program_find(struct lookup_query *q)
{
    lookup_let_go(q->session);
    char *argv[ARGUMENTS];
    pid_t pid = -1;
    int out = -1, status = 0;
    if (memchr(q->key.p, '\0', q->key.len) || !arguments_of(q, argv)) {
        lookup_is_not_found(q, EX_CONFIG);
        return;
    }
    struct trust_fault fault;
    if (q->world->trust && *argv[0] == '/' &&
        !trust_file(q->result, q->world->trust, &trust_run, argv[0], &fault) && !fault.error)
        lookup_tell(q, LOOKUP_WARNING, "Warning: prog_open: program %s unsafe: %s", argv[0],
                    trust_said(q->result, &fault));
    int rc = start(argv, &pid, &out);
    if (rc == EAGAIN || rc == ENOMEM || rc == EMFILE || rc == ENFILE) {
        lookup_failed(q, "%s cannot be run: %s", argv[0], strerror(rc));
        return;
    }
    if (rc != 0) {
        q->answer->why = arena_printf(q->result, "map %s: %s cannot be run: %s", q->map->name,
                                      argv[0], strerror(rc));
        lookup_is_not_found(q, EX_CONFIG);
        return;
    }
    long long until = now_ms() + (q->world->timeout_ms ? q->world->timeout_ms : USUAL_MS);
    struct buf line;
    bool any = false;
    buf_init(&line, q->result);
    bool in_time = read_line(out, until, &line, &any);
    fs_close(&out);
    if (!in_time)
        kill(-pid, SIGKILL);
    if (!wait_for(pid, until, &status) || !in_time)
        lookup_failed(q, "%s takes too long", argv[0]);
    else if (!WIFEXITED(status)) {
        lookup_tell(q, EX_SOFTWARE, "map %s: %s died of signal %d", q->map->name, argv[0],
                    WTERMSIG(status));
        lookup_is_not_found(q, EX_UNAVAILABLE);
    } else if (WEXITSTATUS(status) == EX_TEMPFAIL)
        lookup_failed(q, "%s has a temporary failure", argv[0]);
    else if (WEXITSTATUS(status) != 0 || !any)
        lookup_is_not_found(q, WEXITSTATUS(status));
    else
        lookup_is_found(q, (struct map_bytes){line.data, line.len});
}

const struct lookup_class map_lookup_program = {lookup_read_file, program_find, NULL, false};
