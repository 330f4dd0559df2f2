/*
 * check_calls: what the directives of an .mc say that cannot be right: names, order, arguments.
 */
#include <stdio.h>
#include <string.h>

#include "compiler/check.h"
#include "lib/base/arena.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* arg: 0 = the whole call, else that argument. */
static struct finding *found(struct front *f, enum finding_id id, const struct m4_record *r,
                             size_t arg, const char *first, const char *second, const char *third)
{
    struct finding *x =
        finding_add(f->diag, id, front_place(f, r, arg), first ? first : "", second, third, NULL);
    front_blame(f, x, r);
    return x;
}

static const struct {
    const char *kind;
    enum finding_id id;
} unknown_kinds[] = {
    {"ostype", FINDING_UNKNOWN_OSTYPE},   {"domain", FINDING_UNKNOWN_DOMAIN},
    {"mailer", FINDING_UNKNOWN_MAILER},   {"hack", FINDING_UNKNOWN_HACK},
    {"feature", FINDING_UNKNOWN_FEATURE},
};

static void unknown(struct front *f, const struct m4_record *r, const struct m4_record *call)
{
    const char *kind = r->argc > 0 ? r->argv[0] : "", *name = r->argc > 1 ? r->argv[1] : "";
    if (!call)
        call = r;
    if (*name == '\0') {
        found(f, FINDING_MISSING_NAME_OF_CALL, call, 1, call->kind, NULL, NULL);
        return;
    }
    for (size_t i = 0; i < COUNT(unknown_kinds); i++)
        if (strcmp(kind, unknown_kinds[i].kind) == 0) {
            struct finding *x = found(f, unknown_kinds[i].id, call, 1, name, NULL, NULL);
            size_t n;
            const char *const *names = front_names(f, kind, &n);
            finding_suggest(f->diag, x, x->at, name, names, n);
        }
}

static void check_feature(struct front *f, const struct m4_record *r, bool mailer_seen,
                          const struct table *seen_features, const struct table *seen_mailers)
{
    const char *name = r->argc > 0 ? r->argv[0] : "";
    const struct rule_file *file = template_feature(f->library, name);
    if (mailer_seen)
        found(f, FINDING_FEATURE_AFTER_MAILER, r, 0, name, NULL, NULL);
    if (!file)
        return;
    for (const char *const *n = file->needs; n && *n; n++)
        if (!table_has(seen_features, *n))
            found(f, FINDING_FEATURE_NEEDS, r, 0, name, *n, NULL);
    for (const char *const *n = file->before; n && *n; n++)
        if (table_has(seen_mailers, *n))
            found(f, FINDING_FEATURE_AFTER_ITS_MAILER, r, 0, name, *n, NULL);
    unsigned given = 0;
    for (size_t i = 1; i < r->argc; i++)
        if (*r->argv[i])
            given = (unsigned)i;
    if (given < file->required)
        found(f, FINDING_MISSING_ARGUMENT, r, 0, name, arena_printf(f->arena, "%u", file->required),
              file->required == 1 ? "" : "s");
}

/* call: the directive that was read last, which said it if both are on one line. */
static void said(struct front *f, const struct m4_record *r, const struct m4_record *call)
{
    bool by_call = call && call->at.file == r->at.file && call->at.line == r->at.line;
    char *text = arena_strdup(f->arena, r->argc > 0 ? r->argv[0] : "");
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    if (n == 0)
        return;
    enum finding_id id = FINDING_SAID_NOTE;
    const char *rest = text;
    if (strncmp(rest, "*** ", 4) == 0)
        rest += 4;
    if (strncmp(rest, "ERROR: ", 7) == 0) {
        id = FINDING_SAID_ERROR;
        rest += 7;
    } else if (strncmp(rest, "WARNING: ", 9) == 0 || strncmp(rest, "Warning: ", 9) == 0) {
        id = FINDING_SAID;
        rest += 9;
    } else if (rest != text) {
        id = strstr(rest, "requires FEATURE") || strstr(rest, "must appear after")
                 ? FINDING_SAID_ERROR
                 : FINDING_SAID;
    }
    finding_add(f->diag, id, by_call ? front_place(f, call, 0) : r->at, rest, NULL);
}

