/*
 * no_network: mcf has no business there, but the database library can replicate, and brings the
 * resolver with it.  In a program that is linked statically that would load other libraries when it
 * runs.  These take its place; nothing calls them.
 */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    (void)name;
    (void)service;
    (void)hints;
    *result = NULL;
    return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *result)
{
    (void)result;
}
