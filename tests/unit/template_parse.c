/* grammar/rule*: what a template file may say, and what is said about one that says something else.
 */
#include "tests/unit/template.h"

static void says(void **state, const struct template_text *texts, size_t n, const char *want)
{
    char *findings;
    const struct rule_library *lib = template_library_of(*state, texts, n, &findings);
    assert_string_equal(findings, want);
    assert_null(lib);
}

/* One file, main.rules. */
static void main_says(void **state, const char *text, const char *want)
{
    struct template_text one = {"main.rules", text};
    says(state, &one, 1, want);
}

/* main.rules with a hook, and a feature's file. */
static void feature_says(void **state, const char *text, const char *want)
{
    const struct template_text two[] = {
        {"main.rules", "%hook here\n"},
        {"feature/f.rules", text},
        {"feature/other.rules", "%feature other\n%summary x\n"},
        {"mailer/smtp.rules", "%mailer smtp\n%summary x\n"},
    };
    says(state, two, 4, want);
}

static const struct rule_library *good(void **state, const struct template_text *texts, size_t n)
{
    char *findings;
    const struct rule_library *lib = template_library_of(*state, texts, n, &findings);
    assert_string_equal(findings, "");
    assert_non_null(lib);
    return lib;
}

static const struct rule_node *main_of(void **state, const char *text)
{
    struct template_text one = {"main.rules", text};
    return good(state, &one, 1)->main->body;
}

static void no_file_is_no_library(void **state)
{
    says(state, NULL, 0, "mcf: error: there is no main.rules [template]\n");
}

static void an_empty_file_is_good(void **state)
{
    assert_null(main_of(state, ""));
    assert_null(main_of(state, "%# only a comment"));
}

static void lines_pass_as_they_are(void **state)
{
    const struct rule_node *n =
        main_of(state, "# a\n\nR$* {x} 50%\t$| 1 ? } |\n\tmore\n%%x\n \t\nCx");
    const char *const want[] = {"# a", NULL, "R$* {x} 50%\t$| 1 ? } |", "\tmore", "%x", NULL, "Cx"};
    for (size_t i = 0; i < 7; i++, n = n->next) {
        assert_non_null(n);
        assert_int_equal(n->kind, RULE_TEXT);
        assert_int_equal(n->line, i + 1);
        if (!want[i]) {
            assert_null(n->text);
            continue;
        }
        assert_int_equal(n->text->kind, RULE_PIECE_TEXT);
        assert_string_equal(n->text->text, want[i]);
        assert_null(n->text->next);
    }
    assert_null(n);
}

static void substitutions_nest_and_keep_braces(void **state)
{
    const struct rule_piece *p = main_of(state, "C%{A}%{_b|{x}%{confC?y|?}}z\n")->text;
    assert_int_equal(p->kind, RULE_PIECE_TEXT);
    assert_string_equal(p->text, "C");
    p = p->next;
    assert_int_equal(p->kind, RULE_PIECE_VALUE);
    assert_string_equal(p->name->macro, "A");
    p = p->next;
    assert_int_equal(p->kind, RULE_PIECE_ELSE);
    assert_string_equal(p->name->macro, "_b");
    assert_string_equal(p->body->text, "{x}");
    assert_int_equal(p->body->next->kind, RULE_PIECE_WHEN);
    assert_string_equal(p->body->next->name->macro, "confC");
    assert_string_equal(p->body->next->body->text, "y|?");
    assert_null(p->body->next->next);
    p = p->next;
    assert_string_equal(p->text, "z");
    assert_null(p->next);
    p = main_of(state, "%{A+y+}\n")->text;
    assert_int_equal(p->kind, RULE_PIECE_FULL);
    assert_string_equal(p->name->macro, "A");
    assert_string_equal(p->body->text, "y+");
}

static void not_binds_more_than_and_than_or(void **state)
{
    const struct rule_expr *e =
        main_of(state, "  %if !A && B || C == \"x y\" && \\\n (D || E)%# why\n%end\n")->body->guard;
    assert_int_equal(e->op, RULE_OP_OR);
    assert_int_equal(e->left->op, RULE_OP_AND);
    assert_int_equal(e->left->left->op, RULE_OP_NOT);
    assert_string_equal(e->left->left->left->name->text, "A");
    assert_string_equal(e->left->right->name->text, "B");
    assert_int_equal(e->right->op, RULE_OP_AND);
    assert_int_equal(e->right->left->op, RULE_OP_EQ);
    assert_string_equal(e->right->left->text, "x y");
    assert_int_equal(e->right->right->op, RULE_OP_OR);
}

