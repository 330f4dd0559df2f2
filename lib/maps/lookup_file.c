/*
 * lookup_file: classes hash, btree, cdb and implicit: database files.
 *
 * A file that was replaced or changed since it was opened is opened again.  The lock that makemap
 * holds while it writes is waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/maps/lookup_class.h"

void lookup_database_close(struct lookup_database *db)
{
    if (!db->arena)
        return;
    map_close(db->map);
    fs_close(&db->fd);
    arena_free(db->arena);
    *db = (struct lookup_database){.fd = -1, .any_mode = db->any_mode};
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static const char *path_of(struct arena *a, const char *file, enum map_type type)
{
    const char *suffix = map_type_suffix(type);
    size_t n = strlen(file), k = strlen(suffix);
    bool whole = n > k && strcmp(file + n - k, suffix) == 0;
    return whole ? file : arena_printf(a, "%s%s", file, suffix);
}

static int open_new(struct lookup_query *q, struct lookup_database *db, enum map_type type,
                    const char *file)
{
    struct arena *a = arena_beside(q->lifetime);
    const char *path = path_of(a, file, type);
    struct map *map = NULL;
    struct stat st;
    int fd = -1, rc = 0;
    db->fault.why = NULL;
    if (!db->any_mode && !lookup_trusts(q, path, &db->fault))
        rc = db->fault.error ? db->fault.error : EACCES;
    if (rc == 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        rc = fd < 0 || flock(fd, LOCK_SH) != 0 || fstat(fd, &st) != 0 ? errno
             : S_ISREG(st.st_mode)                                    ? 0
                                                                      : EINVAL;
    }
    if (rc == 0)
        rc = map_open(a, type, path, &map);
    if (rc != 0) {
        fs_close(&fd);
        arena_free(a);
        return rc;
    }
    if (q->map->nul || q->map->no_nul)
        map_expect_nul(map, q->map->nul);
    *db = (struct lookup_database){
        .any_mode = db->any_mode, .arena = a, .map = map, .path = path, .fd = fd, .st = st};
    lookup_hold(q->session, db);
    return 0;
}

int lookup_database_open(struct lookup_query *q, struct lookup_database *db, enum map_type type,
                         const char *file)
{
    struct stat now;
    if (db->holder)
        return 0;
    if (db->arena && flock(db->fd, LOCK_SH) == 0 && stat(db->path, &now) == 0 &&
        is_same(&now, &db->st)) {
        lookup_hold(q->session, db);
        return 0;
    }
    lookup_database_close(db);
    return open_new(q, db, type, file);
}

void lookup_database_let_go(struct lookup_database *db)
{
    db->holder = NULL;
    db->next_held = NULL;
    flock(db->fd, LOCK_UN);
}

/* The same few keys are looked up again and again: of one client, one domain.  What a file that has
 * not changed said is kept, a key a slot. */
enum { RECENT_SLOTS = 256, RECENT_BYTES = 232 };

struct lookup_recent {
    struct {
        uint32_t hash;
        uint16_t key_len, value_len;
        bool used, found;
        char bytes[RECENT_BYTES]; /* the key, and the value behind it */
    } slots[RECENT_SLOTS];
};

static uint32_t hash_of(struct map_bytes key)
{
    const uint64_t odd = 0x9e3779b97f4a7c15;
    uint64_t h = key.len, v = 0;
    size_t i = 0;

    for (; i + sizeof v <= key.len; i += sizeof v) {
        memcpy(&v, key.p + i, sizeof v);
        h = (h ^ v) * odd;
        h ^= h >> 32;
    }
    for (v = 0; i < key.len; i++)
        v = v << 8 | (unsigned char)key.p[i];
    h = (h ^ v) * odd;
    return (uint32_t)(h >> 32);
}

