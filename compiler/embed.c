/*
 * embed: rulesets/ becomes C and m4, at build time.
 *
 *     embed OUT.c OUT.m4 OUT.end ROOT FILE...   checks the files and writes all three
 *     embed --check ROOT FILE...                checks only
 *
 * ROOT is the folder that the files' names are relative to (rulesets).  OUT.c defines
 * template_rulesets (compiler/template.h); OUT.m4 has the part of a feature that must run as m4:
 * its flags, its %m4 text, and which values are wanted at its call (ARCHITECTURE.md lists its
 * macros); OUT.end asks for the values that are wanted at the end. A file that does not parse or
 * check ends the build: exit 1, findings on standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/vocabulary.h"
#include "grammar/cf.h"
#include "grammar/rule.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/table.h"

static void out_of_memory(void *ctx)
{
    (void)ctx;
    fputs("embed: out of memory\n", stderr);
    exit(71);
}

struct writer {
    struct arena *arena;
    struct buf out;
    const struct rule_library *lib;
    unsigned names, exprs, pieces, items, nodes;
    struct table *at_calls; /* names whose values at a call are wanted -> size_t, their number */
};

/* --- names that are asked for --- */

static void want(struct table *t, const struct rule_name *n)
{
    if (n && n->macro)
        table_set(t, n->macro, (void *)n->macro);
}

static void want_expr(struct table *t, const struct rule_expr *e)
{
    if (!e)
        return;
    want(t, e->name);
    want_expr(t, e->left);
    want_expr(t, e->right);
}

static void want_pieces(struct table *t, const struct rule_piece *p)
{
    for (; p; p = p->next) {
        want(t, p->name);
        want_pieces(t, p->body);
    }
}

/* The names that a list of nodes, with the files that it includes, asks for. */
static void want_nodes(const struct rule_library *lib, struct table *t, const struct rule_node *n)
{
    for (; n; n = n->next) {
        want_expr(t, n->guard);
        want_pieces(t, n->text);
        want_nodes(lib, t, n->body);
        if (n->kind == RULE_FOR)
            table_set(t, lib->files[n->target]->flag, (void *)lib->files[n->target]->flag);
        if (n->kind == RULE_INCLUDE)
            want_nodes(lib, t, lib->files[n->target]->body);
    }
}

static bool holds(const struct rule_node *n, enum rule_kind kind)
{
    for (; n; n = n->next) {
        if (n->kind == kind || holds(n->body, kind))
            return true;
    }
    return false;
}

/* The names in a feature's blocks of one kind, and in the guards around them. */
static void want_blocks(const struct rule_library *lib, struct table *t, const struct rule_node *n,
                        enum rule_kind kind)
{
    for (; n; n = n->next) {
        if (n->kind == kind)
            want_nodes(lib, t, n->body);
        if (n->kind != RULE_IF || !holds(n->body, kind))
            continue;
        for (const struct rule_node *b = n->body; b; b = b->next) {
            want_expr(t, b->guard);
            want_blocks(lib, t, b->body, kind);
        }
    }
}

static void want_list(struct table *t, const char *const *words)
{
    for (; *words; words++)
        table_set(t, *words, (void *)*words);
}

static bool follows(const char *text, const char *p, const char *before)
{
    size_t n = strlen(before);
    return (size_t)(p - text) >= n && memcmp(p - n, before, n) == 0;
}

/* The macros that a text of m4 reads: what looks like a variable, but for what it only defines; in
 * defaults what it reads where an argument is missing. */
static void want_m4(struct arena *a, struct table *t, struct table *defaults, const char *text)
{
    static const char modified[] = "_MODMF_(";
    for (const char *p = text; *p;) {
        size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        bool sets = follows(text, p, "define(`") || follows(text, p, "_DEFIFNOT(`") ||
                    p[n] == '('; /* a call */
        char *name = arena_strndup(a, p, n);
        if (!sets && *p != '_' && rule_is_macro(name) &&
            (strchr(name, '_') || strncmp(name, "conf", 4) == 0))
            table_set(follows(text, p, "_'), `', `") ? defaults : t, name, name);
        if (strncmp(p, modified, sizeof modified - 1) == 0) {
            const char *end = strchr(p, '\n'), *last = p;
            for (const char *q = p; *q && q != end; q++)
                if (*q == '`')
                    last = q + 1;
            name = arena_printf(a, "_mcf_modified_%.*s", (int)strcspn(last, "'"), last);
            table_set(t, name, name);
        }
        p += n ? n : 1;
    }
}

