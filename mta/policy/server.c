#include "mta/policy/server.h"

#include <string.h>

#include "lib/base/arena.h"
#include "mta/message/envelope.h"
#include "mta/policy/ruling.h"

/* {verify} of a connection without TLS. */
static const char no_tls[] = "NONE";

static struct bytes refusal(struct worker *w, const char *ruleset, const char *about)
{
    struct ruling r = ruling_of(w, ruleset, &about, 1, NULL);

    return bytes_of(r.kind == RULING_REFUSED ? r.reply : "");
}

static void set_host(struct worker *w, const struct message_HOST *ask)
{
    size_t len = ask->name.len;

    if (len && ask->name.p[len - 1] == '.')
        len--;
    worker_set(w, "server_name", arena_strndup(w->arena, ask->name.p, len));
    worker_set(w, "server_addr", bytes_string(w->arena, ask->address));
    worker_set(w, "verify", no_tls);
    worker_set(w, "cipher_bits", "");
    worker_set(w, "h", bytes_string(w->arena, ask->to));
    worker_set(w, "f", bytes_string(w->arena, ask->sender));
    if (ask->recipients.n)
        worker_set(w, "u", bytes_string(w->arena, ask->recipients.v[0]));
}

void server_answer(struct worker *w, const struct message_HOST *ask,
                   struct message_HOST_VERDICT *out)
{
    const size_t n = ask->recipients.n;

    worker_begin(w, NULL);
    rewrite_use(w->r, rewrite_macros_new(w->arena, w->service->program));
    struct bytes *list = arena_calloc(w->arena, n, sizeof *list);
    *out = (struct message_HOST_VERDICT){.delivery = ask->delivery, .host = ask->host};
    out->replies = (struct texts){list, n};
    set_host(w, ask);
    if (ask->fresh)
        out->reply = refusal(w, "tls_server", no_tls);
    for (size_t i = 0; i < n; i++)
        list[i] = refusal(w, "tls_rcpt", bytes_string(w->arena, ask->recipients.v[i]));
}
