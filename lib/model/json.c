#include "lib/model/json.h"

#include <stddef.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/source.h"

void json_start(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

void json_start_line(struct json *j, struct buf *out)
{
    json_start(j, out);
    j->one_line = true;
}

static void new_line(struct json *j)
{
    if (j->one_line)
        return;
    buf_addc(j->out, '\n');
    for (int i = 0; i < j->depth; i++)
        buf_adds(j->out, "  ");
}

void json_string(struct buf *out, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t left = len;

    buf_addc(out, '"');
    while (left > 0) {
        size_t n = source_character((const char *)s, left);

        if (*s == '"' || *s == '\\') {
            buf_addc(out, '\\');
            buf_addc(out, (char)*s);
        } else if (*s == '\n') {
            buf_adds(out, "\\n");
        } else if (*s == '\t') {
            buf_adds(out, "\\t");
        } else if (*s == '\r') {
            buf_adds(out, "\\r");
        } else if (n == 0 || *s < 0x20 || *s == 0x7f) {
            buf_printf(out, "\\u%04x", *s);
        } else {
            buf_add(out, s, n);
            s += n;
            left -= n;
            continue;
        }
        s++;
        left--;
    }
    buf_addc(out, '"');
}

static void add_string(struct json *j, const char *text)
{
    json_string(j->out, text, strlen(text));
}

static void start_member(struct json *j, const char *key)
{
    if (j->filled[j->depth])
        buf_addc(j->out, ',');
    j->filled[j->depth] = true;
    if (j->depth > 0)
        new_line(j);
    if (key) {
        add_string(j, key);
        buf_adds(j->out, ": ");
    }
}

static void open_level(struct json *j, const char *key, char opener, char closer)
{
    start_member(j, key);
    buf_addc(j->out, opener);
    if (j->depth + 1 < JSON_DEPTH)
        j->depth++;
    j->filled[j->depth] = false;
    j->closer[j->depth] = closer;
}

void json_open_object(struct json *j, const char *key)
{
    open_level(j, key, '{', '}');
}

void json_open_array(struct json *j, const char *key)
{
    open_level(j, key, '[', ']');
}

void json_close(struct json *j)
{
    char closer = j->closer[j->depth];
    bool filled = j->filled[j->depth];

    if (j->depth > 0)
        j->depth--;
    if (filled)
        new_line(j);
    buf_addc(j->out, closer);
}

void json_member(struct json *j, const char *key, const char *value)
{
    start_member(j, key);
    if (value)
        add_string(j, value);
    else
        buf_adds(j->out, "null");
}

void json_member_bool(struct json *j, const char *key, bool value)
{
    start_member(j, key);
    buf_adds(j->out, value ? "true" : "false");
}

void json_member_number(struct json *j, const char *key, long long value)
{
    start_member(j, key);
    buf_printf(j->out, "%lld", value);
}

void json_end(struct json *j)
{
    buf_addc(j->out, '\n');
}
