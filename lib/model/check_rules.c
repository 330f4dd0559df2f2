/*
 * check_rules: the two sides of a rule, as sendmail looks at them when it reads the line.
 *
 * It is not an error that a rule calls what nothing declares: the rule may never be reached.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/table.h"
#include "lib/model/check_parts.h"

enum { WILDCARDS_MAX = 9, WILDCARDS_IN_A_ROW = 2, NAME_BYTES_MAX = 25 };

/* One $ operator: '$' and the byte behind it, and the name that some have. */
struct operation {
    char c;           /* 0: the side is over */
    struct part text; /* "$>" */
    struct part name; /* of ${name} $&x $=x $~x; of $>name and $(name where it is plain */
    bool open;        /* '{' without '}' */
};

static bool in_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The name at s: one byte, or what braces hold. */
static size_t read_name(const char *s, const char *end, struct operation *op)
{
    if (s >= end)
        return 0;
    if (*s != '{') {
        op->name = (struct part){s, 1};
        return 1;
    }
    const char *close = memchr(s, '}', (size_t)(end - s));
    op->open = !close;
    op->name = (struct part){s + 1, (size_t)((close ? close : end) - s - 1)};
    return op->name.len + 1 + (close ? 1 : 0);
}

/* The next operator of side; side goes on behind it. */
static struct operation next_operator(struct part *side)
{
    struct operation op = {0, {NULL, 0}, {NULL, 0}, false};
    const char *s = side->s, *end = side->s + side->len;
    while (s < end && (*s != '$' || s + 1 >= end)) {
        /* "\$" is a dollar sign. */
        if (*s == '\\' && s + 1 < end)
            s++;
        s++;
    }
    if (s >= end) {
        *side = (struct part){end, 0};
        return op;
    }
    const char *begin = s++;
    op.c = *s++;
    op.text = (struct part){begin, 2};
    if (op.c == '{') {
        s--;
        s += read_name(s, end, &op);
        op.text.len = (size_t)(s - begin);
    } else if (op.c == '&' || op.c == '=' || op.c == '~' || op.c == '?') {
        s += read_name(s, end, &op);
        op.text.len = (size_t)(s - begin);
    } else if (op.c == '>' || op.c == '(' || op.c == '#') {
        const char *name = s;
        while (name < end && (*name == ' ' || *name == '\t'))
            name++;
        size_t n = 0;
        while (name + n < end && (in_name(name[n]) || (op.c == '(' && strchr(".-", name[n]))))
            n++;
        op.name = (struct part){name, n};
        s = n > 0 ? name + n : s;
    }
    *side = (struct part){s, (size_t)(end - s)};
    return op;
}

static void syntax(struct check *k, const struct item *it, struct part p, const char *what)
{
    check_say(k, it, p, FINDING_RULE_SYNTAX, what, NULL, NULL);
}

/* What every name must be; true if it is. */
static bool check_name(struct check *k, const struct item *it, const struct operation *op)
{
    if (op->open) {
        syntax(k, it, op->text, "'{' without '}'");
        return false;
    }
    if (!op->name.s || op->name.len == 0) {
        /* "$=" at the end of a side is no complaint of sendmail's. */
        if (op->c == '{' || op->c == '&')
            syntax(k, it, op->text, "a name is missing here");
        return op->c != '{' && op->c != '&';
    }
    if (op->name.s[-1] != '{')
        return true;
    if (op->name.len > NAME_BYTES_MAX) {
        syntax(k, it, op->name, "a name of more than 25 characters");
        return false;
    }
    for (size_t i = 0; i < op->name.len; i++)
        if (!in_name(op->name.s[i])) {
            syntax(k, it, op->name, "a name has letters, digits and '_' only");
            return false;
        }
    return true;
}

/* Classes that sendmail fills, and those that the library's rules leave to the site. */
static const char *const known_classes[] = {
    "w",
    "m",
    "t",
    "k",
    "n",
    "e",
    "q",
    "s",
    "b",
    "B",
    "E",
    "G",
    "L",
    "M",
    "N",
    "O",
    "P",
    "R",
    "U",
    "V",
    "W",
    "X",
    "Y",
    "Z",
    ".",
    "[",
    "Accept",
    "Canonify",
    "LocalIP",
    "Tls",
    "TlsVerified",
    "TrustAuthMech",
    "VirtHost",
    "cert_altnames",
    "checkMIMEFieldHeaders",
    "checkMIMEHeaders",
    "checkMIMETextHeaders",
    "dnssec",
    "persistentMacros",
    "sendmailMTACluster",
};

