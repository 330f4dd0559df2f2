#include "lib/rewrite/words.h"

#include <string.h>

#include "lib/base/arena.h"

enum { SLOTS_MIN = 1024, HASH_START = 0x811c9dc5 };

char words_fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool words_same(const char *a, size_t alen, const char *b, size_t blen)
{
    if (alen != blen)
        return false;
    for (size_t i = 0; i < alen; i++) {
        if (a[i] != b[i] && words_fold(a[i]) != words_fold(b[i]))
            return false;
    }
    return true;
}

/* FNV-1a: words are short. */
static uint32_t hash_of(const char *text, size_t len)
{
    uint32_t h = HASH_START;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)words_fold(text[i])) * 0x01000193U;
    return h ^ (h >> 15);
}

void words_init(struct words *w, struct arena *a)
{
    *w = (struct words){.arena = a};
    w->mask = SLOTS_MIN - 1;
    w->slots = arena_calloc(a, SLOTS_MIN, sizeof *w->slots);
}

bool words_in_class(const struct word *w, uint32_t cls)
{
    for (uint32_t i = 0; i < w->nclasses; i++) {
        if (w->classes[i] == cls)
            return true;
    }
    return false;
}

/* The slot that has the word, or the free one where it belongs. */
static uint32_t slot_of(const struct words *w, uint32_t hash, const char *text, size_t len)
{
    uint32_t i = hash & w->mask;

    while (w->slots[i]) {
        const struct word *word = words_at(w, w->slots[i]);
        if (word->hash == hash && words_same(word->text, word->len, text, len))
            break;
        i = (i + 1) & w->mask;
    }
    return i;
}

uint32_t words_find(const struct words *w, const char *text, size_t len)
{
    return w->slots[slot_of(w, hash_of(text, len), text, len)];
}

static void grow(struct words *w)
{
    uint32_t size = (w->mask + 1) * 2;

    w->slots = arena_calloc(w->arena, size, sizeof *w->slots);
    w->mask = size - 1;
    for (uint32_t n = 0; n < w->count; n++) {
        uint32_t i = w->words[n].hash & w->mask;
        while (w->slots[i])
            i = (i + 1) & w->mask;
        w->slots[i] = words_number(n);
    }
}

uint32_t words_add(struct words *w, const char *text, size_t len)
{
    uint32_t hash = hash_of(text, len);
    uint32_t i = slot_of(w, hash, text, len);

    if (w->slots[i])
        return w->slots[i];
    if (w->count >= w->mask / 2) {
        grow(w);
        i = slot_of(w, hash, text, len);
    }
    w->words = arena_grow(w->arena, w->words, w->count, &w->room, sizeof *w->words, SLOTS_MIN);
    char *copy = arena_strndup(w->arena, text, len);
    for (size_t k = 0; k < len; k++)
        copy[k] = words_fold(copy[k]);
    w->words[w->count] = (struct word){.text = copy, .len = (uint32_t)len, .hash = hash};
    return w->slots[i] = words_number(w->count++);
}
