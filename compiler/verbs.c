#include "compiler/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void verb_out_of_memory(void *ctx)
{
    (void)ctx;
    fputs("mcf: out of memory\n", stderr);
    exit(EXIT_SYSTEM);
}

/* A memory file with the text, and its name in path; -1 on failure. */
static int memory_file(const char *text, size_t len, char path[64])
{
    int fd = memfd_create("text", 0);
    while (fd >= 0 && len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0) {
            close(fd);
            return -1;
        }
        text += n;
        len -= (size_t)n;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int verb_show_difference(const char *verb, const char *old_label, const char *old, size_t old_len,
                         const char *new_label, const char *new_text, size_t new_len)
{
    char old_path[64], new_path[64];
    int old_fd = memory_file(old, old_len, old_path);
    int new_fd = memory_file(new_text, new_len, new_path);
    int status = -1;
    if (old_fd < 0 || new_fd < 0) {
        fprintf(stderr, "mcf %s: no memory file: %s\n", verb, strerror(errno));
    } else {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            execlp("diff", "diff", "-u", "--text", "--label", old_label, "--label", new_label,
                   old_path, new_path, (char *)NULL);
            fprintf(stderr, "mcf %s: cannot run diff: %s\n", verb, strerror(errno));
            _exit(EXIT_SYSTEM);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
            status = -1;
    }
    if (old_fd >= 0)
        close(old_fd);
    if (new_fd >= 0)
        close(new_fd);
    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SYSTEM;
}
