/*
 * server: what policy answers to the front about a host that a message is handed to (HOST): what
 * try_tls says of TLS, tls_server of the host, and tls_rcpt of each recipient.  A ruleset that is
 * not there says nothing against anything.  The answer's texts are the worker's, until its next
 * question.
 */
#ifndef MCF_MTA_SERVER_H
#define MCF_MTA_SERVER_H

#include "mta/policy/worker.h"
#include "mta/protocol.h"

/* A question about a host begins: its macros.  The fields are those of HOST. */
void server_begin(struct worker *w, struct bytes name, struct bytes address, struct bytes to);
/* Whether TLS may be tried with it: a reply says no. */
void server_answer_try(struct worker *w, const struct message_TRY *ask,
                       struct message_HOST_VERDICT *out);
void server_answer(struct worker *w, const struct message_HOST *ask,
                   struct message_HOST_VERDICT *out);

#endif
