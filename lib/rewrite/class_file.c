#include "lib/rewrite/class_file.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "lib/base/trust.h"
#include "lib/model/class_scan.h"
#include "lib/model/findings.h"
#include "lib/rewrite/class_program.h"
#include "lib/rewrite/compile.h"

enum { CLASS_FILE_MAX = 1 << 30, LINE_MAX_BYTES = 2047, ARGUMENTS_MAX = 64 };

/* An F line behind its class's name. */
struct class_source {
    bool optional;
    char *path; /* or a program and its arguments */
    const char *format;
};

static void failed(struct compiler *k, const struct item *it, enum finding_id id, const char *what,
                   const char *why)
{
    if (k->diag)
        finding_add(k->diag, id, it->at, what, why, NULL);
}

/* Words of a text that a line, or a map, has given. */
static void add_words(struct compiler *k, uint32_t cls, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t begin = i;
        while (i < len && !isspace((unsigned char)s[i]))
            i++;
        if (i > begin)
            compile_word(k, cls, s + begin, i - begin);
        else
            i++;
    }
}

/* A line is as long as sendmail's buffer, what is longer is another line; a NUL ends its text. */
static void add_lines(struct compiler *k, uint32_t cls, const char *format, const char *bytes,
                      size_t len)
{
    for (size_t from = 0; from < len;) {
        const char *line = bytes + from, *text;
        size_t room = len - from < LINE_MAX_BYTES ? len - from : LINE_MAX_BYTES, n;
        const char *nl = memchr(line, '\n', room);
        size_t line_len = nl ? (size_t)(nl - line) : room;
        from += line_len + (nl != NULL);
        line_len = strnlen(line, line_len);
        if (line_len > 0 && *line != '#' && class_scan(format, line, line_len, &text, &n))
            add_words(k, cls, text, n);
    }
}

/* --- the line ----------------------------------------------------------------------------- */

/* Up to a blank outside of quotes, which are dropped; NULL: a quote is not closed. */
static char *unquoted_word(struct arena *a, const char **s)
{
    char *out = arena_raw(a, strlen(*s) + 1), *q = out;
    bool quoted = false;
    const char *p = *s;

    for (; *p && (quoted || *p != ' '); p++) {
        if (*p == '"')
            quoted = !quoted;
        else
            *q++ = *p;
    }
    *q = '\0';
    *s = p;
    return quoted ? NULL : out;
}

static bool take_apart(struct compiler *k, const struct item *it, struct class_source *src,
                       const char *s)
{
    src->path = unquoted_word(k->p->arena, &s);
    if (!src->path) {
        failed(k, it, FINDING_CLASS_QUOTE, NULL, NULL);
        return false;
    }
    if (!*src->path) {
        failed(k, it, FINDING_CLASS_NO_FILE, NULL, NULL);
        return false;
    }
    src->format = s + strspn(s, " \t");
    return true;
}

/* --- files -------------------------------------------------------------------------------- */

/* What DontBlameSendmail says at the line. */
struct line {
    const struct compiler *k;
    const struct item *it;
};

static bool forgives_here(const void *ctx, const char *word)
{
    const struct line *l = ctx;

    return program_forgives(l->k->p, word, l->it);
}

static void untrusted(struct compiler *k, const struct item *it, enum finding_id id,
                      const struct trust_fault *fault)
{
    if (!k->diag)
        return;
    struct finding *f = finding_add(k->diag, id, it->at, fault->file, fault->why, NULL);
    if (fault->command)
        diag_hint(k->diag, f, "%s", fault->command);
}

static void read_file(struct compiler *k, const struct item *it, uint32_t cls,
                      const struct class_source *src)
{
    const struct line here = {k, it};
    const struct trust trust = {.forgives = forgives_here, .ctx = &here};
    struct trust_fault fault;
    char *bytes;
    size_t len;

    if (!trust_file(k->p->arena, &trust, &trust_class_file, src->path, &fault)) {
        if (!src->optional)
            untrusted(k, it, FINDING_CLASS_FILE, &fault);
        return;
    }
    int err = fs_read(k->p->arena, src->path, CLASS_FILE_MAX, &bytes, &len);
    if (!err)
        add_lines(k, cls, src->format, bytes, len);
    else if (!src->optional)
        failed(k, it, FINDING_CLASS_FILE, src->path, strerror(err));
}

