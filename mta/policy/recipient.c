#include "mta/policy/recipient.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "mta/policy/ruling.h"

enum { PASSWD_BYTES = 16 << 10 };

static bool has_flag(const struct mailer *m, char flag)
{
    return strchr(m->flags, flag) != NULL;
}

static struct target nobody(const char *reply)
{
    return (struct target){NULL, "", "", "", reply, reply && *reply == '4'};
}

/* 1: there is such a user, 0: there is none, -1: that cannot be said now. */
static int find_user(struct worker *w, const char *name, const char **home)
{
    char *bytes = arena_alloc(w->arena, PASSWD_BYTES);
    struct passwd pw, *found = NULL;
    int failed = getpwnam_r(name, &pw, bytes, PASSWD_BYTES, &found);

    *home = "";
    if (!found)
        return failed == 0 || failed == ENOENT || failed == ESRCH ? 0 : -1;
    *home = arena_strdup(w->arena, pw.pw_dir);
    return 1;
}

/* What only an alias may name. */
static const char *not_by_mail(const struct mailer *m, const char *user)
{
    if (strcmp(m->name, "*include*") == 0)
        return "Cannot mail directly to :include:s";
    if (strcmp(m->name, "*file*") == 0)
        return "Cannot mail directly to files";
    if (strcmp(m->name, "prog") == 0 && *user == '|')
        return "Cannot mail directly to programs";
    return NULL;
}

static struct target target_of(struct worker *w, const struct address *a)
{
    return (struct target){.mailer = a->mailer,
                           .host = arena_strdup(w->arena, a->host ? a->host : ""),
                           .user = arena_strdup(w->arena, a->user),
                           .home = ""};
}

/* A backslash before a user means him and nobody else: it is no part of his name. */
static const char *bare_user(const char *user)
{
    return *user == '\\' ? user + 1 : user;
}

bool recipient_replaced(struct worker *w, struct target *t, const char *shown)
{
    struct address a;

    if (!has_flag(t->mailer, '5'))
        return false;
    worker_forget_notes(w);
    worker_set(w, "h", t->host);
    rewrite_begin(w->r);
    bool other = address_parse_local(w->r, t->user, &a);
    rewrite_rest(w->r);
    const char *refusal = other ? ruling_of_address(w, &a, true, shown) : NULL;
    if (refusal)
        *t = nobody(refusal);
    else if (other)
        *t = target_of(w, &a);
    return other;
}

struct target recipient_user(struct worker *w, struct target t, const char *shown)
{
    if (!has_flag(t.mailer, 'w'))
        return t;
    t.user = bare_user(t.user);
    int found = find_user(w, t.user, &t.home);
    if (found < 0)
        return nobody(ruling_reply(w->arena, 451, "4.3.0", shown, "Temporary lookup failure"));
    if (found == 0)
        return nobody(ruling_reply(w->arena, 550, "5.1.1", shown, "User unknown"));
    return t;
}

struct target recipient_parse(struct worker *w, const char *text, const char *shown,
                              bool from_alias)
{
    struct address a;

    worker_forget_notes(w);
    rewrite_begin(w->r);
    bool parsed = address_parse(w->r, text, 0, &a);
    rewrite_rest(w->r);
    const char *refusal = ruling_of_address(w, &a, parsed, shown);
    if (refusal && !(a.mailer && a.status == EX_TEMPFAIL))
        return nobody(refusal);
    struct target t = target_of(w, &a);
    t.later = a.status == EX_TEMPFAIL;
    const char *never = from_alias || t.later ? NULL : not_by_mail(t.mailer, t.user);
    if (never)
        return nobody(ruling_reply(w->arena, 550, "5.7.1", shown, never));
    return t;
}

struct target recipient_target(struct worker *w, const char *text, const char *shown,
                               bool from_alias)
{
    struct target t = recipient_parse(w, text, shown, from_alias);

    if (!t.mailer || t.later)
        return t;
    for (int i = 0; i < RECIPIENT_CHAIN_MAX && *t.user != '\\'; i++) {
        if (!recipient_replaced(w, &t, shown))
            break;
        if (!t.mailer)
            return t;
    }
    return recipient_user(w, t, shown);
}

const char *recipient_full_name(struct worker *w, const char *user)
{
    char *bytes = arena_alloc(w->arena, PASSWD_BYTES);
    struct passwd pw, *found = NULL;

    getpwnam_r(user, &pw, bytes, PASSWD_BYTES, &found);
    if (!found || !found->pw_gecos)
        return "";
    const char *name = arena_strndup(w->arena, pw.pw_gecos, strcspn(pw.pw_gecos, ",;"));
    return *name ? arena_printf(w->arena, "%s ", name) : "";
}
