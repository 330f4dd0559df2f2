/*
 * relay: plans that are carried out over the network, of the front's loop.
 *
 * One host after the other is tried, as the plan lists them; a connection that can be used again is
 * kept for a while (ConnectionCacheSize, ConnectionCacheTimeout).
 */
#ifndef MCF_MTA_RELAY_H
#define MCF_MTA_RELAY_H

#include "mta/front/loop.h"

void relay_begin(struct front *f, const struct message_HAND_OVER *m);
void relay_login(struct front *f, const struct message_LOGIN_SAID *m);
void relay_piece(struct front *f, const struct message_PIECE *m);
void relay_verdict(struct front *f, const struct message_HOST_VERDICT *m);
/* Connections that are kept are ended. */
void relay_forget_kept(struct front *f);

#endif
