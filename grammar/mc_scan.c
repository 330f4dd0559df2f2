#include "grammar/mc_scan.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"

/* The entry points that Flex writes. */
struct yy_buffer_state;
int mc_yylex(void *flex);
int mc_yylex_init_extra(struct mc_scan *s, void **flex);
struct yy_buffer_state *mc_yy_scan_buffer(char *bytes, size_t size, void *flex);
int mc_yylex_destroy(void *flex);

static const size_t NOWHERE = SIZE_MAX;

enum frame_kind { FRAME_CALL, FRAME_GROUP, FRAME_QUOTE };

/* Something open. */
struct frame {
    enum frame_kind kind;
    bool data;                /* a quote whose text does not begin like code */
    size_t off;               /* of the opener */
    size_t end;               /* where a repair ends it, or NOWHERE */
    size_t nearest;           /* the first end of it and all below it, or NOWHERE */
    size_t flat;              /* parentheses in it that are text for being too deep */
    size_t quote;             /* 1 + index of the innermost quote at or below it, or 0 */
    size_t call;              /* 1 + index of the innermost call at or below it, or 0 */
    size_t line_end;          /* of a call: the end of the first line that may end it, or NOWHERE */
    struct mc_scan_text name; /* of a call */
};

struct mc_scan {
    struct arena *arena;
    const char *bytes;
    size_t len;
    size_t pos;
    void *flex;
    char *buffer; /* Flex writes in it */
    struct mc_token token;

    struct frame *frames;
    size_t depth;
    size_t cap;
    struct mc_scan_text call_name; /* a call's name was read, its parenthesis comes */
    bool rest_of_line;             /* dnl(...) has closed */

    struct mc_scan_text lquote, rquote, begin_comment, end_comment;
    bool comments_first; /* comments are on until cf.m4 is included */
    bool saw_cf;
    struct table *defined;     /* names that the file defines */
    const struct table *known; /* NULL or more of them */

    /* What looks wrong since the outermost opener: the first quote of data, or call, that runs into
     * a line that looks like a new call. */
    size_t solid_end; /* where the last token ends that is no white space or dnl */
    size_t suspect_quote;
    size_t suspect_call;
    size_t suspect_call_end;
    size_t suspect_call_name_len;

    bool open_at_end;
    struct mc_repair due; /* when open_at_end */
    struct mc_repair repairs[MC_REPAIR_MAX];
    size_t nrepairs;
    size_t too_deep; /* or NOWHERE */
};

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool text_is(struct mc_scan_text t, const char *s)
{
    return t.len == strlen(s) && memcmp(t.bytes, s, t.len) == 0;
}

static bool text_begins(struct mc_scan_text t, const char *s)
{
    return t.len >= strlen(s) && memcmp(t.bytes, s, strlen(s)) == 0;
}

static bool matches(const struct mc_scan *s, struct mc_scan_text t, size_t at)
{
    return t.len && t.len <= s->len - at && memcmp(s->bytes + at, t.bytes, t.len) == 0;
}

static struct mc_scan_text name_at(const struct mc_scan *s, size_t at)
{
    struct mc_scan_text t = {.bytes = s->bytes + at, .len = 0};
    if (at < s->len && is_name_start(s->bytes[at])) {
        while (at + t.len < s->len && is_name_char(s->bytes[at + t.len]))
            t.len++;
    }
    return t;
}

