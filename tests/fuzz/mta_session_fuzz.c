/*
 * A client that sends anything, and a policy that answers anything: what comes out is whole lines,
 * no input is taken while a question is open, a message is what was sent of it, and pieces of any
 * size give the same.
 *
 * Input: 8 bytes that the answers come of, then what the client sends.
 */
#include <string.h>

#include "mta/front/session.h"
#include "tests/fuzz/fuzz.h"

enum { HEAD_MAX = 2000, SIZE_MAX_ = 30000, MEMORY_MAX = 2 << 20 };

struct run {
    struct session *s;
    const char *data;
    size_t len;
    uint64_t random;
    size_t most;     /* bytes that are taken at a time */
    bool strict;     /* a message can be looked at: no bare CR or LF, 8 bits, byte by byte */
    struct buf out;  /* all output */
    struct buf body; /* of this message */
    struct buf raw;  /* what was sent of this message */
    struct buf said; /* everything, to compare */
};

static uint64_t next(struct run *r, uint64_t below)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (r->random >> 33) % below;
}

/* --- is what was taken what was sent? -------------------------------------------------------- */

/* The message that raw is: no cleverness. */
static void decode(const struct buf *raw, struct buf *text)
{
    bool at_line = true;

    for (size_t i = 0; i < raw->len; i++) {
        bool end = raw->data[i] == '\r' && i + 1 < raw->len && raw->data[i + 1] == '\n';
        if (at_line && raw->data[i] == '.') {
            if (i + 3 == raw->len && raw->data[i + 1] == '\r' && raw->data[i + 2] == '\n')
                return;
        } else if (end) {
            buf_addc(text, '\n');
            i++;
        } else {
            buf_addc(text, raw->data[i]);
        }
        at_line = end;
    }
    abort();
}

static void same_message(struct run *r, const struct session_question *q)
{
    struct buf text, head;
    size_t rest = 0;

    buf_init(&text, r->raw.arena);
    buf_init(&head, r->raw.arena);
    buf_adds(&text, "");
    buf_adds(&head, "");
    decode(&r->raw, &text);
    must(q->size == text.len && r->body.len <= text.len);
    size_t front = text.len - r->body.len;
    must(r->body.len == 0 || memcmp(text.data + front, r->body.data, r->body.len) == 0);
    if (front >= 5 && memcmp(text.data, "From ", 5) == 0)
        rest = (size_t)((char *)memchr(text.data, '\n', front) - text.data) + 1;
    buf_add(&head, text.data, rest); /* a line From_ is whole, and the head's first */
    for (size_t i = rest; i < front; i++)
        if (text.data[i] != '\0')
            buf_addc(&head, text.data[i]);
    must(head.len == q->head.len ||
         (head.len == q->head.len + 1 && head.data[q->head.len] == '\n'));
    must(q->head.len == 0 || memcmp(head.data, q->head.p, q->head.len) == 0);
}

/* --- the others ------------------------------------------------------------------------------ */

static void take_body(struct run *r, size_t most)
{
    struct bytes b;

    while (session_body(r->s, &b)) {
        size_t n = b.len < most ? b.len : most;
        buf_add(&r->body, b.p, n);
        session_body_taken(r->s, n);
    }
}

static void take_output(struct run *r, size_t most)
{
    struct bytes b;

    while (session_output(r->s, &b)) {
        size_t n = b.len < most ? b.len : most;
        buf_add(&r->out, b.p, n);
        buf_add(&r->said, b.p, n);
        session_sent(r->s, n);
    }
}

/* A reply repeats the bare CR of a command where those are taken. */
static void whole_lines(const struct buf *out, bool bare_cr)
{
    must(out->len == 0 || (out->len >= 2 && out->data[out->len - 1] == '\n'));
    for (size_t i = 0; i < out->len; i++) {
        must((unsigned char)out->data[i] < 128 && out->data[i] != '\0');
        must(out->data[i] != '\r' || bare_cr || out->data[i + 1] == '\n');
        must(out->data[i] != '\n' || (i > 0 && out->data[i - 1] == '\r'));
    }
}

static struct bytes any_reply(struct run *r)
{
    static const char *const replies[] = {
        "", "", "", "250 ok", "550 no", "451-a\n451 b", "550 a\r\n\n", "552 a\x8a"};
    uint64_t i = next(r, 12 + sizeof replies / sizeof *replies);

    if (i == 0)
        return (struct bytes){r->data, r->len < 50 ? r->len : 50};
    if (i == 1)
        return (struct bytes){"421 bye", 7};
    const char *s = i < sizeof replies / sizeof *replies ? replies[i] : "";
    return (struct bytes){s, strlen(s)};
}

static void note(struct run *r, struct bytes b)
{
    buf_addc(&r->said, '<');
    buf_add(&r->said, b.p, b.len);
    buf_addc(&r->said, '>');
}

