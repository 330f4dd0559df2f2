#include "lib/rewrite/address.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/arena.h"

enum { CANONIFY = 3, PARSE = 0, SENDER = 1, RECIPIENT = 2, FINAL = 4, LOCAL = 5 };

/* A byte that no address has (is_control). */
#define OPERATOR_MARK ((char)0x81)

/* Below this level of a configuration, only an envelope's recipient is rewritten as one. */
enum { LEVEL_ALL_RECIPIENTS = 10, FORM_BYTES_MAX = 255, SHOWN_BYTES = 255 };

/* --- tokens ------------------------------------------------------------------------------- */

struct reading {
    struct rewrite *r;
    const char *text;
};

static void note(struct rewrite *r, int status, const char *text)
{
    rewrite_note(r, status, text);
}

static void fault(void *ctx, enum scan_fault f, char ch)
{
    struct reading *in = ctx;

    rewrite_fault(in->r, f, ch, in->text);
}

static bool is_space(char c)
{
    return isspace((unsigned char)c);
}

static bool is_control(char c)
{
    return (unsigned char)c >= 0x80 && (unsigned char)c <= 0x9f;
}

static bool is_printable(char c)
{
    return (unsigned char)c >= ' ' && c != 0x7f;
}

/* The text as it may be shown: its high bits are gone. */
static char *seven_bits(struct arena *a, const char *s, size_t len)
{
    char *out = arena_strndup(a, s, len);

    for (size_t i = 0; i < len; i++) {
        if (is_control(out[i]) || !is_printable(out[i]))
            out[i] = '?';
        else
            out[i] = (char)(out[i] & 0x7f);
    }
    return out;
}

/* Can it be no address?  Says why; before: what else that begins with. */
static bool is_invalid(struct rewrite *r, const char *text, size_t len, const char *before)
{
    struct arena *a = rewrite_arena(r);

    if (len > ADDRESS_BYTES_MAX) {
        note(r, EX_OK,
             arena_printf(a, "%sAddress \"%.*s\" too long (%d bytes max)", before,
                          ADDRESS_BYTES_MAX, text, ADDRESS_BYTES_MAX));
        return true;
    }
    for (size_t i = 0; i < len; i++) {
        if (is_control(text[i])) {
            note(r, EX_USAGE,
                 arena_printf(a, "8-bit character in mailbox address \"%s\"",
                              seven_bits(a, text, len)));
            return true;
        }
    }
    return false;
}

static bool scan(struct rewrite *r, const char *text, size_t len, bool comments, int delimiter,
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

    return scan_text(&sc, text, len, ws, used) && ws->n > 0;
}

bool address_scan(struct rewrite *r, const char *text, size_t len, bool comments, int delimiter,
                  struct tokens *ws, size_t *used)
{
    if (used)
        *used = len;
    return !is_invalid(r, text, len, "") && scan(r, text, len, comments, delimiter, ws, used);
}

static char *joined(struct rewrite *r, const struct token *v, uint32_t n, char space)
{
    size_t len;

    return rewrite_joined(r, v, n, space, &len);
}

static int run_number(struct rewrite *r, int number, struct tokens *ws, int *status)
{
    const struct ruleset *s = rewrite_program(r)->rulesets[number];
    int now = s ? rewrite_run(r, s, ws) : rewrite_run_empty(r, number, ws);

    if (now == EX_TEMPFAIL) /* what else fails leaves the address as it was */
        *status = now;
    return now;
}

/* --- the form of an address --------------------------------------------------------------- */

/* A header's address is read once, from its beginning.  Of a part that turns out to be a phrase
 * (by "<" behind it) or a group's name (by ":"), what was written is taken back, and it is copied
 * as it stands; what is left of it else are its comments. */
struct form {
    const struct program *program;
    char out[FORM_BYTES_MAX + 1];
    size_t len;
    size_t start; /* in out: of the part */
    size_t box;   /* in out: the $g, where it is placed */
    const char *text;
    const char *part;  /* in the text: where it begins */
    unsigned comments; /* "(" that are open */
    int literals;      /* the same of "[", less each "]" of none */
    bool quoted, escaped;
    bool special;         /* the part has a character that must be in quotes */
    bool group, brackets; /* there was one */
    bool inside;          /* brackets */
    bool behind;          /* them: everything is copied */
    bool placed;          /* the $g */
    bool failed;          /* to have a form */
};

static void add(struct form *f, char c)
{
    if (f->len + f->comments + f->inside >= FORM_BYTES_MAX) /* what is open will be closed */
        f->failed = true;
    else
        f->out[f->len++] = c;
}

