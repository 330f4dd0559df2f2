#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "mta/modes/mode.h"

/* mcf is newaliases where it is called so.  It stands beside us, or where `make install` has it. */
static const char *find_mcf(struct arena *a)
{
    static const char *const places[] = {"mcf", "../bin/mcf"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            const char *path = arena_printf(a, "%s/%s", self, places[i]);
            if (access(path, X_OK) == 0)
                return path;
        }
    }
    return "mcf";
}

int aliases_run(const struct mode_setup *m)
{
    const char *mcf = find_mcf(m->arena), *files = program_option(m->program, "AliasFile");
    const char *option = arena_printf(m->arena, "-OAliasFile=%s", files ? files : "");

    execlp(mcf, "newaliases", "-C", m->given->path, files && m->given->lines.len ? option : NULL,
           (char *)NULL);
    fprintf(stderr, "mcfd: %s: %s; build the databases with: mcf map build\n", mcf,
            strerror(errno));
    return EX_UNAVAILABLE;
}
