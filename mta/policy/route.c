#include "mta/policy/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "mta/message/coded.h"
#include "mta/message/dates.h"
#include "mta/message/exits.h"
#include "mta/policy/collect.h"
#include "mta/policy/expand.h"
#include "mta/policy/hosts.h"
#include "mta/policy/plan.h"
#include "mta/policy/recipient.h"
#include "mta/policy/render.h"
#include "mta/policy/ruling.h"
#include "mta/policy/users.h"

enum { RECIPIENTS_USUAL = 100, SMTP_PORT_WORD = 2 };

/* Recipients that one host or program takes. */
struct group {
    const struct mailer *mailer;
    const char *host;
    struct bytes owner; /* who its sender is; empty: the message's */
    struct member {
        size_t index; /* in the envelope */
        const char *user, *home;
    } * members;
    size_t n, room;
    size_t plan; /* its plan, or the one that comes first of what it brings about */
};

struct routing {
    struct worker *w;
    struct arena *arena; /* lives as long as the answer */
    struct envelope *e;
    struct group *groups;
    size_t n, room;
    struct bytes *plans;
    size_t nplans, plan_room;
    struct buf refused; /* lines of the transcript, of those that nobody delivers to */
    uint64_t now;
};

static bool has_flag(const struct mailer *m, char flag)
{
    return strchr(m->flags, flag) != NULL;
}

static const char *text_of(struct routing *g, struct bytes b)
{
    return bytes_string(g->arena, b);
}

/* --- what became of a recipient ------------------------------------------------------------ */

static void conclude(struct routing *g, struct recipient *r, enum recipient_state state,
                     const char *code, const char *answer, const char *host)
{
    r->state = state;
    r->status = bytes_of(code);
    r->answer = bytes_of(answer);
    r->host = bytes_of(host);
    r->when = g->now;
}

/* The enhanced code of a reply. */
static const char *code_of(struct routing *g, const char *reply)
{
    const struct bytes own = coded_line(bytes_of(reply)).enhanced;

    return own.len > 0     ? arena_strndup(g->arena, own.p, own.len)
           : *reply == '4' ? "4.0.0"
                           : "5.0.0";
}

static struct bytes shown_of(struct routing *g, const struct recipient *r)
{
    if (r->shown.len)
        return r->shown;
    return bytes_of(arena_printf(g->arena, "<%.*s>", (int)r->address.len, r->address.p));
}

/* --- grouping ----------------------------------------------------------------------------- */

static size_t limit_of(const struct mailer *m)
{
    if (!has_flag(m, 'm'))
        return 1;
    return m->recipients > 0 ? (size_t)m->recipients : RECIPIENTS_USUAL;
}

static bool same_bytes(struct bytes x, struct bytes y)
{
    return x.len == y.len && (x.len == 0 || memcmp(x.p, y.p, x.len) == 0);
}

/* A program gets those of all hosts at once, and the first one's for $h. */
static struct group *group_for(struct routing *g, const struct mailer *m, const char *host,
                               struct bytes owner)
{
    for (size_t i = 0; i < g->n; i++) {
        struct group *have = &g->groups[i];
        if (have->mailer == m && (!m->smtp || strcasecmp(have->host, host) == 0) &&
            same_bytes(have->owner, owner) && have->n < limit_of(m))
            return have;
    }
    g->groups = arena_grow(g->arena, g->groups, g->n, &g->room, sizeof *g->groups, 8);
    struct group *made = &g->groups[g->n++];
    *made = (struct group){.mailer = m, .host = arena_strdup(g->arena, host), .owner = owner};
    return made;
}

/* The user as the mailer has him: without quotes where it wants none (F=s), a command without the
 * '|' before it. */
static const char *user_for(struct routing *g, const struct target *t)
{
    char *user = arena_strdup(g->arena, t->user), *to = user;

    for (const char *s = has_flag(t->mailer, 's') ? user : ""; *s; s++) {
        if (*s == '"')
            continue;
        s += *s == '\\' && s[1];
        *to++ = *s;
    }
    if (has_flag(t->mailer, 's'))
        *to = '\0';
    return user + (strcmp(t->mailer->name, "prog") == 0 && *user == '|');
}

/* For X-Actual-Recipient. */
static struct bytes actual_of(struct routing *g, const struct target *t)
{
    const char *user = user_for(g, t);