enum mc_word mc_word_of(const char *name, size_t len)
{
    /* m4's own macros; most are known to m4 as macros only when arguments follow. */
    static const struct {
        const char *name;
        enum mc_word word;
    } builtins[] = {
        {"__file__", MC_WORD_BARE},  {"__line__", MC_WORD_BARE},  {"__program__", MC_WORD_BARE},
        {"builtin", MC_WORD_MACRO},  {"changecom", MC_WORD_BARE}, {"changequote", MC_WORD_BARE},
        {"debugfile", MC_WORD_BARE}, {"debugmode", MC_WORD_BARE}, {"decr", MC_WORD_MACRO},
        {"define", MC_WORD_MACRO},   {"defn", MC_WORD_MACRO},     {"divert", MC_WORD_BARE},
        {"divnum", MC_WORD_BARE},    {"dnl", MC_WORD_BARE},       {"dumpdef", MC_WORD_BARE},
        {"errprint", MC_WORD_MACRO}, {"esyscmd", MC_WORD_MACRO},  {"eval", MC_WORD_MACRO},
        {"ifdef", MC_WORD_MACRO},    {"ifelse", MC_WORD_MACRO},   {"include", MC_WORD_MACRO},
        {"incr", MC_WORD_MACRO},     {"index", MC_WORD_MACRO},    {"indir", MC_WORD_MACRO},
        {"len", MC_WORD_MACRO},      {"m4exit", MC_WORD_BARE},    {"m4wrap", MC_WORD_MACRO},
        {"maketemp", MC_WORD_MACRO}, {"mkstemp", MC_WORD_MACRO},  {"patsubst", MC_WORD_MACRO},
        {"popdef", MC_WORD_MACRO},   {"pushdef", MC_WORD_MACRO},  {"regexp", MC_WORD_MACRO},
        {"shift", MC_WORD_MACRO},    {"sinclude", MC_WORD_MACRO}, {"substr", MC_WORD_MACRO},
        {"syscmd", MC_WORD_MACRO},   {"sysval", MC_WORD_BARE},    {"traceoff", MC_WORD_BARE},
        {"traceon", MC_WORD_BARE},   {"translit", MC_WORD_MACRO}, {"undefine", MC_WORD_MACRO},
        {"undivert", MC_WORD_BARE},
    };
    struct mc_scan_text t = {name, len};
    size_t capitals = 0, others = 0;
    for (size_t i = 0; i < len; i++) {
        capitals += name[i] >= 'A' && name[i] <= 'Z';
        others += name[i] >= 'a' && name[i] <= 'z';
    }
    if (capitals > 1 && others == 0)
        return MC_WORD_BARE; /* so the vocabulary of .mc files is written */
    for (size_t i = 0; len > 0 && i < sizeof builtins / sizeof *builtins; i++) {
        if (*builtins[i].name == *name && text_is(t, builtins[i].name))
            return builtins[i].word;
    }
    return MC_WORD_PLAIN;
}

enum mc_word mc_scan_word(const struct mc_scan *s, const char *name, size_t len)
{
    enum mc_word word = mc_word_of(name, len);
    if (word == MC_WORD_PLAIN && (table_count(s->defined) || s->known)) {
        const char *key = arena_strndup(s->arena, name, len);
        if (table_has(s->defined, key) || (s->known && table_has(s->known, key)))
            return MC_WORD_BARE;
    }
    return word;
}

/* Where a line or a quote goes on like code: a macro's call with arguments, or one of those that
 * stand alone on a line. */
enum looks { LOOKS_OTHER, LOOKS_DNL, LOOKS_CALL };

static enum looks looks_like_code(const struct mc_scan *s, size_t at)
{
    struct mc_scan_text t = name_at(s, at);
    if (text_is(t, "dnl"))
        return LOOKS_DNL;
    bool args = at + t.len < s->len && s->bytes[at + t.len] == '(';
    if (t.len && args && mc_scan_word(s, t.bytes, t.len) != MC_WORD_PLAIN)
        return LOOKS_CALL;
    if (text_begins(t, "LOCAL_") || text_is(t, "MAILER_DEFINITIONS") || text_is(t, "divert"))
        return LOOKS_CALL;
    return LOOKS_OTHER;
}

static size_t skip_blanks(const struct mc_scan *s, size_t at)
{
    while (at < s->len && is_blank(s->bytes[at]))
        at++;
    return at;
}

/* Is the quote whose text begins at at one of data?  Code in quotes begins with a call, or on a
 * line of its own. */
static bool holds_data(const struct mc_scan *s, size_t at)
{
    enum { QUOTES_AROUND = 8 }; /* of code, at most */
    at = skip_blanks(s, at);
    for (int i = 0; i < QUOTES_AROUND && matches(s, s->lquote, at); i++)
        at = skip_blanks(s, at + s->lquote.len);
    return at < s->len && s->bytes[at] != '\n' && looks_like_code(s, at) == LOOKS_OTHER;
}

