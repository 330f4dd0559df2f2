/* compiler/embed.c: the program's output.  Run from the root of the repository; the program is
 * $MCF_EMBED or embed in $BUILD (build), and its output for rulesets/ is linked in. */
#include <errno.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/template.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "tests/unit/template.h"

static char dir[] = "/tmp/template_embed.XXXXXX";

static int make_dir(void **state)
{
    char path[64];
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/feature", dir);
    if (mkdir(path, 0700) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/mailer", dir);
    return mkdir(path, 0700);
}

static int remove_dir(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command);
}

static void put(const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) < 0, 0);
    assert_int_equal(fclose(f), 0);
}

/* What a shell command prints, in the folder of the test's files; its exit status in *status. */
static const char *shell(struct arena *a, const char *command, int *status)
{
    struct buf out;
    char chunk[4096];
    size_t n;
    const char *embed = getenv("MCF_EMBED"), *build = getenv("BUILD");
    if (!embed)
        embed = arena_printf(a, "%s/embed", build ? build : "build");
    char *program = realpath(embed, NULL);
    assert_non_null(program);
    FILE *f =
        popen(arena_printf(a, "cd %s; embed() { '%s' \"$@\"; }; %s", dir, program, command), "r");
    free(program);
    assert_non_null(f);
    buf_init(&out, a);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(&out, chunk, n);
    int end = pclose(f);
    assert_true(WIFEXITED(end));
    *status = WEXITSTATUS(end);
    return out.data;
}

/* What m4 says to input after the library of main, feature and mailer, and what is wanted at the
 * end; a line that gives the value of NAME is <NAME>, one of the end is end: NAME. */
static const char *m4(struct arena *a, const char *main_text, const char *feature,
                      const char *mailer, const char *input)
{
    int status;
    put("main.rules", main_text);
    put("feature/f.rules", feature);
    put("mailer/m.rules", mailer);
    put("in.m4", input);
    put("pre.m4", "changecom`'define(`_mcf_run', `$1')define(`_mcf_define', defn(`define'))dnl\n");
    const char *out = shell(a,
                            "embed o.c o.m4 o.end . ./*.rules ./*/*.rules 2>&1 &&"
                            " { cat pre.m4; echo 'divert(-1)'; cat o.m4; echo 'divert`'\"'dnl\";"
                            " cat in.m4; } | { m4 -E -E 2>&1 && cat o.end; } |"
                            " sed 's/^@mcf0@ =[0-9]*:\\(.*\\)$/<\\1>/; s/^`@.*=./end: /'",
                            &status);
    if (status != 0)
        fail_msg("%s", out);
    return out;
}

static void a_call_defines_flags_and_runs_its_m4(void **state)
{
    const char *out = m4(*state, "",
                         "%feature f\n%summary x\n%flag _F_\n%flag _G_ a b\n%m4\n"
                         "%# no\ndefine(`V', _ARG_)dnl\n  %end\n%m4\nx\n%end\n",
                         "%mailer m\n%summary x\n%m4\ndefine(`W', 2)dnl\n%end\n",
                         "define(`_ARG_', 1)indir(`_mcf_feature.f')`'"
                         "indir(`_mcf_mailer.m')`'_F_ _G_ V W "
                         "ifdef(`_mcf_feature.m', y, n)`'ifdef(`_mcf_mailer.f', y, n)");
    assert_string_equal(out, "x\n1 a b 1 2 nn");
}

static void a_feature_says_what_it_lacks(void **state)
{
    const char *out =
        m4(*state, "", "%feature f\n%summary x\n%flag _F_\n%needs f\n", "%mailer m\n%summary x\n",
           "[indir(`_mcf_lacks.f')]indir(`_mcf_feature.f')_F_ "
           "define(`_F_', 2)[indir(`_mcf_lacks.f')]indir(`_mcf_feature.f')_F_");
    assert_string_equal(out, "[f]_F_ []1");
    out = m4(*state, "", "%feature f\n%summary x\n", "%mailer m\n%summary x\n",
             "ifdef(`_mcf_lacks.f', y, n)");
    assert_string_equal(out, "n");
}

