#include "mta/policy/check.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/map_aliases.h"
#include "mta/message/seen.h"
#include "mta/message/dates.h"
#include "mta/store/queue.h"
#include "mta/policy/auth.h"
#include "mta/policy/client.h"
#include "mta/policy/collect.h"
#include "mta/policy/disk.h"
#include "mta/policy/filtering.h"
#include "mta/policy/help.h"
#include "mta/policy/recipient.h"
#include "mta/policy/ruling.h"
#include "mta/policy/users.h"
#include "mta/policy/verdict.h"
#include "mta/policy/secured.h"

enum { CODE_CLOSE = 421, CODE_LATER = 451, GREETING_TEXTS = 5, NAMES_MAX = 100 };

/* --- answers ------------------------------------------------------------------------------ */

static void say(struct message_VERDICT *v, const char *reply)
{
    v->reply = bytes_of(reply);
}

static void texts(struct worker *w, struct message_VERDICT *v, const char *const *t, size_t n)
{
    struct bytes *list = arena_calloc(w->arena, n, sizeof *list);

    for (size_t i = 0; i < n; i++)
        list[i] = bytes_of(t[i]);
    v->texts = (struct texts){list, n};
}

/* What a ruleset says beside yes and no.  False: it refuses, and that is said. */
static bool consents(struct context *c, const struct ruling *r, struct message_VERDICT *v)
{
    if (r->kind == RULING_REFUSED) {
        say(v, r->reply);
        return false;
    }
    if (r->kind == RULING_DISCARD)
        c->discard = true;
    if (r->kind == RULING_QUARANTINE)
        c->envelope.quarantine = bytes_of(arena_strdup(c->tx, r->text));
    return true;
}

static struct ruling ask_one(struct worker *w, const char *ruleset, const char *text,
                             const char *to)
{
    return ruling_of(w, ruleset, &text, 1, to);
}

static struct ruling ask_two(struct worker *w, const char *ruleset, const char *one,
                             const char *two, const char *to)
{
    const char *both[] = {one, two};

    return ruling_of(w, ruleset, both, 2, to);
}

/* --- a transaction's macros --------------------------------------------------------------- */

static void set_now(struct worker *w)
{
    char text[DATE_BYTES];

    date_mail((uint64_t)time(NULL), text);
    worker_set(w, "b", text);
}

static void set_time(struct worker *w, time_t now)
{
    collect_set_time(w->r, now);
    worker_setf(w, "time", "%lld", (long long)now);
}

static void set_id(struct worker *w, struct context *c, time_t now)
{
    char id[QUEUE_ID + 1];

    ids_next(w->service->ids, now, id);
    c->envelope.id = bytes_of(arena_strdup(c->tx, id));
    worker_set(w, "i", id);
}

/* It is over, and so is what rules have noted meanwhile. */
static void end_transaction(struct worker *w, struct context *c)
{
    static const char *const its[] = {"mail_from", "mail_addr",  "mail_host",   "mail_mailer",
                                      "rcpt_addr", "rcpt_host",  "rcpt_mailer", "addr_type",
                                      "nrcpts",    "nbadrcpts",  "ntries",      "msg_size",
                                      "msg_id",    "dsn_ret",    "dsn_envid",   "dsn_notify",
                                      "f",         "g",          "h",           "u",
                                      "x",         "z",          "c",           "hdr_name",
                                      "hdrlen",    "currHeader", "s",           "r"};
    static const char *const of_first[] = {"a", "d", "t", "time"};

    for (size_t i = 0; i < sizeof its / sizeof *its; i++)
        worker_set(w, its[i], NULL);
    for (size_t i = 0; c->sender && i < sizeof of_first / sizeof *of_first; i++)
        worker_set(w, of_first[i], NULL);
    rewrite_pass(w->r, true);
    context_reset(c);
    c->nnamed = 0;
}

/* --- connection --------------------------------------------------------------------------- */

/* What this daemon does. */
static const char *daemon_info(struct worker *w)
{
    enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
    unsigned long long every = w->service->queue_seconds;
    const char *days = every < DAY ? "" : arena_printf(w->arena, "%llu+", every / DAY);

    if (every == 0)
        return "SMTP";
    return arena_printf(w->arena, "SMTP+queueing@%s%02llu:%02llu:%02llu", days, every % DAY / HOUR,
                        every % HOUR / MINUTE, every % MINUTE);
}

static void set_client(struct worker *w, struct context *c, const struct message_CONNECT *m)
{
    struct client_name name = client_find(w->arena, bytes_string(w->arena, m->address));
    const struct listener *l = c->listener;
    const char *local = bytes_string(w->arena, m->local_address);

    c->address = bytes_string(c->arena, m->address);
    c->name = arena_strdup(c->arena, name.name);
    c->peer = arena_strdup(c->arena, name.peer);
    worker_set(w, "client_addr", c->address);
    worker_set(w, "client_name", c->name);
    worker_set(w, "client_ptr", name.pointer);
    worker_set(w, "client_resolve", name.resolve);
    worker_setf(w, "client_port", "%llu", (unsigned long long)m->port);
    worker_setf(w, "client_connections", "%llu", (unsigned long long)m->clients);
    worker_setf(w, "client_rate", "%llu", (unsigned long long)m->rate);
    worker_setf(w, "total_rate", "%llu", (unsigned long long)m->total);
    worker_set(w, "client_flags", "");
    worker_set(w, "daemon_name", l->name);
    worker_set(w, "daemon_addr", l->address ? l->address : "0.0.0.0");
    worker_set(w, "daemon_family", l->family == AF_INET6 ? "inet6" : "inet");
    worker_set(w, "daemon_flags", l->apart);
    worker_setf(w, "daemon_port", "%llu", (unsigned long long)m->local_port);
    worker_set(w, "daemon_info", daemon_info(w));
    worker_set(w, "if_name", w->service->host);
    if (strcmp(local, "127.0.0.1") != 0 && strcmp(local, "IPv6:0:0:0:0:0:0:0:1") != 0) {
        worker_set(w, "if_addr", local);
        worker_set(w, "if_family", strncmp(local, "IPv6:", 5) == 0 ? "inet6" : "inet");
    }
    worker_set(w, "_", c->peer);
    worker_set(w, "opMode", "d");
}

