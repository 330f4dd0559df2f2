#include "mta/arguments.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "mta/message/envelope.h"
#include "mta/settings.h"

static const char usual_file[] = "/etc/mail/sendmail.cf";
static const char submit_file[] = "/etc/mail/submit.cf";

enum { NO, YES, MAYBE };

static const struct {
    char letter;
    int argument;
    bool of_message;
    const char *text;
} flags[] = {
#define FLAG(letter, argument, text) {letter, argument, false, text},
#define MESSAGE_FLAG(letter, argument, text) {letter, argument, true, text},
#include "mta/arguments.def"
};

enum long_flag {
    LONG_FIRST = 256, /* above all letters */
#define LONG(name, argument, id, text) id,
#include "mta/arguments.def"
};

static const struct {
    const char *name;
    int argument;
    enum long_flag id;
    const char *text;
} long_rows[] = {
#define LONG(name, argument, id, text) {name, argument, id, text},
#include "mta/arguments.def"
};

static const struct {
    char letter;
    enum mode mode;
    const char *text;
} modes[] = {
#define MODE(letter, id, text) {letter, id, text},
#include "mta/arguments.def"
};

static const struct {
    const char *name;
    enum mode mode;
} words[] = {
    {"check", MODE_CHECK},
    {"queue", MODE_QUEUE},
#define WORD(name, id) {#name, id},
#include "mta/arguments.def"
};

static const struct {
    const char *name;
    char letter;
} names[] = {
#define NAMED(name, letter) {name, letter},
#include "mta/arguments.def"
};

struct reading {
    struct arena *arena;
    struct arguments *out;
    const char **why;
    bool given; /* a mode was named */
    char which; /* of -A */
    size_t criteria_room, without_room;
};

static int wrong(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct reading *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    *r->why = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    return EX_USAGE;
}

const char *arguments_mode(struct arena *a, enum mode m)
{
    if (m == MODE_QUEUE_RUNNER)
        return "q";
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (modes[i].mode == m)
            return arena_printf(a, "%c", modes[i].letter);
    }
    return NULL;
}

static enum mode mode_of(char letter)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (modes[i].letter == letter)
            return modes[i].mode == MODE_DIALOGUE_OLD ? MODE_DIALOGUE : modes[i].mode;
    }
    return MODE_NONE;
}

static bool is_daemon(enum mode m)
{
    return m == MODE_DAEMON || m == MODE_DAEMON_FOREGROUND;
}

static int set_mode(struct reading *r, const char *text)
{
    enum mode m = mode_of(*text);
    enum mode *now = &r->out->mode;

    if (*text == 'z')
        return wrong(r, "Frozen configurations unsupported");
    if (m == MODE_NONE)
        return wrong(r, "Invalid operation mode %c", *text ? *text : ' ');
    if (r->given && m != *now && !(is_daemon(m) && is_daemon(*now)))
        return wrong(r, "-b%c: there is another mode before it; give one of them", *text);
    r->given = true;
    *now = m;
    return 0;
}

/* --- the queue ---------------------------------------------------------------------------- */

static void add_criterion(struct reading *r, const char *word)
{
    struct arguments *o = r->out;

    o->criteria =
        arena_grow(r->arena, o->criteria, o->ncriteria, &r->criteria_room, sizeof *o->criteria, 8);
    o->criteria[o->ncriteria++] = bytes_of(word);
}

static bool is_time(const char *s, char *unit)
{
    *unit = '\0';
    for (; *s; s++) {
        if (isdigit((unsigned char)*s) || strchr("smhdwSMHDW", *s))
            continue;
        *unit = *s;
        return false;
    }
    return true;
}

/* -q, -qTIME, -qp[TIME], -qf, -q[!]I..., -qGNAME, -qQ... */
static int read_queue(struct reading *r, const char *text)
{
    static const struct {
        char letter;
        const char *word;
    } kinds[] = {
        {'I', "id"}, {'R', "recipient"}, {'S', "sender"}, {'G', "group"}, {'Q', "quarantine"}};
    bool negated = text && *text == '!';
    char unit;

    r->out->runs_queue = true;
    if (!text || !*text || strcmp(text, "f") == 0)
        return 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *rest = text + negated;
        if (*rest != kinds[i].letter)
            continue;
        if (*rest == 'Q')
            r->out->quarantined = true;
        if (*rest == 'Q' && !rest[1])
            return 0;
        if (negated)
            add_criterion(r, "not");
        add_criterion(r, kinds[i].word);
        add_criterion(r, rest + 1);
        return 0;
    }
    if (*text == 'L')
        return wrong(r, "-qL: this queue has no lost messages; mailq shows all there are");
    text += *text == 'p';
    if (!is_time(text, &unit))
        return wrong(r, "Invalid time unit `%c'", unit);
    r->out->interval = settings_read_time(text, 'm');
    return 0;
}

