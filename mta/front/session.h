/*
 * session: SMTP with one client, as the server (RFC 5321; SIZE 1870, PIPELINING 2920, 8BITMIME
 * 6152, DSN 3461, DELIVERBY 2852, ENHANCEDSTATUSCODES 2034, AUTH 4954).
 *
 * It opens, reads and waits for nothing.  Whoever runs it, the loop, does this over and over:
 *
 *     session_output   bytes for the client; session_sent says how many of them are gone
 *     session_question what somebody else has to say something to: session_answer
 *     session_body     bytes of a message's body, for the store; session_body_taken
 *     session_input    bytes of the client
 *     session_wait     what is waited for, and how long: session_timeout when that time is over
 *
 * and, where session_wait says SESSION_WAIT_TLS, once all output is sent, makes TLS of the
 * connection: what came behind the command counts for nothing, and session_secured says what was
 * found out; if it comes to nothing, session_end_of_input.  All that
 *
 * until session_over: then what is left of the output is sent, the connection closed, and policy
 * and store are told that it is gone.  A call of one may change what all others say.
 *
 * The session knows syntax, order, limits and the usual replies; whether an address is one and who
 * may do what is policy's business.  It ends a message at CR LF . CR LF and nowhere else, unless a
 * feature of the connection (features.def) says so; bare CR and LF are refused (lines.h).
 *
 * Invariants: at most one question is open, and while one is, while the session pauses, or while
 * more than SESSION_OUTPUT_FULL bytes of output or SESSION_BODY_FULL bytes of body wait, no input
 * is taken.  Output is whole lines that end with CR LF.  Texts of a question stay until it is
 * answered, bytes of output and body until the next call that changes the session; an answer's
 * texts are read before session_answer returns.  Memory is the arena's, and bounded by the
 * settings: one command line, one reply, one head, SESSION_BODY_FULL, the envelopes of one message.
 * settings are not copied.
 */
#ifndef MCF_MTA_SESSION_H
#define MCF_MTA_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "mta/front/lines.h"
#include "mta/policy/verdict.h"
#include "mta/protocol.h"

enum {
    SESSION_OUTPUT_FULL = 16 << 10,
    SESSION_BODY_FULL = 64 << 10,
    SESSION_LINE_MAX = 2048,      /* bytes of a command with its line end */
    SESSION_RESPONSE_MAX = 12288, /* the same of what answers a challenge (RFC 4954 4) */
    /* Bytes of a head where MaxHeadersLength sets no limit: an END has to fit in one message. */
    SESSION_HEAD_MAX = 16 << 20
};

/* What PrivacyOptions and other options say to everybody. */
enum session_switches {
    SESSION_NEED_MAIL_HELO = 1,
    SESSION_NEED_VRFY_HELO = 2,
    SESSION_NEED_EXPN_HELO = 4,
    SESSION_NO_VRFY = 8,
    SESSION_NO_EXPN = 16,
    SESSION_NO_VERB = 32,
    SESSION_NO_ETRN = 64,
    SESSION_NO_RECEIPTS = 128,      /* DSN is not offered */
    SESSION_ALLOW_BOGUS_HELO = 256, /* AllowBogusHELO */
    SESSION_REJECT_NUL = 512,       /* RejectNUL */
    SESSION_STRICT_8BIT = 1024,     /* EightBitMode=s: such bytes only with BODY=8BITMIME */
    SESSION_SEVEN_BIT = 2048,       /* SevenBitInput: the eighth bit is taken off */
    /* LF alone ends a command, and a CR is part of it: as with the reference, for people who type,
     * and for programs that let their input write commands. */
    SESSION_LAX_COMMANDS = 4096,
    SESSION_SOFT = 8192,           /* SoftBounce: what is refused is refused for now */
    SESSION_SAVE_FROM = 16384,     /* SaveFromLine: a message's line From_ is of its body */
    SESSION_NO_CERTIFICATE = 32768 /* TLSSrvOptions=V: clients are asked for none */
};

struct session_settings {
    const char *name;          /* $j */
    uint64_t switches;         /* SESSION_NO_VRFY ... */
    uint64_t max_size;         /* MaxMessageSize, bytes with LF line ends; 0: no limit */
    uint64_t max_recipients;   /* MaxRecipientsPerMessage; 0: no limit */
    uint64_t max_head;         /* MaxHeadersLength: bytes that are too many; 0: SESSION_HEAD_MAX */
    uint64_t max_noops;        /* MaxNOOPCommands; 0: no limit */
    uint64_t bad_recipients;   /* BadRcptThrottle: behind so many each is slowed down; 0: none is */
    uint64_t bad_recipient_ms; /* BadRcptThrottleDelay */
    int64_t deliver_by_min;    /* DeliverByMin, seconds; negative: DELIVERBY is not offered */
    uint64_t delay_ms;         /* known commands but RSET and QUIT wait so long; it may change */
    uint64_t command_ms;       /* Timeout.command: for each command */
    uint64_t data_ms;          /* Timeout.datablock: for each piece of a message */
    uint64_t tls_ms;           /* Timeout.starttls */
    bool tls;                  /* it can be had */
    /* Whether TLS can be as a client is to have it (tls_srv_features); NULL: always. */
    bool (*tls_fits)(const void *ctx, const char *features);
    const void *tls_ctx;
};

