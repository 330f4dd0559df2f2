/*
 * protocol: messages between the roles (protocol.def), as bytes and back.
 *
 * A message on the wire: its length behind this field (4 bytes, big endian), its kind (2), then
 * its fields: NUMBER 8 bytes, TEXT a length of 4 and its bytes, LIST a count of 4 and its texts.
 * Nothing is trusted: a length beyond the message, a list with more texts than bytes, a kind that
 * is not the receiver's, bytes left over: each is refused, and whoever sent it is taken to be
 * broken.
 *
 * Decoded texts point into the bytes that were read; lists are in the arena.
 */
#ifndef MCF_MTA_PROTOCOL_H
#define MCF_MTA_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/bytes.h"

enum {
    PROTOCOL_HEAD = 6,
    PROTOCOL_MAX = 64 << 20,  /* bytes of one message */
    PROTOCOL_PIECE = 64 << 10 /* bytes of a body in one message, at most */
};

/* CONNECT.listener of a client on standard input, and of a message there. */
#define CONNECT_DIALOGUE UINT64_MAX
#define CONNECT_SUBMISSION (UINT64_MAX - 1)
/* RCPT.recipients of those that the head of a submitted message names. */
#define RCPT_OF_HEAD UINT64_MAX

enum role { ROLE_PARENT, ROLE_FRONT, ROLE_POLICY, ROLE_STORE, ROLE_ANY };

struct texts {
    const struct bytes *v;
    size_t n;
};

enum message_kind {
    MESSAGE_NONE,
#define MESSAGE(name, from, to, fields) MESSAGE_##name,
#include "mta/protocol.def"
    MESSAGE_KINDS
};

/* struct message_connect ... */
#define NUMBER(name) uint64_t name;
#define TEXT(name) struct bytes name;
#define LIST(name) struct texts name;
#define MESSAGE(name, from, to, fields)                                                            \
    struct message_##name {                                                                        \
        fields                                                                                     \
    };
#include "mta/protocol.def"
#undef NUMBER
#undef TEXT
#undef LIST

struct message {
    enum message_kind kind;
    union {
#define MESSAGE(name, from, to, fields) struct message_##name name;
#include "mta/protocol.def"
    } as;
};

const char *message_name(enum message_kind kind);
/* Whether `to` takes this kind from `from`. */
bool message_is_for(enum message_kind kind, enum role from, enum role to);

/* Appends it to out.  False where it is longer than PROTOCOL_MAX: out is as it was. */
bool message_encode(const struct message *m, struct buf *out);
/* Bytes of the message that s begins with; 0: more are needed to say; -1: there is none. */
long message_length(const char *s, size_t len);
/* One message of exactly len bytes; false where it is none. */
bool message_decode(struct arena *a, const char *s, size_t len, struct message *m);

#endif
