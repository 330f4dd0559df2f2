/*
 * check_release: a configuration for one release: what that release does not read is left out.
 */
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/check_parts.h"
#include "lib/model/options.h"
#include "lib/model/releases.h"

#define LEFT_OUT "it is left out"

struct writer {
    struct check check;
    const struct release *release;
    bool lacks_macros, lacks_options;
};

/* Says it at the part, where somebody wrote it.  The value of a variable stands for its option. */
static void say(struct writer *w, const struct item *it, struct part p,
                const struct release_item *row, const char *what, const char *hint)
{
    const struct check_context *context = w->check.context;
    struct origin at;
    if (!it->at.file || !check_place(&w->check, it, p, &at))
        return;
    if (row->kind == RELEASE_OPTION && context->variable)
        context->variable(context->ctx, it->at, &at);
    release_say(w->check.diag, w->release, at, row, what, hint);
}

static const char *called(struct writer *w, const char *what, const char *name)
{
    return arena_printf(w->check.arena, "%s %s", what, name);
}

/* --- options --------------------------------------------------------------------------------- */

/* The option's whole name, with what stands behind the dot. */
static const char *whole_name(struct writer *w, const char *name, bool letter,
                              const struct option_info **info)
{
    const char *dot = letter ? NULL : strchr(name, '.');
    *info = letter ? option_by_letter(name[0]) : option_find(name, strlen(name), NULL);
    if (!*info)
        return name;
    return dot ? arena_printf(w->check.arena, "%s%s", (*info)->name, dot) : (*info)->name;
}

/* Whether the release lacks any word of the option. */
static bool any_row(const struct writer *w, enum release_kind kind, const char *option)
{
    size_t n = strlen(option);
    const struct release_item *row;
    for (size_t i = 0; (row = release_lacking(w->release, kind, i)) != NULL; i++)
        if (strncasecmp(row->name, option, n) == 0 && row->name[n] == '=')
            return true;
    return false;
}

/* The row of a word of the option that the release lacks. */
static const struct release_item *word_row(struct writer *w, enum release_kind kind,
                                           const char *option, struct part word)
{
    const char *s = arena_printf(w->check.arena, "%s=%.*s", option, (int)word.len, word.s);
    return release_lacks(w->release, kind, s, strlen(s));
}

static void say_word(struct writer *w, const struct item *it, struct part word,
                     const struct release_item *row, const char *option)
{
    say(w, it, word, row, arena_printf(w->check.arena, "%s=%s", option, strchr(row->name, '=') + 1),
        LEFT_OUT);
}

/* A value that is a list of words, less those that the release lacks; NULL where it has all. */
static const char *list_without(struct writer *w, const struct item *it, const char *option,
                                struct part value)
{
    if (!any_row(w, RELEASE_WORD, option))
        return NULL;
    struct buf b;
    buf_init(&b, w->check.arena);
    struct part rest = value, word;
    bool less = false;
    const char *copied = value.s;
    while (part_next(&rest, ", \t\n", &word)) {
        struct part bare = word;
        if (bare.len > 0 && strchr("+-", bare.s[0]))
            bare = (struct part){bare.s + 1, bare.len - 1};
        const struct release_item *row = word_row(w, RELEASE_WORD, option, bare);
        if (word.len == 0)
            continue;
        if (row) {
            say_word(w, it, bare, row, option);
            less = true;
        } else {
            /* What stood between the words before stays between them. */
            const char *from = b.len > 0 ? copied : word.s;
            buf_add(&b, from, (size_t)(word.s + word.len - from));
        }
        copied = word.s + word.len;
    }
    return less ? b.data ? b.data : "" : NULL;
}

static const char *letters_without(struct writer *w, const struct item *it, const char *option,
                                   struct part value)
{
    if (!any_row(w, RELEASE_LETTER, option))
        return NULL;
    struct buf b;
    buf_init(&b, w->check.arena);
    bool less = false;
    for (size_t i = 0; i < value.len; i++) {
        struct part letter = {value.s + i, 1};
        const struct release_item *row = word_row(w, RELEASE_LETTER, option, letter);
        if (row) {
            say_word(w, it, letter, row, option);
            less = true;
        } else if (!strchr(", ", value.s[i]) || (b.len > 0 && !strchr(", ", b.data[b.len - 1]))) {
            buf_addc(&b, value.s[i]);
        }
    }
    while (b.len > 0 && strchr(", ", b.data[b.len - 1]))
        buf_truncate(&b, b.len - 1);
    return less ? b.data ? b.data : "" : NULL;
}

