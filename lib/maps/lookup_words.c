/*
 * lookup_words: classes that work on the key alone, without a file or a server: null, dequote,
 * regex, arith, macro, arpa, syslog; and absent, for those that are not built in.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <syslog.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/maps/lookup_class.h"
#include "lib/maps/pattern.h"
#include "lib/model/findings.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char *text_of(struct arena *a, struct map_bytes b)
{
    return arena_strndup(a, b.len ? b.p : "", b.len);
}

/* --- null, absent -------------------------------------------------------------------------- */

static void null_find(struct lookup_query *q)
{
    lookup_is_not_found(q, EX_NOHOST);
}

const struct lookup_class map_lookup_null = {lookup_read_flags, null_find, NULL, true};

void lookup_declare_absent(struct lookup_reader *r, struct lookup_map *m, const char *hint)
{
    lookup_read_options(r, m, NULL, false);
    if (r->diag)
        finding_add(r->diag, FINDING_MAP_NOT_BUILT, r->at, m->class_name, m->name, hint,
                    (char *)NULL);
}

static bool absent_declare(struct lookup_reader *r, struct lookup_map *m)
{
    lookup_declare_absent(r, m, "what it reads exists on few systems, if on any");
    return true;
}

void lookup_absent(struct lookup_query *q)
{
    if (q->map->optional)
        q->answer->closed = true;
    else
        lookup_failed(q, "class %s is not built in", q->map->class_name);
}

const struct lookup_class map_lookup_absent = {absent_declare, lookup_absent, NULL, false};

/* --- dequote ------------------------------------------------------------------------------- */

static bool dequote_option(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    (void)r;
    if (**p != 's')
        return false;
    m->space = (*p)[1];
    return true;
}

/* Of its options sendmail takes the first alone. */
static bool dequote_declare(struct lookup_reader *r, struct lookup_map *m)
{
    const char *whole = m->rest, *p = whole;

    m->keep_quotes = true; /* they are what it is about */
    m->rest = lookup_word(r->arena, &p);
    lookup_read_options(r, m, dequote_option, false);
    m->rest = whole;
    return true;
}

static bool key_alone_declare(struct lookup_reader *r, struct lookup_map *m)
{
    m->keep_quotes = true;
    lookup_read_options(r, m, NULL, false);
    return true;
}

/* The key without its quotes, where it stays one word, and comments and <> are closed. */
static void dequote_find(struct lookup_query *q)
{
    struct buf b;
    unsigned quotes = 0, comments = 0, angles = 0;
    bool open = false, good = true;
    buf_init(&b, q->result);
    for (size_t i = 0; i < q->key.len && good; i++) {
        char c = q->key.p[i];
        if (c == '\\' && i + 1 < q->key.len) {
            buf_addc(&b, c);
            c = q->key.p[++i];
        } else if (c == '"' && comments == 0) {
            quotes++;
            open = !open;
            continue;
        } else if (c == ' ') {
            good = q->map->space != '\0';
            c = q->map->space;
        } else if (c == '\t') {
            good = false;
        } else if (c == '(') {
            comments++;
        } else if (c == ')') {
            good = comments-- > 0;
        } else if (comments == 0 && c == '<') {
            angles++;
        } else if (comments == 0 && c == '>') {
            good = angles-- > 0;
        }
        buf_addc(&b, c);
    }
    if (!good || quotes == 0 || open || comments > 0 || angles > 0) {
        lookup_is_not_found(q, EX_OK);
        return;
    }
    if (q->map->append)
        buf_adds(&b, q->map->append);
    q->finished = true;
    lookup_is_found(q, (struct map_bytes){b.data, b.len});
}

const struct lookup_class map_lookup_dequote = {dequote_declare, dequote_find, NULL, true};

/* --- regex --------------------------------------------------------------------------------- */

enum { SUBSTRINGS = 32, SUBSTRINGS_BYTES = 255 };

struct pattern {
    const char *text, *delimiter; /* delimiter NULL: none said */
    const char *fields;           /* -s; NULL: none */
    bool negated, basic;
};

