#include "compiler/list_tables.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compiler/template.h"
#include "lib/base/buf.h"
#include "lib/model/options.h"
#include "lib/model/releases.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void row(struct buf *b, const char *what, const char *text)
{
    if (!text || !*text)
        return;
    buf_printf(b, "%-9s ", what);
    for (; *text; text++)
        if (*text == '\n')
            buf_adds(b, "\\n");
        else if (*text == '\t')
            buf_adds(b, "\\t");
        else
            buf_addc(b, *text);
    buf_addc(b, '\n');
}

static void names(struct buf *b, const char *what, const char *const *list)
{
    if (!list || !*list)
        return;
    buf_printf(b, "%-9s", what);
    for (; *list; list++)
        buf_printf(b, " %s", *list);
    buf_addc(b, '\n');
}

/* Which releases lack it. */
static void since(struct buf *b, enum release_kind kind, const char *name)
{
    const char *series;
    struct release r;
    bool any = false;
    for (size_t i = 0; (series = release_series(i)) != NULL; i++)
        if (release_parse(series, &r) && release_lacks(&r, kind, name, strlen(name))) {
            buf_printf(b, any ? " %s" : "not in    %s", series);
            any = true;
        }
    if (any)
        buf_addc(b, '\n');
}

/* --- features and mailers -------------------------------------------------------------------- */

static void file_rows(struct buf *b, const struct rule_file *f)
{
    for (size_t i = 0; i < f->nargs; i++)
        buf_printf(b, "%-9s %u %s: %s%s%s\n", i ? "" : "arguments", f->args[i].number,
                   f->args[i].name, f->args[i].text, f->args[i].words ? "; words: " : "",
                   f->args[i].words ? f->args[i].words : "");
    if (f->required)
        buf_printf(b, "%-9s %u argument%s\n", "required", f->required, f->required > 1 ? "s" : "");
    names(b, "needs", f->needs);
    names(b, "before", f->before);
    if (f->repeat)
        row(b, "repeat", "it may be called several times");
}

static size_t feature_count(void)
{
    return template_rulesets.nfeatures;
}

static const char *feature_name(size_t i)
{
    return template_rulesets.features[i]->name;
}

static void feature_line(struct buf *b, size_t i)
{
    buf_adds(b, template_rulesets.features[i]->summary);
}

static void feature_paragraph(struct buf *b, size_t i)
{
    const struct rule_file *f = template_rulesets.features[i];
    file_rows(b, f);
    row(b, "flag", f->flag);
    since(b, RELEASE_FEATURE, f->name);
    row(b, "example", f->example);
}

static size_t mailer_count(void)
{
    return template_rulesets.nmailers;
}

static const char *mailer_name(size_t i)
{
    return template_rulesets.mailers[i]->name;
}

static void mailer_line(struct buf *b, size_t i)
{
    buf_adds(b, template_rulesets.mailers[i]->summary);
}

/* Its M lines are not a row of anything; the variables that it reads are. */
static void mailer_paragraph(struct buf *b, size_t i)
{
    const struct rule_file *f = template_rulesets.mailers[i];
    file_rows(b, f);
    buf_printf(b, "%-9s", "variables");
    for (const char *const *w = f->reads; *w; w++)
        if (**w != '_')
            buf_printf(b, " %s", *w);
    buf_addc(b, '\n');
    since(b, RELEASE_MAILER, f->name);
    row(b, "example", f->example);
}

/* --- ostypes --------------------------------------------------------------------------------- */

static const struct {
    const char *name, *how, *variable, *value;
} ostypes[] = {
#define OSTYPE(name, how, variable, value) {name, #how, variable, value},
#include "lib/model/ostypes.def"
#undef OSTYPE
};

/* The first row of the i-th name. */
static size_t ostype_row(size_t i)
{
    size_t k = 0;
    for (; k < COUNT(ostypes); k++)
        if ((k == 0 || strcmp(ostypes[k].name, ostypes[k - 1].name) != 0) && i-- == 0)
            break;
    return k;
}

static size_t ostype_count(void)
{
    size_t n = 0;
    for (size_t k = 0; k < COUNT(ostypes); k++)
        n += k == 0 || strcmp(ostypes[k].name, ostypes[k - 1].name) != 0;
    return n;
}

static const char *ostype_name(size_t i)
{
    return ostypes[ostype_row(i)].name;
}

static void ostype_line(struct buf *b, size_t i)
{
    size_t first = ostype_row(i), n = 0;
    for (size_t k = first; k < COUNT(ostypes) && strcmp(ostypes[k].name, ostypes[first].name) == 0;
         k++)
        n += ostypes[k].variable && *ostypes[k].variable;
    buf_printf(b, n == 1 ? "sets %zu variable" : "sets %zu variables", n);
}

