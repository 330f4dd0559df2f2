/*
 * login: what policy says of AUTH at a host (protocol.def: LOGIN, LOGIN_STEP): who we are there, by
 * the ruleset authinfo, or where there is none by the file DefaultAuthInfo, and what a mechanism
 * has to say.
 *
 * A login belongs to one question at a time, and to whichever worker answers it; its arena lives
 * until login_free.  Answers' texts stay until the login's next question.
 */
#ifndef MCF_MTA_LOGIN_H
#define MCF_MTA_LOGIN_H

#include "mta/policy/login_said.h"
#include "mta/policy/worker.h"
#include "mta/protocol.h"

struct login;

struct login *login_new(const struct arena *a, uint64_t number);
void login_free(struct login *l); /* NULL is fine */
uint64_t login_number(const struct login *l);
/* It was good: a line of the log. */
void login_log(const struct login *l, const struct log *log);
struct arena *login_arena(struct login *l);
void login_answer(struct worker *w, struct login *l, const struct message_LOGIN *ask,
                  struct message_LOGIN_SAID *out);
void login_answer_step(struct login *l, const struct message_LOGIN_STEP *ask,
                       struct message_LOGIN_SAID *out);

#endif
