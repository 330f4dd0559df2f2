/*
 * filter_change: what filters change at the end of a message: its head, its body with the store,
 * its sender and recipients.
 *
 * The head is a list of all fields that there were: those of the configuration (H lines), of which
 * the ones that are not used here have no value (p is NULL), but keep their places, by which
 * filters count; then the message's.  One that is deleted loses its value, and is one of the
 * message's for the filter that deleted it.
 */
#ifndef MCF_MTA_POLICY_FILTER_CHANGE_H
#define MCF_MTA_POLICY_FILTER_CHANGE_H

#include "mta/message/head.h"
#include "mta/milter/milter.h"
#include "mta/policy/context.h"

struct asking_filters {
    struct worker *w;
    struct context *c;
    /* Of a message: */
    struct head *head;
    struct arena *scratch;
    size_t at;               /* how far its head was told */
    uint64_t body;           /* bytes of its body */
    size_t changes;          /* so far */
    size_t bytes;            /* of what they say */
    bool replaced;           /* the body, by one of the filters */
    const struct filter *by; /* whose body it is; NULL: it came so */
    bool cr;                 /* the last byte of a new body was one, which waits */
    unsigned seen;           /* SEEN_* of the new body */
};

/* Before the first filter, and behind the last; body: bytes of it as it came. */
void filter_change_open(struct asking_filters *q);
void filter_change_close(struct asking_filters *q, uint64_t body);
/* A filter is about to be told the head. */
void filter_change_begin(struct asking_filters *q);
/* milter_message's; ctx is an asking_filters. */
bool filter_change(void *ctx, const struct filter *f, char letter, const struct change *change,
                   bool right, bool spaced);

/* filtering.c: a line of the log; a text with the queue's id in HEAD_ID's place. */
void filtering_note(const struct asking_filters *q, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct bytes filtering_with_id(const struct asking_filters *q, struct bytes text);

#endif
