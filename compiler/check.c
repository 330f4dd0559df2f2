/*
 * check: `mcf check`: says what is wrong with an .mc or a .cf, and mends it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compiler/arguments.h"
#include "compiler/fix.h"
#include "compiler/lower.h"
#include "compiler/report.h"
#include "compiler/target.h"
#include "compiler/verbs.h"
#include "grammar/cf.h"
#include "lib/base/arena.h"
#include "lib/base/diag.h"
#include "lib/base/fs.h"
#include "lib/model/check.h"
#include "lib/model/config.h"
#include "lib/model/findings.h"

/* Each round mends what the one before laid bare or had to leave. */
enum { ROUNDS_MAX = 50 };

/* One reading of the file. */
struct run {
    struct source_set *sources;
    struct diag *diag;
    bool read; /* false: the file could not be read */
};

/* sendmail.cf, and what is kept of one: sendmail.cf.bak, sendmail.cf~, sendmail.cf-2019. */
static bool is_cf(const char *path)
{
    const char *dot = strstr(fs_basename(path), ".cf");
    return dot && !isalnum((unsigned char)dot[3]) && !strstr(dot, ".mc");
}

/* The files of F lines are looked for: those beside the configuration must be there, others belong
 * perhaps to another machine. */
static void check_class_files(struct config *c, const struct source *s, struct diag *d)
{
    const char *folder = fs_dirname(c->arena, s->path);

    for (const struct item *it = c->first; it; it = it->next) {
        if (it->kind != ITEM_CLASSFILE || it->value[0] != '/')
            continue;
        const char *path = arena_strndup(c->arena, it->value, strcspn(it->value, " \t"));
        if (!fs_exists(path))
            finding_add(d,
                        strcmp(fs_dirname(c->arena, path), folder) == 0
                            ? FINDING_NO_CLASS_FILE
                            : FINDING_NO_CLASS_FILE_HERE,
                        it->at, path, NULL);
    }
}

static void check_cf(struct config *c, const struct source *s, const struct arguments *o,
                     struct diag *d)
{
    cf_read(c, s->bytes, s->len, s, NULL, true, d);
    config_check(c, NULL, d);
    check_class_files(c, s, d);
    struct release target = o->lower.target;
    if (!target.number)
        target_default(c->arena, &target);
    config_for_release(c, NULL, &target, d);
    if (o->lower.werror)
        diag_werror(d);
}

static struct run check(struct arena *a, const struct arguments *o, const struct fix *fix)
{
    struct run r = {.sources = source_set_new(a)};
    r.diag = diag_new(a, r.sources);
    struct config *c = config_new(a, r.sources);
    struct lower_options lower = o->lower;
    for (const struct fix_file *x = fix->files; x; x = x->next)
        if (!x->written) {
            source_add(r.sources, x->path, x->text, x->len);
            lower.given = lower.given || strcmp(x->path, o->file) == 0;
        }
    if (lower.confine)
        source_set_confine(r.sources, lower.confine);
    int err = 0;
    const struct source *s = source_open(r.sources, o->file, &err);
    r.read = s->bytes != NULL;
    if (err == EXDEV && lower.confine)
        finding_add(r.diag, FINDING_CONFINED, (struct origin){s->id, 0, 0, 0}, o->file,
                    lower.confine, NULL);
    else if (!r.read)
        finding_add(r.diag, FINDING_CANNOT_READ, (struct origin){s->id, 0, 0, 0}, o->file,
                    strerror(err), NULL);
    else if (is_cf(o->file))
        check_cf(c, s, o, r.diag);
    else
        lower_mc(c, o->file, &lower, r.diag);
    return r;
}

/* The differences that --fix would make; 0 or an exit code. */
static int show_differences(const struct fix *fix)
{
    for (const struct fix_file *x = fix->files; x; x = x->next) {
        if (!x->changed)
            continue;
        int rc = verb_show_difference("check", x->path, x->before, x->before_len, x->path, x->text,
                                      x->len);
        if (rc > 1)
            return rc;
    }
    return 0;
}

static int cannot_write(const char *path, int err)
{
    fprintf(stderr, "mcf check: cannot write %s: %s\n", path, strerror(err));
    return EXIT_CANNOT_WRITE;
}

static int run(struct arena *a, const struct arguments *o)
{
    struct fix fix;
    fix_init(&fix, a, o->file, o->lower.confine);
    struct run first = check(a, o, &fix), last = first;
    const char *path = NULL;
    bool mend = o->fix || o->diff;
    for (int i = 0; mend && i < ROUNDS_MAX && fix_apply(&fix, last.diag, last.sources) > 0; i++) {
        /* Two findings that want the opposite would go on for ever: this one ends as it began. */
        if (!fix_changed(&fix)) {
            buf_truncate(&fix.said, 0);
            last = first;
            break;
        }
        int err = o->diff ? 0 : fix_write(&fix, false, &path);
        if (err)
            return cannot_write(path, err);
        last = check(a, o, &fix);
    }
    if (o->diff) {
        int rc = show_differences(&fix);
        if (rc)
            return rc;
        last = first;
    } else if (mend) {
        int err = fix_write(&fix, true, &path);
        if (err)
            return cannot_write(path, err);
        fwrite(fix.said.data, 1, fix.said.len, stderr);
    }
    /* What was asked for goes to standard output: the differences, else the findings. */
    FILE *out = o->diff ? stderr : stdout;
    report(last.diag, last.sources, o->format, out);
    if (fflush(out) != 0 || ferror(out)) {
        fprintf(stderr, "mcf check: cannot write standard output: %s\n", strerror(errno));
        return EXIT_CANNOT_WRITE;
    }
    if (!last.read)
        return EXIT_NO_INPUT;
    return diag_count(last.diag, DIAG_ERROR) > 0 ? EXIT_FINDINGS : 0;
}

int verb_check(int argc, char **argv)
{
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    struct arguments o = {.file = NULL};
    int rc = arguments_parse(a, ARGUMENTS_CHECK, argc, argv, &o);
    if (rc == 0)
        rc = run(a, &o);
    arena_free(a);
    return rc < 0 ? 0 : rc;
}
