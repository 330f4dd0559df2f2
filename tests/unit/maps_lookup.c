#include "tests/unit/folder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/diag.h"
#include "lib/maps/lookup.h"

static struct map_bytes bytes(const char *s)
{
    return (struct map_bytes){s, strlen(s)};
}

static const struct lookup_map *declare(struct lookup_maps *m, const char *name, const char *class,
                                        const char *rest)
{
    return lookup_declare(m, name, class, rest, NULL, (struct origin){0});
}

static const struct lookup_world nothing = {0};

static struct lookup_answer ask(struct lookup_session *s, const struct lookup_map *m,
                                const char *key, struct arena *a)
{
    struct lookup_answer answer;
    lookup(s, m, bytes(key), NULL, 0, a, &answer);
    lookup_session_rest(s);
    return answer;
}

static void is_value(struct lookup_answer answer, const char *value)
{
    assert_int_equal(answer.verdict, MAP_FOUND);
    assert_int_equal(answer.value.len, strlen(value));
    assert_memory_equal(answer.value.p, value, answer.value.len);
}

/* The file appears under its name as makemap's successors make it: whole. */
static void write_map(struct arena *a, enum map_type type, const char *value)
{
    static const struct map_plan plan = {.entries = 1, .bytes = 16};
    const char *path = type == MAP_cdb ? "m.cdb" : "m.db";
    struct map *m;
    assert_int_equal(map_create(a, type, "new", &plan, 0644, &m), 0);
    assert_int_equal(map_put(m, bytes("key"), bytes(value), false), 0);
    assert_int_equal(map_finish(m), 0);
    assert_int_equal(rename("new", path), 0);
}

static void nothing_is_declared(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    char longest[300];
    memset(longest, 'x', sizeof longest);
    assert_null(lookup_find(m, "", 0));
    assert_null(lookup_find(m, "x", 1));
    assert_null(lookup_find(m, longest, sizeof longest));
    assert_non_null(lookup_find(m, "HOST", 4));
    lookup_session_close(NULL);
    lookup_session_close(lookup_session_new(*state, m, &nothing));
}

/* What is said of a line first, as it is printed. */
static void is_said(struct arena *a, const char *class, const char *rest, const char *expected)
{
    struct diag *d = diag_new(a, source_set_new(a));
    struct lookup_maps *m = lookup_maps_new(a);
    lookup_declare(m, "x", class, rest, d, (struct origin){0});
    size_t n;
    const struct finding *const *all = diag_sorted(d, &n);
    if (!expected) {
        assert_int_equal(n, 0);
        return;
    }
    assert_true(n > 0);
    assert_string_equal(arena_printf(a, "%s [%s]", all[0]->text, all[0]->id), expected);
}

static void what_is_wrong_is_said(void **state)
{
    assert_null(declare(lookup_maps_new(*state), "x", "hsah", "x"));
    is_said(*state, "", "", "there is no map class  [unknown-map-class]");
    is_said(*state, "hsah", "x", "there is no map class hsah [unknown-map-class]");
    is_said(*state, "hash", "", "the map x needs a file after its class [map-lacks]");
    is_said(*state, "hash", "-X /x", "a map of class hash has no option -X [map-option]");
    is_said(*state, "regex", "-s9 a",
            "the map x has more than 32 substrings, or one that the pattern does not have for its "
            "option -s "
            "[map-option-value]");
    is_said(*state, "regex", "-s ()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()",
            "the map x has a pattern of more than 30 substrings for its option -s "
            "[map-option-value]");
    is_said(*state, "regex", "-s,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,, a",
            "the map x has more than 32 substrings, or one that the pattern does not have for its "
            "option -s [map-option-value]");
    is_said(*state, "dns", "-R NOSUCH",
            "the map x has NOSUCH, which is no type, for its option -R [map-option-value]");
    is_said(*state, "sequence", "none",
            "the map x is made of none, which is not declared before it [undefined-map]");
    is_said(*state, "hesiod", "x",
            "the map class hesiod is not built in: each lookup in x fails for the time being "
            "[map-not-built]");
    is_said(*state, "regex", "(a+)+++++++++++++++++++++++++++++++++++++++",
            "the pattern of x is none: it becomes too large [map-pattern]");
    is_said(*state, "regex", "((((a{99}){99}){99}){99}){99}",
            "the pattern of x is none: it becomes too large [map-pattern]");
    is_said(*state, "regex", "-b \\(\\(\\(a\\{99\\}\\)\\{99\\}\\)\\{99\\}\\)\\{99\\}",
            "the pattern of x is none: it becomes too large [map-pattern]");
    is_said(*state, "regex", "(", "the pattern of x is none: Unmatched ( or \\( [map-pattern]");
    is_said(*state, "hash", "-o -a.x /x", NULL);
    is_said(*state, "null", "", NULL);
}

