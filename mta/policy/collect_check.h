/*
 * collect_check: the rulesets that look at a message's head: those of H lines (HName: $>rs,
 * H*: $>rs), one field after the other, and check_eoh.
 *
 * Part of collect, whose arena and rewriter it uses.  A field that is too long to be read as tokens
 * is not asked about.  What the last of them says is the reply; a message that one discards and
 * another refuses is refused.
 */
#ifndef MCF_MTA_POLICY_COLLECT_CHECK_H
#define MCF_MTA_POLICY_COLLECT_CHECK_H

#include "mta/policy/collect.h"

/* bytes: of the head.  False: out says what is said; e's quarantine may be set. */
bool collect_check(struct rewrite *r, struct arena *a, const struct head *h, size_t bytes,
                   struct envelope *e, struct collected *out);

#endif
