#include "mta/address_test.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/maps/resolver.h"
#include "lib/rewrite/address.h"
#include "mta/test_record.h"

enum {
    READ_BYTES = 1 << 16,
    WRITE_BYTES = 1 << 17,
    NAME_WIDTH = 16,
    NAME_SHOWN = 20,
    WHAT_WIDTH = 9,
    SHOWN_MAX = 64,
    TRACE_RULES = 12
};

/* The tokens of the last line of the trace: most lines show what the one before did. */
struct shown {
    struct token v[SHOWN_MAX];
    uint32_t n;
    size_t at, end; /* where their text stands in `held`; end is 0: it does not any more */
};

struct test {
    struct arena *arena;
    const struct program *p;
    const struct lookup_world *world;
    struct rewrite *r;
    int in, out;
    char *line; /* READ_BYTES + 1 */
    size_t have, at;
    bool at_end;
    char *held; /* WRITE_BYTES */
    size_t nheld;
    struct shown shown;
    char (*labels)[NAME_WIDTH]; /* of rulesets, by number */
    unsigned flags;             /* of /try */
    unsigned debug;             /* level of -d21 */
    int status;                 /* exit code */
    bool quit;
    struct test_record *record; /* NULL: answers are text */
    const char *heading;        /* what stands before a note in the same line; NULL: nothing */
};

/* The first that went wrong is what the mode ends with. */
static void fail(struct test *t, int status)
{
    if (t->status == 0)
        t->status = status;
}

/* --- output ------------------------------------------------------------------------------- */

static void flush(struct test *t)
{
    size_t done = 0;

    while (done < t->nheld) {
        ssize_t n = write(t->out, t->held + done, t->nheld - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nobody reads any more */
        done += (size_t)n;
    }
    t->nheld = 0;
    t->shown.end = 0;
}

static void put_out(struct test *t, const char *s, size_t len)
{
    if (len > WRITE_BYTES - t->nheld)
        flush(t);
    while (len > WRITE_BYTES) {
        memcpy(t->held, s, WRITE_BYTES);
        t->nheld = WRITE_BYTES;
        flush(t);
        s += WRITE_BYTES;
        len -= WRITE_BYTES;
    }
    memcpy(t->held + t->nheld, s, len);
    t->nheld += len;
}

static void put(struct test *t, const char *s, size_t len)
{
    if (t->record)
        test_record_text(t->record, s, len);
    else
        put_out(t, s, len);
}

/* What belongs to the answer's frame, and is not there in JSON. */
static void frame(struct test *t, const char *s)
{
    if (!t->record)
        put_out(t, s, strlen(s));
}

static void puts_(struct test *t, const char *s)
{
    put(t, s, strlen(s));
}

static void say(struct test *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct test *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    puts_(t, arena_vprintf(rewrite_arena(t->r), fmt, ap));
    va_end(ap);
}

/* Text as the trace shows it: 8-bit characters by name, control characters not at all. */
static void put_visible(struct test *t, const char *s, size_t len)
{
    size_t plain = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= ' ' && c < 0x7f)
            continue;
        put(t, s + plain, i - plain);
        if (c == (unsigned char)LOOKUP_SUBSTRING) {
            put(t, "$|", 2);
            plain = i + 1;
            continue;
        }
        if (c >= 0x80) {
            put(t, "M-", 2);
            c &= 0x7f;
        }
        if (c >= ' ' && c < 0x7f)
            put(t, &(char){(char)c}, 1);
        else if (c == '\n')
            put(t, "\\n", 2);
        else if (c == '\r')
            put(t, "\\r", 2);
        else if (c == '\t')
            put(t, "\\t", 2);
        plain = i + 1;
    }
    put(t, s + plain, len - plain);
}

/* A token as the .cf writes it: "$=w" for "$={w}". */
static void put_token(struct test *t, const struct token *tok)
{
    const char *s = tok->p;
    size_t len = tok->len;

    if (tok->id > WORD_NONE && tok->id < WORD_FIRST && len == 5 && s[2] == '{') {
        put(t, s, 2);
        put(t, s + 3, 1);
        return;
    }
    put_visible(t, s, len);
}

static void put_tokens(struct test *t, const struct token *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        put(t, " ", 1);
        put_token(t, &v[i]);
    }
}

/* --- the trace ---------------------------------------------------------------------------- */

/* Room for so many bytes, which are put there by hand. */
static char *room_for(struct test *t, size_t bytes)
{
    if (bytes > WRITE_BYTES - t->nheld)
        flush(t);
    return bytes > WRITE_BYTES - t->nheld ? NULL : t->held + t->nheld;
}

