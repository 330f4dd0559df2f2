#include "lib/rewrite/program.h"

#include <ctype.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"
#include "lib/model/check.h"
#include "lib/model/findings.h"
#include "lib/model/options.h"
#include "lib/rewrite/class_file.h"
#include "lib/rewrite/compile.h"
#include "lib/rewrite/match.h"

/* What sendmail has where a configuration says nothing. */
static const char default_operators[] = ".:@[]";

/* --- names, macros, classes --------------------------------------------------------------- */

static void make_room(struct compiler *k)
{
    struct program *p = k->p;
    size_t need = p->names.count + 1;

    if (need <= k->name_room)
        return;
    size_t room = need * 2 < 512 ? 512 : need * 2;
    const struct text **macros = arena_calloc(p->arena, room, sizeof(struct text *));
    struct class_words *classes = arena_calloc(p->arena, room, sizeof *classes);
    if (k->name_room > 0) {
        memcpy(macros, p->macros, k->name_room * sizeof(struct text *));
        memcpy(classes, p->classes, k->name_room * sizeof *classes);
    }
    p->macros = macros;
    p->classes = classes;
    k->name_room = room;
}

static const struct text *value_of(void *ctx, uint32_t name)
{
    struct compiler *k = ctx;

    make_room(k);
    return k->p->macros[name];
}

uint32_t compile_name(struct compiler *k, const char *name)
{
    uint32_t id = names_add(&k->p->names, name, strlen(name));

    make_room(k);
    return id;
}

struct text compile_text(struct compiler *k, const char *s)
{
    struct text t = text_read(k->p->arena, &k->p->names, s, strlen(s));

    make_room(k);
    return t;
}

char *compile_expanded(struct compiler *k, const char *s)
{
    struct text t = compile_text(k, s);
    size_t len;

    t = text_expand(k->p->arena, &t, value_of, k);
    return text_bytes(k->p->arena, &t, &len);
}

void compile_set(struct compiler *k, const char *name, const char *value)
{
    struct text *t = arena_alloc(k->p->arena, sizeof *t);
    uint32_t id = compile_name(k, name);

    *t = compile_text(k, value);
    k->p->macros[id] = t;
}

void compile_word(struct compiler *k, uint32_t cls, const char *word, size_t len)
{
    struct program *p = k->p;
    uint32_t id = words_add(&p->words, word, len);
    struct word *w = words_at(&p->words, id);
    struct class_words *c = &p->classes[cls];

    if (words_in_class(w, cls))
        return;
    /* Most words are in one class: there is room for a power of two of them. */
    if ((w->nclasses & (w->nclasses - 1)) == 0) {
        size_t room = w->nclasses;
        w->classes = arena_grow(p->arena, w->classes, w->nclasses, &room, sizeof *w->classes, 1);
    }
    w->classes[w->nclasses++] = cls;
    c->words = arena_grow(p->arena, c->words, c->n, &c->room, sizeof *c->words, 4);
    c->words[c->n++] = arena_strndup(p->arena, word, len);
    uint32_t n = scan_count(&p->rules, &p->words, p->arena, word, len);
    if (n > c->longest)
        c->longest = n;
    if (len > 0)
        c->begin |= class_begin(*word);
}

/* Words of a line; "$=x" alone stands for what is in that class by now. */
static void add_class_words(struct compiler *k, uint32_t cls, const char *s)
{
    while (*s) {
        size_t blanks = strspn(s, " \t\r\n");
        const char *word = s + blanks;
        size_t n = strcspn(word, " \t\r\n");
        s = word + n;
        if (n > 2 && word[0] == '$' && word[1] == '=') {
            size_t braces = word[2] == '{' && word[n - 1] == '}';
            const char *name = arena_strndup(k->p->arena, word + 2 + braces, n - 2 - 2 * braces);
            uint32_t from = compile_name(k, name);
            for (size_t i = 0; from != cls && i < k->p->classes[from].n; i++)
                compile_word(k, cls, k->p->classes[from].words[i],
                             strlen(k->p->classes[from].words[i]));
        } else if (n > 0) {
            compile_word(k, cls, word, n);
        }
    }
}

static void read_class(struct compiler *k, const struct item *it)
{
    add_class_words(k, compile_name(k, it->name), compile_expanded(k, it->value));
}