static void check_class(struct check *k, const struct item *it, const struct operation *op)
{
    const char *name = check_text(k, op->name);
    if (op->name.len == 0 || table_has(k->classes, name))
        return;
    for (size_t i = 0; i < sizeof known_classes / sizeof known_classes[0]; i++)
        if (strcmp(known_classes[i], name) == 0)
            return;
    check_undefined(k, it, op->name, FINDING_UNDEFINED_CLASS, NULL, k->classes);
}

/* A side of brackets and wildcards alone is about addresses that are not in order. */
static bool is_about_brackets(struct part side)
{
    for (size_t i = 0; i < side.len; i++) {
        if (strchr("<>() \t", side.s[i]))
            continue;
        if (side.s[i] != '$' || i + 1 == side.len || !strchr("*+-", side.s[i + 1]))
            return false;
        i++;
    }
    return true;
}

/* Brackets that stand in pairs, and quotes. */
static void check_pairs(struct check *k, const struct item *it, struct part side)
{
    static const char open[] = "<(", close[] = ">)";
    const char *at[2] = {NULL, NULL}, *quote = NULL;
    int depth[2] = {0, 0};
    if (is_about_brackets(side))
        return;
    for (const char *s = side.s; s < side.s + side.len; s++) {
        if (*s == '\\' || *s == '$') {
            s += *s == '$' && s[1] == '&' ? 2 : 1;
            continue;
        }
        if (*s == '"')
            quote = quote ? NULL : s;
        if (quote)
            continue;
        for (int i = 0; i < 2; i++) {
            if (*s == open[i] && depth[i]++ == 0)
                at[i] = s;
            if (*s == close[i])
                depth[i]--;
            /* A closing one that nothing opens is the mistake, whatever follows. */
            if (depth[i] < 0) {
                struct part p = {s, 1};
                check_say(k, it, p, FINDING_RULE_UNBALANCED, check_text(k, p), i == 0 ? "<" : "(",
                          NULL);
                return;
            }
        }
    }
    if (quote) {
        check_say(k, it, (struct part){quote, 1}, FINDING_RULE_OPEN_QUOTE, NULL, NULL, NULL);
        return;
    }
    for (int i = 0; i < 2; i++)
        if (depth[i] > 0) {
            struct part p = {at[i], 1};
            check_say(k, it, p, FINDING_RULE_UNBALANCED, check_text(k, p), i == 0 ? ">" : ")",
                      NULL);
        }
}

/* A macro is carried out before anything can be hidden from it. */
static void check_backslashes(struct check *k, const struct item *it, struct part side)
{
    for (const char *s = side.s, *end = side.s + side.len; s + 2 < end; s++) {
        if (s[0] == '$') {
            s++;
            continue;
        }
        if (s[0] != '\\')
            continue;
        if (s[1] == '$' && (isalpha((unsigned char)s[2]) || s[2] == '{'))
            check_say(k, it, (struct part){s, 1}, FINDING_RULE_BACKSLASH, NULL, NULL, NULL);
        s++;
    }
}

void check_value_names(struct check *k, const struct item *it)
{
    struct part rest = check_value(it);
    if (!it->value || !it->value[0] || rest.len != strlen(it->value))
        return;
    for (struct operation op; (op = next_operator(&rest)).c;)
        if (strchr("{&?", op.c) && !op.open && op.name.len > NAME_BYTES_MAX)
            check_say(k, it, op.name, FINDING_BAD_NAME, "a name of more than 25 characters", NULL,
                      NULL);
}

static unsigned check_left(struct check *k, const struct item *it, struct part side)
{
    unsigned wildcards = 0, row = 0;
    bool condition = false;
    const char *end = NULL;
    check_pairs(k, it, side);
    for (struct operation op; (op = next_operator(&side)).c;) {
        const char *what = check_text(k, op.text);
        /* Wildcards of any length behind one another. */
        bool any = op.c == '*' || op.c == '+';
        row = !any                                                                       ? 0
              : end && part_trim((struct part){end, (size_t)(op.text.s - end)}).len == 0 ? row + 1
                                                                                         : 1;
        end = any ? op.text.s + 2 : NULL;
        if (row == WILDCARDS_IN_A_ROW + 1)
            check_say(k, it, op.text, FINDING_RULE_EXPLODES, NULL, NULL, NULL);
        if (strchr("{&=~", op.c) && !check_name(k, it, &op))
            continue;
        if (strchr("*+-=~", op.c)) {
            if (++wildcards == WILDCARDS_MAX + 1)
                syntax(k, it, op.text, "more than 9 wildcards on the left-hand side");
            if (op.c == '=' || op.c == '~')
                check_class(k, it, &op);
        } else if (op.c >= '0' && op.c <= '9') {
            check_say(k, it, op.text, FINDING_RULE_ONLY_RIGHT, what, NULL, NULL);
        } else if (op.c == '.' && !condition) {
            check_say(k, it, op.text, FINDING_RULE_ONLY_RIGHT, what, NULL, NULL);
        } else if (op.c == '?' || op.c == '.') {
            condition = op.c == '?';
        } else if (strchr("()[]>:", op.c)) {
            op.text.len = 2;
            check_say(k, it, op.text, FINDING_RULE_ONLY_RIGHT, check_text(k, op.text), NULL, NULL);
        }
    }
    return wildcards;
}

