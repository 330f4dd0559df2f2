#include "compiler/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const names[] = {
#define FORMAT(name, NAME) #name,
#include "compiler/report.def"
#undef FORMAT
};

bool report_format_find(const char *name, enum report_format *format)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (enum report_format)i;
            return true;
        }
    return false;
}

void report(struct diag *d, struct source_set *sources, enum report_format format, FILE *out)
{
    (void)sources;
    switch (format) {
    case REPORT_TEXT:
        diag_print(d, out, isatty(fileno(out)) && !getenv("NO_COLOR"));
        break;
    }
}
