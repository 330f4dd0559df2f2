#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/channel.h"
#include "mta/control.h"
#include "mta/front/incoming.h"
#include "mta/message/dates.h"
#include "mta/message/exits.h"
#include "mta/message/head.h"
#include "mta/message/seen.h"
#include "mta/machine.h"
#include "mta/message/coded.h"
#include "mta/modes/mode.h"
#include "mta/policy/verdict.h"
#include "mta/store/drop.h"

enum { PIECE = 64 << 10, SESSION = 1 };

static const char usual_queue[] = "/var/spool/mqueue";

/* What is done about who cannot be delivered to (-oe). */
enum telling { TELL_PRINT, TELL_MAIL, TELL_MAIL_ONLY, TELL_NOBODY };

struct submitting {
    const struct mode_setup *setup;
    struct arena *arena;
    const char *user; /* who we are */
    enum telling telling;
    struct incoming text;
    size_t bad;          /* addresses of the command line that are none */
    bool bad_head;       /* the head has such */
    bool mailed;         /* the sender is somebody else, who is told in reports */
    int status;          /* of the first thing that was wrong */
    const char *passing; /* mode_passing_begin; NULL: it is the queue itself */
    pid_t roles;
    struct channel *policy, *store;
};

static void fail(struct submitting *g, int status)
{
    if (!g->status)
        g->status = status;
}

/* --- what comes on standard input ----------------------------------------------------------- */

/* One line, which ends with LF but for the last: a dot that is text is doubled, as `lines` takes
 * it; of two one goes, as in SMTP, where dots are not ignored.  False: the message is over. */
static bool take_line(struct submitting *g, const char *s, size_t len, bool ignores_dots)
{
    const bool dot = len > 0 && *s == '.';
    const size_t text = len > 0 && s[len - 1] == '\n' ? len - 1 : len;
    size_t used;

    if (!ignores_dots && dot && (text == 1 || (text == 2 && s[1] == '\r')))
        return false;
    if (dot && (ignores_dots || len < 2 || s[1] != '.'))
        incoming_data(&g->text, ".", 1, &used);
    incoming_data(&g->text, s, len, &used);
    return true;
}

/* False: it cannot be read. */
static bool read_message(struct submitting *g)
{
    const struct program *p = g->setup->program;
    const bool ignores_dots = setting_true(p, "IgnoreDots");
    char *line = NULL;
    size_t room = 0, used;
    ssize_t n;
    bool ended = true;

    incoming_init(&g->text, g->arena);
    g->text.seven_bit = setting_true(p, "SevenBitInput") ||
                        (g->setup->given->message.body && *g->setup->given->message.body == '7');
    g->text.keeps_from = setting_true(p, "SaveFromLine");
    g->text.max_head = HEAD_BYTES_MAX;
    incoming_start(&g->text, LINES_KEEP, LINES_KEEP, true);
    while ((n = getline(&line, &room, stdin)) > 0) {
        if (!take_line(g, line, (size_t)n, ignores_dots))
            break;
        ended = line[n - 1] == '\n';
    }
    free(line);
    if (!ended)
        incoming_data(&g->text, "\n", 1, &used);
    incoming_data(&g->text, ".\n", 2, &used);
    return !ferror(stdin);
}

/* --- what is said to whoever sends it -------------------------------------------------------- */

/* A reply without its codes. */
static const char *text_of(const char *reply)
{
    return coded_line(bytes_of(reply)).text.p;
}

/* Lines of an answer, each of an address that is none. */
static void say_refused(struct submitting *g, struct bytes reply, bool of_head)
{
    char *text = arena_strndup(g->arena, reply.len ? reply.p : "", reply.len), *more;

    for (char *line = strtok_r(text, "\n", &more); line; line = strtok_r(NULL, "\n", &more)) {
        fail(g, exit_of_reply(line));
        if (g->telling == TELL_PRINT || of_head)
            fprintf(stderr, "%s\n", text_of(line));
    }
}

/* What cannot be delivered is kept in the sender's home. */
static void keep_letter(struct submitting *g)
{
    const struct passwd *pw = getpwuid(getuid());
    const char *drop = setting_text(g->setup->program, "DeadLetterDrop");
    const char *path = pw ? fs_join(g->arena, pw->pw_dir, "dead.letter") : drop;
    char date[DATE_BYTES];
    struct buf out;

    date_unix((uint64_t)time(NULL), date);
    buf_init(&out, g->arena);
    buf_printf(&out, "From %s %s\n", g->user, date);
    buf_add(&out, g->text.head.data, g->text.head.len);
    buf_addc(&out, '\n');
    buf_add(&out, g->text.body.data, g->text.body.len);
    buf_addc(&out, '\n');
    if (!*path) {
        fprintf(stderr, "mcfd: %s has no home where the message could be kept: it is lost\n",
                g->user);
        return;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, out.data, out.len) == (ssize_t)out.len;
    if (good)
        fprintf(stderr, "%s... Saved message in %s\n", path, path);
    else
        fprintf(stderr, "%s: %s: the message is lost\n", path, strerror(errno));
    fs_close(&fd);
}

