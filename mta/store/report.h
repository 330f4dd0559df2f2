/*
 * report: reports to senders about their messages (RFC 3461 to 3464), as messages.
 *
 * From an envelope, of which the states of recipients are up to date, comes what is to be sent to
 * whom: head, the text before the original message, and the recipients' part; nothing is read or
 * written.  The caller puts the original's body (where the whole of it is returned) between `text`
 * and `tail`, and marks in the envelope what was reported with report_done, in the same
 * transaction.
 *
 * A report has no sender; one that cannot be delivered goes to DoubleBounceAddress, and one on that
 * is forgotten.  Recipients whose bounces go to an owner are reported there.
 */
#ifndef MCF_MTA_STORE_REPORT_H
#define MCF_MTA_STORE_REPORT_H

#include "mta/message/envelope.h"

/* Where what an owner's deliveries brought about ends in a transcript: what comes behind it is of
 * others, and told to them. */
struct transcript_part {
    struct bytes owner; /* empty: the message's sender */
    size_t end;
};

struct report_settings {
    const char *hostname;      /* $j */
    const char *version;       /* as Received lines have it: "8.17.1.9/8.17.1.9" */
    const char *daemon;        /* $n: "MAILER-DAEMON" */
    const char *double_bounce; /* O DoubleBounceAddress; NULL or empty: nobody */
    const char *copy;          /* O PostmasterCopy; NULL or empty: nobody */
    const char *text; /* O ErrorHeader, expanded: stands before the addresses; NULL: none */
    bool plain;       /* O SendMimeErrors=False */
    bool no_body;     /* PrivacyOptions=nobodyreturn */
    bool no_actual;   /* PrivacyOptions=noactualrecipient */
    uint64_t expires; /* Timeout.queuereturn of this message, seconds: how long it was tried */
    uint64_t warned;  /* Timeout.queuewarn of it */
    struct bytes transcript;             /* of this try: lines, each with its end */
    const struct transcript_part *parts; /* in order */
    size_t nparts;
    struct bytes head; /* the original's, as it would be delivered; empty: as it is kept */
    bool at_fault;     /* this machine is, in what failed first */
    bool from_queue;   /* it was tried when it had been in the queue for a while */
    uint64_t size;     /* that it has in the queue */
};

enum report_kind {
    REPORT_ENDED,  /* recipients that failed, or whose delivery was to be told */
    REPORT_DELAYED /* recipients that wait */
};

struct report {
    struct envelope envelope; /* without id; its header says `id` */
    struct bytes text;        /* of the body, before the original's body */
    struct bytes tail;        /* behind it */
    bool whole;               /* the original's body stands between them */
    uint64_t size;            /* bytes of head, text and tail */
    struct report *next;
};

/* This machine's configuration, or a program of its own, made it fail. */
bool report_is_our_fault(const struct recipient *r);
/* Whether there is anything to tell. */
bool report_is_due(const struct envelope *e, enum report_kind kind);
/* The reports, one for each to whom something is told; NULL: none.  new_id(ctx) gives an id for
 * each.  All is in a. */
struct report *report_make(struct arena *a, const struct report_settings *s,
                           const struct envelope *e, enum report_kind kind, uint64_t now,
                           struct bytes (*new_id)(void *ctx), void *ctx);
/* What was told is marked so that it is not told again. */
void report_done(struct envelope *e, enum report_kind kind);

/* "5 days", "4 hours", "1 minute": the largest unit that is not 0. */
void report_age(struct buf *out, uint64_t seconds);

#endif
