/* What must hold in a set of template files beyond its grammar. */
#include <string.h>

#include "grammar/rule_tree.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"

/* Where nodes stand decides which kinds may stand there. */
enum place {
    IN_BASE,   /* reached from main */
    IN_HEAD,   /* a feature's file, outside of blocks */
    IN_AT,     /* lines for a hook */
    IN_MAILER, /* a mailer's body: lines where the call stood */
    IN_CALL    /* %config: the same, in another section */
};

/* Files and hooks nest a few levels; more is a circle. */
enum { MAX_NESTING = 24 };

/* A substitution in a line's outline: text of unknown length. */
#define HOLE '\001'

struct check {
    struct arena *arena;
    struct diag *diag;
    struct rule_unit *const *units;
    unsigned n;
    const char **hooks; /* their names */
    size_t nhooks;
    unsigned depth;
    struct table *said; /* a block that several hooks reach is reported once */
};

/* NULL when the same has been said. */
static struct finding *bad(struct check *c, const struct rule_unit *u, struct rule_loc loc,
                           const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static struct finding *bad(struct check *c, const struct rule_unit *u, struct rule_loc loc,
                           const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(c->arena, fmt, ap);
    va_end(ap);
    const char *key = arena_printf(c->arena, "%u:%u:%u:%s", u->src->id, loc.line, loc.col, text);
    if (table_has(c->said, key))
        return NULL;
    table_set(c->said, key, c);
    return diag_add(c->diag, DIAG_ERROR, "template", rule_origin(u, loc), "%s", text);
}

static void bad_name(struct check *c, const struct rule_unit *u, struct rule_loc loc,
                     const char *what, const char *name, const char *const *names, size_t n)
{
    struct finding *f = bad(c, u, loc, "there is no %s %s", what, name);
    const char *near = diag_nearest(name, names, n, NULL);
    if (f && near)
        diag_hint(c->diag, f, "did you mean %s?", near);
}

static struct rule_loc line_of(const struct rule_node *n)
{
    return (struct rule_loc){n->line, 1, 0};
}

/* --- header lines --- */

static bool is_lower_name(const char *s)
{
    if (*s < 'a' || *s > 'z' || rule_is_macro(s))
        return false;
    return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* Text that goes into an m4 definition must keep m4's quotes in balance; *at is the odd one. */
static bool quotes_balance(const char *s, size_t *at)
{
    size_t depth = 0;
    for (size_t i = 0; s[i]; i++) {
        if (s[i] == '`' && depth++ == 0)
            *at = i;
        if (s[i] == '\'' && depth-- == 0) {
            *at = i;
            return false;
        }
    }
    return depth == 0;
}

static void check_names(struct check *c, const struct rule_unit *u, const struct rule_word *w,
                        enum rule_file_kind kind, const char *what)
{
    for (; w; w = w->next) {
        const char **names = arena_calloc(c->arena, c->n, sizeof *names);
        size_t n = 0;
        bool found = false;
        for (unsigned i = 0; i < c->n; i++) {
            if (c->units[i]->file.kind != kind)
                continue;
            names[n++] = c->units[i]->file.name;
            found = found || strcmp(c->units[i]->file.name, w->text) == 0;
        }
        /* A site may bring a mailer of its own, so only what looks misspelt is refused. */
        if (!found && (kind == RULE_FILE_FEATURE || diag_nearest(w->text, names, n, NULL)))
            bad_name(c, u, w->loc, what, w->text, names, n);
    }
}

static void check_args(struct check *c, const struct rule_unit *u)
{
    for (const struct rule_arg_line *l = u->args; l; l = l->next) {
        if (!is_lower_name(l->arg.name))
            bad(c, u, l->loc, "an argument's name is in lower case");
        for (const struct rule_arg_line *o = u->args; o != l; o = o->next) {
            if (o->arg.number == l->arg.number)
                bad(c, u, l->loc, "a second name for argument %u", l->arg.number);
            if (strcmp(o->arg.name, l->arg.name) == 0)
                bad(c, u, l->loc, "a second argument %s", l->arg.name);
        }
    }
    if (u->file.required > u->file.nargs)
        bad(c, u, u->required_loc, "%%required %u, and only %zu arguments have a name",
            u->file.required, u->file.nargs);
}

static void check_header(struct check *c, const struct rule_unit *u)
{
    const struct rule_file *f = &u->file;
    if (f->kind == RULE_FILE_BASE) {
        if (u->header_loc.line)
            bad(c, u, u->header_loc, "header lines are for files in feature/ and mailer/");
        return;
    }
    struct rule_loc top = {u->src->lines ? 1 : 0, 1, 0};
    const char *kind = f->kind == RULE_FILE_FEATURE ? "feature" : "mailer";
    if (!u->kind_loc.line)
        bad(c, u, top, "the file needs a line %%%s %s", kind, f->name);
    else if (u->kind_feature != (f->kind == RULE_FILE_FEATURE) ||
             strcmp(u->kind_name, f->name) != 0)
        bad(c, u, u->kind_loc, "this file is for %%%s %s", kind, f->name);
    if (!f->summary)
        bad(c, u, top, "the file needs a %%summary");
    for (const struct rule_flag_line *l = u->flags; l; l = l->next) {
        size_t at = 0;
        if (!rule_is_macro(l->flag.name) || strpbrk(l->flag.name, ".-"))
            bad(c, u, l->loc, "%s is no name of an m4 macro", l->flag.name);
        if (!quotes_balance(l->flag.value, &at))
            bad(c, u, l->loc, "the value's quotes do not balance");
    }
    for (const struct rule_word *w = u->reads.first; w; w = w->next) {
        if (!rule_is_macro(w->text) || strpbrk(w->text, ".-"))
            bad(c, u, w->loc, "%s is no name of an m4 macro", w->text);
    }
    check_args(c, u);
    check_names(c, u, u->needs.first, RULE_FILE_FEATURE, "feature");
    check_names(c, u, u->before.first, RULE_FILE_MAILER, "mailer");
    if (f->kind == RULE_FILE_MAILER && (u->needs.first || u->before.first || f->repeat))
        bad(c, u, top, "%%needs, %%before and %%repeat are for features");
}

/* --- lines --- */

/* The line with a HOLE for every substitution, and behind it the text that may stand in its place.
 */
static void outline(struct buf *b, const struct rule_piece *p)
{
    for (; p; p = p->next) {
        if (p->kind == RULE_PIECE_TEXT) {
            buf_adds(b, p->text);
        } else {
            buf_addc(b, HOLE);
            outline(b, p->body);
        }
    }
}

static bool starts_continuation(const struct rule_node *n)
{
    while (n && n->kind != RULE_TEXT)
        n = n->kind == RULE_IF || n->kind == RULE_BRANCH || n->kind == RULE_FOR ? n->body : NULL;
    return n && n->text && n->text->kind == RULE_PIECE_TEXT &&
           (n->text->text[0] == '\t' || n->text->text[0] == ' ');
}

static void check_rule_line(struct check *c, const struct rule_unit *u, const struct rule_node *n,
                            const char *line)
{
    const char *tab = strchr(line, '\t');
    if (!tab && starts_continuation(n->next))
        return;
    if (!tab)
        bad(c, u, line_of(n), "a rule needs a tab between its sides");
    else if (tab == line + 1)
        bad(c, u, line_of(n), "a rule needs a left side");
    else if (tab[strspn(tab, "\t ")] == '\0' && !starts_continuation(n->next))
        bad(c, u, line_of(n), "a rule needs a right side");
}

static const char name_bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
                                 "\001";

static void check_ruleset_line(struct check *c, const struct rule_unit *u,
                               const struct rule_node *n, const char *line)
{
    size_t name = strspn(line + 1, name_bytes);
    const char *rest = line + 1 + name;
    if (name && *rest == '=')
        rest += 1 + strspn(rest + 1, "0123456789\001");
    if (!name || *rest)
        bad(c, u, line_of(n), "a ruleset line is SNAME or SNAME=NUMBER");
}

static void check_line(struct check *c, const struct rule_unit *u, const struct rule_node *n)
{
    if (!n->text)
        return;
    struct buf b;
    buf_init(&b, c->arena);
    outline(&b, n->text);
    switch (b.data[0]) {
    case 'R':
        check_rule_line(c, u, n, b.data);
        break;
    case 'S':
        check_ruleset_line(c, u, n, b.data);
        break;
    case HOLE:
        break;
    default:
        if (!strchr("#\t CDEFHKLMOPQTVX%", b.data[0]))
            bad(c, u, line_of(n), "no .cf line starts with %c", b.data[0]);
    }
}

/* --- structure --- */

static void walk(struct check *c, struct rule_unit *u, const struct rule_node *list,
                 enum place place);

static void walk_hook(struct check *c, const char *name)
{
    for (unsigned i = 0; i < c->n; i++) {
        struct rule_unit *u = c->units[i];
        for (const struct rule_pending *w = u->pending; w; w = w->next) {
            if (w->node && w->node->kind == RULE_AT && strcmp(w->node->name, name) == 0)
                walk(c, u, w->node->body, IN_AT);
        }
    }
}

static void misplaced(struct check *c, const struct rule_unit *u, const struct rule_node *n,
                      enum place place)
{
    static const char *const names[] = {
        [RULE_TEXT] = "a line",      [RULE_IF] = "%if",           [RULE_BRANCH] = "%if",
        [RULE_FOR] = "%for",         [RULE_HOOK] = "%hook",       [RULE_AT] = "%at",
        [RULE_CONFIG] = "%config",   [RULE_M4] = "%m4",           [RULE_SECTION] = "%section",
        [RULE_OPTIONS] = "%options", [RULE_INCLUDE] = "%include",
    };
    static const char *const places[] = {
        [IN_BASE] = "a base file", [IN_HEAD] = "a feature's file outside of %at and %config",
        [IN_AT] = "%at",           [IN_MAILER] = "a mailer",
        [IN_CALL] = "%config",
    };
    bad(c, u, line_of(n), "%s has no place in %s", names[n->kind], places[place]);
}

static void walk_include(struct check *c, struct rule_unit *u, const struct rule_node *n,
                         enum place place)
{
    struct rule_unit *to = c->units[n->target];
    to->reached = true;
    if (c->depth >= MAX_NESTING) {
        bad(c, u, line_of(n), "%%include %s goes round in a circle", n->name);
        return;
    }
    c->depth++;
    walk(c, to, to->file.body, place);
    c->depth--;
}

static void walk_for(struct check *c, struct rule_unit *u, const struct rule_node *n,
                     enum place place)
{
    const struct rule_unit *f = c->units[n->target];
    if (!f->file.repeat)
        bad(c, u, line_of(n), "feature %s is not %%repeat: use %%if", n->name);
    if (f == u && f->file.repeat)
        bad(c, u, line_of(n), "%%at already comes once a call of %s", n->name);
    walk(c, u, n->body, place);
}

/* A feature has the local configuration section, a mailer any but that of its body. */
static void walk_config(struct check *c, struct rule_unit *u, const struct rule_node *n,
                        enum place place)
{
    bool mailer = place == IN_MAILER && u->file.kind == RULE_FILE_MAILER;
    if (place != IN_HEAD && !mailer)
        misplaced(c, u, n, place);
    else if (mailer ? n->number > 9 || n->number == RULE_MAILERS : n->number != RULE_LOCAL_CONFIG)
        bad(c, u, line_of(n), "%%config of a %s cannot be in section %u",
            mailer ? "mailer" : "feature", n->number);
    else
        walk(c, u, n->body, IN_CALL);
}

static void walk_one(struct check *c, struct rule_unit *u, const struct rule_node *n,
                     enum place place)
{
    switch (n->kind) {
    case RULE_TEXT:
        if (place == IN_HEAD && n->text)
            misplaced(c, u, n, place);
        return;
    case RULE_IF:
    case RULE_BRANCH:
        for (const struct rule_node *b = n->body; place == IN_HEAD && b; b = b->next) {
            for (const struct rule_node *m = b->body; m; m = m->next) {
                if (m->kind == RULE_M4)
                    bad(c, u, line_of(m), "%%m4 has no place in a guarded block");
            }
        }
        walk(c, u, n->body, place);
        return;
    case RULE_FOR:
        if (place == IN_HEAD || place == IN_MAILER || place == IN_CALL)
            misplaced(c, u, n, place);
        else
            walk_for(c, u, n, place);
        return;
    case RULE_HOOK:
        if (place == IN_HEAD || place == IN_MAILER || place == IN_CALL) {
            misplaced(c, u, n, place);
        } else if (c->depth >= MAX_NESTING) {
            bad(c, u, line_of(n), "%%hook %s goes round in a circle", n->name);
        } else {
            c->depth++;
            walk_hook(c, n->name);
            c->depth--;
        }
        return;
    case RULE_INCLUDE:
        if (place == IN_HEAD)
            misplaced(c, u, n, place);
        else
            walk_include(c, u, n, place);
        return;
    case RULE_AT:
        if (place != IN_HEAD)
            misplaced(c, u, n, place);
        else
            walk(c, u, n->body, IN_AT);
        return;
    case RULE_CONFIG:
        walk_config(c, u, n, place);
        return;
    case RULE_M4:
        if (place != IN_HEAD && u->file.kind != RULE_FILE_MAILER)
            misplaced(c, u, n, place);
        return;
    case RULE_SECTION:
    case RULE_OPTIONS:
        if (place != IN_BASE)
            misplaced(c, u, n, place);
        if (n->kind == RULE_OPTIONS && n->name && strcmp(n->name, "first") != 0)
            bad(c, u, line_of(n), "%%options %s: it is first, or nothing", n->name);
        return;
    }
}

static void walk(struct check *c, struct rule_unit *u, const struct rule_node *list,
                 enum place place)
{
    for (; list; list = list->next)
        walk_one(c, u, list, place);
}

/* Every node of a file once, wherever it is used. */
static void each_node(struct check *c, const struct rule_unit *u, const struct rule_node *list,
                      bool collect)
{
    for (; list; list = list->next) {
        if (collect && list->kind == RULE_HOOK)
            c->hooks[c->nhooks++] = list->name;
        if (!collect && list->kind == RULE_TEXT)
            check_line(c, u, list);
        size_t at = 0;
        if (!collect && list->kind == RULE_M4 && !quotes_balance(list->name, &at)) {
            uint32_t line = list->line + 1;
            for (size_t i = 0; i < at; i++)
                line += list->name[i] == '\n';
            bad(c, u, (struct rule_loc){line, 0, 0}, "the m4 text's quotes do not balance");
        }
        each_node(c, u, list->body, collect);
    }
}

static size_t count_nodes(const struct rule_node *list)
{
    size_t n = 0;
    for (; list; list = list->next)
        n += 1 + count_nodes(list->body);
    return n;
}

static void check_hook_names(struct check *c, const struct rule_unit *u)
{
    for (const struct rule_pending *w = u->pending; w; w = w->next) {
        if (!w->node || w->node->kind != RULE_AT)
            continue;
        bool found = false;
        for (size_t i = 0; i < c->nhooks && !found; i++)
            found = strcmp(c->hooks[i], w->node->name) == 0;
        if (!found)
            bad_name(c, u, w->loc, "%hook", w->node->name, c->hooks, c->nhooks);
    }
}

void rule_check(struct arena *a, struct diag *d, struct rule_unit *const *units, unsigned n)
{
    struct check c = {.arena = a, .diag = d, .units = units, .n = n, .said = table_new(a)};
    struct rule_unit *main_unit = NULL;
    size_t nodes = 0;
    for (unsigned i = 0; i < n; i++)
        nodes += count_nodes(units[i]->file.body);
    c.hooks = arena_calloc(a, nodes, sizeof *c.hooks);
    for (unsigned i = 0; i < n; i++) {
        if (units[i]->file.kind == RULE_FILE_BASE && strcmp(units[i]->file.name, "main") == 0)
            main_unit = units[i];
        if (i && strcmp(units[i - 1]->file.path, units[i]->file.path) == 0)
            bad(&c, units[i], (struct rule_loc){0}, "the file is named twice");
        each_node(&c, units[i], units[i]->file.body, true);
    }
    for (unsigned i = 0; i < n; i++) {
        check_header(&c, units[i]);
        check_hook_names(&c, units[i]);
        each_node(&c, units[i], units[i]->file.body, false);
    }
    for (unsigned i = 0; i < n; i++) {
        if (units[i]->file.kind == RULE_FILE_FEATURE)
            walk(&c, units[i], units[i]->file.body, IN_HEAD);
        else if (units[i]->file.kind == RULE_FILE_MAILER)
            walk(&c, units[i], units[i]->file.body, IN_MAILER);
    }
    if (!main_unit) {
        diag_add(d, DIAG_ERROR, "template", (struct origin){0}, "there is no main.rules");
        return;
    }
    main_unit->reached = true;
    walk(&c, main_unit, main_unit->file.body, IN_BASE);
    for (unsigned i = 0; i < n; i++) {
        if (units[i]->file.kind == RULE_FILE_BASE && !units[i]->reached)
            diag_add(d, DIAG_WARNING, "template", rule_origin(units[i], (struct rule_loc){0}),
                     "no other file includes this one");
    }
}
