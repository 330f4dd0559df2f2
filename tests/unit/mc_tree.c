#include "tests/unit/unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/mc.h"
#include "lib/base/buf.h"
#include "lib/base/diag.h"
#include "tests/unit/mc_support.h"

/* The tree as one line: inner nodes in brackets with a letter, leaves as their bytes between bars,
 * ! where the end is missing. */
static char *shape(struct arena *a, const struct mc_tree *t)
{
    static const char letters[] = {
        [MC_FILE] = 'F',  [MC_CALL] = 'C', [MC_ARG] = 'A',    [MC_QUOTED] = 'Q',
        [MC_GROUP] = 'G', [MC_DNL] = 'd',  [MC_COMMENT] = 'c'};
    struct buf b;
    buf_init(&b, a);
    const struct mc_node *n = t->root->first;
    while (n) {
        if (n->kind < MC_NAME)
            buf_printf(&b, "%c[", letters[n->kind]);
        else
            buf_printf(&b, "%s%s|", n->kind == MC_DNL || n->kind == MC_COMMENT ? "~" : "",
                       mc_text(a, t, n));
        if (n->kind < MC_NAME && n->first) {
            n = n->first;
            continue;
        }
        if (n->kind < MC_NAME)
            buf_adds(&b, "]");
        while (n != t->root && !n->next) {
            n = n->parent;
            if (n != t->root)
                buf_adds(&b, n->unclosed ? "!]" : "]");
        }
        n = n == t->root ? NULL : n->next;
    }
    return b.data;
}

static void assert_shape(struct arena *a, const char *text, const char *want)
{
    const struct mc_tree *t = mc_support_parse(a, text, strlen(text), NULL);
    mc_support_assert_lossless(t);
    assert_string_equal(shape(a, t), want);
}

static void nothing_gives_an_empty_tree(void **state)
{
    struct arena *a = *state;
    const struct mc_tree *t = mc_support_parse(a, "", 0, NULL);
    assert_int_equal(t->root->kind, MC_FILE);
    assert_null(t->root->first);
    assert_null(mc_next(t->root, t->root));
    assert_int_equal(t->ncalls, 0);
    assert_null(mc_find_call(t, 1, "x", NULL, NULL));
    assert_null(mc_find_include_cf(a, t));
    assert_null(mc_outermost_at(t, 1, NULL));
    t = mc_parse(a, source_add(source_set_new(a), "ghost", NULL, 0), NULL);
    assert_null(t->root->first);
    assert_int_equal(mc_origin(t, t->root).line, 0);
}

static void text_is_no_code(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "\n", "\n|");
    assert_shape(a, "a", "a|");
    assert_shape(a, "'", "'|");
    assert_shape(a, ")(,", ")|(|,|");
    assert_shape(a, "12a b", "12|a| |b|"); /* as m4: the digits are no part of a name */
    assert_shape(a, "a_1-x", "a_1|-|x|");
    assert_shape(a, "\xe4\xff\r\n", "\xe4\xff|\r|\n|");
    assert_shape(a, "R$*\t$1", "R|$*|\t|$1|");
}

static void a_name_before_a_parenthesis_is_a_call(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "F()", "C[F|(|A[])|]");
    assert_shape(a, "F(,)", "C[F|(|A[],|A[])|]");
    assert_shape(a, "F (a)", "F| |(|a|)|");
    assert_shape(a, "F(a, b)c", "C[F|(|A[a|],|A[ |b|])|]c|");
    assert_shape(a, "F(G(a),b)", "C[F|(|A[C[G|(|A[a|])|]],|A[b|])|]");
    assert_shape(a, "F(\n a)", "C[F|(|A[\n| |a|])|]");
}

static void parentheses_in_a_call_belong_together(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "F((a,b),c)", "C[F|(|A[G[(|a|,|b|)|]],|A[c|])|]");
    assert_shape(a, "F(a (b) c)", "C[F|(|A[a| |G[(|b|)|] |c|])|]");
    assert_shape(a, "F(())", "C[F|(|A[G[(|)|]])|]");
    assert_shape(a, "F(`(')", "C[F|(|A[Q[`|(|'|]])|]");
    assert_shape(a, "F(`)',a)", "C[F|(|A[Q[`|)|'|]],|A[a|])|]");
}

static void quotes_nest(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "`'", "Q[`|'|]");
    assert_shape(a, "``a''", "Q[`|Q[`|a|'|]'|]");
    assert_shape(a, "`a'b'", "Q[`|a|'|]b|'|");
    assert_shape(a, "`a\nb'", "Q[`|a|\n|b|'|]");
}

