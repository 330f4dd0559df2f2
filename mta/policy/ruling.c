#include "mta/policy/ruling.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <syslog.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "mta/keyfile.h"
#include "mta/message/coded.h"
#include "mta/message/envelope.h"

enum { LEVEL_REFUSED = 4, LEVEL_QUESTION = 6 }; /* as LogLevel counts */
enum { CODE_PLAIN = 553, CODE_SOFTWARE = 554, CODE_SYNTAX = 501, CODE_LATER = 451 };

/* Replies of these codes are about one address, and begin with it. */
static bool names_the_address(int code)
{
    return code == 50 || code == 250 || code == 252 || code == 450 || code == 550 || code == 553;
}

char *ruling_reply(struct arena *a, int code, const char *enhanced, const char *to,
                   const char *text)
{
    const char *own = enhanced ? enhanced : arena_printf(a, "%d.0.0", code / 100);

    if (to && names_the_address(code))
        return arena_printf(a, "%03d %s %s... %s", code, own, to, text);
    return arena_printf(a, "%03d %s %s", code, own, text);
}

static bool is_digit(char c)
{
    return isdigit((unsigned char)c);
}

/* Bytes of the enhanced code that s begins with. */
static size_t enhanced_code(const char *s)
{
    return coded_text(bytes_of(s)).enhanced.len;
}

static char *text_of(struct rewrite *r, struct arena *a, const struct token *v, uint32_t n)
{
    size_t len;
    char *text = rewrite_joined(r, v, n, ' ', &len);

    return arena_strndup(a, text, len);
}

/* "550 5.7.1 text", "550 text" or a text alone; at: what stands behind $@. */
static void refusal(struct arena *a, struct ruling *r, char *text, const char *at, const char *to)
{
    const char *enhanced = at && enhanced_code(at) == strlen(at) && *at ? at : NULL;

    address_unquote(text);
    r->kind = RULING_REFUSED;
    r->status = address_error_code(at);
    if (!(is_digit(text[0]) && is_digit(text[1]) && is_digit(text[2]) && text[3] == ' ')) {
        r->code = CODE_PLAIN;
        r->reply = ruling_reply(a, CODE_PLAIN, "5.3.0", to, text);
        return;
    }
    r->code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    text += 4;
    size_t n = enhanced_code(text);
    if (n > 0) {
        enhanced = arena_strndup(a, text, n);
        text += n + (text[n] == ' ');
    }
    r->reply = ruling_reply(a, r->code, enhanced, to, text);
}

static void software(struct arena *a, struct ruling *r, const char *text)
{
    r->kind = RULING_REFUSED;
    r->code = CODE_SOFTWARE;
    r->status = EX_CONFIG;
    r->reply = ruling_reply(a, CODE_SOFTWARE, "5.3.5", NULL, text);
}

/* $#mailer $@ host $: text */
static void read_triple(struct rewrite *rw, struct arena *a, const struct tokens *ws,
                        struct ruling *r, const char *to)
{
    uint32_t at = 1, colon;

    while (at < ws->n && ws->v[at].id != OP_AT && ws->v[at].id != OP_COLON)
        at++;
    for (colon = at; colon < ws->n && ws->v[colon].id != OP_COLON; colon++)
        ;
    r->mailer = text_of(rw, a, ws->v + 1, 1);
    r->words = text_of(rw, a, ws->v + 1, at - 1);
    const char *host = at < colon ? text_of(rw, a, ws->v + at + 1, colon - at - 1) : NULL;
    char *text = colon < ws->n ? text_of(rw, a, ws->v + colon + 1, ws->n - colon - 1) : NULL;
    r->text = text ? text : "";
    if (strcasecmp(r->mailer, "discard") == 0) {
        r->kind = RULING_DISCARD;
    } else if (strcasecmp(r->mailer, "error") != 0) {
        return;
    } else if (!text) {
        software(a, r, "buildaddr: no user");
    } else if (host && strcasecmp(host, "quarantine") == 0) {
        r->kind = RULING_QUARANTINE;
        address_unquote(text);
    } else {
        refusal(a, r, arena_strdup(a, text), host, to);
    }
}

struct ruling ruling_read(struct rewrite *rw, struct arena *a, const struct tokens *ws,
                          const char *to)
{
    struct ruling r = {.kind = RULING_CONSENT, .mailer = "", .words = "", .text = ""};

    if (ws->n > 1 && ws->v[0].id == OP_HASH)
        read_triple(rw, a, ws, &r, to);
    else
        r.text = text_of(rw, a, ws->v, ws->n);
    return r;
}

