/*
 * vocabulary: grammar/vocabulary.m4 with the tables and the library, embedded: as m4's frozen state
 * and as source (for an m4 of another release, and where commands are allowed).  Made by the
 * Makefile; the bytes are not NUL-terminated.
 */
#ifndef MCF_COMPILER_VOCABULARY_H
#define MCF_COMPILER_VOCABULARY_H

#include <stddef.h>

/* What stands for the key of a run in all of them. */
#define VOCABULARY_KEY "@mcf-k0@"

extern const char vocabulary_frozen[];
extern const size_t vocabulary_frozen_len;
/* The part of the source that asks for values: a line for each, `KEY='NAME. */
extern const char vocabulary_wanted[];
extern const size_t vocabulary_wanted_len;
extern const char vocabulary_source[];
extern const size_t vocabulary_source_len;
/* share/Makefile.mail, which `mcf init' puts into a mail configuration folder. */
extern const char mail_makefile[];
extern const size_t mail_makefile_len;

#endif
