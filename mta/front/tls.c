#include "mta/front/tls.h"

#include <ctype.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "mta/keyfile.h"
#include "mta/message/envelope.h"

enum { COMMON_NAME_MAX = 255 };

struct tls_context {
    SSL_CTX *ctx;
    enum tls_side side;
    const EVP_MD *digest; /* of fingerprints */
    bool digest_said;     /* CertFingerprintAlgorithm: {cert_fp} and not {cert_md5} */
};

struct tls {
    const struct tls_context *context;
    SSL *ssl;
    BIO *in, *out; /* ssl's */
    enum tls_state state;
    bool asks;
    bool unverified; /* the certificate is not good */
    const char *failure;
    char piece[TLS_PIECE]; /* of out */
    size_t at, have;
};

/* What goes wrong is the end's own: the library keeps its errors by thread. */
static const char *last_error(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;

    ERR_clear_error();
    return text ? text : "no reason given";
}

/* --- a context: files ----------------------------------------------------------------------- */

/* What it is made with. */
struct maker {
    struct arena *arena;
    const struct program *program;
    struct tls_context *context;
    struct tls_problem *problem;
};

static bool wrong(struct maker *m, const char *option, const char *why)
{
    *m->problem = (struct tls_problem){arena_strdup(m->arena, why), option, NULL};
    return false;
}

/* The option's value; false: it has none. */
static bool has(const struct maker *m, const char *option, const char **value)
{
    *value = setting_text(m->program, option);
    return **value != '\0';
}

static bool is_safe(struct maker *m, const char *option, const char *path, bool is_key)
{
    const struct trust_kind *kind = is_key ? &trust_key : &trust_certificate;
    const char *command, *why = keyfile_wrong(m->arena, m->program, path, kind, &command);

    if (!why)
        return true;
    wrong(m, option, why);
    m->problem->command = command;
    return false;
}

/* A word of a list with commas, and what comes behind it. */
static const char *next_word(struct maker *m, const char **list)
{
    const char *s = *list + strspn(*list, ", \t");
    size_t n = strcspn(s, ",");

    *list = s + n;
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        n--;
    return arena_strndup(m->arena, s, n);
}

static bool use_pair(struct maker *m, const char *cert_option, const char *cert,
                     const char *key_option, const char *key)
{
    SSL_CTX *ctx = m->context->ctx;

    if (!is_safe(m, cert_option, cert, false) || !is_safe(m, key_option, key, true))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return wrong(m, cert_option, arena_printf(m->arena, "%s: %s", cert, last_error()));
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return wrong(m, key_option, arena_printf(m->arena, "%s: %s", key, last_error()));
    return true;
}

/* Each of the certificates has its key at the same place of the list. */
static bool use_certificates(struct maker *m, const char *cert_option, const char *key_option)
{
    const char *certs = setting_text(m->program, cert_option);
    const char *keys = setting_text(m->program, key_option);

    while (*certs || *keys) {
        const char *cert = next_word(m, &certs), *key = next_word(m, &keys);
        if (!*cert)
            return wrong(m, cert_option, "there is no certificate for the key");
        if (!*key)
            return wrong(m, key_option, "there is no key for the certificate");
        if (!use_pair(m, cert_option, cert, key_option, key))
            return false;
    }
    return true;
}

/* Files that stand in a folder under the hash of whom they are about, "01234567.0": they are read
 * now, as there are none later. */
static void read_folder(struct maker *m, const char *path, const char *kind,
                        int (*read)(X509_LOOKUP *, const char *, int))
{
    enum { HASH = 8 };
    const size_t len = HASH + 1 + strlen(kind);
    X509_LOOKUP *lookup =
        X509_STORE_add_lookup(SSL_CTX_get_cert_store(m->context->ctx), X509_LOOKUP_file());
    DIR *d = opendir(path);
    const struct dirent *e;

    while (lookup && d && (e = readdir(d)) != NULL) {
        if (strspn(e->d_name, "0123456789abcdef") != HASH ||
            strncmp(e->d_name + HASH, kind, strlen(kind)) != 0 ||
            strspn(e->d_name + len - 1, "0123456789") != strlen(e->d_name) - len + 1)
            continue;
        read(lookup, fs_join(m->arena, path, e->d_name), X509_FILETYPE_PEM);
    }
    if (d)
        closedir(d);
    ERR_clear_error();
}

