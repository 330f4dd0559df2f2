#include "mta/front/session.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "mta/base64.h"
#include "mta/front/auth.h"
#include "mta/front/incoming.h"
#include "mta/front/parameters.h"
#include "mta/front/reply.h"
#include "mta/message/seen.h"

enum {
    PIECE = 16 << 10, /* bytes of a message that are decoded at a time */
    /* Commands of a kind that are not held up; MaxNOOPCommands says it of NOOP and VERB. */
    MOST_HELO = 3,
    MOST_VRFY = 6,
    MOST_ETRN = 8,
    MOST_AUTH = 12,
    MOST_BAD = 25, /* behind them the session ends */
    SLOW_MS = 1000,
    SLOWEST_MS = 240000,
    NAME_MAX_LEN = 256
};

enum stage {
    STAGE_CONNECT,  /* not greeted */
    STAGE_GREETING, /* the greeting is held back: greet_pause */
    STAGE_TLS,      /* TLS is to be started */
    STAGE_COMMAND,
    STAGE_DATA,
    STAGE_OVER
};

/* What a client hears from then on that could not wait. */
static const char rejected[] = "550 5.0.0 Command rejected";

enum feature {
#define FEATURE(letter, name) HAS_##name,
#include "mta/front/features.def"
    NFEATURES
};

struct session {
    const struct session_settings *set;
    struct arena *arena;
    enum stage stage;
    uint64_t turn;

    /* the connection */
    const char *client; /* "host [192.0.2.1]" */
    const char *greeting;
    const char *refusal; /* what is said to most commands; NULL: the client was not refused */
    bool busy;           /* the refusal is none of this client */
    bool unwelcome;      /* who is refused hears so before all else */
    bool filtered;       /* commands that nobody knows are asked about */
    bool has[NFEATURES];
    enum lines_bare cr, lf; /* in messages */

    /* input and output */
    struct buf line; /* a command as far as it came */
    bool behind;     /* there was input behind what was taken last */
    bool ended;      /* there is no more */
    struct replies out;

    /* what is counted */
    uint64_t commands, bad, noops, helos, vrfys, etrns, auths;

    /* TLS */
    const char *tls_features;
    bool tls_fits;  /* it can be like that */
    bool tls_first; /* before the greeting */
    bool secured;
    uint64_t pause; /* before the greeting */

    /* AUTH */
    const char *auth;   /* what EHLO says of it; "": nothing */
    bool auth_required; /* before MAIL */
    bool responding;    /* the next line answers a challenge */
    bool authenticated;

    /* the question */
    bool asks;
    struct session_question question;
    bool helo_next;      /* HELO is asked behind RESET */
    bool extended;       /* it was EHLO */
    const char *welcome; /* what HELO is told behind the client's name */
    struct buf held;     /* texts of the question that are not part of `line` */
    struct bytes *envelopes;
    size_t envelopes_room;

    /* the transaction */
    bool introduced, mail;
    struct buf sender;
    struct parameters parameters;
    uint64_t recipients, refused;
    bool eight_bit; /* BODY=8BITMIME */
    bool seven_bit; /* BODY=7BIT */
    struct incoming in;
};

/* --- what all have in common ---------------------------------------------------------------- */

/* What was said is still sent, and at once. */
static void over(struct session *s)
{
    reply_release(&s->out);
    s->stage = STAGE_OVER;
    s->asks = false;
    s->turn++;
}

/* What is said from now on, and all that is read, waits. */
static void hold(struct session *s, uint64_t ms)
{
    if (ms == 0)
        return;
    reply_hold(&s->out, ms);
    s->turn++;
}

/* A command of which there were `n`, the `most`th of which is held up, and each further one twice
 * as long. */
static void slow_down(struct session *s, uint64_t n, uint64_t most)
{
    uint64_t ms = SLOW_MS;

    if (most == 0 || n < most)
        return;
    for (uint64_t i = most; i < n && ms < SLOWEST_MS; i++)
        ms *= 2;
    hold(s, ms < SLOWEST_MS ? ms : SLOWEST_MS);
}

/* One more that is no command for this client; false: that was one too many. */
static bool count_bad(struct session *s)
{
    if (++s->bad <= MOST_BAD)
        return true;
    reply_format(&s->out, "421 4.7.0 %s Too many bad commands; closing connection", s->set->name);
    over(s);
    return false;
}

static void say_unknown_line(struct session *s)
{
    reply_echo(&s->out, "500 5.5.1 Command unrecognized",
               (struct bytes){s->line.data, s->line.len});
}

static void say_unknown(struct session *s, const char *what)
{
    reply_echo(&s->out, what, (struct bytes){s->line.data, s->line.len});
}

/* --- questions ----------------------------------------------------------------------------- */

static struct session_question *ask(struct session *s, enum session_question_kind kind)
{
    s->question = (struct session_question){.kind = kind};
    s->asks = true;
    s->turn++;
    return &s->question;
}

static void end_transaction(struct session *s)
{
    s->mail = s->eight_bit = s->seven_bit = false;
    s->recipients = s->refused = 0;
}

/* It is over without a STORE: others have to know. */
static void drop_transaction(struct session *s)
{
    end_transaction(s);
    ask(s, SESSION_RESET);
}

static bool is_set(const struct session *s, uint64_t which)
{
    return (s->set->switches & which) != 0;
}

/* Something was sent where the client had to wait for a reply first. */
static bool impatient(const struct session *s)
{
    return s->behind && s->has[HAS_WAITING];
}

