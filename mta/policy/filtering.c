#include "mta/policy/filtering.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "lib/base/arena.h"
#include "mta/message/coded.h"
#include "mta/message/seen.h"
#include "mta/milter/milter.h"
#include "mta/policy/others.h"
#include "mta/policy/filter_change.h"
#include "mta/policy/ruling.h"
#include "mta/policy/verdict.h"

/* As LogLevel counts. */
enum { NEVER = 1000, LEVEL_OUTCOME = 4, LEVEL_STATE = 10, LEVEL_REFUSED = 11 };

static const char rejected[] = "550 5.7.1 Command rejected";
static const char rejected_message[] = "554 5.7.1 Command rejected";
static const char later[] = "451 4.3.2 Please try again later";

/* --- what filters need of a question ------------------------------------------------------ */

static struct bytes with_id(const struct asking_filters *q, struct bytes text)
{
    static const size_t mark = sizeof HEAD_ID - 1;
    const char *at = memmem(text.p, text.len, HEAD_ID, mark);

    if (!at)
        return text;
    return bytes_of(arena_printf(q->w->arena, "%.*s%.*s%.*s", (int)(at - text.p), text.p,
                                 (int)q->c->envelope.id.len, q->c->envelope.id.p,
                                 (int)(text.len - (size_t)(at - text.p) - mark), at + mark));
}

struct bytes filtering_with_id(const struct asking_filters *q, struct bytes text)
{
    return text.len > 0 ? with_id(q, text) : text;
}

static const char *macro(void *ctx, const char *name)
{
    const struct asking_filters *q = ctx;
    const char *value = rewrite_get(q->w->r, name, strlen(name));

    if (!value)
        return NULL;
    const struct bytes b = filtering_with_id(q, bytes_of(worker_expanded(q->w, name)));
    return bytes_string(q->w->arena, b);
}

void filtering_note(const struct asking_filters *q, int level, const char *fmt, ...)
{
    const struct service *s = q->w->service;
    struct log_event l;
    va_list ap;
    struct buf b;

    if (s->filters->log_level >= 0)
        level = level > s->filters->log_level ? NEVER : 0;
    va_start(ap, fmt);
    const char *text = arena_vprintf(q->w->arena, fmt, ap);
    va_end(ap);
    buf_init(&b, q->w->arena);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '\n' || c == '\r' || c == '\t')
            buf_printf(&b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c < ' ' || c > '~')
            buf_printf(&b, "\\%03o", c);
        else
            buf_addc(&b, *text);
    }
    log_begin(&l, s->log, q->w->arena, level, LOG_INFO, "milter", bytes_of(worker_get(q->w, "i")));
    log_words(&l, "text", b.len > 0 ? b.data : "");
    log_end(&l);
}

static void note_of_milter(void *ctx, int level, const char *text)
{
    filtering_note(ctx, level, "%s", text);
}

static int open_local(void *ctx, const struct filter *f)
{
    const struct asking_filters *q = ctx;

    return others_open_filter(q->w->service->others, f->number);
}

static const struct milter_world world = {macro, open_local, note_of_milter};

/* --- replies ------------------------------------------------------------------------------ */

/* A reply's code, enhanced code (NULL: none) and text. */
static int split(struct arena *a, const char *line, size_t len, const char **enhanced,
                 const char **text)
{
    const struct coded c = coded_line((struct bytes){line, len});

    *enhanced = c.enhanced.len > 0 ? arena_strndup(a, c.enhanced.p, c.enhanced.len) : NULL;
    *text = arena_strndup(a, c.text.p, c.text.len);
    return atoi(arena_strndup(a, line, c.code.len));
}

/* A filter's reply about `to` (NULL: nobody) as the front has it: lines with LF between, all of the
 * first one's code. */
