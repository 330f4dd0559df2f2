/*
 * cf_tab: where the tab of a rule belongs that was written with blanks.
 *
 * A run of blanks can be the place if what is before it could be a left-hand side and what is
 * behind it a right-hand side: wildcards stand before it, what they matched and what acts behind.
 */
#include <string.h>

#include "grammar/cf_build.h"

enum { RUNS_MAX = 64 }; /* a rule with more is left to its writer */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Brackets and quotes in pairs; *wildcards: how many there are. */
static bool is_whole(const char *s, size_t len, unsigned *wildcards)
{
    int depth = 0;
    bool quoted = false;
    *wildcards = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '$' || s[i] == '\\') {
            *wildcards += s[i] == '$' && i + 1 < len && strchr("*+-=~", s[i + 1]) && s[i + 1];
            i++;
        } else if (s[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (s[i] == '<' || s[i] == '>')) {
            depth += s[i] == '<' ? 1 : -1;
            if (depth < 0)
                return false;
        }
    }
    return depth == 0 && !quoted;
}

/* An answer stands in a left-hand side at its beginning, behind $|, or before a wildcard. */
static bool is_left(const char *s, size_t len)
{
    bool answer = false;
    for (size_t i = 0; i + 1 < len; i++) {
        if (s[i] != '$')
            continue;
        char c = s[i + 1];
        if (strchr("123456789:>()[]", c))
            return false;
        if (c == '#')
            answer = answer || (i > 0 && !(i > 2 && strncmp(s + i - 3, "$| ", 3) == 0));
        else if (strchr("*+-=~", c))
            answer = false;
        i++;
    }
    /* "$@" at the end begins what follows, unless it is all, or behind $|. */
    if (len > 3 && s[len - 2] == '$' && s[len - 1] == '@' && strncmp(s + len - 4, "| ", 2) != 0)
        return false;
    return len > 0 && !answer;
}

static bool is_right(const char *s, size_t len, unsigned wildcards)
{
    bool lookup = false, free = false;
    for (size_t i = 0; i + 1 < len; i++) {
        if (s[i] != '$')
            continue;
        char c = s[i + 1];
        if (strchr("*+-=~", c) || (c >= '1' && c <= '9' && (unsigned)(c - '0') > wildcards))
            return false;
        /* These begin a right-hand side, if they are no part of a lookup or an answer. */
        if (strchr("@:#", c) && i > 0 && !lookup && !free &&
            !(c == '#' && i < 4 && (s[1] == '@' || s[1] == ':')))
            return false;
        free = free || c == '#' || c == '>';
        if (strchr("([", c))
            lookup = true;
        if (strchr(")]", c))
            lookup = false;
        i++;
    }
    return len > 0;
}

bool cf_missing_tab(const char *text, struct cf_span rule, struct cf_span *tab,
                    struct cf_span *second)
{
    struct cf_span runs[RUNS_MAX];
    size_t n = 0, wide = 0, found = RUNS_MAX, many = 0;
    bool quoted = false;
    for (size_t i = rule.begin; i < rule.end && n < RUNS_MAX; i++) {
        size_t end = i;
        quoted = quoted != (text[i] == '"');
        if (quoted)
            continue;
        while (end < rule.end && is_blank(text[end]))
            end++;
        if (end == i)
            continue;
        runs[n++] = (struct cf_span){i, end};
        i = end - 1;
    }
    for (size_t i = 0; i < n && n < RUNS_MAX; i++) {
        const char *left = text + rule.begin, *right = text + runs[i].end;
        size_t left_len = runs[i].begin - rule.begin, right_len = rule.end - runs[i].end;
        unsigned wildcards, none;
        if (!is_left(left, left_len) || !is_whole(left, left_len, &wildcards) ||
            !is_whole(right, right_len, &none) || !is_right(right, right_len, wildcards))
            continue;
        /* Two blanks or more are meant as a tab where one is not. */
        size_t width = runs[i].end - runs[i].begin;
        bool wider = width > 1 && wide <= 1;
        if (found == RUNS_MAX || wider) {
            found = i;
            wide = width;
            many = 1;
        } else if (width > 1 || wide <= 1) {
            many++;
        }
    }
    *second = (struct cf_span){0, 0};
    if (found == RUNS_MAX)
        return false;
    *tab = runs[found];
    /* Blanks behind it, before words alone, part a remark from the rule. */
    for (size_t i = found + 1; i < n; i++) {
        if (runs[i].end - runs[i].begin < 2)
            continue;
        if (second->end > 0 || memchr(text + runs[i].end, '$', rule.end - runs[i].end))
            return false;
        *second = runs[i];
        many = 1;
    }
    return many == 1;
}
