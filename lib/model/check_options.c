/*
 * check_options: the values of O lines, by the option's type and words.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/check_parts.h"
#include "lib/model/options.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum words_how { LETTER, FOLDED, WHOLE, EXACT, BOOLEAN, LIST, SIGNED, LETTERS };
enum words_unknown { WARNING, ERROR, ENDS, DATABASE, TLS };

static const struct {
    const char *option;
    enum words_how how;
    enum words_unknown unknown;
    const char *words;
} words_table[] = {
#define WORDS(option, how, unknown, words) {#option, how, unknown, words},
#define SUBS(option, words)
#include "lib/model/words.def"
#undef WORDS
#undef SUBS
};

static const enum finding_id words_findings[] = {
    [WARNING] = FINDING_UNKNOWN_WORD,   [ERROR] = FINDING_UNKNOWN_WORD_STOPS,
    [ENDS] = FINDING_UNKNOWN_MODE,      [DATABASE] = FINDING_UNKNOWN_MAILBOX_DATABASE,
    [TLS] = FINDING_UNKNOWN_TLS_OPTION,
};

static const struct {
    const char *option, *words;
} subs_table[] = {
#define WORDS(option, how, unknown, words)
#define SUBS(option, words) {#option, words},
#include "lib/model/words.def"
#undef WORDS
#undef SUBS
};

static bool is_word_of(struct part p, const char *words)
{
    for (const char *w = words, *end; *w; w = end + (*end != '\0')) {
        for (end = w; *end && *end != ' ';)
            end++;
        if ((size_t)(end - w) == p.len && strncasecmp(w, p.s, p.len) == 0)
            return true;
    }
    return false;
}

static bool begins_word_of(struct part p, const char *words)
{
    struct part rest = {words, strlen(words)}, word;
    while (part_next(&rest, " ", &word))
        if (p.len > 0 && p.len <= word.len && strncasecmp(word.s, p.s, p.len) == 0)
            return true;
    return false;
}

static size_t digits(struct part p, size_t from)
{
    size_t n = 0;
    while (from + n < p.len && isdigit((unsigned char)p.s[from + n]))
        n++;
    return n;
}

/* --- numbers and sizes --------------------------------------------------------------------- */

static bool is_number(struct part v)
{
    size_t sign = v.len > 0 && (v.s[0] == '-' || v.s[0] == '+');
    size_t n = digits(v, sign);
    return n > 0 && sign + n == v.len;
}

void check_number(struct check *k, const struct item *it, const char *what, struct part v)
{
    if (v.len == 0 || memchr(v.s, '$', v.len))
        return;
    if (is_number(v)) {
        /* -1 is none, or no limit; a factor may be anything. */
        if (v.s[0] == '-' && !part_is(v, "-1") && !strstr(what, "Factor"))
            check_say(k, it, v, FINDING_NEGATIVE, what, check_text(k, v), NULL);
        return;
    }
    struct finding *f = check_say(k, it, v, FINDING_BAD_NUMBER, what, check_text(k, v), NULL);
    size_t n = digits(v, v.s[0] == '-');
    if (f && n > 0)
        diag_hint(k->diag, f, "sendmail takes it for %.*s", (int)(n + (v.s[0] == '-')), v.s);
    else if (f)
        diag_hint(k->diag, f, "sendmail takes it for 0: write a number");
}

static const struct {
    const char *name;
    unsigned shift;
} size_units[] = {
    {"b", 0},  {"byte", 0}, {"bytes", 0}, {"k", 10}, {"kb", 10}, {"kib", 10},
    {"m", 20}, {"mb", 20},  {"mib", 20},  {"g", 30}, {"gb", 30}, {"gib", 30},
};

