#include "compiler/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/version.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/model/findings.h"
#include "lib/model/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const names[] = {
#define FORMAT(name, NAME) #name,
#include "compiler/report.def"
#undef FORMAT
};

bool report_format_find(const char *name, enum report_format *format)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (enum report_format)i;
            return true;
        }
    return false;
}

/* Findings, and what they are written from. */
struct set {
    struct arena *arena;
    struct source_set *sources;
    const struct finding *const *findings;
    size_t count, errors, warnings;
};

/* --- places -------------------------------------------------------------------------------------
 */

/* A place as programs count: its end is the byte, or character, behind its last one. */
struct span {
    const struct source *source;                 /* NULL: no file */
    uint32_t line, column, end_line, end_column; /* 0 = not known */
};

/* The column in characters: a byte that is no UTF-8 is one. */
static uint32_t characters(const struct source *s, uint32_t line, uint32_t column)
{
    size_t len, n = 1;
    const char *text = source_line(s, line, &len);
    for (size_t i = 0; text && i < len && i + 1 < column; n++) {
        size_t step = source_character(text + i, len - i);
        i += step ? step : 1;
    }
    return (uint32_t)n;
}

/* In bytes.  shown: a place of no length is shown as one character. */
static struct span span_of(const struct set *set, struct origin at, bool shown)
{
    struct span p = {.source = source_by_id(set->sources, at.file), .line = at.line};
    if (!p.source || at.line == 0 || at.col == 0)
        return p;
    p.column = at.col;
    size_t from = source_offset(p.source, at.line, at.col), len = at.len;
    if (len == 0 && shown && from < p.source->len && p.source->bytes[from] != '\n') {
        len = source_character(p.source->bytes + from, p.source->len - from);
        len = len ? len : 1;
    }
    struct origin end = source_origin(p.source, from + len, 0);
    p.end_line = end.line;
    p.end_column = end.col;
    return p;
}

static struct span in_characters(struct span p)
{
    if (p.column) {
        p.column = characters(p.source, p.line, p.column);
        p.end_column = characters(p.source, p.end_line, p.end_column);
    }
    return p;
}

/* Where s was included from; false at the end of the trail.  left ends one that goes round. */
static bool step_out(const struct set *set, const struct source **s, struct origin *from,
                     size_t *left)
{
    if (!*s || (*s)->included_from.file == 0 || (*left)-- == 0)
        return false;
    *from = (*s)->included_from;
    *s = source_by_id(set->sources, from->file);
    return *s != NULL;
}

/* --- json ---------------------------------------------------------------------------------------
 */

static void number(struct json *j, const char *key, uint32_t n)
{
    if (n)
        json_member_number(j, key, n);
}

static void json_edit(struct json *j, const struct set *set, const struct edit *e)
{
    struct span p = span_of(set, e->at, false);
    json_open_object(j, NULL);
    json_member(j, "file", p.source ? p.source->path : NULL);
    number(j, "line", p.line);
    number(j, "column", p.column);
    json_member_number(j, "length", e->at.len);
    number(j, "end_line", p.end_line);
    number(j, "end_column", p.end_column);
    json_member(j, "text", e->text);
    json_close(j);
}

static const char *const severities[] = {"note", "warning", "error"};

static void json_finding(struct json *j, const struct set *set, const struct finding *f)
{
    struct span p = span_of(set, f->at, false);
    json_open_object(j, NULL);
    json_member(j, "file", p.source ? p.source->path : NULL);
    number(j, "line", p.line);
    number(j, "column", p.column);
    if (p.column) {
        json_member_number(j, "length", f->at.len);
        number(j, "end_line", p.end_line);
        number(j, "end_column", p.end_column);
    }
    json_member(j, "severity", severities[f->severity]);
    json_member(j, "id", f->id);
    json_member(j, "text", f->text);
    if (f->hint)
        json_member(j, "hint", f->hint);
    if (f->in_expansion_of)
        json_member(j, "in_expansion_of", f->in_expansion_of);
    const struct source *s = p.source;
    struct origin from;
    size_t left = source_count(set->sources);
    json_open_array(j, "included_from");
    while (step_out(set, &s, &from, &left))
        json_member(j, NULL,
                    from.line ? arena_printf(set->arena, "%s:%u", s->path, from.line) : s->path);
    json_close(j);
    json_open_array(j, "edits");
    for (const struct edit *e = f->edits; e; e = e->next)
        json_edit(j, set, e);
    json_close(j);
    json_close(j);
}

static void write_json(const struct set *set, struct buf *out)
{
    struct json j;
    json_start(&j, out);
    json_open_object(&j, NULL);
    json_member(&j, "format", "mcf-findings 1");
    json_open_array(&j, "findings");
    for (size_t i = 0; i < set->count; i++)
        json_finding(&j, set, set->findings[i]);
    json_close(&j);
    json_member_number(&j, "errors", (long long)set->errors);
    json_member_number(&j, "warnings", (long long)set->warnings);
    json_close(&j);
    json_end(&j);
}

