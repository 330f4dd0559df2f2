/*
 * tables: a build-time program: the tables of lib/model as m4 text, for the vocabulary; with the
 * argument end, what is asked for at the end.
 *
 * A value that would mean something to m4 between its quotes is defined under a name of its own
 * while quotes are longer than any text; the macros that set variables refer to it with defn.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compiler/vocabulary.h"

struct setting {
    const char *owner, *how, *variable, *value;
};

static const struct setting ostypes[] = {
#define OSTYPE(owner, how, variable, value) {owner, #how, variable, value},
#include "lib/model/ostypes.def"
#undef OSTYPE
};

static const struct setting domains[] = {
#define DOMAIN(owner, how, variable, value) {owner, #how, variable, value},
#include "lib/model/domains.def"
#undef DOMAIN
};

struct variable {
    const char *name, *value;
    const char *unless; /* a macro that keeps it from being set, or NULL */
};

static const struct variable presets[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) {#variable, preset, NULL},
#define PRESET(variable, value) {#variable, value, NULL},
#include "lib/model/variables.def"
#undef PRESET
#undef OPTION_VARIABLE
};

static const struct variable late[] = {
#define OPTION_VARIABLE(variable, option, preset, shown)
#define LATE_PRESET(variable, value) {#variable, value, NULL},
#define LATE_PRESET_UNLESS(flag, variable, value) {#variable, value, #flag},
#include "lib/model/variables.def"
#undef LATE_PRESET
#undef LATE_PRESET_UNLESS
#undef OPTION_VARIABLE
};

static const char *const options[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) #variable,
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Whether text can stand between quotes in a macro's text: what m4 makes of it is the same. */
static bool plain(const char *text)
{
    int depth = 0;
    for (; *text; text++) {
        depth += (*text == '`') - (*text == '\'');
        if (depth < 0 || (*text == '$' && text[1] && strchr("0123456789#*@", text[1])))
            return false;
    }
    return depth == 0;
}

/* Other texts are defined while quotes are longer than any of them. */
static void value(const char *group, size_t n, const char *text)
{
    if (!plain(text))
        printf("define(<<<_mcf_%s_value_%zu>>>, <<<%s>>>)\n", group, n, text);
}

/* The same value, as an argument. */
static void quoted(const char *group, size_t n, const char *text)
{
    if (plain(text))
        printf("`%s'", text);
    else
        printf("defn(`_mcf_%s_value_%zu')", group, n);
}

static void set(const char *kind, const struct setting *s, size_t n)
{
    static const struct {
        const char *how, *macro;
    } calls[] = {
        {"SET", "_mcf_define"}, {"DEFAULT", "_mcf_default"}, {"APPEND", "_mcf_append_now"}};
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(s[i].owner, s[i - 1].owner) != 0)
            printf("%sdefine(`_mcf_%s.%s', `", i ? "')\n" : "", kind, s[i].owner);
        const char *v = s[i].variable, *how = s[i].how;
        for (size_t k = 0; k < COUNT(calls); k++)
            if (strcmp(how, calls[k].how) == 0) {
                printf("%s(`%s', ", calls[k].macro, v);
                quoted(kind, i, s[i].value);
                printf(")");
            }
        if (strcmp(how, "ADD_FLAGS") == 0)
            printf("_mcf_modify(`%s', , `+', `%s')", v, s[i].value);
        else if (strcmp(how, "REMOVE_FLAGS") == 0)
            printf("_mcf_modify(`%s', , `-', `%s')", v, s[i].value);
        else if (strcmp(how, "FEATURE") == 0)
            printf("FEATURE(`%s')", v);
        else if (strcmp(how, "HACK") == 0)
            printf("HACK(`%s')", v);
        else if (strcmp(how, "FOREIGN") == 0)
            printf("_mcf_rec(`foreign', `%s')", s[i].owner);
        else if (strcmp(how, "CALL") == 0) /* which drops the rest of its line */
            printf("%s(`%s')\n", v, s[i].value);
    }
    printf("')\n");
}

static void wanted(const char *name)
{
    printf("`" VOCABULARY_KEY "='%s\n", name);
}

/* What is asked for at the end: see grammar/vocabulary.m4. */
static void end(void)
{
    for (size_t i = 0; i < COUNT(options); i++)
        wanted(options[i]);
    wanted("__OSTYPE__");
}

static void tables(void)
{
    puts("divert(-1)\nchangequote(<<<,>>>)");
    for (size_t i = 0; i < COUNT(ostypes); i++)
        value("ostype", i, ostypes[i].value);
    for (size_t i = 0; i < COUNT(domains); i++)
        value("domain", i, domains[i].value);
    for (size_t i = 0; i < COUNT(presets); i++)
        if (presets[i].value)
            value("preset", i, presets[i].value);
    for (size_t i = 0; i < COUNT(late); i++)
        value("late", i, late[i].value);
    puts("changequote");
    puts("define(`_mcf_default', `ifdef(`$1', `_mcf_nothing', `_mcf_define')(`$1', `$2')')");
    puts("define(`_mcf_append_now', "
         "`_mcf_define(`$1', ifdef(`$1', `defn(`$1')')`'`$2')')");
    set("ostype", ostypes, COUNT(ostypes));
    set("domain", domains, COUNT(domains));
    /* A name that -D gave keeps the value that it was given. */
    puts("define(`_mcf_preset', defn(`define'))");
    puts("define(`_mcf_preset_unless_given', "
         "`ifdef(`_mcf_given_$1', `', `_mcf_define(`$1', `$2')')')");
    printf("define(`_mcf_presets', `");
    for (size_t i = 0; i < COUNT(presets); i++)
        if (presets[i].value) {
            printf("_mcf_preset(`%s', ", presets[i].name);
            quoted("preset", i, presets[i].value);
            printf(")");
        }
    printf("')\ndefine(`_mcf_late_presets', `");
    for (size_t i = 0; i < COUNT(late); i++) {
        if (late[i].unless)
            printf("ifdef(`%s', `', `", late[i].unless);
        printf("_mcf_default(`%s', ", late[i].name);
        quoted("late", i, late[i].value);
        printf(late[i].unless ? ")')" : ")");
    }
    puts("')\n_mcf_presets\ndivert(0)dnl");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "end") == 0)
        end();
    else
        tables();
    return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
