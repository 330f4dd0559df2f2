/*
 * map: `mcf map': databases of keys and values.
 */
#include "compiler/map.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compiler/alias_build.h"
#include "compiler/map_check.h"
#include "compiler/map_config.h"
#include "compiler/map_file.h"
#include "compiler/map_query.h"
#include "compiler/report.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "lib/base/table.h"
#include "lib/maps/map_format.h"
#include "lib/maps/map_lines.h"
#include "lib/model/findings.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *text;
} verbs[] = {
#define MAP_VERB(name, usage, text) {#name, map_##name, usage, text},
    MAP_VERBS
#undef MAP_VERB
};

static void usage(FILE *out)
{
    fputs("usage: mcf map VERB ...\n\n", out);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(out, "  mcf map %s %s\n        %s\n", verbs[i].name, verbs[i].usage, verbs[i].text);
    fputs("\n  TYPE is one of:\n", out);
    for (int t = 0; t < MAP_TYPES; t++)
        fprintf(out, "  %-8s %s\n", map_type_name((enum map_type)t),
                map_type_text((enum map_type)t));
    fputs("\n  A MAP may be named without its suffix; without -t its type is seen.  Called as "
          "makemap\n"
          "  or newaliases mcf is that program.  See mcf-map(1).\n",
          out);
}

int verb_map(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage(stdout);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    if (argc >= 2)
        fprintf(stderr, "mcf map: there is no verb %s\n", argv[1]);
    usage(stderr);
    return EXIT_USAGE;
}

/* --- options ---------------------------------------------------------------------------------- */

struct options {
    struct arena *arena;
    const char *verb;
    enum map_type type;
    bool typed; /* -t was given */
    bool nul, replace;
    bool converted; /* --to was given */
    enum map_type to;
    bool fix;
    enum map_kind kind; /* KINDS: by its name */
    const char *output;
    const char *config;
    const char **names;
    size_t n;
};

static int refuse(const struct options *o, const char *text, const char *what)
{
    fprintf(stderr, "mcf map %s: %s%s\n", o->verb, text, what);
    usage(stderr);
    return EXIT_USAGE;
}

enum { CONFIG = 256, TO, FIX }; /* beyond the letters */

static const struct option with_config[] = {{"config", required_argument, NULL, CONFIG},
                                            {NULL, 0, NULL, 0}};

/* letters, longs: the options of the verb, as getopt_long has them; -1: go on. */
static int read_options(struct options *o, const char *letters, const struct option *longs,
                        int argc, char **argv)
{
    static const struct option none = {NULL, 0, NULL, 0};
    int c;
    o->verb = argv[0];
    o->type = MAP_hash;
    o->kind = KINDS;
    opterr = 0;
    optind = 1;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return 0;
        }
    while ((c = getopt_long(argc, argv, letters, longs ? longs : &none, NULL)) != -1)
        switch (c) {
        case 't':
            o->typed = map_type_find(optarg, &o->type);
            if (!o->typed)
                return refuse(o, "there is no type ", optarg);
            break;
        case 'k':
            o->kind = map_kind_of(optarg);
            if (o->kind == KINDS)
                return refuse(o, "there is no kind ", optarg);
            break;
        case 'o':
            o->output = optarg;
            break;
        case 'N':
            o->nul = true;
            break;
        case 'r':
            o->replace = true;
            break;
        case TO:
            o->converted = map_type_find(optarg, &o->to);
            if (!o->converted)
                return refuse(o, "there is no type ", optarg);
            break;
        case FIX:
            o->fix = true;
            break;
        case CONFIG:
            o->config = optarg;
            break;
        default:
            return refuse(o, "there is no option ", argv[optind - 1]);
        }
    o->names = arena_calloc(o->arena, (size_t)(argc - optind) + 1, sizeof *o->names);
    for (; optind < argc; optind++)
        o->names[o->n++] = argv[optind];
    return -1;
}

/* --- build ------------------------------------------------------------------------------------ */

struct fault {
    enum finding_id id;
    struct origin at;
    const char *key, *first;
};

