/*
 * How many messages a second the queue makes durable, with 1, 10 and 100 waiting for a commit:
 *
 *     build/bench/store [FOLDER [SECONDS]]
 *
 * Bodies have 4 KiB; the folder has to be on the disk that is asked about.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mta/store/queue.h"

enum { BODY = 4096 };

static void out_of_memory(void *ctx)
{
    (void)ctx;
    abort();
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add(struct queue *q, struct arena *a)
{
    static char text[BODY];
    struct recipient to = {.address = bytes_of("user@example.com")};
    struct envelope e = {
        .sender = bytes_of("sender@example.net"), .recipients = &to, .nrecipients = 1};
    uint64_t body = queue_body_begin(q);

    e.id = queue_new_id(q, a, time(NULL));
    queue_body_add(q, body, (struct bytes){text, sizeof text});
    queue_add(q, body, &e, 1);
}

/* Batches of n messages for so long. */
static int run(struct queue *q, struct arena *a, int n, double how_long)
{
    double start = seconds(), now = start;
    long commits = 0;

    for (; now - start < how_long; now = seconds(), commits++) {
        for (int i = 0; i < n; i++)
            add(q, a);
        arena_reset(a);
        if (queue_commit(q) != 0) {
            fprintf(stderr, "%s\n", queue_error(q));
            return 1;
        }
    }
    printf("%3d waiting: %8.0f messages/s, %7.1f commits/s\n", n,
           (double)(commits * n) / (now - start), (double)commits / (now - start));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct queue_settings usual = {0};
    struct arena *a = arena_new(out_of_memory, NULL), *each = arena_beside(a);
    char folder[] = "store-bench-XXXXXX";
    struct queue *q;
    const char *why;
    int bad = 0;

    if ((argc > 1 && chdir(argv[1]) != 0) || !mkdtemp(folder) || chdir(folder) != 0) {
        perror("folder");
        return 1;
    }
    if (queue_open(a, ".", &usual, &q, &why) != 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    for (int n = 1; n <= 100 && !bad; n *= 10)
        bad = run(q, each, n, argc > 2 ? atof(argv[2]) : 3);
    queue_close(q);
    remove("mcfd.queue/data.mdb");
    remove("mcfd.queue/lock.mdb");
    remove("mcfd.queue");
    if (chdir("..") != 0 || rmdir(folder) != 0)
        perror(folder);
    arena_free(each);
    arena_free(a);
    return bad;
}
