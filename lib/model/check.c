#include "lib/model/check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"
#include "lib/model/check_parts.h"

/* --- parts --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct part check_part(const struct item *it, const char *from, const char *text)
{
    const char *found = *text ? strstr(from, text) : NULL;
    if (!found)
        return (struct part){it->text, strlen(it->text)};
    return (struct part){found, strlen(text)};
}

struct part check_value(const struct item *it)
{
    const char *from = it->text + (it->kind == ITEM_OPTION && it->short_option ? 2 : 1);
    if (it->kind == ITEM_OPTION && !it->short_option) {
        const char *equals = strchr(it->text, '=');
        from = equals ? equals + 1 : it->text;
    }
    /* It ends the line; what reads the same may stand before it. */
    const char *value = it->value ? it->value : "";
    size_t len = strlen(it->text), n = strlen(value);
    if (n > 0 && len >= n && it->text + len - n >= from && strcmp(it->text + len - n, value) == 0)
        from = it->text + len - n;
    return check_part(it, from, value);
}

const char *check_text(struct check *k, struct part p)
{
    return arena_strndup(k->arena, p.s, p.len);
}

bool part_is(struct part p, const char *text)
{
    return strlen(text) == p.len && strncasecmp(p.s, text, p.len) == 0;
}

bool part_begins(const char *text, struct part p)
{
    return p.len > 0 && strncasecmp(text, p.s, p.len) == 0;
}

struct part part_trim(struct part p)
{
    while (p.len > 0 && is_blank(p.s[0])) {
        p.s++;
        p.len--;
    }
    while (p.len > 0 && is_blank(p.s[p.len - 1]))
        p.len--;
    return p;
}

bool part_next(struct part *rest, const char *separators, struct part *piece)
{
    while (rest->len > 0 && strchr(separators, rest->s[0])) {
        rest->s++;
        rest->len--;
    }
    *piece = (struct part){rest->s, 0};
    while (rest->len > 0 && !strchr(separators, rest->s[0])) {
        rest->s++;
        rest->len--;
        piece->len++;
    }
    *piece = part_trim(*piece);
    return piece->len > 0 || rest->len > 0;
}

/* --- places -------------------------------------------------------------------------------- */

bool check_is_ours(const struct check *k, const struct item *it)
{
    const struct source *s = source_by_id(k->config->sources, it->at.file);
    return s && !s->bytes;
}

/* Do the bytes at that place read so? */
static bool reads(const struct check *k, struct origin at, struct part p)
{
    const struct source *s = source_by_id(k->config->sources, at.file);
    if (!s || !s->bytes || at.line == 0 || at.col == 0 || at.len != p.len)
        return false;
    size_t off = source_offset(s, at.line, at.col);
    return p.len <= s->len - off && memcmp(s->bytes + off, p.s, p.len) == 0;
}

/* Where the part stands in what caused the line: by the longest text around it that stands there
 * once. */
static struct origin place_in(const struct check *k, struct origin at, const char *text,
                              struct part p)
{
    const struct source *s = source_by_id(k->config->sources, at.file);
    size_t len = strlen(text);
    if (p.s < text || p.s > text + len)
        return source_place_in(s, at, p.s, p.len, 0, p.len);
    size_t off = (size_t)(p.s - text);
    /* A continuation line stands as many lines below. */
    const char *line = text;
    uint32_t below = 0;
    for (const char *nl; (nl = memchr(line, '\n', (size_t)(p.s - line))) != NULL; line = nl + 1)
        below++;
    if (below > 0) {
        const char *end = strchr(line, '\n');
        size_t line_len = end ? (size_t)(end - line) : strlen(line);
        struct origin there = {at.file, at.line + below, 1, 0};
        struct origin o = source_place_in(s, there, line, line_len, (size_t)(p.s - line), p.len);
        if (reads(k, o, p))
            return o;
    }
    struct origin o = source_place_in(s, at, text, len, off, p.len);
    if (reads(k, o, p))
        return o;
    /* The name that a call gives first. */
    if (off == 1 && at.len > p.len && s && s->bytes && at.line) {
        size_t from = source_offset(s, at.line, at.col);
        const char *call = memchr(s->bytes + from, '(', s->len - from);
        size_t name = call ? (size_t)(call + 1 - s->bytes) : s->len;
        name += name < s->len && s->bytes[name] == '`';
        struct origin first = source_origin(s, name, p.len);
        if (name + p.len < s->len && reads(k, first, p) && strchr("',)", s->bytes[name + p.len]))
            return first;
    }
    /* The value alone, then what follows each separator before the part. */
    for (size_t i = 0; i < off; i++) {
        if (i > 0 && !strchr("=, ", text[i - 1]))
            continue;
        struct part tail = {text + i, len - i};
        struct origin t = source_place_in(s, at, text, len, i, tail.len);
        if (!reads(k, t, tail))
            continue;
        return source_origin(s, source_offset(s, t.line, t.col) + (off - i), p.len);
    }
    return o;
}

