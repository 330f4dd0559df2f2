/*
 * map_cdb: constant databases, by tinycdb.
 */
#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/map_class.h"

enum { HEADER = 2048 };         /* bytes: no file is shorter */
#define EARLY ((size_t)8 << 20) /* bytes after which the disk may begin: it works beside us */

struct state {
    int fd;
    bool made;
    unsigned next; /* cdb_seqnext's place; 0: at the first */
    bool begun;
    size_t put, asked; /* bytes, about; of them, those that the disk was told of */
    struct cdb cdb;
    struct cdb_make make;
};

static int new_state(struct arena *a, int fd, void **state)
{
    if (fd < 0)
        return errno;
    struct state *s = arena_alloc(a, sizeof *s);
    s->fd = fd;
    *state = s;
    return 0;
}

static int as_errno(void)
{
    return errno == EPROTO || errno == 0 ? EINVAL : errno;
}

static int cdb_open_read(struct arena *a, enum map_type type, const char *path, bool many,
                         void **state)
{
    (void)type;
    (void)many; /* the file is mapped anyway */
    struct stat st;
    int rc = new_state(a, open(path, O_RDONLY | O_CLOEXEC), state);
    if (rc != 0)
        return rc;
    struct state *s = *state;
    rc = fstat(s->fd, &st) != 0 ? errno : S_ISREG(st.st_mode) && st.st_size >= HEADER ? 0 : EINVAL;
    if (rc == 0 && cdb_init(&s->cdb, s->fd) != 0)
        rc = as_errno();
    if (rc != 0)
        fs_close(&s->fd);
    return rc;
}

static int begin(struct state *s)
{
    s->made = cdb_make_start(&s->make, s->fd) == 0;
    int rc = s->made ? 0 : as_errno();
    if (!s->made)
        fs_close(&s->fd);
    return rc;
}

static int cdb_open_new(struct arena *a, enum map_type type, const char *path,
                        const struct map_plan *plan, mode_t mode, void **state)
{
    (void)type;
    if (plan->duplicates)
        return ENOTSUP;
    int rc = new_state(a, open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode), state);
    if (rc != 0)
        return rc;
    return begin(*state);
}

static int cdb_open_nameless(struct arena *a, const char *folder, void **state)
{
    int rc = new_state(a, open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), state);
    if (rc != 0)
        return rc;
    return begin(*state);
}

static int cdb_give_name(void *state, const char *path, mode_t mode)
{
    const struct state *s = state;
    char self[64];
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(s->fd, mode & ~mask) != 0)
        return errno;
    snprintf(self, sizeof self, "/proc/self/fd/%d", s->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

static int cdb_back(void *state)
{
    struct state *s = state;
    int rc = cdb_make_finish(&s->make) == 0 ? 0 : as_errno();
    s->made = false;
    if (rc == 0 && cdb_init(&s->cdb, s->fd) != 0)
        rc = as_errno();
    if (rc != 0)
        fs_close(&s->fd);
    return rc;
}

static enum map_verdict cdb_get_one(void *state, struct map_bytes key, struct map_bytes *value)
{
    struct state *s = state;
    if (key.len > UINT32_MAX)
        return MAP_NOT_FOUND;
    int found = cdb_find(&s->cdb, key.p, (unsigned)key.len);
    if (found <= 0)
        return found == 0 ? MAP_NOT_FOUND : MAP_TEMPFAIL;
    const void *p = cdb_getdata(&s->cdb);
    if (!p)
        return MAP_TEMPFAIL;
    *value = (struct map_bytes){p, cdb_datalen(&s->cdb)};
    return MAP_FOUND;
}

static enum map_verdict cdb_next_one(void *state, struct map_bytes *key, struct map_bytes *value)
{
    struct state *s = state;
    if (!s->begun)
        cdb_seqinit(&s->next, &s->cdb);
    s->begun = true;
    int found = cdb_seqnext(&s->next, &s->cdb);
    if (found <= 0)
        return found == 0 ? MAP_NOT_FOUND : MAP_TEMPFAIL;
    const void *k = cdb_getkey(&s->cdb), *v = cdb_getdata(&s->cdb);
    if (!k || !v)
        return MAP_TEMPFAIL;
    *key = (struct map_bytes){k, cdb_keylen(&s->cdb)};
    *value = (struct map_bytes){v, cdb_datalen(&s->cdb)};
    return MAP_FOUND;
}

static int cdb_put_one(void *state, struct map_bytes key, struct map_bytes value, bool replace)
{
    struct state *s = state;
    (void)replace; /* who builds one gives each key once: to look for it here costs reading */
    if (key.len > UINT32_MAX || value.len > UINT32_MAX)
        return EFBIG;
    if (cdb_make_add(&s->make, key.p, (unsigned)key.len, value.p, (unsigned)value.len) != 0)
        return as_errno();
    s->put += key.len + value.len;
    if (s->put - s->asked > EARLY) {
        sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a wish: fsync is what counts */
        s->asked = s->put;
    }
    return 0;
}

static int cdb_finish_file(void *state)
{
    struct state *s = state;
    int rc = cdb_make_finish(&s->make) == 0 ? 0 : as_errno();
    s->made = false;
    if (rc == 0 && fsync(s->fd) != 0)
        rc = errno;
    fs_close(&s->fd);
    return rc;
}

static void cdb_close_file(void *state)
{
    struct state *s = state;
    if (s->fd < 0)
        return;
    if (s->made)
        cdb_make_finish(&s->make); /* which frees; the file is not wanted */
    else
        cdb_free(&s->cdb);
    fs_close(&s->fd);
}

const struct map_class map_class_cdb = {.library = "tinycdb " MAP_TEXT(TINYCDB_VERSION),
                                        .open = cdb_open_read,
                                        .create = cdb_open_new,
                                        .nameless = cdb_open_nameless,
                                        .name = cdb_give_name,
                                        .read_back = cdb_back,
                                        .get = cdb_get_one,
                                        .next = cdb_next_one,
                                        .put = cdb_put_one,
                                        .finish = cdb_finish_file,
                                        .close = cdb_close_file};