static bool ends_with(const struct form *f, char c)
{
    return f->len > f->start && f->out[f->len - 1] == c;
}

static void place(struct form *f)
{
    if (f->placed || f->behind)
        return;
    if (ends_with(f, ')'))
        add(f, ' ');
    f->box = f->len;
    add(f, '$');
    add(f, 'g');
    f->placed = true;
}

/* The part, which ends at `end`; in quotes if need be, but for the blanks at its end. */
static void copy_part(struct form *f, const char *end, bool special)
{
    const char *last = end;

    f->len = f->start;
    const char *first = special ? f->text : f->part; /* quotes go before all the blanks */
    while (last > first && is_space(last[-1]))
        last--;
    if (special)
        add(f, '"');
    for (const char *s = f->part; s < last; s++) {
        if (special && *s == '"')
            add(f, '\\');
        add(f, *s);
    }
    if (special)
        add(f, '"');
    for (; last < end; last++)
        add(f, *last);
}

static void begin_part(struct form *f, const char *s)
{
    f->start = f->len;
    f->part = s;
}

/* What follows is the mailbox of the last part. */
static void begin_box(struct form *f)
{
    f->special = f->placed = f->behind = f->inside = false;
}

static void comment(struct form *f, char c)
{
    if (c == '(') {
        if (f->comments == 0 && !f->behind && f->len > f->start && !ends_with(f, ' '))
            add(f, ' ');
        f->comments++;
    }
    add(f, c);
    f->comments -= c == ')';
}

/* A colon at s; gives the last byte that is done. */
static const char *colon(struct form *f, const char *s)
{
    bool may_end = !f->inside && !f->group && f->literals <= 0 && !f->program->colon_ok;

    if (!may_end || s[1] == ':' || s[1] == '.') {
        f->special = true;
        if (f->behind)
            add(f, ':');
        if (may_end) { /* DECnet's "::" and ":." */
            if (f->behind) {
                add(f, ':');
                add(f, s[1]);
            }
            s++;
        }
        place(f);
        return s;
    }
    copy_part(f, s, f->special);
    f->group = true;
    add(f, ':');
    for (; is_space(s[1]); s++)
        add(f, s[1]);
    begin_part(f, s + 1);
    begin_box(f);
    return s;
}

static void opened(struct form *f, const char *s)
{
    copy_part(f, s, f->special || f->brackets);
    add(f, '<');
    begin_box(f);
    f->brackets = f->inside = true;
}

/* Takes what is at s; gives the last byte that is done. */
static const char *form_step(struct form *f, const char *s)
{
    char c = *s;
    bool copied = f->behind || f->comments > 0;

    if (f->quoted && f->behind) /* only its first quote may stand there */
        f->failed = true;
    if (f->escaped) {
        f->escaped = false;
        if (copied)
            add(f, c);
        return s;
    }
    if (c == '\\') {
        f->escaped = true;
        f->special = f->special || (!f->quoted && f->comments == 0);
        if (copied)
            add(f, c);
        else
            place(f);
        return s;
    }
    if (c == '"' && f->comments == 0) {
        f->quoted = !f->quoted;
        if (f->behind)
            add(f, c);
        return s;
    }
    if (f->quoted) {
        place(f);
        return s;
    }
    if (f->comments > 0 || c == '(') {
        comment(f, c);
        return s;
    }
    if (c == ':')
        return colon(f, s);
    if (c == '<') {
        opened(f, s);
        return s;
    }
    if (c == '>' && f->inside) {
        f->inside = false;
        f->behind = true;
        add(f, c);
        return s;
    }
    if (c == ')' || c == '>') { /* of nothing */
        f->special = true;
        if (c == ')')
            place(f);
        return s;
    }
    f->special = f->special || strchr(f->program->must_quote, c);
    if (c == '[')
        f->literals++;
    else if (c == ']')
        f->literals--;
    if ((c == ';' && !f->program->colon_ok) || f->behind)
        add(f, c);
    place(f);
    return s;
}

/* *box: where the $g is, if there is one. */
static char *form_of(struct rewrite *r, const char *text, size_t *box)
{
    struct form f = {.program = rewrite_program(r)};

    while (is_space(*text))
        text++;
    f.text = f.part = text;
    for (; *text && !f.failed; text++)
        text = form_step(&f, text);
    while (f.comments > 0) {
        f.comments--;
        add(&f, ')');
    }
    if (f.inside) {
        f.inside = false;
        add(&f, '>');
    }
    if (f.quoted && f.behind)
        add(&f, '"');
    if (f.failed) {
        *box = 1;
        return arena_strdup(rewrite_arena(r), "<$g>");
    }
    *box = f.placed ? f.box : f.len;
    return arena_strndup(rewrite_arena(r), f.out, f.len);
}

