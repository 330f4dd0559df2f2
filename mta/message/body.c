#include "mta/message/body.h"

#include <string.h>

#include "mta/base64.h"
#include "mta/message/envelope.h"
#include "mta/message/mime.h"

enum {
    FROM = 5,        /* bytes of "From " */
    LEAST_LIMIT = 3, /* a shorter line has no room for a break */
    QP_LINE = 72,    /* no byte begins behind it */
    BASE64_LINE = 72,
    BLANKS = 128 /* of a quoted-printable line's end that are looked at */
};

enum codec { CODEC_NONE, CODEC_QP, CODEC_BASE64 };
static const char *const codec_names[] = {"8bit", "quoted-printable", "base64"};

struct body {
    const struct plan *plan;
    struct arena *arena;
    struct body_form form;
    enum body_change change;
    struct mime_head top;
    struct mime_walk *walk;
    struct buf *out; /* while a call lasts */

    /* The line that is written. */
    size_t column;
    char held; /* its last byte, which a line end or a break follows */
    bool holding;
    char start[FROM];
    size_t nstart;
    bool in_head;

    /* What each leaf is to be encoded as, in order: of a scan. */
    unsigned char *codecs;
    size_t ncodecs, room, leaf;
    struct mime_walk *scan;
    enum mime_encoding leaf_encoding;
    bool leaf_encodes;
    uint64_t size, high;

    /* The leaf that is encoded or decoded. */
    enum codec codec;
    size_t encoded; /* bytes of the line */
    unsigned char group[4];
    size_t ngroup;
    char blanks[BLANKS];
    size_t nblanks;
    bool cr;
};

/* --- lines --------------------------------------------------------------------------------- */

struct body_form body_form_of(const struct plan *p)
{
    struct body_form f = {.eol = "\n", .eol_len = 1};

    if (p->eol.len) {
        f.eol_len = p->eol.len < BODY_EOL_MAX ? p->eol.len : BODY_EOL_MAX;
        memcpy(f.eol, p->eol.p, f.eol_len);
    }
    if (p->kind == PLAN_SMTP || p->kind == PLAN_LMTP || plan_has_flag(p, 'z')) {
        f.dots = true;
        memcpy(f.eol, "\r\n", 2);
        f.eol_len = 2;
    }
    f.dots |= plan_has_flag(p, 'X');
    f.line_limit =
        p->line_limit < LEAST_LIMIT || p->line_limit > SIZE_MAX / 2 ? 0 : (size_t)p->line_limit;
    f.from = plan_has_flag(p, 'E');
    f.seven = plan_has_flag(p, '7');
    f.seven_body = (p->body & ENVELOPE_7BIT) != 0; /* it was promised */
    f.blank_end = plan_has_flag(p, 'b');
    return f;
}

static void line_end(struct body *b)
{
    if (b->holding)
        buf_addc(b->out, b->held);
    b->holding = false;
    buf_add(b->out, b->form.eol, b->form.eol_len);
    b->column = 0;
}

static void line_byte(struct body *b, char c)
{
    if (b->column == 0 && b->form.dots && c == '.')
        buf_addc(b->out, '.'); /* RFC 5321 4.5.2; no byte of the line's limit */
    if (b->holding) {
        char held = b->held;
        b->held = '!';
        line_end(b);
        buf_adds(b->out, " ");
        b->column = 1;
        line_byte(b, held);
    }
    if (b->form.line_limit && b->column == b->form.line_limit - 1) {
        b->held = c;
        b->holding = true;
        return;
    }
    buf_addc(b->out, c);
    b->column++;
}

/* The bytes that could have begun "From " begin the line. */
static void line_start(struct body *b)
{
    size_t n = b->nstart;

    b->nstart = 0;
    if (n == FROM)
        line_byte(b, '>');
    for (size_t i = 0; i < n; i++)
        line_byte(b, b->start[i]);
}

