/*
 * The lines of a map's source.  Symbols have spans; the value of what no entry is made of is whether a
 * NUL byte is in it.  The lexer gives no sequence of tokens that this grammar does not take.
 */
%code requires {
#include <stdbool.h>

#include "grammar/map.h"
}
%code provides {
int map_yylex(MAP_YYSTYPE *value, struct map_span *span, void *scanner);
}
%code {
static void map_yyerror(struct map_span *span, void *scanner, struct map_reader *r,
                        const char *text);

#define NOTHING ((struct map_span){0, 0})
#define YYLLOC_DEFAULT(current, rhs, n)                                                            \
    do {                                                                                           \
        (current).begin = (n) ? YYRHSLOC(rhs, 1).begin : YYRHSLOC(rhs, 0).end;                     \
        (current).end = (n) ? YYRHSLOC(rhs, n).end : YYRHSLOC(rhs, 0).end;                         \
    } while (0)

/* The line without its end. */
static struct map_span without_end(struct map_span line)
{
    return (struct map_span){line.begin, line.end - 1};
}
}

%define api.pure full
%define api.prefix {map_yy}
%define api.location.type {struct map_span}
%define parse.error verbose
%locations
%initial-action { @$ = (struct map_span){0, 0}; }
%parse-param {void *scanner} {struct map_reader *r}
%lex-param {void *scanner}
%expect 0

%union {
    bool nul;
    struct map_span tag;
}

%token REMARK "remark" EOL "end of line" BLANKS "blanks" TAG "tag" KEY_PART "key" VALUE_TEXT "value"
%token NUL "NUL byte" TEXT "text"
%type <nul> rest
%type <tag> key

%%

source: %empty
    | source line
    ;

line: EOL
    | REMARK EOL
    | BLANKS rest EOL
        { map_add(r->source, $2 ? MAP_ENTRY_NUL : @2.begin == @2.end ? MAP_ENTRY_ONLY_BLANKS : MAP_ENTRY_BLANK_FIRST,
                  without_end(@$), NOTHING, NOTHING, NOTHING); }
    | NUL rest EOL
        { map_add(r->source, MAP_ENTRY_NUL, without_end(@$), NOTHING, NOTHING, NOTHING); }
    | key EOL
        { map_add(r->source, MAP_ENTRY_NO_VALUE, without_end(@$), $1, @1, NOTHING); }
    | key BLANKS EOL
        { map_add(r->source, MAP_ENTRY_NO_VALUE, without_end(@$), $1, @1, NOTHING); }
    | key BLANKS VALUE_TEXT EOL
        { map_add(r->source, MAP_ENTRY_GOOD, without_end(@$), $1, @1, @3); }
    | key NUL rest EOL
        { map_add(r->source, MAP_ENTRY_NUL, without_end(@$), NOTHING, NOTHING, NOTHING); }
    | key BLANKS NUL rest EOL
        { map_add(r->source, MAP_ENTRY_NUL, without_end(@$), NOTHING, NOTHING, NOTHING); }
    | key BLANKS VALUE_TEXT NUL rest EOL
        { map_add(r->source, MAP_ENTRY_NUL, without_end(@$), NOTHING, NOTHING, NOTHING); }
    ;

key: TAG                { $$ = without_end(@1); }
    | TAG parts         { $$ = without_end(@1); }
    | parts             { $$ = NOTHING; }
    ;

parts: KEY_PART
    | parts KEY_PART
    ;

rest: %empty            { $$ = false; }
    | rest BLANKS       { $$ = $1; }
    | rest TEXT         { $$ = $1; }
    | rest NUL          { $$ = true; }
    ;

%%

/* Nothing gets here: see above. */
static void map_yyerror(struct map_span *span, void *scanner, struct map_reader *r,
                        const char *text)
{
    (void)span;
    (void)scanner;
    (void)r;
    (void)text;
}
