/*
 * settings: what the O lines of a configuration say, as values.
 *
 * An option that no line sets has the value of lib/model/options.def; one that cannot be read as
 * its type says has what sendmail makes of it: the digits at its beginning.  Values are constant
 * and live as long as the program; all functions are safe with threads.
 */
#ifndef MCF_MTA_SETTINGS_H
#define MCF_MTA_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/rewrite/program.h"

const char *setting_text(const struct program *p, const char *name); /* never NULL */
bool setting_true(const struct program *p, const char *name);
long setting_number(const struct program *p, const char *name);
/* Seconds; unit: the letter of a number without one (s m h d w). */
uint64_t setting_time(const struct program *p, const char *name, char unit);
/* The same of a text as such a value has it: "1h30m". */
uint64_t settings_read_time(const char *text, char unit);

/* The suboptions of Timeout (timeouts.def). */
enum timeout {
#define TIMEOUT(id, name, unit, value) TIMEOUT_##id,
#include "mta/timeouts.def"
    TIMEOUTS
};
const char *timeout_name(enum timeout t);                          /* "queuereturn" */
uint64_t setting_timeout(const struct program *p, enum timeout t); /* seconds; 0: none */

enum privacy {
#define PRIVACY(id, name, bit) PRIVACY_##id = bit,
#include "mta/privacy.def"
};
/* Whether a user may say that he is another: those of T lines and of the class t. */
bool setting_trusts(const struct program *p, const char *user);
unsigned setting_privacy(const struct program *p); /* PRIVACY_* */

/* What mcfd listens on: an O DaemonPortOptions line. */
struct listener {
    const char *name;
    int family;          /* AF_INET, AF_INET6 */
    const char *address; /* as written; NULL: all */
    const char *port;    /* name or number */
    int backlog;
    const char *modifiers;   /* letters */
    const char *apart;       /* the same as ${daemon_flags} has them */
    const char *filters;     /* InputMailFilters; NULL: the option's */
    char mode;               /* DeliveryMode; 0: the option's */
    const struct item *item; /* NULL: there is no such line */
};
/* All of them, in the order of the file; *n is at least 1. */
const struct listener *settings_listeners(struct arena *a, const struct program *p, size_t *n);

#endif
