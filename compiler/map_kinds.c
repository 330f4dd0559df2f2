/*
 * map_kinds: what is wrong with the entries of the tables other than access
 * (lib/model/map_kinds.def).
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "compiler/map_check.h"
#include "lib/base/arena.h"

static const char *const mailers[] = {
#define MAP_MAILER(name) name,
#include "lib/model/map_kinds.def"
};

static const char *const reasons[] = {
#define MAP_REASON(word) word,
#include "lib/model/map_kinds.def"
};

static bool is_one_of(const char *const *names, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], s, len) == 0)
            return true;
    return false;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void check_host_key(const struct map_checking *c, struct map_span key)
{
    const char *s = c->bytes + key.begin;
    if (memchr(s, '@', key.end - key.begin))
        map_say(c, FINDING_MAP_KEY_NO_HOST, key);
    else if (c->kind == KIND_DOMAINTABLE && *s == '.')
        map_say(c, FINDING_MAP_KEY_WHOLE, key);
    else if (c->kind == KIND_MAILERTABLE)
        map_check_dot(c, key);
}

static void check_user_key(const struct map_checking *c, struct map_span key)
{
    const char *s = c->bytes + key.begin;
    size_t len = key.end - key.begin;
    if (!memchr(s, '@', len)) {
        if (c->kind == KIND_VIRTUSERTABLE)
            map_say(c, FINDING_MAP_KEY_NO_AT, key);
    } else if (s[len - 1] == '@') {
        map_say(c, FINDING_MAP_KEY_NO_DOMAIN, key);
    } else {
        map_check_dot(c, key);
    }
}

/* --- values ----------------------------------------------------------------------------------- */

/* error:D.S.N:TEXT; a word for the code ends at a colon in a mailertable, else at a blank. */
static void check_error(const struct map_checking *c, struct map_span value)
{
    enum { AFTER = 6 };
    const char *s = map_text(c, value) + AFTER;
    bool mailers_table = c->kind == KIND_MAILERTABLE;
    size_t code = strspn(s, "0123456789."), word = strcspn(s, ": \t");
    size_t blanks = strspn(s + word, " \t");
    struct map_span at = map_part(value, AFTER, AFTER + word);
    if (s[strspn(s, " \t:")] == '\0') {
        map_say(c, FINDING_MAP_ERROR_EMPTY, value);
    } else if (map_check_code(c, value)) {
        return;
    } else if (mailers_table) {
        if (blanks == 0 || !is_one_of(reasons, COUNT(reasons), s, word))
            return;
        struct finding *f = map_say(c, FINDING_MAP_ERROR_WORD, at);
        diag_edit(c->diag, f, map_at(c, map_part(value, AFTER + word, AFTER + word + blanks)), ":");
    } else if (s[word] == '\0') {
        map_say(c, FINDING_MAP_ERROR_NO_TEXT, at);
    } else if (code == 3 && code == word && blanks) {
        struct finding *f = map_say(c, FINDING_MAP_ERROR_REPLY, at);
        diag_hint(c->diag, f, "write error:5.1.1:%s", s);
    }
}

static void check_mailer(const struct map_checking *c, struct map_span value)
{
    const char *s = map_text(c, value), *colon = strchr(s, ':');
    if (!colon || *s == '[') {
        struct finding *f = map_say(c, FINDING_MAP_NO_MAILER, value);
        if (is_one_of(mailers, COUNT(mailers), s, strlen(s)))
            diag_hint(c->diag, f, "write %s:HOST", s);
        return;
    }
    size_t len = (size_t)(colon - s), host = len + 1;
    struct map_span name = map_part(value, 0, len);
    bool known = is_one_of(mailers, COUNT(mailers), s, len), sure = false;
    const char *word = map_text(c, name);
    if (strcasecmp(word, "error") == 0) {
        check_error(c, value);
        return;
    }
    if (!known && diag_nearest(word, mailers, COUNT(mailers), &sure) && sure) {
        struct finding *f = map_say(c, FINDING_MAP_UNKNOWN_MAILER, name);
        finding_suggest(c->diag, f, map_at(c, name), word, mailers, COUNT(mailers));
    }
    if (strcasecmp(word, "local") == 0 || strcasecmp(word, "discard") == 0)
        return;
    if (!s[host])
        map_say(c, FINDING_MAP_MAILER_NO_HOST, value);
    else if (strpbrk(s + host, " \t,"))
        map_say(c, FINDING_MAP_HOST_BLANK, map_part(value, host, strlen(s)));
    const char *last = strrchr(s + host, ':');
    if (last && map_is_number(last + 1))
        map_say(c, FINDING_MAP_PORT, map_part(value, (size_t)(last + 1 - s), strlen(s)));
}

