/*
 * text_file: texts that an option names a file of: HELP's, and what stands above each report.
 */
#ifndef MCF_MTA_TEXT_FILE_H
#define MCF_MTA_TEXT_FILE_H

#include "lib/base/trust.h"

/* The file's text up to a NUL; NULL: there is none, it cannot be read, or is not trusted. */
const char *text_file_read(struct arena *a, const struct trust *trust, const char *path,
                           const struct trust_kind *kind);

#endif