static void what_quotes_hold_is_read(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "ifdef(`X', `F(`y')')",
                 "C[ifdef|(|A[Q[`|X|'|]],|A[ |Q[`|C[F|(|A[Q[`|y|'|]])|]'|]])|]");
    /* A call that the quote cuts short is no fault: it may be text. */
    assert_shape(a, "F(`G(a')", "C[F|(|A[Q[`|C[G|(|A[a|]!]'|]])|]");
    assert_shape(a, "F(`G((a')", "C[F|(|A[Q[`|C[G|(|A[G[(|a|!]]!]'|]])|]");
    assert_shape(a, "`)'", "Q[`|)|'|]");
}

static void dnl_takes_the_line(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "dnl", "~dnl|");
    assert_shape(a, "dnl\n", "~dnl\n|");
    assert_shape(a, "a dnl `b(\nc", "a| |~dnl `b(\n|c|");
    assert_shape(a, "F(a)dnl it's\nb", "C[F|(|A[a|])|]~dnl it's\n|b|");
    assert_shape(a, "dnlx xdnl", "dnlx| |xdnl|");
    assert_shape(a, "F(a dnl )\n)", "C[F|(|A[a| |~dnl )\n|])|]");
    /* dnl(...) takes what follows its own parenthesis. */
    assert_shape(a, "dnl(F(a),\nb) F(c)\nd", "C[dnl|(|A[C[F|(|A[a|])|]],|A[\n|b|])|]~ F(c)\n|d|");
    assert_shape(a, "dnl(a)", "C[dnl|(|A[a|])|]");
}

static void dnl_in_a_quote_ends_with_it(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "`dnl a'b", "Q[`|~dnl a|'|]b|");
    assert_shape(a, "`dnl F(`a')\nb'", "Q[`|~dnl F(`a')\n|b|'|]");
    /* An apostrophe ends the quote, as it does for m4. */
    assert_shape(a, "`dnl it's\n", "Q[`|~dnl it|'|]s|\n|");
    /* A quote that goes on after the line's end is one. */
    assert_shape(a, "`dnl `a\nb' c'", "Q[`|~dnl |Q[`|a|\n|b|'|] |c|'|]");
    assert_shape(a, "`dnl(a)'b", "Q[`|C[dnl|(|A[a|])|]'|]b|");
}

static void changequote_counts_from_there_on(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "changequote([,])[a]`b'", "C[changequote|(|A[[|],|A[]|])|]Q[[|a|]|]`|b|'|");
    assert_shape(a, "changequote(`[', `]')[a]changequote`b'",
                 "C[changequote|(|A[Q[`|[|'|]],|A[ |Q[`|]|'|]])|]Q[[|a|]|]changequote|Q[`|b|'|]");
    assert_shape(a, "changequote(<<,>>)<<a<b>>",
                 "C[changequote|(|A[<<|],|A[>>|])|]Q[<<|a|<|b|>>|]");
    assert_shape(a, "changequote(,)`a'", "C[changequote|(|A[],|A[])|]`|a|'|");
    assert_shape(a, "changequote(<)<a'", "C[changequote|(|A[<|])|]Q[<|a|'|]");
    /* Equal quotes do not nest. */
    assert_shape(a, "changequote(|,|)|a|b|c|",
                 "C[changequote|(|A[||],|A[||])|]Q[||a|||]b|Q[||c|||]");
    /* A quote may hold the closer of another, and a name may end in one. */
    assert_shape(a, "changequote([,x)[foxy", "C[changequote|(|A[[|],|A[x|])|]Q[[|fo|x|]y|");
    /* A name is a name, whatever the quotes are. */
    assert_shape(a, "changequote(B,E)B a E", "C[changequote|(|A[B|],|A[E|])|]B| |a| |E|");
    /* In quotes it may never run; what it says may not be known. */
    assert_shape(a, "`changequote([,])'`a'", "Q[`|C[changequote|(|A[[|],|A[]|])|]'|]Q[`|a|'|]");
    assert_shape(a, "changequote(LQ,RQ)`a'", "C[changequote|(|A[LQ|],|A[RQ|])|]Q[`|a|'|]");
}