/* Is the byte shown otherwise than as it is? */
static uint64_t is_odd(char c)
{
    return (unsigned char)(c - ' ') >= 0x7f - ' ' ? 1U : 0;
}

/* Not 0 if one of the eight bytes is odd: its highest bit is set, it is below a blank, or 0x7f. */
static uint64_t odd_bytes(uint64_t v)
{
    const uint64_t ones = UINT64_MAX / 0xff;

    return (v | (v - ones * ' ') | (v + ones)) & ones << 7;
}

/* Copies a text of a few bytes, and adds to *odd.  The bytes are looked at before they are written:
 * to read again what was just written takes a processor longer. */
static inline char *put_short(char *to, const char *from, size_t len, uint64_t *odd)
{
    uint64_t a, b;
    uint32_t c, d;

    if (len < sizeof c) {
        for (size_t i = 0; i < len; i++) {
            *odd |= is_odd(to[i] = from[i]);
        }
    } else if (len < sizeof a) { /* both may have a part in common */
        memcpy(&c, from, sizeof c);
        memcpy(&d, from + len - sizeof d, sizeof d);
        *odd |= odd_bytes((uint64_t)d << 32 | c);
        memcpy(to, &c, sizeof c);
        memcpy(to + len - sizeof d, &d, sizeof d);
    } else {
        memcpy(&b, from + len - sizeof b, sizeof b);
        for (size_t i = 0; i + sizeof a < len; i += sizeof a) {
            memcpy(&a, from + i, sizeof a);
            *odd |= odd_bytes(a);
            memcpy(to + i, &a, sizeof a);
        }
        *odd |= odd_bytes(b);
        memcpy(to + len - sizeof b, &b, sizeof b);
    }
    return to + len;
}

/* The text of the tokens and a line's end, at *to, which has room for it if no token has more than
 * TOKEN_BYTES_MAX bytes; the tokens also go to kept.  False if one has more, or must be shown
 * otherwise. */
static bool write_plain(char **to, const struct tokens *ws, struct token *kept)
{
    char *q = *to;
    uint64_t odd = 0;

    for (const struct token *t = ws->v, *end = t + ws->n; t < end; t++) {
        *kept++ = *t;
        *q++ = ' ';
        if (t->len == 1) {
            odd |= is_odd(*q++ = *t->p);
            continue;
        }
        if ((t->id < WORD_FIRST && t->len == 5) || t->len > TOKEN_BYTES_MAX)
            return false;
        q = put_short(q, t->p, t->len, &odd);
    }
    *q++ = '\n';
    *to = q;
    return odd == 0;
}

static bool is_shown(const struct test *t, const struct tokens *ws)
{
    const struct shown *s = &t->shown;

    return s->end > 0 && s->end == t->nheld && s->n == ws->n &&
           memcmp(s->v, ws->v, ws->n * sizeof *ws->v) == 0;
}

/* A ruleset's name as a line of the trace begins with. */
static void write_label(char to[NAME_WIDTH], const struct ruleset *r)
{
    char number[8];
    const char *name = program_ruleset_label(r, number);

    memset(to, ' ', NAME_WIDTH);
    memcpy(to, name, strnlen(name, NAME_WIDTH));
}

static void ruleset_line(struct test *t, const struct ruleset *r, const char what[WHAT_WIDTH],
                         const struct tokens *ws)
{
    enum { HEAD = NAME_WIDTH + WHAT_WIDTH };
    struct shown *const shown = &t->shown;
    const size_t shown_bytes = is_shown(t, ws) ? shown->end - shown->at : 0;
    const size_t most = shown_bytes ? shown_bytes : ws->n * (TOKEN_BYTES_MAX + 1UL) + 1;
    char head[HEAD], *begin = NULL;

    if (r->number < RULESETS_MAX && r == t->p->rulesets[r->number])
        memcpy(head, t->labels[r->number], NAME_WIDTH);
    else
        write_label(head, r);
    memcpy(head + NAME_WIDTH, what, WHAT_WIDTH);
    if (ws->n <= SHOWN_MAX)
        begin = room_for(t, HEAD + most);
    if (begin) {
        char *q = begin + HEAD;
        const bool again = shown_bytes > 0 && shown->end > 0; /* it was not written out just now */
        memcpy(begin, head, HEAD);
        if (again) {
            memcpy(q, t->held + shown->at, shown_bytes);
            q += shown_bytes;
        }
        if (again || write_plain(&q, ws, shown->v)) {
            shown->n = ws->n;
            shown->at = (size_t)(begin - t->held) + HEAD;
            shown->end = t->nheld = (size_t)(q - t->held);
            return;
        }
    }
    shown->end = 0;
    put(t, head, HEAD);
    put_tokens(t, ws->v, ws->n);
    put(t, "\n", 1);
}