void check_size(struct check *k, const struct item *it, const char *what, struct part v)
{
    size_t n = digits(v, 0);
    struct part unit = part_trim((struct part){v.s + n, v.len - n});
    if (v.len == 0 || is_number(v) || memchr(v.s, '$', v.len))
        return;
    for (size_t i = 0; n > 0 && n < 7 && i < COUNT(size_units); i++) {
        if (!part_is(unit, size_units[i].name))
            continue;
        const char *bytes =
            arena_printf(k->arena, "%llu", strtoull(v.s, NULL, 10) << size_units[i].shift);
        struct finding *f = check_say(k, it, v, FINDING_BAD_SIZE, what, check_text(k, v), "bytes");
        if (!f)
            return;
        diag_hint(k->diag, f, "sendmail takes it for %.*s bytes: write %s", (int)n, v.s, bytes);
        check_mend(k, f, v, bytes);
        return;
    }
    check_number(k, it, what, v);
}

/* --- times --------------------------------------------------------------------------------- */

/* The first byte that sendmail does not take; v.len if there is none. */
static size_t bad_in_time(struct part v)
{
    size_t i = v.len > 0 && (v.s[0] == '-' || v.s[0] == '+');
    while (i < v.len) {
        size_t n = digits(v, i);
        if (n == 0)
            return i;
        i += n;
        if (i < v.len && !strchr("smhdw", v.s[i]))
            return i;
        i += i < v.len;
    }
    return v.len;
}

static const struct {
    const char *name;
    char letter;
} time_units[] = {
    {"s", 's'},   {"sec", 's'},  {"secs", 's'},   {"second", 's'},  {"seconds", 's'}, {"m", 'm'},
    {"min", 'm'}, {"mins", 'm'}, {"minute", 'm'}, {"minutes", 'm'}, {"h", 'h'},       {"hr", 'h'},
    {"hrs", 'h'}, {"hour", 'h'}, {"hours", 'h'},  {"d", 'd'},       {"day", 'd'},     {"days", 'd'},
    {"w", 'w'},   {"wk", 'w'},   {"week", 'w'},   {"weeks", 'w'},
};

/* What was meant, as sendmail reads it; NULL if that is not plain. */
static const char *plain_time(struct check *k, struct part v)
{
    struct buf b;
    buf_init(&b, k->arena);
    while (v.len > 0) {
        size_t n = digits(v, 0);
        if (n == 0)
            return NULL;
        buf_add(&b, v.s, n);
        v = part_trim((struct part){v.s + n, v.len - n});
        size_t letters = 0, i = 0;
        while (letters < v.len && isalpha((unsigned char)v.s[letters]))
            letters++;
        while (i < COUNT(time_units) && !part_is((struct part){v.s, letters}, time_units[i].name))
            i++;
        if (i == COUNT(time_units))
            return NULL;
        buf_addc(&b, time_units[i].letter);
        v = part_trim((struct part){v.s + letters, v.len - letters});
        if (v.len > 0 && v.s[0] == ',')
            v = part_trim((struct part){v.s + 1, v.len - 1});
    }
    return b.len > 0 ? b.data : NULL;
}

void check_time(struct check *k, const struct item *it, const char *what, struct part v)
{
    if (memchr(v.s, '$', v.len) || bad_in_time(v) == v.len)
        return;
    struct finding *f = check_say(k, it, v, FINDING_BAD_TIME, what, check_text(k, v), NULL);
    const char *meant = plain_time(k, v);
    if (!f || !meant)
        return;
    diag_hint(k->diag, f, "write %s", meant);
    check_mend(k, f, v, meant);
}

/* --- booleans and modes -------------------------------------------------------------------- */

static void check_boolean(struct check *k, const struct item *it, const char *what, struct part v)
{
    static const char known[] = "true false yes no t f y n", on[] = "on 1 enable enabled",
                      off[] = "off 0 disable disabled";
    if (v.len == 0 || is_word_of(v, known) || memchr(v.s, '$', v.len))
        return;
    /* What sendmail makes of it. */
    const char *taken = strchr("tTyY", v.s[0]) ? "true" : "false";
    struct finding *f = check_say(k, it, v, FINDING_BAD_BOOLEAN, what, check_text(k, v), NULL);
    if (!f)
        return;
    if (is_word_of(v, off) || is_word_of(v, on)) {
        const char *meant = is_word_of(v, on) ? "True" : "False";
        diag_hint(k->diag, f, "sendmail takes it for %s: write %s", taken, meant);
        check_mend(k, f, v, meant);
        return;
    }
    diag_hint(k->diag, f, "sendmail takes it for %s: write True or False", taken);
    if (v.len > 2)
        check_suggest(k, f, v, "True False");
}

