/*
 * drop: messages in files of a folder that everybody may put files into (QueueDirectory.drop): how
 * somebody who may not touch the queue leaves one for whoever has it.
 *
 * The folder belongs to the queue's owner and has the mode 3733: nobody sees what is there, and
 * only the owner of a file, and the queue's, remove it.  A file has the group of the folder, which
 * may read it.  It is a message's envelope and body, with lengths before them and a mark behind;
 * one without the mark is not there yet.  A file that is no such message, or is none of its own
 * (links), is removed; one that was begun a day ago, too.
 *
 * What an envelope says there is believed as far as anybody may say it of his own message: sender,
 * recipients, head, how he is told.  As whom programs are run, who is told in the place of the
 * sender, who logged in: all that is not.
 */
#ifndef MCF_MTA_STORE_DROP_H
#define MCF_MTA_STORE_DROP_H

#include "mta/store/queue.h"

/* The folder of a queue, in the arena. */
const char *drop_folder(struct arena *a, const char *queue);
/* What keeps it from being one, for messages that the store uid takes; NULL: nothing.  *command
 * mends it. */
const char *drop_wrong(struct arena *a, const char *folder, uid_t uid, gid_t gid,
                       const char **command);
/* Makes it where it is missing, by root or its owner; false: it cannot be used. */
bool drop_make(struct arena *a, const char *folder, uid_t uid, gid_t gid);

/* Leaves a message of q there, on the disk.  0, or a sysexits code with errno: it is not there. */
int drop_put(struct queue *q, struct arena *a, const char *folder, const struct stored *m);
/* Puts messages that lie there, at most `most`, into q, and forgets them there once that is
 * committed.  took(ctx, e): one is in the queue.  Nothing else may gather in q.  How many. */
size_t drop_take(struct queue *q, struct arena *a, const char *folder, size_t most, uint64_t now,
                 void (*took)(void *ctx, const struct envelope *e), void *ctx);

#endif
