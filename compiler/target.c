#include "compiler/target.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/check.h"
#include "lib/base/arena.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- what is installed ----------------------------------------------------------------------- */

/* Where sendmail is installed; on some systems the first is a wrapper, or another program's. */
static const char *const places[] = {
    "/usr/sbin/sendmail", "/usr/sbin/sendmail.sendmail", "/usr/libexec/sendmail/sendmail",
    "/usr/lib/sendmail",  "/usr/lib/sm.bin/sendmail",
};

enum { VERSION_MAX = 15, PROGRAM_MAX = 64 << 20, PIECE = 64 << 10 };

/* A program has its version as a string of its own: "8.17.1", between two NUL bytes. */
static bool version_in(struct arena *a, const char *p, const char *end, struct release *r)
{
    static const char before[] = {'\0', '8', '.', '1'};
    while ((p = memmem(p, (size_t)(end - p), before, sizeof before)) != NULL) {
        p++;
        size_t n = 0;
        while (n < VERSION_MAX && p + n < end && (isdigit((unsigned char)p[n]) || p[n] == '.'))
            n++;
        if (p + n < end && p[n] == '\0' && release_of_program(arena_strndup(a, p, n), r))
            return true;
    }
    return false;
}

/* From the end, where a program has its data: most of its pages are then never read. */
static bool find_version(struct arena *a, const char *bytes, size_t len, struct release *r)
{
    for (size_t to = len; to > 0;) {
        size_t from = to > PIECE ? to - PIECE : 0;
        size_t over = len - to < VERSION_MAX + 2 ? len - to : VERSION_MAX + 2;
        if (version_in(a, bytes + from, bytes + to + over, r))
            return true;
        to = from;
    }
    return false;
}

static bool read_version(struct arena *a, const char *path, struct release *r)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    bool found = false;
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < PROGRAM_MAX) {
        size_t len = (size_t)st.st_size;
        void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            found = find_version(a, bytes, len, r);
            munmap(bytes, len);
        }
    }
    close(fd);
    return found;
}

void target_default(struct arena *a, struct release *r)
{
    const char *named = getenv("MCF_SENDMAIL");
    if (named && *named && read_version(a, named, r))
        return;
    for (size_t i = 0; !named && i < COUNT(places); i++)
        if (read_version(a, places[i], r))
            return;
    release_parse(TARGET_ELSE, r);
}

#define NO_EFFECT "it has no effect there"

/* --- what an .mc names ----------------------------------------------------------------------- */

static void say(struct front *f, const struct m4_record *r, size_t arg,
                const struct release_item *row, const char *what, const char *hint)
{
    struct origin at = front_place(f, r, arg);
    front_blame(f, release_say(f->diag, &f->target, at, row, what, hint), r);
}

bool target_lacks_feature(const struct release *target, const char *name)
{
    const struct release_item *row = release_lacks(target, RELEASE_FEATURE, name, strlen(name));
    return row && !row->library;
}

static const struct release_item *lacks(const struct front *f, enum release_kind kind,
                                        const char *name)
{
    return release_lacks(&f->target, kind, name, strlen(name));
}

static void check_feature(struct front *f, const struct m4_record *r)
{
    const char *feature = r->argv[0];
    const struct release_item *row = lacks(f, RELEASE_FEATURE, feature);
    if (row) {
        say(f, r, 1, row, arena_printf(f->arena, "FEATURE(%s)", feature), "it is left out");
        return;
    }
    for (size_t i = 1; i < r->argc; i++) {
        if (!*r->argv[i])
            continue;
        row = lacks(f, RELEASE_ARGUMENT, arena_printf(f->arena, "%s %zu", feature, i));
        if (row)
            say(f, r, i + 1, row, arena_printf(f->arena, "argument %zu of FEATURE(%s)", i, feature),
                NO_EFFECT);
        row = lacks(f, RELEASE_ARGUMENT, arena_printf(f->arena, "%s %s", feature, r->argv[i]));
        if (row)
            say(f, r, i + 1, row, arena_printf(f->arena, "%s of FEATURE(%s)", r->argv[i], feature),
                NO_EFFECT);
    }
}

void target_check(struct front *f)
{
    for (const struct m4_record *r = f->m4->records; r; r = r->next) {
        const struct release_item *row = NULL;
        /* What a feature calls is the library's. */
        if (!r->at.file)
            continue;
        if (strcmp(r->kind, "FEATURE") == 0 && r->argc > 0)
            check_feature(f, r);
        else if (strcmp(r->kind, "MAILER") == 0 && r->argc > 0)
            row = lacks(f, RELEASE_MAILER, r->argv[0]);
        else if (strcmp(r->kind, "OSTYPE") == 0 && r->argc > 0)
            row = lacks(f, RELEASE_OSTYPE, r->argv[0]);
        else if (strcmp(r->kind, "define") != 0)
            row = lacks(f, RELEASE_DIRECTIVE, r->kind);
        if (row && row->kind == RELEASE_DIRECTIVE)
            say(f, r, 0, row, r->kind, NO_EFFECT);
        else if (row)
            say(f, r, 1, row, arena_printf(f->arena, "%s(%s)", r->kind, r->argv[0]), NO_EFFECT);
    }
    const struct release_item *row;
    for (size_t i = 0; (row = release_lacking(&f->target, RELEASE_VARIABLE, i)); i++) {
        const struct front_define *d = table_get(f->defines, row->name);
        if (d && d->name.col)
            say(f, d->record, d->name.col ? 1 : 0, row, row->name, NO_EFFECT);
    }
}

void target_check_flag(struct front *f, struct origin at, const char *letter)
{
    const struct release_item *row = lacks(f, RELEASE_MAILER_FLAG, letter);
    if (row)
        release_say(f->diag, &f->target, at, row,
                    arena_printf(f->arena, "the mailer flag %s", letter), "it is left out");
}

/* --- for the model and the templates --------------------------------------------------------- */

void target_variable(void *ctx, struct origin value, struct origin *at)
{
    const struct front *f = ctx;
    for (size_t i = 0; i < table_count(f->defines); i++) {
        const struct front_define *d = table_at(f->defines, i)->value;
        if (d->value.file == value.file && d->value.line == value.line &&
            d->value.col == value.col && d->name.col) {
            *at = d->name;
            return;
        }
    }
}

const char *target_symbol(const struct release *target, const char *name)
{
    char first[VERSION_MAX + 1];
    size_t n = strlen(name);
    if (n > VERSION_MAX)
        return NULL;
    memcpy(first, name, n + 1);
    for (char *p = strchr(first, '_'); p; p = strchr(p, '_'))
        *p = '.';
    return release_from(target, first) ? "" : NULL;
}
