/*
 * The grammar of template files.  Actions only call the builders of rule_tree.c.  After an error the
 * parser goes on at the next line, so that one run reports every bad line.
 */
%define api.pure full
%define api.prefix {rule_yy}
%define api.token.prefix {RT_}
%define api.location.type {struct rule_loc}
%define parse.error custom
%locations
%expect 0
%lex-param {void *scanner}
%parse-param {void *scanner}
%parse-param {struct rule_parse *p}

%code requires {
#include "grammar/rule_tree.h"
}

%union {
    const char *text;
    unsigned number;
    struct rule_nodes nodes;
    struct rule_node *node;
    struct rule_pieces pieces;
    const struct rule_expr *expr;
}

%code {
#include <string.h>

#include "lib/base/arena.h"

/* A span starts at the first part that is not empty. */
#define YYLLOC_DEFAULT(cur, rhs, n)                                                                \
    do {                                                                                           \
        (cur) = (struct rule_loc){0};                                                              \
        for (int i_ = 1; i_ <= (n) && (cur).line == 0; i_++)                                       \
            (cur) = YYRHSLOC(rhs, i_);                                                             \
        if ((n) && YYRHSLOC(rhs, n).line == (cur).line)                                            \
            (cur).len = YYRHSLOC(rhs, n).col + YYRHSLOC(rhs, n).len - (cur).col;                   \
    } while (0)

int rule_yylex(YYSTYPE *value, struct rule_loc *loc, void *scanner);
static void rule_yyerror(struct rule_loc *loc, void *scanner, struct rule_parse *p,
                         const char *text);
}

%token EOL "the end of the line"
%token UNCLOSED "an unclosed %{"
%token <text> TEXT "text" NAME "a name" NUMBER "a number" STRING "a quoted text"
%token <text> FREE "text after the name" M4_LINE "m4 text"
%token SUBST "%{" CLOSE "}" ELSE_TEXT "|" WHEN_TEXT "?" FULL_TEXT "+"
%token IF "%if" ELIF "%elif" ELSE "%else" END "%end" FOR "%for" HOOK "%hook" AT "%at"
%token CONFIG "%config" M4 "%m4" SECTION "%section" OPTIONS "%options" INCLUDE "%include"
%token FEATURE "%feature" MAILER "%mailer" SUMMARY "%summary" EXAMPLE "%example" FLAG "%flag" ARG "%arg" WORDS "%words"
%token NEEDS "%needs" BEFORE "%before" REQUIRED "%required" REPEAT "%repeat" READS "%reads"
%token NOT "!" AND "&&" OR "||" EQ "==" NE "!="

%left "||"
%left "&&"
%precedence "!"

%type <nodes> body branches
%type <node> item
%type <pieces> pieces
%type <expr> expr guard
%type <text> loop free m4
%type <number> where

%initial-action {
    @$.line = @$.col = 1;
    @$.len = 0;
}

%%

file: %empty
    | file item                 { rule_nodes_add(&p->unit->body, $2); }
    | file header               { rule_header(p, @2); }
    ;

header: "%feature" NAME EOL     { rule_header_kind(p, true, $2, @2); }
    | "%mailer" NAME EOL        { rule_header_kind(p, false, $2, @2); }
    | "%summary" FREE EOL       { rule_header_summary(p, $2, @2); }
    | "%example" FREE EOL       { rule_header_example(p, $2, @2); }
    | "%flag" NAME free EOL     { rule_header_flag(p, $2, $3, @2); }
    | "%arg" NUMBER NAME free EOL
                                { rule_header_arg(p, $2, $3, $4, @3); }
    | "%words" NUMBER FREE EOL  { rule_header_words(p, $2, $3, @2); }
    | "%needs" needs EOL
    | "%before" before EOL
    | "%reads" reads EOL
    | "%required" NUMBER EOL    { rule_header_required(p, $2, @2); }
    | "%repeat" EOL             { p->unit->file.repeat = true; }
    ;

free: %empty                    { $$ = NULL; }
    | FREE
    ;
