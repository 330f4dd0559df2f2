#include "mta/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "lib/base/arena.h"
#include "mta/message/dates.h"

/* The release whose interface this is; clients and rules see it as $v. */
static const char version[] = "8.17.1.9";

enum { ADDRESS_TEXT = 64, ANSWER_BYTES = 2048, SILENT = 2 /* seconds */ };

/* A search, which may have to wait for a name server. */
struct search {
    struct arena *arena;
    bool probe;
    struct program_host *host;
};

struct name_list {
    struct arena *arena;
    const char **v;
    size_t n, room;
};

static void add(struct name_list *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcasecmp(names->v[i], name) == 0)
            return;
    }
    /* What is new is 0, and there is one more than names. */
    names->v = arena_grow(names->arena, names->v, names->n, &names->room, sizeof(const char *), 16);
    names->v[names->n++] = arena_strdup(names->arena, name);
}

/* Not compressed: 0:0:0:0:0:0:0:1. */
static void six(const struct in6_addr *in, char out[ADDRESS_TEXT])
{
    size_t n = 0;

    for (size_t i = 0; i < 16; i += 2)
        n += (size_t)snprintf(out + n, ADDRESS_TEXT - n, "%s%x", i ? ":" : "",
                              (unsigned)(in->s6_addr[i] << 8 | in->s6_addr[i + 1]));
}

/* "[127.0.0.1]"; NULL: an address of no use. */
static const char *bracketed(struct arena *a, int family, const void *in)
{
    char text[ADDRESS_TEXT];

    if (family == AF_INET) {
        inet_ntop(AF_INET, in, text, sizeof text);
        return arena_printf(a, "[%s]", text);
    }
    if (family != AF_INET6 || IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)in))
        return NULL;
    six(in, text);
    return arena_printf(a, "[IPv6:%s]", text);
}

/* A question of ours, by name or by address.  Each has memory of its own: the answers of two
 * threads do not meet. */
struct question {
    const char *name;
    const void *address; /* where there is no name */
    int family;
};

static int ask_with(const struct question *q, struct hostent *h, char *room, size_t size,
                    struct hostent **found, int *error)
{
    if (q->name)
        return gethostbyname2_r(q->name, q->family, h, room, size, found, error);
    return gethostbyaddr_r(q->address, q->family == AF_INET6 ? 16 : 4, q->family, h, room, size,
                           found, error);
}

/* A name server that was silent once is not waited for as long again. */
static const struct hostent *ask(struct arena *a, const struct question *q)
{
    struct hostent *h = arena_alloc(a, sizeof *h), *found = NULL;
    const time_t begun = time(NULL);
    size_t size = ANSWER_BYTES;
    int error = 0;

    while (ask_with(q, h, arena_alloc(a, size), size, &found, &error) == ERANGE)
        size *= 2;
    if (!found && error == TRY_AGAIN && time(NULL) - begun >= SILENT)
        _res.retrans = _res.retry = 1;
    return found;
}

static const struct hostent *by_name(struct arena *a, const char *name, int family)
{
    return ask(a, &(struct question){.name = name, .family = family});
}

static bool interface(struct arena *a, const struct ifaddrs *i, struct program_interface *out)
{
    const struct sockaddr *sa = i->ifa_addr;
    bool is_six = sa->sa_family == AF_INET6;
    const void *in = is_six
                         ? (const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr
                         : (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;
    struct name_list names = {.arena = a};

    out->address = bracketed(a, sa->sa_family, in);
    out->loopback = i->ifa_flags & IFF_LOOPBACK;
    if (!out->address)
        return false;
    const struct hostent *h = ask(a, &(struct question){.address = in, .family = sa->sa_family});
    if (h) {
        add(&names, h->h_name);
        for (char **alias = h->h_aliases; *alias; alias++)
            add(&names, *alias);
    }
    out->names = arena_grow(a, names.v, names.n, &names.room, sizeof(const char *), 1);
    return true;
}

static const struct program_interface *interfaces(struct arena *a)
{
    struct program_interface *out = NULL;
    struct ifaddrs *list = NULL;
    size_t n = 0, room = 0;

    if (getifaddrs(&list) != 0)
        return NULL;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        out = arena_grow(a, out, n, &room, sizeof *out, 8);
        out[n] = (struct program_interface){0};
        if (i->ifa_addr && i->ifa_flags & IFF_UP && interface(a, i, &out[n]))
            n++;
    }
    freeifaddrs(list);
    out = arena_grow(a, out, n, &room, sizeof *out, 8);
    out[n] = (struct program_interface){0};
    return out;
}

static struct program_host *find(struct arena *a, bool probe)
{
    struct program_host *host = arena_alloc(a, sizeof *host);
    struct name_list names = {.arena = a};
    struct utsname u;

    char date[DATE_BYTES];
    date_mail((uint64_t)time(NULL), date);
    *host = (struct program_host){.version = version, .date = arena_strdup(a, date)};
    host->node = arena_strdup(a, uname(&u) == 0 ? u.nodename : "localhost");
    host->name = host->node;
    const struct hostent *h = by_name(a, host->node, AF_INET);
    if (h) {
        host->name = arena_strdup(a, h->h_name);
        for (char **alias = h->h_aliases; *alias; alias++) {
            if (!strchr(host->name, '.') && strchr(*alias, '.'))
                host->name = arena_strdup(a, *alias);
        }
    }
    add(&names, host->name);
    add(&names, host->node);
    /* The addresses of its name, of the first family that has any. */
    h = by_name(a, u.nodename, AF_INET6);
    if (!h)
        h = by_name(a, u.nodename, AF_INET);
    for (char **in = h ? h->h_addr_list : NULL; in && *in; in++) {
        const char *address = bracketed(a, h->h_addrtype, *in);
        if (address)
            add(&names, address);
    }
    host->names = arena_grow(a, names.v, names.n, &names.room, sizeof(const char *), 1);
    if (probe)
        host->interfaces = interfaces(a);
    return host;
}

static void *run_search(void *ctx)
{
    struct search *s = ctx;

    res_init();
    s->host = find(s->arena, s->probe);
    return NULL;
}

void host_ask_nobody(void)
{
    __nss_configure_lookup("hosts", "files");
}

struct program_host *host_find(struct arena *a, bool probe, bool (*silent)(void *ctx), void *ctx)
{
    struct search *s = arena_alloc(a, sizeof *s);
    struct timespec until;
    pthread_t thread;

    *s = (struct search){arena_beside(a), probe, NULL};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += HOST_PATIENCE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    if (!silent || pthread_create(&thread, NULL, run_search, s) != 0)
        return find(a, probe);
    if (pthread_timedjoin_np(thread, NULL, &until) == 0)
        return s->host;
    if (silent(ctx)) {
        pthread_join(thread, NULL);
        return s->host;
    }
    /* It waits on, with memory of its own, and is nobody's any more. */
    pthread_detach(thread);
    host_ask_nobody();
    return find(a, probe);
}