/* Repairs. */

static struct mc_repair *repair_at(struct mc_scan *s, size_t off)
{
    for (size_t i = 0; i < s->nrepairs; i++) {
        if (s->repairs[i].off == off)
            return &s->repairs[i];
    }
    return NULL;
}

/* Where the quote that opens at off was most likely meant to end: on its line, before the
 * parenthesis that closes the call around it, or before a comma that a new quote follows. */
static size_t likely_quote_end(const struct mc_scan *s, size_t off)
{
    size_t from = off + s->lquote.len;
    size_t p = from;
    while (p < s->len && (is_name_char(s->bytes[p]) || s->bytes[p] == '.' || s->bytes[p] == '-'))
        p++;
    if (p > from && p < s->len && s->bytes[p] == ',' &&
        matches(s, s->lquote, skip_blanks(s, p + 1)))
        return p;
    size_t parens = 0, nested = 0;
    p = from;
    while (p < s->len && s->bytes[p] != '\n') {
        if (matches(s, s->rquote, p)) {
            if (nested == 0)
                break;
            nested--;
            p += s->rquote.len;
        } else if (matches(s, s->lquote, p)) {
            nested++;
            p += s->lquote.len;
        } else {
            if (s->bytes[p] == '(' && nested == 0)
                parens++;
            if (s->bytes[p] == ')' && nested == 0 && parens-- == 0)
                return p;
            p++;
        }
    }
    while (p > from && is_blank(s->bytes[p - 1]))
        p--;
    return p;
}

/* Something is open at the end of the file: what most likely lacks its end? */
static struct mc_repair diagnose(const struct mc_scan *s)
{
    size_t i = 0;
    while (i < s->depth && s->frames[i].kind != FRAME_QUOTE)
        i++;
    struct mc_repair r = {.kind = MC_REPAIR_QUOTE, .width = s->lquote.len};
    const struct frame *outermost = &s->frames[0];
    if (i < s->depth) {
        r.off = s->suspect_quote != NOWHERE ? s->suspect_quote : s->frames[i].off;
        r.end = likely_quote_end(s, r.off);
    } else if (mc_scan_word(s, outermost->name.bytes, outermost->name.len) == MC_WORD_PLAIN) {
        r.kind = MC_REPAIR_TEXT;
        r.off = outermost->off;
    } else if (s->suspect_quote != NOWHERE) {
        /* An apostrophe further down closed the quote that should have ended here. */
        r.off = s->suspect_quote;
        r.end = likely_quote_end(s, r.off);
    } else {
        r.kind = MC_REPAIR_CALL;
        r.off = outermost->off;
        r.end = outermost->line_end != NOWHERE ? outermost->line_end : s->solid_end;
        r.name_len = outermost->name.len;
        if (s->suspect_call != NOWHERE) {
            r.off = s->suspect_call;
            r.end = s->suspect_call_end;
            r.name_len = s->suspect_call_name_len;
        }
    }
    return r;
}

/* Frames. */

static void forget_suspects(struct mc_scan *s)
{
    s->suspect_quote = NOWHERE;
    s->suspect_call = NOWHERE;
}

static struct frame *push(struct mc_scan *s, enum frame_kind kind, size_t off)
{
    s->frames = arena_grow(s->arena, s->frames, s->depth, &s->cap, sizeof *s->frames, 16);
    const struct frame *below = s->depth ? &s->frames[s->depth - 1] : NULL;
    struct frame *f = &s->frames[s->depth++];
    *f = (struct frame){
        .kind = kind,
        .off = off,
        .end = NOWHERE,
        .nearest = below ? below->nearest : NOWHERE,
        .line_end = NOWHERE,
        .quote = kind == FRAME_QUOTE ? s->depth
                 : below             ? below->quote
                                     : 0,
        .call = kind == FRAME_CALL ? s->depth
                : below            ? below->call
                                   : 0,
    };
    struct mc_repair *r = repair_at(s, off);
    if (r && r->kind != MC_REPAIR_TEXT) {
        r->used = true;
        f->end = r->end;
        f->nearest = f->end < f->nearest ? f->end : f->nearest;
    }
    return f;
}

