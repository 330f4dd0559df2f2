/*
 * client: SMTP (RFC 5321) and LMTP (RFC 2033) as the client, over one connection; SIZE (1870),
 * 8BITMIME (6152), DSN (3461), PIPELINING (2920), DELIVERBY (2852), ENHANCEDSTATUSCODES (2034),
 * STARTTLS (3207), AUTH (4954).
 *
 * It opens, reads and waits for nothing.  Whoever runs it, the loop, makes a hand_over of a plan,
 * connects to a host of it, and
 *
 *     client_begin     what is to be handed over
 *     client_output    bytes for the host; client_sent says how many of them are gone
 *     client_fetch     which piece of the body is wanted: client_piece
 *     client_input     bytes of the host; client_lost when there are no more
 *     client_tries     whether TLS may be tried: client_may_try
 *     client_wants_tls all output is sent, and TLS is to be made of the connection: what the host
 *                      said before counts for nothing; client_secured, or client_not_secured
 *     client_logs_in   what a login is to say: client_login
 *     client_asks      whether rules are to be asked about the host: client_ruled
 *     client_wait      what is waited for, and how long: client_timeout when that time is over
 *
 * until client_done: then each recipient that was open has its outcome, and client_next says
 * whether another host is to be asked for some of them: with a client of its own, and the same
 * hand_over.  A connection that is client_reusable takes the next one by client_begin; else, or
 * when no more is wanted, client_quit, and on until client_over: then it is closed.
 *
 * Replies are read as the reference reads them: a line that is no reply is passed over, of one with
 * several lines the last says the code.  An answer that is kept has all its lines, LF between.  An
 * enhanced code counts where they were offered and it is of the reply's class.
 *
 * Invariants: no byte behind one that is not sent is asked of the store while more than
 * CLIENT_OUTPUT_FULL wait.  No command holds a byte of an address that is no part of one: CR, LF,
 * NUL.  A message is ended by its dot only if all of it was there.  Every recipient of a hand_over
 * has an outcome when client_done is, whatever the host sends.  The connection's memory is the
 * arena's of client_new and bounded; what belongs to a message is in the hand_over's, and so are
 * the outcomes.
 */
#ifndef MCF_MTA_CLIENT_H
#define MCF_MTA_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/message/secured.h"
#include "mta/policy/login_said.h"
#include "mta/policy/plan.h"

enum {
    CLIENT_OUTPUT_FULL = 32 << 10,
    CLIENT_PIECE = 16 << 10,       /* bytes of a body that are asked for at once */
    CLIENT_REPLY_MAX = 8 << 10,    /* bytes of a reply that are kept */
    CLIENT_REPLY_LINES = 10 << 10, /* a longer one is no reply: the connection counts as lost */
    CLIENT_LINE_MAX = 2 << 10      /* bytes of a line that are looked at */
};

enum client_stage {
#define STAGE(name, ms, option) CLIENT_##name,
#include "mta/front/client.def"
    CLIENT_PIECE_WAIT, /* for a piece of the body */
    CLIENT_TRYING,     /* for what rules say of TLS */
    CLIENT_RULING,     /* for what rules say of the host */
    CLIENT_LOGGING_IN, /* for what a login says */
    CLIENT_IDLE,       /* for client_begin or client_quit */
    CLIENT_OVER
};

/* Milliseconds for each stage; 0: no limit. */
struct client_settings {
    uint64_t ms[CLIENT_PIECE_WAIT];
    const char *name; /* ours ($j): who calls himself so is ourselves; NULL: nobody is */
    bool asks;        /* rules are asked about each host, and each recipient of it, before MAIL */
    bool tls;         /* it can be had */
    bool tries;       /* rules are asked whether it is tried */
    bool falls_back;  /* TLSFallbacktoClear */
    bool logs_in;     /* AUTH, where it is offered and we are known */
    bool author_needs_login; /* AuthOptions=A: AUTH= of MAIL only behind it */
};

/* The defaults. */
struct client_settings client_settings_default(void);
/* The option's name behind "Timeout."; NULL: the stage has none. */
const char *client_stage_option(enum client_stage stage);

