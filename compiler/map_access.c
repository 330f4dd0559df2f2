/*
 * map_access: what is wrong with the entries of an access map: tags, verdicts, addresses, numbers
 * (lib/model/access.def).
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "compiler/map_check.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/maps/map_lines.h"

enum { PREFIXES = 64 };

enum value_kind { VERDICT, SPAM, NUMBER, NO, CERTIFICATE, AUTH, ANY };
enum { HOSTS = 1, ADDRESSES = 2, PEOPLE = 4, EXACT = 8, PLAIN_TOO = 16 };

static const struct {
    const char *name;
    enum value_kind kind;
    int looks;
} tags[] = {
#define ACCESS_TAG(tag, kind, looks) {#tag, kind, looks},
#include "lib/model/access.def"
};

static const struct {
    const char *word;
    enum value_kind kind;
    bool start; /* of the value; else the whole */
} words[] = {
#define ACCESS_WORD(kind, word) {word, kind, false},
#define ACCESS_START(kind, word) {word, kind, true},
#include "lib/model/access.def"
};

/* --- addresses -------------------------------------------------------------------------------- */

/* How many numbers with dots between them it begins with, up to four; *end is behind them. */
static int dotted(const char *s, unsigned byte[4], const char **end)
{
    int n = 0;
    while (n < 4 && isdigit((unsigned char)*s)) {
        unsigned v = 0;
        for (; isdigit((unsigned char)*s); s++)
            v = v < 1000 ? v * 10 + (unsigned)(*s - '0') : v;
        byte[n++] = v;
        if (*s != '.')
            break;
        s++;
    }
    *end = s;
    return n;
}

/* The prefixes of whole bytes that make up the network; false: there are too many. */
static bool prefixes(const char *before, const unsigned byte[4], unsigned bits, const char *behind,
                     struct buf *b)
{
    unsigned whole = (bits + 7) / 8, rest = whole * 8 - bits;
    unsigned first = byte[whole ? whole - 1 : 0] & ~((1u << rest) - 1);
    if (bits == 0 || 1u << rest > PREFIXES)
        return false;
    for (unsigned i = 0; i < 1u << rest; i++) {
        if (i)
            buf_printf(b, "%s\n", behind);
        buf_adds(b, before);
        for (unsigned k = 0; k < whole; k++)
            buf_printf(b, "%s%u", k ? "." : "", k == whole - 1 ? first + i : byte[k]);
    }
    return true;
}

static void check_address(const struct map_checking *c, const struct map_entry *e,
                          struct map_span host)
{
    unsigned byte[4] = {0, 0, 0, 0};
    const char *s = map_text(c, host), *end;
    int n = dotted(s, byte, &end);
    bool cidr = n > 0 && *end == '/' && isdigit((unsigned char)end[1]);
    if (n == 0 || (*end && !cidr))
        return;
    for (int i = 0; i < n; i++)
        if (byte[i] > 255) {
            finding_add(c->diag, FINDING_MAP_BAD_ADDRESS, map_at(c, host), s,
                        arena_printf(c->arena, "%u", byte[i]), NULL);
            return;
        }
    if (!cidr)
        return;
    unsigned bits = (unsigned)strtoul(end + 1, NULL, 10);
    struct map_span rest = {e->key.end, e->line.end}, before = {e->key.begin, host.begin};
    struct buf b;
    buf_init(&b, c->arena);
    struct finding *f = finding_add(c->diag, FINDING_MAP_CIDR, map_at(c, e->key), s, NULL);
    if (bits <= 32 && prefixes(map_text(c, before), byte, bits, map_text(c, rest), &b))
        diag_edit(c->diag, f, map_at(c, e->key), b.data);
}

/* --- access ----------------------------------------------------------------------------------- */

static const char *const *names_of(const struct map_checking *c, bool of_tags, enum value_kind kind,
                                   size_t *n)
{
    const char **v = arena_calloc(c->arena, COUNT(tags) + COUNT(words), sizeof *v);
    *n = 0;
    for (size_t i = 0; of_tags && i < COUNT(tags); i++)
        v[(*n)++] = tags[i].name;
    for (size_t i = 0; !of_tags && i < COUNT(words); i++)
        if (words[i].kind == kind && !words[i].start)
            v[(*n)++] = words[i].word;
    return v;
}

