/* A set of template files becomes a library: parse, sort, resolve, number; rule_check.c checks. */
#include <stdlib.h>
#include <string.h>

#include "grammar/rule.tab.h"
#include "grammar/rule_tree.h"
#include "lib/base/arena.h"
#include "lib/base/source.h"

/* The scanner's interface, as Flex makes it. */
typedef void *yyscan_t;
struct yy_buffer_state;
int rule_yylex_init_extra(struct rule_parse *p, yyscan_t *scanner);
int rule_yylex_destroy(yyscan_t scanner);
struct yy_buffer_state *rule_yy_scan_bytes(const char *bytes, int len, yyscan_t scanner);

struct rule_set {
    struct arena *arena;
    struct diag *diag;
    struct rule_unit *first, **end;
    unsigned count;
    unsigned blocks;
};

struct rule_set *rule_set_new(struct arena *a, struct diag *d)
{
    struct rule_set *s = arena_alloc(a, sizeof *s);
    s->arena = a;
    s->diag = d;
    s->end = &s->first;
    return s;
}

/* What a path below rulesets/ says about its file. */
static void classify(struct rule_set *s, struct rule_unit *u, const char *rel)
{
    static const char suffix[] = ".rules";
    size_t len = strlen(rel);
    u->file.path = arena_printf(s->arena, "rulesets/%s", rel);
    if (len > strlen(suffix) && strcmp(rel + len - strlen(suffix), suffix) == 0)
        len -= strlen(suffix);
    u->file.kind = RULE_FILE_BASE;
    if (strncmp(rel, "feature/", 8) == 0 || strncmp(rel, "mailer/", 7) == 0) {
        size_t skip = *rel == 'f' ? 8 : 7;
        u->file.kind = *rel == 'f' ? RULE_FILE_FEATURE : RULE_FILE_MAILER;
        rel += skip;
        len -= skip;
    }
    u->file.name = arena_strndup(s->arena, rel, len);
}

void rule_set_add(struct rule_set *s, const struct source *src, const char *rel)
{
    struct rule_unit *u = arena_alloc(s->arena, sizeof *u);
    u->src = src;
    u->flags_end = &u->flags;
    u->args_end = &u->args;
    u->pending_end = &u->pending;
    classify(s, u, rel);
    *s->end = u;
    s->end = &u->next;
    s->count++;

    struct rule_parse p = {.arena = s->arena, .diag = s->diag, .unit = u, .line = 1, .col = 1};
    const char *nul = src->len ? memchr(src->bytes, '\0', src->len) : NULL;
    if (nul) {
        diag_add(s->diag, DIAG_ERROR, "template", source_origin(src, (size_t)(nul - src->bytes), 1),
                 "a NUL byte");
        return;
    }
    size_t len = src->len;
    const char *text = src->bytes;
    if (len && text[len - 1] != '\n') /* the scanner relies on whole lines */
        text = arena_printf(s->arena, "%.*s\n", (int)len++, text);
    yyscan_t scanner;
    if (rule_yylex_init_extra(&p, &scanner) != 0) {
        rule_error(&p, (struct rule_loc){0}, "no memory for the scanner");
        return;
    }
    rule_yy_scan_bytes(text, (int)len, scanner);
    rule_yyparse(scanner, &p);
    rule_yylex_destroy(scanner);
}

static int by_path(const void *pa, const void *pb)
{
    const struct rule_unit *a = *(const struct rule_unit *const *)pa;
    const struct rule_unit *b = *(const struct rule_unit *const *)pb;
    return strcmp(a->file.path, b->file.path);
}

static int by_number(const void *pa, const void *pb)
{
    const struct rule_arg *a = pa;
    const struct rule_arg *b = pb;
    return a->number < b->number ? -1 : a->number > b->number;
}

static const char **words(struct rule_set *s, const struct rule_words *list)
{
    size_t n = 0;
    for (const struct rule_word *w = list->first; w; w = w->next)
        n++;
    const char **texts = arena_calloc(s->arena, n + 1, sizeof *texts);
    n = 0;
    for (const struct rule_word *w = list->first; w; w = w->next)
        texts[n++] = w->text;
    return texts;
}

static void finish_header(struct rule_set *s, struct rule_unit *u)
{
    struct rule_file *f = &u->file;
    for (const struct rule_flag_line *l = u->flags; l; l = l->next)
        f->nflags++;
    struct rule_flag *flags = arena_calloc(s->arena, f->nflags, sizeof *flags);
    size_t n = 0;
    for (const struct rule_flag_line *l = u->flags; l; l = l->next)
        flags[n++] = l->flag;
    f->flags = flags;
    for (const struct rule_arg_line *l = u->args; l; l = l->next)
        f->nargs++;
    struct rule_arg *args = arena_calloc(s->arena, f->nargs, sizeof *args);
    n = 0;
    for (const struct rule_arg_line *l = u->args; l; l = l->next)
        args[n++] = l->arg;
    if (n)
        qsort(args, n, sizeof *args, by_number);
    f->args = args;
    f->needs = words(s, &u->needs);
    f->before = words(s, &u->before);
    f->reads = words(s, &u->reads);
    if (f->kind == RULE_FILE_MAILER)
        f->flag = arena_printf(s->arena, "_MAILER_%s_", f->name);
    else if (f->kind == RULE_FILE_FEATURE)
        f->flag = f->nflags ? f->flags[0].name : arena_printf(s->arena, "_mcf_on_%s", f->name);
    f->body = u->body.first;
}

