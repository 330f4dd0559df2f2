#include "grammar/mc.h"

#include <limits.h>
#include <string.h>

#include "grammar/mc_watch.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/model/findings.h"

static const size_t NOWHERE = SIZE_MAX;

enum {
    ROUNDS = 400,     /* faults of a file that are looked into */
    SAID_MAX = 400,   /* troubles of a file; findings beyond are not read by anybody */
    WINDOW = 16384,   /* bytes behind a fault that are read to see what an edit does */
    WORK = 16 << 20,  /* bytes read in all, for a file that is nothing but faults */
    LINES_AROUND = 3, /* lines behind a call's beginning, and before the trouble, to try edits in */
    LINES_BEHIND = 4, /* lines that must read well behind it */
    LINE_MAX_TRIED = 600, /* bytes of a line in which edits are tried */
    PLAIN = 12 /* what an edit costs at most that is right even where all closes without it */
};

/* What an edit says of the fault. */
enum fault {
    FAULT_UNCLOSED_QUOTE,
    FAULT_UNCLOSED_PARENTHESIS,
    FAULT_EXTRA_QUOTE, /* a ` too many */
    FAULT_EXTRA_OPEN,
    FAULT_NO_OPENING_QUOTE,
    FAULT_STRAY_QUOTE,
    FAULT_STRAY_PARENTHESIS,
    FAULT_NO_PARENTHESIS,
    FAULT_WRONG_QUOTES,
    FAULT_NO_COMMA,
    FAULT_COMMENT
};

enum { EDITS_MAX = 24 };

struct change {
    size_t off, len;
    const char *text;
};

/* Edits of the text that may be what is wanted. */
struct candidate {
    enum fault fault;
    int cost;
    size_t n;
    struct change change[EDITS_MAX];
    size_t place, place_len; /* of the fault, if it is known without reading */
};

struct mend {
    struct arena *arena;
    struct arena *scratch; /* of one attempt */
    struct diag *diag;
    const struct source *source;
    /* The text as mended so far. */
    char *text;
    size_t len, cap;
    struct mc_edit *edits;
    bool as_it_is; /* m4 reads the source whatever is found */
    bool errors;
    int nsaid;
    size_t told; /* of the source: what is told of comments and quoted lines goes on there */
    size_t work;
    /* What is being looked into. */
    struct mc_trouble trouble;
    size_t unit; /* the line in nothing where reading can begin */
    struct mc_scan_mode mode;
    size_t window_end;
    size_t first;     /* the first line where edits are tried */
    size_t depth;     /* what is open there */
    size_t closed_at; /* the line where no more should be open */
    int dirt_best;
    size_t answer; /* of the best one */
    struct candidate best;
    bool found;
};

/* --- edits --------------------------------------------------------------------------------------
 */

static size_t unmend(const struct mc_edit *edits, size_t off)
{
    size_t in = 0, out = 0; /* the same place before and after the edits so far */
    for (const struct mc_edit *e = edits; e; e = e->next) {
        size_t n = strlen(e->text), begin = out + (e->off - in);
        if (off < begin)
            break;
        if (off < begin + n) /* in what was put there */
            return e->off + (off - begin < e->len ? off - begin : e->len);
        in = e->off + e->len;
        out = begin + n;
    }
    return in + (off - out);
}

size_t mc_unmend(const struct mc_mended *m, size_t off)
{
    return unmend(m->edits, off);
}

/* Puts a change of the text so far among the edits of the source; false where it touches one. */
static bool place_edit(struct mend *m, const struct change *c)
{
    size_t in = 0, out = 0;
    struct mc_edit **to = &m->edits;
    for (; *to; to = &(*to)->next) {
        const struct mc_edit *e = *to;
        size_t n = strlen(e->text), begin = out + (e->off - in);
        if (c->off + c->len <= begin && !(c->len == 0 && c->off == begin && n == 0))
            break;
        if (c->off < begin + n)
            return false;
        in = e->off + e->len;
        out = begin + n;
    }
    struct mc_edit *e = arena_alloc(m->arena, sizeof *e);
    e->off = in + (c->off - out);
    e->len = c->len;
    e->text = c->text;
    e->next = *to;
    *to = e;
    return true;
}

static bool change_text(struct mend *m, const struct change *c)
{
    size_t n = strlen(c->text);
    if (m->len + n > m->cap || !place_edit(m, c))
        return false;
    memmove(m->text + c->off + n, m->text + c->off + c->len, m->len - c->off - c->len);
    memcpy(m->text + c->off, c->text, n);
    m->len = m->len + n - c->len;
    return true;
}

static struct origin place(const struct mend *m, size_t from, size_t to)
{
    size_t a = unmend(m->edits, from), b = unmend(m->edits, to);
    return source_origin(m->source, a, b > a ? b - a : 0);
}

/* --- lines and words ----------------------------------------------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A line end where there is nothing. */
static char char_at(const struct mend *m, size_t p)
{
    if (p < m->len)
        return m->text[p];
    return '\n';
}

static char char_before(const struct mend *m, size_t p)
{
    return char_at(m, p ? p - 1 : m->len);
}

static size_t line_begin(const struct mend *m, size_t off)
{
    while (off > 0 && m->text[off - 1] != '\n')
        off--;
    return off;
}

static size_t line_end(const struct mend *m, size_t off)
{
    const char *nl = off < m->len ? memchr(m->text + off, '\n', m->len - off) : NULL;
    return nl ? (size_t)(nl - m->text) : m->len;
}

static size_t lines_behind(const struct mend *m, size_t off, int n)
{
    while (n-- > 0 && off < m->len) {
        off = line_end(m, off);
        off += off < m->len;
    }
    return off;
}

static size_t skip_blanks(const struct mend *m, size_t at)
{
    while (at < m->len && is_blank(m->text[at]))
        at++;
    return at;
}