static bool use_authorities(struct maker *m)
{
    SSL_CTX *ctx = m->context->ctx;
    const char *file, *folder;

    if (has(m, "CACertFile", &file)) {
        if (!is_safe(m, "CACertFile", file, false))
            return false;
        if (SSL_CTX_load_verify_file(ctx, file) != 1)
            return wrong(m, "CACertFile", arena_printf(m->arena, "%s: %s", file, last_error()));
        if (m->context->side == TLS_AS_SERVER)
            SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(file));
    }
    if (has(m, "CACertPath", &folder))
        read_folder(m, folder, ".", X509_load_cert_file);
    return true;
}

/* Where a list is asked for and missing, nobody can be verified. */
static void use_revocations(struct maker *m)
{
    X509_STORE *store = SSL_CTX_get_cert_store(m->context->ctx);
    const char *file, *folder;
    bool asked = false;

    if (has(m, "CRLFile", &file)) {
        X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
        asked = true;
        if (!lookup || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) < 1)
            wrong(m, "CRLFile", arena_printf(m->arena, "%s: %s", file, last_error()));
    }
    if (has(m, "CRLPath", &folder)) {
        asked = true;
        read_folder(m, folder, ".r", X509_load_crl_file);
    }
    if (asked)
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

/* --- a context: options --------------------------------------------------------------------- */

static uint64_t option_of(const char *word, size_t len)
{
    static const struct {
        const char *name;
        uint64_t bits;
    } names[] = {
#define TLS_OPTION(name) {#name, (uint64_t)name},
#include "mta/front/tls_options.def"
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == len && strncasecmp(names[i].name, word, len) == 0)
            return names[i].bits;
    return 0;
}

static void use_options(struct maker *m, const char *option)
{
    static const char between[] = ", \t";

    for (const char *s = setting_text(m->program, option); *(s += strspn(s, between));) {
        size_t n = strcspn(s, between);
        const bool off = *s == '-', sign = off || *s == '+';
        uint64_t bits = option_of(s + sign, n - sign);
        if (off)
            SSL_CTX_clear_options(m->context->ctx, bits);
        else
            SSL_CTX_set_options(m->context->ctx, bits);
        s += n;
    }
}

static void use_ciphers(struct maker *m)
{
    const char *list;

    if (has(m, "CipherList", &list) && SSL_CTX_set_cipher_list(m->context->ctx, list) != 1)
        wrong(m, "CipherList", arena_printf(m->arena, "%s: %s", list, last_error()));
    if (has(m, "CipherSuites", &list) && SSL_CTX_set_ciphersuites(m->context->ctx, list) != 1)
        wrong(m, "CipherSuites", arena_printf(m->arena, "%s: %s", list, last_error()));
}

static bool use_digest(struct maker *m)
{
    static const char option[] = "CertFingerprintAlgorithm";
    const char *name = setting_text(m->program, option);

    m->context->digest_said = program_option(m->program, option) != NULL;
    m->context->digest = EVP_get_digestbyname(name);
    return m->context->digest || wrong(m, option, "there is no such digest");
}

/* A file's parameters; words and digits ask for those that fit the key. */
static void use_dh(struct maker *m)
{
    const char *value = setting_text(m->program, "DHParameters");

    if (strncasecmp(value, "none", 4) == 0)
        return;
    if (*value != '/') {
        SSL_CTX_set_dh_auto(m->context->ctx, 1);
        return;
    }
    BIO *b = is_safe(m, "DHParameters", value, false) ? BIO_new_file(value, "r") : NULL;
    EVP_PKEY *params = b ? PEM_read_bio_Parameters(b, NULL) : NULL;
    BIO_free(b);
    if (!params || SSL_CTX_set0_tmp_dh_pkey(m->context->ctx, params) != 1) {
        EVP_PKEY_free(params);
        if (b)
            wrong(m, "DHParameters", arena_printf(m->arena, "%s: %s", value, last_error()));
    }
    ERR_clear_error();
}

/* --- a context ------------------------------------------------------------------------------ */

/* Whatever is wrong with a certificate: the handshake goes on, and {verify} says so. */
static int note_verified(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = ssl ? SSL_get_app_data(ssl) : NULL;

    if (!good && t)
        t->unverified = true;
    return 1;
}

