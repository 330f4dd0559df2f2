/*
 * filters: which filters there are, how they are reached, and what is told to them (X lines, O
 * InputMailFilters, O Milter).
 *
 * Constant, and as long as the program; all of it is the arena's.
 */
#ifndef MCF_MILTER_FILTERS_H
#define MCF_MILTER_FILTERS_H

#include "mta/milter/packet.h"
#include "mta/settings.h"

enum filter_failure {
    FILTER_PASS,   /* go on without it */
    FILTER_REJECT, /* F=R */
    FILTER_LATER,  /* F=T */
    FILTER_CLOSE   /* F=4 */
};

enum filter_time { FILTER_CONNECT, FILTER_WRITE, FILTER_READ, FILTER_END, FILTER_TIMES };

struct filter {
    const char *name;
    const struct item *item;
    uint64_t number;     /* of its X line */
    int family;          /* AF_UNIX, AF_INET, AF_INET6 */
    const char *address; /* a path; a host */
    const char *port;    /* of AF_INET and AF_INET6 */
    enum filter_failure failure;
    uint64_t seconds[FILTER_TIMES]; /* of FILTER_CONNECT 0: as long as the system tries */
};

struct filters {
    const struct filter *const *v; /* in the order in which they are asked */
    size_t n;
};

struct filter_settings {
    const char *macros[MILTER_STAGES]; /* O Milter.macros.NAME, commas between; NULL: none */
    long log_level;                    /* O Milter.LogLevel; -1: as LogLevel says */
    struct filters all;                /* by number */
    struct filters usual;              /* of InputMailFilters */
    struct filters *of_listener;       /* by its number: the same where it says nothing else */
};

/* listeners: of settings_listeners. */
const struct filter_settings *filters_read(struct arena *a, const struct program *p,
                                           const struct listener *listeners, size_t n);
/* Any daemon has filters. */
bool filters_are_asked(const struct filter_settings *s, size_t listeners);

#endif