/* --- commands ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What a client may call itself: a name, or an address in brackets. */
static bool is_name(struct bytes b)
{
    static const char others[] = ".-_[]:#";

    for (size_t i = 0; i < b.len; i++) {
        char c = b.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && memchr(others, c, sizeof others - 1) == NULL)
            return false;
    }
    return true;
}

/* With AllowBogusHELO only the first word is looked at, and only mentioned. */
static struct bytes first_word(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++)
        if (is_blank(b.p[i]))
            b.len = i;
    return b;
}

static struct bytes without_end_blanks(struct bytes b)
{
    while (b.len > 0 && (b.p[b.len - 1] == ' ' || b.p[b.len - 1] == '\t'))
        b.len--;
    return b;
}

static void refuse_impatience(struct session *s)
{
    reply_text(&s->out, "554 5.5.0 SMTP protocol error");
    s->refusal = rejected;
}

static void ask_helo(struct session *s)
{
    struct session_question *q = ask(s, SESSION_HELO);
    const char *verb = s->extended ? "EHLO" : "HELO";

    q->verb = (struct bytes){verb, 4};
    q->argument = (struct bytes){s->sender.data, s->sender.len};
    s->helo_next = false;
}

static void run_helo(struct session *s, struct bytes verb, struct bytes argument)
{
    slow_down(s, ++s->helos, MOST_HELO);
    s->extended = verb.p[0] == 'E';
    argument = without_end_blanks(argument);
    if (impatient(s)) {
        refuse_impatience(s);
    } else if (argument.len == 0 && !is_set(s, SESSION_ALLOW_BOGUS_HELO)) {
        reply_of(&s->out, "501 5.0.0 ", verb, " requires domain address");
    } else if (argument.len > NAME_MAX_LEN ||
               (!is_name(argument) && !is_set(s, SESSION_ALLOW_BOGUS_HELO))) {
        reply_text(&s->out, "501 5.0.0 Invalid domain name");
    } else {
        bool begun = s->mail;
        s->welcome =
            is_name(first_word(argument)) ? "pleased to meet you" : "accepting invalid domain name";
        buf_truncate(&s->sender, 0);
        buf_add(&s->sender, argument.p, argument.len);
        s->helo_next = begun;
        if (begun)
            drop_transaction(s);
        else
            ask_helo(s);
    }
}

/* Behind `word` and a colon: *rest.  False: something else stands there, and that was said. */
static bool after_word(struct session *s, struct bytes argument, const char *word,
                       struct bytes *rest)
{
    const char *p = argument.p, *end = argument.p + argument.len;
    const char *first = p;

    while (p < end && *p != ':' && !is_blank(*p))
        p++;
    struct bytes found = {first, (size_t)(p - first)};
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    bool colon = p < end && *p == ':';
    if (colon)
        p++;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    *rest = (struct bytes){p, (size_t)(end - p)};
    if (colon && p < end && found.len == strlen(word) && strncasecmp(first, word, found.len) == 0)
        return true;
    reply_of(&s->out, "501 5.5.2 Syntax error in parameters scanning \"", found, "\"");
    return false;
}

/* The path and the parameters of MAIL and RCPT, as a question, unless there is something to say. */
static void ask_path(struct session *s, enum session_question_kind kind,
                     enum parameters_command command, struct bytes rest)
{
    struct parameters *p = &s->parameters;
    size_t len = parameters_path(rest.p, rest.len);

    p->dsn = s->has[HAS_DSN] && !is_set(s, SESSION_NO_RECEIPTS);
    p->deliver_by_min = s->set->deliver_by_min;
    p->max_size = s->set->max_size;
    buf_truncate(&s->held, 0);
    bool good = parameters_read(s->arena, p, command, rest.p + len, rest.len - len, &s->held);
    struct session_question *q = ask(s, kind);
    q->argument = (struct bytes){rest.p, len};
    if (good)
        q->parameters = (struct texts){p->v, p->n};
    else
        q->wrong = (struct bytes){s->held.data, s->held.len};
}

static void run_mail(struct session *s, struct bytes verb, struct bytes argument)
{
    struct bytes rest;

    (void)verb;
    if (!s->introduced && is_set(s, SESSION_NEED_MAIL_HELO))
        reply_text(&s->out, "503 5.0.0 Polite people say HELO first");
    else if (s->mail)
        reply_text(&s->out, "503 5.5.0 Sender already specified");
    else if (s->auth_required && !s->authenticated)
        reply_text(&s->out, "530 5.7.0 Authentication required");
    else if (after_word(s, argument, "FROM", &rest))
        ask_path(s, SESSION_MAIL, PARAMETERS_OF_MAIL, rest);
}

static void run_rcpt(struct session *s, struct bytes verb, struct bytes argument)
{
    struct bytes rest;

    (void)verb;
    if (!s->mail) {
        reply_text(&s->out, "503 5.0.0 Need MAIL before RCPT");
        return;
    }
    if (s->set->bad_recipients > 0 && s->refused >= s->set->bad_recipients)
        hold(s, s->set->bad_recipient_ms);
    if (s->set->max_recipients > 0 && s->recipients >= s->set->max_recipients)
        reply_text(&s->out, "452 4.5.3 Too many recipients");
    else if (after_word(s, argument, "TO", &rest))
        ask_path(s, SESSION_RCPT, PARAMETERS_OF_RCPT, rest);
    if (!s->asks) {
        s->refused++;
        return;
    }
    s->question.recipients = s->recipients;
    s->question.refused = s->refused;
}