static void pop(struct mc_scan *s)
{
    s->depth--;
    if (s->depth == 0)
        forget_suspects(s);
}

static struct frame *top(const struct mc_scan *s)
{
    return s->depth ? &s->frames[s->depth - 1] : NULL;
}

static bool in_quote(const struct mc_scan *s)
{
    return s->depth && top(s)->quote;
}

static bool in_parens(const struct mc_scan *s)
{
    return s->depth && top(s)->kind != FRAME_QUOTE;
}

/* A repair ends something here. */
static bool is_forced_here(const struct mc_scan *s)
{
    return s->depth && top(s)->nearest <= s->pos;
}

static bool is_too_deep(struct mc_scan *s, size_t off)
{
    if (s->depth < MC_DEPTH_MAX)
        return false;
    if (off < s->too_deep)
        s->too_deep = off;
    return true;
}

/* What calls do to the scanner. */

/* The n-th argument between two parentheses, counted from 1, if nothing in it can expand; NULL
 * where it is missing or not plain. */
static const char *plain_arg(const struct mc_scan *s, size_t from, size_t to, size_t n)
{
    struct buf b;
    buf_init(&b, s->arena);
    size_t nested = 0, parens = 0, arg = 1;
    bool plain = true, begun = false;
    while (from < to) {
        size_t step = 1;
        bool keep = true;
        if (nested && matches(s, s->rquote, from)) {
            step = s->rquote.len;
            keep = --nested > 0;
        } else if (matches(s, s->lquote, from)) {
            step = s->lquote.len;
            keep = nested++ > 0;
            begun = true;
        } else if (!nested) {
            char c = s->bytes[from];
            struct mc_scan_text name = name_at(s, from);
            if (name.len) {
                step = name.len;
                plain = plain && mc_scan_word(s, name.bytes, name.len) == MC_WORD_PLAIN;
            }
            parens += c == '(';
            parens -= c == ')' && parens;
            if (c == ',' && parens == 0) {
                if (arg++ == n)
                    break;
                buf_truncate(&b, 0);
                plain = true;
                begun = false;
                from++;
                continue;
            }
            if (!begun && (is_blank(c) || c == '\n'))
                keep = false;
            else
                begun = true;
        }
        if (step > to - from)
            step = to - from;
        if (keep)
            buf_add(&b, s->bytes + from, step);
        from += step;
    }
    /* Here arg is past n if a comma ended it, n if the parenthesis did. */
    return arg >= n && arg <= n + 1 && plain ? b.data : NULL;
}

static struct mc_scan_text text_of(const char *string)
{
    return (struct mc_scan_text){.bytes = string, .len = strlen(string)};
}

static bool has_arg(const struct mc_scan *s, size_t from, size_t to, size_t n)
{
    return plain_arg(s, from, to, n) != NULL;
}

static void change_quotes(struct mc_scan *s, size_t from, size_t to)
{
    const char *left = plain_arg(s, from, to, 1);
    const char *right = plain_arg(s, from, to, 2);
    if (!left)
        return; /* only m4 knows */
    s->lquote = text_of(left);
    /* An empty left quote switches quoting off; a left one always has a right one. */
    s->rquote = text_of(right && (*right || !*left) ? right : "'");
}

static void change_comments(struct mc_scan *s, size_t from, size_t to)
{
    if (!has_arg(s, from, to, 1))
        return;
    const char *end = plain_arg(s, from, to, 2);
    s->begin_comment = text_of(plain_arg(s, from, to, 1));
    s->end_comment = text_of(end && *end ? end : "\n");
}

static bool is_cf_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, "cf.m4") == 0;
}

