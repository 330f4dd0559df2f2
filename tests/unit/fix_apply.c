#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/fix.h"

/* A folder with f.mc, its text, and findings about it. */
struct bench {
    struct arena *arena;
    char folder[32];
    const char *path;
    struct source_set *sources;
    struct source *source;
    struct diag *diag;
    struct fix fix;
};

static void setup(struct bench *b, void **state, const char *text)
{
    *b = (struct bench){.arena = *state, .folder = "/tmp/mcf-fix-XXXXXX"};
    assert_non_null(mkdtemp(b->folder));
    b->path = arena_printf(b->arena, "%s/f.mc", b->folder);
    FILE *f = fopen(b->path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
    b->sources = source_set_new(b->arena);
    b->source = source_open(b->sources, b->path, NULL);
    b->diag = diag_new(b->arena, b->sources);
    fix_init(&b->fix, b->arena, b->path, NULL);
}

static void cleanup(struct bench *b)
{
    unlink(b->path);
    rmdir(b->folder);
}

static struct finding *found(struct bench *b, uint32_t line, uint32_t col, uint32_t len,
                             const char *text)
{
    struct origin at = {b->source->id, line, col, len};
    struct finding *f = diag_add(b->diag, DIAG_ERROR, "id", at, "text");
    if (text)
        diag_edit(b->diag, f, at, text);
    return f;
}

static void assert_applied(struct bench *b, size_t mended, const char *want)
{
    assert_int_equal(fix_apply(&b->fix, b->diag, b->sources), mended);
    const struct fix_file *f = fix_find(&b->fix, b->path);
    if (!want) {
        assert_true(!f || !f->changed);
    } else {
        assert_non_null(f);
        assert_string_equal(f->text, want);
        assert_int_equal(f->len, strlen(want));
    }
    cleanup(b);
}

static void nothing_to_mend(void **state)
{
    struct bench b;
    setup(&b, state, "one\n");
    assert_applied(&b, 0, NULL);
    setup(&b, state, "one\n");
    found(&b, 1, 1, 3, NULL);
    assert_applied(&b, 0, NULL);
}

static void an_empty_file(void **state)
{
    struct bench b;
    setup(&b, state, "");
    found(&b, 1, 1, 0, "one\n");
    assert_applied(&b, 1, "one\n");
}

static void places_that_are_none(void **state)
{
    struct bench b;
    setup(&b, state, "one\n");
    found(&b, 0, 0, 0, "x");
    found(&b, 1, 0, 0, "x");
    found(&b, 1, 1, 5, "x");          /* beyond the end */
    found(&b, 1, 1, UINT32_MAX, "x"); /* far beyond it */
    struct finding *f = diag_add(b.diag, DIAG_ERROR, "id", (struct origin){0, 0, 0, 0}, "text");
    diag_edit(b.diag, f, (struct origin){0, 1, 1, 1}, "x");
    diag_edit(b.diag, f, (struct origin){77, 1, 1, 1}, "x");
    assert_applied(&b, 0, NULL);
}

static void each_byte_is_replaced_once(void **state)
{
    struct bench b;
    setup(&b, state, "one two three\n");
    found(&b, 1, 5, 3, "2");
    found(&b, 1, 1, 3, "1");
    found(&b, 1, 7, 3, "overlaps");
    found(&b, 1, 9, 5, "3");
    assert_applied(&b, 3, "1 2 3\n");
}

static void neighbours_do_not_overlap(void **state)
{
    struct bench b;
    setup(&b, state, "abcd\n");
    found(&b, 1, 1, 2, "AB");
    found(&b, 1, 3, 0, "-");
    found(&b, 1, 3, 2, "CD");
    assert_applied(&b, 3, "AB-CD\n");
}

static void what_was_there_before_is_no_change(void **state)
{
    struct bench b;
    setup(&b, state, "one\n");
    found(&b, 1, 1, 3, "one");
    assert_int_equal(fix_apply(&b.fix, b.diag, b.sources), 1);
    assert_false(fix_changed(&b.fix));
    cleanup(&b);
}

static void an_insertion_inside_what_goes(void **state)
{
    struct bench b;
    setup(&b, state, "abcd\n");
    found(&b, 1, 1, 4, "");
    found(&b, 1, 3, 0, "-");
    assert_applied(&b, 1, "\n");
}

static void all_edits_of_a_finding_or_none(void **state)
{
    struct bench b;
    setup(&b, state, "one two three\n");
    found(&b, 1, 1, 3, "1");
    struct finding *f = found(&b, 1, 9, 5, "3");
    diag_edit(b.diag, f, (struct origin){b.source->id, 1, 2, 1}, "overlaps the first");
    assert_applied(&b, 1, "1 two three\n");
}

static void two_insertions_in_one_place(void **state)
{
    struct bench b;
    setup(&b, state, "one\ntwo\n");
    found(&b, 2, 1, 0, "a\n");
    found(&b, 2, 1, 0, "b\n"); /* whole lines: one after the other */
    found(&b, 2, 1, 0, "a\n"); /* the same twice */
    found(&b, 1, 4, 0, ")");
    found(&b, 1, 4, 0, "'"); /* who knows in which order */
    assert_applied(&b, 3, "one)\na\nb\ntwo\n");
}

static void lines_end_as_the_others(void **state)
{
    struct bench b;
    setup(&b, state, "one\r\nt\xfcw\r\nthree");
    found(&b, 2, 1, 0, "x\ny\n");
    found(&b, 3, 1, 5, "3\n");
    assert_applied(&b, 2, "one\r\nx\r\ny\r\nt\xfcw\r\n3\r\n");
}

static void outside_of_the_folder(void **state)
{
    struct bench b;
    setup(&b, state, "one\n");
    char other[] = "/tmp/mcf-fix-other-XXXXXX";
    int fd = mkstemp(other);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "two\n", 4), 4);
    close(fd);
    struct source *s = source_open(b.sources, other, NULL);
    struct finding *f = found(&b, 1, 1, 3, "1");
    diag_edit(b.diag, f, (struct origin){s->id, 1, 1, 3}, "2");
    assert_applied(&b, 0, NULL);
    unlink(other);
}

static void what_is_written_keeps_its_mode(void **state)
{
    struct bench b;
    const char *path;
    struct stat st;
    char bytes[16] = "";
    setup(&b, state, "one\n");
    assert_int_equal(chmod(b.path, 0640), 0);
    found(&b, 1, 1, 3, "1");
    assert_int_equal(fix_apply(&b.fix, b.diag, b.sources), 1);
    assert_int_equal(fix_write(&b.fix, false, &path), 0);
    FILE *f = fopen(b.path, "rb");
    assert_non_null(fgets(bytes, sizeof bytes, f));
    fclose(f);
    assert_string_equal(bytes, "one\n"); /* not the file itself, unless it is asked for */
    assert_int_equal(fix_write(&b.fix, true, &path), 0);
    f = fopen(b.path, "rb");
    assert_non_null(fgets(bytes, sizeof bytes, f));
    fclose(f);
    assert_string_equal(bytes, "1\n");
    assert_int_equal(stat(b.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    cleanup(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_to_mend),
        UNIT(an_empty_file),
        UNIT(places_that_are_none),
        UNIT(each_byte_is_replaced_once),
        UNIT(neighbours_do_not_overlap),
        UNIT(what_was_there_before_is_no_change),
        UNIT(an_insertion_inside_what_goes),
        UNIT(all_edits_of_a_finding_or_none),
        UNIT(two_insertions_in_one_place),
        UNIT(lines_end_as_the_others),
        UNIT(outside_of_the_folder),
        UNIT(what_is_written_keeps_its_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