/* A plan that is carried out, over one host or more. */
struct hand_over {
    struct arena *arena;
    const struct plan *plan;
    uint64_t size;            /* of the message, for SIZE=; 0: not known */
    uint64_t now;             /* seconds, for BY= */
    struct outcome *outcomes; /* of each recipient */
    struct buf transcript;    /* what hosts refused and what came of it, as reports tell it */
    bool *open;               /* of each: it is (still) to be tried */
};

/* Every recipient is open.  The plan stays as long as the arena. */
struct hand_over *hand_over_new(struct arena *a, const struct plan *p, uint64_t size, uint64_t now);
/* All that are open: outcome `state` with that code and text, said by us; open stays. */
void hand_over_fail(struct hand_over *h, uint64_t state, uint64_t status, const char *code,
                    const char *text);

/* No more hosts are tried: the transcript says what all that are open wait for. */
void hand_over_end(struct hand_over *h);

enum client_next {
    CLIENT_NO_NEXT,   /* all that are open have been tried as they can be */
    CLIENT_NEXT,      /* another host of the plan */
    CLIENT_SAME_HOST, /* the connection had grown stale: the same one by a new connection */
    CLIENT_IN_CLEAR   /* TLS did not come about: the same one, and client_stay_in_clear */
};

struct client_wait {
    enum client_stage stage;
    uint64_t ms;   /* 0: as long as it takes */
    uint64_t step; /* the time is counted anew when this is another one */
};

struct client;

/* host: its name, as in logs; copied. */
struct client *client_new(struct arena *a, const struct client_settings *settings,
                          struct bytes host);
/* When it is new, or client_reusable. */
void client_begin(struct client *c, struct hand_over *h);
/* No connection came about: an errno. */
void client_unreachable(struct client *c, int error);
void client_input(struct client *c, const char *bytes, size_t len);
/* No TLS with this connection: said behind client_new. */
void client_stay_in_clear(struct client *c);
bool client_tries(const struct client *c);
void client_may_try(struct client *c, bool may);
bool client_wants_tls(const struct client *c);
/* v: SECURED_N texts, copied. */
void client_secured(struct client *c, const struct bytes *v);
/* The handshake came to nothing, and the connection is over. */
void client_not_secured(struct client *c);
/* What a login is asked: step: with the host's challenge, decoded, else with the mechanisms that
 * may be tried, blanks between.  True until client_login. */
bool client_logs_in(const struct client *c, bool *step, struct bytes *what);
void client_login(struct client *c, enum login_said said, struct bytes mechanism,
                  struct texts response);
/* The login is over, or there is none; *good: it was accepted. */
bool client_logged_in(const struct client *c, bool *good);
/* Nobody is there any more, and rules are still to say what that means. */
bool client_broken(const struct client *c);
/* What is known of TLS: SECURED_N texts; without it all are empty but SECURED_VERIFY, which is
 * NONE, TEMP: refused for now, CLEAR: given up, SOFTWARE: the handshake came to nothing, PROTOCOL:
 * no answer to STARTTLS. */
const struct bytes *client_found(const struct client *c);
void client_lost(struct client *c);
void client_timeout(struct client *c);
/* False: there is none. */
bool client_output(const struct client *c, struct bytes *bytes);
void client_sent(struct client *c, size_t n);
/* Which piece it waits for: at most *most bytes from *offset on; asked once for each offset, but
 * from 0 on twice where the encoding is changed. */
bool client_fetch(const struct client *c, uint64_t *offset, size_t *most);
/* The bytes that client_fetch wanted; none: the body ends there. */
void client_piece(struct client *c, const char *bytes, size_t len);
/* The body cannot be read: the message is not ended, and the connection is over. */
void client_piece_failed(struct client *c);
/* Rules are to be asked; fresh: about the host itself, too.  True until they have answered. */
bool client_asks(const struct client *c, bool *fresh);
/* Their refusals: of the host, and of each recipient of the plan; empty texts (or no list) are
 * none. */
void client_ruled(struct client *c, struct bytes host, struct texts recipients);
struct client_wait client_wait(const struct client *c);

bool client_done(const struct client *c);
enum client_next client_next(const struct client *c);
/* The host took the message for somebody. */
bool client_took(const struct client *c);
bool client_reusable(const struct client *c);
void client_quit(struct client *c);
bool client_over(const struct client *c);

#endif
