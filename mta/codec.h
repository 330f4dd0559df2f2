/*
 * codec: numbers, texts and lists as bytes and back, as protocol.h says them.
 *
 * Writing appends to a buf.  Reading goes on from a place and never beyond the end; once something
 * was wrong, `bad` stays set and all that is read is empty.  What is read points into the bytes.
 */
#ifndef MCF_MTA_CODEC_H
#define MCF_MTA_CODEC_H

#include "mta/protocol.h"

enum { VALUE_BYTES_MIN = 4 }; /* of any value: a length */

struct reader {
    struct arena *arena; /* for lists */
    const char *p, *end;
    bool bad;
};

void put_NUMBER(struct buf *out, uint64_t n);
void put_TEXT(struct buf *out, struct bytes b); /* at most 2^32-1 bytes */
void put_LIST(struct buf *out, struct texts t);
void put_length(struct buf *out, uint32_t n);

uint64_t take_NUMBER(struct reader *r);
struct bytes take_TEXT(struct reader *r);
struct texts take_LIST(struct reader *r);
/* A count of things of which each has at least `least` bytes. */
uint32_t take_count(struct reader *r, size_t least);
/* Nothing was wrong, and nothing is left. */
bool take_end(const struct reader *r);

#endif
