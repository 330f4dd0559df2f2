/*
 * secured: what TLS found out (message/secured.def), as macros and in the log.
 */
#ifndef MCF_MTA_POLICY_SECURED_H
#define MCF_MTA_POLICY_SECURED_H

#include "mta/policy/worker.h"
#include "mta/protocol.h"

/* The macros, of a client or of a host. */
void secured_set(struct worker *w, struct texts found);
/* A line of the log, of the macros' values; side: "server" or "client". */
void secured_log(struct worker *w, const char *side, const char *relay);

#endif
