#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/fs.h"

/* Every test runs in an empty folder of its own, which must hold no temporary file afterwards. */
static char home[] = "/tmp/mcf-unit-XXXXXX";

static int enter(void **state)
{
    strcpy(home, "/tmp/mcf-unit-XXXXXX");
    if (!mkdtemp(home) || chdir(home) != 0)
        return -1;
    umask(022);
    return unit_arena(state);
}

static int leave(void **state)
{
    DIR *d = opendir(".");
    int left = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (e->d_name[0] == '.')
            left++;
        if (unlink(e->d_name) != 0)
            rmdir(e->d_name);
    }
    if (d)
        closedir(d);
    if (chdir("/") != 0 || rmdir(home) != 0)
        return -1;
    unit_arena_gone(state);
    return left ? -1 : 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void assert_holds(struct arena *a, const char *path, const char *want)
{
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(fs_read(a, path, 0, &bytes, &len), 0);
    assert_int_equal(len, strlen(want));
    assert_string_equal(bytes, want);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void reading_says_why_not(void **state)
{
    char *bytes;
    size_t len;
    assert_int_equal(fs_read(*state, "", 0, &bytes, &len), ENOENT);
    assert_int_equal(fs_read(*state, "absent", 0, &bytes, &len), ENOENT);
    assert_int_equal(fs_read(*state, ".", 0, &bytes, &len), EISDIR);
    put("empty", "", 0644);
    assert_holds(*state, "empty", "");
}

static void reading_has_a_limit(void **state)
{
    char *bytes;
    size_t len;
    put("five", "12345", 0644);
    assert_int_equal(fs_read(*state, "five", 4, &bytes, &len), EFBIG);
    assert_int_equal(fs_read(*state, "five", 5, &bytes, &len), 0);
    assert_int_equal(len, 5);
    assert_int_equal(fs_read(*state, "/dev/zero", 100000, &bytes, &len), EFBIG);
}

static void reads_a_pipe(void **state)
{
    int p[2];
    char *bytes;
    size_t len;
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], "a\0b", 3), 3);
    close(p[1]);
    assert_int_equal(fs_read(*state, arena_printf(*state, "/dev/fd/%d", p[0]), 0, &bytes, &len), 0);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "a\0b", 4);
    close(p[0]);
}

static void writes_a_new_file(void **state)
{
    assert_int_equal(fs_write_whole("new", NULL, 0, 0644), 0);
    assert_holds(*state, "new", "");
    assert_int_equal(mode_of("new"), 0644);
    assert_int_equal(fs_write_whole("secret", "x", 1, 0600), 0);
    assert_int_equal(mode_of("secret"), 0600);
    assert_int_equal(fs_write_whole("open", "x", 1, 0666), 0);
    assert_int_equal(mode_of("open"), 0644); /* the umask counts */
    assert_int_equal(fs_write_whole(arena_printf(*state, "%s/abs", home), "x", 1, 0644), 0);
    assert_holds(*state, "abs", "x");
}

static void replaces_an_old_file(void **state)
{
    put("old", "old text", 0640);
    struct stat before, after;
    stat("old", &before);
    assert_int_equal(fs_write_whole("old", "new", 3, 0666), 0);
    stat("old", &after);
    assert_holds(*state, "old", "new");
    assert_int_equal(mode_of("old"), 0640);
    assert_int_not_equal(before.st_ino, after.st_ino); /* a new file under the old name */
    put("old", "old text", 0444);                      /* no permission to write it is needed */
    assert_int_equal(fs_write_whole("old", "new", 3, 0666), 0);
    assert_int_equal(mode_of("old"), 0444);
}

static void keeps_the_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    put("theirs", "old", 04755);
    assert_int_equal(chown("theirs", 12345, 23456), 0);
    assert_int_equal(chmod("theirs", 04755), 0);
    assert_int_equal(fs_write_whole("theirs", "new", 3, 0600), 0);
    struct stat st;
    stat("theirs", &st);
    assert_int_equal(st.st_uid, 12345);
    assert_int_equal(st.st_gid, 23456);
    assert_int_equal(mode_of("theirs"), 04755);
}