static void enter(void *ctx, const struct ruleset *r, const struct tokens *ws)
{
    struct test *t = ctx;

    if (t->record)
        test_record_step(t->record, true, r, ws);
    else
        ruleset_line(ctx, r, "   input:", ws);
}

static void leave(void *ctx, const struct ruleset *r, const struct tokens *ws)
{
    struct test *t = ctx;

    if (t->record)
        test_record_step(t->record, false, r, ws);
    else
        ruleset_line(ctx, r, " returns:", ws);
}

static void heading(struct test *t)
{
    if (t->heading)
        puts_(t, t->heading);
    t->heading = NULL;
}

/* In seven bits, as it would go to a client. */
static void note(void *ctx, int status, const char *text)
{
    struct test *t = ctx;

    fail(t, status);
    if (t->record) {
        test_record_note(t->record, text);
        return;
    }
    heading(t);
    for (; *text; text++)
        put(ctx, &(char){(char)(*text & 0x7f)}, 1);
    put(ctx, "\n", 1);
}

/* What it does to the exit code, where sendmail cannot open what is behind the map. */
static int status_of_failure(const struct lookup_map *m)
{
    static const char *const of_system[] = {"hash", "btree", "implicit", "socket", "ldap"};
    const char *class = lookup_map_class(m);

    /* Of aliases it would read the source. */
    if (strcasecmp(class, "implicit") == 0 && lookup_map_has_aliases(m))
        return EX_OK;
    for (size_t i = 0; i < sizeof of_system / sizeof *of_system; i++) {
        if (strcasecmp(class, of_system[i]) == 0)
            return EX_OSERR;
    }
    return strcasecmp(class, "text") == 0 ? EX_SOFTWARE : EX_OK;
}

static void failed(void *ctx, const struct lookup_map *m, const char *why)
{
    struct test *t = ctx;

    if (strcasecmp(lookup_map_class(m), "host") == 0)
        return; /* a note has said it */
    if (t->status == EX_OK)
        t->status = status_of_failure(m);
    fprintf(stderr, "mcfd: %s\n", why);
}

static void trouble(void *ctx, int status, const char *why)
{
    if (status != LOOKUP_WARNING)
        fail(ctx, status);
    fprintf(stderr, "mcfd: %s\n", why);
}

static void trying(void *ctx, const struct ruleset *s, const struct rule *rule)
{
    const struct test *t = ctx;
    const struct origin at = rule->item->at;
    const struct source *src = source_by_id(t->p->config->sources, at.file);

    (void)s;
    say(ctx, "  %s:%u: %s\n", src ? src->path : "", (unsigned)at.line, rule->item->text);
}

static void matched(void *ctx, uint32_t n, const struct tokens *taken)
{
    say(ctx, "    $%u =", (unsigned)n);
    put_tokens(ctx, taken->v, taken->n);
    puts_(ctx, "\n");
}

static void tried(void *ctx, const struct rule *rule, const struct tokens *ws)
{
    (void)rule;
    if (!ws)
        return;
    puts_(ctx, "    makes:");
    put_tokens(ctx, ws->v, ws->n);
    puts_(ctx, "\n");
}

static void macro(void *ctx, const char *name, const char *value)
{
    say(ctx, "    $&{%s} is %s%s%s\n", name, value ? "\"" : "", value ? value : "not set",
        value ? "\"" : "");
}

static void looked_up(void *ctx, const char *map, const char *key,
                      const struct lookup_answer *answer)
{
    struct test *t = ctx;
    static const char *const verdicts[] = {"found", "not found", "cannot be said now"};

    if (t->record) {
        test_record_lookup(t->record, map, key, answer);
        return;
    }
    say(ctx, "    map %s, key \"%s\": %s", map, key, verdicts[answer->verdict]);
    if (answer->verdict == MAP_FOUND) {
        puts_(ctx, ": \"");
        put_visible(ctx, answer->value.p, answer->value.len);
        puts_(ctx, "\"");
    }
    puts_(ctx, "\n");
}

static void watch(struct test *t)
{
    struct rewrite_watch w = {.ctx = t,
                              .enter = enter,
                              .leave = leave,
                              .failed = failed,
                              .trouble = trouble,
                              .note = note};

    if (t->record)
        w.looked_up = looked_up;
    if (t->debug >= TRACE_RULES) {
        w.trying = trying;
        w.matched = matched;
        w.tried = tried;
        w.macro = macro;
        w.looked_up = looked_up;
    }
    rewrite_watch(t->r, &w);
}

