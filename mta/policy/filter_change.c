#include "mta/policy/filter_change.h"

#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/maps/map_aliases.h"
#include "mta/front/parameters.h"
#include "mta/message/seen.h"
#include "mta/policy/others.h"
#include "mta/policy/check.h"
#include "mta/policy/collect.h"

/* As LogLevel counts. */
enum { LEVEL_OUTCOME = 4, LEVEL_CHANGE = 9, LEVEL_LIE = 10 };

enum { CHANGES_MOST = 10000, NAMES_MOST = 100 };

/* --- the head ----------------------------------------------------------------------------- */

static size_t find_default(const struct head *h, const char *name, size_t from)
{
    size_t i = head_find(h, name, from);

    while (i < h->n && !(h->v[i].flags & FIELD_DEFAULT))
        i = head_find(h, name, i + 1);
    return i;
}

void filter_change_open(struct asking_filters *q)
{
    const struct program *p = q->w->service->program;
    struct head all;
    size_t from = 0;

    head_init(&all, q->c->tx);
    for (const struct item *it = p->config->first; it; it = it->next) {
        if (!collect_is_default(it))
            continue;
        const size_t i = find_default(q->head, it->name, from);
        struct field *f = head_add(&all, bytes_of(it->name), (struct bytes){NULL, 0});
        f->flags |= FIELD_DEFAULT;
        if (i < q->head->n) {
            *f = q->head->v[i];
            from = i + 1;
        }
    }
    for (size_t i = 0; i < q->head->n; i++) {
        const struct field *f = &q->head->v[i];
        if (!(f->flags & FIELD_DEFAULT))
            *head_add(&all, f->name, f->value) = *f;
    }
    all.first = q->head->first;
    *q->head = all;
}

/* --- a new body --------------------------------------------------------------------------- */

static bool put_body(struct asking_filters *q, bool first, struct bytes text)
{
    do {
        struct bytes piece = text;
        if (piece.len > PROTOCOL_PIECE)
            piece.len = PROTOCOL_PIECE;
        if (others_replace_body(q->w->service->others, q->c->session, first, piece) != 0)
            return false;
        first = false;
        q->body += piece.len;
        text.p += piece.len;
        text.len -= piece.len;
    } while (text.len > 0);
    return true;
}

/* A CR at the end of what a filter has given ends no line. */
static bool end_body(struct asking_filters *q)
{
    const bool waits = q->cr;

    q->cr = false;
    return !waits || put_body(q, false, (struct bytes){"\r", 1});
}

/* CR LF to LF. */
static struct bytes with_lf(struct asking_filters *q, struct bytes text)
{
    char *out = arena_raw(q->scratch, text.len + 1), *to = out;

    for (size_t i = 0; i < text.len; i++) {
        const char c = text.p[i];
        if (q->cr && c != '\n') {
            *to++ = '\r';
            q->seen |= SEEN_CR;
        }
        q->cr = c == '\r';
        if (!q->cr)
            *to++ = c;
        q->seen |= (unsigned char)c > 127 ? SEEN_8BIT : 0U;
    }
    return (struct bytes){out, (size_t)(to - out)};
}

static bool replace_body(struct asking_filters *q, const struct filter *f, struct bytes text)
{
    const bool first = q->by != f;

    if (first) {
        filtering_note(q, LEVEL_CHANGE, "Milter (%s) message: body replaced", f->name);
        q->by = f;
        q->replaced = true;
        q->body = 0;
        q->cr = false;
        q->seen = 0;
    }
    arena_reset(q->scratch);
    return put_body(q, first, with_lf(q, text));
}

void filter_change_begin(struct asking_filters *q)
{
    end_body(q);
    q->at = 0;
    for (size_t i = 0; i < q->head->n; i++) {
        if (!q->head->v[i].value.p)
            q->head->v[i].flags |= FIELD_DEFAULT;
    }
}

void filter_change_close(struct asking_filters *q, uint64_t body)
{
    struct envelope *e = &q->c->envelope;

    end_body(q);
    for (size_t i = 0; i < q->head->n;) {
        if (q->head->v[i].value.p)
            i++;
        else
            head_remove(q->head, i);
    }
    if (!q->replaced)
        return;
    e->size = e->size > body ? e->size - body + q->body : q->body;
    e->flags &= ~(uint64_t)(ENVELOPE_HAS_8BIT | ENVELOPE_CR_LF);
    e->flags |= q->seen & SEEN_8BIT ? ENVELOPE_HAS_8BIT : 0U;
    e->flags |= q->seen & SEEN_CR ? ENVELOPE_CR_LF : 0U;
}

/* --- fields ------------------------------------------------------------------------------- */

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ':')
            return false;
    }
    return name.len > 0;
}

/* As a field has it: without CR, and a line goes on with a blank. */
static struct bytes value_of(const struct asking_filters *q, struct bytes text, bool spaced)
{
    struct buf b;

