#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/json.h"
#include "mta/control.h"
#include "mta/implemented.h"
#include "mta/machine.h"
#include "mta/modes/mode.h"
#include "mta/policy/worker.h"
#include "mta/store/queue.h"

/* Rows that the configuration concerns: the first item of each. */
struct concerned {
    const struct item **items;
};

static void note(void *ctx, const struct does *row, const struct item *it, bool matters)
{
    struct concerned *c = ctx;
    const struct item **at = &c->items[row - implemented_rows];

    (void)matters;
    if (!*at)
        *at = it;
}

static void print_row(const struct does *r, const char *place)
{
    printf("%-11s  %-11s  %-26s%s%s%s%s\n", implemented_how(r->how), implemented_kind(r->kind),
           r->name, *place ? "  " : "", place, *r->why ? "  " : "", r->why);
}

static void json_row(struct json *j, const struct does *r, const char *place)
{
    json_open_object(j, NULL);
    json_member(j, "how", implemented_how(r->how));
    json_member(j, "kind", implemented_kind(r->kind));
    json_member(j, "name", r->name);
    json_member(j, "at", *place ? place : NULL);
    json_member(j, "why", r->why);
    json_close(j);
}

static const char *place_of(const struct mode_setup *m, const struct item *it)
{
    const struct source *s = it ? source_by_id(m->program->config->sources, it->at.file) : NULL;

    return s ? arena_printf(m->arena, "%s:%u", s->path, it->at.line) : "";
}

/* Without --all, what is implemented goes without saying. */
static bool is_shown(const struct mode_setup *m, const struct does *r, const struct item *it)
{
    return m->given->all || (it && r->how != DOES_IMPLEMENTED);
}

static void json_findings(const struct mode_setup *m, struct json *j)
{
    static const char *const names[] = {"note", "warning", "error"};
    size_t n;
    const struct finding *const *v = diag_sorted(m->findings, &n);

    json_open_array(j, "findings");
    for (size_t i = 0; i < n; i++) {
        const struct source *s = source_by_id(m->program->config->sources, v[i]->at.file);
        json_open_object(j, NULL);
        json_member(j, "severity", names[v[i]->severity]);
        json_member(j, "id", v[i]->id);
        json_member(j, "file", s ? s->path : NULL);
        json_member_number(j, "line", v[i]->at.line);
        json_member(j, "text", v[i]->text);
        json_member(j, "hint", v[i]->hint);
        json_close(j);
    }
    json_close(j);
}

static void print_all(const struct mode_setup *m, const struct concerned *c)
{
    struct json j;
    struct buf b;

    buf_init(&b, m->arena);
    if (m->given->json) {
        json_start(&j, &b);
        json_open_object(&j, NULL);
        json_findings(m, &j);
        json_open_array(&j, "rows");
    } else {
        diag_print(m->findings, stdout, false);
    }
    for (size_t i = 0; i < implemented_count; i++) {
        const struct does *r = &implemented_rows[i];
        if (!is_shown(m, r, c->items[i]))
            continue;
        if (m->given->json)
            json_row(&j, r, place_of(m, c->items[i]));
        else
            print_row(r, place_of(m, c->items[i]));
    }
    if (m->given->json) {
        json_close(&j);
        json_close(&j);
        fwrite(b.data, 1, b.len, stdout);
    }
}

int check_run(const struct mode_setup *m)
{
    struct concerned c = {arena_calloc(m->arena, implemented_count, sizeof *c.items)};

    implemented_walk(m->program->config, note, &c);
    print_all(m, &c);
    return diag_count(m->findings, DIAG_WARNING) ? 1 : EX_OK;
}

void check_machine(const struct mode_setup *m)
{
    const struct service *s = service_new(m->arena, m->program, m->world);
    /* Who has the queue has the ports, most likely: a daemon that runs. */
    bool runs = queue_is_held(setting_text(m->program, "QueueDirectory"));

    implemented_check(m->program->config, m->given, m->findings);
    struct machine_setup how = {.host = s->host,
                                .path = m->given->path,
                                .ports = m->given->mode == MODE_CHECK && !runs &&
                                         !setting_true(m->program, "UseMSP"),
                                .makes = m->given->mode != MODE_CHECK && geteuid() == 0,
                                .no_names = m->no_names};
    machine_check(m->program, &how, m->findings);
}
