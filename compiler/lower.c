#include "compiler/lower.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/template.h"
#include "compiler/version.h"
#include "grammar/cf.h"
#include "grammar/mc.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"

/* --- the tables that the front end itself reads --------------------------------------------- */

struct option_variable {
    const char *variable, *option, *shown;
};

static const struct option_variable option_variables[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) {#variable, option, shown},
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
};

static const char *const known_ostypes[] = {
#define OSTYPE(name, how, variable, value) name,
#include "lib/model/ostypes.def"
#undef OSTYPE
};

static const char *const known_domains[] = {
#define DOMAIN(name, how, variable, value) name,
#include "lib/model/domains.def"
#undef DOMAIN
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct lower {
    struct arena *arena;
    struct config *config;
    struct diag *diag;
    const struct lower_options *options;
    const char *path;
    struct mc_tree *tree;
    const struct m4_result *m4;
    struct template template;
    struct template_call *calls; /* one a FEATURE record, in order */
    const struct m4_record **call_records;
    struct buf text;
    struct cf_line_origin *lines;
    size_t nlines, room;
    struct origin cause;          /* of what is being written */
    struct table *places;         /* variable -> struct origin of its last definition */
    struct table *feature_places; /* path in rulesets/feature/ -> struct origin of the call */
};

static bool in(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* --- places ----------------------------------------------------------------------------------- */

/* m4 knows a call's line; the tree knows its column.  arg: 0 = the whole call, else that argument.
 */
static struct origin place_of(const struct lower *l, const struct m4_record *r, size_t arg)
{
    struct origin at = r->at;
    const struct source *main_source = source_find(l->config->sources, l->path);
    if (at.line == 0 || !l->tree || !main_source || at.file != main_source->id)
        return at;
    const struct mc_node *node =
        mc_find_call(l->tree, at.line, r->kind, r->argc > 0 ? r->argv[0] : NULL, NULL);
    if (node)
        return arg ? mc_arg_origin(l->tree, node, arg) : mc_origin(l->tree, node);
    node = mc_outermost_at(l->tree, at.line, NULL);
    return node ? mc_origin(l->tree, node) : at;
}

static struct origin exact(const struct lower *l, const struct m4_record *r)
{
    return place_of(l, r, 0);
}

static enum diag_severity survivable(const struct lower *l)
{
    return l->options->lax ? DIAG_WARNING : DIAG_ERROR;
}

/* --- lines into the configuration text -------------------------------------------------------- */

static void put(struct lower *l, const char *text, size_t len, struct origin at,
                struct origin cause)
{
    /* A value may hold line ends: each line keeps the same place. */
    const char *p = text, *end = text + len;
    do {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        if (l->nlines == l->room) {
            size_t room = l->room ? l->room * 2 : 1024;
            struct cf_line_origin *lines = arena_calloc(l->arena, room, sizeof *lines);
            if (l->nlines)
                memcpy(lines, l->lines, l->nlines * sizeof *lines);
            l->lines = lines;
            l->room = room;
        }
        l->lines[l->nlines].at = at;
        l->lines[l->nlines].cause = cause;
        l->nlines++;
        buf_add(&l->text, p, (size_t)(eol - p));
        buf_addc(&l->text, '\n');
        p = eol < end ? eol + 1 : end;
    } while (p < end);
}

static void puts_at(struct lower *l, const char *text, struct origin at)
{
    put(l, text, strlen(text), at, at);
}

/* Lines of a feature's own file are there because of its FEATURE call. */
static struct origin feature_call(struct lower *l, uint32_t file)
{
    static const char folder[] = "rulesets/feature/";
    static const struct origin nowhere = {0, 0, 0, 0};
    const struct source *s = source_by_id(l->config->sources, file);
    if (!s || strncmp(s->path, folder, sizeof folder - 1) != 0)
        return nowhere;
    const struct origin *known = table_get(l->feature_places, s->path);
    if (!known) {
        const char *name = s->path + sizeof folder - 1;
        struct origin *o = arena_alloc(l->arena, sizeof *o);
        for (size_t i = 0; i < l->template.ncalls; i++)
            if (strncmp(name, l->calls[i].name, strlen(l->calls[i].name)) == 0 &&
                name[strlen(l->calls[i].name)] == '.')
                *o = exact(l, l->call_records[i]);
        table_set(l->feature_places, s->path, o);
        known = o;
    }
    return *known;
}

static void template_line(void *ctx, const char *text, size_t len, struct origin at)
{
    struct lower *l = ctx;
    put(l, text, len, at, l->cause.file ? l->cause : feature_call(l, at.file));
}

/* --- symbols ------------------------------------------------------------------------------------
 */

/* A list that nobody added to holds a blank line at most. */
static bool has_entries(const struct lower *l, int list)
{
    for (const struct m4_piece *p = l->m4->sections[list]; p; p = p->next)
        for (size_t i = 0; i < p->count; i++)
            if (p->record || *p->lines[i].text)
                return true;
    return false;
}

static const char *symbol_now(void *ctx, const char *name)
{
    const struct lower *l = ctx;
    if (strcmp(name, "_mcf_version") == 0)
        return "mcf-" MCF_VERSION;
    if (strcmp(name, "_mcf_daemons") == 0)
        return has_entries(l, M4_DAEMONS) ? "" : NULL;
    if (strcmp(name, "_mcf_filters") == 0)
        return has_entries(l, M4_FILTERS) ? "" : NULL;
    return table_get(l->m4->values, name);
}

static const char *symbol_then(void *ctx, const char *name)
{
    const struct table *values = ctx;
    return values ? table_get(values, name) : NULL;
}

/* --- sections -----------------------------------------------------------------------------------
 */

static void own_lines(struct lower *l, const struct m4_piece *p, const char *before)
{
    for (size_t i = 0; i < p->count; i++) {
        const char *text = p->lines[i].text;
        /* What m4 makes of directives is mostly line ends. */
        if (!*text && !*before && l->text.len > 1 && l->text.data[l->text.len - 2] == '\n')
            continue;
        struct origin at = p->record ? exact(l, p->record) : p->lines[i].at;
        if (*before)
            text = arena_printf(l->arena, "%s%s", before, text);
        put(l, text, strlen(text), at, p->record ? at : (struct origin){0, 0, 0, 0});
    }
}

static void feature_config(struct lower *l, const struct m4_piece *p)
{
    for (size_t i = 0; i < l->template.ncalls; i++)
        if (l->call_records[i] == p->record) {
            l->calls[i].then.get = symbol_then;
            l->calls[i].then.ctx = p->values;
            template_feature_config(&l->template, i);
        }
}

static void mailer_body(struct lower *l, const struct m4_piece *p)
{
    const struct m4_record *r = p->record;
    struct template_call call = {.name = r->argv[0],
                                 .args = r->argc > 1 ? &r->argv[1] : NULL,
                                 .nargs = r->argc > 1 ? r->argc - 1 : 0,
                                 .then = {symbol_then, p->values}};
    struct template t = l->template;
    t.ncalls = 0;
    while (t.ncalls < l->template.ncalls && l->call_records[t.ncalls]->id < r->id)
        t.ncalls++;
    template_mailer(&t, &call);
}

static void section(void *ctx, unsigned n)
{
    struct lower *l = ctx;
    if (n >= M4_SECTIONS)
        return;
    for (const struct m4_piece *p = l->m4->sections[n]; p; p = p->next) {
        const char *kind = p->record ? p->record->kind : "";
        struct origin outer = l->cause;
        if (p->record)
            l->cause = exact(l, p->record);
        if (strcmp(kind, "FEATURE") == 0)
            feature_config(l, p);
        else if (strcmp(kind, "MAILER") == 0)
            mailer_body(l, p);
        else if (strcmp(kind, "VERSIONID") == 0)
            own_lines(l, p, "# version: ");
        else if (strcmp(kind, "DAEMON_OPTIONS") == 0)
            own_lines(l, p, "O DaemonPortOptions=");
        else if (strcmp(kind, "CLIENT_OPTIONS") == 0)
            own_lines(l, p, "O ClientPortOptions=");
        else if (strcmp(kind, "QUEUE_GROUP") == 0)
            own_lines(l, p, "Q");
        else if (strcmp(kind, "MAIL_FILTER") == 0 || strcmp(kind, "INPUT_MAIL_FILTER") == 0)
            own_lines(l, p, "X");
        else
            own_lines(l, p, "");
        l->cause = outer;
    }
}

static void options(void *ctx)
{
    struct lower *l = ctx;
    static const struct origin nowhere = {0, 0, 0, 0};
    for (size_t i = 0; i < COUNT(option_variables); i++) {
        const struct option_variable *v = &option_variables[i];
        const char *value = table_get(l->m4->values, v->variable);
        const struct origin *place = table_get(l->places, v->variable);
        if (value && *value)
            puts_at(l, arena_printf(l->arena, "O %s=%s", v->option, value),
                    place ? *place : nowhere);
        else if (value)
            puts_at(l, arena_printf(l->arena, "O %s", v->option), place ? *place : nowhere);
        else if (v->shown)
            puts_at(l, arena_printf(l->arena, "#O %s=%s", v->option, v->shown), nowhere);
        else
            puts_at(l, arena_printf(l->arena, "#O %s", v->option), nowhere);
    }
}

/* --- what the records say ------------------------------------------------------------------------
 */

static void hint_nearest(struct lower *l, struct finding *f, const char *word,
                         const char *const *names, size_t n)
{
    const char *near = diag_nearest(word, names, n);
    if (near)
        diag_hint(l->diag, f, "did you mean %s?", near);
}

static void unknown(struct lower *l, const struct m4_record *r, const struct m4_record *call)
{
    const char *kind = r->argc > 0 ? r->argv[0] : "", *name = r->argc > 1 ? r->argv[1] : "";
    const struct rule_library *lib = l->template.lib;
    struct origin at = call ? place_of(l, call, 1) : r->at;
    if (*name == '\0') {
        diag_add(l->diag, DIAG_ERROR, "missing-argument", at, "%s has no name",
                 call ? call->kind : kind);
        return;
    }
    struct finding *f = diag_add(l->diag, DIAG_ERROR, arena_printf(l->arena, "unknown-%s", kind),
                                 at, "there is no %s %s", kind, name);
    if (strcmp(kind, "ostype") == 0) {
        hint_nearest(l, f, name, known_ostypes, COUNT(known_ostypes));
    } else if (strcmp(kind, "domain") == 0) {
        hint_nearest(l, f, name, known_domains, COUNT(known_domains));
    } else if (strcmp(kind, "feature") == 0 || strcmp(kind, "mailer") == 0) {
        bool feature = *kind == 'f';
        size_t n = feature ? lib->nfeatures : lib->nmailers;
        const struct rule_file *const *files = feature ? lib->features : lib->mailers;
        const char **names = arena_calloc(l->arena, n + 1, sizeof *names);
        for (size_t i = 0; i < n; i++)
            names[i] = files[i]->name;
        hint_nearest(l, f, name, names, n);
    }
    if (!f->hint)
        diag_hint(l->diag, f,
                  "a file of your own is found as %s/%s.m4 beside the .mc or below -I DIR", kind,
                  name);
}

static void check_feature(struct lower *l, const struct m4_record *r, bool mailer_seen,
                          const struct table *seen_features, const struct table *seen_mailers)
{
    const char *name = r->argc > 0 ? r->argv[0] : "";
    const struct rule_file *f = template_feature(l->template.lib, name);
    struct origin at = exact(l, r);
    if (mailer_seen) {
        struct finding *x = diag_add(l->diag, survivable(l), "feature-after-mailer", at,
                                     "FEATURE(%s) stands after a MAILER", name);
        diag_hint(l->diag, x, "move it above the first MAILER line");
    }
    if (!f)
        return;
    for (const char *const *n = f->needs; n && *n; n++)
        if (!table_has(seen_features, *n)) {
            struct finding *x = diag_add(l->diag, survivable(l), "feature-needs", at,
                                         "FEATURE(%s) needs FEATURE(%s) before it", name, *n);
            diag_hint(l->diag, x, "add FEATURE(`%s') above this line", *n);
        }
    for (const char *const *n = f->before; n && *n; n++)
        if (table_has(seen_mailers, *n))
            diag_add(l->diag, survivable(l), "feature-after-its-mailer", at,
                     "FEATURE(%s) has no effect on MAILER(%s), which stands before it", name, *n);
    unsigned given = 0;
    for (size_t i = 1; i < r->argc; i++)
        if (*r->argv[i])
            given = (unsigned)i;
    if (given < f->required)
        diag_add(l->diag, survivable(l), "missing-argument", at, "FEATURE(%s) needs %u argument%s",
                 name, f->required, f->required == 1 ? "" : "s");
}

/* call: the directive that was read last, which said it if both are on one line. */
static void said(struct lower *l, const struct m4_record *r, const struct m4_record *call)
{
    bool by_call = call && call->at.file == r->at.file && call->at.line == r->at.line;
    char *text = arena_strdup(l->arena, r->argc > 0 ? r->argv[0] : "");
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    if (n == 0)
        return;
    enum diag_severity s = DIAG_NOTE;
    const char *rest = text;
    if (strncmp(rest, "*** ", 4) == 0)
        rest += 4;
    if (strncmp(rest, "ERROR: ", 7) == 0) {
        s = survivable(l);
        rest += 7;
    } else if (strncmp(rest, "WARNING: ", 9) == 0 || strncmp(rest, "Warning: ", 9) == 0) {
        s = DIAG_WARNING;
        rest += 9;
    } else if (rest != text) {
        s = strstr(rest, "requires FEATURE") || strstr(rest, "must appear after") ? survivable(l)
                                                                                  : DIAG_WARNING;
    }
    diag_add(l->diag, s, "said", by_call ? exact(l, call) : r->at, "%s", rest);
}

/* Variables of old releases, and what to write instead. */
static const struct {
    const char *name, *instead;
} old_names[] = {
    {"confDAEMON_OPTIONS", "write DAEMON_OPTIONS(`...')"},
    {"confCLIENT_OPTIONS", "write CLIENT_OPTIONS(`...')"},
    {"confMESSAGE_TIMEOUT", "define confTO_QUEUERETURN and confTO_QUEUEWARN"},
    {"confAUTO_REBUILD", "leave it out: alias files are rebuilt by newaliases"},
    {"confDEF_GROUP_ID", "give confDEF_USER_ID as user:group"},
    {"confREAD_TIMEOUT", "define the confTO_ variables that are meant"},
    {"confUNSAFE_GROUP_WRITES", "define confDONT_BLAME_SENDMAIL"},
    {"confMIN_FREE_BLOCKS", "give the second number as confMAX_MESSAGE_SIZE"},
};

static void old_name(struct lower *l, const char *name, struct origin at)
{
    const struct origin *place = table_get(l->places, name);
    struct finding *f = diag_add(l->diag, DIAG_WARNING, "deprecated-variable", place ? *place : at,
                                 "%s is of an old release", name);
    for (size_t i = 0; i < COUNT(old_names); i++)
        if (strcmp(old_names[i].name, name) == 0)
            diag_hint(l->diag, f, "%s", old_names[i].instead);
}

static void check_records(struct lower *l)
{
    struct table *features = table_new(l->arena), *mailers = table_new(l->arena);
    const struct m4_record *ostype = NULL, *call = NULL;
    bool mailer_seen = false;
    for (const struct m4_record *r = l->m4->records; r; r = r->next) {
        const char *arg0 = r->argc > 0 ? r->argv[0] : "";
        struct origin at = r->at;
        if (strcmp(r->kind, "OSTYPE") == 0) {
            call = r;
            if (ostype && (r->at.file != ostype->at.file || r->at.line != ostype->at.line))
                diag_hint(l->diag,
                          diag_add(l->diag, DIAG_WARNING, "duplicate-ostype", exact(l, r),
                                   "a second OSTYPE: what both set is taken from this one"),
                          "keep one of them");
            ostype = r;
            if (strcmp(arg0, "unknown") == 0)
                diag_hint(l->diag,
                          diag_add(l->diag, survivable(l), "unknown-system", exact(l, r),
                                   "OSTYPE(unknown) says nothing about the system"),
                          "name it: OSTYPE(`linux'), OSTYPE(`freebsd6'), ...");
        } else if (strcmp(r->kind, "FEATURE") == 0) {
            call = r;
            /* One that a library file names is that file's business. */
            check_feature(l, r, mailer_seen, features, mailers);
            table_set(features, arg0, l);
        } else if (strcmp(r->kind, "MAILER") == 0) {
            call = r;
            mailer_seen = mailer_seen || r->at.file != 0;
            table_set(mailers, arg0, l);
        } else if (strcmp(r->kind, "DOMAIN") == 0 || strcmp(r->kind, "HACK") == 0) {
            call = r;
        } else if (strcmp(r->kind, "again") == 0) {
            diag_add(l->diag, survivable(l), "duplicate-mailer", call ? exact(l, call) : at,
                     "MAILER(%s) is already there; this one is ignored",
                     r->argc > 1 ? r->argv[1] : "");
        } else if (strcmp(r->kind, "foreign") == 0) {
            diag_hint(l->diag,
                      diag_add(l->diag, survivable(l), "foreign-domain",
                               call ? place_of(l, call, 1) : at,
                               "DOMAIN(%s) describes one university's network", arg0),
                      "write a domain file of your own, or leave the line out");
        } else if (strcmp(r->kind, "unknown") == 0) {
            unknown(l, r, call);
        } else if (strcmp(r->kind, "before-mailer") == 0) {
            diag_add(l->diag, DIAG_WARNING, "section-before-mailer", at,
                     "%s should stand after the MAILER lines", arg0);
        } else if (strcmp(r->kind, "old") == 0) {
            old_name(l, arg0, at);
        } else if (strcmp(r->kind, "command") == 0) {
            diag_hint(l->diag,
                      diag_add(l->diag, DIAG_ERROR, "command", at,
                               "%s(%s): commands of an .mc file are not run", arg0,
                               r->argc > 1 ? r->argv[1] : ""),
                      "if you trust this file, say --allow-commands");
        } else if (strcmp(r->kind, "refused") == 0) {
            diag_add(l->diag, DIAG_WARNING, "refused", at, "%s has no effect in an .mc file", arg0);
        } else if (strcmp(r->kind, "errprint") == 0) {
            said(l, r, call);
        }
    }
    /* A file that defines __OSTYPE__ says that it knows. */
    if (!ostype && !table_has(l->m4->values, "__OSTYPE__")) {
        const struct source *s = source_find(l->config->sources, l->path);
        struct origin at = {s ? s->id : 0, 0, 0, 0};
        diag_hint(
            l->diag,
            diag_add(l->diag, survivable(l), "no-ostype", at, "no OSTYPE says what system this is"),
            "add OSTYPE(`linux') before the first FEATURE");
    }
}

/* --- names of the site's own library -------------------------------------------------------------
 */

static void add_define(struct arena *a, struct m4_define **list, const char *name,
                       const char *value)
{
    struct m4_define *x = arena_alloc(a, sizeof *x);
    x->name = name;
    x->value = value;
    x->next = *list;
    *list = x;
}

static bool defined(const struct m4_define *list, const char *name)
{
    for (; list; list = list->next)
        if (strcmp(list->name, name) == 0)
            return true;
    return false;
}

/* Ours stand behind the files of the user's folders, but not behind those of a whole library that
 * the file's include happens to name. */
static bool ours(const struct lower *l, const char *kind, const char *name)
{
    if (strcmp(kind, "ostype") == 0)
        return in(known_ostypes, COUNT(known_ostypes), name);
    if (strcmp(kind, "domain") == 0)
        return in(known_domains, COUNT(known_domains), name);
    if (strcmp(kind, "feature") == 0)
        return template_feature(l->template.lib, name) != NULL;
    if (strcmp(kind, "mailer") == 0)
        return template_mailer_file(l->template.lib, name) != NULL;
    return false;
}

static void site_files(const struct lower *l, const char *dir, bool whole_library,
                       struct m4_define **list)
{
    static const char *const kinds[] = {"ostype", "domain", "feature",
                                        "hack",   "mailer", "siteconfig"};
    /* A folder that holds a whole reference library adds what ours lacks. */
    whole_library = whole_library || fs_exists(fs_join(l->arena, dir, "m4/proto.m4"));
    for (size_t k = 0; k < COUNT(kinds); k++) {
        char *sub = fs_join(l->arena, dir, kinds[k]);
        DIR *d = opendir(sub);
        if (!d)
            continue;
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            size_t n = strlen(e->d_name);
            if (n < 4 || strcmp(e->d_name + n - 3, ".m4") != 0)
                continue;
            char *name = arena_strndup(l->arena, e->d_name, n - 3);
            char *key = arena_printf(l->arena, "%s_%s", kinds[k], name);
            if (strchr(name, '=') || defined(*list, key) ||
                (whole_library && ours(l, kinds[k], name)))
                continue;
            add_define(l->arena, list, key, fs_join(l->arena, sub, e->d_name));
        }
        closedir(d);
    }
}

/* --- the whole
 * ------------------------------------------------------------------------------------ */

static void find_places(struct lower *l)
{
    for (const struct m4_record *r = l->m4->records; r; r = r->next)
        if (r->argc > 0 && (strcmp(r->kind, "define") == 0 || strcmp(r->kind, "pushdef") == 0)) {
            struct origin *o = arena_alloc(l->arena, sizeof *o);
            *o = exact(l, r);
            table_set(l->places, r->argv[0], o);
        }
}

static void collect_calls(struct lower *l)
{
    size_t n = 0;
    for (const struct m4_record *r = l->m4->records; r; r = r->next)
        n += strcmp(r->kind, "FEATURE") == 0 && r->argc > 0;
    l->calls = arena_calloc(l->arena, n + 1, sizeof *l->calls);
    l->call_records = arena_calloc(l->arena, n + 1, sizeof *l->call_records);
    size_t i = 0;
    for (const struct m4_record *r = l->m4->records; r; r = r->next)
        if (strcmp(r->kind, "FEATURE") == 0 && r->argc > 0) {
            l->calls[i].name = r->argv[0];
            l->calls[i].args = &r->argv[1];
            l->calls[i].nargs = r->argc - 1;
            l->calls[i].then.get = symbol_then;
            l->call_records[i++] = r;
        }
    l->template.calls = l->calls;
    l->template.ncalls = n;
}

bool lower_mc(struct config *c, const char *path, const struct lower_options *o, struct diag *d)
{
    struct lower l = {.arena = c->arena, .config = c, .diag = d, .options = o, .path = path};
    int err = 0;
    struct source *src = source_open(c->sources, path, &err);
    struct origin whole = {src->id, 0, 0, 0};
    l.places = table_new(l.arena);
    l.feature_places = table_new(l.arena);
    l.template.lib = &template_rulesets;
    l.template.arena = l.arena;
    l.template.sources = c->sources;
    l.template.now.get = symbol_now;
    l.template.now.ctx = &l;
    l.template.line = template_line;
    l.template.section = section;
    l.template.options = options;
    l.template.ctx = &l;
    l.template.knockout = o->knockout;
    buf_init(&l.text, l.arena);
    if (!src->bytes) {
        diag_add(d, DIAG_ERROR, "cannot-read", whole, "cannot read %s: %s", path, strerror(err));
        return false;
    }
    const char *nul = memchr(src->bytes, '\0', src->len);
    if (nul) {
        diag_add(d, DIAG_ERROR, "nul-byte", source_origin(src, (size_t)(nul - src->bytes), 1),
                 "a NUL byte: this is no text file");
        return false;
    }
    l.tree = mc_parse(l.arena, src, d);

    /* Where includes and the site's own library files are looked for. */
    char *here = fs_dirname(l.arena, path);
    struct m4_define *site = NULL;
    const char **dirs;
    size_t n = 0;
    while (o->include_dirs && o->include_dirs[n])
        n++;
    dirs = arena_calloc(l.arena, n + 2, sizeof *dirs);
    /* Beside the file first, as for a person who reads it. */
    dirs[0] = here;
    site_files(&l, here, false, &site);
    for (size_t i = 0; i < n; i++) {
        dirs[i + 1] = o->include_dirs[i];
        site_files(&l, dirs[i + 1], false, &site);
    }
    const struct mc_include_cf *library = mc_find_include_cf(l.arena, l.tree);
    if (library)
        site_files(&l, fs_join(l.arena, here, library->root), true, &site);

    struct m4_options mo = {.defines = o->defines,
                            .include_dirs = dirs,
                            .site = site,
                            .comments = l.tree->comments,
                            .unclosed_known = l.tree->unclosed > 0,
                            .allow_commands = o->allow_commands,
                            .cpu_seconds = o->cpu_seconds};
    l.m4 = m4_run(l.arena, c->sources, d, path, &mo);
    find_places(&l);
    collect_calls(&l);
    if (l.m4->complete)
        check_records(&l);
    if (o->werror)
        diag_werror(d);
    if (!l.m4->complete || diag_count(d, DIAG_ERROR) > 0)
        return false;

    template_main(&l.template);
    cf_read(c, l.text.data, l.text.len, NULL, l.lines, true, d);
    if (o->werror)
        diag_werror(d);
    return diag_count(d, DIAG_ERROR) == 0;
}