/* Those that stand in for a missing argument. */
static void want_defaults(struct table *t, const struct rule_node *n)
{
    for (; n; n = n->next) {
        want_defaults(t, n->body);
        for (const struct rule_piece *p = n->text; p; p = p->next)
            if (p->kind == RULE_PIECE_ELSE && p->name->ref != RULE_REF_FLAG)
                want_pieces(t, p->body);
    }
}

/* Whose values at the call count; but those of defaults for a call without arguments only. */
static struct table *want_call(struct writer *w, const struct rule_file *f, struct table *defaults)
{
    struct table *all = table_new(w->arena), *t = table_new(w->arena);
    if (f->kind == RULE_FILE_FEATURE) {
        want_blocks(w->lib, all, f->body, RULE_CONFIG);
        want_defaults(defaults, f->body);
    } else if (f->kind == RULE_FILE_MAILER) {
        want_nodes(w->lib, all, f->body);
    }
    want_list(all, f->reads);
    for (const struct rule_node *n = f->body; n; n = n->next)
        if (n->kind == RULE_M4)
            want_m4(w->arena, all, defaults, n->name);
    for (size_t i = 0; i < table_count(all); i++) {
        const char *name = table_at(all, i)->key;
        bool ours = *name == '_' && strncmp(name, "_mcf_modified_", 14) != 0;
        if (!ours && !table_has(defaults, name))
            table_set(t, name, (void *)name);
    }
    /* A mailer has no defaults of that kind. */
    for (size_t i = 0; f->kind == RULE_FILE_MAILER && i < table_count(defaults); i++)
        table_set(t, table_at(defaults, i)->key, table_at(defaults, i)->value);
    return t;
}

/* Whose values at the end count. */
static struct table *want_end(struct writer *w)
{
    struct table *all = table_new(w->arena);
    for (size_t i = 0; i < w->lib->nfeatures; i++) {
        const struct rule_file *f = w->lib->features[i];
        want_blocks(w->lib, all, f->body, RULE_AT);
        if (holds(f->body, RULE_AT))
            table_set(all, f->flag, (void *)f->flag);
    }
    for (size_t i = 0; i < w->lib->nfiles; i++)
        if (w->lib->files[i]->kind == RULE_FILE_BASE)
            want_nodes(w->lib, all, w->lib->files[i]->body);
    return all;
}

/* --- C ---
 * Every list is written from its end, so that what an object points to stands before it. */

static void c_string(struct buf *b, const char *s)
{
    if (!s) {
        buf_adds(b, "NULL");
        return;
    }
    buf_addc(b, '"');
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        if (ch == '\\' || ch == '"' || ch == '?')
            buf_printf(b, "\\%c", ch);
        else if (ch == '\n')
            buf_adds(b, s[1] ? "\\n\"\n    \"" : "\\n");
        else if (ch < ' ' || ch > '~')
            buf_printf(b, "\\%03o", ch);
        else
            buf_addc(b, (char)ch);
    }
    buf_addc(b, '"');
}

/* "&n12" or NULL for 0. */
static void c_link(struct buf *b, char letter, unsigned id)
{
    if (id)
        buf_printf(b, "&%c%u", letter, id);
    else
        buf_adds(b, "NULL");
}

static unsigned write_name(struct writer *w, const struct rule_name *n)
{
    static const char *const refs[] = {
        [RULE_REF_UNKNOWN] = "UNKNOWN", [RULE_REF_MACRO] = "MACRO", [RULE_REF_FLAG] = "FLAG",
        [RULE_REF_ARG] = "ARG",         [RULE_REF_COUNT] = "COUNT", [RULE_REF_AGAIN] = "AGAIN",
    };
    if (!n)
        return 0;
    unsigned id = ++w->names;
    buf_printf(&w->out, "static const struct rule_name s%u = {", id);
    c_string(&w->out, n->text);
    buf_printf(&w->out, ", RULE_REF_%s, ", refs[n->ref]);
    c_string(&w->out, n->macro);
    buf_printf(&w->out, ", %u, %u, %u, %u};\n", n->owner, n->arg, n->line, n->col);
    return id;
}