/* -d's argument: categories and levels; ours is 21. */
static void set_debug(struct test *t, const char *s)
{
    while (*s) {
        char *end;
        unsigned long first = strtoul(s, &end, 10), last = first, level = 1;
        if (end == s)
            break;
        s = end;
        if (*s == '-') {
            last = strtoul(s + 1, &end, 10);
            s = end;
        }
        if (*s == '.') {
            level = strtoul(s + 1, &end, 10);
            s = end;
        }
        if (first <= 21 && 21 <= last)
            t->debug = level > 99 ? 99 : (unsigned)level;
        s += *s == ',';
    }
    watch(t);
}

/* --- rulesets ----------------------------------------------------------------------------- */

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A ruleset by the name that s begins with; NULL, and said so, if there is none. */
static const struct ruleset *ruleset_at(struct test *t, const char *s, const char **end,
                                        struct ruleset *empty)
{
    const char *from = s;

    while (*from && isspace((unsigned char)*from))
        from++;
    if (!isalnum((unsigned char)*from)) {
        char shown[NAME_SHOWN + 1];
        size_t n = strnlen(from, NAME_SHOWN);
        for (size_t i = 0; i < n; i++)
            shown[i] = (char)(from[i] & 0x7f);
        shown[n] = '\0';
        say(t, "invalid ruleset name: \"%s\"\nUndefined ruleset %s\n", shown, s);
        fail(t, EX_SOFTWARE);
        return NULL;
    }
    const char *q = from;
    if (isdigit((unsigned char)*from))
        q += strspn(from, "0123456789");
    else
        while (is_name(*q))
            q++;
    *end = q;
    const unsigned long n = isdigit((unsigned char)*from) ? strtoul(from, NULL, 10) : 0;
    const struct ruleset *r =
        n < RULESETS_MAX / 2 ? program_ruleset(t->p, from, (size_t)(q - from)) : NULL;
    if (r)
        return r;
    if (isdigit((unsigned char)*from)) {
        if (n < RULESETS_MAX / 2) {
            *empty = (struct ruleset){.name = "", .number = (uint16_t)n};
            return empty;
        }
        say(t, "bad ruleset %lu (%d max)\n", n, RULESETS_MAX / 2);
        fail(t, EX_SOFTWARE);
    }
    say(t, "Undefined ruleset %s\n", s);
    return NULL;
}

static void run_rulesets(struct test *t, const char *names, const char *addresses)
{
    const char *rest = addresses;

    for (;;) {
        struct tokens *ws;
        struct ruleset empty;
        size_t used, len = strlen(rest);
        rewrite_begin(t->r);
        t->shown.end = 0; /* other tokens may be where they were */
        ws = rewrite_workspace(t->r);
        if (address_scan(t->r, rest, len, t->p->level < 9, ',', ws, &used)) {
            for (const char *name = names; *name;) {
                const char *end;
                const struct ruleset *r = ruleset_at(t, name, &end, &empty);
                if (!r)
                    break;
                int status =
                    r == &empty ? rewrite_run_empty(t->r, r->number, ws) : rewrite_run(t->r, r, ws);
                if (status)
                    say(t, "== Ruleset %s (%u) status %d\n", name, (unsigned)r->number, status);
                name = end + strcspn(end, ",");
                name += *name == ',';
            }
        }
        rest += used;
        if (*rest != ',')
            return;
        rest++;
    }
}

static void dump_ruleset(struct test *t, const char *name)
{
    const char *end;
    struct ruleset empty;
    const struct ruleset *r = ruleset_at(t, name, &end, &empty);

    if (!r)
        return;
    for (size_t i = 0; i < r->nrules; i++) {
        const struct rule *rule = &r->rules[i];
        put(t, "R", 1);
        for (uint32_t k = 0; k < rule->nleft; k++) {
            put_token(t, &rule->left_tokens[k]);
            put(t, " ", 1);
        }
        puts_(t, "\t\t");
        if (rule->mode == RULE_RETURN)
            puts_(t, "$@ ");
        else if (rule->mode == RULE_ONCE)
            puts_(t, "$: ");
        for (uint32_t k = 0; k < rule->nright; k++) {
            put_token(t, &rule->right[k]);
            put(t, " ", 1);
        }
        put(t, "\n", 1);
    }
}

/* --- macros and classes ------------------------------------------------------------------- */

