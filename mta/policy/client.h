/*
 * client: who a client is by its address (RFC 1912 2.1: names and addresses should lead to one
 * another).
 */
#ifndef MCF_MTA_CLIENT_H
#define MCF_MTA_CLIENT_H

#include <stdbool.h>

#include "lib/base/arena.h"

struct client_name {
    const char *name;    /* the name that leads back to the address, or "[address]" */
    const char *pointer; /* the name that the address has, or "[address]" */
    const char *resolve; /* OK, FAIL (no name), FORGED, TEMP (cannot be said now) */
    const char *peer;    /* pointer and address, as a Received line has them */
};

/* address: "192.0.2.1" or "IPv6:2001:...".  Asks the system's sources of names, and waits. */
struct client_name client_find(struct arena *a, const char *address);

#endif
