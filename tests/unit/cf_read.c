#include "tests/unit/cf_support.h"

#include <stdlib.h>

static const char v10[] = "V10/Berkeley\n";

/* --- nothing, and little -------------------------------------------------------------------- */

static void nothing_gives_no_items(void **state)
{
    struct cf_case c = cf_case_read(*state, "", 0, true);

    assert_int_equal(c.config->count, 0);
    assert_int_equal(diag_count(c.findings, DIAG_NOTE), 0);
}

static void without_diag_nothing_is_reported(void **state)
{
    struct arena *a = *state;
    struct config *c = config_new(a, source_set_new(a));

    cf_read(c, "Z\n", 2, NULL, NULL, true, NULL);
    assert_int_equal(c->count, 1);
    assert_int_equal(c->first->kind, ITEM_UNKNOWN);
    assert_int_equal(c->first->at.file, 0);
}

static void every_byte_alone_is_one_item(void **state)
{
    for (int ch = 1; ch < 256; ch++) {
        char text[2] = {(char)ch, '\0'};
        struct cf_case c = cf_case_read(*state, text, 1, true);

        assert_int_equal(c.config->count, ch == '\r' ? 0 : 1);
        if (ch != '\n' && ch != '\r')
            assert_string_equal(c.config->first->text, text);
    }
}

static void the_last_line_needs_no_line_end(void **state)
{
    struct cf_case c = cf_case_read(*state, "DXa\nDYb", 7, true);

    assert_int_equal(c.config->count, 2);
    assert_string_equal(c.config->last->value, "b");
    assert_string_equal(cf_case_emit(*state, c), "DXa\nDYb\n");
}

/* --- lines ---------------------------------------------------------------------------------- */

static void line_ends_may_be_crlf(void **state)
{
    const char text[] = "DXa\r\nO LogLevel=9\r\nMx, P=/x,\r\n\tA=y\r\n\r\nDYb\r";
    struct cf_case c = cf_case_read(*state, text, strlen(text), true);

    assert_string_equal(cf_case_emit(*state, c), "DXa\nO LogLevel=9\nMx, P=/x,\n\tA=y\n\nDYb\n");
    assert_string_equal(c.config->first->value, "a");
    assert_string_equal(c.config->last->value, "b");
    assert_int_equal(diag_count(c.findings, DIAG_NOTE), 0);
}

static void a_cr_inside_a_line_stays(void **state)
{
    struct cf_case c = cf_case_read(*state, "DXa\rb\n", 6, true);

    assert_string_equal(c.config->first->value, "a\rb");
}

static void bytes_above_127_stay(void **state)
{
    const struct item *it = cf_case_item(*state, "DX\xe9t\xe9 \xff\x80", ITEM_MACRO);

    assert_string_equal(it->value, "\xe9t\xe9 \xff\x80");
}

static void a_nul_byte_is_reported_and_reads_as_a_blank(void **state)
{
    struct cf_case c = cf_case_read(*state, "DXa\0b\0\nDYc\n\0\n", 13, true);

    assert_string_equal(c.config->first->value, "a b");
    assert_string_equal(c.config->last->value, "c");
    assert_string_equal(cf_case_findings(*state, c), "1:4+1 nul-byte, 3:1+1 nul-byte");
}

static void a_line_may_be_a_megabyte(void **state)
{
    size_t len = 1 << 20;
    char *text = malloc(len + 1);

    memset(text, 'x', len);
    memcpy(text, "Cw", 2);
    for (size_t i = 9; i < len; i += 10)
        text[i] = ' ';
    text[len] = '\0';
    const struct item *it = cf_case_item(*state, text, ITEM_CLASS);
    size_t words = 0;
    while (it->words[words])
        words++;
    assert_int_equal(words, len / 10 + 1);
    free(text);
}

static void continuation_lines_belong_to_the_line(void **state)
{
    const struct item *it = cf_case_item(*state, "DXa\n\tb\n   \n c", ITEM_MACRO);

    assert_string_equal(it->value, "a\n\tb\n   \n c");
}

