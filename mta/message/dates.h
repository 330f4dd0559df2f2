/*
 * dates: points in time as mail writes them.
 *
 * The zone is the process's (TZ); all functions are safe with threads.
 */
#ifndef MCF_MTA_DATES_H
#define MCF_MTA_DATES_H

#include <stdint.h>

enum { DATE_BYTES = 64 };

/* RFC 5322 3.3: "Tue, 1 Dec 2026 06:43:13 +0100", GMT without an offset. */
void date_mail(uint64_t seconds, char out[DATE_BYTES]);
/* "Tue Dec  1 06:43:13 2026", as in a From_ line. */
void date_unix(uint64_t seconds, char out[DATE_BYTES]);
/* "202612010643", of which names of messages are made; universal time. */
void date_digits(uint64_t seconds, char out[DATE_BYTES]);

#endif
