#include "mta/policy/sasl_parts.h"

#include <string.h>
#include <strings.h>

int sasl_log_nothing(void *ctx, int level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
    return SASL_OK;
}

bool sasl_is_among(const char *list, const char *word, size_t len)
{
    static const char between[] = " \t,";

    for (list += strspn(list, between); *list; list += strspn(list, between)) {
        size_t n = strcspn(list, between);
        if (n == len && strncasecmp(list, word, n) == 0)
            return true;
        list += n;
    }
    return false;
}

enum sasl_outcome sasl_outcome_of(int status, const char *out, unsigned len, struct bytes *said)
{
    *said = (struct bytes){out, out ? len : 0};
    return status == SASL_OK         ? SASL_SAID_YES
           : status == SASL_CONTINUE ? SASL_SAID_CHALLENGE
                                     : SASL_SAID_NO;
}

bool sasl_set_security(sasl_conn_t *conn, const sasl_security_properties_t *security, uint64_t bits)
{
    const sasl_ssf_t external = (sasl_ssf_t)bits;

    return sasl_setprop(conn, SASL_SEC_PROPS, security) == SASL_OK &&
           sasl_setprop(conn, SASL_SSF_EXTERNAL, &external) == SASL_OK;
}
