#include "mta/milter/milter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "lib/base/arena.h"
#include "mta/milter/wire.h"

/* As LogLevel counts. */
enum { LEVEL_ERROR = 1, LEVEL_CONNECT = 10, LEVEL_ANSWER = 11, LEVEL_CONTINUE = 13 };

/* Since when these are told. */
enum { VERSION_OF_UNKNOWN = 3, VERSION_OF_DATA = 4 };

enum { MACRO_NAME = 64, MACROS_MAX = 100, TEXT_AT_ONCE = 32 << 10 };

enum state {
    STATE_CLOSED,  /* not there, or not any more: nobody is asked */
    STATE_FAILED,  /* the same, and F= says what comes of it */
    STATE_OPEN,    /* no message is begun */
    STATE_MESSAGE, /* one is */
    STATE_LET_BE,  /* it hears no more until the next one, or HELO */
    STATE_THROUGH  /* nor of this session */
};

struct asked {
    const struct filter *f;
    int fd;
    enum state state;
    struct offer offer;
    const char *macros[MILTER_STAGES]; /* names, blanks or commas between; NULL: none */
    bool skips;                        /* it wants no more of the head, and of the body */
};

struct milter {
    struct arena *arena;
    const struct filter_settings *set;
    const struct milter_world *world;
    struct asked *v;
    size_t n;
    struct buf out;
    struct arena *heard; /* the packet that came last */
    struct asked *last;  /* who was asked last */
};

/* --- the log ------------------------------------------------------------------------------ */

