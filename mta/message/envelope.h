/*
 * envelope: who sent a message, to whom, and what became of them (envelope.def).
 *
 * The store keeps it, policy makes and reads it, the front only carries it.  As bytes it has a
 * version before it; decoding trusts nothing (protocol.h) and gives texts that point into the
 * bytes.  An envelope is changed in place; what is put in has to live as long.
 */
#ifndef MCF_MTA_ENVELOPE_H
#define MCF_MTA_ENVELOPE_H

#include "mta/protocol.h"

enum { ENVELOPE_VERSION = 1 }; /* of what envelope_encode writes: its first number */

enum envelope_flags {
    ENVELOPE_8BIT = 1,     /* BODY=8BITMIME was said */
    ENVELOPE_7BIT = 2,     /* BODY=7BIT was said */
    ENVELOPE_HAS_8BIT = 4, /* there are such bytes in the body */
    ENVELOPE_RET_FULL = 8, /* RET= (RFC 3461 4.3) */
    ENVELOPE_RET_HDRS = 16,
    ENVELOPE_REPORT = 32,    /* a report on another message */
    ENVELOPE_BY_RETURN = 64, /* BY=...;R: a report, and no more tries, when it is late */
    ENVELOPE_BY_TRACE = 128,
    ENVELOPE_HELD = 256,        /* by whoever runs this machine */
    ENVELOPE_CR_LF = 512,       /* bare CR or LF are in it */
    ENVELOPE_COLLECTED = 1024,  /* the configuration's fields are in its header */
    ENVELOPE_FOR_REPORT = 2048, /* of ROUTE: only its head is asked for, as a report has it */
    ENVELOPE_QUEUED = 4096,     /* its first try is a run of the queue (DeliveryMode q, d) */
    ENVELOPE_AWAITED = 8192,    /* STORED is said behind its first try (DeliveryMode i) */
    /* Who failed then is told to whoever waits for it, and in no report (-oep). */
    ENVELOPE_TELLS = 16384,
    ENVELOPE_SUBMITTED = 32768, /* it came on standard input; its sender had no brackets */
    ENVELOPE_OWN = 65536        /* the same, and its sender is who sent it */
};

enum recipient_flags {
    RECIPIENT_IS_FINAL =
        1, /* aliases and .forward files were asked: nothing more is put in its place */
    RECIPIENT_IS_TOO_LARGE = 4, /* the message is, for its mailer or host */
    RECIPIENT_IS_CONFIG = 2,  /* it failed because of the configuration: postmaster is told, too */
    RECIPIENT_IS_LOOPING = 8, /* hops were too many */
    RECIPIENT_IS_PROGRAM = 16 /* its mailer speaks no SMTP */
};

enum notify_flags { /* none: as if failure and delay were wished for */
                    NOTIFY_SUCCESS = 1,
                    NOTIFY_FAILURE = 2,
                    NOTIFY_DELAY = 4,
                    NOTIFY_NEVER = 8,
                    NOTIFY_SAID = 16,  /* NOTIFY= was there */
                    NOTIFY_ONE_OF = 32 /* of several in an alias' place: of no time (RFC 2852) */
};

enum recipient_state {
    RECIPIENT_WAITS,   /* to be tried (again) */
    RECIPIENT_HANDING, /* in flight */
    RECIPIENT_DELIVERED,
    RECIPIENT_RELAYED,  /* to a host that sends no reports */
    RECIPIENT_EXPANDED, /* to other recipients of this envelope */
    RECIPIENT_FAILED,
    RECIPIENT_REPORTED, /* failed, and the sender knows */
    RECIPIENT_PASSED,   /* to a host that sends the reports itself */
    RECIPIENT_IN_TIME,  /* to a host that knows no DELIVERBY (RFC 2852): its sender is told */
    RECIPIENT_TRACED,   /* to one that does, and whoever sent it wants to see its way */
    RECIPIENT_STATES
};

#define NUMBER(name) uint64_t name;
#define TEXT(name) struct bytes name;
#define LIST(name) struct texts name;
#define RECIPIENT_FIELD(kind, name) kind(name)
struct recipient {
#include "mta/message/envelope.def"
};
#define ENVELOPE_FIELD(kind, name) kind(name)
struct envelope {
#include "mta/message/envelope.def"
    struct recipient *recipients;
    size_t nrecipients;
};
#undef NUMBER
#undef TEXT
#undef LIST

void envelope_encode(const struct envelope *e, struct buf *out);
/* False where these are no bytes of an envelope. */
bool envelope_decode(struct arena *a, const char *s, size_t len, struct envelope *e);

/* A C string of the arena. */
char *bytes_string(struct arena *a, struct bytes b);
struct bytes bytes_of(const char *s); /* NULL: nothing */

#endif
