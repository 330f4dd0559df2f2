/*
 * report: findings as text for a person or as a document for a program.
 *
 * text is diag_print's form, in colours on a terminal unless NO_COLOR is set.  The others are one
 * document each: json (lib/model/README.md says how bytes become JSON), sarif (SARIF 2.1.0), github
 * (workflow commands, one a finding).  All of them have every finding, in diag_sorted's order.
 */
#ifndef MCF_COMPILER_REPORT_H
#define MCF_COMPILER_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/diag.h"

enum report_format {
#define FORMAT(name, NAME) REPORT_##NAME,
#include "compiler/report.def"
#undef FORMAT
};

/* False if there is no such format. */
bool report_format_find(const char *name, enum report_format *format);
void report(struct diag *d, struct source_set *sources, enum report_format format, FILE *out);

#endif