/* The row of its tag; -1: it has none, or one that no lookup has. */
static int tag_of(const struct map_checking *c, const struct map_entry *e)
{
    const char *tag = map_text(c, e->tag);
    for (size_t i = 0; i < COUNT(tags); i++)
        if (strcasecmp(tags[i].name, tag) == 0)
            return (int)i;
    return -1;
}

/* CITag:TAG in the value of a TLS entry names a tag of one's own. */
void map_check_own_tags(const struct map_checking *c)
{
    static const char mark[] = "CITag:";
    for (const char *p = c->bytes; (p = strcasestr(p, mark)) != NULL;) {
        p += strlen(mark);
        char *tag = arena_strndup(c->arena, p, strcspn(p, " \t\r\n+:"));
        map_fold(tag, strlen(tag));
        table_set(c->own_tags, tag, tag);
    }
}

static void unknown_tag(const struct map_checking *c, const struct map_entry *e)
{
    const char *tag = map_text(c, e->tag);
    char *folded = map_text(c, e->tag);
    map_fold(folded, strlen(folded));
    if (table_has(c->own_tags, folded))
        return;
    size_t n;
    const char *const *names = names_of(c, true, ANY, &n);
    struct finding *f = finding_add(c->diag, FINDING_MAP_UNKNOWN_TAG, map_at(c, e->tag), tag, NULL);
    finding_suggest(c->diag, f, map_at(c, e->tag), tag, names, n);
}

/* What the word is for, where it is a word of another kind; else NULL. */
static const char *meant_for(const struct map_checking *c, const char *value, enum value_kind kind)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        if (words[i].kind == kind || words[i].start || strcasecmp(value, words[i].word) != 0)
            continue;
        struct buf b;
        buf_init(&b, c->arena);
        for (size_t k = 0; k < COUNT(tags); k++)
            if (tags[k].kind == words[i].kind && strcmp(tags[k].name, "IPv6") != 0)
                buf_printf(&b, "%s%s:", b.len ? ", " : "", tags[k].name);
        return b.data;
    }
    return NULL;
}

static void no_effect(const struct map_checking *c, struct origin place, const char *value,
                      const char *tag, const char *where)
{
    if (tag)
        finding_add(c->diag, FINDING_MAP_NO_EFFECT, place, value, tag, where, NULL);
    else
        finding_add(c->diag, FINDING_MAP_NO_EFFECT_PLAIN, place, value, where, NULL);
}

static void check_value(const struct map_checking *c, const struct map_entry *e, int row)
{
    enum value_kind kind = row < 0 ? VERDICT : tags[row].kind;
    struct map_span span = map_value(c, e);
    const char *value = map_text(c, span);
    const char *tag = NULL;
    struct origin place = map_at(c, span);
    if (row >= 0)
        tag = strcasecmp(tags[row].name, "IPv6") == 0 ? NULL : tags[row].name;
    if (kind == AUTH)
        map_check_authinfo(c, span);
    if (kind == ANY || kind == AUTH || (kind == NUMBER && map_is_number(value)))
        return;
    if (kind == VERDICT && strcasecmp(value, "SKIP") == 0 && tag && strcmp(tag, "From") == 0 &&
        memchr(c->bytes + e->key.begin, '@', e->key.end - e->key.begin)) {
        finding_add(c->diag, FINDING_MAP_SKIP, place, map_text(c, e->key), NULL);
        return;
    }
    if (kind == VERDICT && strncasecmp(value, "ERROR:", 6) == 0)
        map_check_code(c, span);
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].kind == kind &&
            (words[i].start ? strncasecmp(value, words[i].word, strlen(words[i].word)) == 0
                            : strcasecmp(value, words[i].word) == 0))
            return;
    /* A number is the text of a refusal only where it is a code of one. */
    if (kind == VERDICT && map_is_number(value) &&
        (strlen(value) != 3 || (*value != '4' && *value != '5'))) {
        no_effect(c, place, value, tag, "GreetPause:, ClientRate:, ClientConn:");
        return;
    }
    /* What has several words, or begins with a code, is the text of a refusal. */
    if (kind == VERDICT &&
        (isdigit((unsigned char)*value) || *value == '<' || strpbrk(value, " \t:")))
        return;
    const char *where = kind == NUMBER ? NULL : meant_for(c, value, kind);
    if (where) {
        no_effect(c, place, value, tag, where);
        return;
    }
    if (kind == NUMBER) {
        finding_add(c->diag, FINDING_MAP_BAD_NUMBER, place, value, NULL);
        return;
    }
    size_t n;
    const char *const *names = names_of(c, false, kind, &n);
    struct finding *f = finding_add(c->diag, FINDING_MAP_UNKNOWN_VERDICT, place, value, NULL);
    finding_suggest(c->diag, f, place, value, names, n);
}

