#include "lib/model/compare.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"

/*
 * Each configuration becomes, per section, a table of groups by name; a group is the values given
 * to that name in file order.  How two groups are compared depends on the section.
 */
struct entry {
    const char *value;
    struct origin at;
    const struct item *item;
};

struct group {
    struct entry *entries;
    size_t count, room;
};

struct facts {
    struct arena *arena;
    struct table *sections[ITEM_KINDS]; /* name -> struct group */
};

struct comparison {
    struct arena *arena;
    struct difference **found;
    size_t count, room;
};

/* --- text --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Runs of blanks become one, none at the ends. */
static const char *fold(struct arena *a, const char *s)
{
    struct buf out;

    buf_init(&out, a);
    while (*s) {
        const char *begin = s;

        while (is_blank(*s))
            s++;
        if (s > begin && out.len > 0 && *s)
            buf_addc(&out, ' ');
        for (; *s && !is_blank(*s); s++)
            buf_addc(&out, *s);
    }
    return out.data;
}

/* What a line's text goes on with after a line of blanks only, NULL if it does not.  To sendmail it
 * is one line; to the eye, and to other readers of such files, it is two. */
static const char *hidden_part(const char *text)
{
    const char *s = text;

    while ((s = strchr(s, '\n'))) {
        s++;
        s += strspn(s, " \t");
        if (*s == '\n' && s[strspn(s, " \t\n\v\f\r")])
            return s;
    }
    return NULL;
}

static const char *trim(struct arena *a, const char *s, size_t len)
{
    while (len > 0 && is_blank(*s)) {
        s++;
        len--;
    }
    while (len > 0 && is_blank(s[len - 1]))
        len--;
    return arena_strndup(a, s, len);
}

static const char *trim_right(struct arena *a, const char *s)
{
    size_t len = strlen(s);

    while (len > 0 && is_blank(s[len - 1]))
        len--;
    return arena_strndup(a, s, len);
}

/* --- gathering ---------------------------------------------------------------------------- */

static struct group *group_of(struct facts *f, enum item_kind section, const char *name)
{
    struct group *g = table_get(f->sections[section], name);

    if (!g) {
        g = arena_alloc(f->arena, sizeof *g);
        table_set(f->sections[section], name, g);
    }
    return g;
}

static void gather(struct facts *f, enum item_kind section, const char *name, const char *value,
                   const struct item *item)
{
    struct group *g = group_of(f, section, name);

    g->entries = arena_grow(f->arena, g->entries, g->count, &g->room, sizeof *g->entries, 4);
    g->entries[g->count++] = (struct entry){value, item->at, item};
}

static void gather_words(struct facts *f, enum item_kind section, const char *name, const char *s,
                         const struct item *item)
{
    while (*s) {
        const char *begin;

        while (is_blank(*s))
            s++;
        begin = s;
        while (*s && !is_blank(*s))
            s++;
        if (s > begin)
            gather(f, section, name, arena_strndup(f->arena, begin, (size_t)(s - begin)), item);
    }
}

/* Of a D, C or F line: what follows the name. */
static const char *after_name(const struct item *it)
{
    const char *brace = it->text[1] == '{' ? strchr(it->text, '}') : NULL;

    return brace ? brace + 1 : it->text[1] ? it->text + 2 : "";
}

/* Splits what follows the line's first byte at a delimiter; false where there is none. */
static bool split(struct arena *a, const struct item *it, char delimiter, const char **left,
                  const char **right)
{
    const char *body = it->text + 1, *at = strchr(body, delimiter);

    *left = at ? arena_strndup(a, body, (size_t)(at - body)) : body;
    *right = at ? at + 1 : "";
    return at != NULL;
}

