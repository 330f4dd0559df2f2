#include "lib/rewrite/class_program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"

enum { OUTPUT_MAX = 16 << 20, TIME_MS = 60000 };

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Becomes the program; what kept it from that is written to said. */
static void become(const struct class_program *p, int out, int said)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY), err;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    umask(022);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        chdir("/tmp") != 0)
        goto failed;
    if (geteuid() == 0 &&
        (setgroups(1, &p->gid) != 0 || setgid(p->gid) != 0 || setuid(p->uid) != 0))
        goto failed;
    execve(p->argv[0], p->argv, p->env);
failed:
    err = errno;
    if (write(said, &err, sizeof err) < 0)
        _exit(126);
    _exit(127);
}

/* 0 or errno. */
static int read_all(int fd, long long until, struct buf *out)
{
    char bytes[4096];

    for (;;) {
        long long left = until - now_ms();
        struct pollfd p = {fd, POLLIN, 0};
        if (left <= 0)
            return ETIMEDOUT;
        int n = poll(&p, 1, (int)left);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n <= 0)
            continue;
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got < 0 && errno != EINTR)
            return errno;
        if (got == 0)
            return 0;
        if (got > 0)
            buf_add(out, bytes, (size_t)got);
        if (out->len > OUTPUT_MAX)
            return EFBIG;
    }
}

int class_program_run(struct arena *a, const struct class_program *p, char **bytes, size_t *len)
{
    int out[2], said[2], err, why = 0;
    struct buf all;

    if (pipe2(out, O_CLOEXEC) != 0)
        return errno;
    if (pipe2(said, O_CLOEXEC) != 0) {
        err = errno;
        goto no_pipe;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(p, out[1], said[1]);
    err = pid < 0 ? errno : 0;
    fs_close(&out[1]);
    fs_close(&said[1]);
    buf_init(&all, a);
    if (!err) {
        setpgid(pid, pid);
        if (read(said[0], &why, sizeof why) == (ssize_t)sizeof why)
            err = why;
        else
            err = read_all(out[0], now_ms() + TIME_MS, &all);
        /* Also what it started, and left behind. */
        kill(-pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    fs_close(&said[0]);
    *bytes = all.data;
    *len = all.len;
no_pipe:
    fs_close(&out[0]);
    fs_close(&out[1]);
    return err;
}