/* A macro's value as the line gives it: quotes are gone, a backslash goes before what it hides. */
static char *unquoted(struct arena *a, const char *s)
{
    char *out = arena_raw(a, strlen(s) + 1), *q = out;

    for (; *s; s++) {
        if (*s == '"')
            continue;
        if (*s == '\\' && s[1]) {
            s++;
            *q++ = *s;
            if (*s == 'n')
                q[-1] = '\n';
            else if (*s == 'r')
                q[-1] = '\r';
            continue;
        }
        *q++ = *s;
    }
    *q = '\0';
    return out;
}

/* --- rulesets ----------------------------------------------------------------------------- */

static bool in_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

size_t program_ruleset_name(const char *s, size_t len, long *number)
{
    size_t n = 0;

    *number = -1;
    if (len > 0 && isdigit((unsigned char)*s)) {
        for (*number = 0; n < len && isdigit((unsigned char)s[n]); n++) {
            if (*number < 1000000)
                *number = *number * 10 + (s[n] - '0');
        }
    } else if (len > 0 && isalpha((unsigned char)*s)) {
        while (n < len && in_name(s[n]))
            n++;
    }
    return n;
}

static struct ruleset *numbered(struct compiler *k, long number)
{
    struct program *p = k->p;

    if (!p->rulesets[number]) {
        struct ruleset *r = arena_alloc(p->arena, sizeof *r);
        *r = (struct ruleset){.number = (uint16_t)number, .name = ""};
        p->rulesets[number] = r;
    }
    return p->rulesets[number];
}

struct ruleset *compile_ruleset(struct compiler *k, const char *s, size_t len, long wanted)
{
    struct program *p = k->p;
    long number;
    size_t n = program_ruleset_name(s, len, &number);

    if (number >= 0)
        return number < RULESETS_MAX / 2 ? numbered(k, number) : NULL;
    if (n == 0)
        return NULL;
    char *name = arena_strndup(p->arena, s, n);
    struct ruleset *r = table_get(p->ruleset_names, name);
    if (r)
        return r; /* whatever number is wanted now */
    number = wanted;
    if (number < 0) {
        do {
            number = --k->next_named;
        } while (number >= RULESETS_MAX / 2 && p->rulesets[number]);
        if (number < RULESETS_MAX / 2)
            return NULL;
    }
    r = numbered(k, number);
    r->name = name;
    table_set(p->ruleset_names, name, r);
    return r;
}

const struct ruleset *program_ruleset(const struct program *p, const char *s, size_t len)
{
    long number;
    size_t n = program_ruleset_name(s, len, &number);

    if (number >= 0)
        return number < RULESETS_MAX / 2 ? p->rulesets[number] : NULL;
    if (n == 0 || n > RULESET_NAME_MAX)
        return NULL;
    char name[RULESET_NAME_MAX + 1];
    memcpy(name, s, n);
    name[n] = '\0';
    return table_get(p->ruleset_names, name);
}

