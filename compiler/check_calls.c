/*
 * check_calls: what the directives of an .mc say that cannot be right: names, order, arguments.
 */
#include <stdio.h>
#include <string.h>

#include "compiler/check.h"
#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/model/variables.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const char *kind;
    enum finding_id id;
} unknown_kinds[] = {
    {"ostype", FINDING_UNKNOWN_OSTYPE},   {"domain", FINDING_UNKNOWN_DOMAIN},
    {"mailer", FINDING_UNKNOWN_MAILER},   {"hack", FINDING_UNKNOWN_HACK},
    {"feature", FINDING_UNKNOWN_FEATURE},
};

/* The name without the blanks behind it, if there is such a one; or NULL. */
static const char *without_blank(struct front *f, const char *name, const char *const *names,
                                 size_t n)
{
    size_t len = strlen(name);
    while (len > 0 && strchr(" \t\n", name[len - 1]))
        len--;
    const char *shorter = name[len] ? arena_strndup(f->arena, name, len) : NULL;
    for (size_t i = 0; shorter && i < n; i++)
        if (strcmp(names[i], shorter) == 0)
            return shorter;
    return NULL;
}

/* Where systems keep the reference's library, which has hacks and domains of theirs. */
static const char *const libraries[] = {"/usr/share/sendmail/cf", "/usr/share/sendmail-cf",
                                        "/usr/lib/sendmail-cf", "/usr/lib/mail/cf"};

static bool suggest_library(struct front *f, struct finding *x, const char *kind, const char *name)
{
    for (size_t i = 0; !f->options->confine && !strchr(name, '/') && i < COUNT(libraries); i++) {
        const char *file = arena_printf(f->arena, "%s/%s.m4", kind, name);
        if (!fs_exists(fs_join(f->arena, libraries[i], file)))
            continue;
        diag_hint(f->diag, x, "there is a %s/%s: build with -I %s", libraries[i], file,
                  libraries[i]);
        return true;
    }
    return false;
}

static void unknown(struct front *f, const struct m4_record *r, const struct m4_record *call)
{
    const char *kind = r->argc > 0 ? r->argv[0] : "", *name = r->argc > 1 ? r->argv[1] : "";
    if (!call)
        call = r;
    if (*name == '\0') {
        check_found(f, FINDING_MISSING_NAME_OF_CALL, call, 1, call->kind, NULL, NULL);
        return;
    }
    for (size_t i = 0; i < COUNT(unknown_kinds); i++)
        if (strcmp(kind, unknown_kinds[i].kind) == 0) {
            size_t n;
            const char *const *names = front_names(f, kind, &n);
            const char *shorter = without_blank(f, name, names, n);
            struct finding *x =
                check_found(f, shorter ? FINDING_BLANK_IN_NAME : unknown_kinds[i].id, call, 1,
                            shorter ? shorter : name, NULL, NULL);
            if (shorter && x->at.len == strlen(name))
                diag_edit(f->diag, x, x->at, shorter);
            else if (!shorter && !suggest_library(f, x, kind, name) &&
                     !finding_suggest(f->diag, x, x->at, name, names, n) &&
                     strcmp(name, "rbl") == 0)
                diag_hint(f->diag, x, "write FEATURE(`dnsbl', `ZONE')");
        }
}

/* What an argument may be. */
struct choice {
    const char *list[8];
    size_t n;
    const char *text; /* "a or b" */
};

static struct choice choice_of(struct front *f, const char *words)
{
    struct choice c = {.text = ""};
    for (const char *p = words; *p && c.n < COUNT(c.list); p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        const char *word = c.list[c.n] = arena_strndup(f->arena, p, len);
        c.text = c.n++ ? arena_printf(f->arena, "%s or %s", c.text, word) : word;
        p += len;
    }
    return c;
}

static bool is_among(const struct choice *c, const char *word)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->list[i], word) == 0)
            return true;
    return false;
}

