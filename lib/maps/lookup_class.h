/*
 * lookup_class: what a class of maps must be able to do, for lookup.c alone.
 *
 * A class reads its part of the K line in declare (at start, one thread; what it makes is constant
 * afterwards and shared), and answers in find, for one session.  What a session keeps of a map is
 * its state: NULL at first, in the session's arena, given back in close.  find sets verdict and
 * status, and the value where it found one, raw: the arguments, -m and -a are put in by lookup.c,
 * unless it says finished.
 */
#ifndef MCF_MAPS_LOOKUP_CLASS_H
#define MCF_MAPS_LOOKUP_CLASS_H

#include <sys/stat.h>
#include <sysexits.h>

#include "lib/base/trust.h"
#include "lib/maps/lookup.h"

struct diag;
struct lookup_class;

/* A declaration.  One that is declared again keeps what the new line does not say, as in sendmail.
 */
struct lookup_map {
    const char *name, *class_name; /* as declared */
    const char *rest;              /* of the line, behind the class */
    const struct lookup_class *class;
    struct origin at;
    size_t index; /* in lookup_maps */
    bool invalid; /* nothing is ever found: sendmail does not start with such a line */

    /* Flags of most classes. */
    bool aliases;                          /* declared as a file of aliases, by no K line */
    bool optional;                         /* -o */
    bool match_only;                       /* -m: the value is the key */
    bool keep_case;                        /* -f */
    bool keep_quotes;                      /* -q */
    bool nul, no_nul;                      /* -N, -O */
    bool append_all;                       /* -A */
    bool no_defer;                         /* -t: no temporary failure */
    bool not_deferred;                     /* -D: not where delivery is deferred */
    char space;                            /* -S; NUL: none said */
    const char *append;                    /* -a; NULL: nothing */
    const char *append_fail;               /* -T; NULL: none */
    const char *key_column, *value_column; /* -k, -v; NULL: none said */
    char delimiter;                        /* -z; NUL: blanks */
    const char *file;
    const char *file_rest; /* what follows the file */

    void *own; /* what the class made in declare; NULL at first */
};

struct lookup_maps {
    struct arena *arena;
    struct lookup_map **maps; /* in order of declaration */
    size_t count, room;
    struct table *by_name; /* in small letters */
};

/* What sendmail says of a K line, and where. */
struct lookup_reader {
    struct lookup_maps *maps;
    struct arena *arena;
    struct diag *diag; /* may be NULL */
    struct origin at;
};

struct lookup_query {
    struct lookup_session *session;
    const struct lookup_world *world;
    const struct lookup_map *map;
    void **state;           /* of the session for this map */
    struct arena *lifetime; /* the session's */
    struct arena *result;   /* for the answer */
    struct map_bytes key;
    const struct map_bytes *args; /* what follows $@ */
    size_t nargs;
    struct lookup_answer *answer;
    bool finished; /* the value is as it is to be */
};

struct lookup_class {
    /* Reads m->rest.  False: the map is invalid.  NULL: there is nothing to read. */
    bool (*declare)(struct lookup_reader *r, struct lookup_map *m);
    void (*find)(struct lookup_query *q);
    void (*close)(void *state); /* NULL: nothing to give back */
    bool computes;              /* what it answers nobody has written as an entry */
};

#define MAP_CLASS(name, elsewhere, needs, lookup)                                                  \
    extern const struct lookup_class map_lookup_##lookup;
#include "lib/model/maps.def"
#undef MAP_CLASS

/* --- for declare --------------------------------------------------------------------------- */

/* Reads the options that the rest begins with.  own is given each first, *p at its letter, and says
 * whether it is one of the class's own; it may leave *p behind what it read.  strict: what is no
 * option is said.  Then come the file, and what follows it. */
typedef bool lookup_option_fn(struct lookup_reader *r, struct lookup_map *m, const char **p);
const char *lookup_read_options(struct lookup_reader *r, struct lookup_map *m,
                                lookup_option_fn *own, bool strict);