static void check_octal(struct check *k, const struct item *it, const char *what, struct part v)
{
    size_t i = 0;
    while (i < v.len && v.s[i] >= '0' && v.s[i] <= '7')
        i++;
    if (i == v.len || memchr(v.s, '$', v.len))
        return;
    check_say(k, it, v, FINDING_BAD_OCTAL, what, check_text(k, v), NULL);
}

/* --- words --------------------------------------------------------------------------------- */

/* "a, b or c" of "a b c". */
static const char *listed(struct check *k, const char *words)
{
    struct buf b;
    buf_init(&b, k->arena);
    struct part rest = {words, strlen(words)}, word;
    while (part_next(&rest, " ", &word)) {
        if (b.len > 0)
            buf_adds(&b, rest.len > 0 ? ", " : " or ");
        buf_add(&b, word.s, word.len);
    }
    return b.data;
}

enum { WORDS_SHOWN = 150 }; /* a longer list says nothing */

static void unknown_word(struct check *k, const struct item *it, const char *what, struct part v,
                         enum words_unknown unknown, const char *words)
{
    struct finding *f =
        check_say(k, it, v, words_findings[unknown], what, check_text(k, v), listed(k, words));
    if (f && strlen(words) > WORDS_SHOWN)
        f->hint = NULL;
    check_suggest(k, f, v, words);
}

static bool has_no_capitals(struct part p)
{
    for (size_t i = 0; i < p.len; i++)
        if (isupper((unsigned char)p.s[i]))
            return false;
    return true;
}

/* One word, of which sendmail looks at the first letter, or at all. */
static void check_word(struct check *k, const struct item *it, const char *what, struct part v,
                       enum words_how how, enum words_unknown unknown, const char *words)
{
    if (v.len == 0) {
        /* A line without a mode of delivery is the usual one. */
        static const enum finding_id none[] = {[ERROR] = FINDING_NO_WORD,
                                               [ENDS] = FINDING_NO_MODE,
                                               [DATABASE] = FINDING_NO_MAILBOX_DATABASE};
        const bool usual = strcmp(what, "DeliveryMode") == 0;
        if (!usual && unknown != WARNING)
            check_say(k, it, v, none[unknown], what, listed(k, words), NULL);
        return;
    }
    if (is_word_of(v, words) && how != LETTER && (how != EXACT || has_no_capitals(v)))
        return;
    struct part rest = {words, strlen(words)}, word, same = {NULL, 0};
    while (part_next(&rest, " ", &word)) {
        if (word.s[0] == v.s[0] ||
            (how == FOLDED && tolower((unsigned char)word.s[0]) == tolower((unsigned char)v.s[0])))
            same = same.s ? same : word;
        if (how == LETTER && word.s[0] == v.s[0] && word.len >= v.len &&
            strncasecmp(word.s, v.s, v.len) == 0)
            return;
    }
    if (how == FOLDED && begins_word_of(v, words))
        return;
    bool survives = how != WHOLE && how != EXACT && same.s;
    struct finding *f = check_say(k, it, v, words_findings[survives ? WARNING : unknown], what,
                                  check_text(k, v), listed(k, words));
    if (f && survives)
        diag_hint(k->diag, f, "sendmail looks at the first letter and takes it for %.*s",
                  (int)same.len, same.s);
    check_suggest(k, f, v, words);
}

