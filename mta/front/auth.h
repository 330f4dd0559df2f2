/*
 * auth: what AUTH is on the wire (RFC 4954 4): which mechanisms are offered, and what a command's
 * argument is made of; what is said goes in base64.
 */
#ifndef MCF_MTA_AUTH_H
#define MCF_MTA_AUTH_H

#include <stdbool.h>

#include "lib/base/bytes.h"

/* offer: "AUTH PLAIN LOGIN", as EHLO has it. */
bool auth_offers(const char *offer, struct bytes mechanism);
/* "MECHANISM", and what stands behind the blanks. */
void auth_split(struct bytes argument, struct bytes *mechanism, struct bytes *rest);

#endif
