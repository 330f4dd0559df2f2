#include "compiler/template.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

/* The call that lines are made for: inside %for, %at, %config and a mailer's body. */
struct frame {
    const struct rule_file *owner;
    const struct template_call *call; /* NULL: on, and never called */
    bool again;
    const struct frame *outer;
};

/* A feature that hooks take blocks from. */
struct hooked {
    size_t file;
    const struct template_call *call; /* NULL: on, and never called */
    bool again;
};

/* What stays the same while one list of nodes is written. */
struct run {
    const struct template *t;
    const struct template_symbols *then; /* %config, mailers: all names come from here */
    struct buf buf;                      /* the line being made */
    uint32_t *ids;                       /* source ids by file index, 0 = not registered yet */
    char *on;                            /* by file index: 'y', 'n', or 0: not asked yet */
    const char *macro;                   /* whose text went into the line first */
    bool blank;                          /* the last line was blank */
    struct hooked *hooked;               /* in order; NULL: not asked for yet */
    size_t nhooked;
};

/* --- names --- */

static const char *argument(const struct template_call *call, unsigned n)
{
    if (!call || n > call->nargs || !call->args[n - 1] || !*call->args[n - 1])
        return NULL;
    return call->args[n - 1];
}

/* Inside of its frames a feature's call is the innermost one, elsewhere the last one. */
static const struct template_call *call_of(const struct run *r, const struct frame *frame,
                                           const struct rule_file *owner)
{
    for (; frame; frame = frame->outer) {
        if (frame->owner == owner)
            return frame->call;
    }
    if (owner->kind != RULE_FILE_FEATURE)
        return NULL;
    for (size_t i = r->t->ncalls; i-- > 0;) {
        if (strcmp(r->t->calls[i].name, owner->name) == 0)
            return &r->t->calls[i];
    }
    return NULL;
}

static const char *macro_value(const struct run *r, const struct frame *frame, const char *name)
{
    if (r->then)
        return r->then->get(r->then->ctx, name);
    for (; frame; frame = frame->outer) {
        if (!frame->call)
            continue;
        for (const char *const *w = frame->owner->reads; *w; w++) {
            if (strcmp(*w, name) == 0)
                return frame->call->then.get(frame->call->then.ctx, name);
        }
    }
    return r->t->now.get(r->t->now.ctx, name);
}

static const char *value(const struct run *r, const struct frame *frame, const struct rule_name *n)
{
    const struct rule_file *owner = r->t->lib->files[n->owner];
    const struct template_call *call;
    switch (n->ref) {
    case RULE_REF_MACRO:
        return macro_value(r, frame, n->macro);
    case RULE_REF_FLAG:
        return macro_value(r, frame, n->macro) ? "" : NULL;
    case RULE_REF_ARG:
        return argument(call_of(r, frame, owner), n->arg);
    case RULE_REF_COUNT:
        call = call_of(r, frame, owner);
        return call ? arena_printf(r->t->arena, "%zu", call->nargs) : NULL;
    case RULE_REF_AGAIN:
        for (; frame; frame = frame->outer) {
            if (frame->owner == owner)
                return frame->again ? "" : NULL;
        }
        return NULL;
    case RULE_REF_UNKNOWN:
        break;
    }
    return NULL;
}

static bool holds(const struct run *r, const struct frame *frame, const struct rule_expr *e)
{
    const char *v;
    switch (e->op) {
    case RULE_OP_NAME:
        return value(r, frame, e->name) != NULL;
    case RULE_OP_NOT:
        return !holds(r, frame, e->left);
    case RULE_OP_AND:
        return holds(r, frame, e->left) && holds(r, frame, e->right);
    case RULE_OP_OR:
        return holds(r, frame, e->left) || holds(r, frame, e->right);
    case RULE_OP_EQ:
    case RULE_OP_NE:
        v = value(r, frame, e->name);
        return (strcmp(v ? v : "", e->text) == 0) == (e->op == RULE_OP_EQ);
    }
    return false;
}

