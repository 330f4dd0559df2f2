/*
 * map_check: `mcf map check': what is wrong with a map's source.
 *
 * Of every map: lines that are no entries, keys that are there twice, * and CIDR where a map has
 * neither.  Of an access map also: tags, verdicts, addresses, numbers (lib/model/access.def).
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "compiler/fix.h"
#include "compiler/map.h"
#include "compiler/report.h"
#include "compiler/verbs.h"
#include "grammar/map.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "lib/base/table.h"
#include "lib/maps/map_lines.h"
#include "lib/model/findings.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { PREFIXES = 64, ROUNDS = 4 };

enum value_kind { VERDICT, SPAM, NUMBER, NO, CERTIFICATE, ANY };

static const struct {
    const char *name;
    enum value_kind kind;
} tags[] = {
#define ACCESS_TAG(tag, kind) {#tag, kind},
#define ACCESS_WORD(kind, word)
#define ACCESS_START(kind, word)
#include "lib/model/access.def"
#undef ACCESS_TAG
#undef ACCESS_WORD
#undef ACCESS_START
};

static const struct {
    const char *word;
    enum value_kind kind;
    bool start; /* of the value; else the whole */
} words[] = {
#define ACCESS_TAG(tag, kind)
#define ACCESS_WORD(kind, word) {word, kind, false},
#define ACCESS_START(kind, word) {word, kind, true},
#include "lib/model/access.def"
#undef ACCESS_TAG
#undef ACCESS_WORD
#undef ACCESS_START
};

struct checking {
    struct arena *arena;
    struct diag *diag;
    const struct source *source;
    const struct map_source *map;
    struct table *keys; /* in small letters -> the entry */
    bool access;
};

static struct origin at(const struct checking *c, struct map_span s)
{
    return source_origin(c->source, s.begin, s.end - s.begin);
}

static char *text(const struct checking *c, struct map_span s)
{
    return arena_strndup(c->arena, c->map->text + s.begin, s.end - s.begin);
}

/* --- every map -------------------------------------------------------------------------------- */

static void check_fault(const struct checking *c, const struct map_entry *e)
{
    static const enum finding_id ids[] = {[MAP_ENTRY_BLANK_FIRST] = FINDING_MAP_BLANK_FIRST,
                                          [MAP_ENTRY_ONLY_BLANKS] = FINDING_MAP_ONLY_BLANKS,
                                          [MAP_ENTRY_NO_VALUE] = FINDING_MAP_NO_VALUE,
                                          [MAP_ENTRY_NUL] = FINDING_MAP_NUL};
    bool named = e->fault == MAP_ENTRY_NO_VALUE;
    struct origin place = at(c, named ? e->key : e->line);
    if (!named)
        place.len = 0;
    struct finding *f =
        finding_add(c->diag, ids[e->fault], place, named ? text(c, e->key) : "", NULL);
    if (e->fault == MAP_ENTRY_ONLY_BLANKS)
        diag_edit(c->diag, f, at(c, e->line), "");
}

static void check_again(const struct checking *c, struct map_entry *e)
{
    char *key = text(c, e->key);
    map_fold(key, strlen(key));
    const struct map_entry *first = table_get(c->keys, key);
    if (!first) {
        table_set(c->keys, key, e);
        return;
    }
    finding_add(c->diag, FINDING_MAP_AGAIN, at(c, e->key), key,
                arena_printf(c->arena, "%u", at(c, first->line).line), NULL);
}

static void check_star(const struct checking *c, const struct map_entry *e, struct map_span host)
{
    const char *s = c->map->text + host.begin;
    if (host.end - host.begin < 3 || s[0] != '*' || s[1] != '.')
        return;
    struct finding *f =
        finding_add(c->diag, FINDING_MAP_STAR, at(c, e->key), text(c, e->key), NULL);
    diag_edit(c->diag, f, at(c, (struct map_span){host.begin, host.begin + (c->access ? 2u : 1u)}),
              "");
}

/* --- addresses -------------------------------------------------------------------------------- */

/* Whether all of it is numbers and dots, and how many bytes the numbers make; -1: it is none. */
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

static void check_address(const struct checking *c, const struct map_entry *e, struct map_span host)
{
    unsigned byte[4] = {0, 0, 0, 0};
    const char *s = text(c, host), *end;
    int n = dotted(s, byte, &end);
    bool cidr = n > 0 && *end == '/' && isdigit((unsigned char)end[1]);
    if (n == 0 || (*end && !cidr))
        return;
    for (int i = 0; i < n; i++)
        if (byte[i] > 255) {
            finding_add(c->diag, FINDING_MAP_BAD_ADDRESS, at(c, host), s,
                        arena_printf(c->arena, "%u", byte[i]), NULL);
            return;
        }
    if (!cidr)
        return;
    unsigned bits = (unsigned)strtoul(end + 1, NULL, 10);
    struct map_span rest = {e->key.end, e->line.end}, before = {e->key.begin, host.begin};
    struct buf b;
    buf_init(&b, c->arena);
    struct finding *f = finding_add(c->diag, FINDING_MAP_CIDR, at(c, e->key), s, NULL);
    if (bits <= 32 && prefixes(text(c, before), byte, bits, text(c, rest), &b))
        diag_edit(c->diag, f, at(c, e->key), b.data);
}

/* --- access ----------------------------------------------------------------------------------- */