static void put_byte(struct body *b, char c)
{
    if (b->form.seven || (b->form.seven_body && !b->in_head))
        c = (char)(c & 0x7f);
    if (b->form.from && !b->in_head && b->column == 0 && !b->holding && c == "From "[b->nstart]) {
        b->start[b->nstart++] = c;
        if (b->nstart == FROM)
            line_start(b);
        return;
    }
    if (b->nstart)
        line_start(b);
    if (c == '\n')
        line_end(b);
    else
        line_byte(b, c);
}

/* Bytes up to a line end that need not be looked at one by one. */
static size_t plain_run(const struct body *b, const char *bytes, size_t len)
{
    const char *end;

    if (b->column == 0 || b->holding || b->form.seven)
        return 0;
    if (b->form.line_limit && len > b->form.line_limit - 1 - b->column)
        len = b->form.line_limit - 1 - b->column;
    end = memchr(bytes, '\n', len);
    return end ? (size_t)(end - bytes) : len;
}

/* LF line ends. */
static void put(struct body *b, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = plain_run(b, bytes + i, len - i);
        if (n) {
            buf_add(b->out, bytes + i, n);
            b->column += n;
            i += n;
        } else {
            put_byte(b, bytes[i++]);
        }
    }
}

static void puts_(struct body *b, const char *s)
{
    put(b, s, strlen(s));
}

static bool in_line(const struct body *b)
{
    return b->column || b->holding || b->nstart;
}

/* --- encoding ------------------------------------------------------------------------------ */

static const char hex[] = "0123456789ABCDEF";

static void qp_put(struct body *b, char c, bool as_hex)
{
    unsigned char u = (unsigned char)c;
    char s[3] = {'=', hex[u >> 4], hex[u & 15]};

    put(b, as_hex ? s : &c, as_hex ? 3 : 1);
    b->encoded += as_hex ? 3 : 1;
}

static void qp_room(struct body *b)
{
    if (b->encoded <= QP_LINE)
        return;
    puts_(b, "=\n");
    b->encoded = 0;
}

static bool qp_plain(char c)
{
    return (c >= ' ' && c < 127 && c != '=') || c == '\t';
}

/* At the end of a line a blank is not to be one (RFC 2045 6.7), a dot is not to be alone in a line
 * of its own, and a CR belongs to the line end: these wait for what comes behind them. */
static void qp_held(struct body *b, char next)
{
    char c = b->blanks[0];

    b->nblanks = 0;
    if (next == '\n' && c == '\r')
        return;
    if (next != '\n' || c != '.')
        qp_room(b);
    qp_put(b, c, c == '\r' || (next == '\n' && c != '.'));
}

static void qp_byte(struct body *b, char c)
{
    if (b->nblanks)
        qp_held(b, c);
    if (c == '\n') {
        puts_(b, "\n");
        b->encoded = 0;
    } else if (c == ' ' || c == '\t' || c == '.' || c == '\r') {
        b->blanks[0] = c;
        b->nblanks = 1;
    } else {
        qp_room(b);
        qp_put(b, c, !qp_plain(c));
    }
}

static void end_group(struct body *b)
{
    char s[BASE64_GROUP];

    if (b->encoded >= BASE64_LINE) {
        puts_(b, "\n");
        b->encoded = 0;
    }
    base64_group((const char *)b->group, b->ngroup, s);
    put(b, s, sizeof s);
    b->encoded += sizeof s;
    b->ngroup = 0;
}

static void base64_byte(struct body *b, char c)
{
    b->group[b->ngroup++] = (unsigned char)c;
    if (b->ngroup == BASE64_BYTES)
        end_group(b);
}

/* Lines end with CR LF in what is encoded (RFC 2045 6.8). */
static void base64_text(struct body *b, char c)
{
    if (c == '\n' && !b->cr)
        base64_byte(b, '\r');
    base64_byte(b, c);
    b->cr = c == '\r';
}

static void encode(struct body *b, const char *bytes, size_t len)
{
    if (b->codec == CODEC_NONE)
        put(b, bytes, len);
    else if (b->codec == CODEC_QP)
        for (size_t i = 0; i < len; i++)
            qp_byte(b, bytes[i]);
    else
        for (size_t i = 0; i < len; i++)
            base64_text(b, bytes[i]);
}

