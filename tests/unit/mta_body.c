/*
 * Bodies as they are written: lines, dots, From_ lines, and changes of encoding; each in one piece
 * and byte by byte.
 */
#include <string.h>

#include "mta/message/body.h"
#include "mta/message/envelope.h"
#include "tests/unit/unit.h"

struct written {
    const char *flags;
    uint64_t limit;
    const char *in, *out; /* without the head's empty line */
};

static struct plan plan(const char *flags, const char *head)
{
    struct plan p = {.kind = PLAN_SMTP, .flags = bytes_of(flags), .head = bytes_of(head)};

    p.mark = bytes_of("h id i");
    return p;
}

static char *write_body(struct arena *a, const struct plan *p, bool host_8bit, const char *in,
                        size_t piece)
{
    struct body *b = body_new(a, p, body_change(p, host_8bit));
    size_t len = strlen(in);
    struct buf out;

    buf_init(&out, a);
    for (int pass = body_scans(b) ? 0 : 1; pass < 2; pass++) {
        if (pass)
            body_head(b, &out);
        for (size_t i = 0; i < len; i += piece) {
            size_t n = len - i < piece ? len - i : piece;
            if (pass)
                body_write(b, in + i, n, &out);
            else
                body_scan(b, in + i, n);
        }
    }
    body_end(b, &out);
    return out.data;
}

static void check(struct arena *a, const struct plan *p, bool host_8bit, const char *in,
                  const char *out)
{
    for (size_t piece = 1; piece < 200; piece += piece < 4 ? 1 : 60)
        assert_string_equal(write_body(a, p, host_8bit, in, piece), out);
}

