/*
 * lookup_user: class user: the system's users, a field of their entries by -v.
 */
#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/maps/lookup_class.h"
#include "lib/maps/map_lines.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { LARGEST_ENTRY = 1 << 20 }; /* bytes */

static const char *field_of(struct arena *a, const struct passwd *p, const char *column)
{
    const struct {
        const char *name, *value;
    } fields[] = {{"name", p->pw_name},
                  {"passwd", p->pw_passwd},
                  {"gecos", p->pw_gecos},
                  {"dir", p->pw_dir},
                  {"shell", p->pw_shell}};
    for (size_t i = 0; i < COUNT(fields); i++)
        if (strcasecmp(fields[i].name, column) == 0)
            return fields[i].value ? fields[i].value : "";
    return strcasecmp(column, "uid") == 0   ? arena_printf(a, "%lu", (unsigned long)p->pw_uid)
           : strcasecmp(column, "gid") == 0 ? arena_printf(a, "%lu", (unsigned long)p->pw_gid)
                                            : NULL;
}

static void user_find(struct lookup_query *q)
{
    const char *column = q->map->value_column ? q->map->value_column : "name";
    const struct passwd nobody = {0};
    if (!field_of(q->result, &nobody, column)) {
        if (q->map->optional)
            q->answer->closed = true;
        else
            lookup_failed(q, "-v%s: a user has no such field", column);
        return;
    }
    char *small = arena_strndup(q->result, q->key.p, q->key.len);
    map_fold(small, q->key.len); /* -f or not; it is also what -m gives */
    struct map_bytes name = q->key = (struct map_bytes){small, q->key.len};
    struct passwd entry, *found = NULL;
    if (memchr(name.p, '\0', name.len)) {
        lookup_is_not_found(q, EX_NOUSER);
        return;
    }
    int rc = ERANGE;
    for (size_t size = 1024; rc == ERANGE && size <= LARGEST_ENTRY; size *= 4)
        rc = getpwnam_r(name.p, &entry, arena_raw(q->result, size), size, &found);
    if (found)
        lookup_is_found_text(q, field_of(q->result, found, column));
    else if (rc == 0 || rc == ENOENT || rc == ESRCH)
        lookup_is_not_found(q, EX_NOUSER);
    else
        lookup_failed(q, "the users cannot be asked: %s", strerror(rc));
}

const struct lookup_class map_lookup_user = {lookup_read_flags, user_find, NULL, false};
