/*
 * sasl: Cyrus SASL as the server of AUTH (RFC 4954, 4422).
 *
 * The library is the process's: sasl_settings_open reads Sendmail.conf and the plugins once, before
 * there are threads.  What it returns is constant and shared; a session of SASL belongs to one
 * thread at a time.  Passwords are looked up by the library (sasldb, saslauthd), which may wait.
 *
 * Security layers are not negotiated: what protects the connection is TLS.
 */
#ifndef MCF_MTA_SASL_H
#define MCF_MTA_SASL_H

#include "mta/protocol.h"
#include "mta/settings.h"

enum sasl_outcome {
    SASL_SAID_CHALLENGE, /* the client has to say more */
    SASL_SAID_YES,
    SASL_SAID_NO
};

struct sasl_settings;
struct sasl_session;

/* What TLS found out; texts are copied. */
struct sasl_connection {
    uint64_t bits;        /* 0: there is no TLS */
    const char *external; /* who the client's certificate says it is; NULL: nobody */
};

/* host: $j.  NULL: the library does not start; *why says so, and lives as long as the arena. */
const struct sasl_settings *sasl_settings_open(struct arena *a, const struct program *p,
                                               const char *host, const char **why);
/* What EHLO offers without TLS: "AUTH CRAM-MD5", "AUTH" where there is no mechanism for this
 * configuration, "" where SASL has none at all. */
const char *sasl_settings_offer(const struct sasl_settings *s);

/* NULL: refused by the library.  Its memory is the library's, until sasl_session_free. */
struct sasl_session *sasl_session_new(const struct sasl_settings *s,
                                      const struct sasl_connection *c);
void sasl_session_free(struct sasl_session *s); /* NULL is fine */
/* The same as sasl_settings_offer, for this connection. */
const char *sasl_session_offer(struct arena *a, struct sasl_session *s);
/* initial: decoded; NULL bytes where none was sent.  The challenge stays until the next call.
 * Behind YES and NO there is nothing more to say. */
enum sasl_outcome sasl_session_start(struct sasl_session *s, const char *mechanism,
                                     struct bytes initial, struct bytes *challenge);
enum sasl_outcome sasl_session_step(struct sasl_session *s, struct bytes response,
                                    struct bytes *challenge);
/* Behind YES: whose password it was; never NULL. */
const char *sasl_session_authenticated(struct sasl_session *s);

#endif