static void ask_command(struct session *s, struct bytes verb, struct bytes argument)
{
    struct session_question *q = ask(s, SESSION_COMMAND);

    q->verb = verb;
    q->argument = argument;
}

/* Whether DATA was not waited for: then nothing can be told apart any more. */
static bool too_early(struct session *s)
{
    if (!impatient(s))
        return false;
    reply_text(&s->out, "554 5.5.0 SMTP protocol error");
    over(s);
    return true;
}

static void run_data(struct session *s, struct bytes verb, struct bytes argument)
{
    if (!s->mail)
        reply_text(&s->out, "503 5.0.0 Need MAIL command");
    else if (s->recipients == 0)
        reply_text(&s->out, "503 5.0.0 Need RCPT (recipient)");
    else if (!too_early(s))
        ask_command(s, verb, argument);
}

static void run_rset(struct session *s, struct bytes verb, struct bytes argument)
{
    (void)verb;
    (void)argument;
    reply_text(&s->out, "250 2.0.0 Reset state");
    if (s->mail)
        drop_transaction(s);
}

static void run_noop(struct session *s, struct bytes verb, struct bytes argument)
{
    (void)verb;
    (void)argument;
    slow_down(s, ++s->noops, s->set->max_noops);
    reply_text(&s->out, "250 2.0.0 OK");
}

static void run_quit(struct session *s, struct bytes verb, struct bytes argument)
{
    (void)verb;
    (void)argument;
    reply_format(&s->out, "221 2.0.0 %s closing connection", s->set->name);
    over(s);
}

static bool has_expn(const struct session *s)
{
    return s->has[HAS_EXPN] && !is_set(s, SESSION_NO_EXPN);
}

static bool has_verb(const struct session *s)
{
    return has_expn(s) && s->has[HAS_VERB] && !is_set(s, SESSION_NO_VERB);
}

static bool has_etrn(const struct session *s)
{
    return s->has[HAS_ETRN] && !is_set(s, SESSION_NO_ETRN);
}

/* VRFY and EXPN. */
static void ask_about(struct session *s, struct bytes verb, struct bytes argument, uint64_t polite)
{
    if (!s->introduced && is_set(s, polite))
        reply_text(&s->out, "503 5.0.0 I demand that you introduce yourself first");
    else if (argument.len == 0)
        reply_text(&s->out, "501 5.5.2 Argument required");
    else
        ask_command(s, verb, argument);
}

static void run_vrfy(struct session *s, struct bytes verb, struct bytes argument)
{
    slow_down(s, ++s->vrfys, MOST_VRFY);
    if (is_set(s, SESSION_NO_VRFY))
        reply_text(&s->out,
                   "252 2.5.2 Cannot VRFY user; try RCPT to attempt delivery (or try finger)");
    else
        ask_about(s, verb, argument, SESSION_NEED_VRFY_HELO);
}

static void run_expn(struct session *s, struct bytes verb, struct bytes argument)
{
    slow_down(s, ++s->vrfys, MOST_VRFY);
    if (!has_expn(s))
        reply_text(&s->out, "502 5.7.0 Sorry, we do not allow this operation");
    else
        ask_about(s, verb, argument, SESSION_NEED_EXPN_HELO);
}

static void run_verb(struct session *s, struct bytes verb, struct bytes argument)
{
    (void)verb;
    (void)argument;
    slow_down(s, ++s->noops, s->set->max_noops);
    reply_text(&s->out, has_verb(s) ? "250 2.0.0 Verbose mode" : "502 5.7.0 Verbose unavailable");
}

static void run_etrn(struct session *s, struct bytes verb, struct bytes argument)
{
    slow_down(s, ++s->etrns, MOST_ETRN);
    if (!has_etrn(s))
        reply_text(&s->out, "502 5.7.0 Sorry, we do not allow this operation");
    else if (argument.len == 0)
        reply_text(&s->out, "500 5.5.2 Parameter required");
    else
        ask_command(s, verb, argument);
}

/* Decoded into `held`. */
static void ask_auth(struct session *s, enum session_question_kind kind, struct bytes mechanism,
                     bool said)
{
    struct session_question *q = ask(s, kind);

    q->verb = mechanism;
    if (said)
        q->argument = (struct bytes){s->held.len > 0 ? s->held.data : "", s->held.len};
}

/* "=" stands for nothing, which is more than no initial response (RFC 4954 4). */
static void start_auth(struct session *s, struct bytes argument)
{
    enum { SHOWN = 32 };
    struct bytes mechanism, rest;

    auth_split(argument, &mechanism, &rest);
    buf_truncate(&s->held, 0);
    if (!auth_offers(s->auth, mechanism)) {
        mechanism.len = mechanism.len < SHOWN ? mechanism.len : SHOWN;
        reply_of(&s->out, "504 5.3.3 AUTH mechanism ", mechanism, " not available");
    } else if ((rest.len != 1 || *rest.p != '=') && !base64_decode(rest, &s->held)) {
        reply_of(&s->out, "501 5.5.4 cannot BASE64 decode '", rest, "'");
    } else {
        ask_auth(s, SESSION_AUTH, mechanism, rest.len > 0);
    }
}

static void run_auth(struct session *s, struct bytes verb, struct bytes argument)
{
    (void)verb;
    slow_down(s, ++s->auths, MOST_AUTH);
    if (*s->auth == '\0')
        reply_text(&s->out, "503 5.3.3 AUTH not available");
    else if (s->authenticated)
        reply_text(&s->out, "503 5.5.0 Already Authenticated");
    else if (s->mail)
        reply_text(&s->out, "503 5.5.0 AUTH not permitted during a mail transaction");
    else if (argument.len == 0)
        reply_text(&s->out, "501 5.5.2 AUTH mechanism must be specified");
    else
        start_auth(s, argument);
}