    return bytes_of(strcmp(t->mailer->name, "prog") == 0 ? arena_printf(g->arena, "|%s", user)
                                                         : user);
}

static void join(struct routing *g, size_t index, const struct target *t)
{
    const char *user = user_for(g, t);
    struct group *into = group_for(g, t->mailer, t->host, g->e->recipients[index].owner);

    into->members =
        arena_grow(g->arena, into->members, into->n, &into->room, sizeof *into->members, 4);
    into->members[into->n++] = (struct member){index, user, arena_strdup(g->arena, t->home)};
}

/* As if the mailer had ended so. */
static void ended_with(struct routing *g, struct recipient *r, const struct mailer *m, int status)
{
    const struct exit_meaning *x = exit_by_code((uint64_t)status);
    struct bytes nothing = {"", 0};

    if (!x)
        x = exit_by_code(EX_UNAVAILABLE);
    bool waits = x->state == RECIPIENT_WAITS;
    conclude(g, r, x->state, x->status, waits || m->smtp ? "" : x->text, "");
    r->flags |= x->ours ? RECIPIENT_IS_CONFIG : 0;
    if (waits)
        exit_deferred(&g->refused, shown_of(g, r), nothing);
    else
        exit_line(&g->refused, (uint64_t)x->code, shown_of(g, r));
}

/* The sender as rules have it that are asked about a delivery: as it was given. */
static const char *sender_as_given(struct routing *g, const struct recipient *r)
{
    const char *path = worker_get(g->w, "mail_from");

    return r->owner.len ? text_of(g, r->owner) : *path ? path : "<>";
}

/* Whether these two may write to one another (check_compat). */
static bool compatible(struct routing *g, struct recipient *r, const struct target *t)
{
    const char *shown = text_of(g, shown_of(g, r));
    const char *both[] = {sender_as_given(g, r), shown};

    worker_set(g->w, "f", text_of(g, r->owner.len ? r->owner : g->e->sender));
    worker_set(g->w, "h", t->host);
    worker_set(g->w, "addr_type", "e s");
    struct ruling said = ruling_of(g->w, "check_compat", both, 2, shown);
    worker_set(g->w, "addr_type", "e r");
    if (said.kind == RULING_REFUSED) {
        buf_printf(&g->refused, "%s\n", said.reply);
        ended_with(g, r, t->mailer, said.status);
        return false;
    }
    if (said.kind == RULING_DISCARD)
        conclude(g, r, RECIPIENT_DELIVERED, "2.0.0", "discarded", "");
    return said.kind != RULING_DISCARD;
}

static const char *domain_of(struct routing *g, const char *address)
{
    const char *at = strrchr(address, '@');

    return at ? arena_strndup(g->arena, at + 1, strcspn(at + 1, ">")) : address;
}

/* Its mail waits until it is asked for (F=%), or for the queue's run (F=e, HoldExpensive). */
static bool is_held(struct routing *g, const struct mailer *m)
{
    return has_flag(m, '%') || (has_flag(m, 'e') && g->e->tries == 0 &&
                                setting_true(g->w->service->program, "HoldExpensive"));
}

/* By what somebody delivers to it, or nobody does. */
static void log_route(struct routing *g, const struct recipient *r, const struct target *t)
{
    enum { LEVEL = 9 };
    struct log_event l;

    log_begin_detail(&l, g->w->service->log, g->arena, LEVEL, "route", g->e->id);
    log_field(&l, "to", r->address);
    log_text(&l, "ruleset", "parse");
    if (r->from.len)
        log_field(&l, "alias", r->from);
    if (t->mailer) {
        log_text(&l, "mailer", t->mailer->name);
        log_text(&l, "host", t->host);
        log_text(&l, "user", t->user);
    } else if (t->reply) {
        log_text(&l, "reject", t->reply);
    }
    worker_log_decision(g->w, &l);
    log_end(&l);
}

/* "550 5.1.1 address... User unknown" without the address. */
static const char *reason_of(struct routing *g, const char *reply)
{
    static const char mark[] = "... ";
    const char *text = strstr(reply, mark);
    size_t codes = strcspn(reply, " ");

    if (!text || !isdigit((unsigned char)*reply))
        return arena_strdup(g->arena, reply);
    if (isdigit((unsigned char)reply[codes + 1]) && reply[codes + 2] == '.')
        codes += 1 + strcspn(reply + codes + 1, " ");
    return arena_printf(g->arena, "%.*s %s", (int)codes, reply, text + strlen(mark));
}

