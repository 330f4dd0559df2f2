/*
 * vocabulary: grammar/vocabulary.m4 with the tables and the library, embedded: as m4's frozen state
 * and as source (for an m4 of another release, and where commands are allowed).  Made by the
 * Makefile; the bytes are not NUL-terminated.
 */
#ifndef MCF_COMPILER_VOCABULARY_H
#define MCF_COMPILER_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

/* What stands for the key of a run in all of them. */
#define VOCABULARY_KEY "@mcf0@"

extern const char vocabulary_frozen[];
extern const size_t vocabulary_frozen_len;
extern const char vocabulary_source[];
extern const size_t vocabulary_source_len;
/* share/Makefile.mail, which `mcf init' puts into a mail configuration folder. */
extern const char mail_makefile[];
extern const size_t mail_makefile_len;

/* A definition in a frozen state. */
struct vocabulary_entry {
    const char *bytes; /* all of it, len bytes */
    const char *name, *text;
    size_t len, name_len, text_len;
    char kind; /* as m4 writes it: T a macro, F a builtin, ... */
};

/* The definition at or after *p, and *p behind it; false at the end. */
bool vocabulary_next(const char **p, const char *end, struct vocabulary_entry *e);

#endif