static void lines(void **state)
{
    static const struct written table[] = {
        {"", 0, "", ""},
        {"", 0, "\n", "\r\n"},
        {"", 0, "abc", "abc\r\n"},
        {"", 0, ".\n..\n.x\nx.\n.", "..\r\n...\r\n..x\r\nx.\r\n..\r\n"},
        {"", 0, "a\rb\r\nc\r\r\n", "a\rb\r\r\nc\r\r\r\n"},
        {"b", 0, "", "\r\n"},
        {"b", 0, "abc", "abc\r\n\r\n"},
        {"", 0, "From me\n", "From me\r\n"},
        {"E", 0, "From me\n>From x\nFrom\nfrom me\n From x\nFromx\nFro",
         ">From me\r\n>From x\r\nFrom\r\nfrom me\r\n From x\r\nFromx\r\nFro\r\n"},
        {"E", 0, "From ", ">From \r\n"},
        {"7E", 0, "\xae\n\xc6rom me\xff\n", "..\r\n>From me\x7f\r\n"},
        {"", 20, "xxxxxxxxxxxxxxxxxxxx\n", "xxxxxxxxxxxxxxxxxxxx\r\n"},
        {"", 20, "xxxxxxxxxxxxxxxxxxxxx\n", "xxxxxxxxxxxxxxxxxxx!\r\n xx\r\n"},
        {"", 20, "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ\n",
         "abcdefghijklmnopqrs!\r\n tuvwxyz0123456789A!\r\n BCDEFGHIJKLMNOPQRS!\r\n TUVWXYZ\r\n"},
        {"", 20, "xxxxxxxxxxxxxxxxxxx.yz\n.aaaaaaaaaaaaaaaaaaa\n.aaaaaaaaaaaaaaaaaaaa",
         "xxxxxxxxxxxxxxxxxxx!\r\n .yz\r\n..aaaaaaaaaaaaaaaaaaa\r\n..aaaaaaaaaaaaaaaaaa!\r\n "
         "aa\r\n"},
        {"E", 20, "xxxxxxxxxxxxxxxxxxxFrom me\n", "xxxxxxxxxxxxxxxxxxx!\r\n From me\r\n"},
        {"", 2, "abcd\n", "abcd\r\n"},
        {"", 3, "abcd\nabcde\n", "ab!\r\n cd\r\nab!\r\n c!\r\n de\r\n"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plan p = plan(table[i].flags, "");
        p.line_limit = table[i].limit;
        check(*state, &p, true, table[i].in, arena_printf(*state, "\r\n%s", table[i].out));
    }
}

static void a_program_has_its_line_ends_and_dots_only_by_its_flags(void **state)
{
    struct plan p = plan("", "A: b\n");

    p.kind = PLAN_FILE;
    p.first = bytes_of("From s  now");
    check(*state, &p, true, ".\nx", "From s  now\nA: b\n\n.\nx\n");
    p.flags = bytes_of("Xb");
    p.eol = bytes_of("\r\n");
    check(*state, &p, true, ".\n", "From s  now\r\nA: b\r\n\r\n..\r\n\r\n");
}

#define TEXT "MIME-Version: 1.0\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: "
#define TEXT_OUT                                                                                   \
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=x\r\nContent-Transfer-Encoding: "
#define TO_QP                                                                                      \
    "quoted-printable\r\nX-MIME-Autoconverted: from 8bit to quoted-printable by h id i\r\n\r\n"
#define TO_BASE64 "base64\r\nX-MIME-Autoconverted: from 8bit to base64 by h id i\r\n\r\n"
#define A73 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void eight_bits_become_seven(void **state)
{
    static const struct {
        const char *head, *in, *out;
    } table[] = {
        {TEXT "8bit\n", "abcdefghijkl\xe4\n", TEXT_OUT TO_QP "abcdefghijkl=E4\r\n"},
        {TEXT "8bit\n", "b\xe4\n", TEXT_OUT TO_BASE64 "YuQNCg==\r\n"},
        {TEXT "8bit\n",
         "\xe4\xe4\xe4\xe4"
         "aaaaaaaaaaaaaaaaaaaaaaaaaa\n",
         TEXT_OUT TO_BASE64 "5OTk5GFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhDQo=\r\n"},
        {TEXT "8bit\n",
         "\xe4\xe4\xe4\xe4"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
         TEXT_OUT TO_QP "=E4=E4=E4=E4"
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"},
        {TEXT "binary\n", "abcdefghij\xe4\n", TEXT_OUT TO_BASE64 "YWJjZGVmZ2hpauQNCg==\r\n"},
        {TEXT "8bit\n", "abcdefghijkl\xe4\nabc", TEXT_OUT TO_QP "abcdefghijkl=E4\r\nabc\r\n"},
        {TEXT "8bit\n", "\xe4\xe4\xe4\xe4\r\n\xe4\n", TEXT_OUT TO_BASE64 "5OTk5A0K5A0K\r\n"},
        {TEXT "8bit\n", "a=b\tc \nd\t\n \n\x01\x7f\n.dot\n..\nFrom me\n\xe4",
         TEXT_OUT TO_QP
         "a=3Db\tc=20\r\nd=09\r\n=20\r\n=01=7F\r\n..dot\r\n...\r\nFrom me\r\n=E4\r\n"},
        {TEXT "8bit\n", A73 "a\xe4\n" A73 "aa\n" A73 ".\n" A73 ".b\n" A73 " \na\rb\r\na \t\n",
         TEXT_OUT TO_QP A73 "=\r\na=E4\r\n" A73 "=\r\naa\r\n" A73 ".\r\n" A73 "=\r\n..b\r\n" A73
                            "=\r\n=20\r\na=0Db\r\na =09\r\n"},
        {"MIME-Version: 1.0\n", "abcdefghij\xe4\n",
         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
         "Content-Transfer-Encoding: " TO_QP "abcdefghij=E4\r\n"},
        /* What cannot be changed is not. */
        {TEXT "quoted-printable\n", "abcdefghij\xe4\n",
         TEXT_OUT "quoted-printable\r\n\r\nabcdefghij\xe4\r\n"},
        {TEXT "x-foo\n", "abcdefghij\xe4\n", TEXT_OUT "x-foo\r\n\r\nabcdefghij\xe4\r\n"},
        {"Subject: no MIME\n", "abcdefghij\xe4\n", "Subject: no MIME\r\n\r\nabcdefghij\xe4\r\n"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plan p = plan("", table[i].head);
        p.body = ENVELOPE_HAS_8BIT;
        check(*state, &p, false, table[i].in, table[i].out);
    }
}

#define MULTI "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"bb\"\n"
#define MULTI_OUT "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"bb\"\r\n\r\n"
#define CTE "Content-Transfer-Encoding: "

static void each_part_has_its_own_encoding(void **state)
{
    static const struct {
        const char *in, *out;
    } table[] = {
        {"pre\xe4"
         "amble\n--bb\n\npart1 abcdefghijkl\xe4\n--bb\nContent-Type: text/html; charset=q\n" CTE
         "8bit\nX-y: z\xe4\n\npart2\xe4\xe4\xe4\xe4\n--bb\nContent-Type: image/png\n\nascii\n"
         "--bb  \n" CTE "8bit\n\nplain\n--bb--\nepi\xe4\n",
         "predamble\r\n--bb\r\n" CTE TO_QP "part1 abcdefghijkl=E4\r\n--bb\r\n"
         "Content-Type: text/html; charset=q\r\nX-y: z\xe4\r\n" CTE TO_BASE64
         "cGFydDLk5OTk\r\n--bb\r\nContent-Type: image/png\r\n\r\nascii\r\n--bb\r\n" CTE
         "8bit\r\n\r\nplain\r\n--bb--\r\nepid\r\n"},
        {"--bb\nContent-Type: multipart/alternative; boundary=cc\n\n--cc\n"
         "Content-Type: text/plain\n\nin\xe4nerabcdefghijk\n--cc\n\nx\n--cc--\n\n--bb\n"
         "Content-Type: message/rfc822\n\nSubject: i\n\nabcdefghijklm\xe4\n--bb--\n",
         "--bb\r\nContent-Type: multipart/alternative; boundary=cc\r\n\r\n--cc\r\n"
         "Content-Type: text/plain\r\n" CTE TO_QP "in=E4nerabcdefghijk\r\n--cc\r\n\r\nx\r\n"
         "--cc--\r\n\r\n--bb\r\nContent-Type: message/rfc822\r\n\r\nSubject: i\r\n"
         "MIME-Version: 1.0\r\n" CTE TO_QP "abcdefghijklm=E4\r\n--bb--\r\n"},
        {"--bb\n\nabcdefghij\xe4", "--bb\r\n" CTE TO_QP "abcdefghij=E4\r\n--bb--\r\n"},
        {"--bb\nX: y", "--bb\r\nX: y\r\n--bb--\r\n"},
        {"--bb", "--bb\r\n--bb--\r\n"},
        {"", "--bb--\r\n"},
        {"--bbx\n--bb\n\nlast\xe4"
         "aaaaaaaaaaaaaaa\n--bbc\n--bb--x\nq\n--bb--\n",
         "--bbx\r\n--bb\r\n" CTE TO_QP "last=E4"
         "aaaaaaaaaaaaaaa\r\n--bbc\r\n--bb--x\r\nq\r\n--bb--\r\n"},
        {"--bb\n" CTE "quoted-printable\n\nabcdefghijkl=E4\n--bb\n\nb\xe4\n--bb--\n",
         "--bb\r\n" CTE "quoted-printable\r\n\r\nabcdefghijkl=E4\r\n--bb\r\n" CTE TO_BASE64
         "YuQ=\r\n--bb--\r\n"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plan p = plan("", MULTI CTE "8bit\n");
        p.body = ENVELOPE_HAS_8BIT;
        check(*state, &p, false, table[i].in,
              arena_printf(*state, "%s%s", MULTI_OUT, table[i].out));
    }
}

static void seven_bits_become_eight(void **state)
{
    static const char out[] =
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: 8bit\n"
        "X-MIME-Autoconverted: from ";
    struct plan p = plan("9", TEXT "quoted-printable\n");

    p.kind = PLAN_PROGRAM;
    check(*state, &p, true, "a=E4b=\nc=20  \nd=  \ne=zz=4\n.\n=C3",
          arena_printf(*state,
                       "%squoted-printable to 8bit by h id i\n\na\xe4"
                       "bc \nde=zz=4\n.\n\xc3\n",
                       out));
    p.head = bytes_of(TEXT "base64\n");
    check(*state, &p, true, "YWJj5AphYg0KLgpG\ncm9tIG1lCg==\n",
          arena_printf(*state, "%sbase64 to 8bit by h id i\n\nabc\xe4\nab\n.\nFrom me\n\n", out));
    p.head = bytes_of("MIME-Version: 1.0\nContent-Type: text/html\n" CTE "base64\n");
    assert_int_equal(body_change(&p, true), BODY_KEEP);
}

static void what_is_changed(void **state)
{
    static const struct {
        const char *flags, *head;
        uint64_t body;
        bool host;
        enum body_change change;
        const char *parameter;
    } table[] = {
        {"", "", 0, false, BODY_KEEP, NULL},
        {"", "", ENVELOPE_8BIT, true, BODY_KEEP, "7BIT"},
        {"", "", ENVELOPE_7BIT | ENVELOPE_HAS_8BIT, true, BODY_KEEP, "7BIT"},
        {"", "", ENVELOPE_HAS_8BIT, false, BODY_KEEP, NULL},
        {"", TEXT "8bit\n", ENVELOPE_HAS_8BIT, false, BODY_TO_7BIT, NULL},
        {"8", TEXT "8bit\n", ENVELOPE_HAS_8BIT, false, BODY_KEEP, NULL},
        {"7", TEXT "8bit\n", ENVELOPE_HAS_8BIT, true, BODY_TO_7BIT, NULL},
        {"", "", ENVELOPE_HAS_8BIT | ENVELOPE_8BIT, false, BODY_TO_7BIT, "8BITMIME"},
        {"", "", ENVELOPE_HAS_8BIT | ENVELOPE_8BIT, true, BODY_KEEP, "8BITMIME"},
        {"", "", ENVELOPE_HAS_8BIT | BODY_MIMEFY, false, BODY_TO_7BIT, "8BITMIME"},
        {"", "", ENVELOPE_HAS_8BIT | BODY_MIMEFY, true, BODY_LABEL, "8BITMIME"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct plan p = plan(table[i].flags, table[i].head);
        p.body = table[i].body;
        assert_int_equal(body_change(&p, table[i].host), table[i].change);
        if (table[i].parameter)
            assert_string_equal(body_parameter(&p), table[i].parameter);
        else
            assert_null(body_parameter(&p));
    }
}

static void text_is_labelled(void **state)
{
    struct plan p = plan("", "Subject: s\n");

    p.body = ENVELOPE_HAS_8BIT | BODY_MIMEFY;
    check(
        *state, &p, true, "b\xe4\n",
        "Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" CTE
        "8bit\r\n\r\nb\xe4\r\n");
}

/* Parts in parts beyond the limit are left alone; so is a part with an endless head. */
static void limits_hold(void **state)
{
    struct plan p = plan("", MULTI);
    struct buf in;
    struct arena *a = *state;

    p.body = ENVELOPE_HAS_8BIT;
    buf_init(&in, a);
    buf_adds(&in, "--bb\n");
    for (int i = 0; i < BODY_DEPTH + 5; i++)
        buf_printf(&in, "Content-Type: multipart/mixed; boundary=x%d\n\n--x%d\n", i, i);
    buf_adds(&in, "\nb\xe4\n");
    assert_non_null(strstr(write_body(a, &p, false, in.data, 7), "\r\n\r\nb\xe4\r\n"));
    buf_truncate(&in, 0);
    buf_adds(&in, "--bb\nX: ");
    for (int i = 0; i < BODY_PART_HEAD; i++)
        buf_addc(&in, 'x');
    buf_adds(&in, "\n\nb\xe4\n--bb\n\nabcdefghij\xe4\n--bb--\n");
    assert_non_null(strstr(write_body(a, &p, false, in.data, 7),
                           "\r\n\r\nb\xe4\r\n--bb\r\n" CTE TO_QP "abcdefghij=E4\r\n--bb--\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(lines),
        UNIT(a_program_has_its_line_ends_and_dots_only_by_its_flags),
        UNIT(eight_bits_become_seven),
        UNIT(each_part_has_its_own_encoding),
        UNIT(seven_bits_become_eight),
        UNIT(what_is_changed),
        UNIT(text_is_labelled),
        UNIT(limits_hold),
    };
    return cmocka_run_group_tests_name("mta_body", tests, NULL, NULL);
}
