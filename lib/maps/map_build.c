#include "lib/maps/map_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"

enum {
    RUNS = 1024,          /* parts of the file, at most */
    READ_AHEAD = 1 << 20, /* bytes of each run */
    TELL = 1 << 16,       /* entries between two calls of progress */
};

/* An entry in memory: this, the key, the value, up to a multiple of 8 bytes. */
struct record {
    uint32_t line, key_len, value_len;
    uint32_t order; /* of the key's hash; 0 in a btree, whose order is the key's own */
};

/* What is sorted: records by what comes first in the database, then as they came.  There are two of
 * these for each entry: they are small, so that less has to go to the file. */
struct place {
    uint32_t high, low; /* hash: 0, its bits turned round; btree: 8 bytes of the key */
    uint32_t at;        /* in the buffer, in units of 8 bytes */
};

/* What is remembered of the entries of a file that is filled at once: all that it takes to tell
 * that no key came twice.  One that did, or another that looks the same, is told by the way over
 * memory, for which the file is read again. */
struct seen {
    uint64_t *hashes;
    uint32_t *lines;
    size_t n, room;
};

struct run {
    off_t next, end; /* what of it is not read yet */
    char *buffer;    /* and what is read */
    size_t used, filled, room;
};

struct map_build {
    struct arena *arena;
    struct map_build_options o;
    const char *folder;
    char *data; /* room bytes, mapped */
    size_t room, used;
    struct place *places, *other; /* most of them; other is for sorting */
    size_t count, most;
    struct run runs[RUNS];
    size_t nruns;
    int file;
    off_t file_end;
    uint64_t entries, bytes;
    struct map *direct; /* is filled while entries come; or NULL */
    struct seen seen;
};

/* --- order ------------------------------------------------------------------------------------ */

/* The hash that a Berkeley DB file uses, by its value's definition: FNV-1, from 0.  Entries of one
 * bucket share its low bits, however many buckets there are. */
static uint32_t hash_of(struct map_bytes key)
{
    uint32_t h = 0;
    for (size_t i = 0; i < key.len; i++)
        h = h * 16777619u ^ (unsigned char)key.p[i];
    return h;
}

static uint32_t turned(uint32_t x)
{
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}

/* Eight bytes of the key, as they are compared. */
static uint64_t bytes_from(struct map_bytes key, size_t from)
{
    uint64_t x = 0;
    for (size_t i = from; i < from + 8; i++)
        x = x << 8 | (i < key.len ? (unsigned char)key.p[i] : 0);
    return x;
}

static int compare_keys(struct map_bytes x, struct map_bytes y)
{
    int d = memcmp(x.p, y.p, x.len < y.len ? x.len : y.len);
    return d ? d : x.len < y.len ? -1 : x.len > y.len;
}

static struct record header(const char *p)
{
    struct record r;
    memcpy(&r, p, sizeof r);
    return r;
}

static struct map_bytes key_at(const char *p)
{
    return (struct map_bytes){p + sizeof(struct record), header(p).key_len};
}

static uint64_t order_at(const struct map_build *b, const char *p)
{
    return b->o.type == MAP_btree ? bytes_from(key_at(p), 0) : header(p).order;
}

static int compare_records(uint64_t order_x, const char *x, uint64_t order_y, const char *y)
{
    if (order_x != order_y)
        return order_x < order_y ? -1 : 1;
    int d = compare_keys(key_at(x), key_at(y));
    if (d)
        return d;
    return header(x).line < header(y).line ? -1 : header(x).line > header(y).line;
}

static uint64_t order_of(struct place p)
{
    return (uint64_t)p.high << 32 | p.low;
}

static struct place with_order(struct place p, uint64_t order)
{
    return (struct place){(uint32_t)(order >> 32), (uint32_t)order, p.at};
}

static struct place place_of(const struct map_build *b, size_t at)
{
    return with_order((struct place){.at = (uint32_t)(at / 8)}, order_at(b, b->data + at));
}

static const char *record_at(const struct map_build *b, struct place p)
{
    return b->data + (size_t)p.at * 8;
}

static bool is_before(const struct map_build *b, struct place x, struct place y)
{
    return compare_records(order_of(x), record_at(b, x), order_of(y), record_at(b, y)) < 0;
}

/* For a few. */
static void sort_records(const struct map_build *b, struct place *p, size_t n)
{
    for (size_t i = 1, j; i < n; i++) {
        struct place x = p[i];
        for (j = i; j > 0 && is_before(b, x, p[j - 1]); j--)
            p[j] = p[j - 1];
        p[j] = x;
    }
}

