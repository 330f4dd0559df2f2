#include "lib/rewrite/address.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

enum { CANONIFY = 3, PARSE = 0, SENDER = 1, RECIPIENT = 2, FINAL = 4 };

/* --- tokens ------------------------------------------------------------------------------- */

struct reading {
    struct rewrite *r;
    const char *text;
};

static void note(struct rewrite *r, const char *text)
{
    rewrite_note(r, text);
}

static void fault(void *ctx, enum scan_fault f, char ch)
{
    struct reading *in = ctx;

    rewrite_fault(in->r, f, ch, in->text);
}

static bool is_control(char c)
{
    return (unsigned char)c >= 0x80 && (unsigned char)c <= 0x9f;
}

/* The text as it may be shown: its high bits are gone. */
static char *seven_bits(struct arena *a, const char *s, size_t len)
{
    char *out = arena_strndup(a, s, len);

    for (size_t i = 0; i < len; i++) {
        if (is_control(out[i]))
            out[i] = '?';
        else
            out[i] = (char)(out[i] & 0x7f);
    }
    return out;
}

bool address_scan(struct rewrite *r, const char *text, size_t len, bool comments, int delimiter,
                  struct tokens *ws, size_t *used)
{
    const struct program *p = rewrite_program(r);
    struct arena *a = rewrite_arena(r);
    struct reading in = {r, arena_strndup(a, text, len)};
    struct scan sc = {.table = comments ? &p->comments : &p->addresses,
                      .words = &p->words,
                      .arena = a,
                      .delimiter = delimiter,
                      .fault = fault,
                      .ctx = &in};

    if (len > ADDRESS_BYTES_MAX) {
        note(r, arena_printf(a, "Address \"%.*s\" too long (%d bytes max)", ADDRESS_BYTES_MAX, text,
                             ADDRESS_BYTES_MAX));
        if (used)
            *used = len;
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (is_control(text[i])) {
            note(r, arena_printf(a, "8-bit character in mailbox address \"%s\"",
                                 seven_bits(a, text, len)));
            if (used)
                *used = len;
            return false;
        }
    }
    return scan_text(&sc, text, len, ws, used) && ws->n > 0;
}

static const char *joined(struct rewrite *r, const struct token *v, uint32_t n, char space)
{
    size_t size = 1;

    for (uint32_t i = 0; i < n; i++)
        size += v[i].len + 1U;
    char *s = arena_raw(rewrite_arena(r), size);
    scan_join(&rewrite_program(r)->rules, v, n, space, s, size);
    return s;
}

static int run_number(struct rewrite *r, int number, struct tokens *ws, int *status)
{
    const struct ruleset *s = rewrite_program(r)->rulesets[number];
    int now = s ? rewrite_run(r, s, ws) : rewrite_run_empty(r, number, ws);

    if (*status == 0 || now == EX_TEMPFAIL)
        *status = now;
    return now;
}

/* --- the form of an address --------------------------------------------------------------- */

static const char must_quote[] = "@,;:\\()[].'";

/* The end of the comment that begins at s. */
static const char *behind_comment(const char *s)
{
    unsigned depth = 0;

    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (*s == '(')
            depth++;
        else if (*s == ')' && --depth == 0)
            return s + 1;
    }
    return s;
}

static const char *behind_quote(const char *s)
{
    for (s++; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (*s == '"')
            return s + 1;
    }
    return s;
}

/* One step over s, over a quoted text or a comment as a whole. */
static const char *step(const char *s)
{
    if (*s == '(')
        return behind_comment(s);
    if (*s == '"')
        return behind_quote(s);
    return s[*s == '\\' && s[1]] ? s + 1 + (*s == '\\' && s[1]) : s + 1;
}

/* A comment of s up to end, behind what is in out. */
static void add_comments(struct buf *out, const char *s, const char *end, bool space)
{
    while (s < end) {
        const char *next = step(s);
        if (*s == '(') {
            if (space)
                buf_addc(out, ' ');
            buf_add(out, s, (size_t)(next - s));
            if (next[-1] != ')' || next - s < 2)
                buf_addc(out, ')');
        }
        s = next;
    }
}

static const char *last_angle(const char *s)
{
    const char *open = NULL;

    while (*s) {
        if (*s == '<')
            open = s;
        s = step(s);
    }
    return open;
}

