/*
 * Any bytes as a message: its head and its body are all of it; what is read is written the same;
 * the list that an envelope keeps reads the same.  Then it comes and goes: collected and rendered
 * for mailers of several kinds, within limits of memory, and with no line longer than L= has it.
 */
#include <string.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/diag.h"
#include "mta/policy/collect.h"
#include "mta/policy/render.h"
#include "tests/fuzz/fuzz.h"

enum { MEMORY = 256 << 20, LIMIT = 40 };

static const char cf[] =
    "V10\nDjmail.example.com\nO OldStyleHeaders=True\nO MaxMimeHeaderLength=40/20\n"
    "O MustQuoteChars=.\nO SingleLineFromHeader=True\nPbulk=-60\n"
    "H?P?Return-Path: <$g>\nHReceived: by $j id $i$?u for $u$.; $b\nH?D?Resent-Date: $a\n"
    "H?D?Date: $a\nH?F?From: $?x$x <$g>$|$g$.\nH?x?Full-Name: $x\nH?M?Message-Id: <$t.$i@$j>\n"
    "HSubject: $>Check\nH*: $>+Check\n"
    "Mlocal, P=/bin/true, F=lsDFMPAxmCf, L=40, A=true -d $u $?x$x $.$f\n"
    "Mesmtp, P=[IPC], F=mDFMuXcC6U, L=990, A=TCP $h\nMprog, P=/bin/true, F=l, A=true\n"
    "SCheck\nR$* bad $*\t$#error $@ 5.7.1 $: 550 $1 $&{currHeader} $&{hdrlen}\n"
    "R$* hold $*\t$#error $@ quarantine $: $1\nR$* drop $*\t$#discard\n"
    "Scheck_eoh\nR9 $| $*\t$#error $: 554 $1\n"
    "Scanonify=3\nR$* < $* > $*\t$@ $2\nS0\nR$* @ $*\t$#esmtp $@ $2 $: $1 @ $2\nR$*\t$#local $: "
    "$1\n";

static void written_the_same(const struct head *h, const char *s, size_t len)
{
    struct buf b;
    const char *at = s;

    buf_init(&b, h->arena);
    head_write(h, &b);
    /* Blanks before a colon are gone, a line end is there. */
    for (size_t i = 0; i < b.len; i++, at++) {
        while (at < s + len && *at != b.data[i] && (*at == ' ' || *at == '\t'))
            at++;
        must(at < s + len ? *at == b.data[i] : i + 1 == b.len && b.data[i] == '\n');
    }
    must(at >= s + len);
}

static void kept_the_same(const struct head *h, struct arena *a)
{
    struct head again;

    head_init(&again, a);
    must(head_load(&again, head_store(h, a)) && again.n == h->n);
    for (size_t i = 0; i < h->n; i++)
        must(again.v[i].flags == h->v[i].flags && again.v[i].value.len == h->v[i].value.len);
}

static void for_mailer(struct rewrite *r, struct arena *a, const struct envelope *e,
                       const struct mailer *m)
{
    const struct render_user users[] = {{"a", "/"}, {"b c", NULL}};
    struct rendering d;
    struct buf out;

    buf_init(&out, a);
    render_begin(&d, r, a, e, m, "host");
    must(render_head(&d, &out));
    must(out.len == 0 || out.data[out.len - 1] == '\n');
    for (size_t at = 0, n; m->line_limit == LIMIT && at < out.len; at += n + 1) {
        n = strcspn(out.data + at, "\n");
        must(n <= LIMIT);
    }
    must(render_argv(&d, users, 2).n > 0 || m->smtp);
    (void)render_path(&d);
    (void)render_first(&d);
}

static void come_and_go(struct arena *a, struct bytes text)
{
    struct source_set *sources = source_set_new(a);
    const struct source *src = source_add(sources, "cf", cf, sizeof cf - 1);
    struct diag *diag = diag_new(a, sources);
    struct config *config = config_new(a, sources);
    struct recipient to = {.address = {"a", 1}};
    struct envelope e = {.sender = text.len % 2 ? bytes_of("u@example.com") : bytes_of(""),
                         .recipients = &to,
                         .nrecipients = 1};

    cf_read(config, src->bytes, src->len, src, NULL, false, diag);
    struct program_host host = {.name = "mail.example.com"};
    struct program *p = program_compile(a, config, &host, diag);
    struct rewrite *r = rewrite_new(a, p, &(struct lookup_world){.host = "mail.example.com"});
    rewrite_begin(r);
    collect_set_time(r, 0);
    struct collected got = collect(r, a, &e, text, "<a>");
    must(got.verdict != COLLECT_REFUSED || got.reply);
    if (got.verdict != COLLECT_REFUSED && got.verdict != COLLECT_DISCARDED) {
        e.header = head_set_id(a, e.header, bytes_of("id"));
        for (size_t i = 0; i < p->nmailers; i++)
            for_mailer(r, a, &e, p->mailers[i]);
    }
    must(arena_used(a) < MEMORY);
    rewrite_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(out_of_memory, NULL);
    char *s = arena_strndup(a, (const char *)data, size);
    struct head h;
    size_t n = 0;

    for (size_t i = 0; i < size; i++) { /* NULs do not come */
        if (s[i] != '\0')
            s[n++] = s[i];
    }
    size = n;
    size_t body, len = head_length(s, size, &body);

    must(len <= body && body <= size && body - len <= 1);
    head_init(&h, a);
    must(head_read(&h, s, len));
    written_the_same(&h, s, len);
    kept_the_same(&h, a);
    come_and_go(a, (struct bytes){s, len});
    arena_free(a);
    return 0;
}
