/*
 * build: `mcf build`: an .mc becomes a .cf, whole or not at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/arguments.h"
#include "compiler/lower.h"
#include "compiler/report.h"
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
#include "lib/model/findings.h"

/* What changes against the file at old_path, in words. */
static char *changes(struct arena *a, const struct config *c, const char *old_path)
{
    struct source_set *sources = source_set_new(a);
    int err = 0;
    struct source *s = source_open(sources, old_path, &err);
    if (!s->bytes)
        return arena_printf(a, "mcf: nothing to compare with: %s: %s\n", old_path, strerror(err));
    struct config *old = config_new(a, sources);
    cf_read(old, s->bytes, s->len, s, NULL, false, NULL);
    struct difference *d = config_compare(a, old, c);
    if (!d)
        return arena_printf(a, "mcf: the same configuration as %s\n", old_path);
    struct buf b;
    buf_init(&b, a);
    buf_printf(&b, "mcf: what changes against %s:\n", old_path);
    size_t rulesets = 0;
    for (; d; d = d->next)
        if (d->section == ITEM_RULESET || d->section == ITEM_RULE)
            rulesets++;
        else
            difference_print(d, &b);
    if (rulesets)
        buf_printf(&b, "  rules of %zu ruleset%s (`mcf diff' lists them)\n", rulesets,
                   rulesets == 1 ? "" : "s");
    return b.data;
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

static int cannot_write(struct diag *d, const char *what, int err)
{
    finding_add(d, FINDING_CANNOT_WRITE, (struct origin){0, 0, 0, 0}, what, strerror(err), NULL);
    return EXIT_CANNOT_WRITE;
}

static int write_output(struct arena *a, const struct arguments *o, const struct config *c,
                        struct diag *d)
{
    struct buf out;
    buf_init(&out, a);
    config_emit(c, &out);
    int err = 0;
    if (o->output) {
        if (o->backup && fs_exists(o->output) && (err = fs_backup(o->output, o->backup)) != 0)
            return cannot_write(d, arena_printf(a, "%s%s", o->output, o->backup), err);
        err = fs_write_whole(o->output, out.data, out.len, 0644);
        if (err)
            return cannot_write(d, o->output, err);
    } else if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
        return cannot_write(d, "standard output", errno);
    }
    if (o->map) {
        struct buf map;
        buf_init(&map, a);
        source_map_write(&map, c, o->output ? o->output : "-", out.data, out.len);
        err = fs_write_whole(o->map, map.data, map.len, 0644);
        if (err)
            return cannot_write(d, o->map, err);
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
    int rc = arguments_parse(a, ARGUMENTS_BUILD, argc, argv, &o);
    if (rc == 0) {
        struct source_set *sources = source_set_new(a);
        struct diag *d = diag_new(a, sources);
        struct config *c = config_new(a, sources);
        o.lower.knockout = knockout();
        bool good = lower_mc(c, o.file, &o.lower, d);
        const struct source *s = source_find(sources, o.file);
        const char *changed = NULL;
        if (!good) {
            rc = s && s->bytes ? EXIT_BAD_INPUT : EXIT_NO_INPUT;
        } else {
            if (o.compare_with) /* which may be the file that is written */
                changed = changes(a, c, o.compare_with);
            rc = write_output(a, &o, c, d);
        }
        report(d, sources, o.format, stderr);
        if (changed)
            fputs(changed, stderr);
    }
    arena_free(a);
    return rc < 0 ? 0 : rc;
}
