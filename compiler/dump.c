/*
 * dump: `mcf dump FILE.cf` prints the model of a .cf as JSON.
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

static const char help[] =
    "usage: mcf dump [--no-comments] FILE.cf\n"
    "\n"
    "  Prints what FILE.cf says, line by line, as JSON on standard output;\n"
    "  lines that are no configuration lines are reported on standard error.\n"
    "\n"
    "  --no-comments  leave out comments and empty lines\n";

int verb_dump(int argc, char **argv)
{
    const char *path = NULL;
    bool comments = true;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--no-comments") == 0) {
            comments = false;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            fprintf(stderr, "mcf dump: there is no option %s\n%s", argv[i], help);
            return EXIT_USAGE;
        } else if (path) {
            fprintf(stderr, "mcf dump: one .cf at a time: %s and %s\n", path, argv[i]);
            return EXIT_USAGE;
        } else {
            path = argv[i];
        }
    }
    if (!path) {
        fprintf(stderr, "mcf dump: which .cf?\n%s", help);
        return EXIT_USAGE;
    }

    struct arena *a = arena_new(verb_out_of_memory, NULL);
    struct source_set *sources = source_set_new(a);
    struct diag *d = diag_new(a, sources);
    struct config *c = cf_file_read("dump", a, sources, path, comments, d);
    int rc = c ? 0 : EXIT_NO_INPUT;

    if (c) {
        struct buf out;

        buf_init(&out, a);
        config_dump(c, &out);
        diag_print(d, stderr, isatty(2) && !getenv("NO_COLOR"));
        if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
            fprintf(stderr, "mcf dump: cannot write standard output: %s\n", strerror(errno));
            rc = EXIT_CANNOT_WRITE;
        }
    }
    arena_free(a);
    return rc;
}
