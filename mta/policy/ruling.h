/*
 * ruling: what a ruleset says that is asked whether something may be (check_mail and its like).
 *
 * Such a ruleset answers $#error with a code and a text, $#discard, $#error $@ quarantine with a
 * reason, or anything else: consent.  So is a map that could not say, unless rules make something
 * of it (-T).
 */
#ifndef MCF_MTA_RULING_H
#define MCF_MTA_RULING_H

#include "mta/policy/worker.h"

enum ruling_kind { RULING_NONE, RULING_CONSENT, RULING_REFUSED, RULING_DISCARD, RULING_QUARANTINE };

struct ruling {
    enum ruling_kind kind; /* NONE: there is no such ruleset */
    const char *reply;     /* of a refusal: one line, "550 5.7.1 text" */
    int code;              /* its first three digits */
    int status;            /* of $#error: what stands behind $@, as a sysexits code */
    const char *mailer;    /* behind $#; "" where the ruleset answers no triple */
    const char *words;     /* all that stands there, before $@ and $: */
    const char *text;      /* behind $:, or what it answers without a triple */
};

/* What a ruleset has left in ws; all of it is in the arena.  to: as below. */
struct ruling ruling_read(struct rewrite *rw, struct arena *a, const struct tokens *ws,
                          const char *to);
/* Runs the ruleset over the texts, $| between them.  to: the address that a reply begins with,
 * where its code is about one; NULL: none. */
struct ruling ruling_of(struct worker *w, const char *ruleset, const char *const *texts, size_t n,
                        const char *to);
/* Logs the refusal of an address by what it is, and not by a ruleset that was asked: the reply
 * without its codes; a sender's only in JSON. */
void ruling_log_address(struct worker *w, bool recipient, const char *address, const char *reply);
/* Logs a question about somebody: "client: VRFY alice". */
void ruling_log_question(struct worker *w, const char *verb, const char *argument);
/* A reply of this code, text and perhaps enhanced code (NULL: class and .0.0) about `to`. */
char *ruling_reply(struct arena *a, int code, const char *enhanced, const char *to,
                   const char *text);
/* The reply to an address that was refused when it was parsed (what $#error says, or the first of
 * the worker's notes that is worse than a remark); NULL: it is good. */
const char *ruling_of_address(struct worker *w, const struct address *a, bool parsed,
                              const char *to);

/* What tls_srv_features or tls_clt_features says of a session with this one, with the texts of
 * files (CertFile, KeyFile) in place of their paths; "": nothing; NULL: there is to be no TLS. */
const char *ruling_tls_features(struct worker *w, const char *ruleset, const char *name,
                                const char *address);

#endif
