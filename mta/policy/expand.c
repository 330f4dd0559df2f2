#include "mta/policy/expand.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/base/trust.h"
#include "lib/maps/lookup.h"
#include "lib/maps/map_aliases.h"
#include "mta/message/coded.h"
#include "mta/policy/ruling.h"
#include "mta/policy/users.h"
#include "mta/settings.h"

enum { LISTS_MAX = 32, LIST_BYTES_MAX = 16 << 20, OWNER = 6 /* owner- */ };

/* A list that is read: who stands behind it. */
struct backer {
    const char *shown;     /* its address */
    const struct send *of; /* whose it is; NULL: there is no list */
    const char *user;      /* as whom programs and files are used; NULL: as usual */
    const char *path;
    const struct backer *outer; /* the list that this one is in; NULL: none */
    const char *command;        /* that mends that; NULL: nothing simple */
    const char *no_user;        /* why not, up to for what; NULL: they are */
};

/* One recipient of the envelope, and all that come of it. */
struct walk {
    struct worker *w;
    struct send_list *list;
    const char *reply; /* the first refusal */
    bool later, looped;
    bool no_aliases;         /* they could not be asked */
    const struct send *same; /* the recipient itself is there already, as this one */
    size_t live;             /* that are delivered to, or were before */
    const char *file;        /* the list that is read; NULL: none */
    size_t line, files;
    struct backer backer;
};

static bool has_flag(const struct mailer *m, char flag)
{
    return strchr(m->flags, flag) != NULL;
}

/* What is wrong is said with its place in a list: "550 5.1.1 FILE: line 1: text". */
static const char *placed(const struct walk *k, const char *reply)
{
    const size_t codes = (size_t)(coded_line(bytes_of(reply)).text.p - reply);

    return k->file ? arena_printf(k->list->arena, "%.*s%s: line %zu: %s", (int)codes, reply,
                                  k->file, k->line, reply + codes)
                   : arena_strdup(k->list->arena, reply);
}

static void refuse(struct walk *k, const struct recipient *r, const char *reply)
{
    struct send_list *l = k->list;

    if (!k->reply)
        k->reply = placed(k, reply);
    if (!l->tolerant)
        return;
    l->bad = arena_grow(l->arena, l->bad, l->nbad, &l->bad_room, sizeof *l->bad, 4);
    l->bad[l->nbad++] = (struct refused){*r, placed(k, reply)};
}

/* --- the list ----------------------------------------------------------------------------- */

static bool same_user(const struct mailer *m, const char *x, const char *y)
{
    return has_flag(m, 'u') || !has_flag(m, 'l') ? strcmp(x, y) == 0 : strcasecmp(x, y) == 0;
}

static bool is_used_as_somebody(const struct mailer *m)
{
    return strcmp(m->name, "prog") == 0 || strcmp(m->name, "*file*") == 0;
}

/* Programs and files of two users are two, though they have the same name.  as: the user; NULL: of
 * nobody. */
static bool is_used_as(const struct send *s, const char *as)
{
    const struct bytes user = bytes_of(as ? as : "");

    return s->recipient.user.len == user.len &&
           (user.len == 0 || memcmp(s->recipient.user.p, user.p, user.len) == 0);
}

/* The one that is there already; NULL: it is new. */
static struct send *known(struct send_list *l, const struct target *t, const char *as,
                          const struct send *but)
{
    bool himself = *t->user == '\\';
    const char *user = t->user + himself;

    for (size_t i = 0; i < l->n; i++) {
        struct send *s = l->v[i];
        if (s != but && s->himself == himself && s->state != SEND_GONE &&
            strcmp(s->mailer, t->mailer->name) == 0 && strcasecmp(s->host, t->host) == 0 &&
            same_user(t->mailer, s->user, user) &&
            (!is_used_as_somebody(t->mailer) || is_used_as(s, as)))
            return s;
    }
    return NULL;
}

static void set_target(struct send_list *l, struct send *s, const struct target *t)
{
    s->mailer = arena_strdup(l->arena, t->mailer->name);
    s->host = arena_strdup(l->arena, t->host);
    s->himself = *t->user == '\\';
    s->user = arena_strdup(l->arena, t->user + s->himself);
}

