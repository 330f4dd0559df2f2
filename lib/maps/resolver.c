#include "lib/maps/resolver.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sysexits.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/maps/lookup_services.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    LONGEST_ANSWER = 65535, /* bytes */
    LONGEST_NAME = 253,
    LONGEST_LABEL = 63,
    MOST_EXCHANGERS = 100,
    LARGEST_FILE = 64 << 20, /* bytes of a hosts file */
};

struct resolver {
    struct __res_state state;
    int usual_seconds, usual_tries;
    bool works, short_ipv6;
    unsigned char *answer; /* LONGEST_ANSWER bytes */
};

static const struct {
    const char *name;
    int type;
} types[] = {{"A", ns_t_a},       {"AAAA", ns_t_aaaa}, {"AFSDB", ns_t_afsdb}, {"CNAME", ns_t_cname},
             {"DNSKEY", 48},      {"DS", 43},          {"MX", ns_t_mx},       {"NS", ns_t_ns},
             {"NSEC", 47},        {"PTR", ns_t_ptr},   {"RRSIG", 46},         {"SRV", ns_t_srv},
             {"TLSA", ns_t_tlsa}, {"TXT", ns_t_txt}};

int resolver_type(const char *name)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (strcasecmp(types[i].name, name) == 0)
            return types[i].type;
    return -1;
}

struct resolver *resolver_new(struct arena *a)
{
    struct resolver *r = arena_alloc(a, sizeof *r);
    r->works = res_ninit(&r->state) == 0;
    r->usual_seconds = r->state.retrans;
    r->usual_tries = r->state.retry;
    r->answer = arena_raw(a, LONGEST_ANSWER);
    return r;
}

void resolver_close(struct resolver *r)
{
    if (r && r->works)
        res_nclose(&r->state);
    if (r)
        r->works = false;
}

/* Others that sendmail knows have no effect in this library. */
static const struct {
    const char *name;
    unsigned long flag;
} flags[] = {{"DEBUG", RES_DEBUG},     {"USEVC", RES_USEVC},       {"IGNTC", RES_IGNTC},
             {"RECURSE", RES_RECURSE}, {"DEFNAMES", RES_DEFNAMES}, {"STAYOPEN", RES_STAYOPEN},
             {"DNSRCH", RES_DNSRCH}};

void resolver_set_options(struct resolver *r, const char *options, bool short_ipv6)
{
    const char *p = options ? options : "";
    r->short_ipv6 = short_ipv6;
    for (size_t n; *p; p += n) {
        p += strspn(p, " \t,");
        n = strcspn(p, " \t,");
        size_t sign = *p == '+' || *p == '-';
        for (size_t i = 0; i < COUNT(flags); i++)
            if (strlen(flags[i].name) != n - sign ||
                strncasecmp(p + sign, flags[i].name, n - sign) != 0)
                continue;
            else if (*p == '-')
                r->state.options &= ~flags[i].flag;
            else
                r->state.options |= flags[i].flag;
    }
}

void resolver_set_times(struct resolver *r, unsigned seconds, unsigned tries)
{
    r->state.retrans = seconds > 0 && seconds < 600 ? (int)seconds : r->usual_seconds;
    r->state.retry = tries > 0 && tries < 100 ? (int)tries : r->usual_tries;
}

/* --- one question -------------------------------------------------------------------------- */

/* What cannot be a name is not asked for: the library cannot tell it from a failure. */
static bool is_name(const char *name)
{
    size_t len = strlen(name), label = 0;
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len > LONGEST_NAME || name[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        label = name[i] == '.' ? 0 : label + 1;
        if ((name[i] == '.' && (i == 0 || name[i - 1] == '.')) || label > LONGEST_LABEL ||
            (unsigned char)name[i] <= ' ' || name[i] == '\\' || name[i] == '"')
            return false;
    }
    return true;
}

