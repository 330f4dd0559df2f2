#include "mta/policy/client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

enum { SIX_PREFIX = 5 /* IPv6: */ };

/* Bytes of the socket address; 0: it is none. */
static socklen_t address_of(const char *text, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (strncasecmp(text, "IPv6:", SIX_PREFIX) == 0) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)out;
        six->sin6_family = AF_INET6;
        return inet_pton(AF_INET6, text + SIX_PREFIX, &six->sin6_addr) == 1 ? sizeof *six : 0;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)out;
    four->sin_family = AF_INET;
    return inet_pton(AF_INET, text, &four->sin_addr) == 1 ? sizeof *four : 0;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr_storage *b)
{
    if (a->sa_family != b->ss_family)
        return false;
    if (a->sa_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr,
                      &((const struct sockaddr_in *)(const void *)b)->sin_addr,
                      sizeof(struct in_addr)) == 0;
    return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

/* Does the name lead to the address? */
static const char *leads_back(const char *name, const struct sockaddr_storage *address)
{
    struct addrinfo hints = {.ai_family = address->ss_family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    const char *answer = "FORGED";
    int failed = getaddrinfo(name, NULL, &hints, &list);

    if (failed)
        return failed == EAI_AGAIN ? "TEMP" : "FORGED";
    for (const struct addrinfo *i = list; i; i = i->ai_next) {
        if (same_address(i->ai_addr, address))
            answer = "OK";
    }
    freeaddrinfo(list);
    return answer;
}

struct client_name client_find(struct arena *a, const char *address)
{
    const char *literal = arena_printf(a, "[%s]", address);
    struct client_name c = {literal, literal, "FAIL", literal};
    struct sockaddr_storage sa;
    char name[NI_MAXHOST];
    socklen_t len = address_of(address, &sa);

    if (len == 0)
        return c;
    int failed = getnameinfo((struct sockaddr *)&sa, len, name, sizeof name, NULL, 0, NI_NAMEREQD);
    if (failed) {
        c.resolve = failed == EAI_AGAIN ? "TEMP" : "FAIL";
        return c;
    }
    c.pointer = arena_strdup(a, name);
    c.resolve = leads_back(name, &sa);
    if (strcmp(c.resolve, "OK") == 0)
        c.name = c.pointer;
    c.peer = arena_printf(a, "%s %s%s", c.pointer, literal,
                          strcmp(c.resolve, "FORGED") == 0 ? " (may be forged)" : "");
    return c;
}
