/*
 * test_record: what one line of address-test mode was answered, as one line of JSON (mcfd --json).
 *
 * A record is begun for each line, told what happens, and ended; its memory is reused then.
 */
#ifndef MCF_MTA_TEST_RECORD_H
#define MCF_MTA_TEST_RECORD_H

#include "lib/base/buf.h"
#include "lib/rewrite/rewrite.h"

struct test_record;

struct test_record *test_record_new(struct arena *a);
void test_record_close(struct test_record *t); /* NULL is fine */
void test_record_begin(struct test_record *t, const char *question);
void test_record_step(struct test_record *t, bool enter, const struct ruleset *r,
                      const struct tokens *ws);
void test_record_lookup(struct test_record *t, const char *map, const char *key,
                        const struct lookup_answer *answer);
void test_record_note(struct test_record *t, const char *text);
/* A member of the result; value NULL: null. */
void test_record_member(struct test_record *t, const char *key, const char *value);
/* What is printed besides all that. */
void test_record_text(struct test_record *t, const char *s, size_t len);
/* The line of JSON, with its line end; valid until the next one is begun. */
const struct buf *test_record_end(struct test_record *t, int status);

#endif
