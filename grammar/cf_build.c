#include "grammar/cf_build.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/options.h"

/* A text whose lexer would count beyond int is no configuration. */
enum { TEXT_MAX = 256 << 20, NAME_MAX_LEN = 25 };

/* --- places ------------------------------------------------------------------------------- */

static size_t line_index(const struct cf_builder *b, size_t off)
{
    size_t low = 0, high = b->lines;

    /* Mostly the line that was read last, or the next. */
    for (size_t line = b->line; line < high && line < b->line + 2; line++)
        if (b->line_start[line] <= off && (line + 1 == high || off < b->line_start[line + 1]))
            return line;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (b->line_start[middle] <= off)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The place of a span; what is underlined ends with the physical line. */
static struct origin place(const struct cf_builder *b, struct cf_span span)
{
    size_t line = line_index(b, span.begin);
    size_t col = span.begin - b->line_start[line];
    const char *end = memchr(b->text + span.begin, '\n', span.end - span.begin);
    size_t len = end ? (size_t)(end - (b->text + span.begin)) : span.end - span.begin;
    struct origin at = {0};

    if (b->line_of) {
        size_t begin = b->line_start[line];
        const char *eol = memchr(b->text + begin, '\n', b->len - begin);
        size_t line_len = eol ? (size_t)(eol - (b->text + begin)) : b->len - begin;
        at = b->line_of[line].at;
        return source_place_in(source_by_id(b->config->sources, at.file), at, b->text + begin,
                               line_len, col, len);
    }
    if (b->src) {
        at.file = b->src->id;
        at.line = (uint32_t)line + 1;
    }
    at.col = (uint32_t)col + 1;
    at.len = (uint32_t)len;
    return at;
}

static struct origin cause(const struct cf_builder *b, size_t off)
{
    return b->line_of ? b->line_of[line_index(b, off)].cause : (struct origin){0};
}

/* The place to name for it: of a line of ours, what caused it. */
static struct origin blamed(const struct cf_builder *b, struct cf_span span)
{
    struct origin at = place(b, span), why = cause(b, span.begin);
    const struct source *s = source_by_id(b->config->sources, at.file);

    return s && !s->bytes && why.file ? why : at;
}

static void find(struct cf_builder *b, struct cf_span at, enum finding_id id, const char *what,
                 const char *hint)
{
    if (b->diag)
        finding_add(b->diag, id, blamed(b, at), what ? what : "", hint, NULL);
}

/* --- text of spans ------------------------------------------------------------------------ */

void cf_skip(struct cf_builder *b, struct cf_span span)
{
    b->skips =
        arena_grow(b->config->arena, b->skips, b->skip_count, &b->skip_room, sizeof *b->skips, 16);
    b->skips[b->skip_count++] = span;
}

void cf_skip_first(struct cf_builder *b, struct cf_span span)
{
    cf_skip(b, (struct cf_span){span.begin, span.begin + 1});
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* The span's bytes without the CRs of line ends; without what was skipped if seen.  len: how many.
 */
static char *copy(const struct cf_builder *b, struct cf_span span, bool seen, size_t *len)
{
    size_t skip = 0, room = span.end > span.begin ? span.end - span.begin : 0;
    char *out = arena_raw(b->config->arena, room + 1), *to = out;

    *len = room;
    out[room] = '\0';
    if (room == 0)
        return out;
    /* Skips are in order of the text. */
    for (size_t low = 0, high = b->skip_count; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (b->skips[middle].end <= span.begin)
            skip = low = middle + 1;
        else
            high = middle;
    }
    if ((!seen || skip == b->skip_count || b->skips[skip].begin >= span.end) &&
        !memchr(b->text + span.begin, '\r', room)) {
        memcpy(out, b->text + span.begin, room);
        return out;
    }
    for (size_t i = span.begin; i < span.end; i++) {
        if (b->text[i] == '\r' && (i == span.begin || b->text[i - 1] != '\r')) {
            size_t run = i;

            while (run < span.end && b->text[run] == '\r')
                run++;
            if (run < b->len && b->text[run] == '\n')
                i = run;
        }
        if (seen)
            while (skip < b->skip_count && b->skips[skip].begin <= i && i < span.end) {
                if (b->skips[skip].end > i)
                    i = b->skips[skip].end;
                skip++;
            }
        if (i < span.end)
            *to++ = b->text[i];
    }
    *to = '\0';
    *len = (size_t)(to - out);
    return out;
}

/* What sendmail sees of the span; trailing blanks are never seen. */
static const char *text_of(const struct cf_builder *b, struct cf_span span, bool trim_left)
{
    size_t len;
    char *s = copy(b, span, true, &len);

    while (len > 0 && is_blank(s[len - 1]))
        s[--len] = '\0';
    while (trim_left && is_blank(*s))
        s++;
    return s;
}

/* All of it, for names that blanks belong to. */
static const char *exact(const struct cf_builder *b, struct cf_span span)
{
    size_t len;

    return copy(b, span, true, &len);
}

static const char *trimmed(const struct cf_builder *b, struct cf_span span)
{
    return text_of(b, span, true);
}

/* The span without blanks at its ends, for places. */
static struct cf_span narrow(const struct cf_builder *b, struct cf_span span)
{
    while (span.begin < span.end && is_blank(b->text[span.begin]))
        span.begin++;
    while (span.end > span.begin && is_blank(b->text[span.end - 1]))
        span.end--;
    return span;
}

/* As written, remarks included. */
static const char *raw_trimmed(const struct cf_builder *b, struct cf_span span)
{
    size_t len;

    return copy(b, narrow(b, span), false, &len);
}

/* The remarks of the line, for lines that have no third field. */
static const char *remarks(const struct cf_builder *b)
{
    struct buf out;

    if (b->skip_count == 0)
        return NULL;
    buf_init(&out, b->config->arena);
    for (size_t i = 0; i < b->skip_count; i++) {
        struct cf_span span = narrow(b, b->skips[i]);
        size_t len;

        if (span.begin == span.end || b->text[span.begin] != '#')
            continue;
        if (out.len > 0)
            buf_addc(&out, '\n');
        buf_adds(&out, copy(b, span, false, &len));
    }
    return out.len > 0 ? out.data : NULL;
}

static const char **words_of(const struct cf_builder *b, const char *text)
{
    size_t n = 0;
    const char **words;

    for (const char *s = text; *s; n++) {
        while (is_blank(*s))
            s++;
        while (*s && !is_blank(*s))
            s++;
    }
    words = arena_calloc(b->config->arena, n + 1, sizeof *words);
    n = 0;
    for (const char *s = text; *s;) {
        const char *begin;

        while (is_blank(*s))
            s++;
        begin = s;
        while (*s && !is_blank(*s))
            s++;
        if (s > begin)
            words[n++] = arena_strndup(b->config->arena, begin, (size_t)(s - begin));
    }
    return words;
}

/* --- lines -------------------------------------------------------------------------------- */

/* The line is done: what was collected for it is forgotten. */
static void next_line(struct cf_builder *b)
{
    b->skip_count = 0;
    b->equate_first = b->equate_last = NULL;
}

static struct item *add(struct cf_builder *b, struct cf_span line, enum item_kind kind)
{
    struct item *it = config_add(b->config, kind);
    struct cf_span whole = {line.begin, line.end};
    size_t len;

    if (whole.end > whole.begin && b->text[whole.end - 1] == '\n')
        whole.end--;
    b->line = line_index(b, whole.begin);
    it->text = copy(b, whole, false, &len);
    it->at = place(b, whole);
    it->cause = cause(b, whole.begin);
    if (kind != ITEM_RULE && kind != ITEM_COMMENT && kind != ITEM_UNKNOWN)
        it->comment = remarks(b);
    return it;
}

void cf_broken(struct cf_builder *b, struct cf_span line, struct cf_span at, enum finding_id id,
               const char *what, const char *hint)
{
    find(b, at, id, what, hint);
    add(b, line, ITEM_UNKNOWN);
    /* Rules below a ruleset that has no valid name belong to none. */
    if (b->text[line.begin] == 'S')
        b->in_ruleset = false;
    next_line(b);
}

void cf_blank(struct cf_builder *b, struct cf_span line)
{
    if (b->keep_comments)
        add(b, line, ITEM_BLANK);
    next_line(b);
}

void cf_comment(struct cf_builder *b, struct cf_span line)
{
    size_t end = line.end > line.begin && b->text[line.end - 1] == '\n' ? line.end - 1 : line.end;
    const char *fold = memchr(b->text + line.begin, '\n', end - line.begin);
    struct cf_span rest = {end, end};

    if (fold)
        rest = narrow(b, (struct cf_span){(size_t)(fold - b->text), end});
    if (rest.begin < rest.end)
        find(b, rest, FINDING_CONTINUED_COMMENT, NULL, NULL);
    if (b->keep_comments || rest.begin < rest.end)
        add(b, line, ITEM_COMMENT);
    next_line(b);
}

void cf_unknown(struct cf_builder *b, struct cf_span line)
{
    struct cf_span at = line;
    const char *hint = NULL;

    while (at.begin < at.end && b->text[at.begin] == '\r')
        at.begin++;
    /* An empty line with a continuation: the fault is where the blank is. */
    if (at.begin < at.end && b->text[at.begin] == '\n') {
        at.begin++;
        hint = "a line that starts with a blank continues the empty line before it";
    } else {
        at.begin = line.begin;
    }
    if (!hint && is_blank(b->text[at.begin]))
        hint = "a line that starts with a blank has nothing to continue here";
    cf_broken(b, line, at, FINDING_UNKNOWN_LINE, hint, NULL);
}

void cf_load(struct cf_builder *b, struct cf_span line)
{
    find(b, line, FINDING_RESERVED_LINE, NULL, NULL);
    add(b, line, ITEM_LOAD);
    next_line(b);
}

void cf_version(struct cf_builder *b, struct cf_span line, struct cf_span text)
{
    const char *s = trimmed(b, text);
    size_t digits = strspn(s, "0123456789");
    struct item *it;
    const char *vendor;

    if (digits == 0) {
        cf_broken(b, line, narrow(b, text), FINDING_BAD_VERSION, NULL, NULL);
        return;
    }
    it = add(b, line, ITEM_VERSION);
    it->value = arena_strndup(b->config->arena, s, digits);
    b->level = 0;
    for (size_t i = 0; i < digits && b->level < 1000; i++)
        b->level = b->level * 10 + (s[i] - '0');
    vendor = s + digits;
    while (is_blank(*vendor))
        vendor++;
    if (*vendor == '/') {
        vendor++;
        while (is_blank(*vendor))
            vendor++;
        it->aux = vendor;
    }
    next_line(b);
}

void cf_macro(struct cf_builder *b, struct cf_span line, enum item_kind kind, struct cf_span name,
              struct cf_span value)
{
    bool braces = b->text[name.begin] == '{';
    struct cf_span inner = braces ? (struct cf_span){name.begin + 1, name.end - 1} : name;
    struct item *it;

    if (inner.begin == inner.end) {
        cf_broken(b, line, name, FINDING_MISSING_NAME, "the name between '{' and '}' is missing",
                  NULL);
        return;
    }
    for (size_t i = inner.begin; braces && i < inner.end; i++) {
        char c = b->text[i];

        if (c != '_' && !isalnum((unsigned char)c)) {
            cf_broken(b, line, (struct cf_span){i, i + 1}, FINDING_BAD_NAME,
                      "a macro's or class's name has letters, digits and '_' only", NULL);
            return;
        }
    }
    if (braces && inner.end - inner.begin > NAME_MAX_LEN) {
        cf_broken(b, line, inner, FINDING_BAD_NAME, "a name of more than 25 characters", NULL);
        return;
    }
    it = add(b, line, kind);
    it->name = text_of(b, inner, false);
    if (!braces && !it->name[0])
        it->name = " "; /* a blank is a name */
    it->value = text_of(b, value, kind != ITEM_MACRO);
    if (kind == ITEM_CLASS)
        it->words = words_of(b, it->value);
    next_line(b);
}

void cf_map(struct cf_builder *b, struct cf_span line, struct cf_span name, struct cf_span class,
            struct cf_span arguments)
{
    struct item *it = add(b, line, ITEM_MAP);

    it->name = trimmed(b, name);
    it->aux = trimmed(b, class);
    it->value = trimmed(b, arguments);
    next_line(b);
}

void cf_equate(struct cf_builder *b, struct cf_span key, const struct cf_span *value)
{
    const char *name = trimmed(b, key);
    struct equate *e;

    /* Two commas, or one at the end. */
    if (!name[0] && !value)
        return;
    e = arena_alloc(b->config->arena, sizeof *e);
    e->key = name;
    e->has_value = value != NULL;
    e->value = value ? trimmed(b, *value) : "";
    if (b->equate_last)
        b->equate_last->next = e;
    else
        b->equate_first = e;
    b->equate_last = e;
    if (!value && b->quotes)
        find(b, narrow(b, key), FINDING_MISSING_EQUALS, "the key", NULL);
}

void cf_named_equates(struct cf_builder *b, struct cf_span line, enum item_kind kind,
                      struct cf_span name)
{
    struct item *it;

    /* sendmail takes a blank for the end of the name. */
    if (name.begin != line.begin + 1 && is_blank(b->text[line.begin + 1])) {
        cf_broken(b, line, (struct cf_span){line.begin + 1, name.begin}, FINDING_MISSING_NAME,
                  "the name must follow the first letter at once", NULL);
        return;
    }
    it = add(b, line, kind);
    it->name = trimmed(b, name);
    it->value = trimmed(b, (struct cf_span){name.end, line.end});
    if (it->value[0] == ',') {
        it->value++;
        while (is_blank(*it->value))
            it->value++;
    }
    it->equates = b->equate_first;
    next_line(b);
}

void cf_header(struct cf_builder *b, struct cf_span line, const struct cf_span *flags,
               struct cf_span name, struct cf_span value)
{
    struct cf_span at = narrow(b, name);
    struct item *it;

    if (at.begin == at.end || at.begin != name.begin) {
        cf_broken(b, line, (struct cf_span){name.begin, name.begin + 1}, FINDING_MISSING_NAME,
                  "the header's name is missing", NULL);
        return;
    }
    for (size_t i = at.begin; i < at.end; i++)
        if (is_blank(b->text[i])) {
            cf_broken(b, line, (struct cf_span){i, i + 1}, FINDING_BAD_NAME,
                      "a blank in the header's name", NULL);
            return;
        }
    it = add(b, line, ITEM_HEADER);
    it->name = trimmed(b, name);
    it->value = trimmed(b, value);
    it->aux = flags ? trimmed(b, *flags) : NULL;
    next_line(b);
}

/* --- options ------------------------------------------------------------------------------ */

bool cf_has_remarks(const struct cf_builder *b)
{
    return b->level >= 3;
}

bool cf_letter_has_equates(char letter)
{
    const struct option_info *o = option_by_letter(letter);

    return o && o->type == OPTION_EQUATES;
}

bool cf_option_has_equates(const struct cf_builder *b)
{
    struct cf_span name = narrow(b, (struct cf_span){b->name_begin, b->pos - 1});
    const struct option_info *o = option_find(b->text + name.begin, name.end - name.begin, NULL);

    return o && o->type == OPTION_EQUATES;
}

void cf_option(struct cf_builder *b, struct cf_span line, struct cf_span name,
               const struct cf_span *value)
{
    struct cf_span at = narrow(b, name);
    struct item *it;

    if (at.begin == at.end || b->text[at.begin] == '#') {
        cf_broken(b, line, (struct cf_span){name.begin, name.begin}, FINDING_MISSING_NAME,
                  "the option's name is missing", NULL);
        return;
    }
    if (at.begin != name.begin) {
        cf_broken(b, line, (struct cf_span){name.begin, at.begin}, FINDING_BLANK_BEFORE_OPTION,
                  NULL, NULL);
        return;
    }
    if (!value && strpbrk(trimmed(b, name), " \t\n")) {
        at.begin += strcspn(b->text + at.begin, " \t\n");
        at.end = at.begin + 1;
        cf_broken(b, line, at, FINDING_MISSING_EQUALS, "the option's name", NULL);
        return;
    }
    it = add(b, line, ITEM_OPTION);
    it->name = trimmed(b, name);
    it->value = value ? trimmed(b, *value) : "";
    it->aux = value ? "=" : NULL;
    it->equates = b->equate_first;
    next_line(b);
}

void cf_short_option(struct cf_builder *b, struct cf_span line, struct cf_span letter,
                     struct cf_span value)
{
    struct item *it;

    if (is_blank(b->text[letter.begin]) || b->text[letter.begin] == '#') {
        cf_broken(b, line, letter, FINDING_MISSING_NAME, "the option's name is missing",
                  "a long name follows 'O' and one blank, a short one follows 'O' at once");
        return;
    }
    it = add(b, line, ITEM_OPTION);
    it->name = trimmed(b, letter);
    it->value = trimmed(b, value);
    it->aux = "=";
    it->short_option = true;
    it->equates = b->equate_first;
    next_line(b);
}

void cf_setting(struct cf_builder *b, struct cf_span line, enum item_kind kind, struct cf_span name,
                const struct cf_span *value)
{
    struct item *it;

    if (kind == ITEM_PRIORITY && !value) {
        cf_broken(b, line, line, FINDING_MISSING_EQUALS, "the precedence's name", NULL);
        return;
    }
    it = add(b, line, kind);
    it->name = value ? exact(b, name) : text_of(b, name, false);
    it->value = value ? trimmed(b, *value) : "";
    it->aux = value ? "=" : NULL;
    next_line(b);
}

void cf_trusted(struct cf_builder *b, struct cf_span line, struct cf_span words)
{
    struct item *it = add(b, line, ITEM_TRUSTED);

    it->value = trimmed(b, words);
    it->words = words_of(b, it->value);
    next_line(b);
}

/* --- rulesets ----------------------------------------------------------------------------- */

/* Numbers end at 99; names are given numbers above. */
/* The number that s starts with, NULL if there is none or it is too large. */
static const char *ruleset_number(const struct cf_builder *b, const char *s)
{
    size_t digits = strspn(s, "0123456789");

    return digits == 0 || digits > 2 ? NULL : arena_strndup(b->config->arena, s, digits);
}

void cf_ruleset(struct cf_builder *b, struct cf_span line, struct cf_span name,
                const struct cf_span *number)
{
    size_t len = 0;
    struct item *it;
    const char *text, *value = NULL;

    /* What follows the name without '=' is not looked at. */
    while (name.begin + len < name.end &&
           (isalnum((unsigned char)b->text[name.begin + len]) || b->text[name.begin + len] == '_'))
        len++;
    if (len == 0 || b->text[name.begin] == '_') {
        cf_broken(b, line, name, FINDING_BAD_NAME,
                  "a ruleset's name begins with a letter or digit and has letters, digits and '_' "
                  "only",
                  NULL);
        return;
    }
    /* A number is all that counts of a name that begins with one. */
    if (isdigit((unsigned char)b->text[name.begin])) {
        for (len = 0;
             name.begin + len < name.end && isdigit((unsigned char)b->text[name.begin + len]);)
            len++;
        number = NULL;
    }
    text = trimmed(b, (struct cf_span){name.begin, name.begin + len});
    if (isdigit((unsigned char)*text) && !ruleset_number(b, text)) {
        cf_broken(b, line, name, FINDING_BAD_RULESET_NUMBER, NULL, NULL);
        return;
    }
    if (number && !(value = ruleset_number(b, trimmed(b, *number)))) {
        cf_broken(b, line, *number, FINDING_BAD_RULESET_NUMBER, NULL, NULL);
        return;
    }
    it = add(b, line, ITEM_RULESET);
    it->name = text;
    it->value = value;
    b->in_ruleset = true;
    next_line(b);
}

/* Where the tab belongs if nothing speaks for a place: the first blank, else the end. */
static struct cf_span any_blank(const struct cf_builder *b, struct cf_span rule)
{
    size_t i = rule.begin, end;

    while (i < rule.end && !is_blank(b->text[i]))
        i++;
    for (end = i; end < rule.end && is_blank(b->text[end]);)
        end++;
    return (struct cf_span){i, end};
}

static void mend_with_tab(struct cf_builder *b, struct finding *f, struct cf_span at)
{
    struct origin o = place(b, at);

    if (o.col && o.len == at.end - at.begin)
        diag_edit(b->diag, f, o, "\t");
}

static void rule_without_tab(struct cf_builder *b, struct cf_span line, struct cf_span rule)
{
    struct cf_span tab = any_blank(b, rule), second;
    bool plain = cf_missing_tab(b->text, rule, &tab, &second);

    if (b->diag) {
        struct finding *f = finding_add(b->diag, FINDING_RULE_NO_TAB, blamed(b, tab), NULL);

        if (plain)
            mend_with_tab(b, f, tab);
        if (plain && second.end > 0)
            mend_with_tab(b, f, second);
    }
    add(b, line, ITEM_UNKNOWN);
    next_line(b);
}

void cf_rule(struct cf_builder *b, struct cf_span line, struct cf_span left,
             const struct cf_span *right, const struct cf_span *comment)
{
    const char *right_text = right ? trimmed(b, *right) : "";
    struct cf_span seen = left;
    struct item *it;

    for (size_t i = 0; i < b->skip_count; i++)
        if (b->text[narrow(b, b->skips[i]).begin] == '#' && b->skips[i].begin < seen.end)
            seen.end = b->skips[i].begin > seen.begin ? b->skips[i].begin : seen.begin;
    seen = narrow(b, seen);
    if (!b->in_ruleset) {
        cf_broken(b, line, line, FINDING_RULE_WITHOUT_RULESET, NULL, NULL);
        return;
    }
    if (!right) {
        rule_without_tab(b, line, seen);
        return;
    }
    if (!right_text[0]) {
        cf_broken(b, line, (struct cf_span){seen.end, seen.end + 1}, FINDING_RULE_NO_RIGHT_SIDE,
                  NULL, NULL);
        return;
    }
    if (seen.begin == seen.end)
        find(b, (struct cf_span){line.begin, line.begin + 1}, FINDING_RULE_NO_LEFT_SIDE, NULL,
             NULL);
    it = add(b, line, ITEM_RULE);
    it->aux = trimmed(b, left);
    it->value = right_text;
    it->comment = comment ? raw_trimmed(b, *comment) : remarks(b);
    next_line(b);
}

/* The line whose first byte was read, with its line end; 0 where a byte of others is in it or the
 * next line continues it. */
static size_t plain_line(const struct cf_builder *b, const char *others)
{
    const char *begin = b->text + b->pos - 1, *end = b->text + b->len;
    const char *eol = memchr(begin, '\n', (size_t)(end - begin));

    if (!eol || (eol + 1 < end && is_blank(eol[1])))
        return 0;
    for (; *others; others++)
        if (memchr(begin + 1, *others, (size_t)(eol - begin - 1)))
            return 0;
    return (size_t)(eol + 1 - begin);
}

size_t cf_plain_rule(const struct cf_builder *b)
{
    return plain_line(b, "#\\\r");
}

size_t cf_plain_comment(const struct cf_builder *b)
{
    return plain_line(b, "\r");
}

static size_t line_end(const struct cf_builder *b, size_t line)
{
    return line + 1 < b->lines ? b->line_start[line + 1] : b->len;
}

/* What the line is, if that is known and it can be taken as it is. */
static const struct item *known_item(const struct cf_builder *b, size_t line, bool in_ruleset)
{
    const struct item *it = line < b->lines ? b->line_of[line].item : NULL;
    if (!it || (it->kind == ITEM_RULE && !in_ruleset) ||
        (!b->keep_comments && (it->kind == ITEM_COMMENT || it->kind == ITEM_BLANK)))
        return NULL;

    size_t end = line_end(b, line);
    return end < b->len && is_blank(b->text[end]) ? NULL : it;
}

size_t cf_known_lines(struct cf_builder *b)
{
    size_t begin = b->pos - 1, end = begin;
    bool in_ruleset = b->in_ruleset;

    if (!b->line_of)
        return 0;
    b->line = line_index(b, begin);
    if (begin != b->line_start[b->line])
        return 0;

    const struct item *it;
    for (size_t line = b->line; (it = known_item(b, line, in_ruleset)) != NULL; line++) {
        in_ruleset = in_ruleset || it->kind == ITEM_RULESET;
        end = line_end(b, line);
    }
    return end - begin;
}

void cf_known(struct cf_builder *b, struct cf_span lines)
{
    for (size_t i = line_index(b, lines.begin); i < b->lines && b->line_start[i] < lines.end; i++) {
        const struct cf_line_origin *of = &b->line_of[i];
        struct item *it = config_add(b->config, of->item->kind);

        *it = *of->item;
        it->at = of->at;
        it->cause = of->cause;
        b->in_ruleset = b->in_ruleset || it->kind == ITEM_RULESET;
    }
    next_line(b);
}

/* The run of tabs at or behind at, in the text before end; at the end: none. */
static struct cf_span tabs(const struct cf_builder *b, size_t at, size_t end)
{
    const char *tab = memchr(b->text + at, '\t', end - at);
    struct cf_span run = {end, end};

    if (tab) {
        run.begin = run.end = (size_t)(tab - b->text);
        while (run.end < end && b->text[run.end] == '\t')
            run.end++;
    }
    return run;
}

void cf_rule_line(struct cf_builder *b, struct cf_span line)
{
    size_t end = line.end - 1;
    struct cf_span first = tabs(b, line.begin + 1, end), second = tabs(b, first.end, end);
    struct cf_span left = {line.begin + 1, first.begin}, right = {first.end, second.begin};
    struct cf_span comment = {second.end, end};

    cf_rule(b, line, left, first.begin < end ? &right : NULL, second.begin < end ? &comment : NULL);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void find_lines(struct cf_builder *b)
{
    size_t n = 1;

    for (const char *s = b->text; (s = memchr(s, '\n', b->len - (size_t)(s - b->text))); s++)
        n++;
    b->line_start = arena_calloc(b->config->arena, n, sizeof *b->line_start);
    b->lines = 1;
    for (const char *s = b->text; (s = memchr(s, '\n', b->len - (size_t)(s - b->text))); s++)
        b->line_start[b->lines++] = (size_t)(s + 1 - b->text);
    /* What ends with a line end has no line after it; a finding at the end points into the last. */
    if (b->lines > 1 && b->line_start[b->lines - 1] == b->len)
        b->lines--;
}

/* Texts of the model end at a NUL, so that none can be in them: each becomes a blank. */
static void replace_nuls(struct cf_builder *b)
{
    const char *nul = b->len > 0 ? memchr(b->text, '\0', b->len) : NULL;
    char *copy;

    if (!nul)
        return;
    copy = arena_alloc(b->config->arena, b->len + 1);
    memcpy(copy, b->text, b->len);
    for (size_t i = (size_t)(nul - b->text), last = 0; i < b->len; i++) {
        size_t line;

        if (copy[i] != '\0')
            continue;
        line = line_index(b, i) + 1;
        if (line != last)
            find(b, (struct cf_span){i, i + 1}, FINDING_NUL_IN_LINE, NULL, NULL);
        last = line;
        copy[i] = ' ';
    }
    b->text = copy;
}

void cf_read(struct config *c, const char *text, size_t len, const struct source *src,
             const struct cf_line_origin *line_of, bool keep_comments, struct diag *d)
{
    struct cf_builder b = {.config = c,
                           .src = src,
                           .line_of = line_of,
                           .keep_comments = keep_comments,
                           .diag = d,
                           .text = text,
                           .len = len};

    if (len > TEXT_MAX) {
        if (d)
            finding_add(d, FINDING_TOO_LARGE, (struct origin){.file = src ? src->id : 0},
                        arena_printf(c->arena, "%d", TEXT_MAX >> 20), NULL);
        return;
    }
    /* A line end may be cut off behind its CR. */
    while (b.len > 0 && text[b.len - 1] == '\r')
        b.len--;
    find_lines(&b);
    replace_nuls(&b);
    cf_scan(&b);
}
