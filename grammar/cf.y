/*
 * The lines of a .cf.  Symbols have spans; a value only where a line kind is known by its first
 * byte.  Actions only call builders.
 *
 * Whether two bytes belong to one part is decided here and in cf.l; what a part means is decided in
 * cf_build.c.  The lexer gives no sequence of tokens that this grammar does not take.
 */
%code requires {
#include "grammar/cf_build.h"
}
%code provides {
int cf_lex(CF_STYPE *value, struct cf_span *span, void *scanner);
}
%code {
static void cf_error(struct cf_span *span, void *scanner, struct cf_builder *b, const char *text);

#define YYLLOC_DEFAULT(current, rhs, n)                                                            \
    do {                                                                                           \
        (current).begin = (n) ? YYRHSLOC(rhs, 1).begin : YYRHSLOC(rhs, 0).end;                     \
        (current).end = (n) ? YYRHSLOC(rhs, n).end : YYRHSLOC(rhs, 0).end;                         \
    } while (0)
}

%define api.pure full
%define api.prefix {cf_}
%define api.value.type {enum item_kind}
%define api.location.type {struct cf_span}
%define parse.error verbose
%locations
%initial-action { @$ = (struct cf_span){0, 0}; }
%parse-param {void *scanner} {struct cf_builder *b}
%lex-param {void *scanner}
%expect 0

%token TEXT "text" WORD "word" FOLD "continuation" REMARK "remark"
%token EOL "end of line" TAB "tab"
%token NAME "name" NAME_END "end of name" OPEN_NAME "name without its brace"
%token PLAIN_RULE "rule" PLAIN_COMMENT "comment" KNOWN "lines"
%token ODD "unknown line" LETTER "option letter" LETTER_EQUATES "option letter of equates"
%token LONG "blank" EQUALS_LIST "= before equates"

%%

file:
    %empty
  | file line
  ;

line:
    EOL                             { cf_blank(b, @1); }
  | PLAIN_COMMENT                   { cf_comment(b, @1); }
  | KNOWN                           { cf_known(b, @1); }
  | '#' text EOL                    { cf_comment(b, @$); }
  | ODD text EOL                    { cf_unknown(b, @$); }
  | 'V' text EOL                    { cf_version(b, @$, @2); }
  | defines NAME text EOL           { cf_macro(b, @$, $1, @2, @3); }
  | defines unnamed                 { cf_broken(b, @$, @2, FINDING_MISSING_NAME, "the name of the macro or class is missing", NULL); }
  | defines OPEN_NAME text EOL      { cf_broken(b, @$, @2, FINDING_MISSING_BRACE, NULL, NULL); }
  | map
  | named nothing WORD NAME_END equates EOL { cf_named_equates(b, @$, $1, @3); }
  | named nothing EOL               { cf_broken(b, @$, @3, FINDING_MISSING_NAME, "the name is missing", NULL); }
  | named nothing ',' equates EOL   { cf_broken(b, @$, @3, FINDING_MISSING_NAME, "the name is missing before ','", NULL); }
  | header
  | option
  | sets text '=' text EOL          { cf_setting(b, @$, $1, @2, &@4); }
  | sets text EOL                   { cf_setting(b, @$, $1, @2, NULL); }
  | 'T' text EOL                    { cf_trusted(b, @$, @2); }
  | 'S' nothing EOL                 { cf_broken(b, @$, @3, FINDING_MISSING_NAME, "the ruleset's name is missing", NULL); }
  | 'S' nothing WORD text EOL       { cf_ruleset(b, @$, @3, NULL); }
  | 'S' nothing WORD '=' nothing WORD text EOL { cf_ruleset(b, @$, @3, &@6); }
  | 'S' nothing WORD '=' nothing EOL { cf_broken(b, @$, @6, FINDING_MISSING_NUMBER, NULL, NULL); }
  | PLAIN_RULE                      { cf_rule_line(b, @1); }
  | 'R' text EOL                    { cf_rule(b, @$, @2, NULL, NULL); }
  | 'R' text TAB text EOL           { cf_rule(b, @$, @2, &@4, NULL); }
  | 'R' text TAB text TAB text EOL  { cf_rule(b, @$, @2, &@4, &@6); }
  | 'L' text EOL                    { cf_load(b, @$); }
  ;

defines:
    'D'                             { $$ = ITEM_MACRO; }
  | 'C'                             { $$ = ITEM_CLASS; }
  | 'F'                             { $$ = ITEM_CLASSFILE; }
  ;

unnamed:
    EOL
  | FOLD text EOL
  | REMARK text EOL
  ;

named:
    'M'                             { $$ = ITEM_MAILER; }
  | 'X'                             { $$ = ITEM_FILTER; }
  | 'Q'                             { $$ = ITEM_QUEUE; }
  ;

sets:
    'P'                             { $$ = ITEM_PRIORITY; }
  | 'E'                             { $$ = ITEM_ENV; }
  ;

map:
    'K' nothing EOL                 { cf_broken(b, @$, @3, FINDING_MISSING_NAME, "the map's name is missing", NULL); }
  | 'K' nothing WORD nothing EOL    { cf_broken(b, @$, @5, FINDING_MISSING_CLASS, NULL, NULL); }
  | 'K' nothing WORD nothing WORD text EOL { cf_map(b, @$, @3, @5, @6); }
  ;

header:
    'H' text ':' text EOL           { cf_header(b, @$, NULL, @2, @4); }
  | 'H' '?' text '?' text ':' text EOL { cf_header(b, @$, &@3, @5, @7); }
  | 'H' text EOL                    { cf_broken(b, @$, @3, FINDING_MISSING_COLON, NULL, NULL); }
  | 'H' '?' text '?' text EOL       { cf_broken(b, @$, @6, FINDING_MISSING_COLON, NULL, NULL); }
  | 'H' '?' text EOL                { cf_broken(b, @$, @2, FINDING_MISSING_QUESTION_MARK, NULL, NULL); }
  ;

option:
    'O' EOL                         { cf_broken(b, @$, @2, FINDING_MISSING_NAME, "the option's name is missing", NULL); }
  | 'O' LONG text EOL               { cf_option(b, @$, @3, NULL); }
  | 'O' LONG text '=' text EOL      { cf_option(b, @$, @3, &@5); }
  | 'O' LONG text EQUALS_LIST equates EOL { cf_option(b, @$, @3, &@5); }
  | 'O' LETTER text EOL             { cf_short_option(b, @$, @2, @3); }
  | 'O' LETTER_EQUATES equates EOL  { cf_short_option(b, @$, @2, @3); }
  ;

equates:
    equate
  | equates ',' equate
  ;

equate:
    text                            { cf_equate(b, @1, NULL); }
  | text '=' text                   { cf_equate(b, @1, &@3); }
  ;

text:
    %empty
  | text piece
  ;

piece:
    TEXT | FOLD | REMARK ;

/* Between parts that the lexer has cut out: line folds and remarks, no text. */
nothing:
    %empty
  | nothing FOLD
  | nothing REMARK
  ;

%%

static void cf_error(struct cf_span *span, void *scanner, struct cf_builder *b, const char *text)
{
    (void)scanner;
    cf_broken(b, *span, *span, FINDING_CF_SYNTAX, text, NULL);
}