struct building {
    struct arena *arena;
    struct fault *faults;
    size_t n, room;
    time_t told; /* when the line of progress was written; 0: there is no terminal */
    bool shown;
};

static void fault(struct building *b, enum finding_id id, uint32_t line, uint32_t col, size_t len,
                  const char *key, const char *first)
{
    b->faults = arena_grow(b->arena, b->faults, b->n, &b->room, sizeof *b->faults, 64);
    b->faults[b->n++] = (struct fault){id, {0, line, col, (uint32_t)len}, key, first};
}

static void again(void *ctx, struct map_bytes key, uint32_t first, uint32_t line)
{
    struct building *b = ctx;
    size_t n = key.len - (key.len > 0 && key.p[key.len - 1] == '\0');
    fault(b, FINDING_MAP_AGAIN, line, 1, n, arena_strndup(b->arena, key.p, n),
          arena_printf(b->arena, "%u", first));
}

static void progress(void *ctx, uint64_t done, uint64_t all)
{
    struct building *b = ctx;
    time_t now = time(NULL);
    if (b->told == 0 || now == b->told)
        return;
    b->told = now;
    b->shown = true;
    if (all)
        fprintf(stderr, "\r%llu of %llu entries written", (unsigned long long)done,
                (unsigned long long)all);
    else
        fprintf(stderr, "\r%llu entries read", (unsigned long long)done);
}

static int read_source(struct building *b, struct map_build *to, int fd, bool keep_case)
{
    static const enum finding_id ids[] = {[MAP_LINE_BLANK_FIRST] = FINDING_MAP_BLANK_FIRST,
                                          [MAP_LINE_ONLY_BLANKS] = FINDING_MAP_ONLY_BLANKS,
                                          [MAP_LINE_NO_VALUE] = FINDING_MAP_NO_VALUE,
                                          [MAP_LINE_NUL] = FINDING_MAP_NUL};
    const struct map_lines_options o = {.keep_case = keep_case};
    struct map_lines *lines = map_lines_new(b->arena, fd, &o);
    struct map_line l;
    int more, rc = 0;
    while (rc == 0 && (more = map_lines_next(lines, &l)) > 0)
        if (l.fault == MAP_LINE_GOOD)
            rc = map_build_add(to, l.key, l.value, l.number);
        else
            fault(b, ids[l.fault], l.number, 1, l.key.len,
                  arena_strndup(b->arena, l.key.len ? l.key.p : "", l.key.len), "");
    map_lines_free(lines);
    return rc ? rc : more < 0 ? -more : 0;
}

static void say(struct building *b, const char *path)
{
    struct source_set *sources = source_set_new(b->arena);
    struct diag *d = diag_new(b->arena, sources);
    uint32_t file = source_open(sources, path, NULL)->id;
    for (size_t i = 0; i < b->n; i++) {
        b->faults[i].at.file = file;
        finding_add(d, b->faults[i].id, b->faults[i].at, b->faults[i].key, b->faults[i].first,
                    NULL);
    }
    report(d, sources, REPORT_TEXT, stderr);
}

