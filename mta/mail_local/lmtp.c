#include "mta/mail_local/lmtp.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

struct lmtp {
    const struct local_settings *settings;
    FILE *in, *out;
    const char *host;
    bool offer_8bit;
    bool mail; /* there was a MAIL */
    char sender[LMTP_LINE];
    char *users[LMTP_RECIPIENTS];
    size_t nusers;
};

static void say(struct lmtp *l, const char *reply)
{
    fprintf(l->out, "%s\r\n", reply);
}

static void reset(struct lmtp *l)
{
    while (l->nusers)
        free(l->users[--l->nusers]);
    l->mail = false;
}

/* A line without its end; longer ones are cut.  False: the input has ended. */
static bool read_line(struct lmtp *l, char line[LMTP_LINE], size_t *len)
{
    int c;

    fflush(l->out);
    *len = 0;
    while ((c = getc(l->in)) != EOF && c != '\n')
        if (*len < LMTP_LINE - 1)
            line[(*len)++] = (char)c;
    if (*len && line[*len - 1] == '\r')
        (*len)--;
    line[*len] = '\0';
    return c != EOF;
}

/* "FROM:<path>" at s: the path; NULL: it is none. */
static char *path_of(char *s, const char *word)
{
    size_t n = strlen(word);
    char *end;

    if (strncasecmp(s, word, n) != 0)
        return NULL;
    s += n;
    s += strspn(s, " ");
    if (*s != '<')
        return NULL;
    s++;
    /* A quoted local part may hold a '>'. */
    for (end = s; *end && *end != '>'; end++) {
        if (*end == '"')
            while (*++end && *end != '"')
                end += *end == '\\' && end[1];
        if (!*end)
            return NULL;
    }
    if (*end != '>')
        return NULL;
    *end = '\0';
    return s;
}

/* The user that an address is for, in place. */
static char *user_of(char *path)
{
    if (*path == '@' && strchr(path, ':'))
        path = strchr(path, ':') + 1;
    if (*path == '"' && strchr(path + 1, '"')) {
        path++;
        *strchr(path, '"') = '\0';
        return path;
    }
    path[strcspn(path, "@+")] = '\0';
    return path;
}

static void on_lhlo(struct lmtp *l)
{
    reset(l);
    fprintf(l->out, "250-%s\r\n", l->host);
    if (l->offer_8bit)
        say(l, "250-8BITMIME");
    say(l, "250-ENHANCEDSTATUSCODES");
    say(l, "250 PIPELINING");
}

static void on_mail(struct lmtp *l, char *argument)
{
    char *path = path_of(argument, "FROM:");

    if (l->mail) {
        say(l, "503 5.5.1 Nested MAIL command");
    } else if (!path) {
        say(l, "501 5.5.4 Syntax error in parameters");
    } else {
        snprintf(l->sender, sizeof l->sender, "%s", path);
        l->mail = true;
        say(l, "250 2.5.0 Ok");
    }
}

static void on_rcpt(struct lmtp *l, char *argument)
{
    char *path = path_of(argument, "TO:"), *user;
    int status;

    if (!l->mail) {
        say(l, "503 5.5.1 Need MAIL command");
        return;
    }
    if (!path) {
        say(l, "501 5.5.4 Syntax error in parameters");
        return;
    }
    user = user_of(path);
    status = local_user(user);
    if (status == EX_OK && l->nusers < LMTP_RECIPIENTS)
        l->users[l->nusers] = strdup(user);
    if (status == EX_NOUSER)
        say(l, "550 5.1.1 User unknown");
    else if (status != EX_OK || l->nusers == LMTP_RECIPIENTS || !l->users[l->nusers])
        say(l, "451 4.3.0 Try again later");
    else if (++l->nusers)
        say(l, "250 2.1.5 Ok");
}