static void answer(struct run *r, const char *features)
{
    const struct session_question *q = session_question(r->s);
    struct bytes texts[4] = {{"mail.example x\ny", 16},
                             {"client [192.0.2.1]", 18},
                             {features, strlen(features)},
                             {"AUTH PLAIN LOGIN", 16}};
    struct session_answer a = {.reply = any_reply(r), .flags = next(r, 64) / 60 + 8 * next(r, 2)};

    a.wait_ms = next(r, 8) == 0 ? next(r, 3) : 0;
    a.status = next(r, 4) == 0 ? 70 + next(r, 6) : 0;
    a.texts = (struct texts){texts, q->kind == SESSION_CONNECT ? 4 : (size_t)next(r, 4)};
    must(session_input(r->s, "NOOP\r\n", 0) == 0);
    buf_printf(&r->said, "[%d %d %d %d %d]", (int)q->kind, (int)q->recipients, (int)q->refused,
               (int)q->size, (int)q->flags);
    note(r, q->verb);
    note(r, q->argument);
    note(r, q->head);
    for (size_t i = 0; i < q->parameters.n; i++)
        note(r, q->parameters.v[i]);
    if (q->kind == SESSION_END) {
        take_body(r, 1000);
        if (r->strict)
            same_message(r, q);
        note(r, (struct bytes){r->body.data, r->body.len});
    }
    session_answer(r->s, &a);
}

/* It comes about, or not. */
static void start_tls(struct run *r)
{
    struct bytes found = {"TLSv1.3", 7}, b;

    must(!session_output(r->s, &b) && session_input(r->s, "NOOP\r\n", 6) == 0);
    note(r, (struct bytes){session_asks_certificate(r->s) ? "v" : "V", 1});
    if (next(r, 4) == 0)
        session_end_of_input(r->s);
    else
        session_secured(r->s, (struct texts){&found, 1});
}

/* All that goes on without input. */
static void turn(struct run *r, const char *features)
{
    for (;;) {
        enum session_wait_kind kind = session_wait(r->s).kind;
        take_body(r, r->most);
        take_output(r, r->most);
        if (session_question(r->s) != NULL)
            answer(r, features);
        else if (kind == SESSION_WAIT_PAUSE || kind == SESSION_WAIT_GREETING)
            session_timeout(r->s);
        else if (kind == SESSION_WAIT_TLS)
            start_tls(r);
        else if (kind == session_wait(r->s).kind)
            return;
    }
}

static void converse(struct arena *a, const uint8_t *data, size_t size, size_t step, struct run *r)
{
    enum { TAKES_CR = 3 };
    static const char *const features[] = {"F", "F", "F", "F G U", "F g2 u2", "F G O", "F B D E X"};
    struct session_settings set = {.name = "mail.example",
                                   .max_head = HEAD_MAX,
                                   .max_size = SIZE_MAX_,
                                   .max_recipients = 3,
                                   .max_noops = 20,
                                   .bad_recipients = 2,
                                   .bad_recipient_ms = 1000,
                                   .tls = (data[6] & 1) != 0,
                                   .switches = data[1] | (uint64_t)(data[5] & 31) << 8};
    struct buf *bufs[] = {&r->out, &r->body, &r->raw, &r->said};

    *r = (struct run){.data = (const char *)data + 8, .len = size - 8};
    memcpy(&r->random, data, sizeof r->random);
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) {
        buf_init(bufs[i], arena_beside(a));
        buf_adds(bufs[i], "");
    }
    r->most = 1 + data[2];
    size_t which = data[3] % (sizeof features / sizeof *features);
    r->strict = which < 3 && step == 1 && !(set.switches & SESSION_SEVEN_BIT);
    r->s = session_new(a, &set);
    if ((data[6] & 6) == 6)
        session_begin_with_tls(r->s);
    turn(r, features[which]);
    for (size_t at = 0; at < r->len && !session_over(r->s);) {
        bool in_data = session_wait(r->s).kind == SESSION_WAIT_DATA;
        size_t n = r->len - at < step ? r->len - at : step;
        if (!in_data) {
            buf_truncate(&r->raw, 0);
            buf_truncate(&r->body, 0);
        }
        size_t used = session_input(r->s, r->data + at, n);
        must(used <= n);
        /* Byte by byte it is known what belongs to a message. */
        if (in_data)
            buf_add(&r->raw, r->data + at, used);
        at += used;
        turn(r, features[which]);
    }
    session_timeout(r->s);
    must(session_over(r->s) && session_question(r->s) == NULL);
    take_output(r, 1000);
    whole_lines(&r->out, which == TAKES_CR || (set.switches & SESSION_LAX_COMMANDS) != 0);
    must(arena_used(a) < MEMORY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(out_of_memory, NULL);
    struct run one, many;

    if (size >= 8) {
        size_t step = 2 + data[4];
        converse(a, data, size, 1, &one);
        arena_reset(a);
        converse(a, data, size, step, &many);
        must(one.out.len == many.out.len && memcmp(one.out.data, many.out.data, one.out.len) == 0);
        must(one.said.len == many.said.len &&
             memcmp(one.said.data, many.said.data, one.said.len) == 0);
        struct run *runs[] = {&one, &many};
        for (size_t i = 0; i < 2; i++) {
            arena_free(runs[i]->out.arena);
            arena_free(runs[i]->body.arena);
            arena_free(runs[i]->raw.arena);
            arena_free(runs[i]->said.arena);
        }
    }
    arena_free(a);
    return 0;
}
