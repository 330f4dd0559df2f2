/*
 * check_level: the V line, and what the rest of a file of an old level means.
 *
 * sendmail reads a file as its level was read in its day; it differs from today's in a few things
 * only, which are told as notes.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/model/check_parts.h"

enum { LEVEL_NOW = 10, LEVEL_OPERATORS = 7 };

static const struct {
    int level; /* the first that has it no more */
    const char *text;
} old_ways[] = {
    {3, "# begins a remark in no line"},
    {5, "$w is the whole name of the host, not its first part"},
    {6, "a colon in an address begins no group, and the mailer local has the flags A w 5 : | / @, "
        "prog and *file* have o"},
    {7,
     "$o has the operators of addresses, and the mailers local, prog and *file* have the flag q"},
};

static void check_vendor(struct check *k, const struct item *it)
{
    if (!it->aux || strcasecmp(it->aux, "Berkeley") == 0)
        return;
    check_say(k, it, check_part(it, it->text + 1, it->aux), FINDING_BAD_VENDOR,
              *it->aux ? it->aux : "nothing", NULL, NULL);
}

void check_level(struct check *k)
{
    const struct item *version = NULL, *first = k->config->first;
    int level = 0;

    for (const struct item *it = first; it; it = it->next) {
        if (it->kind != ITEM_VERSION)
            continue;
        version = it;
        level = (int)strtol(it->value, NULL, 10);
        check_vendor(k, it);
        if (level > LEVEL_NOW)
            check_say(k, it, check_part(it, it->text, it->value), FINDING_NEW_LEVEL, it->value,
                      NULL, NULL);
    }
    const struct item *place = version ? version : first;
    if (!place || check_is_ours(k, place))
        return;
    struct part at = version ? check_part(version, version->text, version->value)
                             : (struct part){place->text, strlen(place->text)};
    const char *number = arena_printf(k->arena, "%d", level);
    for (size_t i = 0; i < sizeof old_ways / sizeof *old_ways; i++)
        if (level < old_ways[i].level)
            check_say(k, place, at, FINDING_OLD_LEVEL, number, old_ways[i].text, NULL);
    for (const struct item *it = first; it && level >= LEVEL_OPERATORS; it = it->next)
        if (it->kind == ITEM_MACRO && strcmp(it->name, "o") == 0 && !check_is_ours(k, it))
            check_say(k, it, (struct part){it->text, 2}, FINDING_OLD_MACRO, "o", "7",
                      "OperatorChars");
}
