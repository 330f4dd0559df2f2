#include "mta/policy/sasl_login.h"

#include <stdlib.h>
#include <string.h>

#include "mta/policy/sasl_parts.h"

enum { CALLBACKS = 6, OFFER_MAX = 2048 };

struct sasl_login {
    const struct sasl_words *words;
    sasl_conn_t *conn;
    sasl_callback_t callbacks[CALLBACKS];
    sasl_secret_t *secret;
    char offer[OFFER_MAX]; /* those that the words allow */
};

/* --- what the library asks ---------------------------------------------------------------- */

static int say_name(void *ctx, int id, const char **result, unsigned *len)
{
    const struct sasl_login *c = ctx;
    const char *name = id == SASL_CB_USER ? c->words->user : c->words->id;

    if (!result || !name)
        return SASL_FAIL;
    *result = name;
    if (len)
        *len = (unsigned)strlen(name);
    return SASL_OK;
}

static int say_password(sasl_conn_t *conn, void *ctx, int id, sasl_secret_t **secret)
{
    const struct sasl_login *c = ctx;

    if (!conn || !secret || id != SASL_CB_PASS)
        return SASL_BADPARAM;
    *secret = c->secret;
    return SASL_OK;
}

static int say_realm(void *ctx, int id, const char **available, const char **result)
{
    const struct sasl_login *c = ctx;

    if (id != SASL_CB_GETREALM || !result)
        return SASL_BADPARAM;
    *result = c->words->realm ? c->words->realm : available && *available ? *available : "";
    return SASL_OK;
}

static void set_callbacks(struct sasl_login *c)
{
    const sasl_callback_t all[CALLBACKS] = {{SASL_CB_USER, SASL_AS_CALLBACK(say_name), c},
                                            {SASL_CB_AUTHNAME, SASL_AS_CALLBACK(say_name), c},
                                            {SASL_CB_PASS, SASL_AS_CALLBACK(say_password), c},
                                            {SASL_CB_GETREALM, SASL_AS_CALLBACK(say_realm), c},
                                            {SASL_CB_LOG, SASL_AS_CALLBACK(sasl_log_nothing), c},
                                            {SASL_CB_LIST_END, NULL, NULL}};

    memcpy(c->callbacks, all, sizeof all);
}

/* --- a login ------------------------------------------------------------------------------ */

bool sasl_login_open(void)
{
    static const sasl_callback_t callbacks[] = {
        {SASL_CB_LOG, SASL_AS_CALLBACK(sasl_log_nothing), NULL}, {SASL_CB_LIST_END, NULL, NULL}};

    return sasl_client_init(callbacks) == SASL_OK;
}

static bool set_secret(struct sasl_login *c)
{
    size_t len = strlen(c->words->password);

    c->secret = calloc(1, sizeof *c->secret + len + 1);
    if (!c->secret)
        return false;
    c->secret->len = len;
    memcpy(c->secret->data, c->words->password, len);
    return true;
}

struct sasl_login *sasl_login_new(const struct sasl_words *words, const char *host, uint64_t bits)
{
    struct sasl_login *c = calloc(1, sizeof *c);
    const sasl_security_properties_t none = {0};

    if (!c)
        return NULL;
    c->words = words;
    set_callbacks(c);
    if (!set_secret(c) ||
        sasl_client_new("smtp", host, NULL, NULL, c->callbacks, 0, &c->conn) != SASL_OK ||
        !sasl_set_security(c->conn, &none, bits) ||
        /* EXTERNAL: behind TLS, whether we had a certificate or not. */
        (bits && sasl_setprop(c->conn, SASL_AUTH_EXTERNAL, words->id) != SASL_OK)) {
        sasl_login_free(c);
        return NULL;
    }
    return c;
}

void sasl_login_free(struct sasl_login *c)
{
    if (!c)
        return;
    if (c->conn)
        sasl_dispose(&c->conn);
    if (c->secret)
        explicit_bzero(c->secret->data, c->secret->len);
    free(c->secret);
    free(c);
}

static void choose(struct sasl_login *c, const char *offer)
{
    size_t at = 0;

    for (const char *s = offer + strspn(offer, " "); *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        if (sasl_is_among(c->words->mechanisms, s, n) && at + n + 2 < sizeof c->offer) {
            memcpy(c->offer + at, s, n);
            at += n;
            c->offer[at++] = ' ';
        }
        s += n;
    }
    c->offer[at] = '\0';
}

enum sasl_outcome sasl_login_begin(struct sasl_login *c, const char *offer, const char **mechanism,
                                   struct bytes *initial)
{
    const char *out = NULL;
    unsigned len = 0;

    choose(c, offer);
    *mechanism = NULL;
    *initial = (struct bytes){NULL, 0};
    if (!*c->offer)
        return SASL_SAID_NO;
    int status = sasl_client_start(c->conn, c->offer, NULL, &out, &len, mechanism);
    return sasl_outcome_of(status, out, len, initial);
}

enum sasl_outcome sasl_login_step(struct sasl_login *c, struct bytes challenge,
                                  struct bytes *response)
{
    const char *out = NULL;
    unsigned len = 0;
    int status = sasl_client_step(c->conn, challenge.len ? challenge.p : "",
                                  (unsigned)challenge.len, NULL, &out, &len);
    enum sasl_outcome o = sasl_outcome_of(status, out, len, response);

    if (!response->p)
        *response = (struct bytes){"", 0};
    return o;
}