static void follows_links(void **state)
{
    put("target", "old", 0600);
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(symlink("link", "link2"), 0);
    assert_int_equal(fs_write_whole("link2", "new", 3, 0644), 0);
    assert_holds(*state, "target", "new");
    assert_int_equal(mode_of("target"), 0600);
    struct stat st;
    assert_int_equal(lstat("link2", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    /* A link to what is not there makes it. */
    assert_int_equal(symlink("later", "dangling"), 0);
    assert_int_equal(fs_write_whole("dangling", "x", 1, 0644), 0);
    assert_holds(*state, "later", "x");
    /* A relative link counts from its own folder. */
    assert_int_equal(mkdir("dir", 0755), 0);
    assert_int_equal(symlink("../target", "dir/up"), 0);
    assert_int_equal(fs_write_whole("dir/up", "up", 2, 0644), 0);
    assert_holds(*state, "target", "up");
    unlink("dir/up");
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(fs_write_whole("loop", "x", 1, 0644), ELOOP);
}

static void never_replaces_a_device_or_a_pipe(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    int fd = open("fifo", O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_whole("fifo", "abc", 3, 0644), 0);
    char got[4] = "";
    assert_int_equal(read(fd, got, 3), 3);
    assert_string_equal(got, "abc");
    close(fd);
    assert_int_equal(lstat("fifo", &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(symlink("/dev/null", "null"), 0);
    assert_int_equal(fs_write_whole("null", "abc", 3, 0644), 0);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(symlink("/dev/full", "full"), 0);
    assert_int_equal(fs_write_whole("full", "abc", 3, 0644), ENOSPC);
}

static void a_failure_leaves_everything_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(fs_write_whole("", "x", 1, 0644), ENOENT);
    assert_int_equal(fs_write_whole("no/such/dir", "x", 1, 0644), ENOENT);
    assert_int_equal(fs_write_whole(".", "x", 1, 0644), EISDIR);
    put("file", "old", 0644);
    assert_int_equal(fs_write_whole("file/x", "x", 1, 0644), ENOTDIR);
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(fs_write_whole(name, "x", 1, 0644), ENAMETOOLONG);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    put("file", "old", 0644);
    struct rlimit was, small = {1000, 1000};
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    char *much = arena_alloc(*state, 5000);
    memset(much, 'm', 5000);
    int err = fs_write_whole("file", much, 5000, 0644);
    setrlimit(RLIMIT_FSIZE, &was);
    signal(SIGXFSZ, old);
    assert_int_equal(err, EFBIG);
    assert_holds(*state, "file", "old"); /* leave() looks for the temporary file */
}

static void backs_up(void **state)
{
    struct arena *a = *state;
    assert_int_equal(fs_backup("absent", ".bak"), ENOENT);
    assert_false(fs_exists("absent.bak"));
    assert_int_equal(fs_backup(".", "x"), EISDIR);
    put("file", "one", 0600);
    put("file.bak", "older", 0644);
    assert_int_equal(fs_backup("file", ".bak"), 0);
    assert_holds(a, "file", "one");
    assert_holds(a, "file.bak", "one");
    assert_int_equal(mode_of("file.bak"), 0600); /* as secret as the original */
    size_t n = 100000;
    char *much = arena_alloc(a, n + 1);
    memset(much, 'm', n);
    put("file", much, 0644);
    assert_int_equal(fs_backup("file", ".bak"), 0);
    assert_holds(a, "file.bak", much);
    put("empty", "", 0644);
    assert_int_equal(fs_backup("empty", "~"), 0);
    assert_holds(a, "empty~", "");
}

static void existence(void **state)
{
    (void)state;
    assert_false(fs_exists(""));
    assert_false(fs_exists("absent"));
    assert_true(fs_exists("."));
    assert_int_equal(symlink("absent", "dangling"), 0);
    assert_false(fs_exists("dangling"));
}

static void below_is_where_links_lead(void **state)
{
    struct arena *a = *state;
    char *bytes;
    size_t len;
    assert_int_equal(mkdir("in", 0755), 0);
    assert_int_equal(mkdir("inside", 0755), 0);
    put("in/file", "in", 0644);
    put("inside/file", "out", 0644);
    put("file", "out", 0644);
    assert_int_equal(symlink("../inside/file", "in/out"), 0);
    assert_int_equal(symlink("in/file", "link"), 0);
    assert_int_equal(symlink("in", "folder"), 0);
    assert_int_equal(symlink("absent", "in/dangling"), 0);
    static const struct {
        const char *folder, *path;
        int err;
    } cases[] = {
        {"in", "in/file", 0},          {"in", "in/../in/file", 0},    {"in", "link", 0},
        {"folder", "in/file", 0},      {"in", "folder/file", 0},      {"in/", "in/file", 0},
        {".", "in/file", 0},           {"in/..", "in/file", 0},       {"in", "in/out", EXDEV},
        {"in", "inside/file", EXDEV},  {"in", "in/../file", EXDEV},   {"in", "/dev/null", EXDEV},
        {"in", "in/absent", ENOENT},   {"in", "in/dangling", ENOENT}, {"in", "", ENOENT},
        {"absent", "in/file", ENOENT}, {"", "in/file", ENOENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int err = fs_read_below(a, cases[i].folder, cases[i].path, 0, &bytes, &len);
        if (err != cases[i].err)
            fail_msg("%s below %s: %s", cases[i].path, cases[i].folder, strerror(err));
        if (!err)
            assert_string_equal(bytes, "in");
        assert_int_equal(fs_is_below(cases[i].path, cases[i].folder), !cases[i].err);
    }
    assert_true(fs_is_below("/", "/"));
    assert_true(fs_is_below("in", "in"));
    assert_int_equal(fs_read_below(a, "/", "/dev/null", 0, &bytes, &len), 0);
    assert_int_equal(fs_read_below(a, "in", "in/file", 1, &bytes, &len), EFBIG);
    assert_int_equal(fs_read_below(a, "in", "in", 0, &bytes, &len), EISDIR);
    static const char *const made[] = {"in/file", "in/out", "in/dangling", "inside/file"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        assert_int_equal(unlink(made[i]), 0);
}

static void paths(void **state)
{
    struct arena *a = *state;
    static const struct {
        const char *path, *dir, *base;
    } split[] = {
        {"", ".", ""},       {"/", "/", ""},          {"//", "/", ""},    {"a", ".", "a"},
        {"/a", "/", "a"},    {"a/b", "a", "b"},       {"a//b", "a", "b"}, {"/a/b.mc", "/a", "b.mc"},
        {"a/b/", "a/b", ""}, {"../x/y", "../x", "y"}, {"./a", ".", "a"},
    };
    for (size_t i = 0; i < sizeof split / sizeof *split; i++) {
        assert_string_equal(fs_dirname(a, split[i].path), split[i].dir);
        assert_string_equal(fs_basename(split[i].path), split[i].base);
    }
    static const struct {
        const char *dir, *name, *want;
    } join[] = {
        {"", "", ""},       {"", "a", "a"},   {".", "a", "a"},   {"d", "a", "d/a"},
        {"d/", "a", "d/a"}, {"/", "a", "/a"}, {"d", "/a", "/a"}, {"..", "a", "../a"},
    };
    for (size_t i = 0; i < sizeof join / sizeof *join; i++)
        assert_string_equal(fs_join(a, join[i].dir, join[i].name), join[i].want);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(reading_says_why_not),
        HERE(reading_has_a_limit),
        HERE(reads_a_pipe),
        HERE(writes_a_new_file),
        HERE(replaces_an_old_file),
        HERE(keeps_the_owner),
        HERE(follows_links),
        HERE(never_replaces_a_device_or_a_pipe),
        HERE(a_failure_leaves_everything_as_it_was),
        HERE(a_full_disk_leaves_the_old_file),
        HERE(backs_up),
        HERE(existence),
        HERE(below_is_where_links_lead),
        HERE(paths),
    };
    return cmocka_run_group_tests_name("base_fs", tests, NULL, NULL);
}
