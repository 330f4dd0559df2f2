#include "mta/message/exits.h"

#include <string.h>
#include <sysexits.h>

#include "mta/message/coded.h"

static const struct exit_meaning exits[] = {
#define EXIT(status, state, reply, enhanced, code, text, address, ours)                            \
    {status, RECIPIENT_##state, reply, enhanced, code, text, address, ours},
#include "mta/message/exits.def"
};
enum { EXITS = sizeof exits / sizeof *exits };

const struct exit_meaning *exit_by_code(uint64_t code)
{
    for (size_t i = 0; i < EXITS; i++) {
        if ((uint64_t)exits[i].code == code)
            return &exits[i];
    }
    return NULL;
}

const struct exit_meaning *exit_by_text(struct bytes text)
{
    for (size_t i = 0; i < EXITS; i++) {
        if (text.len == strlen(exits[i].text) && memcmp(text.p, exits[i].text, text.len) == 0)
            return &exits[i];
    }
    return NULL;
}

static bool is_status(const struct recipient *r, int code)
{
    const char *status = exit_by_code((uint64_t)code)->status;

    return r->status.len == strlen(status) && memcmp(r->status.p, status, r->status.len) == 0;
}

int exit_of(const struct recipient *r)
{
    const struct exit_meaning *x = exit_by_text(r->answer);

    if (x && x->state == RECIPIENT_FAILED)
        return x->code;
    return is_status(r, EX_NOUSER)   ? EX_NOUSER
           : is_status(r, EX_NOHOST) ? EX_NOHOST
                                     : EX_UNAVAILABLE;
}

int exit_of_reply(const char *reply)
{
    static const int of_addresses[] = {EX_NOUSER, EX_NOHOST};
    const struct bytes own = coded_line(bytes_of(reply)).enhanced;

    if (*reply == '4')
        return EX_TEMPFAIL;
    for (size_t i = 0; i < sizeof of_addresses / sizeof *of_addresses; i++) {
        const char *enhanced = exit_by_code((uint64_t)of_addresses[i])->enhanced;
        if (own.len == strlen(enhanced) && memcmp(own.p, enhanced, own.len) == 0)
            return of_addresses[i];
    }
    return EX_USAGE;
}

void exit_line(struct buf *out, uint64_t code, struct bytes shown)
{
    const struct exit_meaning *x = exit_by_code(code);

    if (!x)
        x = exit_by_code(EX_SOFTWARE);
    buf_printf(out, "%s %s ", x->reply, x->enhanced);
    if (x->address) {
        buf_add(out, shown.p, shown.len);
        buf_adds(out, "... ");
    }
    buf_printf(out, "%s\n", x->text);
}

void exit_deferred(struct buf *out, struct bytes shown, struct bytes why)
{
    const char *end = why.len ? memchr(why.p, '\n', why.len) : NULL;

    buf_add(out, shown.p, shown.len);
    buf_adds(out, "... Deferred");
    if (why.len) {
        buf_adds(out, ": ");
        buf_add(out, why.p, end ? (size_t)(end - why.p) : why.len);
    }
    buf_addc(out, '\n');
}
