/*
 * alias_build: the database of an alias file.
 *
 * What is wrong with a line is a finding, and its entry is left out; so is the first of two entries
 * of one name.  Behind the entries comes @, by which sendmail knows that all are there.  The old
 * database stays as it is until the new one is whole, and where that cannot be written.  Everything
 * lives in the caller's arena.
 */
#ifndef MCF_COMPILER_ALIAS_BUILD_H
#define MCF_COMPILER_ALIAS_BUILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/diag.h"
#include "lib/maps/map.h"
#include "lib/maps/map_aliases.h"
#include "lib/model/config.h"
#include "lib/model/findings.h"

#define ALIAS_LONGEST 8190 /* bytes of an entry that the reference reads */

struct alias_job {
    const char *source, *path; /* path with the type's suffix */
    enum map_type type;
    bool nul;
    bool looked_at; /* what stands in the way at path was forgiven */
    bool good_only; /* a line with an error leaves the old database in place */
    uid_t owner;    /* as in map_install */
    struct alias_terms terms;
};

struct alias_result {
    struct source_set *sources;
    struct diag *diag;
    int error;                /* an errno: the file that failed was not read or written */
    const char *failed, *why; /* why: NULL, or what is wrong beyond the errno */
    bool written;
    enum alias_fault first;         /* ALIAS_GOOD: all lines are */
    size_t entries, longest, bytes; /* of values; of keys and values */
};

/* What the configuration says of names: its options, and its class w as far as it is written
 * there or in a file.  c may be NULL: this host is localhost. */
struct alias_terms alias_terms_of(struct arena *a, const struct config *c);
/* The finding that tells of the fault. */
enum finding_id alias_finding(enum alias_fault fault);
struct alias_result alias_build(struct arena *a, const struct alias_job *job);

#endif
