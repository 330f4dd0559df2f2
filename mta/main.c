/*
 * mcfd: runs a sendmail configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/base/trust.h"
#include "lib/maps/resolver.h"
#include "lib/model/check.h"
#include "lib/model/options.h"
#include "mta/address_test.h"
#include "mta/arguments.h"
#include "mta/host.h"
#include "mta/modes/mode.h"

static void no_memory(void *ctx)
{
    (void)ctx;
    fputs("mcfd: out of memory\n", stderr);
    exit(EX_OSERR);
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
                 {"not-implemented", EX_CONFIG},
                 {"machine", EX_CONFIG},
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

static const char *option_name(const struct item *o)
{
    const struct option_info *i = o->short_option ? option_by_letter(*o->name) : NULL;

    return i ? i->name : o->name;
}

/* Options of the command line, which end with the item `last`, stay whatever the file says. */
static void keep_options(const struct config *c, const struct item *last)
{
    for (const struct item *o = c->first; last && o; o = o == last ? NULL : o->next) {
        for (struct item *it = last->next; o->kind == ITEM_OPTION && it; it = it->next) {
            if (it->kind == ITEM_OPTION && strcasecmp(option_name(it), option_name(o)) == 0)
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
static const struct trust_reader *reader_now(struct arena *a)
{
    struct trust_reader *r = arena_alloc(a, sizeof *r);
    int n = getgroups(0, NULL);
    gid_t *groups = arena_calloc(a, n > 0 ? (size_t)n : 1, sizeof *groups);

    n = getgroups(n, groups);
    *r = (struct trust_reader){NULL, geteuid(), getegid(), groups, n > 0 ? (size_t)n : 0};
    return r;
}

static bool forgives(const void *ctx, const char *word)
{
    return program_forgives(ctx, word, NULL);
}

/* The file, or one that is not there in place of one that is not trusted. */
static const char *service_switch(struct arena *a, const struct program *p,
                                  const struct trust *trust)
{
    const char *path = program_option(p, "ServiceSwitchFile");
    struct trust_fault fault;

    if (!path || trust_file(a, trust, &trust_service_switch, path, &fault))
        return path;
    return "";
}

/* Programs read what the others say. */
static bool speaks_of_findings(enum mode m)
{
    return m == MODE_TEST || m == MODE_DAEMON || m == MODE_DAEMON_FOREGROUND;
}

/* Mail is taken or delivered: what that needs is looked at first. */
static bool is_start(enum mode m)
{
    return m == MODE_DAEMON || m == MODE_DAEMON_FOREGROUND || m == MODE_QUEUE_RUNNER ||
           m == MODE_DIALOGUE || m == MODE_SUBMIT;
}

/* A daemon that is only to hand over what it is given (UseMSP): it would be one that listens. */
static bool is_wrong_daemon(const struct program *p, enum mode m)
{
    return (m == MODE_DAEMON || m == MODE_DAEMON_FOREGROUND) && setting_true(p, "UseMSP");
}

struct own_names {
    const struct arguments *given;
    bool silent; /* no name server answers */
};

/* Who takes or routes mail has to know all its names. */
static bool needs_names(const struct arguments *g)
{
    switch (g->mode) {
    case MODE_ALIASES:
    case MODE_COUNT:
    case MODE_HOSTS:
    case MODE_LIST:
    case MODE_PURGE_HOSTS:
        return false;
    case MODE_START:
    case MODE_STOP:
    case MODE_STATUS:
        return false;
    case MODE_QUEUE:
        return g->runs_queue || (g->nwords > 0 && strcmp(g->words[0], "run") == 0);
    default:
        return true;
    }
}

/* What only looks does not wait. */
static bool no_name_server(void *ctx)
{
    struct own_names *n = ctx;
    const bool looks = n->given->mode == MODE_CHECK || n->given->check;

    n->silent = true;
    if (!looks)
        fputs("mcfd: no name server answers: waiting for this machine's names; those in "
              "/etc/hosts need none\n",
              stderr);
    return !looks;
}

static int run_mode(const struct mode_setup *setup)
{
    switch (setup->given->mode) {
    case MODE_ALIASES:
        return aliases_run(setup);
    case MODE_DAEMON:
    case MODE_DAEMON_FOREGROUND:
    case MODE_QUEUE_RUNNER:
        return daemon_run(setup);
    case MODE_DIALOGUE:
        return dialogue_run(setup);
    case MODE_COUNT:
    case MODE_LIST:
    case MODE_QUEUE:
        return orders_run(setup);
    case MODE_VERIFY:
        return verify_run(setup);
    case MODE_HOSTS:
    case MODE_PURGE_HOSTS:
        return EX_OK; /* what the store knows of hosts goes with it: there is nothing on disk */
    default:
        return submit_run(setup);
    }
}

static int wrong_usage(struct arena *a, const char *name, const struct arguments *g,
                       const char *why)
{
    struct buf b;

    buf_init(&b, a);
    if (*why && g->of_message)
        fprintf(stderr, "%s\n", why);
    else if (*why)
        fprintf(stderr, "%s: %s\n", name, why);
    if (*why)
        return EX_USAGE;
    if (g->roff)
        arguments_roff(&b, g->roff);
    else
        arguments_usage(&b);
    fwrite(b.data, 1, b.len, stdout);
    return EX_OK;
}

/* TimeZoneSpec: without it the system's zone counts, with an empty one the environment's. */
static void set_time_zone(const struct program *p)
{
    const char *zone = program_option(p, "TimeZoneSpec");

    if (!zone)
        unsetenv("TZ");
    else if (*zone)
        setenv("TZ", zone, 1);
    tzset();
}

/* The file of -X; -1: there is none.  False, and said why: it cannot be opened. */
static bool open_traffic(const struct arguments *g, int *fd)
{
    *fd = -1;
    if (!g->traffic)
        return true;
    *fd = open(g->traffic, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (*fd < 0)
        fprintf(stderr, "mcfd: cannot open %s: %s\n", g->traffic, strerror(errno));
    return *fd >= 0;
}

/* What is opened must not be taken for standard input or output, where there is none. */
static void open_standard(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Whoever runs us gets no rights by that, whatever the file's mode says: what is read, and where
 * to, is his to say. */
static bool drop_rights(void)
{
    const uid_t uid = getuid();
    const gid_t gid = getgid();

    return (getegid() == gid || setresgid(gid, gid, gid) == 0) &&
           (geteuid() == uid || setresuid(uid, uid, uid) == 0);
}

int main(int argc, char **argv)
{
    open_standard();
    if (!drop_rights())
        return EX_NOPERM;
    struct arena *a = arena_new(no_memory, NULL);
    struct arguments given;
    const char *why;

    if (arguments_read(a, argc, argv, &given, &why))
        return service_exit(given.mode, wrong_usage(a, argv[0], &given, why));
    struct source_set *sources = source_set_new(a);
    int err;
    const struct source *src = source_open(sources, given.path, &err);
    if (!src->bytes) {
        /* In the form of sendmail, which scripts look for. */
        printf("%s: line 0: cannot open: %s\n", given.path, strerror(err));
        return service_exit(given.mode, EX_OSFILE);
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
    struct own_names names = {&given, false};
    if (!needs_names(&given))
        host_ask_nobody();
    struct program_host *host = host_find(a, true, no_name_server, &names);
    host->mode = arguments_mode(a, given.mode);
    struct resolver *resolver = resolver_new(a);
    struct lookup_world world = {.resolver = resolver, .host = host->name};
    host->programs = true;
    host->world = &world;
    struct program *p = program_compile(a, config, host, d);
    resolver_set_options(resolver, program_option(p, "ResolverOptions"),
                         program_is_true(p, "UseCompressedIPv6Addresses", false));
    const struct trust trust = {.reader = *setting_text(p, "RunAsUser") ? NULL : reader_now(a),
                                .forgives = forgives,
                                .ctx = p};
    world.trust = &trust;
    set_time_zone(p);
    world.service_switch = service_switch(a, p, &trust);
    world.hosts_file = program_option(p, "HostsFile");
    world.userdb_spec = program_option(p, "UserDatabaseSpec");
    world.ldap_defaults = program_option(p, "LDAPDefaultSpec");
    config_check(config, NULL, d);
    const struct log *log = log_open(a, p, given.path, given.log_json, given.tag);
    if (!log) {
        fprintf(stderr, "mcfd: %s: %s\n", given.log_json, strerror(errno));
        return service_exit(given.mode, EX_CANTCREAT);
    }
    if (service_is(given.mode))
        return service_run(&(struct mode_setup){a, &given, p, &world, log, d, -1, false});
    int traffic;
    if (!open_traffic(&given, &traffic))
        return EX_CANTCREAT;
    struct mode_setup setup = {a, &given, p, &world, log, d, traffic, names.silent};
    if (is_wrong_daemon(p, given.mode)) {
        fputs("Mail submission program cannot be used as daemon\n", stderr);
        return EX_USAGE;
    }
    const bool starts = is_start(given.mode) && !mode_passes(&setup);
    if (starts || given.mode == MODE_CHECK)
        check_machine(&setup);
    if (given.mode == MODE_CHECK)
        return check_run(&setup);
    int read = status_of(d), status = read;
    if (read || is_ended(d) || speaks_of_findings(given.mode))
        diag_print(d, stderr, false);
    if (is_ended(d))
        return EX_USAGE;
    if (given.mode == MODE_TEST) {
        status = run_test(a, p, &world, &given);
        if (read)
            status = read;
    } else if (!read && !given.check) {
        status = run_mode(&setup);
    }
    resolver_close(resolver);
    arena_free(a);
    return status;
}
