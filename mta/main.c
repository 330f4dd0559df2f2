/*
 * mcfd: runs a sendmail configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/resolver.h"
#include "lib/model/check.h"
#include "mta/address_test.h"
#include "mta/host.h"

static const char usual_file[] = "/etc/mail/sendmail.cf";

static void no_memory(void *ctx)
{
    (void)ctx;
    fputs("mcfd: out of memory\n", stderr);
    exit(EX_OSERR);
}

static int usage(void)
{
    fputs("usage: mcfd -bt [-C FILE] [-dLEVELS]\n", stderr);
    return EX_USAGE;
}

static bool is_true(const char *value)
{
    return !*value || strchr("tTyY", *value);
}

/* EX_OK for a configuration without errors, else the first says it.  What the system refused is
 * another code than what is written wrongly. */
static int status_of(struct diag *d)
{
    static const char of_daemon[] = "unknown-filter"; /* nobody asks a filter before that */
    static const char *const of_system[] = {"class-file", "class-map"};
    size_t n;
    const struct finding *const *all = diag_sorted(d, &n);

    for (size_t i = 0; i < n; i++) {
        if (all[i]->severity != DIAG_ERROR || strcmp(all[i]->id, of_daemon) == 0)
            continue;
        for (size_t k = 0; k < sizeof of_system / sizeof *of_system; k++) {
            if (strcmp(all[i]->id, of_system[k]) == 0)
                return EX_OSERR;
        }
        return EX_SOFTWARE;
    }
    return EX_OK;
}

int main(int argc, char **argv)
{
    const char *path = usual_file, *debug = NULL;
    bool json = false;
    char mode = '\0';
    int c;

    while ((c = getopt(argc, argv, "b:C:d:")) != -1) {
        switch (c) {
        case 'b':
            mode = *optarg;
            break;
        case 'C':
            path = optarg;
            break;
        case 'd':
            debug = optarg;
            break;
        default:
            return usage();
        }
    }
    if (mode != 't')
        return usage();
    struct arena *a = arena_new(no_memory, NULL);
    struct source_set *sources = source_set_new(a);
    int err;
    const struct source *src = source_open(sources, path, &err);
    if (!src->bytes) {
        fprintf(stderr, "mcfd: %s: cannot open: %s\n", path, strerror(err));
        return EX_OSFILE;
    }
    struct diag *d = diag_new(a, sources);
    struct config *config = config_new(a, sources);
    cf_read(config, src->bytes, src->len, src, NULL, false, d);
    struct program_host *host = host_find(a, true);
    struct resolver *resolver = resolver_new(a);
    struct lookup_world world = {.resolver = resolver, .host = host->name};
    host->programs = true;
    host->world = &world;
    struct program *p = program_compile(a, config, host, d);
    const char *short_ipv6 = program_option(p, "UseCompressedIPv6Addresses");
    resolver_set_options(resolver, program_option(p, "ResolverOptions"),
                         short_ipv6 && is_true(short_ipv6));
    world.service_switch = program_option(p, "ServiceSwitchFile");
    world.hosts_file = program_option(p, "HostsFile");
    world.userdb_spec = program_option(p, "UserDatabaseSpec");
    world.ldap_defaults = program_option(p, "LDAPDefaultSpec");
    config_check(config, NULL, d);
    diag_print(d, stderr, false);
    int status = address_test(
        a, p, &world, &(struct address_test_options){STDIN_FILENO, STDOUT_FILENO, debug, json});
    int read = status_of(d);
    if (read)
        status = read;
    resolver_close(resolver);
    arena_free(a);
    return status;
}
