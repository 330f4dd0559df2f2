/*
 * alias_fuzz: any bytes as the source of an alias database.
 *
 * What must hold: entries follow one another, and only line ends are between them; their parts lie
 * inside them; what is stored is on one line, and its key, quoted where it has to be, is its own
 * key; what the check says stands inside the text.
 */
#include <string.h>

#include "compiler/map_check.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "lib/base/source.h"
#include "lib/maps/map_aliases.h"
#include "tests/fuzz/fuzz.h"

static bool local(void *ctx, const char *host)
{
    (void)ctx;
    return strlen(host) % 2 == 0;
}

static bool inside(struct alias_span s, struct alias_span of)
{
    return of.begin <= s.begin && s.begin <= s.end && s.end <= of.end;
}

static void check_parts(const char *text, const struct alias_entry *e)
{
    size_t end = e->more.end > e->line.end ? e->more.end : e->line.end;
    const struct alias_span all = {e->line.begin, end};
    if (e->fault != ALIAS_GOOD)
        return;
    must(inside(e->name, all) && inside(e->value, all));
    must(e->name.end < e->value.begin && e->name.begin < e->name.end);
    must(e->value.begin < e->value.end);
    struct alias_item i;
    size_t before = e->value.begin;
    for (size_t pos = before; alias_item_next(text, e->value, &pos, &i); before = i.at.end) {
        must(inside(i.at, e->value) && i.at.begin >= before && i.at.begin < i.at.end);
        must(pos > i.at.begin);
    }
}

static void check_stored(struct arena *a, const char *text, const struct alias_entry *e)
{
    struct alias_terms t = alias_terms_usual;
    struct buf key, again, value;
    t.local = local;
    buf_init(&key, a);
    buf_init(&again, a);
    buf_init(&value, a);
    buf_addc(&key, '!');
    enum alias_fault fault = alias_name(text, e->name, &t, &key);
    must(key.data[0] == '!' &&
         (fault == ALIAS_GOOD ? key.len > 1 && key.len <= 256 : key.len == 1));
    must(!memchr(key.data, '\n', key.len) && !memchr(key.data, '\0', key.len));
    if (fault == ALIAS_GOOD && !strpbrk(key.data + 1, "\"\\,;()<>")) {
        must(alias_name(key.data, (struct alias_span){1, key.len}, &t, &again) == ALIAS_GOOD);
        must(again.len == key.len - 1 && memcmp(again.data, key.data + 1, again.len) == 0);
    }
    alias_value(text, e->value, &value);
    must(value.len > 0 && value.len <= e->value.end - e->value.begin);
    must(!memchr(value.data, '\n', value.len));
}

static void check_findings(struct arena *a, const char *text, size_t size)
{
    struct source_set *set = source_set_new(a);
    const struct source *s = source_add(set, "fuzz", text, size);
    struct diag *d = diag_new(a, set);
    const struct map_checking c = {.arena = a,
                                   .diag = d,
                                   .source = s,
                                   .bytes = s->bytes,
                                   .keys = table_new(a),
                                   .own_tags = table_new(a),
                                   .kind = KIND_ALIASES};
    size_t n;
    map_check_aliases(&c);
    const struct finding *const *f = diag_sorted(d, &n);
    for (size_t i = 0; i < n; i++)
        must(f[i]->at.line <= s->lines + 1 &&
             source_offset(s, f[i]->at.line, f[i]->at.col) <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct arena *a = arena_new(out_of_memory, NULL);
    struct alias_reader r = {text, size, 0, size % 3 ? 0 : 40};
    struct alias_entry e;
    size_t at = 0;
    while (alias_next(&r, &e)) {
        must(e.line.begin >= at && e.line.begin < size && e.line.end <= size);
        for (; at < e.line.begin; at++)
            must(text[at] == '\n');
        at = e.more.end > e.line.end ? e.more.end : e.line.end;
        must(at <= size && r.pos > e.line.begin);
        check_parts(text, &e);
        if (e.fault == ALIAS_GOOD)
            check_stored(a, text, &e);
    }
    for (; at < size; at++)
        must(text[at] == '\n');
    check_findings(a, text, size);
    arena_free(a);
    return 0;
}