/* --- IPv6 ------------------------------------------------------------------------------------- */

enum { GROUPS = 8 };

struct ipv6 {
    bool prefixed, brackets, gap, bad;
    int n, gap_at;
    char group[GROUPS][5];
    long bits; /* -1: none */
};

/* Whether the host is meant for such an address, well written or not. */
static bool read_ipv6(const char *s, struct ipv6 *a)
{
    *a = (struct ipv6){.bits = -1};
    a->brackets = *s == '[';
    s += a->brackets;
    a->prefixed = strncasecmp(s, "IPv6:", 5) == 0;
    s += a->prefixed ? 5 : 0;
    const char *end = s + strspn(s, "0123456789abcdefABCDEF:");
    const char *colon = memchr(s, ':', (size_t)(end - s));
    const char *rest = end;
    if (*rest == ']' && a->brackets)
        rest++;
    if (*rest == '/' && isdigit((unsigned char)rest[1]))
        a->bits = strtol(rest + 1, (char **)&rest, 10);
    if (end == s || *rest ||
        (!a->prefixed && (!colon || !memchr(colon + 1, ':', (size_t)(end - colon - 1)))))
        return false;
    while (s < end) {
        size_t len = (size_t)(end - s);
        if (len >= 2 && s[0] == ':' && s[1] == ':') {
            a->bad |= a->gap;
            a->gap = true;
            a->gap_at = a->n;
            s += 2;
            continue;
        }
        s += *s == ':';
        if (s == end) { /* a colon at the end, as of a network */
            a->bad |= a->gap && a->gap_at == a->n;
            a->gap = true;
            a->gap_at = a->n;
            break;
        }
        size_t digits = strspn(s, "0123456789abcdefABCDEF");
        if (a->n == GROUPS || digits == 0 || digits > 4) {
            a->bad = true;
            return true;
        }
        size_t zeros = strspn(s, "0");
        zeros = zeros >= digits ? digits - 1 : zeros;
        memcpy(a->group[a->n], s + zeros, digits - zeros);
        a->group[a->n++][digits - zeros] = '\0';
        s += digits;
    }
    a->bad |= a->gap && a->n == GROUPS && a->gap_at < a->n;
    return true;
}

/* As lookups have it; NULL: no one key is that network. */
static const char *written(const struct map_checking *c, struct ipv6 *a, bool brackets)
{
    struct buf b;
    buf_init(&b, c->arena);
    int missing = GROUPS - a->n, last = a->n;
    bool network = a->gap && a->gap_at == a->n && a->n > 0;
    if (a->bits >= 0) {
        if (a->bits % 16 || a->bits == 0 || a->bits > 128 || (!a->gap && a->bits > 16L * a->n))
            return NULL;
        last = (int)(a->bits / 16);
        network = false;
        if (last > a->n && !a->gap)
            return NULL;
    }
    buf_adds(&b, brackets ? "[IPv6:" : "IPv6:");
    int filled = a->gap && !network ? GROUPS : a->n;
    if (a->bits >= 0)
        filled = last;
    for (int i = 0; i < filled; i++) {
        const char *group = !a->gap || i < a->gap_at  ? a->group[i]
                            : i < a->gap_at + missing ? "0"
                                                      : a->group[i - missing];
        buf_printf(&b, "%s%s", i ? ":" : "", group);
    }
    buf_adds(&b, brackets ? "]" : "");
    return b.data;
}

static bool has_key(const struct map_checking *c, struct map_span tag, const char *host)
{
    char *key = arena_printf(c->arena, "%s%s", map_text(c, tag), host);
    map_fold(key, strlen(key));
    return table_has(c->keys, key);
}

