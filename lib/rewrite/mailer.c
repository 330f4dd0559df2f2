/*
 * mailer: M lines as a program has them.
 */
#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/model/findings.h"
#include "lib/rewrite/compile.h"

enum { RECIPIENTS_DEFAULT = 100, RFC821_LINE = 990, MAILERS_MAX = 25 };

/* Each letter once, in the order of the character set. */
static const char *sorted(struct arena *a, const char *flags)
{
    bool there[256] = {false};
    char *out = arena_raw(a, 257), *q = out;

    for (const char *s = flags; *s; s++)
        there[(unsigned char)*s] = !strchr(" \t\n\\", *s);
    for (int c = 1; c < 256; c++) {
        if (there[c])
            *q++ = (char)c;
    }
    *q = '\0';
    return out;
}

static const char *without(struct arena *a, const char *flags, char flag)
{
    char *out = arena_strdup(a, flags), *at = strchr(out, flag);

    if (at)
        memmove(at, at + 1, strlen(at));
    return out;
}

/* The number of the ruleset that s names; -1: there can be none of that name. */
static int ruleset_number(struct compiler *k, const char *s, size_t len)
{
    while (len > 0 && (*s == ' ' || *s == '\t')) {
        s++;
        len--;
    }
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        len--;
    const struct ruleset *r = compile_ruleset(k, s, len, -1);
    return r ? r->number : -1;
}

/* "sender/header", or one for both: the slash stands right behind the first name. */
static bool rulesets(struct compiler *k, const char *s, int *envelope, int *header)
{
    long number;

    s += strspn(s, " \t");
    size_t n = program_ruleset_name(s, strlen(s), &number);
    const char *slash = s + n + strspn(s + n, " \t");
    if (*slash != '/')
        slash = NULL;
    *envelope = ruleset_number(k, s, slash ? (size_t)(slash - s) : strlen(s));
    *header = slash ? ruleset_number(k, slash + 1, strlen(slash + 1)) : *envelope;
    return *envelope >= 0 && *header >= 0;
}

/* E=: backslash forms become bytes. */
static const char *line_end(struct arena *a, const char *s)
{
    char *out = arena_raw(a, strlen(s) + 1), *q = out;

    for (; *s; s++) {
        if (*s != '\\' || !s[1]) {
            *q++ = *s;
            continue;
        }
        s++;
        *q++ = *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s;
    }
    *q = '\0';
    return out;
}

static bool is_path(struct compiler *k, const struct mailer *m, const char *path)
{
    size_t len;

    return strcmp(text_bytes(k->p->arena, &m->path, &len), path) == 0;
}

/* What is not given: a mailer whose argument is not the user speaks SMTP. */
static void usual_values(struct compiler *k, struct mailer *m)
{
    static const char *const usual[] = {"dns", "rfc822", "smtp"};
    bool over_network = is_path(k, m, "[IPC]");
    uint32_t u = compile_name(k, "u");
    bool smtp = true;

    for (size_t i = 0; i < m->argv.n; i++)
        smtp = smtp && !(m->argv.pieces[i].op == OP_MACRO && m->argv.pieces[i].number == u);
    m->smtp = smtp || over_network || is_path(k, m, "[LPC]");
    if (m->line_limit <= 0) /* F=L: lines as RFC 821 has them */
        m->line_limit = strchr(m->flags, 'L') ? RFC821_LINE : 0;
    if (!m->eol_text)
        m->eol_text = m->smtp ? "\r\n" : "\n";
    for (size_t i = 0; i < 3; i++) {
        if (!m->types[i] && (over_network || m->has_types))
            m->types[i] = usual[i];
    }
    if (over_network && !m->has_types && m->argv.n > 0 && m->argv.pieces[0].op == 0 &&
        strncmp(m->argv.pieces[0].p, "FILE", 4) == 0)
        m->types[2] = "x-unix";
}

/* The words of A=, with one blank between them. */
static const char *one_blank(struct arena *a, const char *s)
{
    char *out = arena_raw(a, strlen(s) + 1), *q = out;

    for (; *s; s++) {
        bool blank = *s == ' ' || *s == '\t' || *s == '\n';
        if (!blank)
            *q++ = *s;
        else if (q > out && q[-1] != ' ')
            *q++ = ' ';
    }
    while (q > out && q[-1] == ' ')
        q--;
    *q = '\0';
    return out;
}

