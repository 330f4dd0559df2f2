/*
 * lookup_services: the service switch, a file that says for a service which sources are asked, in
 * order: "hosts files dns".
 */
#ifndef MCF_MAPS_LOOKUP_SERVICES_H
#define MCF_MAPS_LOOKUP_SERVICES_H

#include <stddef.h>

struct arena;

enum { SERVICE_SOURCES = 8 /* of a service, at most */ };

/* The sources of a service, in the arena; 0: the file does not have the service.  path NULL: the
 * file that sendmail usually has.  Without a file, aliases and hosts have their usual sources. */
size_t lookup_services(const char *path, const char *service, struct arena *a,
                       const char *sources[SERVICE_SOURCES]);

#endif
