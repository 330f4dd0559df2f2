#include "mta/policy/plan.h"

#include <string.h>

#include "mta/codec.h"
#include "mta/message/envelope.h"

void plan_encode(const struct plan *p, struct buf *out)
{
#define PLAN_FIELD(kind, name) put_##kind(out, p->name);
#include "mta/policy/plan.def"
    put_length(out, (uint32_t)p->nrecipients);
    for (size_t i = 0; i < p->nrecipients; i++) {
#define PLAN_RECIPIENT_FIELD(kind, name) put_##kind(out, p->recipients[i].name);
#include "mta/policy/plan.def"
    }
}

bool plan_decode(struct arena *a, const char *s, size_t len, struct plan *p)
{
    struct reader r = {a, s, s + len, false};

    *p = (struct plan){0};
#define PLAN_FIELD(kind, name) p->name = take_##kind(&r);
#include "mta/policy/plan.def"
    size_t n = take_count(&r, sizeof(uint64_t));
    p->recipients = n ? arena_calloc(a, n, sizeof *p->recipients) : NULL;
    for (size_t i = 0; i < n; i++) {
#define PLAN_RECIPIENT_FIELD(kind, name) p->recipients[i].name = take_##kind(&r);
#include "mta/policy/plan.def"
    }
    p->nrecipients = n;
    return take_end(&r);
}

void outcome_encode(const struct outcome *o, struct buf *out)
{
    put_NUMBER(out, o->state);
    put_NUMBER(out, o->status);
    put_TEXT(out, o->code);
    put_TEXT(out, o->answer);
    put_TEXT(out, o->host);
    put_TEXT(out, o->trouble);
}

bool outcome_decode(struct arena *a, const char *s, size_t len, struct outcome *o)
{
    struct reader r = {a, s, s + len, false};

    o->state = take_NUMBER(&r);
    o->status = take_NUMBER(&r);
    o->code = take_TEXT(&r);
    o->answer = take_TEXT(&r);
    o->host = take_TEXT(&r);
    o->trouble = take_TEXT(&r);
    return take_end(&r);
}

bool plan_has_flag(const struct plan *p, char flag)
{
    return p->flags.len > 0 && memchr(p->flags.p, flag, p->flags.len) != NULL;
}

uint64_t plan_arrived(const struct plan *p, size_t i, uint64_t state, bool goes_on)
{
    uint64_t notify = p->recipients[i].notify;
    bool told = (notify & NOTIFY_SUCCESS) != 0;

    if (!p->deliver_by || notify & (NOTIFY_NEVER | NOTIFY_ONE_OF))
        return state;
    if (!goes_on && !(p->envelope & ENVELOPE_BY_RETURN))
        return told ? state : RECIPIENT_IN_TIME;
    return p->envelope & ENVELOPE_BY_TRACE ? RECIPIENT_TRACED : state;
}
