#include "mta/milter/filters.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "lib/base/arena.h"

enum { WRITE_SECONDS = 10, READ_SECONDS = 10, END_SECONDS = 300, CONNECT_SECONDS = 300 };

/* --- X lines ------------------------------------------------------------------------------ */

/* "S:4m;R:4m" */
static void read_times(struct arena *a, struct filter *f, const char *text)
{
    static const char letters[FILTER_TIMES + 1] = "CSRE";

    while (*text) {
        const size_t n = strcspn(text, ";");
        const char *letter = strchr(letters, *text);
        if (n > 2 && letter && text[1] == ':')
            f->seconds[letter - letters] =
                settings_read_time(arena_strndup(a, text + 2, n - 2), 's');
        text += n;
        text += strspn(text, "; \t");
    }
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

/* "inet:8891@localhost", "local:/run/x", "/run/x" */
static void read_socket(struct arena *a, struct filter *f, const char *text)
{
    const char *colon = strchr(text, ':'), *at;
    const size_t kind = colon ? (size_t)(colon - text) : 0;

    f->family = AF_UNIX;
    f->address = text;
    if (!colon)
        return;
    f->address = colon + 1;
    if (is_word(text, kind, "inet"))
        f->family = AF_INET;
    else if (is_word(text, kind, "inet6"))
        f->family = AF_INET6;
    if (f->family == AF_UNIX || !(at = strchr(f->address, '@')))
        return;
    f->port = arena_strndup(a, f->address, (size_t)(at - f->address));
    f->address = at + 1;
    const size_t len = strlen(f->address);
    if (len > 2 && f->address[0] == '[' && f->address[len - 1] == ']')
        f->address = arena_strndup(a, f->address + 1, len - 2);
}

static const struct filter *read_filter(struct arena *a, const struct item *it, size_t number)
{
    struct filter *f = arena_alloc(a, sizeof *f);

    *f = (struct filter){.name = it->name,
                         .item = it,
                         .number = number,
                         .family = AF_UNIX,
                         .address = "",
                         .seconds = {CONNECT_SECONDS, WRITE_SECONDS, READ_SECONDS, END_SECONDS}};
    for (const struct equate *e = it->equates; e; e = e->next) {
        switch (e->key[0]) {
        case 'S':
            read_socket(a, f, e->value);
            break;
        case 'F':
            for (const char *s = e->value; *s; s++)
                f->failure = *s == 'R'   ? FILTER_REJECT
                             : *s == 'T' ? FILTER_LATER
                             : *s == '4' ? FILTER_CLOSE
                                         : f->failure;
            break;
        case 'T':
            read_times(a, f, e->value);
            break;
        default:
            break;
        }
    }
    return f;
}

/* --- lists -------------------------------------------------------------------------------- */

struct known {
    const struct filter **v;
    size_t n, room;
};

static const struct filter *find(const struct known *k, const char *name, size_t len)
{
    for (size_t i = 0; i < k->n; i++) {
        if (is_word(name, len, k->v[i]->name))
            return k->v[i];
    }
    return NULL;
}

/* Names with commas, semicolons or blanks between; one that is not known is left out: nothing
 * starts with it. */
static struct filters read_list(struct arena *a, const struct known *k, const char *text)
{
    static const char between[] = ",; \t";
    const struct filter **v = NULL;
    size_t n = 0, room = 0;

    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        const size_t len = strcspn(text, between);
        const struct filter *f = find(k, text, len);
        text += len;
        if (!f)
            continue;
        v = arena_grow(a, v, n, &room, sizeof *v, 4);
        v[n++] = f;
    }
    return (struct filters){v, n};
}

/* The last O Milter.NAME; NULL: there is none. */
static const char *option(const struct program *p, const char *name)
{
    static const char before[] = "Milter.";
    const char *value = NULL;

    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind == ITEM_OPTION && !it->short_option &&
            strncasecmp(it->name, before, sizeof before - 1) == 0 &&
            strcasecmp(it->name + sizeof before - 1, name) == 0)
            value = it->value;
    }
    return value;
}

const struct filter_settings *filters_read(struct arena *a, const struct program *p,
                                           const struct listener *listeners, size_t n)
{
    struct filter_settings *s = arena_alloc(a, sizeof *s);
    struct known k = {0};

    for (const struct item *it = p->config->first; it; it = it->next) {
        if (it->kind != ITEM_FILTER)
            continue;
        k.v = arena_grow(a, k.v, k.n, &k.room, sizeof *k.v, 4);
        k.v[k.n] = read_filter(a, it, k.n);
        k.n++;
    }
    s->all = (struct filters){k.v, k.n};
    for (size_t i = 0; i < MILTER_STAGES; i++) {
        if (milter_stages[i].macros)
            s->macros[i] = option(p, arena_printf(a, "macros.%s", milter_stages[i].macros));
    }
    const char *level = option(p, "LogLevel");
    s->log_level = level ? strtol(level, NULL, 10) : -1;
    s->usual = read_list(a, &k, setting_text(p, "InputMailFilters"));
    s->of_listener = arena_calloc(a, n, sizeof *s->of_listener);
    for (size_t i = 0; i < n; i++)
        s->of_listener[i] =
            listeners[i].filters ? read_list(a, &k, listeners[i].filters) : s->usual;
    return s;
}

bool filters_are_asked(const struct filter_settings *s, size_t listeners)
{
    bool any = s->usual.n > 0;

    for (size_t i = 0; i < listeners; i++)
        any = any || s->of_listener[i].n > 0;
    return any;
}