static void place(struct routing *g, size_t index)
{
    struct recipient *r = &g->e->recipients[index];
    const char *address = text_of(g, r->address);
    const char *shown = text_of(g, shown_of(g, r));

    if (!(r->flags & RECIPIENT_IS_FINAL)) { /* expand_open could not say who it is */
        conclude(g, r, RECIPIENT_WAITS, "4.3.0", "alias database unavailable", "");
        return;
    }
    struct target t = recipient_target(g->w, address, shown, r->from.len > 0);

    log_route(g, r, &t);
    if (t.reply || !t.mailer) {
        const char *reply = t.reply ? t.reply : "451 4.3.0 Temporary lookup failure";
        buf_printf(&g->refused, "%s\n", reply);
        conclude(g, r, t.later ? RECIPIENT_WAITS : RECIPIENT_FAILED, code_of(g, reply),
                 reason_of(g, reply), "");
        /* It is of this system, if of any. */
        if (exit_of_reply(reply) == EX_NOUSER)
            r->flags |= RECIPIENT_IS_PROGRAM;
        return;
    }
    if (t.later) { /* nobody can say yet whether it is this mailer's */
        conclude(g, r, RECIPIENT_WAITS, "4.4.3", "", "");
        exit_deferred(&g->refused, shown_of(g, r),
                      bytes_of(arena_printf(g->arena, "Name server: %s: host name lookup failure",
                                            domain_of(g, address))));
        return;
    }
    r->actual = actual_of(g, &t);
    if (is_held(g, t.mailer))
        conclude(g, r, RECIPIENT_WAITS, "", "", "");
    else if (strcmp(t.mailer->name, "discard") == 0)
        conclude(g, r, RECIPIENT_DELIVERED, "2.0.0", "discarded", "");
    else if (compatible(g, r, &t))
        join(g, index, &t);
}

/* --- plans -------------------------------------------------------------------------------- */

static void add_plan(struct routing *g, const struct plan *p)
{
    struct buf out;

    buf_init(&out, g->arena);
    plan_encode(p, &out);
    g->plans = arena_grow(g->arena, g->plans, g->nplans, &g->plan_room, sizeof *g->plans, 8);
    g->plans[g->nplans++] = (struct bytes){out.data, out.len};
}

static void recipients_of(struct routing *g, const struct group *from, struct plan *p)
{
    p->recipients = arena_calloc(g->arena, from->n, sizeof *p->recipients);
    p->nrecipients = from->n;
    for (size_t i = 0; i < from->n; i++) {
        const struct member *m = &from->members[from->n - 1 - i]; /* the last one is told first */
        const struct recipient *r = &g->e->recipients[m->index];
        p->recipients[i] = (struct plan_recipient){.index = m->index,
                                                   .address = bytes_of(m->user),
                                                   .original = r->original,
                                                   .notify = r->notify,
                                                   .shown = shown_of(g, r)};
    }
}

/* What a transcript has of those that get nothing: a plan that is over.  from: whose; NULL: of
 * several. */
static void add_lines(struct routing *g, const struct group *from, const char *lines)
{
    struct plan none = {.kind = PLAN_NONE, .transcript = bytes_of(lines)};

    if (from)
        recipients_of(g, from, &none);
    if (*lines)
        add_plan(g, &none);
}

/* The same, before what the group before it brings about, of the same owner and mailer: while that
 * is delivered to, the next one's hosts are looked up. */
static void add_sooner(struct routing *g, const struct group *from, const char *lines)
{
    size_t own = (size_t)(from - g->groups), first = own, last = g->nplans;

    while (first > 0 && (first == own || g->groups[first].mailer != from->mailer))
        first--;
    if (g->groups[first].mailer != from->mailer || !same_bytes(g->groups[first].owner, from->owner))
        first = own;
    size_t at = g->groups[first].plan;
    add_lines(g, from, lines);
    struct bytes added = g->plans[last];
    memmove(g->plans + at + 1, g->plans + at, (last - at) * sizeof *g->plans);
    g->plans[at] = added;
    for (size_t i = first; i < g->n; i++)
        g->groups[i].plan++;
}