/* U=: names become numbers; NULL: the system does not know the user, and nothing behind it is read.
 */
static const char *user_numbers(struct arena *a, const char *s)
{
    static const char blank[] = " \t\n";
    long uid = -1, gid = -1;
    char *end;

    s += strspn(s, blank);
    if (isdigit((unsigned char)*s)) {
        uid = strtol(s, &end, 0);
        s = end;
    } else {
        size_t n = strcspn(s, ":. \t\n");
        const struct passwd *pw = getpwnam(arena_strndup(a, s, n));
        if (!pw)
            return n > 0 ? NULL : "-1:-1";
        uid = (long)pw->pw_uid;
        gid = (long)pw->pw_gid;
        s += n;
    }
    s += strspn(s, blank);
    if (*s == ':' || *s == '.') {
        s++;
        s += strspn(s, blank);
        if (isdigit((unsigned char)*s)) {
            gid = strtol(s, NULL, 0);
        } else {
            const struct group *g = getgrnam(arena_strndup(a, s, strcspn(s, blank)));
            gid = g ? (long)g->gr_gid : gid;
        }
    }
    return arena_printf(a, "%ld:%ld", uid, gid);
}

static void types(struct compiler *k, struct mailer *m, const char *s)
{
    m->has_types = true;
    for (size_t i = 0; i < 3; i++) {
        size_t n = strcspn(s, "/");
        m->types[i] = n > 0 ? arena_strndup(k->p->arena, s, n) : NULL;
        s += n;
        s += *s == '/';
    }
}

static const char *without_quotes(struct arena *a, const char *s)
{
    char *out = arena_raw(a, strlen(s) + 1), *q = out;

    for (; *s; s++) {
        if (*s != '"')
            *q++ = *s;
    }
    *q = '\0';
    return out;
}

static void bad_ruleset(struct compiler *k, const struct item *it, const char *value)
{
    if (k->diag)
        finding_add(k->diag, FINDING_MAILER_RULESET, it->at, it->name, value, NULL);
}

/* False: sendmail knows no such mailer then. */
static bool equate(struct compiler *k, const struct item *it, struct mailer *m,
                   const struct equate *e)
{
    struct arena *a = k->p->arena;
    const char *value = without_quotes(a, e->value);

    switch (*e->key) {
    case 'P':
        m->path = compile_text(k, value);
        break;
    case 'F':
        m->flags = sorted(a, value);
        break;
    case 'S':
        if (rulesets(k, value, &m->sender_envelope, &m->sender_header))
            break;
        bad_ruleset(k, it, value);
        return false;
    case 'R':
        if (rulesets(k, value, &m->recipient_envelope, &m->recipient_header))
            break;
        bad_ruleset(k, it, value);
        return false;
    case 'E':
        m->eol_text = line_end(a, value);
        break;
    case 'A':
        m->argv = compile_text(k, one_blank(a, value));
        break;
    case 'M':
        m->max_size = atol(value);
        break;
    case 'L':
        m->line_limit = atol(value);
        if (m->line_limit < 0)
            m->line_limit = 0;
        break;
    case 'r':
        m->recipients = atol(value);
        if (m->recipients <= 0)
            m->recipients = RECIPIENTS_DEFAULT;
        break;
    case 'C':
        m->charset = value;
        break;
    case 'T':
        types(k, m, value);
        break;
    case 'U':
        m->user = user_numbers(a, value);
        if (!m->user && k->diag)
            finding_add(k->diag, FINDING_MAILER_USER, it->at, it->name, value, NULL);
        break;
    default:
        break;
    }
    return true;
}

const struct mailer *program_mailer(const struct program *p, const char *name, size_t len)
{
    for (size_t i = 0; i < p->nmailers; i++) {
        if (words_same(p->mailers[i]->name, strlen(p->mailers[i]->name), name, len))
            return p->mailers[i];
    }
    return NULL;
}

/* Adds m, or puts it in the place of the one of its name; NULL where there is no room. */
static struct mailer *add_mailer(struct compiler *k, const struct mailer *m)
{
    struct program *p = k->p;
    struct mailer *known = NULL;

