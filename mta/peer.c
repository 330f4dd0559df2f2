#include "mta/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

void peer_describe(const struct sockaddr_storage *sa, char out[PEER_TEXT], uint64_t *port)
{
    *port = 0;
    if (sa->ss_family == AF_UNIX) {
        snprintf(out, PEER_TEXT, "[UNIX: localhost]");
        return;
    }
    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, out, PEER_TEXT);
        *port = ntohs(in->sin_port);
        return;
    }
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)sa;
    *port = ntohs(in->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr)) {
        inet_ntop(AF_INET, in->sin6_addr.s6_addr + 12, out, PEER_TEXT);
        return;
    }
    /* All groups, as rules look for them. */
    size_t n = (size_t)snprintf(out, PEER_TEXT, "IPv6:");
    for (size_t i = 0; i < 16; i += 2)
        n += (size_t)snprintf(
            out + n, PEER_TEXT - n, "%s%x", i ? ":" : "",
            (unsigned)(in->sin6_addr.s6_addr[i] << 8 | in->sin6_addr.s6_addr[i + 1]));
}

bool peer_of(int fd, struct peer *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    *out = (struct peer){0};
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0)
        return false;
    peer_describe(&sa, out->address, &out->port);
    len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && sa.ss_family != AF_UNIX)
        peer_describe(&sa, out->local, &out->local_port);
    return true;
}

void peer_no_delay(int fd)
{
    const int yes = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}
