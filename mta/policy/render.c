#include "mta/policy/render.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "lib/rewrite/address.h"
#include "mta/policy/render_mime.h"

enum { WIDTH = 78, INDENT = 8 };

static void set(struct rewrite *r, const char *name, const char *value)
{
    rewrite_set(r, name, strlen(name), value ? value : "", value ? strlen(value) : 0);
}

static bool has_flag(const struct mailer *m, char flag)
{
    return strchr(m->flags, flag) != NULL;
}

static char *expanded(struct rendering *d, const char *s)
{
    size_t len;

    rewrite_begin(d->r);
    const char *out = rewrite_expand(d->r, s, strlen(s), &len);
    return arena_strndup(d->arena, out, len);
}

/* --- addresses ---------------------------------------------------------------------------- */

/* The address as the mailer's rulesets have it; NULL: there is none in it. */
static const char *rewritten(struct rendering *d, const char *text, unsigned flags,
                             const char *domain)
{
    int status;

    rewrite_begin(d->r);
    const char *out = address_remote_in(d->r, text, d->mailer, flags, domain, &status);
    if (status == EX_TEMPFAIL)
        d->status = EX_TEMPFAIL;
    return out ? arena_strdup(d->arena, out) : NULL;
}

/* Nobody is written in brackets, which are not part of what comes of it. */
static const char *relative_sender(struct rendering *d)
{
    char *path = bytes_string(d->arena, d->envelope->sender);
    const char *out = rewritten(d, *path ? path : "<>", ADDRESS_SENDER | ADDRESS_BARE, NULL);
    size_t len = out ? strlen(out) : 0;

    if (!out)
        return path;
    if (len >= 2 && *out == '<' && out[len - 1] == '>')
        return arena_strndup(d->arena, out + 1, len - 2);
    return out;
}

/* The mailer that would deliver to the sender; NULL: none can. */
static const struct mailer *mailer_of_sender(struct rendering *d, const char *path)
{
    struct address from;

    rewrite_begin(d->r);
    return *path && address_parse(d->r, path, ADDRESS_SENDER, &from) ? from.mailer : NULL;
}

/* Two flags of the mailer depend on the sender's: C, by which addresses without a domain get the
 * sender's, and p, by which a sender that is not local gets a route over this host. */
static void look_at_sender(struct rendering *d)
{
    char *path = bytes_string(d->arena, d->envelope->sender);

    if (!has_flag(d->mailer, 'C') && !has_flag(d->mailer, 'p'))
        return;
    const struct mailer *from = mailer_of_sender(d, path);
    if (from && has_flag(d->mailer, 'C') && has_flag(from, 'C'))
        d->domain = strrchr(path, '@');
    d->local = from && strcmp(from->name, "local") == 0;
}

void render_begin(struct rendering *d, struct rewrite *r, struct arena *a, const struct envelope *e,
                  const struct mailer *m, const char *host)
{
    *d = (struct rendering){.r = r, .arena = a, .envelope = e, .mailer = m};
    set(r, "h", host);
    rewrite_set(r, "f", 1, e->sender.p ? e->sender.p : "", e->sender.len);
    set(r, "c", arena_printf(a, "%llu", (unsigned long long)e->hops + 1));
    d->sender = relative_sender(d);
    look_at_sender(d);
    set(r, "g", d->sender);
    rewrite_rest(r);
}

struct bytes render_path(struct rendering *d)
{
    size_t len;

    if (d->envelope->sender.len == 0 && !has_flag(d->mailer, 'g'))
        return (struct bytes){"", 0};
    if (!has_flag(d->mailer, 'p') || d->local || !*d->sender)
        return bytes_of(d->sender);
    rewrite_begin(d->r);
    const char *me = rewrite_expand(d->r, "$j", 2, &len);
    return bytes_of(
        arena_printf(d->arena, "@%s%c%s", me, *d->sender == '@' ? ',' : ':', d->sender));
}

/* --- lists of addresses ------------------------------------------------------------------- */

/* May blanks separate addresses?  Not where there is anything else that could. */
static bool is_old_style(const struct rendering *d, const struct head *h)
{
    if (!program_is_true(rewrite_program(d->r), "OldStyleHeaders", false))
        return false;
    for (size_t i = 0; i < h->n; i++) {
        const struct field *f = &h->v[i];
        if (!(f->flags & (FIELD_RECIPIENT | FIELD_SENDER)) || f->flags & FIELD_DEFAULT)
            continue;
        for (size_t k = 0; k < f->value.len; k++) {
            if (strchr(",;<(", f->value.p[k]) && f->value.p[k])
                return false;
        }
    }
    return true;
}

