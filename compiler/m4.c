#include "compiler/m4.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "compiler/cage.h"
#include "compiler/confine.h"
#include "compiler/parts.h"
#include "compiler/template.h"
#include "compiler/vocabulary.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/model/findings.h"

#define KEY_LENGTH (sizeof(VOCABULARY_KEY) - 1)
#define DEFAULT_CPU 4
#define DEFAULT_OUTPUT ((size_t)64 << 20)
#define TRACE_LIMIT ((size_t)32 << 20)
#define TRACE_SECONDS 2
#define PIPE_MOST ((size_t)256 << 10)
#define ARGS_TOLD 10 /* of a record's arguments */
#define ARGS_MAX 1000
#define HASH_SIZE "-H1021" /* m4's own is for sixty times as many macros: 128 pages to clear */

const char *m4_program(void)
{
    const char *m4 = getenv("MCF_M4");
    return m4 && *m4 ? m4 : "m4";
}

/* --- running ------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* A memory file with the bytes; -1 on failure. */
static int memory_file(const char *name, const char *bytes, size_t len)
{
    int fd = memfd_create(name, 0);
    if (fd >= 0 && (!write_all(fd, bytes, len) || lseek(fd, 0, SEEK_SET) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The random key of a run: letters only, so that no macro name or digit runs into it. */
static void make_key(char key[KEY_LENGTH + 1])
{
    unsigned char r[KEY_LENGTH];
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
        for (size_t i = 0; i < sizeof r; i++)
            r[i] = (unsigned char)((size_t)getpid() * 31u + i * 7u + (size_t)time(NULL));
    for (size_t i = 0; i < KEY_LENGTH; i++)
        key[i] = (char)((r[i] % 64 < 32 ? 'A' : 'a') + r[i] % 26);
    key[0] = '\001'; /* no text that a person writes begins so */
    key[KEY_LENGTH] = '\0';
}

/* The key in the bytes from p to end, or NULL. */
static const char *find_key(const char *key, const char *p, const char *end)
{
    for (; p < end && (p = memchr(p, key[0], (size_t)(end - p))) != NULL; p++)
        if ((size_t)(end - p) >= KEY_LENGTH && memcmp(p, key, KEY_LENGTH) == 0)
            return p;
    return NULL;
}

/* A pipe that takes len bytes though nobody reads them; false where the system does not give it. */
static bool roomy_pipe(int ends[2], size_t len)
{
    if (len > PIPE_MOST || pipe(ends) != 0)
        return false;
    int room = fcntl(ends[1], F_SETPIPE_SZ, (int)len);
    if (room >= 0 && (size_t)room >= len && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0)
        return true;
    close(ends[0]);
    close(ends[1]);
    return false;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path); /* what stays is harmless */
    return 0;
}

/* A folder for temporary files; NULL if none can be made. */
static const char *make_folder(struct arena *a)
{
    const char *base = getenv("TMPDIR");
    return mkdtemp(arena_printf(a, "%s/mcf-XXXXXX", base && *base ? base : "/tmp"));
}

/* An m4 that is killed leaves files behind. */
static void remove_folder(const char *tmp)
{
    nftw(tmp, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Was the end of the input reached?  Then nothing can go wrong any more. */
static bool said_everything(const struct cage *c, const char *key)
{
    enum { TAIL = 64 };
    const char *end = c->out + c->out_len, *p = c->out_len > TAIL ? end - TAIL : c->out;
    const char *last = NULL;
    while ((p = find_key(key, p, end)) != NULL) {
        p += KEY_LENGTH;
        last = p;
    }
    return last && end - last >= 2 && last[0] == ' ' && last[1] == '!';
}

/* Waits for the end, or until nothing can go wrong any more.  False: it has diversions so large
 * that it puts them into files, and had no folder for them. */
static bool wait_for(struct cage *c, const char *key)
{
    static const char no_file[] = "cannot create temporary file for diversion";
    cage_read(c);
    if (c->pid && said_everything(c, key)) {
        c->end = CAGE_EXIT;
        return true;
    }
    cage_wait(c);
    return c->end != CAGE_EXIT || c->status == 0 ||
           !memmem(c->err, c->err_len, no_file, sizeof no_file - 1);
}

struct args {
    const char **v;
    size_t n, room;
    struct arena *arena;
};

static void arg(struct args *a, const char *s)
{
    a->v = arena_grow(a->arena, a->v, a->n, &a->room, sizeof *a->v, 32);
    a->v[a->n++] = s;
}

/* --- reading the records --------------------------------------------------------------------- */

struct reader {
    struct arena *arena;
    struct source_set *sources;
    struct diag *diag;
    struct m4_result *result;
    struct m4_record **record_tail;
    const char *key;
    struct table *told; /* what m4 said: "file:line text" */
    const char *path;
    const char *alias; /* what m4 calls path where it reads another text in its place; or NULL */
    const struct m4_define *defines; /* -D */
    bool names_itself;               /* some macro's text has its own name in it */
    bool undefines;                  /* something was undefined or popped */
    const struct m4_options *options;
    int confined;              /* the rules that m4 runs under, or -1 */
    const struct parts *parts; /* of the library: what m4 was given */
    struct parts_text state;   /* what it starts from: frozen, or the vocabulary's source */
    bool unclosed_known;
    bool reported;         /* a finding says why the run failed */
    const char *exhausted; /* m4's word for what a call without end used up */
};

static struct origin place(struct reader *r, const char *file, unsigned long line)
{
    struct origin o = {0, 0, 0, 0};
    if (r->alias && strcmp(file, r->alias) == 0)
        file = r->path;
    else if (strncmp(file, "/proc/self/fd/", 14) == 0)
        return o; /* our own prologue or epilogue: no place of the user's */
    struct source *s = source_open(r->sources, file, NULL);
    o.file = s->id;
    o.line = (uint32_t)line;
    return o;
}

static bool number(const char **p, const char *end, unsigned long *n)
{
    const char *s = *p;
    unsigned long v = 0;
    while (s < end && *s >= '0' && *s <= '9') {
        if (v > 100000000UL)
            return false;
        v = v * 10 + (unsigned long)(*s++ - '0');
    }
    if (s == *p)
        return false;
    *p = s;
    *n = v;
    return true;
}

/* The next part of a record, which a key ends. */
static bool part(struct reader *r, const char **p, const char *end, const char **text)
{
    const char *stop = find_key(r->key, *p, end);
    if (!stop)
        return false;
    *text = arena_strndup(r->arena, *p, (size_t)(stop - *p));
    *p = stop + KEY_LENGTH;
    return true;
}

static void add_record(struct reader *r, struct m4_record *rec)
{
    *r->record_tail = rec;
    r->record_tail = &rec->next;
}

/* " R id kind line nKEYfileKEYargKEYarg...KEY" after the key; returns where it ends, NULL if
 * broken. */
static const char *read_record(struct reader *r, const char *p, const char *end)
{
    struct m4_record *rec = arena_alloc(r->arena, sizeof *rec);
    unsigned long line, argc;
    const char *file;
    if (end - p < 3 || memcmp(p, " R ", 3) != 0)
        return NULL;
    p += 3;
    if (!number(&p, end, &rec->id) || p >= end || *p++ != ' ')
        return NULL;
    const char *kind = p;
    while (p < end && *p != ' ' && *p != '\n')
        p++;
    rec->kind = arena_strndup(r->arena, kind, (size_t)(p - kind));
    if (p >= end || *p++ != ' ' || !number(&p, end, &line) || p >= end || *p++ != ' ' ||
        !number(&p, end, &argc) || argc-- == 0 || find_key(r->key, p, end) != p)
        return NULL;
    p += KEY_LENGTH;
    if (!part(r, &p, end, &file))
        return NULL;
    rec->at = place(r, file, line);
    rec->argc = argc < ARGS_MAX ? argc : ARGS_MAX;
    rec->argv = arena_calloc(r->arena, rec->argc + 1, sizeof *rec->argv);
    for (size_t i = 0; i < rec->argc || i < ARGS_TOLD; i++) {
        const char *text = "";
        if (i < ARGS_TOLD && !part(r, &p, end, &text))
            return NULL;
        if (i < rec->argc)
            rec->argv[i] = text;
    }
    if (p < end && *p == '\n')
        p++;
    add_record(r, rec);
    if (strcmp(rec->kind, "open") == 0)
        finding_add(r->diag, FINDING_CANNOT_INCLUDE, rec->at, argc > 0 ? rec->argv[0] : "",
                    "it is m4's own", NULL);
    return p;
}

/* "file:line: rest" -> the place and rest; false if it has not that form. */
static bool located(struct reader *r, const char *line, const char *end, struct origin *at,
                    const char **rest)
{
    for (const char *p = line; p + 2 < end; p++) {
        unsigned long n;
        const char *q = p + 1;
        if (*p != ':' || !number(&q, end, &n) || q + 1 >= end || q[0] != ':' || q[1] != ' ')
            continue;
        *at = place(r, arena_strndup(r->arena, line, (size_t)(p - line)), n);
        *rest = q + 2;
        return true;
    }
    return false;
}

/* Where the name stands in the line. */
static struct origin named_at(const struct reader *r, struct origin at, const char *name)
{
    const struct source *s = source_by_id(r->sources, at.file);
    size_t n = strlen(name);
    return s && s->bytes && at.line ? source_place_in(s, at, name, n, 0, n) : at;
}

/* Whether the file that m4 did not get is there, where it is not to be read; then it is said. */
static bool outside(struct reader *r, struct origin at, const char *name)
{
    const struct m4_options *o = r->options;
    const char *found = NULL, *path = name;
    if (!o->confine)
        return false;
    for (const char *const *dir = o->include_dirs; !found && path; dir++) {
        if (fs_exists(path) && !fs_is_below(path, o->confine))
            found = path;
        path = *name != '/' && dir && *dir ? fs_join(r->arena, *dir, name) : NULL;
    }
    if (found)
        finding_add(r->diag, FINDING_CONFINED, named_at(r, at, name), found, o->confine, NULL);
    return found != NULL;
}

/* "m4trace:file:line: -1- define(`name', `text')": what an .mc defines, with its place. */
static const char *read_trace(struct reader *r, const char *p, const char *end)
{
    struct m4_record *rec = arena_alloc(r->arena, sizeof *rec);
    const char *eol = memchr(p, '\n', (size_t)(end - p)), *rest;
    if (!eol)
        eol = end;
    if (!located(r, p, eol, &rec->at, &rest))
        return eol;
    p = rest;
    while (p < eol && (*p == '-' || (*p >= '0' && *p <= '9')))
        p++;
    while (p < eol && *p == ' ')
        p++;
    const char *name = p;
    while (p < eol && *p != '(')
        p++;
    rec->kind = arena_strndup(r->arena, name, (size_t)(p - name));
    const char *argv[4];
    size_t argc = 0;
    if (p < eol) {
        p++;
        while (p < end && argc < 4) {
            int depth = 0;
            const char *from = p + 1;
            if (*p != '`')
                break;
            for (; p < end; p++) {
                if (*p == '`')
                    depth++;
                else if (*p == '\'' && --depth == 0)
                    break;
            }
            if (p >= end)
                break;
            argv[argc++] = arena_strndup(r->arena, from, (size_t)(p - from));
            p++;
            if (end - p >= 2 && p[0] == ',' && p[1] == ' ')
                p += 2;
            else
                break;
        }
    }
    rec->argc = argc;
    rec->argv = arena_calloc(r->arena, argc + 1, sizeof *rec->argv);
    memcpy(rec->argv, argv, argc * sizeof *argv);
    if (strcmp(rec->kind, "undefine") == 0 || strcmp(rec->kind, "popdef") == 0)
        r->undefines = true;
    if (argc > 1 && strstr(argv[1], argv[0]))
        r->names_itself = true;
    if (strncmp(rec->kind, "_mcf_", 5) == 0) {
        rec->kind += 5;
        /* m4 says nothing about a file that it may not read. */
        if (argc > 0 && strcmp(rec->kind, "sinclude") == 0)
            outside(r, rec->at, rec->argv[0]);
    }
    add_record(r, rec);
    const char *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    return nl ? nl + 1 : end;
}

/* Whether an error says already what m4 stopped at: nothing may be refused without one. */
static bool said_unclosed(const struct reader *r)
{
    return r->unclosed_known && diag_count(r->diag, DIAG_ERROR) > 0;
}

/* A macro that goes wrong does so each time that it is called: once is enough for a line. */
static void m4_says(struct reader *r, struct origin at, const char *text)
{
    char *key = arena_printf(r->arena, "%u:%u %s", at.file, at.line, text);
    if (table_has(r->told, key))
        return;
    table_set(r->told, key, r);
    finding_add(r->diag, FINDING_M4_SAYS, at, text, NULL);
}

/* m4's own words, made ours: what a person can act on. */
static void read_message(struct reader *r, const char *p, const char *eol)
{
    struct origin at = {0, 0, 0, 0};
    const char *rest = p;
    bool has_place = located(r, p, eol, &at, &rest);
    char *text = arena_strndup(r->arena, rest, (size_t)(eol - rest));
    if (strncmp(text, "Warning: ", 9) == 0 || strncmp(text, "warning: ", 9) == 0)
        text += 9;
    if (!has_place)
        at.file = source_open(r->sources, r->path, NULL)->id;
    if (strncmp(text, "ERROR: ", 7) == 0)
        text += 7;
    char *name;
    if (strstr(text, "end of file in string")) {
        r->reported = true;
        if (!said_unclosed(r))
            finding_add(r->diag, FINDING_QUOTE_TO_END, at, NULL);
    } else if (strstr(text, "end of file in argument list")) {
        r->reported = true;
        if (!said_unclosed(r))
            finding_add(r->diag, FINDING_PARENTHESIS_TO_END, at, NULL);
    } else if (strncmp(text, "cannot open `", 13) == 0 ||
               strncmp(text, "cannot undivert `", 17) == 0) {
        name = strchr(text, '`') + 1;
        char *quote = strstr(name, "': ");
        const char *why = "cannot be read";
        if (quote) {
            *quote = '\0';
            why = quote + 3;
        }
        if (!outside(r, at, name))
            finding_add(r->diag, FINDING_CANNOT_INCLUDE, named_at(r, at, name), name, why, NULL);
    } else if (strstr(text, "memory exhausted") || strstr(text, "stack overflow") ||
               strstr(text, "recursion limit")) {
        r->reported = true;
        r->exhausted = text;
    } else {
        m4_says(r, at, text);
    }
}

static void read_stderr(struct reader *r, const char *p, size_t len)
{
    const char *end = p + len;
    while (p < end) {
        const char *next = NULL;
        if ((size_t)(end - p) > KEY_LENGTH && memcmp(p, r->key, KEY_LENGTH) == 0) {
            next = read_record(r, p + KEY_LENGTH, end);
            if (next) {
                p = next;
                continue;
            }
        }
        if (end - p > 8 && memcmp(p, "m4trace:", 8) == 0) {
            p = read_trace(r, p + 8, end);
            if (p < end && *p == '\n')
                p++;
            continue;
        }
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        if (eol - p > 3 && memcmp(p, "m4:", 3) == 0)
            read_message(r, p + 3 + (p[3] == ' '), eol);
        p = eol < end ? eol + 1 : end;
    }
}

/* --- reading the text ------------------------------------------------------------------------ */

static struct m4_piece *new_piece(struct arena *a, struct m4_piece ***tail,
                                  const struct m4_record *rec)
{
    struct m4_piece *p = arena_alloc(a, sizeof *p);
    p->record = rec;
    **tail = p;
    *tail = &p->next;
    return p;
}

static void add_line(struct arena *a, struct m4_piece *p, const char *text, size_t len,
                     struct origin at)
{
    p->lines = arena_grow(a, p->lines, p->count, &p->room, sizeof *p->lines, 8);
    if (len > 0 && text[len - 1] == '\r')
        len--; /* a file with CRLF line ends means the same */
    p->lines[p->count].text = arena_strndup(a, text, len);
    p->lines[p->count].at = at;
    p->count++;
}

static const struct m4_record *record_by_id(const struct m4_result *res, unsigned long id)
{
    for (const struct m4_record *r = res->records; r; r = r->next)
        if (r->id == id && id != 0)
            return r;
    return NULL;
}

/* "#line 12" or "#line 12 "file"": m4's own note of where the next line comes from. */
static bool sync_line(struct reader *r, const char *p, const char *eol, struct origin *at)
{
    unsigned long n;
    const char *q = p + 6;
    if (eol - p < 7 || memcmp(p, "#line ", 6) != 0 || !number(&q, eol, &n))
        return false;
    if (q < eol) {
        if (eol - q < 3 || q[0] != ' ' || q[1] != '"' || eol[-1] != '"')
            return false;
        *at = place(r, arena_strndup(r->arena, q + 2, (size_t)(eol - 1 - (q + 2))), n);
    }
    at->line = at->file ? (uint32_t)n : 0;
    return true;
}

static bool reads(const struct source *s, uint32_t line, const char *text, size_t len)
{
    size_t n;
    const char *there = source_line(s, line, &n);
    return there && n == len && memcmp(there, text, n) == 0;
}

/* For a line right below its include of a file m4 may note the line above. */
static void correct_line(const struct reader *r, struct origin *at, const char *text, size_t len)
{
    const struct source *s = at->file && len > 0 ? source_by_id(r->sources, at->file) : NULL;
    if (s && s->bytes && at->line && !reads(s, at->line, text, len) &&
        reads(s, at->line + 1, text, len))
        at->line++;
}

/* Whether the last definition of a macro that anybody saw may give it its own name as its text. */
static bool means_itself(const struct reader *r, const char *name)
{
    bool itself = false;
    for (const struct m4_define *x = r->defines; x; x = x->next)
        if (x->value && strcmp(x->name, name) == 0)
            itself = strstr(x->value, name) != NULL;
    for (const struct m4_record *x = r->result->records; x; x = x->next)
        if (x->id == 0 && x->argc > 0 && strcmp(x->argv[0], name) == 0 &&
            !strstr(x->kind, "include"))
            itself = x->argc > 1 && strstr(x->argv[1], name) != NULL;
    return itself;
}

/* What m4 gives for a name; for one that is not defined, the name. */
static void add_value(struct reader *r, struct m4_piece *frame, const char *name,
                      const struct buf *text)
{
    struct table *t = r->result->values;
    if (strcmp(name, text->data) == 0 && !(r->names_itself && means_itself(r, name)))
        return;
    if (frame) {
        if (!frame->values)
            frame->values = table_new(r->arena);
        t = frame->values;
    }
    table_set(t, name, arena_strndup(r->arena, text->data, text->len));
}

/* Where m4 may have noted a place, in the bytes from p to end. */
static const char *find_sync(const char *p, const char *end)
{
    static const char sync[] = "#line ";
    for (; p < end && (p = memchr(p, sync[0], (size_t)(end - p))) != NULL; p++)
        if ((size_t)(end - p) >= sizeof sync - 1 && memcmp(p, sync, sizeof sync - 1) == 0)
            return p;
    return NULL;
}

static void read_stdout(struct reader *r, const char *p, size_t len)
{
    struct m4_result *res = r->result;
    struct m4_piece **tails[M4_SECTIONS];
    for (int i = 0; i < M4_SECTIONS; i++)
        tails[i] = &res->sections[i];
    size_t section = 0;
    struct m4_piece *text = NULL, *frame = NULL;
    struct origin at = {0, 0, 0, 0};
    const char *value = NULL; /* name whose value is being read */
    const char *const *asked = r->parts->asked;
    struct buf v, carried;
    buf_init(&v, r->arena);
    buf_init(&carried, r->arena);
    const char *end = p + len;
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        if (sync_line(r, p, eol, &at)) {
            p = eol < end ? eol + 1 : end;
            continue;
        }
        /* A mark may stand behind text that did not end its line. */
        const char *mark = find_key(r->key, p, eol);
        const char *stop = mark ? mark : eol;
        /* m4 may note a place behind text that has not ended its line: the text goes on there. */
        const char *sync = mark ? NULL : find_sync(p, eol);
        struct origin next = at;
        if (sync && sync > p && sync_line(r, sync, eol, &next)) {
            if (strspn(p, " \t") < (size_t)(sync - p))
                buf_add(&carried, p, (size_t)(sync - p));
            at = next;
            p = eol < end ? eol + 1 : end;
            continue;
        }
        const char *from = p;
        size_t n_text = (size_t)(stop - p);
        if (carried.len > 0) {
            buf_add(&carried, from, n_text);
            n_text = carried.len;
            from = arena_strndup(r->arena, carried.data, n_text);
            buf_truncate(&carried, 0);
        }
        if (value) {
            if (n_text > 0 || !mark) {
                if (v.len)
                    buf_addc(&v, '\n');
                buf_add(&v, from, n_text);
            }
        } else if (n_text > 0 || !mark) {
            struct m4_piece *to = frame;
            if (!to) {
                if (!text)
                    text = new_piece(r->arena, &tails[section], NULL);
                to = text;
                correct_line(r, &at, from, n_text);
            }
            add_line(r->arena, to, from, n_text, at);
        }
        if (mark) {
            const char *m = mark + KEY_LENGTH;
            unsigned long n;
            if (value)
                add_value(r, frame, value, &v);
            value = NULL;
            if (eol > m && *m == '=') {
                value = *asked ? *asked++ : "";
                buf_truncate(&v, 0);
                p = m + 1;
                continue;
            }
            if (eol - m >= 2 && m[1] == '=') {
                m += 2;
                if (number(&m, eol, &n) && n < template_rulesets.nat_calls && m < eol) {
                    value = template_rulesets.at_calls[n];
                    buf_truncate(&v, 0);
                    p = m + 1;
                    continue;
                }
            }
            if (eol - m >= 3 && m[1] == '#') {
                m += 3;
                frame = NULL;
                text = NULL;
                if (number(&m, eol, &n) && n < M4_SECTIONS)
                    section = n;
            } else if (eol - m >= 3 && m[1] == '@') {
                m += 3;
                text = NULL;
                if (number(&m, eol, &n)) {
                    const struct m4_record *rec = record_by_id(res, n);
                    frame = rec ? new_piece(r->arena, &tails[section], rec) : NULL;
                }
            } else if (eol - m >= 2 && m[1] == '.') {
                frame = NULL;
            } else if (eol - m >= 2 && m[1] == '!') {
                res->complete = true;
            }
        }
        if (eol < end && at.file)
            at.line++;
        p = eol < end ? eol + 1 : end;
    }
}

/* The state with the key of this run where VOCABULARY_KEY stands in it. */
static const char *keyed_state(const struct reader *r)
{
    char *copy = arena_raw(r->arena, r->state.len);
    const char *end = r->state.bytes + r->state.len, *from = r->state.bytes;
    memcpy(copy, r->state.bytes, r->state.len);
    for (; (from = find_key(VOCABULARY_KEY, from, end)) != NULL; from += KEY_LENGTH)
        memcpy(copy + (from - r->state.bytes), r->key, KEY_LENGTH);
    return copy;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* Where was it when it was stopped?  A second run traces every call; its last line tells. */
static void find_runaway(struct reader *r, struct args *base, const char *what)
{
    struct cage again;
    struct origin at = {source_open(r->sources, r->path, NULL)->id, 0, 0, 0};
    int fd = memory_file("mcf-vocabulary", keyed_state(r), r->state.len);
    char *macro = NULL;
    if (fd >= 0) {
        struct args a = {.arena = r->arena};
        for (size_t i = 0; base->v[i]; i++)
            if (strcmp(base->v[i], "-daflq") == 0)
                arg(&a, "-dtfl");
            else if (strncmp(base->v[i], "/proc/self/fd/", 14) == 0 && i > 0 &&
                     strcmp(base->v[i - 1], "-R") == 0)
                arg(&a, arena_printf(r->arena, "/proc/self/fd/%d", fd));
            else
                arg(&a, base->v[i]);
        arg(&a, NULL);
        const char *tmp = NULL;
        cage_start(&again, r->arena, a.v, r->confined, TRACE_SECONDS, TRACE_LIMIT, NULL);
        if (!wait_for(&again, r->key) && (tmp = make_folder(r->arena)) != NULL)
            cage_start(&again, r->arena, a.v, r->confined, TRACE_SECONDS, TRACE_LIMIT, tmp);
        cage_wait(&again);
        if (tmp)
            remove_folder(tmp);
        close(fd);
        const char *end = again.err + again.err_len, *p = again.err;
        while (p < end) {
            const char *eol = memchr(p, '\n', (size_t)(end - p)), *rest;
            struct origin o = {0, 0, 0, 0};
            if (!eol)
                break; /* cut off in the middle */
            if (eol - p > 8 && memcmp(p, "m4trace:", 8) == 0 && located(r, p + 8, eol, &o, &rest) &&
                o.file) {
                at = o;
                while (rest < eol &&
                       (*rest == '-' || *rest == ' ' || (*rest >= '0' && *rest <= '9')))
                    rest++;
                macro = arena_strndup(r->arena, rest, (size_t)(eol - rest));
            }
            p = eol + 1;
        }
    }
    struct finding *f = finding_add(r->diag, FINDING_RUNAWAY, at, what, NULL);
    if (macro && strncmp(macro, "_mcf_", 5) != 0)
        diag_hint(r->diag, f, "it was expanding %s", macro);
}

/* A file that takes away what the directives are made of is not to be believed. */
static void missing_tools(struct reader *r)
{
    static const char *const tools[] = {"define", "defn", "divert", "divnum", "ifdef",
                                        "ifelse", "incr", "indir",  "shift"};
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        const struct m4_record *gone = NULL;
        for (const struct m4_record *x = r->result->records; x; x = x->next)
            for (size_t k = 0; x->id == 0 && k < x->argc; k++)
                if (strcmp(x->argv[k], tools[i]) == 0) {
                    if (strcmp(x->kind, "undefine") == 0 || strcmp(x->kind, "popdef") == 0)
                        gone = x;
                    else if (k == 0)
                        gone = NULL;
                }
        if (gone) {
            finding_add(
                r->diag, FINDING_INCOMPLETE, gone->at,
                arena_printf(r->arena, "directives are made of %s, which ends here", tools[i]),
                NULL);
            r->reported = true;
            r->result->complete = false;
        }
    }
}

static void ended_early(struct reader *r, struct origin whole, int status)
{
    for (const struct m4_record *x = r->result->records; x; x = x->next)
        if (strcmp(x->kind, "m4exit") == 0) {
            finding_add(r->diag, FINDING_INCOMPLETE, x->at,
                        "m4exit ends the file here: nothing is made of it", NULL);
            return;
        }
    finding_add(
        r->diag, FINDING_INCOMPLETE, whole,
        arena_printf(r->arena, "m4 ended before the end of the file (exit code %d)", status), NULL);
}

static void cannot_confine(struct reader *r, struct origin whole, int err)
{
    const char *why = err == ENOSYS || err == EOPNOTSUPP
                          ? "this kernel cannot (Landlock is missing or off)"
                          : strerror(err);
    finding_add(r->diag, FINDING_SYSTEM, whole,
                arena_printf(r->arena, "cannot confine m4 to %s: %s", r->options->confine, why),
                NULL);
}

/* What m4 opens by number, beside its streams. */
struct inputs {
    int state, gate, prologue, own, epilogue;
    int opener; /* closing it lets m4 go on behind the gate */
    int feeder; /* of a state that m4 waits for, or -1 */
};

static bool open_inputs(struct inputs *in, const struct m4_options *o)
{
    static const char finish[] = "_mcf_finish\n";
    int ends[2] = {-1, -1};
    /* The gate is a pipe that nothing is ever written to; only we have its other end. */
    if (pipe(ends) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) < 0) {
        close(ends[0]);
        close(ends[1]);
        ends[0] = ends[1] = -1;
    }
    *in = (struct inputs){.state = -1,
                          .gate = ends[0],
                          .opener = ends[1],
                          .feeder = -1,
                          .prologue = memory_file("mcf-prologue", "", 0),
                          .own = o->text ? memory_file("mcf-text", o->text, o->text_len) : -1,
                          .epilogue = memory_file("mcf-epilogue", finish, sizeof finish - 1)};
    return in->gate >= 0 && in->prologue >= 0 && in->epilogue >= 0 && (!o->text || in->own >= 0);
}

/* m4's state, which is chosen while m4 starts: a pipe with room for all of it. */
static void open_state(struct inputs *in)
{
    int ends[2];
    if (roomy_pipe(ends, vocabulary_source_len + vocabulary_frozen_len)) {
        in->state = ends[0];
        in->feeder = ends[1];
    }
}

static void close_inputs(struct inputs *in)
{
    fs_close(&in->state);
    fs_close(&in->gate);
    fs_close(&in->opener);
    fs_close(&in->feeder);
    fs_close(&in->prologue);
    fs_close(&in->own);
    fs_close(&in->epilogue);
}

static const char *number_of(struct arena *a, int fd)
{
    return arena_printf(a, "/proc/self/fd/%d", fd);
}

static void arguments(struct args *v, struct reader *r, const struct inputs *in, bool frozen)
{
    static const char *const traced[] = {"define", "undefine",     "pushdef",
                                         "popdef", "_mcf_include", "_mcf_sinclude"};
    const struct m4_options *o = r->options;
    struct arena *a = r->arena;
    v->n = 0;
    arg(v, m4_program());
    arg(v, "-s");
    arg(v, HASH_SIZE);
    arg(v, "-daflq");
    for (size_t i = 0; i < sizeof traced / sizeof *traced; i++) {
        arg(v, "-t");
        arg(v, traced[i]);
    }
    for (const char *const *dir = o->include_dirs; dir && *dir; dir++)
        arg(v, arena_printf(a, "-I%s", *dir));
    if (frozen) {
        arg(v, "-R");
        arg(v, number_of(a, in->state));
    }
    if (o->allow_commands)
        arg(v, "-D_mcf_allow_commands");
    if (o->defines)
        arg(v, "-D_mcf_given");
    for (const struct m4_define *x = o->defines; x; x = x->next) {
        arg(v, arena_printf(a, "-D_mcf_given_%s", x->name));
        arg(v, arena_printf(a, "-D%s=%s", x->name, x->value ? x->value : ""));
    }
    if (!frozen)
        arg(v, number_of(a, in->state));
    arg(v, number_of(a, in->gate));
    arg(v, number_of(a, in->prologue));
    r->alias = in->own >= 0 ? number_of(a, in->own) : NULL;
    arg(v, r->alias ? r->alias : r->path[0] == '-' ? arena_printf(a, "./%s", r->path) : r->path);
    arg(v, number_of(a, in->epilogue));
    arg(v, NULL);
}

/* m4 starts from the whole library. */
static void set_whole(struct reader *r, bool frozen)
{
    r->parts = parts_whole(r->arena);
    r->state =
        frozen ? r->parts->state : (struct parts_text){vocabulary_source, vocabulary_source_len};
}

/* m4 starts from what the file can mean of it. */
static void set_named(struct reader *r, struct m4_texts texts)
{
    size_t n = texts.n;
    for (const struct m4_define *x = r->defines; x; x = x->next)
        n += 2;
    struct parts_text *all = arena_calloc(r->arena, n, sizeof *all);
    memcpy(all, texts.v, texts.n * sizeof *all);
    n = texts.n;
    for (const struct m4_define *x = r->defines; x; x = x->next) {
        all[n++] = (struct parts_text){x->name, strlen(x->name)};
        if (x->value)
            all[n++] = (struct parts_text){x->value, strlen(x->value)};
    }
    r->parts = parts_of(r->arena, all, n);
    r->state = r->parts->state;
}

/* The name that a line of m4's says it does not know, or is given a text; or NULL. */
static const char *named_in(struct reader *r, const char *p, const char *eol)
{
    static const char traced[] = "m4trace:", argument[] = "(`";
    size_t len = (size_t)(eol - p);
    const char *quote, *name = NULL;
    if (len > KEY_LENGTH && memcmp(p, r->key, KEY_LENGTH) == 0) {
        /* "KEY R id unknown line n KEY file KEY kind KEY name KEY" */
        for (int i = 0; p && i < 5; i++) {
            if (i == 2 && !strstr(name, " unknown "))
                return NULL;
            if (!part(r, &p, eol, &name))
                return NULL;
        }
        return name;
    }
    if (len < strlen(traced) || memcmp(p, traced, strlen(traced)) != 0 ||
        (p = memmem(p, len, argument, strlen(argument))) == NULL)
        return NULL;
    p += strlen(argument);
    quote = memchr(p, '\'', (size_t)(eol - p));
    return quote ? arena_strndup(r->arena, p, (size_t)(quote - p)) : NULL;
}

/* Whether m4 came across something that it was not given, or that it was not asked for. */
static bool lacked(struct reader *r, const char *p, size_t len)
{
    const char *end = p + len, *eol;
    for (; r->parts->given && (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
        const char *name = named_in(r, p, eol);
        if (name && parts_lack(r->parts, name))
            return true;
    }
    return false;
}

/* Names of the site's files may hold quotes: these are longer than any of them. */
static bool write_prologue(struct reader *r, const struct inputs *in, const struct m4_late *late)
{
    struct buf b;
    buf_init(&b, r->arena);
    if (late->site) {
        buf_printf(&b, "divert(-1)changequote(`%s<', `%s>')\n", r->key, r->key);
        for (const struct m4_define *x = late->site; x; x = x->next)
            buf_printf(&b, "_mcf_define(%s<_mcf_site_%s%s>, %s<%s%s>)\n", r->key, x->name, r->key,
                       r->key, x->value, r->key);
        buf_adds(&b, "changequote\ndivert(0)dnl\n");
    }
    if (late->comments)
        buf_adds(&b, "changecom(`#')dnl\n");
    return write_all(in->prologue, b.data, b.len);
}

/* What is to be said about how m4 ended. */
static void say_end(struct reader *r, const struct cage *c, struct args *v, struct origin whole)
{
    struct arena *a = r->arena;
    switch (c->end) {
    case CAGE_TIME:
        find_runaway(r, v, "the file does not come to an end: m4 was stopped");
        break;
    case CAGE_OUTPUT:
        find_runaway(r, v, "the file grows without end: m4 was stopped");
        break;
    case CAGE_SIGNAL:
        find_runaway(
            r, v,
            arena_printf(a, "m4 was ended by signal %d (%s)", c->status, strsignal(c->status)));
        break;
    case CAGE_START:
        finding_add(r->diag, FINDING_SYSTEM, whole,
                    arena_printf(a, "cannot start m4: %s", strerror(c->status)), NULL);
        break;
    case CAGE_EXIT:
        if (c->status == 127 || c->status == 126) {
            finding_add(r->diag, FINDING_NO_M4, whole, m4_program(), NULL);
        } else if (r->exhausted && r->unclosed_known) {
            r->result->complete = false; /* that nothing closes is said already */
        } else if (r->exhausted) {
            find_runaway(
                r, v,
                arena_printf(a, "a macro calls itself without end: m4 stopped (%s)", r->exhausted));
        } else if (!r->result->complete && !r->reported) {
            ended_early(r, whole, c->status);
        }
        break;
    }
    if (c->end != CAGE_EXIT)
        r->result->complete = false;
}

struct m4_result *m4_run(struct arena *a, struct source_set *sources, struct diag *d,
                         const char *path, const struct m4_options *o)
{
    struct m4_result *res = arena_alloc(a, sizeof *res);
    res->values = table_new(a);
    char key[KEY_LENGTH + 1];
    make_key(key);
    struct reader r = {.arena = a,
                       .sources = sources,
                       .diag = d,
                       .result = res,
                       .record_tail = &res->records,
                       .key = key,
                       .told = table_new(a),
                       .defines = o->defines,
                       .options = o,
                       .confined = -1,
                       .path = path};
    struct m4_late late = {.site = NULL};
    struct origin whole = {source_open(sources, path, NULL)->id, 0, 0, 0};
    for (const struct m4_define *x = o->defines; x; x = x->next)
        r.names_itself = r.names_itself || (x->value && strstr(x->value, x->name));

    if (o->confine && (r.confined = confine_new(o->confine, m4_program())) < 0) {
        cannot_confine(&r, whole, errno);
        o->meanwhile(o->ctx, &late);
        o->then(o->ctx);
        return res;
    }
    unsigned cpu = o->cpu_seconds ? o->cpu_seconds : DEFAULT_CPU;
    size_t output = o->output_limit ? o->output_limit : DEFAULT_OUTPUT;
    bool frozen = !o->allow_commands;
    struct inputs in;
    bool opened = open_inputs(&in, o);
    struct cage *c = arena_alloc(a, sizeof *c);
    struct args v = {.arena = a};
    const char *tmp = NULL;
    open_state(&in);
    if (in.feeder < 0 || !frozen)
        set_whole(&r, frozen);
    for (bool again = false, then = false;; again = true) {
        if (again || in.feeder < 0) {
            fs_close(&in.state);
            in.state = memory_file("mcf-vocabulary", keyed_state(&r), r.state.len);
        }
        bool started = opened && in.state >= 0, good = started;
        int err = errno;
        if (started) {
            arguments(&v, &r, &in, frozen);
            cage_start(c, a, v.v, r.confined, cpu, output, tmp);
            res->cage = c;
        }
        if (!again) {
            struct m4_texts texts = o->texts(o->ctx);
            if (!r.parts)
                set_named(&r, texts);
            if (in.feeder >= 0 && !write_all(in.feeder, keyed_state(&r), r.state.len)) {
                good = false;
                err = errno;
            }
            fs_close(&in.feeder);
            o->meanwhile(o->ctx, &late);
            r.unclosed_known = late.unclosed_known;
            if (good && !write_prologue(&r, &in, &late)) {
                good = false;
                err = errno;
            }
            fs_close(&in.opener);
            if (good && late.text) { /* few files need mending: m4 has read nothing of this one */
                cage_stop(c);
                fs_close(&in.own);
                in.own = memory_file("mcf-text", late.text, late.text_len);
                if (r.parts->given)
                    set_named(&r, o->texts(o->ctx));
                opened = in.own >= 0;
                continue;
            }
        }
        if (!then)
            o->then(o->ctx);
        then = true;
        if (started && !wait_for(c, key) && !tmp && (tmp = make_folder(a)) != NULL)
            continue;
        if (!good) {
            finding_add(d, FINDING_SYSTEM, whole,
                        arena_printf(a, "no memory file for m4: %s", strerror(err)), NULL);
            break;
        }
        /* An m4 that refuses the frozen state (another release's format) gets the source. */
        if (frozen && c->end == CAGE_EXIT && c->status == 63) {
            frozen = false;
            set_whole(&r, frozen);
            continue;
        }
        if (lacked(&r, c->err, c->err_len)) {
            cage_stop(c);
            set_whole(&r, frozen);
            continue;
        }
        read_stderr(&r, c->err, c->err_len);
        read_stdout(&r, c->out, c->out_len);
        if (r.undefines)
            missing_tools(&r);
        say_end(&r, c, &v, whole);
        break;
    }
    if (tmp) {
        cage_wait(c);
        remove_folder(tmp);
    }
    close_inputs(&in);
    if (r.confined >= 0)
        close(r.confined);
    return res;
}

void m4_end(struct m4_result *r)
{
    if (r->cage)
        cage_wait(r->cage);
}
