#include "mta/policy/users.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "lib/base/buf.h"

enum { ENTRY_BYTES = 16 << 10 };

enum user_verdict users_find(struct arena *a, const char *name, struct user *u)
{
    char *bytes = arena_raw(a, ENTRY_BYTES);
    struct passwd pw, *found = NULL;
    int failed = getpwnam_r(name, &pw, bytes, ENTRY_BYTES, &found);

    *u = (struct user){.name = "", .home = "", .comment = ""};
    if (!found)
        return failed == 0 || failed == ENOENT || failed == ESRCH ? USER_UNKNOWN : USER_LATER;
    *u = (struct user){pw.pw_name, pw.pw_dir, pw.pw_gecos ? pw.pw_gecos : "", pw.pw_uid, pw.pw_gid};
    return USER_FOUND;
}

const char *users_full_name(struct arena *a, const struct user *u)
{
    struct buf out;

    buf_init(&out, a);
    buf_adds(&out, "");
    for (const char *s = u->comment + (*u->comment == '*'); *s && !strchr(",;%", *s); s++) {
        if (*s != '&') {
            buf_addc(&out, *s);
            continue;
        }
        size_t at = out.len;
        buf_adds(&out, u->name);
        if (out.len > at)
            out.data[at] = (char)toupper((unsigned char)out.data[at]);
    }
    return out.data;
}

bool users_find_group(const char *name, gid_t *gid)
{
    char bytes[ENTRY_BYTES];
    struct group entry, *found = NULL;

    getgrnam_r(name, &entry, bytes, sizeof bytes, &found);
    if (found)
        *gid = found->gr_gid;
    return found != NULL;
}