static char *address_of(struct arena *a, const unsigned char *data, size_t len, bool short_ipv6)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct buf b;
    buf_init(&b, a);
    if (len == 16 && memcmp(data, mapped, sizeof mapped) == 0) {
        data += sizeof mapped;
        len -= sizeof mapped;
    }
    if (len == 4)
        return arena_printf(a, "%u.%u.%u.%u", data[0], data[1], data[2], data[3]);
    if (short_ipv6) {
        char text[INET6_ADDRSTRLEN];
        return arena_printf(a, "IPv6:%s", inet_ntop(AF_INET6, data, text, sizeof text));
    }
    buf_adds(&b, "IPv6");
    for (size_t i = 0; i < 16; i += 2)
        buf_printf(&b, ":%x", (unsigned)data[i] << 8 | data[i + 1]);
    return b.data;
}

static char *name_in(struct arena *a, const ns_msg *m, const unsigned char *at)
{
    char name[NS_MAXDNAME];
    if (ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), at, name, sizeof name) < 0)
        return NULL;
    size_t len = strlen(name);
    if (len > 0 && name[len - 1] == '.')
        len--;
    return arena_strndup(a, name, len);
}

static char *association(struct arena *a, const unsigned char *d, size_t len)
{
    struct buf b;
    buf_init(&b, a);
    buf_printf(&b, "%02X %02X %02X", d[0], d[1], d[2]);
    for (size_t i = 3; i < len; i++)
        buf_printf(&b, "%c%02X", i == 3 ? ' ' : ':', d[i]);
    return b.data;
}

/* False: it is damaged. */
static bool read_record(const struct resolver *r, struct arena *a, const ns_msg *m, const ns_rr *rr,
                        struct resolver_record *to)
{
    const unsigned char *d = ns_rr_rdata(*rr);
    size_t len = ns_rr_rdlen(*rr), skip = 0;
    const char *text = NULL;
    *to = (struct resolver_record){
        .owner = arena_strdup(a, ns_rr_name(*rr)), .type = ns_rr_type(*rr), .ttl = ns_rr_ttl(*rr)};
    switch (to->type) {
    case ns_t_a:
    case ns_t_aaaa:
        if (len != (to->type == ns_t_a ? 4 : 16))
            return false;
        text = address_of(a, d, len, r->short_ipv6);
        break;
    case ns_t_txt:
        if (len < 1 || d[0] > len - 1)
            return false;
        to->value = (struct map_bytes){arena_strndup(a, (const char *)d + 1, d[0]), d[0]};
        return true;
    case ns_t_tlsa:
        if (len < 3)
            return false;
        text = association(a, d, len);
        break;
    case ns_t_srv:
        skip = 6;
        break;
    case ns_t_mx:
    case ns_t_afsdb:
        skip = 2;
        break;
    case ns_t_cname:
    case ns_t_ns:
    case ns_t_ptr:
        break;
    default:
        to->value = (struct map_bytes){arena_strndup(a, (const char *)d, len), len};
        return true;
    }
    if (!text) {
        if (len <= skip)
            return false;
        if (skip > 0)
            to->preference = ns_get16(d);
        if (skip == 6) {
            to->weight = ns_get16(d + 2);
            to->port = ns_get16(d + 4);
        }
        text = name_in(a, m, d + skip);
    }
    if (!text)
        return false;
    to->value = (struct map_bytes){text, strlen(text)};
    return true;
}

static void failed(struct resolver_answer *answer, const char *why)
{
    answer->verdict = MAP_TEMPFAIL;
    answer->status = EX_TEMPFAIL;
    answer->why = why;
}

static bool same_name(const char *a, const char *b)
{
    size_t n = strlen(a), k = strlen(b);
    n -= n > 0 && a[n - 1] == '.';
    k -= k > 0 && b[k - 1] == '.';
    return n == k && strncasecmp(a, b, n) == 0;
}