/* Behind all whose host is not greater. */
static void put(struct send_list *l, struct send *s)
{
    size_t at = l->n;

    l->v = arena_grow(l->arena, l->v, l->n, &l->room, sizeof(struct send *), 8);
    while (at > 0 && strcasecmp(l->v[at - 1]->host, s->host) > 0) {
        l->v[at] = l->v[at - 1];
        at--;
    }
    l->v[at] = s;
    l->n++;
}

/* It has another host by now. */
static void put_again(struct send_list *l, struct send *s)
{
    size_t at = 0;

    while (at < l->n && l->v[at] != s)
        at++;
    if (at == l->n)
        return;
    memmove(l->v + at, l->v + at + 1, (l->n - at - 1) * sizeof(struct send *));
    l->n--;
    put(l, s);
}

static const struct send *primary(const struct send *s)
{
    while (s->parent)
        s = s->parent;
    return s;
}

/* Where reports say that it came of somebody. */
static void inherit(struct walk *k, struct send *s, const char *shown)
{
    struct recipient *r = &s->recipient;
    const struct recipient *from = &primary(s)->recipient;

    r->original = from->original;
    r->final = from->final;
    /* Whoever is in a list is of the list, and not of the alias that names it. */
    r->from = k->backer.of == s->parent ? bytes_of(arena_strdup(k->list->arena, k->backer.shown))
                                        : s->parent->recipient.shown;
    r->notify = s->parent->recipient.notify;
    r->owner = s->parent->recipient.owner;
    r->shown = bytes_of(arena_strdup(k->list->arena, shown));
    if (k->backer.user)
        r->user = bytes_of(arena_strdup(k->list->arena, k->backer.user));
}

/* One that is nobody, as reports have it. */
static void refuse_address(struct walk *k, const char *text, const char *shown, struct send *parent,
                           const char *reply)
{
    struct send s = {.parent = parent};

    s.recipient.address = bytes_of(arena_strdup(k->list->arena, text));
    s.recipient.shown = bytes_of(arena_strdup(k->list->arena, shown));
    if (parent)
        inherit(k, &s, shown);
    refuse(k, &s.recipient, reply);
}

/* "user@host" for Final-Recipient. */
static struct bytes final_address(struct walk *k, const struct target *t, struct bytes address)
{
    if (!has_flag(t->mailer, 'l'))
        return strchr(t->user, '@') ? bytes_of(arena_strdup(k->list->arena, t->user)) : address;
    return bytes_of(arena_printf(k->list->arena, "%s@%s", t->user, k->w->service->host));
}

static struct send *new_send(struct walk *k, const char *text, const char *shown,
                             struct send *parent, const struct target *t)
{
    struct arena *a = k->list->arena;
    struct send *s = arena_alloc(a, sizeof *s);

    *s = (struct send){.parent = parent,
                       .depth = parent ? parent->depth + 1 : 0,
                       .number = k->list->n,
                       .added = k->list->adding};
    s->recipient.address = bytes_of(arena_strdup(a, text));
    set_target(k->list, s, t);
    if (parent)
        inherit(k, s, shown);
    put(k->list, s);
    return s;
}

/* --- what is in somebody's place ----------------------------------------------------------- */

static void visit(struct walk *k, const char *text, const char *shown, struct send *parent);

/* The value of an alias; NULL: there is none. */
static const char *alias_of(struct walk *k, const char *name)
{
    struct worker *w = k->w;
    const struct lookup_map *m = lookup_find(w->service->program->maps, "aliases", 7);
    struct lookup_answer a = {0};

    if (!m || !*name)
        return NULL;
    lookup(rewrite_maps(w->r), m, (struct map_bytes){name, strlen(name)}, NULL, 0, w->arena, &a);
    lookup_session_rest(rewrite_maps(w->r));
    if (a.verdict == MAP_TEMPFAIL) {
        k->later = k->no_aliases = true;
        worker_log_trouble(w, a.why);
    }
    if (a.verdict != MAP_FOUND || a.value.len == 0)
        return NULL;
    return arena_strndup(w->arena, a.value.p, a.value.len);
}

