#include "lib/base/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

enum { LINKS_MAX = 20, GROUPS_MAX = 256 };

#define TRUSTED(name, folder, group_folder, link, group_file, world_file, writers, readers, owner, \
                secret)                                                                            \
    const struct trust_kind trust_##name = {folder,  group_folder, link,  group_file, world_file,  \
                                            writers, readers,      owner, secret};
#include "lib/base/trusted.def"

struct look {
    struct arena *arena;
    const char *file;
    const struct trust *t;
    const struct trust_kind *kind;
    struct trust_fault *fault;
    bool forgiven; /* who may write to folders */
    unsigned links;
};

static bool forgives(const struct trust *t, const char *word)
{
    return word && (!*word || (t->forgives && t->forgives(t->ctx, word)));
}

static bool fail(struct look *l, int error, const char *why, const char *path, const char *command)
{
    *l->fault = (struct trust_fault){error, why ? why : strerror(error), path, l->file, command};
    return false;
}

/* --- by mode ------------------------------------------------------------------------------- */

/* What he is to the file: its owner, of its group, or another: 'u', 'g', 'o'. */
static char class_of(const struct trust_reader *r, const struct stat *st)
{
    gid_t own[GROUPS_MAX];
    int n = r ? 0 : getgroups(GROUPS_MAX, own);
    const struct trust_reader self = {NULL, geteuid(), getegid(), own, n > 0 ? (size_t)n : 0};

    r = r ? r : &self;
    bool member = st->st_gid == r->gid;
    for (size_t i = 0; i < r->ngroups; i++)
        member = member || r->groups[i] == st->st_gid;
    return (char)(st->st_uid == r->uid ? 'u' : member ? 'g' : 'o');
}

bool trust_allows(const struct trust_reader *r, const struct stat *st, mode_t may)
{
    const char of = class_of(r, st);

    return st->st_mode & (of == 'u' ? may : of == 'g' ? may >> 3 : may >> 6);
}

static const char *owner_of(struct look *l)
{
    const struct trust_reader *r = l->t->reader;
    const uid_t uid = r ? r->uid : geteuid();

    if (r && r->name)
        return r->name;
    return uid == 0 ? "root" : arena_printf(l->arena, "%lu", (unsigned long)uid);
}

/* Gives the reader what he may not do. */
static const char *command_to_allow(struct look *l, const struct stat *st, const char *path,
                                    char what)
{
    return arena_printf(l->arena, "chmod %c+%c %s", class_of(l->t->reader, st), what, path);
}

const char *trust_command_to_close(struct arena *a, mode_t mode, const char *path)
{
    const bool group = mode & S_IWGRP, world = mode & S_IWOTH;

    return arena_printf(a, "chmod %s-w %s", group && world ? "go" : group ? "g" : "o", path);
}

/* --- folders ------------------------------------------------------------------------------- */

static bool is_open_folder(struct look *l, const struct stat *st)
{
    if (st->st_mode & S_ISVTX && forgives(l->t, "TrustStickyBit"))
        return false;
    if (st->st_mode & S_IWOTH)
        return true;
    return st->st_mode & S_IWGRP && !forgives(l->t, "GroupWritableDirPathSafe") &&
           !forgives(l->t, l->kind->group_folder);
}

static bool folders_of(struct look *l, const char *path);

/* One folder, not those above it. */
static bool look_at_folder(struct look *l, const char *folder)
{
    char target[PATH_MAX];
    struct stat st;

    if (lstat(folder, &st) != 0)
        return fail(l, errno, NULL, folder, NULL);
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(folder, target, sizeof target - 1);
        if (n < 0 || ++l->links > LINKS_MAX)
            return fail(l, n < 0 ? errno : ELOOP, NULL, folder, NULL);
        target[n] = '\0';
        const char *whole = fs_join(l->arena, fs_dirname(l->arena, folder), target);
        if (!folders_of(l, arena_printf(l->arena, "%s/", whole)))
            return false;
        if (stat(folder, &st) != 0)
            return fail(l, errno, NULL, folder, NULL);
    }
    if (!l->forgiven && is_open_folder(l, &st) && !forgives(l->t, l->kind->folder))
        return fail(l, 0,
                    st.st_mode & S_IWOTH ? "World writable directory" : "Group writable directory",
                    folder, trust_command_to_close(l->arena, st.st_mode, folder));
    if (l->kind->minds_readers && !trust_allows(l->t->reader, &st, S_IXUSR))
        return fail(l, EACCES, NULL, folder, command_to_allow(l, &st, folder, 'x'));
    return true;
}