/* The recipients as a transcript names them together, in the order in which hosts are told. */
static const char *all_shown(struct routing *g, const struct group *from)
{
    struct buf b;

    buf_init(&b, g->arena);
    for (size_t i = from->n; i-- > 0;) {
        struct bytes one = shown_of(g, &g->e->recipients[from->members[i].index]);
        buf_adds(&b, b.len ? "," : "");
        buf_add(&b, one.p, one.len);
    }
    return b.data ? b.data : "";
}

static void hosts_failed(struct routing *g, const struct group *from, const struct hosts *h)
{
    const char *address = strstr(h->detail, "%s");
    const char *line = h->detail;

    for (size_t i = 0; i < from->n; i++) {
        struct recipient *r = &g->e->recipients[from->members[i].index];
        conclude(g, r, h->later ? RECIPIENT_WAITS : RECIPIENT_FAILED, h->code,
                 arena_strdup(g->arena, h->answer), arena_strdup(g->arena, h->asked));
        r->flags |= h->config ? RECIPIENT_IS_CONFIG : 0;
    }
    if (h->sooner)
        add_sooner(g, from, arena_printf(g->arena, "%s\n", h->sooner));
    if (address)
        line = arena_printf(g->arena, "%.*s%s%s", (int)(address - h->detail), h->detail,
                            all_shown(g, from), address + 2);
    add_lines(g, from, arena_printf(g->arena, "%s\n", line));
}

/* It is longer than the mailer takes (M=). */
static bool is_too_large(struct routing *g, const struct group *from)
{
    const struct mailer *m = from->mailer;
    const char *code = has_flag(m, 'l') ? "5.2.3" : "5.3.4";
    struct buf b;

    if (m->max_size <= 0 || g->e->size <= (uint64_t)m->max_size)
        return false;
    for (size_t i = 0; i < from->n; i++) {
        struct recipient *r = &g->e->recipients[from->members[i].index];
        conclude(g, r, RECIPIENT_FAILED, code, m->smtp ? "" : exit_by_code(EX_UNAVAILABLE)->text,
                 "");
        r->flags |= RECIPIENT_IS_TOO_LARGE;
    }
    buf_init(&b, g->arena);
    buf_printf(&b, "552 %s Message is too large; %ld bytes max\n", code, m->max_size);
    exit_line(&b, EX_UNAVAILABLE, bytes_of(all_shown(g, from)));
    add_lines(g, from, b.data);
    return true;
}

static const char *argument(struct routing *g, struct texts argv, size_t i, const char *missing)
{
    return i < argv.n && argv.v[i].len > 0 ? text_of(g, argv.v[i]) : missing;
}

/* All of them wait. */
static void put_off(struct routing *g, const struct group *from, const char *why)
{
    for (size_t i = 0; i < from->n; i++)
        conclude(g, &g->e->recipients[from->members[i].index], RECIPIENT_WAITS, "4.3.0", why, "");
}

static bool nobody_runs_it(struct routing *g, const struct group *from)
{
    put_off(g, from, "451 4.3.0 There is no user that the program may run as");
    return false;
}

static void set_user(struct plan *p, const struct user *u)
{
    p->uid = u->uid;
    p->gid = u->gid;
    p->user_name = bytes_of(u->name);
}

/* False: there is no such user. */
static bool name_user(struct routing *g, struct plan *p, const char *name)
{
    struct user u;

    if (users_find(g->arena, name, &u) != USER_FOUND)
        return false;
    set_user(p, &u);
    return true;
}

/* False: there is none such, and nobody else will do. */
static bool read_user(struct routing *g, struct plan *p, const char *text)
{
    struct user u;

    if (!users_read(g->arena, text, &u))
        return false;
    set_user(p, &u);
    return true;
}

/* As whom the program runs; false: as nobody who is there. */
static bool choose_user(struct routing *g, const struct group *from, struct plan *p)
{
    const struct mailer *m = from->mailer;
    const struct recipient *r = &g->e->recipients[from->members[0].index];
    const char *usual = setting_text(g->w->service->program, "DefaultUser");

    if (has_flag(m, 'o') && !r->user.len && name_user(g, p, from->members[0].user))
        return true;
    if (has_flag(m, 'S'))
        return read_user(g, p, m->user ? m->user : "0:0");
    if (r->user.len)
        return read_user(g, p, text_of(g, r->user));
    if (m->user)
        return read_user(g, p, m->user);
    return read_user(g, p, *usual ? usual : "1:1");
}

