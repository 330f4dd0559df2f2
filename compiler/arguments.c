#include "compiler/arguments.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/target.h"
#include "compiler/verbs.h"
#include "lib/base/arena.h"

static const char formats[] = "how findings are written:"
#define FORMAT(name, NAME) " " #name
#include "compiler/report.def"
#undef FORMAT
    ;

enum kind { FLAG, TEXT, DIRECTORY, DEFINE, FORMATS, TARGET };

/* A name with one dash has its value in the same word or the next, one with two dashes behind = or
 * in the next. */
static const struct option {
    const char *name, *value; /* value NULL: there is none */
    unsigned verbs;
    enum kind kind;
    size_t at; /* in struct arguments, of FLAG and TEXT */
    const char *help;
} options[] = {
#define BOTH (ARGUMENTS_BUILD | ARGUMENTS_CHECK)
#define AT(member) offsetof(struct arguments, member)
    {"-o", "FILE", ARGUMENTS_BUILD, TEXT, AT(output),
     "write FILE, whole or not at all (default: standard output)"},
    {"--fix", NULL, ARGUMENTS_CHECK, FLAG, AT(fix),
     "mend what has one right answer, in FILE and in what it includes\nfrom its own folder"},
    {"--diff", NULL, ARGUMENTS_CHECK, FLAG, AT(diff),
     "print what --fix would change, and change nothing"},
    {"-I", "DIR", BOTH, DIRECTORY, 0,
     "look for includes and for feature/, mailer/, ostype/, domain/, hack/\nfiles here too"},
    {"-D", "NAME[=VALUE]", BOTH, DEFINE, 0,
     "as define(`NAME', `VALUE') before the file's first line"},
    {"--target", "RELEASE", BOTH, TARGET, 0,
     "write what this release of sendmail reads: 8.14, or 8.14.4\n(default: the one that is "
     "installed, or " TARGET_ELSE ")"},
    {"--format", "FORMAT", BOTH, FORMATS, 0, formats},
    {"--lax", NULL, BOTH, FLAG, AT(lower.lax),
     "what the reference prints as an ERROR and survives is a warning"},
    {"--werror", NULL, BOTH, FLAG, AT(lower.werror), "a warning is an error"},
    {"--compare-with", "OLD.cf", ARGUMENTS_BUILD, TEXT, AT(compare_with),
     "say on standard error what changes against OLD.cf"},
    {"--backup", "SUFFIX", ARGUMENTS_BUILD, TEXT, AT(backup),
     "keep the FILE that -o replaces as FILESUFFIX"},
    {"--map", "FILE", ARGUMENTS_BUILD, TEXT, AT(map), "write a source map for `mcf where'"},
    {"--confine", "DIR", BOTH, TEXT, AT(lower.confine),
     "read nothing but what is below DIR, whatever FILE includes"},
    {"--allow-commands", NULL, BOTH, FLAG, AT(lower.allow_commands),
     "let the file's syscmd and esyscmd run"},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *verb_name(unsigned verb)
{
    return verb == ARGUMENTS_BUILD ? "build" : "check";
}

static void usage(FILE *out, unsigned verb)
{
    enum { WIDTH = 90, COLUMN = 24 };
    int at = fprintf(out, "usage: mcf %s", verb_name(verb));
    int indent = at;
    for (size_t i = 0; i < COUNT(options); i++) {
        const struct option *o = &options[i];
        if (!(o->verbs & verb))
            continue;
        bool many = o->kind == DIRECTORY || o->kind == DEFINE;
        int len = (int)(strlen(o->name) + (o->value ? strlen(o->value) + 1 : 0) +
                        (many ? strlen(" []...") : strlen(" []")));
        if (at + len > WIDTH)
            at = fprintf(out, "\n%*s", indent, "") - 1;
        at += fprintf(out, " [%s%s%s]%s", o->name, o->value ? " " : "", o->value ? o->value : "",
                      many ? "..." : "");
    }
    fputs(verb == ARGUMENTS_BUILD ? " FILE.mc\n\n" : " FILE.mc|FILE.cf\n\n", out);
    for (size_t i = 0; i < COUNT(options); i++) {
        const struct option *o = &options[i];
        if (!(o->verbs & verb))
            continue;
        int len = fprintf(out, "  %s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(out, "%*s", len < COLUMN ? COLUMN - len : 1, "");
        for (const char *p = o->help; *p; p++)
            if (*p == '\n')
                fprintf(out, "\n%*s", COLUMN, "");
            else
                fputc(*p, out);
        fputc('\n', out);
    }
}

/* The option that the word names; NULL if there is none. */
static const struct option *find(const char *word, unsigned verb)
{
    for (size_t i = 0; i < COUNT(options); i++) {
        const struct option *o = &options[i];
        size_t n = strlen(o->name);
        if (!(o->verbs & verb) || strncmp(word, o->name, n) != 0)
            continue;
        if (word[n] == '\0' || (o->value && (word[1] != '-' || word[n] == '=')))
            return o;
    }
    return NULL;
}

struct lists {
    const char **dirs;
    size_t ndirs;
    struct m4_define **tail;
};

static int set_value(struct arena *a, const struct option *option, const char *word,
                     const char *value, struct arguments *o, struct lists *l, unsigned verb)
{
    switch (option->kind) {
    case FLAG:
        break;
    case TEXT:
        *(const char **)(void *)((char *)o + option->at) = value;
        break;
    case DIRECTORY:
        l->dirs[l->ndirs++] = value;
        break;
    case DEFINE: {
        struct m4_define *d = arena_alloc(a, sizeof *d);
        const char *eq = strchr(value, '=');
        d->name = eq ? arena_strndup(a, value, (size_t)(eq - value)) : value;
        d->value = eq ? eq + 1 : NULL;
        if (!*d->name) {
            fprintf(stderr, "mcf %s: -D needs a name: %s\n", verb_name(verb), word);
            return EXIT_USAGE;
        }
        *l->tail = d;
        l->tail = &d->next;
        break;
    }
    case TARGET:
        if (!release_parse(value, &o->lower.target)) {
            fprintf(stderr, "mcf %s: no release %s is known; there are:", verb_name(verb), value);
            for (size_t i = 0; release_series(i); i++)
                fprintf(stderr, " %s", release_series(i));
            fputc('\n', stderr);
            return EXIT_USAGE;
        }
        break;
    case FORMATS:
        if (!report_format_find(value, &o->format)) {
            fprintf(stderr, "mcf %s: there is no format %s; there are:%s\n", verb_name(verb), value,
                    strchr(formats, ':') + 1);
            return EXIT_USAGE;
        }
        break;
    }
    return 0;
}

int arguments_parse(struct arena *a, unsigned verb, int argc, char **argv, struct arguments *o)
{
    struct m4_define *defines = NULL;
    struct lists l = {.dirs = arena_calloc(a, (size_t)argc + 1, sizeof *l.dirs), .tail = &defines};
    bool only_files = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = NULL;
        if (only_files || word[0] != '-' || word[1] == '\0') {
            if (o->file) {
                fprintf(stderr, "mcf %s: one file at a time: %s and %s\n", verb_name(verb), o->file,
                        word);
                return EXIT_USAGE;
            }
            o->file = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_files = true;
            continue;
        }
        if (strcmp(word, "--help") == 0) {
            usage(stdout, verb);
            return -1;
        }
        const struct option *option = find(word, verb);
        if (!option) {
            fprintf(stderr, "mcf %s: there is no option %s\n", verb_name(verb), word);
            usage(stderr, verb);
            return EXIT_USAGE;
        }
        if (!option->value) {
            *(bool *)(void *)((char *)o + option->at) = true;
            continue;
        }
        size_t n = strlen(option->name);
        if (word[n])
            value = word + n + (word[1] == '-');
        else if (i + 1 < argc)
            value = argv[++i];
        if (!value || !*value) {
            fprintf(stderr, "mcf %s: %s needs a value\n", verb_name(verb), word);
            return EXIT_USAGE;
        }
        int rc = set_value(a, option, word, value, o, &l, verb);
        if (rc)
            return rc;
    }
    o->lower.include_dirs = l.dirs;
    o->lower.defines = defines;
    if (!o->file) {
        fprintf(stderr, "mcf %s: which file?\n", verb_name(verb));
        usage(stderr, verb);
        return EXIT_USAGE;
    }
    struct stat st;
    errno = ENOTDIR;
    if (o->lower.confine && (stat(o->lower.confine, &st) != 0 || !S_ISDIR(st.st_mode))) {
        fprintf(stderr, "mcf %s: --confine %s: %s\n", verb_name(verb), o->lower.confine,
                strerror(errno));
        return EXIT_USAGE;
    }
    if (o->lower.confine && o->lower.allow_commands) {
        fprintf(stderr, "mcf %s: --confine and --allow-commands contradict each other\n",
                verb_name(verb));
        return EXIT_USAGE;
    }
    if (o->compare_with && o->format != REPORT_TEXT) {
        fputs("mcf build: --compare-with speaks to a person: take --format text, or mcf diff "
              "--json\n",
              stderr);
        return EXIT_USAGE;
    }
    return 0;
}
