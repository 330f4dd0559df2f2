#include "mta/policy/collect.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "mta/message/dates.h"
#include "mta/policy/collect_check.h"
#include "mta/policy/users.h"

enum { HOPS_USUAL = 25 };

static void set(struct rewrite *r, const char *name, const char *value)
{
    rewrite_set(r, name, strlen(name), value ? value : "", value ? strlen(value) : 0);
}

static const char *get(struct rewrite *r, const char *name)
{
    const char *v = rewrite_get(r, name, strlen(name));

    return v ? v : "";
}

/* --- times and names ---------------------------------------------------------------------- */

void collect_set_time(struct rewrite *r, time_t now)
{
    char text[DATE_BYTES];

    date_mail((uint64_t)now, text);
    set(r, "a", text);
    set(r, "b", text);
    date_unix((uint64_t)now, text);
    set(r, "d", text);
    date_digits((uint64_t)now, text);
    set(r, "t", text);
}

const char *collect_phrase(struct rewrite *r, struct arena *a, const char *name)
{
    const char *must = rewrite_program(r)->must_quote;
    bool special = false, quoted = false;
    struct buf out;

    for (const char *s = name; *s; s++) {
        quoted = quoted != (*s == '"');
        special = special || (!quoted && (strchr(must, *s) || strchr("<>()", *s)));
    }
    if (!special && !quoted)
        return arena_strdup(a, name);
    buf_init(&out, a);
    buf_addc(&out, '"');
    for (const char *s = name; *s; s++) {
        if (*s == '"')
            buf_addc(&out, '\\');
        buf_addc(&out, *s);
    }
    buf_addc(&out, '"');
    return out.data;
}

const char *collect_full_name(struct rewrite *r, struct arena *a, const char *user)
{
    struct user u;

    users_find(a, user, &u);
    const char *name = users_full_name(a, &u);
    return *name ? collect_phrase(r, a, name) : NULL;
}

/* --- the message's own fields ------------------------------------------------------------- */

/* "From someone Tue Jan  1 00:00:00 2020": when that was; false: it does not say. */
static bool date_of_first(struct arena *a, struct bytes first, time_t *when)
{
    const char *s = bytes_string(a, first);
    struct tm tm = {.tm_isdst = -1};

    for (s += strcspn(s, " "); *s; s += strcspn(s, " ")) {
        s += strspn(s, " ");
        if (strptime(s, "%a %b %d %H:%M:%S %Y", &tm)) {
            tm.tm_isdst = -1;
            *when = mktime(&tm);
            return *when != (time_t)-1;
        }
    }
    return false;
}

/* The field's text without blanks at both ends. */
static char *trimmed(struct arena *a, struct bytes v)
{
    while (v.len > 0 && isspace((unsigned char)*v.p)) {
        v.p++;
        v.len--;
    }
    while (v.len > 0 && isspace((unsigned char)v.p[v.len - 1]))
        v.len--;
    return bytes_string(a, v);
}

/* The class of a Precedence by the P lines; 0 where none has it. */
static uint64_t class_of(const struct program *p, const char *precedence)
{
    long found = 0;

    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind == ITEM_PRIORITY && strcasecmp(it->name, precedence) == 0) {
            found = strtol(it->value, NULL, 10);
            break;
        }
    }
    return (uint64_t)(int64_t)found;
}

struct collecting {
    struct rewrite *r;
    struct arena *arena;
    struct envelope *envelope;
    struct head head;
    struct collected *out;
    bool resent;
};

static void look_at(struct collecting *c, const struct field *f)
{
    struct collected *out = c->out;

    c->envelope->hops += (f->flags & FIELD_TRACE) != 0;
    c->resent = c->resent || f->flags & FIELD_RESENT;
    if (f->flags & FIELD_RECEIPT)
        out->receipt = true;
    if (f->flags & FIELD_ERRORS && !out->errors_to.p)
        out->errors_to = bytes_of(trimmed(c->arena, f->value));
    if (field_is(f, "Full-Name") && !field_is_empty(f))
        out->full_name = collect_phrase(c->r, c->arena, trimmed(c->arena, f->value));
    if (field_is(f, "Precedence"))
        c->envelope->priority = class_of(rewrite_program(c->r), trimmed(c->arena, f->value));
}

/* --- the configuration's fields ----------------------------------------------------------- */

bool collect_is_default(const struct item *it)
{
    return it->kind == ITEM_HEADER && *it->value && strncmp(it->value, "$>", 2) != 0 &&
           strcmp(it->name, "*") != 0;
}

/* The message's fields of this name get the H line's condition; false: there are none.  Those
 * without a text are taken out. */
static bool takes_place(struct head *h, const struct item *it)
{
    bool there = false;

    for (size_t i = head_find(h, it->name, 0); i < h->n; i = head_find(h, it->name, i)) {
        if (field_is_empty(&h->v[i])) {
            head_remove(h, i);
            continue;
        }
        if (it->aux && !h->v[i].only.p)
            h->v[i].only = bytes_of(it->aux);
        there = true;
        i++;
    }
    return there;
}

