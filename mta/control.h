/*
 * control: the socket by which other mcfd processes reach the store of the one that has the queue.
 *
 * A Unix socket of mode 0600, O ControlSocketName or mcfd.control in O QueueDirectory.  The process
 * that has the queue listens there, reads nothing, and hands whoever comes to its store (CALLER of
 * protocol.def), to which he speaks as the front does, and ORDER.
 *
 * Functions that open something give a descriptor, which is the caller's, or -1 with errno.
 */
#ifndef MCF_MTA_CONTROL_H
#define MCF_MTA_CONTROL_H

#include "mta/channel.h"
#include "mta/settings.h"

const char *control_path(struct arena *a, const struct program *p);
/* Takes the place of a socket that nobody listens on; whoever calls has the queue. */
int control_listen(const char *path);
/* The next caller and whose process it is; -1: nobody is there. */
int control_accept(int listening, uint64_t *uid);
/* The store of whoever has the queue, which is there as long as the descriptor is open.  One that
 * starts or ends is waited for, some seconds.  ENOENT: nobody has the queue; EACCES. */
int control_reach(struct arena *a, const struct program *p);

/* One order and its report, over a channel as the front's: waits for it.  False: the other side is
 * gone.  The report's text is in the arena. */
bool control_order(struct arena *a, struct channel *c, struct texts words, uint64_t *status,
                   struct bytes *text);

#endif
