/*
 * lookup_ldap: class ldap: a directory, over OpenLDAP's library, where that was there to build
 * with.
 *
 * A connection is kept for the session and made again once where it is lost.  Of several servers
 * (-H "URI URI", -h "HOST HOST") the first one that answers is asked, and stays it until it does
 * not; then the others are tried, beginning behind it.  What one session learns of them holds for
 * all maps that name the same ones, and for all sessions: one that takes connections and says
 * nothing is waited for once.  (The library goes on where a connection is refused, and only there.)
 * Version 3 of the protocol is spoken where -w says nothing: sendmail speaks 2 then, which
 * servers refuse today.
 */
#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/maps/lookup_class.h"
#include "lib/model/findings.h"

#ifndef HAVE_LDAP

static bool ldap_declare(struct lookup_reader *r, struct lookup_map *m)
{
    lookup_declare_absent(r, m, "build with OpenLDAP's library: libldap-dev");
    return true;
}

const struct lookup_class map_lookup_ldap = {ldap_declare, lookup_absent, NULL, false};

#else

#include <ldap.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    USUAL_PORT = 389,
    USUAL_MS = 30000,
    MOST_ATTRIBUTES = 64,
    DEPTH = 8,     /* of searches that a search leads to */
    SECRET = 4096, /* bytes */
};

static const char object_class[] = "objectClass";

enum kind { KIND_NORMAL, KIND_DN, KIND_FILTER, KIND_URL };

struct attribute {
    const char *name;
    enum kind kind;
    const char *classes; /* with | between; NULL: any */
};

/* What options say; NULL or -1: nothing. */
struct spec {
    const char *host, *uri, *base, *filter, *bind_dn, *secret_file, *values;
    int port, scope, deref, version, method, size, seconds, connect_seconds;
    bool names_only, single, many_args, no_referrals;
    char name_separator; /* -V; NUL: none */
};

static const struct spec unsaid = {.port = -1,
                                   .scope = -1,
                                   .deref = -1,
                                   .version = -1,
                                   .method = -1,
                                   .size = -1,
                                   .seconds = -1,
                                   .connect_seconds = -1};

/* Of all maps that name the same servers.  The one thing of a declaration that is not constant: any
 * session's thread may count it up. */
struct servers {
    atomic_size_t first; /* which of them is asked, modulo their number */
};

struct directory {
    struct spec spec;
    struct servers *servers;
    struct attribute attributes[MOST_ATTRIBUTES];
    size_t count;
};

struct word_value {
    const char *word;
    int value;
};

/* --- the declaration ----------------------------------------------------------------------- */

/* The value of an option, which may be quoted. */
static char *value_of(struct arena *a, const char **p)
{
    (*p)++;
    lookup_skip_blanks(p);
    if (**p != '"')
        return lookup_word(a, p);
    const char *from = ++*p;
    while (**p && **p != '"')
        (*p)++;
    char *value = arena_strndup(a, from, (size_t)(*p - from));
    *p += **p == '"';
    return value;
}

static int number_of(const char *text)
{
    long n = strtol(text, NULL, 10);
    return n >= 0 && n <= 1 << 30 ? (int)n : -1;
}

/* -1: none of them. */
static int one_of(const struct word_value *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(words[i].word, word) == 0)
            return words[i].value;
    return -1;
}

static const struct word_value scopes[] = {
    {"base", LDAP_SCOPE_BASE}, {"one", LDAP_SCOPE_ONELEVEL}, {"sub", LDAP_SCOPE_SUBTREE}};
static const struct word_value derefs[] = {{"never", LDAP_DEREF_NEVER},
                                           {"always", LDAP_DEREF_ALWAYS},
                                           {"search", LDAP_DEREF_SEARCHING},
                                           {"find", LDAP_DEREF_FINDING}};
static const struct word_value methods[] = {{"none", LDAP_AUTH_NONE}, {"simple", LDAP_AUTH_SIMPLE}};

