#include "grammar/mc_tree.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "lib/model/findings.h"

/* Building. */

struct mc_node *mc_build_leaf(struct mc_parse *p, int *kind)
{
    struct mc_token t = mc_scan_next(p->scan);
    *kind = t.kind;
    if (t.kind == MC_T_END || t.kind == MC_T_MISSING)
        return NULL;
    struct mc_node *n = arena_alloc(p->arena, sizeof *n);
    n->kind = t.kind == MC_T_CALL_NAME    ? MC_NAME
              : t.kind == MC_T_GROUP_OPEN ? MC_OPEN
                                          : (enum mc_kind)t.kind;
    n->off = t.off;
    n->len = t.len;
    return n;
}

struct mc_list mc_build_none(void)
{
    return (struct mc_list){NULL, NULL};
}

struct mc_list mc_build_append(struct mc_list list, struct mc_node *node)
{
    if (!node)
        return list;
    if (list.last)
        list.last->next = node;
    else
        list.first = node;
    list.last = node;
    return list;
}

/* An inner node over children, whose span is theirs. */
static struct mc_node *build(struct mc_parse *p, enum mc_kind kind, struct mc_list children)
{
    struct mc_node *n = arena_alloc(p->arena, sizeof *n);
    n->kind = kind;
    n->first = children.first;
    for (struct mc_node *c = n->first; c; c = c->next)
        c->parent = n;
    if (n->first) {
        n->off = n->first->off;
        n->len = children.last->off + children.last->len - n->off;
    }
    return n;
}

struct mc_node *mc_build_arg(struct mc_parse *p, struct mc_list items)
{
    return build(p, MC_ARG, items);
}

struct mc_node *mc_build_call(struct mc_parse *p, struct mc_node *name, struct mc_node *open,
                              struct mc_list args, struct mc_node *close)
{
    struct mc_list all = mc_build_append(mc_build_append(mc_build_none(), name), open);
    size_t end = open->off + open->len;
    for (struct mc_node *c = args.first; c; c = c->next) {
        if (!c->first)
            c->off = end; /* an empty argument stands after what is before it */
        end = c->off + c->len;
    }
    all.last->next = args.first;
    all.last = args.last;
    all = mc_build_append(all, close);
    struct mc_node *call = build(p, MC_CALL, all);
    call->unclosed = !close;
    return call;
}

struct mc_node *mc_build_pair(struct mc_parse *p, enum mc_kind kind, struct mc_node *open,
                              struct mc_list items, struct mc_node *close)
{
    struct mc_list all = mc_build_append(mc_build_none(), open);
    if (items.first && all.last) {
        all.last->next = items.first;
        all.last = items.last;
    }
    all = mc_build_append(all, close);
    struct mc_node *pair = build(p, kind, all);
    pair->unclosed = !close;
    return pair;
}

void mc_build_file(struct mc_parse *p, struct mc_list items)
{
    p->tree->root = build(p, MC_FILE, items);
}

void mc_build_failed(struct mc_parse *p, const char *text)
{
    /* The scanner's output always has a tree, so that only memory can be the reason. */
    (void)text;
    arena_calloc(p->arena, SIZE_MAX, 2);
}

/* Which calls there are, and the line that m4 reports for each. */

static bool is_name_of_call(const struct mc_node *n)
{
    return n->kind == MC_NAME && n->parent->kind == MC_CALL;
}

/* m4 reads what a quote holds when the call around it has been read; what comes out of a call has
 * the line where the call begins.  Inside the outermost quote every call has that line. */
static uint32_t reported_line(const struct mc_tree *t, const struct mc_node *node)
{
    const struct mc_node *at = node;
    bool quoted = false;
    for (const struct mc_node *n = node->parent; n; n = n->parent) {
        if (n->kind == MC_QUOTED)
            quoted = true;
        else if (n->kind == MC_CALL && quoted) {
            at = n;
            quoted = false;
        }
    }
    return source_origin(t->source, at->off, 0).line;
}

