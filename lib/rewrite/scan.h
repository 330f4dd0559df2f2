/*
 * scan: text -> tokens.
 *
 * A token is a word (a run of plain characters), one operator character, a quoted text with its
 * quotes, or an operator of the .cf language.  RFC 5322 3.2 is where the classes of characters come
 * from; which characters are operators a configuration says (OperatorChars).
 *
 * Token bytes are in the arena that was given; a list has a fixed capacity and never more than
 * TOKENS_MAX tokens.
 */
#ifndef MCF_REWRITE_SCAN_H
#define MCF_REWRITE_SCAN_H

#include "lib/rewrite/text.h"

enum {
    TOKENS_MAX = 1000,
    TOKEN_BYTES_MAX = 256, /* of one token */
    TEXT_COST_MAX = 1251   /* of one text: its tokens' bytes, and one for each token */
};

struct token {
    const char *p;
    uint32_t len;
    uint32_t id; /* a word's or operator's number; WORD_NONE for a word nobody named */
};

struct tokens {
    struct token *v;
    uint32_t n, cap;
};

enum char_class { CHAR_WORD, CHAR_OPERATOR, CHAR_BLANK, CHAR_QUOTE };

struct scan_table {
    unsigned char cls[256];
    bool comments; /* (text) is left out */
};

/* The characters that OperatorChars and sendmail itself make operators. */
void scan_table_init(struct scan_table *t, const char *operators);

enum scan_fault {
    SCAN_OK,
    SCAN_UNBALANCED, /* of `ch`; mended, and gone on */
    SCAN_TOO_LONG,
    SCAN_TOKEN_TOO_LONG,
    SCAN_EIGHT_BIT /* a byte of 0x80 to 0x9f stands alone */
};

struct scan {
    const struct scan_table *table;
    const struct words *words;
    struct arena *arena; /* of the tokens' bytes */
    char *room;          /* in place of it: room for scan_bytes; may be NULL */
    int delimiter;       /* ends the text outside of quotes, comments and brackets; -1: none */
    bool rule;           /* part of a rule: nothing needs to be in pairs */
    bool written;        /* operators are text, as they were written */
    /* Told of each fault; may be NULL. */
    void (*fault)(void *ctx, enum scan_fault fault, char ch);
    void *ctx;
};

/* How many bytes tokens of a text may have. */
static inline size_t scan_bytes(size_t len)
{
    return 2 * len + 2;
}
/* Appends the tokens of s[0..len) to out; *used (may be NULL): bytes up to the delimiter, which
 * does not end a route (<@a,@b:c@d>).  False where the text is too long: parts of rules have no
 * limit but the room in out. */
bool scan_text(const struct scan *sc, const char *s, size_t len, struct tokens *out, size_t *used);
/* The same of an expanded text (text_expand). */
bool scan_pieces(const struct scan *sc, const struct text *t, struct tokens *out);

/* How many tokens a word of a class is; arena: for the while. */
uint32_t scan_count(const struct scan_table *t, const struct words *words, struct arena *arena,
                    const char *s, size_t len);

/* Is it a word, which is kept apart from another one by a space? */
bool scan_is_word(const struct scan_table *t, const struct token *v);

/* Writes tokens as one text: a space between two words (none if space is 0), nothing else.  At most
 * `most` bytes, and, as sendmail cuts it, a space right behind them; a NUL.  Gives the bytes
 * written. */
size_t scan_join(const struct scan_table *t, const struct token *v, size_t n, char space, char *out,
                 size_t most);

#endif
