#include "mta/policy/collect_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "mta/policy/ruling.h"

enum { VALUE_BYTES_MAX = 1000 }; /* of ${currHeader} */

struct checking {
    struct rewrite *r;
    struct arena *arena;
    struct envelope *envelope;
    struct collected *out;
};

static void set(struct rewrite *r, const char *name, const char *value)
{
    rewrite_set(r, name, strlen(name), value, strlen(value));
}

/* --- what a ruleset says ------------------------------------------------------------------ */

static void take_answer(struct checking *k, const struct tokens *ws)
{
    struct collected *out = k->out;
    struct ruling r = ruling_read(k->r, k->arena, ws, NULL);

    if (r.kind == RULING_DISCARD && out->verdict == COLLECT_TAKEN)
        out->verdict = COLLECT_DISCARDED;
    if (r.kind == RULING_QUARANTINE && k->envelope->quarantine.len == 0)
        k->envelope->quarantine = bytes_of(r.text);
    if (r.kind != RULING_REFUSED)
        return;
    out->verdict = COLLECT_REFUSED;
    out->reply = r.reply;
}

/* comments: they are looked at, too. */
static void ask(struct checking *k, const struct ruleset *s, const char *text, bool comments)
{
    const struct program *p = rewrite_program(k->r);

    rewrite_begin(k->r);
    struct tokens *ws = rewrite_workspace(k->r);
    struct scan sc = {.table = comments ? &p->addresses : &p->comments,
                      .words = &p->words,
                      .arena = rewrite_arena(k->r),
                      .delimiter = -1};
    if (!scan_text(&sc, text, strlen(text), ws, NULL))
        return;
    rewrite_run(k->r, s, ws);
    take_answer(k, ws);
}

/* --- fields ------------------------------------------------------------------------------- */

/* The ruleset that the H line names; NULL: it names none. */
static const struct ruleset *named(const struct program *p, const struct item *it, bool *comments)
{
    const char *s = it->value;

    if (strncmp(s, "$>", 2) != 0)
        return NULL;
    s += 2 + strspn(s + 2, " \t");
    *comments = *s == '+';
    s += *comments;
    s += strspn(s, " \t");
    return program_ruleset(p, s, strlen(s));
}

/* The last H line of the name, or "*". */
static const struct ruleset *ruleset_for(const struct program *p, const struct field *f,
                                         bool *comments)
{
    const struct ruleset *own = NULL, *any = NULL;
    bool with = false, any_with = false;

    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind != ITEM_HEADER)
            continue;
        const struct ruleset *s = named(p, it, &with);
        if (s && strcmp(it->name, "*") == 0) {
            any = s;
            any_with = with;
        } else if (s && field_is(f, it->name)) {
            own = s;
            *comments = with;
        }
    }
    if (!own)
        *comments = any_with;
    return own ? own : any;
}

/* As one token: in quotes, on one line; backslashes stay as they are, with what they are before. */
static char *quoted(struct arena *a, struct bytes v)
{
    struct buf out;

    buf_init(&out, a);
    buf_addc(&out, '"');
    for (size_t i = 0; i < v.len && out.len < VALUE_BYTES_MAX; i++) {
        if (v.p[i] == '"' || (v.p[i] == '\\' && i + 1 == v.len))
            buf_addc(&out, '\\');
        buf_addc(&out, isspace((unsigned char)v.p[i]) ? ' ' : v.p[i]);
        if (v.p[i] == '\\' && i + 1 < v.len)
            buf_addc(&out, v.p[++i]);
    }
    buf_addc(&out, '"');
    return out.data;
}

static char *one_line(struct arena *a, struct bytes v)
{
    char *s = bytes_string(a, v);

    for (char *c = s; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    return s;
}

static void check_field(struct checking *k, const struct field *f)
{
    bool comments = false;
    const struct ruleset *s = ruleset_for(rewrite_program(k->r), f, &comments);

    if (!s)
        return;
    set(k->r, "hdr_name", bytes_string(k->arena, f->name));
    set(k->r, "hdrlen", arena_printf(k->arena, "%zu", f->value.len));
    set(k->r, "currHeader", quoted(k->arena, f->value));
    ask(k, s, one_line(k->arena, f->value), comments);
}

static bool has_checks(const struct program *p)
{
    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind == ITEM_HEADER && strncmp(it->value, "$>", 2) == 0)
            return true;
    }
    return false;
}

/* "3 $| 120": fields, and bytes with the empty line; "$|" is an operator, not text. */
static void check_end(struct checking *k, const struct head *h, size_t bytes)
{
    static const char name[] = "check_eoh";
    const struct program *p = rewrite_program(k->r);
    const struct ruleset *s = program_ruleset(p, name, sizeof name - 1);

    if (!s)
        return;
    rewrite_begin(k->r);
    struct arena *a = rewrite_arena(k->r);
    struct tokens *ws = rewrite_workspace(k->r);
    const char *fields = arena_printf(a, "%zu", h->n), *size = arena_printf(a, "%zu", bytes + 1);
    struct scan sc = {.table = &p->comments, .words = &p->words, .arena = a, .delimiter = -1};
    if (!scan_text(&sc, fields, strlen(fields), ws, NULL) || ws->n == ws->cap)
        return;
    ws->v[ws->n++] = (struct token){"$|", 2, OP_BAR};
    if (!scan_text(&sc, size, strlen(size), ws, NULL))
        return;
    rewrite_run(k->r, s, ws);
    take_answer(k, ws);
}

bool collect_check(struct rewrite *r, struct arena *a, const struct head *h, size_t bytes,
                   struct envelope *e, struct collected *out)
{
    struct checking k = {r, a, e, out};
    bool checks = has_checks(rewrite_program(r));

    if (checks)
        set(r, "addr_type", "h");
    for (size_t i = 0; checks && i < h->n; i++)
        check_field(&k, &h->v[i]);
    if (checks)
        set(r, "addr_type", "e r");
    if (out->verdict != COLLECT_REFUSED)
        check_end(&k, h, bytes);
    return out->verdict == COLLECT_TAKEN;
}
