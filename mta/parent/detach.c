#include "mta/parent/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fs.h"

static int status_from(int fd)
{
    unsigned char status = EX_OSERR;
    ssize_t n;

    do
        n = read(fd, &status, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? status : EX_OSERR;
}

/* False: there is no /dev/null. */
static bool leave(struct detached *d)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool good = nothing >= 0 && chdir("/") == 0;

    setsid();
    d->errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    for (int fd = 0; good && fd <= STDERR_FILENO; fd++)
        good = dup2(nothing, fd) == fd;
    if (nothing > STDERR_FILENO)
        fs_close(&nothing);
    return good;
}

int detach_begin(struct detached *d)
{
    int ends[2];

    *d = (struct detached){-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return EX_OSERR;
    pid_t pid = fork();
    if (pid != 0) {
        fs_close(&ends[1]);
        int status = pid > 0 ? status_from(ends[0]) : EX_OSERR;
        fs_close(&ends[0]);
        return status;
    }
    fs_close(&ends[0]);
    d->answer = ends[1];
    if (leave(d))
        return -1;
    detach_say(d, EX_OSERR);
    _exit(EX_OSERR);
}

void detach_say(struct detached *d, int status)
{
    const unsigned char byte = (unsigned char)status;

    if (d->answer >= 0 && write(d->answer, &byte, 1) < 0)
        status = 0; /* who started us is gone */
    detach_close(d);
}

void detach_close(struct detached *d)
{
    fs_close(&d->answer);
    if (d->errors != STDERR_FILENO)
        fs_close(&d->errors);
    d->errors = -1;
}
