/*
 * diff: `mcf diff A.cf B.cf` says what differs between two configurations.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/cf_file.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/model/compare.h"
#include "lib/model/json.h"

static const char help[] =
    "usage: mcf diff [--json] A.cf B.cf\n"
    "\n"
    "  Says what differs between two configurations, one line a difference:\n"
    "    - option NAME: VALUE        only A.cf has it\n"
    "    + option NAME: VALUE        only B.cf has it\n"
    "    ~ option NAME: OLD -> NEW   both have it\n"
    "  Order, blanks and comments count only where they mean something.  Exit code: 0 the same\n"
    "  configuration, 1 differences, 2 usage, 66 a file cannot be read.\n"
    "\n"
    "  --json  as JSON, with the lines of both files\n";

static void json_place(struct json *j, struct arena *a, const struct source_set *sources,
                       const char *key, struct origin at)
{
    const struct source *src = source_by_id(sources, at.file);

    if (src)
        json_member(j, key, arena_printf(a, "%s:%u", src->path, at.line));
}

static void write_json(struct arena *a, const struct source_set *sources,
                       const struct difference *d, struct buf *out)
{
    static const char *const kinds[] = {[DIFFERENCE_ADDED] = "added",
                                        [DIFFERENCE_REMOVED] = "removed",
                                        [DIFFERENCE_CHANGED] = "changed"};
    struct json j;

    json_start(&j, out);
    json_open_object(&j, NULL);
    json_member(&j, "format", "mcf-diff 1");
    json_open_array(&j, "differences");
    for (; d; d = d->next) {
        json_open_object(&j, NULL);
        json_member(&j, "change", kinds[d->kind]);
        json_member(&j, "section", item_label(d->section));
        json_member(&j, "name", d->name);
        if (d->old_value)
            json_member(&j, "old", d->old_value);
        if (d->new_value)
            json_member(&j, "new", d->new_value);
        json_place(&j, a, sources, "old_at", d->old_at);
        json_place(&j, a, sources, "new_at", d->new_at);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
    json_end(&j);
}

int verb_diff(int argc, char **argv)
{
    const char *paths[2];
    int n = 0;
    bool json = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            fprintf(stderr, "mcf diff: there is no option %s\n%s", argv[i], help);
            return EXIT_USAGE;
        } else if (n < 2) {
            paths[n++] = argv[i];
        } else {
            n++;
        }
    }
    if (n != 2) {
        fprintf(stderr, "mcf diff: two .cf files are needed\n%s", help);
        return EXIT_USAGE;
    }

    struct arena *a = arena_new(verb_out_of_memory, NULL);
    struct source_set *sources = source_set_new(a);
    struct diag *findings = diag_new(a, sources);
    struct config *old = cf_file_read("diff", a, sources, paths[0], false, findings);
    struct config *new = cf_file_read("diff", a, sources, paths[1], false, findings);
    int rc = EXIT_NO_INPUT;

    if (old && new) {
        struct difference *d = config_compare(a, old, new);
        struct buf out;

        buf_init(&out, a);
        if (json) {
            write_json(a, sources, d, &out);
        } else {
            for (const struct difference *i = d; i; i = i->next)
                difference_print(i, &out);
        }
        rc = d ? EXIT_DIFFERENT : 0;
        diag_print(findings, stderr, isatty(2) && !getenv("NO_COLOR"));
        if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
            fprintf(stderr, "mcf diff: cannot write standard output: %s\n", strerror(errno));
            rc = EXIT_CANNOT_WRITE;
        }
    }
    arena_free(a);
    return rc;
}
