#include "mta/machine.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/base/trust.h"
#include "mta/control.h"
#include "mta/front/tls.h"
#include "mta/keyfile.h"
#include "mta/milter/filters.h"
#include "mta/parent/listen.h"
#include "mta/parent/sandbox.h"
#include "mta/store/drop.h"
#include "mta/store/queue.h"

struct machine {
    const struct program *program;
    const struct machine_setup *how;
    struct arena *arena;
    struct diag *diag;
};

static const struct origin nowhere;

static void say(struct machine *m, enum diag_severity how, struct origin at, const char *text,
                const char *command)
{
    struct finding *f = diag_add(m->diag, how, "machine", at, "%s", text);

    if (command && *command)
        diag_hint(m->diag, f, "%s", command);
}

/* The line that counts; NULL: no line says it. */
static const struct item *line_of(struct machine *m, const char *option)
{
    const struct item *found = NULL;

    for (const struct item *it = m->program->config->first; it; it = it->next) {
        if (it->kind == ITEM_OPTION && program_is_option(it, option))
            found = it;
    }
    return found;
}

static struct origin place_of(struct machine *m, const char *option)
{
    const struct item *it = line_of(m, option);

    return it ? it->at : nowhere;
}

/* --- names and ports ------------------------------------------------------------------------ */

static void check_host(struct machine *m)
{
    const char *host = m->how->host;
    struct addrinfo *list = NULL;

    if (m->how->no_names)
        say(m, DIAG_WARNING, nowhere,
            "no name server answers: mail for others waits, and names of this machine may be "
            "missing",
            arena_printf(m->arena, "cat /etc/resolv.conf; getent ahosts %s", host));
    if (!strchr(host, '.')) {
        say(m, DIAG_WARNING, nowhere,
            arena_printf(m->arena, "%s is no full host name: others refuse mail from it", host),
            arena_printf(m->arena,
                         "hostnamectl hostname %s.example.com, with your domain in place of "
                         "example.com; and in /etc/hosts: ADDRESS %s.example.com %s",
                         host, host, host));
        return;
    }
    if (m->how->no_names)
        return;
    int failed = getaddrinfo(host, NULL, NULL, &list);
    if (list)
        freeaddrinfo(list);
    if (failed)
        say(m, DIAG_WARNING, nowhere,
            arena_printf(m->arena, "%s has no address: %s", host, gai_strerror(failed)),
            arena_printf(m->arena,
                         "getent hosts %s; or set the name: define(`confDOMAIN_NAME', "
                         "`NAME')",
                         host));
}

static void check_ports(struct machine *m)
{
    size_t n;
    const struct listener *l = settings_listeners(m->arena, m->program, &n);

    for (size_t i = 0; i < n; i++) {
        struct listening got;
        const char *why;
        if (listen_all(m->arena, &l[i], 1, 0, &got, &why))
            close(got.fds[0]);
        else
            say(m, DIAG_ERROR, l[i].item ? l[i].item->at : nowhere, why, NULL);
    }
}

/* --- the queue ------------------------------------------------------------------------------ */

static void check_queue(struct machine *m)
{
    const char *dir = setting_text(m->program, "QueueDirectory");
    struct origin at = place_of(m, "QueueDirectory");
    const char *wrong, *command;
    struct sandbox who;

    if (!sandbox_plan(m->arena, m->program, &who, &wrong)) {
        const char *named = setting_text(m->program, "RunAsUser");
        say(m, DIAG_ERROR, place_of(m, "RunAsUser"), wrong,
            arena_printf(m->arena, "useradd -r %.*s", (int)strcspn(*named ? named : "smmta", ":./"),
                         *named ? named : "smmta"));
        return;
    }
    wrong = queue_wrong(m->arena, dir, who.uid, who.gid, &command);
    if (wrong)
        say(m, DIAG_ERROR, at, wrong, command);
    else if (access(dir, R_OK | W_OK | X_OK) != 0)
        say(m, DIAG_ERROR, at, arena_printf(m->arena, "%s: %s", dir, strerror(errno)),
            arena_printf(m->arena, "chown %u %s", (unsigned)geteuid(), dir));
}

/* Where others than root leave messages for a submission program's queue. */
static void check_drop(struct machine *m)
{
    const char *wrong, *command, *dir = setting_text(m->program, "QueueDirectory");
    struct sandbox who;

    if (m->how->makes || !setting_true(m->program, "UseMSP") ||
        !sandbox_plan(m->arena, m->program, &who, &wrong) || who.uid == 0)
        return;
    wrong = drop_wrong(m->arena, drop_folder(m->arena, dir), who.uid, who.gid, &command);
    if (wrong)
        say(m, DIAG_WARNING, place_of(m, "QueueDirectory"),
            arena_printf(m->arena, "nobody but root can leave messages: %s", wrong), command);
}

