#include "mta/policy/auth.h"

#include <string.h>
#include <syslog.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "mta/policy/ruling.h"
#include "mta/policy/sasl.h"
#include "mta/policy/verdict.h"

static bool has_modifier(const struct context *c, char letter)
{
    return strchr(c->listener->modifiers, letter) != NULL;
}

static struct sasl_session *new_session(const struct worker *w, const struct context *c)
{
    struct sasl_connection known = {c->tls_bits, c->tls_external};

    return w->service->sasl ? sasl_session_new(w->service->sasl, &known) : NULL;
}

const char *auth_offer(const struct worker *w, const struct context *c)
{
    if (!w->service->sasl || has_modifier(c, 'A') || strchr(c->features, 'A'))
        return "";
    if (c->tls_bits == 0)
        return sasl_settings_offer(w->service->sasl);
    struct sasl_session *s = new_session(w, c);
    const char *offer = s ? sasl_session_offer(w->arena, s) : "";
    sasl_session_free(s);
    return offer;
}

bool auth_is_required(const struct context *c, const char *features)
{
    return (has_modifier(c, 'a') && !strchr(features, 'L')) || strchr(features, 'l');
}

static void end_exchange(struct context *c)
{
    sasl_session_free(c->sasl);
    c->sasl = NULL;
}

/* As a parameter of SMTP would have it (RFC 3461 4), and without what rules take for brackets. */
static const char *xtext(struct arena *a, const char *s)
{
    struct buf b;

    buf_init(&b, a);
    buf_adds(&b, "");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= ' ' || c >= 127 || strchr("+=<>()\"\\", c))
            buf_printf(&b, "+%02X", c);
        else
            buf_addc(&b, *s);
    }
    return b.data;
}

static void log_login(struct worker *w, const struct context *c)
{
    enum { LEVEL = 9 }; /* as LogLevel counts */
    struct log_event l;

    log_begin(&l, w->service->log, w->arena, LEVEL, LOG_INFO, "auth", bytes_of(""));
    log_text(&l, "AUTH", "server");
    log_text(&l, "relay", worker_get(w, "_"));
    log_text(&l, "authid", sasl_session_authenticated(c->sasl));
    log_text(&l, "mech", c->mechanism);
    log_text(&l, "bits", "0");
    log_end(&l);
}

static void logged_in(struct worker *w, struct context *c)
{
    worker_set(w, "auth_type", c->mechanism);
    worker_set(w, "auth_authen", xtext(w->arena, sasl_session_authenticated(c->sasl)));
    worker_set(w, "auth_author", "");
    worker_set(w, "auth_ssf", "0");
    log_login(w, c);
    c->extended = true; /* until another HELO */
    c->secured = c->tls_bits > 0;
}

static void conclude(struct worker *w, struct context *c, enum sasl_outcome outcome,
                     struct bytes challenge, struct message_VERDICT *v)
{
    if (outcome == SASL_SAID_CHALLENGE) {
        struct bytes *text = arena_calloc(w->arena, 1, sizeof *text);
        *text = (struct bytes){arena_strndup(w->arena, challenge.p, challenge.len), challenge.len};
        v->texts = (struct texts){text, 1};
        v->flags |= VERDICT_CHALLENGE;
        return;
    }
    if (outcome == SASL_SAID_YES)
        logged_in(w, c);
    else
        v->reply = bytes_of("535 5.7.0 authentication failed");
    end_exchange(c);
}

void auth_answer(struct worker *w, struct context *c, const struct message_AUTH *m,
                 struct message_VERDICT *v)
{
    struct bytes initial = m->initial.n > 0 ? m->initial.v[0] : (struct bytes){NULL, 0};
    struct bytes challenge;

    if (m->initial.n > 0 && !initial.p)
        initial.p = "";
    end_exchange(c);
    c->mechanism = bytes_string(c->arena, m->mechanism);
    c->sasl = new_session(w, c);
    if (!c->sasl) {
        v->reply = bytes_of("454 4.3.0 Temporary authentication failure");
        return;
    }
    enum sasl_outcome o = sasl_session_start(c->sasl, c->mechanism, initial, &challenge);
    conclude(w, c, o, challenge, v);
}

void auth_answer_step(struct worker *w, struct context *c, const struct message_AUTH_STEP *m,
                      struct message_VERDICT *v)
{
    struct bytes challenge;

    if (!c->sasl) {
        v->reply = bytes_of("535 5.7.0 authentication failed");
        return;
    }
    struct bytes response = {m->response.len ? m->response.p : "", m->response.len};
    enum sasl_outcome o = sasl_session_step(c->sasl, response, &challenge);
    conclude(w, c, o, challenge, v);
}

/* Whether the one who logged in may act for the author that is named. */
static bool is_trusted(struct worker *w, const char *author)
{
    struct ruling r = ruling_of(w, "trust_auth", &author, 1, NULL);

    return r.kind == RULING_CONSENT;
}

void auth_of_mail(struct worker *w, struct context *c, const char *value)
{
    worker_set(w, "auth_author", value);
    if (!value || !*value)
        return;
    const char *author = strcmp(value, "<>") != 0 && is_trusted(w, value) ? value : "<>";
    c->envelope.author = bytes_of(arena_strdup(c->tx, author));
}
