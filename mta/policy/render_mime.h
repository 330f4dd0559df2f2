/*
 * render_mime: fields of MIME (RFC 2045) cut to the lengths that MaxMimeHeaderLength has: some
 * mail readers could not cope with longer ones.
 *
 * Which fields: those of the classes {checkMIMETextHeaders} and {checkMIMEHeaders}, by the whole
 * length, and of {checkMIMEFieldHeaders} by that of each parameter.
 */
#ifndef MCF_MTA_POLICY_RENDER_MIME_H
#define MCF_MTA_POLICY_RENDER_MIME_H

#include "lib/base/bytes.h"
#include "lib/rewrite/rewrite.h"

/* The value as it may be delivered; in the arena where it is another. */
struct bytes render_mime(struct rewrite *r, struct arena *a, struct bytes name, struct bytes value);

#endif
