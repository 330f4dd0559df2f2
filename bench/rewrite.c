/*
 * rewrite FILE.cf [EVALUATIONS [THREADS]]: addresses through rulesets 3 and 0 of the configuration,
 * in threads that share the program, each with a rewriter and a session of maps of its own.
 *
 * Prints, a word and a number a line: evaluations of all threads, seconds of wall clock, seconds of
 * processor time, rules tried and applied for an address (counted once, apart from what is timed),
 * bytes of the arena for one evaluation (at most), and KiB of memory at the end.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/maps/resolver.h"
#include "lib/rewrite/address.h"

enum { THREADS_MAX = 16, NAMES = 1000, REST = 64 };

struct work {
    const struct program *p;
    long evaluations;
    size_t most;      /* bytes of an evaluation */
    double processor; /* seconds */
};

static void no_memory(void *ctx)
{
    (void)ctx;
    abort();
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* KiB of this process that are in memory now; 0: nobody says. */
static long resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long all, pages = 0;

    if (f && fscanf(f, "%ld %ld", &all, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void count(void *ctx, const struct ruleset *r, const struct rule *rule)
{
    (void)r;
    (void)rule;
    (*(long *)ctx)++;
}

static void evaluate(struct rewrite *r, long i)
{
    const struct program *p = rewrite_program(r);
    char text[64];
    int len = snprintf(text, sizeof text, "user%ld@foo.com", i % NAMES);

    rewrite_begin(r);
    struct tokens *ws = rewrite_workspace(r);
    address_scan(r, text, (size_t)len, true, -1, ws, NULL);
    rewrite_run(r, program_ruleset(p, "3", 1), ws);
    rewrite_run(r, program_ruleset(p, "0", 1), ws);
    if (ws->n == 0 || ws->v[0].id != OP_HASH)
        abort(); /* nobody delivers to it: not what is to be measured */
}

static struct rewrite *rewriter(struct arena *a, const struct program *p, struct lookup_world *w)
{
    *w = (struct lookup_world){.resolver = resolver_new(a), .host = "mail.example.com"};
    return rewrite_new(a, p, w);
}

static void *work(void *arg)
{
    struct work *w = arg;
    struct arena *a = arena_new(no_memory, NULL);
    struct lookup_world world;
    struct rewrite *r = rewriter(a, w->p, &world);
    double start;

    for (long i = 0; i < NAMES; i++)
        evaluate(r, i);
    rewrite_rest(r);
    start = now(CLOCK_THREAD_CPUTIME_ID);
    for (long i = 0; i < w->evaluations; i++) {
        evaluate(r, i);
        if (arena_used(rewrite_arena(r)) > w->most)
            w->most = arena_used(rewrite_arena(r));
        if (i % REST == REST - 1)
            rewrite_rest(r);
    }
    w->processor = now(CLOCK_THREAD_CPUTIME_ID) - start;
    rewrite_close(r);
    resolver_close(world.resolver);
    arena_free(a);
    return NULL;
}

static void count_rules(const struct program *p)
{
    struct arena *a = arena_new(no_memory, NULL);
    struct lookup_world world;
    struct rewrite *r = rewriter(a, p, &world);
    long counted = 0;
    const struct rewrite_watch watch = {.ctx = &counted, .trying = count};

    evaluate(r, 0);
    rewrite_watch(r, &watch);
    evaluate(r, 0);
    printf("rules %ld\n", counted);
    rewrite_close(r);
    resolver_close(world.resolver);
    arena_free(a);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    long evaluations = argc > 2 ? atol(argv[2]) : 100000;
    int threads = argc > 3 ? atoi(argv[3]) : 1, err;
    struct arena *a = arena_new(no_memory, NULL);
    struct source_set *set = source_set_new(a);
    const struct source *src = source_open(set, argv[1], &err);
    const struct program_host host = {.name = "mail.example.com"};
    struct config *c = config_new(a, set);

    if (!src->bytes || threads < 1 || threads > THREADS_MAX)
        return 2;
    cf_read(c, src->bytes, src->len, src, NULL, false, NULL);
    double begun = now(CLOCK_MONOTONIC);
    const struct program *p = program_compile(a, c, &host, NULL);
    printf("compiled %.6f\n", now(CLOCK_MONOTONIC) - begun);
    count_rules(p);
    pthread_t id[THREADS_MAX];
    struct work w[THREADS_MAX];
    double start = now(CLOCK_MONOTONIC), processor = 0;
    size_t most = 0;
    for (int i = 0; i < threads; i++) {
        w[i] = (struct work){.p = p, .evaluations = evaluations};
        if (pthread_create(&id[i], NULL, work, &w[i]) != 0)
            return 1;
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(id[i], NULL);
        processor += w[i].processor;
        most = w[i].most > most ? w[i].most : most;
    }
    printf("evaluations %ld\nseconds %.6f\nprocessor %.6f\narena %zu\nmemory %ld\n",
           evaluations * threads, now(CLOCK_MONOTONIC) - start, processor, most, resident());
    arena_free(a);
    return 0;
}
