/*
 * others: what a worker asks of other roles while it answers a question: the store, of a message
 * that is not kept yet, by way of the front; the parent, for a filter's socket.
 *
 * Workers wait here; the role's loop carries what they ask, and the answers back.  A worker asks
 * one thing at a time, and one worker about a transaction, as a session's context is at one.
 */
#ifndef MCF_MTA_POLICY_OTHERS_H
#define MCF_MTA_POLICY_OTHERS_H

#include "mta/protocol.h"

struct others;

/* wake: an eventfd that the loop looks at. */
struct others *others_new(const struct arena *a, int wake);

/* At most `most` bytes (PROTOCOL_PIECE) of a body from `offset` on, in the arena.  0, or a sysexits
 * code. */
int others_read_body(struct others *o, struct arena *a, uint64_t transaction, uint64_t offset,
                     uint64_t most, struct bytes *out);
/* A piece in the body's place; first: of it all. */
int others_replace_body(struct others *o, uint64_t transaction, bool first, struct bytes piece);
/* A connected socket of the filter of that number; -1: errno says why. */
int others_open_filter(struct others *o, uint64_t filter);

/* The loop's side.  Calls `send` for each question that waits; its texts stay until it returns.
 * False of send: it cannot be asked. */
void others_ask(struct others *o, bool (*send)(void *ctx, const struct message *m), void *ctx);
/* BODY_IS, or FILTER_OPEN with the descriptor, which is whoever's asked. */
void others_answer(struct others *o, const struct message *m, int fd);

#endif