/* --- programs ----------------------------------------------------------------------------- */

/* The option DefaultUser as it is at the line, else the first of these that there is. */
static void default_user(const struct program *p, const struct item *end, uid_t *uid, gid_t *gid)
{
    static const char *const usual[] = {"mailnull", "sendmail", "daemon"};
    const char *value = NULL;
    const struct passwd *pw = NULL;

    for (const struct item *x = p->config->first; x && x != end; x = x->next) {
        if (x->kind == ITEM_OPTION && program_is_option(x, "DefaultUser"))
            value = x->value;
    }

    *uid = *gid = 1;
    if (!value || !*value) {
        for (size_t i = 0; !pw && i < sizeof usual / sizeof *usual; i++)
            pw = getpwnam(usual[i]);
        if (pw) {
            *uid = pw->pw_uid;
            *gid = pw->pw_gid;
        }
        return;
    }
    size_t n = strcspn(value, ":.");
    const char *user = arena_strndup(p->arena, value, n);
    pw = getpwnam(user);
    if (pw) {
        *uid = pw->pw_uid;
        *gid = pw->pw_gid;
    } else if (isdigit((unsigned char)*user)) {
        *uid = (uid_t)strtoul(user, NULL, 10);
    }
    if (value[n]) {
        const struct group *g = getgrnam(value + n + 1);
        if (g)
            *gid = g->gr_gid;
        else if (isdigit((unsigned char)value[n + 1]))
            *gid = (gid_t)strtoul(value + n + 1, NULL, 10);
    }
}

/* AGENT, as sendmail has it, and what E lines above this one say. */
static char **environment(struct arena *a, const struct config *c, const struct item *end)
{
    size_t n = 0, room = 2;

    for (const struct item *x = c->first; x && x != end; x = x->next)
        room += x->kind == ITEM_ENV;
    char **env = arena_calloc(a, room, sizeof *env);
    env[n++] = arena_strdup(a, "AGENT=sendmail");
    for (const struct item *x = c->first; x && x != end; x = x->next) {
        if (x->kind != ITEM_ENV)
            continue;
        const char *value = x->aux ? x->value : getenv(x->name);
        if (value)
            env[n++] = arena_printf(a, "%s=%s", x->name, value);
    }
    return env;
}

static void read_program(struct compiler *k, const struct item *it, uint32_t cls,
                         const struct class_source *src)
{
    struct arena *a = k->p->arena;
    char *bytes, *argv[ARGUMENTS_MAX + 1] = {NULL};
    size_t n = 0, len;

    if (!k->host || !k->host->programs)
        return;
    for (char *s = src->path + 1; n < ARGUMENTS_MAX;) {
        s += strspn(s, " \t");
        size_t word = strcspn(s, " \t");
        if (word == 0)
            break;
        argv[n++] = arena_strndup(a, s, word);
        s += word;
    }
    if (n == 0)
        return; /* sendmail starts nothing, and says nothing */
    const struct line here = {k, it};
    const struct trust trust = {.forgives = forgives_here, .ctx = &here};
    struct trust_fault fault;
    if (*argv[0] == '/' && !trust_file(a, &trust, &trust_run, argv[0], &fault) && !fault.error)
        untrusted(k, it, FINDING_UNSAFE_PROGRAM, &fault);
    struct class_program p = {.argv = argv, .env = environment(a, k->p->config, it)};
    default_user(k->p, it, &p.uid, &p.gid);
    int err = class_program_run(a, &p, &bytes, &len);
    if (err)
        failed(k, it, FINDING_CLASS_PROGRAM, argv[0], strerror(err));
    else
        add_lines(k, cls, "", bytes, len); /* whatever the format */
}

