/*
 * Messages handed to programs and appended to files, as whoever runs the test.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "mta/message/envelope.h"
#include "mta/parent/agent.h"
#include "tests/unit/unit.h"

struct text_source {
    const char *text;
    uint64_t fails_at; /* 0: never */
};

static ssize_t read_text(void *ctx, uint64_t offset, char *bytes, size_t len)
{
    const struct text_source *s = ctx;
    size_t left = strlen(s->text) - (size_t)offset;
    size_t n = left < len ? left : len;

    if (s->fails_at && offset + n > s->fails_at)
        return -1;
    n = n > 5 ? 5 : n;
    memcpy(bytes, s->text + offset, n);
    return (ssize_t)n;
}

static struct plan plan(struct arena *a, enum plan_kind kind, size_t n)
{
    struct plan p = {.kind = kind, .mailer = bytes_of("prog"), .wait = 20};

    signal(SIGPIPE, SIG_IGN);
    p.uid = geteuid();
    p.gid = getegid();
    p.helo = bytes_of("me");
    p.first = bytes_of("From s  now");
    p.head = bytes_of("A: b\n");
    p.nrecipients = n;
    p.recipients = arena_calloc(a, n, sizeof *p.recipients);
    for (size_t i = 0; i < n; i++)
        p.recipients[i].address = bytes_of("u");
    return p;
}

static struct buf transcript; /* of the last delivery */

static struct outcome *deliver(struct arena *a, const struct plan *p, const char *body,
                               uint64_t fails_at)
{
    struct text_source text = {body, fails_at};
    struct agent_source source = {read_text, &text, NULL};

    buf_init(&transcript, a);
    return agent_deliver(a, p, &source, 0, &transcript);
}

static struct outcome *run_shell(struct arena *a, const char *script, const char *body)
{
    struct plan p = plan(a, PLAN_PROGRAM, 2);
    struct bytes argv[] = {bytes_of("sh"), bytes_of("-c"), bytes_of(script)};
    struct bytes environment[] = {bytes_of("AGENT=sendmail")};

    p.path = bytes_of("/bin/sh");
    p.directory = bytes_of("/no/such/place:/tmp");
    p.argv = (struct texts){argv, 3};
    p.environment = (struct texts){environment, 1};
    return deliver(a, &p, body, 0);
}