/* An argument that is one of a few words, and is not, where the feature's own text says so. */
static void bad_argument(struct front *f, const struct m4_record *call, const char *feature,
                         const char *value, const char *words)
{
    struct choice c = choice_of(f, words);
    if (c.n == 0)
        return;
    if (!*value) {
        check_found(f, FINDING_NO_ARGUMENT, call, 0, feature, c.list[0], NULL);
        return;
    }
    struct finding *x = check_found(f, FINDING_UNKNOWN_ARGUMENT, call, 2, feature, value, c.text);
    finding_suggest(f->diag, x, x->at, value, c.list, c.n);
}

/* One that is read as nothing if it is no word that the library knows. */
static void ignored_arguments(struct front *f, const struct m4_record *r,
                              const struct rule_file *file)
{
    for (size_t i = 0; r->at.file && i < file->nargs; i++) {
        const struct rule_arg *arg = &file->args[i];
        if (!arg->words || arg->number >= r->argc || !*r->argv[arg->number])
            continue;
        struct choice c = choice_of(f, arg->words);
        const char *value = r->argv[arg->number];
        if (is_among(&c, value))
            continue;
        struct finding *x =
            check_found(f, FINDING_ARGUMENT_IGNORED, r, arg->number + 1, r->argv[0], value, c.text);
        finding_suggest(f->diag, x, x->at, value, c.list, c.n);
    }
}

/* How many arguments a directive has; those of features are the library's affair. */
static const struct {
    const char *name;
    size_t arguments;
} directives[] = {
#define DIRECTIVE(name, most, arguments, text, example) {#name, most},
#include "lib/model/directives.def"
#undef DIRECTIVE
};

/* Is the argument there, and something in it? */
static bool says_something(struct front *f, const struct m4_record *r, size_t arg)
{
    const struct mc_tree *t = front_tree(f, r->at.file);
    bool expands;
    const char *text = t ? mc_arg_text(f->arena, t, r->node, arg, &expands) : "";
    return text && *text;
}

static void excess_arguments(struct front *f, const struct m4_record *r)
{
    /* Most records are definitions. */
    if (!r->node || *r->kind < 'A' || *r->kind > 'Z')
        return;
    for (size_t i = 0; i < COUNT(directives); i++) {
        size_t most = directives[i].arguments;
        if (strcmp(directives[i].name, r->kind) != 0 || most == 0 || mc_nargs(r->node) <= most ||
            !says_something(f, r, most + 1))
            continue;
        bool words = most == 1 && strstr(r->kind, "_OPTIONS") == NULL;
        struct finding *x = check_found(f, FINDING_EXCESS_ARGUMENT, r, most + 1, r->kind,
                                        most == 1 ? "one" : "two", most == 1 ? "" : "s");
        diag_hint(f->diag, x, "%s",
                  words ? "put all of them into one pair of quotes, with blanks between them"
                        : "put the whole list into one pair of quotes");
    }
}

/* A call that needs a feature which was not named before it. */
struct finding_need {
    struct finding *said;
    const struct m4_record *call;
    const char *feature;
    struct finding_need *next;
};

/* What the calls so far were. */
struct calls {
    struct front *front;
    struct table *features, *mailers;        /* name -> its first struct m4_record */
    const struct m4_record *mailer, *ostype; /* the first MAILER of the user's, the last OSTYPE */
    const struct m4_record *late_ostype;     /* one that stands behind a MAILER */
    struct finding_need *needs;   /* what was missing where it was needed; the last call first */
    const struct m4_record *call; /* the last directive that reads a file */
    bool told_whole; /* that a feature which is a whole configuration is not the last */
};

/* Features of old names, and what to write instead. */
static const struct {
    const char *name, *instead, *text; /* text: the call as it should be; NULL: only the name */
} old_features[] = {
    {"blacklist_recipients", "FEATURE(`blocklist_recipients')", NULL},
    {"tls_failures", "define(`confTLS_FALLBACK_TO_CLEAR', `true')",
     "define(`confTLS_FALLBACK_TO_CLEAR', `true')"},
};

