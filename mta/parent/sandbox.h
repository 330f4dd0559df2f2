/*
 * sandbox: what a role gives up before it works, and as whom it goes on.
 *
 * All roles: end with the parent; a user that is not root (where the process is root), no new
 * privileges, no core files, a system-call filter, and no signals to others (Landlock 6).
 *
 * - front: no groups, no capabilities; its root is a folder that is empty and has no name any more.
 *   Only calls of calls.def, IPv4 and IPv6 sockets, and memory that is not executable: nothing is
 *   opened, run or forked.  A call that is not there ends the process: its memory is no longer
 *   ours then, and an error code would only be one more answer for whoever has it.  Calls that a
 *   library may try and can do without (marked in calls.def) fail with EACCES instead, so that
 *   nobody's mail stands still because of a file of time zones.
 * - policy: reads whatever the configuration names, maps and homes, whatever their modes
 *   (CAP_DAC_READ_SEARCH alone, and not for programs that it runs), and writes nothing (Landlock:
 *   devices; and /tmp, where a program map is configured, for that program).
 * - store: its working directory is the queue's folder (queue_make), and with Landlock that is all
 *   there is of files; but where others leave messages (store/drop.h) it takes them, or is one of
 *   these others.  It connects to nothing but the log.
 *
 * policy and store may make all calls but those of forbidden.def; those end the process.
 *
 * Without root the user, groups and root directory stay; filter and Landlock are as above.  Where
 * the kernel has no Landlock the rest holds.
 */
#ifndef MCF_MTA_SANDBOX_H
#define MCF_MTA_SANDBOX_H

#include <sys/types.h>

#include "mta/protocol.h"
#include "mta/settings.h"

struct sandbox {
    uid_t uid; /* 0: who we are is kept */
    gid_t gid;
    const char *user;  /* its name, for its groups; "": a number */
    const char *queue; /* the queue's folder */
    const char *drop;  /* where others leave messages (store/drop.h); NULL: nowhere */
    bool programs;     /* policy runs program maps */
    bool traffic;      /* front writes to a file that it was given (-X) */
};

/* RunAsUser; else the owner of QueueDirectory, where that is not root; else the first of smmta,
 * mail, daemon and nobody that the system has.  For a process that is not root: nobody. False: *why
 * (of the arena) says what cannot be. */
bool sandbox_plan(struct arena *a, const struct program *p, struct sandbox *s, const char **why);

/* For good; the caller sees whether its parent is still there.  NULL, or what failed, with errno:
 * then the role must not run. */
const char *sandbox_enter(const struct sandbox *s, enum role r);

#endif