/* False: the option is none of the class's own.  *wrong: what is wrong with its value. */
static bool read_option(struct arena *a, struct spec *s, const char **p, const char **wrong)
{
    char *value;
    switch (**p) {
    case 'h':
        s->host = value_of(a, p);
        return true;
    case 'H':
        s->uri = value_of(a, p);
        return true;
    case 'b':
        s->base = value_of(a, p);
        return true;
    case 'k':
        s->filter = value_of(a, p);
        return true;
    case 'v':
        s->values = value_of(a, p);
        return true;
    case 'd':
        s->bind_dn = value_of(a, p);
        return true;
    case 'P':
        s->secret_file = value_of(a, p);
        return true;
    case 'p':
        s->port = number_of(value_of(a, p));
        return true;
    case 'l':
        s->seconds = number_of(value_of(a, p));
        return true;
    case 'c':
        s->connect_seconds = number_of(value_of(a, p));
        return true;
    case 'Z':
        s->size = number_of(value_of(a, p));
        return true;
    case 'w':
        s->version = number_of(value_of(a, p));
        if (s->version < LDAP_VERSION2 || s->version > LDAP_VERSION3)
            *wrong = "a version other than 2 and 3";
        return true;
    case 's':
        s->scope = one_of(scopes, COUNT(scopes), value_of(a, p));
        if (s->scope < 0)
            *wrong = "a scope other than base, one and sub";
        return true;
    case 'r':
        s->deref = one_of(derefs, COUNT(derefs), value_of(a, p));
        if (s->deref < 0)
            *wrong = "a word other than never, always, search and find";
        return true;
    case 'M':
        value = value_of(a, p);
        s->method = one_of(methods, COUNT(methods),
                           value + (strncasecmp(value, "LDAP_AUTH_", 10) ? 0 : 10));
        if (s->method < 0)
            *wrong = "a method other than none and simple";
        return true;
    case 'n':
        s->names_only = true;
        return true;
    case '1':
        s->single = true;
        return true;
    case 'K':
        s->many_args = true;
        return true;
    case 'R':
        s->no_referrals = true;
        return true;
    case 'V':
        s->name_separator = (*p)[1];
        return true;
    case 'x':
        return true;
    default:
        return false;
    }
}

struct reading {
    struct directory *directory;
    bool bad;
};

static bool ldap_option(struct lookup_reader *r, struct lookup_map *m, const char **p)
{
    struct reading *reading = m->own;
    const char letter[2] = {**p, '\0'}, *wrong = NULL;
    bool own = read_option(r->arena, &reading->directory->spec, p, &wrong);
    /* The separator stands right behind its letter. */
    if (letter[0] == 'z' && isspace((unsigned char)(*p)[1]))
        wrong = "nothing";
    if (wrong) {
        reading->bad = true;
        if (r->diag)
            finding_add(r->diag, FINDING_MAP_OPTION_VALUE, r->at, m->name, wrong, letter,
                        (char *)NULL);
    }
    return own;
}

