#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/control.h"
#include "mta/machine.h"
#include "mta/modes/mode.h"
#include "mta/parent/parent.h"
#include "mta/peer.h"
#include "mta/policy/worker.h"

enum { PIECE = 16 << 10 };

/* --- between standard input and output and the front --------------------------------------- */

struct pump {
    int socket;
    char in[PIECE];
    size_t have, at; /* of `in`: bytes that the front has not taken */
    bool ended;      /* there is no more input */
    bool answered;
};

static void take_input(struct pump *p)
{
    ssize_t n = read(STDIN_FILENO, p->in, sizeof p->in);

    if (n > 0) {
        p->have = (size_t)n;
        p->at = 0;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        p->ended = true;
        shutdown(p->socket, SHUT_WR);
    }
}

static void give_input(struct pump *p)
{
    ssize_t n = send(p->socket, p->in + p->at, p->have - p->at, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0)
        p->at += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        p->at = p->have; /* it listens no more, and says why or has */
}

/* False: it is over. */
static bool give_output(struct pump *p)
{
    char out[PIECE];
    ssize_t n = recv(p->socket, out, sizeof out, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    p->answered = p->answered || n > 0;
    for (ssize_t at = 0, done; at < n; at += done) {
        done = write(STDOUT_FILENO, out + at, (size_t)(n - at));
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (done < 0)
            done = 0;
    }
    return n > 0;
}

static void run_pump(struct pump *p)
{
    for (;;) {
        bool full = p->at < p->have;
        struct pollfd fds[2] = {
            {.fd = full || p->ended ? -1 : STDIN_FILENO, .events = POLLIN},
            {.fd = p->socket, .events = (short)(POLLIN | (full ? POLLOUT : 0))}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            take_input(p);
        if (fds[1].revents & POLLOUT)
            give_input(p);
        if (fds[1].revents & (POLLIN | POLLHUP | POLLERR) && !give_output(p))
            return;
    }
}

/* --- the roles ------------------------------------------------------------------------------ */

static const struct peer *find_peer(struct arena *a)
{
    struct peer *p = arena_alloc(a, sizeof *p);
    const struct passwd *pw = getpwuid(getuid());

    if (!peer_of(STDIN_FILENO, p))
        snprintf(p->address, sizeof p->address, "%.40s@localhost", pw ? pw->pw_name : "nobody");
    return p;
}

static int run_roles(const struct mode_setup *m, int client)
{
    const char how = *setting_text(m->program, "DeliveryMode");
    const bool passes = mode_passes(m);
    struct parent_setup setup = mode_roles(m);

    if (passes && !(setup.passing = mode_passing_begin(m)))
        return EX_CANTCREAT;
    setup.unable = passes && !machine_may_read(m->arena, m->program);

    setup.foreground = setup.once = true;
    setup.rests = how == 'q' || how == 'd';
    setup.dialogue = client;
    setup.peer = find_peer(m->arena);
    setup.store = passes ? -1 : control_reach(m->arena, m->program);
    int status = parent_run(m->arena, &setup);
    if (passes)
        mode_passing_end(m, setup.passing);
    return status;
}

int dialogue_run(const struct mode_setup *m)
{
    struct pump p = {0};
    int fds[2], status = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        fprintf(stderr, "mcfd: %s\n", strerror(errno));
        return EX_OSERR;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        setsid();
        return run_roles(m, fds[1]);
    }
    close(fds[1]);
    if (pid < 0)
        return EX_OSERR;
    p.socket = fds[0];
    run_pump(&p);
    fs_close(&p.socket);
    /* Deliveries go on without us, unless they are to be waited for. */
    if (p.answered && *setting_text(m->program, "DeliveryMode") != 'i')
        return EX_OK;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}