/* Nobody is there to be asked. */
static int no_passphrase(char *buf, int size, int writes, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writes;
    (void)ctx;
    return 0;
}

/* A server needs them all; a client none. */
static bool has_needed(struct maker *m)
{
    static const char *const needed[] = {"ServerCertFile", "ServerKeyFile", "CACertFile",
                                         "CACertPath"};
    const char *value;

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!has(m, needed[i], &value))
            return wrong(m, needed[i], arena_printf(m->arena, "%s is not set", needed[i]));
    return true;
}

static bool begin(struct maker *m)
{
    const bool server = m->context->side == TLS_AS_SERVER;
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    SSL_CTX_free(m->context->ctx);
    m->context->ctx = ctx;
    if (!ctx)
        return wrong(m, NULL, last_error());
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_options(ctx, SSL_OP_ALL | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    return true;
}

/* A client whose certificate is of no use goes without one. */
static bool make(struct maker *m)
{
    const bool server = m->context->side == TLS_AS_SERVER;

    if (!begin(m))
        return false;
    if (!use_certificates(m, server ? "ServerCertFile" : "ClientCertFile",
                          server ? "ServerKeyFile" : "ClientKeyFile") &&
        (server || !begin(m)))
        return false;
    if ((!use_authorities(m) && server) || !use_digest(m))
        return false;
    use_revocations(m);
    use_ciphers(m);
    if (server)
        use_dh(m);
    use_options(m, server ? "ServerSSLOptions" : "ClientSSLOptions");
    return true;
}

struct tls_context *tls_context_open(struct arena *a, const struct program *p, enum tls_side side,
                                     struct tls_problem *problem)
{
    struct tls_context *c = arena_alloc(a, sizeof *c);
    struct maker m = {a, p, c, problem};

    *problem = (struct tls_problem){NULL, NULL, NULL};
    c->side = side;
    if ((side == TLS_AS_SERVER && !has_needed(&m)) || !make(&m)) {
        tls_context_close(c);
        return NULL;
    }
    return c;
}

void tls_context_close(struct tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ctx);
    c->ctx = NULL;
}

/* --- an end --------------------------------------------------------------------------------- */

static void fail(struct tls *t)
{
    t->state = TLS_FAILED;
    t->failure = last_error();
}

static void shake(struct tls *t)
{
    ERR_clear_error();
    int n = SSL_do_handshake(t->ssl);

    if (n == 1)
        t->state = TLS_OPEN;
    else if (SSL_get_error(t->ssl, n) != SSL_ERROR_WANT_READ)
        fail(t);
}