bool check_place(struct check *k, const struct item *it, struct part p, struct origin *at)
{
    if (!check_is_ours(k, it)) {
        *at = place_in(k, it->at, it->text, p);
        return true;
    }
    if (it->cause.file) {
        *at = place_in(k, it->cause, it->text, p);
        if (reads(k, *at, p))
            return true;
    }
    return k->context->find && k->context->find(k->context->ctx, p.s, p.len, at);
}

struct finding *check_say(struct check *k, const struct item *it, struct part p, enum finding_id id,
                          const char *a, const char *b, const char *c)
{
    struct origin at;
    if (!check_place(k, it, p, &at))
        return NULL;
    return finding_add(k->diag, id, at, a ? a : "", b, c, NULL);
}

void check_mend(struct check *k, struct finding *f, struct part p, const char *text)
{
    if (f && reads(k, f->at, p))
        diag_edit(k->diag, f, f->at, text);
}

bool check_near(struct check *k, struct finding *f, struct part p, const char *const *names,
                size_t n)
{
    bool sure;
    const char *word = check_text(k, p), *near = f ? diag_nearest(word, names, n, &sure) : NULL;
    /* The name itself is declared where it does not count. */
    if (!near || strcmp(near, word) == 0)
        return false;
    diag_hint(k->diag, f, "did you mean %s?", near);
    if (sure)
        check_mend(k, f, p, near);
    return true;
}

bool check_suggest(struct check *k, struct finding *f, struct part p, const char *words)
{
    const char *names[128];
    size_t n = 0;
    struct part rest = {words, strlen(words)}, word;
    while (n < sizeof names / sizeof names[0] && part_next(&rest, " ", &word))
        if (word.len > 0)
            names[n++] = check_text(k, word);
    return check_near(k, f, p, names, n);
}

