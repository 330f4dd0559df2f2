/*
 * lookup: declarations, sessions, and what is common to all classes.
 */
#include "lib/maps/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/table.h"
#include "lib/maps/lookup_class.h"
#include "lib/maps/map_lines.h"
#include "lib/model/findings.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const char *name;
    const struct lookup_class *class;
} classes[] = {
#define MAP_CLASS(name, elsewhere, needs, lookup) {name, &map_lookup_##lookup},
#include "lib/model/maps.def"
#undef MAP_CLASS
};

struct lookup_session {
    struct arena *arena;
    const struct lookup_maps *maps;
    struct lookup_world world;
    void **states; /* a map's, by its index; known of them */
    size_t known;
    unsigned depth; /* of maps that ask maps */
    struct lookup_database *held;
    void *userdb; /* the state of lookup_userdb */
};

/* --- declarations -------------------------------------------------------------------------- */

struct lookup_maps *lookup_maps_new(struct arena *a)
{
    struct lookup_maps *m = arena_alloc(a, sizeof *m);
    m->arena = a;
    m->by_name = table_new(a);
    lookup_declare(m, "host", "host", "-a.", NULL, (struct origin){0});
    lookup_declare(m, "aliases.files", "sequence", "", NULL, (struct origin){0});
    lookup_declare(m, "aliases", "switch", "aliases", NULL, (struct origin){0});
    return m;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static char *in_small_letters(struct arena *a, const char *name, size_t len)
{
    char *small = arena_strndup(a, name, len);
    map_fold(small, len);
    return small;
}

static const struct lookup_class *find_class(const char *name)
{
    for (size_t i = 0; i < COUNT(classes); i++)
        if (strcasecmp(classes[i].name, name) == 0)
            return classes[i].class;
    return NULL;
}

static void say_unknown(struct lookup_reader *r, const char *name, const char *class)
{
    const char *names[COUNT(classes)];
    if (!r->diag)
        return;
    for (size_t i = 0; i < COUNT(classes); i++)
        names[i] = classes[i].name;
    struct finding *f =
        finding_add(r->diag, FINDING_UNKNOWN_MAP_CLASS, r->at, class, name, (char *)NULL);
    finding_suggest(r->diag, f, r->at, class, names, COUNT(classes));
}

static struct lookup_map *declare(struct lookup_maps *maps, const char *name, const char *cls,
                                  const char *rest, struct diag *d, struct origin at)
{
    struct lookup_reader r = {maps, maps->arena, d, at};
    const struct lookup_class *class = find_class(cls);
    if (!class) {
        say_unknown(&r, name, cls);
        return NULL;
    }
    char *small = in_small_letters(maps->arena, name, strlen(name));
    struct lookup_map *m = table_get(maps->by_name, small);
    if (!m) {
        m = arena_alloc(maps->arena, sizeof *m);
        m->index = maps->count;
        maps->maps =
            arena_grow(maps->arena, maps->maps, maps->count, &maps->room, sizeof(*maps->maps), 32);
        maps->maps[maps->count++] = m;
        table_set(maps->by_name, small, m);
    }
    if (m->class != class)
        m->own = NULL;
    m->name = arena_strdup(maps->arena, name);
    m->class_name = arena_strdup(maps->arena, cls);
    size_t len = strlen(rest);
    while (len > 0 && is_blank(rest[len - 1]))
        len--;
    m->rest = arena_strndup(maps->arena, rest, len);
    m->class = class;
    m->at = at;
    m->invalid = class->declare && !class->declare(&r, m);
    return m;
}

const struct lookup_map *lookup_declare(struct lookup_maps *maps, const char *name, const char *cls,
                                        const char *rest, struct diag *d, struct origin at)
{
    return declare(maps, name, cls, rest, d, at);
}

const struct lookup_map *lookup_declare_aliases(struct lookup_maps *maps, unsigned n,
                                                const char *cls, const char *rest, struct diag *d,
                                                struct origin at)
{
    struct lookup_map *m = declare(maps, arena_printf(maps->arena, "Alias%u", n), cls, rest, d, at);
    if (m)
        m->aliases = true;
    /* Several values are several addresses. */
    if (m && !m->delimiter && strcasecmp(cls, "ldap") == 0)
        m->delimiter = ',';
    return m && !m->invalid ? m : NULL;
}

const struct lookup_map *lookup_find(const struct lookup_maps *m, const char *name, size_t len)
{
    char small[256];
    if (len >= sizeof small)
        return NULL;
    memcpy(small, name, len);
    small[len] = '\0';
    map_fold(small, len);
    return table_get(m->by_name, small);
}

bool lookup_has_entries(const struct lookup_map *m)
{
    return m->class && !m->class->computes;
}

const char *lookup_map_name(const struct lookup_map *m)
{
    return m->name;
}

const char *lookup_map_class(const struct lookup_map *m)
{
    return m->class_name;
}

bool lookup_map_has_aliases(const struct lookup_map *m)
{
    return m->aliases;
}

char lookup_map_space(const struct lookup_map *m, char space)
{
    if (m->space)
        return m->space;
    return space;
}

/* --- the flags of most classes ------------------------------------------------------------- */

void lookup_skip_blanks(const char **p)
{
    while (is_blank(**p))
        (*p)++;
}

char *lookup_word(struct arena *a, const char **p)
{
    lookup_skip_blanks(p);
    const char *from = *p;
    while (**p && !is_blank(**p))
        (*p)++;
    return arena_strndup(a, from, (size_t)(*p - from));
}

char *lookup_option_value(struct lookup_reader *r, const char **p)
{
    (*p)++;
    return lookup_word(r->arena, p);
}

char *lookup_option_value_at_once(struct lookup_reader *r, const char **p)
{
    (*p)++;
    return **p && !is_blank(**p) ? lookup_word(r->arena, p) : arena_strdup(r->arena, "");
}

static char delimiter_of(const char *p)
{
    if (p[1] != '\\')
        return p[1];
    switch (p[2]) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    default:
        return '\\';
    }
}

