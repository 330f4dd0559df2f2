#include "lib/rewrite/scan.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

static bool is_blank(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void scan_table_init(struct scan_table *t, const char *operators)
{
    static const char always[] = "()<>,;\r\n";

    memset(t, 0, sizeof *t);
    for (unsigned c = 0; c < 256; c++)
        t->cls[c] = is_blank((unsigned char)c) ? CHAR_BLANK : CHAR_WORD;
    for (const char *o = operators; *o; o++) {
        if (t->cls[(unsigned char)*o] == CHAR_WORD)
            t->cls[(unsigned char)*o] = CHAR_OPERATOR;
    }
    for (const char *o = always; *o; o++)
        t->cls[(unsigned char)*o] = CHAR_OPERATOR;
    t->cls['\r'] = t->cls['\n'] = CHAR_BLANK;
    t->cls['"'] = CHAR_QUOTE;
}

/* One run over a text. */
struct run {
    const struct scan *sc;
    struct tokens *out;
    char *to;    /* where the next byte goes */
    char *begin; /* of the open token, NULL: none is open */
    bool quoted, escaped;
    bool open, route; /* a < has just come; it began a route */
    bool ending;      /* a comment has just begun: the token before it ends with the next byte */
    unsigned comments, angles;
    size_t cost; /* of finished tokens */
    bool full;
};

static void fault(struct run *r, enum scan_fault f, char ch)
{
    if (r->sc->fault)
        r->sc->fault(r->sc->ctx, f, ch);
}

static void push(struct run *r, const char *p, size_t len, uint32_t id)
{
    if (r->out->n >= r->out->cap) {
        if (!r->full)
            fault(r, SCAN_TOO_LONG, '\0');
        r->full = true;
        return;
    }
    r->out->v[r->out->n++] = (struct token){p, (uint32_t)len, id};
}

static void too_long(struct run *r, enum scan_fault f)
{
    if (!r->full)
        fault(r, f, '\0');
    r->full = true;
}

static void finish(struct run *r)
{
    if (!r->begin)
        return;
    size_t len = (size_t)(r->to - r->begin);
    r->cost += len + 1;
    if (len > TOKEN_BYTES_MAX && !r->sc->rule)
        too_long(r, SCAN_TOKEN_TOO_LONG);
    else
        push(r, r->begin, len, words_find(r->sc->words, r->begin, len));
    r->begin = NULL;
}

static void keep(struct run *r, char c)
{
    if (!r->begin)
        r->begin = r->to;
    *r->to++ = c;
    if (r->sc->rule)
        return;
    size_t len = (size_t)(r->to - r->begin);
    if (r->cost + len + 1 > TEXT_COST_MAX)
        too_long(r, SCAN_TOO_LONG);
}

static void single(struct run *r, char c)
{
    finish(r);
    keep(r, c);
    finish(r);
}

/* Takes c; false where it is the delimiter. */
static bool take(struct run *r, char c)
{
    const struct scan *sc = r->sc;
    unsigned char cls = sc->table->cls[(unsigned char)c];

    if (r->ending) {
        r->ending = false;
        finish(r);
    }
    if (r->escaped) {
        r->escaped = false;
        if ((unsigned char)c == (unsigned)sc->delimiter && sc->delimiter >= 0 && !r->quoted &&
            !r->route && r->comments == 0)
            return false;
        if (r->comments > 0)
            return true;
        if (c != '!' || r->quoted) { /* "\!" is what shells make people write */
            keep(r, '\\');
            keep(r, c);
            return true;
        }
    } else if (c == '\\') {
        r->escaped = true;
        return true;
    }
    if (r->quoted) {
        keep(r, c);
        if (c == '"') {
            r->quoted = false;
            finish(r);
        }
        return true;
    }
    if (sc->table->comments && !sc->rule) {
        if (c == '(') {
            r->comments++;
            r->ending = true;
            return true;
        }
        if (c == ')') {
            if (r->comments == 0)
                fault(r, SCAN_UNBALANCED, ')');
            else
                r->comments--;
            return true;
        }
        if (r->comments > 0)
            return true;
    }
    if (c == '<') {
        r->angles++;
        r->open = true;
    } else if (cls != CHAR_BLANK) {
        r->route = r->route || (r->open && c == '@');
        r->open = false;
    }
    if (c == '>' && !sc->rule) {
        r->route = false;
        if (r->angles == 0) {
            fault(r, SCAN_UNBALANCED, '>');
            return true;
        }
        r->angles--;
    }
    if ((unsigned char)c == (unsigned)sc->delimiter && sc->delimiter >= 0 && !r->route)
        return false;
    switch (cls) {
    case CHAR_BLANK:
        finish(r);
        break;
    case CHAR_OPERATOR:
        single(r, c);
        break;
    case CHAR_QUOTE:
        finish(r);
        r->quoted = true;
        keep(r, c);
        break;
    default:
        keep(r, c);
        break;
    }
    return true;
}

/* What is open is closed; a backslash at the end takes what closes it. */
static void close(struct run *r, char open, char closer)
{
    fault(r, SCAN_UNBALANCED, open);
    take(r, closer);
}

static void end(struct run *r)
{
    if (r->sc->rule) {
        r->escaped = false; /* a backslash that ends a side hides nothing, and is gone */
        finish(r);
        return;
    }
    while (r->quoted && !r->full)
        close(r, '"', '"');
    while (r->comments > 0 && !r->full)
        close(r, '(', ')');
    while (r->angles > 0 && !r->full)
        close(r, '<', '>');
    r->escaped = false;
    finish(r);
}

/* At most: every byte is kept, a quote is closed, and so is each bracket. */
static char *room_for(const struct scan *sc, size_t len)
{
    return sc->room ? sc->room : arena_raw(sc->arena, scan_bytes(len));
}

bool scan_text(const struct scan *sc, const char *s, size_t len, struct tokens *out, size_t *used)
{
    struct run r = {.sc = sc, .out = out, .to = room_for(sc, len)};
    size_t i = 0;

    while (i < len && !r.full && take(&r, s[i]))
        i++;
    if (!r.full)
        end(&r);
    if (used)
        *used = i;
    return !r.full;
}

/* As text; the name of one letter behind an operator has lost its braces. */
static void take_piece(struct run *r, const struct piece *p)
{
    const bool braces = p->op != 0 && p->len == 5 && p->p[2] == '{';

    for (uint32_t k = 0; k < p->len && !r->full; k++) {
        if (braces && (k == 2 || k == 4))
            continue;
        if (!take(r, p->p[k]))
            break;
    }
}

bool scan_pieces(const struct scan *sc, const struct text *t, struct tokens *out)
{
    size_t len = 0;

    for (size_t i = 0; i < t->n; i++)
        len += t->pieces[i].len;
    struct run r = {.sc = sc, .out = out, .to = room_for(sc, len)};
    for (size_t i = 0; i < t->n && !r.full; i++) {
        const struct piece *p = &t->pieces[i];
        if (p->op == 0 || p->op == OP_MACRO || (p->op == OP_END_IF && !sc->rule) || sc->written) {
            take_piece(&r, p);
        } else if (r.comments > 0) {
            continue;
        } else if (r.quoted || r.escaped) {
            if (r.escaped)
                keep(&r, '\\');
            r.escaped = false;
            for (uint32_t k = 0; k < p->len; k++)
                keep(&r, p->p[k]);
        } else {
            finish(&r);
            r.cost += 2; /* sendmail has a byte for it */
            if (r.cost > TEXT_COST_MAX && !sc->rule)
                too_long(&r, SCAN_TOO_LONG);
            else
                push(&r, p->p, p->len, p->op);
        }
    }
    if (!r.full)
        end(&r);
    return !r.full;
}

bool scan_is_word(const struct scan_table *t, const struct token *v)
{
    return v->len > 0 && t->cls[(unsigned char)v->p[0]] == CHAR_WORD &&
           (v->id == WORD_NONE || v->id >= WORD_FIRST);
}

uint32_t scan_count(const struct scan_table *t, const struct words *words, struct arena *arena,
                    const char *s, size_t len)
{
    struct token v[TOKENS_MAX];
    struct tokens out = {v, 0, TOKENS_MAX};
    struct scan sc = {.table = t, .words = words, .arena = arena, .delimiter = -1, .rule = true};

    scan_text(&sc, s, len, &out, NULL);
    return out.n;
}

size_t scan_join(const struct scan_table *t, const struct token *v, size_t n, char space, char *out,
                 size_t most)
{
    size_t len = 0;
    bool word = false;

    for (size_t i = 0; i < n && len <= most; i++) {
        const bool is_word = scan_is_word(t, &v[i]);
        if (word && is_word && space) {
            out[len++] = space;
            if (len > most)
                break;
        }
        word = is_word;
        const size_t k = v[i].len <= most - len ? v[i].len : most - len;
        bytes_put(out + len, v[i].p, k);
        len += k;
        if (k < v[i].len)
            break;
    }
    out[len] = '\0';
    return len;
}
