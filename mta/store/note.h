/*
 * note: what the store writes into the log: from= of each message that it takes, to= of each try.
 */
#ifndef MCF_MTA_STORE_NOTE_H
#define MCF_MTA_STORE_NOTE_H

#include "mta/store/parts.h"

void note_from(struct store *s, const struct envelope *e);
/* What came of tries is written when it is durable (note_kept): what the log says was sent is never
 * sent again. */
/* What came of a delivery's n recipients: those that fared alike are in one line. */
void note_outcomes(struct store *s, const struct delivery *d, const struct outcome *o, size_t n);
/* Recipients whom policy has found nobody for in this turn. */
void note_unrouted(struct store *s, struct work *w);
/* The commit has happened. */
void note_kept(struct work *w);

#endif
