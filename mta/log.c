#include "mta/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/model/json.h"
#include "mta/message/envelope.h"
#include "mta/places.h"
#include "mta/settings.h"

struct log *log_open(struct arena *a, const struct program *p, const char *cf, const char *json,
                     const char *tag)
{
    struct log *l = arena_alloc(a, sizeof *l);

    *l = (struct log){.level = (int)setting_number(p, "LogLevel"),
                      .json = -1,
                      .tag = tag ? tag : "mcfd",
                      .places = places_read(a, arena_printf(a, "%s.map", cf), cf)};
    if (json && strcmp(json, "-") == 0)
        l->json = STDERR_FILENO;
    else if (json)
        l->json = open(json, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (json && l->json < 0)
        return NULL;
    openlog(l->tag, LOG_PID | LOG_NDELAY, LOG_MAIL);
    return l;
}

static void add_json(struct buf *b, const char *name, struct bytes t)
{
    buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
    json_string(b, t.p, t.len);
}

static void add_plain(struct buf *b, struct bytes t)
{
    for (size_t i = 0; i < t.len; i++)
        buf_addc(b, (unsigned char)t.p[i] < ' ' || t.p[i] == 0x7f ? '?' : t.p[i]);
}

void log_begin(struct log_event *e, const struct log *log, struct arena *a, int level, int priority,
               const char *kind, struct bytes id)
{
    char day[32], when[64];
    struct tm tm;
    struct timespec now;

    *e = (struct log_event){.log = log && log->level >= level ? log : NULL, .priority = priority};
    if (!e->log)
        return;
    buf_init(&e->line, a);
    buf_init(&e->json, a);
    if (id.len) {
        add_plain(&e->line, id);
        buf_adds(&e->line, ": ");
    }
    if (log->json < 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(when, sizeof when, "%s.%03ldZ", day, now.tv_nsec / 1000000);
    buf_addc(&e->json, '{');
    add_json(&e->json, "time", bytes_of(when));
    add_json(&e->json, "event", bytes_of(kind));
    if (id.len)
        add_json(&e->json, "id", id);
}

void log_begin_detail(struct log_event *e, const struct log *log, struct arena *a, int level,
                      const char *kind, struct bytes id)
{
    log_begin(e, log && log->json >= 0 ? log : NULL, a, level, 0, kind, id);
    e->detail = true;
}

void log_field(struct log_event *e, const char *name, struct bytes value)
{
    if (!e->log)
        return;
    size_t n = e->line.len;
    bool first = n == 0 || (n > 1 && memcmp(e->line.data + n - 2, ": ", 2) == 0);
    buf_printf(&e->line, "%s%s=", first ? "" : ", ", name);
    add_plain(&e->line, value);
    if (e->log->json >= 0)
        add_json(&e->json, name, value);
}

void log_text(struct log_event *e, const char *name, const char *value)
{
    log_field(e, name, bytes_of(value));
}

void log_number(struct log_event *e, const char *name, int64_t value)
{
    if (e->log)
        log_text(e, name, arena_printf(e->line.arena, "%lld", (long long)value));
}

void log_words(struct log_event *e, const char *name, const char *text)
{
    if (!e->log)
        return;
    add_plain(&e->line, bytes_of(text));
    log_detail(e, name, text);
}

void log_detail(struct log_event *e, const char *name, const char *value)
{
    if (e->log && e->log->json >= 0)
        add_json(&e->json, name, bytes_of(value));
}

void log_end(struct log_event *e)
{
    if (!e->log)
        return;
    if (!e->detail)
        syslog(e->priority, "%.*s", (int)(e->line.len < LOG_LINE ? e->line.len : LOG_LINE),
               e->line.data);
    if (e->log->json < 0)
        return;
    buf_adds(&e->json, "}\n");
    /* One write, so that lines of several processes do not mix. */
    ssize_t n = write(e->log->json, e->json.data, e->json.len);
    (void)n;
}