static void gather_item(struct facts *f, const struct item *it)
{
    struct arena *a = f->arena;
    const char *left = hidden_part(it->text), *right;

    if (left && it->kind != ITEM_COMMENT && it->kind != ITEM_UNKNOWN)
        gather(f, ITEM_UNKNOWN, "", left, it);
    switch (it->kind) {
    case ITEM_VERSION:
        gather(f, it->kind, "", trim(a, it->text + 1, strlen(it->text + 1)), it);
        break;
    case ITEM_MACRO:
        gather(f, it->kind, it->name, trim_right(a, after_name(it)), it);
        break;
    case ITEM_CLASS:
        gather_words(f, it->kind, it->name, after_name(it), it);
        break;
    case ITEM_CLASSFILE:
        gather(f, it->kind, it->name, trim(a, after_name(it), strlen(after_name(it))), it);
        break;
    case ITEM_MAP:
        left = strstr(it->text + 1, it->name);
        gather(f, it->kind, it->name, fold(a, left ? left + strlen(it->name) : it->text + 1), it);
        break;
    case ITEM_MAILER:
    case ITEM_FILTER:
    case ITEM_QUEUE:
        /* Without a comma the equates are in left. */
        split(a, it, ',', &left, &right);
        gather(f, it->kind, trim(a, left, strlen(left)), fold(a, right), it);
        break;
    case ITEM_HEADER:
        gather(f, it->kind, it->name, fold(a, it->text + 1), it);
        break;
    case ITEM_OPTION:
        split(a, it, '=', &left, &right);
        gather(f, it->kind, trim(a, left, strlen(left)), fold(a, right), it);
        break;
    case ITEM_PRIORITY:
        split(a, it, '=', &left, &right);
        gather(f, it->kind, left, trim(a, right, strlen(right)), it);
        break;
    case ITEM_ENV:
        if (split(a, it, '=', &left, &right))
            gather(f, it->kind, left, trim(a, right, strlen(right)), it);
        else
            gather(f, it->kind, left, "(inherited)", it);
        break;
    case ITEM_TRUSTED:
        gather_words(f, it->kind, "", it->text + 1, it);
        break;
    case ITEM_LOAD:
    case ITEM_UNKNOWN:
        if (fold(a, it->text)[0])
            gather(f, ITEM_UNKNOWN, "", it->text, it);
        break;
    case ITEM_COMMENT:
    case ITEM_BLANK:
        left = strchr(it->text, '\n');
        if (left && fold(a, left)[0])
            gather(f, ITEM_UNKNOWN, "", left, it);
        break;
    case ITEM_RULESET:
    case ITEM_RULE:
    case ITEM_KINDS:
        break;
    }
}

/* Rules, by ruleset; a ruleset is known by its name where a line gives its number one. */
static void gather_rules(struct facts *f, const struct config *c)
{
    struct table *names = table_new(f->arena);
    const char *ruleset = NULL;

    for (const struct item *it = c->first; it; it = it->next)
        if (it->kind == ITEM_RULESET && it->value)
            table_set(names, it->value, arena_strdup(f->arena, it->name));
    for (const struct item *it = c->first; it; it = it->next) {
        if (it->kind == ITEM_RULESET) {
            ruleset = table_get(names, it->name);
            if (!ruleset)
                ruleset = it->name;
            group_of(f, ITEM_RULE, ruleset);
            if (it->value || !table_has(f->sections[ITEM_RULESET], ruleset))
                gather(f, ITEM_RULESET, ruleset, it->value ? it->value : "", it);
        } else if (it->kind == ITEM_RULE && ruleset) {
            gather(f, ITEM_RULE, ruleset,
                   arena_printf(f->arena, "R%s\t%s", fold(f->arena, it->aux),
                                fold(f->arena, it->value)),
                   it);
        }
    }
}

static void gather_all(struct facts *f, struct arena *arena, const struct config *c)
{
    f->arena = arena;
    for (size_t i = 0; i < ITEM_KINDS; i++)
        f->sections[i] = table_new(arena);
    for (const struct item *it = c->first; it; it = it->next)
        gather_item(f, it);
    gather_rules(f, c);
}

/* --- differences -------------------------------------------------------------------------- */

static void differ(struct comparison *c, enum item_kind section, const char *name,
                   const struct entry *a, const struct entry *b)
{
    struct difference *d = arena_alloc(c->arena, sizeof *d);

    d->kind = !a ? DIFFERENCE_ADDED : !b ? DIFFERENCE_REMOVED : DIFFERENCE_CHANGED;
    d->section = section;
    d->name = name;
    if (a) {
        d->old_value = a->value;
        d->old_at = a->at;
    }
    if (b) {
        d->new_value = b->value;
        d->new_at = b->at;
    }
    c->found = arena_grow(c->arena, c->found, c->count, &c->room, sizeof *c->found, 64);
    c->found[c->count++] = d;
}

static bool same(const struct entry *a, const struct entry *b)
{
    return strcmp(a->value, b->value) == 0;
}

static void compare_last(struct comparison *c, enum item_kind section, const char *name,
                         const struct group *a, const struct group *b)
{
    const struct entry *x = a->count ? &a->entries[a->count - 1] : NULL;
    const struct entry *y = b->count ? &b->entries[b->count - 1] : NULL;

    if (x && y ? !same(x, y) : x || y)
        differ(c, section, name, x, y);
}

