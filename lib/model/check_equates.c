/*
 * check_equates: lines of Key=Value: daemons, queue groups, filters, mailers.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"
#include "lib/model/check_parts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum key_line { DAEMON, QUEUE, FILTER, MAILER };

enum key_type {
    TEXT,
    NUMBER,
    SIZE,
    TIME,
    PORT,
    ADDRESS,
    FAMILY,
    FILTERS,
    MODE,
    SOCKET,
    TIMEOUTS,
    NAMES_QUEUE,
    RULESETS,
    ARGUMENTS,
    DAEMON_FLAGS,
    QUEUE_FLAGS,
    FILTER_FLAGS,
    MAILER_FLAGS
};

struct key {
    enum key_line line;
    const char *name;
    bool any_case;
    enum key_type type;
};

static const struct key keys[] = {
#define KEY(line, name, any_case, type) {line, name, any_case, type},
#define LETTERS(type, letters, id)
#include "lib/model/keys.def"
#undef KEY
#undef LETTERS
};

static const struct {
    enum key_type type;
    enum finding_id id;
    const char *letters;
} letters_table[] = {
#define KEY(line, name, any_case, type)
#define LETTERS(type, letters, id) {type, FINDING_##id, letters},
#include "lib/model/keys.def"
#undef KEY
#undef LETTERS
};

bool config_mailer_flag(char letter)
{
    for (size_t i = 0; i < COUNT(letters_table); i++)
        if (letters_table[i].type == MAILER_FLAGS)
            return letter && strchr(letters_table[i].letters, letter);
    return false;
}

/* What is being read: a line, and what to call it. */
struct line {
    struct check *k;
    const struct item *it;
    enum key_line kind;
    const char *what;
    bool inet6, local; /* of a daemon */
    bool unknown;      /* it has a key that sendmail does not know: what is missing may be that */
};

/* --- keys ---------------------------------------------------------------------------------- */

static bool letter_is(const struct key *key, char c)
{
    return key->name[0] == c ||
           (key->any_case && tolower((unsigned char)key->name[0]) == tolower((unsigned char)c));
}

/* What sendmail takes the key for; NULL if it does not know it.  *spelt: it is written so. */
static const struct key *find_key(enum key_line line, const char *name, bool *spelt)
{
    const struct key *found = NULL;
    *spelt = name[0] && !name[1];
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (keys[i].line != line || !letter_is(&keys[i], name[0]))
            continue;
        if (!found)
            found = &keys[i];
        if (strcasecmp(keys[i].name, name) == 0 && !*spelt) {
            *spelt = true;
            found = &keys[i];
        }
    }
    return found;
}

/* For a hint: what each letter means, with commas. */
static const char *listed_names(struct check *k, enum key_line line)
{
    struct buf b;
    buf_init(&b, k->arena);
    char last = 0;
    for (size_t i = 0; i < COUNT(keys); i++)
        if (keys[i].line == line && keys[i].name[0] != last) {
            buf_printf(&b, "%s%s", last ? ", " : "", keys[i].name);
            last = keys[i].name[0];
        }
    return b.data;
}

static const char *names_of(struct check *k, enum key_line line)
{
    struct buf b;
    buf_init(&b, k->arena);
    for (size_t i = 0; i < COUNT(keys); i++)
        if (keys[i].line == line)
            buf_printf(&b, "%s ", keys[i].name);
    return b.data;
}

/* --- values -------------------------------------------------------------------------------- */

static struct finding *say(const struct line *l, struct part p, enum finding_id id)
{
    return check_say(l->k, l->it, p, id, l->what, check_text(l->k, p), NULL);
}

static bool is_word(struct part p, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (part_is(p, words[i]))
            return true;
    return false;
}

static size_t leading_digits(struct part p)
{
    size_t n = 0;
    while (n < p.len && isdigit((unsigned char)p.s[n]))
        n++;
    return n;
}

enum { PORT_MAX = 65535 };

