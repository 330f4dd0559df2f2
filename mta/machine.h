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

struct machine_setup {
    const char *host; /* $j */
    const char *path; /* of the configuration */
    bool ports;       /* whether they are free, too: nobody else may listen yet */
    bool makes;       /* what we make ourselves need not be there */
    bool no_names;    /* no name server answers: none is asked */
};

/* Whether whoever runs us may read the databases of the configuration, and who it logs in as. */
bool machine_may_read(struct arena *a, const struct program *p);

void machine_check(const struct program *p, const struct machine_setup *how, struct diag *d);

#endif
