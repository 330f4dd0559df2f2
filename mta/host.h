/*
 * host: what this machine is called, as a configuration sees it ($j, $w, $m, class w).
 *
 * host_find asks the system (uname, the hosts file and the name server, the interfaces); what it
 * gives is in the arena.
 */
#ifndef MCF_MTA_HOST_H
#define MCF_MTA_HOST_H

#include "lib/rewrite/program.h"

/* probe: also the interfaces, whose names are asked for. */
struct program_host *host_find(struct arena *a, bool probe);

#endif
