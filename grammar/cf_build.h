/*
 * cf_build: what the .cf grammar calls: spans of the text become items of the model.
 *
 * A span is a run of bytes of the text; tokens and grammar symbols have nothing else.  The lexer
 * notes what sendmail does not see in a line (remarks, the backslash before a '#'); parts made from
 * a span leave it out, the item's text keeps it.
 *
 * One builder serves one cf_read; everything is in the configuration's arena.
 */
#ifndef MCF_GRAMMAR_CF_BUILD_H
#define MCF_GRAMMAR_CF_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "grammar/cf.h"
#include "lib/model/findings.h"

struct cf_span {
    size_t begin, end;
};

struct cf_builder {
    struct config *config;
    const struct source *src;
    const struct cf_line_origin *line_of;
    bool keep_comments;
    struct diag *diag;
    /* The text; len bytes of it.  The lexer works on a copy. */
    const char *text;
    size_t len;
    size_t *line_start; /* of every physical line */
    size_t lines;
    size_t line; /* where line_index looks first */
    /* The lexer's. */
    size_t pos;        /* where the next token begins */
    size_t name_begin; /* of an option's name */
    bool quotes;       /* quotes and backslashes keep a ',' in the equates that follow */
    /* Of the configuration as read so far. */
    int level; /* of the V line; 0 before one */
    bool in_ruleset;
    /* Of the line being read. */
    struct cf_span *skips;
    size_t skip_count, skip_room;
    struct equate *equate_first, *equate_last;
};

/* In cf.l: runs lexer and parser over the builder's text. */
void cf_scan(struct cf_builder *b);

/* For the lexer. */
void cf_skip(struct cf_builder *b, struct cf_span span); /* these bytes are no part of anything */
void cf_skip_first(struct cf_builder *b, struct cf_span span); /* the first of these is not */
bool cf_letter_has_equates(char letter);
bool cf_option_has_equates(const struct cf_builder *b); /* of the name from name_begin to pos */
/* sendmail ends a line at '#' since configuration level 3. */
bool cf_has_remarks(const struct cf_builder *b);
/* How many bytes the rule has whose first byte was read, with its line end; 0 where it is to be
 * read piece by piece: a remark, a backslash, a continuation or a carriage return is in it. */
size_t cf_plain_rule(const struct cf_builder *b);
/* The same of a comment: a continuation or a carriage return is in it. */
size_t cf_plain_comment(const struct cf_builder *b);

/* The same of a run of lines whose items are known. */
size_t cf_known_lines(struct cf_builder *b);

/* One logical line each, whose end is at.  The spans are its parts. */
void cf_blank(struct cf_builder *b, struct cf_span line);
void cf_comment(struct cf_builder *b, struct cf_span line);
void cf_unknown(struct cf_builder *b, struct cf_span line);
void cf_version(struct cf_builder *b, struct cf_span line, struct cf_span text);
void cf_macro(struct cf_builder *b, struct cf_span line, enum item_kind kind, struct cf_span name,
              struct cf_span value);
void cf_map(struct cf_builder *b, struct cf_span line, struct cf_span name, struct cf_span class,
            struct cf_span arguments);
/* Mailer, filter, queue: name and the equates collected since the line began. */
void cf_named_equates(struct cf_builder *b, struct cf_span line, enum item_kind kind,
                      struct cf_span name);
void cf_header(struct cf_builder *b, struct cf_span line, const struct cf_span *flags,
               struct cf_span name, struct cf_span value);
void cf_option(struct cf_builder *b, struct cf_span line, struct cf_span name,
               const struct cf_span *value);
void cf_short_option(struct cf_builder *b, struct cf_span line, struct cf_span letter,
                     struct cf_span value);
/* Precedence and environment: value NULL when there is no '='. */
void cf_setting(struct cf_builder *b, struct cf_span line, enum item_kind kind, struct cf_span name,
                const struct cf_span *value);
void cf_trusted(struct cf_builder *b, struct cf_span line, struct cf_span words);
void cf_ruleset(struct cf_builder *b, struct cf_span line, struct cf_span name,
                const struct cf_span *number);
/* right NULL: there is no tab. */
void cf_rule(struct cf_builder *b, struct cf_span line, struct cf_span left,
             const struct cf_span *right, const struct cf_span *comment);
void cf_rule_line(struct cf_builder *b, struct cf_span line); /* such a rule */
void cf_load(struct cf_builder *b, struct cf_span line);

/* Lines whose items are known. */
void cf_known(struct cf_builder *b, struct cf_span lines);

/* One key of the line's equates; value NULL when there is no '='. */
void cf_equate(struct cf_builder *b, struct cf_span key, const struct cf_span *value);

/* In cf_tab.c: the blanks of a rule that are meant as its tab, and those that part a remark from it
 * (end 0: there are none).  *tab is set where there is any such place, and the answer is true if
 * there is but one. */
bool cf_missing_tab(const char *text, struct cf_span rule, struct cf_span *tab,
                    struct cf_span *second);

/* A line that lacks something: a finding at at, and the line as ITEM_UNKNOWN.  what and hint are
 * the values for the finding's %1 and %2, or NULL. */
void cf_broken(struct cf_builder *b, struct cf_span line, struct cf_span at, enum finding_id id,
               const char *what, const char *hint);

#endif
