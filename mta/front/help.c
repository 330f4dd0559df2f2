#include "mta/front/help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TOPICS_A_LINE = 5 };

static const struct {
    const char *name, *text; /* NULL: it is no topic */
} topics[] = {
#define VERB(name, function, allowed, help) {#name, help},
#define TOPIC(name, help) {#name, help},
#include "mta/front/verbs.def"
};

enum { NTOPICS = sizeof topics / sizeof *topics };

static bool is_word(struct bytes b, const char *word)
{
    return b.len == strlen(word) && strncasecmp(b.p, word, b.len) == 0;
}

static void lines(struct replies *r, const char *text)
{
    for (const char *end; *text != '\0'; text = *end == '\0' ? end : end + 1) {
        end = text + strcspn(text, "\n");
        reply_format(r, "214-2.0.0 %.*s", (int)(end - text), text);
    }
}

static void list(struct replies *r)
{
    char line[128] = "";
    size_t len = 0, n = 0;

    for (size_t i = 0; i < NTOPICS; i++) {
        if (topics[i].text == NULL)
            continue;
        len += (size_t)snprintf(line + len, sizeof line - len, "\t%.16s", topics[i].name);
        if (++n % TOPICS_A_LINE == 0) {
            lines(r, line);
            len = 0;
        }
    }
    if (len > 0)
        lines(r, line);
}

static const char *text_of(struct bytes topic)
{
    for (size_t i = 0; i < NTOPICS; i++)
        if (topics[i].text != NULL && is_word(topic, topics[i].name))
            return topics[i].text;
    return NULL;
}

static void unknown(struct replies *r, struct bytes topic)
{
    struct buf *b = &r->scratch;

    buf_adds(b, "504 5.3.0 HELP topic \"");
    for (size_t i = 0; i < topic.len; i++) {
        char c = topic.p[i];
        buf_addc(b, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    buf_adds(b, "\" unknown");
    reply_line(r, b->data, b->len);
    buf_truncate(b, 0);
}

void help(struct replies *r, const char *version, struct bytes topic)
{
    const char *text = text_of(topic);

    if (topic.len == 0 || is_word(topic, "SMTP")) {
        reply_format(r, "214-2.0.0 This is mcfd, version %s", version);
        lines(r, "Topics:");
        list(r);
        lines(r, "Say HELP and a topic for more of it.");
    } else if (text != NULL) {
        lines(r, text);
    } else {
        unknown(r, topic);
        return;
    }
    reply_text(r, "214 2.0.0 End of HELP info");
}