/* Each address of a text with ',' between them, the last one first. */
static void visit_all(struct walk *k, const char *text, struct send *parent)
{
    struct alias_span whole = {0, strlen(text)};
    struct alias_item item;
    struct alias_span *v = NULL;
    size_t pos = 0, n = 0, room = 0;

    while (alias_item_next(text, whole, &pos, &item)) {
        v = arena_grow(k->w->arena, v, n, &room, sizeof *v, 8);
        v[n++] = item.at;
    }
    while (n-- > 0) {
        const char *one = arena_strndup(k->list->arena, text + v[n].begin, v[n].end - v[n].begin);
        visit(k, one, one, parent);
    }
}

static size_t count_items(const char *text)
{
    struct alias_span whole = {0, strlen(text)};
    struct alias_item item;
    size_t pos = 0, n = 0;

    while (alias_item_next(text, whole, &pos, &item))
        n++;
    return n;
}

/* Whom bounces of a list go to: the alias owner-NAME, or the one address that it has. */
static void find_owner(struct walk *k, struct send *s)
{
    size_t len = strlen(s->user);
    bool of_owner = strncasecmp(s->user, "owner-", OWNER) == 0 ||
                    (len > 8 && strcasecmp(s->user + len - 8, "-request") == 0);
    const char *name = of_owner ? "owner-owner" : arena_printf(k->w->arena, "owner-%s", s->user);
    const char *owner = alias_of(k, name);

    if (!owner)
        return;
    if (strpbrk(owner, ":/|\","))
        owner = name;
    s->recipient.owner = bytes_of(arena_strdup(k->list->arena, owner));
    s->owned = true;
}

/* What is told of one that others get in its place: of one other, all; of several, no more than
 * that it arrived; of a list, nothing. */
static void expand_notify(struct send *s, const char *value)
{
    uint64_t *notify = &s->recipient.notify;

    if (s->owned || count_items(value) > 1)
        *notify |= NOTIFY_ONE_OF;
    if (s->owned)
        *notify &= ~(uint64_t)(NOTIFY_SAID | NOTIFY_SUCCESS | NOTIFY_NEVER);
    else if (count_items(value) > 1)
        *notify &= ~(uint64_t)NOTIFY_SAID;
}

/* Whoever the value names is put in its place: of an alias, or of the user database. */
static bool visit_value(struct walk *k, struct send *s, const char *value,
                        void find_owner_of(struct walk *k, struct send *s))
{
    if (k->no_aliases) {
        s->asked_again = true;
        k->live++;
        return true;
    }
    if (!value)
        return false;
    s->aliased = true;
    if (k->list->names_only) {
        k->live++;
        return true;
    }
    s->state = SEND_EXPANDED;
    find_owner_of(k, s);
    uint64_t kept = s->recipient.notify;
    expand_notify(s, value);
    visit_all(k, value, s);
    s->recipient.notify = kept;
    return true;
}

static bool visit_alias(struct walk *k, struct send *s)
{
    return visit_value(k, s, alias_of(k, s->user), find_owner);
}

/* A field of the user's in the user database; NULL: he has none. */
static const char *in_userdb(struct walk *k, const char *user, const char *field)
{
    struct lookup_answer a;

    lookup_userdb(rewrite_maps(k->w->r), user, field, k->w->arena, &a);
    lookup_session_rest(rewrite_maps(k->w->r));
    if (a.verdict == MAP_TEMPFAIL)
        k->later = k->no_aliases = true;
    return a.verdict == MAP_FOUND ? arena_strndup(k->w->arena, a.value.p, a.value.len) : NULL;
}

static void find_mailsender(struct walk *k, struct send *s)
{
    const char *owner = in_userdb(k, s->user, "mailsender");

    if (!owner)
        return;
    s->recipient.owner = bytes_of(arena_strdup(k->list->arena, owner));
    s->owned = true;
}

