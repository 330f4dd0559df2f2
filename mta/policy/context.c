#include "mta/policy/context.h"

#include "lib/base/arena.h"
#include "mta/milter/milter.h"
#include "mta/policy/sasl.h"

struct context *context_new(const struct arena *a, const struct service *s, uint64_t session)
{
    struct arena *own = arena_beside(a);
    struct context *c = arena_alloc(own, sizeof *c);

    c->session = session;
    c->arena = own;
    c->tx = arena_beside(a);
    c->macros = rewrite_macros_new(own, s->program);
    c->listener = s->listeners;
    c->sends.arena = c->tx;
    c->address = c->name = c->peer = c->features = "";
    return c;
}

void context_free(struct context *c)
{
    if (!c)
        return;
    milter_end(c->milter);
    sasl_session_free(c->sasl);
    arena_free(c->tx);
    arena_free(c->arena);
}

void context_reset(struct context *c)
{
    arena_reset(c->tx);
    c->sender = NULL;
    c->envelope = (struct envelope){0};
    c->sends = (struct send_list){.arena = c->tx};
    c->only = NULL;
    c->naccepted = 0;
    c->bad_head = c->mails = false;
    c->warnings = NULL;
    c->discard = c->discard_all;
}