/* --- the roles ------------------------------------------------------------------------------- */

static int run_roles(const struct submitting *g, int asks, int brings, int elsewhere)
{
    const char how = *setting_text(g->setup->program, "DeliveryMode");
    struct parent_setup setup = mode_roles(g->setup);

    setup.foreground = setup.once = true;
    setup.rests = how == 'q' || how == 'd';
    setup.asks = asks;
    setup.brings = brings;
    setup.store = elsewhere;
    setup.passing = g->passing;
    setup.unable = g->passing && !machine_may_read(g->arena, setup.program);
    int status = parent_run(g->arena, &setup);
    if (g->passing)
        mode_passing_end(g->setup, g->passing);
    return status;
}

static bool pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
}

/* Policy of our own, and the store of whoever has the queue, or one of our own. */
static bool start_roles(struct submitting *g)
{
    int asks[2] = {-1, -1}, brings[2] = {-1, -1};
    const bool passes = mode_passes(g->setup);
    const int store = passes ? -1 : control_reach(g->arena, g->setup->program);

    if (passes && !(g->passing = mode_passing_begin(g->setup)))
        return false;
    if (!pair(asks) || (store < 0 && !pair(brings)))
        return false;
    g->roles = fork();
    if (g->roles == 0) {
        close(asks[0]);
        fs_close(&brings[0]);
        setsid();
        exit(run_roles(g, asks[1], brings[1], store));
    }
    close(asks[1]);
    fs_close(&brings[1]);
    if (g->roles < 0)
        return false;
    g->policy = channel_new(g->arena, asks[0], ROLE_FRONT, ROLE_POLICY);
    g->store = channel_new(g->arena, store < 0 ? brings[0] : store, ROLE_FRONT, ROLE_STORE);
    return true;
}

/* --- questions ------------------------------------------------------------------------------- */

static bool ask(struct submitting *g, const struct message *m, struct message_VERDICT *v)
{
    struct message answer;

    if (!channel_send(g->policy, m, -1) ||
        !channel_await(g->policy, g->arena, MESSAGE_VERDICT, &answer))
        return false;
    *v = answer.as.VERDICT;
    return true;
}

static bool ask_connect(struct submitting *g)
{
    struct message m = {.kind = MESSAGE_CONNECT};
    struct message_VERDICT v;

    m.as.CONNECT = (struct message_CONNECT){
        .session = SESSION,
        .listener = CONNECT_SUBMISSION,
        .address = bytes_of(arena_printf(g->arena, "%.40s@localhost", g->user))};
    return ask(g, &m, &v);
}

/* What else is told of somebody who is not trusted. */
static struct texts warnings_of(const struct submitting *g)
{
    const struct program *p = g->setup->program;
    const char *queue = setting_text(p, "QueueDirectory"), *path = g->setup->given->path;
    struct bytes *v = arena_calloc(g->arena, 2, sizeof *v);
    size_t n = 0;

    if (!setting_true(p, "UseMSP") && strcmp(queue, usual_queue) != 0)
        v[n++] = bytes_of(arena_printf(g->arena, "Processed from queue %s", queue));
    if (g->setup->given->path_given)
        v[n++] = bytes_of(arena_printf(g->arena, "Processed by %s with -C %s", g->user, path));
    return (struct texts){v, n};
}

static bool ask_submit(struct submitting *g)
{
    const struct submission *s = &g->setup->given->message;
    const struct {
        const char *name, *value;
    } all[] = {{"BODY", s->body}, {"RET", s->returns}, {"ENVID", s->envid}};
    struct bytes parameters[sizeof all / sizeof *all];
    size_t n = 0;
    struct message m = {.kind = MESSAGE_SUBMIT};
    struct message_VERDICT v;
    const bool mails = g->telling == TELL_MAIL || g->telling == TELL_MAIL_ONLY;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value)
            parameters[n++] = bytes_of(arena_printf(g->arena, "%s=%s", all[i].name, all[i].value));
    }
    m.as.SUBMIT = (struct message_SUBMIT){.session = SESSION,
                                          .sender = bytes_of(s->sender ? s->sender : g->user),
                                          .parameters = {parameters, n},
                                          .name = bytes_of(s->full_name),
                                          .hops = s->hops,
                                          .how = (mails ? SUBMIT_MAILS_ERRORS : 0U) |
                                                 (g->telling == TELL_NOBODY ? SUBMIT_QUIET : 0U) |
                                                 (s->no_aliases ? SUBMIT_NO_ALIASES : 0U) |
                                                 (s->sender ? 0U : SUBMIT_OWN),
                                          .warnings = warnings_of(g)};
    if (!ask(g, &m, &v))
        return false;
    say_refused(g, v.reply, false);
    g->mailed = v.flags & VERDICT_MAILED;
    return true;
}