/* by: NULL, or whose records are looked at where orders are alike.  other: room for half of n. */
static void merge_sort(const struct map_build *by, struct place *p, struct place *other, size_t n)
{
    if (n < 2)
        return;
    size_t half = n / 2;
    merge_sort(by, p, other, half);
    merge_sort(by, p + half, other, n - half);
    memcpy(other, p, half * sizeof *p);
    for (size_t i = 0, j = half, to = 0; i < half;)
        p[to++] =
            j < n && (by ? is_before(by, p[j], other[i]) : order_of(p[j]) < order_of(other[i]))
                ? p[j++]
                : other[i++];
}

/* By eight bytes, and those in which they are alike by the next eight: so each record is looked at
 * a few times only, and they lie anywhere.  depth: how many bytes are alike, by 8. */
static void sort_keys(const struct map_build *b, struct place *p, struct place *other, size_t n,
                      size_t depth)
{
    enum { FEW = 8, DEEP = 64, AHEAD = 8 };
    if (depth == DEEP) {
        merge_sort(b, p, other, n);
        return;
    }
    merge_sort(NULL, p, other, n);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && order_of(p[j]) == order_of(p[i]); j++)
            continue;
        if (j - i <= FEW) {
            sort_records(b, p + i, j - i);
            continue;
        }
        for (size_t k = i; k < j; k++) {
            if (k + AHEAD < j)
                __builtin_prefetch(record_at(b, p[k + AHEAD]));
            p[k] = with_order(p[k], bytes_from(key_at(record_at(b, p[k])), (depth + 1) * 8));
        }
        sort_keys(b, p + i, other, j - i, depth + 1);
    }
}

/* Orders of hashes have 32 bits: three rounds, and the few that are alike are sorted one by one. */
static void sort_hashes(struct map_build *b)
{
    enum { BITS = 11, BINS = 1 << BITS };
    for (int shift = 0; shift < 32; shift += BITS) {
        size_t bins[BINS + 1] = {0};
        for (size_t i = 0; i < b->count; i++)
            bins[(b->places[i].low >> shift & (BINS - 1)) + 1]++;
        for (size_t i = 1; i < BINS; i++)
            bins[i] += bins[i - 1];
        for (size_t i = 0; i < b->count; i++)
            b->other[bins[b->places[i].low >> shift & (BINS - 1)]++] = b->places[i];
        struct place *sorted = b->other;
        b->other = b->places;
        b->places = sorted;
    }
    for (size_t i = 0, j; i < b->count; i = j) {
        for (j = i + 1; j < b->count && b->places[j].low == b->places[i].low; j++)
            continue;
        if (j > i + 1)
            merge_sort(b, b->places + i, b->other, j - i);
    }
}

static void sort(struct map_build *b)
{
    if (b->o.type == MAP_btree)
        sort_keys(b, b->places, b->other, b->count, 0);
    else
        sort_hashes(b);
}

/* --- what does not fit ------------------------------------------------------------------------ */

static size_t size_of(struct record r)
{
    return (sizeof r + r.key_len + (size_t)r.value_len + 7) & ~(size_t)7;
}

static int no_name(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        char path[4096];
        if ((size_t)snprintf(path, sizeof path, "%s/.mcf-sort-XXXXXX", folder) < sizeof path &&
            (fd = mkostemp(path, O_CLOEXEC)) >= 0)
            unlink(path);
    }
    return fd;
}

static int write_all(int fd, const char *p, size_t n, off_t *at)
{
    while (n > 0) {
        ssize_t w = pwrite(fd, p, n, *at);
        if (w < 0 && errno != EINTR)
            return errno;
        if (w > 0) {
            p += w;
            n -= (size_t)w;
            *at += w;
        }
    }
    return 0;
}

/* The records in memory become a sorted run in the file. */
static int spill(struct map_build *b)
{
    if (b->nruns == RUNS)
        return EFBIG;
    if (b->file < 0 && (b->file = no_name(b->folder)) < 0)
        return errno;
    sort(b);
    struct run *r = &b->runs[b->nruns++];
    r->next = b->file_end;
    char *out = (char *)b->other; /* free now, and large */
    size_t n = 0, room = b->most * sizeof *b->other;
    int rc = 0;
    for (size_t i = 0; i < b->count && rc == 0; i++) {
        const char *p = record_at(b, b->places[i]);
        size_t size = size_of(header(p));
        if (n + size > room && n > 0) {
            rc = write_all(b->file, out, n, &b->file_end);
            n = 0;
        }
        if (size > room) {
            rc = rc ? rc : write_all(b->file, p, size, &b->file_end);
        } else {
            memcpy(out + n, p, size);
            n += size;
        }
    }
    if (rc == 0)
        rc = write_all(b->file, out, n, &b->file_end);
    r->end = b->file_end;
    b->count = 0;
    b->used = 0;
    return rc;
}