static void note(struct milter *m, const struct milter_call *c, int level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void note(struct milter *m, const struct milter_call *c, int level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    m->world->log(c->ctx, level, arena_vprintf(c->arena, fmt, ap));
    va_end(ap);
}

/* --- states ------------------------------------------------------------------------------- */

static struct milter_answer go_on(void)
{
    return (struct milter_answer){MILTER_GO_ON, NULL};
}

static bool is_asked(const struct asked *a)
{
    return a->state == STATE_OPEN || a->state == STATE_MESSAGE;
}

static void hang_up(struct asked *a, bool politely)
{
    static const char quit[] = {0, 0, 0, 1, 'Q'};

    wire_close(a->fd, quit, politely ? sizeof quit : 0);
    a->fd = -1;
}

/* It wants to hear no more of this session. */
static void let_go(struct asked *a)
{
    hang_up(a, true);
    a->state = STATE_THROUGH;
}

/* It is not asked any more. */
static void fail(struct milter *m, const struct milter_call *c, struct asked *a)
{
    hang_up(a, false);
    a->state = a->f->failure == FILTER_PASS ? STATE_CLOSED : STATE_FAILED;
    note(m, c, LEVEL_ERROR, "Milter (%s): to error state", a->f->name);
}

/* What F= makes of one that is not there. */
static struct milter_answer without(const struct asked *a)
{
    static const enum milter_said said[] = {[FILTER_PASS] = MILTER_GO_ON,
                                            [FILTER_REJECT] = MILTER_REFUSE,
                                            [FILTER_LATER] = MILTER_LATER,
                                            [FILTER_CLOSE] = MILTER_CLOSE};

    return (struct milter_answer){said[a->f->failure], NULL};
}

/* --- packets ------------------------------------------------------------------------------ */

/* False: it did not take them. */
static bool tell(struct milter *m, const struct milter_call *c, struct asked *a,
                 enum milter_stage stage)
{
    const char *word = milter_stages[stage].word;
    const uint64_t seconds = a->f->seconds[FILTER_WRITE];

    switch (wire_write(a->fd, m->out.data, m->out.len, seconds)) {
    case WIRE_DONE:
        return true;
    case WIRE_LATE:
        note(m, c, LEVEL_ERROR, "Milter (%s): timeout before data write, where=%s", a->f->name,
             word);
        break;
    default:
        note(m, c, LEVEL_ERROR, "Milter (%s): write(%c) failed: %s, where=%s", a->f->name,
             milter_stages[stage].letter, strerror(errno), word);
        break;
    }
    fail(m, c, a);
    return false;
}

static bool read_some(struct milter *m, const struct milter_call *c, struct asked *a,
                      const char *word, char *p, size_t len, uint64_t seconds, bool begun)
{
    size_t got;

    switch (wire_read(a->fd, p, len, seconds, &got)) {
    case WIRE_DONE:
        return true;
    case WIRE_LATE:
    case WIRE_STUCK:
        note(m, c, LEVEL_ERROR, "Milter (%s): timeout %s data read, where=%s", a->f->name,
             begun || got > 0 ? "during" : "before", word);
        break;
    case WIRE_ENDED:
        note(m, c, LEVEL_ERROR, "milter_sys_read(%s): cmd read returned %zu, expecting %zu",
             a->f->name, got, len);
        break;
    default:
        note(m, c, LEVEL_ERROR, "milter_sys_read(%s): read failed: %s", a->f->name,
             strerror(errno));
        break;
    }
    return false;
}

static uint64_t now_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

/* One packet, until the next one, a NUL behind it; false: none came, and it failed. */
static bool hear(struct milter *m, const struct milter_call *c, struct asked *a,
                 enum milter_stage stage, char *letter, struct bytes *data)
{
    const char *word = milter_stages[stage].word;
    const uint64_t seconds = a->f->seconds[FILTER_READ];
    char head[PACKET_HEAD];
    size_t len;

    arena_reset(m->heard);
    bool good = read_some(m, c, a, word, head, sizeof head, seconds, false);

    if (good && !packet_head(head, letter, &len)) {
        note(m, c, LEVEL_ERROR, "Milter (%s): answer of a length that cannot be, where=%s",
             a->f->name, word);
        good = false;
    }
    if (good) {
        char *p = arena_raw(m->heard, len + 1);
        p[len] = '\0';
        *data = (struct bytes){p, len};
        good = len == 0 || read_some(m, c, a, word, p, len, seconds, true);
    }
    if (!good)
        fail(m, c, a);
    return good;
}

/* --- macros ------------------------------------------------------------------------------- */

static void add_macro(struct milter *m, const struct milter_call *c, const char *name, size_t len)
{
    const bool braces = len > 2 && name[0] == '{' && name[len - 1] == '}';
    const char *plain = arena_strndup(c->arena, name + braces, len - (braces ? 2 : 0));
    const char *value = m->world->macro(c->ctx, plain);

    if (!value)
        return;
    if (strlen(plain) > 1)
        buf_printf(&m->out, "{%s}", plain);
    else
        buf_adds(&m->out, plain);
    buf_addc(&m->out, '\0');
    packet_text(&m->out, value, strlen(value));
}

/* Behind what is in m->out. */
static void add_macros(struct milter *m, const struct milter_call *c, const struct asked *a,
                       enum milter_stage stage)
{
    static const char between[] = ", \t";
    const char *list = a->macros[stage];

    if (!list || !*list)
        return;
    const size_t begun = packet_begin(&m->out, MILTER_MACROS);
    buf_addc(&m->out, milter_stages[stage].letter);
    size_t count = 0;
    for (list += strspn(list, between); *list && count < MACROS_MAX; count++) {
        const size_t len = strcspn(list, between);
        if (len <= MACRO_NAME)
            add_macro(m, c, list, len);
        list += len;
        list += strspn(list, between);
    }
    packet_end(&m->out, begun);
}

/* --- answers ------------------------------------------------------------------------------ */

/* What the reply of a filter comes to: its own, or none where it is no reply. */
static struct milter_answer reply_of(struct milter *m, const struct milter_call *c,
                                     const struct asked *a, const char *action, struct bytes data,
                                     const char *usual)
{
    struct milter_answer said = {MILTER_REPLY, usual};
    const char *text = said.reply; /* as it came: '%' doubled */
    char *reply;

    if (packet_reply(c->arena, data, &reply)) {
        said.reply = reply;
        text = data.p;
    }
    note(m, c, LEVEL_ANSWER, "milter=%s, %sreject=%s", a->f->name, action, text);
    return said;
}

/* "action=mail, " */
static const char *action_of(const struct milter_call *c, enum milter_stage stage)
{
    return arena_printf(c->arena, "action=%s, ", milter_stages[stage].word);
}

/* Of an answer to anything but the end of a message. */
static struct milter_answer understand(struct milter *m, const struct milter_call *c,
                                       struct asked *a, enum milter_stage stage, char letter,
                                       struct bytes data)
{
    const char *action = action_of(c, stage);
    const char *word = "continue";
    struct milter_answer said = go_on();

    switch (letter) {
    case ANSWER_REPLY:
        return reply_of(m, c, a, action, data, "550 5.7.1 Command rejected");
    case ANSWER_REJECT:
        word = "reject";
        said.said = MILTER_REFUSE;
        break;
    case ANSWER_TEMPFAIL:
        word = "tempfail";
        said.said = MILTER_LATER;
        break;
    case ANSWER_DISCARD:
        word = "discard";
        said.said = MILTER_DROP;
        break;
    case ANSWER_ACCEPT:
    case ANSWER_SKIP:
        word = letter == ANSWER_SKIP ? "skip" : "accepted";
        if (letter == ANSWER_SKIP &&
            (stage == MILTER_HEADER || stage == MILTER_EOH || stage == MILTER_BODY))
            a->skips = true;
        else if (stage == MILTER_CONNECT || stage == MILTER_HELO)
            let_go(a);
        else if (stage != MILTER_UNKNOWN)
            a->state = STATE_LET_BE;
        break;
    case ANSWER_CONTINUE:
        break;
    default:
        note(m, c, LEVEL_ERROR, "milter_send_command(%s): action=%s returned bogus response %c",
             a->f->name, milter_stages[stage].word, letter);
        fail(m, c, a);
        return said;
    }
    note(m, c, letter == ANSWER_CONTINUE ? LEVEL_CONTINUE : LEVEL_ANSWER, "milter=%s, %s%s",
         a->f->name, action, word);
    return said;
}

/* m->out is begun with the packet's data; what it says. */
static struct milter_answer command(struct milter *m, const struct milter_call *c, struct asked *a,
                                    enum milter_stage stage)
{
    const struct stage *s = &milter_stages[stage];
    struct bytes data;
    char letter;

    if (!tell(m, c, a, stage))
        return without(a);
    if (a->offer.protocol & s->quiet)
        return go_on();
    if (!hear(m, c, a, stage, &letter, &data))
        return without(a);
    return understand(m, c, a, stage, letter, data);
}

/* The message is over for all. */
static void abort_all(struct milter *m, const struct milter_call *c)
{
    for (size_t i = 0; i < m->n; i++) {
        struct asked *a = &m->v[i];
        if (a->state == STATE_MESSAGE) {
            note(m, c, LEVEL_ANSWER, "Milter (%s): abort filter", a->f->name);
            buf_truncate(&m->out, 0);
            packet_end(&m->out, packet_begin(&m->out, MILTER_ABORT));
            if (!tell(m, c, a, MILTER_ABORT))
                continue;
        }
        if (a->state == STATE_MESSAGE)
            a->state = STATE_LET_BE;
    }
}

/* What was let be is asked again. */
static void ask_again(struct milter *m)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].state == STATE_LET_BE)
            m->v[i].state = STATE_OPEN;
    }
}

