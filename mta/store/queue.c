#include "mta/store/queue.h"

#include <errno.h>
#include <lmdb.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include <fcntl.h>

#include "lib/base/fs.h"
#include "mta/codec.h"

enum {
    MAP_FIRST = 256 << 20,
    /* The map has room for this much more whenever a transaction begins: more than one can hold. */
    MAP_ROOM = 3 * PROTOCOL_MAX,
    FLUSH_AT = 8 << 20, /* bytes of bodies that wait in memory, at most */
    KEY_BODY = 16,      /* number and offset, big endian: pieces lie in order */
    KEY_SHARE = 8 + QUEUE_ID,
    RESERVE = 256 << 10 /* bytes: for what is noted of messages while the disk is full */
};

/* What stands before the bytes of an envelope. */
struct record {
    uint64_t body, size, shared;
};
enum { RECORD_BYTES = 24 };

struct open_body {
    uint64_t number, size;
    bool waits; /* pieces of it are in the transaction */
    bool lost;  /* pieces of it were in one that failed */
};

struct queue {
    struct arena *arena;
    struct arena *scratch;     /* of one call */
    const char *folder, *name; /* as it is opened, and as it is told of */
    struct queue_settings settings;
    int lock;
    MDB_env *env;
    MDB_dbi bodies, envelopes, shares, meta;
    MDB_txn *txn; /* what gathers; NULL: nothing does */
    size_t map_size;
    int failed;     /* status of what gathers */
    bool changed;   /* envelopes are among it */
    size_t waiting; /* bytes of bodies among it */
    const char *error;
    struct open_body *open;
    size_t nopen, open_room;
    uint64_t next_body;
    struct ids ids;
    bool clock_moved;
    size_t unreadable;
    bool reserved; /* the reserve is there */
};

/* --- ids ---------------------------------------------------------------------------------- */

/* The clock is kept with them, so that an id comes once, over restarts too. */
struct bytes queue_new_id(struct queue *q, struct arena *a, time_t now)
{
    char *id = arena_alloc(a, QUEUE_ID + 1);

    ids_next(&q->ids, now, id);
    q->clock_moved = true;
    return (struct bytes){id, QUEUE_ID};
}

/* --- keys and values ----------------------------------------------------------------------- */

static void put_key(char *to, uint64_t n)
{
    for (int i = 7; i >= 0; i--, n >>= 8)
        to[i] = (char)(n & 0xff);
}

static uint64_t key_number(const char *from)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | (unsigned char)from[i];
    return n;
}

static MDB_val val(const void *p, size_t len)
{
    return (MDB_val){len, (void *)(uintptr_t)p};
}

/* --- failing ------------------------------------------------------------------------------- */

static int status_of(int rc)
{
    if (rc == 0)
        return 0;
    /* What more room, or another try, mends. */
    return rc == ENOSPC || rc == EDQUOT || rc == EFBIG || rc == ENOMEM || rc == MDB_MAP_FULL ||
                   rc == MDB_TXN_FULL || rc == MDB_MAP_RESIZED || rc == MDB_READERS_FULL
               ? EX_TEMPFAIL
               : EX_IOERR;
}

static void abort_all(struct queue *q)
{
    if (q->txn)
        mdb_txn_abort(q->txn);
    q->txn = NULL;
    for (size_t i = 0; i < q->nopen; i++) {
        q->open[i].lost = q->open[i].lost || q->open[i].waits;
        q->open[i].waits = false;
    }
}

/* From here on nothing of what gathers has happened. */
static int fail(struct queue *q, int rc)
{
    if (rc == 0)
        return 0;
    q->error = mdb_strerror(rc);
    q->failed = status_of(rc);
    abort_all(q);
    return q->failed;
}

/* --- the environment ----------------------------------------------------------------------- */

