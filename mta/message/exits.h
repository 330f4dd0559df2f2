/*
 * exits: what exit statuses (sysexits.h) mean for recipients, and as lines of a transcript.
 */
#ifndef MCF_MTA_MESSAGE_EXITS_H
#define MCF_MTA_MESSAGE_EXITS_H

#include "mta/message/envelope.h"

struct exit_meaning {
    int code;
    enum recipient_state state;
    const char *reply, *enhanced, *status, *text;
    bool address; /* it is about one address, which stands before the text */
    bool ours;    /* this machine is at fault */
};

/* exits.def; NULL: nobody knows. */
const struct exit_meaning *exit_by_code(uint64_t code);
/* The one whose text this is; NULL: none. */
const struct exit_meaning *exit_by_text(struct bytes text);
/* The status that a delivery to it would have ended with, of a recipient that failed. */
int exit_of(const struct recipient *r);
/* The same of an address that was refused: "550 5.1.1 <a@b>... User unknown". */
int exit_of_reply(const char *reply);
/* "550 5.1.1 <a@b>... User unknown" and its line end, as a transcript has a failure; shown: the
 * address, or several with ',' between. */
void exit_line(struct buf *out, uint64_t code, struct bytes shown);
/* "<a@b>... Deferred: why" and its line end; of `why` the first line. */
void exit_deferred(struct buf *out, struct bytes shown, struct bytes why);

#endif
