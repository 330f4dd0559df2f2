/*
 * lmtp: LMTP (RFC 2033) as a server on two streams, for local delivery.
 *
 * Transactions over one connection until QUIT or its end; replies are flushed when input is
 * waited for.  An address' domain and what is behind '+' are no part of the user's name.  Each
 * recipient that was accepted has a reply of its own behind the message.  A message without its
 * final dot is delivered to nobody.
 */
#ifndef MCF_MTA_LMTP_H
#define MCF_MTA_LMTP_H

#include "mta/mail_local/local.h"

enum { LMTP_LINE = 2048, LMTP_RECIPIENTS = 1000 };

/* EX_OK, or EX_TEMPFAIL where the connection ended within a message. */
int lmtp_serve(const struct local_settings *s, FILE *in, FILE *out, const char *host,
               bool offer_8bit);

#endif
