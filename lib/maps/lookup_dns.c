/*
 * lookup_dns: classes dns, host and bestmx.
 */
#include <arpa/nameser.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/table.h"
#include "lib/base/buf.h"
#include "lib/maps/lookup_class.h"
#include "lib/maps/resolver.h"
#include "lib/model/findings.h"

static char *text_of(struct lookup_query *q)
{
    return arena_strndup(q->result, q->key.p, q->key.len);
}

static bool is_text(struct lookup_query *q, int status)
{
    if (!memchr(q->key.p, '\0', q->key.len))
        return true;
    lookup_is_not_found(q, status);
    return false;
}

static struct resolver_sources sources_of(const struct lookup_query *q)
{
    return (struct resolver_sources){.service_switch = q->world->service_switch,
                                     .hosts_file = q->world->hosts_file,
                                     .host = q->world->host};
}

/* --- dns ----------------------------------------------------------------------------------- */

struct dns {
    int type;       /* -1: none that is known */
    unsigned most;  /* -Z; 0: all */
    bool all;       /* -z was said: more than the first are given */
    char delimiter; /* between them */
    const char *base;
    unsigned seconds, tries; /* 0: as usual */
};

/* Seconds of a time as 2m or 1h30m; without a unit they are seconds. */
static unsigned seconds_of(const char *text)
{
    static const struct {
        char unit;
        unsigned seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    unsigned long all = 0;
    while (isdigit((unsigned char)*text)) {
        char *end;
        unsigned long n = strtoul(text, &end, 10), unit = 1;
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (*end == units[i].unit)
                unit = units[i].seconds;
        all = n > 86400 || all > 86400 ? 86400 : all + n * unit;
        text = *end ? end + 1 : end;
    }
    return all > 86400 ? 86400 : (unsigned)all;
}

static unsigned number_of(const char *text)
{
    long n = strtol(text, NULL, 10);
    return n > 0 && n < 100000 ? (unsigned)n : 0;
}

static void say_type(struct lookup_reader *r, const struct lookup_map *m, const char *type)
{
    if (r->diag)
        finding_add(r->diag, FINDING_MAP_OPTION_VALUE, r->at, m->name,
                    arena_printf(r->arena, "%s, which is no type,", type), "R", (char *)NULL);
}

/* Of both classes: how long, and how often. */
static bool time_option(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    struct dns *d = m->own;
    switch (**p) {
    case 'd':
        d->seconds = seconds_of(lookup_option_value(r, p));
        return true;
    case 'r':
        d->tries = number_of(lookup_option_value(r, p));
        return true;
    default:
        return false;
    }
}

static bool dns_option(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    struct dns *d = m->own;
    const char *value;
    switch (**p) {
    case 'R':
        value = lookup_option_value(r, p);
        d->type = resolver_type(value);
        if (d->type < 0)
            say_type(r, m, value);
        return true;
    case 'Z':
        d->most = number_of(lookup_option_value(r, p));
        return true;
    case 'z':
        d->all = true;
        return false;
    case 'B':
        d->base = lookup_option_value(r, p);
        return true;
    default:
        return time_option(r, m, p);
    }
}

static struct dns *own_of(struct lookup_reader *r, struct lookup_map *m)
{
    struct dns *d = arena_alloc(r->arena, sizeof *d);
    d->type = -1;
    if (m->own)
        *d = *(struct dns *)m->own;
    m->own = d;
    return d;
}

static bool dns_declare(struct lookup_reader *r, struct lookup_map *m)
{
    const struct dns *d = own_of(r, m);
    lookup_read_options(r, m, dns_option, false);
    if (d->type < 0 && r->diag)
        finding_add(r->diag, FINDING_MAP_LACKS, r->at, m->name, "-R and a record type",
                    (char *)NULL);
    return true;
}

static bool has_resolver(struct lookup_query *q)
{
    if (!q->world->resolver)
        lookup_failed(q, "there is no resolver here");
    return q->world->resolver;
}

static void dns_find(struct lookup_query *q)
{
    lookup_let_go(q->session);
    const struct dns *d = q->map->own;
    struct resolver_answer answer;
    if (!has_resolver(q) || !is_text(q, EX_NOHOST))
        return;
    if (d->type < 0 || q->key.len == 0) {
        lookup_is_not_found(q, EX_NOHOST);
        return;
    }
    const char *name = text_of(q);
    if (d->base && *d->base)
        name = arena_printf(q->result, "%s.%s", name, d->base);
    resolver_set_times(q->world->resolver, d->seconds, d->tries);
    resolver_ask(q->world->resolver, name, d->type, true, q->result, &answer);
    resolver_set_times(q->world->resolver, 0, 0);
    if (answer.verdict == MAP_TEMPFAIL) {
        lookup_failed(q, "%s: %s", name, answer.why);
        return;
    }
    if (answer.verdict == MAP_NOT_FOUND || d->type == 43 || (d->type >= 46 && d->type <= 48)) {
        lookup_is_not_found(q, EX_NOHOST);
        return;
    }
    struct buf b;
    buf_init(&b, q->result);
    /* -Z2 gives three, and so on, in sendmail. */
    size_t most = !d->all || d->most == 1 ? 1 : d->most ? (size_t)d->most + 1 : answer.count;
    for (size_t i = 0; i < answer.count && i < most; i++) {
        if (i > 0)
            buf_add(&b, q->map->delimiter ? &q->map->delimiter : " ", 1);
        buf_add(&b, answer.records[i].value.p, answer.records[i].value.len);
    }
    lookup_is_found(q, (struct map_bytes){b.data, b.len});
}

const struct lookup_class map_lookup_dns = {dns_declare, dns_find, NULL, false};

/* --- host ---------------------------------------------------------------------------------- */

static bool host_option(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    return **p == 'q' /* of no effect */ || time_option(r, m, p);
}

static bool host_declare(struct lookup_reader *r, struct lookup_map *m)
{
    own_of(r, m);
    lookup_read_options(r, m, host_option, false);
    return true;
}

/* What was answered of late, so that an address that is written several times, or many addresses of
 * one domain, ask once.  A failure is not kept. */
struct host_cache {
    struct arena *arena;
    struct table *names; /* struct host_known of each */
};

struct host_known {
    struct resolver_name answer;
    time_t until;
};

enum { HOST_FOUND_SECONDS = 300, HOST_NOT_FOUND_SECONDS = 60, HOST_CACHE_MAX = 10000 };

static time_t seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static bool is_known(struct lookup_query *q, const char *name, struct resolver_name *answer)
{
    const struct host_cache *c = *q->state;
    const struct host_known *k = c ? table_get(c->names, name) : NULL;
    if (!k || k->until < seconds_now())
        return false;
    *answer = k->answer;
    return true;
}

static void remember(struct lookup_query *q, const char *name, const struct resolver_name *answer)
{
    struct host_cache *c = *q->state;
    if (answer->verdict == MAP_TEMPFAIL)
        return;
    if (!c) {
        c = *q->state = arena_alloc(q->lifetime, sizeof *c);
        c->arena = arena_beside(q->lifetime);
        c->names = table_new(c->arena);
    } else if (table_count(c->names) >= HOST_CACHE_MAX) {
        arena_reset(c->arena);
        c->names = table_new(c->arena);
    }
    struct host_known *k = arena_alloc(c->arena, sizeof *k);
    k->answer = *answer;
    k->answer.name = arena_strdup(c->arena, answer->name);
    k->answer.why = "";
    k->until = seconds_now() +
               (answer->verdict == MAP_FOUND ? HOST_FOUND_SECONDS : HOST_NOT_FOUND_SECONDS);
    table_set(c->names, name, k);
}

static void host_close(void *state)
{
    arena_free(((struct host_cache *)state)->arena);
}

static void host_ask(struct lookup_query *q, const char *name, struct resolver_name *answer)
{
    const struct dns *d = q->map->own;
    const struct resolver_sources from = sources_of(q);
    lookup_let_go(q->session);
    resolver_set_times(q->world->resolver, d->seconds, d->tries);
    if (name[0] != '[') {
        resolver_canon(q->world->resolver, name, &from, q->result, answer);
    } else {
        const char *end = strchr(name, ']');
        const char *address = arena_strndup(q->result, name + 1, (size_t)(end - name - 1));
        resolver_reverse(q->world->resolver, address, q->result, answer);
    }
    resolver_set_times(q->world->resolver, 0, 0);
}

static void host_find(struct lookup_query *q)
{
    struct resolver_name answer;
    if (!has_resolver(q) || !is_text(q, EX_NOHOST))
        return;
    const char *name = text_of(q);
    if (name[0] == '[' && !strchr(name, ']')) {
        lookup_is_not_found(q, EX_OK);
        return;
    }
    if (!is_known(q, name, &answer)) {
        host_ask(q, name, &answer);
        remember(q, name, &answer);
    }
    if (answer.verdict == MAP_FOUND)
        lookup_is_found_text(q, answer.name);
    else if (answer.verdict == MAP_NOT_FOUND)
        lookup_is_not_found(q, answer.status);
    else {
        lookup_tell(q, EX_OK, "%s: Name server timeout", name);
        lookup_failed(q, "%s: %s", name, answer.why);
    }
}

const struct lookup_class map_lookup_host = {host_declare, host_find, host_close, true};

/* --- bestmx -------------------------------------------------------------------------------- */

static void bestmx_find(struct lookup_query *q)
{
    struct resolver_mx mx;
    lookup_let_go(q->session);
    if (!has_resolver(q) || !is_text(q, EX_NOHOST))
        return;
    const char *name = text_of(q);
    struct resolver_sources from = sources_of(q);
    from.whole = true;
    resolver_mx(q->world->resolver, name, &from, NULL, NULL, q->result, &mx);
    if (mx.verdict == MAP_TEMPFAIL) {
        lookup_failed(q, "%s: %s", name, mx.why);
        return;
    }
    if (mx.verdict == MAP_NOT_FOUND || mx.count == 0) {
        lookup_is_not_found(q, mx.status);
        return;
    }
    struct buf b;
    buf_init(&b, q->result);
    for (size_t i = 0; i < mx.count && (i == 0 || q->map->delimiter); i++) {
        if (i > 0)
            buf_addc(&b, q->map->delimiter);
        buf_adds(&b, mx.list[i].host);
    }
    lookup_is_found(q, (struct map_bytes){b.data, b.len});
    q->answer->status = mx.status;
}

const struct lookup_class map_lookup_bestmx = {lookup_read_flags, bestmx_find, NULL, true};
