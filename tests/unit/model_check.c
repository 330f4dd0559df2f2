#include "lib/model/check.h"

#include "lib/model/findings.h"
#include "tests/unit/cf_support.h"

/* What is checked has a mailer local, which stands nowhere. */
static struct cf_case read_with_local(struct arena *a, const char *text)
{
    struct cf_case c = cf_case_read(a, text, strlen(text), false);

    cf_read(c.config, "Mlocal, P=/bin/true, A=true $u\n", 31, NULL, NULL, false, c.findings);
    return c;
}

/* What is found in a .cf: "line:column+length id", then " >text<" for each edit. */
static const char *found(struct arena *a, const char *text)
{
    struct cf_case c = read_with_local(a, text);
    struct buf out;
    size_t n;

    config_check(c.config, NULL, c.findings);
    buf_init(&out, a);
    const struct finding *const *f = diag_sorted(c.findings, &n);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&out, "%s%u:%u+%u %s", i ? ", " : "", f[i]->at.line, f[i]->at.col, f[i]->at.len,
                   f[i]->id);
        for (const struct edit *e = f[i]->edits; e; e = e->next)
            buf_printf(&out, " %u+%u>%s<", e->at.col, e->at.len, e->text);
    }
    return out.data;
}

#define FOUND(text, findings) assert_string_equal(found(*state, text), findings)

/* Of an option alone. */
static const char *of_option(struct arena *a, const char *option)
{
    return found(a, arena_printf(a, "V10\nO %s\n", option));
}

#define OPTION_FOUND(text, findings) assert_string_equal(of_option(*state, text), findings)

/* Of one rule in a ruleset. */
static const char *of_rule(struct arena *a, const char *rule)
{
    return found(a, arena_printf(a, "V10\nKdequote dequote\nSx\nR%s\n", rule));
}

#define RULE_FOUND(text, findings) assert_string_equal(of_rule(*state, text), findings)

static void nothing_is_in_order(void **state)
{
    struct cf_case nothing = cf_case_read(*state, "", 0, false);

    config_check(nothing.config, NULL, nothing.findings);
    assert_int_equal(diag_count(nothing.findings, DIAG_NOTE), 1); /* no mailer local */
    FOUND("V10\n", "");
    FOUND("V10\nSx\n", "");
    FOUND("V10\nO LogLevel\n", "2:3+8 bad-number");
    FOUND("V10\nO DaemonPortOptions=\n", "");
    FOUND("V10\nO DaemonPortOptions=,\n", "");
    FOUND("V10\nO DaemonPortOptions\n", "");
    FOUND("V10\nO Timeout\n", "");
    FOUND("V10\nOp\n", "");
}

static void old_levels_are_told(void **state)
{
    FOUND("V9\n", "");
    FOUND("V7\nDo.:\n", "2:1+2 old-macro");
    FOUND("V6\nDo.:\n", "1:2+1 old-level");
    FOUND("V5/Berkeley\n", "1:2+1 old-level, 1:2+1 old-level");
    FOUND("V4\n", "1:2+1 old-level, 1:2+1 old-level, 1:2+1 old-level");
    FOUND("DAb\n", "1:1+3 old-level, 1:1+3 old-level, 1:1+3 old-level, 1:1+3 old-level");
    FOUND("V11\n", "1:2+2 new-level");
    FOUND("V10/berkeley\n", "");
    FOUND("V10/Sun\n", "1:5+3 bad-vendor");
    FOUND("V10/\n", "1:1+4 bad-vendor");
}

static void wildcards_in_a_row_explode(void **state)
{
    RULE_FOUND("$* $+ $*\t$1", "4:8+2 rule-explodes");
    RULE_FOUND("$*$*$* $*\t$1", "4:6+2 rule-explodes");
    RULE_FOUND("$* $* . $*\t$1", "");
    RULE_FOUND("$* $- $* $*\t$1", "");
}

static void conditions_need_an_end(void **state)
{
    RULE_FOUND("$*\t$1 $?a b", "4:8+2 rule-unclosed");
    RULE_FOUND("$*\t$?a b $| c", "4:5+2 rule-unclosed");
    RULE_FOUND("$*\t$?a b", "4:5+2 rule-unclosed");
    RULE_FOUND("$?a $* $.\t$1", "");
    RULE_FOUND("$* $.\t$1", "4:5+2 rule-syntax");
    RULE_FOUND("$0\tx", "4:2+2 rule-syntax");
}