static struct rule_unit *find(struct rule_unit *const *units, unsigned n, enum rule_file_kind kind,
                              const char *name, size_t len)
{
    for (unsigned i = 0; i < n; i++) {
        const struct rule_file *f = &units[i]->file;
        if (f->kind == kind && strncmp(f->name, name, len) == 0 && f->name[len] == '\0')
            return units[i];
    }
    return NULL;
}

struct resolve {
    struct rule_set *set;
    struct rule_unit **units;
    unsigned n;
};

/* The name of a file of that kind which name may be meant to be; NULL for none. */
static const char *nearest(struct resolve *r, enum rule_file_kind kind, const char *name)
{
    const char **names = arena_calloc(r->set->arena, r->n, sizeof *names);
    size_t n = 0;
    for (unsigned i = 0; i < r->n; i++) {
        if (r->units[i]->file.kind == kind)
            names[n++] = r->units[i]->file.name;
    }
    return diag_nearest(name, names, n, NULL);
}

static void unknown(struct resolve *r, const struct rule_unit *u, struct rule_loc loc,
                    enum rule_file_kind kind, const char *what, const char *name)
{
    struct finding *f =
        diag_add(r->set->diag, DIAG_ERROR, "template", rule_origin(u, loc), "%s %s", what, name);
    const char *near = nearest(r, kind, name);
    if (near)
        diag_hint(r->set->diag, f, "did you mean %s?", near);
}

/* Tries name as an argument, the count or the repetition of owner's call; an argument may be called
 * args. */
static bool resolve_call_name(struct rule_name *n, const char *name, const struct rule_unit *owner)
{
    n->owner = owner->index;
    for (size_t i = 0; i < owner->file.nargs; i++) {
        if (strcmp(owner->file.args[i].name, name) == 0) {
            n->ref = RULE_REF_ARG;
            n->arg = owner->file.args[i].number;
            return true;
        }
    }
    if (strcmp(name, "args") == 0) {
        n->ref = RULE_REF_COUNT;
        return true;
    }
    if (strcmp(name, "again") == 0 && owner->file.kind == RULE_FILE_FEATURE) {
        n->ref = RULE_REF_AGAIN;
        return true;
    }
    return false;
}

static void resolve_dotted(struct resolve *r, const struct rule_unit *u,
                           const struct rule_pending *w, struct rule_name *n, const char *dot)
{
    size_t head = (size_t)(dot - n->text);
    if (head == strlen("mailer") && strncmp(n->text, "mailer", head) == 0) {
        /* A site may bring a mailer of its own, so only what looks misspelt is refused. */
        if (!find(r->units, r->n, RULE_FILE_MAILER, dot + 1, strlen(dot + 1)) &&
            nearest(r, RULE_FILE_MAILER, dot + 1))
            unknown(r, u, w->loc, RULE_FILE_MAILER, "there is no mailer", dot + 1);
        n->ref = RULE_REF_FLAG;
        n->macro = arena_printf(r->set->arena, "_MAILER_%s_", dot + 1);
        return;
    }
    const struct rule_unit *f = find(r->units, r->n, RULE_FILE_FEATURE, n->text, head);
    if (!f) {
        unknown(r, u, w->loc, RULE_FILE_FEATURE, "there is no feature",
                arena_strndup(r->set->arena, n->text, head));
        return;
    }
    bool inside = f == u;
    for (const struct rule_loop *l = w->loop; l; l = l->outer)
        inside = inside || strcmp(l->feature, f->file.name) == 0;
    if (strcmp(dot + 1, "again") == 0 && !inside)
        diag_add(r->set->diag, DIAG_ERROR, "template", rule_origin(u, w->loc),
                 "again says something about one call: use it in %%for or in the feature's file");
    if (!resolve_call_name(n, dot + 1, f))
        diag_add(r->set->diag, DIAG_ERROR, "template", rule_origin(u, w->loc),
                 "feature %s has no argument %s", f->file.name, dot + 1);
}

