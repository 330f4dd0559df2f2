/*
 * m4: runs GNU M4 over an .mc in a cage and reads what it says.
 *
 * One m4 process a compilation, started without a shell, with the frozen vocabulary in a memory
 * file, limits on processor time, memory, file size, output and nesting, and nothing in the
 * vocabulary that starts programs or writes files.  The two streams are described at the head of
 * grammar/vocabulary.m4.
 *
 * m4_run always returns a result (in the arena); what went wrong is in diag as findings, and
 * result->complete is false when the epilogue was not reached or a limit ended the run: then
 * nothing must be built from it.
 */
#ifndef MCF_COMPILER_M4_H
#define MCF_COMPILER_M4_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/diag.h"
#include "lib/base/source.h"
#include "lib/base/table.h"

struct arena;
struct cage;
struct mc_node;
struct parts_text;

/* What a directive, or a traced definition or include, said. */
struct m4_record {
    unsigned long id;           /* 0 for what was traced */
    const char *kind;           /* "FEATURE", "OSTYPE", "define", ... */
    struct origin at;           /* line of the outermost call; no column */
    const struct mc_node *node; /* compiler/front.h: what made it, NULL if that is not known */
    size_t argc;
    const char **argv;
    struct m4_record *next;
};

struct m4_line {
    const char *text;
    struct origin at;
};

/* A run of the .mc's own lines, or a directive's frame. */
struct m4_piece {
    const struct m4_record *record; /* NULL for own text */
    struct m4_line *lines;
    size_t count;
    size_t room;
    struct table *values; /* name -> text as it was then, in frames that carry any; else NULL */
    struct m4_piece *next;
};

/* Sections 0-9 are the diversions of the .mc language; the others are lists. */
enum { M4_DAEMONS = 10, M4_CLIENTS, M4_QUEUES, M4_FILTERS, M4_SECTIONS };

struct m4_result {
    bool complete;
    struct m4_record *records; /* in order of execution */
    struct m4_piece *sections[M4_SECTIONS];
    struct table *values; /* macro name -> its text at the end of the input */
    struct cage *cage;    /* m4 itself, which has said everything; NULL: it was not started */
};

struct m4_define {
    const char *name, *value; /* value may be NULL: defined as empty */
    struct m4_define *next;
};

/* What m4 need not know before it has read its own state. */
struct m4_late {
    const struct m4_define *site; /* "feature_foo" -> path: files of the site's own library */
    bool comments;       /* # comments are on until the file includes cf.m4, as m4 has them */
    bool unclosed_known; /* a finding says already where a quote or parenthesis is left open */
    const char *text;    /* NULL, or what m4 reads after all in place of what the options say */
    size_t text_len;
};

/* The text of the file, and those of files that it seems to read. */
struct m4_texts {
    const struct parts_text *v;
    size_t n;
};

struct m4_options {
    /* Is called first, while m4 starts and waits for its state. */
    struct m4_texts (*texts)(void *ctx);
    /* Is called once, while m4 reads its state: fills in the rest. */
    void (*meanwhile)(void *ctx, struct m4_late *late);
    /* Is called once, while m4 reads the file: for what has nothing to do with it. */
    void (*then)(void *ctx);
    void *ctx;

    const struct m4_define *defines; /* -D */
    const char *const *include_dirs; /* NULL-terminated; searched by include after "." */
    const char *text;                /* NULL, or text_len bytes that m4 reads in place of path's */
    size_t text_len;
    const char *confine;  /* NULL, or the folder below which files may be read */
    bool allow_commands;  /* syscmd and esyscmd run */
    unsigned cpu_seconds; /* 0 = the default of 4 */
    size_t output_limit;  /* bytes of either stream; 0 = the default of 64 MiB */
};

/* path is read by m4 itself; "-" is not accepted.  Sources that m4 names are added to sources. */
struct m4_result *m4_run(struct arena *a, struct source_set *sources, struct diag *d,
                         const char *path, const struct m4_options *o);

/* Waits until m4 is gone; may be called long after. */
void m4_end(struct m4_result *r);

/* The m4 program that is used ($MCF_M4 or "m4"), and its version line or NULL. */
const char *m4_program(void);

#endif
