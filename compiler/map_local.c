#include "compiler/map_local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/base/arena.h"
#include "lib/base/source.h"
#include "lib/base/table.h"
#include "lib/maps/map_lines.h"
#include "lib/model/class_scan.h"

#define BLANKS " \t\r\n\f\v"

struct names {
    const struct config *config;
    struct table *table;
};

static void add(struct names *n, const char *name, size_t len)
{
    char *s = arena_strndup(n->config->arena, name, len);
    map_fold(s, len);
    if (len)
        table_set(n->table, s, n);
}

static void add_word(struct names *n, const char *name)
{
    add(n, name, strlen(name));
}

static void add_line(struct names *n, const char *line, const char *format)
{
    const char *text;
    size_t len;
    if (*line == '#' || !class_scan(format, line, strcspn(line, "\n"), &text, &len))
        return;
    for (const char *p = text, *end = text + len; p < end;) {
        size_t blanks = strspn(p, BLANKS);
        p += blanks;
        size_t word = strcspn(p, BLANKS);
        if (word > (size_t)(end - p))
            word = p < end ? (size_t)(end - p) : 0;
        add(n, p, word);
        p += word;
    }
}

/* spec: [-o] FILE [FORMAT] */
static void read_file(struct names *n, const struct item *it)
{
    struct arena *a = n->config->arena;
    const struct source *s = source_by_id(n->config->sources, it->at.file);
    const char *spec = it->value ? it->value : "", *why = NULL;
    bool optional = strncmp(spec, "-o", 2) == 0 && (spec[2] == ' ' || spec[2] == '\t');
    spec += optional ? 2 : 0;
    spec += strspn(spec, BLANKS);
    const char *path = arena_strndup(a, spec, strcspn(spec, BLANKS));
    spec += strlen(path);
    FILE *f = NULL;
    if (*path != '/')
        why = "only files with a full name are read here";
    else if ((f = fopen(path, "re")) == NULL && !(optional && errno == ENOENT))
        why = strerror(errno);
    if (why)
        fprintf(stderr, "mcf: %s:%u: names of class w are missing, of %s: %s\n", s ? s->path : "?",
                it->at.line, *path ? path : "nothing", why);
    char *line = NULL;
    size_t room = 0;
    while (f && getline(&line, &room, f) >= 0)
        add_line(n, line, spec + strspn(spec, BLANKS));
    free(line);
    if (f)
        fclose(f);
}

/* $j: as it is written, or with $w before it. */
static void add_full_name(struct names *n, const char *j, const char *w)
{
    if (strncmp(j, "$w", 2) == 0)
        j = arena_printf(n->config->arena, "%s%s", w, j + 2);
    if (!strchr(j, '$'))
        add_word(n, j);
}

struct table *map_local_names(const struct config *c)
{
    struct names n = {c, table_new(c->arena)};
    struct utsname host;
    const char *j = "", *w = "";
    if (uname(&host) == 0) {
        size_t label = strcspn(host.nodename, ".");
        w = arena_strndup(c->arena, host.nodename, label);
        add_word(&n, host.nodename);
        add_word(&n, w);
        add_word(&n, arena_printf(c->arena, "[%s]", w));
    }
    add_word(&n, "localhost");
    for (const struct item *it = c->first; it; it = it->next) {
        if (it->kind == ITEM_MACRO && strcmp(it->name, "j") == 0)
            j = it->value;
        if (it->kind == ITEM_MACRO && strcmp(it->name, "w") == 0)
            w = it->value;
        if (it->kind == ITEM_CLASS && strcmp(it->name, "w") == 0)
            for (const char **word = it->words; word && *word; word++)
                add_word(&n, *word);
        if (it->kind == ITEM_CLASSFILE && strcmp(it->name, "w") == 0)
            read_file(&n, it);
    }
    add_full_name(&n, j, w);
    return n.table;
}

bool map_local_has(const struct table *names, const char *domain)
{
    size_t len = strlen(domain);
    char *s = strdup(domain);
    if (!s)
        return false;
    map_fold(s, len);
    bool has = table_has(names, s);
    free(s);
    return has;
}