static int open_dbs(struct queue *q)
{
    MDB_txn *t;
    int rc = mdb_txn_begin(q->env, NULL, 0, &t);

    if (rc)
        return rc;
    if ((rc = mdb_dbi_open(t, "bodies", MDB_CREATE, &q->bodies)) ||
        (rc = mdb_dbi_open(t, "envelopes", MDB_CREATE, &q->envelopes)) ||
        (rc = mdb_dbi_open(t, "shares", MDB_CREATE, &q->shares)) ||
        (rc = mdb_dbi_open(t, "meta", MDB_CREATE, &q->meta))) {
        mdb_txn_abort(t);
        return rc;
    }
    return mdb_txn_commit(t);
}

static int open_env(struct queue *q)
{
    int rc = mdb_env_create(&q->env);

    if (rc)
        return rc;
    /* Page files are ours alone: mdb_env_open asks for no other mode. */
    if ((rc = mdb_env_set_maxdbs(q->env, 4)) || (rc = mdb_env_set_mapsize(q->env, q->map_size)) ||
        (rc = mdb_env_open(q->env, q->folder, MDB_NOTLS | (q->settings.passing ? MDB_NOSYNC : 0U),
                           0600)) ||
        (rc = open_dbs(q))) {
        mdb_env_close(q->env);
        q->env = NULL;
    }
    return rc;
}

/* An environment that could not write its root says MDB_PANIC from then on. */
static int reopen(struct queue *q)
{
    if (q->env)
        mdb_env_close(q->env);
    q->env = NULL;
    return open_env(q);
}

static int begin(struct queue *q, unsigned flags, MDB_txn **t)
{
    int rc = q->env ? mdb_txn_begin(q->env, NULL, flags, t) : MDB_PANIC;

    if (rc == MDB_PANIC && !(rc = reopen(q)))
        rc = mdb_txn_begin(q->env, NULL, flags, t);
    if (rc == MDB_MAP_RESIZED && !(rc = mdb_env_set_mapsize(q->env, 0)))
        rc = mdb_txn_begin(q->env, NULL, flags, t);
    return rc;
}

/* The file only has the pages that were written, however large the map is. */
static int grow_map(struct queue *q)
{
    MDB_envinfo info;
    MDB_stat st;

    if (!q->env)
        return 0;
    mdb_env_info(q->env, &info);
    mdb_env_stat(q->env, &st);
    size_t used = (info.me_last_pgno + 1) * st.ms_psize;
    size_t want = info.me_mapsize;
    while (want - used < MAP_ROOM || want < used) {
        if (__builtin_mul_overflow(want, (size_t)2, &want))
            return MDB_MAP_FULL;
    }
    if (want == info.me_mapsize)
        return 0;
    int rc = mdb_env_set_mapsize(q->env, want);
    if (rc == 0)
        q->map_size = want;
    return rc;
}

/* The transaction that gathers. */
static int gather(struct queue *q)
{
    if (q->failed || q->txn)
        return q->failed;
    int rc = grow_map(q);
    if (!rc)
        rc = begin(q, 0, &q->txn);
    if (rc)
        q->txn = NULL;
    return fail(q, rc);
}

static int put(struct queue *q, MDB_dbi db, MDB_val key, MDB_val value)
{
    return fail(q, mdb_put(q->txn, db, &key, &value, 0));
}

/* --- opening ------------------------------------------------------------------------------- */

/* What is wrong with who may write to path; NULL: nothing.  uid and gid may, too; any: whoever has
 * it. */
static const char *unsafe(struct arena *a, const char *path, uid_t uid, gid_t gid, bool any,
                          const char **command)
{
    struct stat st;
    char *name = arena_strdup(a, path);

    *command = "";
    if (stat(path, &st) != 0) {
        const int err = errno;
        *command = err == ENOENT ? arena_printf(a, "install -d -m 700 %s", name) : "";
        return arena_printf(a, "%s: %s", name, strerror(err));
    }
    if (!S_ISDIR(st.st_mode))
        return arena_printf(a, "%s is no directory", name);
    if (!any && st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != uid) {
        *command = arena_printf(a, "chown %lu %s", (unsigned long)(uid ? uid : geteuid()), name);
        return arena_printf(a, "%s belongs to somebody else", name);
    }
    if (st.st_mode & S_IWOTH) {
        *command = arena_printf(a, "chmod go-w %s", name);
        return arena_printf(a, "%s can be written by everybody", name);
    }
    if (st.st_mode & S_IWGRP && st.st_gid != 0 && (!uid || st.st_gid != gid)) {
        *command = arena_printf(a, "chmod g-w %s", name);
        return arena_printf(a, "%s can be written by its group", name);
    }
    return NULL;
}