static bool dnl_at(const struct mend *m, size_t at)
{
    return m->len - at >= 3 && memcmp(m->text + at, "dnl", 3) == 0 &&
           (m->len - at == 3 || !is_word(m->text[at + 3]));
}

/* Nothing of a line's code comes any more. */
static bool rest_at(const struct mend *m, size_t at)
{
    return at >= m->len || m->text[at] == '\n' || m->text[at] == '#' || dnl_at(m, at);
}

/* --- trying -------------------------------------------------------------------------------------
 */

static int dirt_of(enum mc_trouble_kind kind)
{
    switch (kind) {
    case MC_TROUBLE_NONE:
    case MC_TROUBLE_COMMENT_MACRO:
    case MC_TROUBLE_QUOTED_LINES:
        return 0;
    case MC_TROUBLE_LINE_IN_QUOTE:
    case MC_TROUBLE_LINE_IN_CALL:
    case MC_TROUBLE_CUT:
    case MC_TROUBLE_BLOCK_END:
    case MC_TROUBLE_END:
        return 100;
    case MC_TROUBLE_STRAY_QUOTE:
    case MC_TROUBLE_WRONG_QUOTES:
    case MC_TROUBLE_NO_PARENTHESIS:
    case MC_TROUBLE_STRAY_PARENTHESIS:
    case MC_TROUBLE_NO_COMMA:
        return 30;
    }
    return 0;
}

/* How badly the text reads from the unit to the line where all is closed again that was opened
 * since the first line in question; not more than enough. */
static int dirt(struct mend *m, const struct candidate *c, int enough, size_t *answer_to)
{
    arena_reset(m->scratch);
    struct buf b;
    buf_init(&b, m->scratch);
    size_t from = m->unit, end = m->closed_at;
    for (size_t i = 0; c && i < c->n; i++) {
        const struct change *x = &c->change[i];
        buf_add(&b, m->text + from, x->off - from);
        buf_adds(&b, x->text);
        from = x->off + x->len;
    }
    if (m->trouble.kind == MC_TROUBLE_END && c)
        end = lines_behind(m, from, 1);
    size_t shift = b.len - (from - m->unit); /* it may wrap: only sums count */
    buf_add(&b, m->text + from, m->window_end - from);
    m->work += b.len;
    struct mc_watch *w = mc_watch_new(m->scratch, b.data, b.len);
    struct mc_scan_mode mode = m->mode;
    mode.known = mode.defined; /* what an attempt defines is not so */
    mode.defined = NULL;
    mc_watch_start(w, 0, &mode);
    if (c)
        mc_watch_ask(w, c->change[0].off - m->unit);
    mc_watch_end_at(w, end - m->unit + shift, m->depth);
    int sum = 0;
    struct mc_trouble t;
    while (sum < enough && (t = mc_watch_next(w)).kind != MC_TROUBLE_NONE)
        sum += dirt_of(t.kind);
    /* What was open before must be open still. */
    if (mc_watch_depth(w) != m->depth)
        sum += dirt_of(MC_TROUBLE_CUT);
    *answer_to = mc_watch_answer(w);
    if (*answer_to != NOWHERE)
        *answer_to += m->unit;
    return sum;
}

/* How much is open where the first line in question begins. */
static void note_depth(struct mend *m)
{
    arena_reset(m->scratch);
    struct mc_watch *w = mc_watch_new(m->scratch, m->text + m->unit, m->window_end - m->unit);
    struct mc_scan_mode mode = m->mode;
    mode.known = mode.defined;
    mode.defined = NULL;
    mc_watch_start(w, 0, &mode);
    mc_watch_note_depth(w, m->first - m->unit);
    mc_watch_end_at(w, m->first - m->unit + 1, SIZE_MAX);
    while (mc_watch_next(w).kind != MC_TROUBLE_NONE)
        continue;
    m->depth = mc_watch_noted_depth(w);
}

static void try_candidate(struct mend *m, const struct candidate *c)
{
    if (m->work > WORK)
        return;
    size_t answer;
    int d = c->cost + dirt(m, c, m->dirt_best - c->cost, &answer);
    if (d < m->dirt_best) {
        m->dirt_best = d;
        m->best = *c;
        m->answer = answer;
        m->found = true;
    }
}

static void try_one(struct mend *m, enum fault fault, int cost, size_t off, size_t len,
                    const char *text)
{
    struct candidate c = {.fault = fault, .cost = cost, .n = 1, .place = NOWHERE};
    c.change[0] = (struct change){off, len, text};
    try_candidate(m, &c);
}

/* --- candidates ---------------------------------------------------------------------------------
 */

/* The next argument that is not empty begins with a quote.  comma is where a comma stands. */
static bool quote_follows(const struct mend *m, size_t comma)
{
    size_t p = comma;
    while (p < m->len && (is_blank(m->text[p]) || m->text[p] == ',' || m->text[p] == '\n'))
        p = dnl_at(m, p + 1) ? line_end(m, p + 1) : p + 1;
    return p < m->len && m->text[p] == '`';
}

/* Does an argument end at p, blanks aside? */
static bool arg_ends_at(const struct mend *m, size_t p, size_t end)
{
    p = skip_blanks(m, p);
    return p >= end || m->text[p] == ',' || m->text[p] == ')' || rest_at(m, p);
}

/* Is there an odd number of marks like the one at p in [from, to)? */
static bool is_odd(const struct mend *m, size_t p, size_t from, size_t to)
{
    size_t n = 0;
    for (; from < to; from++)
        n += m->text[from] == m->text[p];
    return n % 2 == 1;
}

