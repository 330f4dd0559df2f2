/*
 * fix: files as the edits of their findings make them.
 *
 * fix_apply takes the edits of every finding of one run, all of a finding's or none, and makes the
 * texts that the next run reads; where two findings want the same bytes the first one has them, and
 * the run is repeated.  Only the file itself and files below its folder are changed (below
 * `confine` too, where that is given).  Bytes that no edit names stay as they are; a line that an
 * edit adds to a file of CRLF lines ends in CRLF.
 *
 * The file itself is kept in memory until fix_write; what it includes m4 reads from the disk, so
 * that an included file is changed once a run of mcf, unless it is written in between.
 * Everything lives in the arena.
 */
#ifndef MCF_COMPILER_FIX_H
#define MCF_COMPILER_FIX_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/diag.h"

struct fix_file {
    const char *path;
    const char *before, *text; /* as read first, and now */
    size_t before_len, len;
    bool written; /* what is on the disk is text */
    bool changed; /* text is not before */
    struct fix_file *next;
};

struct fix {
    struct arena *arena;
    const char *path;    /* the file that was named on the command line */
    const char *confine; /* NULL or a folder */
    struct fix_file *files;
    struct buf said; /* "PATH:LINE: mended: TEXT [ID]" a finding */
};

void fix_init(struct fix *f, struct arena *a, const char *path, const char *confine);
/* How many findings were mended; 0 = there is nothing to mend.  Edits of later findings may undo
 * those of earlier ones: fix_changed tells what came of it. */
size_t fix_apply(struct fix *f, struct diag *d, struct source_set *sources);
/* Whether any file is not as it was. */
bool fix_changed(const struct fix *f);
/* The text that the next run must read as the file at path; NULL = what is on the disk. */
const struct fix_file *fix_find(const struct fix *f, const char *path);
/* Writes what is changed and not yet written; 0 or errno, and *path is the file that failed.  main:
 * the file itself too. */
int fix_write(struct fix *f, bool main, const char **path);

#endif