    for (size_t i = 0; i < p->nmailers && !known; i++) {
        if (strcasecmp(p->mailers[i]->name, m->name) == 0)
            known = p->mailers[i];
    }
    if (!known) {
        if (p->nmailers == MAILERS_MAX)
            return NULL;
        p->mailers = arena_grow(p->arena, p->mailers, p->nmailers, &p->mailer_room,
                                sizeof(struct mailer *), 8);
        known = p->mailers[p->nmailers] = arena_alloc(p->arena, sizeof *known);
        known->index = (int)p->nmailers++;
    }
    int index = known->index;
    *known = *m;
    known->index = index;
    return known;
}

/* What a mailer must have; what lacks it is not there for sendmail. */
static bool is_whole(struct compiler *k, const struct item *it, const struct mailer *m)
{
    size_t len = strlen(it->value);

    if (m->path.n == 0 || m->argv.n == 0 || (len > 0 && it->value[len - 1] == ','))
        return false;
    for (const struct equate *e = it->equates; e; e = e->next) {
        if (!e->has_value)
            return false;
    }
    const char *args = text_bytes(k->p->arena, &m->argv, &len);
    return !is_path(k, m, "[TCP]") &&
           (strchr(args, ' ') || !(is_path(k, m, "[IPC]") || is_path(k, m, "[FILE]")));
}

void compile_mailer(struct compiler *k, const struct item *it)
{
    struct mailer m = {.name = it->name, .flags = "", .recipients = RECIPIENTS_DEFAULT, .item = it};

    for (const struct equate *e = it->equates; e; e = e->next) {
        if (!equate(k, it, &m, e))
            return;
    }
    if (!is_whole(k, it, &m))
        return;
    usual_values(k, &m);
    /* A program and a file take one recipient at a time, whatever the flags say. */
    if (strcasecmp(m.name, "prog") == 0 || strcmp(m.name, "*file*") == 0)
        m.flags = without(k->p->arena, m.flags, 'm');
    if (!add_mailer(k, &m) && k->diag)
        finding_add(k->diag, FINDING_TOO_MANY_MAILERS, it->at, NULL);
}

void compile_built_in_mailers(struct compiler *k)
{
    static const struct {
        const char *name, *path, *flags, *argv, *type;
    } built_in[] = {
        {"prog", "/bin/sh", "lsoDq9u", "sh -c $u", "X-Unix"},
        {"*file*", "[FILE]", "lsDFMPEouq9", "FILE $u", "X-Unix"},
        {"*include*", "/dev/null", "su", "INCLUDE $u", NULL},
    };

    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
        struct mailer m = {.name = built_in[i].name,
                           .path = compile_text(k, built_in[i].path),
                           .flags = sorted(k->p->arena, built_in[i].flags),
                           .argv = compile_text(k, built_in[i].argv),
                           .recipients = RECIPIENTS_DEFAULT,
                           .eol_text = "\n"};
        for (size_t t = 0; t < 3; t++)
            m.types[t] = built_in[i].type;
        add_mailer(k, &m);
    }
}

void compile_mailers_of_level(struct compiler *k)
{
    static const struct {
        int level; /* the first that has them no more */
        const char *name, *flags;
    } old[] = {
        {LEVEL_LOCAL_FLAGS, "local", "Aw5:|/@"}, {LEVEL_LOCAL_FLAGS, "prog", "o"},
        {LEVEL_LOCAL_FLAGS, "*file*", "o"},      {LEVEL_VERIFY_FLAG, "local", "q"},
        {LEVEL_VERIFY_FLAG, "prog", "q"},        {LEVEL_VERIFY_FLAG, "*file*", "q"},
    };
    struct arena *a = k->p->arena;

    for (size_t i = 0; i < k->p->nmailers; i++) {
        struct mailer *m = k->p->mailers[i];
        for (size_t n = 0; n < sizeof old / sizeof *old; n++) {
            if (k->p->level < old[n].level && strcasecmp(m->name, old[n].name) == 0)
                m->flags = sorted(a, arena_printf(a, "%s%s", m->flags, old[n].flags));
        }
    }
}