static void a_number_without_rules_is_a_ruleset(void **state)
{
    RULE_FOUND("$*\t$>9 $1", "4:7+1 undefined-ruleset");
    RULE_FOUND("$*\t$>3 $1", "");
}

static void a_model_without_a_source_is_checked(void **state)
{
    struct arena *a = *state;
    struct source_set *sources = source_set_new(a);
    struct config *c = config_new(a, sources);
    struct diag *d = diag_new(a, sources);
    const char *text = "V10\nO LogLevel=x\nMlocal, P=, A=\nSx\nR$*\t$2\n";

    cf_read(c, text, strlen(text), NULL, NULL, true, d);
    config_check(c, NULL, d);
    assert_int_equal(diag_count(d, DIAG_NOTE), 4);
}

static void numbers_are_whole(void **state)
{
    OPTION_FOUND("LogLevel=0", "");
    OPTION_FOUND("LogLevel=-1", "");
    OPTION_FOUND("LogLevel=+9", "");
    OPTION_FOUND("LogLevel=99999999999999999999", "");
    OPTION_FOUND("LogLevel=-", "2:12+1 bad-number");
    OPTION_FOUND("LogLevel=9 9", "2:12+3 bad-number");
    OPTION_FOUND("LogLevel=\xff", "2:12+1 bad-number");
    OPTION_FOUND("LogLevel=$x", "");
    OPTION_FOUND("MinFreeBlocks=100/200", "");
    OPTION_FOUND("MinFreeBlocks=100/x", "2:21+1 bad-number");
    OPTION_FOUND("SharedMemoryKey=0x10", "");
    FOUND("V10\nOL9x\n", "2:3+2 bad-number");
}

static void sizes_have_no_unit(void **state)
{
    OPTION_FOUND("MaxMessageSize=1k", "2:18+2 bad-size 18+2>1024<");
    OPTION_FOUND("MaxMessageSize=1GiB", "2:18+4 bad-size 18+4>1073741824<");
    OPTION_FOUND("MaxMessageSize=5 bytes", "2:18+7 bad-size 18+7>5<");
    OPTION_FOUND("MaxMessageSize=1t", "2:18+2 bad-number");
    OPTION_FOUND("MaxMessageSize=k", "2:18+1 bad-number");
    OPTION_FOUND("MaxMessageSize=99999999999g", "2:18+12 bad-number");
}

static void times_have_units(void **state)
{
    OPTION_FOUND("MinQueueAge=1w2d3h4m5s", "");
    OPTION_FOUND("MinQueueAge=", "");
    OPTION_FOUND("MinQueueAge=m", "2:15+1 bad-time");
    OPTION_FOUND("MinQueueAge=1 m", "2:15+3 bad-time 15+3>1m<");
    OPTION_FOUND("MinQueueAge=1H, 2 minutes", "2:15+13 bad-time 15+13>1h2m<");
    OPTION_FOUND("MinQueueAge=1.5h", "2:15+4 bad-time");
    OPTION_FOUND("QueueTimeout=5d/4x", "2:19+2 bad-time");
    OPTION_FOUND("Timeout.queuereturn=now", "");
    OPTION_FOUND("Timeout.queuewarn=now", "2:21+3 bad-time");
    OPTION_FOUND("Timeout.resolver.retry=5m", "2:26+2 bad-number");
}

static void a_place_is_that_of_the_word(void **state)
{
    OPTION_FOUND("PrivacyOptions=noexpn noexp noexpn", "2:25+5 unknown-word 25+5>noexpn<");
    OPTION_FOUND("PrivacyOptions=noexpn,\n\tnoexp", "3:2+5 unknown-word 2+5>noexpn<");
    OPTION_FOUND("ResolverOptions=+AAONLY,-DEBUG", "2:20+13 unknown-word 20+13>AAONLY -DEBUG<");
    OPTION_FOUND("ServerSSLOptions=+SSL_OP_ALL,-SSL_OP_NO_TICKET", "");
    OPTION_FOUND("DaemonPortOptions=Name=Port, Port=x", "2:37+1 bad-port");
    OPTION_FOUND("DaemonPortOptions=Port=0x, Name=0x", "2:26+2 bad-port");
    FOUND("V10\nMx, P=/x, A=x, L=A\n", "2:18+1 bad-number");
}

