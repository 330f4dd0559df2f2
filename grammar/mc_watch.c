#include "grammar/mc_watch.h"

#include <string.h>

#include "lib/base/arena.h"

static const size_t NOWHERE = SIZE_MAX;

enum { QUOTES_AROUND = 8 }; /* of code, at most */

enum frame_kind { FRAME_CALL, FRAME_GROUP, FRAME_QUOTE };

/* Something open. */
struct frame {
    enum frame_kind kind;
    bool live;    /* what stands in it is read as code */
    bool macro;   /* the call of a name that is a macro's */
    bool block;   /* a quote whose text begins on the next line, as code does */
    bool comment; /* it opened in a # comment */
    bool told;
    enum mc_word_kind word;
    size_t off;   /* of the opener */
    size_t begin; /* of the call's name, or off */
    size_t held;  /* of a quote that is in no call: its first line of code */
    size_t call;  /* 1 + index of the innermost macro's call at or below it, or 0 */
    size_t text;  /* 1 + index of the outermost quote that is no block at or below it, or 0 */
    /* Of a call, its argument so far. */
    unsigned arg;
    size_t arg_off;
    size_t piece;        /* where the last quoted piece ended, or NOWHERE */
    bool apart;          /* there is more after a quoted piece, and a blank between */
    bool own_apostrophe; /* a quote closed before a quote mark: meant so */
};

struct mc_watch {
    struct arena *arena;
    struct mc_scan *scan;
    const char *bytes;
    size_t len;
    struct frame *frames;
    size_t depth, cap;
    struct mc_token held; /* a call's name, whose parenthesis comes */
    size_t accept;
    size_t unit;
    struct mc_scan_mode unit_mode;
    size_t note_after, unit_after;
    size_t end_at, end_depth;
    bool ended;
    size_t note_depth_at, noted_depth;
    size_t comment;    /* of this line, or NOWHERE */
    size_t call_end;   /* where the last call of this line ended, or NOWHERE */
    size_t solid;      /* where the last token ended that is no white space and no dnl */
    bool line_has;     /* this line has something already */
    bool told_comment; /* its macro was told */
    size_t ask, answer;
    struct mc_trouble next; /* found along with another */
};

static const struct {
    const char *name;
    enum mc_word_kind kind;
} words[] = {
#define FILE MC_WORD_FILE
#define NAMED MC_WORD_NAMED
#define DEFINE MC_WORD_DEFINE
#define TEXT MC_WORD_TEXT
#define CLASS MC_WORD_CLASS
#define OTHER MC_WORD_OTHER
#define SECTION MC_WORD_SECTION
#define BUILTIN MC_WORD_BUILTIN
#define BARE MC_WORD_BARE_BUILTIN
#define WORD(name, kind) {#name, kind},
#include "grammar/words.def"
#undef WORD
#undef FILE
#undef NAMED
#undef DEFINE
#undef TEXT
#undef CLASS
#undef OTHER
#undef SECTION
#undef BUILTIN
#undef BARE
};

enum mc_word_kind mc_watch_word(const char *name, size_t len)
{
    for (size_t i = 0; len > 0 && i < sizeof words / sizeof *words; i++)
        if (*words[i].name == *name && strlen(words[i].name) == len &&
            memcmp(words[i].name, name, len) == 0)
            return words[i].kind;
    return MC_WORD_NONE;
}

size_t mc_watch_glued(const char *p, const char *end)
{
    size_t n = 0;
    const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
    while (p + n < stop && ((p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z') ||
                            p[n] == '_' || (p[n] >= '0' && p[n] <= '9')))
        n++;
    const char *close = memchr(p + n, ')', (size_t)(stop - p) - n);
    if (!close || memchr(p + n, '(', (size_t)(close - p) - n))
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t k = strlen(words[i].name);
        bool number = k == n && words[i].kind == MC_WORD_BARE_BUILTIN && p[n] == '-';
        if ((number || (k < n && words[i].kind != MC_WORD_SECTION)) &&
            memcmp(p, words[i].name, k) == 0 &&
            (number || words[i].kind == MC_WORD_BARE_BUILTIN
                 ? number || (p[k] >= '0' && p[k] <= '9')
                 : p[k] != '_' || k + 1 == n))
            return k;
    }
    return 0;
}

