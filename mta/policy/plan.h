/*
 * plan: how a message is handed over to one host, program or file (plan.def), and what came of it.
 *
 * Policy makes plans out of an envelope; the front (SMTP and LMTP over the network) or a child of
 * the parent (programs, files) carries them out, and says the outcome of each recipient.  Bytes
 * and lifetimes are as in message/envelope.h.
 */
#ifndef MCF_MTA_PLAN_H
#define MCF_MTA_PLAN_H

#include "mta/protocol.h"

enum plan_kind {
    PLAN_SMTP,
    PLAN_LMTP,
    PLAN_PROGRAM,
    PLAN_FILE,
    PLAN_DISCARD,
    PLAN_NONE /* the envelope says what became of them already; it only has a transcript */
};

#define NUMBER(name) uint64_t name;
#define TEXT(name) struct bytes name;
#define LIST(name) struct texts name;
#define PLAN_RECIPIENT_FIELD(kind, name) kind(name)
struct plan_recipient {
#include "mta/policy/plan.def"
};
#define PLAN_FIELD(kind, name) kind(name)
struct plan {
#include "mta/policy/plan.def"
    struct plan_recipient *recipients;
    size_t nrecipients;
};
#undef NUMBER
#undef TEXT
#undef LIST

/* What came of one recipient. */
struct outcome {
    uint64_t state;       /* RECIPIENT_* of message/envelope.h; WAITS: try again */
    uint64_t status;      /* sysexits code, for logs and exit codes; 0 where it was delivered */
    struct bytes code;    /* enhanced: "5.1.1" (RFC 3463) */
    struct bytes answer;  /* as struct recipient has it: "550 5.1.1 no such user" */
    struct bytes host;    /* the host that it came to; empty: none */
    struct bytes trouble; /* what somebody has to mend, for the log; empty: nothing */
};

void plan_encode(const struct plan *p, struct buf *out);
bool plan_decode(struct arena *a, const char *s, size_t len, struct plan *p);
void outcome_encode(const struct outcome *o, struct buf *out);
bool outcome_decode(struct arena *a, const char *s, size_t len, struct outcome *o);
bool plan_has_flag(const struct plan *p, char flag);
/* What it means that recipient i has got it (`state`) where the sender said by when (RFC 2852);
 * goes_on: whoever has it now sees to that. */
uint64_t plan_arrived(const struct plan *p, size_t i, uint64_t state, bool goes_on);

#endif