static void read_answer(const struct resolver *r, int len, const char *name, int type,
                        struct arena *a, struct resolver_answer *answer)
{
    ns_msg m;
    if (ns_initparse(r->answer, len, &m) != 0) {
        failed(answer, "the answer cannot be read");
        return;
    }
    unsigned all = ns_msg_count(m, ns_s_an);
    struct resolver_record *records = arena_calloc(a, all + 1, sizeof *records);
    const char *at = name;
    for (unsigned i = 0; i < all; i++) {
        ns_rr rr;
        if (ns_parserr(&m, ns_s_an, (int)i, &rr) != 0)
            break;
        struct resolver_record *one = &records[answer->count];
        if (ns_rr_class(rr) != ns_c_in || !read_record(r, a, &m, &rr, one))
            continue;
        if (one->type == ns_t_cname && type != ns_t_cname && same_name(one->owner, at)) {
            at = one->value.p;
            answer->alias = true;
        }
        answer->count += one->type == (unsigned)type;
    }
    answer->name = at;
    answer->records = records;
    answer->exists = answer->count == 0;
    if (answer->count > 0) {
        answer->verdict = MAP_FOUND;
        answer->status = EX_OK;
    }
}

/* One name, as it is. */
static void ask_one(struct resolver *r, const char *name, int type, struct arena *a,
                    struct resolver_answer *answer)
{
    *answer = (struct resolver_answer){
        .verdict = MAP_NOT_FOUND, .status = EX_NOHOST, .why = "", .name = name};
    if (!r->works) {
        failed(answer, "the resolver does not start");
        return;
    }
    if (!is_name(name))
        return;
    int n = res_nquery(&r->state, name, ns_c_in, type, r->answer, LONGEST_ANSWER);
    if (n > 0) {
        read_answer(r, n < LONGEST_ANSWER ? n : LONGEST_ANSWER, name, type, a, answer);
        return;
    }
    switch (r->state.res_h_errno) {
    case HOST_NOT_FOUND:
        break;
    case NO_DATA:
        answer->exists = true;
        break;
    default:
        failed(answer, "no name server could say");
    }
}

enum search { SEARCH_NOT, SEARCH_ASK, SEARCH_CANON };

/* The name's i-th form by the search list; NULL behind the last. */
static const char *form_of(const struct resolver *r, const char *name, size_t i, enum search how,
                           struct arena *a)
{
    size_t len = strlen(name), dots = 0, listed = 0;
    for (size_t k = 0; k < len; k++)
        dots += name[k] == '.';
    if (how == SEARCH_NOT || (len > 0 && name[len - 1] == '.'))
        return i == 0 ? name : NULL;
    bool first = dots >= r->state.ndots, lists = r->state.options & RES_DNSRCH;
    if (dots == 0)
        lists = r->state.options & (RES_DEFNAMES | (how == SEARCH_CANON ? RES_DNSRCH : 0));
    while (lists && listed < MAXDNSRCH && r->state.dnsrch[listed])
        listed++;
    if (first ? i == 0 : i == listed)
        return name;
    size_t at = first ? i - 1 : i;
    if (at >= listed)
        return NULL;
    const char *domain = r->state.dnsrch[at];
    return domain[0] && strcmp(domain, ".") != 0 ? arena_printf(a, "%s.%s", name, domain) : name;
}

void resolver_ask(struct resolver *r, const char *name, int type, bool search, struct arena *a,
                  struct resolver_answer *answer)
{
    ask_one(r, name, type, a, answer);
    if (!search)
        return;
    bool exists = false;
    const char *form;
    for (size_t i = 0; (form = form_of(r, name, i, SEARCH_ASK, a)); i++) {
        if (i > 0 || form != name)
            ask_one(r, form, type, a, answer);
        if (answer->verdict != MAP_NOT_FOUND)
            return;
        exists = exists || answer->exists;
    }
    answer->exists = exists;
}