static void names_resolve(void **state)
{
    const struct template_text texts[] = {
        {"main.rules", "%if f && f.one && f.args && mailer.smtp && ostype && _F_\n%end\n%for f\n"
                       "C%{one}%{args}%{again}\n%end\n%hook here\n"},
        {"feature/f.rules", "%feature f\n%summary x\n%flag _F_\n%arg 1 one x\n%repeat\n%at here\n"
                            "C%{one}%{f.one}%{again}%{f}\n%end\n"},
        {"mailer/smtp.rules", "%mailer smtp\n%summary x\n"},
    };
    const struct rule_library *lib = good(state, texts, 3);
    assert_int_equal(lib->nfiles, 3);
    assert_string_equal(lib->files[0]->path, "rulesets/feature/f.rules");
    const struct {
        enum rule_ref ref;
        const char *macro;
    } want[] = {{RULE_REF_FLAG, "_F_"},         {RULE_REF_ARG, NULL},
                {RULE_REF_COUNT, NULL},         {RULE_REF_FLAG, "_MAILER_smtp_"},
                {RULE_REF_MACRO, "__OSTYPE__"}, {RULE_REF_MACRO, "_F_"}};
    const struct rule_expr *e = lib->main->body->body->guard;
    for (size_t i = 6; i-- > 0; e = e->left) {
        const struct rule_name *n = i ? e->right->name : e->name;
        assert_int_equal(n->ref, want[i].ref);
        if (want[i].macro)
            assert_string_equal(n->macro, want[i].macro);
        else
            assert_int_equal(n->owner, 0);
    }
    const struct rule_piece *p = lib->main->body->next->body->text->next;
    assert_int_equal(p->name->ref, RULE_REF_ARG);
    assert_int_equal(p->name->arg, 1);
    assert_int_equal(p->next->name->ref, RULE_REF_COUNT);
    assert_int_equal(p->next->next->name->ref, RULE_REF_AGAIN);
}

static void a_feature_without_flag_gets_one(void **state)
{
    const struct template_text texts[] = {
        {"main.rules", ""},
        {"feature/f.rules", "%feature f\n%summary x\n"},
    };
    assert_string_equal(good(state, texts, 2)->features[0]->flag, "_mcf_on_f");
}

static void a_header_is_kept(void **state)
{
    const struct template_text texts[] = {
        {"main.rules", ""},
        {"feature/f.rules", "%feature f\n%summary  An x,  a y. \n%flag _A_\n%flag _B_ 2 b\n"
                            "%arg 2 two second\n%arg 1 one first: `x'\n%needs g\n%before smtp\n"
                            "%reads X conf_ confY\n%required 2\n"},
        {"feature/g.rules", "%feature g\n%summary x\n%repeat\n"},
        {"mailer/smtp.rules", "%mailer smtp\n%summary x\n"},
    };
    char *findings;
    assert_null(template_library_of(*state, texts, 4, &findings));
    assert_string_equal(findings, "feature/f.rules:9:10: error: conf_ is no name of an m4 macro "
                                  "[template]\n  %reads X conf_ confY\n           ^~~~~\n");
    struct template_text fixed[4];
    memcpy(fixed, texts, sizeof fixed);
    fixed[1].text = "%feature f\n%summary  An x,  a y. \n%flag _A_\n%flag _B_ 2 b\n"
                    "%arg 2 two second\n%arg 1 one first: `x'\n%needs g\n%before smtp\n"
                    "%reads X confY\n%required 2\n";
    const struct rule_library *lib = good(state, fixed, 4);
    const struct rule_file *f = lib->features[0];
    assert_string_equal(f->summary, "An x,  a y.");
    assert_string_equal(f->flag, "_A_");
    assert_int_equal(f->nflags, 2);
    assert_string_equal(f->flags[0].value, "1");
    assert_string_equal(f->flags[1].value, "2 b");
    assert_int_equal(f->nargs, 2);
    assert_string_equal(f->args[0].name, "one");
    assert_string_equal(f->args[0].text, "first: `x'");
    assert_string_equal(f->args[1].name, "two");
    assert_string_equal(f->needs[0], "g");
    assert_null(f->needs[1]);
    assert_string_equal(f->before[0], "smtp");
    assert_string_equal(f->reads[1], "confY");
    assert_int_equal(f->required, 2);
    assert_false(f->repeat);
    assert_true(lib->features[1]->repeat);
    assert_int_equal(lib->nmailers, 1);
}