/* A note that says the rules are wrong. */
static const char *wrong_rules(const struct worker *w)
{
    for (size_t i = 0; i < w->nnotes; i++) {
        if (w->notes[i].status == EX_SOFTWARE || w->notes[i].status == EX_CONFIG)
            return w->notes[i].text;
    }
    return NULL;
}

static void scan_into(struct worker *w, struct tokens *ws, const char *text)
{
    struct tokens *part = rewrite_workspace(w->r);

    address_scan(w->r, text, strlen(text), false, -1, part, NULL);
    for (uint32_t i = 0; i < part->n && ws->n < ws->cap; i++)
        ws->v[ws->n++] = part->v[i];
}

/* Which ruleset said no to what, which line of it, and which entry of a map it went by. */
static void log_ruling(struct worker *w, const char *ruleset, const char *const *texts, size_t n,
                       const struct ruling *r)
{
    const struct log *log = w->service->log;
    struct log_event l;

    log_begin(&l, log, w->arena, LEVEL_REFUSED, LOG_NOTICE, "ruling", bytes_of(worker_get(w, "i")));
    log_text(&l, "ruleset", ruleset);
    for (size_t i = 0; i < n; i++)
        log_text(&l, arena_printf(w->arena, "arg%zu", i + 1), texts[i]);
    log_text(&l, "relay", worker_get(w, "_"));
    if (r->kind == RULING_REFUSED)
        log_text(&l, "reject", r->reply);
    else
        log_text(&l, r->kind == RULING_QUARANTINE ? "quarantine" : "discard", r->text);
    worker_log_decision(w, &l);
    log_end(&l);
}

void ruling_log_address(struct worker *w, bool recipient, const char *address, const char *reply)
{
    const char *text = reply + strspn(reply, "0123456789");
    struct log_event l;

    text += *text == ' ';
    const size_t n = enhanced_code(text);
    const struct bytes id = bytes_of(worker_get(w, "i"));
    if (recipient)
        log_begin(&l, w->service->log, w->arena, LEVEL_REFUSED, LOG_NOTICE, "refused", id);
    else
        log_begin_detail(&l, w->service->log, w->arena, LEVEL_REFUSED, "refused", id);
    log_detail(&l, "address", address);
    log_words(&l, "reject", n > 0 ? text + n + 1 : text);
    log_detail(&l, "ruleset", "parse");
    worker_log_decision(w, &l);
    log_end(&l);
}

void ruling_log_question(struct worker *w, const char *verb, const char *argument)
{
    struct log_event l;

    log_begin(&l, w->service->log, w->arena, LEVEL_QUESTION, LOG_INFO, "question",
              bytes_of(worker_get(w, "i")));
    log_words(&l, "relay", worker_get(w, "_"));
    log_words(&l, "command", arena_printf(w->arena, ": %s %s", verb, argument));
    log_end(&l);
}

struct ruling ruling_of(struct worker *w, const char *ruleset, const char *const *texts, size_t n,
                        const char *to)
{
    const struct ruleset *s = program_ruleset(w->service->program, ruleset, strlen(ruleset));
    struct ruling r = {.kind = RULING_NONE, .mailer = "", .words = "", .text = ""};

    if (!s)
        return r;
    worker_forget_notes(w);
    worker_forget_decision(w);
    rewrite_begin(w->r);
    struct tokens *ws = rewrite_workspace(w->r);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && ws->n < ws->cap)
            ws->v[ws->n++] = (struct token){"$|", 2, OP_BAR};
        scan_into(w, ws, texts[i]);
    }
    worker_forget_notes(w); /* of what the texts lack, others speak */
    /* A map that could not say is the rules' business: they have had what it said in its place. */
    rewrite_run(w->r, s, ws);
    rewrite_rest(w->r);
    const char *wrong = wrong_rules(w);
    r = ruling_read(w->r, w->arena, ws, to);
    if (wrong && r.kind != RULING_REFUSED)
        software(w->arena, &r, wrong);
    if (r.kind == RULING_REFUSED || r.kind == RULING_DISCARD || r.kind == RULING_QUARANTINE)
        log_ruling(w, ruleset, texts, n, &r);
    return r;
}