/* One of them has said, of a message, what ends it: it knows, and the others hear of it. */
static void end_message(struct milter *m, const struct milter_call *c, struct asked *a,
                        enum state after)
{
    if (a->state == STATE_MESSAGE)
        a->state = after;
    abort_all(m, c);
}

static bool is_wanted(const struct asked *a, enum milter_stage stage)
{
    return !(a->offer.protocol & milter_stages[stage].no);
}

/* All are told the same; refused: only who wants to hear of it. */
static struct milter_answer tell_all(struct milter *m, const struct milter_call *c,
                                     enum milter_stage stage, struct bytes data, bool refused)
{
    struct milter_answer said = go_on();

    for (size_t i = 0; i < m->n && said.said == MILTER_GO_ON; i++) {
        struct asked *a = m->last = &m->v[i];
        if (a->state == STATE_FAILED) {
            said = without(a);
            continue;
        }
        if (!is_asked(a))
            continue;
        if (stage == MILTER_MAIL)
            a->state = STATE_MESSAGE;
        const bool told =
            is_wanted(a, stage) && (!refused || (a->offer.protocol & WISH_REFUSED_RCPT) != 0);
        buf_truncate(&m->out, 0);
        add_macros(m, c, a, stage);
        if (!told) {
            if (refused && m->out.len > 0)
                tell(m, c, a, stage);
            continue;
        }
        const size_t begun = packet_begin(&m->out, stage);
        buf_add(&m->out, data.p, data.len);
        packet_end(&m->out, begun);
        said = command(m, c, a, stage);
    }
    return said;
}