/* A field's text as it stands behind the colon: expanded, unless it has to wait, or comes to
 * nothing yet. */
static struct bytes default_value(struct collecting *c, const struct item *it, uint32_t *flags)
{
    size_t len = strlen(it->value);

    const char *text = *flags & FIELD_RETURN_PATH ? "" : rewrite_expand(c->r, it->value, len, &len);
    if (!*text) {
        *flags |= FIELD_LATE;
        return bytes_of(it->value);
    }
    if (strstr(text, HEAD_ID))
        *flags |= FIELD_HAS_ID;
    return bytes_of(arena_printf(c->arena, " %s", text));
}

static void add_defaults(struct collecting *c)
{
    const struct program *p = rewrite_program(c->r);
    size_t at = 0;

    for (const struct item *it = p->config->first; it; it = it->next) {
        if (!collect_is_default(it))
            continue;
        uint32_t flags = head_flags(it->name, strlen(it->name));
        if (!(flags & FIELD_FORCE) && takes_place(&c->head, it))
            continue;
        if (flags & FIELD_RESENT && !c->resent)
            continue;
        flags |= FIELD_DEFAULT;
        struct bytes value = default_value(c, it, &flags);
        struct field *f = head_insert(&c->head, at++, bytes_of(it->name), value);
        f->flags = flags;
        f->only = it->aux ? bytes_of(it->aux) : (struct bytes){NULL, 0};
    }
}

/* --- recipients --------------------------------------------------------------------------- */

/* Whom it was resent to is not asked for. */
static bool names_recipients(const struct head *h)
{
    const unsigned kind = FIELD_RECIPIENT | FIELD_BCC | FIELD_RESENT;

    for (size_t i = 0; i < h->n; i++) {
        if ((h->v[i].flags & kind) == FIELD_RECIPIENT)
            return true;
    }
    return false;
}

static void add_recipients(struct collecting *c, const char *name)
{
    const struct envelope *e = c->envelope;

    for (size_t i = e->nrecipients; i-- > 0;) {
        const struct bytes to = e->recipients[i].address;
        const bool bare = e->flags & ENVELOPE_SUBMITTED;
        head_add(&c->head, bytes_of(name),
                 bytes_of(arena_printf(c->arena, bare ? " %.*s" : " <%.*s>", (int)to.len,
                                       to.p ? to.p : "")));
    }
}

/* Bcc is to go, or to stay without its text where nothing else names recipients (RFC 5322 3.6.3):
 * filters see it before. */
static void name_recipients(struct collecting *c)
{
    const char *action = program_option(rewrite_program(c->r), "NoRecipientAction");
    const bool named = names_recipients(&c->head);
    bool bcc = false;

    for (size_t i = 0; i < c->head.n; i++) {
        struct field *f = &c->head.v[i];
        if (!(f->flags & FIELD_BCC))
            continue;
        bcc = bcc || !(f->flags & FIELD_RESENT);
        f->flags |= named ? FIELD_TO_GO : 0U;
    }
    if (named || bcc || !action)
        return;
    if (strcasecmp(action, "add-to") == 0)
        add_recipients(c, "To");
    else if (strcasecmp(action, "add-apparently-to") == 0)
        add_recipients(c, "Apparently-To");
    else if (strcasecmp(action, "add-to-undisclosed") == 0)
        head_add(&c->head, bytes_of("To"), bytes_of(" undisclosed-recipients:;"));
    else if (strcasecmp(action, "add-bcc") == 0)
        head_add(&c->head, bytes_of("Bcc"), bytes_of(""));
}

static void finish_bcc(struct collecting *c)
{
    for (size_t i = 0; i < c->head.n;) {
        struct field *f = &c->head.v[i];
        if (f->flags & FIELD_TO_GO) {
            head_remove(&c->head, i);
            continue;
        }
        if (f->flags & FIELD_BCC)
            f->value = (struct bytes){"", 0};
        i++;
    }
}

/* --- the whole ---------------------------------------------------------------------------- */

static void set_message_id(struct collecting *c)
{
    size_t i = head_find(&c->head, "Message-Id", 0);

    if (i < c->head.n)
        set(c->r, "msg_id", trimmed(c->arena, c->head.v[i].value));
}

static void hops(struct collecting *c)
{
    const char *option = program_option(rewrite_program(c->r), "MaxHopCount");
    long most = option ? strtol(option, NULL, 10) : HOPS_USUAL;
    const struct envelope *e = c->envelope;
    const struct bytes to = e->nrecipients > 0 ? e->recipients[0].address : bytes_of("");

    if (most < 0 || e->hops < (uint64_t)most) /* the one that we are counts, too */
        return;
    c->out->verdict = COLLECT_TOO_MANY_HOPS;
    c->out->why = arena_printf(
        c->arena, "554 5.4.6 Too many hops %llu (%ld max): from <%.*s> via %s, to <%.*s>",
        (unsigned long long)e->hops + 1, most, (int)e->sender.len, e->sender.p ? e->sender.p : "",
        get(c->r, "client_name"), (int)to.len, to.p ? to.p : "");
}