/* What stands between two lines that both sides have: pairs are changes. */
static void differ_gap(struct comparison *c, enum item_kind section, const char *name,
                       const struct entry *a, size_t n, const struct entry *b, size_t m)
{
    for (size_t i = 0; i < n || i < m; i++)
        differ(c, section, name, i < n ? &a[i] : NULL, i < m ? &b[i] : NULL);
}

/* The most that the table of common lengths may hold; beyond, all between the common ends differs.
 */
enum { CELLS_MAX = 4 << 20 };

static void compare_ordered(struct comparison *c, enum item_kind section, const char *name,
                            const struct group *ga, const struct group *gb)
{
    const struct entry *a = ga->entries, *b = gb->entries;
    size_t n = ga->count, m = gb->count, i = 0, j = 0, gap_i = 0, gap_j = 0, width;
    uint32_t *common; /* common[i * width + j]: lines in common of a[i..n) and b[j..m) */

    while (n > 0 && m > 0 && same(a, b)) {
        a++, b++;
        n--, m--;
    }
    while (n > 0 && m > 0 && same(&a[n - 1], &b[m - 1]))
        n--, m--;
    if (n == 0 || m == 0 || n > CELLS_MAX / (m + 1)) {
        differ_gap(c, section, name, a, n, b, m);
        return;
    }
    width = m + 1;
    common = arena_calloc(c->arena, (n + 1) * width, sizeof *common);
    for (i = n; i-- > 0;)
        for (j = m; j-- > 0;) {
            uint32_t down = common[(i + 1) * width + j], right = common[i * width + j + 1];

            common[i * width + j] = same(&a[i], &b[j]) ? common[(i + 1) * width + j + 1] + 1
                                    : down > right     ? down
                                                       : right;
        }
    i = j = 0;
    while (i < n && j < m) {
        if (same(&a[i], &b[j])) {
            differ_gap(c, section, name, a + gap_i, i - gap_i, b + gap_j, j - gap_j);
            gap_i = ++i;
            gap_j = ++j;
        } else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) {
            i++;
        } else {
            j++;
        }
    }
    differ_gap(c, section, name, a + gap_i, n - gap_i, b + gap_j, m - gap_j);
}

static int by_value(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;

    return strcmp(a->value, b->value);
}

/* Sorted; as a set, one of each value. */
static struct group sorted(struct arena *arena, const struct group *g, bool as_set)
{
    struct group s = {0};

    if (g->count == 0)
        return s;
    s.entries = arena_calloc(arena, g->count, sizeof *s.entries);
    memcpy(s.entries, g->entries, g->count * sizeof *s.entries);
    qsort(s.entries, g->count, sizeof *s.entries, by_value);
    for (size_t i = 0; i < g->count; i++)
        if (!as_set || s.count == 0 || !same(&s.entries[s.count - 1], &s.entries[i]))
            s.entries[s.count++] = s.entries[i];
    return s;
}

/* What only one side has, in order of value. */
static struct group only_in(struct arena *arena, const struct group *a, const struct group *b)
{
    struct group only = {.entries = arena_calloc(arena, a->count, sizeof *only.entries)};

    for (size_t i = 0, j = 0; i < a->count; i++) {
        while (j < b->count && by_value(&b->entries[j], &a->entries[i]) < 0)
            j++;
        if (j < b->count && same(&b->entries[j], &a->entries[i]))
            j++;
        else
            only.entries[only.count++] = a->entries[i];
    }
    return only;
}

static void compare_set(struct comparison *c, enum item_kind section, const char *name,
                        const struct group *ga, const struct group *gb, bool as_set)
{
    struct group a = sorted(c->arena, ga, as_set), b = sorted(c->arena, gb, as_set);
    struct group x = only_in(c->arena, &a, &b), y = only_in(c->arena, &b, &a);

    differ_gap(c, section, name, x.entries, x.count, y.entries, y.count);
}

