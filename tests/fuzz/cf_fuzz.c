/*
 * cf_fuzz: any bytes as a .cf: read, written, read again, compared, dumped, compiled.
 *
 * What must hold: what was read and written reads the same; a configuration does not differ from
 * itself; every finding stands inside the text; what is compiled of it needs no more than MEMORY.
 */
#include <string.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/compare.h"
#include "lib/rewrite/program.h"
#include "tests/fuzz/closed.h"
#include "tests/fuzz/fuzz.h"

enum { MEMORY = 64 << 20 };

static struct config *read_text(struct arena *a, struct source_set *s, const char *name,
                                const char *text, size_t len, bool comments, struct diag *d)
{
    struct config *c = config_new(a, s);
    const struct source *src = source_add(s, name, text, len);

    cf_read(c, src->bytes, src->len, src, NULL, comments, d);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(out_of_memory, NULL);
    struct source_set *s = source_set_new(a);
    struct diag *d = diag_new(a, s);
    struct config *c = read_text(a, s, "1", (const char *)data, size, true, d), *again;
    struct buf once, twice, dump;
    size_t n;
    const struct finding *const *f = diag_sorted(d, &n);

    for (size_t i = 0; i < n; i++) {
        const struct source *src = source_by_id(s, f[i]->at.file);
        size_t len;

        must(f[i]->at.line >= 1 && f[i]->at.line <= src->lines);
        source_line(src, f[i]->at.line, &len);
        must(f[i]->at.col >= 1 && f[i]->at.col <= len + 2);
    }
    buf_init(&once, a);
    buf_init(&twice, a);
    buf_init(&dump, a);
    config_emit(c, &once);
    again = read_text(a, s, "2", once.data, once.len, true, NULL);
    config_emit(again, &twice);
    must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    must(c->count == again->count);
    must(config_compare(a, c, again) == NULL);
    config_dump(c, &dump);
    /* Without comments, the rest is the same. */
    must(config_compare(a, read_text(a, s, "3", (const char *)data, size, false, NULL), c) == NULL);
    close_off(c, 0);
    struct arena *compiled = arena_new(out_of_memory, NULL);
    program_compile(compiled, c, &(struct program_host){.name = "mail.example.com"}, d);
    must(arena_used(compiled) < MEMORY);
    arena_free(compiled);
    arena_free(a);
    return 0;
}