static const char *const *names_of(const struct checking *c, bool of_tags, enum value_kind kind,
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

/* The kind of its values; ANY for a tag that is not known, which is said. */
static enum value_kind check_tag(const struct checking *c, const struct map_entry *e)
{
    if (e->tag.begin == e->tag.end)
        return VERDICT;
    const char *tag = text(c, e->tag);
    for (size_t i = 0; i < COUNT(tags); i++)
        if (strcasecmp(tags[i].name, tag) == 0)
            return tags[i].kind;
    size_t n;
    const char *const *names = names_of(c, true, ANY, &n);
    struct finding *f = finding_add(c->diag, FINDING_MAP_UNKNOWN_TAG, at(c, e->tag), tag, NULL);
    finding_suggest(c->diag, f, at(c, e->tag), tag, names, n);
    return ANY;
}

static bool is_number(const char *s)
{
    size_t n = strspn(s, "0123456789");
    return n > 0 && s[n + strspn(s + n, " \t\r")] == '\0';
}

static void check_value(const struct checking *c, const struct map_entry *e, enum value_kind kind)
{
    char *value = text(c, e->value);
    size_t len = strlen(value);
    while (len > 0 && isspace((unsigned char)value[len - 1]))
        value[--len] = '\0';
    struct origin place = at(c, (struct map_span){e->value.begin, e->value.begin + len});
    if (kind == NUMBER && !is_number(value))
        finding_add(c->diag, FINDING_MAP_BAD_NUMBER, place, value, NULL);
    if (kind == ANY || kind == NUMBER)
        return;
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].kind == kind &&
            (words[i].start ? strncasecmp(value, words[i].word, strlen(words[i].word)) == 0
                            : strcasecmp(value, words[i].word) == 0))
            return;
    /* What has several words, or begins with a code, is the text of a refusal. */
    if (kind == VERDICT &&
        (isdigit((unsigned char)*value) || *value == '<' || strpbrk(value, " \t:")))
        return;
    size_t n;
    const char *const *names = names_of(c, false, kind, &n);
    struct finding *f = finding_add(c->diag, FINDING_MAP_UNKNOWN_VERDICT, place, value, NULL);
    finding_suggest(c->diag, f, place, value, names, n);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void check_source(struct arena *a, const struct source *s, bool access, struct diag *d)
{
    struct checking c = {.arena = a,
                         .diag = d,
                         .source = s,
                         .map = map_source_read(a, s->bytes, s->len),
                         .keys = table_new(a),
                         .access = access};
    for (size_t i = 0; i < c.map->n; i++) {
        struct map_entry *e = &c.map->v[i];
        struct map_span host = e->key;
        if (e->fault != MAP_ENTRY_GOOD) {
            check_fault(&c, e);
            continue;
        }
        check_again(&c, e);
        if (access) {
            if (e->tag.end > e->tag.begin)
                host.begin = e->tag.end + 1; /* the colon */
            check_value(&c, e, check_tag(&c, e));
            check_address(&c, e, host);
        }
        check_star(&c, e, host);
    }
}

struct run {
    struct source_set *sources;
    struct diag *diag;
    bool read;
};

static struct run check(struct arena *a, const char *path, bool access, const struct fix *fix)
{
    struct run r = {.sources = source_set_new(a)};
    r.diag = diag_new(a, r.sources);
    for (const struct fix_file *x = fix->files; x; x = x->next)
        if (!x->written)
            source_add(r.sources, x->path, x->text, x->len);
    int err = 0;
    const struct source *s = source_open(r.sources, path, &err);
    r.read = s->bytes != NULL;
    if (r.read)
        check_source(a, s, access, r.diag);
    else
        finding_add(r.diag, FINDING_CANNOT_READ, (struct origin){s->id, 0, 0, 0}, path,
                    strerror(err), NULL);
    return r;
}

static int check_one(const char *path, const char *kind, bool mend)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    bool access = strcmp(kind ? kind : fs_basename(path), "access") == 0;
    struct fix fix;
    fix_init(&fix, a, path, NULL);
    struct run r = check(a, path, access, &fix);
    for (int i = 0; mend && i < ROUNDS && fix_apply(&fix, r.diag, r.sources) > 0; i++)
        r = check(a, path, access, &fix);
    const char *failed = NULL;
    int err = mend ? fix_write(&fix, true, &failed) : 0;
    if (err)
        fprintf(stderr, "mcf map check: cannot write %s: %s\n", failed, strerror(err));
    if (mend)
        fwrite(fix.said.data, 1, fix.said.len, stderr);
    report(r.diag, r.sources, REPORT_TEXT, stdout);
    int rc = !r.read                              ? EXIT_NO_INPUT
             : err                                ? EXIT_CANNOT_WRITE
             : diag_count(r.diag, DIAG_ERROR) > 0 ? EXIT_FINDINGS
                                                  : 0;
    arena_free(a);
    return rc;
}

int map_check(int argc, char **argv)
{
    const char *kind = NULL;
    bool mend = false;
    int i = 1, rc = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++)
        if (strcmp(argv[i], "--fix") == 0) {
            mend = true;
        } else if (strcmp(argv[i], "-k") == 0 && i + 1 < argc) {
            kind = argv[++i];
        } else {
            fprintf(stderr, "mcf map check: there is no option %s\n", argv[i]);
            return EXIT_USAGE;
        }
    if (i == argc) {
        fputs("mcf map check: which source?\nusage: mcf map check [-k access|plain] [--fix] "
              "SOURCE...\n",
              stderr);
        return EXIT_USAGE;
    }
    for (; i < argc; i++) {
        int one = check_one(argv[i], kind, mend);
        rc = rc ? rc : one;
    }
    return rc;
}