static void encode_end(struct body *b)
{
    if (b->codec == CODEC_QP && b->nblanks)
        qp_held(b, '\n');
    if (b->codec == CODEC_BASE64 && b->ngroup)
        end_group(b);
    b->nblanks = b->ngroup = b->encoded = 0;
    b->cr = false;
}

/* --- decoding ------------------------------------------------------------------------------ */

/* CR LF is a line end. */
static void decoded(struct body *b, char c)
{
    if (b->cr && c != '\n')
        put_byte(b, '\r');
    b->cr = c == '\r';
    if (!b->cr)
        put_byte(b, c);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c & ~0x20);
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Blanks at the end of a line were not there when it was sent (RFC 2045 6.7). */
static void qp_blanks(struct body *b)
{
    for (size_t i = 0; i < b->nblanks; i++)
        decoded(b, b->blanks[i]);
    b->nblanks = 0;
}

/* group: '=' and what came behind it. */
static void unqp_literal(struct body *b)
{
    for (size_t i = 0; i < b->ngroup; i++)
        decoded(b, (char)b->group[i]);
    b->ngroup = 0;
    qp_blanks(b);
}

static void unqp_escape(struct body *b, char c)
{
    if (c == '\n' && b->ngroup == 1) {
        b->ngroup = b->nblanks = 0; /* a soft break */
    } else if (hex_value(c) >= 0 && !b->nblanks && b->ngroup == 1) {
        b->group[b->ngroup++] = (unsigned char)c;
    } else if (hex_value(c) >= 0 && b->ngroup == 2) {
        int value = hex_value((char)b->group[1]) << 4 | hex_value(c);
        b->ngroup = 0;
        decoded(b, (char)value);
    } else if ((c == ' ' || c == '\t' || c == '\r') && b->ngroup == 1 && b->nblanks < BLANKS) {
        b->blanks[b->nblanks++] = c;
    } else {
        unqp_literal(b);
        decoded(b, c);
    }
}

static void unqp(struct body *b, char c)
{
    if (b->ngroup) {
        unqp_escape(b, c);
    } else if (c == ' ' || c == '\t') {
        if (b->nblanks == BLANKS)
            qp_blanks(b);
        b->blanks[b->nblanks++] = c;
    } else if (c == '\n') {
        b->nblanks = 0;
        decoded(b, c);
    } else {
        qp_blanks(b);
        if (c == '=')
            b->group[b->ngroup++] = (unsigned char)c;
        else
            decoded(b, c);
    }
}

static void unbase64_group(struct body *b)
{
    const unsigned char *g = b->group;

    if (b->ngroup > 1)
        decoded(b, (char)(g[0] << 2 | g[1] >> 4));
    if (b->ngroup > 2)
        decoded(b, (char)(g[1] << 4 | g[2] >> 2));
    if (b->ngroup > 3)
        decoded(b, (char)(g[2] << 6 | g[3]));
    b->ngroup = 0;
}

static void unbase64(struct body *b, char c)
{
    const int value = base64_value(c);

    if (value >= 0)
        b->group[b->ngroup++] = (unsigned char)value;
    if (c == '=' || b->ngroup == 4)
        unbase64_group(b);
}

static void decode(struct body *b, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (b->codec == CODEC_QP)
            unqp(b, bytes[i]);
        else
            unbase64(b, bytes[i]);
    }
}

/* The reference ends a line here, be there one or not. */
static void decode_end(struct body *b)
{
    if (b->codec == CODEC_QP)
        unqp_literal(b);
    else
        unbase64_group(b);
    if (b->cr)
        put_byte(b, '\r');
    b->cr = false;
    b->nblanks = b->ngroup = 0;
    put_byte(b, '\n');
}

/* --- heads --------------------------------------------------------------------------------- */

static void put_marked(struct body *b, const char *from, const char *to)
{
    puts_(b, "Content-Transfer-Encoding: ");
    puts_(b, to);
    puts_(b, "\nX-MIME-Autoconverted: from ");
    puts_(b, from);
    puts_(b, " to ");
    puts_(b, to);
    puts_(b, " by ");
    put(b, b->plan->mark.p, b->plan->mark.len);
    puts_(b, "\n");
}

