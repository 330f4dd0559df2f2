#include "mta/front/lines.h"

#include <string.h>

/* What was read last. */
enum place {
    AT_LINE,   /* a line end, or nothing yet */
    AT_DOT,    /* a line end and . */
    AT_DOT_CR, /* a line end, . and CR */
    AT_CR,     /* any other CR */
    AT_TEXT    /* any other byte */
};

void lines_start(struct lines *l, enum lines_bare cr, enum lines_bare lf, bool lax_end)
{
    *l = (struct lines){.cr = cr, .lf = lf, .lax_end = lax_end, .place = AT_LINE};
}

static bool is_cr(const struct lines *l)
{
    return l->place == AT_CR || l->place == AT_DOT_CR;
}

/* A LF that is none of CR LF. */
static enum lines_result bare_lf(struct lines *l, struct buf *out)
{
    bool ends_line = l->lax_end && l->lf == LINES_KEEP;

    l->seen_lf = true;
    if (l->lf == LINES_REFUSE)
        return LINES_BARE_LF;
    if (ends_line && l->place == AT_DOT)
        return LINES_END;
    buf_addc(out, l->lf == LINES_BLANK ? ' ' : '\n');
    l->place = ends_line ? AT_LINE : AT_TEXT;
    return LINES_MORE;
}

static enum lines_result line_feed(struct lines *l, struct buf *out)
{
    if (!is_cr(l))
        return bare_lf(l, out);
    if (l->place == AT_DOT_CR)
        return LINES_END;
    buf_addc(out, '\n');
    l->place = AT_LINE;
    return LINES_MORE;
}

/* The CR before this byte, which is no LF, was a bare one. */
static enum lines_result bare_cr(struct lines *l, struct buf *out)
{
    l->seen_cr = true;
    if (l->cr == LINES_REFUSE)
        return LINES_BARE_CR;
    buf_addc(out, l->cr == LINES_BLANK ? ' ' : '\r');
    l->place = AT_TEXT;
    return LINES_MORE;
}

static enum lines_result one(struct lines *l, char c, struct buf *out)
{
    if (c == '\n')
        return line_feed(l, out);
    if (is_cr(l)) {
        enum lines_result r = bare_cr(l, out);
        if (r != LINES_MORE)
            return r;
    }
    if (c == '\r') {
        l->place = l->place == AT_DOT ? AT_DOT_CR : AT_CR;
    } else if (c == '.' && l->place == AT_LINE) {
        l->place = AT_DOT; /* none is written: it ends the message, or was put there */
    } else {
        buf_addc(out, c);
        l->place = AT_TEXT;
    }
    return LINES_MORE;
}

/* Bytes that s[0..len) begins with and that mean nothing but themselves. */
static size_t plain(const char *s, size_t len)
{
    const char *lf = memchr(s, '\n', len);
    const char *cr = memchr(s, '\r', lf != NULL ? (size_t)(lf - s) : len);

    return cr != NULL ? (size_t)(cr - s) : lf != NULL ? (size_t)(lf - s) : len;
}

enum lines_result lines_data(struct lines *l, const char *s, size_t len, size_t *used,
                             struct buf *out)
{
    for (size_t i = 0; i < len;) {
        size_t run = l->place == AT_TEXT ? plain(s + i, len - i) : 0;
        if (run > 0) {
            buf_add(out, s + i, run);
            i += run;
            continue;
        }
        enum lines_result r = one(l, s[i], out);
        if (r != LINES_MORE) {
            *used = i + (r == LINES_END);
            return r;
        }
        i++;
    }
    *used = len;
    return LINES_MORE;
}

bool lines_is_at_end(const struct lines *l)
{
    return l->place == AT_LINE;
}

static enum lines_result bare_in(const char *s, size_t len, enum lines_bare cr, enum lines_bare lf)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\r' && cr == LINES_REFUSE)
            return LINES_BARE_CR;
        if (s[i] == '\n' && lf == LINES_REFUSE)
            return LINES_BARE_LF;
    }
    return LINES_MORE;
}

size_t lines_command(const char *s, size_t len, enum lines_bare cr, enum lines_bare lf,
                     size_t *text, enum lines_result *refused)
{
    const char *end = memchr(s, '\n', len);

    if (end == NULL)
        return 0;
    *text = (size_t)(end - s);
    *refused = LINES_MORE;
    bool with_cr = *text > 0 && s[*text - 1] == '\r';
    if (with_cr)
        --*text;
    *refused = bare_in(s, *text, cr, LINES_KEEP);
    if (*refused == LINES_MORE && !with_cr && lf == LINES_REFUSE)
        *refused = LINES_BARE_LF;
    return (size_t)(end - s) + 1;
}
