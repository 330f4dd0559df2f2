#include "mta/front/parameters.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* Whether a rule is content with a value; else the reply is there. */
typedef bool rule(struct parameters *p, struct bytes value, struct buf *reply);

enum {
#define PARAMETER(command, name, said, judge) SEEN_##name,
#include "mta/front/parameters.def"
    NPARAMETERS
};

enum {
    DELIVER_BY_MOST = 999999999 /* RFC 2852 4: nine digits */
};

static bool wrong(struct buf *reply, const char *text)
{
    buf_adds(reply, text);
    return false;
}

/* `before`, the value as it was sent, `behind`. */
static bool wrong_value(struct buf *reply, const char *before, struct bytes value,
                        const char *behind)
{
    buf_adds(reply, before);
    buf_add(reply, value.p, value.len);
    buf_adds(reply, behind);
    return false;
}

static bool is(struct bytes value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.p, word, value.len) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* RFC 3461 4: printable, and a '+' begins two hexadecimal digits, of any case here. */
static bool is_xtext(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.p[i];
        if (c < '!' || c > '~' || c == '=')
            return false;
        if (c != '+')
            continue;
        if (value.len - i < 3 || !is_hex(value.p[i + 1]) || !is_hex(value.p[i + 2]))
            return false;
        i += 2;
    }
    return true;
}

/* Digits that the text begins with, as a number of at most `most`; more are `most` too. */
static uint64_t number(struct bytes text, uint64_t most, size_t *digits)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < text.len && is_digit(text.p[i]); i++) {
        uint64_t d = (uint64_t)(text.p[i] - '0');
        n = n > (most - d) / 10 ? most : n * 10 + d;
    }
    *digits = i;
    return n;
}

static bool once(struct parameters *p, int which, const char *name, struct buf *reply)
{
    if (p->seen & (uint64_t)1 << which) {
        buf_printf(reply, "501 5.5.0 Duplicate %s parameter", name);
        return false;
    }
    return true;
}

static bool dsn_allowed(const struct parameters *p, const char *name, struct buf *reply)
{
    if (!p->dsn)
        buf_printf(reply, "504 5.7.0 Sorry, %s not supported, we do not allow DSN", name);
    return p->dsn;
}

/* What is no number counts as 0, as with the reference. */
static bool size(struct parameters *p, struct bytes value, struct buf *reply)
{
    size_t digits;
    uint64_t n = number(value, UINT64_MAX, &digits);

    if (value.len > 0 && value.p[0] == '-')
        return wrong(reply, "552 5.2.3 Message size invalid");
    if (n > INT64_MAX)
        return wrong(reply, "552 5.2.3 Message size exceeds maximum value");
    if (p->max_size > 0 && n > p->max_size) {
        buf_printf(reply, "552 5.2.3 Message size exceeds fixed maximum message size (%" PRIu64 ")",
                   p->max_size);
        return false;
    }
    return true;
}

static bool body(struct parameters *p, struct bytes value, struct buf *reply)
{
    p->eight_bit = is(value, "8BITMIME");
    p->seven_bit = is(value, "7BIT");
    if (p->eight_bit || p->seven_bit)
        return true;
    return wrong_value(reply, "501 5.5.4 Unknown BODY type ", value, "");
}

static bool envid(struct parameters *p, struct bytes value, struct buf *reply)
{
    if (!dsn_allowed(p, "ENVID", reply) || !once(p, SEEN_ENVID, "ENVID", reply))
        return false;
    return is_xtext(value) || wrong(reply, "501 5.5.4 Syntax error in ENVID parameter value");
}

static bool ret(struct parameters *p, struct bytes value, struct buf *reply)
{
    if (!dsn_allowed(p, "RET", reply) || !once(p, SEEN_RET, "RET", reply))
        return false;
    if (is(value, "FULL") || is(value, "HDRS"))
        return true;
    return wrong_value(reply, "501 5.5.2 Bad argument \"", value, "\" to RET");
}

static bool auth(struct parameters *p, struct bytes value, struct buf *reply)
{
    if (!once(p, SEEN_AUTH, "AUTH", reply))
        return false;
    return is_xtext(value) || wrong(reply, "501 5.5.4 Syntax error in AUTH parameter value");
}

