/*
 * render: a message's head and addresses as one mailer's host or program gets them.
 *
 * A rendering is of one envelope for one mailer and host.  render_begin rewrites the sender by the
 * mailer's rulesets and sets the macros c, f, g and h; render_argv sets u and z, which the line
 * "From " and the head are to find, so it goes first (for SMTP, the caller sets u).  The other
 * macros are the envelope's: who renders has set them, x, i and d (collect_set_time) among them.
 * Everything that is given is in the arena.  A rendering belongs to one thread; each address is an
 * evaluation of its own, so nothing of one before is valid afterwards.
 *
 * What fails: an address that cannot be read stays as it is; where rulesets say that they cannot
 * say (a map is not there), `status` becomes EX_TEMPFAIL, and what was rendered is not to be used.
 */
#ifndef MCF_MTA_POLICY_RENDER_H
#define MCF_MTA_POLICY_RENDER_H

#include "lib/rewrite/rewrite.h"
#include "mta/message/envelope.h"
#include "mta/message/head.h"

struct rendering {
    struct rewrite *r;
    struct arena *arena;
    const struct envelope *envelope;
    const struct mailer *mailer;
    const char *sender; /* $g: as the mailer has it */
    const char *domain; /* "@example.com": what addresses without one get; NULL: nothing */
    bool local;         /* the sender is of this host */
    int status;         /* 0 or EX_TEMPFAIL */
};

/* A recipient of the mailer: $u, and $z (NULL: none). */
struct render_user {
    const char *user, *home;
};

/* host: $h; NULL: none. */
void render_begin(struct rendering *d, struct rewrite *r, struct arena *a, const struct envelope *e,
                  const struct mailer *m, const char *host);
/* The sender for MAIL (RFC 5321 4.1.1.2), without brackets; empty: "<>". */
struct bytes render_path(struct rendering *d);
/* The head with LF line ends, each field's last one, too, and without the empty line (RFC 5322
 * 2.2).  No line is longer than the mailer's L= has it: a longer one goes on behind "!".  False:
 * the envelope's header is none. */
bool render_head(struct rendering *d, struct buf *out);
/* The line "From ", without its line end; p is NULL: the mailer wants none (F=n). */
struct bytes render_first(struct rendering *d);
/* Arguments of the mailer's program, its A=; what has $u in it once for each user. */
struct texts render_argv(struct rendering *d, const struct render_user *users, size_t n);

#endif
