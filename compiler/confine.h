/*
 * confine: what m4 may read: one folder and what it needs to run, whatever a file asks for.
 *
 * The kernel decides (Landlock, Linux 5.13): at each opening, by the file that a name leads to at
 * that moment.  So it holds for include, sinclude and undivert, for -I and the search path, for
 * symbolic links, "..", and /proc/self/fd; memory files and pipes that were handed over stay
 * readable.  Nothing may be written, made or started.  It needs no privilege.
 */
#ifndef MCF_COMPILER_CONFINE_H
#define MCF_COMPILER_CONFINE_H

#include <stdbool.h>

/* The rules for a program (as execvp finds it) that may read below folder: a descriptor, closed on
 * exec; or -1 and errno: ENOSYS or EOPNOTSUPP where the kernel has no Landlock.  Other descriptors
 * that are open above 2 are from then on closed on exec too. */
int confine_new(const char *folder, const char *program);
/* Lets files be written in one more folder; false and errno. */
bool confine_allow_writing(int rules, const char *folder);
/* From here on the rules hold for this process and for what it starts; false and errno.  Calls
 * nothing but the kernel. */
bool confine_enter(int rules);
/* Which Landlock the kernel has; -1: none that can be used. */
int confine_version(void);

#endif
