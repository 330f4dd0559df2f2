#include "mta/policy/server.h"

#include <string.h>

#include "lib/base/arena.h"
#include "mta/message/envelope.h"
#include "mta/policy/ruling.h"
#include "mta/policy/secured.h"

static struct bytes refusal(struct worker *w, const char *ruleset, const char *about)
{
    struct ruling r = ruling_of(w, ruleset, &about, 1, NULL);

    return bytes_of(r.kind == RULING_REFUSED ? r.reply : "");
}

void server_begin(struct worker *w, struct bytes name, struct bytes address, struct bytes to)
{
    worker_begin(w, NULL);
    rewrite_use(w->r, rewrite_macros_new(w->arena, w->service->program));
    worker_set(w, "server_name", bytes_string(w->arena, bytes_without_dot(name)));
    worker_set(w, "server_addr", bytes_string(w->arena, address));
    worker_set(w, "h", bytes_string(w->arena, to));
}

void server_answer_try(struct worker *w, const struct message_TRY *ask,
                       struct message_HOST_VERDICT *out)
{
    *out = (struct message_HOST_VERDICT){.delivery = ask->delivery, .host = ask->host};
    server_begin(w, ask->name, ask->address, ask->to);
    out->reply = refusal(w, "try_tls", "");
    const char *features = ruling_tls_features(w, "tls_clt_features", worker_get(w, "server_name"),
                                               worker_get(w, "server_addr"));
    struct bytes *list = arena_calloc(w->arena, 1, sizeof *list);
    *list = bytes_of(features ? features : "");
    out->replies = (struct texts){list, 1};
    if (!features && !out->reply.len)
        out->reply = bytes_of("454 4.3.3 TLS is not to be used");
}

static void set_found(struct worker *w, const struct message_HOST *ask)
{
    secured_set(w, ask->found);
    worker_set(w, "f", bytes_string(w->arena, ask->sender));
    if (ask->recipients.n)
        worker_set(w, "u", bytes_string(w->arena, ask->recipients.v[0]));
}

void server_answer(struct worker *w, const struct message_HOST *ask,
                   struct message_HOST_VERDICT *out)
{
    const size_t n = ask->recipients.n;

    server_begin(w, ask->name, ask->address, ask->to);
    struct bytes *list = arena_calloc(w->arena, n, sizeof *list);
    *out = (struct message_HOST_VERDICT){.delivery = ask->delivery, .host = ask->host};
    out->replies = (struct texts){list, n};
    set_found(w, ask);
    if (ask->fresh && *worker_get(w, "tls_version"))
        secured_log(w, "client", bytes_string(w->arena, ask->name));
    if (ask->fresh)
        out->reply = refusal(w, "tls_server", worker_get(w, "verify"));
    for (size_t i = 0; i < n; i++)
        list[i] = refusal(w, "tls_rcpt", bytes_string(w->arena, ask->recipients.v[i]));
}
