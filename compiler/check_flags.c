/*
 * check_flags: the letters of mailers' flags, where the .mc says them.
 *
 * The model has them too, joined with those of the library; there nobody can tell whose they are.
 */
#include <string.h>

#include "compiler/check.h"
#include "compiler/target.h"
#include "lib/base/arena.h"
#include "lib/model/check.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What MODIFY_MAILER_FLAGS calls the mailers of the library: measured with each of them. */
static const char *const flag_names[] = {
    "LOCAL", "SHELL", "SMTP",  "ESMTP",  "SMTP8",   "DSMTP", "RELAY",  "UUCP", "PROCMAIL",
    "CYRUS", "POP",   "QPAGE", "MAIL11", "CYRUSV2", "PH",    "USENET", "SSH",
};

/* Letters that sendmail does not know; skip: bytes before them. */
static void check_letters(struct front *f, const struct m4_record *r, size_t arg, size_t skip)
{
    const char *letters = arg <= r->argc ? r->argv[arg - 1] : "";
    struct origin at = front_place(f, r, arg);
    const struct source *s = source_by_id(f->config->sources, at.file);
    size_t n = strlen(letters);
    bool exact = s && s->bytes && at.col && at.len == n;
    size_t from = exact ? source_offset(s, at.line, at.col) : 0;
    exact = exact && memcmp(s->bytes + from, letters, n) == 0;
    for (size_t i = skip; i < n; i++) {
        if (strchr(" \t\n", letters[i]))
            continue;
        struct origin letter = exact ? source_origin(s, from + i, 1) : at;
        const char text[] = {letters[i], '\0'};
        if (config_mailer_flag(letters[i])) {
            if (!skip || letters[0] == '+')
                target_check_flag(f, letter, text);
            continue;
        }
        struct finding *x = finding_add(f->diag, FINDING_UNKNOWN_MAILER_FLAG, letter, text, NULL);
        if (skip && strchr("+-", letters[i]))
            diag_hint(f->diag, x, "a sign counts at the beginning only: write a second line");
        front_blame(f, x, r);
    }
}

/* Does the site have a mailer file that no reference library has?  It may call its flags anything.
 */
static bool has_own_mailers(const struct front *f)
{
    static const char *const usual[] = {
        "cyrus", "cyrusv2",  "fax",   "local", "mail11", "phquery", "pop",
        "ssh",   "procmail", "qpage", "smtp",  "usenet", "uucp",    "xagent",
    };
    for (const struct m4_define *x = f->site; x; x = x->next) {
        size_t i = 0;
        if (strncmp(x->name, "mailer_", 7) != 0)
            continue;
        while (i < COUNT(usual) && strcmp(usual[i], x->name + 7) != 0)
            i++;
        if (i == COUNT(usual))
            return true;
    }
    return false;
}

static void check_modify(struct front *f, const struct m4_record *r)
{
    const char *name = r->argc > 0 ? r->argv[0] : "", *flags = r->argc > 1 ? r->argv[1] : "";
    size_t i = 0;
    while (i < COUNT(flag_names) && strcmp(flag_names[i], name) != 0)
        i++;
    if (i == COUNT(flag_names) && !has_own_mailers(f)) {
        struct origin at = front_place(f, r, 1);
        struct finding *x = finding_add(f->diag, FINDING_UNKNOWN_MAILER_NAME, at, name, NULL);
        finding_suggest(f->diag, x, at, name, flag_names, COUNT(flag_names));
        front_blame(f, x, r);
    }
    if (*flags)
        check_letters(f, r, 2, *flags == '+' || *flags == '-');
}

static bool is_flags(const char *name)
{
    static const char end[] = "_MAILER_FLAGS";
    size_t n = strlen(name);
    return strcmp(name, "LOCAL_SHELL_FLAGS") == 0 ||
           (n >= sizeof end && strcmp(name + n - (sizeof end - 1), end) == 0 && name[0] != '_');
}

void check_flags(struct front *f)
{
    for (const struct m4_record *r = f->m4->records; r; r = r->next) {
        if (!r->at.file || r->argc == 0)
            continue;
        if (strcmp(r->kind, "MODIFY_MAILER_FLAGS") == 0)
            check_modify(f, r);
        else if (strcmp(r->kind, "define") == 0 && r->argc > 1 && is_flags(r->argv[0]))
            check_letters(f, r, 2, 0);
    }
}
