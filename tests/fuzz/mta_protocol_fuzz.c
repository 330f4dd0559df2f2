/*
 * Bytes between the roles: what is read as a message, an envelope, a plan or an outcome lies inside
 * the bytes, and is the same bytes when it is written.
 */
#include <string.h>

#include "mta/message/envelope.h"
#include "mta/policy/plan.h"
#include "tests/fuzz/fuzz.h"

static void same(const struct buf *b, const char *s, size_t len)
{
    must(b->len == len && memcmp(b->data, s, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *s = (const char *)data;
    struct arena *a = arena_new(out_of_memory, NULL);
    struct buf b;
    struct message m;
    struct envelope e;
    struct plan p;
    struct outcome o;

    buf_init(&b, a);
    if (message_decode(a, s, size, &m)) {
        must(message_encode(&m, &b));
        same(&b, s, size);
    }
    buf_truncate(&b, 0);
    if (envelope_decode(a, s, size, &e)) {
        envelope_encode(&e, &b);
        same(&b, s, size);
    }
    buf_truncate(&b, 0);
    if (plan_decode(a, s, size, &p)) {
        plan_encode(&p, &b);
        same(&b, s, size);
    }
    buf_truncate(&b, 0);
    if (outcome_decode(a, s, size, &o)) {
        outcome_encode(&o, &b);
        same(&b, s, size);
    }
    arena_free(a);
    return 0;
}