static void ostype_paragraph(struct buf *b, size_t i)
{
    static const struct {
        const char *how, *text;
    } ways[] = {{"DEFAULT", "if it is not defined yet"},
                {"SET", "always"},
                {"APPEND", "added"},
                {"ADD_FLAGS", "flags that are added"},
                {"REMOVE_FLAGS", "flags that are taken"},
                {"CALL", "a call"}};
    size_t first = ostype_row(i);
    for (size_t k = first; k < COUNT(ostypes) && strcmp(ostypes[k].name, ostypes[first].name) == 0;
         k++) {
        const char *how = "";
        for (size_t w = 0; w < COUNT(ways); w++)
            if (strcmp(ways[w].how, ostypes[k].how) == 0)
                how = ways[w].text;
        if (strcmp(ostypes[k].how, "FEATURE") == 0)
            buf_printf(b, "FEATURE(%s)\n", ostypes[k].variable);
        else if (ostypes[k].variable && *ostypes[k].variable)
            buf_printf(b, "%-28s %s (%s)\n", ostypes[k].variable,
                       ostypes[k].value ? ostypes[k].value : "", how);
    }
    buf_printf(b, "%-9s OSTYPE(`%s')\n", "example", ostypes[first].name);
}

/* --- options and variables ---------------------------------------------------------------------
 */