enum map_verdict lookup_database_get(struct lookup_database *db, struct map_bytes key,
                                     struct map_bytes *value)
{
    if (key.len >= RECENT_BYTES)
        return map_get(db->map, key, value);
    if (!db->recent)
        db->recent = arena_alloc(db->arena, sizeof *db->recent);
    const uint32_t h = hash_of(key), i = h % RECENT_SLOTS;
    if (db->recent->slots[i].used && db->recent->slots[i].hash == h &&
        db->recent->slots[i].key_len == key.len &&
        memcmp(db->recent->slots[i].bytes, key.p, key.len) == 0) {
        *value = (struct map_bytes){db->recent->slots[i].bytes + key.len,
                                    db->recent->slots[i].value_len};
        return db->recent->slots[i].found ? MAP_FOUND : MAP_NOT_FOUND;
    }
    const enum map_verdict v = map_get(db->map, key, value);
    const size_t value_len = v == MAP_FOUND ? value->len : 0;
    if (v == MAP_TEMPFAIL || value_len > RECENT_BYTES - key.len)
        return v;
    db->recent->slots[i].hash = h;
    db->recent->slots[i].key_len = (uint16_t)key.len;
    db->recent->slots[i].value_len = (uint16_t)value_len;
    db->recent->slots[i].used = true;
    db->recent->slots[i].found = v == MAP_FOUND;
    memcpy(db->recent->slots[i].bytes, key.p, key.len);
    if (value_len > 0)
        memcpy(db->recent->slots[i].bytes + key.len, value->p, value_len);
    return v;
}

static void file_close(void *state)
{
    lookup_database_close(state);
}

static int open_any(struct lookup_query *q, struct lookup_database *db)
{
    enum map_type type;
    char name[16] = "";
    for (size_t i = 0; q->map->class_name[i] && i + 1 < sizeof name; i++)
        name[i] = (char)(q->map->class_name[i] | 0x20);
    if (map_type_find(name, &type))
        return lookup_database_open(q, db, type, q->map->file);
    /* implicit: whatever there is. */
    int rc = lookup_database_open(q, db, MAP_hash, q->map->file);
    if (rc == EINVAL)
        rc = lookup_database_open(q, db, MAP_btree, q->map->file);
    return rc == ENOENT ? lookup_database_open(q, db, MAP_cdb, q->map->file) : rc;
}

static void file_find(struct lookup_query *q)
{
    struct lookup_database *db = *q->state;
    if (!db)
        db = *q->state = arena_alloc(q->lifetime, sizeof *db);
    int rc = db->holder ? 0 : open_any(q, db);
    if (rc != 0) {
        if (db->fault.why)
            lookup_lacks(q, &db->fault);
        else
            lookup_unreadable(q, q->map->file, rc);
        return;
    }
    struct map_bytes value;
    enum map_verdict v = lookup_database_get(db, lookup_folded_key(q), &value);
    if (v == MAP_FOUND)
        lookup_is_found(q, value);
    else if (v == MAP_NOT_FOUND)
        lookup_is_not_found(q, EX_OK);
    else
        lookup_failed(q, "%s cannot be read", db->path);
}

const struct lookup_class map_lookup_file = {lookup_read_file, file_find, file_close, false};

/* --- implicit ------------------------------------------------------------------------------ */

struct implicit {
    struct lookup_database db;
    void *source; /* state of class stab */
};

static void implicit_close(void *state)
{
    struct implicit *s = state;
    lookup_database_close(&s->db);
    if (s->source)
        map_lookup_stab.close(s->source);
    s->source = NULL;
}

/* It is not there, or nobody is to read it; the folders are as they should be. */
static bool is_of_file(const struct trust_fault *f)
{
    return f->why && (f->error == ENOENT || strcmp(f->path, f->file) == 0);
}

/* What was changed since has no effect yet. */
static void tell_age(struct lookup_query *q, const struct lookup_database *db)
{
    struct stat source;
    if (stat(q->map->file, &source) == 0 && fs_is_older(&db->st, &source))
        lookup_tell(q, LOOKUP_WARNING, "alias database %s out of date", db->path);
}

/* Of aliases without a database the source is read. */
static void implicit_find(struct lookup_query *q)
{
    struct implicit *s = *q->state;
    if (!s)
        s = *q->state = arena_alloc(q->lifetime, sizeof *s);
    void **own = q->state, *db = &s->db;
    const struct map *before = s->db.map;
    const bool source = q->map->aliases && open_any(q, &s->db) != 0 && is_of_file(&s->db.fault);
    if (q->map->aliases && s->db.map && s->db.map != before)
        tell_age(q, &s->db);
    q->state = source ? &s->source : &db;
    if (source)
        map_lookup_stab.find(q);
    else
        file_find(q);
    q->state = own;
}

const struct lookup_class map_lookup_implicit = {lookup_read_file, implicit_find, implicit_close,
                                                 false};