static struct texts with_more(struct routing *g, struct texts x, struct texts y)
{
    struct bytes *v = arena_calloc(g->arena, x.n + y.n + 1, sizeof *v);

    if (x.n)
        memcpy(v, x.v, x.n * sizeof *v);
    if (y.n)
        memcpy(v + x.n, y.v, y.n * sizeof *v);
    return (struct texts){v, x.n + y.n};
}

/* Those of the host, and those that take its mail where it does not (FallbackMXhost,
 * FallbackSmartHost: the latter only where the host is not known or does not answer). */
static struct hosts hosts_to_try(struct routing *g, const struct mailer *m, const char *host,
                                 const char *port)
{
    const struct program *p = g->w->service->program;
    const char *only = setting_text(p, "ConnectOnlyTo");
    const char *fallbacks[] = {has_flag(m, '0') || *host == '[' ? ""
                                                                : setting_text(p, "FallbackMXhost"),
                               setting_text(p, "FallbackSmartHost")};
    bool literal = *only && *only != '[';

    if (*only)
        return hosts_find(g->w, literal ? arena_printf(g->arena, "[%s]", only) : only, port, false);
    struct hosts h = hosts_find(g->w, host, port, !has_flag(m, '0'));
    for (size_t i = 0; i < 2; i++) {
        bool hopeless = h.list.n == 0 && (h.config || strcmp(h.code, "5.1.10") == 0);
        if (!*fallbacks[i] || hopeless)
            continue;
        struct hosts more = hosts_find(g->w, fallbacks[i], port, true);
        h.list = with_more(g, h.list, more.list);
    }
    return h;
}

/* The host and port of "TCP host port", or the socket of "FILE path".  False: nobody is there. */
static bool find_hosts(struct routing *g, const struct group *from, struct texts argv,
                       struct plan *p)
{
    const struct mailer *m = from->mailer;

    if (strcasecmp(argument(g, argv, 0, "TCP"), "FILE") == 0) {
        struct bytes *list = arena_calloc(g->arena, 3, sizeof *list);
        list[0] = list[1] = bytes_of(argument(g, argv, 1, ""));
        list[2] = bytes_of("");
        p->hosts = (struct texts){list, 3};
        p->path = list[0];
        return choose_user(g, from, p) || nobody_runs_it(g, from);
    }
    const char *host = argument(g, argv, 1, from->host);
    struct hosts h = hosts_to_try(g, m, host, argument(g, argv, SMTP_PORT_WORD, "25"));
    if (h.list.n == 0) {
        hosts_failed(g, from, &h);
        return false;
    }
    struct bytes *list = arena_calloc(g->arena, h.list.n, sizeof *list);
    for (size_t i = 0; i < h.list.n; i++)
        list[i] = bytes_of(text_of(g, h.list.v[i]));
    p->hosts = (struct texts){list, h.list.n};
    return true;
}

static const char *equate(const struct mailer *m, const char *letters)
{
    for (const struct equate *e = m->item ? m->item->equates : NULL; e; e = e->next) {
        if (e->has_value && strchr(letters, e->key[0]))
            return e->value;
    }
    return "";
}

static struct texts environment(struct routing *g)
{
    struct bytes *list = NULL;
    size_t n = 0, room = 0;

    list = arena_grow(g->arena, list, n, &room, sizeof *list, 8);
    list[n++] = bytes_of("AGENT=sendmail");
    for (const struct item *it = g->w->service->program->config->first; it; it = it->next) {
        if (it->kind != ITEM_ENV)
            continue;
        const char *value = it->aux ? it->value : getenv(it->name);
        if (!value)
            continue;
        list = arena_grow(g->arena, list, n, &room, sizeof *list, 8);
        list[n++] = bytes_of(arena_printf(g->arena, "%s=%s", it->name, value));
    }
    return (struct texts){list, n};
}

/* SafeFileEnvironment: a file is below it, and named from there or from the system's root. */
static void confine_file(struct routing *g, struct plan *p)
{
    const char *root = setting_text(g->w->service->program, "SafeFileEnvironment");
    const char *path = text_of(g, p->path);
    size_t len = strlen(root);

    while (len > 1 && root[len - 1] == '/')
        len--;
    if (!len || strcmp(path, "/dev/null") == 0)
        return;
    p->root = bytes_of(root);
    if (strncmp(path, root, len) == 0 && path[len] == '/')
        p->path = bytes_of(path + len);
}