static void comments_are_kept_or_dropped(void **state)
{
    const char text[] = "# a\n\nDXa\n#b\n";
    struct cf_case all = cf_case_read(*state, text, strlen(text), true);
    struct cf_case few = cf_case_read(*state, text, strlen(text), false);

    assert_int_equal(all.config->count, 4);
    assert_int_equal(all.config->first->kind, ITEM_COMMENT);
    assert_int_equal(all.config->first->next->kind, ITEM_BLANK);
    assert_string_equal(cf_case_emit(*state, all), text);
    assert_string_equal(cf_case_emit(*state, few), "DXa\n");
}

static void a_comment_that_swallows_a_line_is_kept_and_reported(void **state)
{
    const char text[] = "# a\n\tDXb\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), false);

    assert_int_equal(c.config->count, 1);
    assert_int_equal(c.config->first->kind, ITEM_COMMENT);
    assert_string_equal(cf_case_findings(*state, c), "2:2+3 continued-comment");
}

static void a_blank_first_byte_needs_a_line_to_continue(void **state)
{
    const char text[] = " DXa\n\n\tDYb\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), true);

    assert_int_equal(c.config->count, 2);
    assert_int_equal(c.config->first->kind, ITEM_UNKNOWN);
    assert_int_equal(c.config->last->kind, ITEM_UNKNOWN);
    assert_string_equal(cf_case_emit(*state, c), text);
    assert_string_equal(cf_case_findings(*state, c), "1:1+4 unknown-line, 3:1+4 unknown-line");
}

/* --- remarks -------------------------------------------------------------------------------- */

static struct item *second(struct arena *a, const char *line)
{
    const char *text = arena_printf(a, "%s%s\n", v10, line);
    struct cf_case c = cf_case_read(a, text, strlen(text), false);

    assert_int_equal(c.config->count, 2);
    assert_string_equal(c.config->last->text, line);
    return c.config->last;
}

static void a_remark_is_no_part_of_the_value(void **state)
{
    struct item *it = second(*state, "DXfoo # bar");

    assert_string_equal(it->value, "foo");
    assert_string_equal(it->comment, "# bar");
    assert_string_equal(second(*state, "O LogLevel=9\t# high")->value, "9");
    assert_string_equal(second(*state, "DX#")->value, "");
    assert_string_equal(second(*state, "DXa$$# b")->value, "a$$");
}

static void a_remark_ends_with_its_physical_line(void **state)
{
    struct item *it = second(*state, "DXfoo\t# a\n bar # b");

    assert_string_equal(it->value, "foo\n bar");
    assert_string_equal(it->comment, "# a\n# b");
}

static void a_backslash_keeps_a_hash(void **state)
{
    struct item *it = second(*state, "Fw/etc/mail/lhn %[^\\#]");

    assert_string_equal(it->value, "/etc/mail/lhn %[^#]");
    assert_null(it->comment);
}

static void a_mailer_operator_is_no_remark(void **state)
{
    const char text[] = "V10\nSx\nR$*\t$#local $: $1\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), false);

    assert_string_equal(c.config->last->value, "$#local $: $1");
    assert_null(c.config->last->comment);
}

static void before_level_3_a_hash_is_a_byte(void **state)
{
    const char text[] = "DAx#y\nV2\nDBx#y\nSz\nRa # b\tc\nV3\nDCx#y\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), false);
    const struct item *it = c.config->first;

    assert_string_equal(it->value, "x#y");
    it = it->next->next;
    assert_string_equal(it->value, "x#y");
    it = it->next->next;
    assert_string_equal(it->aux, "a # b");
    assert_string_equal(c.config->last->value, "x");
}

/* --- the kinds of line ---------------------------------------------------------------------- */

static void version_has_level_and_vendor(void **state)
{
    assert_string_equal(cf_case_item(*state, "V10", ITEM_VERSION)->value, "10");
    assert_null(cf_case_item(*state, "V10", ITEM_VERSION)->aux);
    assert_string_equal(cf_case_item(*state, "V 9 / Sun", ITEM_VERSION)->value, "9");
    assert_string_equal(cf_case_item(*state, "V 9 / Sun", ITEM_VERSION)->aux, "Sun");
}

