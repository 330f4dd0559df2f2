#include "mta/front/incoming.h"

#include <string.h>

#include "mta/message/head.h"
#include "mta/message/seen.h"

void incoming_init(struct incoming *in, struct arena *a)
{
    buf_init(&in->head, a);
    buf_init(&in->body, a);
}

void incoming_start(struct incoming *in, enum lines_bare cr, enum lines_bare lf, bool lax_end)
{
    lines_start(&in->lines, cr, lf, lax_end);
    buf_truncate(&in->head, 0);
    buf_truncate(&in->body, 0);
    in->taken = in->line = in->from = 0;
    in->first = true;
    in->folds = false;
    in->in_body = in->too_large = in->head_too_large = false;
    in->size = in->body_lines = 0;
    in->flags = 0;
}

size_t incoming_waiting(const struct incoming *in)
{
    return in->body.len - in->taken;
}

/* What is gone makes room; what waits moves to the front when it is the smaller part. */
void incoming_taken(struct incoming *in, size_t n)
{
    size_t waiting = incoming_waiting(in);

    in->taken += n < waiting ? n : waiting;
    waiting = incoming_waiting(in);
    if (waiting > in->taken)
        return;
    if (waiting > 0)
        memcpy(in->body.data, in->body.data + in->taken, waiting);
    buf_truncate(&in->body, waiting);
    in->taken = 0;
}

static bool refused(const struct incoming *in)
{
    return in->too_large || in->head_too_large;
}

/* What is new in b, from `from` on. */
static void look_at(struct incoming *in, struct buf *b, size_t from)
{
    for (size_t i = from; i < b->len; i++) {
        if (in->seven_bit)
            b->data[i] = (char)(b->data[i] & 0x7f);
        if ((unsigned char)b->data[i] > 127)
            in->flags |= SEEN_8BIT;
        if (b->data[i] == '\0')
            in->flags |= SEEN_NUL;
    }
    in->size += b->len - from;
    if (in->max_size > 0 && in->size > in->max_size)
        in->too_large = true;
}

static uint64_t lines_of(const char *s, size_t len)
{
    uint64_t n = 0;

    for (const char *p = s; (p = memchr(p, '\n', len - (size_t)(p - s))) != NULL; p++)
        n++;
    return n;
}

/* --- the head ------------------------------------------------------------------------------ */

enum line_kind { LINE_HEADER, LINE_FROM, LINE_EMPTY, LINE_OTHER, LINE_UNKNOWN };

/* A name may have NUL in it, which are taken out. */
static bool is_of_name(char c)
{
    return (c > ' ' && c < 127 && c != ':') || c == '\0';
}

