/*
 * tables: a build-time program: the tables of lib/model as m4 text, for the vocabulary.
 *
 * Every value is defined under a name of its own while quotes are longer than any text, so that a
 * value may hold quotes; the macros that set variables refer to it with defn.
 */
#include <stdio.h>
#include <string.h>

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

static void value(const char *group, size_t n, const char *text)
{
    printf("define(<<<_mcf_%s_value_%zu>>>, <<<%s>>>)\n", group, n, text);
}

static void set(const char *kind, const struct setting *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(s[i].owner, s[i - 1].owner) != 0)
            printf("%sdefine(`_mcf_%s_%s', `", i ? "')\n" : "", kind, s[i].owner);
        const char *v = s[i].variable, *how = s[i].how;
        if (strcmp(how, "SET") == 0)
            printf("_mcf_define(`%s', defn(`_mcf_%s_value_%zu'))", v, kind, i);
        else if (strcmp(how, "DEFAULT") == 0)
            printf("ifdef(`%s', `', `_mcf_define(`%s', defn(`_mcf_%s_value_%zu'))')", v, v, kind,
                   i);
        else if (strcmp(how, "APPEND") == 0)
            printf("_mcf_define(`%s', ifdef(`%s', `defn(`%s')')`'defn(`_mcf_%s_value_%zu'))", v, v,
                   v, kind, i);
        else if (strcmp(how, "ADD_FLAGS") == 0)
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

int main(void)
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
    set("ostype", ostypes, COUNT(ostypes));
    set("domain", domains, COUNT(domains));
    /* A name that -D gave keeps the value that it was given. */
    puts("define(`_mcf_preset', `ifdef(`_mcf_given_$1', `', `_mcf_define(`$1', defn(`$2'))')')");
    puts("define(`_mcf_late_preset', `ifdef(`$1', `', `_mcf_define(`$1', defn(`$2'))')')");
    printf("define(`_mcf_presets', `");
    for (size_t i = 0; i < COUNT(presets); i++)
        if (presets[i].value)
            printf("_mcf_preset(`%s', `_mcf_preset_value_%zu')", presets[i].name, i);
    printf("')\ndefine(`_mcf_late_presets', `");
    for (size_t i = 0; i < COUNT(late); i++)
        printf("ifdef(`%s', `', `_mcf_late_preset(`%s', `_mcf_late_value_%zu')')",
               late[i].unless ? late[i].unless : "_mcf_never", late[i].name, i);
    printf("')\ndefine(`_mcf_dump_options', `");
    for (size_t i = 0; i < COUNT(options); i++)
        printf("_mcf_dump(`%s')", options[i]);
    puts("_mcf_dump(`__OSTYPE__')')\n_mcf_presets\ndivert(0)dnl");
    return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