/* All addresses of a text. */
static bool ask_recipients(struct submitting *g, const char *text, bool of_head)
{
    const struct submission *s = &g->setup->given->message;
    struct message m = {.kind = MESSAGE_RCPT};
    struct message_VERDICT v;
    struct bytes notify = bytes_of(s->notify ? arena_printf(g->arena, "NOTIFY=%s", s->notify) : "");

    m.as.RCPT = (struct message_RCPT){.session = SESSION,
                                      .path = bytes_of(text),
                                      .parameters = {&notify, s->notify != NULL},
                                      .recipients = of_head ? RCPT_OF_HEAD : 0};
    if (!ask(g, &m, &v))
        return false;
    say_refused(g, v.reply, of_head);
    g->bad += v.reply.len > 0 && !of_head && !(v.flags & VERDICT_UNCOUNTED);
    g->bad_head = g->bad_head || (v.reply.len > 0 && of_head);
    return true;
}

/* Blanks separate addresses where nothing else does (OldStyleHeaders). */
static const char *with_commas(struct submitting *g, const char *text)
{
    char *copy = arena_strdup(g->arena, text);

    if (!setting_true(g->setup->program, "OldStyleHeaders") || strpbrk(text, ",;<(\""))
        return copy;
    for (char *s = copy; *s; s++) {
        if (isspace((unsigned char)*s))
            *s = ',';
    }
    return copy;
}

/* Of a message that is resent those to whom it is resent (RFC 5322 3.6.6).  *n: how many fields
 * there are. */
static bool ask_head(struct submitting *g, size_t *n)
{
    struct head h;
    unsigned resent = 0;

    head_init(&h, g->arena);
    head_read(&h, g->text.head.data, g->text.head.len);
    for (size_t i = 0; i < h.n; i++)
        resent |= h.v[i].flags & FIELD_RESENT;
    *n = 0;
    for (size_t i = 0; i < h.n; i++) {
        const struct field *f = &h.v[i];
        if (!(f->flags & FIELD_RECIPIENT) || (f->flags & FIELD_RESENT) != resent)
            continue;
        const char *text = with_commas(g, bytes_string(g->arena, f->value));
        *n += text[strspn(text, " \t\n,")] != '\0';
        if (!ask_recipients(g, text, true))
            return false;
    }
    return true;
}

static bool ask_end(struct submitting *g, struct message_VERDICT *v)
{
    struct message m = {.kind = MESSAGE_END};

    m.as.END = (struct message_END){.session = SESSION,
                                    .head = {g->text.head.data, g->text.head.len},
                                    .size = g->text.size,
                                    .lines = g->text.body_lines,
                                    .flags = g->text.flags & ~(unsigned)(SEEN_LF | SEEN_CR)};
    return ask(g, &m, v);
}

/* --- the store ------------------------------------------------------------------------------- */

static bool bring(struct submitting *g, struct texts envelopes, struct message_STORED *stored)
{
    struct message m = {.kind = MESSAGE_BODY};
    struct bytes rest = {g->text.body.data, g->text.body.len};

    while (rest.len > 0) {
        size_t n = rest.len < PIECE ? rest.len : PIECE;
        m.as.BODY = (struct message_BODY){SESSION, {rest.p, n}};
        channel_send(g->store, &m, -1);
        channel_flush(g->store);
        rest.p += n;
        rest.len -= n;
    }
    m.kind = MESSAGE_COMMIT;
    m.as.COMMIT = (struct message_COMMIT){SESSION, envelopes, {"", 0}};
    if (!channel_send(g->store, &m, -1) || !channel_await(g->store, g->arena, MESSAGE_STORED, &m))
        return false;
    *stored = m.as.STORED;
    return true;
}