/* NAME[:KIND[:CLASS|CLASS]], ... */
static void read_attributes(struct arena *a, struct directory *d)
{
    static const struct word_value kinds[] = {
        {"NORMAL", KIND_NORMAL}, {"DN", KIND_DN}, {"FILTER", KIND_FILTER}, {"URL", KIND_URL}};
    const char *p = d->spec.values ? d->spec.values : "";
    d->count = 0;
    while (*p && d->count < MOST_ATTRIBUTES) {
        size_t n = strcspn(p, ",");
        char *one = arena_strndup(a, p, n), *kind = strchr(one, ':'), *classes = NULL;
        p += n + (p[n] == ',');
        if (kind)
            *kind++ = '\0';
        if (kind)
            classes = strchr(kind, ':');
        if (classes)
            *classes++ = '\0';
        int k = kind ? one_of(kinds, COUNT(kinds), kind) : KIND_NORMAL;
        if (*one)
            d->attributes[d->count++] =
                (struct attribute){one, k < 0 ? KIND_NORMAL : (enum kind)k, classes};
    }
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Those of a map that was declared before and names the same, or nothing as this one. */
static struct servers *servers_of(struct lookup_reader *r, const struct lookup_map *m,
                                  const struct directory *d)
{
    for (size_t i = 0; i < r->maps->count; i++) {
        const struct lookup_map *x = r->maps->maps[i];
        const struct directory *o = x->class == &map_lookup_ldap && x != m ? x->own : NULL;
        if (o && o->servers && is_same(o->spec.host, d->spec.host) &&
            is_same(o->spec.uri, d->spec.uri) && o->spec.port == d->spec.port)
            return o->servers;
    }
    return arena_alloc(r->arena, sizeof(struct servers));
}

static bool ldap_declare(struct lookup_reader *r, struct lookup_map *m)
{
    struct directory *d = arena_alloc(r->arena, sizeof *d);
    d->spec = unsaid;
    if (m->own)
        *d = *(struct directory *)m->own;
    struct reading reading = {d, false};
    m->own = &reading;
    lookup_read_options(r, m, ldap_option, true);
    m->own = d;
    d->servers = servers_of(r, m, d);
    read_attributes(r->arena, d);
    if (!d->spec.filter) {
        if (r->diag)
            finding_add(r->diag, FINDING_MAP_LACKS, r->at, m->name, "-k and a filter",
                        (char *)NULL);
        return false;
    }
    if (d->spec.secret_file && !fs_exists(d->spec.secret_file)) {
        if (r->diag)
            finding_add(
                r->diag, FINDING_MAP_OPTION_VALUE, r->at, m->name,
                arena_printf(r->arena, "the file %s, which is not there,", d->spec.secret_file),
                "P", (char *)NULL);
        return false;
    }
    return !reading.bad;
}

/* LDAPDefaultSpec, below what the map says itself. */
static struct spec whole_spec(const struct lookup_query *q)
{
    const struct directory *d = q->map->own;
    struct spec s = d->spec, usual = unsaid;
    const char *p = q->world->ldap_defaults ? q->world->ldap_defaults : "", *wrong = NULL;
    for (;;) {
        lookup_skip_blanks(&p);
        if (*p != '-')
            break;
        p++;
        read_option(q->result, &usual, &p, &wrong);
        while (*p && !isspace((unsigned char)*p))
            p++;
    }
#define TEXT(field) s.field = s.field ? s.field : usual.field
#define NUMBER(field) s.field = s.field >= 0 ? s.field : usual.field
    if (!s.host && !s.uri) {
        TEXT(host);
        TEXT(uri);
    }
    TEXT(base);
    TEXT(bind_dn);
    TEXT(secret_file);
    NUMBER(port);
    NUMBER(scope);
    NUMBER(deref);
    NUMBER(version);
    NUMBER(method);
    NUMBER(size);
    NUMBER(seconds);
    NUMBER(connect_seconds);
#undef TEXT
#undef NUMBER
    s.no_referrals = s.no_referrals || usual.no_referrals;
    return s;
}

/* --- the connection ------------------------------------------------------------------------ */

struct connection {
    LDAP *ld;      /* NULL: none */
    size_t server; /* which one it is to, as servers.first counts */
};

static void disconnect(struct connection *c)
{
    if (c->ld)
        ldap_unbind_ext_s(c->ld, NULL, NULL);
    c->ld = NULL;
}

static void ldap_close(void *state)
{
    disconnect(state);
}

/* Hosts with blanks between become URIs with blanks between. */
static const char *uri_of(struct arena *a, const struct spec *s)
{
    if (s->uri)
        return s->uri;
    const char *p = s->host ? s->host : "localhost";
    struct buf b;
    buf_init(&b, a);
    for (char *host = lookup_word(a, &p); *host; host = lookup_word(a, &p)) {
        bool has_port = strchr(host, ':') && !strchr(strchr(host, ':') + 1, ':');
        buf_printf(&b, "%sldap://%s", b.len ? " " : "", host);
        if (!has_port)
            buf_printf(&b, ":%d", s->port > 0 ? s->port : USUAL_PORT);
    }
    return b.data;
}

static int set_options(struct lookup_query *q, const struct spec *s, LDAP *ld)
{
    unsigned ms = q->world->timeout_ms ? q->world->timeout_ms : USUAL_MS;
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};
    if (s->connect_seconds > 0)
        wait = (struct timeval){.tv_sec = s->connect_seconds};
    int version = s->version > 0 ? s->version : LDAP_VERSION3;
    int rc = ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &wait);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_TIMEOUT, &wait);
    if (rc == LDAP_OPT_SUCCESS && s->deref >= 0)
        rc = ldap_set_option(ld, LDAP_OPT_DEREF, &s->deref);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_REFERRALS, s->no_referrals ? LDAP_OPT_OFF : LDAP_OPT_ON);
    return rc == LDAP_OPT_SUCCESS ? LDAP_SUCCESS : LDAP_PARAM_ERROR;
}