/* The line in s->line answers a challenge. */
static void run_response(struct session *s)
{
    struct bytes line = {s->line.data, s->line.len};

    s->turn++;
    s->responding = false;
    buf_truncate(&s->held, 0);
    if (line.len == 1 && *line.p == '*')
        reply_text(&s->out, "501 5.0.0 AUTH aborted");
    else if (!base64_decode(line, &s->held))
        reply_of(&s->out, "501 5.5.4 cannot decode AUTH parameter ", line, "");
    else
        ask_auth(s, SESSION_AUTH_STEP, (struct bytes){"", 0}, true);
}

static void run_starttls(struct session *s, struct bytes verb, struct bytes argument)
{
    (void)verb;
    if (argument.len > 0) {
        reply_text(&s->out, "501 5.5.2 Syntax error (no parameters allowed)");
    } else if (!s->has[HAS_STARTTLS]) {
        reply_text(&s->out, "503 5.5.0 TLS not available");
    } else if (!s->set->tls || s->secured) {
        reply_text(&s->out, "454 4.3.3 TLS not available after start");
    } else if (s->mail) {
        reply_text(&s->out, "503 5.5.0 TLS not permitted during a mail transaction");
    } else if (!s->tls_fits) {
        reply_text(&s->out, "454 4.3.3 TLS currently not available");
    } else {
        reply_text(&s->out, "220 2.0.0 Ready to start TLS");
        s->stage = STAGE_TLS;
    }
}

static void run_unimplemented(struct session *s, struct bytes verb, struct bytes argument)
{
    (void)verb;
    (void)argument;
    say_unknown(s, "502 5.5.1 Command not implemented");
}

static void run_help(struct session *s, struct bytes verb, struct bytes argument)
{
    ask_command(s, verb, argument);
}

enum allowed { ALWAYS, BUSY, TRUSTED };

static const struct verb {
    const char *name;
    void (*run)(struct session *s, struct bytes verb, struct bytes argument);
    enum allowed allowed;
} verbs[] = {
#define VERB(name, function, allowed) {#name, run_##function, allowed},
#include "mta/front/verbs.def"
};

static const char *const foreign[] = {
#define FOREIGN(name) #name,
#include "mta/front/verbs.def"
};

#define COUNT(v) (sizeof(v) / sizeof *(v))

static bool is_word(struct bytes b, const char *word)
{
    return b.len == strlen(word) && strncasecmp(b.p, word, b.len) == 0;
}

static const struct verb *find_verb(struct bytes word)
{
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (is_word(word, verbs[i].name))
            return &verbs[i];
    return NULL;
}

static bool is_foreign(struct bytes word)
{
    for (size_t i = 0; i < COUNT(foreign); i++)
        if (is_word(word, foreign[i]))
            return true;
    return false;
}

static bool is_refused(const struct session *s, const struct verb *v)
{
    return s->refusal != NULL && v->allowed > (s->busy ? BUSY : ALWAYS);
}

/* The command in s->line. */
static void run(struct session *s)
{
    const char *p = s->line.data, *end = p + s->line.len;

    while (p < end && is_blank(*p))
        p++;
    struct bytes word = {p, 0};
    while (p < end && !is_blank(*p))
        p++;
    word.len = (size_t)(p - word.p);
    while (p < end && is_blank(*p))
        p++;
    struct bytes argument = {p, (size_t)(end - p)};
    const struct verb *v = find_verb(word);

    s->turn++;
    if (s->commands++ == 0 && is_foreign(word)) {
        reply_format(&s->out, "421 4.7.0 %s Rejecting open proxy %s", s->set->name, s->client);
        over(s);
    } else if (v == NULL) {
        if (count_bad(s) && s->filtered && s->refusal == NULL)
            ask_command(s, (struct bytes){"", 0}, (struct bytes){s->line.data, s->line.len});
        else if (s->stage != STAGE_OVER)
            say_unknown_line(s);
    } else if (is_refused(s, v)) {
        if (count_bad(s))
            reply_lines(&s->out, s->refusal, strlen(s->refusal));
    } else {
        if (v->run != run_rset && v->run != run_quit)
            hold(s, s->set->delay_ms);
        v->run(s, (struct bytes){v->name, strlen(v->name)}, argument);
    }
}

/* --- answers ------------------------------------------------------------------------------- */

static struct bytes text_of(const struct session_answer *a, size_t i)
{
    return i < a->texts.n ? a->texts.v[i] : (struct bytes){"", 0};
}

static const char *copy_of(struct session *s, struct bytes b)
{
    return arena_strndup(s->arena, b.len > 0 ? b.p : "", b.len);
}

/* A capital takes it away, 'u2' and 'g2' make blanks. */
static void read_features(struct session *s, struct bytes letters)
{
    static const char of[NFEATURES] = {
#define FEATURE(letter, name) letter,
#include "mta/front/features.def"
    };
    bool cr_blank = false, lf_blank = false;

    for (size_t i = 0; i < letters.len; i++) {
        bool two = i + 1 < letters.len && letters.p[i + 1] == '2';
        for (int f = 0; f < NFEATURES; f++)
            if (letters.p[i] == of[f] - 'a' + 'A')
                s->has[f] = false;
        s->has[HAS_CERTIFICATE] |= letters.p[i] == of[HAS_CERTIFICATE];
        cr_blank = cr_blank || (letters.p[i] == 'u' && two);
        lf_blank = lf_blank || (letters.p[i] == 'g' && two);
    }
    s->cr = !s->has[HAS_NO_CR] ? LINES_KEEP : cr_blank ? LINES_BLANK : LINES_REFUSE;
    s->lf = !s->has[HAS_NO_LF] ? LINES_KEEP : lf_blank ? LINES_BLANK : LINES_REFUSE;
}

