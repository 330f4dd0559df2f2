/*
 * ids: queue ids: the second that a message came in, which of that second it is, and the process
 * that says so.
 *
 * A process numbers its messages; where a second's ids are used up it takes the next one's, and a
 * clock that is put back does not make an id come twice.  Several threads may ask.
 */
#ifndef MCF_MTA_MESSAGE_IDS_H
#define MCF_MTA_MESSAGE_IDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/base/bytes.h"

enum { QUEUE_ID = 14 /* characters */, IDS_A_SECOND = 3600 };

struct ids {
    _Atomic int64_t last; /* number of the last one: IDS_A_SECOND a second */
};

/* From the second behind `used` on. */
void ids_begin(struct ids *s, time_t used);
/* An id that this process has not given, NUL-terminated. */
void ids_next(struct ids *s, time_t now, char id[QUEUE_ID + 1]);
/* The second of the last one. */
time_t ids_second(const struct ids *s);
/* The n-th of a second (0 to IDS_A_SECOND - 1), of process pid. */
void id_write(time_t second, unsigned n, long pid, char id[QUEUE_ID + 1]);
/* Whether it could be one. */
bool id_is_good(struct bytes id);

#endif
