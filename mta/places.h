/*
 * places: which line of the .mc a line of the .cf comes from, by the map that mcf writes beside the
 * .cf (its format: compiler/source_map.h).
 */
#ifndef MCF_MTA_PLACES_H
#define MCF_MTA_PLACES_H

#include <stddef.h>

struct arena;
struct places;

/* NULL: there is no map, or it is of another .cf than the file of that name.  In the arena. */
const struct places *places_read(struct arena *a, const char *path, const char *cf);
/* "sendmail.mc:12", or the place in the library where no line of the .mc made it; NULL: unknown.
 * p may be NULL. */
const char *places_find(struct arena *a, const struct places *p, size_t line);

#endif