static void macro_names_are_one_byte_or_in_braces(void **state)
{
    const struct item *it = cf_case_item(*state, "Dj$w.$m", ITEM_MACRO);

    assert_string_equal(it->name, "j");
    assert_string_equal(it->value, "$w.$m");
    it = cf_case_item(*state, "D{a_long1}", ITEM_MACRO);
    assert_string_equal(it->name, "a_long1");
    assert_string_equal(it->value, "");
    assert_string_equal(cf_case_item(*state, "D x", ITEM_MACRO)->name, " ");
}

static void macro_values_keep_leading_blanks_only(void **state)
{
    assert_string_equal(cf_case_item(*state, "DX  a b  ", ITEM_MACRO)->value, "  a b");
}

static void class_words_are_split_at_blanks(void **state)
{
    const struct item *it = cf_case_item(*state, "C{w} a\t$=x \n b ", ITEM_CLASS);

    assert_string_equal(it->name, "w");
    assert_string_equal(it->words[0], "a");
    assert_string_equal(it->words[1], "$=x");
    assert_string_equal(it->words[2], "b");
    assert_null(it->words[3]);
    assert_null(cf_case_item(*state, "Cw", ITEM_CLASS)->words[0]);
}

static void class_files_keep_their_specification(void **state)
{
    const struct item *it = cf_case_item(*state, "F{VirtHost}-o /etc/x %s", ITEM_CLASSFILE);

    assert_string_equal(it->name, "VirtHost");
    assert_string_equal(it->value, "-o /etc/x %s");
    assert_string_equal(cf_case_item(*state, "Fw|/bin/x", ITEM_CLASSFILE)->value, "|/bin/x");
    assert_string_equal(cf_case_item(*state, "F{G}@ldap:-k x", ITEM_CLASSFILE)->value,
                        "@ldap:-k x");
}

static void maps_have_name_class_and_arguments(void **state)
{
    const struct item *it = cf_case_item(*state, "Kaccess hash -T<TMPF>  /etc/a", ITEM_MAP);

    assert_string_equal(it->name, "access");
    assert_string_equal(it->aux, "hash");
    assert_string_equal(it->value, "-T<TMPF>  /etc/a");
    it = cf_case_item(*state, "K\n\tx null", ITEM_MAP);
    assert_string_equal(it->name, "x");
    assert_string_equal(it->aux, "null");
    assert_string_equal(it->value, "");
}

static void assert_equates(const struct equate *e, const char *const *want)
{
    for (; *want; want += 2, e = e->next) {
        assert_non_null(e);
        assert_string_equal(e->key, want[0]);
        assert_true(e->has_value == (want[1] != NULL));
        assert_string_equal(e->value, want[1] ? want[1] : "");
    }
    assert_null(e);
}

static void mailers_have_equates(void **state)
{
    const char *const want[] = {"P", "[IPC]",  "Flags", "lm o",   "S", "a/b",
                                "E", "\\r\\n", "A",     "TCP $h", NULL};
    const struct item *it = cf_case_item(
        *state, "Msmtp,\t\tP=[IPC], Flags = lm o, S=a/b, E=\\r\\n,\n\t\tA=TCP $h", ITEM_MAILER);

    assert_string_equal(it->name, "smtp");
    assert_equates(it->equates, want);
}

static void quotes_and_backslashes_keep_a_comma_in_a_mailer(void **state)
{
    const char *const want[] = {"P", "/x", "A", "a \"b, c\" d\\,e=f", NULL};

    assert_equates(cf_case_item(*state, "Mx, P=/x, A=a \"b, c\" d\\,e=f,", ITEM_MAILER)->equates,
                   want);
}

