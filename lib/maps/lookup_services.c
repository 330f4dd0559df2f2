#include "lib/maps/lookup_services.h"

#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/lookup_class.h"

enum { LARGEST = 1 << 20 /* bytes */ };

static size_t usual(const char *service, const char *sources[SERVICE_SOURCES])
{
    if (strcasecmp(service, "aliases") != 0 && strcasecmp(service, "hosts") != 0)
        return 0;
    sources[0] = "files";
    sources[1] = "dns";
    return service[0] == 'h' || service[0] == 'H' ? 2 : 1;
}

size_t lookup_services(const char *path, const char *service, struct arena *a,
                       const char *sources[SERVICE_SOURCES])
{
    char *text;
    size_t len, n = 0;
    if (fs_read(a, path ? path : "/etc/mail/service.switch", LARGEST, &text, &len) != 0)
        return usual(service, sources);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line[strcspn(line, "#")] = '\0';
        const char *p = line;
        if (*p == ' ' || *p == '\t' || strcasecmp(lookup_word(a, &p), service) != 0)
            continue;
        n = 0; /* the last line counts */
        for (char *word = lookup_word(a, &p); *word && n < SERVICE_SOURCES;
             word = lookup_word(a, &p))
            sources[n++] = word;
    }
    return n;
}
