/* mail.local: standard input into the mailboxes of users of this machine. */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mta/mail_local/lmtp.h"

static int usage(void)
{
    fputs("usage: mail.local [-7] [-b] [-d] [-l] [-f FROM | -r FROM] [-h FILE | -M FOLDER] "
          "[-p SPOOL] USER...\n",
          stderr);
    return EX_USAGE;
}

/* Of several: one that may come to something later counts most, then the last failure. */
static int worse(int a, int b)
{
    return a == EX_TEMPFAIL || b == EX_OK ? a : b;
}

static bool read_all(struct local_message *m)
{
    char line[8192];
    size_t n = 0;
    int c;

    while ((c = getc(stdin)) != EOF) {
        line[n++] = (char)c;
        if (c == '\n' || n == sizeof line) {
            local_put(m, line, n);
            n = 0;
        }
    }
    if (n)
        local_put(m, line, n);
    return !ferror(stdin) && local_end(m);
}

static int deliver(const struct local_settings *s, const char *sender, char **users)
{
    struct local_message m;
    int status = EX_OK;

    if (!local_begin(&m, sender) || !read_all(&m)) {
        fputs("mail.local: the message cannot be kept\n", stderr);
        local_close(&m);
        return EX_TEMPFAIL;
    }
    for (; *users; users++) {
        const char *why;
        int one = local_deliver(s, &m, *users, &why);
        if (one != EX_OK)
            fprintf(stderr, "mail.local: %s: %s\n", *users, why);
        status = worse(status, one);
    }
    local_close(&m);
    return status;
}

/* A name below the home, and nothing else. */
static bool is_below(const char *name)
{
    return !name || (*name && *name != '/' && strcmp(name, "..") != 0 &&
                     strncmp(name, "../", 3) != 0 && !strstr(name, "/../"));
}

int main(int argc, char **argv)
{
    struct local_settings s = {.spool = "/var/mail"};
    const struct passwd *me = getpwuid(getuid());
    const char *sender = me ? me->pw_name : "MAILER-DAEMON";
    bool lmtp = false, offer_8bit = true;
    char host[256] = "localhost";
    int option;

    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt(argc, argv, "7bdlf:r:h:M:p:")) != -1) {
        switch (option) {
        case '7':
            offer_8bit = false;
            break;
        case 'b':
            s.full_is_final = true;
            break;
        case 'd':
            break; /* what it does anyway */
        case 'l':
            lmtp = true;
            break;
        case 'f':
        case 'r':
            sender = optarg;
            break;
        case 'h':
            s.file = optarg;
            break;
        case 'M':
            s.maildir = optarg;
            break;
        case 'p':
            s.spool = optarg;
            break;
        default:
            return usage();
        }
    }
    if (!is_below(s.file) || !is_below(s.maildir) || lmtp == (optind < argc))
        return usage();
    gethostname(host, sizeof host - 1);
    return lmtp ? lmtp_serve(&s, stdin, stdout, host, offer_8bit)
                : deliver(&s, sender, argv + optind);
}