/* --- a session's beginning and end -------------------------------------------------------- */

struct milter *milter_new(struct arena *a, const struct filter_settings *s,
                          const struct filters *filters, const struct milter_world *world)
{
    struct milter *m = arena_alloc(a, sizeof *m);

    *m = (struct milter){.arena = a, .set = s, .world = world, .n = filters->n};
    m->v = arena_calloc(a, m->n, sizeof *m->v);
    for (size_t i = 0; i < m->n; i++)
        m->v[i] = (struct asked){.f = filters->v[i], .fd = -1, .state = STATE_CLOSED};
    buf_init(&m->out, a);
    m->heard = arena_beside(a);
    return m;
}

void milter_end(struct milter *m)
{
    for (size_t i = 0; m && i < m->n; i++)
        hang_up(&m->v[i], true);
    if (m)
        arena_free(m->heard);
}

/* Why what a filter offers cannot be; NULL: it can. */
static const char *wrong_offer(const struct milter_call *c, const struct offer *o)
{
    const uint32_t actions = milter_all_actions(), wishes = milter_all_wishes();

    if (o->version < PACKET_OLDEST)
        return arena_printf(c->arena, "version %u != MTA milter version %d", o->version,
                            PACKET_VERSION);
    if (o->actions & ~actions)
        return arena_printf(c->arena, "filter abilities 0x%x != MTA milter abilities 0x%x",
                            o->actions, actions);
    if (o->protocol & ~wishes)
        return arena_printf(c->arena, "protocol abilities 0x%x != MTA milter abilities 0x%x",
                            o->protocol, wishes);
    return NULL;
}

static bool negotiate(struct milter *m, const struct milter_call *c, struct asked *a)
{
    struct bytes data;
    const char *wrong = NULL;
    char letter;

    buf_truncate(&m->out, 0);
    const size_t begun = packet_begin(&m->out, MILTER_NEGOTIATE);
    packet_number(&m->out, PACKET_VERSION);
    packet_number(&m->out, milter_all_actions());
    packet_number(&m->out, milter_all_wishes());
    packet_end(&m->out, begun);
    if (!tell(m, c, a, MILTER_NEGOTIATE) || !hear(m, c, a, MILTER_NEGOTIATE, &letter, &data))
        return false;
    if (letter != ANSWER_NEGOTIATE)
        wrong = arena_printf(c->arena, "returned %c instead of %c", letter, ANSWER_NEGOTIATE);
    else if (!packet_offer(m->arena, data, &a->offer))
        wrong = data.len < sizeof a->offer.version ? "did not return valid info"
                                                   : "did not return enough info";
    else
        wrong = wrong_offer(c, &a->offer);
    if (a->offer.version < VERSION_OF_UNKNOWN)
        a->offer.protocol |= milter_stages[MILTER_UNKNOWN].no;
    if (a->offer.version < VERSION_OF_DATA)
        a->offer.protocol |= milter_stages[MILTER_DATA].no;
    if (!wrong)
        return true;
    note(m, c, LEVEL_ERROR, "Milter (%s): negotiate: %s", a->f->name, wrong);
    fail(m, c, a);
    return false;
}

