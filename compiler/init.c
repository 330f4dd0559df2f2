/*
 * init: `mcf init DIR`: puts our Makefile into a mail configuration folder.
 *
 * An existing Makefile is never touched: what ours would change is shown instead.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/verbs.h"
#include "compiler/vocabulary.h"
#include "lib/base/arena.h"
#include "lib/base/fs.h"

int verb_init(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts(
            "usage: mcf init DIR\n\n"
            "  puts a Makefile into DIR (targets sendmail.cf, submit.cf, access.db and the other\n"
            "  maps, aliases too, all); where there is one it is left alone and the difference is\n"
            "  shown");
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-') {
        fputs("usage: mcf init DIR\n", stderr);
        return EXIT_USAGE;
    }
    struct stat st;
    if (stat(argv[1], &st) < 0 || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "mcf init: %s: %s\n", argv[1], errno ? strerror(errno) : "no directory");
        return EXIT_NO_INPUT;
    }
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    char *path = fs_join(a, argv[1], "Makefile");
    int rc = 0;
    if (fs_exists(path)) {
        size_t len = 0;
        char *old = NULL;
        int err = fs_read(a, path, 0, &old, &len);
        if (err) {
            fprintf(stderr, "mcf init: cannot read %s: %s\n", path, strerror(err));
            arena_free(a);
            return EXIT_NO_INPUT;
        }
        rc = verb_show_difference("init", path, old, len, "mcf's Makefile", mail_makefile,
                                  mail_makefile_len);
        if (rc == 0)
            printf("%s is mcf's Makefile already\n", path);
        else if (rc == 1)
            fprintf(stderr,
                    "mcf init: %s is there and stays as it is; above is what ours changes\n", path);
    } else {
        int err = fs_write_whole(path, mail_makefile, mail_makefile_len, 0644);
        if (err) {
            fprintf(stderr, "mcf init: cannot write %s: %s\n", path, strerror(err));
            rc = EXIT_CANNOT_WRITE;
        } else {
            printf("%s: written; now: make -C %s sendmail.cf\n", path, argv[1]);
        }
    }
    arena_free(a);
    return rc;
}