/* --- a message on standard input ---------------------------------------------------------- */

/* One of the words, in any case, as it is written in the table; NULL: none. */
static const char *one_of(const char *const *known, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(known[i], text) == 0)
            return known[i];
    }
    return NULL;
}

/* "never", or some of the others with commas between. */
static int read_notify(struct reading *r, const char *text)
{
    static const char *const known[] = {"SUCCESS", "FAILURE", "DELAY"};
    struct buf out;

    if (strcasecmp(text, "never") == 0) {
        r->out->message.notify = "NEVER";
        return 0;
    }
    buf_init(&out, r->arena);
    for (size_t n; *text; text += n + (text[n] == ',')) {
        n = strcspn(text, ",");
        const char *word =
            one_of(known, sizeof known / sizeof *known, arena_strndup(r->arena, text, n));
        if (!word)
            return wrong(r, "Invalid -N argument");
        buf_printf(&out, "%s%s", out.len ? "," : "", word);
    }
    r->out->message.notify = out.data;
    return 0;
}

/* RFC 3461 4: printable, and '+' with two capital hexadecimal digits. */
static bool is_xtext(const char *s)
{
    for (; *s; s++) {
        if (*s < '!' || *s > '~' || *s == '=')
            return false;
        if (*s == '+' && (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2])))
            return false;
    }
    return true;
}

static int read_hops(struct reading *r, const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)*text) || *end || n > INT32_MAX)
        return wrong(r, "Bad hop count (%s)", text);
    r->out->message.hops = n;
    return 0;
}

/* -p: "PROTOCOL", "PROTOCOL:HOST", "PROTOCOL:": what the message came by. */
static void read_protocol(struct reading *r, const char *text)
{
    const size_t n = strcspn(text, ":");

    if (n > 0)
        buf_printf(&r->out->lines, "Dr%.*s\n", (int)n, text);
    if (text[n] && text[n + 1])
        buf_printf(&r->out->lines, "Ds%s\n", text + n + 1);
}

/* A flag of MESSAGE_FLAG. */
static int take_message_flag(struct reading *r, int c, const char *arg)
{
    static const char *const bodies[] = {"7BIT", "8BITMIME"}, *const returned[] = {"FULL", "HDRS"};
    struct submission *m = &r->out->message;
    struct buf *lines = &r->out->lines;

    switch (c) {
    case 'B':
        m->body = one_of(bodies, sizeof bodies / sizeof *bodies, arg);
        return m->body ? 0 : wrong(r, "Illegal body type %s", arg);
    case 'e':
        buf_printf(lines, "Oe%s\n", arg);
        return 0;
    case 'F':
        m->full_name = arg;
        return 0;
    case 'f':
    case 'r':
        if (m->sender)
            return wrong(r, "More than one \"from\" person");
        m->sender = arg;
        return 0;
    case 'h':
        return read_hops(r, arg);
    case 'i':
        buf_adds(lines, "Oi\n");
        return 0;
    case 'm':
        buf_adds(lines, "Om\n");
        return 0;
    case 'N':
        return read_notify(r, arg);
    case 'n':
        m->no_aliases = true;
        return 0;
    case 'p':
        read_protocol(r, arg);
        return 0;
    case 'R':
        m->returns = one_of(returned, sizeof returned / sizeof *returned, arg);
        return m->returns ? 0 : wrong(r, "Invalid -R value");
    case 's':
        buf_adds(lines, "Of\n");
        return 0;
    case 't':
        m->from_head = true;
        return 0;
    case 'U':
        return wrong(r, "-U: messages on standard input are new, unless there is -G");
    case 'V':
        m->envid = arg;
        return is_xtext(arg) ? 0 : wrong(r, "Invalid syntax in -V flag");
    default:
        return 0;
    }
}

/* --- flags -------------------------------------------------------------------------------- */

/* Behind mcfd's own words flags may stand anywhere; else the first word ends them. */
static char *letters(struct arena *a, bool anywhere)
{
    char *s = arena_alloc(a, 3 * (sizeof flags / sizeof *flags) + 3), *p = s;

    if (!anywhere)
        *p++ = '+';
    *p++ = ':';
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        *p++ = flags[i].letter;
        for (int k = NO; k < flags[i].argument; k++)
            *p++ = ':';
    }
    *p = '\0';
    return s;
}

static struct option *long_flags(struct arena *a)
{
    const size_t n = sizeof long_rows / sizeof *long_rows;
    struct option *o = arena_calloc(a, n + 1, sizeof *o);

