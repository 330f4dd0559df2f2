#include "mta/message/dates.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static struct tm local(uint64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};

    localtime_r(&t, &tm);
    return tm;
}

void date_mail(uint64_t seconds, char out[DATE_BYTES])
{
    struct tm tm = local(seconds);
    long minutes = tm.tm_gmtoff / 60;
    int n =
        snprintf(out, DATE_BYTES, "%s, %d %s %d %02d:%02d:%02d ", days[tm.tm_wday % 7], tm.tm_mday,
                 months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);

    if (n < 0 || n >= DATE_BYTES)
        return;
    if (minutes == 0)
        snprintf(out + n, DATE_BYTES - (size_t)n, "GMT");
    else
        snprintf(out + n, DATE_BYTES - (size_t)n, "%c%02ld%02ld", minutes < 0 ? '-' : '+',
                 labs(minutes) / 60, labs(minutes) % 60);
}

void date_unix(uint64_t seconds, char out[DATE_BYTES])
{
    struct tm tm = local(seconds);

    snprintf(out, DATE_BYTES, "%s %s %2d %02d:%02d:%02d %d", days[tm.tm_wday % 7],
             months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
             tm.tm_year + 1900);
}

void date_digits(uint64_t seconds, char out[DATE_BYTES])
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};

    gmtime_r(&t, &tm);
    snprintf(out, DATE_BYTES, "%04d%02d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min);
}