/* --- lines --- */

static void fill(struct run *r, const struct frame *frame, const struct rule_piece *p)
{
    for (; p; p = p->next) {
        const char *v = p->kind == RULE_PIECE_TEXT ? p->text : value(r, frame, p->name);
        if (v && *v && !r->macro && p->kind != RULE_PIECE_TEXT && p->name->ref == RULE_REF_MACRO)
            r->macro = p->name->macro;
        switch (p->kind) {
        case RULE_PIECE_TEXT:
        case RULE_PIECE_VALUE:
            if (v)
                buf_adds(&r->buf, v);
            break;
        case RULE_PIECE_ELSE:
            if (v && *v)
                buf_adds(&r->buf, v);
            else
                fill(r, frame, p->body);
            break;
        case RULE_PIECE_WHEN:
            if (v)
                fill(r, frame, p->body);
            break;
        case RULE_PIECE_FULL:
            if (v && *v)
                fill(r, frame, p->body);
            break;
        }
    }
}

static struct origin place(struct run *r, unsigned file, const struct rule_node *n)
{
    if (!r->ids[file])
        r->ids[file] = source_add(r->t->sources, r->t->lib->files[file]->path, NULL, 0)->id;
    struct origin at = {r->ids[file], n->line, 0, 0};
    return at;
}

static void put(struct run *r, const char *text, size_t len, struct origin at,
                const struct item *item)
{
    r->blank = len == 0;
    r->t->line(r->t->ctx, text, len, at, len ? r->macro : NULL, item);
}

/* A run of blank lines, as guards leave them behind, becomes one; a line whose substitutions came
 * to nothing is none. */
static void put_text(struct run *r, const struct frame *frame, unsigned file,
                     const struct rule_node *n)
{
    struct origin at = place(r, file, n);
    if (!n->text) {
        if (!r->blank)
            put(r, "", 0, at, NULL);
        return;
    }
    r->macro = NULL;
    if (n->item) {
        put(r, n->text->text, strlen(n->text->text), at, n->item);
        return;
    }
    buf_truncate(&r->buf, 0);
    fill(r, frame, n->text);
    if (r->buf.len == 0)
        return;
    for (char *s = r->buf.data, *end; s; s = end) {
        end = strchr(s, '\n');
        size_t len = end ? (size_t)(end - s) : strlen(s);
        if (end)
            *end++ = '\0';
        put(r, s, len, at, NULL);
    }
}

/* --- nodes --- */

static void write_nodes(struct run *r, const struct frame *frame, unsigned file,
                        const struct rule_node *list);

static bool knocked_out(const struct run *r, const struct rule_node *n)
{
    return n->block && n->block == r->t->knockout;
}

static void write_if(struct run *r, const struct frame *frame, unsigned file,
                     const struct rule_node *n)
{
    for (const struct rule_node *b = n->body; b; b = b->next) {
        if (b->guard && !holds(r, frame, b->guard))
            continue;
        if (!knocked_out(r, b))
            write_nodes(r, frame, file, b->body);
        return;
    }
}

/* Values stay the same during a run. */
static bool is_on(struct run *r, size_t file)
{
    if (!r->on[file])
        r->on[file] = macro_value(r, NULL, r->t->lib->files[file]->flag) ? 'y' : 'n';
    return r->on[file] == 'y';
}

static void write_for(struct run *r, const struct frame *frame, unsigned file,
                      const struct rule_node *n)
{
    struct frame f = {.owner = r->t->lib->files[n->target], .outer = frame};
    if (!is_on(r, n->target))
        return;
    for (size_t i = 0; i < r->t->ncalls; i++) {
        f.call = &r->t->calls[i];
        if (strcmp(f.call->name, f.owner->name) != 0)
            continue;
        write_nodes(r, &f, file, n->body);
        f.again = true;
    }
}

