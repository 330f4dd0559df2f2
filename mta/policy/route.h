/*
 * route: who gets a message how.
 *
 * Each recipient that waits is parsed; those that one host or program takes together are a plan
 * (plan.def), with head and addresses rewritten for its mailer, and with the hosts to be tried,
 * their addresses found.  What cannot be handed over at all is said in the envelope that is given
 * back: it failed, or has to wait for a map or a name server.
 */
#ifndef MCF_MTA_ROUTE_H
#define MCF_MTA_ROUTE_H

#include "mta/policy/worker.h"
#include "mta/protocol.h"

/* out's texts are the worker's, until it begins the next question. */
void route(struct worker *w, const struct message_ROUTE *ask, struct message_ROUTED *out);

#endif
