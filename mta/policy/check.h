/*
 * check: what policy answers to the front about a session (protocol.def: CONNECT to GONE).
 *
 * Each answer is made by one worker for one context; which rulesets are asked, over what, and with
 * which macros is as sendmail does it.  An answer's texts are the worker's, until it begins the
 * next question.
 */
#ifndef MCF_MTA_CHECK_H
#define MCF_MTA_CHECK_H

#include "mta/policy/context.h"

/* For filters, which may say the same as a client: RCPT's parameters; another sender. */
void check_recipient_parameters(struct worker *w, struct context *c, struct texts parameters,
                                struct recipient *as);
void check_new_sender(struct worker *w, struct context *c, const char *path,
                      struct texts parameters);

/* ask: one of the front's questions about this context's session. */
void check_answer(struct worker *w, struct context *c, const struct message *ask,
                  struct message_VERDICT *v);

#endif