static void the_comma_after_a_mailers_name_may_be_missing(void **state)
{
    const char *const want[] = {"P", "/x", "A", "y", NULL};

    assert_equates(cf_case_item(*state, "Mx P=/x, A=y", ITEM_MAILER)->equates, want);
    assert_equates(cf_case_item(*state, "Mx\n , P=/x, A=y", ITEM_MAILER)->equates, want);
}

static void filters_and_queues_have_equates(void **state)
{
    const char *const filter[] = {"S", "inet:1@h", "F", "T", "T", "C:5m;R:5m", NULL};
    const char *const queue[] = {"P", "/q", "F", "f", NULL};

    assert_equates(cf_case_item(*state, "Xa, S=inet:1@h, F=T, T=C:5m;R:5m", ITEM_FILTER)->equates,
                   filter);
    assert_equates(cf_case_item(*state, "Qa, P=/q, F=f", ITEM_QUEUE)->equates, queue);
    assert_null(cf_case_item(*state, "Qa", ITEM_QUEUE)->equates);
}

static void headers_have_flags_name_and_value(void **state)
{
    const struct item *it = cf_case_item(*state, "H?P?Return-Path: <$g>", ITEM_HEADER);

    assert_string_equal(it->aux, "P");
    assert_string_equal(it->name, "Return-Path");
    assert_string_equal(it->value, "<$g>");
    it = cf_case_item(*state, "H?${x}?X-A :", ITEM_HEADER);
    assert_string_equal(it->aux, "${x}");
    assert_string_equal(it->name, "X-A");
    assert_string_equal(it->value, "");
    it = cf_case_item(*state, "H*: $>+CheckAll", ITEM_HEADER);
    assert_null(it->aux);
    assert_string_equal(it->name, "*");
    assert_string_equal(it->value, "$>+CheckAll");
    it = cf_case_item(*state, "HReceived: a: b?\n\tc", ITEM_HEADER);
    assert_string_equal(it->value, "a: b?\n\tc");
}

static void long_options_have_name_and_value(void **state)
{
    const struct item *it = cf_case_item(*state, "O Timeout.queuereturn = 5d ", ITEM_OPTION);

    assert_string_equal(it->name, "Timeout.queuereturn");
    assert_string_equal(it->value, "5d");
    assert_string_equal(it->aux, "=");
    assert_false(it->short_option);
    it = cf_case_item(*state, "O UseMSP", ITEM_OPTION);
    assert_string_equal(it->name, "UseMSP");
    assert_string_equal(it->value, "");
    assert_null(it->aux);
    assert_string_equal(cf_case_item(*state, "O X=a=b", ITEM_OPTION)->value, "a=b");
}

static void short_options_are_a_letter(void **state)
{
    const struct item *it = cf_case_item(*state, "OL9", ITEM_OPTION);

    assert_true(it->short_option);
    assert_string_equal(it->name, "L");
    assert_string_equal(it->value, "9");
    assert_string_equal(cf_case_item(*state, "Oo", ITEM_OPTION)->value, "");
}

static void port_options_have_equates_under_every_name(void **state)
{
    const char *const want[] = {"Port", "25", "Name", "MTA", "M", "E", NULL};
    const char rest[] = "Port=25,Name=MTA, M = E";
    static const char *const starts[] = {
        "O DaemonPortOptions=", "O daemonport = ", "O ClientPortOptions=", "OO"};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        const struct item *it =
            cf_case_item(*state, arena_printf(*state, "%s%s", starts[i], rest), ITEM_OPTION);

        assert_string_equal(it->value, rest);
        assert_equates(it->equates, want);
    }
    assert_null(cf_case_item(*state, "O PrivacyOptions=a=b,c", ITEM_OPTION)->equates);
}

static void quotes_keep_no_comma_in_port_options(void **state)
{
    const char *const want[] = {"Port", "\"2", "5\"", NULL, "Name", "x\\", "y", NULL, NULL};
    const struct item *it =
        cf_case_item(*state, "O DaemonPortOptions=Port=\"2,5\",Name=x\\,y", ITEM_OPTION);

    assert_equates(it->equates, want);
}

