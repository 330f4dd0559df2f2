#include "mta/store/schedule.h"

#include <string.h>
#include <strings.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

struct schedule_settings schedule_usual(void)
{
    struct schedule_settings s = {.interval = 30 * MINUTE,
                                  .recipient_factor = 30000,
                                  .class_factor = 1800,
                                  .retry_factor = 90000,
                                  .queue_factor = 600000};

    for (int i = 0; i < URGENCIES; i++)
        s.returned[i] = 5 * DAY;
    return s;
}

/* Numbers that come from configurations and messages: the ends are never passed. */
static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static int64_t times(int64_t a, int64_t b)
{
    int64_t product;

    if (!__builtin_mul_overflow(a, b, &product))
        return product;
    return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
}

static int64_t clipped(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static uint64_t later(uint64_t when, uint64_t seconds)
{
    return seconds > SCHEDULE_NEVER - when ? SCHEDULE_NEVER : when + seconds;
}

static int64_t waiting(const struct envelope *e)
{
    int64_t n = 0;

    for (size_t i = 0; i < e->nrecipients; i++)
        n += e->recipients[i].state <= RECIPIENT_HANDING;
    return n;
}

int64_t schedule_priority(const struct schedule_settings *s, const struct envelope *e)
{
    int64_t class = (int64_t)e->priority;
    int64_t p = plus(clipped(e->size), times(waiting(e), s->recipient_factor));

    p = plus(p, times(clipped(e->tries), s->retry_factor));
    return plus(p, times(class == INT64_MIN ? INT64_MAX : -class, s->class_factor));
}

bool schedule_only_queued(const struct schedule_settings *s, int64_t priority, uint64_t load)
{
    if (!s->queue_la || load < s->queue_la)
        return false;
    return priority > s->queue_factor / plus(clipped(load - s->queue_la), 1);
}

static bool is_word(struct bytes text, const char *word)
{
    while (text.len && (*text.p == ' ' || *text.p == '\t'))
        text = (struct bytes){text.p + 1, text.len - 1};
    while (text.len && strchr(" \t\r\n", text.p[text.len - 1]))
        text.len--;
    return text.len == strlen(word) && strncasecmp(text.p, word, text.len) == 0;
}

enum urgency schedule_urgency(const struct envelope *e)
{
    static const char *const words[] = {[URGENCY_NORMAL] = "normal",
                                        [URGENCY_URGENT] = "urgent",
                                        [URGENCY_NON_URGENT] = "non-urgent"};

    if (e->flags & ENVELOPE_REPORT)
        return URGENCY_DSN;
    /* The header is a list of flags, name and text by turns. */
    for (size_t i = 0; i + 2 < e->header.n; i += 3) {
        if (!is_word(e->header.v[i + 1], "priority"))
            continue;
        for (size_t u = 0; u < sizeof words / sizeof *words; u++) {
            if (is_word(e->header.v[i + 2], words[u]))
                return (enum urgency)u;
        }
    }
    int64_t class = (int64_t)e->priority;
    return class > 0 ? URGENCY_URGENT : class < 0 ? URGENCY_NON_URGENT : URGENCY_NORMAL;
}

uint64_t schedule_due(const struct schedule_settings *s, const struct envelope *e)
{
    const struct queue_group *g = schedule_group(s, e->group);
    uint64_t wait = g && g->interval ? g->interval : s->interval;

    if (e->flags & ENVELOPE_HELD || e->quarantine.len)
        return SCHEDULE_NEVER;
    if (!e->tried && !(e->flags & ENVELOPE_QUEUED))
        return e->made;
    if (!wait)
        return SCHEDULE_NEVER;
    if (!e->tried)
        return later(e->made, wait);
    if (wait < s->min_age)
        wait = s->min_age;
    /* As long as it has been here at its last try: the age doubles from try to try. */
    uint64_t doubling = e->tried > e->made ? e->tried - e->made : 0;
    if (doubling > s->max_age)
        doubling = s->max_age;
    return later(e->tried, doubling > wait ? doubling : wait);
}

uint64_t schedule_expires(const struct schedule_settings *s, const struct envelope *e)
{
    return later(e->made, s->returned[schedule_urgency(e)]);
}

uint64_t schedule_warns(const struct schedule_settings *s, const struct envelope *e)
{
    uint64_t after = s->warned[schedule_urgency(e)];

    return after && !e->warned ? later(e->made, after) : SCHEDULE_NEVER;
}

const struct queue_group *schedule_group(const struct schedule_settings *s, struct bytes name)
{
    for (size_t i = 0; i < s->ngroups; i++) {
        const struct bytes *n = &s->groups[i].name;
        if (n->len == name.len && name.len && strncasecmp(n->p, name.p, name.len) == 0)
            return &s->groups[i];
    }
    return NULL;
}

/* --- order --------------------------------------------------------------------------------- */

static int by_numbers(uint64_t x, uint64_t y)
{
    return (x > y) - (x < y);
}

static int by_texts(struct bytes x, struct bytes y)
{
    size_t n = x.len < y.len ? x.len : y.len;
    int order = n ? strncasecmp(x.p, y.p, n) : 0;

    return order ? order : by_numbers(x.len, y.len);
}

static int by_priority(const struct scheduled *x, const struct scheduled *y)
{
    return (x->priority > y->priority) - (x->priority < y->priority);
}

static int in_order(enum sort_order order, const struct scheduled *x, const struct scheduled *y)
{
    int by_host;

    switch (order) {
    case SORT_PRIORITY:
        return by_priority(x, y);
    case SORT_HOST:
        by_host = by_texts(x->host, y->host);
        return by_host ? by_host : by_priority(x, y);
    case SORT_TIME:
        return by_numbers(x->made, y->made);
    case SORT_MODIFICATION:
        return by_numbers(x->tried, y->tried);
    case SORT_RANDOM:
        return by_numbers(x->random, y->random);
    case SORT_FILENAME:
    case SORT_NONE:
        break;
    }
    return 0;
}

int schedule_compare(enum sort_order order, const struct scheduled *x, const struct scheduled *y)
{
    int by = in_order(order, x, y);

    if (!by && order != SORT_FILENAME)
        by = by_numbers(x->due, y->due);
    return by ? by : by_texts(x->id, y->id);
}

struct bytes schedule_host(struct bytes address)
{
    size_t at = address.len;

    while (at > 0 && address.p[at - 1] != '@')
        at--;
    return bytes_without_dot((struct bytes){address.p ? address.p + at : "", address.len - at});
}

/* --- the heap ------------------------------------------------------------------------------ */

void heap_init(struct heap *h, struct arena *a)
{
    *h = (struct heap){.arena = a};
}

static bool before(const struct scheduled *x, const struct scheduled *y)
{
    return x->due < y->due;
}

static void set(struct heap *h, size_t i, struct scheduled *s)
{
    h->v[i] = s;
    s->at = i + 1;
}

static void up(struct heap *h, size_t i)
{
    struct scheduled *s = h->v[i];

    for (; i > 0 && before(s, h->v[(i - 1) / 2]); i = (i - 1) / 2)
        set(h, i, h->v[(i - 1) / 2]);
    set(h, i, s);
}

static void down(struct heap *h, size_t i)
{
    struct scheduled *s = h->v[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(h->v[child + 1], h->v[child]))
            child++;
        if (!before(h->v[child], s))
            break;
        set(h, i, h->v[child]);
        i = child;
    }
    set(h, i, s);
}

void heap_put(struct heap *h, struct scheduled *s)
{
    if (!s->at) {
        h->v = arena_grow(h->arena, h->v, h->n, &h->room, sizeof(struct scheduled *), 64);
        set(h, h->n++, s);
    }
    up(h, s->at - 1);
    down(h, s->at - 1);
}

void heap_remove(struct heap *h, struct scheduled *s)
{
    size_t i = s->at;

    if (!i--)
        return;
    struct scheduled *last = h->v[--h->n];
    s->at = 0;
    if (last == s)
        return;
    set(h, i, last);
    up(h, i);
    down(h, last->at - 1);
}

struct scheduled *heap_first(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}