static void check_port(const struct line *l, struct part v)
{
    static const char names[] = "smtp submission submissions smtps ssmtp urd mail lmtp";
    size_t n = leading_digits(v);
    struct part rest = {names, strlen(names)}, word;
    if (memchr(v.s, '$', v.len))
        return;
    if (n > 0 && n == v.len) {
        if (strtol(v.s, NULL, 10) > PORT_MAX)
            say(l, v, FINDING_BAD_PORT);
        return;
    }
    while (part_next(&rest, " ", &word))
        if (part_is(v, check_text(l->k, word)))
            return;
    struct finding *f = say(l, v, n > 0 || v.len == 0 ? FINDING_BAD_PORT : FINDING_UNKNOWN_SERVICE);
    if (f && n > 0)
        diag_hint(l->k->diag, f, "sendmail takes it for %.*s: commas part the keys", (int)n, v.s);
    else
        check_suggest(l->k, f, v, names);
}

/* An address in numbers that cannot be one: sendmail looks it up as a name. */
static bool bad_dotted(struct part v)
{
    size_t dots = 0;
    long octet = 0;
    for (size_t i = 0; i <= v.len; i++) {
        char c = '.';
        if (i < v.len)
            c = v.s[i];
        if (c == '.') {
            if (octet > 255)
                return true;
            octet = 0;
            dots++;
        } else if (isdigit((unsigned char)c)) {
            octet = octet > 999 ? octet : octet * 10 + (c - '0');
        } else {
            return false; /* a name */
        }
    }
    return dots > 4;
}

static bool is_dotted(struct part v)
{
    size_t i = 0;
    while (i < v.len && (isdigit((unsigned char)v.s[i]) || v.s[i] == '.'))
        i++;
    return v.len > 0 && i == v.len;
}

static void check_address(const struct line *l, struct part v)
{
    if (l->local || memchr(v.s, '$', v.len))
        return;
    if (v.len == 0) {
        check_say(l->k, l->it, v, FINDING_NO_ADDRESS, "Addr", "\"\"", NULL);
    } else if (bad_dotted(v)) {
        say(l, v, FINDING_BAD_ADDRESS);
    } else if (l->unknown) {
        /* The family may be what the misspelt key says. */
        return;
    } else if (!l->inet6 && memchr(v.s, ':', v.len)) {
        struct finding *f = say(l, v, FINDING_ADDRESS_FAMILY);
        if (!f)
            return;
        diag_hint(l->k->diag, f, "add Family=inet6");
        const struct source *s = source_by_id(l->k->config->sources, f->at.file);
        if (f->at.len == v.len && f->at.col && s && s->bytes) {
            size_t end = source_offset(s, f->at.line, f->at.col) + v.len;
            diag_edit(l->k->diag, f, source_origin(s, end, 0), ", Family=inet6");
        }
    } else if (l->inet6 && is_dotted(v)) {
        struct finding *f = say(l, v, FINDING_ADDRESS_FAMILY);
        if (f)
            diag_hint(l->k->diag, f, "leave Family=inet6 out, or write an IPv6 address");
    }
}

static void check_family(const struct line *l, struct part v)
{
    static const char *const known[] = {"inet", "inet6", "unix", "local"};
    if (is_word(v, known, COUNT(known)) || memchr(v.s, '$', v.len))
        return;
    struct finding *f = check_say(l->k, l->it, v, FINDING_UNKNOWN_WORD_STOPS, "Family",
                                  check_text(l->k, v), "inet, inet6, unix or local");
    if (part_is(v, "ipv6") && f) {
        diag_hint(l->k->diag, f, "write inet6");
        check_mend(l->k, f, v, "inet6");
    } else if (part_is(v, "ipv4") && f) {
        diag_hint(l->k->diag, f, "write inet");
        check_mend(l->k, f, v, "inet");
    } else {
        check_suggest(l->k, f, v, "inet inet6 unix local");
    }
}

static void check_mode(const struct line *l, struct part v)
{
    if (v.len > 0 && strchr("biqd", v.s[0]))
        return;
    check_say(l->k, l->it, v, FINDING_UNKNOWN_WORD_STOPS, "DeliveryMode", check_text(l->k, v),
              "background, interactive, queueonly or deferred");
}

