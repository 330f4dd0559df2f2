#include "mta/message/mime.h"

#include <string.h>
#include <strings.h>

enum { HELD = BODY_BOUNDARY + 64 }; /* of a line that may be a boundary */

/* --- heads -------------------------------------------------------------------------------- */

bool mime_field(struct bytes head, size_t *at, struct bytes *field)
{
    size_t i = *at;

    if (i >= head.len)
        return false;
    do {
        const char *end = memchr(head.p + i, '\n', head.len - i);
        i = end ? (size_t)(end - head.p) + 1 : head.len;
    } while (i < head.len && (head.p[i] == ' ' || head.p[i] == '\t'));
    *field = (struct bytes){head.p + *at, i - *at};
    *at = i;
    return true;
}

bool mime_field_is(struct bytes field, const char *name)
{
    size_t n = strlen(name);

    if (field.len <= n || strncasecmp(field.p, name, n) != 0)
        return false;
    while (n < field.len && (field.p[n] == ' ' || field.p[n] == '\t'))
        n++;
    return n < field.len && field.p[n] == ':';
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Goes on behind blanks and comments. */
static void skip(struct bytes *s)
{
    size_t depth = 0;

    for (; s->len && (depth || blank(*s->p) || *s->p == '('); s->p++, s->len--) {
        if (*s->p == '(')
            depth++;
        else if (*s->p == ')' && depth)
            depth--;
    }
}

/* A token or quoted string into out, at most room bytes; false where it is longer or none. */
static bool word(struct bytes *s, char *out, size_t room, size_t *len)
{
    bool quoted;

    skip(s);
    quoted = s->len && *s->p == '"';
    if (quoted)
        s->p++, s->len--;
    for (*len = 0; s->len; s->p++, s->len--) {
        if (quoted ? *s->p == '"' : blank(*s->p) || strchr("()<>@,;:\\\"/[]?=", *s->p) != NULL)
            break;
        if (quoted && *s->p == '\\' && s->len > 1)
            s->p++, s->len--;
        if (*len == room || *s->p == '\n')
            return false;
        out[(*len)++] = *s->p;
    }
    if (quoted && s->len)
        s->p++, s->len--;
    return *len > 0;
}

static bool take(struct bytes *s, char c)
{
    skip(s);
    if (!s->len || *s->p != c)
        return false;
    s->p++, s->len--;
    return true;
}

static bool same(const char *s, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(s, name, len) == 0;
}

static struct bytes field_value(struct bytes field)
{
    const char *colon = memchr(field.p, ':', field.len);
    size_t skipped = colon ? (size_t)(colon - field.p) + 1 : field.len;

    return (struct bytes){field.p + skipped, field.len - skipped};
}

/* "; boundary=..." behind a type. */
static void read_boundary(struct bytes s, struct mime_head *h)
{
    char name[64], value[BODY_BOUNDARY];
    size_t n, v;

    while (take(&s, ';')) {
        /* A parameter may be longer than what is wanted: it is passed over. */
        if (!word(&s, name, sizeof name, &n) || !take(&s, '=') ||
            !word(&s, value, sizeof value, &v)) {
            while (s.len && *s.p != ';')
                s.p++, s.len--;
        } else if (same(name, n, "boundary")) {
            memcpy(h->boundary, value, v);
            while (v && value[v - 1] == ' ')
                v--;
            h->boundary_len = v;
            return;
        }
    }
}

static void read_type(struct bytes field, struct mime_head *h)
{
    struct bytes s = field_value(field);
    char type[64], subtype[64];
    size_t t = 0, u = 0;
    bool whole =
        word(&s, type, sizeof type, &t) && take(&s, '/') && word(&s, subtype, sizeof subtype, &u);

    h->type = true;
    h->kind = MIME_LEAF;
    h->plain = whole && same(type, t, "text") && same(subtype, u, "plain");
    if (!whole)
        return;
    if (same(type, t, "multipart")) {
        h->encodes = false;
        if (same(subtype, u, "signed"))
            return;
        read_boundary(s, h);
        h->digest = same(subtype, u, "digest");
        if (h->boundary_len)
            h->kind = MIME_MULTIPART;
    } else if (same(type, t, "message")) {
        h->encodes = false;
        if (same(subtype, u, "rfc822"))
            h->kind = MIME_MESSAGE;
    }
}

static enum mime_encoding read_encoding(struct bytes field)
{
    static const char *const names[] = {"7bit", "8bit", "binary", "quoted-printable", "base64"};
    struct bytes s = field_value(field);
    char name[32];
    size_t n;

    if (!word(&s, name, sizeof name, &n))
        return MIME_OTHER;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (same(name, n, names[i]))
            return (enum mime_encoding)i;
    return MIME_OTHER;
}

struct mime_head mime_head_read(struct bytes head, bool in_digest)
{
    struct mime_head h = {.plain = !in_digest, .encodes = !in_digest};
    struct bytes field;

    h.kind = in_digest ? MIME_MESSAGE : MIME_LEAF;
    for (size_t at = 0; mime_field(head, &at, &field);) {
        if (mime_field_is(field, "MIME-Version")) {
            h.version = true;
        } else if (mime_field_is(field, "Content-Type") && !h.type) {
            h.encodes = true;
            read_type(field, &h);
        } else if (mime_field_is(field, "Content-Transfer-Encoding")) {
            h.encoding = read_encoding(field);
        }
    }
    if (h.encoding > MIME_BINARY) {
        h.encodes = false;
        h.kind = MIME_LEAF; /* what is encoded as a whole has no parts to be seen */
    }
    return h;
}

/* --- the walk ------------------------------------------------------------------------------ */

enum state { IN_TEXT, IN_HEAD, IN_LEAF, IN_RAW /* a part whose head is too long */ };

struct level {
    char boundary[BODY_BOUNDARY];
    size_t len;
    bool digest;
};

struct mime_walk {
    const struct mime_events *events;
    void *ctx;
    enum state state;
    struct level levels[BODY_DEPTH];
    size_t depth;
    struct buf head; /* of a part */
    bool message;    /* the head is a message's */
    bool in_line;    /* behind a line's first byte that is no boundary's */
    bool newline;    /* a leaf's or text's last byte, which may be a boundary's */
    char held[HELD];
    size_t nheld;
};

static void text(struct mime_walk *w, const char *bytes, size_t len)
{
    w->events->text(w->ctx, bytes, len, true);
}

/* Content of a leaf, or text; a line end in a multipart waits for what comes behind it. */
static void content(struct mime_walk *w, const char *bytes, size_t len)
{
    if (w->newline && len) {
        w->newline = false;
        if (w->state == IN_LEAF)
            w->events->leaf(w->ctx, "\n", 1);
        else
            text(w, "\n", 1);
    }
    if (w->depth && len && bytes[len - 1] == '\n') {
        w->newline = true;
        len--;
    }
    if (!len)
        return;
    if (w->state == IN_LEAF)
        w->events->leaf(w->ctx, bytes, len);
    else
        text(w, bytes, len);
}

static void enter(struct mime_walk *w, const struct mime_head *h)
{
    w->message = h->kind == MIME_MESSAGE;
    if (h->kind == MIME_MESSAGE) {
        w->state = IN_HEAD;
    } else if (h->kind == MIME_MULTIPART) {
        struct level *l = &w->levels[w->depth++];
        memcpy(l->boundary, h->boundary, h->boundary_len);
        l->len = h->boundary_len;
        l->digest = h->digest;
        w->state = IN_TEXT;
    } else {
        w->state = IN_LEAF;
    }
}

static void head_done(struct mime_walk *w)
{
    struct bytes head = {w->head.data, w->head.len};
    bool digest = !w->message && w->depth && w->levels[w->depth - 1].digest;
    struct mime_head h = mime_head_read(head, digest);

    if (h.kind == MIME_MULTIPART && w->depth == BODY_DEPTH)
        h.kind = MIME_LEAF;
    w->events->head(w->ctx, head, &h, w->message);
    buf_truncate(&w->head, 0);
    enter(w, &h);
}

/* Part of a head's line; false: it is no line of a head, which is done. */
static void head_bytes(struct mime_walk *w, const char *bytes, size_t len, bool first)
{
    if (first && (bytes[0] == '\n' || (bytes[0] == '\r' && len == 2 && bytes[1] == '\n'))) {
        head_done(w);
        return;
    }
    if (w->head.len + len <= BODY_PART_HEAD) {
        buf_add(&w->head, bytes, len);
        return;
    }
    /* Too long: as it is up to the next boundary. */
    w->events->text(w->ctx, w->head.data, w->head.len, false);
    w->events->text(w->ctx, bytes, len, false);
    buf_truncate(&w->head, 0);
    w->state = IN_RAW;
}

/* Of a line that is no boundary; first: its first bytes. */
static void line_bytes(struct mime_walk *w, const char *bytes, size_t len, bool first)
{
    if (w->state == IN_HEAD)
        head_bytes(w, bytes, len, first);
    else if (w->state == IN_RAW)
        w->events->text(w->ctx, bytes, len, false);
    else
        content(w, bytes, len);
}

static void leave(struct mime_walk *w)
{
    if (w->state == IN_HEAD && w->head.len) {
        w->newline = w->head.data[w->head.len - 1] != '\n';
        w->events->text(w->ctx, w->head.data, w->head.len, false);
        buf_truncate(&w->head, 0);
    }
    if (w->state == IN_LEAF)
        w->events->leaf_end(w->ctx, w->newline);
    if (w->newline)
        text(w, "\n", 1);
    w->newline = false;
}

/* The level whose boundary the line is; depth where it is none.  *close: it ends the multipart. */
static size_t boundary_of(const struct mime_walk *w, const char *s, size_t len, bool *close)
{
    while (len && blank(s[len - 1]))
        len--;
    for (size_t i = w->depth; i-- > 0;) {
        const struct level *l = &w->levels[i];
        if (len < l->len + 2 || memcmp(s + 2, l->boundary, l->len) != 0)
            continue;
        *close = len == l->len + 4 && memcmp(s + len - 2, "--", 2) == 0;
        if (*close || len == l->len + 2)
            return i;
    }
    return w->depth;
}

static void close_level(struct mime_walk *w)
{
    const struct level *l = &w->levels[--w->depth];

    text(w, "--", 2);
    text(w, l->boundary, l->len);
    text(w, "--", 2);
    w->state = IN_TEXT;
}

static bool took_boundary(struct mime_walk *w)
{
    bool close = false;
    size_t level = boundary_of(w, w->held, w->nheld, &close);

    if (level == w->depth)
        return false;
    leave(w);
    w->depth = level + 1;
    if (close) {
        close_level(w);
        w->newline = w->depth > 0;
        if (!w->newline)
            text(w, "\n", 1);
        return true;
    }
    text(w, "--", 2);
    text(w, w->levels[level].boundary, w->levels[level].len);
    text(w, "\n", 1);
    w->state = IN_HEAD;
    w->message = false;
    return true;
}

/* The held bytes are a whole line, or no boundary's. */
static void release(struct mime_walk *w, bool whole)
{
    if (!whole || !took_boundary(w))
        line_bytes(w, w->held, w->nheld, true);
    w->in_line = !whole;
    w->nheld = 0;
}

static bool may_be_boundary(const struct mime_walk *w)
{
    return w->depth && w->held[0] == '-' && (w->nheld < 2 || w->held[1] == '-') && w->nheld < HELD;
}

/* One byte at a time where a line begins or may be a boundary: the rest of most lines is not. */
static size_t begin_line(struct mime_walk *w, const char *bytes)
{
    w->held[w->nheld++] = *bytes;
    if (*bytes == '\n')
        release(w, true);
    else if (!may_be_boundary(w) && !(w->held[0] == '\r' && w->nheld < 2))
        release(w, false);
    return 1;
}

void mime_walk_feed(struct mime_walk *w, const char *bytes, size_t len)
{
    while (len) {
        size_t n;
        if (w->in_line) {
            const char *end = memchr(bytes, '\n', len);
            n = end ? (size_t)(end - bytes) + 1 : len;
            line_bytes(w, bytes, n, false);
            w->in_line = !end;
        } else {
            n = begin_line(w, bytes);
        }
        bytes += n;
        len -= n;
    }
}

void mime_walk_end(struct mime_walk *w)
{
    bool open = w->nheld || w->in_line;

    if (w->nheld)
        release(w, true);
    /* The last line has an end if the multipart is still to be closed behind it. */
    if (w->depth && open && w->state != IN_HEAD)
        w->newline = true;
    leave(w);
    while (w->depth) {
        close_level(w);
        text(w, "\n", 1);
    }
}

struct mime_walk *mime_walk_new(struct arena *a, const struct mime_head *top,
                                const struct mime_events *events, void *ctx)
{
    struct mime_walk *w = arena_alloc(a, sizeof *w);

    w->events = events;
    w->ctx = ctx;
    buf_init(&w->head, a);
    enter(w, top);
    return w;
}