/* %at name, or %config section. */
struct blocks {
    enum rule_kind kind;
    const char *name;
    unsigned section;
};

static bool is_of(const struct rule_node *n, const struct blocks *which)
{
    return n->kind == which->kind && n->number == which->section &&
           (!which->name || strcmp(n->name, which->name) == 0);
}

/* Those blocks of a file. */
static void write_blocks(struct run *r, const struct frame *frame, unsigned file,
                         const struct rule_node *list, const struct blocks *which)
{
    for (const struct rule_node *n = list; n; n = n->next) {
        if (is_of(n, which) && !knocked_out(r, n))
            write_nodes(r, frame, file, n->body);
        if (n->kind != RULE_IF)
            continue;
        const struct rule_node *b = n->body;
        while (b && b->guard && !holds(r, frame, b->guard))
            b = b->next;
        if (b && !knocked_out(r, b))
            write_blocks(r, frame, file, b->body, which);
    }
}

/* --- hooks --- */

/* The index of the feature that bears the name; lib->nfiles for none. */
static size_t feature_index(const struct rule_library *lib, const char *name)
{
    size_t i = 0;
    while (i < lib->nfiles &&
           (lib->files[i]->kind != RULE_FILE_FEATURE || lib->files[i]->name[0] != name[0] ||
            strcmp(lib->files[i]->name, name) != 0))
        i++;
    return i;
}

static bool called_before(const struct template *t, size_t call)
{
    for (size_t i = 0; i < call; i++) {
        if (strcmp(t->calls[i].name, t->calls[call].name) == 0)
            return true;
    }
    return false;
}

/* Features that were called come first, in the order of the calls: a %repeat feature once a call,
 * another once, with its last call's arguments.  Then those that are on since the .mc defined their
 * flag itself. */
static void find_hooked(struct run *r)
{
    const struct template *t = r->t;
    const struct rule_library *lib = t->lib;
    r->hooked = arena_calloc(t->arena, t->ncalls + lib->nfiles + 1, sizeof *r->hooked);
    for (size_t i = 0; i < t->ncalls; i++) {
        struct hooked h = {feature_index(lib, t->calls[i].name), &t->calls[i], called_before(t, i)};
        if (h.file == lib->nfiles || !is_on(r, h.file))
            continue;
        const struct rule_file *owner = lib->files[h.file];
        if (!owner->repeat && h.again)
            continue;
        if (!owner->repeat)
            h.call = call_of(r, NULL, owner);
        r->hooked[r->nhooked++] = h;
    }
    for (size_t file = 0; file < lib->nfiles; file++)
        if (lib->files[file]->kind == RULE_FILE_FEATURE && is_on(r, file) &&
            !call_of(r, NULL, lib->files[file]))
            r->hooked[r->nhooked++] = (struct hooked){file, NULL, false};
}

static void write_hook(struct run *r, const struct frame *frame, const char *name)
{
    const struct blocks which = {RULE_AT, name, 0};
    if (!r->hooked)
        find_hooked(r);
    for (size_t i = 0; i < r->nhooked; i++) {
        const struct hooked *h = &r->hooked[i];
        struct frame f = {r->t->lib->files[h->file], h->call, h->again, frame};
        write_blocks(r, &f, (unsigned)h->file, f.owner->body, &which);
    }
}

static void write_node(struct run *r, const struct frame *frame, unsigned file,
                       const struct rule_node *n)
{
    switch (n->kind) {
    case RULE_TEXT:
        put_text(r, frame, file, n);
        break;
    case RULE_IF:
        write_if(r, frame, file, n);
        break;
    case RULE_FOR:
        if (!knocked_out(r, n))
            write_for(r, frame, file, n);
        break;
    case RULE_HOOK:
        write_hook(r, frame, n->name);
        break;
    case RULE_INCLUDE:
        write_nodes(r, frame, n->target, r->t->lib->files[n->target]->body);
        break;
    case RULE_SECTION:
        r->t->section(r->t->ctx, n->number);
        r->blank = false;
        break;
    case RULE_OPTIONS:
        r->t->options(r->t->ctx, n->name != NULL);
        r->blank = false;
        break;
    case RULE_BRANCH:
    case RULE_AT:
    case RULE_CONFIG:
    case RULE_M4:
        break; /* these are reached in other ways, or have done their work in m4 */
    }
}

