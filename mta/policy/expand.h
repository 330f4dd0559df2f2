/*
 * expand: who gets a message in the end: aliases, lists and .forward files put others in a
 * recipient's place (RFC 5321 3.9).
 *
 * A send list holds everybody that was named or put in somebody's place, those of no host first and
 * then by host, as they are delivered to and reported; whoever is there already is not put there
 * again.  A recipient whose own name comes out of his alias is meant himself, where this system has
 * such a user.  What an alias names is looked at from its last address to its first.
 *
 * A list and all that is in it are in its arena, which lives as long; a list belongs to one
 * transaction, and so to one thread at a time.
 */
#ifndef MCF_MTA_EXPAND_H
#define MCF_MTA_EXPAND_H

#include "mta/message/envelope.h"
#include "mta/policy/recipient.h"

enum send_state {
    SEND_OPEN,     /* it is delivered to */
    SEND_EXPANDED, /* others are, in its place */
    SEND_BAD,      /* nobody is */
    SEND_GONE      /* it came of a recipient that was refused, or is another one's double */
};

struct send {
    struct recipient recipient; /* as the envelope is to have it */
    enum send_state state;
    const char *mailer, *host, *user;
    struct send *parent; /* that it came of; NULL: it was named by whoever sent it */
    size_t depth;        /* aliases on the way */
    size_t number;       /* of all, as they came */
    bool himself;        /* "\user": no alias is asked, and it is not the same as "user" */
    bool aliased;        /* there is an alias of this name */
    bool owned;          /* an alias with an owner, a mailing list */
    bool added;          /* by a filter, which may take it out again, and all that came of it */
    bool asked_again;    /* nobody can say now whether there is an alias of this name */
};

/* An address that somebody came to, and that nobody is at. */
struct refused {
    struct recipient recipient;
    const char *reply;
};

struct send_list {
    struct arena *arena;
    struct send **v;
    size_t n, room;
    const char **files; /* lists (:include:) that were read: each is once */
    size_t nfiles, file_room;
    bool names_only; /* nobody is put in the place of those who are named (VRFY) */
    bool adding;     /* a filter adds to it */
    bool no_aliases; /* the same, and there need be nobody of the name but a user */
    /* Who cannot be delivered to is put among `bad`, and all others get it nevertheless: no
     * recipient is refused as a whole. */
    bool tolerant;
    struct refused *bad;
    size_t nbad, bad_room;
};

struct expanded {
    const char *reply;       /* "550 5.1.1 address... User unknown": it is refused; NULL: taken */
    bool later;              /* taken, but somebody has to be asked again */
    const struct send *same; /* it was there already, as this one; else NULL */
};

/* Adds a recipient and all that come of it: `as` has its path (address), NOTIFY and ORCPT; shown:
 * as replies show it.  One that is refused leaves nobody in the list but those that are bad. */
struct expanded expand_add(struct worker *w, struct send_list *l, const struct recipient *as,
                           const char *shown);
/* Takes out an address that was named or added, and all that came of it; of what came of one that
 * was added also a part.  How many there were. */
size_t expand_remove(struct worker *w, struct send_list *l, const char *address);
/* The one that was named last is refused after all: it and all that came of it are taken out. */
void expand_refuse(struct send_list *l);
/* Those that an envelope is to have: all that are open; *n: how many. */
struct recipient *expand_recipients(const struct send_list *l, struct arena *a, size_t *n);

#endif
