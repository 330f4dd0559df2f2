#include "compiler/makemap.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "compiler/cf_file.h"
#include "compiler/map_file.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "lib/maps/map_lines.h"
#include "lib/model/config.h"

enum { LONGEST = 1022 }; /* bytes of a line, as in the reference */

static const char usage[] =
    "usage: makemap [-C FILE.cf] [-D CHAR] [-t CHAR] [-c BYTES] [-i TYPE] [-Ndeforsv] TYPE MAP\n"
    "       makemap -u [-C FILE.cf] [-D CHAR] [-t CHAR] [-s] TYPE MAP\n"
    "       makemap -l\n"
    "\n"
    "  Makes the database MAP of the lines of standard input: a key, blanks, a value.\n"
    "\n"
    "  -C FILE.cf  whose TrustedUser owns a new map, where root makes it\n"
    "  -D CHAR     begins remarks, instead of #\n"
    "  -N          keys and values end with a NUL byte\n"
    "  -c BYTES    memory of the database library\n"
    "  -d          a key may have several values (btree)\n"
    "  -e          a value may be missing\n"
    "  -f          capitals of keys stay capitals\n"
    "  -i TYPE     what is made where TYPE is unknown\n"
    "  -l          prints the types that there are\n"
    "  -o          adds to a map that is there\n"
    "  -r          a key that comes again replaces the one before\n"
    "  -s          links are no reason to refuse a map\n"
    "  -t CHAR     stands between key and value, instead of blanks\n"
    "  -u          prints a map instead\n"
    "  -v          prints each line that is taken\n";

struct makemap {
    struct arena *arena;
    const char *type_name, *fallback, *name;
    const char *cf;
    char delimiter, comment;
    bool nul, duplicates, empty, keep_case, append, replace, unsafe, dump, verbose;
    size_t cache;
    struct fault {
        uint32_t line;
        const char *text;
    } * faults;
    size_t nfaults, room;
};

/* --- saying ----------------------------------------------------------------------------------- */

static void fault(struct makemap *m, uint32_t line, const char *text)
{
    m->faults = arena_grow(m->arena, m->faults, m->nfaults, &m->room, sizeof *m->faults, 64);
    m->faults[m->nfaults++] = (struct fault){line, text};
}