static unsigned write_expr(struct writer *w, const struct rule_expr *e)
{
    static const char *const ops[] = {
        [RULE_OP_NAME] = "NAME", [RULE_OP_NOT] = "NOT", [RULE_OP_AND] = "AND",
        [RULE_OP_OR] = "OR",     [RULE_OP_EQ] = "EQ",   [RULE_OP_NE] = "NE",
    };
    if (!e)
        return 0;
    unsigned left = write_expr(w, e->left);
    unsigned right = write_expr(w, e->right);
    unsigned name = write_name(w, e->name);
    unsigned id = ++w->exprs;
    buf_printf(&w->out, "static const struct rule_expr e%u = {RULE_OP_%s, ", id, ops[e->op]);
    c_link(&w->out, 's', name);
    buf_adds(&w->out, ", ");
    c_string(&w->out, e->text);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'e', left);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'e', right);
    buf_adds(&w->out, "};\n");
    return id;
}

static unsigned write_pieces(struct writer *w, const struct rule_piece *p)
{
    static const char *const kinds[] = {
        [RULE_PIECE_TEXT] = "TEXT", [RULE_PIECE_VALUE] = "VALUE", [RULE_PIECE_ELSE] = "ELSE",
        [RULE_PIECE_WHEN] = "WHEN", [RULE_PIECE_FULL] = "FULL",
    };
    if (!p)
        return 0;
    unsigned next = write_pieces(w, p->next);
    unsigned body = write_pieces(w, p->body);
    unsigned name = write_name(w, p->name);
    unsigned id = ++w->pieces;
    buf_printf(&w->out, "static const struct rule_piece p%u = {RULE_PIECE_%s, ", id,
               kinds[p->kind]);
    c_string(&w->out, p->text);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 's', name);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'p', body);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'p', next);
    buf_adds(&w->out, "};\n");
    return id;
}

/* --- lines that always read the same ---------------------------------------------------------- */

/* What the line is: of a rule, a ruleset or a comment, which every line of it is like, and which
 * stand for nothing but themselves. */
static const struct item *item_of(struct writer *w, const struct rule_node *n)
{
    static const char before[] = "V10\nS0\n";
    enum { LINES_BEFORE = 2 };
    if (n->kind != RULE_TEXT || !n->text || n->text->kind != RULE_PIECE_TEXT || n->text->next ||
        strchr(n->text->text, '\n'))
        return NULL;
    struct source_set *sources = source_set_new(w->arena);
    struct diag *d = diag_new(w->arena, sources);
    struct config *c = config_new(w->arena, sources);
    const char *text = arena_printf(w->arena, "%s%s\n", before, n->text->text);
    cf_read(c, text, strlen(text), NULL, NULL, true, d);
    const struct item *it = c->last;
    bool plain = c->count == LINES_BEFORE + 1 && diag_count(d, DIAG_WARNING) == 0 &&
                 diag_count(d, DIAG_ERROR) == 0;
    return plain && (it->kind == ITEM_RULE || it->kind == ITEM_RULESET || it->kind == ITEM_COMMENT)
               ? it
               : NULL;
}

static unsigned write_item(struct writer *w, const struct rule_node *n)
{
    static const char *const kinds[] = {
        [ITEM_RULE] = "RULE", [ITEM_RULESET] = "RULESET", [ITEM_COMMENT] = "COMMENT"};
    const struct item *it = item_of(w, n);
    if (!it)
        return 0;
    unsigned id = ++w->items;
    const struct {
        const char *field, *text;
    } strings[] = {{"text", it->text},
                   {"name", it->name},
                   {"value", it->value},
                   {"aux", it->aux},
                   {"comment", it->comment}};
    buf_printf(&w->out, "static const struct item i%u = {.kind = ITEM_%s", id, kinds[it->kind]);
    for (size_t k = 0; k < sizeof strings / sizeof strings[0]; k++) {
        buf_printf(&w->out, ", .%s = ", strings[k].field);
        c_string(&w->out, strings[k].text);
    }
    buf_adds(&w->out, "};\n");
    return id;
}