    buf_init(&b, q->c->tx);
    buf_adds(&b, spaced ? "" : " ");
    for (size_t i = 0; i < text.len; i++) {
        const char next = i + 1 < text.len ? text.p[i + 1] : '\0';
        if (text.p[i] == '\n' && next != ' ' && next != '\t')
            buf_addc(&b, ' ');
        else if (text.p[i] != '\r')
            buf_addc(&b, text.p[i]);
    }
    return (struct bytes){b.len > 0 ? b.data : "", b.len};
}

static void put_value(struct field *f, struct bytes value)
{
    f->value = value;
    f->flags &= ~(uint32_t)(FIELD_DEFAULT | FIELD_LATE | FIELD_HAS_ID);
}

/* Whether it may be put in; what is no field is left out, as it would be none when it is read. */
static bool put_field(struct asking_filters *q, size_t i, struct bytes name, struct bytes value)
{
    if (q->head->n >= HEAD_FIELDS_MAX)
        return false;
    if (is_name(name))
        head_insert(q->head, i, name, value);
    return true;
}

/* Beside the first one of its name, else at the end. */
static bool add_field(struct asking_filters *q, const char *name, struct bytes value)
{
    return put_field(q, head_find(q->head, name, 0), bytes_of(name), value);
}

static bool add_header(struct asking_filters *q, const struct filter *f, const char *name,
                       const char *text, struct bytes value)
{
    size_t i = find_default(q->head, name, 0);

    while (i < q->head->n && q->head->v[i].flags & FIELD_TRACE)
        i = find_default(q->head, name, i + 1);
    if (i == q->head->n) {
        filtering_note(q, LEVEL_CHANGE, "Milter (%s) add: header: %s: %s", f->name, name, text);
        return add_field(q, name, value);
    }
    filtering_note(q, LEVEL_CHANGE, "Milter (%s) change: default header %s value with %s", f->name,
                   name, text);
    put_value(&q->head->v[i], value);
    return true;
}

static bool insert_header(struct asking_filters *q, const struct filter *f, uint32_t index,
                          const char *name, const char *text, struct bytes value)
{
    const struct head *h = q->head;
    const size_t first =
        h->n > 0 && h->v[0].flags & FIELD_RETURN_PATH && h->v[0].flags & FIELD_DEFAULT;

    filtering_note(q, LEVEL_CHANGE, "Milter (%s) insert (%d): header: %s: %s", f->name,
                   (int)(int32_t)index, name, text);
    if (index > INT32_MAX)
        index = 0;
    const size_t at = first + index < h->n ? first + index : h->n;
    return put_field(q, at, bytes_of(name), value);
}

/* The index-th of the message's own; else that of the configuration; NULL: there is none. */
static struct field *changed_field(struct asking_filters *q, uint32_t index, const char *name)
{
    struct field *found = NULL;
    uint32_t left = index > INT32_MAX || index == 0 ? 1 : index;

    for (size_t i = head_find(q->head, name, 0); i < q->head->n;
         i = head_find(q->head, name, i + 1)) {
        struct field *f = &q->head->v[i];
        if (!(f->flags & FIELD_DEFAULT) && --left == 0)
            return f;
        if (f->flags & FIELD_DEFAULT && !(f->flags & FIELD_TRACE))
            found = f;
    }
    return found;
}

static bool change_header(struct asking_filters *q, const struct filter *f, uint32_t index,
                          const char *name, const char *text, struct bytes value)
{
    struct field *of = changed_field(q, index, name);
    const char *which = of && of->flags & FIELD_DEFAULT ? " (default header)" : "";
    const char *old =
        of && of->value.p ? bytes_string(q->w->arena, filtering_with_id(q, of->value)) : "<NULL>";

    if (!of && !*text) {
        filtering_note(q, LEVEL_CHANGE, "Milter (%s) delete (noop): header: %s", f->name, name);
    } else if (!of) {
        filtering_note(q, LEVEL_CHANGE, "Milter (%s) change (add): header: %s: %s", f->name, name,
                       text);
        return add_field(q, name, value);
    } else if (!*text) {
        filtering_note(q, LEVEL_CHANGE, "Milter (%s) delete: header%s %s:%s", f->name, which, name,
                       old);
        of->value = (struct bytes){NULL, 0};
    } else {
        filtering_note(q, LEVEL_CHANGE, "Milter (%s) change: header%s %s: from %s to %s", f->name,
                       which, name, old, text);
        put_value(of, value);
    }
    return true;
}

static bool change_head(struct asking_filters *q, const struct filter *f, char letter,
                        const struct change *change, bool spaced)
{
    const char *name = bytes_string(q->c->tx, change->one);
    const char *text = bytes_string(q->w->arena, change->two);
    const struct bytes value = value_of(q, change->two, spaced);

    if (!*name)
        return true;
    if (letter == ANSWER_ADD_HEADER)
        return add_header(q, f, name, text, value);
    if (letter == ANSWER_INSERT_HEADER)
        return insert_header(q, f, change->index, name, text, value);
    return change_header(q, f, change->index, name, text, value);
}

/* --- the envelope ------------------------------------------------------------------------- */

/* False: they are none. */
static bool read_parameters(struct asking_filters *q, enum parameters_command command,
                            struct bytes text, struct parameters *p)
{
    struct buf why;

