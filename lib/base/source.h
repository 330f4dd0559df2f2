/*
 * source: the files that a run has read, and places in them.
 *
 * A source_set owns every file's bytes for the run, in its arena; a file is
 * known by a small id, so that an origin (id, line, column) is three integers
 * and can be carried by every element of the model.
 *
 * Lines and columns count from 1; a column counts bytes.  Line 0 means "the
 * file as a whole", column 0 "the line as a whole".  File id 0 means "no file".
 * A source may have no bytes (a name that m4 reported and that could not be read).
 */
#ifndef MCF_BASE_SOURCE_H
#define MCF_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct origin {
    uint32_t file; /* source id, 0 = none */
    uint32_t line;
    uint32_t col;
    uint32_t len; /* bytes to underline, 0 = unknown */
};

struct source {
    uint32_t id;
    const char *path;  /* as the user gave it */
    const char *bytes; /* NULL when it could not be read; else bytes[len] is NUL */
    size_t len;
    const size_t *line_start; /* offsets; lines of them */
    size_t lines;
    struct origin included_from; /* file 0 when named on the command line */
};

struct source_set;

struct source_set *source_set_new(struct arena *a);
/* Bytes are copied.  The same path gives the same source: its first bytes stay. */
struct source *source_add(struct source_set *s, const char *path, const char *bytes, size_t len);
/* Reads path if it is not known yet; a file that cannot be read gives a source without bytes
 * and *err = errno (err may be NULL). */
struct source *source_open(struct source_set *s, const char *path, int *err);
/* From here on only files below folder are read (fs_read_below); folder must outlive the set. */
void source_set_confine(struct source_set *s, const char *folder);
/* Other bytes (copied) under the same id and path; the set does not know it. */
struct source *source_variant(struct source_set *s, const struct source *of, const char *bytes,
                              size_t len);
struct source *source_find(const struct source_set *s, const char *path); /* NULL if unknown */
struct source *source_by_id(const struct source_set *s, uint32_t id);     /* NULL if unknown */
size_t source_count(const struct source_set *s);

/* The place of byte offset off (off <= len; beyond is clamped to the end). */
struct origin source_origin(const struct source *src, size_t off, size_t len);
/* The text of a line without its line end; NULL if there is no such line. */
const char *source_line(const struct source *src, uint32_t line, size_t *len);
/* The byte offset of line:col, clamped into the source. */
size_t source_offset(const struct source *src, uint32_t line, uint32_t col);

/* Bytes of the well-formed UTF-8 character that s[0..left) begins with, 0 if it begins with none.
 */
size_t source_character(const char *s, size_t left);

/* Whether names, of m4's macros as of sendmail's, have such a byte. */
bool source_in_word(char c);
/* Where text[off..off+len) stands, for a line of text that `at` (of src) caused: the column is
 * known where the line stands there byte for byte, or where those bytes occur once in at's span
 * (without a length: in its line), not as part of a word.  Else the answer is at: a column is never
 * guessed. */
struct origin source_place_in(const struct source *src, struct origin at, const char *text,
                              size_t text_len, size_t off, size_t len);

#endif