static void resolve_name(struct resolve *r, const struct rule_unit *u, const struct rule_pending *w)
{
    struct rule_name *n = w->name;
    const char *dot = strchr(n->text, '.');
    if (rule_is_macro(n->text)) {
        n->ref = RULE_REF_MACRO;
        n->macro = n->text;
        if (dot || strchr(n->text, '-'))
            diag_add(r->set->diag, DIAG_ERROR, "template", rule_origin(u, w->loc),
                     "%s is no name of an m4 macro", n->text);
        return;
    }
    if (dot) {
        resolve_dotted(r, u, w, n, dot);
        return;
    }
    if (u->file.kind != RULE_FILE_BASE && resolve_call_name(n, n->text, u))
        return;
    for (const struct rule_loop *l = w->loop; l; l = l->outer) {
        const struct rule_unit *f =
            find(r->units, r->n, RULE_FILE_FEATURE, l->feature, strlen(l->feature));
        if (f && resolve_call_name(n, n->text, f))
            return;
    }
    if (strcmp(n->text, "ostype") == 0) {
        n->ref = RULE_REF_MACRO;
        n->macro = "__OSTYPE__";
        return;
    }
    const struct rule_unit *f = find(r->units, r->n, RULE_FILE_FEATURE, n->text, strlen(n->text));
    if (f) {
        n->ref = RULE_REF_FLAG;
        n->macro = f->file.flag;
        return;
    }
    unknown(r, u, w->loc, RULE_FILE_FEATURE, "nothing has the name", n->text);
}

static void resolve_node(struct resolve *r, const struct rule_unit *u, const struct rule_pending *w)
{
    struct rule_node *n = w->node;
    const struct rule_unit *target = NULL;
    if (n->kind == RULE_FOR) {
        target = find(r->units, r->n, RULE_FILE_FEATURE, n->name, strlen(n->name));
        if (!target)
            unknown(r, u, w->loc, RULE_FILE_FEATURE, "there is no feature", n->name);
    } else if (n->kind == RULE_INCLUDE) {
        size_t len = strlen(n->name);
        if (len > 6 && strcmp(n->name + len - 6, ".rules") == 0)
            len -= 6;
        target = find(r->units, r->n, RULE_FILE_BASE, n->name, len);
        if (!target)
            unknown(r, u, w->loc, RULE_FILE_BASE, "there is no base file", n->name);
    }
    if (target)
        n->target = target->index;
}

static void number_nodes(struct rule_set *s, const struct rule_node *list);

/* Blocks get their numbers in the order of their first lines.  The set made the nodes: it may write
 * to them. */
static void number_node(struct rule_set *s, struct rule_node *n)
{
    if (n->kind == RULE_BRANCH || n->kind == RULE_FOR || n->kind == RULE_AT ||
        n->kind == RULE_CONFIG)
        n->block = ++s->blocks;
    number_nodes(s, n->body);
}

static void number_nodes(struct rule_set *s, const struct rule_node *list)
{
    for (; list; list = list->next)
        number_node(s, (struct rule_node *)list);
}

const struct rule_library *rule_set_finish(struct rule_set *s)
{
    struct resolve r = {s, arena_calloc(s->arena, s->count, sizeof(struct rule_unit *)), 0};
    for (struct rule_unit *u = s->first; u; u = u->next)
        r.units[r.n++] = u;
    if (r.n)
        qsort(r.units, r.n, sizeof(struct rule_unit *), by_path);

    struct rule_library *lib = arena_alloc(s->arena, sizeof *lib);
    const struct rule_file **files = arena_calloc(s->arena, r.n, sizeof *files);
    const struct rule_file **features = arena_calloc(s->arena, r.n, sizeof *features);
    const struct rule_file **mailers = arena_calloc(s->arena, r.n, sizeof *mailers);
    lib->files = files;
    lib->features = features;
    lib->mailers = mailers;
    for (unsigned i = 0; i < r.n; i++) {
        struct rule_unit *u = r.units[i];
        u->index = i;
        finish_header(s, u);
        files[lib->nfiles++] = &u->file;
        if (u->file.kind == RULE_FILE_FEATURE)
            features[lib->nfeatures++] = &u->file;
        else if (u->file.kind == RULE_FILE_MAILER)
            mailers[lib->nmailers++] = &u->file;
        else if (strcmp(u->file.name, "main") == 0)
            lib->main = &u->file;
    }
    for (unsigned i = 0; i < r.n; i++) {
        struct rule_unit *u = r.units[i];
        u->file.first_block = s->blocks + 1;
        number_nodes(s, u->file.body);
        for (const struct rule_pending *w = u->pending; w; w = w->next) {
            if (w->name)
                resolve_name(&r, u, w);
            else
                resolve_node(&r, u, w);
        }
    }
    lib->blocks = s->blocks;
    /* A tree with holes is not worth a second look. */
    if (diag_count(s->diag, DIAG_ERROR) == 0)
        rule_check(s->arena, s->diag, r.units, r.n);
    return diag_count(s->diag, DIAG_ERROR) ? NULL : lib;
}