/* All fields, each with a line end; without the encoding where that changes. */
static void put_fields(struct body *b, struct bytes head, bool encoding)
{
    struct bytes field;

    for (size_t at = 0; mime_field(head, &at, &field);) {
        if (!encoding && mime_field_is(field, "Content-Transfer-Encoding"))
            continue;
        put(b, field.p, field.len);
        if (field.p[field.len - 1] != '\n')
            puts_(b, "\n");
    }
}

static void put_type(struct body *b)
{
    struct bytes charset = b->plan->charset;

    puts_(b, "Content-Type: text/plain; charset=");
    if (charset.len)
        put(b, charset.p, charset.len);
    else
        puts_(b, "unknown-8bit");
    puts_(b, "\n");
}

static void put_encoded_head(struct body *b, struct bytes head, const struct mime_head *h,
                             bool message, bool top)
{
    bool parts = h->kind != MIME_LEAF;
    bool eight = h->encoding == MIME_8BIT || h->encoding == MIME_BINARY;

    put_fields(b, head, parts ? !eight : b->codec == CODEC_NONE);
    if (message && !h->version)
        puts_(b, "MIME-Version: 1.0\n");
    if (top && !h->type)
        put_type(b);
    if (!parts && b->codec != CODEC_NONE)
        put_marked(b, "8bit", codec_names[b->codec]);
}

static void put_top_head(struct body *b)
{
    const struct plan *p = b->plan;

    if (b->change == BODY_TO_7BIT) {
        put_encoded_head(b, p->head, &b->top, true, true);
        return;
    }
    put_fields(b, p->head, b->change == BODY_KEEP);
    if (b->change == BODY_LABEL) {
        puts_(b, "MIME-Version: 1.0\n");
        put_type(b);
        puts_(b, "Content-Transfer-Encoding: 8bit\n");
    } else if (b->change == BODY_TO_8BIT) {
        put_marked(b, codec_names[b->codec], "8bit");
    }
}

/* --- parts: the scan, and what is written -------------------------------------------------- */

static void scan_text(void *ctx, const char *bytes, size_t len, bool outside)
{
    (void)ctx;
    (void)bytes;
    (void)len;
    (void)outside;
}

static void scan_head(void *ctx, struct bytes head, const struct mime_head *h, bool message)
{
    struct body *b = ctx;

    (void)head;
    (void)message;
    b->size = b->high = 0;
    b->leaf_encodes = h->encodes;
    b->leaf_encoding = h->encoding;
}

static void scan_leaf(void *ctx, const char *bytes, size_t len)
{
    struct body *b = ctx;

    b->size += len;
    for (size_t i = 0; i < len; i++)
        b->high += (unsigned char)bytes[i] >> 7;
}

/* More than one byte in eight is cheaper to have as base64; a part is counted with its last line
 * end. */
static void scan_leaf_end(void *ctx, bool newline)
{
    struct body *b = ctx;
    enum codec codec = CODEC_QP;

    b->size += newline;
    if (b->ncodecs == BODY_PARTS)
        return;
    if (!b->high || !b->leaf_encodes)
        codec = CODEC_NONE;
    else if (b->leaf_encoding == MIME_BINARY || b->high > b->size / 8)
        codec = CODEC_BASE64;
    b->codecs = arena_grow(b->arena, b->codecs, b->ncodecs, &b->room, 1, 64);
    b->codecs[b->ncodecs++] = (unsigned char)codec;
}

static enum codec next_codec(struct body *b)
{
    return b->leaf < b->ncodecs ? (enum codec)b->codecs[b->leaf++] : CODEC_NONE;
}

static void write_text(void *ctx, const char *bytes, size_t len, bool outside)
{
    struct body *b = ctx;

    if (!outside)
        put(b, bytes, len);
    else
        for (size_t i = 0; i < len; i++)
            put_byte(b, (char)(bytes[i] & 0x7f));
}

static void write_part_head(void *ctx, struct bytes head, const struct mime_head *h, bool message)
{
    struct body *b = ctx;

    b->codec = h->kind == MIME_LEAF ? next_codec(b) : CODEC_NONE;
    put_encoded_head(b, head, h, message, false);
    puts_(b, "\n");
}

