#include "compiler/version.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/confine.h"
#include "compiler/m4.h"
#include "lib/base/fs.h"
#include "lib/maps/map.h"

/* The first line that the program prints when it is asked for its version, cut where there is no
 * room; 0 or an errno. */
static int first_line(const char *program, char *line, size_t room)
{
    char *argv[] = {strdup(program), strdup("--version"), NULL};
    int ends[2], rc = argv[0] && argv[1] ? 0 : ENOMEM;
    size_t n = 0;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (rc == 0 && pipe2(ends, O_CLOEXEC) != 0)
        rc = errno;
    if (rc == 0) {
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        rc = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        fs_close(&ends[1]);
        ssize_t got;
        while (rc == 0 && n + 1 < room &&
               ((got = read(ends[0], line + n, room - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
            n += got > 0 ? (size_t)got : 0;
        fs_close(&ends[0]); /* what else it has to say is lost */
        while (rc == 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    free(argv[0]);
    free(argv[1]);
    return rc;
}

void version_print(void)
{
    char line[256];
    int rc = first_line(m4_program(), line, sizeof line), landlock = confine_version();
    printf("mcf %s\n", MCF_VERSION);
    if (rc != 0)
        printf("  no m4: %s cannot be run (%s): .mc files need GNU M4, in $PATH or $MCF_M4\n",
               m4_program(), strerror(rc));
    else if (!strstr(line, "GNU M4"))
        printf("  no GNU M4: %s is another program (%s)\n", m4_program(), line);
    else
        printf("  %s, run as %s\n", line, m4_program());
    for (int t = 0; t < MAP_TYPES; t++) {
        const char *library = map_type_library((enum map_type)t);
        if (t == 0 || strcmp(library, map_type_library((enum map_type)(t - 1))) != 0)
            printf("%s  %s: maps of the type %s", t ? "\n" : "", library,
                   map_type_name((enum map_type)t));
        else
            printf(", %s", map_type_name((enum map_type)t));
    }
    printf("\n  GNU C library %s\n", gnu_get_libc_version());
    if (landlock > 0)
        printf("  Landlock %d of the kernel: --confine\n", landlock);
    else
        puts("  no Landlock in this kernel: --confine is refused");
}