void check_undefined(struct check *k, const struct item *it, struct part p, enum finding_id id,
                     const char *second, const struct table *names)
{
    if (k->context->partial)
        return;
    struct finding *f = check_say(k, it, p, id, check_text(k, p), second, NULL);
    size_t n = table_count(names);
    const char **list = arena_calloc(k->arena, n + 1, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = ((const struct declared *)table_at(names, i)->value)->it->name;
    check_near(k, f, p, list, n);
}

/* --- the whole ----------------------------------------------------------------------------- */

static void first(struct check *k, struct table *t, const char *name, const struct item *it)
{
    if (table_has(t, name))
        return;
    struct declared *d = arena_alloc(k->arena, sizeof *d);
    d->it = it;
    table_set(t, name, d);
}

static const char *small(struct arena *a, const char *name)
{
    char *s = arena_strdup(a, name);
    for (char *p = s; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return s;
}

/* What is declared twice, at the second one.  Of two lines of the library somebody else speaks. */
static void say_twice(struct check *k, const struct item *it, const struct item *before,
                      enum finding_id id, enum finding_id of_ours)
{
    if (check_is_ours(k, it))
        return;
    /* The second one of the file need not be that of the .cf. */
    bool same_file = before->at.file == it->at.file;
    if (same_file && before->at.line > it->at.line) {
        const struct item *second = before;
        before = it;
        it = second;
    }
    struct part name = check_part(it, it->text + 1, it->name);
    if (same_file)
        check_say(k, it, name, id, it->name, arena_printf(k->arena, "%u", before->at.line), NULL);
    else
        check_say(k, it, name, of_ours, it->name, NULL, NULL);
}

static void declare_map(struct check *k, const struct item *it)
{
    const char *name = small(k->arena, it->name);
    const struct declared *known = table_get(k->maps, name);
    if (known)
        say_twice(k, it, known->it, FINDING_DUPLICATE_MAP, FINDING_DUPLICATE_OWN_MAP);
    first(k, k->maps, name, it);
}

static void declare_filter(struct check *k, const struct item *it)
{
    const struct declared *known = table_get(k->filters, it->name);
    if (known)
        say_twice(k, it, known->it, FINDING_DUPLICATE_FILTER, FINDING_DUPLICATE_FILTER);
    first(k, k->filters, it->name, it);
}

/* One that was begun before may be gone on with only if it has no rules yet. */
static void declare_again(struct check *k, const struct item *it)
{
    const struct declared *known = table_get(k->rulesets, it->name);
    if (known && known->rules > 0)
        say_twice(k, it, known->it, FINDING_DUPLICATE_RULESET, FINDING_DUPLICATE_OWN_RULESET);
}

/* The numbers below these are the library's own affair. */
enum { NUMBERS_FOR_ALL = 89 };

static struct declared *declare_ruleset(struct check *k, const struct item *it)
{
    declare_again(k, it);
    first(k, k->rulesets, it->name, it);
    if (it->value && (!check_is_ours(k, it) || strtol(it->value, NULL, 10) >= NUMBERS_FOR_ALL))
        first(k, k->rulesets, it->value, it);
    return table_get(k->rulesets, it->name);
}

static void declare(struct check *k)
{
    struct declared *ruleset = NULL;
    for (const struct item *it = k->config->first; it; it = it->next) {
        if (it->kind == ITEM_RULE && ruleset)
            ruleset->rules++;
        else if (it->kind == ITEM_MAP)
            declare_map(k, it);
        else if (it->kind == ITEM_RULESET)
            ruleset = declare_ruleset(k, it);
        else if (it->kind == ITEM_CLASS || it->kind == ITEM_CLASSFILE)
            first(k, k->classes, it->name, it);
        else if (it->kind == ITEM_MAILER)
            first(k, k->mailers, it->name, it);
        else if (it->kind == ITEM_FILTER)
            declare_filter(k, it);
    }
}

void config_check(const struct config *c, const struct check_context *context, struct diag *d)
{
    static const struct check_context none = {NULL, NULL, false, NULL};
    struct arena *a = c->arena;
    struct check k = {.config = c,
                      .diag = d,
                      .arena = a,
                      .context = context ? context : &none,
                      .maps = table_new(a),
                      .rulesets = table_new(a),
                      .mailers = table_new(a),
                      .filters = table_new(a),
                      .queues = table_new(a),
                      .classes = table_new(a)};
    declare(&k);
    for (const struct item *it = c->first; it; it = it->next) {
        if (it->kind == ITEM_OPTION)
            check_option(&k, it);
        if (it->equates || it->kind == ITEM_MAILER || it->kind == ITEM_FILTER)
            check_equates(&k, it);
        /* A mailer's queue group must stand above it. */
        if (it->kind == ITEM_QUEUE) {
            check_queue(&k, it);
            first(&k, k.queues, it->name, it);
        }
        if (it->kind == ITEM_MAP)
            check_map(&k, it);
        if (it->kind == ITEM_HEADER)
            check_header(&k, it);
        if (it->kind == ITEM_CLASS && !check_is_ours(&k, it))
            check_class_words(&k, it);
        if (it->kind == ITEM_MACRO)
            check_macro(&k, it);
        if (it->kind == ITEM_MACRO || it->kind == ITEM_HEADER || it->kind == ITEM_CLASS)
            check_value_names(&k, it);
        if (it->kind == ITEM_RULESET)
            check_ruleset(&k, it);
        if (it->kind == ITEM_RULE && !check_is_ours(&k, it))
            check_rule(&k, it);
    }
    if (!k.context->partial)
        check_whole(&k);
}