/* Another one may answer. */
static bool is_away(int rc)
{
    return rc == LDAP_SERVER_DOWN || rc == LDAP_CONNECT_ERROR || rc == LDAP_UNAVAILABLE ||
           rc == LDAP_TIMEOUT || rc == LDAP_BUSY;
}

static int connect_to(struct lookup_query *q, const struct spec *s, const char *uri,
                      const struct berval *secret, struct connection *c)
{
    struct berval word = *secret;
    int rc = ldap_initialize(&c->ld, uri);

    if (rc == LDAP_SUCCESS)
        rc = set_options(q, s, c->ld);
    if (rc == LDAP_SUCCESS)
        rc = ldap_sasl_bind_s(c->ld, s->bind_dn ? s->bind_dn : "", LDAP_SASL_SIMPLE, &word, NULL,
                              NULL, NULL);
    if (rc != LDAP_SUCCESS)
        disconnect(c);
    return rc;
}

/* The one that a list of URIs has at place n, or NULL: it has fewer. */
static const char *nth_uri(struct arena *a, const char *list, size_t n)
{
    static const char between[] = " \t,";

    for (;; n--) {
        list += strspn(list, between);
        if (!*list)
            return NULL;
        size_t len = strcspn(list, between);
        if (n == 0)
            return arena_strndup(a, list, len);
        list += len;
    }
}

/* No answer came from that one: whoever finds it so first says it for all. */
static void leave(struct servers *v, size_t server)
{
    atomic_compare_exchange_strong(&v->first, &server, server + 1);
}

/* Each of them once. */
static int connect_to_any(struct lookup_query *q, const struct spec *s, const struct berval *secret,
                          struct connection *c)
{
    const struct directory *d = q->map->own;
    const char *list = uri_of(q->result, s);
    size_t n = 0;
    int rc = LDAP_PARAM_ERROR;

    while (nth_uri(q->result, list, n))
        n++;
    for (size_t i = 0; i < n; i++) {
        c->server = atomic_load(&d->servers->first);
        rc = connect_to(q, s, nth_uri(q->result, list, c->server % n), secret, c);
        if (!is_away(rc))
            break;
        leave(d->servers, c->server);
    }
    return rc;
}

static int connect_and_bind(struct lookup_query *q, const struct spec *s, struct connection *c)
{
    struct berval secret = {0, NULL};
    char *bytes;
    size_t len;
    if (s->method == LDAP_AUTH_SIMPLE && s->secret_file) {
        if (fs_read(q->result, s->secret_file, SECRET, &bytes, &len) != 0)
            return LDAP_INAPPROPRIATE_AUTH;
        secret = (struct berval){strcspn(bytes, "\r\n"), bytes};
    }
    return connect_to_any(q, s, &secret, c);
}

/* --- searches ------------------------------------------------------------------------------ */

struct search {
    struct lookup_query *q;
    const struct spec *spec;
    const struct directory *directory;
    struct connection *connection;
    char **attributes; /* to ask for; NULL: all */
    struct buf values;
    size_t count;  /* of values */
    bool unwanted; /* values came, and there is no -v to say of which attribute */
    bool several;  /* more entries than -1 allows */
    unsigned depth;
};

static void add_escaped(struct buf *b, struct map_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '*' || c == '(' || c == ')' || c == '\\' || c == '\0')
            buf_printf(b, "\\%02x", c);
        else
            buf_addc(b, (char)c);
    }
}

static char *filter_of(struct lookup_query *q, const struct spec *s)
{
    struct buf b;
    buf_init(&b, q->result);
    struct map_bytes key = lookup_folded_key(q);
    for (const char *p = s->filter; *p; p++) {
        size_t n = isdigit((unsigned char)p[1]) ? (size_t)(p[1] - '0') : 0;
        if (*p == '%' && p[1] == 's') {
            buf_add(&b, key.p, key.len); /* as it is: a key may be part of a filter */
            p++;
        } else if (*p == '%' && p[1] == '0') {
            add_escaped(&b, key);
            p++;
        } else if (*p == '%' && n > 0 && s->many_args) {
            if (n <= q->nargs)
                add_escaped(&b, q->args[n - 1]);
            p++;
        } else {
            buf_addc(&b, *p);
        }
    }
    return b.data;
}

static const struct attribute *attribute_named(const struct directory *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcasecmp(d->attributes[i].name, name) == 0)
            return &d->attributes[i];
    return NULL;
}