/* The client on standard input is somebody of this system, unless inetd has it from the network. */
static void set_dialogue(struct worker *w, struct context *c, const struct message_CONNECT *m)
{
    const char *address = bytes_string(w->arena, m->address);
    bool unix_socket = *address == '[';

    worker_set(w, "daemon_name", NULL);
    worker_set(w, "daemon_addr", NULL);
    worker_set(w, "daemon_family", NULL);
    worker_set(w, "daemon_flags", "c u");
    worker_set(w, "daemon_port", NULL);
    worker_set(w, "daemon_info", NULL);
    worker_set(w, "if_name", NULL);
    worker_set(w, "opMode", "s");
    if (!unix_socket && !strchr(address, '@'))
        return;
    c->address = arena_strdup(c->arena, unix_socket ? address : "0");
    c->name = unix_socket ? "localhost" : "";
    c->peer = arena_strdup(c->arena, unix_socket ? "localhost [[UNIX: localhost]]" : address);
    const char *user = arena_strndup(w->arena, address, strcspn(address, "@"));
    c->in_dialogue = !unix_socket;
    c->trusted = strcmp(user, "root") == 0 || setting_trusts(w->service->program, user);
    worker_set(w, "client_addr", c->address);
    worker_set(w, "client_name", c->name);
    worker_set(w, "client_ptr", c->name);
    worker_set(w, "client_resolve", NULL);
    worker_set(w, "client_connections", NULL);
    worker_set(w, "if_addr", NULL);
    worker_set(w, "if_family", NULL);
    worker_set(w, "_", c->peer);
}

static void set_load(struct worker *w)
{
    double load[1];

    worker_setf(w, "load_avg", "%d", getloadavg(load, 1) == 1 ? (int)(load[0] + 0.5) : 0);
}

static const char *greeting(struct worker *w)
{
    const char *text = setting_text(w->service->program, "SmtpGreetingMessage");

    return arena_strdup(w->arena, rewrite_expand(w->r, text, strlen(text), NULL));
}

/* Milliseconds that the ruleset wants: "$# 5000". */
static uint64_t pause_of(const struct ruling *r)
{
    return isdigit((unsigned char)*r->mailer) ? strtoull(r->mailer, NULL, 10) : 0;
}

/* What the ruleset says of this connection, and what the listener's M= takes away from it. */
static const char *letters_of(struct worker *w, const struct context *c, const struct ruling *r)
{
    const char *modifiers = c->listener->modifiers;

    return arena_printf(w->arena, "%s%s%s", r->kind == RULING_CONSENT ? r->words : "",
                        strchr(modifiers, 'E') ? " E" : "", strchr(modifiers, 'S') ? " S" : "");
}

/* A message on standard input: nobody is asked. */
static void set_submission(struct worker *w, struct context *c, const struct message_CONNECT *m)
{
    const char mode = *setting_text(w->service->program, "DeliveryMode");

    set_client(w, c, m);
    set_dialogue(w, c, m);
    c->submitted = true;
    worker_set(w, "client_addr", "");
    worker_set(w, "daemon_flags", "c u");
    worker_set(w, "opMode", "m");
    worker_setf(w, "deliveryMode", "%c", tolower((unsigned char)mode));
}

static void answer_connect(struct worker *w, struct context *c, const struct message_CONNECT *m,
                           struct message_VERDICT *v)
{
    const struct service *s = w->service;

    c->listener = &s->listeners[m->listener < s->nlisteners ? m->listener : 0];
    if (m->listener == CONNECT_SUBMISSION) {
        set_submission(w, c, m);
        return;
    }
    set_client(w, c, m);
    if (m->listener == CONNECT_DIALOGUE)
        set_dialogue(w, c, m);
    set_load(w);
    set_now(w);
    const char mode =
        c->listener->mode ? c->listener->mode : *setting_text(s->program, "DeliveryMode");
    worker_setf(w, "deliveryMode", "%c", tolower((unsigned char)mode));
    struct ruling relay = ask_two(w, "check_relay", c->name, c->address, NULL);
    set_time(w, time(NULL));
    set_id(w, c, time(NULL));
    struct ruling features = ask_two(w, "srv_features", c->name, "", NULL);
    struct ruling pause = ask_two(w, "greet_pause", c->name, c->address, NULL);
    if (!consents(c, &relay, v) && relay.code == CODE_CLOSE)
        v->flags |= VERDICT_CLOSE;
    c->discard_all = c->discard;
    if (strcasecmp(features.words, "temp") == 0 && !v->reply.len)
        say(v, "450 4.3.0 Please try again later.");
    if (!v->reply.len && !disk_has_room(s->program, 0)) {
        say(v, disk_full);
        v->flags |= VERDICT_BUSY;
    }
    v->wait_ms = pause_of(&pause);
    const char *letters = c->features = arena_strdup(c->arena, letters_of(w, c, &features));
    v->flags |= auth_is_required(c, letters) ? VERDICT_AUTH_REQUIRED : 0;
    filtering_connect(w, c, m, v);
    const char *tls = ruling_tls_features(w, "tls_srv_features", c->name, c->address);
    const char *t[GREETING_TEXTS] = {greeting(w), c->peer, letters, auth_offer(w, c),
                                     tls ? tls : "none"};
    texts(w, v, t, GREETING_TEXTS);
    rewrite_pass(w->r, true);
}

/* --- TLS ---------------------------------------------------------------------------------- */

static void answer_secure(struct worker *w, struct context *c, const struct message_SECURE *m,
                          struct message_VERDICT *v)
{
    secured_set(w, m->found);
    c->tls_bits = strtoull(worker_get(w, "cipher_bits"), NULL, 10);
    if (strcmp(worker_get(w, "verify"), "OK") == 0)
        c->tls_external = arena_strdup(c->arena, worker_get(w, "cert_subject"));
    secured_log(w, "server", worker_get(w, "_"));
    struct ruling r = ask_two(w, "tls_client", worker_get(w, "verify"), "STARTTLS", NULL);
    if (r.kind == RULING_REFUSED)
        say(v, r.reply);
    const char *offer = auth_offer(w, c);
    texts(w, v, &offer, 1);
    rewrite_pass(w->r, true);
}

