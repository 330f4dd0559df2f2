/*
 * doors: the ports, and whether clients are let in.
 *
 * A connection is refused, as where nobody listens, while the machine's load has reached RefuseLA,
 * or MaxDaemonChildren clients are there.  It waits for the next second where
 * ConnectionRateThrottle of them came in this one, and where there are no descriptors left.  While
 * the load has reached DelayLA commands wait for a second (session_settings.delay_ms).  Loads are
 * rounded.
 *
 * Refusing is shutdown of the listening socket, which others have open too; listen undoes it.
 */
#ifndef MCF_MTA_DOORS_H
#define MCF_MTA_DOORS_H

#include "mta/front/loop.h"

/* Listens; false: it cannot. */
bool doors_open(struct front *f);
/* A second is over. */
void doors_tick(struct front *f);
/* A client has left. */
void doors_left(struct front *f);
/* Nobody is let in any more.  Who comes waits for those that listen behind us, if there are any. */
void doors_close(struct front *f);

#endif
