/*
 * parent: starts the other roles, and programs as their users (ARCHITECTURE.md, "The MTA").
 *
 * It opens the ports, forks the roles, and waits: for orders of the store to run programs, for
 * signals, and for the end of a role, behind which all of them are started anew.  It reads nothing
 * that came from outside.  Who comes to the control socket is handed to the store.
 */
#ifndef MCF_MTA_PARENT_H
#define MCF_MTA_PARENT_H

#include "mta/log.h"
#include "mta/peer.h"
#include "mta/protocol.h"
#include "mta/settings.h"

struct parent_setup {
    const struct program *program;
    const struct lookup_world *world;
    const char *host;       /* $j */
    const char *version;    /* $v, and the configuration's $Z */
    const char *error_text; /* O ErrorHeader, expanded */
    uint64_t interval;      /* -q, seconds; 0: nothing is tried again by itself */
    bool listens;           /* -bd, -bD; else only the queue is run */
    bool foreground;        /* -bD */
    char *const *arguments; /* main's, for SIGHUP and the file of the process number */
    /* No daemon: it ends when what is due was tried once, behind the dialogue and the order. */
    bool once;
    bool rests;   /* nothing is delivered */
    bool alone;   /* only the store is started */
    int dialogue; /* -bs: a socket whose other end has the client; -1: there is none */
    int store;    /* the store of whoever has the queue (control.h); -1: one of our own */
    const struct peer *peer; /* of the dialogue */
    /* -bm: sockets whose other ends whoever submits a message has: he asks policy as the front
     * does, and comes to the store as a caller.  All ends when he is gone and what is due was
     * tried.  -1: there is nobody; of the second also: he has come to the store himself. */
    int asks, brings;
    /* A folder for a queue that does not last, in place of QueueDirectory's: what cannot be
     * delivered is left to whoever has that (store/drop.h).  NULL: it is the queue itself. */
    const char *passing;
    bool unable; /* the same: not even one try makes sense here, as files cannot be read */
    const struct log *log; /* NULL: nobody reads it */
    int traffic;           /* front.h */
    struct texts order;    /* what the store is told first; none: nothing */
    /* Its report. */
    void (*report)(void *ctx, uint64_t status, struct bytes text);
    void *report_ctx;
};

/* A sysexits code; says on standard error why it did not start.  Not in the foreground, it comes
 * back twice: with the daemon's status once that works or does not, and in the daemon itself.
 *
 * SIGTERM: no client is let in, and what was begun may end within some seconds; the second one, or
 * the end of that time: at once.  SIGHUP: restart.h. */
int parent_run(struct arena *a, const struct parent_setup *setup);

#endif
