#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/arena.h"
#include "lib/base/table.h"
#include "mta/modes/mode.h"
#include "mta/policy/expand.h"

struct verifying {
    struct worker *worker;
    struct send_list list;
    struct table *said; /* what was said of addresses that are wrong */
    int status; /* of the first that is wrong for good, else of one that may be right later */
};

static int status_of_reply(const char *reply)
{
    static const struct {
        const char *code;
        int status;
    } codes[] = {{"5.1.1 ", EX_NOUSER},
                 {"5.1.2 ", EX_NOHOST},
                 {"5.1.3 ", EX_USAGE},
                 {"5.7.1 ", EX_UNAVAILABLE},
                 {"5.3.5 ", EX_CONFIG}};

    if (*reply == '4')
        return EX_TEMPFAIL;
    for (size_t i = 0; strlen(reply) > 4 && i < sizeof codes / sizeof *codes; i++) {
        if (strncmp(reply + 4, codes[i].code, strlen(codes[i].code)) == 0)
            return codes[i].status;
    }
    return EX_UNAVAILABLE;
}

/* Without its codes. */
static const char *text_of(const char *reply)
{
    const char *s = strchr(reply, ' ');

    if (!s)
        return reply;
    if (isdigit((unsigned char)s[1]) && s[2] == '.' && strchr(s + 1, ' '))
        s = strchr(s + 1, ' ');
    return s + 1;
}

/* Said once; whoever is bad may be met again behind another alias. */
static void refuse(struct verifying *g, struct arena *a, const char *reply)
{
    const char *text = text_of(reply);
    size_t n = 0;

    if (!table_has(g->said, text))
        printf("%s\n", text);
    table_set(g->said, arena_strdup(a, text), g);
    if (g->status == EX_OK || g->status == EX_TEMPFAIL)
        g->status = status_of_reply(reply);
    for (size_t i = 0; i < g->list.n; i++) {
        if (g->list.v[i]->state != SEND_BAD)
            g->list.v[n++] = g->list.v[i];
    }
    g->list.n = n;
}

/* As it was named, or as an alias has it. */
static const char *shown_of(struct arena *a, const struct send *s, const char *const *words)
{
    const char *address = bytes_string(a, s->recipient.address);

    for (size_t i = 0; !s->parent && words[i]; i++) {
        size_t n = strlen(words[i]);
        if (strcmp(words[i], address) == 0 ||
            (n == strlen(address) + 2 && strncmp(words[i] + 1, address, n - 2) == 0))
            return words[i];
    }
    return address;
}

static void verify(struct verifying *g, struct arena *a, const char *address)
{
    struct recipient r = {0};
    size_t n = strlen(address);
    bool brackets = n > 1 && address[0] == '<' && address[n - 1] == '>';

    worker_begin(g->worker, NULL);
    worker_set(g->worker, "addr_type", "e r");
    worker_set(g->worker, "opMode", "v");
    r.address = bytes_of(brackets ? arena_strndup(a, address + 1, n - 2) : address);
    struct expanded e = expand_add(g->worker, &g->list, &r, address);
    if (e.reply && !e.later)
        refuse(g, a, e.reply);
}

int verify_run(const struct mode_setup *m)
{
    const struct service *s = service_new(m->arena, m->program, m->world);
    struct verifying g = {.worker = worker_new(m->arena, s),
                          .list = {.arena = m->arena, .no_aliases = m->given->message.no_aliases},
                          .said = table_new(m->arena)};
    const struct arguments *given = m->given;

    if (given->nwords == 0) {
        printf("Recipient names must be specified\n");
        return EX_USAGE;
    }
    for (size_t i = 0; i < given->nwords; i++)
        verify(&g, m->arena, given->words[i]);
    for (size_t i = 0; i < g.list.n; i++) {
        const struct send *to = g.list.v[i];
        if (to->state == SEND_OPEN)
            printf("%s... deliverable: mailer %s,%s%s%s user %s\n",
                   shown_of(m->arena, to, (const char *const *)given->words), to->mailer,
                   *to->host ? " host " : "", to->host, *to->host ? "," : "", to->user);
    }
    worker_close(g.worker);
    return g.status;
}
