/*
 * map_query: `mcf map query --config': which keys sendmail tries for what is asked, and which one
 * answers.
 *
 * The order of keys is lib/model/lookups.def's; what of it a configuration has is seen from its
 * rules.  Nothing is run: addresses are taken as they are given, without canonification.  Keys are
 * printed as they are tried, until one is found; a database that fails ends the search.
 */
#include "compiler/map_query.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "compiler/map.h"
#include "compiler/map_config.h"
#include "compiler/map_local.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/base/table.h"
#include "lib/maps/map_lines.h"

enum fallback { TAGGED, UNTAGGED };
enum when { LOCAL_FILTERED, FILTERED, LOCAL, ALWAYS };
enum step { ONCE, PLUS, DETAIL, PARENTS, NETS, BITNET, UUCP };

static const struct lookup {
    const char *map, *tag;
    enum fallback fallback;
    enum when when;
    const char *searches;
} lookups[] = {
#define LOOKUP(map, tag, fallback, when, searches) {map, tag, fallback, when, searches},
#include "lib/model/lookups.def"
};

static const struct {
    char letter;
    enum step step;
    const char *keys;
} searches[] = {
#define SEARCH(letter, step, keys) {letter, step, keys},
#include "lib/model/lookups.def"
};

#define COUNT(a) (sizeof(a) / sizeof *(a))
enum { MEMBERS_DEEP = 8 }; /* sequences of sequences; more are a ring */

/* One database that is asked. */
struct asked {
    struct map_declared declared;
    struct map *map;
    struct asked *next;
};

struct query {
    struct arena *arena;
    const struct config *config;
    struct asked *first, **end;
    bool dots, filtered; /* lookupdotdomain, blocklist_recipients */
    struct table *tried;
    struct table *local; /* NULL: nobody asked yet */
    enum map_verdict verdict;
};

/* What is asked, in its parts. */
struct subject {
    const char *all, *local, *user, *detail, *domain; /* detail: NULL without a + */
    bool at;                                          /* it has a user or an @ */
};

/* --- the configuration ------------------------------------------------------------------------ */

static bool add_maps(struct query *q, const struct item *k, int deep)
{
    struct map_declared m = map_config_declared(q->config, k);
    if (m.made && m.source) {
        struct asked *x = arena_alloc(q->arena, sizeof *x);
        x->declared = m;
        x->map = map_open_named("query", q->arena, &m.type, false, m.source, NULL);
        *q->end = x;
        q->end = &x->next;
        return x->map != NULL;
    }
    if (!m.members || deep == MEMBERS_DEEP) {
        fprintf(
            stderr,
            "mcf map query: %s: the map %s is of the class %s, which cannot be read here: hash, "
            "btree, cdb and sequences of them can\n",
            m.at, m.name, m.class);
        return false;
    }
    for (const char **name = m.members; *name; name++) {
        const struct item *member = map_config_find(q->config, *name);
        if (!member) {
            fprintf(stderr, "mcf map query: %s: no K line declares %s\n", m.at, *name);
            return false;
        }
        if (!add_maps(q, member, deep + 1))
            return false;
    }
    return true;
}

static void read_rules(struct query *q)
{
    for (const struct item *it = q->config->first; it; it = it->next)
        if (it->kind == ITEM_RULE) {
            /* The library's own rules, and ours. */
            if (strstr(it->text, "$(access $5:.$") || strstr(it->text, "AccessEntry $1 $2 <."))
                q->dots = true;
            if (strstr(it->text, "SearchList <+ To> $| <"))
                q->filtered = true;
        }
}

