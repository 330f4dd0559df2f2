/*
 * hosts: which hosts are to be tried for a mailer's host, in which order (RFC 5321 5.1, 7505).
 */
#ifndef MCF_MTA_HOSTS_H
#define MCF_MTA_HOSTS_H

#include "mta/policy/worker.h"
#include "mta/protocol.h"

struct hosts {
    struct texts list;  /* name, address and port by turns (plan.def); empty: see answer */
    const char *code;   /* of a failure: enhanced code */
    const char *answer; /* the same: "550 Host unknown"; "": none is given */
    const char *detail; /* the line of a transcript: "550 5.1.2 <a@b>... Host unknown (...)",
                           whose address is "%s" */
    const char *sooner; /* a line that comes of looking them up, which is done early; NULL: none */
    const char *asked;  /* who is said to have failed; "": we did */
    bool later;         /* it may be tried again */
    bool config;        /* whoever runs this machine is to know */
};

/* host: as the ruleset said it: a name, [name] or [address] that is taken as it is, or several with
 * ':' between; mx: MX records are looked for. */
struct hosts hosts_find(struct worker *w, const char *host, const char *port, bool mx);

#endif