int map_build_source(const struct map_terms *o, const char *source, const char *path)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    struct building b = {.arena = a, .told = isatty(STDERR_FILENO) ? time(NULL) : 0};
    const char *why;
    const struct map_build_options mo = {.type = o->type,
                                         .replace = o->replace,
                                         .nul = o->nul,
                                         .again = again,
                                         .progress = progress,
                                         .ctx = &b};
    int fd = open(source, O_RDONLY | O_CLOEXEC), rc = EXIT_NO_INPUT, err;
    if (fd < 0) {
        fprintf(stderr, "mcf map build: cannot read %s: %s\n", source, strerror(errno));
    } else if ((err = map_file_safe(path, &why)) != 0) {
        fprintf(stderr, "mcf map build: %s is not replaced: %s\n", path, why ? why : strerror(err));
        rc = EXIT_CANNOT_WRITE;
    } else {
        struct map_build *to = map_build_new(a, &mo, fs_dirname(a, path));
        const char *failed = source;
        err = read_source(&b, to, fd, o->keep_case);
        if (err == 0 && b.n == 0) {
            failed = path;
            err = map_file_write(a, to, path, false, &(struct map_file_terms){(uid_t)-1, &b.n});
        }
        map_build_free(to);
        if (b.shown)
            fputs("\r\033[K", stderr);
        if (b.n > 0) /* which reads the source again, for what its lines say */
            say(&b, source);
        if (err != 0)
            fprintf(stderr, "mcf map build: cannot %s %s: %s; %s is as it was\n",
                    failed == path ? "write" : "read", failed, strerror(err), path);
        rc = b.n              ? EXIT_BAD_INPUT
             : err == 0       ? 0
             : failed == path ? EXIT_CANNOT_WRITE
                              : EXIT_NO_INPUT;
    }
    fs_close(&fd);
    arena_free(a);
    return rc;
}

int map_build_aliases(const struct map_terms *o, const char *source, const char *path,
                      const struct config *c)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    const struct alias_job job = {.source = source,
                                  .path = path,
                                  .type = o->type,
                                  .nul = o->nul,
                                  .good_only = true,
                                  .owner = (uid_t)-1,
                                  .terms = alias_terms_of(a, c)};
    const struct alias_result r = alias_build(a, &job);
    report(r.diag, r.sources, REPORT_TEXT, stderr);
    if (r.why)
        fprintf(stderr, "mcf map build: %s is not replaced: %s\n", path, r.why);
    else if (r.error)
        fprintf(stderr, "mcf map build: cannot %s %s: %s; %s is as it was\n",
                r.failed == path ? "write" : "read", r.failed, strerror(r.error), path);
    int rc = r.error && r.failed == source ? EXIT_NO_INPUT
             : r.error                     ? EXIT_CANNOT_WRITE
             : r.first != ALIAS_GOOD       ? EXIT_BAD_INPUT
                                           : 0;
    arena_free(a);
    return rc;
}

static bool is_aliases(const struct options *o, const char *source)
{
    return (o->kind != KINDS ? o->kind : map_kind_of(fs_basename(source))) == KIND_ALIASES;
}

int map_build(int argc, char **argv)
{
    struct options o = {.arena = arena_new(verb_out_of_memory, NULL)};
    int rc = read_options(&o, "k:t:o:Nr", with_config, argc, argv);
    if (rc < 0 && o.config)
        rc = o.n || o.output || o.typed || o.nul || o.replace || o.kind != KINDS
                 ? refuse(&o, "--config says all there is to say", "")
                 : map_config_build(o.config);
    if (rc < 0 && o.n == 0)
        rc = refuse(&o, "of which source?", "");
    if (rc < 0 && o.output && o.n > 1)
        rc = refuse(&o, "-o is for one source", "");
    if (rc < 0) {
        const struct map_terms terms = {.type = o.type, .nul = o.nul, .replace = o.replace};
        rc = 0;
        for (size_t i = 0; i < o.n; i++) {
            const char *path = map_file_path(o.arena, o.type, o.output ? o.output : o.names[i]);
            int one = is_aliases(&o, o.names[i]) ? map_build_aliases(&terms, o.names[i], path, NULL)
                                                 : map_build_source(&terms, o.names[i], path);
            rc = rc ? rc : one;
        }
    }
    arena_free(o.arena);
    return rc;
}

/* --- convert ---------------------------------------------------------------------------------- */

