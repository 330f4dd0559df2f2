#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

/* Under AddressSanitizer the unused part of a chunk is poisoned and objects keep a gap between
 * them, so that a run over an object's end is found although the arena owns what follows. */
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
enum { GAP = 16 };
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { GAP = 0 };
#endif

enum { ALIGN = alignof(max_align_t), CHUNK = 64 * 1024, PAGE = 4096 };
#define HUGE_PAGE ((size_t)2 << 20)

struct chunk {
    struct chunk *next;
    size_t size; /* of bytes */
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct chunk *first;
    struct chunk *current; /* chunks after it are empty */
    size_t used;
    void (*on_oom)(void *ctx);
    void *ctx;
};

static _Noreturn void refuse(void (*on_oom)(void *), void *ctx)
{
    if (on_oom)
        on_oom(ctx);
    abort(); /* a handler that returns breaks the contract */
}

struct arena *arena_new(void (*on_oom)(void *ctx), void *ctx)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a)
        refuse(on_oom, ctx);
    a->on_oom = on_oom;
    a->ctx = ctx;
    return a;
}

struct arena *arena_beside(const struct arena *a)
{
    return arena_new(a->on_oom, a->ctx);
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        UNPOISON(c->bytes, c->size);
        free(c);
    }
    free(a);
}

void arena_reset(struct arena *a)
{
    for (struct chunk *c = a->first; c; c = c->next) {
        POISON(c->bytes, c->size);
        c->used = 0;
    }
    a->current = a->first;
    a->used = 0;
}

/* Puts the memory after the current chunk, as one of size bytes, and makes it current. */
static void link_chunk(struct arena *a, struct chunk *c, size_t size)
{
    if (!c)
        refuse(a->on_oom, a->ctx);
    c->size = size;
    c->used = 0;
    POISON(c->bytes, c->size);
    if (a->current) {
        c->next = a->current->next;
        a->current->next = c;
    } else {
        c->next = NULL;
        a->first = c;
    }
    a->current = c;
}

static void add_chunk(struct arena *a, size_t size)
{
    size_t room = size > CHUNK ? size : CHUNK;
    if (room > SIZE_MAX - sizeof(struct chunk))
        refuse(a->on_oom, a->ctx);
    link_chunk(a, malloc(sizeof(struct chunk) + room), room);
}

void *arena_raw(struct arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGN - GAP)
        refuse(a->on_oom, a->ctx);
    size_t step = ((size ? size : 1) + GAP + ALIGN - 1) / ALIGN * ALIGN;
    while (!a->current || a->current->size - a->current->used < step) {
        if (a->current)
            a->used += a->current->size - a->current->used;
        /* After a reset the chunks that follow are empty and may be large enough. */
        if (a->current && a->current->next)
            a->current = a->current->next;
        else
            add_chunk(a, step);
    }
    void *p = a->current->bytes + a->current->used;
    a->current->used += step;
    a->used += step - GAP;
    UNPOISON(p, size ? size : 1);
    return p;
}

void arena_reserve(struct arena *a, size_t size)
{
    struct chunk *was = a->current;
    if (size > SIZE_MAX - HUGE_PAGE - sizeof(struct chunk))
        refuse(a->on_oom, a->ctx);
    /* Whole large pages, where the system has such: one fault and not some hundred. */
    size_t whole = (size + sizeof(struct chunk) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = aligned_alloc(HUGE_PAGE, whole);
    if (memory)
        madvise(memory, whole, MADV_HUGEPAGE);
    link_chunk(a, memory, whole - sizeof(struct chunk));
    struct chunk *c = a->current;
    if (was && was->next == c) /* what is left of it comes first */
        a->current = was;
    UNPOISON(c->bytes, c->size);
    for (size_t i = 0; i < size; i += PAGE)
        c->bytes[i] = 0; /* which the system answers with a page */
    POISON(c->bytes, c->size);
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(arena_raw(a, size), 0, size ? size : 1);
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
    size_t product;
    if (__builtin_mul_overflow(n, size, &product))
        refuse(a->on_oom, a->ctx);
    return arena_alloc(a, product);
}

void *arena_grow(struct arena *a, void *v, size_t count, size_t *room, size_t size, size_t least)
{
    if (count < *room)
        return v;
    size_t more = *room;
    if (*room && __builtin_mul_overflow(*room, 2, &more))
        refuse(a->on_oom, a->ctx);
    more = more ? more : least;
    void *grown = arena_calloc(a, more, size);
    if (count)
        memcpy(grown, v, count * size);
    *room = more;
    return grown;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    if (len == SIZE_MAX)
        refuse(a->on_oom, a->ctx);
    char *p = arena_raw(a, len + 1);
    if (len)
        memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char shortly[256]; /* most are, and are written once then */
    va_list again;
    va_copy(again, ap);
    /* The analyzer loses sight of a caller's va_start. */
    int n = vsnprintf(shortly, sizeof shortly, fmt, ap); /* NOLINT(clang-analyzer-valist*) */
    if (n < 0) /* longer than an int can say, or a bad wide character: we use none */
        refuse(a->on_oom, a->ctx);
    char *p = arena_raw(a, (size_t)n + 1);
    if ((size_t)n < sizeof shortly)
        memcpy(p, shortly, (size_t)n + 1);
    else
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
