/*
 * base64: RFC 4648 4.
 *
 * Groups of four and nothing else are taken, '=' only at the end: what was decoded has one spelling
 * but for the bits that a last group leaves over.
 */
#ifndef MCF_MTA_BASE64_H
#define MCF_MTA_BASE64_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/bytes.h"

enum { BASE64_GROUP = 4, BASE64_BYTES = 3 /* of a group */ };

/* 0 to 63; -1: it is no digit ('=' is none). */
int base64_value(char c);
/* Of n bytes, 1 to 3. */
void base64_group(const char *bytes, size_t n, char out[BASE64_GROUP]);
void base64_encode(struct bytes b, struct buf *out);
/* Appends to out; false: it is no base64, and out is as it was. */
bool base64_decode(struct bytes text, struct buf *out);

#endif