static void write_leaf(void *ctx, const char *bytes, size_t len)
{
    encode(ctx, bytes, len);
}

static void write_leaf_end(void *ctx, bool newline)
{
    (void)newline;
    encode_end(ctx);
}

/* --- the interface ------------------------------------------------------------------------- */

enum body_change body_change(const struct plan *p, bool host_8bit)
{
    struct mime_head h = mime_head_read(p->head, false);
    bool mimefy = (p->body & BODY_MIMEFY) != 0;

    if (plan_has_flag(p, '9') && h.version && h.plain &&
        (h.encoding == MIME_QP || h.encoding == MIME_BASE64))
        return BODY_TO_8BIT;
    if (!(p->body & ENVELOPE_HAS_8BIT) || plan_has_flag(p, '8'))
        return BODY_KEEP;
    if (!h.version && !mimefy && !(p->body & ENVELOPE_8BIT))
        return BODY_KEEP;
    if (!host_8bit || plan_has_flag(p, '7'))
        return h.kind != MIME_LEAF || h.encodes ? BODY_TO_7BIT : BODY_KEEP;
    return mimefy && !h.version && !h.type ? BODY_LABEL : BODY_KEEP;
}

const char *body_parameter(const struct plan *p)
{
    bool high = (p->body & ENVELOPE_HAS_8BIT) != 0;

    if (high && (p->body & (ENVELOPE_8BIT | BODY_MIMEFY)))
        return "8BITMIME";
    return p->body & (ENVELOPE_8BIT | ENVELOPE_7BIT) ? "7BIT" : NULL;
}

struct body *body_new(struct arena *a, const struct plan *p, enum body_change change)
{
    static const struct mime_events events = {scan_text, scan_head, scan_leaf, scan_leaf_end};
    struct body *b = arena_alloc(a, sizeof *b);

    b->plan = p;
    b->arena = a;
    b->form = body_form_of(p);
    b->change = change;
    b->top = mime_head_read(p->head, false);
    if (change == BODY_TO_7BIT) {
        scan_head(b, p->head, &b->top, false);
        b->scan = mime_walk_new(a, &b->top, &events, b);
    }
    return b;
}

bool body_scans(const struct body *b)
{
    return b->scan != NULL;
}

void body_scan(struct body *b, const char *bytes, size_t len)
{
    if (b->scan)
        mime_walk_feed(b->scan, bytes, len);
}

void body_head(struct body *b, struct buf *out)
{
    static const struct mime_events events = {write_text, write_part_head, write_leaf,
                                              write_leaf_end};

    b->out = out;
    if (b->scan)
        mime_walk_end(b->scan);
    b->scan = NULL;
    b->leaf = 0;
    if (b->change == BODY_TO_7BIT) {
        b->codec = b->top.kind == MIME_LEAF ? next_codec(b) : CODEC_NONE;
        b->walk = mime_walk_new(b->arena, &b->top, &events, b);
    } else if (b->change == BODY_TO_8BIT) {
        b->codec = b->top.encoding == MIME_QP ? CODEC_QP : CODEC_BASE64;
    }
    b->in_head = true;
    if (b->plan->first.len) {
        put(b, b->plan->first.p, b->plan->first.len);
        puts_(b, "\n");
    }
    put_top_head(b);
    puts_(b, "\n");
    b->in_head = false;
    b->out = NULL;
}

void body_write(struct body *b, const char *bytes, size_t len, struct buf *out)
{
    b->out = out;
    if (b->change == BODY_TO_7BIT)
        mime_walk_feed(b->walk, bytes, len);
    else if (b->change == BODY_TO_8BIT)
        decode(b, bytes, len);
    else
        put(b, bytes, len);
    b->out = NULL;
}

void body_end(struct body *b, struct buf *out)
{
    b->out = out;
    if (b->change == BODY_TO_7BIT)
        mime_walk_end(b->walk);
    else if (b->change == BODY_TO_8BIT)
        decode_end(b);
    if (in_line(b))
        put_byte(b, '\n');
    if (b->form.blank_end)
        put_byte(b, '\n');
    b->out = NULL;
}
