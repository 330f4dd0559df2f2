/*
 * listen: the ports that the configuration's O DaemonPortOptions lines name.
 */
#ifndef MCF_MTA_LISTEN_H
#define MCF_MTA_LISTEN_H

#include "mta/settings.h"

struct listening {
    int *fds;          /* nonblocking sockets that listen */
    size_t *listeners; /* whose number of the settings' listeners each is */
    size_t n;
};

/* Opens all of them.  False: *why (of the arena) says which one cannot be had, and what to do;
 * those that were opened are closed. */
bool listen_all(struct arena *a, const struct listener *l, size_t n, struct listening *out,
                const char **why);

#endif
