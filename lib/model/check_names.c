/*
 * check_names: what lines name, and what nothing declares: maps, rulesets, filters; and listeners.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/table.h"
#include "lib/model/check_parts.h"
#include "lib/model/options.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- maps ---------------------------------------------------------------------------------- */

enum map_needs { NOTHING, FILE_NAME, TYPE, MEMBERS };

static const struct {
    const char *name;
    bool elsewhere;
    enum map_needs needs;
} map_classes[] = {
#define FILE FILE_NAME
#define MAP_CLASS(name, elsewhere, needs, lookup) {name, elsewhere, needs},
#include "lib/model/maps.def"
#undef MAP_CLASS
#undef FILE
};

/* Is there a word that is no option?  *sentence: an option asks for a type. */
static bool has_file(struct part rest, bool *type)
{
    struct part word;
    bool file = false;
    *type = false;
    while (part_next(&rest, " \t\n", &word)) {
        if (word.len == 0)
            continue;
        if (word.s[0] != '-')
            file = true;
        else if (word.len > 1 && word.s[1] == 'R')
            *type = true;
    }
    return file;
}

/* Is there such a map above the line?  Only the lines of a few maps ask. */
static bool is_above(const struct check *k, const struct item *it, const char *name)
{
    for (const struct item *x = k->config->first; x && x != it; x = x->next)
        if (x->kind == ITEM_MAP && strcasecmp(x->name, name) == 0)
            return true;
    return strcasecmp(name, "host") == 0;
}

/* Whatever cannot be part of a map's name parts the members of a sequence, as in sendmail. */
#define MEMBER_SEPARATORS " \t\n\r\v\f!\"#$%&'()*+,-/:;<=>?@[\\]^`{|}~"

static void check_members(struct check *k, const struct item *it)
{
    struct part rest = check_value(it), word;
    while (it->value[0] && part_next(&rest, MEMBER_SEPARATORS, &word)) {
        if (word.len == 0 || is_above(k, it, check_text(k, word)))
            continue;
        check_undefined(k, it, word, FINDING_UNDEFINED_MEMBER, it->name, k->maps);
    }
}

/* The file of a map is the last word that is no option. */
static void check_file(struct check *k, const struct item *it)
{
    struct part rest = check_value(it), word, file = {NULL, 0};
    while (part_next(&rest, " \t\n", &word))
        if (word.len > 0 && word.s[0] != '-')
            file = word;
    /* What follows a program is its own. */
    if (strcasecmp(it->aux, "program") == 0)
        return;
    if (file.len > 0 && file.s[0] != '/' && !memchr(file.s, '$', file.len))
        check_say(k, it, file, FINDING_RELATIVE_FILE, check_text(k, file), NULL, NULL);
}

static size_t find_class(const char *name)
{
    size_t i = 0;
    while (i < COUNT(map_classes) && strcasecmp(map_classes[i].name, name) != 0)
        i++;
    return i;
}

bool map_class_has_aliases(const char *name)
{
    static const char *const without[] = {"user",  "host",  "dns",    "bestmx", "dequote", "regex",
                                          "macro", "arith", "syslog", "arpa",   "userdb"};
    for (size_t i = 0; i < COUNT(without); i++)
        if (strcasecmp(without[i], name) == 0)
            return false;
    return true;
}

static void unknown_class(struct check *k, const struct item *it, struct part class,
                          const char *name, const char *map)
{
    const char *names[COUNT(map_classes)];
    for (size_t i = 0; i < COUNT(map_classes); i++)
        names[i] = map_classes[i].name;
    check_near(k, check_say(k, it, class, FINDING_UNKNOWN_MAP_CLASS, name, map, NULL), class, names,
               COUNT(map_classes));
}

void check_alias_class(struct check *k, const struct item *it, struct part class)
{
    const char *name = check_text(k, class);
    const size_t i = find_class(name);
    if (i == COUNT(map_classes))
        unknown_class(k, it, class, name, "AliasFile");
    else if (map_classes[i].elsewhere)
        check_say(k, it, class, FINDING_MAP_CLASS_ELSEWHERE, name, NULL, NULL);
    else if (!map_class_has_aliases(name))
        check_say(k, it, class, FINDING_ALIAS_CLASS, name, NULL, NULL);
}