static bool connects(struct milter *m, const struct milter_call *c, struct asked *a)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    const uint64_t until = now_seconds() + a->f->seconds[FILTER_CONNECT];

    do {
        const bool asks = a->f->family == AF_UNIX && m->world->open;
        a->fd = asks ? m->world->open(c->ctx, a->f) : wire_open(a->f);
        if (a->fd >= 0)
            return true;
    } while (errno == EAGAIN && now_seconds() < until && nanosleep(&pause, NULL) == 0);
    const char *why = strerror(errno);
    const bool local = a->f->family == AF_UNIX;
    if (local && errno == ENOENT) {
        note(m, c, LEVEL_ERROR, "Milter (%s): local socket name %s unsafe", a->f->name,
             a->f->address);
    } else {
        const char *by = local ? "" : " by ", *whom = local ? "" : a->f->address;
        note(m, c, LEVEL_ERROR, "Milter (%s): open %s failed: %s%s%s", a->f->name, a->f->address,
             why, by, whom);
        note(m, c, LEVEL_ERROR, "Milter (%s): error connecting to filter: %s%s%s", a->f->name, why,
             by, whom);
    }
    fail(m, c, a);
    return false;
}

struct milter_answer milter_open(struct milter *m, const struct milter_call *c)
{
    struct milter_answer said = go_on();

    for (size_t i = 0; i < m->n && said.said == MILTER_GO_ON; i++) {
        struct asked *a = &m->v[i];
        if (!connects(m, c, a)) {
            said = without(a);
            continue;
        }
        if (negotiate(m, c, a)) {
            a->state = STATE_OPEN;
            for (size_t k = 0; k < MILTER_STAGES; k++)
                a->macros[k] = a->offer.macros[k] ? a->offer.macros[k] : m->set->macros[k];
            note(m, c, LEVEL_CONNECT, "Milter (%s): init success to negotiate", a->f->name);
            continue;
        }
        note(m, c, LEVEL_ERROR, "Milter (%s): init failed to open", a->f->name);
        note(m, c, LEVEL_ERROR, "Milter (%s): to error state", a->f->name);
        said = without(a);
    }
    return said;
}

struct milter_answer milter_connect(struct milter *m, const struct milter_call *c, const char *host,
                                    int family, uint16_t port, const char *address)
{
    struct buf b;

    buf_init(&b, c->arena);
    packet_text(&b, host, strlen(host));
    buf_addc(&b, family == AF_INET    ? '4'
                 : family == AF_INET6 ? '6'
                 : family == AF_UNIX  ? 'L'
                                      : 'U');
    if (family != AF_UNSPEC) {
        buf_addc(&b, (char)(port >> 8));
        buf_addc(&b, (char)port);
        packet_text(&b, address, strlen(address));
    }
    return tell_all(m, c, MILTER_CONNECT, (struct bytes){b.data, b.len}, false);
}

struct milter_answer milter_helo(struct milter *m, const struct milter_call *c, const char *name)
{
    struct buf b;

    ask_again(m);
    buf_init(&b, c->arena);
    packet_text(&b, name, strlen(name));
    return tell_all(m, c, MILTER_HELO, (struct bytes){b.data, b.len}, false);
}

/* --- an envelope -------------------------------------------------------------------------- */

static struct bytes path_of(const struct milter_call *c, const char *path,
                            const struct bytes *parameters, size_t n)
{
    struct buf b;

    buf_init(&b, c->arena);
    packet_text(&b, path, strlen(path));
    for (size_t i = 0; i < n; i++)
        packet_text(&b, parameters[i].p, parameters[i].len);
    return (struct bytes){b.data, b.len};
}

struct milter_answer milter_mail(struct milter *m, const struct milter_call *c, const char *path,
                                 const struct bytes *parameters, size_t n)
{
    ask_again(m);
    const struct milter_answer said =
        tell_all(m, c, MILTER_MAIL, path_of(c, path, parameters, n), false);
    if (said.said != MILTER_GO_ON)
        end_message(m, c, m->last, STATE_OPEN);
    return said;
}

struct milter_answer milter_rcpt(struct milter *m, const struct milter_call *c, const char *path,
                                 const struct bytes *parameters, size_t n, bool refused)
{
    return tell_all(m, c, MILTER_RCPT, path_of(c, path, parameters, n), refused);
}

struct milter_answer milter_data(struct milter *m, const struct milter_call *c)
{
    return tell_all(m, c, MILTER_DATA, (struct bytes){"", 0}, false);
}

struct milter_answer milter_unknown(struct milter *m, const struct milter_call *c,
                                    struct bytes line)
{
    struct buf b;

    buf_init(&b, c->arena);
    packet_text(&b, line.p, line.len);
    return tell_all(m, c, MILTER_UNKNOWN, (struct bytes){b.data, b.len}, false);
}

