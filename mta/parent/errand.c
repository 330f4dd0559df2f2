#include "mta/parent/errand.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mta/channel.h"
#include "mta/message/envelope.h"
#include "mta/message/exits.h"
#include "mta/parent/agent.h"

struct errand {
    struct channel *store;
    struct arena *arena; /* of one message */
    uint64_t delivery;
};

/* False: the store is gone. */
static bool flush(struct errand *e)
{
    while (channel_wants_write(e->store)) {
        struct pollfd p = {.fd = channel_fd(e->store), .events = POLLOUT};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return false;
        if (channel_flush(e->store) != CHANNEL_OPEN)
            return false;
    }
    return true;
}

static bool await(struct errand *e, struct message *m)
{
    while (!channel_next(e->store, e->arena, m, NULL)) {
        struct pollfd p = {.fd = channel_fd(e->store), .events = POLLIN};
        if (channel_state(e->store) != CHANNEL_OPEN || (poll(&p, 1, -1) < 0 && errno != EINTR))
            return false;
        channel_read(e->store);
    }
    return true;
}

static ssize_t read_piece(void *ctx, uint64_t offset, char *bytes, size_t len)
{
    struct errand *e = ctx;
    struct message m = {.kind = MESSAGE_FETCH};

    arena_reset(e->arena);
    m.as.FETCH = (struct message_FETCH){e->delivery, offset, len};
    if (!channel_send(e->store, &m, -1) || !flush(e) || !await(e, &m) || m.kind != MESSAGE_PIECE ||
        m.as.PIECE.status || m.as.PIECE.bytes.len > len)
        return -1;
    memcpy(bytes, m.as.PIECE.bytes.p, m.as.PIECE.bytes.len);
    return (ssize_t)m.as.PIECE.bytes.len;
}

static struct outcome *not_become(struct arena *a, const struct plan *p, int err)
{
    struct outcome *out = arena_calloc(a, p->nrecipients, sizeof *out);

    for (size_t i = 0; i < p->nrecipients; i++)
        out[i] = (struct outcome){
            .state = RECIPIENT_WAITS,
            .status = EX_OSERR,
            .code = bytes_of("4.3.0"),
            .answer = bytes_of(arena_printf(a, "cannot become user %llu: %s",
                                            (unsigned long long)p->uid, strerror(err)))};
    return out;
}

static bool report(struct errand *e, struct arena *a, const struct plan *p,
                   const struct outcome *outcomes, const struct buf *transcript)
{
    struct message m = {.kind = MESSAGE_HANDED_OVER};
    struct bytes *list = arena_calloc(a, p->nrecipients, sizeof *list);

    for (size_t i = 0; i < p->nrecipients; i++) {
        struct buf b;
        buf_init(&b, a);
        outcome_encode(&outcomes[i], &b);
        list[i] = (struct bytes){b.data, b.len};
    }
    m.as.HANDED_OVER = (struct message_HANDED_OVER){
        e->delivery, {list, p->nrecipients}, {transcript->data, transcript->len}};
    return channel_send(e->store, &m, -1) && flush(e);
}

static bool forgives(const void *ctx, const char *word)
{
    return program_forgives(ctx, word, NULL);
}

/* A file of SafeFileEnvironment, which is not there. */
static struct outcome *no_root(struct arena *a, const struct plan *p, int err)
{
    struct outcome *out = arena_calloc(a, p->nrecipients, sizeof *out);
    const struct exit_meaning *x = exit_by_code(EX_CANTCREAT);

    for (size_t i = 0; i < p->nrecipients; i++)
        out[i] = (struct outcome){
            .state = RECIPIENT_FAILED,
            .status = EX_CANTCREAT,
            .code = bytes_of(x->status),
            .answer = bytes_of(x->text),
            .trouble = bytes_of(
                arena_printf(a, "mailfile: Cannot chroot(%s): %s; mend it: mkdir %s",
                             bytes_string(a, p->root), strerror(err), bytes_string(a, p->root)))};
    return out;
}

static void add_warning(struct outcome *out, size_t n, const char *warning)
{
    for (size_t i = 0; *warning && i < n; i++) {
        if (!out[i].trouble.len)
            out[i].trouble = bytes_of(warning);
    }
}

int errand_run(struct arena *a, int fd, const struct message_RUN *m, const struct program *program)
{
    const struct trust trust = {.forgives = forgives, .ctx = program};
    struct plan p;
    struct errand e = {.store = channel_new(a, fd, ROLE_PARENT, ROLE_STORE),
                       .arena = arena_beside(a),
                       .delivery = m->delivery};
    const struct agent_source source = {read_piece, &e, &trust};

    if (!plan_decode(a, m->plan.p, m->plan.len, &p))
        return EX_SOFTWARE;
    if (geteuid() != 0) { /* somebody's own mcfd: he is all that there is */
        p.uid = geteuid();
        p.gid = getegid();
    }
    struct buf transcript;
    buf_init(&transcript, a);
    const char *warning = agent_warning(a, &p, &trust);
    int err = agent_become(a, &p);
    const bool is_safe_file = p.kind == PLAN_FILE && p.root.len;
    struct outcome *out = err && is_safe_file ? no_root(a, &p, err)
                          : err               ? not_become(a, &p, err)
                                              : agent_deliver(a, &p, &source, m->size, &transcript);
    add_warning(out, p.nrecipients, warning);
    if (err && p.nrecipients)
        agent_tell(a, &p, &out[0], &transcript);
    return report(&e, a, &p, out, &transcript) ? EX_OK : EX_IOERR;
}
