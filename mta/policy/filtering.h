/*
 * filtering: what a session's filters (mta/milter) are asked, and what their answers come to.
 *
 * A context has a milter where its listener has filters, and none of them has ended that.  The
 * worker that answers a question waits for the filters meanwhile.
 */
#ifndef MCF_MTA_POLICY_FILTERING_H
#define MCF_MTA_POLICY_FILTERING_H

#include "mta/message/head.h"
#include "mta/policy/context.h"

/* Filters are connected, and hear of the client. */
void filtering_connect(struct worker *w, struct context *c, const struct message_CONNECT *m,
                       struct message_VERDICT *v);
void filtering_helo(struct worker *w, struct context *c, struct message_VERDICT *v);
/* False: it is refused, and that is said. */
bool filtering_mail(struct worker *w, struct context *c, const char *path, struct texts parameters,
                    struct message_VERDICT *v);
/* refusal: it is refused anyway, and why; NULL: it is not. */
bool filtering_rcpt(struct worker *w, struct context *c, const char *path, struct texts parameters,
                    const char *refusal, struct message_VERDICT *v);
bool filtering_data(struct worker *w, struct context *c, struct message_VERDICT *v);
void filtering_unknown(struct worker *w, struct context *c, struct bytes line,
                       struct message_VERDICT *v);
/* The message as it came, with what the configuration adds; filters change it, the body with the
 * store, and the envelope.  False: it is refused, and that is said; c->discard may be set. */
bool filtering_message(struct worker *w, struct context *c, struct head *h,
                       const struct message_END *m, struct message_VERDICT *v);
/* The transaction is over; nothing happens where filters know. */
void filtering_reset(struct worker *w, struct context *c);

#endif