static void call_closes(struct mc_scan *s, const struct frame *f, size_t close)
{
    size_t from = f->off + 1;
    if (text_is(f->name, "dnl")) {
        s->rest_of_line = true;
    } else if (text_is(f->name, "define") || text_is(f->name, "pushdef")) {
        const char *name = plain_arg(s, from, close, 1);
        if (name && *name)
            table_set(s->defined, name, s);
    } else if (f->quote) {
        return; /* what is in quotes may never be read by m4 */
    } else if (text_is(f->name, "changequote")) {
        change_quotes(s, from, close);
    } else if (text_is(f->name, "changecom")) {
        change_comments(s, from, close);
    } else if (text_is(f->name, "include") || text_is(f->name, "sinclude")) {
        const char *path = plain_arg(s, from, close, 1);
        if (path && is_cf_path(path)) {
            s->saw_cf = true;
            s->begin_comment.len = 0;
        }
    }
}

static void name_alone(struct mc_scan *s, struct mc_scan_text name)
{
    if (in_quote(s))
        return;
    if (text_is(name, "changequote")) {
        s->lquote = text_of("`");
        s->rquote = text_of("'");
    } else if (text_is(name, "changecom")) {
        s->begin_comment.len = 0;
    }
}

/* Tokens. */

/* The bytes from from on that dnl takes: to the line's end, but in a quote not beyond the quote.  A
 * quote that opens among them and does not close on the line is left for a token of its own. */
static size_t dnl_len(const struct mc_scan *s, size_t from)
{
    bool quoted = in_quote(s);
    size_t nested = 0, opened = 0, p = from;
    while (p < s->len && s->bytes[p] != '\n') {
        if (quoted && matches(s, s->rquote, p)) {
            if (nested == 0)
                return p - from;
            nested--;
            p += s->rquote.len;
        } else if (quoted && matches(s, s->lquote, p)) {
            if (nested++ == 0)
                opened = p;
            p += s->lquote.len;
        } else {
            p++;
        }
    }
    if (nested)
        return opened - from;
    return p - from + (p < s->len);
}

static size_t comment_len(const struct mc_scan *s, size_t from)
{
    size_t p = from + s->begin_comment.len;
    while (p < s->len && !matches(s, s->end_comment, p))
        p++;
    /* A line end stays a leaf of its own. */
    if (p < s->len && !text_is(s->end_comment, "\n"))
        p += s->end_comment.len;
    return p - from;
}

/* A quote that is too deep, whole. */
static size_t flat_quote_len(const struct mc_scan *s, size_t from)
{
    size_t nested = 0, p = from;
    while (p < s->len) {
        if (nested && matches(s, s->rquote, p)) {
            p += s->rquote.len;
            if (--nested == 0)
                break;
        } else if (matches(s, s->lquote, p)) {
            p += s->lquote.len;
            nested++;
        } else {
            p++;
        }
    }
    return p - from;
}

static size_t open_quote(struct mc_scan *s)
{
    if (is_too_deep(s, s->pos)) {
        s->token.kind = MC_TEXT;
        return flat_quote_len(s, s->pos);
    }
    push(s, FRAME_QUOTE, s->pos)->data = holds_data(s, s->pos + s->lquote.len);
    s->token.kind = MC_LQUOTE;
    return s->lquote.len;
}

/* In nothing: a word of prose, or of a rule, whose parenthesis does not close before a line of
 * code. */
static bool is_prose(const struct mc_scan *s, struct mc_scan_text name, size_t open)
{
    enum { FAR = 2000 };
    if (s->depth || mc_scan_word(s, name.bytes, name.len) != MC_WORD_PLAIN)
        return false;
    size_t parens = 0, quotes = 0, end = s->len - open > FAR ? open + FAR : s->len;
    for (size_t p = open; p < end; p++) {
        if (quotes && matches(s, s->rquote, p))
            quotes--;
        else if (matches(s, s->lquote, p))
            quotes++;
        parens += s->bytes[p] == '(' && !quotes;
        if (s->bytes[p] == ')' && !quotes && --parens == 0)
            return false;
        if (s->bytes[p] == '\n' && looks_like_code(s, skip_blanks(s, p + 1)) == LOOKS_CALL)
            return true;
    }
    return end == s->len;
}