/* All words that one side has and the other has not, as one value. */
static void compare_words(struct comparison *c, enum item_kind section, const char *name,
                          const struct group *ga, const struct group *gb)
{
    struct group sides[2] = {sorted(c->arena, ga, true), sorted(c->arena, gb, true)};

    for (int side = 0; side < 2; side++) {
        struct group only = only_in(c->arena, &sides[side], &sides[1 - side]);
        struct entry all;
        struct buf words;

        if (only.count == 0)
            continue;
        buf_init(&words, c->arena);
        for (size_t i = 0; i < only.count; i++) {
            if (i > 0)
                buf_addc(&words, ' ');
            buf_adds(&words, only.entries[i].value);
        }
        all = (struct entry){words.data, only.entries[0].at, NULL};
        differ(c, section, name, side == 0 ? &all : NULL, side == 1 ? &all : NULL);
    }
}

/* --- mailers ------------------------------------------------------------------------------ */

/* A letter, blanks and a word: what everybody takes for the key of its first letter. */
static bool plain_key(const char *s)
{
    if (*s)
        s++;
    while (is_blank(*s))
        s++;
    while (isalnum((unsigned char)*s) || *s == '_')
        s++;
    return *s == '\0';
}

/* The value of the last equate whose key starts with letter, NULL if there is none: folded, flags
 * sorted.  The argument vector is last on the line by custom; all that follows it counts. */
static const char *equate_value(struct arena *a, const struct item *it, char letter)
{
    const char *value = NULL, *tail = NULL;
    bool seen[256] = {false};
    struct buf flags;

    for (const struct equate *e = it->equates; e; e = e->next) {
        if (e->key[0] == letter && plain_key(e->key))
            value = e->has_value ? e->value : "(no value)";
        else if (e->key[0] == letter)
            value = arena_printf(a, "%s=%s", e->key, e->value);
    }
    for (const char *s = it->text; letter == 'A' && (s = strstr(s, "A=")); s++)
        tail = s + 2;
    if (tail)
        value = tail;
    if (!value || letter != 'F')
        return value ? fold(a, value) : NULL;
    for (; *value; value++)
        seen[(unsigned char)*value] = true;
    buf_init(&flags, a);
    for (int ch = 1; ch < 256; ch++)
        if (seen[ch])
            buf_addc(&flags, (char)ch);
    return flags.data;
}

static void compare_mailer(struct comparison *c, const char *name, const struct group *a,
                           const struct group *b)
{
    const struct entry *x = a->count ? &a->entries[a->count - 1] : NULL;
    const struct entry *y = b->count ? &b->entries[b->count - 1] : NULL;
    bool done[256] = {false};

    if (!x || !y) {
        if (x || y)
            differ(c, ITEM_MAILER, name, x, y);
        return;
    }
    for (int side = 0; side < 2; side++)
        for (const struct equate *e = (side == 0 ? x : y)->item->equates; e; e = e->next) {
            char letter = e->key[0];
            struct entry old = {equate_value(c->arena, x->item, letter), x->at, NULL};
            struct entry new = {equate_value(c->arena, y->item, letter), y->at, NULL};

            if (done[(unsigned char)letter])
                continue;
            done[(unsigned char)letter] = true;
            if (old.value && new.value ? !same(&old, &new) : old.value != new.value)
                differ(c, ITEM_MAILER, arena_printf(c->arena, "%s %c", name, letter),
                       old.value ? &old : NULL, new.value ? &new : NULL);
        }
    /* Remarks may stand in any equate: then the whole counts. */
    if ((x->item->comment || y->item->comment) && !same(x, y))
        differ(c, ITEM_MAILER, name, x, y);
}

/* --- rulesets ----------------------------------------------------------------------------- */