void milter_abort(struct milter *m, const struct milter_call *c)
{
    abort_all(m, c);
}

/* --- a message ---------------------------------------------------------------------------- */

/* Whether it goes on being told. */
static bool goes_on(const struct asked *a, const struct milter_answer *said)
{
    return said->said == MILTER_GO_ON && a->state == STATE_MESSAGE;
}

static bool listens(const struct asked *a, const struct milter_answer *said)
{
    return goes_on(a, said) && !a->skips;
}

static struct bytes without_blank(const struct asked *a, struct bytes text)
{
    if (!(a->offer.protocol & WISH_LEADING_SPACE) && text.len > 0 && *text.p == ' ') {
        text.p++;
        text.len--;
    }
    return text;
}

static struct milter_answer tell_head(struct milter *m, const struct milter_call *c,
                                      struct asked *a, const struct milter_message *message)
{
    struct milter_answer said = go_on();
    struct bytes name, text;

    for (size_t i = 0; listens(a, &said) && message->field(c->ctx, i, &name, &text); i++) {
        text = without_blank(a, text);
        buf_truncate(&m->out, 0);
        const size_t begun = packet_begin(&m->out, MILTER_HEADER);
        packet_text(&m->out, name.p, name.len);
        packet_text(&m->out, text.p, text.len);
        packet_end(&m->out, begun);
        said = command(m, c, a, MILTER_HEADER);
    }
    return said;
}

/* What of the text goes into out, which may get as long as most, LF as CR LF; *used: bytes of it.
 */
static void add_chunk(struct buf *out, size_t most, struct bytes text, size_t *used, bool *cr,
                      bool *lf_next)
{
    size_t i = 0;

    while (out->len < most && (i < text.len || *lf_next)) {
        if (*lf_next) {
            buf_addc(out, '\n');
            *lf_next = false;
            *cr = false;
            i++;
        } else if (text.p[i] == '\n' && !*cr) {
            buf_addc(out, '\r');
            *lf_next = true;
        } else {
            *cr = text.p[i] == '\r';
            buf_addc(out, text.p[i++]);
        }
    }
    *used = i;
}

static struct milter_answer tell_body(struct milter *m, const struct milter_call *c,
                                      struct asked *a, const struct milter_message *message)
{
    struct milter_answer said = go_on();
    struct bytes text = {"", 0};
    bool cr = false, lf_next = false;
    uint64_t at = 0;

    while (listens(a, &said)) {
        buf_truncate(&m->out, 0);
        const size_t begun = packet_begin(&m->out, MILTER_BODY);
        const size_t empty = m->out.len, full = empty + PACKET_CHUNK;
        while (m->out.len < full) {
            size_t used;
            if (!message->body(c->ctx, at, TEXT_AT_ONCE, &text))
                return (struct milter_answer){MILTER_LATER, NULL};
            if (text.len == 0)
                break;
            add_chunk(&m->out, full, text, &used, &cr, &lf_next);
            at += used;
        }
        if (m->out.len == empty)
            return said;
        packet_end(&m->out, begun);
        said = command(m, c, a, MILTER_BODY);
    }
    return said;
}

static uint32_t right_of(char letter)
{
    switch (letter) {
    case ANSWER_ADD_HEADER:
    case ANSWER_INSERT_HEADER:
        return ACTION_ADD_HEADERS;
    case ANSWER_CHANGE_HEADER:
        return ACTION_CHANGE_HEADERS;
    case ANSWER_ADD_RCPT:
        return ACTION_ADD_RCPT;
    case ANSWER_ADD_RCPT_PAR:
        return ACTION_ADD_RCPT_PAR;
    case ANSWER_DELETE_RCPT:
        return ACTION_DELETE_RCPT;
    case ANSWER_CHANGE_FROM:
        return ACTION_CHANGE_FROM;
    case ANSWER_REPLACE_BODY:
        return ACTION_CHANGE_BODY;
    case ANSWER_QUARANTINE:
        return ACTION_QUARANTINE;
    default:
        return 0;
    }
}