static void old_feature(struct front *f, const struct m4_record *r)
{
    for (size_t i = 0; i < COUNT(old_features); i++) {
        if (strcmp(old_features[i].name, r->argv[0]) != 0)
            continue;
        const char *instead = old_features[i].instead, *text = old_features[i].text;
        struct finding *x =
            check_found(f, text ? FINDING_REPLACED_FEATURE : FINDING_DEPRECATED_FEATURE, r,
                        text ? 0 : 1, r->argv[0], instead, NULL);
        if (r->node && x->at.len)
            diag_edit(f->diag, x, x->at, text ? text : "blocklist_recipients");
    }
}

/* Who may relay, and on whose word. */
static void relaying(struct front *f, const struct m4_record *r)
{
    if (strcmp(r->argv[0], "promiscuous_relay") == 0)
        check_found(f, FINDING_OPEN_RELAY, r, 0, NULL, NULL, NULL);
    else if (strcmp(r->argv[0], "relay_local_from") == 0 ||
             strcmp(r->argv[0], "relay_mail_from") == 0)
        check_found(f, FINDING_RELAY_BY_SENDER, r, 0, NULL, NULL, NULL);
}

/* The arguments that the call was given, but for empty ones at the end. */
static unsigned given(const struct m4_record *r)
{
    unsigned n = 0;
    for (size_t i = 1; i < r->argc; i++)
        if (*r->argv[i])
            n = (unsigned)i;
    return n;
}

/* Named before, in the same file: one that a site's file named may be meant to be named again. */
static void named_again(struct front *f, const struct m4_record *r, const struct rule_file *file,
                        const struct m4_record *first)
{
    if (!first->node || !r->node || first->at.file != r->at.file)
        return;
    unsigned n = given(r);
    bool same = n == given(first);
    for (size_t i = 1; same && i <= n; i++)
        same = strcmp(r->argv[i], first->argv[i]) == 0;
    if (file->repeat && !same)
        return;
    struct finding *x =
        check_found(f, FINDING_DUPLICATE_FEATURE, r, 0, r->argv[0], check_line(f, first), NULL);
    if (same)
        check_edit_remove(f, x, r);
}

bool check_site_has(const struct front *f, const char *kind, const char *name)
{
    const char *key = arena_printf(f->arena, "%s_%s", kind, name);
    for (const struct m4_define *d = f->site; d; d = d->next)
        if (strcmp(d->name, key) == 0)
            return true;
    return false;
}

static bool same_line(const struct m4_record *a, const struct m4_record *b)
{
    return a->at.file == b->at.file && a->at.line == b->at.line;
}

static void remember_need(struct calls *c, const struct m4_record *call, const char *feature,
                          struct finding *said)
{
    struct finding_need *n = arena_alloc(c->front->arena, sizeof *n), **p = &c->needs;
    n->said = said;
    n->call = call;
    n->feature = feature;
    while (*p && (*p)->call->id > call->id)
        p = &(*p)->next;
    n->next = *p;
    *p = n;
}

static void need(struct calls *c, const struct m4_record *call, const char *feature)
{
    remember_need(
        c, call, feature,
        check_found(c->front, FINDING_FEATURE_NEEDS, call, 0, call->argv[0], feature, NULL));
}

/* What stands behind the first call that needs it is moved above that. */
static void move_needed(struct calls *c)
{
    for (const struct finding_need *n = c->needs; n; n = n->next) {
        const struct m4_record *named = table_get(c->features, n->feature);
        bool first = true;
        for (const struct finding_need *m = n->next; m; m = m->next)
            first = first && strcmp(m->feature, n->feature) != 0;
        if (named && named->id > n->call->id) {
            diag_hint(c->front->diag, n->said, "move FEATURE(`%s') above this line", n->feature);
            if (first)
                check_edit_move(c->front, n->said, named, n->call);
        }
    }
}

/* The feature that the first MAILER came with, being a whole configuration. */
static const struct m4_record *whole_feature(const struct calls *c)
{
    static const char *const names[] = {"nullclient", "msp"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct m4_record *r = table_get(c->features, names[i]);
        if (r && c->mailer && same_line(c->mailer, r))
            return r;
    }
    return NULL;
}

