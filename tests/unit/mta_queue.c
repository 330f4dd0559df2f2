/*
 * The queue: what was committed is there, whole, after anything; what was not is not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "mta/store/queue.h"
#include "tests/unit/folder.h"

static const struct queue_settings usual = {0};

static struct queue *opened(struct arena *a, const struct queue_settings *s)
{
    struct queue *q = NULL;
    const char *why = "";
    int status = queue_open(a, ".", s, &q, &why);

    if (status)
        fail_msg("%d: %s", status, why);
    return q;
}

static int queue_leave(void **state)
{
    remove("mcfd.queue/data.mdb");
    remove("mcfd.queue/lock.mdb");
    remove("mcfd.queue/reserve");
    remove("mcfd.queue");
    return folder_leave(state);
}

#define IN_QUEUE(test) cmocka_unit_test_setup_teardown(test, folder_enter, queue_leave)

static struct envelope envelope_to(struct arena *a, const char *sender)
{
    struct recipient *to = arena_alloc(a, sizeof *to);

    *to = (struct recipient){.address = bytes_of("u@example.com")};
    return (struct envelope){
        .sender = bytes_of(sender), .made = 1, .recipients = to, .nrecipients = 1};
}

/* One message of len bytes, all c; its id. */
static struct bytes add(struct queue *q, struct arena *a, size_t len, char c)
{
    struct envelope e = envelope_to(a, "s@example.com");
    char *s = arena_alloc(a, len + 1);
    uint64_t body = queue_body_begin(q);

    memset(s, c, len);
    queue_body_add(q, body, (struct bytes){s, len});
    e.id = queue_new_id(q, a, 1000);
    queue_add(q, body, &e, 1);
    return e.id;
}

static size_t count(struct queue *q, struct arena *a)
{
    struct stored s;
    struct bytes at = {"", 0};
    size_t n = 0;

    while (queue_next(q, a, at, &s)) {
        at = s.envelope.id;
        n++;
    }
    return n;
}