/* Bytes of the address that s begins with, up to what separates it from the next. */
static size_t piece_length(struct rendering *d, const char *s, size_t len, bool old_style)
{
    const struct program *p = rewrite_program(d->r);
    size_t used = 0;

    if (old_style) {
        bool quoted = false;
        for (; used < len && (quoted || !isspace((unsigned char)s[used])); used++)
            quoted = quoted != (s[used] == '"');
        return used;
    }
    rewrite_begin(d->r);
    struct scan sc = {
        .table = &p->comments, .words = &p->words, .arena = rewrite_arena(d->r), .delimiter = ','};
    if (!scan_text(&sc, s, len, rewrite_workspace(d->r), &used)) {
        while (used < len && s[used] != ',') /* too long to be an address */
            used++;
    }
    return used;
}

struct list {
    struct buf *out;
    size_t column, width;
    bool any;
};

static void add_address(struct list *l, const char *s)
{
    size_t len = strlen(s);

    if (l->any) {
        buf_addc(l->out, ',');
        l->column += 2;
        if (l->column + len > l->width) {
            buf_printf(l->out, "\n%*s", INDENT, "");
            l->column = INDENT;
        } else {
            buf_addc(l->out, ' ');
        }
    }
    l->any = true;
    buf_add(l->out, s, len);
    l->column += len;
}

