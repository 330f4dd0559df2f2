#include "grammar/rule_tree.h"

#include <stdarg.h>
#include <string.h>

#include "lib/base/arena.h"

bool rule_is_macro(const char *name)
{
    if (*name == '_' || (*name >= 'A' && *name <= 'Z'))
        return true;
    return strncmp(name, "conf", 4) == 0 && name[4] >= 'A' && name[4] <= 'Z';
}

void rule_advance(struct rule_parse *p, struct rule_loc *loc, const char *text, size_t len)
{
    loc->line = p->line;
    loc->col = p->col;
    loc->len = (uint32_t)len;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            p->line++;
            p->col = 1;
        } else {
            p->col++;
        }
    }
}

void rule_open_block(struct rule_parse *p, struct rule_loc loc)
{
    struct rule_open *o = arena_alloc(p->arena, sizeof *o);
    o->loc = loc;
    o->outer = p->open;
    p->open = o;
}

void rule_close_block(struct rule_parse *p)
{
    if (p->open)
        p->open = p->open->outer;
}

struct origin rule_origin(const struct rule_unit *u, struct rule_loc loc)
{
    struct origin at = {u->src->id, loc.line, loc.col, loc.len};
    return at;
}

struct finding *rule_error(struct rule_parse *p, struct rule_loc loc, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(p->arena, fmt, ap);
    va_end(ap);
    return diag_add(p->diag, DIAG_ERROR, "template", rule_origin(p->unit, loc), "%s", text);
}

static struct rule_pending *pend(struct rule_parse *p, struct rule_loc loc)
{
    struct rule_pending *w = arena_alloc(p->arena, sizeof *w);
    w->loop = p->loop;
    w->loc = loc;
    *p->unit->pending_end = w;
    p->unit->pending_end = &w->next;
    return w;
}

struct rule_name *rule_name(struct rule_parse *p, const char *text, struct rule_loc loc)
{
    struct rule_name *n = arena_alloc(p->arena, sizeof *n);
    n->text = text;
    n->line = loc.line;
    n->col = loc.col;
    pend(p, loc)->name = n;
    return n;
}

const struct rule_expr *rule_expr(struct rule_parse *p, enum rule_op op,
                                  const struct rule_expr *left, const struct rule_expr *right)
{
    struct rule_expr *e = arena_alloc(p->arena, sizeof *e);
    e->op = op;
    e->left = left;
    e->right = right;
    return e;
}

const struct rule_expr *rule_expr_name(struct rule_parse *p, enum rule_op op, const char *name,
                                       const char *text, struct rule_loc loc)
{
    struct rule_expr *e = arena_alloc(p->arena, sizeof *e);
    e->op = op;
    e->name = rule_name(p, name, loc);
    e->text = text;
    return e;
}

static void piece_add(struct rule_pieces *list, struct rule_piece *piece)
{
    if (list->last)
        list->last->next = piece;
    else
        list->first = piece;
    list->last = piece;
}

void rule_pieces_text(struct rule_parse *p, struct rule_pieces *list, const char *text)
{
    if (list->last && list->last->kind == RULE_PIECE_TEXT) {
        list->last->text = arena_printf(p->arena, "%s%s", list->last->text, text);
        return;
    }
    struct rule_piece *piece = arena_alloc(p->arena, sizeof *piece);
    piece->kind = RULE_PIECE_TEXT;
    piece->text = text;
    piece_add(list, piece);
}

void rule_pieces_subst(struct rule_parse *p, struct rule_pieces *list, enum rule_piece_kind kind,
                       const char *name, const struct rule_piece *body, struct rule_loc loc)
{
    struct rule_piece *piece = arena_alloc(p->arena, sizeof *piece);
    piece->kind = kind;
    piece->name = rule_name(p, name, loc);
    piece->body = body;
    piece_add(list, piece);
}

struct rule_node *rule_node(struct rule_parse *p, enum rule_kind kind, struct rule_loc loc)
{
    struct rule_node *n = arena_alloc(p->arena, sizeof *n);
    n->kind = kind;
    n->line = loc.line;
    return n;
}

struct rule_node *rule_node_named(struct rule_parse *p, enum rule_kind kind, const char *name,
                                  struct rule_loc loc, struct rule_loc name_loc)
{
    struct rule_node *n = rule_node(p, kind, loc);
    n->name = name ? name : "";
    if (name)
        pend(p, name_loc)->node = n;
    return n;
}