/* --- files ---------------------------------------------------------------------------------- */

static bool forgives(const void *ctx, const char *word)
{
    return program_forgives(ctx, word, NULL);
}

/* False: it is not trusted, which is said. */
static bool check_trust(struct machine *m, struct origin at, const struct trust_kind *kind,
                        const char *path)
{
    const struct trust trust = {.forgives = forgives, .ctx = m->program};
    struct trust_fault fault;

    if (trust_file(m->arena, &trust, kind, path, &fault))
        return true;
    say(m, DIAG_WARNING, at, arena_printf(m->arena, "%s: %s", path, fault.why), fault.command);
    return false;
}

static void check_writers(struct machine *m, struct origin at, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return;
    say(m, DIAG_WARNING, at,
        arena_printf(m->arena,
                     "%s can be written by others: who writes it decides where "
                     "mail goes",
                     path),
        trust_command_to_close(m->arena, st.st_mode, path));
}

/* False: there is none, or it is not read, and that is said. */
static bool check_file(struct machine *m, const struct item *it, const struct trust_kind *kind,
                       const char *path, bool optional, const char *command)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        if (!optional || errno != ENOENT)
            say(m, DIAG_WARNING, it->at, arena_printf(m->arena, "%s: %s", path, strerror(errno)),
                command);
        return false;
    }
    if (!check_trust(m, it->at, kind, path))
        return false;
    check_writers(m, it->at, path);
    return true;
}

static void check_age(struct machine *m, const struct item *it, const char *database,
                      const char *source, const char *command)
{
    struct stat db, src;

    if (stat(database, &db) == 0 && stat(source, &src) == 0 && fs_is_older(&db, &src))
        say(m, DIAG_WARNING, it->at,
            arena_printf(m->arena, "%s is older than %s: what was changed since has no effect yet",
                         database, source),
            command);
}

/* Behind the options, which begin with -: the file of a map; NULL: there is none.  *optional: -o.
 */
static const char *map_file(struct arena *a, const char *rest, bool *optional)
{
    *optional = false;
    for (;;) {
        rest += strspn(rest, " \t");
        size_t n = strcspn(rest, " \t");
        if (n == 0)
            return NULL;
        if (*rest != '-')
            return *rest == '/' ? arena_strndup(a, rest, n) : NULL;
        *optional = *optional || (n > 1 && rest[1] == 'o');
        rest += n;
    }
}

static const char *suffix_of(const char *cls)
{
    return strcasecmp(cls, "hash") == 0 || strcasecmp(cls, "btree") == 0 ? ".db"
           : strcasecmp(cls, "cdb") == 0                                 ? ".cdb"
                                                                         : "";
}

/* The database of a K line, and the file that it is made of; NULL: it is none of a file. */
static const char *database_of(struct arena *a, const struct item *it, const char *path,
                               const char **source)
{
    static const char *const classes[] = {"hash", "btree", "cdb", "text"};
    bool is_file = false;

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        is_file = is_file || strcasecmp(it->aux, classes[i]) == 0;
    if (!is_file || !path)
        return NULL;
    const char *suffix = suffix_of(it->aux);
    size_t len = strlen(path), n = strlen(suffix);
    bool whole = n && len > n && strcmp(path + len - n, suffix) == 0;
    *source = whole ? arena_strndup(a, path, len - n) : path;
    return arena_printf(a, "%s%s", *source, suffix);
}

static void check_map(struct machine *m, const struct item *it)
{
    bool optional;
    const char *path = map_file(m->arena, it->value, &optional), *source;
    const char *database = database_of(m->arena, it, path, &source);

    if (!database)
        return;
    const bool built = *suffix_of(it->aux) != '\0';
    const char *command = built ? arena_printf(m->arena, "mcf map build -t %s %s", it->aux, source)
                                : arena_printf(m->arena, "touch %s", path);
    if (check_file(m, it, &trust_map, database, optional, command) && built)
        check_age(m, it, database, source, command);
}

static bool may_read(const char *path)
{
    return !*path || access(path, R_OK) == 0 || errno != EACCES;
}

bool machine_may_read(struct arena *a, const struct program *p)
{
    for (const struct item *it = p->config->first; it; it = it->next) {
        bool optional;
        const char *source, *database = NULL;
        if (it->kind == ITEM_MAP && it->aux && it->value)
            database = database_of(a, it, map_file(a, it->value, &optional), &source);
        if (database && !may_read(database))
            return false;
    }
    return may_read(setting_text(p, "DefaultAuthInfo"));
}

static void check_class_file(struct machine *m, const struct item *it)
{
    bool optional;
    const char *path = map_file(m->arena, it->value, &optional);

    if (path && !strchr(path, '@'))
        check_file(m, it, &trust_class_file, path, optional,
                   arena_printf(m->arena, "touch %s", path));
}