    for (size_t i = 0; i < n; i++)
        o[i] = (struct option){long_rows[i].name,
                               long_rows[i].argument ? required_argument : no_argument, NULL,
                               long_rows[i].id};
    return o;
}

static int take_flag(struct reading *r, int c, const char *arg)
{
    struct arguments *o = r->out;

    switch (c) {
    case 'A':
        r->which = *arg;
        return *arg == 'c' || *arg == 'm' ? 0 : wrong(r, "-A%s: it is -Ac or -Am", arg);
    case 'b':
        return set_mode(r, arg);
    case 'C':
        o->path = arg;
        o->path_given = true;
        return 0;
    case 'd':
        o->debug = arg ? arg : "";
        return 0;
    case 'I':
        return set_mode(r, "i");
    case 'L':
        o->tag = arg;
        return 0;
    case 'M':
        buf_printf(&o->lines, "D%s\n", arg);
        return 0;
    case 'O':
        buf_printf(&o->lines, "O %s\n", arg);
        return 0;
    case 'o':
        buf_printf(&o->lines, *arg == 'M' ? "D%s\n" : "O%s\n", *arg == 'M' ? arg + 1 : arg);
        return 0;
    case 'Q':
        o->quarantine = arg ? arg : "";
        return 0;
    case 'q':
        return read_queue(r, arg);
    case 'v':
        o->verbose = true;
        return 0;
    case 'X':
        o->traffic = arg;
        return 0;
    case LONG_JSON:
        o->json = true;
        return 0;
    case LONG_CHECK:
        o->check = true;
        return 0;
    case LONG_ALL:
        o->all = true;
        return 0;
    case LONG_LOG:
        o->log_json = arg;
        return 0;
    case LONG_ROFF:
        o->roff = arg;
        return wrong(r, "%s", "");
    case LONG_FOREGROUND:
        o->foreground = true;
        return 0;
    case LONG_HELP:
        return wrong(r, "%s", "");
    default:
        o->of_message = take_message_flag(r, c, arg) != 0;
        return o->of_message ? EX_USAGE : 0;
    }
}

/* anywhere: flags may stand behind words, too. */
static int read_flags(struct reading *r, int argc, char **argv, bool anywhere)
{
    const char *known = letters(r->arena, anywhere);
    const struct option *by_name = long_flags(r->arena);
    int c, status = 0;

    opterr = 0;
    while (status == 0 && (c = getopt_long(argc, argv, known, by_name, NULL)) != -1) {
        if (c == '?')
            status = optopt ? wrong(r, "illegal option -- %c", optopt)
                            : wrong(r, "unknown flag %s", argv[optind - 1]);
        else if (c == ':')
            status = wrong(r, "option requires an argument -- %c", optopt);
        else
            status = take_flag(r, c, optarg);
    }
    return status;
}

/* --without-NAME may stand anywhere before the words; getopt knows no such pattern. */
static int take_without(struct reading *r, int argc, char **argv)
{
    static const char prefix[] = "--without-";
    struct arguments *o = r->out;
    int n = 1;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], prefix, sizeof prefix - 1) != 0) {
            argv[n++] = argv[i];
            continue;
        }
        o->without = arena_grow(r->arena, o->without, o->nwithout, &r->without_room,
                                sizeof(const char *), 8);
        o->without[o->nwithout++] = argv[i] + sizeof prefix - 1;
    }
    argv[n] = NULL;
    return n;
}

bool arguments_without(const struct arguments *g, const char *name)
{
    for (size_t i = 0; i < g->nwithout; i++) {
        if (strcasecmp(g->without[i], name) == 0)
            return true;
    }
    return false;
}

/* --- the whole ---------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_submission(enum mode m)
{
    return m == MODE_DIALOGUE || m == MODE_SUBMIT;
}

static const char *usual_path(const struct reading *r)
{
    if (r->which == 'c' ||
        (!r->which && is_submission(r->out->mode) && access(submit_file, F_OK) == 0))
        return submit_file;
    return usual_file;
}

/* -q alone is a mode, but not where another was named. */
static int settle(struct reading *r)
{
    struct arguments *o = r->out;
    bool none = o->mode == MODE_NONE || (o->mode == MODE_SUBMIT && !r->given);

    if (none && (o->runs_queue || o->quarantine))
        o->mode = o->interval ? MODE_QUEUE_RUNNER : MODE_QUEUE;
    if (o->mode == MODE_NONE)
        return wrong(r, "there is no mode: -bd, -bs, -bv, -bp, -bt, -q, check or queue");
    if (is_daemon(o->mode) && o->ncriteria)
        return wrong(r, "-qI and its like choose messages of one run: they do not go with -bd");
    if (o->interval && o->ncriteria)
        return wrong(r, "-q with a time runs the whole queue: leave the time or the criteria");
    if (!o->path)
        o->path = usual_path(r);
    return 0;
}