/* The one word of an option may be shortened. */
static const struct release_item *value_row(struct writer *w, const char *option, struct part value)
{
    size_t n = strlen(option);
    const struct release_item *row;
    for (size_t i = 0; (row = release_lacking(w->release, RELEASE_WORD, i)) != NULL; i++)
        if (strncasecmp(row->name, option, n) == 0 && row->name[n] == '=' &&
            part_begins(row->name + n + 1, value))
            return row;
    return NULL;
}

static void set_value(struct writer *w, struct item *it, const char *value)
{
    it->value = value;
    it->text = it->short_option ? arena_printf(w->check.arena, "O%s%s", it->name, value)
                                : arena_printf(w->check.arena, "O %s=%s", it->name, value);
}

/* False where nothing is to be written. */
static bool option_for(struct writer *w, struct item *it)
{
    const struct option_info *info;
    const char *name = whole_name(w, it->name, it->short_option, &info);
    const struct release_item *row = release_lacks(w->release, RELEASE_OPTION, name, strlen(name));
    if (row) {
        say(w, it, check_part(it, it->text + 1, it->name), row, called(w, "the option", name),
            LEFT_OUT);
        return false;
    }
    struct part value = check_value(it);
    if (!info || !it->value[0])
        return true;
    if (value.len != strlen(it->value))
        value = (struct part){it->value, strlen(it->value)};
    const char *less = letters_without(w, it, name, value);
    if (!less && info->type == OPTION_LIST) {
        less = list_without(w, it, name, value);
    } else if (!less && info->type != OPTION_EQUATES) {
        row = value_row(w, name, value);
        if (row) {
            say_word(w, it, value, row, name);
            return false;
        }
    }
    if (less && *less)
        set_value(w, it, less);
    return !less || *less;
}

/* A comment that shows an option which nobody set. */
static bool comment_for(struct writer *w, const struct item *it)
{
    if (!w->lacks_options || it->at.file || strncmp(it->text, "#O ", 3) != 0)
        return true;
    const char *name = it->text + 3;
    return !release_lacks(w->release, RELEASE_OPTION, name, strcspn(name, "="));
}

/* --- lines of Key=Value ---------------------------------------------------------------------- */

/* The letters of a key's value that the release has; NULL where it has all. */
static const char *flags_without(struct writer *w, const struct item *it, enum release_kind kind,
                                 const char *what, struct part value)
{
    struct buf b;
    buf_init(&b, w->check.arena);
    bool less = false;
    for (size_t i = 0; i < value.len; i++) {
        const struct release_item *row = release_lacks(w->release, kind, value.s + i, 1);
        if (row)
            say(w, it, (struct part){value.s + i, 1}, row, called(w, what, row->name), LEFT_OUT);
        else
            buf_addc(&b, value.s[i]);
        less = less || row;
    }
    return less ? b.data ? b.data : "" : NULL;
}

/* Writes the line anew; where only one value has changed, the rest stays as it stood. */
static void set_equates(struct writer *w, struct item *it, struct part old, const char *new)
{
    const char *end = it->text + strlen(it->text);
    const char *spliced = NULL;
    if (old.s && old.s > it->text && old.s < end)
        spliced = arena_printf(w->check.arena, "%.*s%s%s", (int)(old.s - it->text), it->text, new,
                               old.s + old.len);
    struct buf b;
    buf_init(&b, w->check.arena);
    for (const struct equate *e = it->equates; e; e = e->next)
        buf_printf(&b, "%s%s%s%s", b.len > 0 ? ", " : "", e->key, e->has_value ? "=" : "",
                   e->has_value ? e->value : "");
    const char *value = b.len > 0 ? b.data : "";
    if (it->kind == ITEM_OPTION) {
        set_value(w, it, value);
    } else {
        it->value = value;
        it->text = arena_printf(w->check.arena, "M%s, %s", it->name, value);
    }
    if (spliced)
        it->text = spliced;
}

