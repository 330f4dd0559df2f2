#include "mta/policy/worker.h"

#include <string.h>
#include <syslog.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/bytes.h"
#include "mta/message/envelope.h"
#include "mta/milter/filters.h"
#include "mta/places.h"
#include "mta/text_file.h"

enum { NOTES_MAX = 100, LEVEL_TROUBLE = 1, TROUBLE_AGAIN_SECONDS = 60 };

static void keep_note(void *ctx, int status, const char *text)
{
    struct worker *w = ctx;

    if (w->nnotes >= NOTES_MAX)
        return;
    w->notes = arena_grow(w->arena, w->notes, w->nnotes, &w->note_room, sizeof *w->notes, 4);
    w->notes[w->nnotes++] = (struct note){status, arena_strdup(w->arena, text)};
}

void worker_log_trouble(struct worker *w, const char *text)
{
    struct log_event l;
    const time_t now = time(NULL);

    /* What stays as it is would be said again and again. */
    if (w->trouble && now < w->trouble_at + TROUBLE_AGAIN_SECONDS && strcmp(w->trouble, text) == 0)
        return;
    arena_reset(w->trouble_arena);
    w->trouble = arena_strdup(w->trouble_arena, text);
    w->trouble_at = now;
    log_begin(&l, w->service->log, w->arena, LEVEL_TROUBLE, LOG_CRIT, "trouble",
              bytes_of(worker_get(w, "i")));
    log_words(&l, "text", text);
    log_end(&l);
}

static void map_failed(void *ctx, const struct lookup_map *m, const char *why)
{
    (void)m;
    worker_log_trouble(ctx, why);
}

static void map_trouble(void *ctx, int status, const char *why)
{
    (void)status;
    worker_log_trouble(ctx, why);
}

static void keep_answer(void *ctx, const struct lookup_map *m, const char *key,
                        const struct tokens *value)
{
    struct worker *w = ctx;
    struct decision *d = &w->decision;
    struct map_answer *to = &d->answers[d->nanswers % ANSWERS_KEPT];

    if (!value->n || !lookup_has_entries(m))
        return;
    *to = (struct map_answer){lookup_map_name(m), arena_strdup(w->arena, key), value->v[0].p,
                              value->v[0].p};
    for (uint32_t i = 0; i < value->n; i++) {
        const struct token *t = &value->v[i];
        to->from = t->p < to->from ? t->p : to->from;
        to->to = t->p + t->len > to->to ? t->p + t->len : to->to;
    }
    d->nanswers++;
}

/* The last answer of which something is in ws; NULL: none. */
static const struct map_answer *answer_in(const struct decision *d, const struct tokens *ws)
{
    const size_t kept = d->nanswers < ANSWERS_KEPT ? d->nanswers : ANSWERS_KEPT;

    for (size_t i = 1; i <= kept; i++) {
        const struct map_answer *a = &d->answers[(d->nanswers - i) % ANSWERS_KEPT];
        for (uint32_t k = 0; k < ws->n; k++) {
            if (ws->v[k].p >= a->from && ws->v[k].p < a->to)
                return a;
        }
    }
    return NULL;
}

static void keep_rule(void *ctx, const struct rule *rule, const struct tokens *ws)
{
    struct worker *w = ctx;

    if (w->decision.over)
        return;
    /* What was decided already is handed on. */
    for (uint32_t i = 0; i < ws->n; i++) {
        if (ws->v[i].id == OP_HASH)
            return;
    }
    w->decision.rule = rule;
    const struct map_answer *a = answer_in(&w->decision, ws);
    w->decision.answer = a ? *a : (struct map_answer){0};
    w->decision.over = w->decision.of_mailer && rule->mode == RULE_RESOLVE;
}

/* Each line with its macros carried out; "": there is none. */
static const char *error_text(struct arena *a, const struct program *p,
                              const struct lookup_world *world, struct rewrite *r)
{
    const char *text = setting_text(p, "ErrorHeader");
    struct buf out;

    if (*text == '/')
        text = text_file_read(a, world->trust, text, &trust_error_header);
    buf_init(&out, a);
    buf_adds(&out, "");
    for (size_t n; text && *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        buf_printf(&out, "%s%s", out.len ? "\n" : "", rewrite_expand(r, text, n, NULL));
    }
    return out.data;
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
    s->filters = filters_read(a, p, s->listeners, s->nlisteners);
    s->filtered = filters_are_asked(s->filters, s->nlisteners);
    s->privacy = setting_privacy(p);
    struct rewrite *r = rewrite_new(a, p, NULL);
    rewrite_begin(r);
    s->host = arena_strdup(a, rewrite_expand(r, "$j", 2, NULL));
    s->version = arena_strdup(a, rewrite_expand(r, "$v/$Z", 5, NULL));
    s->error_text = error_text(a, p, world, r);
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
    w->trouble_arena = arena_beside(a);
    w->resolver = resolver_new(a);
    resolver_set_options(w->resolver, program_option(p, "ResolverOptions"),
                         program_is_true(p, "UseCompressedIPv6Addresses", false));
    w->world = *s->world;
    w->world.resolver = w->resolver;
    w->r = rewrite_new(a, p, &w->world);
    w->watch = (struct rewrite_watch){
        .ctx = w, .note = keep_note, .failed = map_failed, .trouble = map_trouble};
    if (s->log && (s->log->places || s->log->json >= 0)) {
        w->watch.matching = keep_rule;
        w->watch.found = keep_answer;
    }
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
    arena_free(w->trouble_arena);
}

void worker_forget_notes(struct worker *w)
{
    w->notes = NULL;
    w->nnotes = w->note_room = 0;
}

void worker_forget_decision(struct worker *w)
{
    w->decision.rule = NULL;
    w->decision.answer.map = NULL;
    w->decision.nanswers = 0;
    w->decision.of_mailer = w->decision.over = false;
}

void worker_log_decision(struct worker *w, struct log_event *l)
{
    const struct decision *d = &w->decision;
    const struct item *it = d->rule ? d->rule->item : NULL;
    const struct log *log = w->service->log;
    const char *from = it && log ? places_find(w->arena, log->places, it->at.line) : NULL;

    if (it)
        log_detail(l, "rule", arena_printf(w->arena, "%u", it->at.line));
    if (from)
        log_text(l, "source", from);
    if (d->answer.map) {
        log_text(l, "map", d->answer.map);
        log_text(l, "key", d->answer.key);
    }
}

void worker_begin(struct worker *w, struct rewrite_macros *m)
{
    arena_reset(w->arena);
    worker_forget_notes(w);
    worker_forget_decision(w);
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