static int by_line(const void *a, const void *b)
{
    const struct fault *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

static void again(void *ctx, struct map_bytes key, uint32_t first, uint32_t line)
{
    struct makemap *m = ctx;
    int n = (int)(key.len - (m->nul && key.len > 0)); /* a line is short */
    fault(m, line,
          first
              ? arena_printf(m->arena, "key %.*s: duplicate key (line %u has it)", n, key.p, first)
              : arena_printf(m->arena, "key %.*s: duplicate key (the map has it)", n, key.p));
}

static void say_faults(struct makemap *m)
{
    if (m->nfaults)
        qsort(m->faults, m->nfaults, sizeof *m->faults, by_line);
    for (size_t i = 0; i < m->nfaults; i++)
        fprintf(stderr, "makemap: %s: line %u: %s\n", m->name, m->faults[i].line,
                m->faults[i].text);
}

static int cannot_open(const struct makemap *m, const char *why)
{
    fprintf(stderr, "makemap: cannot open the %s map %s: %s\n", m->type_name, m->name, why);
    return EX_CANTCREAT;
}

/* --- options ---------------------------------------------------------------------------------- */

static bool is_type(const char *name, enum map_type *type)
{
    if (strcmp(name, "implicit") == 0)
        name = map_type_name(MAP_hash);
    return map_type_find(name, type);
}

/* -1, or the exit code. */
static int read_options(struct makemap *m, int argc, char **argv)
{
    int c;
    opterr = 0;
    while ((c = getopt(argc, argv, "+C:D:Nc:defi:lorst:uvx")) != -1)
        switch (c) {
        case 'C':
            m->cf = optarg;
            break;
        case 'D':
            m->comment = *optarg;
            break;
        case 'N':
            m->nul = true;
            break;
        case 'c':
            m->cache = (size_t)strtoul(optarg, NULL, 10);
            break;
        case 'd':
            m->duplicates = true;
            break;
        case 'e':
            m->empty = true;
            break;
        case 'f':
            m->keep_case = true;
            break;
        case 'i':
            m->fallback = optarg;
            break;
        case 'l':
            for (int t = 0; t < MAP_TYPES; t++)
                puts(map_type_name((enum map_type)t));
            puts("implicit");
            return EX_OK;
        case 'o':
            m->append = true;
            break;
        case 'r':
            m->replace = true;
            break;
        case 's':
            m->unsafe = true;
            break;
        case 't':
            m->delimiter = *optarg;
            break;
        case 'u':
            m->dump = true;
            break;
        case 'v':
            m->verbose = true;
            break;
        case 'x':
            for (int t = 0; t < MAP_TYPES; t++)
                printf("%s:%s\n", map_type_name((enum map_type)t),
                       map_type_suffix((enum map_type)t) + 1);
            puts("implicit:");
            return EX_OK;
        default:
            fputs(usage, stderr);
            return EX_USAGE;
        }
    if (argc - optind != 2) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    m->type_name = argv[optind];
    m->name = argv[optind + 1];
    return -1;
}

/* A user of this system, whose daemons have theirs in its own file. */
static uid_t user_id(const char *name)
{
    char *end;
    unsigned long id = strtoul(name, &end, 10);
    uid_t found = *name && !*end && id < UINT_MAX ? (uid_t)id : (uid_t)-1;
    FILE *f = fopen("/etc/passwd", "re");
    for (struct passwd *p; f && (p = fgetpwent(f)) != NULL;)
        if (strcmp(p->pw_name, name) == 0)
            found = p->pw_uid;
    if (f)
        fclose(f);
    return found;
}

uid_t makemap_trusted_user(const struct config *c)
{
    const char *name = NULL;
    for (const struct item *it = c->first; it; it = it->next)
        if (it->kind == ITEM_OPTION && strcasecmp(it->name, "TrustedUser") == 0)
            name = it->value;
    return name && geteuid() == 0 ? user_id(name) : (uid_t)-1;
}

/* The user whom the .cf trusts; -1 where there is none. */
static uid_t trusted_user(struct makemap *m, int *rc)
{
    const char *cf = m->cf ? m->cf : MAKEMAP_CF;
    *rc = EX_OK;
    if (access(cf, R_OK) != 0) {
        if (m->cf) {
            fprintf(stderr, "makemap: %s: %s\n", cf, strerror(errno));
            *rc = EX_NOINPUT;
        }
        return (uid_t)-1;
    }
    if (geteuid() != 0)
        return (uid_t)-1;
    struct source_set *sources = source_set_new(m->arena);
    const struct config *c =
        cf_file_read("makemap", m->arena, sources, cf, false, diag_new(m->arena, sources));
    return c ? makemap_trusted_user(c) : (uid_t)-1;
}

/* --- the work --------------------------------------------------------------------------------- */

static int dump(struct makemap *m, enum map_type type, const char *path)
{
    struct map *map;
    struct map_bytes key, value;
    enum map_verdict v;
    int rc = map_open(m->arena, type, path, &map);
    const char *why = rc == EINVAL ? map_file_trouble(m->arena, type, path) : NULL;
    if (rc != 0)
        return cannot_open(m, why ? why : strerror(rc));
    while ((v = map_next(map, &key, &value)) == MAP_FOUND) {
        fwrite(key.p, 1, key.len, stdout);
        putchar(m->delimiter ? m->delimiter : '\t');
        fwrite(value.p, 1, value.len, stdout);
        putchar('\n');
    }
    map_close(map);
    if (v == MAP_TEMPFAIL) {
        fprintf(stderr, "makemap: %s cannot be read to its end\n", m->name);
        return EX_IOERR;
    }
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static const char *fault_text(struct makemap *m, const struct map_line *l)
{
    switch (l->fault) {
    case MAP_LINE_BLANK_FIRST:
    case MAP_LINE_ONLY_BLANKS:
        return "syntax error: the line begins with a blank";
    case MAP_LINE_NUL:
        return "syntax error: the line has a NUL byte";
    case MAP_LINE_LONG:
        return arena_printf(m->arena, "line too long (%d bytes max)", LONGEST);
    case MAP_LINE_NO_VALUE:
        return arena_printf(m->arena, "no value (right-hand side) for %.*s", (int)l->key.len,
                            l->key.p);
    case MAP_LINE_GOOD:
        break;
    }
    return "";
}

static int read_lines(struct makemap *m, struct map_build *b)
{
    const struct map_lines_options o = {m->delimiter, m->comment, m->keep_case, m->empty, LONGEST};
    struct map_lines *lines = map_lines_new(m->arena, STDIN_FILENO, &o);
    struct map_line l;
    int more, rc = 0;
    while (rc == 0 && (more = map_lines_next(lines, &l)) > 0) {
        if (l.fault != MAP_LINE_GOOD) {
            fault(m, l.number, fault_text(m, &l));
            continue;
        }
        if (m->verbose)
            printf("key=`%.*s', val=`%.*s'\n", (int)l.key.len, l.key.p, (int)l.value.len,
                   l.value.p);
        rc = map_build_add(b, l.key, l.value, l.number);
    }
    map_lines_free(lines);
    return rc ? rc : more < 0 ? -more : 0;
}

static int make(struct makemap *m, enum map_type type, const char *path, uid_t owner)
{
    const struct map_build_options o = {.type = type,
                                        .duplicates = m->duplicates,
                                        .replace = m->replace,
                                        .nul = m->nul,
                                        .cache = m->cache,
                                        .again = again,
                                        .ctx = m};
    struct map_build *b = map_build_new(m->arena, &o, fs_dirname(m->arena, path));
    int rc = read_lines(m, b);
    if (rc == 0)
        rc = map_file_write(m->arena, b, path, m->append, &(struct map_file_terms){owner, NULL});
    map_build_free(b);
    say_faults(m);
    if (rc != 0) {
        fprintf(stderr, "makemap: %s is not written: %s\n", m->name, strerror(rc));
        return EX_IOERR;
    }
    return m->nfaults ? EX_DATAERR : EX_OK;
}

int makemap_main(int argc, char **argv)
{
    struct makemap m = {.arena = arena_new(verb_out_of_memory, NULL)};
    enum map_type type;
    const char *why;
    int rc = read_options(&m, argc, argv);
    if (rc >= 0) {
        arena_free(m.arena);
        return rc;
    }
    uid_t owner = trusted_user(&m, &rc);
    if (rc == EX_OK) {
        if (!is_type(m.type_name, &type) && !(m.fallback && is_type(m.fallback, &type))) {
            rc = cannot_open(&m, "there is no such type (makemap -l lists them)");
        } else {
            const char *path = map_file_path(m.arena, type, m.name);
            int err = m.unsafe ? 0 : map_file_safe(path, &why);
            if (err != 0)
                rc = cannot_open(&m, why ? arena_printf(m.arena, "%s; mend it: rm %s", why, path)
                                         : strerror(err));
            else if (m.dump)
                rc = dump(&m, type, path);
            else if (access(m.append ? path : fs_dirname(m.arena, path), F_OK) != 0)
                rc = cannot_open(&m, strerror(errno));
            else
                rc = make(&m, type, path, owner);
        }
    }
    arena_free(m.arena);
    return rc;
}