/* False where nothing is to be written. */
static bool equates_for(struct writer *w, struct item *it)
{
    bool daemon = it->kind == ITEM_OPTION, changed = false, whole = false;
    const char *text = it->text + 1, *new = NULL;
    struct part old = {NULL, 0};
    for (struct equate **to = &it->equates; *to;) {
        struct equate *e = *to;
        struct part key = check_part(it, text, e->key);
        text = key.s > it->text ? key.s + key.len : text;
        struct part value = check_part(it, text, e->value);
        text = value.s > it->text ? value.s + value.len : text;
        if (value.s == it->text)
            value = (struct part){e->value, strlen(e->value)};
        const struct release_item *row = NULL;
        for (size_t i = 0;
             daemon && (row = release_lacking(w->release, RELEASE_DAEMON_KEY, i)) != NULL; i++)
            if (row->name[0] == e->key[0] || (row->name[0] == 'I' && e->key[0] == 'i'))
                break;
        if (row) {
            say(w, it, key, row, called(w, "the key", row->name), LEFT_OUT);
            *to = e->next;
            changed = whole = true;
            continue;
        }
        if (daemon && strchr("fF", e->key[0])) {
            row = release_lacks(w->release, RELEASE_DAEMON_FAMILY, e->value, strlen(e->value));
            if (row) {
                say(w, it, value, row, called(w, "the family", row->name),
                    "the whole line is left out");
                return false;
            }
        }
        const char *flags = NULL;
        if (daemon && strchr("mM", e->key[0]))
            flags = flags_without(w, it, RELEASE_DAEMON_FLAG, "the modifier", value);
        else if (!daemon && e->key[0] == 'F')
            flags = flags_without(w, it, RELEASE_MAILER_FLAG, "the mailer flag", value);
        if (flags) {
            whole = whole || old.s;
            old = value;
            e->value = new = flags;
            changed = true;
        }
        /* No modifiers, no key. */
        if (flags && !*flags && daemon) {
            *to = e->next;
            whole = true;
        } else {
            to = &e->next;
        }
    }
    if (changed)
        set_equates(w, it, whole ? (struct part){NULL, 0} : old, new);
    return true;
}

/* --- maps ------------------------------------------------------------------------------------ */

/* Takes the next word of a map's definition: blanks part them, outside of quotes. */
static struct part next_word(const char **rest)
{
    const char *p = *rest + strspn(*rest, " \t\n"), *from = p;
    bool quoted = false;
    for (; *p && (quoted || !strchr(" \t\n", *p)); p++)
        quoted = quoted != (*p == '"');
    *rest = p;
    return (struct part){from, (size_t)(p - from)};
}

static const struct release_item *map_flag_row(struct writer *w, const char *class, char flag)
{
    if (!release_lacking(w->release, RELEASE_MAP_FLAG, 0))
        return NULL;
    const char *name = arena_printf(w->check.arena, "%s %c", class, flag);
    return release_lacks(w->release, RELEASE_MAP_FLAG, name, strlen(name));
}

static bool map_for(struct writer *w, struct item *it)
{
    const struct release_item *row =
        release_lacks(w->release, RELEASE_MAP_CLASS, it->aux, strlen(it->aux));
    const char *name = strstr(it->text, it->name);
    const char *from = name ? name + strlen(it->name) : it->text;
    if (row) {
        say(w, it, check_part(it, from, it->aux), row, called(w, "the map class", row->name),
            "the map is left out, and lookups in it find nothing");
        return false;
    }
    struct buf b;
    buf_init(&b, w->check.arena);
    const char *rest = strstr(from, it->value) ? strstr(from, it->value) : it->value;
    bool less = false;
    for (struct part word = next_word(&rest); word.len > 0; word = next_word(&rest)) {
        row = NULL;
        if (word.len > 1 && word.s[0] == '-') {
            row = map_flag_row(w, it->aux, word.s[1]);
        }
        if (!row) {
            buf_printf(&b, "%s%.*s", b.len > 0 ? " " : "", (int)word.len, word.s);
            continue;
        }
        say(w, it, word, row,
            arena_printf(w->check.arena, "-%c of maps of the class %s", word.s[1], it->aux),
            LEFT_OUT);
        less = true;
        /* Its argument may stand apart; -K has none. */
        const char *before = rest;
        struct part next = word.len == 2 && word.s[1] != 'K' ? next_word(&rest) : word;
        if (word.len == 2 && word.s[1] != 'K' && next.len > 0 && next.s[0] == '-')
            rest = before;
    }
    if (less) {
        it->value = b.data ? b.data : "";
        it->text = arena_printf(w->check.arena, "K%s %s%s%s", it->name, it->aux,
                                it->value[0] ? " " : "", it->value);
    }
    return true;
}

