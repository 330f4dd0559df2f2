/*
 * coded: a line with codes before its text, "550 5.1.1 user... User unknown", taken apart
 * (RFC 5321 4.2, RFC 3463 2).
 *
 * Nothing is copied: what is found lies in the line.
 */
#ifndef MCF_MTA_CODED_H
#define MCF_MTA_CODED_H

#include "lib/base/bytes.h"

struct coded {
    struct bytes code;     /* three digits, with a blank, a hyphen or the end behind; len 0: none */
    struct bytes enhanced; /* "5.1.1"; len 0: none */
    struct bytes text;     /* what is left */
};

struct coded coded_line(struct bytes line);
/* The same of what stands behind the code. */
struct coded coded_text(struct bytes text);

#endif
