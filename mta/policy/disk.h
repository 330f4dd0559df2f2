/*
 * disk: whether there is room for a message where the queue is (O MinFreeBlocks).
 *
 * The store looks once more, and at what has come: this is for clients to hear of it before they
 * send.
 */
#ifndef MCF_MTA_DISK_H
#define MCF_MTA_DISK_H

#include "mta/settings.h"

extern const char disk_full[]; /* the reply */

/* Whether so many bytes leave MinFreeBlocks of 1024 bytes free; true where nobody knows. */
bool disk_has_room(const struct program *p, uint64_t bytes);

#endif
