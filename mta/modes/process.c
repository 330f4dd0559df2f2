#include "mta/modes/process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "mta/message/envelope.h"

enum { NOTE_MAX = 64 * 1024, LISTENS = 0x0a };

int process_read_note(struct arena *a, const char *path, struct process_note *note)
{
    char *bytes, *end;
    size_t len;
    int err = fs_read(a, path, NOTE_MAX, &bytes, &len);

    if (err)
        return err;
    const char *text = arena_strndup(a, bytes, len);
    const long pid = strtol(text, &end, 10);
    if (end == text || pid <= 0 || pid > INT32_MAX)
        return EBADMSG;
    end += *end == '\n';
    *note = (struct process_note){(pid_t)pid, {end, strcspn(end, "\n")}};
    return 0;
}

bool process_is(const struct process_note *note)
{
    char path[64];
    char *bytes;
    size_t len;
    struct arena *a = arena_new(NULL, NULL);
    bool same = false;

    snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)note->pid);
    if (fs_read(a, path, 0, &bytes, &len) == 0 && len > 0) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = bytes[i] ? bytes[i] : ' ';
        len--; /* behind the last word, too */
        same = len == note->command.len && memcmp(bytes, note->command.p, len) == 0;
    }
    arena_free(a);
    return same;
}

/* --- ports -------------------------------------------------------------------------------- */

struct ports {
    struct arena *arena;
    uint64_t *inodes;
    size_t n, room;
    struct bytes *found;
    size_t nfound, found_room;
};

static void find_sockets(struct ports *p, pid_t pid)
{
    const char *folder = arena_printf(p->arena, "/proc/%ld/fd", (long)pid);
    DIR *d = opendir(folder);
    const struct dirent *e;
    char to[64];

    while (d && (e = readdir(d))) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, to, sizeof to - 1);
        uint64_t inode;
        to[n > 0 ? n : 0] = '\0';
        if (sscanf(to, "socket:[%" SCNu64 "]", &inode) != 1)
            continue;
        p->inodes = arena_grow(p->arena, p->inodes, p->n, &p->room, sizeof *p->inodes, 8);
        p->inodes[p->n++] = inode;
    }
    if (d)
        closedir(d);
}

static bool is_theirs(const struct ports *p, uint64_t inode)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->inodes[i] == inode)
            return true;
    }
    return false;
}

/* The kernel writes an address as words of 32 bits in the machine's order. */
static bool read_address(const char *hex, size_t words, uint32_t address[4])
{
    for (size_t i = 0; i < words; i++) {
        if (sscanf(hex + 8 * i, "%8" SCNx32, &address[i]) != 1)
            return false;
    }
    return true;
}

/* A line of /proc/net/tcp or tcp6: number, own address, the other one, state, ... inode. */
static void take_line(struct ports *p, const char *line, int family)
{
    const bool six = family == AF_INET6;
    char hex[33], name[INET6_ADDRSTRLEN];
    unsigned port, state;
    uint32_t address[4];
    uint64_t inode;

    if (sscanf(line, " %*[0-9]: %32[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %" SCNu64, hex, &port,
               &state, &inode) != 4 ||
        state != LISTENS || strlen(hex) != (six ? 32U : 8U) || !is_theirs(p, inode) ||
        !read_address(hex, six ? 4 : 1, address) || !inet_ntop(family, address, name, sizeof name))
        return;
    p->found = arena_grow(p->arena, p->found, p->nfound, &p->found_room, sizeof *p->found, 8);
    const char *text = six ? arena_printf(p->arena, "[%s]:%u", name, port)
                           : arena_printf(p->arena, "%s:%u", name, port);
    p->found[p->nfound++] = bytes_of(text);
}

static void find_ports(struct ports *p, pid_t pid, const char *table, int family)
{
    const char *path = arena_printf(p->arena, "/proc/%ld/net/%s", (long)pid, table);
    char *bytes;
    size_t len;

    if (fs_read(p->arena, path, 0, &bytes, &len) != 0)
        return;
    char *text = arena_strndup(p->arena, bytes, len), *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        take_line(p, line, family);
}

struct texts process_ports(struct arena *a, pid_t pid)
{
    struct ports p = {.arena = a};

    find_sockets(&p, pid);
    find_ports(&p, pid, "tcp", AF_INET);
    find_ports(&p, pid, "tcp6", AF_INET6);
    return (struct texts){p.found, p.nfound};
}