/* Where the user database has his mail go (F=@). */
static bool visit_userdb(struct walk *k, struct send *s)
{
    if (!*setting_text(k->w->service->program, "UserDatabaseSpec") || !*s->user)
        return false;
    return visit_value(k, s, in_userdb(k, s->user, "maildrop"), find_mailsender);
}

/* --- files of addresses ------------------------------------------------------------------- */

static char *read_list(struct walk *k, FILE *f, size_t size)
{
    char *text = arena_alloc(k->w->arena, size + 1);

    text[fread(text, 1, size, f)] = '\0';
    return text;
}

/* False: no address is there. */
static bool visit_lines(struct walk *k, char *text, struct send *parent)
{
    bool any = false;

    k->line = 0;
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        k->line++;
        size_t len = strlen(line);
        while (len > 0 && isspace((unsigned char)line[len - 1]))
            line[--len] = '\0';
        if (len > 0 && *line != '#') {
            any = any || count_items(line) > 0;
            visit_all(k, line, parent);
        }
        line = end ? end + 1 : NULL;
    }
    return any;
}

/* Reads the file as if it were an alias' value; false: nobody is in it. */
static bool visit_file(struct walk *k, FILE *f, size_t size, const char *path,
                       const struct backer *backer, struct send *parent)
{
    const struct walk before = *k;

    k->file = path;
    k->backer = *backer;
    k->backer.outer = before.file ? &before.backer : NULL;
    k->files++;
    bool any =
        visit_lines(k, read_list(k, f, size < LIST_BYTES_MAX ? size : LIST_BYTES_MAX), parent);
    k->files--;
    k->backer = before.backer;
    k->file = before.file;
    k->line = before.line;
    return any;
}

static bool forgives(const void *ctx, const char *word)
{
    return program_forgives(ctx, word, NULL);
}

/* What was opened is where the reader could have opened it: links may lead elsewhere by now than
 * when they were looked at. */
static bool is_within_reach(struct walk *k, const struct trust *trust, int fd)
{
    static const struct trust_kind any = {.folder = "", .minds_readers = true};
    struct trust_fault fault;
    char real[PATH_MAX];
    ssize_t n = readlink(arena_printf(k->w->arena, "/proc/self/fd/%d", fd), real, sizeof real - 1);

    if (n <= 0)
        return false;
    real[n] = '\0';
    return trust_folders(k->w->arena, trust, &any, real, &fault);
}

/* The file, where the reader may read and trust it; else NULL, and why. */
static FILE *open_list(struct walk *k, const struct trust_kind *kind, const struct trust *trust,
                       const char *path, struct stat *st, struct trust_fault *fault)
{
    *fault = (struct trust_fault){.path = path, .file = path};
    if (!trust_file(k->w->arena, trust, kind, path, fault))
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
        (!kind->minds_owner || st->st_uid == 0 || st->st_uid == trust->reader->uid) &&
        trust_allows(trust->reader, st, S_IRUSR) && is_within_reach(k, trust, fd)) {
        FILE *f = fdopen(fd, "r");
        if (f)
            return f;
    }
    /* It is another file by now. */
    fault->error = fd >= 0 ? EACCES : errno;
    fault->why = strerror(fault->error);
    fs_close(&fd);
    return NULL;
}

/* Why programs and files of a list are not used: its owner is nobody who may log in, or others
 * could have written it (fault; NULL: they could not). */
static void find_no_user(struct walk *k, const struct user *u, const struct trust_fault *fault,
                         struct backer *backer)
{
    struct arena *a = k->w->arena;

    if (u && !*u->name) {
        backer->no_user =
            arena_printf(a, "UID %lu is an unknown user: cannot mail to ", (unsigned long)u->uid);
        backer->command = arena_printf(a, "chown root %s", backer->path);
    } else if (u && !users_has_shell(a, u)) {
        backer->no_user = arena_printf(a, "User %s@%s doesn't have a valid shell for mailing to ",
                                       u->name, k->w->service->host);
        backer->command = arena_printf(a, "usermod -s /bin/sh %s", u->name);
    } else if (fault) {
        backer->no_user = arena_printf(a, "Address %s is unsafe for mailing to ", backer->shown);
        backer->command = fault->command;
    }
}