const char *program_ruleset_label(const struct ruleset *r, char number[8])
{
    if (*r->name)
        return r->name;
    unsigned n = r->number, i = 7;
    number[7] = '\0';
    do {
        number[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return number + i;
}

static void read_ruleset(struct compiler *k, const struct item *it)
{
    long number = it->value ? strtol(it->value, NULL, 10) : -1;

    k->ruleset = compile_ruleset(k, it->name, strlen(it->name), number);
    if (!k->ruleset) {
        if (k->diag)
            finding_add(k->diag, FINDING_TOO_MANY_RULESETS, it->at, NULL);
        return;
    }
    if (number >= 0 && number != k->ruleset->number && k->diag)
        finding_add(k->diag, FINDING_RULESET_NUMBER, it->at, it->name,
                    arena_printf(k->p->arena, "%u", (unsigned)k->ruleset->number), NULL);
}

/* A ruleset's line with a fault: rules behind it belong to none, but its name, if it has one, is
 * known from then on. */
static void read_broken_ruleset(struct compiler *k, const struct item *it)
{
    long number;
    const char *name = it->text + 1 + strspn(it->text + 1, " \t");

    k->ruleset = NULL;
    size_t n = program_ruleset_name(name, strlen(name), &number);
    if (n == 0 || number >= 0)
        return;
    k->unnumbered = arena_grow(k->p->arena, k->unnumbered, k->nunnumbered, &k->unnumbered_room,
                               sizeof(char *), 4);
    k->unnumbered[k->nunnumbered++] = arena_strndup(k->p->arena, name, n);
}

/* They get a number when they are first asked for. */
static void number_the_unnumbered(struct compiler *k)
{
    for (size_t i = 0; i < k->nunnumbered; i++) {
        const char *name = k->unnumbered[i];
        bool known = table_has(k->p->ruleset_names, name);
        struct ruleset *r = compile_ruleset(k, name, strlen(name), -1);
        if (r && !known)
            r->name = "";
    }
}

/* "$>name" or "$>+name" of a header that is checked. */
static void read_header(struct compiler *k, const struct item *it)
{
    const char *s = it->value;

    if (s[0] != '$' || s[1] != '>')
        return;
    s += 2;
    s += strspn(s, " \t");
    s += *s == '+';
    s += strspn(s, " \t");
    compile_ruleset(k, s, strlen(s), -1);
}

/* --- rules -------------------------------------------------------------------------------- */

/* The number of the name behind "$=x", "$&{name}". */
static uint32_t named(struct compiler *k, const struct token *t)
{
    size_t len;
    const char *name = text_name(t->p, t->len, &len);
    uint32_t id = names_add(&k->p->names, name, len);

    make_room(k);
    return id;
}

static void side(struct compiler *k, const struct item *it, const char *s, struct tokens *out)
{
    struct program *p = k->p;
    struct text t = compile_text(k, s);
    struct scan sc = {
        .table = &p->rules, .words = &p->words, .arena = p->arena, .delimiter = -1, .rule = true};

    t = text_expand(p->arena, &t, value_of, k);
    if (!scan_pieces(&sc, &t, out) && k->diag)
        finding_add(k->diag, FINDING_RULE_TOO_LONG, it->at, NULL);
    for (uint32_t i = 0; i < out->n; i++) {
        struct token *made = &out->v[i];
        if (made->id == WORD_NONE)
            made->id = words_add(&p->words, made->p, made->len);
        if (made->id < WORD_FIRST)
            continue;
        /* The same bytes are in one place: few lines of the cache have all that rules make. */
        const struct word *w = words_at(&p->words, made->id);
        if (memcmp(w->text, made->p, made->len) == 0)
            made->p = w->text;
    }
}

static void left_side(struct compiler *k, struct rule *r, const struct tokens *in)
{
    struct element *left = arena_calloc(k->p->arena, in->n + 1UL, sizeof *left);

    for (uint32_t i = 0; i < in->n; i++) {
        const struct token *t = &in->v[i];
        struct element *e = &left[i];
        e->id = t->id;
        switch (t->id) {
        case OP_ZERO_OR_MORE:
            e->kind = LEFT_ANY0;
            continue;
        case OP_ONE_OR_MORE:
            e->kind = LEFT_ANY;
            break;
        case OP_ONE:
            e->kind = LEFT_ONE;
            break;
        case OP_IN_CLASS:
            e->kind = LEFT_CLASS;
            e->id = named(k, t);
            break;
        case OP_NOT_IN_CLASS:
            e->kind = LEFT_NOT_CLASS;
            e->id = named(k, t);
            break;
        case OP_AT:
            e->kind = LEFT_NOTHING;
            continue;
        case OP_LATE_MACRO:
            e->kind = LEFT_LATE;
            e->id = named(k, t);
            continue;
        default:
            e->kind = t->id < WORD_FIRST ? LEFT_OPERATOR : LEFT_WORD;
            r->need |= word_bit(t->id);
            break;
        }
        r->least++;
    }
    struct token *tokens = arena_calloc(k->p->arena, in->n, sizeof *tokens);
    memcpy(tokens, in->v, in->n * sizeof *tokens);
    r->left_tokens = tokens;
    r->nleft = (uint16_t)in->n;
    left[in->n].kind = LEFT_END;
    r->left = left;
    r->takes_all = in->n == 1 && left->kind == LEFT_ANY0;
}

/* Takes a right-hand side apart into its parts. */
static void make_parts(struct program *p, struct rule *r)
{
    struct part *parts = arena_calloc(p->arena, r->nright + 1UL, sizeof *parts), *now = parts;

    r->parts = parts;
    r->fixed = arena_calloc(p->arena, r->nright, sizeof *r->fixed);
    for (uint32_t i = 0; i < r->nright; i++) {
        const struct token *t = &r->right[i];
        if (t->id == OP_MATCHED) {
            now++->matched = (uint16_t)(t->p[1] - '0');
        } else {
            now->fixed++;
            r->fixed[r->nfixed++] = *t;
        }
    }
}

/* matches: how many $1 to $9 its left-hand side gives. */
static void right_side(struct compiler *k, struct rule *r, const struct tokens *in,
                       unsigned matches)
{
    struct token *right = arena_calloc(k->p->arena, in->n, sizeof *right);
    uint32_t *late = NULL;
    uint32_t i = 0, n = 0, nlate = 0;

    if (in->n > 0 && in->v[0].id == OP_AT) {
        r->mode = RULE_RETURN;
        i++;
    } else if (in->n > 0 && in->v[0].id == OP_COLON) {
        r->mode = RULE_ONCE;
        i++;
    } else if (in->n > 0 && in->v[0].id == OP_HASH) {
        r->mode = RULE_RESOLVE;
    }
    bool plain = true;
    for (; i < in->n; i++) {
        struct token t = in->v[i];
        right[n++] = t;
        if (t.id != OP_MATCHED && t.id != OP_LATE_MACRO)
            r->made |= word_bit(t.id);
        r->ncalls = (uint16_t)(r->ncalls + (t.id == OP_CALL));
        if (t.id == OP_LATE_MACRO || (t.id == OP_MATCHED && (unsigned)(t.p[1] - '1') >= matches))
            plain = false;
        if (t.id != OP_LATE_MACRO)
            continue;
        if (!late)
            late = arena_calloc(k->p->arena, in->n, sizeof *late);
        late[nlate++] = named(k, &t);
    }
    r->right = right;
    r->late = late;
    r->nright = (uint16_t)n;
    if (plain)
        make_parts(k->p, r);
}

/* A $ before the tab is the name of a macro that nobody sets. */
static const char *without_last_dollar(struct arena *a, const char *s)
{
    size_t len = strlen(s), n = 0;

    while (n < len && s[len - n - 1] == '$')
        n++;
    return n % 2 == 1 ? arena_strndup(a, s, len - 1) : s;
}

static unsigned wildcards_in(const struct tokens *ws)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < ws->n; i++)
        n += ws->v[i].id >= OP_ZERO_OR_MORE && ws->v[i].id <= OP_NOT_IN_CLASS;
    return n;
}

