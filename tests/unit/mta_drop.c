/*
 * Messages left in a folder: what is put there comes out, and what it says of others is not
 * believed.
 */
#include <sys/stat.h>
#include <sysexits.h>

#include "mta/store/drop.h"
#include "tests/unit/folder.h"

static const char drop[] = "q.drop";

static struct queue *opened(struct arena *a)
{
    static const struct queue_settings usual = {0};
    struct queue *q = NULL;
    const char *why = "";

    if (queue_open(a, ".", &usual, &q, &why))
        fail_msg("%s", why);
    return q;
}

static int drop_enter(void **state)
{
    int status = folder_enter(state);

    return status ? status : mkdir(drop, 0700);
}

static int drop_leave(void **state)
{
    remove("mcfd.queue/data.mdb");
    remove("mcfd.queue/lock.mdb");
    remove("mcfd.queue/reserve");
    remove("mcfd.queue");
    remove(drop);
    return folder_leave(state);
}

#define IN_BOTH(test) cmocka_unit_test_setup_teardown(test, drop_enter, drop_leave)

static void took(void *ctx, const struct envelope *e)
{
    struct stored *s = ctx;

    (void)e;
    s->body++; /* how many */
}

/* What comes out of a message whose envelope is e and whose body is "text\n". */
static bool through(struct arena *a, struct envelope *e, struct stored *out)
{
    struct queue *q = opened(a);
    struct stored m, seen = {.body = 0};
    uint64_t body = queue_body_begin(q);

    queue_body_add(q, body, bytes_of("text\n"));
    e->id = queue_new_id(q, a, 1000);
    assert_int_equal(queue_add(q, body, e, 1), 0);
    assert_int_equal(queue_commit(q), 0);
    assert_true(queue_get(q, a, e->id, &m));
    assert_int_equal(drop_put(q, a, drop, &m), 0);
    assert_int_equal(queue_remove(q, e->id), 0);
    assert_int_equal(queue_commit(q), 0);
    size_t n = drop_take(q, a, drop, 10, 2000, took, &seen);
    assert_int_equal(seen.body, n);
    bool there = n == 1 && queue_get(q, a, e->id, out);
    struct buf b;
    buf_init(&b, a);
    if (there) {
        assert_int_equal(queue_body_read(q, out->body, 0, 100, &b), 0);
        assert_string_equal(b.data, "text\n");
    }
    /* Once. */
    assert_int_equal(drop_take(q, a, drop, 10, 2000, took, &seen), 0);
    queue_close(q);
    return there;
}

static void whole(void **state)
{
    struct arena *a = arena_new(NULL, NULL);
    struct recipient to[] = {{.address = bytes_of("one"),
                              .original = bytes_of("rfc822;one"),
                              .shown = bytes_of("One <one>"),
                              .notify = NOTIFY_SAID | NOTIFY_SUCCESS,
                              .flags = RECIPIENT_IS_FINAL},
                             {.address = bytes_of("two"), .state = RECIPIENT_DELIVERED}};
    struct bytes macros[] = {bytes_of("r"), bytes_of("UUCP"), bytes_of("_"), bytes_of("me")};
    struct envelope e = {.sender = bytes_of("me"),
                         .made = 1,
                         .size = 77,
                         .flags = ENVELOPE_8BIT | ENVELOPE_SUBMITTED,
                         .hops = 3,
                         .envid = bytes_of("abc"),
                         .macros = {macros, 4},
                         .tries = 1,
                         .tried = 1,
                         .recipients = to,
                         .nrecipients = 2};
    struct stored s;

    (void)state;
    assert_true(through(a, &e, &s));
    const struct envelope *got = &s.envelope;
    assert_string_equal(bytes_string(a, got->sender), "me");
    assert_string_equal(bytes_string(a, got->envid), "abc");
    assert_int_equal(got->flags, ENVELOPE_8BIT | ENVELOPE_SUBMITTED);
    assert_int_equal(got->hops, 3);
    assert_int_equal(got->size, 77);
    assert_int_equal(got->made, 2000);
    assert_int_equal(got->tries, 1);
    assert_int_equal(got->macros.n, 4);
    assert_int_equal(got->nrecipients, 1); /* who has it is through */
    assert_string_equal(bytes_string(a, got->recipients[0].address), "one");
    assert_string_equal(bytes_string(a, got->recipients[0].original), "rfc822;one");
    assert_string_equal(bytes_string(a, got->recipients[0].shown), "One <one>");
    assert_int_equal(got->recipients[0].notify, NOTIFY_SAID | NOTIFY_SUCCESS);
    assert_int_equal(got->recipients[0].flags, RECIPIENT_IS_FINAL);
    arena_free(a);
}