/* Variables of old releases, and what to write instead. */
static const struct {
    const char *name, *instead;
} old_names[] = {
    {"confDAEMON_OPTIONS", "write DAEMON_OPTIONS(`...')"},
    {"confCLIENT_OPTIONS", "write CLIENT_OPTIONS(`...')"},
    {"confMESSAGE_TIMEOUT", "define confTO_QUEUERETURN and confTO_QUEUEWARN"},
    {"confAUTO_REBUILD", "leave it out: alias files are rebuilt by newaliases"},
    {"confDEF_GROUP_ID", "give confDEF_USER_ID as user:group"},
    {"confREAD_TIMEOUT", "define the confTO_ variables that are meant"},
    {"confUNSAFE_GROUP_WRITES", "define confDONT_BLAME_SENDMAIL"},
    {"confMIN_FREE_BLOCKS", "give the second number as confMAX_MESSAGE_SIZE"},
};

static void old_name(struct front *f, const char *name, struct origin at)
{
    const struct front_define *d = table_get(f->defines, name);
    struct finding *x =
        finding_add(f->diag, FINDING_DEPRECATED_VARIABLE, d ? d->name : at, name, NULL);
    for (size_t i = 0; i < COUNT(old_names); i++)
        if (strcmp(old_names[i].name, name) == 0)
            diag_hint(f->diag, x, "%s", old_names[i].instead);
}

void check_calls(struct front *f)
{
    struct table *features = table_new(f->arena), *mailers = table_new(f->arena);
    const struct m4_record *ostype = NULL, *call = NULL;
    bool mailer_seen = false;
    for (const struct m4_record *r = f->m4->records; r; r = r->next) {
        const char *arg0 = r->argc > 0 ? r->argv[0] : "";
        if (strcmp(r->kind, "OSTYPE") == 0) {
            call = r;
            if (ostype && (r->at.file != ostype->at.file || r->at.line != ostype->at.line))
                found(f, FINDING_DUPLICATE_OSTYPE, r, 0, NULL, NULL, NULL);
            ostype = r;
            if (strcmp(arg0, "unknown") == 0)
                found(f, FINDING_UNKNOWN_SYSTEM, r, 0, NULL, NULL, NULL);
        } else if (strcmp(r->kind, "FEATURE") == 0) {
            call = r;
            /* One that a library file names is that file's business. */
            check_feature(f, r, mailer_seen, features, mailers);
            table_set(features, arg0, f);
        } else if (strcmp(r->kind, "MAILER") == 0) {
            call = r;
            mailer_seen = mailer_seen || r->at.file != 0;
            table_set(mailers, arg0, f);
        } else if (strcmp(r->kind, "DOMAIN") == 0 || strcmp(r->kind, "HACK") == 0) {
            call = r;
        } else if (strcmp(r->kind, "again") == 0) {
            found(f, FINDING_DUPLICATE_MAILER, call ? call : r, 0, r->argc > 1 ? r->argv[1] : "",
                  NULL, NULL);
        } else if (strcmp(r->kind, "foreign") == 0) {
            found(f, FINDING_FOREIGN_DOMAIN, call ? call : r, 1, arg0, NULL, NULL);
        } else if (strcmp(r->kind, "unknown") == 0) {
            unknown(f, r, call);
        } else if (strcmp(r->kind, "before-mailer") == 0) {
            finding_add(f->diag, FINDING_SECTION_BEFORE_MAILER, r->at, arg0, NULL);
        } else if (strcmp(r->kind, "old") == 0) {
            old_name(f, arg0, r->at);
        } else if (strcmp(r->kind, "command") == 0) {
            finding_add(f->diag, FINDING_COMMAND, r->at, arg0, r->argc > 1 ? r->argv[1] : "", NULL);
        } else if (strcmp(r->kind, "refused") == 0) {
            finding_add(f->diag, FINDING_REFUSED, r->at, arg0, NULL);
        } else if (strcmp(r->kind, "errprint") == 0) {
            said(f, r, call);
        }
    }
    /* A file that defines __OSTYPE__ says that it knows. */
    if (!ostype && !table_has(f->m4->values, "__OSTYPE__"))
        finding_add(f->diag, FINDING_NO_OSTYPE, (struct origin){f->source->id, 0, 0, 0}, NULL);
}
