/*
 * secured: what TLS found out about a connection, as the roles tell one another: texts by number
 * (secured.def).
 *
 * {verify} is OK: the certificate is of an authority that we know; FAIL: it is not, or is over, or
 * was called back; NO: there is none; NOT: none was asked for.  Names and their parts have no
 * blanks, brackets, quotes or control characters: those are written as + and two hexadecimal
 * digits.
 */
#ifndef MCF_MTA_SECURED_H
#define MCF_MTA_SECURED_H

enum secured {
#define SECURED(id, macro) SECURED_##id,
#include "mta/message/secured.def"
    SECURED_N
};

#endif