static void answer_helo(struct context *c, const struct message_HELO *m)
{
    c->extended = m->verb.len > 0 && toupper((unsigned char)*m->verb.p) == 'E';
    c->secured = c->tls_bits > 0;
    c->helo = arena_strndup(c->arena, m->name.len > 0 ? m->name.p : "", m->name.len);
}

/* Who says that it is who, and how it speaks: known from MAIL on. */
static void set_introduction(struct worker *w, const struct context *c)
{
    worker_set(w, "s", c->helo ? c->helo : arena_strndup(w->arena, c->peer, strcspn(c->peer, " ")));
    worker_setf(w, "r", "%s%s%s", c->extended ? "ESMTP" : "SMTP",
                c->extended && c->secured ? "S" : "",
                c->extended && *worker_get(w, "auth_type") ? "A" : "");
}

/* --- a transaction's beginning ------------------------------------------------------------ */

/* "NAME=value" of the parameters; NULL: it is not there. */
static const char *parameter(struct worker *w, struct texts list, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < list.n; i++) {
        struct bytes b = list.v[i];
        if (b.len > len && b.p[len] == '=' && strncasecmp(b.p, name, len) == 0)
            return arena_strndup(w->arena, b.p + len + 1, b.len - len - 1);
    }
    return NULL;
}

static void read_mail_parameters(struct worker *w, struct context *c, struct texts list)
{
    struct envelope *e = &c->envelope;
    const char *body = parameter(w, list, "BODY"), *ret = parameter(w, list, "RET");
    const char *envid = parameter(w, list, "ENVID"), *by = parameter(w, list, "BY");
    const char *size = parameter(w, list, "SIZE");

    if (body && strcasecmp(body, "8BITMIME") == 0)
        e->flags |= ENVELOPE_8BIT;
    if (body && strcasecmp(body, "7BIT") == 0)
        e->flags |= ENVELOPE_7BIT;
    if (ret && strcasecmp(ret, "FULL") == 0)
        e->flags |= ENVELOPE_RET_FULL;
    if (ret && strcasecmp(ret, "HDRS") == 0)
        e->flags |= ENVELOPE_RET_HDRS;
    if (envid)
        e->envid = bytes_of(arena_strdup(c->tx, envid));
    if (by) {
        char *end;
        long seconds = strtol(by, &end, 10);
        e->deliver_by = (uint64_t)((int64_t)e->made + seconds);
        e->flags |= strcasestr(end, "R") ? ENVELOPE_BY_RETURN : 0;
        e->flags |= strcasestr(end, "T") ? ENVELOPE_BY_TRACE : 0;
    }
    worker_set(w, "dsn_ret", ret ? ret : "");
    worker_set(w, "dsn_envid", envid ? envid : "");
    worker_set(w, "msg_size", size ? size : "");
    worker_set(w, "dsn_notify", "");
    auth_of_mail(w, c, parameter(w, list, "AUTH"));
}

static const char *inside(struct arena *a, const char *path)
{
    return bytes_string(a, bytes_in_brackets(bytes_of(path)));
}

/* The path without its angle brackets, also where it was taken with more around the mailbox:
 * "<u@example.net>x", "<u (me)@a>". */
static const char *mailbox_inside(struct worker *w, const char *path)
{
    const char *plain = inside(w->arena, path);
    struct tokens *ws = rewrite_workspace(w->r);
    uint32_t from = 0, end;
    size_t len;

    if (!strpbrk(plain, "()<>") || !address_scan(w->r, path, strlen(path), true, -1, ws, &len))
        return plain;
    for (uint32_t i = 0; i < ws->n; i++)
        from = *ws->v[i].p == '<' ? i + 1 : from;
    for (end = from; end < ws->n && *ws->v[end].p != '>'; end++)
        continue;
    return rewrite_joined(w->r, ws->v + from, end - from, ' ', &len);
}

static bool is_nobody(const char *sender)
{
    return sender[strspn(sender, " \t")] == '\0';
}

/* $z, where the address is a user's of this system. */
static void set_home(struct worker *w, const struct address *a)
{
    struct user u;
    bool found = strchr(a->mailer->flags, 'w') && users_find(w->arena, a->user, &u) == USER_FOUND;

    worker_set(w, "z", found ? u.home : NULL);
}

static bool parse_path(struct worker *w, const char *path, unsigned kind, struct address *a)
{
    worker_forget_notes(w);
    worker_forget_decision(w);
    w->decision.of_mailer = true;
    rewrite_begin(w->r);
    bool parsed = address_parse(w->r, path, kind, a);
    rewrite_rest(w->r);
    /* Its texts are the evaluation's, and others follow. */
    a->user = arena_strdup(w->arena, a->user);
    a->host = a->host ? arena_strdup(w->arena, a->host) : NULL;
    return parsed;
}

/* A program, a file or a list of addresses sends no mail. */
static bool is_nobodys_mailer(const struct mailer *m)
{
    static const char *const names[] = {"prog", "*file*", "*include*"};

    for (size_t i = 0; m && i < sizeof names / sizeof *names; i++) {
        if (strcmp(m->name, names[i]) == 0)
            return true;
    }
    return false;
}

/* False: it is no address, and that is said. */
static bool parse_sender(struct worker *w, const char *path, struct message_VERDICT *v)
{
    struct address a = {.user = ""};

    worker_set(w, "x", "");
    worker_set(w, "mail_mailer", "local");
    worker_set(w, "mail_host", "");
    worker_set(w, "mail_addr", "");
    if (is_nobody(inside(w->arena, path)))
        return true;
    bool parsed = parse_path(w, path, ADDRESS_SENDER, &a);
    const char *refusal = ruling_of_address(w, &a, parsed, path);
    if (!refusal && is_nobodys_mailer(a.mailer))
        refusal = arena_printf(w->arena, "553 5.1.7 %s... Invalid sender address", path);
    bool later = a.mailer && refusal && *refusal == '4';
    if (refusal && !later) {
        ruling_log_address(w, false, path, refusal);
        say(v, refusal);
        return false;
    }
    if (strchr(a.mailer->flags, 'w') || strchr(a.mailer->flags, 'l'))
        worker_set(w, "x", collect_full_name(w->r, w->arena, a.user));
    worker_set(w, "mail_mailer", a.mailer->name);
    worker_set(w, "mail_host", a.host ? a.host : "");
    worker_set(w, "mail_addr", a.user);
    worker_set(w, "h", a.host ? a.host : "");
    set_home(w, &a);
    return true;
}