static bool read_common(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    switch (**p) {
    case 'N':
        m->nul = true;
        m->no_nul = false;
        break;
    case 'O':
        m->no_nul = true;
        m->nul = false;
        break;
    case 'o':
        m->optional = true;
        break;
    case 'f':
        m->keep_case = true;
        break;
    case 'm':
        m->match_only = true;
        break;
    case 'A':
        m->append_all = true;
        break;
    case 'q':
        m->keep_quotes = true;
        break;
    case 't':
        m->no_defer = true;
        break;
    case 'D':
        m->not_deferred = true;
        break;
    case 'S':
        m->space = (*p)[1];
        break;
    case 'a':
        m->append = lookup_option_value_at_once(r, p);
        break;
    case 'T':
        m->append_fail = lookup_option_value_at_once(r, p);
        break;
    case 'k':
        m->key_column = lookup_option_value(r, p);
        break;
    case 'v':
        m->value_column = lookup_option_value(r, p);
        break;
    case 'z':
        m->delimiter = delimiter_of(*p);
        break;
    case 'd': /* taken, and of no effect */
        break;
    default:
        return false;
    }
    return true;
}

static void say_option(struct lookup_reader *r, const struct lookup_map *m, char letter)
{
    char text[2] = {letter, '\0'};
    if (r->diag)
        finding_add(r->diag, FINDING_MAP_OPTION, r->at, text, m->class_name, (char *)NULL);
}

const char *lookup_read_options(struct lookup_reader *r, struct lookup_map *m,
                                lookup_option_fn *own, bool strict)
{
    const char *p = m->rest;
    for (;;) {
        lookup_skip_blanks(&p);
        if (*p != '-')
            break;
        p++;
        const char letter = *p;
        if (!(own && own(r, m, &p)) && !read_common(r, m, &p) && strict)
            say_option(r, m, letter);
        while (*p && !is_blank(*p))
            p++;
    }
    return p;
}

bool lookup_read_flags(struct lookup_reader *r, struct lookup_map *m)
{
    const char *p = lookup_read_options(r, m, NULL, true);
    if (*p)
        m->file = lookup_word(r->arena, &p);
    lookup_skip_blanks(&p);
    m->file_rest = arena_strdup(r->arena, p);
    return true;
}

bool lookup_read_file(struct lookup_reader *r, struct lookup_map *m)
{
    lookup_read_flags(r, m);
    if (m->file)
        return true;
    if (r->diag)
        finding_add(r->diag, FINDING_MAP_LACKS, r->at, m->name, "a file after its class",
                    (char *)NULL);
    return false;
}

/* --- sessions ------------------------------------------------------------------------------ */