/* Whether a line begins with a name, and blanks, and *colon: a colon, *all: nothing behind it. */
static void name_of(const char *s, size_t len, bool *colon, bool *all)
{
    size_t i = 0;

    while (i < len && is_of_name(s[i]))
        i++;
    size_t name = i;
    while (i < len && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n'))
        i++;
    bool is_name = name > 0 && i <= INCOMING_NAME_MAX;
    *all = i == len && is_name;
    *colon = i < len && s[i] == ':' && is_name && !(head_flags(s, name) & FIELD_ENDS_HEAD);
}

/* What a line of the head is, of which `len` bytes are there; complete: its LF came behind them. */
static enum line_kind kind_of(const struct incoming *in, const char *s, size_t len, bool complete)
{
    static const char from[] = "From ";
    size_t n = len < sizeof from - 1 ? len : sizeof from - 1;
    bool colon, all;

    if (len == 0)
        return complete ? LINE_EMPTY : LINE_UNKNOWN;
    if (*s == ' ' || *s == '\t')
        return in->line > in->from ? LINE_HEADER : LINE_OTHER;
    if (in->first && memcmp(s, from, n) == 0 && (n == sizeof from - 1 || !complete))
        return !complete ? LINE_UNKNOWN : in->keeps_from ? LINE_OTHER : LINE_FROM;
    name_of(s, len, &colon, &all);
    if (colon)
        return LINE_HEADER;
    return all && !complete ? LINE_UNKNOWN : LINE_OTHER;
}

/* From head[at] on it is the body. */
static void end_head(struct incoming *in, size_t at)
{
    in->in_body = true;
    buf_add(&in->body, in->head.data + at, in->head.len - at);
    in->body_lines += lines_of(in->head.data + at, in->head.len - at);
    buf_truncate(&in->head, in->line);
}

static void take_out_nul(struct buf *b, size_t from)
{
    size_t to = from;

    for (size_t i = from; i < b->len; i++)
        if (b->data[i] != '\0')
            b->data[to++] = b->data[i];
    buf_truncate(b, to);
}

/* Bytes of the head's last line before its colon, all of it where there is none yet; none of a line
 * that goes on with another. */
static size_t name_length(const struct incoming *in)
{
    const char *line = in->head.data + in->line;
    size_t len = in->head.len - in->line;
    const char *colon = len > 0 ? memchr(line, ':', len) : NULL;

    if (len > 0 && (*line == ' ' || *line == '\t'))
        return 0;
    return colon != NULL ? (size_t)(colon - line) : len;
}

/* A name is not folded: its LF were blanks. */
static void unfold_name(struct incoming *in)
{
    char *line = in->head.data + in->line;

    for (size_t i = 0, n = name_length(in); i < n; i++)
        if (line[i] == '\n')
            line[i] = ' ';
}

/* The head's last line, which ends where the head does (complete), or goes on. */
static void judge_line(struct incoming *in, bool complete)
{
    const char *s = in->head.data + in->line;
    size_t len = in->head.len - in->line;

    switch (kind_of(in, s, len - complete, complete)) {
    case LINE_EMPTY:
        end_head(in, in->head.len);
        break;
    case LINE_OTHER:
        end_head(in, in->line);
        break;
    case LINE_FROM:
        in->line = in->from = in->head.len;
        break;
    case LINE_HEADER:
        if (complete) {
            take_out_nul(&in->head, in->line);
            unfold_name(in);
            in->line = in->head.len;
        }
        break;
    case LINE_UNKNOWN:
        return;
    }
    if (complete)
        in->first = false;
}

/* At most one line. */
static enum lines_result into_head(struct incoming *in, const char *s, size_t len, size_t *used)
{
    const char *end = memchr(s, '\n', len);
    size_t from = in->head.len;

    if (in->folds && *s != ' ' && *s != '\t' && name_length(in) < from - in->line)
        buf_addc(&in->head, ' ');
    enum lines_result r =
        lines_data(&in->lines, s, end != NULL ? (size_t)(end - s) + 1 : len, used, &in->head);
    size_t have = in->head.len;
    /* Before bits are taken away: what becomes a LF so ends no line. */
    bool ends = have > from && in->head.data[have - 1] == '\n';
    in->folds = ends && !lines_is_at_end(&in->lines);
    look_at(in, &in->head, from);
    if (in->head.len > from)
        judge_line(in, ends && !in->folds);
    if (in->max_head > 0 && in->head.len >= in->max_head)
        in->head_too_large = true;
    return r;
}

static enum lines_result into_body(struct incoming *in, const char *s, size_t len, size_t *used)
{
    size_t from = in->body.len;
    enum lines_result r = lines_data(&in->lines, s, len, used, &in->body);

    look_at(in, &in->body, from);
    if (refused(in))
        buf_truncate(&in->body, from);
    else
        in->body_lines += lines_of(in->body.data + from, in->body.len - from);
    return r;
}

enum lines_result incoming_data(struct incoming *in, const char *s, size_t len, size_t *used)
{
    enum lines_result r = LINES_MORE;
    size_t n;

    for (*used = 0; r == LINES_MORE && *used < len; *used += n) {
        if (in->in_body || refused(in))
            r = into_body(in, s + *used, len - *used, &n);
        else
            r = into_head(in, s + *used, len - *used, &n);
    }
    if (in->lines.seen_cr)
        in->flags |= SEEN_CR;
    if (in->lines.seen_lf)
        in->flags |= SEEN_LF;
    return r;
}