static bool class_fits(LDAP *ld, LDAPMessage *entry, const struct attribute *x)
{
    if (!x->classes || !*x->classes)
        return true;
    struct berval **has = ldap_get_values_len(ld, entry, object_class);
    bool fits = false;
    for (size_t i = 0; has && has[i] && !fits; i++)
        for (const char *p = x->classes; *p && !fits;) {
            size_t n = strcspn(p, "|");
            fits = n == has[i]->bv_len && strncasecmp(p, has[i]->bv_val, n) == 0;
            p += n + (p[n] == '|');
        }
    ldap_value_free_len(has);
    return fits;
}

/* True: no more are wanted. */
static bool add_value(struct search *s, const char *name, struct map_bytes value)
{
    const struct lookup_map *m = s->q->map;
    if (s->count++ > 0)
        buf_addc(&s->values, m->delimiter);
    if (s->spec->name_separator) {
        buf_adds(&s->values, name);
        buf_addc(&s->values, s->spec->name_separator);
    }
    buf_add(&s->values, value.p, value.len);
    return !m->delimiter;
}

static int run(struct search *s, const char *base, int scope, const char *filter,
               char **attributes);

/* Those that it names, and what their kinds may depend on; none: all. */
static char **attributes_of_url(struct arena *a, const LDAPURLDesc *url)
{
    size_t n = 0;
    while (url->lud_attrs && url->lud_attrs[n])
        n++;
    if (n == 0)
        return NULL;
    char **names = arena_calloc(a, n + 2, sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = arena_strdup(a, url->lud_attrs[i]);
    names[n] = arena_strdup(a, object_class);
    return names;
}

/* A value that leads to another search. */
static int follow(struct search *s, enum kind kind, const char *value)
{
    if (kind == KIND_DN)
        return run(s, value, LDAP_SCOPE_BASE, "(objectClass=*)", s->attributes);
    if (kind == KIND_FILTER)
        return run(s, s->spec->base ? s->spec->base : "",
                   s->spec->scope >= 0 ? s->spec->scope : LDAP_SCOPE_SUBTREE, value, s->attributes);
    LDAPURLDesc *url;
    if (ldap_url_parse(value, &url) != LDAP_URL_SUCCESS)
        return LDAP_PARAM_ERROR;
    int rc = run(s, url->lud_dn ? url->lud_dn : "",
                 url->lud_scope >= 0 ? url->lud_scope : LDAP_SCOPE_BASE,
                 url->lud_filter ? url->lud_filter : "(objectClass=*)",
                 attributes_of_url(s->q->result, url));
    ldap_free_urldesc(url);
    return rc;
}

/* True: no more are wanted. */
static bool take_values(struct search *s, const struct attribute *x, struct berval **values,
                        int *rc)
{
    for (size_t i = 0; values && values[i] && *rc == LDAP_SUCCESS; i++) {
        const char *text = arena_strndup(s->q->result, values[i]->bv_val, values[i]->bv_len);
        if (x->kind == KIND_NORMAL || !s->q->map->delimiter) {
            if (add_value(s, x->name, (struct map_bytes){text, values[i]->bv_len}))
                return true;
        } else {
            *rc = follow(s, x->kind, text);
        }
    }
    return false;
}

/* What it is for; NULL: it is not asked for.  Of what a URL asks for, all is. */
static const struct attribute *meaning_of(struct search *s, const char *name, bool by_url,
                                          struct attribute *other)
{
    const struct attribute *x = attribute_named(s->directory, name);

    if (x || !by_url || strcasecmp(name, object_class) == 0)
        return x;
    *other = (struct attribute){arena_strdup(s->q->result, name), KIND_NORMAL, NULL};
    return other;
}

/* True: no more are wanted. */
static bool take_entry(struct search *s, LDAPMessage *entry, bool by_url, int *rc)
{
    LDAP *ld = s->connection->ld;
    BerElement *ber = NULL;
    bool enough = false;
    char *name = ldap_first_attribute(ld, entry, &ber), *next;
    for (; name && !enough && *rc == LDAP_SUCCESS; name = next) {
        struct attribute other;
        const struct attribute *x = meaning_of(s, name, by_url, &other);
        if (s->directory->count == 0) {
            s->unwanted = true;
        } else if (x && class_fits(ld, entry, x)) {
            if (s->spec->names_only) {
                enough = add_value(s, "", (struct map_bytes){x->name, strlen(x->name)});
            } else {
                struct berval **values = ldap_get_values_len(ld, entry, name);
                enough = take_values(s, x, values, rc);
                ldap_value_free_len(values);
            }
        }
        ldap_memfree(name);
        next = ldap_next_attribute(ld, entry, ber);
    }
    if (name)
        ldap_memfree(name);
    ber_free(ber, 0);
    return enough;
}

static int run(struct search *s, const char *base, int scope, const char *filter, char **attributes)
{
    LDAPMessage *result = NULL;
    LDAP *ld = s->connection->ld;
    unsigned ms = s->q->world->timeout_ms ? s->q->world->timeout_ms : USUAL_MS;
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};
    if (s->spec->seconds > 0)
        wait = (struct timeval){.tv_sec = s->spec->seconds};
    if (s->depth >= DEPTH)
        return LDAP_LOOP_DETECT;
    s->depth++;
    int rc = ldap_search_ext_s(ld, base, scope, filter, attributes, 0, NULL, NULL, &wait,
                               s->spec->size > 0 ? s->spec->size : LDAP_NO_LIMIT, &result);
    int entries = rc == LDAP_SUCCESS ? ldap_count_entries(ld, result) : 0;
    if (s->spec->single && entries > 1)
        s->several = true;
    LDAPMessage *entry = entries > 0 && !s->several ? ldap_first_entry(ld, result) : NULL;
    while (entry && !take_entry(s, entry, attributes != s->attributes, &rc) && rc == LDAP_SUCCESS)
        entry = ldap_next_entry(ld, entry);
    ldap_msgfree(result);
    s->depth--;
    return rc;
}

