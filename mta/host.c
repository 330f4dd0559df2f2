#include "mta/host.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "lib/base/arena.h"

/* The release whose interface this is; clients and rules see it as $v. */
static const char version[] = "8.17.1.9";

enum { ADDRESS_TEXT = 64 };

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

static void interface(struct name_list *names, const struct sockaddr *sa)
{
    char text[ADDRESS_TEXT];
    const struct hostent *h = NULL;

    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        add(names, arena_printf(names->arena, "[%s]", text));
        h = gethostbyaddr(&in->sin_addr, sizeof in->sin_addr, AF_INET);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)sa;
        if (IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr))
            return;
        six(&in->sin6_addr, text);
        add(names, arena_printf(names->arena, "[IPv6:%s]", text));
        h = gethostbyaddr(&in->sin6_addr, sizeof in->sin6_addr, AF_INET6);
    }
    if (!h)
        return;
    add(names, h->h_name);
    for (char **alias = h->h_aliases; *alias; alias++) {
        add(names, *alias);
        add(names, arena_printf(names->arena, "[%s]", *alias));
    }
}

static const char *now(struct arena *a)
{
    static const char *const zones[] = {"UTC", "GMT"};
    char text[ADDRESS_TEXT];
    time_t t = time(NULL);
    struct tm tm;

    if (!localtime_r(&t, &tm) || strftime(text, sizeof text, "%a, %e %b %Y %H:%M:%S %Z", &tm) == 0)
        return NULL;
    /* One blank before a day of one digit, and the universal time by its old name. */
    char *s = arena_strdup(a, text), *two = strstr(s, "  "), *zone = strrchr(s, ' ');
    if (zone && strcmp(zone + 1, zones[0]) == 0)
        strcpy(zone + 1, zones[1]);
    if (two)
        memmove(two, two + 1, strlen(two));
    return s;
}

struct program_host *host_find(struct arena *a, bool interfaces)
{
    struct program_host *host = arena_alloc(a, sizeof *host);
    struct name_list names = {.arena = a};
    struct utsname u;
    struct ifaddrs *list = NULL;

    if (uname(&u) != 0)
        strcpy(u.nodename, "localhost");
    host->node = arena_strdup(a, u.nodename);
    host->name = host->node;
    host->version = version;
    host->date = now(a);
    const struct hostent *h = gethostbyname(u.nodename);
    if (h) {
        host->name = arena_strdup(a, h->h_name);
        for (char **alias = h->h_aliases; *alias; alias++) {
            if (!strchr(host->name, '.') && strchr(*alias, '.'))
                host->name = arena_strdup(a, *alias);
        }
    }
    add(&names, host->name);
    add(&names, host->node);
    if (h) {
        for (char **alias = h->h_aliases; *alias; alias++)
            add(&names, *alias);
    }
    add(&names, arena_strndup(a, host->name, strcspn(host->name, ".")));
    if (interfaces && getifaddrs(&list) == 0) {
        for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
            if (i->ifa_addr && i->ifa_flags & IFF_UP)
                interface(&names, i->ifa_addr);
        }
        freeifaddrs(list);
    }
    host->names = arena_grow(a, names.v, names.n, &names.room, sizeof(const char *), 1);
    return host;
}
