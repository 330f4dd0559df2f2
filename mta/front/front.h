/*
 * front: the role that speaks to the network (protocol.def).
 *
 * It accepts clients, runs their sessions (session.h), carries out plans (client.h), and asks
 * policy and store for everything else.  One loop, one thread; no files, no names: addresses come
 * with the plans.  A dialogue (-bs) is a client that is there from the start; the parent hears when
 * it is over (OVER).  The role ends when one of the others is gone, or when the parent says so and
 * all that was begun is over.
 */
#ifndef MCF_MTA_FRONT_H
#define MCF_MTA_FRONT_H

#include "mta/peer.h"
#include "mta/settings.h"

struct front_setup {
    const struct program *program;
    const char *host;        /* $j */
    const int *listening;    /* sockets that listen, one for each of ... */
    const size_t *listeners; /* ... these numbers of O DaemonPortOptions lines */
    size_t n;
    int dialogue;            /* -bs: a socket to the client on standard input; -1: there is none */
    const struct peer *peer; /* who that is; its address may be "root@localhost" */
    int traffic;             /* of -X, appended to; -1: none */
    const struct tls_context *tls_server, *tls_client; /* NULL: there is none */
    int policy, store, parent;
};

/* A sysexits code. */
int front_run(struct arena *a, const struct front_setup *setup);

#endif