static void check_letters(const struct line *l, const struct key *key, struct part v)
{
    for (size_t i = 0; i < COUNT(letters_table); i++) {
        if (letters_table[i].type != key->type)
            continue;
        for (size_t j = 0; j < v.len; j++) {
            struct part letter = {v.s + j, 1};
            if (strchr(letters_table[i].letters, v.s[j]) || isspace((unsigned char)v.s[j]))
                continue;
            if (letters_table[i].id == FINDING_UNKNOWN_LETTER)
                check_say(l->k, l->it, letter, FINDING_UNKNOWN_LETTER, key->name,
                          check_text(l->k, letter), letters_table[i].letters);
            else
                check_say(l->k, l->it, letter, letters_table[i].id, check_text(l->k, letter),
                          l->what, NULL);
        }
    }
}

/* Family:address, as a filter's socket is written. */
static void check_socket(const struct line *l, struct part v)
{
    const char *colon = memchr(v.s, ':', v.len);
    if (v.len == 0) {
        check_say(l->k, l->it, v, FINDING_NO_SOCKET, l->it->name, NULL, NULL);
        return;
    }
    if (memchr(v.s, '$', v.len) || (!colon && v.s[0] == '/'))
        return;
    if (!colon) {
        struct finding *f =
            check_say(l->k, l->it, v, FINDING_SOCKET_IS_PATH, check_text(l->k, v), NULL, NULL);
        size_t n = leading_digits(v);
        if (n > 0 && n < v.len && v.s[n] == '@')
            check_mend(l->k, f, v, arena_printf(l->k->arena, "inet:%s", check_text(l->k, v)));
        return;
    }
    struct part family = {v.s, (size_t)(colon - v.s)};
    struct part rest = {colon + 1, v.len - family.len - 1};
    if (part_is(family, "unix") || part_is(family, "local"))
        return;
    if (!part_is(family, "inet") && !part_is(family, "inet6")) {
        struct finding *f = check_say(l->k, l->it, family, FINDING_UNKNOWN_WORD_STOPS, "Socket",
                                      check_text(l->k, family), "inet, inet6, unix or local");
        if (f && v.s[0] == '/') {
            diag_hint(l->k->diag, f, "write local: before the path");
            check_mend(l->k, f, family,
                       arena_printf(l->k->arena, "local:%s", check_text(l->k, family)));
        } else {
            check_suggest(l->k, f, family, "inet inet6 unix local");
        }
        return;
    }
    const char *at_sign = memchr(rest.s, '@', rest.len);
    if (!at_sign) {
        check_say(l->k, l->it, rest, FINDING_BAD_SOCKET, check_text(l->k, rest), NULL, NULL);
        return;
    }
    struct part port = {rest.s, (size_t)(at_sign - rest.s)};
    size_t n = leading_digits(port);
    if ((n > 0 && n < port.len) || port.len == 0 ||
        (n == port.len && strtol(port.s, NULL, 10) > PORT_MAX))
        say(l, port, FINDING_BAD_PORT);
    struct part host = {at_sign + 1, rest.len - port.len - 1};
    if (host.len > 1 && host.s[0] == '[' && host.s[host.len - 1] == ']')
        host = (struct part){host.s + 1, host.len - 2};
    if (bad_dotted(host))
        say(l, host, FINDING_BAD_ADDRESS);
}

static void check_timeouts(const struct line *l, struct part v)
{
    struct part rest = v, piece;
    while (part_next(&rest, ";", &piece)) {
        if (piece.len == 0)
            continue;
        struct part stage = {piece.s, 1};
        if (piece.len < 2 || piece.s[1] != ':') {
            check_say(l->k, l->it, piece, FINDING_BAD_TIMEOUT, check_text(l->k, piece), NULL, NULL);
        } else if (!strchr("CSRE", piece.s[0])) {
            check_say(l->k, l->it, stage, FINDING_UNKNOWN_WORD_STOPS, "Timeouts",
                      check_text(l->k, stage), "C, S, R or E");
        } else {
            check_time(l->k, l->it, "Timeouts", (struct part){piece.s + 2, piece.len - 2});
        }
    }
}

