/*
 * users: those of this system, as its sources of users say (getpwnam_r).
 */
#ifndef MCF_MTA_USERS_H
#define MCF_MTA_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/base/trust.h"

enum user_verdict { USER_FOUND, USER_UNKNOWN, USER_LATER /* it cannot be said now */ };

struct user {
    const char *name, *home, *comment, *shell; /* never NULL */
    uid_t uid;
    gid_t gid;
};

/* *u has empty texts where there is none; texts are in the arena. */
enum user_verdict users_find(struct arena *a, const char *name, struct user *u);
enum user_verdict users_find_id(struct arena *a, uid_t uid, struct user *u);
/* "user", "user:group", by name or number; of a number alone, the group is the same.  False: there
 * is none such.  A user who is named by his number has no name here. */
bool users_read(struct arena *a, const char *text, struct user *u);
/* By his rights files are read. */
struct trust_reader *users_reader(struct arena *a, const struct user *u);
/* His shell is one of /etc/shells: he may have programs run. */
bool users_has_shell(struct arena *a, const struct user *u);
/* The full name in the comment: up to a comma, '&' is the user's name; "" where there is none. */
const char *users_full_name(struct arena *a, const struct user *u);
/* False: there is no such group, or that cannot be said now. */
bool users_find_group(const char *name, gid_t *gid);

#endif