enum session_question_kind {
    SESSION_NONE,
    /* Answer: texts[0] the greeting (SmtpGreetingMessage), texts[1] the client as the reply to
     * HELO names it, texts[2] its features' letters (features.def), texts[3] what EHLO says of
     * AUTH (auth.h), texts[4] what TLS is to be like (tls_srv_features); missing ones are empty.
     * VERDICT_AUTH_REQUIRED: MAIL is refused before AUTH. wait_ms: greet_pause.  A reply refuses
     * all that the client may say, or, with VERDICT_CLOSE, ends the session. */
    SESSION_CONNECT,
    SESSION_HELO,
    SESSION_MAIL,
    SESSION_RCPT,
    /* DATA, VRFY, EXPN, ETRN, HELP.  VRFY, EXPN and HELP have no usual reply. */
    SESSION_COMMAND,
    /* Answer: with VERDICT_CHALLENGE texts[0] is one, which SESSION_AUTH_STEP answers; a reply
     * refuses, and without one the client has logged in. */
    SESSION_AUTH,
    SESSION_AUTH_STEP,
    /* TLS was started.  Answer: texts[0] what EHLO says of AUTH from now on; a reply refuses all
     * that the client may say. */
    SESSION_SECURED,
    /* The message is there.  Answer: texts: its envelopes.  With a reply, without an envelope, and
     * with VERDICT_DISCARD it is dropped; where there is no reply, the client hears that it was
     * taken. */
    SESSION_END,
    /* For the store: commit these envelopes with the body, of which some bytes may wait still.
     * Answer: status, texts: the ids. */
    SESSION_STORE,
    /* The transaction is over: policy forgets it, and the store what it has of a body.  Asked
     * where no STORE came of it, behind an END too.  What is answered does not matter. */
    SESSION_RESET
};

/* Fields as in protocol.def's message of the same name; others are empty.  A path is all that
 * stands between the colon and the parameters, as it was sent: "<a@b>", "a@b", "(c) <a@b" too. */
struct session_question {
    enum session_question_kind kind;
    struct bytes verb;       /* of HELO, COMMAND, in capitals; of AUTH: the mechanism */
    struct bytes argument;   /* of HELO: name, of MAIL and RCPT: path, of COMMAND; of AUTH and
                                AUTH_STEP: what the client says, decoded; p is NULL: nothing yet */
    struct texts parameters; /* of MAIL, RCPT */
    struct bytes wrong;      /* the same: what the client hears where the address is not refused */
    struct bytes head;       /* of END */
    struct texts found;      /* of SECURED: message/secured.def */
    struct texts envelopes;  /* of STORE */
    uint64_t recipients, refused, size, lines, flags;
};

struct session_answer {
    struct bytes reply; /* lines with LF between; empty: the usual one.  Of MAIL, RCPT, COMMAND and
                           HELO it counts as consent where it begins with 2 or 3 */
    uint64_t flags;     /* VERDICT_* */
    uint64_t wait_ms;   /* pause so long before the reply */
    struct texts texts;
    uint64_t status; /* of STORE: 0 or a sysexits code; EX_IOERR, no room, ends the session */
};

enum session_wait_kind {
    SESSION_WAIT_ANSWER,  /* to its question: no time is set */
    SESSION_WAIT_OUTPUT,  /* for output or body to be taken: command_ms or data_ms */
    SESSION_WAIT_COMMAND, /* for input */
    SESSION_WAIT_DATA,
    SESSION_WAIT_GREETING, /* a pause; what comes meanwhile is refused: show it (session_input) */
    SESSION_WAIT_PAUSE,    /* a pause: no input is taken */
    SESSION_WAIT_TLS,      /* for session_secured, or the last output before it */
    SESSION_WAIT_NOTHING   /* it is over */
};

struct session_wait {
    enum session_wait_kind kind;
    uint64_t ms;   /* 0: as long as it takes */
    uint64_t turn; /* while it stays the same, so does the beginning of that time */
};

struct session;

/* Its first question is open: SESSION_CONNECT. */
struct session *session_new(struct arena *a, const struct session_settings *settings);
/* TLS comes first, before the greeting; said at once. */
void session_begin_with_tls(struct session *s);
/* What TLS is to be like; never NULL. */
const char *session_tls_features(const struct session *s);
/* Whether the client is to be asked for a certificate. */
bool session_asks_certificate(const struct session *s);
/* TLS was started; found: as message/secured.def has it, and copied. */
void session_secured(struct session *s, struct texts found);
/* Bytes taken, at most len; 0 where it takes none now.  What it was shown and did not take counts
 * as waiting: a client may not have sent anything behind EHLO and DATA (RFC 2920 3.1). */
size_t session_input(struct session *s, const char *bytes, size_t len);
/* The client sends no more. */
void session_end_of_input(struct session *s);
/* The time that session_wait said is over. */
void session_timeout(struct session *s);
/* The server ends: where no message is on its way, the client is told so, and it is over.  Whether
 * it was ended by that; called again and again until it is. */
bool session_stop(struct session *s);
/* Answers the open question; without one there is no effect. */
void session_answer(struct session *s, const struct session_answer *answer);
/* False: there are none. */
bool session_output(const struct session *s, struct bytes *bytes);
void session_sent(struct session *s, size_t n);
/* Bytes with LF line ends, dots removed; false: there are none now. */
bool session_body(const struct session *s, struct bytes *bytes);
void session_body_taken(struct session *s, size_t n);
/* NULL: none is open. */
const struct session_question *session_question(const struct session *s);
struct session_wait session_wait(const struct session *s);
bool session_over(const struct session *s);

#endif