/* The hint of the first finding. */
static const char *hint(struct arena *a, const char *option)
{
    const char *text = arena_printf(a, "V10\nO %s\n", option);
    struct cf_case c = read_with_local(a, text);
    size_t n;

    config_check(c.config, NULL, c.findings);
    const struct finding *const *f = diag_sorted(c.findings, &n);
    assert_true(n > 0);
    return f[0]->hint ? f[0]->hint : "";
}

static void a_hint_says_what_sendmail_makes_of_it(void **state)
{
    assert_string_equal(hint(*state, "MeToo=tomorrow"),
                        "sendmail takes it for true: write True or False");
    assert_string_equal(hint(*state, "MeToo=never"),
                        "sendmail takes it for false: write True or False");
    assert_string_equal(hint(*state, "LogLevel=-9x"), "sendmail takes it for -9");
    assert_string_equal(hint(*state, "DeliveryMode=interacting"), "did you mean interactive?");
    assert_string_equal(hint(*state, "DeliveryMode=dunno"),
                        "sendmail looks at the first letter and takes it for deferred");
    assert_string_equal(hint(*state, "ServerSSLOptions=x"), "");
    assert_string_equal(hint(*state, "NoRecipientAction=x"),
                        "write none, add-to, add-apparently-to, add-to-undisclosed or add-bcc");
}

static void letters_of_keys_have_a_case(void **state)
{
    OPTION_FOUND("DaemonPortOptions=d=5,D=q,r=5,R=5", "");
    OPTION_FOUND("DaemonPortOptions=C=5", "2:21+1 unknown-key");
    OPTION_FOUND("DaemonPortOptions=deliverymode=q", "2:21+12 unknown-key 21+12>DeliveryMode<");
    FOUND("V10\nQx, P=/x, r=5, R=5\n", "");
    FOUND("V10\nQx, p=/x\n", "2:5+1 unknown-key");
    /* What is missing may be the key that sendmail does not know. */
    FOUND("V10\nMx, A=x, B=1\n", "2:10+1 unknown-key");
}

static void listeners_exclude_each_other(void **state)
{
    FOUND("V10\nO DaemonPortOptions=Port=25\nO DaemonPortOptions=Port=smtp\n",
          "3:26+4 duplicate-listener");
    FOUND("V10\nO DaemonPortOptions=Port=25\nOOPort=25,Addr=192.0.2.1\n",
          "3:8+2 duplicate-listener");
    FOUND("V10\nO DaemonPortOptions=Name=a\nO DaemonPortOptions=Family=inet6\n", "");
    FOUND("V10\nO DaemonPortOptions=Addr=192.0.2.1\nO DaemonPortOptions=Addr=192.0.2.2\n", "");
    FOUND("V10\nO DaemonPortOptions=Family=unix,Addr=/a\nO DaemonPortOptions=Family=unix,Addr=/a\n",
          "");
    FOUND("V10\nO DaemonPortOptions=Addr=127.0.0.1\n", "2:26+9 loopback-only");
    FOUND("V10\nO UseMSP=True\nO DaemonPortOptions=Addr=127.0.0.1\n", "");
    FOUND("V10\nO DaemonPortOptions=Famly=inet6,Addr=::1\n",
          "2:21+5 unknown-key 21+5>Family<, 2:38+3 loopback-only");
    FOUND("V10\nO DaemonPortOptions=Addr=127.0.0.1\nO DaemonPortOptions=Port=26\n",
          "2:26+9 loopback-only");
    FOUND("V10\nO DaemonPortOptions=Port=26,Addr=127.0.0.1\n", "");
}