/* --- maps --------------------------------------------------------------------------------- */

/* "key@class:spec"; a path is none. */
static bool is_map(const char *s, size_t *key_len, size_t *class_len)
{
    const char *at = *s == '/' || *s == '|' || *s == '"' ? NULL : strchr(s, '@');
    size_t n = 0;

    while (at && isalnum((unsigned char)at[1 + n]))
        n++;
    *key_len = at ? (size_t)(at - s) : 0;
    *class_len = n;
    return n > 0 && at[1 + n] == ':';
}

/* LDAPDefaultSpec, as far as it stands above the class. */
static const char *ldap_defaults(const struct config *c, const struct item *end)
{
    const char *found = NULL;

    for (const struct item *x = c->first; x && x != end; x = x->next) {
        if (x->kind == ITEM_OPTION && program_is_option(x, "LDAPDefaultSpec"))
            found = x->value;
    }
    return found;
}

static void read_map(struct compiler *k, const struct item *it, uint32_t cls, bool optional,
                     struct map_bytes key, const char *map_class, const char *spec)
{
    struct arena *a = k->p->arena;
    struct lookup_answer answer = {0};

    if (!k->host || !k->host->world)
        return;
    /* All values of all entries, not the first one's alone. */
    if (strcasecmp(map_class, "ldap") == 0)
        spec = arena_printf(a, "-z\\n %s", spec);
    struct lookup_world world = *k->host->world;
    world.ldap_defaults = ldap_defaults(k->p->config, it);
    struct lookup_maps *maps = lookup_maps_new(a);
    const struct lookup_map *m = lookup_declare(maps, it->name, map_class, spec, k->diag, it->at);
    if (!m)
        return;
    struct lookup_session *session = lookup_session_new(a, maps, &world);
    lookup(session, m, key, NULL, 0, a, &answer);
    if (answer.verdict == MAP_FOUND)
        add_words(k, cls, answer.value.p, answer.value.len);
    else if (answer.verdict != MAP_NOT_FOUND && !optional)
        failed(k, it, FINDING_CLASS_MAP, map_class, answer.why);
    lookup_session_close(session);
}

/* @LDAP: what sendmail's schema has of the class. */
static void read_directory(struct compiler *k, const struct item *it, uint32_t cls, bool optional)
{
    const char *spec =
        arena_printf(k->p->arena,
                     "-k (&(objectClass=sendmailMTAClass)(sendmailMTAClassName=%s)"
                     "(|(sendmailMTACluster=${sendmailMTACluster})(sendmailMTAHost=$j))) "
                     "-v sendmailMTAClassValue,sendmailMTAClassSearch:FILTER:sendmailMTAClass,"
                     "sendmailMTAClassURL:URL:sendmailMTAClass",
                     it->name);

    read_map(k, it, cls, optional, (struct map_bytes){"", 0}, "ldap", compile_expanded(k, spec));
}

void class_file_read(struct compiler *k, const struct item *it)
{
    uint32_t cls = compile_name(k, it->name);
    const char *s = it->value + strspn(it->value, " \t");
    struct class_source src = {.optional = false};
    size_t key_len, class_len;

    if (strncmp(s, "-o", 2) == 0) {
        src.optional = true;
        s += strcspn(s, " \t");
        s += strspn(s, " \t");
    }
    if (strcmp(s, "@LDAP") == 0)
        read_directory(k, it, cls, src.optional);
    else if (is_map(s, &key_len, &class_len))
        read_map(k, it, cls, src.optional, (struct map_bytes){s, key_len},
                 arena_strndup(k->p->arena, s + key_len + 1, class_len),
                 s + key_len + class_len + 2);
    else if (take_apart(k, it, &src, s) && *src.path == '|')
        read_program(k, it, cls, &src);
    else if (src.path && *src.path)
        read_file(k, it, cls, &src);
}