static const struct {
    const char *name, *option, *preset, *shown, *text;
} variables[] = {
#define OPTION_VARIABLE(variable, option, preset, shown) {#variable, option, preset, shown, NULL},
#define LATE_PRESET(variable, value)
#define LATE_PRESET_UNLESS(flag, variable, value)
#define PRESET(variable, value) {#variable, NULL, value, NULL, NULL},
#define VARIABLE(variable, text) {#variable, NULL, NULL, NULL, text},
#define OLD_VARIABLE(variable, instead)                                                            \
    {#variable, NULL, NULL, NULL, "of an old release: " instead},
#include "lib/model/variables.def"
#undef OPTION_VARIABLE
#undef LATE_PRESET
#undef LATE_PRESET_UNLESS
#undef PRESET
#undef VARIABLE
#undef OLD_VARIABLE
};

/* The types of options, and a value that each may have. */
static const struct {
    const char *name, *example;
} types[] = {[OPTION_BOOL] = {"true or false", "True"},
             [OPTION_NUMBER] = {"a number", "10"},
             [OPTION_SIZE] = {"a number of bytes", "10000000"},
             [OPTION_TIME] = {"a time: 30s, 5m, 1h30m, 5d, 1w", "5m"},
             [OPTION_OCTAL] = {"an octal number, as for chmod", "0600"},
             [OPTION_TEXT] = {"text", "text"},
             [OPTION_PATH] = {"a path", "/etc/mail/file"},
             [OPTION_WORD] = {"one of a few words", ""},
             [OPTION_LIST] = {"words", "name"},
             [OPTION_LETTERS] = {"letters", ""},
             [OPTION_EQUATES] = {"Key=Value, ...", ""},
             [OPTION_SUB] = {"parts with a value each", ""}};

/* What an option may say. */
static const struct {
    const char *option, *words;
} option_words[] = {
#define WORDS(option, how, severity, words) {#option, words},
#define SUBS(option, words) {#option, words},
#include "lib/model/words.def"
#undef WORDS
#undef SUBS
};

static const char *words_of(const char *option)
{
    for (size_t i = 0; option && i < COUNT(option_words); i++)
        if (strcmp(option_words[i].option, option) == 0)
            return option_words[i].words;
    return NULL;
}

static const struct option_info *info_of(const char *option)
{
    return option ? option_find(option, strlen(option), NULL) : NULL;
}

/* A value that shows the form. */
static void example_value(struct buf *b, size_t i)
{
    static const struct {
        const char *end, *value;
    } ends[] = {{"_PATH", "/usr/bin/program"},
                {"_FLAGS", "A"},
                {"_ARGS", "program $u"},
                {"_MAX", "10000000"},
                {"_MAXMSGS", "100"},
                {"_MAXRCPTS", "100"},
                {"_QGRP", "mqueue"},
                {"_CHARSET", "utf-8"},
                {"_EOL", "\\r\\n"},
                {"_DIR", "/"},
                {"_LL", "990"},
                {"_FILE", "/etc/mail/file"},
                {"_RELAY", "relay:hub.example.com"},
                {"_HOST", "hub.example.com"},
                {"_HUB", "hub.example.com"},
                {"MESSAGE_TIMEOUT", "5d/4h"},
                {"VENDOR_NAME", "Berkeley"},
                {"_USER", "mail:mail"}};
    const struct option_info *o = info_of(variables[i].option);
    const char *value = variables[i].shown ? variables[i].shown : variables[i].preset, *words;
    if (value && strchr(value, '\n'))
        value = "from $s by $j with $r id $i; $b";
    size_t n = strlen(variables[i].name);
    for (size_t k = 0; (!value || !*value) && k < COUNT(ends); k++) {
        size_t len = strlen(ends[k].end);
        if (n >= len && strcmp(variables[i].name + n - len, ends[k].end) == 0)
            value = ends[k].value;
    }
    if ((!value || !*value) && o) {
        words = words_of(variables[i].option);
        if (words) {
            buf_add(b, words, strcspn(words, " "));
            return;
        }
        value = *o->value ? o->value : types[o->type].example;
    }
    buf_adds(b, value && *value ? value : "name");
}

/* Some become two options, or are an option and something else: the first row speaks. */
static bool is_first(size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (strcmp(variables[i].name, variables[k].name) == 0)
            return false;
    return true;
}

static size_t variable_count(void)
{
    size_t n = 0;
    for (size_t k = 0; k < COUNT(variables); k++)
        n += is_first(k);
    return n;
}

/* The row of the i-th name. */
static size_t variable_row(size_t i)
{
    size_t k = 0;
    while (!is_first(k) || i-- > 0)
        k++;
    return k;
}

static const char *variable_name(size_t i)
{
    return variables[variable_row(i)].name;
}

static void variable_line(struct buf *b, size_t i)
{
    i = variable_row(i);
    if (variables[i].option)
        buf_printf(b, "the option %s", variables[i].option);
    else
        buf_adds(b, variables[i].text ? variables[i].text : "read by the library");
}

static void variable_paragraph(struct buf *b, size_t i)
{
    i = variable_row(i);
    const struct option_info *o = info_of(variables[i].option);
    row(b, "type", o ? types[o->type].name : NULL);
    row(b, "words", words_of(variables[i].option));
    row(b, "preset", variables[i].preset);
    row(b, "default",
        variables[i].preset  ? NULL
        : variables[i].shown ? variables[i].shown
        : o                  ? o->value
                             : NULL);
    since(b, RELEASE_VARIABLE, variables[i].name);
    buf_printf(b, "%-9s define(`%s', `", "example", variables[i].name);
    example_value(b, i);
    buf_adds(b, "')\n");
}

static size_t option_count(void)
{
    size_t n = 0;
    while (option_at(n) && option_at(n)->name[0])
        n++;
    return n;
}

static const char *option_name(size_t i)
{
    return option_at(i)->name;
}

static void option_line(struct buf *b, size_t i)
{
    const struct option_info *o = option_at(i);
    buf_adds(b, types[o->type].name);
    if (*o->value)
        buf_printf(b, ", %s if it is not set", o->value);
}

static void option_paragraph(struct buf *b, size_t i)
{
    const struct option_info *o = option_at(i);
    const char letter[] = {o->letter, '\0'};
    size_t first = COUNT(variables);
    row(b, "letter", letter);
    row(b, "words", words_of(o->name));
    if (o->elsewhere)
        row(b, "where", "in some builds of sendmail only");
    if (o->safe)
        row(b, "who", "any user may set it on the command line");
    for (size_t k = COUNT(variables); k-- > 0;)
        if (info_of(variables[k].option) == o) {
            row(b, "variable", variables[k].name);
            first = k;
        }
    since(b, RELEASE_OPTION, o->name);
    buf_printf(b, "%-9s O %s=", "example",
               first < COUNT(variables) ? variables[first].option : o->name);
    if (first < COUNT(variables))
        example_value(b, first);
    else
        buf_adds(b, *o->value ? o->value : types[o->type].example);
    buf_addc(b, '\n');
}

/* --- macros ------------------------------------------------------------------------------------
 */

static const struct {
    const char *name, *arguments, *text, *example;
} macros[] = {
#define DIRECTIVE(name, most, arguments, text, example) {#name, arguments, text, example},
#include "lib/model/directives.def"
#undef DIRECTIVE
};

static size_t macro_count(void)
{
    return COUNT(macros);
}

static const char *macro_name(size_t i)
{
    return macros[i].name;
}

static void macro_line(struct buf *b, size_t i)
{
    buf_adds(b, macros[i].text);
}

static void macro_paragraph(struct buf *b, size_t i)
{
    row(b, "arguments", macros[i].arguments);
    since(b, RELEASE_DIRECTIVE, macros[i].name);
    row(b, "example", macros[i].example);
}

/* --- all of them -------------------------------------------------------------------------------
 */

const struct list_table list_tables[] = {
    {"features", "feature", feature_count, feature_name, feature_line, feature_paragraph},
    {"variables", "variable", variable_count, variable_name, variable_line, variable_paragraph},
    {"mailers", "mailer", mailer_count, mailer_name, mailer_line, mailer_paragraph},
    {"ostypes", "ostype", ostype_count, ostype_name, ostype_line, ostype_paragraph},
    {"options", "option", option_count, option_name, option_line, option_paragraph},
    {"macros", "macro", macro_count, macro_name, macro_line, macro_paragraph},
};
const size_t list_tables_count = COUNT(list_tables);