static void blocks_are_numbered_in_order(void **state)
{
    const struct template_text texts[] = {
        {"main.rules", "%if A\n%elif B\n%if C\n%end\n%else\n%end\n%for f\n%end\n%hook here\n"},
        {"feature/f.rules", "%feature f\n%summary x\n%repeat\n%at here\n%end\n%config\n%end\n"},
    };
    const struct rule_library *lib = good(state, texts, 2);
    assert_int_equal(lib->blocks, 7);
    assert_int_equal(lib->files[0]->first_block, 1);
    assert_int_equal(lib->main->first_block, 3);
    const struct rule_node *branch = lib->main->body->body;
    assert_int_equal(branch->block, 3);
    assert_int_equal(branch->next->block, 4);
    assert_int_equal(branch->next->body->body->block, 5);
    assert_int_equal(branch->next->next->block, 6);
    assert_int_equal(branch->next->next->line, 5);
    assert_int_equal(lib->main->body->next->block, 7);
}

static void every_bad_line_is_reported(void **state)
{
    main_says(state, "%if\nCx\n%end\n%iff X\n%if A &\n%end\nC%{x\n% y\n%section 100\n%hook\n",
              "main.rules:1:4: error: the end of the line has no place here: expected a name, ! or "
              "'(' [template]\n"
              "  %if\n"
              "     ^\n"
              "main.rules:4:1: error: unknown directive %iff [template]\n"
              "  %iff X\n"
              "  ^~~~\n"
              "  hint: did you mean %if?\n"
              "main.rules:5:7: error: this character has no place here [template]\n"
              "  %if A &\n"
              "        ^\n"
              "main.rules:7:2: error: %{ is not closed [template]\n"
              "  C%{x\n"
              "   ^~\n"
              "main.rules:8:1: error: % starts a directive: write %% for a literal one [template]\n"
              "  % y\n"
              "  ^\n"
              "main.rules:9:10: error: sections are numbered from 0 to 99 [template]\n"
              "  %section 100\n"
              "           ^~~\n"
              "main.rules:10:6: error: the end of the line has no place here: expected a name "
              "[template]\n"
              "  %hook\n"
              "       ^\n");
}

static void braces_in_a_substitution_must_balance(void **state)
{
    main_says(state, "C%{A|b{c}\n",
              "main.rules:1:2: error: %{ is not closed: braces in it must balance [template]\n"
              "  C%{A|b{c}\n"
              "   ^~\n");
    main_says(state, "C%{A b}\n",
              "main.rules:1:5: error: %{NAME}, %{NAME|text}, %{NAME?text} or %{NAME+text} is "
              "expected [template]\n"
              "  C%{A b}\n"
              "      ^\n");
}

static void seventeen_substitutions_are_too_deep(void **state)
{
    char line[200] = "C";
    for (int i = 0; i < 17; i++)
        strcat(line, "%{A|");
    main_says(
        state, line,
        arena_printf(*state,
                     "main.rules:1:66: error: substitutions are nested too deeply [template]\n"
                     "  %s\n%*s^~\n",
                     line, 67, ""));
}

static void an_open_block_is_shown(void **state)
{
    main_says(state, "%if A\n  %if B\nCx\n%end\n",
              "main.rules:1:1: error: this block has no %end [template]\n"
              "  %if A\n"
              "  ^~~\n");
    main_says(state, "  %m4\nCx\n",
              "main.rules:1:3: error: this block has no %end [template]\n"
              "    %m4\n"
              "    ^~~\n");
    main_says(state, "%end\n%else\n",
              "main.rules:1:1: error: %end without a block [template]\n"
              "  %end\n"
              "  ^~~~\n"
              "main.rules:2:1: error: %else without an %if before it [template]\n"
              "  %else\n"
              "  ^~~~~\n");
}