static void after_mailer(struct calls *c, const struct m4_record *r, const struct rule_file *file)
{
    struct front *f = c->front;
    const struct m4_record *whole = whole_feature(c);
    if (whole) {
        if (!c->told_whole)
            check_found(f, FINDING_FEATURE_NOT_LAST, whole, 0, whole->argv[0], r->argv[0],
                        check_line(f, r));
        c->told_whole = true;
        return;
    }
    struct finding *x = check_found(f, FINDING_FEATURE_AFTER_MAILER, r, 0, r->argv[0], NULL, NULL);
    check_edit_move(f, x, r, c->mailer);
    for (const char *const *n = file ? file->before : NULL; n && *n; n++)
        if (table_has(c->mailers, *n)) {
            diag_hint(f->diag, x, "move it above MAILER(`%s'), which does not see it", *n);
            break;
        }
}

static void check_feature(struct calls *c, const struct m4_record *r)
{
    struct front *f = c->front;
    const char *name = r->argc > 0 ? r->argv[0] : "";
    const struct rule_file *file = template_feature(f->library, name);
    const struct m4_record *first = table_get(c->features, name);
    if (!first)
        table_set(c->features, name, (void *)r);
    /* Those that a late OSTYPE names are its business. */
    if (c->mailer && r->at.file && !(c->late_ostype && same_line(c->late_ostype, r)))
        after_mailer(c, r, file);
    if (!file || check_site_has(f, "feature", name))
        return;
    old_feature(f, r);
    relaying(f, r);
    ignored_arguments(f, r, file);
    for (const char *const *n = file->needs; n && *n; n++)
        if (!table_has(c->features, *n))
            need(c, r, *n);
    if (given(r) < file->required)
        check_found(f, FINDING_MISSING_ARGUMENT, r, 0, name,
                    arena_printf(f->arena, "%u", file->required), file->required == 1 ? "" : "s");
    if (first)
        named_again(f, r, file, first);
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
    finding_add(f->diag, id, front_place(f, by_call ? call : r, 0), rest, NULL);
}

/* define(`confX', `text') that should be X(`text'). */
static void become_call(struct front *f, struct finding *x, const struct front_define *d,
                        const char *name)
{
    const struct source *s = source_by_id(f->config->sources, d->call.file);
    if (!d->record->node || !s || !s->bytes || !d->call.len || !d->value.col || !d->name.col)
        return;
    size_t from = source_offset(s, d->call.line, d->call.col);
    size_t value = source_offset(s, d->value.line, d->value.col);
    while (value > from && strchr("`", s->bytes[value - 1]))
        value--;
    struct origin head = d->call;
    head.len = (uint32_t)(value - from);
    diag_edit(f->diag, x, head, arena_printf(f->arena, "%s(", name));
}

/* A directive's name as a variable: define(`RELAY_DOMAIN', `x') for RELAY_DOMAIN(`x'). */
static void redefined(struct front *f, const struct m4_record *r)
{
    const char *name = r->argv[0];
    if (!r->node || *name < 'A' || *name > 'Z' || variable_known(name) ||
        !check_in_vocabulary(name, strlen(name)))
        return;
    struct finding *x = check_found(f, FINDING_REDEFINED_MACRO, r, 1, name, NULL, NULL);
    const struct front_define *d = table_get(f->defines, name);
    bool section = strncmp(name, "LOCAL_", 6) == 0 || strcmp(name, "MAILER_DEFINITIONS") == 0;
    if (!section && d && d->record == r && r->argc > 1 && *r->argv[1])
        become_call(f, x, d, name);
}

