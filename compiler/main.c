/*
 * mcf: compiles sendmail .mc files.  One verb a file; this one finds the verb.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/makemap.h"
#include "compiler/newaliases.h"
#include "compiler/verbs.h"
#include "compiler/version.h"
#include "lib/base/fs.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
    const char *text;
} verbs[] = {
#define VERB(name, usage, text) {#name, verb_##name, usage, text},
#include "compiler/verbs.def"
#undef VERB
};

static void usage(FILE *out)
{
    fputs("usage: mcf VERB ...\n\n", out);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(out, "  mcf %s %s\n        %s\n", verbs[i].name, verbs[i].usage, verbs[i].text);
    fputs("  mcf --version\n\nmcf VERB --help says more.  See mcf(1).\n", out);
}

int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(fs_basename(argv[0]), "makemap") == 0)
        return makemap_main(argc, argv);
    if (argc > 0 && strcmp(fs_basename(argv[0]), "newaliases") == 0)
        return newaliases_main(argc, argv);
    if (argc >= 2) {
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(argv[1], "--version") == 0) {
            version_print();
            return 0;
        }
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
            if (strcmp(argv[1], verbs[i].name) == 0)
                return verbs[i].run(argc - 1, argv + 1);
        fprintf(stderr, "mcf: there is no verb %s\n", argv[1]);
    }
    usage(stderr);
    return EXIT_USAGE;
}