static void read_rule(struct compiler *k, const struct item *it)
{
    struct ruleset *s = k->ruleset;
    struct token v[TOKENS_MAX];
    struct tokens in = {v, 0, TOKENS_MAX};

    if (!s)
        return;
    s->rules = arena_grow(k->p->arena, s->rules, s->nrules, &s->room, sizeof *s->rules, 8);
    struct rule *r = &s->rules[s->nrules++];
    *r = (struct rule){.item = it};
    side(k, it, without_last_dollar(k->p->arena, it->aux), &in);
    if (in.n == 0 && *it->aux && k->diag)
        finding_add(k->diag, FINDING_RULE_NOTHING_LEFT, it->at, "left", NULL);
    unsigned matches = wildcards_in(&in);
    if (matches > MATCHES_MAX)
        matches = in.n = 0; /* which sendmail has said by now, and matches nothing */
    left_side(k, r, &in);
    in.n = 0;
    side(k, it, it->value, &in);
    if (in.n == 0 && *it->value && k->diag)
        finding_add(k->diag, FINDING_RULE_NOTHING_LEFT, it->at, "right", NULL);
    right_side(k, r, &in, matches);
}

/* --- options ------------------------------------------------------------------------------ */

bool program_is_option(const struct item *it, const char *name)
{
    return option_is(it, name);
}

bool program_forgives(const struct program *p, const char *word, const struct item *end)
{
    return option_forgives(p->config, word, end);
}

const char *program_option(const struct program *p, const char *name)
{
    const char *value = NULL;

    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind == ITEM_OPTION && program_is_option(it, name))
            value = it->value;
    }
    return value;
}