static void take_failures(struct submitting *g, struct texts failed)
{
    for (size_t i = 0; i < failed.n; i++) {
        char *end;
        const char *one = bytes_string(g->arena, failed.v[i]);
        fail(g, (int)strtol(one, &end, 10));
        if (g->telling == TELL_PRINT && !g->bad_head && !g->mailed)
            fprintf(stderr, "%s\n", end + (*end == ' '));
    }
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Waits until they have done what was due; their status. */
static int end_roles(struct submitting *g)
{
    int status = 0;

    channel_free(g->policy);
    channel_free(g->store);
    g->policy = g->store = NULL;
    while (g->roles > 0 && waitpid(g->roles, &status, 0) < 0 && errno == EINTR)
        continue;
    g->roles = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

/* Why the roles ended before they were asked all: they said it. */
static int ended_early(struct submitting *g)
{
    const int status = end_roles(g);

    return status ? status : EX_TEMPFAIL;
}

/* The message itself is: whoever sends it hears it, and keeps it. */
static int refused(struct submitting *g, const char *reply)
{
    fprintf(stderr, "%s\n", text_of(reply));
    keep_letter(g);
    return *reply == '4' ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

/* What is refused whatever rules say; NULL: nothing. */
static const char *wrong_with(const struct submitting *g)
{
    const struct program *p = g->setup->program;
    const struct incoming *in = &g->text;
    const long most = setting_number(p, "MaxMessageSize"),
               head = setting_number(p, "MaxHeadersLength");

    if (most > 0 && in->size > (uint64_t)most)
        return arena_printf(g->arena, "552 5.2.3 Message exceeds maximum fixed size (%ld)", most);
    if (in->head_too_large || (head > 0 && in->head.len >= (uint64_t)head))
        return arena_printf(g->arena, "552 5.6.0 Headers too large (%ld max)",
                            head > 0 ? head : (long)HEAD_BYTES_MAX);
    if (in->flags & SEEN_NUL && setting_true(p, "RejectNUL"))
        return "554 5.6.1 NUL byte not allowed";
    if (in->flags & SEEN_8BIT && *setting_text(p, "EightBitMode") == 's' &&
        !(g->setup->given->message.body && *g->setup->given->message.body == '8'))
        return "554 5.6.1 Eight bit data not allowed";
    return NULL;
}

static const char *kept_in(const struct submitting *g)
{
    return drop_folder(g->arena, setting_text(g->setup->program, "QueueDirectory"));
}

static int send_message(struct submitting *g)
{
    const struct arguments *given = g->setup->given;
    struct message_VERDICT v;
    struct message_STORED stored = {0};
    size_t fields = 0;

    if (!start_roles(g) || !ask_connect(g) || !ask_submit(g))
        return ended_early(g);
    for (size_t i = 0; i < given->nwords; i++) {
        if (!ask_recipients(g, given->words[i], false))
            return ended_early(g);
    }
    if (given->message.from_head && !ask_head(g, &fields))
        return ended_early(g);
    if (given->message.from_head && fields == 0 && given->nwords == 0) {
        fprintf(stderr, "No recipient addresses found in header\n");
        return g->status;
    }
    if (!ask_end(g, &v))
        return ended_early(g);
    g->mailed = g->mailed || v.flags & VERDICT_MAILED;
    if (v.reply.len > 0 && !(v.flags & VERDICT_DISCARD))
        return refused(g, bytes_string(g->arena, v.reply));
    if (v.texts.n > 0 && !bring(g, v.texts, &stored))
        return ended_early(g);
    if (v.texts.n > 0 && stored.status) {
        fprintf(stderr, "mcfd: %sthe message cannot be kept now; try again later\n",
                g->passing ? arena_printf(g->arena, "%s: ", kept_in(g)) : "");
        return EX_TEMPFAIL;
    }
    /* In the background it is only queued, for whoever sends it. */
    if (*setting_text(g->setup->program, "DeliveryMode") != 'i')
        stored.failed.n = 0;
    take_failures(g, stored.failed);
    if (g->telling == TELL_PRINT && !g->mailed &&
        (g->bad > 0 || (stored.failed.n > 0 && !g->bad_head)))
        keep_letter(g);
    return g->telling == TELL_MAIL_ONLY ? EX_OK : g->status;
}

static enum telling telling_of(const struct program *p)
{
    switch (tolower((unsigned char)*setting_text(p, "ErrorMode"))) {
    case 'm':
    case 'w':
        return TELL_MAIL;
    case 'e':
        return TELL_MAIL_ONLY;
    case 'q':
        return TELL_NOBODY;
    default:
        return TELL_PRINT;
    }
}

static const char *user_now(struct arena *a)
{
    const struct passwd *pw = getpwuid(getuid());

    return pw ? arena_strdup(a, pw->pw_name) : arena_printf(a, "%lu", (unsigned long)getuid());
}

int submit_run(const struct mode_setup *m)
{
    struct submitting g = {.setup = m, .arena = m->arena, .user = user_now(m->arena)};

    if (m->given->nwords == 0 && !m->given->message.from_head) {
        fprintf(stderr, "Recipient names must be specified\n");
        return EX_USAGE;
    }
    g.telling = telling_of(m->program);
    if (!read_message(&g)) {
        fprintf(stderr, "mcfd: standard input: %s\n", strerror(errno));
        return EX_IOERR;
    }
    const char *wrong = wrong_with(&g);
    int status = wrong ? refused(&g, wrong) : send_message(&g);
    const int ended = g.roles > 0 && g.passing ? end_roles(&g) : 0;
    channel_free(g.policy);
    channel_free(g.store);
    return status ? status : ended;
}
