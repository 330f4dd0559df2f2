#include "lib/model/variables.h"

#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Those of which the value at the end counts stand first. */
static const char *const names[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) #variable,
#define LATE_PRESET(variable, value) #variable,
#define LATE_PRESET_UNLESS(flag, variable, value) #variable,
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
#undef LATE_PRESET
#undef LATE_PRESET_UNLESS
#define OPTION_VARIABLE(variable, option, preset, shown)
#define PRESET(variable, value) #variable,
#define VARIABLE(variable, text) #variable,
#define OLD_VARIABLE(variable, instead) #variable,
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
#undef PRESET
#undef VARIABLE
#undef OLD_VARIABLE
};

/* One byte for each of these. */
static const char late[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) 0,
#define LATE_PRESET(variable, value) 0,
#define LATE_PRESET_UNLESS(flag, variable, value) 0,
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
#undef LATE_PRESET
#undef LATE_PRESET_UNLESS
};

static const struct {
    const char *name, *instead;
} old_names[] = {
#define OPTION_VARIABLE(variable, option, preset, shown)
#define OLD_VARIABLE(variable, instead) {#variable, instead},
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
#undef OLD_VARIABLE
};

const char *const *variable_names(size_t *n)
{
    *n = COUNT(names);
    return names;
}

static bool is_in(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool variable_known(const char *name)
{
    return is_in(name, COUNT(names));
}

bool variable_is_late(const char *name)
{
    return is_in(name, sizeof late);
}

const char *variable_instead(const char *name)
{
    for (size_t i = 0; i < COUNT(old_names); i++)
        if (strcmp(old_names[i].name, name) == 0)
            return old_names[i].instead;
    return NULL;
}

const char *variable_of_option(const char *option)
{
    static const struct {
        const char *variable, *option;
    } rows[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) {#variable, option},
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcasecmp(rows[i].option, option) == 0)
            return rows[i].variable;
    return NULL;
}