/* The one address that a virtusertable or genericstable may name. */
static void check_address(const struct map_checking *c, struct map_span value)
{
    const char *s = map_text(c, value);
    bool virtual = c->kind == KIND_VIRTUSERTABLE;
    if (virtual && strncasecmp(s, "error:", 6) == 0) {
        check_error(c, value);
    } else if (*s == '|' || *s == '/' || strncasecmp(s, ":include:", 9) == 0 ||
               strncmp(s, "\"|", 2) == 0) {
        map_say(c, FINDING_MAP_ONLY_ALIASES, value);
    } else if (strchr(s, '"') || strchr(s, '<') || strchr(s, '(')) {
        return; /* what is in these may have blanks and commas */
    } else if (strpbrk(s, ", \t")) {
        map_say(c, FINDING_MAP_ONE_ADDRESS, value);
    } else if (*s == '@' && !strchr(s, ':')) {
        struct finding *f = map_say(c, FINDING_MAP_NO_USER, value);
        diag_hint(c->diag, f, "write %%1%s to keep the user", s);
    }
    for (const char *p = strchr(s, '%'); virtual && p; p = strchr(p + 1, '%'))
        if (p[1] >= '4' && p[1] <= '9')
            map_say(c, FINDING_MAP_PLACEHOLDER,
                    map_part(value, (size_t)(p - s), (size_t)(p - s) + 2));
}

static void check_domain(const struct map_checking *c, struct map_span value)
{
    const char *s = map_text(c, value);
    if (strpbrk(s, "@, \t:%") || *s == '.' || *s == '*')
        map_say(c, FINDING_MAP_NO_DOMAIN, value);
}

/* "U:user" "I:identity" "P:password" "R:realm" "M:mechanisms", with = where it is base64. */
void map_check_authinfo(const struct map_checking *c, struct map_span value)
{
    const char *s = map_text(c, value), *p = s;
    bool user = false, password = false, good = true;
    bool without = strcasestr(s, "EXTERNAL") || strcasestr(s, "GSSAPI"); /* a password */
    while (*(p += strspn(p, " \t"))) {
        size_t begin = (size_t)(p - s);
        bool quoted = *p == '"';
        size_t len = quoted ? 1 + strcspn(p + 1, "\"") : strcspn(p, " \t");
        struct map_span at = map_part(value, begin, begin + len + (quoted && p[len]));
        const char *item = p + quoted;
        char letter = (char)toupper((unsigned char)*item);
        if (quoted && !p[len]) {
            map_say(c, FINDING_MAP_AUTH_OPEN, at);
            return;
        }
        if (!letter || !strchr("UIPRM", letter) || (item[1] != ':' && item[1] != '=')) {
            map_say(c, FINDING_MAP_AUTH_ITEM, at);
            good = false;
        } else if (!quoted) {
            struct finding *f = map_say(c, FINDING_MAP_AUTH_QUOTE, at);
            diag_edit(c->diag, f, map_at(c, at), arena_printf(c->arena, "\"%s\"", map_text(c, at)));
        }
        user |= letter == 'U' || letter == 'I';
        password |= letter == 'P';
        p += len + quoted;
    }
    if (good && (!user || !(password || without)))
        finding_add(c->diag, FINDING_MAP_AUTH_LACKS, map_at(c, value),
                    user ? "password: \"P:...\"" : "user: \"U:...\"", NULL);
}

void map_check_table(const struct map_checking *c, const struct map_entry *e)
{
    struct map_span value = map_value(c, e);
    switch (c->kind) {
    case KIND_MAILERTABLE:
        check_host_key(c, e->key);
        check_mailer(c, value);
        break;
    case KIND_DOMAINTABLE:
        check_host_key(c, e->key);
        check_domain(c, value);
        break;
    case KIND_VIRTUSERTABLE:
    case KIND_GENERICSTABLE:
        check_user_key(c, e->key);
        check_address(c, value);
        break;
    case KIND_AUTHINFO:
        if (strcasecmp(map_text(c, e->tag), "AuthInfo") != 0) {
            struct finding *f = map_say(c, FINDING_MAP_KEY_AUTHINFO, e->key);
            if (e->tag.begin == e->tag.end)
                diag_edit(c->diag, f, map_at(c, (struct map_span){e->key.begin, e->key.begin}),
                          "AuthInfo:");
        } else if (c->bytes[e->tag.end + 1] == '.' && e->key.end > e->tag.end + 1) {
            map_say(c, FINDING_MAP_KEY_WHOLE, e->key);
        }
        map_check_authinfo(c, value);
        break;
    case KIND_PLAIN:
    case KIND_ACCESS:
    case KIND_ALIASES:
    case KINDS:
        break;
    }
}
