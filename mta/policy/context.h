/*
 * context: what policy keeps of a session: who the client is, the macros' values, and the
 * transaction that is going on.
 *
 * A context belongs to one question at a time (policy.h sees to that), and to whichever worker
 * answers it.  Its arena lives as long as the session, `tx` as long as the transaction.
 */
#ifndef MCF_MTA_CONTEXT_H
#define MCF_MTA_CONTEXT_H

#include "mta/message/envelope.h"
#include "mta/policy/expand.h"
#include "mta/policy/worker.h"

struct milter;
struct sasl_session;

struct context {
    uint64_t session;
    struct arena *arena, *tx;
    struct rewrite_macros *macros;
    const struct listener *listener;
    const char *address, *name; /* the client's: "192.0.2.1" or "IPv6:...", "[192.0.2.1]" */
    const char *peer;           /* "host [address]", and whether that may be forged */
    /* AUTH: what goes on, and how; NULL: nothing does. */
    struct sasl_session *sasl;
    const char *mechanism;
    uint64_t tls_bits;        /* of the connection; 0: there is no TLS */
    const char *tls_external; /* who the certificate of the client is of; NULL: nobody */
    const char *features;     /* letters: what srv_features says, and M= */
    const char *helo;         /* what it calls itself; NULL: it has not said so */
    bool extended;            /* with EHLO */
    bool secured;             /* beneath TLS */
    /* The transaction; sender NULL: there is none. */
    const char *sender;
    struct envelope envelope;
    struct send_list sends;
    const char *only; /* the path, where one alone was named */
    size_t nnamed;    /* recipients that no ruleset refused */
    size_t naccepted; /* of these, those that were taken */
    bool in_dialogue; /* with a user of this system, on standard input */
    bool trusted;     /* the same: who he says he is, is believed */
    bool submitted;   /* on standard input (CONNECT_SUBMISSION): no ruleset is asked who may what */
    uint64_t how;     /* SUBMIT_* */
    const char *warnings; /* lines of X-Authentication-Warning; NULL: none */
    bool bad_head;        /* the head names somebody that cannot be delivered to: nobody gets it */
    bool mails;           /* reports tell of who cannot be delivered to */
    bool discard;         /* what comes is taken and forgotten */
    bool discard_all;     /* of this client */
    /* Filters; NULL: none is asked (any more).  filters_later: they refuse for now all that this
     * client brings. */
    struct milter *milter;
    bool filters_later;
};

struct context *context_new(const struct arena *a, const struct service *s, uint64_t session);
void context_free(struct context *c); /* NULL is fine */
/* The transaction is over. */
void context_reset(struct context *c);

#endif
