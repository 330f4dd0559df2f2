#include "lib/model/releases.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum reach { ENGINE, LIBRARY };

static const struct release_item items[] = {
#define RELEASED(kind, name, first, last, reach, note)                                             \
    {RELEASE_##kind, name, first, last, note, (reach) == LIBRARY},
#include "lib/model/releases.def"
#undef RELEASED
};

static const struct {
    const char *name;
    unsigned minor;
} series[] = {
#define RELEASE(minor, patch) {"8." #minor, minor},
#include "lib/model/releases.def"
#undef RELEASE
};

/* --- releases -------------------------------------------------------------------------------- */

enum { PARTS = 3, PART_MAX = 99 };

/* 8.MINOR[.PATCH[.SNAPSHOT]] as one number; what is not said is `rest`.  0 where it is none. */
static unsigned number_of(const char *text, unsigned rest)
{
    unsigned n = 0;
    if (strncmp(text, "8.", 2) != 0)
        return 0;
    const char *p = text + 2;
    for (int i = 0; i < PARTS; i++) {
        unsigned part = rest;
        if (*p || i == 0) {
            part = 0;
            size_t digits = 0;
            for (; isdigit((unsigned char)*p) && digits < 3; p++, digits++)
                part = part * 10 + (unsigned)(*p - '0');
            if (digits == 0 || part > PART_MAX)
                return 0;
            if (*p == '.' && p[1])
                p++;
            else if (*p)
                return 0;
        }
        n = n * (PART_MAX + 1) + part;
    }
    return *p ? 0 : n;
}

static unsigned minor_of(unsigned number)
{
    return number / (PART_MAX + 1) / (PART_MAX + 1);
}

static bool lacks(unsigned number, const struct release_item *row)
{
    return number < number_of(row->first[0] ? row->first : "8.0", 0) ||
           (row->last[0] && number > number_of(row->last, PART_MAX));
}

bool release_parse(const char *text, struct release *r)
{
    unsigned number = number_of(text, PART_MAX);
    for (size_t i = 0; i < COUNT(series); i++)
        if (number && series[i].minor == minor_of(number)) {
            *r = (struct release){.name = text, .number = number};
            for (unsigned short row = 0; row < COUNT(items); row++)
                if (lacks(number, &items[row]))
                    r->lacked[r->nlacked++] = row;
            return true;
        }
    return false;
}

bool release_of_program(const char *version, struct release *r)
{
    unsigned number = number_of(version, 0);
    if (!number || !strchr(version + 2, '.'))
        return false;
    if (release_parse(version, r))
        return true;
    size_t last = COUNT(series) - 1;
    return release_parse(series[minor_of(number) < series[0].minor ? 0 : last].name, r);
}

bool release_from(const struct release *r, const char *first)
{
    return r->number >= number_of(first, 0);
}

const char *release_series(size_t i)
{
    return i < COUNT(series) ? series[i].name : NULL;
}

/* --- what they lack -------------------------------------------------------------------------- */

static bool any_case(enum release_kind kind)
{
    return kind == RELEASE_OPTION || kind == RELEASE_WORD || kind == RELEASE_DAEMON_FAMILY ||
           kind == RELEASE_MAP_CLASS || kind == RELEASE_ERROR_CODE;
}

const struct release_item *release_lacks(const struct release *r, enum release_kind kind,
                                         const char *name, size_t len)
{
    for (size_t i = 0; i < r->nlacked; i++) {
        const struct release_item *row = &items[r->lacked[i]];
        if (row->kind == kind && strlen(row->name) == len &&
            (any_case(kind) ? strncasecmp(row->name, name, len) : strncmp(row->name, name, len)) ==
                0)
            return row;
    }
    return NULL;
}

const struct release_item *release_lacking(const struct release *r, enum release_kind kind,
                                           size_t i)
{
    for (size_t j = 0; j < r->nlacked; j++)
        if (items[r->lacked[j]].kind == kind && i-- == 0)
            return &items[r->lacked[j]];
    return NULL;
}

struct finding *release_say(struct diag *d, const struct release *r, struct origin at,
                            const struct release_item *row, const char *what, const char *hint)
{
    enum finding_id id = FINDING_NOT_IN_RELEASE;
    const char *when = row->first;
    if (row->library) {
        id = FINDING_NOT_IN_LIBRARY;
    } else if (row->last[0]) {
        id = FINDING_GONE_FROM_RELEASE;
        when = row->last;
    } else if (strcmp(row->note, "measured") == 0) {
        id = FINDING_PERHAPS_NOT_IN_RELEASE;
    }
    return finding_add(d, id, at, what, r->name, when, hint ? hint : "", NULL);
}