/* The words before the bracket, in quotes where they must be. */
static void add_phrase(struct buf *out, const char *s, const char *end)
{
    const char *last = end;
    bool special = false, quoted = false;

    while (last > s && isspace((unsigned char)last[-1]))
        last--;
    for (const char *q = s; q < last; q = step(q)) {
        quoted = quoted || *q == '"';
        special = special || (*q != '(' && (strchr(must_quote, *q) || *q == '<' || *q == '>'));
    }
    special = special && !quoted;
    if (special)
        buf_addc(out, '"');
    buf_add(out, s, (size_t)(last - s));
    if (special)
        buf_addc(out, '"');
    buf_add(out, last, (size_t)(end - last));
}

const char *address_form(struct rewrite *r, const char *text)
{
    struct buf out;
    const char *s = text, *open = last_angle(text);

    buf_init(&out, rewrite_arena(r));
    while (isspace((unsigned char)*s))
        s++;
    if (open && strcmp(open, "<") != 0) {
        const char *close = open + 1;
        add_phrase(&out, s, open);
        while (*close && *close != '>')
            close = step(close);
        buf_adds(&out, "<$g");
        add_comments(&out, open + 1, close, true);
        buf_addc(&out, '>');
        for (s = close + (*close == '>'); *s;) {
            const char *next = step(s);
            if (*s != '>')
                buf_add(&out, s, (size_t)(next - s));
            s = next;
        }
        while (out.len > 0 && isspace((unsigned char)out.data[out.len - 1]))
            buf_truncate(&out, out.len - 1);
        return out.data;
    }
    if (open) {
        buf_add(&out, s, (size_t)(open - s));
        buf_adds(&out, "<>");
        return out.data;
    }
    /* "group: mailbox;" keeps its name. */
    const char *from = s, *end;
    for (const char *q = s; *q; q = step(q)) {
        if (*q == ':' && !rewrite_program(r)->colon_ok) {
            const char *behind = q + 1;
            while (isspace((unsigned char)*behind))
                behind++;
            buf_add(&out, s, (size_t)(behind - s));
            from = behind;
            break;
        }
        if (*q == '@')
            break;
    }
    for (end = from; *end && *end != ';'; end = step(end))
        ;
    const char *box = from;
    while (box < end && (*box == '(' || isspace((unsigned char)*box)))
        box = step(box);
    if (box < end) {
        add_comments(&out, from, box, false);
        if (box > from && out.len > 0 && out.data[out.len - 1] == ')')
            buf_addc(&out, ' ');
        buf_adds(&out, "$g");
        add_comments(&out, box, end, true);
    } else {
        add_comments(&out, from, end, false);
    }
    if (*end == ';')
        buf_addc(&out, ';');
    return out.data ? out.data : "";
}

/* --- parsing ------------------------------------------------------------------------------ */

static bool has_flag(const struct mailer *m, char flag)
{
    return strchr(m->flags, flag) != NULL;
}

/* What $#error has to say: the text behind $:, without quotes and reply code. */
static void error_text(struct rewrite *r, struct address *a, const char *text)
{
    char *s = arena_strdup(rewrite_arena(r), a->user), *q = s;

    for (const char *c = a->user; *c; c++) {
        if (*c != '"')
            *q++ = *c;
    }
    *q = '\0';
    if (isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[1]) &&
        isdigit((unsigned char)s[2]) && (s[3] == ' ' || s[3] == '-')) {
        a->reply = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
        s += 4;
        /* An enhanced code behind it belongs to the reply, too. */
        size_t code = strspn(s, "0123456789.");
        if (code >= 5 && s[code] == ' ' && s[1] == '.')
            s += code + 1;
    }
    a->error = s;
    if (a->reply / 100 == 4)
        note(r, a->error);
    else
        note(r, arena_printf(rewrite_arena(r), "%s... %s", text, a->error));
}

static bool in_error(struct rewrite *r, struct address *a, const char *what, const char *name)
{
    a->mailer = NULL;
    a->host = NULL;
    a->user = "";
    note(r, arena_printf(rewrite_arena(r), "buildaddr: %s%s", what, name));
    return true;
}

/* A mailer of the program that is used for this user in place of a local one. */
static const struct mailer *special(const struct program *p, const struct mailer *m,
                                    struct tokens *user)
{
    const struct token *v = user->v;

    if (user->n == 0)
        return m;
    char first = v[0].p[0];
    if (first == '"' && v[0].len > 1)
        first = v[0].p[1];
    if (has_flag(m, ':') && user->n > 2 && first == ':' &&
        words_same(v[1].p, v[1].len, "include", 7) && v[2].p[0] == ':') {
        user->v += 3;
        user->n -= 3;
        return program_mailer(p, "*include*", 9);
    }
    if (has_flag(m, '|') && first == '|')
        return program_mailer(p, "prog", 4);
    if (has_flag(m, '/') && first == '/')
        return program_mailer(p, "*file*", 6);
    return m;
}

