/*
 * What filters say: a packet that reads has all of its texts inside; an offer's lists end; a reply
 * is lines of a class that refuses, without bare CR or LF.  The first byte is the letter.
 */
#include <string.h>

#include "mta/milter/packet.h"
#include "tests/fuzz/fuzz.h"

static void inside(struct bytes text, struct bytes data)
{
    if (!text.p)
        return;
    must(text.p >= data.p && text.p + text.len <= data.p + data.len);
}

static void look_at_change(char letter, struct bytes data)
{
    struct change c;

    if (!packet_change(letter, data, &c))
        return;
    inside(c.one, data);
    inside(c.two, data);
    if (letter == ANSWER_REPLACE_BODY || letter == ANSWER_QUARANTINE)
        return;
    must(c.one.p && !memchr(c.one.p, '\0', c.one.len));
    must(!c.two.p || !memchr(c.two.p, '\0', c.two.len));
}

static void look_at_reply(struct arena *a, struct bytes data)
{
    char *reply;

    if (!packet_reply(a, data, &reply))
        return;
    must((*reply == '4' || *reply == '5') && strlen(reply) < data.len);
    for (const char *p = reply; *p; p++) {
        must(*p != '\n' || p[-1] == '\r');
        must(*p != '\r' || p[1] == '\n');
    }
}

static void look_at_offer(struct arena *a, struct bytes data)
{
    struct offer o;

    if (!packet_offer(a, data, &o))
        return;
    for (size_t i = 0; i < MILTER_STAGES; i++)
        must(!o.macros[i] || strlen(o.macros[i]) < data.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(out_of_memory, NULL);
    char letter;
    size_t len;

    if (size >= PACKET_HEAD && packet_head((const char *)data, &letter, &len))
        must(len <= PACKET_MAX);
    if (size > 0) {
        /* In memory of its own, so that what is read beyond it is seen. */
        char *copy = malloc(size);
        must(copy != NULL);
        memcpy(copy, data, size);
        const struct bytes rest = {copy + 1, size - 1};
        look_at_change(*copy, rest);
        look_at_reply(a, rest);
        look_at_offer(a, rest);
        free(copy);
    }
    arena_free(a);
    return 0;
}
