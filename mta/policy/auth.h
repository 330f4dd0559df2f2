/*
 * auth: what policy says to AUTH and to MAIL's AUTH= (protocol.def: AUTH, AUTH_STEP; RFC 4954).
 *
 * The macros of a login, {auth_type}, {auth_authen}, {auth_author}, {auth_ssf}, are the session's
 * and outlive a transaction.
 */
#ifndef MCF_MTA_POLICY_AUTH_H
#define MCF_MTA_POLICY_AUTH_H

#include "mta/policy/context.h"

/* What EHLO offers to this client now (sasl.h). */
const char *auth_offer(const struct worker *w, const struct context *c);
/* Whether MAIL needs a login: M=a of its port, or srv_features, which is `features`. */
bool auth_is_required(const struct context *c, const char *features);
void auth_answer(struct worker *w, struct context *c, const struct message_AUTH *m,
                 struct message_VERDICT *v);
void auth_answer_step(struct worker *w, struct context *c, const struct message_AUTH_STEP *m,
                      struct message_VERDICT *v);
/* value: of AUTH=, xtext (RFC 3461 4); NULL: MAIL had none. */
void auth_of_mail(struct worker *w, struct context *c, const char *value);

#endif