/* --- full names ---------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool next_word(const char **p, const char *end, struct map_bytes *word)
{
    while (*p < end && is_blank(**p))
        (*p)++;
    const char *from = *p;
    while (*p < end && !is_blank(**p))
        (*p)++;
    *word = (struct map_bytes){from, (size_t)(*p - from)};
    return word->len > 0;
}

/* The next line of *text, without its remark. */
static bool next_line(const char **text, const char *end, struct map_bytes *line)
{
    if (*text >= end)
        return false;
    const char *stop = memchr(*text, '\n', (size_t)(end - *text));
    stop = stop ? stop : end;
    const char *remark = memchr(*text, '#', (size_t)(stop - *text));
    *line = (struct map_bytes){*text, (size_t)((remark ? remark : stop) - *text)};
    *text = stop + 1;
    return true;
}

static bool is_word(struct map_bytes word, const char *s)
{
    return word.len == strlen(s) && strncasecmp(word.p, s, word.len) == 0;
}

static const char *with_domain(const struct resolver_sources *from, const char *name,
                               struct arena *a)
{
    const char *domain = from->host ? strchr(from->host, '.') : NULL;
    return domain ? arena_printf(a, "%s%s", name, domain) : name;
}

static const char *search_hosts(const char *text, size_t len, const char *name,
                                const struct resolver_sources *from, struct arena *a)
{
    struct map_bytes line, word;
    for (const char *p = text; next_line(&p, text + len, &line);) {
        const char *q = line.p, *end = line.p + line.len;
        struct map_bytes full = {NULL, 0}, first = {NULL, 0};
        bool found = false;
        if (!next_word(&q, end, &word)) /* the address */
            continue;
        while (next_word(&q, end, &word)) {
            found = found || is_word(word, name);
            first = first.p ? first : word;
            if (!full.p && memchr(word.p, '.', word.len))
                full = word;
        }
        if (found)
            return full.p ? arena_strndup(a, full.p, full.len)
                          : with_domain(from, arena_strndup(a, first.p, first.len), a);
    }
    return NULL;
}

static const char *in_hosts_file(const char *name, const struct resolver_sources *from,
                                 struct arena *a)
{
    char *text;
    size_t len, n = strlen(name);
    struct arena *file = arena_beside(a);
    const char *path = from->hosts_file ? from->hosts_file : "/etc/hosts", *found = NULL;
    if (n > 0 && name[n - 1] == '.')
        name = arena_strndup(a, name, n - 1);
    if (*name != '\0' && fs_read(file, path, LARGEST_FILE, &text, &len) == 0)
        found = search_hosts(text, len, name, from, a);
    arena_free(file);
    return found;
}

/* By the domain name system: a host or a mail domain. */
static void canon_by_dns(struct resolver *r, const char *name, bool whole, struct arena *a,
                         struct resolver_name *answer)
{
    static const int wanted[] = {ns_t_a, ns_t_aaaa, ns_t_mx};
    const char *form;
    enum search how = whole ? SEARCH_NOT : SEARCH_CANON;
    for (size_t i = 0; (form = form_of(r, name, i, how, a)); i++) {
        struct resolver_answer failure = {.verdict = MAP_NOT_FOUND};
        for (size_t k = 0; k < COUNT(wanted); k++) {
            struct resolver_answer one;
            ask_one(r, form, wanted[k], a, &one);
            if (one.verdict == MAP_FOUND) {
                size_t len = strlen(one.name);
                *answer = (struct resolver_name){
                    .verdict = MAP_FOUND,
                    .status = EX_OK,
                    .why = "",
                    .name = arena_strndup(a, one.name, len - (one.name[len - 1] == '.'))};
                return;
            }
            if (one.alias)
                answer->name = one.name;
            if (one.verdict == MAP_TEMPFAIL)
                failure = one;
            else if (!one.exists)
                break; /* the name has no records of any type */
        }
        if (failure.verdict == MAP_TEMPFAIL) {
            answer->verdict = MAP_TEMPFAIL;
            answer->status = EX_TEMPFAIL;
            answer->why = failure.why;
            return;
        }
    }
}

