/*
 * What is kept of what is said: lines in both directions, whatever pieces they come in.
 */
#include <stdio.h>
#include <string.h>

#include "mta/front/traffic.h"
#include "tests/unit/unit.h"

static const char *kept(FILE *f, char *out, size_t room)
{
    rewind(f);
    out[fread(out, 1, room - 1, f)] = '\0';
    return out;
}

static void nothing_is_kept_without_a_file(void **state)
{
    assert_null(traffic_new(*state, -1, 1));
    traffic_in(NULL, "x\n", 2);
    traffic_out(NULL, "x\n", 2);
    traffic_note(NULL, "CONNECT", "x");
}

static void each_line_is_one_in_the_file(void **state)
{
    FILE *f = tmpfile();
    struct traffic *t = traffic_new(*state, fileno(f), 100012), *u;
    char text[1000];

    u = traffic_new(*state, fileno(f), 7);
    traffic_note(t, "CONNECT", "192.0.2.1 25");
    traffic_in(t, "", 0);
    traffic_in(t, "EH", 2);
    traffic_in(u, "QUIT\r\n", 6);
    traffic_out(t, "220 a\r", 6);
    traffic_in(t, "LO x\r\n\nNO", 9);
    traffic_out(t, "\n250-b\r\n250 c\r\nd", 17);
    traffic_in(t, "OP\n", 3);
    assert_string_equal(kept(f, text, sizeof text), "00012 === CONNECT 192.0.2.1 25\n"
                                                    "00007 <<< QUIT\r\n"
                                                    "00012 <<< EHLO x\r\n"
                                                    "00012 <<< \n"
                                                    "00012 >>> 220 a\n"
                                                    "00012 >>> 250-b\n"
                                                    "00012 >>> 250 c\n"
                                                    "00012 <<< NOOP\n");
    fclose(f);
}

static void a_long_line_is_several(void **state)
{
    FILE *f = tmpfile();
    struct traffic *t = traffic_new(*state, fileno(f), 1);
    char text[3 * TRAFFIC_LINE], line[2 * TRAFFIC_LINE + 2];
    const size_t mark = strlen("00001 <<< ");

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    traffic_in(t, line, sizeof line);
    kept(f, text, sizeof text);
    assert_int_equal(strlen(text), 3 * (mark + 1) + sizeof line - 1);
    assert_memory_equal(text + mark + TRAFFIC_LINE, "\n00001 <<< x", mark + 2);
    assert_string_equal(text + strlen(text) - mark - 3, "\n00001 <<< x\n");
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(nothing_is_kept_without_a_file),
        UNIT(each_line_is_one_in_the_file),
        UNIT(a_long_line_is_several),
    };
    return cmocka_run_group_tests_name("mta_traffic", tests, NULL, NULL);
}
