/*
 * queue: messages on disk, in an LMDB environment of its own folder (DIR/mcfd.queue).
 *
 * A body is kept in pieces, an envelope (message/envelope.h) by its queue id beside the number and
 * size of its body; envelopes that came of one transaction share the body, which goes with the last
 * of them.
 *
 * Changes gather in one transaction: queue_commit makes all of them durable with one commit, and
 * nothing may be told to anybody before.  Where one of them fails, or the commit does (the disk is
 * full, or broken), none of them has happened: each of the calls that follow, and queue_commit, say
 * the same status, EX_TEMPFAIL (there is no room: try later) or EX_IOERR.  Bodies that lost pieces
 * by this fail when their envelopes come.  After queue_commit the queue is usable again.  What
 * reads sees what was committed.
 *
 * A kill at any time leaves what was committed.  Pieces of bodies whose envelopes never came are
 * removed when the queue is opened.
 *
 * One process has a queue open for writing at a time (a lock says so), and one thread.
 */
#ifndef MCF_MTA_STORE_QUEUE_H
#define MCF_MTA_STORE_QUEUE_H

#include <sys/types.h>
#include <time.h>

#include "mta/message/envelope.h"
#include "mta/message/ids.h"

enum {
    QUEUE_LOCK_MS = 3000,          /* for who had it before, and was killed, to be gone */
    QUEUE_PIECE = (128 << 10) - 16 /* bytes of a body in one piece, at most: whole pages */
};

struct queue;

struct queue_settings {
    size_t map_size;          /* to begin with, in bytes; it grows as needed; 0: the usual */
    uint64_t min_free_blocks; /* O MinFreeBlocks, of 1 KiB */
    bool inside;              /* the working directory is the queue's folder (queue_make) */
    bool passing;             /* it is not to last: nothing waits for the disk */
};

/* A message as it is kept. */
struct stored {
    struct envelope envelope;
    uint64_t body, body_size; /* number, bytes */
};

/* What keeps a queue of a store that is uid (0: that is us) from being in dir: who else may write
 * there; NULL: nothing.  *command mends it, where there is one. */
const char *queue_wrong(struct arena *a, const char *dir, uid_t uid, gid_t gid,
                        const char **command);
/* Makes the queue's folder in dir where it is missing, and gives it to uid and gid with all that is
 * in it, where uid is not 0: for a store that is not root, in a dir where it may do nothing.  dir
 * has to be there, and nobody but its owner, root, uid, gid or we, may write there.  0, or a
 * sysexits code with *why (of the arena), one line that says the command that mends it where there
 * is one.
 */
int queue_make(struct arena *a, const char *dir, uid_t uid, gid_t gid, const char **why);
/* 0, or a sysexits code with *why.  The folder is made as queue_make makes it, but where we are
 * inside.  One that somebody else still has is waited for, for QUEUE_LOCK_MS.  The arena has to
 * live as long as the queue. */
int queue_open(struct arena *a, const char *dir, const struct queue_settings *s, struct queue **q,
               const char **why);
/* Whether somebody has it open for writing. */
bool queue_is_held(const char *dir);
void queue_close(struct queue *q); /* NULL is fine; what was not committed is gone */

/* Whether size bytes more leave the free blocks that were asked for.  While the disk is so full
 * that the queue lives on its reserve, nothing does; commits, which remove messages, give back
 * room. */
bool queue_has_room(const struct queue *q, uint64_t size);
/* Now and then, between commits: where room is short, what the queue does not need goes back to the
 * disk.  Whether it was. */
bool queue_tend(struct queue *q);

/* A new body; its number is the queue's. */
uint64_t queue_body_begin(struct queue *q);
int queue_body_add(struct queue *q, uint64_t body, struct bytes b);
uint64_t queue_body_size(const struct queue *q, uint64_t body); /* so far, while it is open */
/* It will have no envelope. */
void queue_body_drop(struct queue *q, uint64_t body);

/* An id that no message has had, in the arena. */
struct bytes queue_new_id(struct queue *q, struct arena *a, time_t now);
/* Whether a message has it, of those too that wait for the commit. */
bool queue_has(struct queue *q, struct bytes id);
/* Its n envelopes (n > 0), which have new ids.  The body is closed. */
int queue_add(struct queue *q, uint64_t body, const struct envelope *e, size_t n);
/* EX_NOINPUT: there is none of this id, and nothing has failed. */
int queue_change(struct queue *q, struct bytes id, const struct envelope *e);
int queue_remove(struct queue *q, struct bytes id);
int queue_commit(struct queue *q);
bool queue_is_changed(const struct queue *q); /* envelopes wait for a commit */
/* What went wrong last, for logs: "No space left on device". */
const char *queue_error(const struct queue *q);

/* Texts are in the arena.  False: there is none of this id, or it cannot be read. */
bool queue_get(struct queue *q, struct arena *a, struct bytes id, struct stored *s);
/* Appends at most `most` bytes from offset on, of an open body too; 0 or EX_IOERR.  Nothing is
 * appended at the end. */
int queue_body_read(struct queue *q, uint64_t body, uint64_t offset, uint64_t most,
                    struct buf *out);
/* The one behind `after` in the order of ids (empty: the first one). */
bool queue_next(struct queue *q, struct arena *a, struct bytes after, struct stored *s);
/* Envelopes that nobody can read (of a version to come, or damaged): how many were passed over. */
size_t queue_unreadable(const struct queue *q);

#endif