static const char *shown_reply(struct worker *w, const char *reply, const char *to)
{
    struct buf out;
    const char *enhanced, *text;
    int code = 0;

    buf_init(&out, w->arena);
    for (const char *p = reply;;) {
        const char *end = strstr(p, "\r\n");
        const size_t len = end ? (size_t)(end - p) : strlen(p);
        if (p == reply) {
            code = split(w->arena, p, len, &enhanced, &text);
            char *line = ruling_reply(w->arena, code, enhanced, to, text);
            line[3] = end ? '-' : ' ';
            buf_adds(&out, line);
        } else {
            buf_printf(&out, "\n%03d%c%.*s", code, end ? '-' : ' ', len > 4 ? (int)len - 4 : 0,
                       len > 4 ? p + 4 : "");
        }
        if (!end)
            break;
        p = end + 2;
    }
    for (size_t i = 0; i < out.len; i++) {
        const char seven = (char)(out.data[i] & 0x7f);
        /* No byte becomes the end of a line. */
        const bool ends = seven != out.data[i] && (seven == '\r' || seven == '\n');
        out.data[i] = seven == '\0' || ends ? ' ' : seven;
    }
    return out.data;
}

static void say(struct message_VERDICT *v, const char *reply)
{
    v->reply = bytes_of(reply);
}

static bool is_closing(const char *reply)
{
    return strncmp(reply, "421", 3) == 0 && (reply[3] == ' ' || reply[3] == '-');
}

static const char *closing(const struct worker *w)
{
    return arena_printf(w->arena, "421 4.7.0 %s closing connection", w->service->host);
}

static const char *printed(struct arena *a, const char *reply)
{
    struct buf b; /* as the filter gave it, for the log: its '%' are doubled */

    buf_init(&b, a);
    for (; *reply; reply++) {
        if (*reply == '%')
            buf_addc(&b, '%');
        buf_addc(&b, *reply);
    }
    return b.len > 0 ? b.data : "";
}

/* What is said to a command that is not consented to, and noted; what: "from=<a@b>"; usual: of one
 * that is refused without a reply; short: what ends a session is said without our name.  True:
 * consent. */
static bool take(const struct asking_filters *q, const char *what, struct milter_answer said,
                 const char *usual, const char *to, bool briefly, struct message_VERDICT *v)
{
    struct worker *w = q->w;
    const char *reply = NULL;

    switch (said.said) {
    case MILTER_GO_ON:
        return true;
    case MILTER_DROP:
        q->c->discard = true;
        filtering_note(q, LEVEL_OUTCOME, "Milter: %s, discard", what);
        return true;
    case MILTER_CLOSE:
        v->flags |= VERDICT_CLOSE;
        say(v, briefly ? "421 4.3.0 closing connection" : closing(w));
        filtering_note(q, LEVEL_OUTCOME, "Milter: %s, reject=%s", what,
                       briefly ? "421, errormode=4" : closing(w));
        return false;
    case MILTER_REFUSE:
        reply = usual;
        break;
    case MILTER_LATER:
        reply = later;
        break;
    case MILTER_REPLY:
        reply = said.reply;
        break;
    }
    filtering_note(q, LEVEL_OUTCOME, "Milter: %s, reject=%s", what, printed(w->arena, reply));
    say(v, shown_reply(w, reply, to));
    if (is_closing(reply))
        v->flags |= VERDICT_CLOSE;
    return false;
}

/* --- a session's beginning ---------------------------------------------------------------- */

static void let_be(struct context *c)
{
    milter_end(c->milter);
    c->milter = NULL;
}

/* Of a client at the door; what: of a failure, or of a client. */
static void take_at_door(struct asking_filters *q, struct milter_answer said, const char *what,
                         const char *close, struct message_VERDICT *v)
{
    const char *outcome = "";

    if (said.said == MILTER_REPLY)
        said.said = is_closing(said.reply) ? MILTER_CLOSE
                    : *said.reply == '4'   ? MILTER_LATER
                                           : MILTER_REFUSE;
    if (said.said == MILTER_CLOSE) {
        outcome = close;
        say(v, closing(q->w));
        v->flags |= VERDICT_CLOSE;
    } else if (said.said == MILTER_LATER) {
        outcome = "temp failing commands";
        q->c->filters_later = true;
    } else if (said.said == MILTER_REFUSE) {
        outcome = "rejecting commands";
        say(v, "550 5.0.0 Command rejected");
        v->flags |= VERDICT_UNWELCOME;
    }
    if (*outcome)
        filtering_note(q, LEVEL_OUTCOME, "Milter: %s, %s", what, outcome);
    let_be(q->c);
}