/* S= and R= of a mailer: one ruleset, or two with a slash between. */
static void check_rulesets(const struct line *l, struct part v)
{
    struct part rest = v, piece;
    while (part_next(&rest, "/", &piece)) {
        const char *name = check_text(l->k, piece);
        if (piece.len == 0 || isdigit((unsigned char)piece.s[0]) || memchr(v.s, '$', v.len) ||
            table_has(l->k->rulesets, name))
            continue;
        check_undefined(l->k, l->it, piece, FINDING_UNDEFINED_RULESET, NULL, l->k->rulesets);
    }
}

static void check_queue_name(const struct line *l, struct part v)
{
    const char *name = check_text(l->k, v);
    if (v.len == 0 || memchr(v.s, '$', v.len) || strcmp(name, "mqueue") == 0 ||
        table_has(l->k->queues, name))
        return;
    check_undefined(l->k, l->it, v, FINDING_UNDEFINED_QUEUE, NULL, l->k->queues);
}

static void check_key_value(const struct line *l, const struct key *key, struct part v)
{
    switch (key->type) {
    case NUMBER:
        check_number(l->k, l->it, key->name, v);
        break;
    case SIZE:
        check_size(l->k, l->it, key->name, v);
        break;
    case TIME:
        check_time(l->k, l->it, key->name, v);
        break;
    case PORT:
        check_port(l, v);
        break;
    case ADDRESS:
        check_address(l, v);
        break;
    case FAMILY:
        check_family(l, v);
        break;
    case FILTERS:
        check_filter_list(l->k, l->it, v);
        break;
    case MODE:
        check_mode(l, v);
        break;
    case SOCKET:
        check_socket(l, v);
        break;
    case TIMEOUTS:
        check_timeouts(l, v);
        break;
    case NAMES_QUEUE:
        check_queue_name(l, v);
        break;
    case RULESETS:
        check_rulesets(l, v);
        break;
    case DAEMON_FLAGS:
    case QUEUE_FLAGS:
    case FILTER_FLAGS:
    case MAILER_FLAGS:
        check_letters(l, key, v);
        break;
    case TEXT:
    case ARGUMENTS:
        break;
    }
}

/* --- lines --------------------------------------------------------------------------------- */

static void check_key(const struct line *l, const struct equate *e, struct part key_part,
                      struct part value_part)
{
    bool spelt;
    const struct key *key = find_key(l->kind, e->key, &spelt);
    if (l->kind == DAEMON && !e->has_value) {
        check_say(l->k, l->it, key_part, FINDING_KEY_WITHOUT_VALUE, e->key, l->what, NULL);
        return;
    }
    if (!key) {
        struct finding *f = check_say(l->k, l->it, key_part, FINDING_UNKNOWN_KEY_STOPS, e->key,
                                      l->what, listed_names(l->k, l->kind));
        check_suggest(l->k, f, key_part, names_of(l->k, l->kind));
        return;
    }
    if (!e->has_value) /* the reader says it */
        return;
    if (!spelt) {
        struct finding *f =
            check_say(l->k, l->it, key_part, FINDING_UNKNOWN_KEY, e->key, l->what, key->name);
        check_suggest(l->k, f, key_part, names_of(l->k, l->kind));
        /* The value is not that of the key that sendmail takes it for. */
        return;
    }
    check_key_value(l, key, value_part);
}

static const struct equate *equate_of(const struct item *it, char letter)
{
    const struct equate *last = NULL;
    for (const struct equate *e = it->equates; e; e = e->next)
        if (e->key[0] == letter)
            last = e;
    return last;
}

