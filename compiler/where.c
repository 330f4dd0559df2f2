/*
 * where: `mcf where OUT.cf:LINE` says which line of the .mc or of rulesets/ a line comes from.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/source_map.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"

static const char help[] = "usage: mcf where [--map FILE] OUT.cf:LINE...\n"
                           "\n"
                           "  Says which line of the .mc, or which line of rulesets/, a line of "
                           "OUT.cf comes from, and the\n"
                           "  directive that caused it.  Needs the map that `mcf build -o OUT.cf "
                           "--map OUT.cf.map' writes.\n"
                           "\n"
                           "  --map FILE  the map (default: OUT.cf.map)\n";

/* Splits PATH:LINE; false when there is no line number. */
static bool parse_place(struct arena *a, const char *arg, const char **path, size_t *line)
{
    const char *colon = strrchr(arg, ':');
    char *end;
    unsigned long n;

    if (!colon || colon == arg || colon[1] < '1' || colon[1] > '9')
        return false;
    errno = 0;
    n = strtoul(colon + 1, &end, 10);
    if (*end || errno)
        return false;
    *path = arena_strndup(a, arg, (size_t)(colon - arg));
    *line = n;
    return true;
}

static size_t count_lines(const char *bytes, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += bytes[i] == '\n';
    return n + (len > 0 && bytes[len - 1] != '\n');
}

static void answer(const char *path, size_t line, const struct source_map_entry *e)
{
    printf("%s:%zu: ", path, line);
    if (!e) {
        puts("written by mcf itself, for no line of the .mc");
        return;
    }
    if (e->path[0])
        printf("%s:%zu", e->path, e->line + (e->in_step ? line - e->first : 0));
    if (e->cause_path[0]) {
        printf("%s%s:%zu", e->path[0] ? ", because of " : "because of ", e->cause_path,
               e->cause_line);
        if (e->cause_text[0])
            printf(" %s", e->cause_text);
    }
    putchar('\n');
}

static int where(struct arena *a, const char *map_path, const char *path, size_t line)
{
    char *cf, *text;
    size_t cf_len, len;
    const char *why;
    struct source_map *m;
    int err;

    if (!map_path)
        map_path = arena_printf(a, "%s.map", path);
    if ((err = fs_read(a, path, 0, &cf, &cf_len)) != 0) {
        fprintf(stderr, "mcf where: cannot read %s: %s\n", path, strerror(err));
        return EXIT_NO_INPUT;
    }
    if ((err = fs_read(a, map_path, 0, &text, &len)) != 0) {
        fprintf(stderr, "mcf where: cannot read the map %s: %s\n", map_path, strerror(err));
        if (err == ENOENT)
            fprintf(stderr, "  `mcf build -o %s --map %s FILE.mc' writes it\n", path, map_path);
        return EXIT_NO_INPUT;
    }
    m = source_map_read(a, text, len, &why);
    if (!m) {
        fprintf(stderr, "mcf where: %s is no map: %s\n", map_path, why);
        return EXIT_BAD_INPUT;
    }
    if (!source_map_fits(m, cf, cf_len)) {
        fprintf(stderr, "mcf where: %s does not belong to %s: ", map_path, path);
        if (m->cf_size != cf_len)
            fprintf(stderr, "it was made for %zu bytes, the file has %zu\n", m->cf_size, cf_len);
        else
            fputs("the file has changed since\n", stderr);
        fprintf(stderr, "  build both again: mcf build -o %s --map %s FILE.mc\n", path, map_path);
        return EXIT_BAD_INPUT;
    }
    if (line > count_lines(cf, cf_len)) {
        fprintf(stderr, "mcf where: %s has %zu lines, there is no line %zu\n", path,
                count_lines(cf, cf_len), line);
        return EXIT_BAD_INPUT;
    }
    answer(path, line, source_map_find(m, line));
    return 0;
}

int verb_where(int argc, char **argv)
{
    const char *map = NULL;
    int places = 0, rc = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--map") == 0 && i + 1 < argc) {
            map = argv[++i];
        } else if (strncmp(argv[i], "--map=", 6) == 0 && argv[i][6]) {
            map = argv[i] + 6;
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "mcf where: there is no option %s, or it lacks its value\n%s", argv[i],
                    help);
            return EXIT_USAGE;
        } else {
            argv[places++] = argv[i];
        }
    }
    if (places == 0) {
        fprintf(stderr, "mcf where: which line?\n%s", help);
        return EXIT_USAGE;
    }

    struct arena *a = arena_new(verb_out_of_memory, NULL);

    for (int i = 0; i < places && rc == 0; i++) {
        const char *path;
        size_t line;

        if (parse_place(a, argv[i], &path, &line)) {
            rc = where(a, map, path, line);
        } else {
            fprintf(stderr, "mcf where: %s: a place is FILE.cf:LINE\n", argv[i]);
            rc = EXIT_USAGE;
        }
    }
    if (fflush(stdout) != 0 && rc == 0) {
        fprintf(stderr, "mcf where: cannot write standard output: %s\n", strerror(errno));
        rc = EXIT_CANNOT_WRITE;
    }
    arena_free(a);
    return rc;
}
