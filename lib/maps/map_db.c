/*
 * map_db: Berkeley DB files, hash and btree.
 */
#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/maps/map_class.h"

enum {
    PAGE = 4096,       /* bytes; what the reference writes */
    PAGE_FILL = 3600,  /* bytes of a bucket that are filled on average, at most: few overflow */
    PAIR_OVERHEAD = 6, /* bytes of a page that an entry takes beside its own */
    CACHE = 32 << 20,  /* bytes; entries come bucket by bucket: more gains nothing */
    BUCKETS = 1 << 24, /* at most */
    LEAST_CACHE = 256 << 10, /* bytes: the library's own */
    KEPT = 256 << 20,        /* bytes of a file that many are looked up in, at most */
};

struct state {
    DB *db;
    DBC *cursor, *same;
    bool duplicates;
};

/* What the library would print: its return value says it too. */
static void silent(const DB_ENV *env, const char *prefix, const char *text)
{
    (void)env;
    (void)prefix;
    (void)text;
}

/* The library's own codes are about damaged files. */
static int as_errno(int rc)
{
    return rc >= 0 ? rc : rc == DB_KEYEXIST ? EEXIST : EINVAL;
}

static int new_state(struct arena *a, void **state)
{
    struct state *s = arena_alloc(a, sizeof *s);
    int rc = db_create(&s->db, NULL, 0);
    if (rc != 0)
        return as_errno(rc);
    s->db->set_errcall(s->db, silent);
    *state = s;
    return 0;
}

static void db_close_state(void *state)
{
    struct state *s = state;
    if (s->cursor)
        s->cursor->close(s->cursor);
    if (s->same)
        s->same->close(s->same);
    if (s->db)
        s->db->close(s->db, DB_NOSYNC);
    s->cursor = s->same = NULL;
    s->db = NULL;
}

static DBTYPE type_of(enum map_type type)
{
    return type == MAP_btree ? DB_BTREE : DB_HASH;
}

/* The pages of a btree are read in place, where the library can; those of a hash it copies. */
static void keep_pages(DB *db, const char *path)
{
    struct stat st;
    DB_ENV *env = db->get_env(db);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    env->set_mp_mmapsize(env, (size_t)st.st_size + PAGE);
    if (st.st_size > LEAST_CACHE)
        db->set_cachesize(db, 0, (u_int32_t)(st.st_size < KEPT ? st.st_size : KEPT), 1);
}

static int open_file(struct arena *a, enum map_type type, const char *path, u_int32_t flags,
                     bool many, void **state)
{
    int rc = new_state(a, state);
    if (rc != 0)
        return rc;
    struct state *s = *state;
    if (many)
        keep_pages(s->db, path);
    rc = s->db->open(s->db, NULL, path, NULL, type_of(type), flags, 0);
    if (rc == 0) {
        u_int32_t how = 0;
        s->db->get_flags(s->db, &how);
        s->duplicates = (how & (DB_DUP | DB_DUPSORT)) != 0;
        return 0;
    }
    db_close_state(s);
    return as_errno(rc);
}

static int db_open_read(struct arena *a, enum map_type type, const char *path, bool many,
                        void **state)
{
    return open_file(a, type, path, DB_RDONLY, many, state);
}

static int db_open_extend(struct arena *a, enum map_type type, const char *path, void **state)
{
    return open_file(a, type, path, 0, false, state);
}

/* As many buckets from the start as the entries fill: none is ever split, and with entries that
 * come bucket by bucket each page is written once.  The library counts keys and values for its
 * fill factor, and makes a power of two of what it comes to. */
static void plan_buckets(DB *db, const struct map_plan *plan)
{
    uint64_t need = (plan->bytes + plan->entries * PAIR_OVERHEAD) / PAGE_FILL + 1, buckets = 1;
    while (buckets < need && buckets < BUCKETS)
        buckets *= 2;
    uint64_t fill = 2 * plan->entries / buckets + 2;
    uint64_t elements = (buckets - 1) * fill + 1;
    if (plan->entries == 0 || elements > UINT32_MAX)
        return;
    db->set_h_ffactor(db, (u_int32_t)fill);
    db->set_h_nelem(db, (u_int32_t)elements);
}