/* --- sarif --------------------------------------------------------------------------------------
 */

/* The path as a URI reference. */
static const char *uri(const struct set *set, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~/+@,=";
    struct buf b;
    buf_init(&b, set->arena);
    if (path[0] == '/')
        buf_adds(&b, "file://");
    for (; *path; path++)
        if (strchr(plain, *path))
            buf_addc(&b, *path);
        else
            buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*path);
    return b.data;
}

static void sarif_text(struct json *j, const char *key, const char *text)
{
    json_open_object(j, key);
    json_member(j, "text", text);
    json_close(j);
}

static void sarif_region(struct json *j, const char *key, struct span p)
{
    if (!p.line)
        return;
    p = in_characters(p);
    json_open_object(j, key);
    number(j, "startLine", p.line);
    number(j, "startColumn", p.column);
    number(j, "endLine", p.end_line);
    number(j, "endColumn", p.end_column);
    json_close(j);
}

static void sarif_artifact(struct json *j, const struct set *set, const struct source *s)
{
    json_open_object(j, "artifactLocation");
    json_member(j, "uri", uri(set, s->path));
    json_close(j);
}

static void sarif_location(struct json *j, const struct set *set, struct span p,
                           const char *message)
{
    json_open_object(j, NULL);
    json_open_object(j, "physicalLocation");
    sarif_artifact(j, set, p.source);
    sarif_region(j, "region", p);
    json_close(j);
    if (message)
        sarif_text(j, "message", message);
    json_close(j);
}

/* All edits of a finding are one fix, with an entry for each file. */
static void sarif_fix(struct json *j, const struct set *set, const struct finding *f)
{
    json_open_array(j, "fixes");
    json_open_object(j, NULL);
    sarif_text(j, "description", f->hint ? f->hint : f->text);
    json_open_array(j, "artifactChanges");
    for (const struct edit *first = f->edits; first; first = first->next) {
        bool seen = false;
        for (const struct edit *e = f->edits; e != first; e = e->next)
            seen = seen || e->at.file == first->at.file;
        const struct source *s = source_by_id(set->sources, first->at.file);
        if (seen || !s)
            continue;
        json_open_object(j, NULL);
        sarif_artifact(j, set, s);
        json_open_array(j, "replacements");
        for (const struct edit *e = first; e; e = e->next) {
            if (e->at.file != first->at.file)
                continue;
            json_open_object(j, NULL);
            sarif_region(j, "deletedRegion", span_of(set, e->at, false));
            sarif_text(j, "insertedContent", e->text);
            json_close(j);
        }
        json_close(j);
        json_close(j);
    }
    json_close(j);
    json_close(j);
    json_close(j);
}

static const char *sarif_level(enum finding_severity severity)
{
    return severity == FINDING_NOTE ? "note" : severity == FINDING_WARNING ? "warning" : "error";
}

/* A rule of SARIF is an id: the first of the rows that share it speaks for all. */
struct rules {
    enum finding_id rows[FINDINGS];
    size_t count;
};

/* The number of the rule; rules->count if there is none. */
static size_t rule_of(const struct rules *rules, const char *id)
{
    size_t i = 0;
    while (i < rules->count && strcmp(finding_info(rules->rows[i])->id, id) != 0)
        i++;
    return i;
}

static void collect_rules(struct rules *rules)
{
    for (enum finding_id i = 0; i < FINDINGS; i++)
        if (rule_of(rules, finding_info(i)->id) == rules->count)
            rules->rows[rules->count++] = i;
}

static void sarif_rules(struct json *j, const struct set *set, const struct rules *rules)
{
    json_open_array(j, "rules");
    for (size_t i = 0; i < rules->count; i++) {
        const struct finding_info *row = finding_info(rules->rows[i]);
        json_open_object(j, NULL);
        json_member(j, "id", row->id);
        const char *shape = finding_shape(set->arena, rules->rows[i]);
        sarif_text(j, "shortDescription", shape);
        sarif_text(j, "fullDescription", *row->reason ? row->reason : shape);
        const char *help = finding_readable(set->arena, row->fix);
        if (*help || *row->example)
            sarif_text(j, "help",
                       arena_printf(set->arena, "%s%s%s%s", help,
                                    *help && *row->example ? "\n" : "",
                                    *row->example ? "Example of the fault: " : "", row->example));
        json_open_object(j, "defaultConfiguration");
        json_member(j, "level", sarif_level(row->severity));
        json_close(j);
        json_close(j);
    }
    json_close(j);
}