void check_map(struct check *k, const struct item *it)
{
    const char *after = strstr(it->text + 1, it->name);
    struct part class = check_part(it, after ? after + strlen(it->name) : it->text, it->aux);
    const size_t i = find_class(it->aux);
    if (i == COUNT(map_classes)) {
        unknown_class(k, it, class, it->aux, it->name);
        return;
    }
    if (map_classes[i].elsewhere) {
        check_say(k, it, class, FINDING_MAP_CLASS_ELSEWHERE, it->aux, NULL, NULL);
        return;
    }
    bool type, file = has_file((struct part){it->value, strlen(it->value)}, &type);
    if (map_classes[i].needs == FILE_NAME && !file)
        check_say(k, it, class, FINDING_MAP_LACKS, it->name, "a file after its class", NULL);
    else if (map_classes[i].needs == FILE_NAME)
        check_file(k, it);
    else if (map_classes[i].needs == TYPE && !type)
        check_say(k, it, class, FINDING_MAP_LACKS, it->name, "-R and a record type", NULL);
    else if (map_classes[i].needs == MEMBERS)
        check_members(k, it);
}

/* --- headers ------------------------------------------------------------------------------- */

void check_header(struct check *k, const struct item *it)
{
    const char *v = it->value;
    if (v[0] != '$' || v[1] != '>')
        return;
    v += 2 + (v[2] == '+');
    while (*v == ' ' || *v == '\t')
        v++;
    size_t n = 0;
    while (isalnum((unsigned char)v[n]) || v[n] == '_')
        n++;
    const char *name = arena_strndup(k->arena, v, n);
    if (n == 0 || isdigit((unsigned char)v[0]) || table_has(k->rulesets, name))
        return;
    struct part p = check_part(it, it->text + 1 + strlen(it->name), name);
    check_undefined(k, it, p, FINDING_UNDEFINED_RULESET, NULL, k->rulesets);
}

/* --- filters ------------------------------------------------------------------------------- */

/* One name of the list, with the blanks that belong to it: sendmail parts at commas and semicolons
 * only, and skips blanks before a name only. */
static void check_filter_name(struct check *k, const struct item *it, struct part name, bool last)
{
    struct part word = part_trim(name);
    if (word.len == 0) {
        if (!last)
            check_say(k, it, (struct part){name.s, 1}, FINDING_NO_FILTER_NAME, NULL, NULL, NULL);
        return;
    }
    size_t blanks = (size_t)(name.s + name.len - (word.s + word.len));
    bool known = table_has(k->filters, check_text(k, word));
    if (memchr(word.s, '$', word.len) || (known && (blanks == 0 || last)))
        return;
    if (known) {
        struct part with = {word.s, word.len + blanks};
        struct finding *f =
            check_say(k, it, with, FINDING_UNKNOWN_FILTER, check_text(k, with), NULL, NULL);
        if (f)
            diag_hint(k->diag, f, "the blank behind it belongs to the name: remove it");
        check_mend(k, f, with, check_text(k, word));
        return;
    }
    struct buf list;
    struct part rest = word, one;
    size_t n = 0;
    bool all = true;
    buf_init(&list, k->arena);
    while (part_next(&rest, " \t\n", &one)) {
        buf_printf(&list, "%s%s", n++ ? "," : "", check_text(k, one));
        all = all && table_has(k->filters, check_text(k, one));
    }
    if (n < 2 || !all) {
        check_undefined(k, it, word, FINDING_UNKNOWN_FILTER, NULL, k->filters);
        return;
    }
    struct finding *f =
        check_say(k, it, word, FINDING_UNKNOWN_FILTER, check_text(k, word), NULL, NULL);
    if (f)
        diag_hint(k->diag, f, "commas part the names: write %s", list.data);
    check_mend(k, f, word, list.data);
}

void check_filter_list(struct check *k, const struct item *it, struct part list)
{
    const char *end = list.s + list.len;
    for (const char *s = list.s; s < end;) {
        const char *from = s;
        while (s < end && *s != ',' && *s != ';')
            s++;
        check_filter_name(k, it, (struct part){from, (size_t)(s - from)}, s == end);
        s += s < end;
    }
}

