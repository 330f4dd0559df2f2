/*
 * keyfile: whether a certificate or a key in a file may be trusted: nobody but root, TrustedUser
 * and we may have written it, and nobody else may read a key, unless DontBlameSendmail says so.
 *
 * Links are followed: what counts is the file and the folders above it.
 */
#ifndef MCF_MTA_KEYFILE_H
#define MCF_MTA_KEYFILE_H

#include <stdbool.h>

#include "mta/settings.h"

/* group: of a key, the word of DontBlameSendmail that lets its group read it; NULL: everybody may.
 * NULL: it may be used; else why not, with its path, and what mends that (NULL: nothing simple). */
const char *keyfile_wrong(struct arena *a, const struct program *p, const char *path,
                          const char *group, const char **command);

#endif
