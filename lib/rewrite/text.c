#include "lib/rewrite/text.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/table.h"

/* --- names -------------------------------------------------------------------------------- */

void names_init(struct names *n, struct arena *a)
{
    *n = (struct names){.arena = a, .ids = table_new(a)};
}

static const char *key_of(const char *name, size_t len, char key[NAME_MAX_LEN + 1])
{
    if (len > NAME_MAX_LEN)
        len = NAME_MAX_LEN;
    memcpy(key, name, len);
    key[len] = '\0';
    return key;
}

void names_init_beside(struct names *n, struct arena *a, const struct names *base)
{
    names_init(n, a);
    n->base = base;
}

static size_t of_base(const struct names *n)
{
    return n->base ? n->base->count : 0;
}

uint32_t names_find(const struct names *n, const char *name, size_t len)
{
    char key[NAME_MAX_LEN + 1];
    uint32_t id = n->base ? names_find(n->base, name, len) : 0;

    return id ? id : (uint32_t)(uintptr_t)table_get(n->ids, key_of(name, len, key));
}

uint32_t names_add(struct names *n, const char *name, size_t len)
{
    char key[NAME_MAX_LEN + 1];
    uint32_t id = names_find(n, name, len);

    key_of(name, len, key);
    if (id == 0) {
        n->names = arena_grow(n->arena, n->names, n->count, &n->room, sizeof *n->names, 256);
        n->names[n->count] = arena_strdup(n->arena, key);
        id = (uint32_t)(++n->count + of_base(n));
        table_set(n->ids, key, (void *)(uintptr_t)id);
    }
    return id;
}

const char *names_text(const struct names *n, uint32_t id)
{
    size_t before = of_base(n);

    if (id <= before)
        return n->base ? names_text(n->base, id) : "";
    return id - before <= n->count ? n->names[id - before - 1] : "";
}

/* --- reading ------------------------------------------------------------------------------ */

struct pieces {
    struct arena *arena;
    struct piece *v;
    size_t n, room;
};

static struct piece *add(struct pieces *out, uint32_t op, uint32_t number, const char *p,
                         size_t len)
{
    if (op == 0 && len == 0)
        return NULL;
    out->v = arena_grow(out->arena, out->v, out->n, &out->room, sizeof *out->v, 4);
    out->v[out->n] = (struct piece){op, number, p, (uint32_t)len};
    return &out->v[out->n++];
}

static uint32_t operator_of(char c)
{
    static const struct {
        char c;
        unsigned char op;
    } ops[] = {
#define OPERATOR(name, text, side) {(text)[1], OP_##name},
#include "lib/rewrite/operators.def"
    };

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (ops[i].c == c)
            return ops[i].op;
    }
    return 0;
}

/* The name at s: bytes of it, 0 if there is none; *name and *name_len without braces. */
static size_t name_at(const char *s, size_t left, const char **name, size_t *name_len)
{
    if (left == 0)
        return 0;
    *name = s;
    *name_len = 1;
    if (*s != '{')
        return 1;
    const char *end = memchr(s, '}', left);
    if (!end)
        return 0;
    *name = s + 1;
    *name_len = (size_t)(end - s) - 1;
    return (size_t)(end - s) + 1;
}

const char *text_name(const char *s, size_t len, size_t *name_len)
{
    size_t braces = len > 4 && s[2] == '{';

    *name_len = len - 2 - 2 * braces;
    return s + 2 + braces;
}

struct text text_read(struct arena *a, struct names *names, const char *s, size_t len)
{
    struct pieces out = {.arena = a};
    size_t from = 0, i = 0;

    while (i + 1 < len) {
        if (s[i] != '$') {
            i++;
            continue;
        }
        add(&out, 0, 0, s + from, i - from);
        char c = s[i + 1];
        const char *name;
        size_t name_len, n = 0;
        uint32_t op = operator_of(c);
        if (c == '$') {
            from = i + 1; /* one of them is text */
            i += 2;
            continue;
        }
        if (op == OP_MATCHED || (c >= '1' && c <= '9')) {
            add(&out, OP_MATCHED, (uint32_t)(c - '0'), s + i, 2);
            n = 2;
        } else if (op == OP_IN_CLASS || op == OP_NOT_IN_CLASS || op == OP_LATE_MACRO ||
                   op == OP_IF) {
            n = name_at(s + i + 2, len - i - 2, &name, &name_len);
            if (n > 0) {
                n += 2;
                add(&out, op, names_add(names, name, name_len), s + i, n);
            }
        } else if (op) {
            add(&out, op, 0, s + i, 2);
            n = 2;
        } else {
            n = name_at(s + i + 1, len - i - 1, &name, &name_len);
            if (n > 0) {
                n++;
                add(&out, OP_MACRO, names_add(names, name, name_len), s + i, n);
            } else {
                n = 0;
            }
        }
        from = i;
        i += n ? n : 1;
        if (n)
            from = i;
    }
    add(&out, 0, 0, s + from, len - from);
    return (struct text){out.v, out.n};
}

struct text text_plain(struct arena *a, const char *s, size_t len)
{
    struct pieces out = {.arena = a};

    add(&out, 0, 0, s, len);
    return (struct text){out.v, out.n};
}

bool text_is_empty(const struct text *t)
{
    return !t || t->n == 0;
}

/* --- expanding ---------------------------------------------------------------------------- */

struct expansion {
    struct pieces out;
    size_t bytes, visits; /* of out; macros and conditions that were looked at */
    text_value_fn *value;
    void *ctx;
};

static void expand(struct expansion *x, const struct text *t, unsigned depth)
{
    unsigned open = 0;    /* conditions around this place */
    unsigned skipped = 0; /* the outermost of them whose text is left out; 0: none */

    for (size_t i = 0; i < t->n && x->bytes < EXPANDED_MAX; i++) {
        const struct piece *p = &t->pieces[i];
        if (p->op != 0 && ++x->visits > EXPANSION_STEPS)
            return;
        switch (p->op) {
        case OP_IF:
            open++;
            if (!skipped && text_is_empty(x->value(x->ctx, p->number)))
                skipped = open;
            continue;
        case OP_BAR:
            if (open == 0)
                break;
            if (!skipped)
                skipped = open;
            else if (skipped == open)
                skipped = 0;
            continue;
        case OP_END_IF:
            if (open == 0)
                break;
            if (skipped == open)
                skipped = 0;
            open--;
            continue;
        case OP_MACRO:
            if (!skipped && depth < TEXT_DEPTH) {
                const struct text *v = x->value(x->ctx, p->number);
                if (v)
                    expand(x, v, depth + 1);
                continue;
            }
            break;
        default:
            break;
        }
        if (skipped)
            continue;
        size_t len = p->len;
        if (p->op == 0 && len > EXPANDED_MAX - x->bytes)
            len = EXPANDED_MAX - x->bytes;
        x->bytes += len;
        add(&x->out, p->op, p->number, p->p, len);
    }
}

struct text text_expand(struct arena *a, const struct text *t, text_value_fn *value, void *ctx)
{
    struct expansion x = {.out = {.arena = a}, .value = value, .ctx = ctx};

    expand(&x, t, 0);
    return (struct text){x.out.v, x.out.n};
}

char *text_bytes(struct arena *a, const struct text *t, size_t *len)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        n += t->pieces[i].len;
    char *s = arena_raw(a, n + 1), *q = s;
    for (size_t i = 0; i < t->n; i++) {
        memcpy(q, t->pieces[i].p, t->pieces[i].len);
        q += t->pieces[i].len;
    }
    *q = '\0';
    *len = n;
    return s;
}