static bool is_trusted(struct walk *k, uid_t uid)
{
    const char *trusted = setting_text(k->w->service->program, "TrustedUser");
    struct user u;

    return *trusted && users_read(k->w->arena, trusted, &u) && u.uid == uid;
}

/* As whom a list is read that is in no user's list. */
static void default_user(struct walk *k, struct user *u)
{
    const char *usual = setting_text(k->w->service->program, "DefaultUser");

    if (!users_read(k->w->arena, *usual ? usual : "1:1", u))
        users_read(k->w->arena, "1:1", u);
}

/* Who stands behind the file of an :include:: whoever does already, else its owner, where nobody
 * else could have put it there. */
static void find_owner_of_list(struct walk *k, const char *path, const struct stat *st,
                               const struct trust *trust, struct backer *backer)
{
    struct arena *a = k->w->arena;
    struct trust_fault fault, folders;
    struct user u;
    bool safe = trust_file(a, trust, &trust_include_safe, path, &fault);

    backer->user = k->backer.user;
    backer->no_user = k->backer.no_user;
    backer->command = k->backer.command;
    if (!backer->user && !trust_folders(a, trust, &trust_owner, path, &folders)) {
        if (safe && st->st_uid != 0 && st->st_uid != trust->reader->uid &&
            !is_trusted(k, st->st_uid)) {
            safe = false;
            fault = folders;
        }
    } else if (!backer->user && st->st_uid != 0) {
        users_find_id(a, st->st_uid, &u);
        u.uid = st->st_uid;
        find_no_user(k, &u, safe ? NULL : &fault, backer);
        backer->user = arena_printf(a, "%lu:%lu", (unsigned long)st->st_uid,
                                    (unsigned long)(st->st_gid ? st->st_gid : trust->reader->gid));
    }
    if (!safe && !backer->no_user)
        find_no_user(k, NULL, &fault, backer);
}

static void refuse_list(struct walk *k, const char *text, const char *path, const char *shown,
                        struct send *parent, const struct trust_fault *fault)
{
    struct arena *a = k->w->arena;

    if (fault->command)
        worker_log_trouble(
            k->w, arena_printf(a, "%s... Cannot open %s: %s", shown, path, trust_said(a, fault)));
    refuse_address(k, text, shown, parent,
                   arena_printf(a, "550 5.2.4 %s... Cannot open %s: %s", shown, path, fault->why));
}

static bool is_read_already(const struct send_list *l, const char *path)
{
    for (size_t i = 0; i < l->nfiles; i++) {
        if (strcmp(l->files[i], path) == 0)
            return true;
    }
    return false;
}

/* A list that leads to itself. */
static bool is_being_read(const struct walk *k, const char *path)
{
    for (const struct backer *b = &k->backer; b; b = b->outer) {
        if (b->path && strcmp(b->path, path) == 0)
            return true;
    }
    return false;
}

static void keep_list(struct send_list *l, const char *path)
{
    l->files = arena_grow(l->arena, l->files, l->nfiles, &l->file_room, sizeof *l->files, 4);
    l->files[l->nfiles++] = arena_strdup(l->arena, path);
}

/* ":include:/path" of an alias. */
static void visit_include(struct walk *k, const struct target *t, const char *shown,
                          struct send *parent)
{
    struct arena *a = k->w->arena;
    struct trust_fault fault = {.error = ELOOP, .why = strerror(ELOOP)};
    struct backer backer = {.shown = shown, .of = parent};
    const char *path = t->user;
    struct user reader;
    struct stat st;
    FILE *f = NULL;

    if (strncasecmp(path, ":include:", 9) == 0)
        path += 9;
    if (is_read_already(k->list, path)) {
        k->live += !is_being_read(k, path);
        return;
    }
    if (!k->backer.user || !users_read(a, k->backer.user, &reader))
        default_user(k, &reader);
    const struct trust trust = {users_reader(a, &reader), forgives, k->w->service->program, NULL};
    if (k->files < LISTS_MAX)
        f = open_list(k, &trust_include, &trust, path, &st, &fault);
    if (!f) {
        refuse_list(k, t->user, path, shown, parent, &fault);
        return;
    }
    backer.path = path;
    find_owner_of_list(k, path, &st, &trust, &backer);
    keep_list(k->list, path);
    visit_file(k, f, (size_t)st.st_size, path, &backer, parent);
    fclose(f);
}