/* The record that stands first in the rest of the run, all of it; NULL at the end, or *rc. */
static const char *first_of(struct map_build *b, struct run *r, int *rc)
{
    for (;;) {
        size_t have = r->filled - r->used;
        if (have >= sizeof(struct record) && have >= size_of(header(r->buffer + r->used)))
            return r->buffer + r->used;
        if (r->next == r->end)
            return NULL;
        size_t want = have >= sizeof(struct record) ? size_of(header(r->buffer + r->used)) : 0;
        if (want > r->room || !r->buffer) {
            r->room = want > READ_AHEAD ? want : READ_AHEAD;
            char *larger = malloc(r->room);
            if (!larger) {
                *rc = ENOMEM;
                return NULL;
            }
            if (r->buffer)
                memcpy(larger, r->buffer + r->used, have);
            free(r->buffer);
            r->buffer = larger;
        } else {
            memmove(r->buffer, r->buffer + r->used, have);
        }
        r->used = 0;
        r->filled = have;
        size_t n = r->room - have;
        if ((off_t)n > r->end - r->next)
            n = (size_t)(r->end - r->next);
        ssize_t got = pread(b->file, r->buffer + have, n, r->next);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            *rc = got < 0 ? errno : EIO;
            return NULL;
        }
        if (got > 0) {
            r->filled += (size_t)got;
            r->next += got;
        }
    }
}

/* --- at once ---------------------------------------------------------------------------------- */

static uint64_t wide_hash(struct map_bytes key)
{
    uint64_t h = key.len, part;
    size_t i = 0;
    for (; i + 8 <= key.len; i += 8) {
        memcpy(&part, key.p + i, 8);
        h = (h ^ part) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    part = 0;
    memcpy(&part, key.p + i, key.len - i);
    h = (h ^ part) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static int remember(struct seen *s, struct map_bytes key, uint32_t line)
{
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 1024;
        uint64_t *hashes = realloc(s->hashes, room * sizeof *hashes);
        if (hashes)
            s->hashes = hashes;
        uint32_t *lines = realloc(s->lines, room * sizeof *lines);
        if (lines)
            s->lines = lines;
        if (!hashes || !lines)
            return ENOMEM;
        s->room = room;
    }
    s->hashes[s->n] = wide_hash(key);
    s->lines[s->n++] = line;
    return 0;
}

/* Whether two of the hashes are alike, which are in another order then; -1: no memory.  Sorted by
 * their low bits, those that are alike are near to each other. */
static int any_twice(struct seen *s)
{
    enum { BITS = 11, BINS = 1 << BITS, ROUNDS = 3 };
    uint64_t *other = malloc((s->n + 1) * sizeof *other);
    if (!other)
        return -1;
    for (int shift = 0; shift < ROUNDS * BITS; shift += BITS) {
        size_t bins[BINS + 1] = {0};
        for (size_t i = 0; i < s->n; i++)
            bins[(s->hashes[i] >> shift & (BINS - 1)) + 1]++;
        for (size_t i = 1; i < BINS; i++)
            bins[i] += bins[i - 1];
        for (size_t i = 0; i < s->n; i++)
            other[bins[s->hashes[i] >> shift & (BINS - 1)]++] = s->hashes[i];
        uint64_t *sorted = other;
        other = s->hashes;
        s->hashes = sorted;
    }
    int twice = 0;
    const uint64_t low = ((uint64_t)1 << ROUNDS * BITS) - 1;
    for (size_t i = 0; i < s->n && !twice; i++)
        for (size_t j = i + 1; j < s->n && !((s->hashes[i] ^ s->hashes[j]) & low) && !twice; j++)
            twice = s->hashes[i] == s->hashes[j];
    free(other);
    return twice;
}

static void count(struct map_build *b, uint64_t bytes)
{
    b->entries++;
    b->bytes += bytes;
    if (b->entries % TELL == 0 && b->o.progress)
        b->o.progress(b->o.ctx, b->entries, 0);
}

static int add_direct(struct map_build *b, struct map_bytes key, struct map_bytes value,
                      uint32_t line)
{
    int rc = map_put(b->direct, key, value, false);
    if (rc == 0)
        rc = remember(&b->seen, key, line);
    count(b, key.len + (uint64_t)value.len);
    return rc;
}

/* --- taking ----------------------------------------------------------------------------------- */

static void *mapped(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, size, MADV_HUGEPAGE); /* most of it is used, or none */
    return p;
}