static void a_later_line_keeps_what_it_does_not_say(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    /* Of a dequote map's options the first alone counts. */
    const struct lookup_map *first = declare(m, "x", "dequote", "-S_ -a.x");
    assert_ptr_equal(declare(m, "X", "dequote", "-a.y"), first);
    struct lookup_session *s = lookup_session_new(*state, m, &nothing);
    is_value(ask(s, first, "\"a\"", *state), "a.y");
    assert_int_equal(lookup_map_space(first, '.'), '_');
    assert_int_equal(lookup_map_space(lookup_find(m, "host", 4), '.'), '.');
    lookup_session_close(s);
}

static void maps_that_ask_themselves_fail(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    declare(m, "a", "null", "");
    declare(m, "b", "sequence", "a");
    const struct lookup_map *a = declare(m, "a", "sequence", "b");
    struct lookup_session *s = lookup_session_new(*state, m, &nothing);
    struct lookup_answer answer = ask(s, a, "x", *state);
    assert_int_equal(answer.verdict, MAP_TEMPFAIL);
    assert_true(answer.why[0] != '\0');
    lookup_session_close(s);
}

static void a_changed_file_is_opened_again(void **state)
{
    for (enum map_type type = 0; type < MAP_TYPES; type++) {
        struct lookup_maps *m = lookup_maps_new(*state);
        const struct lookup_map *x = declare(m, "x", map_type_name(type), "m");
        struct lookup_session *s = lookup_session_new(*state, m, &nothing);
        assert_int_equal(ask(s, x, "key", *state).verdict, MAP_TEMPFAIL);
        write_map(*state, type, "one");
        is_value(ask(s, x, "key", *state), "one");
        write_map(*state, type, "two");
        is_value(ask(s, x, "KEY", *state), "two");
        assert_int_equal(ask(s, x, "none", *state).verdict, MAP_NOT_FOUND);
        assert_int_equal(remove(type == MAP_cdb ? "m.cdb" : "m.db"), 0);
        assert_int_equal(ask(s, x, "key", *state).verdict, MAP_TEMPFAIL);
        lookup_session_close(s);
    }
}

static void a_file_stays_as_it_was_until_the_rest(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    const struct lookup_map *x = declare(m, "x", "hash", "m");
    struct lookup_session *s = lookup_session_new(*state, m, &nothing);
    struct lookup_answer answer;
    write_map(*state, MAP_hash, "one");
    is_value(ask(s, x, "key", *state), "one");
    lookup(s, x, bytes("key"), NULL, 0, *state, &answer);
    write_map(*state, MAP_hash, "two");
    lookup(s, x, bytes("key"), NULL, 0, *state, &answer);
    is_value(answer, "one");
    lookup(s, x, bytes("none"), NULL, 0, *state, &answer);
    assert_int_equal(answer.verdict, MAP_NOT_FOUND);
    lookup_session_rest(s);
    is_value(ask(s, x, "key", *state), "two");
    lookup_session_close(s);
    remove("m.db");
}

static void implicit_takes_what_is_there(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    const struct lookup_map *x = declare(m, "x", "implicit", "m");
    struct lookup_session *s = lookup_session_new(*state, m, &nothing);
    write_map(*state, MAP_cdb, "cdb");
    is_value(ask(s, x, "key", *state), "cdb");
    write_map(*state, MAP_btree, "btree");
    remove("m.cdb");
    is_value(ask(s, x, "key", *state), "btree");
    lookup_session_close(s);
}

static void maps_with_D_are_not_asked_when_deferred(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    const struct lookup_map *x = declare(m, "x", "dequote", "-D"),
                            *y = declare(m, "y", "dequote", "");
    const struct lookup_world deferred = {.deferred = true};
    struct lookup_session *s = lookup_session_new(*state, m, &deferred);
    assert_int_equal(ask(s, x, "\"a\"", *state).verdict, MAP_NOT_FOUND);
    is_value(ask(s, y, "\"a\"", *state), "a");
    lookup_session_close(s);
}

static void a_failure_stands_with_its_text(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    const struct lookup_map *plain = declare(m, "plain", "hash", "/nonexistent/m"),
                            *text = declare(m, "text", "hash", "-T.later /nonexistent/m"),
                            *now = declare(m, "now", "hash", "-t /nonexistent/m"),
                            *both = declare(m, "both", "hash", "-t -T.later /nonexistent/m");
    struct lookup_session *s = lookup_session_new(*state, m, &nothing);
    struct lookup_answer answer = ask(s, plain, "k", *state);
    assert_int_equal(answer.verdict, MAP_TEMPFAIL);
    assert_int_equal(answer.status, EX_TEMPFAIL);
    assert_null(answer.value.p);
    answer = ask(s, text, "\"K\"", *state);
    assert_int_equal(answer.verdict, MAP_TEMPFAIL);
    assert_string_equal(answer.value.p, "K.later");
    assert_int_equal(ask(s, now, "k", *state).verdict, MAP_NOT_FOUND);
    is_value(ask(s, both, "k", *state), "k.later");
    lookup_session_close(s);
}

struct heard {
    char text[64];
};