static const struct filters *filters_of(const struct worker *w, const struct context *c)
{
    const struct service *s = w->service;

    return &s->filters->of_listener[(size_t)(c->listener - s->listeners)];
}

static int family_of(const char *address)
{
    struct in_addr four;

    if (strncasecmp(address, "IPv6:", 5) == 0)
        return AF_INET6;
    if (*address == '[')
        return AF_UNIX;
    return strchr(address, '.') && inet_aton(address, &four) ? AF_INET : AF_UNSPEC;
}

void filtering_connect(struct worker *w, struct context *c, const struct message_CONNECT *m,
                       struct message_VERDICT *v)
{
    struct asking_filters q = {.w = w, .c = c};
    const struct milter_call call = {&q, w->arena};
    const struct filters *filters = filters_of(w, c);

    if (filters->n == 0)
        filtering_note(&q, LEVEL_REFUSED, "Milter: no active filter");
    if (filters->n == 0 || v->reply.len > 0 || v->flags & VERDICT_CLOSE)
        return;
    c->milter = milter_new(c->arena, w->service->filters, filters, &world);
    struct milter_answer said = milter_open(c->milter, &call);
    if (said.said != MILTER_GO_ON) {
        take_at_door(&q, said, "initialization failed", "closing connection", v);
        return;
    }
    filtering_note(&q, LEVEL_STATE, "Milter: connect to filters");
    const int family = family_of(c->address);
    said = milter_connect(c->milter, &call, c->name, family, (uint16_t)m->port,
                          family == AF_UNIX ? "" : c->address);
    if (said.said == MILTER_GO_ON) {
        v->flags |= VERDICT_FILTERED;
        return;
    }
    filtering_note(&q, LEVEL_STATE, "Milter: connect, ending");
    take_at_door(&q, said, arena_printf(w->arena, "connect: host=%s, addr=%s", c->name, c->address),
                 "shutdown", v);
}

void filtering_helo(struct worker *w, struct context *c, struct message_VERDICT *v)
{
    struct asking_filters q = {.w = w, .c = c};
    const struct milter_call call = {&q, w->arena};

    if (!c->milter)
        return;
    const struct milter_answer said = milter_helo(c->milter, &call, c->helo);
    const char *what = arena_printf(w->arena, "helo=%s", c->helo);
    if (said.said == MILTER_DROP)
        return;
    if (said.said == MILTER_REFUSE) {
        filtering_note(&q, LEVEL_OUTCOME, "Milter: %s, reject=Command rejected", what);
        say(v, "550 5.0.0 Command rejected");
    } else if (take(&q, what, said, rejected, NULL, false, v)) {
        return;
    }
    if (v->flags & VERDICT_CLOSE)
        return;
    if (said.said == MILTER_LATER) {
        c->filters_later = true;
        v->reply = (struct bytes){NULL, 0};
        let_be(c);
        return;
    }
    v->flags |= VERDICT_UNWELCOME;
    let_be(c);
}

/* --- an envelope -------------------------------------------------------------------------- */

bool filtering_mail(struct worker *w, struct context *c, const char *path, struct texts parameters,
                    struct message_VERDICT *v)
{
    struct asking_filters q = {.w = w, .c = c};
    const struct milter_call call = {&q, w->arena};

    if (c->filters_later) {
        say(v, later);
        return false;
    }
    if (!c->milter || c->discard)
        return true;
    const struct milter_answer said =
        milter_mail(c->milter, &call, path, parameters.v, parameters.n);
    if (said.said == MILTER_REFUSE)
        filtering_note(&q, LEVEL_REFUSED, "Milter: reject, sender");
    return take(&q, arena_printf(w->arena, "from=%s", path), said, rejected, path, true, v);
}

/* Macros of a recipient that nobody is. */
static void set_refused(struct worker *w, const char *refusal)
{
    const char *enhanced, *text;
    const int code = split(w->arena, refusal, strlen(refusal), &enhanced, &text);
    const char *about = strstr(text, "... ");

    worker_set(w, "rcpt_mailer", "error");
    worker_set(w, "rcpt_host", enhanced ? enhanced : "");
    worker_setf(w, "rcpt_addr", "%d %s%s%s", code, enhanced ? enhanced : "", enhanced ? " " : "",
                about ? about + strlen("... ") : text);
}