/* True if it is one. */
static bool check_ipv6(const struct map_checking *c, const struct map_entry *e,
                       struct map_span host, int looks)
{
    const char *s = map_text(c, host);
    struct ipv6 a;
    if (!read_ipv6(s, &a))
        return false;
    if (a.bad) {
        map_say(c, FINDING_MAP_BAD_IPV6, host);
        return true;
    }
    bool brackets = a.brackets && looks != ADDRESSES;
    const char *right = written(c, &a, brackets);
    if (right && strcasecmp(right, s) == 0)
        return true;
    enum finding_id id = a.bits >= 0             ? FINDING_MAP_CIDR
                         : !a.prefixed           ? FINDING_MAP_IPV6_PREFIX
                         : a.brackets > brackets ? FINDING_MAP_BRACKETS
                                                 : FINDING_MAP_IPV6_FULL;
    bool there = right && has_key(c, (struct map_span){e->key.begin, host.begin}, right);
    if (there && id == FINDING_MAP_IPV6_FULL)
        return true; /* both forms are there, so that one of them is right whatever the options */
    struct finding *f = finding_add(c->diag, id, map_at(c, host), s, right ? right : "", NULL);
    if (right && !there) {
        diag_edit(c->diag, f, map_at(c, host), right);
        diag_hint(c->diag, f, "write %s", right);
    }
    return true;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void check_key(const struct map_checking *c, const struct map_entry *e, int row,
                      struct map_span host)
{
    int looks = row < 0 ? PEOPLE : tags[row].looks & ~PLAIN_TOO;
    const char *s = map_text(c, host);
    size_t len = strlen(s);
    if (looks == EXACT || len == 0 || check_ipv6(c, e, host, row < 0 ? HOSTS : looks))
        return;
    if ((looks == HOSTS || looks == ADDRESSES) && strchr(s, '@')) {
        map_say(c, FINDING_MAP_KEY_NO_HOST, e->key);
        return;
    }
    if (looks == ADDRESSES && *s == '[' && s[len - 1] == ']') {
        char *bare = arena_strndup(c->arena, s + 1, len - 2);
        struct finding *f = finding_add(c->diag, FINDING_MAP_BRACKETS, map_at(c, host), s, NULL);
        diag_edit(c->diag, f, map_at(c, host), bare);
        return;
    }
    if (looks == ADDRESSES && strspn(s, "0123456789./") != len) {
        map_say(c, FINDING_MAP_KEY_NO_ADDRESS, e->key);
        return;
    }
    if (len < 2 || !map_check_dot(c, e->key))
        check_address(c, e, host);
}

struct map_span map_check_access(const struct map_checking *c, const struct map_entry *e)
{
    struct map_span host = e->key;
    int row = -1;
    struct ipv6 a;
    if (e->tag.begin < e->tag.end) {
        row = tag_of(c, e);
        if (row < 0 && read_ipv6(map_text(c, e->key), &a) && !a.bad) {
            check_ipv6(c, e, host, HOSTS);
            check_value(c, e, -1);
            return host;
        }
        bool ipv6 = row >= 0 && strcmp(tags[row].name, "IPv6") == 0;
        host.begin = ipv6 ? e->key.begin : e->tag.end + 1; /* the colon */
        if (row < 0) {
            unknown_tag(c, e);
            check_address(c, e, host);
            return host;
        }
    }
    check_value(c, e, row);
    check_key(c, e, row, host);
    return host;
}

/* An untagged entry is reached only through the tags that go on without it, and not where every one
 * of them has an entry of its own. */
void map_check_hidden(const struct map_checking *c)
{
    for (size_t i = 0; i < c->map->n; i++) {
        const struct map_entry *e = &c->map->v[i];
        if (e->fault != MAP_ENTRY_GOOD || e->tag.end > e->tag.begin)
            continue;
        const char *key = map_text(c, e->key);
        bool person = strchr(key, '@') != NULL, hidden = true;
        struct buf b;
        buf_init(&b, c->arena);
        for (size_t k = 0; k < COUNT(tags) && hidden; k++) {
            if (!(tags[k].looks & PLAIN_TOO) || (person && !(tags[k].looks & PEOPLE)))
                continue;
            char *tagged = arena_printf(c->arena, "%s:%s", tags[k].name, key);
            map_fold(tagged, strlen(tagged));
            hidden = table_has(c->keys, tagged);
            buf_printf(&b, "%s%s:", b.len ? ", " : "", tags[k].name);
        }
        if (hidden)
            finding_add(c->diag, FINDING_MAP_HIDDEN, map_at(c, e->key), key, b.data, NULL);
    }
}
