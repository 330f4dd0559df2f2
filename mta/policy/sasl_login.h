/*
 * sasl_login: Cyrus SASL as the client of AUTH (RFC 4954, 4422).
 *
 * A login belongs to one thread at a time; its memory is the library's, until sasl_login_free.
 * Security layers are not negotiated: what protects the connection is TLS.
 */
#ifndef MCF_MTA_SASL_LOGIN_H
#define MCF_MTA_SASL_LOGIN_H

#include "mta/policy/sasl.h"

/* What we log in with; NULL: not known. */
struct sasl_words {
    const char *user;       /* as whom we act */
    const char *id;         /* whose password it is */
    const char *password;   /* decoded */
    const char *realm;      /* NULL: the first that the server has */
    const char *mechanisms; /* that may be used */
};

struct sasl_login;

/* Once a process, before there are threads.  False: there is no such library. */
bool sasl_login_open(void);
/* words outlive it; host: the server's name; bits: of its TLS, 0 where there is none.  NULL:
 * refused by the library. */
struct sasl_login *sasl_login_new(const struct sasl_words *words, const char *host, uint64_t bits);
void sasl_login_free(struct sasl_login *c); /* NULL is fine */
/* offer: the server's mechanisms, blanks between.  NO: none of them will do; else *mechanism is the
 * one, and *initial what is said with it; p is NULL: nothing.  They stay until the next call. */
enum sasl_outcome sasl_login_begin(struct sasl_login *c, const char *offer, const char **mechanism,
                                   struct bytes *initial);
/* The answer to a challenge; NO: there is none. */
enum sasl_outcome sasl_login_step(struct sasl_login *c, struct bytes challenge,
                                  struct bytes *response);

#endif
