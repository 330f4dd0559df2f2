/*
 * help: what HELP says (RFC 5321 4.1.1.8): the file of O HelpFile.
 *
 * Its lines are "topic<TAB>text"; a line whose beginning is the topic that was asked for belongs to
 * the answer.  Lines that begin with # say nothing; "#vers<TAB>2" says that texts have macros.
 */
#ifndef MCF_MTA_HELP_H
#define MCF_MTA_HELP_H

#include "mta/policy/worker.h"

/* The file's text, which the service keeps; NULL: there is none, or it cannot be read. */
const char *help_read(struct arena *a, const struct program *p, const struct trust *trust);
/* The reply, lines with LF between them, in the worker's memory.  An empty topic: "smtp". */
const char *help_answer(struct worker *w, const char *topic);

#endif
