/*
 * machine: whether this machine has what a configuration needs: names, folders, files, users,
 * programs, ports.
 *
 * It looks and changes nothing, asks for one name, and waits for nothing else.  Each finding has
 * the command that mends it as its hint.  Only what mail cannot be run without is an error.
 */
#ifndef MCF_MTA_MACHINE_H
#define MCF_MTA_MACHINE_H

#include "lib/base/diag.h"
#include "mta/settings.h"

/* host: $j.  ports: whether they are free, too: nobody else may listen yet. */
void machine_check(const struct program *p, const char *host, bool ports, struct diag *d);

#endif