static void priorities_and_environment_have_values(void **state)
{
    const struct item *it = cf_case_item(*state, "Pjunk=-100", ITEM_PRIORITY);

    assert_string_equal(it->name, "junk");
    assert_string_equal(it->value, "-100");
    it = cf_case_item(*state, "EPATH=/bin:/x=y", ITEM_ENV);
    assert_string_equal(it->name, "PATH");
    assert_string_equal(it->value, "/bin:/x=y");
    assert_non_null(it->aux);
    it = cf_case_item(*state, "ETZ", ITEM_ENV);
    assert_string_equal(it->name, "TZ");
    assert_null(it->aux);
}

static void trusted_users_are_words(void **state)
{
    const struct item *it = cf_case_item(*state, "Troot daemon", ITEM_TRUSTED);

    assert_string_equal(it->words[0], "root");
    assert_string_equal(it->words[1], "daemon");
    assert_null(it->words[2]);
}

static void rulesets_have_name_and_number(void **state)
{
    assert_string_equal(cf_case_item(*state, "Scanonify=3", ITEM_RULESET)->name, "canonify");
    assert_string_equal(cf_case_item(*state, "Scanonify=3", ITEM_RULESET)->value, "3");
    assert_string_equal(cf_case_item(*state, "S e =  12 x", ITEM_RULESET)->value, "12");
    assert_null(cf_case_item(*state, "S98", ITEM_RULESET)->value);
    assert_string_equal(cf_case_item(*state, "S98", ITEM_RULESET)->name, "98");
    assert_string_equal(cf_case_item(*state, "Sa-b c", ITEM_RULESET)->name, "a");
}

static const struct item *rule(struct arena *a, const char *line)
{
    const char *text = arena_printf(a, "V10\nSx\n%s\n", line);
    struct cf_case c = cf_case_read(a, text, strlen(text), false);

    assert_int_equal(diag_count(c.findings, DIAG_NOTE), 0);
    assert_int_equal(c.config->last->kind, ITEM_RULE);
    assert_string_equal(c.config->last->text, line);
    return c.config->last;
}

static void rules_are_split_at_tabs(void **state)
{
    const struct item *it = rule(*state, "R$* < @ $+ >\t\t$: $1\t\ta comment\twith tabs");

    assert_string_equal(it->aux, "$* < @ $+ >");
    assert_string_equal(it->value, "$: $1");
    assert_string_equal(it->comment, "a comment\twith tabs");
    assert_null(rule(*state, "Ra\tb")->comment);
    assert_string_equal(rule(*state, "Ra\tb # c")->value, "b");
    assert_string_equal(rule(*state, "Ra\tb # c")->comment, "# c");
    assert_string_equal(rule(*state, "Ra \\# b\tc")->aux, "a # b");
}

static void rules_may_be_continued(void **state)
{
    assert_string_equal(rule(*state, "Ra\n\tb")->aux, "a");
    assert_string_equal(rule(*state, "Ra\n\tb")->value, "b");
    assert_string_equal(rule(*state, "Ra\n \tb")->value, "b");
    assert_string_equal(rule(*state, "Ra\tb\n c")->value, "b\n c");
    assert_null(rule(*state, "Ra\tb\n c")->comment);
    assert_string_equal(rule(*state, "Ra\tb\n\tc")->value, "b");
    assert_string_equal(rule(*state, "Ra\tb\n\tc")->comment, "c");
}

/* --- findings ------------------------------------------------------------------------------- */