    *p = (struct parameters){.dsn = true};
    buf_init(&why, q->w->arena);
    const char *copy = arena_printf(q->c->tx, " %s", bytes_string(q->w->arena, text));
    return text.len == 0 || parameters_read(q->c->tx, p, command, copy, strlen(copy), &why);
}

/* Addresses with commas between. */
static void add_recipients(struct asking_filters *q, const char *text, struct texts parameters)
{
    struct alias_span whole = {0, strlen(text)}, v[NAMES_MOST];
    struct alias_item item;
    size_t pos = 0, n = 0;

    while (n < NAMES_MOST && alias_item_next(text, whole, &pos, &item))
        v[n++] = item.at;
    q->c->sends.adding = true;
    for (size_t i = 0; i < n; i++) {
        const char *one = arena_strndup(q->c->tx, text + v[i].begin, v[i].end - v[i].begin);
        struct recipient as = {.address = bytes_of(one)};
        check_recipient_parameters(q->w, q->c, parameters, &as);
        expand_add(q->w, &q->c->sends, &as, one);
    }
    q->c->sends.adding = false;
}

static void change_recipients(struct asking_filters *q, const struct filter *f, char letter,
                              const struct change *change)
{
    const char *text = bytes_string(q->c->tx, change->one);
    struct parameters p;

    if (!*text)
        return;
    if (letter == ANSWER_DELETE_RCPT) {
        const size_t n = expand_remove(q->w, &q->c->sends, text);
        filtering_note(q, LEVEL_CHANGE, "Milter (%s) delete: rcpt %s, naddrs=%zu", f->name, text,
                       n);
        return;
    }
    filtering_note(q, LEVEL_CHANGE, "Milter (%s) add: rcpt: %s", f->name, text);
    if (read_parameters(q, PARAMETERS_OF_RCPT, change->two, &p))
        add_recipients(q, text, (struct texts){p.v, p.n});
}

static void change_sender(struct asking_filters *q, const struct filter *f,
                          const struct change *change)
{
    const char *path = bytes_string(q->c->tx, change->one);
    struct parameters p;

    if (!*path)
        return;
    filtering_note(q, LEVEL_CHANGE, "Milter (%s) chgfrom: %s", f->name, path);
    if (!read_parameters(q, PARAMETERS_OF_MAIL, change->two, &p))
        p.n = 0;
    check_new_sender(q->w, q->c, path, (struct texts){p.v, p.n});
}

static void quarantine(struct asking_filters *q, const struct filter *f, struct bytes why)
{
    const char *text = bytes_string(q->c->tx, why);

    filtering_note(q, LEVEL_OUTCOME, "milter=%s, quarantine=%s", f->name, text);
    q->c->envelope.quarantine = bytes_of(*text ? text : "(no reason)");
}

/* --- all ---------------------------------------------------------------------------------- */

/* What a filter does that did not say it might. */
static void note_lie(const struct asking_filters *q, const struct filter *f, char letter)
{
    static const struct {
        char letter;
        const char *words;
    } all[] = {{ANSWER_ADD_HEADER, ": lied about adding headers, honoring request anyway"},
               {ANSWER_INSERT_HEADER, ": lied about adding headers, honoring request anyway"},
               {ANSWER_CHANGE_HEADER, ": lied about changing headers, honoring request anyway"},
               {ANSWER_ADD_RCPT, " lied about adding recipients, honoring request anyway"},
               {ANSWER_ADD_RCPT_PAR,
                " lied about adding recipients with parameters, honoring request anyway"},
               {ANSWER_DELETE_RCPT, ": lied about removing recipients, honoring request anyway"},
               {ANSWER_CHANGE_FROM, " lied about changing sender, honoring request anyway"},
               {ANSWER_QUARANTINE, ": lied about quarantining, honoring request anyway"},
               {ANSWER_REPLACE_BODY,
                ": lied about replacing body, rejecting request and tempfailing message"}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].letter == letter)
            filtering_note(q, LEVEL_LIE, "milter_data(%s)%s", f->name, all[i].words);
    }
}

bool filter_change(void *ctx, const struct filter *f, char letter, const struct change *change,
                   bool right, bool spaced)
{
    struct asking_filters *q = ctx;

    if (letter == ANSWER_REPLACE_BODY && right)
        return replace_body(q, f, change->one);
    q->bytes += change->one.len + change->two.len;
    if (++q->changes > CHANGES_MOST || q->bytes > HEAD_BYTES_MAX)
        return false;
    if (!right)
        note_lie(q, f, letter); /* not without a limit, either */
    if (letter == ANSWER_REPLACE_BODY)
        return false;
    switch (letter) {
    case ANSWER_ADD_HEADER:
    case ANSWER_INSERT_HEADER:
    case ANSWER_CHANGE_HEADER:
        return change_head(q, f, letter, change, spaced);
    case ANSWER_CHANGE_FROM:
        change_sender(q, f, change);
        return true;
    case ANSWER_QUARANTINE:
        quarantine(q, f, change->one);
        return true;
    default:
        change_recipients(q, f, letter, change);
        return true;
    }
}