needs: NAME                     { rule_words_add(p, &p->unit->needs, $1, @1); }
    | needs NAME                { rule_words_add(p, &p->unit->needs, $2, @2); }
    ;
before: NAME                    { rule_words_add(p, &p->unit->before, $1, @1); }
    | before NAME               { rule_words_add(p, &p->unit->before, $2, @2); }
    ;
reads: NAME                     { rule_words_add(p, &p->unit->reads, $1, @1); }
    | reads NAME                { rule_words_add(p, &p->unit->reads, $2, @2); }
    ;

body: %empty                    { $$ = (struct rule_nodes){0}; }
    | body item                 { rule_nodes_add(&$1, $2); $$ = $1; }
    ;

item: pieces EOL                {
                                    $$ = rule_node(p, RULE_TEXT, @$);
                                    $$->text = $1.first;
                                }
    | "%if" guard body branches end
                                {
                                    struct rule_node *n = rule_node(p, RULE_BRANCH, @1);
                                    n->guard = $2;
                                    n->body = $3.first;
                                    $$ = rule_node(p, RULE_IF, @1);
                                    $$->body = rule_nodes_prepend(n, $4).first;
                                }
    | "%for" loop body end      {
                                    rule_loop_leave(p);
                                    $$ = rule_node_named(p, RULE_FOR, $2, @1, @2);
                                    $$->body = $3.first;
                                }
    | "%at" NAME EOL body end   {
                                    $$ = rule_node_named(p, RULE_AT, $2, @1, @2);
                                    $$->body = $4.first;
                                }
    | "%at" bad body end        { $$ = NULL; }
    | "%config" where body end  {
                                    $$ = rule_node(p, RULE_CONFIG, @1);
                                    $$->number = $2;
                                    $$->body = $3.first;
                                }
    | "%m4" EOL m4 end          {
                                    $$ = rule_node(p, RULE_M4, @1);
                                    $$->name = $3;
                                }
    | "%hook" NAME EOL          { $$ = rule_node_named(p, RULE_HOOK, $2, @1, @2); }
    | "%include" NAME EOL       { $$ = rule_node_named(p, RULE_INCLUDE, $2, @1, @2); }
    | "%section" NUMBER EOL     {
                                    $$ = rule_node(p, RULE_SECTION, @1);
                                    $$->number = rule_section(p, $2, @2);
                                }
    | "%options" EOL            { $$ = rule_node(p, RULE_OPTIONS, @1); }
    | "%options" NAME EOL       { $$ = rule_node_named(p, RULE_OPTIONS, $2, @1, @2); }
    | bad                       { $$ = NULL; }
    ;

branches: %empty                { $$ = (struct rule_nodes){0}; }
    | "%else" rest body         {
                                    struct rule_node *n = rule_node(p, RULE_BRANCH, @1);
                                    n->body = $3.first;
                                    $$ = (struct rule_nodes){n, n};
                                }
    | "%elif" guard body branches
                                {
                                    struct rule_node *n = rule_node(p, RULE_BRANCH, @1);
                                    n->guard = $2;
                                    n->body = $3.first;
                                    $$ = rule_nodes_prepend(n, $4);
                                }
    ;

where: rest                     { $$ = RULE_LOCAL_CONFIG; }
    | NUMBER EOL                { $$ = rule_section(p, $1, @1); }
    ;

/* The rest of a directive's line, good or bad. */
rest: EOL | bad ;
end: "%end" rest ;
bad: error EOL                  { yyerrok; }
    | error UNCLOSED            { yyerrok; }
    ;

guard: expr EOL
    | bad                       { $$ = rule_expr(p, RULE_OP_AND, NULL, NULL); }
    ;
loop: NAME EOL                  { rule_loop_enter(p, $1); $$ = $1; }
    | bad                       { rule_loop_enter(p, ""); $$ = NULL; }
    ;