/* [+-]digits;mode[trace] */
static bool by(struct parameters *p, struct bytes value, struct buf *reply)
{
    size_t sign = value.len > 0 && (value.p[0] == '-' || value.p[0] == '+'), digits;
    struct bytes rest = {value.p + sign, value.len - sign};
    uint64_t n = number(rest, (uint64_t)DELIVER_BY_MOST + 1, &digits);

    if (digits == rest.len || rest.p[digits] != ';')
        return wrong(reply, "501 5.5.2 BY= missing ';'");
    if (n > DELIVER_BY_MOST)
        return wrong_value(reply, "501 5.5.2 BY=", value, " out of range");
    rest.p += digits + 1;
    rest.len -= digits + 1;
    char mode = rest.len > 0 ? rest.p[0] : '?';
    int64_t seconds = sign && value.p[0] == '-' ? -(int64_t)n : (int64_t)n;
    if (strchr("NnRr", mode) == NULL || mode == '\0')
        return wrong_value(reply, "501 5.5.2 illegal by-mode '", (struct bytes){&mode, 1}, "'");
    if (rest.len > 1 && rest.p[1] != 'T' && rest.p[1] != 't')
        return wrong_value(reply, "501 5.5.2 illegal by-trace '", (struct bytes){rest.p + 1, 1},
                           "'");
    if ((mode == 'R' || mode == 'r') && seconds <= 0)
        return wrong(reply, "501 5.5.4 mode R requires BY time > 0");
    if ((mode == 'R' || mode == 'r') && seconds < p->deliver_by_min) {
        buf_printf(reply, "555 5.5.2 time %" PRId64 " less than %" PRId64, seconds,
                   p->deliver_by_min);
        return false;
    }
    return true;
}

static bool notify(struct parameters *p, struct bytes value, struct buf *reply)
{
    const char *s = value.p, *end = value.p + value.len;

    if (!dsn_allowed(p, "NOTIFY", reply))
        return false;
    if (is(value, "NEVER"))
        return true;
    for (;;) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        struct bytes word = {s, (size_t)((comma != NULL ? comma : end) - s)};
        if (!is(word, "SUCCESS") && !is(word, "FAILURE") && !is(word, "DELAY"))
            return wrong_value(reply, "501 5.5.4 Bad argument \"", word, "\"  to NOTIFY");
        if (comma == NULL)
            return true;
        s = comma + 1;
    }
}

static bool orcpt(struct parameters *p, struct bytes value, struct buf *reply)
{
    const char *semicolon = value.len > 0 ? memchr(value.p, ';', value.len) : NULL;

    if (!dsn_allowed(p, "ORCPT", reply))
        return false;
    if (semicolon == NULL || semicolon == value.p || !is_xtext(value))
        return wrong(reply, "501 5.5.4 Syntax error in ORCPT parameter value");
    return once(p, SEEN_ORCPT, "ORCPT", reply);
}

static const struct {
    enum parameters_command command;
    const char *name, *said;
    rule *judge;
} parameters[NPARAMETERS] = {
#define PARAMETER(command, name, said, judge) {PARAMETERS_OF_##command, #name, said, judge},
#include "mta/front/parameters.def"
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_name(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

size_t parameters_path(const char *s, size_t len)
{
    size_t angles = 0, comments = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c == '\\' && (quoted || comments > 0))
            i++;
        else if (c == '"' && comments == 0)
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (c == '(')
            comments++;
        else if (c == ')' && comments > 0)
            comments--;
        else if (comments > 0)
            continue;
        else if (c == '<')
            angles++;
        else if (c == '>' && angles > 0)
            angles--;
        else if (is_blank(c) && angles == 0)
            return i;
    }
    return len;
}

static int find(const struct parameters *p, enum parameters_command command, struct bytes name)
{
    for (int i = 0; i < NPARAMETERS; i++)
        if (parameters[i].command == command && is(name, parameters[i].name))
            return i == SEEN_BY && p->deliver_by_min < 0 ? NPARAMETERS : i;
    return NPARAMETERS;
}

/* `value` is NULL where there is no '='. */
static bool judge(struct parameters *p, enum parameters_command command, struct bytes name,
                  struct bytes value, struct buf *reply)
{
    int i = find(p, command, name);

    if (i == NPARAMETERS)
        return wrong_value(reply, "555 5.5.4 ", name, " parameter unrecognized");
    if (value.p == NULL) {
        buf_printf(reply, "501 5.5.2 %s requires a value", parameters[i].said);
        return false;
    }
    if (!parameters[i].judge(p, value, reply))
        return false;
    p->seen |= (uint64_t)1 << i;
    return true;
}

static void keep(struct arena *a, struct parameters *p, struct bytes text)
{
    p->v = arena_grow(a, p->v, p->n, &p->room, sizeof *p->v, 8);
    p->v[p->n++] = text;
}

bool parameters_read(struct arena *a, struct parameters *p, enum parameters_command command,
                     const char *s, size_t len, struct buf *reply)
{
    size_t i = 0;

    p->n = 0;
    p->seen = 0;
    p->eight_bit = p->seven_bit = false;
    for (;;) {
        while (i < len && is_blank(s[i]))
            i++;
        if (i == len)
            return true;
        size_t start = i;
        while (i < len && is_name(s[i]))
            i++;
        struct bytes name = {s + start, i - start}, value = {NULL, 0};
        if (i < len && s[i] == '=') {
            size_t from = ++i;
            while (i < len && s[i] != '=' && !is_blank(s[i]))
                i++;
            value = (struct bytes){s + from, i - from};
        }
        if (!judge(p, command, name, value, reply))
            return false;
        keep(a, p, (struct bytes){s + start, i - start});
        if (i < len)
            i++; /* what ended it */
    }
}
