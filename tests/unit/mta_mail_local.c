/*
 * Local delivery, to whoever runs the test: mailbox files, Maildir, and LMTP on two streams.
 */
#include <glob.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "mta/mail_local/lmtp.h"
#include "tests/unit/unit.h"

static char *temporary(struct arena *a)
{
    char *path = arena_strdup(a, "/tmp/localXXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static void remove_folder(struct arena *a, const char *path)
{
    assert_int_equal(system(arena_printf(a, "rm -rf '%s'", path)), 0);
}

static const char *me(struct arena *a)
{
    const struct passwd *pw = getpwuid(geteuid());

    assert_non_null(pw);
    return arena_strdup(a, pw->pw_name);
}

/* Without the From_ line. */
static char *content(struct arena *a, const char *path, const char *from)
{
    char *bytes = NULL, *end;
    size_t len;

    assert_int_equal(fs_read(a, path, 1 << 20, &bytes, &len), 0);
    bytes = arena_strndup(a, bytes, len);
    assert_true(strncmp(bytes, from, strlen(from)) == 0);
    end = strchr(bytes, '\n');
    assert_non_null(end);
    return end + 1;
}

static int deliver(const struct local_settings *s, const char *user, const char *text)
{
    struct local_message m;
    const char *why;
    int status;

    assert_true(local_begin(&m, "s@x"));
    local_put(&m, text, strlen(text));
    assert_true(local_end(&m));
    status = local_deliver(s, &m, user, &why);
    local_close(&m);
    return status;
}

static void no_user(void **state)
{
    static const char *const names[] = {"", ".", "..", "../root", "root/x", "no such user"};
    struct local_settings s = {.spool = temporary(*state)};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(deliver(&s, names[i], "x"), EX_NOUSER);
    remove_folder(*state, s.spool);
}

static void a_mailbox_in_the_spool(void **state)
{
    struct arena *a = *state;
    struct local_settings s = {.spool = temporary(a)};
    const char *user = me(a), *path = fs_join(a, s.spool, user);
    struct stat st;

    assert_int_equal(deliver(&s, user, ""), EX_OK);
    assert_string_equal(content(a, path, "From s@x "), "\n");
    unlink(path);
    assert_int_equal(deliver(&s, user, "From old line\nA: b\n\nFrom x\nFrom y\n\nFrom z\n>From\nq"),
                     EX_OK);
    assert_string_equal(content(a, path, "From s@x "),
                        "A: b\n\n>From x\nFrom y\n\n>From z\n>From\nq\n\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(fs_exists(arena_printf(a, "%s.lock", path)));
    remove_folder(a, s.spool);
}

static void what_is_no_mailbox(void **state)
{
    static const char *const prepare[] = {"mkdir %s", "mkfifo %s", "ln -s other %s", "ln other %s",
                                          "touch %s; chmod 755 %s"};
    struct arena *a = *state;
    struct local_settings s = {.spool = temporary(a)};
    const char *user = me(a);
    struct stat st;

    for (size_t i = 0; i < sizeof prepare / sizeof *prepare; i++) {
        const char *script = prepare[i];
        struct buf b;
        buf_init(&b, a);
        buf_printf(&b, "cd %s && rm -rf %s && echo x >other && ", s.spool, user);
        for (const char *p = script; *p; p++) {
            if (p[0] == '%' && p[1] == 's')
                buf_adds(&b, user), p++;
            else
                buf_addc(&b, *p);
        }
        assert_int_equal(system(b.data), 0);
        assert_int_equal(deliver(&s, user, "x"), EX_CANTCREAT);
        assert_int_equal(stat(fs_join(a, s.spool, "other"), &st), 0);
        assert_int_equal(st.st_size, 2);
    }
    remove_folder(a, s.spool);
}

static void a_maildir(void **state)
{
    struct arena *a = *state;
    const char *folder = temporary(a);
    struct passwd *pw = getpwuid(geteuid());
    const char *up = "../../../../../../../..";
    struct local_settings s = {.spool = "/no/such/folder"};
    glob_t g;

    assert_non_null(pw);
    s.maildir = arena_printf(a, "%s%s/box", up, folder);
    assert_int_equal(deliver(&s, me(a), "A: b\n\nFrom x\n.\n"), EX_OK);
    assert_int_equal(glob(arena_printf(a, "%s/box/new/*", folder), 0, NULL, &g), 0);
    assert_int_equal(g.gl_pathc, 1);
    assert_string_equal(content(a, g.gl_pathv[0], "Return-Path: <s@x>"), "A: b\n\n>From x\n.\n");
    globfree(&g);
    assert_int_equal(glob(arena_printf(a, "%s/box/tmp/*", folder), 0, NULL, &g), GLOB_NOMATCH);
    remove_folder(a, folder);
}

static char *serve(struct arena *a, const struct local_settings *s, const char *input, int status)
{
    char *text = arena_strdup(a, input), *said = NULL, *copy;
    size_t len;
    FILE *in = fmemopen(text, strlen(text), "r"), *out = open_memstream(&said, &len);

    assert_int_equal(lmtp_serve(s, in, out, "h", true), status);
    fclose(in);
    fclose(out);
    copy = arena_strndup(a, said, len);
    free(said);
    return copy;
}

#define HELLO "220 h LMTP ready\r\n"

static void lmtp(void **state)
{
    struct arena *a = *state;
    struct local_settings s = {.spool = temporary(a)};
    const char *user = me(a), *path = fs_join(a, s.spool, user);
    char *in;

    assert_string_equal(serve(a, &s, "QUIT\r\n", EX_OK), HELLO "221 2.0.0 Bye\r\n");
    assert_string_equal(
        serve(a, &s, "LHLO x\r\nHELO x\r\nRCPT TO:<a>\r\nDATA\r\nMAIL x\r\nVRFY x\r\n", EX_OK),
        HELLO "250-h\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n"
              "500 5.5.2 Syntax error\r\n503 5.5.1 Need MAIL command\r\n"
              "503 5.5.1 No recipients\r\n501 5.5.4 Syntax error in parameters\r\n"
              "252 2.3.3 Try RCPT to attempt delivery\r\n");
    in = arena_printf(a,
                      "MAIL FROM:<s@x> SIZE=1\r\nRCPT TO:<%s+a@b>\r\nRCPT TO:<no such>\r\n"
                      "RCPT TO:<\"%s\"@b>\r\nDATA\r\nA: b\r\n\r\n..\r\n.x\ny\r\n.\r\nQUIT\r\n",
                      user, user);
    assert_string_equal(serve(a, &s, in, EX_OK),
                        HELLO "250 2.5.0 Ok\r\n250 2.1.5 Ok\r\n550 5.1.1 User unknown\r\n"
                              "250 2.1.5 Ok\r\n354 Go ahead\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n"
                              "221 2.0.0 Bye\r\n");
    assert_true(strncmp(content(a, path, "From s@x "), "A: b\n\n.\nx\ny\n\nFrom s@x ", 22) == 0);
    /* Half a message is none. */
    unlink(path);
    in = arena_printf(a, "MAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\nA: b\r\n", user);
    assert_string_equal(serve(a, &s, in, EX_TEMPFAIL),
                        HELLO "250 2.5.0 Ok\r\n250 2.1.5 Ok\r\n354 Go ahead\r\n");
    assert_false(fs_exists(path));
    remove_folder(a, s.spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(no_user), UNIT(a_mailbox_in_the_spool), UNIT(what_is_no_mailbox), UNIT(a_maildir),
        UNIT(lmtp),
    };
    return cmocka_run_group_tests_name("mta_mail_local", tests, NULL, NULL);
}
