/*
 * lookup: answers questions about maps, for tests/lookups/run.py, as address-test mode would.
 *
 * Standard input has a line for each K line ("K" and the line) and each question, whose parts have
 * tabs between: "M NAME KEY" as /map asks, "R NAME DEFAULT KEY ARG..." as a rule does, DEFAULT "-"
 * or "=" and the text, "S NAME VALUE" sets what struct lookup_world wants to know.  Each answer is
 * one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/diag.h"
#include "lib/maps/lookup.h"
#include "lib/maps/resolver.h"

enum { PARTS = 16, LONGEST = 1 << 20, SEPARATOR = '\037' };

static _Noreturn void no_memory(void *ctx)
{
    (void)ctx;
    fputs("lookup: no memory\n", stderr);
    exit(71);
}

struct asked {
    struct arena *arena;
    struct lookup_maps *maps;
    struct lookup_world world;
    struct lookup_session *session;
    struct diag *diag;
    char macros[64][2][256];
    size_t nmacros;
};

static void set_macro(void *ctx, struct map_bytes name, const struct map_bytes *value)
{
    struct asked *k = ctx;
    printf("macro %.*s=%.*s\n", (int)name.len, name.p, value ? (int)value->len : 0,
           value ? value->p : "");
    (void)k;
}

static void log_text(void *ctx, int priority, const char *text)
{
    (void)ctx;
    printf("log %d %s\n", priority, text);
}

static size_t parts_of(char *line, char **parts)
{
    size_t n = 0;
    for (char *p = line; p && n < PARTS; n++) {
        parts[n] = p;
        p = strchr(p, SEPARATOR);
        if (p)
            *p++ = '\0';
    }
    return n;
}

static void put(struct map_bytes b)
{
    for (size_t i = 0; i < b.len; i++)
        if (b.p[i] == '\n')
            fputs("\\n", stdout);
        else
            putchar(b.p[i]);
}

static struct map_bytes bytes(const char *s)
{
    return (struct map_bytes){s, strlen(s)};
}

static void as_map(struct asked *k, char **part)
{
    struct lookup_answer a;
    const struct lookup_map *m = lookup_find(k->maps, part[1], strlen(part[1]));
    if (!m) {
        printf("Map named \"%s\" not found\n", part[1]);
        return;
    }
    lookup_plainly(k->session, m, bytes(part[2]), k->arena, &a);
    if (a.closed) {
        printf("Map named \"%s\" not open\n", part[1]);
        return;
    }
    printf("map_lookup: %s (%s) ", part[1], part[2]);
    if (a.verdict == MAP_FOUND) {
        fputs("returns ", stdout);
        put(a.value);
    } else {
        fputs("no match", stdout);
    }
    printf(" (%d)\n", a.status);
}

static void as_rule(struct asked *k, char **part, size_t n)
{
    struct lookup_answer a = {.verdict = MAP_NOT_FOUND};
    struct map_bytes args[PARTS];
    const struct lookup_map *m = lookup_find(k->maps, part[1], strlen(part[1]));
    for (size_t i = 4; i < n; i++)
        args[i - 4] = bytes(part[i]);
    if (m)
        lookup(k->session, m, bytes(part[3]), args, n - 4, k->arena, &a);
    if (a.value.p)
        put(a.value);
    else
        fputs(part[2][0] == '=' ? part[2] + 1 : part[3], stdout);
    puts(a.verdict == MAP_TEMPFAIL ? " [75]" : "");
    if (a.verdict == MAP_TEMPFAIL && a.why[0] == '\0')
        fputs("lookup: a failure without a reason\n", stderr);
}

static bool is_ours(void *ctx, const char *host)
{
    const struct asked *k = ctx;
    return k->world.host && strcasecmp(k->world.host, host) == 0;
}

/* Before delivery what leads back to this host is taken out. */
static void as_exchangers(struct asked *k, const char *name, bool before_delivery)
{
    struct resolver_mx mx;
    const struct resolver_sources from = {.service_switch = k->world.service_switch,
                                          .hosts_file = k->world.hosts_file,
                                          .host = k->world.host};
    resolver_mx(k->world.resolver, name, &from, before_delivery ? is_ours : NULL, k, k->arena, &mx);
    if (mx.status == 69) {
        printf("getmxrr(%s) returns null MX (See RFC7505)\n", name);
        return;
    }
    printf("getmxrr(%s) returns %d value(s):", name,
           mx.verdict == MAP_TEMPFAIL ? -1 : (int)mx.count);
    for (size_t i = 0; i < mx.count; i++)
        printf("\t%s", mx.list[i].host);
    if (mx.ours)
        fputs("\tand this host", stdout);
    putchar('\n');
}