static size_t take_name(struct mc_scan *s, size_t len)
{
    struct mc_scan_text name = {.bytes = s->bytes + s->pos, .len = len};
    size_t after = s->pos + len;
    bool quote_follows = after < s->len && (matches(s, s->lquote, after) ||
                                            (in_quote(s) && matches(s, s->rquote, after)));
    if (after < s->len && s->bytes[after] == '(' && !quote_follows && !is_prose(s, name, after)) {
        struct mc_repair *r = repair_at(s, after);
        if (r && r->kind == MC_REPAIR_TEXT) {
            r->used = true;
        } else if (!is_too_deep(s, after)) {
            s->call_name = name;
            s->token.kind = MC_T_CALL_NAME;
            return len;
        }
    }
    if (text_is(name, "dnl")) {
        s->token.kind = MC_DNL;
        return len + dnl_len(s, after);
    }
    name_alone(s, name);
    s->token.kind = MC_NAME;
    return len;
}

static int take_open(struct mc_scan *s)
{
    if (s->call_name.len) {
        push(s, FRAME_CALL, s->pos)->name = s->call_name;
        s->call_name.len = 0;
        return MC_OPEN;
    }
    if (!in_parens(s))
        return MC_TEXT;
    if (is_too_deep(s, s->pos)) {
        top(s)->flat++;
        return MC_TEXT;
    }
    push(s, FRAME_GROUP, s->pos);
    return MC_T_GROUP_OPEN;
}

static int take_close(struct mc_scan *s)
{
    if (!in_parens(s))
        return MC_TEXT;
    if (top(s)->flat) {
        top(s)->flat--;
        return MC_TEXT;
    }
    struct frame f = *top(s);
    pop(s);
    if (f.kind == FRAME_CALL)
        call_closes(s, &f, s->pos);
    return MC_CLOSE;
}

static int take_comma(const struct mc_scan *s)
{
    return s->depth && top(s)->kind == FRAME_CALL && top(s)->flat == 0 ? MC_COMMA : MC_TEXT;
}

/* Does something begin at at that means more than its bytes, in code or in a quote? */
static bool is_special(const struct mc_scan *s, size_t at)
{
    return matches(s, s->lquote, at) || matches(s, in_quote(s) ? s->rquote : s->begin_comment, at);
}

static bool is_text(char c)
{
    return !is_name_start(c) && !is_blank(c) && c != '\n' && c != '(' && c != ')' && c != ',';
}

/* How far the token goes whose first bytes matched. */
static size_t run_len(const struct mc_scan *s, enum mc_class class, size_t matched)
{
    size_t len = 1;
    if (class == MC_C_NAME) {
        if (!in_quote(s))
            return matched; /* m4 reads a name whole, whatever the quotes are */
        while (len < matched && !is_special(s, s->pos + len))
            len++;
    } else if (class == MC_C_SPACE || class == MC_C_TEXT) {
        bool (*belongs)(char) = class == MC_C_SPACE ? is_blank : is_text;
        while (s->pos + len < s->len && belongs(s->bytes[s->pos + len]) &&
               !is_special(s, s->pos + len))
            len++;
    }
    return len;
}

/* The token's kind and length, before repairs cut it. */
static size_t classify(struct mc_scan *s, enum mc_class class, size_t matched)
{
    if (s->rest_of_line) {
        s->rest_of_line = false;
        s->token.kind = MC_DNL;
        size_t len = dnl_len(s, s->pos);
        if (len)
            return len;
    }
    if (in_quote(s)) {
        if (matches(s, s->rquote, s->pos)) {
            pop(s); /* a quote: mc_scan_next has closed what is open in it */
            s->token.kind = MC_RQUOTE;
            return s->rquote.len;
        }
        if (matches(s, s->lquote, s->pos))
            return open_quote(s);
    } else {
        if (matches(s, s->begin_comment, s->pos)) {
            s->token.kind = MC_COMMENT;
            return comment_len(s, s->pos);
        }
        if (class != MC_C_NAME && matches(s, s->lquote, s->pos))
            return open_quote(s);
    }
    size_t len = run_len(s, class, matched);
    switch (class) {
    case MC_C_NAME:
        return take_name(s, len);
    case MC_C_SPACE:
        s->token.kind = MC_SPACE;
        break;
    case MC_C_NEWLINE:
        s->token.kind = MC_NEWLINE;
        break;
    case MC_C_OPEN:
        s->token.kind = take_open(s);
        break;
    case MC_C_CLOSE:
        s->token.kind = take_close(s);
        break;
    case MC_C_COMMA:
        s->token.kind = take_comma(s);
        break;
    case MC_C_TEXT:
        s->token.kind = MC_TEXT;
        break;
    }
    return len;
}