static void collect_calls(struct mc_parse *p)
{
    struct mc_tree *t = p->tree;
    size_t n = 0;
    const struct mc_node **calls = NULL;
    for (int round = 0; round < 2; round++) { /* count, then fill */
        if (round)
            calls = arena_calloc(p->arena, n, sizeof *calls);
        n = 0;
        for (const struct mc_node *i = t->root; i; i = mc_next(i, t->root)) {
            struct mc_node *node = (struct mc_node *)i; /* still ours to write */
            if (node->kind == MC_NAME && !is_name_of_call(node))
                node->macro =
                    mc_scan_word(p->scan, t->source->bytes + node->off, node->len) == MC_WORD_BARE;
            if (node->kind != MC_CALL && !node->macro)
                continue;
            if (calls) {
                node->line = reported_line(t, node);
                calls[n] = node;
            }
            n++;
        }
    }
    t->calls = calls;
    t->ncalls = n;
}

/* Findings. */

static struct finding *add_unclosed_quote(struct diag *d, const struct source *src,
                                          const struct mc_repair *r)
{
    struct finding *f =
        finding_add(d, FINDING_UNCLOSED_QUOTE, source_origin(src, r->off, r->width),
                    arena_strndup(diag_arena(d), src->bytes + r->off, r->width), NULL);
    struct origin end = source_origin(src, r->end, 0);
    if (r->end < src->len && (src->bytes[r->end] == ')' || src->bytes[r->end] == ','))
        diag_hint(d, f, "close it before the %c in column %u", src->bytes[r->end], end.col);
    else
        diag_hint(d, f, "close it at the end of the line");
    return f;
}

static struct finding *add_unclosed_parenthesis(struct diag *d, const struct source *src,
                                                const struct mc_repair *r)
{
    struct finding *f = finding_add(
        d, FINDING_UNCLOSED_PARENTHESIS, source_origin(src, r->off, 1),
        arena_strndup(diag_arena(d), src->bytes + r->off - r->name_len, r->name_len), NULL);
    struct origin end = source_origin(src, r->end, 0);
    diag_hint(d, f, "put a ) after line %u, column %u", end.line, end.col > 1 ? end.col - 1 : 1);
    return f;
}

/* What the tree closed, as text that is missing there. */
static void add_missing(struct mc_tree *t, size_t off, const char *text)
{
    struct mc_edit *e = arena_alloc(t->arena, sizeof *e), **to = &t->missing;
    e->off = off;
    e->text = text;
    while (*to && (*to)->off <= off)
        to = &(*to)->next;
    e->next = *to;
    *to = e;
}

static void add_findings(struct mc_parse *p, struct diag *d)
{
    const struct source *src = p->tree->source;
    size_t n, deep;
    const struct mc_repair *r = mc_scan_repairs(p->scan, &n);
    if (mc_scan_too_deep(p->scan, &deep)) { /* the rest follows from that */
        p->tree->unclosed++;
        if (d)
            finding_add(d, FINDING_NESTING_TOO_DEEP, source_origin(src, deep, 1),
                        arena_printf(diag_arena(d), "%d", MC_DEPTH_MAX), NULL);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!r[i].used || r[i].kind == MC_REPAIR_TEXT)
            continue;
        const char *text = r[i].kind == MC_REPAIR_QUOTE ? "'" : ")";
        p->tree->unclosed++;
        add_missing(p->tree, r[i].end, text);
        if (!d)
            continue;
        struct finding *f = r[i].kind == MC_REPAIR_QUOTE ? add_unclosed_quote(d, src, &r[i])
                                                         : add_unclosed_parenthesis(d, src, &r[i]);
        diag_edit(d, f, source_origin(src, r[i].end, 0), text);
    }
}

struct mc_tree *mc_parse(struct arena *a, const struct source *source, struct diag *d)
{
    struct mc_parse p = {.arena = a};
    p.tree = arena_alloc(a, sizeof *p.tree);
    p.tree->arena = a;
    p.tree->source = source;
    p.scan = mc_scan_new(a, source);
    mc_scan_hope(p.scan);
    mc_scan_start(p.scan);
    mc_yyparse(&p);
    if (!mc_scan_came_true(p.scan)) {
        mc_scan_resolve(p.scan);
        mc_scan_start(p.scan);
        p.at = 0;
        mc_yyparse(&p);
    }
    p.tree->comments = mc_scan_comments(p.scan);
    collect_calls(&p);
    add_findings(&p, d);
    return p.tree;
}

