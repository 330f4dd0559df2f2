#include "compiler/cf_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "grammar/cf.h"

struct config *cf_file_read(const char *verb, struct arena *a, struct source_set *sources,
                            const char *path, bool keep_comments, struct diag *d)
{
    int err = 0;
    const char *name = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    const struct source *src = source_open(sources, name, &err);
    struct config *c;

    if (!src->bytes) {
        fprintf(stderr, "mcf %s: cannot read %s: %s\n", verb, path, strerror(err));
        return NULL;
    }
    c = config_new(a, sources);
    cf_read(c, src->bytes, src->len, src, NULL, keep_comments, d);
    return c;
}
