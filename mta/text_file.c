#include "mta/text_file.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

enum { FILE_MAX = 1 << 20 };

const char *text_file_read(struct arena *a, const struct trust *trust, const char *path,
                           const struct trust_kind *kind)
{
    struct trust_fault fault;
    char *bytes;
    size_t len;

    if (!*path || !trust_file(a, trust, kind, path, &fault) ||
        fs_read(a, path, FILE_MAX, &bytes, &len) != 0)
        return NULL;
    return arena_strndup(a, bytes, strnlen(bytes, len));
}
