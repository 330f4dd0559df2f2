/*
 * channel: protocol messages over a nonblocking stream socket between two roles.
 *
 * What is sent waits in the channel until the socket takes it: the owner sees by channel_waiting
 * how much that is, and asks less of others while it is much.  What came is read in pieces and
 * taken message by message; a message that is not one, or is not this receiver's, breaks the
 * channel: nothing is read or sent any more, as whoever sent it can no longer be trusted.
 *
 * One descriptor can go with a message (SCM_RIGHTS).  The highest bit of the kind on the wire says
 * so; it comes with the message's first byte, so it is there when the message is whole.
 *
 * A channel has its own memory, which it gives back when it is empty; its socket is closed with it.
 */
#ifndef MCF_MTA_CHANNEL_H
#define MCF_MTA_CHANNEL_H

#include "mta/protocol.h"

enum channel_state {
    CHANNEL_OPEN,
    CHANNEL_ENDED, /* the other side closed; what came before can still be taken */
    CHANNEL_BROKEN /* an error of the socket, or something that is no message */
};

struct channel;

/* Takes fd over, and makes it nonblocking.  The arena only says who is told of refused memory. */
struct channel *channel_new(const struct arena *a, int fd, enum role self, enum role other);
void channel_free(struct channel *c); /* NULL is fine; descriptors that wait are closed */

int channel_fd(const struct channel *c);
enum channel_state channel_state(const struct channel *c);

/* Reads what is there, at most some 100 KiB at a time: where more is there, poll says so again.
 * Texts of messages taken before are gone. */
enum channel_state channel_read(struct channel *c);
/* The next whole message, its lists in a, its texts in the channel until the next channel_read.
 * *fd: the descriptor that came with it, which is the caller's, or -1; where fd is NULL one is
 * closed.  False: none is whole, or the channel broke (channel_state). */
bool channel_next(struct channel *c, struct arena *a, struct message *m, int *fd);

/* Puts m behind what waits, and fd (-1: none) with it, which is the channel's from then on, and is
 * closed once it is sent.  False where m is longer than PROTOCOL_MAX, not for the other side, or
 * the channel is not open: fd is closed then too. */
bool channel_send(struct channel *c, const struct message *m, int fd);
/* Writes what the socket takes. */
enum channel_state channel_flush(struct channel *c);
/* Writes what waits, and takes the next message of this kind, whose memory is as of channel_next;
 * others are passed over.  Waits for it.  False: the other side is gone, or makes no sense. */
bool channel_await(struct channel *c, struct arena *a, enum message_kind kind, struct message *m);
size_t channel_waiting(const struct channel *c); /* bytes that are not written yet */
bool channel_wants_write(const struct channel *c);

#endif
