/*
 * tls: one end of TLS, by OpenSSL, without I/O.
 *
 * A context is what all connections of a side have in common: it is made before the sandbox is
 * entered, since certificates, keys, authorities and lists of what was called back are files; none
 * is opened later.  What an end does:
 *
 *     tls_take     bytes of the peer
 *     tls_sending  bytes for the peer; tls_sent says how many of them are gone
 *     tls_read     what the peer says, decrypted
 *     tls_write    what is said to it
 *
 * and the handshake goes on with tls_take by itself.  A certificate that is not verified does not
 * end it: what rules make of it is theirs.  Sessions are not resumed.
 *
 * Memory is the library's, until tls_free and tls_context_close.  An end holds at most one piece of
 * what the peer sent beside what it has decrypted: nothing is taken while tls_read has not given
 * all.
 */
#ifndef MCF_MTA_TLS_H
#define MCF_MTA_TLS_H

#include <stdbool.h>

#include "lib/base/bytes.h"
#include "mta/message/secured.h"
#include "mta/settings.h"

enum { TLS_PIECE = 16 << 10 };

enum tls_side { TLS_AS_SERVER, TLS_AS_CLIENT };

enum tls_state {
    TLS_SHAKES,
    TLS_OPEN,
    TLS_ENDED, /* the peer says nothing more */
    TLS_FAILED
};

struct tls_context;
struct tls;

/* NULL: there is no TLS for this configuration; *why says why, with the option that it is about in
 * *option and perhaps what mends it.  Otherwise *why may say what is not as configured; NULL: all
 * is.  Texts live as long as the arena. */
struct tls_problem {
    const char *why, *option, *command;
};
struct tls_context *tls_context_open(struct arena *a, const struct program *p, enum tls_side side,
                                     struct tls_problem *problem);
void tls_context_close(struct tls_context *c); /* NULL is fine */

/* asks: a server asks for the client's certificate.  name: of the server, for a client; NULL: none.
 * features: what tls_srv_features or tls_clt_features says: "Options=...; CipherList=...;
 * CipherSuites=...; CertFile=...; KeyFile=...", the last two with the files' texts.   NULL: no
 * memory, or features that do not fit. */
struct tls *tls_new(const struct tls_context *c, bool asks, const char *name, const char *features);
/* Whether there can be a session with them. */
bool tls_fits(const struct tls_context *c, const char *features);
void tls_free(struct tls *t); /* NULL is fine */

/* At most TLS_PIECE bytes; all are taken. */
void tls_take(struct tls *t, const char *bytes, size_t len);
/* The peer's connection ends. */
void tls_end(struct tls *t);
enum tls_state tls_state(const struct tls *t);
/* Behind TLS_FAILED: the library's word for it; never NULL. */
const char *tls_failure(const struct tls *t);
/* False: there is nothing to send now. */
bool tls_sending(struct tls *t, struct bytes *bytes);
void tls_sent(struct tls *t, size_t n);
/* Bytes that were read into out; 0: none are there. */
size_t tls_read(struct tls *t, char *out, size_t room);
/* Bytes that were taken; 0: something has to be sent first, or it is not open. */
size_t tls_write(struct tls *t, const char *bytes, size_t len);
/* Nothing more is said. */
void tls_close(struct tls *t);

/* When it is open: v has SECURED_N places; texts are in the arena. */
void tls_found(const struct tls *t, struct arena *a, struct bytes *v);
/* What {cert_subject} and its like are written as: appended to b. */
struct buf;
void tls_escape(const char *bytes, size_t len, struct buf *b);

#endif