static bool regex_option(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    struct pattern *x = m->own;
    switch (**p) {
    case 'n':
        x->negated = true;
        return true;
    case 'b':
        x->basic = true;
        return true;
    case 's':
        x->fields = lookup_option_value_at_once(r, p);
        return true;
    case 'd':
        x->delimiter = lookup_option_value_at_once(r, p);
        return true;
    default:
        return false;
    }
}

static int compile(const struct lookup_map *m, regex_t *re)
{
    const struct pattern *x = m->own;
    if (!pattern_is_small(x->text, x->basic))
        return REG_ESPACE;
    return regcomp(re, x->text,
                   (x->basic ? 0 : REG_EXTENDED) | (m->keep_case ? 0 : REG_ICASE) |
                       (x->fields ? 0 : REG_NOSUB));
}

/* Numbers with commas between, of which what is none is 0; how many, 0 where they are too many or
 * the pattern has no such substring. */
static size_t read_fields(const char *text, const regex_t *re, size_t fields[SUBSTRINGS])
{
    for (size_t n = 0; n < SUBSTRINGS; text++) {
        int v = (int)strtol(text, NULL, 10);
        if (v < 0 || (size_t)v > re->re_nsub)
            return 0;
        fields[n++] = (size_t)v;
        text = strchr(text, ',');
        if (!text)
            return n;
    }
    return 0;
}

/* The substrings that -s names; all of them, where it names none. */
static size_t substrings(const struct pattern *x, const regex_t *re, size_t fields[SUBSTRINGS])
{
    size_t n = 0;
    if (re->re_nsub + 1 >= SUBSTRINGS)
        return 0;
    if (*x->fields)
        return read_fields(x->fields, re, fields);
    for (; n <= re->re_nsub; n++)
        fields[n] = n;
    return n;
}

static void say_pattern(struct lookup_reader *r, const struct lookup_map *m, const char *what,
                        const char *option)
{
    if (r->diag)
        finding_add(r->diag, FINDING_MAP_OPTION_VALUE, r->at, m->name, what, option, (char *)NULL);
}

static bool regex_declare(struct lookup_reader *r, struct lookup_map *m)
{
    struct pattern *x = arena_alloc(r->arena, sizeof *x);
    if (m->own)
        *x = *(struct pattern *)m->own;
    m->own = x;
    const char *p = lookup_read_options(r, m, regex_option, false);
    size_t n = strlen(p);
    x->text = arena_strndup(r->arena, p, n);
    regex_t re;
    int rc = compile(m, &re);
    if (rc != 0) {
        char why[200];
        regerror(rc, &re, why, sizeof why);
        if (r->diag)
            finding_add(r->diag, FINDING_MAP_PATTERN, r->at, m->name,
                        rc == REG_ESPACE ? "it becomes too large" : why, (char *)NULL);
        return false;
    }
    size_t fields[SUBSTRINGS];
    bool fits = !x->fields || substrings(x, &re, fields) > 0;
    if (!fits && re.re_nsub + 1 >= SUBSTRINGS)
        say_pattern(r, m, "a pattern of more than 30 substrings", "s");
    else if (!fits)
        say_pattern(r, m, "more than 32 substrings, or one that the pattern does not have", "s");
    regfree(&re);
    return fits;
}

static void add_substrings(struct buf *b, const struct pattern *x, const size_t *fields, size_t n,
                           const char *key, const regmatch_t *match)
{
    for (size_t i = 0; i < n; i++) {
        const regmatch_t *one = &match[fields[i]];
        if (i > 0 && x->delimiter)
            buf_adds(b, x->delimiter);
        else if (i > 0)
            buf_addc(b, LOOKUP_SUBSTRING);
        if (one->rm_so >= 0)
            buf_add(b, key + one->rm_so, (size_t)(one->rm_eo - one->rm_so));
    }
}

/* What is given out is to be taken apart again: quotes, comments and <> are closed, blanks quoted.
 */
static bool is_one_word(const struct buf *b)
{
    long comments = 0, angles = 0;
    bool open = false;
    for (size_t i = 0; i < b->len; i++) {
        char c = b->data[i];
        if (c == '\\' && ++i == b->len)
            return false;
        if (c == '"')
            open = !open;
        else if (c == ' ' && !open)
            return false;
        else if (!open)
            comments += (c == '(') - (c == ')'), angles += (c == '<') - (c == '>');
    }
    return !open && comments == 0 && angles == 0;
}