static void parameters_belong_to_the_m4_text(void **state)
{
    const char *out = m4(*state, "",
                         "%feature f\n%summary x\n%m4\n"
                         "define(`A', `a$1,$2,`$1',$#,`$*' ifelse(`$1', `x', ``$1'')')\n"
                         "$1 $ `$2' ``$3'' $# $@\n%end\n",
                         "%mailer m\n%summary x\n", "indir(`_mcf_feature.f')A(`x', `y')");
    assert_string_equal(out, "\n$1 $ $2 `$3' $# $@\nax,y,x,2,x,y x");
}

static void a_feature_without_flags_gets_one(void **state)
{
    const char *out = m4(*state, "%if f\n%end\n", "%feature f\n%summary x\n",
                         "%mailer m\n%summary x\n", "indir(`_mcf_feature.f')`'_mcf_on_f\n");
    assert_string_equal(out, "1\nend: _mcf_on_f\n");
}

static void names_are_wanted_when_they_are_used(void **state)
{
    const char *out = m4(
        *state, "%if A && !B\nC%{C|%{D?%{E}}}\n%elif ostype == \"x\" || mailer.m\n%end\n%hook h\n",
        "%feature f\n%summary x\n%flag _F_\n%reads R S\n%arg 1 one x\n%if "
        "G1\n%config\nC%{K}%{one}\n"
        "%if L\n%end\n%end\n%elif G2\n%end\n%at h\nC%{H}%{R}\n%end\n%if Z\n%at h\n%end\n%end\n",
        "%mailer m\n%summary x\n%reads T\nC%{U}%{f?x}\n",
        "indir(`_mcf_snap_config.f')\nindir(`_mcf_snap_mailer.m')\n");
    assert_string_equal(out, "<G1>\n<K>\n<L>\n<G2>\n<R>\n<S>\n<U>\n<_F_>\n<T>\n"
                             "end: H\nend: R\nend: Z\nend: _F_\nend: A\nend: B\nend: C\n"
                             "end: D\nend: E\nend: __OSTYPE__\nend: _MAILER_m_\n");
}

static void a_bad_file_writes_nothing(void **state)
{
    int status;
    put("main.rules", "%if\n%end\n");
    put("feature/f.rules", "%feature f\n%summary x\n");
    put("mailer/m.rules", "%mailer m\n%summary x\n");
    const char *out = shell(*state,
                            "rm -f o.*; embed o.c o.m4 o.end . ./*.rules ./*/*.rules 2>&1; s=$?;"
                            " ls o.c o.m4 o.end 2>/dev/null; exit $s",
                            &status);
    assert_int_equal(status, 1);
    assert_string_equal(out, "./main.rules:1:4: error: the end of the line has no place here: "
                             "expected a name, ! or '(' [template]\n  %if\n     ^\n");
}

static void wrong_calls_are_refused(void **state)
{
    int status;
    shell(*state, "embed 2>/dev/null", &status);
    assert_int_equal(status, 2);
    shell(*state, "embed --check . 2>/dev/null", &status);
    assert_int_equal(status, 2);
    assert_string_equal(shell(*state, "embed --check feature ./main.rules 2>&1", &status),
                        "embed: ./main.rules is not below feature\n");
    assert_int_equal(status, 2);
    assert_string_equal(shell(*state, "embed --check . ./none.rules 2>&1", &status),
                        "embed: ./none.rules: No such file or directory\n");
    assert_int_equal(status, 66);
}

/* --- the embedded library --- */

struct sink {
    struct source_set *sources;
    struct buf out;
};

static void sink_line(void *ctx, const char *text, size_t len, struct origin at, const char *macro,
                      const struct item *item)
{
    struct sink *s = ctx;
    (void)len, (void)macro, (void)item;
    buf_printf(&s->out, "%s:%u %s\n", source_by_id(s->sources, at.file)->path, at.line, text);
}

static void sink_section(void *ctx, unsigned n)
{
    buf_printf(&((struct sink *)ctx)->out, "section %u\n", n);
}

static void sink_options(void *ctx, bool first)
{
    buf_adds(&((struct sink *)ctx)->out, first ? "first options\n" : "options\n");
}

static const char *every_name_is_set(void *ctx, const char *name)
{
    (void)ctx;
    return name;
}