const char *queue_wrong(struct arena *a, const char *dir, uid_t uid, gid_t gid,
                        const char **command)
{
    return unsafe(a, dir, uid, gid, false, command);
}

static int said(const char **why, const char *text, int status)
{
    *why = text;
    return status;
}

static int said_with(struct arena *a, const char **why, const char *wrong, const char *command)
{
    return said(why, arena_printf(a, "%s%s%s", wrong, *command ? ": " : "", command), EX_CONFIG);
}

static int failed_to(struct arena *a, const char **why, const char *name, int status)
{
    return said(why, arena_printf(a, "%s: %s", name, strerror(errno)), status);
}

/* The folder and its files, by their descriptors: no name leads elsewhere meanwhile. */
static bool give_away(int folder, uid_t uid, gid_t gid)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int fd = openat(folder, files[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        bool given = fd >= 0 && fchown(fd, uid, gid) == 0;
        fs_close(&fd);
        if (!given)
            return false;
    }
    return fchown(folder, uid, gid) == 0;
}

int queue_make(struct arena *a, const char *dir, uid_t uid, gid_t gid, const char **why)
{
    const char *command, *name = fs_join(a, dir, "mcfd.queue");
    const char *wrong = unsafe(a, dir, uid, gid, false, &command);
    const bool gives = uid && geteuid() == 0; /* then it may have been another's until now */

    if (wrong)
        return said_with(a, why, wrong, command);
    if (mkdir(name, 0700) != 0 && errno != EEXIST)
        return failed_to(a, why, name, EX_CANTCREAT);
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return said(why, arena_printf(a, "%s is a link: mcfd keeps its queue there itself", name),
                    EX_CONFIG);
    if (fd < 0)
        return failed_to(a, why, name, EX_CONFIG);
    struct stat st;
    int status = 0;
    if ((wrong = unsafe(a, name, uid, gid, gives, &command)) != NULL)
        status = said_with(a, why, wrong, command);
    else if (fstat(fd, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO) && fchmod(fd, 0700) != 0))
        status = said(why, arena_printf(a, "%s: %s: chmod 700 %s", name, strerror(errno), name),
                      EX_CONFIG);
    else if (gives && !give_away(fd, uid, gid))
        status = failed_to(a, why, name, EX_CONFIG);
    close(fd);
    return status;
}

/* The folder itself is locked. */
static int lock_folder(struct queue *q, const char **why)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};

    q->lock = open(q->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int ms = 0; q->lock >= 0; ms += 50) {
        if (flock(q->lock, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK || ms >= QUEUE_LOCK_MS)
            break;
        nanosleep(&pause, NULL);
    }
    if (errno == EWOULDBLOCK)
        return said(why, arena_printf(q->arena, "%s is in use by another mcfd", q->name),
                    EX_TEMPFAIL);
    return failed_to(q->arena, why, q->name, EX_OSERR);
}