/* Is what stands before p a quote of another kind, to which none belongs in the same text? */
static bool ends_in_other_mark(const struct mend *m, size_t p)
{
    size_t begin = line_begin(m, p), last = NOWHERE, n = 0;
    for (size_t q = begin; q < p; q++) {
        if (m->text[q] == '`')
            n = 0;
        size_t mark = mc_watch_mark(m->text + q, m->text + p);
        if (mark && m->text[q] != '`' && m->text[q] != '\'') {
            n++;
            last = q + mark;
            q += mark - 1;
        }
    }
    return last == p && n % 2 == 1;
}

/* The same of what stands at p. */
static bool begins_in_other_mark(const struct mend *m, size_t p)
{
    size_t mark = mc_watch_mark(m->text + p, m->text + m->len);
    if (!mark || m->text[p] == '`' || (m->text[p] == '\'' && arg_ends_at(m, p + 1, m->len)))
        return false;
    const char *close = memchr(m->text + p + mark, '\'', line_end(m, p) - p - mark);
    return !close || !is_odd(m, p, p + mark, (size_t)(close - m->text));
}

/* Is the argument behind args others the call's last one, so that a comma in it is text? */
static bool takes_all(enum mc_word_kind word, size_t args)
{
    if (word == MC_WORD_OTHER || word == MC_WORD_CLASS || word == MC_WORD_TEXT)
        return true;
    return (word == MC_WORD_NAMED || word == MC_WORD_DEFINE) && args > 0;
}

/* Does an argument begin at p?  *first: the first one of its call. */
static bool arg_begins_at(const struct mend *m, size_t p, bool *first, size_t *commas)
{
    size_t q = p;
    while (q > 0 && is_blank(m->text[q - 1]))
        q--;
    if (q > 0 && m->text[q - 1] == '\n' && p < m->len && m->text[p] != '\n') {
        /* The line before ends with its comma, or with dnl behind it. */
        size_t begin = line_begin(m, --q);
        for (size_t d = begin; d < q; d++)
            if (dnl_at(m, d) && d > begin && !is_word(m->text[d - 1]))
                q = d;
        while (q > begin && is_blank(m->text[q - 1]))
            q--;
    }
    if (q == 0 || (m->text[q - 1] != '(' && m->text[q - 1] != ','))
        return false;
    *first = m->text[q - 1] == '(';
    *commas = 0;
    for (size_t i = line_begin(m, q); i < q; i++)
        *commas += m->text[i] == ',';
    return true;
}

/* The word of the call that the line begins with. */
static enum mc_word_kind line_word(const struct mend *m, size_t p)
{
    size_t name = skip_blanks(m, line_begin(m, p)), n = 0;
    while (name + n < m->len && is_word(m->text[name + n]))
        n++;
    return mc_watch_word(m->text + name, n);
}

static void try_quotes_at(struct mend *m, size_t p)
{
    char c = char_at(m, p), before = char_before(m, p);
    size_t next = skip_blanks(m, p);
    char then = char_at(m, next);
    /* A closing one before a comma, a parenthesis or the line's end. */
    if (!is_blank(before) && before != '\n' && (next == p || rest_at(m, next))) {
        int more = ends_in_other_mark(m, p) ? 10 : before == '\'' ? 6 : 0;
        if (then == ',')
            try_one(m, FAULT_UNCLOSED_QUOTE, more + (quote_follows(m, next) ? 8 : 12), p, 0, "'");
        else if (then == ')')
            try_one(m, FAULT_UNCLOSED_QUOTE, more + 10, p, 0, "'");
        else if (rest_at(m, next)) {
            struct candidate both = {
                .fault = FAULT_UNCLOSED_QUOTE, .cost = more + 16, .n = 1, .place = NOWHERE};
            try_one(m, FAULT_UNCLOSED_QUOTE, more + 15, p, 0, "'");
            both.change[0] = (struct change){p, 0, "')"};
            try_candidate(m, &both);
        }
    } else if (next == p && ((then == ')' && (p == line_begin(m, p) || is_blank(before))) ||
                             (then == ',' && p == line_begin(m, p)))) {
        try_one(m, FAULT_UNCLOSED_QUOTE, 12, p, 0, "'");
    }
    /* An opening one where an argument begins. */
    bool first;
    size_t commas;
    if (c != '`' && (next == p || c == '\n') && arg_begins_at(m, p, &first, &commas)) {
        enum mc_word_kind word = line_word(m, p);
        size_t mark = p < m->len ? mc_watch_mark(m->text + p, m->text + m->len) : 0;
        int cost = 10;
        if (mark && begins_in_other_mark(m, p))
            try_one(m, FAULT_WRONG_QUOTES, 9, p, mark, "`");
        if (takes_all(word, 0)) /* a comma is text */
            cost = first ? 8 : 14;
        else if (takes_all(word, 1) && commas > 1)
            cost = 14;
        else if (takes_all(word, 1) && commas == 1)
            cost = 8;
        if (c == '\n' || dnl_at(m, p))
            cost += 4;
        if (mark && begins_in_other_mark(m, p))
            cost += 10;
        try_one(m, FAULT_NO_OPENING_QUOTE, cost, p, 0, "`");
    }
    char after = char_at(m, p + 1);
    bool twin = c == before || c == after;
    if (c == '\'' && before == '`' && !arg_ends_at(m, p + 1, m->len))
        try_one(m, FAULT_WRONG_QUOTES, 9, p, 1, "`");
    if (c == '`')
        try_one(m, FAULT_EXTRA_QUOTE, twin ? 7 : 13, p, 1, "");
    if (c == '\'')
        try_one(m, FAULT_STRAY_QUOTE, twin || (is_letter(before) && is_letter(after)) ? 7 : 13, p,
                1, "");
}

/* The word whose call begins at p. */
static enum mc_word_kind call_word_at(const struct mend *m, size_t p)
{
    size_t n = 0;
    while (p + n < m->len && is_word(m->text[p + n]))
        n++;
    bool call = p + n < m->len && m->text[p + n] == '(';
    return call ? mc_watch_word(m->text + p, n) : MC_WORD_NONE;
}

