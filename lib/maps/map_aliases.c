#include "lib/maps/map_aliases.h"

#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool blank_or_end(char c)
{
    return blank(c) || c == '\n';
}

static size_t line_end(const struct alias_reader *r, size_t pos)
{
    const char *end = memchr(r->text + pos, '\n', r->len - pos);
    return end ? (size_t)(end - r->text) : r->len;
}

static struct alias_span trimmed(const char *text, struct alias_span s)
{
    while (s.begin < s.end && blank_or_end(text[s.begin]))
        s.begin++;
    while (s.end > s.begin && blank_or_end(text[s.end - 1]))
        s.end--;
    return s;
}

/* The end of what follows pos up to stop, or to the end; quotes and \ hide it. */
static size_t unquoted(const char *text, size_t pos, size_t end, char stop, bool *open)
{
    bool quoted = false;
    for (; pos < end; pos++) {
        if (text[pos] == '\\' && pos + 1 < end)
            pos++;
        else if (text[pos] == '"')
            quoted = !quoted;
        else if (text[pos] == stop && !quoted)
            break;
    }
    *open = quoted;
    return pos;
}

static enum alias_fault parts(const char *text, struct alias_entry *e)
{
    struct alias_span all = {e->line.begin, e->more.end > e->line.end ? e->more.end : e->line.end};
    bool open;
    if (memchr(text + all.begin, '\0', all.end - all.begin))
        return ALIAS_NUL;
    if (text[all.begin] == '#')
        return ALIAS_REMARK;
    if (blank(text[all.begin]))
        return ALIAS_BLANK_FIRST;
    size_t colon = unquoted(text, all.begin, e->line.end, ':', &open);
    e->name = trimmed(text, (struct alias_span){all.begin, colon});
    if (colon == e->line.end)
        return open ? ALIAS_QUOTE : ALIAS_NO_COLON;
    e->value = trimmed(text, (struct alias_span){colon + 1, all.end});
    return e->name.begin == e->name.end     ? ALIAS_NO_NAME
           : e->value.begin == e->value.end ? ALIAS_NO_VALUE
                                            : ALIAS_GOOD;
}

bool alias_next(struct alias_reader *r, struct alias_entry *e)
{
    const struct alias_entry none = {0};
    while (r->pos < r->len && (r->text[r->pos] == '\n' || r->text[r->pos] == '\r') &&
           line_end(r, r->pos) - r->pos <= 1)
        r->pos = line_end(r, r->pos) + 1;
    if (r->pos >= r->len)
        return false;
    *e = none;
    e->line = (struct alias_span){r->pos, line_end(r, r->pos)};
    e->more = (struct alias_span){e->line.end, e->line.end};
    size_t end = e->line.end;
    while (end < r->len) {
        bool joined = end > e->line.begin && r->text[end - 1] == '\\';
        if (end + 1 >= r->len || !(joined || blank(r->text[end + 1])))
            break;
        end = line_end(r, end + 1);
        if (e->more.begin == e->line.end)
            e->more.begin = e->line.end + 1;
        e->more.end = end;
    }
    r->pos = end + 1;
    e->fault = parts(r->text, e);
    return true;
}

bool alias_item_next(const char *text, struct alias_span value, size_t *pos, struct alias_item *i)
{
    while (*pos < value.end) {
        size_t end = unquoted(text, *pos, value.end, ',', &i->open);
        i->at = trimmed(text, (struct alias_span){*pos, end});
        *pos = end + 1;
        if (i->at.begin < i->at.end)
            return true;
    }
    return false;
}
