/*
 * arguments: mcfd's command line (arguments.def).
 *
 * Texts are the command line's or constant; the rest is in the arena.
 */
#ifndef MCF_MTA_ARGUMENTS_H
#define MCF_MTA_ARGUMENTS_H

#include "lib/base/buf.h"
#include "mta/protocol.h"

enum mode {
    MODE_NONE,
#define MODE(letter, id, text) id,
#include "mta/arguments.def"
    MODE_CHECK,        /* mcfd check */
    MODE_QUEUE,        /* mcfd queue ... */
    MODE_QUEUE_RUNNER, /* -qTIME alone */
#define WORD(name, id) id,
#include "mta/arguments.def"
};

/* What is said of a message on standard input; NULL: nothing. */
struct submission {
    const char *sender;    /* -f, -r */
    const char *full_name; /* -F */
    const char *envid;     /* -V: xtext (RFC 3461 4.4) */
    const char *returns;   /* -R: "FULL", "HDRS" */
    const char *notify;    /* -N: "NEVER", "SUCCESS,DELAY": as NOTIFY= has it */
    const char *body;      /* -B: "7BIT", "8BITMIME" */
    uint64_t hops;         /* -h */
    bool from_head;        /* -t: its recipients are those of the head */
    bool no_aliases;       /* -n */
};

struct arguments {
    enum mode mode;
    struct submission message;
    bool of_message;        /* what is wrong is one of its flags */
    const char *path;       /* of the configuration */
    bool path_given;        /* -C */
    const char *debug;      /* of -d; NULL: none */
    const char *tag;        /* of -L; NULL: none */
    const char *quarantine; /* of -Q: "" ends it; NULL: none */
    const char *traffic;    /* of -X: a file; NULL: none */
    const char *roff;       /* of --roff: what is to be printed; NULL: all */
    const char *log_json;   /* a file, or "-": standard error; NULL: none */
    uint64_t interval;      /* of -q, seconds; 0: none */
    bool runs_queue;        /* -q */
    bool quarantined;       /* -qQ: those that are in quarantine */
    bool check;             /* --check: whether it would start */
    bool foreground;        /* --foreground */
    bool json, verbose, all;
    struct bytes *criteria; /* of -qI and its like, as order.c has them */
    size_t ncriteria;
    const char **without; /* of --without-NAME: the names */
    size_t nwithout;
    char *const *argv; /* main's, as it was */
    char **words;      /* what stands behind the flags */
    size_t nwords;
    struct buf lines; /* of a .cf: what -O, -o and -M say */
};

/* 0, or a sysexits code where it cannot be run so: *why is a line (of the arena) that says why. */
int arguments_read(struct arena *a, int argc, char **argv, struct arguments *out, const char **why);
/* How it is called, line by line. */
/* The letter of -b that stands for it; NULL: none does. */
const char *arguments_mode(struct arena *a, enum mode m);
void arguments_usage(struct buf *out);
/* A table of it as a manual page has it: modes, flags, message or long. */
void arguments_roff(struct buf *out, const char *table);
bool arguments_without(const struct arguments *g, const char *name);

#endif
