#include "lib/model/options.h"

#include <string.h>
#include <strings.h>

#include "lib/base/diag.h"
#include "lib/model/config.h"

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

bool option_is(const struct item *it, const char *name)
{
    const struct option_info *o = it->short_option ? option_by_letter(*it->name)
                                                   : option_find(it->name, strlen(it->name), NULL);

    return o && strcmp(o->name, name) == 0;
}

bool option_forgives(const struct config *c, const char *word, const struct item *end)
{
    static const char blanks[] = ", \t", none[] = "safe";
    const size_t len = strlen(word);
    bool forgives = false;

    for (const struct item *it = c->first; it && it != end; it = it->next) {
        if (it->kind != ITEM_OPTION || !it->value || !option_is(it, "DontBlameSendmail"))
            continue;
        for (const char *s = it->value + strspn(it->value, blanks); *s; s += strspn(s, blanks)) {
            size_t n = strcspn(s, blanks);
            if (n == sizeof none - 1 && strncasecmp(s, none, n) == 0)
                forgives = false;
            else if (n == len && strncasecmp(s, word, n) == 0)
                forgives = true;
            s += n;
        }
    }
    return forgives;
}
