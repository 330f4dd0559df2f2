/*
 * bytes: a run of bytes somewhere else, of any kind; no NUL need be behind it.
 */
#ifndef MCF_BASE_BYTES_H
#define MCF_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* An address without the angle brackets around it; as it is where it has none, or more of them
 * outside of quotes: <a>,<b>. */
static inline struct bytes bytes_in_brackets(struct bytes path)
{
    bool quoted = false;

    if (path.len < 2 || path.p[0] != '<' || path.p[path.len - 1] != '>')
        return path;
    for (size_t i = 1; i + 1 < path.len; i++) {
        if (path.p[i] == '\\')
            i++;
        else if (path.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && (path.p[i] == '<' || path.p[i] == '>'))
            return path;
    }
    return (struct bytes){path.p + 1, path.len - 2};
}

/* Copies them as memcpy does, but is made for a few bytes; returns what is behind them. */
static inline char *bytes_put(char *to, const char *from, size_t len)
{
    uint64_t a, b;
    uint32_t c, d;

    if (len > 2 * sizeof a) {
        memcpy(to, from, len);
    } else if (len >= sizeof a) { /* both may have a part in common */
        memcpy(&a, from, sizeof a);
        memcpy(&b, from + len - sizeof b, sizeof b);
        memcpy(to, &a, sizeof a);
        memcpy(to + len - sizeof b, &b, sizeof b);
    } else if (len >= sizeof c) {
        memcpy(&c, from, sizeof c);
        memcpy(&d, from + len - sizeof d, sizeof d);
        memcpy(to, &c, sizeof c);
        memcpy(to + len - sizeof d, &d, sizeof d);
    } else if (len > 0) {
        to[0] = from[0];
        to[len / 2] = from[len / 2];
        to[len - 1] = from[len - 1];
    }
    return to + len;
}

#endif