static void reply_for(struct lmtp *l, int status, const char *why)
{
    switch (status) {
    case EX_OK:
        say(l, "250 2.1.5 Ok");
        break;
    case EX_NOUSER:
        say(l, "550 5.1.1 User unknown");
        break;
    case EX_UNAVAILABLE:
        say(l, "552 5.2.2 Over quota");
        break;
    case EX_CANTCREAT:
    case EX_NOPERM:
        fprintf(l->out, "550 5.2.0 %s\r\n", why);
        break;
    default:
        fprintf(l->out, "451 4.3.0 %s\r\n", why);
    }
}

/* Up to the line with its dot; false: the input ended before. */
static bool read_message(struct lmtp *l, struct local_message *m)
{
    char piece[LMTP_LINE];
    bool begins = true;
    size_t n = 0;
    int c;

    fflush(l->out);
    while ((c = getc(l->in)) != EOF) {
        piece[n++] = (char)c;
        if (c != '\n' && n < sizeof piece)
            continue;
        bool end = c == '\n';
        if (end && n > 1 && piece[n - 2] == '\r')
            piece[--n - 1] = '\n';
        if (begins && n == 2 && piece[0] == '.' && end)
            return true;
        size_t dot = begins && piece[0] == '.';
        /* A CR at the cut may belong to the line end. */
        size_t kept = !end && piece[n - 1] == '\r';
        local_put(m, piece + dot, n - dot - kept);
        piece[0] = '\r';
        n = kept;
        begins = end;
    }
    return false;
}

/* False: the input ended within the message. */
static bool on_data(struct lmtp *l)
{
    struct local_message m;
    const char *why = "no room for the message";
    bool whole, kept;

    if (!l->nusers) {
        say(l, "503 5.5.1 No recipients");
        return true;
    }
    if (!local_begin(&m, l->sender)) {
        say(l, "451 4.3.0 no room for the message");
        return true;
    }
    say(l, "354 Go ahead");
    whole = read_message(l, &m);
    kept = whole && local_end(&m);
    for (size_t i = 0; whole && i < l->nusers; i++) {
        int status = kept ? local_deliver(l->settings, &m, l->users[i], &why) : EX_TEMPFAIL;
        reply_for(l, status, why);
    }
    local_close(&m);
    reset(l);
    return whole;
}

/* False: QUIT. */
static bool on_command(struct lmtp *l, char *line, bool *broken)
{
    size_t n = strcspn(line, " ");
    char *argument = line + n + strspn(line + n, " ");

    line[n] = '\0';
    if (strcasecmp(line, "LHLO") == 0 && *argument)
        on_lhlo(l);
    else if (strcasecmp(line, "MAIL") == 0)
        on_mail(l, argument);
    else if (strcasecmp(line, "RCPT") == 0)
        on_rcpt(l, argument);
    else if (strcasecmp(line, "DATA") == 0 && !*argument)
        *broken = !on_data(l);
    else if (strcasecmp(line, "RSET") == 0)
        reset(l), say(l, "250 2.0.0 Ok");
    else if (strcasecmp(line, "NOOP") == 0)
        say(l, "250 2.0.0 Ok");
    else if (strcasecmp(line, "VRFY") == 0)
        say(l, "252 2.3.3 Try RCPT to attempt delivery");
    else if (strcasecmp(line, "QUIT") == 0)
        return say(l, "221 2.0.0 Bye"), false;
    else
        say(l, "500 5.5.2 Syntax error");
    return !*broken;
}

int lmtp_serve(const struct local_settings *s, FILE *in, FILE *out, const char *host,
               bool offer_8bit)
{
    struct lmtp *l = calloc(1, sizeof *l);
    char line[LMTP_LINE];
    size_t len;
    bool broken = false;

    if (!l)
        return EX_TEMPFAIL;
    *l = (struct lmtp){.settings = s, .in = in, .out = out, .host = host, .offer_8bit = offer_8bit};
    fprintf(out, "220 %s LMTP ready\r\n", host);
    while (read_line(l, line, &len) && on_command(l, line, &broken))
        continue;
    fflush(out);
    reset(l);
    free(l);
    return broken ? EX_TEMPFAIL : EX_OK;
}
