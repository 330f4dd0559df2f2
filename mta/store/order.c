#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>

#include "lib/model/json.h"

#include "mta/message/exits.h"
#include "mta/store/parts.h"

enum { LIST_MOST = PROTOCOL_MAX - (1 << 20) };

enum whom { WHOM_ALL, WHOM_ID, WHOM_RECIPIENT, WHOM_SENDER, WHOM_QUARANTINE, WHOM_GROUP, WHOMS };
enum verb { VERB_LIST, VERB_HOLD, VERB_RELEASE, VERB_REMOVE, VERB_RUN, VERB_QUARANTINE };
enum form { FORM_TEXT, FORM_VERBOSE, FORM_JSON };

struct criterion {
    enum whom whom;
    bool negated;
    struct bytes text;
};

struct order {
    enum verb verb;
    struct bytes argument;
    struct criterion *criteria; /* none: all */
    size_t n;
};

static const char *const verbs[] = {"list", "hold", "release", "remove", "run", "quarantine"};
static const char *const whoms[] = {"all", "id", "recipient", "sender", "quarantine", "group"};
static const char *const forms[] = {"text", "verbose", "json"};

/* Its number among n words, or n. */
static size_t word(struct bytes b, const char *const *words, size_t n)
{
    size_t i = 0;

    while (i < n && !(strlen(words[i]) == b.len && memcmp(words[i], b.p, b.len) == 0))
        i++;
    return i;
}

/* [not] KIND TEXT, from words.v[*i] on. */
static bool read_criterion(struct texts words, size_t *i, struct criterion *c)
{
    static const char *const no[] = {"not"};

    c->negated = word(words.v[*i], no, 1) == 0;
    *i += c->negated;
    if (*i + 1 >= words.n)
        return false;
    size_t whom = word(words.v[*i], whoms, WHOMS);
    if (whom == WHOMS || whom == WHOM_ALL)
        return false;
    c->whom = (enum whom)whom;
    c->text = words.v[*i + 1];
    *i += 2;
    return true;
}

static bool read_order(struct arena *a, struct texts words, struct order *o)
{
    static const char *const all[] = {"all"};
    size_t i = 1;

    *o = (struct order){0};
    if (words.n == 0)
        return false;
    size_t verb = word(words.v[0], verbs, sizeof verbs / sizeof *verbs);
    if (verb == sizeof verbs / sizeof *verbs)
        return false;
    o->verb = (enum verb)verb;
    if (o->verb == VERB_LIST || o->verb == VERB_QUARANTINE) {
        if (words.n < 2)
            return false;
        o->argument = words.v[i++];
    }
    if (i + 1 == words.n && word(words.v[i], all, 1) == 0)
        return true;
    o->criteria = arena_calloc(a, words.n, sizeof *o->criteria);
    while (i < words.n) {
        if (!read_criterion(words, &i, &o->criteria[o->n++]))
            return false;
    }
    return o->n > 0;
}

static bool has(struct bytes in, struct bytes text)
{
    for (size_t i = 0; i + text.len <= in.len; i++) {
        if (text.len == 0 || strncasecmp(in.p + i, text.p, text.len) == 0)
            return true;
    }
    return text.len == 0;
}

static bool has_recipient(const struct envelope *e, struct bytes text)
{
    for (size_t i = 0; i < e->nrecipients; i++) {
        if (has(e->recipients[i].address, text))
            return true;
    }
    return false;
}

static bool is_group(const struct envelope *e, struct bytes name)
{
    static const struct bytes usual = {"mqueue", 6};
    const struct bytes *group = e->group.len ? &e->group : &usual;

    return group->len == name.len && strncasecmp(group->p, name.p, name.len) == 0;
}

static bool meets(const struct criterion *c, const struct envelope *e)
{
    switch (c->whom) {
    case WHOM_ID:
        return has(e->id, c->text) != c->negated;
    case WHOM_SENDER:
        return has(e->sender, c->text) != c->negated;
    case WHOM_RECIPIENT:
        return has_recipient(e, c->text) != c->negated;
    case WHOM_QUARANTINE:
        return (e->quarantine.len && has(e->quarantine, c->text)) != c->negated;
    case WHOM_GROUP:
        return is_group(e, c->text) != c->negated;
    case WHOM_ALL:
    case WHOMS:
        break;
    }
    return true;
}

