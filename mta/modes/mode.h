/*
 * mode: what a mode of mcfd is given, and the modes, a file each.
 *
 * All print what they say, and give the exit status.
 */
#ifndef MCF_MTA_MODE_H
#define MCF_MTA_MODE_H

#include "lib/base/diag.h"
#include "mta/arguments.h"
#include "mta/log.h"
#include "mta/parent/parent.h"
#include "mta/settings.h"

struct mode_setup {
    struct arena *arena;
    const struct arguments *given;
    const struct program *program;
    const struct lookup_world *world;
    const struct log *log;
    struct diag *findings; /* of the configuration */
    int traffic;           /* the file of -X; -1: none */
    bool no_names;         /* no name server answers */
};

int aliases_run(const struct mode_setup *m);  /* -bi */
int check_run(const struct mode_setup *m);    /* check */
int daemon_run(const struct mode_setup *m);   /* -bd, -bD, -qTIME */
int dialogue_run(const struct mode_setup *m); /* -bs */
int orders_run(const struct mode_setup *m);   /* -bp, -bP, -q, queue */
int service_run(const struct mode_setup *m);  /* start, stop, status: an exit code of LSB */
int submit_run(const struct mode_setup *m);   /* -bm */
int verify_run(const struct mode_setup *m);   /* -bv */

bool service_is(enum mode m);
/* What LSB has for a sysexits code behind which such a mode does not begin; of any other mode the
 * code itself. */
int service_exit(enum mode m, int status);
/* How many messages the daemon has that has the queue; false: there is none, or we may not know. */
bool orders_count(const struct mode_setup *m, uint64_t *n);

/* Roles for a mode: what all of them have; no dialogue, no store but their own. */
struct parent_setup mode_roles(const struct mode_setup *m);
/* Whether whoever runs us may not touch the queue of a submission program (UseMSP): what he sends
 * is tried in a queue that does not last, and left to whoever has the other one (store/drop.h). */
bool mode_passes(const struct mode_setup *m);
/* The folder of such a queue, in the arena; NULL: there is none, and that was said. */
const char *mode_passing_begin(const struct mode_setup *m);
void mode_passing_end(const struct mode_setup *m, const char *path);
/* Adds what is refused, and what this machine lacks, to the findings. */
void check_machine(const struct mode_setup *m);

#endif