static bool is_option(const struct item *it, const char *name)
{
    /* A shortened name has its first letter. */
    if (it->kind != ITEM_OPTION || it->short_option || (it->name[0] | 0x20) != (name[0] | 0x20))
        return false;
    const struct option_info *o = option_find(it->name, strlen(it->name), NULL);
    return o && strcmp(o->name, name) == 0;
}

static const char *key_value(const struct item *it, char letter)
{
    const char *v = NULL;
    for (const struct equate *e = it->equates; e; e = e->next)
        if (toupper((unsigned char)e->key[0]) == letter && e->has_value)
            v = e->value;
    return v;
}

/* A group without a folder of its own has the queue directory's. */
void check_queue(struct check *k, const struct item *it)
{
    if (key_value(it, 'P'))
        return;
    for (const struct item *x = k->config->first; x && x != it; x = x->next)
        if (is_option(x, "QueueDirectory") ||
            (x->kind == ITEM_OPTION && x->short_option && x->name[0] == 'Q'))
            return;
    if (!k->context->partial)
        check_say(k, it, check_part(it, it->text + 1, it->name), FINDING_QUEUE_DIRECTORY, it->name,
                  NULL, NULL);
}

static bool is_daemon(const struct item *it)
{
    return is_option(it, "DaemonPortOptions") ||
           (it->kind == ITEM_OPTION && it->short_option && it->name[0] == 'O');
}

/* alone: no filter is at work, so that this one must be meant to be. */
static void say_unused(struct check *k, const struct item *filter, bool alone)
{
    static const char call[] = "MAIL_FILTER(";
    struct part name = check_part(filter, filter->text + 1, filter->name);
    struct finding *f = check_say(k, filter, name, FINDING_FILTER_UNUSED, filter->name, NULL, NULL);
    const struct source *s = source_by_id(k->config->sources, filter->at.file);
    if (!f || !alone || !s || !s->bytes || filter->at.col == 0)
        return;
    size_t off = source_offset(s, filter->at.line, filter->at.col);
    if (s->len - off >= sizeof call - 1 && memcmp(s->bytes + off, call, sizeof call - 1) == 0)
        diag_edit(k->diag, f, source_origin(s, off, 0), "INPUT_");
}

static void check_filters_used(struct check *k)
{
    struct table *used = table_new(k->arena);
    bool any_list = false;
    for (const struct item *it = k->config->first; it; it = it->next) {
        if (it->kind != ITEM_OPTION)
            continue;
        const char *list = is_option(it, "InputMailFilters") ? it->value
                           : is_daemon(it)                   ? key_value(it, 'I')
                                                             : NULL;
        struct part rest = {list, list ? strlen(list) : 0}, word;
        any_list = any_list || list;
        while (list && part_next(&rest, ",; \t\n", &word)) /* as it was meant */
            table_set(used, check_text(k, word), k);
    }
    for (size_t i = 0; i < table_count(k->filters); i++) {
        const struct item *filter = ((const struct declared *)table_at(k->filters, i)->value)->it;
        if (!table_has(used, filter->name))
            say_unused(k, filter, !any_list);
    }
}

/* --- listeners ----------------------------------------------------------------------------- */

struct listener {
    const struct item *it;
    char port[24], address[64], family[8];
};

static void small_copy(char *to, size_t room, const char *from)
{
    size_t n = 0;
    for (; from[n] && n + 1 < room; n++)
        to[n] = (char)tolower((unsigned char)from[n]);
    to[n] = '\0';
}

