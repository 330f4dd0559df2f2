#include "mta/protocol.h"

#include "mta/codec.h"

struct row {
    const char *name;
    enum role from, to;
};

#define MESSAGE(name, from, to, fields) {#name, ROLE_##from, ROLE_##to},
static const struct row rows[] = {
    {"NONE", ROLE_ANY, ROLE_ANY},
#include "mta/protocol.def"
};

const char *message_name(enum message_kind kind)
{
    return rows[kind].name;
}

static bool is_role(enum role said, enum role r)
{
    /* The parent hands over programs and files itself, and speaks as the front does then. */
    return said == r || said == ROLE_ANY || (said == ROLE_FRONT && r == ROLE_PARENT);
}

bool message_is_for(enum message_kind kind, enum role from, enum role to)
{
    return kind > MESSAGE_NONE && kind < MESSAGE_KINDS && is_role(rows[kind].from, from) &&
           is_role(rows[kind].to, to);
}

bool message_encode(const struct message *m, struct buf *out)
{
    size_t start = out->len;

    put_length(out, 0);
    buf_addc(out, (char)(m->kind >> 8));
    buf_addc(out, (char)(m->kind & 0xff));
    switch (m->kind) {
#define NUMBER(name) put_NUMBER(out, s->name);
#define TEXT(name) put_TEXT(out, s->name);
#define LIST(name) put_LIST(out, s->name);
#define MESSAGE(name, from, to, fields)                                                            \
    case MESSAGE_##name: {                                                                         \
        const struct message_##name *s = &m->as.name;                                              \
        fields break;                                                                              \
    }
#include "mta/protocol.def"
#undef NUMBER
#undef TEXT
#undef LIST
    case MESSAGE_NONE:
    case MESSAGE_KINDS:
        break;
    }
    size_t len = out->len - start;
    if (len > PROTOCOL_MAX) {
        buf_truncate(out, start);
        return false;
    }
    for (int i = 0; i < 4; i++)
        out->data[start + (size_t)i] = (char)((len - 4) >> 8 * (3 - i) & 0xff);
    return true;
}

long message_length(const char *s, size_t len)
{
    uint32_t n = 0;

    if (len < 4)
        return 0;
    for (int i = 0; i < 4; i++)
        n = n << 8 | (unsigned char)s[i];
    if (n < PROTOCOL_HEAD - 4 || n > PROTOCOL_MAX - 4)
        return -1;
    return len < n + 4 ? 0 : (long)n + 4;
}

bool message_decode(struct arena *a, const char *s, size_t len, struct message *m)
{
    *m = (struct message){0};
    if (len < PROTOCOL_HEAD || message_length(s, len) != (long)len)
        return false;
    struct reader r = {a, s + PROTOCOL_HEAD, s + len, false};
    m->kind = (enum message_kind)((unsigned char)s[4] << 8 | (unsigned char)s[5]);
    switch (m->kind) {
#define NUMBER(name) f->name = take_NUMBER(&r);
#define TEXT(name) f->name = take_TEXT(&r);
#define LIST(name) f->name = take_LIST(&r);
#define MESSAGE(name, from, to, fields)                                                            \
    case MESSAGE_##name: {                                                                         \
        struct message_##name *f = &m->as.name;                                                    \
        fields return take_end(&r);                                                                \
    }
#include "mta/protocol.def"
#undef NUMBER
#undef TEXT
#undef LIST
    case MESSAGE_NONE:
    case MESSAGE_KINDS:
        break;
    }
    return false;
}