/* A line begins inside of something: does it look as if that had been meant to end before? */
static void line_begins(struct mc_scan *s)
{
    if (!s->depth)
        return;
    enum looks looks = looks_like_code(s, skip_blanks(s, s->pos));
    if (top(s)->quote) {
        const struct frame *quote = &s->frames[top(s)->quote - 1];
        if (quote->data && looks != LOOKS_OTHER && s->suspect_quote == NOWHERE)
            s->suspect_quote = quote->off;
        return;
    }
    struct frame *call = &s->frames[top(s)->call - 1]; /* outside quotes only a call opens */
    char last = s->bytes[s->solid_end - 1];
    if (call->line_end == NOWHERE && last != ',' && last != '(')
        call->line_end = s->solid_end;
    if (looks == LOOKS_CALL && s->suspect_call == NOWHERE) {
        s->suspect_call = call->off;
        s->suspect_call_end = s->solid_end;
        s->suspect_call_name_len = call->name.len;
    }
}

size_t mc_scan_take(struct mc_scan *s, enum mc_class class, size_t matched)
{
    size_t len = classify(s, class, matched);
    size_t nearest = s->depth ? top(s)->nearest : NOWHERE;
    if (nearest > s->pos && nearest - s->pos < len)
        len = nearest - s->pos;
    s->token.off = s->pos;
    s->token.len = len;
    s->pos += len;
    int kind = s->token.kind;
    if (kind != MC_SPACE && kind != MC_NEWLINE && kind != MC_DNL)
        s->solid_end = s->pos;
    if (s->bytes[s->pos - 1] == '\n')
        line_begins(s);
    return len;
}

struct mc_token mc_scan_next(struct mc_scan *s)
{
    s->token = (struct mc_token){.kind = MC_T_MISSING, .off = s->pos};
    if (s->depth && !s->call_name.len) {
        bool forced = is_forced_here(s);
        if (!forced && s->pos == s->len && !s->open_at_end) {
            s->open_at_end = true;
            s->due = diagnose(s);
        }
        bool quote_ends =
            top(s)->kind != FRAME_QUOTE && in_quote(s) && matches(s, s->rquote, s->pos);
        if (forced || quote_ends || s->pos == s->len) {
            pop(s);
            return s->token;
        }
    }
    if (!mc_yylex(s->flex))
        s->token.kind = MC_T_END;
    return s->token;
}

static void begin(struct mc_scan *s, size_t off)
{
    memcpy(s->buffer + off, s->bytes + off, s->len - off);
    mc_yylex_init_extra(s, &s->flex);
    mc_yy_scan_buffer(s->buffer + off, s->len - off + 2, s->flex);
    s->pos = off;
    s->depth = 0;
    s->call_name.len = 0;
    s->rest_of_line = false;
    s->lquote = text_of("`");
    s->rquote = text_of("'");
    s->begin_comment = text_of(s->comments_first ? "#" : "");
    s->end_comment = text_of("\n");
    s->saw_cf = false;
    s->solid_end = 0;
    forget_suspects(s);
    s->open_at_end = false;
    s->too_deep = NOWHERE;
    for (size_t i = 0; i < s->nrepairs; i++)
        s->repairs[i].used = false;
}

void mc_scan_start(struct mc_scan *s)
{
    begin(s, 0);
}

void mc_scan_start_at(struct mc_scan *s, size_t off, const struct mc_scan_mode *m)
{
    begin(s, off);
    s->lquote = m->lquote;
    s->rquote = m->rquote;
    s->begin_comment = m->begin_comment;
    s->end_comment = m->end_comment;
    if (m->defined)
        s->defined = m->defined;
    s->known = m->known;
    s->comments_first = m->comments_first;
    s->saw_cf = m->saw_cf;
}

