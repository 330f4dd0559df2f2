/*
 * collect: what is done with a message's head when the message has come (RFC 5321 4.1.1.4, RFC 5322
 * 3.6), and whether the message is taken.
 *
 * The envelope gets what it keeps of the head: the message's fields, and those of the
 * configuration's H lines, in the order in which they are delivered: the H lines' first, in theirs,
 * but for those that the message has itself.  An H line's text is expanded now, with the macros
 * that the rewriter has now ($g: the sender as it was given); what comes to nothing now (nobody's
 * $g, $u of several recipients), and Return-Path, wait for policy/render.  The queue's id may be
 * another one in the end (of what is split): HEAD_ID (message/head.h) stands in its place, until
 * the store calls head_set_id.
 *
 * Rulesets of H lines (HName: $>rs, H*: $>rs) and check_eoh are asked here, with ${hdr_name},
 * ${hdrlen} and ${currHeader}; ${msg_id} is set.
 *
 * The rewriter is the session's; the evaluation is over afterwards.  All that is given is in the
 * arena, which has to live as long as the envelope; so does the head's text.  A collect belongs to
 * one thread and nothing is kept between two.
 */
#ifndef MCF_MTA_POLICY_COLLECT_H
#define MCF_MTA_POLICY_COLLECT_H

#include <time.h>

#include "lib/rewrite/rewrite.h"
#include "mta/message/envelope.h"
#include "mta/message/head.h"

enum collect_verdict {
    COLLECT_TAKEN,
    COLLECT_REFUSED,      /* with the reply */
    COLLECT_DISCARDED,    /* it is taken, and forgotten */
    COLLECT_TOO_MANY_HOPS /* it is taken, and cannot be delivered: to be reported with `why` */
};

struct collected {
    enum collect_verdict verdict;
    const char *reply;      /* "550 5.7.1 text", without its line end */
    const char *why;        /* of too many hops: "554 5.4.6 Too many hops 26 (25 max): from ..." */
    const char *full_name;  /* of the sender, for $x; NULL: the head says none */
    struct bytes errors_to; /* of the first Errors-To; p is NULL: there is none */
    bool receipt;           /* a Return-Receipt-To is there */
};

/* text: the head, with LF line ends and without NULs.  for_whom: $u, where there is one recipient:
 * "<alice@example.com>" (NULL: none).  r has its session's macros, of collect_set_time, and $x
 * where the sender is local (collect_full_name).  e has its sender, recipients and flags; its
 * header, hops, priority (the class that its Precedence has) and quarantine are set. */
struct collected collect(struct rewrite *r, struct arena *a, struct envelope *e, struct bytes text,
                         const char *for_whom);

/* The same in two steps, between which others look at the head and change it: what is open has
 * Bcc, and no header in the envelope yet.  Nothing is to be closed where it was not taken. */
struct collected collect_open(struct rewrite *r, struct arena *a, struct envelope *e,
                              struct bytes text, const char *for_whom, struct head *head);
void collect_close(struct rewrite *r, struct arena *a, struct envelope *e, struct head *head);

/* Whether it is an H line that adds a field. */
bool collect_is_default(const struct item *it);

/* The configuration's fields for a report of our own, whose header has but its own ones yet. */
void collect_report(struct rewrite *r, struct arena *a, struct envelope *e);
/* Sets the macros of time: $a (when it was written: now, too, but for a line "From "), $b (now),
 * $d (the same as ctime has it) and $t (its digits, UTC). */
void collect_set_time(struct rewrite *r, time_t now);
/* The name that a user's entry in passwd has, written as a phrase if it needs quotes; NULL: none.
 */
const char *collect_full_name(struct rewrite *r, struct arena *a, const char *user);
/* A phrase as it may stand before "<": in quotes where MustQuoteChars wants it. */
const char *collect_phrase(struct rewrite *r, struct arena *a, const char *name);

#endif
