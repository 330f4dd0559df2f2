/*
 * process: a daemon that has written its number and command into a file: is it there, and where
 * does it listen.
 *
 * A number alone says little: the process may have ended long ago and another one have it. It is
 * who wrote the file where its command line is the file's too; so a sendmail, which gives itself a
 * title, is never taken for ours.  All is read from /proc.
 */
#ifndef MCF_MTA_PROCESS_H
#define MCF_MTA_PROCESS_H

#include <sys/types.h>

#include "mta/protocol.h"

struct process_note {
    pid_t pid;
    struct bytes command; /* words with blanks between them */
};

/* 0, or errno: EBADMSG where the file has no number.  Texts are in the arena. */
int process_read_note(struct arena *a, const char *path, struct process_note *note);
/* Whether the process that wrote it is there, and not a zombie. */
bool process_is(const struct process_note *note);
/* Where it listens, "ADDRESS:PORT" with an IPv6 address in brackets; none where we may not see
 * that. */
struct texts process_ports(struct arena *a, pid_t pid);

#endif
