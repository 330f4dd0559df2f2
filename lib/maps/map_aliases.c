#include "lib/maps/map_aliases.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/maps/map_lines.h"

enum { LONGEST_NAME = 255 }; /* bytes of a key; no address has more in one part */

const struct alias_terms alias_terms_usual = {'.', ".:%@!^/[]+", NULL, NULL};

/* What continues a line; other blanks begin one. */
static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool blank_or_end(char c)
{
    return blank(c) || c == '\r' || c == '\f' || c == '\v' || c == '\n';
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

static bool only_blanks(const char *text, struct alias_span s)
{
    s = trimmed(text, s);
    return s.begin == s.end;
}

/* The colon that ends the name.  newaliases looks for it in two ways, which quotes tell apart. */
static enum alias_fault find_colon(const char *text, struct alias_span all, size_t *colon)
{
    const char *first = memchr(text + all.begin, ':', all.end - all.begin);
    bool quoted = false;
    *colon = first ? (size_t)(first - text) : all.end;
    for (size_t i = all.begin; i < *colon; i++)
        if (text[i] == '\\' && i + 1 < *colon)
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
    if (!quoted)
        return first ? ALIAS_GOOD : ALIAS_NO_COLON;
    return memchr(text + *colon, '"', all.end - *colon) ? ALIAS_COLON_IN : ALIAS_QUOTE;
}

static enum alias_fault parts(const char *text, size_t longest, struct alias_entry *e)
{
    struct alias_span all = {e->line.begin, e->more.end > e->line.end ? e->more.end : e->line.end};
    size_t colon;
    if (memchr(text + all.begin, '\0', all.end - all.begin))
        return ALIAS_NUL;
    if (longest && all.end - all.begin > longest)
        return ALIAS_LONG;
    if (text[all.begin] == '#')
        return ALIAS_REMARK;
    if (blank(text[all.begin]) || only_blanks(text, e->line))
        return ALIAS_BLANK_FIRST;
    enum alias_fault fault = find_colon(text, all, &colon);
    e->name = trimmed(text, (struct alias_span){all.begin, colon});
    if (fault != ALIAS_GOOD)
        return fault;
    e->value = (struct alias_span){colon + 1, all.end};
    for (size_t *at = &e->value.begin; *at < all.end; ++*at) {
        bool joins = text[*at] == '\\' && *at + 1 < all.end && text[*at + 1] == '\n';
        if (!joins && !blank_or_end(text[*at]))
            break;
    }
    return e->name.begin == e->name.end     ? ALIAS_NO_NAME
           : e->value.begin == e->value.end ? ALIAS_NO_VALUE
                                            : ALIAS_GOOD;
}

bool alias_next(struct alias_reader *r, struct alias_entry *e)
{
    const struct alias_entry none = {0};
    while (r->pos < r->len && r->text[r->pos] == '\n')
        r->pos++;
    if (r->pos >= r->len)
        return false;
    *e = none;
    e->line = (struct alias_span){r->pos, line_end(r, r->pos)};
    e->more = (struct alias_span){e->line.end, e->line.end};
    size_t end = e->line.end;
    while (end < r->len) {
        bool joined = end > e->line.begin && r->text[end - 1] == '\\';
        if (!joined && (end + 1 >= r->len || !blank(r->text[end + 1])))
            break;
        end = line_end(r, end + 1);
        if (e->more.begin == e->line.end)
            e->more.begin = e->line.end + 1;
        e->more.end = end;
    }
    r->pos = end + 1;
    e->fault = parts(r->text, r->longest, e);
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

/* --- what is stored --------------------------------------------------------------------------- */

void alias_value(const char *text, struct alias_span value, struct buf *out)
{
    for (size_t i = value.begin; i < value.end; i++) {
        bool joins = text[i] == '\\' && i + 1 < value.end && text[i + 1] == '\n';
        if (text[i] != '\n' && !joins)
            buf_addc(out, text[i]);
    }
}

/* An address is taken apart as sendmail does: words and operators, without remarks; of <...> what
 * is inside. */
struct naming {
    const struct alias_terms *terms;
    struct buf *out;
    size_t begin; /* of the key in out */
    bool pending; /* a blank comes next, unless an operator does */
    bool word;    /* the last one was a word, no operator and no quote */
    bool inside;  /* of <...> */
    bool closed;  /* >: the rest is none of it */
    int remarks;  /* (...) that are open */
};

static void put(struct naming *n, const char *bytes, size_t len, bool word)
{
    if (n->pending && n->word && word)
        buf_addc(n->out, n->terms->blank);
    buf_add(n->out, bytes, len);
    n->pending = false;
    n->word = word;
}

static bool bad_byte(char c)
{
    unsigned char u = (unsigned char)c;
    return (u < 0x20 && !blank_or_end(c)) || (u >= 0x7f && u < 0xa0) || u == 0xff;
}

static bool angle(struct naming *n, char c)
{
    if (c == '<' ? n->inside : !n->inside)
        return false;
    if (c == '<')
        buf_truncate(n->out, n->begin);
    n->inside = c == '<';
    n->closed = c == '>';
    n->pending = n->word = false;
    return true;
}

/* The words of the name, from text to out. */
static enum alias_fault words(struct naming *n, const char *text, struct alias_span name)
{
    for (size_t i = name.begin; i < name.end; i++) {
        char c = text[i];
        bool pair = c == '\\' && i + 1 < name.end;
        if (bad_byte(c))
            return ALIAS_BYTE;
        if (c == '\\' && !pair) {
            continue;
        } else if (c == '(' || (c == ')' && n->remarks > 0)) {
            n->remarks += c == '(' ? 1 : -1;
            n->pending = true;
        } else if (c == ')') {
            return ALIAS_NO_ADDRESS;
        } else if (n->remarks > 0 || blank_or_end(c)) {
            n->pending = true;
        } else if (c == '<' || c == '>') {
            if (!angle(n, c))
                return ALIAS_NO_ADDRESS;
        } else if (c == '"') {
            size_t end = i + 1;
            while (end < name.end && text[end] != '"' && !bad_byte(text[end]))
                end += text[end] == '\\' ? 2 : 1;
            if (end >= name.end || bad_byte(text[end]))
                return end >= name.end ? ALIAS_QUOTE : ALIAS_BYTE;
            if (!n->closed)
                put(n, text + i, end + 1 - i, false);
            i = end;
        } else if (!n->closed) {
            if (pair && bad_byte(text[i + 1]))
                return ALIAS_BYTE;
            put(n, text + i, pair ? 2 : 1, pair || !strchr(n->terms->operators, c));
            i += pair;
        }
    }
    return n->remarks > 0 || n->inside ? ALIAS_NO_ADDRESS : ALIAS_GOOD;
}

/* "x" as a whole is x, unless it needs its quotes. */
static void without_quotes(struct naming *n)
{
    char *key = n->out->data + n->begin;
    size_t len = n->out->len - n->begin;
    if (len < 2 || key[0] != '"' || key[len - 1] != '"')
        return;
    for (size_t i = 1; i + 1 < len; i++) {
        if (key[i] == '"' || blank_or_end(key[i]) || strchr("()<>", key[i]))
            return;
        i += key[i] == '\\';
    }
    memmove(key, key + 1, len - 2);
    buf_truncate(n->out, n->out->len - 2);
}

/* The first byte of these that stands outside of quotes; NULL: there is none. */
static char *unquoted_any(char *s, const char *bytes)
{
    bool quoted = false;
    for (; *s; s++)
        if (*s == '\\' && s[1])
            s++;
        else if (*s == '"')
            quoted = !quoted;
        else if (!quoted && strchr(bytes, *s))
            return s;
    return NULL;
}

static enum alias_fault without_host(struct naming *n)
{
    const struct alias_terms *t = n->terms;
    char *key = n->out->data + n->begin, *at = unquoted_any(key, "@");
    if (at) {
        char *host = at + 1;
        size_t len = strlen(host);
        if (at == key || len == 0 || unquoted_any(host, "@,"))
            return ALIAS_NO_ADDRESS;
        if (host[len - 1] == '.')
            host[len - 1] = '\0';
        if (!t->local || !t->local(t->ctx, host))
            return ALIAS_NOT_LOCAL;
        buf_truncate(n->out, (size_t)(at - n->out->data));
    }
    return unquoted_any(key, "%!") || *key == '/' || *key == '|' ? ALIAS_NOT_LOCAL : ALIAS_GOOD;
}

enum alias_fault alias_name(const char *text, struct alias_span name, const struct alias_terms *t,
                            struct buf *out)
{
    struct naming n = {.terms = t, .out = out, .begin = out->len};
    struct buf line;
    if (memchr(text + name.begin, '\n', name.end - name.begin)) {
        buf_init(&line, out->arena);
        alias_value(text, name, &line);
        text = line.data;
        name = (struct alias_span){0, line.len};
    }
    enum alias_fault fault = words(&n, text, name);
    if (fault == ALIAS_GOOD && unquoted_any(out->data + n.begin, ","))
        fault = ALIAS_NO_ADDRESS;
    if (fault == ALIAS_GOOD && out->len > n.begin && out->data[out->len - 1] == ';')
        buf_truncate(out, out->len - 1);
    if (fault == ALIAS_GOOD && out->len == n.begin)
        fault = ALIAS_NO_NAME;
    if (fault == ALIAS_GOOD) {
        map_fold(out->data + n.begin, out->len - n.begin);
        without_quotes(&n);
        fault = without_host(&n);
    }
    if (fault == ALIAS_GOOD && out->len - n.begin > LONGEST_NAME)
        fault = ALIAS_LONG_NAME;
    if (fault == ALIAS_GOOD && out->len == n.begin)
        fault = ALIAS_NO_ADDRESS;
    if (fault != ALIAS_GOOD)
        buf_truncate(out, n.begin);
    return fault;
}
