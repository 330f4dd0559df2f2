/*
 * log: events, one line each: in syslog as sendmail writes them (facility mail), which programs
 * that read logs know, and as JSON where that was asked for.
 *
 * An event has a level, as LogLevel counts: it is written where LogLevel is at least that.  Its
 * fields are name and value; bytes that are no printable ones are written as '?'.  One line has
 * LOG_LINE bytes at most, and is cut off there; JSON lines are whole.
 */
#ifndef MCF_MTA_LOG_H
#define MCF_MTA_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/bytes.h"

struct program;

enum { LOG_LINE = 2000 };

struct log {
    int level;                   /* O LogLevel */
    int json;                    /* a descriptor that lines are appended to; -1: none */
    const char *tag;             /* the name in syslog */
    const struct places *places; /* where lines of the .cf come from; NULL: nobody knows */
};

struct log_event {
    const struct log *log; /* NULL: it is not written */
    int priority;          /* of syslog */
    bool detail;           /* only in JSON */
    struct buf line, json;
};

/* json: a file that lines are appended to, "-": standard error, NULL: none.  NULL: it cannot be
 * opened, and errno says why.  The system's log is opened too. */
struct log *log_open(struct arena *a, const struct program *p, const char *cf, const char *json,
                     const char *tag);

/* kind: "from", "to", "reject"...; id: of the message in the queue; may be empty. */
void log_begin(struct log_event *e, const struct log *log, struct arena *a, int level, int priority,
               const char *kind, struct bytes id);
/* An event that is only in JSON. */
void log_begin_detail(struct log_event *e, const struct log *log, struct arena *a, int level,
                      const char *kind, struct bytes id);
void log_field(struct log_event *e, const char *name, struct bytes value);
void log_text(struct log_event *e, const char *name, const char *value);
void log_number(struct log_event *e, const char *name, int64_t value);
/* The text as it is; in JSON as a field. */
void log_words(struct log_event *e, const char *name, const char *text);
/* Only in JSON. */
void log_detail(struct log_event *e, const char *name, const char *value);
void log_end(struct log_event *e);

#endif
