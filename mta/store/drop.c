#include "mta/store/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "mta/codec.h"
#include "mta/message/head.h"

enum {
    MODE = 03733,
    FILE_MODE = 0640,
    PIECE = 64 << 10,
    NAME_BYTES = 16,
    TRIES = 8,
    HEADER_BYTES = 24, /* the mark, and two lengths */
    ENVELOPE_BYTES_MAX = 48 << 20,
    STALE = 24 * 60 * 60 /* seconds */
};

static const char begin_mark[] = "mcfdrop1", end_mark[] = "1pordfcm";
enum { MARK_BYTES = sizeof begin_mark - 1 };

const char *drop_folder(struct arena *a, const char *queue)
{
    size_t n = strlen(queue);

    while (n > 1 && queue[n - 1] == '/')
        n--;
    return arena_printf(a, "%.*s.drop", (int)n, queue);
}

const char *drop_wrong(struct arena *a, const char *folder, uid_t uid, gid_t gid,
                       const char **command)
{
    struct stat st;

    *command = arena_printf(a, "install -d -m %o -o %lu -g %lu %s", (unsigned)MODE,
                            (unsigned long)uid, (unsigned long)gid, folder);
    if (lstat(folder, &st) != 0)
        return arena_printf(a, "%s: %s", folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return arena_printf(a, "%s is no directory", folder);
    if (st.st_uid != uid || st.st_gid != gid)
        return arena_printf(a, "%s belongs to somebody else", folder);
    if ((st.st_mode & ~(mode_t)S_IFMT) != MODE)
        return arena_printf(a, "%s has not the mode %o", folder, (unsigned)MODE);
    return NULL;
}

bool drop_make(struct arena *a, const char *folder, uid_t uid, gid_t gid)
{
    const char *command;
    const uid_t owner = uid ? uid : geteuid();
    const gid_t group = uid ? gid : getegid();

    if (!drop_wrong(a, folder, owner, group, &command))
        return true;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return false;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* The owner first: that takes bits of the mode away. */
    bool made = fd >= 0 && fchown(fd, owner, group) == 0 && fchmod(fd, MODE) == 0;
    fs_close(&fd);
    return made;
}

/* --- a message is left there ---------------------------------------------------------------- */

static bool write_all(int fd, const char *s, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, s, len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            s += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static bool write_body(int fd, struct queue *q, const struct arena *a, const struct stored *m)
{
    struct arena *own = arena_beside(a);
    uint64_t at = 0;
    bool good = true;

    while (good && at < m->body_size) {
        struct buf b;
        arena_reset(own);
        buf_init(&b, own);
        good = queue_body_read(q, m->body, at, PIECE, &b) == 0 && b.len > 0 &&
               write_all(fd, b.data, b.len);
        at += b.len;
    }
    arena_free(own);
    return good;
}

/* A new file; its name is that of nobody else. */
static int create(int folder, char name[2 * NAME_BYTES + 1])
{
    unsigned char random[NAME_BYTES];

    for (int i = 0; i < TRIES; i++) {
        if (getrandom(random, sizeof random, 0) != sizeof random)
            return -1;
        for (size_t k = 0; k < NAME_BYTES; k++)
            snprintf(name + 2 * k, 3, "%02x", random[k]);
        /* Whoever takes it has the folder's group, and may look at any moment. */
        const mode_t before = umask(0);
        int fd =
            openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
        umask(before);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

int drop_put(struct queue *q, struct arena *a, const char *folder, const struct stored *m)
{
    char name[2 * NAME_BYTES + 1];
    struct buf envelope, head;
    int dir = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = dir < 0 ? -1 : create(dir, name);

    buf_init(&envelope, a);
    buf_init(&head, a);
    envelope_encode(&m->envelope, &envelope);
    buf_add(&head, begin_mark, MARK_BYTES);
    put_NUMBER(&head, envelope.len);
    put_NUMBER(&head, m->body_size);
    bool good = fd >= 0 && write_all(fd, head.data, head.len) &&
                write_all(fd, envelope.data, envelope.len) && write_body(fd, q, a, m) &&
                write_all(fd, end_mark, MARK_BYTES) && fsync(fd) == 0;
    int err = errno;
    struct stat st;
    if (good && (fstat(fd, &st) != 0 || st.st_nlink != 1)) { /* somebody has removed it */
        good = false;
        err = EIO;
    }
    if (!good && fd >= 0)
        unlinkat(dir, name, 0);
    fs_close(&fd);
    fs_close(&dir);
    errno = err;
    return good ? 0 : err == ENOENT || err == EACCES || err == EPERM ? EX_CANTCREAT : EX_TEMPFAIL;
}

/* --- messages are taken from there ----------------------------------------------------------- */

/* What may be said of one's own message. */
static const char *const macros[] = {"r",         "s",           "_",           "a",
                                     "i",         "t",           "mail_from",   "mail_addr",
                                     "mail_host", "mail_mailer", "dsn_ret",     "dsn_envid",
                                     "msg_id",    "msg_size",    "deliveryMode"};

static bool is_believed(struct bytes name)
{
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++) {
        if (name.len == strlen(macros[i]) && memcmp(name.p, macros[i], name.len) == 0)
            return true;
    }
    return false;
}

static struct texts believed_macros(struct arena *a, struct texts all)
{
    struct bytes *v = arena_calloc(a, all.n + 1, sizeof *v);
    size_t n = 0;

    for (size_t i = 0; i + 1 < all.n; i += 2) {
        if (is_believed(all.v[i])) {
            v[n++] = all.v[i];
            v[n++] = all.v[i + 1];
        }
    }
    return (struct texts){v, n};
}

static struct recipient believed_recipient(const struct recipient *r)
{
    const uint64_t told =
        NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY | NOTIFY_NEVER | NOTIFY_SAID | NOTIFY_ONE_OF;

    return (struct recipient){.address = r->address,
                              .original = r->original,
                              .final = r->final,
                              .shown = r->shown,
                              .notify = r->notify & told,
                              .flags = r->flags & RECIPIENT_IS_FINAL,
                              .state = RECIPIENT_WAITS,
                              .status = r->status,
                              .answer = r->answer};
}

/* Those alone that wait. */
static struct envelope believed(struct arena *a, const struct envelope *e, uint64_t now)
{
    const uint64_t flags = ENVELOPE_8BIT | ENVELOPE_7BIT | ENVELOPE_HAS_8BIT | ENVELOPE_RET_FULL |
                           ENVELOPE_RET_HDRS | ENVELOPE_REPORT | ENVELOPE_BY_RETURN |
                           ENVELOPE_BY_TRACE | ENVELOPE_CR_LF | ENVELOPE_COLLECTED |
                           ENVELOPE_SUBMITTED;
    struct envelope to = {.id = e->id,
                          .sender = e->sender,
                          .made = now,
                          .size = e->size,
                          .flags = e->flags & flags,
                          .hops = e->hops,
                          .priority = e->priority,
                          .envid = e->envid,
                          .deliver_by = e->deliver_by,
                          .errors_to = e->errors_to,
                          .relay = e->relay,
                          .macros = believed_macros(a, e->macros),
                          .header = e->header,
                          .tries = e->tries > 0,
                          .tried = e->tries > 0 ? now : 0};

    to.recipients = arena_calloc(a, e->nrecipients + 1, sizeof *to.recipients);
    for (size_t i = 0; i < e->nrecipients; i++) {
        if (e->recipients[i].state == RECIPIENT_WAITS)
            to.recipients[to.nrecipients++] = believed_recipient(&e->recipients[i]);
    }
    return to;
}

enum found { FOUND_MESSAGE, FOUND_NOTHING, FOUND_BEGUN };

static bool read_all(int fd, char *to, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, to, len);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        if (n > 0) {
            to += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Into a body of q. */
static bool read_body(int fd, struct queue *q, const struct arena *a, uint64_t body, uint64_t size)
{
    struct arena *own = arena_beside(a);
    char *piece = arena_alloc(own, PIECE);
    bool good = true;

    while (good && size > 0) {
        size_t n = size < PIECE ? (size_t)size : PIECE;
        good = read_all(fd, piece, n) && queue_has_room(q, n) &&
               queue_body_add(q, body, (struct bytes){piece, n}) == 0;
        size -= n;
    }
    arena_free(own);
    return good;
}

/* What has been there for a day will not be a message any more. */
static enum found unless_stale(const struct stat *st, uint64_t now)
{
    return (uint64_t)st->st_mtime + STALE < now ? FOUND_NOTHING : FOUND_BEGUN;
}

/* Whether it is whole, and then where what is in it ends.  What cannot be read now is looked at
 * again. */
static enum found look_at(int fd, const struct stat *st, uint64_t now, uint64_t *envelope,
                          uint64_t *body)
{
    char head[HEADER_BYTES], end[MARK_BYTES];
    struct reader r = {.p = head + MARK_BYTES, .end = head + HEADER_BYTES};
    const enum found unless = unless_stale(st, now);
    const uint64_t size = (uint64_t)st->st_size;

    if (!S_ISREG(st->st_mode) || st->st_nlink != 1)
        return FOUND_NOTHING;
    if (size < HEADER_BYTES || !read_all(fd, head, sizeof head))
        return unless;
    if (memcmp(head, begin_mark, MARK_BYTES) != 0)
        return FOUND_NOTHING;
    *envelope = take_NUMBER(&r);
    *body = take_NUMBER(&r);
    if (*envelope > ENVELOPE_BYTES_MAX || *body > INT64_MAX / 2)
        return FOUND_NOTHING;
    const uint64_t whole = HEADER_BYTES + *envelope + *body + MARK_BYTES;
    if (size != whole)
        return size < whole ? unless : FOUND_NOTHING;
    if (pread(fd, end, sizeof end, (off_t)(whole - MARK_BYTES)) != sizeof end)
        return unless;
    return memcmp(end, end_mark, MARK_BYTES) == 0 ? FOUND_MESSAGE : unless;
}

struct taking {
    struct queue *q;
    struct arena *arena; /* of one file */
    uint64_t now;
};

/* Whether the envelope has the form that this program writes. */
static bool is_of_now(const char *bytes, size_t len)
{
    struct reader r = {.p = bytes, .end = bytes + len};

    return take_NUMBER(&r) == ENVELOPE_VERSION;
}

/* FOUND_BEGUN: it is looked at again, and then there may be room for it.  An envelope that cannot
 * be read may be another release's. */
static enum found take_file(struct taking *t, int fd, struct envelope *e)
{
    uint64_t length, size, body;
    struct envelope said;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return FOUND_BEGUN;
    enum found found = look_at(fd, &st, t->now, &length, &size);
    if (found != FOUND_MESSAGE)
        return found;
    if (!queue_has_room(t->q, size))
        return FOUND_BEGUN;
    char *bytes = arena_alloc(t->arena, length + 1);
    if (!read_all(fd, bytes, length))
        return unless_stale(&st, t->now);
    if (!envelope_decode(t->arena, bytes, length, &said))
        return is_of_now(bytes, length) ? FOUND_NOTHING : unless_stale(&st, t->now);
    *e = believed(t->arena, &said, t->now);
    if (e->nrecipients == 0)
        return FOUND_NOTHING;
    if (!id_is_good(e->id) || queue_has(t->q, e->id))
        e->id = queue_new_id(t->q, t->arena, (time_t)t->now);
    e->header = head_set_id(t->arena, e->header, e->id);
    body = queue_body_begin(t->q);
    if (read_body(fd, t->q, t->arena, body, size) && queue_add(t->q, body, e, 1) == 0)
        return FOUND_MESSAGE;
    queue_body_drop(t->q, body);
    return FOUND_BEGUN;
}

/* Of one that cannot be opened: a link, a socket and their like are nothing; what lacks memory,
 * descriptors or rights now may be a message. */
static enum found unopened(const struct taking *t, int folder, const char *name, int err)
{
    struct stat st;

    if (err == ELOOP || err == ENXIO)
        return FOUND_NOTHING;
    if (err != EACCES || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return FOUND_BEGUN;
    return unless_stale(&st, t->now);
}

/* One file; false: nothing was taken. */
static bool take_one(struct taking *t, int folder, const char *name, struct envelope *e)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    enum found found = fd < 0 ? unopened(t, folder, name, errno) : take_file(t, fd, e);

    fs_close(&fd);
    if (found == FOUND_NOTHING)
        unlinkat(folder, name, 0);
    if (found != FOUND_MESSAGE || queue_commit(t->q) != 0)
        return false;
    unlinkat(folder, name, 0);
    return true;
}

/* A file that could not be removed would be taken again and again. */
static bool may_remove(int folder)
{
    struct stat st;

    return fstat(folder, &st) == 0 && (st.st_uid == geteuid() || geteuid() == 0) &&
           (st.st_mode & S_IWUSR);
}

size_t drop_take(struct queue *q, struct arena *a, const char *folder, size_t most, uint64_t now,
                 void (*took)(void *ctx, const struct envelope *e), void *ctx)
{
    struct taking t = {q, arena_beside(a), now};
    DIR *d = opendir(folder);
    const struct dirent *f;
    struct envelope e;
    size_t n = 0;

    while (d && may_remove(dirfd(d)) && n < most && (f = readdir(d)) != NULL) {
        arena_reset(t.arena);
        if (*f->d_name == '.' || !take_one(&t, dirfd(d), f->d_name, &e))
            continue;
        took(ctx, &e);
        n++;
    }
    /* What was removed stays so when the machine ends. */
    if (n > 0)
        fsync(dirfd(d));
    if (d)
        closedir(d);
    arena_free(t.arena);
    return n;
}