/* One line per case: what is wrong with it, and where. */
static const struct {
    const char *line, *finding;
} broken[] = {
    {"Z", "1:1+1 unknown-line"},
    {"FEATUR", NULL}, /* an F line */
    {"lower case", "1:1+10 unknown-line"},
    {"Lx", "1:1+2 unknown-line"},
    {"V", "1:2+0 bad-version"},
    {"Vx", "1:2+1 bad-version"},
    {"D", "1:2+0 missing-name"},
    {"D{", "1:2+1 missing-brace"},
    {"D{foo x", "1:2+6 missing-brace"},
    {"D{}x", "1:2+2 missing-name"},
    {"D{a b}x", "1:4+1 bad-name"},
    {"C", "1:2+0 missing-name"},
    {"F\n x", "1:2+0 missing-name"},
    {"K", "1:2+0 missing-name"},
    {"K  x", "1:5+0 missing-class"},
    {"M", "1:2+0 missing-name"},
    {"M,P=x", "1:2+1 missing-name"},
    {"M x, P=y", "1:2+1 missing-name"},
    {"Mx, P=/x, F, A=y", "1:11+1 missing-equals"},
    {"X", "1:2+0 missing-name"},
    {"Q", "1:2+0 missing-name"},
    {"Qa, P=/q, oops", "1:11+4 missing-equals"},
    {"H", "1:2+0 missing-colon"},
    {"HFoo", "1:5+0 missing-colon"},
    {"H: x", "1:2+1 missing-name"},
    {"HFoo Bar: x", "1:5+1 bad-name"},
    {"H?F Foo: x", "1:2+1 missing-question-mark"},
    {"H?F?Foo", "1:8+0 missing-colon"},
    {"O", "1:2+0 missing-name"},
    {"O ", "1:3+0 missing-name"},
    {"O =x", "1:3+0 missing-name"},
    {"O   LogLevel=9", "1:3+2 blank-before-option"},
    {"O LogLevel 9", "1:11+1 missing-equals"},
    {"O\tLogLevel=9", "1:2+1 missing-name"},
    {"P", "1:1+1 missing-equals"},
    {"Pabc", "1:1+4 missing-equals"},
    {"S", "1:2+0 missing-name"},
    {"S=3", "1:2+2 bad-name"},
    {"S{x}", "1:2+3 bad-name"},
    {"S300", "1:2+3 bad-number"},
    {"Sx=", "1:4+0 missing-number"},
    {"Sx=abc", "1:4+3 bad-number"},
    {"R$*\t$1", "1:1+6 rule-without-ruleset"},
    {"Sx\nR$* <$*>   $: $1", "2:9+3 rule-no-tab"},
    {"Sx\nR$* <$*> $: $1", "2:9+1 rule-no-tab"},
    {"Sx\nRa b", "2:3+1 rule-no-tab"},
    {"Sx\nRab", "2:4+0 rule-no-tab"},
    {"Sx\nR", "2:2+0 rule-no-tab"},
    {"Sx\nR$*\t", "2:4+1 rule-no-right-side"},
    {"Sx\nR\t$1", "2:1+1 rule-no-left-side"},
    {"S{x}\nR$*\t$1", "1:2+3 bad-name, 2:1+6 rule-without-ruleset"},
};

static void what_is_wrong_is_reported_where_it_is(void **state)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        const char *line = broken[i].line;
        struct cf_case c = cf_case_read(*state, line, strlen(line), false);
        const char *found = cf_case_findings(*state, c);

        if (strcmp(found, broken[i].finding ? broken[i].finding : "") != 0)
            fail_msg("\"%s\": found \"%s\", not \"%s\"", line, found, broken[i].finding);
        assert_string_equal(cf_case_emit(*state, c), arena_printf(*state, "%s\n", line));
    }
}

static void what_is_wrong_is_no_item_of_its_kind(void **state)
{
    const char text[] = "D{foo\nO LogLevel 9\nHFoo\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), false);

    for (const struct item *it = c.config->first; it; it = it->next)
        assert_int_equal(it->kind, ITEM_UNKNOWN);
}

/* --- origins -------------------------------------------------------------------------------- */

static void items_stand_where_their_line_begins(void **state)
{
    const char text[] = "# c\nDXa\nMx, P=/x,\n\tA=y\nDYb\n";
    struct cf_case c = cf_case_read(*state, text, strlen(text), false);
    const struct item *it = c.config->first;

    assert_int_equal(it->at.line, 2);
    assert_int_equal(it->next->at.line, 3);
    assert_int_equal(it->next->next->at.line, 5);
    assert_int_equal(it->at.col, 1);
    assert_int_equal(it->cause.file, 0);
}