static void try_parentheses_at(struct mend *m, size_t p)
{
    char c = char_at(m, p), before = char_before(m, p);
    size_t next = skip_blanks(m, p);
    char after = char_at(m, p + 1);
    bool twin = c == before || c == after;
    if (!is_blank(before) && !strchr("\n,(`", before) &&
        (rest_at(m, next) || (before == '\'' && (is_letter(c) || c == ')'))))
        try_one(m, FAULT_UNCLOSED_PARENTHESIS,
                rest_at(m, next)                     ? 9
                : call_word_at(m, p) != MC_WORD_NONE ? 7
                                                     : 14,
                p, 0, ")");
    if (c == '(')
        try_one(m, FAULT_EXTRA_OPEN, twin ? 7 : 14, p, 1, "");
    if (c == ')')
        try_one(m, FAULT_STRAY_PARENTHESIS, twin ? 7 : 13, p, 1, "");
    size_t glued = mc_watch_glued(m->text + p, m->text + m->len);
    if (glued && !is_word(before))
        try_one(m, FAULT_NO_PARENTHESIS, 9, p + glued, 0, "(");
    if (is_word(before) && !is_word(c)) {
        size_t name = p;
        while (name > 0 && is_word(m->text[name - 1]))
            name--;
        enum mc_word_kind word = mc_watch_word(m->text + name, p - name);
        if (word == MC_WORD_NONE || word == MC_WORD_SECTION || next >= m->len)
            return;
        struct candidate x = {.fault = FAULT_NO_PARENTHESIS, .cost = 9, .n = 1, .place = NOWHERE};
        if (m->text[next] == '(' && next > p)
            x.change[0] = (struct change){p, next - p, ""};
        else if (m->text[next] == '`')
            x.change[0] = (struct change){p, next - p, "("};
        else
            return;
        try_candidate(m, &x);
    }
}

/* A comma between two quoted texts. */
static void try_comma_at(struct mend *m, size_t p)
{
    if (m->text[p] != '\'' && !(is_word(m->text[p]) && line_word(m, p) == MC_WORD_FILE))
        return;
    size_t line = line_begin(m, p);
    if (!memchr(m->text + line, '(', p - line))
        return;
    size_t q = skip_blanks(m, p + 1);
    while (q < m->len && strchr("=.;:", m->text[q]))
        q++;
    q = skip_blanks(m, q);
    if (q < m->len && q > p + 1 && (m->text[q] == '`' || is_word(m->text[q]))) {
        struct candidate x = {.fault = FAULT_NO_COMMA, .cost = 9, .n = 1, .place = NOWHERE};
        x.change[0] = (struct change){p + 1, q - p - 1, ", "};
        try_candidate(m, &x);
    }
}

static void add_change(struct candidate *c, size_t off, size_t len, const char *text)
{
    if (c->n < EDITS_MAX)
        c->change[c->n++] = (struct change){off, len, text};
    else
        c->cost = 1 << 20;
}

static enum mc_word_kind word_at(const struct mend *m, size_t name)
{
    size_t n = 0;
    while (name + n < m->len && is_word(m->text[name + n]))
        n++;
    return mc_watch_word(m->text + name, n);
}

/* The arguments from p on, of which args stand before, quoted as `x' whatever quotes they have. */
static void try_arguments(struct mend *m, enum mc_word_kind word, size_t p, size_t args, size_t end)
{
    struct candidate c = {.fault = FAULT_WRONG_QUOTES, .cost = 9, .place = NOWHERE};
    const char *stop = m->text + end;
    for (;;) {
        p = skip_blanks(m, p);
        if (p >= end)
            break;
        size_t mark = mc_watch_mark(m->text + p, stop);
        if (mark == 2 && m->text[p] == '\'' && arg_ends_at(m, p + 2, end)) {
            if (c.place == NOWHERE) {
                c.place = p;
                c.place_len = 2;
            }
            add_change(&c, p, 1, "`");
            p += 2;
        } else if (mark) {
            size_t from = p, text = p + mark, q = text, last = NOWHERE, last_mark = 0;
            /* It goes to the first mark at which an argument ends. */
            for (; q < end; q++) {
                size_t n = mc_watch_mark(m->text + q, stop);
                if (!n)
                    continue;
                if (arg_ends_at(m, q + n, end)) {
                    last = q;
                    last_mark = n;
                    break;
                }
                q += n - 1;
            }
            if (last == NOWHERE)
                break;
            bool fits =
                (mark == 1 && last_mark == 1 && m->text[from] == '`' && m->text[last] == '\'') ||
                (mark == 2 && last_mark == 2 && m->text[from] == '`' && m->text[last] == '\'' &&
                 m->text[last + 1] == '\'');
            if (!fits && memchr(m->text + text, '\n', last - text) == NULL) {
                if (c.place == NOWHERE) {
                    c.place = from;
                    c.place_len = last + last_mark - from;
                }
                /* "a" b" is a text with quotes in it that lacks its own. */
                bool open_odd = m->text[from] == '"' && is_odd(m, from, text, last);
                bool close_odd = m->text[last] == '"' && is_odd(m, last, text, last);
                if (mark != 1 || m->text[from] != '`')
                    add_change(&c, from, open_odd ? 0 : mark, "`");
                if (last_mark != 1 || m->text[last] != '\'')
                    add_change(&c, last + (close_odd ? last_mark : 0), close_odd ? 0 : last_mark,
                               "'");
            }
            p = last + last_mark;
        } else {
            size_t from = p;
            bool all = takes_all(word, args);
            while (p < end && (m->text[p] != ',' || all) && m->text[p] != ')' &&
                   !mc_watch_mark(m->text + p, stop))
                p++;
            /* x' or x": the first one is missing. */
            size_t n = p < end ? mc_watch_mark(m->text + p, stop) : 0;
            if (n && p > from && m->text[p] != '`' && arg_ends_at(m, p + n, end)) {
                if (c.place == NOWHERE) {
                    c.place = from;
                    c.place_len = p + n - from;
                }
                add_change(&c, from, 0, "`");
                if (n != 1 || m->text[p] != '\'')
                    add_change(&c, p, n, "'");
                p += n;
            }
        }
        p = skip_blanks(m, p);
        if (p >= end || m->text[p] != ',')
            break;
        p++;
        args++;
    }
    if (c.n == 1 && c.change[0].len == 0 && *c.change[0].text == '`')
        c.fault = FAULT_NO_OPENING_QUOTE;
    else if (c.n == 1 && c.change[0].len == 0)
        c.fault = FAULT_UNCLOSED_QUOTE;
    if (c.n > 0) {
        try_candidate(m, &c);
        if (skip_blanks(m, p) >= end || rest_at(m, skip_blanks(m, p))) {
            c.cost += 8;
            add_change(&c, p, 0, ")");
            try_candidate(m, &c);
        }
    }
}