int map_convert(int argc, char **argv)
{
    static const struct option longs[] = {{"to", required_argument, NULL, TO},
                                          {"config", required_argument, NULL, CONFIG},
                                          {"fix", no_argument, NULL, FIX},
                                          {NULL, 0, NULL, 0}};
    struct options o = {.arena = arena_new(verb_out_of_memory, NULL)};
    int rc = read_options(&o, "t:", longs, argc, argv);
    if (rc < 0 && !o.converted)
        rc = refuse(&o, "to which type? say --to TYPE", "");
    if (rc < 0 && o.n != 1)
        rc = refuse(&o, "one map at a time", "");
    if (rc < 0 && o.fix && !o.config)
        rc = refuse(&o, "--fix is for --config FILE.mc", "");
    if (rc < 0) {
        const struct map_convert_terms terms = {.to = o.to, .config = o.config, .fix = o.fix};
        rc = map_convert_file(o.names[0], o.typed ? &o.type : NULL, &terms);
    }
    arena_free(o.arena);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct map *map_open_named(const char *verb, struct arena *a, const enum map_type *type, bool many,
                           const char *name, enum map_type *found)
{
    int err = ENOENT;
    const char *why = NULL;
    for (int t = type ? (int)*type : 0; t < (type ? (int)*type + 1 : MAP_TYPES); t++) {
        struct map *m;
        const char *path = map_file_path(a, (enum map_type)t, name);
        if (!fs_exists(path))
            path = name;
        /* A cdb has no mark of its own: what has another's is none. */
        if (!type && t == MAP_cdb && map_format_of(path).can != MAP_FORMAT_NONE)
            continue;
        int rc = (many ? map_open_many : map_open)(a, (enum map_type)t, path, &m);
        if (rc == 0) {
            if (found)
                *found = (enum map_type)t;
            return m;
        }
        if (rc != ENOENT)
            err = rc;
        if (rc == EINVAL && !why)
            why = map_file_trouble(a, (enum map_type)t, path);
    }
    fprintf(stderr, "mcf map %s: cannot read %s: %s\n", verb, name,
            why             ? why
            : err == EINVAL ? "it is no database of that type, or damaged"
                            : strerror(err));
    return NULL;
}

static struct map *open_map(const struct options *o, bool many, const char *name)
{
    return map_open_named(o->verb, o->arena, o->typed ? &o->type : NULL, many, name, NULL);
}

static void print(struct map_bytes b)
{
    fwrite(b.p, 1, b.len, stdout);
}

int map_dump(int argc, char **argv)
{
    struct options o = {.arena = arena_new(verb_out_of_memory, NULL)};
    int rc = read_options(&o, "t:", NULL, argc, argv);
    if (rc < 0 && o.n != 1)
        rc = refuse(&o, "one map at a time", "");
    if (rc < 0) {
        struct map *m = open_map(&o, false, o.names[0]);
        struct map_bytes key, value;
        enum map_verdict v = MAP_TEMPFAIL;
        while (m && (v = map_next(m, &key, &value)) == MAP_FOUND) {
            print(key);
            putchar('\t');
            print(value);
            putchar('\n');
        }
        map_close(m);
        rc = v == MAP_NOT_FOUND && fflush(stdout) == 0 ? 0 : EXIT_NO_INPUT;
        if (m && v == MAP_TEMPFAIL)
            fprintf(stderr, "mcf map dump: %s cannot be read to its end\n", o.names[0]);
    }
    arena_free(o.arena);
    return rc;
}

/* MAP_FOUND: its line is printed. */
static enum map_verdict query(struct map *m, char *key, size_t len, struct map_bytes *value)
{
    map_fold(key, len);
    enum map_verdict v = map_get(m, (struct map_bytes){key, len}, value);
    if (v == MAP_FOUND) {
        print((struct map_bytes){key, len});
        putchar('\t');
        print(*value);
        putchar('\n');
    }
    return v;
}

/* A key a line; those that are there are printed. */
static int query_lines(struct map *m)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = 0;
    /* There is one thread: locks are work for nothing. */
    __fsetlocking(stdin, FSETLOCKING_BYCALLER);
    __fsetlocking(stdout, FSETLOCKING_BYCALLER);
    while ((n = getline(&line, &room, stdin)) >= 0) {
        struct map_bytes value;
        size_t len = (size_t)n - (n > 0 && line[n - 1] == '\n');
        enum map_verdict v = query(m, line, len, &value);
        if (v == MAP_TEMPFAIL)
            rc = EXIT_NO_INPUT;
        else if (v == MAP_NOT_FOUND && rc == 0)
            rc = EXIT_DIFFERENT;
    }
    free(line);
    return rc;
}