static void sarif_result(struct json *j, const struct set *set, const struct rules *rules,
                         const struct finding *f)
{
    struct arena *a = set->arena;
    struct span p = span_of(set, f->at, true);
    size_t rule = rule_of(rules, f->id);
    json_open_object(j, NULL);
    json_member(j, "ruleId", f->id);
    if (rule < rules->count)
        json_member_number(j, "ruleIndex", (long long)rule);
    json_member(j, "level", severities[f->severity]);
    const char *where =
        f->in_expansion_of ? arena_printf(a, "\nin the expansion of %s", f->in_expansion_of) : "";
    sarif_text(j, "message",
               arena_printf(a, "%s%s%s%s", f->text, where, f->hint ? "\nhint: " : "",
                            f->hint ? f->hint : ""));
    json_open_array(j, "locations");
    if (p.source)
        sarif_location(j, set, p, NULL);
    json_close(j);
    const struct source *s = p.source;
    struct origin from;
    size_t left = source_count(set->sources);
    if (s && s->included_from.file) {
        json_open_array(j, "relatedLocations");
        while (step_out(set, &s, &from, &left))
            sarif_location(j, set, span_of(set, from, true), "included from here");
        json_close(j);
    }
    if (f->edits)
        sarif_fix(j, set, f);
    json_close(j);
}

static void write_sarif(const struct set *set, struct buf *out)
{
    struct json j;
    struct rules rules = {.count = 0};
    collect_rules(&rules);
    json_start(&j, out);
    json_open_object(&j, NULL);
    json_member(&j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_member(&j, "version", "2.1.0");
    json_open_array(&j, "runs");
    json_open_object(&j, NULL);
    json_open_object(&j, "tool");
    json_open_object(&j, "driver");
    json_member(&j, "name", "mcf");
    json_member(&j, "version", MCF_VERSION);
    sarif_rules(&j, set, &rules);
    json_close(&j);
    json_close(&j);
    json_member(&j, "columnKind", "unicodeCodePoints");
    json_open_array(&j, "results");
    for (size_t i = 0; i < set->count; i++)
        sarif_result(&j, set, &rules, set->findings[i]);
    json_close(&j);
    json_close(&j);
    json_close(&j);
    json_close(&j);
    json_end(&j);
}

/* --- github -------------------------------------------------------------------------------------
 */

static void github_escaped(struct buf *out, const char *text, bool property)
{
    for (; *text; text++) {
        const char *special = strchr(property ? "%\r\n:," : "%\r\n", *text);
        if (special)
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
        else
            buf_addc(out, *text);
    }
}

static void github_finding(struct buf *out, const struct set *set, const struct finding *f)
{
    static const char *const commands[] = {"notice", "warning", "error"};
    struct span p = in_characters(span_of(set, f->at, false));
    buf_printf(out, "::%s ", commands[f->severity]);
    if (p.source) {
        buf_adds(out, "file=");
        github_escaped(out, p.source->path, true);
        if (p.line)
            buf_printf(out, ",line=%u", p.line);
        if (p.column)
            buf_printf(out, ",col=%u", p.column);
        buf_addc(out, ',');
    }
    buf_adds(out, "title=");
    github_escaped(out, f->id, true);
    buf_adds(out, "::");
    github_escaped(out, f->text, false);
    if (f->in_expansion_of) {
        buf_adds(out, "%0Ain the expansion of ");
        github_escaped(out, f->in_expansion_of, false);
    }
    if (f->hint) {
        buf_adds(out, "%0Ahint: ");
        github_escaped(out, f->hint, false);
    }
    buf_addc(out, '\n');
}

static void write_github(const struct set *set, struct buf *out)
{
    for (size_t i = 0; i < set->count; i++)
        github_finding(out, set, set->findings[i]);
}

/* --- text ---------------------------------------------------------------------------------------
 */

/* Standard error has no buffer: one write, and not one a letter. */
static void print_text(struct diag *d, FILE *out)
{
    bool colour = isatty(fileno(out)) && !getenv("NO_COLOR");
    char *text = NULL;
    size_t len = 0;
    FILE *memory = diag_count(d, DIAG_NOTE) > 0 ? open_memstream(&text, &len) : NULL;
    diag_print(d, memory ? memory : out, colour);
    if (memory && fclose(memory) == 0)
        fwrite(text, 1, len, out);
    free(text);
}

/* --- any of them --------------------------------------------------------------------------------
 */

void report(struct diag *d, struct source_set *sources, enum report_format format, FILE *out)
{
    if (format == REPORT_TEXT) {
        print_text(d, out);
        return;
    }
    struct set set = {.arena = diag_arena(d), .sources = sources};
    set.findings = diag_sorted(d, &set.count);
    set.errors = diag_count(d, DIAG_ERROR);
    set.warnings = diag_count(d, DIAG_WARNING) - set.errors;
    struct buf b;
    buf_init(&b, set.arena);
    if (format == REPORT_JSON)
        write_json(&set, &b);
    else if (format == REPORT_SARIF)
        write_sarif(&set, &b);
    else
        write_github(&set, &b);
    fwrite(b.data, 1, b.len, out);
}
