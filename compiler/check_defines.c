/*
 * check_defines: variables that are misspelt, defined too late, or defined for nothing.
 *
 * What a FEATURE or MAILER call reads is known from the library (rule_file.takes); a file may read
 * its own variables anywhere, so that a name which stands anywhere else than as what is defined
 * counts as read.
 */
#include <ctype.h>
#include <string.h>

#include "compiler/check.h"
#include "lib/base/arena.h"
#include "lib/model/variables.h"

/* What became of a variable so far. */
struct variable {
    const char *name;
    const struct m4_record *define; /* its last definition by the .mc itself, unless read since */
    const char *text;               /* what that said */
    const struct m4_record *taken;  /* the first call that read it since that */
    const struct m4_record *late;   /* the definition behind that call */
    const char *value;              /* what the call read; NULL: undefined */
    bool hidden;                    /* pushed, popped, or undefined at some time */
};

struct names {
    struct front *front;
    struct table *variables;              /* name -> struct variable, in order of definition */
    struct table *known;                  /* what the library reads */
    struct table *mentioned;              /* what the files read; NULL until it is asked for */
    struct table *repeated;               /* features that may be called again, and were called */
    struct table *mailers;                /* those that were named: name -> struct m4_record */
    const struct m4_record *call, *first; /* the last and the first call that reads a file */
};

static bool defines(const char *kind)
{
    return strcmp(kind, "define") == 0 || strcmp(kind, "pushdef") == 0;
}

static bool is_definition(const struct m4_record *r)
{
    return r->argc > 0 &&
           (defines(r->kind) || strcmp(r->kind, "undefine") == 0 || strcmp(r->kind, "popdef") == 0);
}

static bool same_line(const struct m4_record *a, const struct m4_record *b)
{
    return a->at.file == b->at.file && a->at.line == b->at.line;
}

/* --- names that something reads ----------------------------------------------------------------
 */

static void know(struct table *t, const char *const *words)
{
    for (; words && *words; words++)
        table_set(t, *words, (void *)*words);
}

struct table *check_known_names(const struct front *f)
{
    struct table *t = table_new(f->arena);
    size_t n;
    const char *const *names = variable_names(&n);
    for (size_t i = 0; i < n; i++)
        table_set(t, names[i], (void *)names[i]);
    know(t, f->library->at_end);
    for (size_t i = 0; i < f->library->nfiles; i++) {
        know(t, f->library->files[i]->takes);
        know(t, f->library->files[i]->defaults);
    }
    return t;
}

/* Is it read when all has been said? */
static bool is_read_late(const struct front *f, const char *name)
{
    for (const char *const *w = f->library->at_end; *w; w++)
        if (strcmp(*w, name) == 0)
            return true;
    return variable_is_late(name);
}

/* Does the name stand as what define and its like define? */
static bool is_defined_here(const struct mc_tree *t, const struct mc_node *name)
{
    static const char *const definers[] = {"define", "undefine", "pushdef", "popdef", "_DEFIFNOT"};
    const struct mc_node *arg = name->parent;
    while (arg && arg->kind == MC_QUOTED)
        arg = arg->parent;
    if (!arg || arg->kind != MC_ARG || !arg->parent || mc_arg(arg->parent, 1) != arg)
        return false;
    for (size_t i = 0; i < sizeof definers / sizeof *definers; i++)
        if (mc_is_call_of(t, arg->parent, definers[i]))
            return true;
    return false;
}

static void mention(struct names *s, const struct mc_tree *t)
{
    for (const struct mc_node *n = t->root; n; n = mc_next(n, t->root))
        if (n->kind == MC_NAME && !is_defined_here(t, n)) {
            char *name = arena_strndup(s->front->arena, t->source->bytes + n->off, n->len);
            table_set(s->mentioned, name, name);
        }
}

static bool is_mentioned(struct names *s, const char *name)
{
    if (!s->mentioned) {
        s->mentioned = table_new(s->front->arena);
        for (uint32_t id = 1; id <= s->front->nfiles; id++) {
            const struct mc_tree *t = front_tree(s->front, id);
            if (t)
                mention(s, t);
        }
    }
    return table_has(s->mentioned, name);
}

