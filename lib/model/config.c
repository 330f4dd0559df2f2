#include "lib/model/config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/json.h"

struct config *config_new(struct arena *a, struct source_set *sources)
{
    struct config *c = arena_alloc(a, sizeof *c);

    c->arena = a;
    c->sources = sources;
    return c;
}

struct item *config_add(struct config *c, enum item_kind kind)
{
    struct item *it = arena_alloc(c->arena, sizeof *it);

    it->kind = kind;
    it->text = "";
    if (c->last)
        c->last->next = it;
    else
        c->first = it;
    c->last = it;
    c->count++;
    return it;
}

const char *item_label(enum item_kind kind)
{
    static const char *const labels[] = {
#define ITEM(name, ch, label, text) [ITEM_##name] = (label),
#include "lib/model/items.def"
#undef ITEM
    };

    return (size_t)kind < ITEM_KINDS ? labels[kind] : "other";
}

void config_emit(const struct config *c, struct buf *out)
{
    enum { LINE_LENGTH = 48 }; /* mostly */

    buf_reserve(out, c->count * LINE_LENGTH);
    for (const struct item *it = c->first; it; it = it->next) {
        buf_adds(out, it->text);
        buf_addc(out, '\n');
    }
}

/* --- dump --------------------------------------------------------------------------------- */

/* What the item's value and aux are called in JSON, by kind; NULL: the kind has no such part. */
static const struct part_names {
    const char *name, *value, *aux;
} part_names[ITEM_KINDS] = {
    [ITEM_VERSION] = {NULL, "level", "vendor"},  [ITEM_MACRO] = {"name", "value", NULL},
    [ITEM_CLASS] = {"name", NULL, NULL},         [ITEM_CLASSFILE] = {"name", "spec", NULL},
    [ITEM_MAP] = {"name", "arguments", "class"}, [ITEM_MAILER] = {"name", NULL, NULL},
    [ITEM_HEADER] = {"name", "value", "flags"},  [ITEM_OPTION] = {"name", "value", NULL},
    [ITEM_PRIORITY] = {"name", "value", NULL},   [ITEM_RULESET] = {"name", "number", NULL},
    [ITEM_RULE] = {NULL, "right", "left"},       [ITEM_FILTER] = {"name", NULL, NULL},
    [ITEM_QUEUE] = {"name", NULL, NULL},         [ITEM_ENV] = {"name", "value", NULL},
};

static void dump_string(struct json *j, const char *key, const char *value)
{
    if (key && value)
        json_member(j, key, value);
}

static void dump_origin(struct json *j, const struct config *c, const char *key, struct origin at)
{
    const struct source *src = source_by_id(c->sources, at.file);

    if (src)
        json_member(j, key, arena_printf(c->arena, "%s:%u", src->path, at.line));
}

static void dump_item(struct json *j, const struct config *c, const struct item *it)
{
    const struct part_names *names = &part_names[it->kind];

    json_open_object(j, NULL);
    json_member(j, "kind", item_label(it->kind));
    dump_string(j, names->name, it->name);
    dump_string(j, names->aux, it->aux);
    /* Without "=" an option or a variable has no value, which differs from an empty one. */
    if ((it->kind != ITEM_OPTION && it->kind != ITEM_ENV) || it->aux)
        dump_string(j, names->value, it->value);
    dump_string(j, "comment", it->comment);
    if (it->short_option)
        json_member_bool(j, "short", true);
    if (it->words) {
        json_open_array(j, "words");
        for (size_t i = 0; it->words[i]; i++)
            json_member(j, NULL, it->words[i]);
        json_close(j);
    }
    if (it->equates) {
        json_open_array(j, "equates");
        for (const struct equate *e = it->equates; e; e = e->next) {
            json_open_object(j, NULL);
            json_member(j, "key", e->key);
            if (e->has_value)
                json_member(j, "value", e->value);
            json_close(j);
        }
        json_close(j);
    }
    json_member(j, "text", it->text);
    dump_origin(j, c, "at", it->at);
    dump_origin(j, c, "cause", it->cause);
    json_close(j);
}

void config_dump(const struct config *c, struct buf *out)
{
    struct json j;

    json_start(&j, out);
    json_open_object(&j, NULL);
    json_member(&j, "format", "mcf-model 1");
    json_open_array(&j, "items");
    for (const struct item *it = c->first; it; it = it->next)
        dump_item(&j, c, it);
    json_close(&j);
    json_close(&j);
    json_end(&j);
}