static void old_name(struct front *f, const char *name, struct origin at)
{
    const struct front_define *d = table_get(f->defines, name);
    struct finding *x =
        finding_add(f->diag, FINDING_DEPRECATED_VARIABLE, d ? d->name : at, name, NULL);
    const char *instead = variable_instead(name);
    if (instead)
        diag_hint(f->diag, x, "%s", instead);
    /* These two became directives of their own, which take the same text. */
    size_t n = strlen(name);
    if (d && d->name.col && n > 8 && strcmp(name + n - 8, "_OPTIONS") == 0)
        become_call(f, x, d, name + 4);
}

/* What only some of the features need, or need to be told. */
static void check_pairs(struct calls *c)
{
    static const struct {
        const char *feature, *other;
    } pairs[] = {
        {"virtuser_entire_domain", "virtusertable"},
        {"generics_entire_domain", "genericstable"},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const struct m4_record *r = table_get(c->features, pairs[i].feature);
        if (r && !table_has(c->features, pairs[i].other))
            check_found(c->front, FINDING_FEATURE_LACKS, r, 0, pairs[i].feature, pairs[i].other,
                        NULL);
    }
    const struct m4_record *pause = table_get(c->features, "greet_pause"),
                           *access = table_get(c->features, "access_db");
    const struct m4_record *hosts = table_get(c->features, "relay_hosts_only"),
                           *dots = table_get(c->features, "lookupdotdomain");
    if (hosts && dots)
        check_found(c->front, FINDING_FEATURE_CLASH, hosts->id > dots->id ? hosts : dots, 0,
                    "relay_hosts_only", "lookupdotdomain", NULL);
    const struct m4_record *delay = table_get(c->features, "delay_checks");
    if (delay && given(delay) > 0 && *delay->argv[1] && strchr("fh", *delay->argv[1]) && !access)
        need(c, delay, "access_db");
    if (pause && given(pause) > 0 && access && access->id > pause->id)
        remember_need(c, pause, "access_db",
                      check_found(c->front, FINDING_FEATURE_BEFORE, pause, 0, "greet_pause",
                                  "access_db", NULL));
}

/* The checks of mail are not there in one mode. */
static void check_mode(struct front *f)
{
    const char *mode = table_get(f->m4->values, "confDELIVERY_MODE");
    const struct front_define *d = table_get(f->defines, "confDELIVERY_MODE");
    if (mode && d && strchr("dD", *mode) && *mode)
        finding_add(f->diag, FINDING_DEFERRED_MODE, d->value, NULL);
}

/* MAILER(uucp) looks whether SMTP's rules are there. */
static void check_uucp(struct calls *c)
{
    const struct m4_record *uucp = table_get(c->mailers, "uucp"),
                           *smtp = table_get(c->mailers, "smtp");
    if (!uucp || (smtp && smtp->id < uucp->id) || check_site_has(c->front, "mailer", "uucp"))
        return;
    struct finding *x = check_found(c->front, smtp ? FINDING_MAILER_BEFORE : FINDING_MAILER_WITHOUT,
                                    uucp, 0, NULL, NULL, NULL);
    if (smtp)
        check_edit_move(c->front, x, smtp, uucp);
}

/* Mailers may also be written out, or come with a feature. */
static void check_mailers(struct calls *c)
{
    struct front *f = c->front;
    for (size_t i = 0; i < table_count(c->mailers); i++)
        if (((const struct m4_record *)table_at(c->mailers, i)->value)->at.file)
            return;
    for (const struct m4_piece *p = f->m4->sections[7]; p; p = p->next)
        for (size_t i = 0; !p->record && i < p->count; i++)
            if (*p->lines[i].text == 'M')
                return;
    finding_add(f->diag, FINDING_NO_MAILER, (struct origin){f->source->id, 0, 0, 0}, NULL);
}

/* Does a directive of the .mc follow? */
static bool comes_later(const struct m4_record *r, const char *kind)
{
    while ((r = r->next) != NULL)
        if (r->at.file && strcmp(r->kind, kind) == 0)
            return true;
    return false;
}

