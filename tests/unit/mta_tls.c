/*
 * TLS between two ends of our own: certificates are made here, in a folder of the test's.
 */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "mta/front/tls.h"
#include "mta/keyfile.h"
#include "tests/unit/cf_support.h"
#include "tests/unit/folder.h"

/* The folder is one of /tmp's. */
#define SAFE "V10\nO DontBlameSendmail=TrustStickyBit,GroupWritableDirPathSafe\n"

static const char *const names[] = {"ca.pem",     "ca.key",    "server.pem",  "server.key",
                                    "client.pem", "other.pem", "client.key",  "other.key",
                                    "odd.pem",    "odd.key",   "nothing.pem", "open.key"};

static X509 *certificate(EVP_PKEY *key, const char *name, int name_len, X509 *by, EVP_PKEY *by_key)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_get_subject_name(x);

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), name_len);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Some (one)", -1, -1,
                               0);
    if (name)
        X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, name_len, -1,
                                   0);
    X509_set_issuer_name(x, by ? X509_get_subject_name(by) : n);
    X509_set_pubkey(x, key);
    if (!by) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:true");
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(x, by_key, NULL) > 0);
    return x;
}

static void write_pem(const char *name, X509 *x, EVP_PKEY *key)
{
    char path[40];
    snprintf(path, sizeof path, "%s.pem", name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    PEM_write_X509(f, x);
    fclose(f);
    snprintf(path, sizeof path, "%s.key", name);
    umask(077);
    f = fopen(path, "w");
    umask(022);
    assert_non_null(f);
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

static int make_files(void **state)
{
    umask(022);
    if (folder_enter(state) != 0)
        return -1;
    EVP_PKEY *ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *ca = certificate(ca_key, "The CA", -1, NULL, ca_key);
    write_pem("ca", ca, ca_key);
    static const struct {
        const char *name, *cn;
        int len;
        bool known;
    } all[] = {{"server", "mail.example", -1, true},
               {"client", "a+b \"c\"", -1, true},
               {"other", "other.example", -1, false},
               {"odd", "mail.example\0.evil.example", 26, true}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        X509 *x = certificate(key, all[i].cn, all[i].len, all[i].known ? ca : NULL,
                              all[i].known ? ca_key : key);
        write_pem(all[i].name, x, key);
        X509_free(x);
        EVP_PKEY_free(key);
    }
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    return 0;
}

static int drop_files(void **state)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(names[i]);
    return folder_leave(state);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, make_files, drop_files)

static const struct program *compiled(struct arena *a, const char *text)
{
    const char *all = arena_printf(a, "%s%s", SAFE, text);
    struct cf_case c = cf_case_read(a, all, strlen(all), false);

    return program_compile(a, c.config, NULL, c.findings);
}

/* Options of the server: files of the folder. */
static const char *files(struct arena *a, const char *cert, const char *more)
{
    return arena_printf(a,
                        "O ServerCertFile=%s/%s.pem\nO ServerKeyFile=%s/%s.key\n"
                        "O CACertFile=%s/ca.pem\nO CACertPath=%s\n%s\n",
                        folder, cert, folder, cert, folder, folder, more);
}

static const char *client_files(struct arena *a, const char *cert, const char *more)
{
    return arena_printf(
        a, "O ClientCertFile=%s/%s.pem\nO ClientKeyFile=%s/%s.key\nO CACertFile=%s/ca.pem\n%s\n",
        folder, cert, folder, cert, folder, more);
}

struct ends {
    struct tls_context *contexts[2];
    struct tls *server, *client;
};

static bool move(struct tls *from, struct tls *to, size_t step)
{
    struct bytes b;
    bool any = false;

    while (tls_sending(from, &b)) {
        size_t n = b.len < step ? b.len : step;
        tls_take(to, b.p, n);
        tls_sent(from, n);
        any = true;
        if (tls_state(to) == TLS_OPEN)
            break; /* nothing is taken before tls_read has given all */
    }
    return any;
}

static void shake(struct ends *e, size_t step)
{
    while (move(e->client, e->server, step) | move(e->server, e->client, step))
        ;
}

static struct ends ends_of(struct arena *a, const char *server, const char *client, bool asks)
{
    struct tls_problem problem;
    struct ends e;

    e.contexts[0] = tls_context_open(a, compiled(a, server), TLS_AS_SERVER, &problem);
    if (!e.contexts[0])
        fail_msg("%s: %s", problem.option, problem.why);
    e.contexts[1] = tls_context_open(a, compiled(a, client), TLS_AS_CLIENT, &problem);
    if (!e.contexts[1])
        fail_msg("%s: %s", problem.option, problem.why);
    e.server = tls_new(e.contexts[0], asks, NULL, "");
    e.client = tls_new(e.contexts[1], false, "mail.example", "");
    return e;
}

static void close_ends(struct ends *e)
{
    tls_free(e->server);
    tls_free(e->client);
    tls_context_close(e->contexts[0]);
    tls_context_close(e->contexts[1]);
}

static void texts_are_carried(void **state)
{
    static char out[300000], in[sizeof out];
    char some[1000];

    for (size_t step = 1; step <= TLS_PIECE; step *= 128) {
        struct ends e = ends_of(*state, files(*state, "server", ""), "", true);
        size_t sent = 0, got = 0, n;
        shake(&e, step);
        assert_int_equal(tls_state(e.server), TLS_OPEN);
        assert_int_equal(tls_state(e.client), TLS_OPEN);
        for (size_t i = 0; i < sizeof out; i++)
            out[i] = (char)(i * 7 % 251);
        size_t all = step == 1 ? 40000 : sizeof out;
        while (got < all) {
            sent += tls_write(e.server, out + sent, all - sent);
            move(e.server, e.client, step);
            while ((n = tls_read(e.client, some, sizeof some)) > 0) {
                memcpy(in + got, some, n);
                got += n;
            }
            assert_int_equal(tls_state(e.client), TLS_OPEN);
        }
        assert_memory_equal(in, out, all);
        tls_close(e.server);
        while (move(e.server, e.client, step))
            assert_int_equal(tls_read(e.client, some, sizeof some), 0);
        assert_int_equal(tls_state(e.client), TLS_ENDED);
        close_ends(&e);
    }
}

static const char *found(struct arena *a, const struct tls *t, enum secured which)
{
    struct bytes v[SECURED_N];

    tls_found(t, a, v);
    return arena_strndup(a, v[which].p, v[which].len);
}

/* What a server finds of a client that has this certificate; NULL: none. */
static void client_is(struct arena *a, const char *server, const char *client, bool asks,
                      const char *verify, const char *cn)
{
    struct ends e = ends_of(a, server, client ? client_files(a, client, "") : "", asks);

    shake(&e, TLS_PIECE);
    assert_int_equal(tls_state(e.server), TLS_OPEN);
    assert_string_equal(found(a, e.server, SECURED_VERIFY), verify);
    assert_string_equal(found(a, e.server, SECURED_CN_SUBJECT), cn);
    close_ends(&e);
}

static void a_certificate_says_who(void **state)
{
    const char *server = files(*state, "server", "");

    client_is(*state, server, NULL, true, "NO", "");
    client_is(*state, server, "client", false, "NOT", "");
    client_is(*state, server, "client", true, "OK", "a+2Bb+20+22c+22");
    client_is(*state, server, "other", true, "FAIL", "other.example");
    client_is(*state, server, "odd", true, "OK", "BadCertificateContainsNUL");
}

static void both_find_the_same_connection(void **state)
{
    struct ends e =
        ends_of(*state, files(*state, "server", "O CipherSuites=TLS_AES_128_GCM_SHA256"),
                client_files(*state, "client", "O CertFingerprintAlgorithm=sha1"), true);

    shake(&e, 100);
    for (int i = 0; i < 2; i++) {
        const struct tls *t = i ? e.server : e.client;
        assert_string_equal(found(*state, t, SECURED_VERSION), "TLSv1.3");
        assert_string_equal(found(*state, t, SECURED_CIPHER), "TLS_AES_128_GCM_SHA256");
        assert_string_equal(found(*state, t, SECURED_CIPHER_BITS), "128");
        assert_string_equal(found(*state, t, SECURED_VERIFY), "OK");
        assert_string_equal(found(*state, t, SECURED_CN_ISSUER), "The+20CA");
        assert_string_equal(found(*state, t, SECURED_CERT_ISSUER),
                            "/O=Some+20+28one+29/CN=The+20CA");
        const char *of_digest = found(*state, t, i ? SECURED_CERT_MD5 : SECURED_CERT_FP);
        assert_int_equal(strlen(of_digest), i ? 16 * 3 - 1 : 20 * 3 - 1);
        assert_string_equal(found(*state, t, i ? SECURED_CERT_FP : SECURED_CERT_MD5), "");
    }
    close_ends(&e);
}

static void the_server_is_verified(void **state)
{
    struct ends e = ends_of(*state, files(*state, "server", ""), "", true);

    shake(&e, TLS_PIECE);
    assert_string_equal(found(*state, e.client, SECURED_VERIFY), "FAIL");
    close_ends(&e);
    e = ends_of(*state, files(*state, "server", ""),
                arena_printf(*state, "O CACertFile=%s/ca.pem\n", folder), true);
    shake(&e, TLS_PIECE);
    assert_string_equal(found(*state, e.client, SECURED_VERIFY), "OK");
    assert_string_equal(found(*state, e.client, SECURED_CN_SUBJECT), "mail.example");
    close_ends(&e);
}

/* A list of what was called back is asked for, and is not there. */
static void without_its_list_nobody_is_verified(void **state)
{
    const char *server = files(*state, "server", "O CRLFile=/nosuch/crl.pem");
    struct tls_problem problem;
    struct tls_context *c =
        tls_context_open(*state, compiled(*state, server), TLS_AS_SERVER, &problem);

    assert_non_null(c);
    assert_string_equal(problem.option, "CRLFile");
    tls_context_close(c);
    client_is(*state, server, "client", true, "FAIL", "a+2Bb+20+22c+22");
}

static void no_handshake_is_a_failure(void **state)
{
    struct ends e = ends_of(*state, files(*state, "server", ""), "", true);
    struct bytes b;

    tls_take(e.server, "EHLO client.example\r\n", 21);
    assert_int_equal(tls_state(e.server), TLS_FAILED);
    assert_true(*tls_failure(e.server) != '\0');
    assert_int_equal(tls_write(e.server, "x", 1), 0);
    assert_int_equal(tls_read(e.server, (char[1]){0}, 1), 0);
    close_ends(&e);

    e = ends_of(*state, files(*state, "server", ""), "", true);
    tls_end(e.server);
    assert_int_equal(tls_state(e.server), TLS_FAILED);
    assert_true(tls_sending(e.server, &b)); /* an alert */
    close_ends(&e);

    e = ends_of(*state, files(*state, "server", "O ServerSSLOptions=+SSL_OP_NO_TLSv1_3"),
                "O ClientSSLOptions=+SSL_OP_NO_TLSv1_2, -SSL_OP_NO_TICKET\n", true);
    shake(&e, TLS_PIECE);
    assert_int_equal(tls_state(e.server), TLS_FAILED);
    assert_int_equal(tls_state(e.client), TLS_FAILED);
    close_ends(&e);
}

/* What is changed on the way is no text. */
static void what_is_changed_is_noticed(void **state)
{
    struct ends e = ends_of(*state, files(*state, "server", ""), "", true);
    struct bytes b;
    char copy[100], out[100];

    shake(&e, TLS_PIECE);
    assert_int_equal(tls_write(e.client, "NOOP\r\n", 6), 6);
    assert_true(tls_sending(e.client, &b) && b.len < sizeof copy);
    memcpy(copy, b.p, b.len);
    copy[b.len - 1] ^= 1;
    tls_take(e.server, copy, b.len);
    assert_int_equal(tls_read(e.server, out, sizeof out), 0);
    assert_int_equal(tls_state(e.server), TLS_FAILED);
    close_ends(&e);
}

static void refused(struct arena *a, const char *text, const char *option)
{
    struct tls_problem problem;

    assert_null(tls_context_open(a, compiled(a, text), TLS_AS_SERVER, &problem));
    assert_non_null(problem.why);
    assert_string_equal(problem.option, option);
}

static void a_server_needs_its_files(void **state)
{
    const char *pair = arena_printf(
        *state, "O ServerCertFile=%s/server.pem\nO ServerKeyFile=%s/server.key\n", folder, folder);

    refused(*state, "", "ServerCertFile");
    refused(*state, pair, "CACertFile");
    refused(*state, arena_printf(*state, "%sO CACertFile=%s/ca.pem\n", pair, folder), "CACertPath");
    refused(*state, files(*state, "nosuch", ""), "ServerCertFile");
    refused(*state,
            files(*state, "server", arena_printf(*state, "O ServerKeyFile=%s/client.key", folder)),
            "ServerKeyFile");
    refused(*state, files(*state, "server", "O CertFingerprintAlgorithm=nosuch"),
            "CertFingerprintAlgorithm");
    fclose(fopen("nothing.pem", "w"));
    refused(*state,
            files(*state, "server", arena_printf(*state, "O CACertFile=%s/nothing.pem", folder)),
            "CACertFile");
}

/* A client needs none: it goes without a certificate. */
static void a_client_goes_without(void **state)
{
    struct tls_problem problem;
    const struct program *p = compiled(*state, client_files(*state, "nosuch", ""));
    struct tls_context *c = tls_context_open(*state, p, TLS_AS_CLIENT, &problem);

    assert_non_null(c);
    assert_string_equal(problem.option, "ClientCertFile");
    tls_context_close(c);
    chmod("client.key", 0644);
    client_is(*state, files(*state, "server", ""), "client", true, "NO", "");
}

static void unsafe(struct arena *a, const char *text, const char *path, bool is_key,
                   const char *mend)
{
    const struct trust_kind *kind = is_key ? &trust_key : &trust_certificate;
    const char *command, *why = keyfile_wrong(a, compiled(a, text), path, kind, &command);

    assert_non_null(why);
    assert_non_null(strstr(command, mend));
}

static void keys_are_nobody_elses(void **state)
{
    const char *key = arena_printf(*state, "%s/server.key", folder), *command;
    const struct program *usual = compiled(*state, "");

    assert_null(keyfile_wrong(*state, usual, key, &trust_key, &command));
    chmod("server.key", 0400);
    assert_null(keyfile_wrong(*state, usual, key, &trust_key, &command));
    chmod("server.key", 0640);
    unsafe(*state, "", key, true, "chmod g-r ");
    assert_null(keyfile_wrong(*state, usual, key, &trust_certificate, &command));
    const char *may = "O DontBlameSendmail=groupreadablekeyfile\n";
    assert_null(keyfile_wrong(*state, compiled(*state, may), key, &trust_key, &command));
    chmod("server.key", 0604);
    unsafe(*state, may, key, true, "chmod o-r ");
    chmod("server.key", 0620);
    unsafe(*state, "", key, false, "chmod g-w ");
    chmod("server.key", 0600);
    chmod(".", 0777);
    unsafe(*state, "", key, true, "chmod go-w /tmp/");
    chmod(".", 0775);
    assert_null(keyfile_wrong(*state, usual, key, &trust_key, &command));
    unsafe(*state, "O DontBlameSendmail=safe,TrustStickyBit\n", key, true, "chmod g-w /tmp/");
    chmod(".", 0700);
    unsafe(*state, "O DontBlameSendmail=safe\n", key, true, "chmod go-w /tmp");
    assert_non_null(keyfile_wrong(*state, usual, folder, &trust_key, &command));
    assert_int_equal(symlink("server.key", "open.key"), 0);
    assert_null(keyfile_wrong(*state, usual, arena_printf(*state, "%s/open.key", folder),
                              &trust_key, &command));
    if (geteuid() == 0) {
        assert_int_equal(chown("server.key", 65534, 0), 0);
        unsafe(*state, "", key, true, "chown root ");
        assert_null(keyfile_wrong(*state, compiled(*state, "O TrustedUser=65534\n"), key,
                                  &trust_key, &command));
    }
}

static const char *text_of(struct arena *a, const char *name)
{
    char *bytes;
    size_t len;

    assert_int_equal(fs_read(a, arena_printf(a, "%s/%s", folder, name), 0, &bytes, &len), 0);
    return arena_printf(a, "%.*s", (int)len, bytes);
}

/* What rules say of one session. */
static void sessions_differ(void **state)
{
    struct ends e = ends_of(*state, files(*state, "server", ""), "", false);
    const char *cert = arena_printf(*state, "CertFile=%s", text_of(*state, "client.pem"));
    const char *key = arena_printf(*state, "KeyFile=%s", text_of(*state, "client.key"));
    const char *both = arena_printf(*state, "%s;%s; Options=SSL_OP_NO_TLSv1_3", cert, key);
    static const char *const bad[] = {"Options",  "Options=NOSUCH", "Nosuch=x",        "=",
                                      "none",     "CipherList=NO",  "CipherSuites=NO", "CertFile=x",
                                      "KeyFile=x"};

    assert_true(tls_fits(e.contexts[0], ""));
    assert_true(tls_fits(e.contexts[0], " ; options = -SSL_OP_NO_TLSv1_3 ,SSL_OP_NO_TICKET ;"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tls_fits(e.contexts[0], bad[i]));
    assert_false(tls_fits(e.contexts[0], cert));
    assert_false(tls_fits(e.contexts[0], key));
    assert_true(tls_fits(e.contexts[0], both));
    tls_free(e.server);
    e.server = tls_new(e.contexts[0], false, NULL, both);
    shake(&e, 100);
    assert_int_equal(tls_state(e.client), TLS_OPEN);
    assert_string_equal(found(*state, e.client, SECURED_VERSION), "TLSv1.2");
    assert_string_equal(found(*state, e.client, SECURED_CN_SUBJECT), "a+2Bb+20+22c+22");
    close_ends(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(texts_are_carried),
        WITH_FILES(a_certificate_says_who),
        WITH_FILES(both_find_the_same_connection),
        WITH_FILES(the_server_is_verified),
        WITH_FILES(without_its_list_nobody_is_verified),
        WITH_FILES(no_handshake_is_a_failure),
        WITH_FILES(what_is_changed_is_noticed),
        WITH_FILES(a_server_needs_its_files),
        WITH_FILES(a_client_goes_without),
        WITH_FILES(keys_are_nobody_elses),
        WITH_FILES(sessions_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