static void as_name(struct asked *k, const char *name)
{
    struct resolver_name full;
    const struct resolver_sources from = {.service_switch = k->world.service_switch,
                                          .hosts_file = k->world.hosts_file,
                                          .host = k->world.host};
    resolver_canon(k->world.resolver, name, &from, k->arena, &full);
    printf("getcanonname(%s) returns %s\n", name, full.name);
}

static void set_world(struct asked *k, char **part)
{
    const char *value = arena_strdup(k->arena, part[2]);
    if (strcmp(part[1], "host") == 0)
        k->world.host = value;
    else if (strcmp(part[1], "service_switch") == 0)
        k->world.service_switch = value;
    else if (strcmp(part[1], "hosts_file") == 0)
        k->world.hosts_file = value;
    else if (strcmp(part[1], "userdb") == 0)
        k->world.userdb_spec = value;
    else if (strcmp(part[1], "resolver") == 0)
        resolver_set_options(k->world.resolver, value, false);
    else if (strcmp(part[1], "short_ipv6") == 0)
        resolver_set_options(k->world.resolver, NULL, true);
    else if (strcmp(part[1], "ldap") == 0)
        k->world.ldap_defaults = value;
    else if (strcmp(part[1], "deferred") == 0)
        k->world.deferred = true;
    else if (strcmp(part[1], "timeout") == 0)
        k->world.timeout_ms = (unsigned)atoi(value);
}

static void declare(struct asked *k, char *line)
{
    char *name = line + strspn(line, " \t"), *class = name + strcspn(name, " \t");
    if (*class)
        *class ++ = '\0';
    class += strspn(class, " \t");
    char *rest = class + strcspn(class, " \t");
    if (*rest)
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    lookup_declare(k->maps, name, class, rest, k->diag, (struct origin){0});
}

int main(void)
{
    static char line[LONGEST];
    struct asked k = {.arena = arena_new(no_memory, NULL)};
    k.diag = diag_new(k.arena, source_set_new(k.arena));
    k.maps = lookup_maps_new(k.arena);
    k.world = (struct lookup_world){
        .set_macro = set_macro, .macros = &k, .log = log_text, .logger = &k, .space = '.'};
    k.world.resolver = resolver_new(k.arena);
    while (fgets(line, sizeof line, stdin)) {
        char *part[PARTS];
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == 'K') {
            declare(&k, line + 1);
            continue;
        }
        size_t n = parts_of(line, part);
        if (n >= 3 && part[0][0] == 'S') {
            set_world(&k, part);
            continue;
        }
        if (!k.session)
            k.session = lookup_session_new(k.arena, k.maps, &k.world);
        if (n == 3 && part[0][0] == 'M')
            as_map(&k, part);
        else if (n >= 4 && part[0][0] == 'R')
            as_rule(&k, part, n);
        else if (n == 3 && part[0][0] == 'X' && strcmp(part[1], "mx") == 0)
            as_exchangers(&k, part[2], false);
        else if (n == 3 && part[0][0] == 'X' && strcmp(part[1], "mx-of-others") == 0)
            as_exchangers(&k, part[2], true);
        else if (n == 3 && part[0][0] == 'X' && strcmp(part[1], "canon") == 0)
            as_name(&k, part[2]);
        else
            puts("lookup: no such question");
        fflush(stdout);
    }
    diag_print(k.diag, stderr, false);
    lookup_session_close(k.session);
    resolver_close(k.world.resolver);
    arena_free(k.arena);
    return 0;
}