static unsigned write_nodes(struct writer *w, const struct rule_node *list);

static unsigned write_node(struct writer *w, const struct rule_node *n, unsigned next)
{
    static const char *const kinds[] = {
        [RULE_TEXT] = "TEXT",       [RULE_IF] = "IF",           [RULE_BRANCH] = "BRANCH",
        [RULE_FOR] = "FOR",         [RULE_HOOK] = "HOOK",       [RULE_AT] = "AT",
        [RULE_CONFIG] = "CONFIG",   [RULE_M4] = "M4",           [RULE_SECTION] = "SECTION",
        [RULE_OPTIONS] = "OPTIONS", [RULE_INCLUDE] = "INCLUDE",
    };
    unsigned guard = write_expr(w, n->guard);
    unsigned text = write_pieces(w, n->text);
    unsigned item = write_item(w, n);
    unsigned body = write_nodes(w, n->body);
    unsigned id = ++w->nodes;
    buf_printf(&w->out, "static const struct rule_node n%u = {RULE_%s, %u, %u, %u, %u, ", id,
               kinds[n->kind], n->line, n->block, n->number, n->target);
    c_string(&w->out, n->name);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'e', guard);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'p', text);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'i', item);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'n', body);
    buf_adds(&w->out, ", ");
    c_link(&w->out, 'n', next);
    buf_adds(&w->out, "};\n");
    return id;
}

static unsigned write_nodes(struct writer *w, const struct rule_node *list)
{
    size_t count = 0;
    for (const struct rule_node *n = list; n; n = n->next)
        count++;
    const struct rule_node **all = arena_calloc(w->arena, count, sizeof *all);
    count = 0;
    for (const struct rule_node *n = list; n; n = n->next) {
        if (n->kind != RULE_M4) /* goes into the m4 file */
            all[count++] = n;
    }
    unsigned next = 0;
    while (count)
        next = write_node(w, all[--count], next);
    return next;
}

static void write_words(struct writer *w, const char *field, size_t file, const char *const *words)
{
    buf_printf(&w->out, "static const char *const %s%zu[] = {", field, file);
    for (; *words; words++) {
        c_string(&w->out, *words);
        buf_adds(&w->out, ", ");
    }
    buf_adds(&w->out, "NULL};\n");
}

static const char *const *keys(struct arena *a, const struct table *t)
{
    const char **words = arena_calloc(a, table_count(t) + 1, sizeof *words);
    for (size_t i = 0; i < table_count(t); i++)
        words[i] = table_at(t, i)->key;
    return words;
}