struct lookup_session *lookup_session_new(struct arena *a, const struct lookup_maps *m,
                                          const struct lookup_world *world)
{
    struct lookup_session *s = arena_alloc(a, sizeof *s);
    s->arena = a;
    s->maps = m;
    s->world = *world;
    s->known = m->count;
    s->states = arena_calloc(a, m->count, sizeof(*s->states));
    return s;
}

void lookup_session_close(struct lookup_session *s)
{
    if (s)
        lookup_let_go(s);
    for (size_t i = 0; s && i < s->known; i++) {
        const struct lookup_class *class = s->maps->maps[i]->class;
        if (s->states[i] && class->close)
            class->close(s->states[i]);
        s->states[i] = NULL;
    }
    if (s && s->userdb)
        map_lookup_userdb.close(s->userdb);
}

void lookup_hold(struct lookup_session *s, struct lookup_database *db)
{
    db->holder = s;
    db->next_held = s->held;
    s->held = db;
}

void lookup_let_go(struct lookup_session *s)
{
    for (struct lookup_database *db = s->held, *next; db; db = next) {
        next = db->next_held;
        lookup_database_let_go(db);
    }
    s->held = NULL;
}

void lookup_session_rest(struct lookup_session *s)
{
    lookup_let_go(s);
}

const struct lookup_maps *lookup_session_maps(const struct lookup_session *s)
{
    return s->maps;
}

/* --- lookups ------------------------------------------------------------------------------- */

void lookup_is_not_found(struct lookup_query *q, int status)
{
    q->answer->verdict = MAP_NOT_FOUND;
    q->answer->status = status;
}

void lookup_is_found(struct lookup_query *q, struct map_bytes value)
{
    q->answer->verdict = MAP_FOUND;
    q->answer->status = EX_OK;
    q->answer->value.p = arena_strndup(q->result, value.p ? value.p : "", value.len);
    q->answer->value.len = value.len;
}

void lookup_is_found_text(struct lookup_query *q, const char *value)
{
    lookup_is_found(q, (struct map_bytes){value, strlen(value)});
}

void lookup_failed(struct lookup_query *q, const char *why, ...)
{
    va_list ap;
    va_start(ap, why);
    char *text = arena_vprintf(q->result, why, ap);
    va_end(ap);
    q->answer->verdict = MAP_TEMPFAIL;
    q->answer->status = EX_TEMPFAIL;
    q->answer->failed = q->map;
    q->answer->why = arena_printf(q->result, "map %s: %s", q->map->name, text);
}

void lookup_tell(const struct lookup_query *q, int status, const char *text, ...)
{
    va_list ap;
    if (!q->world->tell)
        return;
    va_start(ap, text);
    q->world->tell(q->world->listener, status, arena_vprintf(q->result, text, ap));
    va_end(ap);
}

bool lookup_trusts(struct lookup_query *q, const char *path, struct trust_fault *fault)
{
    static const struct trust_kind any = {.folder = "", .link = "", .minds_readers = true};
    const struct trust nobody = {0};

    return q->world->trust ? trust_file(q->result, q->world->trust, &trust_map, path, fault)
                           : trust_file(q->result, &nobody, &any, path, fault);
}

static void lack(struct lookup_query *q, const char *what, const char *path, const char *why)
{
    if (q->map->optional) {
        q->answer->closed = true;
        return;
    }
    lookup_failed(q, "%s", why);
    q->answer->why = arena_printf(q->result, "%s map \"%s\": %s map file %s: %s",
                                  q->map->class_name, q->map->name, what, path, why);
}

void lookup_lacks(struct lookup_query *q, const struct trust_fault *fault)
{
    const bool is_text = strcasecmp(q->map->class_name, "text") == 0;

    lack(q, fault->error == ENOENT && !is_text ? "missing" : "unsafe", fault->file,
         trust_said(q->result, fault));
}

void lookup_unreadable(struct lookup_query *q, const char *path, int error)
{
    lack(q, "unusable", path, error == EINVAL ? "no database" : strerror(error));
}

struct map_bytes lookup_folded_key(struct lookup_query *q)
{
    char *key = arena_strndup(q->result, q->key.len ? q->key.p : "", q->key.len);
    if (!q->map->keep_case)
        map_fold(key, q->key.len);
    return (struct map_bytes){key, q->key.len};
}

