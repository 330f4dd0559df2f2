#include "mta/message/ids.h"

#include <string.h>
#include <unistd.h>

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx";

enum { OF_TIME = 8, BASE = sizeof digits - 1, OF_PID = 10 };

void ids_begin(struct ids *s, time_t used)
{
    s->last = ((int64_t)used + 1) * IDS_A_SECOND - 1;
}

void ids_next(struct ids *s, time_t now, char id[QUEUE_ID + 1])
{
    int64_t last = atomic_load(&s->last), next;

    do {
        next = (int64_t)now * IDS_A_SECOND;
        next = next > last ? next : last + 1;
    } while (!atomic_compare_exchange_weak(&s->last, &last, next));
    id_write((time_t)(next / IDS_A_SECOND), (unsigned)(next % IDS_A_SECOND), (long)getpid(), id);
}

time_t ids_second(const struct ids *s)
{
    return (time_t)(s->last / IDS_A_SECOND);
}

void id_write(time_t second, unsigned n, long pid, char id[QUEUE_ID + 1])
{
    struct tm t;

    gmtime_r(&second, &t);
    id[0] = digits[t.tm_year % BASE];
    id[1] = digits[t.tm_mon];
    id[2] = digits[t.tm_mday];
    id[3] = digits[t.tm_hour];
    id[4] = digits[t.tm_min];
    id[5] = digits[t.tm_sec % BASE];
    id[6] = digits[n / BASE % BASE];
    id[7] = digits[n % BASE];
    for (int i = QUEUE_ID - 1; i >= OF_TIME; i--, pid /= OF_PID)
        id[i] = (char)('0' + pid % OF_PID);
    id[QUEUE_ID] = '\0';
}

bool id_is_good(struct bytes id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!memchr(digits, id.p[i], i < OF_TIME ? BASE : OF_PID))
            return false;
    }
    return id.len == QUEUE_ID;
}