void rule_nodes_add(struct rule_nodes *list, struct rule_node *node)
{
    if (!node)
        return;
    if (list->last)
        list->last->next = node;
    else
        list->first = node;
    list->last = node;
}

struct rule_nodes rule_nodes_prepend(struct rule_node *node, struct rule_nodes list)
{
    node->next = list.first;
    list.first = node;
    if (!list.last)
        list.last = node;
    return list;
}

unsigned rule_section(struct rule_parse *p, const char *number, struct rule_loc loc)
{
    unsigned n = 0;
    for (const char *s = number; *s && n < 100; s++)
        n = n * 10 + (unsigned)(*s - '0');
    if (n > 99)
        rule_error(p, loc, "sections are numbered from 0 to 99");
    return n;
}

void rule_loop_enter(struct rule_parse *p, const char *feature)
{
    struct rule_loop *l = arena_alloc(p->arena, sizeof *l);
    l->feature = feature;
    l->outer = p->loop;
    p->loop = l;
}

void rule_loop_leave(struct rule_parse *p)
{
    if (p->loop)
        p->loop = p->loop->outer;
}

void rule_header(struct rule_parse *p, struct rule_loc loc)
{
    if (!p->unit->header_loc.line)
        p->unit->header_loc = loc;
}

void rule_header_kind(struct rule_parse *p, bool feature, const char *name, struct rule_loc loc)
{
    struct rule_unit *u = p->unit;
    if (u->kind_loc.line) {
        rule_error(p, loc, "a second %%feature or %%mailer line");
        return;
    }
    u->kind_loc = loc;
    u->kind_name = name;
    u->kind_feature = feature;
}

void rule_header_flag(struct rule_parse *p, const char *name, const char *value,
                      struct rule_loc loc)
{
    struct rule_flag_line *l = arena_alloc(p->arena, sizeof *l);
    l->flag.name = name;
    l->flag.value = value ? value : "1";
    l->loc = loc;
    *p->unit->flags_end = l;
    p->unit->flags_end = &l->next;
}

/* One digit; 0 when it is something else. */
static unsigned small_number(struct rule_parse *p, const char *number, struct rule_loc loc)
{
    if (number[0] >= '1' && number[0] <= '9' && number[1] == '\0')
        return (unsigned)(number[0] - '0');
    rule_error(p, loc, "a number from 1 to 9 is expected");
    return 0;
}

void rule_header_arg(struct rule_parse *p, const char *number, const char *name, const char *text,
                     struct rule_loc loc)
{
    struct rule_arg_line *l = arena_alloc(p->arena, sizeof *l);
    l->arg.number = small_number(p, number, loc);
    l->arg.name = name;
    l->arg.text = text ? text : "";
    l->loc = loc;
    *p->unit->args_end = l;
    p->unit->args_end = &l->next;
}

void rule_header_words(struct rule_parse *p, const char *number, const char *words,
                       struct rule_loc loc)
{
    unsigned n = small_number(p, number, loc);
    for (struct rule_arg_line *l = p->unit->args; l; l = l->next)
        if (l->arg.number == n) {
            if (l->arg.words)
                rule_error(p, loc, "a second %%words for argument %u", n);
            l->arg.words = words;
            return;
        }
    rule_error(p, loc, "no %%arg above names argument %u", n);
}

void rule_header_summary(struct rule_parse *p, const char *text, struct rule_loc loc)
{
    if (p->unit->file.summary)
        rule_error(p, loc, "a second %%summary");
    p->unit->file.summary = text;
}

void rule_header_example(struct rule_parse *p, const char *text, struct rule_loc loc)
{
    if (p->unit->file.example)
        rule_error(p, loc, "a second %%example");
    p->unit->file.example = text;
}

void rule_header_required(struct rule_parse *p, const char *number, struct rule_loc loc)
{
    if (p->unit->file.required)
        rule_error(p, loc, "a second %%required");
    p->unit->file.required = small_number(p, number, loc);
    p->unit->required_loc = loc;
}

void rule_words_add(struct rule_parse *p, struct rule_words *list, const char *text,
                    struct rule_loc loc)
{
    struct rule_word *w = arena_alloc(p->arena, sizeof *w);
    w->text = text;
    w->loc = loc;
    if (list->last)
        list->last->next = w;
    else
        list->first = w;
    list->last = w;
}