/* Words with commas between them, with blanks; NULL if they are not words. */
static const char *with_blanks(struct check *k, struct part p, const char *words)
{
    struct buf b;
    struct part rest = p, word;
    buf_init(&b, k->arena);
    if (!memchr(p.s, ',', p.len))
        return NULL;
    while (part_next(&rest, ",", &word)) {
        struct part bare = word;
        if (bare.len > 0 && strchr("+-", bare.s[0]))
            bare = (struct part){bare.s + 1, bare.len - 1};
        if (word.len > 0 && !is_word_of(bare, words))
            return NULL;
        if (word.len > 0)
            buf_printf(&b, "%s%s", b.len > 0 ? " " : "", check_text(k, word));
    }
    return b.len > 0 ? b.data : NULL;
}

static void check_list(struct check *k, const struct item *it, const char *what, struct part v,
                       enum words_how how, enum words_unknown unknown, const char *words)
{
    /* Whatever is no letter or digit parts words without a sign. */
    static const char parts[] = " \t\n,;:.!\"#$%&'()*+-/<=>?@[\\]^_`{|}~";
    struct part rest = v, word;
    while (part_next(&rest, how == LIST ? parts : unknown == ERROR ? " \t\n" : ", \t\n", &word)) {
        const bool sign = how == SIGNED && word.len > 0 && (word.s[0] == '+' || word.s[0] == '-');
        struct part bare = {word.s + sign, word.len - sign};
        if (word.len == 0 || is_word_of(bare, words))
            continue;
        /* These may be numbers; ResolverOptions may be true. */
        if (unknown == TLS ? bare.len > 0 && isdigit((unsigned char)bare.s[0])
                           : how == SIGNED && is_word_of(bare, "true"))
            continue;
        word = bare.len > 0 ? bare : word;
        const char *spaced = how == SIGNED ? with_blanks(k, word, words) : NULL;
        if (!spaced) {
            unknown_word(k, it, what, word, unknown, words);
            continue;
        }
        struct finding *f =
            check_say(k, it, word, FINDING_UNKNOWN_WORD_STOPS, what, check_text(k, word), NULL);
        if (f)
            diag_hint(k->diag, f, "blanks part the words: write %s", spaced);
        check_mend(k, f, word, spaced);
    }
}

static void check_letters(struct check *k, const struct item *it, const char *what, struct part v,
                          const char *letters)
{
    for (size_t i = 0; i < v.len; i++)
        if (!strchr(letters, v.s[i]) && v.s[i] != ',' && v.s[i] != '\t') {
            /* Letters that spell a word are one mistake. */
            struct part p = {v.s + i, 1};
            if (i == 0 && v.len > 2 && !memchr(v.s, ',', v.len) && !memchr(v.s, ' ', v.len))
                p = v;
            check_say(k, it, p, FINDING_UNKNOWN_LETTER, what, check_text(k, p), letters);
            if (p.len > 1)
                return;
        }
}

/* False where the option has no words. */
static bool check_words(struct check *k, const struct item *it, const char *name, struct part v)
{
    for (size_t i = 0; i < COUNT(words_table); i++) {
        if (strcmp(words_table[i].option, name) != 0)
            continue;
        const char *words = words_table[i].words;
        const enum words_unknown unknown = words_table[i].unknown;
        /* A blank between the letter and the word is the value's first. */
        if (unknown == ENDS && it->short_option && isspace((unsigned char)it->text[2]))
            v = (struct part){it->text + 2, strlen(it->text + 2)};
        switch (words_table[i].how) {
        case LETTER:
        case FOLDED:
        case WHOLE:
        case EXACT:
            check_word(k, it, name, v, words_table[i].how, unknown, words);
            break;
        case BOOLEAN:
            if (v.len == 0 || !begins_word_of(v, words))
                check_boolean(k, it, name, v);
            break;
        case LIST:
        case SIGNED:
            check_list(k, it, name, v, words_table[i].how, unknown, words);
            break;
        case LETTERS:
            check_letters(k, it, name, v, words);
            break;
        }
        return true;
    }
    return false;
}

/* --- the option ---------------------------------------------------------------------------- */

static const char *subs_of(const struct option_info *o)
{
    for (size_t i = 0; i < COUNT(subs_table); i++)
        if (strcmp(subs_table[i].option, o->name) == 0)
            return subs_table[i].words;
    return "";
}