void resolver_canon(struct resolver *r, const char *name, const struct resolver_sources *from,
                    struct arena *a, struct resolver_name *answer)
{
    const char *sources[SERVICE_SOURCES];
    size_t len = strlen(name), n = lookup_services(from->service_switch, "hosts", a, sources);
    *answer = (struct resolver_name){
        .verdict = MAP_NOT_FOUND,
        .status = EX_NOHOST,
        .why = "",
        .name = arena_strndup(a, name, len - (len > 0 && name[len - 1] == '.'))};
    for (size_t i = 0; i < n && answer->verdict == MAP_NOT_FOUND; i++) {
        const char *found =
            strcasecmp(sources[i], "files") == 0 ? in_hosts_file(name, from, a) : NULL;
        if (found)
            *answer = (struct resolver_name){
                .verdict = MAP_FOUND, .status = EX_OK, .why = "", .name = found};
        else if (strcasecmp(sources[i], "dns") == 0)
            canon_by_dns(r, name, from->whole, a, answer);
    }
}

/* The name that the line of an address begins with. */
static const char *in_system_hosts(int family, const void *bytes, struct arena *a)
{
    char *text;
    size_t len;
    struct map_bytes line, word;
    struct arena *file = arena_beside(a);
    const char *found = NULL;
    if (fs_read(file, "/etc/hosts", LARGEST_FILE, &text, &len) != 0)
        len = 0, text = NULL;
    for (const char *p = text; !found && len > 0 && next_line(&p, text + len, &line);) {
        const char *q = line.p, *end = line.p + line.len;
        unsigned char there[16];
        if (next_word(&q, end, &word) &&
            inet_pton(family, arena_strndup(file, word.p, word.len), there) == 1 &&
            memcmp(there, bytes, family == AF_INET ? 4 : 16) == 0 && next_word(&q, end, &word))
            found = arena_strndup(a, word.p, word.len);
    }
    arena_free(file);
    return found;
}

void resolver_reverse(struct resolver *r, const char *address, struct arena *a,
                      struct resolver_name *answer)
{
    unsigned char d[16];
    const char *plain = strncasecmp(address, "IPv6:", 5) == 0 ? address + 5 : address, *found;
    int family = inet_pton(AF_INET, plain, d) == 1    ? AF_INET
                 : inet_pton(AF_INET6, plain, d) == 1 ? AF_INET6
                                                      : AF_UNSPEC;
    struct buf b;
    buf_init(&b, a);
    *answer = (struct resolver_name){
        .verdict = MAP_NOT_FOUND, .status = EX_NOHOST, .why = "", .name = address};
    if (family == AF_UNSPEC)
        return;
    found = in_system_hosts(family, d, a);
    if (!found) {
        struct resolver_answer one;
        if (family == AF_INET)
            buf_printf(&b, "%u.%u.%u.%u.in-addr.arpa.", d[3], d[2], d[1], d[0]);
        for (size_t i = 16; family == AF_INET6 && i-- > 0;)
            buf_printf(&b, "%x.%x.", d[i] & 15u, d[i] >> 4u);
        if (family == AF_INET6)
            buf_adds(&b, "ip6.arpa.");
        ask_one(r, b.data, ns_t_ptr, a, &one);
        if (one.verdict == MAP_FOUND)
            found = one.records[0].value.p;
        answer->verdict = one.verdict;
        answer->status = one.status;
        answer->why = one.why;
    }
    if (found)
        *answer =
            (struct resolver_name){.verdict = MAP_FOUND, .status = EX_OK, .why = "", .name = found};
}

/* --- who takes mail ------------------------------------------------------------------------ */

struct ranked {
    struct resolver_exchanger x;
    uint32_t chance;
};

static int better(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->x.preference != y->x.preference)
        return x->x.preference < y->x.preference ? -1 : 1;
    return (x->chance > y->chance) - (x->chance < y->chance);
}

