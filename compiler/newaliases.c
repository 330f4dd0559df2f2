#include "compiler/newaliases.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "compiler/alias_build.h"
#include "compiler/cf_file.h"
#include "compiler/makemap.h"
#include "compiler/map_config.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/trust.h"
#include "lib/model/options.h"

static const char usage[] =
    "usage: newaliases [-v] [-C FILE.cf] [-O AliasFile=FILE,...]\n"
    "\n"
    "  Makes the databases of the alias files that FILE.cf (" MAKEMAP_CF ") names.\n";

struct newaliases {
    struct arena *arena;
    const char *cf, *files; /* files: NULL, or what the .cf is not asked for */
    const struct config *config;
    uid_t owner;
};

/* --- options ---------------------------------------------------------------------------------- */

static void set_option(struct newaliases *n, const char *text)
{
    const char *value = strchr(text, '=');
    if (value && (size_t)(value - text) == strlen("AliasFile") &&
        strncasecmp(text, "AliasFile", strlen("AliasFile")) == 0)
        n->files = value + 1;
}

/* -1, or the exit code.  The options are sendmail's; most of them have nothing to do with aliases.
 */
static int read_options(struct newaliases *n, int argc, char **argv)
{
    int c;
    opterr = 0;
    while ((c = getopt(argc, argv, "A:B:b:C:D:d:F:f:GiL:M:mN:nO:o:p:R:r:sTtUV:vX:")) != -1)
        switch (c) {
        case 'A':
            if (!n->cf && *optarg == 'c')
                n->cf = "/etc/mail/submit.cf";
            break;
        case 'C':
            n->cf = optarg;
            break;
        case 'O':
            set_option(n, optarg);
            break;
        case 'o':
            if (*optarg == 'A')
                n->files = optarg + 1;
            break;
        case 'b':
            if (*optarg == 'i')
                break;
            /* fall through */
        case '?':
            fputs(usage, stderr);
            return EX_USAGE;
        default:
            break;
        }
    n->cf = n->cf ? n->cf : MAKEMAP_CF;
    return -1;
}

/* --- the work --------------------------------------------------------------------------------- */

static bool forgives(const void *ctx, const char *word)
{
    return option_forgives(ctx, word, NULL);
}

/* Whether the database may be written: in place of another, through a link. */
static bool may_write(const struct newaliases *n, const struct trust *trust, const char **path,
                      struct trust_fault *fault)
{
    char real[PATH_MAX];
    struct stat st;

    if (!trust_folders(n->arena, trust, &trust_map, *path, fault))
        return false;
    if (lstat(*path, &st) != 0)
        return true;
    *fault = (struct trust_fault){.path = *path, .file = *path};
    if (S_ISLNK(st.st_mode) && !forgives(n->config, "WriteMapToSymLink"))
        fault->why = "it is a symbolic link";
    else if (S_ISREG(st.st_mode) && st.st_nlink > 1 && !forgives(n->config, "WriteMapToHardLink"))
        fault->why = "it has another name, too (a hard link)";
    if (fault->why) {
        fault->command = arena_printf(n->arena, "rm %s", *path);
        return false;
    }
    if (stat(*path, &st) == 0 && st.st_uid != geteuid() && st.st_uid != n->owner) {
        fault->why = "it belongs to somebody else";
        fault->command = arena_printf(n->arena, "chown %lu %s", (unsigned long)geteuid(), *path);
        if (geteuid() == 0)
            fault->command = arena_printf(n->arena, "chown root %s", *path);
        return false;
    }
    if (realpath(*path, real))
        *path = arena_strdup(n->arena, real);
    return true;
}

static int exit_code(enum alias_fault fault)
{
    return fault == ALIAS_GOOD                                ? EX_OK
           : fault == ALIAS_BYTE || fault == ALIAS_NO_ADDRESS ? EX_USAGE
                                                              : EX_SOFTWARE;
}

static void say_findings(const char *source, const struct alias_result *r)
{
    size_t n;
    const struct finding *const *f = diag_sorted(r->diag, &n);
    for (size_t i = 0; i < n; i++)
        printf("%s: line %u: %s%s\n", source, f[i]->at.line,
               f[i]->severity == DIAG_ERROR ? "" : "Warning: ", f[i]->text);
}

static int make(const struct newaliases *n, const struct map_declared *m)
{
    const struct trust trust = {.forgives = forgives, .ctx = n->config};
    const char *path = arena_printf(n->arena, "%s%s", m->source, map_type_suffix(m->type));
    struct trust_fault fault;

    /* Who can write it decides where mail goes. */
    if (!trust_file(n->arena, &trust, &trust_alias_source, m->source, &fault)) {
        if (!m->optional || access(m->source, F_OK) == 0)
            printf("newaliases: cannot open %s: %s\n", m->source, trust_said(n->arena, &fault));
        return EX_OK;
    }
    if (!may_write(n, &trust, &path, &fault)) {
        printf("Cannot create database for alias file %s: %s\n", m->source,
               trust_said(n->arena, &fault));
        return EX_SOFTWARE;
    }
    const struct alias_job job = {.source = m->source,
                                  .path = path,
                                  .looked_at = true,
                                  .type = m->type,
                                  .nul = m->nul,
                                  .owner = n->owner,
                                  .terms = alias_terms_of(n->arena, n->config)};
    const struct alias_result r = alias_build(n->arena, &job);
    say_findings(m->source, &r);
    if (!r.written) {
        printf("Cannot create database for alias file %s: %s\n", m->source,
               r.why ? r.why : strerror(r.error));
        return EX_SOFTWARE;
    }
    printf("%s: %zu aliases, longest %zu bytes, %zu bytes total\n", m->source, r.entries, r.longest,
           r.bytes);
    return exit_code(r.first);
}

/* All that are named, or none where one is of no class, or has no file. */
static int make_all(const struct newaliases *n)
{
    const struct map_aliases files = map_config_aliases(n->config, n->files);
    int rc = EX_OK;
    for (size_t i = 0; i < files.n; i++) {
        const struct map_declared *m = &files.v[i];
        if (!m->unknown && (!m->made || m->source))
            continue;
        printf("%s: %s %s\n", m->at,
               m->unknown ? "there is no alias class" : "AliasFile without a file, class",
               m->class);
        return EX_SOFTWARE;
    }
    for (size_t i = 0; i < files.n; i++) {
        int one = files.v[i].made ? make(n, &files.v[i]) : EX_OK;
        rc = rc ? rc : one;
    }
    return rc;
}

int newaliases_main(int argc, char **argv)
{
    struct newaliases n = {.arena = arena_new(verb_out_of_memory, NULL)};
    int rc = read_options(&n, argc, argv);
    if (rc < 0 && access(n.cf, R_OK) != 0) {
        printf("%s: cannot open: %s\n", n.cf, strerror(errno));
        rc = EX_OSFILE;
    }
    if (rc < 0) {
        struct source_set *sources = source_set_new(n.arena);
        n.config = cf_file_read("newaliases", n.arena, sources, n.cf, false, NULL);
        rc = n.config ? -1 : EX_OSFILE;
    }
    if (rc < 0) {
        n.owner = makemap_trusted_user(n.config);
        rc = make_all(&n);
        if (fflush(stdout) != 0)
            rc = EX_IOERR;
    }
    arena_free(n.arena);
    return rc;
}