struct map_build *map_build_new(struct arena *a, const struct map_build_options *o,
                                const char *folder)
{
    struct map_build *b = arena_alloc(a, sizeof *b);
    size_t memory = o->memory ? o->memory : MAP_BUILD_MEMORY;
    b->arena = a;
    b->o = *o;
    b->folder = folder;
    b->file = -1;
    /* A line has some 40 bytes: two places of 12, and 56 with what stands around it. */
    b->most = memory / 80;
    b->room = memory - b->most * 2 * sizeof *b->places;
    if (b->room / 8 > UINT32_MAX)
        b->room = (size_t)UINT32_MAX * 8;
    b->data = mapped(b->room);
    b->places = mapped(b->most * sizeof *b->places);
    b->other = mapped(b->most * sizeof *b->other);
    if (o->type == MAP_cdb && !o->duplicates && !o->nul && !o->memory &&
        map_create_nameless(a, o->type, folder, &b->direct) != 0)
        b->direct = NULL; /* then over memory */
    return b;
}

uint64_t map_build_count(const struct map_build *b)
{
    return b->entries;
}

int map_build_add(struct map_build *b, struct map_bytes key, struct map_bytes value, uint32_t line)
{
    if (b->direct)
        return add_direct(b, key, value, line);
    size_t nul = b->o.nul;
    if (!b->data || !b->places || !b->other)
        return ENOMEM;
    if (key.len > INT32_MAX - 1 || value.len > INT32_MAX - 1)
        return EFBIG;
    struct record r = {line, (uint32_t)(key.len + nul), (uint32_t)(value.len + nul), 0};
    size_t size = size_of(r);
    if (size > b->room)
        return EFBIG;
    if (size > b->room - b->used || b->count == b->most) {
        int rc = spill(b);
        if (rc != 0)
            return rc;
    }
    char *p = b->data + b->used;
    memcpy(p + sizeof r, key.p, key.len);
    memcpy(p + sizeof r + r.key_len, value.p, value.len);
    if (nul)
        p[sizeof r + key.len] = p[sizeof r + r.key_len + value.len] = '\0';
    if (b->o.type != MAP_btree)
        r.order = turned(hash_of((struct map_bytes){p + sizeof r, r.key_len}));
    memcpy(p, &r, sizeof r);
    b->places[b->count++] = place_of(b, b->used);
    b->used += size;
    count(b, r.key_len + (uint64_t)r.value_len);
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct writing {
    struct map_build *b;
    struct map *m;
    char *last; /* a copy of the key before, and its record: who is the same comes next */
    size_t last_room, last_len;
    uint32_t last_line;
    bool any;
    char *kept; /* -r: the entry that is written when another key comes */
    size_t kept_room;
    uint64_t done, all;
};

static int put_record(struct writing *w, const char *p)
{
    struct record r = header(p);
    struct map_bytes key = {p + sizeof r, r.key_len},
                     value = {p + sizeof r + r.key_len, r.value_len};
    int rc = map_put(w->m, key, value, w->b->o.replace);
    if (rc == EEXIST) {
        w->b->o.again(w->b->o.ctx, key, 0, r.line);
        return 0;
    }
    return rc;
}

static int grow(char **p, size_t *room, size_t need)
{
    if (need <= *room)
        return 0;
    size_t n = need < 4096 ? 4096 : need * 2;
    char *q = realloc(*p, n);
    if (!q)
        return ENOMEM;
    *p = q;
    *room = n;
    return 0;
}

static int flush_kept(struct writing *w)
{
    return w->any && w->b->o.replace && !w->b->o.duplicates ? put_record(w, w->kept) : 0;
}

/* Records come in order: those of one key one behind the other, by line. */
static int take(struct writing *w, const char *p)
{
    struct map_build *b = w->b;
    struct record r = header(p);
    struct map_bytes key = key_at(p);
    bool same = w->any && key.len == w->last_len && memcmp(key.p, w->last, key.len) == 0;
    int rc = 0;
    if (++w->done % TELL == 0 && b->o.progress)
        b->o.progress(b->o.ctx, w->done, w->all);
    if (same && !b->o.duplicates && !b->o.replace) {
        b->o.again(b->o.ctx, key, w->last_line, r.line);
        return 0;
    }
    if (same && b->o.told) {
        b->o.again(b->o.ctx, key, w->last_line, r.line);
        w->last_line = r.line;
    }
    if (!same) {
        rc = flush_kept(w);
        if (rc == 0)
            rc = grow(&w->last, &w->last_room, key.len + 1); /* an empty key has a place, too */
        if (rc != 0)
            return rc;
        memcpy(w->last, key.p, key.len);
        w->last_len = key.len;
        w->last_line = r.line;
        w->any = true;
    }
    if (!b->o.replace || b->o.duplicates)
        return put_record(w, p);
    rc = grow(&w->kept, &w->kept_room, size_of(r));
    if (rc == 0)
        memcpy(w->kept, p, size_of(r));
    return rc;
}

static const char *in_memory(const struct map_build *b, size_t place)
{
    /* What lies where is as good as random: the next ones are asked for ahead. */
    if (place + 8 < b->count)
        __builtin_prefetch(record_at(b, b->places[place + 8]));
    return place < b->count ? record_at(b, b->places[place]) : NULL;
}

static int write_memory(struct writing *w)
{
    struct map_build *b = w->b;
    int rc = 0;
    sort(b);
    for (size_t i = 0; i < b->count && rc == 0; i++)
        rc = take(w, in_memory(b, i));
    return rc;
}

/* What is in memory is the last run.  A merge of so few looks at all of them for each record. */
static int write_runs(struct writing *w)
{
    struct map_build *b = w->b;
    const char *first[RUNS + 1];
    uint64_t order[RUNS + 1];
    size_t memory = b->nruns, place = 0;
    int rc = 0;
    sort(b);
    for (size_t i = 0; i <= memory && rc == 0; i++)
        if ((first[i] = i == memory ? in_memory(b, place) : first_of(b, &b->runs[i], &rc)) != NULL)
            order[i] = order_at(b, first[i]);
    while (rc == 0) {
        size_t least = memory;
        for (size_t i = 0; i < memory; i++)
            if (first[i] && (!first[least] ||
                             compare_records(order[i], first[i], order[least], first[least]) < 0))
                least = i;
        if (!first[least])
            break;
        rc = take(w, first[least]);
        if (rc == 0 && least == memory) {
            first[least] = in_memory(b, ++place);
        } else if (rc == 0) {
            b->runs[least].used += size_of(header(first[least]));
            first[least] = first_of(b, &b->runs[least], &rc);
        }
        if (rc == 0 && first[least])
            order[least] = order_at(b, first[least]);
    }
    return rc;
}

/* What was filled at once goes the way over memory. */
static int take_back(struct map_build *b)
{
    struct map *m = b->direct;
    struct map_bytes key, value;
    enum map_verdict v = MAP_TEMPFAIL;
    b->direct = NULL;
    b->entries = 0;
    b->bytes = 0;
    int rc = map_read_back(m);
    for (size_t i = 0; rc == 0 && (v = map_next(m, &key, &value)) == MAP_FOUND; i++)
        rc = map_build_add(b, key, value, b->seen.lines[i]);
    map_close(m);
    return rc == 0 && v == MAP_TEMPFAIL ? EIO : rc;
}

int map_build_write(struct map_build *b, const char *path, bool extend, mode_t mode)
{
    struct map_plan plan = {b->entries, b->bytes, b->o.duplicates, b->o.cache};
    struct writing w = {.b = b, .all = b->entries};
    int rc = 0;
    if (b->direct && !extend && any_twice(&b->seen) == 0 && map_name(b->direct, path, mode) == 0) {
        struct map *m = b->direct;
        b->direct = NULL;
        return map_finish(m);
    }
    if (b->direct)
        rc = take_back(b);
    if (rc != 0)
        return rc;
    rc = extend ? map_extend(b->arena, b->o.type, path, &w.m)
                : map_create(b->arena, b->o.type, path, &plan, mode, &w.m);
    if (rc != 0)
        return rc;
    rc = b->nruns > 0 ? write_runs(&w) : write_memory(&w);
    if (rc == 0)
        rc = flush_kept(&w);
    if (rc == 0)
        rc = map_finish(w.m);
    else
        map_close(w.m);
    free(w.last);
    free(w.kept);
    return rc;
}

void map_build_free(struct map_build *b)
{
    if (!b)
        return;
    map_close(b->direct);
    free(b->seen.hashes);
    free(b->seen.lines);
    if (b->data)
        munmap(b->data, b->room);
    if (b->places)
        munmap(b->places, b->most * sizeof *b->places);
    if (b->other)
        munmap(b->other, b->most * sizeof *b->other);
    for (size_t i = 0; i < b->nruns; i++)
        free(b->runs[i].buffer);
    fs_close(&b->file);
}
