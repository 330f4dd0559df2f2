/*
 * head: delivers a message as the reference does by hand, for tests/head/run.py.
 *
 *   head_test -C FILE [-s HELO] [-F NAME] -f SENDER RECIPIENT... <MESSAGE
 *
 * Prints what each delivery is: a line of arguments, or of the sender and recipients, then the
 * message; a form feed and a line end behind each.  -s: as if it came by SMTP.  Replies go to
 * standard error.
 */
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/maps/resolver.h"
#include "lib/rewrite/address.h"
#include "mta/host.h"
#include "mta/policy/collect.h"
#include "mta/policy/render.h"

enum { LONGEST = 1 << 20, RECIPIENTS = 100 };

static _Noreturn void no_memory(void *ctx)
{
    (void)ctx;
    fputs("head_test: no memory\n", stderr);
    exit(71);
}

struct target {
    const struct mailer *mailer;
    const char *host, *user;
    bool done;
};

static void set(struct rewrite *r, const char *name, const char *value)
{
    rewrite_set(r, name, strlen(name), value, strlen(value));
}

static struct program *compiled(struct arena *a, const char *path, const char **name)
{
    struct source_set *sources = source_set_new(a);
    int err;
    const struct source *src = source_open(sources, path, &err);
    struct diag *d = diag_new(a, sources);
    struct config *config = config_new(a, sources);

    if (!src->bytes)
        exit(72);
    cf_read(config, src->bytes, src->len, src, NULL, false, d);
    struct program_host *host = host_find(a, true, NULL, NULL);
    *name = host->name;
    return program_compile(a, config, host, d);
}

/* The sender as the reference has it once it was parsed, and the name of a local one. */
static const char *sender_of(struct rewrite *r, struct arena *a, const char *given)
{
    struct address from;

    rewrite_begin(r);
    if (!*given || !address_parse(r, given, ADDRESS_SENDER, &from) || !from.mailer)
        return given;
    if (strchr(from.mailer->flags, 'l')) {
        const char *name = collect_full_name(r, a, from.user);
        if (name)
            set(r, "x", name);
    }
    return given;
}

static void put_texts(struct texts t)
{
    for (size_t i = 1; i < t.n; i++) /* a script does not see its name */
        printf("[%.*s]", (int)t.v[i].len, t.v[i].p);
}

static void deliver(struct rewrite *r, const struct envelope *e, struct target *t, size_t n,
                    const char *body, size_t body_len)
{
    const struct mailer *m = t[0].mailer;
    struct arena *a = arena_new(no_memory, NULL);
    struct render_user users[RECIPIENTS];
    struct rendering d;
    struct buf head;
    size_t nusers = 0;

    for (size_t i = 0; i < n; i++) {
        bool same = t[i].mailer == m && (i == 0 || strchr(m->flags, 'm')) &&
                    strcmp(t[i].host ? t[i].host : "", t[0].host ? t[0].host : "") == 0;
        if (t[i].done || !same)
            continue;
        t[i].done = true;
        const struct passwd *pw = getpwnam(t[i].user);
        users[nusers++] = (struct render_user){t[i].user, pw ? arena_strdup(a, pw->pw_dir) : NULL};
    }
    render_begin(&d, r, a, e, m, t[0].host);
    if (m->smtp) {
        struct bytes from = render_path(&d);
        printf("[MAIL From:<%.*s>]", (int)from.len, from.p);
        for (size_t i = 0; i < nusers; i++)
            printf("[RCPT To:<%s>]", users[i].user);
        set(r, "u", users[0].user);
    } else {
        put_texts(render_argv(&d, users, nusers));
    }
    putchar('\n');
    struct bytes first = m->smtp ? (struct bytes){NULL, 0} : render_first(&d);
    if (first.p)
        printf("%.*s\n", (int)first.len, first.p);
    buf_init(&head, a);
    render_head(&d, &head);
    fwrite(head.data, 1, head.len, stdout);
    putchar('\n');
    fwrite(body, 1, body_len, stdout);
    if (body_len > 0 && body[body_len - 1] != '\n')
        putchar('\n');
    fputs("\f\n", stdout);
    arena_free(a);
}

/* As SMTP takes them. */
static size_t without_nuls(char *s, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] != '\0')
            s[n++] = s[i];
    }
    return n;
}

int main(int argc, char **argv)
{
    struct arena *a = arena_new(no_memory, NULL);
    const char *cf = NULL, *helo = NULL, *from = "", *full = NULL, *host;
    int c;

    while ((c = getopt(argc, argv, "C:s:f:F:")) != -1) {
        if (c == 'C')
            cf = optarg;
        else if (c == 's')
            helo = optarg;
        else if (c == 'f')
            from = optarg;
        else if (c == 'F')
            full = optarg;
        else
            return 64;
    }
    if (!cf || argc - optind > RECIPIENTS)
        return 64;
    struct program *p = compiled(a, cf, &host);
    struct resolver *resolver = resolver_new(a);
    struct rewrite *r =
        rewrite_new(a, p, &(struct lookup_world){.resolver = resolver, .host = host});
    rewrite_begin(r);
    collect_set_time(r, time(NULL));
    set(r, "_", "root@localhost");
    set(r, "p", arena_printf(a, "%d", (int)getpid()));
    if (helo) {
        set(r, "s", helo);
        set(r, "r", "ESMTP");
        set(r, "client_addr", "0"); /* of standard input */
    }
    struct envelope e = {.sender = bytes_of(sender_of(r, a, from))};
    rewrite_set(r, "f", 1, from, strlen(from));
    if (full)
        set(r, "x", collect_phrase(r, a, full));
    e.nrecipients = (size_t)(argc - optind);
    e.recipients = arena_calloc(a, e.nrecipients + 1, sizeof *e.recipients);
    for (size_t i = 0; i < e.nrecipients; i++)
        e.recipients[i].address = bytes_of(argv[optind + (int)i]);
    char *text = arena_alloc(a, LONGEST);
    size_t len = fread(text, 1, LONGEST, stdin), body;
    len = without_nuls(text, len);
    size_t head = head_length(text, len, &body);
    const char *whom = NULL;
    if (e.nrecipients == 1)
        whom = arena_printf(a, helo ? "<%s>" : "%s", argv[optind]);
    struct collected got = collect(r, a, &e, (struct bytes){text, head}, whom);
    if (got.reply)
        fprintf(stderr, "%s\n", got.reply);
    if (got.why)
        fprintf(stderr, "why: %s\n", got.why);
    if (e.quarantine.len > 0)
        fprintf(stderr, "quarantine: %.*s\n", (int)e.quarantine.len, e.quarantine.p);
    if (got.verdict != COLLECT_TAKEN || e.quarantine.len > 0)
        return 0;
    static const char id[] = "0123456789000000";
    e.header = head_set_id(a, e.header, (struct bytes){id + 2, 14});
    set(r, "i", id + 2);
    struct target t[RECIPIENTS];
    for (size_t i = 0; i < e.nrecipients; i++) {
        struct address to;
        rewrite_begin(r);
        t[i] = (struct target){.done = true};
        if (!address_parse(r, argv[optind + (int)i], 0, &to) || !to.mailer)
            continue;
        t[i] = (struct target){to.mailer, to.host ? arena_strdup(a, to.host) : NULL,
                               arena_strdup(a, to.user), false};
    }
    for (size_t i = 0; i < e.nrecipients; i++) {
        if (!t[i].done)
            deliver(r, &e, t + i, e.nrecipients - i, text + body, len - body);
    }
    rewrite_close(r);
    resolver_close(resolver);
    arena_free(a);
    return 0;
}