static bool program_plan(struct routing *g, const struct group *from, struct texts argv,
                         struct plan *p)
{
    const struct mailer *m = from->mailer;
    size_t len;
    const char *path = rewrite_source(g->w->r, &m->path);

    p->kind = strcasecmp(m->name, "*file*") == 0 || strcasecmp(path, "[FILE]") == 0 ? PLAN_FILE
                                                                                    : PLAN_PROGRAM;
    p->path = bytes_of(arena_strdup(g->arena, p->kind == PLAN_FILE ? from->members[0].user : path));
    p->argv = argv;
    if (!choose_user(g, from, p))
        return nobody_runs_it(g, from);
    const char *folder = equate(m, "D");
    if (*folder)
        p->directory =
            bytes_of(arena_strdup(g->arena, rewrite_expand(g->w->r, folder, strlen(folder), &len)));
    p->root = bytes_of(equate(m, "/"));
    if (p->kind == PLAN_FILE)
        confine_file(g, p);
    p->environment = environment(g);
    p->nice = (uint64_t)(int64_t)strtol(equate(m, "N"), NULL, 10);
    p->wait = settings_read_time(equate(m, "W"), 's');
    return true;
}

static bool render(struct routing *g, const struct group *from, struct plan *p, struct texts *argv)
{
    struct render_user *users = arena_calloc(g->arena, from->n, sizeof *users);
    struct rendering d;
    struct buf head;

    for (size_t i = 0; i < from->n; i++)
        users[i] = (struct render_user){from->members[i].user, from->members[i].home};
    struct envelope e = *g->e;
    if (from->owner.len && e.sender.len)
        e.sender = from->owner;
    render_begin(&d, g->w->r, g->arena, &e, from->mailer, from->host);
    buf_init(&head, g->arena);
    p->sender = render_path(&d);
    if (!render_head(&d, &head))
        return false;
    p->head = (struct bytes){head.data, head.len};
    if (!from->mailer->smtp)
        p->first = render_first(&d);
    *argv = render_argv(&d, users, from->n);
    return d.status == 0;
}

/* SMTP is spoken with a program's input and output. */
static bool is_program(struct routing *g, const struct mailer *m)
{
    const char *path = rewrite_source(g->w->r, &m->path);

    return strcasecmp(path, "[IPC]") != 0 && strcasecmp(path, "[TCP]") != 0 &&
           strcasecmp(path, "[LPC]") != 0 && strcasecmp(path, "[FILE]") != 0;
}

static const char *eol_of(const struct mailer *m)
{
    return m->smtp ? "\r\n" : m->eol_text && *m->eol_text ? m->eol_text : "\n";
}

/* A report's encoding is never changed. */
static const char *flags_of(struct routing *g, const struct mailer *m)
{
    if (!(g->e->flags & ENVELOPE_REPORT) || has_flag(m, '8'))
        return m->flags;
    return arena_printf(g->arena, "%s8", m->flags);
}

/* AUTH= (RFC 4954 5): a user of this system who sends mail here is who he is. */
static struct bytes author_of(struct routing *g, struct bytes sender)
{
    struct buf b;

    if (!(g->e->flags & ENVELOPE_SUBMITTED))
        return g->e->author;
    buf_init(&b, g->arena);
    for (size_t i = 0; i < sender.len; i++) {
        const char c = sender.p[i];
        const bool plain = c > ' ' && c <= '~' && c != '+' && c != '=';
        buf_printf(&b, plain ? "%c" : "+%02X", (unsigned char)c);
    }
    return (struct bytes){b.data, b.len};
}

