#include "mta/implemented.h"

#include <string.h>
#include <strings.h>

#include "lib/model/options.h"

enum { ANY, SET, TRUE, FALSE };

const struct does implemented_rows[] = {
#define DOES(kind, name, how, matters, why) {DOES_##kind, name, DOES_##how, why, matters},
#include "mta/implemented.def"
};

const size_t implemented_count = sizeof implemented_rows / sizeof *implemented_rows;

const char *implemented_kind(enum does_kind kind)
{
    static const char *const names[] = {"option",    "Timeout",   "line",       "daemon key",
                                        "modifier",  "queue key", "mailer key", "mailer flag",
                                        "map class", "ruleset"};

    return kind < DOES_KINDS ? names[kind] : "";
}

const char *implemented_how(enum does_how how)
{
    return how == DOES_IMPLEMENTED ? "implemented" : how == DOES_HARMLESS ? "harmless" : "refused";
}

static const struct does *find(enum does_kind kind, const char *name, size_t len, bool fold)
{
    for (size_t i = 0; i < implemented_count; i++) {
        const struct does *r = &implemented_rows[i];
        if (r->kind == kind && strlen(r->name) == len &&
            (fold ? strncasecmp(r->name, name, len) : strncmp(r->name, name, len)) == 0)
            return r;
    }
    return NULL;
}

static bool does_matter(const struct does *r, const char *value)
{
    bool is_true = !value || !*value || strchr("tTyY", *value);

    if (r->how != DOES_REFUSED)
        return false;
    return r->matters == SET ? value && *value : r->matters == TRUE ? is_true : !is_true;
}

struct walk {
    implemented_fn *fn;
    void *ctx;
};

static void tell(const struct walk *w, const struct does *r, const struct item *it,
                 const char *value)
{
    if (r)
        w->fn(w->ctx, r, it, does_matter(r, value));
}

/* Keys are told apart by their first letter, and by its case where two differ in that alone. */
static const struct does *find_key(enum does_kind kind, const char *key)
{
    const struct does *other = NULL;

    for (size_t i = 0; i < implemented_count; i++) {
        const struct does *r = &implemented_rows[i];
        if (r->kind != kind || strncasecmp(r->name, key, 1) != 0)
            continue;
        if (r->name[0] == key[0])
            return r;
        other = r;
    }
    return other;
}

static void tell_letters(const struct walk *w, enum does_kind kind, const struct item *it,
                         const char *letters)
{
    for (const char *s = letters; *s; s++) {
        char one[2] = {*s, '\0'};
        tell(w, find(kind, one, 1, false), it, one);
    }
}

static void tell_equates(const struct walk *w, enum does_kind kind, enum does_kind letters,
                         char key, const struct item *it)
{
    for (const struct equate *e = it->equates; e; e = e->next) {
        tell(w, find_key(kind, e->key), it, e->value);
        if (letters != DOES_KINDS && (e->key[0] | 0x20) == key)
            tell_letters(w, letters, it, e->value);
    }
}

static void tell_option(const struct walk *w, const struct item *it)
{
    const struct option_info *o = option_find(it->name, strlen(it->name), NULL);
    const char *dot = strchr(it->name, '.');

    if (it->short_option)
        o = option_by_letter(it->name[0]);
    if (!o)
        return;
    tell(w, find(DOES_OPTION, o->name, strlen(o->name), true), it, it->value);
    if (dot && strcmp(o->name, "Timeout") == 0)
        tell(w, find(DOES_TIMEOUT, dot + 1, strlen(dot + 1), true), it, it->value);
    if (strcmp(o->name, "DaemonPortOptions") == 0)
        tell_equates(w, DOES_DAEMON_KEY, DOES_MODIFIER, 'm', it);
}

static void tell_item(const struct walk *w, const struct item *it)
{
    const char line[2] = {it->text ? it->text[0] : '\0', '\0'};

    tell(w, find(DOES_LINE, line, 1, false), it, it->value);
    switch (it->kind) {
    case ITEM_OPTION:
        tell_option(w, it);
        break;
    case ITEM_MAILER:
        tell_equates(w, DOES_MAILER_KEY, DOES_MAILER_FLAG, 'f', it);
        break;
    case ITEM_QUEUE:
        tell_equates(w, DOES_QUEUE_KEY, DOES_KINDS, '\0', it);
        break;
    case ITEM_MAP:
        tell(w, find(DOES_MAP_CLASS, it->aux, strlen(it->aux), true), it, it->aux);
        break;
    case ITEM_RULESET:
        tell(w, find(DOES_RULESET, it->name, strlen(it->name), false), it, it->name);
        break;
    default:
        break;
    }
}

void implemented_walk(const struct config *c, implemented_fn *fn, void *ctx)
{
    const struct walk w = {fn, ctx};

    for (const struct item *it = c->first; it; it = it->next)
        tell_item(&w, it);
}

/* --- what is refused ---------------------------------------------------------------------- */

struct refusing {
    const struct arguments *given;
    const struct item **last; /* of each row: the item that counts, where it matters */
};

static bool is_list(const struct does *r)
{
    return r->kind != DOES_OPTION;
}

static void note(void *ctx, const struct does *row, const struct item *it, bool matters)
{
    struct refusing *g = ctx;
    const struct item **at = &g->last[row - implemented_rows];

    if (matters)
        *at = it;
    else if (!is_list(row)) /* a later line of an option takes the place of those before */
        *at = NULL;
}

size_t implemented_check(const struct config *c, const struct arguments *given, struct diag *d)
{
    struct refusing g = {given, arena_calloc(c->arena, implemented_count, sizeof *g.last)};
    size_t n = 0;

    implemented_walk(c, note, &g);
    for (size_t i = 0; i < implemented_count; i++) {
        const struct does *r = &implemented_rows[i];
        if (!g.last[i] || arguments_without(given, r->name))
            continue;
        struct finding *f =
            diag_add(d, DIAG_ERROR, "not-implemented", g.last[i]->at, "mcfd does not do %s %s: %s",
                     implemented_kind(r->kind), r->name, r->why);
        diag_hint(d, f, "--without-%s lets it start without", r->name);
        n++;
    }
    return n;
}
