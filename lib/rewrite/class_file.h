/*
 * class_file: the words of an F line: from a file, a program or a map.
 *
 * A file that is not there is a finding, unless the line says -o.  Programs run only where the
 * compiler was told how (program_host).
 */
#ifndef MCF_REWRITE_CLASS_FILE_H
#define MCF_REWRITE_CLASS_FILE_H

struct compiler;
struct item;

void class_file_read(struct compiler *k, const struct item *it);

#endif