/* The body is len bytes c. */
static void assert_body(struct queue *q, struct arena *a, const struct stored *s, size_t len,
                        char c)
{
    struct buf b;

    buf_init(&b, a);
    assert_int_equal(queue_body_read(q, s->body, 0, UINT64_MAX, &b), 0);
    assert_int_equal(b.len, len);
    assert_int_equal(s->body_size, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(b.data[i], c);
}

static void an_empty_queue_has_nothing(void **state)
{
    struct queue *q = opened(*state, &usual);
    struct stored s;
    struct buf b;

    buf_init(&b, *state);
    assert_false(queue_next(q, *state, (struct bytes){"", 0}, &s));
    assert_false(queue_get(q, *state, (struct bytes){"", 0}, &s));
    assert_false(queue_get(q, *state, bytes_of("6B16cVK3004375"), &s));
    assert_int_equal(queue_body_read(q, 1, 0, 10, &b), 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(queue_commit(q), 0);
    assert_false(queue_is_changed(q));
    queue_body_drop(q, 77);
    assert_int_equal(queue_body_add(q, 77, bytes_of("x")), EX_SOFTWARE);
    assert_int_equal(queue_commit(q), 0);
    /* What is not there cannot be changed, and harms nothing else. */
    assert_int_equal(queue_remove(q, bytes_of("6B16cVK3004375")), EX_NOINPUT);
    assert_int_equal(queue_commit(q), 0);
    assert_int_equal(queue_commit(q), 0);
    queue_close(q);
    queue_close(NULL);
}

static void ids_say_the_time(void **state)
{
    char id[QUEUE_ID + 1];

    (void)state;
    id_write(1796107111, 20 * 60 + 3, 4375, id);
    assert_string_equal(id, "6B16cVK3004375");
    id_write(0, 3599, 1234567, id);
    assert_string_equal(id, "A01000xx234567");
}

static void a_process_gives_an_id_once(void **state)
{
    struct ids ids;
    char id[QUEUE_ID + 1], last[QUEUE_ID + 1] = "", other[QUEUE_ID + 1];
    const time_t now = 1796107111;

    (void)state;
    ids_begin(&ids, now);
    for (int i = 0; i < 2 * IDS_A_SECOND + 5; i++) {
        ids_next(&ids, now - i % 3, id);
        assert_true(id_is_good(bytes_of(id)));
        assert_true(memcmp(id, last, 8) > 0);
        memcpy(last, id, sizeof last);
    }
    assert_int_equal(ids_second(&ids), now + 3);
    id_write(now + 3, 4, (long)getpid(), other);
    assert_string_equal(id, other);
    assert_false(id_is_good(bytes_of("6B16cVK300437")));
    assert_false(id_is_good(bytes_of("6B16cVK30043751")));
    assert_false(id_is_good(bytes_of("6B16cVK300437x")));
    assert_false(id_is_good(bytes_of("6B/6cVK3004375")));
    assert_false(id_is_good(bytes_of("6B16cyK3004375")));
}

static void who_has_an_id_is_known(void **state)
{
    struct queue *q = opened(*state, &usual);
    struct bytes id = add(q, *state, 1, 'a');

    assert_true(queue_has(q, id));
    assert_false(queue_has(q, bytes_of("6B16cVK3004375")));
    assert_int_equal(queue_commit(q), 0);
    assert_true(queue_has(q, id));
    assert_int_equal(queue_remove(q, id), 0);
    assert_false(queue_has(q, id));
    queue_close(q);
}

static void what_was_committed_is_there(void **state)
{
    struct queue *q = opened(*state, &usual);
    struct stored s;
    struct stat st;
    struct bytes id = add(q, *state, 300000, 'x'), none = add(q, *state, 0, 'x');

    assert_false(queue_get(q, *state, id, &s)); /* not yet */
    assert_true(queue_is_changed(q));
    assert_int_equal(queue_commit(q), 0);
    assert_int_equal(stat("mcfd.queue", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat("mcfd.queue/data.mdb", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    for (int i = 0; i < 2; i++) {
        assert_true(queue_get(q, *state, id, &s));
        assert_body(q, *state, &s, 300000, 'x');
        assert_string_equal(bytes_string(*state, s.envelope.sender), "s@example.com");
        assert_true(queue_get(q, *state, none, &s));
        assert_body(q, *state, &s, 0, 'x');
        assert_int_equal(count(q, *state), 2);
        queue_close(q);
        q = opened(*state, &usual);
    }
    queue_close(q);
}

static void a_body_is_read_from_anywhere(void **state)
{
    struct queue *q = opened(*state, &usual);
    struct envelope e = envelope_to(*state, "");
    uint64_t body = queue_body_begin(q);
    struct stored s;
    struct buf b;

    for (int i = 0; i < 5; i++)
        assert_int_equal(queue_body_add(q, body, bytes_of("0123456789")), 0);
    assert_int_equal(queue_body_size(q, body), 50);
    e.id = queue_new_id(q, *state, 1);
    assert_int_equal(queue_add(q, body, &e, 1), 0);
    add(q, *state, 10, 'y');
    assert_int_equal(queue_commit(q), 0);
    assert_true(queue_get(q, *state, e.id, &s));
    for (uint64_t at = 0; at < 60; at++) {
        for (uint64_t most = 0; most < 60; most++) {
            buf_init(&b, *state);
            assert_int_equal(queue_body_read(q, s.body, at, most, &b), 0);
            uint64_t left = at < 50 ? 50 - at : 0;
            assert_int_equal(b.len, left < most ? left : most);
            for (size_t i = 0; i < b.len; i++)
                assert_int_equal(b.data[i], '0' + (int)((at + i) % 10));
        }
    }
    queue_close(q);
}

static void changes_and_removals_hold(void **state)
{
    struct queue *q = opened(*state, &usual);
    struct bytes id = add(q, *state, 10, 'a'), other = add(q, *state, 10, 'b');
    struct stored s;

    assert_int_equal(queue_commit(q), 0);
    assert_true(queue_get(q, *state, id, &s));
    s.envelope.tries = 7;
    assert_int_equal(queue_change(q, id, &s.envelope), 0);
    assert_int_equal(queue_remove(q, other), 0);
    assert_int_equal(queue_commit(q), 0);
    queue_close(q);
    q = opened(*state, &usual);
    assert_true(queue_get(q, *state, id, &s));
    assert_int_equal(s.envelope.tries, 7);
    assert_body(q, *state, &s, 10, 'a');
    assert_false(queue_get(q, *state, other, &s));
    queue_close(q);
}

static void envelopes_of_one_body_share_it(void **state)
{
    struct queue *q = opened(*state, &usual);
    struct envelope e[2] = {envelope_to(*state, "a"), envelope_to(*state, "b")};
    uint64_t body = queue_body_begin(q);
    struct stored s;
    struct buf b;

    queue_body_add(q, body, bytes_of("text"));
    e[0].id = queue_new_id(q, *state, 1);
    e[1].id = queue_new_id(q, *state, 1);
    assert_int_equal(queue_add(q, body, e, 2), 0);
    assert_int_equal(queue_commit(q), 0);
    assert_int_equal(queue_remove(q, e[0].id), 0);
    assert_int_equal(queue_commit(q), 0);
    assert_true(queue_get(q, *state, e[1].id, &s));
    buf_init(&b, *state);
    assert_int_equal(queue_body_read(q, s.body, 0, 10, &b), 0);
    assert_int_equal(b.len, 4);
    assert_int_equal(queue_remove(q, e[1].id), 0);
    assert_int_equal(queue_commit(q), 0);
    buf_init(&b, *state);
    assert_int_equal(queue_body_read(q, s.body, 0, 10, &b), 0);
    assert_int_equal(b.len, 0);
    queue_close(q);
}

/* Dropped, or open when the queue was closed: the file has room for others then. */
static void bodies_without_envelopes_go(void **state)
{
    struct queue *q = opened(*state, &usual);
    char *s = arena_alloc(*state, 100000);
    struct buf b;
    uint64_t open = queue_body_begin(q), dropped = queue_body_begin(q);

    assert_int_equal(queue_body_add(q, open, (struct bytes){s, 100000}), 0);
    assert_int_equal(queue_body_add(q, dropped, (struct bytes){s, 100000}), 0);
    struct bytes id = add(q, *state, 5, 'k');
    assert_int_equal(queue_commit(q), 0);
    buf_init(&b, *state);
    queue_body_read(q, dropped, 0, 10, &b);
    assert_int_equal(b.len, 10);
    queue_body_drop(q, dropped);
    assert_int_equal(queue_commit(q), 0);
    buf_truncate(&b, 0);
    queue_body_read(q, dropped, 0, 10, &b);
    assert_int_equal(b.len, 0);
    queue_body_read(q, open, 0, 10, &b);
    assert_int_equal(b.len, 10);
    queue_close(q);
    q = opened(*state, &usual);
    buf_truncate(&b, 0);
    queue_body_read(q, open, 0, 10, &b);
    assert_int_equal(b.len, 0);
    struct stored m;
    assert_true(queue_get(q, *state, id, &m));
    assert_body(q, *state, &m, 5, 'k');
    queue_close(q);
}

static void a_long_body_does_not_wait_in_memory(void **state)
{
    struct queue *q = opened(*state, &usual);
    struct envelope e = envelope_to(*state, "");
    uint64_t body = queue_body_begin(q);
    char *s = arena_alloc(*state, 1 << 20);
    struct stored m;

    for (int i = 0; i < 40; i++)
        assert_int_equal(queue_body_add(q, body, (struct bytes){s, 1 << 20}), 0);
    e.id = queue_new_id(q, *state, 1);
    assert_int_equal(queue_add(q, body, &e, 1), 0);
    assert_int_equal(queue_commit(q), 0);
    assert_true(queue_get(q, *state, e.id, &m));
    assert_int_equal(m.body_size, 40 << 20);
    queue_close(q);
}

static void the_map_grows(void **state)
{
    static const struct queue_settings small = {.map_size = 1 << 20};
    struct queue *q = opened(*state, &small);

    for (int i = 0; i < 30; i++) {
        add(q, *state, 1 << 20, 'm');
        assert_int_equal(queue_commit(q), 0);
    }
    assert_int_equal(count(q, *state), 30);
    queue_close(q);
    q = opened(*state, &small);
    assert_int_equal(count(q, *state), 30);
    add(q, *state, 10, 'm');
    assert_int_equal(queue_commit(q), 0);
    queue_close(q);
}

/* Also where they come in the same second, and where the clock went back. */
static void ids_come_once(void **state)
{
    struct queue *q = opened(*state, &usual);
    size_t n = 0;

    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 1300; j++, n++)
            add(q, *state, 0, 'x');
        assert_int_equal(queue_commit(q), 0);
        queue_close(q);
        q = opened(*state, &usual);
    }
    assert_int_equal(count(q, *state), n);
    queue_close(q);
}

/* Files may not get larger: as a full disk, without a disk. */
static void limit(rlim_t bytes)
{
    struct rlimit r;

    getrlimit(RLIMIT_FSIZE, &r);
    r.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void a_full_disk_takes_nothing(struct arena *a, void (*fill)(bool full))
{
    struct queue *q = opened(a, &usual);
    struct bytes kept = add(q, a, 1000, 'k');
    struct stored s;
    int status = 0;
    uint64_t torn = queue_body_begin(q);
    struct envelope e = envelope_to(a, "");

    assert_int_equal(queue_commit(q), 0);
    fill(true);
    queue_body_add(q, torn, bytes_of("begin"));
    struct bytes one = add(q, a, 3 << 20, 'x'), two = add(q, a, 10, 'x');
    status = queue_commit(q);
    assert_int_not_equal(status, 0);
    assert_false(queue_get(q, a, one, &s));
    assert_false(queue_get(q, a, two, &s));
    assert_true(queue_get(q, a, kept, &s));
    fill(false);
    /* The body that lost a piece is not taken for whole. */
    assert_int_equal(queue_body_add(q, torn, bytes_of("end")), EX_TEMPFAIL);
    assert_int_equal(queue_add(q, torn, &e, 1), EX_TEMPFAIL);
    one = add(q, a, 3 << 20, 'y');
    assert_int_equal(queue_commit(q), 0);
    queue_close(q);
    q = opened(a, &usual);
    assert_int_equal(count(q, a), 2);
    assert_true(queue_get(q, a, kept, &s));
    assert_body(q, a, &s, 1000, 'k');
    assert_true(queue_get(q, a, one, &s));
    assert_body(q, a, &s, 3 << 20, 'y');
    queue_close(q);
}

static void fill_by_limit(bool full)
{
    limit(full ? 1 << 20 : RLIM_INFINITY);
}

static void fill_disk(bool full)
{
    static const char zeros[65536];

    if (!full) {
        unlink("fill");
        return;
    }
    int fd = open("fill", O_WRONLY | O_CREAT, 0600);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    close(fd);
}

static void what_does_not_fit_is_not_taken(void **state)
{
    signal(SIGXFSZ, SIG_IGN);
    a_full_disk_takes_nothing(*state, fill_by_limit);
}

static void a_full_file_system_takes_nothing(void **state)
{
    if (mkdir("disk", 0700) != 0 || mount("none", "disk", "tmpfs", 0, "size=6m,mode=0700") != 0) {
        rmdir("disk");
        skip();
    }
    assert_int_equal(chdir("disk"), 0);
    a_full_disk_takes_nothing(*state, fill_disk);
    assert_int_equal(chdir(".."), 0);
    umount2("disk", MNT_DETACH);
    rmdir("disk");
}

static void free_blocks_are_left(void **state)
{
    struct queue_settings s = {0};
    struct queue *q = opened(*state, &s);

    assert_true(queue_has_room(q, 1));
    assert_false(queue_has_room(q, UINT64_MAX));
    queue_close(q);
    s.min_free_blocks = UINT64_MAX / 2;
    q = opened(*state, &s);
    assert_false(queue_has_room(q, 0));
    queue_close(q);
}

static void assert_refused(struct arena *a, const char *dir, int status, const char *with)
{
    struct queue *q;
    const char *why = "";

    assert_int_equal(queue_open(a, dir, &usual, &q, &why), status);
    assert_null(q);
    if (!strstr(why, with))
        fail_msg("%s: not in: %s", with, why);
}

static void an_unsafe_folder_is_refused(void **state)
{
    assert_refused(*state, "nowhere", EX_CONFIG, "install -d -m 700 nowhere");
    assert_int_equal(chmod(".", 0777), 0);
    assert_refused(*state, ".", EX_CONFIG, "chmod go-w .");
    assert_int_equal(chmod(".", 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(".", 12345, 0), 0);
        assert_refused(*state, ".", EX_CONFIG, "chown 0 .");
        assert_int_equal(chown(".", 0, 0), 0);
    }
    assert_int_equal(mkdir("mcfd.queue", 0700), 0);
    int fd = open("mcfd.queue/data.mdb", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "no database", 11), 11);
    close(fd);
    assert_refused(*state, ".", EX_IOERR, "mcfd.queue: ");
    remove("mcfd.queue/data.mdb");
    struct queue *q = opened(*state, &usual);
    assert_refused(*state, ".", EX_TEMPFAIL, "in use");
    queue_close(q);
}

/* --- killed ---------------------------------------------------------------------------------- */

static size_t length_of(unsigned n)
{
    return n * 7919u % 40000u;
}

/* Adds messages for ever, some at a time, and says the number of each that is durable. */
static void add_until_killed(struct arena *of_queue, int to, unsigned n)
{
    struct queue *q = opened(of_queue, &usual);
    struct arena *a = arena_beside(of_queue);

    for (;;) {
        unsigned batch = 1 + n % 5;
        uint64_t unfinished = queue_body_begin(q);
        queue_body_add(q, unfinished, bytes_of("never whole"));
        for (unsigned i = 0; i < batch; i++) {
            char said[16];
            snprintf(said, sizeof said, "%u", n + i);
            struct envelope e = envelope_to(a, said);
            size_t len = length_of(n + i);
            char *s = arena_alloc(a, len + 1);
            memset(s, 'a' + (char)((n + i) % 26), len);
            uint64_t body = queue_body_begin(q);
            queue_body_add(q, body, (struct bytes){s, len / 2});
            queue_body_add(q, body, (struct bytes){s + len / 2, len - len / 2});
            e.id = queue_new_id(q, a, time(NULL));
            queue_add(q, body, &e, 1);
        }
        if (queue_commit(q) != 0)
            _exit(1);
        for (unsigned i = 0; i < batch; i++, n++) {
            if (write(to, &n, sizeof n) != sizeof n)
                _exit(1);
        }
        arena_reset(a);
    }
}

/* Every message is whole; those that were acknowledged are there.  All are removed. */
static unsigned check_and_empty(struct arena *a, const unsigned *acked, size_t nacked)
{
    struct queue *q = opened(a, &usual);
    struct stored s;
    struct bytes at = {"", 0};
    char *seen = arena_alloc(a, 100000);
    unsigned n = 0;

    while (queue_next(q, a, at, &s)) {
        n = (unsigned)atoi(bytes_string(a, s.envelope.sender));
        assert_body(q, a, &s, length_of(n), 'a' + (char)(n % 26));
        seen[n]++;
        at = s.envelope.id;
        queue_remove(q, at);
    }
    for (size_t i = 0; i < nacked; i++)
        assert_int_equal(seen[acked[i]], 1);
    assert_int_equal(queue_commit(q), 0);
    queue_close(q);
    return n + 10;
}

static void a_kill_loses_and_halves_nothing(void **state)
{
    unsigned next = 0, total = 0;

    for (unsigned i = 0; i < 50; i++) {
        struct arena *a = arena_beside(*state);
        unsigned *acked = arena_calloc(a, 100000, sizeof *acked);
        size_t n = 0;
        int p[2];
        assert_int_equal(pipe(p), 0);
        pid_t child = fork();
        if (child == 0) {
            close(p[0]);
            add_until_killed(a, p[1], next);
        }
        close(p[1]);
        /* Some while it opens the queue; most while it fills it. */
        struct pollfd said = {.fd = p[0], .events = POLLIN};
        if (i % 5)
            assert_int_equal(poll(&said, 1, 20000), 1);
        usleep(i * 7919 % 20000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (n < 100000 && read(p[0], &acked[n], sizeof *acked) == sizeof *acked)
            n++;
        close(p[0]);
        total += (unsigned)n;
        next = check_and_empty(a, acked, n) % 50000;
        arena_free(a);
    }
    print_message("%u messages were acknowledged before 50 kills\n", total);
    assert_true(total > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_QUEUE(an_empty_queue_has_nothing),
        UNIT(ids_say_the_time),
        UNIT(a_process_gives_an_id_once),
        IN_QUEUE(who_has_an_id_is_known),
        IN_QUEUE(what_was_committed_is_there),
        IN_QUEUE(a_body_is_read_from_anywhere),
        IN_QUEUE(changes_and_removals_hold),
        IN_QUEUE(envelopes_of_one_body_share_it),
        IN_QUEUE(bodies_without_envelopes_go),
        IN_QUEUE(a_long_body_does_not_wait_in_memory),
        IN_QUEUE(the_map_grows),
        IN_QUEUE(ids_come_once),
        IN_QUEUE(what_does_not_fit_is_not_taken),
        IN_QUEUE(a_full_file_system_takes_nothing),
        IN_QUEUE(free_blocks_are_left),
        IN_QUEUE(an_unsafe_folder_is_refused),
        IN_QUEUE(a_kill_loses_and_halves_nothing),
    };
    return cmocka_run_group_tests_name("mta_queue", tests, NULL, NULL);
}
