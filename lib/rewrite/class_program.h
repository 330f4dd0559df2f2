/*
 * class_program: what a program of an F line prints.
 *
 * It runs as the configuration's default user where we are root, in /tmp, without a shell, with the
 * environment that the configuration names, in a process group of its own that is killed when time
 * is up.  Its bytes are in the arena; its exit code says nothing.  Forks: call it before threads.
 */
#ifndef MCF_REWRITE_CLASS_PROGRAM_H
#define MCF_REWRITE_CLASS_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

struct arena;

struct class_program {
    char **argv, **env; /* NULL-terminated */
    uid_t uid;
    gid_t gid;
};

/* 0 or errno: of what kept it from running, ETIMEDOUT, EFBIG. */
int class_program_run(struct arena *a, const struct class_program *p, char **bytes, size_t *len);

#endif
