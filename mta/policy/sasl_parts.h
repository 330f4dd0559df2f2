/*
 * sasl_parts: what Cyrus SASL has of us on both sides of AUTH (sasl.c, sasl_login.c).
 */
#ifndef MCF_MTA_SASL_PARTS_H
#define MCF_MTA_SASL_PARTS_H

#include <sasl/sasl.h>
#include <stdbool.h>

#include "mta/policy/sasl.h"

/* The library has one type for callbacks of all kinds. */
#define SASL_AS_CALLBACK(f) ((int (*)(void))(void (*)(void))(f))

/* What it has to say goes to nobody: a wrong password is no event. */
int sasl_log_nothing(void *ctx, int level, const char *text);
/* list: words with blanks or commas between; their case does not count. */
bool sasl_is_among(const char *list, const char *word, size_t len);
/* What a step came to; *said: what is to be said, p is NULL: nothing. */
enum sasl_outcome sasl_outcome_of(int status, const char *out, unsigned len, struct bytes *said);
/* bits: of the TLS around it.  False: the library refuses. */
bool sasl_set_security(sasl_conn_t *conn, const sasl_security_properties_t *security,
                       uint64_t bits);

#endif
