/*
 * map_local: the names of class w, the host's own, as far as they can be known without running
 * sendmail.
 *
 * Known: C lines; F lines that read a file, as their formats say (lib/model/class_scan.h); the
 * value of Dj; this machine's name and its first label; localhost.  Not known: the names and
 * addresses that sendmail finds at its start by the resolver and its interfaces, and what F lines
 * have from programs and maps, which is said on standard error.
 */
#ifndef MCF_COMPILER_MAP_LOCAL_H
#define MCF_COMPILER_MAP_LOCAL_H

#include <stdbool.h>

#include "lib/model/config.h"

struct table;

/* In the configuration's arena. */
struct table *map_local_names(const struct config *c);
bool map_local_has(const struct table *names, const char *domain);

#endif
