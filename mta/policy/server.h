/*
 * server: what policy answers to the front about a host that a message is handed to (HOST): what
 * tls_server says of the host, and tls_rcpt of each recipient.  A ruleset that is not there says
 * nothing against anything.  The answer's texts are the worker's, until its next question.
 */
#ifndef MCF_MTA_SERVER_H
#define MCF_MTA_SERVER_H

#include "mta/policy/worker.h"
#include "mta/protocol.h"

void server_answer(struct worker *w, const struct message_HOST *ask,
                   struct message_HOST_VERDICT *out);

#endif