static void begin_transaction(struct worker *w, struct context *c, const char *path,
                              struct texts parameters)
{
    time_t now = time(NULL);

    if (c->sender)
        end_transaction(w, c);
    context_reset(c);
    c->envelope.made = (uint64_t)now;
    set_now(w);
    set_id(w, c, now);
    if (!c->submitted)
        set_introduction(w, c);
    read_mail_parameters(w, c, parameters);
    worker_set(w, "ntries", "0");
    worker_set(w, "nrcpts", "0");
    worker_set(w, "nbadrcpts", "0");
    worker_set(w, "addr_type", "e s");
    worker_set(w, "mail_from", path);
}

static void set_sender(struct worker *w, struct context *c, const char *path)
{
    c->sender =
        arena_strdup(c->tx, is_nobody(inside(w->arena, path)) ? "" : mailbox_inside(w, path));
    c->envelope.sender = bytes_of(c->sender);
    c->envelope.relay = bytes_of(c->peer);
    worker_set(w, "f", c->sender);
}

static void answer_mail(struct worker *w, struct context *c, const struct message_MAIL *m,
                        struct message_VERDICT *v)
{
    const char *path = bytes_string(w->arena, m->path);

    begin_transaction(w, c, path, m->parameters);
    if (!parse_sender(w, path, v))
        return;
    if (m->wrong) {
        end_transaction(w, c);
        return;
    }
    set_sender(w, c, path);
    struct ruling tls = ask_two(w, "tls_client", worker_get(w, "verify"), "MAIL", path);
    struct ruling r = {.kind = RULING_NONE};
    if (tls.kind != RULING_REFUSED)
        r = ask_one(w, "check_mail", path, path);
    if (!consents(c, &tls, v) || !consents(c, &r, v)) {
        end_transaction(w, c);
        return;
    }
    const char *size = parameter(w, m->parameters, "SIZE");
    if (!disk_has_room(w->service->program, size ? strtoull(size, NULL, 10) : 0)) {
        say(v, disk_full);
        end_transaction(w, c);
    } else if (!filtering_mail(w, c, path, m->parameters, v)) {
        end_transaction(w, c);
    }
}

static bool is_local_sender(struct worker *w)
{
    const char *name = worker_get(w, "mail_mailer");
    const struct mailer *m = program_mailer(w->service->program, name, strlen(name));

    return m && strchr(m->flags, 'w');
}

/* Whether the sender is this user, whatever he calls himself. */
static bool is_himself(struct worker *w, const char *user)
{
    struct address a = {.user = ""};

    return parse_path(w, user, ADDRESS_SENDER, &a) && a.mailer &&
           strcmp(a.mailer->name, worker_get(w, "mail_mailer")) == 0 &&
           strcmp(a.host ? a.host : "", worker_get(w, "mail_host")) == 0 &&
           strcmp(a.user, worker_get(w, "mail_addr")) == 0;
}

