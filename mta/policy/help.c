#include "mta/policy/help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "mta/text_file.h"

enum { TOPIC_MAX = 10, VERSION_OF_MACROS = 2 };

const char *help_read(struct arena *a, const struct program *p, const struct trust *trust)
{
    return text_file_read(a, trust, setting_text(p, "HelpFile"), &trust_help);
}

/* As topics are looked up, and shown: so many letters, small ones. */
static const char *topic_of(struct arena *a, const char *said)
{
    char *topic = arena_strndup(a, said, strnlen(said, TOPIC_MAX));

    for (char *c = topic; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return topic;
}

/* The text of a line about the topic; NULL: it is about another. */
static const char *text_of(const char *line, const char *topic)
{
    if (strncmp(line, topic, strlen(topic)) != 0)
        return NULL;
    line += strcspn(line, " \t");
    return *line ? line + 1 : line;
}

static void add_line(struct buf *out, const char *text)
{
    buf_printf(out, "214-2.0.0 %s\n", text);
}

static const char *next_line(struct arena *a, const char **at)
{
    size_t len = strcspn(*at, "\n");
    const char *line = arena_strndup(a, *at, len);

    *at += len + ((*at)[len] == '\n');
    return line;
}

const char *help_answer(struct worker *w, const char *said)
{
    static const char versions[] = "#vers";
    const char *at = w->service->help, *topic = *said ? topic_of(w->arena, said) : "smtp";
    long version = 0;
    struct buf out;

    buf_init(&out, w->arena);
    if (!at)
        return arena_printf(w->arena, "502 5.3.0 Sendmail %s -- HELP not implemented",
                            worker_expanded(w, "v"));
    while (*at) {
        const char *line = next_line(w->arena, &at);
        if (strncmp(line, versions, sizeof versions - 1) == 0)
            version = strtol(line + sizeof versions - 1, NULL, 10);
        const char *text = *line == '#' ? NULL : text_of(line, topic);
        if (!text)
            continue;
        if (out.len == 0 && version < VERSION_OF_MACROS && !*said)
            add_line(&out, arena_printf(w->arena, "This is Sendmail version %s",
                                        worker_expanded(w, "v")));
        add_line(&out, version < VERSION_OF_MACROS
                           ? text
                           : rewrite_expand(w->r, text, strlen(text), NULL));
    }
    if (out.len == 0)
        return arena_printf(w->arena, "504 5.3.0 HELP topic \"%s\" unknown", topic);
    buf_adds(&out, "214 2.0.0 End of HELP info");
    return out.data;
}