bool lookup_read_flags(struct lookup_reader *r, struct lookup_map *m);
/* The same, and a file is needed. */
bool lookup_read_file(struct lookup_reader *r, struct lookup_map *m);
/* What stands behind an option's letter, blanks before it or not. */
char *lookup_option_value(struct lookup_reader *r, const char **p);
char *lookup_option_value_at_once(struct lookup_reader *r, const char **p);
/* The next word of *p, which moves behind it, in the arena; "" at the end. */
char *lookup_word(struct arena *a, const char **p);
void lookup_skip_blanks(const char **p);

/* A class that is not built in: its options are read, and it is said; and its find. */
void lookup_declare_absent(struct lookup_reader *r, struct lookup_map *m, const char *hint);
void lookup_absent(struct lookup_query *q);

/* --- for find ------------------------------------------------------------------------------ */

void lookup_is_not_found(struct lookup_query *q, int status);
/* The value is copied. */
void lookup_is_found(struct lookup_query *q, struct map_bytes value);
void lookup_is_found_text(struct lookup_query *q, const char *value);
/* Temporarily not to be had; why as printf, one line. */
void lookup_failed(struct lookup_query *q, const char *why, ...)
    __attribute__((format(printf, 2, 3)));
/* Beside the answer (lookup_world.tell). */
void lookup_tell(const struct lookup_query *q, int status, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether the map's file may be trusted; texts of the fault are in the result's arena. */
bool lookup_trusts(struct lookup_query *q, const char *path, struct trust_fault *fault);
/* The lookup has failed because of the file, or nothing is in an optional map. */
void lookup_lacks(struct lookup_query *q, const struct trust_fault *fault);
/* The same where it cannot be read, or is no database (EINVAL). */
void lookup_unreadable(struct lookup_query *q, const char *path, int error);
/* The key in small letters, unless -f; in the result's arena, NUL behind it. */
struct map_bytes lookup_folded_key(struct lookup_query *q);
/* Before one waits for somebody else: makemap shall not wait as long. */
void lookup_let_go(struct lookup_session *s);
/* A database file that is open for long: it is opened again when it was replaced or changed, and a
 * lock that makemap holds is waited for.  From its first lookup on it is held, locked and not
 * looked at again, until lookup_let_go or lookup_session_rest.  All zero: not open. */
struct lookup_database {
    struct lookup_session *holder; /* NULL: it is not held */
    struct lookup_database *next_held;
    bool any_mode;            /* lookup_trusts is not asked */
    struct trust_fault fault; /* of the last opening; why NULL: none */
    struct arena *arena;      /* of the map; NULL: not open */
    struct map *map;
    const char *path;
    int fd; /* for its lock */
    struct stat st;
    struct lookup_recent *recent; /* what was looked up of late; NULL: nothing yet */
};
/* 0 or errno (lib/maps/map.h); file may lack its suffix. */
int lookup_database_open(struct lookup_query *q, struct lookup_database *db, enum map_type type,
                         const char *file);
/* Valid until the next call. */
enum map_verdict lookup_database_get(struct lookup_database *db, struct map_bytes key,
                                     struct map_bytes *value);
void lookup_hold(struct lookup_session *s, struct lookup_database *db);
void lookup_database_let_go(struct lookup_database *db);
void lookup_database_close(struct lookup_database *db);

/* For lookup_userdb: q has a state of class userdb, and the user as its key. */
void lookup_userdb_all(struct lookup_query *q, const char *field);

const struct lookup_maps *lookup_session_maps(const struct lookup_session *s);
/* Asks another map of the same session, without quotes and -T. */
void lookup_ask(struct lookup_session *s, const struct lookup_map *m, struct map_bytes key,
                const struct map_bytes *args, size_t nargs, struct arena *result,
                struct lookup_answer *answer);

#endif
