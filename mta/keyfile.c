#include "mta/keyfile.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

static bool is_ours(const struct program *p, uid_t uid)
{
    const char *trusted = setting_text(p, "TrustedUser");
    char *end;
    unsigned long number = strtoul(trusted, &end, 10);
    const struct passwd *pw = *trusted && *end ? getpwnam(trusted) : NULL;

    return uid == 0 || uid == geteuid() || (pw && uid == pw->pw_uid) ||
           (*trusted && !*end && uid == number);
}

/* Somebody else can put another file in its place. */
static const char *folders_wrong(struct arena *a, const struct program *p, const char *path,
                                 const char **command)
{
    struct stat st;

    while (strcmp(path, "/") != 0) {
        path = fs_dirname(a, path);
        if (stat(path, &st) != 0)
            return arena_printf(a, "%s: %s", path, strerror(errno));
        if (st.st_mode & S_ISVTX && program_forgives(p, "TrustStickyBit", NULL))
            continue;
        bool group = st.st_mode & S_IWGRP && !program_forgives(p, "GroupWritableDirPathSafe", NULL);
        if (!group && !(st.st_mode & S_IWOTH))
            continue;
        *command = arena_printf(a, "chmod go-w %s", path);
        return arena_printf(a, "the folder %s can be written by others", path);
    }
    return NULL;
}

static const char *mode_wrong(struct arena *a, const struct program *p, const char *path,
                              const struct stat *st, const char *word, const char **command)
{
    const bool group = word && program_forgives(p, word, NULL);
    const mode_t readers = S_IROTH | (group ? 0 : S_IRGRP);

    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        *command = arena_printf(a, "chmod go-w %s", path);
        return arena_printf(a, "%s can be written by others", path);
    }
    if (word && st->st_mode & readers) {
        *command = arena_printf(a, "chmod %s %s", group ? "o-r" : "go-r", path);
        return arena_printf(a, "%s is secret, and can be read by others", path);
    }
    return NULL;
}

const char *keyfile_wrong(struct arena *a, const struct program *p, const char *path,
                          const char *group, const char **command)
{
    char real[PATH_MAX];
    struct stat st;

    *command = NULL;
    if (!realpath(path, real) || stat(real, &st) != 0)
        return arena_printf(a, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return arena_printf(a, "%s is no file", path);
    if (!is_ours(p, st.st_uid)) {
        *command = arena_printf(a, "chown root %s", path);
        return arena_printf(a, "%s belongs to somebody else", path);
    }
    const char *wrong = mode_wrong(a, p, path, &st, group, command);
    return wrong ? wrong : folders_wrong(a, p, real, command);
}
