/*
 * listen: the ports that the configuration's O DaemonPortOptions lines name.
 *
 * A process that was started in another's place has that one's sockets (LISTEN_INHERITED, numbers
 * with commas between them): those that are still wanted go on, so that no client is refused.  A
 * port that somebody else has is waited for: those of a process that was killed may need a moment
 * to be gone.
 */
#ifndef MCF_MTA_LISTEN_H
#define MCF_MTA_LISTEN_H

#include "mta/settings.h"

#define LISTEN_INHERITED "MCFD_SOCKETS"

enum { LISTEN_WAIT_MS = 900 }; /* the usual */

struct listening {
    int *fds;          /* nonblocking sockets that listen */
    size_t *listeners; /* whose number of the settings' listeners each is */
    size_t n;
};

/* Whether we were started in another's place. */
bool listen_is_inherited(void);
/* Opens all of them.  False: *why (of the arena) says which one cannot be had, and what to do;
 * those that were opened are closed. */
bool listen_all(struct arena *a, const struct listener *l, size_t n, int wait_ms,
                struct listening *out, const char **why);

#endif
