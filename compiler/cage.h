/*
 * cage: runs a program that must come to an end, write nothing and start nothing for long.
 *
 * What it prints on standard error goes to a memory file, which is read when it has closed its
 * standard output, a pipe: by then it is done, and only has to be cleared away.  It has limits of
 * processor time, time, memory, size of files and output and open files, and no standard input.
 * LC_ALL is C; of the environment it does not get M4PATH and POSIXLY_CORRECT, which would change
 * what an m4 does.
 *
 * TMPDIR is a folder where no file can be made, unless cage_start is given another.
 *
 * The bytes are the arena's.  Nothing is left behind but what the program made itself.
 */
#ifndef MCF_COMPILER_CAGE_H
#define MCF_COMPILER_CAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;

/* How it ended; beside it stands what status means. */
enum cage_end {
    CAGE_EXIT,   /* exit code: 127 and 126 where there is no such program */
    CAGE_SIGNAL, /* the signal */
    CAGE_TIME,   /* a limit of time: the signal */
    CAGE_OUTPUT, /* a file grew too large: the signal */
    CAGE_START   /* it did not start: errno */
};

struct cage {
    struct arena *arena;
    const char *out, *err; /* what it printed; NUL-terminated */
    size_t out_len, err_len;
    enum cage_end end;
    int status;
    pid_t pid; /* 0: it has ended */
    int out_fd, err_fd, pid_fd;
    size_t limit; /* of out */
    bool read;    /* out and err are there */
};

/* argv as for execvp.  confine: rules of compiler/confine.h that hold for it, or -1.  cpu_seconds
 * of processor time and three times as many of time; output bytes of any one file.  tmp NULL: no
 * temporary files. */
void cage_start(struct cage *c, struct arena *a, const char *const *argv, int confine,
                unsigned cpu_seconds, size_t output, const char *tmp);

/* Ends it; there is nothing to wait for afterwards. */
void cage_stop(struct cage *c);

/* Waits until it has closed its standard output, or ended, and fills in what it printed. */
void cage_read(struct cage *c);

/* Waits for its end and fills in the rest; what cage_start has found out stays. */
void cage_wait(struct cage *c);

#endif
