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

/* A host's name without the dot that may end it; "." stays. */
static inline struct bytes bytes_without_dot(struct bytes host)
{
    if (host.len > 1 && host.p[host.len - 1] == '.')
        host.len--;
    return host;
}

#endif
