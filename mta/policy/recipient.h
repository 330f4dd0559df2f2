/*
 * recipient: who delivers to an address of an envelope.
 *
 * The address is parsed; programs, files and lists are nobody's to name but an alias's.  Where a
 * local mailer delivers, aliases are asked first (policy/expand.h), then the ruleset for local
 * users, then the list of users.
 */
#ifndef MCF_MTA_RECIPIENT_H
#define MCF_MTA_RECIPIENT_H

#include "mta/policy/worker.h"

struct target {
    const struct mailer *mailer; /* NULL: nobody; reply says why */
    const char *host, *user;     /* never NULL */
    const char *home;            /* of a local user; else "" */
    const char *reply;           /* "550 5.1.1 address... User unknown"; NULL where mailer is not */
    bool settled;                /* ruleset localaddr has said all */
    bool later;                  /* some map could not say: it may be tried again */
};

enum { RECIPIENT_CHAIN_MAX = 10 }; /* times that a local user is somebody else */

/* text: as it stands in the envelope; shown: as replies show it.  from_alias: an alias' word. */
struct target recipient_parse(struct worker *w, const char *text, const char *shown,
                              bool from_alias);
/* Whom ruleset localaddr has in this one's place (F=5); false: nobody else. */
bool recipient_replaced(struct worker *w, struct target *t, const char *shown);
/* Where its mailer wants a user of this system (F=w): finds the home; mailer NULL: there is no such
 * user. */
struct target recipient_user(struct worker *w, struct target t, const char *shown);
/* All of it, but for aliases: recipients that are final already. */
struct target recipient_target(struct worker *w, const char *text, const char *shown,
                               bool from_alias);
/* The name of a local user (his entry in passwd, RFC 5321 3.5.1) with a blank behind it, or "". */
const char *recipient_full_name(struct worker *w, const char *user);

#endif