/* One more line of the head. */
static void warn(struct worker *w, struct context *c, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void warn(struct worker *w, struct context *c, const char *fmt, ...)
{
    va_list ap;

    if (!(w->service->privacy & PRIVACY_AUTHWARNINGS))
        return;
    va_start(ap, fmt);
    const char *text = arena_vprintf(w->arena, fmt, ap);
    va_end(ap);
    c->warnings = arena_printf(c->tx, "%sX-Authentication-Warning: %s: %s\n",
                               c->warnings ? c->warnings : "", w->service->host, text);
}

/* A sender that is none is told of, and whoever sends it is the sender. */
static void answer_submit(struct worker *w, struct context *c, const struct message_SUBMIT *m,
                          struct message_VERDICT *v)
{
    const char *path = bytes_string(w->arena, m->sender);
    const char *user = arena_strndup(w->arena, c->peer, strcspn(c->peer, "@"));

    c->how = m->how;
    begin_transaction(w, c, path, m->parameters);
    if (!parse_sender(w, path, v)) {
        struct message_VERDICT none = {0};
        c->how |= SUBMIT_OWN;
        path = user;
        parse_sender(w, path, &none);
    }
    const bool own = is_himself(w, user);
    set_sender(w, c, path);
    if (m->name.len > 0 && (own || is_local_sender(w)))
        worker_set(w, "x", collect_phrase(w->r, w->arena, bytes_string(w->arena, m->name)));
    else if (own)
        worker_set(w, "x", collect_full_name(w->r, w->arena, user));
    if (!own && !c->trusted)
        warn(w, c, "%s set sender to %s using -f", user, path);
    for (size_t i = 0; !c->trusted && i < m->warnings.n; i++)
        warn(w, c, "%s", bytes_string(w->arena, m->warnings.v[i]));
    if (!own && !(c->how & SUBMIT_QUIET)) {
        c->how |= SUBMIT_MAILS_ERRORS;
        v->flags |= VERDICT_MAILED;
    }
    c->envelope.hops = m->hops > 0 ? m->hops - 1 : 0;
    c->sends.tolerant = true;
    c->sends.no_aliases = (c->how & SUBMIT_NO_ALIASES) != 0;
}

void check_new_sender(struct worker *w, struct context *c, const char *path,
                      struct texts parameters)
{
    struct message_VERDICT unused = {0};

    set_sender(w, c, parse_sender(w, path, &unused) ? path : "MAILER-DAEMON");
    if (parameters.n > 0)
        read_mail_parameters(w, c, parameters);
}

/* --- recipients --------------------------------------------------------------------------- */

static uint64_t notify_of(const char *words)
{
    static const struct {
        const char *word;
        uint64_t bit;
    } all[] = {{"SUCCESS", NOTIFY_SUCCESS},
               {"FAILURE", NOTIFY_FAILURE},
               {"DELAY", NOTIFY_DELAY},
               {"NEVER", NOTIFY_NEVER}};
    uint64_t bits = words ? NOTIFY_SAID : 0;

    for (size_t i = 0; words && i < sizeof all / sizeof *all; i++) {
        if (strcasestr(words, all[i].word))
            bits |= all[i].bit;
    }
    return bits;
}

/* How messages of this session are delivered (DeliveryMode). */
static bool is_mode(struct worker *w, char mode)
{
    return *worker_get(w, "deliveryMode") == mode;
}

/* Names of other hosts are looked up later (DeliveryMode=deferred). */
static bool is_deferred(struct worker *w, const struct context *c)
{
    const struct send *last = NULL;

    for (size_t i = 0; i < c->sends.n; i++) {
        if (!c->sends.v[i]->parent && (!last || c->sends.v[i]->number > last->number))
            last = c->sends.v[i];
    }
    return is_mode(w, 'd') && last && *last->host;
}

void check_recipient_parameters(struct worker *w, struct context *c, struct texts parameters,
                                struct recipient *as)
{
    const char *orcpt = parameter(w, parameters, "ORCPT");

    as->original = bytes_of(orcpt ? arena_strdup(c->tx, orcpt) : "");
    as->notify = notify_of(parameter(w, parameters, "NOTIFY"));
}

/* The reply to a recipient that no ruleset refuses. */
static const char *accept_recipient(struct worker *w, struct context *c, const char *path,
                                    struct texts parameters, bool later)
{
    struct recipient as = {.address = bytes_of(path)};

    check_recipient_parameters(w, c, parameters, &as);
    c->only = c->nnamed++ == 0 ? arena_strdup(c->tx, path) : NULL;
    struct expanded got = expand_add(w, &c->sends, &as, path);
    if (got.reply) {
        ruling_log_address(w, true, path, got.reply);
        return got.reply;
    }
    const char *shown = got.same ? bytes_string(w->arena, got.same->recipient.shown) : path;
    c->naccepted += !got.same;
    return arena_printf(w->arena, "250 2.1.5 %s... Recipient ok%s", shown,
                        later || got.later || is_deferred(w, c) ? " (will queue)" : "");
}

static void set_recipient(struct worker *w, const struct address *a)
{
    worker_set(w, "rcpt_mailer", a ? a->mailer->name : NULL);
    worker_set(w, "rcpt_host", !a ? NULL : a->host ? a->host : "");
    worker_set(w, "rcpt_addr", a ? a->user : NULL);
}

/* What is known of the recipient that was looked at last. */
static void set_last_recipient(struct worker *w, const struct address *a)
{
    worker_set(w, "u", a->user);
    worker_set(w, "c", "0");
    worker_setf(w, "p", "%d", (int)getpid());
    set_home(w, a);
}

/* A recipient that no ruleset refuses. */
static void take_recipient(struct worker *w, struct context *c, const struct message_RCPT *m,
                           const char *path, bool later, struct message_VERDICT *v)
{
    if (c->discard) {
        say(v, arena_printf(w->arena, "250 2.1.5 %s... Recipient ok", path));
        return;
    }
    const size_t before = c->naccepted;
    say(v, accept_recipient(w, c, path, m->parameters, later));
    const bool taken = *v->reply.p == '2';
    if (filtering_rcpt(w, c, path, m->parameters, taken ? NULL : bytes_string(w->arena, v->reply),
                       v))
        return;
    if (taken && c->naccepted > before) { /* else it was there before */
        expand_refuse(&c->sends);
        c->naccepted = before;
    }
}

/* Bytes of the text up to the first comma that is in no quotes, comment or, where `angles`, between
 * angle brackets; *open: such a bracket is never closed. */
static size_t up_to_comma(const char *text, bool angles, bool *open)
{
    size_t i = 0, comments = 0, brackets = 0;
    bool quoted = false;

    for (; text[i]; i++) {
        const char c = text[i];
        if (c == '\\' && text[i + 1])
            i++;
        else if (c == '"' && comments == 0)
            quoted = !quoted;
        else if (!quoted && c == '(')
            comments++;
        else if (!quoted && c == ')' && comments > 0)
            comments--;
        else if (quoted || comments > 0)
            continue;
        else if (angles && (c == '<' || (c == '>' && brackets > 0)))
            brackets = c == '<' ? brackets + 1 : brackets - 1;
        else if (c == ',' && brackets == 0)
            break;
    }
    *open = brackets > 0;
    return i;
}

static size_t first_address(const char *text)
{
    bool open;
    const size_t n = up_to_comma(text, true, &open);

    return open ? up_to_comma(text, false, &open) : n;
}

/* One address of a submission. */
static void name_recipient(struct worker *w, struct context *c, const struct message_RCPT *m,
                           struct bytes address)
{
    const char *only = c->only;
    const size_t named = c->nnamed;

    while (address.len > 0 && isspace((unsigned char)*address.p))
        address.p++, address.len--;
    while (address.len > 0 && isspace((unsigned char)address.p[address.len - 1]))
        address.len--;
    if (address.len == 0)
        return;
    accept_recipient(w, c, bytes_string(w->arena, address), m->parameters, false);
    if (m->recipients == RCPT_OF_HEAD) {
        c->only = only;
        c->nnamed = named;
    }
}

/* Addresses of a submission, the last one first, as those of an alias: a line for each that they
 * came to and that is none. */
static void answer_named(struct worker *w, struct context *c, const struct message_RCPT *m,
                         struct message_VERDICT *v)
{
    const size_t before = c->sends.nbad;
    struct buf lines;

    worker_set(w, "addr_type", "e r");
    struct bytes *all = NULL;
    size_t n = 0, room = 0;
    for (const char *rest = bytes_string(w->arena, m->path); *rest;) {
        const size_t len = first_address(rest);
        all = arena_grow(w->arena, all, n, &room, sizeof *all, 8);
        all[n++] = (struct bytes){rest, len};
        rest += len + (rest[len] == ',');
    }
    while (n-- > 0)
        name_recipient(w, c, m, all[n]);
    if (m->recipients == RCPT_OF_HEAD && c->sends.nbad > before)
        c->bad_head = true;
    buf_init(&lines, w->arena);
    v->flags |= VERDICT_UNCOUNTED;
    for (size_t i = before; i < c->sends.nbad; i++) {
        buf_printf(&lines, "%s\n", c->sends.bad[i].reply);
        if (!c->sends.bad[i].recipient.owner.len)
            v->flags &= ~(uint64_t)VERDICT_UNCOUNTED;
    }
    v->reply = (struct bytes){lines.data, lines.len};
}

static void answer_rcpt(struct worker *w, struct context *c, const struct message_RCPT *m,
                        struct message_VERDICT *v)
{
    const char *path = bytes_string(w->arena, m->path);
    const char *notify = parameter(w, m->parameters, "NOTIFY");
    struct address a = {.user = ""};

    if (c->submitted) {
        answer_named(w, c, m, v);
        return;
    }
    worker_setf(w, "nrcpts", "%llu", (unsigned long long)m->recipients);
    worker_setf(w, "nbadrcpts", "%llu", (unsigned long long)m->refused);
    worker_set(w, "addr_type", "e r");
    worker_set(w, "dsn_notify", notify ? notify : "");
    bool parsed = parse_path(w, path, 0, &a);
    const char *refusal = ruling_of_address(w, &a, parsed, path);
    bool later = a.mailer && refusal && *refusal == '4';
    if (refusal && !later) {
        ruling_log_address(w, true, path, refusal);
        say(v, refusal);
        return;
    }
    if (m->wrong)
        return;
    /* What comes behind evaluates more. */
    a.user = arena_strdup(w->arena, a.user);
    a.host = a.host ? arena_strdup(w->arena, a.host) : NULL;
    set_recipient(w, &a);
    worker_set(w, "h", a.host ? a.host : "");
    struct ruling r = ask_one(w, "check_rcpt", path, path);
    /* A host that cannot be looked up now is looked up again when it is delivered to. */
    bool only_later = later && r.kind == RULING_REFUSED && r.code == CODE_LATER && !*r.mailer;
    if (only_later || consents(c, &r, v)) {
        take_recipient(w, c, m, path, later, v);
        set_last_recipient(w, &a);
    }
    set_recipient(w, NULL);
    worker_set(w, "dsn_notify", "");
    if (v->reply.len > 0 && *v->reply.p == '2')
        worker_setf(w, "nrcpts", "%llu", (unsigned long long)m->recipients + 1);
    else
        worker_setf(w, "nbadrcpts", "%llu", (unsigned long long)m->refused + 1);
}

/* --- other commands ----------------------------------------------------------------------- */

/* "Full Name <user@host>", as VRFY and EXPN have it. */
static const char *mailbox_of(struct worker *w, const struct send *s, bool nameless)
{
    const struct mailer *m = program_mailer(w->service->program, s->mailer, strlen(s->mailer));
    const char *address = bytes_string(w->arena, s->recipient.address);
    const char *slash = *address == '\\' ? "\\" : "";
    const bool special = m && (strcmp(s->mailer, "prog") == 0 || strcmp(s->mailer, "*file*") == 0);

    if (special || !m || !strchr(m->flags, 'l'))
        return arena_printf(w->arena, "<%s>", s->user);
    return arena_printf(w->arena, "%s<%s%s@%s>", nameless ? "" : recipient_full_name(w, s->user),
                        slash, s->user, w->service->host);
}

/* EXPN (RFC 5321 3.5): all that come of it, a line each. */
static void list_sends(struct worker *w, const struct send_list *l, struct message_VERDICT *v)
{
    size_t n, open = 0;
    struct buf out;

    expand_recipients(l, w->arena, &n);
    buf_init(&out, w->arena);
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i]->state != SEND_OPEN)
            continue;
        buf_printf(&out, "%s250%c2.1.5 %s", open ? "\n" : "", open + 1 < n ? '-' : ' ',
                   mailbox_of(w, l->v[i], false));
        open++;
    }
    say(v, out.data);
}

