/*
 * keyfile: whether a certificate or a key in a file may be trusted: nobody but root, TrustedUser
 * and we may have written it, and nobody else may read a key, unless DontBlameSendmail says so.
 * What else is minded of a file, lib/base/trust.h says.
 */
#ifndef MCF_MTA_KEYFILE_H
#define MCF_MTA_KEYFILE_H

#include "lib/base/trust.h"
#include "mta/settings.h"

/* kind: trust_certificate, trust_key, trust_auth_info, trust_sasldb.  NULL: it may be used; else
 * why not, with its path, and what mends that (NULL: nothing simple). */
const char *keyfile_wrong(struct arena *a, const struct program *p, const char *path,
                          const struct trust_kind *kind, const char **command);

#endif