/* Notes of no status that refuse an address all the same, by how they end or begin. */
static const struct {
    const char *part;
    int code;
    const char *enhanced;
} refusing[] = {
    {"... Unbalanced '", CODE_PLAIN, "5.0.0"},
    {" too long", CODE_PLAIN, "5.1.0"},
    {"8-bit character in mailbox address", CODE_SYNTAX, "5.1.3"},
    {"Syntax error in mailbox address", CODE_SYNTAX, "5.1.3"},
};

const char *ruling_of_address(struct worker *w, const struct address *a, bool parsed,
                              const char *to)
{
    for (size_t i = 0; i < w->nnotes; i++) {
        const struct note *n = &w->notes[i];
        for (size_t k = 0; k < sizeof refusing / sizeof *refusing; k++) {
            if (strstr(n->text, refusing[k].part))
                return arena_printf(w->arena, "%d %s %s", refusing[k].code, refusing[k].enhanced,
                                    n->text);
        }
    }
    if (a->error) {
        /* What rules say of an address has its codes in the text, or none. */
        struct ruling r = {.kind = RULING_NONE, .mailer = "", .words = "", .text = ""};
        char *text = arena_strdup(w->arena, a->error);
        if (a->reply)
            text = arena_printf(w->arena, "%03d %s%s%s", a->reply, a->enhanced ? a->enhanced : "",
                                a->enhanced ? " " : "", a->error);
        refusal(w->arena, &r, text, a->host, to);
        return r.reply;
    }
    if (a->status == EX_TEMPFAIL)
        return ruling_reply(w->arena, CODE_LATER, "4.3.0", to, "Temporary lookup failure");
    const char *wrong = wrong_rules(w);
    if (wrong)
        return ruling_reply(w->arena, CODE_SOFTWARE, "5.3.5", NULL, wrong);
    if (!parsed || !a->mailer)
        return ruling_reply(w->arena, CODE_PLAIN, "5.1.3", to, "Address cannot be parsed");
    return NULL;
}

/* "CertFile=/path" has the file's text in place of its path, as the front can open none; NULL: it
 * is not to be used. */
static const char *tls_file(struct worker *w, const char *one)
{
    enum { FILE_MAX = 64 << 10 };
    const char *value = strchr(one, '=');
    const size_t n = value ? strcspn(one, " \t=") : 0;
    const bool is_cert = n == 8 && strncasecmp(one, "CertFile", n) == 0;
    const bool is_key = n == 7 && strncasecmp(one, "KeyFile", n) == 0;
    const char *command, *why;
    char *bytes;
    size_t len;

    if (!is_cert && !is_key)
        return one;
    value += 1 + strspn(value + 1, " \t");
    const char *path = arena_strndup(w->arena, value, strcspn(value, " \t"));
    why = keyfile_wrong(w->arena, w->service->program, path,
                        is_key ? &trust_key : &trust_certificate, &command);
    if (why) {
        worker_log_trouble(w, arena_printf(w->arena, "STARTTLS: %s%s%s", why,
                                           command ? "; mend it: " : "", command ? command : ""));
        return NULL;
    }
    if (fs_read(w->arena, path, FILE_MAX, &bytes, &len) != 0 || memchr(bytes, ';', len))
        return NULL;
    return arena_printf(w->arena, "%s=%.*s", is_key ? "KeyFile" : "CertFile", (int)len, bytes);
}

static const char *with_tls_files(struct worker *w, const char *text)
{
    struct buf out;

    buf_init(&out, w->arena);
    buf_adds(&out, "");
    for (size_t n; *text; text += n + (text[n] == ';')) {
        text += strspn(text, " \t");
        n = strcspn(text, ";");
        const char *one = tls_file(w, arena_strndup(w->arena, text, n));
        if (!one)
            return NULL;
        buf_printf(&out, "%s;", one);
    }
    return out.data;
}

const char *ruling_tls_features(struct worker *w, const char *ruleset, const char *name,
                                const char *address)
{
    const char *both[] = {name, address};
    struct ruling r = ruling_of(w, ruleset, both, 2, NULL);

    if (r.kind == RULING_NONE || !r.text)
        return "";
    if (*r.mailer)
        return r.kind == RULING_REFUSED ? NULL : "";
    return strcmp(r.text, "\"\"") == 0 ? "" : with_tls_files(w, r.text);
}
