/*
 * lookup: the maps that a configuration declares (its K lines), asked as sendmail asks them.
 *
 * lookup_maps are the declarations: filled once, then constant, and shared by all threads.
 * lookup_session is one thread's view of them: open files, connections, caches; maps are opened at
 * their first lookup.  Both live in the arena that made them; a session must be closed.
 *
 * A lookup has three outcomes (lib/maps/map.h): found, not found, and temporary failure, when it
 * cannot be said now: never a guess.  The status beside it is the sysexits code that sendmail has
 * for the same case, which is what address-test mode prints.  A map that was declared and cannot
 * be opened is a temporary failure, unless it is optional (-o), then nothing is in it.
 *
 * What is common to all classes is done here and nowhere else: the flags of lookup_flags, quotes
 * and case of the key, %0 to %9 in values, -a, -T, -m.  A class (lookup_class.h) only looks up.
 */
#ifndef MCF_MAPS_LOOKUP_H
#define MCF_MAPS_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/source.h"
#include "lib/maps/map.h"

struct arena;
struct diag;
struct lookup_maps;
struct lookup_map; /* one declaration */
struct lookup_session;
struct resolver; /* lib/maps/resolver.h */
struct trust;    /* lib/base/trust.h */

/* What a session needs from outside; owned by the caller, valid as long as the session.  What is
 * NULL is not there: a map that needs it fails temporarily. */
enum { LOOKUP_WARNING = -1 };

struct lookup_world {
    struct resolver *resolver;
    const char *host; /* our own full name, for bestmx */
    /* By whose rights files count as readable, which may be who a process was before it gave that
     * up, and what is forgiven of them (lib/base/trust.h); NULL: files are trusted where this
     * process may read them. */
    const struct trust *trust;
    /* Class macro: stores a value (NULL: removes it) under a name without braces. */
    void (*set_macro)(void *ctx, struct map_bytes name, const struct map_bytes *value);
    void *macros;
    /* Class syslog. */
    void (*log)(void *ctx, int priority, const char *text);
    void *logger;
    /* What a map says beside its answer, when it is asked.  status: EX_OK for a line that rules'
     * address-test mode shows; else the sysexits code of what went wrong, or LOOKUP_WARNING, and a
     * line for the log. */
    void (*tell)(void *ctx, int status, const char *text);
    void *listener;
    const char *service_switch; /* ServiceSwitchFile; NULL: the system's */
    const char *hosts_file;     /* HostsFile */
    const char *userdb_spec;    /* UserDatabaseSpec */
    const char *ldap_defaults;  /* LDAPDefaultSpec */
    char space;                 /* BlankSub, where a map has no -S */
    bool deferred;              /* delivery is deferred: maps with -D are not asked */
    unsigned timeout_ms;        /* for one lookup over a network; 0: 30 seconds */
};

struct lookup_answer {
    enum map_verdict verdict;
    int status; /* EX_OK where it was found, EX_UNAVAILABLE, EX_NOHOST, EX_TEMPFAIL... */
    struct map_bytes value; /* where found.  Of a failure in a map with -T: the key and -T's text,
                               which stand in the rule while its ruleset fails for the time being;
                               else p is NULL then.  With -t a failure counts as found or not found
                               instead, by whether there is a value */
    const char *why;        /* of a failure: one line for the log; never NULL */
    const struct lookup_map *failed; /* the map that could not say, a member or itself; else NULL */
    size_t member;                   /* of sequence and switch: which map answered; else 0 */
    bool closed; /* not found because the map is not open: an optional one, or one that
                    sendmail does not start with; /map says so */
};

/* What stands between the substrings that class regex gives with -s, where -d says nothing: the
 * byte that sendmail has for $| in a rule. */
#define LOOKUP_SUBSTRING '\233'

struct lookup_maps *lookup_maps_new(struct arena *a);
/* Declares a map as `K name class rest` does; a later one of the same name replaces it where
 * sendmail lets it.  What is wrong is said in d (may be NULL), at `at`; the map is there all the
 * same, and fails, where sendmail does not run without it.  NULL where sendmail ignores the line.
 */
const struct lookup_map *lookup_declare(struct lookup_maps *m, const char *name, const char *cls,
                                        const char *rest, struct diag *d, struct origin at);
/* Declares the n-th file of aliases, "Alias" and n, of this class; NULL where sendmail does not
 * count it. */
const struct lookup_map *lookup_declare_aliases(struct lookup_maps *m, unsigned n, const char *cls,
                                                const char *rest, struct diag *d, struct origin at);
/* By name, case ignored; NULL if there is none.  Built-in maps (host, ...) that sendmail has
 * without a declaration are found too. */
const struct lookup_map *lookup_find(const struct lookup_maps *m, const char *name, size_t len);
const char *lookup_map_name(const struct lookup_map *m);
/* Its answers are what somebody has written: no host names, numbers and the like. */
bool lookup_has_entries(const struct lookup_map *m);
/* "hash" ...; as declared. */
const char *lookup_map_class(const struct lookup_map *m);
bool lookup_map_has_aliases(const struct lookup_map *m); /* lookup_declare_aliases */
/* What stands for blanks between the words of a key (-S), else space. */
char lookup_map_space(const struct lookup_map *m, char space);

struct lookup_session *lookup_session_new(struct arena *a, const struct lookup_maps *m,
                                          const struct lookup_world *world);
void lookup_session_close(struct lookup_session *s); /* NULL is fine */

/* The lookups of one evaluation are over: files that were held for it (their locks, as makemap
 * waits for them) are let go, and are looked at anew before the next lookup. */
void lookup_session_rest(struct lookup_session *s);

/* args[0..nargs) are what follows $@.  The answer's bytes are in the arena `result`. */
void lookup(struct lookup_session *s, const struct lookup_map *m, struct map_bytes key,
            const struct map_bytes *args, size_t nargs, struct arena *result,
            struct lookup_answer *answer);
/* A field of a user's in the user databases (UserDatabaseSpec), all values with ',' between; not
 * found where there is none, or no database. */
void lookup_userdb(struct lookup_session *s, const char *user, const char *field,
                   struct arena *result, struct lookup_answer *answer);
/* As /map of address-test mode asks: the key as it is, quotes and all, and without -T and -D. */
void lookup_plainly(struct lookup_session *s, const struct lookup_map *m, struct map_bytes key,
                    struct arena *result, struct lookup_answer *answer);

#endif