static void plan_group(struct routing *g, const struct group *from)
{
    const struct program *program = g->w->service->program;
    const struct mailer *m = from->mailer;
    const char *charset = m->charset ? m->charset : setting_text(program, "DefaultCharSet");
    const char *helo = setting_text(program, "HeloName");
    struct texts argv;
    struct plan p = {.mailer = bytes_of(m->name),
                     .flags = bytes_of(flags_of(g, m)),
                     .host = bytes_of(from->host),
                     .charset = bytes_of(charset),
                     .eol = bytes_of(eol_of(m)),
                     .line_limit = m->line_limit > 0 ? (uint64_t)m->line_limit : 0,
                     .max_size = m->max_size > 0 ? (uint64_t)m->max_size : 0,
                     .body = g->e->flags & (ENVELOPE_8BIT | ENVELOPE_7BIT | ENVELOPE_HAS_8BIT),
                     .envid = g->e->envid,
                     .author = g->e->author,
                     .envelope = g->e->flags,
                     .deliver_by = g->e->deliver_by,
                     .size = g->e->size,
                     .mark = bytes_of(arena_printf(g->arena, "%s id %s", g->w->service->host,
                                                   text_of(g, g->e->id)))};

    if (is_too_large(g, from))
        return;

    p.helo = bytes_of(arena_strdup(g->arena, rewrite_expand(g->w->r, helo, strlen(helo), NULL)));
    recipients_of(g, from, &p);
    if (!render(g, from, &p, &argv)) {
        put_off(g, from, "451 4.3.0 Temporary lookup failure");
        return;
    }
    p.author = author_of(g, p.sender);
    if (m->smtp && is_program(g, m)) {
        if (!program_plan(g, from, argv, &p))
            return;
        p.kind = has_flag(m, 'z') ? PLAN_LMTP : PLAN_SMTP;
    } else if (m->smtp) {
        p.kind = has_flag(m, 'z') ? PLAN_LMTP : PLAN_SMTP;
        if (!find_hosts(g, from, argv, &p))
            return;
    } else if (!program_plan(g, from, argv, &p)) {
        return;
    }
    add_plan(g, &p);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void restore_macros(struct routing *g)
{
    struct worker *w = g->w;
    struct texts t = g->e->macros;
    char date[DATE_BYTES];

    for (size_t i = 0; i + 1 < t.n; i += 2)
        rewrite_set(w->r, t.v[i].p, t.v[i].len, t.v[i + 1].p, t.v[i + 1].len);
    worker_set(w, "f", text_of(g, g->e->sender));
    worker_set(w, "i", text_of(g, g->e->id));
    worker_setf(w, "c", "%llu", (unsigned long long)g->e->hops);
    worker_setf(w, "ntries", "%llu", (unsigned long long)g->e->tries);
    worker_set(w, "addr_type", "e s");
    date_mail(g->now, date);
    worker_set(w, "b", date);
    date_unix(g->e->made, date);
    worker_set(w, "d", date);
}

/* Recipients of which aliases were not asked yet: those that come of them stand in their place. */
static void expand_open(struct routing *g)
{
    struct envelope *e = g->e;
    struct send_list list = {.arena = g->arena};
    struct recipient *v = arena_calloc(g->arena, e->nrecipients + 1, sizeof *v);
    size_t n = 0, more = 0;

    for (size_t i = 0; i < e->nrecipients; i++) {
        struct recipient *r = &e->recipients[i];
        struct expanded got = {.reply = ""};
        if (r->state == RECIPIENT_WAITS && !(r->flags & RECIPIENT_IS_FINAL))
            got = expand_add(g->w, &list, r, text_of(g, shown_of(g, r)));
        if (got.reply)
            v[n++] = *r;
        if (!got.reply || !*got.reply)
            continue;
        buf_printf(&g->refused, "%s\n", got.reply);
        conclude(g, &v[n - 1], *got.reply == '4' ? RECIPIENT_WAITS : RECIPIENT_FAILED,
                 code_of(g, got.reply), "", "");
    }
    struct recipient *open = expand_recipients(&list, g->arena, &more);
    struct recipient *all = arena_calloc(g->arena, n + more + 1, sizeof *all);
    memcpy(all, v, n * sizeof *v);
    memcpy(all + n, open, more * sizeof *open);
    e->recipients = all;
    e->nrecipients = n + more;
}

/* The head as a report shows it: as a mailer has it that changes nothing. */
static void head_for_report(struct routing *g)
{
    static const struct mailer none = {.name = "*report*", .flags = "DFMP"};
    struct plan p = {.kind = PLAN_NONE};
    struct rendering d;
    struct buf head;

    worker_set(g->w, "u", "");
    render_begin(&d, g->w->r, g->arena, g->e, &none, "");
    if (g->e->sender.len == 0 && g->e->flags & ENVELOPE_REPORT)
        worker_set(g->w, "g", "MAILER-DAEMON");
    buf_init(&head, g->arena);
    if (!render_head(&d, &head))
        return;
    p.head = (struct bytes){head.data, head.len};
    add_plan(g, &p);
}

/* Whether a program would get it. */
static bool has_program(struct routing *g, const struct recipient *r)
{
    const char *shown = text_of(g, shown_of(g, r));
    struct target t = recipient_target(g->w, text_of(g, r->address), shown, r->from.len > 0);

    return t.mailer && !t.mailer->smtp;
}

/* It goes round in a circle (RFC 5321 6.3): nobody gets it any more. */
static bool too_many_hops(struct routing *g)
{
    struct envelope *e = g->e;
    long most = setting_number(g->w->service->program, "MaxHopCount");

    if (most < 0 || e->hops < (uint64_t)most || e->flags & ENVELOPE_REPORT)
        return false; /* our own line is one more */
    for (size_t i = 0; i < e->nrecipients; i++) {
        struct recipient *r = &e->recipients[i];
        if (r->state != RECIPIENT_WAITS)
            continue;
        if (g->refused.len == 0)
            buf_printf(&g->refused,
                       "554 5.4.6 Too many hops %llu (%ld max): from <%s> via localhost, to %s\n",
                       (unsigned long long)e->hops + 1, most, text_of(g, e->sender),
                       text_of(g, shown_of(g, r)));
        conclude(g, r, RECIPIENT_FAILED, "5.4.6", "554 5.4.6 Too many hops", "");
        r->flags |= RECIPIENT_IS_LOOPING | (has_program(g, r) ? RECIPIENT_IS_PROGRAM : 0U);
    }
    return true;
}

static bool is_first_of_owner(const struct routing *g, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (same_bytes(g->groups[k].owner, g->groups[i].owner))
            return false;
    }
    return g->groups[i].owner.len > 0;
}

