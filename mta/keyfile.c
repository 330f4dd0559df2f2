#include "mta/keyfile.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/arena.h"

static uid_t trusted_user(const struct program *p)
{
    const char *trusted = setting_text(p, "TrustedUser");
    char *end;
    unsigned long number = strtoul(trusted, &end, 10);
    const struct passwd *pw = *trusted && *end ? getpwnam(trusted) : NULL;

    return pw ? pw->pw_uid : *trusted && !*end ? (uid_t)number : 0;
}

static bool forgives(const void *ctx, const char *word)
{
    return program_forgives(ctx, word, NULL);
}

const char *keyfile_wrong(struct arena *a, const struct program *p, const char *path,
                          const struct trust_kind *kind, const char **command)
{
    const uid_t trusted = trusted_user(p);
    const struct trust trust = {.forgives = forgives, .ctx = p, .trusted = &trusted};
    struct trust_fault fault;

    *command = NULL;
    if (trust_file(a, &trust, kind, path, &fault))
        return NULL;
    *command = fault.command;
    return arena_printf(a, "file %s unsafe: %s", path, fault.why);
}