static char *trimmed(char *s)
{
    s += strspn(s, " \t");
    for (size_t n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

/* Options of one session; false: there is none such. */
static bool set_options(SSL *ssl, char *list)
{
    char *save = NULL;

    for (char *word = strtok_r(list, ", \t", &save); word; word = strtok_r(NULL, ", \t", &save)) {
        const bool off = *word == '-', sign = off || *word == '+';
        uint64_t bits = option_of(word + sign, strlen(word + sign));
        if (!bits)
            return false;
        if (off)
            SSL_clear_options(ssl, bits);
        else
            SSL_set_options(ssl, bits);
    }
    return true;
}

/* A certificate and those that lead to its authority (PEM). */
static bool set_certificate(SSL *ssl, const char *text)
{
    BIO *in = BIO_new_mem_buf(text, -1);
    X509 *own = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL, *next;
    bool good = own && SSL_use_certificate(ssl, own) == 1;

    SSL_clear_chain_certs(ssl);
    while (good && (next = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
        good = SSL_add0_chain_cert(ssl, next) == 1;
    X509_free(own);
    BIO_free(in);
    return good;
}

static bool set_key(SSL *ssl, const char *text)
{
    BIO *in = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    bool good = key && SSL_use_PrivateKey(ssl, key) == 1;

    EVP_PKEY_free(key);
    BIO_free(in);
    return good;
}

static bool set_feature(SSL *ssl, char *text)
{
    char *value = strchr(text, '=');

    if (!value)
        return false;
    *value++ = '\0';
    text = trimmed(text);
    value = trimmed(value);
    if (strcasecmp(text, "Options") == 0)
        return set_options(ssl, value);
    if (strcasecmp(text, "CertFile") == 0)
        return set_certificate(ssl, value);
    if (strcasecmp(text, "KeyFile") == 0)
        return set_key(ssl, value);
    if (strcasecmp(text, "CipherList") == 0)
        return SSL_set_cipher_list(ssl, value) == 1;
    if (strcasecmp(text, "CipherSuites") == 0)
        return SSL_set_ciphersuites(ssl, value) == 1;
    return false;
}

static bool set_features(SSL *ssl, const char *features)
{
    char *copy = strdup(features), *save = NULL;
    bool good = copy != NULL;

    for (char *one = good ? strtok_r(copy, ";", &save) : NULL; one && good;
         one = strtok_r(NULL, ";", &save))
        good = !*trimmed(one) || set_feature(ssl, one);
    good = good && (!strstr(features, "File=") || SSL_check_private_key(ssl) == 1);
    if (copy)
        OPENSSL_cleanse(copy, strlen(features)); /* it may have a key in it */
    free(copy);
    ERR_clear_error();
    return good;
}

bool tls_fits(const struct tls_context *c, const char *features)
{
    SSL *ssl = *features ? SSL_new(c->ctx) : NULL;
    bool good = !*features || (ssl && set_features(ssl, features));

    SSL_free(ssl);
    return good;
}

struct tls *tls_new(const struct tls_context *c, bool asks, const char *name, const char *features)
{
    struct tls *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    *t = (struct tls){.context = c, .asks = asks, .failure = ""};
    t->ssl = SSL_new(c->ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out || !set_features(t->ssl, features)) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        return NULL;
    }
    BIO_set_mem_eof_return(t->in, -1); /* more may come */
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_app_data(t->ssl, t);
    SSL_set_verify(t->ssl, asks || c->side == TLS_AS_CLIENT ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                   note_verified);
    if (c->side == TLS_AS_SERVER) {
        SSL_set_accept_state(t->ssl);
        return t;
    }
    SSL_set_connect_state(t->ssl);
    if (name && *name)
        SSL_set_tlsext_host_name(t->ssl, name);
    shake(t);
    return t;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

void tls_take(struct tls *t, const char *bytes, size_t len)
{
    if (t->state != TLS_SHAKES && t->state != TLS_OPEN)
        return;
    if (len > 0 && BIO_write(t->in, bytes, (int)len) != (int)len) {
        fail(t);
        return;
    }
    if (t->state == TLS_SHAKES)
        shake(t);
}

void tls_end(struct tls *t)
{
    if (t->state == TLS_SHAKES) {
        BIO_set_mem_eof_return(t->in, 0);
        shake(t);
        if (t->state == TLS_SHAKES)
            fail(t);
    } else if (t->state == TLS_OPEN) {
        t->state = TLS_ENDED;
    }
}

enum tls_state tls_state(const struct tls *t)
{
    return t->state;
}

const char *tls_failure(const struct tls *t)
{
    return t->failure;
}

bool tls_sending(struct tls *t, struct bytes *bytes)
{
    if (t->at == t->have) {
        int n = BIO_read(t->out, t->piece, sizeof t->piece);
        t->at = 0;
        t->have = n > 0 ? (size_t)n : 0;
    }
    *bytes = (struct bytes){t->piece + t->at, t->have - t->at};
    return bytes->len > 0;
}

void tls_sent(struct tls *t, size_t n)
{
    t->at += n < t->have - t->at ? n : t->have - t->at;
}

size_t tls_read(struct tls *t, char *out, size_t room)
{
    size_t n = 0;

    if (t->state != TLS_OPEN || room == 0)
        return 0;
    ERR_clear_error();
    int got = SSL_read_ex(t->ssl, out, room, &n);
    if (got == 1)
        return n;
    int error = SSL_get_error(t->ssl, got);
    if (error == SSL_ERROR_ZERO_RETURN)
        t->state = TLS_ENDED;
    else if (error != SSL_ERROR_WANT_READ)
        fail(t);
    return 0;
}

size_t tls_write(struct tls *t, const char *bytes, size_t len)
{
    struct bytes waiting;
    size_t n = 0;

    if (t->state != TLS_OPEN || len == 0 || tls_sending(t, &waiting))
        return 0;
    ERR_clear_error();
    int got = SSL_write_ex(t->ssl, bytes, len < TLS_PIECE ? len : TLS_PIECE, &n);
    if (got == 1)
        return n;
    if (SSL_get_error(t->ssl, got) != SSL_ERROR_WANT_READ)
        fail(t);
    return 0;
}

void tls_close(struct tls *t)
{
    ERR_clear_error();
    if (t->state == TLS_OPEN || t->state == TLS_ENDED)
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

/* --- what was found out --------------------------------------------------------------------- */

void tls_escape(const char *bytes, size_t len, struct buf *b)
{
    static const char special[] = "<>()\"+\\";

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c <= ' ' || c >= 127 || strchr(special, c))
            buf_printf(b, "+%02X", c);
        else
            buf_addc(b, (char)c);
    }
}

static struct bytes escaped(struct arena *a, const char *bytes, size_t len)
{
    struct buf b;

    buf_init(&b, a);
    buf_adds(&b, "");
    tls_escape(bytes, len, &b);
    return (struct bytes){b.data, b.len};
}

static struct bytes name_of(struct arena *a, const X509_NAME *name)
{
    char *line = X509_NAME_oneline(name, NULL, 0);
    struct bytes b = line ? escaped(a, line, strlen(line)) : (struct bytes){"", 0};

    OPENSSL_free(line);
    return b;
}

/* The first one; what could be read as another name by somebody is none. */
static struct bytes common_name(struct arena *a, const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    const ASN1_STRING *s = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));

    if (!s)
        return bytes_of("BadCertificateUnknown");
    const char *text = (const char *)ASN1_STRING_get0_data(s);
    size_t len = (size_t)ASN1_STRING_length(s);
    if (len > COMMON_NAME_MAX)
        return bytes_of("BadCertificateTooLong");
    if (len > 0 && memchr(text, '\0', len))
        return bytes_of("BadCertificateContainsNUL");
    return escaped(a, text, len);
}

static struct bytes fingerprint(struct arena *a, const X509 *cert, const EVP_MD *digest)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf b;

    buf_init(&b, a);
    buf_adds(&b, "");
    if (X509_digest(cert, digest, md, &n) == 1)
        for (unsigned i = 0; i < n; i++)
            buf_printf(&b, "%s%02X", i > 0 ? ":" : "", md[i]);
    return (struct bytes){b.data, b.len};
}

