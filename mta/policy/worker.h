/*
 * worker: what one thread of policy evaluates with.
 *
 * A worker has a rewriter, with its open maps, and memory for one question, which worker_begin
 * drops.  What the rewriter notes on the way (an address without a closing bracket, a map that
 * failed) is kept until then.  The service is shared by all workers, and constant.
 */
#ifndef MCF_MTA_WORKER_H
#define MCF_MTA_WORKER_H

#include <time.h>

#include "lib/maps/resolver.h"
#include "lib/rewrite/address.h"
#include "mta/log.h"
#include "mta/message/ids.h"
#include "mta/protocol.h"
#include "mta/settings.h"

struct others;
struct filter_settings;
struct sasl_settings;

struct service {
    const struct program *program;
    const struct lookup_world *world; /* but its resolver: each worker has one */
    const struct listener *listeners;
    size_t nlisteners;
    unsigned privacy;       /* PRIVACY_* */
    const char *help;       /* the text of O HelpFile; NULL: there is none */
    bool unable;            /* messages are not tried here (policy.h) */
    uint64_t queue_seconds; /* how often the daemon looks at the queue; 0: it does not */
    const char *host;       /* $j */
    const char *error_text; /* O ErrorHeader, expanded, or the text of its file; "": none */
    const char *version;    /* $v, and the configuration's $Z: as Received lines have them */
    const struct sasl_settings *sasl; /* NULL: there is no AUTH */
    bool logs_in;                     /* there is AUTH as a client */
    const struct filter_settings *filters;
    bool filtered;         /* some listener has filters */
    struct others *others; /* other roles */
    const struct log *log; /* NULL: nobody reads it */
    struct ids *ids;       /* of messages; all that changes */
};

struct note {
    int status; /* sysexits code, or 0 */
    const char *text;
};

/* What a map gave, and where its bytes are. */
struct map_answer {
    const char *map, *key;
    const char *from, *to;
};

enum { ANSWERS_KEPT = 16 };

/* Where the log wants to know: what an evaluation came to its end by. */
struct decision {
    const struct rule *rule;                 /* the last one that matched; NULL: none did */
    struct map_answer answer;                /* of a map, which it matched; map is NULL: none */
    struct map_answer answers[ANSWERS_KEPT]; /* the last ones, in a ring */
    size_t nanswers;
    bool of_mailer; /* the first rule that names a mailer decides */
    bool over;      /* it has */
};

struct worker {
    const struct service *service;
    struct arena *own, *arena; /* for ever, for one question */
    struct resolver *resolver;
    struct lookup_world world;
    struct rewrite *r;
    struct rewrite_watch watch;
    struct decision decision;
    struct arena *trouble_arena;
    const char *trouble; /* what was logged last of what an admin has to mend; NULL: nothing */
    time_t trouble_at;
    struct note *notes;
    size_t nnotes, note_room;
};

/* service_new's arena lives as long as the workers. */
struct service *service_new(struct arena *a, const struct program *p,
                            const struct lookup_world *world);
struct worker *worker_new(struct arena *a, const struct service *s);
void worker_close(struct worker *w); /* NULL is fine */
/* A question with these macros (NULL: the worker's own) begins. */
void worker_begin(struct worker *w, struct rewrite_macros *m);
void worker_set(struct worker *w, const char *name, const char *value); /* NULL: as configured */
void worker_setf(struct worker *w, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The value; "" where there is none. */
const char *worker_get(struct worker *w, const char *name);
/* The value with its macros carried out. */
const char *worker_expanded(struct worker *w, const char *name);
void worker_forget_notes(struct worker *w);
/* A new evaluation decides. */
void worker_forget_decision(struct worker *w);
/* A line of the log on what has to be mended; the same again only after a while. */
void worker_log_trouble(struct worker *w, const char *text);
/* The rule and where it comes from, and the entry of a map. */
void worker_log_decision(struct worker *w, struct log_event *l);

#endif
