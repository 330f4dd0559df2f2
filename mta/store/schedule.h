/*
 * schedule: which message is due when, which goes first, and how long it is tried.
 *
 * Functions over envelopes, which read no clock: times are passed in, in seconds.  The heap holds
 * entries that their owner keeps; an entry is in one heap at most, and its owner takes it out
 * before it goes.
 */
#ifndef MCF_MTA_STORE_SCHEDULE_H
#define MCF_MTA_STORE_SCHEDULE_H

#include "mta/message/envelope.h"

#define SCHEDULE_NEVER UINT64_MAX

/* Who waits how long: of Precedence: above, at and below 0, and Priority: urgent, normal and
 * non-urgent, which goes before it; reports have one of their own. */
enum urgency { URGENCY_NORMAL, URGENCY_URGENT, URGENCY_NON_URGENT, URGENCY_DSN, URGENCIES };

enum sort_order { /* O QueueSortOrder */
                  SORT_PRIORITY,
                  SORT_HOST,
                  SORT_FILENAME,
                  SORT_TIME,
                  SORT_MODIFICATION,
                  SORT_RANDOM,
                  SORT_NONE
};

struct queue_group { /* a Q line */
    struct bytes name;
    uint64_t interval;   /* I=: seconds; 0: everybody's */
    uint64_t jobs;       /* J=: messages a run; 0: no limit */
    uint64_t runners;    /* R=: at a time; 0: everybody's limit */
    uint64_t recipients; /* r=: a message's; 0: no limit.  Policy splits by it. */
    int64_t nice;        /* N= */
};

struct schedule_settings {
    uint64_t interval;         /* -q, seconds; 0: only when it is asked for */
    uint64_t min_age, max_age; /* O MinQueueAge, MaxQueueAge, seconds; 0: none */
    enum sort_order order;
    int64_t recipient_factor, class_factor, retry_factor, queue_factor;
    uint64_t queue_la;            /* O QueueLA; 0: no limit */
    uint64_t returned[URGENCIES]; /* O Timeout.queuereturn, seconds; SCHEDULE_NEVER */
    uint64_t warned[URGENCIES];   /* O Timeout.queuewarn, seconds; 0: never */
    const struct queue_group *groups;
    size_t ngroups;
};

/* What the options are where nobody set them. */
struct schedule_settings schedule_usual(void);

/* The lower, the sooner: its size, class, recipients that wait, and tries. */
int64_t schedule_priority(const struct schedule_settings *s, const struct envelope *e);
/* Whether a message of that priority only waits while the load is that high. */
bool schedule_only_queued(const struct schedule_settings *s, int64_t priority, uint64_t load);
enum urgency schedule_urgency(const struct envelope *e);
/* When it is tried after its last try: SCHEDULE_NEVER where it is held or in quarantine. */
uint64_t schedule_due(const struct schedule_settings *s, const struct envelope *e);
/* From when on it is given up (RFC 5321 4.5.4.1), and when its sender is warned (SCHEDULE_NEVER:
 * not, or it was). */
uint64_t schedule_expires(const struct schedule_settings *s, const struct envelope *e);
uint64_t schedule_warns(const struct schedule_settings *s, const struct envelope *e);
/* NULL: there is none of this name. */
const struct queue_group *schedule_group(const struct schedule_settings *s, struct bytes name);

/* An entry in the heap, and what it is sorted by among those that are due. */
struct scheduled {
    uint64_t due;
    int64_t priority;
    uint64_t made, tried;
    struct bytes id, host; /* host: of its first recipient */
    uint32_t random;       /* any number */
    size_t at;             /* place in the heap and 1; 0: in none */
};

/* < 0: x goes first.  Those that are the same otherwise go by due time and id. */
int schedule_compare(enum sort_order order, const struct scheduled *x, const struct scheduled *y);
/* The host of an address: behind its last '@', without a dot at its end; the whole of one without.
 */
struct bytes schedule_host(struct bytes address);

struct heap {
    struct arena *arena;
    struct scheduled **v;
    size_t n, room;
};

void heap_init(struct heap *h, struct arena *a);
/* Puts it in, or where it belongs after its due time changed. */
void heap_put(struct heap *h, struct scheduled *s);
void heap_remove(struct heap *h, struct scheduled *s); /* no effect where it is in none */
/* The one that is due first; NULL: it is empty. */
struct scheduled *heap_first(const struct heap *h);

#endif