static char **attributes_of(struct lookup_query *q, const struct directory *d)
{
    if (d->count == 0)
        return NULL;
    char **names = arena_calloc(q->result, d->count + 2, sizeof *names);
    for (size_t i = 0; i < d->count; i++)
        names[i] = arena_strdup(q->result, d->attributes[i].name);
    names[d->count] = arena_strdup(q->result, object_class);
    return names;
}

static int search_once(struct search *s, const char *filter)
{
    int rc = s->connection->ld ? LDAP_SUCCESS : connect_and_bind(s->q, s->spec, s->connection);
    s->depth = 0;
    s->count = 0;
    s->several = s->unwanted = false;
    buf_init(&s->values, s->q->result);
    if (rc == LDAP_SUCCESS)
        rc = run(s, s->spec->base ? s->spec->base : "",
                 s->spec->scope >= 0 ? s->spec->scope : LDAP_SCOPE_SUBTREE, filter, s->attributes);
    return rc;
}

static void ldap_find(struct lookup_query *q)
{
    lookup_let_go(q->session);
    struct connection *c = *q->state;
    if (!c)
        c = *q->state = arena_alloc(q->lifetime, sizeof *c);
    const struct spec spec = whole_spec(q);
    struct search s = {.q = q, .spec = &spec, .directory = q->map->own, .connection = c};
    const char *filter = filter_of(q, &spec);
    s.attributes = attributes_of(q, s.directory);
    if (c->server != atomic_load(&s.directory->servers->first))
        disconnect(c);
    bool fresh = !c->ld;
    int rc = search_once(&s, filter);
    bool open = c->ld;
    if (is_away(rc)) {
        /* One that is lost may have been started anew, one that says nothing may do so again. */
        if (open && rc != LDAP_SERVER_DOWN)
            leave(s.directory->servers, c->server);
        disconnect(c);
        open = false;
        if (!fresh) {
            rc = search_once(&s, filter);
            open = c->ld;
        }
    }
    if (rc != LDAP_SUCCESS && !open && q->map->optional)
        q->answer->closed = true;
    else if (rc != LDAP_SUCCESS)
        lookup_failed(q, "%s: %s", uri_of(q->result, &spec), ldap_err2string(rc));
    else if (s.unwanted)
        lookup_is_not_found(q, EX_SOFTWARE);
    else if (s.several || s.count == 0)
        lookup_is_not_found(q, EX_NOHOST);
    else
        lookup_is_found(q, (struct map_bytes){s.values.data, s.values.len});
}

const struct lookup_class map_lookup_ldap = {ldap_declare, ldap_find, ldap_close, false};

#endif
