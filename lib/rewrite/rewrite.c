#include "lib/rewrite/rewrite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/arena.h"
#include "lib/base/table.h"
#include "lib/rewrite/match.h"

enum {
    DEFAULT_BYTES_MAX = 1021,
    ARGUMENTS_MAX = 10,
    FIRST_VALUE = 64,
    CALL_STEPS = 64,
    KEY_BYTES_MAX = 1021,
    ARGUMENT_BYTES = 1254 /* of all arguments of a lookup, and one for each */
};

/* A text has no tokens and should have: EX_DATAERR, and at the outermost ruleset an empty
 * workspace. What a call gave back does not fit: EX_DATAERR, and the workspace is full. */
enum { EMPTIED = -1, GROWN = -2 };

/* A slot's tokens are good for all evaluations. */
#define KEPT UINT64_MAX

/* A macro's present value. */
struct slot {
    const struct text *text; /* NULL: not set */
    struct text own;         /* of a value that was set, over bytes */
    struct piece piece;
    char *bytes;
    size_t room;
    struct tokens tokens; /* of this value, where scanned is the present evaluation's number */
    uint64_t scanned;     /* KEPT: in memory of their own, until the value is another */
    int status;           /* of scanning */
    struct token *kept;   /* that memory */
    char *kept_bytes;
    size_t kept_room, kept_bytes_room;
    /* A value that passes, and what it stands in place of (its bytes are in `before`). */
    bool passes;
    const struct text *before;
    struct text before_own;
    struct piece before_piece;
    char *before_bytes;
    size_t before_room;
};

/* Memory of one depth of calls. */
struct level {
    struct tokens ws, next, other;
};

struct added_word {
    uint32_t cls;
    uint32_t tokens;
    const char *cls_name, *word;
    size_t len;
};

struct rewrite_macros {
    struct arena *arena;
    struct slot *slots;  /* by name number */
    struct table *extra; /* slots of names that the program does not know */
    struct added_word *added;
    size_t nadded, added_room;
    uint64_t evaluation; /* that is going on: what a slot's tokens belong to */
    bool passing;        /* what rules set passes */
    struct slot **passed;
    size_t npassed, passed_room;
};

struct rewrite {
    struct arena *arena;   /* of the rewriter */
    struct arena *scratch; /* of one evaluation */
    const struct program *p;
    struct lookup_world world;
    struct lookup_session *maps;
    struct rewrite_watch watch;
    struct rewrite_limits limits;
    struct rewrite_macros *own, *now; /* of the rewriter; in use */
    struct level *levels[REWRITE_DEPTH + 4];
    struct matcher matcher;
    const struct lookup_map *host;
};

