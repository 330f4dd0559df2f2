/*
 * mcfd: runs a sendmail configuration.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/maps/resolver.h"
#include "lib/model/check.h"
#include "mta/address_test.h"
#include "mta/host.h"
#include "mta/parent/parent.h"
#include "mta/policy/worker.h"

static const char usual_file[] = "/etc/mail/sendmail.cf";

struct arguments {
    const char *path, *debug;
    char mode;
    const char *interval; /* of -q */
    bool json, runs_queue, check;
    struct buf lines; /* of a .cf: what -O, -o and -M say */
};

static void no_memory(void *ctx)
{
    (void)ctx;
    fputs("mcfd: out of memory\n", stderr);
    exit(EX_OSERR);
}

static int usage(void)
{
    fputs(
        "usage: mcfd -bd|-bD [--check] [-qTIME] [-C FILE] [-O OPTION=VALUE] [-oXVALUE] [-MxVALUE]\n"
        "       mcfd -bt [-C FILE] [-O OPTION=VALUE] [-oXVALUE] [-MxVALUE] [-dLEVELS] [--json]\n",
        stderr);
    return EX_USAGE;
}

/* EX_OK for a configuration without errors, else the first says it.  What the system refused is
 * another code than what is written wrongly. */
static int status_of(struct diag *d)
{
    static const char of_daemon[] = "unknown-filter"; /* nobody asks a filter before that */
    /* Somebody else's sendmail may start with it. */
    static const char *const of_start[] = {"bad-vendor", "unknown-tls-option"};
    static const struct {
        const char *id;
        int status;
    } codes[] = {{"class-file", EX_OSERR},
                 {"class-map", EX_OSERR},
                 {"unknown-mailbox-database", EX_UNAVAILABLE}};
    size_t n;
    const struct finding *const *all = diag_sorted(d, &n);

    for (size_t i = 0; i < n; i++) {
        bool fatal = all[i]->severity == DIAG_ERROR;
        for (size_t k = 0; k < sizeof of_start / sizeof *of_start; k++)
            fatal = fatal || strcmp(all[i]->id, of_start[k]) == 0;
        if (!fatal || strcmp(all[i]->id, of_daemon) == 0)
            continue;
        for (size_t k = 0; k < sizeof codes / sizeof *codes; k++) {
            if (strcmp(all[i]->id, codes[k].id) == 0)
                return codes[k].status;
        }
        return EX_SOFTWARE;
    }
    return EX_OK;
}

/* With such a line sendmail ends, whatever it was to do. */
static bool is_ended(struct diag *d)
{
    size_t n;
    const struct finding *const *all = diag_sorted(d, &n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i]->id, "unknown-mode") == 0)
            return true;
    }
    return false;
}

/* False where it cannot be run so. */
static bool read_arguments(struct arguments *a, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"check", no_argument, NULL, 'k'}, {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "b:C:d:M:O:o:q::", options, NULL)) != -1) {
        switch (c) {
        case 'b':
            a->mode = *optarg;
            break;
        case 'C':
            a->path = optarg;
            break;
        case 'd':
            a->debug = optarg;
            break;
        case 'j':
            a->json = true;
            break;
        case 'k':
            a->check = true;
            break;
        case 'M':
            buf_printf(&a->lines, "D%s\n", optarg);
            break;
        case 'O':
            buf_printf(&a->lines, "O %s\n", optarg);
            break;
        case 'q':
            a->interval = optarg;
            a->runs_queue = true;
            break;
        case 'o':
            buf_printf(&a->lines, "O%s\n", optarg);
            break;
        default:
            return false;
        }
    }
    return a->mode && strchr("tdD", a->mode);
}

/* Options of the command line, which end with the item `last`, stay whatever the file says. */
static void keep_options(const struct config *c, const struct item *last)
{
    for (const struct item *o = c->first; last && o; o = o == last ? NULL : o->next) {
        for (struct item *it = last->next; o->kind == ITEM_OPTION && it; it = it->next) {
            if (it->kind == ITEM_OPTION && strcasecmp(it->name, o->name) == 0)
                it->value = o->value;
        }
    }
}