static void comments_are_off_unless_switched_on(void **state)
{
    struct arena *a = *state;
    assert_shape(a, "# `a'", "#| |Q[`|a|'|]");
    assert_shape(a, "changecom(#)# `a\nb`c'", "C[changecom|(|A[#|])|]~# `a|\n|b|Q[`|c|'|]");
    assert_shape(a, "changecom(/*,*/)/* ` */ `a'",
                 "C[changecom|(|A[/*|],|A[*/|])|]~/* ` */| |Q[`|a|'|]");
    assert_shape(a, "changecom(#)x#y\nchangecom`#'",
                 "C[changecom|(|A[#|])|]x|~#y|\n|changecom|Q[`|#|'|]");
    /* m4 starts with comments; cf.m4 switches them off. */
    assert_shape(a, "# it`s\ninclude(`m4/cf.m4')# `a'",
                 "~# it`s|\n|C[include|(|A[Q[`|m4|/|cf|.|m4|'|]])|]#| |Q[`|a|'|]");
    assert_shape(a, "# `cf.m4'", "#| |Q[`|cf|.|m4|'|]");
}

static bool has_comments(struct arena *a, const char *text)
{
    return mc_support_parse(a, text, strlen(text), NULL)->comments;
}

static void says_whether_comments_are_on_at_first(void **state)
{
    struct arena *a = *state;
    assert_false(has_comments(a, ""));
    assert_false(has_comments(a, "include(`x.m4')dnl cf.m4\n"));
    assert_true(has_comments(a, "# it`s\nsinclude(../m4/cf.m4)"));
    /* Where m4 may never come by, nothing is said. */
    assert_false(has_comments(a, "ifdef(`X', `include(`../m4/cf.m4')')"));
}

static void nul_bytes_are_text(void **state)
{
    struct arena *a = *state;
    const char text[] = "a\0b(`\0')\0";
    const struct mc_tree *t = mc_support_parse(a, text, sizeof text, NULL);
    mc_support_assert_lossless(t);
    assert_int_equal(t->root->len, sizeof text);
    const struct mc_node *call = t->calls[0];
    assert_string_equal(mc_name(a, t, call), "b");
    assert_int_equal(mc_arg(call, 1)->len, 3);
}