/* What stands behind the dot; false if sendmail does not know it. */
static bool check_sub(struct check *k, const struct item *it, const struct option_info *o,
                      const char *dot)
{
    for (size_t i = 0; i < COUNT(subs_table); i++) {
        if (strcmp(subs_table[i].option, o->name) != 0 || !dot)
            continue;
        struct part sub = check_part(it, it->text, dot + 1);
        if (*dot && is_word_of((struct part){dot + 1, strlen(dot + 1)}, subs_table[i].words))
            return true;
        struct finding *f = check_say(k, it, sub, FINDING_UNKNOWN_SUB_OPTION, dot + 1, o->name,
                                      listed(k, subs_table[i].words));
        check_suggest(k, f, sub, subs_table[i].words);
        return false;
    }
    return true;
}

/* The first of the characters in it; NULL: none. */
static const char *part_find(struct part p, const char *characters)
{
    for (size_t i = 0; i < p.len; i++) {
        if (strchr(characters, p.s[i]))
            return p.s + i;
    }
    return NULL;
}

/* The old form: times with commas between, each for a step that it names, or for all. */
static void check_timeout_list(struct check *k, const struct item *it, const struct option_info *o,
                               struct part v)
{
    struct part rest = v, piece;
    while (part_next(&rest, ", \t", &piece)) {
        const char *equals = part_find(piece, "=:");
        struct part sub = {piece.s, equals ? (size_t)(equals - piece.s) : 0};
        if (equals && !is_word_of(sub, subs_of(o)))
            check_suggest(k,
                          check_say(k, it, sub, FINDING_UNKNOWN_SUB_OPTION, check_text(k, sub),
                                    o->name, listed(k, subs_of(o))),
                          sub, subs_of(o));
    }
}

static void check_sub_value(struct check *k, const struct item *it, const struct option_info *o,
                            const char *dot, struct part v)
{
    if (!dot && strcmp(o->name, "Milter") == 0)
        check_say(k, it, check_part(it, it->text + 1, it->name), FINDING_NO_SUB_OPTION, o->name,
                  NULL, NULL);
    if (!dot && strcmp(o->name, "Timeout") == 0)
        check_timeout_list(k, it, o, v);
    if (!dot || !check_sub(k, it, o, dot))
        return;
    const char *sub = dot + 1;
    if (strcmp(o->name, "Milter") == 0) {
        if (strcasecmp(sub, "LogLevel") == 0)
            check_number(k, it, it->name, v);
    } else if (strncasecmp(sub, "resolver.retry", 14) == 0) {
        check_number(k, it, it->name, v);
    } else if (strncasecmp(sub, "queuereturn", 11) != 0 || !part_is(v, "now")) {
        check_time(k, it, it->name, v);
    }
}

/* As inet_addr and inet_pton read it. */
static void check_ip_address(struct check *k, const struct item *it, const char *name,
                             struct part v)
{
    const char *text = it->value;
    struct in_addr four;
    struct in6_addr six;
    if (memchr(v.s, '$', v.len))
        return;
    if (strncasecmp(text, "IPv6:", 5) == 0)
        text += 5;
    const bool is_four = inet_aton(text, &four) && four.s_addr != INADDR_NONE;
    if (!is_four && inet_pton(AF_INET6, text, &six) != 1)
        check_say(k, it, v, FINDING_NO_ADDRESS, name, it->value[0] ? it->value : "\"\"", NULL);
}

