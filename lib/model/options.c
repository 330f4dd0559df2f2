#include "lib/model/options.h"

#include <string.h>
#include <strings.h>

#include "lib/base/diag.h"

static const struct option_info options[] = {
#define OPTION(name, letter, safe, type, value) {#name, letter, safe, false, OPTION_##type, value},
#define OPTION_ELSEWHERE(name, letter, safe, type, value)                                          \
    {#name, letter, safe, true, OPTION_##type, value},
#define OPTION_LETTER(letter, type) {"", letter, false, false, OPTION_##type, ""},
#include "lib/model/options.def"
#undef OPTION
};

enum { OPTIONS = sizeof options / sizeof options[0] };

const struct option_info *option_find(const char *name, size_t len, enum option_match *how)
{
    const char *dot = memchr(name, '.', len);
    const struct option_info *found = NULL;
    enum option_match answer = OPTION_UNKNOWN;

    if (dot)
        len = (size_t)(dot - name);
    for (size_t i = 0; i < OPTIONS && len > 0; i++) {
        const struct option_info *o = &options[i];

        /* The first letter tells for most. */
        if ((o->name[0] | 0x20) != (name[0] | 0x20) || strncasecmp(o->name, name, len) != 0)
            continue;
        if (o->name[len] == '\0') {
            found = o;
            answer = OPTION_EXACT;
            break;
        }
        /* What only other builds know takes no abbreviation away from this one's options. */
        if (o->elsewhere)
            continue;
        answer = found ? OPTION_AMBIGUOUS : OPTION_ABBREVIATED;
        found = o;
    }
    if (how)
        *how = answer;
    return answer == OPTION_AMBIGUOUS ? NULL : found;
}

const struct option_info *option_by_letter(char letter)
{
    for (size_t i = 0; i < OPTIONS && letter; i++)
        if (options[i].letter == letter)
            return &options[i];
    return NULL;
}

const char *option_nearest(const char *name)
{
    const char *names[OPTIONS];
    size_t n = 0;

    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].name[0] && !options[i].elsewhere)
            names[n++] = options[i].name;
    return diag_nearest(name, names, n, NULL);
}

const struct option_info *option_at(size_t i)
{
    return i < OPTIONS ? &options[i] : NULL;
}
