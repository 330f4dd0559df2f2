/*
 * build: `mcf build`: an .mc becomes a .cf, whole or not at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/lower.h"
#include "compiler/source_map.h"
#include "compiler/template.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "grammar/cf.h"
#include "lib/model/compare.h"
#include "lib/model/config.h"

struct arguments {
    const char *file, *output, *map, *compare_with, *backup;
    struct lower_options lower;
};

static const char help[] =
    "usage: mcf build [-o FILE] [-I DIR]... [-D NAME[=VALUE]]... [--lax] [--werror]\n"
    "                 [--compare-with OLD.cf] [--backup SUFFIX] [--map FILE] [--allow-commands] "
    "FILE.mc\n"
    "\n"
    "  -o FILE               write FILE, whole or not at all (default: standard output)\n"
    "  -I DIR                look for includes and for feature/, mailer/, ostype/, domain/, hack/\n"
    "                        files here too\n"
    "  -D NAME[=VALUE]       as define(`NAME', `VALUE') before the file's first line\n"
    "  --lax                 what the reference prints as an ERROR and survives is a warning\n"
    "  --werror              a warning is an error\n"
    "  --compare-with OLD.cf say on standard error what changes against OLD.cf\n"
    "  --backup SUFFIX       keep the FILE that -o replaces as FILESUFFIX\n"
    "  --map FILE            write a source map for `mcf where'\n"
    "  --allow-commands      let the file's syscmd and esyscmd run\n";

/* The value of option argv[*i], in the same word or the next; NULL where there is none. */
static const char *value(int argc, char **argv, int *i, size_t name)
{
    if (argv[*i][name])
        return argv[*i] + name + (argv[*i][name] == '=' && name > 2);
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static bool is(const char *arg, const char *option)
{
    size_t n = strlen(option);
    return strncmp(arg, option, n) == 0 && (arg[n] == '\0' || arg[n] == '=');
}

/* 0, or an exit code; -1: help was asked for. */
static int parse(struct arena *a, int argc, char **argv, struct arguments *o)
{
    const char **dirs = arena_calloc(a, (size_t)argc + 1, sizeof *dirs);
    struct m4_define **tail = NULL, *defines = NULL;
    size_t ndirs = 0;
    bool only_files = false;
    tail = &defines;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *v = NULL;
        if (only_files || arg[0] != '-' || arg[1] == '\0') {
            if (o->file) {
                fprintf(stderr, "mcf build: one .mc at a time: %s and %s\n", o->file, arg);
                return EXIT_USAGE;
            }
            o->file = arg;
            continue;
        }
        const char **to = NULL;
        size_t name = 2;
        if (strcmp(arg, "--") == 0) {
            only_files = true;
            continue;
        }
        if (strcmp(arg, "--help") == 0)
            return -1;
        if (strcmp(arg, "--lax") == 0) {
            o->lower.lax = true;
            continue;
        }
        if (strcmp(arg, "--werror") == 0) {
            o->lower.werror = true;
            continue;
        }
        if (strcmp(arg, "--allow-commands") == 0) {
            o->lower.allow_commands = true;
            continue;
        }
        if (strncmp(arg, "-o", 2) == 0) {
            to = &o->output;
        } else if (is(arg, "--map")) {
            to = &o->map;
            name = strlen("--map");
        } else if (is(arg, "--backup")) {
            to = &o->backup;
            name = strlen("--backup");
        } else if (is(arg, "--compare-with")) {
            to = &o->compare_with;
            name = strlen("--compare-with");
        } else if (strncmp(arg, "-I", 2) != 0 && strncmp(arg, "-D", 2) != 0) {
            fprintf(stderr, "mcf build: there is no option %s\n%s", arg, help);
            return EXIT_USAGE;
        }
        v = value(argc, argv, &i, name);
        if (!v || !*v) {
            fprintf(stderr, "mcf build: %s needs a value\n", arg);
            return EXIT_USAGE;
        }
        if (to) {
            *to = v;
        } else if (arg[1] == 'I') {
            dirs[ndirs++] = v;
        } else {
            struct m4_define *d = arena_alloc(a, sizeof *d);
            const char *eq = strchr(v, '=');
            d->name = eq ? arena_strndup(a, v, (size_t)(eq - v)) : v;
            d->value = eq ? eq + 1 : NULL;
            if (!*d->name) {
                fprintf(stderr, "mcf build: -D needs a name: %s\n", arg);
                return EXIT_USAGE;
            }
            *tail = d;
            tail = &d->next;
        }
    }
    o->lower.include_dirs = dirs;
    o->lower.defines = defines;
    if (!o->file) {
        fprintf(stderr, "mcf build: which .mc?\n%s", help);
        return EXIT_USAGE;
    }
    return 0;
}

