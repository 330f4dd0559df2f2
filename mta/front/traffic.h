/*
 * traffic: -X: what clients and hosts say to us and what they are told, a line each, in one file.
 *
 * "00012 <<< QUIT": the number of the connection, which of the two, the line.  What came has its CR
 * still.  Passwords are among it, as they were sent: the file is its owner's.  A line that cannot
 * be written is lost without a word: mail goes on.
 */
#ifndef MCF_MTA_TRAFFIC_H
#define MCF_MTA_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"

enum { TRAFFIC_LINE = 4096 }; /* bytes of a line: a longer one becomes several */

struct traffic;

/* NULL where fd is -1: then nothing is written. */
struct traffic *traffic_new(struct arena *a, int fd, uint64_t number);
/* All three take NULL. */
void traffic_in(struct traffic *t, const char *bytes, size_t len);
void traffic_out(struct traffic *t, const char *bytes, size_t len);
/* A line of our own about the connection. */
void traffic_note(struct traffic *t, const char *what, const char *with);

#endif