/* The name at s, "x" or "{name}"; *end behind it.  NULL, and said so, if there is none. */
static const char *name_at(struct test *t, const char *s, size_t *len, const char **end)
{
    if (*s == '{') {
        const char *close = strchr(s, '}');
        char *name = arena_raw(rewrite_arena(t->r), strlen(s) + 1), *to = name;
        for (const char *q = s + 1; close && q < close; q++) {
            if (is_name(*q))
                *to++ = *q;
            else
                say(t, "Invalid macro/class character %c\n", *q);
        }
        *to = '\0';
        *len = (size_t)(to - name);
        *end = close ? close + 1 : s;
        if (!close || *len > NAME_MAX_LEN || close != s + 1 + *len)
            fail(t, EX_SOFTWARE);
        if (!close)
            say(t, "Unbalanced { on %s\n", s + 1);
        else if (*len > NAME_MAX_LEN)
            say(t, "Macro/class name ({%.*s}) too long (%d chars max)\n", NAME_MAX_LEN, name,
                NAME_MAX_LEN);
        else if (close > s + 1)
            return name;
        if (!close || *len > NAME_MAX_LEN) {
            puts_(t, "Unable to assign macro/class ID (mid = 0xffffffff)\n");
            return NULL;
        }
    } else if (*s) {
        *len = 1;
        *end = s + 1;
        return s;
    }
    puts_(t, "Name required for macro/class\n");
    fail(t, EX_SOFTWARE);
    return NULL;
}

static void define(struct test *t, const char *s)
{
    size_t len;
    const char *end, *name;

    switch (*s) {
    case 'D':
        name = name_at(t, s + 1, &len, &end);
        if (name) {
            size_t n = strlen(end);
            while (n > 0 && isspace((unsigned char)end[n - 1]))
                n--;
            rewrite_set(t->r, name, len, end, n);
        }
        break;
    case 'C':
        if (!s[1])
            break;
        name = name_at(t, s + 1, &len, &end);
        while (name && *end) {
            end += strspn(end, " \t");
            size_t n = strcspn(end, " \t");
            if (n > 0)
                rewrite_add_word(t->r, name, len, end, n);
            end += n;
        }
        break;
    case '\0':
        puts_(t, "Usage: .[DC]macro value(s)\n");
        break;
    default:
        say(t, "Unknown \".\" command .%s\n", s);
        break;
    }
}

static void show_class(struct test *t, const char *s)
{
    size_t len;
    const char *end, *name = name_at(t, s, &len, &end), *cls, *word;

    if (!name)
        return;
    uint32_t id = names_find(&t->p->names, name, len);
    if (id && id < t->p->nnames) {
        const struct class_words *c = &t->p->classes[id];
        for (size_t i = 0; i < c->n; i++)
            say(t, "%s\n", c->words[i]);
    }
    for (size_t i = 0; (word = rewrite_added_word(t->r, i, &cls)); i++) {
        if (strlen(cls) == len && memcmp(cls, name, len) == 0)
            say(t, "%s\n", word);
    }
}

static void show_macro(struct test *t, const char *s)
{
    size_t len;
    const char *end, *name;

    if (*s == '=') {
        show_class(t, s + 1);
        return;
    }
    name = name_at(t, s, &len, &end);
    if (!name)
        return;
    const char *value = rewrite_get(t->r, name, len);
    if (value)
        put_visible(t, value, strlen(value));
    else
        puts_(t, "Undefined");
    put(t, "\n", 1);
}

/* --- mailers ------------------------------------------------------------------------------ */

static void put_ruleset(struct test *t, int number)
{
    const struct ruleset *r = t->p->rulesets[number];

    if (r && *r->name)
        puts_(t, r->name);
    else
        say(t, "%d", number);
}

static void dump_mailer(struct test *t, const struct mailer *m)
{
    say(t, "mailer %d (%s): P=%s S=", m->index, m->name, rewrite_source(t->r, &m->path));
    put_ruleset(t, m->sender_envelope);
    put(t, "/", 1);
    put_ruleset(t, m->sender_header);
    puts_(t, " R=");
    put_ruleset(t, m->recipient_envelope);
    put(t, "/", 1);
    put_ruleset(t, m->recipient_header);
    say(t, " M=%ld U=%s F=%s L=%ld E=", m->max_size, m->user ? m->user : "-1:-1", m->flags,
        m->line_limit);
    put_visible(t, m->eol_text, strlen(m->eol_text));
    if (m->charset)
        say(t, " C=%s", m->charset);
    for (size_t i = 0; i < 3; i++)
        say(t, "%s%s", i ? "/" : " T=", m->types[i] ? m->types[i] : "<undefined>");
    say(t, " r=%ld A=%s\n", m->recipients, rewrite_source(t->r, &m->argv));
}

static void dump(struct test *t, const char *s)
{
    switch (*s) {
    case 'S':
        dump_ruleset(t, s + 1);
        break;
    case 'M':
        for (size_t i = 0; i < t->p->nmailers; i++)
            dump_mailer(t, t->p->mailers[i]);
        break;
    case '\0':
        puts_(t, "Usage: =Sruleset or =M\n");
        break;
    default:
        say(t, "Unknown \"=\" command =%s\n", s);
        break;
    }
}

