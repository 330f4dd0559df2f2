/*
 * class_file: the words of an F line: from a file, a program or a map.
 *
 * What cannot be read is a finding, unless the line says -o: also a file that is reached through a
 * folder that others may write to (DontBlameSendmail).  Programs run and maps are asked only where
 * the compiler was told so (program_host).
 */
#ifndef MCF_REWRITE_CLASS_FILE_H
#define MCF_REWRITE_CLASS_FILE_H

struct compiler;
struct item;

void class_file_read(struct compiler *k, const struct item *it);

#endif
