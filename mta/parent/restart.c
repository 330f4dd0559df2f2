#include "mta/parent/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"

enum { SAID_MAX = 1000 };

void restart_init(struct arena *a, struct restart *r, char *const *arguments)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    *r = (struct restart){.arguments = arguments, .said = -1};
    r->path = arena_strndup(a, n > 0 ? path : "", n > 0 ? (size_t)n : 0);
    r->folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void restart_close(struct restart *r)
{
    fs_close(&r->folder);
    fs_close(&r->said);
}

static void check(const struct restart *r, char **v)
{
    if (fchdir(r->folder) != 0 || dup2(r->said, STDOUT_FILENO) < 0 ||
        dup2(r->said, STDERR_FILENO) < 0)
        _exit(127);
    execv(r->path, v);
    _exit(127);
}

bool restart_check(struct restart *r)
{
    static char option[] = "--check";
    size_t n = 0;

    if (r->checking || r->folder < 0)
        return false;
    while (r->arguments[n])
        n++;
    char **v = calloc(n + 2, sizeof *v);
    r->said = memfd_create("said", MFD_CLOEXEC);
    if (v && r->said >= 0) {
        v[0] = r->arguments[0];
        v[1] = option;
        memcpy(v + 2, r->arguments + 1, (n - 1) * sizeof *v);
        r->checking = fork();
        if (r->checking == 0)
            check(r, v);
    }
    free(v);
    if (r->checking > 0)
        return true;
    r->checking = 0;
    fs_close(&r->said);
    return false;
}

const char *restart_checked(struct arena *a, struct restart *r, int wait_status)
{
    char text[SAID_MAX + 1];
    ssize_t n = pread(r->said, text, SAID_MAX, 0);
    const bool good = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;

    r->checking = 0;
    fs_close(&r->said);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return good ? NULL : arena_strdup(a, *text ? text : "the program cannot be started");
}

void restart_now(const struct restart *r, const struct listening *l)
{
    struct arena *a = arena_new(NULL, NULL);
    struct buf b;

    buf_init(&b, a);
    for (size_t i = 0; i < l->n; i++) {
        buf_printf(&b, "%s%d", i ? "," : "", l->fds[i]);
        fcntl(l->fds[i], F_SETFD, 0);
    }
    buf_addc(&b, '\0');
    if (fchdir(r->folder) == 0 && setenv(LISTEN_INHERITED, b.data, 1) == 0)
        execv(r->path, r->arguments);
    int err = errno;
    unsetenv(LISTEN_INHERITED);
    for (size_t i = 0; i < l->n; i++)
        fcntl(l->fds[i], F_SETFD, FD_CLOEXEC);
    arena_free(a);
    errno = err;
}