static struct listener listener_of(const struct item *it)
{
    static const struct {
        const char *name, *port;
    } services[] = {{"smtp", "25"},   {"mail", "25"}, {"submission", "587"}, {"smtps", "465"},
                    {"ssmtp", "465"}, {"urd", "465"}, {"submissions", "465"}};
    const char *port = key_value(it, 'P'), *address = key_value(it, 'A'),
               *family = key_value(it, 'F');
    struct listener l = {.it = it};
    small_copy(l.port, sizeof l.port, port ? port : "25");
    small_copy(l.address, sizeof l.address, address ? address : "");
    small_copy(l.family, sizeof l.family, family ? family : "inet");
    for (size_t i = 0; i < COUNT(services); i++)
        if (strcmp(l.port, services[i].name) == 0)
            small_copy(l.port, sizeof l.port, services[i].port);
    if (strcmp(l.address, "localhost") == 0)
        small_copy(l.address, sizeof l.address,
                   strcmp(l.family, "inet6") == 0 ? "::1" : "127.0.0.1");
    if (strncmp(l.address, "ipv6:", 5) == 0)
        memmove(l.address, l.address + 5, strlen(l.address) - 4);
    if (strcmp(l.address, "0.0.0.0") == 0 || strcmp(l.address, "::") == 0)
        l.address[0] = '\0';
    return l;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "0:0:0:0:0:0:0:1") == 0;
}

/* A second bind of the same port fails, also where one of them takes every address. */
static bool excludes(const struct listener *a, const struct listener *b)
{
    return strcmp(a->port, b->port) == 0 && strcmp(a->family, b->family) == 0 &&
           strncmp(a->family, "inet", 4) == 0 &&
           (strcmp(a->address, b->address) == 0 || !a->address[0] || !b->address[0]);
}

static void say_twice(struct check *k, const struct listener *a, const struct listener *b)
{
    /* Of two lines the later one is told, of one of ours and one of the file's the file's. */
    const struct listener *told = check_is_ours(k, b->it) ? a : b, *other = told == a ? b : a;
    const char *port = key_value(told->it, 'P');
    struct part p = port && *port ? check_part(told->it, told->it->text, port)
                                  : (struct part){told->it->text, strlen(told->it->text)};
    const char *address = told->address[0] ? told->address : "every address";
    if (check_is_ours(k, other->it))
        check_say(k, told->it, p, FINDING_DUPLICATE_OWN_LISTENER, told->port, NULL, NULL);
    else if (told->it->at.file == other->it->at.file)
        check_say(k, told->it, p, FINDING_DUPLICATE_LISTENER, told->port, address,
                  arena_printf(k->arena, "%u", other->it->at.line));
}

static void check_listeners(struct check *k)
{
    size_t n = 0, all = 0;
    for (const struct item *it = k->config->first; it; it = it->next)
        all += it->kind == ITEM_OPTION && is_daemon(it);
    struct listener *l = arena_calloc(k->arena, all + 1, sizeof *l);
    bool submits = false; /* it hands mail to the daemon of the other configuration */
    for (const struct item *it = k->config->first; it && all <= 200; it = it->next)
        if (it->kind != ITEM_OPTION)
            continue;
        else if (is_option(it, "UseMSP"))
            submits = !it->value[0] || strchr("tTyY", it->value[0]);
        else if (is_daemon(it) && !strchr(it->value, '$'))
            l[n++] = listener_of(it);
    bool told = false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (excludes(&l[j], &l[i])) {
                say_twice(k, &l[j], &l[i]);
                told = true;
                break;
            }
    /* Where every listener for mail from elsewhere is bound to the host itself. */
    const struct listener *bound = NULL;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(l[i].family, "inet", 4) != 0 || strcmp(l[i].port, "25") != 0)
            continue;
        if (!is_loopback(l[i].address))
            return;
        bound = bound && !check_is_ours(k, bound->it) ? bound : &l[i];
    }
    const char *address = bound ? key_value(bound->it, 'A') : NULL;
    if (address && !told && !submits)
        check_say(k, bound->it, check_part(bound->it, bound->it->text, address),
                  FINDING_LOOPBACK_ONLY, address, NULL, NULL);
}

/* Said at the last line: there is no other place for what is missing. */
static void check_local_mailer(struct check *k)
{
    const struct item *last = k->config->last;

    for (const struct item *it = k->config->first; it; it = it->next)
        if (it->kind == ITEM_MAILER && strcasecmp(it->name, "local") == 0)
            return;
    finding_add(k->diag, FINDING_NO_LOCAL_MAILER,
                last ? (struct origin){last->at.file, last->at.line, 0, 0} : (struct origin){0},
                NULL);
}

void check_whole(struct check *k)
{
    check_level(k);
    check_local_mailer(k);
    check_filters_used(k);
    check_listeners(k);
}
