/*
 * makemap: the program of that name, which `mcf' is when it is called so.
 *
 * Options, exit codes (sysexits: 64 use, 65 bad lines, 66 the .cf cannot be read, 73 the map cannot
 * be opened or made, 74 it cannot be written) and what becomes of a line are the reference's.  The
 * lines that are good are installed even where others are not; unlike there, all at once.
 */
#ifndef MCF_COMPILER_MAKEMAP_H
#define MCF_COMPILER_MAKEMAP_H

#include <sys/types.h>

#include "lib/model/config.h"

#define MAKEMAP_CF "/etc/mail/sendmail.cf" /* where no other is named */

int makemap_main(int argc, char **argv);
/* Who owns what root makes: the user whom the configuration trusts; -1: none, or we are not root.
 */
uid_t makemap_trusted_user(const struct config *c);

#endif