static int run_test(struct arena *a, const struct program *p, const struct lookup_world *world,
                    const struct arguments *given)
{
    bool no_local = !program_mailer(p, "local", strlen("local"));
    int status;

    if (no_local)
        fprintf(stderr, "mcfd: %s: there is no mailer named local\n", given->path);
    status = address_test(
        a, p, world,
        &(struct address_test_options){STDIN_FILENO, STDOUT_FILENO, given->debug, given->json});
    return no_local && !status ? EX_SOFTWARE : status;
}

/* Who we are now: roles that become somebody else read maps by the same rights. */
static const struct lookup_identity *reader_now(struct arena *a)
{
    struct lookup_identity *r = arena_alloc(a, sizeof *r);
    int n = getgroups(0, NULL);
    gid_t *groups = arena_calloc(a, n > 0 ? (size_t)n : 1, sizeof *groups);

    n = getgroups(n, groups);
    *r = (struct lookup_identity){geteuid(), getegid(), groups, n > 0 ? (size_t)n : 0};
    return r;
}

static int run_daemon(struct arena *a, const struct program *p, const struct lookup_world *world,
                      const struct arguments *given, char *const *argv)
{
    const struct service *s = service_new(a, p, world);
    struct parent_setup setup = {.program = p,
                                 .world = world,
                                 .host = s->host,
                                 .version = s->version,
                                 .interval =
                                     given->interval ? settings_read_time(given->interval, 'm') : 0,
                                 .listens = true,
                                 .foreground = given->mode == 'D',
                                 .arguments = argv};

    return parent_run(a, &setup);
}

int main(int argc, char **argv)
{
    struct arena *a = arena_new(no_memory, NULL);
    struct arguments given = {.path = usual_file};

    buf_init(&given.lines, a);
    if (!read_arguments(&given, argc, argv))
        return usage();
    struct source_set *sources = source_set_new(a);
    int err;
    const struct source *src = source_open(sources, given.path, &err);
    if (!src->bytes) {
        /* In the form of sendmail, which scripts look for. */
        printf("%s: line 0: cannot open: %s\n", given.path, strerror(err));
        return EX_OSFILE;
    }
    struct diag *d = diag_new(a, sources);
    struct config *config = config_new(a, sources);
    if (given.lines.len > 0) {
        const struct source *line =
            source_add(sources, "command line", given.lines.data, given.lines.len);
        cf_read(config, line->bytes, line->len, line, NULL, false, d);
    }
    const struct item *last = config->last;
    cf_read(config, src->bytes, src->len, src, NULL, false, d);
    keep_options(config, last);
    struct program_host *host = host_find(a, true);
    struct resolver *resolver = resolver_new(a);
    struct lookup_world world = {.resolver = resolver, .host = host->name};
    host->programs = true;
    host->world = &world;
    struct program *p = program_compile(a, config, host, d);
    resolver_set_options(resolver, program_option(p, "ResolverOptions"),
                         program_is_true(p, "UseCompressedIPv6Addresses", false));
    if (!*setting_text(p, "RunAsUser"))
        world.reader = reader_now(a);
    world.service_switch = program_option(p, "ServiceSwitchFile");
    world.hosts_file = program_option(p, "HostsFile");
    world.userdb_spec = program_option(p, "UserDatabaseSpec");
    world.ldap_defaults = program_option(p, "LDAPDefaultSpec");
    config_check(config, NULL, d);
    diag_print(d, stderr, false);
    if (is_ended(d))
        return EX_USAGE;
    int read = status_of(d), status = read;
    if (given.mode == 't') {
        status = run_test(a, p, &world, &given);
        if (read)
            status = read;
    } else if (!read && !given.check) {
        status = run_daemon(a, p, &world, &given, argv);
    }
    resolver_close(resolver);
    arena_free(a);
    return status;
}