bool program_is_true(const struct program *p, const char *name, bool unset)
{
    const char *value = program_option(p, name);

    return value ? !*value || strchr("tTyY", *value) != NULL : unset;
}

static void tables(struct program *p)
{
    scan_table_init(&p->rules, p->operators);
    p->addresses = p->comments = p->rules;
    p->comments.comments = true;
}

const char *program_letters_apart(struct arena *a, const char *s)
{
    struct buf out;

    buf_init(&out, a);
    for (; *s; s++) {
        if (isspace((unsigned char)*s))
            continue;
        if (out.len > 0)
            buf_addc(&out, ' ');
        if (isupper((unsigned char)*s))
            buf_addc(&out, *s);
        buf_addc(&out, *s);
    }
    return out.data ? out.data : "";
}

/* The value with the blank that stands before it: behind an option's letter, it is part of it. */
static const char *value_behind_letter(struct compiler *k, const struct item *it)
{
    const bool blank = it->short_option && isspace((unsigned char)it->text[2]);

    return blank ? arena_printf(k->p->arena, " %s", it->value) : it->value;
}

/* A user or group that this system does not know. */
static void check_user(struct compiler *k, const struct item *it)
{
    const char *ends = program_is_option(it, "TrustedUser") ? "" : ":./";
    const char *value = value_behind_letter(k, it);
    const size_t n = strcspn(value, ends);
    const char *user = arena_strndup(k->p->arena, value, n), *group = value + n;

    group += *group != '\0';
    if (!k->diag)
        return;
    if (!isdigit((unsigned char)*user) && !getpwnam(user))
        finding_add(k->diag, FINDING_OPTION_USER, it->at, *user ? user : "\"\"", NULL);
    else if (*group && !isdigit((unsigned char)*group) && !getgrnam(group))
        finding_add(k->diag, FINDING_OPTION_GROUP, it->at, group, NULL);
}

/* "Og": the old default group. */
static void check_group(struct compiler *k, const struct item *it)
{
    const char *group = value_behind_letter(k, it);

    if (k->diag && !isdigit((unsigned char)*group) && !getgrnam(group))
        finding_add(k->diag, FINDING_OPTION_GROUP, it->at, *group ? group : "\"\"", NULL);
}

/* "OMxvalue" and "OM{name}value": a macro. */
static void read_macro_option(struct compiler *k, const struct item *it)
{
    const char *s = value_behind_letter(k, it);
    const bool braces = *s == '{';
    const char *name = s + braces, *end = braces ? strchr(name, '}') : name + (*s != '\0');

    if (!end || end == name) {
        if (k->diag)
            finding_add(k->diag, FINDING_MISSING_NAME, it->at, "the macro's name is missing",
                        "write it behind M, as behind D", NULL);
        return;
    }
    compile_set(k, arena_strndup(k->p->arena, name, (size_t)(end - name)), end + braces);
}

/* A service that this system does not know. */
static void check_services(struct compiler *k, const struct item *it)
{
    for (const struct equate *e = it->equates; e && k->diag; e = e->next) {
        if (!e->has_value || tolower((unsigned char)e->key[0]) != 'p' ||
            isdigit((unsigned char)e->value[0]))
            continue;
        if (!getservbyname(e->value, "tcp"))
            finding_add(k->diag, FINDING_OPTION_SERVICE, it->at, *e->value ? e->value : "\"\"",
                        NULL);
    }
}

static char *trimmed(struct arena *a, const char *s, size_t len)
{
    while (len > 0 && isspace((unsigned char)*s)) {
        s++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)s[len - 1]))
        len--;
    return arena_strndup(a, s, len);
}

/* What a directory of aliases is asked where the option does not say it. */
static const char aliases_of_ldap[] =
    "-k (&(objectClass=sendmailMTAAliasObject)(sendmailMTAAliasGrouping=aliases)"
    "(|(sendmailMTACluster=${sendmailMTACluster})(sendmailMTAHost=$j))(sendmailMTAKey=%0)) "
    "-v sendmailMTAAliasValue,sendmailMTAAliasSearch:FILTER:sendmailMTAAliasObject,"
    "sendmailMTAAliasURL:URL:sendmailMTAAliasObject";

