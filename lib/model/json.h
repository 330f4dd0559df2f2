/*
 * json: writes JSON text, indented by 2, members in the order in which they are given.
 *
 * Open and close must pair, at most JSON_DEPTH deep; a member has a key inside an object and NULL
 * inside an array.  Configurations are bytes, JSON is Unicode: valid UTF-8 is written as it is, any
 * other byte above 127 as the character of that number (\u0080 to \u00ff).
 */
#ifndef MCF_MODEL_JSON_H
#define MCF_MODEL_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum { JSON_DEPTH = 16 };

struct json {
    struct buf *out;
    int depth;
    bool one_line;
    bool filled[JSON_DEPTH]; /* something stands at this depth already */
    char closer[JSON_DEPTH];
};

/* One string with its quotes; bytes that are no UTF-8 are \u0080 to \u00ff. */
void json_string(struct buf *out, const char *text, size_t len);
void json_start(struct json *j, struct buf *out);
/* The same, all in one line. */
void json_start_line(struct json *j, struct buf *out);
void json_open_object(struct json *j, const char *key);
void json_open_array(struct json *j, const char *key);
void json_close(struct json *j); /* the innermost open object or array */
void json_member(struct json *j, const char *key, const char *value); /* value NULL: null */
void json_member_bool(struct json *j, const char *key, bool value);
void json_member_number(struct json *j, const char *key, long long value);
void json_end(struct json *j); /* the last line end */

#endif
