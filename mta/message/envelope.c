#include "mta/message/envelope.h"

#include <string.h>

#include "mta/codec.h"

void envelope_encode(const struct envelope *e, struct buf *out)
{
    put_NUMBER(out, ENVELOPE_VERSION);
#define ENVELOPE_FIELD(kind, name) put_##kind(out, e->name);
#include "mta/message/envelope.def"
    put_length(out, (uint32_t)e->nrecipients);
    for (size_t i = 0; i < e->nrecipients; i++) {
#define RECIPIENT_FIELD(kind, name) put_##kind(out, e->recipients[i].name);
#include "mta/message/envelope.def"
    }
}

/* Each field has the bytes of a length at least. */
enum {
    RECIPIENT_BYTES_MIN = 0
#define RECIPIENT_FIELD(kind, name) +VALUE_BYTES_MIN
#include "mta/message/envelope.def"
};

bool envelope_decode(struct arena *a, const char *s, size_t len, struct envelope *e)
{
    struct reader r = {a, s, s + len, false};

    *e = (struct envelope){0};
    if (take_NUMBER(&r) != ENVELOPE_VERSION)
        return false;
#define ENVELOPE_FIELD(kind, name) e->name = take_##kind(&r);
#include "mta/message/envelope.def"
    size_t n = take_count(&r, RECIPIENT_BYTES_MIN);
    e->recipients = n ? arena_calloc(a, n, sizeof *e->recipients) : NULL;
    for (size_t i = 0; i < n; i++) {
#define RECIPIENT_FIELD(kind, name) e->recipients[i].name = take_##kind(&r);
#include "mta/message/envelope.def"
    }
    e->nrecipients = n;
    return take_end(&r) && e->macros.n % 2 == 0 && e->header.n % 3 == 0;
}

char *bytes_string(struct arena *a, struct bytes b)
{
    return arena_strndup(a, b.p ? b.p : "", b.len);
}

struct bytes bytes_of(const char *s)
{
    return (struct bytes){s, s ? strlen(s) : 0};
}
