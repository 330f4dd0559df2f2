/*
 * list: `mcf list`: what mcf knows, from the tables that it works from.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compiler/list_tables.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/findings.h"

static const char help[] =
    "usage: mcf list [--roff] TABLE [NAME]\n"
    "\n"
    "  findings   everything that mcf has to say about a configuration, a line each: its id, how\n"
    "             grave it is, its text; with an ID also why it matters, an example and what to\n"
    "             do.  \"error (lax)\" is a warning with --lax.\n"
    "  features, variables, mailers, ostypes, options, macros\n"
    "             what an .mc may say: a line each; with a NAME its arguments, defaults and an\n"
    "             example.\n"
    "\n"
    "  --roff  as paragraphs of a manual page\n";

static const char *const severities[] = {[FINDING_NOTE] = "note",
                                         [FINDING_WARNING] = "warning",
                                         [FINDING_SURVIVES] = "error (lax)",
                                         [FINDING_ERROR] = "error"};

static void list_all(struct arena *a)
{
    for (enum finding_id i = 0; i < FINDINGS; i++) {
        const struct finding_info *row = finding_info(i);
        printf("%-26s %-11s %s\n", row->id, severities[row->severity], finding_shape(a, i));
    }
}

static void list_one(struct arena *a, enum finding_id i)
{
    const struct finding_info *row = finding_info(i);
    printf("%s: %s\n", severities[row->severity], finding_shape(a, i));
    if (*row->reason)
        printf("  why:     %s\n", row->reason);
    if (*row->example)
        printf("  example: %s\n", row->example);
    if (*row->fix)
        printf("  fix:     %s\n", finding_readable(a, row->fix));
}

static void put_roff(const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '\\':
            fputs("\\e", stdout);
            break;
        case '`':
            fputs("\\(ga", stdout);
            break;
        case '\'':
            fputs("\\(aq", stdout);
            break;
        case '-':
            fputs("\\-", stdout);
            break;
        default:
            putchar(*text);
        }
}

static bool is_first(enum finding_id i)
{
    for (enum finding_id k = 0; k < i; k++)
        if (strcmp(finding_info(k)->id, finding_info(i)->id) == 0)
            return false;
    return true;
}

/* A paragraph an id, with the texts of all rows that share it. */
static void list_roff(struct arena *a)
{
    for (enum finding_id first = 0; first < FINDINGS; first++) {
        if (!is_first(first))
            continue;
        const char *id = finding_info(first)->id;
        fputs(".TP\n.B ", stdout);
        put_roff(id);
        putchar('\n');
        for (enum finding_id i = first; i < FINDINGS; i++) {
            const struct finding_info *row = finding_info(i);
            if (strcmp(row->id, id) != 0)
                continue;
            printf("%s%s: \\&", i > first ? ".br\n" : "", severities[row->severity]);
            put_roff(finding_shape(a, i));
            if (strcmp(row->text, "%1") != 0 && *row->reason) {
                fputs(".\n\\&", stdout);
                put_roff(row->reason);
            }
            putchar('\n');
        }
    }
}

static int list_findings(struct arena *a, const char *id)
{
    size_t found = 0;
    if (!id) {
        list_all(a);
        return 0;
    }
    for (enum finding_id i = 0; i < FINDINGS; i++)
        if (strcmp(finding_info(i)->id, id) == 0) {
            if (found++)
                putchar('\n');
            list_one(a, i);
        }
    if (found)
        return 0;
    const char *ids[FINDINGS];
    for (enum finding_id i = 0; i < FINDINGS; i++)
        ids[i] = finding_info(i)->id;
    const char *near = diag_nearest(id, ids, FINDINGS, NULL);
    fprintf(stderr, "mcf list: there is no finding %s%s%s%s\n", id, near ? ": did you mean " : "",
            near ? near : "", near ? "?" : "");
    return EXIT_USAGE;
}

/* --- the other tables ------------------------------------------------------------------------ */

static const struct list_table *find_table(const char *kind)
{
    for (size_t i = 0; i < list_tables_count; i++)
        if (strcmp(list_tables[i].kind, kind) == 0)
            return &list_tables[i];
    return NULL;
}

static void table_all(struct arena *a, const struct list_table *t)
{
    struct buf b;
    int width = 0;
    size_t n = t->count();
    for (size_t i = 0; i < n; i++)
        width = width > (int)strlen(t->name(i)) ? width : (int)strlen(t->name(i));
    for (size_t i = 0; i < n; i++) {
        buf_init(&b, a);
        t->line(&b, i);
        printf("%-*s  %s\n", width, t->name(i), b.data);
    }
}

static void table_roff(struct arena *a, const struct list_table *t)
{
    for (size_t i = 0; i < t->count(); i++) {
        struct buf b;
        buf_init(&b, a);
        fputs(".TP\n.B ", stdout);
        put_roff(t->name(i));
        fputs("\n\\&", stdout);
        t->line(&b, i);
        put_roff(b.data);
        putchar('\n');
        buf_truncate(&b, 0);
        t->paragraph(&b, i);
        for (char *p = b.data, *end; *p; p = end) {
            end = strchr(p, '\n');
            *end++ = '\0';
            p += strspn(p, " ");
            fputs(".br\n\\&", stdout);
            put_roff(p);
            putchar('\n');
        }
    }
}

static int table_one(struct arena *a, const struct list_table *t, const char *name)
{
    size_t n = t->count();
    const char **names = arena_calloc(a, n + 1, sizeof *names);
    for (size_t i = 0; i < n; i++) {
        names[i] = t->name(i);
        if (strcmp(names[i], name) != 0)
            continue;
        struct buf b;
        buf_init(&b, a);
        buf_printf(&b, "%s: ", name);
        t->line(&b, i);
        buf_addc(&b, '\n');
        size_t head = b.len;
        t->paragraph(&b, i);
        fwrite(b.data, 1, head, stdout);
        for (const char *p = b.data + head, *end; *p; p = end) {
            end = strchr(p, '\n') + 1;
            printf("  %.*s", (int)(end - p), p);
        }
        return 0;
    }
    const char *near = diag_nearest(name, names, n, NULL);
    fprintf(stderr, "mcf list: there is no %s %s%s%s%s\n", t->what, name,
            near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
    return EXIT_USAGE;
}

static int list_table(struct arena *a, const struct list_table *t, bool roff, const char *name)
{
    if (name)
        return table_one(a, t, name);
    if (roff)
        table_roff(a, t);
    else
        table_all(a, t);
    return 0;
}

int verb_list(int argc, char **argv)
{
    bool roff = argc > 1 && strcmp(argv[1], "--roff") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    argc -= roff;
    argv += roff;
    const struct list_table *t = argc > 1 ? find_table(argv[1]) : NULL;
    if (argc < 2 || argc > 3 - roff || (!t && strcmp(argv[1], "findings") != 0)) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    int rc = 0;
    if (t)
        rc = list_table(a, t, roff, argc > 2 ? argv[2] : NULL);
    else if (roff)
        list_roff(a);
    else
        rc = list_findings(a, argc > 2 ? argv[2] : NULL);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "mcf list: cannot write standard output: %s\n", strerror(errno));
        rc = EXIT_CANNOT_WRITE;
    }
    arena_free(a);
    return rc;
}