static void check_mailer(const struct line *l)
{
    const struct equate *path = equate_of(l->it, 'P'), *args = equate_of(l->it, 'A');
    struct part name = check_part(l->it, l->it->text + 1, l->it->name);
    if (!path || !path->value[0])
        check_say(l->k, l->it, name, FINDING_MAILER_LACKS, l->it->name, "P", "program");
    if (!args || !args->value[0]) {
        check_say(l->k, l->it, name, FINDING_MAILER_LACKS, l->it->name, "A", "argument list");
        return;
    }
    if (path && strcmp(path->value, "[TCP]") == 0) {
        struct part old = check_part(l->it, l->it->text + 1, path->value);
        struct finding *f =
            check_say(l->k, l->it, old, FINDING_MAILER_TCP, l->it->name, NULL, NULL);
        check_mend(l->k, f, old, "[IPC]");
    }
    if (!path || (strcmp(path->value, "[IPC]") != 0 && strcmp(path->value, "[FILE]") != 0))
        return;
    struct part value = check_part(l->it, l->it->text + 1, args->value);
    if (!strpbrk(args->value, " \t"))
        check_say(l->k, l->it, value, FINDING_MAILER_ARGUMENTS, l->it->name, path->value, NULL);
    else if (strcmp(path->value, "[IPC]") == 0 && strncmp(args->value, "TCP", 3) != 0 &&
             strncmp(args->value, "FILE", 4) != 0)
        check_say(l->k, l->it, value, FINDING_MAILER_FIRST_ARGUMENT, l->it->name, NULL, NULL);
}

void check_equates(struct check *k, const struct item *it)
{
    struct line l = {k, it, DAEMON, "", false, false, false};
    const char *text = it->text;
    if (it->kind == ITEM_QUEUE) {
        l.kind = QUEUE;
        l.what = "a queue group";
    } else if (it->kind == ITEM_FILTER) {
        l.kind = FILTER;
        l.what = "a filter";
    } else if (it->kind == ITEM_MAILER) {
        l.kind = MAILER;
        l.what = "a mailer";
    } else {
        l.what = it->short_option || strncasecmp(it->name, "Daemon", 6) == 0 ? "DaemonPortOptions"
                                                                             : "ClientPortOptions";
        const char *equals = strchr(text, '=');
        text = it->short_option ? text + 2 : equals ? equals + 1 : text;
    }
    if (l.kind != DAEMON) {
        text = strstr(text, it->name);
        text = text ? text + strlen(it->name) : it->text;
    }
    for (const struct equate *e = it->equates; e; e = e->next) {
        bool spelt;
        l.unknown = l.unknown || !find_key(l.kind, e->key, &spelt) || !spelt;
    }
    for (const struct equate *e = it->equates; e; e = e->next)
        if (l.kind == DAEMON && tolower((unsigned char)e->key[0]) == 'f') {
            l.inet6 = strcasecmp(e->value, "inet6") == 0;
            l.local = strcasecmp(e->value, "local") == 0 || strcasecmp(e->value, "unix") == 0;
        }
    for (const struct equate *e = it->equates; e; e = e->next) {
        struct part key = check_part(it, text, e->key);
        if (key.s > it->text)
            text = key.s + key.len;
        struct part value = check_part(it, text, e->value);
        if (!e->value[0])
            value = (struct part){text, 0};
        else if (value.s > it->text)
            text = value.s + value.len;
        else
            value = (struct part){e->value, strlen(e->value)};
        check_key(&l, e, key, value);
    }
    if (l.kind == MAILER && !l.unknown)
        check_mailer(&l);
    if (l.kind == FILTER && !l.unknown && !equate_of(it, 'S'))
        check_say(k, it, check_part(it, it->text + 1, it->name), FINDING_NO_SOCKET, it->name, NULL,
                  NULL);
    size_t n = strlen(it->text);
    while (n > 0 && isspace((unsigned char)it->text[n - 1]))
        n--;
    if (l.kind != DAEMON && n > 0 && it->text[n - 1] == ',') {
        struct part comma = {it->text + n - 1, 1};
        check_mend(k, check_say(k, it, comma, FINDING_TRAILING_COMMA, NULL, NULL, NULL), comma, "");
    }
}