static void one_exchanger(struct arena *a, const char *host, struct resolver_mx *answer)
{
    struct resolver_exchanger *x = arena_alloc(a, sizeof *x);
    size_t len = strlen(host);
    bool whole = len > 0 && (host[len - 1] == '.' || host[0] == '[');
    x->host = whole ? arena_strdup(a, host) : arena_printf(a, "%s.", host);
    answer->list = x;
    answer->count = 1;
    answer->verdict = MAP_FOUND;
}

static void rank(const struct resolver_answer *mx, bool (*is_ours)(void *ctx, const char *host),
                 void *ctx, struct arena *a, struct resolver_mx *answer)
{
    size_t n = mx->count < MOST_EXCHANGERS ? mx->count : MOST_EXCHANGERS, kept = 0;
    struct ranked *all = arena_calloc(a, n, sizeof *all);
    unsigned limit = UINT32_MAX; /* the preference of the best that is this host */
    for (size_t i = 0; i < n; i++) {
        const struct resolver_record *one = &mx->records[i];
        all[i].x =
            (struct resolver_exchanger){arena_printf(a, "%s.", one->value.p), one->preference};
        if (getrandom(&all[i].chance, sizeof all[i].chance, GRND_NONBLOCK) < 0)
            all[i].chance = (uint32_t)random();
        if (is_ours && is_ours(ctx, one->value.p) && one->preference < limit)
            limit = one->preference;
    }
    answer->ours = limit != UINT32_MAX;
    qsort(all, n, sizeof *all, better);
    struct resolver_exchanger *list = arena_calloc(a, n, sizeof *list);
    for (size_t i = 0; i < n && all[i].x.preference < limit; i++) {
        bool again = false;
        for (size_t k = 0; k < kept && !again; k++)
            again = strcasecmp(list[k].host, all[i].x.host) == 0;
        if (!again)
            list[kept++] = all[i].x;
    }
    answer->list = list;
    answer->count = kept;
    answer->verdict = MAP_FOUND;
    answer->status = EX_OK;
}

void resolver_mx(struct resolver *r, const char *domain, const struct resolver_sources *from,
                 bool (*is_ours)(void *ctx, const char *host), void *ctx, struct arena *a,
                 struct resolver_mx *answer)
{
    struct resolver_answer mx, host;
    struct resolver_name full;
    *answer = (struct resolver_mx){.verdict = MAP_NOT_FOUND, .status = EX_OK, .why = ""};
    if (domain[0] == '[') {
        one_exchanger(a, domain, answer);
        return;
    }
    ask_one(r, domain, ns_t_mx, a, &mx);
    if (mx.verdict == MAP_FOUND) {
        if (mx.count == 1 && mx.records[0].value.len == 0)
            answer->status = EX_UNAVAILABLE;
        else
            rank(&mx, is_ours, ctx, a, answer);
        return;
    }
    answer->status = mx.status;
    answer->why = mx.why;
    answer->verdict = mx.verdict;
    if (mx.verdict == MAP_TEMPFAIL)
        return;
    answer->implied = true;
    if (!mx.exists) {
        if (!is_name(domain)) {
            answer->status = strcmp(domain, ".") == 0 ? EX_NOHOST : EX_OK;
            return;
        }
        resolver_canon(r, domain, from, a, &full);
        if (full.verdict == MAP_FOUND)
            one_exchanger(a, full.name, answer);
        else if (full.verdict == MAP_TEMPFAIL)
            answer->verdict = MAP_TEMPFAIL, answer->status = full.status, answer->why = full.why;
        return;
    }
    answer->status = EX_OK;
    /* An alias of a host is none: its name was to be made full before. */
    for (int i = 0; i < 2 && !mx.alias && answer->verdict == MAP_NOT_FOUND; i++) {
        ask_one(r, domain, i == 0 ? ns_t_a : ns_t_aaaa, a, &host);
        if (host.verdict == MAP_FOUND)
            one_exchanger(a, domain, answer);
        else if (host.verdict == MAP_TEMPFAIL)
            answer->verdict = MAP_TEMPFAIL, answer->status = host.status, answer->why = host.why;
    }
}