/* All up to the last '/'. */
static bool folders_of(struct look *l, const char *path)
{
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        if (slash > path && slash[-1] == '/')
            continue;
        const char *folder =
            slash == path ? "/" : arena_strndup(l->arena, path, (size_t)(slash - path));
        if (!look_at_folder(l, folder))
            return false;
    }
    return true;
}

bool trust_folders(struct arena *a, const struct trust *t, const struct trust_kind *kind,
                   const char *path, struct trust_fault *fault)
{
    struct look l = {a, path, t, kind, fault, false, 0};

    return folders_of(&l, path);
}

/* --- the file ------------------------------------------------------------------------------ */

/* A link that others could have put there. */
static bool look_at_link(struct look *l, const char *path)
{
    const char *folder = fs_dirname(l->arena, path);
    struct stat st;

    if (stat(folder, &st) != 0 || !(st.st_mode & (S_IWGRP | S_IWOTH)) ||
        forgives(l->t, l->kind->link))
        return true;
    return fail(l, 0, "Symbolic links not allowed", path,
                trust_command_to_close(l->arena, st.st_mode, folder));
}

static bool look_at_writers(struct look *l, const struct stat *st, const char *path)
{
    const bool group = st->st_mode & S_IWGRP && !forgives(l->t, l->kind->group_file);
    const bool world = st->st_mode & S_IWOTH && !forgives(l->t, l->kind->world_file);

    if (!l->kind->minds_writers || (!group && !world))
        return true;
    return fail(l, 0, group ? "Group writable file" : "World writable file", path,
                trust_command_to_close(l->arena, st->st_mode, path));
}

static bool look_at_owner(struct look *l, const struct stat *st, const char *path)
{
    const struct trust_reader *r = l->t->reader;

    if (!l->kind->minds_owner || st->st_uid == 0 || st->st_uid == (r ? r->uid : geteuid()) ||
        (l->t->trusted && st->st_uid == *l->t->trusted))
        return true;
    return fail(l, EACCES, NULL, path, arena_printf(l->arena, "chown %s %s", owner_of(l), path));
}

/* Of what is secret. */
static bool look_at_secret(struct look *l, const struct stat *st, const char *path)
{
    const char *word = l->kind->group_reader;
    const bool group = word && st->st_mode & S_IRGRP && !forgives(l->t, word);
    const bool world = word && st->st_mode & S_IROTH;

    if (!group && !world)
        return true;
    return fail(l, 0, group ? "Group readable file" : "World readable file", path,
                arena_printf(l->arena, "chmod %s-r %s",
                             group && world ? "go"
                             : group        ? "g"
                                            : "o",
                             path));
}

/* Of a link: whether the reader gets to where it leads. */
static bool look_where_it_leads(struct look *l, const char *path)
{
    char real[PATH_MAX];

    if (!realpath(path, real))
        return fail(l, errno, NULL, path, NULL);
    l->forgiven = true;
    return folders_of(l, arena_strdup(l->arena, real));
}

static bool look_at_file(struct look *l, const char *path)
{
    const struct trust_reader *r = l->t->reader;
    struct stat st;

    if (lstat(path, &st) != 0)
        return fail(l, errno, NULL, path, NULL);
    const bool is_link = S_ISLNK(st.st_mode);
    if (is_link && !look_at_link(l, path))
        return false;
    if (stat(path, &st) != 0)
        return fail(l, errno, NULL, path, NULL);
    if (!S_ISREG(st.st_mode))
        return fail(l, 0, "Regular files only", path, NULL);
    if (!look_at_writers(l, &st, path))
        return false;
    if (!look_at_owner(l, &st, path) || !look_at_secret(l, &st, path))
        return false;
    if (l->kind->minds_readers && !trust_allows(r, &st, S_IRUSR))
        return fail(l, EACCES, NULL, path, command_to_allow(l, &st, path, 'r'));
    return !is_link || look_where_it_leads(l, path);
}

bool trust_file(struct arena *a, const struct trust *t, const struct trust_kind *kind,
                const char *path, struct trust_fault *fault)
{
    struct look l = {a, path, t, kind, fault, false, 0};

    return folders_of(&l, path) && look_at_file(&l, path);
}

const char *trust_said(struct arena *a, const struct trust_fault *f)
{
    return f->command ? arena_printf(a, "%s; mend it: %s", f->why, f->command) : f->why;
}