/* 220 host ESMTP and the rest of the text (RFC 5321 4.2). */
static void greet(struct session *s)
{
    const char *text = s->greeting;
    size_t host = strcspn(text, " \n");
    struct buf *b = &s->held;

    s->stage = STAGE_COMMAND;
    if (s->unwelcome) {
        reply_format(&s->out, "554 %s ESMTP not accepting messages", s->set->name);
        return;
    }
    buf_truncate(b, 0);
    buf_add(b, text, host);
    buf_adds(b, " ESMTP");
    buf_adds(b, text + host);
    for (const char *p = b->data, *end = p + b->len; p < end;) {
        while (p > b->data && p < end && (*p == ' ' || *p == '\t'))
            p++;
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        int len = (int)((lf != NULL ? lf : end) - p);
        reply_format(&s->out, "220%c%.*s", lf != NULL && lf + 1 < end ? '-' : ' ', len, p);
        p += len + (lf != NULL);
    }
}

static void begin(struct session *s)
{
    if (s->pause > 0) {
        hold(s, s->pause);
        s->stage = STAGE_GREETING;
    } else {
        greet(s);
    }
}

static void answer_connect(struct session *s, const struct session_answer *a)
{
    s->greeting = copy_of(s, text_of(a, 0));
    s->client = copy_of(s, text_of(a, 1));
    read_features(s, text_of(a, 2));
    s->auth = copy_of(s, text_of(a, 3));
    s->tls_features = copy_of(s, text_of(a, 4));
    s->tls_fits = !*s->tls_features || !s->set->tls_fits ||
                  s->set->tls_fits(s->set->tls_ctx, s->tls_features);
    s->auth_required = (a->flags & VERDICT_AUTH_REQUIRED) != 0;
    if (a->reply.len > 0)
        s->refusal = copy_of(s, a->reply);
    s->busy = (a->flags & VERDICT_BUSY) != 0;
    s->unwelcome = (a->flags & VERDICT_UNWELCOME) != 0;
    s->filtered = (a->flags & VERDICT_FILTERED) != 0;
    s->pause = a->wait_ms;
    if (!s->tls_first)
        begin(s);
    else if (s->set->tls && s->tls_fits)
        s->stage = STAGE_TLS;
    else
        over(s);
}

static void answer_secured(struct session *s, const struct session_answer *a)
{
    s->auth = copy_of(s, text_of(a, 0));
    if (a->reply.len > 0 && s->refusal == NULL)
        s->refusal = copy_of(s, a->reply);
    if (s->tls_first)
        begin(s);
    else
        s->stage = STAGE_COMMAND;
    s->tls_first = false;
}

static void say_ehlo(struct session *s)
{
    const struct session_settings *set = s->set;

    reply_format(&s->out, "250-%s Hello %s, %s", set->name, s->client, s->welcome);
    if (s->refusal != NULL && !s->busy) {
        reply_text(&s->out, "250 ENHANCEDSTATUSCODES");
        return;
    }
    reply_text(&s->out, "250-ENHANCEDSTATUSCODES");
    if (s->has[HAS_PIPELINING])
        reply_text(&s->out, "250-PIPELINING");
    if (has_expn(s))
        reply_text(&s->out, "250-EXPN");
    if (has_verb(s))
        reply_text(&s->out, "250-VERB");
    reply_text(&s->out, "250-8BITMIME");
    if (set->max_size > 0)
        reply_format(&s->out, "250-SIZE %" PRIu64, set->max_size);
    else
        reply_text(&s->out, "250-SIZE");
    if (s->has[HAS_DSN] && !is_set(s, SESSION_NO_RECEIPTS))
        reply_text(&s->out, "250-DSN");
    if (has_etrn(s))
        reply_text(&s->out, "250-ETRN");
    if (strchr(s->auth, ' ') != NULL)
        reply_of(&s->out, "250-", (struct bytes){s->auth, strlen(s->auth)}, "");
    if (set->tls && !s->secured && s->has[HAS_STARTTLS])
        reply_text(&s->out, "250-STARTTLS");
    if (set->deliver_by_min > 0)
        reply_format(&s->out, "250-DELIVERBY %" PRId64, set->deliver_by_min);
    else if (set->deliver_by_min == 0)
        reply_text(&s->out, "250-DELIVERBY");
    reply_text(&s->out, "250 HELP");
}

static void answer_helo(struct session *s)
{
    if (impatient(s)) {
        refuse_impatience(s);
        return;
    }
    s->introduced = true;
    if (s->extended)
        say_ehlo(s);
    else
        reply_format(&s->out, "250 %s Hello %s, %s", s->set->name, s->client, s->welcome);
}

static void start_data(struct session *s)
{
    if (too_early(s))
        return;
    reply_text(&s->out, "354 End data with <CR><LF>.<CR><LF>");
    s->stage = STAGE_DATA;
    s->turn++;
    s->in.seven_bit = s->seven_bit || is_set(s, SESSION_SEVEN_BIT);
    incoming_start(&s->in, s->cr, s->lf, !s->has[HAS_CRLF_ENDS]);
}