static size_t count_names(const struct send_list *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += !l->v[i]->parent;
    return n;
}

/* The addresses of an argument, the last one first; a refusal, or NULL. */
static const char *add_names(struct worker *w, struct send_list *list, const char *argument)
{
    struct alias_span whole = {0, strlen(argument)}, v[NAMES_MAX];
    struct alias_item item;
    size_t pos = 0, n = 0;

    while (n < NAMES_MAX && alias_item_next(argument, whole, &pos, &item))
        v[n++] = item.at;
    if (n <= 1)
        v[0] = whole;
    for (n = n ? n : 1; n-- > 0;) {
        const char *one = arena_strndup(w->arena, argument + v[n].begin, v[n].end - v[n].begin);
        struct recipient as = {.address = bytes_of(one)};
        struct expanded got = expand_add(w, list, &as, one);
        if (got.reply)
            return got.reply;
    }
    return NULL;
}

static void list_names(struct worker *w, const struct send_list *l, struct message_VERDICT *v)
{
    struct buf out;

    buf_init(&out, w->arena);
    for (size_t i = 0, left = count_names(l); i < l->n; i++) {
        const struct send *s = l->v[i];
        const struct mailer *m = program_mailer(w->service->program, s->mailer, strlen(s->mailer));
        if (s->parent)
            continue;
        left--;
        buf_printf(&out, "%s%c2.1.5 %s%s", m && strchr(m->flags, 'l') ? "250" : "252",
                   left ? '-' : ' ', mailbox_of(w, s, s->aliased), left ? "\n" : "");
    }
    say(v, out.data);
}

/* VRFY (the same 3.5.1) names whom it was asked for, EXPN those that are in his place. */
static void answer_name(struct worker *w, const char *argument, bool expand,
                        struct message_VERDICT *v)
{
    struct send_list list = {.arena = w->arena, .names_only = !expand};
    const char *home =
        arena_strdup(w->arena, worker_get(w, "z")); /* of no matter who is looked at */
    const char *refusal = add_names(w, &list, argument);

    worker_set(w, "z", *home ? home : NULL);
    if (refusal)
        say(v, refusal);
    else if (expand)
        list_sends(w, &list, v);
    else
        list_names(w, &list, v);
}

static bool has_group(const struct program *p, const char *name)
{
    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind == ITEM_QUEUE && strcasecmp(it->name, name) == 0)
            return true;
    }
    return strcasecmp(name, "mqueue") == 0;
}

/* "@host" and "host" are nodes, "#name" is a queue group (RFC 1985 5.2). */
static void answer_etrn(struct worker *w, const char *argument, struct message_VERDICT *v)
{
    if (*argument != '#')
        return;
    if (has_group(w->service->program, argument + 1))
        say(v,
            arena_printf(w->arena, "250 2.0.0 Queuing for queue group %s started", argument + 1));
    else
        say(v, arena_printf(w->arena, "459 4.5.4 Queue %s unknown", argument + 1));
}