static const char *no_name_is_set(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

/* All that a library gives when every feature and mailer is called once, and nothing or all is set;
 * and what its tables say. */
static const char *all_of(struct arena *a, const struct rule_library *lib)
{
    struct sink s = {.sources = source_set_new(a)};
    buf_init(&s.out, a);
    for (int set = 0; set < 2; set++) {
        struct template_symbols symbols = {set ? every_name_is_set : no_name_is_set, NULL};
        static const char *const args[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
        struct template_call *calls = arena_calloc(a, lib->nfeatures, sizeof *calls);
        for (size_t i = 0; i < lib->nfeatures; i++)
            calls[i] = (struct template_call){lib->features[i]->name, args, set ? 9 : 0, symbols};
        struct template t = {.lib = lib,
                             .arena = a,
                             .sources = s.sources,
                             .now = symbols,
                             .calls = calls,
                             .ncalls = lib->nfeatures,
                             .line = sink_line,
                             .section = sink_section,
                             .options = sink_options,
                             .ctx = &s};
        template_main(&t);
        for (size_t i = 0; i < lib->nfeatures; i++)
            template_feature_config(&t, i);
        for (size_t i = 0; i < lib->nmailers; i++) {
            struct template_call m = {lib->mailers[i]->name, args, 9, symbols};
            for (unsigned section = 0; section < 10; section++)
                template_mailer(&t, &m, section);
        }
    }
    for (size_t i = 0; i < lib->nfiles; i++) {
        const struct rule_file *f = lib->files[i];
        buf_printf(&s.out, "%d %s %s %s %s %u %d %u\n", f->kind, f->path, f->name,
                   f->summary ? f->summary : "-", f->flag ? f->flag : "-", f->required, f->repeat,
                   f->first_block);
        for (size_t k = 0; k < f->nflags; k++)
            buf_printf(&s.out, "flag %s %s\n", f->flags[k].name, f->flags[k].value);
        for (size_t k = 0; k < f->nargs; k++)
            buf_printf(&s.out, "arg %u %s %s\n", f->args[k].number, f->args[k].name,
                       f->args[k].text);
        const char *const *lists[] = {f->needs, f->before, f->reads};
        for (size_t k = 0; k < 3; k++) {
            for (const char *const *word = lists[k]; *word; word++)
                buf_printf(&s.out, "%zu %s\n", k, *word);
        }
    }
    for (uint32_t n = 1; n <= lib->blocks; n++) {
        const char *path;
        uint32_t line;
        assert_true(template_block_place(lib, n, &path, &line));
        buf_printf(&s.out, "block %s:%u\n", path, line);
    }
    return s.out.data;
}

static void the_embedded_library_is_the_parsed_one(void **state)
{
    struct arena *a = *state;
    glob_t g;
    assert_int_equal(glob("rulesets/*.rules", 0, NULL, &g), 0);
    glob("rulesets/feature/*.rules", GLOB_APPEND, NULL, &g);
    glob("rulesets/mailer/*.rules", GLOB_APPEND, NULL, &g);
    struct template_text *texts = arena_calloc(a, g.gl_pathc, sizeof *texts);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        char *text;
        size_t len;
        assert_int_equal(fs_read(a, g.gl_pathv[i], 0, &text, &len), 0);
        texts[i].rel = arena_strdup(a, g.gl_pathv[i] + strlen("rulesets/"));
        texts[i].text = text;
    }
    char *findings;
    const struct rule_library *lib = template_library_of(a, texts, g.gl_pathc, &findings);
    globfree(&g);
    assert_non_null(lib);
    assert_true(lib->blocks > 0);
    assert_int_equal(lib->nfiles, template_rulesets.nfiles);
    assert_int_equal(lib->blocks, template_rulesets.blocks);
    assert_string_equal(all_of(a, lib), all_of(a, &template_rulesets));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_call_defines_flags_and_runs_its_m4),
        UNIT(a_feature_says_what_it_lacks),
        UNIT(parameters_belong_to_the_m4_text),
        UNIT(a_feature_without_flags_gets_one),
        UNIT(names_are_wanted_when_they_are_used),
        UNIT(a_bad_file_writes_nothing),
        UNIT(wrong_calls_are_refused),
        UNIT(the_embedded_library_is_the_parsed_one),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
