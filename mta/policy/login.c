#include "mta/policy/login.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "mta/base64.h"
#include "mta/keyfile.h"
#include "mta/message/envelope.h"
#include "mta/policy/ruling.h"
#include "mta/policy/sasl_login.h"
#include "mta/policy/server.h"
#include "mta/policy/secured.h"

enum { FILE_MAX = 64 << 10 };

struct login {
    struct arena *arena;
    uint64_t number;
    struct sasl_words words;
    const char *relay, *mechanism; /* of the last LOGIN; NULL: none */
    struct sasl_login *sasl;
};

struct login *login_new(const struct arena *a, uint64_t number)
{
    struct arena *own = arena_beside(a);
    struct login *l = arena_alloc(own, sizeof *l);

    l->arena = own;
    l->number = number;
    return l;
}

void login_free(struct login *l)
{
    if (!l)
        return;
    sasl_login_free(l->sasl);
    arena_free(l->arena);
}

uint64_t login_number(const struct login *l)
{
    return l->number;
}

void login_log(const struct login *l, const struct log *log)
{
    enum { LEVEL = 10 }; /* as LogLevel counts */
    struct log_event e;

    if (!l->mechanism)
        return;
    log_begin(&e, log, l->arena, LEVEL, LOG_INFO, "auth", bytes_of(""));
    log_text(&e, "AUTH", "client");
    log_text(&e, "relay", l->relay);
    log_text(&e, "mech", l->mechanism);
    log_text(&e, "bits", "0");
    log_end(&e);
}

struct arena *login_arena(struct login *l)
{
    return l->arena;
}

/* --- words of the ruleset ----------------------------------------------------------------- */

/* In the order of the file's lines, and the letters that the ruleset has for them. */
static const char letters[] = "UIPRM";

static const char **word_at(struct sasl_words *w, size_t i)
{
    const char **const words[] = {&w->user, &w->id, &w->password, &w->realm, &w->mechanisms};

    return words[i];
}

/* "U:value", or "U=dmFsdWU="; false: it is none. */
static bool read_word(struct login *l, const char *word, size_t len)
{
    struct bytes value = {word + 2, len - 2};
    struct buf b;

    if (len < 2 || (word[1] != ':' && word[1] != '='))
        return false;
    const char *at = strchr(letters, toupper((unsigned char)*word));
    if (!at || !*at)
        return false;
    buf_init(&b, l->arena);
    buf_adds(&b, "");
    if (word[1] == ':')
        buf_add(&b, value.p, value.len);
    else if (!base64_decode(value, &b))
        return false;
    *word_at(&l->words, (size_t)(at - letters)) = b.len > 0 ? b.data : NULL;
    return true;
}

/* Each is a quoted string; false: something else stands there. */
static bool read_words(struct login *l, const char *s)
{
    for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
        const char *end = *s == '"' ? strchr(s + 1, '"') : NULL;
        if (!end || !read_word(l, s + 1, (size_t)(end - s - 1)))
            return false;
        s = end + 1;
    }
    return true;
}

/* --- the file ----------------------------------------------------------------------------- */

/* Lines: user, id, password, realm, mechanisms; the last two may be missing.  False: it is not to
 * be used. */
static bool read_file(struct worker *w, struct login *l, const char *path)
{
    const char *command;
    const char *why =
        keyfile_wrong(w->arena, w->service->program, path, &trust_auth_info, &command);
    char *text;
    size_t len;

    if (why) {
        worker_log_trouble(w, arena_printf(w->arena, "AUTH=client: %s%s%s", why,
                                           command ? "; mend it: " : "", command ? command : ""));
        return false;
    }
    if (fs_read(l->arena, path, FILE_MAX, &text, &len) != 0)
        return false;
    for (size_t i = 0, at = 0; i < strlen(letters) && at < len; i++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        *word_at(&l->words, i) = n > 0 ? arena_strndup(l->arena, text + at, n) : NULL;
        at += n + 1;
    }
    return true;
}

/* --- who we are --------------------------------------------------------------------------- */

/* False: nobody is to log in.  Words that are not understood count for nothing. */
static bool find_words(struct worker *w, struct login *l, const struct message_LOGIN *ask)
{
    static const char ruleset[] = "authinfo";
    const struct program *p = w->service->program;
    const char *file = setting_text(p, "DefaultAuthInfo"), *nothing = "";

    l->words = (struct sasl_words){.mechanisms = NULL};
    server_begin(w, ask->name, ask->address, ask->to);
    secured_set(w, ask->found);
    if (program_ruleset(p, ruleset, strlen(ruleset))) {
        struct ruling r = ruling_of(w, ruleset, &nothing, 1, NULL);
        if (r.kind != RULING_REFUSED && !read_words(l, r.words))
            l->words.password = NULL;
        return r.kind != RULING_REFUSED;
    }
    return *file == '\0' || read_file(w, l, file);
}

static bool know_ourselves(const struct login *l)
{
    return l->words.password && (l->words.user || l->words.id);
}

static void fill_words(struct worker *w, struct login *l)
{
    struct sasl_words *words = &l->words;

    words->user = words->user ? words->user : words->id;
    words->id = words->id ? words->id : words->user;
    if (!words->mechanisms)
        words->mechanisms = setting_text(w->service->program, "AuthMechanisms");
}

/* Where there is none, nothing is asked of the library. */
static void end_exchange(struct login *l)
{
    sasl_login_free(l->sasl);
    l->sasl = NULL;
}

void login_answer(struct worker *w, struct login *l, const struct message_LOGIN *ask,
                  struct message_LOGIN_SAID *out)
{
    const char *mechanism;
    struct bytes initial;

    *out = (struct message_LOGIN_SAID){.delivery = ask->delivery, .login = ask->login};
    out->said = LOGIN_NO_MECHANISM;
    end_exchange(l);
    if (!find_words(w, l, ask))
        return;
    if (!know_ourselves(l)) {
        out->said = LOGIN_WITHOUT;
        return;
    }
    fill_words(w, l);
    const char *host = worker_get(w, "server_name");
    uint64_t bits = strtoull(worker_get(w, "cipher_bits"), NULL, 10);
    l->sasl = w->service->logs_in ? sasl_login_new(&l->words, host, bits) : NULL;
    const char *offer = bytes_string(l->arena, ask->offer);
    if (!l->sasl)
        return;
    if (sasl_login_begin(l->sasl, offer, &mechanism, &initial) == SASL_SAID_NO) {
        end_exchange(l);
        return;
    }
    out->said = LOGIN_START;
    out->mechanism = bytes_of(mechanism);
    l->mechanism = arena_strdup(l->arena, mechanism);
    l->relay = bytes_string(l->arena, ask->name);
    struct bytes *one = arena_calloc(l->arena, 1, sizeof *one);
    *one = initial;
    out->response = (struct texts){one, initial.p != NULL};
}

void login_answer_step(struct login *l, const struct message_LOGIN_STEP *ask,
                       struct message_LOGIN_SAID *out)
{
    struct bytes *one = arena_calloc(l->arena, 1, sizeof *one);

    *out = (struct message_LOGIN_SAID){.delivery = ask->delivery, .login = ask->login};
    out->said = LOGIN_ABORT;
    out->mechanism = bytes_of("");
    if (!l->sasl || sasl_login_step(l->sasl, ask->challenge, one) == SASL_SAID_NO)
        return;
    out->said = LOGIN_RESPOND;
    out->response = (struct texts){one, 1};
}
