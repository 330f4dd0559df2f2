/*
 * errand: what a child that the parent forked for a RUN does: it becomes the plan's user, hands the
 * message over (agent.h), and says the outcomes to the store, over the socket that came with RUN.
 */
#ifndef MCF_MTA_ERRAND_H
#define MCF_MTA_ERRAND_H

#include "lib/rewrite/program.h"
#include "mta/protocol.h"

/* The child's exit status.  fd is its own; program says what DontBlameSendmail forgives. */
int errand_run(struct arena *a, int fd, const struct message_RUN *m, const struct program *program);

#endif