/* --- commands with a slash ---------------------------------------------------------------- */

static const char *kind(const struct test *t)
{
    static const char *const kinds[] = {"envelope recipient", "envelope sender", "header recipient",
                                        "header sender"};

    return kinds[t->flags];
}

static void member(struct test *t, const char *key, const char *value)
{
    if (t->record)
        test_record_member(t->record, key, value);
}

static void run_quit(struct test *t, char *arg)
{
    (void)arg;
    t->quit = true;
}

static void run_parse(struct test *t, char *arg)
{
    struct address a;
    const char *form = address_form(t->r, arg);

    puts_(t, "Cracked address = ");
    put_visible(t, form, strlen(form));
    say(t, "\nParsing %s address\n", kind(t));
    member(t, "form", form);
    if (!address_parse(t->r, arg, t->flags, &a)) {
        puts_(t, "Cannot parse\n");
        member(t, "mailer", NULL);
        return;
    }
    const char *mailer = a.mailer ? a.mailer->name : "*error*";
    say(t, "mailer %s", mailer);
    if (a.host)
        say(t, ", host %s", a.host);
    say(t, ", user %s\n", a.user);
    member(t, "mailer", mailer);
    member(t, "host", a.host);
    member(t, "user", a.user);
    if (a.error)
        member(t, "error", a.error);
}

/* Ends the first word of arg and gives what is behind it. */
static char *second(char *arg)
{
    arg += strcspn(arg, " \t");
    if (*arg)
        *arg++ = '\0';
    return arg + strspn(arg, " \t");
}

static void usage(struct test *t, const char *command);

static void run_try(struct test *t, char *arg)
{
    char *name = arg, *address = second(arg);
    int status;

    if (!*address) {
        usage(t, "try");
        return;
    }
    const struct mailer *m = program_mailer(t->p, name, strlen(name));
    if (!m) {
        say(t, "Unknown mailer %s\n", name);
        return;
    }
    say(t, "Trying %s address %s for mailer %s\n", kind(t), address, name);
    const char *answer = address_remote(t->r, address, m, t->flags, &status);
    say(t, "Rcode = %d, addr = %s\n", status, answer ? answer : address);
    member(t, "address", answer);
}

static void run_sender(struct test *t, char *arg)
{
    static const struct mailer none = {.name = "", .flags = "c"};
    struct address a;
    int status;

    /* Nobody is the user that runs the mail system. */
    if (!address_parse(t->r, arg, ADDRESS_SENDER, &a))
        address_parse(t->r, arg = "root", ADDRESS_SENDER, &a);
    /* Its rulesets are shown as well; what they make of it is for nobody. */
    address_remote(t->r, arg, &none, ADDRESS_SENDER, &status);
    say(t, "addr=%s\n", a.user);
    member(t, "address", a.user);
}

static void run_tryflags(struct test *t, char *arg)
{
    static const struct {
        char letter;
        unsigned clear, set;
    } letters[] = {{'h', 0, ADDRESS_HEADER},
                   {'e', ADDRESS_HEADER, 0},
                   {'s', 0, ADDRESS_SENDER},
                   {'r', ADDRESS_SENDER, 0}};

    for (; *arg; arg++) {
        for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
            if (tolower((unsigned char)*arg) == letters[i].letter)
                t->flags = (t->flags & ~letters[i].clear) | letters[i].set;
        }
    }
}

static void run_map(struct test *t, char *arg)
{
    static const char *const verdicts[] = {"found", "not found", "failed"};
    char *name = arg, *key = second(arg);

    if (!*key) {
        puts_(t, "No key specified\n");
        return;
    }
    const struct lookup_map *m = lookup_find(t->p->maps, name, strlen(name));
    if (!m) {
        say(t, "Map named \"%s\" not found\n", name);
        return;
    }
    struct lookup_answer answer = {0};
    t->heading = arena_printf(rewrite_arena(t->r), "map_lookup: %s (%s) ", name, key);
    lookup_plainly(rewrite_maps(t->r), m, (struct map_bytes){key, strlen(key)}, rewrite_arena(t->r),
                   &answer);
    if (t->record)
        test_record_lookup(t->record, name, key, &answer);
    if (answer.closed) {
        t->heading = NULL;
        say(t, "Map named \"%s\" not open\n", name);
        member(t, "verdict", "not open");
        return;
    }
    member(t, "verdict", verdicts[answer.verdict]);
    heading(t);
    if (answer.verdict == MAP_TEMPFAIL && answer.failed)
        failed(t, answer.failed, answer.why);
    if (answer.verdict == MAP_FOUND) {
        puts_(t, "returns ");
        put(t, answer.value.p, answer.value.len);
    } else {
        puts_(t, "no match");
    }
    say(t, " (%d)\n", answer.status);
}

