/*
 * detach: the daemon leaves whoever started it, who hears before whether it works.
 *
 * The process that was started waits for the daemon, which is its child, and has its exit status
 * from it.  The daemon has a session of its own, the root folder as its working directory, and
 * /dev/null as its three standard files from the beginning, so that nobody waits for them; what it
 * has to complain of goes where standard error went.
 */
#ifndef MCF_MTA_DETACH_H
#define MCF_MTA_DETACH_H

struct detached {
    int answer; /* to who started us; -1: nobody waits */
    int errors; /* where complaints go, until then; -1: nowhere */
};

/* In the daemon -1; in the process that was started the status that the daemon said, EX_OSERR where
 * it ended without a word. */
int detach_begin(struct detached *d);
/* It works, or it does not: the status says it. */
void detach_say(struct detached *d, int status);
/* In a child that has no business with it, and behind detach_say. */
void detach_close(struct detached *d);

#endif
