#include "compiler/front.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/check.h"
#include "compiler/parts.h"
#include "compiler/target.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"

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

/* What the rest of a compilation takes, mostly. */
#define RESERVE ((size_t)768 << 10)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A file of the .mc or that it includes, as a tree. */
struct front_file {
    const struct source *source;
    struct mc_tree *tree;           /* of the mended text */
    const struct mc_mended *mended; /* NULL: the source is as it was read */
};

static bool in(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* --- places -------------------------------------------------------------------------------------
 */

static struct front_file *file_of(const struct front *f, uint32_t id)
{
    return id && id <= f->nfiles ? f->files[id - 1] : NULL;
}

/* The place for a file. */
static struct front_file *new_file(struct front *f, uint32_t id)
{
    if (id > f->nfiles) {
        size_t n = id + 8;
        struct front_file **files = arena_calloc(f->arena, n, sizeof *files);
        if (f->nfiles)
            memcpy(files, f->files, f->nfiles * sizeof *files);
        f->files = files;
        f->nfiles = n;
    }
    struct front_file *file = arena_alloc(f->arena, sizeof *file);
    file->source = source_by_id(f->config->sources, id);
    f->files[id - 1] = file;
    return file;
}

/* A file of a whole library of the reference: it is not the user's. */
static bool is_reference(const struct front *f, const char *path)
{
    const char *library = fs_dirname(f->arena, fs_dirname(f->arena, path));
    return fs_exists(fs_join(f->arena, library, "m4/proto.m4"));
}

/* The tree of a file that a record names; included ones are read when they are asked for. */
static const struct front_file *tree_of(struct front *f, uint32_t id)
{
    struct front_file *known = file_of(f, id);
    if (known || !id)
        return known;
    known = new_file(f, id);
    if (known->source && known->source->bytes) {
        known->tree = mc_parse(f->arena, known->source, NULL);
        if (!is_reference(f, known->source->path))
            mc_find_faults(f->arena, known->source, f->diag);
    }
    return known;
}

/* A place in the mended text, in the source. */
static struct origin unmended(const struct front_file *file, struct origin at)
{
    if (!file || !file->mended || at.line == 0 || at.col == 0)
        return at;
    size_t off = source_offset(file->tree->source, at.line, at.col);
    size_t from = mc_unmend(file->mended, off), to = mc_unmend(file->mended, off + at.len);
    return source_origin(file->source, from, to - from);
}

static const char *first_argument(const struct m4_record *r)
{
    return r->argc > 0 ? r->argv[0] : NULL;
}

/* Every record's node.  Of several calls that read the same in one line each has its own. */
static void find_nodes(struct front *f)
{
    struct table *last = table_new(f->arena);
    for (struct m4_record *r = f->m4->records; r; r = r->next) {
        const struct front_file *file = r->at.line ? tree_of(f, r->at.file) : NULL;
        if (!file || !file->tree)
            continue;
        const char *kind = r->kind, *name = first_argument(r);
        /* These are records of several macros; the first argument says of which. */
        if (name && (strcmp(kind, "command") == 0 || strcmp(kind, "refused") == 0)) {
            kind = name;
            name = r->argc > 1 ? r->argv[1] : NULL;
        }
        char *key =
            arena_printf(f->arena, "%u:%u %s %s", r->at.file, r->at.line, kind, name ? name : "");
        const struct m4_record *same = table_get(last, key);
        const struct mc_node *before = same ? same->node : NULL;
        r->node = mc_find_call(file->tree, r->at.line, kind, name, before);
        if (!r->node) /* a macro that is called again */
            r->node = before;
        if (r->node)
            table_set(last, key, r);
    }
}

const struct mc_tree *front_tree(const struct front *f, uint32_t file)
{
    const struct front_file *known = file_of(f, file);
    return known ? known->tree : NULL;
}

struct origin front_node_place(const struct front *f, uint32_t file, const struct mc_node *node,
                               size_t arg)
{
    const struct front_file *known = file_of(f, file);
    const struct mc_tree *t = known->tree;
    return unmended(known, arg ? mc_arg_origin(t, node, arg) : mc_origin(t, node));
}

struct origin front_place(const struct front *f, const struct m4_record *r, size_t arg)
{
    const struct front_file *file = file_of(f, r->at.file);
    if (r->at.line == 0 || !file || !file->tree)
        return r->at;
    if (r->node)
        return front_node_place(f, r->at.file, r->node, arg);
    const struct mc_node *outer = mc_outermost_at(file->tree, r->at.line, NULL);
    return outer ? front_node_place(f, r->at.file, outer, 0) : r->at;
}

void front_blame(const struct front *f, struct finding *x, const struct m4_record *r)
{
    const struct front_file *file = file_of(f, r->at.file);
    if (r->node || !file || !file->tree || r->at.line == 0)
        return;
    const struct mc_node *outer = mc_outermost_at(file->tree, r->at.line, NULL);
    if (outer)
        x->in_expansion_of = mc_name(f->arena, file->tree, outer);
}

/* Is it the file that m4 found by the name, in some folder? */
static bool is_called(const struct source *s, const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    size_t n = strlen(s->path), k = strlen(name);
    return k > 0 && n >= k && strcmp(s->path + n - k, name) == 0 &&
           (n == k || s->path[n - k - 1] == '/');
}

/* Where the files come from that are not the user's own. */
static void find_includes(struct front *f)
{
    for (const struct m4_record *r = f->m4->records; r; r = r->next) {
        if (r->argc == 0 || (strcmp(r->kind, "include") != 0 && strcmp(r->kind, "sinclude") != 0))
            continue;
        for (uint32_t id = 1; id <= source_count(f->config->sources); id++) {
            struct source *s = source_by_id(f->config->sources, id);
            if (id != f->source->id && id != r->at.file && s->included_from.file == 0 &&
                is_called(s, r->argv[0]))
                s->included_from = front_place(f, r, 0);
        }
    }
}

static void find_defines(struct front *f)
{
    f->defines = table_new(f->arena);
    for (const struct m4_record *r = f->m4->records; r; r = r->next)
        if (r->argc > 0 && (strcmp(r->kind, "define") == 0 || strcmp(r->kind, "pushdef") == 0)) {
            struct front_define *x = arena_alloc(f->arena, sizeof *x);
            x->record = r;
            x->call = front_place(f, r, 0);
            x->name = r->node ? front_place(f, r, 1) : x->call;
            x->value = r->node && r->argc > 1 ? front_place(f, r, 2) : x->call;
            table_set(f->defines, r->argv[0], x);
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
static bool ours(const struct front *f, const char *kind, const char *name)
{
    if (strcmp(kind, "ostype") == 0)
        return in(known_ostypes, COUNT(known_ostypes), name);
    if (strcmp(kind, "domain") == 0)
        return in(known_domains, COUNT(known_domains), name);
    if (strcmp(kind, "feature") == 0)
        return template_feature(f->library, name) != NULL;
    if (strcmp(kind, "mailer") == 0)
        return template_mailer_file(f->library, name) != NULL;
    return false;
}

static void site_files(const struct front *f, const char *dir, bool whole_library,
                       struct m4_define **list)
{
    static const char *const kinds[] = {"ostype", "domain", "feature",
                                        "hack",   "mailer", "siteconfig"};
    /* A folder that holds a whole reference library adds what ours lacks. */
    whole_library = whole_library || fs_exists(fs_join(f->arena, dir, "m4/proto.m4"));
    for (size_t k = 0; k < COUNT(kinds); k++) {
        char *sub = fs_join(f->arena, dir, kinds[k]);
        DIR *d =
            f->options->confine && !fs_is_below(sub, f->options->confine) ? NULL : opendir(sub);
        if (!d)
            continue;
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            size_t n = strlen(e->d_name);
            if (n < 4 || strcmp(e->d_name + n - 3, ".m4") != 0)
                continue;
            char *name = arena_strndup(f->arena, e->d_name, n - 3);
            char *key = arena_printf(f->arena, "%s_%s", kinds[k], name);
            if (strchr(name, '=') || defined(*list, key) ||
                (whole_library && ours(f, kinds[k], name)))
                continue;
            add_define(f->arena, list, key, fs_join(f->arena, sub, e->d_name));
        }
        closedir(d);
    }
}

/* --- names for "did you mean"
 * --------------------------------------------------------------------- */

const char *const *front_names(const struct front *f, const char *kind, size_t *n)
{
    bool feature = strcmp(kind, "feature") == 0, mailer = strcmp(kind, "mailer") == 0;
    size_t count = feature                       ? f->library->nfeatures
                   : mailer                      ? f->library->nmailers
                   : strcmp(kind, "ostype") == 0 ? COUNT(known_ostypes)
                   : strcmp(kind, "domain") == 0 ? COUNT(known_domains)
                                                 : 0;
    size_t site = 0;
    for (const struct m4_define *x = f->site; x; x = x->next)
        site++;
    const char **names = arena_calloc(f->arena, count + site + 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = feature                       ? f->library->features[i]->name
                   : mailer                      ? f->library->mailers[i]->name
                   : strcmp(kind, "ostype") == 0 ? known_ostypes[i]
                                                 : known_domains[i];
    size_t len = strlen(kind);
    for (const struct m4_define *x = f->site; x; x = x->next)
        if (strncmp(x->name, kind, len) == 0 && x->name[len] == '_')
            names[count++] = x->name + len + 1;
    *n = count;
    return names;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* m with more edits of the source; those that touch one of m's are left out. */
static struct mc_mended *mend_more(const struct front *f, const struct mc_mended *m,
                                   const struct mc_edit *more)
{
    struct mc_mended *all = arena_alloc(f->arena, sizeof *all);
    struct mc_edit *list = NULL, **to = &list;
    const struct source *s = f->source;
    const struct mc_edit *own = m->edits;
    size_t done = 0;
    struct buf text;
    buf_init(&text, f->arena);
    *all = *m;
    while (own || more) {
        const struct mc_edit **from =
            !own || (more && more->off + more->len < own->off) ? &more : &own;
        const struct mc_edit *e = *from;
        *from = e->next;
        if (list && e->off <= done)
            continue;
        buf_add(&text, s->bytes + done, e->off - done);
        buf_adds(&text, e->text);
        done = e->off + e->len;
        *to = arena_alloc(f->arena, sizeof **to);
        **to = (struct mc_edit){.off = e->off, .len = e->len, .text = e->text};
        to = &(*to)->next;
    }
    buf_add(&text, s->bytes + done, s->len - done);
    all->text = text.data;
    all->len = text.len;
    all->edits = list;
    return all;
}

/* The text that is compiled: the file's, or what it says once its faults are mended. */
static const struct source *mend(struct front *f)
{
    struct front_file *file = new_file(f, f->source->id);
    struct mc_mended *m = mc_mend(f->arena, f->source, f->diag);
    f->unclosed = m->edits != NULL;
    if (f->options->meant)
        m = mend_more(f, m, f->options->meant);
    if (!m->edits)
        return f->source;
    file->mended = f->mended = m;
    return source_variant(f->config->sources, f->source, m->text, m->len);
}

/* What the tree finds in the mended text, said of the file. */
static void carry_back(const struct front *f, const struct front_file *file, struct diag *of_text)
{
    size_t n;
    const struct finding *const *found = diag_sorted(of_text, &n);
    for (size_t i = 0; i < n; i++) {
        const struct finding *x = found[i];
        struct finding *y =
            diag_add(f->diag, x->severity, x->id, unmended(file, x->at), "%s", x->text);
        if (x->hint)
            diag_hint(f->diag, y, "%s", x->hint);
        for (const struct edit *e = x->edits; e; e = e->next)
            diag_edit(f->diag, y, unmended(file, e->at), e->text);
    }
}

/* What m4 need not wait for: faults that it must not see, the tree, the site's own library files.
 */
struct rest {
    struct front *front;
    const char *const *dirs;
};

/* --- what the file can mean --- */

enum { OTHERS = 32, OTHER_MAX = 256 << 10 };

struct texts {
    struct parts_text v[OTHERS + 1]; /* the file's own first */
    const char *paths[OTHERS + 1];
    size_t n;
};

static void add_text(const struct front *f, struct texts *t, const char *path)
{
    const char *confine = f->options->confine;
    struct stat st;
    char *bytes;
    size_t len;
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->paths[i], path) == 0)
            return;
    if (t->n > OTHERS || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return; /* what is no plain file can be read only once */
    int err = confine ? fs_read_below(f->arena, confine, path, OTHER_MAX, &bytes, &len)
                      : fs_read(f->arena, path, OTHER_MAX, &bytes, &len);
    if (err)
        return;
    t->paths[t->n] = path;
    t->v[t->n++] = (struct parts_text){bytes, len};
}

/* The files that a text seems to include, and the site's own that it seems to name. */
static void add_others(const struct front *f, struct texts *t, const char *const *dirs,
                       const struct parts_text *of)
{
    static const char include[] = "include(`";
    const char *p = of->bytes, *end = p + of->len, *quote;
    for (const struct m4_define *x = f->site; x; x = x->next) {
        const char *name = strchr(x->name, '_') + 1; /* "feature_foo" */
        if (memmem(of->bytes, of->len, name, strlen(name)))
            add_text(f, t, x->value);
    }
    while ((p = memmem(p, (size_t)(end - p), include, strlen(include))) != NULL) {
        p += strlen(include);
        if ((quote = memchr(p, '\'', (size_t)(end - p))) == NULL)
            break;
        const char *path = arena_strndup(f->arena, p, (size_t)(quote - p));
        if (strcmp(fs_basename(path), "cf.m4") == 0)
            continue;
        size_t before = t->n;
        add_text(f, t, path);
        for (const char *const *dir = dirs; *path != '/' && t->n == before && *dir; dir++)
            add_text(f, t, fs_join(f->arena, *dir, path));
    }
}

static void find_site_files(struct front *f, const char *const *dirs)
{
    const char *confine = f->options->confine;
    for (const char *const *dir = dirs; *dir; dir++) {
        if (dir > dirs && confine && !fs_is_below(*dir, confine))
            finding_add(f->diag, FINDING_CONFINED, (struct origin){0, 0, 0, 0}, *dir, confine,
                        NULL);
        site_files(f, *dir, false, &f->site);
    }
}

static struct m4_texts find_texts(void *ctx)
{
    const struct rest *rest = ctx;
    struct front *f = rest->front;
    struct texts *t = arena_alloc(f->arena, sizeof *t);
    t->paths[0] = f->path;
    t->v[t->n++] = f->mended ? (struct parts_text){f->mended->text, f->mended->len}
                             : (struct parts_text){f->source->bytes, f->source->len};
    if (!f->mended)
        find_site_files(f, rest->dirs);
    for (size_t i = 0; i < t->n; i++)
        add_others(f, t, rest->dirs, &t->v[i]);
    return (struct m4_texts){t->v, t->n};
}

static void read_rest(void *ctx, struct m4_late *late)
{
    const struct rest *rest = ctx;
    struct front *f = rest->front;
    const struct source *text = mend(f);
    struct front_file *file = file_of(f, f->source->id);
    struct diag *of_text = f->mended ? diag_new(f->arena, f->config->sources) : f->diag;
    f->tree = file->tree = mc_parse(f->arena, text, of_text);
    if (f->mended)
        carry_back(f, file, of_text);
    f->unclosed = f->unclosed || f->tree->unclosed > 0;
    const struct mc_include_cf *library = mc_find_include_cf(f->arena, f->tree);
    if (library)
        site_files(f, fs_join(f->arena, rest->dirs[0], library->root), true, &f->site);
    if (f->mended) {
        late->text = f->mended->text;
        late->text_len = f->mended->len;
    }
    late->site = f->site;
    late->comments = f->tree->comments;
    late->unclosed_known = f->unclosed;
}

/* What m4 has nothing to do with. */
static void prepare(void *ctx)
{
    const struct rest *rest = ctx;
    struct front *f = rest->front;
    f->target = f->options->target;
    if (!f->target.number)
        target_default(f->arena, &f->target);
    arena_reserve(f->arena, RESERVE);
    f->known = check_known_names(f);
}

bool front_read(struct front *f, struct config *c, const char *path, const struct lower_options *o,
                struct diag *d)
{
    int err = 0;
    f->arena = c->arena;
    f->config = c;
    f->diag = d;
    f->options = o;
    f->path = path;
    f->library = &template_rulesets;
    if (o->confine)
        source_set_confine(c->sources, o->confine);
    f->source = source_open(c->sources, path, &err);
    if (!f->source->bytes && err == EXDEV) {
        finding_add(d, FINDING_CONFINED, (struct origin){f->source->id, 0, 0, 0}, path, o->confine,
                    NULL);
        return false;
    }
    if (!f->source->bytes) {
        finding_add(d, FINDING_CANNOT_READ, (struct origin){f->source->id, 0, 0, 0}, path,
                    strerror(err), NULL);
        return false;
    }
    const char *nul = memchr(f->source->bytes, '\0', f->source->len);
    if (nul) {
        finding_add(d, FINDING_NUL_BYTE,
                    source_origin(f->source, (size_t)(nul - f->source->bytes), 1), NULL);
        return false;
    }
    /* Where includes and the site's own library files are looked for: beside the file first, as for
     * a person who reads it. */
    size_t n = 0;
    while (o->include_dirs && o->include_dirs[n])
        n++;
    const char **dirs = arena_calloc(f->arena, n + 2, sizeof *dirs);
    dirs[0] = fs_dirname(f->arena, path);
    for (size_t i = 0; i < n; i++)
        dirs[i + 1] = o->include_dirs[i];

    struct rest rest = {f, dirs};
    struct m4_options mo = {.texts = find_texts,
                            .meanwhile = read_rest,
                            .then = prepare,
                            .ctx = &rest,
                            .defines = o->defines,
                            .include_dirs = dirs,
                            .text = o->given ? f->source->bytes : NULL,
                            .text_len = f->source->len,
                            .confine = o->confine,
                            .allow_commands = o->allow_commands,
                            .cpu_seconds = o->cpu_seconds};
    f->m4 = m4_run(f->arena, c->sources, d, path, &mo);
    /* m4 came to the end inside of something that an included file left open: where exactly? */
    for (uint32_t id = 1; !f->m4->complete && id <= source_count(c->sources); id++)
        tree_of(f, id);
    find_nodes(f);
    find_includes(f);
    find_defines(f);
    return true;
}
