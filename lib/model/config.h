/*
 * config: the one model of a sendmail configuration.
 *
 * Both readers fill it: the .mc front end (through raw lines and templates) and the .cf reader
 * (grammar/cf.y).  Emit, compare, dump and later the MTA start from it.
 *
 * A configuration is a list of items in file order; an item is one logical .cf line (continuation
 * lines joined with "\n" kept in text).  Every item keeps the text that it was read from, so that
 * emitting what was read gives the same configuration, and its parsed parts, so that nobody parses
 * twice.  Each carries two origins: where the line itself stands (the .mc's raw line, a ruleset
 * template, the .cf) and, where one exists, the directive that caused it (the define or FEATURE).
 *
 * Parts are what sendmail sees: without a '#' remark and without the backslash of "\#".  A line
 * that lacks a part that its kind needs is ITEM_UNKNOWN.
 *
 * One configuration = one arena.  Strings are NUL-terminated bytes, never NULL where a kind has the
 * part (empty instead), NULL where it has not.
 */
#ifndef MCF_MODEL_CONFIG_H
#define MCF_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/source.h"

struct arena;
struct buf;
struct diag;
struct table;

enum item_kind {
#define ITEM(name, ch, label, text) ITEM_##name,
#include "lib/model/items.def"
#undef ITEM
    ITEM_KINDS
};

/* "Key=Value" of a mailer, daemon, client, queue or filter line. */
struct equate {
    const char *key;   /* as written: "P", "Path", "Name" */
    const char *value; /* as written, blanks around it removed */
    bool has_value;    /* false for a key without '=' */
    struct equate *next;
};

struct item {
    enum item_kind kind;
    const char *text; /* the logical line as it is to be written, without its line end */
    /* MACRO CLASS CLASSFILE: macro or class name without braces.  OPTION: long name, or the single
     * letter of the short form.  MAP MAILER FILTER QUEUE ENV PRIORITY HEADER RULESET: the name. */
    const char *name;
    /* MACRO OPTION ENV PRIORITY VERSION(level) HEADER: the value.  MAILER FILTER QUEUE: all
     * equates. CLASSFILE: file or spec with its options.  MAP: everything after the map class.
     * RULESET: its number, or NULL.  TRUSTED CLASS: the words as written.  RULE: the right-hand
     * side. */
    const char *value;
    /* MAP: map class.  HEADER: flags between ? and ?, or NULL.  RULE: left-hand side.  VERSION:
     * vendor or NULL.  OPTION ENV: NULL where there is no '=', else "=". */
    const char *aux;
    const char *comment; /* RULE: third field; others: the remark that '#' begins; or NULL */
    const char **words;  /* CLASS TRUSTED: NULL-terminated */
    struct equate
        *equates;        /* MAILER QUEUE FILTER, OPTION DaemonPortOptions and ClientPortOptions */
    bool short_option;   /* OPTION: the one-letter form */
    struct origin at;    /* the line */
    struct origin cause; /* the directive, file 0 = none */
    struct item *next;
};

struct config {
    struct arena *arena;
    struct source_set *sources;
    struct item *first, *last;
    size_t count;
};

struct config *config_new(struct arena *a, struct source_set *sources);
/* Appends a zeroed item of the kind. */
struct item *config_add(struct config *c, enum item_kind kind);
const char *item_label(enum item_kind kind);

/* Writes the configuration as .cf text: every item's text and a line end. */
void config_emit(const struct config *c, struct buf *out);
/* Writes the model as JSON (one object, keys in fixed order, indented by 2). */
void config_dump(const struct config *c, struct buf *out);

#endif