static void check_record(struct calls *c, const struct m4_record *r)
{
    struct front *f = c->front;
    const char *kind = r->kind, *arg0 = r->argc > 0 ? r->argv[0] : "",
               *arg1 = r->argc > 1 ? r->argv[1] : "";
    const struct m4_record *call = c->call ? c->call : r;
    excess_arguments(f, r);
    if (strcmp(kind, "MASQUERADE_AS") == 0 && *arg0 == '@') {
        struct finding *x = check_found(f, FINDING_RELAY_FORM, r, 1, kind, "an @", NULL);
        if (x->at.len == strlen(arg0))
            diag_edit(f->diag, x, x->at, arg0 + 1);
    }
    if (strcmp(kind, "OSTYPE") == 0) {
        if (c->ostype && (r->at.file != c->ostype->at.file || r->at.line != c->ostype->at.line))
            check_found(f, FINDING_DUPLICATE_OSTYPE, r, 0, NULL, NULL, NULL);
        c->call = c->ostype = r;
        if (c->mailer)
            c->late_ostype = r;
        if (strcmp(arg0, "unknown") == 0)
            check_found(f, FINDING_UNKNOWN_SYSTEM, r, 0, NULL, NULL, NULL);
    } else if (strcmp(kind, "FEATURE") == 0) {
        c->call = r;
        check_feature(c, r);
    } else if (strcmp(kind, "MAILER") == 0) {
        c->call = r;
        if (!c->mailer && r->at.file)
            c->mailer = r;
        if (!table_has(c->mailers, arg0))
            table_set(c->mailers, arg0, (void *)r);
    } else if (strcmp(kind, "DOMAIN") == 0 || strcmp(kind, "HACK") == 0) {
        c->call = r;
    } else if (strcmp(kind, "define") == 0 && r->argc > 0) {
        redefined(f, r);
    } else if (strcmp(kind, "again") == 0) {
        struct finding *x = check_found(f, FINDING_DUPLICATE_MAILER, call, 0, arg1, NULL, NULL);
        check_edit_remove(f, x, call);
    } else if (strcmp(kind, "foreign") == 0) {
        check_found(f, FINDING_FOREIGN_DOMAIN, call, 1, arg0, NULL, NULL);
    } else if (strcmp(kind, "unknown") == 0) {
        unknown(f, r, c->call);
    } else if (strcmp(kind, "lacks") == 0) { /* a feature: what it needs */
        if (template_feature(f->library, arg1))
            need(c, call, arg1);
        else
            check_found(f, FINDING_FEATURE_NEEDS_VARIABLE, call, 0, arg0, arg1, NULL);
    } else if (strcmp(kind, "argument") == 0) {
        bad_argument(f, call, arg0, arg1, r->argc > 2 ? r->argv[2] : "");
    } else if (strcmp(kind, "before-mailer") == 0 && comes_later(r, "MAILER")) {
        finding_add(f->diag, FINDING_SECTION_BEFORE_MAILER, front_place(f, r, 0), arg0, NULL);
    } else if (strcmp(kind, "old") == 0) {
        old_name(f, arg0, r->at);
    } else if (strcmp(kind, "command") == 0) {
        finding_add(f->diag, FINDING_COMMAND, front_place(f, r, 0), arg0, arg1, NULL);
    } else if (strcmp(kind, "refused") == 0) {
        finding_add(f->diag, FINDING_REFUSED, front_place(f, r, 0), arg0, NULL);
    } else if (strcmp(kind, "errprint") == 0) {
        said(f, r, c->call);
    }
}

void check_calls(struct front *f)
{
    struct calls c = {.front = f, .features = table_new(f->arena), .mailers = table_new(f->arena)};
    for (const struct m4_record *r = f->m4->records; r; r = r->next)
        check_record(&c, r);
    /* A file that defines __OSTYPE__ says that it knows. */
    if (!c.ostype && !table_has(f->m4->values, "__OSTYPE__"))
        finding_add(f->diag, FINDING_NO_OSTYPE, (struct origin){f->source->id, 0, 0, 0}, NULL);
    check_pairs(&c);
    check_uucp(&c);
    move_needed(&c);
    check_mailers(&c);
    check_mode(f);
}
