#include "mta/front/doors.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/front/serve.h"
#include "mta/peer.h"

enum {
    USUAL_BACKLOG = 10,
    REFUSE_A_CPU = 12, /* RefuseLA, where it is not set, for each processor */
    DELAY_MS = 1000
};

struct door {
    struct front *front;
    size_t listener;
    int fd, backlog;
    uv_poll_t poll;
};

struct doors {
    struct door *v;
    size_t n;
    uint64_t refuse_load, delay_load, most, throttle; /* 0: no limit */
    uint64_t load, came;                              /* now; in this second */
    bool full;                                        /* there are no descriptors */
    bool refusing, waiting, closed;
};

static uint64_t load_now(void)
{
    struct sysinfo s;
    const unsigned long half = 1UL << (SI_LOAD_SHIFT - 1);

    return sysinfo(&s) == 0 ? (s.loads[0] + half) >> SI_LOAD_SHIFT : 0;
}

static bool refuses(const struct front *f)
{
    const struct doors *d = f->doors;

    return (d->refuse_load && d->load >= d->refuse_load) || (d->most && f->clients >= d->most);
}

static bool has_to_wait(const struct front *f)
{
    const struct doors *d = f->doors;

    return d->full || (d->throttle && d->came >= d->throttle);
}

static void come_in(uv_poll_t *p, int status, int events);

/* Makes the sockets what they should be now. */
static void set_doors(struct front *f)
{
    struct doors *d = f->doors;
    const bool refusing = refuses(f), waiting = has_to_wait(f);

    if (d->closed || (refusing == d->refusing && waiting == d->waiting))
        return;
    for (size_t i = 0; i < d->n; i++) {
        struct door *one = &d->v[i];
        if (refusing && !d->refusing)
            shutdown(one->fd, SHUT_RDWR);
        if (!refusing && d->refusing)
            listen(one->fd, one->backlog);
        if (refusing || waiting)
            uv_poll_stop(&one->poll);
        else
            uv_poll_start(&one->poll, UV_READABLE, come_in);
    }
    d->refusing = refusing;
    d->waiting = waiting;
}

static void come_in(uv_poll_t *p, int status, int events)
{
    struct door *door = p->data;
    struct front *f = door->front;
    struct doors *d = f->doors;
    struct sockaddr_storage sa;

    (void)status;
    (void)events;
    while (!d->closed && !refuses(f) && !has_to_wait(f)) {
        socklen_t len = sizeof sa;
        int fd = accept4(door->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            d->full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
            break;
        }
        d->came++;
        peer_no_delay(fd);
        serve_admit(f, fd, &sa, door->listener);
    }
    set_doors(f);
}

void doors_tick(struct front *f)
{
    struct doors *d = f->doors;

    d->load = load_now();
    d->came = 0;
    d->full = false;
    f->session.delay_ms = d->delay_load && d->load >= d->delay_load ? DELAY_MS : 0;
    set_doors(f);
}

void doors_left(struct front *f)
{
    f->doors->full = false;
    set_doors(f);
}

void doors_close(struct front *f)
{
    struct doors *d = f->doors;

    for (size_t i = 0; i < d->n && !d->closed; i++) {
        uv_poll_stop(&d->v[i].poll);
        fs_close(&d->v[i].fd);
    }
    d->closed = true;
}

static uint64_t positive(long n)
{
    return n > 0 ? (uint64_t)n : 0;
}

static void read_settings(struct doors *d, const struct program *p)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);

    d->refuse_load = *setting_text(p, "RefuseLA") ? positive(setting_number(p, "RefuseLA"))
                                                  : REFUSE_A_CPU * positive(processors);
    d->delay_load = positive(setting_number(p, "DelayLA"));
    d->most = positive(setting_number(p, "MaxDaemonChildren"));
    d->throttle = positive(setting_number(p, "ConnectionRateThrottle"));
}

bool doors_open(struct front *f)
{
    const struct front_setup *setup = f->setup;
    struct doors *d = arena_alloc(f->arena, sizeof *d);
    size_t nlisteners;
    const struct listener *l = settings_listeners(f->arena, setup->program, &nlisteners);

    f->doors = d;
    read_settings(d, setup->program);
    d->v = arena_calloc(f->arena, setup->n ? setup->n : 1, sizeof *d->v);
    for (d->n = 0; d->n < setup->n; d->n++) {
        struct door *one = &d->v[d->n];
        const int backlog = l[setup->listeners[d->n]].backlog;
        *one = (struct door){.front = f,
                             .listener = setup->listeners[d->n],
                             .fd = setup->listening[d->n],
                             .backlog = backlog > 0 ? backlog : USUAL_BACKLOG};
        /* Whoever had it before us may have refused. */
        if (listen(one->fd, one->backlog) != 0 ||
            uv_poll_init_socket(&f->loop, &one->poll, one->fd) != 0)
            return false;
        one->poll.data = one;
        if (uv_poll_start(&one->poll, UV_READABLE, come_in) != 0)
            return false;
    }
    doors_tick(f);
    return true;
}