static bool is_apostrophe(const struct mend *m, size_t p)
{
    return p > 0 && p + 1 < m->len && is_letter(m->text[p - 1]) && is_letter(m->text[p + 1]);
}

/* All apostrophes of a line are text. */
static void try_apostrophes(struct mend *m, size_t from, size_t to)
{
    struct candidate c = {.fault = FAULT_STRAY_QUOTE, .cost = 4, .place = NOWHERE};
    for (size_t p = from; p < to; p++)
        if (m->text[p] == '\'' && is_apostrophe(m, p)) {
            add_change(&c, p, 1, "");
            c.cost += 3;
        }
    if (c.n > 1)
        try_candidate(m, &c);
}

static void try_calls(struct mend *m, size_t from, size_t to)
{
    for (size_t p = from; p < to; p++)
        if (m->text[p] == '(' && p > from && is_word(m->text[p - 1])) {
            size_t name = p;
            while (name > from && is_word(m->text[name - 1]))
                name--;
            enum mc_word_kind word = mc_watch_word(m->text + name, p - name);
            if (word != MC_WORD_NONE)
                try_arguments(m, word, p + 1, 0, to);
        }
    /* A line on which a call goes on. */
    bool first;
    size_t commas, begin = skip_blanks(m, from);
    if (begin < to && mc_watch_mark(m->text + begin, m->text + to) &&
        arg_begins_at(m, begin, &first, &commas))
        try_arguments(m, word_at(m, m->trouble.from), begin, !first, to);
}

static void try_line(struct mend *m, size_t from)
{
    size_t to = line_end(m, from);
    if (to - from > LINE_MAX_TRIED)
        to = from + LINE_MAX_TRIED;
    size_t first = skip_blanks(m, from);
    if (first < to && m->text[first] == '#') {
        struct candidate c = {
            .fault = FAULT_COMMENT, .cost = 5, .n = 1, .place = first, .place_len = 1};
        c.change[0] = (struct change){
            first, 1, first + 1 < to && is_word(m->text[first + 1]) ? "dnl " : "dnl"};
        try_candidate(m, &c);
        return;
    }
    if (dnl_at(m, first))
        return;
    try_calls(m, from, to);
    try_apostrophes(m, from, to);
    for (size_t p = from; p <= to; p++) {
        /* Behind a dnl nothing counts. */
        if (p < to && p > from && dnl_at(m, p) && !is_word(m->text[p - 1]) && m->text[p - 1] != '`')
            to = p;
        try_quotes_at(m, p);
        try_parentheses_at(m, p);
        if (p < to)
            try_comma_at(m, p);
    }
}

/* --- saying -------------------------------------------------------------------------------------
 */

static char *words(const struct mend *m, size_t from, size_t to)
{
    enum { SHOWN = 40 };
    const char *nl = to > from ? memchr(m->text + from, '\n', to - from) : NULL;
    size_t n = nl ? (size_t)(nl - m->text) - from : to - from;
    if (n > SHOWN)
        return arena_printf(m->arena, "%.*s...", SHOWN, m->text + from);
    return arena_strndup(m->arena, m->text + from, n);
}

/* The call's name before the parenthesis at open. */
static char *name_before(const struct mend *m, size_t open)
{
    size_t name = open;
    while (name > 0 && is_word(m->text[name - 1]))
        name--;
    return arena_strndup(m->arena, m->text + name, open - name);
}

static void add_edits(const struct mend *m, struct finding *f)
{
    for (size_t i = 0; i < m->best.n; i++) {
        const struct change *c = &m->best.change[i];
        diag_edit(m->diag, f, place(m, c->off, c->off + c->len), c->text);
    }
}

/* Is a ' left over in the call as it is written? */
static bool has_lone_quote(const struct mend *m)
{
    const struct candidate *c = &m->best;
    if (c->fault != FAULT_WRONG_QUOTES)
        return c->fault != FAULT_NO_COMMA;
    if (m->trouble.kind == MC_TROUBLE_STRAY_QUOTE || m->text[c->change[0].off] == '\'')
        return true;
    for (size_t i = 0; i < c->n; i++)
        if (c->change[i].len == 0 || m->text[c->change[i].off] == '\'')
            return true;
    return false;
}

/* Is what is said broken, or only another value?  What the reference survives is no error: but a
 * lone ' in what is not only kept as text comes loose in m4, there as here. */