static void compare_ruleset(struct comparison *c, const char *name, const struct facts *fa,
                            const struct facts *fb)
{
    static const struct group none;
    const struct group *sa = table_get(fa->sections[ITEM_RULESET], name);
    const struct group *sb = table_get(fb->sections[ITEM_RULESET], name);
    const struct group *ra = table_get(fa->sections[ITEM_RULE], name);
    const struct group *rb = table_get(fb->sections[ITEM_RULE], name);

    if (sa && sb) {
        struct entry x = sa->entries[sa->count - 1], y = sb->entries[sb->count - 1];

        if (!same(&x, &y)) {
            x.value = x.value[0] ? arena_printf(c->arena, "number %s", x.value) : "no number";
            y.value = y.value[0] ? arena_printf(c->arena, "number %s", y.value) : "no number";
            differ(c, ITEM_RULESET, name, &x, &y);
        }
        compare_ordered(c, ITEM_RULESET, name, ra ? ra : &none, rb ? rb : &none);
        return;
    }
    const struct group *rules = sa ? ra : rb;
    size_t count = rules ? rules->count : 0;
    struct entry e = (sa ? sa : sb)->entries[0];

    e.value = arena_printf(c->arena, "%zu rule%s", count, count == 1 ? "" : "s");
    differ(c, ITEM_RULESET, name, sa ? &e : NULL, sa ? NULL : &e);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void compare_group(struct comparison *c, enum item_kind section, const char *name,
                          const struct facts *fa, const struct facts *fb)
{
    static const struct group none;
    const struct group *a = table_get(fa->sections[section], name);
    const struct group *b = table_get(fb->sections[section], name);

    a = a ? a : &none;
    b = b ? b : &none;
    switch (section) {
    case ITEM_VERSION:
    case ITEM_MACRO:
    case ITEM_MAP:
    case ITEM_FILTER:
    case ITEM_QUEUE:
    case ITEM_PRIORITY:
    case ITEM_ENV:
        compare_last(c, section, name, a, b);
        break;
    case ITEM_OPTION:
    case ITEM_UNKNOWN:
        compare_ordered(c, section, name, a, b);
        break;
    case ITEM_CLASS:
    case ITEM_TRUSTED:
        compare_words(c, section, name, a, b);
        break;
    case ITEM_CLASSFILE:
    case ITEM_HEADER:
        compare_set(c, section, name, a, b, section == ITEM_CLASSFILE);
        break;
    case ITEM_MAILER:
        compare_mailer(c, name, a, b);
        break;
    case ITEM_RULESET:
        compare_ruleset(c, name, fa, fb);
        break;
    case ITEM_RULE: /* with their rulesets */
    case ITEM_LOAD:
    case ITEM_COMMENT:
    case ITEM_BLANK:
    case ITEM_KINDS:
        break;
    }
}

/* The names of a section in both, in order. */
static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void compare_section(struct comparison *c, enum item_kind section, const struct facts *fa,
                            const struct facts *fb)
{
    const struct table *ta = fa->sections[section], *tb = fb->sections[section];
    size_t n = 0;
    const char **names =
        arena_calloc(c->arena, table_count(ta) + table_count(tb) + 1, sizeof *names);

    for (size_t i = 0; i < table_count(ta); i++)
        names[n++] = table_at(ta, i)->key;
    for (size_t i = 0; i < table_count(tb); i++)
        if (!table_has(ta, table_at(tb, i)->key))
            names[n++] = table_at(tb, i)->key;
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        compare_group(c, section, names[i], fa, fb);
}

struct difference *config_compare(struct arena *arena, const struct config *a,
                                  const struct config *b)
{
    struct comparison c = {.arena = arena};
    struct facts fa, fb;

    gather_all(&fa, arena, a);
    gather_all(&fb, arena, b);
    for (size_t i = 0; i < ITEM_KINDS; i++)
        compare_section(&c, (enum item_kind)i, &fa, &fb);
    for (size_t i = 0; i + 1 < c.count; i++)
        c.found[i]->next = c.found[i + 1];
    return c.count ? c.found[0] : NULL;
}

/* --- printing ----------------------------------------------------------------------------- */

/* One line: line ends as \n, tabs in rules as they are; quotes where blanks would not be seen. */
static void print_value(struct buf *out, const char *s)
{
    size_t len = strlen(s);
    bool quote = len == 0 || is_blank(s[0]) || is_blank(s[len - 1]);

    if (quote)
        buf_addc(out, '"');
    for (; *s; s++) {
        if (*s == '\n')
            buf_adds(out, "\\n");
        else if (*s == '\r')
            buf_adds(out, "\\r");
        else if ((unsigned char)*s < ' ' && *s != '\t')
            buf_printf(out, "\\%03o", (unsigned)*s);
        else
            buf_addc(out, *s);
    }
    if (quote)
        buf_addc(out, '"');
}

void difference_print(const struct difference *d, struct buf *out)
{
    static const char marks[] = {
        [DIFFERENCE_ADDED] = '+', [DIFFERENCE_REMOVED] = '-', [DIFFERENCE_CHANGED] = '~'};

    buf_printf(out, "%c %s", marks[d->kind], item_label(d->section));
    if (d->name[0])
        buf_printf(out, " %s", d->name);
    buf_adds(out, ": ");
    if (d->old_value)
        print_value(out, d->old_value);
    if (d->old_value && d->new_value)
        buf_adds(out, " -> ");
    if (d->new_value)
        print_value(out, d->new_value);
    buf_addc(out, '\n');
}
