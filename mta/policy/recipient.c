#include "mta/policy/recipient.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "mta/policy/ruling.h"
#include "mta/policy/users.h"
#include "mta/settings.h"

enum { PASSWD_BYTES = 16 << 10 };

static bool has_flag(const struct mailer *m, char flag)
{
    return strchr(m->flags, flag) != NULL;
}

static struct target nobody(const char *reply)
{
    return (struct target){
        .host = "", .user = "", .home = "", .reply = reply, .later = reply && *reply == '4'};
}

static enum user_verdict find_user(struct worker *w, const char *name, const char **home)
{
    struct user u;
    enum user_verdict verdict = users_find(w->arena, name, &u);

    *home = u.home;
    return verdict;
}

static bool is_blank_like(char c)
{
    return c == ' ' || c == '.' || c == '_';
}

/* Names are the same but for case and what stands for blanks. */
static bool same_name(const char *x, const char *y, char blank)
{
    for (; *x && *y; x++, y++) {
        bool both = (is_blank_like(*x) || *x == blank) && (is_blank_like(*y) || *y == blank);
        if (!both && tolower((unsigned char)*x) != tolower((unsigned char)*y))
            return false;
    }
    return *x == *y;
}

/* The user whose full name this is (O MatchGECOS); NULL: none. */
static const char *user_by_name(struct worker *w, const char *name, const char **home)
{
    FILE *f = fopen("/etc/passwd", "re");
    char *bytes = arena_alloc(w->arena, PASSWD_BYTES);
    struct passwd pw, *found = NULL;
    const char *user = NULL;

    while (f && !user && fgetpwent_r(f, &pw, bytes, PASSWD_BYTES, &found) == 0) {
        const char *full = arena_strndup(w->arena, pw.pw_gecos, strcspn(pw.pw_gecos, ",;"));
        if (*full && same_name(full, name, w->service->program->space)) {
            user = arena_strdup(w->arena, pw.pw_name);
            *home = arena_strdup(w->arena, pw.pw_dir);
        }
    }
    if (f)
        fclose(f);
    return user;
}

/* What only an alias may name. */
static const char *not_by_mail(const struct mailer *m, const char *user)
{
    if (strcmp(m->name, "*include*") == 0)
        return "Cannot mail directly to :include:s";
    if (strcmp(m->name, "*file*") == 0)
        return "Cannot mail directly to files";
    if (strcmp(m->name, "prog") == 0 && user[*user == '"'] == '|')
        return "Cannot mail directly to programs";
    return NULL;
}

static struct target target_of(struct worker *w, const struct address *a)
{
    return (struct target){.mailer = a->mailer,
                           .host = arena_strdup(w->arena, a->host ? a->host : ""),
                           .user = arena_strdup(w->arena, a->user),
                           .home = "",
                           .settled = a->settled};
}

/* A backslash before a user means him and nobody else: it is no part of his name. */
static const char *bare_user(const char *user)
{
    return *user == '\\' ? user + 1 : user;
}

bool recipient_replaced(struct worker *w, struct target *t, const char *shown)
{
    struct address a;

    if (!has_flag(t->mailer, '5') || t->settled)
        return false;
    const struct decision before = w->decision;
    worker_forget_notes(w);
    worker_forget_decision(w);
    w->decision.of_mailer = true;
    worker_set(w, "h", t->host);
    rewrite_begin(w->r);
    bool other = address_parse_local(w->r, t->user, &a);
    rewrite_rest(w->r);
    if (!other)
        w->decision = before;
    const char *refusal = other ? ruling_of_address(w, &a, true, shown) : NULL;
    if (refusal)
        *t = nobody(refusal);
    else if (other)
        *t = target_of(w, &a);
    return other;
}

static const char *in_small_letters(struct worker *w, const char *user)
{
    char *small = arena_strdup(w->arena, user);

    for (char *s = small; *s; s++)
        *s = (char)tolower((unsigned char)*s);
    return small;
}

struct target recipient_user(struct worker *w, struct target t, const char *shown)
{
    if (!has_flag(t.mailer, 'w'))
        return t;
    t.user = bare_user(t.user);
    enum user_verdict found = find_user(w, t.user, &t.home);
    if (found == USER_UNKNOWN) {
        t.user = in_small_letters(w, t.user);
        found = find_user(w, t.user, &t.home);
    }
    if (found == USER_LATER)
        return nobody(ruling_reply(w->arena, 451, "4.3.0", shown, "Temporary lookup failure"));
    const char *other = found == USER_UNKNOWN && setting_true(w->service->program, "MatchGECOS")
                            ? user_by_name(w, t.user, &t.home)
                            : NULL;
    if (other)
        t.user = other;
    else if (found == USER_UNKNOWN)
        return nobody(ruling_reply(w->arena, 550, "5.1.1", shown, "User unknown"));
    return t;
}

struct target recipient_parse(struct worker *w, const char *text, const char *shown,
                              bool from_alias)
{
    struct address a;

    worker_forget_notes(w);
    worker_forget_decision(w);
    w->decision.of_mailer = true;
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
    struct user u;

    users_find(w->arena, user, &u);
    const char *name = users_full_name(w->arena, &u);
    return *name ? arena_printf(w->arena, "%s ", name) : "";
}