/* %0 is the key, %1 to %9 what follows $@; %% is a %. */
static void add_rewritten(struct buf *b, struct map_bytes value, const struct lookup_query *q)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.p[i];
        if (c != '%' || i + 1 == value.len) {
            buf_addc(b, c);
            continue;
        }
        c = value.p[++i];
        if (c == '0')
            buf_add(b, q->key.p, q->key.len);
        else if (c > '0' && c <= '9' && (size_t)(c - '1') < q->nargs)
            buf_add(b, q->args[c - '1'].p, q->args[c - '1'].len);
        else if (c == '%')
            buf_addc(b, '%');
        else if (c < '0' || c > '9') {
            buf_addc(b, '%');
            buf_addc(b, c);
        }
    }
}

static void complete(struct lookup_query *q)
{
    struct buf b;
    buf_init(&b, q->result);
    if (q->map->match_only)
        buf_add(&b, q->key.p, q->key.len);
    else
        add_rewritten(&b, q->answer->value, q);
    if (q->map->append)
        buf_adds(&b, q->map->append);
    q->answer->value = (struct map_bytes){b.len ? b.data : "", b.len};
}

/* Maps that ask maps that ask maps: a map may name only what stands above it, but it may be
 * declared once more. */
enum { DEPTH = 16 };

void lookup_ask(struct lookup_session *s, const struct lookup_map *m, struct map_bytes key,
                const struct map_bytes *args, size_t nargs, struct arena *result,
                struct lookup_answer *answer)
{
    *answer = (struct lookup_answer){.verdict = MAP_NOT_FOUND, .value = {NULL, 0}, .why = ""};
    if (m->invalid) {
        answer->closed = true;
        return;
    }
    struct lookup_query q = {.session = s,
                             .world = &s->world,
                             .map = m,
                             .lifetime = s->arena,
                             .result = result,
                             .key = {key.p ? key.p : "", key.len},
                             .args = args,
                             .nargs = nargs,
                             .answer = answer};
    if (m->index >= s->known || s->depth >= DEPTH) {
        lookup_failed(&q, s->depth >= DEPTH ? "asks maps that ask it" : "declared too late");
        return;
    }
    q.state = &s->states[m->index];
    s->depth++;
    m->class->find(&q);
    s->depth--;
    if (answer->verdict == MAP_FOUND && !q.finished)
        complete(&q);
}

void lookup_plainly(struct lookup_session *s, const struct lookup_map *m, struct map_bytes key,
                    struct arena *result, struct lookup_answer *answer)
{
    lookup_ask(s, m, key, NULL, 0, result, answer);
}

static struct map_bytes without_quotes(struct arena *a, struct map_bytes key)
{
    if (key.len == 0 || (!memchr(key.p, '"', key.len) && !memchr(key.p, '\\', key.len)))
        return key;
    char *plain = arena_raw(a, key.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < key.len; i++) {
        if (key.p[i] == '\\' && i + 1 < key.len)
            plain[n++] = key.p[++i];
        else if (key.p[i] != '"')
            plain[n++] = key.p[i];
    }
    plain[n] = '\0';
    return (struct map_bytes){plain, n};
}

void lookup(struct lookup_session *s, const struct lookup_map *m, struct map_bytes key,
            const struct map_bytes *args, size_t nargs, struct arena *result,
            struct lookup_answer *answer)
{
    if (m->not_deferred && s->world.deferred) {
        *answer = (struct lookup_answer){.verdict = MAP_NOT_FOUND, .value = {NULL, 0}, .why = ""};
        return;
    }
    if (!m->keep_quotes)
        key = without_quotes(result, key);
    lookup_ask(s, m, key, args, nargs, result, answer);
    if (answer->verdict != MAP_TEMPFAIL)
        return;
    if (m->append_fail) {
        struct buf b;
        buf_init(&b, result);
        buf_add(&b, key.p, key.len);
        buf_adds(&b, m->append_fail);
        answer->value = (struct map_bytes){b.len ? b.data : "", b.len};
    }
    if (m->no_defer)
        answer->verdict = m->append_fail ? MAP_FOUND : MAP_NOT_FOUND;
}

void lookup_userdb(struct lookup_session *s, const char *user, const char *field,
                   struct arena *result, struct lookup_answer *answer)
{
    static const struct lookup_map userdb = {.name = "userdb", .class_name = "userdb"};
    struct lookup_query q = {.session = s,
                             .world = &s->world,
                             .map = &userdb,
                             .state = &s->userdb,
                             .lifetime = s->arena,
                             .result = result,
                             .key = {user, strlen(user)},
                             .answer = answer};

    *answer = (struct lookup_answer){.why = ""};
    lookup_userdb_all(&q, field);
}