/* Names without capitals are the file's own, and those that begin with _ are not for everybody. */
static bool looks_like_ours(const char *name)
{
    size_t capitals = 0;
    for (const char *p = name; *p; p++)
        capitals += isupper((unsigned char)*p) != 0;
    return *name != '_' && capitals > 1;
}

/* Are they the same but for capitals and underscores? */
static bool same_letters(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "_");
        b += strspn(b, "_");
        if (toupper((unsigned char)*a) != toupper((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

/* The variable that the name is a misspelling of, by what people leave out or add, or the option
 * that it becomes; or NULL. */
static const char *known_otherwise(const struct names *s, const char *name)
{
    const char *rest = strncmp(name, "conf", 4) == 0 ? name + 4 : name;
    rest += strspn(rest, "_");
    char *with = arena_printf(s->front->arena, "conf%s", rest);
    if (table_has(s->known, with) || table_has(s->known, rest))
        return table_get(s->known, table_has(s->known, with) ? with : rest);
    const char *found = variable_of_option(name);
    if (found)
        return found;
    for (size_t i = 0; i < table_count(s->known); i++) {
        const char *known = table_at(s->known, i)->key;
        if (!same_letters(known, name))
            continue;
        if (found)
            return NULL;
        found = known;
    }
    return found;
}

static void check_name(struct names *s, const struct m4_record *r)
{
    struct front *f = s->front;
    const char *name = r->argv[0];
    bool conf = strncmp(name, "conf", 4) == 0;
    if (table_has(s->known, name) || !looks_like_ours(name) ||
        check_in_vocabulary(name, strlen(name)))
        return;
    /* What the library defines is its business; a macro of the file's own may have done it, too. */
    if (!r->node && (!conf || r->at.file == 0 || (s->call && same_line(s->call, r))))
        return;
    size_t n = table_count(s->known);
    const char **names = arena_calloc(f->arena, n + 1, sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = table_at(s->known, i)->key;
    const char *other = known_otherwise(s, name);
    if (!(conf && defines(r->kind)) && !other && !diag_nearest(name, names, n, NULL))
        return;
    if (is_mentioned(s, name))
        return;
    struct finding *x =
        check_found(f, FINDING_UNKNOWN_VARIABLE, r, r->node ? 1 : 0, name, NULL, NULL);
    finding_suggest(f->diag, x, x->at, name, other ? &other : names, other ? 1 : n);
    if (other && !x->edits) {
        diag_hint(f->diag, x, "did you mean %s?", other);
        if (x->at.len == strlen(name))
            diag_edit(f->diag, x, x->at, other);
    }
}

/* --- order ---------------------------------------------------------------------------------------
 */

static struct variable *variable(struct names *s, const char *name)
{
    struct variable *v = table_get(s->variables, name);
    if (!v) {
        v = arena_alloc(s->front->arena, sizeof *v);
        v->name = name;
        table_set(s->variables, name, v);
    }
    return v;
}

/* An ifdef, an include or a macro of the file's own may be meant to be overridden. */
static bool in_file(const struct names *s, const struct m4_record *r)
{
    return r->at.file == s->front->source->id && check_is_top(r);
}

/* Does the file read the name between two of its calls? */
static bool read_between(const struct names *s, const struct m4_record *from,
                         const struct m4_record *to, const char *name)
{
    const struct mc_tree *t = s->front->tree;
    size_t len = strlen(name), end = to->node ? to->node->off + to->node->len : 0;
    for (const struct mc_node *n = from->node; n && n->off < end; n = mc_next(n, t->root))
        if (n->kind == MC_NAME && n->len == len && n->off > from->node->off &&
            memcmp(t->source->bytes + n->off, name, len) == 0 && !is_defined_here(t, n))
            return true;
    return false;
}

static void define_again(struct names *s, struct variable *v, const struct m4_record *r,
                         const char *text)
{
    const struct m4_record *first = v->define;
    const char *was = v->text;
    v->define = r;
    v->text = text;
    if (!first || v->hidden || !in_file(s, first) || !in_file(s, r) ||
        !table_has(s->known, v->name))
        return;
    if (strcmp(was, text) == 0 || read_between(s, first, r, v->name))
        return;
    const char *name = strcmp(first->kind, "define") == 0 ? v->name : first->kind;
    check_found(s->front, FINDING_OVERRIDDEN_DEFINE, first, 0, name, check_line(s->front, r), NULL);
}

/* The library sets what the .mc has defined before: nobody reads that. */
static void set_by(struct names *s, struct variable *v, const struct m4_record *call,
                   const char *text)
{
    const struct m4_record *r = v->define;
    v->define = NULL;
    /* A distribution's own file sets its name so. */
    if (strcmp(v->name, "confCF_VERSION") == 0)
        return;
    if (!r || v->hidden || !in_file(s, r) || !in_file(s, call) || strcmp(v->text, text) == 0 ||
        read_between(s, r, call, v->name))
        return;
    struct finding *x = check_found(
        s->front, FINDING_DEAD_DEFINE, r, 0, v->name,
        arena_printf(s->front->arena, "%s(%s)", call->kind, call->argc ? call->argv[0] : ""),
        check_line(s->front, call));
    if (strcmp(call->kind, "OSTYPE") == 0)
        check_edit_move(s->front, x, call, r);
}

static void defined(struct names *s, const struct m4_record *r)
{
    struct variable *v = variable(s, r->argv[0]);
    const char *text = r->argc > 1 ? r->argv[1] : "";
    if (strcmp(r->kind, "define") != 0) {
        v->hidden = true;
        v->define = v->late = NULL;
    } else if (!r->node && s->call && same_line(s->call, r)) {
        set_by(s, v, s->call, text);
    } else {
        define_again(s, v, r, text);
        v->late = v->taken ? r : NULL;
    }
}

static const struct setting {
    const char *name, *how, *variable, *value;
} settings[] = {
#define OSTYPE(name, how, variable, value) {name, #how, variable, value},
#define DOMAIN(name, how, variable, value) {name, #how, variable, value},
#include "lib/model/domains.def"
#include "lib/model/ostypes.def"
#undef OSTYPE
#undef DOMAIN
};

/* OSTYPE and DOMAIN set variables. */
static void set_all(struct names *s, const struct m4_record *r)
{
    const char *name = r->argc > 0 ? r->argv[0] : "";
    const struct m4_record *reader = NULL;
    bool ostype = strcmp(r->kind, "OSTYPE") == 0;
    if (check_site_has(s->front, ostype ? "ostype" : "domain", name))
        return;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct setting *x = &settings[i];
        if (strcmp(x->name, name) != 0)
            continue;
        bool flags = strstr(x->how, "FLAGS") != NULL;
        struct variable *v =
            variable(s, flags ? arena_printf(s->front->arena, "_mcf_modified_%s", x->variable)
                              : x->variable);
        bool reads = flags || strcmp(x->how, "SET") == 0 || strcmp(x->how, "DEFAULT") == 0;
        if (reads && v->taken && strcmp(v->taken->kind, "MAILER") == 0)
            reader = v->taken;
        if (strcmp(x->how, "SET") == 0)
            set_by(s, v, r, x->value);
        else if (strcmp(x->how, "FEATURE") == 0 && table_has(s->mailers, "local"))
            reader = table_get(s->mailers, "local");
    }
    if (reader && in_file(s, r)) {
        struct finding *x = check_found(s->front, FINDING_OSTYPE_AFTER_MAILER, r, 0,
                                        arena_printf(s->front->arena, "%s(%s)", r->kind, name),
                                        reader->argv[0], check_line(s->front, reader));
        if (s->first)
            check_edit_move(s->front, x, r, s->first);
    }
}

/* A FEATURE or MAILER call reads its variables. */
static void take(struct names *s, const struct m4_record *call, const char *const *words)
{
    for (; words && *words; words++) {
        struct variable *v = variable(s, *words);
        v->value = v->define ? v->text : v->value;
        v->define = NULL;
        if (v->late || !v->taken)
            v->taken = call;
        v->late = NULL;
    }
}

static void called(struct names *s, const struct m4_record *r)
{
    const char *name = r->argc > 0 ? r->argv[0] : "";
    bool feature = strcmp(r->kind, "FEATURE") == 0;
    const struct rule_file *file = feature ? template_feature(s->front->library, name)
                                           : template_mailer_file(s->front->library, name);
    if (!file || r->at.file == 0)
        return;
    /* The first of several calls is the one that reads. */
    if (file->repeat) {
        if (table_has(s->repeated, name))
            return;
        table_set(s->repeated, name, (void *)name);
    }
    if (!feature)
        table_set(s->mailers, name, (void *)r);
    take(s, r, file->takes);
    if (r->argc < 2 || !*r->argv[1])
        take(s, r, file->defaults);
}

/* Whatever an unknown name stands for, it may read what was defined before it. */
static void forget_late(struct names *s)
{
    for (size_t i = 0; i < table_count(s->variables); i++)
        ((struct variable *)table_at(s->variables, i)->value)->late = NULL;
}

static void modified(struct names *s, const struct m4_record *r)
{
    if (r->argc == 0)
        return;
    struct variable *v = variable(s, arena_printf(s->front->arena, "_mcf_modified_%s", r->argv[0]));
    v->late = v->taken ? r : NULL;
}

static void check_late(struct names *s)
{
    struct front *f = s->front;
    for (size_t i = 0; i < table_count(s->variables); i++) {
        const struct variable *v = table_at(s->variables, i)->value;
        const struct m4_record *r = v->late;
        if (!r || !r->node || r->at.file != f->source->id)
            continue;
        bool flags = *v->name == '_';
        if (!flags && (!table_has(s->known, v->name) || is_mentioned(s, v->name) ||
                       (v->value && r->argc > 1 && strcmp(v->value, r->argv[1]) == 0)))
            continue;
        const char *name =
            flags ? arena_printf(f->arena, "MODIFY_MAILER_FLAGS(%s)", r->argv[0]) : v->name;
        bool mailer = strcmp(v->taken->kind, "MAILER") == 0;
        if (!mailer && is_read_late(f, v->name))
            continue;
        struct finding *x =
            check_found(f, mailer ? FINDING_DEFINE_AFTER_MAILER : FINDING_DEFINE_AFTER_FEATURE, r,
                        0, name, v->taken->argv[0], check_line(f, v->taken));
        check_edit_move(f, x, r, v->taken);
    }
}

void check_defines(struct front *f)
{
    struct names s = {.front = f,
                      .variables = table_new(f->arena),
                      .known = f->known,
                      .repeated = table_new(f->arena),
                      .mailers = table_new(f->arena)};
    for (const struct m4_record *r = f->m4->records; r; r = r->next) {
        bool reads = strcmp(r->kind, "FEATURE") == 0 || strcmp(r->kind, "MAILER") == 0,
             sets = strcmp(r->kind, "OSTYPE") == 0 || strcmp(r->kind, "DOMAIN") == 0;
        /* What an OSTYPE or a feature calls is its business. */
        bool within =
            !r->node && s.call && r->at.file == s.call->at.file && r->at.line == s.call->at.line;
        if ((reads || sets) && !within) {
            s.call = r;
            if (!s.first && in_file(&s, r))
                s.first = r;
        }
        if (is_definition(r)) {
            check_name(&s, r);
            defined(&s, r);
        } else if (reads) {
            called(&s, r);
        } else if (strcmp(r->kind, "unknown") == 0) {
            forget_late(&s);
        } else if (sets) {
            set_all(&s, r);
        } else if (strcmp(r->kind, "MASQUERADE_AS") == 0) {
            define_again(&s, variable(&s, "MASQUERADE_NAME"), r, r->argc > 0 ? r->argv[0] : "");
        } else if (strcmp(r->kind, "MODIFY_MAILER_FLAGS") == 0) {
            modified(&s, r);
        }
    }
    check_late(&s);
}