static void names_are_declared(void **state)
{
    FOUND("V10\nKx dequote\nKX null\n", "3:2+1 duplicate-map");
    FOUND("V10\nXx, S=/x\nXx, S=/y\nO InputMailFilters=x\n", "3:2+1 duplicate-filter");
    FOUND("V10\nSa\nSb\nSa\nRx\ty\nSb\nRx\ty\n", "");
    FOUND("V10\nSa\nRx\ty\nSb\nSa=5\nRx\ty\n", "5:2+1 duplicate-ruleset");
    FOUND("V10\nKx dequote\nKboth sequence X host\n", "");
    FOUND("V10\nKboth sequence x\nKx dequote\n", "2:16+1 undefined-map");
    FOUND("V10\nKx DNS -Ra\n", "");
    FOUND("V10\nKx dns -r5\n", "2:4+3 map-lacks");
    FOUND("V10\nXx, S=/x\n", "2:2+1 filter-unused");
    FOUND("V10\nXx, S=/x\nXy, S=/y\nO InputMailFilters=x;y, x,\n", "");
    FOUND("V10\nXx, S=/x\nO InputMailFilters=x;y\n", "3:22+1 unknown-filter");
    FOUND("V10\nXx, S=/x\nO InputMailFilters=,\n", "2:2+1 filter-unused, 3:20+1 unknown-filter");
    FOUND("V10\nMx, P=/x, A=x, S=a/0, R=$x\n", "2:18+1 undefined-ruleset");
    FOUND("V10\nHX: $>+a\nHY: $> a\nHZ: $>{a}\nSa\n", "");
    FOUND("V10\nMx, P=/x, A=x, Q=q\nQq, P=/q\n", "2:18+1 undefined-queue");
}

static void rules_are_what_sendmail_loads(void **state)
{
    RULE_FOUND("$*\t$1", "");
    RULE_FOUND("$\t$", "");
    RULE_FOUND("$*\t$1$", "");
    RULE_FOUND("$=\tx", "");
    RULE_FOUND("$*\t\\$9 $$9", "");
    RULE_FOUND("$*\t$[$1$]$(dequote $1$)", "");
    RULE_FOUND("$*\t$[ $1 $)", "4:5+2 rule-unclosed, 4:11+2 rule-unclosed");
    RULE_FOUND("$*\t$>", "4:5+2 undefined-ruleset");
    RULE_FOUND("$*\t$>$&{y} $>$1 $>x $>0 $>5", "");
    RULE_FOUND("$*\t$>100 $1", "4:7+3 undefined-ruleset");
    RULE_FOUND("$*\t$?{a}b$.$?c", "4:13+2 rule-unclosed");
    RULE_FOUND("$*\t${abcdefghijklmnopqrstuvwxyz}", "4:7+26 rule-syntax");
    RULE_FOUND("$*\t${abcdefghijklmnopqrstuvwxy}", "");
    RULE_FOUND("${\tx", "4:2+2 rule-syntax");
    RULE_FOUND("$* < $*\t> $* ", "4:12+2 rule-syntax");
    RULE_FOUND("a < b\t\"", "4:4+1 rule-unbalanced, 4:8+1 rule-unbalanced");
    RULE_FOUND("a )( b\tc", "4:4+1 rule-unbalanced");
    /* A rule with continuation lines. */
    RULE_FOUND("$*\n\t$1\n  $2", "6:3+2 rule-out-of-bounds");
}

static void a_part_is_not_told_what_it_lacks(void **state)
{
    struct arena *a = *state;
    struct cf_case c = cf_case_read(a, "V10\nSx\nR$*\t$>y $(z $1 $) $2\n", 27, false);
    struct check_context partial = {.partial = true};

    config_check(c.config, &partial, c.findings);
    assert_string_equal(cf_case_findings(a, c), "3:19+2 rule-out-of-bounds");
}

static void sendmail_knows_most_flags(void **state)
{
    (void)state;
    assert_true(config_mailer_flag('l'));
    assert_true(config_mailer_flag('%'));
    assert_false(config_mailer_flag('G'));
    assert_false(config_mailer_flag('\0'));
    assert_false(config_mailer_flag((char)0xff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_is_in_order),
        UNIT(a_model_without_a_source_is_checked),
        UNIT(old_levels_are_told),
        UNIT(wildcards_in_a_row_explode),
        UNIT(conditions_need_an_end),
        UNIT(a_number_without_rules_is_a_ruleset),
        UNIT(numbers_are_whole),
        UNIT(sizes_have_no_unit),
        UNIT(times_have_units),
        UNIT(a_place_is_that_of_the_word),
        UNIT(a_hint_says_what_sendmail_makes_of_it),
        UNIT(letters_of_keys_have_a_case),
        UNIT(listeners_exclude_each_other),
        UNIT(names_are_declared),
        UNIT(rules_are_what_sendmail_loads),
        UNIT(a_part_is_not_told_what_it_lacks),
        UNIT(sendmail_knows_most_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
