/*
 * bytes: a run of bytes somewhere else, of any kind; no NUL need be behind it.
 */
#ifndef MCF_BASE_BYTES_H
#define MCF_BASE_BYTES_H

#include <stddef.h>

struct bytes {
    const char *p; /* NULL: nothing, not even an empty text */
    size_t len;
};

#endif
