#include "mta/policy/worker.h"

#include <string.h>

#include "lib/base/arena.h"

enum { NOTES_MAX = 100 };

static void keep_note(void *ctx, int status, const char *text)
{
    struct worker *w = ctx;

    if (w->nnotes >= NOTES_MAX)
        return;
    w->notes = arena_grow(w->arena, w->notes, w->nnotes, &w->note_room, sizeof *w->notes, 4);
    w->notes[w->nnotes++] = (struct note){status, arena_strdup(w->arena, text)};
}

static void keep_rule(void *ctx, const struct rule *rule, const struct tokens *ws)
{
    struct worker *w = ctx;

    if (ws)
        w->decided = rule;
}

struct service *service_new(struct arena *a, const struct program *p,
                            const struct lookup_world *world)
{
    struct service *s = arena_alloc(a, sizeof *s);

    s->program = p;
    s->world = world;
    s->ids = arena_alloc(a, sizeof *s->ids);
    ids_begin(s->ids, time(NULL)); /* a process of this number may have been there before */
    s->listeners = settings_listeners(a, p, &s->nlisteners);
    s->privacy = setting_privacy(p);
    struct rewrite *r = rewrite_new(a, p, NULL);
    rewrite_begin(r);
    s->host = arena_strdup(a, rewrite_expand(r, "$j", 2, NULL));
    s->version = arena_strdup(a, rewrite_expand(r, "$v/$Z", 5, NULL));
    const char *text = setting_text(p, "ErrorHeader");
    s->error_text =
        *text == '/' ? "" : arena_strdup(a, rewrite_expand(r, text, strlen(text), NULL));
    rewrite_close(r);
    return s;
}

struct worker *worker_new(struct arena *a, const struct service *s)
{
    struct worker *w = arena_alloc(a, sizeof *w);
    const struct program *p = s->program;

    w->service = s;
    w->own = a;
    w->arena = arena_beside(a);
    w->resolver = resolver_new(a);
    resolver_set_options(w->resolver, program_option(p, "ResolverOptions"),
                         program_is_true(p, "UseCompressedIPv6Addresses", false));
    w->world = *s->world;
    w->world.resolver = w->resolver;
    w->r = rewrite_new(a, p, &w->world);
    w->watch = (struct rewrite_watch){.ctx = w, .note = keep_note};
    if (s->log && (s->log->places || s->log->json >= 0))
        w->watch.tried = keep_rule;
    rewrite_watch(w->r, &w->watch);
    return w;
}

void worker_close(struct worker *w)
{
    if (!w)
        return;
    rewrite_close(w->r);
    resolver_close(w->resolver);
    arena_free(w->arena);
}

void worker_forget_notes(struct worker *w)
{
    w->notes = NULL;
    w->nnotes = w->note_room = 0;
}

void worker_begin(struct worker *w, struct rewrite_macros *m)
{
    arena_reset(w->arena);
    worker_forget_notes(w);
    rewrite_use(w->r, m);
}

void worker_set(struct worker *w, const char *name, const char *value)
{
    rewrite_set(w->r, name, strlen(name), value, value ? strlen(value) : 0);
}

void worker_setf(struct worker *w, const char *name, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    worker_set(w, name, arena_vprintf(w->arena, fmt, ap));
    va_end(ap);
}

const char *worker_get(struct worker *w, const char *name)
{
    const char *value = rewrite_get(w->r, name, strlen(name));

    return value ? arena_strdup(w->arena, value) : "";
}

const char *worker_expanded(struct worker *w, const char *name)
{
    const char *text = arena_printf(w->arena, "${%s}", name);

    return arena_strdup(w->arena, rewrite_expand(w->r, text, strlen(text), NULL));
}
