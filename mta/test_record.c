#include "mta/test_record.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/model/json.h"

struct step {
    const struct ruleset *ruleset;
    const char **tokens;
    size_t n;
    bool enter;
};

struct asked {
    const char *map, *key, *value;
    enum map_verdict verdict;
};

struct member {
    const char *key, *value;
};

struct test_record {
    struct arena *arena; /* of one record */
    const char *question;
    struct step *steps;
    struct asked *lookups;
    const char **notes;
    struct member *members;
    size_t nsteps, nlookups, nnotes, nmembers;
    size_t step_room, lookup_room, note_room, member_room;
    struct buf text, out;
};

struct test_record *test_record_new(struct arena *a)
{
    struct test_record *t = arena_alloc(a, sizeof *t);

    t->arena = arena_beside(a);
    return t;
}

void test_record_close(struct test_record *t)
{
    if (t)
        arena_free(t->arena);
}

void test_record_begin(struct test_record *t, const char *question)
{
    struct arena *a = t->arena;

    arena_reset(a);
    *t = (struct test_record){.arena = a, .question = arena_strdup(a, question)};
    buf_init(&t->text, a);
    buf_init(&t->out, a);
}

void test_record_step(struct test_record *t, bool enter, const struct ruleset *r,
                      const struct tokens *ws)
{
    struct ruleset *copy = arena_alloc(t->arena, sizeof *copy); /* it may be the caller's own */
    const char **tokens = arena_alloc(t->arena, (ws->n + 1) * sizeof *tokens);

    *copy = *r;
    for (uint32_t i = 0; i < ws->n; i++)
        tokens[i] = arena_strndup(t->arena, ws->v[i].p, ws->v[i].len);
    t->steps = arena_grow(t->arena, t->steps, t->nsteps, &t->step_room, sizeof *t->steps, 16);
    t->steps[t->nsteps++] = (struct step){copy, tokens, ws->n, enter};
}

void test_record_lookup(struct test_record *t, const char *map, const char *key,
                        const struct lookup_answer *answer)
{
    t->lookups =
        arena_grow(t->arena, t->lookups, t->nlookups, &t->lookup_room, sizeof *t->lookups, 8);
    t->lookups[t->nlookups++] = (struct asked){
        arena_strdup(t->arena, map), arena_strdup(t->arena, key),
        answer->value.p ? arena_strndup(t->arena, answer->value.p, answer->value.len) : NULL,
        answer->verdict};
}

void test_record_note(struct test_record *t, const char *text)
{
    t->notes = arena_grow(t->arena, t->notes, t->nnotes, &t->note_room, sizeof *t->notes, 8);
    t->notes[t->nnotes++] = arena_strdup(t->arena, text);
}

void test_record_member(struct test_record *t, const char *key, const char *value)
{
    t->members =
        arena_grow(t->arena, t->members, t->nmembers, &t->member_room, sizeof *t->members, 8);
    t->members[t->nmembers++] = (struct member){key, value ? arena_strdup(t->arena, value) : NULL};
}

void test_record_text(struct test_record *t, const char *s, size_t len)
{
    buf_add(&t->text, s, len);
}

static void write_tokens(struct json *j, const struct step *s)
{
    json_open_array(j, "tokens");
    for (size_t i = 0; i < s->n; i++)
        json_member(j, NULL, s->tokens[i]);
    json_close(j);
}

static void write_trace(struct json *j, const struct test_record *t)
{
    char number[8];

    json_open_array(j, "trace");
    for (size_t i = 0; i < t->nsteps; i++) {
        const struct step *s = &t->steps[i];
        json_open_object(j, NULL);
        json_member(j, "event", s->enter ? "enter" : "leave");
        json_member(j, "ruleset", program_ruleset_label(s->ruleset, number));
        json_member_number(j, "number", s->ruleset->number);
        write_tokens(j, s);
        json_close(j);
    }
    json_close(j);
}

static void write_lookups(struct json *j, const struct test_record *t)
{
    static const char *const verdicts[] = {"found", "not found", "failed"};

    json_open_array(j, "lookups");
    for (size_t i = 0; i < t->nlookups; i++) {
        const struct asked *l = &t->lookups[i];
        json_open_object(j, NULL);
        json_member(j, "map", l->map);
        json_member(j, "key", l->key);
        json_member(j, "verdict", verdicts[l->verdict]);
        json_member(j, "value", l->value);
        json_close(j);
    }
    json_close(j);
}

/* What a command says, or what the last ruleset made. */
static void write_result(struct json *j, const struct test_record *t)
{
    json_open_object(j, "result");
    for (size_t i = 0; i < t->nmembers; i++)
        json_member(j, t->members[i].key, t->members[i].value);
    if (t->nmembers == 0 && t->nsteps > 0)
        write_tokens(j, &t->steps[t->nsteps - 1]);
    json_close(j);
}

const struct buf *test_record_end(struct test_record *t, int status)
{
    struct json j;

    json_start_line(&j, &t->out);
    json_open_object(&j, NULL);
    json_member(&j, "question", t->question);
    write_trace(&j, t);
    write_lookups(&j, t);
    json_open_array(&j, "notes");
    for (size_t i = 0; i < t->nnotes; i++)
        json_member(&j, NULL, t->notes[i]);
    json_close(&j);
    write_result(&j, t);
    json_member(&j, "text", t->text.len ? t->text.data : "");
    json_member_number(&j, "status", status);
    json_close(&j);
    json_end(&j);
    return &t->out;
}