static struct resolver_sources sources(const struct test *t)
{
    return (struct resolver_sources){.service_switch = t->world->service_switch,
                                     .hosts_file = t->world->hosts_file,
                                     .host = t->world->host};
}

static void run_canon(struct test *t, char *arg)
{
    struct resolver_name answer;
    const struct resolver_sources from = sources(t);

    resolver_canon(t->world->resolver, arg, &from, rewrite_arena(t->r), &answer);
    say(t, "getcanonname(%s) returns %s\n", arg, answer.name);
    member(t, "name", answer.name);
}

/* Of "[name]", name; NULL where it is an address or nothing. */
static char *name_in_brackets(struct test *t, const char *s)
{
    unsigned char in[sizeof(struct in6_addr)];
    size_t len = strlen(s);

    if (len < 3 || s[len - 1] != ']')
        return NULL;
    char *name = arena_strndup(rewrite_arena(t->r), s + 1, len - 2);
    bool address = inet_pton(AF_INET, name, in) == 1 || strncasecmp(name, "IPv6:", 5) == 0;
    return address ? NULL : name;
}

static void run_mx(struct test *t, char *arg)
{
    struct resolver_mx answer = {0};
    const struct resolver_sources from = sources(t);
    char *name = *arg == '[' ? name_in_brackets(t, arg) : NULL;

    if (name) {
        struct resolver_name full;
        resolver_canon(t->world->resolver, name, &from, rewrite_arena(t->r), &full);
        bool found = full.verdict == MAP_FOUND;
        say(t, "getmxrr(%s) returns %d value(s):\n", arg, found);
        if (found)
            say(t, "\t%s.\n", full.name);
        return;
    }
    if (*arg != '[' || (strlen(arg) > 2 && arg[strlen(arg) - 1] == ']'))
        resolver_mx(t->world->resolver, arg, &from, NULL, NULL, rewrite_arena(t->r), &answer);
    if (answer.status == EX_UNAVAILABLE) {
        say(t, "getmxrr(%s) returns null MX (See RFC7505)\n", arg);
        return;
    }
    say(t, "getmxrr(%s) returns %zu value(s):\n", arg, answer.count);
    for (size_t i = 0; i < answer.count; i++)
        say(t, "\t%s\n", answer.list[i].host);
}

static void run_gethostbyname(struct test *t, char *arg)
{
    (void)t;
    (void)arg;
}

static void run_expand(struct test *t, char *arg)
{
    puts_(t, arg);
}

/* "Name: value", or "?FLAGS?Name: value", where the name is not looked at. */
static void run_header(struct test *t, char *arg)
{
    static const struct {
        const char *name;
        unsigned long bits;
    } headers[] = {
#define HEADER(name, bits) {name, bits},
#include "mta/headers.def"
    };
    enum { ANY = 0x00040000 };
    size_t len = 0;
    const char *close = *arg == '?' ? strchr(arg + 1, '?') : NULL;
    char *s = close ? arg + (close - arg) + 1 : arg;

    while (s[len] > ' ' && s[len] < 0x7f && s[len] != ':')
        len++;
    if (len == 0 || s[len + strspn(s + len, " \t")] != ':') {
        for (char *c = arg; *c; c++)
            *c = (char)(*c & 0x7f);
        say(t, "header syntax error, line \"%s\"\nul = 00000000\n", arg);
        fail(t, EX_SOFTWARE);
        return;
    }
    unsigned long bits = ANY;
    for (size_t i = 0; !close && i < sizeof headers / sizeof *headers; i++) {
        if (strlen(headers[i].name) == len && strncasecmp(headers[i].name, s, len) == 0)
            bits = headers[i].bits;
    }
    say(t, "ul = 0x%08lx\n", bits);
}

static const struct command {
    const char *name, *argument;
    bool needed;
    void (*run)(struct test *t, char *arg);
} commands[] = {
#define SLASH(name, argument, needed, text) {#name, argument, needed, run_##name},
#define LINE(form, text)
#include "mta/commands.def"
};

static void usage(struct test *t, const char *command)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, command) == 0)
            say(t, "Usage: /%s %s\n", command, commands[i].argument);
    }
}

