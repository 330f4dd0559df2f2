/*
 * help: what HELP says (RFC 5321 4.1.1.8; the texts are in verbs.def).
 */
#ifndef MCF_MTA_HELP_H
#define MCF_MTA_HELP_H

#include "mta/front/reply.h"

/* An empty topic: all that there are. */
void help(struct replies *r, const char *version, struct bytes topic);

#endif