static void assembled_text_has_the_origins_of_its_lines(void **state)
{
    struct arena *a = *state;
    const char text[] = "DXa\nMx, P=/x,\n\tQ\n";
    const struct cf_line_origin lines[] = {{{7, 12, 5, 0}, {3, 40, 1, 0}, NULL},
                                           {{8, 100, 1, 0}, {0, 0, 0, 0}, NULL},
                                           {{8, 200, 0, 0}, {0, 0, 0, 0}, NULL}};
    struct source_set *sources = source_set_new(a);
    struct cf_case c = {config_new(a, sources), diag_new(a, sources)};

    cf_read(c.config, text, strlen(text), NULL, lines, false, c.findings);
    assert_int_equal(c.config->first->at.file, 7);
    assert_int_equal(c.config->first->at.line, 12);
    assert_int_equal(c.config->first->at.col, 5);
    assert_int_equal(c.config->first->cause.file, 3);
    assert_int_equal(c.config->first->cause.line, 40);
    assert_int_equal(c.config->last->at.line, 100);
    /* The file is not known: no column. */
    assert_string_equal(cf_case_findings(a, c), "200:0+0 missing-equals");
}

static void a_known_line_is_not_read_again(void **state)
{
    struct arena *a = *state;
    static const struct item rule = {.kind = ITEM_RULE, .text = "R$*\t$1", .value = "known"};
    static const struct item set = {.kind = ITEM_RULESET, .text = "Sx", .name = "known"};
    const struct cf_line_origin lines[] = {
        {{8, 1, 0, 0}, {0, 0, 0, 0}, &rule}, {{8, 2, 0, 0}, {0, 0, 0, 0}, &set},
        {{8, 3, 0, 0}, {0, 0, 0, 0}, &rule}, {{8, 4, 0, 0}, {0, 0, 0, 0}, &rule},
        {{8, 5, 0, 0}, {0, 0, 0, 0}, NULL},  {{8, 6, 0, 0}, {3, 1, 1, 0}, &rule}};
    /* A rule outside of a ruleset, and one that goes on, are read as ever. */
    const char text[] = "R$*\t$1\nSx\nR$*\t$1\nR$*\t$1\n\t\tgoes on\nR$*\t$1";
    struct cf_case c = {config_new(a, source_set_new(a)), NULL};
    c.findings = diag_new(a, c.config->sources);

    cf_read(c.config, text, strlen(text), NULL, lines, false, c.findings);
    assert_string_equal(cf_case_findings(a, c), "1:0+0 rule-without-ruleset");
    const struct item *it = c.config->first->next;
    assert_int_equal(c.config->count, 5);
    assert_string_equal(it->name, "known");
    assert_int_equal(it->at.line, 2);
    assert_string_equal(it->next->value, "known");
    assert_string_equal(it->next->next->value, "$1");
    assert_string_equal(c.config->last->value, "known");
    assert_int_equal(c.config->last->at.line, 6);
    assert_int_equal(c.config->last->cause.file, 3);
    assert_ptr_equal(c.config->last->next, NULL);
}

static void a_column_is_told_where_the_bytes_are_the_same(void **state)
{
    static const struct {
        const char *source, *line, *findings;
    } cases[] = {
        {"", "K", "1:0+0 missing-name"}, /* no such line */
        {"Mx, P=/x, Q\n", "Mx, P=/x, Q", "1:11+1 missing-equals"},
        {"macro(`Q')\n", "Mx, P=/x, Q", "1:8+1 missing-equals"},   /* once in its line */
        {"macro(`Q,Q')\n", "Mx, P=/x, Q", "1:0+0 missing-equals"}, /* which of the two? */
        {"macro(`QQ')\n", "Mx, P=/x, Q", "1:0+0 missing-equals"},  /* part of a word */
    };
    struct arena *a = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source_set *sources = source_set_new(a);
        struct cf_case c = {config_new(a, sources), diag_new(a, sources)};
        uint32_t id = source_add(sources, "x.mc", cases[i].source, strlen(cases[i].source))->id;
        const struct cf_line_origin lines[] = {{{id, 1, 0, 0}, {0, 0, 0, 0}, NULL}};

        cf_read(c.config, cases[i].line, strlen(cases[i].line), NULL, lines, false, c.findings);
        assert_string_equal(cf_case_findings(a, c), cases[i].findings);
    }
}

