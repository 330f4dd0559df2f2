/*
 * front_fuzz: any bytes as an .mc: m4, tree, checks, the model, the .cf, a way to report it, and
 * what the edits make of it.
 *
 * What must hold: a model without an error or errors that say why there is none; findings and edits
 * stand inside the text; an emitted .cf reads the same.  m4 runs for every input, confined to an
 * empty folder.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/fix.h"
#include "compiler/lower.h"
#include "compiler/report.h"
#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void fail(void *what)
{
    fprintf(stderr, "front_fuzz: %s\n", what ? (const char *)what : "out of memory");
    abort();
}

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "front_fuzz: %s\n", what);
        abort();
    }
}

static char folder[] = "/tmp/mcf-fuzz-XXXXXX";

static void remove_folder(void)
{
    rmdir(folder);
}

static const char *empty_folder(void)
{
    static int made;
    if (!made) {
        must(mkdtemp(folder) != NULL, "no folder");
        must(atexit(remove_folder) == 0, "atexit");
        made = 1;
    }
    return folder;
}

static void check_place(const struct source_set *set, struct origin at)
{
    const struct source *s = source_by_id(set, at.file);
    size_t len;
    must(at.file == 0 || s, "a finding in no file");
    if (at.col == 0)
        return;
    must(s && s->bytes && at.line, "a column of no line");
    must(at.line <= s->lines + 1, "a column of a line beyond the end");
    const char *line = source_line(s, at.line, &len);
    if (at.col > (line ? len : 0) + 2) /* CR, LF */
        fprintf(stderr, "%s:%u:%u of %zu\n", s->path, at.line, at.col, line ? len : 0);
    must(at.col <= (line ? len : 0) + 2, "a column beyond its line");
}

static void check_findings(struct source_set *set, struct diag *d)
{
    size_t n;
    const struct finding *const *f = diag_sorted(d, &n);
    for (size_t i = 0; i < n; i++) {
        must(f[i]->text && *f[i]->text && f[i]->id, "a finding without words");
        check_place(set, f[i]->at);
        for (const struct edit *e = f[i]->edits; e; e = e->next) {
            check_place(set, e->at);
            const struct source *s = source_by_id(set, e->at.file);
            must(s && e->at.line && e->at.col, "an edit without a place");
            must(e->at.len <= s->len - source_offset(s, e->at.line, e->at.col),
                 "an edit beyond the end");
        }
    }
}

static void check_report(struct source_set *set, struct diag *d, size_t which)
{
    static const char *const formats[] = {"text", "json", "sarif", "github"};
    enum report_format f;
    FILE *out = fopen("/dev/null", "w");
    must(out != NULL, "/dev/null");
    must(report_format_find(formats[which % 4], &f), "a format is missing");
    report(d, set, f, out);
    fclose(out);
}

static void check_emitted(struct arena *a, struct source_set *set, const struct config *c)
{
    struct buf out;
    buf_init(&out, a);
    config_emit(c, &out);
    struct config *again = config_new(a, set);
    cf_read(again, out.data, out.len, source_add(set, "emitted.cf", out.data, out.len), NULL, true,
            NULL);
    must(config_compare(a, c, again) == NULL, "the .cf reads otherwise than it was meant");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct arena *a = arena_new(fail, NULL);
    struct fix fix;
    fix_init(&fix, a, "fuzz.mc", NULL);
    const char *text = (const char *)bytes;
    for (int round = 0; round < 3; round++) {
        struct source_set *set = source_set_new(a);
        struct diag *d = diag_new(a, set);
        struct config *c = config_new(a, set);
        struct lower_options o = {
            .given = true, .confine = empty_folder(), .cpu_seconds = 1, .lax = len % 2};
        source_add(set, fix.path, text, len);
        bool good = lower_mc(c, fix.path, &o, d);
        must(good == (diag_count(d, DIAG_ERROR) == 0), "no model and no error, or both");
        check_findings(set, d);
        check_report(set, d, len / 2);
        if (good)
            check_emitted(a, set, c);
        if (fix_apply(&fix, d, set) == 0)
            break;
        const struct fix_file *now = fix_find(&fix, fix.path);
        text = now->text;
        len = now->len;
    }
    arena_free(a);
    return 0;
}
