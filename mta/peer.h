/*
 * peer: who is at the other end of a socket, as rules and Received lines have it.
 */
#ifndef MCF_MTA_PEER_H
#define MCF_MTA_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { PEER_TEXT = 64 };

struct peer {
    /* "192.0.2.1", "IPv6:2001:db8:0:0:0:0:0:1", "[UNIX: localhost]" */
    char address[PEER_TEXT], local[PEER_TEXT]; /* theirs and ours; empty: none */
    uint64_t port, local_port;
};

void peer_describe(const struct sockaddr_storage *sa, char out[PEER_TEXT], uint64_t *port);
/* False: fd is no connected socket; *out is empty then. */
bool peer_of(int fd, struct peer *out);
/* What is written goes at once: a short last piece would wait for the other end to acknowledge the
 * one before, which it puts off for 40 ms.  Other sockets than those of TCP stay as they are. */
void peer_no_delay(int fd);

#endif
