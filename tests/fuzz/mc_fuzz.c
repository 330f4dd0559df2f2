/* Fuzzes the .mc tree: no crash, every byte in one leaf, every question answered.
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined; tests/fuzz/README.md says how. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "grammar/mc.h"
#include "lib/base/arena.h"
#include "lib/base/diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void fail(void *what)
{
    fprintf(stderr, "mc_fuzz: %s\n", what ? (const char *)what : "out of memory");
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct arena *a = arena_new(fail, NULL);
    struct source_set *set = source_set_new(a);
    struct diag *d = diag_new(a, set);
    struct mc_tree *t = mc_parse(a, source_add(set, "fuzz.mc", (const char *)bytes, len), d);
    size_t at = 0;
    for (const struct mc_node *n = t->root; n; n = mc_next(n, t->root)) {
        if (n->off != at)
            fail("a gap or an overlap");
        if (n->kind >= MC_NAME)
            at += n->len;
    }
    if (at != len)
        fail("bytes are missing");
    for (size_t i = 0; i < t->ncalls && i < 100; i++) {
        const struct mc_node *c = t->calls[i];
        const char *name = mc_name(a, t, c);
        if (!mc_find_call(t, c->line, name, mc_arg_text(a, t, c, 1, NULL), NULL))
            fail("a call is not found by its own line");
        mc_arg_origin(t, c, 1);
        mc_close_origin(t, c);
    }
    mc_find_include_cf(a, t);
    FILE *out = fopen("/dev/null", "w");
    if (out) {
        diag_print(d, out, true);
        fclose(out);
    }
    arena_free(a);
    return 0;
}