static bool read_record(const MDB_val *v, struct record *r)
{
    if (v->mv_size < RECORD_BYTES)
        return false;
    const char *s = v->mv_data;
    *r = (struct record){key_number(s), key_number(s + 8), key_number(s + 16)};
    return true;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Numbers of the bodies that envelopes name, sorted. */
static int named_bodies(struct queue *q, uint64_t **v, size_t *n)
{
    MDB_cursor *c;
    MDB_val key, value;
    struct record r;
    size_t room = 0;
    int rc = mdb_cursor_open(q->txn, q->envelopes, &c);

    *v = NULL;
    *n = 0;
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == 0) {
        if (!read_record(&value, &r))
            continue;
        *v = arena_grow(q->scratch, *v, *n, &room, sizeof **v, 256);
        (*v)[(*n)++] = r.body;
    }
    mdb_cursor_close(c);
    if (*n)
        qsort(*v, *n, sizeof **v, by_number);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* A cursor at the first piece of the first body from number `body` on: *c is NULL, or is to be
 * closed.  MDB_NOTFOUND: there is none. */
static int open_bodies(struct queue *q, uint64_t body, MDB_cursor **c, MDB_val *key, MDB_val *value)
{
    char k[KEY_BODY];
    int rc = mdb_cursor_open(q->txn, q->bodies, c);

    if (rc) {
        *c = NULL;
        return rc;
    }
    put_key(k, body);
    put_key(k + 8, 0);
    *key = val(k, sizeof k);
    return mdb_cursor_get(*c, key, value, MDB_SET_RANGE); /* which puts the key that it found */
}

/* Removes the pieces of a body. */
static int remove_pieces(struct queue *q, uint64_t body)
{
    MDB_val key, value;
    MDB_cursor *c;
    int rc = open_bodies(q, body, &c, &key, &value);

    while (rc == 0 && key.mv_size == KEY_BODY && key_number(key.mv_data) == body) {
        if ((rc = mdb_cursor_del(c, 0)) == 0)
            rc = mdb_cursor_get(c, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The first body from number `from` on; MDB_NOTFOUND: none. */
static int find_body(struct queue *q, uint64_t from, uint64_t *found)
{
    MDB_val key, value;
    MDB_cursor *c;
    int rc = open_bodies(q, from, &c, &key, &value);

    if (rc == 0)
        *found = key.mv_size == KEY_BODY ? key_number(key.mv_data) : from;
    mdb_cursor_close(c);
    return rc;
}

/* Bodies that no envelope names go; the numbers of new ones begin behind all others. */
static int remove_orphans(struct queue *q)
{
    uint64_t *v, body = 0;
    size_t n;
    int rc = named_bodies(q, &v, &n);

    q->next_body = n ? v[n - 1] + 1 : 1;
    for (uint64_t from = 0; rc == 0 && (rc = find_body(q, from, &body)) == 0; from = body + 1) {
        if (body >= q->next_body)
            q->next_body = body + 1;
        if (!n || !bsearch(&body, v, n, sizeof *v, by_number))
            rc = remove_pieces(q, body);
    }
    arena_reset(q->scratch);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* --- room ----------------------------------------------------------------------------------- */

/* To note that messages are delivered takes room, too: without it a full disk would have them
 * delivered again and again.  So some is kept, and given up when a commit had none. */
static const char reserve_name[] = "reserve";

static void take_reserve(struct queue *q)
{
    int fd = open(fs_join(q->scratch, q->folder, reserve_name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    q->reserved = fd >= 0 && posix_fallocate(fd, 0, RESERVE) == 0;
    fs_close(&fd);
    if (!q->reserved)
        unlink(fs_join(q->scratch, q->folder, reserve_name));
}

static void give_up_reserve(struct queue *q)
{
    unlink(fs_join(q->scratch, q->folder, reserve_name));
    q->reserved = false;
}

/* Pages that nobody needs go back to the disk: the file has holes there.  LMDB writes a page before
 * it reads it.  `list`: how many, and their numbers. */
static void punch(int fd, const MDB_val *list, off_t page)
{
    size_t n, at;
    const char *p = list->mv_data;

    if (list->mv_size < sizeof n)
        return;
    memcpy(&n, p, sizeof n);
    for (size_t i = 1; i <= n && (i + 1) * sizeof n <= list->mv_size; i++) {
        memcpy(&at, p + i * sizeof n, sizeof at);
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at * page, page);
    }
}

/* Those that the last two commits do not have: one of these is what a restart finds. */
static void give_back(struct queue *q)
{
    enum { FREE_PAGES = 0 }; /* LMDB's table of them, by the commit that freed them */
    MDB_txn *t;
    MDB_cursor *c;
    MDB_val key, value;
    MDB_stat st;
    int fd;

    if (!q->env || mdb_env_get_fd(q->env, &fd) != 0 || begin(q, MDB_RDONLY, &t) != 0)
        return;
    const size_t last = mdb_txn_id(t);
    if (mdb_env_stat(q->env, &st) == 0 && mdb_cursor_open(t, FREE_PAGES, &c) == 0) {
        while (mdb_cursor_get(c, &key, &value, MDB_NEXT) == 0) {
            size_t id;
            if (key.mv_size != sizeof id)
                break;
            memcpy(&id, key.mv_data, sizeof id);
            if (id + 1 >= last)
                break;
            punch(fd, &value, (off_t)st.ms_psize);
        }
        mdb_cursor_close(c);
    }
    mdb_txn_abort(t);
}

/* Behind a commit. */
static void see_to_reserve(struct queue *q, int status)
{
    if (status) {
        give_up_reserve(q);
    } else if (!q->reserved) {
        give_back(q);
        take_reserve(q);
    }
    arena_reset(q->scratch);
}

static const char clock_key[] = "clock";

static int read_clock(struct queue *q)
{
    MDB_val key = val(clock_key, sizeof clock_key - 1), value;
    int rc = mdb_get(q->txn, q->meta, &key, &value);

    if (rc == 0 && value.mv_size == 8)
        ids_begin(&q->ids, (time_t)key_number(value.mv_data));
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int start(struct queue *q)
{
    int status = fail(q, open_env(q)), dead;

    if (status)
        return status;
    mdb_reader_check(q->env, &dead);
    if ((status = gather(q)) || (status = fail(q, remove_orphans(q))) ||
        (status = fail(q, read_clock(q))))
        return status;
    return queue_commit(q);
}

int queue_open(struct arena *a, const char *dir, const struct queue_settings *s, struct queue **out,
               const char **why)
{
    struct queue *q = arena_alloc(a, sizeof *q);
    int status;

    *out = NULL;
    *q = (struct queue){.arena = a, .scratch = arena_beside(a), .settings = *s, .lock = -1};
    q->name = fs_join(a, dir, "mcfd.queue");
    q->folder = s->inside ? "." : q->name;
    q->map_size = s->map_size ? s->map_size : MAP_FIRST;
    q->error = "";
    status = s->inside ? 0 : queue_make(a, dir, 0, 0, why);
    if (status == 0)
        status = lock_folder(q, why);
    if (status == 0 && (status = start(q)) != 0)
        *why = arena_printf(a, "%s: %s", q->name, q->error);
    if (status) {
        queue_close(q);
        return status;
    }
    *out = q;
    return 0;
}

bool queue_is_held(const char *dir)
{
    char path[PATH_MAX];
    bool held = false;

    snprintf(path, sizeof path, "%s/mcfd.queue", dir);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        close(fd);
    }
    return held;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    abort_all(q);
    if (q->env)
        mdb_env_close(q->env);
    fs_close(&q->lock);
    arena_free(q->scratch);
}

bool queue_tend(struct queue *q)
{
    if (q->txn || q->failed || queue_has_room(q, RESERVE))
        return false;
    /* Two commits, and no page that was freed before is of one of the last two. */
    for (int i = 0; i < 2; i++) {
        q->clock_moved = true;
        if (gather(q) != 0 || queue_commit(q) != 0)
            return true;
    }
    give_back(q);
    return true;
}

bool queue_has_room(const struct queue *q, uint64_t size)
{
    struct statvfs st;

    if (!q->reserved)
        return false; /* what is there goes first */
    if (statvfs(q->folder, &st) != 0 || st.f_frsize == 0)
        return true; /* nobody knows */
    uint64_t kib = st.f_frsize >= 1024 ? st.f_bavail * (st.f_frsize / 1024)
                                       : st.f_bavail / (1024 / st.f_frsize);
    uint64_t need = size / 1024 + (size % 1024 != 0);
    return kib >= q->settings.min_free_blocks && kib - q->settings.min_free_blocks >= need;
}

/* --- bodies -------------------------------------------------------------------------------- */

static struct open_body *find_open(const struct queue *q, uint64_t body)
{
    for (size_t i = 0; i < q->nopen; i++) {
        if (q->open[i].number == body)
            return &q->open[i];
    }
    return NULL;
}

static void close_body(struct queue *q, struct open_body *b)
{
    *b = q->open[--q->nopen];
}

uint64_t queue_body_begin(struct queue *q)
{
    q->open = arena_grow(q->arena, q->open, q->nopen, &q->open_room, sizeof *q->open, 16);
    q->open[q->nopen++] = (struct open_body){.number = q->next_body};
    return q->next_body++;
}

uint64_t queue_body_size(const struct queue *q, uint64_t body)
{
    const struct open_body *b = find_open(q, body);

    return b ? b->size : 0;
}

static int put_piece(struct queue *q, struct open_body *b, struct bytes piece)
{
    char k[KEY_BODY];

    put_key(k, b->number);
    put_key(k + 8, b->size);
    /* Before it is there: what fails in the middle loses it too. */
    b->waits = true;
    int status = put(q, q->bodies, val(k, sizeof k), val(piece.p, piece.len));
    b->size += piece.len;
    q->waiting += piece.len;
    return status;
}

int queue_body_add(struct queue *q, uint64_t body, struct bytes bytes)
{
    struct open_body *b = find_open(q, body);
    int status = b ? gather(q) : EX_SOFTWARE;

    if (b && b->lost)
        return EX_TEMPFAIL;
    while (status == 0 && bytes.len > 0) {
        size_t n = bytes.len < QUEUE_PIECE ? bytes.len : QUEUE_PIECE;
        status = put_piece(q, b, (struct bytes){bytes.p, n});
        bytes = (struct bytes){bytes.p + n, bytes.len - n};
    }
    if (b && status)
        b->lost = true;
    /* A long body alone does not wait in memory; nothing is said about it by that. */
    if (status == 0 && q->waiting > FLUSH_AT && !q->changed)
        status = queue_commit(q);
    return status;
}

void queue_body_drop(struct queue *q, uint64_t body)
{
    struct open_body *b = find_open(q, body);

    if (!b)
        return;
    if (b->size > 0 && gather(q) == 0)
        fail(q, remove_pieces(q, body));
    close_body(q, b);
}

/* --- envelopes ----------------------------------------------------------------------------- */

static int put_record(struct queue *q, struct bytes id, struct record r, const struct envelope *e)
{
    struct buf b;

    buf_init(&b, q->scratch);
    put_NUMBER(&b, r.body);
    put_NUMBER(&b, r.size);
    put_NUMBER(&b, r.shared);
    envelope_encode(e, &b);
    int status = put(q, q->envelopes, val(id.p, id.len), val(b.data, b.len));
    arena_reset(q->scratch);
    q->changed = true;
    return status;
}

static void share_key(char k[KEY_SHARE], uint64_t body, struct bytes id)
{
    put_key(k, body);
    memcpy(k + 8, id.p, QUEUE_ID);
}

int queue_add(struct queue *q, uint64_t body, const struct envelope *e, size_t n)
{
    struct open_body *b = find_open(q, body);
    int status = b ? gather(q) : EX_SOFTWARE;

    if (status == 0 && b->lost) {
        queue_body_drop(q, body);
        return EX_TEMPFAIL;
    }
    struct record r = {body, b ? b->size : 0, n > 1};
    for (size_t i = 0; status == 0 && i < n; i++) {
        char k[KEY_SHARE];
        status = put_record(q, e[i].id, r, &e[i]);
        if (status == 0 && r.shared) {
            share_key(k, body, e[i].id);
            status = put(q, q->shares, val(k, sizeof k), val("", 0));
        }
    }
    if (b)
        close_body(q, b);
    return status;
}

/* The record of an id, as what gathers has it. */
static int get_record(struct queue *q, struct bytes id, struct record *r)
{
    MDB_val key = val(id.p, id.len), value;
    int rc = id.len == QUEUE_ID ? mdb_get(q->txn, q->envelopes, &key, &value) : MDB_NOTFOUND;

    return rc == 0 && !read_record(&value, r) ? MDB_CORRUPTED : rc;
}

/* The record to change; a missing one fails nothing else. */
static int find_record(struct queue *q, struct bytes id, struct record *r)
{
    int status = gather(q);

    if (status)
        return status;
    int rc = get_record(q, id, r);
    return rc == MDB_NOTFOUND ? EX_NOINPUT : fail(q, rc);
}

int queue_change(struct queue *q, struct bytes id, const struct envelope *e)
{
    struct record r;
    int status = find_record(q, id, &r);

    return status ? status : put_record(q, id, r, e);
}

/* Whether another envelope has the same body. */
static int is_shared(struct queue *q, uint64_t body, bool *shared)
{
    char k[8];
    MDB_val key = val(k, sizeof k), value;
    MDB_cursor *c;
    int rc = mdb_cursor_open(q->txn, q->shares, &c);

    if (rc)
        return rc;
    put_key(k, body);
    rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
    *shared = rc == 0 && key.mv_size == KEY_SHARE && key_number(key.mv_data) == body;
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int queue_remove(struct queue *q, struct bytes id)
{
    struct record r;
    char k[KEY_SHARE];
    bool shared = false;
    int status = find_record(q, id, &r);

    if (status)
        return status;
    q->changed = true;
    MDB_val key = val(id.p, id.len), share = val(k, sizeof k);
    int rc = mdb_del(q->txn, q->envelopes, &key, NULL);
    if (rc == 0 && r.shared) {
        share_key(k, r.body, id);
        rc = mdb_del(q->txn, q->shares, &share, NULL);
        if (rc == 0)
            rc = is_shared(q, r.body, &shared);
    }
    if (rc == 0 && !shared)
        rc = remove_pieces(q, r.body);
    return fail(q, rc);
}

bool queue_is_changed(const struct queue *q)
{
    return q->changed || q->failed;
}

const char *queue_error(const struct queue *q)
{
    return q->error;
}

static int put_clock(struct queue *q)
{
    char v[8];

    if (!q->clock_moved)
        return 0;
    put_key(v, (uint64_t)ids_second(&q->ids));
    return put(q, q->meta, val(clock_key, sizeof clock_key - 1), val(v, sizeof v));
}

int queue_commit(struct queue *q)
{
    int status = q->failed;

    if (status == 0 && q->txn && (status = put_clock(q)) == 0) {
        MDB_txn *t = q->txn;
        q->txn = NULL; /* it is gone, whatever comes of it */
        status = fail(q, mdb_txn_commit(t));
        if (status == 0) {
            q->clock_moved = false;
            for (size_t i = 0; i < q->nopen; i++)
                q->open[i].waits = false;
        }
    }
    q->failed = 0;
    q->changed = false;
    q->waiting = 0;
    /* A disk that is full may be told as an error of it. */
    if (status || !q->reserved)
        see_to_reserve(q, status);
    return status;
}

/* --- reading ------------------------------------------------------------------------------- */

/* s of a record that is committed; its texts are copied. */
static bool copy_out(struct arena *a, const MDB_val *key, const MDB_val *value, struct stored *s)
{
    struct record r;

    if (key->mv_size != QUEUE_ID || !read_record(value, &r))
        return false;
    size_t len = value->mv_size - RECORD_BYTES;
    char *copy = arena_strndup(a, (const char *)value->mv_data + RECORD_BYTES, len);
    if (!envelope_decode(a, copy, len, &s->envelope))
        return false;
    s->envelope.id = (struct bytes){arena_strndup(a, key->mv_data, QUEUE_ID), QUEUE_ID};
    s->body = r.body;
    s->body_size = r.size;
    return true;
}

bool queue_has(struct queue *q, struct bytes id)
{
    MDB_val key = val(id.p, id.len), value;

    return gather(q) == 0 && mdb_get(q->txn, q->envelopes, &key, &value) != MDB_NOTFOUND;
}

bool queue_get(struct queue *q, struct arena *a, struct bytes id, struct stored *s)
{
    MDB_txn *t;
    MDB_val key = val(id.p, id.len), value;

    if (id.len != QUEUE_ID || begin(q, MDB_RDONLY, &t) != 0)
        return false;
    bool found = mdb_get(t, q->envelopes, &key, &value) == 0 && copy_out(a, &key, &value, s);
    mdb_txn_abort(t);
    return found;
}

bool queue_next(struct queue *q, struct arena *a, struct bytes after, struct stored *s)
{
    MDB_txn *t;
    MDB_cursor *c;
    MDB_val key = val(after.p, after.len), value;
    bool found = false;

    if (begin(q, MDB_RDONLY, &t) != 0)
        return false;
    if (mdb_cursor_open(t, q->envelopes, &c) == 0) {
        int rc = mdb_cursor_get(c, &key, &value, after.len ? MDB_SET_RANGE : MDB_FIRST);
        if (rc == 0 && after.len == key.mv_size && memcmp(after.p, key.mv_data, after.len) == 0)
            rc = mdb_cursor_get(c, &key, &value, MDB_NEXT);
        while (rc == 0 && !(found = copy_out(a, &key, &value, s))) {
            q->unreadable++;
            rc = mdb_cursor_get(c, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close(c);
    }
    mdb_txn_abort(t);
    return found;
}

size_t queue_unreadable(const struct queue *q)
{
    return q->unreadable;
}

/* The piece that has the byte at offset, or the first one behind it. */
static int seek_piece(MDB_cursor *c, uint64_t body, uint64_t offset, MDB_val *key, MDB_val *value)
{
    char k[KEY_BODY];

    put_key(k, body);
    put_key(k + 8, offset);
    *key = val(k, sizeof k);
    int rc = mdb_cursor_get(c, key, value, MDB_SET_RANGE);
    if (rc == 0 && key_number(key->mv_data) == body &&
        key_number((const char *)key->mv_data + 8) == offset)
        return 0;
    return mdb_cursor_get(c, key, value, rc == 0 ? MDB_PREV : MDB_LAST);
}

int queue_body_read(struct queue *q, uint64_t body, uint64_t offset, uint64_t most, struct buf *out)
{
    MDB_txn *own = NULL, *t;
    MDB_cursor *c;
    MDB_val key, value;
    int rc = 0;

    /* What gathers is seen for a body that is still open, whose pieces are there. */
    if (q->txn && find_open(q, body))
        t = q->txn;
    else if ((rc = begin(q, MDB_RDONLY, &own)) != 0)
        return EX_IOERR;
    else
        t = own;
    if ((rc = mdb_cursor_open(t, q->bodies, &c)) == 0) {
        rc = seek_piece(c, body, offset, &key, &value);
        while (rc == 0 && most > 0 && key_number(key.mv_data) == body) {
            uint64_t at = key_number((const char *)key.mv_data + 8);
            uint64_t skip = offset - at;
            if (offset < at || skip >= value.mv_size)
                break;
            uint64_t n = value.mv_size - skip < most ? value.mv_size - skip : most;
            buf_add(out, (const char *)value.mv_data + skip, (size_t)n);
            offset += n;
            most -= n;
            rc = mdb_cursor_get(c, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close(c);
    }
    if (own)
        mdb_txn_abort(own);
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : EX_IOERR;
}
