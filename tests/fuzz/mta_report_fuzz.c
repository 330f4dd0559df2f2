/*
 * Reports on envelopes that nobody wrote: each names each recipient at most once, no text from
 * outside makes a line of its own, and a head has whole fields.
 */
#include <string.h>

#include "mta/store/report.h"
#include "mta/store/schedule.h"
#include "tests/fuzz/fuzz.h"

static struct bytes id(void *ctx)
{
    (void)ctx;
    return bytes_of("6B16hosm029838");
}

static size_t count(struct bytes text, const char *part)
{
    size_t n = 0, len = strlen(part);
    const char *p = text.p, *end = text.p + text.len;

    while ((p = memmem(p, (size_t)(end - p), part, len))) {
        n++;
        p += len;
    }
    return n;
}

static void check(const struct report *r, const struct envelope *e)
{
    static const char part[] = "\nContent-Type: message/delivery-status\n";

    must(r->envelope.sender.len == 0 && r->envelope.nrecipients == 1);
    must(r->envelope.header.n % 3 == 0);
    for (size_t i = 0; i + 2 < r->envelope.header.n; i += 3) {
        struct bytes v = r->envelope.header.v[i + 2];
        must(v.len > 0 && v.p[v.len - 1] != '\n');
        must(count(v, "\n") == count(v, "\n\t"));
    }
    const char *end = r->text.p + r->text.len;
    const char *from = memmem(r->text.p, r->text.len, part, sizeof part - 1);
    must(from != NULL);
    const char *to = memmem(from, (size_t)(end - from), "\nReturn-Path: <", 15);
    must(to != NULL);
    struct bytes fields = {from, (size_t)(to - from)},
                 parts = {r->text.p, (size_t)(to - r->text.p)};
    must(count(fields, "\nAction: ") <= e->nrecipients);
    must(count(fields, "\nFinal-Recipient: ") == count(fields, "\nAction: "));
    must(count(parts, "\n--6B16hosm029838.") == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct report_settings settings = {.hostname = "mail.example.com",
                                                    .version = "1/1",
                                                    .daemon = "MAILER-DAEMON",
                                                    .double_bounce = "postmaster",
                                                    .copy = "copies"};
    struct arena *a = arena_new(out_of_memory, NULL);
    struct schedule_settings s = schedule_usual();
    struct envelope e;

    if (envelope_decode(a, (const char *)data, size, &e)) {
        schedule_due(&s, &e);
        schedule_priority(&s, &e);
        schedule_expires(&s, &e);
        for (int kind = REPORT_ENDED; kind <= REPORT_DELAYED; kind++) {
            enum report_kind k = (enum report_kind)kind;
            for (struct report *r = report_make(a, &settings, &e, k, 1796107430, id, NULL); r;
                 r = r->next)
                check(r, &e);
            report_done(&e, k);
            must(k == REPORT_DELAYED || !report_is_due(&e, k));
        }
    }
    arena_free(a);
    return 0;
}