static char *without_folds(struct arena *a, struct bytes v)
{
    char *s = bytes_string(a, v);

    for (char *c = s; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    return s;
}

static void add_addresses(struct rendering *d, const struct field *f, const char *s, bool old_style,
                          struct buf *out)
{
    unsigned flags = ADDRESS_HEADER | (f->flags & FIELD_SENDER ? ADDRESS_SENDER : 0U);
    long limit = d->mailer->line_limit - 2;
    struct list list = {.out = out, .column = f->name.len + 2};

    list.width = limit < 0 || limit > WIDTH ? WIDTH : (size_t)limit;
    for (; isspace((unsigned char)*s); s++)
        buf_addc(out, ' ');
    for (size_t n; *s; s += n) {
        while (*s == ',' || isspace((unsigned char)*s))
            s++;
        n = piece_length(d, s, strlen(s), old_style);
        size_t len = n;
        while (len > 0 && isspace((unsigned char)s[len - 1]))
            len--;
        if (len == 0)
            continue;
        const char *text = arena_strndup(d->arena, s, len);
        const char *now = rewritten(d, text, flags, d->domain);
        add_address(&list, now ? now : text);
    }
}

/* --- fields ------------------------------------------------------------------------------- */

/* Letters of mailers' flags, and "${macro}": is one of them there? */
static bool condition_holds(struct rendering *d, struct bytes only)
{
    for (size_t i = 0; i < only.len; i++) {
        if (only.p[i] != '$') {
            if (only.p[i] && has_flag(d->mailer, only.p[i]))
                return true;
            continue;
        }
        char *name = arena_strndup(d->arena, only.p + i, only.len - i);
        name[name[1] == '{' ? strcspn(name, "}") + (strchr(name, '}') != NULL) : strlen(name)] =
            '\0';
        if (*expanded(d, name))
            return true;
        i += strlen(name) - 1;
    }
    return false;
}

static bool is_wanted(struct rendering *d, const struct field *f)
{
    if (f->flags & FIELD_ON_REQUEST)
        return f->only.p && condition_holds(d, f->only);
    return !(f->flags & FIELD_DEFAULT) || !f->only.p || condition_holds(d, f->only);
}

static struct bytes value_of(struct rendering *d, const struct field *f)
{
    if (f->flags & FIELD_LATE)
        return bytes_of(
            arena_printf(d->arena, " %s", expanded(d, bytes_string(d->arena, f->value))));
    return f->value;
}

static void add_field(struct rendering *d, const struct field *f, bool old_style, struct buf *out)
{
    struct bytes value = value_of(d, f);

    buf_add(out, f->name.p, f->name.len);
    buf_addc(out, ':');
    if (f->flags & FIELD_BCC) {
        buf_addc(out, '\n');
        return;
    }
    if (f->flags & FIELD_SENDER) {
        bool one_line = program_is_true(rewrite_program(d->r), "SingleLineFromHeader", false);
        add_addresses(d, f,
                      one_line ? without_folds(d->arena, value) : bytes_string(d->arena, value),
                      false, out);
    } else if (f->flags & FIELD_RECIPIENT) {
        add_addresses(d, f, bytes_string(d->arena, value), old_style, out);
    } else {
        value = render_mime(d->r, d->arena, f->name, value);
        buf_add(out, value.p, value.len);
    }
    buf_addc(out, '\n');
}

/* --- lines -------------------------------------------------------------------------------- */

/* A line of a head; limit: bytes with the "!" at its end. */
static void add_line(struct buf *out, const char *s, size_t len, size_t limit)
{
    size_t most = limit;

    while (most > 1 && len > most) {
        buf_add(out, s, most - 1);
        buf_adds(out, "!\n ");
        s += most - 1;
        len -= most - 1;
        most = limit - 1;
    }
    buf_add(out, s, len);
    buf_addc(out, '\n');
}

static void add_lines(struct buf *out, const struct buf *text, const struct mailer *m)
{
    size_t limit = m->line_limit > 2 ? (size_t)m->line_limit : 0, n;
    bool seven = has_flag(m, '6');

    for (size_t at = 0; at < text->len; at += n + 1) {
        char *line = text->data + at;
        n = strcspn(line, "\n");
        for (size_t i = 0; seven && i < n; i++)
            line[i] = (char)(line[i] & 0x7f);
        add_line(out, line, n, limit);
    }
}

bool render_head(struct rendering *d, struct buf *out)
{
    struct head h;
    struct buf text;

    head_init(&h, d->arena);
    if (!head_load(&h, d->envelope->header))
        return false;
    buf_init(&text, d->arena);
    bool old_style = is_old_style(d, &h);
    for (size_t i = 0; i < h.n; i++) {
        if (is_wanted(d, &h.v[i]))
            add_field(d, &h.v[i], old_style, &text);
    }
    add_lines(out, &text, d->mailer);
    rewrite_rest(d->r);
    return true;
}

/* --- for programs ------------------------------------------------------------------------- */

struct bytes render_first(struct rendering *d)
{
    const char *option = program_option(rewrite_program(d->r), "UnixFromLine");

    if (has_flag(d->mailer, 'n'))
        return (struct bytes){NULL, 0};
    const char *bang = has_flag(d->mailer, 'U') ? strchr(d->sender, '!') : NULL;
    if (bang)
        return bytes_of(arena_printf(d->arena, "From %s  %s remote from %.*s", bang + 1,
                                     expanded(d, "$d"), (int)(bang - d->sender), d->sender));
    return bytes_of(expanded(d, option && *option ? option : "From $g $d"));
}

struct argument_list {
    struct arena *arena;
    struct bytes *v;
    size_t n, room;
};

static void add_word(struct argument_list *w, struct bytes b)
{
    w->v = arena_grow(w->arena, w->v, w->n, &w->room, sizeof *w->v, 16);
    w->v[w->n++] = b;
}

/* The next word of A=, from piece *i and byte *at of it on; false: there is none. */
static bool next_word(const struct text *t, size_t *i, size_t *at, struct text *word)
{
    word->n = 0;
    for (; *i < t->n; ++*i, *at = 0) {
        struct piece p = t->pieces[*i];
        if (p.op != 0) {
            word->pieces[word->n++] = p;
            continue;
        }
        while (*at < p.len && word->n == 0 && isspace((unsigned char)p.p[*at]))
            ++*at;
        size_t end = *at;
        while (end < p.len && !isspace((unsigned char)p.p[end]))
            end++;
        if (end > *at)
            word->pieces[word->n++] = (struct piece){0, 0, p.p + *at, (uint32_t)(end - *at)};
        *at = end;
        if (end < p.len)
            return true;
    }
    return word->n > 0;
}

static bool has_user(const struct rendering *d, const struct text *word)
{
    uint32_t u = names_find(&rewrite_program(d->r)->names, "u", 1);

    for (size_t i = 0; i < word->n; i++) {
        if (word->pieces[i].op == OP_MACRO && word->pieces[i].number == u)
            return true;
    }
    return false;
}

static struct bytes carried_out(struct rendering *d, const struct text *word)
{
    size_t len;

    rewrite_begin(d->r);
    const char *s = rewrite_carried_out(d->r, word, &len);
    return (struct bytes){arena_strndup(d->arena, s, len), len};
}

static void set_user(struct rendering *d, const struct render_user *u)
{
    set(d->r, "u", u->user);
    set(d->r, "z", u->home);
}

/* Who sends it is there himself, and nobody has to be told (F=f). */
static bool is_evident(const struct envelope *e)
{
    return e->flags & ENVELOPE_OWN && e->tries == 0 && !(e->flags & ENVELOPE_QUEUED);
}

struct texts render_argv(struct rendering *d, const struct render_user *users, size_t n)
{
    const struct text *argv = &d->mailer->argv;
    struct argument_list out = {.arena = d->arena};
    struct text word = {arena_calloc(d->arena, argv->n + 1, sizeof *word.pieces), 0};

    if (n > 0)
        set_user(d, &users[0]);
    for (size_t i = 0, at = 0; next_word(argv, &i, &at, &word);) {
        size_t times = has_user(d, &word) ? n : 1;
        for (size_t k = 0; k < times; k++) {
            if (times > 1)
                set_user(d, &users[k]);
            add_word(&out, carried_out(d, &word));
        }
        bool passes = has_flag(d->mailer, 'f') || has_flag(d->mailer, 'r');
        if (out.n == 1 && passes && !is_evident(d->envelope)) {
            add_word(&out, bytes_of(has_flag(d->mailer, 'f') ? "-f" : "-r"));
            add_word(&out, bytes_of(d->sender));
        }
    }
    return (struct texts){out.v, out.n};
}
