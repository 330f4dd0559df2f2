/*
 * auth: what AUTH is on the wire (RFC 4954 4): base64 (RFC 4648 4), which mechanisms are offered,
 * and what a command's argument is made of.
 *
 * Groups of four and nothing else are taken, '=' only at the end: what was decoded has one spelling
 * but for the bits that a last group leaves over.
 */
#ifndef MCF_MTA_AUTH_H
#define MCF_MTA_AUTH_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/bytes.h"

/* Appends to out; false: it is no base64, and out is as it was. */
bool auth_decode(struct bytes text, struct buf *out);
void auth_encode(struct bytes b, struct buf *out);
/* offer: "AUTH PLAIN LOGIN", as EHLO has it. */
bool auth_offers(const char *offer, struct bytes mechanism);
/* "MECHANISM", and what stands behind the blanks. */
void auth_split(struct bytes argument, struct bytes *mechanism, struct bytes *rest);

#endif
