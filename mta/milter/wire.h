/*
 * wire: a connection to a filter.
 *
 * Calls wait, each no longer than it is told; a connection belongs to one thread.  What cannot be
 * said in time, or to the end, is over: whoever called closes it.
 */
#ifndef MCF_MILTER_WIRE_H
#define MCF_MILTER_WIRE_H

#include "mta/milter/filters.h"

enum wire_result {
    WIRE_DONE,
    WIRE_LATE,  /* the time was over before the first byte */
    WIRE_STUCK, /* the same behind it */
    WIRE_ENDED, /* the other side closed */
    WIRE_FAILED /* errno says why */
};

/* A connected socket; -1: errno says why. */
int wire_open(const struct filter *f);
/* The same of a local one, whatever its time; errno EAGAIN: it has too many who wait. */
int wire_open_local(const char *path);
enum wire_result wire_write(int fd, const char *p, size_t len, uint64_t seconds);
/* *got: of len bytes, how many came. */
enum wire_result wire_read(int fd, char *p, size_t len, uint64_t seconds, size_t *got);
/* What can be said without waiting, and no more: the end. */
void wire_close(int fd, const char *last, size_t len);

#endif
