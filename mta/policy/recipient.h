/*
 * recipient: who delivers to a recipient of an envelope.
 *
 * Its address is parsed; where a local mailer delivers, the ruleset for local users and the list of
 * users are asked too.  Programs, files and lists are nobody's to name but an alias's.
 */
#ifndef MCF_MTA_RECIPIENT_H
#define MCF_MTA_RECIPIENT_H

#include "mta/policy/worker.h"

struct target {
    const struct mailer *mailer; /* NULL: nobody; reply says why */
    const char *host, *user;     /* never NULL */
    const char *home;            /* of a local user; else "" */
    const char *reply;           /* "550 5.1.1 address... User unknown"; NULL where mailer is not */
    bool later;                  /* some map could not say: it may be tried again */
};

enum { RECIPIENT_CHAIN_MAX = 10 }; /* times that a local user is somebody else */

/* text: as it stands in the envelope; shown: as replies show it.  from_alias: an alias' word. */
struct target recipient_target(struct worker *w, const char *text, const char *shown,
                               bool from_alias);
/* The name of a local user (his entry in passwd, RFC 5321 3.5.1) with a blank behind it, or "". */
const char *recipient_full_name(struct worker *w, const char *user);

#endif
