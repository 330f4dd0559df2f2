/*
 * resolver: the domain name system, asked as sendmail asks it, over the C library's resolver.
 *
 * A resolver is one thread's; /etc/resolv.conf (its servers, search list and times) is read when it
 * is made.  It and its answers live in the arenas given; it must be closed.
 *
 * Each question has three outcomes: found, not found, and temporary failure (a server failed,
 * refused or was silent), never a guess: a name is not looked for further down the search list
 * behind one that could not be asked for.  The status beside it is sendmail's sysexits code.
 */
#ifndef MCF_MAPS_RESOLVER_H
#define MCF_MAPS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/maps/map.h"

struct arena;
struct resolver;

struct resolver *resolver_new(struct arena *a);
void resolver_close(struct resolver *r); /* NULL is fine */

/* options: as of ResolverOptions (+AAONLY -DNSRCH ...; what is not known has no effect); NULL:
 * none. short_ipv6: addresses are written as UseCompressedIPv6Addresses has it. */
void resolver_set_options(struct resolver *r, const char *options, bool short_ipv6);
/* Seconds for the first try, and number of tries, from now on; 0: as resolv.conf says. */
void resolver_set_times(struct resolver *r, unsigned seconds, unsigned tries);

struct resolver_record {
    const char *owner;
    unsigned type;                     /* ns_t_a ... of <arpa/nameser.h> */
    uint32_t ttl;                      /* seconds */
    unsigned preference, weight, port; /* of MX, AFSDB and SRV */
    struct map_bytes value; /* a name without the dot behind it; an address, IPv6 ones with IPv6:
                               before it and all parts written, those of IPv4 as such; the first
                               string of TXT; four fields of TLSA; else the data as it came */
};

struct resolver_answer {
    enum map_verdict verdict;
    int status;                            /* EX_OK, EX_NOHOST, EX_TEMPFAIL */
    const char *why;                       /* of a failure; never NULL */
    bool exists;                           /* not found, but the name has other records */
    const struct resolver_record *records; /* those of the type, as they came */
    size_t count;
    const char *name; /* where the records are: behind the search list, and aliases */
    bool alias;       /* there were aliases */
};

/* -1: no such type, or none that sendmail knows. */
int resolver_type(const char *name);
/* search: a name without a dot at its end may be one of the search list's domains. */
void resolver_ask(struct resolver *r, const char *name, int type, bool search, struct arena *a,
                  struct resolver_answer *answer);

/* Where names are looked for beside the domain name system.  NULL: the system's usual. */
struct resolver_sources {
    const char *service_switch; /* ServiceSwitchFile: its line hosts says the order */
    const char *hosts_file;
    const char *host; /* our own full name: its domain is added to a name without one */
    bool whole;       /* names are whole: not looked for in the search list */
};

struct resolver_name {
    enum map_verdict verdict;
    int status;
    const char *why;
    const char *name; /* never NULL: as far as it came */
};

/* The full name of a host or mail domain, as $[ $] gives it: aliases are followed, the search list
 * is used, the case stays. */
void resolver_canon(struct resolver *r, const char *name, const struct resolver_sources *from,
                    struct arena *a, struct resolver_name *answer);
/* The name of an address, without brackets; an IPv6 address with or without IPv6: before it. */
void resolver_reverse(struct resolver *r, const char *address, struct arena *a,
                      struct resolver_name *answer);

struct resolver_exchanger {
    const char *host; /* with a dot behind it; an address in brackets without */
    unsigned preference;
};

struct resolver_mx {
    enum map_verdict verdict;
    int status; /* EX_UNAVAILABLE: a null MX (RFC 7505): the domain takes no mail */
    const char *why;
    const struct resolver_exchanger *list; /* best first; equal ones in an order by chance */
    size_t count;
    bool ours;    /* one of them is this host: those as good as it and worse are not in the list */
    bool implied; /* there are no MX records: the host itself */
};

/* Who takes mail for a domain.  is_ours may be NULL: then all are listed. */
void resolver_mx(struct resolver *r, const char *domain, const struct resolver_sources *from,
                 bool (*is_ours)(void *ctx, const char *host), void *ctx, struct arena *a,
                 struct resolver_mx *answer);

#endif