static void a_nul_byte_is_refused(void **state)
{
    struct source_set *sources = source_set_new(*state);
    struct diag *d = diag_new(*state, sources);
    struct rule_set *set = rule_set_new(*state, d);
    rule_set_add(set, source_add(sources, "main.rules", "C\0x\n", 4), "main.rules");
    assert_null(rule_set_finish(set));
    size_t n;
    const struct finding *f = diag_sorted(d, &n)[0];
    assert_int_equal(n, 1);
    assert_string_equal(f->text, "a NUL byte");
    assert_int_equal(f->at.col, 2);
}

static void unknown_names_are_refused(void **state)
{
    const struct template_text texts[] = {
        {"main.rules",
         "%if access_bd\n%elif mailer.smpt\n%elif access_db.mop || again\n"
         "%elif access_db.again\n%end\n%for foo\n%end\n%include man\n%if A.b\n%end\n"},
        {"feature/access_db.rules", "%feature access_db\n%summary x\n%arg 1 map x\n"},
        {"mailer/smtp.rules", "%mailer smtp\n%summary x\n"},
    };
    says(state, texts, 3,
         "main.rules:1:5: error: nothing has the name access_bd [template]\n"
         "  %if access_bd\n"
         "      ^~~~~~~~~\n"
         "  hint: did you mean access_db?\n"
         "main.rules:2:7: error: there is no mailer smpt [template]\n"
         "  %elif mailer.smpt\n"
         "        ^~~~~~~~~~~\n"
         "  hint: did you mean smtp?\n"
         "main.rules:3:7: error: feature access_db has no argument mop [template]\n"
         "  %elif access_db.mop || again\n"
         "        ^~~~~~~~~~~~~\n"
         "main.rules:3:24: error: nothing has the name again [template]\n"
         "  %elif access_db.mop || again\n"
         "                         ^~~~~\n"
         "main.rules:4:7: error: again says something about one call: use it in %for or in the "
         "feature's file [template]\n"
         "  %elif access_db.again\n"
         "        ^~~~~~~~~~~~~~~\n"
         "main.rules:6:6: error: there is no feature foo [template]\n"
         "  %for foo\n"
         "       ^~~\n"
         "main.rules:8:10: error: there is no base file man [template]\n"
         "  %include man\n"
         "           ^~~\n"
         "  hint: did you mean main?\n"
         "main.rules:9:5: error: A.b is no name of an m4 macro [template]\n"
         "  %if A.b\n"
         "      ^~~\n");
}

static void a_site_may_have_its_own_mailer(void **state)
{
    const struct rule_node *n = main_of(state, "%if mailer.uucp\n%end\n");
    assert_int_equal(n->body->guard->name->ref, RULE_REF_FLAG);
    assert_string_equal(n->body->guard->name->macro, "_MAILER_uucp_");
}

static void rules_need_two_sides(void **state)
{
    main_says(state, "R$* x\nR\tx\nR$*\t \nR$*\n\tx\nR$*\n%if A\n\tx\n%end\nR%{A|x\ty}\n",
              "main.rules:1:1: error: a rule needs a tab between its sides [template]\n"
              "  R$* x\n"
              "  ^\n"
              "main.rules:2:1: error: a rule needs a left side [template]\n"
              "  R\tx\n"
              "  ^\n"
              "main.rules:3:1: error: a rule needs a right side [template]\n"
              "  R$*\t \n"
              "  ^\n");
}

static void rulesets_need_a_name(void **state)
{
    main_says(state, "S\nSa-b\nSok\nSok_1=12\nS%{A?x}b\nSa=b\nSa b\nS4\n",
              "main.rules:1:1: error: a ruleset line is SNAME or SNAME=NUMBER [template]\n"
              "  S\n"
              "  ^\n"
              "main.rules:2:1: error: a ruleset line is SNAME or SNAME=NUMBER [template]\n"
              "  Sa-b\n"
              "  ^\n"
              "main.rules:6:1: error: a ruleset line is SNAME or SNAME=NUMBER [template]\n"
              "  Sa=b\n"
              "  ^\n"
              "main.rules:7:1: error: a ruleset line is SNAME or SNAME=NUMBER [template]\n"
              "  Sa b\n"
              "  ^\n");
}