bool filtering_rcpt(struct worker *w, struct context *c, const char *path, struct texts parameters,
                    const char *refusal, struct message_VERDICT *v)
{
    struct asking_filters q = {.w = w, .c = c};
    const struct milter_call call = {&q, w->arena};
    struct message_VERDICT unused = {0};

    if (!c->milter || c->discard)
        return true;
    if (refusal)
        set_refused(w, refusal);
    const struct milter_answer said =
        milter_rcpt(c->milter, &call, path, parameters.v, parameters.n, refusal != NULL);
    return take(&q, arena_printf(w->arena, "to=%s", path), said, rejected, path, true,
                refusal ? &unused : v);
}

bool filtering_data(struct worker *w, struct context *c, struct message_VERDICT *v)
{
    struct asking_filters q = {.w = w, .c = c};
    const struct milter_call call = {&q, w->arena};

    if (!c->milter || c->discard)
        return true;
    return take(&q, "cmd=data", milter_data(c->milter, &call), rejected, NULL, false, v);
}

void filtering_unknown(struct worker *w, struct context *c, struct bytes line,
                       struct message_VERDICT *v)
{
    struct asking_filters q = {.w = w, .c = c};
    const struct milter_call call = {&q, w->arena};
    const char *text = bytes_string(w->arena, line);
    const bool discard = c->discard;

    if (!c->milter)
        return;
    filtering_note(&q, LEVEL_STATE, "Sending \"%s\" to Milter", text);
    take(&q, arena_printf(w->arena, "unknown=%s", text), milter_unknown(c->milter, &call, line),
         rejected, NULL, true, v);
    c->discard = discard;
}

/* --- a message ---------------------------------------------------------------------------- */

static bool field(void *ctx, size_t i, struct bytes *name, struct bytes *text)
{
    struct asking_filters *q = ctx;

    if (i == 0)
        filter_change_begin(q);
    while (q->at < q->head->n) {
        const struct field *f = &q->head->v[q->at++];
        if (f->flags & FIELD_DEFAULT || !f->value.p)
            continue;
        *name = f->name;
        *text = f->value;
        return true;
    }
    return false;
}

static bool body(void *ctx, uint64_t at, size_t most, struct bytes *bytes)
{
    struct asking_filters *q = ctx;

    arena_reset(q->scratch);
    *bytes = (struct bytes){"", 0};
    if (at >= q->body)
        return true;
    const uint64_t left = q->body - at;
    return others_read_body(q->w->service->others, q->scratch, q->c->session, at,
                            left < most ? left : most, bytes) == 0;
}

static const struct milter_message message = {field, body, filter_change};

static bool take_end(struct asking_filters *q, struct milter_answer said, struct message_VERDICT *v)
{
    if (said.said == MILTER_GO_ON) {
        filtering_note(q, LEVEL_STATE, "Milter accept: message");
        return true;
    }
    if (said.said == MILTER_REFUSE)
        filtering_note(q, LEVEL_REFUSED, "Milter: reject, data");
    return take(q, "data", said, rejected_message, NULL, false, v);
}

bool filtering_message(struct worker *w, struct context *c, struct head *h,
                       const struct message_END *m, struct message_VERDICT *v)
{
    struct asking_filters q = {.w = w, .c = c, .head = h, .body = m->body};
    const struct milter_call call = {&q, w->arena};
    struct milter_answer said = {MILTER_GO_ON, NULL};

    if (!c->milter) /* they let go of this client */
        return c->submitted || filters_of(w, c)->n == 0 || take_end(&q, said, v);
    if (c->discard) {
        milter_abort(c->milter, &call);
    } else {
        q.scratch = arena_beside(w->own);
        filter_change_open(&q);
        said = milter_message(c->milter, &call, &message);
        filter_change_close(&q, m->body);
        arena_free(q.scratch);
    }
    return take_end(&q, said, v);
}

void filtering_reset(struct worker *w, struct context *c)
{
    struct asking_filters q = {.w = w, .c = c};
    const struct milter_call call = {&q, w->arena};

    if (c->milter)
        milter_abort(c->milter, &call);
}