static void check_aliases(struct machine *m)
{
    const struct item *it = line_of(m, "AliasFile");
    const char *s = it ? it->value : "";
    const char *rebuild = arena_printf(m->arena, "mcfd -bi -C %s", m->how->path);

    while (*(s += strspn(s, ", \t"))) {
        size_t n = strcspn(s, ", \t");
        const char *part = arena_strndup(m->arena, s, n);
        const char *colon = strchr(part, ':');
        bool is_hash = !colon || strncasecmp(part, "hash:", 5) == 0 ||
                       strncasecmp(part, "btree:", 6) == 0 ||
                       strncasecmp(part, "implicit:", 9) == 0;
        const char *path = colon ? colon + 1 : part;
        s += n;
        if (!is_hash || *path != '/')
            continue;
        const char *database = arena_printf(m->arena, "%s.db", path);
        if (check_file(m, it, &trust_alias_source, path, false,
                       arena_printf(m->arena, "touch %s", path)) &&
            check_file(m, it, &trust_map, database, false, rebuild))
            check_age(m, it, database, path, rebuild);
    }
}

/* A file that an option names and that need not be there. */
static void check_text(struct machine *m, const char *option, const struct trust_kind *kind)
{
    const char *path = setting_text(m->program, option);

    if (*path == '/' && access(path, F_OK) == 0)
        check_trust(m, place_of(m, option), kind, path);
}

/* A file that has passwords in it. */
static void check_passwords(struct machine *m, struct origin at, const char *path,
                            const struct trust_kind *kind)
{
    const char *command, *why;

    if (*path != '/' || access(path, F_OK) != 0)
        return;
    why = keyfile_wrong(m->arena, m->program, path, kind, &command);
    if (why)
        say(m, DIAG_WARNING, at, why, command);
}

/* --- TLS ------------------------------------------------------------------------------------ */

static void check_tls(struct machine *m, enum tls_side side)
{
    const bool server = side == TLS_AS_SERVER;
    const char *option = server ? "ServerCertFile" : "ClientCertFile";
    const char *lost = server ? "STARTTLS is not offered" : "STARTTLS is not used";
    struct tls_problem problem;

    if (server && !line_of(m, option))
        return;
    struct tls_context *c = tls_context_open(m->arena, m->program, side, &problem);
    if (problem.why)
        say(m, DIAG_WARNING, place_of(m, problem.option ? problem.option : option),
            c ? problem.why : arena_printf(m->arena, "%s: %s", lost, problem.why), problem.command);
    tls_context_close(c);
}

/* --- users and programs ----------------------------------------------------------------------- */

static void check_user(struct machine *m, struct origin at, const char *what, const char *text)
{
    size_t n = strcspn(text, ":.");
    const char *user = arena_strndup(m->arena, text, n);

    if (!*user || isdigit((unsigned char)*user))
        return;
    if (!getpwnam(user))
        say(m, DIAG_WARNING, at, arena_printf(m->arena, "%s: there is no user %s", what, user),
            arena_printf(m->arena, "useradd -r %s", user));
    const char *group = text[n] ? text + n + 1 : "";
    if (*group && !isdigit((unsigned char)*group) && !getgrnam(group))
        say(m, DIAG_WARNING, at, arena_printf(m->arena, "%s: there is no group %s", what, group),
            arena_printf(m->arena, "groupadd -r %s", group));
}

static void check_option_user(struct machine *m, const char *option)
{
    const struct item *it = line_of(m, option);

    if (it && it->value)
        check_user(m, it->at, option, it->value);
}

static const char *value_of(const struct item *it, char key)
{
    for (const struct equate *e = it->equates; e; e = e->next) {
        if (e->key[0] == key && e->has_value)
            return e->value;
    }
    return "";
}

static void check_mailer(struct machine *m, const struct item *it)
{
    const char *path = value_of(it, 'P');
    const char *what = arena_printf(m->arena, "mailer %s", it->name);

    check_user(m, it->at, what, value_of(it, 'U'));
    if (*path == '/' && access(path, X_OK) != 0)
        say(m, DIAG_WARNING, it->at,
            arena_printf(m->arena, "%s: %s: %s", what, path, strerror(errno)),
            errno == ENOENT ? arena_printf(m->arena,
                                           "install it, or write another P=: dpkg -S "
                                           "%s",
                                           path)
                            : arena_printf(m->arena, "chmod +x %s", path));
    else if (*path == '/')
        check_trust(m, it->at, &trust_run, path);
}

/* Bytes of the folder that all queues are below: of "/q/m*", those of "/q". */
static size_t queue_base(const char *dir)
{
    size_t len = strlen(dir);

    if (len > 0 && dir[len - 1] == '*') {
        while (len > 0 && dir[len - 1] != '/')
            len--;
    }
    while (len > 1 && dir[len - 1] == '/')
        len--;
    return len;
}

