/*
 * What the roles gave up: a child enters the sandbox and tries.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mta/parent/sandbox.h"
#include "tests/unit/folder.h"

/* What a child's try came to. */
enum { ALLOWED = 0, REFUSED = 1, NOT_ENTERED = 2, KILLED = -SIGSYS };
enum { SOME_USER = 12345 };

typedef bool try(void);

static int outcome_of(enum role r, try *what)
{
    const struct sandbox s = {.uid = geteuid() ? 0 : SOME_USER,
                              .gid = geteuid() ? 0 : SOME_USER,
                              .user = "",
                              .queue = "queue"};
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (sandbox_enter(&s, r) != NULL)
            _exit(NOT_ENTERED);
        _exit(what() ? ALLOWED : REFUSED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --- tries ---------------------------------------------------------------------------------- */

static bool opened(const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool read_file(void)
{
    return opened("/etc/passwd", O_RDONLY) || opened("known", O_RDONLY) || opened("/", O_RDONLY);
}

static bool read_private(void)
{
    return opened("private/known", O_RDONLY);
}

static bool write_here(void)
{
    return opened("new", O_WRONLY | O_CREAT);
}

static bool write_known(void)
{
    return opened("open", O_WRONLY);
}

static bool write_outside(void)
{
    return opened("../open", O_WRONLY);
}

static bool run_program(void)
{
    char *const argv[] = {"/bin/true", NULL};

    execv(argv[0], argv);
    return false;
}

static bool forks(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool traces(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool unknown_call(void)
{
    return syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0 || errno != ENOSYS;
}

static bool kills_parent(void)
{
    return kill(getppid(), 0) == 0;
}

static bool makes_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}

static bool unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_RAW) >= 0;
}

static bool is_root(void)
{
    return getuid() == 0 || geteuid() == 0 || setuid(0) == 0;
}

static void *idle(void *ctx)
{
    return ctx;
}

static bool threads(void)
{
    pthread_t t;

    return pthread_create(&t, NULL, idle, NULL) == 0 && pthread_join(t, NULL) == 0;
}

/* What the front's loop does all day. */
static bool works(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN};
    void *much = malloc(4 << 20);
    bool good = fd >= 0 && client >= 0 && poll >= 0 && much != NULL;

    free(much);
    good = good && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 5) == 0 &&
           getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
           connect(client, (struct sockaddr *)&sa, len) == 0 &&
           epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e) == 0 && epoll_wait(poll, &e, 1, 1000) == 1;
    int came = good ? accept4(fd, NULL, NULL, SOCK_NONBLOCK) : -1;
    char byte = 'x';
    return came >= 0 && send(client, &byte, 1, MSG_NOSIGNAL) == 1 &&
           recv(came, &byte, 1, 0) >= -1 && shutdown(fd, SHUT_RDWR) == 0 && listen(fd, 5) == 0;
}

/* --- roles ---------------------------------------------------------------------------------- */

static void write_file(const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT, mode);

    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int enter(void **state)
{
    int failed = folder_enter(state);

    write_file("known", 0644);
    write_file("open", 0666);
    if (failed || mkdir("queue", 0700) || mkdir("private", 0700))
        return 1;
    write_file("private/known", 0600);
    return geteuid() == 0 ? chown("queue", SOME_USER, SOME_USER) || chmod(".", 0755) : 0;
}

static int leave(void **state)
{
    static const char *const all[] = {"known",   "open",      "private/known",
                                      "private", "queue/new", "queue"};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        remove(all[i]);
    return folder_leave(state);
}

static void the_front_speaks_and_does_nothing_else(void **state)
{
    static const struct {
        try *what;
        int outcome;
    } tries[] = {{works, ALLOWED},       {read_file, REFUSED},   {write_here, REFUSED},
                 {run_program, KILLED},  {forks, KILLED},        {traces, KILLED},
                 {unknown_call, KILLED}, {kills_parent, KILLED}, {makes_code, KILLED},
                 {unix_socket, KILLED},  {raw_socket, KILLED}};

    (void)state;
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        int got = outcome_of(ROLE_FRONT, tries[i].what);
        if (got != tries[i].outcome)
            fail_msg("try %zu: %d, not %d", i, got, tries[i].outcome);
    }
}

static void policy_reads_all_and_writes_nothing(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(ROLE_POLICY, read_file), ALLOWED);
    assert_int_equal(outcome_of(ROLE_POLICY, read_private), ALLOWED);
    assert_int_equal(outcome_of(ROLE_POLICY, write_here), REFUSED);
    assert_int_equal(outcome_of(ROLE_POLICY, write_known), REFUSED);
    assert_int_equal(outcome_of(ROLE_POLICY, threads), ALLOWED);
    assert_int_equal(outcome_of(ROLE_POLICY, forks), ALLOWED); /* program maps */
    assert_int_equal(outcome_of(ROLE_POLICY, traces), KILLED);
    assert_int_equal(outcome_of(ROLE_POLICY, unknown_call), KILLED);
    assert_int_equal(outcome_of(ROLE_POLICY, kills_parent), REFUSED);
}

static void the_store_has_its_folder_alone(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(ROLE_STORE, write_here), ALLOWED);
    assert_int_equal(outcome_of(ROLE_STORE, read_file), REFUSED);
    assert_int_equal(outcome_of(ROLE_STORE, write_outside), REFUSED);
    assert_int_equal(outcome_of(ROLE_STORE, run_program), KILLED);
    assert_int_equal(outcome_of(ROLE_STORE, forks), KILLED);
    assert_int_equal(outcome_of(ROLE_STORE, traces), KILLED);
    assert_int_equal(outcome_of(ROLE_STORE, kills_parent), REFUSED);
}

static void nobody_is_root(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return;
    assert_int_equal(outcome_of(ROLE_POLICY, is_root), REFUSED);
    assert_int_equal(outcome_of(ROLE_STORE, is_root), REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_front_speaks_and_does_nothing_else, enter, leave),
        cmocka_unit_test_setup_teardown(policy_reads_all_and_writes_nothing, enter, leave),
        cmocka_unit_test_setup_teardown(the_store_has_its_folder_alone, enter, leave),
        cmocka_unit_test_setup_teardown(nobody_is_root, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
