#include "mta/mail_local/local.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "mta/parent/mailbox.h"

enum {
    LOCK_STALE = 300, /* seconds: whoever made it is gone */
    LOCK_TRIES = 60,  /* a second each */
    PIECE = 16 << 10
};

/* --- the message --------------------------------------------------------------------------- */

bool local_begin(struct local_message *m, const char *sender)
{
    char name[] = "/tmp/mail.local.XXXXXX", when[32];
    time_t now = time(NULL);
    struct tm tm;
    int fd = mkostemp(name, O_CLOEXEC), n;

    *m = (struct local_message){.empty = true, .begins = true};
    if (fd < 0)
        return false;
    unlink(name);
    m->spool = fdopen(fd, "w+");
    if (!m->spool) {
        close(fd);
        return false;
    }
    snprintf(m->sender, sizeof m->sender, "%s", sender);
    for (char *p = m->sender; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = '?';
    strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", localtime_r(&now, &tm));
    n = fprintf(m->spool, "From %s %s\n", *m->sender ? m->sender : "MAILER-DAEMON", when);
    m->from = n > 0 ? (size_t)n : 0;
    m->failed = n <= 0;
    return true;
}

static void put(struct local_message *m, const char *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, m->spool) != len)
        m->failed = true;
}

/* One line or a part of it. */
static void put_line(struct local_message *m, const char *bytes, size_t len)
{
    bool from = m->begins && len >= 5 && memcmp(bytes, "From ", 5) == 0;
    bool end = bytes[len - 1] == '\n';

    /* A From_ line that the message came with is the one it keeps: ours. */
    if (!(from && m->empty)) {
        if (from && m->blank)
            put(m, ">", 1);
        put(m, bytes, len);
    }
    m->blank = end && m->begins && len == 1;
    m->begins = end;
    m->empty = m->empty && from && !end;
}

void local_put(struct local_message *m, const char *bytes, size_t len)
{
    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) + 1 : len;
        put_line(m, bytes, n);
        bytes += n;
        len -= n;
    }
}

bool local_end(struct local_message *m)
{
    if (!m->begins)
        put(m, "\n", 1);
    return fflush(m->spool) == 0 && !m->failed;
}

void local_close(struct local_message *m)
{
    if (m->spool)
        fclose(m->spool);
    m->spool = NULL;
}

/* --- as the user --------------------------------------------------------------------------- */

struct spooled {
    int fd;
    off_t at;
    char bytes[PIECE];
};

static ssize_t read_spooled(void *ctx, const char **bytes)
{
    struct spooled *s = ctx;
    ssize_t n = pread(s->fd, s->bytes, sizeof s->bytes, s->at);

    if (n > 0)
        s->at += n;
    *bytes = s->bytes;
    return n;
}

static int to_file(const struct local_message *m, const char *path, uid_t owner, bool full_is_final)
{
    struct spooled spooled = {.fd = fileno(m->spool)};
    struct mailbox_reader reader = {read_spooled, &spooled};
    struct mailbox box;
    int status = mailbox_open(&box, path, 0);

    if (status == EX_OK && S_ISREG(box.st.st_mode) && box.st.st_uid != owner)
        status = EX_CANTCREAT;
    if (status == EX_OK)
        status = mailbox_append(&box, &reader);
    if (status == EX_TEMPFAIL && full_is_final && (box.error == EDQUOT || box.error == ENOSPC))
        status = EX_UNAVAILABLE;
    mailbox_close(&box);
    return status;
}

static int write_maildir(const struct local_message *m, int fd)
{
    struct spooled spooled = {.fd = fileno(m->spool), .at = (off_t)m->from};
    const char *bytes;
    ssize_t n;

    if (dprintf(fd, "Return-Path: <%s>\n", m->sender) < 0)
        return -1;
    while ((n = read_spooled(&spooled, &bytes)) > 0)
        for (ssize_t at = 0, w; at < n; at += w)
            if ((w = write(fd, bytes + at, (size_t)(n - at))) <= 0)
                return -1;
    return n < 0 ? -1 : fsync(fd);
}

/* Relative to the folder, which is the working one: written in tmp, moved to new when whole. */
static int to_maildir(const struct local_message *m, bool full_is_final)
{
    static const char *const folders[] = {"tmp", "new", "cur"};
    char host[HOST_NAME_MAX + 1] = "", tmp[PATH_MAX], new[PATH_MAX];
    struct timespec now;
    int fd, error;

    gethostname(host, sizeof host - 1);
    for (char *p = host; *p; p++)
        if (*p == '/' || *p == ':')
            *p = '_';
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(tmp, sizeof tmp, "tmp/%lld.M%ldP%d.%s", (long long)now.tv_sec, now.tv_nsec / 1000,
             (int)getpid(), host);
    snprintf(new, sizeof new, "new/%s", tmp + 4);
    for (size_t i = 0; i < 3; i++)
        if (mkdir(folders[i], 0700) && errno != EEXIST)
            return EX_CANTCREAT;
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EACCES || errno == ENOTDIR ? EX_CANTCREAT : EX_TEMPFAIL;
    error = write_maildir(m, fd) ? errno : 0;
    if (close(fd) && !error)
        error = errno;
    if (!error && rename(tmp, new))
        error = errno;
    if (error) {
        unlink(tmp);
        return full_is_final && (error == EDQUOT || error == ENOSPC) ? EX_UNAVAILABLE : EX_TEMPFAIL;
    }
    return fs_sync_folder(new) ? EX_TEMPFAIL : EX_OK;
}

