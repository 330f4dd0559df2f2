#include "mta/policy/secured.h"

#include <syslog.h>

#include "lib/base/arena.h"
#include "mta/message/envelope.h"
#include "mta/message/secured.h"

enum { LEVEL = 9 }; /* as LogLevel counts */

void secured_set(struct worker *w, struct texts found)
{
    static const char *const macros[SECURED_N] = {
#define SECURED(id, macro) macro,
#include "mta/message/secured.def"
    };

    for (size_t i = 0; i < SECURED_N && i < found.n; i++)
        worker_set(w, macros[i], bytes_string(w->arena, found.v[i]));
}

void secured_log(struct worker *w, const char *side, const char *relay)
{
    struct log_event l;

    log_begin(&l, w->service->log, w->arena, LEVEL, LOG_INFO, "starttls", bytes_of(""));
    log_text(&l, "STARTTLS", side);
    log_text(&l, "relay", relay);
    log_text(&l, "version", worker_get(w, "tls_version"));
    log_text(&l, "verify", worker_get(w, "verify"));
    log_text(&l, "cipher", worker_get(w, "cipher"));
    const char *bits = worker_get(w, "cipher_bits");
    log_text(&l, "bits", arena_printf(w->arena, "%s/%s", bits, worker_get(w, "alg_bits")));
    log_detail(&l, "cert-subject", worker_get(w, "cert_subject"));
    log_detail(&l, "cert-issuer", worker_get(w, "cert_issuer"));
    log_end(&l);
}
