/*
 * parts: what the files of the store's loop share: store.c (the loop, messages that come), work.c
 * (messages on their way), order.c (mailq and its like).
 *
 * An entry is a message of the queue at rest or on its way; entries are reused.  A work is one try
 * of a message, with its envelope in an arena of its own; a delivery is one plan of it.
 */
#ifndef MCF_MTA_STORE_PARTS_H
#define MCF_MTA_STORE_PARTS_H

#include "mta/channel.h"
#include "mta/policy/plan.h"
#include "mta/store/store.h"

struct work;

enum { ENTRY_HOST = 64 };

/* Whoever brought a message waits for its first try (ENVELOPE_AWAITED). */
struct waiter {
    struct arena *arena;
    struct channel *via; /* NULL: he is gone */
    uint64_t transaction;
    struct texts ids;
    size_t open;          /* of these: not tried yet */
    struct bytes *failed; /* as STORED has them */
    size_t nfailed, failed_room;
    int status; /* of what has to be kept */
    struct waiter *next;
};

struct entry {
    struct scheduled when; /* first: the heap gives it back */
    char id[QUEUE_ID + 1], host[ENTRY_HOST];
    struct work *work;     /* NULL: at rest */
    bool ready;            /* among those of this run */
    struct waiter *waiter; /* NULL: nobody waits */
    size_t place;          /* in store.entries */
    struct entry *next_free;
};

/* To one host, or one program: with how many at a time, and whether it makes sense. */
struct host {
    char *name;
    uint64_t running;
    uint64_t bad_until; /* seconds: it did not answer */
    char *answer;       /* what was said about it then */
    char *code;
};

struct delivery {
    uint64_t number;
    struct work *work;
    struct plan plan;
    struct bytes bytes; /* of the plan */
    struct host *host;
    struct channel *agent; /* of a child of the parent; NULL: the front carries it out */
    bool started;
    struct bytes lines;      /* of the transcript */
    uint64_t begun;          /* when, seconds */
    struct delivery *next;   /* of all, in order */
    struct delivery *behind; /* of the same work, in the order of its plans */
};

/* A line of the log that waits for the commit. */
struct noted {
    struct log_event event;
    struct noted *next;
};

struct work {
    uint64_t number;
    struct arena *arena;
    struct entry *entry;
    struct stored m;
    struct delivery *first, **last; /* all of them, in the order of the plans */
    size_t open;                    /* deliveries that are not through */
    bool routed;                    /* policy has answered */
    bool asked;                     /* for its head, as a report has it */
    struct bytes head;              /* that */
    bool changed;                   /* outcomes wait for a commit */
    bool over;                      /* nothing of it is on its way: to be settled */
    bool removed;                   /* somebody had it removed meanwhile */
    bool settled;                   /* it waits for the commit: what it is then: */
    struct envelope after;
    bool gone;
    bool dropped;    /* it was left to whoever has the queue (drop.h), or was to be: ... */
    int drop_status; /* 0, or a sysexits code: it could not */
    struct report *reports;
    struct noted *noted, **last_noted; /* in their order */
    struct work *next;
};

/* Somebody who came by the control socket. */
struct caller {
    struct channel *channel;
    bool gone; /* goes at the end of the turn */
    struct caller *next;
};

struct incoming {
    struct channel *via; /* who brings it; his transactions have his numbers */
    uint64_t transaction, body;
    int status;
};

/* An answer that waits for the commit. */
struct answer {
    struct channel *via;
    uint64_t transaction;
    int status;
    struct bytes *ids;
    struct envelope *envelopes;
    size_t n;
};

/* A report on an order that waits for the commit, and the entries that the order changed. */
struct ordered {
    struct channel *via; /* who ordered */
    uint64_t order;
    struct bytes text;
    struct entry **changed;
    size_t n;
};

struct store {
    const struct store_setup *setup;
    struct arena *arena;   /* as long as the store */
    struct arena *scratch; /* of one turn of the loop */
    struct queue *queue;
    struct channel *front, *policy, *parent;
    struct caller *callers;
    struct entry **entries;
    size_t nentries, entries_room;
    struct entry *free_entry;
    struct heap heap;
    struct entry **ready; /* of this run, in its order, from `next_ready` on */
    size_t nready, next_ready, ready_room;
    struct work *works;
    size_t nworks;
    struct delivery *deliveries, **last_delivery;
    uint64_t next_number;
    struct table *hosts;
    struct incoming *incoming;
    size_t nincoming, incoming_room;
    struct answer *answers; /* of this turn */
    size_t nanswers, answers_room;
    struct waiter *waiters;
    struct ordered *orders; /* of this turn */
    size_t norders, orders_room;
    uint64_t now;
    uint64_t retry_at; /* a commit failed: when it is tried again */
    uint64_t tend_at;  /* queue_tend */
    uint64_t drop_at;  /* drop_take */
    bool stopping, stop;
    bool front_gone; /* while we are stopping: what it was to hand over is due again later */
    bool alone;      /* stopping, as another role is gone that was not told to */
    int status;
};

void store_log(struct store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A message of the queue, at rest. */
struct entry *store_enter(struct store *s, const struct envelope *e);
void store_leave(struct store *s, struct entry *e);
/* A recipient failed: whoever waits for the message's first try is to hear of it. */
void store_tell(struct waiter *w, const struct recipient *r);
/* It was tried once, or is not to be now: whoever waits for that is told. */
void store_tried(struct store *s, struct entry *e);
/* Sets when it is due by its envelope. */
void store_place(struct store *s, struct entry *e, const struct envelope *env);
/* Nothing is begun any more. */
bool store_is_ending(const struct store *s);
/* Settles what is over, makes all that gathered durable, and answers everybody. */
void store_commit(struct store *s);

/* work.c */
/* Begins what is due. */
void work_start_due(struct store *s);
void work_routed(struct store *s, const struct message_ROUTED *m);
/* via: the channel that it came by.  False: it is none of its deliveries, or they do not fit. */
bool work_fetch(struct store *s, struct channel *via, const struct message_FETCH *m);
bool work_handed_over(struct store *s, struct channel *via, const struct message_HANDED_OVER *m);
/* A child of the parent is gone. */
void work_agent_gone(struct store *s, struct delivery *d);
/* Puts what changed into the queue, and what comes of works that are over. */
void work_settle(struct store *s);
/* The commit has happened, or has not. */
void work_committed(struct store *s, bool done);

/* order.c */
/* An order (ORDER): a verb, its argument where it has one, and whom it is for.
 *     list text|verbose|json WHOM       as mailq, mailq -v, or an array of objects
 *     hold WHOM, release WHOM, remove WHOM, run WHOM
 *     quarantine REASON WHOM            an empty reason ends it
 * WHOM: all, or criteria one after the other, of which each kind that is named has to be met by one
 * of its criteria: [not] id TEXT, recipient TEXT, sender TEXT, quarantine TEXT: it has TEXT in its
 * own; group TEXT: it is of that queue group.
 * REPORT has status 0 and what was asked for, or how many messages it was; EX_USAGE: no order. */
void order_take(struct store *s, struct channel *via, const struct message_ORDER *m);
/* Has tried now what is for a node (NODE): "host": a recipient's address has "@host" in it,
 * "@host": it has "host", "#group": it is of that queue group. */
void order_run_node(struct store *s, struct bytes name);
/* Says REPORT: status is the commit's. */
void order_committed(struct store *s, int status);

#endif
