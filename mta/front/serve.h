/*
 * serve: clients that came to us, of the front's loop.
 */
#ifndef MCF_MTA_SERVE_H
#define MCF_MTA_SERVE_H

#include <sys/socket.h>

#include "mta/front/loop.h"

/* A client has come by this listener: fd is ours. */
void serve_admit(struct front *f, int fd, const struct sockaddr_storage *sa, size_t listener);
/* Serves the client of the front's dialogue. */
void serve_dialogue(struct front *f);
/* Answers of policy and store. */
void serve_verdict(struct front *f, const struct message_VERDICT *v);
void serve_stored(struct front *f, const struct message_STORED *s);
/* READ_BODY, NEW_BODY of policy, for the store: while the client is there, whose end drops the
 * body. */
void serve_carry(struct front *f, uint64_t transaction, const struct message *m);
/* Others may send again: a channel has room. */
void serve_go_on(struct front *f);

#endif