static char *temporary(struct arena *a)
{
    char *path = arena_strdup(a, "/tmp/agentXXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static void remove_folder(struct arena *a, const char *path)
{
    assert_int_equal(system(arena_printf(a, "rm -rf '%s'", path)), 0);
}

static char *content(struct arena *a, const char *path)
{
    char *bytes = NULL;
    size_t len;

    assert_int_equal(fs_read(a, path, 1 << 20, &bytes, &len), 0);
    return arena_strndup(a, bytes, len);
}

static void exit_statuses(void **state)
{
    static const struct {
        const char *script;
        uint64_t state, status;
        const char *code, *answer, *transcript;
    } table[] = {
        {"", RECIPIENT_DELIVERED, 0, "2.1.5", "Sent", ""},
        {"exit 64", RECIPIENT_FAILED, 64, "5.5.4", "Command line usage error",
         "500 5.0.0 Command line usage error\n"},
        {"exit 67", RECIPIENT_FAILED, 67, "5.1.1", "User unknown",
         "550 5.1.1 u,u... User unknown\n"},
        {"echo no such; echo user >&2; exit 67", RECIPIENT_FAILED, 67, "5.1.1", "User unknown",
         "no such\nuser\n550 5.1.1 u,u... User unknown\n"},
        {"exit 71", RECIPIENT_WAITS, 71, "4.0.0", "Operating system error",
         "u,u... Deferred: Operating system error\n"},
        {"exit 75", RECIPIENT_WAITS, 75, "4.0.0", "prog mailer (/bin/sh) exited with EX_TEMPFAIL",
         "u,u... Deferred: prog mailer (/bin/sh) exited with EX_TEMPFAIL\n"},
        {"exit 78", RECIPIENT_FAILED, 78, "5.5.0", "Local configuration error",
         "554 5.3.5 Local configuration error\n"},
        {"exit 1", RECIPIENT_FAILED, 69, "5.0.0", "1", "554 5.3.0 unknown mailer error 1\n"},
        {"exit 255", RECIPIENT_FAILED, 69, "5.0.0", "255", "554 5.3.0 unknown mailer error 255\n"},
        {"kill -9 $$", RECIPIENT_WAITS, 75, "4.0.0",
         "prog mailer (/bin/sh) exited with EX_TEMPFAIL",
         "u,u... Deferred: prog mailer (/bin/sh) exited with EX_TEMPFAIL\n"},
        {"cat; exit 73", RECIPIENT_FAILED, 73, "5.3.0", "Can't create output",
         "From s  now\nA: b\n\nx\n550 5.0.0 u,u... Can't create output\n"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct outcome *o = run_shell(*state, table[i].script, "x");
        assert_string_equal(transcript.len ? transcript.data : "", table[i].transcript);
        for (int r = 0; r < 2; r++) {
            assert_int_equal(o[r].state, table[i].state);
            assert_int_equal(o[r].status, table[i].status);
            assert_string_equal(o[r].code.p, table[i].code);
            assert_string_equal(o[r].answer.p, table[i].answer);
        }
    }
}

static void a_program_has_what_the_plan_gives(void **state)
{
    run_shell(*state,
              "cat >/dev/null; echo `pwd` `env | grep -v ^PWD= | grep -v ^_= | grep -v ^SHLVL=`"
              " `umask` `ls /proc/self/fd | wc -l`; exit 69",
              "");

    /* ls has its three and the folder. */
    assert_string_equal(transcript.data,
                        "/tmp AGENT=sendmail 0022 4\n554 5.0.0 Service unavailable\n");
}

static void much_is_read_or_not(void **state)
{
    struct buf big;
    struct outcome *o;

    buf_init(&big, *state);
    for (int i = 0; i < 20000; i++)
        buf_adds(&big, "0123456789012345678\n");
    o = run_shell(*state, "exit 0", big.data);
    assert_int_equal(o->state, RECIPIENT_DELIVERED);
    run_shell(*state, "wc -c; exit 69", big.data);
    assert_string_equal(transcript.data, "400018\n554 5.0.0 Service unavailable\n");
    run_shell(*state, "cat; exit 69", big.data);
    assert_true(transcript.len >= AGENT_OUTPUT && transcript.len < AGENT_OUTPUT + 100);
    /* What it left running is not waited for. */
    o = run_shell(*state, "sleep 30 & exit 67", "");
    assert_int_equal(o->status, 67);
}

static void a_program_that_does_not_end_is_killed(void **state)
{
    struct plan p = plan(*state, PLAN_PROGRAM, 1);
    struct bytes argv[] = {bytes_of("sleep"), bytes_of("60")};

    p.path = bytes_of("/bin/sleep");
    p.argv = (struct texts){argv, 2};
    p.wait = 1;
    assert_int_equal(deliver(*state, &p, "", 0)->state, RECIPIENT_WAITS);
    p.path = bytes_of("/no/such/program");
    assert_int_equal(deliver(*state, &p, "", 0)->status, EX_OSERR);
    p.path = bytes_of("/bin/sleep");
    p.wait = 0;
    assert_int_equal(deliver(*state, &p, "text", 2)->state, RECIPIENT_WAITS);
}

static void lmtp_over_pipes(void **state)
{
    static const char script[] =
        "exec 2>/dev/null; echo 220 x; read a; echo 250 x; read a; echo 250 m; read a; echo 250 a;"
        "read a; echo 550 5.1.1 b; read a; echo 354 go; while read l; do case \"$l\" in .?) break;;"
        "esac; done; echo 250 ok; read a; echo 221 bye";
    struct plan p = plan(*state, PLAN_PROGRAM, 2);
    struct bytes argv[] = {bytes_of("sh"), bytes_of("-c"), bytes_of(script)};
    struct outcome *o;

    p.path = bytes_of("/bin/sh");
    p.flags = bytes_of("z");
    p.argv = (struct texts){argv, 3};
    o = deliver(*state, &p, ".\nx\n", 0);
    assert_int_equal(o[0].state, RECIPIENT_DELIVERED);
    assert_int_equal(o[1].state, RECIPIENT_FAILED);
    assert_string_equal(o[1].code.p, "5.1.1");
    argv[2] = bytes_of("echo 220 x; exit 0");
    o = deliver(*state, &p, "", 0);
    assert_int_equal(o[0].state, RECIPIENT_WAITS);
    p.path = bytes_of("/no/such/program");
    o = deliver(*state, &p, "", 0);
    assert_int_equal(o[1].state, RECIPIENT_WAITS);
}

static void files_are_appended_to(void **state)
{
    struct arena *a = *state;
    char *folder = temporary(a), *path = fs_join(a, folder, "box");
    struct plan p = plan(a, PLAN_FILE, 1);
    struct stat st;

    p.path = bytes_of(path);
    p.flags = bytes_of("E");
    assert_int_equal(deliver(a, &p, "From me\n.", 0)->state, RECIPIENT_DELIVERED);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(content(a, path), "From s  now\nA: b\n\n>From me\n.\n\n");
    assert_int_equal(fs_write_whole(path, "x", 1, 0600), 0);
    assert_int_equal(deliver(a, &p, "", 0)->state, RECIPIENT_DELIVERED);
    assert_string_equal(content(a, path), "x\nFrom s  now\nA: b\n\n\n");
    /* Half a message is none. */
    assert_int_equal(deliver(a, &p, "0123456789", 7)->state, RECIPIENT_WAITS);
    assert_string_equal(content(a, path), "x\nFrom s  now\nA: b\n\n\n");
    p.path = bytes_of("/dev/null");
    assert_int_equal(deliver(a, &p, "", 0)->state, RECIPIENT_DELIVERED);
    remove_folder(a, folder);
}

static void what_is_no_mailbox_is_left_alone(void **state)
{
    struct arena *a = *state;
    char *folder = temporary(a), *path = fs_join(a, folder, "box"),
         *other = fs_join(a, folder, "other");
    static const char *const prepare[] = {
        "mkdir box",
        "mkfifo box",
        "ln -s other box",
        "ln -s none box",
        "ln other box",
        "ln -s . box",
        "touch box; chmod 700 box",
        "ln -s /dev/zero box",
        "touch box; chmod 4755 box",
    };
    struct plan p = plan(a, PLAN_FILE, 1);

    p.path = bytes_of(path);
    for (size_t i = 0; i < sizeof prepare / sizeof *prepare; i++) {
        struct outcome *o;
        assert_int_equal(
            system(arena_printf(a, "cd %s; rm -rf box; echo x >other; %s", folder, prepare[i])), 0);
        o = deliver(a, &p, "text", 0);
        assert_int_equal(o->state, RECIPIENT_FAILED);
        assert_int_equal(o->status, EX_CANTCREAT);
        assert_string_equal(content(a, other), "x\n");
        assert_false(fs_exists(fs_join(a, folder, "none")));
    }
    p.path = bytes_of(fs_join(a, folder, "no/box"));
    assert_int_equal(deliver(a, &p, "", 0)->status, EX_CANTCREAT);
    p.path = bytes_of("relative");
    assert_int_equal(deliver(a, &p, "", 0)->status, EX_CANTCREAT);
    p.path = (struct bytes){"/dev/null\0x", 11};
    assert_int_equal(deliver(a, &p, "", 0)->status, EX_CANTCREAT);
    remove_folder(a, folder);
}

static void nobody_becomes_somebody_else(void **state)
{
    struct plan p = plan(*state, PLAN_FILE, 1);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        /* Root becomes nobody, and then is no more than anybody. */
        p.uid = p.gid = 65534;
        if (geteuid() == 0 && agent_become(*state, &p) != 0)
            _exit(1);
        p.uid = geteuid();
        p.gid = getegid();
        if (agent_become(*state, &p) != 0)
            _exit(2);
        p.uid = 0;
        if (agent_become(*state, &p) == 0 || geteuid() == 0)
            _exit(3);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(exit_statuses),
        UNIT(a_program_has_what_the_plan_gives),
        UNIT(much_is_read_or_not),
        UNIT(a_program_that_does_not_end_is_killed),
        UNIT(lmtp_over_pipes),
        UNIT(files_are_appended_to),
        UNIT(what_is_no_mailbox_is_left_alone),
        UNIT(nobody_becomes_somebody_else),
    };
    return cmocka_run_group_tests_name("mta_agent", tests, NULL, NULL);
}
