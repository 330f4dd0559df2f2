#include "mta/policy/users.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/fs.h"

enum { ENTRY_BYTES = 16 << 10, GROUPS_MAX = 256, SHELLS_MAX = 64 << 10 };

static enum user_verdict found(const struct passwd *pw, int failed, struct user *u)
{
    *u = (struct user){.name = "", .home = "", .comment = "", .shell = ""};
    if (!pw)
        return failed == 0 || failed == ENOENT || failed == ESRCH ? USER_UNKNOWN : USER_LATER;
    *u = (struct user){
        .name = pw->pw_name,
        .home = pw->pw_dir,
        .comment = pw->pw_gecos ? pw->pw_gecos : "",
        .shell = pw->pw_shell && *pw->pw_shell ? pw->pw_shell : "/bin/sh",
        .uid = pw->pw_uid,
        .gid = pw->pw_gid,
    };
    return USER_FOUND;
}

enum user_verdict users_find(struct arena *a, const char *name, struct user *u)
{
    struct passwd entry, *pw = NULL;
    int failed = getpwnam_r(name, &entry, arena_raw(a, ENTRY_BYTES), ENTRY_BYTES, &pw);

    return found(pw, failed, u);
}

enum user_verdict users_find_id(struct arena *a, uid_t uid, struct user *u)
{
    struct passwd entry, *pw = NULL;
    int failed = getpwuid_r(uid, &entry, arena_raw(a, ENTRY_BYTES), ENTRY_BYTES, &pw);

    return found(pw, failed, u);
}

static bool read_number(const char *text, unsigned long *n)
{
    char *end;

    *n = strtoul(text, &end, 10);
    return end > text && !*end;
}

bool users_read(struct arena *a, const char *text, struct user *u)
{
    const size_t n = strcspn(text, ":.");
    const char *name = arena_strndup(a, text, n);
    unsigned long number;

    if (read_number(name, &number))
        *u = (struct user){.name = "",
                           .home = "",
                           .comment = "",
                           .shell = "",
                           .uid = (uid_t)number,
                           .gid = (gid_t)number};
    else if (users_find(a, name, u) != USER_FOUND)
        return false;
    if (!text[n])
        return true;
    if (!read_number(text + n + 1, &number))
        return users_find_group(text + n + 1, &u->gid);
    u->gid = (gid_t)number;
    return true;
}

struct trust_reader *users_reader(struct arena *a, const struct user *u)
{
    struct trust_reader *r = arena_alloc(a, sizeof *r);
    gid_t *groups = arena_calloc(a, GROUPS_MAX, sizeof *groups);
    int n = GROUPS_MAX;

    *r = (struct trust_reader){*u->name ? u->name : NULL, u->uid, u->gid, groups, 0};
    if (*u->name && getgrouplist(u->name, u->gid, groups, &n) > 0)
        r->ngroups = (size_t)n;
    return r;
}

bool users_has_shell(struct arena *a, const struct user *u)
{
    static const char *const usual[] = {"/bin/sh", "/bin/csh"};
    char *text;
    size_t len;

    if (fs_read(a, "/etc/shells", SHELLS_MAX, &text, &len) != 0) {
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
            if (strcmp(u->shell, usual[i]) == 0)
                return true;
        }
        return false;
    }
    text = arena_strndup(a, text, len);
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        line += strcspn(line, "/#");
        line[strcspn(line, "# \t")] = '\0';
        if (*line && (strcmp(line, u->shell) == 0 || strcmp(line, "/SENDMAIL/ANY/SHELL/") == 0))
            return true;
    }
    return false;
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
