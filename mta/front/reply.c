#include "mta/front/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    ECHO_MAX = 203, /* bytes of a command that are repeated to the client */
    ECHO_END = 100
};

void reply_init(struct replies *r, struct arena *a)
{
    buf_init(&r->out, a);
    buf_init(&r->scratch, a);
}

/* "550 5.7.1 text" as "450 4.7.1 text". */
static void soften(char *s, size_t len)
{
    enum { CODE = 3 };

    if (len < CODE || s[0] != '5')
        return;
    s[0] = '4';
    if (len > CODE + 2 && s[CODE + 1] == '5' && s[CODE + 2] == '.')
        s[CODE + 1] = '4';
}

/* Bytes without their eighth bit, up to one that is nothing without it; a CR is shown where the
 * client itself sent it. */
static void add(struct replies *r, const char *s, size_t len, bool shows_cr)
{
    size_t from = r->out.len, n = 0;

    while (n < len && (s[n] == '\0' || (s[n] & 0x7f) != 0))
        n++;
    buf_add(&r->out, s, n);
    for (size_t i = from; i < r->out.len; i++) {
        bool cr = r->out.data[i] == '\r' && shows_cr;
        char c = (char)(r->out.data[i] & 0x7f);
        r->out.data[i] = c == '\n' || c == '\0' || (c == '\r' && !cr) ? ' ' : c;
    }
    if (r->soft)
        soften(r->out.data + from, r->out.len - from);
    buf_adds(&r->out, "\r\n");
}

void reply_line(struct replies *r, const char *s, size_t len)
{
    add(r, s, len, false);
}

void reply_lines(struct replies *r, const char *s, size_t len)
{
    for (const char *end; len > 0 && (end = memchr(s, '\n', len)) != NULL;) {
        reply_line(r, s, (size_t)(end - s));
        len -= (size_t)(end - s) + 1;
        s = end + 1;
    }
    if (len > 0)
        reply_line(r, s, len);
}

void reply_text(struct replies *r, const char *s)
{
    reply_line(r, s, strlen(s));
}

static void scratch(struct replies *r)
{
    reply_line(r, r->scratch.data, r->scratch.len);
    buf_truncate(&r->scratch, 0);
}

void reply_of(struct replies *r, const char *before, struct bytes text, const char *behind)
{
    buf_adds(&r->scratch, before);
    buf_add(&r->scratch, text.p, text.len);
    buf_adds(&r->scratch, behind);
    scratch(r);
}

void reply_format(struct replies *r, const char *format, ...)
{
    va_list ap;
    char text[1024];

    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    reply_line(r, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void reply_echo(struct replies *r, const char *what, struct bytes line)
{
    buf_printf(&r->scratch, "%s: \"", what);
    if (line.len > ECHO_MAX) {
        buf_add(&r->scratch, line.p, ECHO_END);
        buf_adds(&r->scratch, "...");
        line.p += line.len - ECHO_END;
        line.len = ECHO_END;
    }
    buf_add(&r->scratch, line.p, line.len);
    buf_addc(&r->scratch, '"');
    add(r, r->scratch.data, r->scratch.len, true);
    buf_truncate(&r->scratch, 0);
}

void reply_hold(struct replies *r, uint64_t ms)
{
    if (r->held_ms == 0)
        r->open_to = r->out.len;
    r->held_ms = r->held_ms < UINT64_MAX - ms ? r->held_ms + ms : UINT64_MAX;
}

void reply_release(struct replies *r)
{
    r->held_ms = 0;
}

size_t reply_waiting(const struct replies *r)
{
    return r->out.len - r->sent;
}

struct bytes reply_ready(const struct replies *r)
{
    size_t end = r->held_ms > 0 ? r->open_to : r->out.len;

    return (struct bytes){r->out.data + r->sent, end - r->sent};
}

void reply_sent(struct replies *r, size_t n)
{
    size_t ready = reply_ready(r).len;

    r->sent += n < ready ? n : ready;
    if (r->sent < r->out.len)
        return;
    buf_truncate(&r->out, 0);
    r->sent = r->open_to = 0;
}