static void answer_command(struct session *s)
{
    struct bytes verb = s->question.verb;

    if (verb.len == 0)
        say_unknown_line(s);
    else if (is_word(verb, "DATA"))
        start_data(s);
    else if (is_word(verb, "ETRN"))
        reply_of(&s->out, "250 2.0.0 Queuing for node ", s->question.argument, " started");
    else /* it has to be answered: nobody else knows what there is to say */
        reply_text(&s->out,
                   "252 2.5.2 Cannot VRFY user; try RCPT to attempt delivery (or try finger)");
}

/* The envelopes outlive the answer: they are asked about in turn. */
static void ask_store(struct session *s, struct texts envelopes)
{
    size_t at = 0;

    buf_truncate(&s->held, 0);
    for (size_t i = 0; i < envelopes.n; i++)
        buf_add(&s->held, envelopes.v[i].p, envelopes.v[i].len);
    while (s->envelopes_room < envelopes.n)
        s->envelopes = arena_grow(s->arena, s->envelopes, s->envelopes_room, &s->envelopes_room,
                                  sizeof *s->envelopes, 4);
    for (size_t i = 0; i < envelopes.n; i++) {
        s->envelopes[i] = (struct bytes){s->held.data + at, envelopes.v[i].len};
        at += envelopes.v[i].len;
    }
    ask(s, SESSION_STORE)->envelopes = (struct texts){s->envelopes, envelopes.n};
}

static void answer_end(struct session *s, const struct session_answer *a)
{
    if (a->reply.len == 0 && a->texts.n > 0 && !(a->flags & VERDICT_DISCARD)) {
        ask_store(s, a->texts);
        return;
    }
    if (a->reply.len == 0)
        reply_text(&s->out, "250 2.0.0 Message accepted for delivery");
    drop_transaction(s);
}

static void answer_store(struct session *s, const struct session_answer *a)
{
    if (a->status == EX_IOERR) {
        reply_text(&s->out, "421 4.3.1 Out of disk space for temp file");
        over(s);
    } else if (a->status != 0)
        reply_text(&s->out, "451 4.3.0 Message cannot be kept now; try again later");
    else
        reply_of(&s->out, "250 2.0.0 ", text_of(a, 0), " Message accepted for delivery");
    end_transaction(s);
}

static void answer_auth(struct session *s, const struct session_answer *a)
{
    if (!(a->flags & VERDICT_CHALLENGE)) {
        s->authenticated = true;
        reply_text(&s->out, "235 2.0.0 OK Authenticated");
        return;
    }
    s->responding = true;
    buf_truncate(&s->held, 0);
    base64_encode(text_of(a, 0), &s->held);
    reply_of(&s->out, "334 ", (struct bytes){s->held.data, s->held.len}, "");
}

static void agreed(struct session *s, struct session_question q, const struct session_answer *a)
{
    bool usual = a->reply.len == 0;

    switch (q.kind) {
    case SESSION_HELO:
        if (usual)
            answer_helo(s);
        else
            s->introduced = true;
        break;
    case SESSION_MAIL:
        if (usual)
            reply_of(&s->out, "250 2.1.0 ", q.argument, "... Sender ok");
        s->mail = true;
        s->eight_bit = s->parameters.eight_bit;
        s->seven_bit = s->parameters.seven_bit;
        buf_truncate(&s->sender, 0);
        buf_add(&s->sender, q.argument.p, q.argument.len);
        break;
    case SESSION_RCPT:
        if (usual)
            reply_of(&s->out, "250 2.1.5 ", q.argument, "... Recipient ok");
        s->recipients++;
        break;
    case SESSION_COMMAND:
        if (usual)
            answer_command(s);
        break;
    case SESSION_AUTH:
    case SESSION_AUTH_STEP:
        if (usual)
            answer_auth(s, a);
        break;
    default:
        break;
    }
}

/* The reply, and whether it is consent. */
static bool take_reply(struct session *s, const struct session_answer *a)
{
    const struct bytes wrong = s->question.wrong;

    if (a->reply.len == 0 && wrong.len > 0)
        reply_line(&s->out, wrong.p, wrong.len);
    if (a->reply.len == 0)
        return wrong.len == 0;
    reply_lines(&s->out, a->reply.p, a->reply.len);
    return a->reply.p[0] == '2' || a->reply.p[0] == '3';
}

/* Behind RESET. */
static void go_on(struct session *s)
{
    if (s->helo_next)
        ask_helo(s);
}

void session_answer(struct session *s, const struct session_answer *a)
{
    struct session_question q = s->question;

    if (!s->asks)
        return;
    s->asks = false;
    s->turn++;
    if (q.kind == SESSION_RESET) {
        go_on(s);
    } else if (a->flags & VERDICT_CLOSE) {
        take_reply(s, a);
        over(s);
    } else if (q.kind == SESSION_CONNECT) {
        answer_connect(s, a);
    } else if (q.kind == SESSION_SECURED) {
        answer_secured(s, a);
    } else {
        struct session_answer usual = *a;
        hold(s, a->wait_ms);
        if (q.kind == SESSION_HELO && a->flags & VERDICT_UNWELCOME) {
            s->refusal = copy_of(s, a->reply);
            usual.reply.len = 0;
        }
        a = &usual;
        bool consent = q.kind == SESSION_STORE || take_reply(s, a);
        if (q.kind == SESSION_END)
            answer_end(s, a);
        else if (q.kind == SESSION_STORE)
            answer_store(s, a);
        else if (consent)
            agreed(s, q, a);
        else if (q.kind == SESSION_RCPT && !(a->flags & VERDICT_UNCOUNTED))
            s->refused++;
    }
    if (!s->asks)
        buf_truncate(&s->line, 0);
    if (!s->asks && s->ended)
        over(s);
}