/* Says on standard error what changes against the old file. */
static void say_changes(struct arena *a, struct source_set *sources, const struct config *c,
                        const char *old_path)
{
    int err = 0;
    struct source *s = source_open(sources, old_path, &err);
    if (!s->bytes) {
        fprintf(stderr, "mcf: nothing to compare with: %s: %s\n", old_path, strerror(err));
        return;
    }
    struct config *old = config_new(a, sources);
    cf_read(old, s->bytes, s->len, s, NULL, false, NULL);
    struct difference *d = config_compare(a, old, c);
    if (!d) {
        fprintf(stderr, "mcf: the same configuration as %s\n", old_path);
        return;
    }
    struct buf b;
    buf_init(&b, a);
    size_t rulesets = 0;
    for (; d; d = d->next)
        if (d->section == ITEM_RULESET || d->section == ITEM_RULE)
            rulesets++;
        else
            difference_print(d, &b);
    fprintf(stderr, "mcf: what changes against %s:\n%s", old_path, b.data);
    if (rulesets)
        fprintf(stderr, "  rules of %zu ruleset%s (`mcf diff' lists them)\n", rulesets,
                rulesets == 1 ? "" : "s");
}

/* Tests leave out one block of rulesets/ and see who notices: MCF_TEST_KNOCKOUT is its number. */
static uint32_t knockout(void)
{
    const char *n = getenv("MCF_TEST_KNOCKOUT");
    return n ? (uint32_t)strtoul(n, NULL, 10) : 0;
}

/* MCF_TEST_KNOCKOUT=list: the blocks by number and place. */
static bool list_blocks(void)
{
    const char *n = getenv("MCF_TEST_KNOCKOUT");
    if (!n || strcmp(n, "list") != 0)
        return false;
    const char *path;
    uint32_t line;
    for (uint32_t i = 1; template_block_place(&template_rulesets, i, &path, &line); i++)
        printf("%u %s:%u\n", i, path, line);
    return true;
}

static int write_output(struct arena *a, const struct arguments *o, const struct config *c)
{
    struct buf out;
    buf_init(&out, a);
    config_emit(c, &out);
    int err = 0;
    if (o->output) {
        if (o->backup && fs_exists(o->output) && (err = fs_backup(o->output, o->backup)) != 0) {
            fprintf(stderr, "mcf: cannot keep %s as %s%s: %s\n", o->output, o->output, o->backup,
                    strerror(err));
            return EXIT_CANNOT_WRITE;
        }
        err = fs_write_whole(o->output, out.data, out.len, 0644);
        if (err) {
            fprintf(stderr, "mcf: cannot write %s: %s\n", o->output, strerror(err));
            return EXIT_CANNOT_WRITE;
        }
    } else if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
        fprintf(stderr, "mcf: cannot write standard output: %s\n", strerror(errno));
        return EXIT_CANNOT_WRITE;
    }
    if (o->map) {
        struct buf map;
        buf_init(&map, a);
        source_map_write(&map, c, o->output ? o->output : "-", out.data, out.len);
        err = fs_write_whole(o->map, map.data, map.len, 0644);
        if (err) {
            fprintf(stderr, "mcf: cannot write %s: %s\n", o->map, strerror(err));
            return EXIT_CANNOT_WRITE;
        }
    }
    return 0;
}

int verb_build(int argc, char **argv)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    struct arguments o = {.file = NULL};
    if (list_blocks()) {
        arena_free(a);
        return 0;
    }
    int rc = parse(a, argc, argv, &o);
    if (rc < 0) {
        fputs(help, stdout);
        arena_free(a);
        return 0;
    }
    if (rc == 0) {
        struct source_set *sources = source_set_new(a);
        struct diag *d = diag_new(a, sources);
        struct config *c = config_new(a, sources);
        o.lower.knockout = knockout();
        bool good = lower_mc(c, o.file, &o.lower, d);
        diag_print(d, stderr, isatty(2) && !getenv("NO_COLOR"));
        const struct source *s = source_find(sources, o.file);
        if (!good)
            rc = s && s->bytes ? EXIT_BAD_INPUT : EXIT_NO_INPUT;
        else {
            if (o.compare_with)
                say_changes(a, sources, c, o.compare_with);
            rc = write_output(a, &o, c);
        }
    }
    arena_free(a);
    return rc;
}
