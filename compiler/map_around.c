/*
 * map_around: what is wrong with a map's files: a database older than its source, one that cannot
 * be read, and what others can write to.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/map_check.h"
#include "compiler/map_file.h"
#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/base/source.h"

static void say(const struct map_checking *c, enum finding_id id, const char *path,
                const char *second)
{
    finding_add(c->diag, id, (struct origin){c->source->id, 0, 0, 0}, path, second, NULL);
}

/* A folder where only its owner may remove a file is another matter: /tmp. */
static void check_mode(const struct map_checking *c, const char *path, const struct stat *st)
{
    if ((S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) && !(st->st_mode & S_ISVTX) &&
        (st->st_mode & (S_IWGRP | S_IWOTH)))
        say(c, FINDING_MAP_WRITABLE, path, st->st_mode & S_IWOTH ? "everybody" : "its group");
}

static void check_database(const struct map_checking *c, enum map_type type, const char *path,
                           const struct stat *source)
{
    struct stat st;
    struct map *m = NULL;
    const char *build =
        c->kind == KIND_ALIASES
            ? "newaliases"
            : arena_printf(c->arena, "mcf map build %s%s%s%s", type == MAP_cdb ? "-t " : "",
                           type == MAP_cdb ? "cdb" : "", type == MAP_cdb ? " " : "",
                           c->source->path);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    check_mode(c, path, &st);
    if (!(st.st_mode & S_IRUSR)) {
        say(c, FINDING_MAP_UNREADABLE_MODE, path, NULL);
        return;
    }
    int err = map_open(c->arena, type, path, &m);
    if (err && type == MAP_hash)
        err = map_open(c->arena, MAP_btree, path, &m);
    map_close(m);
    const char *why = err == EINVAL ? map_file_trouble(c->arena, type, path) : NULL;
    if (why && c->kind != KIND_ALIASES)
        finding_add(c->diag, FINDING_MAP_UNREADABLE_FORMAT, (struct origin){c->source->id, 0, 0, 0},
                    path, why, build, NULL);
    else if (err && err != EACCES && err != EPERM)
        say(c, FINDING_MAP_UNREADABLE, path, build);
    else if (fs_is_older(&st, source))
        say(c, FINDING_MAP_OLD, path, build);
}

void map_check_around(const struct map_checking *c)
{
    struct stat st;
    const char *path = c->source->path, *folder = fs_dirname(c->arena, path);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    check_mode(c, path, &st);
    check_database(c, MAP_hash, map_file_path(c->arena, MAP_hash, path), &st);
    check_database(c, MAP_cdb, map_file_path(c->arena, MAP_cdb, path), &st);
    if (stat(folder, &st) == 0)
        check_mode(c, folder, &st);
}
