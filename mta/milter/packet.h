/*
 * packet: what an MTA and a filter say to one another, as bytes and back.
 *
 * A packet on the wire: its length behind this field (4 bytes, big endian), a letter, data.  What a
 * filter says is not trusted: every length and NUL is looked for inside the packet; what does not
 * read as its letter wants is refused.  Nothing here waits, opens or allocates, but for the list of
 * macros and what is written.
 *
 * What was read points into the bytes, and its texts end with a NUL there.
 */
#ifndef MCF_MILTER_PACKET_H
#define MCF_MILTER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/bytes.h"

enum {
    PACKET_HEAD = 5,      /* the length, and the letter */
    PACKET_MAX = 1 << 20, /* bytes of what a filter says: the largest data size there is */
    PACKET_VERSION = 6,   /* of the protocol */
    PACKET_OLDEST = 2,    /* that a filter may speak */
    PACKET_CHUNK = 65535  /* bytes of a body in one packet */
};

enum milter_stage {
#define STAGE(id, letter, word, macros, list, no, quiet) MILTER_##id,
#include "mta/milter/milter.def"
    MILTER_STAGES
};

enum milter_letter {
#define ANSWER(id, letter) ANSWER_##id = letter,
#include "mta/milter/milter.def"
};

enum milter_action {
#define ACTION(id, bit) ACTION_##id = bit,
#include "mta/milter/milter.def"
};

enum milter_wish {
#define WISH(id, bit) WISH_##id = bit,
#include "mta/milter/milter.def"
};

struct stage {
    char letter;
    const char *word;
    const char *macros; /* Milter.macros.NAME; NULL: it has none */
    int list;           /* the number of its list in a negotiation; -1: none */
    uint32_t no, quiet; /* bits of the protocol: not sent; not answered */
};
extern const struct stage milter_stages[MILTER_STAGES];

/* All bits that there are. */
uint32_t milter_all_actions(void);
uint32_t milter_all_wishes(void);

/* Length and letter of a packet that begins so (PACKET_HEAD bytes); false: it has no letter, or
 * more than PACKET_MAX bytes of data.  *data: bytes behind them. */
bool packet_head(const char *s, char *letter, size_t *data);

/* A packet is begun, its data added with buf_add and the like, and ended. */
size_t packet_begin(struct buf *out, enum milter_stage stage);
void packet_end(struct buf *out, size_t begun);
void packet_number(struct buf *out, uint32_t n);
/* A text and the NUL behind it; one inside it ends it. */
void packet_text(struct buf *out, const char *text, size_t len);

/* What a filter answers to the negotiation. */
struct offer {
    uint32_t version, actions, protocol;
    const char *macros[MILTER_STAGES]; /* of a stage, blanks or commas between; NULL: not said */
};
/* False: it is shorter than an offer.  Lists that are cut off, and of stages that there are not, do
 * not count. */
bool packet_offer(struct arena *a, struct bytes data, struct offer *o);

/* What a filter says beside a letter. */
struct change {
    uint32_t index;        /* of INSERT_HEADER, CHANGE_HEADER */
    struct bytes one, two; /* a header's name and text; an address and its parameters; p is NULL:
                              it is not there */
};
/* Of a letter that changes something; false: it does not read as one. */
bool packet_change(char letter, struct bytes data, struct change *c);

/* A reply as SMTP has it, "550 5.7.1 text", lines with CR LF between, of a text that a filter
 * gives.  False: it is none: no code of the classes 4 and 5, a bare CR or LF, a '%' that is not
 * doubled, no NUL at its end. */
bool packet_reply(struct arena *a, struct bytes data, char **reply);

#endif