/* Reads the answer of ruleset 0. */
static bool build(struct rewrite *r, struct tokens *ws, const char *text, struct address *a)
{
    const struct program *p = rewrite_program(r);
    uint32_t i = 0, from;

    if (ws->n == 0 || ws->v[0].id != OP_HASH)
        return in_error(r, a, "no mailer in parsed address", "");
    for (from = i = 1; i < ws->n && ws->v[i].id != OP_AT && ws->v[i].id != OP_COLON; i++)
        ;
    const char *name = joined(r, ws->v + from, i - from, '\0');
    if (i < ws->n && ws->v[i].id == OP_AT) {
        for (from = ++i; i < ws->n && ws->v[i].id != OP_COLON; i++)
            ;
        a->host = joined(r, ws->v + from, i - from, '\0');
    }
    bool has_user = i < ws->n;
    struct tokens user = {ws->v + i + has_user, ws->n - i - has_user, ws->cap};
    if (strcasecmp(name, "error") == 0) {
        if (!has_user)
            return in_error(r, a, "no user", "");
        a->user = joined(r, user.v, user.n, p->space);
        error_text(r, a, text);
        return true;
    }
    const struct mailer *m = program_mailer(p, name, strlen(name));
    if (!m)
        return in_error(r, a, "unknown mailer ", name);
    size_t len;
    if (!a->host && strcmp(text_bytes(rewrite_arena(r), &m->path, &len), "[IPC]") == 0)
        return in_error(r, a, "no host", "");
    if (!has_user)
        return in_error(r, a, "no user", "");
    m = special(p, m, &user);
    a->mailer = m;
    if (strcmp(m->name, "*include*") != 0) {
        if (has_flag(m, '5') && user.n > 0 && user.v[0].id != WORD_NONE && user.v[0].len == 1 &&
            *user.v[0].p == '@') {
            user.v++;
            user.n--;
        }
        memmove(ws->v, user.v, user.n * sizeof *ws->v);
        ws->n = user.n;
        run_number(r, RECIPIENT, ws, &a->status);
        if (m->recipient_envelope > 0)
            run_number(r, m->recipient_envelope, ws, &a->status);
        run_number(r, FINAL, ws, &a->status);
        user = *ws;
    }
    /* An operator has no place in an address. */
    bool odd = false;
    for (uint32_t k = 0; k < user.n; k++) {
        if (user.v[k].id > WORD_NONE && user.v[k].id < WORD_FIRST) {
            user.v[k] = (struct token){"?", 1, OP_HASH};
            odd = true;
        }
    }
    a->user = joined(r, user.v, user.n, p->space);
    if (odd)
        note(r, arena_printf(rewrite_arena(r),
                             "Syntax error in mailbox address \"%s\" (8-bit character)", a->user));
    return true;
}

bool address_parse(struct rewrite *r, const char *text, struct address *a)
{
    struct tokens *ws = rewrite_workspace(r);

    *a = (struct address){.user = ""};
    if (!address_scan(r, text, strlen(text), true, -1, ws, NULL))
        return false;
    run_number(r, CANONIFY, ws, &a->status);
    run_number(r, PARSE, ws, &a->status);
    return build(r, ws, text, a);
}

const char *address_remote(struct rewrite *r, const char *text, const struct mailer *m,
                           unsigned flags, int *status)
{
    struct tokens *ws = rewrite_workspace(r);
    bool sender = flags & ADDRESS_SENDER, header = flags & ADDRESS_HEADER;
    int last;

    *status = 0;
    const char *form = address_form(r, text);
    if (!address_scan(r, text, strlen(text), true, -1, ws, NULL))
        return NULL;
    run_number(r, CANONIFY, ws, status);
    run_number(r, sender ? SENDER : RECIPIENT, ws, status);
    if (sender)
        last = header ? m->sender_header : m->sender_envelope;
    else
        last = header ? m->recipient_header : m->recipient_envelope;
    if (last > 0)
        run_number(r, last, ws, status);
    run_number(r, FINAL, ws, status);
    const char *g = strstr(form, "$g"), *inner = joined(r, ws->v, ws->n, rewrite_program(r)->space);
    if (!g)
        return form;
    return arena_printf(rewrite_arena(r), "%.*s%s%s", (int)(g - form), form, inner, g + 2);
}
