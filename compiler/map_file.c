#include "compiler/map_file.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/map_format.h"

#define MODE 0640    /* of a map that is new: its values may be nobody's business */
#define MARK ".mcf-" /* between a map's name and the process that makes the next one of it */

char *map_file_path(struct arena *a, enum map_type type, const char *path)
{
    const char *suffix = map_type_suffix(type);
    size_t n = strlen(path), k = strlen(suffix);
    bool has = n > k && strcmp(path + n - k, suffix) == 0;
    return arena_printf(a, "%s%s", path, has ? "" : suffix);
}

const char *map_file_trouble(struct arena *a, enum map_type type, const char *path)
{
    struct map_format f = map_format_of(path);
    const char *name = map_type_name(type), *suffix = map_type_suffix(MAP_hash), *source = path;
    size_t n = strlen(path), k = strlen(suffix);
    if (f.can == MAP_FORMAT_NONE)
        return NULL;
    if (f.can == MAP_FORMAT_READ)
        return strcmp(f.kind, name) == 0 ? NULL
                                         : arena_printf(a, "it is a %s: say -t %s", f.kind, f.kind);
    if (n > k && strcmp(path + n - k, suffix) == 0)
        source = arena_strndup(a, path, n - k);
    const char *build = arena_printf(a, "mcf map build%s %s",
                                     strncmp(f.kind, "btree", 5) == 0 ? " -t btree" : "", source);
    const char *what = arena_printf(a, "it is a %s of format version %u", f.kind, f.version);
    if (f.read_to)
        what = arena_printf(a, "%s, and %u to %u are read", what, f.read_from, f.read_to);
    return f.can == MAP_FORMAT_UPGRADE
               ? arena_printf(a, "%s: run db_upgrade %s, or %s", what, path, build)
               : arena_printf(a, "%s: run %s", what, build);
}

int map_file_safe(const char *path, const char **why)
{
    struct stat st;
    *why = NULL;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : errno;
    *why = S_ISLNK(st.st_mode)    ? "it is a symbolic link"
           : !S_ISREG(st.st_mode) ? "it is no plain file"
           : st.st_nlink > 1      ? "it has another name, too (a hard link)"
                                  : NULL;
    return *why ? EPERM : 0;
}

/* What a process that was killed has left behind. */
static void clean(struct arena *a, const char *folder, const char *name)
{
    DIR *d = opendir(folder);
    size_t n = strlen(name);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] != '.' || strncmp(e->d_name + 1, name, n) != 0 ||
            strncmp(e->d_name + 1 + n, MARK, strlen(MARK)) != 0)
            continue;
        pid_t pid = (pid_t)strtol(e->d_name + 1 + n + strlen(MARK), NULL, 10);
        if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH)
            unlink(fs_join(a, folder, e->d_name));
    }
    if (d)
        closedir(d);
}

int map_file_write(struct arena *a, struct map_build *b, const char *path, bool extend,
                   const struct map_file_terms *terms)
{
    const char *folder = fs_dirname(a, path), *name = fs_basename(path);
    const char *next = fs_join(a, folder, arena_printf(a, ".%s" MARK "%ld", name, (long)getpid()));
    clean(a, folder, name);
    unlink(next);
    int rc = extend ? fs_copy(path, next) : 0;
    if (rc == 0)
        rc = map_build_write(b, next, extend, MODE);
    bool wanted = !terms->faults || *terms->faults == 0;
    if (rc == 0 && wanted)
        rc = map_install(next, path, terms->owner, MODE);
    if (rc != 0 || !wanted)
        unlink(next);
    return rc;
}
