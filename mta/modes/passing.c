#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/modes/mode.h"

bool mode_passes(const struct mode_setup *m)
{
    return setting_true(m->program, "UseMSP") && geteuid() != 0 &&
           access(setting_text(m->program, "QueueDirectory"), W_OK | X_OK) != 0;
}

const char *mode_passing_begin(const struct mode_setup *m)
{
    static const char *const places[] = {"/tmp", "/var/tmp"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = arena_printf(m->arena, "%s/mcfd.XXXXXX", places[i]);
        if (mkdtemp(path))
            return path;
    }
    fprintf(stderr, "mcfd: %s: %s\n", places[0], strerror(errno));
    return NULL;
}

void mode_passing_end(const struct mode_setup *m, const char *path)
{
    const char *queue = fs_join(m->arena, path, "mcfd.queue");
    DIR *d = opendir(queue);
    const struct dirent *f;

    while (d && (f = readdir(d)) != NULL) {
        if (*f->d_name != '.')
            unlinkat(dirfd(d), f->d_name, 0);
    }
    if (d)
        closedir(d);
    rmdir(queue);
    rmdir(path);
}
