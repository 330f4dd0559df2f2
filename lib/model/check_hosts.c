/*
 * check_hosts: words of classes, and macros that name hosts: what sendmail reads without a word and
 * never matches, or asks in vain.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"
#include "lib/model/check_parts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- classes ------------------------------------------------------------------------------- */

/* Those whose words are hosts, domains or networks. */
static const char *const host_classes[] = {"w", "R", "M", "N", "G", "VirtHost", "LDAPRoute"};

static bool is_host_class(const char *name)
{
    for (size_t i = 0; i < COUNT(host_classes); i++)
        if (strcmp(host_classes[i], name) == 0)
            return true;
    return false;
}

/* a.example,b.example or "a.example,": blanks part words, and nothing else does. */
static bool check_separator(struct check *k, const struct item *it, struct part word)
{
    size_t i = 0;
    while (i < word.len && !strchr(",;", word.s[i]))
        i++;
    if (i == 0 || i == word.len)
        return false;
    struct finding *f =
        check_say(k, it, word, FINDING_CLASS_SEPARATOR, check_text(k, word), NULL, NULL);
    char *parted = arena_strndup(k->arena, word.s, word.len);
    for (char *p = parted; *p; p++)
        if (*p == ',' || *p == ';')
            *p = ' ';
    size_t len = strlen(parted);
    while (len > 0 && parted[len - 1] == ' ')
        parted[--len] = '\0';
    check_mend(k, f, word, parted);
    return true;
}

/* 192.168.0.0/16 as the octets that all of its addresses share; NULL if these are not whole. */
static const char *network(struct check *k, struct part word)
{
    const char *slash = memchr(word.s, '/', word.len), *p = word.s;
    unsigned octets = 0;
    for (; p < slash; p++)
        if (*p == '.')
            octets++;
        else if (!isdigit((unsigned char)*p))
            return NULL;
    long bits = strtol(slash + 1, NULL, 10);
    if (octets != 3 || bits % 8 != 0 || bits < 8 || bits > 32)
        return NULL;
    p = word.s;
    for (long n = bits / 8; p < slash; p++)
        if (*p == '.' && --n == 0)
            break;
    return arena_strndup(k->arena, word.s, (size_t)(p - word.s));
}

static void check_host_word(struct check *k, const struct item *it, struct part word)
{
    const char *text = check_text(k, word);
    if (word.s[0] == '@' && word.len > 1) {
        check_mend(k, check_say(k, it, word, FINDING_CLASS_NO_HOST, text, "an @", NULL), word,
                   text + 1);
    } else if (memchr(word.s, '*', word.len)) {
        struct finding *f = check_say(k, it, word, FINDING_CLASS_NO_HOST, text, "a *", NULL);
        if (f && strncmp(text, "*.", 2) == 0)
            diag_hint(k->diag, f, "%s",
                      strcmp(it->name, "R") == 0
                          ? "a domain stands for its hosts too: leave *. out"
                          : "name each host, or the domain for an ..._entire_domain feature");
    } else if (memchr(word.s, '/', word.len)) {
        const char *octets = network(k, word);
        struct finding *f = check_say(k, it, word, FINDING_CLASS_NO_HOST, text, "a /", NULL);
        if (f && octets)
            diag_hint(k->diag, f, "write %s, the octets that all addresses share", octets);
        if (octets)
            check_mend(k, f, word, octets);
    }
}

void check_class_words(struct check *k, const struct item *it)
{
    struct part rest = check_value(it), word;
    while (part_next(&rest, " \t\n", &word)) {
        if (word.len < 2 || memchr(word.s, '$', word.len))
            continue;
        if (!check_separator(k, it, word) && is_host_class(it->name))
            check_host_word(k, it, word);
    }
}

/* --- macros that name a host ------------------------------------------------------------------ */

static const struct {
    const char *name, *variable;
} relays[] = {{"S", "SMART_HOST"},   {"H", "MAIL_HUB"},   {"L", "LUSER_RELAY"},
              {"R", "LOCAL_RELAY"},  {"Y", "UUCP_RELAY"}, {"B", "BITNET_RELAY"},
              {"C", "DECNET_RELAY"}, {"F", "FAX_RELAY"}};

static bool has_brackets(struct part p)
{
    const char *open = memchr(p.s, '[', p.len), *close = memchr(p.s, ']', p.len);
    return !open == !close && (!open || open < close);
}

/* mailer:host, a host, or the mailer error with its own text. */
static void check_relay(struct check *k, const struct item *it, const char *variable, struct part v)
{
    const char *text = check_text(k, v);
    const char *colon = v.s[0] == '[' ? NULL : memchr(v.s, ':', v.len);
    struct part mailer = {v.s, colon ? (size_t)(colon - v.s) : 0};
    struct part host = {v.s + (colon ? mailer.len + 1 : 0), v.len - (colon ? mailer.len + 1 : 0)};
    if (part_is(mailer, "error"))
        return;
    if (host.len > 1 && strncmp(host.s, "//", 2) == 0) {
        struct finding *f = check_say(k, it, v, FINDING_RELAY_FORM, variable, "//", NULL);
        check_mend(k, f, v, arena_strndup(k->arena, host.s + 2, host.len - 2));
        return;
    }
    size_t digits = 0;
    while (digits < host.len && isdigit((unsigned char)host.s[digits]))
        digits++;
    if (colon && host.len > 0 && digits == host.len && memchr(v.s, '.', mailer.len)) {
        check_say(k, it, v, FINDING_RELAY_PORT, text, check_text(k, mailer), check_text(k, host));
        return;
    }
    if (colon && !table_has(k->mailers, check_text(k, mailer)) && !part_is(mailer, "local")) {
        size_t n = table_count(k->mailers);
        const char **names = arena_calloc(k->arena, n + 1, sizeof *names);
        for (size_t i = 0; i < n; i++)
            names[i] = ((const struct declared *)table_at(k->mailers, i)->value)->it->name;
        struct finding *f =
            check_say(k, it, mailer, FINDING_RELAY_MAILER, variable, check_text(k, mailer), NULL);
        check_near(k, f, mailer, names, n);
        return;
    }
    for (size_t i = 0; i < host.len; i++)
        if (strchr(" \t,;", host.s[i])) {
            check_say(k, it, v, FINDING_RELAY_FORM, variable, "a blank or a comma", NULL);
            return;
        }
    if (!has_brackets(host))
        check_say(k, it, v, FINDING_RELAY_FORM, variable, "one bracket of a pair", NULL);
}

void check_macro(struct check *k, const struct item *it)
{
    /* A configuration of somebody else's may use the letters as it likes. */
    if (!check_is_ours(k, it) || !it->value[0] || strchr(it->value, '$'))
        return;
    struct part v = check_value(it);
    for (size_t i = 0; i < COUNT(relays); i++)
        if (strcmp(relays[i].name, it->name) == 0)
            check_relay(k, it, relays[i].variable, v);
}
