#include "lib/rewrite/match.h"

#include <string.h>

enum { PHRASE_MAX = 2048 };

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

/* Can a word of the class begin with this token? */
static bool may_begin(const struct class_words *c, const struct token *t)
{
    return t->len == 0 || (c->begin & class_begin(*t->p)) != 0;
}

/* The end of the shortest run from first that is in the class and ends behind `behind`; 0: none. */
static uint32_t class_end(struct matcher *m, const struct tokens *ws, uint32_t first,
                          uint32_t behind, uint32_t cls)
{
    uint32_t longest = 0;

    if (cls < m->program->nnames) {
        const struct class_words *c = &m->program->classes[cls];
        longest = c->longest > 1 && !may_begin(c, &ws->v[first]) ? 1 : c->longest;
    }
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

static bool is_fixed(const struct element *e)
{
    return e->kind == LEFT_WORD || e->kind == LEFT_OPERATOR;
}

static bool is_wildcard(const struct element *e)
{
    return e->kind == LEFT_ANY0 || e->kind == LEFT_ANY;
}

/* The first place from `at` on where the element, which is fixed, stands; n: nowhere. */
static inline uint32_t next_place(const struct element *e, const struct token *v, uint32_t n,
                                  uint32_t at)
{
    while (at < n && v[at].id != e->id)
        at++;
    return at;
}

bool match_elements(struct matcher *m, const struct element *left, const struct tokens *ws)
{
    const struct element *e = left;
    const struct token *const v = ws->v;
    struct binding *const b = m->bindings;
    const struct element **const places = m->places; /* of each binding */
    const uint64_t limit = m->limit;
    const uint32_t len = ws->n;
    uint64_t steps = m->steps;
    uint32_t at = 0, n = 0, end;

    for (;;) {
        for (; is_fixed(e); e++, at++) {
            if (at == len || v[at].id != e->id)
                goto back;
        }
        if (++steps > limit)
            goto no;
        if (is_wildcard(e)) {
            end = at + (e->kind == LEFT_ANY);
            if (end > len)
                goto back;
            if (e[1].kind == LEFT_END) { /* takes all that is left */
                b[n] = (struct binding){at, len};
                m->n = n + 1;
                m->steps = steps + len - at;
                return m->steps <= limit;
            }
            if (is_fixed(e + 1)) {
                /* Before the word that must follow, which so has its place too. */
                end = next_place(e + 1, v, len, end);
                steps += end - at;
                if (end == len)
                    goto back;
                b[n] = (struct binding){at, end};
                places[n++] = e;
                at = end + 1;
                e += 2;
                continue;
            }
            goto bind;
        }
        if (e->kind == LEFT_END) {
            if (at < len)
                goto back;
            m->n = n;
            m->steps = steps;
            return true;
        }
        if (e->kind == LEFT_NOTHING) {
            e++;
            continue;
        }
        if (at == len) /* even a macro whose value is empty needs a token to stand here */
            goto back;
        switch (e->kind) {
        case LEFT_LATE:
            end = behind_macro(m, ws, at, e->id);
            if (end == UINT32_MAX)
                goto back;
            at = end;
            e++;
            continue;
        case LEFT_CLASS:
            m->steps = steps;
            end = class_end(m, ws, at, at, e->id);
            steps = m->steps;
            if (end == 0)
                goto back;
            break;
        case LEFT_NOT_CLASS:
            if (one_in_class(m, &v[at], e->id))
                goto back;
            end = at + 1;
            break;
        default: /* LEFT_ONE */
            end = at + 1;
            break;
        }
    bind:
        b[n] = (struct binding){at, end};
        places[n++] = e++;
        at = end;
        continue;

    back:
        for (;; n--) {
            if (++steps > limit || n == 0)
                goto no;
            struct binding *top = &b[n - 1];
            const struct element *w = places[n - 1];
            end = 0;
            if (is_wildcard(w) && top->end < len) {
                end = top->end + 1;
                if (is_fixed(w + 1)) /* there is one: the last wildcard matches at once */
                    end = next_place(w + 1, v, len, end);
                steps += end - top->end;
                if (end == len && is_fixed(w + 1))
                    end = 0;
            } else if (w->kind == LEFT_CLASS) {
                m->steps = steps;
                end = class_end(m, ws, top->first, top->end, w->id);
                steps = m->steps;
            }
            if (end > 0) {
                top->end = at = end;
                e = w + 1;
                break;
            }
        }
    }

no:
    m->steps = steps;
    return false;
}
