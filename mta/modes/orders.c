#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/arena.h"
#include "mta/control.h"
#include "mta/message/envelope.h"
#include "mta/modes/mode.h"
#include "mta/parent/parent.h"
#include "mta/policy/worker.h"

static const char usage[] = "usage: mcfd queue list [all | WHICH...] [--json]\n"
                            "       mcfd queue hold|release|remove|run all | WHICH...\n"
                            "       mcfd queue quarantine REASON all | WHICH...\n"
                            "WHICH: ID, or [not] id|sender|recipient|quarantine|group TEXT\n";

struct asking {
    const struct mode_setup *setup;
    struct bytes *words;
    size_t n, room;
    bool prints; /* what the report says */
    bool delivers;
    int status;
};

static void say(struct asking *k, struct bytes word)
{
    k->words = arena_grow(k->setup->arena, k->words, k->n, &k->room, sizeof *k->words, 16);
    k->words[k->n++] = word;
}

static void say_text(struct asking *k, const char *word)
{
    say(k, bytes_of(word));
}

/* Those of -qI and its like; quarantined ones only where they were asked for. */
static void say_criteria(struct asking *k)
{
    const struct arguments *g = k->setup->given;
    bool named = false;

    for (size_t i = 0; i < g->ncriteria; i++) {
        named = named || (g->criteria[i].len == strlen("quarantine") &&
                          memcmp(g->criteria[i].p, "quarantine", g->criteria[i].len) == 0);
        say(k, g->criteria[i]);
    }
    if (named)
        return;
    if (!g->quarantined)
        say_text(k, "not");
    say_text(k, "quarantine");
    say_text(k, "");
}

static const char *form(const struct arguments *g)
{
    return g->json ? "json" : g->verbose ? "verbose" : "text";
}

/* The words of `mcfd queue ...`.  False: they are no order. */
static bool read_words(struct asking *k)
{
    static const char *const kinds[] = {"not", "id", "sender", "recipient", "quarantine", "group"};
    const struct arguments *g = k->setup->given;
    size_t i = 1;
    bool is_kind = false;

    if (g->nwords == 0)
        return false;
    const char *verb = g->words[0];
    say_text(k, verb);
    if (strcmp(verb, "list") == 0)
        say_text(k, form(g));
    else if (strcmp(verb, "quarantine") == 0 && i < g->nwords)
        say_text(k, g->words[i++]);
    if (i == g->nwords && strcmp(verb, "list") != 0)
        return false;
    if (i == g->nwords) {
        say_text(k, "all");
        return true;
    }
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
        is_kind = is_kind || strcmp(g->words[i], kinds[n]) == 0;
    bool all = strcmp(g->words[i], "all") == 0;
    for (; i < g->nwords; i++) {
        if (!is_kind && !all)
            say_text(k, "id");
        say_text(k, g->words[i]);
    }
    k->delivers = strcmp(verb, "run") == 0;
    return true;
}

static bool read_order(struct asking *k)
{
    const struct arguments *g = k->setup->given;

    if (g->mode == MODE_LIST || g->mode == MODE_COUNT) {
        say_text(k, "list");
        say_text(k, form(g));
        say_criteria(k);
    } else if (g->quarantine) {
        k->prints = g->verbose;
        say_text(k, "quarantine");
        say_text(k, g->quarantine);
        say_criteria(k);
    } else if (g->runs_queue) {
        k->prints = g->verbose;
        k->delivers = true;
        say_text(k, "run");
        say_criteria(k);
    } else {
        return read_words(k);
    }
    return true;
}

/* The last line of a list says how many they are. */
static struct bytes last_line(struct bytes text)
{
    size_t at = text.len > 0 ? text.len - 1 : 0;

    while (at > 0 && text.p[at - 1] != '\n' && text.p[at - 1] != '\t')
        at--;
    return (struct bytes){text.p + at, text.len - at};
}

static void take_report(void *ctx, uint64_t status, struct bytes text)
{
    struct asking *k = ctx;

    k->status = (int)status;
    if (status)
        fprintf(stderr, "mcfd: %.*s%s", (int)text.len, text.p, status == EX_USAGE ? usage : "");
    else if (k->setup->given->mode == MODE_COUNT)
        text = last_line(text);
    if (!status && k->prints)
        fwrite(text.p, 1, text.len, stdout);
    fflush(stdout);
}

/* Nobody has the queue: we do, for as long as it takes. */
static int ask_own(struct asking *k)
{
    const struct mode_setup *m = k->setup;
    struct parent_setup setup = mode_roles(m);

    setup.foreground = setup.once = true;
    setup.rests = setup.alone = !k->delivers;
    setup.order = (struct texts){k->words, k->n};
    setup.report = take_report;
    setup.report_ctx = k;
    int status = parent_run(m->arena, &setup);

    return status ? status : k->status;
}

/* fd is taken; -1: nobody answers. */
static bool ask_daemon(const struct mode_setup *m, int fd, struct texts words, uint64_t *status,
                       struct bytes *text)
{
    struct channel *c = fd < 0 ? NULL : channel_new(m->arena, fd, ROLE_FRONT, ROLE_STORE);
    bool answered = c && control_order(m->arena, c, words, status, text);

    channel_free(c);
    return answered;
}

bool orders_count(const struct mode_setup *m, uint64_t *n)
{
    const struct bytes words[] = {bytes_of("list"), bytes_of("text"), bytes_of("all")};
    const struct texts order = {words, sizeof words / sizeof *words};
    uint64_t status;
    struct bytes text;

    if (!ask_daemon(m, control_reach(m->arena, m->program), order, &status, &text) || status)
        return false;
    struct bytes last = last_line(text);
    const char *s = arena_strndup(m->arena, last.p, last.len);
    s += strcspn(s, "0123456789");
    *n = strtoull(s, NULL, 10);
    return *s != '\0';
}

int orders_run(const struct mode_setup *m)
{
    struct asking k = {.setup = m, .prints = true};
    const char *path = control_path(m->arena, m->program);
    uint64_t status;
    struct bytes text;

    if (!read_order(&k)) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    int fd = control_reach(m->arena, m->program);
    if (fd < 0 && errno == EACCES) {
        fprintf(stderr, "mcfd: %s: %s: only root and the queue's owner may\n", path,
                strerror(errno));
        return EX_NOPERM;
    }
    if (fd < 0 && errno != ETIMEDOUT)
        return ask_own(&k);
    if (!ask_daemon(m, fd, (struct texts){k.words, k.n}, &status, &text)) {
        fprintf(stderr, "mcfd: %s: whoever has the queue does not answer\n", path);
        return EX_TEMPFAIL;
    }
    take_report(&k, status, text);
    return k.status;
}
