#include "mta/policy/disk.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

const char disk_full[] = "452 4.4.5 Insufficient disk space; try again later";

enum { BLOCK = 1024 };

bool disk_has_room(const struct program *p, uint64_t bytes)
{
    const long least = setting_number(p, "MinFreeBlocks");
    char path[PATH_MAX];
    struct statvfs st;

    if (least <= 0 && bytes == 0)
        return true;
    int n = snprintf(path, sizeof path, "%s", setting_text(p, "QueueDirectory"));
    if (n <= 0 || (size_t)n >= sizeof path)
        return true;
    if (path[n - 1] == '*') { /* of several folders: the one around them */
        char *slash = strrchr(path, '/');
        if (slash)
            slash[slash == path] = '\0';
    }
    if (statvfs(path, &st) != 0 || st.f_frsize == 0)
        return true;
    const uint64_t free = st.f_frsize >= BLOCK ? st.f_bavail * (st.f_frsize / BLOCK)
                                               : st.f_bavail / (BLOCK / st.f_frsize);
    const uint64_t need = bytes / BLOCK + (least > 0 ? (uint64_t)least : 0);
    return free >= need;
}
