#include "mta/settings.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/model/options.h"

enum { BACKLOG = 10 };

const char *setting_text(const struct program *p, const char *name)
{
    const char *value = program_option(p, name);
    const struct option_info *info;

    if (value)
        return value;
    info = option_find(name, strlen(name), NULL);
    return info ? info->value : "";
}

bool setting_true(const struct program *p, const char *name)
{
    const char *value = setting_text(p, name);

    return !*value ? program_option(p, name) != NULL : strchr("tTyY", *value) != NULL;
}

long setting_number(const struct program *p, const char *name)
{
    return strtol(setting_text(p, name), NULL, 0);
}

static uint64_t seconds_of(char unit)
{
    switch (unit) {
    case 'w':
        return 7 * 24 * 3600;
    case 'd':
        return 24 * 3600;
    case 'h':
        return 3600;
    case 'm':
        return 60;
    default:
        return 1;
    }
}

uint64_t settings_read_time(const char *text, char unit)
{
    enum { YEARS = 100 }; /* what is longer is for ever */
    const uint64_t most = (uint64_t)YEARS * 366 * 24 * 3600;
    uint64_t sum = 0;

    while (isdigit((unsigned char)*text)) {
        uint64_t n = 0;
        for (; isdigit((unsigned char)*text); text++)
            n = n > most ? most : n * 10 + (uint64_t)(*text - '0');
        char said = (char)tolower((unsigned char)*text);
        if (isalpha((unsigned char)*text))
            text++;
        else
            said = unit;
        sum += n > most / seconds_of(said) ? most : n * seconds_of(said);
        if (sum > most)
            sum = most;
    }
    return sum;
}

uint64_t setting_time(const struct program *p, const char *name, char unit)
{
    return settings_read_time(setting_text(p, name), unit);
}

/* --- timeouts ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    char unit;
    const char *value;
} timeouts[] = {
#define TIMEOUT(id, name, unit, value) {name, unit, value},
#include "mta/timeouts.def"
};

const char *timeout_name(enum timeout t)
{
    return timeouts[t].name;
}

uint64_t setting_timeout(const struct program *p, enum timeout t)
{
    static const char option[] = "Timeout.";
    const struct item *last = NULL;
    const char *dot = strchr(timeouts[t].name, '.');

    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind == ITEM_OPTION && strncasecmp(it->name, option, sizeof option - 1) == 0 &&
            strcasecmp(it->name + sizeof option - 1, timeouts[t].name) == 0)
            last = it;
    }
    if (last)
        return settings_read_time(last->value, timeouts[t].unit);
    if (*timeouts[t].value || !dot)
        return settings_read_time(timeouts[t].value, timeouts[t].unit);
    /* One of several of a kind: as the kind. */
    for (size_t i = 0; i < TIMEOUTS; i++) {
        if (strlen(timeouts[i].name) == (size_t)(dot - timeouts[t].name) &&
            strncmp(timeouts[i].name, timeouts[t].name, strlen(timeouts[i].name)) == 0)
            return setting_timeout(p, (enum timeout)i);
    }
    return 0;
}

/* --- trust -------------------------------------------------------------------------------- */

bool setting_trusts(const struct program *p, const char *user)
{
    const uint32_t t = names_find(&p->names, "t", 1);

    for (const struct item *it = p->config->first; it; it = it->next) {
        const char **word = it->kind == ITEM_TRUSTED ? it->words : NULL;
        for (; word && *word; word++) {
            if (strcmp(*word, user) == 0)
                return true;
        }
    }
    return t && program_in_class(p, t, user, strlen(user));
}

/* --- privacy ------------------------------------------------------------------------------ */

unsigned setting_privacy(const struct program *p)
{
    static const struct {
        const char *name;
        unsigned bits;
    } words[] = {
#define PRIVACY(id, name, bit) {name, bit},
#include "mta/privacy.def"
    };
    unsigned bits = 0;

    /* Each line adds to those before it. */
    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind != ITEM_OPTION || !program_is_option(it, "PrivacyOptions"))
            continue;
        for (const char *s = it->value; *s;) {
            size_t n = strcspn(s, ", \t");
            for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                if (strlen(words[i].name) == n && strncasecmp(words[i].name, s, n) == 0)
                    bits |= words[i].bits;
            }
            s += n;
            s += strspn(s, ", \t");
        }
    }
    return bits;
}

/* --- listeners ---------------------------------------------------------------------------- */

/* The first letter says which key it is, and case where keys differ by it (lib/model/keys.def). */
static void set_key(struct listener *l, const struct equate *e)
{
    switch (e->key[0]) {
    case 'A':
    case 'a':
        l->address = strcmp(e->value, "*") == 0 ? NULL : e->value;
        break;
    case 'D':
        l->mode = e->value[0];
        break;
    case 'F':
    case 'f':
        if (strcasecmp(e->value, "inet") == 0)
            l->family = AF_INET;
        else if (strcasecmp(e->value, "inet6") == 0)
            l->family = AF_INET6;
        else if (strcasecmp(e->value, "unix") == 0 || strcasecmp(e->value, "local") == 0)
            l->family = AF_UNIX;
        break;
    case 'I':
    case 'i':
        l->filters = e->value;
        break;
    case 'L':
    case 'l':
        l->backlog = atoi(e->value);
        break;
    case 'M':
    case 'm':
        l->modifiers = e->value;
        break;
    case 'N':
    case 'n':
        l->name = e->value;
        break;
    case 'P':
    case 'p':
        l->port = e->value;
        break;
    default:
        break;
    }
}

static struct listener usual(size_t number, struct arena *a)
{
    return (struct listener){.name = arena_printf(a, "Daemon%zu", number),
                             .family = AF_INET,
                             .port = "smtp",
                             .backlog = BACKLOG,
                             .modifiers = ""};
}

const struct listener *settings_listeners(struct arena *a, const struct program *p, size_t *n)
{
    struct listener *list = NULL;
    size_t room = 0;

    *n = 0;
    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind != ITEM_OPTION || !program_is_option(it, "DaemonPortOptions"))
            continue;
        list = arena_grow(a, list, *n, &room, sizeof *list, 4);
        struct listener *l = &list[*n];
        *l = usual(*n, a);
        l->item = it;
        for (const struct equate *e = it->equates; e; e = e->next)
            set_key(l, e);
        l->apart = program_letters_apart(a, l->modifiers);
        ++*n;
    }
    if (*n == 0) {
        list = arena_grow(a, list, 0, &room, sizeof *list, 1);
        list[0] = usual(0, a);
        list[0].apart = "";
        *n = 1;
    }
    return list;
}