static void hear_macro(void *ctx, struct map_bytes name, const struct map_bytes *value)
{
    struct heard *h = ctx;
    snprintf(h->text, sizeof h->text, "%.*s=%.*s", (int)name.len, name.p,
             value ? (int)value->len : 4, value ? value->p : "none");
}

static void hear_log(void *ctx, int priority, const char *text)
{
    struct heard *h = ctx;
    snprintf(h->text, sizeof h->text, "%d %s", priority, text);
}

static void macros_and_the_log_are_the_worlds(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    const struct lookup_map *mac = declare(m, "mac", "macro", ""),
                            *log = declare(m, "log", "syslog", "-LERR"),
                            *dns = declare(m, "dns", "dns", "-RA");
    struct heard heard = {""};
    const struct lookup_world world = {
        .set_macro = hear_macro, .macros = &heard, .log = hear_log, .logger = &heard};
    struct lookup_session *s = lookup_session_new(*state, m, &world),
                          *bare = lookup_session_new(*state, m, &nothing);
    struct lookup_answer answer;
    const struct map_bytes value = bytes("v x");
    lookup(s, mac, bytes("{name}"), &value, 1, *state, &answer);
    assert_string_equal(heard.text, "name=v x");
    is_value(answer, "");
    lookup(s, mac, bytes("xyz"), NULL, 0, *state, &answer);
    assert_string_equal(heard.text, "x=none");
    is_value(ask(s, log, "hello", *state), "");
    assert_string_equal(heard.text, "3 hello");
    assert_int_equal(ask(bare, mac, "x", *state).verdict, MAP_TEMPFAIL);
    assert_int_equal(ask(bare, dns, "x", *state).verdict, MAP_TEMPFAIL);
    lookup_session_close(s);
    lookup_session_close(bare);
}

static void a_key_may_have_any_byte(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    static const char *const classes[][2] = {
        {"dequote", ""},       {"regex", "-s (.*)"}, {"arith", ""},
        {"arpa", ""},          {"user", ""},         {"stab", "/dev/null"},
        {"text", "/dev/null"}, {"syslog", ""},       {"program", "/bin/true"}};
    const struct lookup_map *maps[sizeof classes / sizeof classes[0]];
    char name[2] = "a";
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++, name[0]++)
        maps[i] = declare(m, name, classes[i][0], classes[i][1]);
    struct lookup_session *s = lookup_session_new(*state, m, &nothing);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        struct lookup_answer answer;
        lookup(s, maps[i], (struct map_bytes){NULL, 0}, NULL, 0, *state, &answer);
        lookup(s, maps[i], (struct map_bytes){"\0\xff\x9b\\", 4}, NULL, 0, *state, &answer);
        lookup_plainly(s, maps[i], (struct map_bytes){"\"\0", 2}, *state, &answer);
    }
    lookup_session_close(s);
}

enum { THREADS = 4, ROUNDS = 500 };

struct worker {
    pthread_t thread;
    const struct lookup_maps *maps;
    size_t good;
};

static void *work(void *ctx)
{
    struct worker *w = ctx;
    struct arena *a = arena_new(NULL, NULL), *result = arena_new(NULL, NULL);
    struct lookup_session *s = lookup_session_new(a, w->maps, &nothing);
    const struct lookup_map *m = lookup_find(w->maps, "all", 3);
    for (int i = 0; i < ROUNDS; i++) {
        struct lookup_answer one = ask(s, m, "aab", result), two = ask(s, m, "KEY", result);
        w->good +=
            one.verdict == MAP_FOUND && one.value.len == 5 && memcmp(one.value.p, "aab:b", 5) == 0;
        w->good += two.verdict == MAP_FOUND && two.value.len == 3;
        arena_reset(result);
    }
    lookup_session_close(s);
    arena_free(a);
    arena_free(result);
    return NULL;
}

static void threads_share_declarations(void **state)
{
    struct lookup_maps *m = lookup_maps_new(*state);
    struct worker workers[THREADS];
    write_map(*state, MAP_hash, "val");
    declare(m, "rx", "regex", "-s0,2 -d: ^(a+)(b+)$");
    declare(m, "db", "hash", "m");
    declare(m, "all", "sequence", "rx db");
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.maps = m};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].good, 2 * ROUNDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT(nothing_is_declared),
                                       UNIT(what_is_wrong_is_said),
                                       UNIT(a_later_line_keeps_what_it_does_not_say),
                                       UNIT(maps_that_ask_themselves_fail),
                                       IN_FOLDER(a_changed_file_is_opened_again),
                                       IN_FOLDER(a_file_stays_as_it_was_until_the_rest),
                                       IN_FOLDER(implicit_takes_what_is_there),
                                       UNIT(maps_with_D_are_not_asked_when_deferred),
                                       UNIT(a_failure_stands_with_its_text),
                                       UNIT(macros_and_the_log_are_the_worlds),
                                       UNIT(a_key_may_have_any_byte),
                                       IN_FOLDER(threads_share_declarations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