/* Whom VRFY or EXPN names is one more for the Received line's "for" of the next message. */
static void count_named(struct worker *w, struct context *c, const struct message_VERDICT *v)
{
    if (strncmp(bytes_string(w->arena, v->reply), "553 5.0.0", 9) == 0)
        return; /* it was no address */
    c->nnamed++;
    c->only = NULL;
}

static void answer_command(struct worker *w, struct context *c, const struct message_COMMAND *m,
                           struct message_VERDICT *v)
{
    const char *verb = bytes_string(w->arena, m->verb);
    const char *argument = bytes_string(w->arena, m->argument);
    struct ruling r = {.kind = RULING_NONE, .mailer = "", .words = "", .text = ""};

    if (strcasecmp(verb, "HELP") == 0) {
        say(v, help_answer(w, argument));
        return;
    }
    if (!*verb) {
        filtering_unknown(w, c, m->argument, v);
        return;
    }
    if (strcasecmp(verb, "DATA") == 0)
        set_time(w, time(NULL));
    if (strcasecmp(verb, "DATA") == 0)
        r = ask_one(w, "check_data", worker_get(w, "nrcpts"), NULL);
    else if (strcasecmp(verb, "ETRN") == 0)
        r = ask_one(w, "check_etrn", argument, NULL);
    else if (strcasecmp(verb, "VRFY") == 0)
        r = ask_one(w, "check_vrfy", argument, NULL);
    else if (strcasecmp(verb, "EXPN") == 0)
        r = ask_one(w, "check_expn", argument, NULL);
    if (!consents(c, &r, v) || (strcasecmp(verb, "DATA") == 0 && !filtering_data(w, c, v)))
        return;
    bool etrn = strcasecmp(verb, "ETRN") == 0;
    bool names = strcasecmp(verb, "VRFY") == 0 || strcasecmp(verb, "EXPN") == 0;
    if (etrn || names)
        ruling_log_question(w, verb, argument);
    if (etrn)
        answer_etrn(w, argument, v);
    if (!names)
        return;
    answer_name(w, argument, *verb == 'E' || *verb == 'e', v);
    count_named(w, c, v);
    if (!c->sender && *v->reply.p == '2') {
        worker_set(w, "nrcpts", "1");
        worker_set(w, "u", argument);
    }
}

/* --- a message has come ------------------------------------------------------------------- */

/* Macros that rules may ask for when the message is delivered, perhaps days later. */
static const char *const kept[] = {"r",
                                   "s",
                                   "_",
                                   "a",
                                   "i",
                                   "t",
                                   "client_addr",
                                   "client_name",
                                   "client_ptr",
                                   "client_resolve",
                                   "client_port",
                                   "client_connections",
                                   "client_rate",
                                   "total_rate",
                                   "client_flags",
                                   "daemon_name",
                                   "daemon_addr",
                                   "daemon_family",
                                   "daemon_flags",
                                   "daemon_port",
                                   "daemon_info",
                                   "if_name",
                                   "if_addr",
                                   "if_family",
                                   "mail_from",
                                   "mail_addr",
                                   "mail_host",
                                   "mail_mailer",
                                   "dsn_ret",
                                   "dsn_envid",
                                   "envid",
                                   "msg_id",
                                   "msg_size",
                                   "auth_type",
                                   "auth_authen",
                                   "auth_author",
                                   "auth_ssf",
                                   "tls_version",
                                   "cipher",
                                   "cipher_bits",
                                   "verify",
                                   "cn_subject",
                                   "cn_issuer",
                                   "cert_subject",
                                   "cert_issuer",
                                   "deliveryMode"};

struct keeping {
    struct worker *w;
    struct context *c;
    struct bytes *v;
    size_t n, room;
};

static void keep_macro(struct keeping *k, const char *name, size_t len)
{
    const char *value = rewrite_get(k->w->r, name, len);
    const char *both[] = {arena_strndup(k->c->tx, name, len), value};

    for (size_t i = 0; value && *value && i < 2; i++) {
        k->v = arena_grow(k->c->tx, k->v, k->n, &k->room, sizeof *k->v, 64);
        k->v[k->n++] = bytes_of(arena_strdup(k->c->tx, both[i]));
    }
}

/* Those above, and the words of the class persistentMacros: "{name}" or "x". */
static struct texts keep_macros(struct worker *w, struct context *c)
{
    struct keeping k = {.w = w, .c = c};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        keep_macro(&k, kept[i], strlen(kept[i]));
    for (const struct item *it = w->service->program->config->first; it; it = it->next) {
        if (it->kind != ITEM_CLASS || strcmp(it->name, "persistentMacros") != 0)
            continue;
        for (const char *s = it->value; *s;) {
            s += strspn(s, " \t");
            size_t len = strcspn(s, " \t");
            bool braces = len > 2 && s[0] == '{' && s[len - 1] == '}';
            if (len > 0)
                keep_macro(&k, s + braces, len - (braces ? 2 : 0));
            s += len;
        }
    }
    return (struct texts){k.v, k.n};
}

/* Whether reports tell of who cannot be delivered to, others or not: in the background nobody waits
 * to be told. */
static bool mails_errors(struct worker *w, const struct context *c, bool others)
{
    if (c->how & SUBMIT_QUIET)
        return false;
    return c->how & SUBMIT_MAILS_ERRORS || c->bad_head ||
           (c->submitted && others && is_mode(w, 'b'));
}

/* Those too that nobody is at, where a report is to say so. */
static void copy_recipients(struct worker *w, struct context *c)
{
    struct envelope *e = &c->envelope;
    const struct send_list *l = &c->sends;
    size_t n;
    struct recipient *good = expand_recipients(l, c->tx, &n);

    e->recipients = arena_calloc(c->tx, n + l->nbad + 1, sizeof *e->recipients);

    if (c->bad_head)
        n = 0;
    c->mails = mails_errors(w, c, n > 0);
    memcpy(e->recipients, good, n * sizeof *good);
    for (size_t i = 0; i < l->nbad; i++) {
        const struct recipient *r = &l->bad[i].recipient;
        if (!c->mails && !r->owner.len)
            continue;
        e->recipients[n] = *r;
        e->recipients[n++].flags |= RECIPIENT_IS_FINAL;
    }
    e->nrecipients = n;
}

