/*
 * address: what is done with an address by rulesets (RFC 5321 4.1.2, RFC 5322 3.4).
 *
 * address_parse finds who delivers to it: rulesets canonify (3) and parse (0), and of what they
 * answer the user part by 2, the mailer's recipient ruleset and final (4).  address_remote writes
 * it as a mailer's host is to read it.  Both belong to the rewriter's evaluation; what they give is
 * in its memory, until the next one begins.
 */
#ifndef MCF_REWRITE_ADDRESS_H
#define MCF_REWRITE_ADDRESS_H

#include "lib/rewrite/rewrite.h"

enum { ADDRESS_BYTES_MAX = 255 };

enum address_flags {
    ADDRESS_SENDER = 1, /* else a recipient's */
    ADDRESS_HEADER = 2, /* else the envelope's */
    ADDRESS_BARE = 4    /* without what stands around the mailbox (address_remote) */
};

struct address {
    const struct mailer *mailer; /* NULL: the address is in error */
    const char *host;            /* NULL: there is none */
    const char *user;            /* never NULL */
    bool settled;                /* local: ruleset localaddr is not to be asked any more */
    const char *error;           /* of an address in error: what to say, without its reply code */
    int code;                    /* the same: its sysexits code */
    int reply;                   /* the reply code that it began with, 0: none */
    const char *enhanced;        /* the enhanced code behind that; NULL: none */
    int status;                  /* of the rulesets: EX_TEMPFAIL means to try later */
};

/* Tokens of the text; says what is wrong with it (rewrite_watch.note).  False where there is no
 * address in it, or none that can be taken. */
bool address_scan(struct rewrite *r, const char *text, size_t len, bool comments, int delimiter,
                  struct tokens *ws, size_t *used);
/* The sysexits code that $#error has behind $@ (NULL: nothing stands there): a name, a number or an
 * enhanced code. */
int address_error_code(const char *host);
/* Takes quotes, and the backslashes that they need, out of s. */
void address_unquote(char *s);
/* The address as it stands in a header, with $g in the place of the mailbox. */
const char *address_form(struct rewrite *r, const char *text);
/* False: it cannot be parsed at all. */
bool address_parse(struct rewrite *r, const char *text, unsigned flags, struct address *a);
/* Ruleset localaddr (5) over a user of a mailer that wants it (F=5) and that no alias is: true
 * where it says that somebody else delivers, or cannot say now (status). */
bool address_parse_local(struct rewrite *r, const char *user, struct address *a);
/* NULL: it cannot be read; *status: what the rulesets say.  An address without "@" gets the domain,
 * where that is not NULL ("@example.com"). */
const char *address_remote_in(struct rewrite *r, const char *text, const struct mailer *m,
                              unsigned flags, const char *domain, int *status);
const char *address_remote(struct rewrite *r, const char *text, const struct mailer *m,
                           unsigned flags, int *status);

#endif