static void arguments(void **state)
{
    struct arena *a = *state;
    static const struct {
        const char *text;
        size_t nargs, n;
        const char *want;
        bool plain;
    } rows[] = {
        {"F", 0, 1, "", true},
        {"F()", 1, 1, "", true},
        {"F()", 1, 2, "", true},
        {"F()", 1, 0, "", true},
        {"F(a, b)", 2, 2, "b", true},
        {"F( \n\ta )", 1, 1, "a ", true},
        {"F(`a')", 1, 1, "a", true},
        {"F(``a'')", 1, 1, "`a'", true},
        {"F( `a, b' )", 1, 1, "a, b ", true},
        {"F(a`b'c)", 1, 1, "abc", true},
        {"F(a dnl b\nc)", 1, 1, "a c", true},
        {"F((a, `b'))", 1, 1, "(a, b)", true},
        {"F(G(a))", 1, 1, "G(a)", false},
        {"F(`G(a)')", 1, 1, "G(a)", true},
        {"F(a SMART_HOST)", 1, 1, "a SMART_HOST", false},
        {"F(hash /etc/mail/x)", 1, 1, "hash /etc/mail/x", true},
        {"F(`it''s')", 1, 1, "it's'", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows[i].text;
        const struct mc_tree *t = mc_support_parse(a, text, strlen(text), NULL);
        const struct mc_node *call = t->root->first;
        bool plain;
        assert_int_equal(mc_nargs(call), rows[i].nargs);
        assert_string_equal(mc_arg_text(a, t, call, rows[i].n, &plain), rows[i].want);
        assert_int_equal(plain, rows[i].plain);
    }
}

static void assert_origin(struct origin o, uint32_t line, uint32_t col, uint32_t len)
{
    assert_int_equal(o.file, 1);
    assert_int_equal(o.line, line);
    assert_int_equal(o.col, col);
    assert_int_equal(o.len, len);
}

static void places(void **state)
{
    struct arena *a = *state;
    const char *text = "x\n FEATURE(`acc', , ,\n  a `b' , ` c' dnl\n)X";
    const struct mc_tree *t = mc_support_parse(a, text, strlen(text), NULL);
    const struct mc_node *f = t->calls[0];
    assert_origin(mc_origin(t, f), 2, 2, 39);
    assert_origin(mc_name_origin(t, f), 2, 2, 7);
    assert_origin(mc_arg_origin(t, f, 1), 2, 11, 3); /* inside the quotes */
    assert_origin(mc_arg_origin(t, f, 2), 2, 2, 7);  /* white space alone: the name */
    assert_origin(mc_arg_origin(t, f, 4), 3, 3, 5);  /* a `b' */
    assert_origin(mc_arg_origin(t, f, 5), 3, 12, 2); /* " c", for a dnl is no text */
    assert_origin(mc_arg_origin(t, f, 6), 2, 2, 7);
    assert_origin(mc_arg_origin(t, f, 0), 2, 2, 7);
    assert_origin(mc_close_origin(t, f), 4, 1, 1);
    const char *few = "F(,``a'')G(b";
    t = mc_support_parse(a, few, strlen(few), NULL);
    assert_origin(mc_arg_origin(t, t->calls[0], 1), 1, 3, 0); /* empty, after the parenthesis */
    assert_origin(mc_arg_origin(t, t->calls[0], 2), 1, 5, 3); /* `a', one level taken off */
    assert_int_equal(t->ncalls, 1);                           /* G( is hardly a call */
    assert_origin(mc_close_origin(t, t->calls[0]), 1, 9, 1);
    t = mc_support_parse(a, "GG(b", 4, NULL);
    assert_true(t->calls[0]->unclosed);
    assert_origin(mc_close_origin(t, t->calls[0]), 1, 1, 2);
    t = mc_support_parse(a, "divert", 6, NULL);
    assert_origin(mc_close_origin(t, t->calls[0]), 1, 1, 6);
    assert_origin(mc_arg_origin(t, t->calls[0], 1), 1, 1, 6);
}

static void calls_come_in_source_order(void **state)
{
    struct arena *a = *state;
    const char *text = "divert text LOCAL_CONFIG define X(`Y(z)', include(a))\n"
                       "define(`mine', `LOCAL_NET_CONFIG')mine other dnl X\n";
    const struct mc_tree *t = mc_support_parse(a, text, strlen(text), NULL);
    struct buf b;
    buf_init(&b, a);
    for (size_t i = 0; i < t->ncalls; i++)
        buf_printf(&b, "%s ", mc_name(a, t, t->calls[i]));
    /* define alone is text to m4; mine is a macro since the file defines it. */
    assert_string_equal(b.data,
                        "divert LOCAL_CONFIG X Y include define mine LOCAL_NET_CONFIG mine ");
}

static void assert_too_deep(struct arena *a, const char *open, const char *close, size_t depth,
                            uint32_t col)
{
    struct buf b;
    buf_init(&b, a);
    for (size_t i = 0; i < depth; i++)
        buf_adds(&b, open);
    for (size_t i = 0; i < depth; i++)
        buf_adds(&b, close);
    buf_adds(&b, "FF(`x')");
    struct diag *d;
    const struct mc_tree *t = mc_support_parse(a, b.data, b.len, &d);
    mc_support_assert_lossless(t);
    size_t n;
    const struct finding *const *f = diag_sorted(d, &n);
    assert_int_equal(n, col ? 1 : 0);
    if (col) {
        assert_string_equal(f[0]->id, "nesting-too-deep");
        assert_int_equal(f[0]->at.col, col);
    }
    /* What follows is read as ever. */
    const struct mc_node *last = t->calls[t->ncalls - 1];
    assert_null(last->parent->parent);
    assert_string_equal(mc_arg_text(a, t, last, 1, NULL), "x");
}

static void nesting_has_a_limit(void **state)
{
    struct arena *a = *state;
    assert_too_deep(a, "`", "'", MC_DEPTH_MAX, 0);
    assert_too_deep(a, "`", "'", MC_DEPTH_MAX + 1, MC_DEPTH_MAX + 1);
    assert_too_deep(a, "`", "'", 100000, MC_DEPTH_MAX + 1);
    assert_too_deep(a, "a(", ")", MC_DEPTH_MAX, 0);
    assert_too_deep(a, "a(", ")", MC_DEPTH_MAX + 1, 2 * (MC_DEPTH_MAX + 1));
    assert_too_deep(a, "a(", ")", 100000, 2 * (MC_DEPTH_MAX + 1));
    assert_too_deep(a, "a((", "))", 50000, 3 * MC_DEPTH_MAX / 2 + 2);
    assert_too_deep(a, "a(`", "')", 50000, 3 * MC_DEPTH_MAX / 2 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_gives_an_empty_tree),
        UNIT(text_is_no_code),
        UNIT(a_name_before_a_parenthesis_is_a_call),
        UNIT(parentheses_in_a_call_belong_together),
        UNIT(quotes_nest),
        UNIT(what_quotes_hold_is_read),
        UNIT(dnl_takes_the_line),
        UNIT(dnl_in_a_quote_ends_with_it),
        UNIT(changequote_counts_from_there_on),
        UNIT(comments_are_off_unless_switched_on),
        UNIT(says_whether_comments_are_on_at_first),
        UNIT(nul_bytes_are_text),
        UNIT(arguments),
        UNIT(places),
        UNIT(calls_come_in_source_order),
        UNIT(nesting_has_a_limit),
    };
    return cmocka_run_group_tests_name("mc_tree", tests, NULL, NULL);
}
