/*
 * agent: a child of the parent that hands a message to a program or appends it to a file.
 *
 * It is a process of its own, which ends afterwards.  agent_become makes it the plan's user for
 * good, before a byte of the message is looked at; agent_deliver does the rest: it runs the
 * program, which gets head and body on its standard input (or by LMTP, flag z, on both), or
 * appends to the file.  It reads the body through the caller's function, from whatever offset.
 *
 * A program has no open file but its three, the plan's environment and nothing else, a session of
 * its own, no core file and umask 022; its output and complaints are kept up to AGENT_OUTPUT
 * bytes, as one line.  It counts as lost when it takes no byte for AGENT_STALL_MS, or does not end
 * within the plan's wait behind the message; then its session is killed.  What is left running
 * when it has ended is left alone.
 *
 * A file is appended to as mailbox.h says.
 *
 * Every recipient gets the same outcome, but in LMTP.  Texts are in the arena or constant.
 */
#ifndef MCF_MTA_AGENT_H
#define MCF_MTA_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/trust.h"
#include "mta/policy/plan.h"

enum {
    AGENT_OUTPUT = 1000,
    AGENT_STALL_MS = 60 * 60 * 1000,
    AGENT_KILL_MS = 2000 /* between SIGTERM and SIGKILL */
};

/* What it needs.  read: bytes of the body from offset on, at most len; 0: its end; -1: it cannot be
 * read. */
struct agent_source {
    ssize_t (*read)(void *ctx, uint64_t offset, char *bytes, size_t len);
    void *ctx;
    const struct trust *trust; /* what DontBlameSendmail forgives; NULL: nothing */
};

/* What has to be mended of a program that others could have changed; "" where nothing has to. */
const char *agent_warning(struct arena *a, const struct plan *p, const struct trust *trust);
/* Root, groups, user, nice value; 0 or errno.  Without privileges it succeeds only where that is
 * what the process is already.  A file that has a bit for it (set-user-ID, set-group-ID) is
 * appended to as its owner or group, unless that is root. */
int agent_become(struct arena *a, const struct plan *p);
/* PLAN_PROGRAM and PLAN_FILE; an outcome of each recipient, in the plan's order.  SIGPIPE has to be
 * ignored; size: of the message in bytes, 0 where it is not known.  transcript gets what a program
 * said that failed, and what came of it, as reports tell it. */
struct outcome *agent_deliver(struct arena *a, const struct plan *p,
                              const struct agent_source *source, uint64_t size,
                              struct buf *transcript);
/* An exit status (0 to 255), or a wait status' signal, as an outcome. */
struct outcome agent_outcome(struct arena *a, const struct plan *p, int wait_status);
/* The lines of a failure or deferral that all recipients share. */
void agent_tell(struct arena *a, const struct plan *p, const struct outcome *o,
                struct buf *transcript);

#endif