static bool holds(struct query *q, enum when when, const struct subject *s)
{
    if (when != ALWAYS && when != FILTERED && !q->local)
        q->local = map_local_names(q->config);
    bool local = s->at && q->local && map_local_has(q->local, s->domain);
    return when == ALWAYS || (when == FILTERED && q->filtered) || (when == LOCAL && local) ||
           (when == LOCAL_FILTERED && q->filtered && local);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static struct subject split(struct arena *a, const char *text)
{
    const char *at = strrchr(text, '@');
    struct subject s = {.all = text, .at = at != NULL};
    s.local = at ? arena_strndup(a, text, (size_t)(at - text)) : "";
    s.domain = at ? at + 1 : text;
    const char *user = at ? s.local : text;
    const char *plus = *user ? strchr(user + 1, '+') : NULL;
    s.user = plus ? arena_strndup(a, user, (size_t)(plus - user)) : user;
    s.detail = plus ? plus + 1 : NULL;
    return s;
}

static bool is_address(const char *s)
{
    return strncasecmp(s, "IPv6:", 5) == 0 || (*s && s[strspn(s, "0123456789.")] == '\0');
}

/* Whether the search has anything to look for: a name is no address, and a user has a name. */
static bool fits(char letter, const struct subject *s, const char *all_searches)
{
    switch (letter) {
    case 'F':
        return s->at && *s->local && *s->domain;
    case 'U':
        return s->at && *s->local;
    case 'D':
        return *s->domain && !(strchr(all_searches, 'A') && !s->at && is_address(s->domain));
    case 'A':
        return !s->at && is_address(s->domain);
    case 'V':
        return s->at;
    default:
        return true;
    }
}

/* The host whose pseudo domain it is in, or the first one of a path with !; a name alone is one;
 * else NULL. */
static const char *pseudo_host(struct arena *a, const char *end, const struct subject *s)
{
    size_t n = strlen(s->domain), k = strlen(end), path = strcspn(s->domain, "!");
    if (n > k && strcasecmp(s->domain + n - k, end) == 0)
        return arena_strndup(a, s->domain, n - k);
    bool dotted = path < n && memchr(s->domain, '.', path) != NULL;
    return s->at || dotted ? NULL : arena_strndup(a, s->domain, path);
}

/* How much of it is left without its last part; 0: nothing. */
static size_t without_last(const char *address)
{
    size_t n = strlen(address);
    while (n > 0 && address[n - 1] != '.' && address[n - 1] != ':')
        n--;
    if (n <= 1)
        return 0;
    return n - (n > 2 && address[n - 1] == ':' && address[n - 2] == ':' ? 2 : 1);
}

/* Without the first label; of [an address] without its last part.  NULL: there is no parent. */
static const char *parent(struct arena *a, const char *domain)
{
    if (*domain != '[') {
        const char *dot = strchr(domain, '.');
        return dot && dot[1] ? dot + 1 : NULL;
    }
    size_t n = without_last(domain);
    return n > 1 ? arena_printf(a, "%.*s]", (int)n, domain) : NULL;
}

static const char *net(struct arena *a, const char *address)
{
    size_t n = without_last(address);
    return n ? arena_strndup(a, address, n) : NULL;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The line of the source that the value comes from, or what is wrong with it; "": no source. */
static const char *source_line_of(struct query *q, const struct map_declared *m,
                                  struct map_bytes key, struct map_bytes value)
{
    int fd = open(m->source, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return "";
    const struct map_lines_options o = {.keep_case = m->keep_case};
    struct map_lines *lines = map_lines_new(q->arena, fd, &o);
    struct map_line l;
    const char *said = arena_printf(q->arena, "\t(%s has no such line: build it)", m->source);
    while (map_lines_next(lines, &l) > 0)
        if (l.fault == MAP_LINE_GOOD && l.key.len == key.len &&
            memcmp(l.key.p, key.p, key.len) == 0) {
            bool same = l.value.len == value.len && memcmp(l.value.p, value.p, value.len) == 0;
            said = arena_printf(q->arena, "\t%s:%u%s", m->source, l.number,
                                same ? "" : " (which says something else: build it)");
            break;
        }
    map_lines_free(lines);
    fs_close(&fd);
    return said;
}

/* With -N and -O sendmail looks for the key in one way only; with both, in none.  key has a NUL
 * behind it. */
static enum map_verdict look_up(const struct asked *x, struct map_bytes key,
                                struct map_bytes *value)
{
    const struct map_declared *d = &x->declared;
    if (d->nul && d->no_nul)
        return MAP_NOT_FOUND;
    if (d->nul || d->no_nul)
        return map_get_whole(x->map, (struct map_bytes){key.p, key.len + d->nul}, value);
    return map_get(x->map, key, value);
}

/* Prints the key, and what is found; true: the search is over. */
static bool ask_key(struct query *q, const char *key)
{
    if (table_has(q->tried, key))
        return false;
    table_set(q->tried, key, q);
    for (const struct asked *x = q->first; x; x = x->next) {
        char *folded = arena_strdup(q->arena, key);
        size_t len = strlen(folded);
        struct map_bytes value;
        if (!x->declared.keep_case)
            map_fold(folded, len);
        q->verdict = look_up(x, (struct map_bytes){folded, len}, &value);
        if (q->verdict == MAP_TEMPFAIL) {
            printf("%s\t(cannot be said: the database of %s is damaged)\n", key, x->declared.name);
            return true;
        }
        if (q->verdict == MAP_FOUND) {
            if (x->declared.nul && value.len && value.p[value.len - 1] == '\0')
                value.len--;
            struct map_bytes said =
                x->declared.match_only ? (struct map_bytes){key, strlen(key)} : value;
            printf("%s\t%.*s%s%s\n", key, (int)said.len, said.p, x->declared.append,
                   source_line_of(q, &x->declared, (struct map_bytes){folded, len}, value));
            return true;
        }
    }
    printf("%s\t(not found)\n", key);
    return false;
}

static const char *fill_in(struct query *q, const char *pattern, size_t len,
                           const struct subject *s, const char *up)
{
    struct buf b;
    buf_init(&b, q->arena);
    for (size_t i = 0; i < len; i++) {
        if (pattern[i] != '%') {
            buf_addc(&b, pattern[i]);
            continue;
        }
        switch (pattern[++i]) {
        case 'a':
            buf_adds(&b, s->all);
            break;
        case 'l':
            buf_adds(&b, s->at ? s->local : s->all);
            break;
        case 'u':
            buf_adds(&b, s->user);
            break;
        case 'h':
            buf_adds(&b, s->domain);
            break;
        default:
            buf_adds(&b, up);
            break;
        }
    }
    return b.data ? b.data : "";
}

/* The keys of one row of SEARCH for one parent; true: the search is over. */
static bool ask_keys(struct query *q, const struct lookup *l, const char *keys,
                     const struct subject *s, const char *up)
{
    for (const char *p = keys;; p++) {
        size_t n = strcspn(p, " ");
        bool dotted = *p == '?';
        bool user_only = !s->at && memchr(p, '@', n) != NULL; /* there is no domain to speak of */
        if (!user_only && !(dotted && (!q->dots || *s->domain == '['))) {
            const char *key = fill_in(q, p + dotted, n - dotted, s, up);
            const char *tagged = *l->tag ? arena_printf(q->arena, "%s:%s", l->tag, key) : key;
            if (ask_key(q, tagged) || (l->fallback == UNTAGGED && ask_key(q, key)))
                return true;
        }
        p += n;
        if (*p == '\0')
            return false;
    }
}

static bool search(struct query *q, const struct lookup *l, char letter, const struct subject *s)
{
    for (size_t i = 0; i < COUNT(searches); i++) {
        enum step step = searches[i].step;
        const char *up = step == BITNET ? pseudo_host(q->arena, ".BITNET", s)
                         : step == UUCP ? pseudo_host(q->arena, ".UUCP", s)
                                        : s->domain;
        if (searches[i].letter != letter || (step == PLUS && !s->detail) ||
            (step == DETAIL && !(s->detail && *s->detail)) || !up)
            continue;
        if (step != PARENTS && step != NETS) {
            if (ask_keys(q, l, searches[i].keys, s, up))
                return true;
            continue;
        }
        while ((up = step == NETS ? net(q->arena, up) : parent(q->arena, up)) != NULL)
            if (ask_keys(q, l, searches[i].keys, s, up))
                return true;
    }
    return false;
}

/* The row for the tag that the text begins with; *rest is what follows it. */
static const struct lookup *find_lookup(struct query *q, const char *map, const char *text,
                                        const char **rest, struct subject *s)
{
    for (size_t i = 0; i < COUNT(lookups); i++) {
        const struct lookup *l = &lookups[i];
        size_t n = strlen(l->tag);
        if (strcasecmp(l->map, map) != 0)
            continue;
        bool tagged = n > 0 && strncasecmp(text, l->tag, n) == 0 && text[n] == ':';
        /* A map whose keys all have one tag is asked without it. */
        if (!tagged && n > 0 && strcasecmp(map, "access") == 0)
            continue;
        *rest = tagged ? text + n + 1 : text;
        *s = split(q->arena, *rest);
        if (holds(q, l->when, s))
            return l;
    }
    return NULL;
}

static void ask(struct query *q, const char *map, const char *text)
{
    static const struct lookup plain = {"", "", TAGGED, ALWAYS, "X"};
    const char *rest = text;
    struct subject s = split(q->arena, text);
    const struct lookup *l = find_lookup(q, map, text, &rest, &s);
    if (!l)
        l = &plain;
    q->tried = table_new(q->arena);
    q->verdict = MAP_NOT_FOUND;
    if (!*l->searches)
        fprintf(stderr,
                "mcf map query: %s is of class w: without FEATURE(`blocklist_recipients') no key "
                "is looked up\n",
                s.domain);
    else if (strcasecmp(map, "access") == 0 && !*l->tag)
        fprintf(stderr,
                "mcf map query: %s has no tag (Connect:, From:, To:): keys with one, which come "
                "first, are not looked up\n",
                text);
    for (const char *letter = l->searches; *letter; letter++)
        if (fits(*letter, &s, l->searches) && search(q, l, *letter, &s))
            return;
}

int map_query_config(const char *path, const char *map, const char *const *keys, size_t n)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    int rc;
    struct query q = {.arena = a, .config = map_config_read("query", a, path, &rc)};
    q.end = &q.first;
    const struct item *k = q.config ? map_config_find(q.config, map) : NULL;
    if (q.config && !k) {
        fprintf(stderr, "mcf map query: no K line of %s declares %s", path, map);
        const char *between = "; there are: ";
        for (const struct item *it = q.config->first; it; it = it->next)
            if (it->kind == ITEM_MAP && map_config_declared(q.config, it).made) {
                fprintf(stderr, "%s%s", between, it->name);
                between = ", ";
            }
        fputc('\n', stderr);
        rc = EXIT_BAD_INPUT;
    } else if (k) {
        rc = add_maps(&q, k, 0) ? 0 : EXIT_NO_INPUT;
        read_rules(&q);
        for (size_t i = 0; rc != EXIT_NO_INPUT && i < n; i++) {
            ask(&q, k->name, keys[i]);
            if (q.verdict != MAP_FOUND)
                rc = q.verdict == MAP_NOT_FOUND ? EXIT_DIFFERENT : EXIT_NO_INPUT;
        }
    }
    for (struct asked *x = q.first; x; x = x->next)
        map_close(x->map);
    arena_free(a);
    return rc;
}
