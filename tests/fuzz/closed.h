/* closed: a configuration that opens no file and asks nobody. */
#ifndef MCF_TESTS_CLOSED_H
#define MCF_TESTS_CLOSED_H

#include <string.h>
#include <strings.h>

#include "lib/model/config.h"

/* No class is filled from a file; with maps, only maps that look at nothing but their key stay. */
static inline void close_off(struct config *c, int maps)
{
    static const char *const alone[] = {"null",  "dequote",  "arith",  "regex",
                                        "macro", "sequence", "switch", NULL};

    for (struct item *it = c->first; it; it = it->next) {
        int stays = it->kind != ITEM_CLASSFILE;
        if (maps && it->kind == ITEM_MAP) {
            stays = 0;
            for (size_t i = 0; alone[i]; i++)
                stays = stays || strcasecmp(it->aux, alone[i]) == 0;
            /* What patterns with counts cost is the C library's. */
            if (strcasecmp(it->aux, "regex") == 0 && strpbrk(it->value, "{\\"))
                stays = 0;
        }
        if (!stays)
            it->kind = ITEM_COMMENT;
    }
}

#endif
