/*
 * sandbox: what a role gives up before it works.
 *
 * Without root nothing can be given up but by the front, which is confined all the same.
 */
#ifndef MCF_MTA_SANDBOX_H
#define MCF_MTA_SANDBOX_H

#include "mta/protocol.h"
#include "mta/settings.h"

/* False: it did not work, and the role must not run. */
bool sandbox_enter(const struct program *p, enum role r);

#endif