/* 8-bit text that nothing describes (RFC 6152 3), where it is to be described. */
static void describe(struct collecting *c)
{
    const struct program *p = rewrite_program(c->r);
    const char *mode = program_option(p, "EightBitMode");
    const char *charset = program_option(p, "DefaultCharSet");
    struct envelope *e = c->envelope;

    if (!(e->flags & ENVELOPE_HAS_8BIT) || e->flags & ENVELOPE_8BIT || !mode ||
        tolower((unsigned char)*mode) != 'm' || head_find(&c->head, "MIME-Version", 0) < c->head.n)
        return;
    head_add(&c->head, bytes_of("MIME-Version"), bytes_of(" 1.0"));
    head_add(&c->head, bytes_of("Content-Type"),
             bytes_of(arena_printf(c->arena, " text/plain; charset=%s",
                                   charset && *charset ? charset : "unknown-8bit")));
    head_add(&c->head, bytes_of("Content-Transfer-Encoding"), bytes_of(" 8bit"));
    e->flags |= ENVELOPE_8BIT;
}

/* "@a,@b:user@host" is user@host (RFC 5321 C). */
static const char *without_route(const char *path)
{
    const char *colon = *path == '@' ? strchr(path, ':') : NULL;

    return colon ? colon + 1 : path;
}

/* $n, who reports are from. */
static const char *expanded_daemon(struct collecting *c)
{
    const char *name = rewrite_expand(c->r, "$n", 2, NULL);

    return arena_strdup(c->arena, *name ? name : "MAILER-DAEMON");
}

struct collected collect_open(struct rewrite *r, struct arena *a, struct envelope *e,
                              struct bytes text, const char *for_whom, struct head *head)
{
    struct collected out = {.verdict = COLLECT_TAKEN};
    struct collecting c = {.r = r, .arena = a, .envelope = e, .out = &out};
    time_t when;

    head_init(&c.head, a);
    rewrite_begin(r);
    e->priority = 0;
    if (!head_read(&c.head, text.p, text.len)) {
        out.verdict = COLLECT_REFUSED;
        out.reply = "552 5.6.0 Headers too large";
        return out;
    }
    if (c.head.first.p && date_of_first(a, c.head.first, &when)) {
        char written[DATE_BYTES];
        date_mail((uint64_t)when, written);
        set(r, "a", written);
    }
    for (size_t i = 0; i < c.head.n; i++)
        look_at(&c, &c.head.v[i]);
    if (!collect_check(r, a, &c.head, text.len, e, &out)) {
        rewrite_rest(r);
        return out;
    }
    if (out.full_name)
        set(r, "x", out.full_name);
    set(r, "i", HEAD_ID);
    set(r, "c", "0");
    set(r, "u", for_whom);
    set(r, "g", without_route(bytes_string(a, e->sender)));
    add_defaults(&c);
    name_recipients(&c);
    set_message_id(&c);
    hops(&c);
    *head = c.head;
    rewrite_set(r, "i", 1, e->id.p, e->id.len);
    rewrite_rest(r);
    return out;
}

void collect_close(struct rewrite *r, struct arena *a, struct envelope *e, struct head *head)
{
    struct collecting c = {.r = r, .arena = a, .envelope = e, .head = *head};

    finish_bcc(&c);
    describe(&c);
    *head = c.head;
    e->header = head_store(&c.head, a);
}

struct collected collect(struct rewrite *r, struct arena *a, struct envelope *e, struct bytes text,
                         const char *for_whom)
{
    struct head head;
    struct collected out = collect_open(r, a, e, text, for_whom, &head);

    if (out.verdict != COLLECT_REFUSED && out.verdict != COLLECT_DISCARDED)
        collect_close(r, a, e, &head);
    return out;
}

void collect_report(struct rewrite *r, struct arena *a, struct envelope *e)
{
    struct collected out = {.verdict = COLLECT_TAKEN};
    struct collecting c = {.r = r, .arena = a, .envelope = e, .out = &out};

    head_init(&c.head, a);
    if (!head_load(&c.head, e->header))
        return;
    rewrite_begin(r);
    collect_set_time(r, (time_t)e->made);
    set(r, "x", "Mail Delivery Subsystem");
    set(r, "g", expanded_daemon(&c));
    set(r, "s", "localhost");
    set(r, "_", "localhost");
    set(r, "u", NULL);
    rewrite_set(r, "i", 1, e->id.p, e->id.len);
    add_defaults(&c);
    e->header = head_store(&c.head, a);
    e->flags |= ENVELOPE_COLLECTED;
    rewrite_rest(r);
}
