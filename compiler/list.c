/*
 * list: `mcf list`: what mcf knows, from the tables that it works from.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compiler/verbs.h"
#include "lib/base/arena.h"
#include "lib/model/findings.h"

static const char help[] =
    "usage: mcf list [--roff] findings [ID]\n"
    "\n"
    "  Everything that mcf has to say about a configuration, a line each: its id, how grave it\n"
    "  is, its text.  With an ID also why it matters, an example and what to do.  \"error (lax)\"\n"
    "  is a warning with --lax.\n"
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

int verb_list(int argc, char **argv)
{
    bool roff = argc > 1 && strcmp(argv[1], "--roff") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    argc -= roff;
    argv += roff;
    if (argc < 2 || argc > 3 - roff || strcmp(argv[1], "findings") != 0) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    struct arena *a = arena_new(verb_out_of_memory, NULL);
    int rc = 0;
    if (roff)
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