struct mc_scan_mode mc_scan_mode(const struct mc_scan *s)
{
    return (struct mc_scan_mode){.lquote = s->lquote,
                                 .rquote = s->rquote,
                                 .begin_comment = s->begin_comment,
                                 .end_comment = s->end_comment,
                                 .defined = s->defined,
                                 .known = s->known,
                                 .comments_first = s->comments_first,
                                 .saw_cf = s->saw_cf};
}

static struct mc_scan_text text_copy(struct arena *a, struct mc_scan_text t)
{
    t.bytes = t.len ? arena_strndup(a, t.bytes, t.len) : "";
    return t;
}

struct mc_scan_mode mc_scan_mode_copy(struct arena *a, const struct mc_scan_mode *m)
{
    struct mc_scan_mode copy = *m;
    copy.lquote = text_copy(a, m->lquote);
    copy.rquote = text_copy(a, m->rquote);
    copy.begin_comment = text_copy(a, m->begin_comment);
    copy.end_comment = text_copy(a, m->end_comment);
    return copy;
}

bool mc_scan_is_usual(const struct mc_scan *s)
{
    return text_is(s->lquote, "`") && text_is(s->rquote, "'");
}

bool mc_scan_calls_at(const struct mc_scan *s, size_t off)
{
    return looks_like_code(s, skip_blanks(s, off)) == LOOKS_CALL;
}

bool mc_scan_dnl_at(const struct mc_scan *s, size_t off)
{
    return looks_like_code(s, skip_blanks(s, off)) == LOOKS_DNL;
}

struct mc_scan *mc_scan_new(struct arena *a, const struct source *source)
{
    struct mc_scan *s = arena_alloc(a, sizeof *s);
    s->arena = a;
    s->bytes = source->bytes ? source->bytes : "";
    s->len = source->bytes ? source->len : 0;
    s->buffer = arena_alloc(a, s->len + 2); /* Flex wants two NULs at the end */
    s->defined = table_new(a);
    return s;
}

static void resolve(struct mc_scan *s)
{
    s->nrepairs = 0;
    for (;;) {
        mc_scan_start(s);
        while (mc_scan_next(s).kind != MC_T_END)
            continue;
        mc_yylex_destroy(s->flex);
        if (!s->open_at_end || s->nrepairs == MC_REPAIR_MAX || repair_at(s, s->due.off))
            return;
        s->repairs[s->nrepairs++] = s->due;
    }
}

void mc_scan_find_comments(struct mc_scan *s)
{
    s->nrepairs = 0;
    s->comments_first = s->len && memmem(s->bytes, s->len, "cf.m4", 5) != NULL;
    if (!s->comments_first)
        return;
    mc_scan_start(s);
    while (!s->saw_cf && mc_scan_next(s).kind != MC_T_END)
        continue;
    mc_yylex_destroy(s->flex);
    s->comments_first = s->saw_cf;
}

void mc_scan_hope(struct mc_scan *s)
{
    s->nrepairs = 0;
    s->comments_first = s->len && memmem(s->bytes, s->len, "cf.m4", 5) != NULL;
}

bool mc_scan_came_true(const struct mc_scan *s)
{
    return !s->open_at_end && (!s->comments_first || s->saw_cf);
}

void mc_scan_resolve(struct mc_scan *s)
{
    /* A file that includes cf.m4 itself is read by an m4 whose comments are still on. */
    s->comments_first = s->len && memmem(s->bytes, s->len, "cf.m4", 5) != NULL;
    resolve(s);
    if (s->comments_first && !s->saw_cf) {
        s->comments_first = false;
        resolve(s);
    }
}

const struct mc_repair *mc_scan_repairs(const struct mc_scan *s, size_t *n)
{
    *n = s->nrepairs;
    return s->repairs;
}

bool mc_scan_too_deep(const struct mc_scan *s, size_t *off)
{
    *off = s->too_deep;
    return s->too_deep != NOWHERE;
}

bool mc_scan_comments(const struct mc_scan *s)
{
    return s->comments_first;
}

struct arena *mc_scan_arena(const struct mc_scan *s)
{
    return s->arena;
}
