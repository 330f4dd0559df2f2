#include "compiler/confine.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/fs.h"

/* What the first Landlock knows: what came later cannot be had without one of these. */
#define ALL ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RUN (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITE                                                                                      \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR)

static bool allow(int rules, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return false;
    long rc = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U);
    int err = errno;
    close(rule.parent_fd);
    errno = err;
    return rc == 0;
}

/* The program that loads a program's libraries; false where it needs none. */
static bool find_loader(const char *program, char loader[PATH_MAX])
{
    char head[4096];
    ElfW(Ehdr) elf;
    bool found = false;
    int fd = open(program, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, head, sizeof head);
    close(fd);
    size_t n = got > 0 ? (size_t)got : 0;
    if (n < sizeof elf || memcmp(head, ELFMAG, SELFMAG) != 0)
        return false;
    memcpy(&elf, head, sizeof elf);
    for (size_t i = 0; i < elf.e_phnum && !found; i++) {
        ElfW(Phdr) part;
        size_t at = (size_t)elf.e_phoff + i * sizeof part;
        if (elf.e_phoff > n || at > n || n - at < sizeof part)
            break;
        memcpy(&part, head + at, sizeof part);
        if (part.p_type != PT_INTERP || part.p_offset > n || part.p_filesz > n - part.p_offset ||
            part.p_filesz >= PATH_MAX)
            continue;
        memcpy(loader, head + part.p_offset, part.p_filesz);
        loader[part.p_filesz] = '\0';
        found = true;
    }
    return found;
}

/* The libraries lie beside the loader, where that is not the C library itself. */
static bool allow_program(int rules, const char *program)
{
    char path[PATH_MAX], loader[PATH_MAX], real[PATH_MAX], libc[PATH_MAX + 16];
    if (!fs_find_program(program, path))
        return true; /* who starts it will say so */
    if (!allow(rules, path, RUN))
        return false;
    if (!find_loader(path, loader) || !realpath(loader, real))
        return true;
    if (!allow(rules, real, RUN))
        return false;
    char *slash = strrchr(real, '/');
    if (slash)
        *slash = '\0';
    snprintf(libc, sizeof libc, "%s/libc.so.6", real);
    return access(libc, R_OK) != 0 || allow(rules, real, LANDLOCK_ACCESS_FS_READ_FILE);
}

int confine_new(const char *folder, const char *program)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = ALL};
    syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0U);
    if (rules < 0)
        return -1;
    fcntl(rules, F_SETFD, FD_CLOEXEC);
    if (allow(rules, folder, READ) && allow_program(rules, program))
        return rules;
    int err = errno;
    close(rules);
    errno = err;
    return -1;
}

bool confine_allow_writing(int rules, const char *folder)
{
    return allow(rules, folder, WRITE);
}

bool confine_enter(int rules)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_landlock_restrict_self, rules, 0U) == 0;
}

int confine_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
                        LANDLOCK_CREATE_RULESET_VERSION);
}
