/*
 * store: the role that keeps messages and has them delivered, as a loop over descriptors.
 *
 * The front brings messages (BODY, COMMIT, DROP); all that wait at a moment are committed at once,
 * and STORED is said behind that.  What is due is sent to policy (ROUTE); each plan that comes back
 * is carried out by the front (HAND_OVER) or, programs and files, by a child of the parent (RUN),
 * which gets a channel of its own with the message RUN, and speaks as the front does there.  Its
 * end without outcomes means that its recipients wait for the next try.
 *
 * Outcomes are committed as they come.  When all plans of a try are through, the message is
 * settled: what is told to whom, what is tried again when, or its removal, in one transaction: a
 * kill neither loses nor doubles a report.  A kill between a delivery and its outcome's commit
 * means another delivery, of the same message by id and Message-Id.  A commit that fails (a full
 * disk) is tried again; to the front it is said at once.
 *
 * Where the front or policy is gone, the store begins nothing more and ends as soon as what is
 * being delivered is through.
 *
 * Callers come from the parent (CALLER), each with a channel of his own; they give orders, and
 * bring messages as the front does.
 *
 * What is here of a message at rest is an entry (when it is due, and in what order); its envelope
 * is read when it is its turn.
 */
#ifndef MCF_MTA_STORE_STORE_H
#define MCF_MTA_STORE_STORE_H

#include "mta/log.h"
#include "mta/store/queue.h"
#include "mta/store/report.h"
#include "mta/store/schedule.h"

struct store_setup {
    int front, policy, parent; /* stream sockets, which are the store's from then on */
    const char *directory;     /* O QueueDirectory */
    struct queue_settings queue;
    struct schedule_settings schedule;
    struct report_settings report; /* but for how long a message was tried */
    uint64_t messages;             /* on their way at a time; 0: the usual 100 */
    uint64_t host_deliveries;      /* to one host at a time; 0: the usual 10 */
    uint64_t host_status;          /* O Timeout.hoststatus, seconds; 0: hosts are not remembered */
    bool rests;                    /* orders are carried out, and nothing is delivered */
    const char *drop;              /* drop.h: what lies there is taken; NULL: nothing */
    bool passes;                   /* what is left behind a first try is put there instead */
    bool drains;                   /* STOP, gracefully: what is due is tried first */
    uint64_t (*load)(void);        /* the machine's load, rounded; NULL: 0 */
    /* One line for the log; NULL: nobody reads it. */
    void (*log)(void *ctx, const char *line);
    void *log_ctx;
    const struct log *events; /* messages that come and go; NULL: nobody reads it */
};

/* Says READY to the parent and works until STOP, or until one of the others is gone.  STOP
 * gracefully: nothing is begun any more, and it ends when the front and all children of the parent
 * have, and no caller brings a message; where it drains, it also ends when what is due was tried
 * and no caller is left.  A second one: at once.  0, or a sysexits code: the queue cannot be opened
 * (READY says why), a channel broke.  The arena is for what lives as long.  SIGXFSZ has to be
 * ignored, where files are limited. */
int store_run(struct arena *a, const struct store_setup *setup);

#endif