static void a_text_beyond_all_measure_is_not_read(void **state)
{
    struct arena *a = *state;
    struct source_set *sources = source_set_new(a);
    struct cf_case c = {config_new(a, sources), diag_new(a, sources)};

    /* Nothing of it is looked at. */
    cf_read(c.config, "", (size_t)300 << 20, NULL, NULL, false, c.findings);
    assert_int_equal(c.config->count, 0);
    assert_string_equal(cf_case_findings(a, c), "0:0+0 too-large");
}

static void reading_twice_appends(void **state)
{
    struct arena *a = *state;
    struct config *c = config_new(a, source_set_new(a));

    cf_read(c, "DXa\n", 4, NULL, NULL, false, NULL);
    cf_read(c, "DYb\n", 4, NULL, NULL, false, NULL);
    assert_int_equal(c->count, 2);
    assert_string_equal(c->last->name, "Y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_gives_no_items),
        UNIT(without_diag_nothing_is_reported),
        UNIT(every_byte_alone_is_one_item),
        UNIT(the_last_line_needs_no_line_end),
        UNIT(line_ends_may_be_crlf),
        UNIT(a_cr_inside_a_line_stays),
        UNIT(bytes_above_127_stay),
        UNIT(a_nul_byte_is_reported_and_reads_as_a_blank),
        UNIT(a_line_may_be_a_megabyte),
        UNIT(continuation_lines_belong_to_the_line),
        UNIT(comments_are_kept_or_dropped),
        UNIT(a_comment_that_swallows_a_line_is_kept_and_reported),
        UNIT(a_blank_first_byte_needs_a_line_to_continue),
        UNIT(a_remark_is_no_part_of_the_value),
        UNIT(a_remark_ends_with_its_physical_line),
        UNIT(a_backslash_keeps_a_hash),
        UNIT(a_mailer_operator_is_no_remark),
        UNIT(before_level_3_a_hash_is_a_byte),
        UNIT(version_has_level_and_vendor),
        UNIT(macro_names_are_one_byte_or_in_braces),
        UNIT(macro_values_keep_leading_blanks_only),
        UNIT(class_words_are_split_at_blanks),
        UNIT(class_files_keep_their_specification),
        UNIT(maps_have_name_class_and_arguments),
        UNIT(mailers_have_equates),
        UNIT(quotes_and_backslashes_keep_a_comma_in_a_mailer),
        UNIT(the_comma_after_a_mailers_name_may_be_missing),
        UNIT(filters_and_queues_have_equates),
        UNIT(headers_have_flags_name_and_value),
        UNIT(long_options_have_name_and_value),
        UNIT(short_options_are_a_letter),
        UNIT(port_options_have_equates_under_every_name),
        UNIT(quotes_keep_no_comma_in_port_options),
        UNIT(priorities_and_environment_have_values),
        UNIT(trusted_users_are_words),
        UNIT(rulesets_have_name_and_number),
        UNIT(rules_are_split_at_tabs),
        UNIT(rules_may_be_continued),
        UNIT(what_is_wrong_is_reported_where_it_is),
        UNIT(what_is_wrong_is_no_item_of_its_kind),
        UNIT(items_stand_where_their_line_begins),
        UNIT(assembled_text_has_the_origins_of_its_lines),
        UNIT(a_known_line_is_not_read_again),
        UNIT(a_column_is_told_where_the_bytes_are_the_same),
        UNIT(a_text_beyond_all_measure_is_not_read),
        UNIT(reading_twice_appends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
