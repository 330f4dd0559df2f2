/*
 * verdict: what an answer of policy's asks of the front beside its reply (VERDICT.flags in
 * protocol.def).
 */
#ifndef MCF_MTA_VERDICT_H
#define MCF_MTA_VERDICT_H

enum verdict_flags {
    VERDICT_CLOSE = 1,   /* say the reply and close: 421 */
    VERDICT_DISCARD = 2, /* of END: say that it was taken, keep nothing */
    /* Of RCPT: refused, but not counted as a recipient that nobody is (BadRcptThrottle); of a
     * submission: owners of lists are told. */
    VERDICT_UNCOUNTED = 4,
    VERDICT_CHALLENGE = 8,      /* of AUTH: texts[0] is one, and the client has to answer */
    VERDICT_AUTH_REQUIRED = 16, /* of CONNECT: no MAIL without AUTH */
    /* Of CONNECT: it is not the client that is refused: EHLO is answered as usual. */
    VERDICT_BUSY = 32,
    /* Of SUBMIT: the sender is somebody else, who is told in reports; of END: reports tell of all
     * that nobody is at. */
    VERDICT_MAILED = 64,
    /* Of CONNECT: there are filters: commands that nobody knows are asked about, and the whole body
     * is with the store before END. */
    VERDICT_FILTERED = 128,
    /* Of CONNECT: who is refused is not greeted with 220; of HELO: the reply is said from now on to
     * most commands, and this one is answered as usual. */
    VERDICT_UNWELCOME = 256
};

/* SUBMIT.how */
enum submit_how {
    SUBMIT_MAILS_ERRORS =
        1, /* whoever cannot be delivered to is told of in a report, else in answers */
    SUBMIT_NO_ALIASES = 2,
    SUBMIT_OWN = 4,  /* the sender is whoever sends it */
    SUBMIT_QUIET = 8 /* and nobody is told of anything */
};

#endif