/* --- input --------------------------------------------------------------------------------- */

static void refuse_bare(struct session *s, enum lines_result r)
{
    reply_text(&s->out, r == LINES_BARE_LF ? "421 4.5.0 Bare linefeed (LF) not allowed"
                                           : "421 4.5.0 Bare carriage return (CR) not allowed");
    over(s);
}

/* Why a message that has come is refused whatever it says; NULL: it is not. */
static bool refuse_message(struct session *s)
{
    const struct incoming *in = &s->in;

    if (in->too_large)
        reply_format(&s->out, "552 5.2.3 Message exceeds maximum fixed size (%" PRIu64 ")",
                     in->max_size);
    else if (in->head_too_large)
        reply_format(&s->out, "552 5.6.0 Headers too large (%" PRIu64 " max)", in->max_head);
    else if ((in->flags & SEEN_NUL) && is_set(s, SESSION_REJECT_NUL))
        reply_text(&s->out, "554 5.6.1 NUL byte not allowed");
    else if ((in->flags & SEEN_8BIT) && !s->eight_bit && is_set(s, SESSION_STRICT_8BIT))
        reply_text(&s->out, "554 5.6.1 Eight bit data not allowed");
    else
        return false;
    return true;
}

static void message_is_there(struct session *s)
{
    const struct incoming *in = &s->in;

    s->stage = STAGE_COMMAND;
    if (refuse_message(s)) {
        drop_transaction(s);
        return;
    }
    struct session_question *q = ask(s, SESSION_END);
    q->head = (struct bytes){in->head.data, in->head.len};
    q->size = in->size;
    q->lines = in->body_lines;
    q->flags = in->flags;
    q->recipients = s->recipients;
    q->refused = s->refused;
}

static size_t take_data(struct session *s, const char *p, size_t len)
{
    size_t used;
    enum lines_result r = incoming_data(&s->in, p, len < PIECE ? len : PIECE, &used);

    s->turn++;
    if (r == LINES_END)
        message_is_there(s);
    else if (r != LINES_MORE)
        refuse_bare(s, r);
    return used;
}

static void run_line(struct session *s, size_t text, enum lines_result refused)
{
    /* As the reference's commands, this one ends at the first NUL. */
    const char *nul = memchr(s->line.data, '\0', text);

    buf_truncate(&s->line, nul != NULL ? (size_t)(nul - s->line.data) : text);
    if (refused != LINES_MORE)
        refuse_bare(s, refused);
    else if (s->responding)
        run_response(s);
    else
        run(s);
    if (!s->asks)
        buf_truncate(&s->line, 0);
}

/* As in messages: refused, unless a feature of the connection lets them be. */
static enum lines_bare command_bare(const struct session *s, int which)
{
    return is_set(s, SESSION_LAX_COMMANDS) || !s->has[which] ? LINES_KEEP : LINES_REFUSE;
}

static size_t take_command(struct session *s, const char *p, size_t len)
{
    const char *end = memchr(p, '\n', len);
    size_t n = end != NULL ? (size_t)(end - p) + 1 : len, text;
    enum lines_result refused;
    enum lines_bare cr = command_bare(s, HAS_NO_CR), lf = command_bare(s, HAS_NO_LF);
    size_t most = s->responding ? SESSION_RESPONSE_MAX : SESSION_LINE_MAX;

    if (n > most - s->line.len) {
        reply_format(&s->out, "421 4.7.0 %s Command too long, possible attack %s", s->set->name,
                     s->client);
        over(s);
        return n;
    }
    buf_add(&s->line, p, n);
    s->behind = n < len;
    if (end != NULL && lines_command(s->line.data, s->line.len, cr, lf, &text, &refused) > 0)
        run_line(s, text, refused);
    return n;
}

static bool output_full(const struct session *s)
{
    return reply_waiting(&s->out) > SESSION_OUTPUT_FULL ||
           incoming_waiting(&s->in) > SESSION_BODY_FULL;
}

static bool takes_input(const struct session *s)
{
    return (s->stage == STAGE_COMMAND || s->stage == STAGE_DATA) && !s->asks &&
           s->out.held_ms == 0 && !output_full(s);
}

/* Who cannot wait for the greeting is no mail server. */
static void early_talker(struct session *s)
{
    reply_release(&s->out);
    s->stage = STAGE_COMMAND;
    s->turn++;
    reply_format(&s->out, "554 %s ESMTP not accepting messages", s->set->name);
    s->refusal = rejected;
}

void session_begin_with_tls(struct session *s)
{
    s->tls_first = true;
}

const char *session_tls_features(const struct session *s)
{
    return s->tls_features ? s->tls_features : "";
}

bool session_asks_certificate(const struct session *s)
{
    return s->has[HAS_CERTIFICATE];
}

/* What was said in the clear and not yet understood could be anybody's. */
void session_secured(struct session *s, struct texts found)
{
    if (s->stage != STAGE_TLS || s->asks || s->ended)
        return;
    struct bytes *list = arena_calloc(s->arena, found.n, sizeof *list);
    for (size_t i = 0; i < found.n; i++)
        list[i] = (struct bytes){copy_of(s, found.v[i]), found.v[i].len};
    s->secured = true;
    s->behind = false;
    buf_truncate(&s->line, 0);
    ask(s, SESSION_SECURED)->found = (struct texts){list, found.n};
}

