/*
 * map_format: which format of Berkeley DB a file says that it has: for a file that could not be
 * opened, why.
 *
 * Only its first bytes are looked at: a file of a format that is read may be damaged all the same.
 */
#ifndef MCF_MAPS_MAP_FORMAT_H
#define MCF_MAPS_MAP_FORMAT_H

#include <stdint.h>

enum map_format_can {
    MAP_FORMAT_NONE,    /* it has no mark of a database, or cannot be read at all */
    MAP_FORMAT_READ,    /* as a map of its kind */
    MAP_FORMAT_UPGRADE, /* after db_upgrade */
    MAP_FORMAT_REBUILD, /* never: it has to be made again */
};

struct map_format {
    enum map_format_can can;
    const char *kind; /* static; "": none */
    uint32_t version;
    uint32_t read_from, read_to; /* versions of the kind that are read; 0: none */
};

struct map_format map_format_of(const char *path);

#endif
