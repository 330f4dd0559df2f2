/*
 * lookups TYPE FILE [KEPT]: how long the library alone takes to look up the keys that are on
 * standard input, one a line: what a program that does nothing else cannot beat.
 *
 * Prints the seconds of the lookups, and how many were found.  Berkeley DB has a cache of KEPT
 * bytes, or its own.
 */
#include <cdb.h>
#include <db.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct keys {
    char *text;
    size_t len;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct keys read_keys(void)
{
    struct keys k = {NULL, 0};
    size_t room = 0, got;
    do {
        if (k.len == room) {
            room = room ? room * 2 : 1 << 20;
            k.text = realloc(k.text, room);
            if (!k.text)
                exit(1);
        }
        got = fread(k.text + k.len, 1, room - k.len, stdin);
        k.len += got;
    } while (got > 0);
    return k;
}

/* The next line from *at on; NULL behind the last. */
static const char *next_key(const struct keys *k, size_t *at, size_t *len)
{
    const char *p = k->text + *at;
    const char *end = *at < k->len ? memchr(p, '\n', k->len - *at) : NULL;
    if (!end)
        return NULL;
    *len = (size_t)(end - p);
    *at += *len + 1;
    return p;
}

static unsigned long by_db(const char *type, const char *path, const char *kept,
                           const struct keys *k)
{
    DB *db;
    unsigned long found = 0;
    size_t at = 0, len;
    const char *p;
    if (db_create(&db, NULL, 0) != 0)
        exit(1);
    if (kept) {
        DB_ENV *env = db->get_env(db);
        env->set_mp_mmapsize(env, strtoul(kept, NULL, 10));
        db->set_cachesize(db, 0, (u_int32_t)strtoul(kept, NULL, 10), 1);
    }
    if (db->open(db, NULL, path, NULL, *type == 'b' ? DB_BTREE : DB_HASH, DB_RDONLY, 0) != 0)
        exit(1);
    while ((p = next_key(k, &at, &len)) != NULL) {
        DBT key, value;
        memset(&key, 0, sizeof key);
        memset(&value, 0, sizeof value);
        memcpy(&key.data, &p, sizeof key.data);
        key.size = (u_int32_t)len;
        found += db->get(db, NULL, &key, &value, 0) == 0;
    }
    return found;
}

static unsigned long by_cdb(const char *path, const struct keys *k)
{
    struct cdb cdb;
    unsigned long found = 0;
    size_t at = 0, len;
    const char *p;
    if (cdb_init(&cdb, open(path, O_RDONLY)) != 0)
        exit(1);
    while ((p = next_key(k, &at, &len)) != NULL)
        found += cdb_find(&cdb, p, (unsigned)len) > 0 && cdb_getdata(&cdb) != NULL;
    return found;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    struct keys k = read_keys();
    double start = now();
    unsigned long found = *argv[1] == 'c' ? by_cdb(argv[2], &k)
                                          : by_db(argv[1], argv[2], argc > 3 ? argv[3] : NULL, &k);
    printf("%.6f %lu\n", now() - start, found);
    return 0;
}
