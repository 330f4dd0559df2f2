#include "mta/policy/others.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

/* Of a worker that waits: on its stack. */
struct asking {
    struct message m;
    enum message_kind answer;
    uint64_t number;     /* that the answer has: a transaction, a ticket */
    struct arena *arena; /* for the answer's bytes; NULL: they are not wanted */
    bool asked, answered;
    int status;
    int fd;
    struct bytes bytes;
    struct asking *next;
};

struct others {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct asking *first;
    uint64_t tickets;
    int wake;
};

struct others *others_new(const struct arena *a, int wake)
{
    struct others *o = arena_alloc(arena_beside(a), sizeof *o);

    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->answered, NULL);
    o->wake = wake;
    return o;
}

static void leave(struct others *o, const struct asking *q)
{
    struct asking **at = &o->first;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

static int ask(struct others *o, struct asking *q)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&o->lock);
    if (q->m.kind == MESSAGE_OPEN_FILTER)
        q->m.as.OPEN_FILTER.ticket = q->number = ++o->tickets;
    q->next = o->first;
    o->first = q;
    if (write(o->wake, &one, sizeof one) < 0) {
        q->status = EX_OSERR;
        q->answered = true;
    }
    while (!q->answered)
        pthread_cond_wait(&o->answered, &o->lock);
    leave(o, q);
    pthread_mutex_unlock(&o->lock);
    return q->status;
}

int others_read_body(struct others *o, struct arena *a, uint64_t transaction, uint64_t offset,
                     uint64_t most, struct bytes *out)
{
    struct asking q = {.m.kind = MESSAGE_READ_BODY,
                       .answer = MESSAGE_BODY_IS,
                       .number = transaction,
                       .arena = a,
                       .fd = -1};

    q.m.as.READ_BODY = (struct message_READ_BODY){transaction, offset, most};
    const int status = ask(o, &q);
    *out = q.bytes;
    return status;
}

int others_replace_body(struct others *o, uint64_t transaction, bool first, struct bytes piece)
{
    struct asking q = {
        .m.kind = MESSAGE_NEW_BODY, .answer = MESSAGE_BODY_IS, .number = transaction, .fd = -1};

    q.m.as.NEW_BODY = (struct message_NEW_BODY){transaction, first, piece};
    return ask(o, &q);
}

int others_open_filter(struct others *o, uint64_t filter)
{
    struct asking q = {.m.kind = MESSAGE_OPEN_FILTER, .answer = MESSAGE_FILTER_OPEN, .fd = -1};

    q.m.as.OPEN_FILTER.filter = filter;
    const int error = ask(o, &q);
    errno = error;
    return q.fd;
}

void others_ask(struct others *o, bool (*send)(void *ctx, const struct message *m), void *ctx)
{
    pthread_mutex_lock(&o->lock);
    for (struct asking *q = o->first; q; q = q->next) {
        if (!q->asked && !send(ctx, &q->m)) {
            q->status = EX_OSERR;
            q->answered = true;
        }
        q->asked = true;
    }
    pthread_cond_broadcast(&o->answered);
    pthread_mutex_unlock(&o->lock);
}

static void take(struct asking *q, const struct message *m, int *fd)
{
    q->answered = true;
    if (m->kind == MESSAGE_FILTER_OPEN) {
        q->status = (int)m->as.FILTER_OPEN.error;
        q->fd = *fd;
        *fd = -1;
        return;
    }
    const struct bytes b = m->as.BODY_IS.bytes;
    q->status = (int)m->as.BODY_IS.status;
    if (q->arena)
        q->bytes = (struct bytes){arena_strndup(q->arena, b.len > 0 ? b.p : "", b.len), b.len};
}

void others_answer(struct others *o, const struct message *m, int fd)
{
    const uint64_t number =
        m->kind == MESSAGE_FILTER_OPEN ? m->as.FILTER_OPEN.ticket : m->as.BODY_IS.transaction;

    pthread_mutex_lock(&o->lock);
    struct asking *q = o->first;
    while (q && (q->answer != m->kind || q->number != number || !q->asked || q->answered))
        q = q->next;
    if (q)
        take(q, m, &fd);
    pthread_cond_broadcast(&o->answered);
    pthread_mutex_unlock(&o->lock);
    fs_close(&fd);
}
