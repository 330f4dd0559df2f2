#include "mta/policy/hosts.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/arena.h"
#include "mta/message/envelope.h"

enum { HOST_PARTS = 3, HOSTS_MAX = 300, SIX_PREFIX = 5 /* IPv6: */ };

struct search {
    struct worker *w;
    const char *port;
    struct bytes *v;
    size_t n, room;
    struct hosts failure; /* the last one */
};

static void add(struct search *f, const char *name, const char *address)
{
    /* For all, one address, by whatever names (O ConnectOnlyTo). */
    const char *only = setting_text(f->w->service->program, "ConnectOnlyTo");
    const char *parts[HOST_PARTS] = {name, *only ? only : address, f->port};

    if (*only && f->n > 0)
        return;
    for (size_t i = 0; i < HOST_PARTS && f->n < (size_t)HOST_PARTS * HOSTS_MAX; i++) {
        f->v = arena_grow(f->w->arena, f->v, f->n, &f->room, sizeof *f->v, 12);
        f->v[f->n++] = bytes_of(arena_strdup(f->w->arena, parts[i]));
    }
}

static void unknown(struct search *f, const char *host, const char *answer)
{
    struct arena *a = f->w->arena;

    f->failure = (struct hosts){
        .code = "5.1.2",
        .answer = answer,
        .detail = arena_printf(a, "550 5.1.2 %%s... Host unknown (Name server: %s: host not found)",
                               host),
        .asked = host};
}

static const char *without_dot(struct search *f, const char *host)
{
    return bytes_string(f->w->arena, bytes_without_dot(bytes_of(host)));
}

static void no_answer(struct search *f, const char *host)
{
    struct arena *a = f->w->arena;

    f->failure =
        (struct hosts){.code = "4.4.3",
                       .answer = arena_printf(a, "Name server: %s: host name lookup failure", host),
                       .detail = arena_printf(
                           a, "%%s... Deferred: Name server: %s: host name lookup failure", host),
                       .asked = host,
                       .later = true};
}

/* Adds its addresses; without any, says why of `shown`. */
static void add_addresses(struct search *f, const char *name, const char *shown)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char text[INET6_ADDRSTRLEN];
    const char *whole = without_dot(f, arena_strdup(f->w->arena, name));
    int failed = getaddrinfo(whole, NULL, &hints, &list);
    if (failed == EAI_AGAIN || failed == EAI_SYSTEM || failed == EAI_MEMORY)
        no_answer(f, whole);
    else if (failed)
        unknown(f, shown, "");
    for (const struct addrinfo *i = failed ? NULL : list; i; i = i->ai_next) {
        const void *in =
            i->ai_family == AF_INET6
                ? (const void *)&((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr
                : (const void *)&((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr;
        if (inet_ntop(i->ai_family, in, text, sizeof text))
            add(f, arena_printf(f->w->arena, "%s.", whole), text);
    }
    if (!failed)
        freeaddrinfo(list);
}

static bool is_ours(void *ctx, const char *host)
{
    const struct program *p = ctx;
    uint32_t w = names_find(&p->names, "w", 1);
    const struct bytes name = bytes_without_dot(bytes_of(host));

    return w && program_in_class(p, w, name.p, name.len);
}

static void loops_back(struct search *f, const char *host)
{
    struct arena *a = f->w->arena;

    f->failure =
        (struct hosts){.code = "5.5.0",
                       .answer = "",
                       .sooner = arena_printf(a, "554 5.0.0 MX list for %s. points back to %s",
                                              host, f->w->service->host),
                       .detail = "554 5.3.5 Local configuration error",
                       .asked = host,
                       .config = true};
}

static void takes_no_mail(struct search *f, const char *host)
{
    f->failure = (struct hosts){.code = "5.1.10",
                                .answer = "556 Host does not accept mail: MX 0 .",
                                .detail = "554 5.0.0 Service unavailable",
                                .asked = host};
}

/* given: as the ruleset said it, perhaps with a dot at its end. */
static void add_exchangers(struct search *f, const char *given)
{
    const char *host = without_dot(f, given);
    const struct worker *w = f->w;
    struct resolver_sources from = {.service_switch = w->world.service_switch,
                                    .hosts_file = w->world.hosts_file,
                                    .host = w->service->host};
    struct resolver_mx mx;

    resolver_mx(w->resolver, host, &from, is_ours, (void *)(uintptr_t)w->service->program, w->arena,
                &mx);
    if (mx.verdict == MAP_TEMPFAIL) {
        no_answer(f, host);
    } else if (mx.status == EX_UNAVAILABLE) {
        takes_no_mail(f, host);
    } else if (mx.verdict == MAP_NOT_FOUND) {
        unknown(f, given, "550 Host unknown");
    } else if (mx.count == 0) {
        const size_t before = f->n;
        if (setting_true(w->service->program, "TryNullMXList"))
            add_addresses(f, host, given);
        if (f->n == before && !f->failure.later)
            loops_back(f, host);
    } else {
        for (size_t i = 0; i < mx.count; i++)
            add_addresses(f, mx.list[i].host, mx.list[i].host);
    }
}

/* "[192.0.2.1]", "[IPv6:2001:...]" or "[name]". */
static void add_literal(struct search *f, const char *host)
{
    struct in6_addr in;
    size_t len = strlen(host);
    const char *inside = arena_strndup(f->w->arena, host + 1, len - 2);
    const char *six = strncasecmp(inside, "IPv6:", SIX_PREFIX) == 0 ? inside + SIX_PREFIX : NULL;

    if (six && inet_pton(AF_INET6, six, &in) == 1)
        add(f, host, six);
    else if (inet_pton(AF_INET, inside, &in) == 1)
        add(f, host, inside);
    else
        add_addresses(f, inside, host);
}

static void add_one(struct search *f, const char *host, bool mx)
{
    size_t len = strlen(host);

    if (len > 2 && host[0] == '[' && host[len - 1] == ']')
        add_literal(f, host);
    else if (mx)
        add_exchangers(f, host);
    else
        add_addresses(f, host, host);
}

/* Bytes up to the next ':' or ',' that is in no brackets. */
static size_t next_part(const char *s)
{
    size_t n = 0;

    for (bool inside = false; s[n] && (inside || (s[n] != ':' && s[n] != ',')); n++) {
        if (s[n] == '[')
            inside = true;
        if (s[n] == ']')
            inside = false;
    }
    return n;
}

struct hosts hosts_find(struct worker *w, const char *host, const char *port, bool mx)
{
    struct search f = {.w = w, .port = port};

    unknown(&f, host, "");
    while (*host) {
        size_t n = next_part(host);
        if (n > 0)
            add_one(&f, arena_strndup(w->arena, host, n), mx);
        host += n + (host[n] != '\0');
    }
    f.failure.list = (struct texts){f.v, f.n};
    return f.failure;
}