/* Walking. */

const struct mc_node *mc_skip(const struct mc_node *node, const struct mc_node *top)
{
    while (node != top && !node->next)
        node = node->parent;
    return node == top ? NULL : node->next;
}

const struct mc_node *mc_next(const struct mc_node *node, const struct mc_node *top)
{
    return node->first ? node->first : mc_skip(node, top);
}

/* Reading. */

static const char *bytes_of(const struct mc_tree *t, const struct mc_node *n)
{
    return n->len ? t->source->bytes + n->off : "";
}

char *mc_text(struct arena *a, const struct mc_tree *t, const struct mc_node *node)
{
    return arena_strndup(a, bytes_of(t, node), node->len);
}

/* The MC_NAME of a call. */
static const struct mc_node *name_node(const struct mc_node *call)
{
    return call->kind == MC_CALL ? call->first : call->kind == MC_NAME ? call : NULL;
}

char *mc_name(struct arena *a, const struct mc_tree *t, const struct mc_node *node)
{
    const struct mc_node *name = name_node(node);
    return name ? mc_text(a, t, name) : NULL;
}

bool mc_is_call_of(const struct mc_tree *t, const struct mc_node *node, const char *name)
{
    const struct mc_node *n = name_node(node);
    return n && bytes_of(t, n)[0] == name[0] && n->len == strlen(name) &&
           memcmp(bytes_of(t, n), name, n->len) == 0;
}

size_t mc_nargs(const struct mc_node *call)
{
    size_t n = 0;
    for (const struct mc_node *c = call->first; c; c = c->next)
        n += c->kind == MC_ARG;
    return n;
}

const struct mc_node *mc_arg(const struct mc_node *call, size_t n)
{
    for (const struct mc_node *c = call->first; c; c = c->next) {
        if (c->kind == MC_ARG && n-- == 1)
            return c;
    }
    return NULL;
}

static bool is_white(const struct mc_node *n)
{
    return n->kind == MC_SPACE || n->kind == MC_NEWLINE;
}

static const struct mc_node *first_of_arg(const struct mc_node *arg)
{
    const struct mc_node *c = arg->first;
    while (c && is_white(c))
        c = c->next;
    return c;
}

/* What stands between a quoted string's quotes. */
static void inside(const struct mc_node *quoted, size_t *off, size_t *len)
{
    const struct mc_node *last = quoted->first;
    while (last->next)
        last = last->next;
    *off = quoted->off + quoted->first->len;
    size_t end = quoted->off + quoted->len - (quoted->unclosed ? 0 : last->len);
    *len = end - *off;
}

char *mc_arg_text(struct arena *a, const struct mc_tree *t, const struct mc_node *call, size_t n,
                  bool *plain)
{
    struct buf b;
    buf_init(&b, a);
    bool is_plain = true;
    const struct mc_node *arg = mc_arg(call, n);
    const struct mc_node *i = arg ? first_of_arg(arg) : NULL;
    while (i) {
        bool whole = i->kind == MC_CALL;
        is_plain = is_plain && !whole && !i->macro;
        if (i->kind == MC_QUOTED) {
            size_t off, len;
            inside(i, &off, &len);
            buf_add(&b, t->source->bytes + off, len);
            whole = true;
        } else if (i->kind != MC_DNL && i->kind != MC_GROUP) {
            buf_add(&b, bytes_of(t, i), i->len);
        }
        i = whole ? mc_skip(i, arg) : mc_next(i, arg);
    }
    if (plain)
        *plain = is_plain;
    return b.data;
}

/* Places. */

struct origin mc_origin(const struct mc_tree *t, const struct mc_node *node)
{
    return source_origin(t->source, node->off, node->len);
}

struct origin mc_name_origin(const struct mc_tree *t, const struct mc_node *call)
{
    const struct mc_node *name = name_node(call);
    return mc_origin(t, name ? name : call);
}

