/*
 * counts: how many connections each address has open, and how many it made of late.
 *
 * "Of late" is a window of some seconds (ConnectionRateWindowSize) that moves in sixths.  Addresses
 * that are silent for a window are forgotten.  Times are the caller's, in seconds.
 */
#ifndef MCF_MTA_COUNTS_H
#define MCF_MTA_COUNTS_H

#include <stdint.h>

struct arena;
struct counts;

struct counts *counts_new(struct arena *a, uint64_t window);
void counts_time(struct counts *c, uint64_t now);
/* A connection was made; it counts for the rate too. */
void counts_enter(struct counts *c, const char *address);
void counts_leave(struct counts *c, const char *address);
uint64_t counts_open(struct counts *c, const char *address);
uint64_t counts_rate(struct counts *c, const char *address);
uint64_t counts_total(struct counts *c); /* of all addresses, in the window */

#endif
