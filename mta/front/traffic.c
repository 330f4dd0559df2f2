#include "mta/front/traffic.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"

enum { NUMBERS = 100000, MARK = 16 };

/* A direction's line, so far; behind it there is room for the line's end. */
struct side {
    char text[MARK + TRAFFIC_LINE + 1];
    size_t begin, len;
};

struct traffic {
    int fd;
    unsigned number;
    struct side in, out;
};

static void begin(const struct traffic *t, struct side *s, const char *mark)
{
    s->begin = s->len = (size_t)snprintf(s->text, MARK, "%05u %s ", t->number, mark);
}

/* In one piece, so that lines of others do not come between. */
static void write_line(const struct traffic *t, struct side *s)
{
    s->text[s->len++] = '\n';
    if (write(t->fd, s->text, s->len) < 0)
        s->len = s->begin;
    s->len = s->begin;
}

static void add(const struct traffic *t, struct side *s, const char *bytes, size_t len, bool cr)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' && !cr && s->len > s->begin && s->text[s->len - 1] == '\r')
            s->len--;
        if (bytes[i] == '\n' || s->len - s->begin == TRAFFIC_LINE)
            write_line(t, s);
        if (bytes[i] != '\n')
            s->text[s->len++] = bytes[i];
    }
}

struct traffic *traffic_new(struct arena *a, int fd, uint64_t number)
{
    if (fd < 0)
        return NULL;
    struct traffic *t = arena_alloc(a, sizeof *t);
    t->fd = fd;
    t->number = (unsigned)(number % NUMBERS);
    begin(t, &t->in, "<<<");
    begin(t, &t->out, ">>>");
    return t;
}

void traffic_in(struct traffic *t, const char *bytes, size_t len)
{
    if (t)
        add(t, &t->in, bytes, len, true);
}

void traffic_out(struct traffic *t, const char *bytes, size_t len)
{
    if (t)
        add(t, &t->out, bytes, len, false);
}

void traffic_note(struct traffic *t, const char *what, const char *with)
{
    struct side s;

    if (!t)
        return;
    begin(t, &s, "===");
    int n = snprintf(s.text + s.len, TRAFFIC_LINE, "%s %s", what, with);
    s.len += n < TRAFFIC_LINE ? (size_t)n : TRAFFIC_LINE - 1;
    write_line(t, &s);
}