/* Of an answer to the end of a message; true: it is over, and *said says how. */
static bool understand_end(struct milter *m, const struct milter_call *c, struct asked *a,
                           char letter, struct bytes data, struct milter_answer *said)
{
    const char *word = NULL;

    switch (letter) {
    case ANSWER_ACCEPT:
    case ANSWER_CONTINUE:
        return true;
    case ANSWER_REPLY:
        *said = reply_of(m, c, a, "", data, "554 5.7.1 Command rejected");
        return true;
    case ANSWER_REJECT:
        word = "reject";
        said->said = MILTER_REFUSE;
        break;
    case ANSWER_TEMPFAIL:
        word = "tempfail";
        said->said = MILTER_LATER;
        break;
    case ANSWER_DISCARD:
        word = "discard";
        said->said = MILTER_DROP;
        break;
    default:
        note(m, c, LEVEL_ERROR, "milter_data(%s): returned bogus response %c", a->f->name, letter);
        fail(m, c, a);
        *said = without(a);
        return true;
    }
    note(m, c, LEVEL_ANSWER, "milter=%s, %s", a->f->name, word);
    return true;
}

/* Changes, and the answer.  Memory is given back with each change. */
static struct milter_answer hear_end(struct milter *m, const struct milter_call *c, struct asked *a,
                                     const struct milter_message *message)
{
    const uint64_t begun = now_seconds();
    struct milter_answer said = go_on();
    bool undone = false;

    for (bool over = false; !over;) {
        struct bytes data;
        struct change change;
        char letter;
        if (now_seconds() - begun >= a->f->seconds[FILTER_END]) {
            note(m, c, LEVEL_ERROR, "milter_data(%s): EOM ACK/NAK timeout", a->f->name);
            fail(m, c, a);
            return without(a);
        }
        if (!hear(m, c, a, MILTER_EOM, &letter, &data))
            return without(a);
        const uint32_t right = right_of(letter);
        if (letter == ANSWER_PROGRESS)
            continue;
        if (right == 0)
            over = understand_end(m, c, a, letter, data, &said);
        else if (packet_change(letter, data, &change))
            undone |=
                !message->change(c->ctx, a->f, letter, &change, (a->offer.actions & right) != 0,
                                 (a->offer.protocol & WISH_LEADING_SPACE) != 0);
    }
    if (undone && said.said == MILTER_GO_ON)
        said.said = MILTER_LATER;
    return said;
}

static struct milter_answer show(struct milter *m, const struct milter_call *c, struct asked *a,
                                 const struct milter_message *message)
{
    struct milter_answer said = go_on();

    a->skips = false;
    if (is_wanted(a, MILTER_HEADER))
        said = tell_head(m, c, a, message);
    if (goes_on(a, &said) && is_wanted(a, MILTER_EOH)) {
        buf_truncate(&m->out, 0);
        add_macros(m, c, a, MILTER_EOH);
        packet_end(&m->out, packet_begin(&m->out, MILTER_EOH));
        said = command(m, c, a, MILTER_EOH);
    }
    if (listens(a, &said) && is_wanted(a, MILTER_BODY))
        said = tell_body(m, c, a, message);
    if (!goes_on(a, &said))
        return said;
    buf_truncate(&m->out, 0);
    add_macros(m, c, a, MILTER_EOM);
    packet_end(&m->out, packet_begin(&m->out, MILTER_EOM));
    if (!tell(m, c, a, MILTER_EOM))
        return without(a);
    return hear_end(m, c, a, message);
}

struct milter_answer milter_message(struct milter *m, const struct milter_call *c,
                                    const struct milter_message *message)
{
    struct milter_answer said = go_on();

    for (size_t i = 0; i < m->n && said.said == MILTER_GO_ON; i++) {
        struct asked *a = &m->v[i];
        if (a->state == STATE_FAILED)
            said = without(a);
        else if (a->state == STATE_MESSAGE)
            said = show(m, c, a, message);
        if (said.said == MILTER_GO_ON && a->state == STATE_FAILED)
            said = without(a);
        if (said.said != MILTER_GO_ON)
            end_message(m, c, a, STATE_LET_BE);
        else if (a->state == STATE_MESSAGE)
            a->state = STATE_LET_BE;
    }
    return said;
}