static void other_lines_are_refused(void **state)
{
    main_says(state, "if A\n",
              "main.rules:1:1: error: no .cf line starts with i [template]\n"
              "  if A\n"
              "  ^\n");
}

static void a_header_is_checked(void **state)
{
    feature_says(state, "",
                 "feature/f.rules: error: the file needs a line %feature f [template]\n"
                 "feature/f.rules: error: the file needs a %summary [template]\n");
    feature_says(state,
                 "%mailer f\n%summary x\n%flag x\n%flag _A_ `\n%arg 1 A x\n%arg 1 args x\n"
                 "%required 3\n%needs othr\n%before smpt\n",
                 "feature/f.rules:1:9: error: this file is for %feature f [template]\n"
                 "  %mailer f\n"
                 "          ^\n"
                 "feature/f.rules:3:7: error: x is no name of an m4 macro [template]\n"
                 "  %flag x\n"
                 "        ^\n"
                 "feature/f.rules:4:7: error: the value's quotes do not balance [template]\n"
                 "  %flag _A_ `\n"
                 "        ^~~\n"
                 "feature/f.rules:5:8: error: an argument's name is in lower case [template]\n"
                 "  %arg 1 A x\n"
                 "         ^\n"
                 "feature/f.rules:6:8: error: a second name for argument 1 [template]\n"
                 "  %arg 1 args x\n"
                 "         ^~~~\n"
                 "feature/f.rules:7:11: error: %required 3, and only 2 arguments have a name "
                 "[template]\n"
                 "  %required 3\n"
                 "            ^\n"
                 "feature/f.rules:8:8: error: there is no feature othr [template]\n"
                 "  %needs othr\n"
                 "         ^~~~\n"
                 "  hint: did you mean other?\n"
                 "feature/f.rules:9:9: error: there is no mailer smpt [template]\n"
                 "  %before smpt\n"
                 "          ^~~~\n"
                 "  hint: did you mean smtp?\n");
    feature_says(state,
                 "%feature f\n%summary x\n%words 1 early\n%arg 1 one x\n%words 1 a b\n"
                 "%words 1 c\n%flag _F_\n",
                 "feature/f.rules:3:8: error: no %arg above names argument 1 [template]\n"
                 "  %words 1 early\n"
                 "         ^\n"
                 "feature/f.rules:6:8: error: a second %words for argument 1 [template]\n"
                 "  %words 1 c\n"
                 "         ^\n");
    main_says(state, "Cx\n%repeat\n",
              "main.rules:2:1: error: header lines are for files in feature/ and mailer/ "
              "[template]\n"
              "  %repeat\n"
              "  ^~~~~~~\n");
}

static void things_have_their_place(void **state)
{
    main_says(state, "%options first\n%options last\n",
              "main.rules:2:1: error: %options last: it is first, or nothing [template]\n"
              "  %options last\n"
              "  ^\n");
    feature_says(
        state,
        "%feature f\n%summary x\n%repeat\nCx\n%hook here\n%if A\n%m4\n%end\n%end\n%at here\n"
        "%section 1\n%config\n%end\n%for f\n%end\n%end\n%config\n%for f\n%end\n%end\n",
        "feature/f.rules:4:1: error: a line has no place in a feature's file outside of "
        "%at and %config [template]\n"
        "  Cx\n"
        "  ^\n"
        "feature/f.rules:5:1: error: %hook has no place in a feature's file outside of %at "
        "and %config [template]\n"
        "  %hook here\n"
        "  ^\n"
        "feature/f.rules:7:1: error: %m4 has no place in a guarded block [template]\n"
        "  %m4\n"
        "  ^\n"
        "feature/f.rules:11:1: error: %section has no place in %at [template]\n"
        "  %section 1\n"
        "  ^\n"
        "feature/f.rules:12:1: error: %config has no place in %at [template]\n"
        "  %config\n"
        "  ^\n"
        "feature/f.rules:14:1: error: %at already comes once a call of f [template]\n"
        "  %for f\n"
        "  ^\n"
        "feature/f.rules:18:1: error: %for has no place in %config [template]\n"
        "  %for f\n"
        "  ^\n");
}