static void write_file(struct writer *w, const struct rule_file *f, size_t i)
{
    static const char *const kinds[] = {
        [RULE_FILE_BASE] = "BASE", [RULE_FILE_FEATURE] = "FEATURE", [RULE_FILE_MAILER] = "MAILER"};
    struct buf *b = &w->out;
    buf_printf(b, "\n/* %s */\n", f->path);
    unsigned body = write_nodes(w, f->body);
    write_words(w, "needs", i, f->needs);
    write_words(w, "before", i, f->before);
    write_words(w, "reads", i, f->reads);
    struct table *defaults = table_new(w->arena), *takes = want_call(w, f, defaults);
    write_words(w, "takes", i, keys(w->arena, takes));
    write_words(w, "defaults", i, keys(w->arena, defaults));
    if (f->nflags) {
        buf_printf(b, "static const struct rule_flag flags%zu[] = {\n", i);
        for (size_t k = 0; k < f->nflags; k++) {
            buf_adds(b, "    {");
            c_string(b, f->flags[k].name);
            buf_adds(b, ", ");
            c_string(b, f->flags[k].value);
            buf_adds(b, "},\n");
        }
        buf_adds(b, "};\n");
    }
    if (f->nargs) {
        buf_printf(b, "static const struct rule_arg args%zu[] = {\n", i);
        for (size_t k = 0; k < f->nargs; k++) {
            buf_printf(b, "    {%u, ", f->args[k].number);
            c_string(b, f->args[k].name);
            buf_adds(b, ", ");
            c_string(b, f->args[k].text);
            buf_adds(b, ", ");
            c_string(b, f->args[k].words);
            buf_adds(b, "},\n");
        }
        buf_adds(b, "};\n");
    }
    buf_printf(b, "static const struct rule_file f%zu = {\n    .kind = RULE_FILE_%s,\n", i,
               kinds[f->kind]);
    const struct {
        const char *field, *text;
    } strings[] = {{"path", f->path},
                   {"name", f->name},
                   {"summary", f->summary},
                   {"example", f->example},
                   {"flag", f->flag}};
    for (size_t k = 0; k < sizeof strings / sizeof strings[0]; k++) {
        buf_printf(b, "    .%s = ", strings[k].field);
        c_string(b, strings[k].text);
        buf_adds(b, ",\n");
    }
    if (f->nflags)
        buf_printf(b, "    .flags = flags%zu,\n    .nflags = %zu,\n", i, f->nflags);
    if (f->nargs)
        buf_printf(b, "    .args = args%zu,\n    .nargs = %zu,\n", i, f->nargs);
    buf_printf(b, "    .needs = needs%zu,\n    .before = before%zu,\n    .reads = reads%zu,\n", i,
               i, i);
    buf_printf(b, "    .takes = takes%zu,\n    .defaults = defaults%zu,\n", i, i);
    buf_printf(b, "    .required = %u,\n    .repeat = %s,\n    .body = ", f->required,
               f->repeat ? "true" : "false");
    c_link(b, 'n', body);
    buf_printf(b, ",\n    .first_block = %u,\n};\n", f->first_block);
}

/* The pointers to those files that are of a kind; kind < 0: all. */
static void write_list(struct writer *w, const char *name, int kind)
{
    buf_printf(&w->out, "static const struct rule_file *const %s[] = {", name);
    for (size_t i = 0; i < w->lib->nfiles; i++) {
        if (kind < 0 || (int)w->lib->files[i]->kind == kind)
            buf_printf(&w->out, "&f%zu, ", i);
    }
    buf_adds(&w->out, "NULL};\n");
}

static void write_c(struct writer *w)
{
    const struct rule_library *lib = w->lib;
    size_t main_file = 0;
    buf_adds(&w->out, "/* Made by embed from rulesets/. */\n#include \"compiler/template.h\"\n"
                      "#include \"lib/model/config.h\"\n");
    for (size_t i = 0; i < lib->nfiles; i++) {
        write_file(w, lib->files[i], i);
        if (lib->files[i] == lib->main)
            main_file = i;
    }
    buf_addc(&w->out, '\n');
    write_list(w, "files", -1);
    write_list(w, "features", RULE_FILE_FEATURE);
    write_list(w, "mailers", RULE_FILE_MAILER);
    write_words(w, "end", 0, keys(w->arena, want_end(w)));
    write_words(w, "at_calls", 0, keys(w->arena, w->at_calls));
    buf_printf(
        &w->out,
        "\nconst struct rule_library template_rulesets = {\n"
        "    files, %zu, features, %zu, mailers, %zu, &f%zu, end0, at_calls0, %zu, %u,\n};\n",
        lib->nfiles, lib->nfeatures, lib->nmailers, main_file, table_count(w->at_calls),
        lib->blocks);
}

/* --- m4 --- */

/* The text of %m4.  Of what it defines only the variables of an .mc are to be traced, which may be
 * dead for it; the rest is nobody's business. */
static void m4_text(struct buf *b, const char *text)
{
    static const char *const traced[] = {"define(`_", "undefine(`_", "pushdef(`_", "popdef(`_"};
    for (const char *p = text; *p; p++) {
        bool first = p == text || !source_in_word(p[-1]);
        for (size_t i = 0; first && i < sizeof traced / sizeof *traced; i++)
            if (strncmp(p, traced[i], strlen(traced[i])) == 0)
                buf_adds(b, "_mcf_");
        buf_addc(b, *p);
    }
}

/* Whether m4 would put a call's arguments into the text. */
static bool has_parameters(const char *text)
{
    for (; *text; text++)
        if (*text == '$' && text[1] && strchr("0123456789#*@", text[1]))
            return true;
    return false;
}