const char *address_form(struct rewrite *r, const char *text)
{
    size_t box;

    return form_of(r, text, &box);
}

/* --- parsing ------------------------------------------------------------------------------ */

static bool has_flag(const struct mailer *m, char flag)
{
    return strchr(m->flags, flag) != NULL;
}

static const char include[] = ":include:";

static bool is_include(const char *text)
{
    return strncasecmp(text + (*text == '"'), include, sizeof include - 1) == 0;
}

void address_unquote(char *s)
{
    char *to = s;

    for (; *s; s++) {
        if (*s == '"')
            continue;
        s += *s == '\\' && s[1];
        *to++ = *s;
    }
    *to = '\0';
}

/* The sysexits code of an enhanced code (RFC 3463), as sendmail reads it. */
static int code_of_reply(const char *s)
{
    static const struct {
        char subject, detail; /* '*': any */
        int code;
    } codes[] = {{'1', '0', EX_DATAERR},  {'1', '1', EX_NOUSER},     {'1', '2', EX_NOHOST},
                 {'1', '3', EX_USAGE},    {'1', '5', EX_CONFIG},     {'1', '6', EX_NOUSER},
                 {'1', '7', EX_USAGE},    {'1', '8', EX_NOHOST},     {'2', '3', EX_DATAERR},
                 {'3', '*', EX_OSERR},    {'4', '0', EX_IOERR},      {'4', '1', EX_TEMPFAIL},
                 {'4', '2', EX_IOERR},    {'4', '3', EX_TEMPFAIL},   {'4', '4', EX_PROTOCOL},
                 {'4', '5', EX_TEMPFAIL}, {'4', '6', EX_CONFIG},     {'5', '*', EX_PROTOCOL},
                 {'7', '*', EX_DATAERR},  {'*', '*', EX_UNAVAILABLE}};

    if (*s == '2' || *s == '4')
        return EX_TEMPFAIL;
    if (*s != '5' || s[1] != '.')
        return EX_CONFIG;
    const char *dot = strchr(s + 2, '.');
    if (!dot)
        return EX_DATAERR;
    bool plain = dot == s + 3 && !isdigit((unsigned char)dot[1 + (dot[1] != '\0')]);
    for (size_t i = 0;; i++) {
        if ((codes[i].subject == '*' || (plain && codes[i].subject == s[2])) &&
            (codes[i].detail == '*' || codes[i].detail == dot[1]))
            return codes[i].code;
    }
}

int address_error_code(const char *host)
{
    static const struct {
        const char *name;
        int code;
    } names[] = {{"usage", EX_USAGE},       {"nouser", EX_NOUSER},
                 {"nohost", EX_NOHOST},     {"unavailable", EX_UNAVAILABLE},
                 {"software", EX_SOFTWARE}, {"tempfail", EX_TEMPFAIL},
                 {"protocol", EX_PROTOCOL}, {"config", EX_CONFIG}};

    if (!host)
        return EX_UNAVAILABLE;
    if (strchr(host, '.'))
        return code_of_reply(host);
    if (isdigit((unsigned char)*host))
        return atoi(host);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(host, names[i].name) == 0)
            return names[i].code;
    }
    return EX_UNAVAILABLE;
}

/* Is a reply of this code (0: none is said) about one address?  Then it begins with that. */
static bool names_the_address(int reply)
{
    static const int codes[] = {0, 50, 250, 252, 450, 550, 553};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i] == reply)
            return true;
    }
    return false;
}

/* What $#error has to say: the text s behind $:, without quotes and reply code. */
static void error_text(struct rewrite *r, struct address *a, char *s, const char *given)
{
    address_unquote(s);
    a->code = address_error_code(a->host);
    if (isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[1]) &&
        isdigit((unsigned char)s[2]) && s[3] == ' ') {
        a->reply = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
        s += 4;
        /* An enhanced code behind it belongs to the reply, too. */
        size_t code = strspn(s, "0123456789.");
        if (code >= 5 && s[code] == ' ' && s[1] == '.') {
            a->enhanced = arena_strndup(rewrite_arena(r), s, code);
            s += code + 1;
        }
    }
    a->error = s;
    note(r, a->code == EX_TEMPFAIL ? EX_OK : a->code,
         names_the_address(a->reply)
             ? arena_printf(rewrite_arena(r), "%s... %s", rewrite_shortened(r, given), s)
             : s);
}