static int db_open_new(struct arena *a, enum map_type type, const char *path,
                       const struct map_plan *plan, mode_t mode, void **state)
{
    int rc = new_state(a, state);
    if (rc != 0)
        return rc;
    struct state *s = *state;
    size_t cache = plan->cache ? plan->cache : CACHE;
    s->duplicates = plan->duplicates;
    s->db->set_pagesize(s->db, PAGE);
    s->db->set_cachesize(s->db, (u_int32_t)(cache >> 30), (u_int32_t)(cache & ((1u << 30) - 1)), 1);
    if (plan->duplicates)
        s->db->set_flags(s->db, DB_DUP);
    if (type == MAP_hash)
        plan_buckets(s->db, plan);
    rc = s->db->open(s->db, NULL, path, NULL, type_of(type), DB_CREATE | DB_EXCL, (int)mode);
    if (rc != 0) {
        db_close_state(s);
        return as_errno(rc);
    }
    return 0;
}

static DBT to_dbt(struct map_bytes b)
{
    DBT t;
    memset(&t, 0, sizeof t);
    memcpy(&t.data, &b.p, sizeof t.data); /* which the library does not write to */
    t.size = (u_int32_t)b.len;
    return t;
}

static struct map_bytes of_dbt(const DBT *t)
{
    return (struct map_bytes){t->size ? t->data : "", t->size};
}

static enum map_verdict verdict(int rc)
{
    return rc == 0                                  ? MAP_FOUND
           : rc == DB_NOTFOUND || rc == DB_KEYEMPTY ? MAP_NOT_FOUND
                                                    : MAP_TEMPFAIL;
}

static enum map_verdict db_get(void *state, struct map_bytes key, struct map_bytes *value)
{
    struct state *s = state;
    DBT k = to_dbt(key), v = to_dbt((struct map_bytes){NULL, 0});
    int rc = s->db->get(s->db, NULL, &k, &v, 0);
    if (rc == 0)
        *value = of_dbt(&v);
    return verdict(rc);
}

static enum map_verdict db_nth(void *state, struct map_bytes key, size_t n, struct map_bytes *value)
{
    struct state *s = state;
    if (s->same)
        s->same->close(s->same);
    s->same = NULL;
    if (s->db->cursor(s->db, NULL, &s->same, 0) != 0)
        return MAP_TEMPFAIL;
    DBC *c = s->same; /* which the value belongs to */
    DBT k = to_dbt(key), v = to_dbt((struct map_bytes){NULL, 0});
    int rc = c->get(c, &k, &v, DB_SET);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = c->get(c, &k, &v, DB_NEXT_DUP);
    if (rc == 0)
        *value = of_dbt(&v);
    return verdict(rc);
}

static enum map_verdict db_next(void *state, struct map_bytes *key, struct map_bytes *value)
{
    struct state *s = state;
    int rc = s->cursor ? 0 : s->db->cursor(s->db, NULL, &s->cursor, 0);
    if (rc != 0)
        return MAP_TEMPFAIL;
    DBT k = to_dbt((struct map_bytes){NULL, 0}), v = k;
    rc = s->cursor->get(s->cursor, &k, &v, DB_NEXT);
    if (rc == 0) {
        *key = of_dbt(&k);
        *value = of_dbt(&v);
    }
    return verdict(rc);
}

static int db_put(void *state, struct map_bytes key, struct map_bytes value, bool replace)
{
    struct state *s = state;
    DBT k = to_dbt(key), v = to_dbt(value);
    return as_errno(s->db->put(s->db, NULL, &k, &v, replace || s->duplicates ? 0 : DB_NOOVERWRITE));
}

static int db_finish(void *state)
{
    struct state *s = state;
    int rc = s->db->sync(s->db, 0); /* to the disk, too */
    int closed = s->db->close(s->db, 0);
    s->db = NULL;
    return as_errno(rc ? rc : closed);
}

const struct map_class map_class_db = {.library =
                                           "Berkeley DB " MAP_TEXT(DB_VERSION_MAJOR) "." MAP_TEXT(
                                               DB_VERSION_MINOR) "." MAP_TEXT(DB_VERSION_PATCH),
                                       .open = db_open_read,
                                       .create = db_open_new,
                                       .extend = db_open_extend,
                                       .get = db_get,
                                       .nth = db_nth,
                                       .next = db_next,
                                       .put = db_put,
                                       .finish = db_finish,
                                       .close = db_close_state};
