/*
 * restart: SIGHUP: the program is started again in its place, with the arguments that it had.
 *
 * The configuration is read and checked first, by a process of its own (--check): one that could
 * not be started with is refused, and what is there goes on.  The process keeps its number, and its
 * listening sockets: clients that come meanwhile wait.
 */
#ifndef MCF_MTA_RESTART_H
#define MCF_MTA_RESTART_H

#include <stdbool.h>
#include <sys/types.h>

#include "mta/parent/listen.h"

struct arena;

struct restart {
    const char *path; /* of the program */
    char *const *arguments;
    int folder;     /* that it was started in: names of files count from there */
    pid_t checking; /* 0: nobody checks */
    int said;       /* what it says */
};

/* arguments: main's, NULL-terminated. */
void restart_init(struct arena *a, struct restart *r, char *const *arguments);
/* In a child that has no business with it. */
void restart_close(struct restart *r);
/* Begins to check; false: it cannot. */
bool restart_check(struct restart *r);
/* The process that checked has ended.  NULL: all is well; else the first line of what it said. */
const char *restart_checked(struct arena *a, struct restart *r, int wait_status);
/* Where it comes back, errno says why. */
void restart_now(const struct restart *r, const struct listening *l);

#endif