/* Of a .forward that is not there, only folders that others write to are worth a word. */
static void tell_forward(struct walk *k, const char *path, const struct trust_fault *fault)
{
    enum { LEVEL = 3 };
    struct arena *a = k->w->arena;
    struct stat st;
    struct log_event l;

    if (fault->error == ENOENT)
        return;
    if (program_forgives(k->w->service->program, "DontWarnForwardFileInUnsafeDirPath", NULL) &&
        lstat(path, &st) != 0)
        return;
    log_begin(&l, k->w->service->log, a, LEVEL, LOG_NOTICE, "forward",
              bytes_of(worker_get(k->w, "i")));
    log_words(&l, "forward", arena_printf(a, "forward %s: %s", path, trust_said(a, fault)));
    log_end(&l);
}

/* The first file of ForwardPath that may be read; false: there is none, or nobody is in it. */
static bool visit_forward(struct walk *k, struct send *s, const struct target *t)
{
    struct worker *w = k->w;
    const char *list = setting_text(w->service->program, "ForwardPath");
    struct trust_fault fault;
    struct user u;
    struct stat st;
    bool any = false, found = false;

    if (!*t->home || !has_flag(t->mailer, 'w') || !*list ||
        users_find(w->arena, t->user, &u) != USER_FOUND)
        return false;
    worker_set(w, "z", t->home);
    worker_set(w, "u", t->user);
    worker_set(w, "h", t->host);
    rewrite_begin(w->r);
    const char *paths = arena_strdup(w->arena, rewrite_expand(w->r, list, strlen(list), NULL));
    const struct trust trust = {users_reader(w->arena, &u), forgives, w->service->program, NULL};
    struct backer backer = {.shown = bytes_string(w->arena, s->recipient.shown),
                            .of = s,
                            .user = arena_strdup(w->arena, t->user)};
    for (size_t n; *paths && !found; paths += n + (paths[n] == ':')) {
        n = strcspn(paths, ":");
        const char *path = arena_strndup(w->arena, paths, n);
        if (!n)
            continue;
        FILE *f = open_list(k, &trust_forward, &trust, path, &st, &fault);
        if (!f) {
            tell_forward(k, path, &fault);
            continue;
        }
        bool safe = trust_file(w->arena, &trust, &trust_forward_safe, path, &fault);
        backer.path = path;
        find_no_user(k, &u, safe ? NULL : &fault, &backer);
        found = true;
        s->state = SEND_EXPANDED;
        any = visit_file(k, f, (size_t)st.st_size, path, &backer, s);
        if (!any)
            s->state = SEND_OPEN;
        fclose(f);
    }
    return any;
}

/* --- one address -------------------------------------------------------------------------- */

static bool is_ancestor(const struct send *of, const struct send *s)
{
    for (; of; of = of->parent) {
        if (of == s)
            return true;
    }
    return false;
}

/* It is there already. */
static void meet(struct walk *k, struct send *same, const struct target *t, const char *shown,
                 struct send *parent)
{
    if (same->state == SEND_BAD) {
        if (!parent && !k->list->tolerant)
            refuse(k, &same->recipient,
                   ruling_reply(k->w->arena, 550, "5.1.1", shown, "Addressee unknown"));
        return;
    }
    if (!parent || !is_ancestor(parent, same)) {
        k->live++;
        return;
    }
    /* It leads back to itself: he is meant, or it is a circle. */
    struct target self = recipient_user(k->w, *t, shown);
    if (self.mailer && has_flag(t->mailer, 'w')) {
        same->state = SEND_OPEN;
        k->live++;
    } else if (same == parent && k->backer.of != parent) { /* himself is meant, who is not here */
        refuse(k, &same->recipient, self.reply);
    } else {
        k->looped = true;
    }
}

