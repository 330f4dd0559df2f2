#include "lib/rewrite/class_file.h"

#include <errno.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/fs.h"
#include "lib/model/findings.h"
#include "lib/rewrite/compile.h"

enum { CLASS_FILE_MAX = 1 << 30 };

/* The word of a line as the line's format takes it: "%s", or "%[^...]". */
static size_t word_of(const char *format, const char *line, size_t len, const char **word)
{
    size_t from = 0, n = 0;
    const char *set = strstr(format, "%[^");

    if (set) {
        const char *stop = set + 3;
        const char *end = strchr(*stop ? stop + 1 : stop, ']');
        while (n < len && end && !memchr(stop, line[n], (size_t)(end - stop)))
            n++;
        while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
            n--;
    } else {
        while (from < len && (line[from] == ' ' || line[from] == '\t'))
            from++;
        while (from + n < len && line[from + n] != ' ' && line[from + n] != '\t')
            n++;
    }
    *word = line + from;
    return n;
}

void class_file_read(struct compiler *k, const struct item *it)
{
    uint32_t cls = compile_name(k, it->name);
    char *s = compile_expanded(k, it->value);
    bool optional = false;

    s += strspn(s, " \t");
    while (*s == '-') {
        optional = optional || s[1] == 'o';
        s += strcspn(s, " \t");
        s += strspn(s, " \t");
    }
    size_t path_len = strcspn(s, " \t");
    const char *format = s + path_len + strspn(s + path_len, " \t");
    char *path = arena_strndup(k->p->arena, s, path_len);
    char *bytes;
    size_t len;
    if (*path != '/')
        return;
    int err = fs_read(k->p->arena, path, CLASS_FILE_MAX, &bytes, &len);
    if (err) {
        if (!(optional && err == ENOENT) && k->diag)
            finding_add(k->diag, FINDING_CLASS_FILE, it->at, path, strerror(err), NULL);
        return;
    }
    for (size_t from = 0; from < len;) {
        const char *line = bytes + from, *word;
        const char *nl = memchr(line, '\n', len - from);
        size_t n = nl ? (size_t)(nl - line) : len - from;
        from += n + 1;
        if (n > 0 && *line == '#')
            continue;
        n = word_of(format, line, n, &word);
        if (n > 0)
            compile_word(k, cls, word, n);
    }
}
