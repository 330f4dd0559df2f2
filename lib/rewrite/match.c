#include "lib/rewrite/match.h"

#include <string.h>

enum { PHRASE_MAX = 2048 };

uint64_t match_bit(uint32_t id)
{
    return (uint64_t)1 << (id * 0x9e3779b1U >> 26);
}

uint64_t match_bits(const struct tokens *ws, uint32_t *operators)
{
    uint64_t bits = 0;

    *operators = 0;
    for (uint32_t i = 0; i < ws->n; i++) {
        uint32_t id = ws->v[i].id;
        bits |= match_bit(id);
        *operators |= id < WORD_FIRST ? 1U << id : 0;
    }
    return bits;
}

static bool one_in_class(struct matcher *m, const struct token *t, uint32_t cls)
{
    if (t->id >= WORD_FIRST && words_in_class(words_at(&m->program->words, t->id), cls))
        return true;
    return m->added && m->added(m->ctx, cls, t->p, t->len);
}

static bool phrase_in_class(struct matcher *m, const struct tokens *ws, uint32_t first,
                            uint32_t end, uint32_t cls)
{
    char phrase[PHRASE_MAX + 1];
    size_t len = scan_join(&m->program->rules, ws->v + first, end - first, m->program->space,
                           phrase, PHRASE_MAX - 1);

    if (program_in_class(m->program, cls, phrase, len))
        return true;
    return m->added && m->added(m->ctx, cls, phrase, len);
}

/* The end of the shortest run from first that is in the class and ends behind `behind`; 0: none. */
static uint32_t class_end(struct matcher *m, const struct tokens *ws, uint32_t first,
                          uint32_t behind, uint32_t cls)
{
    uint32_t longest = cls < m->program->nnames ? m->program->classes[cls].longest : 0;

    if (m->added) {
        uint32_t added = m->longest_added(m->ctx, cls);
        if (added > longest)
            longest = added;
    }
    if (longest > ws->n - first)
        longest = ws->n - first;
    for (uint32_t end = behind + 1; end <= first + longest; end++) {
        m->steps += end - first;
        if (end == first + 1 ? one_in_class(m, &ws->v[first], cls)
                             : phrase_in_class(m, ws, first, end, cls))
            return end;
    }
    return 0;
}

/* The place behind the tokens that read, one behind the other, as the macro's value, if they stand
 * at `at`; UINT32_MAX if not. */
static uint32_t behind_macro(struct matcher *m, const struct tokens *ws, uint32_t at, uint32_t name)
{
    size_t left;
    const char *v = m->late(m->ctx, name, &left);

    for (; left > 0; at++) {
        if (at == ws->n || ws->v[at].len > left ||
            !words_same(v, ws->v[at].len, ws->v[at].p, ws->v[at].len))
            return UINT32_MAX;
        v += ws->v[at].len;
        left -= ws->v[at].len;
    }
    return at;
}

/* Where a wildcard that may end at `end` or behind it ends first, as far as the next element can
 * tell: before the word that must follow, or at the end of all.  ws->n + 1: nowhere. */
static uint32_t next_end(const struct rule *r, uint32_t element, const struct tokens *ws,
                         uint32_t end)
{
    if (element + 1 == r->nleft)
        return ws->n;
    const struct element *next = &r->left[element + 1];
    if (next->kind == LEFT_WORD || next->kind == LEFT_OPERATOR) {
        while (end < ws->n && ws->v[end].id != next->id)
            end++;
        return end < ws->n ? end : ws->n + 1;
    }
    return end;
}

bool match(struct matcher *m, const struct rule *r, const struct tokens *ws)
{
    struct binding *b = m->bindings;
    uint16_t *places = m->places; /* of each binding, its element */
    uint32_t i = 0, at = 0, n = 0, end;

    for (;;) {
        if (++m->steps > m->limit)
            return false;
        if (i == r->nleft) {
            if (at == ws->n) {
                m->n = n;
                return true;
            }
            goto back;
        }
        const struct element *e = &r->left[i];
        switch (e->kind) {
        case LEFT_NOTHING:
            i++;
            continue;
        case LEFT_ANY0:
            end = next_end(r, i, ws, at);
            if (end > ws->n)
                goto back;
            b[n] = (struct binding){at, end};
            places[n++] = (uint16_t)i++;
            m->steps += end - at;
            at = end;
            continue;
        default:
            break;
        }
        if (at == ws->n)
            goto back;
        switch (e->kind) {
        case LEFT_LATE: /* needs a token to stand before, even where the value is empty */
            end = behind_macro(m, ws, at, e->id);
            if (end == UINT32_MAX)
                goto back;
            at = end;
            i++;
            continue;
        case LEFT_CLASS:
            end = class_end(m, ws, at, at, e->id);
            if (end == 0)
                goto back;
            break;
        case LEFT_NOT_CLASS:
            if (one_in_class(m, &ws->v[at], e->id))
                goto back;
            end = at + 1;
            break;
        case LEFT_ANY:
            end = next_end(r, i, ws, at + 1);
            if (end > ws->n)
                goto back;
            m->steps += end - at;
            break;
        case LEFT_ONE:
            end = at + 1;
            break;
        default:
            if (ws->v[at].id != e->id)
                goto back;
            at++;
            i++;
            continue;
        }
        b[n] = (struct binding){at, end};
        places[n++] = (uint16_t)i++;
        at = end;
        continue;

    back:
        for (;;) {
            if (n == 0)
                return false;
            struct binding *top = &b[n - 1];
            const struct element *w = &r->left[places[n - 1]];
            end = 0;
            if ((w->kind == LEFT_ANY0 || w->kind == LEFT_ANY) && top->end < ws->n) {
                end = next_end(r, places[n - 1], ws, top->end + 1);
                m->steps += end - top->end;
                if (end > ws->n)
                    end = 0;
            } else if (w->kind == LEFT_CLASS)
                end = class_end(m, ws, top->first, top->end, w->id);
            if (end > 0) {
                top->end = at = end;
                i = places[n - 1] + 1U;
                break;
            }
            n--;
            if (++m->steps > m->limit)
                return false;
        }
    }
}
