/*
 * check_text: text of an .mc that is no directive and becomes part of the .cf: macros that nothing
 * defines, and prose.
 *
 * The tree tells where a name stands that looks like a macro; m4's output tells which lines there
 * are in the end.  A name is told where it stands, and what the .cf reader says of its line
 * follows.
 */
#include <ctype.h>
#include <string.h>

#include "compiler/check.h"
#include "compiler/vocabulary.h"
#include "lib/base/arena.h"
#include "lib/model/variables.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The words of the language, which a misspelt one may be. */
static const char *const words[] = {
#define WORD(name, kind) #name,
#include "grammar/words.def"
#undef WORD
    "dnl",    "eval",   "incr",     "decr",  "len",         "index",     "substr",     "translit",
    "format", "regexp", "patsubst", "shift", "changequote", "changecom", "PUSHDIVERT", "POPDIVERT",
};

/* Sections, which stand alone on their line. */
static const char *const sections[] = {
#define WORD_SECTION(name) #name,
#define WORD_FILE(name)
#define WORD_NAMED(name)
#define WORD_DEFINE(name)
#define WORD_TEXT(name)
#define WORD_CLASS(name)
#define WORD_OTHER(name)
#define WORD_BUILTIN(name)
#define WORD_BARE(name)
#define WORD(name, kind) WORD_##kind(name)
#include "grammar/words.def"
#undef WORD
};

/* Of a file that is no .mc at all the first ones tell enough. */
enum { TOLD_MAX = 100 };

/* A name that nothing defines. */
struct stray {
    const char *name;
    struct finding *finding;
    bool seen;    /* in a line of the .cf */
    bool section; /* it stands alone on its line, where a section would begin */
    struct stray *next;
};

struct walk {
    struct front *front;
    uint32_t file;
    const struct mc_tree *tree;
    const char *bytes;
    size_t len;
    int section; /* where text goes: a diversion */
    unsigned told;
    struct stray **tail;
};

/* --- what is defined ---------------------------------------------------------------------------
 */

bool check_in_vocabulary(const char *name, size_t len)
{
    const char *p = vocabulary_frozen, *end = p + vocabulary_frozen_len;
    struct vocabulary_entry e;
    while (vocabulary_next(&p, end, &e))
        if (strchr("TF", e.kind) && e.name_len == len && memcmp(e.name, name, len) == 0)
            return true;
    return false;
}

static bool is_defined(const struct front *f, const char *name)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(words[i], name) == 0)
            return true;
    if (table_has(f->defines, name) || check_in_vocabulary(name, strlen(name)))
        return true;
    for (const struct m4_define *d = f->options->defines; d; d = d->next)
        if (strcmp(d->name, name) == 0)
            return true;
    return false;
}

/* --- where a name stands -----------------------------------------------------------------------
 */

enum place {
    PLACE_START,  /* first on its line, or in its quote */
    PLACE_BEHIND, /* behind a call */
    PLACE_MIDDLE, /* behind other text */
};