/* Of a map of class ldap, what is not said once for all. */
static void check_ldap_defaults(struct check *k, const struct item *it, const char *name,
                                struct part v)
{
    static const char known[] = "bcdhlnprswxzHKMPRSVZ", valued[] = "bcdhlprswHMPZ";
    static const struct {
        char letter;
        const char *words;
    } methods[] = {{'M', "none simple krbv4 LDAP_AUTH_NONE LDAP_AUTH_SIMPLE LDAP_AUTH_KRBV4"},
                   {'r', "never always search find"},
                   {'s', "base one sub"},
                   {'w', "2 3"}};
    struct part rest = v, word;
    while (part_next(&rest, " \t", &word)) {
        if (word.len < 2 || word.s[0] != '-')
            continue;
        const char letter = word.s[1];
        if (!strchr(known, letter) || (letter == 'S' && word.len > 2)) {
            check_say(k, it, (struct part){word.s, 2}, FINDING_LDAP_DEFAULT, name,
                      check_text(k, (struct part){word.s, 2}), NULL);
            continue;
        }
        struct part value = {word.s + 2, word.len - 2};
        if (!strchr(valued, letter) || (value.len == 0 && !part_next(&rest, " \t", &value)))
            continue;
        for (size_t i = 0; i < COUNT(methods); i++)
            if (methods[i].letter == letter && value.len > 0 &&
                !is_word_of(value, methods[i].words))
                unknown_word(k, it, name, value, ERROR, methods[i].words);
    }
}

/* Options of which the table says text, with a form of their own. */
static void check_text_value(struct check *k, const struct item *it, const char *name,
                             struct part v)
{
    struct part rest = v, piece;
    bool times = strcmp(name, "QueueTimeout") == 0;
    if (strcmp(name, "DefaultUser") == 0 && strpbrk(it->value, ";, \t") && !strchr(it->value, '$'))
        check_say(k, it, v, FINDING_BAD_USER, name, it->value, NULL);
    if (strcmp(name, "ConnectOnlyTo") == 0)
        check_ip_address(k, it, name, v);
    if (strcmp(name, "LDAPDefaultSpec") == 0)
        check_ldap_defaults(k, it, name, v);
    if (!times && strcmp(name, "MaxMimeHeaderLength") != 0)
        return;
    while (part_next(&rest, "/", &piece)) {
        if (times)
            check_time(k, it, name, piece);
        else
            check_number(k, it, name, piece);
    }
}

/* Blanks part them, and what is between two blanks is a mechanism's name. */
static void check_mechanisms(struct check *k, const struct item *it, const char *name,
                             struct part v)
{
    struct part rest = v, word;
    while (part_next(&rest, " \t", &word)) {
        size_t n = 0;
        while (n < word.len && !strchr(",;", word.s[n]))
            n++;
        if (n == word.len || n == 0 || memchr(word.s, '$', word.len))
            continue;
        struct finding *f =
            check_say(k, it, word, FINDING_MECHANISM_SEPARATOR, name, check_text(k, word), NULL);
        char *parted = arena_strndup(k->arena, word.s, word.len);
        for (char *p = parted; *p; p++)
            if (*p == ',' || *p == ';')
                *p = p[1] ? ' ' : '\0';
        check_mend(k, f, word, parted);
    }
}

/* Whole paths, of one or more files. */
static void check_path(struct check *k, const struct item *it, const char *name, struct part v)
{
    /* A header may be text, and the status of hosts lies in the queue. */
    static const char *const relative[] = {"ErrorHeader", "HostStatusDirectory"};
    for (size_t i = 0; i < COUNT(relative); i++)
        if (strcmp(relative[i], name) == 0)
            return;
    struct part rest = v, path;
    while (part_next(&rest, ",", &path))
        if (path.len > 0 && it->value[0] && path.s[0] != '/' && !memchr(v.s, '$', v.len))
            check_say(k, it, path, FINDING_RELATIVE_FILE, check_text(k, path), NULL, NULL);
}

static void check_aliases(struct check *k, const struct item *it, struct part v)
{
    struct part rest = v, one;
    if (!strpbrk(it->value, ": \t"))
        check_path(k, it, "AliasFile", v);
    while (it->value[0] && part_next(&rest, ",", &one)) {
        const char *colon = memchr(one.s, ':', one.len);
        struct part class = part_trim((struct part){one.s, colon ? (size_t)(colon - one.s) : 0});
        if (colon && !memchr(one.s, '$', one.len))
            check_alias_class(k, it, class.len > 0 ? class : (struct part){one.s, 1});
    }
}

