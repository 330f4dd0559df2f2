/*
 * local: a message for users of this machine, put into their mailboxes.
 *
 * The message is spooled to a file without a name first, then delivered to each user by a process
 * that is that user (where this one is root; else it has to be that user).  A mailbox is
 * SPOOL/USER, a file in the user's home, or a Maildir there.  In the spool it is locked by
 * USER.lock too, and made as its owner's by root; one that is another's is not touched.
 *
 * Statuses are sysexits codes.  What is said to be delivered is on the disk.
 */
#ifndef MCF_MTA_LOCAL_H
#define MCF_MTA_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct local_settings {
    const char *spool;   /* a folder */
    const char *file;    /* in the home, in place of the spool; NULL: none */
    const char *maildir; /* in the home; NULL: none */
    bool full_is_final;  /* a full mailbox fails for good */
};

/* A message that comes: lines are put in, the From_ line and what is to be escaped added. */
struct local_message {
    FILE *spool;
    size_t from; /* bytes of the From_ line */
    char sender[512];
    bool empty, blank, begins; /* nothing yet; behind an empty line; at a line's start */
    bool failed;
};

/* sender: without brackets; long ones are cut.  False: there is no room for it. */
bool local_begin(struct local_message *m, const char *sender);
/* Bytes with LF line ends, cut anywhere but within the first 5 bytes of a line. */
void local_put(struct local_message *m, const char *bytes, size_t len);
/* The last line gets an end; false: it could not be kept. */
bool local_end(struct local_message *m);
void local_close(struct local_message *m);

/* EX_OK, EX_NOUSER, EX_TEMPFAIL. */
int local_user(const char *name);
/* To the user of that name; *why is constant. */
int local_deliver(const struct local_settings *s, const struct local_message *m, const char *name,
                  const char **why);

#endif