/* The ruleset of this name that sendmail itself calls; empty if there is none. */
static struct part hook_of(struct part name, bool any_case)
{
    static const char hooks[] =
        "check_compat check_data check_eoh check_eom check_etrn check_expn check_mail check_other "
        "check_rcpt check_relay check_vrfy srv_features clt_features tls_srv_features "
        "tls_clt_features tls_client tls_server tls_rcpt try_tls trust_auth authinfo greet_pause "
        "queuegroup bcc";
    struct part rest = {hooks, strlen(hooks)}, hook;
    while (part_next(&rest, " ", &hook))
        if (hook.len == name.len && (any_case ? strncasecmp(hook.s, name.s, hook.len)
                                              : memcmp(hook.s, name.s, hook.len)) == 0)
            return hook;
    return (struct part){NULL, 0};
}

void check_ruleset(struct check *k, const struct item *it)
{
    struct part name = check_part(it, it->text + 1, it->name);
    struct part hook = hook_of((struct part){it->name, strlen(it->name)}, true);
    if (hook.len == 0 || memcmp(hook.s, it->name, hook.len) == 0)
        return;
    const char *meant = check_text(k, hook);
    check_mend(k, check_say(k, it, name, FINDING_RULESET_CASE, it->name, meant, NULL), name, meant);
}

/* after: bytes of the side behind the operator. */
static void check_call(struct check *k, const struct item *it, const struct operation *op,
                       size_t after)
{
    const char *name = check_text(k, op->name);
    if (op->name.len == 0) {
        /* A name that the rule makes, or quotes, is looked up when the rule is reached; behind a
         * blank nobody means that. */
        const char *next = op->text.s + 2;
        struct part rest = part_trim((struct part){next, after});
        if (rest.len == 0 || (rest.s > next && rest.s[0] == '$'))
            check_say(k, it, op->text, FINDING_RULE_CALLS_NOTHING, NULL, NULL, NULL);
        return;
    }
    /* These are always there, if empty. */
    if (op->name.len == 1 && name[0] >= '0' && name[0] <= '5')
        return;
    if (table_has(k->rulesets, name))
        return;
    if (isdigit((unsigned char)name[0]) && op->name.len < 3) {
        if (!k->context->partial)
            check_say(k, it, op->name, FINDING_EMPTY_RULESET, name, NULL, NULL);
        return;
    }
    /* Where it is there: the name is right. */
    if (hook_of(op->name, false).len > 0) {
        if (!k->context->partial)
            check_say(k, it, op->name, FINDING_UNDEFINED_RULESET, name, NULL, NULL);
        return;
    }
    check_undefined(k, it, op->name, FINDING_UNDEFINED_RULESET, NULL, k->rulesets);
}

/* "aliases", "aliases.files", "alias0": of a name in small letters. */
static bool is_alias_map(const char *name)
{
    static const char alias[] = "alias";
    const char *rest = name + sizeof alias - 1;
    return strncmp(name, alias, sizeof alias - 1) == 0 &&
           (strncmp(rest, "es", 2) == 0 || (*rest && rest[strspn(rest, "0123456789")] == '\0'));
}

static void check_lookup(struct check *k, const struct item *it, const struct operation *op)
{
    char *name = arena_strndup(k->arena, op->name.len ? op->name.s : "", op->name.len);
    if (op->name.len == 0) {
        const char *s = op->text.s + 2;
        while (*s == ' ' || *s == '\t')
            s++;
        /* $($&{map} ...) is looked up when the rule is reached. */
        if (*s != '$' || (s[1] != '&' && s[1] != '{'))
            check_say(k, it, (struct part){op->text.s, 2}, FINDING_RULE_NO_MAP, NULL, NULL, NULL);
        return;
    }
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    /* sendmail has these without a K line. */
    if (table_has(k->maps, name) || strcmp(name, "host") == 0 || is_alias_map(name))
        return;
    check_undefined(k, it, op->name, FINDING_UNDEFINED_MAP, NULL, k->maps);
}

/* What follows $# is a mailer, or a word that the caller understands: only what is nearly a mailer
 * is told. */