static void unknown_option(struct check *k, const struct item *it, enum option_match how)
{
    struct part name = check_part(it, it->text + 1, it->name);
    struct finding *f = check_say(
        k, it, name, how == OPTION_AMBIGUOUS ? FINDING_AMBIGUOUS_OPTION : FINDING_UNKNOWN_OPTION,
        it->name, NULL, NULL);
    const char *near = how == OPTION_UNKNOWN && !it->short_option ? option_nearest(it->name) : NULL;
    if (!f || !near)
        return;
    diag_hint(k->diag, f, "did you mean %s?", near);
    check_mend(k, f, name, near);
}

void check_option(struct check *k, const struct item *it)
{
    enum option_match how = OPTION_EXACT;
    const struct option_info *o = it->short_option ? option_by_letter(it->name[0])
                                                   : option_find(it->name, strlen(it->name), &how);
    struct part v = check_value(it);
    const char *dot = it->short_option ? NULL : strchr(it->name, '.');
    if (!o) {
        unknown_option(k, it, it->short_option ? OPTION_UNKNOWN : how);
        return;
    }
    if (o->elsewhere) {
        check_say(k, it, check_part(it, it->text + 1, it->name), FINDING_OPTION_ELSEWHERE, o->name,
                  NULL, NULL);
        return;
    }
    if (how == OPTION_ABBREVIATED) {
        struct part name = check_part(it, it->text + 1, it->name);
        check_mend(k, check_say(k, it, name, FINDING_ABBREVIATED_OPTION, it->name, o->name, NULL),
                   name, o->name);
    }
    const char *name = o->name[0] ? o->name : it->name;
    if (!it->value[0])
        v = (struct part){it->text, 0};
    if (v.len == strlen(it->text) && v.len != strlen(it->value))
        v = (struct part){it->value, strlen(it->value)};
    if (check_words(k, it, name, v))
        return;
    /* An option without a value that a variable made is meant so. */
    bool is_number = o->type == OPTION_NUMBER || o->type == OPTION_SIZE || o->type == OPTION_TIME ||
                     o->type == OPTION_OCTAL || (o->type == OPTION_SUB && strchr(it->name, '.'));
    if (is_number && !it->short_option && !it->aux && !it->value[0] && !it->cause.file)
        check_say(k, it, check_part(it, it->text + 1, it->name), FINDING_NO_NUMBER, it->name, NULL,
                  NULL);
    switch (o->type) {
    case OPTION_BOOL:
        check_boolean(k, it, name, v);
        break;
    case OPTION_NUMBER:
        /* The second number of an old form, and a number that C would read. */
        if (strcmp(name, "MinFreeBlocks") == 0) {
            struct part rest = v, piece;
            while (part_next(&rest, "/", &piece))
                check_number(k, it, name, piece);
        } else if (strcmp(name, "SharedMemoryKey") != 0 || strncmp(it->value, "0x", 2) != 0) {
            check_number(k, it, name, v);
        }
        break;
    case OPTION_SIZE:
        check_size(k, it, name, v);
        break;
    case OPTION_TIME:
        check_time(k, it, name, v);
        break;
    case OPTION_OCTAL:
        check_octal(k, it, name, v);
        break;
    case OPTION_SUB:
        check_sub_value(k, it, o, dot, v);
        break;
    case OPTION_TEXT:
        check_text_value(k, it, name, v);
        break;
    case OPTION_LIST:
        if (strcmp(name, "InputMailFilters") == 0)
            check_filter_list(k, it, v);
        else if (strcmp(name, "AuthMechanisms") == 0)
            check_mechanisms(k, it, name, v);
        else if (strcmp(name, "AliasFile") == 0)
            check_aliases(k, it, v);
        break;
    case OPTION_PATH:
        check_path(k, it, name, v);
        break;
    case OPTION_WORD:
    case OPTION_LETTERS:
    case OPTION_EQUATES:
        break;
    }
}