static void note(struct rewrite *r, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void note(struct rewrite *r, int status, const char *fmt, ...)
{
    va_list ap;

    if (!r->watch.note)
        return;
    va_start(ap, fmt);
    r->watch.note(r->watch.ctx, status, arena_vprintf(r->scratch, fmt, ap));
    va_end(ap);
}

/* --- macros ------------------------------------------------------------------------------- */

static struct slot *slot_of(struct rewrite *r, const char *name, size_t len, bool make)
{
    uint32_t id = names_find(&r->p->names, name, len);

    if (id)
        return &r->now->slots[id];
    char key[NAME_MAX_LEN + 1];
    if (len > NAME_MAX_LEN)
        len = NAME_MAX_LEN;
    memcpy(key, name, len);
    key[len] = '\0';
    struct slot *s = table_get(r->now->extra, key);
    if (!s && make) {
        s = arena_alloc(r->now->arena, sizeof *s);
        table_set(r->now->extra, key, s);
    }
    return s;
}

/* Bytes with a NUL behind them in a place that grows. */
static void hold(struct arena *a, char **bytes, size_t *room, const char *value, size_t len)
{
    if (len + 1 > *room) {
        *room = len + 1 > FIRST_VALUE ? (len + 1) * 2 : FIRST_VALUE;
        *bytes = arena_raw(a, *room);
    }
    if (len > 0)
        memmove(*bytes, value, len);
    (*bytes)[len] = '\0';
}

static void set_slot(struct rewrite *r, struct slot *s, const char *value, size_t len)
{
    hold(r->now->arena, &s->bytes, &s->room, value, len);
    s->piece = (struct piece){0, 0, s->bytes, (uint32_t)len};
    s->own = (struct text){&s->piece, len > 0};
    s->text = &s->own;
}

void rewrite_set(struct rewrite *r, const char *name, size_t len, const char *value,
                 size_t value_len)
{
    struct slot *s = slot_of(r, name, len, true);

    s->scanned = 0;
    s->passes = false;
    if (!value) { /* what the configuration says is in force again */
        uint32_t id = names_find(&r->p->names, name, len);
        s->text = id ? r->p->macros[id] : NULL;
        return;
    }
    set_slot(r, s, value, value_len);
}

/* Remembers what the slot is before a value that passes. */
static void keep_slot(struct rewrite_macros *m, struct slot *s)
{
    s->before = s->text;
    if (s->text == &s->own) {
        hold(m->arena, &s->before_bytes, &s->before_room, s->bytes, s->piece.len);
        s->before_piece = (struct piece){0, 0, s->before_bytes, s->piece.len};
        s->before_own = (struct text){&s->before_piece, s->own.n};
        s->before = &s->before_own;
    }
    s->passes = true;
    m->passed = arena_grow(m->arena, m->passed, m->npassed, &m->passed_room, sizeof *m->passed, 8);
    m->passed[m->npassed++] = s;
}

void rewrite_pass(struct rewrite *r, bool passing)
{
    struct rewrite_macros *m = r->now;

    for (size_t i = 0; i < m->npassed; i++) {
        struct slot *s = m->passed[i];
        if (!s->passes)
            continue;
        s->passes = false;
        s->scanned = 0;
        if (s->before == &s->before_own)
            set_slot(r, s, s->before_bytes, s->before_piece.len);
        else
            s->text = s->before;
    }
    m->npassed = 0;
    m->passing = passing;
}

const char *rewrite_get(struct rewrite *r, const char *name, size_t len)
{
    const struct slot *s = slot_of(r, name, len, false);
    size_t n;

    if (!s || !s->text)
        return NULL;
    return s->text == &s->own ? s->bytes : text_bytes(r->scratch, s->text, &n);
}

static const struct text *value_of(void *ctx, uint32_t name)
{
    struct rewrite *r = ctx;

    return name < r->p->nnames ? r->now->slots[name].text : NULL;
}

struct outside {
    struct rewrite *r;
    const struct names *names;
};

static const struct text *value_outside(void *ctx, uint32_t name)
{
    const struct outside *o = ctx;
    const char *text = names_text(o->names, name);
    const struct slot *s = slot_of(o->r, text, strlen(text), false);

    return s ? s->text : NULL;
}

char *rewrite_expand(struct rewrite *r, const char *s, size_t len, size_t *out_len)
{
    struct names names;
    struct outside o = {r, &names};
    size_t n;

    names_init_beside(&names, r->scratch, &r->p->names);
    struct text t = text_read(r->scratch, &names, s, len);
    t = text_expand(r->scratch, &t, value_outside, &o);
    return text_bytes(r->scratch, &t, out_len ? out_len : &n);
}

const char *rewrite_carried_out(struct rewrite *r, const struct text *text, size_t *out_len)
{
    struct text out = text_expand(r->scratch, text, value_of, r);

    return text_bytes(r->scratch, &out, out_len);
}

const char *rewrite_source(struct rewrite *r, const struct text *text)
{
    size_t len;

    return text_bytes(r->scratch, text, &len);
}

/* The class macro of maps. */
static void set_macro(void *ctx, struct map_bytes name, const struct map_bytes *value)
{
    struct rewrite *r = ctx;
    struct slot *s = slot_of(r, name.p, name.len, true);
    bool passes = r->now->passing;

    if (passes && !s->passes)
        keep_slot(r->now, s);
    rewrite_set(r, name.p, name.len, value ? value->p : NULL, value ? value->len : 0);
    s->passes = passes;
}

/* What maps say beside their answers. */
static void told(void *ctx, int status, const char *text)
{
    struct rewrite *r = ctx;

    if (status == EX_OK)
        note(r, EX_OK, "%s", text);
    else if (r->watch.trouble)
        r->watch.trouble(r->watch.ctx, status, text);
}

/* A long text without its middle; marks (may be NULL) count where it is cut, and are left out. */
static const char *shortened(struct rewrite *r, const char *s, size_t len, const bool *marks)
{
    enum { END = 100, LONGEST = 2 * END + 3 };
    char *out = arena_raw(r->scratch, len + sizeof "..."), *q = out;

    for (size_t i = 0; i < len; i++) {
        if (i == END && len >= LONGEST) {
            q = stpcpy(q, "...");
            i = len - END;
        }
        if (!marks || !marks[i])
            *q++ = s[i];
    }
    *q = '\0';
    return out;
}

const char *rewrite_shortened(struct rewrite *r, const char *text)
{
    return shortened(r, text, strlen(text), NULL);
}

static void tell_fault(struct rewrite *r, enum scan_fault f, char ch, const char *text)
{
    if (f == SCAN_UNBALANCED)
        note(r, EX_OK, "%s... Unbalanced '%c'", text, ch);
    else
        note(r, EX_OK, "%s... %s too long", text,
             f == SCAN_TOO_LONG ? "Address" : "prescan: token");
}

void rewrite_fault(struct rewrite *r, enum scan_fault f, char ch, const char *text)
{
    tell_fault(r, f, ch, rewrite_shortened(r, text));
}

struct value {
    struct rewrite *r;
    const struct text *text;
    bool faulty;
    bool written; /* a macro's value, which has its operators as they were written */
};

/* The text as a note shows it: each operator counts where a long text is shortened, and is not
 * shown. */
static const char *shown(struct rewrite *r, const struct text *t, bool written)
{
    size_t room = 0, len = 0;

    for (size_t i = 0; i < t->n; i++)
        room += t->pieces[i].len + 1U;
    char *s = arena_raw(r->scratch, room + 1);
    bool *marks = arena_calloc(r->scratch, room + 1, sizeof *marks);
    for (size_t i = 0; i < t->n; i++) {
        const struct piece *p = &t->pieces[i];
        const size_t from = p->op != 0;
        if (p->op != 0) {
            marks[len] = true;
            s[len++] = '$';
        }
        if (p->op != 0 && !written)
            continue;
        memcpy(s + len, p->p + from, p->len - from);
        len += p->len - from;
    }
    return shortened(r, s, len, marks);
}

static void value_fault(void *ctx, enum scan_fault f, char ch)
{
    struct value *v = ctx;

    v->faulty = true;
    if (v->r->watch.note)
        tell_fault(v->r, f, ch, shown(v->r, v->text, v->written));
}

static bool is_blank(const struct text *t)
{
    for (size_t i = 0; i < t->n; i++) {
        for (uint32_t k = 0; k < t->pieces[i].len; k++) {
            if (!strchr(" \t\r\n\v\f", t->pieces[i].p[k]))
                return false;
        }
    }
    return true;
}

/* The tokens of a macro's value or a map's answer, which are read as an address is; EMPTIED
 * where it is a text without any.  Bytes may be overwritten while tokens of them are in use:
 * scanning copies. */
static int scan_value_into(struct rewrite *r, const struct text *t, char *room, struct tokens *out,
                           bool *faulty)
{
    uint32_t before = out->n;
    struct value v = {r, t, false, faulty != NULL};
    struct scan sc = {.table = &r->p->comments,
                      .words = &r->p->words,
                      .arena = r->scratch,
                      .room = room,
                      .delimiter = -1,
                      .written = v.written,
                      .fault = value_fault,
                      .ctx = &v};

    if (faulty)
        *faulty = false;
    if (!scan_pieces(&sc, t, out))
        return EMPTIED;
    if (faulty)
        *faulty = v.faulty;
    return out->n > before || is_blank(t) ? 0 : EMPTIED;
}

static int scan_value(struct rewrite *r, const struct text *t, struct tokens *out, bool *faulty)
{
    return scan_value_into(r, t, NULL, out, faulty);
}

static const char *late_bytes(void *ctx, uint32_t name, size_t *len)
{
    struct rewrite *r = ctx;
    const struct text *t = r->now->slots[name].text;

    *len = 0;
    if (!t || t->n == 0)
        return "";
    if (t->n == 1) {
        *len = t->pieces->len;
        return t->pieces->p;
    }
    return text_bytes(r->scratch, t, len);
}

/* Room of at least `size` bytes in a place that grows. */
static void *kept_room(struct arena *a, void *old, size_t *room, size_t size)
{
    if (size <= *room)
        return old;
    *room = size < SIZE_MAX / 2 ? size * 2 : size;
    return arena_raw(a, *room);
}

/* A value that an earlier evaluation asked for, and that is plain, will be asked for again: its
 * tokens are kept. */
static void scan_slot(struct rewrite *r, struct slot *s)
{
    const bool keeps = s->scanned != 0 && s->text && s->text->n == 1 && s->text->pieces->op == 0;
    size_t len = 0;
    bool faulty = false;

    for (size_t i = 0; s->text && i < s->text->n; i++)
        len += s->text->pieces[i].len;
    /* A bracket may be closed for each that is open. */
    const uint32_t cap = len > TOKENS_MAX / 2 ? TOKENS_MAX : (uint32_t)len * 2;
    const size_t size = (cap + 1) * sizeof *s->tokens.v;
    if (keeps) {
        s->kept = kept_room(r->now->arena, s->kept, &s->kept_room, size);
        s->kept_bytes =
            kept_room(r->now->arena, s->kept_bytes, &s->kept_bytes_room, scan_bytes(len));
    }
    s->tokens =
        (struct tokens){.v = keeps ? s->kept : arena_raw(r->scratch, size), .n = 0, .cap = cap};
    s->status = 0;
    if (s->text)
        s->status = scan_value_into(r, s->text, keeps ? s->kept_bytes : NULL, &s->tokens, &faulty);
    s->scanned = faulty ? 0 : keeps ? KEPT : r->now->evaluation; /* a fault is told each time */
}

/* The macro's tokens; *status: EMPTIED where it has none and should have. */
static const struct tokens *late(struct rewrite *r, uint32_t name, int *status)
{
    struct slot *s = &r->now->slots[name];

    if (s->scanned != KEPT && s->scanned != r->now->evaluation)
        scan_slot(r, s);
    *status = s->status;
    return &s->tokens;
}

/* --- classes ------------------------------------------------------------------------------ */

void rewrite_add_word(struct rewrite *r, const char *cls, size_t cls_len, const char *word,
                      size_t len)
{
    uint32_t tokens = scan_count(&r->p->rules, &r->p->words, r->scratch, word, len);

    r->now->added = arena_grow(r->arena, r->now->added, r->now->nadded, &r->now->added_room,
                               sizeof *r->now->added, 16);
    r->now->added[r->now->nadded++] = (struct added_word){
        names_find(&r->p->names, cls, cls_len), tokens, arena_strndup(r->arena, cls, cls_len),
        arena_strndup(r->arena, word, len), len};
}

const char *rewrite_added_word(const struct rewrite *r, size_t i, const char **cls)
{
    if (i >= r->now->nadded)
        return NULL;
    *cls = r->now->added[i].cls_name;
    return r->now->added[i].word;
}

static bool added(void *ctx, uint32_t cls, const char *word, size_t len)
{
    const struct rewrite *r = ctx;

    for (size_t i = 0; i < r->now->nadded; i++) {
        const struct added_word *w = &r->now->added[i];
        if (w->cls == cls && words_same(w->word, w->len, word, len))
            return true;
    }
    return false;
}

static uint32_t longest_added(void *ctx, uint32_t cls)
{
    const struct rewrite *r = ctx;
    uint32_t longest = 0;

    for (size_t i = 0; i < r->now->nadded; i++) {
        if (r->now->added[i].cls == cls && r->now->added[i].tokens > longest)
            longest = r->now->added[i].tokens;
    }
    return longest;
}

/* --- a rewriter --------------------------------------------------------------------------- */

struct rewrite *rewrite_new(struct arena *a, const struct program *p,
                            const struct lookup_world *world)
{
    struct rewrite *r = arena_alloc(a, sizeof *r);

    r->arena = a;
    r->scratch = arena_beside(a);
    r->p = p;
    if (world)
        r->world = *world;
    r->world.set_macro = set_macro;
    r->world.macros = r;
    r->world.tell = told;
    r->world.listener = r;
    if (!r->world.space)
        r->world.space = p->space;
    r->maps = lookup_session_new(a, p->maps, &r->world);
    r->own = r->now = rewrite_macros_new(a, p);
    r->limits.steps = REWRITE_STEPS;
    r->host = lookup_find(p->maps, "host", 4);
    r->matcher = (struct matcher){
        .program = p,
        .late = late_bytes,
        .ctx = r,
        .bindings = arena_calloc(a, ELEMENTS_MAX + 1, sizeof(struct binding)),
        .places = arena_calloc(a, ELEMENTS_MAX + 1, sizeof(const struct element *)),
    };
    return r;
}

struct rewrite_macros *rewrite_macros_new(struct arena *a, const struct program *p)
{
    struct rewrite_macros *m = arena_alloc(a, sizeof *m);

    m->arena = a;
    m->slots = arena_calloc(a, p->nnames, sizeof *m->slots);
    for (size_t i = 0; i < p->nnames; i++)
        m->slots[i].text = p->macros[i];
    m->extra = table_new(a);
    m->evaluation = 1;
    return m;
}

void rewrite_use(struct rewrite *r, struct rewrite_macros *m)
{
    r->now = m ? m : r->own;
    rewrite_begin(r);
}

void rewrite_close(struct rewrite *r)
{
    if (!r)
        return;
    lookup_session_close(r->maps);
    arena_free(r->scratch);
}

const struct program *rewrite_program(const struct rewrite *r)
{
    return r->p;
}

struct lookup_session *rewrite_maps(struct rewrite *r)
{
    return r->maps;
}

void rewrite_watch(struct rewrite *r, const struct rewrite_watch *w)
{
    r->watch = w ? *w : (struct rewrite_watch){0};
}

void rewrite_limit(struct rewrite *r, const struct rewrite_limits *l)
{
    r->limits = *l;
}

void rewrite_begin(struct rewrite *r)
{
    arena_reset(r->scratch);
    r->now->evaluation++;
    r->matcher.steps = 0;
    r->matcher.limit = r->limits.steps;
    r->matcher.added = r->now->nadded ? added : NULL;
    r->matcher.longest_added = longest_added;
}

static struct tokens list(struct arena *a)
{
    return (struct tokens){arena_raw(a, TOKENS_MAX * sizeof(struct token)), 0, TOKENS_MAX};
}

struct tokens *rewrite_workspace(struct rewrite *r)
{
    struct tokens *ws = arena_alloc(r->scratch, sizeof *ws);

    *ws = list(r->scratch);
    return ws;
}

struct arena *rewrite_arena(struct rewrite *r)
{
    return r->scratch;
}

/* --- right-hand sides --------------------------------------------------------------------- */

static bool append(struct tokens *out, const struct token *v, uint32_t n)
{
    if (n > out->cap - out->n)
        return false;
    struct token *to = out->v + out->n;
    for (uint32_t i = 0; i < n; i++)
        to[i] = v[i];
    out->n += n;
    return true;
}

static int too_long(struct rewrite *r)
{
    note(r, EX_SOFTWARE, "rewrite: expansion too long");
    return EX_DATAERR;
}

static int out_of_bounds(struct rewrite *r, const struct ruleset *s, uint32_t n)
{
    char number[8];

    note(r, EX_SOFTWARE, "rewrite: ruleset %s: replacement $%u out of bounds",
         program_ruleset_label(s, number), (unsigned)n);
    return EX_CONFIG;
}

static void tell_macro(struct rewrite *r, uint32_t name)
{
    const struct text *v = value_of(r, name);
    size_t len;

    if (r->watch.macro)
        r->watch.macro(r->watch.ctx, names_text(&r->p->names, name),
                       v ? text_bytes(r->scratch, v, &len) : NULL);
}

/* Appends the value of the next macro behind $&.  0, or what ends the ruleset. */
static int substitute_late(struct rewrite *r, uint32_t name, struct tokens *out, uint64_t *bits)
{
    int status;

    tell_macro(r, name);
    const struct tokens *v = late(r, name, &status);
    if (status)
        return out->n < out->cap ? status : too_long(r);
    *bits |= match_bits(v->v, v->n);
    /* One token of room is left behind a value, as sendmail leaves it, an empty one too. */
    return v->n < out->cap - out->n && append(out, v->v, v->n) ? 0 : too_long(r);
}

/* What a rule makes whose right-hand side cannot fail, into a list that has room for it. */
static void substitute_plain(const struct rule *rule, const struct binding *bindings,
                             const struct token *from, struct tokens *out)
{
    const struct token *fixed = rule->fixed;
    struct token *to = out->v;

    for (const struct part *p = rule->parts;; p++) {
        for (uint32_t n = p->fixed; n > 0; n--)
            *to++ = *fixed++;
        if (p->matched == 0)
            break;
        const struct binding *b = &bindings[p->matched - 1];
        for (const struct token *v = from + b->first, *behind = from + b->end; v < behind; v++)
            *to++ = *v;
    }
    out->n = (uint32_t)(to - out->v);
}

/* What the rule makes of ws, into out; *bits: at least those of ws, then at least those of out;
 * *calls: how many calls there may be, at most. */
static int substitute(struct rewrite *r, const struct ruleset *s, const struct rule *rule,
                      const struct tokens *ws, struct tokens *out, uint64_t *bits, uint32_t *calls)
{
    const uint64_t call = 1U << OP_CALL;
    const uint32_t *late_name = rule->late;
    const struct token *from = ws->v, *t = rule->right, *const end = t + rule->nright;
    struct token *to = out->v, *const full = out->v + out->cap;

    *calls = *bits & call ? UINT32_MAX : rule->ncalls;
    *bits |= rule->made;
    if (rule->parts && rule->nright * (ws->n + 1) <= out->cap) {
        substitute_plain(rule, r->matcher.bindings, from, out);
        return 0;
    }
    for (; t < end; t++) {
        if (t->id == OP_MATCHED) {
            const uint32_t n = (uint32_t)(t->p[1] - '0');
            if (n == 0 || n > r->matcher.n)
                return out_of_bounds(r, s, n);
            const struct binding b = r->matcher.bindings[n - 1];
            if (b.end - b.first > (size_t)(full - to))
                return too_long(r);
            for (uint32_t i = b.first; i < b.end; i++)
                *to++ = from[i];
        } else if (t->id == OP_LATE_MACRO) {
            out->n = (uint32_t)(to - out->v);
            int status = substitute_late(r, *late_name++, out, bits);
            if (status)
                return status;
            to = out->v + out->n;
        } else if (to < full) {
            *to++ = *t;
        } else {
            return too_long(r);
        }
    }
    out->n = (uint32_t)(to - out->v);
    return 0;
}

/* The tokens as one text, cut where it is longer than `most` bytes (scan_join). */
static char *joined_within(struct rewrite *r, const struct token *v, uint32_t n, char space,
                           size_t most, size_t *len)
{
    size_t room = 0;

    for (uint32_t i = 0; i < n; i++)
        room += v[i].len + 1U;
    if (most < room)
        room = most + 1;
    char *s = arena_raw(r->scratch, room + 1);
    *len = scan_join(&r->p->rules, v, n, space, s, most < room ? most : room);
    return s;
}

char *rewrite_joined(struct rewrite *r, const struct token *v, uint32_t n, char space, size_t *len)
{
    return joined_within(r, v, n, space, SIZE_MAX, len);
}

/* Would these tokens come out as they are, joined and read again?  Words are joined with the
 * BlankSub between them, which only a blank is not kept of. */
static bool is_settled(const struct program *p, const struct token *v, uint32_t n)
{
    uint32_t angles = 0, cost = 0;
    bool word = false;

    for (uint32_t i = 0; i < n; i++) {
        const char *s = v[i].p;
        uint32_t len = v[i].len;
        const bool is_word = p->space != ' ' && scan_is_word(&p->rules, &v[i]);
        if (word && is_word)
            return false;
        word = is_word;
        cost += len + 1;
        if (len > TOKEN_BYTES_MAX || cost > DEFAULT_BYTES_MAX)
            return false;
        if (len == 0 || *s == '(' || *s == ')')
            return false;
        angles += *s == '<';
        if (*s == '>' && angles-- == 0)
            return false;
        if (*s == '"' && (len < 2 || s[len - 1] != '"'))
            return false;
        if (*s != '"' && memchr(s, '\\', len))
            return false;
    }
    return angles == 0;
}

/* Appends v[0..n) as their text reads when it is read as an address.  0, EX_DATAERR or EMPTIED. */
static int append_again(struct rewrite *r, const struct token *v, uint32_t n, struct tokens *out)
{
    if (is_settled(r->p, v, n))
        return append(out, v, n) ? 0 : too_long(r);
    struct piece *pieces = arena_raw(r->scratch, (n + 1) * sizeof *pieces);
    struct text t = {pieces, 0};
    size_t left = DEFAULT_BYTES_MAX; /* what is longer is cut off */
    for (uint32_t i = 0; i < n && left > 0;) {
        uint32_t words = 0;
        size_t len;
        while (i + words < n && (v[i + words].id >= WORD_FIRST || v[i + words].id == WORD_NONE))
            words++;
        if (words == 0) {
            pieces[t.n++] = (struct piece){v[i].id, 0, v[i].p, v[i].len};
            left--;
            i++;
            continue;
        }
        const char *s = joined_within(r, v + i, words, r->p->space, left, &len);
        pieces[t.n++] = (struct piece){0, 0, s, (uint32_t)len};
        left -= len < left ? len : left;
        i += words;
    }
    return scan_value(r, &t, out, NULL);
}

/* The tokens as one text for a map; what does not fit into what is left, with one byte behind it,
 * is cut off. */
static struct map_bytes part_of_lookup(struct rewrite *r, const struct token *v, uint32_t n,
                                       char space, size_t *left)
{
    struct map_bytes b = {"", 0};

    if (*left == 0)
        return b;
    b.p = joined_within(r, v, n, space, *left - 1, &b.len);
    *left -= b.len < *left ? b.len + 1 : *left;
    return b;
}

/* One lookup of the tokens v[0..n), from its opening operator to before the closing one; what it
 * comes to goes to out. */
static int look_up(struct rewrite *r, const struct token *v, uint32_t n, struct tokens *out,
                   int *fatal)
{
    const struct lookup_map *map = r->host;
    const char *name = "host";
    uint32_t name_len = 4, i = 1;

    if (v[0].id == OP_MAP_BEGIN && n > 1) {
        name = v[1].p;
        name_len = v[1].len;
        map = v[1].id >= WORD_FIRST ? words_at(&r->p->words, v[1].id)->map
                                    : lookup_find(r->p->maps, name, name_len);
        i = 2;
    }
    struct map_bytes args[ARGUMENTS_MAX]; /* nargs of them */
    char space = map ? lookup_map_space(map, r->p->space) : r->p->space;
    uint32_t from = i, nargs = 0, key_from = i, key_end = n, default_from = n, default_end = n;
    size_t left = ARGUMENT_BYTES, key_left = KEY_BYTES_MAX + 1;
    struct map_bytes key = {"", 0};
    uint32_t part = 0; /* 0: the key, else the operator that began it */
    bool has_default = false;
    for (;; i++) {
        if (i < n && v[i].id != OP_COLON && v[i].id != OP_AT)
            continue;
        if (part == 0) {
            key_end = i;
            key = part_of_lookup(r, v + key_from, key_end - key_from, space, &key_left);
        } else if (part == OP_COLON) {
            has_default = true;
            default_from = from;
            default_end = i;
        } else if (nargs < ARGUMENTS_MAX) {
            args[nargs++] = part_of_lookup(r, v + from, i - from, space, &left);
        }
        if (i >= n)
            break;
        part = v[i].id;
        from = i + 1;
    }
    int status = 0;
    if (!map) {
        note(r, EX_SOFTWARE, "rewrite: map %.*s not found", (int)name_len, name);
    } else {
        struct lookup_answer answer = {0};
        lookup(r->maps, map, key, args, nargs, r->scratch, &answer);
        if (r->watch.looked_up)
            r->watch.looked_up(r->watch.ctx, lookup_map_name(map), key.p, &answer);
        if (answer.verdict == MAP_FOUND || (answer.verdict == MAP_TEMPFAIL && answer.value.p)) {
            struct text t = text_plain(r->scratch, answer.value.p, answer.value.len);
            const uint32_t before = out->n;
            *fatal = scan_value(r, &t, out, NULL);
            if (r->watch.found)
                r->watch.found(r->watch.ctx, map, key.p,
                               &(struct tokens){out->v + before, out->n - before, out->cap});
            return answer.verdict == MAP_TEMPFAIL ? EX_TEMPFAIL : 0;
        }
        if (answer.verdict == MAP_TEMPFAIL) {
            status = EX_TEMPFAIL;
            if (answer.failed && r->watch.failed)
                r->watch.failed(r->watch.ctx, answer.failed, answer.why);
        }
    }
    if (has_default)
        *fatal = append_again(r, v + default_from, default_end - default_from, out);
    else if (!append(out, v + key_from, key_end - key_from))
        *fatal = too_long(r);
    return status;
}

/* Carries out all lookups in ws, from left to right.  *fatal: what ends the ruleset, else 0. */
static int look_up_all(struct rewrite *r, struct tokens *ws, struct tokens *out, int *fatal)
{
    int status = 0;

    *fatal = 0;
    out->n = 0;
    for (uint32_t i = 0; i < ws->n && !*fatal; i++) {
        uint32_t id = ws->v[i].id;
        if (id != OP_HOST_BEGIN && id != OP_MAP_BEGIN) {
            if (!append(out, &ws->v[i], 1))
                *fatal = too_long(r);
            continue;
        }
        uint32_t close = id == OP_HOST_BEGIN ? OP_HOST_END : OP_MAP_END, end = i + 1;
        while (end < ws->n && ws->v[end].id != close)
            end++;
        int now = look_up(r, ws->v + i, end - i, out, fatal);
        if (status == 0 || now == EX_TEMPFAIL)
            status = now;
        i = end;
    }
    if (!*fatal) {
        ws->n = 0;
        append(ws, out->v, out->n);
    }
    return status;
}

static int run(struct rewrite *r, const struct ruleset *s, struct tokens *ws, uint64_t *bits,
               unsigned depth);

static struct level *new_level(struct rewrite *r, unsigned depth)
{
    struct level *l = arena_alloc(r->arena, sizeof *l);

    l->ws = list(r->arena);
    l->next = list(r->arena);
    l->other = list(r->arena);
    return r->levels[depth] = l;
}

static inline struct level *level(struct rewrite *r, unsigned depth)
{
    return r->levels[depth] ? r->levels[depth] : new_level(r, depth);
}

static const struct ruleset no_rules = {.name = ""}; /* of a number that no line names */

/* The ruleset that a token behind $> names, which loses its quotes; NULL, and said why, if there is
 * none. */
static const struct ruleset *called(struct rewrite *r, struct token *name)
{
    long number;

    if (name->len > 0 && *name->p == '"') {
        name->len -= name->len > 1 && name->p[name->len - 1] == '"' ? 2 : 1;
        name->p++;
        name->id = words_find(&r->p->words, name->p, name->len);
    }
    const char *p = name->p;
    size_t len = name->len;

    if (name->id >= WORD_FIRST) {
        uint16_t n = words_at(&r->p->words, name->id)->ruleset;
        const struct ruleset *s = n ? r->p->rulesets[n - 1] : NULL;
        if (s && (p == s->name || memcmp(s->name, p, len) == 0)) /* as long as the word */
            return s;
    }
    if (name->id > WORD_NONE && name->id < WORD_FIRST)
        len = 0;
    size_t n = program_ruleset_name(p, len, &number);
    const struct ruleset *s = n > 0 ? program_ruleset(r->p, p, n) : NULL;
    if (s)
        return s;
    if (number >= 0 && number < RULESETS_MAX / 2)
        return &no_rules;
    if (number >= 0)
        note(r, EX_SOFTWARE, "bad ruleset %.*s (%d max)", (int)n, p, RULESETS_MAX / 2);
    else if (n == 0)
        note(r, EX_SOFTWARE, "invalid ruleset name: \"%.*s\"", (int)len, p);
    /* What stands behind a blank is not said. */
    for (n = 0; n < len && p[n] != ' '; n++)
        continue;
    note(r, EX_SOFTWARE, "Unknown ruleset %.*s", (int)n, p);
    return NULL;
}

/* Carries out the calls in ws from i on.  The argument of one is all that stands behind it, so the
 * last is made first; but names are looked up from the left, and one that is not known ends it all.
 * before: calls that stand before i; calls: there are no more than that from i on; *bits: at least
 * those of ws, then and now. */
static int call_all(struct rewrite *r, struct tokens *ws, uint64_t *bits, uint32_t i,
                    uint32_t before, uint32_t calls, unsigned depth)
{
    for (; calls > 0; i++) {
        const uint32_t n = ws->n;
        while (i < n && ws->v[i].id != OP_CALL)
            i++;
        if (i + 1 >= n)
            break;
        const struct ruleset *s = called(r, &ws->v[i + 1]);
        if (!s)
            return EX_CONFIG;
        calls--;
        if (s->nrules == 0) {
            /* Its argument is its answer, and what that begins with is not looked at. */
            memmove(ws->v + i, ws->v + i + 2, (ws->n - i - 2) * sizeof *ws->v);
            ws->n -= 2;
            continue;
        }
        if (++before == REWRITE_CALLS) {
            note(r, EX_SOFTWARE, "Too many subroutine calls (%d max)", REWRITE_CALLS);
            return EX_CONFIG;
        }
        int status = calls > 0 ? call_all(r, ws, bits, i + 2, before, calls, depth) : 0;
        if (status && status != EX_TEMPFAIL)
            return status;
        /* It has to fit behind what stands before the call. */
        struct tokens sub = {ws->v + i + 2, ws->n - i - 2, TOKENS_MAX - i};
        if (calls == 0)
            *bits &= ~((uint64_t)1 << OP_CALL);
        int now = run(r, s, &sub, bits, depth + 1);
        *bits |= match_bits(ws->v, i);
        if (now == EMPTIED)
            now = EX_DATAERR;
        if (status == 0 || now == EX_TEMPFAIL)
            status = now;
        /* How much there may be is looked at when the next rule is applied. */
        const uint32_t fits = sub.n < TOKENS_MAX - i ? sub.n : TOKENS_MAX - i;
        memmove(ws->v + i, sub.v, fits * sizeof *ws->v);
        ws->n = i + fits;
        if (fits < sub.n) {
            too_long(r);
            return GROWN;
        }
        return status;
    }
    return 0;
}

static void tell_matches(struct rewrite *r, const struct tokens *ws)
{
    for (uint32_t k = 0; r->watch.matched && k < r->matcher.n; k++) {
        const struct binding *b = &r->matcher.bindings[k];
        r->watch.matched(r->watch.ctx, k + 1,
                         &(struct tokens){ws->v + b->first, b->end - b->first, ws->cap});
    }
}

/* The next rule from i on, before `end`, that may match; end: none. */
static inline size_t next_candidate(const struct ruleset *s, const struct tokens *ws, uint64_t bits,
                                    size_t i, size_t end)
{
    const uint32_t n = ws->n;
    const uint32_t first = n > 0 ? ws->v[0].id : WORD_NONE;
    const uint32_t last = n > 0 ? ws->v[n - 1].id : WORD_NONE;

    for (; i < end; i++) {
        const struct rule_key *k = &s->keys[i];
        if ((k->need & ~bits) == 0 && k->least <= n &&
            (k->first == WORD_NONE || k->first == first) &&
            (k->last == WORD_NONE || k->last == last))
            break;
    }
    return i;
}

/* next_match where somebody wants to be told of each rule. */
static size_t next_match_told(struct rewrite *r, const struct ruleset *s, const struct tokens *ws,
                              uint64_t bits, size_t i)
{
    for (; i < s->nrules; i++) {
        if (r->watch.trying)
            r->watch.trying(r->watch.ctx, s, &s->rules[i]);
        if (next_candidate(s, ws, bits, i, i + 1) == i) {
            if (match(&r->matcher, &s->rules[i], ws))
                break;
            if (r->matcher.steps > r->matcher.limit)
                return s->nrules;
        }
        if (r->watch.tried)
            r->watch.tried(r->watch.ctx, &s->rules[i], NULL);
    }
    return i;
}

/* The next rule from i on that matches; nrules if there is none.  bits: at least those of ws. */
static size_t next_match(struct rewrite *r, const struct ruleset *s, const struct tokens *ws,
                         uint64_t bits, size_t i)
{
    r->matcher.steps += s->nrules - i;
    if (r->watch.trying || r->watch.tried) {
        i = next_match_told(r, s, ws, bits, i);
    } else {
        while ((i = next_candidate(s, ws, bits, i, s->nrules)) < s->nrules &&
               !match(&r->matcher, &s->rules[i], ws)) {
            if (r->matcher.steps > r->matcher.limit)
                return s->nrules;
            i++;
        }
    }
    if (i == s->nrules)
        return i;
    tell_matches(r, ws);
    if (r->watch.matching)
        r->watch.matching(r->watch.ctx, &s->rules[i], ws);
    r->matcher.steps -= s->nrules - i - 1;
    return i;
}

/* Carries out what the rule that matched says, into the level's next.  *bits: at least those of ws,
 * then of next.  *fatal: what ends the ruleset, else 0. */
static int carry_out(struct rewrite *r, const struct ruleset *s, const struct rule *rule,
                     const struct tokens *ws, uint64_t *bits, unsigned depth, int *fatal)
{
    const uint64_t lookups = 1U << OP_HOST_BEGIN | 1U << OP_MAP_BEGIN;
    struct level *l = level(r, depth);
    uint32_t calls;
    int status = 0;

    *fatal = substitute(r, s, rule, ws, &l->next, bits, &calls);
    r->matcher.steps += l->next.n;
    if (!*fatal && (*bits & lookups)) {
        status = look_up_all(r, &l->next, &l->other, fatal);
        *bits = match_bits(l->next.v, l->next.n);
    }
    if (!*fatal && (*bits & 1U << OP_CALL)) {
        int now = call_all(r, &l->next, bits, 0, 0, calls, depth);
        if (now == GROWN)
            *fatal = now;
        if (now) /* the call that failed is left, its name perhaps without its quotes */
            *bits = match_bits(l->next.v, l->next.n);
        if (status == 0 || now == EX_TEMPFAIL)
            status = now;
    }
    return status;
}

static bool should_stop(struct rewrite *r)
{
    if (arena_used(r->scratch) < REWRITE_BYTES &&
        !(r->limits.stop && r->limits.stop(r->limits.ctx)))
        return false;
    r->matcher.steps = r->matcher.limit + 1;
    return true;
}

/* Applies the ruleset's rules to ws, from the first to the last.  Its tokens may be another
 * level's, and are left as they are; what the rules made is in memory of this level's. */
static int apply(struct rewrite *r, const struct ruleset *s, struct tokens *ws, uint64_t *bits,
                 unsigned depth, int *fatal)
{
    struct level *l = level(r, depth);
    const struct token *const given = ws->v;
    size_t i = 0, last = SIZE_MAX;
    unsigned loops = 0;
    int status = 0;

    /* What is resolved already stays as it is. */
    while (!(ws->n > 0 && ws->v[0].id == OP_HASH)) {
        /* Whether it would match once more is not looked at. */
        if (i == last && loops == REWRITE_LOOPS) {
            char number[8];
            note(r, EX_SOFTWARE, "Infinite loop in ruleset %s, rule %zu",
                 program_ruleset_label(s, number), i + 1);
            break;
        }
        i = next_match(r, s, ws, *bits, i);
        if (i == s->nrules || should_stop(r))
            break;
        const struct rule *rule = &s->rules[i];
        loops = i == last ? loops + 1 : 1;
        last = i;
        int now = carry_out(r, s, rule, ws, bits, depth, fatal);
        if (*fatal && *fatal != GROWN)
            return *fatal;
        if (status == 0 || now == EX_TEMPFAIL)
            status = now;
        /* Field by field: as a whole they would be read before they are written. */
        struct token *const made = l->next.v;
        const uint32_t n = l->next.n;
        l->next.v = ws->v == given ? l->ws.v : ws->v;
        l->ws.v = ws->v = made;
        ws->n = n;
        if (*fatal)
            return *fatal = EX_DATAERR;
        if (r->watch.tried)
            r->watch.tried(r->watch.ctx, rule, ws);
        if (rule->mode == RULE_RETURN || rule->mode == RULE_RESOLVE)
            break;
        i += rule->mode == RULE_ONCE;
    }
    return status;
}

/* *bits: at least those of ws (match_bits), then and now. */
static int run(struct rewrite *r, const struct ruleset *s, struct tokens *ws, uint64_t *bits,
               unsigned depth)
{
    char number[8];
    int fatal = 0;

    if (r->watch.enter)
        r->watch.enter(r->watch.ctx, s, ws);
    if (depth > REWRITE_DEPTH + 1) { /* the first does not count */
        note(r, EX_SOFTWARE, "rewrite: excessive recursion (max %d), ruleset %s", REWRITE_DEPTH,
             program_ruleset_label(s, number));
        return EX_CONFIG;
    }
    r->matcher.steps += CALL_STEPS;
    struct level *l = level(r, depth);
    l->ws.cap = l->next.cap = l->other.cap = ws->cap;
    int status = apply(r, s, ws, bits, depth, &fatal);
    if (fatal)
        return fatal;
    if (r->matcher.steps > r->matcher.limit) {
        if (status != EX_TEMPFAIL)
            note(r, EX_TEMPFAIL, "rewrite: ruleset %s takes too long",
                 program_ruleset_label(s, number));
        status = EX_TEMPFAIL;
    }
    if (r->watch.leave)
        r->watch.leave(r->watch.ctx, s, ws);
    return status;
}

int rewrite_run(struct rewrite *r, const struct ruleset *ruleset, struct tokens *ws)
{
    struct tokens *own = &level(r, 1)->ws;

    own->n = 0;
    own->cap = TOKENS_MAX;
    append(own, ws->v, ws->n);
    uint64_t bits = match_bits(own->v, own->n);
    int status = run(r, ruleset, own, &bits, 1);
    ws->n = 0;
    append(ws, own->v, own->n);
    if (status != EMPTIED)
        return status;
    ws->n = 0;
    return EX_DATAERR;
}

void rewrite_rest(struct rewrite *r)
{
    lookup_session_rest(r->maps);
}

int rewrite_run_empty(struct rewrite *r, int number, struct tokens *ws)
{
    struct ruleset none = {.name = "", .number = (uint16_t)number};
    uint64_t bits = UINT64_MAX;

    return run(r, &none, ws, &bits, 1);
}

void rewrite_note(struct rewrite *r, int status, const char *text)
{
    if (r->watch.note)
        r->watch.note(r->watch.ctx, status, text);
}