int map_query(int argc, char **argv)
{
    struct options o = {.arena = arena_new(verb_out_of_memory, NULL)};
    int rc = read_options(&o, "t:", with_config, argc, argv);
    if (rc < 0 && o.n < 2)
        rc = refuse(&o, "of which map, and for which key?", "");
    if (rc < 0 && o.config && o.typed)
        rc = refuse(&o, "--config says the type: leave -t out", "");
    if (rc < 0 && o.config)
        rc = map_query_config(o.config, o.names[0], o.names + 1, o.n - 1);
    if (rc < 0) {
        bool lines = o.n == 2 && strcmp(o.names[1], "-") == 0;
        struct map *m = open_map(&o, lines, o.names[0]);
        rc = !m ? EXIT_NO_INPUT : lines ? query_lines(m) : 0;
        for (size_t i = 1; m && !lines && i < o.n; i++) {
            char *key = arena_strdup(o.arena, o.names[i]);
            struct map_bytes value;
            enum map_verdict v = query(m, key, strlen(key), &value);
            if (v == MAP_FOUND)
                continue;
            printf("%s\t%s\n", key,
                   v == MAP_NOT_FOUND ? "(not found)" : "(cannot be said: the file is damaged)");
            rc = v == MAP_NOT_FOUND && rc != EXIT_NO_INPUT ? EXIT_DIFFERENT : EXIT_NO_INPUT;
        }
        map_close(m);
    }
    arena_free(o.arena);
    return rc;
}

/* --- diff ------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct table_entry *)a)->key, ((const struct table_entry *)b)->key);
}

/* Everything in the map, as text; NULL: it cannot be read. */
static struct table *all_of(const struct options *o, const char *name)
{
    struct map *m = open_map(o, false, name);
    struct table *t = m ? table_new(o->arena) : NULL;
    struct map_bytes key, value;
    enum map_verdict v;
    while (m && (v = map_next(m, &key, &value)) == MAP_FOUND)
        table_set(t, arena_strndup(o->arena, key.p, key.len),
                  arena_strndup(o->arena, value.p, value.len));
    map_close(m);
    if (m && v == MAP_TEMPFAIL) {
        fprintf(stderr, "mcf map diff: %s cannot be read to its end\n", name);
        return NULL;
    }
    return t;
}

int map_diff(int argc, char **argv)
{
    struct options o = {.arena = arena_new(verb_out_of_memory, NULL)};
    int rc = read_options(&o, "t:", NULL, argc, argv);
    if (rc < 0 && o.n != 2)
        rc = refuse(&o, "between which two maps?", "");
    if (rc < 0) {
        const struct table *old = all_of(&o, o.names[0]);
        const struct table *new = old ? all_of(&o, o.names[1]) : NULL;
        size_t n = 0;
        rc = new ? 0 : EXIT_NO_INPUT;
        struct table_entry *lines =
            new ? arena_calloc(o.arena, table_count(old) + table_count(new) + 1, sizeof *lines)
                : NULL;
        for (size_t i = 0; new &&i < table_count(old); i++)
            lines[n++] = *table_at(old, i);
        for (size_t i = 0; new &&i < table_count(new); i++)
            if (!table_has(old, table_at(new, i)->key))
                lines[n++] = *table_at(new, i);
        if (n)
            qsort(lines, n, sizeof *lines, by_key);
        for (size_t i = 0; i < n; i++) {
            const char *was = table_get(old, lines[i].key), *is = table_get(new, lines[i].key);
            if (was && is && strcmp(was, is) == 0)
                continue;
            if (was)
                printf("-%s\t%s\n", lines[i].key, was);
            if (is)
                printf("+%s\t%s\n", lines[i].key, is);
            rc = EXIT_DIFFERENT;
        }
    }
    arena_free(o.arena);
    return rc;
}
