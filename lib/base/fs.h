/*
 * fs: files appear whole or not at all.
 *
 * fs_write_whole writes a temporary file beside the target, fsyncs it, keeps the target's mode and
 * owner where there is one (else mode), renames it over the target and fsyncs the directory.  On
 * any failure the old file stays, the temporary file is gone, and the errno is returned. A symbolic
 * link is followed: what it points to is replaced, the link stays.
 */
#ifndef MCF_BASE_FS_H
#define MCF_BASE_FS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct stat;

/* 0 or errno.  max = largest size in bytes accepted (EFBIG beyond), 0 = no limit.  Reads pipes too.
 */
int fs_read(struct arena *a, const char *path, size_t max, char **bytes, size_t *len);
/* The same of a file below folder, links resolved; EXDEV for any other.  What a name leads to is
 * decided once, when the file is opened. */
int fs_read_below(struct arena *a, const char *folder, const char *path, size_t max, char **bytes,
                  size_t *len);
/* 0 or errno. */
int fs_write_whole(const char *path, const void *bytes, size_t len, mode_t mode);
/* 0 or errno: copies path, with its owner and mode, whole or not at all; fs_backup to path+suffix.
 */
int fs_copy(const char *path, const char *copy);
int fs_backup(const char *path, const char *suffix);
/* 0 or errno: makes what was renamed in the target's folder durable.  A folder that cannot be
 * opened or synced is left to the system. */
int fs_sync_folder(const char *target);
bool fs_exists(const char *path);
/* Whether a was changed before b. */
bool fs_is_older(const struct stat *a, const struct stat *b);
/* Closes it, unless it is negative, and makes it -1. */
void fs_close(int *fd);
/* Whether path, links resolved, is there and is folder or below it. */
bool fs_is_below(const char *path, const char *folder);
/* Directory part ("." where there is none) and last component, in the arena. */
char *fs_dirname(struct arena *a, const char *path);
const char *fs_basename(const char *path);
/* dir/name, or name alone when it is absolute or dir is "." or empty. */
char *fs_join(struct arena *a, const char *dir, const char *name);

/* Where execvp finds the program; false: nowhere. */
bool fs_find_program(const char *program, char path[PATH_MAX]);

#endif
