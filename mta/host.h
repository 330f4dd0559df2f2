/*
 * host: what this machine is called, as a configuration sees it ($j, $w, $m, class w).
 *
 * host_find asks the system (uname, the hosts file and the name server, the interfaces); what it
 * gives is in the arena, or lives as long as the process.
 */
#ifndef MCF_MTA_HOST_H
#define MCF_MTA_HOST_H

#include "lib/rewrite/program.h"

enum { HOST_PATIENCE_MS = 700 };

/* probe: also the interfaces, whose names are asked for.  silent is asked when no name server has
 * answered for HOST_PATIENCE_MS: whether to wait on; else what the hosts file knows is all, and the
 * rest is as with host_ask_nobody; the process may not fork then.  NULL: it is waited for. */
struct program_host *host_find(struct arena *a, bool probe, bool (*silent)(void *ctx), void *ctx);

/* The system's own functions ask no name server in this process from now on. */
void host_ask_nobody(void);

#endif