/* Writes what runs at the call.  lacks: it does nothing where a feature is missing that it needs;
 * snap: it gives values behind it. */
static void m4_text_of_call(struct buf *b, const struct rule_file *f, bool lacks, bool snap)
{
    if (lacks)
        buf_printf(b, "ifelse(indir(`_mcf_lacks.%s'), `', `", f->name);
    if (snap)
        buf_adds(b, "_mcf_define(`_mcf_call', _mcf_id)");
    if (f->kind == RULE_FILE_FEATURE && !f->nflags)
        buf_printf(b, "_mcf_define(`%s', `1')", f->flag);
    for (size_t i = 0; i < f->nflags; i++)
        buf_printf(b, "_mcf_define(`%s', `%s')", f->flags[i].name, f->flags[i].value);
    for (const struct rule_node *n = f->body; n; n = n->next) {
        if (n->kind == RULE_M4)
            m4_text(b, n->name);
    }
    if (snap)
        buf_printf(b, "_mcf_frame(6, _mcf_call, `indir(`_mcf_snap_config.%s')')", f->name);
    if (lacks)
        buf_adds(b, "')");
}

/* Each $1 in the text belongs to the definitions that it makes, and a call of it would replace
 * them: then the call gets it by defn, which is slower. */
static void m4_call(struct writer *w, struct buf *b, const char *kind, const struct rule_file *f,
                    bool lacks, bool snap)
{
    struct buf text;
    buf_init(&text, w->arena);
    m4_text_of_call(&text, f, lacks, snap);
    if (has_parameters(text.data)) {
        buf_printf(b, "define(`_mcf_%s.%s', `_mcf_run(defn(`_mcf_text_%s.%s'))')\n", kind, f->name,
                   kind, f->name);
        buf_printf(b, "define(`_mcf_text_%s.%s', `%s')\n", kind, f->name, text.data);
    } else {
        buf_printf(b, "define(`_mcf_%s.%s', `%s')\n", kind, f->name, text.data);
    }
}

/* Lines that give the values of the names, and their numbers: see grammar/vocabulary.m4. */
static void m4_snap(struct writer *w, struct buf *b, const char *kind, const char *name,
                    const struct table *t)
{
    buf_printf(b, "define(`_mcf_snap_%s.%s', `", kind, name);
    for (size_t i = 0; i < table_count(t); i++) {
        const char *key = table_at(t, i)->key;
        const size_t *number = table_get(w->at_calls, key);
        if (!number) {
            size_t *next = arena_alloc(w->arena, sizeof *next);
            *next = table_count(w->at_calls);
            table_set(w->at_calls, key, next);
            number = next;
        }
        buf_printf(b, "%s`" VOCABULARY_KEY " =%zu:'%s", i ? "\n" : "", *number, key);
    }
    buf_adds(b, "')\n");
}

/* Not empty where a feature is missing that f needs: then f does nothing. */
static void m4_lacks(struct buf *b, const struct rule_library *lib, const struct rule_file *f)
{
    buf_printf(b, "define(`_mcf_lacks.%s', `", f->name);
    for (const char *const *need = f->needs; need && *need; need++)
        for (size_t i = 0; i < lib->nfeatures; i++)
            if (strcmp(lib->features[i]->name, *need) == 0)
                buf_printf(b, "ifdef(`%s', `', `%s')", lib->features[i]->flag, *need);
    buf_adds(b, "')\n");
}

static bool has_section(const struct rule_node *n, unsigned section)
{
    for (; n; n = n->next)
        if ((n->kind == RULE_CONFIG && n->number == section) || has_section(n->body, section))
            return true;
    return false;
}

/* The sections that a mailer has %config lines for. */
static void m4_sections(struct buf *b, const struct rule_file *f)
{
    const char *before = "";
    for (unsigned n = 0; n < 10; n++)
        if (has_section(f->body, n)) {
            if (!*before)
                buf_printf(b, "define(`_mcf_sections.%s', `", f->name);
            buf_printf(b, "%s%u", before, n);
            before = ", ";
        }
    if (*before)
        buf_adds(b, "')\n");
}