/* The files of aliases are the maps Alias0, Alias1 and so on, of the class before the colon. */
static void read_aliases(struct compiler *k, const struct item *it)
{
    struct program *p = k->p;

    for (const char *s = it->value, *end; *s; s = end + (*end != '\0')) {
        while (isspace((unsigned char)*s))
            s++;
        end = s + strcspn(s, ",");
        const size_t before = strcspn(s, ":,");
        const bool colon = s[before] == ':';
        if (!*s)
            break;
        const char *cls = colon ? trimmed(p->arena, s, before) : "implicit";
        const char *rest = colon ? s + before + 1 : s;
        const char *spec = trimmed(p->arena, rest, (size_t)(end - rest));
        if (!*spec && strcasecmp(cls, "ldap") == 0)
            spec = compile_expanded(k, aliases_of_ldap);
        if (map_class_has_aliases(cls) &&
            lookup_declare_aliases(p->maps, k->naliases, cls, spec, k->diag, it->at))
            k->naliases++;
    }
}

/* What asks for aliases asks the maps of all files of them. */
static void join_aliases(struct compiler *k)
{
    static const char all[] = "aliases.files";
    struct buf members;

    buf_init(&members, k->p->arena);
    for (unsigned i = 0; i < k->naliases; i++)
        buf_printf(&members, "Alias%u ", i);
    if (members.len > 0)
        lookup_declare(k->p->maps, all, "sequence", members.data, NULL, (struct origin){0});
}

static void read_option(struct compiler *k, const struct item *it)
{
    struct program *p = k->p;

    if (program_is_option(it, "DefaultUser") || program_is_option(it, "RunAsUser") ||
        program_is_option(it, "TrustedUser"))
        check_user(k, it);
    if (it->short_option && *it->name == 'g')
        check_group(k, it);
    if (it->short_option && *it->name == 'M')
        read_macro_option(k, it);
    if (program_is_option(it, "DaemonPortOptions") || program_is_option(it, "ClientPortOptions"))
        check_services(k, it);

    if (program_is_option(it, "AliasFile"))
        read_aliases(k, it);

    if (program_is_option(it, "OperatorChars")) {
        p->operators = it->value;
        tables(p);
    } else if (program_is_option(it, "DirectSubmissionModifiers")) {
        compile_set(k, "daemon_flags", program_letters_apart(p->arena, it->value));
    } else if (program_is_option(it, "BlankSub")) {
        p->space = *it->value ? *it->value : ' ';
    }
}

/* --- the whole ---------------------------------------------------------------------------- */

static void read_map(struct compiler *k, const struct item *it)
{
    lookup_declare(k->p->maps, it->name, it->aux, compile_expanded(k, it->value), k->diag, it->at);
}

static void read_item(struct compiler *k, const struct item *it)
{
    switch (it->kind) {
    case ITEM_VERSION:
        k->p->level = atoi(it->value);
        if (k->p->level >= LEVEL_SHORT_NAME && k->host && k->host->name)
            compile_set(k, "w",
                        arena_strndup(k->p->arena, k->host->name, strcspn(k->host->name, ".")));
        break;
    case ITEM_MACRO: {
        const char *value = unquoted(k->p->arena, it->value);
        compile_set(k, it->name, value);
        if (k->p->level < LEVEL_OPERATOR_OPTION && strcmp(it->name, "o") == 0) {
            k->p->operators = value;
            tables(k->p);
        }
        break;
    }
    case ITEM_CLASS:
        read_class(k, it);
        break;
    case ITEM_TRUSTED:
        for (const char **w = it->words; w && *w; w++)
            compile_word(k, compile_name(k, "t"), *w, strlen(*w));
        break;
    case ITEM_CLASSFILE:
        class_file_read(k, it);
        break;
    case ITEM_MAP:
        read_map(k, it);
        break;
    case ITEM_MAILER:
        compile_mailer(k, it);
        break;
    case ITEM_OPTION:
        read_option(k, it);
        break;
    case ITEM_RULESET:
        read_ruleset(k, it);
        break;
    case ITEM_RULE:
        read_rule(k, it);
        break;
    case ITEM_HEADER:
        read_header(k, it);
        break;
    case ITEM_UNKNOWN:
        if (*it->text == 'S')
            read_broken_ruleset(k, it);
        break;
    default:
        break;
    }
}

static bool is_fixed(const struct element *e)
{
    return e->kind == LEFT_WORD || e->kind == LEFT_OPERATOR;
}

