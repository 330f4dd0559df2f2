/*
 * program: a configuration, compiled to be run.
 *
 * program_compile walks the model once, in file order, as sendmail reads a .cf: $x in a rule is the
 * macro's value at that place, a class word may use macros, a map must be declared before it is
 * asked.  The result is constant, lives in the arena that it was made in, and may be used by any
 * number of threads at once.  The configuration must live as long.
 */
#ifndef MCF_REWRITE_PROGRAM_H
#define MCF_REWRITE_PROGRAM_H

#include "lib/base/diag.h"
#include "lib/maps/lookup.h"
#include "lib/model/config.h"
#include "lib/rewrite/scan.h"

enum {
    RULESETS_MAX = 200, /* numbers below half of it are free, names count down from the end */
    RULESET_NAME_MAX = 255,
    MATCHES_MAX = 9 /* $1 to $9 */
};

enum element_kind {
    LEFT_WORD,
    LEFT_OPERATOR,
    LEFT_ANY0,
    LEFT_ANY,
    LEFT_ONE,
    LEFT_CLASS,
    LEFT_NOT_CLASS,
    LEFT_NOTHING, /* $@ */
    LEFT_LATE,    /* $&x */
    LEFT_END
};

struct element {
    uint8_t kind;
    uint32_t id; /* word, operator, class or macro */
};

enum rule_mode {
    RULE_REPEAT, /* is tried again until it fails */
    RULE_ONCE,   /* $: */
    RULE_RETURN, /* $@ */
    RULE_RESOLVE /* $# */
};

/* A piece of a right-hand side: so many of its tokens, and then what $1 to $9 matched. */
struct part {
    uint16_t fixed;
    uint16_t matched; /* 1 to 9; 0: nothing, and the end */
};

struct rule {
    const struct element *left; /* LEFT_END behind them */
    const struct part *parts; /* of a right-hand side that has no $&, and in which each $1 to $9 is
                                 matched; else NULL */
    struct token *fixed;      /* the tokens of its parts, one behind the other */
    uint64_t made;            /* bits of the words and operators of its right-hand side */
    uint16_t nleft, nright;
    uint16_t ncalls; /* $> in its right-hand side */
    uint8_t mode;
    bool takes_all; /* its left-hand side is $*, as that of many rules */
    uint16_t nfixed;
    uint16_t least;                  /* tokens that it takes at least */
    uint64_t need;                   /* bits of words and operators that must be there (match.h) */
    const struct token *left_tokens; /* as they were read */
    const struct token *right;       /* without $@ and $: before it */
    const uint32_t *late;            /* the macro of each $& in right, one after the other */
    const struct item *item;
};

/* What a workspace must have for a rule to be tried at all; a few bytes, all in a row. */
struct rule_key {
    uint64_t need;
    uint32_t first, last; /* the word that it begins or ends with; WORD_NONE: any */
    uint16_t least;
};

struct ruleset {
    const char *name; /* "" for one without */
    uint16_t number;
    struct rule *rules;
    const struct rule_key *keys; /* of each rule */
    size_t nrules, room;
};

struct class_words {
    const char **words; /* in the order of the file, each once */
    size_t n, room;
    uint32_t longest; /* tokens of its longest word */
    uint64_t begin;   /* what they begin with (class_begin) */
};

struct mailer {
    const char *name;
    int index;
    struct text path, argv; /* argv: the words behind A= */
    const char *flags;      /* each letter once, sorted */
    int sender_envelope, sender_header, recipient_envelope, recipient_header; /* numbers, 0: none */
    long max_size, line_limit, recipients;
    const char *types[3]; /* T=: MTA, address, diagnostic; NULL: not set */
    const char *user;     /* U= as "uid:gid"; NULL: not set */
    const char *charset;  /* C=; NULL: not set */
    bool has_types, smtp; /* T= is there; it speaks SMTP */
    const char *eol_text;
    const struct item *item; /* NULL: built in */
};

struct program {
    struct arena *arena;
    const struct config *config;
    struct names names;
    struct words words;
    struct scan_table rules, addresses, comments; /* how rules and addresses are scanned; the last
                                                     with comments left out */
    const struct text **macros;                   /* by name number; NULL: not set */
    struct class_words *classes;                  /* by name number */
    size_t nnames;                                /* of both arrays */
    struct ruleset *rulesets[RULESETS_MAX];       /* by number; NULL: none */
    struct table *ruleset_names;                  /* name -> struct ruleset */
    struct lookup_maps *maps;
    struct mailer **mailers;
    size_t nmailers, mailer_room;
    int level; /* of the V line */
    const char *operators;
    char space;             /* BlankSub */
    const char *must_quote; /* characters of a phrase that must be in quotes (MustQuoteChars) */
    bool colon_ok;          /* a colon in an address begins no group (ColonOkInAddr) */
};

/* An address of this machine. */
struct program_interface {
    const char *address;      /* in brackets; NULL: the list is over */
    const char *const *names; /* that it is known by; NULL-terminated */
    bool loopback;
};

/* What the machine is, as sendmail finds it out; all may be NULL. */
struct program_host {
    const char *name;         /* $j and $w: mail.example.com */
    const char *const *names; /* of class w; NULL-terminated */
    /* Their addresses and names come into class w when the file is read: a name that is there by
     * then is left out, with its form in brackets. */
    const struct program_interface *interfaces;
    const char *node;                 /* $k; NULL: the name */
    const char *version;              /* $v */
    const char *date;                 /* $b: when it was started (RFC 5322 3.3) */
    const char *mode;                 /* ${opMode}: the letter of -b; NULL: nobody said one */
    bool programs;                    /* F lines may run programs */
    const struct lookup_world *world; /* F lines that ask maps; NULL: they are not asked */
};

struct program *program_compile(struct arena *a, const struct config *c,
                                const struct program_host *host, struct diag *d);

/* How much of s is a ruleset's name or number, which is in *number then; else -1.  A name begins
 * with a letter, and its case counts.  0: neither. */
size_t program_ruleset_name(const char *s, size_t len, long *number);
/* By the name or number that s begins with; NULL if there is none. */
const struct ruleset *program_ruleset(const struct program *p, const char *name, size_t len);
const struct mailer *program_mailer(const struct program *p, const char *name, size_t len);
const char *program_ruleset_label(const struct ruleset *r, char number[8]);
/* A bit of class_words.begin. */
static inline uint64_t class_begin(char first)
{
    return word_bit((unsigned char)words_fold(first));
}
bool program_in_class(const struct program *p, uint32_t cls, const char *word, size_t len);
/* A truth value; unset: what it is where no line says it. */
bool program_is_true(const struct program *p, const char *name, bool unset);
/* Is it the option of this long name, whole, cut short, or by its letter? */
bool program_is_option(const struct item *it, const char *name);
/* Letters as rules look for them in ${daemon_flags}: apart, and capital ones twice. */
const char *program_letters_apart(struct arena *a, const char *letters);
/* Whether DontBlameSendmail has the word, in the lines before `end` (NULL: in all); each line adds
 * to those before it, `safe` takes all away. */
bool program_forgives(const struct program *p, const char *word, const struct item *end);
/* The value of the last option of this long or short name; NULL if it is not set. */
const char *program_option(const struct program *p, const char *name);

#endif
