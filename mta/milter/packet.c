#include "mta/milter/packet.h"

#include <ctype.h>
#include <string.h>

enum { LENGTH = 4 };

const struct stage milter_stages[MILTER_STAGES] = {
#define STAGE(id, letter, word, macros, list, no, quiet) {letter, word, macros, list, no, quiet},
#include "mta/milter/milter.def"
};

uint32_t milter_all_actions(void)
{
    return 0
#define ACTION(id, bit) | bit
#include "mta/milter/milter.def"
        ;
}

uint32_t milter_all_wishes(void)
{
    return 0
#define STAGE(id, letter, word, macros, list, no, quiet) | no | quiet
#define WISH(id, bit) | bit
#include "mta/milter/milter.def"
        ;
}

/* --- writing ------------------------------------------------------------------------------ */

static void put(char *p, uint32_t n)
{
    for (int i = 0; i < LENGTH; i++)
        p[i] = (char)(n >> (8 * (LENGTH - 1 - i)));
}

void packet_number(struct buf *out, uint32_t n)
{
    char b[LENGTH];

    put(b, n);
    buf_add(out, b, sizeof b);
}

size_t packet_begin(struct buf *out, enum milter_stage stage)
{
    const size_t begun = out->len;

    packet_number(out, 0);
    buf_addc(out, milter_stages[stage].letter);
    return begun;
}

void packet_end(struct buf *out, size_t begun)
{
    put(out->data + begun, (uint32_t)(out->len - begun - LENGTH));
}

void packet_text(struct buf *out, const char *text, size_t len)
{
    const char *nul = len > 0 ? memchr(text, '\0', len) : NULL;

    buf_add(out, text, nul ? (size_t)(nul - text) : len);
    buf_addc(out, '\0');
}

/* --- reading ------------------------------------------------------------------------------ */

static uint32_t number(const char *p)
{
    uint32_t n = 0;

    for (int i = 0; i < LENGTH; i++)
        n = n << 8 | (unsigned char)p[i];
    return n;
}

bool packet_head(const char *s, char *letter, size_t *data)
{
    const uint32_t n = number(s);

    if (n == 0 || n - 1 > PACKET_MAX)
        return false;
    *letter = s[LENGTH];
    *data = n - 1;
    return true;
}

/* The text at the beginning of b, which then begins behind its NUL. */
static bool take_text(struct bytes *b, struct bytes *text)
{
    const char *nul = b->len > 0 ? memchr(b->p, '\0', b->len) : NULL;

    if (!nul)
        return false;
    *text = (struct bytes){b->p, (size_t)(nul - b->p)};
    b->p = nul + 1;
    b->len -= text->len + 1;
    return true;
}

bool packet_offer(struct arena *a, struct bytes data, struct offer *o)
{
    struct bytes text;

    *o = (struct offer){0};
    if (data.len < 3 * LENGTH)
        return false;
    o->version = number(data.p);
    o->actions = number(data.p + LENGTH);
    o->protocol = number(data.p + 2 * LENGTH);
    data.p += 3 * LENGTH;
    data.len -= 3 * LENGTH;
    while (data.len > LENGTH) {
        const uint32_t list = number(data.p);
        data.p += LENGTH;
        data.len -= LENGTH;
        if (!take_text(&data, &text))
            break;
        for (size_t i = 0; i < MILTER_STAGES; i++) {
            if (milter_stages[i].list >= 0 && (uint32_t)milter_stages[i].list == list)
                o->macros[i] = arena_strndup(a, text.p, text.len);
        }
    }
    return true;
}

bool packet_change(char letter, struct bytes data, struct change *c)
{
    *c = (struct change){0};
    switch (letter) {
    case ANSWER_INSERT_HEADER:
    case ANSWER_CHANGE_HEADER:
        if (data.len < LENGTH)
            return false;
        c->index = number(data.p);
        data.p += LENGTH;
        data.len -= LENGTH;
        return take_text(&data, &c->one) && take_text(&data, &c->two) && data.len == 0;
    case ANSWER_ADD_HEADER:
        return take_text(&data, &c->one) && take_text(&data, &c->two) && data.len == 0;
    case ANSWER_QUARANTINE: /* its end goes without saying */
        if (!take_text(&data, &c->one))
            c->one = data;
        return true;
    case ANSWER_ADD_RCPT:
    case ANSWER_DELETE_RCPT:
        return take_text(&data, &c->one) && data.len == 0;
    case ANSWER_ADD_RCPT_PAR:
    case ANSWER_CHANGE_FROM:
        if (!take_text(&data, &c->one))
            return false;
        return data.len == 0 || (take_text(&data, &c->two) && data.len == 0);
    case ANSWER_REPLACE_BODY:
        c->one = data;
        return true;
    default:
        return false;
    }
}

/* --- replies ------------------------------------------------------------------------------ */

/* A '%' is doubled; another one is none of a reply. */
static bool without_percents(struct arena *a, struct bytes text, char **out)
{
    char *to = *out = arena_alloc(a, text.len + 1);

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '%' && (++i == text.len || text.p[i] != '%'))
            return false;
        *to++ = text.p[i];
    }
    return true;
}

bool packet_reply(struct arena *a, struct bytes data, char **reply)
{
    struct bytes text;

    if (!take_text(&data, &text) || data.len > 0 || text.len < 3 ||
        (*text.p != '4' && *text.p != '5') || !isdigit((unsigned char)text.p[1]) ||
        !isdigit((unsigned char)text.p[2]) ||
        (text.len > 3 && text.p[3] != ' ' && text.p[3] != '-'))
        return false;
    /* What ends a line is CR LF: another would begin a reply of its own. */
    for (size_t i = 0; i < text.len; i++) {
        const bool cr = text.p[i] == '\r', lf = text.p[i] == '\n';
        if ((cr && (i + 1 == text.len || text.p[i + 1] != '\n')) ||
            (lf && (i == 0 || text.p[i - 1] != '\r')))
            return false;
    }
    return without_percents(a, text, reply);
}