/* What matching and making reads of a ruleset's rules is in a row, in their order. */
static void pack(struct program *p, struct ruleset *s)
{
    size_t nleft = 0, nparts = 0, nfixed = 0;

    for (size_t i = 0; i < s->nrules; i++) {
        nleft += s->rules[i].nleft + 1U;
        nparts += s->rules[i].nright + 1U;
        nfixed += s->rules[i].nfixed;
    }
    struct element *left = arena_calloc(p->arena, nleft, sizeof *left);
    struct part *parts = arena_calloc(p->arena, nparts, sizeof *parts);
    struct token *fixed = arena_calloc(p->arena, nfixed, sizeof *fixed);
    for (size_t i = 0; i < s->nrules; i++) {
        struct rule *r = &s->rules[i];
        memcpy(left, r->left, (r->nleft + 1U) * sizeof *left);
        r->left = left;
        left += r->nleft + 1U;
        if (!r->parts)
            continue;
        const struct part *from = r->parts;
        r->parts = parts;
        do
            *parts++ = *from;
        while (from++->matched != 0);
        memcpy(fixed, r->fixed, r->nfixed * sizeof *fixed);
        r->fixed = fixed;
        fixed += r->nfixed;
    }
}

static void make_keys(struct program *p)
{
    for (size_t n = 0; n < RULESETS_MAX; n++) {
        struct ruleset *s = p->rulesets[n];
        if (!s || s->nrules == 0)
            continue;
        struct rule_key *keys = arena_calloc(p->arena, s->nrules, sizeof *keys);
        for (size_t i = 0; i < s->nrules; i++) {
            const struct rule *r = &s->rules[i];
            keys[i] = (struct rule_key){.need = r->need, .least = r->least};
            if (r->nleft > 0 && is_fixed(&r->left[0]))
                keys[i].first = r->left[0].id;
            if (r->nleft > 0 && is_fixed(&r->left[r->nleft - 1]))
                keys[i].last = r->left[r->nleft - 1].id;
        }
        s->keys = keys;
        pack(p, s);
    }
}

/* A call's name is that of the ruleset itself, which is seen without comparing them. */
static void link_calls(const struct program *p, const struct rule *r)
{
    for (uint32_t i = 0; r->parts && i + 1 < r->nfixed; i++) {
        struct token *t = &r->fixed[i + 1];
        if (r->fixed[i].id != OP_CALL || t->id < WORD_FIRST)
            continue;
        const uint16_t n = words_at(&p->words, t->id)->ruleset;
        const char *name = n ? p->rulesets[n - 1]->name : NULL;
        if (name && memcmp(name, t->p, t->len) == 0)
            t->p = name;
    }
}

/* What a token says is found without looking for it by name. */
static void link_words(struct program *p)
{
    for (uint32_t i = 0; i < p->words.count; i++) {
        struct word *w = &p->words.words[i];
        w->map = lookup_find(p->maps, w->text, w->len);
    }
    for (uint16_t i = 0; i < RULESETS_MAX; i++) {
        const struct ruleset *r = p->rulesets[i];
        uint32_t id = r && *r->name ? words_find(&p->words, r->name, strlen(r->name)) : WORD_NONE;
        if (id != WORD_NONE)
            words_at(&p->words, id)->ruleset = (uint16_t)(i + 1);
    }
    for (size_t i = 0; i < RULESETS_MAX; i++) {
        for (size_t k = 0; p->rulesets[i] && k < p->rulesets[i]->nrules; k++)
            link_calls(p, &p->rulesets[i]->rules[k]);
    }
}

/* Classes that have words where no line gives them any. */
static void built_in_classes(struct compiler *k)
{
    static const struct {
        const char *name, *words;
    } built_in[] = {
        {"e", "7bit 8bit binary"},
        {"n", "multipart/signed"},
        {"s", "rfc822"},
        {"checkMIMEFieldHeaders", "content-disposition content-type"},
        {"checkMIMETextHeaders", "content-description"},
        {"checkMIMEHeaders", "content-disposition content-id content-transfer-encoding "
                             "content-type mime-version"},
        {"persistentMacros", "r s _ {if_addr} {daemon_flags}"},
    };

    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
        uint32_t cls = compile_name(k, built_in[i].name);
        for (const char *s = built_in[i].words; *s; s += strspn(s, " ")) {
            size_t n = strcspn(s, " ");
            compile_word(k, cls, s, n);
            s += n;
        }
    }
}

