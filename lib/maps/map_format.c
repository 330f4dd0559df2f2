#include "lib/maps/map_format.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fs.h"

static const struct {
    const char *kind;
    size_t offset;
    uint32_t magic, oldest, read_from, read_to;
} formats[] = {
#define FORMAT(kind, offset, magic, oldest, read_from, read_to)                                    \
    {kind, offset, magic, oldest, read_from, read_to},
#include "lib/maps/formats.def"
};

static uint32_t word(const unsigned char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

struct map_format map_format_of(const char *path)
{
    struct map_format f = {.kind = ""};
    unsigned char head[20];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
    fs_close(&fd);
    if (n < (ssize_t)sizeof head)
        return f;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        uint32_t magic = word(head + formats[i].offset),
                 version = word(head + formats[i].offset + 4);
        if (magic == __builtin_bswap32(formats[i].magic))
            version = __builtin_bswap32(version);
        else if (magic != formats[i].magic)
            continue;
        f = (struct map_format){MAP_FORMAT_REBUILD, formats[i].kind, version, formats[i].read_from,
                                formats[i].read_to};
        if (f.read_to && version >= f.read_from && version <= f.read_to)
            f.can = MAP_FORMAT_READ;
        else if (f.read_to && version >= formats[i].oldest && version < f.read_from)
            f.can = MAP_FORMAT_UPGRADE;
        break;
    }
    return f;
}