static size_t take_owner(const struct routing *g, struct bytes owner, struct group *to)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n; i++) {
        if (same_bytes(g->groups[i].owner, owner))
            to[n++] = g->groups[i];
    }
    return n;
}

/* Each owner's part is delivered as a message of its own, behind the one that has none: that of the
 * first, and then from the last one's on. */
static void sort_by_owner(struct routing *g)
{
    struct group *v = arena_calloc(g->arena, g->n + 1, sizeof *v);
    size_t n = take_owner(g, (struct bytes){"", 0}, v), first = 0;

    while (first < g->n && !is_first_of_owner(g, first))
        first++;
    if (first < g->n)
        n += take_owner(g, g->groups[first].owner, v + n);
    for (size_t i = g->n; i-- > first + 1;) {
        if (is_first_of_owner(g, i))
            n += take_owner(g, g->groups[i].owner, v + n);
    }
    g->groups = v;
    g->n = n;
    g->room = n + 1;
}

static void plan_all(struct routing *g)
{
    struct envelope *e = g->e;

    if (e->flags & ENVELOPE_REPORT && !(e->flags & ENVELOPE_COLLECTED))
        collect_report(g->w->r, g->arena, e);
    worker_set(g->w, "addr_type", "e r");
    expand_open(g);
    for (size_t i = 0, over = too_many_hops(g); i < e->nrecipients && !over; i++) {
        if (e->recipients[i].state == RECIPIENT_WAITS)
            place(g, i);
    }
    worker_set(g->w, "addr_type", "e s");
    add_lines(g, NULL, g->refused.data ? g->refused.data : "");
    sort_by_owner(g);
    for (size_t i = 0; i < g->n; i++) {
        g->groups[i].plan = g->nplans;
        plan_group(g, &g->groups[i]);
    }
}

void route(struct worker *w, const struct message_ROUTE *ask, struct message_ROUTED *out)
{
    struct envelope e;
    struct routing g = {.w = w, .e = &e, .now = (uint64_t)time(NULL)};
    struct buf b;

    worker_begin(w, NULL);
    rewrite_use(w->r, rewrite_macros_new(w->arena, w->service->program));
    g.arena = w->arena;
    *out = (struct message_ROUTED){.delivery = ask->delivery, .status = EX_SOFTWARE};
    if (!envelope_decode(g.arena, ask->envelope.p, ask->envelope.len, &e))
        return;
    restore_macros(&g);
    buf_init(&g.refused, g.arena);
    if (e.flags & ENVELOPE_FOR_REPORT)
        head_for_report(&g);
    else
        plan_all(&g);
    rewrite_rest(w->r);
    buf_init(&b, g.arena);
    envelope_encode(&e, &b);
    out->status = EX_OK;
    out->envelope = (struct bytes){b.data, b.len};
    out->plans = (struct texts){g.plans, g.nplans};
}