expr: NAME                      { $$ = rule_expr_name(p, RULE_OP_NAME, $1, NULL, @1); }
    | NAME "==" STRING          { $$ = rule_expr_name(p, RULE_OP_EQ, $1, $3, @1); }
    | NAME "!=" STRING          { $$ = rule_expr_name(p, RULE_OP_NE, $1, $3, @1); }
    | "!" expr                  { $$ = rule_expr(p, RULE_OP_NOT, $2, NULL); }
    | expr "&&" expr            { $$ = rule_expr(p, RULE_OP_AND, $1, $3); }
    | expr "||" expr            { $$ = rule_expr(p, RULE_OP_OR, $1, $3); }
    | '(' expr ')'              { $$ = $2; }
    ;

pieces: %empty                  { $$ = (struct rule_pieces){0}; }
    | pieces TEXT               { rule_pieces_text(p, &$1, $2); $$ = $1; }
    | pieces SUBST NAME CLOSE   {
                                    rule_pieces_subst(p, &$1, RULE_PIECE_VALUE, $3, NULL, @3);
                                    $$ = $1;
                                }
    | pieces SUBST NAME "|" pieces CLOSE
                                {
                                    rule_pieces_subst(p, &$1, RULE_PIECE_ELSE, $3, $5.first, @3);
                                    $$ = $1;
                                }
    | pieces SUBST NAME "?" pieces CLOSE
                                {
                                    rule_pieces_subst(p, &$1, RULE_PIECE_WHEN, $3, $5.first, @3);
                                    $$ = $1;
                                }
    | pieces SUBST NAME "+" pieces CLOSE
                                {
                                    rule_pieces_subst(p, &$1, RULE_PIECE_FULL, $3, $5.first, @3);
                                    $$ = $1;
                                }
    ;

m4: %empty                      { $$ = ""; }
    | m4 M4_LINE                { $$ = arena_printf(p->arena, "%s%s", $1, $2); }
    ;

%%

static int yyreport_syntax_error(const yypcontext_t *ctx, void *scanner,
                                      struct rule_parse *p)
{
    (void)scanner;
    struct rule_loc loc = *yypcontext_location(ctx);
    yysymbol_kind_t got = yypcontext_token(ctx);
    switch (got) {
    case YYSYMBOL_UNCLOSED:
        return 0; /* the scanner has said it */
    case YYSYMBOL_YYEOF:
        if (p->open)
            loc = p->open->loc;
        rule_error(p, loc, "this block has no %%end");
        return 0;
    case YYSYMBOL_END:
        rule_error(p, loc, "%%end without a block");
        return 0;
    case YYSYMBOL_ELSE:
    case YYSYMBOL_ELIF:
        rule_error(p, loc, "%s without an %%if before it", yysymbol_name(got));
        return 0;
    case YYSYMBOL_FEATURE:
    case YYSYMBOL_MAILER:
    case YYSYMBOL_SUMMARY:
    case YYSYMBOL_EXAMPLE:
    case YYSYMBOL_FLAG:
    case YYSYMBOL_ARG:
    case YYSYMBOL_WORDS:
    case YYSYMBOL_NEEDS:
    case YYSYMBOL_BEFORE:
    case YYSYMBOL_REQUIRED:
    case YYSYMBOL_REPEAT:
    case YYSYMBOL_READS:
        rule_error(p, loc, "%s stands outside of blocks", yysymbol_name(got));
        return 0;
    default:
        break;
    }
    yysymbol_kind_t want[4];
    int n = yypcontext_expected_tokens(ctx, want, 4);
    const char *list = "";
    for (int i = 0; i < n; i++)
        list = arena_printf(p->arena, "%s%s%s", list,
                            i == 0 ? ": expected " : i == n - 1 ? " or " : ", ",
                            yysymbol_name(want[i]));
    rule_error(p, loc, "%s has no place here%s", yysymbol_name(got), list);
    return 0;
}

/* What the parser itself has to say: that memory is exhausted. */
static void rule_yyerror(struct rule_loc *loc, void *scanner, struct rule_parse *p,
                         const char *text)
{
    (void)scanner;
    rule_error(p, *loc, "%s", text);
}
