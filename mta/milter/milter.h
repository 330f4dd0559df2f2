/*
 * milter: a session's filters: what they are told, and what they say to it.
 *
 * All filters of a session are asked in their order, each as far as it wishes to be; what one of
 * them says first that is not "go on" is what all say.  One that cannot be reached, answers wrongly
 * or not in time is not asked any more, and F= says what becomes of what is to be asked.  Calls
 * wait as long as the filters' times allow; a milter belongs to one thread at a time.
 *
 * What a filter says is parsed by packet.h, and kept in the arena of the question, which is given
 * with each call; its own arena has what is kept of the session.
 */
#ifndef MCF_MILTER_MILTER_H
#define MCF_MILTER_MILTER_H

#include "mta/milter/filters.h"

struct milter;

/* What it needs of whoever has it; ctx is of the question. */
struct milter_world {
    /* A macro's value by its name without braces; NULL: it has none. */
    const char *(*macro)(void *ctx, const char *name);
    /* A connected local socket; -1: errno says why.  EAGAIN: try again. */
    int (*open)(void *ctx, const struct filter *f);
    /* Of one level as LogLevel counts. */
    void (*log)(void *ctx, int level, const char *text);
};

struct milter_call {
    void *ctx;
    struct arena *arena;
};

enum milter_said {
    MILTER_GO_ON,
    MILTER_REFUSE, /* refuse it with the usual reply */
    MILTER_LATER,  /* the same for now */
    MILTER_REPLY,  /* refuse it with this reply */
    MILTER_DROP,   /* take it, and forget it */
    MILTER_CLOSE   /* end the session */
};

struct milter_answer {
    enum milter_said said;
    const char *reply; /* of MILTER_REPLY: "550 5.7.1 text", CR LF between its lines */
};

struct milter *milter_new(struct arena *a, const struct filter_settings *s,
                          const struct filters *filters, const struct milter_world *world);
/* They are told that it is over; NULL is fine. */
void milter_end(struct milter *m);

/* All are connected, and negotiate. */
struct milter_answer milter_open(struct milter *m, const struct milter_call *c);
/* family: AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC; address: as text. */
struct milter_answer milter_connect(struct milter *m, const struct milter_call *c, const char *host,
                                    int family, uint16_t port, const char *address);
struct milter_answer milter_helo(struct milter *m, const struct milter_call *c, const char *name);
/* The path, and its parameters. */
struct milter_answer milter_mail(struct milter *m, const struct milter_call *c, const char *path,
                                 const struct bytes *parameters, size_t n);
/* refused: it is, whatever they say. */
struct milter_answer milter_rcpt(struct milter *m, const struct milter_call *c, const char *path,
                                 const struct bytes *parameters, size_t n, bool refused);
struct milter_answer milter_data(struct milter *m, const struct milter_call *c);
struct milter_answer milter_unknown(struct milter *m, const struct milter_call *c,
                                    struct bytes line);
/* The message is over, or begins anew. */
void milter_abort(struct milter *m, const struct milter_call *c);

/* A message, as one filter is shown it: changes of the filter before are in it by then. */
struct milter_message {
    /* Field i of the head, its text behind the colon; false: there are no more. */
    bool (*field)(void *ctx, size_t i, struct bytes *name, struct bytes *text);
    /* At most `most` bytes of the body from `at` on, LF line ends; no bytes: its end; false: it
     * cannot be read. */
    bool (*body)(void *ctx, uint64_t at, size_t most, struct bytes *bytes);
    /* What it says at the end that is no answer; right: it said before that it might.  False: it
     * cannot be done now: the message is refused for now. */
    bool (*change)(void *ctx, const struct filter *f, char letter, const struct change *c,
                   bool right, bool spaced);
};
struct milter_answer milter_message(struct milter *m, const struct milter_call *c,
                                    const struct milter_message *message);

#endif