/* --- rules ----------------------------------------------------------------------------------- */

static void ruleset_for(struct writer *w, const struct item *it)
{
    const struct release_item *row =
        release_lacks(w->release, RELEASE_RULESET, it->name, strlen(it->name));
    if (row && !check_is_ours(&w->check, it))
        say(w, it, check_part(it, it->text + 1, it->name), row, called(w, "the ruleset", row->name),
            "sendmail never calls it there");
}

/* $#error $@ CODE: where it stands in the rule; len 0 if it does not. */
static struct part error_code(const struct item *it, const char *code)
{
    const char *p = strstr(it->text, "$#");
    if (!p)
        return (struct part){NULL, 0};
    p += 2 + strspn(p + 2, " ");
    if (strncasecmp(p, "error", 5) != 0)
        return (struct part){NULL, 0};
    p += 5 + strspn(p + 5, " ");
    if (strncmp(p, "$@", 2) != 0)
        return (struct part){NULL, 0};
    p += 2 + strspn(p + 2, " ");
    return (struct part){p, strncasecmp(p, code, strlen(code)) == 0 ? strlen(code) : 0};
}

/* A rule of ours goes; what somebody else wrote stays. */
static bool rule_for(struct writer *w, const struct item *it)
{
    const struct release_item *row;
    for (size_t i = 0; (row = release_lacking(w->release, RELEASE_ERROR_CODE, i)) != NULL; i++) {
        struct part code = error_code(it, row->name);
        if (code.len == 0)
            continue;
        if (check_is_ours(&w->check, it))
            return false;
        say(w, it, code, row, called(w, "the error code", row->name),
            "sendmail refuses the mail there");
    }
    return true;
}

/* Macros that the release never sets. */
static void macros_for(struct writer *w, const struct item *it)
{
    if (!w->lacks_macros || check_is_ours(&w->check, it))
        return;
    for (const char *p = strchr(it->text, '{'); p; p = strchr(p + 1, '{')) {
        size_t n = strcspn(p + 1, "}");
        const struct release_item *row = release_lacks(w->release, RELEASE_MACRO, p + 1, n);
        /* A definition makes it somebody's own. */
        if (row && p[1 + n] == '}' && it->kind != ITEM_MACRO)
            say(w, it, (struct part){p + 1, n}, row,
                arena_printf(w->check.arena, "the macro ${%s}", row->name),
                "sendmail never sets it there");
    }
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool item_for(struct writer *w, struct item *it)
{
    switch (it->kind) {
    case ITEM_OPTION:
        macros_for(w, it);
        return option_for(w, it) && (!it->equates || equates_for(w, it));
    case ITEM_COMMENT:
        return comment_for(w, it);
    case ITEM_MAILER:
        return equates_for(w, it);
    case ITEM_MAP:
        return map_for(w, it);
    case ITEM_RULESET:
        ruleset_for(w, it);
        return true;
    case ITEM_RULE:
        macros_for(w, it);
        return rule_for(w, it);
    case ITEM_HEADER:
        macros_for(w, it);
        return true;
    default:
        return true;
    }
}

void config_for_release(struct config *c, const struct check_context *context,
                        const struct release *r, struct diag *d)
{
    static const struct check_context none = {NULL, NULL, false, NULL};
    struct writer w = {
        .check = {.config = c, .diag = d, .arena = c->arena, .context = context ? context : &none},
        .release = r,
        .lacks_macros = release_lacking(r, RELEASE_MACRO, 0),
        .lacks_options = release_lacking(r, RELEASE_OPTION, 0)};
    if (!r->number)
        return;
    struct item **to = &c->first;
    c->last = NULL;
    c->count = 0;
    while (*to) {
        struct item *it = *to;
        if (!item_for(&w, it)) {
            *to = it->next;
            continue;
        }
        c->last = it;
        c->count++;
        to = &it->next;
    }
}
