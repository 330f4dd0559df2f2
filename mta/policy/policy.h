/*
 * policy: the role that answers what the rulesets say (protocol.def).
 *
 * One thread reads questions and sends answers; workers make them.  A session's context is at one
 * worker at a time, so a lookup that hangs holds up its own session and one worker.  The role ends
 * when the parent or the front is gone.
 */
#ifndef MCF_MTA_POLICY_H
#define MCF_MTA_POLICY_H

#include "mta/policy/worker.h"

struct policy_setup {
    const struct program *program;
    const struct lookup_world *world;
    const struct log *log;    /* NULL: nobody reads it */
    int front, store, parent; /* sockets; -1: there is none */
    int submitter;            /* the same of whoever submits a message, as the front asks */
    bool ends_with_him;       /* it ends when the submitter is gone */
    unsigned threads;
    bool unable;       /* messages are not tried here (parent.h) */
    uint64_t interval; /* seconds between two looks at the queue; 0: there are none */
};

/* A sysexits code. */
int policy_run(struct arena *a, const struct policy_setup *setup);

#endif
