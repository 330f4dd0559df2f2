/*
 * rewrite_fuzz: any bytes as a .cf and, behind a line "--", as addresses for all of its rulesets.
 *
 * What must hold: it ends within its limits of steps and of memory; no workspace has more than
 * TOKENS_MAX tokens; what is answered is there to be read.  Nothing is looked up outside.
 */
#include <string.h>
#include <sysexits.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/rewrite/address.h"
#include "tests/fuzz/closed.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS = 20000, MEMORY = 64 << 20, QUESTIONS = 4, BYTES = 300, MAILERS = 3 };

struct seen {
    struct rewrite *r;
    const struct arena *lasting;
    uint64_t tried;
    unsigned char sum; /* of all that was shown, so that it is looked at */
};

static void look(struct seen *s, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s->sum = (unsigned char)(s->sum + (unsigned char)p[i]);
}

static void tokens(struct seen *s, const struct tokens *ws)
{
    must(ws->n <= TOKENS_MAX);
    for (uint32_t i = 0; i < ws->n; i++)
        look(s, ws->v[i].p, ws->v[i].len);
}

static void in_bounds(const struct seen *s)
{
    must(arena_used(s->lasting) + arena_used(rewrite_arena(s->r)) < MEMORY);
}

static void at_ruleset(void *ctx, const struct ruleset *r, const struct tokens *ws)
{
    (void)r;
    tokens(ctx, ws);
}

static void trying(void *ctx, const struct ruleset *r, const struct rule *rule)
{
    struct seen *s = ctx;

    (void)r;
    (void)rule;
    /* One more may be tried in each ruleset that is left. */
    must(++s->tried <= STEPS + REWRITE_DEPTH + 2);
}

static void tried(void *ctx, const struct rule *rule, const struct tokens *ws)
{
    (void)rule;
    if (ws)
        tokens(ctx, ws);
    in_bounds(ctx);
}

static void note(void *ctx, int status, const char *text)
{
    (void)status;
    look(ctx, text, strlen(text));
}

static void begin(struct seen *s)
{
    rewrite_begin(s->r);
    s->tried = 0;
}

static void rulesets(struct seen *s, const struct program *p, const char *text, size_t len)
{
    for (size_t i = 0; i < RULESETS_MAX; i++) {
        if (!p->rulesets[i])
            continue;
        begin(s);
        struct tokens *ws = rewrite_workspace(s->r);
        address_scan(s->r, text, len, len % 2, -1, ws, NULL);
        int status = rewrite_run(s->r, p->rulesets[i], ws);
        must(status == 0 || (status >= EX__BASE && status <= EX__MAX));
        tokens(s, ws);
        in_bounds(s);
    }
}

static void address(struct seen *s, const struct program *p, const char *text)
{
    struct address a;

    begin(s);
    const char *form = address_form(s->r, text);
    look(s, form, strlen(form));
    begin(s);
    if (address_parse(s->r, text, 0, &a)) {
        must(a.user != NULL);
        look(s, a.user, strlen(a.user));
        look(s, a.host ? a.host : "", a.host ? strlen(a.host) : 0);
        look(s, a.error ? a.error : "", a.error ? strlen(a.error) : 0);
    }
    in_bounds(s);
    for (unsigned i = 0; i < p->nmailers && i < MAILERS; i++) {
        int status;
        begin(s);
        const char *remote =
            address_remote(s->r, text, p->mailers[p->nmailers - 1 - i], i % 4, &status);
        look(s, remote ? remote : "", remote ? strlen(remote) : 0);
        in_bounds(s);
    }
}

static void ask(struct seen *s, const struct program *p, const char *text, size_t len)
{
    char line[BYTES + 1];

    for (unsigned n = 0; len > 0 && n < QUESTIONS; n++) {
        const char *nl = memchr(text, '\n', len);
        size_t all = nl ? (size_t)(nl - text) : len, kept = all < BYTES ? all : BYTES;
        memcpy(line, text, kept);
        line[kept] = '\0';
        rulesets(s, p, line, kept);
        address(s, p, line);
        text += all + (nl != NULL);
        len -= all + (nl != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct program_host host = {.name = "mail.example.com", .version = "1"};
    /* Nothing is there: a name of a host cannot be looked up. */
    static const struct lookup_world world = {
        .host = "mail.example.com", .service_switch = "/dev/null", .hosts_file = "/dev/null"};
    const char *text = (const char *)data,
               *questions = size > 0 ? memmem(text, size, "\n--\n", 4) : NULL;
    size_t cf = questions ? (size_t)(questions - text) + 1 : size;
    struct arena *a = arena_new(out_of_memory, NULL);
    struct source_set *set = source_set_new(a);
    struct diag *d = diag_new(a, set);
    struct config *c = config_new(a, set);
    const struct source *src = source_add(set, "fuzz.cf", text, cf);

    cf_read(c, src->bytes, src->len, src, NULL, false, d);
    close_off(c, 1);
    struct program *p = program_compile(a, c, &host, d);
    must(arena_used(a) < MEMORY);
    struct seen s = {.r = rewrite_new(a, p, &world), .lasting = a};
    const struct rewrite_watch watch = {.ctx = &s,
                                        .enter = at_ruleset,
                                        .leave = at_ruleset,
                                        .trying = trying,
                                        .tried = tried,
                                        .note = note};
    const struct rewrite_limits limits = {.steps = STEPS};
    rewrite_watch(s.r, &watch);
    rewrite_limit(s.r, &limits);
    if (questions)
        ask(&s, p, questions + 4, size - cf - 3);
    rewrite_close(s.r);
    arena_free(a);
    return 0;
}
