#include "mta/front/auth.h"

#include <string.h>
#include <strings.h>

bool auth_offers(const char *offer, struct bytes mechanism)
{
    const char *word = offer + strcspn(offer, " ");

    while (*word) {
        word++;
        size_t n = strcspn(word, " ");
        if (n == mechanism.len && n > 0 && strncasecmp(word, mechanism.p, n) == 0)
            return true;
        word += n;
    }
    return false;
}

void auth_split(struct bytes argument, struct bytes *mechanism, struct bytes *rest)
{
    const char *p = argument.p, *end = p + argument.len;

    while (p < end && *p != ' ' && *p != '\t')
        p++;
    *mechanism = (struct bytes){argument.p, (size_t)(p - argument.p)};
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    *rest = (struct bytes){p, (size_t)(end - p)};
}