static char **copy_of(struct arena *a, int argc, char **argv)
{
    char **copy = arena_calloc(a, (size_t)argc + 1, sizeof *copy);

    memcpy(copy, argv, (size_t)argc * sizeof *copy);
    return copy;
}

int arguments_read(struct arena *a, int argc, char **argv, struct arguments *out, const char **why)
{
    struct reading r = {.arena = a, .out = out, .why = why};
    const char *name = base_name(argv[0]);
    int status;

    *out = (struct arguments){0};
    buf_init(&out->lines, a);
    *why = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i].name) == 0)
            out->mode = mode_of(names[i].letter);
    }
    out->argv = copy_of(a, argc, argv);
    argc = take_without(&r, argc, argv);
    bool ours = out->mode == MODE_NONE;
    for (size_t i = 0; ours && argc > 1 && i < sizeof words / sizeof *words; i++) {
        if (strcmp(argv[1], words[i].name) == 0)
            out->mode = words[i].mode;
    }
    r.given = ours && out->mode != MODE_NONE;
    if (r.given) {
        argc--;
        argv++;
    }
    if ((status = read_flags(&r, argc, argv, r.given)) == 0)
        status = settle(&r);
    out->words = argv + optind;
    out->nwords = argc > optind ? (size_t)(argc - optind) : 0;
    return status;
}

static const char *sign_of(int argument)
{
    return argument == YES ? " X" : argument == MAYBE ? "[X]" : "";
}

void arguments_usage(struct buf *out)
{
    buf_adds(out, "usage: mcfd -bMODE [FLAGS] [ADDRESS...]\n"
                  "       mcfd start|stop|status [-C FILE | -Ac] [-qTIME] [--json]\n"
                  "       mcfd check [-C FILE] [--all] [--json]\n"
                  "       mcfd queue list|hold|release|remove|quarantine|run [-C FILE] ...\n"
                  "modes:\n");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        buf_printf(out, "  -b%c  %s\n", modes[i].letter, modes[i].text);
    buf_adds(out, "flags:\n");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        buf_printf(out, "  -%c%-4s%s\n", flags[i].letter, sign_of(flags[i].argument),
                   flags[i].text);
    for (size_t i = 0; i < sizeof long_rows / sizeof *long_rows; i++)
        buf_printf(out, "  --%s%s  %s\n", long_rows[i].name, sign_of(long_rows[i].argument),
                   long_rows[i].text);
    buf_adds(out, "  --without-NAME  goes without this part of the configuration, which is refused "
                  "else\n");
}

static void add_text(struct buf *out, const char *text)
{
    for (const char *s = text; *s; s++)
        buf_printf(out, *s == '-' ? "\\-" : *s == '\\' ? "\\e" : "%c", *s);
    buf_addc(out, '\n');
}

static void add_paragraph(struct buf *out, const char *flag, int argument, const char *text)
{
    buf_adds(out, ".TP\n");
    if (argument == NO)
        buf_printf(out, ".B %s\n", flag);
    else
        buf_printf(out, argument == YES ? ".BI %s\\  X\n" : ".BR %s [ \\fIX\\fP ]\n", flag);
    add_text(out, text);
}

void arguments_roff(struct buf *out, const char *table)
{
    char flag[64];

    for (size_t i = 0; strcmp(table, "modes") == 0 && i < sizeof modes / sizeof *modes; i++) {
        snprintf(flag, sizeof flag, "\\-b%c", modes[i].letter);
        add_paragraph(out, flag, NO, modes[i].text);
    }
    bool of_message = strcmp(table, "message") == 0,
         any = of_message || strcmp(table, "flags") == 0;
    for (size_t i = 0; any && i < sizeof flags / sizeof *flags; i++) {
        snprintf(flag, sizeof flag, "\\-%c", flags[i].letter);
        if (flags[i].of_message == of_message)
            add_paragraph(out, flag, flags[i].argument, flags[i].text);
    }
    for (size_t i = 0; strcmp(table, "long") == 0 && i < sizeof long_rows / sizeof *long_rows;
         i++) {
        const char *dash = strchr(long_rows[i].name, '-');
        int n = dash ? (int)(dash - long_rows[i].name) : (int)strlen(long_rows[i].name);
        snprintf(flag, sizeof flag, "\\-\\-%.*s%s%s", n, long_rows[i].name, dash ? "\\-" : "",
                 dash ? dash + 1 : "");
        add_paragraph(out, flag, long_rows[i].argument, long_rows[i].text);
    }
}