static void write_m4(struct writer *w, struct buf *b, struct buf *end)
{
    const struct rule_library *lib = w->lib;
    struct table *all = want_end(w);
    buf_adds(b, "dnl Made by embed from rulesets/.\ndefine(`_mcf_run', `$1')\n");
    for (size_t i = 0; i < lib->nfeatures; i++) {
        const struct rule_file *f = lib->features[i];
        struct table *config = table_new(w->arena);
        want_blocks(lib, config, f->body, RULE_CONFIG);
        want_list(config, f->reads);
        bool lacks = f->needs && *f->needs;
        bool snap = table_count(config) > 0 || holds(f->body, RULE_CONFIG);
        m4_call(w, b, "feature", f, lacks, snap);
        if (lacks)
            m4_lacks(b, lib, f);
        if (snap)
            m4_snap(w, b, "config", f->name, config);
    }
    for (size_t i = 0; i < lib->nmailers; i++) {
        const struct rule_file *f = lib->mailers[i];
        struct table *body = table_new(w->arena);
        m4_call(w, b, "mailer", f, false, false);
        want_nodes(lib, body, f->body);
        want_list(body, f->reads);
        m4_snap(w, b, "mailer", f->name, body);
        m4_sections(b, f);
    }
    for (size_t i = 0; i < table_count(all); i++)
        buf_printf(end, "`" VOCABULARY_KEY "='%s\n", table_at(all, i)->key);
}

/* --- */

static int put(const char *path, const struct buf *b)
{
    FILE *f = fopen(path, "w");
    bool good = f && fwrite(b->data, 1, b->len, f) == b->len;
    if (f && fclose(f) != 0)
        good = false;
    if (good)
        return 0;
    fprintf(stderr, "embed: %s: %s\n", path, strerror(errno));
    remove(path);
    return 73;
}

/* Adds file, whose name starts with the folder root.  0 or an exit code. */
static int add_file(struct rule_set *set, struct source_set *sources, const char *root,
                    const char *file)
{
    size_t len = strlen(root);
    while (len && root[len - 1] == '/')
        len--;
    if (strncmp(file, root, len) != 0 || file[len] != '/') {
        fprintf(stderr, "embed: %s is not below %s\n", file, root);
        return 2;
    }
    int err;
    const struct source *src = source_open(sources, file, &err);
    if (err) {
        fprintf(stderr, "embed: %s: %s\n", file, strerror(err));
        return 66;
    }
    rule_set_add(set, src, file + len + 1);
    return 0;
}

/* out_c NULL: checks only. */
static int embed(struct arena *a, const char *out_c, const char *out_m4, const char *out_end,
                 const char *root, char **files)
{
    struct source_set *sources = source_set_new(a);
    struct diag *d = diag_new(a, sources);
    struct rule_set *set = rule_set_new(a, d);
    int status = 0;
    for (; *files && !status; files++)
        status = add_file(set, sources, root, *files);
    if (status)
        return status;
    const struct rule_library *lib = rule_set_finish(set);
    diag_print(d, stderr, false);
    if (!lib)
        return 1;
    if (!out_c)
        return 0;
    struct writer w = {.arena = a, .lib = lib};
    struct buf m4, end;
    buf_init(&w.out, a);
    buf_init(&m4, a);
    buf_init(&end, a);
    w.at_calls = table_new(a);
    write_m4(&w, &m4, &end);
    write_c(&w);
    status = put(out_c, &w.out);
    if (!status)
        status = put(out_m4, &m4);
    return status ? status : put(out_end, &end);
}

int main(int argc, char **argv)
{
    bool check_only = argc > 1 && strcmp(argv[1], "--check") == 0;
    int root = check_only ? 2 : 4;
    if (argc <= root + 1) {
        fputs("usage: embed OUT.c OUT.m4 OUT.end ROOT FILE...\n"
              "       embed --check ROOT FILE...\n",
              stderr);
        return 2;
    }
    struct arena *a = arena_new(out_of_memory, NULL);
    int status =
        embed(a, check_only ? NULL : argv[1], argv[2], argv[3], argv[root], argv + root + 1);
    arena_free(a);
    return status;
}