static bool breaks(const struct mend *m)
{
    const struct mc_trouble *t = &m->trouble;
    if (t->kind <= MC_TROUBLE_END)
        return true;
    if (t->kind == MC_TROUBLE_STRAY_PARENTHESIS)
        return line_word(m, t->at) != MC_WORD_CLASS;
    enum mc_word_kind word = word_at(m, t->from);
    if (t->kind == MC_TROUBLE_NO_PARENTHESIS)
        return word != MC_WORD_CLASS;
    if (has_lone_quote(m))
        return word != MC_WORD_DEFINE && word != MC_WORD_CLASS && word != MC_WORD_TEXT;
    size_t first = t->from;
    while (first < m->len && m->text[first] != ',' && m->text[first] != '\n')
        first++;
    return word == MC_WORD_FILE && m->best.change[0].off <= first;
}

/* m4 reads what stands there as it is: what else is said of [from, to) only follows. */
static void leave(const struct mend *m, struct finding *f, size_t from, size_t to)
{
    diag_follows(m->diag, f, place(m, from, from).line, place(m, to, to).line);
}

static void say(struct mend *m)
{
    const struct candidate *c = &m->best;
    const struct change *x = &c->change[0];
    struct diag *d = m->diag;
    struct finding *f = NULL;
    bool broken = breaks(m), edits = true;
    m->errors = m->errors || broken;
    if (!d)
        return;
    switch (c->fault) {
    case FAULT_UNCLOSED_QUOTE: {
        size_t open = m->answer != NOWHERE && m->answer < x->off ? m->answer : x->off;
        f = finding_add(d, FINDING_UNCLOSED_QUOTE, place(m, open, open + 1), "`", NULL);
        char next = char_at(m, x->off);
        struct origin end = place(m, x->off, x->off);
        if (next == ')' || next == ',')
            diag_hint(d, f,
                      end.line == f->at.line ? "close it before the %c in column %u"
                                             : "close it before the %c in line %u",
                      next, end.line == f->at.line ? end.col : end.line);
        else
            diag_hint(d, f, "close it at the end of the line");
        break;
    }
    case FAULT_UNCLOSED_PARENTHESIS: {
        size_t open = m->answer != NOWHERE && m->answer < x->off ? m->answer : x->off;
        f = finding_add(d, FINDING_UNCLOSED_PARENTHESIS, place(m, open, open + 1),
                        name_before(m, open), NULL);
        struct origin end = place(m, x->off, x->off);
        diag_hint(d, f, "put a ) after line %u, column %u", end.line,
                  end.col > 1 ? end.col - 1 : 1);
        break;
    }
    case FAULT_EXTRA_QUOTE:
        f = finding_add(d, broken ? FINDING_UNCLOSED_QUOTE : FINDING_EXTRA_QUOTE,
                        place(m, x->off, x->off + 1), "`", NULL);
        diag_hint(d, f, "remove it");
        break;
    case FAULT_EXTRA_OPEN: {
        size_t open = x->off;
        while (open > 0 && m->text[open - 1] == '(')
            open--;
        f = finding_add(d, FINDING_UNCLOSED_PARENTHESIS, place(m, x->off, x->off + 1),
                        name_before(m, open), NULL);
        diag_hint(d, f, "remove it");
        break;
    }
    case FAULT_NO_OPENING_QUOTE:
    case FAULT_STRAY_QUOTE: {
        size_t at = x->off;
        if (c->fault == FAULT_NO_OPENING_QUOTE && m->answer != NOWHERE && m->answer > 0)
            at = m->answer - 1; /* in the text without the edit */
        bool far = place(m, at, at).line != place(m, x->off, x->off).line;
        bool apostrophe = c->fault == FAULT_STRAY_QUOTE && is_apostrophe(m, at);
        f = finding_add(d,
                        apostrophe ? (broken ? FINDING_APOSTROPHE_BREAKS : FINDING_APOSTROPHE)
                        : broken   ? FINDING_STRAY_QUOTE_BREAKS
                                   : FINDING_STRAY_QUOTE,
                        far ? place(m, x->off, x->off) : place(m, at, at + 1), NULL);
        if (far)
            diag_hint(d, f, "open the text that ends in line %u with a `", place(m, at, at).line);
        else if (!apostrophe && c->fault == FAULT_STRAY_QUOTE)
            diag_hint(d, f, "remove it");
        edits = !apostrophe;
        break;
    }
    case FAULT_STRAY_PARENTHESIS:
        f = finding_add(d, broken ? FINDING_STRAY_PARENTHESIS : FINDING_STRAY_PARENTHESIS_LIVES,
                        place(m, x->off, x->off + 1), NULL);
        break;
    case FAULT_NO_PARENTHESIS: {
        char *name = name_before(m, x->off);
        f = finding_add(d, broken ? FINDING_NO_PARENTHESIS : FINDING_NO_PARENTHESIS_LIVES,
                        place(m, x->off - strlen(name), x->off), name, NULL);
        if (*x->text == '\0')
            diag_hint(d, f, "remove the blank before the (");
        break;
    }
    case FAULT_WRONG_QUOTES: {
        size_t from = c->place != NOWHERE ? c->place : x->off;
        size_t to = c->place != NOWHERE ? from + c->place_len : x->off + x->len;
        char *shown = words(m, from, to);
        f = finding_add(d, broken ? FINDING_WRONG_QUOTES : FINDING_WRONG_QUOTES_LIVES,
                        place(m, from, to), shown, NULL);
        break;
    }
    case FAULT_NO_COMMA:
        f = finding_add(d, broken ? FINDING_NO_COMMA : FINDING_NO_COMMA_LIVES,
                        place(m, x->off, x->off + x->len), name_before(m, x->off), NULL);
        break;
    case FAULT_COMMENT: {
        size_t end = line_end(m, c->place), at = c->place;
        const char *quote = memchr(m->text + at, '`', end - at);
        if (quote) {
            at = (size_t)(quote - m->text);
            f = finding_add(d, FINDING_UNCLOSED_QUOTE, place(m, at, at + 1), "`", NULL);
        } else {
            f = finding_add(d, FINDING_UNCLOSED_PARENTHESIS, place(m, at, end), "a # comment",
                            NULL);
        }
        diag_hint(d, f, "begin the comment with dnl instead of #");
        break;
    }
    }
    if (edits)
        add_edits(m, f);
    if (!broken || m->as_it_is) {
        size_t end = x->off + x->len;
        if (m->trouble.kind > MC_TROUBLE_END && m->trouble.at > end)
            end = m->trouble.at;
        leave(m, f, m->trouble.from, end);
    }
}