struct origin mc_arg_origin(const struct mc_tree *t, const struct mc_node *call, size_t n)
{
    const struct mc_node *arg = mc_arg(call, n);
    const struct mc_node *first = arg ? first_of_arg(arg) : NULL;
    if (!first)
        return arg && arg->len == 0 ? mc_origin(t, arg) : mc_name_origin(t, call);
    const struct mc_node *last = first;
    for (const struct mc_node *c = first; c; c = c->next) {
        if (!is_white(c) && c->kind != MC_DNL)
            last = c;
    }
    size_t off = first->off, len = last->off + last->len - off;
    if (first == last && first->kind == MC_QUOTED)
        inside(first, &off, &len);
    return source_origin(t->source, off, len);
}

struct origin mc_close_origin(const struct mc_tree *t, const struct mc_node *call)
{
    for (const struct mc_node *c = call->first; c; c = c->next) {
        if (call->kind == MC_CALL && c->kind == MC_CLOSE)
            return mc_origin(t, c);
    }
    return mc_name_origin(t, call);
}

/* Finding. */

const struct mc_node *mc_outermost(const struct mc_node *node)
{
    const struct mc_node *outermost = node->macro ? node : NULL;
    for (; node; node = node->parent) {
        if (node->kind == MC_CALL)
            outermost = node;
    }
    return outermost;
}

const struct mc_node *mc_outermost_at(const struct mc_tree *t, uint32_t line,
                                      const struct mc_node *after)
{
    for (size_t i = 0; i < t->ncalls; i++) {
        const struct mc_node *c = t->calls[i];
        if (mc_outermost(c) == c && source_origin(t->source, c->off, 0).line == line &&
            (!after || c->off > after->off))
            return c;
    }
    return NULL;
}

/* How well a call answers to a report; 0 is not at all. */
/* from, next: where the line begins, and the one behind it. */
static int rank(const struct mc_tree *t, const struct mc_node *call, uint32_t line, size_t from,
                size_t next, const char *name, const char *arg1)
{
    if (!mc_is_call_of(t, call, name))
        return 0;
    bool exact_line = call->line == line;
    size_t outer = mc_outermost(call)->off;
    if (!exact_line && (outer < from || outer >= next))
        return 0;
    bool exact_arg = true;
    if (arg1) {
        bool plain;
        exact_arg = strcmp(mc_arg_text(t->arena, t, call, 1, &plain), arg1) == 0;
        if (!exact_arg && plain)
            return 0;
    }
    return exact_line ? (exact_arg ? 4 : 3) : exact_arg ? 2 : 1;
}

/* The first call that begins at off or behind it. */
static size_t first_call(const struct mc_tree *t, size_t off)
{
    size_t low = 0, high = t->ncalls;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->calls[middle]->off < off)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct mc_node *mc_find_call(const struct mc_tree *t, uint32_t line, const char *name,
                                   const char *arg1, const struct mc_node *after)
{
    if (line == 0 || line > t->source->lines)
        return NULL;
    /* What is reported for a line begins there or below, in an outermost call that begins there or
     * above. */
    size_t from = t->source->line_start[line - 1];
    size_t next = line < t->source->lines ? t->source->line_start[line] : SIZE_MAX;
    size_t first = first_call(t, from), end = first;
    int best = 0;
    for (; end < t->ncalls && mc_outermost(t->calls[end])->off < next; end++) {
        int r = rank(t, t->calls[end], line, from, next, name, arg1);
        best = r > best ? r : best;
    }
    for (size_t i = first; best && i < end; i++) {
        const struct mc_node *c = t->calls[i];
        if ((!after || c->off > after->off) && rank(t, c, line, from, next, name, arg1) == best)
            return c;
    }
    return NULL;
}

const struct mc_include_cf *mc_find_include_cf(struct arena *a, const struct mc_tree *t)
{
    for (size_t i = 0; i < t->ncalls; i++) {
        const struct mc_node *call = t->calls[i];
        if (!mc_is_call_of(t, call, "include") && !mc_is_call_of(t, call, "sinclude"))
            continue;
        const char *path = mc_arg_text(a, t, call, 1, NULL);
        if (strcmp(fs_basename(path), "cf.m4") != 0)
            continue;
        struct mc_include_cf *found = arena_alloc(a, sizeof *found);
        found->call = call;
        found->path = path;
        found->dir = fs_dirname(a, path);
        found->root = found->dir;
        if (strcmp(fs_basename(found->dir), "m4") == 0)
            found->root = fs_dirname(a, found->dir);
        return found;
    }
    return NULL;
}