size_t session_input(struct session *s, const char *bytes, size_t len)
{
    size_t used = 0;

    if (len > 0 && s->stage == STAGE_GREETING)
        early_talker(s);
    while (used < len && takes_input(s))
        used += s->stage == STAGE_DATA ? take_data(s, bytes + used, len - used)
                                       : take_command(s, bytes + used, len - used);
    if (used < len)
        s->behind = true;
    return used;
}

/* "421 4.4.1 collect: ...": a message that does not come. */
static void say_lost(struct session *s, const char *why)
{
    const char *address = strstr(s->client, " [");
    int host = (int)(address != NULL ? (size_t)(address - s->client) : strlen(s->client));

    buf_truncate(&s->held, 0);
    buf_printf(&s->held, "421 4.4.1 collect: relay=%.*s, from=", host, s->client);
    buf_add(&s->held, s->sender.data, s->sender.len);
    buf_printf(&s->held, ", info=%s", why);
    reply_line(&s->out, s->held.data, s->held.len);
}

void session_end_of_input(struct session *s)
{
    s->ended = true;
    if (s->stage == STAGE_DATA)
        say_lost(s, "unexpected close");
    else if (s->stage == STAGE_COMMAND && takes_input(s) && s->line.len > 0)
        run_line(s, s->line.len, LINES_MORE); /* what came of it counts as a line */
    if (!s->asks)
        over(s);
}

void session_timeout(struct session *s)
{
    struct session_wait w = session_wait(s);

    if (w.kind == SESSION_WAIT_GREETING || w.kind == SESSION_WAIT_PAUSE) {
        reply_release(&s->out);
        s->turn++;
        if (w.kind == SESSION_WAIT_GREETING)
            greet(s);
    } else if (w.kind != SESSION_WAIT_ANSWER && w.kind != SESSION_WAIT_NOTHING) {
        if (w.kind == SESSION_WAIT_DATA)
            say_lost(s, "read timeout");
        over(s);
    }
}

bool session_stop(struct session *s)
{
    if (s->stage == STAGE_TLS && !s->asks) { /* nothing can be said there */
        over(s);
        return true;
    }
    if (s->stage != STAGE_COMMAND || s->asks || s->mail || s->out.held_ms > 0)
        return false;
    reply_format(&s->out, "421 4.3.2 %s Server shutting down", s->set->name);
    over(s);
    return true;
}

/* --- the rest ------------------------------------------------------------------------------ */

struct session *session_new(struct arena *a, const struct session_settings *settings)
{
    struct session *s = arena_alloc(a, sizeof *s);

    s->set = settings;
    s->arena = a;
    s->client = s->greeting = s->auth = arena_strdup(a, "");
    for (int i = 0; i < NFEATURES; i++)
        s->has[i] = true;
    buf_init(&s->line, a);
    reply_init(&s->out, a);
    s->out.soft = (settings->switches & SESSION_SOFT) != 0;
    buf_init(&s->held, a);
    buf_init(&s->sender, a);
    incoming_init(&s->in, a);
    s->in.max_size = settings->max_size;
    s->in.max_head = settings->max_head > 0 ? settings->max_head : SESSION_HEAD_MAX;
    s->in.seven_bit = (settings->switches & SESSION_SEVEN_BIT) != 0;
    s->in.keeps_from = (settings->switches & SESSION_SAVE_FROM) != 0;
    s->has[HAS_CERTIFICATE] = (settings->switches & SESSION_NO_CERTIFICATE) == 0;
    ask(s, SESSION_CONNECT);
    return s;
}

bool session_output(const struct session *s, struct bytes *bytes)
{
    *bytes = reply_ready(&s->out);
    return bytes->len > 0;
}

void session_sent(struct session *s, size_t n)
{
    s->turn++;
    reply_sent(&s->out, n);
}

bool session_body(const struct session *s, struct bytes *bytes)
{
    *bytes = (struct bytes){s->in.body.data + s->in.taken, incoming_waiting(&s->in)};
    return bytes->len > 0;
}

void session_body_taken(struct session *s, size_t n)
{
    s->turn++;
    incoming_taken(&s->in, n);
}

const struct session_question *session_question(const struct session *s)
{
    return s->asks ? &s->question : NULL;
}

bool session_over(const struct session *s)
{
    return s->stage == STAGE_OVER;
}

struct session_wait session_wait(const struct session *s)
{
    uint64_t ms = s->stage == STAGE_DATA ? s->set->data_ms : s->set->command_ms;
    struct session_wait w = {SESSION_WAIT_COMMAND, ms, s->turn};

    if (s->stage == STAGE_OVER || s->asks) {
        w.kind = s->asks ? SESSION_WAIT_ANSWER : SESSION_WAIT_NOTHING;
        w.ms = 0;
    } else if (s->out.held_ms > 0) {
        w.kind = s->stage == STAGE_GREETING ? SESSION_WAIT_GREETING : SESSION_WAIT_PAUSE;
        w.ms = s->out.held_ms;
    } else if (s->stage == STAGE_TLS) {
        w.kind = SESSION_WAIT_TLS;
        w.ms = s->set->tls_ms;
    } else if (output_full(s)) {
        w.kind = SESSION_WAIT_OUTPUT;
    } else if (s->stage == STAGE_DATA) {
        w.kind = SESSION_WAIT_DATA;
    }
    return w;
}