/* The ruleset for local users has somebody else; false: it is over with this one. */
static bool replace(struct walk *k, struct send *s, struct target *t, const char *shown)
{
    for (int i = 0; i < RECIPIENT_CHAIN_MAX; i++) {
        if (!recipient_replaced(k->w, t, shown))
            return true;
        if (!t->mailer) {
            s->state = SEND_BAD;
            refuse(k, &s->recipient, t->reply);
            return false;
        }
        struct send *same = known(k->list, t, k->backer.user, s);
        if (same) {
            s->state = SEND_GONE;
            k->same = s->parent ? NULL : same;
            meet(k, same, t, shown, s->parent);
            return false;
        }
        set_target(k->list, s, t);
        put_again(k->list, s);
        if (!s->parent)
            s->recipient.from = bytes_of(arena_strdup(k->list->arena, shown));
        if ((has_flag(t->mailer, 'A') && visit_alias(k, s)) ||
            (has_flag(t->mailer, '@') && visit_userdb(k, s)))
            return false;
    }
    return true;
}

static void settle(struct walk *k, struct send *s, struct target t, const char *shown)
{
    bool himself = *t.user == '\\' || k->list->no_aliases;

    if (!himself && has_flag(t.mailer, 'A') && visit_alias(k, s))
        return;
    if (!himself && has_flag(t.mailer, '@') && visit_userdb(k, s))
        return;
    if (!himself && !replace(k, s, &t, shown))
        return;
    t = recipient_user(k->w, t, shown);
    if (!t.mailer) {
        s->state = SEND_BAD;
        refuse(k, &s->recipient, t.reply);
        return;
    }
    if (!himself && !k->list->names_only && s->state == SEND_OPEN && visit_forward(k, s, &t))
        return;
    k->live++;
}

static bool too_deep(struct walk *k, const char *text, struct send *parent)
{
    long most = setting_number(k->w->service->program, "MaxAliasRecursion");
    size_t depth = parent ? parent->depth + 1 : 0;

    if (most < 0 || depth <= (size_t)most)
        return false;
    refuse_address(
        k, text, text, parent,
        arena_printf(k->w->arena,
                     "554 5.4.6 aliasing/forwarding loop broken (%zu aliases deep; %ld max)", depth,
                     most));
    return true;
}

/* Whoever sent it does not get it by an alias, where he does not want that (O MeToo=False). */
static bool is_sender(struct walk *k, const struct target *t)
{
    return !setting_true(k->w->service->program, "MeToo") &&
           strcmp(worker_get(k->w, "mail_mailer"), t->mailer->name) == 0 &&
           strcasecmp(worker_get(k->w, "mail_host"), t->host) == 0 &&
           same_user(t->mailer, worker_get(k->w, "mail_addr"), t->user);
}

/* Programs and files are used as somebody; false: nobody will do. */
static bool has_user(struct walk *k, const struct target *t, const char *text, const char *shown,
                     struct send *parent)
{
    const bool file = strcmp(t->mailer->name, "*file*") == 0;
    const bool program = strcmp(t->mailer->name, "prog") == 0 && t->user[*t->user == '"'] == '|';

    if (!k->backer.no_user || (!file && !program))
        return true;
    struct arena *a = k->w->arena;
    const char *why = arena_printf(a, "%s%s", k->backer.no_user, file ? "files" : "programs");
    if (k->backer.command)
        worker_log_trouble(k->w, arena_printf(a, "%s: line %zu: %s... %s; mend it: %s", k->file,
                                              k->line, shown, why, k->backer.command));
    refuse_address(k, text, shown, parent, ruling_reply(a, 550, "5.7.1", shown, why));
    return false;
}