static void help(struct test *t)
{
    static const struct {
        const char *form, *text;
    } lines[] = {
#define SLASH(name, argument, needed, text) {"/" #name " " argument, text},
#define LINE(form, text) {form, text},
#include "mta/commands.def"
    };

    puts_(t, "Help for test mode:\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        say(t, "%-30s %s\n", lines[i].form, lines[i].text);
    puts_(t, "End of HELP info\n");
}

static void slash(struct test *t, char *s)
{
    size_t len = strcspn(s, " \t");
    char *arg = s + len + strspn(s + len, " \t"), *end = arg + strlen(arg);

    while (end > arg && isspace((unsigned char)end[-1]))
        *--end = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        if (strlen(c->name) != len || strncasecmp(c->name, s, len) != 0)
            continue;
        if (c->needed && !*arg)
            usage(t, c->name);
        else
            c->run(t, arg);
        return;
    }
    if (len == 0)
        puts_(t, "Usage: /[canon|map|mx|parse|try|tryflags]\n");
    else
        say(t, "Unknown \"/\" command /%.*s\n", (int)len, s);
}

/* --- lines -------------------------------------------------------------------------------- */

static void line(struct test *t, char *s)
{
    rewrite_begin(t->r);
    while (isspace((unsigned char)*s))
        s++;
    switch (*s) {
    case '\0':
    case '#':
        return;
    case '.':
        define(t, s + 1);
        return;
    case '=':
        dump(t, s + 1);
        return;
    case '$':
        show_macro(t, s + 1);
        return;
    case '-':
        if (s[1] == 'd')
            set_debug(t, s + 2);
        else if (s[1])
            say(t, "Unknown \"-\" command %s\n", s);
        else
            puts_(t, "Usage: -d{debug arguments}\n");
        return;
    case '/':
        slash(t, s + 1);
        return;
    case '?':
        help(t);
        return;
    default:
        break;
    }
    size_t len = strcspn(s, " \t\r\n\v\f");
    if (!s[len]) {
        puts_(t, "No address!\n");
        return;
    }
    s[len] = '\0';
    run_rulesets(t, s, s + len + 1);
}

/* The next line, without its end; NULL at the end of input. */
static char *next_line(struct test *t)
{
    for (;;) {
        char *begin = t->line + t->at;
        char *nl = memchr(begin, '\n', t->have - t->at);
        if (nl || t->at_end || t->have - t->at == READ_BYTES) {
            if (!nl && t->have == t->at)
                return NULL;
            size_t len = nl ? (size_t)(nl - begin) : t->have - t->at;
            t->at += len + (nl != NULL);
            begin[len] = '\0';
            return begin;
        }
        memmove(t->line, begin, t->have - t->at);
        t->have -= t->at;
        t->at = 0;
        flush(t);
        rewrite_rest(t->r);
        ssize_t n = read(t->in, t->line + t->have, READ_BYTES - t->have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            t->at_end = true;
        else
            t->have += (size_t)n;
    }
}

/* What rules may ask of the program that runs them. */
static void start_macros(struct test *t)
{
    const struct passwd *pw = getpwuid(getuid());
    char from[LOGIN_NAME_MAX + sizeof "@localhost"];
    int len = snprintf(from, sizeof from, "%s@localhost", pw ? pw->pw_name : "unknown");

    rewrite_set(t->r, "opMode", 6, "t", 1);
    rewrite_set(t->r, "deliveryMode", 12, "i", 1);
    rewrite_set(t->r, "_", 1, from, (size_t)len < sizeof from ? (size_t)len : sizeof from - 1);
}

static void answer(struct test *t, char *s)
{
    int before = t->status;

    if (!t->record) {
        line(t, s);
        return;
    }
    test_record_begin(t->record, s);
    t->status = 0;
    line(t, s);
    const struct buf *out = test_record_end(t->record, t->status);
    put_out(t, out->data, out->len);
    if (before)
        t->status = before;
}

int address_test(struct arena *a, const struct program *p, const struct lookup_world *world,
                 const struct address_test_options *options)
{
    struct test t = {.arena = a, .p = p, .world = world, .in = options->in, .out = options->out};
    char *s;

    t.r = rewrite_new(a, p, world);
    t.line = arena_raw(a, READ_BYTES + 1);
    t.held = arena_raw(a, WRITE_BYTES);
    t.labels = arena_raw(a, RULESETS_MAX * sizeof *t.labels);
    for (size_t i = 0; i < RULESETS_MAX; i++) {
        if (p->rulesets[i])
            write_label(t.labels[i], p->rulesets[i]);
    }
    t.record = options->json ? test_record_new(a) : NULL;
    rewrite_begin(t.r);
    start_macros(&t);
    watch(&t);
    if (options->debug)
        set_debug(&t, options->debug);
    frame(&t, "ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)\n"
              "Enter <ruleset> <address>\n");
    while (!t.quit) {
        frame(&t, "> ");
        s = next_line(&t);
        if (!s)
            break;
        answer(&t, s);
    }
    flush(&t);
    rewrite_close(t.r);
    test_record_close(t.record);
    return t.status;
}