static void check_resolve(struct check *k, const struct item *it, const struct operation *op)
{
    static const char known[] = "error discard local prog ok relay temp discard quarantine reject";
    const char *name = check_text(k, op->name);
    struct part rest = {known, strlen(known)}, word;
    if (op->name.len < 4 || isdigit((unsigned char)name[0]) || table_has(k->mailers, name))
        return;
    while (part_next(&rest, " ", &word))
        if (part_is(op->name, check_text(k, word)))
            return;
    size_t n = table_count(k->mailers);
    const char **names = arena_calloc(k->arena, n + 2, sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = table_at(k->mailers, i)->key;
    names[n] = "error";
    names[n + 1] = "discard";
    if (diag_nearest(name, names, n + 2, NULL))
        check_near(k, check_say(k, it, op->name, FINDING_UNDEFINED_MAILER, name, NULL, NULL),
                   op->name, names, n + 2);
}

/* Does the side begin so, but for $@ and $:? */
static bool at_beginning(const char *begin, const char *at)
{
    while (begin < at && (*begin == ' ' || *begin == '\t'))
        begin++;
    if (begin + 1 < at && *begin == '$' && (begin[1] == '@' || begin[1] == ':'))
        begin += 2;
    while (begin < at && (*begin == ' ' || *begin == '\t'))
        begin++;
    return begin == at;
}

static void check_right(struct check *k, const struct item *it, struct part side,
                        unsigned wildcards)
{
    struct part open = {NULL, 0}, condition = {NULL, 0};
    char close = 0;
    /* $@ and $: say something at the beginning, in a lookup and behind $#; behind $> they may be
     * what the ruleset is given. */
    bool free = false, otherwise = false;
    check_pairs(k, it, side);
    const char *begin = part_trim(side).s;
    for (struct operation op; (op = next_operator(&side)).c;) {
        const char *what = check_text(k, op.text);
        struct part two = {op.text.s, 2};
        if (strchr("{&?", op.c) && !check_name(k, it, &op))
            return;
        if (strchr("*+-=~", op.c)) {
            check_say(k, it, op.text, FINDING_RULE_ONLY_LEFT, what, NULL, NULL);
        } else if (op.c >= '0' && op.c <= '9') {
            unsigned n = (unsigned)(op.c - '0');
            if (n == 0 || n > wildcards)
                check_say(k, it, op.text, FINDING_RULE_OUT_OF_BOUNDS, what,
                          wildcards == 0   ? "no wildcard"
                          : wildcards == 1 ? "1 wildcard only"
                                           : arena_printf(k->arena, "%u wildcards only", wildcards),
                          NULL);
        } else if (op.c == '(' || op.c == '[') {
            if (open.s) {
                check_say(k, it, two, FINDING_RULE_NESTED, NULL, NULL, NULL);
                return;
            }
            open = two;
            close = op.c == '(' ? ')' : ']';
            if (op.c == '(')
                check_lookup(k, it, &op);
        } else if (op.c == ')' || op.c == ']') {
            if (!open.s || op.c != close)
                check_say(k, it, two, FINDING_RULE_CLOSES_NOTHING, check_text(k, two), NULL, NULL);
            if (op.c == close || !open.s)
                open.s = NULL;
        } else if ((op.c == '@' || op.c == ':') && !open.s && !free && op.text.s != begin) {
            check_say(k, it, two, FINDING_RULE_MISPLACED, what, NULL, NULL);
        } else if (op.c == '>') {
            free = true;
            check_call(k, it, &op, (size_t)(side.s + side.len - (op.text.s + 2)));
        } else if (op.c == '#') {
            /* What decides is read at the beginning only. */
            if (!free && !open.s && !at_beginning(begin, op.text.s))
                check_say(k, it, two, FINDING_RULE_MISPLACED, check_text(k, two), NULL, NULL);
            free = true;
            check_resolve(k, it, &op);
        } else if (op.c == '?') {
            condition = two;
        } else if (op.c == '|') {
            otherwise = true;
        } else if (op.c == '.') {
            condition.s = NULL;
        }
    }
    if (open.s)
        check_say(k, it, open, FINDING_RULE_UNCLOSED, check_text(k, open),
                  close == ')' ? "$)" : "$]", NULL);
    else if (condition.s) /* where nothing is left of the side, sendmail does not start */
        check_say(k, it, condition,
                  at_beginning(begin, condition.s) && !otherwise ? FINDING_RULE_UNCLOSED
                                                                 : FINDING_RULE_UNCLOSED_LIVES,
                  check_text(k, condition), "$.", NULL);
}

void check_rule(struct check *k, const struct item *it)
{
    struct part left = check_part(it, it->text + 1, it->aux);
    const char *after = left.len == strlen(it->aux) ? left.s + left.len : it->text;
    struct part right = check_part(it, after, it->value);
    if (left.len != strlen(it->aux))
        left = (struct part){it->aux, strlen(it->aux)};
    if (right.len != strlen(it->value))
        right = (struct part){it->value, strlen(it->value)};
    check_backslashes(k, it, left);
    check_backslashes(k, it, right);
    check_right(k, it, right, check_left(k, it, left));
}