static void sections_have_their_lines(void **state)
{
    feature_says(state, "%feature f\n%summary x\n%config 6\n%end\n%config 3\n%end\n",
                 "feature/f.rules:5:1: error: %config of a feature cannot be in section 3 "
                 "[template]\n"
                 "  %config 3\n"
                 "  ^\n");
    const struct template_text two[] = {
        {"main.rules", "Cx\n"},
        {"mailer/m.rules", "%mailer m\n%summary x\n%config 0\n%end\n%config 9\n%config\n%end\n"
                           "%end\n%config 7\n%end\n%config 10\n%end\n"},
    };
    says(state, two, 2,
         "mailer/m.rules:6:1: error: %config has no place in %config [template]\n"
         "  %config\n  ^\n"
         "mailer/m.rules:9:1: error: %config of a mailer cannot be in section 7 [template]\n"
         "  %config 7\n  ^\n"
         "mailer/m.rules:11:1: error: %config of a mailer cannot be in section 10 [template]\n"
         "  %config 10\n  ^\n");
}

static void m4_quotes_must_balance(void **state)
{
    feature_says(state, "%feature f\n%summary x\n%m4\nx\n`a\nb\n%end\n%m4\n'\n%end\n",
                 "feature/f.rules:5: error: the m4 text's quotes do not balance [template]\n"
                 "  `a\n"
                 "feature/f.rules:9: error: the m4 text's quotes do not balance [template]\n"
                 "  '\n");
}

static void hooks_must_exist(void **state)
{
    feature_says(state, "%feature f\n%summary x\n%at heer\n%end\n",
                 "feature/f.rules:3:5: error: there is no %hook heer [template]\n"
                 "  %at heer\n"
                 "      ^~~~\n"
                 "  hint: did you mean here?\n");
}

static void circles_are_refused(void **state)
{
    const struct template_text texts[] = {
        {"a.rules", "%include b\n"}, {"b.rules", "%include a\n"}, {"main.rules", "%include a\n"}};
    says(state, texts, 3,
         "b.rules:1:1: error: %include a goes round in a circle [template]\n"
         "  %include a\n"
         "  ^\n");
    feature_says(state, "%feature f\n%summary x\n%at here\n%hook here\n%end\n",
                 "feature/f.rules:4:1: error: %hook here goes round in a circle [template]\n"
                 "  %hook here\n"
                 "  ^\n");
}

static void a_forgotten_file_is_a_warning(void **state)
{
    const struct template_text texts[] = {{"a.rules", ""}, {"main.rules", ""}};
    char *findings;
    assert_non_null(template_library_of(*state, texts, 2, &findings));
    assert_string_equal(findings, "a.rules: warning: no other file includes this one [template]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(no_file_is_no_library),
        UNIT(an_empty_file_is_good),
        UNIT(lines_pass_as_they_are),
        UNIT(substitutions_nest_and_keep_braces),
        UNIT(not_binds_more_than_and_than_or),
        UNIT(names_resolve),
        UNIT(a_feature_without_flag_gets_one),
        UNIT(a_header_is_kept),
        UNIT(blocks_are_numbered_in_order),
        UNIT(every_bad_line_is_reported),
        UNIT(braces_in_a_substitution_must_balance),
        UNIT(seventeen_substitutions_are_too_deep),
        UNIT(an_open_block_is_shown),
        UNIT(a_nul_byte_is_refused),
        UNIT(unknown_names_are_refused),
        UNIT(a_site_may_have_its_own_mailer),
        UNIT(rules_need_two_sides),
        UNIT(rulesets_need_a_name),
        UNIT(other_lines_are_refused),
        UNIT(a_header_is_checked),
        UNIT(things_have_their_place),
        UNIT(sections_have_their_lines),
        UNIT(m4_quotes_must_balance),
        UNIT(hooks_must_exist),
        UNIT(circles_are_refused),
        UNIT(a_forgotten_file_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