static void regex_close(void *state)
{
    regfree(state);
}

static void regex_find(struct lookup_query *q)
{
    const struct pattern *x = q->map->own;
    if (!*q->state) {
        /* One of the session's own: a pattern in use is locked. */
        regex_t *re = arena_alloc(q->lifetime, sizeof *re);
        if (compile(q->map, re) != 0) {
            lookup_failed(q, "there is no memory for the pattern");
            return;
        }
        *q->state = re;
    }
    const regex_t *re = *q->state;
    regmatch_t match[SUBSTRINGS];
    const char *key = text_of(q->result, q->key);
    int rc = regexec(re, key, x->fields ? re->re_nsub + 1 : 0, match, 0);
    if (rc != 0 && rc != REG_NOMATCH) {
        lookup_failed(q, "there is no memory to match");
        return;
    }
    if ((rc == 0) == x->negated) {
        lookup_is_not_found(q, EX_OK);
        return;
    }
    struct buf b;
    buf_init(&b, q->result);
    if (x->fields && rc == 0) {
        size_t fields[SUBSTRINGS];
        size_t n = q->nargs > 0 ? read_fields(text_of(q->result, q->args[0]), re, fields)
                                : substrings(x, re, fields);
        if (n == 0) {
            lookup_is_not_found(q, EX_OK);
            return;
        }
        add_substrings(&b, x, fields, n, key, match);
        if (b.len > SUBSTRINGS_BYTES) /* what sendmail has room for */
            buf_truncate(&b, SUBSTRINGS_BYTES);
        if (!is_one_word(&b)) {
            lookup_is_not_found(q, EX_OK);
            return;
        }
    }
    lookup_is_found(q, (struct map_bytes){b.data, b.len});
}

const struct lookup_class map_lookup_regex = {regex_declare, regex_find, regex_close, true};

/* --- arith --------------------------------------------------------------------------------- */

static long number(struct lookup_query *q, size_t i)
{
    return strtol(text_of(q->result, q->args[i]), NULL, 0);
}

/* Both ends included. */
static long random_between(long least, long most)
{
    unsigned long range = (unsigned long)most - (unsigned long)least + 1, x = 0;
    if (getrandom(&x, sizeof x, 0) != (ssize_t)sizeof x)
        x = (unsigned long)random();
    return (long)((unsigned long)least + (range == 0 ? x : x % range));
}

/* False: there is no such operator, or no result. */
static bool calculate(char op, long a, long b, long *result)
{
    /* As two's complement has it, where it overflows. */
    unsigned long ua = (unsigned long)a, ub = (unsigned long)b;
    switch (op) {
    case '+':
        *result = (long)(ua + ub);
        return true;
    case '-':
        *result = (long)(ua - ub);
        return true;
    case '*':
        *result = (long)(ua * ub);
        return true;
    case '/':
        if (b == 0)
            return false;
        *result = b == -1 ? (long)(0 - ua) : a / b;
        return true;
    case '%':
        if (b == 0)
            return false;
        *result = b == -1 ? 0 : a % b;
        return true;
    case '&':
        *result = (long)(ua & ub);
        return true;
    case '|':
        *result = (long)(ua | ub);
        return true;
    case 'r':
        if (a > b)
            return false;
        *result = random_between(a, b);
        return true;
    default:
        return false;
    }
}

static void arith_find(struct lookup_query *q)
{
    enum { DIGITS = 15 }; /* of a result, with its sign; the others are cut off */
    char op = '\0', text[32];
    long result;
    if (q->nargs < 2) {
        lookup_is_not_found(q, EX_CONFIG);
        return;
    }
    if (q->key.len > 0)
        op = q->key.p[0];
    long a = number(q, 0), b = number(q, 1);
    q->finished = true;
    if (op == '=' || op == 'l') {
        lookup_is_found_text(q, (op == '=' ? a == b : a < b) ? "TRUE" : "FALSE");
    } else if (calculate(op, a, b, &result)) {
        snprintf(text, sizeof text, "%ld", result);
        text[DIGITS] = '\0';
        lookup_is_found_text(q, text);
    } else {
        lookup_is_not_found(q, EX_OK);
    }
}

