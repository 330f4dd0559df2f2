/*
 * users: those of this system, as its sources of users say (getpwnam_r).
 */
#ifndef MCF_MTA_USERS_H
#define MCF_MTA_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/arena.h"

enum user_verdict { USER_FOUND, USER_UNKNOWN, USER_LATER /* it cannot be said now */ };

struct user {
    const char *name, *home, *comment; /* never NULL */
    uid_t uid;
    gid_t gid;
};

/* *u has empty texts where there is none; texts are in the arena. */
enum user_verdict users_find(struct arena *a, const char *name, struct user *u);
/* The full name in the comment: up to a comma, '&' is the user's name; "" where there is none. */
const char *users_full_name(struct arena *a, const struct user *u);
/* False: there is no such group, or that cannot be said now. */
bool users_find_group(const char *name, gid_t *gid);

#endif