/* Of each kind one criterion has to be met. */
static bool is_meant(const struct order *o, const struct envelope *e)
{
    bool named[WHOMS] = {false}, met[WHOMS] = {false};

    for (size_t i = 0; i < o->n; i++) {
        named[o->criteria[i].whom] = true;
        met[o->criteria[i].whom] |= meets(&o->criteria[i], e);
    }
    return memcmp(named, met, sizeof named) == 0;
}

/* --- lists --------------------------------------------------------------------------------- */

static bool is_waiting(const struct recipient *r)
{
    return r->state <= RECIPIENT_HANDING;
}

static void add_plain(struct buf *b, struct bytes t)
{
    for (size_t i = 0; i < t.len; i++)
        buf_addc(b, (unsigned char)t.p[i] < ' ' || t.p[i] == 0x7f ? '?' : t.p[i]);
}

/* The first of those that wait and were told why. */
static const struct recipient *who_waits(const struct envelope *e)
{
    for (size_t i = 0; i < e->nrecipients; i++) {
        if (is_waiting(&e->recipients[i]) && e->recipients[i].answer.len)
            return &e->recipients[i];
    }
    return NULL;
}

static void add_why(struct buf *b, const struct envelope *e)
{
    const struct recipient *r = who_waits(e);

    if (e->quarantine.len) {
        buf_adds(b, "     QUARANTINE: ");
        add_plain(b, e->quarantine);
        buf_addc(b, '\n');
    }
    if (e->flags & ENVELOPE_HELD)
        buf_adds(b, "                 (held)\n");
    if (!r)
        return;
    buf_adds(b, "                 (");
    if (r->flags & RECIPIENT_IS_FINAL ? !exit_by_text(r->answer)
                                      : isdigit((unsigned char)*r->answer.p))
        buf_adds(b, "Deferred: ");
    add_plain(b, r->answer);
    buf_adds(b, ")\n");
}

static void add_text(struct buf *b, const struct stored *m, const struct entry *e, bool verbose)
{
    const struct envelope *env = &m->envelope;
    time_t made = (time_t)env->made;
    struct tm tm;
    char when[32];

    localtime_r(&made, &tm);
    buf_printf(b, "%s%c%8llu ", e->id, e->work ? '*' : ' ', (unsigned long long)m->body_size);
    if (verbose)
        buf_printf(b, "%10lld ", (long long)e->when.priority);
    strftime(when, sizeof when, verbose ? "%b %e %H:%M" : "%a %b %e %H:%M", &tm);
    buf_printf(b, "%s ", when);
    if (env->sender.len) {
        const bool bare = env->flags & ENVELOPE_SUBMITTED;
        buf_adds(b, bare ? "" : "<");
        add_plain(b, env->sender);
        buf_adds(b, bare ? "" : ">");
    } else {
        buf_adds(b, "MAILER-DAEMON");
    }
    buf_addc(b, '\n');
    add_why(b, env);
    for (size_t i = 0; i < env->nrecipients; i++) {
        const struct recipient *r = &env->recipients[i];
        if (!is_waiting(r))
            continue;
        buf_adds(b, verbose ? "\t\t\t\t\t\t" : "\t\t\t\t\t ");
        buf_adds(b, r->shown.len ? "" : "<");
        add_plain(b, r->shown.len ? r->shown : r->address);
        buf_adds(b, r->shown.len ? "\n" : ">\n");
    }
}

static void add_json(struct buf *b, const char *name, struct bytes t)
{
    buf_printf(b, "\"%s\":", name);
    json_string(b, t.p, t.len);
}

static void add_json_recipient(struct buf *b, const struct recipient *r)
{
    static const char *const states[] = {"waits",    "handing", "delivered", "relayed",
                                         "expanded", "failed",  "reported",  "passed"};

    buf_addc(b, '{');
    add_json(b, "address", r->address);
    buf_addc(b, ',');
    add_json(b, "state", bytes_of(states[r->state % (RECIPIENT_PASSED + 1)]));
    buf_addc(b, ',');
    add_json(b, "status", r->status);
    buf_addc(b, ',');
    add_json(b, "answer", r->answer);
    buf_addc(b, ',');
    add_json(b, "host", r->host);
    buf_addc(b, '}');
}