static void not_believed(void **state)
{
    struct arena *a = arena_new(NULL, NULL);
    struct recipient to[] = {{.address = bytes_of("one"),
                              .owner = bytes_of("victim"),
                              .user = bytes_of("0:0"),
                              .actual = bytes_of("|/bin/sh"),
                              .from = bytes_of("an alias"),
                              .host = bytes_of("h"),
                              .notify = UINT64_MAX,
                              .flags = UINT64_MAX}};
    struct bytes macros[] = {bytes_of("auth_type"), bytes_of("PLAIN"),  bytes_of("client_addr"),
                             bytes_of("127.0.0.1"), bytes_of("verify"), bytes_of("OK"),
                             bytes_of("odd one")};
    struct envelope e = {.sender = bytes_of("me"),
                         .made = UINT64_MAX,
                         .flags = UINT64_MAX,
                         .author = bytes_of("root"),
                         .quarantine = bytes_of("no"),
                         .group = bytes_of("g"),
                         .macros = {macros, 6},
                         .tries = UINT64_MAX,
                         .tried = UINT64_MAX,
                         .due = UINT64_MAX,
                         .warned = 1,
                         .recipients = to,
                         .nrecipients = 1};
    struct stored s;

    (void)state;
    assert_true(through(a, &e, &s));
    const struct envelope *got = &s.envelope;
    const struct recipient *r = &got->recipients[0];
    assert_int_equal(got->macros.n, 0);
    assert_int_equal(got->author.len + got->quarantine.len + got->group.len, 0);
    assert_int_equal(got->flags & (ENVELOPE_HELD | ENVELOPE_AWAITED | ENVELOPE_TELLS |
                                   ENVELOPE_OWN | ENVELOPE_QUEUED | ENVELOPE_FOR_REPORT),
                     0);
    assert_int_equal(got->made, 2000);
    assert_int_equal(got->tried, 2000);
    assert_int_equal(got->tries, 1);
    assert_int_equal(got->due + got->warned, 0);
    assert_int_equal(r->owner.len + r->user.len + r->actual.len + r->host.len, 0);
    assert_int_equal(r->flags, RECIPIENT_IS_FINAL);
    arena_free(a);
}

/* Nobody waits for it. */
static void through_with_all(void **state)
{
    struct arena *a = arena_new(NULL, NULL);
    struct recipient to[] = {{.address = bytes_of("one"), .state = RECIPIENT_FAILED}};
    struct envelope e = {.sender = bytes_of("me"), .recipients = to, .nrecipients = 1};
    struct stored s;

    (void)state;
    assert_false(through(a, &e, &s));
    arena_free(a);
}

static void no_folder(void **state)
{
    struct arena *a = arena_new(NULL, NULL);
    struct queue *q = opened(a);
    struct stored m = {.body = 0};

    (void)state;
    assert_int_equal(drop_put(q, a, "nosuch", &m), EX_CANTCREAT);
    assert_int_equal(drop_take(q, a, "nosuch", 10, 2000, took, &m), 0);
    queue_close(q);
    arena_free(a);
}

static void names(void **state)
{
    struct arena *a = arena_new(NULL, NULL);
    const char *command;

    (void)state;
    assert_string_equal(drop_folder(a, "/var/spool/q"), "/var/spool/q.drop");
    assert_string_equal(drop_folder(a, "/var/spool/q//"), "/var/spool/q.drop");
    assert_string_equal(drop_folder(a, "/"), "/.drop");
    /* It has not the mode. */
    assert_non_null(drop_wrong(a, drop, getuid(), getgid(), &command));
    assert_true(drop_make(a, drop, 0, 0));
    assert_null(drop_wrong(a, drop, getuid(), getgid(), &command));
    assert_non_null(drop_wrong(a, drop, getuid() + 1, getgid(), &command));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_BOTH(whole), IN_BOTH(not_believed),
                                       IN_BOTH(through_with_all), IN_BOTH(no_folder),
                                       IN_BOTH(names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