const struct lookup_class map_lookup_arith = {key_alone_declare, arith_find, NULL, true};

/* --- macro --------------------------------------------------------------------------------- */

static void macro_find(struct lookup_query *q)
{
    struct map_bytes name = q->key;
    if (!q->world->set_macro) {
        lookup_failed(q, "there are no macros here");
        return;
    }
    if (name.len > 0 && name.p[0] == '{') {
        const char *end = memchr(name.p, '}', name.len);
        name = (struct map_bytes){name.p + 1, end ? (size_t)(end - name.p) - 1 : 0};
    } else if (name.len > 1) {
        name.len = 1;
    }
    if (name.len == 0) {
        lookup_is_not_found(q, EX_OK);
        return;
    }
    q->world->set_macro(q->world->macros, name, q->nargs > 0 ? &q->args[0] : NULL);
    q->finished = true;
    lookup_is_found_text(q, "");
}

const struct lookup_class map_lookup_macro = {key_alone_declare, macro_find, NULL, true};

/* --- arpa ---------------------------------------------------------------------------------- */

static void arpa_find(struct lookup_query *q)
{
    static const char tag[] = "IPv6:";
    unsigned char bytes[16];
    const char *key = text_of(q->result, q->key);
    struct buf b;
    buf_init(&b, q->result);
    q->finished = true;
    if (strncasecmp(key, tag, sizeof tag - 1) == 0 &&
        inet_pton(AF_INET6, key + sizeof tag - 1, bytes) == 1) {
        for (size_t i = 16; i-- > 0;)
            buf_printf(&b, "%x.%x%s", bytes[i] & 15u, bytes[i] >> 4u, i ? "." : "");
    } else if (inet_pton(AF_INET, key, bytes) == 1) {
        buf_printf(&b, "%u.%u.%u.%u", bytes[3], bytes[2], bytes[1], bytes[0]);
    } else {
        lookup_is_not_found(q, EX_DATAERR);
        return;
    }
    if (q->map->append)
        buf_adds(&b, q->map->append);
    lookup_is_found(q, (struct map_bytes){b.data, b.len});
}

const struct lookup_class map_lookup_arpa = {key_alone_declare, arpa_find, NULL, true};

/* --- syslog -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int priority;
} priorities[] = {{"EMERG", LOG_EMERG}, {"ALERT", LOG_ALERT},     {"CRIT", LOG_CRIT},
                  {"ERR", LOG_ERR},     {"WARNING", LOG_WARNING}, {"NOTICE", LOG_NOTICE},
                  {"INFO", LOG_INFO},   {"DEBUG", LOG_DEBUG}};

static bool syslog_option(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    if (**p != 'L')
        return false;
    int *priority = m->own;
    const char *name = lookup_option_value(r, p);
    if (strncasecmp(name, "LOG_", 4) == 0)
        name += 4;
    *priority = -1;
    for (size_t i = 0; i < COUNT(priorities); i++)
        if (strcasecmp(priorities[i].name, name) == 0)
            *priority = priorities[i].priority;
    if (*priority < 0)
        say_pattern(r, m, arena_printf(r->arena, "%s, which is no priority,", name), "L");
    return true;
}

static bool syslog_declare(struct lookup_reader *r, struct lookup_map *m)
{
    int *priority = arena_alloc(r->arena, sizeof *priority);
    *priority = m->own ? *(int *)m->own : LOG_INFO;
    m->own = priority;
    lookup_read_options(r, m, syslog_option, false);
    return *priority >= 0;
}

static void syslog_find(struct lookup_query *q)
{
    const int *priority = q->map->own;
    if (q->world->log)
        q->world->log(q->world->logger, *priority, text_of(q->result, q->key));
    q->finished = true;
    lookup_is_found_text(q, "");
}

const struct lookup_class map_lookup_syslog = {syslog_declare, syslog_find, NULL, true};
