#include "compiler/lower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/check.h"
#include "compiler/front.h"
#include "compiler/target.h"
#include "compiler/version.h"
#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/check.h"

/* --- the tables that the front end itself reads --------------------------------------------- */

struct option_variable {
    const char *variable, *option, *shown;
    bool first;
};

static const struct option_variable option_variables[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) {#variable, option, shown, false},
#define FIRST_OPTION_VARIABLE(variable, option, preset, shown) {#variable, option, shown, true},
#include "lib/model/variables.def"
#undef FIRST_OPTION_VARIABLE
#undef OPTION_VARIABLE
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Of what is written, mostly. */
enum { LINES = 1500, LINE_LENGTH = 40 };

struct lower {
    struct front front;
    struct arena *arena;
    struct template template;
    struct template_call *calls; /* one a FEATURE record, in order */
    const struct m4_record **call_records;
    struct buf text;
    struct cf_line_origin *lines;
    size_t nlines, room;
    struct origin cause; /* of what is being written */
    uint32_t last_file;  /* whose lines are being written, and the call that is why */
    struct origin last_call;
    struct table *feature_places; /* path in rulesets/feature/ -> struct origin of the call */
    struct table *off;            /* flags of features that the target lacks, or NULL */
};

/* --- lines into the configuration text -------------------------------------------------------- */

static void put(struct lower *l, const char *text, size_t len, struct origin at,
                struct origin cause, const struct item *item)
{
    static const struct item blank = {.kind = ITEM_BLANK, .text = ""};
    if (len == 0)
        item = &blank;
    /* A value may hold line ends: each line keeps the same place. */
    const char *p = text, *end = text + len;
    do {
        const char *eol = item ? NULL : memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        l->lines = arena_grow(l->arena, l->lines, l->nlines, &l->room, sizeof *l->lines, LINES);
        l->lines[l->nlines].at = at;
        l->lines[l->nlines].cause = cause;
        l->lines[l->nlines].item = item;
        l->nlines++;
        buf_add(&l->text, p, (size_t)(eol - p));
        buf_addc(&l->text, '\n');
        p = eol < end ? eol + 1 : end;
    } while (p < end);
}

/* Lines of a feature's own file are there because of its FEATURE call. */
static struct origin feature_call(struct lower *l, uint32_t file)
{
    static const char folder[] = "rulesets/feature/";
    static const struct origin nowhere = {0, 0, 0, 0};
    const struct source *s = source_by_id(l->front.config->sources, file);
    if (!s || strncmp(s->path, folder, sizeof folder - 1) != 0)
        return nowhere;
    const struct origin *known = table_get(l->feature_places, s->path);
    if (!known) {
        const char *name = s->path + sizeof folder - 1;
        struct origin *o = arena_alloc(l->arena, sizeof *o);
        for (size_t i = 0; i < l->template.ncalls; i++)
            if (strncmp(name, l->calls[i].name, strlen(l->calls[i].name)) == 0 &&
                name[strlen(l->calls[i].name)] == '.')
                *o = front_place(&l->front, l->call_records[i], 0);
        table_set(l->feature_places, s->path, o);
        known = o;
    }
    return *known;
}

/* A line of the base files is there anyway; the definition that filled it is why it reads so. */
static void template_line(void *ctx, const char *text, size_t len, struct origin at,
                          const char *macro, const struct item *item)
{
    struct lower *l = ctx;
    const struct front_define *d = macro ? table_get(l->front.defines, macro) : NULL;
    if (at.file != l->last_file) {
        l->last_file = at.file;
        l->last_call = feature_call(l, at.file);
    }
    put(l, text, len, at, l->cause.file ? l->cause : d ? d->call : l->last_call, item);
}

/* --- symbols ------------------------------------------------------------------------------------
 */

/* A list that nobody added to holds a blank line at most. */
static bool has_entries(const struct lower *l, int list)
{
    for (const struct m4_piece *p = l->front.m4->sections[list]; p; p = p->next)
        for (size_t i = 0; i < p->count; i++)
            if (p->record || *p->lines[i].text)
                return true;
    return false;
}

static const char *symbol_now(void *ctx, const char *name)
{
    const struct lower *l = ctx;
    if (l->off && table_has(l->off, name))
        return NULL;
    if (strncmp(name, "_mcf_", 5) == 0) {
        if (strcmp(name, "_mcf_version") == 0)
            return "mcf-" MCF_VERSION;
        if (strcmp(name, "_mcf_daemons") == 0)
            return has_entries(l, M4_DAEMONS) ? "" : NULL;
        if (strcmp(name, "_mcf_filters") == 0)
            return has_entries(l, M4_FILTERS) ? "" : NULL;
        if (strncmp(name, "_mcf_from_", 10) == 0)
            return target_symbol(&l->front.target, name + 10);
    }
    return table_get(l->front.m4->values, name);
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
        struct origin at = p->record ? front_place(&l->front, p->record, 0)
                                     : check_text_place(&l->front, text, p->lines[i].at);
        if (*before)
            text = arena_printf(l->arena, "%s%s", before, text);
        put(l, text, strlen(text), at, p->record ? at : (struct origin){0, 0, 0, 0}, NULL);
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

static void mailer_lines(struct lower *l, const struct m4_piece *p, unsigned n)
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
    template_mailer(&t, &call, n);
}

static void section(void *ctx, unsigned n)
{
    struct lower *l = ctx;
    if (n >= M4_SECTIONS)
        return;
    for (const struct m4_piece *p = l->front.m4->sections[n]; p; p = p->next) {
        const char *kind = p->record ? p->record->kind : "";
        struct origin outer = l->cause;
        if (p->record)
            l->cause = front_place(&l->front, p->record, 0);
        if (strcmp(kind, "FEATURE") == 0)
            feature_config(l, p);
        else if (strcmp(kind, "MAILER") == 0)
            mailer_lines(l, p, n);
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

/* Whether the .cf reader would find nothing in the value but the value. */
static bool is_plain(const char *value)
{
    const char *p = value;
    for (; (unsigned char)*p >= ' ' && *p != '#' && *p != '\\' && *p != 0x7f; p++)
        continue;
    return p > value && *p == '\0' && *value != ' ' && p[-1] != ' ';
}

/* An option's line, or the remark that shows it, as the reader makes it; NULL: let it read it. None
 * of these options is a list of equates. */
static const struct item *option_item(struct lower *l, const struct buf *line,
                                      const struct option_variable *v, const char *value)
{
    if (value && !is_plain(value))
        return NULL;
    struct item *it = arena_alloc(l->arena, sizeof *it);
    it->kind = value ? ITEM_OPTION : ITEM_COMMENT;
    it->text = arena_strndup(l->arena, line->data, line->len);
    if (value) {
        it->name = v->option;
        it->value = value;
        it->aux = "=";
    }
    return it;
}

static void options(void *ctx, bool first)
{
    struct lower *l = ctx;
    static const struct origin nowhere = {0, 0, 0, 0};
    struct buf line;
    buf_init(&line, l->arena);
    for (size_t i = 0; i < COUNT(option_variables); i++) {
        const struct option_variable *v = &option_variables[i];
        if (v->first != first)
            continue;
        const char *value = table_get(l->front.m4->values, v->variable);
        const struct front_define *d = table_get(l->front.defines, v->variable);
        struct origin place = d && value ? d->value : nowhere;
        const char *shown = !value ? v->shown : *value ? value : NULL;
        buf_truncate(&line, 0);
        buf_adds(&line, value ? "O " : "#O ");
        buf_adds(&line, v->option);
        if (shown) {
            buf_addc(&line, '=');
            buf_adds(&line, shown);
        }
        const struct item *item = option_item(l, &line, v, value);
        struct origin at = place;
        if (value && item)
            at = source_place_in(source_by_id(l->front.config->sources, place.file), place,
                                 line.data, line.len, 0, line.len);
        put(l, line.data, line.len, at, place, item);
    }
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* Is it a feature that the target lacks?  Then its rules are no use to it: it is turned off. */
static bool is_off(struct lower *l, const struct m4_record *r)
{
    if (!target_lacks_feature(&l->front.target, r->argv[0]))
        return false;
    const struct rule_file *f = template_feature(&template_rulesets, r->argv[0]);
    if (f && f->flag) {
        l->off = l->off ? l->off : table_new(l->arena);
        table_set(l->off, f->flag, l);
    }
    return f != NULL;
}

static void collect_calls(struct lower *l)
{
    size_t n = 0;
    for (const struct m4_record *r = l->front.m4->records; r; r = r->next)
        n += strcmp(r->kind, "FEATURE") == 0 && r->argc > 0;
    l->calls = arena_calloc(l->arena, n + 1, sizeof *l->calls);
    l->call_records = arena_calloc(l->arena, n + 1, sizeof *l->call_records);
    size_t i = 0;
    for (const struct m4_record *r = l->front.m4->records; r; r = r->next)
        if (strcmp(r->kind, "FEATURE") == 0 && r->argc > 0 && !is_off(l, r)) {
            l->calls[i].name = r->argv[0];
            l->calls[i].args = &r->argv[1];
            l->calls[i].nargs = r->argc - 1;
            l->calls[i].then.get = symbol_then;
            l->call_records[i++] = r;
        }
    l->template.calls = l->calls;
    l->template.ncalls = i;
}

/* Where the file defined a variable that has the text as its value, or in it. */
static bool find_said(void *ctx, const char *text, size_t len, struct origin *at)
{
    const struct front *f = ctx;
    bool found = false;
    for (size_t i = 0; len > 1 && i < table_count(f->defines); i++) {
        const struct front_define *d = table_at(f->defines, i)->value;
        const struct source *s = source_by_id(f->config->sources, d->value.file);
        if (!s || !s->bytes || d->value.col == 0 || d->value.len < len)
            continue;
        const char *value = s->bytes + source_offset(s, d->value.line, d->value.col);
        if (d->value.len == len && memcmp(value, text, len) == 0) {
            *at = d->value;
            return true;
        }
        if (found)
            continue;
        *at = source_place_in(s, d->value, text, len, 0, len);
        size_t off = source_offset(s, at->line, at->col);
        found = at->len == len && len < s->len - off && memcmp(s->bytes + off, text, len) == 0 &&
                strchr("', =/", s->bytes[off + len]);
    }
    return found;
}

static bool same_finding(const struct finding *a, const struct finding *b)
{
    return a->at.file == b->at.file && a->at.line == b->at.line && a->at.col == b->at.col &&
           strcmp(a->id, b->id) == 0 && strcmp(a->text, b->text) == 0;
}

static void copy_finding(struct diag *d, const struct finding *f, enum diag_severity severity)
{
    struct finding *x = diag_add(d, severity, f->id, f->at, "%s", f->text);
    x->hint = f->hint;
    x->in_expansion_of = f->in_expansion_of;
    x->edits = f->edits;
}

/* That a release lacks it says more than that some builds do. */
static bool says_more(const struct finding *known, const struct finding *f)
{
    return strcmp(known->id, "not-in-release") == 0 &&
           (strcmp(f->id, "option-elsewhere") == 0 || strcmp(f->id, "map-class-elsewhere") == 0);
}

/* What is said about the lines, where nothing was said about the directive that made them. */
static void take_findings(const struct front *front, struct diag *d, struct diag *of_lines)
{
    size_t n, before;
    const struct finding *const *known = diag_sorted(d, &before);
    const struct finding *const *found = diag_sorted(of_lines, &n);
    for (size_t i = 0; i < n; i++) {
        const struct finding *f = found[i];
        bool follows = check_text_explains(front, f);
        for (size_t j = 0; j < before && !follows && f->at.line; j++)
            follows = known[j]->at.file == f->at.file && known[j]->at.line == f->at.line &&
                      (known[j]->severity == DIAG_ERROR || says_more(known[j], f));
        /* A value that several lines of the library have is one mistake. */
        if (!follows && (i == 0 || !same_finding(found[i - 1], f)))
            copy_finding(d, f, f->severity);
    }
}

/* The configuration that m4 and the tree speak of. */
static void make_config(struct lower *l, struct config *c, const struct lower_options *o,
                        struct diag *d)
{
    struct front *f = &l->front;
    collect_calls(l);
    if (!f->m4->complete)
        return;
    check_calls(f);
    check_defines(f);
    check_flags(f);
    target_check(f);
    check_text_find(f);

    /* With errors too: what else is wrong is said in the same run. */
    struct diag *of_lines = diag_new(l->arena, c->sources);
    bool partial = f->strays || diag_count(d, o->werror ? DIAG_WARNING : DIAG_ERROR) > 0;
    struct check_context context = {find_said, f, partial, target_variable};
    if (o->lax)
        diag_lax(of_lines);
    template_main(&l->template);
    cf_read(c, l->text.data, l->text.len, NULL, l->lines, true, of_lines);
    config_check(c, &context, of_lines);
    /* What is left out was checked, too. */
    config_for_release(c, &context, &f->target, d);
    take_findings(f, d, of_lines);
}

static void lower_once(struct config *c, const char *path, const struct lower_options *o,
                       struct diag *d)
{
    struct lower l = {.arena = c->arena};
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
    buf_reserve(&l.text, LINES * LINE_LENGTH);
    if (!front_read(&l.front, c, path, o, d))
        return;
    make_config(&l, c, o, d);
    m4_end(l.front.m4);
}

/* --- what was meant -----------------------------------------------------------------------------
 */

/* Is it a word that m4 did not take for what it was meant to be, and whose right spelling is known?
 * Much of what is found along with it follows from it. */
static bool is_misread(const struct finding *f, uint32_t file)
{
    return f->edits && f->at.file == file &&
           (strcmp(f->id, "unknown-macro") == 0 || strcmp(f->id, "no-comma") == 0 ||
            strcmp(f->id, "no-parenthesis") == 0);
}

static const struct mc_edit *meant(struct arena *a, const struct source *s,
                                   const struct finding *const *found, size_t n)
{
    struct mc_edit *list = NULL;
    for (size_t i = 0; s && s->bytes && i < n; i++)
        for (const struct edit *e = is_misread(found[i], s->id) ? found[i]->edits : NULL; e;
             e = e->next) {
            struct mc_edit *x = arena_alloc(a, sizeof *x), **to = &list;
            *x = (struct mc_edit){
                .off = source_offset(s, e->at.line, e->at.col), .len = e->at.len, .text = e->text};
            while (*to && (*to)->off < x->off)
                to = &(*to)->next;
            x->next = *to;
            *to = x;
        }
    return list;
}

static bool is_among(const struct finding *f, const struct finding *const *found, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same_finding(found[i], f))
            return true;
    return false;
}

bool lower_mc(struct config *c, const char *path, const struct lower_options *o, struct diag *d)
{
    struct arena *a = c->arena;
    struct diag *first = diag_new(a, c->sources);
    if (o->lax)
        diag_lax(first);
    lower_once(c, path, o, first);

    size_t n, n_second = 0;
    const struct finding *const *found = diag_sorted(first, &n), *const *second = NULL;
    const struct source *s = source_find(c->sources, path);
    struct lower_options again = *o;
    again.meant = meant(a, s, found, n);
    if (again.meant) {
        struct diag *then = diag_new(a, c->sources);
        if (o->lax)
            diag_lax(then);
        lower_once(config_new(a, c->sources), path, &again, then);
        second = diag_sorted(then, &n_second);
    }
    /* A file that compiles as it is goes on to do so. */
    enum diag_severity most =
        second && diag_count(first, DIAG_ERROR) == 0 ? DIAG_WARNING : DIAG_ERROR;
    bool errors = diag_count(first, DIAG_ERROR) > 0;
    for (size_t i = 0; second && i < n_second; i++)
        copy_finding(d, second[i], second[i]->severity < most ? second[i]->severity : most);
    bool told = diag_count(d, DIAG_ERROR) > 0;
    for (size_t i = 0; i < n; i++) {
        bool misread = second && is_misread(found[i], s->id);
        if (misread ? is_among(found[i], second, n_second) : second != NULL)
            continue;
        /* What was an error besides follows from these words. */
        enum diag_severity severity = misread && errors && !told ? DIAG_ERROR : found[i]->severity;
        copy_finding(d, found[i], severity);
        told = told || severity == DIAG_ERROR;
    }
    if (o->werror)
        diag_werror(d);
    return !errors && diag_count(d, DIAG_ERROR) == 0;
}