/* sendmail does not start with such a group; mcfd keeps all messages in one place. */
static void check_queue_group(struct machine *m, const struct item *it)
{
    const char *path = value_of(it, 'P'), *dir = setting_text(m->program, "QueueDirectory");
    size_t len = queue_base(dir);

    if (*path == '\0' || (strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len])))
        return;
    say(m, DIAG_ERROR, it->at,
        arena_printf(m->arena, "queue group %s: %s is not below the queue directory %.*s", it->name,
                     path, (int)len, dir),
        arena_printf(m->arena, "write P=%.*s/%s", (int)len, dir, it->name));
}

/* --- filters -------------------------------------------------------------------------------- */

static const char *outcome_of(const struct filter *f)
{
    static const char *const all[] = {[FILTER_PASS] = "it is not asked",
                                      [FILTER_REJECT] = "mail is rejected",
                                      [FILTER_LATER] = "mail is refused for now",
                                      [FILTER_CLOSE] = "connections are closed"};

    return all[f->failure];
}

/* Why nobody can be reached there; NULL: somebody may. */
static const char *wrong_place(struct machine *m, const struct filter *f)
{
    const struct addrinfo hints = {.ai_family = f->family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct stat st;

    if (f->family == AF_UNIX) {
        if (lstat(f->address, &st) != 0)
            return strerror(errno);
        return S_ISSOCK(st.st_mode) || S_ISLNK(st.st_mode) ? NULL : "no socket";
    }
    if (m->how->no_names)
        return NULL;
    const int failed = getaddrinfo(f->address, f->port, &hints, &list);
    if (list)
        freeaddrinfo(list);
    return failed ? gai_strerror(failed) : NULL;
}

static void check_filter(struct machine *m, const struct filter *f)
{
    const char *wrong = wrong_place(m, f);

    if (wrong)
        say(m, DIAG_WARNING, f->item->at,
            arena_printf(m->arena, "filter %s: %s: %s: until it is there %s", f->name, f->address,
                         wrong, outcome_of(f)),
            f->family == AF_UNIX ? arena_printf(m->arena, "start it: ls -l %s", f->address)
                                 : arena_printf(m->arena, "getent ahosts %s", f->address));
}

/* Those that some daemon asks. */
static void check_filters(struct machine *m)
{
    size_t n;
    const struct listener *l = settings_listeners(m->arena, m->program, &n);
    const struct filter_settings *s = filters_read(m->arena, m->program, l, n);

    for (size_t i = 0; i < s->all.n; i++) {
        bool asked = false;
        for (size_t k = 0; k < n && !asked; k++) {
            for (size_t j = 0; j < s->of_listener[k].n; j++)
                asked = asked || s->of_listener[k].v[j] == s->all.v[i];
        }
        if (asked)
            check_filter(m, s->all.v[i]);
    }
}

static void check_needed_mailers(struct machine *m)
{
    if (!program_mailer(m->program, "local", strlen("local")))
        say(m, DIAG_ERROR, nowhere, "there is no mailer local", "write MAILER(`local') in the .mc");
    if (!program_mailer(m->program, "prog", strlen("prog")))
        say(m, DIAG_WARNING, nowhere, "there is no mailer prog: aliases can run no programs",
            "write MAILER(`local') in the .mc");
}

void machine_check(const struct program *p, const struct machine_setup *how, struct diag *d)
{
    struct machine m = {p, how, diag_arena(d), d};

    check_host(&m);
    if (how->ports)
        check_ports(&m);
    check_queue(&m);
    check_drop(&m);
    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind == ITEM_MAP && it->aux && it->value)
            check_map(&m, it);
        else if (it->kind == ITEM_CLASSFILE && it->value)
            check_class_file(&m, it);
        else if (it->kind == ITEM_QUEUE)
            check_queue_group(&m, it);
        else if (it->kind == ITEM_MAILER)
            check_mailer(&m, it);
    }
    check_aliases(&m);
    check_text(&m, "HelpFile", &trust_help);
    check_text(&m, "ErrorHeader", &trust_error_header);
    check_text(&m, "ServiceSwitchFile", &trust_service_switch);
    check_writers(&m, nowhere, how->path);
    check_passwords(&m, place_of(&m, "DefaultAuthInfo"), setting_text(p, "DefaultAuthInfo"),
                    &trust_auth_info);
    check_passwords(&m, place_of(&m, "AuthMechanisms"), "/etc/sasldb2", &trust_sasldb);
    check_tls(&m, TLS_AS_SERVER);
    check_tls(&m, TLS_AS_CLIENT);
    check_option_user(&m, "DefaultUser");
    check_option_user(&m, "RunAsUser");
    check_option_user(&m, "TrustedUser");
    check_needed_mailers(&m);
    check_filters(&m);
}