static bool in_error(struct rewrite *r, struct address *a, const char *what, const char *name)
{
    a->mailer = NULL;
    a->host = NULL;
    a->user = "";
    note(r, EX_SOFTWARE, arena_printf(rewrite_arena(r), "buildaddr: %s%s", what, name));
    return true;
}

static void fold(char *s)
{
    for (; *s; s++)
        *s = words_fold(*s);
}

/* A mailer of the program that is used for this user in place of a local one. */
static const struct mailer *special(const struct program *p, const struct mailer *m,
                                    const char *text)
{
    char first = text[*text == '"'];

    if (has_flag(m, '|') && first == '|')
        return program_mailer(p, "prog", 4);
    if (has_flag(m, '/') && first == '/')
        return program_mailer(p, "*file*", 6);
    return m;
}

/* Control characters outside of quotes become '?', and so do operators, which are OPERATOR_MARK
 * here.  Gives the kind of the last of them, or NULL. */
static const char *hide_odd(char *s)
{
    const char *odd = NULL;
    bool quoted = false;

    for (; *s; s++) {
        if (*s == OPERATOR_MARK) {
            *s = '?';
            odd = "8-bit character";
        } else if (*s == '\\' && s[1]) {
            s++;
        } else if (*s == '\\') {
            *s = '?';
            odd = "trailing \\ character";
        } else if (*s == '"') {
            quoted = !quoted;
        } else if (!quoted && !is_printable(*s)) {
            *s = '?';
            odd = "non-printable character";
        }
    }
    return quoted ? "unbalanced quote" : odd;
}

/* The user part as a text, in which odd characters have no place; m: NULL for an error. */
static char *user_text(struct rewrite *r, struct tokens user, const struct mailer *m)
{
    static const char mark[] = {OPERATOR_MARK};

    for (uint32_t k = 0; k < user.n; k++) {
        if (user.v[k].id > WORD_NONE && user.v[k].id < WORD_FIRST)
            user.v[k] = (struct token){mark, sizeof mark, OP_HASH};
    }
    bool is_address = m && strcmp(m->name, "*include*") != 0;
    char *text = joined(r, user.v, user.n, is_address ? rewrite_program(r)->space : ' ');
    if (m && !is_address) {
        address_unquote(text);
        text += sizeof include - 1;
    }
    const char *odd = hide_odd(text);
    if (m && !has_flag(m, 'u'))
        fold(text);
    if (odd)
        note(r, EX_OK,
             arena_printf(rewrite_arena(r), "Syntax error in mailbox address \"%.*s\" (%s)",
                          SHOWN_BYTES, text, odd));
    return text;
}

/* Reads the answer of ruleset 0. */
static bool build(struct rewrite *r, struct tokens *ws, const char *given, unsigned flags,
                  struct address *a)
{
    const struct program *p = rewrite_program(r);
    uint32_t i = 0, from;
    char *host = NULL;

    if (ws->n == 0 || ws->v[0].id != OP_HASH)
        return in_error(r, a, "no mailer in parsed address", "");
    for (i = 1; i < ws->n && (i < 2 || (ws->v[i].id != OP_AT && ws->v[i].id != OP_COLON)); i++)
        ; /* its name is one token */
    const char *name = joined(r, ws->v + 1, ws->n > 1, '\0');
    if (i < ws->n && ws->v[i].id == OP_AT) {
        for (from = ++i; i < ws->n && ws->v[i].id != OP_COLON; i++)
            ;
        if (i > from)
            host = joined(r, ws->v + from, i - from, p->space);
    }
    a->host = host;
    bool has_user = i < ws->n;
    struct tokens user = {ws->v + i + has_user, ws->n - i - has_user, ws->cap};
    if (strcasecmp(name, "error") == 0) {
        if (!has_user)
            return in_error(r, a, "no user", "");
        error_text(r, a, joined(r, user.v, user.n, ' '), given);
        a->user = user_text(r, user, NULL);
        return true;
    }
    const struct mailer *m = program_mailer(p, name, strlen(name));
    if (!m)
        return in_error(r, a, "unknown mailer ", name);
    if (!host && !has_flag(m, 'l'))
        return in_error(r, a, "no host", "");
    if (!has_user)
        return in_error(r, a, "no user", "");
    if (has_flag(m, ':') && is_include(joined(r, user.v, user.n, p->space))) {
        m = program_mailer(p, "*include*", 9);
    } else {
        if (has_flag(m, '@') && user.n > 0 && user.v[0].len == 1 && *user.v[0].p == '@') {
            user.v++;
            user.n--;
            a->settled = true;
        }
        m = special(p, m, joined(r, user.v, user.n, p->space));
    }
    a->mailer = m;
    if (strcmp(m->name, "*include*") != 0) {
        memmove(ws->v, user.v, user.n * sizeof *ws->v);
        ws->n = user.n;
        if (flags == 0 || p->level >= LEVEL_ALL_RECIPIENTS) {
            run_number(r, RECIPIENT, ws, &a->status);
            if (m->recipient_envelope > 0)
                run_number(r, m->recipient_envelope, ws, &a->status);
        }
        run_number(r, FINAL, ws, &a->status);
        user = *ws;
        if (host && !has_flag(m, 'h'))
            fold(host);
    }
    a->user = user_text(r, user, m);
    return true;
}