static void found_certificate(const struct tls *t, struct arena *a, const X509 *cert,
                              struct bytes *v)
{
    const X509_NAME *subject = X509_get_subject_name(cert), *issuer = X509_get_issuer_name(cert);

    v[SECURED_CERT_SUBJECT] = name_of(a, subject);
    v[SECURED_CERT_ISSUER] = name_of(a, issuer);
    v[SECURED_CN_SUBJECT] = common_name(a, subject);
    v[SECURED_CN_ISSUER] = common_name(a, issuer);
    v[t->context->digest_said ? SECURED_CERT_FP : SECURED_CERT_MD5] =
        fingerprint(a, cert, t->context->digest);
}

void tls_found(const struct tls *t, struct arena *a, struct bytes *v)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
    X509 *cert = SSL_get1_peer_certificate(t->ssl);
    int of_algorithm = 0, bits = SSL_CIPHER_get_bits(cipher, &of_algorithm);
    const bool asked = t->asks || t->context->side == TLS_AS_CLIENT;
    const bool good = !t->unverified && SSL_get_verify_result(t->ssl) == X509_V_OK;

    for (size_t i = 0; i < SECURED_N; i++)
        v[i] = bytes_of("");
    v[SECURED_VERSION] = bytes_of(arena_strdup(a, SSL_get_version(t->ssl)));
    v[SECURED_CIPHER] = bytes_of(arena_strdup(a, SSL_CIPHER_get_name(cipher)));
    v[SECURED_CIPHER_BITS] = bytes_of(arena_printf(a, "%d", bits));
    v[SECURED_ALG_BITS] = bytes_of(arena_printf(a, "%d", of_algorithm));
    v[SECURED_VERIFY] = bytes_of(!asked ? "NOT" : !cert ? "NO" : good ? "OK" : "FAIL");
    if (cert)
        found_certificate(t, a, cert, v);
    X509_free(cert);
}