static void write_nodes(struct run *r, const struct frame *frame, unsigned file,
                        const struct rule_node *list)
{
    for (; list; list = list->next)
        write_node(r, frame, file, list);
}

/* --- entries --- */

static struct run start(const struct template *t, const struct template_symbols *then)
{
    struct run r = {.t = t, .then = then, .blank = true};
    buf_init(&r.buf, t->arena);
    r.ids = arena_calloc(t->arena, t->lib->nfiles, sizeof *r.ids);
    r.on = arena_calloc(t->arena, t->lib->nfiles, sizeof *r.on);
    return r;
}

void template_main(const struct template *t)
{
    struct run r = start(t, NULL);
    unsigned file = 0;
    while (t->lib->files[file] != t->lib->main)
        file++;
    write_nodes(&r, NULL, file, t->lib->main->body);
}

void template_feature_config(const struct template *t, size_t call)
{
    size_t file = feature_index(t->lib, t->calls[call].name);
    if (file == t->lib->nfiles)
        return;
    struct template so_far = *t;
    so_far.ncalls = call + 1;
    struct run r = start(&so_far, &t->calls[call].then);
    struct frame f = {t->lib->files[file], &t->calls[call], called_before(t, call), NULL};
    const struct blocks which = {RULE_CONFIG, NULL, RULE_LOCAL_CONFIG};
    write_blocks(&r, &f, (unsigned)file, f.owner->body, &which);
}

void template_mailer(const struct template *t, const struct template_call *mailer, unsigned section)
{
    struct run r = start(t, &mailer->then);
    const struct blocks which = {RULE_CONFIG, NULL, section};
    for (size_t i = 0; i < t->lib->nfiles; i++) {
        struct frame f = {t->lib->files[i], mailer, false, NULL};
        if (f.owner->kind != RULE_FILE_MAILER || strcmp(f.owner->name, mailer->name) != 0)
            continue;
        if (section == RULE_MAILERS)
            write_nodes(&r, &f, (unsigned)i, f.owner->body);
        else
            write_blocks(&r, &f, (unsigned)i, f.owner->body, &which);
    }
}

static const struct rule_file *named(const struct rule_file *const *files, size_t n,
                                     const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (files[i]->name[0] == name[0] && strcmp(files[i]->name, name) == 0)
            return files[i];
    }
    return NULL;
}

const struct rule_file *template_feature(const struct rule_library *lib, const char *name)
{
    return named(lib->features, lib->nfeatures, name);
}

const struct rule_file *template_mailer_file(const struct rule_library *lib, const char *name)
{
    return named(lib->mailers, lib->nmailers, name);
}

static const struct rule_node *find_block(const struct rule_node *n, uint32_t number)
{
    for (; n; n = n->next) {
        const struct rule_node *found = n->block == number ? n : find_block(n->body, number);
        if (found)
            return found;
    }
    return NULL;
}

bool template_block_place(const struct rule_library *lib, uint32_t n, const char **path,
                          uint32_t *line)
{
    if (n == 0 || n > lib->blocks)
        return false;
    size_t file = 0;
    while (file + 1 < lib->nfiles && lib->files[file + 1]->first_block <= n)
        file++;
    const struct rule_node *block = find_block(lib->files[file]->body, n);
    if (!block)
        return false;
    *path = lib->files[file]->path;
    *line = block->line;
    return true;
}