/* Behind a failure for the time being: is it worth another try? */
static bool may_pass(const struct address *a)
{
    return a->mailer || (a->error && a->reply / 100 == 4);
}

bool address_parse(struct rewrite *r, const char *text, unsigned flags, struct address *a)
{
    struct tokens *ws = rewrite_workspace(r);

    *a = (struct address){.user = ""};
    const char *given =
        arena_printf(rewrite_arena(r), "%s... ",
                     rewrite_shortened(r, arena_strndup(rewrite_arena(r), text,
                                                        strnlen(text, ADDRESS_BYTES_MAX))));
    if (!scan(r, text, strlen(text), true, -1, ws, NULL) ||
        is_invalid(r, text, strlen(text), given))
        return false;
    run_number(r, CANONIFY, ws, &a->status);
    run_number(r, PARSE, ws, &a->status);
    const bool good = build(r, ws, text, flags, a);
    if (a->status == EX_TEMPFAIL && may_pass(a))
        note(r, EX_OK,
             arena_printf(rewrite_arena(r),
                          "%s... Transient parse error -- message queued for future delivery",
                          text));
    return good;
}

bool address_parse_local(struct rewrite *r, const char *user, struct address *a)
{
    struct tokens *ws = rewrite_workspace(r);

    *a = (struct address){.user = ""};
    if (!rewrite_program(r)->rulesets[LOCAL] || !scan(r, user, strlen(user), true, -1, ws, NULL))
        return false;
    run_number(r, LOCAL, ws, &a->status);
    if (a->status == EX_TEMPFAIL)
        return true;
    return ws->n > 0 && ws->v[0].id == OP_HASH && build(r, ws, user, 0, a);
}

static bool has_at(const struct tokens *ws)
{
    for (uint32_t i = 0; i < ws->n; i++) {
        if (ws->v[i].len == 1 && *ws->v[i].p == '@')
            return true;
    }
    return false;
}

const char *address_remote(struct rewrite *r, const char *text, const struct mailer *m,
                           unsigned flags, int *status)
{
    return address_remote_in(r, text, m, flags, NULL, status);
}

const char *address_remote_in(struct rewrite *r, const char *text, const struct mailer *m,
                              unsigned flags, const char *domain, int *status)
{
    struct tokens *ws = rewrite_workspace(r);
    bool sender = flags & ADDRESS_SENDER, header = flags & ADDRESS_HEADER;
    int last;

    *status = 0;
    size_t box = 0;
    bool bare = has_flag(m, 'c') || flags & ADDRESS_BARE;
    const char *form = bare ? "$g" : form_of(r, text, &box);
    if (!scan(r, text, strlen(text), true, -1, ws, NULL))
        return NULL;
    run_number(r, CANONIFY, ws, status);
    if (domain && !has_at(ws) && scan(r, domain, strlen(domain), true, -1, ws, NULL))
        run_number(r, CANONIFY, ws, status);
    run_number(r, sender ? SENDER : RECIPIENT, ws, status);
    if (sender)
        last = header ? m->sender_header : m->sender_envelope;
    else
        last = header ? m->recipient_header : m->recipient_envelope;
    if (last > 0)
        run_number(r, last, ws, status);
    run_number(r, FINAL, ws, status);
    if (!form[box])
        return form; /* there is no mailbox in it */
    return arena_printf(rewrite_arena(r), "%.*s%s%s", (int)box, form,
                        joined(r, ws->v, ws->n, rewrite_program(r)->space), form + box + 2);
}