static void add_object(struct buf *b, const struct stored *m, const struct entry *e)
{
    const struct envelope *env = &m->envelope;

    buf_adds(b, "{");
    add_json(b, "id", env->id);
    buf_addc(b, ',');
    add_json(b, "sender", env->sender);
    buf_printf(b, ",\"size\":%llu,\"made\":%llu,\"tries\":%llu,\"tried\":%llu,\"priority\":%lld,",
               (unsigned long long)m->body_size, (unsigned long long)env->made,
               (unsigned long long)env->tries, (unsigned long long)env->tried,
               (long long)e->when.priority);
    if (e->when.due != SCHEDULE_NEVER)
        buf_printf(b, "\"due\":%llu,", (unsigned long long)e->when.due);
    buf_printf(b, "\"held\":%s,\"running\":%s,", env->flags & ENVELOPE_HELD ? "true" : "false",
               e->work ? "true" : "false");
    add_json(b, "quarantine", env->quarantine);
    buf_addc(b, ',');
    add_json(b, "group", env->group);
    buf_adds(b, ",\"recipients\":[");
    for (size_t i = 0; i < env->nrecipients; i++) {
        buf_adds(b, i ? "," : "");
        add_json_recipient(b, &env->recipients[i]);
    }
    buf_adds(b, "]}");
}

static void frame_text(struct store *s, struct buf *b, const struct buf *rows, size_t n,
                       bool verbose)
{
    const char *dir = s->setup->directory;

    if (n == 0)
        buf_printf(b, "%s is empty\n", dir);
    else
        buf_printf(b, "\t\t%s (%zu request%s)\n%s\n", dir, n, n == 1 ? "" : "s",
                   verbose ? "-----Q-ID----- --Size-- -Priority- ---Q-Time--- "
                             "--------Sender/Recipient--------"
                           : "-----Q-ID----- --Size-- -----Q-Time----- "
                             "------------Sender/Recipient-----------");
    buf_add(b, rows->data, rows->len);
    buf_printf(b, "\t\tTotal requests: %zu\n", n);
}

static int by_id(const void *x, const void *y)
{
    const struct entry *const *a = x, *const *b = y;

    return strcmp((*a)->id, (*b)->id);
}

static struct entry **sorted_entries(struct store *s)
{
    struct entry **v = arena_calloc(s->scratch, s->nentries + 1, sizeof(struct entry *));

    if (s->nentries) {
        memcpy(v, s->entries, s->nentries * sizeof(struct entry *));
        qsort(v, s->nentries, sizeof(struct entry *), by_id);
    }
    return v;
}

/* Those that are in the queue now, as they are kept there. */
static struct bytes list(struct store *s, const struct order *o, enum form form)
{
    struct entry **v = sorted_entries(s);
    struct arena *a = arena_beside(s->arena);
    struct buf rows, b;
    struct stored m;
    size_t n = 0;

    buf_init(&rows, s->scratch);
    buf_init(&b, s->scratch);
    for (size_t i = 0; i < s->nentries && rows.len < LIST_MOST; i++, arena_reset(a)) {
        if (!queue_get(s->queue, a, v[i]->when.id, &m) || !is_meant(o, &m.envelope))
            continue;
        if (form == FORM_JSON) {
            buf_adds(&rows, n ? ",\n" : "\n");
            add_object(&rows, &m, v[i]);
        } else {
            add_text(&rows, &m, v[i], form == FORM_VERBOSE);
        }
        n++;
    }
    arena_free(a);
    if (form == FORM_JSON)
        buf_printf(&b, "[%s\n]\n", rows.data);
    else
        frame_text(s, &b, &rows, n, form == FORM_VERBOSE);
    return (struct bytes){b.data, b.len};
}

/* --- changes ------------------------------------------------------------------------------- */

/* What the order makes of an envelope. */
static void change(const struct order *o, struct envelope *e)
{
    if (o->verb == VERB_HOLD)
        e->flags |= ENVELOPE_HELD;
    if (o->verb == VERB_RELEASE)
        e->flags &= ~(uint64_t)ENVELOPE_HELD;
    if (o->verb == VERB_QUARANTINE)
        e->quarantine = o->argument;
}

/* On its way: it holds when that is through. */
static void change_work(const struct order *o, struct work *w)
{
    if (o->verb == VERB_REMOVE)
        w->removed = true;
    if (o->verb == VERB_QUARANTINE)
        w->m.envelope.quarantine = (struct bytes){
            arena_strndup(w->arena, o->argument.p, o->argument.len), o->argument.len};
    else
        change(o, &w->m.envelope);
    w->changed = true;
}

static void run_now(struct store *s, struct entry *e)
{
    if (e->work || e->ready || e->when.due == SCHEDULE_NEVER)
        return;
    e->when.due = s->now;
    heap_put(&s->heap, &e->when);
}