static void what_the_machine_is(struct compiler *k, const struct program_host *host)
{
    static const char *const known[] = {"b", "n", "j", "w", "m", "k", "v"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        compile_name(k, known[i]);
    if (!host || !host->name)
        return;
    const char *dot = strchr(host->name, '.');
    compile_set(k, "j", host->name);
    compile_set(k, "w", host->name);
    compile_set(k, "k", host->node ? host->node : host->name);
    compile_set(k, "n", "MAILER-DAEMON");
    if (dot && dot[1])
        compile_set(k, "m", dot + 1);
    const char *node = host->node ? host->node : host->name;
    compile_word(k, compile_name(k, "k"), node, strlen(node));
    if (host->version)
        compile_set(k, "v", host->version);
    if (host->date)
        compile_set(k, "b", host->date);
    if (host->mode)
        compile_set(k, "opMode", host->mode);
    uint32_t w = compile_name(k, "w");
    for (const char *const *name = host->names; name && *name; name++)
        compile_word(k, w, *name, strlen(*name));
}

static void add_new_name(struct compiler *k, uint32_t w, const char *name)
{
    if (program_in_class(k->p, w, name, strlen(name)))
        return;
    compile_word(k, w, name, strlen(name));
    if (*name != '[') {
        name = arena_printf(k->p->arena, "[%s]", name);
        compile_word(k, w, name, strlen(name));
    }
}

/* As DontProbeInterfaces has it: all, without the names of loopback, or none. */
static void add_interfaces(struct compiler *k)
{
    const char *option = program_option(k->p, "DontProbeInterfaces");
    const struct program_interface *i = k->host ? k->host->interfaces : NULL;
    bool loopback = option && strcasecmp(option, "loopback") == 0;
    uint32_t w = compile_name(k, "w");

    if (!loopback && program_is_true(k->p, "DontProbeInterfaces", false))
        return;
    for (; i && i->address; i++) {
        compile_word(k, w, i->address, strlen(i->address));
        for (const char *const *name = i->names; !(loopback && i->loopback) && *name; name++)
            add_new_name(k, w, *name);
    }
}

/* The value of the macro is a word of the class. */
static void add_value(struct compiler *k, const char *macro, const char *cls)
{
    const char *value = compile_expanded(k, arena_printf(k->p->arena, "${%s}", macro));

    if (*value)
        compile_word(k, compile_name(k, cls), value, strlen(value));
}

struct program *program_compile(struct arena *a, const struct config *c,
                                const struct program_host *host, struct diag *d)
{
    struct program *p = arena_alloc(a, sizeof *p);
    struct compiler k = {.p = p, .diag = d, .host = host, .next_named = RULESETS_MAX};

    *p = (struct program){.arena = a,
                          .config = c,
                          .operators = default_operators,
                          .space = ' ',
                          .level = LEVEL_NONE,
                          .ruleset_names = table_new(a),
                          .maps = lookup_maps_new(a)};
    names_init(&p->names, a);
    words_init(&p->words, a);
    tables(p);
    make_room(&k);
    built_in_classes(&k);
    what_the_machine_is(&k, host);
    compile_built_in_mailers(&k);
    for (const struct item *it = c->first; it; it = it->next)
        read_item(&k, it);
    join_aliases(&k);
    number_the_unnumbered(&k);
    add_interfaces(&k);
    add_value(&k, "j", "w");
    add_value(&k, "m", "m");
    compile_mailers_of_level(&k);
    p->colon_ok = program_is_true(p, "ColonOkInAddr", p->level < LEVEL_GROUPS);
    const char *more = program_option(p, "MustQuoteChars");
    p->must_quote = arena_printf(a, "@,;:\\()[]%s", more ? more : ".'");
    make_room(&k);
    p->nnames = p->names.count + 1;
    link_words(p);
    make_keys(p);
    return p;
}

bool program_in_class(const struct program *p, uint32_t cls, const char *word, size_t len)
{
    uint32_t id = words_find(&p->words, word, len);

    return id != WORD_NONE && words_in_class(words_at(&p->words, id), cls);
}
