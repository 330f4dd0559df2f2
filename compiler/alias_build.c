#include "compiler/alias_build.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "compiler/map_file.h"
#include "compiler/map_local.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/base/table.h"
#include "lib/maps/map_lines.h"

/* --- this host -------------------------------------------------------------------------------- */

static bool is_host(void *ctx, const char *host)
{
    return table_has(ctx, host);
}

static bool is_option(const struct item *it, const char *name, const char *letter)
{
    return it->kind == ITEM_OPTION && it->value &&
           (it->short_option ? strcmp(it->name, letter) == 0 : strcasecmp(it->name, name) == 0);
}

struct alias_terms alias_terms_of(struct arena *a, const struct config *c)
{
    struct table *hosts = c ? map_local_names(c) : table_new(a);
    struct alias_terms t = alias_terms_usual;
    t.local = is_host;
    t.ctx = hosts;
    table_set(hosts, "localhost", hosts);
    if (c) {
        t.blank = ' ';
        table_set(hosts, "[127.0.0.1]", hosts);
    }
    for (const struct item *it = c ? c->first : NULL; it; it = it->next)
        if (is_option(it, "OperatorChars", ""))
            t.operators = it->value;
        else if (is_option(it, "BlankSub", "B"))
            t.blank = *it->value ? *it->value : ' ';
    return t;
}

/* --- the work --------------------------------------------------------------------------------- */

enum finding_id alias_finding(enum alias_fault fault)
{
    static const enum finding_id ids[] = {[ALIAS_BLANK_FIRST] = FINDING_MAP_ALIAS_BLANK,
                                          [ALIAS_NO_COLON] = FINDING_MAP_ALIAS_COLON,
                                          [ALIAS_NO_NAME] = FINDING_MAP_ALIAS_NAME,
                                          [ALIAS_NO_VALUE] = FINDING_MAP_NO_VALUE,
                                          [ALIAS_QUOTE] = FINDING_MAP_ALIAS_NAME_QUOTE,
                                          [ALIAS_COLON_IN] = FINDING_MAP_ALIAS_COLON_IN,
                                          [ALIAS_NUL] = FINDING_MAP_NUL,
                                          [ALIAS_LONG] = FINDING_MAP_ALIAS_LONG,
                                          [ALIAS_BYTE] = FINDING_MAP_ALIAS_BYTE,
                                          [ALIAS_NO_ADDRESS] = FINDING_MAP_ALIAS_ADDRESS,
                                          [ALIAS_LONG_NAME] = FINDING_MAP_ALIAS_LONG_NAME,
                                          [ALIAS_NOT_LOCAL] = FINDING_MAP_ALIAS_NOT_LOCAL};
    return ids[fault];
}

struct filling {
    struct alias_result r;
    struct arena *arena;
    const struct source *source;
    struct map_build *to;
};

static void again(void *ctx, struct map_bytes key, uint32_t first, uint32_t line)
{
    struct filling *f = ctx;
    size_t n = key.len - (key.len > 0 && key.p[key.len - 1] == '\0');
    finding_add(f->r.diag, FINDING_MAP_ALIAS_AGAIN, (struct origin){f->source->id, line, 0, 0},
                arena_strndup(f->arena, key.p, n), arena_printf(f->arena, "%u", first), NULL);
}

static void say(struct filling *f, const struct alias_entry *e, enum alias_fault fault)
{
    bool named = e->name.end > e->name.begin && fault != ALIAS_NO_COLON;
    struct alias_span at = named ? e->name : e->line;
    struct origin place = source_origin(f->source, at.begin, named ? at.end - at.begin : 0);
    if (f->r.first == ALIAS_GOOD)
        f->r.first = fault;
    finding_add(f->r.diag, alias_finding(fault), place,
                arena_strndup(f->arena, f->source->bytes + at.begin, at.end - at.begin), NULL);
}

static int add(struct filling *f, const struct alias_entry *e, struct buf *key, struct buf *value)
{
    size_t n = key->len + value->len;
    f->r.entries++;
    f->r.bytes += n;
    if (value->len > f->r.longest)
        f->r.longest = value->len;
    return map_build_add(f->to, (struct map_bytes){key->data, key->len},
                         (struct map_bytes){value->data, value->len},
                         source_origin(f->source, e->line.begin, 0).line);
}

static int fill(struct filling *f, const struct alias_job *job)
{
    struct alias_reader r = {f->source->bytes, f->source->len, 0, ALIAS_LONGEST};
    struct alias_entry e;
    struct buf key, value;
    int rc = 0;
    buf_init(&key, f->arena);
    buf_init(&value, f->arena);
    while (rc == 0 && alias_next(&r, &e)) {
        buf_truncate(&key, 0);
        buf_truncate(&value, 0);
        enum alias_fault fault = e.fault;
        if (fault == ALIAS_GOOD)
            fault = alias_name(r.text, e.name, &job->terms, &key);
        if (fault != ALIAS_GOOD) {
            if (fault != ALIAS_REMARK)
                say(f, &e, fault);
            continue;
        }
        alias_value(r.text, e.value, &value);
        rc = add(f, &e, &key, &value);
    }
    const struct map_bytes end = {"@", 1};
    return rc ? rc : map_build_add(f->to, end, end, UINT32_MAX);
}

struct alias_result alias_build(struct arena *a, const struct alias_job *job)
{
    struct filling f = {.arena = a, .r = {.failed = job->source}};
    const struct map_build_options o = {.type = job->type,
                                        .replace = true,
                                        .told = true,
                                        .nul = job->nul,
                                        .again = again,
                                        .ctx = &f};
    f.r.sources = source_set_new(a);
    f.r.diag = diag_new(a, f.r.sources);
    f.source = source_open(f.r.sources, job->source, &f.r.error);
    if (!f.source->bytes)
        return f.r;
    f.r.failed = job->path;
    f.r.error = job->looked_at ? 0 : map_file_safe(job->path, &f.r.why);
    if (f.r.error)
        return f.r;
    f.to = map_build_new(a, &o, fs_dirname(a, job->path));
    f.r.error = fill(&f, job);
    if (f.r.error == 0 && (f.r.first == ALIAS_GOOD || !job->good_only)) {
        const struct map_file_terms terms = {job->owner, NULL};
        f.r.error = map_file_write(a, f.to, job->path, false, &terms);
        f.r.written = f.r.error == 0;
    }
    map_build_free(f.to);
    return f.r;
}