/* A message that waits only because there are no runs is run by order too. */
static void run_held_back(struct store *s, struct entry *e, const struct envelope *env)
{
    if (!(env->flags & ENVELOPE_HELD) && !env->quarantine.len && e->when.due == SCHEDULE_NEVER)
        e->when.due = s->now;
    run_now(s, e);
}

static void apply(struct store *s, const struct order *o, struct entry *e, struct envelope *env)
{
    if (o->verb == VERB_RUN) {
        run_held_back(s, e, env);
    } else if (e->work) {
        change_work(o, e->work);
    } else if (o->verb == VERB_REMOVE) {
        queue_remove(s->queue, env->id);
    } else {
        change(o, env);
        queue_change(s->queue, env->id, env);
    }
}

static struct bytes apply_all(struct store *s, const struct order *o, struct ordered *to)
{
    struct arena *a = arena_beside(s->arena);
    struct stored m;

    to->changed = arena_calloc(s->scratch, s->nentries + 1, sizeof(struct entry *));
    for (size_t i = 0; i < s->nentries; i++, arena_reset(a)) {
        struct entry *e = s->entries[i];
        if (!queue_get(s->queue, a, e->when.id, &m) || !is_meant(o, &m.envelope))
            continue;
        apply(s, o, e, &m.envelope);
        to->changed[to->n++] = e;
    }
    arena_free(a);
    return bytes_of(arena_printf(s->scratch, "%zu message%s\n", to->n, to->n == 1 ? "" : "s"));
}

static void say(struct channel *to, uint64_t order, int status, struct bytes text)
{
    struct message m = {.kind = MESSAGE_REPORT};

    m.as.REPORT = (struct message_REPORT){order, (uint64_t)status, text};
    channel_send(to, &m, -1);
}

void order_take(struct store *s, struct channel *via, const struct message_ORDER *m)
{
    struct order o;
    size_t form = 0;
    bool right = read_order(s->scratch, m->words, &o);

    if (right && o.verb == VERB_LIST)
        right = (form = word(o.argument, forms, sizeof forms / sizeof *forms)) <
                sizeof forms / sizeof *forms;
    if (!right) {
        say(via, m->order, EX_USAGE, bytes_of("no such order\n"));
    } else if (o.verb == VERB_LIST) {
        say(via, m->order, 0, list(s, &o, (enum form)form));
    } else {
        s->orders =
            arena_grow(s->scratch, s->orders, s->norders, &s->orders_room, sizeof *s->orders, 4);
        struct ordered *to = &s->orders[s->norders++];
        *to = (struct ordered){.via = via, .order = m->order};
        to->text = apply_all(s, &o, to);
        if (o.verb == VERB_RUN)
            to->n = 0; /* nothing of it is kept */
    }
}

void order_run_node(struct store *s, struct bytes name)
{
    struct criterion c = {.whom = WHOM_RECIPIENT};
    struct order o = {.verb = VERB_RUN, .criteria = &c, .n = 1};
    struct ordered nobody = {.n = 0};
    char first = name.len ? *name.p : ' ';

    if (first == '#')
        c.whom = WHOM_GROUP;
    if (first == '#' || first == '@')
        c.text = (struct bytes){name.p + 1, name.len - 1};
    else
        c.text = bytes_of(arena_printf(s->scratch, "@%.*s", (int)name.len, name.len ? name.p : ""));
    apply_all(s, &o, &nobody);
}

/* What is in memory follows what is kept.  An entry that is free by now, or another message's, is
 * not harmed. */
static void follow(struct store *s, struct arena *a, struct entry *e)
{
    struct stored m;

    if (e->place < s->nentries && s->entries[e->place] == e && !e->work) {
        if (!queue_get(s->queue, a, e->when.id, &m))
            store_leave(s, e);
        else if (schedule_due(&s->setup->schedule, &m.envelope) == SCHEDULE_NEVER ||
                 e->when.due == SCHEDULE_NEVER)
            store_place(s, e, &m.envelope);
    }
    arena_reset(a);
}

void order_committed(struct store *s, int status)
{
    struct arena *a = arena_beside(s->arena);

    for (size_t i = 0; i < s->norders; i++) {
        struct ordered *o = &s->orders[i];
        for (size_t j = 0; j < o->n; j++)
            follow(s, a, o->changed[j]);
        say(o->via, o->order, status, status ? bytes_of(queue_error(s->queue)) : o->text);
    }
    s->norders = 0;
    arena_free(a);
}
