/*
 * check_edit: what the checks of the .mc share: findings about calls, and edits of whole lines.
 */
#include <string.h>

#include "compiler/check.h"
#include "lib/base/arena.h"

struct finding *check_found(struct front *f, enum finding_id id, const struct m4_record *r,
                            size_t arg, const char *first, const char *second, const char *third)
{
    struct finding *x = finding_add(f->diag, id, front_place(f, r, arg), first ? first : "",
                                    second ? second : "", third ? third : "", NULL);
    front_blame(f, x, r);
    return x;
}

bool check_is_top(const struct m4_record *r)
{
    return r->node && r->node->parent && r->node->parent->kind == MC_FILE;
}

const char *check_line(struct front *f, const struct m4_record *r)
{
    return arena_printf(f->arena, "%u", front_place(f, r, 0).line);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The bytes of the lines that the call has for itself, with what dnl takes. */
static const struct source *own_lines(struct front *f, const struct m4_record *r, size_t *from,
                                      size_t *to)
{
    struct origin at = front_place(f, r, 0);
    const struct source *s = source_by_id(f->config->sources, at.file);
    if (!check_is_top(r) || !s || !s->bytes || !at.col)
        return NULL;
    size_t begin = source_offset(s, at.line, at.col), end = begin + at.len;
    if (end > s->len)
        return NULL;
    while (begin > 0 && is_blank(s->bytes[begin - 1]))
        begin--;
    if (begin > 0 && s->bytes[begin - 1] != '\n')
        return NULL;
    while (end < s->len && is_blank(s->bytes[end]))
        end++;
    if (s->len - end >= 3 && memcmp(s->bytes + end, "dnl", 3) == 0 && !is_word(s->bytes[end + 3])) {
        while (end < s->len && s->bytes[end] != '\n')
            end++;
    } else if (end < s->len && s->bytes[end] == '\r') {
        end++;
    }
    if (end < s->len && s->bytes[end++] != '\n')
        return NULL;
    *from = begin;
    *to = end;
    return s;
}

bool check_edit_remove(struct front *f, struct finding *x, const struct m4_record *r)
{
    size_t from, to;
    const struct source *s = own_lines(f, r, &from, &to);
    if (s)
        diag_edit(f->diag, x, source_origin(s, from, to - from), "");
    return s != NULL;
}

bool check_edit_move(struct front *f, struct finding *x, const struct m4_record *r,
                     const struct m4_record *target)
{
    size_t from, to, there, end;
    const struct source *s = own_lines(f, r, &from, &to), *t = own_lines(f, target, &there, &end);
    if (!s || s != t || there >= from)
        return false;
    char *text = arena_strndup(f->arena, s->bytes + from, to - from);
    if (s->bytes[to - 1] != '\n')
        text = arena_printf(f->arena, "%s\n", text);
    diag_edit(f->diag, x, source_origin(s, there, 0), text);
    diag_edit(f->diag, x, source_origin(s, from, to - from), "");
    return true;
}
