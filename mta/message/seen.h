/*
 * seen: what was seen in a message while it came (END.flags in protocol.def).
 */
#ifndef MCF_MTA_SEEN_H
#define MCF_MTA_SEEN_H

enum seen_flags {
    SEEN_8BIT = 1, /* bytes above 127, in the head or behind it */
    SEEN_NUL = 2,
    SEEN_CR = 4, /* bare ones (front/lines.h) */
    SEEN_LF = 8
};

#endif
