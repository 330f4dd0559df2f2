#include "mta/policy/sasl.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "mta/policy/sasl_parts.h"

struct sasl_settings {
    const char *host, *realm; /* realm: NULL is the host */
    const char *mechanisms;   /* AuthMechanisms, in order */
    sasl_security_properties_t security;
    const char *offer;
};

struct sasl_session {
    const struct sasl_settings *settings;
    sasl_conn_t *conn;
    uint64_t bits;
};

/* --- the library -------------------------------------------------------------------------- */

static void *mutex_new(void)
{
    pthread_mutex_t *m = malloc(sizeof *m);

    if (m && pthread_mutex_init(m, NULL) != 0) {
        free(m);
        m = NULL;
    }
    return m;
}

static int mutex_lock(void *m)
{
    return pthread_mutex_lock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_unlock(void *m)
{
    return pthread_mutex_unlock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *m)
{
    pthread_mutex_destroy(m);
    free(m);
}

/* Who may act for whom is for rules to say (trust_auth), as with sendmail. */
static int allow_proxy(sasl_conn_t *conn, void *ctx, const char *user, unsigned user_len,
                       const char *who, unsigned who_len, const char *realm, unsigned realm_len,
                       struct propctx *properties)
{
    (void)conn;
    (void)ctx;
    (void)user;
    (void)user_len;
    (void)who;
    (void)who_len;
    (void)realm;
    (void)realm_len;
    (void)properties;
    return SASL_OK;
}

/* AuthOptions: what a mechanism has to withstand. */
static unsigned flags_of(const char *letters)
{
    static const struct {
        char letter;
        unsigned flag;
    } flags[] = {{'a', SASL_SEC_NOACTIVE},     {'c', SASL_SEC_PASS_CREDENTIALS},
                 {'d', SASL_SEC_NODICTIONARY}, {'f', SASL_SEC_FORWARD_SECRECY},
                 {'m', SASL_SEC_MUTUAL_AUTH},  {'p', SASL_SEC_NOPLAINTEXT},
                 {'y', SASL_SEC_NOANONYMOUS}};
    unsigned all = 0;

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        all |= strchr(letters, flags[i].letter) ? flags[i].flag : 0;
    return all;
}

const struct sasl_settings *sasl_settings_open(struct arena *a, const struct program *p,
                                               const char *host, const char **why)
{
    static const sasl_callback_t callbacks[] = {
        {SASL_CB_LOG, SASL_AS_CALLBACK(sasl_log_nothing), NULL},
        {SASL_CB_PROXY_POLICY, SASL_AS_CALLBACK(allow_proxy), NULL},
        {SASL_CB_LIST_END, NULL, NULL}};
    struct sasl_settings *s = arena_alloc(a, sizeof *s);
    const char *realm = program_option(p, "AuthRealm");

    sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
    int status = sasl_server_init(callbacks, "Sendmail");
    if (status != SASL_OK) {
        *why = arena_strdup(a, sasl_errstring(status, NULL, NULL));
        return NULL;
    }
    s->host = host;
    s->realm = realm && *realm ? realm : NULL;
    s->mechanisms = setting_text(p, "AuthMechanisms");
    s->security.security_flags = flags_of(setting_text(p, "AuthOptions"));
    struct sasl_session *first = sasl_session_new(s, &(struct sasl_connection){.bits = 0});
    s->offer = first ? sasl_session_offer(a, first) : "";
    sasl_session_free(first);
    return s;
}

const char *sasl_settings_offer(const struct sasl_settings *s)
{
    return s->offer;
}

/* --- a session ---------------------------------------------------------------------------- */

/* Beneath TLS a password in plain text is none. */
static bool set_properties(struct sasl_session *s, const struct sasl_connection *c)
{
    sasl_security_properties_t security = s->settings->security;

    if (c->bits > 0)
        security.security_flags &= ~(unsigned)SASL_SEC_NOPLAINTEXT;
    if (!sasl_set_security(s->conn, &security, c->bits))
        return false;
    return !c->external || sasl_setprop(s->conn, SASL_AUTH_EXTERNAL, c->external) == SASL_OK;
}

struct sasl_session *sasl_session_new(const struct sasl_settings *settings,
                                      const struct sasl_connection *c)
{
    struct sasl_session *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->settings = settings;
    s->bits = c->bits;
    if (sasl_server_new("smtp", settings->host, settings->realm, NULL, NULL, NULL, 0, &s->conn) !=
            SASL_OK ||
        !set_properties(s, c)) {
        sasl_session_free(s);
        return NULL;
    }
    return s;
}

void sasl_session_free(struct sasl_session *s)
{
    if (!s)
        return;
    if (s->conn)
        sasl_dispose(&s->conn);
    free(s);
}

const char *sasl_session_offer(struct arena *a, struct sasl_session *s)
{
    const char *all = NULL;
    struct buf b;

    if (sasl_listmech(s->conn, NULL, "", " ", "", &all, NULL, NULL) != SASL_OK || !all || !*all)
        return "";
    buf_init(&b, a);
    buf_adds(&b, "AUTH");
    for (const char *word = s->settings->mechanisms; *word;) {
        size_t n = strcspn(word, " \t,");
        if (n > 0 && sasl_is_among(all, word, n))
            buf_printf(&b, " %.*s", (int)n, word);
        word += n;
        word += strspn(word, " \t,");
    }
    return b.data;
}

/* An empty challenge is one. */
static enum sasl_outcome outcome(int status, const char *out, unsigned len, struct bytes *challenge)
{
    return sasl_outcome_of(status, out ? out : "", len, challenge);
}

enum sasl_outcome sasl_session_start(struct sasl_session *s, const char *mechanism,
                                     struct bytes initial, struct bytes *challenge)
{
    const char *out = NULL;
    unsigned len = 0;
    int status =
        sasl_server_start(s->conn, mechanism, initial.p, (unsigned)initial.len, &out, &len);

    return outcome(status, out, len, challenge);
}

enum sasl_outcome sasl_session_step(struct sasl_session *s, struct bytes response,
                                    struct bytes *challenge)
{
    const char *out = NULL;
    unsigned len = 0;
    int status = sasl_server_step(s->conn, response.p, (unsigned)response.len, &out, &len);

    return outcome(status, out, len, challenge);
}

const char *sasl_session_authenticated(struct sasl_session *s)
{
    const void *value = NULL;

    return sasl_getprop(s->conn, SASL_AUTHUSER, &value) == SASL_OK && value ? value : "";
}