/* --- the rounds ---------------------------------------------------------------------------------
 */

/* Lines of code in a quote or a call may be meant: then all closes well.  The end of that, or
 * NOWHERE. */
static size_t reads_well(struct mend *m)
{
    size_t end = m->len - m->unit > 4 * WINDOW ? m->unit + 4 * WINDOW : m->len;
    arena_reset(m->scratch);
    m->work += end - m->unit;
    struct mc_watch *w = mc_watch_new(m->scratch, m->text + m->unit, end - m->unit);
    struct mc_scan_mode mode = m->mode;
    mode.known = mode.defined; /* what an attempt defines is not so */
    mode.defined = NULL;
    mc_watch_start(w, 0, &mode);
    mc_watch_accept(w, NOWHERE);
    mc_watch_note_unit_after(w, m->trouble.at - m->unit);
    bool prose = m->trouble.from == m->trouble.at || m->text[m->trouble.from] == '`';
    for (;;) {
        struct mc_trouble t = mc_watch_next(w);
        size_t unit = mc_watch_unit_after(w);
        if (t.kind == MC_TROUBLE_NONE)
            return unit != NOWHERE ? m->unit + unit : NOWHERE;
        if (unit != NOWHERE)
            return m->unit + unit;
        if (t.kind == MC_TROUBLE_END || (!prose && dirt_of(t.kind) > 0))
            return NOWHERE;
    }
}

/* Finds the edit after which the text reads best. */
static bool find_edit(struct mend *m, const struct mc_watch *w)
{
    const struct mc_trouble *t = &m->trouble;
    size_t lines[4 * LINES_AROUND + 2], n = 0;
    size_t first = line_begin(m, t->from);
    size_t show = t->at; /* the line before which the fault is, or in which */
    bool whole = t->kind == MC_TROUBLE_LINE_IN_QUOTE || t->kind == MC_TROUBLE_LINE_IN_CALL;
    if (first < m->unit)
        first = m->unit;
    size_t p = first;
    for (int i = 0; i < LINES_AROUND && p < m->len && (p < show || !whole) && p <= show; i++) {
        lines[n++] = p;
        p = lines_behind(m, p, 1);
    }
    size_t q = whole || t->kind == MC_TROUBLE_END ? show : lines_behind(m, show, 1);
    for (int i = 0; i < LINES_AROUND && q > p; i++) {
        q = line_begin(m, q - 1);
        if (q >= p)
            lines[n++] = q;
    }
    if (t->kind == MC_TROUBLE_END) {
        size_t depth = mc_watch_depth(w);
        for (size_t i = 1; i < depth && i <= LINES_AROUND; i++) {
            size_t name;
            mc_watch_open(w, i, &name);
            size_t line = line_begin(m, name);
            bool known = false;
            for (size_t k = 0; k < n; k++)
                known = known || lines[k] == line;
            if (!known)
                lines[n++] = line;
        }
    }
    m->first = first;
    m->window_end = lines_behind(m, show, LINES_BEHIND + 1);
    if (t->kind == MC_TROUBLE_END || m->window_end - m->unit > WINDOW + (show - m->unit))
        m->window_end = m->len - show > WINDOW ? show + WINDOW : m->len;
    m->found = false;
    m->closed_at = whole ? show : lines_behind(m, show, 1);
    size_t ignored;
    m->depth = 0;
    if (m->first != m->unit)
        note_depth(m);
    m->dirt_best = dirt(m, NULL, INT_MAX, &ignored) - 1;
    if (m->dirt_best < dirt_of(t->kind))
        m->dirt_best = dirt_of(t->kind) - 1;
    for (size_t i = 0; i < n; i++)
        try_line(m, lines[i]);
    return m->found;
}

static void say_comment_macro(struct mend *m)
{
    const struct mc_trouble *t = &m->trouble;
    struct finding *f = finding_add(m->diag, FINDING_MACRO_IN_COMMENT, place(m, t->at, t->end),
                                    arena_strndup(m->arena, m->text + t->at, t->end - t->at), NULL);
    bool close = t->from + 1 < m->len && is_word(m->text[t->from + 1]);
    diag_edit(m->diag, f, place(m, t->from, t->from + 1), close ? "dnl " : "dnl");
    leave(m, f, t->from, t->at);
}

static void say_quoted_lines(struct mend *m)
{
    const struct mc_trouble *t = &m->trouble;
    char *to = arena_printf(m->arena, "%u", place(m, t->at, t->at).line);
    if (t->comment) {
        struct finding *f = finding_add(m->diag, FINDING_QUOTE_IN_COMMENT,
                                        place(m, t->from, t->from + 1), to, NULL);
        size_t begin = line_begin(m, t->from);
        while (begin < t->from && m->text[begin] != '#')
            begin++;
        bool close = begin + 1 < m->len && is_word(m->text[begin + 1]);
        diag_edit(m->diag, f, place(m, begin, begin + 1), close ? "dnl " : "dnl");
        leave(m, f, t->from, t->at);
        return;
    }
    size_t held = skip_blanks(m, t->held), n = 0;
    while (held + n < m->len && is_word(m->text[held + n]))
        n++;
    struct finding *f = finding_add(m->diag, FINDING_QUOTED_LINES, place(m, t->from, t->from + 1),
                                    to, arena_strndup(m->arena, m->text + held, n), NULL);
    leave(m, f, t->from, t->at);
}

