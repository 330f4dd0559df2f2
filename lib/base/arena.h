/*
 * arena: memory named by its lifetime: one configuration, one message, one
 * evaluation.  Everything allocated from an arena dies with it; nothing is
 * freed alone.
 *
 * Invariants: what arena_alloc returns is zeroed, aligned for any object and
 * never NULL.  When memory is refused the arena calls the handler that its
 * maker gave; the handler must not return (a program exits, a test longjmps).
 * An arena belongs to one thread.
 */
#ifndef MCF_BASE_ARENA_H
#define MCF_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* on_oom(ctx) is called when memory is refused; it must not return. */
struct arena *arena_new(void (*on_oom)(void *ctx), void *ctx);
/* Another one with the same handler, for what has a lifetime of its own. */
struct arena *arena_beside(const struct arena *a);
void arena_free(struct arena *a);  /* NULL is fine */
void arena_reset(struct arena *a); /* drops every object, keeps the memory */

/* size in bytes, which are 0; 0 gives a unique pointer. */
void *arena_alloc(struct arena *a, size_t size);
/* The same, not cleared: for one who writes all of it at once. */
void *arena_raw(struct arena *a, size_t size);
/* The next size bytes are there already when they are asked for: for one who has to wait anyway. */
void arena_reserve(struct arena *a, size_t size);
/* n objects of size bytes; an overflow of the product counts as refused memory. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* Room for one more behind count elements of size bytes: v as it is, or a copy that has twice the
 * room (at first: least), of which what is new is 0.  *room counts elements; v may be NULL if it is
 * 0.
 */
void *arena_grow(struct arena *a, void *v, size_t count, size_t *room, size_t size, size_t least);
/* Copies, always NUL-terminated; len in bytes, without the NUL. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);
/* Bytes that are taken since the arena was made or reset: what was handed out, rounded up, and what
 * is left over where that did not fit. */
size_t arena_used(const struct arena *a);

#endif