static void visit(struct walk *k, const char *text, const char *shown, struct send *parent)
{
    struct target t = recipient_parse(k->w, text, shown, parent != NULL);

    if (!t.mailer) {
        refuse_address(k, text, shown, parent, t.reply);
        return;
    }
    if (!has_user(k, &t, text, shown, parent))
        return;
    if (too_deep(k, text, parent))
        return;
    if (strcmp(t.mailer->name, "*include*") == 0) {
        visit_include(k, &t, shown, parent);
        return;
    }
    struct send *same = known(k->list, &t, k->backer.user, NULL);
    if (same) {
        meet(k, same, &t, shown, parent);
        return;
    }
    if (parent && is_sender(k, &t)) {
        k->live++;
        return;
    }
    struct send *s = new_send(k, text, shown, parent, &t);
    if (t.later) {
        k->later = true;
        k->live++;
        return;
    }
    settle(k, s, t, shown);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void begin_primary(struct walk *k, const struct recipient *as, const char *shown,
                          const struct target *t, struct send *s)
{
    struct arena *a = k->list->arena;

    s->recipient = *as;
    s->recipient.address = bytes_of(bytes_string(a, bytes_in_brackets(as->address)));
    s->recipient.shown = bytes_of(arena_strdup(a, shown));
    s->recipient.final = final_address(k, t, s->recipient.address);
}

static void take_back(struct send_list *l, const struct send *of)
{
    for (size_t i = 0; i < l->n; i++) {
        if (primary(l->v[i]) == of && (l->v[i] == of || l->v[i]->state != SEND_BAD))
            l->v[i]->state = SEND_GONE;
    }
}

/* Whether it is `of`, or came of it. */
static bool came_of(const struct send *s, const struct send *of)
{
    while (s && s != of)
        s = s->parent;
    return s == of;
}

static void take_out(struct send_list *l, const struct send *of)
{
    for (size_t i = 0; i < l->n; i++) {
        if (came_of(l->v[i], of))
            l->v[i]->state = SEND_GONE;
    }
}

size_t expand_remove(struct worker *w, struct send_list *l, const char *address)
{
    const struct target t = recipient_parse(w, address, address, false);
    const struct send *s = t.mailer ? known(l, &t, NULL, NULL) : NULL;

    if (!s || (s->parent && !s->added))
        return 0;
    take_out(l, s);
    return 1;
}

void expand_refuse(struct send_list *l)
{
    const struct send *last = NULL;

    for (size_t i = 0; i < l->n; i++) {
        const struct send *s = l->v[i];
        if (!s->parent && (!last || s->number > last->number))
            last = s;
    }
    if (last)
        take_out(l, last);
}

struct expanded expand_add(struct worker *w, struct send_list *l, const struct recipient *as,
                           const char *shown)
{
    struct walk k = {.w = w, .list = l};
    const char *text = bytes_string(w->arena, as->address);
    struct target t = recipient_parse(w, text, shown, as->from.len > 0);

    if (!t.mailer) {
        struct recipient nobody = *as;
        nobody.address = bytes_of(arena_strdup(l->arena, text));
        nobody.shown = bytes_of(arena_strdup(l->arena, shown));
        refuse(&k, &nobody, t.reply);
        return (struct expanded){.reply = k.reply};
    }
    struct send *same = known(l, &t, NULL, NULL);
    if (same) {
        meet(&k, same, &t, shown, NULL);
        return (struct expanded){.reply = k.reply, .same = k.reply ? NULL : same};
    }
    struct send *s = new_send(&k, text, shown, NULL, &t);
    begin_primary(&k, as, shown, &t, s);
    if (t.later) {
        k.later = true;
        k.live++;
    } else {
        settle(&k, s, t, shown);
    }
    if (!k.reply && k.live == 0)
        refuse(&k, &s->recipient, "554 5.4.6 aliasing/forwarding loop broken");
    if (k.reply && !l->tolerant)
        take_back(l, s);
    return (struct expanded){.reply = k.reply, .later = k.later, .same = k.reply ? NULL : k.same};
}

struct recipient *expand_recipients(const struct send_list *l, struct arena *a, size_t *n)
{
    struct recipient *v = arena_calloc(a, l->n + 1, sizeof *v);

    *n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct send *s = l->v[i];
        if (s->state != SEND_OPEN)
            continue;
        v[*n] = s->recipient;
        if (!s->asked_again)
            v[*n].flags |= RECIPIENT_IS_FINAL;
        v[*n].state = RECIPIENT_WAITS;
        ++*n;
    }
    return v;
}