static void give_envelope(struct worker *w, struct context *c, struct message_VERDICT *v)
{
    struct buf out;

    buf_init(&out, w->arena);
    envelope_encode(&c->envelope, &out);
    struct bytes *list = arena_calloc(w->arena, 1, sizeof *list);
    list[0] = (struct bytes){out.data, out.len};
    v->texts = (struct texts){list, 1};
}

/* The head behind what is to be told of whoever brings it, with authwarnings. */
static struct bytes with_warnings(struct worker *w, struct context *c, struct bytes head)
{
    struct buf b;

    if (!c->helo && !c->submitted)
        warn(w, c, "%s didn't use HELO protocol", c->peer);
    if (c->in_dialogue && !c->submitted && !c->trusted)
        warn(w, c, "%.*s owned process doing -bs", (int)strcspn(c->peer, "@"), c->peer);
    buf_init(&b, c->tx);
    buf_adds(&b, c->warnings ? c->warnings : "");
    buf_add(&b, head.p, head.len);
    return (struct bytes){b.data, b.len};
}

/* The reply to a message that is taken and forgotten. */
static void say_taken(struct worker *w, const struct context *c, struct message_VERDICT *v)
{
    v->flags |= VERDICT_DISCARD;
    say(v, arena_printf(w->arena, "250 2.0.0 %s Message accepted for delivery",
                        bytes_string(w->arena, c->envelope.id)));
}

static void take_message(struct worker *w, struct context *c, const struct message_END *m,
                         struct message_VERDICT *v)
{
    struct envelope *e = &c->envelope;
    const char *whom = c->only;

    e->size = m->size;
    if (m->flags & SEEN_8BIT)
        e->flags |= ENVELOPE_HAS_8BIT;
    if (m->flags & (SEEN_CR | SEEN_LF))
        e->flags |= ENVELOPE_CR_LF;
    if (is_mode(w, 'q') || is_mode(w, 'd') || w->service->unable)
        e->flags |= ENVELOPE_QUEUED;
    if (is_mode(w, 'i'))
        e->flags |= ENVELOPE_AWAITED;
    const bool tells_now = is_mode(w, 'i') && !(c->how & SUBMIT_MAILS_ERRORS) && !c->bad_head;
    if (c->submitted)
        e->flags |= ENVELOPE_SUBMITTED | (c->how & SUBMIT_OWN ? ENVELOPE_OWN : 0U) |
                    (tells_now ? ENVELOPE_TELLS : 0U);
    copy_recipients(w, c);
    set_time(w, time(NULL));
    struct head head;
    struct collected got = collect_open(w->r, c->tx, e, with_warnings(w, c, m->head), whom, &head);
    if (got.verdict == COLLECT_REFUSED) {
        say(v, arena_strdup(w->arena, got.reply));
        return;
    }
    if (got.errors_to.p && setting_true(w->service->program, "UseErrorsTo"))
        e->errors_to = got.errors_to;
    worker_setf(w, "msg_size", "%llu", (unsigned long long)m->size);
    worker_setf(w, "c", "%llu", (unsigned long long)e->hops + 1);
    const char *size = arena_printf(w->arena, "%llu", (unsigned long long)m->size);
    struct ruling r = {.kind = RULING_NONE};
    if (!c->submitted)
        r = ask_one(w, "check_eom", size, NULL);
    if (!consents(c, &r, v))
        return;
    if (got.verdict == COLLECT_DISCARDED)
        c->discard = true;
    if (!filtering_message(w, c, &head, m, v))
        return;
    if (c->mails)
        v->flags |= VERDICT_MAILED;
    if (c->discard || (c->submitted && !e->nrecipients)) {
        say_taken(w, c, v);
        return;
    }
    worker_setf(w, "c", "%llu", (unsigned long long)e->hops);
    collect_close(w->r, c->tx, e, &head);
    copy_recipients(w, c);
    if (e->nrecipients == 0) { /* a filter has taken out all of them */
        say_taken(w, c, v);
        return;
    }
    e->macros = keep_macros(w, c);
    give_envelope(w, c, v);
}

static void answer_end(struct worker *w, struct context *c, const struct message_END *m,
                       struct message_VERDICT *v)
{
    if (!c->sender) {
        say(v, "503 5.0.0 Need MAIL command");
        return;
    }
    take_message(w, c, m, v);
    filtering_reset(w, c);
    end_transaction(w, c);
}

void check_answer(struct worker *w, struct context *c, const struct message *ask,
                  struct message_VERDICT *v)
{
    *v = (struct message_VERDICT){.session = c->session};
    worker_begin(w, c->macros);
    switch (ask->kind) {
    case MESSAGE_CONNECT:
        answer_connect(w, c, &ask->as.CONNECT, v);
        break;
    case MESSAGE_HELO:
        end_transaction(w, c);
        answer_helo(c, &ask->as.HELO);
        filtering_helo(w, c, v);
        break;
    case MESSAGE_MAIL:
        answer_mail(w, c, &ask->as.MAIL, v);
        break;
    case MESSAGE_SUBMIT:
        answer_submit(w, c, &ask->as.SUBMIT, v);
        break;
    case MESSAGE_RCPT:
        answer_rcpt(w, c, &ask->as.RCPT, v);
        break;
    case MESSAGE_COMMAND:
        answer_command(w, c, &ask->as.COMMAND, v);
        break;
    case MESSAGE_AUTH:
        auth_answer(w, c, &ask->as.AUTH, v);
        break;
    case MESSAGE_AUTH_STEP:
        auth_answer_step(w, c, &ask->as.AUTH_STEP, v);
        break;
    case MESSAGE_SECURE:
        answer_secure(w, c, &ask->as.SECURE, v);
        break;
    case MESSAGE_END:
        answer_end(w, c, &ask->as.END, v);
        break;
    case MESSAGE_RESET:
        filtering_reset(w, c);
        end_transaction(w, c);
        break;
    default:
        break;
    }
    rewrite_rest(w->r);
}