/* What shows, where no edit is better than none. */
static void say_without_edit(struct mend *m)
{
    const struct mc_trouble *t = &m->trouble;
    size_t at = unmend(m->edits, t->at);
    enum finding_id id = t->kind == MC_TROUBLE_STRAY_QUOTE || t->kind == MC_TROUBLE_CUT
                             ? FINDING_STRAY_QUOTE
                         : t->kind == MC_TROUBLE_WRONG_QUOTES      ? FINDING_WRONG_QUOTES_LIVES
                         : t->kind == MC_TROUBLE_NO_COMMA          ? FINDING_NO_COMMA_LIVES
                         : t->kind == MC_TROUBLE_STRAY_PARENTHESIS ? FINDING_STRAY_PARENTHESIS_LIVES
                                                                   : FINDINGS;
    if (!m->diag || id == FINDINGS || at < m->told)
        return;
    m->told = at + 1;
    struct finding *f =
        finding_add(m->diag, id, place(m, t->at, t->end), words(m, t->at, t->end), NULL);
    diag_hint(m->diag, f, "see how the quotes of this call belong together");
    leave(m, f, t->from, t->end);
}

/* Looks into one trouble; true where the text was changed. */
static bool look_into(struct mend *m, struct mc_watch *w)
{
    const struct mc_trouble *t = &m->trouble;
    m->nsaid++;
    if (t->kind == MC_TROUBLE_COMMENT_MACRO || t->kind == MC_TROUBLE_QUOTED_LINES) {
        size_t at = unmend(m->edits, t->at);
        if (m->diag && at >= m->told) { /* not told before the last change */
            m->told = at + 1;
            if (t->kind == MC_TROUBLE_COMMENT_MACRO)
                say_comment_macro(m);
            else
                say_quoted_lines(m);
        }
        return false;
    }
    m->unit = mc_watch_unit(w, &m->mode);
    m->mode = mc_scan_mode_copy(m->arena, &m->mode);
    bool found = false;
    if (t->kind == MC_TROUBLE_LINE_IN_QUOTE || t->kind == MC_TROUBLE_LINE_IN_CALL) {
        /* Text that is no code, and has a plain fault in the line where it begins. */
        found = t->data && m->text[t->from] != '`' && find_edit(m, w) && m->dirt_best <= PLAIN;
        size_t end = found ? NOWHERE : reads_well(m);
        if (end != NOWHERE) {
            mc_watch_accept(w, end);
            return false;
        }
    }
    if (!found && !find_edit(m, w)) {
        say_without_edit(m);
        return false;
    }
    say(m);
    for (size_t i = m->best.n; i-- > 0;)
        if (!change_text(m, &m->best.change[i]))
            return false;
    return true;
}

static void out_of_memory(void *ctx)
{
    arena_calloc(ctx, SIZE_MAX, 2); /* the arena's owner says what is to be done */
}

/* Few files open so much that it is worth a look. */
static bool is_too_deep(struct arena *a, const struct source *source)
{
    size_t opens = 0, off;
    for (size_t i = 0; i < source->len; i++)
        opens += source->bytes[i] == '(' || source->bytes[i] == '`';
    if (opens <= MC_DEPTH_MAX)
        return false;
    struct mc_scan *scan = mc_scan_new(a, source);
    mc_scan_hope(scan);
    mc_scan_start(scan);
    while (mc_scan_next(scan).kind != MC_T_END)
        continue;
    return mc_scan_too_deep(scan, &off);
}

static struct mc_mended *mend(struct arena *a, const struct source *source, struct diag *d,
                              bool as_it_is)
{
    struct mc_mended *result = arena_alloc(a, sizeof *result);
    result->text = source->bytes;
    result->len = source->len;
    if (!source->bytes)
        return result;
    if (is_too_deep(a, source)) /* which mc_parse says; nothing else in it is worth a word */
        return result;
    struct mend m = {.arena = a, .diag = d, .source = source, .as_it_is = as_it_is};
    m.cap = source->len + 8 * ROUNDS;
    m.text = arena_alloc(a, m.cap);
    m.len = source->len;
    memcpy(m.text, source->bytes, m.len);
    m.scratch = arena_new(out_of_memory, a);
    struct arena *run = arena_new(out_of_memory, a);
    size_t from = 0;
    struct mc_scan *whole = mc_scan_new(a, source); /* what the file defines is known to all */
    mc_scan_find_comments(whole);
    mc_scan_start(whole);
    struct mc_scan_mode mode = mc_scan_mode(whole);
    bool again = true;
    for (int round = 0; again && round < ROUNDS && m.work < WORK; round++) {
        arena_reset(run);
        struct mc_watch *w = mc_watch_new(run, m.text, m.len);
        mc_watch_start(w, from, &mode);
        again = false;
        m.work += m.len - from;
        while (m.nsaid < SAID_MAX) {
            m.trouble = mc_watch_next(w);
            if (m.trouble.kind == MC_TROUBLE_NONE)
                break;
            if (look_into(&m, w)) {
                from = m.unit;
                mode = m.mode;
                again = true;
                break;
            }
        }
    }
    arena_free(run);
    arena_free(m.scratch);
    if (m.errors) {
        result->text = arena_strndup(a, m.text, m.len);
        result->len = m.len;
        result->edits = m.edits;
    }
    result->faulty = m.edits != NULL || m.errors;
    return result;
}

struct mc_mended *mc_mend(struct arena *a, const struct source *source, struct diag *d)
{
    return mend(a, source, d, false);
}

void mc_find_faults(struct arena *a, const struct source *source, struct diag *d)
{
    mend(a, source, d, true);
}
