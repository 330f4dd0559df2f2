/* The grammar of .mc files.  The scanner hands over balanced input, so that every file has a tree;
 * actions only call the builders of mc_tree.c. */
%define api.pure full
%define api.prefix {mc_yy}
%define parse.error verbose
%expect 0
%param { struct mc_parse *p }

%code requires {
#include "grammar/mc_tree.h"
}

%code {
/* A level of nesting takes six symbols at most (NAME ( args , items `). */
#define YYMAXDEPTH (8 * MC_DEPTH_MAX + 1000)

static int mc_yylex(MC_YYSTYPE *value, struct mc_parse *p);
static void mc_yyerror(struct mc_parse *p, const char *text);
}

%union {
    struct mc_node *node;
    struct mc_list list;
}

%token END 0
%token <node> NAME SPACE NEWLINE TEXT DNL COMMENT COMMA LQUOTE RQUOTE CLOSE
%token <node> CALL_NAME OPEN GROUP_OPEN MISSING
%type <node> item leaf call quoted group arg close
%type <list> items args

%%

file: items                         { mc_build_file(p, $1); }
    ;
items: %empty                       { $$ = mc_build_none(); }
    | items item                    { $$ = mc_build_append($1, $2); }
    ;
item: leaf
    | call
    | quoted
    | group
    ;
leaf: NAME
    | SPACE
    | NEWLINE
    | TEXT
    | DNL
    | COMMENT
    ;
call: CALL_NAME OPEN args close     { $$ = mc_build_call(p, $1, $2, $3, $4); }
    ;
args: arg                           { $$ = mc_build_append(mc_build_none(), $1); }
    | args COMMA arg                { $$ = mc_build_append(mc_build_append($1, $2), $3); }
    ;
arg: items                          { $$ = mc_build_arg(p, $1); }
    ;
quoted: LQUOTE items RQUOTE         { $$ = mc_build_pair(p, MC_QUOTED, $1, $2, $3); }
    | LQUOTE items MISSING          { $$ = mc_build_pair(p, MC_QUOTED, $1, $2, $3); }
    ;
group: GROUP_OPEN items close       { $$ = mc_build_pair(p, MC_GROUP, $1, $2, $3); }
    ;
close: CLOSE
    | MISSING
    ;

%%

static int mc_yylex(MC_YYSTYPE *value, struct mc_parse *p)
{
    static const int token[] = {
        [MC_NAME] = NAME,       [MC_SPACE] = SPACE,     [MC_NEWLINE] = NEWLINE,
        [MC_TEXT] = TEXT,       [MC_DNL] = DNL,         [MC_COMMENT] = COMMENT,
        [MC_OPEN] = OPEN,       [MC_CLOSE] = CLOSE,     [MC_COMMA] = COMMA,
        [MC_LQUOTE] = LQUOTE,   [MC_RQUOTE] = RQUOTE,   [MC_T_END] = END,
        [MC_T_MISSING] = MISSING, [MC_T_CALL_NAME] = CALL_NAME, [MC_T_GROUP_OPEN] = GROUP_OPEN,
    };
    int kind;
    value->node = mc_build_leaf(p, &kind);
    return token[kind];
}

static void mc_yyerror(struct mc_parse *p, const char *text)
{
    mc_build_failed(p, text);
}