enum context {
    CONTEXT_CODE, /* what m4 makes of it is text of the .cf */
    CONTEXT_BODY, /* of a macro of the file */
    CONTEXT_ARGUMENT,
    CONTEXT_VALUE,
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static enum place place_of(const struct walk *w, size_t off)
{
    while (off > 0 && is_blank(w->bytes[off - 1]))
        off--;
    if (off == 0 || w->bytes[off - 1] == '\n' || w->bytes[off - 1] == '`')
        return PLACE_START;
    return w->bytes[off - 1] == ')' ? PLACE_BEHIND : PLACE_MIDDLE;
}

static bool in_comment(const struct walk *w, size_t off)
{
    while (off > 0 && w->bytes[off - 1] != '\n')
        off--;
    while (off < w->len && is_blank(w->bytes[off]))
        off++;
    return off < w->len && w->bytes[off] == '#';
}

/* What follows on the line, blanks left out. */
static size_t rest_of(const struct walk *w, size_t off)
{
    while (off < w->len && is_blank(w->bytes[off]))
        off++;
    return off;
}

static bool word_at(const struct walk *w, size_t off, const char *word)
{
    size_t n = strlen(word);
    return w->len - off >= n && memcmp(w->bytes + off, word, n) == 0 &&
           (w->len - off == n || !is_word(w->bytes[off + n]));
}

/* Nothing but a remark follows on the line, or the end of its quote. */
static bool ends_line(const struct walk *w, size_t off)
{
    off = rest_of(w, off);
    return off == w->len || strchr("\n'#", w->bytes[off]) || word_at(w, off, "dnl");
}

static size_t argument_number(const struct mc_node *arg)
{
    size_t n = 1;
    for (const struct mc_node *x = arg->parent->first; x && x != arg; x = x->next)
        n += x->kind == MC_ARG;
    return n;
}

static enum context context_of(const struct walk *w, const struct mc_node *node)
{
    bool quoted = false;
    for (const struct mc_node *x = node->parent; x; x = x->parent) {
        if (x->kind == MC_QUOTED) {
            quoted = true;
        } else if (x->kind == MC_ARG) {
            size_t n = argument_number(x);
            const struct mc_node *call = x->parent;
            bool branch = (mc_is_call_of(w->tree, call, "ifdef") && n >= 2) ||
                          (mc_is_call_of(w->tree, call, "ifelse") && n >= 3);
            if (branch) {
                quoted = false;
                continue;
            }
            if (!quoted)
                return CONTEXT_ARGUMENT;
            bool body = (mc_is_call_of(w->tree, call, "define") ||
                         mc_is_call_of(w->tree, call, "pushdef")) &&
                        n == 2;
            return body ? CONTEXT_BODY : CONTEXT_VALUE;
        }
    }
    return quoted ? CONTEXT_VALUE : CONTEXT_CODE;
}

/* --- saying it ---------------------------------------------------------------------------------
 */

static struct finding *say(struct walk *w, const struct mc_node *node, size_t len, const char *name,
                           const char *near, bool sure)
{
    struct front *f = w->front;
    struct origin at = front_node_place(f, w->file, node, 0);
    at.len = (uint32_t)len;
    struct finding *x = finding_add(f->diag, FINDING_UNKNOWN_MACRO_LIVES, at, name, NULL);
    if (near)
        diag_hint(f->diag, x, "did you mean %s?", near);
    if (near && sure)
        diag_edit(f->diag, x, at, near);
    struct stray *s = arena_alloc(f->arena, sizeof *s);
    *s = (struct stray){.name = name, .finding = x};
    *w->tail = s;
    w->tail = &s->next;
    w->told++;
    return x;
}

/* The macro that nothing defines in a line of the .cf: the one of its own line, if there are
 * several of that name, else the first one that was not seen. */
static struct stray *stray_in(const struct front *f, const char *text, struct origin at)
{
    struct stray *best = NULL;
    size_t len = strlen(text);
    for (struct stray *s = f->strays; s; s = s->next) {
        size_t n = strlen(s->name);
        const char *hit = memmem(text, len, s->name, n);
        if (!hit || (hit > text && is_word(hit[-1])) || is_word(hit[n]))
            continue;
        if (s->finding->at.file == at.file && s->finding->at.line == at.line)
            return s;
        if (!best || (best->seen && !s->seen))
            best = s;
    }
    return best;
}

/* dnl, as fingers write it. */
static bool is_misspelt_dnl(const char *name)
{
    static const char *const dnl[] = {"dnl"};
    bool sure;
    size_t n = strlen(name);
    return n >= 2 && n <= 4 && diag_nearest(name, dnl, 1, &sure) && sure;
}

static const char *nearest(const struct walk *w, const char *name, bool *sure)
{
    const struct front *f = w->front;
    size_t n = table_count(f->defines);
    const char *near = diag_nearest(name, words, COUNT(words), sure);
    const char **own = arena_calloc(f->arena, n + 1, sizeof *own);
    for (size_t i = 0; i < n; i++)
        own[i] = table_at(f->defines, i)->key;
    bool own_sure;
    const char *own_near = diag_nearest(name, own, n, &own_sure);
    if (own_near && (!near || (own_sure && !*sure))) {
        near = own_near;
        *sure = own_sure;
    }
    return near;
}

static bool has_small(const char *name)
{
    while (*name && !islower((unsigned char)*name))
        name++;
    return *name;
}

static bool has_capital(const char *name)
{
    while (*name && !isupper((unsigned char)*name))
        name++;
    return *name;
}

/* dnl and a word without the blank between them. */
static bool glued_dnl(struct walk *w, const struct mc_node *node, const char *name)
{
    if (strncmp(name, "dnl", 3) != 0 || place_of(w, node->off) == PLACE_MIDDLE)
        return false;
    struct finding *x = say(w, node, strlen(name), name, NULL, false);
    struct origin at = x->at;
    at.len = 3;
    diag_hint(w->front->diag, x, "write a blank behind dnl");
    diag_edit(w->front->diag, x, at, "dnl ");
    return true;
}

/* Is a call that nothing defines meant to be one?  near: the name that it may be, or NULL. */
static bool is_meant(const struct walk *w, const struct mc_node *node, enum context context,
                     bool quoted, const char *near, bool sure)
{
    if (context != CONTEXT_CODE)
        return near && sure && (context == CONTEXT_ARGUMENT || quoted);
    if (place_of(w, node->off) == PLACE_MIDDLE) /* which is quoted */
        return near && sure;
    if (!near)
        return w->section == 0 && ends_line(w, node->off + node->len);
    if (w->section == 0 || quoted)
        return true;
    /* Rules, and text that goes nowhere. */
    return sure && (w->section > 0 || isupper((unsigned char)*near) || strcmp(near, "divert") == 0);
}

static void unknown_call(struct walk *w, const struct mc_node *node, const char *name)
{
    const struct mc_node *arg = mc_arg(node, 1);
    bool quoted = arg && arg->len > 0 && w->bytes[arg->off] == '`';
    enum context context = context_of(w, node);
    if (context == CONTEXT_VALUE || in_comment(w, node->off) || glued_dnl(w, node, name) ||
        (context == CONTEXT_CODE && !quoted && place_of(w, node->off) == PLACE_MIDDLE))
        return;
    bool sure = false;
    const char *near = nearest(w, name, &sure);
    if (!is_meant(w, node, context, quoted, near, sure))
        return;
    struct finding *x = say(w, node, strlen(name), name, near, near && sure);
    /* What its text makes of a value is no other mistake. */
    if (context == CONTEXT_ARGUMENT)
        diag_follows(w->front->diag, x, x->at.line, x->at.line);
}

static bool same_word(const char *a, size_t len, const char *b)
{
    for (size_t i = 0; i < len; i++) {
        int c = strchr(" -", a[i]) ? '_' : toupper((unsigned char)a[i]);
        if (c != toupper((unsigned char)b[i]))
            return false;
    }
    return b[len] == '\0';
}

/* LOCAL CONFIG, CLIENT-OPTIONS(...): another mark than _ between the parts of a name. */
static bool parted(struct walk *w, const struct mc_node *node)
{
    size_t end = node->off, n;
    while (end < w->len &&
           (is_word(w->bytes[end]) ||
            (strchr(" -", w->bytes[end]) && end + 1 < w->len && is_word(w->bytes[end + 1]))))
        end++;
    n = end - node->off;
    if (end < w->len && w->bytes[end] == '(') {
        for (size_t i = 0; i < COUNT(words); i++)
            if (same_word(w->bytes + node->off, n, words[i])) {
                say(w, node, n, arena_strndup(w->front->arena, w->bytes + node->off, n), words[i],
                    true);
                return true;
            }
        return false;
    }
    for (size_t i = 0; i < COUNT(sections); i++) {
        size_t k = strlen(sections[i]);
        if (n >= k && k > node->len && same_word(w->bytes + node->off, k, sections[i]) &&
            ends_line(w, node->off + k)) {
            say(w, node, k, arena_strndup(w->front->arena, w->bytes + node->off, k), sections[i],
                true);
            return true;
        }
    }
    return false;
}

/* Where text goes from here on. */
static void follow_section(struct walk *w, const struct mc_node *node, const char *name)
{
    if (strcmp(name, "divert") == 0) {
        bool plain;
        const char *arg = mc_arg_text(w->front->arena, w->tree, node, 1, &plain);
        w->section = *arg == '-' ? -1 : isdigit((unsigned char)*arg) ? *arg - '0' : 0;
    }
    for (size_t i = 0; i < COUNT(sections); i++)
        if (strcmp(name, sections[i]) == 0)
            w->section = 1;
}

/* A section's name that is none. */
static void bare_section(struct walk *w, const struct mc_node *node, const char *name)
{
    bool sure, small = has_small(name);
    const char *near = diag_nearest(name, sections, COUNT(sections), &sure);
    /* SLocal_try_tls begins a ruleset. */
    if (small && has_capital(name) &&
        (!near || strlen(near) != strlen(name) || strncmp(name, "SL", 2) == 0))
        return;
    if (near || (w->section == 0 && !small && strchr(name, '_'))) {
        struct stray **to = w->tail;
        say(w, node, strlen(name), name, near, near && sure);
        (*to)->section = true;
    }
}

static void bare_word(struct walk *w, const struct mc_node *node)
{
    enum place place = place_of(w, node->off);
    struct front *f = w->front;
    if (place == PLACE_MIDDLE && !node->macro)
        return;
    const char *name = mc_name(f->arena, w->tree, node);
    if (node->macro)
        follow_section(w, node, name);
    size_t n = strlen(name), end = node->off + node->len;
    bool alone = ends_line(w, end), dnl = is_misspelt_dnl(name);
    bool blank = end < w->len && is_blank(w->bytes[end]);
    bool minus = end < w->len && w->bytes[end] == '-';
    if (place == PLACE_MIDDLE ||
        (!dnl && !alone && !blank && !minus && strncmp(name, "dnl", 3) != 0))
        return;
    if (strcmp(name, "dnl") == 0 || in_comment(w, node->off) ||
        context_of(w, node) != CONTEXT_CODE ||
        (place == PLACE_START && (blank || minus) && parted(w, node)) || is_defined(f, name) ||
        glued_dnl(w, node, name))
        return;
    /* DN and Dl begin lines of a .cf. */
    bool of_cf = has_capital(name) && (n < 3 || (*name != 'D' && has_small(name)));
    if (dnl && (place == PLACE_BEHIND || ((blank || alone) && !of_cf)))
        say(w, node, n, name, "dnl", true);
    else if (alone && n > 4)
        bare_section(w, node, name);
}

/* --- prose -------------------------------------------------------------------------------------
 */

/* Words that hardly any line of a .cf has, and hardly any sentence lacks. */
static const char *const small_words[] = {
    "a",    "above", "add",    "after", "all",    "also",  "an",   "and",   "are",   "as",
    "at",   "be",    "before", "below", "but",    "by",    "can",  "do",    "don't", "for",
    "from", "has",   "have",   "here",  "if",     "in",    "into", "is",    "it",    "its",
    "just", "keep",  "must",   "need",  "needs",  "never", "not",  "of",    "on",    "only",
    "or",   "our",   "please", "see",   "should", "so",    "that", "the",   "their", "them",
    "then", "there", "these",  "they",  "this",   "to",    "todo", "until", "use",   "used",
    "uses", "using", "was",    "we",    "were",   "what",  "when", "where", "which", "will",
    "with", "yes",   "you",    "your",
};

/* Bytes of a word that are letters or an apostrophe. */
static size_t letters(const char *p)
{
    size_t n = 0;
    while (isalpha((unsigned char)p[n]) ||
           (n > 0 && p[n] == '\'' && isalpha((unsigned char)p[n + 1])))
        n++;
    return n;
}

static bool is_small_word(const char *p, size_t n)
{
    for (size_t i = 0; i < COUNT(small_words); i++)
        if (strlen(small_words[i]) == n &&
            (n > 1 ? strncasecmp(small_words[i], p, n) : *small_words[i] - *p) == 0)
            return true;
    return false;
}

/* Begins as a word of a sentence does: Word, word or WORD. */
static bool is_cased(const char *p, size_t n)
{
    bool upper = n > 1 && isupper((unsigned char)p[1]);
    for (size_t i = 1; i < n; i++)
        if (p[i] != '\'' && !isupper((unsigned char)p[i]) != !upper)
            return false;
    return n > 1 && (!upper || isupper((unsigned char)*p));
}

/* Is a line that sendmail would read as one of its own a sentence? */
static bool is_prose(const char *line)
{
    size_t first = letters(line), nwords = 0, nsmall = 0, nodd = 0;
    const char *p = line;
    if (!is_cased(line, first) || (line[first] && !strchr(" ,:.;!?", line[first])) ||
        strpbrk(line, "$\t") || (*line == 'H' && line[first] == ':'))
        return false;
    while (*p) {
        size_t n = letters(p), end = n + strspn(p + n, ",.:;!?)");
        if (n > 0 && (p[end] == ' ' || !p[end])) {
            nwords++;
            nsmall += is_small_word(p, n);
        } else {
            nodd++;
            end = strcspn(p, " ");
        }
        p += end;
        p += strspn(p, " ");
    }
    if (nsmall > 0 && nwords > 1 && nwords > nodd)
        return true;
    if (nodd > 0)
        return false;
    if (nwords < 2)
        return first > 3 && strchr("FHMPQVX", *line);
    /* Words only, where a line of that letter has something else. */
    switch (*line) {
    case 'C':
        return islower((unsigned char)line[1]) && line[1] != 'w' && first > 2;
    case 'D':
        return islower((unsigned char)line[1]) && first > 2;
    case 'T':
        return isupper((unsigned char)line[1]) || line[first] == ':';
    case 'K':
        return false;
    default:
        return true;
    }
}

/* What sendmail takes a line for. */
static const char *meaning(char letter)
{
    static const struct {
        char letter;
        const char *what;
    } lines[] = {
        {'C', "names for a class"},
        {'D', "a macro's value"},
        {'E', "a variable of the environment"},
        {'F', "a file's name"},
        {'H', "a header"},
        {'K', "a map"},
        {'M', "a mailer"},
        {'O', "an option"},
        {'P', "a precedence"},
        {'Q', "a queue group"},
        {'R', "a rule"},
        {'S', "a ruleset's name"},
        {'T', "trusted users"},
        {'V', "the file's version"},
        {'X', "a filter"},
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (lines[i].letter == letter)
            return lines[i].what;
    return "nothing";
}

/* Is it what stands behind a directive, with which its line begins? */
static bool is_behind_call(const struct source *s, struct origin at)
{
    if (!s || !s->bytes || at.col < 2)
        return false;
    const char *line = s->bytes + source_offset(s, at.line, 1), *p = line + at.col - 1;
    while (p > line && is_blank(p[-1]))
        p--;
    size_t n = 0;
    while (is_word(line[n]))
        n++;
    if (p == line || p[-1] != ')' || line[n] != '(')
        return false;
    for (size_t i = 0; i < COUNT(words); i++)
        if (strlen(words[i]) == n && memcmp(words[i], line, n) == 0)
            return true;
    return false;
}

static const char letters_of_cf[] = "#DCTFVKMXQHOPESR \t";

/* NAME=value, as a shell has it, is what stands in the line of the file; m4 may have made something
 * else of the name. */
static bool stray_value(struct front *f, const char *made, struct origin at)
{
    const struct source *s = source_by_id(f->config->sources, at.file);
    size_t n = 0, len = 0;
    const char *line = s && s->bytes ? source_line(s, at.line, &len) : NULL;
    if (!line)
        return false;
    const char *text = arena_strndup(f->arena, line, len);
    while (is_word(text[n]))
        n++;
    const char *name = arena_strndup(f->arena, text, n), *value = text + n;
    value += strspn(value, " \t");
    if (n < 2 || *value != '=' || !variable_known(name))
        return false;
    value += 1 + strspn(value + 1, " \t");
    size_t end = strlen(value);
    while (end > 0 && is_blank(value[end - 1]))
        end--;
    if (end > 1 && strchr("\"'", *value) && value[end - 1] == *value) {
        value++;
        end -= 2;
    }
    value = arena_strndup(f->arena, value, end);
    at.col = 1;
    at.len = (uint32_t)len;
    struct finding *x = finding_add(f->diag, FINDING_STRAY_VALUE, at, name, value, NULL);
    if (!strpbrk(value, "`'"))
        diag_edit(f->diag, x, at, arena_printf(f->arena, "define(`%s', `%s')dnl", name, value));
    diag_follows(f->diag, x, at.line, at.line);
    if (!strchr(letters_of_cf, *made))
        x->severity = DIAG_ERROR;
    return true;
}

/* The last line of prose that was told; a line right below it belongs to it. */
struct prose {
    struct finding *finding; /* NULL: none, or one that is not all prose */
    uint32_t file, line;
    unsigned told;
};

static void stray_line(struct front *f, const struct m4_line *line, struct prose *said)
{
    const char *text = line->text + strspn(line->text, " \t");
    bool blank = text > line->text;
    bool broken = !strchr(letters_of_cf, *text);
    size_t len = strlen(text);
    struct origin at = line->at;
    const struct source *s = source_by_id(f->config->sources, at.file);
    if (len == 0 || *text == '#')
        return;
    if (s && s->bytes && at.line)
        at = source_place_in(s, at, text, len, 0, len);
    if (!blank && stray_value(f, text, line->at))
        return;
    /* What begins with a blank belongs to the line before it. */
    if (blank ? !is_behind_call(s, at) : !broken && !is_prose(text))
        return;
    broken = broken && !blank;
    bool whole = at.col && at.len == len && (blank || is_prose(text));
    struct finding *x =
        whole && !blank && said->finding && said->file == at.file && said->line + 1 == at.line
            ? said->finding
            : NULL;
    if (!x)
        x = finding_add(f->diag,
                        blank    ? FINDING_STRAY_TEXT_BEHIND
                        : broken ? FINDING_UNKNOWN_LINE_OF_MC
                                 : FINDING_STRAY_TEXT,
                        at, meaning(*text), NULL);
    else
        diag_hint(f->diag, x, "begin the lines to line %u with dnl if they are remarks", at.line);
    *said = (struct prose){whole && !blank ? x : NULL, at.file, at.line, said->told + 1};
    if (whole)
        diag_edit(f->diag, x, (struct origin){at.file, at.line, at.col, 0}, "dnl ");
    if (at.file && at.line)
        diag_follows(f->diag, x, at.line, at.line);
    /* sendmail does not start without the file of an F line. */
    if (broken || (*text == 'F' && !strchr(text, '/')))
        x->severity = DIAG_ERROR;
}

static void check_lines(struct front *f)
{
    for (int i = 0; i < M4_DAEMONS; i++) {
        struct prose said = {NULL, 0, 0, 0};
        for (const struct m4_piece *p = f->m4->sections[i]; p; p = p->next)
            for (size_t k = 0; !p->record && k < p->count && said.told < TOLD_MAX; k++)
                if (!stray_in(f, p->lines[k].text, p->lines[k].at))
                    stray_line(f, &p->lines[k], &said);
    }
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void walk_tree(struct walk *w)
{
    const struct mc_node *root = w->tree->root, *next;
    for (const struct mc_node *x = root; x && w->told < TOLD_MAX; x = next) {
        next = mc_next(x, root);
        if (x->kind == MC_CALL) {
            const char *name = mc_name(w->front->arena, w->tree, x);
            if (is_defined(w->front, name)) {
                follow_section(w, x, name);
            } else {
                unknown_call(w, x, name);
                next = mc_skip(x, root);
            }
        } else if (x->kind == MC_NAME && (x->parent->kind != MC_CALL || x != x->parent->first)) {
            bare_word(w, x);
        }
    }
}

void check_text_find(struct front *f)
{
    struct stray **tail = &f->strays;
    for (uint32_t id = 1; id <= f->nfiles; id++) {
        const struct mc_tree *t = front_tree(f, id);
        if (!t)
            continue;
        struct walk w = {.front = f,
                         .file = id,
                         .tree = t,
                         .bytes = t->source->bytes,
                         .len = t->source->len,
                         .tail = tail};
        walk_tree(&w);
        tail = w.tail;
    }
    check_lines(f);
}

bool check_text_explains(const struct front *f, const struct finding *x)
{
    struct finding *cause = NULL;
    for (const struct stray *s = f->strays; s; s = s->next)
        if (s->section && s->finding->at.file == x->at.file && s->finding->at.line < x->at.line)
            cause = s->finding;
    if (!cause || strcmp(x->id, "rule-without-ruleset") != 0)
        return false;
    cause->severity = DIAG_ERROR;
    return true;
}

struct origin check_text_place(struct front *f, const char *text, struct origin at)
{
    struct stray *s = stray_in(f, text, at);
    if (!s)
        return at;
    s->seen = true;
    at = s->finding->at;
    at.col = at.len = 0;
    diag_follows(f->diag, s->finding, at.line, at.line);
    /* sendmail does not start without the file of an F line. */
    if (text[0] == 'F' && !strchr(text, '/'))
        s->finding->severity = DIAG_ERROR;
    return at;
}
