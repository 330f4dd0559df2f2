/*
 * parameters: what stands behind the path in MAIL and RCPT (RFC 5321 4.1.2; parameters.def).
 *
 * A parameter is NAME or NAME=value; names have letters, digits and '-', and are known in any case;
 * a value ends at a blank or at '='.  The first thing that is wrong with them is what is said. What
 * was found right is left as it was written, for policy to read again.
 */
#ifndef MCF_MTA_PARAMETERS_H
#define MCF_MTA_PARAMETERS_H

#include "mta/protocol.h"

enum parameters_command { PARAMETERS_OF_MAIL, PARAMETERS_OF_RCPT };

struct parameters {
    /* What is allowed: */
    bool dsn;
    int64_t deliver_by_min; /* seconds; negative: no BY */
    uint64_t max_size;      /* bytes; 0: no limit */
    /* What was said: */
    bool eight_bit; /* BODY=8BITMIME */
    bool seven_bit; /* BODY=7BIT */
    uint64_t seen;  /* a bit for each row of parameters.def */
    struct bytes *v;
    size_t n, room;
};

/* Bytes of s[0..len) that are a path: up to the first blank that is in no brackets, quotes or
 * comment; all of them where one of these is not closed. */
size_t parameters_path(const char *s, size_t len);
/* Reads s[0..len) into p, whose v is in the arena and is used again.  False: what is wrong is at
 * the end of `reply` as one reply's text, without a line end. */
bool parameters_read(struct arena *a, struct parameters *p, enum parameters_command command,
                     const char *s, size_t len, struct buf *reply);

#endif
