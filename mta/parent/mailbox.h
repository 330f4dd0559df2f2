/*
 * mailbox: a message is appended to a file, whole or not at all.
 *
 * The file is a plain one with one name that is not executable, or /dev/null, which takes all; a
 * new one has mode 0600.  It is opened as whoever the process is, and by a symbolic link of that
 * name, or with other names, only where that is allowed.  It is locked by flock and fcntl both, and
 * is the file of that name when it is.  What was appended is on the disk before that is said, and
 * is cut off again where anything failed.
 *
 * Statuses are sysexits codes: EX_CANTCREAT: it is no such file; EX_TEMPFAIL: later.
 */
#ifndef MCF_MTA_MAILBOX_H
#define MCF_MTA_MAILBOX_H

#include <sys/stat.h>
#include <sys/types.h>

enum { MAILBOX_LOCK_MS = 60 * 1000 /* one that is locked for longer is tried later */ };

struct mailbox {
    int fd;
    struct stat st;  /* as it was before */
    int error;       /* errno; 0: none */
    const char *why; /* of a failure; constant, or strerror's */
};

struct mailbox_reader {
    /* Bytes of the message: how many; 0: its end; -1: it cannot be read. */
    ssize_t (*read)(void *ctx, const char **bytes);
    void *ctx;
};

/* may: what is allowed. */
enum mailbox_may { MAILBOX_LINK = 1, MAILBOX_HARD_LINK = 2 };
int mailbox_open(struct mailbox *m, const char *path, unsigned may);
/* With a line end before it where one is missing, and an empty line behind it. */
int mailbox_append(struct mailbox *m, const struct mailbox_reader *reader);
void mailbox_close(struct mailbox *m);

#endif