static int deliver_as_user(const struct local_settings *s, const struct local_message *m,
                           const struct passwd *pw)
{
    char path[PATH_MAX];
    const char *folder = s->maildir || s->file ? pw->pw_dir : s->spool;
    const char *name = s->maildir ? s->maildir : s->file ? s->file : pw->pw_name;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return EX_CANTCREAT;
    umask(077);
    if (!s->maildir)
        return to_file(m, path, pw->pw_uid, s->full_is_final);
    if (chdir(pw->pw_dir))
        return EX_TEMPFAIL; /* a home that is not mounted */
    if ((mkdir(path, 0700) && errno != EEXIST) || chdir(path))
        return EX_CANTCREAT;
    return to_maildir(m, s->full_is_final);
}

static bool become(const struct passwd *pw)
{
    if (geteuid() != 0)
        return geteuid() == pw->pw_uid;
    return initgroups(pw->pw_name, pw->pw_gid) == 0 &&
           setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == 0 &&
           setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == 0 &&
           (pw->pw_uid == 0 || setuid(0) != 0);
}

static int in_process(const struct local_settings *s, const struct local_message *m,
                      const struct passwd *pw)
{
    pid_t pid = fork();
    int status;

    if (pid < 0)
        return EX_TEMPFAIL;
    if (pid == 0)
        _exit(become(pw) ? deliver_as_user(s, m, pw) : EX_NOPERM);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EX_TEMPFAIL;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

/* --- the spool ----------------------------------------------------------------------------- */

/* A lock file for those that know no other; false: another's stays.  *made: it is ours. */
static bool lock(const char *path, bool *made)
{
    struct stat st;

    *made = false;
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (fd >= 0) {
            *made = true;
            return dprintf(fd, "%d\n", (int)getpid()) > 0 && close(fd) == 0;
        }
        if (errno != EEXIST) /* where none can be made, others make none */
            return errno == EACCES || errno == EPERM || errno == EROFS;
        if (lstat(path, &st) == 0 && time(NULL) - st.st_mtime > LOCK_STALE)
            unlink(path);
        else
            sleep(1);
    }
    return false;
}

/* The user cannot make a file in the spool: root does. */
static void make_mailbox(const char *path, const struct passwd *pw)
{
    int fd;

    if (geteuid() != 0)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && fchown(fd, pw->pw_uid, pw->pw_gid))
        unlink(path);
    if (fd >= 0)
        fs_sync_folder(path);
    fs_close(&fd);
}

static int to_spool(const struct local_settings *s, const struct local_message *m,
                    const struct passwd *pw)
{
    char path[PATH_MAX], lock_path[PATH_MAX + 5];
    bool made;
    int status = EX_TEMPFAIL;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", s->spool, pw->pw_name) >= sizeof path)
        return EX_CANTCREAT;
    snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    if (lock(lock_path, &made)) {
        make_mailbox(path, pw);
        status = in_process(s, m, pw);
    }
    if (made)
        unlink(lock_path);
    return status;
}

/* --- the interface ------------------------------------------------------------------------- */

static const struct passwd *find(const char *name, int *status)
{
    const struct passwd *pw;

    *status = EX_NOUSER;
    /* It becomes the name of a file. */
    if (!*name || *name == '.' || strchr(name, '/'))
        return NULL;
    errno = 0;
    pw = getpwnam(name);
    if (!pw && errno && errno != ENOENT && errno != ESRCH)
        *status = EX_TEMPFAIL;
    else if (pw)
        *status = EX_OK;
    return pw;
}

int local_user(const char *name)
{
    int status;

    find(name, &status);
    return status;
}

int local_deliver(const struct local_settings *s, const struct local_message *m, const char *name,
                  const char **why)
{
    int status;
    const struct passwd *pw = find(name, &status);

    if (pw)
        status = s->maildir || s->file ? in_process(s, m, pw) : to_spool(s, m, pw);
    *why = status == EX_OK            ? "Ok"
           : status == EX_NOUSER      ? "User unknown"
           : status == EX_CANTCREAT   ? "no mailbox of this user"
           : status == EX_NOPERM      ? "not permitted"
           : status == EX_UNAVAILABLE ? "mailbox full"
                                      : "mailbox cannot be written now";
    return status;
}