size_t mc_watch_mark(const char *p, const char *end)
{
    static const char *const marks[] = {"``",
                                        "''",
                                        "`",
                                        "'",
                                        "\"",
                                        "\xe2\x80\x98",
                                        "\xe2\x80\x99",
                                        "\xe2\x80\x9a",
                                        "\xe2\x80\x9b",
                                        "\xe2\x80\x9c",
                                        "\xe2\x80\x9d",
                                        "\xe2\x80\x9e",
                                        "\xe2\x80\x9f",
                                        "\xc2\xb4",
                                        "\xc2\xab",
                                        "\xc2\xbb",
                                        "\xb4",
                                        "\x91",
                                        "\x92",
                                        "\x93",
                                        "\x94"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        size_t n = strlen(marks[i]);
        if ((size_t)(end - p) >= n && memcmp(p, marks[i], n) == 0)
            return n;
    }
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t skip_blanks(const struct mc_watch *w, size_t at)
{
    while (at < w->len && is_blank(w->bytes[at]))
        at++;
    return at;
}

static struct frame *top(const struct mc_watch *w)
{
    return w->depth ? &w->frames[w->depth - 1] : NULL;
}

static bool is_live(const struct mc_watch *w)
{
    return !w->depth || top(w)->live;
}

/* Directives stand here: in nothing, or in quoted code. */
static bool in_code(const struct mc_watch *w)
{
    return !w->depth || (top(w)->live && top(w)->kind == FRAME_QUOTE);
}

static bool in_live_call(const struct mc_watch *w)
{
    return w->depth && top(w)->live && top(w)->kind != FRAME_QUOTE;
}

static struct frame *push(struct mc_watch *w, enum frame_kind kind, size_t off)
{
    w->frames = arena_grow(w->arena, w->frames, w->depth, &w->cap, sizeof *w->frames, 32);
    bool live = is_live(w);
    size_t call = 0, text = 0;
    if (w->depth) {
        call = w->frames[w->depth - 1].call;
        text = w->frames[w->depth - 1].text;
    }
    struct frame *f = &w->frames[w->depth++];
    *f = (struct frame){.kind = kind, .live = live, .off = off, .begin = off, .held = NOWHERE};
    f->comment = w->comment != NOWHERE;
    f->piece = NOWHERE;
    f->call = call;
    f->text = text;
    return f;
}

static struct frame *innermost_call(const struct mc_watch *w)
{
    size_t call = w->depth ? top(w)->call : 0;
    return call ? &w->frames[call - 1] : NULL;
}

static void open_quote(struct mc_watch *w, const struct mc_token *t)
{
    struct frame *below = top(w);
    if (below && below->kind == FRAME_CALL && below->piece != NOWHERE && below->piece < t->off)
        below->apart = true;
    struct frame *f = push(w, FRAME_QUOTE, t->off);
    size_t text = skip_blanks(w, t->off + t->len);
    for (int i = 0; i < QUOTES_AROUND && text < w->len && w->bytes[text] == '`'; i++)
        text = skip_blanks(w, text + 1);
    bool line_end = text < w->len && w->bytes[text] == '\n';
    bool code = line_end || mc_scan_calls_at(w->scan, text) || mc_scan_dnl_at(w->scan, text);
    f->block = f->live && (line_end || mc_scan_dnl_at(w->scan, text));
    /* Quoted text that is in no call is not read again. */
    f->live = f->live && code && w->depth > 1;
    f->block = f->block && f->live;
    if (!f->block && !f->text)
        f->text = w->depth;
}

static struct mc_trouble trouble(enum mc_trouble_kind kind, size_t from, size_t at, size_t end)
{
    return (struct mc_trouble){.kind = kind, .from = from, .at = at, .end = end, .held = NOWHERE};
}

static const struct mc_trouble no_trouble = {.kind = MC_TROUBLE_NONE};

/* --- arguments ----------------------------------------------------------------------------------
 */

/* An argument [from, to) without white space around. */
static void trim(const struct mc_watch *w, size_t *from, size_t *to)
{
    while (*from < *to) {
        const char *p = w->bytes + *from;
        const char *nl = memchr(p, '\n', *to - *from);
        if (is_blank(*p) || *p == '\n')
            (*from)++;
        else if (nl && memcmp(p, "dnl", 3) == 0 && mc_scan_dnl_at(w->scan, *from))
            *from = (size_t)(nl - w->bytes) + 1;
        else
            break;
    }
    while (*to > *from && (is_blank(w->bytes[*to - 1]) || w->bytes[*to - 1] == '\n'))
        (*to)--;
}

static bool has_blank(const struct mc_watch *w, size_t from, size_t to)
{
    for (; from < to; from++)
        if (is_blank(w->bytes[from]) || w->bytes[from] == '\n')
            return true;
    return false;
}

/* "x" is a way to write a value; as a name it is none. */
static bool is_wrong_double(const struct mc_watch *w, const struct frame *f, size_t from, size_t to)
{
    if (to - from < 2 || w->bytes[to - 1] != '"')
        return false;
    if (f->arg == 0)
        return true;
    return (f->word == MC_WORD_NAMED || f->word == MC_WORD_DEFINE) && !has_blank(w, from, to);
}

/* Has an argument a blank outside of quotes; quoted: between two quoted texts? */
static bool is_in_two(const struct mc_watch *w, size_t from, size_t to, bool quoted)
{
    size_t depth = 0;
    for (size_t p = from; p < to; p++) {
        char c = w->bytes[p];
        if (c == '(' && !depth)
            return false;
        if (c == '`')
            depth++;
        else if (c == '\'' && depth)
            depth--;
        else if (is_blank(c) && !depth &&
                 (!quoted || (w->bytes[p - 1] == '\'' && w->bytes[skip_blanks(w, p)] == '`')))
            return true;
    }
    return false;
}

static struct mc_trouble argument_ends(struct mc_watch *w, struct frame *f, size_t end)
{
    size_t from = f->arg_off, to = end;
    struct mc_trouble found = no_trouble;
    trim(w, &from, &to);
    if (f->live && f->macro && f->word != MC_WORD_NONE && f->word != MC_WORD_BUILTIN && from < to) {
        const char *p = w->bytes + from;
        size_t mark = mc_watch_mark(p, w->bytes + to);
        bool wrong = mark && *p != '`' && *p != '"' && (to - from > mark || *p == '\'');
        if (*p == '"')
            wrong = is_wrong_double(w, f, from, to);
        if (wrong)
            found = trouble(MC_TROUBLE_WRONG_QUOTES, f->begin, from, to);
        else if ((f->arg == 0 && f->apart &&
                  (f->word == MC_WORD_NAMED || f->word == MC_WORD_DEFINE)) ||
                 (f->word == MC_WORD_FILE && is_in_two(w, from, to, f->arg > 0)))
            found = trouble(MC_TROUBLE_NO_COMMA, f->begin, from, to);
    }
    f->arg++;
    f->arg_off = end + 1;
    f->piece = NOWHERE;
    f->apart = false;
    f->own_apostrophe = false;
    return found;
}

/* --- tokens -------------------------------------------------------------------------------------
 */

static struct mc_trouble name_stands(struct mc_watch *w, const struct mc_token *t, bool call)
{
    enum mc_word_kind word = mc_watch_word(w->bytes + t->off, t->len);
    if (!in_code(w) || !mc_scan_is_usual(w->scan))
        return no_trouble;
    size_t end = t->off + t->len;
    if (w->comment != NOWHERE) {
        bool bare = word != MC_WORD_NONE && word != MC_WORD_BUILTIN && word != MC_WORD_DEFINE &&
                    word != MC_WORD_TEXT;
        if (word == MC_WORD_FILE && is_letter(w->bytes[t->off]) && w->bytes[t->off] >= 'a')
            bare = false; /* include */
        if (w->told_comment || !(call ? word != MC_WORD_NONE : bare))
            return no_trouble;
        w->told_comment = true;
        struct mc_trouble x = trouble(MC_TROUBLE_COMMENT_MACRO, w->comment, t->off, end);
        return x;
    }
    if (!call && (!w->line_has || w->call_end == t->off) &&
        (word == MC_WORD_NONE || word == MC_WORD_BARE_BUILTIN) &&
        mc_watch_glued(w->bytes + t->off, w->bytes + w->len))
        return trouble(MC_TROUBLE_NO_PARENTHESIS, t->off, t->off, end);
    if (call || (w->line_has && w->call_end != t->off) || word == MC_WORD_NONE ||
        word == MC_WORD_SECTION || word == MC_WORD_BARE_BUILTIN || end >= w->len)
        return no_trouble;
    size_t next = skip_blanks(w, end);
    bool capitals = w->bytes[t->off] < 'a';
    if (next >= w->len)
        return no_trouble;
    bool there = w->bytes[next] == '`' ||
                 (next > end && w->bytes[next] == '(' &&
                  (capitals ||
                   (next + 1 < w->len && mc_watch_mark(w->bytes + next + 1, w->bytes + w->len))));
    return there ? trouble(MC_TROUBLE_NO_PARENTHESIS, t->off, end, next) : no_trouble;
}

static struct mc_trouble text_stands(struct mc_watch *w, const struct mc_token *t)
{
    const char *p = w->bytes + t->off;
    if (!is_live(w) || !mc_scan_is_usual(w->scan) || w->comment != NOWHERE)
        return no_trouble;
    if (in_code(w)) {
        if (*p == '#' &&
            (!w->line_has || is_blank(w->bytes[t->off - 1]) || w->call_end == t->off)) {
            w->comment = t->off;
            w->told_comment = false;
            return no_trouble;
        }
        if (w->call_end == t->off && *p == ')')
            return trouble(MC_TROUBLE_STRAY_PARENTHESIS, t->off, t->off, t->off + 1);
        if (w->call_end == t->off && *p == '\'')
            return trouble(MC_TROUBLE_STRAY_QUOTE, t->off, t->off, t->off + 1);
        if (!w->line_has && w->depth && (*p == ')' || *p == ',') && top(w)->block)
            return trouble(MC_TROUBLE_BLOCK_END, top(w)->begin, t->off, t->off + 1);
        return no_trouble;
    }
    struct frame *f = innermost_call(w);
    const char *quote = memchr(p, '\'', t->len);
    if (!f || !quote || f->own_apostrophe || f->told)
        return no_trouble;
    f->told = true;
    size_t at = t->off + (size_t)(quote - p);
    return trouble(MC_TROUBLE_STRAY_QUOTE, f->begin, at, at + 1);
}

static void answer(struct mc_watch *w, size_t open, size_t close)
{
    if (w->ask == open)
        w->answer = close;
    else if (w->ask == close)
        w->answer = open;
}

/* What is open at the top ends before its closer, since the quote around it does. */
static struct mc_trouble cut(struct mc_watch *w)
{
    struct frame f = *top(w);
    w->depth--;
    if (f.kind == FRAME_CALL && f.live && f.macro && !f.comment)
        return trouble(MC_TROUBLE_CUT, f.begin, w->solid, w->solid + 1);
    return no_trouble;
}

static struct mc_trouble line_begins(struct mc_watch *w, size_t at)
{
    w->comment = NOWHERE;
    w->call_end = NOWHERE;
    w->line_has = false;
    if (at >= w->end_at && w->depth <= w->end_depth) {
        w->ended = true;
        return no_trouble;
    }
    if (at == w->note_depth_at)
        w->noted_depth = w->depth;
    if (!w->depth) {
        w->unit = at;
        w->unit_mode = mc_scan_mode(w->scan);
        if (at >= w->note_after && w->unit_after == NOWHERE)
            w->unit_after = at;
        return no_trouble;
    }
    if (!mc_scan_is_usual(w->scan))
        return no_trouble;
    bool calls = mc_scan_calls_at(w->scan, at);
    struct frame *bottom = &w->frames[0];
    if ((calls || mc_scan_dnl_at(w->scan, at)) && bottom->kind == FRAME_QUOTE &&
        bottom->held == NOWHERE)
        bottom->held = at;
    if (at < w->accept || !(calls || mc_scan_dnl_at(w->scan, at)))
        return no_trouble;
    size_t text = top(w)->text;
    if (text) {
        struct frame *f = &w->frames[text - 1];
        /* A dnl line in code, or in prose, is none of the quote's business. */
        if (f->told || (!calls && (f->live || text == 1)))
            return no_trouble;
        f->told = true;
        struct mc_trouble x = trouble(MC_TROUBLE_LINE_IN_QUOTE,
                                      text > 1 ? w->frames[text - 2].begin : f->off, at, at);
        x.comment = f->comment;
        x.data = !f->live;
        return x;
    }
    struct frame *call = innermost_call(w);
    if (!calls || !call || !in_live_call(w) || !w->solid)
        return no_trouble;
    char last = w->bytes[w->solid - 1];
    if (last == ',' || last == '(' || call->told)
        return no_trouble;
    call->told = true;
    struct mc_trouble x = trouble(MC_TROUBLE_LINE_IN_CALL, call->begin, at, at);
    x.comment = call->comment;
    return x;
}

static struct mc_trouble quote_ends(struct mc_watch *w, const struct mc_token *t)
{
    struct frame f = *top(w);
    w->depth--;
    answer(w, f.off, t->off);
    struct frame *below = top(w);
    size_t end = t->off + t->len;
    if (below && below->kind == FRAME_CALL) {
        below->piece = end;
        if (end + 1 < w->len && w->bytes[end] == '\'' && is_letter(w->bytes[end + 1]))
            below->own_apostrophe = true;
    }
    if (!below && f.held != NOWHERE) {
        struct mc_trouble x = trouble(MC_TROUBLE_QUOTED_LINES, f.off, t->off, end);
        x.comment = f.comment;
        x.held = f.held;
        return x;
    }
    return no_trouble;
}

static struct mc_trouble call_ends(struct mc_watch *w, const struct mc_token *t)
{
    struct frame *f = top(w);
    struct mc_trouble x = no_trouble;
    if (f->kind == FRAME_CALL)
        x = argument_ends(w, f, t->off);
    answer(w, f->off, t->off);
    bool macro = f->kind == FRAME_CALL && f->macro;
    w->depth--;
    if (macro && in_code(w))
        w->call_end = t->off + t->len;
    if (w->depth && top(w)->kind == FRAME_CALL)
        top(w)->piece = NOWHERE;
    return x;
}

static struct mc_trouble take(struct mc_watch *w, const struct mc_token *t)
{
    struct mc_trouble x = no_trouble;
    size_t end = t->off + t->len;
    switch (t->kind) {
    case MC_T_CALL_NAME:
        w->held = *t;
        x = name_stands(w, t, true);
        break;
    case MC_NAME:
        if (in_live_call(w) && top(w)->kind == FRAME_CALL && top(w)->piece != NOWHERE &&
            top(w)->piece < t->off)
            top(w)->apart = true;
        x = name_stands(w, t, false);
        break;
    case MC_OPEN: {
        struct frame *f = push(w, FRAME_CALL, t->off);
        const char *name = w->bytes + w->held.off;
        f->begin = w->held.off;
        f->word = mc_watch_word(name, w->held.len);
        f->macro =
            f->word != MC_WORD_NONE || mc_scan_word(w->scan, name, w->held.len) != MC_WORD_PLAIN;
        f->arg_off = end;
        if (f->macro)
            f->call = w->depth;
        break;
    }
    case MC_T_GROUP_OPEN:
        push(w, FRAME_GROUP, t->off);
        break;
    case MC_CLOSE:
        x = call_ends(w, t);
        break;
    case MC_COMMA:
        if (w->depth && top(w)->kind == FRAME_CALL)
            x = argument_ends(w, top(w), t->off);
        break;
    case MC_LQUOTE:
        open_quote(w, t);
        break;
    case MC_RQUOTE:
        if (w->depth)
            x = quote_ends(w, t);
        break;
    case MC_TEXT:
        x = text_stands(w, t);
        break;
    case MC_T_MISSING:
        return w->depth ? cut(w) : no_trouble;
    default:
        break;
    }
    if (t->kind != MC_SPACE && t->kind != MC_NEWLINE) {
        w->line_has = true;
        if (t->kind != MC_DNL)
            w->solid = end;
    }
    if (end > t->off && w->bytes[end - 1] == '\n') {
        struct mc_trouble y = line_begins(w, end);
        if (x.kind == MC_TROUBLE_NONE)
            return y;
        w->next = y;
    }
    return x;
}

struct mc_trouble mc_watch_next(struct mc_watch *w)
{
    if (w->next.kind != MC_TROUBLE_NONE) {
        struct mc_trouble x = w->next;
        w->next = no_trouble;
        return x;
    }
    for (;;) {
        if (w->ended)
            return no_trouble;
        /* At the end what is open stays in the frames, for those who ask. */
        struct mc_token t = mc_scan_next(w->scan);
        if (t.kind == MC_T_END)
            return no_trouble;
        if (t.kind == MC_T_MISSING && t.off == w->len) {
            while (mc_scan_next(w->scan).kind != MC_T_END)
                continue;
            size_t outermost = 0;
            while (outermost < w->depth && w->frames[outermost].kind == FRAME_CALL &&
                   !w->frames[outermost].macro)
                outermost++;
            if (outermost == w->depth)
                return no_trouble;
            struct mc_trouble x =
                trouble(MC_TROUBLE_END, w->frames[outermost].begin, w->len, w->len);
            x.comment = w->frames[outermost].comment;
            return x;
        }
        struct mc_trouble x = take(w, &t);
        if (x.kind != MC_TROUBLE_NONE)
            return x;
    }
}

/* --- the outside --------------------------------------------------------------------------------
 */

struct mc_watch *mc_watch_new(struct arena *a, const char *bytes, size_t len)
{
    struct mc_watch *w = arena_alloc(a, sizeof *w);
    struct source *s = arena_alloc(a, sizeof *s);
    w->arena = a;
    w->bytes = bytes;
    w->len = len;
    s->bytes = bytes;
    s->len = len;
    w->scan = mc_scan_new(a, s);
    return w;
}

void mc_watch_start(struct mc_watch *w, size_t off, const struct mc_scan_mode *mode)
{
    mc_scan_start_at(w->scan, off, mode);
    w->depth = 0;
    w->accept = 0;
    w->end_at = NOWHERE;
    w->ended = false;
    w->note_depth_at = NOWHERE;
    w->noted_depth = 0;
    w->note_after = NOWHERE;
    w->unit_after = NOWHERE;
    w->solid = off;
    w->ask = NOWHERE;
    w->answer = NOWHERE;
    w->next = no_trouble;
    line_begins(w, off);
}

void mc_watch_end_at(struct mc_watch *w, size_t off, size_t depth)
{
    w->end_at = off;
    w->end_depth = depth;
}

void mc_watch_note_depth(struct mc_watch *w, size_t off)
{
    w->note_depth_at = off;
}

size_t mc_watch_noted_depth(const struct mc_watch *w)
{
    return w->noted_depth;
}

void mc_watch_accept(struct mc_watch *w, size_t off)
{
    w->accept = off;
}

size_t mc_watch_unit(const struct mc_watch *w, struct mc_scan_mode *mode)
{
    *mode = w->unit_mode;
    return w->unit;
}

size_t mc_watch_unit_after(const struct mc_watch *w)
{
    return w->unit_after;
}

void mc_watch_note_unit_after(struct mc_watch *w, size_t off)
{
    w->note_after = off;
}

size_t mc_watch_open(const struct mc_watch *w, size_t n, size_t *name)
{
    *name = w->frames[n].begin;
    return w->frames[n].off;
}

size_t mc_watch_depth(const struct mc_watch *w)
{
    return w->depth;
}

void mc_watch_ask(struct mc_watch *w, size_t off)
{
    w->ask = off;
}

size_t mc_watch_answer(const struct mc_watch *w)
{
    return w->answer;
}
