/*
 * class_scan: the part of a line that an F line's format takes (scanf's %s, %c and %[...]).
 *
 * A format that says nothing else takes the first word.  What behind the first conversion is
 * asked for is not looked at, and numbers are taken by none: a word of a class is text.
 */
#ifndef MCF_MODEL_CLASS_SCAN_H
#define MCF_MODEL_CLASS_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* False: the line does not fit the format.  *text and *n: what is taken, of line[0..len). */
bool class_scan(const char *format, const char *line, size_t len, const char **text, size_t *n);

#endif
